//! The daemon from start to stop.
//!
//! **Invariants.** Nothing is touched before the lock is held. A configuration that is broken at start does not stop an
//! installation that ran before: the files that were accepted last stay in force. Stopping the daemon stops no container.
//!
//! | module | what |
//! |---|---|
//! | [`down`] | the end of an installation: containers and networks, on request volumes |
//! | [`ground`] | directories, lock, ledger: what stands before anything else |
//! | [`notify`] | what systemd is told |
//! | [`services`] | the socket, the registry, the metrics |

pub mod down;
pub mod ground;
pub mod notify;
pub mod services;

use std::sync::Arc;

use platform_kit::clock::SharedClock;
use platform_kit::{SystemClock, task};
use platform_types::layout::Roots;
use supervisor_config::Finding;

use crate::desired::build::{BuildError, Ground};
use crate::desired::{Accepted, Files, build};
use crate::host::Host;
use crate::reconcile::hands::Hands;
use crate::reconcile::{Reconciler, Start};
use crate::state::ApplyError;
use ground::{Foundation, GroundError};

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There was never a good configuration. Every error at once.
    #[error("{}", listed(.0))]
    Config(Vec<Finding>),
    #[error(transparent)]
    Files(ApplyError),
    #[error(transparent)]
    Ground(#[from] GroundError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("the ledger cannot be written")]
    Ledger(#[from] supervisor_store::StoreError),
    #[error("the sockets cannot be served")]
    Services(#[from] services::ServiceError),
    #[error("signals cannot be received")]
    Signals(#[from] std::io::Error),
}

fn listed(findings: &[Finding]) -> String {
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    format!("platform.toml cannot be used:\n{}", lines.join("\n"))
}

/// What is in force, and what is wrong with the files on the disk if they are not.
#[derive(Debug)]
struct Chosen {
    accepted: Accepted,
    findings: Vec<Finding>,
    unapplied: bool,
}

/// Runs until SIGTERM.
pub async fn run(requested: Roots) -> Result<(), StartError> {
    let stop = task::stop_signal()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let Foundation { roots, lock: _lock, store, engine } = ground::lay(&requested, clock.now())?;
    let Chosen { accepted, findings, unapplied } = choose(&roots)?;
    let cut = store.cut_jobs(clock.now())?;
    if cut > 0 {
        tracing::warn!(cut, "work on repositories was cut off; it is made again");
    }
    let mut ledger = store.load_ledger()?;
    let install: Arc<str> = ledger.install.clone().into();
    let ground = Ground { roots: &roots, store: &store, install: &install, now: clock.now() };
    let wanted = build(&accepted, ground, &mut ledger.ids)?;
    store.save_ledger(&ledger)?;
    let name: Arc<str> = wanted.desired.name.clone().into();
    let host = Host::new(roots.clone(), store.clone());
    let hands = Hands { engine, host, roots, clock, install, name };
    tracing::info!(install = %hands.install, name = %hands.name, "supervisor starts");
    let restored = store.restored_at()?.is_some();
    let start = Start { hands, store, accepted, wanted, ledger, restored, findings, unapplied };
    let (reconciler, shared) = Reconciler::new(start, stop.clone())?;
    let services = services::start(&shared, &stop)?;
    let mut watchdog = notify::Watchdog::ready();
    task::spawn("status for systemd", notify::keep_status(shared.world.clone()));
    reconciler.run(move || watchdog.turned()).await;
    notify::stopping();
    services.stopped().await;
    tracing::info!("supervisor stopped; containers run on");
    Ok(())
}

fn choose(roots: &Roots) -> Result<Chosen, StartError> {
    let error = match Accepted::from_disk(roots) {
        Ok(accepted) => {
            if let Err(error) = accepted.keep_copy(roots) {
                tracing::warn!(error = %crate::words::chain(&error), "the accepted files could not be kept");
            }
            let findings = accepted.findings.clone();
            return Ok(Chosen { accepted, findings, unapplied: false });
        }
        Err(error) => error,
    };
    let mut findings = match &error {
        ApplyError::Config(findings) => findings.clone(),
        ApplyError::File { .. } | ApplyError::Refused(_) => Vec::new(),
    };
    if let Some(accepted) = Accepted::from_copy(roots) {
        tracing::error!(error = %crate::words::chain(&error), "the files are not usable; the accepted ones stay in force");
        let known = findings.clone();
        findings.extend(accepted.findings.iter().filter(|finding| !known.contains(finding)).cloned());
        let unapplied = Files::read(roots).ok().as_ref() != Some(&accepted.files);
        return Ok(Chosen { accepted, findings, unapplied });
    }
    match error {
        ApplyError::Config(findings) => Err(StartError::Config(findings)),
        other => Err(StartError::Files(other)),
    }
}

impl StartError {
    /// As `sysexits` and `botctl` have it: 64 for the configuration, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Files(_) => 64,
            _ => 1,
        }
    }
}
