-- Rows in the tables that came with this schema.

INSERT INTO chats (session, channel, chat, secret) VALUES
    ('first-chat', 'chat', 7, 'first-secret');
