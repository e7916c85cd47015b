//! What switches came to since the process started.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use platform_types::egress::CardState;
use platform_types::meters::Histogram;
use platform_types::switch::{SWITCH_SECONDS, SwitchMeters, SwitchReport};

use super::confirm::record::Record;

/// How long they took, by how they ended.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<String, Histogram>>);

impl Tally {
    pub fn count(&self, report: &SwitchReport) {
        let millis = u64::try_from(report.ended_at.millis_since(report.began_at)).unwrap_or(0);
        let mut ended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = ended.entry(report.outcome.as_str().to_owned()).or_default();
        times.time(SWITCH_SECONDS, millis.saturating_mul(1000));
    }

    /// With what there is now.
    pub fn meters(&self, records: &[Record], running: bool) -> SwitchMeters {
        let ended = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut meters = SwitchMeters { ended, running, ..SwitchMeters::default() };
        for record in records.iter().filter(|record| record.card.state == CardState::Pending) {
            let count = match record.by.profile() {
                Some(profile) => meters.pending.entry(profile.clone()).or_default(),
                None => &mut meters.pending_operator,
            };
            *count += 1;
        }
        meters
    }
}
