//! `doc.list`, `doc.read`, `doc.search`: folders of the host, read-only.

use std::fmt::Write as _;
use std::sync::Arc;

use agent_core::prompt::Risk;
use agent_workspace::documents::MAX_FILE_BYTES;
use agent_workspace::{Documents, WorkspaceError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::search::{Match, look, words};
use crate::apart::apart;
use crate::tool::{Context, Pending, Tool};

/// Paths that a list gives.
const MAX_LISTED: usize = 150;
/// Lines and bytes that a read gives: a result has 16 KiB, and text in JSON takes more.
const MAX_LINES: usize = 200;
const MAX_READ_BYTES: usize = 10 * 1024;
/// Characters of a line: one is not longer than what a read gives.
const MAX_LINE_CHARS: usize = 2000;
/// Files that a search gives, and bytes that it reads.
const MAX_HITS: usize = 8;
const MAX_SEARCHED_BYTES: u64 = 32 * 1024 * 1024;

/// Lists documents.
#[derive(Debug)]
pub struct DocList(pub Arc<Documents>);
/// Reads a document.
#[derive(Debug)]
pub struct DocRead(pub Arc<Documents>);
/// Finds documents.
#[derive(Debug)]
pub struct DocSearch(pub Arc<Documents>);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListArguments {
    /// Only paths that begin so.
    #[serde(default)]
    prefix: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadArguments {
    path: String,
    /// First line, from 1.
    #[serde(default)]
    from_line: Option<usize>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchArguments {
    /// Words.
    text: String,
}

#[derive(Debug, Serialize)]
pub struct Listed {
    files: Vec<ListedFile>,
    /// How many there are, where these are not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<usize>,
    /// The folders hold more than is looked at.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    incomplete: bool,
}

#[derive(Debug, Serialize)]
pub struct ListedFile {
    path: String,
    bytes: u64,
}

#[derive(Debug, Serialize)]
pub struct Read {
    path: String,
    /// Each with its number.
    text: String,
    lines: usize,
    /// Where to read on.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_line: Option<usize>,
}

#[derive(Debug, Serialize)]
pub struct Searched {
    files: Vec<Hit>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    incomplete: bool,
}

#[derive(Debug, Serialize)]
pub struct Hit {
    path: String,
    lines: Vec<String>,
}

impl Tool for DocList {
    type Arguments = ListArguments;
    type Output = Listed;

    const NAME: &'static str = "doc.list";
    const DESCRIPTION: &'static str = "Lists the documents.";
    const RISK: Risk = Risk::Read;

    fn call<'a>(&'a self, arguments: ListArguments, context: &'a Context) -> Pending<'a, Listed> {
        let (documents, bot) = (self.0.clone(), context.bot.clone());
        Box::pin(apart(move || {
            let prefix = arguments.prefix.unwrap_or_default();
            let found = documents.list(&bot)?;
            let fits =
                found.files.into_iter().filter(|file| file.path.starts_with(prefix.trim().trim_start_matches("./")));
            let mut files: Vec<_> = fits.map(|file| ListedFile { path: file.path, bytes: file.bytes }).collect();
            if files.is_empty() {
                let words = format!(
                    "no document begins with {prefix:.80?}; the folders are {}",
                    documents.folders(&bot)?.join(", ")
                );
                return Err(WorkspaceError::Refused(words));
            }
            let of = (files.len() > MAX_LISTED).then_some(files.len());
            files.truncate(MAX_LISTED);
            Ok(Listed { files, of, incomplete: found.more })
        }))
    }
}

impl Tool for DocRead {
    type Arguments = ReadArguments;
    type Output = Read;

    const NAME: &'static str = "doc.read";
    const DESCRIPTION: &'static str = "Reads a document, up to 200 numbered lines.";
    const RISK: Risk = Risk::Read;

    fn call<'a>(&'a self, arguments: ReadArguments, context: &'a Context) -> Pending<'a, Read> {
        let (documents, bot) = (self.0.clone(), context.bot.clone());
        Box::pin(apart(move || {
            let (whole, path) = documents.read(&bot, &arguments.path)?;
            let (first, lines) = (arguments.from_line.unwrap_or(1).max(1), whole.lines().count());
            if first > lines && lines > 0 {
                return Err(WorkspaceError::Refused(format!("{path} has {lines} lines; read from one of them")));
            }
            let (mut text, mut next) = (String::new(), first);
            for line in whole.lines().skip(first - 1).take(MAX_LINES) {
                let line: String = line.chars().take(MAX_LINE_CHARS).collect();
                if text.len() + line.len() > MAX_READ_BYTES && next > first {
                    break;
                }
                // Writing to a text cannot fail.
                let _ = writeln!(text, "{next}\t{line}");
                next += 1;
            }
            Ok(Read { path, text, lines, next_line: (next <= lines).then_some(next) })
        }))
    }
}

impl Tool for DocSearch {
    type Arguments = SearchArguments;
    type Output = Searched;

    const NAME: &'static str = "doc.search";
    const DESCRIPTION: &'static str = "Finds documents by words, best first, with their lines.";
    const RISK: Risk = Risk::Read;

    fn call<'a>(&'a self, arguments: SearchArguments, context: &'a Context) -> Pending<'a, Searched> {
        let (documents, bot) = (self.0.clone(), context.bot.clone());
        Box::pin(apart(move || {
            let wanted = words(&arguments.text);
            if wanted.is_empty() {
                return Err(WorkspaceError::Refused("give at least one word".to_owned()));
            }
            let found = documents.list(&bot)?;
            let (mut incomplete, mut left) = (found.more, MAX_SEARCHED_BYTES);
            let mut hits: Vec<(Match, String)> = Vec::new();
            for file in found.files {
                if file.bytes > MAX_FILE_BYTES || file.bytes > left {
                    incomplete = true;
                    continue;
                }
                left -= file.bytes;
                // What is binary, or cannot be read, has no words; its path may.
                let text = documents.read(&bot, &file.path).map(|(text, _)| text).unwrap_or_default();
                hits.extend(look(&file.path, &text, &wanted).map(|hit| (hit, file.path)));
            }
            hits.sort_by(|a, b| (b.0.words, b.0.times).cmp(&(a.0.words, a.0.times)).then_with(|| a.1.cmp(&b.1)));
            let line = |(number, line): (usize, String)| format!("{number}: {line}");
            let hits = hits.into_iter().take(MAX_HITS);
            let files = hits.map(|(hit, path)| Hit { path, lines: hit.lines.into_iter().map(line).collect() });
            Ok(Searched { files: files.collect(), incomplete })
        }))
    }
}
