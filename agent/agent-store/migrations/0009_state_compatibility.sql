-- The oldest schema whose release reads and writes this database as it is. A later migration that only adds leaves it; one
-- that takes away, renames or means something else sets it to its own number.

CREATE TABLE compatibility (
    id          INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    readable_by INTEGER NOT NULL
) STRICT;
INSERT INTO compatibility (id, readable_by) VALUES (1, 9);
