-- Rows in the tables that came with this schema.

INSERT INTO origins (message, person, number, language) VALUES
    ('first-m3', 7, 70, 'de');

INSERT INTO questions (id, approval, digest, person, language, number, closed) VALUES
    ('first-question', 'first-ask-in-chat', 'first-digest', 7, 'de', 71, 1);

INSERT INTO handled (channel, number) VALUES
    ('chat', 7);
