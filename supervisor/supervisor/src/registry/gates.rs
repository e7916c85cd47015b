//! The event streams of the gates: one task a profile holds `GET /events` open, stores what it says, decides, answers.
//!
//! A gate repeats what is undecided on every connection, so nothing is lost when a stream breaks between the ledger and
//! the answer. What a gate sends is checked again here.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Request;
use http_body_util::Full;
use platform_kit::client::CallError;
use platform_kit::lines::{Lines, LinesError};
use platform_types::ProfileName;
use platform_types::channel::SenderRequest;
use platform_types::gate::{GateEvent, PairingAttempt};
use platform_types::text::neutral;
use supervisor_plan::Target;
use supervisor_plan::report::Condition;
use supervisor_store::{NewDevice, SenderOffer, StoreError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::decision::{self, Answer};
use super::{acts, operations, switch};
use crate::sockets;
use crate::state::{Shared, World};

/// Longest line of an event stream; a pairing attempt is below 1 KiB.
const MAX_LINE_BYTES: usize = 16 * 1024;
/// A gate writes a blank line every few seconds; a stream that is silent for so long is dead.
const SILENCE: Duration = Duration::from_mins(1);
/// Between attempts to connect: short at first, so that a gate that was just started is heard at once.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum StreamError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("no gate runs")]
    NoGate,
    #[error("the request cannot be written as HTTP")]
    Request(#[from] http::Error),
    #[error("the gate answered {0}")]
    Status(http::StatusCode),
    #[error(transparent)]
    Lines(#[from] LinesError),
    #[error("nothing came for {} s", SILENCE.as_secs())]
    Silent,
    #[error("a line is not an event")]
    Json(#[from] serde_json::Error),
}

/// Keeps one listener for each profile in force until `stop`.
pub async fn listen(shared: Shared, stop: CancellationToken) {
    let mut world = shared.world.clone();
    let mut listeners: BTreeMap<ProfileName, CancellationToken> = BTreeMap::new();
    let mut running = JoinSet::new();
    let (sender, cards) = watch::channel(switch::Cards::default());
    running.spawn(switch::follow(shared.clone(), sender, stop.child_token()));
    loop {
        let config = world.borrow_and_update().config.clone();
        listeners.retain(|profile, listener| {
            let keep = config.profiles.contains_key(profile);
            if !keep {
                listener.cancel();
            }
            keep
        });
        for profile in config.profiles.keys() {
            listeners.entry(profile.clone()).or_insert_with(|| {
                let listener = stop.child_token();
                running.spawn(listen_to(shared.clone(), profile.clone(), cards.clone(), listener.clone()));
                listener
            });
        }
        tokio::select! {
            changed = world.changed() => if changed.is_err() { break },
            Some(_) = running.join_next() => {}
            () = stop.cancelled() => break,
        }
    }
    stop.cancelled().await;
    while running.join_next().await.is_some() {}
}

/// Listens to one gate, connecting again for ever.
async fn listen_to(
    shared: Shared,
    profile: ProfileName,
    mut cards: watch::Receiver<switch::Cards>,
    stop: CancellationToken,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let stream = async {
            until_gate_runs(&shared, &profile).await;
            stream(&shared, &profile, &mut cards, &mut pause).await
        };
        let ended = tokio::select! {
            ended = stream => ended,
            () = stop.cancelled() => return,
        };
        match ended {
            Ok(()) => tracing::debug!(%profile, "the gate's event stream ended"),
            Err(error) => tracing::debug!(%profile, %error, "the gate's event stream broke"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = stop.cancelled() => return,
        }
    }
}

async fn until_gate_runs(shared: &Shared, profile: &ProfileName) {
    let runs = |world: &World| {
        world.report.targets.get(&Target::gate(profile)).is_some_and(|target| {
            matches!(target.condition, Condition::Ready | Condition::Starting | Condition::Unready)
        })
    };
    // The sender is gone only when the daemon stops; then `stop` ends this task.
    if shared.world.clone().wait_for(runs).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// One connection, until it ends.
async fn stream(
    shared: &Shared,
    profile: &ProfileName,
    cards: &mut watch::Receiver<switch::Cards>,
    pause: &mut Duration,
) -> Result<(), StreamError> {
    let client = sockets::gate(shared, profile).ok_or(StreamError::NoGate)?;
    let request = Request::get("/events").header(http::header::HOST, "localhost").body(Full::default())?;
    let response = client.open(request).await?;
    if !response.status().is_success() {
        return Err(StreamError::Status(response.status()));
    }
    let mut lines = Lines::new(response.into_body(), MAX_LINE_BYTES);
    *pause = FIRST_PAUSE;
    tracing::debug!(%profile, "listening to the gate");
    // A gate that was just started shows none; one that was not may show what is gone.
    let mut shown = None;
    cards.mark_changed();
    loop {
        let line = tokio::select! {
            line = tokio::time::timeout(SILENCE, lines.next()) => line.map_err(|_| StreamError::Silent)??,
            // The sender goes away only when the daemon stops.
            Ok(()) = cards.changed() => {
                let now = switch::of(&cards.borrow_and_update(), profile);
                if shown.as_ref() != Some(&now) {
                    switch::show(&client, now.clone()).await?;
                    shown = Some(now);
                }
                continue;
            }
        };
        let Some(line) = line else { return Ok(()) };
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let event: GateEvent = serde_json::from_slice(&line)?;
        if let Err(error) = heard(shared, profile, event).await {
            // The gate repeats it on the next connection; the operator sees why it takes so long.
            tracing::warn!(%profile, %error, "the ledger did not take what a gate reported");
        }
    }
}

/// Stores, decides, answers.
async fn heard(shared: &Shared, profile: &ProfileName, event: GateEvent) -> Result<(), StoreError> {
    match event {
        GateEvent::Seen { who, at } => {
            // A clock that runs ahead in a gate must not make a device look used in the future.
            let at = at.min(shared.clock.now());
            let profile = profile.clone();
            operations::in_ledger(shared, move |store| store.touch(&profile, &who, at)).await
        }
        GateEvent::Pairing(attempt) => pairing(shared, profile, &attempt).await,
        GateEvent::Act(act) => {
            let outcome = acts::perform(shared, profile, &act).await;
            operations::answer_act(shared, profile, &act.id, &outcome).await;
            Ok(())
        }
        GateEvent::Sender(request) => sender(shared, profile, &request).await,
    }
}

async fn pairing(shared: &Shared, profile: &ProfileName, attempt: &PairingAttempt) -> Result<(), StoreError> {
    let answer = match decision::screen(attempt) {
        Err(reason) => Answer::Refuse(reason),
        Ok(screened) => decide(shared, profile, screened).await?,
    };
    match &answer {
        Answer::Wait { new: true } => {
            let code = super::code::short(&attempt.device);
            let name = neutral(&attempt.name);
            let message = format!("{name} asks to be paired, code {code}: botctl device approve {profile} {code}");
            operations::tell(shared, profile, "pairing_requested", message).await;
        }
        Answer::Accept(_) => {
            operations::push(shared, profile).await;
        }
        Answer::Wait { new: false } | Answer::Refuse(_) => {}
    }
    if let Some(word) = decision::to_wire(&answer) {
        operations::tell_gate(shared, profile, &attempt.id, &word).await;
    }
    Ok(())
}

/// An unknown sender has a code. Whether he is let in is the operator's word, who has to hear the code from him.
async fn sender(shared: &Shared, profile: &ProfileName, request: &SenderRequest) -> Result<(), StoreError> {
    let Some(request) = decision::screen_sender(request) else {
        tracing::warn!(%profile, "a gate reported a sender without a proper code");
        return Ok(());
    };
    let now = shared.clock.now();
    let who = operations::senders::named(&request.channel, request.sender, &request.name);
    let offer = {
        let profile = profile.clone();
        operations::in_ledger(shared, move |store| store.offer_sender(&profile, &request, now)).await?
    };
    match offer {
        SenderOffer::New => {
            let message = format!("{who} wrote and has a code: botctl dm approve {profile} CODE");
            operations::tell(shared, profile, "sender_asked", message).await;
            operations::push(shared, profile).await;
        }
        SenderOffer::Full => tracing::warn!(%profile, who, "too many senders wait; the code of another is of no use"),
        SenderOffer::Known | SenderOffer::Decided | SenderOffer::Expired => {}
    }
    Ok(())
}

async fn decide(shared: &Shared, profile: &ProfileName, attempt: PairingAttempt) -> Result<Answer, StoreError> {
    let now = shared.clock.now();
    let Some(code_sha256) = attempt.code_sha256.clone() else {
        let profile = profile.clone();
        let offer = operations::in_ledger(shared, move |store| store.offer_pairing(&profile, &attempt, now)).await?;
        return Ok(decision::offered(offer));
    };
    let device = NewDevice { id: attempt.device, public_key: attempt.public_key, name: attempt.name };
    let name = device.name.clone();
    let outcome = {
        let profile = profile.clone();
        operations::in_ledger(shared, move |store| store.redeem_link(&profile, &code_sha256, &device, now)).await?
    };
    let answer = decision::redeemed(outcome);
    if let Answer::Accept(device) = &answer {
        let code = super::code::short(&device.id);
        let message = format!("{name} ({code}) was paired with a setup link");
        operations::note(shared, profile, &format!("device {}", device.id), "device.paired", message).await;
    }
    Ok(answer)
}
