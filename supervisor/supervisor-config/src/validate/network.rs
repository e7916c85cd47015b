//! URLs, origins and networks.

use core::net::IpAddr;

use url::{Host, Url};

use super::Context;
use crate::path::KeyPath;

impl Context<'_> {
    /// An `http` or `https` URL without credentials, query and fragment.
    pub(super) fn url(&mut self, text: &str, path: &KeyPath) -> Option<Url> {
        let remedy = "Write a URL such as \"https://host.example.ts.net\".";
        let Ok(url) = Url::parse(text) else {
            self.report.error(path, format!("{text:?} is not a URL"), remedy);
            return None;
        };
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || url.port() == Some(0) {
            self.report.error(path, format!("{text:?} is not an http or https URL"), remedy);
            return None;
        }
        if !url.username().is_empty() || url.password().is_some() {
            let remedy = "Remove them from the URL and store them: botctl secret set NAME";
            self.report.error(path, "the URL holds credentials", remedy);
            return None;
        }
        if url.query().is_some() || url.fragment().is_some() {
            self.report.error(path, "the URL has a query or a fragment", "Remove everything from '?' or '#' on.");
            return None;
        }
        Some(url)
    }

    /// What browsers send as `Origin`: scheme, host and port. Plain `http` never leaves this machine.
    pub(super) fn origin(&mut self, text: &str, path: &KeyPath) -> Option<String> {
        let url = self.url(text, path)?;
        let origin = url.origin().ascii_serialization();
        if url.path() != "/" {
            self.report.error(path, format!("{text:?} has a path"), format!("Write {origin:?}."));
            return None;
        }
        if url.scheme() == "http" && !is_loopback(&url) {
            let message = format!("{text:?} is not encrypted");
            let remedy = format!("Write {:?}, as `tailscale serve` gives it.", origin.replacen("http:", "https:", 1));
            self.report.error(path, message, remedy);
            return None;
        }
        Some(origin)
    }

    /// A network in CIDR notation, without bits beyond its prefix.
    pub(super) fn network(&mut self, text: &str, path: &KeyPath) -> Option<String> {
        let valid = text.split_once('/').and_then(|(address, prefix)| {
            let address: IpAddr = address.parse().ok()?;
            let prefix: u32 = prefix.parse().ok()?;
            let beyond = match address {
                IpAddr::V4(address) => u32::from(address).checked_shl(prefix).unwrap_or(0) == 0 && prefix <= 32,
                IpAddr::V6(address) => u128::from(address).checked_shl(prefix).unwrap_or(0) == 0 && prefix <= 128,
            };
            beyond.then(|| format!("{address}/{prefix}"))
        });
        if valid.is_none() {
            let message = format!("{text:?} is not a network");
            self.report.error(path, message, "Write a network such as \"192.168.1.0/24\".");
        }
        valid
    }
}

/// The URL's host is this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The URL's host is found by multicast DNS only.
pub(super) fn is_multicast_name(url: &Url) -> bool {
    url.host_str().and_then(|name| name.trim_end_matches('.').rsplit('.').next()) == Some("local")
}
