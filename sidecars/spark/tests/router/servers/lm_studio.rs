//! LM Studio. With loading on demand it lists everything that was downloaded, and answers an unknown name with the one
//! model that it has.

use platform_types::ErrorCode;
use platform_types::meters::Provider;

use super::{Refused, Server, Stream};

pub const SERVER: Server = Server {
    name: "LM Studio",
    provider: Provider::LmStudio,
    list: r#"{"data":[{"id":"openai/gpt-oss-20b","object":"model","owned_by":"organization_owner"},{"id":"text-embedding-nomic-embed-text-v1.5","object":"model","owned_by":"organization_owner"}],"object":"list"}"#,
    model: "openai/gpt-oss-20b",
    window: None,
    loaded: None,
    unwell: &[],
    plain: r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"openai/gpt-oss-20b","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","reasoning":"Hm.","tool_calls":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11},"stats":{},"system_fingerprint":"openai/gpt-oss-20b"}"#,
    streams: &[Stream {
        what: "words and reasoning",
        events: &[
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"openai/gpt-oss-20b","system_fingerprint":"openai/gpt-oss-20b","choices":[{"index":0,"delta":{"role":"assistant","reasoning":"Hm."},"logprobs":null,"finish_reason":null}]}"#,
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"openai/gpt-oss-20b","system_fingerprint":"openai/gpt-oss-20b","choices":[{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}]}"#,
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"openai/gpt-oss-20b","system_fingerprint":"openai/gpt-oss-20b","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}"#,
        ],
        usage: Some(
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"openai/gpt-oss-20b","system_fingerprint":"openai/gpt-oss-20b","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#,
        ),
        tokens: (9, 0, 2),
        estimated: false,
    }],
    late: &[(
        "upstream_error",
        "event: error\ndata: {\"error\":{\"message\":\"The model has crashed without additional information.\"}}\n\n",
    )],
    errors: &[
        Refused {
            what: "not loaded",
            status: 404,
            headers: "",
            body: r#"{"error":{"message":"Model not loaded. Please load it first.","type":"invalid_request_error","param":"model","code":"model_not_loaded"}}"#,
            code: ErrorCode::ModelNotLoaded,
            words: "Model not loaded",
        },
        Refused {
            what: "bad field",
            status: 400,
            headers: "",
            body: r#"{"error":"'messages' field is required"}"#,
            code: ErrorCode::BadRequest,
            words: "field is required",
        },
    ],
};
