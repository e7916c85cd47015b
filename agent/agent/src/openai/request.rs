//! What a script asks for. What this endpoint cannot do is refused by name, never dropped in silence.

use agent_core::history::Group;
use agent_core::prompt::{Prompt, Sampling};
use platform_kit::Failure;
use platform_types::ErrorCode;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Messages of one request.
const MAX_MESSAGES: usize = 2000;
/// Sequences in `stop`, as OpenAI limits them.
const MAX_STOPS: usize = 4;

/// Fields that this endpoint reads.
const READ: [&str; 11] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "seed",
    "stop",
    "n",
];
/// Fields that change nothing here, which common clients send.
const IGNORED: [&str; 9] = [
    "user",
    "metadata",
    "store",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "parallel_tool_calls",
    "reasoning_effort",
    "verbosity",
];

/// A request that can be carried out.
#[derive(Debug)]
pub(super) struct Asked {
    pub model: String,
    system: Vec<String>,
    pub history: Vec<Group>,
    pub message: Prompt,
    pub sampling: Sampling,
    pub stream: bool,
    pub include_usage: bool,
}

impl Asked {
    /// The bot's instructions, then what the script says about how to behave.
    pub fn system(&self, instructions: &str) -> String {
        let own = (!instructions.is_empty()).then_some(instructions);
        own.into_iter().chain(self.system.iter().map(String::as_str)).collect::<Vec<_>>().join("\n\n")
    }
}

#[derive(Debug, Deserialize)]
struct Fields {
    model: Option<String>,
    messages: Option<Vec<Value>>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    seed: Option<i64>,
    stop: Option<Stop>,
    n: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Stop {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
struct Message {
    role: String,
    content: Option<Content>,
    tool_calls: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    r#type: String,
    text: Option<String>,
}

pub(super) fn parse(body: &[u8]) -> Result<Asked, Failure> {
    let map: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| Failure::new(ErrorCode::BadRequest, format!("the body is not a JSON object: {error}")))?;
    refuse_unsupported(&map)?;
    let fields: Fields = serde_json::from_value(Value::Object(map))
        .map_err(|error| Failure::new(ErrorCode::BadRequest, format!("a field has the wrong type: {error}")))?;
    if fields.n.is_some_and(|n| n != 1) {
        return Err(bad("n", "only one answer at a time: leave out `n`, or set it to 1"));
    }
    let model = fields.model.ok_or_else(|| bad("model", "`model` must name a bot; GET /v1/models lists them"))?;
    let (system, history, message) = conversation(fields.messages.unwrap_or_default())?;
    let stop = match fields.stop {
        None => Vec::new(),
        Some(Stop::One(text)) => vec![text],
        Some(Stop::Many(texts)) => texts,
    };
    if stop.len() > MAX_STOPS {
        return Err(bad("stop", "at most four sequences"));
    }
    Ok(Asked {
        model,
        system,
        history,
        message,
        sampling: Sampling {
            temperature: fields.temperature,
            top_p: fields.top_p,
            max_tokens: fields.max_completion_tokens.or(fields.max_tokens),
            seed: fields.seed,
            stop,
        },
        stream: fields.stream.unwrap_or(false),
        include_usage: fields.stream_options.and_then(|options| options.include_usage).unwrap_or(false),
    })
}

fn bad(param: &str, words: impl Into<String>) -> Failure {
    Failure::new(ErrorCode::BadRequest, words).with_param(param)
}

/// A field that asks for something else than the default, and is not read here, is an error.
fn refuse_unsupported(map: &Map<String, Value>) -> Result<(), Failure> {
    for (name, value) in map {
        let name = name.as_str();
        if READ.contains(&name) || IGNORED.contains(&name) || is_default(name, value) {
            continue;
        }
        let words = match name {
            "tools" | "tool_choice" | "functions" | "function_call" => {
                "the bot uses its own tools; a script cannot bring more".to_owned()
            }
            "response_format" => "only text: leave out `response_format`".to_owned(),
            "audio" | "modalities" => "only text: there is no audio here".to_owned(),
            _ => format!("`{name}` is not supported here; leave it out"),
        };
        return Err(bad(name, words));
    }
    Ok(())
}

/// Values that ask for nothing.
fn is_default(name: &str, value: &Value) -> bool {
    match (name, value) {
        (_, Value::Null) => true,
        ("tools" | "functions" | "stop", Value::Array(values)) => values.is_empty(),
        ("logit_bias", Value::Object(map)) => map.is_empty(),
        ("tool_choice" | "function_call", Value::String(choice)) => choice == "none" || choice == "auto",
        ("logprobs", Value::Bool(on)) => !on,
        ("presence_penalty" | "frequency_penalty" | "top_logprobs", Value::Number(number)) => {
            number.as_f64() == Some(0.0)
        }
        ("response_format", Value::Object(map)) => map.get("type").is_some_and(|kind| kind == "text"),
        ("modalities", Value::Array(kinds)) => kinds.iter().all(|kind| kind == "text"),
        _ => false,
    }
}

/// The system texts, what was said before, and the message to answer.
fn conversation(messages: Vec<Value>) -> Result<(Vec<String>, Vec<Group>, Prompt), Failure> {
    if messages.is_empty() || messages.len() > MAX_MESSAGES {
        return Err(bad("messages", format!("`messages` has 1 to {MAX_MESSAGES} messages, not {}", messages.len())));
    }
    let mut system = Vec::new();
    let mut prompts = Vec::new();
    for (index, value) in messages.into_iter().enumerate() {
        let message: Message = serde_json::from_value(value)
            .map_err(|error| bad("messages", format!("message {index} is malformed: {error}")))?;
        if message.tool_calls.is_some_and(|calls| !calls.is_empty()) {
            return Err(bad("messages", format!("message {index} has tool calls: tools run inside the bot")));
        }
        let text = text(message.content, index)?;
        match message.role.as_str() {
            "system" | "developer" => system.push(text),
            "user" => prompts.push(Prompt::User { text }),
            "assistant" => prompts.push(Prompt::Assistant { text, calls: Vec::new() }),
            "tool" | "function" => {
                return Err(bad("messages", format!("message {index} is a tool's result: tools run inside the bot")));
            }
            other => return Err(bad("messages", format!("message {index} has the unknown role {other:?}"))),
        }
    }
    let Some(message @ Prompt::User { .. }) = prompts.pop() else {
        return Err(bad("messages", "the last message must be the user's"));
    };
    Ok((system, groups(prompts), message))
}

fn text(content: Option<Content>, index: usize) -> Result<String, Failure> {
    match content {
        None => Ok(String::new()),
        Some(Content::Text(text)) => Ok(text),
        Some(Content::Parts(parts)) => {
            let mut all = String::new();
            for part in parts {
                if part.r#type != "text" {
                    let words = format!("message {index} has a part of type {:?}: only text is supported", part.r#type);
                    return Err(bad("messages", words));
                }
                all.push_str(&part.text.unwrap_or_default());
            }
            Ok(all)
        }
    }
}

/// A user's message and what follows it is one group.
fn groups(prompts: Vec<Prompt>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for prompt in prompts {
        match (&prompt, groups.last_mut()) {
            (Prompt::Assistant { .. }, Some(group)) => group.push(prompt),
            _ => groups.push(vec![prompt]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: &Value) -> (ErrorCode, Option<String>) {
        let failure = parse(body.to_string().as_bytes()).unwrap_err();
        (failure.code, failure.param)
    }

    #[test]
    fn a_conversation() {
        let body = json!({"model": "home", "temperature": 0.2, "max_completion_tokens": 5, "stop": "x", "user": "me", "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": "c"},
            {"role": "user", "content": "d"},
        ]});
        let asked = parse(body.to_string().as_bytes()).unwrap();
        assert_eq!(asked.system("You are home."), "You are home.\n\nBe brief.");
        assert_eq!(asked.system(""), "Be brief.");
        assert_eq!(asked.history.len(), 1);
        assert_eq!(asked.history[0][0], Prompt::User { text: "ab".into() });
        assert_eq!(asked.message, Prompt::User { text: "d".into() });
        assert_eq!((asked.sampling.max_tokens, asked.sampling.stop.len()), (Some(5), 1));
        assert!(!asked.stream);
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        let with = |name: &str, value: Value| {
            let mut body = json!({"model": "home", "messages": [{"role": "user", "content": "a"}]});
            body[name] = value;
            body
        };
        let check = |name: &str, value: Value| {
            let expect = (ErrorCode::BadRequest, Some(name.to_owned()));
            assert_eq!(refused(&with(name, value)), expect, "{name}");
        };
        check("n", json!(2));
        check("tools", json!([{"type": "function"}]));
        check("tool_choice", json!("required"));
        check("audio", json!({}));
        check("modalities", json!(["text", "audio"]));
        check("response_format", json!({"type": "json_object"}));
        check("logprobs", json!(true));
        check("presence_penalty", json!(1.0));
        check("web_search_options", json!({}));
        check("messages", json!([]));
        check("messages", json!([{"role": "tool", "content": "x"}]));
        check("messages", json!([{"role": "wizard", "content": "x"}]));
        check("messages", json!([{"role": "assistant", "content": "x"}]));
        check(
            "messages",
            json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]),
        );
        check("messages", json!([{"content": "x"}]));
        check("model", Value::Null);
        let fine =
            |name: &str, value: Value| assert!(parse(with(name, value).to_string().as_bytes()).is_ok(), "{name}");
        fine("n", json!(1));
        fine("tools", json!([]));
        fine("tool_choice", json!("auto"));
        fine("response_format", json!({"type": "text"}));
        fine("logprobs", json!(false));
        fine("frequency_penalty", json!(0));
        fine("audio", Value::Null);
    }

    #[test]
    fn a_body_that_is_no_request() {
        for body in ["", "[]", "{", "\"x\"", "{\"model\":3,\"messages\":[]}"] {
            assert_eq!(parse(body.as_bytes()).unwrap_err().code, ErrorCode::BadRequest, "{body:?}");
        }
    }
}
