//! A session's title from its first message.

use crate::text::ellipsis;

/// Characters of a title made from a message: one line in a list of sessions.
pub const MADE_TITLE_CHARS: usize = 60;

/// The first line that says something, without Markdown's marks, on one line. Never empty.
pub fn from_message(text: &str) -> String {
    let line = text.lines().map(plain).find(|line| !line.is_empty()).unwrap_or_else(|| "…".to_owned());
    ellipsis(&line, MADE_TITLE_CHARS)
}

/// A title as a person typed it: one line, no control characters, at most `chars` characters. Empty when nothing is left.
pub fn from_person(text: &str, chars: usize) -> String {
    ellipsis(&one_line(text), chars)
}

fn plain(line: &str) -> String {
    one_line(line.trim_start_matches(['#', '>', '*', '-', '`', ' ', '\t']))
}

fn one_line(text: &str) -> String {
    let visible: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        let check = |text: &str, title: &str| assert_eq!(from_message(text), title, "{text:?}");
        check("What time is it?", "What time is it?");
        check("\n\n# Plan\nfor today", "Plan");
        check("> quoted   text", "quoted text");
        check("```\ncode\n```", "code");
        check("   ", "…");
        check("a\u{1b}[31mred", "a [31mred");
        assert_eq!(from_message(&"word ".repeat(50)).chars().count(), MADE_TITLE_CHARS);
        assert_eq!(from_person("  my\ntitle ", 120), "my title");
        assert_eq!(from_person("\u{7}", 120), "");
    }
}
