//! Certificates of upstreams that no authority of the web signed: `certs/<name>.pem` beside `platform.toml`.
//!
//! What is in them is read where it is used, in the gate. Here it is only made sure that they look like certificates, and
//! that no private key travels.

use platform_types::UpstreamName;

/// Longest file: a chain of some certificates.
pub const MAX_CERTIFICATES_BYTES: usize = 32 * 1024;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// `certs/<name>.pem`, where the name follows the rule of upstreams.
pub fn is_file_name(file: &str) -> bool {
    let stem = file.strip_prefix("certs/").and_then(|file| file.strip_suffix(".pem"));
    stem.is_some_and(|stem| UpstreamName::new(stem).is_ok())
}

/// What is wrong with the text of such a file, after its name.
pub(crate) fn problem(text: &str) -> Option<&'static str> {
    if text.contains("PRIVATE KEY-----") {
        return Some("holds a private key, which stays with the server");
    }
    if text.len() > MAX_CERTIFICATES_BYTES {
        return Some("is longer than 32 KiB");
    }
    let mut blocks = text.split(BEGIN).skip(1).peekable();
    if blocks.peek().is_none() {
        return Some("holds no certificate in PEM");
    }
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=') || c.is_ascii_whitespace();
    let whole = |block: &str| block.split_once(END).is_some_and(|(inner, _)| inner.chars().all(is_base64));
    (!blocks.all(whole)).then_some("holds a certificate that is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_said() {
        let good = format!("Subject: x\n{BEGIN}\nMIIB+/a=\n{END}\n");
        let check = |text: &str, expect: Option<&str>| assert_eq!(problem(text), expect, "{text:?}");
        check(&good, None);
        check(&good.repeat(2), None);
        check("", Some("holds no certificate in PEM"));
        check("MIIB", Some("holds no certificate in PEM"));
        check(&format!("{BEGIN}\nMIIB"), Some("holds a certificate that is damaged"));
        check(&format!("{good}{BEGIN}\n<html>\n{END}"), Some("holds a certificate that is damaged"));
        check(&format!("{good}-----BEGIN PRIVATE KEY-----"), Some("holds a private key, which stays with the server"));
        check(&good.repeat(1000), Some("is longer than 32 KiB"));
    }

    #[test]
    fn names_of_files() {
        let check = |file: &str, expect| assert_eq!(is_file_name(file), expect, "{file:?}");
        check("certs/house.pem", true);
        check("certs/../house.pem", false);
        check("certs/.pem", false);
        check("house.pem", false);
        check("/etc/ssl/house.pem", false);
    }
}
