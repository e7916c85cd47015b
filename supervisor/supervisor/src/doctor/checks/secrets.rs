//! Every secret that is needed is there, and nobody else can read one.

use crate::doctor::Finding;
use crate::doctor::facts::Facts;

pub fn check(facts: &Facts) -> Finding {
    let Some(found) = &facts.secrets else {
        return Finding::unknown("not allowed to look into secrets/", Some("run this as root"));
    };
    let refused: Vec<String> = found.secrets.iter().filter_map(|entry| entry.problem.clone()).collect();
    let Some(first) = refused.first() else {
        return Finding::ok(match found.secrets.len() {
            0 => "none are stored, none are needed".to_owned(),
            1 => "1 stored, private".to_owned(),
            count => format!("{count} stored, all private"),
        });
    };
    let summary = match refused.len() {
        1 => first.clone(),
        count => format!("{count} secrets are missing or refused"),
    };
    let details = if refused.len() > 1 { refused.clone() } else { Vec::new() };
    Finding::problem(summary, "store it again: botctl secret set NAME").with_details(details)
}
