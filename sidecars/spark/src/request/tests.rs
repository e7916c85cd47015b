//! Requests that pass, and requests that do not.

use super::*;

fn with(extra: &str) -> String {
    format!(r#"{{"model":"a/B.1","messages":[{{"role":"user","content":"hi"}}]{extra}}}"#)
}

fn passes(body: &str) -> ChatRequest {
    ChatRequest::parse(body.as_bytes()).unwrap_or_else(|refusal| panic!("{body}: {}", refusal.message()))
}

/// The refusal's `param`, after its message was seen to contain `words`.
fn refused(body: &str, words: &str) -> Option<String> {
    let refusal = ChatRequest::parse(body.as_bytes()).expect_err(body);
    assert_eq!(refusal.code(), ErrorCode::BadRequest);
    assert!(refusal.message().contains(words), "{body}: {}", refusal.message());
    refusal.failure.param
}

#[test]
fn what_is_let_through_keeps_its_bytes() {
    let body = concat!(
        r#"{ "messages" : [{"role":"user","content":"z\u00e4h"}],"tools":[{"type":"function","function":{"name":"f","parameters":"#,
        r#"{"type":"object","properties":{"z":{},"a":{"$ref":"#,
        "\"#/$defs/x\"",
        r#"}}}}}],"temperature": 0.10,"stream":true,"model":"a/B.1","stream_options":{"include_usage":false}}"#
    );
    let request = passes(body);
    assert!(request.stream && !request.wants_usage);
    assert_eq!(request.tools, ["f"]);
    assert_eq!(
        request.body(),
        concat!(
            r#"{"messages":[{"role":"user","content":"z\u00e4h"}],"tools":[{"type":"function","function":{"name":"f","parameters":"#,
            r#"{"type":"object","properties":{"z":{},"a":{"$ref":"#,
            "\"#/$defs/x\"",
            r#"}}}}}],"temperature":0.10,"stream":true,"model":"a/B.1","stream_options":{"include_usage":true}}"#
        )
    );
    assert!(!passes(&with("")).body().contains("stream_options"));
    assert!(passes(&with(r#","stream":true,"stream_options":{"include_usage":true}"#)).wants_usage);
}

#[test]
fn every_field_of_the_list_passes() {
    passes(&with(
        r#","stream":false,"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":true,"temperature":0,
        "top_p":1,"top_k":40,"min_p":0.05,"max_tokens":5,"max_completion_tokens":5,"stop":["a","b"],"seed":1,"presence_penalty":0,
        "frequency_penalty":0,"logit_bias":{"2":-100},"n":1,"reasoning_effort":"low","chat_template_kwargs":{"enable_thinking":false},
        "response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object"},"strict":true}}"#,
    ));
    passes(&with(r#","stop":null,"tools":null,"stream":null,"tool_choice":"auto""#));
    passes(
        r#"{"model":"m","messages":[{"role":"system","content":"s"},
        {"role":"user","content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}},
          {"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}]},
        {"role":"assistant","content":null,"reasoning_content":"r","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{"}}]},
        {"role":"tool","tool_call_id":"1","content":"x"}]}"#,
    );
}

#[test]
fn unknown_fields_are_named() {
    let param =
        refused(&with(r#","chat_template":"{{ x }}","mm_processor_kwargs":{}"#), "chat_template, mm_processor_kwargs");
    assert_eq!(param.as_deref(), Some("chat_template"));
    refused(&with(r#","ignore_eos":true"#), "ignore_eos");
    refused(r#"{"model":"m","messages":[{"role":"user","content":"x","prefix":true}]}"#, "messages[0] has fields");
    refused(&with(r#","chat_template_kwargs":{"chat_template":"x"}"#), "chat_template");
    refused(&with(r#","stream_options":{"continuous_usage_stats":true}"#), "continuous_usage_stats");
    refused(&with(r#","tools":[{"type":"function","function":{"name":"f","url":"http://x"}}]"#), "url");
    refused(&with(r#","response_format":{"type":"structural_tag"}"#), "response_format.type");
}

#[test]
fn fields_of_some_servers_go_to_these_only() {
    use Provider::{Demo, LlamaSwap, Llamacpp, LmStudio, Ollama, Sglang, Unknown, Vllm};
    const ALL: [Provider; 8] = [Demo, Vllm, Sglang, Llamacpp, LlamaSwap, LmStudio, Ollama, Unknown];
    for (field, passes_to) in [
        (r#","temperature":1,"tool_choice":"auto","logit_bias":{},"reasoning_effort":"low""#, &ALL[..]),
        (r#","top_k":null"#, &ALL),
        (r#","top_k":40"#, &ALL[..6]),
        (r#","min_p":0.1"#, &ALL[..5]),
        (r#","chat_template_kwargs":{"enable_thinking":false}"#, &ALL[..5]),
    ] {
        let request = passes(&with(field));
        let found: Vec<Provider> = ALL.into_iter().filter(|server| request.fits(*server).is_ok()).collect();
        assert_eq!(found, passes_to, "{field}");
    }
    let refusal = passes(&with(r#","min_p":0.1,"top_k":40"#)).fits(Ollama).unwrap_err();
    assert_eq!((refusal.code(), refusal.failure.param.as_deref()), (ErrorCode::BadRequest, Some("min_p")));
    assert!(refusal.message().contains("(ollama) has no such fields: min_p, top_k"), "{}", refusal.message());
}

#[test]
fn media_are_data_only() {
    let part = |part: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{part}]}}]}}"#);
    for url in
        ["http://10.0.0.1/x.png", "https://example.com/x", "file:///etc/passwd", "DATA:image/png,", " data:x", ""]
    {
        let param = refused(&part(&format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#)), "data: URL");
        assert_eq!(param.as_deref(), Some("messages[0].content[0].image_url.url"));
    }
    refused(&part(r#"{"type":"image_url","image_url":"http://x"}"#), "is an object");
    refused(&part(r#"{"type":"video_url","video_url":{"url":"data:x"}}"#), "is text, image_url or input_audio");
    refused(&part(r#"{"image_url":"http://x"}"#), "is text, image_url or input_audio");
    refused(&part(r#"{"type":"text","text":"x","image_url":{"url":"http://x"}}"#), "image_url");
    refused(&part(r#"{"type":"input_audio","input_audio":{"data":"http://x","format":"wav"}}"#), "base64");
}

#[test]
fn one_meaning_for_every_parser() {
    refused(r#"{"model":"a","model":"b","messages":[]}"#, "given twice");
    refused(
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x","url":"http://x"}}]}]}"#,
        "given twice",
    );
    refused(
        &with(r#","tools":[{"type":"function","function":{"name":"f","parameters":{"$ref":"http://x"}}}]"#),
        "$ref",
    );
}

#[test]
fn malformed_requests_say_where() {
    refused("", "not a chat request");
    refused("[]", "not a chat request");
    refused("{\"model\":\"m\"", "not a chat request");
    assert_eq!(refused(r#"{"messages":[{"role":"user"}]}"#, "model").as_deref(), Some("model"));
    assert_eq!(refused(r#"{"model":"","messages":[{"role":"user"}]}"#, "model").as_deref(), Some("model"));
    assert_eq!(refused(r#"{"model":"m"}"#, "messages").as_deref(), Some("messages"));
    refused(r#"{"model":"m","messages":[]}"#, "1 to");
    refused(r#"{"model":"m","messages":[{"role":"root"}]}"#, "messages[0].role");
    refused(&with(r#","temperature":"hot""#), "temperature: is a number");
    refused(&with(r#","stream":"yes""#), "stream: is true or false");
    refused(&with(r#","n":2"#), "one answer a request");
    refused(&format!("{{{}}}", (0..80).map(|n| format!("\"k{n}\":0")).collect::<Vec<_>>().join(",")), "more than");
}
