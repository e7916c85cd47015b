//! What a person signs: a hash over everything that the gate will send, and to whom.

use platform_types::ProfileName;
use platform_types::egress::Upstream;
use sha2::{Digest, Sha256};

use crate::admit::Admitted;

/// SHA-256, lower-case hex. Each part goes in with its length before it, so no two requests are encoded alike.
///
/// The encoding: the words `bot-platform request v1`, then profile, upstream, URL, rule, method, path, query, the number of
/// headers, each header's name and value, and the body (`0`: none, `1` and the body). Lengths and numbers are 8 bytes,
/// big-endian.
pub fn digest(profile: &ProfileName, upstream: &Upstream, admitted: &Admitted) -> String {
    let Admitted { rule, method, path, query, headers, body, values: _ } = admitted;
    let rule = upstream.rules.get(*rule).map_or("", |rule| rule.name.as_str());
    let mut hash = Sha256::new();
    let texts = ["bot-platform request v1", profile.as_str(), upstream.name.as_str(), &upstream.url, rule];
    for text in texts.into_iter().chain([method.as_str(), path, query]) {
        part(&mut hash, text.as_bytes());
    }
    hash.update(length(headers.len()));
    for (name, value) in headers {
        part(&mut hash, name.as_bytes());
        part(&mut hash, value.as_bytes());
    }
    match body {
        None => hash.update([0]),
        Some(body) => {
            hash.update([1]);
            part(&mut hash, body);
        }
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

fn part(hash: &mut Sha256, bytes: &[u8]) {
    hash.update(length(bytes.len()));
    hash.update(bytes);
}

fn length(length: usize) -> [u8; 8] {
    u64::try_from(length).expect("a usize fits into 64 bits").to_be_bytes()
}
