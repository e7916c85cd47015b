//! How values are written for people, and how texts of strangers are made harmless.

/// Longest text of a container that is shown.
const MAX_REPORTED_CHARS: usize = 200;

/// Sizes: `256 MiB`, `1.5 GiB`, `17 bytes`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (size, unit) in UNITS {
        if bytes >= size {
            let tenths = (bytes % size) * 10 / size;
            let whole = bytes / size;
            return if tenths == 0 { format!("{whole} {unit}") } else { format!("{whole}.{tenths} {unit}") };
        }
    }
    format!("{bytes} bytes")
}

/// Durations, rounded down to what matters: `12 s`, `3 min`, `2 h`.
pub fn duration(millis: i64) -> String {
    const SECOND: i64 = 1_000;
    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;
    match millis.max(0) {
        millis if millis < 2 * MINUTE => format!("{} s", millis / SECOND),
        millis if millis < 2 * HOUR => format!("{} min", millis / MINUTE),
        millis => format!("{} h", millis / HOUR),
    }
}

/// `1st`, `2nd`, `3rd`, `4th`, `11th`.
pub fn ordinal(number: u32) -> String {
    let suffix = match (number % 10, number % 100) {
        (1, hundred) if hundred != 11 => "st",
        (2, hundred) if hundred != 12 => "nd",
        (3, hundred) if hundred != 13 => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

/// A text that a container sent, without control characters, terminal escapes and direction marks, and not too long.
pub fn reported(text: &str) -> String {
    let mut shown: String =
        text.chars().map(|c| if is_harmful(c) { ' ' } else { c }).take(MAX_REPORTED_CHARS).collect();
    if text.chars().nth(MAX_REPORTED_CHARS).is_some() {
        shown.push('…');
    }
    shown.trim().to_owned()
}

fn is_harmful(c: char) -> bool {
    // Bidirectional marks and overrides, zero-width characters, line and paragraph separators, tags.
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |n: u64, words: &str| assert_eq!(bytes(n), words);
        check(256 << 20, "256 MiB");
        check(3 << 29, "1.5 GiB");
        check(17, "17 bytes");
        check(0, "0 bytes");
    }

    #[test]
    fn durations() {
        let check = |millis: i64, words: &str| assert_eq!(duration(millis), words);
        check(-5, "0 s");
        check(12_999, "12 s");
        check(119_000, "119 s");
        check(180_000, "3 min");
        check(7_300_000, "2 h");
    }

    #[test]
    fn ordinals() {
        let check = |number: u32, words: &str| assert_eq!(ordinal(number), words);
        check(1, "1st");
        check(2, "2nd");
        check(3, "3rd");
        check(4, "4th");
        check(11, "11th");
        check(12, "12th");
        check(113, "113th");
        check(21, "21st");
    }

    #[test]
    fn texts_of_strangers_are_harmless() {
        assert_eq!(reported("disk \u{1b}[31mfull\r\n\u{202e}lluf"), "disk  [31mfull   lluf");
        assert_eq!(reported(&"a".repeat(500)).chars().count(), MAX_REPORTED_CHARS + 1);
    }
}
