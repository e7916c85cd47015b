-- The id that a device's new key gave it, when it took one; else nothing.

ALTER TABLE device ADD COLUMN replaced_by TEXT;
