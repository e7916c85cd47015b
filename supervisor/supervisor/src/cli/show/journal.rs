//! `botctl events`, `botctl logs`.

use platform_types::text::neutral;

use crate::api::wire::journal::{Event, LogLine};
use crate::cli::screen::{Screen, Tone};

/// `14:03:22  personal/agent  started generation 4`.
pub fn event(screen: &Screen, event: &Event) -> String {
    let at = screen.moment(event.at);
    let at = screen.tone(Tone::Faint, &at);
    let subject = event.subject.as_deref().unwrap_or("installation");
    let kind = screen.tone(Tone::Faint, &format!("[{}]", neutral(&event.kind)));
    // What the subject's column says need not be said again.
    let message =
        event.message.strip_prefix(subject).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&event.message);
    format!("{at}  {:<16} {}  {kind}\n", neutral(subject), neutral(message))
}

/// `personal/agent  {"level":"INFO",…}`. `width` is that of the longest name so far, so that lines line up.
pub fn log_line(screen: &Screen, line: &LogLine, width: usize) -> String {
    let name = screen.tone(Tone::Faint, &format!("{:<width$}", line.target.to_string()));
    let text = neutral(&line.text);
    let text = if line.stderr { screen.tone(Tone::Warn, &text) } else { text };
    format!("{name}  {text}\n")
}
