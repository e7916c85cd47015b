//! From an update of a channel to a message for a bot, and from an answer to texts for a chat.
//!
//! ```text
//! update ─ read ─▶ chat, message ─ admit ─▶ take: enqueued as a turn │ notice: said at once │ ignore
//! answer ─ render ─▶ plain text ─ split ─▶ parts, sent in their order
//! ```
//!
//! The gate has decided who is heard. Here it is decided whether the bot is meant.

use platform_types::chat::{Note, NoteCode};
use platform_types::update::{ChatKind, ChatMessage, Entity};

use crate::text::utf16_len;

/// Longest text of one message, in UTF-16 units (Bot API, `sendMessage`).
pub const MAX_PART_UNITS: u64 = 4096;
/// Messages that one answer is split into; what is longer is read at the page.
pub const MAX_PARTS: usize = 8;

const ONLY_TEXT: &str = "I can read text only.";
const NO_COMMANDS: &str = "There are no commands here; just write.";
const SHORTENED: &str = "(Older parts of the chat were left out: it is longer than the model takes.)";
const CUT: &str = "(The answer is longer; the page has all of it.)";

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
    /// Said at once; no model is asked.
    Notice(&'static str),
    Ignore,
}

/// What happens to a message that the gate let through.
pub fn admit(me: &Me, message: &ChatMessage) -> Admission {
    let alone = match message.chat.kind {
        ChatKind::Private => true,
        ChatKind::Group | ChatKind::Supergroup => false,
        ChatKind::Other => return Admission::Ignore,
    };
    if !alone && !is_meant(me, message) {
        return Admission::Ignore;
    }
    match message.text.as_deref().map(str::trim) {
        None | Some("") => Admission::Notice(ONLY_TEXT),
        Some(text) if text.starts_with('/') => Admission::Notice(NO_COMMANDS),
        Some(text) => Admission::Take(text.to_owned()),
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

/// An answer as plain text: what was said, why it is not whole, and whether older messages were left out for it.
pub fn render(text: &str, note: Option<&Note>, shortened: bool) -> String {
    let why = note.map(|note| match note.code {
        NoteCode::Stopped => "(Stopped.)",
        NoteCode::Interrupted => "(Cut off: the agent was restarted.)",
        NoteCode::Failed => "(The answer failed; please try again.)",
        NoteCode::Length => "(Cut off: the answer reached its limit.)",
        NoteCode::ToolLimit => "(Cut off: too many tool calls.)",
    });
    let left_out = if shortened { SHORTENED } else { "" };
    let parts: Vec<&str> =
        [text.trim(), why.unwrap_or_default(), left_out].into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}

/// Parts that a server takes, each at most [`MAX_PART_UNITS`] long, cut at lines or words where there are some.
pub fn split(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if parts.len() == MAX_PARTS - 1 && utf16_len(rest) > MAX_PART_UNITS {
            parts.push(CUT.to_owned());
            break;
        }
        let (part, after) = cut(rest);
        parts.push(part.trim_end().to_owned());
        rest = after.trim_start();
    }
    parts
}

/// The first part and what comes after it.
fn cut(text: &str) -> (&str, &str) {
    let mut units = 0;
    let fits = text.char_indices().find(|(_, c)| {
        units += c.len_utf16() as u64;
        units > MAX_PART_UNITS
    });
    let Some((end, _)) = fits else { return (text, "") };
    let head = &text[..end];
    // In its second half, or a part would be nearly empty.
    let second = |at: usize| (at > end / 2).then_some(at);
    let at = head.rfind("\n\n").and_then(second).or_else(|| head.rfind('\n').and_then(second));
    let at = at.or_else(|| head.rfind(char::is_whitespace).and_then(second)).unwrap_or(end);
    text.split_at(at)
}

#[cfg(test)]
mod tests {
    use platform_types::channel::ChatId;
    use platform_types::update::{Author, Chat, RepliedTo};
    use proptest::prelude::*;

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
        check(Some("/start abc"), Admission::Notice(NO_COMMANDS));
        check(Some(" \n"), Admission::Notice(ONLY_TEXT));
        check(None, Admission::Notice(ONLY_TEXT));
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
        let from = |id| Some(Author { id: ChatId(id) });
        let reply = |id| ChatMessage {
            reply_to_message: Some(RepliedTo { message_id: 1, from: from(id) }),
            ..message(ChatKind::Supergroup, Some("and now?"))
        };
        check(&reply(42), true);
        check(&reply(41), false);
        let nameless = Me { id: 42, username: String::new() };
        assert_eq!(admit(&nameless, &mention("@ hello", "mention", 0, 1)), Admission::Ignore);
    }

    #[test]
    fn an_answer_says_why_it_is_not_whole() {
        let note = |code| Some(Note { code, detail: Some("secret detail".to_owned()) });
        assert_eq!(render(" Hello ", None, false), "Hello");
        assert_eq!(render("Hello", None, true), format!("Hello\n\n{SHORTENED}"));
        assert_eq!(
            render("Half", note(NoteCode::Interrupted).as_ref(), false),
            "Half\n\n(Cut off: the agent was restarted.)"
        );
        assert_eq!(render("", note(NoteCode::Failed).as_ref(), false), "(The answer failed; please try again.)");
    }

    #[test]
    fn long_answers_are_cut_at_lines_and_words() {
        let line = "word ".repeat(500);
        let text = format!("{line}\n\n{line}\n{line}");
        let parts = split(&text);
        assert_eq!(parts.len(), 3);
        assert!(parts.iter().all(|part| part.ends_with("word")), "{parts:?}");
        assert_eq!(split("short"), ["short"]);
        assert_eq!(split(" \n"), [] as [&str; 0]);
        let endless = split(&"x".repeat(100_000));
        assert_eq!((endless.len(), endless.last().map(String::as_str)), (MAX_PARTS, Some(CUT)));
    }

    proptest! {
        #[test]
        fn every_part_fits_and_nothing_but_space_is_lost(text in "[a-zü😀 \n]{0,200}", times in 1..90_usize) {
            let text = text.repeat(times);
            let parts = split(&text);
            prop_assert!(parts.len() <= MAX_PARTS);
            prop_assert!(parts.iter().all(|part| !part.is_empty() && utf16_len(part) <= MAX_PART_UNITS));
            if parts.last().is_none_or(|last| last != CUT) {
                let plain = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
                prop_assert_eq!(plain(&parts.concat()), plain(&text));
            }
        }
    }
}
