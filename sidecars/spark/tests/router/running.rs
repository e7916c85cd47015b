//! A router in a directory of its own, and a client of its sockets.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use platform_kit::SystemClock;
use platform_kit::client::{CallError, Client};
use platform_kit::socket::Peer;
use platform_types::spark::{Backend, ERROR_ORIGIN_HEADER, SparkConfig, SparkLimits, SparkStatus};
use platform_types::{ErrorBody, ProfileName, Revision};
use spark::place::{Limits, Place};
use spark::process::Process;
use tokio_util::sync::CancellationToken;

/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(20);

/// Waits with a deadline.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    let outcome = tokio::time::timeout(DEADLINE, future).await;
    outcome.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

pub struct Running {
    pub place: Place,
    /// What every configuration says of limits.
    pub given: SparkLimits,
    stop: CancellationToken,
    _root: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Running {
    /// Starts a router that waits for its configuration; directories of two profiles are there.
    pub fn start(limits: Limits) -> Self {
        let root = tempfile::tempdir().unwrap();
        let place = Place::under(root.path());
        for directory in
            [&place.state, &place.admin, &place.secrets, &place.sockets.join("personal"), &place.sockets.join("ops")]
        {
            std::fs::create_dir_all(directory).unwrap();
        }
        let stop = CancellationToken::new();
        let process = Process::bind(place.clone(), limits, Arc::new(SystemClock)).unwrap();
        platform_kit::task::spawn("router", process.run(stop.clone()));
        Self { place, given: SparkLimits::default(), stop, _root: root }
    }

    /// Starts a router with this backend for both profiles.
    pub async fn with(backend: Backend, limits: Limits) -> Self {
        let running = Self::start(limits);
        running.push(1, backend, &["personal", "ops"]).await.unwrap();
        running
    }

    pub async fn push(&self, revision: u64, backend: Backend, profiles: &[&str]) -> Result<(), CallError> {
        let profiles = profiles.iter().map(|name| ProfileName::new(*name).unwrap()).collect();
        self.admin()
            .put(
                "/config",
                &SparkConfig { revision: Revision(revision), backend, profiles, limits: self.given },
            )
            .await
    }

    pub fn admin(&self) -> Client {
        Client::new(self.place.admin_socket(), Peer::Trusted, DEADLINE)
    }

    pub fn lane(&self, profile: &str) -> Lane {
        let path = self.place.llm_socket(&ProfileName::new(profile).unwrap());
        Lane(Client::new(path, Peer::Trusted, DEADLINE))
    }

    /// Waits until the counters are as wanted.
    pub async fn counted(&self, what: &str, wanted: impl Fn(&SparkStatus) -> bool) -> SparkStatus {
        let admin = self.admin();
        within(what, async {
            loop {
                let status: SparkStatus = admin.get("/status").await.unwrap();
                if wanted(&status) {
                    return status;
                }
            }
        })
        .await
    }
}

/// One profile's socket.
#[derive(Clone)]
pub struct Lane(pub Client);

impl Lane {
    /// Sends a chat request; the head of the answer, and its body as it comes.
    pub async fn open(&self, body: impl Into<Bytes>) -> Response<Incoming> {
        self.open_with(body, &[]).await
    }

    /// [`Self::open`] with more headers.
    pub async fn open_with(&self, body: impl Into<Bytes>, headers: &[(&str, &str)]) -> Response<Incoming> {
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
