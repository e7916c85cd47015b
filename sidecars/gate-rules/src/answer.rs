//! What of an upstream's answer goes to the agent.

use std::fmt;

use platform_types::egress::AnswerFilter;
use serde_json::{Map, Value};

use crate::json::{MAX_ANSWER_DEPTH, parse};

/// The answer is not what the filter needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit(pub &'static str);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Unfit {}

/// The body that the agent gets. Secrets are taken out elsewhere: see [`crate::strip`]; updates are for [`crate::updates`].
pub fn filter(answer: &AnswerFilter, body: &[u8]) -> Result<Vec<u8>, Unfit> {
    match answer {
        AnswerFilter::Whole => Ok(body.to_vec()),
        AnswerFilter::Status => Ok(Vec::new()),
        AnswerFilter::Updates => Err(Unfit("updates pass through a channel only")),
        AnswerFilter::Members { members } => {
            let body = parse(body, MAX_ANSWER_DEPTH).map_err(|_| Unfit("the upstream's answer is not JSON"))?;
            let paths: Vec<Vec<&str>> = members.iter().map(|member| member.split('.').collect()).collect();
            let paths: Vec<&[&str]> = paths.iter().map(Vec::as_slice).collect();
            let kept =
                kept(body, &paths).ok_or(Unfit("the upstream's answer is not an object or a list of objects"))?;
            Ok(kept.to_string().into_bytes())
        }
    }
}

/// The named members of an object, or of each object of a list. `None`: there is no object.
fn kept(value: Value, paths: &[&[&str]]) -> Option<Value> {
    match value {
        Value::Object(map) => Some(Value::Object(members(map, paths))),
        Value::Array(items) => items.into_iter().map(|item| kept(item, paths)).collect(),
        _ => None,
    }
}

fn members(map: Map<String, Value>, paths: &[&[&str]]) -> Map<String, Value> {
    let mut kept_members = Map::new();
    for (name, value) in map {
        let below: Vec<&[&str]> = paths.iter().filter_map(|path| path.strip_prefix(&[name.as_str()])).collect();
        if below.iter().any(|path| path.is_empty()) {
            kept_members.insert(name, value);
        } else if !below.is_empty()
            && let Some(value) = kept(value, &below)
        {
            kept_members.insert(name, value);
        }
    }
    kept_members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(names: &[&str]) -> AnswerFilter {
        AnswerFilter::Members { members: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    #[test]
    fn only_named_members_pass() {
        let filter = members(&["state", "attributes.brightness", "attributes.a.b"]);
        let check = |body: &str, expect: Option<&str>| {
            let kept = super::filter(&filter, body.as_bytes()).ok();
            assert_eq!(kept.map(|kept| String::from_utf8(kept).unwrap()).as_deref(), expect, "{body}");
        };
        let body = r#"{"state":"on","context":{"user":1},"attributes":{"brightness":7,"access_token":"t","a":{"b":[1],"c":2}}}"#;
        check(body, Some(r#"{"attributes":{"a":{"b":[1]},"brightness":7},"state":"on"}"#));
        check(r#"[{"state":1,"x":2},{"x":3}]"#, Some(r#"[{"state":1},{}]"#));
        check(r#"{"attributes":"token","attributes.brightness":1,"State":1}"#, Some("{}"));
        check(r#"{"attributes":[{"brightness":1,"t":2}]}"#, Some(r#"{"attributes":[{"brightness":1}]}"#));
        for body in ["", "401: Unauthorized", "\"token\"", "7", "[1]", "[[{}],1]", "{} {}", r#"{"state":1,"state":2}"#]
        {
            check(body, None);
        }
    }

    #[test]
    fn the_status_has_no_body_and_the_whole_has_all_of_it() {
        assert_eq!(filter(&AnswerFilter::Status, b"[1]"), Ok(vec![]));
        assert_eq!(filter(&AnswerFilter::Whole, b"\xff"), Ok(vec![0xff]));
        assert_eq!(filter(&members(&[]), b"{\"a\":1}"), Ok(b"{}".to_vec()));
    }
}
