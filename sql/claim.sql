-- A claim says who may have the effect of a key: the first, once.
-- This is the life of a key in one session; races are in test/isolation.  What
-- an administrator does to idem.anchor: wound 11a.
CREATE TABLE claim_debit (key text, amount int);
CREATE FUNCTION claim_short(idem.claim_result) RETURNS text LANGUAGE sql
    AS $$ SELECT concat_ws(' ', $1.outcome, CASE WHEN $1.granted THEN 'GRANTED' END,
                 CASE WHEN $1.settled THEN 'SETTLED' END, CASE WHEN $1.reentrant THEN 'REENTRANT' END,
                 $1.state, $1.response, $1.mismatch) $$;
CREATE FUNCTION claim_short(idem.send_result) RETURNS text LANGUAGE sql
    AS $$ SELECT concat_ws(' ', $1.outcome, CASE WHEN $1.granted THEN 'GRANTED' END,
                 CASE WHEN $1.settled THEN 'SETTLED' END, CASE WHEN $1.reentrant THEN 'REENTRANT' END,
                 $1.state, $1.response, $1.mismatch) $$;

-- A scope is declared; a misspelt name cannot open a second space of keys.
SELECT idem.create_scope('claim debit', 'inside', '{user,amount}');
SELECT name, effect, fields, completion, charset, created_by = current_user AS by_me,
       created_at <= clock_timestamp() AS just_now
    FROM idem.scope WHERE name = 'claim debit';
SELECT action, kind, name, arguments FROM idem.change_log WHERE name = 'claim debit';
SELECT * FROM idem.claim('claim debiz', 'msg-1');
\echo :LAST_ERROR_SQLSTATE

-- First: do the effect now.
BEGIN;
SELECT outcome, granted, settled, reentrant, key, state, response, mismatch,
       first_seen BETWEEN now() AND clock_timestamp() AS just_now, detail
    FROM idem.claim('claim debit', 'msg-1', '{"user": "u1", "amount": 88.00}');
INSERT INTO claim_debit VALUES ('msg-1', 88);
SELECT claim_short(idem.complete('claim debit', 'msg-1', '{"debit_id": 17, "fee": 1.50}'));
COMMIT;

-- A repeat, however often: the first response, verbatim, and nothing written.
BEGIN;
SELECT claim_short(idem.claim('claim debit', 'msg-1', '{"user": "u1", "amount": 88.00}'));
SELECT claim_short(idem.claim('claim debit', 'msg-1', '{"amount": "88", "user": "u1", "trace": "other"}'));
SELECT pg_current_xact_id_if_assigned() IS NULL AS nothing_written;
COMMIT;
SELECT pg_current_xact_id_if_assigned() IS NULL AS nothing_written, l.*
    FROM (SELECT claim_short(idem.lookup('claim debit', 'msg-1'))) l;

-- The same key with another request: which members differ, but not the
-- stored response. (C 30, C 34, C 35)
SELECT claim_short(idem.claim('claim debit', 'msg-1', '{"user": "u1", "amount": 88.01}'));
SELECT claim_short(idem.claim('claim debit', 'msg-1', '{"user": "u2", "amount": 1}'));

-- Rolled back: the key is free, as if never claimed. (C 62a)
BEGIN;
SELECT claim_short(idem.claim('claim debit', 'msg-2', '{"user": "u1", "amount": 5}'));
ROLLBACK;
SELECT claim_short(idem.lookup('claim debit', 'msg-2'));
SELECT claim_short(idem.claim('claim debit', 'msg-2', '{"user": "u1", "amount": 6}'));

-- Committed without complete: succeeded, with no response, for good. (C 21)
SELECT claim_short(idem.claim('claim debit', 'msg-2', '{"user": "u1", "amount": 6}'));
SELECT claim_short(idem.lookup('claim debit', 'msg-2'));
SELECT idem.complete('claim debit', 'msg-2', '{"late": true}');
\echo :LAST_ERROR_SQLSTATE
SELECT claim_short(idem.lookup('claim debit', 'msg-2'));

-- The same key twice in one transaction: the incident, in one batch. Not
-- settled, because the first one has not committed. (C 1)
BEGIN;
SELECT claim_short(idem.claim('claim debit', k, '{"user": "u1", "amount": 7}'))
    FROM unnest('{msg-3,msg-3,msg-4,msg-3}'::text[]) WITH ORDINALITY AS u (k, n) ORDER BY n;
SELECT claim_short(idem.claim('claim debit', 'msg-3', '{"user": "u1", "amount": 8}'));
SELECT claim_short(idem.complete('claim debit', 'msg-3', '{"n": 3}'));
SELECT claim_short(idem.claim('claim debit', 'msg-3', '{"user": "u1", "amount": 7}'));
SELECT claim_short(idem.lookup('claim debit', 'msg-3'));
COMMIT;
SELECT claim_short(idem.claim('claim debit', 'msg-3', '{"user": "u1", "amount": 7}'));

-- Claim and complete in one statement.
SELECT claim_short(idem.claim('claim debit', 'msg-5', '{"user": "u1", "amount": 7}')) AS claim,
       claim_short(idem.complete('claim debit', 'msg-5', '{"n": 5}')) AS complete,
       claim_short(idem.claim('claim debit', 'msg-5', '{"user": "u1", "amount": 7}')) AS again;
SELECT claim_short(idem.lookup('claim debit', 'msg-5'));
SELECT c.outcome AS claim, d.outcome AS complete
    FROM idem.claim('claim debit', 'msg-5b', '{"user": "u1", "amount": 7}') c,
         LATERAL idem.complete('claim debit', c.key, '{"n": 5}') d;
SELECT claim_short(idem.lookup('claim debit', 'msg-5b'));

-- Completed once: the same response again is no-op, another is refused, and
-- NULL is a response too. (C 14)
BEGIN;
SELECT claim_short(idem.claim('claim debit', 'msg-6', '{"user": "u1", "amount": 7}'));
SELECT claim_short(idem.complete('claim debit', 'msg-6', '{"a": 1, "b": 2.0}'));
SELECT claim_short(idem.complete('claim debit', 'msg-6', '{"b": 2, "a": 1}'));
SAVEPOINT s;
SELECT idem.complete('claim debit', 'msg-6', '{"a": 1}');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT idem.complete('claim debit', 'msg-6', NULL);
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT claim_short(idem.claim('claim debit', 'msg-7', '{"user": "u1", "amount": 7}'));
SELECT claim_short(idem.complete('claim debit', 'msg-7', NULL));
SELECT claim_short(idem.complete('claim debit', 'msg-7', NULL));
SAVEPOINT s;
SELECT idem.complete('claim debit', 'msg-7', '{}');
ROLLBACK TO s;
COMMIT;
SELECT claim_short(idem.lookup('claim debit', k)) FROM unnest('{msg-6,msg-7}'::text[]) k;

-- Only what was claimed can be completed.
SELECT idem.complete('claim debit', 'msg-8', '{}');
\echo :LAST_ERROR_SQLSTATE

-- Savepoints: what is rolled back frees its key, and gives a completion back.
BEGIN;
SAVEPOINT s;
SELECT claim_short(idem.claim('claim debit', 'msg-9', '{"user": "u1", "amount": 9}'));
ROLLBACK TO s;
SELECT claim_short(idem.lookup('claim debit', 'msg-9'));
SELECT claim_short(idem.claim('claim debit', 'msg-9', '{"user": "u1", "amount": 9}'));
SAVEPOINT s;
SELECT claim_short(idem.complete('claim debit', 'msg-9', '{"lost": true}'));
ROLLBACK TO s;
SELECT claim_short(idem.lookup('claim debit', 'msg-9'));
SELECT claim_short(idem.complete('claim debit', 'msg-9', '{"kept": true}'));
SAVEPOINT s;
SELECT claim_short(idem.claim('claim debit', 'msg-10', '{"user": "u1", "amount": 9}'));
RELEASE s;
SELECT claim_short(idem.complete('claim debit', 'msg-10', '{"kept": true}'));
COMMIT;
SELECT claim_short(idem.lookup('claim debit', k)) FROM unnest('{msg-9,msg-10}'::text[]) k;

-- A response of any size comes back as it was given, from out of line too.
BEGIN;
SELECT claim_short(idem.claim('claim debit', 'msg-big', '{"user": "u1", "amount": 9}'));
CREATE TEMP TABLE claim_big AS SELECT jsonb_object_agg(i, md5(i::text)) AS response FROM generate_series(1, 5000) i;
SELECT c.response = b.response AS kept FROM claim_big b, idem.complete('claim debit', 'msg-big', b.response) c;
COMMIT;
SELECT c.outcome, c.response = b.response AS verbatim, pg_column_size(c.response) > 100000 AS big
    FROM claim_big b, idem.claim('claim debit', 'msg-big', '{"user": "u1", "amount": 9}') c;
SELECT outcome, response FROM idem.claim('claim debit', 'msg-big', '{"user": "u1", "amount": 10}');

-- Keys of different scopes never meet. (C 56)
SELECT idem.create_scope('claim other', 'inside', '{}');
SELECT claim_short(idem.claim('claim other', 'msg-1'));
SELECT claim_short(idem.claim('claim other', 'msg-1', '{"with {} no request": "counts"}'));
SELECT claim_short(idem.claim('claim debit', 'msg-1', '{"user": "u1", "amount": 88}'));

-- A read-only transaction claims nothing, but may look.
BEGIN READ ONLY;
SELECT claim_short(idem.lookup('claim other', 'msg-1'));
SELECT idem.claim('claim other', 'msg-1');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN READ ONLY;
SELECT idem.complete('claim other', 'msg-1', '{}');
ROLLBACK;

-- completion => 'required': a transaction that lost its work in a swallowed
-- exception cannot use the key up. (C 62b)
SELECT idem.create_scope('claim strict', 'inside', '{}', completion => 'required');
CREATE FUNCTION claim_careless(k text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM idem.claim('claim strict', k);
    BEGIN
        INSERT INTO claim_debit VALUES (k, 1);
        PERFORM 1 / 0;
        PERFORM idem.complete('claim strict', k, '{}');
    EXCEPTION WHEN division_by_zero THEN
        NULL;
    END;
END $$;
SELECT claim_careless('msg-1');
\echo :LAST_ERROR_SQLSTATE
SELECT claim_short(idem.lookup('claim strict', 'msg-1'));
BEGIN;
SELECT claim_short(idem.claim('claim strict', 'msg-1'));
SELECT claim_short(idem.complete('claim strict', 'msg-1', '{"done": 1}'));
COMMIT;
SELECT claim_short(idem.claim('claim strict', 'msg-1'));
-- completed in a savepoint that was rolled back is not completed
BEGIN;
SELECT claim_short(idem.claim('claim strict', 'msg-2'));
SAVEPOINT s;
SELECT claim_short(idem.complete('claim strict', 'msg-2', '{"done": 1}'));
ROLLBACK TO s;
COMMIT;
-- and a claim that was rolled back itself needs no completion
BEGIN;
SELECT claim_short(idem.claim('claim strict', 'msg-3'));
SELECT claim_short(idem.complete('claim strict', 'msg-3', NULL));
SAVEPOINT s;
SELECT claim_short(idem.claim('claim strict', 'msg-2'));
ROLLBACK TO s;
COMMIT;
SELECT k, claim_short(idem.lookup('claim strict', k)) FROM unnest('{msg-2,msg-3}'::text[]) k;

-- A scope is usable at once, and gone with the transaction that declared it.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT idem.create_scope('claim own', 'inside', '{}');
SELECT claim_short(idem.claim('claim own', 'msg-1'));
ROLLBACK;
SELECT idem.claim('claim own', 'msg-1');

-- Declaring: what is refused.
SELECT idem.create_scope('claim debit', 'inside', '{}');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.create_scope('claim x', 'outside', '{}', completion => 'required');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.create_scope('claim x', 'both', '{}');
SELECT idem.create_scope('claim x', 'inside', '{}', completion => 'later');
SELECT idem.create_scope('claim x', 'inside', '{}', charset => 'latin');
SELECT idem.create_scope('claim x', 'inside', NULL);
SELECT idem.create_scope('claim x', 'inside', '{a,NULL}');
SELECT idem.create_scope('claim x', 'inside', '{a,b,a}');
SELECT idem.create_scope('claim x', 'inside', '{a,*}');
SELECT idem.create_scope('claim x', 'inside', '{""}');
SELECT idem.create_scope('claim x', 'inside', ARRAY[repeat('a', 256)]);
SELECT idem.create_scope('claim x', 'inside', array_agg('field ' || i)) FROM generate_series(1, 100) i;
SELECT idem.create_scope(NULL, 'inside', '{}');
SELECT idem.create_scope('', 'inside', '{}');
SELECT idem.create_scope(' claim x', 'inside', '{}');
SELECT idem.create_scope(repeat('x', 64), 'inside', '{}');
SELECT idem.claim(NULL, 'msg-1');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.claim(repeat('x', 64), 'msg-1');
SELECT name FROM idem.scope WHERE name LIKE '%x%';

-- A table that an executor would have to look after takes no claims.
CREATE FUNCTION claim_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
BEGIN;
SET LOCAL idem.allow_unguarded = 'a test';
CREATE TRIGGER claim_trigger BEFORE INSERT ON idem.anchor FOR EACH ROW EXECUTE FUNCTION claim_trigger();
SELECT idem.claim('claim other', 'msg-2');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN;
SET LOCAL idem.allow_unguarded = 'a test';
CREATE UNIQUE INDEX claim_index ON idem.anchor (scope, key);
SELECT idem.claim('claim other', 'msg-2');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN;
UPDATE pg_index SET indisvalid = false WHERE indrelid = 'idem.anchor'::regclass;
SELECT idem.claim('claim other', 'msg-2');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN;
SET LOCAL idem.allow_unguarded = 'a test';
ALTER TABLE idem.anchor ADD COLUMN claim_note text NOT NULL DEFAULT '';
SELECT idem.claim('claim other', 'msg-2');
ROLLBACK;
BEGIN;
SET LOCAL idem.allow_unguarded = 'a test';
ALTER TABLE idem.anchor DROP COLUMN response;
SELECT idem.claim('claim other', 'msg-2');
ROLLBACK;
-- Nor does a scope whose effects are elsewhere.
BEGIN;
UPDATE idem.scope SET effect = 'outside' WHERE name = 'claim other';
SELECT idem.claim('claim other', 'msg-2');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
-- A row that does not hold its key is an error, never another key's answer.
BEGIN;
UPDATE idem.anchor SET key = 'msg-0' WHERE key = 'msg-1';
SELECT idem.claim('claim other', 'msg-1');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN;
UPDATE idem.anchor SET key = 'msg-' WHERE key = 'msg-1';
SELECT idem.claim('claim other', 'msg-1');
ROLLBACK;
BEGIN;
UPDATE idem.anchor SET scope = scope + 1 WHERE key = 'msg-1';
SELECT idem.lookup('claim other', 'msg-1');
ROLLBACK;
SELECT claim_short(idem.claim('claim other', 'msg-2'));

DROP FUNCTION claim_short(idem.claim_result), claim_short(idem.send_result), claim_careless, claim_trigger;
DROP TABLE claim_debit, claim_big;
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'claim %';
DELETE FROM idem.scope WHERE name LIKE 'claim %';
-- a session forgets scopes that are gone
SELECT idem.claim('claim debit', 'msg-1');
