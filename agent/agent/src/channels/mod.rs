//! Chats with people who are not at the page: two tasks a channel.
//!
//! ```text
//!   receive: getUpdates ─▶ agent_core::channel ─▶ the hub, durable ─▶ the next offset
//!   deliver: an answer that the store wants delivered ─▶ parts ─▶ begun, durable ─▶ sendMessage
//! ```
//!
//! Invariants: an update is confirmed once its message is durable, and its message has an id made from it, so that nothing is
//! lost or answered twice; a part of an answer is never sent twice. Everything goes through the gate, which decides who is
//! heard and who may be written to.
//!
//! | module | what |
//! |---|---|
//! | [`receive`] | messages in |
//! | [`deliver`] | answers out |
//! | [`wire`] | the methods of the server, over the gate |

mod deliver;
mod receive;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use platform_types::agent::AgentConfig;
use platform_types::channel::AgentChannel;
use platform_types::{BotName, UpstreamName};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::mind::Hands;
use wire::Server;

/// Time for parts that are being sent when the agent stops.
const LAST_PARTS: Duration = Duration::from_secs(1);
/// After a failure, growing: a server that is down is asked seldom.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// All channels of a profile, as the mind holds them.
#[derive(Debug)]
pub struct Channels {
    hear: CancellationToken,
    stop: CancellationToken,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// One channel.
#[derive(Debug, Clone)]
struct Channel {
    name: UpstreamName,
    bot: BotName,
    server: Server,
    hands: Hands,
}

impl Channels {
    /// Follows the configuration until it is stopped. `outgoing` changes when an answer was stored.
    pub fn start(hands: Hands, config: watch::Receiver<Arc<AgentConfig>>, outgoing: watch::Receiver<()>) -> Self {
        let (hear, stop) = (CancellationToken::new(), CancellationToken::new());
        let following = follow((hands, outgoing), config, hear.clone(), stop.clone());
        let task = tokio::sync::Mutex::new(Some(platform_kit::task::spawn("channels", following)));
        Self { hear, stop, task }
    }

    /// Takes no more messages; answers still go out.
    pub fn hear_no_more(&self) {
        self.hear.cancel();
    }

    /// Ends all of it. What is not delivered then is delivered by the next agent.
    pub async fn stop(&self) {
        self.hear.cancel();
        self.stop.cancel();
        if let Some(task) = self.task.lock().await.take() {
            // A server that does not answer keeps nobody waiting.
            let _ = tokio::time::timeout(LAST_PARTS, task).await;
        }
    }
}

/// Keeps the tasks of each configured channel. A channel that changed starts anew.
async fn follow(
    (hands, outgoing): (Hands, watch::Receiver<()>),
    mut config: watch::Receiver<Arc<AgentConfig>>,
    hear: CancellationToken,
    stop: CancellationToken,
) {
    let mut running: BTreeMap<UpstreamName, (AgentChannel, CancellationToken)> = BTreeMap::new();
    let tasks = TaskTracker::new();
    loop {
        let wanted = config.borrow_and_update().channels.clone();
        running.retain(|_, (channel, ends)| {
            let stays = wanted.contains(channel);
            if !stays {
                ends.cancel();
            }
            stays
        });
        for channel in wanted {
            if running.contains_key(&channel.name) {
                continue;
            }
            let ends = stop.child_token();
            let (name, bot) = (channel.name.clone(), channel.bot.clone());
            let server = Server::new(hands.tooling.egress.clone(), name.clone());
            let one = Channel { name, bot, server, hands: hands.clone() };
            let (deaf, over, mute) = (hear.clone(), ends.clone(), ends.clone());
            let receiving = receive::receive(one.clone());
            platform_kit::task::spawn(
                "channel in",
                tasks.track_future(async move {
                    tokio::select! {
                        () = receiving => {}
                        () = deaf.cancelled() => {}
                        () = over.cancelled() => {}
                    }
                }),
            );
            platform_kit::task::spawn("channel out", tasks.track_future(deliver::deliver(one, outgoing.clone(), mute)));
            running.insert(channel.name.clone(), (channel, ends));
        }
        tokio::select! {
            changed = config.changed() => if changed.is_err() { break },
            () = stop.cancelled() => break,
        }
    }
    stop.cancelled().await;
    tasks.close();
    tasks.wait().await;
}

/// Names a message of a chat so that it is the same after a restart, and nobody else can tell: 32 lower-case hex digits.
fn message_id(secret: &str, message: i64) -> String {
    let digest = Sha256::digest(format!("{secret}\n{message}").as_bytes());
    digest.iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        use std::fmt::Write as _;
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}
