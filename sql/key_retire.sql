-- What may be forgotten, and what never is. Keys that carry their own time can
-- be removed, because from then on they are too old to be new. Wounds 8b, 27.
SET TIME ZONE 'UTC';
CREATE FUNCTION claim_short(idem.claim_result) RETURNS text LANGUAGE sql
    AS $$ SELECT concat_ws(' ', $1.outcome, CASE WHEN $1.granted THEN 'GRANTED' END, CASE WHEN $1.settled THEN 'SETTLED' END,
                 $1.state, $1.response, CASE WHEN $1.response_dropped THEN 'DROPPED' END, $1.mismatch) $$;
CREATE FUNCTION claim_short(idem.send_result) RETURNS text LANGUAGE sql
    AS $$ SELECT concat_ws(' ', $1.outcome, CASE WHEN $1.granted THEN 'GRANTED' END, CASE WHEN $1.settled THEN 'SETTLED' END,
                 $1.state, $1.response, CASE WHEN $1.response_dropped THEN 'DROPPED' END, $1.mismatch) $$;

-- Bodies: kept for the keep of the scope, whole months included, then dropped;
-- the key, its fingerprint and its state stay. (C 24, C 37, C 38, C 53)
SELECT idem.create_scope('claim bodies', 'inside', '{amount}', keep => '6 months');
BEGIN;
SELECT claim_short(idem.claim('claim bodies', k, '{"amount": 1}')), claim_short(idem.complete('claim bodies', k, '{"id": 1}'))
    FROM unnest('{old,young}'::text[]) k;
COMMIT;
SELECT claim_short(idem.claim('claim bodies', 'bare', '{"amount": 1}'));
UPDATE idem.anchor SET first_seen = clock_timestamp() - CASE key WHEN 'young' THEN interval '5 months 28 days' ELSE '6 months 1 day' END
    WHERE key IN ('old', 'young', 'bare');
SELECT * FROM idem.retire('claim bodies');
SELECT * FROM idem.retire('claim bodies');
SELECT k, claim_short(idem.claim('claim bodies', k, '{"amount": "1.0"}')) FROM unnest('{old,young,bare}'::text[]) k;
SELECT claim_short(idem.claim('claim bodies', 'old', '{"amount": 2}'));
SELECT claim_short(idem.lookup('claim bodies', 'old'));
-- the keys of such a scope are for good
SELECT * FROM idem.retire('claim bodies', before => clock_timestamp() - interval '7 months');
SELECT action, arguments FROM idem.change_log WHERE name = 'claim bodies' ORDER BY n;
-- a batch is a batch, and an open transaction's claims are nobody's business
BEGIN;
SELECT count(*) FROM (SELECT idem.claim('claim bodies', 'b' || i, '{"amount": 1}'), idem.complete('claim bodies', 'b' || i, '1') FROM generate_series(1, 5) i) x;
COMMIT;
UPDATE idem.anchor SET first_seen = '2000-01-01' WHERE key ~ '^b\d$';
SELECT dropped FROM idem.retire('claim bodies', batch => 3);
SELECT dropped FROM idem.retire('claim bodies', batch => 3);

-- A key's own time: a date, or the milliseconds of a UUID of version 7. The
-- session's time zone has no part in it. (C 26)
SELECT idem.key_time('20180718-000001', 'YYYYMMDD'), idem.key_time('2018-07-18/1', 'YYYY-MM-DD'),
       idem.key_time('017f22e2-79b0-7cc3-98c4-dc0c0c07398f', 'uuidv7'), idem.key_time(idem.key('20180718', 'M001'), 'YYYYMMDD', 2);
SET TIME ZONE 'Asia/Shanghai';
SELECT idem.key_time('20180718-000001', 'YYYYMMDD') = '2018-07-18 00:00+00' AS same;
SET TIME ZONE 'America/New_York';
SELECT idem.key_time('20180718-000001', 'YYYYMMDD') = '2018-07-18 00:00+00' AS same;
SET TIME ZONE 'UTC';
CREATE FUNCTION claim_time(k text, how text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN RETURN idem.key_time(k, how); EXCEPTION WHEN SQLSTATE '22I01' THEN RETURN SQLERRM; END $$;
SELECT how, k, claim_time(k, how) FROM (VALUES
    (1, 'YYYYMMDD', '20200229'), (2, 'YYYYMMDD', '20190229'), (3, 'YYYYMMDD', '20181301'), (4, 'YYYYMMDD', '20180001'),
    (5, 'YYYYMMDD', '20180100'), (6, 'YYYYMMDD', '20180431x'), (7, 'YYYYMMDD', '2018071'), (8, 'YYYYMMDD', '2018-07-18'),
    (9, 'YYYYMMDD', '00010101'), (10, 'YYYYMMDD', '00000101'), (11, 'YYYYMMDD', '99991231'), (12, 'YYYYMMDD', 'x20180718'),
    (13, 'YYYY-MM-DD', '2018-07-18'), (14, 'YYYY-MM-DD', '2018/07/18'), (15, 'YYYY-MM-DD', '20180718'), (16, 'YYYY-MM-DD', '2018-7-18'),
    (17, 'uuidv7', '017F22E2-79B0-7CC3-98C4-DC0C0C07398F-2'), (18, 'uuidv7', '017f22e2-79b0-4cc3-98c4-dc0c0c07398f'),
    (19, 'uuidv7', '017f22e2-79b0-7cc3-78c4-dc0c0c07398f'), (20, 'uuidv7', '017f22e279b07cc398c4dc0c0c07398f0000'),
    (21, 'uuidv7', '017f22e2-79b0-7cc3-98c4-dc0c0c07398'), (22, 'uuidv7', 'g17f22e2-79b0-7cc3-98c4-dc0c0c07398f'),
    (23, 'uuidv7', '00000000-0000-7000-8000-000000000000'), (24, 'uuidv7', 'ffffffff-ffff-7fff-bfff-ffffffffffff')
    ) v (n, how, k) ORDER BY n;
SELECT idem.key_time('20180718', 'YYMMDD');
-- No scope is named where there is none. (wound 27)
SELECT idem.key_time('order-1', 'YYYYMMDD');
SELECT idem.key_time('20180718', 'YYYYMMDD', 2);

-- Such a scope takes only such keys.
SELECT idem.create_scope('claim dated', 'inside', '{amount}', key_time => 'YYYYMMDD');
SELECT idem.claim('claim dated', 'order-1', '{"amount": 1}');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.lookup('claim dated', 'order-1');
SELECT claim_short(idem.claim('claim dated', k, '{"amount": 1}')) FROM unnest('{20180717-1,20180718-1,20180719-1}'::text[]) k;

-- The horizon moves, and what lies before it is removed; it never comes back
-- as new. (C 22, C 41, C 42, C 43, C 68)
SELECT * FROM idem.retire('claim dated', '2018-07-19');
SELECT k, claim_short(idem.claim('claim dated', k, '{"amount": 1}'))
    FROM unnest('{20180717-1,20180718-1,20180718-2,20180719-1,20180719-2}'::text[]) k;
SELECT claim_short(idem.lookup('claim dated', k)) FROM unnest('{20180718-1,20180719-3}'::text[]) k;
SELECT outcome, settled, key, detail FROM idem.claim_many('claim dated', '{20180719-4,20180718-9}', '{"{\"amount\": 1}","{\"amount\": 1}"}');
SELECT count(*) FROM idem.anchor a JOIN idem.scope s ON s.id = a.scope WHERE s.name = 'claim dated' AND key < '20180719';
-- never back
SELECT * FROM idem.retire('claim dated', '2018-07-01');
SELECT claim_short(idem.claim('claim dated', '20180718-1', '{"amount": 1}'));
-- in batches: what is still known is answered as ever, what is not is expired
SELECT count(*) FROM idem.claim_many('claim dated', ARRAY(SELECT '20180720-' || i FROM generate_series(1, 5) i), array_fill('{"amount": 1}'::jsonb, '{5}'));
SELECT * FROM idem.retire('claim dated', '2018-07-21', batch => 5);
SELECT outcome, count(*) FROM generate_series(1, 5) i, idem.claim('claim dated', '20180720-' || i, '{"amount": 1}') GROUP BY 1 ORDER BY 1;
SELECT * FROM idem.retire('claim dated', '2018-07-21');
SELECT outcome, count(*) FROM generate_series(1, 5) i, idem.claim('claim dated', '20180720-' || i, '{"amount": 1}') GROUP BY 1 ORDER BY 1;
-- a retirement that is rolled back has not happened
SELECT claim_short(idem.claim('claim dated', '20180722-1', '{"amount": 1}'));
BEGIN;
SELECT * FROM idem.retire('claim dated', '2018-07-23');
SELECT claim_short(idem.claim('claim dated', '20180722-1', '{"amount": 1}'));
ROLLBACK;
SELECT claim_short(idem.claim('claim dated', '20180722-1', '{"amount": 1}'));
-- a fence stays for good. (C 66, C 68)
SELECT claim_short(idem.fence('claim dated', '20180722-2', 'reversed'));
SELECT removed FROM idem.retire('claim dated', '2018-07-23');
SELECT claim_short(idem.claim('claim dated', k, '{"amount": 1}')) FROM unnest('{20180722-1,20180722-2,20180722-2}'::text[]) k;
-- and an old key nobody knows is not fenced: it may have run
SELECT claim_short(idem.fence('claim dated', '20180718-1', 'reversed'));

-- With both, no key goes within the keep.
SELECT idem.create_scope('claim both', 'inside', '{}', keep => '1 day', key_time => 'YYYYMMDD', parts => 2);
SELECT claim_short(idem.claim('claim both', idem.key('20180718', '1')));
SELECT idem.claim('claim both', '20180718');
SELECT idem.claim('claim both', idem.key('1', '20180718'));
\set VERBOSITY terse
SELECT removed FROM idem.retire('claim both', clock_timestamp() - interval '1 hour');
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
SELECT removed FROM idem.retire('claim both', clock_timestamp() - interval '25 hours');
UPDATE idem.anchor SET first_seen = first_seen - interval '25 hours' WHERE key = idem.key('20180718', '1');
SELECT removed FROM idem.retire('claim both', clock_timestamp() - interval '25 hours');

-- Of effects outside: what is final goes, whatever else stays, and is told.
SELECT idem.create_scope('claim out', 'outside', '{}', keep => '1 hour', key_time => 'YYYYMMDD');
SELECT claim_short(idem.reserve('claim out', '20180718-' || s, '{"to": "x"}')) FROM unnest('{reserved,fenced,failed,succeeded,unknown,dropped}'::text[]) s;
SELECT claim_short(idem.fence('claim out', '20180718-fenced', 'reversed'));
UPDATE idem.reservation SET state = CASE substr(key, 10) WHEN 'failed' THEN 'f' WHEN 'unknown' THEN 'u' ELSE 's' END::"char",
       finished_at = CASE WHEN key !~ 'unknown' THEN clock_timestamp() - interval '2 hours' END, response = '{"ok": 1}',
       due_at = CASE WHEN key ~ 'unknown' THEN due_at END
    WHERE substr(key, 10) IN ('failed', 'succeeded', 'unknown', 'dropped');
INSERT INTO idem.attempt (scope, key, attempt, token, dispatched_at)
    SELECT scope, r.key, n, n, r.first_seen FROM idem.reservation r JOIN idem.scope s ON s.id = r.scope, generate_series(1, 2) n WHERE s.name = 'claim out';
SELECT dropped, removed FROM idem.retire('claim out');
SELECT substr(key, 10) AS was, response IS NULL AND request IS NULL AS gone, dropped FROM idem.reservation WHERE key LIKE '20180718-%' ORDER BY 1;
SELECT claim_short(idem.lookup('claim out', '20180718-succeeded'));
SELECT dropped, removed FROM idem.retire('claim out', '2018-07-19');
SELECT substr(key, 10) AS stays FROM idem.reservation WHERE key LIKE '20180718-%' ORDER BY 1;
-- attempts go with their keys, and only with them
SELECT substr(key, 10) AS stays, count(*) AS attempts FROM idem.attempt WHERE key LIKE '20180718-%' GROUP BY 1 ORDER BY 1;
SELECT claim_short(idem.reserve('claim out', '20180718-' || s)) FROM unnest('{succeeded,failed,never,fenced}'::text[]) s;
SELECT claim_short(idem.fence('claim out', '20180718-succeeded', 'reversed'));

-- also where nothing else keeps it: no answer yet, or somebody has to look
SELECT idem.create_scope('claim open', 'outside', '{}', key_time => 'YYYYMMDD');
SELECT claim_short(idem.reserve('claim open', '20180718-' || s)) FROM unnest('{reserved,fenced,dispatched,unknown,released,looked,done}'::text[]) s;
SELECT claim_short(idem.fence('claim open', '20180718-fenced', 'reversed'));
SELECT claim_short(idem.release('claim open', '20180718-released', 1));
UPDATE idem.reservation SET state = CASE substr(key, 10) WHEN 'dispatched' THEN 'd' WHEN 'unknown' THEN 'u' ELSE 's' END::"char",
       due_at = CASE WHEN key !~ 'done' THEN due_at END, finished_at = CASE WHEN key ~ 'done|looked' THEN '2018-07-18'::timestamptz END
    WHERE scope = (SELECT id FROM idem.scope WHERE name = 'claim open') AND substr(key, 10) IN ('dispatched', 'unknown', 'looked', 'done');
SELECT dropped, removed FROM idem.retire('claim open', '2018-07-19');
SELECT substr(key, 10) AS stays FROM idem.reservation WHERE scope = (SELECT id FROM idem.scope WHERE name = 'claim open') ORDER BY 1;

-- In the transaction that retires, an old claim is as settled as before
-- (wound 8b): that its row was written here does not make it ours.
SELECT idem.create_scope('claim here', 'inside', '{}', keep => '1 day', key_time => 'YYYYMMDD');
BEGIN;
SELECT outcome FROM idem.claim('claim here', '20180718-c');
SELECT outcome FROM idem.complete('claim here', '20180718-c', '{"n":3}');
COMMIT;
UPDATE idem.anchor SET first_seen = '2018-07-18' WHERE key = '20180718-c';
BEGIN;
SELECT dropped, removed FROM idem.retire('claim here');
SELECT outcome, settled, response_dropped FROM idem.claim('claim here', '20180718-c');
SELECT outcome, settled, response_dropped FROM idem.lookup('claim here', '20180718-c');
SELECT idem.complete('claim here', '20180718-c', '{"n":3}');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT dropped, removed FROM idem.retire('claim here');
SELECT outcome, settled, response_dropped FROM idem.claim('claim here', '20180718-c');
-- what was claimed here is ours all the same, until it is rolled back
SELECT outcome, settled FROM idem.claim('claim here', '20180718-d');
SELECT outcome, settled FROM idem.claim('claim here', '20180718-d');
SAVEPOINT s;
SELECT outcome, settled FROM idem.claim('claim here', '20180718-e');
SELECT outcome, settled FROM idem.claim('claim here', '20180718-e');
ROLLBACK TO s;
SELECT outcome, settled FROM idem.lookup('claim here', '20180718-e');
SAVEPOINT s;
SELECT outcome, settled FROM idem.claim('claim here', '20180718-e');
RELEASE s;
SELECT outcome, settled FROM idem.claim('claim here', '20180718-e');
COMMIT;
SELECT outcome, settled FROM idem.claim('claim here', '20180718-e');
-- so a scope may be dropped after its bodies
BEGIN;
SELECT dropped FROM idem.retire('claim here');
UPDATE idem.anchor SET response = '{"n":3}', state = 's' WHERE key = '20180718-c';
SELECT dropped FROM idem.retire('claim here');
SELECT idem.drop_scope('claim here', force => 'no longer used');
ROLLBACK;

-- What is refused.
SELECT idem.create_scope('claim kept', 'inside', '{}');
SELECT * FROM idem.retire('claim kept');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM idem.retire('claim dated', 'infinity');
SELECT * FROM idem.retire('claim dated', clock_timestamp() + interval '1 hour');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM idem.retire('claim dated', batch => 0);
SELECT * FROM idem.retire('claim dated', batch => NULL);
SELECT * FROM idem.retire(NULL);
SELECT * FROM idem.retire('claim nosuch');
SELECT idem.create_scope('claim x', 'inside', '{}', key_time => 'DDMMYYYY');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.create_scope('claim x', 'inside', '{}', keep => '0');
SELECT idem.create_scope('claim x', 'inside', '{}', keep => '1 month -1 day');
SELECT idem.create_scope('claim x', 'inside', '{}', parts => 65);
SELECT arguments FROM idem.change_log WHERE name = 'claim both' AND action = 'declared';

RESET TIME ZONE;
DROP FUNCTION claim_short(idem.claim_result), claim_short(idem.send_result), claim_time;
DELETE FROM idem.evidence USING idem.scope s WHERE scope = s.id AND s.name LIKE 'claim %';
DELETE FROM idem.reservation USING idem.scope s WHERE scope = s.id AND s.name LIKE 'claim %';
DELETE FROM idem.attempt USING idem.scope s WHERE scope = s.id AND s.name LIKE 'claim %';
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'claim %';
DELETE FROM idem.scope WHERE name LIKE 'claim %';
