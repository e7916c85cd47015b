//! What goes out next on a channel: one thing at a time, what people wait for before what only shows that something happens, and
//! to each chat as fast as it takes it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use agent_core::channel::pace::{Kind, Pace};
use agent_core::channel::rich::{Rich, Style};
use agent_store::{ChatPlace, Delivery, Question};
use platform_types::Timestamp;
use platform_types::channel::ChatId;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::live::{Act, Turn};
use super::trouble::{Trouble, WireError};
use super::wire::Post;
use super::{Channel, FIRST_PAUSE, Fault, LONGEST_PAUSE};

/// How often a running turn is looked at.
const TICK_MILLIS: i64 = 1000;

/// Something that is said in a chat, and not kept.
#[derive(Debug)]
pub(super) struct Notice {
    pub place: ChatPlace,
    pub words: String,
    /// The message that it answers.
    pub reply_to: i64,
}

/// Why going on has to wait.
#[derive(Debug, thiserror::Error)]
pub(super) enum Late {
    #[error("the server cannot be reached")]
    Wire(#[from] WireError),
    #[error("the store does not say what to deliver")]
    Fault(#[from] Fault),
}

/// How sending went where it did not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    /// The chat takes it later.
    NotYet,
    /// It may have arrived.
    Maybe,
    /// And why.
    Never(&'static str),
}

/// Something to do.
#[derive(Debug)]
enum Todo {
    /// The notice at this place of the queue.
    Say(usize),
    Close(Box<Question>),
    Deliver(Box<Delivery>),
    Show(String, Act),
}

/// When to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Again,
    At(Timestamp),
    /// When there is news.
    News,
}

/// What is known of what goes out.
#[derive(Debug)]
pub(super) struct Desk {
    pub channel: Channel,
    pub pace: Pace,
    /// Running turns of this channel, by id.
    pub turns: BTreeMap<String, Turn>,
    /// Running turns of others: looked up once.
    others: Vec<String>,
    notices: VecDeque<Notice>,
    pause: Duration,
    closed_until: Timestamp,
    began: Instant,
}

/// Works until `stop`; what is being sent is finished.
pub(super) async fn work(channel: Channel, mut notices: mpsc::Receiver<Notice>, stop: CancellationToken) {
    let mut news = channel.hands.outgoing.subscribe();
    let mut desk = Desk::new(channel);
    while !stop.is_cancelled() {
        news.mark_unchanged();
        while let Ok(notice) = notices.try_recv() {
            desk.notices.push_back(notice);
        }
        let wake = match desk.step().await {
            Ok(Next::Again) => continue,
            Ok(Next::At(wake)) => Some(wake),
            Ok(Next::News) => None,
            Err(Late::Fault(Fault::Closed(_))) => return,
            Err(late) => Some(desk.put_off(&late)),
        };
        let wait = async {
            match wake {
                Some(wake) => {
                    let millis = wake.millis_since(desk.clock());
                    tokio::time::sleep(Duration::from_millis(u64::try_from(millis).unwrap_or_default())).await;
                }
                None => std::future::pending().await,
            }
        };
        let notice = tokio::select! {
            () = wait => None,
            // The hub that says so lives as long as this.
            _ = news.changed() => None,
            Some(notice) = notices.recv() => Some(notice),
            () = stop.cancelled() => return,
        };
        desk.notices.extend(notice);
    }
}

impl Desk {
    fn new(channel: Channel) -> Self {
        Self {
            channel,
            pace: Pace::default(),
            turns: BTreeMap::new(),
            others: Vec::new(),
            notices: VecDeque::new(),
            pause: FIRST_PAUSE,
            closed_until: Timestamp::default(),
            began: Instant::now(),
        }
    }

    /// The time that everything here is paced by: a clock that is put right holds no chat up.
    pub fn clock(&self) -> Timestamp {
        Timestamp(i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    /// Does what is due first.
    async fn step(&mut self) -> Result<Next, Late> {
        let now = self.clock();
        if now < self.closed_until {
            return Ok(Next::At(self.closed_until));
        }
        self.follow().await?;
        let todo = self.todo(now).await?;
        let later = todo.iter().map(|(due, _)| *due).min();
        let Some((_, due)) = todo.into_iter().find(|(due, _)| *due <= now) else {
            let tick = (!self.turns.is_empty()).then(|| now.plus_millis(TICK_MILLIS));
            return Ok(later.into_iter().chain(tick).min().map_or(Next::News, Next::At));
        };
        match due {
            Todo::Say(index) => self.say(index).await?,
            Todo::Close(question) => self.close(&question).await?,
            Todo::Deliver(delivery) => self.deliver(&delivery).await?,
            Todo::Show(turn, act) => self.show(&turn, &act).await?,
        }
        Ok(Next::Again)
    }

    /// Everything that wants to go out, and when it may; first what comes first.
    async fn todo(&mut self, now: Timestamp) -> Result<Vec<(Timestamp, Todo)>, Late> {
        let (name, today) = (self.channel.name.clone(), self.channel.now());
        let (over, deliveries) = self
            .channel
            .store(move |store| Ok((store.questions_over(&name)?, store.deliveries(&name, today)?)))
            .await?;
        let due = |chat: ChatId| self.pace.earliest(chat, Kind::Message, now);
        let notices = self.notices.iter().enumerate();
        let mut todo: Vec<_> = notices.map(|(index, notice)| (due(notice.place.chat), Todo::Say(index))).collect();
        todo.extend(over.into_iter().map(|question| (due(question.place.chat), Todo::Close(Box::new(question)))));
        todo.extend(
            deliveries.into_iter().map(|delivery| (due(delivery.place.chat), Todo::Deliver(Box::new(delivery)))),
        );
        for (id, turn) in &self.turns {
            todo.extend(turn.acts(&self.pace, now).into_iter().map(|(due, act)| (due, Todo::Show(id.clone(), act))));
        }
        Ok(todo)
    }

    /// Learns which turns run.
    async fn follow(&mut self) -> Result<(), Late> {
        let running = self.channel.hands.running().await;
        self.turns.retain(|id, _| running.iter().any(|running| running.turn.id == *id));
        self.others.retain(|id| running.iter().any(|running| running.turn.id == *id));
        for running in running {
            let id = running.turn.id.clone();
            if self.others.contains(&id) {
                continue;
            }
            if let Some(turn) = self.turns.get_mut(&id) {
                turn.view = running.turn;
                continue;
            }
            let (name, wanted) = (self.channel.name.clone(), id.clone());
            match self.channel.store(move |store| store.turn_place(&name, &wanted)).await? {
                Some(at) => drop(self.turns.insert(id, Turn::new(running, at))),
                None => self.others.push(id),
            }
        }
        Ok(())
    }

    async fn say(&mut self, index: usize) -> Result<(), Late> {
        let Some(notice) = self.notices.remove(index) else { return Ok(()) };
        let mut text = Rich::default();
        text.push(&notice.words, &Style::default());
        let is_group = notice.place.chat.0 < 0;
        let post = Post { reply_to: is_group.then_some(notice.reply_to), ..Post::new(&notice.place, &text) };
        let sent = self.channel.server.send(post).await;
        match self.outcome(notice.place.chat, sent) {
            Ok(Err(Failed::NotYet)) => self.notices.push_front(notice),
            Ok(_) => {}
            Err(late) => {
                self.notices.push_front(notice);
                return Err(late);
            }
        }
        Ok(())
    }

    /// Keeps the pace, and sorts out what went wrong.
    pub fn outcome<T>(&mut self, chat: ChatId, sent: Result<T, WireError>) -> Result<Result<T, Failed>, Late> {
        let now = self.clock();
        let error = match sent {
            Ok(value) => {
                self.pause = FIRST_PAUSE;
                self.pace.sent(chat, now);
                return Ok(Ok(value));
            }
            Err(error) => error,
        };
        let failed = match error.trouble() {
            Trouble::Later(Some(seconds)) => {
                self.pace.wait(chat, seconds, now);
                Failed::NotYet
            }
            Trouble::Later(None) | Trouble::Conflict => return Err(error.into()),
            Trouble::Unknown | Trouble::Unfit => Failed::Maybe,
            Trouble::Never | Trouble::Same | Trouble::Unreadable | Trouble::NoMessage => Failed::Never(match error {
                WireError::Refused { .. } => "the gate does not know the chat",
                _ => "the server refused it",
            }),
        };
        let channel = self.channel.name.as_str();
        let trouble = error.trouble();
        tracing::warn!(channel, ?trouble, error = &error as &dyn std::error::Error, "a chat did not take something");
        self.pace.sent(chat, now);
        Ok(Err(failed))
    }

    /// Nothing goes out for a while.
    fn put_off(&mut self, late: &Late) -> Timestamp {
        let channel = self.channel.name.as_str();
        tracing::warn!(channel, error = late as &dyn std::error::Error, "what goes out has to wait");
        let millis = i64::try_from(self.pause.as_millis()).unwrap_or(i64::MAX);
        self.closed_until = self.clock().plus_millis(millis);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.closed_until
    }
}
