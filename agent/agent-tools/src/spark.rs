//! `spark.health`, `spark.models` and `spark.switch`: the model box, over the profile's own model socket.
//!
//! **Invariants.** A switch is asked for once and waited for; a person decides, and spark verifies that itself. Only profiles
//! whose socket has the route are offered `spark.switch`; the other two only read, and every profile's socket has what they read.

use std::path::PathBuf;
use std::time::Duration;

use agent_core::prompt::Risk;
use http::StatusCode;
use platform_kit::client::{CallError, Client};
use platform_kit::socket::Peer;
use platform_types::ModelId;
use platform_types::egress::{Asked, Outcome};
use platform_types::spark::{ModelList, SparkHealth};
use platform_types::switch::{SwitchOutcome, SwitchReport, SwitchRequest, SwitchRun, SwitchStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::confirmed::{self, Keeper, POLL_TIME, Words, is_id};
use crate::tool::{Context, Pending, Reach, Tool, ToolError};

/// Time for one answer: spark looks at the box first.
const ANSWER_TIME: Duration = Duration::from_secs(15);
/// Models that `spark.models` names.
const MAX_MODELS: usize = 40;

const WORDS: Words = Words {
    superseded: "another switch, another model on the box or another configuration came before it: nothing was done",
    failed: "a person allowed it, but nothing was done on the box",
};

/// Speaks to spark.
#[derive(Debug, Clone)]
pub struct Spark(Client);

impl Spark {
    /// The directory of the socket belongs to spark, and is mounted read-only: its name can be trusted.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self(Client::new(socket, Peer::Trusted, ANSWER_TIME))
    }
}

impl Keeper for Spark {
    async fn confirmation(&self, id: &str) -> Result<Option<Outcome>, CallError> {
        match self.0.clone().with_timeout(POLL_TIME).get(&format!("/confirmations/{id}")).await {
            Ok(outcome) => Ok(Some(outcome)),
            Err(CallError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Asks for another model on the box.
#[derive(Debug)]
pub struct SparkSwitch(Spark);

/// Says how the box is.
#[derive(Debug)]
pub struct SparkHealthTool(Spark);

/// Says which models the box has.
#[derive(Debug)]
pub struct SparkModels(Spark);

impl SparkSwitch {
    pub fn new(spark: Spark) -> Self {
        Self(spark)
    }
}

impl SparkHealthTool {
    pub fn new(spark: Spark) -> Self {
        Self(spark)
    }
}

impl SparkModels {
    pub fn new(spark: Spark) -> Self {
        Self(spark)
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchArguments {
    /// Id of the model, exactly as listed.
    model: String,
    /// Why, in one sentence, for the person who has to confirm it.
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoArguments {}

/// How the box is.
#[derive(Debug, Serialize)]
pub struct BoxHealth {
    /// The model that bots have unless they name another.
    model: ModelId,
    /// A connection can be made.
    reachable: bool,
    /// It lists its models.
    answering: bool,
    /// `model` is in that list.
    model_listed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// The switch that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    switching: Option<SwitchRun>,
    /// The switch that ended last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_switch: Option<SwitchReport>,
}

/// What the box has.
#[derive(Debug, Serialize)]
pub struct BoxModels {
    models: Vec<Named>,
    /// Models that are listed beside these.
    #[serde(skip_serializing_if = "is_zero")]
    more: usize,
    /// What `spark.switch` may ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    switch_to: Vec<ModelId>,
}

#[derive(Debug, Serialize)]
struct Named {
    id: ModelId,
    #[serde(skip_serializing_if = "Option::is_none")]
    loaded: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_window: Option<u32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Tool for SparkSwitch {
    type Arguments = SwitchArguments;
    type Output = SwitchReport;

    const NAME: &'static str = "spark.switch";
    const DESCRIPTION: &'static str = "Asks to switch the model box to another model, for everybody. A person has to confirm it; it takes minutes, and bots whose model goes cannot answer afterwards.";
    const RISK: Risk = Risk::Change;
    const MAX_RUN: Duration = confirmed::MAX_RUN;

    fn describe(&self, reach: Reach<'_>) -> Option<String> {
        let models: Vec<&str> = reach.switch_models.iter().map(ModelId::as_str).collect();
        (!models.is_empty()).then(|| format!("{} Models: {}.", Self::DESCRIPTION, models.join(", ")))
    }

    fn call<'a>(&'a self, arguments: SwitchArguments, context: &'a Context) -> Pending<'a, SwitchReport> {
        Box::pin(switch(&self.0, arguments, context))
    }
}

async fn switch(spark: &Spark, arguments: SwitchArguments, context: &Context) -> Result<SwitchReport, ToolError> {
    let SwitchArguments { model, reason } = arguments;
    let model = ModelId::new(model).map_err(|error| ToolError(error.to_string()))?;
    let asked: Asked = spark.0.post("/switch", &SwitchRequest { model, reason }).await.map_err(|error| {
        // Whatever became of the question: nothing happens that nobody allows.
        told(error)
    })?;
    if !is_id(&asked.id) {
        return Err(ToolError("spark's answer is not the protocol; nothing is done that nobody allows".to_owned()));
    }
    let (_, body) = confirmed::outcome(spark, &asked.id, context, WORDS).await?;
    let report: Option<SwitchReport> = body.and_then(|body| serde_json::from_value(body).ok());
    match report {
        Some(report) if report.outcome == SwitchOutcome::Done => Ok(report),
        Some(SwitchReport { outcome, message, way_back, .. }) => {
            let back = way_back.map_or_else(String::new, |model| format!("; the way back is {model}"));
            Err(ToolError(format!("the switch is {}: {message}{back}", outcome.as_str())))
        }
        None => Err(ToolError("it was carried out, and what came of it is not known; read spark.health".to_owned())),
    }
}

impl Tool for SparkHealthTool {
    type Arguments = NoArguments;
    type Output = BoxHealth;

    const NAME: &'static str = "spark.health";
    const DESCRIPTION: &'static str =
        "Tells whether the model box answers, what is wrong with it, and the switch that runs or ended last.";
    const RISK: Risk = Risk::Read;

    fn call<'a>(&'a self, NoArguments {}: NoArguments, _context: &'a Context) -> Pending<'a, BoxHealth> {
        Box::pin(health(&self.0))
    }
}

async fn health(spark: &Spark) -> Result<BoxHealth, ToolError> {
    let health: SparkHealth = spark.0.get("/health").await.map_err(told)?;
    let SparkHealth { model, reachable, answering, model_listed, problem, .. } = health;
    let SwitchStatus { running: switching, last: last_switch, .. } = switch_status(spark).await?;
    Ok(BoxHealth { model, reachable, answering, model_listed, problem, switching, last_switch })
}

impl Tool for SparkModels {
    type Arguments = NoArguments;
    type Output = BoxModels;

    const NAME: &'static str = "spark.models";
    const DESCRIPTION: &'static str = "Lists the models of the model box, and those that it may be switched to.";
    const RISK: Risk = Risk::Read;

    fn call<'a>(&'a self, NoArguments {}: NoArguments, _context: &'a Context) -> Pending<'a, BoxModels> {
        Box::pin(models(&self.0))
    }
}

async fn models(spark: &Spark) -> Result<BoxModels, ToolError> {
    let list = spark.0.get::<ModelList>("/v1/models").await.map_err(told)?.data;
    let SwitchStatus { models: switch_to, .. } = switch_status(spark).await?;
    let more = list.len().saturating_sub(MAX_MODELS);
    let models = list.into_iter().take(MAX_MODELS);
    let models = models.map(|model| Named { id: model.id, loaded: model.loaded, context_window: model.context_window });
    Ok(BoxModels { models: models.collect(), more, switch_to })
}

/// The switch as spark tells this profile; empty where it may not ask for one.
async fn switch_status(spark: &Spark) -> Result<SwitchStatus, ToolError> {
    match spark.0.get("/switch").await {
        Ok(status) => Ok(status),
        Err(CallError::Refused { status: StatusCode::NOT_FOUND, .. }) => {
            Ok(SwitchStatus { models: Vec::new(), running: None, last: None })
        }
        Err(error) => Err(told(error)),
    }
}

fn told(error: CallError) -> ToolError {
    match error {
        CallError::Refused { code, message, .. } => ToolError(format!("{code}: {message}")),
        other => ToolError(format!("spark gave no answer ({other}); nothing is done that nobody allows")),
    }
}
