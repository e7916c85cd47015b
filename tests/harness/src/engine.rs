//! The simulated Docker: containers, networks, volumes, images, listeners. Changes are instant; the simulation gives them
//! their latencies.

use std::collections::{BTreeMap, BTreeSet};

use platform_types::role::{LABEL_GENERATION, LABEL_INSTALL, LABEL_PROFILE, LABEL_RELEASE, LABEL_ROLE, LABEL_SPEC};
use platform_types::{Generation, Port, ProfileName, Role, Timestamp};
use supervisor_plan::Target;
use supervisor_plan::action::Launch;
use supervisor_plan::observed::{ContainerId, Labels, Owner, State};
use supervisor_plan::spec::{ContainerSpec, ImageId, Network};

use crate::process::Process;

/// A container: ours, or a stranger's.
#[derive(Debug, Clone)]
pub struct Container {
    pub id: ContainerId,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub spec: ContainerSpec,
    pub state: State,
    pub started_at: Option<Timestamp>,
    pub process: Option<Process>,
}

/// What a simulated engine holds.
#[derive(Debug, Clone, Default)]
pub struct Engine {
    pub containers: BTreeMap<ContainerId, Container>,
    pub networks: BTreeMap<String, Owner>,
    pub volumes: BTreeMap<String, Owner>,
    pub images: BTreeSet<ImageId>,
    /// Ports that other programs listen on.
    pub listeners: BTreeSet<Port>,
    /// Images whose processes die this long after their start, with a code.
    pub crashing: BTreeMap<ImageId, (i64, i64)>,
    created: u64,
}

impl Engine {
    /// Creates a container, and the network and volume it needs. The error is what Docker would say.
    pub fn create(&mut self, launch: &Launch) -> Result<ContainerId, String> {
        let Launch { name, spec, labels, generation: _, network, volume } = launch;
        if self.containers.values().any(|container| container.name == *name) {
            return Err(format!("the name {name} is in use"));
        }
        if !self.images.contains(&spec.image) {
            return Err(format!("no such image: {}", spec.image));
        }
        for name in network.iter().map(|network| &network.name) {
            self.networks.entry(name.clone()).or_insert(Owner::Ours);
        }
        for name in volume.iter().map(|volume| &volume.name) {
            self.volumes.entry(name.clone()).or_insert(Owner::Ours);
        }
        self.created += 1;
        let id = ContainerId(format!("c{:03}", self.created));
        let container = Container {
            id: id.clone(),
            name: name.clone(),
            labels: labels.clone(),
            spec: spec.clone(),
            state: State::Created,
            started_at: None,
            process: None,
        };
        self.containers.insert(id.clone(), container);
        Ok(id)
    }

    /// A container of somebody else, running, with labels that look much like ours.
    pub fn add_stranger(&mut self, name: &str, spec: ContainerSpec, now: Timestamp) -> ContainerId {
        self.created += 1;
        let id = ContainerId(format!("x{:03}", self.created));
        let labels = BTreeMap::from([
            (LABEL_INSTALL.to_owned(), "somebody-else".to_owned()),
            (LABEL_ROLE.to_owned(), Role::Spark.to_string()),
        ]);
        let (state, process) = (State::Running, Some(Process::new(Role::Spark, now)));
        let name = name.to_owned();
        let stranger = Container { id: id.clone(), name, labels, spec, state, started_at: Some(now), process };
        self.containers.insert(id.clone(), stranger);
        id
    }

    pub fn start(&mut self, id: &ContainerId, now: Timestamp) -> Result<(), String> {
        let port = self.container(id)?.spec.host_port();
        let published = |other: &Container| other.id != *id && other.is_alive() && other.spec.host_port() == port;
        if let Some(port) = port
            && (self.listeners.contains(&port) || self.containers.values().any(published))
        {
            return Err(format!("driver failed programming external connectivity: port {port} is already allocated"));
        }
        let crashing = self.crashing.clone();
        let networks = self.networks.clone();
        let container = self.container_mut(id)?;
        if let Network::Bridge { name, .. } = &container.spec.network
            && !networks.contains_key(name)
        {
            return Err(format!("network {name} not found"));
        }
        let mut process = Process::new(container.role(), now);
        process.dies = crashing.get(&container.spec.image).map(|(after, code)| (now.plus_millis(*after), *code));
        container.process = Some(process);
        container.state = State::Running;
        container.started_at = Some(now);
        Ok(())
    }

    /// The process ends.
    pub fn end(&mut self, id: &ContainerId, code: i64, oom_killed: bool, now: Timestamp) {
        if let Some(container) = self.containers.get_mut(id).filter(|container| container.is_alive()) {
            container.state = State::Exited { code, oom_killed, at: now };
            container.process = None;
        }
    }

    pub fn remove(&mut self, id: &ContainerId) -> Result<(), String> {
        if self.container(id)?.is_alive() {
            return Err("cannot remove a running container".to_owned());
        }
        self.containers.remove(id);
        Ok(())
    }

    pub fn rename(&mut self, id: &ContainerId, name: &str) -> Result<(), String> {
        if self.containers.values().any(|other| other.name == name) {
            return Err(format!("the name {name} is in use"));
        }
        name.clone_into(&mut self.container_mut(id)?.name);
        Ok(())
    }

    pub fn remove_network(&mut self, name: &str) -> Result<(), String> {
        let on_it = |container: &Container| {
            container.is_alive()
                && matches!(&container.spec.network, Network::Bridge { name: bridge, .. } if bridge == name)
        };
        if self.containers.values().any(on_it) {
            return Err(format!("network {name} has active endpoints"));
        }
        self.networks.remove(name).map(|_| ()).ok_or_else(|| format!("network {name} not found"))
    }

    pub fn container(&self, id: &ContainerId) -> Result<&Container, String> {
        self.containers.get(id).ok_or_else(|| format!("no such container: {id}"))
    }

    pub fn container_mut(&mut self, id: &ContainerId) -> Result<&mut Container, String> {
        self.containers.get_mut(id).ok_or_else(|| format!("no such container: {id}"))
    }

    /// The process of a container that can answer now.
    pub fn answering(&mut self, id: &ContainerId, now: Timestamp) -> Result<&mut Process, String> {
        let container = self.container_mut(id)?;
        let running = container.state == State::Running;
        let process = container.process.as_mut().filter(|process| running && process.answers(now));
        process.ok_or_else(|| "no answer on the admin socket".to_owned())
    }
}

impl Container {
    pub fn is_alive(&self) -> bool {
        matches!(self.state, State::Running | State::Paused)
    }

    pub fn role(&self) -> Role {
        self.labels.get(LABEL_ROLE).and_then(|role| role.parse().ok()).unwrap_or(Role::Task)
    }

    pub fn generation(&self) -> Option<Generation> {
        self.labels.get(LABEL_GENERATION)?.parse().ok().map(Generation)
    }

    pub fn install(&self) -> Option<&str> {
        self.labels.get(LABEL_INSTALL).map(String::as_str)
    }

    /// As the daemon would read them.
    pub fn labels(&self) -> Labels {
        let role = self.labels.get(LABEL_ROLE).and_then(|role| role.parse().ok());
        let profile = self.labels.get(LABEL_PROFILE).and_then(|profile| ProfileName::new(profile.clone()).ok());
        Labels {
            target: role.and_then(|role| Target::new(role, profile)),
            generation: self.generation(),
            release: self.labels.get(LABEL_RELEASE).cloned(),
            spec_digest: self.labels.get(LABEL_SPEC).cloned(),
        }
    }
}
