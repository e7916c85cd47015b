//! Exact Host and Origin.
//!
//! A place is one way to reach the profile: a Host and the Origin that belongs to it. A request names one of them
//! exactly, or it is refused: that stops DNS rebinding. What another site's page sends is refused too: that stops
//! cross-site requests and WebSocket hijacking. Two profiles on one host are different origins but the same *site*, so
//! `same-site` is foreign as well.

use http::header::{self, HeaderMap, HeaderName};
use http::{Method, Uri};
use platform_kit::Failure;
use platform_types::{ErrorCode, Port};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// One way to reach the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As browsers write it: lower case, without a default port.
    pub host: String,
    /// Scheme and host.
    pub origin: String,
    /// The same with `ws` or `wss`.
    pub socket_origin: String,
    /// The published port on this machine, not the profile's address.
    pub is_local: bool,
}

impl Place {
    fn new(scheme: &str, host: String, is_local: bool) -> Self {
        let socket = if scheme == "https" { "wss" } else { "ws" };
        Self { origin: format!("{scheme}://{host}"), socket_origin: format!("{socket}://{host}"), host, is_local }
    }
}

/// The two local places of a port, and the profile's address.
pub fn places(port: Port, address: Option<&str>) -> Result<Vec<Place>, String> {
    let local = |host| Place::new("http", format!("{host}:{port}"), true);
    let mut places = vec![local("127.0.0.1"), local("localhost")];
    if let Some(address) = address {
        places.push(parse(address)?);
    }
    Ok(places)
}

fn parse(address: &str) -> Result<Place, String> {
    let wrong = || format!("{address:?} is not an address: write https://host or https://host:port");
    let uri: Uri = address.trim_end_matches('/').parse().map_err(|_| wrong())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(wrong()) };
    let default_port = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return Err(wrong()),
    };
    if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') {
        return Err(wrong());
    }
    let host = authority.host().to_ascii_lowercase();
    Ok(match authority.port_u16() {
        Some(port) if port != default_port => Place::new(scheme, format!("{host}:{port}"), false),
        _ => Place::new(scheme, host, false),
    })
}

/// Finds the place that a request names, and refuses what comes from elsewhere.
pub fn check<'a>(places: &'a [Place], method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<&'a Place, Failure> {
    let host = text(headers, &header::HOST).unwrap_or_default();
    let place = places.iter().find(|place| host.eq_ignore_ascii_case(&place.host)).ok_or_else(|| {
        Failure::new(
            ErrorCode::ForeignOrigin,
            "this address does not belong to the profile; set the profile's address in platform.toml to use it",
        )
    })?;
    if headers.contains_key(header::ORIGIN) && text(headers, &header::ORIGIN) != Some(place.origin.as_str()) {
        return Err(foreign());
    }
    match headers.get(FETCH_SITE).map(http::HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(place),
        Some(_) if opens_page(method, uri, headers) => Ok(place),
        Some(_) => Err(foreign()),
    }
}

/// Requires the Origin that [`check`] has found to be right.
pub fn require_origin(headers: &HeaderMap) -> Result<(), Failure> {
    if headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    Err(Failure::new(
        ErrorCode::ForeignOrigin,
        "this route is for the profile's own page: the header origin is missing",
    ))
}

/// A link followed to a page itself, from a chat or a mail say: it carries no credential and changes nothing.
fn opens_page(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let is = |name: &HeaderName, value: &str| text(headers, name) == Some(value);
    *method == Method::GET
        && matches!(uri.path(), "/" | "/confirmations" | "/devices")
        && is(&FETCH_MODE, "navigate")
        && is(&FETCH_DEST, "document")
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn foreign() -> Failure {
    Failure::new(ErrorCode::ForeignOrigin, "this request comes from another site")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port() -> Port {
        Port::new(18789).expect("a port")
    }

    #[test]
    fn addresses() {
        let check = |address: &str, host: Option<&str>| {
            let found = places(port(), Some(address)).ok().map(|places| places[2].host.clone());
            assert_eq!(found.as_deref(), host, "{address}");
        };
        check("https://vm102.example.ts.net", Some("vm102.example.ts.net"));
        check("https://VM102.example.ts.net/", Some("vm102.example.ts.net"));
        check("https://vm102.example.ts.net:443", Some("vm102.example.ts.net"));
        check("https://vm102.example.ts.net:8443", Some("vm102.example.ts.net:8443"));
        check("http://vm102:80", Some("vm102"));
        check("https://a/path", None);
        check("https://a?x", None);
        check("https://me@a", None);
        check("ftp://a", None);
        check("vm102.example.ts.net", None);
        check("", None);
    }

    #[test]
    fn only_exact_places_and_no_other_sites() {
        let places = places(port(), Some("https://vm102.example.ts.net:8443")).expect("places");
        let check = |target: &str, fields: &[(&'static str, &str)], fits: bool| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.insert(*name, value.parse().expect("a value"));
            }
            let outcome = super::check(&places, &Method::GET, &target.parse().expect("a target"), &headers);
            assert_eq!(outcome.is_ok(), fits, "{target} {fields:?}");
        };
        let local = ("host", "127.0.0.1:18789");
        check("/", &[local], true);
        check("/", &[("host", "LOCALHOST:18789")], true);
        check("/", &[("host", "vm102.example.ts.net:8443")], true);
        for host in ["", "127.0.0.1", "127.0.0.1:18790", "0.0.0.0:18789", "[::1]:18789", "vm102.example.ts.net"] {
            check("/", &[("host", host)], false);
        }
        for host in ["127.0.0.1:18789.evil.example", "evil.example:18789", "localhost.:18789", "127.1:18789"] {
            check("/", &[("host", host)], false);
        }
        check("/ws", &[local, ("origin", "http://127.0.0.1:18789")], true);
        // Another allowed place is still another origin.
        check("/ws", &[local, ("origin", "http://localhost:18789")], false);
        check("/ws", &[local, ("origin", "https://127.0.0.1:18789")], false);
        check("/ws", &[local, ("origin", "null")], false);
        check("/ws", &[local, ("origin", "http://evil.example")], false);
        check("/", &[local, ("sec-fetch-site", "none")], true);
        check("/", &[local, ("sec-fetch-site", "same-origin")], true);
        check("/", &[local, ("sec-fetch-site", "same-site")], false);
        check("/", &[local, ("sec-fetch-site", "cross-site")], false);
        let link =
            [local, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        check("/", &link, true);
        check("/confirmations", &link, true);
        check("/api/x", &link, false);
        check("/gate/confirmations", &link, false);
        let framed =
            [local, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
        check("/", &framed, false);
    }
}
