//! A restore, into the profile or into a folder of the host.

use std::path::Path;
use std::time::Duration;

use platform_kit::client::CallError;
use platform_types::Role;
use platform_types::backup::{Restored, TaskReport};
use platform_types::text::{neutral, neutral_cut};
use supervisor_plan::Target;
use supervisor_plan::report::Condition;
use supervisor_plan::topology::id_name;
use tokio::sync::oneshot;

use super::container::{Tasks, Unallocated, state_volume};
use super::place::Place;
use super::{Operator, Signal, TASK_TIMEOUT, Teller, failed, listing, snapshot};
use crate::audit::own;
use crate::host::folder::{Access, Folder};
use crate::probe;
use crate::state::{OperationError, RestoreInto, World};
use crate::words::chain;

/// Backup's admin socket answers in a millisecond; what takes longer has its own limit.
const BACKUP_TIMEOUT: Duration = Duration::from_secs(3);
/// An agent drains in 20 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(90);
/// Opening a state that an older release wrote may mean to migrate it.
const START_TIMEOUT: Duration = Duration::from_mins(2);

pub(super) async fn restore(
    operator: &Operator,
    teller: &mut Teller<'_>,
    snapshot: &str,
    into: &RestoreInto,
) -> Result<Restored, OperationError> {
    // Before anything is done: an id that does not exist costs nothing.
    let wanted = resolve(operator, snapshot).await?;
    match into {
        RestoreInto::Profile => into_profile(operator, teller, &wanted).await,
        RestoreInto::Folder { path, uid, gid } => {
            let place = Place::of(path)?;
            let restored = into_folder(operator, teller, &wanted, path).await;
            let given = match restored {
                Ok(restored) => place.give(*uid, *gid).map(|()| restored),
                Err(error) => Err(error),
            };
            if given.is_ok() {
                let words = format!("snapshot {} was put into {}", super::short(&wanted), path.display());
                operator.did("snapshot.exported", words);
            }
            if given.is_err() {
                place.put_back();
            }
            given
        }
    }
}

async fn into_folder(
    operator: &Operator,
    teller: &mut Teller<'_>,
    snapshot: &str,
    path: &Path,
) -> Result<Restored, OperationError> {
    let made = Folder::make(path, Access::root(0o700)).map_err(|error| failed(&chain(&error)))?;
    let ids = operator.world.borrow().ledger.ids.clone();
    let backup = ids.get("backup").ok_or_else(|| failed("backup has no uid yet"))?;
    made.give(Access::of(backup, 0o700)).map_err(|error| failed(&chain(&error)))?;
    let task = tasks(operator, &ids).restore_into_folder(snapshot, &path.display().to_string());
    teller.tell("the snapshot is restored and verified").await;
    run_restore(operator, teller, task).await
}

async fn into_profile(
    operator: &Operator,
    teller: &mut Teller<'_>,
    snapshot: &str,
) -> Result<Restored, OperationError> {
    teller.tell("a snapshot is taken before").await;
    match snapshot::take(operator, teller, listing::BEFORE_RESTORE).await {
        Ok(before) => teller.tell(&format!("to go back: snapshot {}", super::short(&before.id))).await,
        // A restore is how a broken profile is mended: what it is now stays beside.
        Err(OperationError::AgentUnavailable { .. }) => {
            teller.tell("no snapshot before: the agent does not answer; its state is set aside in the volume").await;
        }
        Err(error) => return Err(error),
    }
    let name = format!("restore-{}", platform_kit::random::id());
    let top = state_folder(operator).await?;
    let result = replace(operator, teller, snapshot, (&top, &name)).await;
    if result.is_err()
        && let Err(error) = top.remove_tree(&name)
    {
        tracing::warn!(profile = %operator.profile, error = %chain(&error), "half a restore stays behind");
    }
    result
}

/// Restores beside the state, then lets the two change places while the agent is down.
async fn replace(
    operator: &Operator,
    teller: &mut Teller<'_>,
    snapshot: &str,
    (top, name): (&Folder, &str),
) -> Result<Restored, OperationError> {
    let ids = operator.world.borrow().ledger.ids.clone();
    let id = |name: &str| ids.get(name).ok_or_else(|| failed(&format!("no uid is allocated for {name}")));
    let (backup, agent) = (id("backup")?, id(&id_name(Role::Agent, &operator.profile))?);
    teller.tell("the snapshot is restored beside the state and verified").await;
    let made = top.child(name, Access::of(backup, 0o700)).map_err(|error| failed(&chain(&error)))?;
    let restored = run_restore(operator, teller, tasks(operator, &ids).restore_into_state(snapshot, name)).await?;
    made.give_tree(agent, agent).map_err(|error| failed(&chain(&error)))?;
    teller.tell("the agent is stopped; the gate holds its door").await;
    hold(operator).await?;
    let swapped = swap(operator, teller, tasks(operator, &ids).swap(name)).await;
    if swapped.is_ok() {
        // Before the agent speaks again: heads of its audit from before this do not count any more.
        operator.did(own::RESTORED, format!("snapshot {} became the state", super::short(snapshot)));
    }
    operator.signal(Signal::Release).await;
    swapped?;
    teller.tell("the agent starts with the restored state").await;
    wait(operator, START_TIMEOUT, "the agent did not become ready with the restored state", agent_is_ready).await?;
    Ok(restored)
}

/// The whole id of the snapshot that is meant, by the repository's own list.
async fn resolve(operator: &Operator, wanted: &str) -> Result<String, OperationError> {
    listing::check_beginning(wanted).map_err(|reason| failed(&reason))?;
    let door = probe::door(&operator.hands.roots, &operator.world.borrow().ledger.ids, &Target::backup(), None);
    let client = door.ok_or_else(|| failed("backup has no uid yet"))?.client(BACKUP_TIMEOUT);
    let listed = listing::list(&client, &operator.profile).await.map_err(|error| failed(&unlisted(&error)))?;
    listing::choose(&listed.snapshots, &operator.profile, wanted).map_err(|reason| failed(&neutral(&reason)))
}

fn unlisted(error: &CallError) -> String {
    let said = neutral_cut(&chain(error), super::MAX_LINE_CHARS);
    format!("the snapshots cannot be listed, so nothing was done ({said}); botctl status says how backup is")
}

async fn state_folder(operator: &Operator) -> Result<Folder, OperationError> {
    let name = state_volume(&operator.topology, &operator.profile);
    let mountpoint = operator.hands.engine.volume_mountpoint(&name).await.map_err(|error| failed(&chain(&error)))?;
    Folder::open(&mountpoint).map_err(|error| failed(&chain(&error)))
}

fn tasks<'a>(operator: &'a Operator, ids: &'a supervisor_plan::ledger::Ids) -> Tasks<'a> {
    Tasks { topology: &operator.topology, ids, profile: &operator.profile, timeout: TASK_TIMEOUT }
}

async fn run_restore(
    operator: &Operator,
    teller: &mut Teller<'_>,
    task: Result<supervisor_docker::Task, Unallocated>,
) -> Result<Restored, OperationError> {
    let task = task.map_err(|error| failed(&error.to_string()))?;
    let TaskReport::Restore(restored) = operator.run_task(teller, task).await? else {
        return Err(failed("the task reported something other than a restore"));
    };
    if restored.profile != operator.profile {
        return Err(failed("the snapshot belongs to another profile"));
    }
    Ok(restored)
}

/// Asks the loop to keep the agent down, and waits until no container of it runs.
async fn hold(operator: &Operator) -> Result<(), OperationError> {
    let (done, held) = oneshot::channel();
    let reason = "a restore is under way".to_owned();
    operator.signal(Signal::Hold { reason, done }).await;
    if !held.await.unwrap_or(false) {
        return Err(failed("the ledger cannot be written, so the agent was not stopped"));
    }
    let stopped = wait(operator, STOP_TIMEOUT, "the agent did not stop", agent_is_down).await;
    if stopped.is_err() {
        operator.signal(Signal::Release).await;
    }
    stopped
}

async fn swap(
    operator: &Operator,
    teller: &mut Teller<'_>,
    task: Result<supervisor_docker::Task, Unallocated>,
) -> Result<(), OperationError> {
    let task = task.map_err(|error| failed(&error.to_string()))?;
    match operator.run_task(teller, task).await? {
        TaskReport::Swap { .. } => Ok(()),
        TaskReport::Snapshot(_) | TaskReport::Restore(_) | TaskReport::Check(_) | TaskReport::Prune(_) => {
            Err(failed("the task reported something other than a swap"))
        }
    }
}

async fn wait(
    operator: &Operator,
    timeout: Duration,
    otherwise: &str,
    condition: fn(&World, &Target) -> bool,
) -> Result<(), OperationError> {
    let target = Target::agent(&operator.profile);
    let mut world = operator.world.clone();
    let reached = world.wait_for(|world| condition(world, &target));
    match tokio::time::timeout(timeout, reached).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => Err(failed("the supervisor is stopping")),
        Err(_) => Err(failed(otherwise)),
    }
}

/// No process of the agent runs, and none is about to.
fn agent_is_down(world: &World, target: &Target) -> bool {
    let held = target.profile().is_some_and(|profile| world.ledger.holds.contains_key(profile));
    let containers = || world.observed.containers.iter().filter(|c| c.labels.target.as_ref() == Some(target));
    held && !world.under_way.contains_key(target) && containers().all(|container| container.state.is_stopped())
}

fn agent_is_ready(world: &World, target: &Target) -> bool {
    let condition = world.report.targets.get(target).map(|line| line.condition);
    let held = target.profile().is_some_and(|profile| world.ledger.holds.contains_key(profile));
    !held && condition == Some(Condition::Ready)
}
