//! The supervisor's loop in virtual time: observe, plan, check, begin, execute, finish.
//!
//! Latencies are those measured on Docker 20.10, roughly. Killing the supervisor loses its probes and its actions under
//! way, never the ledger; what it had asked the engine for may be lost, may be done, and may even be done later.

use std::collections::{BTreeMap, VecDeque};

use platform_types::{Generation, ProfileName, Timestamp};
use supervisor_plan::observed::{ContainerId, Probe};
use supervisor_plan::plan::Plan;
use supervisor_plan::{Action, Desired, Impact, Ledger, Outcome, Step, Target, check, impact, plan};

use crate::build::{Configuration, INSTALL};
use crate::engine::Engine;
use crate::time::{NOON, clock_millis};

/// Probes are this far apart shortly after something happened, while something is not ready, and else.
const PROBE_SOON_MILLIS: i64 = 100;
const PROBE_UNWELL_MILLIS: i64 = 2_000;
const PROBE_MILLIS: i64 = 5_000;
/// What "shortly" means.
const SOON_MILLIS: i64 = 2_000;
/// Passes without time going by: more would be a planner that never comes to an end.
const MAX_PASSES_AT_ONCE: u32 = 50;

/// A supervisor, its engine and its ledger.
#[derive(Debug, Clone)]
pub struct Simulation {
    pub configuration: Configuration,
    pub engine: Engine,
    pub ledger: Ledger,
    /// A copy of the ledger, kept for [`Simulation::restore_ledger`].
    pub(crate) copy: Ledger,
    pub now: Timestamp,
    /// What was done and how it ended, one line each.
    pub history: Vec<String>,
    /// What must never happen and did.
    pub violations: Vec<String>,
    pub(crate) armed: BTreeMap<Target, VecDeque<Armed>>,
    pub(crate) down: Option<Outage>,
    pub(crate) touched_at: Timestamp,
    desired: Desired,
    pub(crate) under_way: Vec<Job>,
    /// Asked for by a supervisor that is gone.
    left_behind: Vec<Job>,
    pub(crate) probes: BTreeMap<ContainerId, Probe>,
    probed_at: Option<Timestamp>,
    next_probe: Timestamp,
    pub(crate) highest_active: BTreeMap<ProfileName, Generation>,
}

/// What happens to the next action of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Armed {
    /// It fails and changes nothing.
    Refused(String),
    /// A launch creates, and fails to start.
    Halfway(String),
    /// It is done, and the answer is lost.
    AnswerLost,
}

/// What becomes of the actions under way of a supervisor that is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftover {
    Lost,
    /// Launches created their container and did not start it; the rest is lost.
    Halfway,
    Done,
    /// Done when it would have been done anyway, with the next supervisor already running.
    Late,
}

/// Docker is away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outage {
    pub since: Timestamp,
    pub until: Timestamp,
}

/// An action under way.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub action: Action,
    pub due: Timestamp,
}

impl Simulation {
    pub fn new(configuration: Configuration) -> Self {
        let mut ledger = Ledger::new(INSTALL);
        let desired = configuration.desired(&mut ledger.ids);
        let mut engine = Engine::default();
        engine.images.extend(desired.services.values().map(|service| service.spec.image.clone()));
        Self {
            configuration,
            engine,
            copy: ledger.clone(),
            ledger,
            now: NOON,
            history: Vec::new(),
            violations: Vec::new(),
            armed: BTreeMap::new(),
            down: None,
            touched_at: NOON,
            desired,
            under_way: Vec::new(),
            left_behind: Vec::new(),
            probes: BTreeMap::new(),
            probed_at: None,
            next_probe: NOON,
            highest_active: BTreeMap::new(),
        }
    }

    /// Changes the configuration, with images that exist; tells what that will do.
    pub fn configure(&mut self, change: impl FnOnce(&mut Configuration)) -> Vec<Impact> {
        change(&mut self.configuration);
        let desired = self.configuration.desired(&mut self.ledger.ids);
        self.engine.images.extend(desired.services.values().map(|service| service.spec.image.clone()));
        let impacts = impact(&self.desired, &desired);
        self.desired = desired;
        self.touched();
        impacts
    }

    /// What the next pass would say.
    pub fn plan(&self) -> Plan {
        plan(&self.desired, &self.observe(), &self.ledger, self.now)
    }

    /// What is desired at the moment.
    pub fn desired(&self) -> &Desired {
        &self.desired
    }

    /// Runs for this long.
    pub fn run(&mut self, millis: i64) {
        let end = self.now.plus_millis(millis);
        while self.advance(end) {}
    }

    /// Runs until nothing is left to do or to wait for; `false` when that does not come within the time.
    pub fn settle(&mut self, millis: i64) -> bool {
        let end = self.now.plus_millis(millis);
        loop {
            if self.is_settled() {
                return true;
            }
            if !self.advance(end) {
                return false;
            }
        }
    }

    /// Nothing under way, nothing to do, everything probed since the last disturbance.
    pub fn is_settled(&self) -> bool {
        self.under_way.is_empty()
            && self.left_behind.is_empty()
            && self.down.is_none()
            && self.probed_at.is_some_and(|probed| probed >= self.touched_at.plus_millis(1))
            && self.plan().is_settled()
    }

    /// Kills the supervisor and starts it again.
    pub fn kill_supervisor(&mut self, leftover: Leftover) {
        let jobs = std::mem::take(&mut self.under_way);
        for job in jobs {
            match leftover {
                Leftover::Lost => {}
                Leftover::Done => drop(self.execute(&job.action, None)),
                Leftover::Late => self.left_behind.push(job),
                Leftover::Halfway => {
                    if let Step::Launch(launch) = &job.action.step {
                        drop(self.engine.create(launch));
                    }
                }
            }
        }
        self.probes.clear();
        self.touched();
    }

    /// Puts the copy of the ledger in place of the ledger, and starts the supervisor again. With its file beside it, ids,
    /// generations and leases are as they were; without, only the ids, which name what lies on the disk.
    pub fn restore_ledger(&mut self, has_mark: bool) {
        let lost = std::mem::replace(&mut self.ledger, self.copy.clone());
        self.ledger.ids = lost.ids;
        if has_mark {
            self.ledger.generations = lost.generations;
            self.ledger.leases = lost.leases;
        }
        self.kill_supervisor(Leftover::Lost);
    }

    /// Failures that were prepared for actions to come no longer happen.
    pub fn armed_are_over(&mut self) {
        self.armed.clear();
    }

    /// Something happened from outside.
    pub(crate) fn touched(&mut self) {
        self.touched_at = self.now;
        self.next_probe = self.next_probe.min(self.now.plus_millis(PROBE_SOON_MILLIS));
    }

    /// One pass, then time goes on to the next event; `false` when the end is reached.
    fn advance(&mut self, end: Timestamp) -> bool {
        let mut wake_at = None;
        for pass in 0.. {
            if pass == MAX_PASSES_AT_ONCE {
                self.violations.push(format!("{}: planning does not come to an end", clock_millis(self.now)));
                return false;
            }
            let plan = self.plan();
            wake_at = plan.wake_at;
            if !self.begin(&plan) {
                break;
            }
        }
        let jobs = self.under_way.iter().chain(&self.left_behind).map(|job| job.due);
        let deaths = self.engine.containers.values().filter_map(|container| Some(container.process.as_ref()?.dies?.0));
        let back = self.down.iter().map(|outage| outage.until);
        let events = jobs.chain(deaths).chain(back).chain(wake_at).chain([self.next_probe]);
        let next = events.min().unwrap_or(end).max(self.now);
        if next > end {
            self.now = end;
            return false;
        }
        // Time always goes on, so that an event that changes nothing is not met again.
        self.now = if next == self.now { next.plus_millis(1) } else { next };
        self.meet_events();
        true
    }

    /// Begins every action of a plan; `false` when there is none.
    fn begin(&mut self, plan: &Plan) -> bool {
        if let Err(found) = check(plan, &self.observe(), &self.ledger) {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            self.violations.push(format!("{}: the check refuses: {}", clock_millis(self.now), found.join("; ")));
            return false;
        }
        for action in &plan.actions {
            self.ledger.begin(action, self.now);
            self.log(&format!("{} {} ({})", action.verb(), action.target, action.because));
            let due = self.now.plus_millis(self.latency(&action.step));
            self.under_way.push(Job { action: action.clone(), due });
        }
        !plan.actions.is_empty()
    }

    fn meet_events(&mut self) {
        if self.down.is_some_and(|outage| outage.until <= self.now) {
            self.down = None;
            self.touched();
        }
        let dying = self.engine.containers.values().filter_map(|container| {
            let (at, code) = container.process.as_ref()?.dies?;
            (at <= self.now).then(|| (container.id.clone(), code))
        });
        for (id, code) in dying.collect::<Vec<_>>() {
            self.engine.end(&id, code, false, self.now);
        }
        let (due, late): (Vec<_>, Vec<_>) = self.left_behind.drain(..).partition(|job| job.due <= self.now);
        self.left_behind = late;
        for job in due {
            drop(self.execute(&job.action, None));
            self.touched();
        }
        let (due, under_way): (Vec<_>, Vec<_>) = self.under_way.drain(..).partition(|job| job.due <= self.now);
        self.under_way = under_way;
        for job in due {
            self.finish(&job.action);
        }
        if self.next_probe <= self.now {
            self.probe(|_| true);
            self.probed_at = Some(self.now);
        }
        let unwell = self.engine.containers.values().any(|container| {
            container.is_alive()
                && !matches!(self.probes.get(&container.id), Some(Probe::Answering(answer)) if answer.ready)
        });
        let lately = self.now.millis_since(self.touched_at) < SOON_MILLIS;
        let apart = match (unwell, lately) {
            (true, true) => PROBE_SOON_MILLIS,
            (true, false) => PROBE_UNWELL_MILLIS,
            (false, _) => PROBE_MILLIS,
        };
        let soon = self.now.plus_millis(apart);
        self.next_probe = if self.next_probe <= self.now { soon } else { self.next_probe.min(soon) };
        self.watch();
    }

    fn finish(&mut self, action: &Action) {
        let armed = self.armed.get_mut(&action.target).and_then(VecDeque::pop_front);
        let outcome = if self.down.is_some() && !action.is_ledger_only() {
            Outcome::EngineLost { error: "connection refused".to_owned() }
        } else if let Err(found) = self.precondition(action) {
            Outcome::Stale { found }
        } else {
            match self.execute(action, armed.as_ref()) {
                Ok(()) if armed == Some(Armed::AnswerLost) => {
                    Outcome::Failed { error: "the connection was closed before the answer".to_owned() }
                }
                Ok(()) => Outcome::Done,
                Err(error) => Outcome::Failed { error },
            }
        };
        match &outcome {
            Outcome::Done => {}
            Outcome::Stale { found } => self.log(&format!("{} {} is stale: {found}", action.verb(), action.target)),
            Outcome::EngineLost { error } => {
                self.log(&format!("{} {} lost Docker: {error}", action.verb(), action.target));
            }
            Outcome::Failed { error } => self.log(&format!("{} {} failed: {error}", action.verb(), action.target)),
        }
        let target = action.target.clone();
        self.probe(|container| container.as_ref() == Some(&target));
        self.ledger.finish(action, &outcome, self.now);
        self.touched();
    }

    fn log(&mut self, words: &str) {
        self.history.push(format!("{}  {words}", clock_millis(self.now)));
    }
}
