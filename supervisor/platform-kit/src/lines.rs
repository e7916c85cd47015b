//! Newline-delimited answers, read line by line with a bound.

use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;

use crate::connection::AnswerBody;

/// Why no further line came.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    #[error("a line is longer than {0} bytes")]
    TooLong(usize),
    #[error("the connection broke")]
    Broken(#[from] hyper::Error),
}

/// The lines of a body, without their line breaks. A last line without one counts too.
#[derive(Debug)]
pub struct Lines {
    body: AnswerBody,
    buffer: BytesMut,
    limit: usize,
    ended: bool,
}

impl Lines {
    /// `limit` is the longest line, in bytes.
    pub fn new(body: AnswerBody, limit: usize) -> Self {
        Self { body, buffer: BytesMut::new(), limit, ended: false }
    }

    /// The next line; `None` at the end. Cancelling loses nothing.
    pub async fn next(&mut self) -> Result<Option<Bytes>, LinesError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                if end > self.limit {
                    return Err(LinesError::TooLong(self.limit));
                }
                let line = self.buffer.split_to(end).freeze();
                self.buffer.advance(1);
                return Ok(Some(line));
            }
            if self.buffer.len() > self.limit {
                return Err(LinesError::TooLong(self.limit));
            }
            if self.ended {
                let rest = self.buffer.split().freeze();
                return Ok((!rest.is_empty()).then_some(rest));
            }
            match self.body.frame().await {
                Some(frame) => {
                    if let Ok(piece) = frame?.into_data() {
                        self.buffer.extend_from_slice(&piece);
                    }
                }
                None => self.ended = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use futures_util::stream;
    use http::Request;
    use http_body_util::Full;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::client::Client;
    use crate::socket::{Peer, bind};

    async fn read(pieces: &'static [&'static str], limit: usize) -> Vec<Result<String, String>> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let listener = bind(&path, 0o600).unwrap();
        let answer = move || async move {
            Body::from_stream(stream::iter(pieces.iter().map(|piece| Ok::<_, std::io::Error>(*piece))))
        };
        let stop = CancellationToken::new();
        let router = Router::new().route("/", get(answer));
        let server =
            crate::task::spawn("test server", crate::serve::unix(listener, router, stop.clone(), Duration::ZERO));
        let client = Client::new(&path, Peer::Trusted, Duration::from_secs(5));
        let response = client.open(Request::get("/").body(Full::default()).unwrap()).await.unwrap();
        let mut lines = Lines::new(response.into_body(), limit);
        let mut found = Vec::new();
        loop {
            match lines.next().await {
                Ok(Some(line)) => found.push(Ok(String::from_utf8_lossy(&line).into_owned())),
                Ok(None) => break,
                Err(error) => {
                    found.push(Err(error.to_string()));
                    break;
                }
            }
        }
        stop.cancel();
        server.await.unwrap().unwrap();
        found
    }

    #[tokio::test]
    async fn lines_are_put_together_from_pieces() {
        let lines = read(&["on", "e\n\ntw", "o\nthree"], 16).await;
        assert_eq!(lines, ["one", "", "two", "three"].map(|line| Ok(line.to_owned())));
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_cut_off() {
        let lines = read(&["one\n", "xxxxxxxx", "xxxxxxxx", "xxxxxxxx"], 16).await;
        assert_eq!(lines, [Ok("one".to_owned()), Err("a line is longer than 16 bytes".to_owned())]);
    }
}
