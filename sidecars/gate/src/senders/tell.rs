//! The one text that a stranger gets. It is written here, and nothing of it comes from the stranger, the agent or a model.

use std::sync::Arc;

use platform_types::channel::{CODE_MILLIS, SenderRequest, shown_code};
use platform_types::gate::GateEvent;
use serde_json::json;

use crate::audit::record::GATE;
use crate::egress::outgoing::Lost;
use crate::egress::ways::Way;
use crate::gate::Gate;

/// Sends a code to the chat that it belongs to, and reports the request once the server has taken it.
pub async fn tell(gate: Arc<Gate>, way: Arc<Way>, request: SenderRequest, code: String) {
    let body = json!({
        "chat_id": request.sender,
        "text": words(&code),
        "link_preview_options": { "is_disabled": true },
    });
    let (channel, sender) = (request.channel.as_str(), request.sender);
    let problem = match gate.outside.say(&way, "/sendMessage", &body).await {
        Ok(status) if status.is_success() => None,
        Ok(status) => Some(format!("status {}", status.as_u16())),
        Err(Lost::Before(failure) | Lost::After(failure)) => Some(failure.message),
    };
    let entry = json!({ "channel": channel, "sender": sender, "id": request.id, "problem": problem });
    match problem {
        None => {
            tracing::info!(channel, %sender, "an unknown sender was sent a code");
            gate.note("sender.asked", GATE, entry);
            if gate.senders.told(&request) {
                gate.events.tell(GateEvent::Sender(request));
            }
        }
        Some(problem) => {
            tracing::warn!(channel, %sender, problem, "a code could not be sent");
            gate.note("sender.not_told", GATE, entry);
            gate.senders.not_told(&request, gate.clock.now());
        }
    }
}

fn words(code: &str) -> String {
    let minutes = CODE_MILLIS / 60_000;
    format!(
        "This bot answers only people it knows. Give this code to the person who runs it:\n\n{}\n\n\
         It is good for {minutes} minutes. Until you are let in, nothing that you write here is read.",
        shown_code(code)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_always_the_same() {
        assert_eq!(
            words("K7QXM2PD"),
            "This bot answers only people it knows. Give this code to the person who runs it:\n\nK7QX-M2PD\n\n\
             It is good for 60 minutes. Until you are let in, nothing that you write here is read."
        );
    }
}
