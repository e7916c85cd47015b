//! Which turn runs next: one at a time per session, in the order the messages came, and a few sessions at once.

use std::collections::{BTreeMap, VecDeque};

/// Turns that run at once: each holds one stream to the model box, which serves them from one queue anyway.
pub const MAX_RUNNING: usize = 8;
/// Messages that wait behind a running turn of one session: more is somebody pasting a book line by line.
pub const MAX_QUEUED: usize = 16;

/// What waits and what runs. `T` names a turn.
#[derive(Debug)]
pub struct Schedule<T> {
    running: BTreeMap<String, T>,
    queued: BTreeMap<String, VecDeque<T>>,
    /// Sessions with something queued and nothing running, in order of arrival.
    ready: VecDeque<String>,
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self { running: BTreeMap::new(), queued: BTreeMap::new(), ready: VecDeque::new() }
    }
}

impl<T: Clone> Schedule<T> {
    pub fn running(&self, session: &str) -> Option<&T> {
        self.running.get(session)
    }

    pub fn running_count(&self) -> usize {
        self.running.len()
    }

    /// Whether one more message of this session would have to wait.
    pub fn would_wait(&self, session: &str) -> bool {
        self.running.contains_key(session)
            || self.queued.contains_key(session)
            || self.running.len() + self.ready.len() >= MAX_RUNNING
    }

    pub fn is_full(&self, session: &str) -> bool {
        self.queued.get(session).is_some_and(|queue| queue.len() >= MAX_QUEUED)
    }

    /// Puts a turn at the end of its session's line. The bound is asked before, with [`Self::is_full`].
    pub fn push(&mut self, session: &str, turn: T) {
        if !self.running.contains_key(session) && !self.queued.contains_key(session) {
            self.ready.push_back(session.to_owned());
        }
        self.queued.entry(session.to_owned()).or_default().push_back(turn);
    }

    /// Takes the next turn that may run, and counts it as running.
    pub fn start_next(&mut self) -> Option<(String, T)> {
        if self.running.len() >= MAX_RUNNING {
            return None;
        }
        let session = self.ready.pop_front()?;
        let queue = self.queued.get_mut(&session)?;
        let turn = queue.pop_front()?;
        if queue.is_empty() {
            self.queued.remove(&session);
        }
        self.running.insert(session.clone(), turn.clone());
        Some((session, turn))
    }

    /// The running turn of `session` is over.
    pub fn ended(&mut self, session: &str) {
        if self.running.remove(session).is_some() && self.queued.contains_key(session) {
            self.ready.push_back(session.to_owned());
        }
    }

    /// Forgets what waits in `session`; a running turn goes on until it has ended.
    pub fn forget(&mut self, session: &str) {
        self.queued.remove(session);
        self.ready.retain(|ready| ready != session);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_at_a_time_per_session_in_order() {
        let mut schedule = Schedule::default();
        schedule.push("a", 1);
        schedule.push("a", 2);
        schedule.push("b", 3);
        assert_eq!(schedule.start_next(), Some(("a".into(), 1)));
        assert_eq!(schedule.start_next(), Some(("b".into(), 3)));
        assert_eq!(schedule.start_next(), None);
        schedule.ended("a");
        assert_eq!(schedule.start_next(), Some(("a".into(), 2)));
    }

    #[test]
    fn a_forgotten_session_starts_nothing() {
        let mut schedule = Schedule::default();
        schedule.push("a", 1);
        schedule.push("a", 2);
        schedule.start_next();
        schedule.forget("a");
        schedule.ended("a");
        assert_eq!(schedule.start_next(), None);
        assert_eq!(schedule.running_count(), 0);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(u8),
        Start,
        End(u8),
        Forget(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..12u8).prop_map(Step::Push),
            Just(Step::Start),
            (0..12u8).prop_map(Step::End),
            (0..12u8).prop_map(Step::Forget)
        ]
    }

    proptest! {
        #[test]
        fn bounded_ordered_and_nothing_is_stuck(steps in prop::collection::vec(step(), 0..200)) {
            let mut schedule = Schedule::default();
            let mut number = 0_u32;
            let mut last = BTreeMap::new();
            let mut waiting = std::collections::BTreeSet::new();
            let mut note = |started: Option<(String, (u8, u32))>, waiting: &mut std::collections::BTreeSet<(u8, u32)>| {
                if let Some((_, (session, n))) = started {
                    assert!(waiting.remove(&(session, n)));
                    assert!(last.insert(session, n).is_none_or(|before| before < n));
                }
            };
            for step in steps {
                match step {
                    Step::Push(s) if !schedule.is_full(&s.to_string()) => {
                        number += 1;
                        waiting.insert((s, number));
                        schedule.push(&s.to_string(), (s, number));
                    }
                    Step::Push(_) => {}
                    Step::Start => note(schedule.start_next(), &mut waiting),
                    Step::End(s) => schedule.ended(&s.to_string()),
                    Step::Forget(s) => { waiting.retain(|(session, _)| *session != s); schedule.forget(&s.to_string()); }
                }
                prop_assert!(schedule.running_count() <= MAX_RUNNING);
            }
            while !waiting.is_empty() {
                for s in 0..12u8 { schedule.ended(&s.to_string()); }
                let before = waiting.len();
                while let Some(started) = schedule.start_next() { note(Some(started), &mut waiting); }
                prop_assert!(waiting.len() < before, "a queued turn never starts");
            }
        }
    }
}
