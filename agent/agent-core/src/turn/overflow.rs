//! A prompt that does not fit: what goes, and the words when nothing more can.

use super::machine::Turn;
use super::{ModelFailure, Overflow};
use crate::fit::{self, Fitted, Parts};
use crate::history;

/// No model that can be talked to has a smaller window.
const LEAST_WINDOW_TOKENS: u64 = 512;

impl Turn {
    /// The prompt of the next call of the model.
    pub(super) fn prompt(&self) -> Fitted {
        let parts = Parts {
            system: &self.setup.system,
            standing: &self.setup.standing,
            history: &self.setup.history,
            message: &self.setup.message,
            exchange: &self.exchange,
            tools: &self.setup.tools,
        };
        let mut fitted = fit::fit(&parts, self.budget);
        if self.retried {
            fitted.condense(self.budget);
        }
        fitted
    }

    /// Keeps what the server told of the model's window, in our estimated tokens: less where the estimate was too low.
    pub(super) fn learn(&mut self, overflow: Overflow) {
        let (Some(prompt), Some(window)) = (overflow.prompt_tokens, overflow.window_tokens) else { return };
        if window >= prompt || window < LEAST_WINDOW_TOKENS {
            // Not the two numbers that they should be.
            return;
        }
        let sent = self.prompt().tokens as u64;
        let fits = window.min(window.saturating_mul(sent) / prompt).max(LEAST_WINDOW_TOKENS);
        let fits = u32::try_from(fits).unwrap_or(u32::MAX);
        self.window = Some(self.window.map_or(fits, |before| before.min(fits)));
    }

    /// Makes room for one more try, unless there was one or nothing can go.
    pub(super) fn shorten(&mut self, overflow: Overflow) -> bool {
        let Fitted { tokens: sent, .. } = match self.prompt() {
            fitted if fitted.can_shrink() && !self.retried => fitted,
            _ => return false,
        };
        self.retried = true;
        self.budget = match (overflow.prompt_tokens, overflow.window_tokens) {
            (Some(prompt), Some(window)) if prompt > 0 => {
                // The estimate was wrong by this much; stay at three quarters of what is right.
                let window = history::prompt_budget(u32::try_from(window).unwrap_or(u32::MAX)) as u64;
                let right = (sent as u64).saturating_mul(window) / prompt;
                usize::try_from(right / 4 * 3).unwrap_or(usize::MAX).min(sent / 4 * 3)
            }
            _ => sent / 2,
        };
        true
    }

    /// The failure with both numbers and what to do. Where the server tells no number, ours is given as what it is.
    pub(super) fn too_long(&self, failure: ModelFailure, overflow: Overflow) -> ModelFailure {
        let subject = if self.retried {
            "This message is too long for the model, even without the older ones"
        } else if self.setup.history.is_empty() {
            "This message is too long for the model"
        } else {
            "This conversation is too long for the model"
        };
        let prompt = match overflow.prompt_tokens {
            Some(tokens) => format!("{tokens} tokens"),
            None => format!("about {} tokens (estimated)", self.prompt().tokens),
        };
        let window = overflow.window_tokens.or(self.setup.context_window.map(u64::from));
        let window = window.map_or_else(|| "fewer".to_owned(), |tokens| format!("{tokens}"));
        let message = format!(
            "{subject}: the prompt has {prompt}, the model takes {window}. Send a shorter message, or start a new chat."
        );
        ModelFailure { message, ..failure }
    }
}
