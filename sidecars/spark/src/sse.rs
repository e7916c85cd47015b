//! Server-sent events: cutting a stream of bytes into events without changing one of them. Pure.
//!
//! An event reaches to and with its blank line. Line ends are LF or CRLF, as every model server writes them.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use memchr::memchr;

/// Longest event. Tool arguments come in deltas; a server that sends one in a piece stays far below.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// An event is longer than [`MAX_EVENT_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// Collects bytes and gives whole events.
#[derive(Debug, Default)]
pub struct Splitter {
    buffer: BytesMut,
    /// Where the line begins that is not complete yet.
    line: usize,
    /// Up to where line ends were looked for.
    seen: usize,
}

impl Splitter {
    pub fn push(&mut self, bytes: &Bytes) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole event, with its blank line.
    pub fn event(&mut self) -> Result<Option<BytesMut>, TooLong> {
        while let Some(offset) = memchr(b'\n', &self.buffer[self.seen..]) {
            let end = self.seen + offset;
            let blank = matches!(&self.buffer[self.line..end], b"" | b"\r");
            self.line = end + 1;
            self.seen = end + 1;
            if blank {
                let event = self.buffer.split_to(self.line);
                (self.line, self.seen) = (0, 0);
                return if event.len() > MAX_EVENT_BYTES { Err(TooLong) } else { Ok(Some(event)) };
            }
        }
        self.seen = self.buffer.len();
        if self.buffer.len() > MAX_EVENT_BYTES { Err(TooLong) } else { Ok(None) }
    }

    /// What is left when the stream has ended.
    pub fn rest(self) -> BytesMut {
        self.buffer
    }
}

/// What an event is for.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Comments (pings), empty events, and fields other than data.
    Life,
    /// `data: [DONE]`.
    Done,
    /// The text after `data:`; lines of one event are joined.
    Data(Cow<'a, [u8]>),
    /// The text after `error:`, which llama-server wrote until 2025.
    Error(&'a [u8]),
    /// Not of this protocol: HTML, bare JSON.
    Foreign,
}

impl<'a> Event<'a> {
    pub fn read(event: &'a [u8]) -> Self {
        let mut data: Option<Cow<'a, [u8]>> = None;
        for line in event.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let colon = line.iter().position(|byte| *byte == b':');
            let (name, value) = colon.map_or((line, &b""[..]), |at| (&line[..at], &line[at + 1..]));
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match name {
                b"data" => match &mut data {
                    None => data = Some(value.into()),
                    Some(joined) => {
                        joined.to_mut().push(b'\n');
                        joined.to_mut().extend_from_slice(value);
                    }
                },
                b"error" => return Self::Error(value),
                b"" | b"event" | b"id" | b"retry" => {}
                _ => return Self::Foreign,
            }
        }
        match data {
            None => Self::Life,
            Some(text) if text.trim_ascii() == b"[DONE]" => Self::Done,
            Some(text) => Self::Data(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> (Vec<String>, String) {
        let mut splitter = Splitter::default();
        let mut events = Vec::new();
        for chunk in chunks {
            splitter.push(&Bytes::copy_from_slice(chunk));
            while let Some(event) = splitter.event().unwrap() {
                events.push(String::from_utf8(event.to_vec()).unwrap());
            }
        }
        (events, String::from_utf8(splitter.rest().to_vec()).unwrap())
    }

    #[test]
    fn events_are_the_same_wherever_the_stream_is_cut() {
        let stream = b":\n\ndata: {\"a\":1}\n\nevent: x\r\ndata: b\r\n\r\n\ndata: [DONE]\n\ndata: ha";
        let whole = split(&[stream]);
        assert_eq!(whole.0, [":\n\n", "data: {\"a\":1}\n\n", "event: x\r\ndata: b\r\n\r\n", "\n", "data: [DONE]\n\n"]);
        assert_eq!(whole.1, "data: ha");
        for cut in 0..=stream.len() {
            assert_eq!(split(&[&stream[..cut], &stream[cut..]]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(split(&bytes), whole);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut splitter = Splitter::default();
        let piece = Bytes::from(vec![b'x'; MAX_EVENT_BYTES / 2]);
        splitter.push(&piece);
        assert_eq!(splitter.event(), Ok(None));
        splitter.push(&piece);
        assert_eq!(splitter.event(), Ok(None));
        splitter.push(&Bytes::from_static(b"x"));
        assert_eq!(splitter.event(), Err(TooLong));
    }

    #[test]
    fn what_events_are_for() {
        let check = |event: &[u8], expect: Event<'_>| assert_eq!(Event::read(event), expect);
        check(b":\n\n", Event::Life);
        check(b": ping\r\n\r\n", Event::Life);
        check(b"\n", Event::Life);
        check(b"event: ping\nid: 1\nretry: 5\n\n", Event::Life);
        check(b"data: [DONE]\n\n", Event::Done);
        check(b"data:[DONE]\r\n\r\n", Event::Done);
        check(b"data: {}\n\n", Event::Data(Cow::Borrowed(b"{}")));
        check(b"data: {\ndata: }\n\n", Event::Data(Cow::Borrowed(b"{\n}")));
        check(b"error: {\"code\":500}\n\n", Event::Error(b"{\"code\":500}"));
        check(b"<html>\n\n", Event::Foreign);
        check(b"{\"error\":\"x\"}", Event::Foreign);
    }
}
