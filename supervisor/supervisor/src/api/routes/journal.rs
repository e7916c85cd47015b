//! `GET /v1/events`, `GET /v1/logs`: newline-delimited JSON; with `follow` until the reader goes.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _, pin_mut};
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
use crate::api::wire::journal::{Event, EventQuery, LogLine, LogQuery, MAX_EVENTS};
use crate::registry::operations::in_ledger;
use crate::state::{Shared, World};
use crate::words::chain;

/// Events that are shown unless more are asked for.
const DEFAULT_EVENTS: u32 = 100;
/// Lines of each log that are shown unless more are asked for.
const DEFAULT_TAIL: u32 = 100;
/// Most of what happens changes the world; what does not is found after this time.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub fn routes() -> Router<Shared> {
    Router::new().route("/events", get(events)).route("/logs", get(logs))
}

async fn events(State(shared): State<Shared>, Query(query): Query<EventQuery>) -> Result<Response, Failure> {
    let limit = query.limit.unwrap_or(DEFAULT_EVENTS);
    if limit > MAX_EVENTS {
        let message = format!("{limit} events are too many at a time; ask for {MAX_EVENTS} at most");
        return Err(Failure::new(ErrorCode::BadRequest, message).with_param("limit"));
    }
    // One at least, to know from where to follow.
    let first = in_ledger(&shared, move |store| store.newest_events(limit.max(1))).await;
    let first = first.map_err(|error| internal(&error))?;
    let (writer, response) = lines();
    task::spawn("events", async move {
        let mut last = first.last().map_or(0, |record| record.seq);
        for record in first.into_iter().filter(|_| limit > 0) {
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

/// Reads the containers' logs: in the order of time, or with `follow` as they come, those of their successors too.
async fn write_logs(shared: Shared, query: LogQuery, wanted: BTreeSet<Target>, writer: Lines) {
    let tail = Some(query.tail.unwrap_or(DEFAULT_TAIL));
    if query.follow {
        return follow_logs(shared, tail, wanted, writer).await;
    }
    let containers = containers(&shared.world.borrow(), &wanted);
    let range = LogRange { tail, follow: false, since: None };
    let logs = containers.into_iter().map(|(target, id)| log(&shared, target, &id, range)).collect();
    let ordered = in_order(logs);
    pin_mut!(ordered);
    while let Some(line) = ordered.next().await {
        if !writer.send(&line).await {
            return;
        }
    }
}

async fn follow_logs(shared: Shared, mut tail: Option<u32>, wanted: BTreeSet<Target>, writer: Lines) {
    let mut world = shared.world.clone();
    let mut attached = BTreeSet::new();
    let mut readers = JoinSet::new();
    loop {
        let containers = containers(&world.borrow_and_update(), &wanted);
        for (target, id) in containers.into_iter().filter(|container| attached.insert(container.1.clone())) {
            let range = LogRange { tail, follow: true, since: None };
            let (mut log, writer) = (log(&shared, target, &id, range), writer.clone());
            readers.spawn(async move {
                while let Some(line) = log.next().await {
                    if !writer.send(&line).await {
                        return;
                    }
                }
            });
        }
        // A container that comes later is shown from its first line.
        tail = None;
        tokio::select! {
            changed = world.changed() => if changed.is_err() { break },
            () = writer.closed() => break,
            Some(_) = readers.join_next() => {}
        }
    }
    readers.shutdown().await;
}

fn containers(world: &World, wanted: &BTreeSet<Target>) -> Vec<(Target, String)> {
    let ours = world.observed.containers.iter().filter_map(|container| {
        let target = container.labels.target.clone().filter(|target| wanted.contains(target))?;
        Some((target, container.id.to_string()))
    });
    ours.collect()
}

/// One container's log, its own words neutralised.
fn log(shared: &Shared, target: Target, id: &str, range: LogRange) -> BoxStream<'static, LogLine> {
    let lines = shared.engine.logs(id, range).map(move |next| match next {
        Ok(line) => LogLine { target: target.clone(), stderr: line.stderr, text: neutral(&line.text) },
        Err(error) => {
            let text = format!("botctl: the log cannot be read: {}", chain(&error));
            LogLine { target: target.clone(), stderr: true, text }
        }
    });
    lines.boxed()
}

/// A log of which the next line is known.
struct Ahead {
    log: BoxStream<'static, LogLine>,
    line: Option<LogLine>,
    /// When the line was written; a line that does not say so belongs to the one before it.
    at: String,
}

impl Ahead {
    async fn read(&mut self) {
        self.line = self.log.next().await;
        if let Some(at) = self.line.as_ref().and_then(|line| written_at(&line.text)) {
            at.clone_into(&mut self.at);
        }
    }
}

/// Several logs as one, in the order of time. Holds one line of each.
fn in_order(logs: Vec<BoxStream<'static, LogLine>>) -> impl Stream<Item = LogLine> + Send {
    let logs: Vec<Ahead> = logs.into_iter().map(|log| Ahead { log, line: None, at: String::new() }).collect();
    stream::unfold((logs, false), |(mut logs, mut begun)| async move {
        if !begun {
            for log in &mut logs {
                log.read().await;
            }
            begun = true;
        }
        let next = logs.iter_mut().filter(|log| log.line.is_some()).min_by(|a, b| a.at.cmp(&b.at))?;
        let line = next.line.take()?;
        next.read().await;
        Some((line, (logs, begun)))
    })
}

/// The time in a line of ours: RFC 3339 in UTC with six digits, so that texts compare as times do.
fn written_at(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("\"timestamp\":\"")?;
    let (at, _) = rest.split_once('"')?;
    (at.starts_with("20") && at.ends_with('Z') && at.len() <= 32).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(target: &Target, lines: &[String]) -> BoxStream<'static, LogLine> {
        let line = |text: &String| LogLine { target: target.clone(), stderr: false, text: text.clone() };
        stream::iter(lines.iter().map(line).collect::<Vec<_>>()).boxed()
    }

    #[tokio::test]
    async fn several_logs_are_one_in_the_order_of_time() {
        let at = |second: u32, word: &str| {
            format!(r#"{{"timestamp":"2026-11-22T14:33:{second:02}.242143Z","level":"INFO","message":"{word}"}}"#)
        };
        let spark = [at(1, "a"), at(5, "d"), "panicked at".to_owned(), at(7, "f")];
        let backup = [at(2, "b"), at(3, "c"), at(6, "e")];
        let logs =
            vec![log_of(&Target::spark(), &spark), log_of(&Target::backup(), &backup), log_of(&Target::spark(), &[])];
        let said: Vec<String> = in_order(logs).map(|line| line.text).collect().await;
        let expect = [&spark[0], &backup[0], &backup[1], &spark[1], &spark[2], &backup[2], &spark[3]];
        assert_eq!(said.iter().collect::<Vec<_>>(), expect);
    }
}
