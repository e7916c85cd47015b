//! Somebody pressed a button. It is answered first, so that the chat waits for nothing; what counts is decided by the store: the
//! question that the button was for, the person who was asked, and the one answer that an approval takes. A press also tells the number of
//! a question whose sending was never recorded: then its buttons can be taken away after all.

use agent_core::channel::words::{Language, Word};
use agent_store::{Answered, Question};
use platform_types::agent::ApprovalState;
use platform_types::update::Press;

use super::Channel;
use super::receive::Broken;

/// The last character of what a button carries.
pub(super) const ALLOW: char = 'y';
pub(super) const DENY: char = 'n';

pub(super) async fn pressed(channel: &Channel, press: &Press) -> Result<(), Broken> {
    let language = Language::of(press.from.language_code.as_deref());
    let (question, allow) = match read(press) {
        Some((id, allow)) => {
            let (name, id) = (channel.name.clone(), id.to_owned());
            (channel.store(move |store| store.question(&name, &id)).await?, allow)
        }
        None => (None, false),
    };
    if let Some((id, number)) = question.as_ref().and_then(|question| unrecorded(press, question)) {
        channel.store(move |store| store.question_found(&id, number)).await?;
        channel.hands.outgoing.send_replace(());
    }
    let (word, question) = verdict(press, question, allow);
    if let Err(error) = channel.server.answer(&press.id, word.text(language)).await {
        // It is too old to be answered, say: that takes nothing away from it.
        tracing::info!(channel = %channel.name, error = &error as &dyn std::error::Error, "a button was not answered");
    }
    let Some(Question { asked, .. }) = question else { return Ok(()) };
    let (by, at) = (format!("sender {}/{}", channel.name, press.from.id), channel.now());
    let answered = Answered { id: asked.approval, digest: asked.digest, allow, by, at };
    match channel.hands.answer(answered).await {
        Ok(()) => {}
        Err(Some(error)) => {
            tracing::info!(channel = %channel.name, error = &error as &dyn std::error::Error, "an answer does not count");
        }
        Err(None) => return Err(Broken::NotTaken("the agent is stopping".to_owned())),
    }
    channel.hands.outgoing.send_replace(());
    Ok(())
}

/// The question's id, and what the button says.
fn read(press: &Press) -> Option<(&str, bool)> {
    let data = press.data.as_deref()?;
    let (id, allow) = match (data.strip_suffix(ALLOW), data.strip_suffix(DENY)) {
        (Some(id), _) => (id, true),
        (None, Some(id)) => (id, false),
        (None, None) => return None,
    };
    (id.len() == 32).then_some((id, allow))
}

/// The question's id and its message, where it is not known yet which message asks it.
fn unrecorded(press: &Press, question: &Question) -> Option<(String, i64)> {
    let message = press.message.as_ref()?;
    let asked = press.from.id == question.asked.person && message.chat.id == question.place.chat;
    (asked && question.number.is_none()).then(|| (question.asked.id.clone(), message.message_id))
}

/// What whoever pressed is told; and the question, if his answer may count.
fn verdict(press: &Press, question: Option<Question>, allow: bool) -> (Word, Option<Question>) {
    let Some(question) = question else { return (Word::Over, None) };
    let place = press.message.as_ref().map(|message| (message.chat.id, message.message_id));
    let is_here = place.is_some_and(|(chat, number)| {
        chat == question.place.chat && question.number.is_none_or(|known| known == number)
    });
    if !is_here {
        (Word::Over, None)
    } else if press.from.id != question.asked.person {
        (Word::NotYours, None)
    } else if question.approval.state != ApprovalState::Pending {
        (Word::Over, None)
    } else {
        (if allow { Word::Allowed } else { Word::Denied }, Some(question))
    }
}
