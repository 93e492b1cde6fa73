-- What a scope asks of its keys and requests is for new keys (wound 5).  The
-- rules may become stricter while keys of the former kind are there, and a
-- payment under one of them may be under way: whatever is there is served by
-- every function, and only what is not there is refused.
\set VERBOSITY terse

CREATE FUNCTION pg_temp.answer(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    EXECUTE call INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ' ' || sqlerrm;
END $$;

-- ------------------------------------------------------------ effects inside
SELECT idem.create_scope('form in', 'inside', '{}', charset => 'any');
SELECT outcome FROM idem.claim('form in', 'Zahlung 1');
BEGIN;
SELECT outcome FROM idem.claim('form in', 'Zahlung 2');
SELECT idem.alter_scope('form in', charset => 'ascii', parts => 2, fields => '{amount}');
-- claimed in this transaction: completed in it
SELECT outcome, state FROM idem.complete('form in', 'Zahlung 2', '{"n":2}');
COMMIT;
SELECT outcome, settled FROM idem.claim('form in', 'Zahlung 1');
SELECT outcome, settled, response FROM idem.claim('form in', 'Zahlung 2', '{"amount":1}');
SELECT key, outcome, settled FROM idem.claim_many('form in', '{Zahlung 1,Zahlung 2}');
SELECT outcome, settled FROM idem.lookup('form in', 'Zahlung 1');
SELECT outcome, settled FROM idem.fence('form in', 'Zahlung 1', 'cancelled by the payer');
-- what is not there is judged, by its key first
SELECT call, pg_temp.answer(call) FROM (VALUES
    ($$SELECT outcome FROM idem.claim('form in', 'Zahlung 3', '{"amount":1}')$$),
    ($$SELECT outcome FROM idem.claim('form in', 'Zahlung-3', '{"amount":1}')$$),
    ($$SELECT outcome FROM idem.claim('form in', idem.key('Zahlung', '3'))$$),
    ($$SELECT outcome FROM idem.claim('form in', idem.key('Zahlung', '3'), '[1]')$$),
    ($$SELECT outcome FROM idem.claim_many('form in', ARRAY['Zahlung 1', 'Zahlung 3'])$$),
    ($$SELECT outcome FROM idem.complete('form in', 'Zahlung 3', '{}')$$),
    ($$SELECT outcome FROM idem.lookup('form in', 'Zahlung 3')$$),
    ($$SELECT outcome FROM idem.fence('form in', 'Zahlung 3', 'why')$$)) v (call);

-- A field that was declared later is not asked of a known key; one that was
-- declared then has to be there.
SELECT idem.create_scope('form fields', 'inside', '{amount}');
SELECT outcome FROM idem.claim('form fields', 'k', '{"amount":1}');
SELECT idem.alter_scope('form fields', fields => '{amount,payer}');
SELECT call, pg_temp.answer(call) FROM (VALUES
    ($$SELECT outcome FROM idem.claim('form fields', 'k', '{"amount":1}')$$),
    ($$SELECT outcome FROM idem.claim('form fields', 'k', '{"amount":2}')$$),
    ($$SELECT outcome FROM idem.claim('form fields', 'k', '{"amount":1,"payer":"a"}')$$),
    ($$SELECT outcome FROM idem.claim('form fields', 'k', '{"payer":"a"}')$$),
    ($$SELECT outcome FROM idem.claim('form fields', 'k')$$),
    ($$SELECT outcome FROM idem.claim('form fields', 'new', '{"amount":1}')$$)) v (call);

-- ----------------------------------------------------------- effects outside
SELECT idem.create_scope('form out', 'outside', '{}', charset => 'any', quiet => '0');
SELECT k, (idem.reserve('form out', 'Auszahlung ' || k)).token
    FROM unnest('{sent,asked,held,let go,stopped,due}'::text[]) k;
CALL idem.dispatch('form out', 'Auszahlung sent', 1) \gset
CALL idem.dispatch('form out', 'Auszahlung asked', 1) \gset
SELECT idem.alter_scope('form out', charset => 'ascii', parts => 2, fields => '{amount}');
-- a payment under way gets its result
SELECT outcome, settled FROM idem.complete('form out', 'Auszahlung sent', 1, 'succeeded', '{"id":7}');
SELECT outcome, settled, response FROM idem.reserve('form out', 'Auszahlung sent');
SELECT outcome FROM idem.lookup('form out', 'Auszahlung asked');
SELECT outcome, settled FROM idem.resolve('form out', 'Auszahlung asked', 'failed', '{"asked":"bank"}');
SELECT outcome FROM idem.heartbeat('form out', 'Auszahlung held', 1, '1 min');
CALL idem.dispatch('form out', 'Auszahlung held', 1) \gset
\echo :outcome :granted
SELECT outcome FROM idem.release('form out', 'Auszahlung let go', 1);
SELECT outcome, token FROM idem.reserve('form out', 'Auszahlung let go');
SELECT outcome, settled FROM idem.fence('form out', 'Auszahlung stopped', 'cancelled');
UPDATE idem.reservation SET due_at = clock_timestamp() WHERE key = 'Auszahlung due';
SELECT key, why FROM idem.due('form out');
SELECT call, pg_temp.answer(call) FROM (VALUES
    ($$SELECT outcome FROM idem.reserve('form out', 'Auszahlung new', '{"amount":1}')$$),
    ($$SELECT outcome FROM idem.reserve('form out', idem.key('Auszahlung', 'new'))$$),
    ($$SELECT outcome FROM idem.complete('form out', 'Auszahlung new', 1, 'failed')$$),
    ($$SELECT outcome FROM idem.resolve('form out', 'Auszahlung new', 'failed', '{"asked":"bank"}')$$),
    ($$SELECT outcome FROM idem.heartbeat('form out', 'Auszahlung new', 1)$$),
    ($$SELECT outcome FROM idem.release('form out', 'Auszahlung new', 1)$$),
    ($$SELECT outcome FROM idem.lookup('form out', 'Auszahlung new')$$),
    ($$SELECT outcome FROM idem.fence('form out', 'Auszahlung new', 'why')$$)) v (call);

-- ---------------------------------------------------- keys that carry a time
-- A key of the former form is kept, and does not stop the retirement of others.
SELECT idem.create_scope('form dated', 'inside', '{}', key_time => 'YYYYMMDD');
SELECT outcome FROM idem.claim('form dated', '20180718-1');
SELECT idem.alter_scope('form dated', parts => 2);
SELECT outcome FROM idem.claim('form dated', idem.key('20180718', '2'));
SELECT removed, horizon AT TIME ZONE 'UTC' AS horizon FROM idem.retire('form dated', '2018-07-20 00:00+00');
SELECT outcome FROM idem.claim('form dated', '20180718-1');
SELECT outcome FROM idem.claim('form dated', idem.key('20180718', '2'));
SELECT pg_temp.answer($$SELECT outcome FROM idem.claim('form dated', '20180718-3')$$);

-- What can never be there is refused before anything is looked at.
SELECT call, pg_temp.answer(call) FROM (VALUES
    ($$SELECT outcome FROM idem.lookup('form in', NULL)$$),
    ($$SELECT outcome FROM idem.lookup('form in', '')$$),
    ($$SELECT outcome FROM idem.complete('form out', repeat('x', 256), 1, 'failed')$$)) v (call);

DELETE FROM idem.evidence;
DELETE FROM idem.attempt USING idem.scope s WHERE scope = s.id AND s.name LIKE 'form %';
DELETE FROM idem.reservation USING idem.scope s WHERE scope = s.id AND s.name LIKE 'form %';
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'form %';
DELETE FROM idem.scope WHERE name LIKE 'form %';
