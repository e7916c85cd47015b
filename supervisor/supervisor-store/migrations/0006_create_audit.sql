-- The supervisor's own chain of what was done, and the heads of other chains that are kept here.

CREATE TABLE audit_entry (
    n INTEGER PRIMARY KEY CHECK (n > 0),
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    -- A flat JSON object.
    data TEXT NOT NULL,
    hash TEXT NOT NULL CHECK (length(hash) = 64)
) STRICT;

CREATE TRIGGER audit_entry_is_not_changed BEFORE UPDATE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

CREATE TRIGGER audit_entry_is_not_removed BEFORE DELETE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

CREATE TABLE audit_anchor (
    profile TEXT NOT NULL,
    chain TEXT NOT NULL CHECK (chain IN ('agent', 'gate')),
    n INTEGER NOT NULL,
    hash TEXT NOT NULL CHECK (length(hash) = 64),
    at INTEGER NOT NULL,
    PRIMARY KEY (profile, chain, n, hash)
) STRICT;
