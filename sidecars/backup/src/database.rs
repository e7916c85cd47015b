//! What is asked of the staged database before it becomes a snapshot.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, ensure};
use rusqlite::{Connection, OpenFlags};

use crate::files::Folder;

/// The database's place in a staged copy.
pub const DATABASE_FILE: &str = "agent.db";

/// Facts of a sound database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub schema: u32,
    pub rows: BTreeMap<String, u64>,
}

/// Opens the copy read-only and checks it whole. Nobody writes to it: the agent finished it before it said so.
pub fn inspect(folder: &Folder) -> anyhow::Result<Facts> {
    let file = folder.open_file(DATABASE_FILE).context("the staged copy has no database")?;
    // Through the descriptor, so that the name cannot come to mean another file.
    let uri = format!("file:/proc/self/fd/{}?immutable=1", file.as_raw_fd());
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(uri, flags).context("cannot open the staged database")?;
    let verdict: String = database
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .context("the staged database is damaged")?;
    ensure!(verdict == "ok", "the staged database is damaged: {verdict}");
    let schema =
        database.query_row("PRAGMA user_version", [], |row| row.get(0)).context("the staged database is damaged")?;
    Ok(Facts { schema, rows: rows(&database).context("the staged database is damaged")? })
}

fn rows(database: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    let mut statement = database
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut counts = BTreeMap::new();
    for name in names {
        let quoted = name.replace('"', "\"\"");
        let count: i64 = database.query_row(&format!("SELECT count(*) FROM \"{quoted}\""), [], |row| row.get(0))?;
        counts.insert(name, u64::try_from(count).unwrap_or(0));
    }
    Ok(counts)
}
