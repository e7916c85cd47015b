-- Each index is a page more in each of a turn's two commits. Open turns are looked for at a start, the turns of a session when
-- it is deleted: both can read the table.

DROP INDEX turns_open;
DROP INDEX turns_by_session;
-- An answer comes after its message in the same session: both are read in one go.
DROP INDEX messages_by_reply;
