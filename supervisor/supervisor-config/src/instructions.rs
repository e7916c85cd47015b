//! The instructions of bots: shipped defaults, and the operator's files that override them.

use std::collections::BTreeMap;

use platform_types::BotName;

use crate::config::Bot;

/// The file of a bot that names none.
pub const DEFAULT_FILE: &str = "bots/assistant.md";
/// Longest file of instructions. It is sent with every turn: 64 KiB fill half of a small model's window.
pub const MAX_INSTRUCTIONS_BYTES: usize = 64 * 1024;

/// What the release brings along.
const SHIPPED: &[(&str, &str)] = &[
    (DEFAULT_FILE, include_str!("../bots/assistant.md")),
    ("bots/home.md", include_str!("../bots/home.md")),
    ("bots/learning.md", include_str!("../bots/learning.md")),
    ("bots/ops.md", include_str!("../bots/ops.md")),
    ("bots/project.md", include_str!("../bots/project.md")),
];

/// A shipped file that the operator has overridden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// `bots/<name>.md`.
    pub file: String,
    pub shipped: &'static str,
    pub yours: String,
}

/// The text of a bot's instructions: the operator's file, else the shipped one. Both are trimmed.
///
/// Falls back to the default instructions for a file that has gone since the configuration was read.
pub fn instructions<'a>(bot: &Bot, files: &'a BTreeMap<String, String>) -> &'a str {
    let text = |file: &str| files.get(file).map(String::as_str).or_else(|| shipped(file));
    text(&bot.instructions).or_else(|| text(DEFAULT_FILE)).unwrap_or_default().trim()
}

/// A shipped default.
pub fn shipped(file: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(name, _)| *name == file).map(|(_, text)| *text)
}

/// Shipped files that differ from the operator's file of the same name.
pub fn overridden(files: &BTreeMap<String, String>) -> Vec<Override> {
    let differing = SHIPPED.iter().filter_map(|(file, shipped)| {
        let yours = files.get(*file).filter(|yours| yours.trim() != shipped.trim())?;
        Some(Override { file: (*file).to_owned(), shipped, yours: yours.clone() })
    });
    differing.collect()
}

/// `bots/<name>.md`, where the name follows the rule of bots.
pub fn is_file_name(file: &str) -> bool {
    let stem = file.strip_prefix("bots/").and_then(|file| file.strip_suffix(".md"));
    stem.is_some_and(|stem| BotName::new(stem).is_ok())
}
