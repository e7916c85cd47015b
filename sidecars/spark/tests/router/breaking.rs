//! Connections that fail, and boxes that come back.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use platform_types::spark::{Backend, Breaker, SparkHealth, SparkLimits};
use platform_types::{ErrorCode, ModelId};
use spark::place::{Limits, Watch};
use tokio::net::TcpSocket;

use crate::client::Answer;
use crate::limits::{PATIENT, limited};
use crate::running::{Running, chat, within};
use crate::scripted::*;

/// Asks the box by itself this often, whatever it is like.
fn watching(every: Duration) -> Limits {
    Limits { watch: Watch { well: every, unwell: every, open: every }, ..Limits::default() }
}

const NEVER: Duration = Duration::from_hours(1);
const OFTEN: Duration = Duration::from_millis(5);

/// An address where nobody listens.
fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn at(address: SocketAddr) -> Backend {
    Backend::Box { url: format!("http://{address}/v1"), model: ModelId::new(MODEL).unwrap(), key: None }
}

async fn open(running: &Running) -> (String, String) {
    let status = running.counted("it is open", |status| matches!(status.breaker, Some(Breaker::Open { .. }))).await;
    let Some(Breaker::Open { since, cause }) = status.breaker else { unreachable!("it was open") };
    (since.utc(), cause)
}

fn unreachable(answer: &Answer) -> String {
    let (code, message) = answer.refusal();
    assert_eq!((code.as_str(), answer.origin.as_deref()), ("upstream_unreachable", Some("router")));
    assert_eq!((answer.status, answer.retry_after.as_deref()), (502, Some("2")));
    message
}

#[tokio::test]
async fn it_says_the_cause_and_since_when_and_closes_when_the_list_comes() {
    let address = nowhere();
    let running = Running::with(at(address), watching(NEVER)).await;
    let lane = running.lane("personal");
    let message = unreachable(&lane.ask(chat(MODEL, "hi", "")).await);
    let (since, cause) = open(&running).await;
    assert!(message.contains(&format!("since {since}: {cause}")) && cause.contains("refused"), "{message}");
    let health: SparkHealth = lane.0.get("/health").await.unwrap();
    assert_eq!((health.reachable, health.answering, health.model_listed), (false, false, false));
    assert!(health.problem.unwrap().contains(&since));

    // It is there again, and nobody has asked it yet.
    let scripted = ScriptedBox::start_at(&address.to_string(), listing(whole(200, "", &plain(MODEL)))).await;
    assert!(unreachable(&lane.ask(chat(MODEL, "hi", "")).await).contains(&since));
    assert!(lane.0.get::<serde_json::Value>("/v1/models").await.is_err());
    assert!(scripted.seen().is_empty(), "requests are refused at once");
    // The operator asks now: that is the probe.
    let health: SparkHealth = running.admin().get("/health").await.unwrap();
    assert!(health.model_listed && health.problem.is_none());
    assert_eq!(lane.ask(chat(MODEL, "hi", "")).await.status, 200);
    running.counted("it is closed", |status| status.breaker == Some(Breaker::Closed)).await;
}

#[tokio::test]
async fn it_closes_by_itself() {
    let address = nowhere();
    let running = Running::with(at(address), watching(OFTEN)).await;
    open(&running).await;
    let scripted = ScriptedBox::start_at(&address.to_string(), listing(whole(200, "", &plain(MODEL)))).await;
    running.counted("it is closed", |status| status.breaker == Some(Breaker::Closed)).await;
    assert!(scripted.chats().is_empty() && scripted.seen().iter().all(Seen::is_list), "probes are lists");
    assert_eq!(running.lane("ops").ask(chat(MODEL, "hi", "")).await.status, 200);
}

#[tokio::test]
async fn a_chat_that_finds_no_connection_wakes_the_watch() {
    // The first list is long ago when the box goes away.
    let address = nowhere();
    let limits =
        Limits { watch: Watch { well: NEVER, unwell: NEVER, open: OFTEN }, list_age: NEVER, ..Limits::default() };
    let list = list_and_close();
    let first = std::thread::spawn(move || serve_once(&TcpListener::bind(address).unwrap(), &list));
    let running = within("the listener", async {
        while std::net::TcpStream::connect(address).is_err() {}
        Running::with(at(address), limits).await
    })
    .await;
    first.join().unwrap();
    let lane = running.lane("personal");
    unreachable(&lane.ask(chat(MODEL, "hi", "")).await);
    let scripted = ScriptedBox::start_at(&address.to_string(), listing(whole(200, "", &plain(MODEL)))).await;
    scripted.until_seen("it is asked", |seen| seen.iter().any(Seen::is_list)).await;
    running.counted("it is closed", |status| status.breaker == Some(Breaker::Closed)).await;
    assert_eq!(lane.ask(chat(MODEL, "hi", "")).await.status, 200);
}

/// The list as bytes, after which the connection is closed.
fn list_and_close() -> Vec<u8> {
    let body = format!(r#"{{"data":[{{"id":"{MODEL}"}}]}}"#);
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into()
}

/// Answers the first connection that asks something, and then listens no more.
fn serve_once(listener: &TcpListener, answer: &[u8]) {
    use std::io::{Read as _, Write as _};
    loop {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        if stream.read(&mut head).unwrap() > 0 {
            return stream.write_all(answer).unwrap();
        }
    }
}

#[tokio::test]
async fn no_answer_opens_it() {
    for status in [400, 401, 404, 429, 500, 502, 503] {
        let answer = whole(status, "", r#"{"error":{"message":"no","code":0}}"#);
        let scripted = ScriptedBox::start(listing(answer)).await;
        let running = Running::with(scripted.backend(), Limits::default()).await;
        let lane = running.lane("personal");
        for _ in 0..3 {
            assert_ne!(lane.ask(chat(MODEL, "hi", "")).await.status, 200);
        }
        assert_eq!(scripted.chats().len(), 3, "each went to the box");
        running.counted("it is closed", |status| status.breaker == Some(Breaker::Closed)).await;
    }
    // Nor does a list that is an error, nor an answer that breaks off.
    let scripted = ScriptedBox::start(|_| whole(503, "", r#"{"error":{"message":"Loading model"}}"#)).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    assert_eq!(running.lane("personal").ask(chat(MODEL, "hi", "")).await.refusal().0, "model_loading");
    let scripted = ScriptedBox::start(listing_and_closing(vec![Step::Reset])).await;
    running.push(2, scripted.backend(), &["personal"]).await.unwrap();
    let (code, message) = running.lane("personal").ask(chat(MODEL, "hi", "")).await.refusal();
    assert_eq!(code, ErrorCode::UpstreamUnreachable.as_str());
    assert!(message.contains("closed before an answer"), "{message}");
    running.counted("it is closed", |status| status.breaker == Some(Breaker::Closed)).await;
    assert_eq!(scripted.chats().len(), 1, "it was sent once");
}

#[tokio::test]
async fn a_connection_is_tried_twice_and_a_request_sent_once() {
    // A server without TLS behind an https address: no connection, as often as one tries.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/v1", listener.local_addr().unwrap());
    let backend = Backend::Box { url, model: ModelId::new(MODEL).unwrap(), key: None };
    let running = Running::with(backend, watching(NEVER)).await;
    let (asked, accepted) = tokio::join!(open(&running), async {
        for _ in 0..2 {
            drop(within("a connection", listener.accept()).await.unwrap());
        }
        2
    });
    assert!(!asked.1.is_empty());
    assert!(futures_util::poll!(std::pin::pin!(listener.accept())).is_pending(), "{accepted} attempts");
    assert!(unreachable(&running.lane("personal").ask(chat(MODEL, "hi", "")).await).contains(&asked.0));
}

#[tokio::test]
async fn a_box_that_takes_no_connection_is_given_up_soon() {
    // Nobody accepts, and the kernel keeps one connection waiting: further ones get no answer at all.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let _fills = tokio::net::TcpStream::connect(address).await.unwrap();
    let given = SparkLimits { connect_seconds: 1, ..PATIENT };
    let running = limited(at(address), given, watching(NEVER)).await;
    let (_, cause) = open(&running).await;
    assert_eq!(cause, "no connection in time");
    let health: SparkHealth = running.lane("personal").0.get("/health").await.unwrap();
    assert!(!health.reachable && health.problem.unwrap().contains("no connection in time"));
}
