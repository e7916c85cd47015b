//! Both directions of a connected socket.
//!
//! The page's messages go to the agent one by one: an agent that does not read holds the page back. The agent's messages
//! are queued for the page, bounded in number and bytes. A full queue holds the agent back for a moment; a page that is
//! slower than that is closed with 1013 and comes again, and so is one that takes no byte for long: that the connection says
//! itself ([`crate::http::guard`]).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use platform_types::gate::Caller;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::{self, Bytes, Message, Utf8Bytes};

use super::ending::Ending;
use super::enter::AgentSocket;
use super::places::{Queue, Room};
use super::upgrade::PageSocket;
use crate::gate::Gate;
use crate::limits::{MAX_QUEUED_MESSAGES, MESSAGES_PER_WRITE, SocketLimits};

/// A message on its way to the page.
struct Queued {
    text: Utf8Bytes,
    room: Room,
}

/// Pipes until one side ends it.
pub async fn run(gate: &Arc<Gate>, caller: &Caller, page: &mut PageSocket, agent: AgentSocket) -> Ending {
    let limits = &gate.limits.socket;
    let (page_out, page_in) = page.split();
    let (agent_out, agent_in) = agent.split();
    let (queue, queued) = mpsc::channel(MAX_QUEUED_MESSAGES);
    let last = OnceLock::new();
    tokio::select! {
        ending = from_page(gate, caller, page_in, agent_out) => ending,
        ending = from_agent(agent_in, queue, gate.sockets.queue(), limits.queue_time, &last) => ending,
        ending = to_page(page_out, queued, limits, &last) => ending,
    }
}

async fn from_page(
    gate: &Gate,
    caller: &Caller,
    mut page: SplitStream<&mut PageSocket>,
    mut agent: SplitSink<AgentSocket, Message>,
) -> Ending {
    let limits = &gate.limits.socket;
    loop {
        let text = match tokio::time::timeout(limits.silence, page.next()).await {
            Err(_) => return Ending::Silent,
            Ok(Some(Ok(Message::Text(text)))) => text,
            Ok(Some(Ok(Message::Binary(_)))) => return Ending::NotText,
            Ok(Some(Ok(Message::Close(_))) | None) => return Ending::Left,
            Ok(Some(Ok(_))) => continue,
            Ok(Some(Err(error))) => return Ending::of_page(&error),
        };
        gate.seen(caller);
        match tokio::time::timeout(limits.agent_stall, agent.send(Message::Text(text))).await {
            Ok(Ok(())) => {}
            // It is going. What it said last, and why it closes, is read on the other side of this pipe.
            Ok(Err(_)) => {
                tokio::time::sleep(limits.close_time).await;
                return Ending::AgentGone;
            }
            Err(_) => return Ending::AgentGone,
        }
    }
}

/// Queues what the agent says. Leaves the end in `last`, which [`to_page`] tells once the queue is empty.
async fn from_agent(
    mut agent: SplitStream<AgentSocket>,
    out: mpsc::Sender<Queued>,
    queue: Queue,
    patience: Duration,
    last: &OnceLock<Ending>,
) -> Ending {
    let end = loop {
        match agent.next().await {
            Some(Ok(Message::Text(text))) => {
                let queued = tokio::time::timeout(patience, enqueue(&out, &queue, text)).await;
                if queued.ok().flatten().is_none() {
                    return Ending::TooSlow;
                }
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(frame))) => break Ending::of_agent(frame.as_ref()),
            Some(Ok(_) | Err(_)) | None => break Ending::AgentGone,
        }
    };
    last.get_or_init(|| end);
    drop(out);
    std::future::pending().await
}

async fn enqueue(out: &mpsc::Sender<Queued>, queue: &Queue, text: Utf8Bytes) -> Option<()> {
    let room = queue.room(text.len()).await?;
    out.send(Queued { text, room }).await.ok()
}

async fn to_page(
    mut page: SplitSink<&mut PageSocket, Message>,
    mut queued: mpsc::Receiver<Queued>,
    limits: &SocketLimits,
    last: &OnceLock<Ending>,
) -> Ending {
    let mut ping = tokio::time::interval_at(Instant::now() + limits.ping_every, limits.ping_every);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let sent = tokio::select! {
            next = queued.recv() => match next {
                Some(next) => write(&mut page, next, &mut queued).await,
                None => return last.get().cloned().unwrap_or(Ending::AgentGone),
            },
            _ = ping.tick() => page.send(Message::Ping(Bytes::new())).await,
        };
        if let Err(error) = sent {
            return Ending::of_write(&error);
        }
    }
}

/// Writes a message, and with it some that wait behind it. Their room is taken until they are out.
async fn write(
    page: &mut SplitSink<&mut PageSocket, Message>,
    first: Queued,
    waiting: &mut mpsc::Receiver<Queued>,
) -> Result<(), tungstenite::Error> {
    let mut rooms = Vec::with_capacity(1);
    let mut next = Some(first);
    while let Some(Queued { text, room }) = next {
        page.feed(Message::Text(text)).await?;
        rooms.push(room);
        next = if rooms.len() < MESSAGES_PER_WRITE { waiting.try_recv().ok() } else { None };
    }
    page.flush().await
}
