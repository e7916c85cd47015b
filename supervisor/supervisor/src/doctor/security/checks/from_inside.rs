//! A program with exactly an agent's confinement tried to get out.

use platform_types::confinement::Outcome;

use crate::doctor::Finding;
use crate::doctor::security::evidence::Evidence;

pub fn check(evidence: &Evidence) -> Finding {
    let (mut count, mut escapes, mut untried) = (0, Vec::new(), Vec::new());
    for (profile, reports) in &evidence.inside {
        match reports {
            Err(why) => untried.push(format!("{profile}: {why}")),
            Ok(reports) => {
                count += reports.len();
                let got_out = reports.iter().filter(|report| report.outcome == Outcome::Succeeded);
                escapes.extend(
                    got_out.map(|report| format!("{profile}: {} ({}): {}", report.name, report.what, report.detail)),
                );
            }
        }
    }
    if !escapes.is_empty() {
        return Finding::problem(
            format!("{} of {count} attempts to get out succeeded", escapes.len()),
            "stop the profile (docker stop its agent) until this is understood; is the engine's seccomp or kernel different?",
        )
        .with_details(escapes);
    }
    if !untried.is_empty() {
        return Finding::unknown("not tried from inside for every profile", Some("docker and botctl logs say more"))
            .with_details(untried);
    }
    Finding::ok(format!("{count} attempts to get out of {} agents' confinement, none succeeded", evidence.inside.len()))
}
