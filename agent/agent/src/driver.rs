//! Carries out what a turn wants: calls the model, runs tools, keeps the time.
//!
//! [`Driver::next`] gives one step after another. Whoever asks for the next step has dealt with the one before, so a
//! record is handed over before the tool that it announces runs. Dropping a driver cancels everything that it started.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use agent_core::turn::{Answer, Cancel, Effect, Emission, Event, Record, Setup, Turn};
use agent_llm::{Completion, Delta, LlmClient, LlmError, Models};
use agent_tools::{Context, Registry};
use platform_kit::clock::SharedClock;
use platform_types::ModelId;
use platform_types::agent::Bot;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};

/// Longest turn: long enough for a slow box with a full context and several tool calls.
pub const MAX_TURN: Duration = Duration::from_mins(30);
/// Longest run of one tool.
pub const MAX_TOOL_RUN: Duration = Duration::from_mins(2);

/// What turns are carried out with.
#[derive(Debug)]
pub struct Tooling {
    pub llm: LlmClient,
    pub models: Models,
    pub registry: Registry,
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

/// Whose turn it is.
#[derive(Debug, Clone)]
pub struct Owner {
    pub bot: Arc<Bot>,
    pub timezone: String,
    /// Asked before a tool runs whose intent must be durable; absent where nothing is stored.
    pub journal: Option<mpsc::Sender<oneshot::Sender<bool>>>,
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
    cancel: watch::Receiver<Option<Cancel>>,
    deadline: Pin<Box<Sleep>>,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("turn", &self.turn.id()).finish_non_exhaustive()
    }
}

type Starting = Pin<Box<dyn Future<Output = Result<Completion, LlmError>> + Send>>;

enum Model {
    Idle,
    Starting(u32, Starting),
    Running(u32, Box<Completion>),
}

impl Driver {
    /// `cancel` ends the turn as soon as it holds a reason.
    pub fn new(setup: Setup, owner: Owner, tooling: Arc<Tooling>, cancel: watch::Receiver<Option<Cancel>>) -> Self {
        let mut turn = Turn::new(setup);
        let effects = turn.apply(Event::Start).into();
        Self {
            turn,
            tooling,
            owner,
            effects,
            model: Model::Idle,
            tools: JoinSet::new(),
            cancel,
            deadline: Box::pin(tokio::time::sleep_until(Instant::now() + MAX_TURN)),
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
                let starting = async move { tooling.llm.stream(&turn, &request).await };
                self.model = Model::Starting(call, Box::pin(starting));
            }
            Effect::CancelModel => self.model = Model::Idle,
            Effect::Decide(call) => {
                let decision = self.tooling.registry.decide(&self.owner.bot, &call);
                self.effects.extend(self.turn.apply(Event::Decided { id: call.id, decision }));
            }
            Effect::RunTool { call, durable } => {
                let (tooling, owner) = (self.tooling.clone(), self.owner.clone());
                self.tools.spawn(async move {
                    if durable && !is_recorded(&owner).await {
                        return (call.id, Err("not run: the agent could not record that it is about to".to_owned()));
                    }
                    let context = Context { now: tooling.clock.now(), timezone: owner.timezone };
                    let run = tokio::time::timeout(MAX_TOOL_RUN, tooling.registry.run(&call, &context)).await;
                    let outcome = match run {
                        Ok(outcome) => outcome.map_err(|error| error.to_string()),
                        Err(_) => {
                            Err(format!("no result within {} s; its outcome is not known", MAX_TOOL_RUN.as_secs()))
                        }
                    };
                    (call.id, outcome)
                });
            }
            Effect::Record(record) => return Some(Step::Record(record)),
            Effect::Emit(emission) => return Some(Step::Emission(emission)),
            Effect::Finish(answer) => {
                self.model = Model::Idle;
                self.tools.abort_all();
                return Some(Step::Finished(answer));
            }
        }
        None
    }

    /// Waits for the next event. Nothing here changes the turn.
    async fn wait(&mut self) -> Event {
        let Self { model, tools, cancel, deadline, .. } = self;
        tokio::select! {
            biased;
            cancel = cancelled(cancel) => Event::Cancel(cancel),
            () = deadline.as_mut() => Event::Timeout,
            Some(ended) = tools.join_next(), if !tools.is_empty() => match ended {
                Ok((id, outcome)) => Event::ToolEnded { id, outcome },
                // A tool that panicked has no id any more: the turn cannot go on as if nothing had happened.
                Err(_) => Event::Timeout,
            },
            event = model.next() => event,
        }
    }
}

/// `false` when the record could not be made durable.
async fn is_recorded(owner: &Owner) -> bool {
    let Some(journal) = &owner.journal else { return true };
    let (ack, recorded) = oneshot::channel();
    journal.send(ack).await.is_ok() && recorded.await.unwrap_or(false)
}

async fn cancelled(cancel: &mut watch::Receiver<Option<Cancel>>) -> Cancel {
    let found = cancel.wait_for(Option::is_some).await.ok().and_then(|reason| *reason);
    match found {
        Some(reason) => reason,
        // Nobody is left who could cancel.
        None => std::future::pending().await,
    }
}

impl Model {
    async fn next(&mut self) -> Event {
        loop {
            match self {
                Self::Idle => return std::future::pending().await,
                Self::Starting(call, starting) => {
                    let call = *call;
                    match starting.await {
                        Ok(completion) => *self = Self::Running(call, Box::new(completion)),
                        Err(error) => {
                            *self = Self::Idle;
                            return Event::ModelFailed { call, failure: error.failure() };
                        }
                    }
                }
                Self::Running(call, completion) => {
                    let call = *call;
                    let event = match completion.next().await {
                        Some(Ok(Delta::Text(text))) => return Event::Text { call, text },
                        Some(Ok(Delta::Fragment(fragment))) => return Event::Fragment { call, fragment },
                        Some(Ok(Delta::Finished { reason, usage })) => Event::ModelFinished { call, reason, usage },
                        Some(Err(error)) => Event::ModelFailed { call, failure: error.failure() },
                        None => Event::ModelFailed { call, failure: LlmError::BrokeOff.failure() },
                    };
                    *self = Self::Idle;
                    return event;
                }
            }
        }
    }
}
