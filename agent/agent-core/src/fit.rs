//! One call of a model, put together so that it fits.
//!
//! ```text
//!   system, standing ─ newest groups of the past ─ message that is answered ─ calls and results of this turn
//!     never go             oldest go first                never goes              long results, oldest first
//! ```
//!
//! Every call has its result in every prompt: a group of the past goes as a whole, and a result that is too long is cut,
//! not taken away.

use crate::history::{Group, estimate, estimate_tools, select};
use crate::prompt::{Prompt, ToolSpec};
use crate::text;

/// Bytes that are kept of a result that is cut: enough to see what it was.
const KEPT_RESULT_BYTES: usize = 256;
/// A result up to this long is not cut: with the words about the cut it would hardly be shorter.
const SHORT_RESULT_BYTES: usize = 2 * KEPT_RESULT_BYTES;

/// What one call is put together from.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// Empty for none.
    pub system: &'a str,
    /// What stands before the history: see [`crate::standing`]. Never goes.
    pub standing: &'a [Prompt],
    /// What was said before, oldest first.
    pub history: &'a [Group],
    /// The message that is answered.
    pub message: &'a Prompt,
    /// What the turn has done since: calls and their results.
    pub exchange: &'a [Prompt],
    pub tools: &'a [ToolSpec],
}

/// A prompt as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    pub messages: Vec<Prompt>,
    /// Groups of the past that are in it, and that did not fit.
    pub groups: usize,
    pub left_out: usize,
    /// Estimated tokens, with the tools.
    pub tokens: usize,
}

/// The prompt with as much of the past as fits into `budget` tokens. It is longer when the rest alone is.
pub fn fit(parts: &Parts<'_>, budget: usize) -> Fitted {
    let system = (!parts.system.is_empty()).then(|| Prompt::System { text: parts.system.to_owned() });
    let rest = || std::iter::once(parts.message).chain(parts.exchange);
    let taken = estimate(system.iter().chain(parts.standing).chain(rest())) + estimate_tools(parts.tools);
    let chosen = select(parts.history, budget.saturating_sub(taken));
    let past = chosen.iter().flatten();
    let tokens = taken + estimate(past.clone());
    let messages = system.into_iter().chain(parts.standing.iter().chain(past).chain(rest()).cloned()).collect();
    Fitted { messages, groups: chosen.len(), left_out: parts.history.len() - chosen.len(), tokens }
}

impl Fitted {
    /// Whether [`Self::condense`], or a smaller budget, could make it shorter.
    pub fn can_shrink(&self) -> bool {
        self.groups > 0 || self.messages.iter().any(is_long)
    }

    /// Cuts long results, oldest first, until the prompt fits into `budget` tokens or none is left.
    pub fn condense(&mut self, budget: usize) {
        for message in &mut self.messages {
            if self.tokens <= budget {
                return;
            }
            if !is_long(message) {
                continue;
            }
            self.tokens -= estimate([&*message]);
            if let Prompt::Tool { text, .. } = message {
                let kept = text::prefix(text, KEPT_RESULT_BYTES);
                *text = format!("{kept}\n(left out here: the rest of {} bytes, which did not fit)", text.len());
            }
            self.tokens += estimate([&*message]);
        }
    }
}

fn is_long(message: &Prompt) -> bool {
    matches!(message, Prompt::Tool { text, .. } if text.len() > SHORT_RESULT_BYTES)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::prompt::ToolCall;

    /// A message, a call and its result, and words at the end.
    fn group(n: usize, result: usize) -> Group {
        let mut group = vec![Prompt::User { text: format!("question {n}") }];
        group.extend(called(n, result));
        group.push(Prompt::Assistant { text: "answer".into(), calls: Vec::new() });
        group
    }

    fn called(n: usize, result: usize) -> Vec<Prompt> {
        let call = ToolCall { id: format!("call{n:05}"), name: "clock.now".into(), arguments: "{}".into() };
        let text = "ä".repeat(result / 2);
        let result = Prompt::Tool { call: call.id.clone(), text };
        vec![Prompt::Assistant { text: String::new(), calls: vec![call] }, result]
    }

    fn message() -> Prompt {
        Prompt::User { text: "now".into() }
    }

    #[test]
    fn the_oldest_go_first_and_then_long_results() {
        let history = [group(1, 30), group(2, 30)];
        let exchange = [called(3, 6000), called(4, 9000)].concat();
        let (system, message) = ("Be kind.", message());
        let parts =
            Parts { system, standing: &[], history: &history, message: &message, exchange: &exchange, tools: &[] };
        let all = fit(&parts, 100_000);
        assert_eq!((all.groups, all.left_out, all.messages.len()), (2, 0, 1 + 8 + 1 + 4));
        let mut fewer = fit(&parts, all.tokens - 1);
        assert_eq!((fewer.groups, fewer.left_out), (1, 1));
        assert_eq!(fewer.messages[1], history[1][0], "the older one is gone");
        fewer.condense(all.tokens - 1);
        assert_eq!(fewer, fit(&parts, all.tokens - 1), "what fits is left as it is");
        let mut least = fit(&parts, 3500);
        least.condense(3500);
        let Prompt::Tool { text: first, .. } = &least.messages[3] else { panic!("{:?}", least.messages[3]) };
        assert!(first.starts_with("ää") && first.ends_with("the rest of 6000 bytes, which did not fit)"), "{first}");
        assert_eq!(least.messages[5], exchange[3], "the newer result is whole");
    }

    #[test]
    fn what_cannot_shrink_says_so() {
        let message = message();
        let parts = Parts { system: "", standing: &[], history: &[], message: &message, exchange: &[], tools: &[] };
        let mut fitted = fit(&parts, 0);
        assert!(!fitted.can_shrink());
        fitted.condense(0);
        assert_eq!(fitted.messages, [message]);
    }

    proptest! {
        #[test]
        fn nothing_is_parted_and_the_newest_stays(
            past in prop::collection::vec(0..3000_usize, 0..8),
            now in prop::collection::vec(0..3000_usize, 0..6),
            budget in 0..6000_usize,
        ) {
            let history: Vec<Group> = past.iter().enumerate().map(|(n, size)| group(n, *size)).collect();
            let exchange: Vec<Prompt> = now.iter().enumerate().flat_map(|(n, size)| called(100 + n, *size)).collect();
            let newest = message();
            let standing = crate::standing::memory("- [1] a fact");
            let parts = Parts {
                system: "s",
                standing: &standing,
                history: &history,
                message: &newest,
                exchange: &exchange,
                tools: &[],
            };
            let before = fit(&parts, budget);
            let mut after = before.clone();
            after.condense(budget);

            prop_assert_eq!(after.tokens, estimate(&after.messages));
            prop_assert!(after.tokens <= before.tokens);
            prop_assert!(after.tokens <= budget || !after.can_shrink(), "it fits, or nothing more can go");
            prop_assert_eq!(after.messages.len(), before.messages.len());
            prop_assert_eq!(after.messages[after.messages.len() - exchange.len() - 1].clone(), newest.clone());
            prop_assert_eq!(&after.messages[1..3], &standing[..], "it stands behind the fixed part, whatever goes");
            for (index, message) in after.messages.iter().enumerate() {
                match message {
                    Prompt::Assistant { calls, .. } => for call in calls {
                        let result = &after.messages[index + 1];
                        prop_assert!(matches!(result, Prompt::Tool { call: of, .. } if *of == call.id), "{result:?}");
                    },
                    Prompt::Tool { .. } => {
                        let is_call = matches!(&after.messages[index - 1], Prompt::Assistant { .. });
                        prop_assert!(is_call, "a result without a call");
                    }
                    Prompt::System { .. } | Prompt::User { .. } => {}
                }
            }
            // Less room never means more said.
            prop_assert!(fit(&parts, budget / 2).tokens <= before.tokens);
        }
    }
}
