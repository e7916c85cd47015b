//! One call of the model, from its start to its end, as events.

use std::future::Future;
use std::pin::Pin;

use agent_core::turn::Event;
use agent_llm::{Completion, Delta, LlmError};

pub(super) type Starting = Pin<Box<dyn Future<Output = Result<Completion, LlmError>> + Send>>;

pub(super) enum Model {
    Idle,
    Starting(u32, Starting),
    Running(u32, Box<Completion>),
}

impl Model {
    /// The next event; never comes while nothing is called. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Event {
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
                        Some(Ok(Delta::Waits(progress))) => return Event::Waits { call, progress },
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
