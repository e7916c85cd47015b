//! From an update of a channel to a message for a bot, and from an answer to messages for a chat.
//!
//! ```text
//! update ─ read ─▶ message ─ admit ─▶ take: enqueued as a turn │ command │ no text: refused with words │ ignore
//! answer ─ markdown ─▶ tree ─ rich ─▶ runs of one style ─ split ─▶ parts ─ html ─▶ sent in their order, as pace allows
//! ```
//!
//! The gate has decided who is heard. Here it is decided whether the bot is meant.
//!
//! | module | what |
//! |---|---|
//! | [`command`] | `/new` and its kin |
//! | [`rich`] | an answer's tree as text in runs of one style |
//! | [`split`] | parts that fit into one message |
//! | [`html`] | a part as the Bot API wants it |
//! | [`pace`] | when a chat takes the next message |
//! | [`words`] | what the agent itself says, in English and German |

pub mod command;
pub mod html;
pub mod pace;
pub mod rich;
pub mod split;
pub mod words;

use platform_types::chat::{Note, NoteCode};
use platform_types::update::{ChatKind, ChatMessage, Entity, Media};

use command::{Command, Parsed};
use words::{Language, Word};

/// Who the bot is on its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    pub id: i64,
    /// Without the `@`; empty when the server does not say.
    pub username: String,
}

/// What happens to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// A turn of the chat's session.
    Take(String),
    Command(Command),
    /// There is no text to read.
    NoText(Media),
    Ignore,
}

/// What happens to a message that the gate let through.
pub fn admit(me: &Me, message: &ChatMessage) -> Admission {
    let text = message.text.as_deref().unwrap_or_default().trim();
    let parsed = command::parse(me, text);
    let meant = match message.chat.kind {
        ChatKind::Private => true,
        ChatKind::Group | ChatKind::Supergroup => is_meant(me, message) || matches!(parsed, Parsed::Addressed(_)),
        ChatKind::Other => false,
    };
    if !meant {
        return Admission::Ignore;
    }
    match (parsed, message.media) {
        (Parsed::Command(command) | Parsed::Addressed(command), _) => Admission::Command(command),
        (Parsed::Text, _) if !text.is_empty() => Admission::Take(text.to_owned()),
        (Parsed::Text, Some(media)) => Admission::NoText(media),
        // For another bot; or somebody came, went or pinned something.
        (Parsed::ForAnother, _) | (Parsed::Text, None) => Admission::Ignore,
    }
}

/// Mentioned by name, or answered.
fn is_meant(me: &Me, message: &ChatMessage) -> bool {
    let answered = message.reply_to_message.as_ref().and_then(|replied| replied.from.as_ref());
    if answered.is_some_and(|from| from.id.0 == me.id) {
        return true;
    }
    let units: Vec<u16> = message.text.as_deref().unwrap_or_default().encode_utf16().collect();
    let mention = |entity: &Entity| {
        let end = entity.offset.checked_add(entity.length)?;
        let text = String::from_utf16(units.get(entity.offset..end)?).ok()?;
        let name = text.strip_prefix('@')?;
        (entity.kind == "mention" && !name.is_empty() && name.eq_ignore_ascii_case(&me.username)).then_some(())
    };
    message.entities.iter().any(|entity| mention(entity).is_some())
}

/// What stands below an answer: why it is not whole, and whether older messages were left out for it.
pub fn remarks(note: Option<&Note>, shortened: bool, language: Language) -> Vec<&'static str> {
    let why = note.map(|note| match note.code {
        NoteCode::Stopped => Word::Stopped,
        NoteCode::Interrupted => Word::Interrupted,
        NoteCode::Failed => Word::Failed,
        NoteCode::Length => Word::TooLong,
        NoteCode::ToolLimit => Word::TooManyTools,
    });
    why.into_iter().chain(shortened.then_some(Word::Shortened)).map(|word| word.text(language)).collect()
}

#[cfg(test)]
mod tests {
    use platform_types::channel::ChatId;
    use platform_types::update::{Author, Chat, RepliedTo};

    use super::*;

    fn me() -> Me {
        Me { id: 42, username: "House_bot".to_owned() }
    }

    fn message(kind: ChatKind, text: Option<&str>) -> ChatMessage {
        ChatMessage {
            message_id: 1,
            message_thread_id: None,
            is_topic_message: false,
            chat: Chat { id: ChatId(7), kind },
            from: None,
            text: text.map(str::to_owned),
            entities: Vec::new(),
            media: None,
            reply_to_message: None,
        }
    }

    #[test]
    fn what_a_person_writes_alone() {
        let check = |text: Option<&str>, expect: Admission| {
            assert_eq!(admit(&me(), &message(ChatKind::Private, text)), expect, "{text:?}");
        };
        check(Some("  hello "), Admission::Take("hello".to_owned()));
        check(Some("/start abc"), Admission::Command(Command::Start));
        check(Some("/new@other_bot"), Admission::Ignore);
        check(Some("/etc/passwd is what?"), Admission::Take("/etc/passwd is what?".to_owned()));
        check(Some(" \n"), Admission::Ignore);
        check(None, Admission::Ignore);
        let voice = ChatMessage { media: Some(Media::Voice), ..message(ChatKind::Private, None) };
        assert_eq!(admit(&me(), &voice), Admission::NoText(Media::Voice));
        assert_eq!(admit(&me(), &message(ChatKind::Other, Some("hello"))), Admission::Ignore);
    }

    #[test]
    fn a_group_has_to_mean_the_bot() {
        let mention = |text: &str, kind: &str, offset: usize, length: usize| {
            let entity = Entity { kind: kind.to_owned(), offset, length };
            ChatMessage { entities: vec![entity], ..message(ChatKind::Group, Some(text)) }
        };
        let check = |message: &ChatMessage, heard: bool| {
            assert_eq!(admit(&me(), message) != Admission::Ignore, heard, "{message:?}");
        };
        check(&message(ChatKind::Group, Some("@House_bot hello")), false);
        check(&mention("@House_bot hello", "mention", 0, 10), true);
        check(&mention("😀 @house_BOT", "mention", 3, 10), true);
        check(&mention("@House_bot hello", "bold", 0, 10), false);
        check(&mention("@House_bots hi", "mention", 0, 11), false);
        check(&mention("@other_bot hello", "mention", 0, 10), false);
        check(&mention("@House_bot", "mention", 0, 99), false);
        check(&mention("@House_bot", "mention", usize::MAX, 2), false);
        check(&mention("😀", "mention", 1, 1), false);
        check(&message(ChatKind::Group, Some("/stop")), false);
        check(&message(ChatKind::Group, Some("/stop@house_bot")), true);
        check(&message(ChatKind::Group, Some("/stop@other_bot")), false);
        let from = |id| Some(Author { id: ChatId(id) });
        let reply = |id| ChatMessage {
            reply_to_message: Some(RepliedTo { message_id: 1, from: from(id) }),
            ..message(ChatKind::Supergroup, Some("and now?"))
        };
        check(&reply(42), true);
        check(&reply(41), false);
        let spoken = |id| ChatMessage { media: Some(Media::Voice), text: None, ..reply(id) };
        check(&spoken(42), true);
        check(&spoken(41), false);
        let nameless = Me { id: 42, username: String::new() };
        assert_eq!(admit(&nameless, &mention("@ hello", "mention", 0, 1)), Admission::Ignore);
    }

    #[test]
    fn an_answer_says_why_it_is_not_whole() {
        let note = |code| Note { code, detail: Some("secret detail".to_owned()) };
        assert_eq!(remarks(None, false, Language::English), [""; 0]);
        assert_eq!(
            remarks(Some(&note(NoteCode::Interrupted)), true, Language::English),
            [
                "(Cut off: the agent was restarted.)",
                "(Older parts of the chat were left out: it is longer than the model takes.)"
            ]
        );
        assert_eq!(remarks(Some(&note(NoteCode::Stopped)), false, Language::German), ["(Angehalten.)"]);
    }
}
