//! What the loop waits for.

use std::collections::BTreeSet;

use platform_types::ProfileName;
use supervisor_docker::{EngineError, EngineEvent, EngineInfo};
use supervisor_plan::observed::{ContainerId, ObservedContainer};
use supervisor_plan::spec::ImageId;
use supervisor_plan::{Action, Outcome, Target};
use supervisor_store::StoreError;

use super::commands::Purpose;
use super::sync::Sync;
use crate::desired::Accepted;
use crate::probe::Reading;
use crate::probe::schedule::LifeId;
use crate::state::{ApplyError, Command};
use crate::task::Signal;

/// One thing that happened.
#[derive(Debug)]
pub enum Event {
    Command(Command),
    /// SIGHUP.
    Reload,
    Engine(EngineSignal),
    Performed(Box<Performed>),
    Probed {
        life: LifeId,
        reading: Reading,
    },
    Synced {
        began: u64,
        result: Box<Result<Sync, EngineError>>,
    },
    Inspected {
        began: u64,
        id: ContainerId,
        result: Box<Result<Option<ObservedContainer>, EngineError>>,
    },
    /// Files were read for a command.
    Prepared {
        purpose: Purpose,
        result: Box<Result<Prepared, ApplyError>>,
    },
    /// A copy of the ledger was made, or was not needed.
    Copied {
        result: Box<Result<bool, StoreError>>,
    },
    /// What an earlier run left behind is gone.
    Swept {
        problems: Vec<String>,
    },
    /// An operation of a profile says something.
    Operation {
        profile: ProfileName,
        signal: Signal,
    },
    /// An effect panicked; the log has it. What it worked on is not known any more.
    Panicked,
    Timer,
    Stop,
}

/// What the engine listener says.
#[derive(Debug)]
pub enum EngineSignal {
    Connected(EngineInfo),
    Changed(EngineEvent),
    Lost(String),
}

/// An action came to its end, and its target was looked at again.
#[derive(Debug)]
pub struct Performed {
    pub action: Action,
    pub outcome: Outcome,
    /// Every container of the target; `None` when the engine did not tell.
    pub containers: Option<Vec<ObservedContainer>>,
    pub readings: Vec<(LifeId, Reading)>,
}

/// Good files, and which of their images the engine has.
#[derive(Debug)]
pub struct Prepared {
    pub accepted: Accepted,
    pub images: BTreeSet<ImageId>,
}

impl Performed {
    pub fn target(&self) -> &Target {
        &self.action.target
    }
}
