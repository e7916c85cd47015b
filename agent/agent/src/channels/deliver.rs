//! Answers out: the store says what has to be delivered, and how far it is.
//!
//! **How anything else is said in a chat**, by a schedule say: store a message of the bot in the chat's conversation, in one commit
//! with what it is about, and wake the desks with `hands.outgoing`. Whatever message a bot has there is delivered, whoever
//! wrote it: a trigger of the database makes the delivery in the same commit ([`agent_store::outgoing`]). So it is said once, over
//! restarts too, in parts, as the chat takes it, it stands in the conversation, and `delivery_ended` is the fact that it
//! arrived or was given up: jobs by the clock do so.

use agent_core::channel::remarks;
use agent_core::channel::rich::Rich;
use agent_core::channel::split::split;
use agent_core::channel::words::Language;
use agent_store::Delivery;

use super::desk::{Desk, Failed, Late};
use super::trouble::Trouble;
use super::wire::Post;
use crate::markdown::{self, Patience};

impl Desk {
    /// Sends the next part of an answer; the first one becomes of the draft what the draft was to become.
    pub(super) async fn deliver(&mut self, delivery: &Delivery) -> Result<(), Late> {
        let Delivery { message, place, begun, origin, draft, .. } = delivery;
        let parts = parts(delivery);
        let Some(part) = parts.get(*begun) else { return self.ended(delivery, None).await };
        let is_first = *begun == 0;
        let reply_to = origin.as_ref().filter(|_| is_first && place.chat.0 < 0).map(|origin| origin.number);
        let post = Post { reply_to, about: Some(message), ..Post::new(place, part) };
        let done = begun + 1;
        if let Some(number) = draft.filter(|_| is_first) {
            match self.channel.server.edit(number, post).await {
                // Somebody deleted it.
                Err(error) if error.trouble() == Trouble::NoMessage => {}
                edited => {
                    return match self.outcome(place.chat, edited)? {
                        Err(Failed::NotYet) => Ok(()),
                        Ok(()) | Err(Failed::Maybe) if done < parts.len() => self.begun(delivery, done).await,
                        Ok(()) | Err(Failed::Maybe) => self.ended(delivery, None).await,
                        Err(Failed::Never(why)) => self.ended(delivery, Some(why)).await,
                    };
                }
            }
        }
        self.begun(delivery, done).await?;
        let sent = self.channel.server.send(post).await;
        match self.outcome(place.chat, sent) {
            Ok(Ok(_) | Err(Failed::Maybe)) if done < parts.len() => Ok(()),
            Ok(Ok(_) | Err(Failed::Maybe)) => self.ended(delivery, None).await,
            Ok(Err(Failed::Never(why))) => self.ended(delivery, Some(why)).await,
            Ok(Err(Failed::NotYet)) => self.begun(delivery, *begun).await,
            Err(late) => {
                self.begun(delivery, *begun).await?;
                Err(late)
            }
        }
    }

    async fn begun(&self, delivery: &Delivery, parts: usize) -> Result<(), Late> {
        let message = delivery.message.clone();
        Ok(self.channel.store(move |store| store.delivery_begun(&message, parts)).await?)
    }

    async fn ended(&self, delivery: &Delivery, failed: Option<&'static str>) -> Result<(), Late> {
        let (message, now) = (delivery.message.clone(), self.channel.now());
        self.channel.store(move |store| store.delivery_ended(&message, failed, now)).await?;
        self.channel.hands.delivered();
        Ok(())
    }
}

/// The messages that an answer becomes: the same ones each time.
fn parts(delivery: &Delivery) -> Vec<Rich> {
    let Delivery { text, note, shortened, origin, .. } = delivery;
    let language = Language::of(origin.as_ref().map(|origin| origin.language.as_str()));
    let tree = markdown::parse(text.trim(), Patience::default());
    split(&Rich::of(&tree, &remarks(note.as_ref(), *shortened, language)), language)
}
