//! The tools of this release, and which of them a bot may call.
//!
//! [`Registry::decide`] is the seam where policy decides: today a bot may call exactly the tools that its `tools` list
//! names, and everything else is denied with the evidence.

use std::collections::BTreeMap;
use std::sync::Arc;

use agent_core::prompt::{ToolCall, ToolSpec};
use agent_core::turn::Decision;
use platform_types::agent::Bot;

use crate::clock::ClockNow;
use crate::tool::{AnyTool, Context, ToolError};

/// Tools by name.
#[derive(Debug, Clone)]
pub struct Registry {
    tools: Arc<BTreeMap<String, Box<dyn AnyTool>>>,
}

impl Registry {
    /// Everything this release has.
    pub fn of_release() -> Self {
        Self::new(vec![Box::new(ClockNow)])
    }

    pub fn new(tools: Vec<Box<dyn AnyTool>>) -> Self {
        Self { tools: Arc::new(tools.into_iter().map(|tool| (tool.spec().name, tool)).collect()) }
    }

    /// What the model is offered for `bot`, in the order of its list.
    pub fn offered(&self, bot: &Bot) -> Vec<ToolSpec> {
        bot.tools.iter().filter_map(|name| self.tools.get(name)).map(|tool| tool.spec()).collect()
    }

    /// Names in `bot`'s list that this release does not have.
    pub fn unknown(&self, bot: &Bot) -> Vec<String> {
        bot.tools.iter().filter(|name| !self.tools.contains_key(*name)).cloned().collect()
    }

    /// May `bot` make this call?
    pub fn decide(&self, bot: &Bot, call: &ToolCall) -> Decision {
        if !bot.tools.contains(&call.name) {
            return Decision::Deny { evidence: format!("{} is not in the tools of bot {}", call.name, bot.name) };
        }
        if !self.tools.contains_key(&call.name) {
            return Decision::Deny { evidence: format!("{} is not a tool of this release", call.name) };
        }
        Decision::Allow
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
    use platform_types::{BotName, ModelId, Timestamp};

    use super::*;

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
        let registry = Registry::of_release();
        let denied = |bot: &Bot, name: &str| match registry.decide(bot, &call(name, "{}")) {
            Decision::Allow => None,
            Decision::Deny { evidence } => Some(evidence),
        };
        assert_eq!(denied(&bot(&["clock.now"]), "clock.now"), None);
        assert!(denied(&bot(&[]), "clock.now").unwrap().contains("not in the tools of bot assistant"));
        assert!(denied(&bot(&["door.open"]), "door.open").unwrap().contains("not a tool of this release"));
        assert_eq!(registry.unknown(&bot(&["clock.now", "door.open"])), vec!["door.open".to_owned()]);
        assert_eq!(registry.offered(&bot(&["clock.now", "door.open"])).len(), 1);
        assert!(registry.offered(&bot(&[])).is_empty());
    }

    #[test]
    fn schemas_are_small_and_names_stay_apart_on_the_wire() {
        let registry = Registry::of_release();
        let specs: Vec<ToolSpec> = registry.tools.values().map(|tool| tool.spec()).collect();
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
        let context = Context { now: Timestamp(0), timezone: "UTC".into() };
        let registry = Registry::of_release();
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
