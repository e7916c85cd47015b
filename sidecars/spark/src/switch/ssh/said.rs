//! What the command says on its way: JSON lines with `state`, or anything else, bounded and made harmless. Pure.

use platform_types::text::neutral_cut;
use serde::Deserialize;

use crate::redaction::Redaction;

/// Longest line that is looked at, in bytes; the rest of it is left out.
const MAX_LINE_BYTES: usize = 1024;
/// Most bytes of a command that are read at all; a switch says ten lines.
const MAX_BYTES: usize = 256 * 1024;
/// Longest line that people get to see, in characters.
const MAX_SHOWN_CHARS: usize = 200;

/// A line of the forced command.
#[derive(Debug, Deserialize)]
struct Line {
    state: String,
    message: Option<String>,
    model: Option<String>,
}

/// Cuts the output into lines.
#[derive(Debug, Default)]
pub struct Said {
    line: Vec<u8>,
    read: usize,
    last: Option<String>,
    redaction: Redaction,
}

impl Said {
    /// A command that starts a model server may show that server's key.
    pub fn new(redaction: Redaction) -> Self {
        Self { redaction, ..Self::default() }
    }

    /// Takes what came; hands each whole line on, as it is to be shown. `false`: the command says too much.
    pub fn take(&mut self, bytes: &[u8], mut tell: impl FnMut(&str)) -> bool {
        self.read = self.read.saturating_add(bytes.len());
        for byte in bytes {
            if *byte == b'\n' {
                self.flush(&mut tell);
            } else if self.line.len() < MAX_LINE_BYTES {
                self.line.push(*byte);
            }
        }
        self.read <= MAX_BYTES
    }

    /// The last line, also one without an end.
    pub fn finish(mut self) -> Option<String> {
        self.flush(&mut |_| {});
        self.last
    }

    fn flush(&mut self, tell: &mut impl FnMut(&str)) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if line.trim().is_empty() {
            return;
        }
        let shown = shown(&self.redaction.text(&line));
        tell(&shown);
        self.last = Some(shown);
    }
}

fn shown(line: &str) -> String {
    let text = match serde_json::from_str(line) {
        Ok(Line { state, message, model }) => {
            [Some(state), model, message].into_iter().flatten().collect::<Vec<_>>().join(" ").replace('_', " ")
        }
        Err(_) => line.trim().to_owned(),
    };
    neutral_cut(&text, MAX_SHOWN_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parts: &[&str], expect: &[&str], last: Option<&str>) {
        let (mut said, mut told) = (Said::default(), Vec::new());
        for part in parts {
            assert!(said.take(part.as_bytes(), |line| told.push(line.to_owned())));
        }
        assert_eq!(told, expect);
        assert_eq!(said.finish().as_deref(), last);
    }

    #[test]
    fn lines_wherever_they_are_cut() {
        check(
            &[
                "{\"state\":\"stop",
                "ping\"}\n\n{\"state\":\"memory_wait\",\"message\":\"12 GiB of 90\"}\nwords\nno end",
            ],
            &["stopping", "memory wait 12 GiB of 90", "words"],
            Some("no end"),
        );
        check(&["\u{1b}[31mred\n"], &[r"\u{1b}[31mred"], Some(r"\u{1b}[31mred"));
        check(&[], &[], None);
    }

    #[test]
    fn the_key_of_the_model_server_is_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spark-key");
        std::fs::write(&path, "sk-box-1").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
        let mut said = Said::new(Redaction::of(Some(&path)));
        assert!(said.take(b"+ vllm serve --api-key sk-box-1 --port 8000\n", |_| {}));
        assert_eq!(said.finish().as_deref(), Some("+ vllm serve --api-key [key] --port 8000"));
    }

    #[test]
    fn too_much_is_told_and_not_kept() {
        let mut said = Said::default();
        let long = vec![b'a'; MAX_BYTES];
        assert!(said.take(&long, |_| {}));
        assert!(!said.take(b"a", |_| {}));
        assert!(said.finish().unwrap().chars().count() <= MAX_SHOWN_CHARS + 1);
    }
}
