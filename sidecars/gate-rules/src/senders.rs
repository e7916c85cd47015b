//! Who of a channel is heard, and to which chats something may be sent.
//!
//! Invariants: what nobody allowed is unknown; `closed` and `blocked` win over everything; a group is heard only where both
//! it and the sender are known; a code is for a person's own chat.

use platform_types::channel::{Channel, ChatId, Senders};
use platform_types::update::{Chat, ChatKind, ChatMessage, Press, Sender};

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
    message.from.as_ref().map_or(Verdict::Ignored, |from| verdict_on(channel, &message.chat, from))
}

/// Whether somebody who pressed a button is heard. Nobody gets a code for it: a stranger writes first.
pub fn is_heard(channel: &Channel, press: &Press) -> bool {
    let pressed = press.message.as_ref();
    pressed.is_some_and(|pressed| verdict_on(channel, &pressed.chat, &press.from) == Verdict::Heard)
}

fn verdict_on(channel: &Channel, chat: &Chat, from: &Sender) -> Verdict {
    if from.is_bot {
        return Verdict::Ignored;
    }
    match chat.kind {
        ChatKind::Private if chat.id == from.id => match is_known_sender(channel, from.id) {
            true => Verdict::Heard,
            false if is_stranger(channel, from.id) => Verdict::Stranger,
            false => Verdict::Ignored,
        },
        ChatKind::Group | ChatKind::Supergroup
            if channel.groups.contains(&chat.id) && is_known_sender(channel, from.id) =>
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

#[cfg(test)]
mod tests {
    use platform_types::UpstreamName;
    use platform_types::update::Pressed;
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

    fn sender(id: i64, is_bot: bool) -> Sender {
        Sender { id: ChatId(id), is_bot, first_name: String::new(), language_code: None }
    }

    fn message(kind: ChatKind, chat: i64, from: i64) -> ChatMessage {
        ChatMessage {
            message_id: 1,
            message_thread_id: None,
            is_topic_message: false,
            chat: Chat { id: ChatId(chat), kind },
            from: Some(sender(from, false)),
            text: Some("hello".to_owned()),
            entities: Vec::new(),
            media: None,
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
        let from = Some(sender(1, true));
        assert_eq!(verdict(&channel(Senders::Pairing), &ChatMessage { from, ..bot.clone() }), Ignored);
        assert_eq!(verdict(&channel(Senders::Pairing), &ChatMessage { from: None, ..bot }), Ignored);
    }

    #[test]
    fn who_may_press_a_button() {
        let check = |kind, chat, from, expect: bool| {
            let chat = Chat { id: ChatId(chat), kind };
            let message = Some(Pressed { message_id: 1, chat });
            let press = Press { id: "9".to_owned(), from: sender(from, false), message, data: None };
            assert_eq!(is_heard(&channel(Senders::Pairing), &press), expect, "{kind:?} {from}");
            assert!(!is_heard(&channel(Senders::Closed), &press));
            assert!(!is_heard(&channel(Senders::Pairing), &Press { message: None, ..press.clone() }));
            assert!(!is_heard(&channel(Senders::Pairing), &Press { from: sender(from, true), ..press }));
        };
        check(ChatKind::Private, 1, 1, true);
        check(ChatKind::Private, 3, 3, false);
        check(ChatKind::Private, 1, 2, false);
        check(ChatKind::Supergroup, -5, 2, true);
        check(ChatKind::Supergroup, -5, 3, false);
        check(ChatKind::Supergroup, -6, 2, false);
        check(ChatKind::Private, 9, 9, false);
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
    }
}
