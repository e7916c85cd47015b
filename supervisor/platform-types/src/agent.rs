//! The admin socket of an agent, connected by the supervisor only.
//!
//! | route | does |
//! |---|---|
//! | `POST /activate` [`Activate`] | opens the state; 409 `conflict` for a generation other than the container's own |
//! | `PUT /config` [`AgentConfig`] | replaces bots and limits, live; 409 for a lower revision |
//! | `PUT /platform` [`crate::platform::PlatformView`] | what the supervisor observes, for bots with a tool for it; kept in memory, replaces what was told before |
//! | `POST /drain` | finishes or parks running turns within 20 s, closes the database, answers 200, then exits 0 |
//! | `POST /checkpoint` [`CheckpointRequest`] | makes a consistent copy under `/state/staging/<id>`: [`Checkpoint`] |
//! | `DELETE /checkpoint/{id}` | removes it |
//! | `GET /sessions` | [`SessionList`] |
//! | `GET /sessions/{id}` | [`crate::chat::Transcript`] |
//! | `GET /status` | [`AgentStatus`] |
//! | `GET /approvals` | [`ApprovalList`] |
//! | `POST /approvals/{id}` [`ApprovalDecision`] | the operator's answer: [`Approval`]; 409 when it is decided, over or about something else |
//! | `GET /memory` | [`crate::memory::MemoryList`] |
//! | `POST /memory/forget` [`crate::memory::Forget`] | [`crate::memory::Fact`] |
//! | `GET /audit?after=N` | [`crate::audit::Page`] |
//! | `/cron`… | jobs by the clock: [`crate::cron`] |
//! | `GET /healthz`, `/readyz`, `/release` | as everywhere |
//!
//! Everything that an agent says is *reported*: the supervisor shows it as such and decides nothing of weight on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::channel::AgentChannel;
use crate::chat::SessionSummary;
use crate::cron::CronJob;
use crate::ways::{House, Jobs};
use crate::{BotName, Generation, ModelId, ProfileName, Revision, Timestamp, UpstreamName};

/// Gives the state lease to this container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activate {
    pub generation: Generation,
    pub config: AgentConfig,
}

/// Everything an agent has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    pub revision: Revision,
    pub profile: ProfileName,
    /// IANA name, for example `Europe/Berlin`.
    pub timezone: String,
    /// At least one; the first is the default.
    pub bots: Vec<Bot>,
    /// Who may call what; their order means nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<PolicyRule>,
    /// Names of the ways out that the profile's gate has for tools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<UpstreamName>,
    /// What the model box may be switched to, where the profile's socket has the route for asking.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub switch_models: Vec<ModelId>,
    /// Chats with people who are not at the page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<AgentChannel>,
    /// What bots do by the clock.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cron: Vec<CronJob>,
    /// What the tools `home.*` are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub house: Option<House>,
    /// What the tools `jobs.*` are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Jobs>,
}

/// What happens to a tool call. The greatest of several is the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    Allow,
    /// A person decides each call.
    Ask,
    Deny,
}

/// Where a call comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionKind {
    /// A person at the page.
    Chat,
    /// A schedule; nobody is there.
    Cron,
    /// A script's token; nobody is there.
    Script,
    /// A person who writes through a channel.
    Channel,
}

/// What happens to the calls that match all of it. What is left out matches every call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRule {
    pub effect: Effect,
    #[serde(default)]
    pub bot: Option<BotName>,
    #[serde(default)]
    pub session: Option<SessionKind>,
    /// A tool's name, `area.*`, or `*`.
    pub tool: String,
    /// Top-level arguments, and the values for which this rule is meant. Types are exact: `"1"` is not `1`.
    #[serde(default)]
    pub when: BTreeMap<String, Vec<Value>>,
    /// For people: shown with the decision.
    #[serde(default)]
    pub why: Option<String>,
}

/// Policy rules of one profile: each is looked at for each call.
pub const MAX_POLICY_RULES: usize = 256;
/// Longest pattern of a tool, in bytes.
const MAX_PATTERN_BYTES: usize = 64;

impl PolicyRule {
    /// What is wrong with the rule, as a sentence; `None` when it makes sense. The configuration and the agent refuse the same.
    pub fn problem(&self) -> Option<String> {
        let tool = &self.tool;
        let name = tool.strip_suffix(".*").unwrap_or(tool);
        let fits = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        if tool != "*" && (tool.len() > MAX_PATTERN_BYTES || !name.split('.').all(fits)) {
            return Some(format!("a policy rule is for the tool {tool:?}: write a tool's name, `area.*` or `*`"));
        }
        let empty = self.when.iter().find(|(_, values)| values.is_empty());
        empty.map(|(argument, _)| format!("a policy rule for {tool} lists no value of the argument {argument:?}"))
    }
}

/// A bot is data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bot {
    pub name: BotName,
    /// Shown to people.
    pub title: String,
    /// The system prompt.
    pub instructions: String,
    pub model: ModelId,
    /// Names of tools; a call to any other is denied.
    pub tools: Vec<String>,
}

/// Body of `GET /approvals`: what is pending first, then the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalList {
    pub approvals: Vec<Approval>,
}

/// A tool call that a person was asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// 32 lower-case hex digits.
    pub id: String,
    pub session: String,
    pub turn: String,
    pub bot: BotName,
    pub tool: String,
    /// The exact arguments, as JSON text.
    pub arguments: String,
    /// Why it is asked.
    pub why: String,
    /// SHA-256 over the exact call, lower-case hex.
    pub digest: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub state: ApprovalState,
    /// `device <id>`, `operator <user>`, or why nobody was asked any more.
    pub decided_by: Option<String>,
    pub decided_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalState {
    Pending,
    Allowed,
    Denied,
    Expired,
    /// Its turn was over first.
    Cancelled,
}

impl ApprovalState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The operator's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalDecision {
    pub allow: bool,
    /// What was shown: an answer about anything else is refused.
    pub digest: String,
    pub user: String,
}

/// Asks for a consistent copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointRequest {
    /// 1 to 64 of a-z, 0-9 and '-'; names the directory under `/state/staging`.
    pub id: String,
}

/// A finished copy: `agent.db` (not in WAL mode, integrity checked) and `workspace/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub id: String,
    pub at: Timestamp,
    pub bytes: u64,
    pub files: u64,
    /// Schema of the copied database.
    pub schema: u32,
}

/// Body of `GET /sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionList {
    pub sessions: Vec<SessionSummary>,
}

/// Body of `GET /status`: counters since the process started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatus {
    pub sessions: u64,
    pub messages: u64,
    pub turns_running: u64,
    pub turns_completed_total: u64,
    pub turns_failed_total: u64,
    pub turns_cancelled_total: u64,
    pub turns_interrupted_total: u64,
    pub tool_calls_total: u64,
    pub tool_calls_denied_total: u64,
    pub input_tokens_total: u64,
    pub output_tokens_total: u64,
    /// Sum and count give the mean time to first token.
    pub first_token_millis_sum: u64,
    pub first_token_count: u64,
    pub database_bytes: u64,
    #[serde(default)]
    pub cron: CronStatus,
}

/// Jobs by the clock: how they are now, and what they came to since the process started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronStatus {
    pub jobs: u64,
    pub paused: u64,
    /// Jobs whose latest due time was missed, whose latest run did not complete, or was not delivered.
    pub troubled: u64,
    pub fired_total: u64,
    pub completed_total: u64,
    /// Runs that ended otherwise.
    pub failed_total: u64,
    /// Due times that passed while nobody was there, those included that one run was fired for later.
    pub missed_total: u64,
    /// Due times that fell into a run.
    pub skipped_total: u64,
    pub delivered_total: u64,
    pub undelivered_total: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_that_make_no_sense() {
        let check = |tool: &str, when: Value, fine: bool| {
            let rule = json!({"effect": "deny", "tool": tool, "when": when});
            let rule: PolicyRule = serde_json::from_value(rule).expect("parses");
            assert_eq!(rule.problem().is_none(), fine, "{tool}");
        };
        check("*", json!({}), true);
        check("home.*", json!({"a": [1]}), true);
        check("home.set_level", json!({}), true);
        check("home*", json!({}), false);
        check("**", json!({}), false);
        check("", json!({}), false);
        check(".*", json!({}), false);
        check("home..x", json!({}), false);
        check("Home.x", json!({}), false);
        check("home.x", json!({"a": []}), false);
    }

    #[test]
    fn an_agent_of_an_earlier_release_takes_what_uses_nothing_new() {
        let config = AgentConfig {
            revision: Revision::default(),
            profile: ProfileName::new("personal").expect("name"),
            timezone: "UTC".to_owned(),
            bots: Vec::new(),
            policy: Vec::new(),
            upstreams: Vec::new(),
            switch_models: Vec::new(),
            channels: Vec::new(),
            cron: Vec::new(),
            house: None,
            jobs: None,
        };
        let value = serde_json::to_value(&config).expect("serialises");
        let fields: Vec<&String> = value.as_object().expect("an object").keys().collect();
        assert_eq!(fields, ["bots", "profile", "revision", "timezone"]);
        assert_eq!(serde_json::from_value::<AgentConfig>(value).expect("parses"), config);
    }
}
