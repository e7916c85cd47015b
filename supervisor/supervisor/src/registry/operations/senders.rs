//! Senders of channels are let in by their code, silenced, or forgotten.

use platform_kit::Failure;
use platform_types::channel::{ChatId, MAX_SENDERS, SenderRequest, normal_code};
use platform_types::text::neutral;
use platform_types::{ErrorCode, ProfileName, UpstreamName};
use supervisor_store::{SenderApproval, SenderRecord, SenderState};

use super::{in_ledger, note, origin, push};
use crate::api::failure::internal;
use crate::api::wire::senders as wire;
use crate::measure::span;
use crate::registry::code::sha256_hex;
use crate::state::Shared;

/// Everybody who was decided about, and who waits.
pub async fn list_senders(shared: &Shared, profile: &ProfileName) -> Result<wire::Senders, Failure> {
    origin(shared, profile)?;
    let now = shared.clock.now();
    let (records, waiting) = {
        let profile = profile.clone();
        let read =
            in_ledger(shared, move |store| Ok((store.senders(&profile)?, store.pending_senders(&profile, now)?)));
        read.await.map_err(|error| internal(&error))?
    };
    let channels = channels(shared, profile);
    Ok(wire::Senders {
        profile: profile.clone(),
        now,
        channels,
        senders: records.iter().map(sender).collect(),
        requests: waiting.iter().map(request).collect(),
    })
}

/// Lets the sender in who shows this code.
pub async fn approve_sender(
    shared: &Shared,
    profile: &ProfileName,
    by: &str,
    typed: &str,
) -> Result<wire::SenderChanged, Failure> {
    origin(shared, profile)?;
    let now = shared.clock.now();
    let digest = normal_code(typed).map(|code| sha256_hex(&code));
    let outcome = {
        let profile = profile.clone();
        in_ledger(shared, move |store| store.approve_sender(&profile, digest.as_deref(), now)).await
    };
    let record = match outcome.map_err(|error| internal(&error))? {
        SenderApproval::Approved(record) => record,
        SenderApproval::Wrong => {
            note(shared, profile, by, "sender.wrong_code", "a code of no sender who waits was typed".to_owned()).await;
            let message = format!("no sender who waits has this code; botctl dm list {profile} shows who waits");
            return Err(Failure::new(ErrorCode::NotFound, message).with_param("code"));
        }
        SenderApproval::Wait(until) => {
            let millis = until.millis_since(now);
            let message = format!("too many codes were wrong; none is tried for {}", span(millis));
            let seconds = u32::try_from(millis / 1000 + 1).unwrap_or(u32::MAX);
            return Err(Failure::new(ErrorCode::RateLimited, message).with_retry_after(seconds));
        }
        SenderApproval::Full => return Err(full(profile)),
    };
    changed(shared, profile, (by, "sender.approved"), &record, "may write").await
}

/// Silences a sender, known or not.
pub async fn block_sender(
    shared: &Shared,
    profile: &ProfileName,
    by: &str,
    who: wire::SenderName,
) -> Result<wire::SenderChanged, Failure> {
    origin(shared, profile)?;
    let channel = known_channel(shared, profile, who.channel).await?;
    let now = shared.clock.now();
    let blocked = {
        let (profile, id) = (profile.clone(), who.id);
        in_ledger(shared, move |store| store.block_sender(&profile, &channel, id, now)).await
    };
    let record = blocked.map_err(|error| internal(&error))?.ok_or_else(|| full(profile))?;
    changed(shared, profile, (by, "sender.blocked"), &record, "is not heard any more").await
}

/// Makes a sender unknown again: he may ask for a code.
pub async fn forget_sender(
    shared: &Shared,
    profile: &ProfileName,
    by: &str,
    who: wire::SenderName,
) -> Result<wire::SenderChanged, Failure> {
    origin(shared, profile)?;
    let wire::SenderName { channel, id } = who;
    let gone = {
        let (profile, channel) = (profile.clone(), channel.clone());
        in_ledger(shared, move |store| store.forget_sender(&profile, &channel, id)).await
    };
    let record = gone
        .map_err(|error| internal(&error))?
        .ok_or_else(|| Failure::new(ErrorCode::NotFound, format!("nothing is known of {id} on {channel}")))?;
    changed(shared, profile, (by, "sender.forgotten"), &record, "is forgotten").await
}

/// The record, the push.
async fn changed(
    shared: &Shared,
    profile: &ProfileName,
    (by, kind): (&str, &'static str),
    record: &SenderRecord,
    what: &str,
) -> Result<wire::SenderChanged, Failure> {
    note(shared, profile, by, kind, format!("{} {what}", named(&record.channel, record.id, &record.name))).await;
    let pushed = push(shared, profile).await;
    Ok(wire::SenderChanged { profile: profile.clone(), sender: sender(record), pushed })
}

/// A sender in words for the record: `chat/7 (Anna)`.
pub fn named(channel: &UpstreamName, id: ChatId, name: &str) -> String {
    if name.is_empty() { format!("{channel}/{id}") } else { format!("{channel}/{id} ({})", neutral(name)) }
}

/// One that is configured, or that the ledger knows still: a slip of the keyboard blocks nobody.
async fn known_channel(shared: &Shared, profile: &ProfileName, channel: UpstreamName) -> Result<UpstreamName, Failure> {
    let configured = channels(shared, profile);
    if configured.contains(&channel) {
        return Ok(channel);
    }
    let remembered = {
        let profile = profile.clone();
        in_ledger(shared, move |store| store.senders(&profile)).await.map_err(|error| internal(&error))?
    };
    if remembered.iter().any(|sender| sender.channel == channel) {
        return Ok(channel);
    }
    let names: Vec<&str> = configured.iter().map(UpstreamName::as_str).collect();
    let known = if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
    let message = format!("{profile} has no channel {channel}; {known}");
    Err(Failure::new(ErrorCode::NotFound, message).with_param("channel"))
}

fn channels(shared: &Shared, profile: &ProfileName) -> Vec<UpstreamName> {
    let world = shared.world.borrow();
    world.config.profiles.get(profile).map(|found| found.channels.keys().cloned().collect()).unwrap_or_default()
}

fn full(profile: &ProfileName) -> Failure {
    let message =
        format!("{profile} remembers {MAX_SENDERS} senders; forget one: botctl dm forget {profile} CHANNEL ID");
    Failure::new(ErrorCode::Conflict, message)
}

fn sender(record: &SenderRecord) -> wire::Sender {
    let SenderRecord { channel, id, name, state, changed_at } = record.clone();
    let state = match state {
        SenderState::Approved => wire::SenderState::Approved,
        SenderState::Blocked => wire::SenderState::Blocked,
        SenderState::Revoked => wire::SenderState::Revoked,
    };
    wire::Sender { channel, id, name: neutral(&name), state, changed_at }
}

fn request(request: &SenderRequest) -> wire::WaitingSender {
    let SenderRequest { id: _, channel, sender, name, code_sha256: _, at, expires_at } = request.clone();
    wire::WaitingSender { channel, id: sender, name: neutral(&name), asked_at: at, expires_at }
}
