//! OpenAI's JSON, out and in. What comes in is read leniently: unknown fields are skipped, absent and null are the same.

use agent_core::prompt::{ModelRequest, Prompt, ToolCall, ToolSpec, Usage, wire_name};
use agent_core::turn::FinishReason;
use serde::{Deserialize, Serialize};

/// The body of `POST /v1/chat/completions`.
#[derive(Debug, Serialize)]
pub(crate) struct Request<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
}

#[derive(Debug, Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Debug, Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: CallFunction<'a>,
}

#[derive(Debug, Serialize)]
struct CallFunction<'a> {
    name: String,
    arguments: &'a str,
}

#[derive(Debug, Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: ToolFunction<'a>,
}

#[derive(Debug, Serialize)]
struct ToolFunction<'a> {
    name: String,
    description: &'a str,
    parameters: &'a serde_json::Value,
}

impl<'a> Request<'a> {
    pub fn new(request: &'a ModelRequest) -> Self {
        let ModelRequest { model, messages, tools, sampling } = request;
        Self {
            model: model.as_str(),
            messages: messages.iter().map(Message::new).collect(),
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            tools: tools.iter().map(Tool::new).collect(),
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            max_tokens: sampling.max_tokens,
            seed: sampling.seed,
            stop: &sampling.stop,
        }
    }
}

impl<'a> Message<'a> {
    fn new(prompt: &'a Prompt) -> Self {
        let plain = |role, text| Self { role, content: Some(text), tool_calls: Vec::new(), tool_call_id: None };
        match prompt {
            Prompt::System { text } => plain("system", text),
            Prompt::User { text } => plain("user", text),
            Prompt::Tool { call, text } => Self { tool_call_id: Some(call), ..plain("tool", text) },
            Prompt::Assistant { text, calls } => Self {
                // Null beside calls, as OpenAI writes it; some templates print an empty text.
                content: (!text.is_empty() || calls.is_empty()).then_some(text),
                tool_calls: calls.iter().map(Call::new).collect(),
                ..plain("assistant", text)
            },
        }
    }
}

impl<'a> Call<'a> {
    fn new(call: &'a ToolCall) -> Self {
        // Servers parse the arguments of past calls: what was not JSON then is sent as an empty object.
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&call.arguments).is_ok();
        let arguments = if is_json { call.arguments.as_str() } else { "{}" };
        Self { id: &call.id, r#type: "function", function: CallFunction { name: wire_name(&call.name), arguments } }
    }
}

impl<'a> Tool<'a> {
    fn new(spec: &'a ToolSpec) -> Self {
        let function =
            ToolFunction { name: wire_name(&spec.name), description: &spec.description, parameters: &spec.parameters };
        Self { r#type: "function", function }
    }
}

/// One `chat.completion.chunk`.
#[derive(Debug, Deserialize)]
pub(crate) struct Chunk {
    #[serde(default)]
    pub choices: Option<Vec<Choice>>,
    #[serde(default)]
    pub usage: Option<ChunkUsage>,
    /// Some servers answer 200 and put the error into the stream.
    #[serde(default)]
    pub error: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    pub index: u32,
    #[serde(default)]
    pub delta: Option<ChunkDelta>,
    #[serde(default)]
    pub finish_reason: Option<String>,
}

/// Reasoning comes under `reasoning` or `reasoning_content`: it is not shown, so it is not read.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ChunkDelta {
    #[serde(default)]
    pub content: Option<String>,
    #[serde(default)]
    pub tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CallDelta {
    #[serde(default)]
    pub index: Option<usize>,
    #[serde(default)]
    pub function: Option<FunctionDelta>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FunctionDelta {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub arguments: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ChunkUsage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
}

impl From<ChunkUsage> for Usage {
    fn from(ChunkUsage { prompt_tokens, completion_tokens }: ChunkUsage) -> Self {
        Self { input_tokens: prompt_tokens.unwrap_or(0), output_tokens: completion_tokens.unwrap_or(0) }
    }
}

pub(crate) fn finish_reason(text: &str) -> FinishReason {
    match text {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        other => FinishReason::Other(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use agent_core::prompt::{Risk, Sampling};
    use platform_types::ModelId;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_as_servers_read_it() {
        let call = |arguments: &str| ToolCall {
            id: "call00001".into(),
            name: "clock.now".into(),
            arguments: arguments.into(),
        };
        let request = ModelRequest {
            model: ModelId::new("openai/gpt-oss-120b").unwrap(),
            messages: vec![
                Prompt::System { text: "s".into() },
                Prompt::User { text: "u".into() },
                Prompt::Assistant { text: String::new(), calls: vec![call("{\"a\":1}"), call("{broken")] },
                Prompt::Tool { call: "call00001".into(), text: "r".into() },
                Prompt::Assistant { text: String::new(), calls: Vec::new() },
            ],
            tools: vec![ToolSpec {
                name: "clock.now".into(),
                description: "d".into(),
                parameters: json!({"type": "object"}),
                risk: Risk::Read,
            }],
            sampling: Sampling { top_p: Some(0.5), ..Sampling::default() },
        };
        let function = |arguments: &str| json!({"id": "call00001", "type": "function", "function": {"name": "clock_now", "arguments": arguments}});
        assert_eq!(
            serde_json::to_value(Request::new(&request)).unwrap(),
            json!({
                "model": "openai/gpt-oss-120b",
                "messages": [
                    {"role": "system", "content": "s"},
                    {"role": "user", "content": "u"},
                    {"role": "assistant", "content": null, "tool_calls": [function("{\"a\":1}"), function("{}")]},
                    {"role": "tool", "content": "r", "tool_call_id": "call00001"},
                    {"role": "assistant", "content": ""},
                ],
                "stream": true,
                "stream_options": {"include_usage": true},
                "tools": [{"type": "function", "function": {
                    "name": "clock_now", "description": "d", "parameters": {"type": "object"},
                }}],
                "top_p": 0.5,
            })
        );
    }

    #[test]
    fn chunks_are_read_leniently() {
        for text in [
            "{}",
            r#"{"choices":null,"usage":null,"error":null}"#,
            r#"{"choices":[{"delta":null,"finish_reason":null}]}"#,
            r#"{"choices":[{"delta":{"content":null,"tool_calls":null,"refusal":null}}],"timings":{"x":1}}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"id":null,"function":{"name":null,"arguments":null}}]}}]}"#,
            r#"{"usage":{"prompt_tokens":null}}"#,
        ] {
            let chunk: Chunk = serde_json::from_str(text).unwrap();
            assert!(chunk.error.is_none(), "{text}");
        }
        assert!(serde_json::from_str::<Chunk>(r#"{"error":"x"}"#).unwrap().error.is_some());
    }
}
