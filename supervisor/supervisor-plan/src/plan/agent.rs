//! Agents: the one that serves, and during a replacement the next generation beside it.
//!
//! **Invariant.** Nothing is activated while another container of the profile runs that may write its state; nothing
//! older than the lease ever runs again.

use platform_types::{Generation, ProfileName};

use super::case::Case;
use super::configure::adopt;
use super::door;
use super::health::{self, Health};
use super::keep::{failure, keep, retire, show, stop};
use super::launch::launch;
use super::replace::{self, Replace};
use super::start::start_created;
use super::world::{World, exit_evidence};
use crate::desired::Service;
use crate::observed::{ObservedContainer, State};
use crate::report::{Condition, Waiting};
use crate::target::Target;

/// The agent containers of a profile, told apart by generation and lease.
#[derive(Debug)]
pub(super) struct Agents<'a> {
    /// Holds the lease, or is the first to get it.
    pub serving: Option<&'a ObservedContainer>,
    /// Newer than the one that holds the lease.
    pub next: Option<&'a ObservedContainer>,
    /// Everything else: must not run, goes away.
    pub extras: Vec<&'a ObservedContainer>,
}

impl<'a> Agents<'a> {
    pub fn of(world: World<'a>, profile: &ProfileName) -> Self {
        let all = world.of(&Target::agent(profile));
        let lease = world.ledger.leases.get(profile);
        let generation = |container: &ObservedContainer| container.labels.generation.unwrap_or_default();
        let lent = lease.map_or(Generation::default(), |lease| lease.generation);
        let holder = all.iter().copied().find(|c| lease.is_some_and(|lease| lease.container == c.id));
        let newest = all.last().copied().filter(|newest| generation(newest) > lent);
        let (serving, next) = match holder {
            Some(holder) => (Some(holder), newest),
            // Before the first lease, or after its holder was removed by somebody.
            None => (newest.or(all.last().copied().filter(|_| lease.is_none())), None),
        };
        let is_extra = |c: &&ObservedContainer| {
            serving.is_none_or(|serving| serving.id != c.id) && next.is_none_or(|next| next.id != c.id)
        };
        let extras = all.into_iter().filter(is_extra).collect();
        Self { serving, next, extras }
    }

    /// The next one waits in standby and only the old one is in its way.
    pub fn is_switching(&self, world: World<'_>, profile: &ProfileName) -> bool {
        let target = Target::agent(profile);
        let Some(service) = world.desired.services.get(&target) else { return false };
        self.next
            .is_some_and(|next| next.answer().is_some() && replace::reason(world, &target, service, next).is_none())
    }
}

pub(super) fn decide(case: &mut Case<'_>, service: &Service) {
    let world = case.world;
    let Some(profile) = case.target.profile().cloned() else { return };
    let agents = Agents::of(world, &profile);
    if let Some(shown) = agents.serving.or(agents.next) {
        show(case, shown);
    }
    if let Some(hold) = world.ledger.holds.get(&profile) {
        case.line.condition = Condition::Held;
        case.line.since = Some(hold.at);
        case.wait(Waiting::Hold { reason: hold.reason.clone() });
        return hold_down(case, &profile, &agents);
    }
    if let Some(extra) = agents.extras.first() {
        return retire(case, extra, "a newer generation serves", None);
    }
    match (agents.serving, agents.next) {
        (None, _) => launch(case, service, service.container_name.clone(), "it is missing", None),
        (Some(serving), None) => alone(case, service, serving),
        (Some(serving), Some(next)) => replacing(case, service, serving, next),
    }
}

/// Everything of the profile stops, the one that serves last, and nothing starts.
fn hold_down(case: &mut Case<'_>, profile: &ProfileName, agents: &Agents<'_>) {
    let others = agents.extras.iter().copied().chain(agents.next);
    let Some(running) = others.chain(agents.serving).find(|container| !container.state.is_stopped()) else { return };
    let serves = agents.serving.is_some_and(|serving| serving.id == running.id);
    if serves && !door::is_held(case.world, profile) {
        return case.wait(Waiting::Door);
    }
    stop(case, running, "it is held");
}

/// One container: kept up, or, when it is not as it should be, joined by the next generation.
fn alone(case: &mut Case<'_>, service: &Service, serving: &ObservedContainer) {
    if adopt(case, service, serving) {
        return;
    }
    let Some(why) = replace::reason(case.world, &case.target, service, serving) else {
        return keep(case, service, serving);
    };
    let Replace { because, tampered } = why;
    case.line.notes.push(format!("to be replaced: {because}"));
    case.fingerprint = service.fingerprint();
    let failure = tampered.then(|| failure(case, serving, because.clone()));
    let name =
        if serving.name == service.container_name { service.next_name() } else { service.container_name.clone() };
    launch(case, service, name, &because, failure);
    if case.action.is_none() {
        // The replacement has to wait or was given up; what serves is kept well.
        keep(case, service, serving);
    }
}

/// The old one serves until the next one stands by; then door, stop, activate.
fn replacing(case: &mut Case<'_>, service: &Service, serving: &ObservedContainer, next: &ObservedContainer) {
    let Some(profile) = case.target.profile().cloned() else { return };
    let generation = next.labels.generation.unwrap_or_default();
    case.line.notes.push(format!("generation {generation} is to take over"));
    case.fingerprint = service.fingerprint();
    if let Some(why) = replace::reason(case.world, &case.target, service, next) {
        let failure = why.tampered.then(|| failure(case, next, why.because.clone()));
        return retire(case, next, &why.because, failure);
    }
    match &next.state {
        State::Created => return start_created(case, service, next),
        State::Exited { .. } | State::Dead if !case.world.stopped_on_purpose(next) => {
            let evidence = format!("the next generation ended in standby: {}", exit_evidence(&next.state));
            let failure = failure(case, next, evidence.clone());
            return retire(case, next, &evidence, Some(failure));
        }
        State::Exited { .. } | State::Dead | State::Removing => return keep(case, service, next),
        State::Running | State::Paused => {}
    }
    match health::of(case.world, next) {
        Health::Answering(_) if serving.state.is_stopped() => keep(case, service, next),
        Health::Answering(_) if !door::is_held(case.world, &profile) => case.wait(Waiting::Door),
        Health::Answering(_) => retire(case, serving, "the next generation stands by", None),
        Health::Wedged { evidence } => {
            let failure = failure(case, next, format!("the next generation {evidence}"));
            retire(case, next, &evidence, Some(failure));
        }
        Health::Unknown(_, wake) => {
            let waiting = Waiting::NextGeneration { generation };
            match wake {
                Some(until) => case.wait_until(until, waiting),
                None => case.wait(waiting),
            }
            if !serving.state.is_stopped() {
                keep(case, service, serving);
            }
        }
    }
}
