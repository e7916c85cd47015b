//! Who answers what on `egress.sock`: the Host names an upstream, or the gate itself.

use std::sync::{Arc, Mutex, PoisonError};

use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::audit::Anchor;
use platform_types::egress::{AnswerFilter, GATE_HOST};
use serde_json::json;

use super::guard;
use super::outgoing::{Lost, Reply};
use super::request::{Asked, read_body};
use super::ways::Way;
use crate::audit::record::AGENT;
use crate::audit::trail::Durable;
use crate::auth::bucket::Bucket;
use crate::config::Config;
use crate::confirm::{ask, routes};
use crate::gate::{Gate, SharedBucket};
use crate::http::answer::{self, Body};
use crate::http::listener::Service;
use crate::{senders, tally};

/// Longest body of an anchor.
const MAX_ANCHOR_BYTES: usize = 512;

/// Answers the agent.
#[derive(Debug)]
pub struct Egress {
    gate: Arc<Gate>,
    requests: SharedBucket,
    anchors: SharedBucket,
    denied: Mutex<DeniedLines>,
}

/// Denied requests share lines of the audit when there are many.
#[derive(Debug)]
struct DeniedLines {
    bucket: Bucket,
    more: u64,
}

impl Egress {
    pub fn new(gate: Arc<Gate>) -> Arc<Self> {
        let limits = &gate.limits.egress;
        let denied = DeniedLines { bucket: Bucket::new(limits.denied_lines, 1_000), more: 0 };
        Arc::new(Self {
            requests: SharedBucket::new(limits.requests, 100),
            anchors: SharedBucket::new(limits.anchors, 1_000),
            denied: Mutex::new(denied),
            gate,
        })
    }

    async fn route(self: &Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if host == GATE_HOST {
            return self.own(request).await;
        }
        let host = host.to_owned();
        self.requests.take(self.gate.clock.now()).map_err(too_many)?;
        let asked = Asked::read(request, self.gate.limits.http.body_stall).await?;
        self.upstream(&host, &asked).await
    }

    /// The gate's own routes.
    async fn own(&self, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
        let path = request.uri().path().to_owned();
        let id = path.strip_prefix("/confirmations/").filter(|id| crate::http::routes::is_id(id));
        match (request.method(), id) {
            (&Method::GET, Some(id)) => Ok(answer::json(StatusCode::OK, &routes::outcome(&self.gate, id).await?)),
            (&Method::POST, None) if path == "/anchor" => self.anchor(request).await,
            _ => Err(Failure::new(ErrorCode::NotFound, "the gate has no such route")),
        }
    }

    async fn anchor(&self, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
        let gate = &self.gate;
        self.anchors.take(gate.clock.now()).map_err(too_many)?;
        let body = read_body(request.into_body(), MAX_ANCHOR_BYTES, gate.limits.http.body_stall).await?;
        let head: Anchor = serde_json::from_slice(&body)
            .map_err(|error| Failure::new(ErrorCode::BadRequest, format!("the body is not an anchor: {error}")))?;
        let is_hash =
            head.hash.len() == 64 && head.hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if head.n == 0 || !is_hash {
            return Err(Failure::new(ErrorCode::BadRequest, "an anchor has a number from 1 and a SHA-256 in hex"));
        }
        gate.anchors.keep(&gate.config.get()?.profile, gate.clock.now(), head)?;
        let mut response = answer::json(StatusCode::NO_CONTENT, &());
        *response.body_mut() = answer::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
        Ok(response)
    }

    async fn upstream(self: &Arc<Self>, name: &str, asked: &Asked) -> Result<Response<Body>, Failure> {
        let gate = &self.gate;
        let config = gate.config.get()?;
        let (way, admitted) = match admit(&config, name, asked) {
            Ok(found) => found,
            Err(denied) => {
                self.denied(name, asked, &denied)?;
                return Err(Failure::new(ErrorCode::EgressDenied, denied.why));
            }
        };
        let rule = &way.upstream.rules[admitted.rule];
        if let Err(why) = guard::check(gate, way, &admitted).await {
            self.denied(name, asked, &Refused { rule: Some(rule.name.clone()), why: why.clone() })?;
            return Err(Failure::new(ErrorCode::EgressDenied, why));
        }
        if let Some(confirm) = &rule.confirm {
            let asked = ask::ask(gate, &config, way, asked, (admitted, confirm)).await?;
            return Ok(answer::json(StatusCode::ACCEPTED, &asked));
        }
        let entry = json!({ "upstream": way.upstream.name, "rule": rule.name, "method": asked.method, "path": asked.path(), "turn": asked.turn });
        let durable = if asked.method == "GET" { Durable::Soon } else { Durable::Now };
        let (egress, way) = (self.clone(), way.clone());
        // It is finished and recorded also where the agent does not wait for the answer.
        let performing = gate.tasks.track_future(async move {
            let is_poll = way.upstream.rules[admitted.rule].answer == AnswerFilter::Updates;
            let reply = if is_poll {
                senders::receive(&egress.gate, &way, &admitted).await
            } else {
                egress.gate.outside.perform(&way, &admitted).await
            };
            // A question for updates is no act: what came of it is recorded where something came.
            let durable = if is_poll { Durable::Soon } else { durable };
            if !is_poll || reply.is_err() {
                egress.performed(entry, &reply, durable)?;
            }
            reply.map_err(Lost::failure)
        });
        let performed = platform_kit::task::spawn("upstream request", performing).await;
        performed.map_err(|_| Failure::new(ErrorCode::Internal, "the request was cut off"))?.map(pass)
    }

    /// Counts and records a request that a rule allows.
    fn performed(
        &self,
        mut entry: serde_json::Value,
        reply: &Result<Reply, Lost>,
        durable: Durable,
    ) -> Result<(), Failure> {
        let (kind, outcome) = match reply {
            Ok(reply) => {
                entry["status"] = reply.status.as_u16().into();
                ("egress.allowed", tally::Egress::Allowed)
            }
            Err(Lost::Before(failure) | Lost::After(failure)) => {
                let denied = failure.code == ErrorCode::EgressDenied;
                entry["error"] = failure.code.as_str().into();
                entry["why"] = failure.message.as_str().into();
                if denied { ("egress.denied", tally::Egress::Denied) } else { ("egress.failed", tally::Egress::Failed) }
            }
        };
        self.gate.tally.egress(outcome);
        self.gate.record(kind, AGENT, entry, durable)
    }

    /// Counts and records a request that no rule allows.
    fn denied(&self, upstream: &str, asked: &Asked, denied: &Refused) -> Result<(), Failure> {
        let gate = &self.gate;
        gate.tally.egress(tally::Egress::Denied);
        let more = {
            let mut lines = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.bucket.take(gate.clock.now()).is_err() {
                lines.more += 1;
                return Ok(());
            }
            std::mem::take(&mut lines.more)
        };
        let upstream = platform_types::text::neutral_cut(upstream, 64);
        let entry = json!({
            "upstream": upstream, "rule": denied.rule, "method": asked.method, "path": asked.path(),
            "why": denied.why, "turn": asked.turn, "denied_before": more,
        });
        gate.record("egress.denied", AGENT, entry, Durable::Soon)
    }
}

/// Why a request does not pass.
struct Refused {
    rule: Option<String>,
    why: String,
}

fn admit<'a>(config: &'a Config, name: &str, asked: &Asked) -> Result<(&'a Arc<Way>, gate_rules::Admitted), Refused> {
    let refused = |why: String| Refused { rule: None, why };
    let way = config.ways.get(name).ok_or_else(|| refused("there is no upstream of this name".to_owned()))?;
    let way = way.map_err(|problem| refused(format!("this upstream is closed: {problem}")))?;
    let admitted = asked.with_rules(|request| {
        gate_rules::admit(&way.upstream, request, &|chat: &str| config.ways.is_known_chat(&way.upstream.name, chat))
    });
    admitted.map(|admitted| (way, admitted)).map_err(|denied| Refused { why: denied.to_string(), rule: denied.rule })
}

/// An upstream's answer, with the gate's own headers.
fn pass(reply: Reply) -> Response<Body> {
    let mut response = Response::new(answer::full(reply.body));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    answer::harden(headers);
    if let Some(value) = reply.content_type.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    response
}

fn too_many(seconds: u32) -> Failure {
    Failure::new(ErrorCode::RateLimited, "too many requests; try again later").with_retry_after(seconds)
}

impl Service for Egress {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let upgrade = request.headers().contains_key(header::UPGRADE);
        let outcome = if upgrade {
            Err(Failure::new(ErrorCode::BadRequest, "nothing is upgraded here"))
        } else {
            self.route(request).await
        };
        let mut response = outcome.unwrap_or_else(|failure| {
            self.gate.tally.failure(&failure);
            answer::failure(&failure)
        });
        // What follows a refused upgrade is not read as HTTP.
        if upgrade {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn connected(&self, _change: i64) {}

    fn displaced(&self) {
        self.gate.tally.displaced("connections of the agent");
    }

    fn refused(&self, failure: &Failure) {
        self.gate.tally.failure(failure);
    }
}
