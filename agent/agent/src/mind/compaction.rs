//! Summaries of long sessions: made after an answer, while nobody waits, one at a time in the whole agent.
//!
//! A person who writes meanwhile is answered at once, from the history that fits. What fails leaves everything as it was; a
//! session whose summaries fail again and again is left alone until the agent starts anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use agent_core::compaction;
use agent_core::fit::{self, Parts};
use agent_core::history::{Group, useful_bytes};
use agent_core::prompt::{ModelRequest, Prompt};
use agent_core::standing;
use agent_core::turn::FinishReason;
use agent_llm::{Asker, Delta};
use agent_store::{Stored, StoredSummary, Unsummarised};
use platform_types::agent::{AgentConfig, Bot};
use platform_types::chat::ToPage;
use platform_types::spark::Priority;
use tokio::sync::{Semaphore, mpsc};

use super::hub::{Hub, Input};
use super::replies::with_summaries;
use crate::database::Database;
use crate::driver::Tooling;

/// Time for one summary: a slow box reads a long prompt for minutes.
const MAX_SUMMARY_TIME: Duration = Duration::from_mins(10);
/// Summaries made one after another, where a chat is much longer than what one call takes.
const MAX_STEPS: usize = 4;
/// Failures in a row after which a session is left alone.
const MAX_FAILURES: u32 = 3;
/// Windows of history that are looked at: more waits for the next time.
const WINDOWS: usize = 3;

/// What the hub knows of summaries that are being made.
#[derive(Debug)]
pub(super) struct Compactions {
    one: Arc<Semaphore>,
    running: BTreeSet<String>,
    failures: BTreeMap<String, u32>,
}

impl Default for Compactions {
    fn default() -> Self {
        Self { one: Arc::new(Semaphore::new(1)), running: BTreeSet::new(), failures: BTreeMap::new() }
    }
}

/// How looking at a session ended.
#[derive(Debug)]
pub(super) enum Compacted {
    /// Messages under which new summaries are shown.
    Done(Vec<(Stored, StoredSummary)>),
    Failed(String),
}

impl Hub {
    /// Looks whether the older part of a session has to be summarised, unless that is being done, or its history is so short
    /// that it need not be read.
    pub(super) fn compact(&mut self, session: &str, bytes: usize) {
        let config = self.config.borrow().clone();
        let Some(known) = self.sessions.get(session) else { return };
        let Some(bot) = config.bots.iter().find(|bot| bot.name == known.bot) else { return };
        let given_up = self.compactions.failures.get(session).is_some_and(|failures| *failures >= MAX_FAILURES);
        let window = self.tooling.models.known_window(&bot.model);
        if self.draining.is_some() || given_up || !compaction::is_worth_a_look(bytes, window) {
            return;
        }
        if !self.compactions.running.insert(session.to_owned()) {
            return;
        }
        let task = Compaction {
            hub: self.inbox.clone(),
            database: self.database.clone(),
            tooling: self.tooling.clone(),
            session: session.to_owned(),
            bot: bot.clone(),
            config,
        };
        platform_kit::task::spawn("compaction", task.run(self.compactions.one.clone()));
    }

    pub(super) fn compacted(&mut self, session: &str, compacted: Compacted) {
        self.compactions.running.remove(session);
        match compacted {
            Compacted::Done(shown) => {
                self.compactions.failures.remove(session);
                if !shown.is_empty() {
                    self.audit.grew();
                    tracing::info!(session, summaries = shown.len(), "the older part of a session was summarised");
                }
                for (stored, summary) in shown {
                    for message in with_summaries(vec![stored], &[summary]) {
                        let frame = ToPage::Message { session: session.to_owned(), message };
                        self.connections.tell_session(session, None, &frame);
                    }
                }
            }
            Compacted::Failed(why) => {
                tracing::warn!(session, why, "a session could not be summarised; older messages are left out instead");
                if self.sessions.contains_key(session) {
                    *self.compactions.failures.entry(session.to_owned()).or_default() += 1;
                }
            }
        }
    }
}

struct Compaction {
    hub: mpsc::Sender<Input>,
    database: Database,
    tooling: Arc<Tooling>,
    session: String,
    bot: Bot,
    config: Arc<AgentConfig>,
}

impl Compaction {
    async fn run(self, one: Arc<Semaphore>) {
        let mut shown = Vec::new();
        let mut result = Ok(());
        if let Ok(_one) = one.acquire().await {
            for _ in 0..MAX_STEPS {
                match self.step().await {
                    Ok(Some(summary)) => shown.push(summary),
                    Ok(None) => break,
                    Err(why) => {
                        result = Err(why);
                        break;
                    }
                }
            }
        }
        let compacted = match result {
            Err(why) if shown.is_empty() => Compacted::Failed(why),
            Err(_) | Ok(()) => Compacted::Done(shown),
        };
        // A hub that has ended shows nothing any more.
        let _ = self.hub.send(Input::Compacted { session: self.session, compacted }).await;
    }

    /// One summary; `None` when none is due.
    async fn step(&self) -> Result<Option<(Stored, StoredSummary)>, String> {
        let window = self.tooling.window(&self.bot.model).await;
        let (session, max_bytes) = (self.session.clone(), WINDOWS * useful_bytes(window));
        let read = self.database.call(move |store| store.unsummarised(&session, max_bytes)).await;
        let Unsummarised { so_far, exchanges } = read.map_err(words)?.map_err(words)?;
        let groups: Vec<Group> = exchanges.iter().map(|(_, _, group)| group.clone()).collect();
        let so_far = so_far.map(|summary| summary.text);
        let Some(count) = compaction::due(&groups, self.fixed(so_far.as_deref(), window).await, window) else {
            return Ok(None);
        };
        let request = compaction::request(&self.bot.model, so_far.as_deref(), &groups[..count], window);
        let (text, reason) = tokio::time::timeout(MAX_SUMMARY_TIME, self.ask(&request))
            .await
            .map_err(|_| format!("no summary within {} s", MAX_SUMMARY_TIME.as_secs()))??;
        let text = compaction::accept(&text, &reason, window).map_err(str::to_owned)?;
        let (through, below, _) = &exchanges[count - 1];
        let summary = StoredSummary { through: *through, below: *below, at: self.tooling.clock.now(), text };
        let (session, kept) = (self.session.clone(), summary.clone());
        let stored = self.database.call(move |store| store.summarise(&session, &kept)).await;
        let stored = stored.map_err(words)?.map_err(words)?;
        Ok(stored.map(|stored| (stored, summary)))
    }

    /// Tokens of a prompt before its history.
    async fn fixed(&self, so_far: Option<&str>, window: Option<u32>) -> usize {
        let mut standing = standing::memory(&self.tooling.remembered(&self.bot, window).await);
        standing.extend(standing::summary(so_far.unwrap_or_default()));
        let message = Prompt::User { text: String::new() };
        let tools = self.tooling.registry.offered(&self.bot, (&*self.config).into());
        let parts = Parts {
            system: &self.bot.instructions,
            standing: &standing,
            history: &[],
            message: &message,
            exchange: &[],
            tools: &tools,
        };
        fit::fit(&parts, 0).tokens
    }

    /// Asks the model, behind everybody who waits for an answer.
    async fn ask(&self, request: &ModelRequest) -> Result<(String, FinishReason), String> {
        let turn = platform_kit::random::id();
        let asker = Asker { turn: &turn, bot: &self.bot.name, priority: Priority::Cron };
        let mut completion = self.tooling.llm.stream(asker, request).await.map_err(words)?;
        let mut text = String::new();
        while let Some(delta) = completion.next().await {
            match delta.map_err(words)? {
                Delta::Text(piece) => text.push_str(&piece),
                Delta::Finished { reason, .. } => return Ok((text, reason)),
                Delta::Waits(_) | Delta::Fragment(_) => {}
            }
            if text.len() > standing::MAX_SUMMARY_BYTES {
                return Err("it is longer than what fits".to_owned());
            }
        }
        Err("the model's answer broke off".to_owned())
    }
}

fn words(error: impl std::error::Error) -> String {
    crate::lifecycle::reason(&error)
}
