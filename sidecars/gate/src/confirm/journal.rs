//! The file of confirmations: one line a step, each on the disk before [`Journal::append`] returns.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::record::Step;
use crate::audit::segment::line;

/// The open file.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    pub bytes: u64,
}

impl Journal {
    /// Opens the file and reads its steps. What a crash left of a last line was never acknowledged.
    pub fn open(path: PathBuf) -> std::io::Result<(Self, Vec<Step>)> {
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut steps = Vec::new();
        for (index, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
            match serde_json::from_slice(text) {
                Ok(step) => steps.push(step),
                Err(_) if text.is_empty() => {}
                Err(error) => tracing::warn!(line = index + 1, %error, "a step of a confirmation cannot be read"),
            }
        }
        let mut journal = Self { file: append_to(&path)?, path, bytes: bytes.len() as u64 };
        if bytes.last().is_some_and(|last| *last != b'\n') {
            journal.write(b"\n")?;
        }
        Ok((journal, steps))
    }

    pub fn append(&mut self, step: &Step) -> std::io::Result<()> {
        self.write(&line(step)?)
    }

    /// Replaces everything.
    pub fn rewrite(&mut self, steps: &[Step]) -> std::io::Result<()> {
        let mut text = Vec::new();
        for step in steps {
            text.extend(line(step)?);
        }
        let next = self.path.with_extension("next");
        let mut file = File::create(&next)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&next, &self.path)?;
        File::open(self.path.parent().unwrap_or(Path::new("/")))?.sync_all()?;
        self.file = append_to(&self.path)?;
        self.bytes = text.len() as u64;
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> std::io::Result<()> {
        let written = self.file.write_all(line).and_then(|()| self.file.sync_data());
        if written.is_err() {
            self.file.set_len(self.bytes)?;
        } else {
            self.bytes += line.len() as u64;
        }
        written
    }
}

fn append_to(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}
