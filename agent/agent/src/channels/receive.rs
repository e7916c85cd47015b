//! Messages in: an update is confirmed with the next question, once its message is durable.

use std::time::Duration;

use agent_core::channel::words::{Language, Word};
use agent_core::channel::{Admission, Me, admit};
use agent_store::{ChatPlace, NewChat, OpenChat, StoreError, Wrote};
use platform_kit::random;
use platform_types::ErrorCode;
use platform_types::update::{ChatMessage, Update};

use super::desk::Notice;
use super::trouble::{Trouble, WireError};
use super::{Channel, FIRST_PAUSE, Fault, LONGEST_PAUSE, commands, message_id, press};
use crate::lifecycle::reason;

/// The gate reads a bounded answer: so many of the longest messages fit, and one always does.
const UPDATES_AT_ONCE: u32 = 8;
/// While somebody else asks with the same token, growing: each question cuts off the other's.
const FIRST_CONFLICT_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_CONFLICT_PAUSE: Duration = Duration::from_mins(5);
/// A server that says to wait longer is asked again after this.
const LONGEST_SERVER_PAUSE: Duration = Duration::from_mins(10);

/// Why receiving has to begin anew.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the store does not take part")]
    Fault(#[from] Fault),
    #[error("a message could not be taken: {0}")]
    NotTaken(String),
}

/// Pauses after failures.
#[derive(Debug)]
struct Pauses {
    next: Duration,
    conflict: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { next: FIRST_PAUSE, conflict: FIRST_CONFLICT_PAUSE }
    }
}

impl Pauses {
    fn after(&mut self, broken: &Broken) -> Duration {
        let trouble = match broken {
            Broken::Wire(error) => error.trouble(),
            Broken::Fault(_) | Broken::NotTaken(_) => Trouble::Later(None),
        };
        match trouble {
            Trouble::Later(Some(seconds)) => Duration::from_secs(u64::from(seconds)).min(LONGEST_SERVER_PAUSE),
            Trouble::Conflict => {
                let grown = (self.conflict * 2).min(LONGEST_CONFLICT_PAUSE);
                std::mem::replace(&mut self.conflict, grown)
            }
            _ => {
                let grown = (self.next * 2).min(LONGEST_PAUSE);
                std::mem::replace(&mut self.next, grown)
            }
        }
    }
}

/// Hears until it is dropped.
pub(super) async fn receive(channel: Channel) {
    let mut pauses = Pauses::default();
    loop {
        let Err(broken) = hear(&channel, &mut pauses).await;
        channel.health.deaf(&channel.name, &reason(&broken), channel.now());
        tokio::time::sleep(pauses.after(&broken)).await;
    }
}

async fn hear(channel: &Channel, pauses: &mut Pauses) -> Result<std::convert::Infallible, Broken> {
    let mut me = channel.server.me().await?;
    let (mut offset, mut limit) = (None, UPDATES_AT_ONCE);
    loop {
        let updates = match channel.server.updates(offset, limit).await {
            // Long messages of strangers must not keep the others from being heard.
            Err(error) if error.trouble() == Trouble::Unfit && limit > 1 => {
                limit = 1;
                continue;
            }
            updates => updates?,
        };
        (*pauses, limit) = (Pauses::default(), UPDATES_AT_ONCE);
        channel.health.well(&channel.name);
        if offset.is_some() {
            let name = channel.name.clone();
            channel.store(move |store| store.all_confirmed(&name)).await?;
        }
        // The server counts from elsewhere after a quiet week, and where the token is another bot's.
        if offset.is_some() && updates.first().is_some_and(|first| offset != Some(first.update_id)) {
            me = channel.server.me().await?;
        }
        for update in &updates {
            take(channel, &me, update).await?;
        }
        offset = updates.iter().map(|update| update.update_id.saturating_add(1)).max().or(offset);
    }
}

async fn take(channel: &Channel, me: &Me, update: &Update) -> Result<(), Broken> {
    if let Some(press) = &update.callback_query
        && is_new(channel, update).await?
    {
        press::pressed(channel, press).await?;
    }
    let Some(message) = &update.message else { return Ok(()) };
    let (place, language) = (place(channel, message), language(message));
    let words = match admit(me, message) {
        Admission::Ignore => return Ok(()),
        Admission::Take(text) => match enqueue(channel, me, (&place, message), text).await? {
            Ok(()) => return Ok(()),
            Err(word) => word.text(language).to_owned(),
        },
        // What is not a message is acted upon once, though its update may come again.
        _ if !is_new(channel, update).await? => return Ok(()),
        Admission::NoText(media) => Word::no_text(media).text(language).to_owned(),
        Admission::Command(command) => commands::carry_out(channel, &place, language, command).await?,
    };
    channel.notify(Notice { place, words, reply_to: message.message_id });
    Ok(())
}

async fn is_new(channel: &Channel, update: &Update) -> Result<bool, Broken> {
    let (name, number) = (channel.name.clone(), update.update_id);
    Ok(channel.store(move |store| store.handle(&name, number)).await?)
}

/// One conversation of the place, or why the message is not taken.
async fn enqueue(
    channel: &Channel,
    me: &Me,
    (place, message): (&ChatPlace, &ChatMessage),
    text: String,
) -> Result<Result<(), Word>, Broken> {
    let number = message.message_id;
    let new = NewChat { session: random::id(), secret: random::id() };
    let (place, bots, now, me) = (place.clone(), channel.bots(), channel.now(), me.clone());
    let opened = channel.store(move |store| {
        let opened = match store.open_chat(&place, &new, &bots, now) {
            Err(StoreError::TooManySessions(_)) => return Ok(None),
            opened => opened?,
        };
        let id = message_id(&opened.secret, &me, number);
        Ok(Some((store.has_message(&id)?, id, opened)))
    });
    let Some((known, id, OpenChat { session, .. })) = opened.await? else { return Ok(Err(Word::TooManyChats)) };
    if known {
        return Ok(Ok(()));
    }
    let language = language(message).as_str().to_owned();
    let person = message.from.as_ref().map_or(message.chat.id, |from| from.id);
    let wrote = Wrote { person, number, language };
    match channel.hands.chat(session, (id, text), wrote).await {
        Ok(()) => Ok(Ok(())),
        Err((ErrorCode::RateLimited, _)) => Ok(Err(Word::TooMany)),
        // It will work when the agent, or its disk, is well again: the server keeps the message.
        Err((ErrorCode::AgentUnavailable | ErrorCode::Internal, why)) => Err(Broken::NotTaken(why)),
        Err((code, why)) => {
            let (channel, code) = (channel.name.as_str(), code.as_str());
            tracing::warn!(channel, code, why, "a message of a channel was not taken");
            Ok(Err(Word::NotTaken))
        }
    }
}

fn place(channel: &Channel, message: &ChatMessage) -> ChatPlace {
    ChatPlace { channel: channel.name.clone(), chat: message.chat.id, topic: message.topic() }
}

fn language(message: &ChatMessage) -> Language {
    Language::of(message.from.as_ref().and_then(|from| from.language_code.as_deref()))
}

#[cfg(test)]
mod tests {
    use platform_types::update::{Refusal, RefusalParameters};

    use super::*;

    #[test]
    fn pauses_grow_and_the_servers_word_counts() {
        let mut pauses = Pauses::default();
        let seconds = |pauses: &mut Pauses, error_code: u16, retry_after: Option<u32>| {
            let parameters = RefusalParameters { retry_after };
            let refusal = Refusal { error_code, description: String::new(), parameters };
            pauses.after(&Broken::Wire(WireError::Server(refusal))).as_secs()
        };
        let down: Vec<u64> = (0..8).map(|_| seconds(&mut pauses, 502, None)).collect();
        assert_eq!(down, [1, 2, 4, 8, 16, 32, 60, 60]);
        let conflict: Vec<u64> = (0..8).map(|_| seconds(&mut pauses, 409, None)).collect();
        assert_eq!(conflict, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(seconds(&mut pauses, 429, Some(7)), 7);
        assert_eq!(seconds(&mut pauses, 429, Some(100_000)), 600);
    }
}
