//! Which side's turn it is on a connection.
//!
//! A request is under way from the moment its head is handed to hyper until the last byte of its answer was taken from
//! the body. Between requests the guard checks heads; during one it only watches for the client to go. Beginning and end
//! touch the connection's seat: at the limit the connection that did neither for longest makes way.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::answer::{Body, BodyError};
use crate::seats::Claim;

/// Shared by the guard and the answer of the request that it let in.
#[derive(Debug, Clone)]
pub struct Exchange(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    claim: Claim,
    under_way: AtomicBool,
    guard: AtomicWaker,
}

impl Exchange {
    pub fn new(claim: Claim) -> Self {
        Self(Arc::new(Inner { claim, under_way: AtomicBool::new(false), guard: AtomicWaker::new() }))
    }

    pub fn begin(&self) {
        self.0.claim.touch();
        self.0.under_way.store(true, Ordering::Relaxed);
    }

    /// The caller has shown who he is: this request is not cut off in favour of a new connection.
    pub fn vouch(&self) {
        self.0.claim.vouch();
    }

    /// Whether an answer is under way; if so, the guard is woken when it is over.
    pub fn under_way(&self, cx: &Context<'_>) -> bool {
        self.0.guard.register(cx.waker());
        self.0.under_way.load(Ordering::Relaxed)
    }

    /// Ties the end of the exchange to the end of `body`.
    pub fn answer(&self, body: Body) -> Answer {
        Answer { body, exchange: self.clone() }
    }

    fn end(&self) {
        self.0.claim.touch();
        self.0.under_way.store(false, Ordering::Relaxed);
        self.0.guard.wake();
    }
}

/// A body that ends its exchange when it is dropped.
#[derive(Debug)]
pub struct Answer {
    body: Body,
    exchange: Exchange,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.exchange.end();
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        HttpBody::poll_frame(Pin::new(&mut self.body), cx)
    }

    fn is_end_stream(&self) -> bool {
        HttpBody::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        HttpBody::size_hint(&self.body)
    }
}
