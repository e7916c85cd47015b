//! A snapshot: the agent makes a consistent copy, a task puts it into the repository.

use std::time::Duration;

use platform_kit::client::{CallError, Client};
use platform_types::agent::{Checkpoint, CheckpointRequest};
use platform_types::backup::{Snapshot, TaskReport};
use serde::de::IgnoredAny;
use supervisor_plan::Target;

use super::container::Tasks;
use super::{Operator, TASK_TIMEOUT, Teller, failed};
use crate::probe;
use crate::state::OperationError;
use crate::words::chain;

/// Copying the largest database that is expected.
const CHECKPOINT_TIMEOUT: Duration = Duration::from_mins(10);
const REMOVE_TIMEOUT: Duration = Duration::from_secs(30);

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
    operator.store.record_snapshot(&snapshot).map_err(|error| failed(&chain(&error)))?;
    Ok(snapshot)
}

fn unavailable(operator: &Operator, why: &str) -> OperationError {
    OperationError::AgentUnavailable { profile: operator.profile.clone(), why: why.to_owned() }
}
