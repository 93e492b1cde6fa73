-- Which attempt a word is about, and what is due while another one is out.
-- A provider knows each attempt by a serial number of its own: a notice that
-- names an earlier one must not finish the last. (C 72, C 75)

\set SHOW_CONTEXT never
SELECT idem.create_scope('attempt', 'outside', '{amount}', lease => '1 us', quiet => '0', ladder => '{1 us,1 us}');

CREATE FUNCTION attempt_first(k text) RETURNS bigint LANGUAGE sql
	AS $$ SELECT token FROM idem.reserve('attempt', k, '{"amount": 88}') $$;
CREATE VIEW attempt_now AS
	SELECT r.key, o.state, r.attempt, o.why, (SELECT string_agg(l.outcome, ',') FROM idem.late_result l
		WHERE l.scope = r.scope AND l.key = r.key) AS late
	FROM idem.reservation r LEFT JOIN idem.open_claims o ON o.scope = 'attempt' AND o.key = r.key
	WHERE r.scope = (SELECT id FROM idem.scope WHERE name = 'attempt');

-- The first attempt did not arrive, says the bank; the second one is out.
SELECT attempt_first('k');
CALL idem.dispatch('attempt', 'k', 1) \gset
SELECT outcome FROM idem.resolve('attempt', 'k', 'released', '{"asked": "k-1"}', attempt => 1);
SELECT token, attempt FROM idem.reserve('attempt', 'k', '{"amount": 88}');
CALL idem.dispatch('attempt', 'k', 2) \gset
\echo :outcome :granted :attempt

-- "k-1 failed": so it was known, nothing changes.
SELECT outcome, settled, state FROM idem.resolve('attempt', 'k', 'failed', '{"notice": "k-1"}', attempt => 1);
SELECT outcome, settled, state FROM idem.resolve('attempt', 'k', 'released', '{"notice": "k-1"}', attempt => 1);
-- an overtaken token that knows nothing calls nobody
SELECT outcome, settled, state FROM idem.complete('attempt', 'k', 1, 'unknown');
SELECT * FROM attempt_now;
-- "k-1 succeeded", after all: not a word about the second attempt, which goes on being inquired about.
SELECT outcome, settled, state FROM idem.resolve('attempt', 'k', 'succeeded', '{"notice": "k-1"}', attempt => 1);
SELECT * FROM attempt_now;
SELECT key, token, attempt, state, why FROM idem.due('attempt');
SELECT outcome, state FROM idem.resolve('attempt', 'k', 'succeeded', '{"notice": "k-2"}', attempt => 2);
-- Paid twice, by a bank that broke its word: that lies before a person now.
SELECT key, token, attempt, state, why FROM idem.due('attempt');
SELECT outcome, state FROM idem.resolve('attempt', 'k', 'succeeded', '{"seen by": "ann"}', force => 'k-2 is being called back');
SELECT * FROM attempt_now;

-- No such attempt.
SELECT idem.resolve('attempt', 'k', 'succeeded', '{"notice": "k-3"}', attempt => 3);
\echo :LAST_ERROR_SQLSTATE
SELECT idem.resolve('attempt', 'k', 'succeeded', '{"notice": "k-0"}', attempt => 0);

-- At the end of the ladder a person has to look, and what was heard late is said first.
SELECT attempt_first('m');
CALL idem.dispatch('attempt', 'm', 1) \gset
SELECT outcome FROM idem.resolve('attempt', 'm', 'released', '{"asked": "m-1"}');
SELECT token FROM idem.reserve('attempt', 'm', '{"amount": 88}');
CALL idem.dispatch('attempt', 'm', 2) \gset
SELECT outcome FROM idem.complete('attempt', 'm', 1, 'failed', '{"no": 1}');
SELECT pg_sleep(0.01), why FROM idem.due('attempt');
SELECT pg_sleep(0.01), why FROM idem.due('attempt');
SELECT pg_sleep(0.01), why FROM idem.due('attempt');
SELECT key, why FROM attempt_now WHERE key = 'm';

-- Somebody sent without leave: that is no error, which would forget it, and
-- nobody sends before a person has looked.
SELECT attempt_first('w');
SELECT outcome, granted, settled, state FROM idem.complete('attempt', 'w', 1, 'succeeded', '{"ref": 17}');
SELECT outcome, granted, settled, token FROM idem.reserve('attempt', 'w', '{"amount": 88}');
CALL idem.dispatch('attempt', 'w', 1) \gset
\echo :outcome :granted :settled
SELECT * FROM attempt_now WHERE key = 'w';
SELECT outcome, state, response FROM idem.resolve('attempt', 'w', 'succeeded', '{"book": "w"}', '{"ref": 17}', force => 'it is in the bank''s book');
SELECT * FROM attempt_now WHERE key = 'w';

-- A word that nothing arrived leaves a reservation as it is.
SELECT attempt_first('r');
CALL idem.dispatch('attempt', 'r', 1) \gset
SELECT outcome FROM idem.resolve('attempt', 'r', 'released', '{"asked": "r-1"}');
SELECT outcome, token FROM idem.reserve('attempt', 'r', '{"amount": 88}');
SELECT outcome, granted, state FROM idem.resolve('attempt', 'r', 'released', '{"asked": "r-1"}');

-- A caller without a token passes on none; it sends, gives back and holds nothing.
CALL idem.dispatch('attempt', 'r', NULL) \gset
\echo :outcome :granted :settled :detail
SELECT outcome, granted, settled FROM idem.release('attempt', 'r', NULL);
SELECT outcome, granted, settled FROM idem.heartbeat('attempt', 'r', NULL);
CALL idem.dispatch('attempt', 'k', NULL) \gset
\echo :outcome :granted :settled
CALL idem.dispatch('attempt', 'unseen', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT idem.complete('attempt', 'r', NULL, 'failed', '{}');
\echo :LAST_ERROR_SQLSTATE

DELETE FROM idem.late_result l USING idem.scope s WHERE l.scope = s.id AND s.name = 'attempt';
DELETE FROM idem.evidence e USING idem.scope s WHERE e.scope = s.id AND s.name = 'attempt';
DELETE FROM idem.reservation r USING idem.scope s WHERE r.scope = s.id AND s.name = 'attempt';
DELETE FROM idem.attempt r USING idem.scope s WHERE r.scope = s.id AND s.name = 'attempt';
DELETE FROM idem.scope WHERE name = 'attempt';
DROP VIEW attempt_now;
DROP FUNCTION attempt_first;
