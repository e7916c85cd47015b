-- What there is once per installation.

CREATE TABLE installation (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    -- 16 random bytes in lower-case hex: the value of the containers' label. Not a secret.
    id TEXT NOT NULL
) STRICT;

INSERT INTO installation (one, id) VALUES (1, lower(hex(randomblob(16))));

-- What the planner remembers between passes (uids, generations, leases, failures), replaced as a whole.
CREATE TABLE planner (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    document TEXT NOT NULL
) STRICT;

-- The random text in the file `.canary` of a mount, by the mount's name on the host.
CREATE TABLE canary (
    mount TEXT PRIMARY KEY,
    text TEXT NOT NULL
) STRICT;
