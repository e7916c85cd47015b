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
use super::enter::{self, Entered};
use super::pipe;
use super::upgrade::PageSocket;
use crate::gate::Gate;
use crate::http::place::Place;
use crate::seats::Seat;

/// Runs a socket to its end. `stranger` is its seat until it has authenticated.
pub async fn run(gate: Arc<Gate>, place: Place, mut page: PageSocket, stranger: Seat) {
    let mut stranger = Some(stranger);
    let ending = tokio::select! {
        ending = serve(&gate, &place, &mut page, &mut stranger) => ending,
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

async fn serve(gate: &Arc<Gate>, place: &Place, page: &mut PageSocket, stranger: &mut Option<Seat>) -> Ending {
    let entered = tokio::select! {
        entered = enter::authenticate(gate, place, page) => entered,
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
    gate.events.seen(&caller, gate.clock.now());
    tokio::select! {
        ending = connected(gate, page, &entered, &caller) => ending,
        () = revoked(gate, &entered) => Ending::Revoked,
    }
}

async fn connected(gate: &Arc<Gate>, page: &mut PageSocket, entered: &Entered, caller: &Caller) -> Ending {
    let agent = match enter::reach_agent(gate, &entered.id, page).await {
        Ok(agent) => agent,
        Err(ending) => return ending,
    };
    let ticket = gate.tickets.issue(entered.id.clone());
    let ready = GateHello::Ready {
        device: entered.id.clone(),
        name: entered.device.name.clone(),
        ticket: ticket.text().to_owned(),
    };
    if let Err(ending) = enter::say(page, &ready).await {
        return ending;
    }
    pipe::run(gate, caller, page, agent).await
}

/// Ends when a newcomer needs the stranger's seat; never for one who has authenticated.
async fn displaced(stranger: Option<&Seat>) {
    match stranger {
        Some(seat) => seat.displaced().await,
        None => std::future::pending().await,
    }
}

/// Ends when the pushed registry does not have this device and key any more.
async fn revoked(gate: &Gate, entered: &Entered) {
    let gone = |config: &Option<Arc<crate::config::Config>>| {
        let device = config.as_ref().and_then(|config| config.device(&entered.id));
        !device.is_some_and(|device| device.may_chat && device.key == entered.device.key)
    };
    // The sender lives as long as the gate.
    let _ = gate.config.subscribe().wait_for(gone).await;
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
