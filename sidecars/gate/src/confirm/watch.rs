//! The socket of the gate's own page: cards as they change. It needs no agent. And the end of what nobody decides.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use platform_types::egress::Card;
use platform_types::gate::Scope;
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::decide;
use crate::devices::view::{self, Devices};
use crate::gate::Gate;
use crate::socket::ending::Ending;
use crate::socket::enter::{self, Entered};
use crate::socket::upgrade::PageSocket;

/// Between two looks at the clock, where it does not run like the timers: after a suspend, say.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// What the gate says to its own page, after `ready`.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ToPage {
    Cards {
        cards: Vec<Card>,
        /// This device may decide.
        approve: bool,
    },
    Devices(Devices),
    Pong {
        n: u64,
    },
}

#[derive(Debug, serde::Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FromPage {
    Ping {
        n: u64,
    },
    /// From now on tell about devices too.
    Devices,
}

/// Tells cards until the page leaves.
pub async fn run(gate: &Arc<Gate>, page: &mut PageSocket, entered: &Entered) -> Ending {
    let limits = &gate.limits.socket;
    let mut version = gate.confirmations.version();
    version.mark_changed();
    let mut config = gate.config.subscribe();
    let mut requests = gate.pairing.requests.version();
    let mut about_devices = false;
    let mut ping = tokio::time::interval_at(Instant::now() + limits.ping_every, limits.ping_every);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        let message = tokio::select! {
            _ = version.changed() => cards(gate, entered),
            _ = requests.changed(), if about_devices => devices(gate, entered),
            // The scopes of this device may be others now.
            _ = config.changed() => {
                requests.mark_changed();
                cards(gate, entered)
            }
            _ = ping.tick() => Message::Ping(Bytes::new()),
            () = tokio::time::sleep_until(heard + limits.silence) => return Ending::Silent,
            next = page.next() => {
                heard = Instant::now();
                match next {
                    Some(Ok(Message::Text(said))) => match serde_json::from_str(&said) {
                        Ok(FromPage::Ping { n }) => text(&ToPage::Pong { n }),
                        Ok(FromPage::Devices) => {
                            about_devices = true;
                            devices(gate, entered)
                        }
                        Err(_) => return Ending::Malformed,
                    },
                    Some(Ok(Message::Binary(_))) => return Ending::NotText,
                    Some(Ok(Message::Close(_))) | None => return Ending::Left,
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return Ending::of_page(&error),
                }
            }
        };
        if let Err(ending) = enter::send(page, message).await {
            return ending;
        }
    }
}

fn cards(gate: &Gate, entered: &Entered) -> Message {
    let approve =
        gate.config.get().is_ok_and(|c| c.device(&entered.id).is_some_and(|device| device.may(Scope::Approve)));
    text(&ToPage::Cards { cards: gate.confirmations.cards(), approve })
}

fn devices(gate: &Gate, entered: &Entered) -> Message {
    match view::devices(gate, &entered.id) {
        Some(devices) => text(&ToPage::Devices(devices)),
        // The session is about to end.
        None => Message::Ping(Bytes::new()),
    }
}

fn text(message: &ToPage) -> Message {
    Message::text(serde_json::to_string(message).unwrap_or_default())
}

/// Ends what is past its time, for ever.
pub async fn expire(gate: &Gate) {
    let mut version = gate.confirmations.version();
    loop {
        decide::expire(gate);
        version.borrow_and_update();
        let next = gate.confirmations.next_expiry().map(|at| {
            let millis = u64::try_from(at.millis_since(gate.clock.now())).unwrap_or(0);
            Duration::from_millis(millis.saturating_add(1)).min(LONGEST_SLEEP)
        });
        tokio::select! {
            () = sleep(next) => {}
            _ = version.changed() => {}
            () = gate.stop.cancelled() => return,
        }
    }
}

/// For ever where there is nothing to wait for.
async fn sleep(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
