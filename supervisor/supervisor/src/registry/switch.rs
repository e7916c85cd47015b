//! What spark asks about its switch: its cards for the gates, and a device's word back to it.
//!
//! Spark judges by the keys that it was pushed. Before a word goes there it is checked against the ledger, which knows of a
//! revocation first.

use std::sync::Arc;
use std::time::Duration;

use platform_kit::Failure;
use platform_kit::client::{CallError, Client};
use platform_types::device::{Act, ActOutcome};
use platform_types::egress::Card;
use platform_types::gate::{CardList, Scope};
use platform_types::switch::{SwitchCard, SwitchCards, SwitchDecision};
use platform_types::text::neutral_cut;
use platform_types::{ErrorCode, ProfileName};
use serde::de::IgnoredAny;
use supervisor_store::DeviceRecord;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::operations;
use crate::sockets;
use crate::state::Shared;

/// Spark answers within 25 s whether there is news.
const NEWS_TIMEOUT: Duration = Duration::from_secs(30);
/// Between attempts to reach spark.
const PAUSE: Duration = Duration::from_secs(1);
/// 64 cards of 3 KiB, and what waits.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Longest message of spark that is handed on, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// Cards of all profiles.
pub type Cards = Arc<Vec<SwitchCard>>;

/// Keeps `cards` as spark has them, until `stop`.
pub async fn follow(shared: Shared, cards: watch::Sender<Cards>, stop: CancellationToken) {
    tokio::select! {
        () = keep(&shared, &cards) => {}
        () = stop.cancelled() => {}
    }
}

async fn keep(shared: &Shared, cards: &watch::Sender<Cards>) {
    let mut world = shared.world.clone();
    let mut version = None;
    loop {
        if world.borrow_and_update().config.switch().is_none() {
            version = None;
            put(cards, Vec::new());
            if world.changed().await.is_err() {
                return;
            }
            continue;
        }
        match news(shared, version).await {
            Ok(SwitchCards { version: now, cards: found }) => {
                version = Some(now);
                put(cards, found);
            }
            Err(error) => {
                tracing::debug!(error, "spark tells nothing about its switch");
                version = None;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn put(cards: &watch::Sender<Cards>, found: Vec<SwitchCard>) {
    cards.send_if_modified(|known| {
        let news = **known != found;
        if news {
            *known = Arc::new(found);
        }
        news
    });
}

async fn news(shared: &Shared, version: Option<u64>) -> Result<SwitchCards, String> {
    let client = sockets::spark(shared).ok_or("it was never started")?;
    let after = version.map_or_else(String::new, |version| format!("?after={version}"));
    let client = client.with_timeout(NEWS_TIMEOUT).with_max_answer(MAX_ANSWER_BYTES);
    client.get(&format!("/confirmations{after}")).await.map_err(|error| crate::words::chain(&error))
}

/// Those of a profile.
pub fn of(cards: &[SwitchCard], profile: &ProfileName) -> Vec<Card> {
    cards.iter().filter(|card| card.profile.as_ref() == Some(profile)).map(|card| card.card.clone()).collect()
}

/// Has a gate show these.
pub async fn show(gate: &Client, cards: Vec<Card>) -> Result<(), CallError> {
    match gate.put::<_, IgnoredAny>("/cards", &CardList { cards }).await {
        // A gate of an earlier release shows none.
        Err(CallError::Refused { status, .. }) if status == http::StatusCode::NOT_FOUND => Ok(()),
        answer => answer.map(|_| ()),
    }
}

/// A device's word, with its signature, to spark.
pub async fn decide(shared: &Shared, by: &DeviceRecord, act: &Act, signature: &str) -> Result<ActOutcome, Failure> {
    let Act::Confirm { confirmation, digest, verdict } = act else {
        return Err(refused("this decides nothing"));
    };
    if !by.scopes.contains(&Scope::Approve) {
        return Err(refused("this device may not decide; it needs the scope approve"));
    }
    if !is_id(confirmation) {
        return Err(refused("this is not the id of a card"));
    }
    let client = sockets::spark(shared).ok_or_else(|| refused("spark does not run"))?;
    let word = SwitchDecision::Device {
        profile: by.profile.clone(),
        device: by.id.clone(),
        verdict: *verdict,
        digest: digest.clone(),
        signature: signature.to_owned(),
    };
    let answer = client.post::<_, IgnoredAny>(&format!("/confirmations/{confirmation}"), &word).await;
    answer.map_err(|error| {
        let said = match error {
            CallError::Refused { message, .. } => message,
            other => format!("spark does not answer: {}", crate::words::chain(&other)),
        };
        refused(&neutral_cut(&said, MAX_MESSAGE_CHARS))
    })?;
    let actor = format!("device {} ({})", by.id, by.name);
    let message = format!("the switch {confirmation} was decided: {verdict}");
    operations::note(shared, &by.profile, &actor, "switch.decided", message).await;
    Ok(ActOutcome::Done { device: None })
}

/// 16 bytes in lower-case hex.
pub fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn refused(reason: &str) -> Failure {
    Failure::new(ErrorCode::Conflict, reason)
}
