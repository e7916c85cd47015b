//! What a running turn waits for at the model box, as pages are told.

use platform_types::chat::ToPage;
use platform_types::spark::Progress;

use super::hub::Hub;
use super::live::Durable;

impl Hub {
    /// Pages are told when what is waited for changes; they count the time themselves.
    pub(super) fn waits(&mut self, session: &str, progress: Progress) {
        let Some(live) = self.live.get_mut(session) else { return };
        let before = live.view.progress.replace(progress);
        if live.message == Durable::Yes && before.is_none_or(|before| is_news(before, progress)) {
            let (session, turn) = (session.to_owned(), live.view.id.clone());
            let told = ToPage::Progress { session: session.clone(), turn, progress };
            self.connections.tell_session(&session, None, &told);
        }
    }
}

/// Whether people see something else than the time that goes by.
fn is_news(before: Progress, now: Progress) -> bool {
    match (before, now) {
        (Progress::Queued { position: before, .. }, Progress::Queued { position: now, .. }) => before != now,
        (Progress::Switching { ahead_millis: before, .. }, Progress::Switching { ahead_millis: now, .. }) => {
            before.is_some() != now.is_some()
        }
        (Progress::Waiting { .. }, Progress::Waiting { .. }) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_goes_by_is_no_news() {
        let queued = |position, waited_millis| Progress::Queued { position, ahead_millis: None, waited_millis };
        let switching = |ahead_millis| Progress::Switching { ahead_millis, waited_millis: 0 };
        let waiting = |waited_millis| Progress::Waiting { waited_millis };
        let check = |before, now, news| assert_eq!(is_news(before, now), news, "{before:?} {now:?}");
        check(queued(2, 0), queued(2, 1000), false);
        check(queued(2, 0), queued(1, 1000), true);
        check(queued(1, 0), waiting(0), true);
        check(waiting(0), waiting(1000), false);
        check(waiting(0), switching(None), true);
        check(switching(Some(9000)), switching(Some(8000)), false);
        check(switching(None), switching(Some(8000)), true);
    }
}
