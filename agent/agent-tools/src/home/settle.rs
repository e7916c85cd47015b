//! Reading back until it is as it should be, in bounded time.

use tokio::time::{Instant, sleep};

use super::server::{SETTLE_PAUSE, SETTLE_TIME, Server};
use super::state::State;
use crate::tool::ToolError;

/// How it ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    Reached(State),
    /// It cannot come to the goal any more: jammed, or unavailable.
    Stuck(State),
    /// The time is over.
    NotYet(State),
}

/// Looks at an entity until `reached` says so, or time is over. A look that fails is taken again, until then. Trouble counts
/// where it is new: what was jammed before may be on its way.
pub async fn settle(
    server: Server<'_>,
    before: &State,
    reached: impl Fn(&State) -> bool,
) -> Result<Settled, ToolError> {
    let deadline = Instant::now() + SETTLE_TIME;
    let is_new = |now: &State| now.state != before.state || now.last_changed != before.last_changed;
    loop {
        let seen = server.state(&before.entity_id).await;
        match seen {
            Ok(state) if reached(&state) => return Ok(Settled::Reached(state)),
            Ok(state) if state.trouble().is_some() && is_new(&state) => return Ok(Settled::Stuck(state)),
            Ok(state) if Instant::now() + SETTLE_PAUSE > deadline => return Ok(Settled::NotYet(state)),
            Err(error) if Instant::now() + SETTLE_PAUSE > deadline => return Err(error),
            Ok(_) | Err(_) => sleep(SETTLE_PAUSE).await,
        }
    }
}
