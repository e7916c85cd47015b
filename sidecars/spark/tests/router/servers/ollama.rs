//! Ollama. It lists what was pulled, loaded or not; an empty list is a null; a long prompt is cut without a word unless
//! `truncate` is false.

use platform_types::ErrorCode;
use platform_types::meters::Provider;

use super::{Refused, Server, Stream};

pub const SERVER: Server = Server {
    name: "Ollama",
    provider: Provider::Ollama,
    list: r#"{"object":"list","data":[{"id":"gemma4:e4b","object":"model","created":1763000000,"owned_by":"library"},{"id":"qwen3.6:35b","object":"model","created":1763000001,"owned_by":"library"}]}"#,
    model: "gemma4:e4b",
    window: None,
    loaded: None,
    unwell: &[],
    plain: r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gemma4:e4b","system_fingerprint":"fp_ollama","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","reasoning":"Hm."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#,
    streams: &[Stream {
        what: "words and reasoning",
        events: &[
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gemma4:e4b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"Hm."},"finish_reason":null}]}"#,
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gemma4:e4b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}"#,
        ],
        usage: Some(
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gemma4:e4b","system_fingerprint":"fp_ollama","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#,
        ),
        tokens: (9, 0, 2),
        estimated: false,
    }],
    late: &[(
        "upstream_error",
        "data: {\"error\":{\"message\":\"llama runner process has terminated\",\"type\":\"api_error\",\"param\":null,\"code\":null}}\n\n",
    )],
    errors: &[
        Refused {
            what: "unknown model",
            status: 404,
            headers: "",
            body: r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"not_found_error","param":null,"code":null}}"#,
            code: ErrorCode::ModelNotFound,
            words: "try pulling it first",
        },
        Refused {
            what: "context too long, not cut",
            status: 400,
            headers: "",
            body: r#"{"error":{"message":"the input length exceeds the context length","type":"invalid_request_error","param":null,"code":null}}"#,
            code: ErrorCode::ContextLengthExceeded,
            words: "does not fit the context window",
        },
        Refused {
            what: "busy",
            status: 503,
            headers: "",
            body: r#"{"error":{"message":"server busy, please try again.  maximum pending requests exceeded","type":"api_error","param":null,"code":null}}"#,
            code: ErrorCode::QueueFull,
            words: "server busy",
        },
        Refused {
            what: "bad JSON",
            status: 400,
            headers: "",
            body: r#"{"error":{"message":"invalid character 'x' looking for beginning of value","type":"invalid_request_error","param":null,"code":null}}"#,
            code: ErrorCode::BadRequest,
            words: "invalid character",
        },
    ],
};
