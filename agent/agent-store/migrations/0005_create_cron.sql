-- Jobs by the clock, and what became of their runs.

CREATE TABLE cron_jobs (
    bot       TEXT    NOT NULL,
    job       TEXT    NOT NULL,
    -- Due times up to here are dealt with, by this timetable.
    seen      INTEGER NOT NULL,
    timetable TEXT    NOT NULL,
    session   TEXT    REFERENCES sessions (id) ON DELETE SET NULL,
    paused_at INTEGER,
    paused_by TEXT,
    PRIMARY KEY (bot, job)
) STRICT, WITHOUT ROWID;

CREATE TABLE cron_runs (
    n               INTEGER NOT NULL PRIMARY KEY,
    id              TEXT    NOT NULL UNIQUE,
    bot             TEXT    NOT NULL,
    job             TEXT    NOT NULL,
    due             INTEGER NOT NULL,
    -- Due times that this stands for.
    ticks           INTEGER NOT NULL,
    cause           TEXT    NOT NULL,
    asked_by        TEXT,
    -- Absent where nothing was fired.
    fired_at        INTEGER,
    attempts        INTEGER NOT NULL DEFAULT 0,
    -- Set between two attempts.
    retry_at        INTEGER,
    -- The message of the latest attempt; its turn is the one that answers it.
    message         TEXT,
    turn            TEXT,
    finished_at     INTEGER,
    outcome         TEXT,
    detail          TEXT,
    delivery        TEXT,
    delivered_at    INTEGER,
    delivery_detail TEXT,
    FOREIGN KEY (bot, job) REFERENCES cron_jobs (bot, job) ON DELETE CASCADE
) STRICT;

CREATE INDEX cron_runs_by_job ON cron_runs (bot, job, n);
CREATE INDEX cron_runs_by_message ON cron_runs (message) WHERE message IS NOT NULL;
CREATE INDEX cron_runs_open ON cron_runs (n) WHERE finished_at IS NULL;
CREATE INDEX cron_runs_undelivered ON cron_runs (n) WHERE delivery = 'pending';
