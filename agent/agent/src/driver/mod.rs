//! Carries out what a turn wants: calls the model, runs tools, keeps the time.
//!
//! [`Driver::next`] gives one step after another. Whoever asks for the next step has dealt with the one before, so a
//! record is handed over before the tool that it announces runs. Dropping a driver cancels everything that it started.

mod model;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use agent_core::prompt::ToolCall;
use agent_core::standing;
use agent_core::turn::{Answer, Cancel, Decision, Effect, Emission, Event, Record, Setup, Turn};
use agent_llm::{Asker, LlmClient, Models};
use agent_tools::{Context, Egress, Own, Progress, Registry};
use platform_kit::clock::SharedClock;
use platform_types::ModelId;
use platform_types::agent::{AgentConfig, Bot, Effect as Policy, SessionKind};
use platform_types::chat::Asking;
use platform_types::spark::Priority;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};

use self::model::Model;
use crate::audit::TurnAudit;

/// Longest turn, except of a job by the clock, which has its own limit: long enough for a slow box with a full context and several tool calls.
pub const MAX_TURN: Duration = Duration::from_mins(30);

/// What turns are carried out with.
#[derive(Debug)]
pub struct Tooling {
    pub llm: LlmClient,
    pub models: Models,
    pub registry: Registry,
    pub own: Own,
    pub egress: Egress,
    pub clock: SharedClock,
}

impl Tooling {
    /// The context window of `model`. What is known but old is asked for again without waiting.
    pub async fn window(self: &Arc<Self>, model: &ModelId) -> Option<u32> {
        let now = self.clock.now();
        let window = self.models.context_window(model, now).await;
        if self.models.is_stale(now) {
            let tooling = self.clone();
            platform_kit::task::spawn("model list", async move {
                if let Err(error) = tooling.models.refresh(now).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the model list could not be read");
                }
            });
        }
        window
    }
}

/// What a bot remembers is of the area of these tools: a bot without any of them has no memory.
const MEMORY_AREA: &str = "memory.";

impl Tooling {
    /// What `bot` remembers, as lines for a prompt. A memory that cannot be read is none: the turn goes on without.
    pub async fn remembered(&self, bot: &Bot, window: Option<u32>) -> String {
        if !has_memory(bot) {
            return String::new();
        }
        let (memory, name) = (self.own.memory.clone(), bot.name.clone());
        let read = tokio::task::spawn_blocking(move || memory.list(&name, standing::memory_bytes(window))).await;
        match read {
            Ok(Ok(facts)) => agent_workspace::memory::lines(&facts),
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a memory could not be read");
                String::new()
            }
            Err(_) => String::new(),
        }
    }
}

/// Whether a bot remembers anything, and is told what all bots share.
pub fn has_memory(bot: &Bot) -> bool {
    bot.tools.iter().any(|tool| tool.starts_with(MEMORY_AREA))
}

/// Whose turn it is.
#[derive(Debug, Clone)]
pub struct Owner {
    pub bot: Arc<Bot>,
    pub kind: SessionKind,
    /// In force when the turn started.
    pub config: Arc<AgentConfig>,
    pub audit: TurnAudit,
    /// Longest turn.
    pub limit: Duration,
    /// Absent where nothing is stored and nobody can be asked.
    pub desk: Option<mpsc::Sender<Errand>>,
}

/// What a turn needs done before it goes on.
#[derive(Debug)]
pub enum Errand {
    /// Everything recorded so far has to be durable before a tool runs.
    Sync(oneshot::Sender<bool>),
    /// A person has to be asked. `None` when the question could not be stored.
    Ask { call: ToolCall, why: String, asking: oneshot::Sender<Option<Asking>> },
}

/// What reaches a running turn from outside.
#[derive(Debug)]
pub struct Signals {
    /// Ends the turn as soon as it holds a reason.
    pub cancel: watch::Receiver<Option<Cancel>>,
    /// What people decided, by call.
    pub decisions: mpsc::Receiver<(String, Decision)>,
}

/// What the one who drives has to deal with.
#[derive(Debug)]
pub enum Step {
    Record(Record),
    Emission(Emission),
    /// The last one.
    Finished(Box<Answer>),
}

/// A turn that is being carried out.
pub struct Driver {
    turn: Turn,
    tooling: Arc<Tooling>,
    owner: Owner,
    effects: VecDeque<Effect>,
    model: Model,
    tools: JoinSet<(String, Result<String, String>)>,
    questions: JoinSet<(String, Option<Asking>)>,
    /// Running tools that wait for a confirmation, or do so no more.
    confirming: (mpsc::UnboundedSender<Waits>, mpsc::UnboundedReceiver<Waits>),
    signals: Signals,
    deadline: Pin<Box<Sleep>>,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("turn", &self.turn.id()).finish_non_exhaustive()
    }
}

/// A call, and whether it waits.
type Waits = (String, bool);

impl Driver {
    pub fn new(setup: Setup, owner: Owner, tooling: Arc<Tooling>, signals: Signals) -> Self {
        let mut turn = Turn::new(setup);
        let effects = turn.apply(Event::Start).into();
        let deadline = Instant::now() + owner.limit;
        Self {
            turn,
            tooling,
            owner,
            effects,
            model: Model::Idle,
            tools: JoinSet::new(),
            questions: JoinSet::new(),
            confirming: mpsc::unbounded_channel(),
            signals,
            deadline: Box::pin(tokio::time::sleep_until(deadline)),
        }
    }

    /// The next step; `None` after [`Step::Finished`]. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Step> {
        loop {
            while let Some(effect) = self.effects.pop_front() {
                if let Some(step) = self.perform(effect) {
                    return Some(step);
                }
            }
            if self.turn.is_over() {
                return None;
            }
            let event = self.wait().await;
            self.effects.extend(self.turn.apply(event));
        }
    }

    /// Starts what has to be started; gives back what somebody else has to deal with.
    fn perform(&mut self, effect: Effect) -> Option<Step> {
        match effect {
            Effect::CallModel { call, request } => {
                let (tooling, turn) = (self.tooling.clone(), self.turn.id().to_owned());
                let Owner { bot, kind, .. } = &self.owner;
                let (bot, priority) = (bot.clone(), priority(*kind));
                let starting = async move {
                    let asker = Asker { turn: &turn, bot: &bot.name, priority };
                    tooling.llm.stream(asker, &request).await
                };
                self.model = Model::Starting(call, Box::pin(starting));
            }
            Effect::CancelModel => self.model = Model::Idle,
            Effect::Decide(call) => {
                let decision = self.decide(&call);
                self.effects.extend(self.turn.apply(Event::Decided { id: call.id, decision }));
            }
            Effect::Ask { call, evidence } => {
                let desk = self.owner.desk.clone();
                self.questions.spawn(async move { (call.id.clone(), ask(desk, call, evidence).await) });
            }
            Effect::RunTool { call, durable } => self.run_tool(call, durable),
            Effect::Record(record) => {
                // The end of a stored turn goes on record with its answer.
                if self.owner.desk.is_none() || !matches!(record, Record::Finished { .. }) {
                    self.owner.audit.record(&record);
                }
                return Some(Step::Record(record));
            }
            Effect::Emit(emission) => return Some(Step::Emission(emission)),
            Effect::Finish(answer) => {
                if let Some(window) = answer.window {
                    self.tooling.models.learn(&self.owner.bot.model, window);
                }
                self.model = Model::Idle;
                self.tools.abort_all();
                self.questions.abort_all();
                return Some(Step::Finished(answer));
            }
        }
        None
    }

    fn decide(&self, call: &ToolCall) -> Decision {
        let Owner { bot, kind, config, audit, .. } = &self.owner;
        let verdict = self.tooling.registry.decide(&config.policy, bot, *kind, call);
        let evidence = verdict.words();
        if verdict.effect < Policy::Deny {
            audit.decided(call, &verdict);
        }
        match verdict.effect {
            Policy::Allow => Decision::Allow,
            Policy::Ask => Decision::Ask { evidence },
            Policy::Deny => Decision::Deny { evidence },
        }
    }

    fn run_tool(&mut self, call: ToolCall, durable: bool) {
        let (tooling, owner, confirming) = (self.tooling.clone(), self.owner.clone(), self.confirming.0.clone());
        let (id, turn) = (call.id.clone(), self.turn.id().to_owned());
        self.tools.spawn(async move {
            if durable && !is_recorded(&owner).await {
                return (call.id, Err("not run: the agent could not record that it is about to".to_owned()));
            }
            let context = Context {
                now: tooling.clock.now(),
                timezone: owner.config.timezone.clone(),
                bot: owner.bot.name.clone(),
                turn,
                upstreams: owner.config.upstreams.as_slice().into(),
                house: owner.config.house.clone(),
                jobs: owner.config.jobs.clone(),
                // A turn that is over shows nothing any more.
                progress: Progress::new(move |waits| drop(confirming.send((id.clone(), waits)))),
            };
            let limit = tooling.registry.max_run(&call);
            let outcome = match tokio::time::timeout(limit, tooling.registry.run(&call, &context)).await {
                Ok(outcome) => outcome.map_err(|error| error.to_string()),
                Err(_) => Err(format!("no result within {} s; its outcome is not known", limit.as_secs())),
            };
            (call.id, outcome)
        });
    }

    /// Waits for the next event. Nothing here changes the turn.
    async fn wait(&mut self) -> Event {
        let Self { model, tools, questions, confirming, signals, deadline, .. } = self;
        tokio::select! {
            biased;
            cancel = cancelled(&mut signals.cancel) => Event::Cancel(cancel),
            () = deadline.as_mut() => Event::Timeout,
            Some((id, decision)) = signals.decisions.recv() => Event::Decided { id, decision },
            Some(asked) = questions.join_next(), if !questions.is_empty() => match asked {
                Ok((id, Some(asking))) => Event::Asked { id, asking },
                Ok((id, None)) => {
                    let evidence = "the agent could not ask anybody".to_owned();
                    Event::Decided { id, decision: Decision::Deny { evidence } }
                }
                Err(_) => Event::Timeout,
            },
            Some((id, waits)) = confirming.1.recv() => Event::Confirming { id, waits },
            Some(ended) = tools.join_next(), if !tools.is_empty() => match ended {
                Ok((id, outcome)) => Event::ToolEnded { id, outcome },
                // A tool that panicked has no id any more: the turn cannot go on as if nothing had happened.
                Err(_) => Event::Timeout,
            },
            event = model.next() => event,
        }
    }
}

/// Where nobody waits for the answer, others go first.
fn priority(kind: SessionKind) -> Priority {
    match kind {
        SessionKind::Chat | SessionKind::Script | SessionKind::Channel => Priority::Chat,
        SessionKind::Cron => Priority::Cron,
    }
}

/// `false` when the record could not be made durable.
async fn is_recorded(owner: &Owner) -> bool {
    let Some(desk) = &owner.desk else { return owner.audit.audit.is_durable().await };
    let (ack, recorded) = oneshot::channel();
    desk.send(Errand::Sync(ack)).await.is_ok() && recorded.await.unwrap_or(false)
}

/// Has a person asked; `None` when that is not possible.
async fn ask(desk: Option<mpsc::Sender<Errand>>, call: ToolCall, why: String) -> Option<Asking> {
    let (asking, asked) = oneshot::channel();
    desk?.send(Errand::Ask { call, why, asking }).await.ok()?;
    asked.await.ok()?
}

async fn cancelled(cancel: &mut watch::Receiver<Option<Cancel>>) -> Cancel {
    let found = cancel.wait_for(Option::is_some).await.ok().and_then(|reason| *reason);
    match found {
        Some(reason) => reason,
        // Nobody is left who could cancel.
        None => std::future::pending().await,
    }
}
