//! What is said on a channel, with Telegram's names, as a gate passes it on.
//!
//! Every type here names what passes; members that are not named do not. The gate reads an update into these types and writes
//! it again. [`Media`] is the one thing of its own: what a message is instead of text, without a name or an id of a file.

use serde::{Deserialize, Serialize};

use crate::channel::ChatId;

/// Updates in one answer; more are not read.
pub const MAX_UPDATES: usize = 100;
/// Longest `data` of a button, in bytes (Bot API, `InlineKeyboardButton`).
pub const MAX_BUTTON_BYTES: usize = 64;
/// Longest language tag that passes, in characters.
pub const MAX_LANGUAGE_CHARS: usize = 16;
/// Members that pass of a server's refusal: see [`Refusal`].
pub const REFUSAL_MEMBERS: [&str; 3] = ["error_code", "description", "parameters.retry_after"];

/// Answer to `getUpdates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Updates {
    pub ok: bool,
    pub result: Vec<Update>,
}

/// One update. With nothing in it, it is one that was not for the agent: its number still counts for `offset`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    pub update_id: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<ChatMessage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_query: Option<Press>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    pub message_id: i64,
    /// A topic where `is_topic_message` is set; elsewhere only a thread of answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_thread_id: Option<i64>,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub is_topic_message: bool,
    pub chat: Chat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Sender>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<Entity>,
    /// What it is instead of text. Written by the gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to_message: Option<RepliedTo>,
}

impl ChatMessage {
    /// The topic that it belongs to.
    pub fn topic(&self) -> Option<i64> {
        self.message_thread_id.filter(|_| self.is_topic_message)
    }
}

/// What a message is instead of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Media {
    /// Something to listen to.
    Voice,
    /// Something to look at.
    Picture,
    File,
    /// A place, a contact, a poll.
    #[serde(other)]
    Other,
}

impl Media {
    /// Telegram's members and what they are. An animation has `document` too, so what is seen comes first.
    pub const MEMBERS: [(&str, Self); 15] = [
        ("voice", Self::Voice),
        ("audio", Self::Voice),
        ("video_note", Self::Voice),
        ("photo", Self::Picture),
        ("video", Self::Picture),
        ("animation", Self::Picture),
        ("sticker", Self::Picture),
        ("story", Self::Picture),
        ("paid_media", Self::Picture),
        ("document", Self::File),
        ("contact", Self::Other),
        ("location", Self::Other),
        ("poll", Self::Other),
        ("dice", Self::Other),
        ("checklist", Self::Other),
    ];
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    pub id: ChatId,
    #[serde(rename = "type")]
    pub kind: ChatKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatKind {
    Private,
    Group,
    Supergroup,
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    pub id: ChatId,
    #[serde(default)]
    pub is_bot: bool,
    #[serde(default)]
    pub first_name: String,
    /// IETF tag of the language that the sender's program has. The gate leaves one out that is longer than
    /// [`MAX_LANGUAGE_CHARS`] or has other characters than letters, digits and hyphens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_code: Option<String>,
}

/// A part of a text with a meaning; offset and length count UTF-16 units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    #[serde(rename = "type")]
    pub kind: String,
    pub offset: usize,
    pub length: usize,
}

/// The message that is answered: who wrote it, and not what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepliedTo {
    pub message_id: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Author>,
}

/// Who wrote a message that is answered. A number only: what strangers call themselves does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    pub id: ChatId,
}

/// Somebody pressed a button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Press {
    /// What `answerCallbackQuery` wants.
    pub id: String,
    pub from: Sender,
    /// `None`: the button was not in a chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Pressed>,
    /// What the bot gave the button. Whoever presses can send another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// The message with the button: where it is, and not what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pressed {
    pub message_id: i64,
    pub chat: Chat,
}

/// What a server says when it does not do what it was asked. It has these members and no others once a gate passed it on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    #[serde(default)]
    pub error_code: u16,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub parameters: RefusalParameters,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalParameters {
    /// Seconds until the server takes something again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_members_of_an_update_pass() {
        let text = r#"{"update_id":5,"edited_message":{"text":"x"},"message":{"message_id":1,"date":9,"chat":{"id":7,
            "type":"private","title":"t"},"from":{"id":7,"is_bot":false,"first_name":"A","username":"a"},"text":"hi",
            "reply_to_message":{"message_id":2,"text":"of a stranger","from":{"id":8,"is_bot":false,"first_name":"Mallory"}},"caption":"no"},
            "callback_query":{"id":"9","chat_instance":"ci","from":{"id":7,"first_name":"A","username":"a"},"data":"d",
            "message":{"message_id":3,"text":"the old words","chat":{"id":7,"type":"private","first_name":"t"}}}}"#;
        let update: Update = serde_json::from_str(text).expect("parses");
        let written = serde_json::to_string(&update).expect("serialises");
        for gone in ["edited", "title", "username", "of a stranger", "Mallory", "caption", "instance", "old words"] {
            assert!(!written.contains(gone), "{written}");
        }
        assert!(written.contains("\"hi\"") && written.contains(r#""from":{"id":8}"#), "{written}");
        assert!(
            written.contains(r#""message":{"message_id":3,"chat":{"id":7,"type":"private"}},"data":"d""#),
            "{written}"
        );
    }

    #[test]
    fn a_thread_of_answers_is_no_topic() {
        let read = |more: &str| {
            let text = format!(r#"{{"message_id":1,"chat":{{"id":-7,"type":"supergroup"}}{more}}}"#);
            serde_json::from_str::<ChatMessage>(&text).expect("parses").topic()
        };
        assert_eq!(read(r#","message_thread_id":4,"is_topic_message":true"#), Some(4));
        assert_eq!(read(r#","message_thread_id":4"#), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_refusal_may_say_little() {
        let read = |text: &str| serde_json::from_str::<Refusal>(text).expect("parses");
        assert_eq!(read("{}"), Refusal::default());
        let busy = read(
            r#"{"error_code":429,"description":"Too Many Requests: retry after 3","parameters":{"retry_after":3}}"#,
        );
        assert_eq!((busy.error_code, busy.parameters.retry_after), (429, Some(3)));
    }
}
