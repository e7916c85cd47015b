//! A stream that may say little until it is trusted: an unauthenticated peer must not fill buffers.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Reads at most a number of bytes, then fails, until [`Probation::trust`] lifts the limit.
#[derive(Debug)]
pub struct Probation<S> {
    stream: S,
    /// What may still be read; `None` once it is trusted.
    left: Option<usize>,
}

impl<S> Probation<S> {
    pub fn new(stream: S, bytes: usize) -> Self {
        Self { stream, left: Some(bytes) }
    }

    pub fn trust(&mut self) {
        self.left = None;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Probation<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if let Some(left) = self.left {
            let rest = left.checked_sub(buf.filled().len() - before);
            self.left = Some(rest.ok_or(io::ErrorKind::QuotaExceeded)?);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Probation<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn little_until_it_is_trusted() {
        let (mut peer, stream) = tokio::io::duplex(64);
        let mut stream = Probation::new(stream, 4);
        peer.write_all(b"1234").await.expect("room");
        let mut buffer = [0; 16];
        assert_eq!(stream.read(&mut buffer).await.expect("within the limit"), 4);
        peer.write_all(b"5").await.expect("room");
        assert_eq!(stream.read(&mut buffer).await.expect_err("over it").kind(), io::ErrorKind::QuotaExceeded);
        stream.trust();
        peer.write_all(b"678901234567").await.expect("room");
        assert_eq!(stream.read(&mut buffer).await.expect("trusted"), 12);
    }
}
