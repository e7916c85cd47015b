//! Quantities in words: spans of time and sizes.

/// A span of time by its largest unit: `12 s`, `5 min`, `3 h`, `2 d`. Negative ones count as none.
pub fn span(millis: i64) -> String {
    const SECOND: i64 = 1_000;
    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    match millis.max(0) {
        n if n < SECOND => format!("{n} ms"),
        n if n < 2 * MINUTE => format!("{} s", n / SECOND),
        n if n < 2 * HOUR => format!("{} min", n / MINUTE),
        n if n < 2 * DAY => format!("{} h", n / HOUR),
        n => format!("{} d", n / DAY),
    }
}

/// A size with two or three digits: `512 B`, `4.2 MB`, `31 GB`. Powers of ten, as disks are sold.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    // Tenths of the unit, so that no floating point is needed.
    let mut tenths = u128::from(count) / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1_000;
        unit += 1;
    }
    let name = UNITS[unit];
    if tenths < 100 { format!("{}.{} {name}", tenths / 10, tenths % 10) } else { format!("{} {name}", tenths / 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let check = |millis: i64, expect: &str| assert_eq!(span(millis), expect);
        check(-5, "0 ms");
        check(3, "3 ms");
        check(1_500, "1 s");
        check(119_000, "119 s");
        check(120_000, "2 min");
        check(7_100_000, "118 min");
        check(7_200_000, "2 h");
        check(172_800_000, "2 d");
    }

    #[test]
    fn sizes() {
        let check = |count: u64, expect: &str| assert_eq!(bytes(count), expect);
        check(0, "0 B");
        check(999, "999 B");
        check(1_000, "1.0 kB");
        check(4_250_000, "4.2 MB");
        check(10_000_000, "10 MB");
        check(31_457_280, "31 MB");
        check(999_999_999, "999 MB");
        check(u64::MAX, "18446 PB");
    }
}
