-- Who tailscale said was asking to be paired: a hint for the operator.

ALTER TABLE pairing ADD COLUMN login TEXT;
