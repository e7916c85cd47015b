//! Old snapshots are forgotten, by the clock.

use platform_types::backup::{Pruned, TaskReport};
use supervisor_config::config::Keep;
use supervisor_plan::upkeep::JobKind;

use super::container::Tasks;
use super::{Operator, TASK_TIMEOUT, Teller, failed, snapshot};
use crate::measure::bytes;
use crate::state::OperationError;
use crate::words::chain;

/// Gives what it came to, in words; the ledger has it too.
pub(super) async fn prune(operator: &Operator, teller: &mut Teller<'_>, keep: Keep) -> Result<String, OperationError> {
    let pruned = run(operator, teller, keep).await?;
    // What is forgotten there is forgotten here.
    snapshot::look(operator).await;
    let Pruned { profile: _, kept, forgotten, freed_bytes } = pruned;
    let words = format!("{forgotten} snapshots forgotten, {kept} kept, {} freed", bytes(freed_bytes));
    let now = operator.hands.clock.now();
    let ended = operator.store.end_job(&operator.profile, JobKind::Prune, now, Ok(&words));
    ended.map_err(|error| failed(&chain(&error)))?;
    Ok(words)
}

async fn run(operator: &Operator, teller: &mut Teller<'_>, keep: Keep) -> Result<Pruned, OperationError> {
    let (ids, zone) = {
        let world = operator.world.borrow();
        (world.ledger.ids.clone(), world.config.timezone.clone())
    };
    let tasks = Tasks { topology: &operator.topology, ids: &ids, profile: &operator.profile, timeout: TASK_TIMEOUT };
    let task = tasks.prune(keep, &zone).map_err(|error| failed(&error.to_string()))?;
    teller.tell("old snapshots are forgotten").await;
    match operator.run_task(teller, task).await? {
        TaskReport::Prune(pruned) => Ok(pruned),
        _ => Err(failed("the task reported something other than a prune")),
    }
}
