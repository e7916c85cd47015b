//! A container with exactly an agent's confinement that tries to get out, and is gone afterwards.
//!
//! It is made from what the planner wants of the agent: image, user, mounts of sockets, limits, filter. Only the state
//! volume is an empty one in memory: a second process beside the agent has no business in its database. The container
//! does not carry the installation's label, because the planner would take it for a task whose operation is gone.

use std::collections::BTreeMap;
use std::time::Duration;

use platform_types::confinement::Report;
use platform_types::layout::inside;
use platform_types::text::neutral_cut;
use platform_types::{ProfileName, Role};
use supervisor_docker::{Engine, Task};
use supervisor_plan::spec::{ContainerSpec, Mount, MountSource};
use tokio::sync::mpsc;

use crate::state::{Shared, World};
use crate::words::chain;

/// Value: the id of the installation. One that a killed supervisor left behind is found by it.
pub const LABEL: &str = "io.bot-platform.confinement";
const COMMAND: &str = "confinement";
const TIMEOUT: Duration = Duration::from_secs(30);
const STATE_BYTES: u64 = 1 << 20;
/// Attempts that are read; there are a few dozen.
const MAX_REPORTS: usize = 500;
const MAX_TEXT_CHARS: usize = 300;

/// One container a profile, one after the other.
pub async fn attempts(shared: &Shared, world: &World) -> BTreeMap<ProfileName, Result<Vec<Report>, String>> {
    let mut found = BTreeMap::new();
    if let Err(error) = shared.engine.remove_labelled(LABEL, &world.desired.install).await {
        tracing::warn!(error = %chain(&error), "an earlier probe of the confinement could not be removed");
    }
    for (target, service) in &world.desired.services {
        let Some(profile) = target.profile().filter(|_| target.role() == Role::Agent) else { continue };
        let generation = world.report.targets.get(target).and_then(|report| report.generation);
        let spec = probe_spec(&service.spec_for(generation));
        let labels = BTreeMap::from([(LABEL.to_owned(), world.desired.install.clone())]);
        let name = format!("{}-{profile}-{COMMAND}", world.desired.name);
        let task = Task { name, spec, labels, timeout: TIMEOUT };
        found.insert(profile.clone(), run(&shared.engine, task).await);
    }
    found
}

/// The agent's, except what it runs and where its state would be.
fn probe_spec(agent: &ContainerSpec) -> ContainerSpec {
    let mut spec = agent.clone();
    spec.command = vec![COMMAND.to_owned()];
    let empty = Mount { source: MountSource::Tmpfs { bytes: STATE_BYTES }, read_only: false };
    spec.mounts.insert(inside::STATE.to_owned(), empty);
    spec
}

async fn run(engine: &Engine, task: Task) -> Result<Vec<Report>, String> {
    let (sender, mut lines) = mpsc::channel::<String>(64);
    let engine = engine.clone();
    let running = platform_kit::task::spawn("confinement probe", async move { engine.run_task(&task, &sender).await });
    let mut reports = Vec::new();
    while let Some(line) = lines.recv().await {
        if reports.len() < MAX_REPORTS {
            reports.extend(serde_json::from_str::<Report>(&line).ok().as_ref().map(neutral));
        }
    }
    let exit = running.await.map_err(|_| "it was cut short".to_owned())?.map_err(|error| chain(&error))?;
    match (exit.code, reports.is_empty()) {
        (0, false) => Ok(reports),
        (code, _) => {
            let said = exit.stderr.last().map(|line| neutral_cut(line, MAX_TEXT_CHARS)).unwrap_or_default();
            Err(format!("the attempts ended with exit code {code}: {said}"))
        }
    }
}

fn neutral(report: &Report) -> Report {
    let cut = |text: &str| neutral_cut(text, MAX_TEXT_CHARS);
    Report { name: cut(&report.name), what: cut(&report.what), outcome: report.outcome, detail: cut(&report.detail) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{self, profile};
    use platform_types::layout::Roots;
    use supervisor_plan::Target;

    #[test]
    fn nothing_but_command_and_state_differs_from_the_agent() {
        let world = example::world(&Roots::system());
        let agent = world.desired.services[&Target::agent(&profile("ops"))].spec.clone();
        let mut probe = probe_spec(&agent);
        assert_eq!(probe.command, ["confinement"]);
        assert!(matches!(probe.mounts[inside::STATE].source, MountSource::Tmpfs { .. }));
        probe.command = agent.command.clone();
        probe.mounts.insert(inside::STATE.to_owned(), agent.mounts[inside::STATE].clone());
        assert_eq!(probe, agent);
    }

    #[test]
    fn texts_of_the_container_are_made_harmless() {
        let line = r#"{"name":"x","what":"y\u001b[31m","outcome":"succeeded","detail":"z"}"#;
        let report = neutral(&serde_json::from_str(line).unwrap());
        assert!(!report.what.contains('\u{1b}'), "{report:?}");
    }
}
