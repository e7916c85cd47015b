//! vLLM 0.33. An unknown model is a 404; while the engine starts nothing listens; a dead engine is an empty 503.

use platform_types::ErrorCode;
use platform_types::meters::Provider;

use super::{BOTH_NUMBERS, Refused, Server, Stream};

pub const SERVER: Server = Server {
    name: "vLLM",
    provider: Provider::Vllm,
    list: r#"{"object":"list","data":[
        {"id":"nvidia/Qwen3.6-35B-A3B-NVFP4","object":"model","created":1795000000,"owned_by":"vllm","root":"/models/qwen","parent":null,"max_model_len":131072,"permission":[{"id":"modelperm-1","object":"model_permission"}]},
        {"id":"default","object":"model","created":1795000000,"owned_by":"vllm","root":"/models/qwen","parent":null,"max_model_len":131072,"permission":[]},
        {"id":"lora-a","object":"model","created":1795000000,"owned_by":"vllm","root":"/l","parent":"nvidia/Qwen3.6-35B-A3B-NVFP4","max_model_len":null,"permission":[]}]}"#,
    model: "nvidia/Qwen3.6-35B-A3B-NVFP4",
    window: Some(131_072),
    loaded: None,
    unwell: &[
        Refused {
            what: "dead engine",
            status: 503,
            headers: "",
            body: "",
            code: ErrorCode::UpstreamError,
            words: "engine has died",
        },
        Refused {
            what: "bad key",
            status: 401,
            headers: "",
            body: r#"{"error":"Unauthorized"}"#,
            code: ErrorCode::UpstreamUnauthorized,
            words: "refused the key",
        },
    ],
    plain: r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"nvidia/Qwen3.6-35B-A3B-NVFP4","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null,"tool_calls":[],"reasoning":null},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":null}],"service_tier":null,"usage":{"prompt_tokens":9,"total_tokens":11,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}},"prompt_logprobs":null,"kv_transfer_params":null}"#,
    streams: &[
        Stream {
            what: "words, reasoning and usage on request",
            events: &[
                r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"nvidia/Qwen3.6-35B-A3B-NVFP4","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null}"#,
                r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"nvidia/Qwen3.6-35B-A3B-NVFP4","choices":[{"index":0,"delta":{"reasoning":"Hm."},"logprobs":null,"finish_reason":null,"token_ids":null}]}"#,
                r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"nvidia/Qwen3.6-35B-A3B-NVFP4","choices":[{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":"stop","stop_reason":null}]}"#,
            ],
            usage: Some(
                r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"nvidia/Qwen3.6-35B-A3B-NVFP4","choices":[],"usage":{"prompt_tokens":9,"total_tokens":14,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}}"#,
            ),
            tokens: (9, 4, 5),
            estimated: false,
        },
        Stream {
            what: "a tool call under the alias's path",
            events: &[
                r#"{"model":"/models/qwen","choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"clock_now","arguments":""}}]},"finish_reason":null}]}"#,
                r#"{"model":"/models/qwen","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"zone\":\"utc\"}"}}]},"finish_reason":"tool_calls"}]}"#,
            ],
            usage: None,
            tokens: (0, 0, 2),
            estimated: true,
        },
    ],
    late: &[(
        "upstream_error",
        "data: {\"error\":{\"message\":\"EngineCore encountered an issue.\",\"type\":\"InternalServerError\",\"param\":null,\"code\":500}}\n\ndata: [DONE]\n\n",
    )],
    errors: &[
        Refused {
            what: "unknown model",
            status: 404,
            headers: "",
            body: r#"{"error":{"message":"The model `x` does not exist. Valid aliases: a, b","type":"NotFoundError","param":"model","code":404}}"#,
            code: ErrorCode::ModelNotFound,
            words: "Valid aliases: a, b",
        },
        Refused {
            what: "context too long",
            status: 400,
            headers: "",
            body: r#"{"error":{"message":"This model's maximum context length is 2048 tokens. However, your request has 5000 input tokens. Please reduce the length of the input messages.","type":"BadRequestError","param":"input_tokens","code":400}}"#,
            code: ErrorCode::ContextLengthExceeded,
            words: BOTH_NUMBERS,
        },
        Refused {
            what: "context too long with the answer",
            status: 400,
            headers: "",
            body: r#"{"error":{"message":"This model's maximum context length is 2048 tokens. However, you requested 5000 tokens (4900 in the messages, 100 in the completion).","type":"BadRequestError","param":null,"code":400}}"#,
            code: ErrorCode::ContextLengthExceeded,
            words: BOTH_NUMBERS,
        },
        Refused {
            what: "busy, with admission limits",
            status: 503,
            headers: "retry-after: 3\r\n",
            body: r#"{"error":{"message":"The server is overloaded, try again later","type":"ServiceUnavailableError","param":null,"code":503}}"#,
            code: ErrorCode::QueueFull,
            words: "overloaded",
        },
        Refused {
            what: "bad field",
            status: 400,
            headers: "",
            body: r#"{"error":{"message":"[{'type': 'less_than_equal', 'loc': ('body', 'temperature'), 'msg': 'Input should be less than or equal to 2'}]","type":"Bad Request","param":null,"code":400}}"#,
            code: ErrorCode::BadRequest,
            words: "less than or equal to 2",
        },
        Refused {
            what: "bad key",
            status: 401,
            headers: "",
            body: r#"{"error":"Unauthorized"}"#,
            code: ErrorCode::UpstreamUnauthorized,
            words: "botctl secret set",
        },
        Refused {
            what: "dead engine",
            status: 503,
            headers: "",
            body: "",
            code: ErrorCode::UpstreamError,
            words: "engine has died",
        },
    ],
};
