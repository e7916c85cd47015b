//! A client of a router's sockets, which waits with a deadline.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use platform_kit::client::Client;
use platform_kit::connection::AnswerBody;
use platform_types::ErrorBody;
use platform_types::spark::ERROR_ORIGIN_HEADER;

/// How long anything may take before a test gives up.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Waits with a deadline.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    let outcome = tokio::time::timeout(DEADLINE, future).await;
    outcome.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// One profile's socket.
#[derive(Clone)]
pub struct Lane(pub Client);

impl Lane {
    /// Sends a chat request; the head of the answer, and its body as it comes.
    pub async fn open(&self, body: impl Into<Bytes>) -> Response<AnswerBody> {
        self.open_with(body, &[]).await
    }

    /// [`Self::open`] with more headers.
    pub async fn open_with(&self, body: impl Into<Bytes>, headers: &[(&str, &str)]) -> Response<AnswerBody> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri("/v1/chat/completions")
            .header("host", "spark")
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.0.open(request.body(Full::new(body.into())).unwrap()).await.unwrap()
    }

    /// Sends a chat request and reads the whole answer.
    pub async fn ask(&self, body: impl Into<Bytes>) -> Answer {
        self.ask_with(body, &[]).await
    }

    /// [`Self::ask`] with more headers.
    pub async fn ask_with(&self, body: impl Into<Bytes>, headers: &[(&str, &str)]) -> Answer {
        let (head, body) = within("the head of an answer", self.open_with(body, headers)).await.into_parts();
        let body = within("the body of an answer", body.collect()).await.unwrap().to_bytes();
        let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        Answer {
            status: head.status.as_u16(),
            origin: header(ERROR_ORIGIN_HEADER),
            kind: header("content-type").unwrap_or_default(),
            retry_after: header("retry-after"),
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub origin: Option<String>,
    pub kind: String,
    pub retry_after: Option<String>,
    pub text: String,
}

impl Answer {
    /// The error's code and message, after the shape, the status and the origin were checked.
    pub fn refusal(&self) -> (String, String) {
        let body: ErrorBody = serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        let code = platform_types::ErrorCode::from_code(&body.error.code).unwrap_or_else(|| panic!("{self:?}"));
        assert_eq!((self.status, &*body.error.kind), (code.status(), code.kind()), "{self:?}");
        assert!(matches!(self.origin.as_deref(), Some("router" | "backend")), "{self:?}");
        assert!(self.kind.starts_with("application/json") && self.retry_after.as_deref() != Some("0"), "{self:?}");
        (body.error.code, body.error.message)
    }
}

/// A chat request with one message.
pub fn chat(model: &str, text: &str, extra: &str) -> String {
    let message = serde_json::json!([{"role": "user", "content": text}]);
    format!(r#"{{"model":{},"messages":{message}{extra}}}"#, serde_json::json!(model))
}
