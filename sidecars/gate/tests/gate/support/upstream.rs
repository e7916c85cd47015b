//! An upstream on loopback that says what a test wants, and the agent's side of `egress.sock`.

use std::sync::Arc;

use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use platform_types::egress::{AnswerFilter, Confirm, Credential, Fact, Field, Method, Rule, Shape, Upstream};
use platform_types::{SecretName, UpstreamName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::browser::Fields;
use super::{Answer, Rig, within};

pub const SECRET: &str = "hunter2-hunter2-hunter2";

/// Gone when it is dropped.
pub struct TestUpstream {
    pub port: u16,
    /// Each request: head and body.
    pub requests: mpsc::UnboundedReceiver<(String, String)>,
    _stop: DropGuard,
}

/// What is said, piece by piece; `None`: nothing, and the connection stays open.
type Script = Arc<dyn Fn(&str) -> Option<Vec<Vec<u8>>> + Send + Sync>;

impl TestUpstream {
    /// Answers each head with the script.
    pub async fn start(script: impl Fn(&str) -> Option<Vec<Vec<u8>>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script: Script = Arc::new(script);
        let (told, requests) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        platform_kit::task::spawn("test upstream", async move {
            loop {
                let stream = tokio::select! {
                    () = stopped.cancelled() => return,
                    accepted = listener.accept() => accepted.unwrap().0,
                };
                let serving = serve(stream, script.clone(), told.clone(), stopped.clone());
                platform_kit::task::spawn("test exchange", serving);
            }
        });
        Self { port, requests, _stop: stop.drop_guard() }
    }

    /// One that answers everything with this JSON.
    pub async fn json(value: Value) -> Self {
        Self::start(move |_| Some(vec![answer("200 OK", "content-type: application/json\r\n", &value.to_string())]))
            .await
    }

    pub async fn request(&mut self) -> (String, String) {
        within(self.requests.recv()).await.unwrap()
    }

    pub fn is_quiet(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Script,
    told: mpsc::UnboundedSender<(String, String)>,
    stop: CancellationToken,
) {
    let Some((head, body)) = read(&mut stream).await else { return };
    let pieces = script(&head);
    let _ = told.send((head, body));
    let Some(pieces) = pieces else { return stop.cancelled().await };
    for piece in pieces {
        if stream.write_all(&piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end + 4].to_vec()).unwrap();
            let length = super::agent::field(&head, "content-length").map_or(0, |text| text.parse().unwrap());
            while bytes.len() < end + 4 + length {
                if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                    return None;
                }
            }
            return Some((head, String::from_utf8(bytes[end + 4..].to_vec()).unwrap()));
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

/// A whole answer.
pub fn answer(status: &str, fields: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{fields}connection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// A house with a light that may be switched, and a lock that a person has to confirm.
pub fn home(url: &str) -> Upstream {
    let entity = |name: &str| Field { shape: Shape::OneOf { values: vec![json!(name)] }, required: true };
    let rule = |name: &str, method, path: &str| Rule {
        name: name.into(),
        method,
        path: path.into(),
        params: [].into(),
        query: [].into(),
        headers: Vec::new(),
        body: None,
        confirm: None,
        answer: AnswerFilter::Whole,
        guards: Vec::new(),
    };
    let state = Rule {
        params: [("entity".to_owned(), Shape::OneOf { values: vec![json!("light.kitchen"), json!("lock.front")] })]
            .into(),
        ..rule("state", Method::Get, "/api/states/{entity}")
    };
    let light = Rule {
        body: Some([("entity_id".to_owned(), entity("light.kitchen"))].into()),
        ..rule("light", Method::Post, "/api/services/light/turn_on")
    };
    let few = Rule {
        answer: AnswerFilter::Members { members: vec!["state".into()] },
        ..rule("few", Method::Get, "/api/few")
    };
    let unlock = Rule {
        body: Some([("entity_id".to_owned(), entity("lock.front"))].into()),
        confirm: Some(Confirm {
            words: "Unlock {entity_id}?".into(),
            facts: vec![Fact {
                label: "Now".into(),
                path: "/api/states/{entity_id}".into(),
                pointer: "/state".into(),
                each: None,
            }],
            id_field: Some("request_id".into()),
            expires_seconds: 600,
        }),
        ..rule("unlock", Method::Post, "/api/services/lock/unlock")
    };
    Upstream {
        name: UpstreamName::new("home").unwrap(),
        url: url.into(),
        address: None,
        networks: vec!["127.0.0.0/8".into()],
        credential: Some(Credential::Bearer { secret: SecretName::new("home-token").unwrap() }),
        ca: None,
        rules: vec![state, light, few, unlock],
    }
}

impl Rig {
    /// A gate with the house as its only upstream.
    pub async fn with_home(upstream: &TestUpstream) -> Self {
        let rig = Self::start().await;
        rig.secret("home-token", SECRET);
        let url = format!("http://127.0.0.1:{}", upstream.port);
        rig.push(|config| config.upstreams = vec![home(&url)]).await;
        rig
    }

    pub fn secret(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.directory.path().join("secrets").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A request of the agent.
    pub async fn out(&self, method: &str, host: &str, target: &str, body: Option<&Value>) -> Answer {
        self.out_with(method, (host, target), &[], body).await
    }

    pub async fn out_with(
        &self,
        method: &str,
        (host, target): (&str, &str),
        fields: Fields<'_>,
        body: Option<&Value>,
    ) -> Answer {
        let stream = UnixStream::connect(self.egress_socket()).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        platform_kit::task::spawn("test connection", async move {
            let _ = connection.await;
        });
        let mut request = Request::builder().method(method).uri(target).header("host", host);
        for (name, value) in fields {
            request = request.header(*name, value.as_bytes());
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let response = within(sender.send_request(request.body(Full::new(bytes)).unwrap())).await.unwrap();
        let (head, body) = response.into_parts();
        let body = within(body.collect()).await.unwrap().to_bytes();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// Sends bytes to `egress.sock` and reads until the gate closes.
    pub async fn out_raw(&self, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.egress_socket()).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut text = Vec::new();
        let _ = within(stream.read_to_end(&mut text)).await;
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The gate's chain, verified.
    pub async fn audit(&self) -> Vec<platform_types::audit::Entry> {
        let page: platform_types::audit::Page = self.admin.get("/audit?after=0").await.unwrap();
        platform_kit::chain::verify(platform_kit::chain::genesis(), page.head, &page.entries).unwrap();
        page.entries
    }

    /// The kinds of the chain's entries, without those about configuration.
    pub async fn kinds(&self) -> Vec<String> {
        let kinds = self.audit().await.into_iter().map(|entry| entry.kind);
        kinds.filter(|kind| kind != "config.pushed").collect()
    }
}
