//! A server-sent event stream in pieces of any size.
//!
//! Lines end in LF, CRLF or CR. Comments (`:`) are life signs; one kind says what a request waits for. Only `data` matters else: several data
//! lines of one event are joined with LF. A line over [`MAX_LINE_BYTES`] breaks the stream, as does text that is not UTF-8.

use memchr::memchr2;
use platform_types::spark::Progress;

/// Longest line: one chunk of a model is a few hundred bytes, a whole answer in one chunk stays far below.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Why a stream is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    LineTooLong,
    NotUtf8,
}

/// Takes bytes, gives the data of whole events.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    data: Option<String>,
    /// The last byte was a CR: an LF right after it ends the same line.
    after_cr: bool,
    /// The newest that a comment told.
    progress: Option<Progress>,
}

impl Parser {
    /// Adds `bytes`; the data of each event that is whole now is pushed to `events`.
    pub fn push(&mut self, bytes: &[u8], events: &mut Vec<String>) -> Result<(), Broken> {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if self.after_cr && *first == b'\n' {
                rest = &rest[1..];
            }
            self.after_cr = false;
            let end = memchr2(b'\n', b'\r', rest);
            let piece = &rest[..end.unwrap_or(rest.len())];
            if self.line.len() + piece.len() > MAX_LINE_BYTES {
                return Err(Broken::LineTooLong);
            }
            self.line.extend_from_slice(piece);
            let Some(end) = end else { break };
            self.after_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            self.end_line(events)?;
        }
        Ok(())
    }

    /// The stream ended: an event without its blank line counts all the same, since some servers leave it out.
    pub fn finish(&mut self, events: &mut Vec<String>) -> Result<(), Broken> {
        if !self.line.is_empty() {
            self.end_line(events)?;
        }
        events.extend(self.data.take());
        Ok(())
    }

    /// What the request waits for, told since the last time.
    pub fn progress(&mut self) -> Option<Progress> {
        self.progress.take()
    }

    fn end_line(&mut self, events: &mut Vec<String>) -> Result<(), Broken> {
        if self.line.is_empty() {
            events.extend(self.data.take());
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.line);
        let line = std::str::from_utf8(&bytes).map_err(|_| Broken::NotUtf8)?;
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        let value = match line.split_once(':') {
            Some(("data", value)) => value.strip_prefix(' ').unwrap_or(value),
            None if line == "data" => "",
            _ => {
                self.progress = Progress::from_comment(line).or(self.progress);
                return Ok(());
            }
        };
        match &mut self.data {
            Some(data) => {
                if data.len() + value.len() >= MAX_LINE_BYTES {
                    return Err(Broken::LineTooLong);
                }
                data.push('\n');
                data.push_str(value);
            }
            None => self.data = Some(value.to_owned()),
        }
        // The buffer's memory is kept for the next line.
        self.line = bytes;
        self.line.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(pieces: &[&[u8]]) -> Result<Vec<String>, Broken> {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        for piece in pieces {
            parser.push(piece, &mut events)?;
        }
        parser.finish(&mut events)?;
        Ok(events)
    }

    #[test]
    fn events() {
        let check = |text: &str, expect: &[&str]| assert_eq!(parse(&[text.as_bytes()]).unwrap(), expect, "{text:?}");
        check("data: a\n\ndata: b\n\n", &["a", "b"]);
        check("data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]);
        check("data: a\r\rdata: b\r\r", &["a", "b"]);
        check(":\n\n: ping\n\ndata:a\n\n", &["a"]);
        check("event: x\nid: 1\nretry: 5\ndata: a\n\n", &["a"]);
        check("data: a\ndata: b\n\n", &["a\nb"]);
        check("data\n\n", &[""]);
        check("data:  two spaces\n\n", &[" two spaces"]);
        check("data: no end", &["no end"]);
        check("\u{feff}data: a\n\n", &["a"]);
        check("", &[]);
        check("database: no\n\n", &[]);
    }

    #[test]
    fn broken_streams() {
        assert_eq!(parse(&[b"data: \xff\n\n"]), Err(Broken::NotUtf8));
        let endless = vec![b'x'; MAX_LINE_BYTES + 1];
        assert_eq!(parse(&[b"data: ", &endless]), Err(Broken::LineTooLong));
        let line = format!("data: {}\n", "x".repeat(MAX_LINE_BYTES / 2));
        assert_eq!(parse(&[line.as_bytes(), line.as_bytes(), line.as_bytes()]), Err(Broken::LineTooLong));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_events(texts in prop::collection::vec("[^\r\n]{0,20}", 0..6), cuts in prop::collection::vec(0..300usize, 0..10)) {
            let stream: String = texts.iter().flat_map(|text| ["data: ", text, "\r\n\r\n"]).collect();
            let bytes = stream.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(parse(&pieces).unwrap(), texts);
        }

        #[test]
        fn any_bytes_never_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..10)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let _ = parse(&pieces);
        }
    }
}
