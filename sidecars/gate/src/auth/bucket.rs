//! A token bucket. Pure: time comes in.

use platform_types::Timestamp;

/// Lets `capacity` through at once, then one every `every_millis`.
#[derive(Debug)]
pub struct Bucket {
    every_millis: i64,
    capacity_millis: i64,
    /// What is left, as the time it took to gather.
    left_millis: i64,
    at: Timestamp,
}

impl Bucket {
    pub fn new(capacity: u32, every_millis: i64) -> Self {
        let capacity_millis = i64::from(capacity) * every_millis;
        Self { every_millis, capacity_millis, left_millis: capacity_millis, at: Timestamp::ZERO }
    }

    /// Takes one; the error is the number of seconds until there is one again.
    pub fn take(&mut self, now: Timestamp) -> Result<(), u32> {
        // A clock that goes back gives nothing.
        let gained = now.millis_since(self.at).max(0);
        self.at = now;
        self.left_millis = self.left_millis.saturating_add(gained).min(self.capacity_millis);
        if self.left_millis >= self.every_millis {
            self.left_millis -= self.every_millis;
            return Ok(());
        }
        let missing = self.every_millis - self.left_millis;
        Err(u32::try_from(missing.div_euclid(1000) + 1).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_a_drip() {
        let mut bucket = Bucket::new(2, 1000);
        let mut take = |at: i64| bucket.take(Timestamp(at));
        assert_eq!(take(10_000), Ok(()));
        assert_eq!(take(10_000), Ok(()));
        assert_eq!(take(10_500), Err(1));
        assert_eq!(take(11_000), Ok(()));
        assert_eq!(take(11_999), Err(1));
        assert_eq!(take(5_000), Err(1));
        assert_eq!(take(6_000), Ok(()));
        assert_eq!(take(60_000), Ok(()));
        assert_eq!(take(60_000), Ok(()));
        assert!(take(60_000).is_err());
    }
}
