//! A session as a whole: for the supervisor as it is, for people as Markdown text.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, header};
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::chat::{Author, Message, NoteCode, Transcript};

use crate::admin::failure;
use crate::lifecycle::Lifecycle;
use crate::mind::{Mind, shown_all};
use crate::ws::device;

/// Messages of one export; a longer session is exported from its newest.
const MAX_MESSAGES: usize = 10_000;

/// `GET /api/sessions/{id}/export`.
pub async fn route(
    State(lifecycle): State<Arc<Lifecycle>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    device(&headers)?;
    let mind = lifecycle.mind()?;
    let transcript = transcript(&mind, id).await?;
    let name = format!("attachment; filename=\"chat-{}.md\"", &transcript.session.id);
    let headers =
        [(header::CONTENT_TYPE, "text/markdown; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, markdown(&transcript)).into_response())
}

/// The newest messages of a session, oldest first.
pub async fn transcript(mind: &Mind, id: String) -> Result<Transcript, Failure> {
    let read = mind.database.call(move |store| {
        let session = store.session(&id)?;
        Ok((session, store.transcript(&id, MAX_MESSAGES)?))
    });
    let closed = |error: crate::database::Closed| Failure::new(ErrorCode::AgentUnavailable, error.to_string());
    let (session, messages) = read.await.map_err(closed)?.map_err(|error| failure(&error))?;
    Ok(Transcript { session, messages: shown_all(messages) })
}

/// As Markdown: a heading, then who said what and when.
pub fn markdown(transcript: &Transcript) -> String {
    let mut text = format!("# {}\n", transcript.session.title);
    for message in &transcript.messages {
        text.push_str("\n---\n\n");
        text.push_str(&section(transcript.session.bot.as_str(), message));
    }
    text
}

fn section(bot: &str, message: &Message) -> String {
    let who = match message.author {
        Author::Person => "You",
        Author::Bot => bot,
    };
    let mut text = format!("**{who}**, {}\n\n", agent_tools::clock::utc(message.at));
    for tool in &message.tools {
        let result = tool.result.as_deref().unwrap_or_default();
        for piece in ["> ", &tool.name, " ", &tool.arguments, " → ", &result.replace('\n', "\n> "), "\n"] {
            text.push_str(piece);
        }
    }
    if !message.tools.is_empty() {
        text.push('\n');
    }
    text.push_str(message.text.trim_end());
    text.push('\n');
    if message.shortened {
        text.push_str("\n*(older parts of the chat were left out: it is longer than the model takes)*\n");
    }
    if let Some(summary) = &message.summary {
        let lines = summary.text.replace('\n', "\n> ");
        for piece in
            ["\n> *(summary of the chat up to here, which stands for it in later answers)*\n>\n> ", &lines, "\n"]
        {
            text.push_str(piece);
        }
    }
    if let Some(note) = &message.note {
        let words = match note.code {
            NoteCode::Stopped => "stopped",
            NoteCode::Interrupted => "interrupted by a restart",
            NoteCode::Failed => "failed",
            NoteCode::Length => "ended at the length limit",
            NoteCode::ToolLimit => "ended at the limit of tool calls",
        };
        let detail = note.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        for piece in ["\n*(", words, &detail, ")*\n"] {
            text.push_str(piece);
        }
    }
    text
}
