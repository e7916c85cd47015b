//! One chat request on its way: its model is compared, it waits for a place, it is at the box.
//!
//! Everything that it holds is dropped with it: its place in the queue or at the box, the connection, and the line in the
//! log, which then says `cancelled`.

use std::sync::Arc;
use std::time::Duration;

use platform_types::ProfileName;
use platform_types::meters::Provider;
use platform_types::spark::{BackendKind, Priority, Progress};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::answer::{Answer, Opened, answer};
use crate::backend::Backend;
use crate::fault::took_too_long;
use crate::models::Listed;
use crate::place::Times;
use crate::queue::{Entered, Queue, Seat, Turn};
use crate::refusal::Refusal;
use crate::request::ChatRequest;
use crate::switch::{Stance, Switch};
use crate::ticket::Ticket;

/// A checked request, and what it needs.
#[derive(Debug)]
pub struct Errand {
    pub backend: Arc<Backend>,
    pub times: Times,
    pub queue: Arc<Queue>,
    pub switch: Arc<Switch>,
    pub profile: ProfileName,
    pub priority: Priority,
    pub request: ChatRequest,
    pub ticket: Ticket,
}

/// Where a request is that has not begun to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Queued {
        position: u32,
    },
    /// Until then, as far as it is known.
    Switching {
        until: Option<Instant>,
    },
    /// At the box since then.
    Waiting {
        since: Instant,
    },
}

impl Errand {
    /// When the request came.
    pub fn came(&self) -> Instant {
        self.ticket.came()
    }

    /// Goes to the box and back; `phase` is kept up to date until there is something to answer.
    pub async fn run(self, phase: Option<watch::Sender<Phase>>) -> Answer {
        let tell = |now| {
            if let Some(phase) = &phase {
                phase.send_replace(now);
            }
        };
        let Self { backend, times, queue, switch, profile, priority, mut request, mut ticket } = self;
        if backend.kind() == BackendKind::Box {
            // Only the demo model reads them; in memory they take more than the text that waits.
            request.messages = Vec::new();
        }
        ticket.asks_for(&request.model);
        let over = ticket.came() + times.total;
        let opening = async {
            if switch.stance(&request.model)? == Stance::Free {
                ticket.is_listed(&resolve(&backend, &request).await?);
            }
            ticket.queues();
            let seat = match queue.enter(&profile, priority)? {
                Entered::Seated(seat) => seat,
                Entered::Waits(waiter) => {
                    let waiting = waiter.seated(|turn| tell(Phase::of(turn)));
                    let seat = timeout_at(over, waiting).await.map_err(|_| queue.waited_in_vain(&profile))?;
                    tell(Phase::Waiting { since: Instant::now() });
                    seat
                }
            };
            ticket.is_seated();
            // Once more: it may have changed while the request waited.
            let listed = resolve(&backend, &request).await?;
            ticket.is_listed(&listed);
            ticket.is_sent();
            open(&backend, &request, (listed, seat), times, over).await
        };
        let opened = match timeout_at(over, opening).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(refusal)) => return Answer::refused(&mut ticket, refusal),
            Err(_) => return Answer::refused(&mut ticket, took_too_long()),
        };
        answer(&backend, &request, opened, ticket).await
    }
}

/// Finds the model, of which every field of the request is known.
async fn resolve(backend: &Backend, request: &ChatRequest) -> Result<Listed, Refusal> {
    let listed = backend.resolve(&request.model).await?;
    request.fits(Provider::from_owner(&listed.owned_by))?;
    Ok(listed)
}

/// Sends the request.
async fn open(
    backend: &Backend,
    request: &ChatRequest,
    (listed, seat): (Listed, Seat),
    times: Times,
    over: Instant,
) -> Result<Opened, Refusal> {
    let deadline = Instant::now() + times.first_byte;
    // When the whole is over before, it is the whole that is told.
    let deadline = if deadline < over { deadline } else { over + times.first_byte };
    let source = backend.chat(request, deadline).await?;
    Ok(Opened { listed, source: seat.hold(source, over), deadline, idle: times.idle })
}

impl Phase {
    fn of(turn: Turn) -> Self {
        match turn {
            Turn::At(position) => Self::Queued { position },
            Turn::Held(until) => Self::Switching { until },
            Turn::Go => Self::Waiting { since: Instant::now() },
        }
    }

    /// What the client is told of it. `ahead`: how long the queue takes from a position.
    pub fn progress(self, came: Instant, ahead: impl FnOnce(u32) -> Option<Duration>) -> Progress {
        let waited_millis = millis(came.elapsed());
        match self {
            Self::Queued { position } => {
                Progress::Queued { position, ahead_millis: ahead(position).map(millis), waited_millis }
            }
            Self::Switching { until } => {
                let ahead_millis = until.map(|until| millis(until.saturating_duration_since(Instant::now())));
                Progress::Switching { ahead_millis, waited_millis }
            }
            Self::Waiting { since } => Progress::Waiting { waited_millis: millis(since.elapsed()) },
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
