//! Who listens: the open `WebSocket`s, what each has open, and how far each may fall behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use axum::extract::ws::Utf8Bytes;
use platform_types::DeviceId;
use platform_types::chat::ToPage;
use tokio::sync::mpsc;

/// Frames that may wait for one page: a page that reads nothing for a few seconds of a fast answer.
const MAX_BACKLOG_FRAMES: usize = 1024;
/// Bytes that may wait for one page: two full pages of history. A page that falls further behind is closed, and reconnects.
const MAX_BACKLOG_BYTES: usize = 8 * 1024 * 1024;
/// Connections of one profile.
pub const MAX_CONNECTIONS: usize = 64;
/// Connections of one device: a browser with many tabs.
pub const MAX_CONNECTIONS_PER_DEVICE: usize = 16;

/// Names a connection within this process.
pub type ConnectionId = u64;

/// The writing end of one connection.
#[derive(Debug, Clone)]
pub struct Outbox {
    frames: mpsc::Sender<Utf8Bytes>,
    waiting: Arc<AtomicUsize>,
}

/// The reading end, for the task that writes to the socket. It ends when the mind gives the connection up.
#[derive(Debug)]
pub struct Frames {
    frames: mpsc::Receiver<Utf8Bytes>,
    waiting: Arc<AtomicUsize>,
}

/// A pair of ends.
pub fn outbox() -> (Outbox, Frames) {
    let (sender, frames) = mpsc::channel(MAX_BACKLOG_FRAMES);
    let waiting = Arc::new(AtomicUsize::new(0));
    (Outbox { frames: sender, waiting: waiting.clone() }, Frames { frames, waiting })
}

impl Outbox {
    /// `false` when the page has fallen too far behind, or is gone.
    fn push(&self, frame: Utf8Bytes) -> bool {
        let bytes = frame.len();
        // One frame of any size goes into an empty box.
        let before = self.waiting.fetch_add(bytes, Relaxed);
        (before == 0 || before + bytes <= MAX_BACKLOG_BYTES) && self.frames.try_send(frame).is_ok()
    }
}

impl Frames {
    pub async fn next(&mut self) -> Option<Utf8Bytes> {
        let frame = self.frames.recv().await?;
        self.waiting.fetch_sub(frame.len(), Relaxed);
        Some(frame)
    }
}

/// Who a page is, as the gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageCaller {
    pub device: DeviceId,
    /// May answer what tool calls ask.
    pub may_approve: bool,
}

#[derive(Debug)]
struct Connection {
    caller: PageCaller,
    outbox: Outbox,
    open: Option<String>,
}

/// All connections.
#[derive(Debug, Default)]
pub struct Connections {
    all: BTreeMap<ConnectionId, Connection>,
    last: ConnectionId,
}

impl Connections {
    /// `None` when there are too many.
    pub fn add(&mut self, caller: PageCaller, outbox: Outbox) -> Option<ConnectionId> {
        let of_device = self.all.values().filter(|connection| connection.caller.device == caller.device).count();
        if self.all.len() >= MAX_CONNECTIONS || of_device >= MAX_CONNECTIONS_PER_DEVICE {
            return None;
        }
        self.last += 1;
        self.all.insert(self.last, Connection { caller, outbox, open: None });
        Some(self.last)
    }

    pub fn remove(&mut self, id: ConnectionId) {
        self.all.remove(&id);
    }

    pub fn caller(&self, id: ConnectionId) -> Option<&PageCaller> {
        self.all.get(&id).map(|connection| &connection.caller)
    }

    pub fn clear(&mut self) {
        self.all.clear();
    }

    /// The connection follows `session` from now on.
    pub fn open(&mut self, id: ConnectionId, session: Option<String>) {
        if let Some(connection) = self.all.get_mut(&id) {
            connection.open = session;
        }
    }

    /// Nobody follows a session that is gone.
    pub fn close_session(&mut self, session: &str) {
        for connection in self.all.values_mut().filter(|connection| connection.open.as_deref() == Some(session)) {
            connection.open = None;
        }
    }

    pub fn tell(&mut self, id: ConnectionId, message: &ToPage) {
        self.push(message, |at, _| at == id);
    }

    pub fn tell_all(&mut self, message: &ToPage) {
        self.push(message, |_, _| true);
    }

    /// To everybody who has `session` open, and to `also`.
    pub fn tell_session(&mut self, session: &str, also: Option<ConnectionId>, message: &ToPage) {
        self.push(message, |at, connection| connection.open.as_deref() == Some(session) || Some(at) == also);
    }

    fn push(&mut self, message: &ToPage, wanted: impl Fn(ConnectionId, &Connection) -> bool) {
        let mut text: Option<Utf8Bytes> = None;
        self.all.retain(|id, connection| {
            if !wanted(*id, connection) {
                return true;
            }
            let frame = text.get_or_insert_with(|| write(message).into()).clone();
            let kept = connection.outbox.push(frame);
            if !kept {
                tracing::info!(connection = *id, "a page fell too far behind and is closed");
            }
            kept
        });
    }
}

fn write(message: &ToPage) -> String {
    serde_json::to_string(message).expect("a message to the page has only texts as keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(n: usize) -> PageCaller {
        PageCaller { device: DeviceId::new(format!("{n:064x}")).unwrap(), may_approve: false }
    }

    #[tokio::test]
    async fn messages_go_to_those_who_have_the_session_open() {
        let mut connections = Connections::default();
        let (outbox_a, mut a) = outbox();
        let (outbox_b, mut b) = outbox();
        let one = connections.add(device(1), outbox_a).unwrap();
        let two = connections.add(device(1), outbox_b).unwrap();
        connections.open(one, Some("s".into()));
        connections.tell_session("s", None, &ToPage::Pong { n: 1 });
        connections.tell_session("t", Some(two), &ToPage::Pong { n: 2 });
        connections.close_session("s");
        connections.tell_session("s", None, &ToPage::Pong { n: 3 });
        connections.tell_all(&ToPage::Pong { n: 4 });
        drop(connections);
        assert_eq!(a.next().await.unwrap().as_str(), r#"{"type":"pong","n":1}"#);
        assert_eq!(a.next().await.unwrap().as_str(), r#"{"type":"pong","n":4}"#);
        assert_eq!(b.next().await.unwrap().as_str(), r#"{"type":"pong","n":2}"#);
        assert_eq!(b.next().await.unwrap().as_str(), r#"{"type":"pong","n":4}"#);
        assert_eq!(a.next().await, None);
    }

    #[tokio::test]
    async fn a_page_that_reads_nothing_is_given_up() {
        let mut connections = Connections::default();
        let (slow, mut frames) = outbox();
        connections.add(device(1), slow).unwrap();
        for n in 0..=MAX_BACKLOG_FRAMES as u64 {
            connections.tell_all(&ToPage::Pong { n });
        }
        assert!(connections.all.is_empty());
        for _ in 0..MAX_BACKLOG_FRAMES {
            assert!(frames.next().await.is_some());
        }
        assert_eq!(frames.next().await, None);
    }

    #[test]
    fn connections_are_bounded() {
        let mut connections = Connections::default();
        for _ in 0..MAX_CONNECTIONS_PER_DEVICE {
            assert!(connections.add(device(0), outbox().0).is_some());
        }
        assert!(connections.add(device(0), outbox().0).is_none());
        for n in MAX_CONNECTIONS_PER_DEVICE..MAX_CONNECTIONS {
            assert!(connections.add(device(n), outbox().0).is_some());
        }
        assert!(connections.add(device(999), outbox().0).is_none());
    }
}
