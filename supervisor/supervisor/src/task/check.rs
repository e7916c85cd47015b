//! A look over a repository; what it found is in the ledger.

use platform_types::backup::{Checked, TaskReport};
use platform_types::text::neutral_cut;
use supervisor_plan::upkeep::JobKind;

use super::container::Tasks;
use super::{MAX_LINE_CHARS, Operator, TASK_TIMEOUT, Teller, failed};
use crate::state::OperationError;
use crate::words::chain;

pub(super) async fn check(
    operator: &Operator,
    teller: &mut Teller<'_>,
    all_data: bool,
) -> Result<Checked, OperationError> {
    let now = operator.hands.clock.now();
    operator.store.begin_job(&operator.profile, JobKind::Check, now).map_err(|error| failed(&chain(&error)))?;
    let result = run(operator, teller, all_data).await;
    match &result {
        Ok(checked) if checked.problems.is_empty() => {
            let now = operator.hands.clock.now();
            let ended = operator.store.end_job(&operator.profile, JobKind::Check, now, Ok(&words(checked)));
            ended.map_err(|error| failed(&chain(&error)))?;
        }
        Ok(checked) => operator.failed(JobKind::Check, &words(checked)),
        Err(error) => operator.failed(JobKind::Check, &error.to_string()),
    }
    result
}

async fn run(operator: &Operator, teller: &mut Teller<'_>, all_data: bool) -> Result<Checked, OperationError> {
    let ids = operator.world.borrow().ledger.ids.clone();
    let tasks = Tasks { topology: &operator.topology, ids: &ids, profile: &operator.profile, timeout: TASK_TIMEOUT };
    let task = tasks.check(all_data).map_err(|error| failed(&error.to_string()))?;
    teller.tell("the repository is looked over").await;
    let TaskReport::Check(checked) = operator.run_task(teller, task).await? else {
        return Err(failed("the task reported something other than a check"));
    };
    // What stands in a repository was written by a container.
    let neutral = |lines: Vec<String>| lines.iter().map(|line| neutral_cut(line, MAX_LINE_CHARS)).collect();
    Ok(Checked { problems: neutral(checked.problems), damaged: neutral(checked.damaged), ..checked })
}

/// What a check came to, in one sentence.
pub(super) fn words(checked: &Checked) -> String {
    let Checked { profile: _, all_data, snapshots, problems, damaged } = checked;
    let depth = if *all_data { "every byte read" } else { "without the data" };
    let Some(first) = problems.first() else { return format!("sound, {snapshots} snapshots, {depth}") };
    let files = if damaged.is_empty() { String::new() } else { format!("; damaged: {}", damaged.join(", ")) };
    format!("damaged ({depth}): {first}{files}")
}
