//! Virtual time, in words.

use platform_types::Timestamp;

/// Noon of the first of January 2026, UTC: where every simulation begins.
pub const NOON: Timestamp = Timestamp(1_767_268_800_000);

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// `12:00:07`.
pub fn clock(at: Timestamp) -> String {
    let seconds = at.as_millis().div_euclid(1000).rem_euclid(DAY_SECONDS);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `12:00:07.250`.
pub fn clock_millis(at: Timestamp) -> String {
    format!("{}.{:03}", clock(at), at.as_millis().rem_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_at_noon() {
        assert_eq!(clock(NOON), "12:00:00");
        assert_eq!(clock_millis(NOON.plus_millis(61_007)), "12:01:01.007");
    }
}
