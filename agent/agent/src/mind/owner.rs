//! Whose turn it is.

use std::sync::Arc;
use std::time::Duration;

use agent_store::Origin;
use platform_types::agent::{AgentConfig, Bot, SessionKind};
use platform_types::cron::DEFAULT_TIMEOUT_MINUTES;

use crate::audit::TurnAudit;
use crate::driver::{MAX_TURN, Owner};

/// The bot as it is configured; for a job by the clock with its tools and its time only.
pub(super) fn owner(bot: &Bot, origin: &Origin, config: &Arc<AgentConfig>, audit: TurnAudit) -> Owner {
    let mut bot = bot.clone();
    let (kind, limit) = match origin {
        Origin::Page => (SessionKind::Chat, MAX_TURN),
        Origin::Channel => (SessionKind::Channel, MAX_TURN),
        Origin::Job(name) => {
            let job = config.cron.iter().find(|job| job.bot == bot.name && job.name == *name);
            // A job that was taken away meanwhile has no tools.
            let narrowed =
                |tool: &String| job.is_some_and(|job| job.tools.as_ref().is_none_or(|own| own.contains(tool)));
            bot.tools.retain(narrowed);
            let minutes = job.map_or(DEFAULT_TIMEOUT_MINUTES, |job| job.timeout_minutes);
            (SessionKind::Cron, Duration::from_secs(u64::from(minutes) * 60))
        }
    };
    Owner { bot: Arc::new(bot), kind, config: config.clone(), audit, limit, desk: None }
}
