-- Events ever recorded, by kind and subject: the log forgets, counters must not.

CREATE TABLE event_count (
    kind TEXT NOT NULL,
    -- Empty for the installation.
    subject TEXT NOT NULL,
    count INTEGER NOT NULL CHECK (count > 0),
    PRIMARY KEY (kind, subject)
) STRICT;

INSERT INTO event_count (kind, subject, count)
SELECT kind, coalesce(subject, ''), count(*) FROM event GROUP BY kind, coalesce(subject, '');
