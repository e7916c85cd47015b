-- Rows in the tables that came with this schema.

INSERT INTO sessions (id, bot, title, created_at, updated_at, messages) VALUES
    ('first-page', 'assistant', 'Hello', 1, 4, 4),
    ('first-chat', 'assistant', 'Servus', 1, 4, 2),
    ('first-job', 'assistant', 'first', 5, 4, 2);

INSERT INTO messages (id, session, seq, author, at, text, reply_to, tools, exchange, note_code, note_detail) VALUES
    ('first-m1', 'first-page', 1, 'person', 2, 'Hello', NULL, NULL, NULL, NULL, NULL),
    ('first-t1', 'first-page', 2, 'bot', 4, 'Hi', 1, '[{"id":"call00001","name":"clock.now","arguments":"{}","state":"done","result":null,"asking":null}]', '[{"role":"assistant","text":"Hi"}]', 'length', 'cut'),
    ('first-m2', 'first-page', 3, 'person', 2, 'And?', NULL, NULL, NULL, NULL, NULL),
    ('first-t2', 'first-page', 4, 'bot', 4, 'Hi', 3, '[{"id":"call00001","name":"clock.now","arguments":"{}","state":"done","result":null,"asking":null}]', '[{"role":"assistant","text":"Hi"}]', 'length', 'cut'),
    ('first-m3', 'first-chat', 1, 'person', 2, 'Servus', NULL, NULL, NULL, NULL, NULL),
    ('first-t3', 'first-chat', 2, 'bot', 4, 'Hi', 1, '[{"id":"call00001","name":"clock.now","arguments":"{}","state":"done","result":null,"asking":null}]', '[{"role":"assistant","text":"Hi"}]', 'length', 'cut'),
    ('first-m4', 'first-job', 1, 'person', 2, 'Write.', NULL, NULL, NULL, NULL, NULL),
    ('first-t4', 'first-job', 2, 'bot', 4, 'Hi', 1, '[{"id":"call00001","name":"clock.now","arguments":"{}","state":"done","result":null,"asking":null}]', '[{"role":"assistant","text":"Hi"}]', 'length', 'cut');

INSERT INTO turns (id, session, message, state, created_at, ended_at, partial_text, partial_tools, input_tokens, output_tokens, model_calls, tool_calls) VALUES
    ('first-t1', 'first-page', 1, 'completed', 2, 4, NULL, NULL, 5, 6, 1, 1),
    ('first-t2', 'first-page', 3, 'completed', 2, 4, NULL, NULL, 5, 6, 1, 1),
    ('first-t3', 'first-chat', 1, 'completed', 2, 4, NULL, NULL, 5, 6, 1, 1),
    ('first-t4', 'first-job', 1, 'completed', 2, 4, NULL, NULL, 5, 6, 1, 1);

INSERT INTO turn_events (turn, n, at, event) VALUES
    ('first-t1', 1, 3, '{"kind":"model_called","call":1,"messages":1,"left_out":0}'),
    ('first-t1', 2, 3, '{"kind":"finished","outcome":"completed"}'),
    ('first-t2', 1, 3, '{"kind":"finished","outcome":"completed"}'),
    ('first-t3', 1, 3, '{"kind":"finished","outcome":"completed"}'),
    ('first-t4', 1, 3, '{"kind":"finished","outcome":"completed"}');
