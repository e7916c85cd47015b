//! `botctl session`.

use std::fmt::Write as _;

use platform_types::chat::{Author, Message, NoteCode, ToolState, Transcript};
use platform_types::text::neutral;

use crate::api::wire::sessions::Sessions;
use crate::cli::screen::{Screen, Table, Tone};

/// Digits of a session's id that are shown; enough to name it.
const SHORT_DIGITS: usize = 8;

pub fn list(screen: &mut Screen, sessions: &Sessions) {
    screen.quote();
    if sessions.sessions.is_empty() {
        screen.line(format!("nothing was said in {} yet", sessions.profile));
        return;
    }
    let mut sorted: Vec<_> = sessions.sessions.iter().collect();
    sorted.sort_by_key(|session| std::cmp::Reverse(session.updated_at));
    let mut table = Table::new(["SESSION", "BOT", "MESSAGES", "LAST", "TITLE"]).right([2]);
    for session in sorted {
        let running = if session.running { " (answering)" } else { "" };
        table.row([
            session.id.chars().take(SHORT_DIGITS).collect::<String>().into(),
            session.bot.as_str().into(),
            session.messages.to_string().into(),
            screen.ago(session.updated_at).into(),
            format!("{}{running}", session.title).into(),
        ]);
    }
    screen.table(&table);
    let reported = screen.tone(Tone::Faint, "as the agent reports it");
    screen.line(reported);
}

pub fn show(screen: &mut Screen, transcript: &Transcript) {
    screen.quote();
    let session = &transcript.session;
    let title = if session.title.is_empty() { "(no title)".to_owned() } else { neutral(&session.title) };
    let title = screen.tone(Tone::Strong, &title);
    screen.line(title);
    let about =
        format!("{} · {} · {} messages · as the agent reports it", session.bot, neutral(&session.id), session.messages);
    let about = screen.tone(Tone::Faint, &about);
    screen.line(about);
    for message in &transcript.messages {
        screen.blank();
        let who = match message.author {
            Author::Person => screen.tone(Tone::Strong, "you"),
            Author::Bot => screen.tone(Tone::Strong, session.bot.as_str()),
        };
        let at = screen.moment(message.at);
        let at = screen.tone(Tone::Faint, &at);
        screen.line(format!("{who} {at}"));
        for tool in &message.tools {
            let line = format!("  [{} {}: {}]", neutral(&tool.name), neutral(&tool.arguments), state(tool.state));
            let line = screen.tone(Tone::Faint, &line);
            screen.line(line);
        }
        for line in message.text.lines() {
            screen.line(format!("  {}", neutral(line)));
        }
        if let Some(summary) = &message.summary {
            let heading =
                screen.tone(Tone::Strong, "summary of the session up to here, which stands for it in later prompts");
            screen.line(format!("  {heading}"));
            for line in summary.text.lines() {
                screen.line(format!("  | {}", neutral(line)));
            }
        }
        if let Some(note) = note(message) {
            let note = screen.tone(Tone::Warn, &format!("  ({note})"));
            screen.line(note);
        }
    }
}

/// The session as Markdown: the texts are what was said, byte for byte but for what a terminal acts on.
pub fn markdown(screen: &Screen, transcript: &Transcript) -> String {
    let session = &transcript.session;
    let title = if session.title.is_empty() { "Session" } else { session.title.as_str() };
    let mut text = format!("# {}\n", neutral(title));
    for message in &transcript.messages {
        let who = match message.author {
            Author::Person => "You".to_owned(),
            Author::Bot => session.bot.to_string(),
        };
        // Writing to a String does not fail.
        let _ = write!(text, "\n## {who}, {}\n\n", screen.moment(message.at));
        for line in message.text.lines() {
            text.push_str(&neutral(line).replace(r"\t", "\t"));
            text.push('\n');
        }
        if let Some(note) = note(message) {
            let _ = write!(text, "\n*({note})*\n");
        }
        if let Some(summary) = &message.summary {
            text.push_str("\n> *(summary of the session up to here)*\n>\n");
            for line in summary.text.lines() {
                let _ = writeln!(text, "> {}", neutral(line).replace(r"\t", "\t"));
            }
        }
    }
    text
}

fn state(state: ToolState) -> &'static str {
    match state {
        ToolState::Asking => "asking",
        ToolState::Running => "running",
        ToolState::Confirming => "waiting for a confirmation",
        ToolState::Done => "done",
        ToolState::Failed => "failed",
        ToolState::Denied => "denied",
        ToolState::Unknown => "outcome unknown",
    }
}

fn note(message: &Message) -> Option<String> {
    let note = message.note.as_ref()?;
    let word = match note.code {
        NoteCode::Stopped => "stopped",
        NoteCode::Interrupted => "interrupted by a restart",
        NoteCode::Failed => "failed",
        NoteCode::Length => "cut at the model's length limit",
        NoteCode::ToolLimit => "the limit of tool calls was reached",
    };
    let detail = note.detail.as_deref().map(|detail| format!(": {}", neutral(detail))).unwrap_or_default();
    Some(format!("{word}{detail}"))
}
