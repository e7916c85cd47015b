//! What the simulated engine does when it is asked, and how long it takes.

use platform_types::Generation;
use supervisor_plan::action::{Launch, Precondition, StateKind};
use supervisor_plan::observed::{ContainerId, Owner};
use supervisor_plan::{Action, Step, Target};

use crate::build::INSTALL;
use crate::simulation::{Armed, Simulation};
use crate::time::clock_millis;

impl Simulation {
    pub(crate) fn precondition(&self, action: &Action) -> Result<(), String> {
        match action.precondition() {
            Precondition::Nothing | Precondition::NetworkUnused(_) => Ok(()),
            Precondition::NameFree(name) => {
                let taken = self.engine.containers.values().any(|container| container.name == name);
                if taken { Err(format!("the name {name} is taken")) } else { Ok(()) }
            }
            Precondition::Container { id, states } => {
                let container = self.engine.container(&id)?;
                let fits = states.contains(&StateKind::from(&container.state));
                if fits { Ok(()) } else { Err(format!("it is {}", container.state.word())) }
            }
        }
    }

    /// What the engine does.
    pub(crate) fn execute(&mut self, action: &Action, armed: Option<&Armed>) -> Result<(), String> {
        if let Some(Armed::Refused(message)) = armed {
            return Err(message.clone());
        }
        if let Some(id) = action.container()
            && self.engine.container(id)?.install() != Some(INSTALL)
        {
            self.violations.push(format!("{}: a stranger was touched: {id}", clock_millis(self.now)));
        }
        let now = self.now;
        match &action.step {
            Step::Launch(launch) => self.launch(launch, armed),
            Step::Start { container } => self.engine.start(container, now),
            Step::Stop { container, .. } => {
                let wedged = self.engine.container(container)?.process.as_ref().is_some_and(|process| process.wedged);
                self.engine.end(container, if wedged { 137 } else { 0 }, false, now);
                Ok(())
            }
            Step::Kill { container } => {
                self.engine.end(container, 137, false, now);
                Ok(())
            }
            Step::Remove { container } => self.engine.remove(container),
            Step::Rename { container, name } => self.engine.rename(container, name),
            Step::Activate { container, generation, push } => {
                let own = self.engine.container(container)?.generation();
                let process = self.engine.answering(container, now)?;
                if own != Some(*generation) {
                    return Err("409 conflict: another generation".to_owned());
                }
                process.active = Some(*generation);
                process.revision = Some(push.revision);
                self.activated(&action.target, *generation);
                Ok(())
            }
            Step::Configure { container, push } => {
                let process = self.engine.answering(container, now)?;
                if process.revision.is_some_and(|revision| revision > push.revision) {
                    return Err("409 conflict: a lower revision".to_owned());
                }
                process.revision = Some(push.revision);
                process.door = push.door;
                Ok(())
            }
            Step::RemoveNetwork { name } => {
                if self.engine.networks.get(name) == Some(&Owner::Foreign) {
                    self.violations.push(format!("{}: a stranger's network was touched", clock_millis(now)));
                }
                self.engine.remove_network(name)
            }
            Step::Adopt { .. } | Step::Quarantine { .. } => Ok(()),
        }
    }

    pub(crate) fn launch(&mut self, launch: &Launch, armed: Option<&Armed>) -> Result<(), String> {
        let id = self.engine.create(launch)?;
        if let Some(Armed::Halfway(message)) = armed {
            return Err(message.clone());
        }
        self.engine.start(&id, self.now)
    }

    pub(crate) fn activated(&mut self, target: &Target, generation: Generation) {
        let Some(profile) = target.profile() else { return };
        let highest = self.highest_active.entry(profile.clone()).or_default();
        if generation < *highest {
            let words = format!("{}: generation {generation} undid {highest}", clock_millis(self.now));
            self.violations.push(words);
        }
        *highest = generation.max(*highest);
    }

    pub(crate) fn latency(&self, step: &Step) -> i64 {
        let wedged = |id: &ContainerId| {
            let container = self.engine.containers.get(id);
            container.and_then(|container| container.process.as_ref()).is_some_and(|process| process.wedged)
        };
        match step {
            Step::Launch(launch) if launch.network.is_some() => 600,
            Step::Launch(_) => 500,
            Step::Start { .. } => 300,
            Step::Stop { container, grace_seconds } if wedged(container) => i64::from(*grace_seconds) * 1000,
            Step::Stop { .. } => 200,
            Step::Kill { .. } | Step::RemoveNetwork { .. } => 50,
            Step::Remove { .. } => 100,
            Step::Rename { .. } => 20,
            Step::Activate { .. } => 10,
            Step::Configure { .. } => 5,
            Step::Adopt { .. } | Step::Quarantine { .. } => 0,
        }
    }
}
