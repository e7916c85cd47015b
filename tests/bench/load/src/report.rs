//! Figures of many samples.

use serde::Serialize;

/// Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
}

impl Spread {
    /// Of microseconds; `None` without any.
    pub fn of(mut micros: Vec<u64>) -> Option<Self> {
        micros.sort_unstable();
        let last = micros.len().checked_sub(1)?;
        #[expect(clippy::cast_precision_loss, reason = "times of hours fit")]
        let at = |percent: usize| micros[last * percent / 100] as f64 / 1000.0;
        Some(Self { p50: at(50), p90: at(90), p99: at(99) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        assert_eq!(Spread::of(Vec::new()), None);
        assert_eq!(Spread::of(vec![2000]), Some(Spread { p50: 2.0, p90: 2.0, p99: 2.0 }));
        let hundred = (1..=101).rev().map(|n| n * 1000).collect();
        assert_eq!(Spread::of(hundred), Some(Spread { p50: 51.0, p90: 91.0, p99: 100.0 }));
    }
}
