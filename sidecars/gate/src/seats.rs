//! Seats: bounded in number. When all are taken, the newcomer gets the one that was touched longest ago.
//!
//! ```text
//!             touch                 vouch
//! taken ───▶ [open] ◀──┐   [open] ◀──────▶ [vouched]
//!              │  └────┘             touch
//!              │ a newcomer finds all seats taken, and this one touched longest ago
//!              ▼
//!          [displaced] ── dropped by its holder ──▶ the newcomer's
//! ```
//!
//! A vouched seat is never displaced. Where nothing can be displaced, newcomers wait. A holder has to let go at once when it
//! is displaced: that is what bounds the number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// A bounded number of seats.
#[derive(Debug, Clone)]
pub struct Seats {
    free: Arc<Semaphore>,
    room: Arc<Mutex<Room>>,
}

#[derive(Debug, Default)]
struct Room {
    /// Counts touches: the order of events without a clock.
    touches: u64,
    taken: HashMap<u64, Taken>,
    /// Newcomers that wait for a seat.
    waiting: usize,
    /// Seats that were displaced and not dropped yet.
    leaving: usize,
}

#[derive(Debug)]
struct Taken {
    touched: u64,
    vouched: bool,
    displaced: CancellationToken,
}

/// A seat; free again when it is dropped.
#[derive(Debug)]
pub struct Seat {
    claim: Claim,
    displaced: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

/// Says how it stands with a seat. Without effect once the seat is free.
#[derive(Debug, Clone)]
pub struct Claim {
    id: u64,
    seats: Seats,
}

/// A newcomer that found all seats taken.
struct Newcomer<'a>(&'a Seats);

impl Seats {
    pub fn new(limit: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(limit)), room: Arc::default() }
    }

    /// Takes a seat; if need be somebody else's, as soon as he has left it.
    pub async fn take(&self) -> Seat {
        let permit = if let Ok(permit) = self.free.clone().try_acquire_owned() {
            permit
        } else {
            let _newcomer = Newcomer::enter(self);
            self.free.clone().acquire_owned().await.expect("the semaphore is never closed")
        };
        let displaced = CancellationToken::new();
        let mut room = self.room();
        let id = room.touch();
        room.taken.insert(id, Taken { touched: id, vouched: false, displaced: displaced.clone() });
        Seat { claim: Claim { id, seats: self.clone() }, displaced, _permit: permit }
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn touch(&mut self) -> u64 {
        self.touches += 1;
        self.touches
    }

    /// Displaces as many as wait, as far as there is somebody to displace.
    fn make_way(&mut self) {
        while self.leaving < self.waiting {
            let open = self.taken.values().filter(|seat| !seat.vouched && !seat.displaced.is_cancelled());
            let Some(oldest) = open.min_by_key(|seat| seat.touched) else { return };
            oldest.displaced.cancel();
            self.leaving += 1;
        }
    }
}

impl Seat {
    /// Ends when a newcomer needs this seat.
    pub async fn displaced(&self) {
        self.displaced.cancelled().await;
    }

    pub fn claim(&self) -> Claim {
        self.claim.clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut room = self.claim.seats.room();
        if room.taken.remove(&self.claim.id).is_some_and(|seat| seat.displaced.is_cancelled()) {
            room.leaving -= 1;
        }
    }
}

impl Claim {
    /// Something new begins, or something has ended: this seat is now the one that was touched last.
    pub fn touch(&self) {
        self.set(false);
    }

    /// The holder has shown who he is: he keeps the seat until the next touch.
    pub fn vouch(&self) {
        self.set(true);
    }

    fn set(&self, vouched: bool) {
        let mut room = self.seats.room();
        let touched = room.touch();
        if let Some(seat) = room.taken.get_mut(&self.id) {
            (seat.touched, seat.vouched) = (touched, vouched);
            room.make_way();
        }
    }
}

impl<'a> Newcomer<'a> {
    fn enter(seats: &'a Seats) -> Self {
        let mut room = seats.room();
        room.waiting += 1;
        room.make_way();
        drop(room);
        Self(seats)
    }
}

impl Drop for Newcomer<'_> {
    fn drop(&mut self) {
        self.0.room().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn now(seats: &Seats) -> Option<Seat> {
        seats.take().now_or_never()
    }

    fn displaced(seat: &Seat) -> bool {
        seat.displaced().now_or_never().is_some()
    }

    #[test]
    fn the_one_that_was_touched_longest_ago_makes_way() {
        let seats = Seats::new(3);
        let [a, b, c] = [(); 3].map(|()| now(&seats).expect("a seat"));
        a.claim().touch();
        let mut newcomer = Box::pin(seats.take());
        assert!((&mut newcomer).now_or_never().is_none(), "nobody sits before the other has left");
        assert_eq!([&a, &b, &c].map(displaced), [false, true, false]);
        drop(b);
        let newcomer = newcomer.now_or_never().expect("the seat of b");
        let mut next = Box::pin(seats.take());
        assert!((&mut next).now_or_never().is_none());
        assert_eq!([&a, &c, &newcomer].map(displaced), [false, true, false]);
    }

    #[test]
    fn a_vouched_seat_is_kept_until_it_is_touched() {
        let seats = Seats::new(1);
        let seat = now(&seats).expect("a seat");
        seat.claim().vouch();
        let mut newcomer = Box::pin(seats.take());
        assert!((&mut newcomer).now_or_never().is_none());
        assert!(!displaced(&seat));
        seat.claim().touch();
        assert!(displaced(&seat));
        drop(seat);
        assert!(newcomer.now_or_never().is_some());
    }

    #[test]
    fn one_makes_way_for_each_newcomer_and_nobody_for_one_who_has_left() {
        let seats = Seats::new(3);
        let taken = [(); 3].map(|()| now(&seats).expect("a seat"));
        let mut newcomers = [(); 2].map(|()| Box::pin(seats.take()));
        for newcomer in &mut newcomers {
            assert!(newcomer.as_mut().now_or_never().is_none());
        }
        assert_eq!(taken.each_ref().map(displaced), [true, true, false]);
        drop(newcomers);
        drop(taken);
        let vouched = now(&seats).expect("a seat");
        vouched.claim().vouch();
        let others = [(); 2].map(|()| now(&seats).expect("a seat"));
        for seat in &others {
            seat.claim().vouch();
        }
        assert!(now(&seats).is_none(), "nobody can be displaced");
        vouched.claim().touch();
        assert!(!displaced(&vouched), "that newcomer has left");
    }

    #[test]
    fn a_claim_on_a_seat_that_is_free_again_does_nothing() {
        let seats = Seats::new(1);
        let claim = now(&seats).expect("a seat").claim();
        claim.vouch();
        let seat = now(&seats).expect("free again");
        assert!(now(&seats).is_none());
        assert!(displaced(&seat));
    }
}
