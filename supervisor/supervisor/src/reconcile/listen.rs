//! Keeps an ear on the engine: a handshake, then its events until the stream breaks, again and again.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::event::EngineSignal;
use super::hands::Hands;
use crate::words::chain;

/// Signals that wait. A loop that is this far behind catches up by a full look.
pub const SIGNAL_QUEUE: usize = 256;
/// Between attempts to connect while Docker is away.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Events from so long before the handshake are told again, so that none is lost between handshake and stream.
const OVERLAP_MILLIS: i64 = 2000;

/// Listens until `stop`.
pub async fn listen(hands: Hands, signals: mpsc::Sender<EngineSignal>, stop: CancellationToken) {
    let work = async {
        let mut pause = FIRST_PAUSE;
        loop {
            match hands.engine.handshake().await {
                Ok(info) => {
                    pause = FIRST_PAUSE;
                    let since = hands.clock.now().plus_millis(-OVERLAP_MILLIS);
                    if signals.send(EngineSignal::Connected(info)).await.is_err() {
                        return;
                    }
                    let reason = hear(&hands, since.as_millis() / 1000, &signals).await;
                    if signals.send(EngineSignal::Lost(reason)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    if signals.send(EngineSignal::Lost(chain(&error))).await.is_err() {
                        return;
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    };
    tokio::select! {
        () = work => {}
        () = stop.cancelled() => {}
    }
}

/// Passes events on; returns why there are no more.
async fn hear(hands: &Hands, since_seconds: i64, signals: &mpsc::Sender<EngineSignal>) -> String {
    let mut events = std::pin::pin!(hands.engine.events(&hands.install, &hands.name, since_seconds));
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if signals.send(EngineSignal::Changed(event)).await.is_err() {
                    break;
                }
            }
            Err(error) => return chain(&error),
        }
    }
    "Docker closed the stream of events".to_owned()
}
