--
-- Suspected duplicates: another key, the same payment.  What is suspected, what
-- it is answered, and who says that it is another payment; races are in the
-- isolation spec claim_suspect, effects outside in send_suspect.
--
SET client_min_messages = warning;
SELECT idem.create_scope('suspect report', 'inside', '{user,amount}', duplicate_fields => '{user,amount}', duplicate_window => '1 day');
SELECT idem.create_scope('suspect hold', 'inside', '{user,amount,note}', duplicate_fields => '{amount,user}', duplicate_window => '1 day', on_duplicate => 'hold');
-- what happened is moved into the past
CREATE FUNCTION pg_temp.later(by interval) RETURNS void LANGUAGE sql AS $$
    UPDATE idem.sighting s SET first_seen = first_seen - by FROM idem.scope c WHERE c.id = s.scope AND c.name LIKE 'suspect %' AND first_seen < 'infinity';
    UPDATE idem.suspect s SET first_seen = first_seen - by FROM idem.scope c WHERE c.id = s.scope AND c.name LIKE 'suspect %';
    UPDATE idem.anchor a SET first_seen = first_seen - by FROM idem.scope c WHERE c.id = a.scope AND c.name LIKE 'suspect %';
$$;
CREATE VIEW pg_temp.suspects AS
    SELECT scope, key, state, other, other_seen <= first_seen AS before FROM idem.suspects WHERE scope LIKE 'suspect %' ORDER BY scope, key;

-- ------------------------------------------------- report: granted as ever
SELECT outcome, granted, settled, detail FROM idem.claim('suspect report', 'a', '{"user":"u1","amount":88.00}');
SELECT outcome, granted, settled, detail FROM idem.claim('suspect report', 'b', '{"user":"u1","amount":"88.0"}');
SELECT outcome FROM idem.claim('suspect report', 'c', '{"amount":88,"user":"u1"}');
-- not the same payment, and not another key
SELECT outcome FROM idem.claim('suspect report', 'd', '{"user":"u2","amount":88}');
SELECT outcome FROM idem.claim('suspect report', 'e', '{"user":"u1","amount":88.01}');
SELECT outcome FROM idem.claim('suspect report', 'a', '{"user":"u1","amount":88.00}');
SELECT * FROM pg_temp.suspects;
-- An equal payment is lawful: who knows that it is one says so.
SELECT idem.confirm_suspects(ARRAY(SELECT id FROM idem.suspects WHERE scope = 'suspect report' AND key = 'b'), 'the customer said yes twice');
SELECT outcome FROM idem.claim('suspect report', 'f', '{"user":"u1","amount":88}', confirmed => 'two tickets');
SELECT * FROM pg_temp.suspects;
SELECT e.key, e.n, e.action, e.outcome, e.reason FROM idem.evidence e JOIN idem.scope s ON (s.id, s.created_at) = (e.scope, e.scope_created_at)
    WHERE s.name = 'suspect report' ORDER BY 1, 2;
-- Counts and ages, for those who watch; what nobody has judged is a finding.
SELECT scope, state, keys, oldest <= clock_timestamp() AS oldest FROM idem.stat_suspects WHERE scope LIKE 'suspect %';
SELECT severity, object, regexp_replace(finding, 'since .*', 'since ...') AS finding, remedy FROM idem.suspect_problems WHERE object ~ 'suspect ';
SELECT count(*) FROM idem.doctor() WHERE finding ~ 'although another one has the same members' AND object ~ 'suspect report';

-- A window ends.
SELECT pg_temp.later('1 day 1 sec');
SELECT outcome FROM idem.claim('suspect report', 'g', '{"user":"u1","amount":88}');
SELECT pg_temp.later('23 hours');
SELECT outcome FROM idem.claim('suspect report', 'h', '{"user":"u1","amount":88}');
SELECT * FROM pg_temp.suspects;

-- What is rolled back leaves nothing.
BEGIN;
SAVEPOINT s;
SELECT outcome FROM idem.claim('suspect report', 'x', '{"user":"u9","amount":1}');
ROLLBACK TO s;
SELECT outcome FROM idem.claim('suspect report', 'y', '{"user":"u9","amount":1}');
COMMIT;
SELECT count(*) FROM pg_temp.suspects WHERE key IN ('x', 'y');
SELECT count(*) FROM idem.sighting s JOIN idem.scope c ON c.id = s.scope WHERE c.name = 'suspect report' AND s.key IN ('x', 'y');
-- Twice in one transaction, and in one call.
SELECT key, outcome FROM idem.claim_many('suspect report', '{m1,m2}', ARRAY['{"user":"u8","amount":1}', '{"user":"u8","amount":1}']::jsonb[]);
SELECT count(*) FROM pg_temp.suspects WHERE key IN ('m1', 'm2');

-- --------------------------------------- hold: neither granted nor settled
SELECT outcome, granted, settled FROM idem.claim('suspect hold', 'a', '{"user":"u1","amount":88,"note":"first"}');
SELECT outcome, granted, settled, state, detail, first_seen <= clock_timestamp() AS first_seen FROM idem.claim('suspect hold', 'b', '{"user":"u1","amount":88,"note":"second"}');
-- as often as it comes, in whatever note
SELECT outcome FROM idem.claim('suspect hold', 'b', '{"user":"u1","amount":"88.000","note":"third"}');
SELECT outcome, granted, settled, first_seen IS NOT NULL AS since FROM idem.lookup('suspect hold', 'b');
SELECT outcome FROM idem.lookup('suspect hold', 'c');
SELECT * FROM pg_temp.suspects WHERE scope = 'suspect hold';
-- it is the key that is held: another payment under it goes
SELECT outcome FROM idem.claim('suspect hold', 'c', '{"user":"u1","amount":88,"note":""}');
SELECT outcome FROM idem.claim('suspect hold', 'c', '{"user":"u1","amount":89,"note":""}');
SELECT key FROM pg_temp.suspects WHERE scope = 'suspect hold';
-- nor does a confirmation go further than what it was said of
SELECT outcome FROM idem.claim('suspect hold', 'v', '{"user":"u1","amount":88,"note":""}');
SELECT idem.confirm_suspects(ARRAY(SELECT id FROM idem.suspects WHERE scope = 'suspect hold' AND key = 'v'), '88 twice');
SELECT outcome FROM idem.claim('suspect hold', 'v', '{"user":"u1","amount":89,"note":""}');
SELECT outcome FROM idem.claim('suspect hold', 'v', '{"user":"u1","amount":88,"note":""}');
-- A held key is no key that another one is a duplicate of; it stays held
-- when the window is over, for it came within.
SELECT pg_temp.later('1 day 1 sec');
SELECT outcome FROM idem.claim('suspect hold', 'b', '{"user":"u1","amount":88,"note":"fourth"}');
SELECT outcome FROM idem.claim('suspect hold', 'd', '{"user":"u1","amount":88,"note":"a day later"}');
SELECT severity, regexp_replace(finding, 'since .*', 'since ...') AS finding FROM idem.suspect_problems WHERE object ~ 'suspect hold';
-- Of many in one call one is granted.
SELECT key, outcome FROM idem.claim_many('suspect hold', '{m1,m2,m3}',
    array_fill('{"user":"u7","amount":1,"note":""}'::jsonb, ARRAY[3]));
-- and in one transaction; a savepoint gives it back
BEGIN;
SAVEPOINT s;
SELECT outcome FROM idem.claim('suspect hold', 's1', '{"user":"u6","amount":1,"note":""}');
SELECT outcome FROM idem.claim('suspect hold', 's2', '{"user":"u6","amount":1,"note":""}');
ROLLBACK TO s;
SELECT outcome FROM idem.claim('suspect hold', 's2', '{"user":"u6","amount":1,"note":""}');
COMMIT;
SELECT key, outcome FROM idem.claim_many('suspect hold', '{s1,s2}', array_fill('{"user":"u6","amount":1,"note":""}'::jsonb, ARRAY[2]));

-- A row of a key that was not taken after all, as somebody was faster who then
-- rolled back, is of no account.
SELECT outcome FROM idem.claim('suspect hold', 'o1', '{"user":"u2","amount":1,"note":""}');
DELETE FROM idem.anchor a USING idem.scope c WHERE c.id = a.scope AND c.name = 'suspect hold' AND key = 'o1';
SELECT outcome FROM idem.claim('suspect hold', 'o2', '{"user":"u2","amount":1,"note":""}');

-- Confirmed: in the call, or before it comes again.
SELECT outcome, granted FROM idem.claim('suspect hold', 'b', '{"user":"u1","amount":88,"note":"fifth"}', confirmed => 'asked by telephone');
SELECT idem.confirm_suspects(ARRAY(SELECT id FROM idem.suspects WHERE scope = 'suspect hold' AND key IN ('m1', 'm2', 'm3')), 'three tickets');
SELECT key, outcome FROM idem.claim_many('suspect hold', '{m1,m2,m3}', array_fill('{"user":"u7","amount":1,"note":""}'::jsonb, ARRAY[3]));
SELECT key, outcome, granted FROM idem.claim_many('suspect hold', '{n1,n2}', array_fill('{"user":"u5","amount":1,"note":""}'::jsonb, ARRAY[2]), confirmed => 'two of each');
-- a confirmation is rolled back with the claim that it is said of
BEGIN;
SELECT outcome FROM idem.claim('suspect hold', 's1', '{"user":"u6","amount":1,"note":""}', 'yes');
ROLLBACK;
SELECT outcome FROM idem.claim('suspect hold', 's1', '{"user":"u6","amount":1,"note":""}');
-- The answer "it is one": the key never runs, and asks no more.
SELECT outcome FROM idem.fence('suspect hold', 's1', 'the customer pressed twice');
SELECT outcome, settled FROM idem.claim('suspect hold', 's1', '{"user":"u6","amount":1,"note":""}');
-- What is fenced speaks against none.
SELECT outcome FROM idem.fence('suspect hold', 'f1', 'cancelled');
SELECT * FROM pg_temp.suspects WHERE scope = 'suspect hold';
SELECT e.key, e.n, e.action, e.outcome, e.role = session_user AS role, e.reason FROM idem.evidence e JOIN idem.scope s ON s.id = e.scope
    WHERE s.name = 'suspect hold' ORDER BY 1, 2;

-- What is known of a key is said before, a pause after.
SELECT outcome, mismatch FROM idem.claim('suspect hold', 'a', '{"user":"u1","amount":1,"note":""}');
SELECT FROM idem.pause('scope', 'suspect hold', reason => 'test');
SELECT outcome FROM idem.claim('suspect hold', 'p1', '{"user":"u1","amount":88,"note":""}');
SELECT outcome FROM idem.claim('suspect hold', 'p2', '{"user":"u4","amount":1,"note":""}');
SELECT FROM idem.resume('scope', 'suspect hold', reason => 'test');
SELECT outcome FROM idem.claim('suspect hold', 'p2', '{"user":"u4","amount":1,"note":""}');
SELECT FROM idem.pause('scope', 'suspect report', reason => 'test');
SELECT outcome FROM idem.claim('suspect report', 'p1', '{"user":"u4","amount":1}');
SELECT FROM idem.resume('scope', 'suspect report', reason => 'test');
SELECT count(*) FROM idem.sighting s JOIN idem.scope c ON c.id = s.scope WHERE c.name = 'suspect report' AND s.key = 'p1';

-- ----------------------------------------------------------- what is compared
-- A member that is missing is refused, as a field is; one that is null is a
-- value, and two of them agree.
SELECT idem.create_scope('suspect members', 'inside', '{}', duplicate_fields => '{card}', duplicate_window => '90 s', on_duplicate => 'hold', confirm_by => 'caller');
SELECT outcome FROM idem.claim('suspect members', 'a', '{"amount":1}');
\echo :LAST_ERROR_SQLSTATE
SELECT outcome FROM idem.claim('suspect members', 'a');
SELECT outcome FROM idem.claim('suspect members', 'a', '{"card":null}');
SELECT outcome, detail FROM idem.claim('suspect members', 'b', '{"card":null}');
SELECT outcome FROM idem.claim('suspect members', 'c', '{"card":{"n":"1","to":[1.0,2]}}');
SELECT outcome FROM idem.claim('suspect members', 'd', '{"card":{"to":["1",2.00],"n":1}}');
-- a repeat of a key that is known is not asked
SELECT outcome FROM idem.claim('suspect members', 'a');
-- the caller may say so here
SELECT outcome FROM idem.claim('suspect members', 'd', '{"card":{"to":["1",2.00],"n":1}}', confirmed => 'told to');
SELECT idem.create_scope('suspect all', 'inside', '{amount}', duplicate_fields => '{*}', duplicate_window => '1 h', on_duplicate => 'hold');
SELECT outcome FROM idem.claim('suspect all', 'a', '{"amount":1,"x":2}');
SELECT outcome FROM idem.claim('suspect all', 'b', '{"amount":1}');
SELECT outcome, detail FROM idem.claim('suspect all', 'c', '{"x":2.0,"amount":"1"}');

-- ------------------------------------------------------------ who may confirm
CREATE ROLE regress_suspect_app;
CREATE ROLE regress_suspect_operator;
CREATE ROLE regress_suspect_monitor;
SELECT idem.grant_runtime('regress_suspect_app'), idem.grant_operator('regress_suspect_operator'), idem.grant_monitor('regress_suspect_monitor');
SET ROLE regress_suspect_app;
SELECT outcome FROM idem.claim('suspect all', 'c', '{"x":2,"amount":1}', confirmed => 'I think so');
\echo :LAST_ERROR_SQLSTATE
SELECT outcome FROM idem.claim('suspect all', 'new', '{"x":3,"amount":1}', confirmed => 'just in case');
SELECT outcome FROM idem.claim_many('suspect all', '{c}', ARRAY['{"x":2,"amount":1}'::jsonb], 'I think so');
SELECT idem.confirm_suspects('{}', 'I think so');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM idem.suspects;
SELECT outcome FROM idem.claim('suspect members', 'b', '{"card":null}', confirmed => 'another guest');
SET ROLE regress_suspect_monitor;
SELECT scope, state, keys FROM idem.stat_suspects WHERE scope = 'suspect all';
SELECT count(*) FROM idem.suspects;
SET ROLE regress_suspect_operator;
SELECT scope, key FROM idem.suspects WHERE scope = 'suspect all';
SELECT idem.confirm_suspects(ARRAY(SELECT id FROM idem.suspects WHERE scope = 'suspect all'), 'looked at');
-- it is confirmed; nothing else is
SELECT idem.confirm_suspects(ARRAY(SELECT id FROM idem.suspects WHERE scope = 'suspect all'), 'looked at');
SELECT idem.confirm_suspects('{00000000-0000-0000-0000-000000000000,NULL}', 'looked at');
RESET ROLE;
SELECT outcome FROM idem.claim('suspect all', 'c', '{"x":2,"amount":1}');
-- A reason is one; there is nothing to confirm where nothing is compared.
SELECT outcome FROM idem.claim('suspect all', 'd', '{"x":2,"amount":1}', confirmed => ' ');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.confirm_suspects('{}', NULL);
SELECT idem.confirm_suspects(NULL, 'x');
SELECT idem.create_scope('suspect none', 'inside', '{}');
SELECT outcome FROM idem.claim('suspect none', 'a', NULL, confirmed => 'x');
\echo :LAST_ERROR_SQLSTATE
-- Where two persons are asked for, an operator's word needs another one; a caller's own does not. Whether the
-- server has authenticated anybody, who then is one, is a matter of pg_hba.conf.
INSERT INTO idem.policy VALUES ('approval', now(), 'test');
\set VERBOSITY sqlstate
SELECT outcome FROM idem.claim('suspect all', 'd', '{"x":2,"amount":1}', confirmed => 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT outcome FROM idem.claim('suspect all', 'd', '{"x":2,"amount":1}');
SELECT idem.confirm_suspects(ARRAY(SELECT id FROM idem.suspects WHERE scope = 'suspect all'), 'x');
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
SELECT outcome FROM idem.claim('suspect members', 'e', '{"card":null}', confirmed => 'a third guest');
DELETE FROM idem.policy;

-- --------------------------------------------------------------- declared
SELECT idem.create_scope('suspect bad', 'inside', '{}', duplicate_fields => '{a}');
SELECT idem.create_scope('suspect bad', 'inside', '{}', duplicate_fields => '{a}', duplicate_window => '1 month');
SELECT idem.create_scope('suspect bad', 'inside', '{}', duplicate_fields => '{a}', duplicate_window => '0');
SELECT idem.create_scope('suspect bad', 'inside', '{}', duplicate_fields => '{a,*}', duplicate_window => '1 h');
SELECT idem.create_scope('suspect bad', 'inside', '{}', duplicate_fields => '{a,a}', duplicate_window => '1 h');
SELECT idem.create_scope('suspect bad', 'inside', '{}', duplicate_fields => NULL);
SELECT idem.create_scope('suspect bad', 'inside', '{}', duplicate_fields => '{a}', duplicate_window => '1 h', on_duplicate => 'refuse');
SELECT idem.create_scope('suspect bad', 'inside', '{}', duplicate_fields => '{a}', duplicate_window => '1 h', confirm_by => 'nobody');
SELECT idem.create_scope('suspect bad', 'inside', '{}', on_duplicate => 'hold');
-- Altered: any scope begins to compare; to stop, or to compare in another way, is looser.
SELECT outcome FROM idem.claim('suspect none', 'b', '{"a":1}');
SELECT idem.alter_scope('suspect none', duplicate_fields => '{a}', duplicate_window => '1 h', on_duplicate => 'hold', confirm_by => 'caller');
SELECT outcome FROM idem.claim('suspect none', 'c', '{"a":1}');
SELECT outcome FROM idem.claim('suspect none', 'd', '{"a":1}');
SELECT idem.alter_scope('suspect none', duplicate_fields => '{b}');
SELECT idem.alter_scope('suspect none', duplicate_fields => '{}', on_duplicate => 'report');
SELECT idem.alter_scope('suspect none', duplicate_window => '59 min');
SELECT idem.alter_scope('suspect none', on_duplicate => 'report');
SELECT idem.alter_scope('suspect none', duplicate_window => '2 h', confirm_by => 'operator');
SELECT idem.alter_scope('suspect none', confirm_by => 'caller');
SELECT idem.alter_scope('suspect none', on_duplicate => 'report', force => 'they are tips');
SELECT outcome FROM idem.claim('suspect none', 'd', '{"a":1}');
SELECT arguments, reason FROM idem.change_log WHERE name = 'suspect none' ORDER BY n;
SELECT d FROM idem.declarations() d WHERE d ~ 'suspect (none|report|members)';
-- the same again, and otherwise
SELECT idem.create_scope('suspect report', 'inside', '{user,amount}', duplicate_fields => '{amount,user}', duplicate_window => '24 h', confirm_by => 'caller');

-- ------------------------------------------------------------ what is forgotten
-- idem.retire forgets what lies before the window, but for what a held key was
-- compared with.
SELECT outcome FROM idem.claim('suspect hold', 'r1', '{"user":"u3","amount":1,"note":""}');
SELECT outcome FROM idem.claim('suspect hold', 'r2', '{"user":"u3","amount":1,"note":""}');
SELECT pg_temp.later('1 day 1 sec');
SELECT dropped, removed FROM idem.retire('suspect hold');
SELECT s.key, isfinite(s.first_seen) AS granted FROM idem.sighting s JOIN idem.scope c ON c.id = s.scope WHERE c.name = 'suspect hold' ORDER BY 1, 2;
SELECT s.key, s.held FROM idem.suspect s JOIN idem.scope c ON c.id = s.scope WHERE c.name = 'suspect hold' ORDER BY 1;
SELECT arguments FROM idem.change_log WHERE name = 'suspect hold' AND action = 'retired';
SELECT outcome FROM idem.claim('suspect hold', 'r2', '{"user":"u3","amount":1,"note":""}');
SELECT outcome FROM idem.claim('suspect hold', 'r2', '{"user":"u3","amount":1,"note":""}', confirmed => 'yes');
SELECT dropped, removed FROM idem.retire('suspect hold');
SELECT count(*) FROM idem.sighting s JOIN idem.scope c ON c.id = s.scope WHERE c.name = 'suspect hold' AND s.key = 'r1';
-- Keys neither: not within the window, nor while one is held because of them.
SELECT idem.create_scope('suspect dated', 'inside', '{}', key_time => 'YYYYMMDD', duplicate_fields => '{a}', duplicate_window => '1 day', on_duplicate => 'hold');
SELECT key, outcome FROM idem.claim_many('suspect dated', '{20180717-1,20180717-2,20180717-3}', ARRAY['{"a":1}', '{"a":1}', '{"a":2}']::jsonb[]);
\set VERBOSITY terse
SELECT * FROM idem.retire('suspect dated', clock_timestamp() - interval '23 h');
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
SELECT removed FROM idem.retire('suspect dated', '2018-07-18 UTC');
SELECT pg_temp.later('1 day 1 sec');
SELECT removed FROM idem.retire('suspect dated', '2018-07-18 UTC');
SELECT a.key FROM idem.anchor a JOIN idem.scope c ON c.id = a.scope WHERE c.name = 'suspect dated' ORDER BY 1;

-- A scope that is dropped leaves none of it.
SELECT idem.drop_scope(name, 'test') FROM idem.scope WHERE name LIKE 'suspect %' ORDER BY name;
SELECT (SELECT count(*) FROM idem.sighting s WHERE NOT EXISTS (SELECT FROM idem.scope c WHERE c.id = s.scope)) AS sightings,
       (SELECT count(*) FROM idem.suspect s WHERE NOT EXISTS (SELECT FROM idem.scope c WHERE c.id = s.scope)) AS suspects;
-- Nor do its confirmations speak for a scope of the same name.
SELECT idem.create_scope('suspect all', 'inside', '{amount}', duplicate_fields => '{*}', duplicate_window => '1 h', on_duplicate => 'hold');
SELECT outcome FROM idem.claim('suspect all', 'a', '{"x":2,"amount":1}');
SELECT outcome FROM idem.claim('suspect all', 'c', '{"x":2,"amount":1}');
SELECT idem.drop_scope('suspect all', 'test');
DELETE FROM idem.evidence e WHERE NOT EXISTS (SELECT FROM idem.scope c WHERE c.id = e.scope) AND action IN ('confirm', 'fence');
DELETE FROM idem.runtime_role WHERE role LIKE 'regress\_suspect\_%';
DROP OWNED BY regress_suspect_app, regress_suspect_operator, regress_suspect_monitor;
DROP ROLE regress_suspect_app, regress_suspect_operator, regress_suspect_monitor;
