//! The supervisor's own entries: configuration, devices, secrets' names, snapshots, rollouts, decisions of operators.

use platform_kit::chain;
use platform_types::audit::Entry;
use platform_types::text::neutral_cut;
use platform_types::{ProfileName, Timestamp};
use serde_json::{Map, Value};
use supervisor_store::{Store, StoreError};

/// The actor where nobody asked.
pub const SUPERVISOR: &str = "supervisor";
/// Longest words of an entry.
const MAX_WORDS_CHARS: usize = 400;
/// The ledger is not the one that was there before: entries may be missing at its end.
pub const RECOVERED: &str = "ledger.recovered";
/// A profile's state was replaced by an earlier one: what its agent said since is gone with it.
pub const RESTORED: &str = "snapshot.restored";

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// `area.verb`.
    pub kind: &'static str,
    /// `operator <user>`, or [`SUPERVISOR`].
    pub by: String,
    /// `None`: it concerns the installation.
    pub profile: Option<ProfileName>,
    /// One sentence.
    pub words: String,
}

/// Adds an entry.
pub fn append(store: &Store, at: Timestamp, deed: &Deed) -> Result<Entry, StoreError> {
    let Deed { kind, by, profile, words } = deed;
    let mut data = Map::new();
    data.extend(profile.iter().map(|profile| ("profile".to_owned(), Value::from(profile.as_str()))));
    data.insert("words".to_owned(), neutral_cut(words, MAX_WORDS_CHARS).into());
    store.append_audit(|head| chain::next(head, at, kind, by, Value::Object(data)))
}

/// Whether an entry belongs to a profile's timeline: what concerns the installation belongs to every one.
pub fn concerns(entry: &Entry, profile: &ProfileName) -> bool {
    entry.data.get("profile").is_none_or(|found| found.as_str() == Some(profile.as_str()))
}

/// When the ledger was last put together anew: entries that others know of may be gone since.
pub fn recovered_at(store: &Store) -> Result<Option<Timestamp>, StoreError> {
    store.last_audit_of_all_at(RECOVERED)
}

/// When a profile's state was last replaced by an earlier one.
pub fn restored_at(store: &Store, profile: &ProfileName) -> Result<Option<Timestamp>, StoreError> {
    store.last_audit_at(RESTORED, profile)
}
