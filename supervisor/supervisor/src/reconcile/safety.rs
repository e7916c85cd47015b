//! The ledger on the disk: written, copied, and what it means when it had to be put together again.

use supervisor_store::StoreError;

use super::event::Event;
use super::{COPY_MILLIS, Reconciler};
use crate::audit::own;
use crate::words::chain;

const UNWRITABLE: &str = "the ledger cannot be written";
const UNCOPIED: &str = "the copy of the ledger cannot be made";

impl Reconciler {
    /// Writes the ledger; `false` when it could not: nothing may be done then.
    pub(super) fn save_ledger(&mut self) -> bool {
        match self.store.save_ledger(&self.ledger) {
            Ok(()) => {
                self.untrouble(UNWRITABLE);
                true
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "the ledger cannot be written");
                self.telling.troubles.insert(format!("{UNWRITABLE}: {}", chain(&error)));
                false
            }
        }
    }

    /// Starts a copy of the ledger when one is due.
    pub(super) fn start_copy(&mut self) {
        if self.safety.copying || self.now() < self.safety.copy_due {
            return;
        }
        self.safety.copying = true;
        self.safety.copy_due = self.now().plus_millis(COPY_MILLIS);
        let store = self.store.clone();
        self.effects.spawn_blocking(move || Event::Copied { result: Box::new(store.keep_copy()) });
    }

    pub(super) fn copied(&mut self, result: Result<bool, StoreError>) {
        self.safety.copying = false;
        self.untrouble(UNCOPIED);
        match result {
            Ok(made) => tracing::debug!(made, "the ledger has a copy"),
            Err(error) => {
                tracing::error!(error = %chain(&error), "the ledger was not copied");
                self.telling.troubles.insert(format!("{UNCOPIED}: {}", chain(&error)));
            }
        }
    }

    /// Once, when everything was seen for the first time: generations that the ledger never gave away mean that it is an
    /// older copy, put back with everything beside it.
    pub(super) fn notice_older_ledger(&mut self) {
        let unknown = self.ledger.catch_up(&self.sight.observed);
        if unknown.is_empty() {
            return;
        }
        let words: Vec<_> =
            unknown.iter().map(|(profile, number)| format!("generation {number} of {profile}")).collect();
        let reason = format!("the ledger is older than what runs ({})", words.join(", "));
        match self.store.declare_older(&reason, self.now()) {
            Ok(recovered) => {
                tracing::warn!(reason = recovered.message, "the ledger is an older copy");
                self.did(own::RECOVERED, None, recovered.message);
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "an older ledger could not be declared as such");
                self.telling.troubles.insert(format!("{UNWRITABLE}: {}", chain(&error)));
            }
        }
        self.safety.restored = true;
        self.rebuild();
    }

    /// Whom a restored ledger shuts out, until somebody is let in again.
    pub(super) fn restored_notes(&self) -> Vec<String> {
        let unpaired = self.intent.wanted.unpaired.iter().filter(|_| self.safety.restored);
        unpaired
            .map(|profile| {
                format!(
                    "the ledger was restored, so no device has access to {profile}: pair one with `botctl open {profile}`"
                )
            })
            .collect()
    }

    pub(super) fn untrouble(&mut self, trouble: &str) {
        self.telling.troubles.retain(|known| !known.starts_with(trouble));
    }
}
