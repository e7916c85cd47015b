//! `platform.toml` is valid, and in force.

use crate::api::wire::findings::Verdict;
use crate::doctor::Finding;
use crate::doctor::facts::Facts;
use crate::doctor::service::ask_for_access;

pub fn check(facts: &Facts) -> Finding {
    let found = match &facts.config {
        Ok(found) => found,
        Err(unseen) if unseen.denied => {
            return Finding::unknown(unseen.why.clone(), Some(ask_for_access(facts.admin_group)));
        }
        Err(unseen) => return Finding::problem(unseen.why.clone(), "write the file, then: botctl config check"),
    };
    // A secret that is missing is found by the check of secrets.
    let missing = |finding: &&supervisor_config::Finding| !finding.is_error() && names_missing_secret(finding, facts);
    let details: Vec<String> = found.findings.iter().filter(|found| !missing(found)).map(ToString::to_string).collect();
    if !found.valid {
        let errors = found.findings.iter().filter(|finding| finding.is_error()).count();
        let summary = format!("platform.toml has {errors} error{}", if errors == 1 { "" } else { "s" });
        return Finding::problem(summary, "correct it as botctl config check says").with_details(details);
    }
    if facts.daemon.as_ref().is_some_and(|daemon| daemon.world.unapplied) {
        return Finding::advice("the files differ from what is in force", "look with botctl plan, then botctl apply")
            .with_details(details);
    }
    match details.len() {
        0 if facts.daemon.is_none() => {
            Finding::ok("platform.toml is valid; whether it is in force is not known without the supervisor")
        }
        0 => Finding::ok("platform.toml is valid and in force"),
        count => Finding {
            verdict: Verdict::Advice,
            summary: format!("platform.toml is valid, with {count} warning{}", if count == 1 { "" } else { "s" }),
            details,
            remedy: Some("botctl config check explains each".to_owned()),
        },
    }
}

fn names_missing_secret(finding: &supervisor_config::Finding, facts: &Facts) -> bool {
    let secrets = facts.secrets.iter().flat_map(|found| &found.secrets);
    let mut missing = secrets.filter(|entry| entry.needed && entry.set_at.is_none());
    missing.any(|entry| finding.message.starts_with(&format!("there is no secret {}:", entry.name)))
}
