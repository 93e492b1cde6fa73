-- Accidents that were reported elsewhere, each as it happened and as it ends
-- here. C and a number is a line of test/claim_cases.md, which lists them all;
-- most are shown where their subject is, these have no other place.
SET client_min_messages = warning;
SELECT idem.create_scope('cases in', 'inside', '{amount}');
SELECT idem.create_scope('cases out', 'outside', '{payee,amount}', quiet => '0');
\set request '''{"payee": "p", "amount": 88}'''

-- C 10, C 40: the events are partitioned by day, so they cannot have a unique
-- index on their number, and the retry comes on the next day. The anchor is in
-- one table and knows no day.
CREATE TABLE cases_event (id text, at date) PARTITION BY RANGE (at);
CREATE TABLE cases_event_1 PARTITION OF cases_event FOR VALUES FROM ('2018-07-18') TO ('2018-07-19');
CREATE TABLE cases_event_2 PARTITION OF cases_event FOR VALUES FROM ('2018-07-19') TO ('2018-07-20');
\set VERBOSITY sqlstate
CREATE UNIQUE INDEX ON cases_event (id);
\set VERBOSITY default
INSERT INTO cases_event SELECT 'ev-1', '2018-07-18' FROM idem.claim('cases in', 'ev-1', '{"amount": 1}') WHERE granted;
INSERT INTO cases_event SELECT 'ev-1', '2018-07-19' FROM idem.claim('cases in', 'ev-1', '{"amount": 1}') WHERE granted;
SELECT * FROM cases_event;

-- C 39: the provider forgets keys after a day, and a job sends again what has
-- hung for three. Nobody sends what was sent, however old it is, under this
-- token, another one, or none.
SELECT token FROM idem.reserve('cases out', 'po-39', :request, nonce => 'job');
CALL idem.dispatch('cases out', 'po-39', 1) \gset
\echo :granted
UPDATE idem.reservation SET first_seen = first_seen - interval '3 days', lease_until = lease_until - interval '3 days',
       dispatched_at = dispatched_at - interval '3 days' WHERE key = 'po-39';
SELECT outcome, granted, settled, token FROM idem.reserve('cases out', 'po-39', :request);
SELECT outcome, granted, settled, token, reentrant FROM idem.reserve('cases out', 'po-39', :request, nonce => 'job');
CALL idem.dispatch('cases out', 'po-39', 1) \gset
\echo :outcome :granted :settled
CALL idem.dispatch('cases out', 'po-39', NULL) \gset
\echo :outcome :granted :settled
SELECT idem.release('cases out', 'po-39', 1);
\echo :LAST_ERROR_SQLSTATE
-- Only the provider's word that it never arrived leads to another attempt,
-- whose number makes another serial.
SELECT outcome FROM idem.resolve('cases out', 'po-39', 'released', '{"asked": "po-39-1"}', attempt => 1);
SELECT outcome, token, attempt FROM idem.reserve('cases out', 'po-39', :request);

-- C 55: after a lost connection a client asks by key what became of it. To ask
-- changes nothing, and does not open a key.
BEGIN;
SELECT outcome, granted FROM unnest('{ev-1,ev-none}'::text[]) k, idem.lookup('cases in', k);
SELECT outcome, granted, state FROM unnest('{po-39,po-none}'::text[]) k, idem.lookup('cases out', k);
SELECT pg_current_xact_id_if_assigned() IS NULL AS nothing_written;
COMMIT;
SELECT count(*) FROM idem.reservation WHERE key = 'po-none';

-- C 60, C 61: each retry makes up a new key. That is another intent to every
-- deduplication there is, this one too:
SELECT key, outcome, granted FROM unnest('{5f0c,a1b2,77e9}'::text[]) k, idem.claim('cases in', k, '{"amount": 88}');
-- So the key is that of the business, not that of the call: the order.
SELECT n, outcome, granted FROM generate_series(1, 3) n, idem.claim('cases in', idem.key('order', '4711'), jsonb_build_object('amount', 88, 'try', n));
-- Where there is no order, a second claim asks whether the same payer has paid
-- the same amount today: not granted is a suspicion, to ask a person about.
SELECT idem.create_scope('cases suspect', 'inside', '{}');
CREATE FUNCTION cases_charge(key text, payer text, amount money_micro, day text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (idem.claim('cases in', key, jsonb_build_object('amount', amount))).granted THEN RETURN 'repeat'; END IF;
    IF NOT (idem.claim('cases suspect', idem.key(payer, amount::text, day))).granted THEN
        RAISE 'ask % whether it is another payment', payer;
    END IF;
    RETURN 'charged';
END $$;
SELECT cases_charge('k-1', 'u1', '88', '2018-07-18');
SELECT cases_charge('k-2', 'u1', '88.00', '2018-07-18');
SELECT cases_charge('k-1', 'u1', '88', '2018-07-18'), cases_charge('k-3', 'u2', '88', '2018-07-18'), cases_charge('k-4', 'u1', '88', '2018-07-19');
-- the suspected one has used up nothing
SELECT outcome FROM idem.lookup('cases in', 'k-2');

-- C 44, C 80: uniqueness in a rounded period, and six workers with six invoices
-- for one. The period is part of the key: what the clock says does not matter.
SELECT worker, outcome, granted
    FROM unnest('{10:59:59,11:00:01,11:00:02,23:59:59}'::time[]) WITH ORDINALITY w (at, worker),
         idem.claim('cases in', idem.key('invoice', 'u1', '2018-07'), jsonb_build_object('amount', 5, 'at', at)) ORDER BY worker;

-- C 76: a refund ends in a system error, and a second one under a new number
-- succeeds; then the first one does, too. The number is the attempt, the key
-- is the refund: while it is unknown there is no next number.
SELECT token FROM idem.reserve('cases out', 'refund-1', :request);
CALL idem.dispatch('cases out', 'refund-1', 1) \gset
SELECT outcome, state FROM idem.complete('cases out', 'refund-1', 1, 'failed');
SELECT outcome, granted, token, attempt FROM idem.reserve('cases out', 'refund-1', :request);
SELECT outcome, granted, token, attempt FROM idem.reserve('cases out', 'refund-1', :request, nonce => 'another try', lease => '1 s');
CALL idem.dispatch('cases out', 'refund-1', 1) \gset
\echo :outcome :granted
SELECT max(attempt) AS attempts, max(token) AS tokens FROM idem.reservation WHERE key = 'refund-1';

-- C 79: the first run of a file broke off in the middle. The second one does
-- the rest, and is answered for every line, also for those done before.
CREATE TABLE cases_line (file text, line int, amount int);
CREATE FUNCTION cases_run(file text, lines int, until int) RETURNS TABLE (line bigint, outcome text) LANGUAGE plpgsql AS $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT * FROM idem.claim_many('cases in', ARRAY(SELECT idem.key(file, i::text) FROM generate_series(1, lines) i),
                               ARRAY(SELECT jsonb_build_object('amount', i * 10) FROM generate_series(1, lines) i))
                      WITH ORDINALITY LOOP
        IF c.ordinality > until THEN RAISE 'broken off at line %', c.ordinality; END IF;
        IF c.granted THEN INSERT INTO cases_line VALUES (file, c.ordinality, c.ordinality * 10); END IF;
        line := c.ordinality; outcome := c.outcome;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT * FROM cases_run('f1', 2, 2);
-- what is broken off has done nothing, in one transaction,
SELECT * FROM cases_run('f1', 4, 3);
SELECT count(*) FROM cases_line;
-- and the run after it does what is missing
SELECT * FROM cases_run('f1', 4, 4);
SELECT count(*), count(DISTINCT line), sum(amount) FROM cases_line;
-- the same name with another content is found out, line by line
SELECT ordinality, outcome, mismatch FROM idem.claim_many('cases in', ARRAY[idem.key('f1', '1'), idem.key('f1', '2')], '{"{\"amount\": 10}","{\"amount\": 21}"}')
    WITH ORDINALITY;

-- C 82: each duplicate took a number of the sequence, until the column was
-- full. A claim comes before the row, so a duplicate takes none; and anchors
-- have no number at all.
CREATE TABLE cases_payment (id smallint GENERATED ALWAYS AS IDENTITY (MAXVALUE 99), key text);
DO $$
BEGIN
    FOR i IN 1 .. 1000 LOOP
        INSERT INTO cases_payment (key) SELECT key FROM idem.claim('cases in', 'p-82', '{"amount": 1}') WHERE granted;
    END LOOP;
END $$;
SELECT id, last_value FROM cases_payment, cases_payment_id_seq;
SELECT a.attrelid::regclass AS "table", a.attname AS "numbered by" FROM pg_attribute a
    WHERE a.attrelid IN ('idem.anchor'::regclass, 'idem.reservation'::regclass) AND (a.attidentity <> '' OR a.atthasdef);

DROP FUNCTION cases_charge, cases_run;
DROP TABLE cases_event, cases_line, cases_payment;
DELETE FROM idem.evidence e USING idem.scope s WHERE e.scope = s.id AND s.name LIKE 'cases %';
DELETE FROM idem.reservation USING idem.scope s WHERE scope = s.id AND s.name LIKE 'cases %';
DELETE FROM idem.attempt USING idem.scope s WHERE scope = s.id AND s.name LIKE 'cases %';
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'cases %';
DELETE FROM idem.scope WHERE name LIKE 'cases %';
