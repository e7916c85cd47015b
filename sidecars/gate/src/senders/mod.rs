//! Who of a channel is heard, and the codes of those who are not.
//!
//! ```text
//! server ─▶ answer to getUpdates ─▶ gate_rules::senders ─┬─ heard ────▶ agent
//!                                                        ├─ ignored ──▶ agent: the number
//!                                                        └─ stranger ─▶ agent: the number; requests ─▶ tell ─▶ server
//!                                                                                              └─▶ event ─▶ supervisor
//! ```
//!
//! Invariants: a code is minted over a chat that was read here, goes to that chat in the gate's own words, and nowhere else;
//! no word of a stranger reaches the agent; who is known is what was pushed last, also for an answer that was asked for before.
//!
//! | module | what |
//! |---|---|
//! | [`requests`] | who has a code: bounded, once an hour |
//! | [`tell`] | the one text that a stranger gets |

pub mod requests;
pub mod tell;

use std::sync::Arc;

use gate_rules::Admitted;
use gate_rules::senders::{self, Verdict};
use gate_rules::updates as wire;
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::channel::Channel;
use platform_types::update::{Sender, Update};
use serde_json::json;

use crate::audit::record::GATE;
use crate::config::Config;
use crate::egress::outgoing::{self, Lost, Reply};
use crate::egress::ways::Way;
use crate::gate::Gate;

/// Asks for updates, and gives those that the agent may see.
pub async fn receive(gate: &Arc<Gate>, way: &Arc<Way>, admitted: &Admitted) -> Result<Reply, Lost> {
    let (reply, secrets) = gate.outside.updates(way, admitted).await?;
    if !reply.status.is_success() {
        let body = outgoing::stripped(&secrets, &wire::refusal(&reply.body));
        return Ok(Reply { content_type: Some("application/json".to_owned()), body: body.into(), ..reply });
    }
    let updates = wire::updates(&reply.body)
        .map_err(|unfit| Lost::After(Failure::new(ErrorCode::UpstreamInvalid, unfit.to_string())))?;
    let config = gate.config.get().map_err(Lost::After)?;
    let came = updates.len();
    let updates = sift(gate, &config, way, updates);
    if came > 0 {
        let heard = updates.iter().filter(|update| update.message.is_some() || update.callback_query.is_some()).count();
        gate.note("channel.received", GATE, json!({ "channel": way.upstream.name, "updates": came, "heard": heard }));
    }
    // Written anew: what was escaped in it may now be readable.
    let body = outgoing::stripped(&secrets, &wire::written(updates)).into();
    Ok(Reply { content_type: Some("application/json".to_owned()), body, ..reply })
}

/// Takes away what the agent must not see. Strangers are told a code behind its back.
fn sift(gate: &Arc<Gate>, config: &Config, way: &Arc<Way>, mut updates: Vec<Update>) -> Vec<Update> {
    let channel = config.ways.channel(&way.upstream.name);
    for update in &mut updates {
        update.callback_query = update
            .callback_query
            .take()
            .filter(|press| channel.is_some_and(|channel| senders::is_heard(channel, press)));
        update.message = update.message.take().filter(|message| {
            let Some(channel) = channel else { return false };
            match senders::verdict(channel, message) {
                Verdict::Heard => true,
                Verdict::Ignored => false,
                Verdict::Stranger => {
                    if let Some(from) = &message.from {
                        knock(gate, config, (way, channel), from);
                    }
                    false
                }
            }
        });
    }
    updates
}

fn knock(gate: &Arc<Gate>, config: &Config, (way, channel): (&Arc<Way>, &Channel), from: &Sender) {
    let random = platform_kit::random::bytes();
    if let Some((request, code)) = gate.senders.open(&config.ways, channel, from, (gate.clock.now(), random)) {
        let telling = tell::tell(gate.clone(), way.clone(), request, code);
        platform_kit::task::spawn("code for a sender", gate.tasks.track_future(telling));
    }
}
