//! The supervisor answers, and has no problem of its own.

use crate::doctor::Finding;
use crate::doctor::facts::Facts;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else {
        let why = facts.silence.as_deref().unwrap_or("the supervisor does not answer");
        return Finding::problem(
            why,
            "start it: systemctl start bot-supervisor; its log: journalctl -u bot-supervisor",
        );
    };
    let problems = &daemon.world.problems;
    if let Some(first) = problems.first() {
        let more = if problems.len() > 1 { format!(" (and {} more)", problems.len() - 1) } else { String::new() };
        return Finding::problem(format!("{first}{more}"), "its log says more: journalctl -u bot-supervisor")
            .with_details(problems.iter().skip(1).cloned().collect());
    }
    let up = crate::measure::span(facts.now.millis_since(daemon.started_at));
    Finding::ok(format!("version {}, up for {up}", env!("CARGO_PKG_VERSION")))
}
