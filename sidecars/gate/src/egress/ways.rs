//! The upstreams in force. One that makes no sense is there by name, so that its requests are refused with the reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use gate_rules::address::Networks;
use gate_rules::senders;
use http::Uri;
use platform_types::UpstreamName;
use platform_types::channel::{Channel, ChatId};
use platform_types::egress::{GATE_HOST, Upstream};

use super::trust::Trust;

/// An upstream whose rules and URL were checked.
#[derive(Debug)]
pub struct Way {
    pub upstream: Upstream,
    /// `None`: plain `http`.
    pub tls: Option<Trust>,
    /// Of the URL, without brackets.
    pub host: String,
    pub port: u16,
    /// For the header `host`.
    pub authority: String,
    /// Of the URL, without a slash at the end; before every path.
    pub prefix: String,
    pub networks: Networks,
}

impl Way {
    fn parse(upstream: Upstream) -> Result<Self, String> {
        if upstream.name.as_str() == GATE_HOST {
            return Err(format!("no upstream may be called {GATE_HOST}"));
        }
        if let Err(problems) = gate_rules::check(&upstream) {
            return Err(problems.first().map(ToString::to_string).unwrap_or_default());
        }
        let uri: Uri = upstream.url.parse().map_err(|_| "its url cannot be read".to_owned())?;
        let tls = match uri.scheme_str() {
            Some("http") if upstream.ca.is_some() => return Err("it has a ca, and its url is not https".to_owned()),
            Some("http") => None,
            Some("https") => Some(upstream.ca.as_deref().map_or_else(|| Ok(Trust::web()), Trust::own)?),
            _ => return Err("its url is neither http nor https".to_owned()),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let authority = authority.ok_or("its url has no host, or a user")?;
        if uri.query().is_some() {
            return Err("its url has a query".to_owned());
        }
        let networks = Networks::parse(&upstream.networks);
        let networks = networks.map_err(|text| format!("{text:?} is not a network in CIDR notation"))?;
        Ok(Self {
            networks,
            port: authority.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 }),
            tls,
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            authority: authority.as_str().to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            upstream,
        })
    }
}

/// All ways out of a profile, and the channels that go through some of them.
#[derive(Debug, Clone, Default)]
pub struct Ways {
    ways: BTreeMap<UpstreamName, Result<Arc<Way>, String>>,
    channels: BTreeMap<UpstreamName, Channel>,
}

impl Ways {
    pub fn new(upstreams: Vec<Upstream>, channels: Vec<Channel>) -> Self {
        let mut ways = BTreeMap::new();
        for upstream in upstreams {
            let name = upstream.name.clone();
            let way = if ways.contains_key(&name) {
                Err("there are two upstreams of this name".to_owned())
            } else {
                Way::parse(upstream).map(Arc::new)
            };
            ways.insert(name, way);
        }
        let channels = channels.into_iter().map(|channel| (channel.name.clone(), channel));
        Self { ways, channels: channels.collect() }
    }

    /// The way of this name; `None` when there is none, an error when it is closed.
    pub fn get(&self, name: &str) -> Option<Result<&Arc<Way>, &str>> {
        let name = UpstreamName::new(name).ok()?;
        self.ways.get(&name).map(|way| way.as_ref().map_err(String::as_str))
    }

    /// The channel that goes through an upstream.
    pub fn channel(&self, upstream: &UpstreamName) -> Option<&Channel> {
        self.channels.get(upstream)
    }

    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
    }

    /// Whether the agent may write to a chat of an upstream.
    pub fn is_known_chat(&self, upstream: &UpstreamName, chat: &str) -> bool {
        let known = |channel| ChatId::parse(chat).is_some_and(|chat| senders::is_known_chat(channel, chat));
        self.channel(upstream).is_some_and(known)
    }

    /// The ways that are open.
    pub fn open(&self) -> impl Iterator<Item = &Arc<Way>> {
        self.ways.values().filter_map(|way| way.as_ref().ok())
    }

    /// What people should know: ways that are closed.
    pub fn notes(&self) -> Vec<String> {
        let closed = self.ways.iter().filter_map(|(name, way)| Some((name, way.as_ref().err()?)));
        closed.map(|(name, problem)| format!("upstream {name} is closed: {problem}")).collect()
    }
}
