-- What is done to repositories by the clock: one row a profile and kind of work.

CREATE TABLE backup_job (
    profile TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('snapshot', 'prune', 'check')),
    -- When the latest try began.
    began_at INTEGER NOT NULL,
    -- When it ended; NULL while it runs.
    ended_at INTEGER,
    -- Tries in a row that failed, and that ended because the supervisor did.
    failures INTEGER NOT NULL,
    cuts INTEGER NOT NULL,
    -- Why the latest try came to nothing; NULL when it did not.
    error TEXT,
    -- When one succeeded last, and what it came to.
    done_at INTEGER,
    outcome TEXT,
    PRIMARY KEY (profile, kind)
) STRICT;
