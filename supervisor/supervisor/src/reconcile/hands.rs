//! What effects are carried out with.

use std::sync::Arc;

use platform_kit::clock::SharedClock;
use platform_types::layout::Roots;
use supervisor_docker::Engine;

use crate::host::Host;

/// Clones are handles to the same things.
#[derive(Debug, Clone)]
pub struct Hands {
    pub engine: Engine,
    pub host: Host,
    pub roots: Roots,
    pub clock: SharedClock,
    /// Value of the install label.
    pub install: Arc<str>,
    /// Prefix of names.
    pub name: Arc<str>,
}
