//! What a card shows besides the rule's words: values that the gate fetched itself.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use gate_rules::{Admitted, fill_path};
use platform_types::egress::{Each, Fact};
use platform_types::text::neutral_cut;
use serde_json::Value;

use crate::egress::ways::Way;
use crate::gate::Gate;
use crate::limits::{MAX_FACT_CHARS, MAX_FACT_ITEMS};

/// A fact's label and value; one that cannot be found out says so.
pub async fn learn(gate: &Gate, way: &Way, fact: &Fact, admitted: &Admitted) -> (String, String) {
    let asking = async {
        let value = ask(gate, way, (&fact.path, &fact.pointer), &admitted.values).await?;
        match &fact.each {
            None => Ok::<_, String>((shown(&value), MAX_FACT_CHARS)),
            // Each item is cut by itself, so that none of them hides the others.
            Some(each) => Ok((items(gate, way, each, &value).await?, MAX_FACT_CHARS * (MAX_FACT_ITEMS + 1))),
        }
    };
    let (value, limit) = match tokio::time::timeout(gate.limits.confirm.fact_time, asking).await {
        Ok(Ok(found)) => found,
        Ok(Err(reason)) => (format!("(not known: {reason})"), MAX_FACT_CHARS),
        Err(_) => ("(not known: no answer in time)".to_owned(), MAX_FACT_CHARS),
    };
    (fact.label.clone(), neutral_cut(&value, limit))
}

/// `item: value`, for each item of a list.
async fn items(gate: &Gate, way: &Way, each: &Each, list: &Value) -> Result<String, String> {
    let list: Option<Vec<&str>> = list.as_array().and_then(|items| items.iter().map(Value::as_str).collect());
    let list = list.ok_or("the answer is no list of texts")?;
    let asked = list.iter().take(MAX_FACT_ITEMS).map(|item| async move {
        let values = BTreeMap::from([("item".to_owned(), (*item).to_owned())]);
        let value = match ask(gate, way, (&each.path, &each.pointer), &values).await {
            Ok(value) => shown(&value),
            Err(reason) => format!("(not known: {reason})"),
        };
        neutral_cut(&format!("{item}: {value}"), MAX_FACT_CHARS)
    });
    let mut texts = join_all(asked).await;
    if list.len() > MAX_FACT_ITEMS {
        texts.push(format!("and {} more", list.len() - MAX_FACT_ITEMS));
    }
    Ok(if texts.is_empty() { "nothing".to_owned() } else { texts.join(", ") })
}

async fn ask(
    gate: &Gate,
    way: &Way,
    (path, pointer): (&str, &str),
    values: &BTreeMap<String, String>,
) -> Result<Value, String> {
    let target = fill_path(path, values).ok_or("its question cannot be written")?;
    gate.outside.fact(way, &target, pointer).await
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
