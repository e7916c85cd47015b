//! A body of the agent on its way to a client: piece by piece, bounded in size and silence.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};
use tokio_util::task::AbortOnDropHandle;

use crate::http::answer::BodyError;

/// Why a relayed body was cut.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error("the agent's answer is longer than {0} bytes")]
    TooLong(u64),
    #[error("the agent said nothing for {} s", .0.as_secs())]
    Silent(Duration),
}

/// Dropping it closes the connection to the agent.
#[derive(Debug)]
pub struct Relay {
    body: Incoming,
    limit: u64,
    left: u64,
    stall: Duration,
    timer: Pin<Box<Sleep>>,
    _connection: AbortOnDropHandle<()>,
}

impl Relay {
    pub fn new(body: Incoming, limit: u64, stall: Duration, connection: AbortOnDropHandle<()>) -> Self {
        let timer = Box::pin(tokio::time::sleep(stall));
        Self { body, limit, left: limit, stall, timer, _connection: connection }
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        loop {
            let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
                ready!(this.timer.as_mut().poll(cx));
                return Poll::Ready(Some(Err(RelayError::Silent(this.stall).into())));
            };
            let data = match frame {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                Some(Ok(frame)) => frame.into_data(),
            };
            // Trailers go no further.
            let Ok(data) = data else { continue };
            this.timer.as_mut().reset(Instant::now() + this.stall);
            let Some(left) = this.left.checked_sub(data.len() as u64) else {
                return Poll::Ready(Some(Err(RelayError::TooLong(this.limit).into())));
            };
            this.left = left;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
