//! `POST /pair/nonce`, `POST /pair`, `GET /pair/{request}`.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use platform_kit::Failure;
use platform_types::gate::{GateEvent, MAX_DEVICE_NAME_CHARS, PairingAttempt, Purpose, SignedText};
use platform_types::{DeviceId, ErrorCode, ProfileName, Timestamp};
use serde::{Deserialize, Serialize};

use super::requests::{Opened, Standing};
use crate::audit::record;
use crate::auth::{caller, signature};
use crate::config::{self, Config};
use crate::gate::Gate;
use crate::http::answer::{self, Body};
use crate::http::entrance::Arrival;
use crate::http::exchange::Exchange;
use crate::http::place::Place;
use crate::limits::MAX_PAIRING_BODY_BYTES;

/// What a device signs, besides its own id.
#[derive(Debug, Serialize)]
struct NonceAnswer<'a> {
    nonce: String,
    time: Timestamp,
    host: &'a str,
    profile: &'a ProfileName,
    /// Who tailscale says is here: for the name that the page proposes.
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    botctl: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PairRequest {
    public_key: String,
    name: String,
    nonce: String,
    time: Timestamp,
    signature: String,
    #[serde(default)]
    code: Option<String>,
}

#[derive(Debug, Serialize)]
struct Paired<'a> {
    device: &'a DeviceId,
    name: &'a str,
}

#[derive(Debug, Serialize)]
struct Waiting<'a> {
    request: &'a str,
    expires_at: Timestamp,
}

/// The answer to `GET /pair/{request}`.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum State {
    Pending,
    Accepted { device: DeviceId, name: String },
    Refused { reason: String },
    Expired,
}

/// `POST /pair/nonce`.
pub fn nonce(gate: &Gate, config: &Config, (place, arrival): (&Place, &Arrival)) -> Response<Body> {
    let time = gate.clock.now();
    let nonce = gate.pairing.nonces.issue(&place.host, time);
    let (login, botctl) = (arrival.login.as_deref(), config.botctl.as_deref());
    let answer = NonceAnswer { nonce, time, host: &place.host, profile: &config.profile, login, botctl };
    answer::json(StatusCode::OK, &answer)
}

/// `POST /pair`.
pub async fn pair(
    gate: &Arc<Gate>,
    config: &Config,
    (place, arrival): (&Place, Arrival),
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let exchange = request.extensions().get::<Exchange>().cloned();
    let wire: PairRequest = read(request, gate.limits.http.body_stall).await?;
    let now = gate.clock.now();
    allowed(gate, config, wire.code.as_deref(), now)?;
    let attempt = PairingAttempt { login: arrival.login, ..prove(gate, config, place, &wire, now)? };
    if let Some(device) = config.device(&attempt.device) {
        // The key is paired already, say because the answer to an earlier request was lost.
        return Ok(answer::json(StatusCode::OK, &Paired { device: &attempt.device, name: &device.name }));
    }
    let with_code = attempt.code_sha256.is_some();
    if let Some(exchange) = exchange.filter(|_| with_code) {
        exchange.vouch();
    }
    let opened = gate.pairing.requests.open(attempt.clone(), config.revision)?;
    if opened.new {
        tracing::info!(device = attempt.device.as_str(), with_code, "a device asks to be paired");
        let entry = serde_json::json!({ "id": attempt.id, "with_code": with_code });
        gate.note("pairing.attempted", &record::device(attempt.device.as_str()), entry);
        gate.events.tell(GateEvent::Pairing(attempt));
    }
    if with_code {
        return decided(gate, opened).await;
    }
    let waiting = Waiting { request: &opened.id, expires_at: opened.expires_at };
    Ok(answer::json(StatusCode::ACCEPTED, &waiting))
}

/// `GET /pair/{request}`: answers when there is news, or after a while.
pub async fn follow(gate: &Gate, id: &str) -> Response<Body> {
    let state = match gate.pairing.requests.follow(id, gate.clock.now()) {
        None => State::Expired,
        Some(mut follow) => {
            let news = follow.wait_for(|standing| *standing != Standing::Pending);
            let news = tokio::select! {
                news = tokio::time::timeout(gate.limits.pairing.poll_time, news) => news,
                // The page asks again, and finds the next gate.
                () = gate.stop.cancelled() => return answer::json(StatusCode::OK, &State::Pending),
            };
            match news {
                Ok(Ok(standing)) => State::from(standing.clone()),
                Ok(Err(_)) => State::Expired,
                Err(_) => State::Pending,
            }
        }
    };
    answer::json(StatusCode::OK, &state)
}

impl From<Standing> for State {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Pending => Self::Pending,
            Standing::Accepted { device, name } => Self::Accepted { device, name },
            Standing::Refused { reason } => Self::Refused { reason },
        }
    }
}

/// Waits for the supervisor's word on an attempt with a setup code.
async fn decided(gate: &Gate, mut opened: Opened) -> Result<Response<Body>, Failure> {
    let news = opened.follow.wait_for(|standing| *standing != Standing::Pending);
    let news = tokio::time::timeout(gate.limits.pairing.decision_time, news).await;
    match news {
        Ok(Ok(standing)) => match &*standing {
            Standing::Accepted { device, name } => Ok(answer::json(StatusCode::OK, &Paired { device, name })),
            Standing::Refused { reason } => Err(Failure::new(ErrorCode::Forbidden, reason.clone())),
            Standing::Pending => Err(no_word()),
        },
        Ok(Err(_)) | Err(_) => Err(no_word()),
    }
}

/// Checks nonce, time, place, signature and code.
fn prove(
    gate: &Gate,
    config: &Config,
    place: &Place,
    wire: &PairRequest,
    now: Timestamp,
) -> Result<PairingAttempt, Failure> {
    let key = config::parse_key(&wire.public_key)
        .ok_or_else(|| Failure::new(ErrorCode::BadRequest, "this is not a public key").with_param("public_key"))?;
    let device = config::device_id(&key);
    let issued = gate.pairing.nonces.take(&wire.nonce, now);
    let text = SignedText {
        purpose: Purpose::Pair,
        profile: &config.profile,
        host: &place.host,
        device: &device,
        nonce: &wire.nonce,
        time: wire.time,
    };
    if !issued.is_some_and(|issued| issued.at == wire.time && issued.host == place.host) {
        return Err(caller::wrong(gate, "the nonce is used or has expired; ask for a new one"));
    }
    if !signature::verify(&key, &text, &wire.signature) {
        return Err(caller::wrong(gate, "the signature does not fit"));
    }
    let code = wire.code.as_deref().map(config::digest);
    let paired = config.device(&device).is_some();
    if code.is_some_and(|digest| !paired && !config.knows_link(&digest, now)) {
        let command = config.command(&format!("open {}", config.profile));
        let message = format!("this setup link was used or has expired; run: {command}");
        return Err(caller::wrong(gate, &message));
    }
    Ok(PairingAttempt {
        id: platform_kit::random::id(),
        device,
        public_key: wire.public_key.clone(),
        name: tidy_name(&wire.name),
        at: now,
        code_sha256: code.map(|digest| HEXLOWER.encode(&digest)),
        login: None,
    })
}

async fn read(request: Request<Incoming>, time: Duration) -> Result<PairRequest, Failure> {
    let late = || Failure::new(ErrorCode::RequestTimeout, "the body did not arrive");
    let body = Limited::new(request.into_body(), MAX_PAIRING_BODY_BYTES).collect();
    let body = tokio::time::timeout(time, body).await.map_err(|_| late())?.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            Failure::new(ErrorCode::TooLarge, format!("the body is longer than {MAX_PAIRING_BODY_BYTES} bytes"))
        } else {
            late()
        }
    })?;
    serde_json::from_slice(&body.to_bytes())
        .map_err(|error| Failure::new(ErrorCode::BadRequest, format!("the body is not a pairing request: {error}")))
}

/// What people will read in a list: no control characters, nothing that turns the line around, not too long.
fn tidy_name(name: &str) -> String {
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    let visible: String =
        name.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !invisible(*c)).collect();
    let words: Vec<&str> = visible.split(' ').filter(|word| !word.is_empty()).collect();
    let name: String = words.join(" ").chars().take(MAX_DEVICE_NAME_CHARS).collect();
    if name.is_empty() { "device".to_owned() } else { name }
}

/// A good code always may; wrong ones and attempts without one are counted apart.
fn allowed(gate: &Gate, config: &Config, code: Option<&str>, now: Timestamp) -> Result<(), Failure> {
    let bucket = match code {
        Some(code) if config.knows_link(&config::digest(code), now) => return Ok(()),
        Some(_) => &gate.pairing.wrong_codes,
        None => &gate.pairing.attempts,
    };
    bucket.take(now).map_err(|seconds| {
        Failure::new(ErrorCode::RateLimited, "too many attempts to pair; try again later").with_retry_after(seconds)
    })
}

fn no_word() -> Failure {
    Failure::new(ErrorCode::SupervisorUnavailable, "the supervisor has not answered yet; try again").with_retry_after(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tidy() {
        let check = |name: &str, tidy: &str| assert_eq!(tidy_name(name), tidy);
        check("Anna's phone", "Anna's phone");
        check("  a \t\n b  ", "a b");
        check("\u{1b}[31mred\u{7}", "[31mred");
        check("abc\u{202e}cba\u{200b}", "abccba");
        check("", "device");
        check("\u{feff}", "device");
        check(&"x".repeat(100), &"x".repeat(48));
        check(&"ü".repeat(100), &"ü".repeat(48));
    }
}
