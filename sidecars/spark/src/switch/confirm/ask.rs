//! From a request to a card: what the box has now is looked up here, not believed.

use std::sync::Arc;

use platform_kit::Failure;
use platform_kit::confirmation::Phase;
use platform_types::switch::SwitchRequest;
use platform_types::{ErrorCode, ModelId};

use super::card::{self, Facts, Wanted};
use super::record::{By, Record};
use crate::process::Shared;
use crate::switch::look::{self, Standing};
use crate::switch::{Armed, refusal};

/// Keeps what is asked and makes its card.
pub async fn ask(shared: &Arc<Shared>, armed: &Armed, by: By, request: &SwitchRequest) -> Result<Record, Failure> {
    let to = known(armed, &request.model)?;
    armed.store.sweep(shared.clock.now());
    armed.store.room(by.profile())?;
    if let Some(run) = shared.switch.running() {
        return Err(refusal(&run, shared.clock.now()).failure);
    }
    let (from, silence) = match look::standing(&*shared.backend().map_err(|refusal| refusal.failure)?).await {
        Standing::Has(from) => (from, None),
        Standing::Down(why) => (None, Some(why)),
    };
    if from.as_ref() == Some(to) {
        return Err(Failure::new(ErrorCode::Conflict, format!("the box has {to} already")).with_param("model"));
    }
    let id = platform_kit::random::id();
    let now = shared.clock.now();
    let expires_at = now.plus_millis(shared.switch.limits.expiry_millis);
    let facts = Facts { silence, running: shared.queue.running(), last_seconds: armed.store.last_seconds(to) };
    let wanted = Wanted { id: &id, by: &by, from: from.as_ref(), to };
    let card = card::card(&wanted, &armed.settings.remote, &facts, request.reason.as_deref(), (now, expires_at));
    let to = to.clone();
    let record = armed.store.create(Record { by, from, to, card, phase: Phase::Pending })?;
    tracing::info!(confirmation = id, by = %record.by, to = %record.to, "a switch of the model waits for a person");
    Ok(record)
}

fn known<'a>(armed: &'a Armed, model: &ModelId) -> Result<&'a ModelId, Failure> {
    armed.settings.models.iter().find(|known| *known == model).ok_or_else(|| {
        let models: Vec<&str> = armed.settings.models.iter().map(ModelId::as_str).collect();
        let message = format!("{:?} is not one of [spark.switch].models: {}", model.as_str(), models.join(", "));
        Failure::new(ErrorCode::ModelNotFound, message).with_param("model")
    })
}
