//! The task that drives one turn and reports to the hub.

use std::sync::Arc;

use agent_core::standing;
use agent_core::turn::{Answer, Setup};
use agent_store::Begun;
use futures_util::FutureExt as _;
use tokio::sync::mpsc;

use super::hub::Input;
use super::turns::Update;
use crate::driver::{Driver, Owner, Signals, Tooling};

/// Steps that are told together.
const MAX_UPDATES_AT_ONCE: usize = 16;

/// Drives one turn and reports to the hub.
pub(super) struct TurnTask {
    pub hub: mpsc::Sender<Input>,
    pub session: String,
    pub turn: String,
    pub tooling: Arc<Tooling>,
}

impl TurnTask {
    pub async fn run(self, begun: Begun, owner: Owner, signals: Signals) {
        let (desk, mut errands) = mpsc::channel(1);
        let owner = Owner { desk: Some(desk), ..owner };
        let Begun { turn, message, summary, history, .. } = begun;
        let context_window = self.tooling.window(&owner.bot.model).await;
        let mut standing = standing::memory(&self.tooling.remembered(&owner.bot, context_window).await);
        standing.extend(standing::summary(summary.as_deref().unwrap_or_default()));
        let setup = Setup {
            id: turn,
            model: owner.bot.model.clone(),
            system: owner.bot.instructions.clone(),
            standing,
            history,
            message,
            tools: self.tooling.registry.offered(&owner.bot, (&*owner.config).into()),
            sampling: agent_core::prompt::Sampling::default(),
            context_window,
        };
        let mut driver = Driver::new(setup, owner, self.tooling.clone(), signals);
        loop {
            let mut updates = tokio::select! {
                step = driver.next() => match step {
                    Some(step) => vec![step.into()],
                    None => return,
                },
                Some(errand) = errands.recv() => vec![Update::Errand(errand)],
            };
            // What happens at the same time is told at the same time.
            while updates.len() < MAX_UPDATES_AT_ONCE
                && let Some(Some(step)) = driver.next().now_or_never()
            {
                updates.push(step.into());
            }
            self.report(updates).await;
        }
    }

    /// The bot was taken out of the configuration while its message waited.
    pub async fn without_bot(self, bot: String) {
        let failure = agent_core::turn::ModelFailure {
            code: platform_types::ErrorCode::NotFound.as_str().to_owned(),
            message: format!("The bot {bot} of this chat is no longer configured; start a new chat."),
            overflow: None,
        };
        self.report(vec![Update::Finished(Box::new(Answer::failed(failure)))]).await;
    }

    async fn report(&self, updates: Vec<Update>) {
        let (session, turn) = (self.session.clone(), self.turn.clone());
        // A hub that has ended closes the turn when the agent starts again.
        let _ = self.hub.send(Input::Turn { session, turn, updates }).await;
    }
}
