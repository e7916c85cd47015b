//! Which models the box has, asked fresh.
//!
//! One question at a time goes to the box; whoever comes while it runs gets its answer too, a failed one as well, so a
//! dead box costs everybody one time limit and not one after another.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use platform_types::{ErrorCode, ModelId};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::diagnosis::{Complaint, diagnose};
use crate::models::{self, Listed, Load};
use crate::redaction::Redaction;
use crate::refusal::{Refusal, quote};
use crate::upstream::{Upstream, retry_after};

/// Longest body of `GET /v1/models`: a thousand models of 1 KiB.
const MAX_LIST_BYTES: usize = 1024 * 1024;
/// Most ids that an error names.
const MAX_NAMED: usize = 30;

/// A list, or why there is none.
pub type Outcome = Result<Arc<[Listed]>, Refusal>;

#[derive(Debug)]
struct Seen {
    outcome: Outcome,
    at: Instant,
}

/// The list of one box.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// Held while the box is asked.
    asking: tokio::sync::Mutex<Option<Seen>>,
    last: watch::Sender<Option<Outcome>>,
}

impl Catalogue {
    /// The list, at most `max_age` old; a failure is never older than the question.
    pub async fn list(&self, upstream: &Upstream, redaction: &Redaction, max_age: Duration) -> Outcome {
        let asked = Instant::now();
        let mut seen = self.asking.lock().await;
        if let Some(seen) = &*seen {
            let oldest = if seen.outcome.is_ok() { asked.checked_sub(max_age).unwrap_or(asked) } else { asked };
            if seen.at >= oldest {
                return seen.outcome.clone();
            }
        }
        let outcome = ask(upstream, redaction).await;
        self.last.send_replace(Some(outcome.clone()));
        *seen = Some(Seen { outcome: outcome.clone(), at: Instant::now() });
        outcome
    }

    /// What the box said last, if it was ever asked.
    pub fn last(&self) -> Option<Outcome> {
        self.last.borrow().clone()
    }

    /// Waits until the box has said something, or could not be asked.
    pub async fn asked(&self) {
        // It ends only with the catalogue.
        let _ = self.last.subscribe().wait_for(Option::is_some).await;
    }
}

async fn ask(upstream: &Upstream, redaction: &Redaction) -> Outcome {
    let (status, headers, body) = upstream.models(MAX_LIST_BYTES).await?;
    if status != StatusCode::OK {
        let body = &*redaction.body(&body);
        let complaint = Complaint { status: status.as_u16(), body, retry_after: retry_after(&headers) };
        return Err(diagnose(complaint));
    }
    models::parse(&body).map(Arc::from).map_err(|error| {
        let body = &*redaction.body(&body);
        let begin = quote(&String::from_utf8_lossy(&body[..body.len().min(2048)]));
        let url = upstream.url();
        Refusal::backend(
            ErrorCode::UpstreamInvalid,
            format!("{url}/models is not a list of models: {error}; check [spark].url. It begins: {begin}"),
        )
    })
}

/// Finds the model that is called exactly so, and is loaded as far as the server says.
pub fn choose<'a>(listed: &'a [Listed], id: &ModelId) -> Result<&'a Listed, Refusal> {
    let Some(found) = listed.iter().find(|model| model.id == *id) else {
        let message = format!("the model box does not list {:?}; it lists: {}", id.as_str(), names(listed.iter()));
        return Err(Refusal::router(ErrorCode::ModelNotFound, message).with_param("model"));
    };
    match found.load {
        Load::Unsaid | Load::Loaded => Ok(found),
        Load::Loading => Err(Refusal::router(ErrorCode::ModelLoading, format!("the model box is loading {id}"))
            .with_param("model")
            .with_retry_after(LOADING_RETRY_SECONDS)),
        Load::Unloaded => {
            let loaded = names(listed.iter().filter(|model| model.load == Load::Loaded));
            let message = format!(
                "the model box lists {id} but has not loaded it; loaded: {loaded}. A chat never switches the model: load it on the box"
            );
            Err(Refusal::router(ErrorCode::ModelNotLoaded, message).with_param("model"))
        }
    }
}

/// When to ask again for a model that is being loaded.
const LOADING_RETRY_SECONDS: u32 = 5;

/// Ids for a message.
pub fn names<'a>(listed: impl Iterator<Item = &'a Listed>) -> String {
    let mut ids: Vec<&str> = listed.map(|model| model.id.as_str()).take(MAX_NAMED + 1).collect();
    if ids.len() > MAX_NAMED {
        ids[MAX_NAMED] = "…";
    }
    if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, code: ErrorCode, words: &str) {
        let listed = models::parse(
            br#"{"data":[{"id":"a/B.1"},{"id":"off","status":{"value":"unloaded"}},{"id":"on","status":{"value":"loaded"}},
                {"id":"soon","status":{"value":"loading"}}]}"#,
        )
        .unwrap();
        let refusal = choose(&listed, &ModelId::new(id).unwrap()).unwrap_err();
        assert_eq!(refusal.code(), code);
        assert!(refusal.message().contains(words), "{}", refusal.message());
        assert_eq!(refusal.failure.param.as_deref(), Some("model"));
    }

    #[test]
    fn ids_are_compared_byte_for_byte() {
        for id in ["a/b.1", "a/B.1 ", "B.1", "a/B.10", "A/B.1"] {
            check(id, ErrorCode::ModelNotFound, "it lists: a/B.1, off, on, soon");
        }
        check("off", ErrorCode::ModelNotLoaded, "loaded: on");
        check("soon", ErrorCode::ModelLoading, "loading soon");
    }

    #[test]
    fn a_long_list_is_named_in_part() {
        let many: Vec<_> = (0..100).map(|n| serde_json::json!({"id": format!("m{n}")})).collect();
        let listed = models::parse(serde_json::json!({"data": many}).to_string().as_bytes()).unwrap();
        assert!(names(listed.iter()).ends_with("m29, …"));
        assert_eq!(names([].iter()), "none");
    }
}
