//! What a container wrote, as bounded lines.

use std::collections::VecDeque;

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};

use crate::engine::Engine;
use crate::error::{EngineError, Operation};

/// Longest line that is kept; the rest of a longer one is dropped. Docker itself cuts at 16 KiB a piece.
pub const MAX_LINE_BYTES: usize = 16 * 1024;

/// One line of a container's output, without its line break. Written by the container: neutralise before showing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub stderr: bool,
    /// Invalid UTF-8 is replaced.
    pub text: String,
}

/// What of a log is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogRange {
    /// The last lines only; all that is kept when `None`.
    pub tail: Option<u32>,
    pub follow: bool,
    /// Seconds since 1970.
    pub since: Option<i32>,
}

impl Engine {
    /// The log of a container as a stream of lines. With `follow` it ends when the container does.
    pub fn logs(&self, id: &str, range: LogRange) -> impl Stream<Item = Result<LogLine, EngineError>> + Send + use<> {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .follow(range.follow)
            .since(range.since.unwrap_or(0))
            .tail(&range.tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string()))
            .build();
        let subject = format!("container {id}");
        let engine = self.clone();
        let pieces = match self.api() {
            Ok(api) => {
                let told = subject.clone();
                api.logs(id, Some(options)).map_err(move |error| engine.error(Operation::Logs, &told, error)).boxed()
            }
            Err(error) => stream::once(async { Err(error) }).boxed(),
        };
        let state =
            Reading { pieces, out: Partial::default(), err: Partial::default(), ready: VecDeque::new(), ended: false };
        stream::unfold(state, |mut state| async move { state.next().await.map(|line| (line, state)) })
    }
}

/// One line in the making.
#[derive(Debug, Default)]
struct Partial {
    bytes: BytesMut,
}

impl Partial {
    /// Takes a piece of output; returns the lines that it completes.
    fn take(&mut self, piece: &Bytes) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest: &[u8] = piece;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.keep(&rest[..end]);
            lines.push(self.finish());
            rest = &rest[end + 1..];
        }
        self.keep(rest);
        lines
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_LINE_BYTES.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn finish(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes.split()).into_owned()
    }
}

struct Reading {
    pieces: stream::BoxStream<'static, Result<LogOutput, EngineError>>,
    out: Partial,
    err: Partial,
    ready: VecDeque<LogLine>,
    ended: bool,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<LogLine, EngineError>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(Ok(line));
            }
            if self.ended {
                return None;
            }
            match self.pieces.next().await {
                Some(Ok(piece)) => self.take(piece),
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                None => self.end(),
            }
        }
    }

    fn take(&mut self, piece: LogOutput) {
        let (partial, stderr, message) = match piece {
            LogOutput::StdErr { message } => (&mut self.err, true, message),
            LogOutput::StdOut { message } | LogOutput::StdIn { message } | LogOutput::Console { message } => {
                (&mut self.out, false, message)
            }
        };
        self.ready.extend(partial.take(&message).into_iter().map(|text| LogLine { stderr, text }));
    }

    /// A last line without a line break is a line too.
    fn end(&mut self) {
        self.ended = true;
        for (partial, stderr) in [(&mut self.out, false), (&mut self.err, true)] {
            if !partial.bytes.is_empty() {
                self.ready.push_back(LogLine { stderr, text: partial.finish() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_lines() {
        let mut partial = Partial::default();
        assert_eq!(partial.take(&Bytes::from_static(b"one\ntw")), ["one"]);
        assert_eq!(partial.take(&Bytes::from_static(b"o\n\nthree")), ["two", ""]);
        assert_eq!(partial.finish(), "three");
    }

    #[test]
    fn an_endless_line_is_cut() {
        let mut partial = Partial::default();
        for _ in 0..10 {
            assert!(partial.take(&Bytes::from(vec![b'x'; MAX_LINE_BYTES / 2])).is_empty());
        }
        let lines = partial.take(&Bytes::from_static(b"y\nnext\n"));
        assert_eq!(lines[0].len(), MAX_LINE_BYTES);
        assert_eq!(lines[1], "next");
    }
}
