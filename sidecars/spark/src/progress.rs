//! What a client sees while it waits: the head of the stream, and comments that say where its request is.
//!
//! A request that gets its answer at once has neither: its errors keep their status.

use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, unfold};
use futures_util::{FutureExt as _, StreamExt as _};
use platform_types::ProfileName;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::answer::{Answer, event_stream};
use crate::errand::{Errand, Phase};
use crate::place::Limits;
use crate::queue::Queue;

/// Answers a streamed request, with comments while it waits.
pub async fn respond(errand: Errand, limits: Limits) -> Response {
    let (phase, phases) = watch::channel(Phase::Waiting { since: Instant::now() });
    let mut reporter = Reporter {
        phases,
        queue: errand.queue.clone(),
        profile: errand.profile.clone(),
        came: errand.came(),
        due: Instant::now() + limits.grace,
        limits,
    };
    let mut answer = errand.run(Some(phase)).boxed();
    tokio::select! {
        biased;
        answer = &mut answer => answer.into_response(),
        first = reporter.first() => {
            let first = futures_util::stream::once(async { first });
            event_stream(first.chain(unfold(Stage::Waiting(answer, Box::new(reporter)), Stage::next)))
        }
    }
}

enum Stage {
    Waiting(BoxFuture<'static, Answer>, Box<Reporter>),
    Answering(BoxStream<'static, Bytes>),
}

impl Stage {
    async fn next(self) -> Option<(Bytes, Self)> {
        let mut events = match self {
            Self::Waiting(mut answer, mut reporter) => tokio::select! {
                biased;
                answer = &mut answer => answer.events(),
                comment = reporter.next() => return Some((comment, Self::Waiting(answer, reporter))),
            },
            Self::Answering(events) => events,
        };
        events.next().await.map(|bytes| (bytes, Self::Answering(events)))
    }
}

/// Says where a request is.
struct Reporter {
    phases: watch::Receiver<Phase>,
    queue: Arc<Queue>,
    profile: ProfileName,
    came: Instant,
    /// When the next comment is due, if nothing changes before.
    due: Instant,
    limits: Limits,
}

impl Reporter {
    /// The first comment: at once in the queue, after some grace at the box.
    async fn first(&mut self) -> Bytes {
        tokio::select! {
            () = sleep_until(self.due) => {}
            // Its sender says nothing more only when there is an answer.
            Ok(_) = self.phases.wait_for(|phase| !matches!(phase, Phase::Waiting { .. })) => {}
        }
        self.comment()
    }

    async fn next(&mut self) -> Bytes {
        tokio::select! {
            () = sleep_until(self.due) => {}
            Ok(()) = self.phases.changed() => {}
        }
        self.comment()
    }

    fn comment(&mut self) -> Bytes {
        self.due = Instant::now() + self.limits.progress;
        let phase = *self.phases.borrow_and_update();
        phase.progress(self.came, |position| self.queue.ahead(&self.profile, position)).comment().into()
    }
}
