//! The sidecar: its admin socket, and one child process at a time that lists a repository.

use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path as Segment, State};
use axum::routing::get;
use axum::{Json, Router};
use platform_kit::{Failure, admin, serve, socket, task, telemetry};
use platform_types::backup::SnapshotList;
use platform_types::health::{Readiness, Release};
use platform_types::layout::inside;
use platform_types::{ErrorCode, ProfileName};
use tokio::sync::Mutex;

/// Time for a listing: opening a repository takes about a second.
const LIST_TIMEOUT: Duration = Duration::from_mins(1);
const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// One listing at a time: each holds 130 MB.
type OneAtATime = Arc<Mutex<()>>;

pub fn run() -> ExitCode {
    telemetry::init();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(serve_admin()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "stopped by an error");
            ExitCode::FAILURE
        }
    }
}

pub fn healthcheck(admin_socket: &Path) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    match runtime.block_on(admin::healthcheck(admin_socket)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

async fn serve_admin() -> anyhow::Result<()> {
    let stop = task::stop_signal()?;
    let listener = socket::bind(Path::new(inside::BACKUP_ADMIN_SOCKET), 0o666)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "backup is up");
    serve::unix(listener, routes(), stop, DRAIN_GRACE).await?;
    Ok(())
}

fn routes() -> Router {
    Router::new()
        .route("/snapshots/{profile}", get(snapshots))
        .with_state(OneAtATime::default())
        .merge(admin::routes(Release::without_schema(env!("CARGO_PKG_VERSION")), readiness))
}

async fn snapshots(
    State(one): State<OneAtATime>,
    Segment(profile): Segment<String>,
) -> Result<Json<SnapshotList>, Failure> {
    let profile = ProfileName::new(profile).map_err(|error| Failure::new(ErrorCode::BadRequest, error.to_string()))?;
    let _turn = one.lock().await;
    let list = list_in_child(&profile).await.map_err(|error| {
        tracing::warn!(%profile, error = format!("{error:#}"), "cannot list a repository");
        Failure::new(ErrorCode::Internal, format!("cannot list the repository of {profile}: {error:#}"))
    })?;
    Ok(Json(list))
}

async fn list_in_child(profile: &ProfileName) -> anyhow::Result<SnapshotList> {
    let child = tokio::process::Command::new("/proc/self/exe")
        .arg("list")
        .args(["--profile", profile.as_str()])
        .args(["--repository", &format!("{}/{profile}", inside::REPOSITORIES)])
        .args(["--key-file", &format!("{}/backup-{profile}", inside::SECRETS)])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = tokio::time::timeout(LIST_TIMEOUT, child.wait_with_output()).await??;
    anyhow::ensure!(output.status.success(), "the listing ended with {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn readiness() -> Readiness {
    let mounts = [inside::ADMIN, inside::SECRETS, inside::REPOSITORIES];
    Readiness {
        ready: true,
        canaries: mounts.into_iter().map(|mount| (mount.to_owned(), admin::canary(mount))).collect(),
        ..Readiness::default()
    }
}
