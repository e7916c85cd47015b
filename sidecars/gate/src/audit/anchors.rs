//! Heads of the agent's and of the supervisor's chain: kept here, where neither can take them back.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use platform_kit::Failure;
use platform_types::audit::{Anchor, Chain, KeptAnchor};
use platform_types::{ErrorCode, ProfileName, Timestamp};

use super::segment;
use crate::limits::MAX_ANCHORS;

/// The anchors, newest last, and their file.
#[derive(Debug)]
pub struct Anchors {
    chain: Chain,
    path: PathBuf,
    kept: Mutex<VecDeque<KeptAnchor>>,
}

impl Anchors {
    pub fn open(path: PathBuf, chain: Chain) -> std::io::Result<Self> {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        // A line that a crash left unfinished was never acknowledged.
        let kept: VecDeque<_> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let anchors = Self { chain, path, kept: Mutex::new(kept) };
        anchors.rewrite(&anchors.kept.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(anchors)
    }

    /// Keeps a head; the same one again is fine. One that is not higher is evidence as well: an agent may be restored, a ledger
    /// recovered, and a lie about the end must not keep later heads out.
    pub fn keep(&self, profile: &ProfileName, at: Timestamp, head: Anchor) -> Result<(), Failure> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.back().is_some_and(|last| last.head == head) {
            return Ok(());
        }
        let anchor = KeptAnchor { chain: self.chain, profile: Some(profile.clone()), at, head };
        if let Err(error) = self.append(&anchor) {
            tracing::error!(%error, "an anchor cannot be kept");
            // What was written of the line must not become a part of the next.
            let _ = self.rewrite(&kept);
            return Err(Failure::new(ErrorCode::Internal, "the anchor cannot be kept"));
        }
        kept.push_back(anchor);
        if kept.len() > MAX_ANCHORS {
            kept.drain(..MAX_ANCHORS / 2);
            if let Err(error) = self.rewrite(&kept) {
                tracing::error!(%error, "the file of anchors cannot be shortened");
            }
        }
        Ok(())
    }

    /// Oldest first.
    pub fn list(&self) -> Vec<KeptAnchor> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn append(&self, anchor: &KeptAnchor) -> std::io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        file.write_all(&segment::line(anchor)?)?;
        file.sync_data()
    }

    fn rewrite(&self, kept: &VecDeque<KeptAnchor>) -> std::io::Result<()> {
        let mut text = Vec::new();
        for anchor in kept {
            text.extend(segment::line(anchor)?);
        }
        let next = self.path.with_extension("next");
        let mut file = File::create(&next)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&next, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_once_over_restarts_and_bounded() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("anchors.ndjson");
        let profile = ProfileName::new("personal").expect("a name");
        let head = |n: u64| Anchor { n, hash: "a".repeat(64) };
        let anchors = Anchors::open(path.clone(), Chain::Agent).expect("opens");
        let keep = |anchors: &Anchors, n| anchors.keep(&profile, Timestamp(7), head(n)).expect("is kept");
        keep(&anchors, 5);
        keep(&anchors, 5);
        drop(anchors);
        let anchors = Anchors::open(path, Chain::Agent).expect("opens");
        keep(&anchors, 5);
        assert_eq!(anchors.list().len(), 1);
        for n in 6..(6 + 2 * MAX_ANCHORS as u64) {
            keep(&anchors, n);
        }
        let kept = anchors.list();
        assert!(kept.len() <= MAX_ANCHORS);
        assert_eq!(kept.last().expect("anchors").head.n, 5 + 2 * MAX_ANCHORS as u64);
    }

    #[test]
    fn a_head_that_is_not_higher_takes_nothing_away_and_keeps_nothing_out() {
        let profile = ProfileName::new("personal").expect("a name");
        for chain in [Chain::Agent, Chain::Supervisor] {
            let directory = tempfile::tempdir().expect("a directory");
            let anchors = Anchors::open(directory.path().join("x.ndjson"), chain).expect("opens");
            let heads = [5, 9, 3, 9, u64::MAX, 10].map(|n| Anchor { n, hash: format!("{n:064}") });
            for head in &heads {
                anchors.keep(&profile, Timestamp(7), head.clone()).expect("is kept");
            }
            assert_eq!(anchors.list().into_iter().map(|kept| kept.head).collect::<Vec<_>>(), heads);
        }
    }
}
