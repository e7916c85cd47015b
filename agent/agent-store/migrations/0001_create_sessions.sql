-- Conversations: sessions, their messages, and the turns that answer them.

CREATE TABLE sessions (
    id          TEXT    NOT NULL PRIMARY KEY,
    bot         TEXT    NOT NULL,
    title       TEXT    NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    -- The highest seq in use: messages are numbered from 1 without gaps.
    messages    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE messages (
    id          TEXT    NOT NULL PRIMARY KEY,
    session     TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    seq         INTEGER NOT NULL,
    author      TEXT    NOT NULL CHECK (author IN ('person', 'bot')),
    at          INTEGER NOT NULL,
    text        TEXT    NOT NULL,
    -- A bot's message: the seq of the message that it answers.
    reply_to    INTEGER,
    -- A bot's message: tool cards, and what later turns send to the model as this answer; JSON.
    tools       TEXT,
    exchange    TEXT,
    note_code   TEXT,
    note_detail TEXT,
    UNIQUE (session, seq)
) STRICT;

CREATE INDEX messages_by_reply ON messages (session, reply_to) WHERE reply_to IS NOT NULL;

CREATE TABLE turns (
    id            TEXT    NOT NULL PRIMARY KEY,
    session       TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- The seq of the message that it answers.
    message       INTEGER NOT NULL,
    state         TEXT    NOT NULL
        CHECK (state IN ('queued', 'running', 'completed', 'stopped', 'failed', 'interrupted')),
    created_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    -- What was said so far, while it runs.
    partial_text  TEXT,
    partial_tools TEXT,
    input_tokens  INTEGER,
    output_tokens INTEGER,
    model_calls   INTEGER NOT NULL DEFAULT 0,
    tool_calls    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX turns_by_session ON turns (session);
CREATE INDEX turns_open ON turns (created_at) WHERE state IN ('queued', 'running');

CREATE TABLE turn_events (
    turn  TEXT    NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    n     INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    event TEXT    NOT NULL,
    PRIMARY KEY (turn, n)
) STRICT, WITHOUT ROWID;

-- One row that a readiness check rewrites, to know that the database takes writes.
CREATE TABLE probe (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL
) STRICT;
INSERT INTO probe (id, at) VALUES (1, 0);
