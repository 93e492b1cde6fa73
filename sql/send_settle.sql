--
-- What became of an effect outside: answers that come late, twice, by another way, or not at all.
--
SET client_min_messages = warning;
SELECT idem.create_scope('settle pay', 'outside', '{amount}', ladder => '{1h,2h}');
CREATE VIEW settle_open AS SELECT key, state, step, why, due_at <= clock_timestamp() AS due FROM idem.open_claims
    WHERE scope = 'settle pay' ORDER BY key COLLATE "C";
CREATE VIEW settle_late AS SELECT l.key, l.token, l.outcome, l.response, l.evidence, l.state, l.newest, l.role = current_user AS by_me
    FROM idem.late_result l JOIN idem.scope s ON s.id = l.scope WHERE s.name = 'settle pay' ORDER BY l.at;
CREATE VIEW settle_evidence AS SELECT e.key, e.action, e.outcome, e.evidence, e.response, e.reason, e.role = current_user AS by_me,
        e.at <= clock_timestamp() AS past
    FROM idem.evidence e JOIN idem.scope s ON s.id = e.scope WHERE s.name = 'settle pay' ORDER BY e.at;
\set request '''{"amount": 88}'''

-- The bank does not answer: unknown, and nobody may send again, under this key or whatever token.
-- (C 13, C 48, C 74)
SELECT token FROM idem.reserve('settle pay', 'a', :request);
CALL idem.dispatch('settle pay', 'a', 1) \gset
SELECT outcome, settled FROM idem.complete('settle pay', 'a', 1, 'unknown');
SELECT outcome, granted, settled, token FROM idem.reserve('settle pay', 'a', :request);
CALL idem.dispatch('settle pay', 'a', 1) \gset
\echo :outcome :granted :settled
SELECT * FROM settle_open;

-- An inquiry that overtakes the payment finds no such transaction.  That is not believed yet.
SELECT outcome, settled, state, retry_at - (SELECT dispatched_at FROM idem.open_claims WHERE scope = 'settle pay' AND key = 'a') AS quiet, detail
    FROM idem.resolve('settle pay', 'a', 'released', '{"inquiry": "no such transaction"}');
SELECT outcome, state FROM idem.resolve('settle pay', 'a', 'failed', '{"inquiry": "no such transaction"}');
SELECT count(*) FROM settle_evidence;
-- That it arrived is believed at once.
SELECT outcome, settled, state, response FROM idem.resolve('settle pay', 'a', 'succeeded', '{"notice": 4711}', '{"bank": 1}');
SELECT * FROM settle_evidence;
-- The answer and the notice come both, in any order and any number: one of them counts. (C 14)
SELECT outcome, reentrant, settled, response FROM idem.resolve('settle pay', 'a', 'succeeded', '{"notice": 4711}', '{"bank": 1}');
SELECT outcome, reentrant, settled, response FROM idem.complete('settle pay', 'a', 1, 'succeeded', '{"bank": 1.0}');
SELECT outcome, reentrant, settled, response FROM idem.complete('settle pay', 'a', 1, 'succeeded');
SELECT count(*) FROM settle_late;
-- A worker that gave up says nothing new.
SELECT outcome, reentrant, settled, response FROM idem.complete('settle pay', 'a', 1, 'unknown');
SELECT count(*) FROM settle_late;

-- After the quiet interval, or with a reason before it, a payment that never arrived is released.
SELECT token FROM idem.reserve('settle pay', 'b', :request);
CALL idem.dispatch('settle pay', 'b', 1) \gset
UPDATE idem.reservation SET dispatched_at = dispatched_at - interval '11 min' WHERE key = 'b';
SELECT outcome, settled, state FROM idem.resolve('settle pay', 'b', 'released', '{"inquiry": "no such transaction"}');
SELECT outcome, token, attempt FROM idem.reserve('settle pay', 'b', :request);
CALL idem.dispatch('settle pay', 'b', 2) \gset
\echo :outcome :granted :attempt
SELECT outcome, state FROM idem.resolve('settle pay', 'b', 'failed', '{"by": "phone"}', '{"bank": "refused"}', force => 'the bank was asked by phone');
SELECT key, action, outcome, evidence, response, reason FROM settle_evidence WHERE key = 'b';
-- What counts is when the bank was asked, not when its answer is brought: who asked within the
-- interval and was stopped until it was over knows no more than before.
SELECT token FROM idem.reserve('settle pay', 'q', :request);
CALL idem.dispatch('settle pay', 'q', 1) \gset
UPDATE idem.reservation SET dispatched_at = clock_timestamp() - interval '11 min' WHERE key = 'q';
SELECT outcome, state, retry_at <= clock_timestamp() AS ask_again_now, detail
    FROM idem.resolve('settle pay', 'q', 'released', '{"inquiry": "no such transaction"}', asked_at => clock_timestamp() - interval '2 min');
SELECT outcome, state FROM idem.resolve('settle pay', 'q', 'failed', '{"inquiry": "rejected"}', asked_at => '-infinity');
SELECT outcome, state FROM idem.resolve('settle pay', 'q', 'released', '{"inquiry": "no such transaction"}', asked_at => clock_timestamp() - interval '50 s');
-- An inquiry cannot have been made in the future, whatever its clock says. (C 27)
SELECT token FROM idem.reserve('settle pay', 'q', :request);
CALL idem.dispatch('settle pay', 'q', 2) \gset
SELECT outcome, state FROM idem.resolve('settle pay', 'q', 'released', '{"inquiry": "no such transaction"}', asked_at => 'infinity');
-- That it arrived is true whenever it was said.
SELECT outcome, state FROM idem.resolve('settle pay', 'q', 'succeeded', '{"notice": 1}', asked_at => '-infinity');
SELECT e.outcome, e.at - e.asked_at BETWEEN '50 s' AND '60 s' AS then FROM idem.evidence e JOIN idem.scope s ON s.id = e.scope
    WHERE s.name = 'settle pay' AND e.key = 'q' AND e.outcome = 'released';

-- The answer of the first attempt comes after all, when the second one is under way.  It changes
-- nothing, is kept, and a person hears of it.
SELECT outcome, settled, state, response, detail FROM idem.complete('settle pay', 'b', 1, 'succeeded', '{"bank": 2}');
SELECT * FROM settle_late;
SELECT * FROM settle_open;
SELECT key, state, why, granted, settled, outcome FROM idem.due('settle pay');
-- It stays listed until the operator says that it was looked at.
SELECT outcome, reentrant FROM idem.resolve('settle pay', 'b', 'failed', '{"by": "me"}');
SELECT * FROM settle_open;
SELECT outcome, reentrant FROM idem.resolve('settle pay', 'b', 'failed', '{"by": "me"}', force => 'paid back by hand');
SELECT * FROM settle_open;

-- The late answer comes before the second attempt is sent: it is not sent.
SELECT token FROM idem.reserve('settle pay', 'c', :request);
CALL idem.dispatch('settle pay', 'c', 1) \gset
SELECT outcome FROM idem.resolve('settle pay', 'c', 'released', '{"by": "me"}', force => 'sure');
SELECT outcome, token FROM idem.reserve('settle pay', 'c', :request);
SELECT outcome, settled FROM idem.complete('settle pay', 'c', 1, 'succeeded', '{"bank": 3}');
CALL idem.dispatch('settle pay', 'c', 2) \gset
\echo :outcome :granted :settled :detail
-- The holder may hold it, but not put the person off.
SELECT outcome FROM idem.heartbeat('settle pay', 'c', 2);
SELECT * FROM settle_open WHERE key = 'c';
UPDATE idem.reservation SET lease_until = now() - interval '1 s' WHERE key = 'c';
SELECT outcome, granted, token, detail FROM idem.reserve('settle pay', 'c', :request);
SELECT outcome, settled, detail FROM idem.fence('settle pay', 'c', 'cancelled');
-- A person finds the answer right.
SELECT outcome, state FROM idem.resolve('settle pay', 'c', 'succeeded', '{"statement": 17}', '{"bank": 3}');
SELECT outcome, settled, state, response FROM idem.resolve('settle pay', 'c', 'succeeded', '{"statement": 17}', '{"bank": 3}', force => 'on the statement');
-- Or wrong, and the second attempt may go on.
SELECT token FROM idem.reserve('settle pay', 'd', :request);
CALL idem.dispatch('settle pay', 'd', 1) \gset
SELECT outcome FROM idem.resolve('settle pay', 'd', 'released', '{"by": "me"}', force => 'sure');
SELECT outcome, settled FROM idem.complete('settle pay', 'd', 1, 'succeeded', '{"bank": 4}');
SELECT outcome, granted FROM idem.reserve('settle pay', 'd', :request);
SELECT outcome, reentrant, state FROM idem.resolve('settle pay', 'd', 'released', '{"statement": 18}', force => 'not ours');
SELECT outcome, token, attempt FROM idem.reserve('settle pay', 'd', :request);
CALL idem.dispatch('settle pay', 'd', 2) \gset
\echo :outcome :granted
-- A late "failed" speaks against nothing that is still to be sent, but is shown.
SELECT outcome, settled FROM idem.complete('settle pay', 'd', 1, 'failed', '{"bank": 4}');
SELECT * FROM settle_open WHERE key = 'd';
SELECT outcome FROM idem.complete('settle pay', 'd', 2, 'succeeded', '{"bank": 5}');
SELECT * FROM settle_open WHERE key = 'd';

-- Final is final, whoever says what. (C 4, C 14, C 19)
SELECT token FROM idem.reserve('settle pay', 'e', :request);
CALL idem.dispatch('settle pay', 'e', 1) \gset
SELECT outcome FROM idem.complete('settle pay', 'e', 1, 'succeeded', '{"bank": 6}');
SELECT outcome, settled, state, response FROM idem.complete('settle pay', 'e', 1, 'failed', '{"bank": 7}');
SELECT outcome, settled, state, response FROM idem.complete('settle pay', 'e', 1, 'succeeded', '{"bank": 8}');
SELECT outcome, settled, state, response FROM idem.resolve('settle pay', 'e', 'released', '{"by": "me"}', force => 'really');
SELECT outcome, settled, state, response FROM idem.reserve('settle pay', 'e', :request);
SELECT key, token, outcome, response, evidence, state FROM settle_late WHERE key = 'e';

-- A fence that comes too late to block is remembered.
SELECT token FROM idem.reserve('settle pay', 'f', :request);
CALL idem.dispatch('settle pay', 'f', 1) \gset
SELECT outcome, settled, state, detail FROM idem.fence('settle pay', 'f', 'customer cancelled');
SELECT outcome, settled, state FROM idem.fence('settle pay', 'f', 'and again');
SELECT outcome, settled, state FROM idem.resolve('settle pay', 'f', 'released', '{"by": "me"}', force => 'sure');
SELECT outcome, settled, granted FROM idem.reserve('settle pay', 'f', :request);
SELECT token FROM idem.reserve('settle pay', 'g', :request);
CALL idem.dispatch('settle pay', 'g', 1) \gset
SELECT outcome FROM idem.fence('settle pay', 'g', 'customer cancelled');
SELECT outcome, settled, state FROM idem.complete('settle pay', 'g', 1, 'succeeded', '{"bank": 9}');
SELECT key, state, why, outcome, settled, response FROM idem.due('settle pay') WHERE key = 'g';
SELECT outcome, reentrant FROM idem.resolve('settle pay', 'g', 'succeeded', '{"reversal": 12}', force => 'reversed');
SELECT * FROM settle_open WHERE key = 'g';
SELECT action, outcome, reason FROM settle_evidence WHERE key IN ('f', 'g');

-- A fence that comes first blocks for good: the original may come as often as it likes. (C 66, C 67, C 68, C 70, C 73)
SELECT outcome, settled, state FROM idem.fence('settle pay', 'h', 'reversal overtook');
SELECT outcome, granted, settled FROM generate_series(1, 3), idem.reserve('settle pay', 'h', :request);
SELECT outcome, settled FROM idem.fence('settle pay', 'h', 'reversal again');
SELECT outcome FROM idem.reserve('settle pay', 'i', :request);
SELECT outcome, settled, state FROM idem.fence('settle pay', 'i', 'cancelled');
CALL idem.dispatch('settle pay', 'i', 1) \gset
\echo :outcome :granted :settled
-- Fences go as they came.
BEGIN;
SELECT outcome FROM idem.fence('settle pay', 'j', 'rolled back');
ROLLBACK;
SELECT outcome FROM idem.reserve('settle pay', 'j', :request);

-- So it is inside.
SELECT idem.create_scope('settle in', 'inside', '{amount}');
SELECT outcome, granted, settled, state FROM idem.fence('settle in', 'h', 'reversal overtook');
SELECT outcome, granted, settled, state FROM generate_series(1, 3), idem.claim('settle in', 'h', :request);
SELECT outcome, granted, settled FROM idem.fence('settle in', 'h', 'again');
SELECT outcome, state FROM idem.lookup('settle in', 'h');
SELECT idem.complete('settle in', 'h', '{}');
BEGIN;
SELECT outcome FROM idem.fence('settle in', 'i', 'same transaction');
SELECT idem.complete('settle in', 'i', '{}');
ROLLBACK;
BEGIN;
SELECT outcome FROM idem.claim('settle in', 'i', :request);
SELECT outcome, settled FROM idem.fence('settle in', 'i', 'own');
COMMIT;
SELECT outcome, granted, settled, state FROM idem.fence('settle in', 'i', 'too late');
SELECT outcome FROM idem.claim('settle in', 'i', :request);

-- A word about a key that was retired is kept too, and answered: nobody has to bring it again.
SELECT idem.create_scope('settle dated', 'outside', '{}', key_time => 'YYYYMMDD');
SELECT token FROM idem.reserve('settle dated', '20180718-1');
CALL idem.dispatch('settle dated', '20180718-1', 1) \gset
SELECT outcome FROM idem.complete('settle dated', '20180718-1', 1, 'failed', '{"bank": 1}');
SELECT removed FROM idem.retire('settle dated', '2018-07-20');
SELECT outcome, settled, granted FROM idem.complete('settle dated', '20180718-1', 1, 'succeeded', '{"bank": 2}');
SELECT outcome, settled, granted FROM idem.resolve('settle dated', '20180718-1', 'succeeded', '{"notice": 1}');
SELECT l.key, l.token, l.outcome, l.response, l.evidence, l.state FROM idem.late_result l JOIN idem.scope s ON s.id = l.scope
    WHERE s.name = 'settle dated' ORDER BY l.at;
CALL idem.dispatch('settle dated', '20180718-1', 1) \gset
\echo :outcome :granted :settled
SELECT outcome, settled FROM idem.heartbeat('settle dated', '20180718-1', 1);
SELECT outcome, settled FROM idem.release('settle dated', '20180718-1', 1);
SELECT idem.complete('settle dated', '20180721-1', 1, 'succeeded', '{"bank": 2}');
\echo :LAST_ERROR_SQLSTATE

-- What is refused.
SELECT idem.fence('settle pay', 'x', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT idem.fence('settle pay', 'x', '');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.resolve('settle pay', 'x', 'failed', '{"by": "me"}');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.resolve('settle pay', 'j', 'failed', '{"by": "me"}');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.resolve('settle pay', 'a', 'succeeded', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT idem.resolve('settle pay', 'a', 'succeeded', '{}');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.resolve('settle pay', 'a', 'succeeded', '[]');
SELECT idem.resolve('settle pay', 'a', 'succeeded', 'null');
SELECT idem.resolve('settle pay', 'a', 'unknown', '{"by": "me"}');
SELECT idem.resolve('settle pay', 'a', NULL, '{"by": "me"}');
SELECT idem.resolve('settle pay', 'a', 'released', '{"by": "me"}', force => '');

DROP VIEW settle_open, settle_late, settle_evidence;
DELETE FROM idem.evidence e USING idem.scope s WHERE e.scope = s.id AND s.name LIKE 'settle %';
DELETE FROM idem.late_result e USING idem.scope s WHERE e.scope = s.id AND s.name LIKE 'settle %';
DELETE FROM idem.reservation USING idem.scope s WHERE scope = s.id AND s.name LIKE 'settle %';
DELETE FROM idem.attempt USING idem.scope s WHERE scope = s.id AND s.name LIKE 'settle %';
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'settle %';
DELETE FROM idem.scope WHERE name LIKE 'settle %';
