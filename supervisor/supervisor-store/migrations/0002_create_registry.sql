-- Who may come through a gate. Times are milliseconds since 1970-01-01 UTC.

CREATE TABLE device (
    profile TEXT NOT NULL,
    id TEXT NOT NULL CHECK (length(id) = 64),
    public_key TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Words separated by blanks: chat approve admin.
    scopes TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    seen_at INTEGER,
    revoked_at INTEGER,
    PRIMARY KEY (profile, id)
) STRICT;

CREATE TABLE setup_link (
    code_sha256 TEXT PRIMARY KEY CHECK (length(code_sha256) = 64),
    profile TEXT NOT NULL,
    -- NULL: decided when it is redeemed.
    scopes TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    used_by TEXT,
    CHECK ((used_at IS NULL) = (used_by IS NULL))
) STRICT;

CREATE INDEX setup_link_by_profile ON setup_link (profile, expires_at);

CREATE TABLE pairing (
    profile TEXT NOT NULL,
    -- Minted by the gate.
    id TEXT NOT NULL,
    device TEXT NOT NULL CHECK (length(device) = 64),
    public_key TEXT NOT NULL,
    name TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'accepted', 'refused', 'superseded')),
    PRIMARY KEY (profile, id)
) STRICT;

CREATE TABLE token (
    profile TEXT NOT NULL,
    token_sha256 TEXT NOT NULL CHECK (length(token_sha256) = 64),
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at INTEGER,
    revoked_at INTEGER,
    PRIMARY KEY (profile, token_sha256)
) STRICT;

CREATE UNIQUE INDEX token_name_in_use ON token (profile, name) WHERE revoked_at IS NULL;
