//! One socket from challenge to close.
//!
//! ```text
//! upgraded ─▶ challenged ─▶ authenticated ─▶ at the door ─▶ piped ─▶ closed
//!                │ 10 s         │ place          │ 15 s        │ revoked, slow, agent gone, stopping
//!                └──────────────┴────────────────┴─────────────┴──▶ refused or closed, with a code
//! ```
//!
//! Until it has authenticated a socket has a stranger's seat, also while it is being refused; a newcomer may displace it.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::chat::GateHello;
use platform_types::gate::Caller;
use tokio_tungstenite::tungstenite::Message;

use super::ending::Ending;
use super::enter::{self, Entered, Side, Visit};
use super::pipe;
use super::upgrade::PageSocket;
use crate::confirm::watch;
use crate::gate::Gate;
use crate::seats::Seat;

/// Runs a socket to its end. `stranger` is its seat until it has authenticated.
pub async fn run(gate: Arc<Gate>, visit: Visit, mut page: PageSocket, stranger: Seat) {
    let mut stranger = Some(stranger);
    let ending = tokio::select! {
        ending = serve(&gate, &visit, &mut page, &mut stranger) => ending,
        () = gate.stop.cancelled() => Ending::Stopping,
    };
    match &ending {
        Ending::Refused(failure) => gate.tally.failure(failure),
        Ending::Displaced => gate.tally.displaced("unauthenticated sockets"),
        _ => {}
    }
    // A page that does not answer the closing handshake is left behind; a stranger at once, when his seat is needed.
    let closing = tokio::time::timeout(gate.limits.socket.close_time, close(&mut page, &ending));
    tokio::select! {
        biased;
        _ = closing => {}
        () = displaced(stranger.as_ref()) => {}
    }
}

async fn serve(gate: &Arc<Gate>, visit: &Visit, page: &mut PageSocket, stranger: &mut Option<Seat>) -> Ending {
    let entered = tokio::select! {
        entered = enter::authenticate(gate, visit, page) => entered,
        () = displaced(stranger.as_ref()) => Err(Ending::Displaced),
    };
    let entered = match entered {
        Ok(entered) => entered,
        Err(ending) => return ending,
    };
    page.get_mut().trust();
    *stranger = None;
    let Some(_place) = gate.sockets.device() else {
        return Ending::Refused(Failure::new(ErrorCode::RateLimited, "too many devices are connected"));
    };
    let caller = Caller::Device { id: entered.id.clone() };
    gate.seen(&caller);
    tokio::select! {
        ending = connected(gate, page, &entered, (&caller, visit.side)) => ending,
        ending = outdated(gate, &entered, visit) => ending,
    }
}

async fn connected(
    gate: &Arc<Gate>,
    page: &mut PageSocket,
    entered: &Entered,
    (caller, side): (&Caller, Side),
) -> Ending {
    // The gate's own page needs no agent.
    let agent = match side {
        Side::Gate => None,
        Side::Agent => match enter::reach_agent(gate, entered, page).await {
            Ok(agent) => Some(agent),
            Err(ending) => return ending,
        },
    };
    let ticket = gate.tickets.issue(entered.id.clone());
    let ready = GateHello::Ready {
        device: entered.id.clone(),
        name: entered.device.name.clone(),
        ticket: ticket.text().to_owned(),
        scopes: entered.device.scopes.clone(),
        botctl: gate.config.get().ok().and_then(|config| config.botctl.clone()),
    };
    if let Err(ending) = enter::say(page, &ready).await {
        return ending;
    }
    match agent {
        Some(agent) => pipe::run(gate, caller, page, agent).await,
        None => watch::run(gate, page, entered).await,
    }
}

/// Ends when a newcomer needs the stranger's seat; never for one who has authenticated.
async fn displaced(stranger: Option<&Seat>) {
    match stranger {
        Some(seat) => seat.displaced().await,
        None => std::future::pending().await,
    }
}

/// Ends when the pushed registry does not have this device and key any more or this way in is closed, or when the page and the
/// agent were told other scopes than it has now: then the page connects again.
async fn outdated(gate: &Gate, entered: &Entered, visit: &Visit) -> Ending {
    let side = visit.side;
    let ending = |config: &Option<Arc<crate::config::Config>>| {
        let config = config.as_ref().filter(|config| visit.is_welcome(config));
        let device = config.and_then(|config| config.device(&entered.id));
        match device.filter(|device| side.admits(device) && device.key == entered.device.key) {
            None => Some(Ending::Revoked),
            Some(device) if side == Side::Agent && device.scopes != entered.device.scopes => Some(Ending::AgentGone),
            Some(_) => None,
        }
    };
    // The sender lives as long as the gate.
    let found = gate.config.subscribe().wait_for(|config| ending(config).is_some()).await.map(|config| ending(&config));
    found.ok().flatten().unwrap_or(Ending::Revoked)
}

/// Says why, closes, and reads until the page has closed too.
async fn close(page: &mut PageSocket, ending: &Ending) {
    if let Ending::Refused(failure) = ending {
        let refused = GateHello::Refused { code: failure.code.as_str().to_owned(), message: failure.message.clone() };
        if enter::say(page, &refused).await.is_err() {
            return;
        }
    }
    if let Some(frame) = ending.frame()
        && page.send(Message::Close(Some(frame))).await.is_err()
    {
        return;
    }
    while let Some(Ok(_)) = page.next().await {}
}
