//! Secrets taken out of an answer, as they are and in common encodings, wherever the answer is cut into chunks.
//!
//! A secret is looked for as it is, in hexadecimal, and in base64 (both alphabets, at all three places that its bytes can
//! have in a group). Each character of these may stand as itself, percent-encoded, or escaped as in JSON, in any mixture.
//! What is found becomes `[secret]`. Only what may be the beginning of a secret is kept back.

use std::fmt;

use crate::target::hex;

/// Stands in the place of a secret.
pub const MARK: &[u8] = b"[secret]";
/// Shorter secrets are looked for as they are only: fragments of their encodings would stand everywhere.
pub const MIN_ENCODED_BYTES: usize = 6;

/// A character of a pattern: either of two bytes.
type Symbol = [u8; 2];

/// Takes secrets out of a stream of bytes. The result does not depend on how the stream is cut.
pub struct Stripper {
    patterns: Vec<Vec<Symbol>>,
    /// Bytes with which a pattern may begin.
    begins: [bool; 256],
    /// Not given out yet: begins with what may be the beginning of a secret.
    kept: Vec<u8>,
}

impl fmt::Debug for Stripper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripper").field("patterns", &self.patterns.len()).finish_non_exhaustive()
    }
}

/// Whether a pattern stands somewhere.
enum Found {
    No,
    /// It may, with the bytes that come next.
    Perhaps,
    /// Up to here.
    Until(usize),
}

impl Stripper {
    pub fn new<S: AsRef<[u8]>>(secrets: &[S]) -> Self {
        let patterns: Vec<_> = secrets.iter().flat_map(|secret| patterns(secret.as_ref())).collect();
        let mut begins = [false; 256];
        for first in patterns.iter().filter_map(|pattern| pattern.first()) {
            for byte in first.iter().chain(b"%\\") {
                begins[usize::from(*byte)] = true;
            }
        }
        Self { patterns, begins, kept: Vec::new() }
    }

    /// What of the stream is known to be free of secrets after these bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.kept.extend_from_slice(bytes);
        self.give(false)
    }

    /// The rest, at the end of the stream.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.give(true)
    }

    fn give(&mut self, last: bool) -> Vec<u8> {
        let mut given = Vec::with_capacity(self.kept.len());
        let mut at = 0;
        while let Some(byte) = self.kept.get(at) {
            let found = if self.begins[usize::from(*byte)] { self.find(at, last) } else { Found::No };
            match found {
                Found::No => {
                    given.push(*byte);
                    at += 1;
                }
                Found::Perhaps => break,
                Found::Until(end) => {
                    given.extend_from_slice(MARK);
                    at = end;
                }
            }
        }
        self.kept.drain(..at);
        given
    }

    /// The longest pattern that begins here.
    fn find(&self, at: usize, last: bool) -> Found {
        let mut longest = None;
        for pattern in &self.patterns {
            match stands(pattern, &self.kept, at, last) {
                Found::No => {}
                Found::Perhaps => return Found::Perhaps,
                Found::Until(end) => longest = longest.max(Some(end)),
            }
        }
        longest.map_or(Found::No, Found::Until)
    }
}

/// Follows every way of reading the bytes at once: a percent sign may stand for itself, or begin an encoded byte.
fn stands(pattern: &[Symbol], bytes: &[u8], at: usize, last: bool) -> Found {
    let mut ends = vec![at];
    let mut perhaps = false;
    for symbol in pattern {
        let mut next = Vec::with_capacity(ends.len() + 1);
        for end in ends {
            let rest = &bytes[end..];
            perhaps |= rest.is_empty();
            if rest.first().is_some_and(|byte| symbol.contains(byte)) {
                next.push(end + 1);
            }
            match escaped(rest) {
                Escaped::As(byte, length) if symbol.contains(&byte) => next.push(end + length),
                Escaped::Cut => perhaps = true,
                Escaped::As(..) | Escaped::No => {}
            }
        }
        next.sort_unstable();
        next.dedup();
        ends = next;
        if ends.is_empty() {
            break;
        }
    }
    match ends.last() {
        _ if perhaps && !last => Found::Perhaps,
        Some(end) => Found::Until(*end),
        None => Found::No,
    }
}

enum Escaped {
    No,
    /// The bytes end within it.
    Cut,
    /// This byte, written in so many.
    As(u8, usize),
}

/// `%2f`, `\u002f` or `\/` at the beginning of the bytes.
fn escaped(bytes: &[u8]) -> Escaped {
    let (digits, length) = match bytes {
        [b'%', digits @ ..] => (digits, 3),
        [b'\\', b'u', digits @ ..] => match digits {
            [b'0', b'0', digits @ ..] => (digits, 6),
            [] | [b'0'] => return Escaped::Cut,
            _ => return Escaped::No,
        },
        [b'\\'] => return Escaped::Cut,
        [b'\\', short, ..] => return short_escape(*short).map_or(Escaped::No, |byte| Escaped::As(byte, 2)),
        _ => return Escaped::No,
    };
    match digits {
        [high, low, ..] => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => Escaped::As(high << 4 | low, length),
            _ => Escaped::No,
        },
        [high] if hex(*high).is_none() => Escaped::No,
        _ => Escaped::Cut,
    }
}

fn short_escape(letter: u8) -> Option<u8> {
    Some(match letter {
        b'"' | b'\\' | b'/' => letter,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}

fn patterns(secret: &[u8]) -> Vec<Vec<Symbol>> {
    if secret.is_empty() {
        return Vec::new();
    }
    let mut patterns = vec![secret.iter().map(|byte| [*byte, *byte]).collect()];
    if secret.len() >= MIN_ENCODED_BYTES {
        let digits = data_encoding::HEXLOWER.encode(secret);
        patterns.push(digits.bytes().map(|digit| [digit, digit.to_ascii_uppercase()]).collect());
        patterns.extend((0..3).map(|before| base64(secret, before)));
    }
    patterns
}

/// The characters of base64 that depend on nothing but the secret when `before` bytes stand before it in its group.
fn base64(secret: &[u8], before: usize) -> Vec<Symbol> {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(secret);
    let text = data_encoding::BASE64_NOPAD.encode(&bytes);
    let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
    let symbols = text.as_bytes()[own].iter().map(|byte| match byte {
        b'+' => [b'+', b'-'],
        b'/' => [b'/', b'_'],
        other => [*other, *other],
    });
    symbols.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";

    fn strip(secrets: &[&[u8]], text: &[u8]) -> String {
        let mut stripper = Stripper::new(secrets);
        let mut out = stripper.push(text);
        out.extend(stripper.finish());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_secret_is_taken_out_in_every_dress() {
        let check =
            |text: &str, expect: &str| assert_eq!(strip(&[b"s/e\"c%r+t", b"0123456789"], text.as_bytes()), expect);
        check("a s/e\"c%r+t b", "a [secret] b");
        check(r"s\/e\u0022c%25r%2bt", "[secret]");
        check(r"s%2Fe%22c%25r%2Bt.", "[secret].");
        check("732f65226325722b74 732F65226325722B74", "[secret] [secret]");
        check("MDEyMzQ1Njc4OQ==", "[secret]Q==");
        check("%4DDEyMzQ1Njc4OQ", "[secret]Q");
        check("01234567890123456789", "[secret][secret]");
        check("012345678", "012345678");
        check("100 % of \\ and %0", "100 % of \\ and %0");
    }

    #[test]
    fn a_secret_cut_anywhere_is_found() {
        let text = [b"<", SECRET, b">", SECRET].concat();
        for cut in 0..text.len() {
            let mut stripper = Stripper::new(&[SECRET]);
            let mut out = stripper.push(&text[..cut]);
            out.extend(stripper.push(&text[cut..]));
            out.extend(stripper.finish());
            assert_eq!(out, b"<[secret]>[secret]", "cut at {cut}");
        }
    }

    #[test]
    fn what_cannot_begin_a_secret_is_not_kept_back() {
        let mut stripper = Stripper::new(&[SECRET]);
        assert_eq!(stripper.push(b"data: !\n\n"), b"data: !\n\n");
        assert_eq!(stripper.push(b"data: 110"), b"data: ");
        assert_eq!(stripper.push(b"!"), b"110!");
        assert_eq!(stripper.finish(), b"");
        assert_eq!(strip(&[], b"110"), "110");
        assert_eq!(strip(&[b""], b"110"), "110");
    }

    #[test]
    fn a_secret_is_not_shown_when_it_is_printed() {
        assert_eq!(format!("{:?}", Stripper::new(&[SECRET])), "Stripper { patterns: 5, .. }");
    }
}
