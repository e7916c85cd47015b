//! One chat request, and what its answer looked like on the way in.

use std::time::Instant;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::json;

use crate::target::Connection;

/// Longest piece of an error that is shown.
const SHOWN_BYTES: usize = 160;
const DONE: &[u8] = b"data: [DONE]";

/// Times in microseconds from the moment the request was due.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub first: u64,
    pub total: u64,
    /// The stream said that it is over; a plain answer had a body.
    pub whole: bool,
}

/// A request of about `prompt` bytes.
pub fn body(model: &str, prompt: usize, stream: bool) -> Bytes {
    let text = "lorem ipsum dolor sit amet ".repeat(prompt / 27 + 1);
    let messages = json!([{"role": "system", "content": "You are a benchmark."}, {"role": "user", "content": text}]);
    let mut body = json!({"model": model, "messages": messages, "temperature": 0});
    if stream {
        body["stream"] = json!(true);
        body["stream_options"] = json!({"include_usage": true});
    }
    Bytes::from(body.to_string())
}

pub fn post(body: &Bytes, key: &str) -> anyhow::Result<Request<Full<Bytes>>> {
    Ok(Request::builder()
        .method(Method::POST)
        .uri("/v1/chat/completions")
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .body(Full::new(body.clone()))?)
}

/// Sends a request and reads its answer to the end. The second value says whether the connection may be used again.
pub async fn ask(
    connection: &mut Connection,
    request: Request<Full<Bytes>>,
    due: Instant,
) -> anyhow::Result<(Sample, bool)> {
    connection.sender.ready().await?;
    let response = connection.sender.send_request(request).await?;
    let status = response.status();
    let again = response.headers().get(header::CONNECTION).is_none_or(|value| value != "close");
    let mut body = response.into_body();
    if status != StatusCode::OK {
        let said = body.collect().await?.to_bytes();
        anyhow::bail!("{status}: {}", String::from_utf8_lossy(&said[..said.len().min(SHOWN_BYTES)]));
    }
    let (mut first, mut events) = (None, Events::default());
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            first.get_or_insert_with(|| micros(due));
            events.take(data);
        }
    }
    let total = micros(due);
    Ok((Sample { first: first.unwrap_or(total), total, whole: events.whole() }, again))
}

pub fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Counts events by their blank lines, wherever the bytes are cut.
#[derive(Debug, Default)]
pub struct Events {
    pub count: u32,
    after_line: bool,
    bytes: usize,
    tail: Vec<u8>,
}

impl Events {
    pub fn take(&mut self, data: &[u8]) {
        self.bytes += data.len();
        for byte in data {
            match byte {
                b'\n' if self.after_line => {
                    self.count += 1;
                    self.after_line = false;
                }
                b'\n' => self.after_line = true,
                b'\r' => {}
                _ => self.after_line = false,
            }
        }
        let kept = data.len().min(2 * DONE.len());
        self.tail.extend_from_slice(&data[data.len() - kept..]);
        let surplus = self.tail.len().saturating_sub(2 * DONE.len());
        self.tail.drain(..surplus);
    }

    fn whole(&self) -> bool {
        if self.count == 0 { self.bytes > 2 } else { self.tail.windows(DONE.len()).any(|window| window == DONE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_wherever_the_stream_is_cut() {
        let stream = b"data: {}\n\ndata: {}\r\n\r\ndata: [DONE]\n\n";
        for cut in 0..=stream.len() {
            let mut events = Events::default();
            events.take(&stream[..cut]);
            events.take(&stream[cut..]);
            assert_eq!((events.count, events.whole()), (3, true), "cut at {cut}");
        }
        let mut broken = Events::default();
        broken.take(&stream[..20]);
        assert!(!broken.whole());
    }
}
