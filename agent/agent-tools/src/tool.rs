//! What a tool is: typed arguments in, a typed result out, both JSON at the edge.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use agent_core::prompt::{Risk, ToolSpec};
use platform_types::agent::AgentConfig;
use platform_types::ways::{House, Jobs};
use platform_types::{BotName, ModelId, Timestamp, UpstreamName};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What a call may rely on besides its arguments.
#[derive(Debug, Clone)]
pub struct Context {
    pub now: Timestamp,
    /// IANA name of the profile's time zone.
    pub timezone: String,
    pub bot: BotName,
    /// The turn that makes the call.
    pub turn: String,
    /// The profile's ways out.
    pub upstreams: Arc<[UpstreamName]>,
    /// What the tools `home.*` are about.
    pub house: Option<House>,
    /// What the tools `jobs.*` are about.
    pub jobs: Option<Jobs>,
    pub progress: Progress,
}

/// What the profile has and not every profile has.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reach<'a> {
    pub upstreams: &'a [UpstreamName],
    /// What the model box may be switched to, where this profile may ask.
    pub switch_models: &'a [ModelId],
    pub house: Option<&'a House>,
    pub jobs: Option<&'a Jobs>,
}

impl<'a> From<&'a AgentConfig> for Reach<'a> {
    fn from(config: &'a AgentConfig) -> Self {
        let (house, jobs) = (config.house.as_ref(), config.jobs.as_ref());
        Self { upstreams: &config.upstreams, switch_models: &config.switch_models, house, jobs }
    }
}

/// Tells what a running call waits for.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(bool) + Send + Sync>);

impl Progress {
    pub fn new(tell: impl Fn(bool) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// The call waits for a person's decision on the gate's page, or does so no more.
    pub fn confirming(&self, waits: bool) {
        (self.0)(waits);
    }
}

impl Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

/// Why a call gave nothing. The words are for the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ToolError(pub String);

/// A result that is on its way.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, ToolError>> + Send + 'a>>;

/// A tool with its types.
pub trait Tool: Debug + Send + Sync + 'static {
    type Arguments: JsonSchema + DeserializeOwned + Send;
    type Output: Serialize;

    const NAME: &'static str;
    /// For the model: what it gives, and when to use it.
    const DESCRIPTION: &'static str;
    const RISK: Risk;
    /// It stays within the agent: workspace, memory, clock. A schedule may use it without a rule.
    const INSIDE: bool = false;
    /// Longest run.
    const MAX_RUN: Duration = Duration::from_mins(2);

    /// The description where it depends on what the profile has; `None` where the tool is of no use in it.
    fn describe(&self, _reach: Reach<'_>) -> Option<String> {
        Some(Self::DESCRIPTION.to_owned())
    }

    fn call<'a>(&'a self, arguments: Self::Arguments, context: &'a Context) -> Pending<'a, Self::Output>;
}

/// A tool whose types are JSON text: what a registry holds.
pub trait AnyTool: Debug + Send + Sync {
    fn name(&self) -> &'static str;
    fn risk(&self) -> Risk;
    fn is_inside(&self) -> bool;
    fn max_run(&self) -> Duration;
    /// `None` where the tool is of no use.
    fn spec(&self, reach: Reach<'_>) -> Option<ToolSpec>;
    fn call_json<'a>(&'a self, arguments: &'a str, context: &'a Context) -> Pending<'a, String>;
}

impl<T: Tool> AnyTool for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn risk(&self) -> Risk {
        T::RISK
    }

    fn is_inside(&self) -> bool {
        T::INSIDE
    }

    fn max_run(&self) -> Duration {
        T::MAX_RUN
    }

    fn spec(&self, reach: Reach<'_>) -> Option<ToolSpec> {
        let (name, parameters, risk) = (T::NAME.to_owned(), schema::<T::Arguments>(), T::RISK);
        Some(ToolSpec { name, description: self.describe(reach)?, parameters, risk })
    }

    fn call_json<'a>(&'a self, arguments: &'a str, context: &'a Context) -> Pending<'a, String> {
        Box::pin(async move {
            let arguments = serde_json::from_str(arguments)
                .map_err(|error| ToolError(format!("the arguments do not fit {}: {error}", T::NAME)))?;
            let output = self.call(arguments, context).await?;
            serde_json::to_string(&output).map_err(|error| ToolError(format!("the result cannot be written: {error}")))
        })
    }
}

/// The arguments' JSON Schema, inlined and without decoration: it is sent with every call of the model.
fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    plain(&mut schema);
    schema
}

/// Leaves out what costs tokens and tells a model nothing: that an argument which may be left out may be null, too, what it
/// is then, and how wide a number is. The types of Rust check all of it.
fn plain(schema: &mut Value) {
    let Value::Object(keywords) = schema else { return };
    for keyword in ["title", "default", "format", "minimum", "maximum"] {
        // Of this name, and no keyword, is an argument: its schema is an object.
        if keywords.get(keyword).is_some_and(|value| !value.is_object()) {
            keywords.remove(keyword);
        }
    }
    if let Some(types @ Value::Array(_)) = keywords.get_mut("type") {
        let named = types.as_array().into_iter().flatten().find(|name| *name != "null").cloned();
        *types = named.unwrap_or(Value::Null);
    }
    keywords.values_mut().for_each(plain);
}
