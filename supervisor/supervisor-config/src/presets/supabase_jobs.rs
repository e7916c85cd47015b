//! A table of jobs behind PostgREST: fixed columns are listed, a failed job is queued again after a confirmation.
//!
//! Every filter that keeps a change to one row is required: without `id` PostgREST would change the whole table. `select`
//! is one fixed list, so no embedded table and no payload can be asked for; `Accept-Profile` and `Content-Profile` are not
//! passed on, so the schema is the default one.

use platform_types::egress::{Confirm, Guard, Holds, Method, Rule, Shape};
use platform_types::ways::{self, FAILED_JOBS, JOB_COLUMNS, JOB_ORDER, Requeue};
use serde_json::Value;

use super::{confirm, equals, members, named, one_of, optional, required, rule, text};
use crate::config::Jobs;

const STATUSES: [&str; 7] =
    ["eq.queued", "eq.running", "eq.succeeded", "eq.failed", "eq.dead", "eq.cancelled", FAILED_JOBS];
/// A UUID, or a number.
const MAX_ID_CHARS: usize = 36;

/// Rules for a table with these columns. A job is queued again by `requeue_job`, which tells a repetition by the confirmation's
/// id, or by comparing and setting its row. Where kinds are named, no other kind is seen, changed or asked about.
pub fn rules(jobs: &Jobs) -> Vec<Rule> {
    let Jobs { table, kinds, requeue } = jobs;
    let path = format!("/rest/v1/{table}");
    let orders = [JOB_ORDER, "updated_at.desc", "id.asc"];
    let mut query = named([
        ("select", required(one_of([JOB_COLUMNS.join(",")]))),
        ("id", optional(equals(text(MAX_ID_CHARS)))),
        ("status", optional(one_of(STATUSES))),
        ("order", optional(one_of(orders))),
        ("limit", required(Shape::Integer { min: 1, max: 100 })),
    ]);
    if let Some(any) = ways::Jobs::kind_filter(kinds) {
        let each = kinds.iter().map(|kind| format!("eq.{kind}"));
        query.insert("kind".to_owned(), required(one_of(each.chain([any]))));
    }
    let list = Rule { query, answer: members(&JOB_COLUMNS), ..rule("jobs", Method::Get, &path) };
    let requeue = match requeue {
        Requeue::Function => by_function(table, kinds),
        Requeue::CompareAndSet => by_comparing(table, kinds),
    };
    vec![list, requeue]
}

fn by_comparing(table: &str, kinds: &[String]) -> Rule {
    let mut query = named([
        ("id", required(equals(text(MAX_ID_CHARS)))),
        ("status", required(one_of([FAILED_JOBS]))),
        ("updated_at", required(equals(text(40)))),
        ("select", required(one_of([JOB_COLUMNS.join(",")]))),
    ]);
    if let Some(any) = ways::Jobs::kind_filter(kinds) {
        query.insert("kind".to_owned(), required(one_of([any])));
    }
    Rule {
        query,
        headers: vec!["prefer: return=representation".to_owned()],
        body: Some(named([
            ("status", required(one_of(["queued"]))),
            ("attempts", required(one_of([0]))),
            ("updated_at", optional(one_of(["now"]))),
            ("run_at", optional(one_of(["now"]))),
            ("locked_at", optional(one_of([Value::Null]))),
            ("locked_by", optional(one_of([Value::Null]))),
        ])),
        confirm: Some(asked(table, "id")),
        answer: members(&JOB_COLUMNS),
        guards: of_kind(table, "id", kinds),
        ..rule("requeue", Method::Patch, &format!("/rest/v1/{table}"))
    }
}

fn by_function(table: &str, kinds: &[String]) -> Rule {
    Rule {
        body: Some(named([
            ("p_job_id", required(Shape::Integer { min: 1, max: i64::MAX })),
            ("p_actor", required(one_of(["bot"]))),
            ("p_expect_updated_at", optional(text(40))),
        ])),
        confirm: Some(Confirm { id_field: Some("p_request_id".to_owned()), ..asked(table, "p_job_id") }),
        answer: members(&["id", "status", "requeue_count", "replayed"]),
        guards: of_kind(table, "p_job_id", kinds),
        ..rule("requeue by function", Method::Post, "/rest/v1/rpc/requeue_job")
    }
}

/// The function takes any id, so the gate looks at the row's kind itself.
fn of_kind(table: &str, id: &str, kinds: &[String]) -> Vec<Guard> {
    let guard = Guard {
        path: format!("/rest/v1/{table}?id=eq.{{{id}}}&select=kind"),
        pointer: "/0/kind".to_owned(),
        holds: Holds::OneOf { values: kinds.to_vec() },
        otherwise: "there is no such job, or it is of a kind that is not let through".to_owned(),
    };
    if kinds.is_empty() { Vec::new() } else { vec![guard] }
}

fn asked(table: &str, id: &str) -> Confirm {
    let row = format!("/rest/v1/{table}?id=eq.{{{id}}}&select=kind,status,attempts,last_error");
    let facts = [("kind", "/0/kind"), ("status", "/0/status"), ("attempts", "/0/attempts"), ("error", "/0/last_error")];
    confirm(&format!("Queue job {{{id}}} again"), facts.map(|(label, pointer)| (label, row.as_str(), pointer)))
}
