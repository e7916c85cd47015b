-- What people are asked before a tool call runs, and the chain of what was done.

CREATE TABLE approvals (
    id         TEXT    NOT NULL PRIMARY KEY,
    turn       TEXT    NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    session    TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    bot        TEXT    NOT NULL,
    -- The call within its turn.
    call       TEXT    NOT NULL,
    tool       TEXT    NOT NULL,
    -- The exact arguments as JSON text, and why it is asked.
    arguments  TEXT    NOT NULL,
    why        TEXT    NOT NULL,
    -- SHA-256 over session, turn, call, tool and arguments, lower-case hex.
    digest     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('pending', 'allowed', 'denied', 'expired', 'cancelled')),
    -- Who answered, or why nobody was asked any more.
    decided_by TEXT,
    decided_at INTEGER,
    UNIQUE (turn, call)
) STRICT;

CREATE INDEX approvals_pending ON approvals (expires_at) WHERE state = 'pending';
CREATE INDEX approvals_by_session ON approvals (session);

-- Append-only: platform_types::audit.
CREATE TABLE audit (
    n     INTEGER NOT NULL PRIMARY KEY,
    at    INTEGER NOT NULL,
    kind  TEXT    NOT NULL,
    actor TEXT    NOT NULL,
    data  TEXT    NOT NULL,
    hash  TEXT    NOT NULL
) STRICT;
