//! Docker answers, is of a version that was tested, and confines containers with seccomp.

use supervisor_plan::observed::Engine;

use crate::doctor::Finding;
use crate::doctor::facts::Facts;

/// The API of Engine 20.10: the oldest that has everything we ask for.
const OLDEST_API: (u32, u32) = (1, 41);
/// The engine that the tests run on.
const TESTED: &str = "20.10";

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    if let Engine::Unreachable { error, .. } = &daemon.world.observed.engine {
        return Finding::problem(
            format!("Docker does not answer: {error}"),
            "start it: systemctl start docker; the supervisor goes on by itself",
        );
    }
    let Some(info) = &daemon.world.engine else {
        return Finding::unknown("Docker has not been asked yet", Some("run this again in a moment"));
    };
    if parse(&info.api_version).is_some_and(|version| version < OLDEST_API) {
        let summary = format!("Docker {} speaks API {}, which is too old", info.version, info.api_version);
        return Finding::problem(summary, format!("install Docker Engine {TESTED} or newer"));
    }
    if !info.seccomp {
        return Finding::problem(
            format!("Docker {} runs without seccomp: agents would not be confined", info.version),
            "use a kernel and an engine with seccomp",
        );
    }
    let summary = format!("Docker {} (API {}), kernel {}", info.version, info.api_version, info.kernel);
    if info.version.starts_with(TESTED) {
        Finding::ok(summary)
    } else {
        Finding::advice(
            format!("{summary}; the tests run on {TESTED}"),
            "newer engines work by negotiation; run ./tests/run once after an upgrade",
        )
    }
}

fn parse(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
