//! Approvals that a person is asked for in a chat, with buttons.
//!
//! **Invariants.** A button is good for the call that was shown, and for the person who was asked; the answer itself is
//! [`Store::answer`]'s, which takes the first one. There is one message with buttons for an approval.

use platform_types::UpstreamName;
use platform_types::agent::Approval;
use platform_types::channel::ChatId;
use rusqlite::params;

use crate::{ChatPlace, Store, StoreError, approvals};

/// Questions that are looked at in one go.
const MAX_AT_ONCE: usize = 16;

/// A question on its way to a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewQuestion {
    /// What the buttons carry: 32 lower-case hex digits.
    pub id: String,
    pub approval: String,
    /// What is shown.
    pub digest: String,
    pub person: ChatId,
    pub language: String,
}

/// A question that was asked in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub asked: NewQuestion,
    pub place: ChatPlace,
    /// The chat's own number of the message with the buttons; `None`: whether it was sent is not known.
    pub number: Option<i64>,
    pub approval: Approval,
}

impl Store {
    /// Keeps a question before it is sent. `false`: it was asked already.
    pub fn ask_in_chat(&mut self, new: &NewQuestion) -> Result<bool, StoreError> {
        self.durable(|tx| {
            let NewQuestion { id, approval, digest, person, language } = new;
            let asked = tx.execute(
                "INSERT OR IGNORE INTO questions (id, approval, digest, person, language) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![id, approval, digest, person.0, language],
            )?;
            Ok(asked > 0)
        })
    }

    /// The message with the buttons was sent.
    pub fn question_sent(&mut self, id: &str, number: i64) -> Result<(), StoreError> {
        self.quick(|tx| {
            tx.execute("UPDATE questions SET number = ?2 WHERE id = ?1", params![id, number])?;
            Ok(())
        })
    }

    /// The message with the buttons was found, though its sending was not recorded: they can be taken away, also after the end.
    pub fn question_found(&mut self, id: &str, number: i64) -> Result<(), StoreError> {
        self.quick(|tx| {
            tx.execute(
                "UPDATE questions SET number = ?2, closed = 0 WHERE id = ?1 AND number IS NULL",
                params![id, number],
            )?;
            Ok(())
        })
    }

    /// The buttons are gone, or cannot be taken away.
    pub fn question_closed(&mut self, id: &str) -> Result<(), StoreError> {
        self.quick(|tx| {
            tx.execute("UPDATE questions SET closed = 1 WHERE id = ?1", [id])?;
            Ok(())
        })
    }

    /// The question whose buttons carry `id`.
    pub fn question(&self, channel: &UpstreamName, id: &str) -> Result<Option<Question>, StoreError> {
        Ok(self.questions(channel, "questions.id = ?2", id)?.pop())
    }

    /// Questions with buttons that are not open any more.
    pub fn questions_over(&self, channel: &UpstreamName) -> Result<Vec<Question>, StoreError> {
        self.questions(channel, "questions.closed = 0 AND approvals.state != ?2", "pending")
    }

    fn questions(&self, channel: &UpstreamName, which: &str, value: &str) -> Result<Vec<Question>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT questions.id, questions.approval, questions.digest, questions.person, questions.language, questions.number,
             conversations.chat, conversations.topic
             FROM questions JOIN approvals ON approvals.id = questions.approval
             JOIN conversations ON conversations.session = approvals.session
             WHERE conversations.channel = ?1 AND {which} LIMIT {MAX_AT_ONCE}"
        ))?;
        let mut rows = statement.query([channel.as_str(), value])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let asked = NewQuestion {
                id: row.get(0)?,
                approval: row.get(1)?,
                digest: row.get(2)?,
                person: ChatId(row.get(3)?),
                language: row.get(4)?,
            };
            let topic = Some(row.get(7)?).filter(|topic| *topic != 0);
            let place = ChatPlace { channel: channel.clone(), chat: ChatId(row.get(6)?), topic };
            let (approval, _) =
                approvals::find(&self.connection, &asked.approval)?.ok_or(StoreError::NotFound("question"))?;
            found.push(Question { asked, place, number: row.get(5)?, approval });
        }
        Ok(found)
    }
}
