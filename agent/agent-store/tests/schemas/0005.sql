-- Rows in the tables that came with this schema.

INSERT INTO cron_jobs (bot, job, seen, timetable, session, paused_at, paused_by) VALUES
    ('assistant', 'first', 5, '0 20 * * * UTC', 'first-job', NULL, NULL);

INSERT INTO cron_runs (n, id, bot, job, due, ticks, cause, asked_by, fired_at, attempts, retry_at, message, turn, finished_at, outcome, detail, delivery, delivered_at, delivery_detail) VALUES
    (1, 'first-run', 'assistant', 'first', 5, 1, 'schedule', NULL, 5, 1, NULL, 'first-m4', 'first-t4', 6, 'completed', NULL, 'delivered', 6, NULL);
