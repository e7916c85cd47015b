//! Collects findings while a file is read.

use crate::document::Document;
use crate::finding::{Finding, Severity};
use crate::path::KeyPath;

/// Findings that are kept. Nobody mends more at once.
const MAX_FINDINGS: usize = 100;

/// What was found so far.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    document: &'a Document<'a>,
    findings: Vec<Finding>,
    errors: usize,
    dropped: usize,
}

impl<'a> Report<'a> {
    pub fn new(document: &'a Document<'a>) -> Self {
        Self { document, findings: Vec::new(), errors: 0, dropped: 0 }
    }

    pub fn document(&self) -> &'a Document<'a> {
        self.document
    }

    pub fn error(&mut self, path: &KeyPath, message: impl AsRef<str>, remedy: impl AsRef<str>) {
        self.errors += 1;
        self.push(Severity::Error, path, message.as_ref(), remedy.as_ref());
    }

    pub fn warning(&mut self, path: &KeyPath, message: impl AsRef<str>, remedy: impl AsRef<str>) {
        self.push(Severity::Warning, path, message.as_ref(), remedy.as_ref());
    }

    /// The key is read and checked, and does nothing in this release.
    pub fn not_in_force(&mut self, path: &KeyPath, remedy: &str) {
        self.warning(path, "not in force yet in this release", remedy);
    }

    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Everything found, in the order of the file.
    pub fn finish(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|finding| (finding.line, finding.column));
        if self.dropped > 0 {
            self.findings.push(Finding {
                severity: if self.has_errors() { Severity::Error } else { Severity::Warning },
                line: self.findings.last().map_or(1, |last| last.line),
                column: 1,
                key: String::new(),
                message: format!("{} more findings are not shown", self.dropped),
                remedy: "Mend the ones above, then check again.".to_owned(),
            });
        }
        self.findings
    }

    fn push(&mut self, severity: Severity, path: &KeyPath, message: &str, remedy: &str) {
        if self.findings.len() == MAX_FINDINGS {
            self.dropped += 1;
            return;
        }
        let (line, column) = self.document.place(path);
        self.findings.push(Finding {
            severity,
            line,
            column,
            key: neutral(&path.to_string()),
            message: neutral(message),
            remedy: neutral(remedy),
        });
    }
}

/// The text with invisible characters written out: findings are shown on terminals.
pub(crate) fn neutral(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_format(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Characters without a glyph that change how others are shown: zero-width ones, and those that turn the direction.
fn is_format(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_invisible_stays() {
        let check = |text: &str, expect| assert_eq!(neutral(text), expect);
        check("Größe 1", "Größe 1");
        check("\u{1b}[31m\r\n", "\\u{1b}[31m\\r\\n");
        check("a\u{202e}b\u{9b}", "a\\u{202e}b\\u{9b}");
    }
}
