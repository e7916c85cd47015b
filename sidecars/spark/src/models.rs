//! What `GET /v1/models` says, in the shapes of vLLM, SGLang, llama.cpp (one model and router), Ollama, llama-swap and
//! LM Studio. Pure.
//!
//! `created` is "now" in four of the six, so it is kept where it means something (Ollama) and 0 elsewhere.

use platform_types::ModelId;
use platform_types::spark::{Model, ModelList};
use serde_json::Value;

/// Longest list. A box that lists more is not a model box.
pub const MAX_MODELS: usize = 1_000;

/// Why a body is not a list of models.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAList {
    #[error("it is not JSON")]
    NotJson,
    #[error("it has no field `data` with a list")]
    NoData,
    #[error("an entry of `data` has no text `id`")]
    NoId,
    #[error("it lists more than {MAX_MODELS} models")]
    TooMany,
}

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub id: ModelId,
    pub owned_by: String,
    pub created: i64,
    pub context_window: Option<u32>,
    pub load: Load,
    pub echo: Echo,
}

/// Whether the model is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// The server does not distinguish listed from loaded.
    Unsaid,
    Loaded,
    Loading,
    Unloaded,
}

/// Which names the server may answer with for this model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Echo {
    /// The id, and these that the server itself gives for the same entry (`aliases`, `root`).
    Names(Vec<String>),
    /// llama-swap picks the server by id, and each server answers with a name of its own.
    Anything,
}

impl Listed {
    /// Whether an answer that calls itself `name` can be from this model.
    pub fn answers_as(&self, name: &str) -> bool {
        match &self.echo {
            Echo::Anything => true,
            Echo::Names(names) => name == self.id.as_str() || names.iter().any(|known| known == name),
        }
    }
}

impl From<&Listed> for Model {
    fn from(listed: &Listed) -> Self {
        let Listed { id, owned_by, created, context_window, load, echo: _ } = listed;
        Self {
            id: id.clone(),
            object: "model".to_owned(),
            created: *created,
            owned_by: owned_by.clone(),
            context_window: *context_window,
            loaded: match load {
                Load::Unsaid => None,
                Load::Loaded => Some(true),
                Load::Loading | Load::Unloaded => Some(false),
            },
        }
    }
}

/// The list as spark's own sockets give it.
pub fn normalised(listed: &[Listed]) -> ModelList {
    ModelList { object: "list".to_owned(), data: listed.iter().map(Model::from).collect() }
}

/// Parses the body. Entries whose id no client could name (longer than 256 bytes, control characters) are left out.
pub fn parse(body: &[u8]) -> Result<Vec<Listed>, NotAList> {
    let body: Value = serde_json::from_slice(body).map_err(|_| NotAList::NotJson)?;
    let cards = match body.get("data") {
        // An empty list of Ollama is a null.
        Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(cards)) => cards,
        _ => return Err(NotAList::NoData),
    };
    if cards.len() > MAX_MODELS {
        return Err(NotAList::TooMany);
    }
    let mut listed = Vec::with_capacity(cards.len());
    for card in cards {
        let id = text(card, "id").ok_or(NotAList::NoId)?;
        if let Ok(id) = ModelId::new(id) {
            listed.push(entry(id, card, cards));
        }
    }
    Ok(listed)
}

fn entry(id: ModelId, card: &Value, cards: &[Value]) -> Listed {
    let owned_by: String = text(card, "owned_by").unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    let created = if owned_by == "library" { card.get("created").and_then(Value::as_i64).unwrap_or(0) } else { 0 };
    Listed { id, created, context_window: context_window(card, cards), load: load(card), echo: echo(card), owned_by }
}

/// vLLM and SGLang: `max_model_len`, null for a `LoRA` adapter, which has that of its `parent`. llama.cpp: `meta.n_ctx`.
/// llama-swap: `context_length`. LM Studio: `max_context_length`.
fn context_window(card: &Value, cards: &[Value]) -> Option<u32> {
    let own = |card: &Value| {
        [
            card.get("max_model_len"),
            card.pointer("/meta/n_ctx"),
            card.get("context_length"),
            card.get("max_context_length"),
            card.get("context_window"),
        ]
        .into_iter()
        .flatten()
        .find_map(|value| value.as_u64().and_then(|tokens| u32::try_from(tokens).ok()).filter(|tokens| *tokens > 0))
    };
    own(card).or_else(|| {
        let parent = text(card, "parent")?;
        cards.iter().find(|other| text(other, "id") == Some(parent)).and_then(own)
    })
}

/// llama.cpp's router and llama-swap: `status.value`. A sleeping model wakes for a request without a swap.
fn load(card: &Value) -> Load {
    match card.pointer("/status/value").and_then(Value::as_str) {
        None => Load::Unsaid,
        Some("loaded" | "sleeping") => Load::Loaded,
        Some("loading") => Load::Loading,
        Some(_) => Load::Unloaded,
    }
}

fn echo(card: &Value) -> Echo {
    if text(card, "owned_by") == Some("llama-swap") || card.pointer("/meta/llamaswap").is_some() {
        return Echo::Anything;
    }
    let aliases = card.get("aliases").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let root = card.get("root");
    Echo::Names(aliases.iter().chain(root).filter_map(Value::as_str).map(str::to_owned).collect())
}

fn text<'a>(card: &'a Value, key: &str) -> Option<&'a str> {
    card.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Id, context window, load.
    fn check(body: &str, expect: &[(&str, Option<u32>, Load)]) {
        let listed = parse(body.as_bytes()).unwrap();
        let seen: Vec<_> = listed.iter().map(|m| (m.id.as_str(), m.context_window, m.load)).collect();
        assert_eq!(seen, expect, "{body}");
    }

    #[test]
    fn the_lists_of_all_servers() {
        check(
            r#"{"object":"list","data":[
              {"id":"nvidia/Qwen3.6-35B-A3B-NVFP4","object":"model","created":1,"owned_by":"vllm","root":"/models/q","parent":null,
               "max_model_len":131072,"permission":[{"id":"modelperm-1"}]},
              {"id":"lora-a","object":"model","owned_by":"vllm","root":"/l","parent":"nvidia/Qwen3.6-35B-A3B-NVFP4","max_model_len":null}]}"#,
            &[("nvidia/Qwen3.6-35B-A3B-NVFP4", Some(131_072), Load::Unsaid), ("lora-a", Some(131_072), Load::Unsaid)],
        );
        check(
            r#"{"object":"list","data":[{"id":"openai/gpt-oss-120b","object":"model","created":1,"owned_by":"sglang","root":"openai/gpt-oss-120b","parent":null,"max_model_len":65536}]}"#,
            &[("openai/gpt-oss-120b", Some(65_536), Load::Unsaid)],
        );
        check(
            r#"{"models":[{"name":"a"}],"object":"list","data":[{"id":"tiny","aliases":["tiny","t"],"object":"model","created":1,"owned_by":"llamacpp","meta":{"n_ctx":2048,"n_ctx_train":4096}}]}"#,
            &[("tiny", Some(2048), Load::Unsaid)],
        );
        check(
            r#"{"object":"list","data":[
              {"id":"a","owned_by":"llamacpp","status":{"value":"unloaded","args":[]}},
              {"id":"b","owned_by":"llamacpp","status":{"value":"loaded","args":[]},"meta":{"n_ctx":512}},
              {"id":"c","owned_by":"llamacpp","status":{"value":"loading"}},
              {"id":"d","owned_by":"llamacpp","status":{"value":"sleeping"}},
              {"id":"e","owned_by":"llamacpp","status":{"value":"downloading"}}]}"#,
            &[
                ("a", None, Load::Unloaded),
                ("b", Some(512), Load::Loaded),
                ("c", None, Load::Loading),
                ("d", None, Load::Loaded),
                ("e", None, Load::Unloaded),
            ],
        );
        check(
            r#"{"object":"list","data":[{"id":"gemma4:e4b","object":"model","created":1700000000,"owned_by":"library"}]}"#,
            &[("gemma4:e4b", None, Load::Unsaid)],
        );
        check(r#"{"object":"list","data":null}"#, &[]);
        check(
            r#"{"object":"list","data":[{"id":"big","owned_by":"llama-swap","context_length":8192,"meta":{"llamaswap":{"type":"model"}},"status":{"value":"unloaded"}}]}"#,
            &[("big", Some(8192), Load::Unloaded)],
        );
        check(
            r#"{"object":"list","data":[{"id":"lm","object":"model","owned_by":"organization_owner"}]}"#,
            &[("lm", None, Load::Unsaid)],
        );
    }

    #[test]
    fn what_is_no_list() {
        for (body, expect) in [
            ("<html>502</html>", NotAList::NotJson),
            ("{}", NotAList::NoData),
            ("[]", NotAList::NoData),
            (r#"{"data":{}}"#, NotAList::NoData),
            (r#"{"data":["a"]}"#, NotAList::NoId),
            (r#"{"data":[{"id":7}]}"#, NotAList::NoId),
        ] {
            assert_eq!(parse(body.as_bytes()), Err(expect), "{body}");
        }
        let many: Vec<_> = (0..=MAX_MODELS).map(|n| serde_json::json!({"id": n.to_string()})).collect();
        let many = serde_json::json!({"data": many}).to_string();
        assert_eq!(parse(many.as_bytes()), Err(NotAList::TooMany));
    }

    #[test]
    fn odd_entries_do_not_hide_the_others() {
        check(
            r#"{"data":[{"id":"a\nb"},{"id":"ok","max_model_len":"many","meta":[]},{"id":"zero","max_model_len":0}]}"#,
            &[("ok", None, Load::Unsaid), ("zero", None, Load::Unsaid)],
        );
    }

    #[test]
    fn which_names_count_as_this_model() {
        let one = |body: &str| parse(body.as_bytes()).unwrap().remove(0);
        let llama = one(r#"{"data":[{"id":"tiny","aliases":["t"],"owned_by":"llamacpp"}]}"#);
        assert!(llama.answers_as("tiny") && llama.answers_as("t") && !llama.answers_as("Tiny"));
        let vllm = one(r#"{"data":[{"id":"m","root":"/models/m","owned_by":"vllm"}]}"#);
        assert!(vllm.answers_as("/models/m") && !vllm.answers_as("n"));
        let swap = one(r#"{"data":[{"id":"m","owned_by":"llama-swap"}]}"#);
        assert!(swap.answers_as("some.gguf"));
    }
}
