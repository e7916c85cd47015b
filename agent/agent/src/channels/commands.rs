//! What people tell the channel itself: carried out at once, without a model.

use agent_core::channel::command::Command;
use agent_core::channel::words::{Language, Word};
use agent_store::{ChatPlace, NewChat, OpenChat, StoreError};
use platform_kit::random;
use platform_types::BotName;
use platform_types::chat::ToolState;

use super::Channel;
use super::receive::Broken;

/// Carries out a command; what is to be said.
pub(super) async fn carry_out(
    channel: &Channel,
    place: &ChatPlace,
    language: Language,
    command: Command,
) -> Result<String, Broken> {
    let asked = place.clone();
    let chat = channel.store(move |store| store.current_chat(&asked)).await?;
    let bots = channel.bots();
    let known = chat.as_ref().map(|chat| &chat.session.bot).filter(|bot| bots.contains(bot));
    let bot = known.unwrap_or(&channel.bot).clone();
    let title = channel.title(&bot);
    let say = |word: Word| word.with(language, &[("bot", &title)]);
    Ok(match command {
        Command::Start => say(Word::Hello),
        Command::Help => say(Word::Help),
        Command::Unknown => say(Word::NoSuchCommand),
        Command::New => new_chat(channel, place, language, None).await?,
        Command::Stop => {
            let stopped = match chat {
                Some(chat) => channel.hands.stop(chat.session.id).await,
                None => false,
            };
            say(if stopped { Word::Stopping } else { Word::NothingRuns })
        }
        Command::Status => status(channel, language, (&bot, &title), chat.as_ref()).await,
        Command::Bot(None) => choices(channel, language, &title),
        Command::Bot(Some(name)) => match chosen(channel, &name) {
            Some(other) if other == bot => choices(channel, language, &title),
            Some(other) => new_chat(channel, place, language, Some(other)).await?,
            None => Word::NoSuchBot.with(language, &[("names", &names(channel))]),
        },
    })
}

async fn new_chat(
    channel: &Channel,
    place: &ChatPlace,
    language: Language,
    bot: Option<BotName>,
) -> Result<String, Broken> {
    let new = NewChat { session: random::id(), secret: random::id() };
    let (place, bots, now) = (place.clone(), channel.bots(), channel.now());
    let made = channel.store(move |store| match store.new_chat(&place, &new, (bot.as_ref(), &bots), now) {
        Err(StoreError::TooManySessions(_)) => Ok(None),
        made => made.map(Some),
    });
    Ok(match made.await? {
        Some(OpenChat { session, .. }) => Word::NewChat.with(language, &[("bot", &channel.title(&session.bot))]),
        None => Word::TooManyChats.text(language).to_owned(),
    })
}

async fn status(
    channel: &Channel,
    language: Language,
    (bot, title): (&BotName, &str),
    chat: Option<&OpenChat>,
) -> String {
    let running = channel.hands.running().await;
    let turn = running.into_iter().find(|running| chat.is_some_and(|chat| chat.session.id == running.session));
    let model = channel.configured(bot).map(|bot| bot.model.to_string()).unwrap_or_default();
    let asks = |state: ToolState| matches!(state, ToolState::Asking | ToolState::Confirming);
    let (word, seconds) = match turn.map(|running| running.turn) {
        Some(turn) if turn.tools.iter().any(|card| asks(card.state)) => (Word::StatusAsks, 0),
        Some(turn) => (Word::StatusRuns, channel.now().millis_since(turn.started_at) / 1000),
        None => (Word::StatusIdle, 0),
    };
    word.with(language, &[("bot", title), ("model", &model), ("seconds", &seconds.to_string())])
}

/// Who answers, and who else could.
fn choices(channel: &Channel, language: Language, title: &str) -> String {
    let word = if channel.others.is_empty() { Word::OneBot } else { Word::Bots };
    word.with(language, &[("bot", title), ("names", &names(channel))])
}

fn names(channel: &Channel) -> String {
    channel.bots().iter().map(BotName::as_str).collect::<Vec<_>>().join(", ")
}

/// A bot of the channel by its name or what people call it.
fn chosen(channel: &Channel, name: &str) -> Option<BotName> {
    let means = |bot: &BotName| {
        bot.as_str().eq_ignore_ascii_case(name) || channel.title(bot).to_lowercase() == name.to_lowercase()
    };
    channel.bots().into_iter().find(means)
}
