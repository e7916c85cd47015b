//! What can go wrong, from outside of the supervisor's hands.

use platform_types::{Port, Role};
use supervisor_plan::Target;
use supervisor_plan::observed::{ContainerId, State};
use supervisor_plan::spec::MountSource;

use crate::build::profile_name;
use crate::engine::Container;
use crate::simulation::{Armed, Leftover, Outage, Simulation};

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The process ends by itself.
    Exit {
        target: Target,
        code: i64,
        oom_killed: bool,
    },
    /// SIGSTOP, a deadlock.
    Wedge {
        target: Target,
    },
    /// `docker pause`.
    Pause {
        target: Target,
    },
    /// It answers that it is not ready, until it is restarted or recovers.
    Trouble {
        target: Target,
        reason: String,
    },
    Recover {
        target: Target,
    },
    /// A mount is no longer there.
    LoseMount {
        target: Target,
        path: String,
    },
    /// `docker update --memory`.
    EditMemory {
        target: Target,
        mib: u64,
    },
    /// The container was made with the Docker socket in it: what an inspection of a stranger's work would show.
    AddMount {
        target: Target,
        path: String,
    },
    /// `docker rm -f`.
    Delete {
        target: Target,
    },
    /// `docker rename`.
    Rename {
        target: Target,
        name: String,
    },
    /// `docker network rm`, after its containers stopped.
    DeleteNetwork {
        name: String,
    },
    /// The next action of the target.
    Next {
        target: Target,
        armed: Armed,
    },
    /// Another program listens on a port, or no longer.
    Listen {
        port: Port,
    },
    Unlisten {
        port: Port,
    },
    /// Somebody else's container with this name.
    Stranger {
        name: String,
    },
    StrangerLeaves {
        name: String,
    },
    /// An image is deleted, or built again.
    LoseImage {
        role: Role,
    },
    FindImage {
        role: Role,
    },
    /// Processes of the role's image die after this time.
    BadImage {
        role: Role,
        after_millis: i64,
        code: i64,
    },
    GoodImage {
        role: Role,
    },
    /// Docker restarts: every container stops, and it is away for a while.
    RestartDocker {
        away_millis: i64,
    },
    /// Docker hangs; containers run on.
    LoseDocker {
        away_millis: i64,
    },
    /// `kill -9` of the supervisor.
    KillSupervisor {
        leftover: Leftover,
    },
    /// A copy of the ledger is made.
    CopyLedger,
    /// The ledger is lost, and the copy takes its place: with the file beside it that guards what must never be forgotten,
    /// or with an older one of it too.
    RestoreLedger {
        has_mark: bool,
    },
    /// A restore begins or ends.
    Hold {
        profile: String,
        reason: String,
    },
    Release {
        profile: String,
    },
    /// The operator's `botctl apply`.
    Clear {
        target: Target,
    },
}

impl Simulation {
    /// Lets it go wrong, now.
    pub fn inject(&mut self, fault: &Fault) {
        let now = self.now;
        match fault {
            Fault::Exit { target, code, oom_killed } => {
                for id in self.find(target, Container::is_alive) {
                    self.engine.end(&id, *code, *oom_killed, now);
                }
            }
            Fault::Delete { target } => {
                for id in self.find(target, |_| true) {
                    self.engine.containers.remove(&id);
                }
            }
            Fault::Rename { target, name } => {
                for id in self.find(target, |_| true) {
                    drop(self.engine.rename(&id, name));
                }
            }
            Fault::DeleteNetwork { name } => drop(self.engine.remove_network(name)),
            Fault::Next { target, armed } => {
                self.armed.entry(target.clone()).or_default().push_back(armed.clone());
            }
            Fault::RestartDocker { away_millis } => {
                for container in self.engine.containers.values_mut().filter(|container| container.is_alive()) {
                    container.state = State::Exited { code: 137, oom_killed: false, at: now };
                    container.process = None;
                }
                self.down = Some(Outage { since: now, until: now.plus_millis(*away_millis) });
            }
            Fault::LoseDocker { away_millis } => {
                self.down = Some(Outage { since: now, until: now.plus_millis(*away_millis) });
            }
            Fault::KillSupervisor { leftover } => self.kill_supervisor(*leftover),
            Fault::CopyLedger => self.copy = self.ledger.clone(),
            Fault::RestoreLedger { has_mark } => self.restore_ledger(*has_mark),
            Fault::Hold { profile, reason } => self.ledger.hold(&profile_name(profile), reason, now),
            Fault::Release { profile } => drop(self.ledger.release(&profile_name(profile))),
            Fault::Clear { target } => drop(self.ledger.clear(target)),
            other => {
                self.disturb_process(other);
                self.disturb_surroundings(other);
            }
        }
        self.touched();
    }

    /// Everything that makes one container different without ending it.
    fn disturb_process(&mut self, fault: &Fault) {
        let (Fault::Wedge { target }
        | Fault::Pause { target }
        | Fault::Trouble { target, .. }
        | Fault::Recover { target }
        | Fault::LoseMount { target, .. }
        | Fault::EditMemory { target, .. }
        | Fault::AddMount { target, .. }) = fault
        else {
            return;
        };
        let Some(id) = self.find(target, Container::is_alive).pop() else { return };
        let Some(container) = self.engine.containers.get_mut(&id) else { return };
        let Some(process) = &mut container.process else { return };
        match fault {
            Fault::Wedge { .. } => process.wedged = true,
            Fault::Pause { .. } => container.state = State::Paused,
            Fault::Trouble { reason, .. } => process.trouble = Some(reason.clone()),
            Fault::Recover { .. } => process.trouble = None,
            Fault::LoseMount { path, .. } => drop(process.lost_mounts.insert(path.clone())),
            Fault::EditMemory { mib, .. } => container.spec.limits.memory_bytes = mib << 20,
            Fault::AddMount { path, .. } => {
                let source = MountSource::Bind { path: path.clone() };
                let mount = supervisor_plan::spec::Mount { source, read_only: false };
                container.spec.mounts.insert(path.clone(), mount);
            }
            _ => {}
        }
    }

    fn disturb_surroundings(&mut self, fault: &Fault) {
        match fault {
            Fault::Listen { port } => {
                // Nobody can listen where a container of ours does.
                let ours = |container: &Container| container.is_alive() && container.spec.host_port() == Some(*port);
                if !self.engine.containers.values().any(ours) {
                    self.engine.listeners.insert(*port);
                }
            }
            Fault::Unlisten { port } => drop(self.engine.listeners.remove(port)),
            Fault::Stranger { name } => {
                let taken = self.engine.containers.values().any(|container| container.name == *name);
                let spec = self.desired().services.values().next().map(|service| service.spec.clone());
                if let Some(spec) = spec.filter(|_| !taken) {
                    self.engine.add_stranger(name, spec, self.now);
                }
            }
            Fault::StrangerLeaves { name } => {
                let ours = |container: &Container| container.install() == Some(crate::build::INSTALL);
                self.engine.containers.retain(|_, container| ours(container) || container.name != *name);
            }
            Fault::LoseImage { role } => {
                let image = self.configuration.image(*role);
                self.engine.images.remove(&image);
            }
            Fault::FindImage { role } => {
                let image = self.configuration.image(*role);
                self.engine.images.insert(image);
            }
            Fault::BadImage { role, after_millis, code } => {
                let image = self.configuration.image(*role);
                self.engine.crashing.insert(image, (*after_millis, *code));
            }
            Fault::GoodImage { role } => {
                let image = self.configuration.image(*role);
                self.engine.crashing.remove(&image);
                for process in self.engine.containers.values_mut().filter_map(|container| container.process.as_mut()) {
                    process.dies = process.dies.filter(|_| process.role != *role);
                }
            }
            _ => {}
        }
    }

    /// Containers of a target, the one that has the state open last.
    fn find(&self, target: &Target, fits: impl Fn(&Container) -> bool) -> Vec<ContainerId> {
        let ours = |container: &&Container| container.install() == Some(crate::build::INSTALL);
        let mut found: Vec<&Container> = self.engine.containers.values().filter(ours).collect();
        found.retain(|container| container.labels().target.as_ref() == Some(target) && fits(container));
        found.sort_by_key(|container| container.process.as_ref().is_some_and(|process| process.active.is_some()));
        found.into_iter().map(|container| container.id.clone()).collect()
    }
}
