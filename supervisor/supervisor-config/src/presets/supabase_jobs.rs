//! A table of jobs behind PostgREST: fixed columns are listed, a failed job is queued again after a confirmation.
//!
//! Every filter that keeps a change to one row is required: without `id` PostgREST would change the whole table. `select`
//! is one fixed list, so no embedded table and no payload can be asked for; `Accept-Profile` and `Content-Profile` are not
//! passed on, so the schema is the default one.

use platform_types::egress::{Confirm, Method, Rule, Shape};
use serde_json::Value;

use super::{confirm, equals, members, named, one_of, optional, required, rule, text};

const COLUMNS: [&str; 6] = ["id", "kind", "status", "attempts", "last_error", "updated_at"];
const STATUSES: [&str; 7] =
    ["eq.queued", "eq.running", "eq.succeeded", "eq.failed", "eq.dead", "eq.cancelled", "in.(failed,dead)"];
/// A UUID, or a number.
const MAX_ID_CHARS: usize = 36;
/// Which jobs can be queued again.
const FAILED: &str = "in.(failed,dead)";

/// Rules for a table with these columns. `requeue` compares and sets; `requeue by function` calls `requeue_job`, which
/// tells a repetition by the confirmation's id.
pub fn rules(table: &str) -> Vec<Rule> {
    let path = format!("/rest/v1/{table}");
    let orders = ["updated_at.desc.nullslast,id.asc", "updated_at.desc", "id.asc"];
    let jobs = Rule {
        query: named([
            ("select", required(one_of([COLUMNS.join(",")]))),
            ("id", optional(equals(text(MAX_ID_CHARS)))),
            ("status", optional(one_of(STATUSES))),
            ("order", optional(one_of(orders))),
            ("limit", required(Shape::Integer { min: 1, max: 100 })),
        ]),
        answer: members(&COLUMNS),
        ..rule("jobs", Method::Get, &path)
    };
    let requeue = Rule {
        query: named([
            ("id", required(equals(text(MAX_ID_CHARS)))),
            ("status", required(one_of([FAILED]))),
            ("updated_at", required(equals(text(40)))),
            ("select", required(one_of([COLUMNS.join(",")]))),
        ]),
        headers: vec!["prefer: return=representation".to_owned()],
        body: Some(named([
            ("status", required(one_of(["queued"]))),
            ("attempts", required(one_of([0]))),
            ("run_at", optional(one_of(["now"]))),
            ("locked_at", optional(one_of([Value::Null]))),
            ("locked_by", optional(one_of([Value::Null]))),
        ])),
        confirm: Some(asked(table, "id")),
        answer: members(&COLUMNS),
        ..rule("requeue", Method::Patch, &path)
    };
    let by_function = Rule {
        body: Some(named([
            ("p_job_id", required(Shape::Integer { min: 1, max: i64::MAX })),
            ("p_actor", required(one_of(["bot"]))),
            ("p_expect_updated_at", optional(text(40))),
        ])),
        confirm: Some(Confirm { id_field: Some("p_request_id".to_owned()), ..asked(table, "p_job_id") }),
        answer: members(&["id", "status", "requeue_count", "replayed"]),
        ..rule("requeue by function", Method::Post, "/rest/v1/rpc/requeue_job")
    };
    vec![jobs, requeue, by_function]
}

fn asked(table: &str, id: &str) -> Confirm {
    let row = format!("/rest/v1/{table}?id=eq.{{{id}}}&select=kind,status,attempts,last_error");
    let facts = [("kind", "/0/kind"), ("status", "/0/status"), ("attempts", "/0/attempts"), ("error", "/0/last_error")];
    confirm(&format!("Queue job {{{id}}} again"), facts.map(|(label, pointer)| (label, row.as_str(), pointer)))
}
