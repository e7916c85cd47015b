//! How long to wait after a failure, and when to stop trying.
//!
//! The waits grow from a second to a minute, spread by a tenth or two so that six containers that died together do not
//! come back together. The fifth failure within ten minutes is the last one: quarantine.

use platform_types::Timestamp;

use crate::ledger::{Failure, Run};
use crate::target::Target;

/// Failures within the window that lead to quarantine.
pub const LIMIT: u32 = 5;
/// Only failures this recent count: a target that ran well for so long starts afresh.
pub const WINDOW_MILLIS: i64 = 10 * 60 * 1000;

/// After the first, second, third and every later failure.
const DELAYS_MILLIS: [i64; 4] = [1_000, 4_000, 16_000, 60_000];
/// The wait is lengthened by up to this share, in percent.
const JITTER_PERCENT: u64 = 20;

/// The wait after the `attempt`th failure, counted from one. Always the same for the same target and attempt.
pub(super) fn delay_millis(target: &Target, attempt: u32) -> i64 {
    let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX).min(DELAYS_MILLIS.len() - 1);
    let delay = DELAYS_MILLIS[index];
    let share = i64::try_from(fnv(&format!("{target}#{attempt}")) % (JITTER_PERCENT + 1)).unwrap_or_default();
    delay + delay * share / 100
}

/// Failures that count now: recent, and of the same specification and configuration; not of the given run.
pub(super) fn counted<'a>(
    failures: &'a [Failure],
    fingerprint: &'a str,
    except: Option<&'a Run>,
    now: Timestamp,
) -> impl Iterator<Item = &'a Failure> {
    failures.iter().filter(move |failure| {
        failure.fingerprint == fingerprint
            && now.millis_since(failure.at) < WINDOW_MILLIS
            && (except.is_none() || failure.run.as_ref() != except)
    })
}

/// FNV-1a, 64 bits: stable for ever, unlike the standard library's hasher.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_within_a_fifth() {
        for target in ["personal/agent", "ops/gate", "spark", "backup"] {
            let target: Target = target.parse().expect("a target");
            for (attempt, base) in [(1, 1_000), (2, 4_000), (3, 16_000), (4, 60_000), (9, 60_000)] {
                let wait = delay_millis(&target, attempt);
                assert!((base..=base * 12 / 10).contains(&wait), "{target} {attempt}: {wait}");
                assert_eq!(wait, delay_millis(&target, attempt), "deterministic");
            }
        }
    }

    #[test]
    fn targets_that_died_together_come_back_apart() {
        let waits = ["personal/agent", "personal/gate", "ops/agent", "ops/gate", "spark", "backup"]
            .map(|target| delay_millis(&target.parse().expect("a target"), 1));
        let distinct: std::collections::BTreeSet<_> = waits.iter().collect();
        assert!(distinct.len() >= 4, "{waits:?}");
    }
}
