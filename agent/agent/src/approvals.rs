//! What a person is asked: the question, made from the exact call.

use agent_core::prompt::ToolCall;
use agent_store::Asked;
use data_encoding::HEXLOWER;
use platform_types::chat::Asking;
use platform_types::{BotName, Timestamp};
use sha2::{Digest as _, Sha256};

/// Time for an answer: long enough to find a phone, short enough to still know what it is about.
pub const MAX_WAIT_MILLIS: i64 = 10 * 60 * 1000;

/// Whose call it is.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub session: &'a str,
    pub turn: &'a str,
    pub bot: &'a BotName,
}

/// The question about `call`. `call.arguments` is the one text of its arguments.
pub fn question(id: String, place: Place<'_>, call: ToolCall, why: String, now: Timestamp) -> Asked {
    let Place { session, turn, bot } = place;
    let ToolCall { id: call, name: tool, arguments } = call;
    let digest = sha256(&format!("bot-platform approval v1\n{session}\n{turn}\n{call}\n{tool}\n{arguments}"));
    let (session, turn, bot) = (session.to_owned(), turn.to_owned(), bot.clone());
    let expires_at = now.plus_millis(MAX_WAIT_MILLIS);
    Asked { id, turn, session, bot, call, tool, arguments, why, digest, created_at: now, expires_at }
}

/// What the page shows of it.
pub fn shown(asked: &Asked) -> Asking {
    Asking {
        approval: asked.id.clone(),
        digest: asked.digest.clone(),
        expires_at: asked.expires_at,
        why: asked.why.clone(),
    }
}

/// SHA-256 as lower-case hex.
pub fn sha256(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_binds_the_exact_call() {
        let digest = |session: &str, turn: &str, call: &str, tool: &str, arguments: &str| {
            let bot = BotName::new("home").unwrap();
            let call = ToolCall { id: call.into(), name: tool.into(), arguments: arguments.into() };
            question("a".into(), Place { session, turn, bot: &bot }, call, String::new(), Timestamp(1)).digest
        };
        let one = digest("s", "t", "call1", "door.open", "{}");
        assert_eq!(one, digest("s", "t", "call1", "door.open", "{}"));
        for other in [
            digest("s2", "t", "call1", "door.open", "{}"),
            digest("s", "t2", "call1", "door.open", "{}"),
            digest("s", "t", "call2", "door.open", "{}"),
            digest("s", "t", "call1", "door.close", "{}"),
            digest("s", "t", "call1", "door.open", "{\"a\":1}"),
        ] {
            assert_ne!(one, other);
        }
    }
}
