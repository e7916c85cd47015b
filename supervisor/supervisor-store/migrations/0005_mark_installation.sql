-- What tells a ledger from an older copy of itself. `registry` counts every change of who may come in; the file beside
-- the ledger remembers the highest count.

ALTER TABLE installation ADD COLUMN registry INTEGER NOT NULL DEFAULT 0;
-- When this ledger was put together again from a copy or from less; NULL when it never was.
ALTER TABLE installation ADD COLUMN restored_at INTEGER;

CREATE TRIGGER device_added AFTER INSERT ON device
BEGIN UPDATE installation SET registry = registry + 1; END;

CREATE TRIGGER device_changed AFTER UPDATE OF scopes, revoked_at ON device
BEGIN UPDATE installation SET registry = registry + 1; END;

CREATE TRIGGER link_added AFTER INSERT ON setup_link
BEGIN UPDATE installation SET registry = registry + 1; END;

CREATE TRIGGER link_changed AFTER UPDATE ON setup_link
BEGIN UPDATE installation SET registry = registry + 1; END;

CREATE TRIGGER token_added AFTER INSERT ON token
BEGIN UPDATE installation SET registry = registry + 1; END;

CREATE TRIGGER token_changed AFTER UPDATE OF revoked_at ON token
BEGIN UPDATE installation SET registry = registry + 1; END;
