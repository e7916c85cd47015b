//! The check that every request head passes before hyper sees it. Pure.
//!
//! Strict where HTTP leaves room, because two parsers that disagree are how requests are smuggled: HTTP/1.1 only, lines end in CRLF,
//! targets are paths, one Host, bodies come with `Content-Length` and nothing else.

use platform_kit::Failure;
use platform_types::ErrorCode;

use crate::limits::{MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_HEADERS, MAX_TARGET_BYTES};

/// Fields that may stand only once: a second one is an attempt to be read in two ways.
const SINGLE: [&str; 13] = [
    "host",
    "content-length",
    "content-type",
    "authorization",
    "origin",
    "expect",
    "upgrade",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "sec-websocket-key",
    "sec-websocket-version",
    "tailscale-user-login",
];

/// How a request is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the head, with the empty line.
    pub bytes: usize,
    /// Bytes of the body.
    pub body: u64,
    /// It asks for a WebSocket: what follows is not HTTP.
    pub upgrade: bool,
}

/// Looks for the end of a head in bytes that come piece by piece, looking at each byte once.
#[derive(Debug, Default)]
pub struct Scan {
    seen: usize,
}

impl Scan {
    /// `buffer` holds everything that came since the head began. `None`: more has to come.
    pub fn advance(&mut self, buffer: &[u8]) -> Result<Option<Head>, Failure> {
        while self.seen < buffer.len() {
            let at = self.seen;
            check_byte(buffer, at)?;
            self.seen += 1;
            if buffer[..self.seen].ends_with(b"\r\n\r\n") {
                return check(&buffer[..self.seen]).map(Some);
            }
        }
        if buffer.len() >= MAX_HEAD_BYTES { Err(too_long()) } else { Ok(None) }
    }
}

fn check_byte(buffer: &[u8], at: usize) -> Result<(), Failure> {
    let after_return = at > 0 && buffer[at - 1] == b'\r';
    let fits = match buffer[at] {
        b'\n' => after_return,
        _ if after_return => false,
        byte if at == 0 => byte.is_ascii_uppercase(),
        byte => byte >= 0x20 && byte != 0x7f || byte == b'\t' || byte == b'\r',
    };
    if !fits {
        return Err(bad("this is not an HTTP/1.1 request"));
    }
    if at >= MAX_HEAD_BYTES { Err(too_long()) } else { Ok(()) }
}

/// Checks a whole head.
fn check(bytes: &[u8]) -> Result<Head, Failure> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Failure::new(ErrorCode::TooLarge, format!("send at most {MAX_HEADERS} header fields")));
        }
        Ok(_) | Err(_) => return Err(bad("the head of the request is malformed")),
    }
    if request.version != Some(1) {
        return Err(bad("speak HTTP/1.1"));
    }
    check_target(request.path.unwrap_or_default())?;
    for (index, field) in request.headers.iter().enumerate() {
        let again = request.headers[..index].iter().any(|before| before.name.eq_ignore_ascii_case(field.name));
        if again && SINGLE.iter().any(|single| field.name.eq_ignore_ascii_case(single)) {
            return Err(bad(format!("the header {} stands more than once", field.name.to_ascii_lowercase())));
        }
    }
    let fields = Fields(request.headers);
    if fields.get("host").is_none_or(<[u8]>::is_empty) {
        return Err(bad("the header host is missing"));
    }
    if fields.get("expect").is_some_and(|value| !value.eq_ignore_ascii_case(b"100-continue")) {
        return Err(bad("the header expect may only be 100-continue"));
    }
    let method = request.method.unwrap_or_default();
    let body = body_length(&fields)?;
    if body > 0 && matches!(method, "GET" | "HEAD") {
        return Err(bad(format!("a {method} request has no body")));
    }
    let upgrade =
        method == "GET" && fields.get("upgrade").is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"));
    Ok(Head { bytes: bytes.len(), body, upgrade })
}

fn check_target(target: &str) -> Result<(), Failure> {
    if !target.starts_with('/') {
        return Err(bad("the target must be a path"));
    }
    if target.len() > MAX_TARGET_BYTES {
        return Err(Failure::new(ErrorCode::TooLarge, format!("the target is longer than {MAX_TARGET_BYTES} bytes")));
    }
    let strange = |byte: u8| !byte.is_ascii_graphic() || byte == b'#' || byte == b'\\';
    if target.bytes().any(strange) || target.parse::<http::uri::PathAndQuery>().is_err() {
        return Err(bad("the target has a character that does not belong there"));
    }
    Ok(())
}

fn body_length(fields: &Fields<'_>) -> Result<u64, Failure> {
    let length = fields.get("content-length");
    if fields.get("transfer-encoding").is_some() {
        return Err(match length {
            Some(_) => bad("content-length and transfer-encoding contradict each other"),
            None => Failure::new(ErrorCode::LengthRequired, "send the body with Content-Length, not in chunks"),
        });
    }
    let Some(length) = length else { return Ok(0) };
    if length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
        return Err(bad("content-length is not a number"));
    }
    let bytes = std::str::from_utf8(length).ok().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
    if bytes > MAX_BODY_BYTES {
        return Err(Failure::new(ErrorCode::TooLarge, format!("the body is longer than {MAX_BODY_BYTES} bytes")));
    }
    Ok(bytes)
}

struct Fields<'a>(&'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value.trim_ascii())
    }
}

fn bad(message: impl Into<String>) -> Failure {
    Failure::new(ErrorCode::BadRequest, message)
}

fn too_long() -> Failure {
    Failure::new(ErrorCode::TooLarge, format!("the head of the request is longer than {MAX_HEAD_BYTES} bytes"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(bytes: &[u8]) -> String {
        match Scan::default().advance(bytes) {
            Ok(Some(head)) => format!("{} {}", head.body, if head.upgrade { "upgrade" } else { "request" }),
            Ok(None) => "more".to_owned(),
            Err(failure) => failure.code.as_str().to_owned(),
        }
    }

    #[test]
    fn heads() {
        let check = |text: &str, expect: &str| assert_eq!(verdict(text.as_bytes()), expect, "{text:?}");
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "0 request");
        check("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\n\r\n", "0 upgrade");
        check("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", "0 request");
        check("POST /pair HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n", "12 request");
        check("POST /pair HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", "1 request");
        check("GET / HTTP/1.1\r\nHost: a\r\n", "more");
        check("", "more");
        for malformed in [
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "get / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\u{16}\u{3}\u{1}",
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\0\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\n",
            "GET /\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\\x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: anything\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            check(malformed, "bad_request");
        }
        check("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "length_required");
        check("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", "length_required");
        check("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", "too_large");
        check("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", "too_large");
        check(&format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(MAX_TARGET_BYTES)), "too_large");
        check(&format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(MAX_HEADERS)), "too_large");
        check(&format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(MAX_HEAD_BYTES)), "too_large");
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_get_the_same_verdict(
            bytes in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                "(GET|POST|PUT) /[a-z]{0,5} HTTP/1\\.[01]\r\n(Host: a\r\n|Content-Length: [0-9]{1,3}\r\n|[ -~]{0,20}\r\n){0,5}\r\n"
                    .prop_map(String::into_bytes),
            ],
            cut in 0_usize..200,
        ) {
            let cut = cut.min(bytes.len());
            let mut scan = Scan::default();
            let whole = verdict(&bytes);
            let in_pieces = match scan.advance(&bytes[..cut]) {
                Ok(None) => match scan.advance(&bytes) {
                    Ok(Some(head)) => {
                        format!("{} {}", head.body, if head.upgrade { "upgrade" } else { "request" })
                    }
                    Ok(None) => "more".to_owned(),
                    Err(failure) => failure.code.as_str().to_owned(),
                },
                Ok(Some(head)) => {
                    prop_assert!(head.bytes <= cut);
                    whole.clone()
                }
                Err(failure) => failure.code.as_str().to_owned(),
            };
            prop_assert_eq!(whole, in_pieces);
        }

        #[test]
        fn what_passes_is_what_hyper_reads(text in "GET /[ -~]{0,20} HTTP/1\\.1\r\nHost: a\r\n([A-Za-z-]{1,8}: [ -~]{0,20}\r\n){0,4}\r\n") {
            if let Ok(Some(head)) = Scan::default().advance(text.as_bytes()) {
                let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
                let mut request = httparse::Request::new(&mut fields);
                prop_assert_eq!(request.parse(text.as_bytes()), Ok(httparse::Status::Complete(head.bytes)));
                prop_assert!(request.path.is_some_and(|path| path.parse::<http::Uri>().is_ok()));
            }
        }
    }
}
