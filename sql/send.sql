--
-- Effects outside of the database: reserve, dispatch, complete; and dispatch
-- from PL/pgSQL (wound 28).
--
-- CALL idem.dispatch answers with an ordinary row, whose columns \gset takes.
SET client_min_messages = warning;
SELECT idem.create_scope('outside pay', 'outside', '{payee,amount}');
\set request '''{"payee": "p", "amount": 88.00}'''

-- The good case.  Nothing is granted before the dispatch has committed.
SELECT outcome, granted, settled, state, token, attempt, lease_until - first_seen AS lease
    FROM idem.reserve('outside pay', 'p1', :request);
CALL idem.dispatch('outside pay', 'p1', 1) \gset
\echo :outcome :granted :settled :state :attempt
SELECT outcome, granted, settled, state, token, response
    FROM idem.complete('outside pay', 'p1', 1, 'succeeded', '{"bank": 7}');
-- A repeat gets the first answer, verbatim, marked as a repeat. (C 31, C 50, C 51)
SELECT outcome, granted, settled, state, token, response, finished_at > first_seen AS finished
    FROM idem.reserve('outside pay', 'p1', '{"amount": "88.0", "payee": "p", "note": "not declared"}');
-- One that differs is told in what, and not told the answer. (C 30, C 35)
SELECT outcome, granted, settled, state, response, mismatch FROM idem.reserve('outside pay', 'p1', '{"payee": "q", "amount": 88}');

-- A second dispatch of the same token is never a second leave to send.
SELECT outcome FROM idem.reserve('outside pay', 'p2', :request);
CALL idem.dispatch('outside pay', 'p2', 1) \gset
\echo :outcome :granted
CALL idem.dispatch('outside pay', 'p2', 1, NULL) \gset
\echo :outcome :granted :settled
UPDATE idem.reservation SET lease_until = now() - interval '1 ms' WHERE key = 'p2';
CALL idem.dispatch('outside pay', 'p2', 1) \gset
\echo :outcome :granted :settled
-- Nor is the end of the lease: what may have been sent is not taken over. (C 15, C 16, C 17)
SELECT outcome, granted, settled, state, token FROM idem.reserve('outside pay', 'p2', :request);
-- "It threw an exception" is no answer of the bank. (C 48, C 49, C 74)
SELECT outcome, settled, state FROM idem.complete('outside pay', 'p2', 1, 'failed');
SELECT outcome, settled, state, retry_at > clock_timestamp() - interval '1 min' AS retry FROM idem.reserve('outside pay', 'p2', :request);
-- The bank's own late answer comes to its own worker.
SELECT outcome, settled, state, response FROM idem.complete('outside pay', 'p2', 1, 'failed', '{"code": "no funds"}');
SELECT outcome, settled, state, response FROM idem.reserve('outside pay', 'p2', :request);

-- dispatch commits by itself, so it cannot be part of anything. (C 63, C 71)
SELECT outcome FROM idem.reserve('outside pay', 'p3', :request);
BEGIN;
CALL idem.dispatch('outside pay', 'p3', 1);
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
SELECT 1 AS first \; CALL idem.dispatch('outside pay', 'p3', 1);
DO $$ BEGIN EXECUTE 'CALL idem.dispatch(''outside pay'', ''p3'', 1)'; END $$;
CREATE FUNCTION outside_call() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	answer idem.send_result;
BEGIN
	CALL idem.dispatch('outside pay', 'p3', 1, answer);
END $$;
SELECT outside_call();
\echo :LAST_ERROR_SQLSTATE
SELECT state FROM idem.lookup('outside pay', 'p3');
-- In a block that may commit it does, with everything before it.  For PL/pgSQL the answer is one
-- variable: its CALL takes no row apart. (wound 28)
CREATE PROCEDURE outside_commit() LANGUAGE plpgsql AS $$
DECLARE
	answer idem.send_result;
BEGIN
	CALL idem.dispatch('outside pay', 'p3', 1, answer);
	ROLLBACK;
	RAISE WARNING '% % %', answer.granted, answer.outcome, answer.state;
END $$;
CALL outside_commit();
SELECT state FROM idem.lookup('outside pay', 'p3');

-- A reservation may share a commit with business rows, and is gone with them.
BEGIN;
SELECT outcome FROM idem.reserve('outside pay', 'p4', :request);
SELECT outcome, granted, settled FROM idem.reserve('outside pay', 'p4', :request);
SELECT outcome, granted, settled, state FROM idem.lookup('outside pay', 'p4');
ROLLBACK;
SELECT outcome FROM idem.lookup('outside pay', 'p4');
BEGIN;
SAVEPOINT s;
SELECT outcome FROM idem.reserve('outside pay', 'p4', :request);
ROLLBACK TO s;
SELECT outcome, token FROM idem.reserve('outside pay', 'p4', :request);
COMMIT;

-- A caller that lost the answer gets its token again, with the nonce of its call. (C 13)
SELECT outcome, reentrant, token FROM idem.reserve('outside pay', 'p5', :request, nonce => 'worker 1, call 1');
SELECT outcome, reentrant, token FROM idem.reserve('outside pay', 'p5', :request, nonce => 'worker 1, call 1');
SELECT outcome, reentrant, token FROM idem.reserve('outside pay', 'p5', :request, nonce => 'worker 2, call 1');
SELECT outcome, reentrant, token FROM idem.reserve('outside pay', 'p5', :request);
-- also after its lease, if no other has come: it holds the key again,
UPDATE idem.reservation SET lease_until = now() - interval '1 ms' WHERE key = 'p5';
SELECT outcome, reentrant, token, lease_until > clock_timestamp() AS held
    FROM idem.reserve('outside pay', 'p5', :request, nonce => 'worker 1, call 1');
-- and may go on with what it dispatched, but not send it again.
CALL idem.dispatch('outside pay', 'p5', 1) \gset
SELECT outcome, granted, reentrant, token FROM idem.reserve('outside pay', 'p5', :request, nonce => 'worker 1, call 1');
SELECT outcome, granted, reentrant, token FROM idem.reserve('outside pay', 'p5', '{"payee": "p", "amount": 1}', nonce => 'worker 1, call 1');

-- An expired reservation is taken over, under a new token. (C 8, C 15, C 20, C 23)
SELECT outcome, token FROM idem.reserve('outside pay', 'p6', :request, nonce => 'a', lease => '1 ms');
SELECT pg_sleep(0.01);
SELECT outcome, settled, detail FROM idem.lookup('outside pay', 'p6');
SELECT outcome, mismatch FROM idem.reserve('outside pay', 'p6', '{"payee": "p", "amount": 1}', nonce => 'b');
SELECT outcome, reentrant, token, attempt FROM idem.reserve('outside pay', 'p6', :request, nonce => 'b');
-- The former holder cannot send, keep or release it, (C 22, C 28, C 29)
CALL idem.dispatch('outside pay', 'p6', 1) \gset
\echo :outcome :granted :detail
SELECT outcome, token, detail FROM idem.heartbeat('outside pay', 'p6', 1);
SELECT outcome, state, detail FROM idem.release('outside pay', 'p6', 1);
SELECT outcome, reentrant, token FROM idem.reserve('outside pay', 'p6', :request, nonce => 'a');
-- and the first request is the one that is kept.
SELECT request FROM idem.open_claims WHERE key = 'p6';
-- As long as nobody came, the newest token may go on, whatever its lease says.
UPDATE idem.reservation SET lease_until = now() - interval '1 h' WHERE key = 'p6';
SELECT outcome, state, lease_until > clock_timestamp() AS held FROM idem.heartbeat('outside pay', 'p6', 2);
UPDATE idem.reservation SET lease_until = now() - interval '1 h' WHERE key = 'p6';
CALL idem.dispatch('outside pay', 'p6', 2) \gset
\echo :outcome :granted
SELECT outcome, state, lease_until - clock_timestamp() > interval '9 min' AS held FROM idem.heartbeat('outside pay', 'p6', 2, '10 min');

-- Released: the next attempt, under the next token.
SELECT outcome, token, attempt FROM idem.reserve('outside pay', 'p7', :request);
SELECT outcome, settled, state FROM idem.release('outside pay', 'p7', 1);
SELECT outcome, settled, state FROM idem.release('outside pay', 'p7', 1);
SELECT outcome, token, attempt FROM idem.reserve('outside pay', 'p7', :request);
SELECT outcome FROM idem.release('outside pay', 'p7', 1);
SELECT state FROM idem.lookup('outside pay', 'p7');
-- What was dispatched is not released by its worker.
CALL idem.dispatch('outside pay', 'p7', 2) \gset
SELECT outcome FROM idem.release('outside pay', 'p7', 2);
\echo :LAST_ERROR_SQLSTATE
-- Failed before anything was sent: final. (C 52)
SELECT outcome FROM idem.reserve('outside pay', 'p8', :request);
SELECT outcome, settled, state FROM idem.complete('outside pay', 'p8', 1, 'failed', '{"why": "account closed"}');
CALL idem.dispatch('outside pay', 'p8', 1) \gset
\echo :outcome :granted :settled :response

-- Misuse raises.
CALL idem.dispatch('outside pay', 'p1', 2);
\echo :LAST_ERROR_SQLSTATE
CALL idem.dispatch('outside pay', 'p1', 0);
-- who was given no token passes on none, and is told how it is
CALL idem.dispatch('outside pay', 'p1', NULL) \gset
\echo :outcome :granted :settled
CALL idem.dispatch('outside pay', 'never', 1);
\echo :LAST_ERROR_SQLSTATE
SELECT idem.heartbeat('outside pay', 'never', 1);
SELECT idem.release('outside pay', 'never', 1);
SELECT idem.complete('outside pay', 'never', 1, 'failed');
SELECT idem.complete('outside pay', 'p1', 9, 'failed');
SELECT idem.complete('outside pay', 'p4', 1, 'unknown');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.complete('outside pay', 'p4', 1, 'done');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.complete('outside pay', 'p4', 1, NULL);
SELECT idem.complete('outside pay', 'p4', NULL, 'failed');
SELECT idem.reserve('outside pay', 'p9', '{"payee": "p"}');
SELECT idem.reserve('outside pay', 'p9');
SELECT idem.reserve('outside pay', ' p9', :request);
SELECT idem.reserve('outside pay', NULL, :request);
SELECT idem.reserve(NULL, 'p9', :request);
SELECT idem.reserve('outside nothing', 'p9', :request);
SELECT idem.reserve('outside pay', 'p9', :request, nonce => '');
SELECT idem.reserve('outside pay', 'p9', :request, nonce => repeat('n', 256));
-- A lease of nothing is not "no lease". (C 18)
SELECT idem.reserve('outside pay', 'p9', :request, lease => '0');
SELECT idem.reserve('outside pay', 'p9', :request, lease => '-1 s');
SELECT idem.reserve('outside pay', 'p9', :request, lease => '1 month');
SELECT idem.reserve('outside pay', 'p9', :request, lease => '36501 days');
SELECT outcome FROM idem.lookup('outside pay', 'p9');
BEGIN READ ONLY;
SELECT idem.reserve('outside pay', 'p9', :request);
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

-- A scope is for effects of one kind.
SELECT idem.create_scope('outside not', 'inside', '{}');
SELECT idem.reserve('outside not', 'p1');
\echo :LAST_ERROR_SQLSTATE
CALL idem.dispatch('outside not', 'p1', 1);
SELECT idem.complete('outside not', 'p1', 1, 'failed');
SELECT idem.resolve('outside not', 'p1', 'failed', '{"by": "me"}');
SELECT * FROM idem.due('outside not');
SELECT idem.claim('outside pay', 'p1');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.complete('outside pay', 'p1', '{}');

-- What a scope says of time.
SELECT idem.create_scope('outside x', 'outside', '{}', lease => '0');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.create_scope('outside x', 'outside', '{}', lease => NULL);
SELECT idem.create_scope('outside x', 'outside', '{}', lease => '1 year');
SELECT idem.create_scope('outside x', 'outside', '{}', quiet => '-1 s');
SELECT idem.create_scope('outside x', 'outside', '{}', quiet => NULL);
SELECT idem.create_scope('outside x', 'outside', '{}', ladder => '{}');
SELECT idem.create_scope('outside x', 'outside', '{}', ladder => '{1s,NULL}');
SELECT idem.create_scope('outside x', 'outside', '{}', ladder => '{1s,0}');
SELECT idem.create_scope('outside x', 'outside', '{}', ladder => '{{1s},{2s}}');
SELECT idem.create_scope('outside x', 'outside', '{}', ladder => NULL);
SELECT idem.create_scope('outside x', 'outside', '{}', completion => 'required');
SELECT idem.create_scope('outside x', 'outside', '{}', lease => '2 days', quiet => '0', ladder => '{1 day}');
SELECT lease_until - first_seen AS lease FROM idem.reserve('outside x', 'k');
SELECT arguments FROM idem.change_log WHERE name IN ('outside x', 'outside pay') ORDER BY n;

-- Two scopes never meet. (C 56)
SELECT outcome FROM idem.reserve('outside x', 'p1');
SELECT outcome, token FROM idem.reserve('outside x', 'k');
-- What a session remembers of a table that was changed behind it.
CREATE FUNCTION outside_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
SET idem.allow_unguarded = 'a test';
CREATE TRIGGER x BEFORE INSERT ON idem.reservation FOR EACH ROW EXECUTE FUNCTION outside_trigger();
SELECT idem.reserve('outside x', 'k2');
DROP TRIGGER x ON idem.reservation;
CREATE UNIQUE INDEX reservation_x ON idem.reservation (scope, key);
RESET idem.allow_unguarded;
SELECT idem.reserve('outside x', 'k2');
DROP INDEX idem.reservation_x;
SELECT outcome FROM idem.reserve('outside x', 'k2');

DROP FUNCTION outside_trigger, outside_call;
DROP PROCEDURE outside_commit;
DELETE FROM idem.reservation USING idem.scope s WHERE scope = s.id AND s.name LIKE 'outside %';
DELETE FROM idem.attempt USING idem.scope s WHERE scope = s.id AND s.name LIKE 'outside %';
DELETE FROM idem.scope WHERE name LIKE 'outside %';
