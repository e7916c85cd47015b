//! What a streamed answer says, read from a copy of its bytes. Pure, but that an error is cleared of the box's key.
//!
//! Invariants: every event is forwarded as it came, in order. The exceptions: the usage-only chunk, which is taken out
//! when spark asked for it and the client had not; an error in a shape that no client knows, which becomes one in the
//! shape that all know; an error that has the box's key in it, which goes on without; the `[DONE]` of an answer without a
//! word. Half an event is never forwarded. Whatever is kept here of what the box said has no key in it.

use bytes::{Bytes, BytesMut};
use platform_types::ErrorCode;

use crate::chunk::{Choice, Chunk, Usage};
use crate::diagnosis::in_place_of_an_answer;
use crate::redaction::Redaction;
use crate::refusal::{Refusal, quote};
use crate::sse::{Event, MAX_EVENT_BYTES, Splitter, TooLong};

/// The first event, on which the head of the answer waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// A comment: the server lives and is still reading the prompt.
    Life,
    /// A chunk, and the model that it says it is from.
    Chunk { model: Option<String> },
    /// An error in place of an answer.
    Error(Bytes),
    /// Something else.
    Foreign(Bytes),
}

/// How the stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Open,
    /// A `finish_reason` was seen.
    Finished,
    /// `[DONE]` was seen.
    Done,
    /// `[DONE]` was seen, and not one chunk.
    Empty,
    /// An error event was seen; nothing need be added.
    Failed,
}

/// A streamed answer so far.
#[derive(Debug)]
pub struct Transcript {
    splitter: Splitter,
    first: Option<First>,
    mark: Mark,
    usage: Option<Usage>,
    chunks: u64,
    hide_usage: bool,
    /// An error that was not forwarded, because no client would know it.
    kept_back: Option<Bytes>,
    /// The first error.
    error: Option<Bytes>,
    redaction: Redaction,
}

/// What becomes of an event.
enum Forward {
    /// It goes on as it came.
    On,
    Not,
    /// This goes on in its place.
    Instead(Bytes),
}

impl From<bool> for Forward {
    fn from(goes_on: bool) -> Self {
        if goes_on { Self::On } else { Self::Not }
    }
}

impl Transcript {
    /// `hide_usage`: the client has not asked for the usage-only chunk.
    pub fn new(hide_usage: bool, redaction: Redaction) -> Self {
        Self {
            splitter: Splitter::default(),
            first: None,
            mark: Mark::Open,
            usage: None,
            chunks: 0,
            hide_usage,
            kept_back: None,
            error: None,
            redaction,
        }
    }

    /// Takes the key out of what the box says.
    pub fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    /// Takes bytes of the server; gives what is to be forwarded.
    pub fn take(&mut self, bytes: &Bytes) -> Result<Bytes, TooLong> {
        self.splitter.push(bytes);
        let mut forward = BytesMut::new();
        while let Some(event) = self.splitter.event()? {
            match self.observe(&event) {
                // Neighbours in one buffer: this joins them without copying.
                Forward::On => forward.unsplit(event),
                Forward::Instead(other) => forward.extend_from_slice(&other),
                Forward::Not => {}
            }
        }
        Ok(forward.freeze())
    }

    /// The first event, once it is complete.
    pub fn first(&self) -> Option<&First> {
        self.first.as_ref()
    }

    /// Chunks of an answer so far.
    pub fn chunks(&self) -> u64 {
        self.chunks
    }

    /// There was at least one chunk of an answer.
    pub fn has_begun(&self) -> bool {
        self.chunks > 0
    }

    /// The answer is complete; what follows is of no interest.
    pub fn is_done(&self) -> bool {
        self.mark == Mark::Done
    }

    /// Nothing is missing.
    pub fn is_whole(&self) -> bool {
        matches!(self.mark, Mark::Done | Mark::Finished)
    }

    /// The error of the server that the stream carried.
    pub fn failure(&self) -> Option<Refusal> {
        self.error.as_ref().or(self.kept_back.as_ref()).map(|error| in_place_of_an_answer(error))
    }

    pub fn usage(&self) -> Usage {
        self.usage.unwrap_or(Usage { output: self.chunks, estimated: true, ..Usage::default() })
    }

    /// Why the answer is over, whatever the box may still send.
    pub fn fault(&self) -> Option<Refusal> {
        match (&self.kept_back, self.mark) {
            (Some(error), _) => Some(in_place_of_an_answer(error)),
            (None, Mark::Empty) => Some(Refusal::backend(
                ErrorCode::UpstreamEmptyStream,
                "the model box said that its answer is complete, without a word of it",
            )),
            _ => None,
        }
    }

    /// Takes the end of the stream: what is still to be forwarded, and what is wrong with this end.
    pub fn end(&mut self) -> (Bytes, Option<Refusal>) {
        let rest = std::mem::take(&mut self.splitter).rest();
        let mut last = Bytes::new();
        if !rest.is_empty() && is_readable(&rest) {
            last = match self.observe(&rest) {
                Forward::On => [&rest[..], b"\n\n"].concat().into(),
                Forward::Instead(other) => other,
                Forward::Not => Bytes::new(),
            };
        } else if !rest.is_empty() && self.first.is_none() {
            self.first = Some(First::Foreign(self.cleared(&rest)));
        }
        (last, self.complaint())
    }

    fn complaint(&self) -> Option<Refusal> {
        if let Some(fault) = self.fault() {
            return Some(fault);
        }
        match (&self.first, self.mark) {
            (_, Mark::Finished | Mark::Done | Mark::Empty | Mark::Failed) => None,
            (None, _) => Some(Refusal::backend(
                ErrorCode::UpstreamEmptyStream,
                "the model box began an answer and ended it without a word; often the prompt was too long for it",
            )),
            (Some(First::Foreign(bytes)), _) => Some(in_place_of_an_answer(bytes)),
            (Some(First::Life), _) if self.chunks == 0 => Some(Refusal::backend(
                ErrorCode::UpstreamEmptyStream,
                "the model box sent pings and then ended its answer without a word",
            )),
            (Some(_), _) => Some(Refusal::backend(
                ErrorCode::UpstreamIncomplete,
                "the answer of the model box ended in the middle, without a finish_reason or [DONE]",
            )),
        }
    }

    /// Reads one event.
    fn observe(&mut self, event: &[u8]) -> Forward {
        match Event::read(event) {
            Event::Life => self.begins_with(|_| First::Life),
            Event::Foreign => self.begins_with(|this| First::Foreign(this.cleared(event))),
            Event::Done => {
                // After an error it is the error that counts.
                if self.mark != Mark::Failed {
                    self.mark = if self.chunks == 0 { Mark::Empty } else { Mark::Done };
                }
                self.begins_with(|_| First::Chunk { model: None });
                return (self.mark != Mark::Empty && self.kept_back.is_none()).into();
            }
            Event::Error(error) => return self.keep_back(error),
            Event::Data(data) => match serde_json::from_slice::<Chunk<'_>>(&data) {
                Ok(chunk) => return self.read(&chunk, &data, event),
                Err(_) => self.begins_with(|this| First::Foreign(this.cleared(&data))),
            },
        }
        Forward::On
    }

    fn cleared(&self, said: &[u8]) -> Bytes {
        Bytes::copy_from_slice(&self.redaction.body(said))
    }

    fn begins_with(&mut self, first: impl FnOnce(&Self) -> First) {
        if self.first.as_ref().is_none_or(|known| *known == First::Life) {
            self.first = Some(first(self));
        }
    }

    /// An error that is not forwarded as it is.
    fn keep_back(&mut self, error: &[u8]) -> Forward {
        self.mark = Mark::Failed;
        let error = self.cleared(error);
        self.kept_back.get_or_insert_with(|| error.clone());
        self.begins_with(|_| First::Error(error));
        Forward::Not
    }

    fn read(&mut self, chunk: &Chunk<'_>, data: &[u8], event: &[u8]) -> Forward {
        if let Some(usage) = chunk.usage {
            self.usage = Some(usage.into());
        }
        if chunk.is_flat_error() && chunk.error.is_none() {
            return self.keep_back(data);
        }
        if chunk.error.is_some() {
            self.mark = Mark::Failed;
            let error = self.cleared(data);
            self.error.get_or_insert_with(|| error.clone());
            self.begins_with(|_| First::Error(error));
            return self.redaction.event(event, data).map_or(Forward::On, Forward::Instead);
        }
        self.begins_with(|_| First::Chunk { model: chunk.model.as_deref().map(str::to_owned) });
        match chunk.choices.as_deref() {
            Some([]) if chunk.usage.is_some() => (!self.hide_usage).into(),
            Some(choices) if !choices.is_empty() => {
                self.chunks += 1;
                let finished = choices.iter().any(Choice::is_last);
                if finished && self.mark == Mark::Open {
                    self.mark = Mark::Finished;
                }
                Forward::On
            }
            _ => Forward::On,
        }
    }
}

/// The end of a stream without its blank line is an event all the same when it is whole in itself.
fn is_readable(rest: &[u8]) -> bool {
    match Event::read(rest) {
        Event::Done | Event::Error(_) => true,
        Event::Data(data) => serde_json::from_slice::<Chunk<'_>>(&data).is_ok(),
        Event::Life | Event::Foreign => false,
    }
}

/// What came is not a stream of events.
pub fn foreign(bytes: &[u8]) -> Refusal {
    Refusal::backend(
        ErrorCode::UpstreamInvalid,
        format!(
            "the model box answered something that is not a chat completion; check [spark].url. It begins: {}",
            quote(&String::from_utf8_lossy(&bytes[..bytes.len().min(2048)]))
        ),
    )
}

/// One event would not end.
pub fn too_long() -> Refusal {
    Refusal::backend(
        ErrorCode::UpstreamInvalid,
        format!("the model box sent an event of more than {MAX_EVENT_BYTES} bytes"),
    )
}

#[cfg(test)]
#[path = "transcript_tests.rs"]
mod tests;
