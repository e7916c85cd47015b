//! Chats with people who are not at the page: two tasks a channel.
//!
//! ```text
//!   receive: getUpdates ─▶ agent_core::channel ─┬▶ the hub, durable ──────────▶ the next offset
//!                                               ├▶ commands: answered at once
//!                                               └▶ press: a button ─▶ the approval
//!   desk:    running turns ─▶ typing, a draft that is edited, questions with buttons
//!            what the store wants delivered ─▶ parts ─▶ begun, durable ─▶ sendMessage, or the last edit of the draft
//! ```
//!
//! Invariants: an update is confirmed once its message is durable, and its message has an id made from it, so that nothing is
//! lost or answered twice; a part of an answer is never sent twice. Everything goes through the gate, which decides who is
//! heard and who may be written to.
//!
//! | module | what |
//! |---|---|
//! | [`receive`] | messages in |
//! | [`commands`] | `/new` and its kin |
//! | [`press`] | buttons |
//! | [`desk`] | what goes out next, one thing at a time, as the chats take it |
//! | [`live`] | running turns, as chats see them |
//! | [`deliver`] | answers out; and how anything else is said in a chat |
//! | [`wire`] | the methods of the server, over the gate |
//! | [`trouble`] | what a failed request means |
//! | [`health`] | which channels are not heard |

mod commands;
mod deliver;
mod desk;
mod health;
mod live;
mod press;
mod receive;
mod trouble;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agent_core::channel::Me;
use agent_store::{Store, StoreError};
use platform_types::agent::{AgentConfig, Bot};
use platform_types::channel::AgentChannel;
use platform_types::{BotName, Timestamp, UpstreamName};
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::database::Closed;
use crate::mind::Hands;
use desk::Notice;
use health::Health;
use wire::Server;

/// Time for what is being sent when the agent stops.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// After a failure, growing: a server that is down is asked seldom.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Answers to commands and the like that wait to be sent. Further ones are not said: whoever asks that much asks again.
const MAX_NOTICES: usize = 64;

/// All channels of a profile, as the mind holds them.
#[derive(Debug)]
pub struct Channels {
    hear: CancellationToken,
    stop: CancellationToken,
    health: Health,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// One channel.
#[derive(Debug, Clone)]
struct Channel {
    name: UpstreamName,
    /// Answers unless a chat has chosen one of `others`.
    bot: BotName,
    others: Vec<BotName>,
    /// The gate's own page, as a phone opens it.
    page: Option<String>,
    server: Server,
    hands: Hands,
    config: watch::Receiver<Arc<AgentConfig>>,
    health: Health,
    notices: mpsc::Sender<Notice>,
}

/// The store did not do what a channel needs.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl Channel {
    fn now(&self) -> Timestamp {
        self.hands.tooling.clock.now()
    }

    /// Who may answer here; the first one does unless another was chosen.
    fn bots(&self) -> Vec<BotName> {
        std::iter::once(&self.bot).chain(&self.others).cloned().collect()
    }

    /// A bot as it is configured now.
    fn configured(&self, name: &BotName) -> Option<Bot> {
        self.config.borrow().bots.iter().find(|bot| bot.name == *name).cloned()
    }

    /// What people call a bot.
    fn title(&self, name: &BotName) -> String {
        let title = self.configured(name).map(|bot| bot.title).filter(|title| !title.is_empty());
        title.unwrap_or_else(|| name.to_string())
    }

    async fn store<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        Ok(self.hands.database.call(job).await??)
    }

    /// Says something, soon. It is lost when the agent stops before.
    fn notify(&self, notice: Notice) {
        if self.notices.try_send(notice).is_err() {
            tracing::info!(channel = %self.name, "a notice was not sent: too many wait, or the channel is stopping");
        }
    }
}

impl Channels {
    /// Follows the configuration until it is stopped.
    pub fn start(hands: Hands, config: watch::Receiver<Arc<AgentConfig>>) -> Self {
        let (hear, stop, health) = (CancellationToken::new(), CancellationToken::new(), Health::default());
        let following = follow((hands, health.clone()), config, hear.clone(), stop.clone());
        let task = tokio::sync::Mutex::new(Some(platform_kit::task::spawn("channels", following)));
        Self { hear, stop, health, task }
    }

    /// What people should know.
    pub fn notes(&self, now: Timestamp) -> Vec<String> {
        self.health.notes(now)
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
            let _ = tokio::time::timeout(LAST_WORDS, task).await;
        }
    }
}

/// Keeps the tasks of each configured channel. A channel that changed starts anew.
async fn follow(
    (hands, health): (Hands, Health),
    mut config: watch::Receiver<Arc<AgentConfig>>,
    hear: CancellationToken,
    stop: CancellationToken,
) {
    let mut running: BTreeMap<UpstreamName, (AgentChannel, CancellationToken)> = BTreeMap::new();
    let tasks = TaskTracker::new();
    loop {
        let wanted = config.borrow_and_update().channels.clone();
        running.retain(|name, (channel, ends)| {
            let stays = wanted.contains(channel);
            if !stays {
                ends.cancel();
                health.forget(name);
            }
            stays
        });
        for channel in wanted {
            if running.contains_key(&channel.name) {
                continue;
            }
            let ends = stop.child_token();
            let (notices, to_say) = mpsc::channel(MAX_NOTICES);
            let AgentChannel { name, kind: _, bot, bots: others, page } = channel.clone();
            let server = Server::new(hands.tooling.egress.clone(), name.clone());
            let (hands, config, health) = (hands.clone(), config.clone(), health.clone());
            let one = Channel { name, bot, others, page, server, hands, config, health, notices };
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
            platform_kit::task::spawn("channel out", tasks.track_future(desk::work(one, to_say, mute)));
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

/// Names a message of a chat so that it is the same after a restart, and nobody else can tell: 32 lower-case hex digits. Each bot
/// of the server counts the messages of its chats for itself.
fn message_id(secret: &str, me: &Me, message: i64) -> String {
    let digest = Sha256::digest(format!("{secret}\n{}\n{message}", me.id).as_bytes());
    digest.iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        use std::fmt::Write as _;
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}
