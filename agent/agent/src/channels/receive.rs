//! Messages in: an update is confirmed with the next question, once its message is durable.

use agent_core::channel::{Admission, Me, admit};
use agent_store::{ChatPlace, NewChat, OpenChat, StoreError};
use platform_kit::random;
use platform_types::ErrorCode;
use platform_types::update::ChatMessage;

use super::wire::WireError;
use super::{Channel, FIRST_PAUSE, LONGEST_PAUSE, message_id};

/// The gate reads a bounded answer: so many of the longest messages fit, and one always does.
const UPDATES_AT_ONCE: u32 = 8;
const TOO_MANY: &str = "Too many messages wait here already; please send this one again later.";
const NOT_TAKEN: &str = "This message was not taken; please try again later.";

/// Why receiving has to begin anew.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("a message could not be taken: {0}")]
    NotTaken(String),
}

/// Hears until it is dropped.
pub(super) async fn receive(channel: Channel) {
    let mut pause = FIRST_PAUSE;
    loop {
        let ended = hear(&channel, &mut pause).await;
        let channel = channel.name.as_str();
        match ended {
            Ok(never) => match never {},
            Err(error) => tracing::warn!(channel, error = &error as &dyn std::error::Error, "the channel is not heard"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn hear(channel: &Channel, pause: &mut std::time::Duration) -> Result<std::convert::Infallible, Broken> {
    let me = channel.server.me().await?;
    let (mut offset, mut limit) = (None, UPDATES_AT_ONCE);
    loop {
        let updates = match channel.server.updates(offset, limit).await {
            // Long messages of strangers must not keep the others from being heard.
            Err(error) if error.is_unfit() && limit > 1 => {
                limit = 1;
                continue;
            }
            updates => updates?,
        };
        (*pause, limit) = (FIRST_PAUSE, UPDATES_AT_ONCE);
        for update in updates {
            if let Some(message) = update.message {
                take(channel, &me, &message).await?;
            }
            offset = offset.max(Some(update.update_id.saturating_add(1)));
        }
    }
}

async fn take(channel: &Channel, me: &Me, message: &ChatMessage) -> Result<(), Broken> {
    let notice = match admit(me, message) {
        Admission::Ignore => return Ok(()),
        Admission::Notice(notice) => notice,
        Admission::Take(text) => match enqueue(channel, message, text).await {
            Ok(()) => return Ok(()),
            Err((ErrorCode::RateLimited, _)) => TOO_MANY,
            // It will work when the agent, or its disk, is well again: the server keeps the message.
            Err((ErrorCode::AgentUnavailable | ErrorCode::Internal, why)) => return Err(Broken::NotTaken(why)),
            Err((code, why)) => {
                let (channel, code) = (channel.name.as_str(), code.as_str());
                tracing::warn!(channel, code, why, "a message of a channel was not taken");
                NOT_TAKEN
            }
        },
    };
    if let Err(error) = channel.server.say(message.chat.id, notice, None).await {
        tracing::info!(channel = %channel.name, error = &error as &dyn std::error::Error, "a notice was not sent");
    }
    Ok(())
}

/// One session a chat.
async fn enqueue(channel: &Channel, message: &ChatMessage, text: String) -> Result<(), (ErrorCode, String)> {
    let chat = message.chat.id;
    let new = NewChat { session: random::id(), secret: random::id() };
    let place = ChatPlace { channel: channel.name.clone(), chat };
    let (bot, now) = (channel.bot.clone(), channel.hands.tooling.clock.now());
    let opened = channel.hands.database.call(move |store| store.open_chat(&place, &new, &bot, now)).await;
    let opened = opened.map_err(|closed| (ErrorCode::AgentUnavailable, closed.to_string()))?;
    let OpenChat { session, secret } = opened.map_err(|error| match error {
        StoreError::TooManySessions(_) => (ErrorCode::TooLarge, error.to_string()),
        other => (ErrorCode::Internal, other.to_string()),
    })?;
    channel.hands.chat(session, (message_id(&secret, message.message_id), text)).await
}
