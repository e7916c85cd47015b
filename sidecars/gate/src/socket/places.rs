//! How many sockets there may be, and how much may wait for slow ones.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{MAX_QUEUED_BYTES, MAX_QUEUED_BYTES_IN_ALL, SocketLimits};
use crate::seats::{Seat, Seats};

/// Places for sockets, and the memory they share.
#[derive(Debug)]
pub struct SocketPlaces {
    unauthenticated: Seats,
    authenticated: Arc<Semaphore>,
    limit: usize,
    queued: Arc<Semaphore>,
}

/// Held for a message that waits to be sent.
#[derive(Debug)]
pub struct Room {
    _own: OwnedSemaphorePermit,
    _shared: OwnedSemaphorePermit,
}

/// What may wait for one socket.
#[derive(Debug)]
pub struct Queue {
    own: Arc<Semaphore>,
    shared: Arc<Semaphore>,
}

impl SocketPlaces {
    pub fn new(limits: &SocketLimits) -> Self {
        Self {
            unauthenticated: Seats::new(limits.unauthenticated),
            authenticated: Arc::new(Semaphore::new(limits.authenticated)),
            limit: limits.authenticated,
            queued: Arc::new(Semaphore::new(MAX_QUEUED_BYTES_IN_ALL)),
        }
    }

    /// A place until authentication; if need be that of the oldest stranger.
    pub async fn stranger(&self) -> Seat {
        self.unauthenticated.take().await
    }

    /// A place after it.
    pub fn device(&self) -> Option<OwnedSemaphorePermit> {
        self.authenticated.clone().try_acquire_owned().ok()
    }

    /// Authenticated sockets.
    pub fn open(&self) -> u64 {
        (self.limit - self.authenticated.available_permits()) as u64
    }

    pub fn queue(&self) -> Queue {
        Queue { own: Arc::new(Semaphore::new(MAX_QUEUED_BYTES)), shared: self.queued.clone() }
    }
}

impl Queue {
    /// Waits for room for a message of this length. The longest message fits an empty queue.
    pub async fn room(&self, bytes: usize) -> Option<Room> {
        let permits = u32::try_from(bytes.clamp(1, MAX_QUEUED_BYTES)).ok()?;
        let own = self.own.clone().acquire_many_owned(permits).await.ok()?;
        let shared = self.shared.clone().acquire_many_owned(permits).await.ok()?;
        Some(Room { _own: own, _shared: shared })
    }
}
