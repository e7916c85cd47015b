use std::sync::Arc;

use platform_types::layout::Roots;
use supervisor_plan::Target;
use supervisor_plan::report::{Blocked, Condition, Doing};

use super::{Wanted, view};
use crate::example::{self, NOW, profile};

#[test]
fn one_profile_learns_nothing_of_the_other() {
    let mut world = example::world(&Roots::system());
    let mut report = (*world.report).clone();
    for (target, word) in [
        (Target::agent(&profile("ops")), "of ops"),
        (Target::agent(&profile("personal")), "of personal"),
        (Target::spark(), "of spark"),
    ] {
        let found = report.targets.get_mut(&target).unwrap();
        found.condition = Condition::Unready;
        found.blocked = vec![Blocked { problem: format!("problem\u{1b}[2J {word}"), remedy: "look".to_owned() }];
        found.doing = Some(Doing::Action { verb: "restart".to_owned(), because: format!("because {word}") });
    }
    world.report = Arc::new(report);
    let health = view::health(&world, &profile("ops"), NOW);
    assert!(!health.well);
    let parts: Vec<(&str, bool, &str)> =
        health.parts.iter().map(|part| (part.part.as_str(), part.shared, part.condition.as_str())).collect();
    let expect =
        [("agent", false, "unready"), ("gate", false, "ready"), ("spark", true, "unready"), ("backup", true, "ready")];
    assert_eq!(parts, expect);
    assert_eq!(health.parts[0].doing.as_deref(), Some("restart: because of ops"));
    assert_eq!(health.parts[2].doing.as_deref(), Some("restart"));
    let text = serde_json::to_string(&health).unwrap();
    assert!(text.contains("problem") && text.contains("of ops"), "{text}");
    assert!(!text.contains("personal") && !text.contains("of spark") && !text.contains("\\u001b"), "{text}");
}

#[test]
fn only_those_whose_bots_have_the_tool_are_told() {
    let config = example::config();
    let mut ops = config.profiles[&profile("ops")].clone();
    assert_eq!(Wanted::of(&ops), Wanted { health: false, logs: false });
    ops.bots[0].tools = vec!["platform.logs".to_owned()];
    assert_eq!(Wanted::of(&ops), Wanted { health: false, logs: true });
    ops.bots[0].tools.push("platform.health".to_owned());
    assert_eq!(Wanted::of(&ops), Wanted { health: true, logs: true });
}
