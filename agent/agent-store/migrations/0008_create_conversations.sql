-- Conversations of chats, one after another; who wrote what there; what was sent and is still written on.

-- `chats` and its rows stay for the release before.
CREATE TABLE conversations (
    session TEXT    NOT NULL PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    channel TEXT    NOT NULL,
    chat    INTEGER NOT NULL,
    -- Of a chat with topics; 0: none.
    topic   INTEGER NOT NULL DEFAULT 0,
    -- Goes into the ids of its messages, so that nobody who sees the session can take one in advance. It is the same in all
    -- conversations of a place: a message that comes again is known, whichever it belonged to.
    secret  TEXT    NOT NULL,
    -- When another began in its place.
    ended   INTEGER
) STRICT;

CREATE UNIQUE INDEX conversations_open ON conversations (channel, chat, topic) WHERE ended IS NULL;

INSERT INTO conversations (session, channel, chat, secret) SELECT session, channel, chat, secret FROM chats;

DROP TRIGGER answer_of_a_chat;
-- An answer and the duty to deliver it are one commit, whoever writes it.
CREATE TRIGGER answer_of_a_conversation AFTER INSERT ON messages
WHEN NEW.author = 'bot' AND EXISTS (SELECT 1 FROM conversations WHERE session = NEW.session)
BEGIN INSERT INTO deliveries (message) VALUES (NEW.id); END;

-- Who wrote a message of a chat.
CREATE TABLE origins (
    message  TEXT    NOT NULL PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    person   INTEGER NOT NULL,
    -- The chat's own number of the message.
    number   INTEGER NOT NULL,
    language TEXT    NOT NULL
) STRICT;

-- The message of a chat in which a running answer is written on.
CREATE TABLE drafts (
    turn   TEXT    NOT NULL PRIMARY KEY REFERENCES turns (id) ON DELETE CASCADE,
    number INTEGER NOT NULL
) STRICT;

-- Questions with buttons in a chat. The buttons carry the id.
CREATE TABLE questions (
    id       TEXT    NOT NULL PRIMARY KEY,
    approval TEXT    NOT NULL UNIQUE REFERENCES approvals (id) ON DELETE CASCADE,
    -- What was shown, and to whom.
    digest   TEXT    NOT NULL,
    person   INTEGER NOT NULL,
    language TEXT    NOT NULL,
    -- The chat's own number of the message with the buttons; until it is sent: none.
    number   INTEGER,
    -- The buttons are gone, or were never there.
    closed   INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX questions_open ON questions (approval) WHERE closed = 0;

-- Updates that were acted upon and are not confirmed yet: they may come again.
CREATE TABLE handled (
    channel  TEXT    NOT NULL,
    number   INTEGER NOT NULL,
    PRIMARY KEY (channel, number)
) STRICT, WITHOUT ROWID;
