//! Work that blocks, on a thread that may.

use agent_workspace::WorkspaceError;

use crate::tool::ToolError;

/// Files and their index block: they get a thread that may.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WorkspaceError> + Send + 'static,
) -> Result<T, ToolError> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|_| ToolError("it ended with a panic; its outcome is not known".to_owned()))?;
    done.map_err(|error| ToolError(words(&error)))
}

/// An error with its cause.
fn words(error: &WorkspaceError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}
