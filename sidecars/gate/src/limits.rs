//! Every limit of the gate, with its unit in the name and its reason beside it.
//!
//! Sizes are constants. What tests have to shorten stands in [`Limits`], whose default is the documented value.

use std::time::Duration;

/// Longest request head. Browsers stay under 2 KiB; nobody sends cookies here.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Most header fields of a request.
pub const MAX_HEADERS: usize = 64;
/// Longest request target.
pub const MAX_TARGET_BYTES: usize = 1024;
/// Longest request body: a completion request with a long history.
pub const MAX_BODY_BYTES: u64 = 1024 * 1024;
/// Longest body of a pairing request: a key, a name, a signature, a code.
pub const MAX_PAIRING_BODY_BYTES: usize = 4 * 1024;
/// What is read and thrown away after the last answer, so that the answer is not lost to a reset.
pub const MAX_LINGER_BYTES: usize = 256 * 1024;

/// Longest message from the page: a text of 64 KiB, each byte of it escaped as JSON (`\u001b`), and its envelope.
pub const MAX_MESSAGE_IN_BYTES: usize = 512 * 1024;
/// Bytes from the page before it has authenticated: the answer to the challenge has about 200.
pub const MAX_UNAUTHENTICATED_BYTES: usize = 8 * 1024;
/// Longest message from the agent: a page of history.
pub const MAX_MESSAGE_OUT_BYTES: usize = 4 * 1024 * 1024;
/// Messages that go out to a page in one write.
pub const MESSAGES_PER_WRITE: usize = 16;
/// Messages that wait for a slow page.
pub const MAX_QUEUED_MESSAGES: usize = 1024;
/// Bytes that wait for one slow page; one longer message may wait alone.
pub const MAX_QUEUED_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that wait for all slow pages together.
pub const MAX_QUEUED_BYTES_IN_ALL: usize = 32 * 1024 * 1024;

/// Longest response head of the agent.
pub const MAX_AGENT_HEAD_BYTES: usize = 16 * 1024;
/// Longest error body of the agent.
pub const MAX_AGENT_ERROR_BYTES: u64 = 64 * 1024;

/// Connections to `egress.sock`.
pub const MAX_EGRESS_CONNECTIONS: usize = 32;
/// Requests to upstreams that are under way at once; each may hold [`platform_types::egress::MAX_ANSWER_BYTES`].
pub const MAX_EGRESS_REQUESTS: usize = 8;
/// Longest response head of an upstream.
pub const MAX_UPSTREAM_HEAD_BYTES: usize = 32 * 1024;
/// Addresses of an upstream's name that are tried.
pub const MAX_ADDRESSES: usize = 4;
/// Heads of the agent's audit that are kept.
pub const MAX_ANCHORS: usize = 512;
/// Longest value of a fact, in characters.
pub const MAX_FACT_CHARS: usize = 200;
/// Items of a list that a fact asks about; of a longer one the number of the others is told.
pub const MAX_FACT_ITEMS: usize = 20;
/// Confirmations that are over and can be asked for still; the oldest makes way.
pub const MAX_FINAL_CONFIRMATIONS: usize = 64;
/// Longest answer that is kept with a confirmation, in bytes. A longer one is left out.
pub const MAX_KEPT_ANSWER_BYTES: usize = 64 * 1024;
/// The file of confirmations is written anew when it is longer.
pub const MAX_JOURNAL_BYTES: u64 = 4 * 1024 * 1024;
/// Longest body of a decision: a digest and a signature.
pub const MAX_DECISION_BODY_BYTES: usize = 1024;
/// After a code that could not be sent, the sender gets no other for so long. How many wait, and for how long a code is good, is
/// said by [`platform_types::channel`].
pub const UNTOLD_PAUSE_MILLIS: i64 = 60_000;
/// Events that wait for a slow supervisor; when they overflow it has to connect again.
pub const MAX_QUEUED_EVENTS: usize = 256;
/// A caller is reported as seen at most this often.
pub const SEEN_EVERY_MILLIS: i64 = 60_000;

/// The limits that tests shorten.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    pub http: HttpLimits,
    pub door: DoorLimits,
    pub socket: SocketLimits,
    pub pairing: PairingLimits,
    pub forward: ForwardLimits,
    pub egress: EgressLimits,
    pub confirm: ConfirmLimits,
    pub audit: AuditLimits,
    pub stop: StopLimits,
}

/// Connections of browsers and scripts.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Open connections: a browser has six. Each costs a descriptor and at most 64 KiB. At the limit a new one displaces the one on which
    /// nothing began or ended for longest; where all carry authenticated requests, it waits.
    pub connections: usize,
    /// From the first byte of a head to its last; also from connect to the first byte.
    pub head_time: Duration,
    /// Silence between two requests of a connection.
    pub idle_time: Duration,
    /// Silence in the middle of a body. A pairing body has to be there as a whole.
    pub body_stall: Duration,
    /// A client that takes no byte of the answer, or a page that takes none of what its socket says.
    pub write_stall: Duration,
    /// How long the other side may take to close after the last answer.
    pub linger: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 512,
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            body_stall: Duration::from_secs(10),
            write_stall: Duration::from_secs(30),
            linger: Duration::from_secs(2),
        }
    }
}

/// Waiting for the agent.
#[derive(Debug, Clone)]
pub struct DoorLimits {
    /// Requests that wait.
    pub waiting: usize,
    /// How long each waits.
    pub patience: Duration,
    /// First and longest pause between two attempts to connect.
    pub first_pause: Duration,
    pub longest_pause: Duration,
}

impl Default for DoorLimits {
    fn default() -> Self {
        Self {
            waiting: 256,
            patience: Duration::from_secs(15),
            first_pause: Duration::from_millis(10),
            longest_pause: Duration::from_millis(250),
        }
    }
}

/// Sockets of the page.
#[derive(Debug, Clone)]
pub struct SocketLimits {
    /// Sockets that have not authenticated, or are being refused. A newcomer displaces the oldest: a page needs a few round
    /// trips, so this many dials within them are what it takes to be in its way. Each may hold
    /// [`MAX_UNAUTHENTICATED_BYTES`].
    pub unauthenticated: usize,
    /// Sockets that have authenticated: places that nobody else can take, four times what the agent has for pages.
    pub authenticated: usize,
    /// From the challenge to the answer.
    pub auth_time: Duration,
    /// The agent's answer to the upgrade.
    pub agent_time: Duration,
    /// A ping goes out this often.
    pub ping_every: Duration,
    /// Without any frame from the page for this long, it is gone.
    pub silence: Duration,
    /// An agent that does not take a message.
    pub agent_stall: Duration,
    /// A message that finds the queue full waits this long for room; the agent is held back meanwhile.
    pub queue_time: Duration,
    /// For the closing handshake.
    pub close_time: Duration,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            unauthenticated: 256,
            authenticated: 256,
            auth_time: Duration::from_secs(10),
            agent_time: Duration::from_secs(5),
            ping_every: Duration::from_secs(25),
            silence: Duration::from_secs(75),
            agent_stall: Duration::from_secs(30),
            queue_time: Duration::from_secs(2),
            close_time: Duration::from_secs(2),
        }
    }
}

/// Pairing and failed authentication.
#[derive(Debug, Clone)]
pub struct PairingLimits {
    /// Requests that wait for the operator: what a person can compare. Those with a setup code are not counted, there is
    /// one a code.
    pub pending: usize,
    /// What devices want done about devices, and what waits for the supervisor.
    pub acts: usize,
    /// How long a request waits, and how long its outcome can be asked for.
    pub lifetime_millis: i64,
    /// How long a nonce is good.
    pub nonce_millis: i64,
    /// Nonces that are out, 150 bytes each; the oldest makes way. So many have to be asked for within a page's round trip
    /// to be in its way.
    pub nonces: usize,
    /// How long a pairing with a setup code waits for the supervisor.
    pub decision_time: Duration,
    /// How long `GET /pair/{request}` waits for news.
    pub poll_time: Duration,
    /// Pairing attempts without a code: this many at once, then one a second.
    pub attempts: u32,
    /// Pairing attempts with a code that is not known: this many at once, then one a second. Codes have 130 bits: this keeps
    /// signatures from being checked for nothing, it is not what makes guessing hopeless.
    pub wrong_codes: u32,
    /// Wrong credentials: this many at once, then one every two seconds, before they are told to slow down.
    pub failures: u32,
}

impl Default for PairingLimits {
    fn default() -> Self {
        Self {
            pending: 8,
            acts: 16,
            lifetime_millis: 10 * 60 * 1000,
            nonce_millis: 60_000,
            nonces: 8192,
            decision_time: Duration::from_secs(10),
            poll_time: Duration::from_secs(25),
            attempts: 20,
            wrong_codes: 100,
            failures: 30,
        }
    }
}

/// Requests to the agent.
#[derive(Debug, Clone)]
pub struct ForwardLimits {
    /// From the request to the head of the answer, where the agent answers from its database.
    pub head_time: Duration,
    /// The same for a completion: a plain one answers when the model is done.
    pub completion_time: Duration,
    /// Silence in the middle of an answer.
    pub body_stall: Duration,
}

impl Default for ForwardLimits {
    fn default() -> Self {
        Self {
            head_time: Duration::from_secs(30),
            completion_time: Duration::from_mins(15),
            body_stall: Duration::from_mins(10),
        }
    }
}

/// Requests to upstreams.
#[derive(Debug, Clone)]
pub struct EgressLimits {
    /// Requests of the agent: this many at once, then ten a second. Each leaves a line in the audit.
    pub requests: u32,
    /// Denied requests that leave a line of their own: this many at once, then one a second; then they share lines.
    pub denied_lines: u32,
    /// Anchors: this many at once, then one a second. Each is brought to the disk.
    pub anchors: u32,
    /// Name lookup.
    pub resolve_time: Duration,
    /// A connection to one address, with TLS.
    pub connect_time: Duration,
    /// From the request to the last byte of the answer.
    pub answer_time: Duration,
}

impl Default for EgressLimits {
    fn default() -> Self {
        Self {
            requests: 100,
            denied_lines: 60,
            anchors: 30,
            resolve_time: Duration::from_secs(5),
            connect_time: Duration::from_secs(5),
            answer_time: Duration::from_mins(1),
        }
    }
}

/// Confirmations.
#[derive(Debug, Clone)]
pub struct ConfirmLimits {
    /// How long a question for the outcome, or for the cards, waits for news.
    pub poll_time: Duration,
    /// All facts of a card together.
    pub fact_time: Duration,
    /// How long one that is over can be asked for.
    pub kept_millis: i64,
}

impl Default for ConfirmLimits {
    fn default() -> Self {
        Self {
            poll_time: Duration::from_secs(25),
            fact_time: Duration::from_secs(8),
            kept_millis: 7 * 24 * 60 * 60 * 1000,
        }
    }
}

/// The gate's audit.
#[derive(Debug, Clone)]
pub struct AuditLimits {
    /// Longest file.
    pub segment_bytes: u64,
    /// Files; the oldest makes way.
    pub segments: usize,
    /// What need not be on the disk at once is within this time.
    pub sync_every: Duration,
}

impl Default for AuditLimits {
    fn default() -> Self {
        Self { segment_bytes: 1024 * 1024, segments: 32, sync_every: Duration::from_secs(1) }
    }
}

/// Stopping.
#[derive(Debug, Clone)]
pub struct StopLimits {
    /// Running requests may finish for this long.
    pub drain: Duration,
}

impl Default for StopLimits {
    fn default() -> Self {
        Self { drain: Duration::from_secs(5) }
    }
}
