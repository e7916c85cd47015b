use std::sync::Arc;

use platform_types::Timestamp;
use platform_types::platform::{self, PartHealth, PartLog, PlatformView};
use serde_json::json;

use super::{Board, PlatformHealth, PlatformLogs};
use crate::testing::{call, context};

fn view(at: i64) -> PlatformView {
    let part = |part: &str, shared, condition: &str| PartHealth {
        part: part.to_owned(),
        shared,
        condition: condition.to_owned(),
        since: Some(Timestamp(0)),
        failures: 0,
        doing: None,
        notes: Vec::new(),
    };
    let parts = vec![part("agent", false, "ready"), part("spark", true, "silent")];
    let lines = (0..150).map(|n| format!("line {n}\u{1b}[31m of the gate")).collect();
    PlatformView {
        at: Timestamp(at),
        health: Some(platform::PlatformHealth {
            well: false,
            parts,
            model_box: vec!["the box does not answer".into()],
        }),
        logs: vec![PartLog { part: "gate".into(), lines }],
    }
}

#[tokio::test]
async fn what_the_supervisor_told_is_told_with_its_age() {
    let board = Arc::new(Board::default());
    let health = PlatformHealth(Arc::clone(&board));
    let mut context = context(None, None);
    let nothing = call(&health, json!({}), &context).await.unwrap_err();
    assert!(nothing.contains("has not told anything yet"), "{nothing}");
    board.put(view(0));
    let told = call(&health, json!({}), &context).await.unwrap();
    let expect = json!({
        "observed": "1970-01-01T00:00:00+00:00", "well": false, "model_box": ["the box does not answer"],
        "parts": [
            { "part": "agent", "condition": "ready", "since": "1970-01-01T00:00:00+00:00" },
            { "part": "spark", "shared": true, "condition": "silent", "since": "1970-01-01T00:00:00+00:00" },
        ],
    });
    assert_eq!(told, expect);
    context.now = Timestamp(90_000);
    let old = call(&health, json!({}), &context).await.unwrap();
    assert_eq!(old["warning"], "this is 90 s old: the supervisor has been silent since");
}

#[tokio::test]
async fn logs_are_bounded_filtered_and_without_control_characters() {
    let board = Arc::new(Board::default());
    board.put(view(0));
    let logs = PlatformLogs(board);
    let context = context(None, None);
    let told = call(&logs, json!({ "part": "gate" }), &context).await.unwrap();
    assert_eq!((told["lines"].as_array().unwrap().len(), told["older"].as_u64()), (30, Some(120)));
    assert!(
        !told.to_string().contains("\\u001b") && told["lines"][29].as_str().unwrap().starts_with("line 149"),
        "{told}"
    );
    let few = call(&logs, json!({ "part": "gate", "contains": "LINE 14", "lines": 500 }), &context).await.unwrap();
    assert_eq!(few["lines"].as_array().unwrap().len(), 11);
    assert!(call(&logs, json!({ "part": "agent" }), &context).await.unwrap_err().contains("no log of the agent"));
    assert!(call(&logs, json!({ "part": "spark" }), &context).await.is_err());
}
