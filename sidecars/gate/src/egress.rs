//! `egress.sock`: the agent's way out. No upstream can be configured yet, so every request is refused.

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use platform_kit::Failure;
use platform_types::ErrorCode;

use crate::gate::Gate;
use crate::http::answer::{self, Body};
use crate::http::listener::Service;

/// Answers the agent.
#[derive(Debug)]
pub struct Egress {
    gate: Arc<Gate>,
}

impl Egress {
    pub fn new(gate: Arc<Gate>) -> Arc<Self> {
        Arc::new(Self { gate })
    }
}

impl Service for Egress {
    async fn answer(self: Arc<Self>, _request: Request<Incoming>) -> Response<Body> {
        let failure = Failure::new(ErrorCode::Forbidden, "no upstream is configured");
        self.gate.tally.failure(&failure);
        answer::failure(&failure)
    }

    fn connected(&self, _change: i64) {}

    fn displaced(&self) {
        self.gate.tally.displaced("connections of the agent");
    }

    fn refused(&self, failure: &Failure) {
        self.gate.tally.failure(failure);
    }
}
