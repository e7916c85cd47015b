//! Everything that a pass looks at, and the questions it asks.

use std::collections::BTreeSet;

use platform_types::{Generation, ProfileName, Revision, Timestamp};

use crate::desired::{Desired, Service};
use crate::ledger::{Ledger, Run};
use crate::observed::{Observed, ObservedContainer, Owner, State};
use crate::target::Target;

/// The arguments of the pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct World<'a> {
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    pub ledger: &'a Ledger,
    pub now: Timestamp,
}

impl<'a> World<'a> {
    /// Everything desired, everything of ours that is there, and what a network of ours belonged to.
    pub fn targets(self) -> BTreeSet<Target> {
        let desired = self.desired.services.keys().cloned();
        let there = self.observed.containers.iter().filter_map(|container| container.labels.target.clone());
        let networks = self.leftover_networks().map(|(_, target)| target);
        desired.chain(there).chain(networks).collect()
    }

    /// The containers of a target, oldest generation first, then by id.
    pub fn of(self, target: &Target) -> Vec<&'a ObservedContainer> {
        let mut found: Vec<_> =
            self.observed.containers.iter().filter(|c| c.labels.target.as_ref() == Some(target)).collect();
        found.sort_by_key(|container| (container.labels.generation, &container.id));
        found
    }

    pub fn in_flight(self, target: &Target) -> bool {
        self.observed.in_flight.contains(target)
    }

    /// Higher than whatever was pushed, even by a ledger that was lost since.
    pub fn highest_revision(self) -> Revision {
        let reported = self.observed.containers.iter().filter_map(|c| c.answer()?.revision);
        reported.fold(self.ledger.revision, Revision::max)
    }

    /// The generation of the next agent container of a profile.
    pub fn next_generation(self, profile: &ProfileName) -> Generation {
        let target = Target::agent(profile);
        let labelled = self.of(&target).into_iter().filter_map(|container| container.labels.generation);
        let allocated = self.ledger.generations.get(profile).copied();
        let lent = self.ledger.leases.get(profile).map(|lease| lease.generation);
        labelled.chain(allocated).chain(lent).max().unwrap_or_default().next()
    }

    /// Bridges of ours that belong to nothing desired, and whose they were.
    pub fn leftover_networks(self) -> impl Iterator<Item = (&'a str, Target)> {
        let desired: BTreeSet<&str> = self
            .desired
            .services
            .values()
            .filter_map(|service| Some(service.network.as_ref()?.name.as_str()))
            .collect();
        self.observed.networks.iter().filter_map(move |(name, owner)| {
            let leftover = *owner == Owner::Ours && !desired.contains(name.as_str());
            leftover.then(|| Some((name.as_str(), self.owner_of_network(name)?)))?
        })
    }

    /// Another container, not stopped, that may write the volume of this service.
    pub fn other_writer(self, service: &Service, than: &ObservedContainer) -> Option<&'a ObservedContainer> {
        let volume = &service.volume.as_ref()?.name;
        self.observed.containers.iter().find(|other| {
            other.id != than.id && !other.state.is_stopped() && other.spec.writable_volumes().any(|name| name == volume)
        })
    }

    /// Whether the latest process of a container was ended by an action that meant to.
    pub fn stopped_on_purpose(self, container: &ObservedContainer) -> bool {
        let stops = container.labels.target.as_ref().and_then(|target| self.ledger.stops.get(target));
        stops.is_some_and(|stop| stop.container == container.id && container.started_at <= Some(stop.at))
    }

    fn owner_of_network(self, name: &str) -> Option<Target> {
        let rest = name.strip_prefix(&self.desired.name)?.strip_prefix('-')?;
        match rest.strip_suffix("-gate") {
            Some(profile) => ProfileName::new(profile).ok().map(|profile| Target::gate(&profile)),
            None => rest.parse().ok(),
        }
    }
}

/// The life that a container is in, or was last.
pub(super) fn run(container: &ObservedContainer) -> Run {
    Run { container: container.id.clone(), started_at: container.started_at }
}

/// How a process ended, in words.
pub(super) fn exit_evidence(state: &State) -> String {
    match state {
        State::Exited { code, oom_killed: true, .. } => format!("exit code {code}, out of memory"),
        State::Exited { code, oom_killed: false, .. } => format!("exit code {code}"),
        other => other.word().to_owned(),
    }
}
