//! llama.cpp: `llama-server` with one model answers every name with its own; as a router it lists what it could load;
//! while it loads, every route is a 503. `llama_cpp.server` of the Python package is another program.

use platform_types::ErrorCode;
use platform_types::meters::Provider;

use super::{BOTH_NUMBERS, Refused, Server, Stream};

const LOADING: Refused = Refused {
    what: "loading",
    status: 503,
    headers: "",
    body: r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#,
    code: ErrorCode::ModelLoading,
    words: "Loading model",
};
const BAD_KEY: Refused = Refused {
    what: "bad key",
    status: 401,
    headers: "",
    body: r#"{"error":{"message":"Invalid API Key","type":"authentication_error","code":401}}"#,
    code: ErrorCode::UpstreamUnauthorized,
    words: "Invalid API Key",
};
const TOO_LONG: Refused = Refused {
    what: "context too long",
    status: 400,
    headers: "",
    body: r#"{"error":{"code":400,"message":"request (5000 tokens) exceeds the available context size (2048 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":5000,"n_ctx":2048}}"#,
    code: ErrorCode::ContextLengthExceeded,
    words: BOTH_NUMBERS,
};
const BAD_JSON: Refused = Refused {
    what: "bad JSON",
    status: 500,
    headers: "",
    body: r#"{"error":{"code":500,"message":"[json.exception.parse_error.101] parse error at line 1, column 2","type":"server_error"}}"#,
    code: ErrorCode::UpstreamError,
    words: "parse_error.101",
};

const EVENTS: &[&str] = &[
    r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1,"id":"chatcmpl-1","model":"tiny-lab/Bigram-1.4M.alpha-v1.0","system_fingerprint":"b1-0c1e570","object":"chat.completion.chunk"}"#,
    r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"reasoning_content":"Hm."}}],"created":1,"id":"chatcmpl-1","model":"tiny-lab/Bigram-1.4M.alpha-v1.0","system_fingerprint":"b1-0c1e570","object":"chat.completion.chunk"}"#,
    r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hi"}}],"created":1,"id":"chatcmpl-1","model":"tiny-lab/Bigram-1.4M.alpha-v1.0","system_fingerprint":"b1-0c1e570","object":"chat.completion.chunk"}"#,
    r#"{"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"created":1,"id":"chatcmpl-1","model":"tiny-lab/Bigram-1.4M.alpha-v1.0","system_fingerprint":"b1-0c1e570","object":"chat.completion.chunk"}"#,
];
const USAGE: &str = r#"{"choices":[],"created":1,"id":"chatcmpl-1","model":"tiny-lab/Bigram-1.4M.alpha-v1.0","system_fingerprint":"b1-0c1e570","object":"chat.completion.chunk","usage":{"completion_tokens":6,"prompt_tokens":30,"total_tokens":36,"prompt_tokens_details":{"cached_tokens":29}},"timings":{"cache_n":29,"prompt_n":1,"prompt_ms":1.5,"predicted_n":6,"predicted_ms":6.1}}"#;
const PLAIN: &str = r#"{"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"Hi"}}],"created":1,"model":"tiny-lab/Bigram-1.4M.alpha-v1.0","system_fingerprint":"b1-0c1e570","object":"chat.completion","usage":{"completion_tokens":6,"prompt_tokens":30,"total_tokens":36,"prompt_tokens_details":{"cached_tokens":29}},"id":"chatcmpl-1","timings":{"cache_n":29}}"#;
const LATE: &[(&str, &str)] = &[
    (
        "upstream_error",
        "data: {\"error\":{\"code\":500,\"message\":\"Context size has been exceeded in the middle.\",\"type\":\"server_error\"}}\n\n",
    ),
    ("upstream_error", "error: {\"code\":500,\"message\":\"boom\",\"type\":\"server_error\"}\n\n"),
];

pub const SINGLE: Server = Server {
    name: "llama-server, one model",
    provider: Provider::Llamacpp,
    list: r#"{"models":[{"name":"tiny-lab/Bigram-1.4M.alpha-v1.0","model":"tiny-lab/Bigram-1.4M.alpha-v1.0","modified_at":"","size":"","digest":"","type":"model","description":"","tags":[""],"capabilities":["completion"],"parameters":"","details":{"parent_model":"","format":"gguf","family":"","families":[""],"parameter_size":"","quantization_level":""}}],"object":"list","data":[{"id":"tiny-lab/Bigram-1.4M.alpha-v1.0","aliases":["tiny-lab/Bigram-1.4M.alpha-v1.0"],"tags":[],"object":"model","created":1795000000,"owned_by":"llamacpp","meta":{"vocab_type":1,"n_vocab":379,"n_ctx":2048,"n_ctx_train":4096,"n_embd":256,"n_params":1370000,"size":2750000,"ftype":"F16"}}]}"#,
    model: "tiny-lab/Bigram-1.4M.alpha-v1.0",
    window: Some(2_048),
    loaded: None,
    unwell: &[LOADING, BAD_KEY],
    plain: PLAIN,
    streams: &[Stream {
        what: "null content first, timings last",
        events: EVENTS,
        usage: Some(USAGE),
        tokens: (30, 29, 6),
        estimated: false,
    }],
    late: LATE,
    errors: &[TOO_LONG, LOADING, BAD_JSON, BAD_KEY],
};

pub const ROUTER: Server = Server {
    name: "llama-server, router",
    list: r#"{"object":"list","data":[
        {"id":"tiny-lab/Bigram-1.4M.alpha-v1.0","aliases":[],"tags":[],"object":"model","owned_by":"llamacpp","created":1795000000,"status":{"value":"loaded","args":["--ctx-size","2048"]},"architecture":{"input_modalities":["text"],"output_modalities":["text"]},"source":"models_dir","can_remove":false,"meta":{"n_ctx":2048}},
        {"id":"tiny-lab/Bigram-1.4M.beta-v1.0","aliases":[],"tags":[],"object":"model","owned_by":"llamacpp","created":1795000000,"status":{"value":"unloaded","args":[]},"source":"models_dir","can_remove":false},
        {"id":"failed","object":"model","owned_by":"llamacpp","status":{"value":"unloaded","args":[],"exit_code":1,"failed":true},"source":"cache"}]}"#,
    loaded: Some(true),
    errors: &[
        TOO_LONG,
        LOADING,
        Refused {
            what: "unknown model",
            status: 400,
            headers: "",
            body: r#"{"error":{"code":400,"message":"model 'x' not found","type":"invalid_request_error"}}"#,
            code: ErrorCode::ModelNotFound,
            words: "not found",
        },
        Refused {
            what: "not loaded, and it may not load",
            status: 400,
            headers: "",
            body: r#"{"error":{"code":400,"message":"model is not loaded","type":"invalid_request_error"}}"#,
            code: ErrorCode::ModelNotLoaded,
            words: "not loaded",
        },
    ],
    ..SINGLE
};

pub const PYTHON: Server = Server {
    name: "llama_cpp.server",
    provider: Provider::Unknown,
    list: r#"{"object":"list","data":[{"id":"tiny-lab/Bigram-1.4M.alpha-v1.0","object":"model","owned_by":"me","permissions":[]}]}"#,
    window: None,
    unwell: &[],
    plain: r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"tiny-lab/Bigram-1.4M.alpha-v1.0","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":30,"completion_tokens":6,"total_tokens":36}}"#,
    streams: &[Stream {
        what: "without usage, whatever is asked for",
        events: &[
            r#"{"id":"chatcmpl-1","model":"tiny-lab/Bigram-1.4M.alpha-v1.0","created":1,"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant"},"logprobs":null,"finish_reason":null}]}"#,
            r#"{"id":"chatcmpl-1","model":"tiny-lab/Bigram-1.4M.alpha-v1.0","created":1,"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}]}"#,
            r#"{"id":"chatcmpl-1","model":"tiny-lab/Bigram-1.4M.alpha-v1.0","created":1,"object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}"#,
        ],
        usage: None,
        tokens: (0, 0, 3),
        estimated: true,
    }],
    late: &[],
    errors: &[
        Refused {
            what: "context too long",
            status: 400,
            headers: "",
            body: r#"{"error":{"message":"This model's maximum context length is 2048 tokens, however you requested 5000 tokens (4984 in your prompt; 16 for the completion). Please reduce your prompt; or completion length.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            code: ErrorCode::ContextLengthExceeded,
            words: BOTH_NUMBERS,
        },
        Refused {
            what: "bad JSON",
            status: 500,
            headers: "",
            body: "Internal Server Error",
            code: ErrorCode::UpstreamError,
            words: "Internal Server Error",
        },
        Refused {
            what: "no such route",
            status: 404,
            headers: "",
            body: r#"{"detail":"Not Found"}"#,
            code: ErrorCode::UpstreamInvalid,
            words: "[spark].url",
        },
    ],
    ..SINGLE
};
