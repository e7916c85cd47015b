//! Running turns, as chats see them: somebody types, the answer is written on, a person is asked.

use std::collections::{BTreeMap, BTreeSet};

use agent_core::channel::pace::{Kind, Pace};
use agent_core::channel::rich::{Code, Rich, Style};
use agent_core::channel::split::{MAX_PART_UNITS, split};
use agent_core::channel::words::{Language, Word};
use agent_core::text::utf16_len;
use agent_store::{NewQuestion, Question, TurnPlace};
use platform_types::agent::ApprovalState;
use platform_types::channel::ChatId;
use platform_types::chat::{Asking, RunningTurn, ToolCard, ToolState};
use platform_types::text::neutral;
use platform_types::{BotName, Timestamp};

use super::desk::{Desk, Failed, Late};
use super::press::{ALLOW, DENY};
use super::trouble::Trouble;
use super::wire::{Button, Post};
use crate::approvals::MAX_WAIT_MILLIS;
use crate::markdown::{self, Patience};
use crate::mind::Running;

/// Telegram shows it for so long.
const TYPING_MILLIS: i64 = 5 * 1000;

/// A running turn of the channel.
#[derive(Debug)]
pub(super) struct Turn {
    pub view: RunningTurn,
    bot: BotName,
    at: TurnPlace,
    typed: Option<Timestamp>,
    /// What the draft says, and of how much text that was made.
    shown: (usize, Rich),
    /// The chat does not take a draft.
    mute: bool,
    /// Questions, by approval; `None`: it is sent, or cannot be.
    asked: BTreeMap<String, Option<NewQuestion>>,
    /// Calls whose confirmation people know of.
    told: BTreeSet<String>,
}

/// What a chat may be shown.
#[derive(Debug)]
pub(super) enum Act {
    Ask(Box<ToolCard>, Asking),
    /// A device has to confirm it at the gate.
    Point(Box<ToolCard>),
    Write,
    Type,
}

impl Turn {
    pub fn new(running: Running, at: TurnPlace) -> Self {
        let Running { session: _, bot, turn } = running;
        Self {
            view: turn,
            bot,
            at,
            typed: None,
            shown: (0, Rich::default()),
            mute: false,
            asked: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }

    fn chat(&self) -> ChatId {
        self.at.place.chat
    }

    fn language(&self) -> Language {
        Language::of(self.at.origin.as_ref().map(|origin| origin.language.as_str()))
    }

    /// Who is asked: whoever wrote what is answered.
    fn person(&self) -> Option<ChatId> {
        self.at.origin.as_ref().map(|origin| origin.person)
    }

    /// The message that is answered, where there may be others between.
    fn reply_to(&self) -> Option<i64> {
        self.at.origin.as_ref().filter(|_| self.chat().0 < 0).map(|origin| origin.number)
    }

    /// What may be shown, and when.
    pub fn acts(&self, pace: &Pace, now: Timestamp) -> Vec<(Timestamp, Act)> {
        let chat = self.chat();
        let (message, edit) = (pace.earliest(chat, Kind::Message, now), pace.earliest(chat, Kind::Edit, now));
        let mut acts = Vec::new();
        let mut waits = false;
        for card in &self.view.tools {
            waits |= matches!(card.state, ToolState::Asking | ToolState::Confirming);
            match (&card.state, &card.asking) {
                (ToolState::Asking, Some(asking)) if !matches!(self.asked.get(&asking.approval), Some(None)) => {
                    acts.push((message, Act::Ask(Box::new(card.clone()), asking.clone())));
                }
                (ToolState::Confirming, _) if !self.told.contains(&card.id) => {
                    acts.push((message, Act::Point(Box::new(card.clone()))));
                }
                _ => {}
            }
        }
        if !waits {
            let due = self.typed.map_or(now, |typed| typed.plus_millis(TYPING_MILLIS));
            acts.push((due.max(pace.open_from(chat, now)), Act::Type));
        }
        if !self.mute && self.view.text.len() != self.shown.0 && !self.view.text.trim().is_empty() {
            acts.push((edit, Act::Write));
        }
        acts
    }
}

impl Desk {
    pub(super) async fn show(&mut self, id: &str, act: &Act) -> Result<(), Late> {
        // Not kept meanwhile, so that it can be looked at beside the desk.
        let Some(mut turn) = self.turns.remove(id) else { return Ok(()) };
        let shown = match act {
            Act::Ask(card, asking) => self.ask(&mut turn, card, asking).await,
            Act::Point(card) => self.point(&mut turn, card).await,
            Act::Write => self.write(&mut turn).await,
            Act::Type => self.type_on(&mut turn).await,
        };
        self.turns.insert(id.to_owned(), turn);
        shown
    }

    async fn type_on(&mut self, turn: &mut Turn) -> Result<(), Late> {
        turn.typed = Some(self.clock());
        match self.channel.server.typing(&turn.at.place).await.map_err(|error| (error.trouble(), error)) {
            Err((Trouble::Later(Some(seconds)), _)) => self.pace.wait(turn.chat(), seconds, self.clock()),
            Err((Trouble::Later(None), error)) => return Err(error.into()),
            // It is an ornament.
            Ok(()) | Err(_) => {}
        }
        Ok(())
    }

    /// The answer so far, as one message that is written on. What does not fit into it comes at the end.
    async fn write(&mut self, turn: &mut Turn) -> Result<(), Late> {
        let length = turn.view.text.len();
        let tree = markdown::parse(turn.view.text.trim(), Patience::default());
        let part = split(&Rich::of(&tree, &[]), turn.language()).into_iter().next().unwrap_or_default();
        if part == turn.shown.1 {
            turn.shown.0 = length;
            return Ok(());
        }
        let post = Post { reply_to: turn.reply_to(), about: Some(&turn.view.id), ..Post::new(&turn.at.place, &part) };
        let written = match turn.at.draft {
            Some(number) => self.channel.server.edit(number, post).await.map(|()| number),
            None => self.channel.server.send(post).await,
        };
        match self.outcome(turn.chat(), written)? {
            Ok(number) => {
                turn.shown = (length, part);
                if turn.at.draft.replace(number).is_none() {
                    let id = turn.view.id.clone();
                    self.channel.store(move |store| store.draft_sent(&id, number)).await?;
                }
            }
            Err(Failed::NotYet) => {}
            // The end of it is sent all the same.
            Err(Failed::Maybe | Failed::Never(_)) => turn.mute = true,
        }
        Ok(())
    }

    /// Asks the person whose message is answered, with buttons.
    async fn ask(&mut self, turn: &mut Turn, card: &ToolCard, asking: &Asking) -> Result<(), Late> {
        let language = turn.language();
        let Some(question) = self.question(turn, asking).await? else { return Ok(()) };
        let title = self.channel.title(&turn.bot);
        let (text, is_whole) = question_text(language, &title, (&card.name, &card.arguments, &asking.why), None);
        let button = |word: Word, mark: char| Button::Press {
            label: word.text(language).to_owned(),
            data: format!("{}{mark}", question.id),
        };
        // What nobody saw whole is not decided with a button.
        let buttons: Vec<Button> =
            if is_whole { vec![button(Word::Allow, ALLOW), button(Word::Deny, DENY)] } else { Vec::new() };
        let post = Post { reply_to: turn.reply_to(), buttons: &buttons, ..Post::new(&turn.at.place, &text) };
        let sent = self.channel.server.send(post).await;
        match self.outcome(turn.chat(), sent)? {
            Ok(number) => {
                turn.asked.insert(asking.approval.clone(), None);
                self.channel.store(move |store| store.question_sent(&question.id, number)).await?;
            }
            Err(Failed::NotYet) => {}
            Err(Failed::Maybe | Failed::Never(_)) => drop(turn.asked.insert(asking.approval.clone(), None)),
        }
        Ok(())
    }

    /// The question about a call, on record before it is sent. `None`: it is sent, or there is nobody to ask.
    async fn question(&mut self, turn: &mut Turn, asking: &Asking) -> Result<Option<NewQuestion>, Late> {
        let Asking { approval, digest, .. } = asking;
        if let Some(known) = turn.asked.get(approval) {
            return Ok(known.clone());
        }
        let mut question = turn.person().map(|person| NewQuestion {
            id: platform_kit::random::id(),
            approval: approval.clone(),
            digest: digest.clone(),
            person,
            language: turn.language().as_str().to_owned(),
        });
        if let Some(new) = question.clone()
            && !self.channel.store(move |store| store.ask_in_chat(&new)).await?
        {
            question = None;
        }
        turn.asked.insert(approval.clone(), question.clone());
        Ok(question)
    }

    /// Says where a confirmation is decided. A chat never decides one.
    async fn point(&mut self, turn: &mut Turn, card: &ToolCard) -> Result<(), Late> {
        let language = turn.language();
        let title = self.channel.title(&turn.bot);
        let mut text = Rich::default();
        text.push(&Word::Confirm.with(language, &[("bot", &title), ("tool", &card.name)]), &Style::default());
        text.push("\n\n", &Style::default());
        text.push(Word::ConfirmWhere.text(language), &Style::default());
        let label = Word::OpenPage.text(language).to_owned();
        let buttons: Vec<Button> =
            self.channel.page.clone().map(|url| Button::Open { label, url }).into_iter().collect();
        let post = Post { reply_to: turn.reply_to(), buttons: &buttons, ..Post::new(&turn.at.place, &text) };
        let sent = self.channel.server.send(post).await;
        if self.outcome(turn.chat(), sent)? != Err(Failed::NotYet) {
            turn.told.insert(card.id.clone());
        }
        Ok(())
    }

    /// Takes the buttons of a question away and says how it ended.
    pub(super) async fn close(&mut self, question: &Question) -> Result<(), Late> {
        let Question { asked, place, number, approval } = question;
        let language = Language::of(Some(&asked.language));
        if let Some(number) = *number {
            let title = self.channel.title(&approval.bot);
            let end = match approval.state {
                ApprovalState::Allowed => Word::Allowed,
                ApprovalState::Denied => Word::Denied,
                ApprovalState::Expired => Word::Expired,
                ApprovalState::Cancelled | ApprovalState::Pending => Word::Cancelled,
            };
            let call = (approval.tool.as_str(), approval.arguments.as_str(), approval.why.as_str());
            let (text, _) = question_text(language, &title, call, Some(end));
            let edited = self.channel.server.edit(number, Post::new(place, &text)).await;
            if self.outcome(place.chat, edited)? == Err(Failed::NotYet) {
                return Ok(());
            }
        }
        let id = asked.id.clone();
        Ok(self.channel.store(move |store| store.question_closed(&id)).await?)
    }
}

/// A call as a person sees it: which tool, with what, and why it is asked about; and how it ended. `false`: one message does not
/// hold what the tool gets, and says so instead.
fn question_text(language: Language, bot: &str, call: (&str, &str, &str), end: Option<Word>) -> (Rich, bool) {
    let (tool, arguments, why) = call;
    let (plain, bold) = (Style::default(), Style { bold: true, ..Style::default() });
    let code = Style { code: Code::Block(None), ..Style::default() };
    let arguments = neutral(arguments);
    let text = |what: &str, style: &Style| {
        let mut text = Rich::default();
        text.push(&Word::MayI.with(language, &[("bot", bot)]), &plain);
        text.push("\n\n", &plain);
        text.push(tool, &bold);
        text.push("\n", &plain);
        text.push(what, style);
        text.push("\n\n", &plain);
        text.push(why, &Style { italic: true, ..Style::default() });
        text.push("\n\n", &plain);
        if let Some(end) = end {
            text.push(end.text(language), &bold);
        } else {
            let minutes = (MAX_WAIT_MILLIS / 60_000).to_string();
            text.push(&Word::Within.with(language, &[("minutes", &minutes)]), &plain);
        }
        text
    };
    let whole = text(&arguments, &code);
    if utf16_len(whole.text()) <= MAX_PART_UNITS {
        (whole, true)
    } else {
        (text(Word::CallTooLong.text(language), &plain), false)
    }
}
