//! Snapshots by the clock: what is due is begun, one at a time; what is too old is said.
//!
//! **Invariants.** A try is in the ledger before it begins. While any operation runs, on whichever profile, none begins: so two
//! profiles never are at it at the same moment. An agent that is not ready is waited for, and no try is counted.

use std::collections::BTreeMap;

use platform_types::{ProfileName, Timestamp};
use supervisor_config::Config;
use supervisor_plan::Target;
use supervisor_plan::report::Condition;
use supervisor_plan::upkeep::{self, JobKind, Timetable, Verdict};
use supervisor_store::{Jobs, Store, StoreError};

use super::Reconciler;
use crate::audit::own::SUPERVISOR;
use crate::state::{OperationKind, Upkeep};
use crate::task::Work;
use crate::words::chain;

const UNREADABLE: &str = "what was done with the repositories cannot be read";

/// What the ledger has, read again after each change.
#[derive(Debug, Default)]
pub(super) struct Records {
    jobs: Jobs,
    newest: BTreeMap<ProfileName, Timestamp>,
    read: bool,
}

/// Something to begin now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    since: Timestamp,
    profile: ProfileName,
    kind: JobKind,
}

impl Records {
    fn of(store: &Store) -> Result<Self, StoreError> {
        let newest = store.latest_snapshots()?.into_iter().map(|found| (found.profile, found.at)).collect();
        Ok(Self { jobs: store.jobs()?, newest, read: true })
    }

    /// The ledger has changed.
    pub(super) fn forget(&mut self) {
        self.read = false;
    }
}

impl Reconciler {
    /// Looks at the clock: what is due begins, what is stale is told.
    pub(super) fn keep_up(&mut self) {
        if !self.read_records() {
            return;
        }
        let now = self.now();
        let (upkeep, mut due) = look(&self.intent.accepted.config, &self.affairs.records, now);
        self.tell_stale(&upkeep);
        self.affairs.upkeep = upkeep;
        due.retain(|due| self.may_begin(due));
        // Whoever waits longest is first.
        if let Some(due) = due.into_iter().min() {
            self.begin(due, now);
        }
    }

    /// When something of this is due next.
    pub(super) fn upkeep_wakes_at(&self) -> Option<Timestamp> {
        self.affairs.upkeep.values().filter_map(|upkeep| upkeep.next).min()
    }

    fn read_records(&mut self) -> bool {
        if self.affairs.records.read {
            return true;
        }
        match Records::of(&self.store) {
            Ok(records) => {
                self.affairs.records = records;
                self.untrouble(UNREADABLE);
                true
            }
            Err(error) => {
                self.telling.troubles.insert(format!("{UNREADABLE}: {}", chain(&error)));
                false
            }
        }
    }

    fn may_begin(&self, due: &Due) -> bool {
        let target = Target::agent(&due.profile);
        let report = self.plan.report.targets.get(&target);
        let is_ready = report.is_some_and(|report| report.condition == Condition::Ready);
        self.sight.synced
            && self.sight.swept
            && self.affairs.operations.is_empty()
            && (is_ready || due.kind == JobKind::Prune)
            && !self.affairs.under_way.contains_key(&target)
    }

    fn begin(&mut self, due: Due, now: Timestamp) {
        let Due { since, profile, kind } = due;
        if let Err(error) = self.store.begin_job(&profile, kind, now) {
            tracing::error!(%profile, error = %chain(&error), "what is due cannot be begun");
            self.telling.troubles.insert(format!("{UNREADABLE}: {}", chain(&error)));
            return;
        }
        self.affairs.records.forget();
        tracing::info!(%profile, job = kind.as_str(), "due by the clock");
        let (operation, work) = match (kind, self.intent.accepted.config.backup.keep) {
            (JobKind::Prune, Some(keep)) => (OperationKind::Prune, Work::Prune { keep }),
            _ => (OperationKind::Snapshot, Work::Scheduled { since }),
        };
        self.operate((profile, SUPERVISOR.to_owned()), operation, work);
    }

    /// Every transition is one event; what is stale at the start is told too.
    fn tell_stale(&mut self, upkeep: &BTreeMap<ProfileName, Upkeep>) {
        for (profile, found) in upkeep {
            let was = self.affairs.upkeep.get(profile).map(|known| known.stale);
            let (kind, words) = match (was, found.stale, found.newest) {
                (Some(true), true, _) | (Some(false) | None, false, _) => continue,
                (_, true, None) => ("snapshot_stale", format!("{profile} has no whole snapshot")),
                (_, true, Some(_)) => ("snapshot_stale", format!("the newest snapshot of {profile} is too old")),
                (Some(true), false, _) => ("snapshot_fresh", format!("{profile} has a fresh snapshot again")),
            };
            tracing::info!(%profile, stale = found.stale, "snapshots changed");
            self.record(kind, Some(profile.to_string()), words);
        }
    }
}

/// How every configured profile is, and what is due. Pure.
fn look(config: &Config, records: &Records, now: Timestamp) -> (BTreeMap<ProfileName, Upkeep>, Vec<Due>) {
    let backup = &config.backup;
    let timetable = backup.schedule.clone().and_then(|schedule| Timetable::new(schedule, &config.timezone));
    let stale_after = backup.stale_after.map(|age| i64::from(age.seconds()) * 1000);
    let mut due = Vec::new();
    let mut upkeep = BTreeMap::new();
    for profile in config.profiles.keys() {
        let newest = records.newest.get(profile).copied();
        let job = |kind| records.jobs.get(&(profile.clone(), kind));
        let mut next = None;
        if let Some(timetable) = &timetable {
            match upkeep::snapshot(timetable, newest, job(JobKind::Snapshot), now) {
                Verdict::Due { since } => due.push(Due { since, profile: profile.clone(), kind: JobKind::Snapshot }),
                Verdict::Rest { until } => next = until,
            }
        }
        if backup.keep.is_some()
            && let Verdict::Due { since } = upkeep::prune(newest, job(JobKind::Prune), now)
        {
            due.push(Due { since, profile: profile.clone(), kind: JobKind::Prune });
        }
        let jobs = JobKind::ALL.into_iter().filter_map(|kind| Some((kind, job(kind)?.clone()))).collect();
        let stale = upkeep::is_stale(timetable.as_ref(), stale_after, newest, now);
        upkeep.insert(profile.clone(), Upkeep { newest, stale, next, jobs });
    }
    (upkeep, due)
}

#[cfg(test)]
mod tests {
    use supervisor_plan::upkeep::Job;

    use super::*;
    use crate::example::{self, NOW, profile};

    fn nightly() -> Config {
        let mut config = example::config();
        config.timezone = "UTC".to_owned();
        config.backup.schedule = Some("0 3 * * *".parse().unwrap());
        config
    }

    /// Of the example's moment, eight in the morning.
    fn three() -> Timestamp {
        NOW.plus_millis(-5 * 3_600_000)
    }

    #[test]
    fn without_a_schedule_nothing_is_due_and_age_is_still_told() {
        let newest = [(profile("personal"), NOW)].into();
        let (upkeep, due) = look(&example::config(), &Records { newest, ..Records::default() }, NOW);
        assert!(due.is_empty());
        let stale: Vec<_> = upkeep.into_iter().map(|(name, found)| (name, found.stale, found.next)).collect();
        assert_eq!(stale, [(profile("ops"), true, None), (profile("personal"), false, None)]);
    }

    #[test]
    fn whoever_waits_longest_is_first_and_a_failure_waits() {
        let ended_at = Some(NOW);
        let failed = Job { began_at: NOW, ended_at, failures: 1, error: Some("no".to_owned()), ..Job::default() };
        let jobs = [((profile("ops"), JobKind::Snapshot), failed.clone())].into();
        let records = Records { jobs, ..Records::default() };
        let (upkeep, due) = look(&nightly(), &records, NOW);
        let personal = Due { since: three(), profile: profile("personal"), kind: JobKind::Snapshot };
        assert_eq!(due, [personal]);
        let ops = &upkeep[&profile("ops")];
        assert_eq!((ops.next, &ops.jobs[&JobKind::Snapshot]), (Some(NOW.plus_millis(30_000)), &failed));
        let (_, both) = look(&nightly(), &Records::default(), NOW);
        assert_eq!(both.into_iter().min().map(|due| due.profile), Some(profile("ops")));
    }

    #[test]
    fn old_ones_are_forgotten_after_a_new_one_where_the_configuration_says_how_many_stay() {
        let newest = [(profile("ops"), NOW)].into();
        let records = Records { newest, ..Records::default() };
        let mut config = example::config();
        assert!(look(&config, &records, NOW).1.is_empty());
        config.backup.keep = Some(supervisor_config::config::Keep { daily: 7, weekly: 0, monthly: 0 });
        assert_eq!(look(&config, &records, NOW).1, [Due { since: NOW, profile: profile("ops"), kind: JobKind::Prune }]);
    }

    #[test]
    fn what_was_taken_since_is_not_due() {
        let newest = ["personal", "ops"].map(|name| (profile(name), three().plus_millis(5_000))).into();
        let (upkeep, due) = look(&nightly(), &Records { newest, ..Records::default() }, NOW);
        assert!(due.is_empty());
        let next = Some(three().plus_millis(86_400_000));
        assert!(upkeep.values().all(|found| found.next == next && !found.stale));
    }
}
