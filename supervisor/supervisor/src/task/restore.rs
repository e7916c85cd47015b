//! A restore, into the profile or into a folder of the host.

use std::path::Path;
use std::time::Duration;

use platform_types::Role;
use platform_types::backup::{Restored, TaskReport};
use supervisor_plan::Target;
use supervisor_plan::report::Condition;
use supervisor_plan::topology::id_name;
use tokio::sync::oneshot;

use super::container::{Tasks, Unallocated, state_volume};
use super::{Operator, Signal, TASK_TIMEOUT, Teller, failed, snapshot};
use crate::host::folder::{Access, Folder};
use crate::state::{OperationError, RestoreInto, World};
use crate::words::chain;

/// What people say instead of an id.
const LATEST: &str = "latest";
/// Shortest beginning of a snapshot's id, as the restore task wants it.
const MIN_ID_CHARS: usize = 6;
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
    match into {
        RestoreInto::Profile => into_profile(operator, teller, snapshot).await,
        RestoreInto::Folder { path, uid, gid } => {
            let restored = into_folder(operator, teller, snapshot, path).await?;
            let given = Folder::open(path).and_then(|folder| folder.give_tree(*uid, *gid));
            given.map_err(|error| failed(&chain(&error)))?;
            Ok(restored)
        }
    }
}

async fn into_folder(
    operator: &Operator,
    teller: &mut Teller<'_>,
    snapshot: &str,
    path: &Path,
) -> Result<Restored, OperationError> {
    if !path.is_absolute() {
        return Err(failed("name the folder by its absolute path"));
    }
    refuse_used(path)?;
    let made = Folder::make(path, Access::root(0o700)).map_err(|error| failed(&chain(&error)))?;
    let ids = operator.world.borrow().ledger.ids.clone();
    let backup = ids.get("backup").ok_or_else(|| failed("backup has no uid yet"))?;
    made.give(Access::of(backup, 0o700)).map_err(|error| failed(&chain(&error)))?;
    let task = tasks(operator, &ids).restore_into_folder(snapshot, &path.display().to_string());
    teller.tell("the snapshot is restored and verified").await;
    run_restore(operator, teller, task).await
}

/// A folder that holds something, or anything else of that name, is refused before its owner or mode is touched.
fn refuse_used(path: &Path) -> Result<(), OperationError> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(&format!("{} cannot be looked at: {error}", path.display()))),
        Ok(_) => {}
    }
    let there = Folder::open(path).map_err(|error| failed(&chain(&error)))?;
    if there.names(1).map_err(|error| failed(&chain(&error)))?.is_empty() {
        return Ok(());
    }
    Err(failed(&format!("{} is not empty; name a folder that does not exist yet", path.display())))
}

async fn into_profile(
    operator: &Operator,
    teller: &mut Teller<'_>,
    snapshot: &str,
) -> Result<Restored, OperationError> {
    // Before the safety snapshot becomes the latest.
    let wanted = resolve(operator, snapshot)?;
    teller.tell("a snapshot is taken before").await;
    match snapshot::take(operator, teller, "before-restore").await {
        Ok(before) => teller.tell(&format!("to go back: snapshot {}", super::short(&before.id))).await,
        // A restore is how a broken profile is mended: what it is now stays beside.
        Err(OperationError::AgentUnavailable { .. }) => {
            teller.tell("no snapshot before: the agent does not answer; its state is set aside in the volume").await;
        }
        Err(error) => return Err(error),
    }
    let name = format!("restore-{}", platform_kit::random::id());
    let top = state_folder(operator).await?;
    let result = replace(operator, teller, &wanted, (&top, &name)).await;
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
    operator.signal(Signal::Release).await;
    swapped?;
    teller.tell("the agent starts with the restored state").await;
    wait(operator, START_TIMEOUT, "the agent did not become ready with the restored state", agent_is_ready).await?;
    Ok(restored)
}

/// The id of the latest snapshot, or what was given if it can be the beginning of an id.
fn resolve(operator: &Operator, snapshot: &str) -> Result<String, OperationError> {
    if snapshot != LATEST {
        let plausible = snapshot.len() >= MIN_ID_CHARS && snapshot.bytes().all(|byte| byte.is_ascii_hexdigit());
        let what = format!("name at least {MIN_ID_CHARS} characters of the snapshot's id, or \"{LATEST}\"");
        return if plausible { Ok(snapshot.to_owned()) } else { Err(failed(&what)) };
    }
    let latest = operator.store.latest_snapshot(&operator.profile).map_err(|error| failed(&chain(&error)))?;
    let latest = latest.ok_or_else(|| failed("there is no snapshot yet; see: botctl backup list"))?;
    Ok(latest.id)
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
        TaskReport::Snapshot(_) | TaskReport::Restore(_) => {
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
