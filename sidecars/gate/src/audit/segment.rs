//! One file of the chain: a line with the head before it, then one line an entry.
//!
//! What a crash left of a last write is moved aside when the file is opened again, into a file beside it that nobody reads.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use platform_kit::chain::Verifier;
use platform_types::audit::{Anchor, Entry};

/// Longest line; what the gate writes is far shorter.
const MAX_LINE_BYTES: u64 = 64 * 1024;
const EXTENSION: &str = "ndjson";

/// A file that is written.
#[derive(Debug)]
pub struct Segment {
    path: PathBuf,
    file: File,
    pub bytes: u64,
}

impl Segment {
    /// Begins a new file after `head`. It is durable before the first entry.
    pub fn create(directory: &Path, head: &Anchor) -> std::io::Result<Self> {
        let path = path(directory, head.n + 1);
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(&path)?;
        let mut segment = Self { path, file, bytes: 0 };
        segment.append(&line(head)?)?;
        segment.file.sync_all()?;
        File::open(directory)?.sync_all()?;
        Ok(segment)
    }

    /// Opens a file to go on with it; tells where its chain ends. `None`: nothing in it can be read.
    pub fn resume(path: &Path) -> std::io::Result<Option<(Self, Anchor)>> {
        let mut lines = Lines::open(path)?;
        let Some(mut verifier) = lines.head().and_then(|head| Verifier::new(head, []).ok()) else {
            set_aside(path, 0)?;
            return Ok(None);
        };
        let mut good = lines.read;
        while let Some(entry) = lines.next_entry() {
            if verifier.push(&entry).is_err() {
                break;
            }
            good = lines.read;
        }
        if good < std::fs::metadata(path)?.len() {
            set_aside(path, good)?;
        }
        let file = OpenOptions::new().append(true).open(path)?;
        let head = verifier.finish().map_err(std::io::Error::other)?.head;
        Ok(Some((Self { path: path.to_path_buf(), file, bytes: good }, head)))
    }

    /// Appends a line whole, or not at all.
    pub fn append(&mut self, line: &[u8]) -> std::io::Result<()> {
        if let Err(error) = self.file.write_all(line) {
            self.file.set_len(self.bytes)?;
            self.file.seek(SeekFrom::Start(self.bytes))?;
            return Err(error);
        }
        self.bytes += line.len() as u64;
        Ok(())
    }

    pub fn sync(&self) -> std::io::Result<()> {
        self.file.sync_data()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The files of a chain, oldest first.
pub fn list(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == EXTENSION));
    paths.sort();
    Ok(paths)
}

/// The number of a file's first entry.
pub fn first(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

pub fn line<T: serde::Serialize>(value: &T) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

fn path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.{EXTENSION}"))
}

/// Moves what lies behind `good` bytes into a file beside this one.
fn set_aside(path: &Path, good: u64) -> std::io::Result<()> {
    tracing::warn!(path = %path.display(), good, "the end of an audit file cannot be read; it was set aside");
    let mut rest = Vec::new();
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    file.seek(SeekFrom::Start(good))?;
    std::io::Read::by_ref(&mut file).take(MAX_LINE_BYTES).read_to_end(&mut rest)?;
    std::fs::write(path.with_extension("torn"), rest)?;
    if good == 0 { std::fs::remove_file(path) } else { file.set_len(good).and_then(|()| file.sync_all()) }
}

/// Reads a file line by line.
#[derive(Debug)]
pub struct Lines {
    reader: BufReader<File>,
    /// Bytes of whole lines that were read.
    read: u64,
}

impl Lines {
    pub fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self { reader: BufReader::new(File::open(path)?), read: 0 })
    }

    /// The first line.
    pub fn head(&mut self) -> Option<Anchor> {
        serde_json::from_slice(&self.next_line()?).ok()
    }

    pub fn next_entry(&mut self) -> Option<Entry> {
        serde_json::from_slice(&self.next_line()?).ok()
    }

    fn next_line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        let length = self.reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line).ok()?;
        if line.pop() != Some(b'\n') {
            return None;
        }
        self.read += length as u64;
        Some(line)
    }
}
