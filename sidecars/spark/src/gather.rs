//! Joins what a box has sent already, so that it is looked at, written and sent on once.
//!
//! A client library gives a body chunk by chunk: a fast box's fifty events, read in one go, would go out in fifty writes.
//! Nothing is waited for here: when nothing more is there, what is there goes on.

use std::task::Poll;

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt as _, StreamExt as _};

use crate::fault::Broken;
use crate::upstream::Source;

/// More than this goes out at once in any case.
const PIECE_BYTES: usize = 16 * 1024;

/// The same bytes in fewer pieces. An error or the end comes after all bytes before it.
pub fn gathered(source: Source) -> Source {
    let gathering = Gathering { source, came: Poll::Pending };
    futures_util::stream::unfold(gathering, |mut gathering| async move {
        let piece = gathering.piece().await?;
        Some((piece, gathering))
    })
    .boxed()
}

struct Gathering {
    source: Source,
    /// What ended the last piece, and is next.
    came: Poll<Option<Result<Bytes, Broken>>>,
}

impl Gathering {
    async fn piece(&mut self) -> Option<Result<Bytes, Broken>> {
        let next = match std::mem::replace(&mut self.came, Poll::Pending) {
            Poll::Ready(came) => came,
            Poll::Pending => self.source.next().await,
        };
        let first = match next? {
            Ok(first) => first,
            Err(broken) => return Some(Err(broken)),
        };
        let mut more = BytesMut::new();
        while first.len() + more.len() < PIECE_BYTES {
            match self.source.next().now_or_never() {
                Some(Some(Ok(bytes))) => more.extend_from_slice(&bytes),
                other => {
                    self.came = other.map_or(Poll::Pending, Poll::Ready);
                    break;
                }
            }
        }
        Some(Ok(if more.is_empty() { first } else { [&first[..], &more[..]].concat().into() }))
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    fn text(piece: Option<Result<Bytes, Broken>>) -> String {
        String::from_utf8(piece.unwrap().unwrap().to_vec()).unwrap()
    }

    fn chunk(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[tokio::test]
    async fn what_is_there_is_joined_and_an_error_comes_after_it() {
        let broken = Err(Broken::Cut("reset".to_owned()));
        let mut source =
            gathered(futures_util::stream::iter([Ok(chunk("a")), Ok(chunk("b")), broken, Ok(chunk("c"))]).boxed());
        assert_eq!(text(source.next().await), "ab");
        assert_eq!(source.next().await.unwrap().unwrap_err().to_string(), "reset");
        assert_eq!(text(source.next().await), "c");
        assert!(source.next().await.is_none());
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_waited_for() {
        let (sender, queue) = mpsc::unbounded_channel();
        let sent = futures_util::stream::unfold(queue, |mut queue| async move { Some((queue.recv().await?, queue)) });
        let mut source = gathered(sent.boxed());
        sender.send(Ok(chunk("a"))).unwrap();
        assert_eq!(text(source.next().await), "a");
        sender.send(Ok(chunk("b"))).unwrap();
        sender.send(Ok(chunk("c"))).unwrap();
        assert_eq!(text(source.next().await), "bc");
        drop(sender);
        assert!(source.next().await.is_none());
    }

    #[tokio::test]
    async fn a_piece_has_an_end() {
        let endless = futures_util::stream::repeat_with(|| Ok(Bytes::from_static(&[b'x'; 1000])));
        let piece = gathered(endless.boxed()).next().await.unwrap().unwrap();
        assert!((PIECE_BYTES..PIECE_BYTES + 1000).contains(&piece.len()), "{}", piece.len());
    }
}
