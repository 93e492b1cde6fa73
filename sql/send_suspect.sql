--
-- Suspected duplicates of effects outside: which keys speak against another
-- one, and a key that is reserved again.
--
SET client_min_messages = warning;
SELECT idem.create_scope('sent hold', 'outside', '{payee,amount}', quiet => '0', duplicate_fields => '{payee,amount}', duplicate_window => '1 day', on_duplicate => 'hold');
CREATE FUNCTION pg_temp.ask(k text, confirmed text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', outcome, token, attempt, CASE WHEN settled THEN 'SETTLED' END) FROM idem.reserve('sent hold', k, '{"payee":"p1","amount":5}', confirmed => confirmed)
$$;
CREATE VIEW pg_temp.suspects AS SELECT key, state, other FROM idem.suspects WHERE scope = 'sent hold' ORDER BY key;

-- Whatever may still be paid speaks against another key: reserved, dispatched, unknown.
SELECT pg_temp.ask('a');
SELECT outcome, state, token, detail FROM idem.reserve('sent hold', 'b', '{"payee":"p1","amount":"5.00"}', nonce => 'n');
CALL idem.dispatch('sent hold', 'a', 1) \gset
SELECT pg_temp.ask('b');
SELECT outcome FROM idem.complete('sent hold', 'a', 1, 'unknown');
SELECT pg_temp.ask('b');
SELECT * FROM pg_temp.suspects;
-- What never arrived does not: the other may go. Nor does what was declined.
SELECT outcome FROM idem.resolve('sent hold', 'a', 'released', '{"inquiry":"no such transaction"}');
SELECT * FROM pg_temp.suspects;
SELECT pg_temp.ask('b');
-- But then the first one is not tried again beside it.
SELECT outcome, state, token, attempt, detail FROM idem.reserve('sent hold', 'a', '{"payee":"p1","amount":5}');
SELECT outcome, state FROM idem.lookup('sent hold', 'a');
SELECT * FROM pg_temp.suspects;
CALL idem.dispatch('sent hold', 'b', 1) \gset
SELECT outcome FROM idem.complete('sent hold', 'b', 1, 'failed', '{"code":"declined"}');
SELECT pg_temp.ask('b');
SELECT * FROM pg_temp.suspects;
SELECT pg_temp.ask('a');
SELECT pg_temp.ask('c');
-- What succeeded does, and what was adopted; what is fenced does not.
CALL idem.dispatch('sent hold', 'a', 2) \gset
SELECT outcome FROM idem.complete('sent hold', 'a', 2, 'succeeded', '{}');
SELECT pg_temp.ask('c');
SELECT outcome FROM idem.fence('sent hold', 'c', 'the customer pressed twice');
SELECT pg_temp.ask('c');
-- Confirmed: a new key, and one that is released.
SELECT pg_temp.ask('d', 'two of them');
SELECT outcome FROM idem.release('sent hold', 'd', 1);
SELECT pg_temp.ask('d');
SELECT pg_temp.ask('e');
SELECT idem.confirm_suspects(ARRAY(SELECT id FROM idem.suspects WHERE scope = 'sent hold'), 'three of them');
SELECT pg_temp.ask('e');
SELECT outcome FROM idem.release('sent hold', 'e', 1);
SELECT pg_temp.ask('e', 'still');
-- Released again, it is as confirmed as it was, but not against what is ordered meanwhile.
SELECT outcome FROM idem.release('sent hold', 'e', 2);
SELECT pg_temp.ask('e');
SELECT outcome FROM idem.release('sent hold', 'e', 3);
SELECT pg_temp.ask('n', 'ordered anew');
SELECT * FROM pg_temp.suspects;
SELECT pg_temp.ask('e');
SELECT idem.confirm_suspects(ARRAY(SELECT id FROM idem.suspects WHERE scope = 'sent hold'), 'both of them');
SELECT * FROM pg_temp.suspects;
SELECT pg_temp.ask('e');
SELECT e.key, e.n, e.action, e.outcome, e.reason FROM idem.evidence e JOIN idem.scope s ON s.id = e.scope WHERE s.name = 'sent hold' ORDER BY 1, 2;
-- A reservation whose lease is over is taken over as ever: it spoke against others all the time.
UPDATE idem.reservation r SET lease_until = now() - interval '1 min' FROM idem.scope s WHERE r.scope = s.id AND s.name = 'sent hold' AND key = 'd';
SELECT pg_temp.ask('d');
-- Where they are reported it is granted, released or not, and listed.
SELECT idem.alter_scope('sent hold', on_duplicate => 'report', force => 'test');
SELECT pg_temp.ask('f');
SELECT outcome FROM idem.release('sent hold', 'f', 1);
SELECT * FROM pg_temp.suspects;
SELECT pg_temp.ask('f');
SELECT * FROM pg_temp.suspects;
-- A key from before requests were compared is not compared when it is tried again.
SELECT idem.create_scope('sent before', 'outside', '{}');
SELECT outcome FROM idem.reserve('sent before', 'a');
SELECT outcome FROM idem.release('sent before', 'a', 1);
SELECT idem.alter_scope('sent before', duplicate_fields => '{amount}', duplicate_window => '1 h', on_duplicate => 'hold');
SELECT outcome FROM idem.reserve('sent before', 'a', '{"amount":1}');
SELECT outcome FROM idem.reserve('sent before', 'b', '{"amount":1}');
-- The pause comes after, and the standbys before.
SELECT FROM idem.pause('scope', 'sent before', reason => 'test');
SELECT outcome FROM idem.reserve('sent before', 'c', '{"amount":1}');
SELECT outcome FROM idem.release('sent before', 'b', 1);
SELECT outcome FROM idem.reserve('sent before', 'b', '{"amount":1}');
SELECT FROM idem.resume('scope', 'sent before', reason => 'test');
SELECT outcome FROM idem.reserve('sent before', 'b', '{"amount":1}');

-- Rows that were there before idem speak against new keys, if they are not too old.
CREATE TABLE sent_debit (key text PRIMARY KEY, amount int NOT NULL, at timestamptz NOT NULL);
INSERT INTO sent_debit VALUES ('old', 88, now() - interval '25 h'), ('new', 89, now() - interval '23 h');
SELECT idem.create_scope('sent adopted', 'inside', '{amount}', duplicate_fields => '{amount}', duplicate_window => '1 day', on_duplicate => 'hold');
CALL idem.adopt_keys('sent adopted', 'sent_debit', '{key}', '{"amount":"amount"}', since => 'at');
SELECT s.key FROM idem.sighting s JOIN idem.scope c ON c.id = s.scope WHERE c.name = 'sent adopted';
SELECT outcome FROM idem.claim('sent adopted', 'a', '{"amount":88}');
SELECT outcome FROM idem.claim('sent adopted', 'b', '{"amount":89}');

UPDATE idem.reservation r SET state = 'f', due_at = NULL, finished_at = now() FROM idem.scope s WHERE r.scope = s.id AND s.name LIKE 'sent %';
SELECT idem.drop_scope(name, 'test') FROM idem.scope WHERE name LIKE 'sent %' ORDER BY name;
DELETE FROM idem.evidence e WHERE NOT EXISTS (SELECT FROM idem.scope c WHERE c.id = e.scope) AND key IN ('a', 'b', 'c', 'd', 'e');
DROP TABLE sent_debit;
