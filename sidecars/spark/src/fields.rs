//! Which fields a request may have, and which servers know them. Pure.

use platform_types::meters::Provider;

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Text,
    Flag,
    Number,
    /// 1, because several answers at once are several times the work.
    One,
    TextOrTexts,
    Numbers,
    Messages,
    Tools,
    ToolChoice,
    ResponseFormat,
    StreamOptions,
    TemplateOptions,
}

/// Every field that may be in a request.
const FIELDS: &[(&str, Kind)] = &[
    ("messages", Kind::Messages),
    ("model", Kind::Text),
    ("stream", Kind::Flag),
    ("stream_options", Kind::StreamOptions),
    ("tools", Kind::Tools),
    ("tool_choice", Kind::ToolChoice),
    ("parallel_tool_calls", Kind::Flag),
    ("temperature", Kind::Number),
    ("top_p", Kind::Number),
    ("top_k", Kind::Number),
    ("min_p", Kind::Number),
    ("max_tokens", Kind::Number),
    ("max_completion_tokens", Kind::Number),
    ("stop", Kind::TextOrTexts),
    ("seed", Kind::Number),
    ("presence_penalty", Kind::Number),
    ("frequency_penalty", Kind::Number),
    ("response_format", Kind::ResponseFormat),
    ("logit_bias", Kind::Numbers),
    ("n", Kind::One),
    ("reasoning_effort", Kind::Text),
    ("chat_template_kwargs", Kind::TemplateOptions),
];

/// Fields that are not OpenAI's, and the servers that know them. Any other server would leave them out without a word.
const NOT_OF_OPENAI: &[(&str, &[Provider])] = &[
    ("top_k", &[Provider::Vllm, Provider::Sglang, Provider::Llamacpp, Provider::LlamaSwap, Provider::LmStudio]),
    ("min_p", &[Provider::Vllm, Provider::Sglang, Provider::Llamacpp, Provider::LlamaSwap]),
    ("chat_template_kwargs", &[Provider::Vllm, Provider::Sglang, Provider::Llamacpp, Provider::LlamaSwap]),
];

/// Whether such a server knows the field.
pub fn is_known_by(name: &str, server: Provider) -> bool {
    let listed = NOT_OF_OPENAI.iter().find(|(field, _)| *field == name);
    server == Provider::Demo || listed.is_none_or(|(_, servers)| servers.contains(&server))
}

/// What the field may hold; `None`: it does not pass.
pub fn kind_of(name: &str) -> Option<Kind> {
    FIELDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
}
