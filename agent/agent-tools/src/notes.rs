//! `note.write`, `note.search`, `note.show`, `note.edit`, `note.list`: notes in the bot's own workspace.

use std::sync::Arc;

use agent_core::prompt::Risk;
use agent_store::index::Hit;
use agent_workspace::note::Parts;
use agent_workspace::notes::{Edit, Hand, Written};
use agent_workspace::{Notes, WorkspaceError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::apart::apart;
use crate::clock;
use crate::lenient::{Lines, Tags};
use crate::tool::{Context, Pending, Tool};

/// Makes a note.
#[derive(Debug)]
pub struct NoteWrite(pub Arc<Notes>);
/// Finds notes.
#[derive(Debug)]
pub struct NoteSearch(pub Arc<Notes>);
/// Shows a note.
#[derive(Debug)]
pub struct NoteShow(pub Arc<Notes>);
/// Changes a note.
#[derive(Debug)]
pub struct NoteEdit(pub Arc<Notes>);
/// Lists notes.
#[derive(Debug)]
pub struct NoteList(pub Arc<Notes>);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteArguments {
    /// Short and specific.
    title: String,
    /// One short sentence each.
    facts: Lines,
    #[serde(default)]
    tags: Option<Tags>,
    /// Related notes.
    #[serde(default)]
    links: Option<Lines>,
    /// Where the facts come from: URL, book, person.
    #[serde(default)]
    sources: Option<Lines>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchArguments {
    /// Words that the note has.
    query: String,
    #[serde(default)]
    tag: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowArguments {
    name: String,
    /// An earlier version.
    #[serde(default)]
    version: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EditArguments {
    name: String,
    /// Facts to add.
    #[serde(default)]
    add: Lines,
    /// Facts to remove, as written.
    #[serde(default)]
    remove: Lines,
    #[serde(default)]
    title: Option<String>,
    /// All tags.
    #[serde(default)]
    tags: Option<Tags>,
    /// All links.
    #[serde(default)]
    links: Option<Lines>,
    /// All sources.
    #[serde(default)]
    sources: Option<Lines>,
    /// Go back to this version.
    #[serde(default)]
    restore: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListArguments {
    #[serde(default)]
    tag: Option<String>,
}

/// For example `{"name":"green-tea","facts":2}`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Saved {
    name: String,
    facts: usize,
    /// The version that holds the text as it was before.
    #[serde(skip_serializing_if = "Option::is_none")]
    earlier_version: Option<u32>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    notes: Vec<FoundNote>,
    /// How many there are, where these are not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<u64>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct FoundNote {
    name: String,
    title: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    updated: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facts: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct ShownNote {
    name: String,
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    earlier_versions: Vec<Earlier>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Earlier {
    version: u32,
    /// When it stopped being the newest, UTC.
    until: String,
    changed_by: String,
}

impl Tool for NoteWrite {
    type Arguments = WriteArguments;
    type Output = Saved;

    const NAME: &'static str = "note.write";
    const DESCRIPTION: &'static str = "Saves a new note: one fact per line.";
    const RISK: Risk = Risk::Own;
    const INSIDE: bool = true;

    fn call<'a>(&'a self, arguments: WriteArguments, context: &'a Context) -> Pending<'a, Saved> {
        let (notes, hand) = (self.0.clone(), hand(context));
        Box::pin(apart(move || {
            let WriteArguments { title, facts: Lines(facts), tags, links, sources } = arguments;
            if facts.iter().all(|fact| fact.trim().is_empty()) {
                return Err(WorkspaceError::Refused("a note needs at least one fact".to_owned()));
            }
            notes.write(&title, &facts, parts(tags, links, sources), &hand).map(saved)
        }))
    }
}

impl Tool for NoteSearch {
    type Arguments = SearchArguments;
    type Output = Found;

    const NAME: &'static str = "note.search";
    const DESCRIPTION: &'static str = "Finds notes by words or parts of words.";
    const RISK: Risk = Risk::Read;
    const INSIDE: bool = true;

    fn call<'a>(&'a self, arguments: SearchArguments, _: &'a Context) -> Pending<'a, Found> {
        let notes = self.0.clone();
        Box::pin(apart(move || {
            let hits = notes.search(&arguments.query, tag(arguments.tag).as_deref())?;
            Ok(Found { notes: hits.into_iter().map(found).collect(), of: None })
        }))
    }
}

impl Tool for NoteShow {
    type Arguments = ShowArguments;
    type Output = ShownNote;

    const NAME: &'static str = "note.show";
    const DESCRIPTION: &'static str = "Shows one note and lists its earlier versions.";
    const RISK: Risk = Risk::Read;
    const INSIDE: bool = true;

    fn call<'a>(&'a self, arguments: ShowArguments, _: &'a Context) -> Pending<'a, ShownNote> {
        let notes = self.0.clone();
        Box::pin(apart(move || {
            let shown = notes.show(&arguments.name, arguments.version)?;
            let earlier_versions = shown.versions.into_iter().map(|version| Earlier {
                version: version.n,
                until: clock::utc(version.until),
                changed_by: version.by,
            });
            Ok(ShownNote {
                name: shown.name.to_string(),
                text: shown.text,
                earlier_versions: earlier_versions.collect(),
            })
        }))
    }
}

impl Tool for NoteEdit {
    type Arguments = EditArguments;
    type Output = Saved;

    const NAME: &'static str = "note.edit";
    const DESCRIPTION: &'static str = "Changes a note; the earlier version is kept.";
    const RISK: Risk = Risk::Own;
    const INSIDE: bool = true;

    fn call<'a>(&'a self, arguments: EditArguments, context: &'a Context) -> Pending<'a, Saved> {
        let (notes, hand) = (self.0.clone(), hand(context));
        Box::pin(apart(move || {
            let EditArguments { name, add: Lines(add), remove: Lines(remove), title, tags, links, sources, restore } =
                arguments;
            let edit = Edit { title, add, remove, parts: parts(tags, links, sources), restore };
            if edit == Edit::default() {
                return Err(WorkspaceError::Refused("nothing to change: give add, remove or another field".to_owned()));
            }
            notes.edit(&name, edit, &hand).map(saved)
        }))
    }
}

impl Tool for NoteList {
    type Arguments = ListArguments;
    type Output = Found;

    const NAME: &'static str = "note.list";
    const DESCRIPTION: &'static str = "Lists the newest notes.";
    const RISK: Risk = Risk::Read;
    const INSIDE: bool = true;

    fn call<'a>(&'a self, arguments: ListArguments, _: &'a Context) -> Pending<'a, Found> {
        let notes = self.0.clone();
        Box::pin(apart(move || {
            let (listed, count) = notes.list(tag(arguments.tag).as_deref())?;
            let of = (count > listed.len() as u64).then_some(count);
            Ok(Found { notes: listed.into_iter().map(found).collect(), of })
        }))
    }
}

pub(crate) fn hand(context: &Context) -> Hand {
    let Context { now, timezone, bot, .. } = context;
    Hand { by: format!("bot {bot}"), now: *now, today: clock::date(*now, timezone) }
}

fn parts(tags: Option<Tags>, links: Option<Lines>, sources: Option<Lines>) -> Parts {
    Parts {
        tags: tags.map(|tags| tags.0),
        links: links.map(|links| links.0),
        sources: sources.map(|sources| sources.0),
    }
}

/// Tags are kept in small letters; an empty one is none.
fn tag(given: Option<String>) -> Option<String> {
    let tag = given?.trim().trim_start_matches('#').to_lowercase();
    (!tag.is_empty()).then_some(tag)
}

fn saved(Written { name, facts, replaced }: Written) -> Saved {
    Saved { name: name.to_string(), facts, earlier_version: replaced }
}

fn found(Hit { name, title, tags, updated, lines }: Hit) -> FoundNote {
    FoundNote { name, title, tags, updated, facts: lines }
}
