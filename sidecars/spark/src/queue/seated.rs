//! The body of an answer with its place at the box: the place is free in the moment in which nothing more is taken of the
//! body, be it at its end or because it was dropped.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Seat;
use crate::fault::Broken;
use crate::upstream::Source;

struct Seated {
    source: Option<(Source, Seat)>,
    /// When the request has taken as long as a request may take.
    over: Pin<Box<Sleep>>,
}

impl Seat {
    /// Gives the place to the body of an answer, which breaks off at this moment.
    pub fn hold(self, source: Source, over: Instant) -> Source {
        Seated { source: Some((source, self)), over: Box::pin(sleep_until(over)) }.boxed()
    }
}

impl Stream for Seated {
    type Item = Result<Bytes, Broken>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some((source, _)) = &mut self.source else { return Poll::Ready(None) };
        let next = match source.poll_next_unpin(context) {
            Poll::Ready(next) => next,
            Poll::Pending if self.over.as_mut().poll(context).is_ready() => Some(Err(Broken::TooLong)),
            Poll::Pending => return Poll::Pending,
        };
        if !matches!(next, Some(Ok(_))) {
            self.source = None;
        }
        Poll::Ready(next)
    }
}
