//! Answers out: the store says what has to be delivered, and how far it is.

use agent_core::channel::{render, split};
use agent_store::{Delivery, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Channel, FIRST_PAUSE, LONGEST_PAUSE};
use crate::database::Closed;

/// Why delivering has to wait.
#[derive(Debug, thiserror::Error)]
enum Late {
    #[error("the server cannot be reached")]
    Wire(#[from] super::wire::WireError),
    #[error("the store does not say what to deliver")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Delivers until `stop`; a part that is being sent is finished.
pub(super) async fn deliver(channel: Channel, mut outgoing: watch::Receiver<()>, stop: CancellationToken) {
    let mut pause = FIRST_PAUSE;
    while !stop.is_cancelled() {
        outgoing.mark_unchanged();
        let wait = match all(&channel, &stop).await {
            Ok(()) => {
                pause = FIRST_PAUSE;
                None
            }
            Err(Late::Closed(_)) => return,
            Err(error) => {
                let channel = channel.name.as_str();
                tracing::warn!(channel, error = &error as &dyn std::error::Error, "an answer waits to be delivered");
                let wait = pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                Some(wait)
            }
        };
        let news = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                // The hub that says so lives as long as this.
                None => drop(outgoing.changed().await),
            }
        };
        tokio::select! {
            () = news => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Everything that has to go out now.
async fn all(channel: &Channel, stop: &CancellationToken) -> Result<(), Late> {
    let database = &channel.hands.database;
    while !stop.is_cancelled() {
        let (name, now) = (channel.name.clone(), channel.hands.tooling.clock.now());
        let Some(delivery) = database.call(move |store| store.next_delivery(&name, now)).await?? else { return Ok(()) };
        one(channel, &delivery, stop).await?;
    }
    Ok(())
}

async fn one(channel: &Channel, delivery: &Delivery, stop: &CancellationToken) -> Result<(), Late> {
    let Delivery { message, chat, text, note, begun, shortened } = delivery;
    let database = &channel.hands.database;
    let begin = async |parts: usize| {
        let message = message.clone();
        database.call(move |store| store.delivery_begun(&message, parts)).await
    };
    let mut failed = None;
    for (number, part) in (1..).zip(split(&render(text, note.as_ref(), *shortened))).skip(*begun) {
        if stop.is_cancelled() {
            return Ok(());
        }
        begin(number).await??;
        match channel.server.say(*chat, &part, Some(message)).await {
            Ok(()) => {}
            Err(error) if error.is_passing() => {
                begin(number - 1).await??;
                return Err(error.into());
            }
            Err(error) => {
                let (channel, denied) = (channel.name.as_str(), error.is_denied());
                tracing::warn!(
                    channel,
                    denied,
                    error = &error as &dyn std::error::Error,
                    "an answer was not delivered"
                );
                failed = Some(if denied { "the gate does not know the chat" } else { "the server refused it" });
                break;
            }
        }
    }
    let (message, now) = (message.clone(), channel.hands.tooling.clock.now());
    database.call(move |store| store.delivery_ended(&message, failed, now)).await??;
    channel.hands.delivered();
    Ok(())
}
