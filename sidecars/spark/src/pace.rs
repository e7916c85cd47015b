//! How fast the chunks of one streamed answer come. Nothing is locked or allocated here.

use platform_types::meters::SECONDS;
use tokio::time::Instant;

/// Times between chunks so far.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    chunks: u64,
    last: Option<Instant>,
    /// As a [`Histogram`](platform_types::meters::Histogram) within [`SECONDS`] has them.
    counts: [u64; SECONDS.len() + 1],
    micros: u64,
}

impl Pace {
    /// `chunks` are there by now, counted from the first. Those that came together have one time, and then none between them.
    pub fn reached(&mut self, chunks: u64, now: Instant) {
        let mut more = chunks.saturating_sub(self.chunks);
        if more == 0 {
            return;
        }
        if let Some(last) = self.last {
            let waited = now.duration_since(last);
            let seconds = waited.as_secs_f64();
            let place = SECONDS.iter().position(|bound| seconds <= *bound).unwrap_or(SECONDS.len());
            self.counts[place] += 1;
            self.micros = self.micros.saturating_add(u64::try_from(waited.as_micros()).unwrap_or(u64::MAX));
        }
        more -= 1;
        self.counts[0] += more;
        self.chunks = chunks;
        self.last = Some(now);
    }

    /// Counts by bound, and the sum in microseconds.
    pub fn read(&self) -> (&[u64], u64) {
        (&self.counts, self.micros)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_chunk_after_the_first_has_a_time() {
        let (mut pace, began) = (Pace::default(), Instant::now());
        let mut at = |chunks, millis| {
            pace.reached(chunks, began + Duration::from_millis(millis));
            let (counts, micros) = pace.read();
            (counts.iter().sum::<u64>(), micros)
        };
        assert_eq!(at(0, 5), (0, 0));
        assert_eq!(at(1, 10), (0, 0));
        assert_eq!(at(1, 15), (0, 0), "a ping is no chunk");
        assert_eq!(at(2, 40), (1, 30_000));
        assert_eq!(at(5, 140), (4, 130_000), "three at once");
        let (counts, _) = pace.read();
        assert_eq!((counts[0], counts[2], counts[4]), (2, 1, 1));
    }

    #[test]
    fn many_at_once_at_the_beginning_have_no_time() {
        let (mut pace, began) = (Pace::default(), Instant::now());
        pace.reached(50, began);
        assert_eq!((pace.read().0[0], pace.read().1), (49, 0));
    }
}
