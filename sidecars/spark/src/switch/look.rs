//! What the box has: its fresh list, and one token of the wanted model.

use platform_types::ModelId;
use tokio::time::{Duration, Instant};

use super::machine::Sight;
use crate::backend::Backend;
use crate::catalogue::names;
use crate::models::{Listed, Load};
use crate::request::ChatRequest;
use crate::upstream::collect;

/// Ollama lists what it could load, and not what it has loaded.
const LISTS_EVERYTHING: &str = "library";
/// Longest answer of one token.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// What the box has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// `None`: it answers and has none.
    Has(Option<ModelId>),
    Down(String),
}

/// Asks the box for its list.
pub async fn standing(backend: &Backend) -> Standing {
    match backend.list_soon(Duration::ZERO).await {
        Ok(listed) => Standing::Has(loaded(&listed, backend.model()).cloned()),
        Err(refusal) => Standing::Down(refusal.failure.message),
    }
}

/// The model that the box has: the one that is loaded, where it says so; else the configured one if it is listed, else the
/// first of the list.
fn loaded<'a>(listed: &'a [Listed], configured: &ModelId) -> Option<&'a ModelId> {
    let first = |load: Load| listed.iter().find(|model| model.load == load);
    let found = first(Load::Loaded).or_else(|| {
        let unsaid = |model: &&Listed| model.load == Load::Unsaid;
        listed.iter().filter(unsaid).find(|model| model.id == *configured).or_else(|| first(Load::Unsaid))
    });
    found.map(|model| &model.id)
}

/// Whether the box has `wanted` and nothing in its place: its list, then one token of an answer.
pub async fn look(backend: &Backend, from: Option<&ModelId>, wanted: &ModelId, time: Duration) -> Sight {
    let listed = match backend.list(Duration::ZERO).await {
        Ok(listed) => listed,
        Err(refusal) => return Sight::Down(refusal.failure.message),
    };
    match is_there(&listed, from, wanted) {
        There::Yes(model) => match one_token(backend, model, Instant::now() + time).await {
            Ok(()) => Sight::Answered,
            Err(why) => Sight::Silent(why),
        },
        There::Loading => Sight::Down(format!("it is loading {wanted}")),
        There::No => {
            let said = listed.iter().any(|model| model.load != Load::Unsaid);
            let here = |model: &&Listed| !said || model.load == Load::Loaded;
            match names(listed.iter().filter(here)).as_str() {
                "none" => Sight::Down("it has no model".to_owned()),
                names => Sight::Other(names.to_owned()),
            }
        }
    }
}

#[derive(Debug)]
enum There<'a> {
    Yes(&'a Listed),
    Loading,
    No,
}

fn is_there<'a>(listed: &'a [Listed], from: Option<&ModelId>, wanted: &ModelId) -> There<'a> {
    let Some(found) = listed.iter().find(|model| model.id == *wanted) else { return There::No };
    let others = listed.iter().filter(|model| model.id != *wanted);
    match found.load {
        Load::Loading => There::Loading,
        Load::Unloaded => There::No,
        Load::Loaded => {
            let alone = others.clone().all(|model| model.load != Load::Loaded);
            if alone { There::Yes(found) } else { There::No }
        }
        Load::Unsaid => {
            let still = others.clone().any(|model| Some(&model.id) == from && model.owned_by != LISTS_EVERYTHING);
            if still { There::No } else { There::Yes(found) }
        }
    }
}

/// The smallest question there is, and whether this model answered it.
async fn one_token(backend: &Backend, model: &Listed, deadline: Instant) -> Result<(), String> {
    let body = serde_json::json!({
        "model": model.id, "messages": [{"role": "user", "content": "Say OK."}], "max_tokens": 1, "stream": false,
    });
    let request = ChatRequest::parse(body.to_string().as_bytes()).map_err(|refusal| refusal.failure.message)?;
    let source = backend.chat(&request, deadline).await.map_err(|refusal| refusal.failure.message)?;
    let body = collect(source, MAX_ANSWER_BYTES, deadline).await.map_err(|refusal| refusal.failure.message)?;
    let answer: serde_json::Value = serde_json::from_slice(&body).map_err(|_| "its answer is not JSON".to_owned())?;
    if answer.pointer("/choices/0/message").is_none() {
        return Err("its answer has no message".to_owned());
    }
    match answer.get("model").and_then(serde_json::Value::as_str) {
        Some(name) if !model.answers_as(name) => Err(format!("it answered as {name:?}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::parse;

    fn id(text: &str) -> ModelId {
        ModelId::new(text).unwrap()
    }

    fn check(list: &str, from: Option<&str>, there: &str, has: Option<&str>) {
        let listed = parse(format!(r#"{{"data":[{list}]}}"#).as_bytes()).unwrap();
        let from = from.map(id);
        let found = match is_there(&listed, from.as_ref(), &id("b")) {
            There::Yes(_) => "yes",
            There::Loading => "loading",
            There::No => "no",
        };
        assert_eq!((found, loaded(&listed, &id("a")).map(ModelId::as_str)), (there, has), "{list}");
    }

    #[test]
    fn what_counts_as_there() {
        check(r#"{"id":"b"}"#, Some("a"), "yes", Some("b"));
        check(r#"{"id":"a"}"#, Some("a"), "no", Some("a"));
        check("", Some("a"), "no", None);
        check(r#"{"id":"a"},{"id":"b"}"#, Some("a"), "no", Some("a"));
        check(r#"{"id":"B"}"#, Some("a"), "no", Some("B"));
        check(r#"{"id":"alias","root":"/m"},{"id":"b","root":"/m"}"#, Some("a"), "yes", Some("alias"));
        check(r#"{"id":"a","owned_by":"library"},{"id":"b","owned_by":"library"}"#, Some("a"), "yes", Some("a"));
        let status = |id: &str, value: &str| format!(r#"{{"id":"{id}","status":{{"value":"{value}"}}}}"#);
        let two = |a: &str, b: &str| format!("{},{}", status("a", a), status("b", b));
        check(&two("unloaded", "loaded"), Some("a"), "yes", Some("b"));
        check(&two("loaded", "loaded"), Some("a"), "no", Some("a"));
        check(&two("loaded", "unloaded"), Some("a"), "no", Some("a"));
        check(&two("unloaded", "loading"), Some("a"), "loading", None);
        check(&two("unloaded", "unloaded"), None, "no", None);
    }
}
