//! The gate's own chain, in its volume.
//!
//! Bounded: when a file is full the next one begins with the head before it, and the oldest one goes. What is left verifies
//! from its base on.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use platform_kit::chain;
use platform_types::Timestamp;
use platform_types::audit::{Anchor, MAX_PAGE, Page};
use serde_json::Value;
use tokio::sync::Notify;

use super::segment::{self, Lines, Segment};
use crate::limits::AuditLimits;

/// When an entry has to be on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// Before anything follows from it.
    Now,
    /// Within a second, with others.
    Soon,
}

/// The chain.
#[derive(Debug)]
pub struct Trail {
    directory: PathBuf,
    limits: AuditLimits,
    state: Mutex<State>,
    unsynced: Notify,
}

#[derive(Debug)]
struct State {
    segment: Segment,
    head: Anchor,
    base: Anchor,
    unsynced: bool,
}

impl Trail {
    /// Opens the chain in `directory`, or begins it.
    pub fn open(directory: PathBuf, limits: AuditLimits) -> std::io::Result<Self> {
        std::fs::create_dir_all(&directory)?;
        let (segment, head) = newest(&directory)?;
        let base = base(&directory)?;
        let state = Mutex::new(State { segment, head, base, unsynced: false });
        Ok(Self { directory, limits, state, unsynced: Notify::new() })
    }

    /// Appends an entry.
    pub fn record(
        &self,
        at: Timestamp,
        (kind, actor): (&str, &str),
        data: Value,
        durable: Durable,
    ) -> std::io::Result<()> {
        let mut state = self.state();
        let entry = chain::next(&state.head, at, kind, actor, data);
        let line = segment::line(&entry)?;
        if state.segment.bytes + line.len() as u64 > self.limits.segment_bytes {
            self.rotate(&mut state)?;
        }
        state.segment.append(&line)?;
        state.head = chain::head(&entry);
        match durable {
            Durable::Now => {
                state.segment.sync()?;
                state.unsynced = false;
            }
            Durable::Soon => {
                state.unsynced = true;
                self.unsynced.notify_one();
            }
        }
        Ok(())
    }

    /// The number of the last entry.
    pub fn end(&self) -> u64 {
        self.state().head.n
    }

    /// Entries after number `after`.
    pub fn page(&self, after: u64) -> std::io::Result<Page> {
        let (head, base) = {
            let state = self.state();
            (state.head.clone(), state.base.clone())
        };
        let mut page = Page { entries: Vec::new(), more: false, head: None, base: None, anchors: Vec::new() };
        if after == 0 {
            page.base = (base.n > 0).then_some(base);
        }
        let paths = segment::list(&self.directory)?;
        let ends = paths.iter().skip(1).map(|next| segment::first(next).unwrap_or(u64::MAX)).chain([u64::MAX]);
        let wanted: Vec<&PathBuf> =
            paths.iter().zip(ends).filter(|(_, end)| *end > after + 1).map(|(path, _)| path).collect();
        'files: for path in wanted {
            let mut lines = Lines::open(path)?;
            lines.head();
            while let Some(entry) = lines.next_entry().filter(|entry| entry.n <= head.n) {
                if entry.n > after {
                    page.entries.push(entry);
                }
                if page.entries.len() == MAX_PAGE {
                    break 'files;
                }
            }
        }
        page.more = page.entries.last().is_some_and(|last| last.n < head.n);
        page.head = (head.n > 0).then_some(head);
        Ok(page)
    }

    /// Brings entries to the disk within a second, for ever.
    pub async fn keep_synced(&self) {
        loop {
            self.unsynced.notified().await;
            tokio::time::sleep(self.limits.sync_every).await;
            self.sync();
        }
    }

    pub fn sync(&self) {
        let mut state = self.state();
        if !std::mem::take(&mut state.unsynced) {
            return;
        }
        if let Err(error) = state.segment.sync() {
            tracing::error!(%error, "the audit cannot be brought to the disk");
        }
    }

    fn rotate(&self, state: &mut State) -> std::io::Result<()> {
        state.segment.sync()?;
        state.segment = Segment::create(&self.directory, &state.head)?;
        let paths = segment::list(&self.directory)?;
        let current = state.segment.path().to_path_buf();
        for old in paths.iter().filter(|path| **path != current).rev().skip(self.limits.segments - 1) {
            std::fs::remove_file(old)?;
        }
        state.base = base(&self.directory)?;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file to go on with. Where none can be read, the chain begins again: whoever keeps an anchor of it will find out.
fn newest(directory: &Path) -> std::io::Result<(Segment, Anchor)> {
    for path in segment::list(directory)?.iter().rev() {
        if let Some(resumed) = Segment::resume(path)? {
            return Ok(resumed);
        }
    }
    let head = chain::genesis();
    Ok((Segment::create(directory, &head)?, head))
}

/// What the oldest file begins after.
fn base(directory: &Path) -> std::io::Result<Anchor> {
    let oldest = segment::list(directory)?.into_iter().next();
    Ok(oldest
        .map(|path| Lines::open(&path))
        .transpose()?
        .and_then(|mut lines| lines.head())
        .unwrap_or_else(chain::genesis))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use platform_types::audit::Entry;
    use serde_json::json;

    use super::*;

    fn open(directory: &Path) -> Trail {
        let limits = AuditLimits { segment_bytes: 2_000, segments: 3, ..AuditLimits::default() };
        Trail::open(directory.join("audit"), limits).expect("opens")
    }

    fn write(trail: &Trail, count: u64) {
        for n in 0..count {
            trail.record(Timestamp(7), ("egress.allowed", "agent"), json!({ "n": n }), Durable::Soon).expect("writes");
        }
    }

    fn everything(trail: &Trail) -> (Anchor, Vec<Entry>) {
        let first = trail.page(0).expect("reads");
        let base = first.base.clone().unwrap_or_else(chain::genesis);
        let mut entries = first.entries;
        let mut more = first.more;
        while more {
            let page = trail.page(entries.last().expect("entries").n).expect("reads");
            assert_eq!(page.base, None);
            entries.extend(page.entries);
            more = page.more;
        }
        (base, entries)
    }

    #[test]
    fn a_rotated_chain_verifies_and_goes_on_after_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let trail = open(directory.path());
        write(&trail, 5);
        let early = trail.page(0).expect("reads");
        assert_eq!((early.entries.len(), early.base, early.more), (5, None, false));
        write(&trail, 100);
        drop(trail);
        let trail = open(directory.path());
        write(&trail, 1);
        let (base, entries) = everything(&trail);
        assert!(base.n > 50, "{base:?}");
        assert_eq!(entries.last().expect("entries").n, 106);
        let anchors = entries.iter().map(chain::head);
        assert_eq!(chain::verify(base, anchors, &entries).expect("holds").anchored, 106);
        assert_eq!(segment::list(&directory.path().join("audit")).expect("lists").len(), 3);
    }

    #[test]
    fn pages_have_an_end() {
        let directory = tempfile::tempdir().expect("a directory");
        let trail = Trail::open(directory.path().join("audit"), AuditLimits::default()).expect("opens");
        write(&trail, 1_100);
        let first = trail.page(0).expect("reads");
        assert_eq!((first.entries.len(), first.more), (MAX_PAGE, true));
        assert_eq!(everything(&trail).1.len(), 1_100);
        assert!(trail.page(1_100).expect("reads").entries.is_empty());
        assert!(trail.page(u64::MAX - 1).expect("reads").entries.is_empty());
    }

    #[test]
    fn half_a_line_is_set_aside_and_the_chain_goes_on() {
        let directory = tempfile::tempdir().expect("a directory");
        let trail = open(directory.path());
        write(&trail, 3);
        let path = segment::list(&directory.path().join("audit")).expect("lists").pop().expect("a file");
        drop(trail);
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("opens");
        file.write_all(b"{\"n\":4,\"at\"").expect("writes");
        let trail = open(directory.path());
        write(&trail, 1);
        let (base, entries) = everything(&trail);
        assert_eq!(chain::verify(base, [], &entries).expect("holds").head.n, 4);
        assert!(path.with_extension("torn").exists());
    }

    #[test]
    fn a_cut_is_found_by_whoever_keeps_an_anchor() {
        let directory = tempfile::tempdir().expect("a directory");
        let trail = open(directory.path());
        write(&trail, 3);
        let anchor = trail.page(0).expect("reads").head.expect("a head");
        drop(trail);
        std::fs::remove_dir_all(directory.path().join("audit")).expect("removes");
        let trail = open(directory.path());
        write(&trail, 2);
        let (base, entries) = everything(&trail);
        assert!(chain::verify(base, [anchor], &entries).is_err());
    }
}
