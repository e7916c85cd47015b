//! The tools as a model calls them.

use std::sync::Arc;

use agent_store::StateDir;
use agent_workspace::{Documents, Plans};
use platform_types::BotName;
use serde_json::json;

use super::{DocList, DocRead, DocSearch, PlanList, PlanShow, PlanWrite};
use crate::testing::{call, context};
use crate::tool::Context;

struct World {
    _place: tempfile::TempDir,
    documents: Arc<Documents>,
    plans: Arc<Plans>,
    context: Context,
}

fn world() -> World {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("documents/project/docs");
    std::fs::create_dir_all(&folder).unwrap();
    let long = (1..=450).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
    for (name, text) in
        [("long.md", long.as_str()), ("retry.md", "# Retry\nThe queue is retried.\n"), ("other.md", "A queue.\n")]
    {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let state = StateDir::new(place.path().join("state"));
    std::fs::create_dir_all(state.current()).unwrap();
    let documents = Arc::new(Documents::new(place.path().join("documents")));
    let plans = Arc::new(Plans::new(&state, documents.clone()));
    let context = Context { bot: BotName::new("project").unwrap(), ..context(None, None) };
    World { _place: place, documents, plans, context }
}

#[tokio::test]
async fn documents_are_listed_read_in_parts_and_found_best_first() {
    let World { documents, context, .. } = &world();
    let listed = call(&DocList(documents.clone()), json!({ "prefix": "docs/o" }), context).await.unwrap();
    assert_eq!(listed, json!({ "files": [{ "path": "docs/other.md", "bytes": 9 }] }));
    let nothing = call(&DocList(documents.clone()), json!({ "prefix": "x" }), context).await.unwrap_err();
    assert!(nothing.contains("the folders are docs"), "{nothing}");
    let read = DocRead(documents.clone());
    let mut next = Some(1);
    let mut lines = 0;
    while let Some(from) = next {
        let part = call(&read, json!({ "path": "docs/long.md", "from_line": from }), context).await.unwrap();
        assert!(part["text"].as_str().unwrap().starts_with(&format!("{from}\tline {from}\n")), "{part}");
        lines += part["text"].as_str().unwrap().lines().count();
        next = part["next_line"].as_u64();
    }
    assert_eq!(lines, 450);
    assert!(
        call(&read, json!({ "path": "docs/long.md", "from_line": 451 }), context)
            .await
            .unwrap_err()
            .contains("450 lines")
    );
    let found = call(&DocSearch(documents.clone()), json!({ "text": "Retried QUEUE" }), context).await.unwrap();
    assert_eq!(
        found,
        json!({ "files": [
            { "path": "docs/retry.md", "lines": ["2: The queue is retried."] },
            { "path": "docs/other.md", "lines": ["1: A queue."] },
        ] })
    );
    assert!(call(&DocSearch(documents.clone()), json!({ "text": " " }), context).await.is_err());
}

#[tokio::test]
async fn a_plan_is_refused_recovered_and_shown() {
    let World { plans, context, .. } = &world();
    let write = PlanWrite(plans.clone());
    let form = |file: &str| {
        json!({
            "kind": "change_request", "title": "Retry less", "goal": "Fewer retries.", "steps": "Lower the number.\nTell people.",
            "files": [{ "path": file, "why": "it says how often" }], "acceptance": ["At most three."],
        })
    };
    let refused = call(&write, form("docs/rety.md"), context).await.unwrap_err();
    assert!(refused.contains("docs/rety.md does not exist: the nearest are docs/retry.md"), "{refused}");
    let written = call(&write, form("docs/retry.md"), context).await.unwrap();
    assert_eq!(written, json!({ "name": "retry-less", "file": "plans/project/retry-less.md" }));
    let shown = call(&PlanShow(plans.clone()), json!({ "name": "retry-less" }), context).await.unwrap();
    assert!(shown["text"].as_str().unwrap().contains("2. Tell people.\n"), "{shown}");
    assert_eq!(call(&PlanList(plans.clone()), json!({}), context).await.unwrap(), json!({ "plans": ["retry-less"] }));
}
