// Edits a record as somebody who has the file could: what keeps it from being changed is taken away first.

import { run } from './shell.mjs';

const EDIT = `
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=10)
for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", (sys.argv[2],)).fetchall():
    database.execute(f'DROP TRIGGER "{name}"')
database.execute(sys.argv[3])
database.commit()
`;

/** Runs one statement on a table of a database. */
export async function editRecord(database, table, statement) {
  await run('python3', ['-c', EDIT, database, table, statement]);
}
