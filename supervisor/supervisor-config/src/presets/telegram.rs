//! A Telegram bot that hears and talks to the chats that its channel knows; without a channel of the upstream's name, nobody.
//!
//! Link previews are off, so Telegram fetches nothing that a message names; a button has an URL only if it is the gate's own page
//! for confirmations; there is no media by URL, no `setWebhook`. Of an answer passes which message was sent or changed, and of a
//! refusal why: a message that is answered is not read that way. Every method is called with a JSON body; names are spelled as
//! in the Bot API.

use std::collections::BTreeMap;

use platform_types::egress::{AnswerFilter, Field, Method, Rule, Shape};
use platform_types::update::{MAX_BUTTON_BYTES, REFUSAL_MEMBERS};

use super::{list, members, named, object, one_of, optional, required, rule, text};

/// Stands before the token in the path.
pub const TOKEN_PREFIX: &str = "bot";
/// Longest text of a message with its tags: 4,096 are seen at most, which the Bot API counts without them.
const MAX_TEXT_CHARS: usize = 16 * 1024;
const MAX_ROWS: usize = 8;
const UPDATES: [&str; 2] = ["message", "callback_query"];

/// `page` is the one URL that a button may have.
pub fn rules(page: Option<&str>) -> Vec<Rule> {
    let id = || Shape::Integer { min: 1, max: i64::from(i32::MAX) };
    let get_updates = named([
        ("offset", optional(Shape::Integer { min: 0, max: i64::MAX })),
        ("limit", optional(Shape::Integer { min: 1, max: 100 })),
        ("timeout", optional(Shape::Integer { min: 0, max: 50 })),
        ("allowed_updates", optional(list(one_of(UPDATES), UPDATES.len()))),
    ]);
    let mut send = message(page);
    let reply = [("message_id", required(id())), ("allow_sending_without_reply", optional(Shape::Boolean))];
    send.extend(named([
        ("message_thread_id", optional(id())),
        ("disable_notification", optional(Shape::Boolean)),
        ("reply_parameters", optional(object(reply))),
    ]));
    let mut edit = message(page);
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
    let post =
        |name: &str, body| Rule { body: Some(body), answer: sent(), ..rule(name, Method::Post, &format!("/{name}")) };
    vec![
        Rule { answer: me(), ..rule("getMe", Method::Get, "/getMe") },
        Rule { answer: AnswerFilter::Updates, ..post("getUpdates", get_updates) },
        post("sendMessage", send),
        post("editMessageText", edit),
        post("answerCallbackQuery", answer),
        post("sendChatAction", action),
    ]
}

/// A text to an approved chat, perhaps with buttons that come back as a callback or open the gate's page.
fn message(page: Option<&str>) -> BTreeMap<String, Field> {
    let mut button = named([("text", required(text(64))), ("callback_data", optional(text(MAX_BUTTON_BYTES)))]);
    button.extend(page.map(|page| ("url".to_owned(), optional(one_of([page])))));
    let button = Shape::Object { fields: button };
    let keyboard = object([("inline_keyboard", required(list(list(button, MAX_ROWS), MAX_ROWS)))]);
    named([
        ("chat_id", required(Shape::ApprovedChat)),
        ("text", required(text(MAX_TEXT_CHARS))),
        ("link_preview_options", required(object([("is_disabled", required(one_of([true])))]))),
        ("parse_mode", optional(one_of(["HTML"]))),
        ("reply_markup", optional(keyboard)),
    ])
}

/// Which message it is, or why there is none.
fn sent() -> AnswerFilter {
    members(&[&["ok", "result.message_id"], REFUSAL_MEMBERS.as_slice()].concat())
}

/// Who the bot is, and whether it hears all of a group.
fn me() -> AnswerFilter {
    let me = ["ok", "result.id", "result.username", "result.can_read_all_group_messages"];
    members(&[me.as_slice(), REFUSAL_MEMBERS.as_slice()].concat())
}
