//! A file of steps: one JSON line each, on the disk before [`Journal::append`] returns.
//!
//! What a crash left of a last line was never acknowledged: it is skipped when the file is read, and closed off.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The open file.
#[derive(Debug)]
pub struct Journal<S> {
    path: PathBuf,
    file: File,
    bytes: u64,
    step: PhantomData<fn(S)>,
}

impl<S: Serialize + DeserializeOwned> Journal<S> {
    /// Opens the file, or begins it, and reads its steps.
    pub fn open(path: PathBuf) -> std::io::Result<(Self, Vec<S>)> {
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
                Err(error) => {
                    tracing::warn!(file = %path.display(), line = index + 1, %error, "a step of a journal cannot be read");
                }
            }
        }
        let mut journal = Self { file: append_to(&path)?, path, bytes: bytes.len() as u64, step: PhantomData };
        if bytes.last().is_some_and(|last| *last != b'\n') {
            journal.write(b"\n")?;
        }
        Ok((journal, steps))
    }

    /// Length of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends a step, whole or not at all.
    pub fn append(&mut self, step: &S) -> std::io::Result<()> {
        self.write(&line(step)?)
    }

    /// Replaces everything, in one step.
    pub fn rewrite(&mut self, steps: &[S]) -> std::io::Result<()> {
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

fn line(step: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(step)?;
    line.push(b'\n');
    Ok(line)
}

fn append_to(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_kept_and_half_a_line_is_not_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("steps.ndjson");
        let (mut journal, steps) = Journal::<u32>::open(path.clone()).unwrap();
        assert!(steps.is_empty());
        journal.append(&1).unwrap();
        journal.append(&2).unwrap();
        std::fs::write(&path, b"1\n2\n[3").unwrap();
        let (mut journal, steps) = Journal::<u32>::open(path.clone()).unwrap();
        assert_eq!(steps, [1_u32, 2]);
        journal.append(&4).unwrap();
        assert_eq!(Journal::<u32>::open(path.clone()).unwrap().1, [1_u32, 2, 4]);
        journal.rewrite(&[7, 8]).unwrap();
        journal.append(&9).unwrap();
        assert_eq!((Journal::<u32>::open(path).unwrap().1, journal.bytes()), (vec![7_u32, 8, 9], 6));
    }
}
