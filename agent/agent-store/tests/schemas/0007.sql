-- Rows in the tables that came with this schema.

INSERT INTO summaries (session, through, below, at, text) VALUES
    ('first-page', 1, 2, 4, 'what was decided');
