//! Who answers what: the gate's public face.

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use platform_kit::Failure;
use platform_types::gate::{Caller, Scope};
use platform_types::{BotName, ErrorCode, JobName};

use super::answer::{self, Body};
use super::entrance::{Arrival, Entrance};
use super::exchange::Exchange;
use super::listener::Service;
use super::place;
use crate::agent::forward::{self, AgentRoute, Verb};
use crate::audit::routes as audit;
use crate::auth::caller;
use crate::config::Config;
use crate::confirm::routes as confirm;
use crate::devices::routes as devices;
use crate::gate::Gate;
use crate::page;
use crate::pairing::routes as pairing;
use crate::socket::enter::{Side, Visit};
use crate::socket::upgrade;

/// Everything that is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    Index,
    /// A page of the gate's own.
    Own {
        document: &'static str,
    },
    Asset {
        hash: String,
        path: String,
    },
    RootFile {
        path: String,
    },
    Nonce,
    Pair,
    FollowPairing {
        id: String,
    },
    Socket {
        side: Side,
    },
    /// The cards.
    Cards,
    Decide {
        id: String,
    },
    /// A word on a request to pair.
    Admit {
        id: String,
    },
    /// The gate's record.
    Audit,
    /// A new key for the device that asks.
    Rekey,
    Agent(AgentRoute),
}

impl Route {
    fn find(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        Some(match segments.as_slice() {
            [""] => Self::Index,
            ["confirmations"] => Self::Own { document: "confirmations.html" },
            ["devices"] => Self::Own { document: "devices.html" },
            ["cron"] => Self::Own { document: "cron.html" },
            ["api", "cron"] => Self::Agent(AgentRoute::Jobs),
            ["api", "cron", bot, job, what] => Self::Agent(job_route(bot, job, what)?),
            ["timeline"] => Self::Own { document: "timeline.html" },
            ["gate", "audit"] => Self::Audit,
            ["api", "audit"] => Self::Agent(AgentRoute::Audit { before: u64::MAX }),
            ["assets", hash, rest @ ..] => Self::Asset { hash: (*hash).to_owned(), path: rest.join("/") },
            ["pair"] => Self::Pair,
            ["pair", "nonce"] => Self::Nonce,
            ["pair", id] if is_id(id) => Self::FollowPairing { id: (*id).to_owned() },
            ["ws"] => Self::Socket { side: Side::Agent },
            ["gate", "ws"] => Self::Socket { side: Side::Gate },
            ["gate", "confirmations"] => Self::Cards,
            ["gate", "confirmations", id] if is_id(id) => Self::Decide { id: (*id).to_owned() },
            ["gate", "pairings", id] if is_id(id) => Self::Admit { id: (*id).to_owned() },
            ["gate", "device", "key"] => Self::Rekey,
            ["api", "sessions", id, "export"] if is_id(id) => {
                Self::Agent(AgentRoute::Export { session: (*id).to_owned() })
            }
            ["v1", "models"] => Self::Agent(AgentRoute::Models),
            ["v1", "chat", "completions"] => Self::Agent(AgentRoute::Completions),
            [file] if page::is_root_file(file) => Self::RootFile { path: (*file).to_owned() },
            _ => return None,
        })
    }

    /// For the header `allow`.
    fn methods(&self) -> &'static str {
        match self {
            Self::Index | Self::Own { .. } | Self::Asset { .. } | Self::RootFile { .. } => "GET, HEAD",
            Self::Nonce | Self::Pair | Self::Decide { .. } | Self::Admit { .. } | Self::Rekey => "POST",
            Self::Agent(agent) if agent.method() == Method::POST => "POST",
            Self::FollowPairing { .. } | Self::Socket { .. } | Self::Cards | Self::Audit | Self::Agent(_) => "GET",
        }
    }

    /// What changes something, and what only the profile's own page may ask: the Origin has to be there.
    fn needs_origin(&self) -> bool {
        match self {
            Self::Nonce | Self::Pair | Self::Decide { .. } | Self::Admit { .. } | Self::Rekey => true,
            Self::Agent(agent) => matches!(agent, AgentRoute::JobCommand { .. }),
            _ => false,
        }
    }

    /// Scripts have tokens of their own, and no user of the tailnet behind them.
    fn is_for_scripts(&self) -> bool {
        matches!(self, Self::Agent(AgentRoute::Models | AgentRoute::Completions))
    }

    fn allows(&self, method: &Method) -> bool {
        self.methods().split(", ").any(|allowed| allowed == method.as_str())
    }
}

/// What is asked about one job by the clock.
fn job_route(bot: &str, job: &str, what: &str) -> Option<AgentRoute> {
    let (bot, job) = (BotName::new(bot).ok()?, JobName::new(job).ok()?);
    match what {
        "runs" => Some(AgentRoute::Runs { bot, job }),
        verb => Verb::from_word(verb).map(|verb| AgentRoute::JobCommand { bot, job, verb }),
    }
}

/// 16 bytes in lower-case hex.
pub fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The public face at one of its entrances.
#[derive(Debug)]
pub struct Public {
    pub gate: Arc<Gate>,
    pub entrance: Entrance,
}

impl Service for Public {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let Self { gate, entrance } = &*self;
        gate.tally.request();
        let upgrade = request.headers().contains_key(header::UPGRADE);
        let path = request.uri().path().to_owned();
        let mut response = match route(gate, *entrance, request).await {
            Ok(response) => response,
            Err(failure) => {
                gate.tally.failure(&failure);
                let mut response = answer::failure(&failure);
                if failure.code == ErrorCode::MethodNotAllowed
                    && let Some(route) = Route::find(&path)
                {
                    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(route.methods()));
                }
                response
            }
        };
        // What follows a refused upgrade is not read as HTTP.
        if upgrade && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn connected(&self, change: i64) {
        self.gate.tally.connected(change);
    }

    fn displaced(&self) {
        self.gate.tally.displaced("connections");
    }

    fn refused(&self, failure: &Failure) {
        self.gate.tally.failure(failure);
    }
}

async fn route(gate: &Arc<Gate>, entrance: Entrance, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
    let config = gate.config.get()?;
    let place = place::check(&config.places, request.method(), request.uri(), request.headers())?;
    let arrival = Arrival::of(entrance, request.headers());
    arrival.check(&config, place)?;
    let route = Route::find(request.uri().path()).ok_or_else(not_found)?;
    if !route.is_for_scripts() {
        arrival.check_user(&config)?;
    }
    if !route.allows(request.method()) {
        let message = format!("this route takes {}", route.methods());
        return Err(Failure::new(ErrorCode::MethodNotAllowed, message));
    }
    if route.needs_origin() {
        place::require_origin(request.headers())?;
    }
    match route {
        Route::Index => gate.page.document("index.html", place).ok_or_else(not_found),
        Route::Own { document } => gate.page.document(document, place).ok_or_else(not_found),
        Route::Asset { hash, path } => gate.page.asset(&hash, &path).ok_or_else(not_found),
        Route::RootFile { path } => gate.page.root_file(&path).ok_or_else(not_found),
        Route::Nonce => Ok(pairing::nonce(gate, &config, (place, &arrival))),
        Route::Pair => pairing::pair(gate, &config, (place, arrival), request).await,
        Route::FollowPairing { id } => Ok(pairing::follow(gate, &id).await),
        Route::Socket { side } => upgrade::upgrade(gate, Visit { place: place.clone(), side, arrival }, request).await,
        Route::Cards => {
            caller::device(gate, &config, request.headers())?;
            vouch(&request);
            Ok(confirm::list(gate, request.headers()).await)
        }
        Route::Audit => {
            audit::admin(gate, &config, request.headers())?;
            vouch(&request);
            audit::show(gate, &config, audit::before(request.uri().query())?)
        }
        Route::Decide { id } => confirm::decide(gate, &config, &id, request).await,
        Route::Admit { id } => devices::admit(gate, &id, request).await,
        Route::Rekey => devices::rotate(gate, place, request).await,
        Route::Agent(agent) => {
            let caller = match agent {
                AgentRoute::Export { .. } => caller::ticket(gate, &config, request.headers())?,
                AgentRoute::Audit { .. } => audit::admin(gate, &config, request.headers())?,
                AgentRoute::Jobs | AgentRoute::Runs { .. } => {
                    Caller::Device { id: caller::device(gate, &config, request.headers())? }
                }
                AgentRoute::JobCommand { .. } => approver(gate, &config, request.headers())?,
                AgentRoute::Models | AgentRoute::Completions => caller::token(gate, &config, request.headers())?,
            };
            vouch(&request);
            let agent = match agent {
                AgentRoute::Audit { .. } => AgentRoute::Audit { before: audit::before(request.uri().query())? },
                agent => agent,
            };
            forward::forward(gate, agent, &caller, request.into_body()).await
        }
    }
}

/// The device that asks, if it may decide what a bot does.
fn approver(gate: &Gate, config: &Config, headers: &HeaderMap) -> Result<Caller, Failure> {
    let id = caller::device(gate, config, headers)?;
    if config.device(&id).is_some_and(|device| device.may(Scope::Approve)) {
        return Ok(Caller::Device { id });
    }
    Err(Failure::new(ErrorCode::Forbidden, "this device may not run or pause jobs; it needs the scope approve"))
}

/// The caller has shown who he is.
fn vouch(request: &Request<Incoming>) {
    if let Some(exchange) = request.extensions().get::<Exchange>() {
        exchange.vouch();
    }
}

fn not_found() -> Failure {
    Failure::new(ErrorCode::NotFound, "there is nothing here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_routes() {
        let check = |path: &str, methods: Option<&str>| {
            assert_eq!(Route::find(path).map(|route| route.methods()), methods, "{path}");
        };
        let id = "0123456789abcdef0123456789abcdef";
        check("/", Some("GET, HEAD"));
        check("/assets/abc/app.js", Some("GET, HEAD"));
        check("/assets/abc/elements/x.js", Some("GET, HEAD"));
        check("/manifest.webmanifest", Some("GET, HEAD"));
        check("/pair", Some("POST"));
        check("/pair/nonce", Some("POST"));
        check(&format!("/pair/{id}"), Some("GET"));
        check("/ws", Some("GET"));
        check("/confirmations", Some("GET, HEAD"));
        check("/devices", Some("GET, HEAD"));
        check(&format!("/gate/pairings/{id}"), Some("POST"));
        check("/gate/device/key", Some("POST"));
        check("/timeline", Some("GET, HEAD"));
        check("/cron", Some("GET, HEAD"));
        check("/api/cron", Some("GET"));
        check("/api/cron/learning/recap/runs", Some("GET"));
        check("/api/cron/learning/recap/run", Some("POST"));
        check("/api/cron/learning/recap/pause", Some("POST"));
        check("/api/cron/learning/recap/resume", Some("POST"));
        check("/gate/audit", Some("GET"));
        check("/api/audit", Some("GET"));
        check("/gate/ws", Some("GET"));
        check("/gate/confirmations", Some("GET"));
        check(&format!("/gate/confirmations/{id}"), Some("POST"));
        check(&format!("/api/sessions/{id}/export"), Some("GET"));
        check("/v1/models", Some("GET"));
        check("/v1/chat/completions", Some("POST"));
        for path in [
            "",
            "//",
            "/index.html",
            "/ws/",
            "/pair/",
            "/pair/../ws",
            "/api/sessions/../export",
            "/api/sessions/%2e%2e/export",
            "/api/sessions",
            "/v1/embeddings",
            "/v1/models/x",
            "/healthz",
            "/activate",
            "/sw.js",
            "/gate",
            "/gate/",
            "/gate/confirmations/",
            "/gate/confirmations/x",
            "/confirmations/",
            "/confirmations.html",
            "/devices.html",
            "/timeline.html",
            "/cron.html",
            "/api/cron/",
            "/api/cron/learning/recap",
            "/api/cron/learning/recap/drop",
            "/api/cron/Learning/recap/run",
            "/api/cron/../recap/run",
            "/api/cron/learning/%2e%2e/run",
            "/audit",
            "/gate/pairings",
            "/gate/pairings/x",
            "/gate/device",
            "/anchor",
        ] {
            check(path, None);
        }
    }
}
