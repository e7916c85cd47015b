-- What happened: the event log (bounded by the program) and the snapshots that were taken.

CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    -- A container's role and profile, or a profile; NULL for the installation.
    subject TEXT,
    message TEXT NOT NULL
) STRICT;

CREATE TABLE snapshot (
    profile TEXT NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    added_bytes INTEGER,
    complete INTEGER NOT NULL CHECK (complete IN (0, 1)),
    PRIMARY KEY (profile, id)
) STRICT;

CREATE INDEX snapshot_by_time ON snapshot (profile, at);
