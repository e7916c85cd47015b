//! The supervisor answers, and has no problem of its own.

use crate::doctor::Finding;
use crate::doctor::facts::Facts;
use crate::doctor::service::{Service, ask_for_access};

pub fn check(facts: &Facts) -> Finding {
    let service = Service::of(&facts.roots.supervisor_socket());
    let Some(daemon) = &facts.daemon else {
        return match &facts.silence {
            Some(silence) if silence.denied => Finding::unknown(
                "not asked: the supervisor answers root and the group bot-admin only",
                Some(ask_for_access(facts.admin_group)),
            ),
            silence => Finding::problem(
                silence.as_ref().map_or("the supervisor does not answer", |silence| silence.why.as_str()),
                format!("start it: {}; its log: {}", service.start, service.log),
            ),
        };
    };
    // Those of secrets are found, and named with a remedy, by the check of secrets.
    let of_secrets: Vec<&String> =
        facts.secrets.iter().flat_map(|found| &found.secrets).filter_map(|entry| entry.problem.as_ref()).collect();
    let problems: Vec<&String> = daemon.world.problems.iter().filter(|problem| !of_secrets.contains(problem)).collect();
    if let Some(first) = problems.first() {
        let more = if problems.len() > 1 { format!(" (and {} more)", problems.len() - 1) } else { String::new() };
        return Finding::problem(
            format!("{first}{more}"),
            format!("mend the cause; its log has when it began: {}", service.log),
        )
        .with_details(problems.into_iter().skip(1).cloned().collect());
    }
    let up = crate::measure::span(facts.now.millis_since(daemon.started_at));
    Finding::ok(format!("version {}, up for {up}", env!("CARGO_PKG_VERSION")))
}
