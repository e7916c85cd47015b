//! One target in one pass: what is decided for it and what is said about it.
//!
//! **Invariant.** Whatever is decided goes through [`Case::act`], [`Case::serve`] or [`Case::insist`]: there back-off and
//! quarantine are respected, so no caller can forget them.

use platform_types::{Revision, Timestamp};

use super::backoff::{LIMIT, counted, delay_millis};
use super::world::World;
use crate::action::{Action, Step};
use crate::desired::Service;
use crate::ledger::{Failure, Quarantine, Run};
use crate::observed::ObservedContainer;
use crate::report::{Blocked, Condition, Doing, TargetReport, Waiting};
use crate::target::Target;

/// How many pieces of evidence a quarantine keeps.
const MAX_EVIDENCE: usize = 5;

#[derive(Debug)]
pub(super) struct Case<'a> {
    pub world: World<'a>,
    pub target: Target,
    /// Free for one push of this target.
    pub revision: Revision,
    /// What failures count against; [`Case::about`] sets it.
    pub fingerprint: String,
    pub line: TargetReport,
    pub action: Option<Action>,
    pub wake_at: Option<Timestamp>,
}

impl<'a> Case<'a> {
    pub fn new(world: World<'a>, target: Target, revision: Revision) -> Self {
        let in_flight = world.in_flight(&target);
        let line = TargetReport {
            condition: Condition::Missing,
            since: None,
            container: None,
            generation: None,
            doing: in_flight.then_some(Doing::UnderWay),
            waiting: Vec::new(),
            blocked: Vec::new(),
            notes: Vec::new(),
        };
        Self { world, target, revision, fingerprint: String::new(), line, action: None, wake_at: None }
    }

    pub fn now(&self) -> Timestamp {
        self.world.now
    }

    /// From here on failures count against the specification that this container was made from.
    pub fn about(&mut self, service: &Service, container: &ObservedContainer) {
        self.fingerprint = match &container.labels.spec_digest {
            Some(digest) if *digest != service.spec_digest => {
                Service { spec_digest: digest.clone(), ..service.clone() }.fingerprint()
            }
            _ => service.fingerprint(),
        };
    }

    /// Does something, unless the target is quarantined, backing off, or busy.
    pub fn act(&mut self, step: Step, because: impl Into<String>, failure: Option<Failure>) {
        if self.is_quarantined() {
            return;
        }
        if self.failed_action().is_some() && self.failures(None) >= LIMIT {
            self.quarantine(None);
            return;
        }
        self.insist(step, because, failure);
    }

    /// Keeps a container serving that may be quarantined: that is about restarts and replacements. Where such steps were
    /// what failed, the quarantine counts for them too.
    pub fn serve(&mut self, step: Step, because: impl Into<String>) {
        if self.failed_action().is_some() {
            self.act(step, because, None);
        } else {
            self.is_quarantined();
            self.insist(step, because, None);
        }
    }

    /// Does something even under quarantine: what takes down, cleans up, or keeps safe.
    pub fn insist(&mut self, step: Step, because: impl Into<String>, failure: Option<Failure>) {
        if let Some((at, evidence)) = self.failed_action() {
            let attempt = self.failures(None);
            if self.backs_off(at, attempt, &evidence) {
                return;
            }
        }
        let action = Action {
            target: self.target.clone(),
            step,
            because: because.into(),
            failure,
            fingerprint: self.fingerprint.clone(),
        };
        self.line.doing = Some(Doing::Action { verb: action.verb().to_owned(), because: action.because.clone() });
        self.action = Some(action);
    }

    /// Waits out the delay after the `attempt`th failure; `false` when it is over.
    pub fn backs_off(&mut self, at: Timestamp, attempt: u32, evidence: &str) -> bool {
        // A failure that lies in the future is the clock's: it was set back.
        if attempt == 0 || at > self.now() {
            return false;
        }
        let until = at.plus_millis(delay_millis(&self.target, attempt));
        if self.now() >= until {
            return false;
        }
        self.wait_until(until, Waiting::BackOff { until, attempt, evidence: evidence.to_owned() });
        true
    }

    /// Stops trying: the failures so far and the one at hand are the evidence.
    pub fn quarantine(&mut self, failure: Option<Failure>) {
        let failures = self.world.ledger.failures_of(&self.target);
        let run = failure.as_ref().and_then(|failure| failure.run.as_ref());
        let mut evidence: Vec<String> =
            counted(failures, &self.fingerprint, run, self.now()).map(|failure| failure.evidence.clone()).collect();
        evidence.extend(failure.iter().map(|failure| failure.evidence.clone()));
        evidence.drain(..evidence.len().saturating_sub(MAX_EVIDENCE));
        self.show_quarantine(None);
        let step = Step::Quarantine { evidence };
        let because = format!("{LIMIT} failures in a short time");
        self.line.doing = Some(Doing::Action { verb: "quarantine".to_owned(), because: because.clone() });
        self.action =
            Some(Action { target: self.target.clone(), step, because, failure, fingerprint: self.fingerprint.clone() });
    }

    /// Says so in the report, when the target is quarantined.
    pub fn is_quarantined(&mut self) -> bool {
        let Some(Quarantine { at, evidence, .. }) = self.world.ledger.quarantine(&self.target, &self.fingerprint)
        else {
            return false;
        };
        self.show_quarantine(Some(*at));
        let problem = format!("it failed {} times ({})", evidence.len(), summary(evidence));
        self.block(problem, "mend the cause, then run `botctl apply`");
        true
    }

    /// A container that runs is shown as it is; the quarantine is then in the way of a change only.
    fn show_quarantine(&mut self, since: Option<Timestamp>) {
        let runs = [Condition::Ready, Condition::Unready, Condition::Standby, Condition::Silent, Condition::Paused];
        if !runs.contains(&self.line.condition) {
            self.line.condition = Condition::Quarantined;
            self.line.since = since;
        }
    }

    /// Failures that count now, not counting the given run.
    pub fn failures(&self, except: Option<&Run>) -> u32 {
        let failures = self.world.ledger.failures_of(&self.target);
        let count = counted(failures, &self.fingerprint, except, self.now()).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The newest failure that counts now, not counting the given run.
    pub fn latest_failure(&self, except: Option<&Run>) -> Option<&'a Failure> {
        let ledger = self.world.ledger;
        ledger.failures_of(&self.target).iter().rev().find(|failure| {
            failure.fingerprint == self.fingerprint
                && (except.is_none() || failure.run.as_ref() != except)
                && self.now().millis_since(failure.at) < super::backoff::WINDOW_MILLIS
        })
    }

    pub fn wait(&mut self, waiting: Waiting) {
        self.line.waiting.push(waiting);
    }

    pub fn wait_until(&mut self, until: Timestamp, waiting: Waiting) {
        self.wake_at = Some(self.wake_at.map_or(until, |wake| wake.min(until)));
        self.wait(waiting);
    }

    pub fn block(&mut self, problem: impl Into<String>, remedy: impl Into<String>) {
        let blocked = Blocked { problem: problem.into(), remedy: remedy.into() };
        if !self.line.blocked.contains(&blocked) {
            self.line.blocked.push(blocked);
        }
    }

    /// When the newest failure is one of an action: when, and what.
    fn failed_action(&self) -> Option<(Timestamp, String)> {
        let failure = self.latest_failure(None)?;
        failure.run.is_none().then(|| (failure.at, failure.evidence.clone()))
    }
}

/// The same evidence five times is said once.
fn summary(evidence: &[String]) -> String {
    let mut distinct: Vec<&str> = Vec::new();
    for text in evidence {
        if !distinct.contains(&text.as_str()) {
            distinct.push(text);
        }
    }
    distinct.join("; ")
}
