-- Chats of channels, and answers that are on their way to them.

CREATE TABLE chats (
    session TEXT    NOT NULL PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    channel TEXT    NOT NULL,
    chat    INTEGER NOT NULL,
    -- Goes into the ids of its messages, so that nobody who sees the session can take one in advance.
    secret  TEXT    NOT NULL,
    UNIQUE (channel, chat)
) STRICT;

CREATE TABLE deliveries (
    message TEXT    NOT NULL PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    -- Parts whose sending was begun: a part is not sent twice.
    begun   INTEGER NOT NULL DEFAULT 0
) STRICT;

-- An answer and the duty to deliver it are one commit, whoever writes it.
CREATE TRIGGER answer_of_a_chat AFTER INSERT ON messages
WHEN NEW.author = 'bot' AND EXISTS (SELECT 1 FROM chats WHERE session = NEW.session)
BEGIN INSERT INTO deliveries (message) VALUES (NEW.id); END;
