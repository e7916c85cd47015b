//! `GET /v1/events`, `GET /v1/logs`: newline-delimited JSON; with `follow` until the reader goes.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use futures_util::{StreamExt as _, pin_mut};
use platform_kit::{Failure, task};
use platform_types::ErrorCode;
use platform_types::text::neutral;
use supervisor_docker::LogRange;
use supervisor_plan::Target;
use supervisor_store::{EventRecord, NewEvent};
use tokio::task::JoinSet;

use crate::api::extract::Query;
use crate::api::failure::internal;
use crate::api::stream::{Lines, lines};
use crate::api::wire::journal::{Event, EventQuery, LogLine, LogQuery};
use crate::registry::operations::in_ledger;
use crate::state::{Shared, World};
use crate::words::chain;

/// Events that are shown unless more are asked for.
const DEFAULT_EVENTS: u32 = 100;
/// Events that are read at a time.
const MAX_EVENTS: u32 = 1_000;
/// Lines of each log that are shown unless more are asked for.
const DEFAULT_TAIL: u32 = 100;
/// Most of what happens changes the world; what does not is found after this time.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub fn routes() -> Router<Shared> {
    Router::new().route("/events", get(events)).route("/logs", get(logs))
}

async fn events(State(shared): State<Shared>, Query(query): Query<EventQuery>) -> Result<Response, Failure> {
    let limit = query.limit.unwrap_or(DEFAULT_EVENTS).clamp(1, MAX_EVENTS);
    let first = in_ledger(&shared, move |store| store.newest_events(limit)).await.map_err(|error| internal(&error))?;
    let (writer, response) = lines();
    task::spawn("events", async move {
        let mut last = first.last().map_or(0, |record| record.seq);
        for record in first {
            writer.send(&event(record)).await;
        }
        if query.follow {
            let mut world = shared.world.clone();
            while until_something(&mut world, &writer).await {
                let Ok(more) = in_ledger(&shared, move |store| store.events_after(last, MAX_EVENTS)).await else {
                    break;
                };
                for record in more {
                    last = record.seq;
                    writer.send(&event(record)).await;
                }
            }
        }
    });
    Ok(response)
}

/// Waits until something may have happened; `false` when the reader or the daemon has gone.
async fn until_something(world: &mut tokio::sync::watch::Receiver<World>, writer: &Lines) -> bool {
    tokio::select! {
        changed = world.changed() => changed.is_ok(),
        () = tokio::time::sleep(LOOK_AGAIN) => true,
        () = writer.closed() => false,
    }
}

fn event(record: EventRecord) -> Event {
    let EventRecord { seq, event: NewEvent { at, kind, subject, message } } = record;
    Event { seq, at, kind, subject, message: neutral(&message) }
}

async fn logs(State(shared): State<Shared>, Query(query): Query<LogQuery>) -> Result<Response, Failure> {
    let wanted = wanted(&shared.world.borrow(), query.who.as_deref())?;
    let (writer, response) = lines();
    task::spawn("logs", write_logs(shared, query, wanted, writer));
    Ok(response)
}

/// Who is meant: a target, every target of a profile, or everybody.
fn wanted(world: &World, who: Option<&str>) -> Result<BTreeSet<Target>, Failure> {
    let known: BTreeSet<Target> = world.report.targets.keys().cloned().collect();
    let Some(who) = who else { return Ok(known) };
    let chosen: BTreeSet<Target> = known
        .iter()
        .filter(|target| target.to_string() == who || target.profile().is_some_and(|profile| profile.as_str() == who))
        .cloned()
        .collect();
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    let names: Vec<String> = known.iter().map(ToString::to_string).collect();
    let message = format!("{:?} names nothing that runs here; there is {}", neutral(who), names.join(", "));
    Err(Failure::new(ErrorCode::NotFound, message).with_param("who"))
}

/// Reads the containers' logs; with `follow` those of their successors too.
async fn write_logs(shared: Shared, query: LogQuery, wanted: BTreeSet<Target>, writer: Lines) {
    let mut world = shared.world.clone();
    let mut attached = BTreeSet::new();
    let mut readers = JoinSet::new();
    let mut tail = Some(query.tail.unwrap_or(DEFAULT_TAIL));
    loop {
        let containers = containers(&world.borrow_and_update(), &wanted);
        for (target, id) in containers.into_iter().filter(|container| attached.insert(container.1.clone())) {
            let range = LogRange { tail, follow: query.follow, since: None };
            readers.spawn(read_one(shared.clone(), target, id, range, writer.clone()));
        }
        if !query.follow {
            break;
        }
        // A container that comes later is shown from its first line.
        tail = None;
        tokio::select! {
            changed = world.changed() => if changed.is_err() { break },
            () = writer.closed() => break,
            Some(_) = readers.join_next() => {}
        }
    }
    if query.follow {
        readers.abort_all();
    }
    while readers.join_next().await.is_some() {}
}

fn containers(world: &World, wanted: &BTreeSet<Target>) -> Vec<(Target, String)> {
    let ours = world.observed.containers.iter().filter_map(|container| {
        let target = container.labels.target.clone().filter(|target| wanted.contains(target))?;
        Some((target, container.id.to_string()))
    });
    ours.collect()
}

async fn read_one(shared: Shared, target: Target, id: String, range: LogRange, writer: Lines) {
    let log = shared.engine.logs(&id, range);
    pin_mut!(log);
    while let Some(next) = log.next().await {
        let line = match next {
            Ok(line) => LogLine { target: target.clone(), stderr: line.stderr, text: neutral(&line.text) },
            Err(error) => {
                let text = format!("botctl: the log cannot be read: {}", chain(&error));
                LogLine { target: target.clone(), stderr: true, text }
            }
        };
        if !writer.send(&line).await {
            return;
        }
    }
}
