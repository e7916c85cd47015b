//! Who of a channel is heard, and to which chats something may be sent.
//!
//! Invariants: what nobody allowed is unknown; `closed` and `blocked` win over everything; a group is heard only where both
//! it and the sender are known; a code is for a person's own chat.

use platform_types::channel::{Channel, ChatId, ChatKind, ChatMessage, MAX_UPDATES, Senders, Update, Updates};
use serde_json::Value;

use crate::answer::Unfit;
use crate::json::{MAX_ANSWER_DEPTH, parse};

/// What happens to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Heard,
    /// May be told a code; the message goes nowhere.
    Stranger,
    /// Nothing is said.
    Ignored,
}

/// What happens to a message that came in on a channel.
pub fn verdict(channel: &Channel, message: &ChatMessage) -> Verdict {
    let Some(from) = message.from.as_ref().filter(|from| !from.is_bot) else { return Verdict::Ignored };
    match message.chat.kind {
        ChatKind::Private if message.chat.id == from.id => match is_known_sender(channel, from.id) {
            true => Verdict::Heard,
            false if is_stranger(channel, from.id) => Verdict::Stranger,
            false => Verdict::Ignored,
        },
        ChatKind::Group | ChatKind::Supergroup
            if channel.groups.contains(&message.chat.id) && is_known_sender(channel, from.id) =>
        {
            Verdict::Heard
        }
        _ => Verdict::Ignored,
    }
}

/// Whether the agent may send to a chat.
pub fn is_known_chat(channel: &Channel, chat: ChatId) -> bool {
    let group =
        channel.senders != Senders::Closed && channel.groups.contains(&chat) && !channel.blocked.contains(&chat);
    group || is_known_sender(channel, chat)
}

/// Whether a sender may be told a code, now or later.
pub fn is_stranger(channel: &Channel, sender: ChatId) -> bool {
    channel.senders == Senders::Pairing && !is_known_sender(channel, sender) && !channel.blocked.contains(&sender)
}

fn is_known_sender(channel: &Channel, sender: ChatId) -> bool {
    let listed = match channel.senders {
        Senders::Pairing => channel.allow.contains(&sender) || channel.approved_chats.contains(&sender),
        Senders::Allowlist => channel.allow.contains(&sender),
        Senders::Closed => false,
    };
    listed && !channel.blocked.contains(&sender)
}

/// The updates of an answer, at most [`MAX_UPDATES`]. One that cannot be read is one without a message.
pub fn updates(body: &[u8]) -> Result<Vec<Update>, Unfit> {
    let body = parse(body, MAX_ANSWER_DEPTH).map_err(|_| Unfit("the upstream's answer is not JSON"))?;
    let Value::Object(mut body) = body else { return Err(Unfit("the upstream's answer is not an object")) };
    let Some(Value::Array(result)) = body.remove("result") else {
        return Err(Unfit("the upstream's answer has no list of updates"));
    };
    let numbered = result.into_iter().take(MAX_UPDATES).filter_map(|update| {
        let update_id = update.get("update_id")?.as_i64()?;
        Some(serde_json::from_value(update).unwrap_or(Update { update_id, message: None }))
    });
    Ok(numbered.collect())
}

/// The body that the agent gets.
pub fn written(updates: Vec<Update>) -> Vec<u8> {
    serde_json::to_vec(&Updates { ok: true, result: updates }).expect("updates have only texts as keys")
}

#[cfg(test)]
mod tests {
    use platform_types::UpstreamName;
    use platform_types::channel::{Chat, Sender};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn channel(senders: Senders) -> Channel {
        let ids = |ids: &[i64]| ids.iter().copied().map(ChatId).collect();
        Channel {
            name: UpstreamName::new("chat").unwrap(),
            senders,
            allow: ids(&[1, 9]),
            groups: ids(&[-5]),
            approved_chats: ids(&[2, 8]),
            blocked: ids(&[8, 9]),
            pending: Vec::new(),
        }
    }

    fn message(kind: ChatKind, chat: i64, from: i64) -> ChatMessage {
        ChatMessage {
            message_id: 1,
            chat: Chat { id: ChatId(chat), kind },
            from: Some(Sender { id: ChatId(from), is_bot: false, first_name: String::new() }),
            text: Some("hello".to_owned()),
            entities: Vec::new(),
            reply_to_message: None,
        }
    }

    #[test]
    fn who_is_heard() {
        use ChatKind::{Group, Other, Private, Supergroup};
        use Verdict::{Heard, Ignored, Stranger};
        let check = |kind, chat, from, expect: [Verdict; 3]| {
            let modes = [Senders::Pairing, Senders::Allowlist, Senders::Closed];
            let found = modes.map(|mode| verdict(&channel(mode), &message(kind, chat, from)));
            assert_eq!(found, expect, "{kind:?} {chat} {from}");
        };
        check(Private, 1, 1, [Heard, Heard, Ignored]);
        check(Private, 2, 2, [Heard, Ignored, Ignored]);
        check(Private, 3, 3, [Stranger, Ignored, Ignored]);
        check(Private, 8, 8, [Ignored; 3]);
        check(Private, 9, 9, [Ignored; 3]);
        check(Private, 3, 1, [Ignored; 3]);
        check(Private, 1, 3, [Ignored; 3]);
        check(Group, -5, 1, [Heard, Heard, Ignored]);
        check(Supergroup, -5, 2, [Heard, Ignored, Ignored]);
        check(Group, -5, 3, [Ignored; 3]);
        check(Group, -5, 8, [Ignored; 3]);
        check(Group, -6, 1, [Ignored; 3]);
        check(Other, 1, 1, [Ignored; 3]);
        let bot = message(Private, 1, 1);
        let from = Some(Sender { id: ChatId(1), is_bot: true, first_name: String::new() });
        assert_eq!(verdict(&channel(Senders::Pairing), &ChatMessage { from, ..bot.clone() }), Ignored);
        assert_eq!(verdict(&channel(Senders::Pairing), &ChatMessage { from: None, ..bot }), Ignored);
    }

    #[test]
    fn where_something_may_be_sent() {
        let check = |senders, expect: &[i64]| {
            let channel = channel(senders);
            let known: Vec<i64> = (-9..12).filter(|id| is_known_chat(&channel, ChatId(*id))).collect();
            assert_eq!(known, expect, "{senders:?}");
        };
        check(Senders::Pairing, &[-5, 1, 2]);
        check(Senders::Allowlist, &[-5, 1]);
        check(Senders::Closed, &[]);
    }

    #[test]
    fn what_cannot_be_read_is_only_counted() {
        let read = |text: &str| updates(text.as_bytes()).map(|found| String::from_utf8(written(found)).unwrap());
        let check = |text: &str, expect: &str| assert_eq!(read(text).as_deref(), Ok(expect));
        check(r#"{"ok":true,"result":[]}"#, r#"{"ok":true,"result":[]}"#);
        check(
            r#"{"ok":true,"result":[{"update_id":4,"message":{"text":7}},{"message":{}},{"update_id":"5"},{"update_id":6,"poll":{}}],"x":1}"#,
            r#"{"ok":true,"result":[{"update_id":4},{"update_id":6}]}"#,
        );
        for text in ["", "[]", "{}", r#"{"result":{}}"#, r#"{"result":[],"result":[]}"#] {
            assert!(read(text).is_err(), "{text}");
        }
        let many: Vec<Value> = (0..200).map(|n| serde_json::json!({ "update_id": n })).collect();
        assert_eq!(updates(serde_json::json!({ "result": many }).to_string().as_bytes()).unwrap().len(), MAX_UPDATES);
    }

    fn senders() -> impl Strategy<Value = Senders> {
        prop_oneof![Just(Senders::Pairing), Just(Senders::Allowlist), Just(Senders::Closed)]
    }

    fn chats() -> impl Strategy<Value = Vec<ChatId>> {
        vec((-3..4_i64).prop_map(ChatId), 0..4)
    }

    fn channels() -> impl Strategy<Value = Channel> {
        (senders(), chats(), chats(), chats(), chats()).prop_map(|(senders, allow, groups, approved_chats, blocked)| {
            let name = UpstreamName::new("chat").unwrap();
            Channel { name, senders, allow, groups, approved_chats, blocked, pending: Vec::new() }
        })
    }

    proptest! {
        /// Nobody is heard who is blocked, or whom nothing names; and where somebody is heard, he can be answered.
        #[test]
        fn only_named_senders_are_heard(channel in channels(), chat in -3..4_i64, from in -3..4_i64, private: bool) {
            let kind = if private { ChatKind::Private } else { ChatKind::Group };
            let message = message(kind, chat, from);
            let (chat, from) = (ChatId(chat), ChatId(from));
            if verdict(&channel, &message) == Verdict::Heard {
                prop_assert!(channel.senders != Senders::Closed && !channel.blocked.contains(&from));
                prop_assert!(channel.allow.contains(&from) || channel.approved_chats.contains(&from));
                prop_assert!(private || channel.groups.contains(&chat));
                prop_assert!(is_known_chat(&channel, chat) || channel.blocked.contains(&chat));
            }
            if verdict(&channel, &message) == Verdict::Stranger {
                prop_assert!(private && chat == from && !is_known_chat(&channel, chat) || channel.groups.contains(&chat));
            }
        }

        /// Blocking takes away and gives nothing; approving one widens to that one only.
        #[test]
        fn a_change_for_one_is_for_one(channel in channels(), one in -3..4_i64, other in -3..4_i64) {
            let (one, other) = (ChatId(one), ChatId(other));
            let mut blocked = channel.clone();
            blocked.blocked.push(one);
            prop_assert!(!is_known_chat(&blocked, one));
            let mut approved = channel.clone();
            approved.approved_chats.push(one);
            if one != other {
                prop_assert_eq!(is_known_chat(&blocked, other), is_known_chat(&channel, other));
                prop_assert_eq!(is_known_chat(&approved, other), is_known_chat(&channel, other));
            }
        }

        /// Whatever a server answers: it is read or refused, and a second reading changes nothing.
        #[test]
        fn any_answer_is_read_or_refused(text in r#"\{"ok":true,"result":\[(\{"update_id":[0-9]{1,3}(,"message":\{"message_id":1,"chat":\{"id":-?[0-9]{1,3},"type":"[a-z]{3,8}"\}\})?\},?){0,4}\]\}"#) {
            if let Ok(found) = updates(text.as_bytes()) {
                let again = written(found.clone());
                prop_assert_eq!(updates(&again).unwrap(), found);
            }
        }
    }
}
