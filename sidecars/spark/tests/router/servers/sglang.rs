//! SGLang 0.5. It validates no model and echoes whatever name it was asked for; its errors are flat; while it starts every
//! answer is an empty 503.

use platform_types::ErrorCode;
use platform_types::meters::Provider;

use super::{BOTH_NUMBERS, Refused, Server, Stream};

pub const SERVER: Server = Server {
    name: "SGLang",
    provider: Provider::Sglang,
    list: r#"{"object":"list","data":[{"id":"openai/gpt-oss-120b","object":"model","created":1795000000,"owned_by":"sglang","root":"openai/gpt-oss-120b","parent":null,"max_model_len":65536}]}"#,
    model: "openai/gpt-oss-120b",
    window: Some(65_536),
    loaded: None,
    unwell: &[Refused {
        what: "starting",
        status: 503,
        headers: "",
        body: "",
        code: ErrorCode::UpstreamError,
        words: "it is starting",
    }],
    plain: r#"{"id":"1","object":"chat.completion","created":1,"model":"openai/gpt-oss-120b","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","reasoning_content":null,"tool_calls":null},"logprobs":null,"finish_reason":"stop","matched_stop":200002}],"usage":{"prompt_tokens":9,"total_tokens":11,"completion_tokens":2,"prompt_tokens_details":null,"reasoning_tokens":0},"metadata":{"weight_version":"default"}}"#,
    streams: &[Stream {
        what: "words and reasoning",
        events: &[
            r#"{"id":"1","object":"chat.completion.chunk","created":1,"model":"openai/gpt-oss-120b","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning_content":null,"tool_calls":null},"logprobs":null,"finish_reason":null,"matched_stop":null}],"usage":null}"#,
            r#"{"id":"1","object":"chat.completion.chunk","created":1,"model":"openai/gpt-oss-120b","choices":[{"index":0,"delta":{"role":null,"content":null,"reasoning_content":"Hm.","tool_calls":null},"logprobs":null,"finish_reason":null,"matched_stop":null}],"usage":null}"#,
            r#"{"id":"1","object":"chat.completion.chunk","created":1,"model":"openai/gpt-oss-120b","choices":[{"index":0,"delta":{"role":null,"content":"Hi","reasoning_content":null,"tool_calls":null},"logprobs":null,"finish_reason":"stop","matched_stop":200002}],"usage":null}"#,
        ],
        usage: Some(
            r#"{"id":"1","object":"chat.completion.chunk","created":1,"model":"openai/gpt-oss-120b","choices":[],"usage":{"prompt_tokens":9,"total_tokens":13,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":8},"reasoning_tokens":2}}"#,
        ),
        tokens: (9, 8, 4),
        estimated: false,
    }],
    late: &[
        (
            "upstream_error",
            "data: {\"error\":{\"object\":\"error\",\"message\":\"Internal Server Error\",\"type\":\"InternalServerError\",\"param\":null,\"code\":500}}\n\n",
        ),
        (
            "upstream_error",
            "data: {\"object\":\"error\",\"message\":\"Aborted\",\"type\":\"InternalServerError\",\"param\":null,\"code\":500}\n\ndata: [DONE]\n\n",
        ),
    ],
    errors: &[
        Refused {
            what: "context too long",
            status: 400,
            headers: "",
            body: r#"{"object":"error","message":"The input (5000 tokens) is longer than the model's context length (2048 tokens).","type":"BadRequest","param":null,"code":400}"#,
            code: ErrorCode::ContextLengthExceeded,
            words: BOTH_NUMBERS,
        },
        Refused {
            what: "starting",
            status: 503,
            headers: "",
            body: "",
            code: ErrorCode::UpstreamError,
            words: "it is starting",
        },
        Refused {
            what: "busy",
            status: 503,
            headers: "",
            body: r#"{"object":"error","message":"The request queue is full.","type":"SERVICE_UNAVAILABLE","param":null,"code":503}"#,
            code: ErrorCode::QueueFull,
            words: "queue is full",
        },
        Refused {
            what: "bad field",
            status: 400,
            headers: "",
            body: r#"{"object":"error","message":"temperature must be non-negative, got -1.0.","type":"BadRequest","param":"temperature","code":400}"#,
            code: ErrorCode::BadRequest,
            words: "non-negative",
        },
        Refused {
            what: "bad key",
            status: 401,
            headers: "",
            body: r#"{"error":"Unauthorized"}"#,
            code: ErrorCode::UpstreamUnauthorized,
            words: "refused the key",
        },
        Refused {
            what: "unknown model of GET /v1/models/{id}",
            status: 404,
            headers: "",
            body: r#"{"error":{"message":"The model 'x' does not exist","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#,
            code: ErrorCode::ModelNotFound,
            words: "does not exist",
        },
    ],
};
