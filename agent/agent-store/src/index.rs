//! A full-text index over small Markdown files, in a database of its own: the files are the truth.
//!
//! **Invariants.** The index can be thrown away at any time: one that is missing, damaged or of another release is made anew,
//! and [`Index::sync`] brings it to what the files are. Every query text can be searched for. Three letters and more are found
//! wherever they stand in a word (trigrams), capitals and accents aside; shorter ones by looking through the texts.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, params, params_from_iter};

use crate::StoreError;

/// Changes with the tables: an index of another number is made anew.
const VERSION: u32 = 1;
/// Words of a query that count.
const MAX_WORDS: usize = 8;
/// Letters of a word that count.
const MAX_WORD_CHARS: usize = 64;
/// A trigram index knows no shorter words.
const TRIGRAM: usize = 3;
/// Pages kept in memory: 256 KiB.
const CACHE_KIB: u32 = 256;
/// Lines of a text that are shown with a hit.
const MAX_SNIPPET_LINES: usize = 3;
/// Longest line that is shown with a hit, in characters.
const MAX_SNIPPET_CHARS: usize = 200;

const SCHEMA: &str = "
    CREATE TABLE files (
        id       INTEGER NOT NULL PRIMARY KEY,
        name     TEXT    NOT NULL UNIQUE,
        bytes    INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        title    TEXT    NOT NULL,
        -- A JSON list of texts.
        tags     TEXT    NOT NULL,
        updated  TEXT    NOT NULL
    ) STRICT;
    CREATE VIRTUAL TABLE texts USING fts5(title, tags, body, tokenize = 'trigram remove_diacritics 1');";

/// The open index.
#[derive(Debug)]
pub struct Index {
    connection: Connection,
}

/// A file as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed {
    pub name: String,
    pub bytes: u64,
    /// Any number that changes with the file.
    pub modified: i64,
}

/// What is searched of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    pub title: String,
    pub tags: Vec<String>,
    /// When its text was changed last; lists are ordered by it.
    pub updated: String,
    pub body: String,
}

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub name: String,
    pub title: String,
    pub tags: Vec<String>,
    pub updated: String,
    /// Some lines that were meant.
    pub lines: Vec<String>,
}

impl Index {
    /// Opens the index, or makes it anew where that fails.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        match Self::try_open(path) {
            Err(StoreError::Sqlite(_) | StoreError::Row(_)) => Self::anew(path),
            other => other,
        }
    }

    /// Throws the index away and makes it anew, empty.
    pub fn anew(path: &Path) -> Result<Self, StoreError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => other.map_err(StoreError::io(path))?,
        }
        Self::try_open(path)
    }

    fn try_open(path: &Path) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path)?;
        // A kill leaves it whole; what a power cut spoils is found here, and made anew.
        connection.execute_batch(&format!(
            "PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;
             PRAGMA cache_size = -{CACHE_KIB};"
        ))?;
        let checked: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if checked != "ok" {
            return Err(StoreError::Row(checked.into()));
        }
        let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found != VERSION {
            let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if found != 0 || tables > 0 {
                return Err(StoreError::Row("an index of another release".into()));
            }
            let transaction = connection.transaction()?;
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.commit()?;
        }
        Ok(Self { connection })
    }

    /// Brings the index to what `files` are. `read` gives the text of a file that is new or has changed; `None` leaves it out.
    pub fn sync<E: From<StoreError>>(
        &mut self,
        files: &[Indexed],
        mut read: impl FnMut(&str) -> Result<Option<Document>, E>,
    ) -> Result<(), E> {
        let mut known = self.known()?;
        let transaction = self.connection.transaction().map_err(StoreError::from)?;
        for file in files {
            let before = known.remove(&file.name);
            if before.as_ref().is_some_and(|(_, before)| before == file) {
                continue;
            }
            if let Some((id, _)) = before {
                forget(&transaction, id)?;
            }
            if let Some(document) = read(&file.name)? {
                insert(&transaction, file, &document)?;
            }
        }
        for (id, _) in known.into_values() {
            forget(&transaction, id)?;
        }
        Ok(transaction.commit().map_err(StoreError::from)?)
    }

    fn known(&self) -> Result<BTreeMap<String, (i64, Indexed)>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT id, name, bytes, modified FROM files")?;
        let rows = statement.query_map([], |row| {
            let file = Indexed { name: row.get(1)?, bytes: row.get(2)?, modified: row.get(3)? };
            Ok((file.name.clone(), (row.get(0)?, file)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The best `limit` files: those with all words of `query`; where there is none, those with any of them. With `tag`, only
    /// files that have it.
    pub fn search(&self, query: &str, tag: Option<&str>, limit: usize) -> Result<Vec<Hit>, StoreError> {
        let words = words(query);
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.find(&words, " AND ", tag, limit)?;
        if !all.is_empty() || words.len() == 1 { Ok(all) } else { self.find(&words, " OR ", tag, limit) }
    }

    /// The newest `limit` files, and how many there are in all.
    pub fn list(&self, tag: Option<&str>, limit: usize) -> Result<(Vec<Hit>, u64), StoreError> {
        const TAGGED: &str = "(?1 IS NULL OR EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?1))";
        let mut count = self.connection.prepare_cached(&format!("SELECT count(*) FROM files WHERE {TAGGED}"))?;
        let count = count.query_row([tag], |row| row.get(0))?;
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT name, title, tags, updated FROM files WHERE {TAGGED} ORDER BY updated DESC, modified DESC LIMIT ?2"
        ))?;
        let rows = statement.query_map(params![tag, limit], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get(3)?))
        })?;
        let mut found = Vec::new();
        for row in rows {
            let (name, title, tags, updated) = row?;
            found.push(Hit { name, title, tags: serde_json::from_str(&tags)?, updated, lines: Vec::new() });
        }
        Ok((found, count))
    }

    fn find(&self, words: &[String], joint: &str, tag: Option<&str>, limit: usize) -> Result<Vec<Hit>, StoreError> {
        let (long, short): (Vec<&String>, Vec<&String>) =
            words.iter().partition(|word| word.chars().count() >= TRIGRAM);
        let mut values: Vec<Value> = Vec::new();
        let mut terms = Vec::new();
        let mut rank = "0";
        if !long.is_empty() {
            let phrases: Vec<String> = long.iter().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
            values.push(Value::Text(phrases.join(joint)));
            // A word in the title counts ten times, in the tags five times as much as in the text.
            rank = "bm25(texts, 10.0, 5.0, 1.0)";
            terms.push("texts MATCH ?".to_owned());
        }
        // Among any of several words a short one says too little.
        for word in short.into_iter().filter(|_| long.is_empty() || joint == " AND ") {
            let like: Vec<String> = spellings(word).iter().map(|text| like_pattern(text)).collect();
            let one = "title LIKE ? ESCAPE '\\' OR tags LIKE ? ESCAPE '\\' OR body LIKE ? ESCAPE '\\'";
            terms.push(format!("({})", vec![one; like.len()].join(" OR ")));
            values.extend(like.into_iter().flat_map(|text| std::iter::repeat_n(Value::Text(text), 3)));
        }
        let terms = if long.is_empty() { format!("({})", terms.join(joint)) } else { terms.join(" AND ") };
        let tagged = tag.map_or("", |_| " AND EXISTS (SELECT 1 FROM json_each(files.tags) WHERE value = ?)");
        values.extend(tag.map(|tag| Value::Text(tag.to_owned())));
        values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
        let mut statement = self.connection.prepare(&format!(
            "SELECT files.name, files.title, files.tags, files.updated, found.body FROM
             (SELECT rowid AS id, body, {rank} AS rank FROM texts WHERE {terms}) AS found
             JOIN files ON files.id = found.id WHERE true{tagged}
             ORDER BY found.rank, files.updated DESC, files.name LIMIT ?"
        ))?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let body: String = row.get(4)?;
            let tags: String = row.get(2)?;
            let (name, title, updated) = (row.get(0)?, row.get(1)?, row.get(3)?);
            let lines = snippet(&body, words);
            found.push(Hit { name, title, tags: serde_json::from_str(&tags)?, updated, lines });
        }
        Ok(found)
    }
}

fn forget(tx: &Transaction<'_>, id: i64) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM texts WHERE rowid = ?1")?.execute([id])?;
    tx.prepare_cached("DELETE FROM files WHERE id = ?1")?.execute([id])?;
    Ok(())
}

fn insert(tx: &Transaction<'_>, file: &Indexed, document: &Document) -> Result<(), StoreError> {
    let Indexed { name, bytes, modified } = file;
    let Document { title, tags, updated, body } = document;
    let listed = serde_json::to_string(tags)?;
    tx.prepare_cached(
        "INSERT INTO files (name, bytes, modified, title, tags, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![name, bytes, modified, title, listed, updated])?;
    let id = tx.last_insert_rowid();
    tx.prepare_cached("INSERT INTO texts (rowid, title, tags, body) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        id,
        title,
        tags.join(" "),
        body
    ])?;
    Ok(())
}

/// The words of a query, without signs around them.
fn words(query: &str) -> Vec<String> {
    let is_sign = |c: char| !c.is_alphanumeric() && !matches!(c, '+' | '#' | '%' | '_' | '§' | '€' | '$');
    let bare = |word: &str| word.trim_matches(is_sign).chars().take(MAX_WORD_CHARS).collect();
    let words = query.split(|c: char| c.is_whitespace() || c.is_control()).map(bare);
    let mut found: Vec<String> = Vec::new();
    for word in words.filter(|word: &String| !word.is_empty()) {
        if !found.contains(&word) {
            found.push(word);
        }
    }
    found.truncate(MAX_WORDS);
    found
}

/// A short word with the capitals that it may have: `LIKE` knows those of English only.
fn spellings(word: &str) -> Vec<String> {
    let mut found = vec![word.to_owned()];
    let mut letters = word.chars();
    let capital =
        letters.next().map(|first| first.to_uppercase().chain(letters.flat_map(char::to_lowercase)).collect());
    for text in [Some(word.to_lowercase()), Some(word.to_uppercase()), capital].into_iter().flatten() {
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

fn like_pattern(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

/// The first lines that have one of the words; else the first line.
fn snippet(body: &str, words: &[String]) -> Vec<String> {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let is_meant = |line: &&str| {
        let line = line.to_lowercase();
        words.iter().any(|word| line.contains(word.as_str()))
    };
    let shown = |line: &str| agent_core::text::ellipsis(line.trim_start_matches("- ").trim(), MAX_SNIPPET_CHARS);
    let found: Vec<String> = body.lines().filter(is_meant).take(MAX_SNIPPET_LINES).map(shown).collect();
    if found.is_empty() {
        body.lines().find(|line| !line.trim().is_empty()).map(shown).into_iter().collect()
    } else {
        found
    }
}
