//! What `tailscale serve status --json` says, as far as it concerns our ports.

use std::collections::BTreeMap;

use serde::Deserialize;

/// How tailscale was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tailscale {
    /// There is no such program here.
    NotInstalled,
    /// It did not answer.
    Failed(String),
    Answered(Serve),
}

/// What is served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Serve {
    /// `host:port` of the tailnet to where its root path is forwarded.
    pub proxies: BTreeMap<String, String>,
    /// `host:port` that the whole internet reaches.
    pub funnels: Vec<String>,
}

impl Serve {
    /// Reads the JSON; an empty configuration is `{}`.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let mut serve = Self::default();
        serve.take(serde_json::from_slice(json)?);
        Ok(serve)
    }

    fn take(&mut self, config: ServeConfig) {
        for (host, web) in config.web {
            if let Some(proxy) = web.handlers.get("/").and_then(|handler| handler.proxy.clone()) {
                self.proxies.insert(host, proxy);
            }
        }
        self.funnels.extend(config.allow_funnel.into_iter().filter(|(_, open)| *open).map(|(host, _)| host));
        for (_, config) in config.foreground {
            self.take(config);
        }
    }

    /// The `host:port` under which a local port is served.
    pub fn of_port(&self, port: u16) -> Option<&str> {
        self.proxies.iter().find(|(_, proxy)| leads_to(proxy, port)).map(|(host, _)| host.as_str())
    }

    /// The `host:port` under which a socket is served.
    pub fn of_socket(&self, path: &str) -> Option<&str> {
        self.proxies.iter().find(|(_, proxy)| proxy.strip_prefix("unix:") == Some(path)).map(|(host, _)| host.as_str())
    }
}

/// Whether a proxy's target is this port of the loopback.
pub fn leads_to(proxy: &str, port: u16) -> bool {
    let rest = proxy.split_once("://").map_or(proxy, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    ["127.0.0.1", "localhost"].iter().any(|host| authority == format!("{host}:{port}"))
}

/// Tailscale's `ipn.ServeConfig`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ServeConfig {
    web: BTreeMap<String, Web>,
    allow_funnel: BTreeMap<String, bool>,
    /// Served for as long as a `tailscale serve` runs in the foreground.
    foreground: BTreeMap<String, ServeConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Web {
    handlers: BTreeMap<String, Handler>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Handler {
    proxy: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_served_and_what_is_open_to_the_internet() {
        let json = br#"{
            "TCP": {"443": {"HTTPS": true}, "8443": {"HTTPS": true}},
            "Web": {
                "vm102.example.ts.net:443": {"Handlers": {"/": {"Proxy": "http://127.0.0.1:18789"}}},
                "vm102.example.ts.net:8443": {"Handlers": {"/": {"Proxy": "http://localhost:18790/"}, "/x": {"Path": "/srv"}}}
            },
            "AllowFunnel": {"vm102.example.ts.net:443": true, "vm102.example.ts.net:8443": false},
            "Foreground": {"1a": {"Web": {"vm102.example.ts.net:9000": {"Handlers": {"/": {"Proxy": "http://127.0.0.1:9000"}}}}}}
        }"#;
        let serve = Serve::parse(json).unwrap();
        assert_eq!(serve.of_port(18789), Some("vm102.example.ts.net:443"));
        assert_eq!(serve.of_port(18790), Some("vm102.example.ts.net:8443"));
        assert_eq!(serve.of_port(9000), Some("vm102.example.ts.net:9000"));
        assert_eq!(serve.of_port(1878), None);
        assert_eq!(serve.funnels, ["vm102.example.ts.net:443"]);
        assert_eq!(Serve::parse(b"{}").unwrap(), Serve::default());
        assert!(Serve::parse(b"nonsense").is_err());
    }
}
