//! The built-in model `demo/echo`: what answers when no model box is configured.
//!
//! It is no model and says so in its answers. It repeats what it was told, and does a few things on command, so that a
//! chat, a tool call, a long answer and a failure can be tried without a GPU. Its answers go through the same checks and
//! the same relay as those of a box. `docs/reference/spark.md` has the commands.

mod script;
mod wire;

use platform_types::ModelId;

use crate::models::{Echo, Listed, Load};
use crate::refusal::Refusal;
use crate::request::ChatRequest;
use crate::upstream::Source;

/// The demo model's context window, in its own approximate tokens.
pub const CONTEXT_TOKENS: u32 = 16_384;

/// The demo model as an entry of the list.
pub fn listed(id: &ModelId) -> Listed {
    Listed {
        id: id.clone(),
        owned_by: "bot-platform".to_owned(),
        created: 0,
        context_window: Some(CONTEXT_TOKENS),
        load: Load::Loaded,
        echo: Echo::Names(Vec::new()),
    }
}

/// Answers a request.
pub fn answer(request: &ChatRequest) -> Result<Source, Refusal> {
    let performance = script::compose(request)?;
    Ok(if request.stream { wire::streamed(request, &performance) } else { wire::plain(request, &performance) })
}
