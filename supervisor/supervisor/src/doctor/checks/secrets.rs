//! Every secret that is needed is there, and nobody else can read one.

use crate::api::wire::settings::SecretEntry;
use crate::doctor::Finding;
use crate::doctor::facts::Facts;

pub fn check(facts: &Facts) -> Finding {
    let Some(found) = &facts.secrets else {
        return Finding::unknown("not allowed to look into secrets/", Some("run this as root"));
    };
    let refused: Vec<(&SecretEntry, &String)> =
        found.secrets.iter().filter_map(|entry| Some((entry, entry.problem.as_ref()?))).collect();
    let said = |(entry, problem): &(&SecretEntry, &String)| match entry.set_at {
        None => format!("there is no secret {}", entry.name),
        Some(_) => (*problem).clone(),
    };
    let Some(first) = refused.first() else {
        return Finding::ok(match found.secrets.len() {
            0 => "none are stored, none are needed".to_owned(),
            1 => "1 stored, private".to_owned(),
            count => format!("{count} stored, all private"),
        });
    };
    if refused.len() == 1 {
        let verb = if first.0.set_at.is_none() { "store it" } else { "store it again" };
        return Finding::problem(said(first), format!("{verb}: botctl secret set {}", first.0.name));
    }
    let summary = format!("{} secrets are missing or refused", refused.len());
    Finding::problem(summary, "store each: botctl secret set NAME").with_details(refused.iter().map(said).collect())
}
