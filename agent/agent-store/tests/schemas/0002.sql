-- Rows in the tables that came with this schema.

INSERT INTO approvals (id, turn, session, bot, call, tool, arguments, why, digest, created_at, expires_at, state, decided_by, decided_at) VALUES
    ('first-ask', 'first-t1', 'first-page', 'assistant', 'call-ask', 'door.open', '{}', 'a rule', 'first-digest', 3, 10000, 'allowed', 'operator anna', 3),
    ('first-ask-in-chat', 'first-t3', 'first-chat', 'assistant', 'call-ask-in-chat', 'door.open', '{}', 'a rule', 'first-digest', 3, 10000, 'cancelled', 'the turn was over first', 4);

INSERT INTO audit (n, at, kind, actor, data, hash) VALUES
    (1, 2, 'turn.started', 'bot assistant', '{"turn":"first-t1"}', 'c24b63347728a91ed36fd76f001e60cc50912f1832ca47227d4a5e6143ad6bb9'),
    (2, 3, 'approval.asked', 'bot assistant', '{"approval":"first-ask","digest":"first-digest","tool":"door.open","turn":"first-t1","why":"a rule"}', '61895877b44ab3afda9e651fc7a12358139fc6ece6466149b5e981e5e536a10e'),
    (3, 3, 'approval.decided', 'operator anna', '{"approval":"first-ask","digest":"first-digest","state":"allowed","tool":"door.open","turn":"first-t1"}', '9a165ead525ac30a5fba6d9a01b0fcac564d11619ffe2ace5d89eee77f363bb0'),
    (4, 4, 'turn.ended', 'bot assistant', '{"outcome":"completed","turn":"first-t1"}', 'f9cb2f866621231d81e44cd920a6ca2c2302d84fa6876fa491b1711ae203a8c1'),
    (5, 2, 'turn.started', 'bot assistant', '{"turn":"first-t2"}', '53cc1ed587f5bd79fca36739f5d68f637a29651154ccba33af742bd62e019f11'),
    (6, 4, 'turn.ended', 'bot assistant', '{"outcome":"completed","turn":"first-t2"}', '3a70331153193c91f2d66cd7e4ae760fd75a4333b06ad411e552c15464533170'),
    (7, 4, 'session.summarised', 'agent', '{"session":"first-page","through":1}', 'b84db80d4fddcdf6ac19434edeef74024c138f3450ec07e4d9ad8c9df2f4b7fe'),
    (8, 2, 'turn.started', 'bot assistant', '{"turn":"first-t3"}', 'ce5d01c2580e0a83a26d68bb1ef3220308bc0fb2f97152c12dd60978bcf5bd21'),
    (9, 3, 'approval.asked', 'bot assistant', '{"approval":"first-ask-in-chat","digest":"first-digest","tool":"door.open","turn":"first-t3","why":"a rule"}', 'dceab29b96ee7a02594216cf448b66ae18007de176f98e779915c2494e56b0c1'),
    (10, 4, 'approval.cancelled', 'the turn was over first', '{"approval":"first-ask-in-chat","digest":"first-digest","state":"cancelled","tool":"door.open","turn":"first-t3"}', 'eac60747d35ecac6731c9ed72365acf7014521c07806c6f9890c2973d0bb13b3'),
    (11, 4, 'turn.ended', 'bot assistant', '{"outcome":"completed","turn":"first-t3"}', '540257ab07023691017e7601f661056696e481232f0a867ec528e3b2370f00d8'),
    (12, 5, 'cron.fired', 'clock', '{"cause":"schedule","due":5,"job":"assistant/first","run":"first-run","session":"first-job","ticks":1}', '131b5a9c417dae3f5cecb4e4876ecc5c889dbf929c19a5b6ae6628b2f9414578'),
    (13, 2, 'turn.started', 'bot assistant', '{"job":"assistant/first","turn":"first-t4"}', '5bfc817b42b030390aac8e1c82717276ae34514a713c035cf1623ff6a01b6c87'),
    (14, 4, 'turn.ended', 'bot assistant', '{"outcome":"completed","turn":"first-t4"}', '13d5cb8231075fd8795a394327567df5a751019b7f5b4b927d7993c996209fd5'),
    (15, 6, 'cron.finished', 'clock', '{"attempts":1,"job":"assistant/first","outcome":"completed","run":"first-run","turn":"first-t4"}', '179357906c44217efca3a244d01fdcd8feaad1212dd8f72c99e7e27fc804576d'),
    (16, 6, 'cron.delivered', 'clock', '{"channel":null,"job":"assistant/first","outcome":"delivered","run":"first-run"}', '6bb693459b8486edb5914fc936e98e3f998645781e76a3e792dd9f57434479e0');
