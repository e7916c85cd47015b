//! `spark.switch` and `spark.status`: the model box, over the profile's own model socket.
//!
//! **Invariants.** A switch is asked for once and waited for; a person decides, and spark verifies that itself. Only profiles
//! whose socket has the route are offered these tools.

use std::path::PathBuf;
use std::time::Duration;

use agent_core::prompt::Risk;
use http::StatusCode;
use platform_kit::client::{CallError, Client};
use platform_kit::socket::Peer;
use platform_types::ModelId;
use platform_types::egress::{Asked, Outcome};
use platform_types::spark::{ModelList, SparkHealth};
use platform_types::switch::{SwitchOutcome, SwitchReport, SwitchRequest, SwitchStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::confirmed::{self, Keeper, POLL_TIME, Words, is_id};
use crate::tool::{Context, Pending, Reach, Tool, ToolError};

/// Time for one answer: spark looks at the box first.
const ANSWER_TIME: Duration = Duration::from_secs(15);
/// Models that a status names.
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

/// Says how the box stands.
#[derive(Debug)]
pub struct SparkStatus(Spark);

impl SparkSwitch {
    pub fn new(spark: Spark) -> Self {
        Self(spark)
    }
}

impl SparkStatus {
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
pub struct StatusArguments {}

/// How the box stands.
#[derive(Debug, Serialize)]
pub struct Standing {
    reachable: bool,
    answering: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    models: Vec<Named>,
    /// Models that are listed beside these.
    #[serde(skip_serializing_if = "is_zero")]
    more: usize,
    switch: SwitchStatus,
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
        None => Err(ToolError("it was carried out, and what came of it is not known; read spark.status".to_owned())),
    }
}

impl Tool for SparkStatus {
    type Arguments = StatusArguments;
    type Output = Standing;

    const NAME: &'static str = "spark.status";
    const DESCRIPTION: &'static str = "Tells how the model box stands: whether it answers, its models, what it may be switched to, and the switch that runs or ended last.";
    const RISK: Risk = Risk::Read;

    fn describe(&self, reach: Reach<'_>) -> Option<String> {
        (!reach.switch_models.is_empty()).then(|| Self::DESCRIPTION.to_owned())
    }

    fn call<'a>(&'a self, StatusArguments {}: StatusArguments, _context: &'a Context) -> Pending<'a, Standing> {
        Box::pin(standing(&self.0))
    }
}

async fn standing(spark: &Spark) -> Result<Standing, ToolError> {
    let SparkHealth { reachable, answering, problem, .. } = spark.0.get("/health").await.map_err(told)?;
    // A box that does not answer has no list; its problem is said.
    let list = if answering { spark.0.get::<ModelList>("/v1/models").await.map_err(told)?.data } else { Vec::new() };
    let switch: SwitchStatus = spark.0.get("/switch").await.map_err(told)?;
    let more = list.len().saturating_sub(MAX_MODELS);
    let models = list.into_iter().take(MAX_MODELS);
    let models = models.map(|model| Named { id: model.id, loaded: model.loaded, context_window: model.context_window });
    Ok(Standing { reachable, answering, problem, models: models.collect(), more, switch })
}

fn told(error: CallError) -> ToolError {
    match error {
        CallError::Refused { code, message, .. } => ToolError(format!("{code}: {message}")),
        other => ToolError(format!("spark gave no answer ({other}); nothing is done that nobody allows")),
    }
}
