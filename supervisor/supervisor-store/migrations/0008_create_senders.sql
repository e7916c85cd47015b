-- Who may write to a bot through a channel. Times are milliseconds since 1970-01-01 UTC.

CREATE TABLE sender (
    profile TEXT NOT NULL,
    channel TEXT NOT NULL,
    id INTEGER NOT NULL,
    -- What the sender called himself; empty when nobody knows.
    name TEXT NOT NULL,
    -- Revoked: the ledger was put together again since.
    state TEXT NOT NULL CHECK (state IN ('approved', 'blocked', 'revoked')),
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (profile, channel, id)
) STRICT;

-- Who has a code and is not decided: one a sender.
CREATE TABLE sender_request (
    profile TEXT NOT NULL,
    channel TEXT NOT NULL,
    sender INTEGER NOT NULL,
    -- Minted by the gate.
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    code_sha256 TEXT NOT NULL CHECK (length(code_sha256) = 64),
    asked_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (profile, channel, sender)
) STRICT;

-- Codes that were typed and are none, for a while.
CREATE TABLE wrong_code (
    profile TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER sender_added AFTER INSERT ON sender
BEGIN UPDATE installation SET registry = registry + 1; END;

CREATE TRIGGER sender_changed AFTER UPDATE OF state ON sender
BEGIN UPDATE installation SET registry = registry + 1; END;

CREATE TRIGGER sender_removed AFTER DELETE ON sender
BEGIN UPDATE installation SET registry = registry + 1; END;
