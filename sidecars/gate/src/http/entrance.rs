//! The two ways into the gate, and what is believed on each.
//!
//! The **port** is published on the host's loopback: every program of the host reaches it and writes whatever headers it likes, so
//! nothing that a request says about who sent it is believed there. The **tailnet socket** lies in a directory that only root
//! reaches; `tailscale serve` forwards to it, removes the identity headers that a client sent and writes its own. There the
//! login is believed. It is a hint, and where the profile names its users a condition; a device's key is needed all the same.

use http::header::{HeaderMap, HeaderName};
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::gate::MAX_LOGIN_CHARS;

use super::place::Place;
use crate::config::Config;

const LOGIN: HeaderName = HeaderName::from_static("tailscale-user-login");
const FUNNEL: HeaderName = HeaderName::from_static("tailscale-funnel-request");
/// What a proxy writes whatever the client sent: `tailscale serve` sets all three, and its identity beside them.
const FORWARDED: [HeaderName; 4] = [
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    LOGIN,
];

/// Where a connection came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    Port,
    Tailnet,
}

/// How a request came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    entrance: Entrance,
    /// Who tailscale says it is; only over its socket.
    pub login: Option<String>,
    /// A proxy wrote in it, or somebody who plays one.
    forwarded: bool,
    /// From the internet.
    funnel: bool,
}

impl Arrival {
    pub fn of(entrance: Entrance, headers: &HeaderMap) -> Self {
        let login = headers.get(LOGIN).and_then(|value| value.to_str().ok()).map(str::trim);
        let login = login.filter(|login| !login.is_empty() && login.len() <= MAX_LOGIN_CHARS);
        Self {
            entrance,
            login: login.filter(|_| entrance == Entrance::Tailnet).map(str::to_owned),
            forwarded: FORWARDED.iter().any(|name| headers.contains_key(name)),
            funnel: headers.contains_key(FUNNEL),
        }
    }

    /// Whether this way leads to this place. On the socket only the profile's address is answered. Where the profile names its
    /// tailnet users, what comes from the tailnet has to come over the socket: on the port nobody knows who it is.
    pub fn check(&self, config: &Config, place: &Place) -> Result<(), Failure> {
        let refuse = |message: &str| Err(Failure::new(ErrorCode::ForeignOrigin, message));
        match self.entrance {
            Entrance::Tailnet if self.funnel => refuse("this profile is not for the internet; close the funnel"),
            Entrance::Tailnet if place.is_local => refuse("only the profile's address is answered here"),
            Entrance::Port if !config.tailscale_users.is_empty() && (self.forwarded || !place.is_local) => refuse(
                "this profile asks tailscale who is there: let tailscale serve forward to the gate's tailnet socket, not to the port",
            ),
            Entrance::Port | Entrance::Tailnet => Ok(()),
        }
    }

    /// For what browsers ask: whether this user of the tailnet may come in at all.
    pub fn check_user(&self, config: &Config) -> Result<(), Failure> {
        let users = &config.tailscale_users;
        let named = |login: &String| users.iter().any(|user| user.eq_ignore_ascii_case(login));
        if self.entrance == Entrance::Port || users.is_empty() || self.login.as_ref().is_some_and(named) {
            return Ok(());
        }
        Err(Failure::new(
            ErrorCode::Forbidden,
            "this user of the tailnet may not use the profile; its tailscale_users are in platform.toml",
        ))
    }
}
