//! Which of the past fits the model's context window.
//!
//! The past comes in groups: a person's message with everything that answered it, tool calls and their results included.
//! A group is sent whole or not at all, so a call is never parted from its result. The system prompt and the message that
//! is being answered always go.

use crate::prompt::{Prompt, ToolSpec};

/// Assumed where the server does not tell a window: most local servers give at least this.
pub const ASSUMED_WINDOW_TOKENS: u32 = 16 * 1024;
/// Bytes that make one token, estimated low on purpose: English has 4 and more, German and code about 3.
const BYTES_PER_TOKEN: usize = 3;
/// Tokens that frame one message in common chat templates.
const TOKENS_PER_MESSAGE: usize = 6;
/// Largest part of the window that is kept free for the answer, in tokens.
const MAX_ANSWER_TOKENS: usize = 4096;

/// One exchange of the past.
pub type Group = Vec<Prompt>;

/// Estimated tokens of `messages`.
pub fn estimate<'a>(messages: impl IntoIterator<Item = &'a Prompt>) -> usize {
    messages.into_iter().map(|message| message.bytes().div_ceil(BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE).sum()
}

/// Estimated tokens of the tools' descriptions.
pub fn estimate_tools(tools: &[ToolSpec]) -> usize {
    let bytes = |tool: &ToolSpec| tool.name.len() + tool.description.len() + tool.parameters.to_string().len();
    tools.iter().map(|tool| bytes(tool).div_ceil(BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE).sum()
}

/// Tokens of a window that a prompt may take: a quarter is kept for the answer, at most [`MAX_ANSWER_TOKENS`].
pub fn prompt_budget(window: u32) -> usize {
    let window = window as usize;
    window - (window / 4).min(MAX_ANSWER_TOKENS)
}

/// Bytes of history that can be of use in a window: what a store needs to read.
pub fn useful_bytes(window: Option<u32>) -> usize {
    window.unwrap_or(ASSUMED_WINDOW_TOKENS) as usize * BYTES_PER_TOKEN
}

/// Makes a group end with words of the model: strict chat templates refuse two messages of a person in a row, or one
/// right after a tool's result.
pub fn close(group: &mut Group) {
    if !matches!(group.last(), Some(Prompt::Assistant { calls, .. }) if calls.is_empty()) {
        group.push(Prompt::Assistant { text: "(no answer)".to_owned(), calls: Vec::new() });
    }
}

/// The newest groups that fit into `budget` tokens, oldest first.
pub fn select(groups: &[Group], budget: usize) -> &[Group] {
    let mut left = budget;
    let mut first = groups.len();
    for (index, group) in groups.iter().enumerate().rev() {
        let cost = estimate(group);
        if cost > left {
            break;
        }
        left -= cost;
        first = index;
    }
    &groups[first..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::prompt::ToolCall;

    fn group(user: &str, answer: &str) -> Group {
        let calls = vec![ToolCall { id: "c1".into(), name: "clock.now".into(), arguments: "{}".into() }];
        vec![
            Prompt::User { text: user.into() },
            Prompt::Assistant { text: String::new(), calls },
            Prompt::Tool { call: "c1".into(), text: "12:00".into() },
            Prompt::Assistant { text: answer.into(), calls: Vec::new() },
        ]
    }

    #[test]
    fn keeps_the_newest_whole_groups() {
        let groups = vec![group("one", "first"), group("two", "second"), group("three", "third")];
        let cost = estimate(&groups[2]);
        assert_eq!(select(&groups, 10_000).len(), 3);
        assert_eq!(select(&groups, cost), &groups[2..]);
        assert!(select(&groups, cost - 1).is_empty());
        assert!(select(&[], 100).is_empty());
    }

    #[test]
    fn a_quarter_of_a_small_window_is_left_for_the_answer() {
        assert_eq!(prompt_budget(4096), 3072);
        assert_eq!(prompt_budget(131_072), 131_072 - 4096);
        assert_eq!(prompt_budget(0), 0);
    }

    proptest! {
        #[test]
        fn never_over_budget_and_always_a_suffix(sizes in prop::collection::vec(0..2000usize, 0..20), budget in 0..4000usize) {
            let groups: Vec<Group> = sizes.iter().map(|n| group(&"x".repeat(*n), "y")).collect();
            let chosen = select(&groups, budget);
            prop_assert!(chosen.iter().map(estimate).sum::<usize>() <= budget);
            prop_assert_eq!(chosen, &groups[groups.len() - chosen.len()..]);
        }
    }
}
