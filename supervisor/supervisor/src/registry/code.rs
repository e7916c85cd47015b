//! Codes, tokens and their digests. Randomness comes in as an argument.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use platform_types::DeviceId;
use sha2::{Digest as _, Sha256};

/// Characters of a setup code: 130 bits, so that nobody guesses one in its 15 minutes.
pub const SETUP_CODE_CHARS: usize = 26;
/// Crockford's base32: no letter that is taken for a digit.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Random bytes of a script token.
pub const TOKEN_BYTES: usize = 32;
/// What people and scanners of leaked secrets recognise a token by.
const TOKEN_PREFIX: &str = "bot_";
/// Hex digits of a device id that people compare.
const SHORT_DIGITS: usize = 8;

/// A setup code from random bytes.
pub fn setup_code(random: [u8; SETUP_CODE_CHARS]) -> String {
    random.iter().map(|byte| char::from(CROCKFORD[usize::from(byte % 32)])).collect()
}

/// A script token from random bytes.
pub fn script_token(random: [u8; TOKEN_BYTES]) -> String {
    format!("{TOKEN_PREFIX}{}", BASE64URL_NOPAD.encode(&random))
}

/// SHA-256 of a text, in lower-case hex.
pub fn sha256_hex(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}

/// The device id of a raw Ed25519 public key in base64url; `None` when it is not one.
pub fn device_id(public_key: &str) -> Option<DeviceId> {
    let key = BASE64URL_NOPAD.decode(public_key.as_bytes()).ok().filter(|key| key.len() == 32)?;
    DeviceId::new(HEXLOWER.encode(&Sha256::digest(&key))).ok()
}

/// What people compare: `1a2b-3c4d`.
pub fn short(id: &DeviceId) -> String {
    let digits = &id.as_str()[..SHORT_DIGITS];
    format!("{}-{}", &digits[..SHORT_DIGITS / 2], &digits[SHORT_DIGITS / 2..])
}

/// Why a text does not name one of the devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFound {
    /// Not at least eight hex digits.
    Malformed,
    None,
    /// Several begin with it: give more digits.
    Ambiguous,
}

/// The one item whose id is meant by `text`: a short code, an id, or a beginning of it that is at least as long as a
/// short code.
pub fn find<'a, T>(text: &str, items: &'a [T], id: impl Fn(&T) -> &DeviceId) -> Result<&'a T, NotFound> {
    let digits: String =
        text.chars().filter(|c| *c != '-' && !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect();
    if digits.len() < SHORT_DIGITS || digits.len() > 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(NotFound::Malformed);
    }
    let mut matches = items.iter().filter(|item| id(item).as_str().starts_with(&digits));
    match (matches.next(), matches.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(NotFound::Ambiguous),
        (None, _) => Err(NotFound::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_shape() {
        let mut random = [0; SETUP_CODE_CHARS];
        random.iter_mut().zip(0u8..).for_each(|(byte, n)| *byte = n.wrapping_mul(37));
        let code = setup_code(random);
        assert_eq!(code.len(), 26);
        assert!(code.bytes().all(|byte| CROCKFORD.contains(&byte)), "{code}");
        let token = script_token([0xff; TOKEN_BYTES]);
        assert_eq!((token.len(), &token[..5]), (47, "bot__"));
        assert_eq!(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn an_id_belongs_to_its_key() {
        let key = BASE64URL_NOPAD.encode(&[7; 32]);
        assert_eq!(device_id(&key).unwrap().as_str(), HEXLOWER.encode(&Sha256::digest([7; 32])));
        assert_eq!(device_id("short"), None);
        assert_eq!(device_id(&format!("{key}=")), None);
    }

    #[test]
    fn devices_are_found_by_what_people_type() {
        let id = |head: &str| DeviceId::new(format!("{head:0<64}")).unwrap();
        let devices = [id("1a2b3c4d"), id("1a2b3c4dff"), id("99887766")];
        let check = |text: &str, expect: Result<usize, NotFound>| {
            assert_eq!(find(text, &devices, |id| id), expect.map(|n| &devices[n]), "{text:?}");
        };
        check("9988-7766", Ok(2));
        check("99887766", Ok(2));
        check(" 9988-7766 ", Ok(2));
        check("1A2B-3C4D-ff", Ok(1));
        check("1a2b-3c4d", Err(NotFound::Ambiguous));
        check("aaaa-bbbb", Err(NotFound::None));
        check("9988", Err(NotFound::Malformed));
        check("", Err(NotFound::Malformed));
        check("phone", Err(NotFound::Malformed));
        check(devices[1].as_str(), Ok(1));
        assert_eq!(short(&devices[0]), "1a2b-3c4d");
    }
}
