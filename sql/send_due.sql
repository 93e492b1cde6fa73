--
-- What somebody has to look at, and when (wound 8b).
--
SET client_min_messages = warning;
SELECT idem.create_scope('due pay', 'outside', '{}', lease => '1 min', ladder => '{10s,20s,1h}');
-- The ladder of a scope that says nothing: seconds, minutes, two hours, then a person.
SELECT idem.create_scope('due default', 'outside', '{}');
SELECT ladder, lease, quiet FROM idem.scope WHERE name = 'due default';

-- How long until it is due, to the nearest ten seconds, so that a slow machine
-- says the same; and what becomes of the clock: time goes by for one key.
CREATE FUNCTION due_in(k text) RETURNS interval LANGUAGE sql
    AS $$ SELECT make_interval(secs => 10 * round(extract(epoch FROM due_at - clock_timestamp()) / 10)) FROM idem.reservation WHERE key = k
          AND scope IN (SELECT id FROM idem.scope WHERE name LIKE 'due %') $$;
CREATE FUNCTION due_wait(k text) RETURNS void LANGUAGE sql
    AS $$ UPDATE idem.reservation SET due_at = clock_timestamp() - interval '1 us' WHERE key = k
          AND scope IN (SELECT id FROM idem.scope WHERE name LIKE 'due %') $$;

-- Reserved: one rung after the lease, when somebody may take it over.
SELECT token FROM idem.reserve('due pay', 'a', request => '{"iban": "x"}');
SELECT due_in('a');
SELECT * FROM idem.due('due pay');
SELECT outcome FROM idem.heartbeat('due pay', 'a', 1, '2 min');
SELECT due_in('a');
SELECT due_wait('a');
SELECT outcome, granted, settled, key, state, token, attempt, request, dispatched_at, step, why,
       retry_at - clock_timestamp() > interval '19 s' AS later FROM idem.due('due pay');
SELECT * FROM idem.due('due pay');

-- Dispatched: one rung after the lease, and the ladder begins anew.
CALL idem.dispatch('due pay', 'a', 1) \gset
SELECT due_in('a');
SELECT due_wait('a');
SELECT state, step, why, dispatched_at < clock_timestamp() AS sent FROM idem.due('due pay');
SELECT due_in('a');
-- A heartbeat does not put off an inquiry that has begun.
SELECT outcome FROM idem.heartbeat('due pay', 'a', 1, '10 min');
SELECT due_in('a');
-- Unknown: one rung from now, then the others.  At the end a person, again and again.
SELECT outcome FROM idem.complete('due pay', 'a', 1, 'unknown');
SELECT due_in('a');
SELECT outcome FROM idem.complete('due pay', 'a', 1, 'unknown');
SELECT due_in('a');
SELECT due_wait('a');
SELECT outcome, step, why FROM idem.due('due pay');
SELECT due_in('a');
SELECT due_wait('a');
SELECT outcome, step, why FROM idem.due('due pay');
SELECT due_in('a');
SELECT why FROM idem.open_claims WHERE scope = 'due pay';
SELECT due_wait('a');
SELECT outcome, step, why FROM idem.due('due pay');
SELECT due_in('a'), (SELECT why FROM idem.open_claims WHERE scope = 'due pay');
SELECT due_wait('a');
SELECT outcome, step, why FROM idem.due('due pay');
SELECT due_in('a');
SELECT due_wait('a');
SELECT outcome, step, why FROM idem.due('due pay');
-- Final: never again.
SELECT outcome FROM idem.resolve('due pay', 'a', 'succeeded', '{"by": "me"}');
SELECT due_in('a'), (SELECT count(*) FROM idem.open_claims WHERE scope = 'due pay') AS open;

-- Released and not reserved again: somebody forgot it.
SELECT token FROM idem.reserve('due pay', 'b');
SELECT outcome FROM idem.release('due pay', 'b', 1);
SELECT due_in('b');
SELECT due_wait('b');
SELECT outcome, state, why FROM idem.due('due pay');
-- It is fenced if it is to be forgotten.
SELECT outcome FROM idem.fence('due pay', 'b', 'given up');
SELECT due_in('b');

-- The oldest first, so many at a time; other scopes are not touched.
SELECT count(*) FROM generate_series(1, 5) i, idem.reserve('due pay', 'k' || i);
SELECT outcome FROM idem.reserve('due default', 'k1');
UPDATE idem.reservation SET due_at = now() - (7 - right(key, 1)::int) * interval '1 s'
    WHERE key LIKE 'k_' AND scope IN (SELECT id FROM idem.scope WHERE name LIKE 'due %');
SELECT key FROM idem.due('due pay', 2);
SELECT key FROM idem.due('due pay', 2);
SELECT key FROM idem.due('due pay');
SELECT key FROM idem.due('due pay');
SELECT key, why FROM idem.due('due default');
-- It is a set like any other.
SELECT due_wait('k2');
SELECT count(*) FROM (SELECT idem.due('due pay', 1) LIMIT 1) d;
SELECT scope, key, state, attempt, step, why FROM idem.open_claims WHERE scope LIKE 'due %' ORDER BY scope, key COLLATE "C";

-- In the transaction that is handed an abandoned reservation it can be taken
-- over (wound 8b): that due has moved its row does not make it ours.
SELECT outcome, token FROM idem.reserve('due pay', 'left', lease => '1 us');
SELECT due_wait('left');
BEGIN;
SELECT key, why FROM idem.due('due pay') WHERE key = 'left';
SELECT outcome, token FROM idem.reserve('due pay', 'left', nonce => 'mine', lease => '1 us');
-- now it is ours, and not to be taken over from ourselves
SELECT outcome, detail FROM idem.reserve('due pay', 'left', nonce => 'other');
COMMIT;

-- What is refused.
SELECT * FROM idem.due('due pay', 0);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM idem.due('due pay', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM idem.due(NULL);
SELECT * FROM idem.due('due nothing');
BEGIN READ ONLY;
SELECT * FROM idem.due('due pay');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

DROP FUNCTION due_in, due_wait;
DELETE FROM idem.evidence e USING idem.scope s WHERE e.scope = s.id AND s.name LIKE 'due %';
DELETE FROM idem.reservation USING idem.scope s WHERE scope = s.id AND s.name LIKE 'due %';
DELETE FROM idem.attempt USING idem.scope s WHERE scope = s.id AND s.name LIKE 'due %';
DELETE FROM idem.scope WHERE name LIKE 'due %';
