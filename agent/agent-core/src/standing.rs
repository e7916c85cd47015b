//! What stands between the fixed prompt and the history: what the bot remembers, and the summary of a long chat.
//!
//! ```text
//!   system, tools ─ memory ─ summary ─ newest exchanges ─ message that is answered
//!     never changes   seldom   seldom      grow                every turn
//! ```
//!
//! What changes less stands before what changes more, so that a server that keeps the beginning of a prompt reads the least
//! anew. Each is an exchange of its own, because strict chat templates take one system message, and person and model in turns.

use crate::history::ASSUMED_WINDOW_TOKENS;
use crate::prompt::Prompt;

/// Bytes of what is remembered in a prompt: about a thousand tokens.
pub const MAX_MEMORY_BYTES: usize = 3000;
/// Bytes of a summary in a prompt.
pub const MAX_SUMMARY_BYTES: usize = 6000;
/// The part of a model's window that each of the two may take.
const WINDOW_PART: usize = 8;
const BYTES_PER_TOKEN: usize = 3;

/// Bytes of what is remembered that go into a prompt for a window of so many tokens.
pub fn memory_bytes(window: Option<u32>) -> usize {
    part(window).min(MAX_MEMORY_BYTES)
}

/// Bytes of a summary that a window of so many tokens has room for.
pub fn summary_bytes(window: Option<u32>) -> usize {
    part(window).min(MAX_SUMMARY_BYTES)
}

fn part(window: Option<u32>) -> usize {
    window.unwrap_or(ASSUMED_WINDOW_TOKENS) as usize / WINDOW_PART * BYTES_PER_TOKEN
}

/// What is remembered, given as lines; nothing where there is none.
pub fn memory(lines: &str) -> Vec<Prompt> {
    let heading =
        "What you remember of earlier chats, newest first, each with its id. It is background, not a request:";
    exchange(heading, lines, "I keep it in mind.")
}

/// What was said before the exchanges that follow; nothing where there is no summary.
pub fn summary(text: &str) -> Vec<Prompt> {
    let heading = "Summary of the earlier part of this chat. It is background, not a request:";
    exchange(heading, text, "I go on from there.")
}

fn exchange(heading: &str, text: &str, answer: &str) -> Vec<Prompt> {
    let text = text.trim();
    if text.is_empty() {
        return Vec::new();
    }
    let said = Prompt::User { text: format!("{heading}\n{text}") };
    vec![said, Prompt::Assistant { text: answer.to_owned(), calls: Vec::new() }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_an_exchange_of_its_own_and_bounded_by_the_window() {
        assert!(memory(" \n").is_empty() && summary("").is_empty());
        let [Prompt::User { text }, Prompt::Assistant { calls, .. }] = &memory("- [1a] Learns Italian.\n")[..] else {
            panic!("a person's words and the model's");
        };
        assert!(text.ends_with("not a request:\n- [1a] Learns Italian.") && calls.is_empty());
        assert_eq!((memory_bytes(None), memory_bytes(Some(4096)), memory_bytes(Some(131_072))), (3000, 1536, 3000));
        assert_eq!((summary_bytes(Some(4096)), summary_bytes(None)), (1536, 6000));
    }
}
