-- Summaries of the older part of long sessions. The newest stands for it in prompts; the messages stay.

CREATE TABLE summaries (
    session TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- The seq of the last message of a person that it stands for, and of the answer to that.
    through INTEGER NOT NULL,
    below   INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    text    TEXT    NOT NULL,
    PRIMARY KEY (session, through)
) STRICT, WITHOUT ROWID;
