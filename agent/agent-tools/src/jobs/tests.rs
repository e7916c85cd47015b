//! The tools against answers as PostgREST gave them, with what the gate takes away taken away.

use platform_types::UpstreamName;
use platform_types::ways::{Jobs, Requeue};
use serde_json::{Value, json};

use super::{JobsList, JobsRequeue, JobsShow};
use crate::testing::{Asked, Gate, call, context, refused, to_confirm};
use crate::tool::Context;

fn row(id: i64, status: &str) -> Value {
    json!({
        "id": id, "kind": "report", "status": status, "attempts": 3, "last_error": "boom",
        "updated_at": "2026-11-22T10:30:12.468314+00:00",
    })
}

fn jobs(requeue: Requeue) -> Context {
    let kinds = vec!["report".to_owned(), "sync".to_owned()];
    context(None, Some(Jobs { upstream: UpstreamName::new("jobs").unwrap(), table: "jobs".into(), kinds, requeue }))
}

/// Rows, one a look; a change is confirmed and ends so.
fn gate(rows: Vec<Value>, outcome: Value) -> Gate {
    let mut rows = rows.into_iter();
    Gate::start(move |asked: &Asked| match (asked.host.as_str(), asked.method.as_str()) {
        ("gate", _) => (200, outcome.clone()),
        (_, "GET") => (200, rows.next().unwrap_or(json!([]))),
        _ => to_confirm(),
    })
}

fn done(status: u16, body: &Value) -> Value {
    json!({ "state": "done", "status": status, "body": body })
}

fn failed(outcome: Result<Value, String>, expect: &str) {
    let words = outcome.expect_err("an error");
    assert!(words.contains(expect), "{words}");
}

#[tokio::test]
async fn lists_ask_for_fixed_columns_and_allowed_kinds() {
    let rows = (0..3).map(|id| row(id, "failed")).collect::<Vec<_>>();
    let gate = gate(vec![json!(rows)], Value::Null);
    let listed = call(&JobsList(gate.egress.clone()), json!({ "limit": 2 }), &jobs(Requeue::Function)).await.unwrap();
    assert_eq!((listed["jobs"].as_array().unwrap().len(), &listed["more"]), (2, &json!(true)));
    let expect = "GET /rest/v1/jobs?kind=in.%28report%2Csync%29&limit=3&order=updated_at.desc.nullslast%2Cid.asc\
                  &select=id%2Ckind%2Cstatus%2Cattempts%2Clast_error%2Cupdated_at&status=in.%28failed%2Cdead%29";
    assert_eq!(gate.asked(), [expect]);
    call(&JobsList(gate.egress.clone()), json!({ "status": "all" }), &jobs(Requeue::Function)).await.unwrap();
    assert!(!gate.asked()[0].contains("status="));
}

#[tokio::test]
async fn ids_cannot_be_filters() {
    let gate = gate(Vec::new(), Value::Null);
    let (show, context) = (JobsShow(gate.egress.clone()), jobs(Requeue::Function));
    for id in [json!("1,2"), json!("eq.1"), json!("1&id=gt.0"), json!(""), json!("a".repeat(37)), json!("1)")] {
        failed(call(&show, json!({ "id": id }), &context).await, "is not the id of a job");
    }
    assert_eq!(gate.asked(), Vec::<String>::new());
    failed(call(&show, json!({ "id": "#7" }), &context).await, "there is no job 7 of the kinds report, sync");
}

#[tokio::test]
async fn a_job_is_queued_again_by_the_function() {
    let gate =
        gate(vec![json!([row(7, "failed")]), json!([row(7, "queued")])], done(200, &json!([{ "replayed": false }])));
    let requeue = JobsRequeue(gate.egress.clone());
    let ended = call(&requeue, json!({ "id": 7, "reason": "asked for" }), &jobs(Requeue::Function)).await.unwrap();
    assert_eq!(
        (&ended["requeued"], &ended["before"], &ended["job"]["status"]),
        (&json!(true), &json!("failed"), &json!("queued"))
    );
    let [asked] = gate.changes().try_into().unwrap();
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/rest/v1/rpc/requeue_job"));
    let expect = json!({ "p_job_id": 7, "p_actor": "bot", "p_expect_updated_at": "2026-11-22T10:30:12.468314+00:00" });
    assert_eq!((asked.body, asked.reason.as_deref()), (expect, Some("asked for")));
}

#[tokio::test]
async fn a_job_is_queued_again_by_comparing() {
    let context = jobs(Requeue::CompareAndSet);
    let gate = gate(vec![json!([row(7, "dead")]), json!([row(7, "queued")])], done(200, &json!([row(7, "queued")])));
    let ended = call(&JobsRequeue(gate.egress.clone()), json!({ "id": "7" }), &context).await.unwrap();
    assert_eq!(ended["requeued"], true);
    let [asked] = gate.changes().try_into().unwrap();
    assert_eq!(asked.method, "PATCH");
    for part in [
        "id=eq.7",
        "kind=in.%28report%2Csync%29",
        "status=in.%28failed%2Cdead%29",
        "updated_at=eq.2026-11-22T10%3A30%3A12.468314%2B00%3A00",
    ] {
        assert!(asked.target.contains(part), "{}", asked.target);
    }
    let lost = self::gate(vec![json!([row(7, "dead")]), json!([row(7, "running")])], done(200, &json!([])));
    failed(
        call(&JobsRequeue(lost.egress.clone()), json!({ "id": 7 }), &context).await,
        "nothing was done; it is running now",
    );
}

#[tokio::test]
async fn what_cannot_be_done_has_its_reason() {
    let context = jobs(Requeue::Function);
    let check = async |rows: Vec<Value>, outcome: Value, expect: &str| {
        let gate = gate(rows, outcome);
        failed(call(&JobsRequeue(gate.egress.clone()), json!({ "id": 7 }), &context).await, expect);
        gate.changes().len()
    };
    let (before, after) = (json!([row(7, "failed")]), json!([row(7, "running")]));
    assert_eq!(check(vec![], Value::Null, "there is no job 7").await, 0);
    assert_eq!(check(vec![json!([row(7, "running")])], Value::Null, "only failed and dead jobs").await, 0);
    let both = || vec![before.clone(), after.clone()];
    check(both(), done(409, &Value::Null), "changed by somebody else meanwhile: nothing was done; it is running now")
        .await;
    check(both(), done(404, &Value::Null), "has no function requeue_job").await;
    check(vec![before.clone()], done(404, &Value::Null), "is not there any more").await;
    check(both(), done(401, &Value::Null), "does not accept the key").await;
    check(both(), done(403, &Value::Null), "may not do this").await;
    check(both(), json!({ "state": "denied" }), "a person denied it").await;
    check(both(), json!({ "state": "unknown" }), "is not known. Do not repeat it").await;
}

#[tokio::test]
async fn a_database_that_is_away_or_says_no() {
    let context = jobs(Requeue::Function);
    for (answer, expect) in [
        (refused(502, "upstream_unreachable", "jobs cannot be reached"), "try again in a minute"),
        ((401, Value::Null), "does not accept the key"),
        ((404, Value::Null), "no such table"),
        ((400, Value::Null), "its columns or statuses are others"),
        ((503, Value::Null), "does not answer"),
        ((200, json!([{ "id": true }])), "not understood"),
    ] {
        let gate = Gate::start(move |_| answer.clone());
        failed(call(&JobsList(gate.egress.clone()), json!({}), &context).await, expect);
    }
}
