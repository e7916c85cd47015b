//! Ids and nonces from the system's random source.

/// `bytes` random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut buffer = [0; N];
    getrandom::fill(&mut buffer).expect("the kernel gives random bytes");
    buffer
}

/// 16 random bytes as 32 lower-case hex digits: the ids of sessions, messages, turns and requests.
pub fn id() -> String {
    use std::fmt::Write as _;
    bytes::<16>().iter().fold(String::with_capacity(32), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}
