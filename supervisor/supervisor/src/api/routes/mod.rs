//! One module a topic; each begins with its routes.

mod approvals;
mod audit;
mod backups;
mod cron;
mod doctor;
mod journal;
mod memory;
mod planning;
mod registry;
mod senders;
mod sessions;
mod settings;
mod spark;
mod status;
mod switch;

use axum::Router;
use http::Uri;
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::text::neutral;

use crate::state::Shared;

/// Every route under `/v1`.
pub fn router(shared: Shared) -> Router {
    let v1 = Router::new()
        .merge(status::routes())
        .merge(planning::routes())
        .merge(journal::routes())
        .merge(registry::routes())
        .merge(senders::routes())
        .merge(sessions::routes())
        .merge(cron::routes())
        .merge(memory::routes())
        .merge(spark::routes())
        .merge(switch::routes())
        .merge(backups::routes())
        .merge(settings::routes())
        .merge(approvals::routes())
        .merge(audit::routes())
        .merge(doctor::routes());
    Router::new().nest("/v1", v1).fallback(unknown).method_not_allowed_fallback(wrong_method).with_state(shared)
}

async fn unknown(uri: Uri) -> Failure {
    let message =
        format!("there is no {}; botctl and the supervisor may be of different releases", neutral(uri.path()));
    Failure::new(ErrorCode::NotFound, message)
}

async fn wrong_method() -> Failure {
    Failure::new(ErrorCode::MethodNotAllowed, "the method does not fit the route")
}
