//! The tools of this release, and which of them a bot may call.
//!
//! [`Registry::decide`] is the seam to `agent_policy`: a bot may call no other tools than those that its `tools` list names, and
//! of these what the rules allow.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agent_core::json;
use agent_core::prompt::{ToolCall, ToolSpec};
use agent_policy::{Call, Verdict};
use agent_store::StateDir;
use agent_workspace::{Documents, Memory, Notes, Plans};
use platform_types::agent::{Bot, PolicyRule, SessionKind};
use serde_json::Value;

use crate::clock::ClockNow;
use crate::egress::Egress;
use crate::home::read::HomeRead;
use crate::home::scene::HomeScene;
use crate::home::set::HomeSet;
use crate::home::status::HomeStatus;
use crate::http::{HttpGet, HttpRequest};
use crate::jobs::{JobsList, JobsRequeue, JobsShow};
use crate::memory::{MemoryForget, MemoryRemember, MemorySearch};
use crate::notes::{NoteEdit, NoteList, NoteSearch, NoteShow, NoteWrite};
use crate::platform::{Board, PlatformHealth, PlatformLogs};
use crate::project::{DocList, DocRead, DocSearch, PlanList, PlanShow, PlanWrite};
use crate::spark::{Spark, SparkHealthTool, SparkModels, SparkSwitch};
use crate::tool::{AnyTool, Context, Reach, ToolError};

/// What is the bots' own.
#[derive(Debug, Clone)]
pub struct Own {
    pub notes: Arc<Notes>,
    pub memory: Arc<Memory>,
    /// Folders of the host that bots may read.
    pub documents: Arc<Documents>,
    pub plans: Arc<Plans>,
    /// What the supervisor tells.
    pub board: Arc<Board>,
}

impl Own {
    /// Below `state`, and documents below `documents`; nothing is opened before the first call.
    pub fn new(state: &StateDir, documents: &Path) -> Self {
        let documents = Arc::new(Documents::new(documents));
        let plans = Arc::new(Plans::new(state, documents.clone()));
        let (notes, memory) = (Arc::new(Notes::new(state)), Arc::new(Memory::new(state)));
        Self { notes, memory, documents, plans, board: Arc::default() }
    }
}

/// Tools by name.
#[derive(Debug, Clone)]
pub struct Registry {
    tools: Arc<BTreeMap<String, Box<dyn AnyTool>>>,
}

impl Registry {
    /// Everything this release has.
    pub fn of_release(egress: &Egress, spark: &Spark, own: &Own) -> Self {
        let Own { notes, memory, documents, plans, board } = own;
        let (get, request) = (HttpGet::new(egress.clone()), HttpRequest::new(egress.clone()));
        let (way, spark) = (|| egress.clone(), || spark.clone());
        let tools: [Box<dyn AnyTool>; 29] = [
            Box::new(ClockNow),
            Box::new(get),
            Box::new(request),
            Box::new(SparkHealthTool::new(spark())),
            Box::new(SparkModels::new(spark())),
            Box::new(SparkSwitch::new(spark())),
            Box::new(NoteWrite(notes.clone())),
            Box::new(NoteSearch(notes.clone())),
            Box::new(NoteShow(notes.clone())),
            Box::new(NoteEdit(notes.clone())),
            Box::new(NoteList(notes.clone())),
            Box::new(MemoryRemember(memory.clone())),
            Box::new(MemoryForget(memory.clone())),
            Box::new(MemorySearch(memory.clone())),
            Box::new(HomeStatus(way())),
            Box::new(HomeRead(way())),
            Box::new(HomeSet(way())),
            Box::new(HomeScene(way())),
            Box::new(JobsList(way())),
            Box::new(JobsShow(way())),
            Box::new(JobsRequeue(way())),
            Box::new(PlatformHealth(board.clone())),
            Box::new(PlatformLogs(board.clone())),
            Box::new(DocList(documents.clone())),
            Box::new(DocRead(documents.clone())),
            Box::new(DocSearch(documents.clone())),
            Box::new(PlanWrite(plans.clone())),
            Box::new(PlanShow(plans.clone())),
            Box::new(PlanList(plans.clone())),
        ];
        Self::new(tools.into())
    }

    pub fn new(tools: Vec<Box<dyn AnyTool>>) -> Self {
        Self { tools: Arc::new(tools.into_iter().map(|tool| (tool.name().to_owned(), tool)).collect()) }
    }

    /// What the model is offered for `bot`, in the order of its list.
    pub fn offered(&self, bot: &Bot, reach: Reach<'_>) -> Vec<ToolSpec> {
        bot.tools.iter().filter_map(|name| self.tools.get(name)).filter_map(|tool| tool.spec(reach)).collect()
    }

    /// Names in `bot`'s list that this release does not have.
    pub fn unknown(&self, bot: &Bot) -> Vec<String> {
        bot.tools.iter().filter(|name| !self.tools.contains_key(*name)).cloned().collect()
    }

    /// May `bot` make this call? Arguments that can be read in two ways are none.
    pub fn decide(&self, rules: &[PolicyRule], bot: &Bot, session: SessionKind, call: &ToolCall) -> Verdict {
        let arguments = json::read(&call.arguments).unwrap_or(Value::Null);
        let tool = self.tools.get(&call.name);
        let call = Call {
            bot: &bot.name,
            session,
            tool: &call.name,
            risk: tool.map(|tool| tool.risk()),
            inside: tool.is_some_and(|tool| tool.is_inside()),
            offered: bot.tools.contains(&call.name),
            arguments: &arguments,
        };
        agent_policy::decide(rules, &call)
    }

    /// How long a call of this tool may run.
    pub fn max_run(&self, call: &ToolCall) -> Duration {
        self.tools.get(&call.name).map_or(Duration::ZERO, |tool| tool.max_run())
    }

    /// Runs a call that was allowed.
    pub async fn run(&self, call: &ToolCall, context: &Context) -> Result<String, ToolError> {
        let tool = self.tools.get(&call.name).ok_or_else(|| ToolError(format!("{} is not a tool", call.name)))?;
        tool.call_json(&call.arguments, context).await
    }
}

#[cfg(test)]
mod tests {
    use agent_core::prompt::wire_name;
    use platform_types::agent::Effect;
    use platform_types::ways::{House, Jobs, May, Requeue, Thing};
    use platform_types::{BotName, ModelId, Timestamp, UpstreamName};

    use super::*;

    fn registry() -> Registry {
        let own = Own::new(&StateDir::new("/nowhere"), Path::new("/nowhere"));
        Registry::of_release(&Egress::new("/nowhere.sock"), &Spark::new("/nowhere.sock"), &own)
    }

    fn bot(tools: &[&str]) -> Bot {
        Bot {
            name: BotName::new("assistant").unwrap(),
            title: "Assistant".into(),
            instructions: String::new(),
            model: ModelId::new("demo/echo").unwrap(),
            tools: tools.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    fn call(name: &str, arguments: &str) -> ToolCall {
        ToolCall { id: "call00001".into(), name: name.into(), arguments: arguments.into() }
    }

    #[test]
    fn what_is_not_listed_is_denied() {
        let registry = registry();
        let decide = |bot: &Bot, name: &str, arguments: &str| {
            registry.decide(&[], bot, SessionKind::Chat, &call(name, arguments))
        };
        let denied = |bot: &Bot, name: &str| {
            let verdict = decide(bot, name, "{}");
            (verdict.effect == Effect::Deny).then(|| verdict.words())
        };
        assert_eq!(denied(&bot(&["clock.now"]), "clock.now"), None);
        assert!(denied(&bot(&[]), "clock.now").unwrap().contains("not in the tools of bot assistant"));
        assert!(denied(&bot(&["door.open"]), "door.open").unwrap().contains("not a tool of this release"));
        assert_eq!(registry.unknown(&bot(&["clock.now", "door.open"])), vec!["door.open".to_owned()]);
        assert_eq!(registry.offered(&bot(&["clock.now", "door.open"]), Reach::default()).len(), 1);
        assert!(registry.offered(&bot(&[]), Reach::default()).is_empty());
        assert_eq!(decide(&bot(&["clock.now"]), "clock.now", r#"{"zone":"a","zone":"b"}"#).effect, Effect::Deny);
        assert_eq!(decide(&bot(&["http.request"]), "http.request", "{}").effect, Effect::Ask);
        assert_eq!(decide(&bot(&["http.get"]), "http.get", "{}").effect, Effect::Allow);
    }

    #[test]
    fn the_way_out_is_offered_where_there_is_one_and_names_it() {
        let registry = registry();
        let bot = bot(&["http.get", "http.request"]);
        assert!(registry.offered(&bot, Reach::default()).is_empty());
        let upstreams = [UpstreamName::new("home-assistant").unwrap(), UpstreamName::new("jobs").unwrap()];
        let reach = Reach { upstreams: &upstreams, ..Reach::default() };
        for spec in registry.offered(&bot, reach) {
            assert!(spec.description.ends_with("Upstreams: home-assistant, jobs."), "{}", spec.description);
        }
    }

    #[test]
    fn the_switch_is_offered_where_the_profile_may_ask_and_names_its_models() {
        let (registry, bot) = (registry(), bot(&["spark.switch", "spark.health", "spark.models"]));
        let names = |reach: Reach<'_>| -> Vec<String> {
            registry.offered(&bot, reach).into_iter().map(|spec| spec.name).collect()
        };
        assert_eq!(names(Reach::default()), ["spark.health", "spark.models"], "these only read");
        let models = ["a/B-1", "c"].map(|id| ModelId::new(id).unwrap());
        let offered = registry.offered(&bot, Reach { switch_models: &models, ..Reach::default() });
        assert!(offered[0].description.ends_with("Models: a/B-1, c."), "{}", offered[0].description);
        let decide = |name: &str| registry.decide(&[], &bot, SessionKind::Chat, &call(name, "{}")).effect;
        assert_eq!(decide("spark.switch"), Effect::Ask);
        assert_eq!((decide("spark.health"), decide("spark.models")), (Effect::Allow, Effect::Allow));
    }

    #[test]
    fn schemas_are_small_and_names_stay_apart_on_the_wire() {
        let registry = registry();
        let upstreams = [UpstreamName::new("jobs").unwrap()];
        let models = [ModelId::new("a/b").unwrap()];
        let upstream = upstreams[0].clone();
        let things = vec![Thing { id: "light.a".into(), may: May::Set }, Thing { id: "scene.a".into(), may: May::Set }];
        let house = House { upstream: upstream.clone(), things };
        let jobs = Jobs { upstream, table: "jobs".into(), kinds: Vec::new(), requeue: Requeue::Function };
        let reach = Reach { upstreams: &upstreams, switch_models: &models, house: Some(&house), jobs: Some(&jobs) };
        let specs: Vec<ToolSpec> = registry.tools.values().filter_map(|tool| tool.spec(reach)).collect();
        assert_eq!(specs.len(), registry.tools.len());
        let mut names: Vec<String> = specs.iter().map(|spec| wire_name(&spec.name)).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), specs.len());
        for spec in specs {
            assert_eq!(spec.parameters["type"], "object", "{}", spec.name);
            let text = spec.parameters.to_string();
            assert!(text.len() < 1000 && !text.contains("$ref"), "{text}");
        }
    }

    fn run(arguments: &str) -> Result<String, ToolError> {
        let (turn, upstreams, progress) = (String::new(), [].into(), crate::Progress::new(|_| {}));
        let bot = BotName::new("assistant").unwrap();
        let timezone = "UTC".into();
        let context = Context { now: Timestamp(0), timezone, bot, turn, upstreams, house: None, jobs: None, progress };
        let registry = registry();
        let call = call("clock.now", arguments);
        let future = std::pin::pin!(registry.run(&call, &context));
        match future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(result) => result,
            std::task::Poll::Pending => panic!("the clock waits for nothing"),
        }
    }

    #[test]
    fn arguments_are_typed() {
        assert_eq!(run("{}").unwrap(), r#"{"local":"1970-01-01T00:00:00+00:00","weekday":"Thursday","zone":"UTC"}"#);
        assert!(run(r#"{"zone":3}"#).unwrap_err().0.contains("clock.now"));
        assert!(run(r#"{"timezone":"UTC"}"#).unwrap_err().0.contains("timezone"));
        assert!(run(r#"{"zone":"Nowhere"}"#).is_err());
    }
}
