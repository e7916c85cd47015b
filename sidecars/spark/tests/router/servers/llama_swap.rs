//! llama-swap: a proxy that starts the server of the model that is asked for. It lists all of them, its health is always
//! well, and each server behind it answers with a name of its own; what such a server says passes through.

use platform_types::ErrorCode;
use platform_types::meters::Provider;

use super::{BOTH_NUMBERS, Refused, Server, Stream};

pub const SERVER: Server = Server {
    name: "llama-swap",
    provider: Provider::LlamaSwap,
    list: r#"{"object":"list","data":[
        {"id":"gpt-oss-120b","object":"model","created":1795000000,"owned_by":"llama-swap","name":"gpt-oss","context_length":131072,"meta":{"llamaswap":{"type":"model"}},"status":{"value":"loaded"}},
        {"id":"qwen3.6","object":"model","created":1795000000,"owned_by":"llama-swap","description":"other","meta":{"llamaswap":{"type":"model","aliases":["q"]},"n_ctx":65536},"status":{"value":"unloaded"}}]}"#,
    model: "gpt-oss-120b",
    window: Some(131_072),
    loaded: Some(true),
    unwell: &[Refused {
        what: "bad key",
        status: 401,
        headers: "",
        body: r#"{"error":{"message":"unauthorized: invalid api key","type":"authentication_error","code":"unauthorized","src":"llama-swap"}}"#,
        code: ErrorCode::UpstreamUnauthorized,
        words: "invalid api key",
    }],
    plain: r#"{"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"Hi"}}],"created":1,"model":"/models/gpt-oss-120b-mxfp4-00001-of-00003.gguf","object":"chat.completion","usage":{"completion_tokens":2,"prompt_tokens":9,"total_tokens":11}}"#,
    streams: &[
        Stream {
            what: "words under the name of the server behind it",
            events: &[
                r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1,"model":"/models/gpt-oss-120b-mxfp4-00001-of-00003.gguf","object":"chat.completion.chunk"}"#,
                r#"{"choices":[{"finish_reason":"stop","index":0,"delta":{"content":"Hi"}}],"created":1,"model":"/models/gpt-oss-120b-mxfp4-00001-of-00003.gguf","object":"chat.completion.chunk"}"#,
            ],
            usage: Some(
                r#"{"choices":[],"model":"/models/gpt-oss-120b-mxfp4-00001-of-00003.gguf","object":"chat.completion.chunk","usage":{"completion_tokens":2,"prompt_tokens":9,"total_tokens":11}}"#,
            ),
            tokens: (9, 0, 2),
            estimated: false,
        },
        Stream {
            what: "the reasoning that it makes up while it loads",
            events: &[
                r#"{"choices":[{"delta":{"reasoning_content":"━━━━━\nllama-swap loading model: gpt-oss-120b\n"}}]}"#,
                r#"{"choices":[{"finish_reason":"stop","index":0,"delta":{"content":"Hi"}}],"model":"gpt-oss.gguf"}"#,
            ],
            usage: None,
            tokens: (0, 0, 2),
            estimated: true,
        },
    ],
    late: &[(
        "upstream_error",
        "data: {\"error\":{\"message\":\"upstream exited prematurely\",\"type\":\"server_error\",\"code\":\"upstream_error\",\"src\":\"llama-swap\"}}\n\n",
    )],
    errors: &[
        Refused {
            what: "unknown model",
            status: 404,
            headers: "",
            body: r#"{"error":{"message":"model not found","type":"invalid_request_error","code":"not_found","src":"llama-swap"}}"#,
            code: ErrorCode::ModelNotFound,
            words: "model not found",
        },
        Refused {
            what: "context too long, of the server behind it",
            status: 400,
            headers: "",
            body: r#"{"error":{"code":400,"message":"request (5000 tokens) exceeds the available context size (2048 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":5000,"n_ctx":2048}}"#,
            code: ErrorCode::ContextLengthExceeded,
            words: BOTH_NUMBERS,
        },
        Refused {
            what: "busy",
            status: 429,
            headers: "retry-after: 1\r\n",
            body: r#"{"error":{"message":"Too many requests","type":"rate_limit_error","code":"concurrency_limit","src":"llama-swap"}}"#,
            code: ErrorCode::QueueFull,
            words: "Too many requests",
        },
        Refused {
            what: "bad key",
            status: 401,
            headers: "",
            body: r#"{"error":{"message":"unauthorized: invalid api key","type":"authentication_error","code":"unauthorized","src":"llama-swap"}}"#,
            code: ErrorCode::UpstreamUnauthorized,
            words: "invalid api key",
        },
        Refused {
            what: "the server behind it does not start",
            status: 502,
            headers: "",
            body: r#"{"error":{"message":"unable to start process: upstream command exited prematurely","type":"server_error","code":"bad_gateway","src":"llama-swap"}}"#,
            code: ErrorCode::UpstreamUnreachable,
            words: "does not run",
        },
    ],
};
