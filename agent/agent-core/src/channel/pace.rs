//! When a chat takes the next message. Edits count as messages.
//!
//! The Bot API allows about one message a second in a chat and 20 a minute in a group, and says how long to wait when it was
//! too much. Invariant: whatever is asked for when, no chat gets more than that.

use std::collections::{BTreeMap, VecDeque};

use platform_types::Timestamp;
use platform_types::channel::ChatId;

/// Between two messages to one chat.
const PAUSE_MILLIS: i64 = 1000;
/// Messages to a group within [`WINDOW_MILLIS`].
const GROUP_MESSAGES: usize = 20;
const WINDOW_MILLIS: i64 = 60 * 1000;
/// Between two edits of a running answer in a group, so that there is room for the end of it, and for others.
const GROUP_EDIT_PAUSE_MILLIS: i64 = 5 * 1000;
/// A server that says to wait longer is asked again after this.
const LONGEST_WAIT_SECONDS: u32 = 60 * 60;

/// What wants to go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something that a person waits for.
    Message,
    /// More of an answer that runs.
    Edit,
}

#[derive(Debug, Default)]
pub struct Pace(BTreeMap<ChatId, Lately>);

#[derive(Debug, Default)]
struct Lately {
    /// When messages went out, within the window.
    sent: VecDeque<Timestamp>,
    /// The server said so.
    closed_until: Timestamp,
}

impl Pace {
    /// The earliest time from `now` on at which this may go out.
    pub fn earliest(&self, chat: ChatId, kind: Kind, now: Timestamp) -> Timestamp {
        let Some(lately) = self.0.get(&chat) else { return now };
        let is_group = chat.0 < 0;
        let pause = if is_group && kind == Kind::Edit { GROUP_EDIT_PAUSE_MILLIS } else { PAUSE_MILLIS };
        let after_last = lately.sent.back().map(|last| last.plus_millis(pause));
        let full = lately.sent.len().checked_sub(GROUP_MESSAGES).filter(|_| is_group);
        let after_window = full.and_then(|first| lately.sent.get(first)).map(|sent| sent.plus_millis(WINDOW_MILLIS));
        [after_last, after_window].into_iter().flatten().fold(now.max(lately.closed_until), Ord::max)
    }

    /// The earliest time from `now` on at which the server takes something that is no message.
    pub fn open_from(&self, chat: ChatId, now: Timestamp) -> Timestamp {
        self.0.get(&chat).map_or(now, |lately| now.max(lately.closed_until))
    }

    /// Something went out, or may have.
    pub fn sent(&mut self, chat: ChatId, now: Timestamp) {
        let old = |at: &Timestamp| now.millis_since(*at) >= WINDOW_MILLIS;
        self.0.retain(|_, lately| lately.closed_until > now || lately.sent.back().is_some_and(|last| !old(last)));
        let lately = self.0.entry(chat).or_default();
        lately.sent.push_back(now);
        while lately.sent.front().is_some_and(old) {
            lately.sent.pop_front();
        }
    }

    /// The server said to wait.
    pub fn wait(&mut self, chat: ChatId, seconds: u32, now: Timestamp) {
        let until = now.plus_millis(i64::from(seconds.clamp(1, LONGEST_WAIT_SECONDS)) * 1000);
        let lately = self.0.entry(chat).or_default();
        lately.closed_until = lately.closed_until.max(until);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERSON: ChatId = ChatId(7);
    const GROUP: ChatId = ChatId(-7);

    #[test]
    fn one_a_second_and_twenty_a_minute_in_groups() {
        let mut pace = Pace::default();
        let free = |pace: &Pace, chat, kind, now| pace.earliest(chat, kind, Timestamp(now)).as_millis();
        assert_eq!(free(&pace, PERSON, Kind::Message, 5), 5);
        pace.sent(PERSON, Timestamp(5));
        assert_eq!(free(&pace, PERSON, Kind::Edit, 6), 1005);
        assert_eq!(free(&pace, ChatId(8), Kind::Message, 6), 6, "another chat");
        for second in 0..20 {
            let now = second * 1000;
            assert_eq!(free(&pace, GROUP, Kind::Message, now), now);
            pace.sent(GROUP, Timestamp(now));
        }
        assert_eq!(free(&pace, GROUP, Kind::Message, 20_000), 60_000);
        pace.sent(GROUP, Timestamp(60_000));
        assert_eq!(free(&pace, GROUP, Kind::Message, 61_000), 61_000);
        assert_eq!(free(&pace, GROUP, Kind::Edit, 61_000), 65_000);
    }

    #[test]
    fn what_the_server_says_counts() {
        let mut pace = Pace::default();
        pace.wait(PERSON, 30, Timestamp(1000));
        pace.wait(PERSON, 3, Timestamp(1000));
        pace.sent(ChatId(9), Timestamp(2000));
        assert_eq!(pace.earliest(PERSON, Kind::Message, Timestamp(2000)), Timestamp(31_000));
        assert_eq!(pace.open_from(PERSON, Timestamp(2000)), Timestamp(31_000));
        assert_eq!(pace.open_from(ChatId(9), Timestamp(2000)), Timestamp(2000));
        pace.wait(GROUP, u32::MAX, Timestamp(0));
        assert_eq!(pace.earliest(GROUP, Kind::Message, Timestamp(0)), Timestamp(3_600_000));
        pace.wait(ChatId(10), 0, Timestamp(0));
        assert_eq!(pace.earliest(ChatId(10), Kind::Message, Timestamp(0)), Timestamp(1000));
    }

    #[test]
    fn chats_that_are_quiet_are_forgotten() {
        let mut pace = Pace::default();
        for chat in 0..1000 {
            pace.sent(ChatId(chat), Timestamp(chat));
        }
        pace.sent(PERSON, Timestamp(WINDOW_MILLIS * 3));
        assert_eq!(pace.0.len(), 1);
    }

    proptest! {
        #[test]
        fn never_more_than_the_server_takes(wishes in proptest::collection::vec((0..3000_i64, any::<bool>()), 1..200)) {
            let (mut pace, mut now, mut sent) = (Pace::default(), Timestamp(0), Vec::new());
            for (pause, edit) in wishes {
                now = now.plus_millis(pause);
                let at = pace.earliest(GROUP, if edit { Kind::Edit } else { Kind::Message }, now);
                prop_assert!(at >= now);
                now = at;
                pace.sent(GROUP, now);
                sent.push(now);
            }
            prop_assert!(sent.windows(2).all(|pair| pair[1].millis_since(pair[0]) >= PAUSE_MILLIS));
            let full = sent.windows(GROUP_MESSAGES + 1).all(|some| some[GROUP_MESSAGES].millis_since(some[0]) >= WINDOW_MILLIS);
            prop_assert!(full);
        }
    }
}
