//! A model box that does what a script says, down to the byte.

use std::sync::Arc;

use platform_types::spark::Backend;
use platform_types::{ModelId, SecretName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::running::within;

/// The one model that [`list`] lists.
pub const MODEL: &str = "tiny/Model-1.A";

/// What the box does next on a connection.
#[derive(Debug, Clone)]
pub enum Step {
    Send(Vec<u8>),
    /// Waits until the test says go.
    Hold,
    /// Waits until the other side is gone.
    UntilGone,
    /// Waits for the next request on this connection.
    Again,
    /// Closes the connection with a reset.
    Reset,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub line: String,
    pub head: String,
    pub body: String,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
}

impl Seen {
    pub fn is_list(&self) -> bool {
        self.line.starts_with("GET /v1/models ")
    }
}

pub struct ScriptedBox {
    pub url: String,
    seen: watch::Sender<Vec<Seen>>,
    gone: watch::Sender<usize>,
    /// Connections that are open.
    open: watch::Sender<usize>,
    go: Arc<Semaphore>,
}

impl ScriptedBox {
    /// Answers every request as `script` says; [`listing`] is what most tests want for the list of models.
    pub async fn start(script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Arc<Self> {
        Self::start_at("127.0.0.1:0", script).await
    }

    /// [`Self::start`] at this address.
    pub async fn start_at(address: &str, script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Arc<Self> {
        let listener = TcpListener::bind(address).await.unwrap();
        let scripted = Arc::new(Self {
            url: format!("http://{}/v1", listener.local_addr().unwrap()),
            seen: watch::Sender::default(),
            gone: watch::Sender::default(),
            open: watch::Sender::default(),
            go: Arc::new(Semaphore::new(0)),
        });
        let (running, script) = (scripted.clone(), Arc::new(script));
        platform_kit::task::spawn("scripted box", async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (running, script) = (running.clone(), script.clone());
                running.open.send_modify(|count| *count += 1);
                platform_kit::task::spawn("scripted connection", async move {
                    running.serve(stream, connection, &*script).await;
                    running.open.send_modify(|count| *count -= 1);
                });
            }
        });
        scripted
    }

    async fn serve(&self, mut stream: TcpStream, connection: usize, script: &(impl Fn(&Seen) -> Vec<Step> + ?Sized)) {
        while let Some(seen) = read(&mut stream, connection).await {
            let steps = script(&seen);
            self.seen.send_modify(|all| all.push(seen));
            let mut again = false;
            for step in steps {
                match step {
                    // The other side may be gone already; that is for the test to find out.
                    Step::Send(bytes) => drop(stream.write_all(&bytes).await),
                    Step::Hold => self.go.acquire().await.unwrap().forget(),
                    Step::UntilGone => {
                        let mut byte = [0];
                        while stream.read(&mut byte).await.is_ok_and(|count| count > 0) {}
                        self.gone.send_modify(|count| *count += 1);
                    }
                    Step::Again => again = true,
                    Step::Reset => return stream.set_zero_linger().unwrap(),
                }
            }
            if !again {
                return;
            }
        }
    }

    /// Lets one [`Step::Hold`] pass.
    pub fn go(&self) {
        self.go.add_permits(1);
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    /// The chat requests so far.
    pub fn chats(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| !seen.is_list()).collect()
    }

    /// Waits until so many chat requests have come.
    pub async fn until_chats(&self, count: usize) {
        let what = format!("{count} chats at the box");
        self.until_seen(&what, |seen| seen.iter().filter(|seen| !seen.is_list()).count() >= count).await;
    }

    pub async fn until_seen(&self, what: &str, wanted: impl FnMut(&Vec<Seen>) -> bool) {
        within(what, self.seen.subscribe().wait_for(wanted)).await.unwrap();
    }

    /// Waits until so many connections in [`Step::UntilGone`] were closed by the other side.
    pub async fn until_gone(&self, count: usize) {
        within("the box sees that the client is gone", self.gone.subscribe().wait_for(|gone| *gone >= count))
            .await
            .unwrap();
    }

    /// Waits until no connection is open.
    pub async fn until_idle(&self) {
        within("the box has no connection", self.open.subscribe().wait_for(|count| *count == 0)).await.unwrap();
    }

    pub fn backend(&self) -> Backend {
        Backend::Box { url: self.url.clone(), model: ModelId::new(MODEL).unwrap(), key: None }
    }

    pub fn backend_with_key(&self, key: &str) -> Backend {
        Backend::Box {
            url: self.url.clone(),
            model: ModelId::new(MODEL).unwrap(),
            key: Some(SecretName::new(key).unwrap()),
        }
    }
}

async fn read(stream: &mut TcpStream, connection: usize) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    while bytes.len() < end + length.unwrap_or(0) {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let line = head.lines().next().unwrap_or_default().to_owned();
    Some(Seen { line, head, body: String::from_utf8(bytes[end..].to_vec()).unwrap(), connection })
}

/// A whole answer with a length, after which the connection stays.
pub fn whole(status: u16, headers: &str, body: &str) -> Vec<Step> {
    vec![
        Step::Send(format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into()),
        Step::Again,
    ]
}

/// The head of a stream that ends with its connection.
pub fn stream_head() -> Step {
    Step::Send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n".to_vec())
}

pub fn send(text: &str) -> Step {
    Step::Send(text.as_bytes().to_vec())
}

/// A stream with this body.
pub fn stream(body: &str) -> Vec<Step> {
    vec![stream_head(), send(body)]
}

/// The list of models with [`MODEL`].
pub fn list() -> Vec<Step> {
    list_with("")
}

fn list_with(headers: &str) -> Vec<Step> {
    whole(
        200,
        headers,
        &format!(
            r#"{{"object":"list","data":[{{"id":"{MODEL}","object":"model","owned_by":"vllm","max_model_len":4096}}]}}"#
        ),
    )
}

/// Lists [`MODEL`], and answers chats with these steps.
pub fn listing(chat: Vec<Step>) -> impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static {
    move |seen| if seen.is_list() { list() } else { chat.clone() }
}

/// The same by a box that keeps no connection: each chat comes on one of its own.
pub fn listing_and_closing(chat: Vec<Step>) -> impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static {
    move |seen| if seen.is_list() { list_with("connection: close\r\n") } else { chat.clone() }
}

/// A chunk with a word.
pub fn chunk(word: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"{MODEL}\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

/// The chunk with the reason for the end, and `[DONE]`.
pub fn ending() -> String {
    format!(
        "data: {{\"model\":\"{MODEL}\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\ndata: [DONE]\n\n"
    )
}

/// A plain answer.
pub fn plain(model: &str) -> String {
    format!(
        r#"{{"id":"c","object":"chat.completion","model":"{model}","choices":[{{"index":0,"message":{{"role":"assistant","content":"hi"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":5,"completion_tokens":2}}, "extra" : 1}}"#
    )
}
