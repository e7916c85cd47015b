//! A snapshot: the agent makes a consistent copy, a task puts it into the repository.

use std::time::Duration;

use platform_kit::client::{CallError, Client};
use platform_kit::socket::Peer;
use platform_types::Timestamp;
use platform_types::agent::{Checkpoint, CheckpointRequest};
use platform_types::backup::{Snapshot, SnapshotList, TaskReport};
use serde::de::IgnoredAny;
use supervisor_plan::Target;

use super::container::Tasks;
use super::{Operator, TASK_TIMEOUT, Teller, failed, listing};
use crate::probe;
use crate::state::OperationError;
use crate::words::chain;

/// Copying the largest database that is expected.
const CHECKPOINT_TIMEOUT: Duration = Duration::from_mins(10);
const REMOVE_TIMEOUT: Duration = Duration::from_secs(30);
/// For a client whose calls have limits of their own.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a snapshot by the clock is taken.
pub(super) const SCHEDULED: &str = "scheduled";

/// Takes the snapshot that was due at `since`, unless the repository has it: a supervisor that was killed before it could say so
/// leaves a whole one there. The ledger is told which ones there are.
pub(super) async fn scheduled(
    operator: &Operator,
    teller: &mut Teller<'_>,
    since: Timestamp,
) -> Result<Snapshot, OperationError> {
    teller.tell("the repository is looked at").await;
    if let Some(list) = look(operator).await {
        let now = operator.hands.clock.now();
        let is_fresh = |found: &&Snapshot| {
            found.profile == operator.profile && found.complete && (since..=now).contains(&found.at)
        };
        if let Some(found) = list.iter().filter(is_fresh).max_by_key(|found| found.at) {
            operator.store.record_taken(found, now).map_err(|error| failed(&chain(&error)))?;
            return Ok(found.clone());
        }
    }
    take(operator, teller, SCHEDULED).await
}

/// The snapshots that the repository has; the ledger has the same afterwards. `None` when it cannot be read: then what the ledger
/// says stays, and so does its age.
pub(super) async fn look(operator: &Operator) -> Option<Vec<Snapshot>> {
    let client = {
        let world = operator.world.borrow();
        let uid = world.ledger.ids.get("backup")?;
        Client::new(operator.hands.roots.backup_admin(), Peer::Uid(uid), LIST_TIMEOUT)
    };
    let SnapshotList { snapshots, problems } = match listing::list(&client, &operator.profile).await {
        Ok(list) => list,
        Err(error) => {
            tracing::warn!(profile = %operator.profile, error = %chain(&error), "the repository could not be looked at");
            return None;
        }
    };
    for problem in &problems {
        let problem = platform_types::text::neutral_cut(problem, super::MAX_LINE_CHARS);
        tracing::warn!(profile = %operator.profile, problem, "the repository has a problem");
    }
    if snapshots.is_empty() && !problems.is_empty() {
        return None;
    }
    if let Err(error) = operator.store.replace_snapshots(&operator.profile, &snapshots) {
        tracing::warn!(profile = %operator.profile, error = %chain(&error), "the snapshots could not be recorded");
    }
    Some(snapshots)
}

pub(super) async fn take(
    operator: &Operator,
    teller: &mut Teller<'_>,
    reason: &str,
) -> Result<Snapshot, OperationError> {
    let agent = agent(operator, CHECKPOINT_TIMEOUT).ok_or_else(|| unavailable(operator, "it does not run"))?;
    let id = platform_kit::random::id();
    teller.tell("the agent makes a consistent copy").await;
    let request = CheckpointRequest { id: id.clone() };
    let copied = agent.post::<_, Checkpoint>("/checkpoint", &request).await;
    let result = match copied {
        Ok(_) => store(operator, teller, &id, reason).await,
        Err(CallError::Refused { message, .. }) => {
            let message = platform_types::text::neutral_cut(&message, super::MAX_LINE_CHARS);
            Err(failed(&format!("the agent could not make a copy: {message}")))
        }
        Err(error) => Err(unavailable(operator, &chain(&error))),
    };
    // Whatever came of it, the copy goes; an agent that was restarted meanwhile clears its staging itself.
    let target = format!("/checkpoint/{id}");
    if let Err(error) = agent.with_timeout(REMOVE_TIMEOUT).delete::<IgnoredAny>(&target).await {
        tracing::warn!(profile = %operator.profile, error = %chain(&error), "a staged copy could not be removed");
    }
    result
}

/// The admin socket of the agent that serves.
fn agent(operator: &Operator, timeout: Duration) -> Option<Client> {
    let world = operator.world.borrow();
    let target = Target::agent(&operator.profile);
    let generation = world.report.targets.get(&target)?.generation?;
    let door = probe::door(&operator.hands.roots, &world.ledger.ids, &target, Some(generation))?;
    Some(door.client(timeout))
}

async fn store(
    operator: &Operator,
    teller: &mut Teller<'_>,
    staged: &str,
    reason: &str,
) -> Result<Snapshot, OperationError> {
    let ids = operator.world.borrow().ledger.ids.clone();
    let tasks = Tasks { topology: &operator.topology, ids: &ids, profile: &operator.profile, timeout: TASK_TIMEOUT };
    let task = tasks.snapshot(staged, reason).map_err(|error| failed(&error.to_string()))?;
    teller.tell("the copy goes into the repository").await;
    let TaskReport::Snapshot(snapshot) = operator.run_task(teller, task).await? else {
        return Err(failed("the task reported something other than a snapshot"));
    };
    if snapshot.profile != operator.profile || !snapshot.complete {
        return Err(failed("the snapshot is not complete, so it does not count"));
    }
    let now = operator.hands.clock.now();
    operator.store.record_taken(&snapshot, now).map_err(|error| failed(&chain(&error)))?;
    Ok(snapshot)
}

fn unavailable(operator: &Operator, why: &str) -> OperationError {
    OperationError::AgentUnavailable { profile: operator.profile.clone(), why: why.to_owned() }
}
