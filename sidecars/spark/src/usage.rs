//! What each bot has used, kept in a file of the volume.
//!
//! Counting happens in memory and waits for nothing. A task writes the file when something has changed, as a whole and under
//! another name first, so that it is never half a file. A kill loses what came since the last write. A file that cannot be
//! read is put aside, and counting begins anew; a volume that takes no file is said in the log, and counting goes on.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use platform_types::meters::{MAX_BOTS, UsageReport, UsageRow, Used};
use platform_types::{BotName, ProfileName, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// Between two writes.
pub const WRITE_EVERY: Duration = Duration::from_secs(10);
/// Profiles that are kept; beyond them the one that was used least lately is forgotten.
const MAX_PROFILES: usize = 64;
/// Longest file that is read: all rows of all profiles are 500 KiB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
const SCHEMA: u32 = 1;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    schema: u32,
    #[serde(flatten)]
    report: UsageReport,
}

/// The counts of all bots.
#[derive(Debug)]
pub struct UsageBook {
    path: PathBuf,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    since: Timestamp,
    profiles: BTreeMap<ProfileName, BTreeMap<Option<BotName>, Used>>,
    /// Something is not in the file yet.
    changed: bool,
}

impl UsageBook {
    /// Goes on with the file in `state`, if there is one.
    pub fn open(state: &Path, now: Timestamp) -> Self {
        let path = state.join("usage.json");
        let report = match read(&path) {
            Ok(report) => report,
            Err(error) => {
                let aside = state.join("usage.json.damaged");
                let kept = fs::rename(&path, &aside).is_ok();
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    kept,
                    "the usage so far cannot be read; counting begins anew"
                );
                None
            }
        };
        let mut counts = Counts { since: now, profiles: BTreeMap::new(), changed: false };
        if let Some(UsageReport { since, rows }) = report {
            counts.since = since;
            for UsageRow { profile, bot, used } in rows {
                counts.add(&profile, bot.as_ref(), used);
            }
        }
        Self { path, counts: Mutex::new(counts) }
    }

    /// Counts what one request used.
    pub fn add(&self, profile: &ProfileName, bot: Option<&BotName>, used: Used) {
        let mut counts = self.counts();
        counts.add(profile, bot, used);
        counts.changed = true;
    }

    pub fn report(&self) -> UsageReport {
        let Counts { since, profiles, .. } = &*self.counts();
        let of = |(profile, bots): (&ProfileName, &BTreeMap<Option<BotName>, Used>)| {
            let profile = profile.clone();
            let row = |(bot, used): (&Option<BotName>, &Used)| UsageRow {
                profile: profile.clone(),
                bot: bot.clone(),
                used: *used,
            };
            bots.iter().map(row).collect::<Vec<_>>()
        };
        UsageReport { since: *since, rows: profiles.iter().flat_map(of).collect() }
    }

    /// Writes the file whenever something has changed, and once more when told to `stop`.
    pub async fn keep(self: Arc<Self>, every: Duration, stop: CancellationToken) {
        let mut complained = false;
        let mut last = false;
        while !last {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = stop.cancelled() => last = true,
            }
            if !std::mem::take(&mut self.counts().changed) {
                continue;
            }
            let book = self.clone();
            let written = tokio::task::spawn_blocking(move || book.write())
                .await
                .unwrap_or_else(|panic| Err(io::Error::other(panic)));
            if let Err(error) = &written {
                self.counts().changed = true;
                if !complained {
                    tracing::error!(error = error as &dyn std::error::Error, path = %self.path.display(), "the usage cannot be kept");
                }
            }
            complained = written.is_err();
        }
    }

    fn write(&self) -> io::Result<()> {
        let text = serde_json::to_vec(&Kept { schema: SCHEMA, report: self.report() })?;
        let fresh = self.path.with_extension("json.new");
        let mut file = File::create(&fresh)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn add(&mut self, profile: &ProfileName, bot: Option<&BotName>, used: Used) {
        if !self.profiles.contains_key(profile) && self.profiles.len() >= MAX_PROFILES {
            let last = |bots: &BTreeMap<_, Used>| bots.values().map(|used| used.last).max();
            let oldest = self.profiles.iter().min_by_key(|(_, bots)| last(bots)).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.profiles.remove(&name));
        }
        let bots = self.profiles.entry(profile.clone()).or_default();
        let named = bots.keys().flatten().count();
        let bot = bot.cloned().filter(|bot| named < MAX_BOTS || bots.contains_key(&Some(bot.clone())));
        bots.entry(bot).or_default().add(used);
    }
}

/// The report of the file; `None` when there is none.
fn read(path: &Path) -> io::Result<Option<UsageReport>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    if file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text)? as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it is longer than {MAX_FILE_BYTES} bytes")));
    }
    let Kept { schema, report } = serde_json::from_slice(&text)?;
    if schema != SCHEMA {
        return Err(io::Error::other(format!("it has schema {schema}, this release reads {SCHEMA}")));
    }
    Ok(Some(report))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ProfileName {
        ProfileName::new(text).unwrap()
    }

    fn bot(text: &str) -> BotName {
        BotName::new(text).unwrap()
    }

    fn one(last: i64) -> Used {
        let (input_tokens, output_tokens, cached_tokens) = (100, 7, 60);
        Used { requests: 1, input_tokens, output_tokens, cached_tokens, estimated: 1, last: Timestamp(last) }
    }

    #[test]
    fn what_was_written_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let book = UsageBook::open(folder.path(), Timestamp(5));
        book.add(&name("ops"), Some(&bot("home")), one(6));
        book.add(&name("ops"), Some(&bot("home")), one(7));
        book.add(&name("ops"), None, one(8));
        book.write().unwrap();
        let again = UsageBook::open(folder.path(), Timestamp(99));
        assert_eq!(again.report(), book.report());
        assert_eq!(again.report().since, Timestamp(5));
        let [other, home] = again.report().rows.try_into().unwrap();
        assert_eq!((other.bot, home.bot.as_ref().map(BotName::as_str)), (None, Some("home")));
        assert_eq!((home.used.requests, home.used.cached_tokens, home.used.last), (2, 120, Timestamp(7)));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_put_aside() {
        for text in ["", "{", r#"{"schema":2,"since":0,"rows":[]}"#, &"x".repeat(1024 * 1024 + 1)] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("usage.json"), text).unwrap();
            let book = UsageBook::open(folder.path(), Timestamp(5));
            assert_eq!(book.report(), UsageReport { since: Timestamp(5), rows: Vec::new() });
            assert_eq!(fs::read_to_string(folder.path().join("usage.json.damaged")).unwrap(), text);
        }
    }

    #[test]
    fn rows_are_bounded_and_nothing_that_was_used_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let book = UsageBook::open(folder.path(), Timestamp(0));
        for number in 0..500 {
            book.add(&name("ops"), Some(&bot(&format!("b{number}"))), one(1));
        }
        let rows = book.report().rows;
        assert_eq!(rows.len(), MAX_BOTS + 1);
        assert_eq!(rows.iter().map(|row| row.used.requests).sum::<u64>(), 500);
        for number in 0..100 {
            book.add(&name(&format!("p{number}")), None, one(number + 2));
        }
        let rows = book.report().rows;
        assert_eq!(rows.len(), MAX_PROFILES);
        assert!(rows.iter().all(|row| row.profile != name("ops")), "the one used least lately is gone");
        book.write().unwrap();
        assert!(fs::metadata(folder.path().join("usage.json")).unwrap().len() < MAX_FILE_BYTES);
    }

    #[tokio::test]
    async fn the_file_is_written_after_a_while_and_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let book = Arc::new(UsageBook::open(folder.path(), Timestamp(0)));
        let (soon, stop) = (Duration::from_millis(1), CancellationToken::new());
        let keeping = platform_kit::task::spawn("usage", book.clone().keep(soon, stop.clone()));
        let kept = || read(&folder.path().join("usage.json")).unwrap().map_or(0, |report| report.rows[0].used.requests);
        book.add(&name("ops"), None, one(1));
        let written = async {
            while kept() < 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), written).await.unwrap();
        book.add(&name("ops"), None, one(2));
        stop.cancel();
        keeping.await.unwrap();
        assert_eq!(kept(), 2);
    }

    #[tokio::test]
    async fn a_volume_that_takes_no_file_stops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("missing");
        let book = Arc::new(UsageBook::open(&state, Timestamp(0)));
        book.add(&name("ops"), None, one(1));
        let stop = CancellationToken::new();
        stop.cancel();
        book.clone().keep(WRITE_EVERY, stop.clone()).await;
        assert!(book.counts().changed, "it is tried again");
        fs::create_dir(&state).unwrap();
        book.clone().keep(WRITE_EVERY, stop).await;
        assert_eq!(UsageBook::open(&state, Timestamp(1)).report(), book.report());
    }
}
