//! A stream that is read line by line.

use http_body_util::BodyExt as _;
use platform_kit::connection::AnswerBody;
use platform_types::spark::Progress;

use crate::limits::PROGRESS;
use crate::running::{Lane, chat, within};

const STREAM: &str = r#","stream":true"#;

/// A stream that is read line by line.
pub struct Reading {
    body: AnswerBody,
    text: String,
}

impl Reading {
    pub async fn open(lane: &Lane, model: &str) -> Self {
        let response = within("the head", lane.open_with(chat(model, "hi", STREAM), &[PROGRESS])).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        Self { body: response.into_body(), text: String::new() }
    }

    /// The next event with its blank line; `None` at the end.
    pub async fn event(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let rest = self.text.split_off(end + 2);
                return Some(std::mem::replace(&mut self.text, rest));
            }
            let frame = within("the next event", self.body.frame()).await?.unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&frame).unwrap());
        }
    }

    /// Reads on until there is progress like this; there is nothing else before.
    pub async fn until(&mut self, wanted: impl Fn(&Progress) -> bool) -> Progress {
        loop {
            let event = self.event().await.expect("the stream goes on");
            let progress = Progress::from_comment(&event).unwrap_or_else(|| panic!("{event}"));
            if wanted(&progress) {
                return progress;
            }
        }
    }

    /// Everything but progress, to the end.
    pub async fn rest(mut self) -> String {
        let mut rest = String::new();
        while let Some(event) = self.event().await {
            if Progress::from_comment(&event).is_none() {
                rest.push_str(&event);
            }
        }
        rest
    }
}
