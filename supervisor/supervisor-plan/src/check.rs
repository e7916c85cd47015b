//! Looks over a plan before it is carried out. Shares no code with the planner: a mistake there is caught here.
//!
//! The rules are few and about harm, not about progress: a plan that does nothing is always fine. What is refused for one
//! target keeps nobody else waiting: every action is judged by what was observed, not by what another one will do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use platform_types::gate::Door;
use platform_types::role::LABEL_INSTALL;
use platform_types::{Generation, Role};
use serde::{Deserialize, Serialize};

use crate::action::{Action, Launch, Push, Step};
use crate::ledger::Ledger;
use crate::observed::{ContainerId, Engine, Observed, ObservedContainer, Owner, State};
use crate::plan::Plan;
use crate::spec::{MountSource, Network};
use crate::target::Target;

/// A rule that a plan would break. The texts name containers as they were observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Violation {
    /// The engine does not answer, so nothing is known.
    EngineUnreachable,
    /// Two actions for one target.
    TwoActions { target: Target },
    /// The target has an action under way.
    InFlight { target: Target },
    /// No container of ours with this id was observed.
    NotObserved { container: ContainerId },
    /// The container is somebody else's role.
    WrongTarget { container: ContainerId, target: Target },
    /// The container is not in a state in which this can be done.
    WrongState { container: ContainerId, state: String },
    /// The new container would not carry our label, or not say who it is.
    BadLabels { target: Target },
    /// The name belongs to another container.
    NameTaken { name: String },
    /// The image is not there.
    ImageMissing { target: Target },
    /// Somebody listens on the port.
    PortTaken { target: Target },
    /// A network or volume of that name is not ours.
    ForeignResource { name: String },
    /// Something on the network.
    NetworkInUse { name: String },
    /// Another container that may write the state was not seen stopped.
    SecondWriter { container: ContainerId, other: ContainerId },
    /// The lease was given to a newer generation.
    OlderGeneration { generation: Generation, than: Generation },
    /// The generation is not the container's own, or was used before.
    WrongGeneration { target: Target, generation: Generation },
    /// The revision was used before.
    OldRevision { target: Target },
    /// The door would open for a generation that does not hold the lease.
    WrongDoor { target: Target, generation: Generation },
    /// The profile's agent is to stay down.
    OnHold { target: Target },
}

/// A plan after it was looked over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screened {
    /// What may be done.
    pub lawful: Vec<Action>,
    /// Every target with an action that breaks a rule; nothing is done for it.
    pub refused: BTreeMap<Target, Vec<Violation>>,
}

/// `Ok`, or every rule that this plan would break.
pub fn check(plan: &Plan, observed: &Observed, ledger: &Ledger) -> Result<(), Vec<Violation>> {
    let violations: Vec<Violation> = screen(plan, observed, ledger).refused.into_values().flatten().collect();
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// Parts what may be done from what would break a rule.
pub fn screen(plan: &Plan, observed: &Observed, ledger: &Ledger) -> Screened {
    let mut refused: BTreeMap<Target, Vec<Violation>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut revisions = BTreeSet::new();
    let mut names = BTreeSet::new();
    for action in &plan.actions {
        let target = &action.target;
        let mut check = Check { observed, ledger, found: Vec::new() };
        check.require(observed.engine == Engine::Reachable, || Violation::EngineUnreachable);
        check.require(seen.insert(target), || Violation::TwoActions { target: target.clone() });
        check.require(!observed.in_flight.contains(target), || Violation::InFlight { target: target.clone() });
        if let Step::Activate { push, .. } | Step::Configure { push, .. } = &action.step {
            check.require(revisions.insert(push.revision), || Violation::OldRevision { target: target.clone() });
        }
        if let Step::Launch(launch) = &action.step {
            check.require(names.insert(&launch.name), || Violation::NameTaken { name: launch.name.clone() });
        }
        check.action(action);
        if !check.found.is_empty() {
            refused.entry(target.clone()).or_default().extend(check.found);
        }
    }
    let lawful = plan.actions.iter().filter(|action| !refused.contains_key(&action.target)).cloned().collect();
    Screened { lawful, refused }
}

struct Check<'a> {
    observed: &'a Observed,
    ledger: &'a Ledger,
    found: Vec<Violation>,
}

impl<'a> Check<'a> {
    fn require(&mut self, holds: bool, violation: impl FnOnce() -> Violation) {
        if !holds {
            self.found.push(violation());
        }
    }

    fn action(&mut self, action: &Action) {
        let target = &action.target;
        match &action.step {
            Step::Launch(launch) => self.launch(target, launch),
            Step::Start { container } => {
                if let Some(found) = self.own(target, container, |s| matches!(s, State::Created | State::Exited { .. }))
                {
                    self.start(target, found);
                }
            }
            Step::Stop { container, .. } => {
                self.own(target, container, |state| matches!(state, State::Running));
            }
            Step::Kill { container } => {
                self.own(target, container, |state| matches!(state, State::Running | State::Paused));
            }
            Step::Remove { container } => {
                self.own(target, container, |s| matches!(s, State::Created | State::Exited { .. } | State::Dead));
            }
            Step::Rename { container, name } => {
                self.own(target, container, |state| !matches!(state, State::Removing | State::Dead));
                self.name_is_free(name);
            }
            Step::Activate { container, generation, push } => {
                self.push(target, push);
                if let Some(found) = self.own(target, container, |state| matches!(state, State::Running)) {
                    self.activate(target, found, *generation);
                }
            }
            Step::Adopt { container, generation } => {
                if let Some(found) = self.own(target, container, |state| matches!(state, State::Running)) {
                    self.adopt(target, found, *generation);
                }
            }
            Step::Configure { container, push } => {
                self.own(target, container, |state| matches!(state, State::Running));
                self.push(target, push);
            }
            Step::RemoveNetwork { name } => self.remove_network(name),
            Step::Quarantine { .. } => {}
        }
    }

    /// The container acted on was observed, is this target's, and is in a state in which the step makes sense.
    fn own(
        &mut self,
        target: &Target,
        id: &ContainerId,
        fits: impl Fn(&State) -> bool,
    ) -> Option<&'a ObservedContainer> {
        let Some(found) = self.observed.containers.iter().find(|container| container.id == *id) else {
            self.found.push(Violation::NotObserved { container: id.clone() });
            return None;
        };
        let is_own = found.labels.target.as_ref() == Some(target);
        self.require(is_own, || Violation::WrongTarget { container: id.clone(), target: target.clone() });
        self.require(fits(&found.state), || Violation::WrongState {
            container: id.clone(),
            state: found.state.word().to_owned(),
        });
        Some(found)
    }

    fn launch(&mut self, target: &Target, launch: &Launch) {
        let Launch { name, spec, labels, generation, network, volume } = launch;
        let ours = labels.get(LABEL_INSTALL) == Some(&self.ledger.install) && !self.ledger.install.is_empty();
        let role = labels.get("io.bot-platform.role").map(String::as_str) == Some(target.role().as_str());
        let profile = labels.get("io.bot-platform.profile").map(String::as_str);
        let profile_is_right = profile == target.profile().map(platform_types::ProfileName::as_str);
        self.require(ours && role && profile_is_right, || Violation::BadLabels { target: target.clone() });
        self.name_is_free(name);
        self.require(self.observed.images.contains(&spec.image), || Violation::ImageMissing { target: target.clone() });
        if let Network::Bridge { publish: Some(publish), .. } = &spec.network {
            self.port_is_free(target, publish.host_port, None);
        }
        for name in network.iter().map(|network| &network.name) {
            self.require(!self.observed.networks.contains_key(name), || Violation::ForeignResource {
                name: name.clone(),
            });
        }
        let volumes = spec.mounts.values().filter_map(|mount| match &mount.source {
            MountSource::Volume { name } => Some(name),
            MountSource::Bind { .. } | MountSource::Tmpfs { .. } => None,
        });
        for name in volumes.chain(volume.iter().map(|volume| &volume.name)) {
            let foreign = self.observed.volumes.get(name) == Some(&Owner::Foreign);
            self.require(!foreign, || Violation::ForeignResource { name: name.clone() });
        }
        if let Network::Bridge { name, .. } = &spec.network {
            let foreign = self.observed.networks.get(name) == Some(&Owner::Foreign);
            self.require(!foreign, || Violation::ForeignResource { name: name.clone() });
        }
        self.not_on_hold(target);
        self.generation_is_new(target, *generation, labels.get("io.bot-platform.generation"));
    }

    /// Agents get a generation never used before, and say so in their label; others get none.
    fn generation_is_new(&mut self, target: &Target, generation: Option<Generation>, label: Option<&String>) {
        let (Some(generation), Some(profile), Role::Agent) = (generation, target.profile(), target.role()) else {
            let fits = target.role() != Role::Agent && generation.is_none() && label.is_none();
            return self.require(fits, || Violation::BadLabels { target: target.clone() });
        };
        let allocated = self.ledger.generations.get(profile).copied().unwrap_or_default();
        let seen = self.observed.containers.iter().filter(|container| container.labels.target.as_ref() == Some(target));
        let highest = seen.filter_map(|container| container.labels.generation).fold(allocated, Generation::max);
        let right = generation > highest && label == Some(&generation.to_string());
        self.require(right, || Violation::WrongGeneration { target: target.clone(), generation });
    }

    fn start(&mut self, target: &Target, container: &ObservedContainer) {
        if let Network::Bridge { publish: Some(publish), .. } = &container.spec.network {
            self.port_is_free(target, publish.host_port, Some(&container.id));
        }
        self.not_on_hold(target);
        if let (Role::Agent, Some(profile)) = (target.role(), target.profile()) {
            let generation = container.labels.generation.unwrap_or_default();
            self.not_older(profile, generation);
        }
    }

    /// The heart of it: one writer, and never an older one.
    fn activate(&mut self, target: &Target, container: &ObservedContainer, generation: Generation) {
        let Some(profile) = target.profile().filter(|_| target.role() == Role::Agent) else {
            return self.found.push(Violation::WrongTarget { container: container.id.clone(), target: target.clone() });
        };
        let own = container.labels.generation == Some(generation);
        self.require(own, || Violation::WrongGeneration { target: target.clone(), generation });
        self.not_older(profile, generation);
        self.not_on_hold(target);
        self.only_writer(target, container);
    }

    /// It says that it has the state open, it is newer than whoever was given the lease, and nobody else can have it.
    fn adopt(&mut self, target: &Target, container: &ObservedContainer, generation: Generation) {
        let Some(profile) = target.profile().filter(|_| target.role() == Role::Agent) else {
            return self.found.push(Violation::WrongTarget { container: container.id.clone(), target: target.clone() });
        };
        let active = container.answer().and_then(|answer| answer.generation);
        let own = container.labels.generation == Some(generation) && active == Some(generation);
        self.require(own, || Violation::WrongGeneration { target: target.clone(), generation });
        let lent = self.ledger.leases.get(profile).map(|lease| lease.generation);
        self.require(Some(generation) > lent, || Violation::OlderGeneration {
            generation,
            than: lent.unwrap_or_default(),
        });
        self.only_writer(target, container);
    }

    fn only_writer(&mut self, target: &Target, container: &ObservedContainer) {
        let volumes: BTreeSet<&str> = container.spec.writable_volumes().collect();
        for other in &self.observed.containers {
            let dead = matches!(other.state, State::Created | State::Exited { .. } | State::Dead);
            let is_agent = other.labels.target.as_ref() == Some(target);
            let may_write = other.spec.writable_volumes().any(|volume| volumes.contains(volume));
            let rival = other.id != container.id && !dead && (is_agent || may_write);
            self.require(!rival, || Violation::SecondWriter {
                container: container.id.clone(),
                other: other.id.clone(),
            });
        }
    }

    fn not_older(&mut self, profile: &platform_types::ProfileName, generation: Generation) {
        let lent = self.ledger.leases.get(profile).map_or(Generation::default(), |lease| lease.generation);
        self.require(generation >= lent, || Violation::OlderGeneration { generation, than: lent });
    }

    fn not_on_hold(&mut self, target: &Target) {
        let held = target.role() == Role::Agent && target.profile().is_some_and(|p| self.ledger.holds.contains_key(p));
        self.require(!held, || Violation::OnHold { target: target.clone() });
    }

    fn push(&mut self, target: &Target, push: &Push) {
        let Push { revision, config_digest: _, door, port: _ } = push;
        self.require(*revision > self.ledger.revision, || Violation::OldRevision { target: target.clone() });
        if let Some(Door::Open { generation }) = door {
            let lease = target.profile().and_then(|profile| self.ledger.leases.get(profile));
            let right = target.role() == Role::Gate && lease.is_some_and(|lease| lease.generation == *generation);
            self.require(right, || Violation::WrongDoor { target: target.clone(), generation: *generation });
        }
    }

    fn name_is_free(&mut self, name: &str) {
        let ours = self.observed.containers.iter().any(|container| container.name == name);
        let taken = ours || self.observed.foreign_containers.contains(name);
        self.require(!taken, || Violation::NameTaken { name: name.to_owned() });
    }

    fn port_is_free(&mut self, target: &Target, port: platform_types::Port, except: Option<&ContainerId>) {
        let published = self.observed.containers.iter().any(|container| {
            let lives = !matches!(container.state, State::Created | State::Exited { .. } | State::Dead);
            lives
                && Some(&container.id) != except
                && matches!(&container.spec.network, Network::Bridge { publish: Some(p), .. } if p.host_port == port)
        });
        let taken = published || self.observed.ports_taken.contains(&port);
        self.require(!taken, || Violation::PortTaken { target: target.clone() });
    }

    fn remove_network(&mut self, name: &str) {
        let ours = self.observed.networks.get(name) == Some(&Owner::Ours);
        self.require(ours, || Violation::ForeignResource { name: name.to_owned() });
        let used =
            self.observed.containers.iter().any(
                |container| matches!(&container.spec.network, Network::Bridge { name: bridge, .. } if bridge == name),
            );
        self.require(!used, || Violation::NetworkInUse { name: name.to_owned() });
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EngineUnreachable => f.write_str("Docker does not answer"),
            Self::TwoActions { target } => write!(f, "two actions for {target}"),
            Self::InFlight { target } => write!(f, "{target} has an action under way"),
            Self::NotObserved { container } => write!(f, "container {container} was not observed"),
            Self::WrongTarget { container, target } => write!(f, "container {container} is not {target}"),
            Self::WrongState { container, state } => write!(f, "container {container} is {state}"),
            Self::BadLabels { target } => write!(f, "the new container of {target} would not be recognised"),
            Self::NameTaken { name } => write!(f, "the name {name} is taken"),
            Self::ImageMissing { target } => write!(f, "the image of {target} is not there"),
            Self::PortTaken { target } => write!(f, "the port of {target} is taken"),
            Self::ForeignResource { name } => write!(f, "{name} exists or is not ours"),
            Self::NetworkInUse { name } => write!(f, "something is on network {name}"),
            Self::SecondWriter { container, other } => write!(f, "{container} and {other} could both write"),
            Self::OlderGeneration { generation, than } => write!(f, "generation {generation} is older than {than}"),
            Self::WrongGeneration { target, generation } => write!(f, "{generation} is no generation for {target}"),
            Self::OldRevision { target } => write!(f, "the revision for {target} was used before"),
            Self::WrongDoor { target, generation } => write!(f, "{target} would open for generation {generation}"),
            Self::OnHold { target } => write!(f, "{target} is held"),
        }
    }
}
