//! A Telegram bot that hears and talks to the chats that its channel knows; without a channel of the upstream's name, nobody.
//!
//! Link previews are off, so Telegram fetches nothing that a message names; there are no buttons with URLs, no media by URL,
//! no `setWebhook`. Every method is called with a JSON body; names are spelled as in the Bot API.

use std::collections::BTreeMap;

use platform_types::egress::{AnswerFilter, Field, Method, Rule, Shape};

use super::{list, named, object, one_of, optional, required, rule, text};

/// Stands before the token in the path.
pub const TOKEN_PREFIX: &str = "bot";
/// Longest text of a message, as the Bot API counts it at most.
const MAX_TEXT_CHARS: usize = 4096;
const MAX_ROWS: usize = 8;
const UPDATES: [&str; 4] = ["message", "edited_message", "callback_query", "stopped_message_generation"];

pub fn rules() -> Vec<Rule> {
    let id = || Shape::Integer { min: 1, max: i64::from(i32::MAX) };
    let get_updates = named([
        ("offset", optional(Shape::Integer { min: 0, max: i64::MAX })),
        ("limit", optional(Shape::Integer { min: 1, max: 100 })),
        ("timeout", optional(Shape::Integer { min: 0, max: 50 })),
        ("allowed_updates", optional(list(one_of(UPDATES), UPDATES.len()))),
    ]);
    let mut send = message();
    send.extend(named([
        ("message_thread_id", optional(id())),
        ("disable_notification", optional(Shape::Boolean)),
        ("reply_parameters", optional(object([("message_id", required(id()))]))),
    ]));
    let mut edit = message();
    edit.extend(named([("message_id", required(id()))]));
    let answer = named([
        ("callback_query_id", required(text(64))),
        ("text", optional(text(200))),
        ("show_alert", optional(Shape::Boolean)),
    ]);
    let action = named([
        ("chat_id", required(Shape::ApprovedChat)),
        ("message_thread_id", optional(id())),
        ("action", required(one_of(["typing"]))),
    ]);
    let post = |name: &str, body| Rule {
        body: Some(body),
        answer: AnswerFilter::Whole,
        ..rule(name, Method::Post, &format!("/{name}"))
    };
    vec![
        Rule { answer: AnswerFilter::Whole, ..rule("getMe", Method::Get, "/getMe") },
        Rule { answer: AnswerFilter::Updates, ..post("getUpdates", get_updates) },
        post("sendMessage", send),
        post("editMessageText", edit),
        post("answerCallbackQuery", answer),
        post("sendChatAction", action),
    ]
}

/// A text to an approved chat, perhaps with buttons that come back as a callback.
fn message() -> BTreeMap<String, Field> {
    let button = object([("text", required(text(64))), ("callback_data", required(text(64)))]);
    let keyboard = object([("inline_keyboard", required(list(list(button, MAX_ROWS), MAX_ROWS)))]);
    named([
        ("chat_id", required(Shape::ApprovedChat)),
        ("text", required(text(MAX_TEXT_CHARS))),
        ("link_preview_options", required(object([("is_disabled", required(one_of([true])))]))),
        ("parse_mode", optional(one_of(["HTML"]))),
        ("reply_markup", optional(keyboard)),
    ])
}
