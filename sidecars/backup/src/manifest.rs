//! What a snapshot holds, as backup read it: the measure for every restore.

use std::collections::BTreeMap;
use std::io::Read;

use data_encoding::HEXLOWER;
use platform_types::backup::{Manifest, ManifestFile};
use platform_types::{ProfileName, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::database::Facts;
use crate::files::{Folder, Found};

/// Version of the manifest's shape.
pub const MANIFEST_VERSION: u32 = 1;
/// Longest manifest that is read back: [`crate::files::MAX_FILES`] paths of usual length.
pub const MAX_MANIFEST_BYTES: u64 = 128 * 1024 * 1024;

/// Reads every file once and writes down what it is.
pub fn build(
    folder: &Folder,
    files: &[Found],
    facts: Facts,
    profile: &ProfileName,
    at: Timestamp,
) -> anyhow::Result<Manifest> {
    let mut named = BTreeMap::new();
    for found in files {
        let digest = digest(folder.open_file(&found.path)?)?;
        named.insert(found.path.clone(), ManifestFile { bytes: digest.bytes, sha256: digest.sha256 });
    }
    Ok(Manifest {
        version: MANIFEST_VERSION,
        profile: profile.clone(),
        at,
        schema: facts.schema,
        rows: facts.rows,
        files: named,
    })
}

/// SHA-256 and length of what a reader gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDigest {
    pub bytes: u64,
    pub sha256: String,
}

fn digest(mut reader: impl Read) -> anyhow::Result<FileDigest> {
    let mut hasher = Hashing::new(std::io::sink());
    std::io::copy(&mut reader, &mut hasher)?;
    Ok(hasher.finish().1)
}

/// Hashes what is written through it.
#[derive(Debug)]
pub struct Hashing<W> {
    inner: W,
    hasher: Sha256,
    bytes: u64,
}

impl<W> Hashing<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new(), bytes: 0 }
    }

    pub fn finish(self) -> (W, FileDigest) {
        let sha256 = HEXLOWER.encode(&self.hasher.finalize());
        (self.inner, FileDigest { bytes: self.bytes, sha256 })
    }
}

impl<W: std::io::Write> std::io::Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}
