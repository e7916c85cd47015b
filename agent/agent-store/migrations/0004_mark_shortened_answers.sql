-- Answers for which older messages, or long results of tools, were left out, because the conversation did not fit.

ALTER TABLE messages ADD COLUMN shortened INTEGER NOT NULL DEFAULT 0;
