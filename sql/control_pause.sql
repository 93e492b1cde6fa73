--
-- A stop: what is new is not granted, and what became of what was sent before
-- is stored as ever.
--
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE SCHEMA pause;
SELECT FROM idem.create_scope('pause in', effect => 'inside', fields => '{a}');
SELECT FROM idem.create_scope('pause old', effect => 'inside', fields => '{}', key_time => 'YYYYMMDD', parts => 1);
SELECT FROM idem.create_scope('pause out', effect => 'outside', fields => '{}', quiet => '0');
SELECT * FROM idem.define_machine('pause', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    paying --> paying : again
    paying --> succeeded : confirm
    paying --> failed : reject
    succeeded --> [*]
    failed --> [*]
$$);
CREATE TABLE pause.payment (
    id       int PRIMARY KEY,
    amount   numeric(12,2) NOT NULL,
    status   text NOT NULL
);
CREATE TABLE pause.refund (
    id         int PRIMARY KEY,
    payment_id int NOT NULL REFERENCES pause.payment,
    other_id   int NOT NULL DEFAULT 9 REFERENCES pause.payment,
    amount     numeric(12,2) NOT NULL,
    status     text NOT NULL DEFAULT 'asked'
);
SELECT idem.guard_states('pause.payment', 'status', 'pause');
SELECT idem.guard_limit('pause.refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
                        released => '{failed}', facts => '{returned}', state => 'status');
CREATE FUNCTION pause.said(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text, OUT "table" text, OUT "constraint" text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT, "table" = TABLE_NAME, "constraint" = CONSTRAINT_NAME;
    detail := regexp_replace(detail, 'since .* by \S+:', 'since ... by ...:');
END
$$;
INSERT INTO pause.payment SELECT n, CASE n WHEN 9 THEN 1000 ELSE 100 END, 'created' FROM generate_series(1, 9) n;

-- ---------------------------------------------------------------------------
-- A scope of effects inside
-- ---------------------------------------------------------------------------

SELECT outcome FROM idem.claim('pause in', 'k1', '{"a":1}');
SELECT * FROM idem.pause('scope', 'pause in', reason => 'double debits reported');

-- The answer is neither granted nor settled, and says why.
SELECT outcome, granted, settled, state, response, first_seen, regexp_replace(detail, 'since .* by \S+', 'since ... by ...')
    FROM idem.claim('pause in', 'k2', '{"a":1}');
SELECT outcome, granted, settled FROM idem.claim_many('pause in', '{k1,k2,k3}', ARRAY['{"a":1}', '{"a":1}', '{"a":1}']::jsonb[]);
-- It is said only where the answer would have been granted.
SELECT outcome, settled FROM idem.claim('pause in', 'k1', '{"a":1}');
SELECT outcome, mismatch FROM idem.claim('pause in', 'k1', '{"a":2}');
SELECT outcome FROM idem.claim('pause in', ' k', '{"a":1}');
SELECT outcome FROM idem.claim('pause in', 'k2', '{"b":1}');
SELECT outcome FROM idem.lookup('pause in', 'k2');
-- A fence keeps from running, and goes on.
SELECT outcome FROM idem.fence('pause in', 'k4', 'test');
SELECT outcome FROM idem.claim('pause in', 'k4', '{"a":1}');
-- Another scope is not stopped.
SELECT outcome FROM idem.claim('pause old', idem.key('20260101'));
-- What is expired is expired.
SELECT FROM idem.alter_scope('pause old', keep => '1 day', force => 'test');
SELECT FROM idem.retire('pause old', '2026-02-01');
SELECT FROM idem.pause('scope', 'pause old', reason => 'test');
SELECT outcome, settled FROM idem.claim('pause old', idem.key('20260102'));
SELECT outcome, settled FROM idem.claim('pause old', idem.key('20260301'));
SELECT FROM idem.resume('scope', 'pause old', reason => 'test');

-- Nothing was left behind.
SELECT idem.resume('scope', 'pause in', reason => 'it was the report');
SELECT outcome FROM idem.claim('pause in', 'k2', '{"a":1}');

-- What was granted before completes, and the next key of the same transaction is not granted.
BEGIN;
SELECT outcome FROM idem.claim('pause in', 'k5', '{"a":1}');
SELECT FROM idem.pause('scope', 'pause in', reason => 'test');
SELECT outcome FROM idem.claim('pause in', 'k6', '{"a":1}');
SELECT outcome FROM idem.claim('pause in', 'k5', '{"a":1}');
SELECT outcome FROM idem.complete('pause in', 'k5', '{"id":1}');
SAVEPOINT s;
SELECT FROM idem.resume('scope', 'pause in', reason => 'test');
SELECT outcome FROM idem.claim('pause in', 'k6', '{"a":1}');
ROLLBACK TO s;
SELECT outcome FROM idem.claim('pause in', 'k6', '{"a":1}');
ROLLBACK;
SELECT outcome FROM idem.claim('pause in', 'k6', '{"a":1}');

-- ---------------------------------------------------------------------------
-- A scope of effects outside
-- ---------------------------------------------------------------------------

SELECT key, outcome, token FROM (VALUES ('r1'), ('r2'), ('r3'), ('d1'), ('d2'), ('d3'), ('l1')) k (k), idem.reserve('pause out', k, nonce => k);
SELECT outcome FROM idem.reserve('pause out', 'r4', lease => '1 us');
CALL idem.dispatch('pause out', 'd1', 1) \gset d1_
CALL idem.dispatch('pause out', 'd2', 1) \gset d2_
CALL idem.dispatch('pause out', 'd3', 1) \gset d3_
SELECT outcome FROM idem.reserve('pause out', 'x1');
CALL idem.dispatch('pause out', 'x1', 1) \gset x1_
SELECT outcome FROM idem.complete('pause out', 'd3', 1, 'unknown');
SELECT outcome FROM idem.release('pause out', 'l1', 1);

-- How many may still take effect, and how many wait
SELECT * FROM idem.pause('scope', 'pause out', reason => 'bank A is down');
SELECT kind, name, dispatched, reserved, reason FROM idem.pauses;

CALL idem.dispatch('pause out', 'r1', 1) \gset
SELECT :'outcome' AS outcome, :'granted' AS granted, :'settled' AS settled, :'state' AS state, NOT :{?retry_at} AS no_retry_at,
       :'detail' ~ '^scope "pause out" is paused since .* by .*: bank A is down$' AS detail;
SELECT outcome, token, granted, settled FROM idem.reserve('pause out', 'new');
SELECT outcome, state, token FROM idem.reserve('pause out', 'l1');
SELECT outcome, state, token FROM idem.reserve('pause out', 'r4');
-- What is known is said.
SELECT outcome, token, reentrant FROM idem.reserve('pause out', 'r1', nonce => 'r1');
SELECT outcome FROM idem.reserve('pause out', 'r2');
CALL idem.dispatch('pause out', 'd1', 1) \gset
\echo :outcome :granted
-- Results go on.
SELECT outcome FROM idem.complete('pause out', 'd1', 1, 'succeeded', '{"bank":1}');
SELECT outcome FROM idem.resolve('pause out', 'd2', 'failed', '{"by":"me"}');
SELECT outcome FROM idem.resolve('pause out', 'd3', 'released', '{"by":"me"}');
SELECT outcome FROM idem.complete('pause out', 'r2', 1, 'failed', '{"never":"sent"}');
SELECT outcome FROM idem.heartbeat('pause out', 'r1', 1);
SELECT outcome FROM idem.fence('pause out', 'r3', 'cancelled');
SELECT outcome FROM idem.fence('pause out', 'f1', 'cancelled');
SELECT dispatched, reserved FROM idem.pauses;
-- What is reserved waits where it is, and is not called overdue; what was sent is inquired about.
UPDATE idem.reservation SET due_at = now() - interval '2 hours' WHERE key IN ('r1', 'x1') AND scope = (SELECT id FROM idem.scope WHERE name = 'pause out');
SELECT regexp_replace(finding, 'since .*:', 'since ...:') AS finding FROM idem.claim_problems WHERE object = 'scope "pause out"' AND finding ~ 'overdue';
SELECT key, why FROM idem.due('pause out');
-- A key that was dispatched comes out as it went in.
SELECT FROM idem.resume('scope', 'pause out', reason => 'bank A is back');
CALL idem.dispatch('pause out', 'r1', 1) \gset
\echo :outcome :granted
SELECT outcome, token FROM idem.reserve('pause out', 'l1');

-- ---------------------------------------------------------------------------
-- A state of a machine
-- ---------------------------------------------------------------------------

UPDATE pause.payment SET status = 'paying' WHERE id IN (1, 2);
SELECT * FROM idem.pause('machine', 'pause', state => 'paying', reason => 'double debits reported');
SELECT * FROM pause.said($$UPDATE pause.payment SET status = 'paying' WHERE id = 3$$) \gx
SELECT idem.transition('pause.payment', '3', 'paying');
\echo :LAST_ERROR_SQLSTATE
-- Rows leave it, stay in it, and are written in it.
UPDATE pause.payment SET status = 'succeeded' WHERE id = 1 RETURNING status;
UPDATE pause.payment SET amount = 99 WHERE id = 2 RETURNING status;
SELECT FROM idem.transition('pause.payment', '2', 'paying', event => 'again');
UPDATE pause.payment SET status = 'failed' WHERE id = 2 RETURNING status;
-- What is not allowed is not allowed: the pause says so only where the row would have passed.
UPDATE pause.payment SET status = 'paying' WHERE id = 1;
INSERT INTO pause.payment VALUES (10, 1, 'paying');
-- Beside it others are entered, and it is resumed by itself.
INSERT INTO pause.payment VALUES (11, 1, 'created');
SELECT FROM idem.pause('machine', 'pause', state => 'created', reason => 'test');
INSERT INTO pause.payment VALUES (12, 1, 'created');
\echo :LAST_ERROR_SQLSTATE
SELECT FROM idem.resume('machine', 'pause', state => 'paying', reason => 'test');
UPDATE pause.payment SET status = 'paying' WHERE id = 3 RETURNING status;
INSERT INTO pause.payment VALUES (12, 1, 'created');
SELECT FROM idem.resume('machine', 'pause', state => 'created', reason => 'test');
INSERT INTO pause.payment VALUES (12, 1, 'created');
-- A final state holds results.
SELECT idem.pause('machine', 'pause', state => 'failed', reason => 'test');

-- ---------------------------------------------------------------------------
-- A limit
-- ---------------------------------------------------------------------------

INSERT INTO pause.refund VALUES (1, 1, 9, 10), (2, 1, 9, 10);
SET search_path = pause, public;
SELECT * FROM idem.pause('limit', 'refund', reason => 'test');
RESET search_path;
SELECT * FROM pause.said($$INSERT INTO pause.refund VALUES (3, 1, 9, 10)$$) \gx
-- Facts and releases go on; a release that is taken back is new.
INSERT INTO pause.refund VALUES (4, 1, 9, 200, 'returned');
UPDATE pause.refund SET status = 'failed' WHERE id = 1;
UPDATE pause.refund SET status = 'asked' WHERE id = 1;
UPDATE pause.refund SET status = 'returned' WHERE id = 2;
INSERT INTO pause.refund VALUES (5, 1, 9, 10, 'failed');
-- It follows a table that is renamed, and is not that of a table that takes its name.
ALTER TABLE pause.refund RENAME TO given_back;
CREATE TABLE pause.refund (LIKE pause.given_back INCLUDING ALL);
INSERT INTO pause.given_back VALUES (6, 2, 9, 10);
-- also as a session reads it that has not known it before
\c -
SET client_min_messages = warning;
INSERT INTO pause.given_back VALUES (6, 2, 9, 10);
SELECT kind, name, fk FROM idem.pauses;
-- Where a table has several, the foreign key says which.
SELECT idem.guard_limit('pause.given_back', 'other_id', amount => 'amount', cap => 'amount', used => 'other_used', released => NULL);
SELECT FROM idem.resume('limit', 'pause.given_back', reason => 'test');
SELECT FROM idem.resume('limit', 'pause.given_back', fk => '{payment_id}', reason => 'test');
SELECT FROM idem.pause('limit', 'pause.given_back', fk => '{other_id}', reason => 'test');
SELECT kind, name, fk FROM idem.pauses;
INSERT INTO pause.given_back VALUES (6, 3, 3, 10);
SELECT FROM idem.resume('limit', 'pause.given_back', fk => '{other_id}', reason => 'test');
INSERT INTO pause.given_back VALUES (6, 3, 3, 10);
-- A guard that is dropped and declared anew is another one; the pause of the former can be taken away.
SELECT FROM idem.pause('limit', 'pause.given_back', fk => '{other_id}', reason => 'test');
SELECT idem.drop_guard('pause.given_back', 'limit', name => (SELECT name FROM idem.guards WHERE kind = 'limit' AND settings @> '{"fk={other_id}"}'), reason => 'test');
SELECT kind, name ~ '^[0-9a-f-]{36}$' AS is_number, fk FROM idem.pauses;
SELECT idem.guard_limit('pause.given_back', 'other_id', amount => 'amount', cap => 'amount', used => 'other_used', released => NULL);
\c -
SET client_min_messages = warning;
INSERT INTO pause.given_back VALUES (7, 3, 3, 10);
SELECT FROM idem.pauses p, idem.resume('limit', p.name, reason => 'test');
SELECT count(*) FROM idem.pauses;

-- ---------------------------------------------------------------------------
-- What is asked for
-- ---------------------------------------------------------------------------

CREATE FUNCTION pause.say(call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'SELECT idem.' || call;
    RETURN 'passed';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT f || '(' || a || ')' AS call, pause.say(f || '(' || a || ')') FROM (VALUES
    (1, $$NULL, 'pause in', reason => 'x'$$), (2, $$'scope', NULL, reason => 'x'$$), (3, $$'scope', 'pause in'$$),
    (4, $$'scope', 'pause in', reason => ' '$$), (5, $$'scope', 'pause in', reason => repeat('x', 1001)$$),
    (6, $$'balance', 'pause in', reason => 'x'$$), (7, $$'scope', 'no such', reason => 'x'$$),
    (8, $$'scope', 'pause in', state => 'x', reason => 'x'$$), (9, $$'scope', 'pause in', fk => '{x}', reason => 'x'$$),
    (10, $$'machine', 'no such', state => 'x', reason => 'x'$$), (11, $$'machine', 'pause', reason => 'x'$$),
    (12, $$'machine', 'pause', state => 'no such', reason => 'x'$$), (13, $$'machine', 'pause', state => 'paying', fk => '{x}', reason => 'x'$$),
    (14, $$'limit', 'pause.no_such', reason => 'x'$$), (15, $$'limit', 'pause.payment', reason => 'x'$$),
    (16, $$'limit', 'pause.given_back', fk => '{amount}', reason => 'x'$$), (17, $$'limit', 'pause.given_back', state => 'x', reason => 'x'$$)
    ) v (n, a), unnest('{pause,resume}'::text[]) f ORDER BY n, f;
SELECT pause.say($$resume('scope', 'pause in', reason => 'x')$$), pause.say($$resume('machine', 'pause', state => 'paying', reason => 'x')$$);

-- The same again says so, and changes nothing.
SET client_min_messages = notice;
SELECT FROM idem.pause('scope', 'pause out', reason => 'first');
SELECT * FROM idem.pause('scope', 'pause out', reason => 'second');
SELECT reason FROM idem.pauses;
SET client_min_messages = warning;

-- A pause is of a name: a scope that is dropped and declared anew is paused.
SELECT FROM idem.pause('scope', 'pause old', reason => 'test');
SELECT FROM idem.drop_scope('pause old', force => 'test');
SELECT name, dispatched FROM idem.pauses ORDER BY name;
SELECT FROM idem.create_scope('pause old', effect => 'inside', fields => '{}');
SELECT outcome FROM idem.claim('pause old', 'k');
SELECT FROM idem.drop_scope('pause old');
SELECT FROM idem.resume('scope', 'pause old', reason => 'test');

-- The doctor says what is paused for more than a day.
SELECT count(*) FROM idem.doctor() WHERE finding ~ 'paused';
UPDATE idem.pause SET at = at - interval '25 hours';
INSERT INTO idem.pause VALUES ('machine', 'pause', 'paying', now() - interval '2 days', 'me', 'test');
SELECT severity, object, regexp_replace(finding, 'by .* since .*, for', 'by ... since ..., for') AS finding, remedy FROM idem.doctor()
    WHERE finding ~ 'paused';

-- Who did what and why stays.
SELECT action, kind, relation, regexp_replace(name, '^[0-9a-f-]{36}$', '(a number)') AS name, arguments, reason
    FROM idem.change_log WHERE action IN ('paused', 'resumed') AND (name LIKE 'pause%' OR kind = 'limit') ORDER BY n;

-- Whoever may pause is no application.
CREATE ROLE regress_pause_app;
SELECT idem.grant_runtime('regress_pause_app');
SET ROLE regress_pause_app;
SELECT idem.pause('scope', 'pause in', reason => 'test');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.resume('scope', 'pause out', reason => 'test');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
-- An operator needs no right on what it stops.
CREATE ROLE regress_pause_operator;
SELECT idem.grant_operator('regress_pause_operator');
SET ROLE regress_pause_operator;
SELECT FROM idem.pause('scope', 'pause in', reason => 'test');
SELECT kind, name FROM idem.pauses ORDER BY 1, 2;
SELECT FROM idem.resume('scope', 'pause in', reason => 'test');
RESET ROLE;
DROP OWNED BY regress_pause_app, regress_pause_operator;
DROP ROLE regress_pause_app, regress_pause_operator;
DELETE FROM idem.runtime_role WHERE role LIKE 'regress\_pause\_%';

-- A session that has known of a pause knows when its row is gone, however it went.
TRUNCATE idem.pause;
SELECT outcome FROM idem.reserve('pause out', 'after');
BEGIN READ ONLY;
SELECT idem.pause('scope', 'pause in', reason => 'test');
ROLLBACK;

DROP SCHEMA pause CASCADE;
DELETE FROM idem.evidence e USING idem.scope s WHERE e.scope = s.id AND s.name LIKE 'pause %';
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'pause %';
DELETE FROM idem.reservation USING idem.scope s WHERE scope = s.id AND s.name LIKE 'pause %';
DELETE FROM idem.attempt USING idem.scope s WHERE scope = s.id AND s.name LIKE 'pause %';
DELETE FROM idem.scope WHERE name LIKE 'pause %';
