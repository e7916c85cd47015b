//! Where completions come from: the built-in demo model, or the model box.

use std::time::Duration;

use platform_types::spark::{self, BackendKind, DEMO_MODEL};
use platform_types::{ErrorCode, ModelId};
use tokio::time::{Instant, timeout};

use crate::breaker::Breaker;
use crate::catalogue::{Catalogue, Outcome, choose};
use crate::demo;
use crate::diagnosis::{Complaint, diagnose};
use crate::models::Listed;
use crate::place::Limits;
use crate::redaction::Redaction;
use crate::refusal::{Refusal, quote};
use crate::request::ChatRequest;
use crate::upstream::{Manner, Source, Upstream, UpstreamError, complaint, retry_after};

/// Time for reading the body of an error answer; what has come until then is quoted.
const COMPLAINT_TIME: Duration = Duration::from_secs(2);

/// What the configuration names.
#[derive(Debug)]
pub enum Backend {
    Demo(ModelId),
    Box(Box<ModelBox>),
}

/// The model box and what is known of it.
#[derive(Debug)]
pub struct ModelBox {
    upstream: Upstream,
    model: ModelId,
    /// Expected beside it.
    others: Vec<ModelId>,
    catalogue: Catalogue,
    redaction: Redaction,
    limits: Limits,
}

impl Backend {
    pub fn new(config: &spark::Backend, manner: &Manner<'_>) -> Result<Self, UpstreamError> {
        match config {
            spark::Backend::Demo => {
                Ok(Self::Demo(ModelId::new(DEMO_MODEL).expect("the id of the demo model is a model id")))
            }
            spark::Backend::Box { url, model, key } => {
                let key = key.as_ref().map(|name| manner.place.secrets.join(name.as_str()));
                let redaction = Redaction::of(key.as_deref());
                let upstream = Upstream::new(url, key, manner)?;
                let (model, others) = (model.clone(), manner.models.to_vec());
                let (catalogue, limits) = (Catalogue::default(), manner.limits);
                Ok(Self::Box(Box::new(ModelBox { upstream, model, others, catalogue, redaction, limits })))
            }
        }
    }

    pub fn kind(&self) -> BackendKind {
        match self {
            Self::Demo(_) => BackendKind::Demo,
            Self::Box(_) => BackendKind::Box,
        }
    }

    pub fn url(&self) -> Option<String> {
        match self {
            Self::Demo(_) => None,
            Self::Box(model_box) => Some(model_box.upstream.url().to_owned()),
        }
    }

    /// The configured model.
    pub fn model(&self) -> &ModelId {
        match self {
            Self::Demo(model) => model,
            Self::Box(model_box) => &model_box.model,
        }
    }

    /// The models there are; `max_age` zero asks now.
    pub async fn list(&self, max_age: Duration) -> Outcome {
        match self {
            Self::Demo(model) => Ok([demo::listed(model)].into()),
            Self::Box(model_box) => model_box.catalogue.list(&model_box.upstream, &model_box.redaction, max_age).await,
        }
    }

    /// [`Self::list`] for whoever cannot wait for a slow box. Who does not ask for now is told at once when there is no
    /// connection.
    pub async fn list_soon(&self, max_age: Duration) -> Outcome {
        let Self::Box(model_box) = self else { return self.list(max_age).await };
        let upstream = &model_box.upstream;
        if !max_age.is_zero() {
            upstream.closed_off()?;
        }
        match timeout(model_box.limits.look, self.list(max_age)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(upstream.closed_off().err().unwrap_or_else(|| upstream.too_late())),
        }
    }

    /// Whether there is a connection to the box.
    pub fn breaker(&self) -> Option<&Breaker> {
        match self {
            Self::Demo(_) => None,
            Self::Box(model_box) => Some(model_box.upstream.breaker()),
        }
    }

    /// Takes the box's key out of what the box says.
    pub fn redaction(&self) -> Redaction {
        match self {
            Self::Demo(_) => Redaction::default(),
            Self::Box(model_box) => model_box.redaction.clone(),
        }
    }

    /// Asks the box now: what is wrong with it.
    pub async fn look(&self) -> Vec<String> {
        match self {
            Self::Demo(_) => Vec::new(),
            Self::Box(model_box) => model_box.faults(&self.list(Duration::ZERO).await),
        }
    }

    /// Waits until [`Self::notes`] are about this box.
    pub async fn asked(&self) {
        if let Self::Box(model_box) = self {
            model_box.catalogue.asked().await;
        }
    }

    /// That there is no box; or what the last question for its list came to, and whether the key can be read. With a box
    /// each note is a fault of it.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Self::Demo(_) => vec![format!("no model box is configured; the built-in {DEMO_MODEL} answers")],
            Self::Box(model_box) => {
                let last = model_box.catalogue.last();
                let unasked = || vec![format!("the model box at {} has not answered yet", model_box.upstream.url())];
                let mut notes = last.map_or_else(unasked, |outcome| model_box.faults(&outcome));
                notes.extend(model_box.upstream.key_problem().filter(|problem| !notes.contains(problem)));
                notes
            }
        }
    }

    /// The model with exactly this id. A recent list is enough to say yes; for a no the box is asked again. Nobody is asked
    /// while there is no connection.
    pub async fn resolve(&self, id: &ModelId) -> Result<Listed, Refusal> {
        let age = match self {
            Self::Demo(_) => Duration::ZERO,
            Self::Box(model_box) => {
                model_box.upstream.closed_off()?;
                model_box.limits.list_age
            }
        };
        match choose(&self.list(age).await?, id) {
            Ok(found) => Ok(found.clone()),
            Err(_) => choose(&self.list(Duration::ZERO).await?, id).cloned(),
        }
    }

    /// Begins a completion; what comes back is the body of a 200.
    pub async fn chat(&self, request: &ChatRequest, deadline: Instant) -> Result<Source, Refusal> {
        match self {
            Self::Demo(_) => demo::answer(request),
            Self::Box(model_box) => model_box.chat(request, deadline).await,
        }
    }

    /// The box answered for `asked` under another name: most likely its model was changed a moment ago.
    pub async fn contradiction(&self, asked: &Listed, echoed: &str) -> Refusal {
        let echoed = &*self.redaction().text(echoed);
        tracing::warn!(asked = %asked.id, echoed = quote(echoed), "the model box answered as another model");
        let fresh = match self.list(Duration::ZERO).await {
            Ok(listed) => choose(&listed, &asked.id).err(),
            Err(refusal) => Some(refusal),
        };
        fresh.unwrap_or_else(|| contradiction(asked, echoed))
    }
}

/// The refusal for an answer from another model than the one asked for.
pub fn contradiction(asked: &Listed, echoed: &str) -> Refusal {
    let message = format!(
        "{} was asked, but the model box answered as {:?}; nothing of that answer is used",
        asked.id,
        quote(echoed)
    );
    Refusal::backend(ErrorCode::UpstreamError, message).with_param("model")
}

impl ModelBox {
    /// Why no chat with a configured model would be answered.
    fn faults(&self, outcome: &Outcome) -> Vec<String> {
        match outcome {
            Err(refusal) => vec![refusal.message().to_owned()],
            Ok(listed) => {
                let own = choose(listed, &self.model).err().map(|refusal| refusal.failure.message);
                let others = self.others.iter().filter_map(|model| choose(listed, model).err());
                let unlisted = others.filter(|refusal| refusal.code() == ErrorCode::ModelNotFound);
                own.into_iter().chain(unlisted.map(|refusal| format!("a bot's model: {}", refusal.message()))).collect()
            }
        }
    }

    async fn chat(&self, request: &ChatRequest, deadline: Instant) -> Result<Source, Refusal> {
        let reply = self.upstream.chat(request.body(), deadline).await?;
        if reply.status.is_success() {
            return Ok(reply.body);
        }
        let read_until = deadline.min(Instant::now() + COMPLAINT_TIME);
        let body = complaint(reply.body, read_until).await;
        let retry_after = retry_after(&reply.headers);
        let body = &*self.redaction.body(&body);
        Err(diagnose(Complaint { status: reply.status.as_u16(), body, retry_after }))
    }
}
