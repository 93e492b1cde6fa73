--
-- The place of a database, as far as a server shows that has no idem.site in
-- its configuration: setting one is refused, and where one is set nothing is
-- sent, while results go on.  Servers that have one, copies, backups and
-- promotions: test/tap/620_site.pl.
--
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT FROM idem.create_scope('site', effect => 'outside', fields => '{}', quiet => '0');
SELECT FROM idem.create_scope('site in', effect => 'inside', fields => '{}');
SELECT k, (idem.reserve('site', k, nonce => 'n')).outcome FROM unnest('{reserved,released,sent}'::text[]) k;
CALL idem.dispatch('site', 'sent', 1) \gset
SELECT FROM idem.release('site', 'released', 1);
SELECT outcome FROM idem.reserve('site', 'free', lease => '1 microsecond');

-- Without a place nothing is misplaced, and the doctor advises one.
SELECT idem.misplaced() IS NULL AS here, idem_setting FROM current_setting('idem.site') idem_setting;
SELECT severity, finding FROM idem.doctor() WHERE finding ~ 'no site';

-- ---------------------------------------------------------------------------
-- What is asked for
-- ---------------------------------------------------------------------------

SELECT idem.set_site(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT idem.set_site('');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.set_site(repeat('x', 64));
SELECT idem.set_site('x', on_move => 'stop');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.set_site('x', reason => ' ');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT idem.set_site('production');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT idem.adopt_site(NULL, lost => '0');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.adopt_site('test', lost => NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT idem.adopt_site(' ', lost => '0');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.adopt_site('test', lost => '-1 s');
SELECT idem.adopt_site('test', lost => '1 month');
SELECT idem.adopt_site('test', lost => '0', hold => '-1 s');
SELECT idem.adopt_site('test', lost => '0');
\echo :LAST_ERROR_SQLSTATE
BEGIN READ ONLY;
SELECT idem.set_site('production');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN READ ONLY;
SELECT idem.adopt_site('test', lost => '0');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

-- Nobody says for a session which server it is on.
SET idem.site = 'production';
\echo :LAST_ERROR_SQLSTATE
SELECT set_config('idem.site', 'production', true);
ALTER SYSTEM SET idem.site = 'production';
\echo :LAST_ERROR_SQLSTATE
ALTER DATABASE contrib_regression SET idem.site = 'production';
\echo :LAST_ERROR_SQLSTATE

-- ---------------------------------------------------------------------------
-- Where a place is set, and this is not it
-- ---------------------------------------------------------------------------

BEGIN;
INSERT INTO idem.site (one, name, set_at, role, system_identifier, timeline, database, relation, stamped_at)
    SELECT true, 'production', now(), 'test', s.system_identifier, c.timeline_id, d.oid, 'idem.site'::regclass, now()
    FROM pg_control_system() s, pg_control_checkpoint() c, pg_database d WHERE d.datname = current_database();
SELECT idem.misplaced();
-- Nothing is granted.
SELECT outcome, granted, settled, state, token, retry_at, detail FROM idem.reserve('site', 'new');
SELECT outcome, granted, settled, state, token FROM idem.reserve('site', 'released');
SELECT outcome, granted, settled, state, token FROM idem.reserve('site', 'free');
SELECT outcome FROM idem.lookup('site', 'new');
-- It is said only where the answer would have been granted.
SELECT outcome, reentrant, token FROM idem.reserve('site', 'reserved', nonce => 'n');
SELECT outcome FROM idem.reserve('site', 'reserved');
SELECT outcome FROM idem.reserve('site', 'sent');
-- Results go on, and so does what keeps from running.
SELECT outcome FROM idem.complete('site', 'sent', 1, 'succeeded', '{}');
-- What may have been sent elsewhere is not said to be fenced for good.
SELECT outcome, settled, state, detail FROM idem.fence('site', 'reserved', 'test');
SELECT outcome, settled, state, detail FROM idem.fence('site', 'new', 'test');
SELECT outcome, settled FROM idem.fence('site', 'new', 'test');
-- An attempt of which nothing is known here was one elsewhere.
SELECT outcome FROM idem.resolve('site', 'sent', 'succeeded', '{"by": "notice"}', attempt => 2);
SAVEPOINT f;
SELECT outcome FROM idem.resolve('site', 'sent', 'released', '{"by": "notice"}', attempt => 2);
ROLLBACK TO f;
-- It is once the database is at its place: whoever would go on ends it.
SAVEPOINT f;
DELETE FROM idem.site;
SELECT outcome, settled FROM idem.fence('site', 'new', 'test');
SELECT outcome, settled, token FROM idem.reserve('site', 'reserved', lease => '1 s');
UPDATE idem.reservation SET lease_until = now() WHERE key = 'reserved';
SELECT outcome, settled, token FROM idem.reserve('site', 'reserved');
ROLLBACK TO f;
SELECT outcome, token FROM idem.release('site', 'free', 1);
-- What was reserved is not handed out, since nobody could send it.
SELECT count(*) FROM idem.due('site', 100) WHERE state = 'reserved';
-- Effects inside are not concerned.
SELECT outcome FROM idem.claim('site in', 'k');
-- The doctor says so.
SELECT severity, object, finding FROM idem.doctor() WHERE object ~ 'site';
-- It is one row.
SAVEPOINT s;
INSERT INTO idem.site SELECT (s.r).* FROM (SELECT s AS r FROM idem.site s) s;
ROLLBACK TO s;
INSERT INTO idem.site SELECT false, name, on_move, set_at, role, system_identifier, timeline, database, relation, backup, stamped_at FROM idem.site;
ROLLBACK TO s;
UPDATE idem.site SET on_move = 'stop';
ROLLBACK TO s;
TRUNCATE idem.site;
ROLLBACK TO s;
SET LOCAL idem.truncate_reason = 'test';
TRUNCATE idem.site;
ROLLBACK TO s;
-- That it is taken away is told.
DELETE FROM idem.site;
SELECT action, name, arguments FROM idem.change_log WHERE kind = 'extension' AND name = 'site' AND at > now() - interval '1 min';
ROLLBACK TO s;

-- A database where real money moves is none for tests.
CREATE ROLE regress_idem_site_owner;
ALTER DATABASE contrib_regression OWNER TO regress_idem_site_owner;
GRANT SELECT ON idem.scope TO regress_idem_site_owner;
SET LOCAL idem.truncate_reason = 'test';
SAVEPOINT t;
TRUNCATE idem.reservation;
ROLLBACK TO t;
SET LOCAL ROLE regress_idem_site_owner;
TRUNCATE idem.reservation;
ROLLBACK TO t;
RESET ROLE;
-- A reason that stands for good is a warning there, a notice elsewhere.
ALTER ROLE regress_idem_site_owner SET idem.truncate_reason = 'test';
SELECT severity, object FROM idem.doctor() WHERE object ~ 'regress_idem_site_owner' AND object ~ 'truncate_reason';
DELETE FROM idem.site;
SELECT severity, object FROM idem.doctor() WHERE object ~ 'regress_idem_site_owner' AND object ~ 'truncate_reason';
ROLLBACK;
SELECT idem.misplaced() IS NULL AS here;

-- ---------------------------------------------------------------------------
-- Who may
-- ---------------------------------------------------------------------------

CREATE ROLE regress_idem_site_app;
SELECT idem.grant_runtime('regress_idem_site_app');
SET ROLE regress_idem_site_app;
SELECT idem.set_site('production');
SELECT idem.adopt_site('test', lost => '0');
SELECT idem.misplaced();
RESET ROLE;
-- who was given EXECUTE by hand is no operator by that
GRANT EXECUTE ON FUNCTION idem.adopt_site TO regress_idem_site_app;
SET ROLE regress_idem_site_app;
SELECT idem.adopt_site('test', lost => '0');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;

-- ---------------------------------------------------------------------------
-- A key of which an attempt may be lost (concern m, as idem.adopt_site leaves it)
-- ---------------------------------------------------------------------------

SELECT k, (idem.reserve('site', k)).outcome FROM unnest('{moved,other,paid,fenced}'::text[]) k;
CALL idem.dispatch('site', 'moved', 1) \gset
UPDATE idem.reservation SET concern = 'm' WHERE key = 'moved';
-- A token that nobody gave out here was given out in what is lost.
SELECT outcome, settled, detail FROM idem.complete('site', 'moved', 7, 'failed', '{"code": 9}');
SELECT outcome FROM idem.complete('site', 'other', 7, 'failed', '{"code": 9}');
\echo :LAST_ERROR_SQLSTATE
UPDATE idem.reservation SET concern = 'm' WHERE key = 'moved';
SELECT outcome FROM idem.heartbeat('site', 'moved', 7);
CALL idem.dispatch('site', 'moved', 7) \gset
SELECT :'outcome' AS outcome, :'granted' AS granted;
-- That nothing arrived, an application cannot say.
SET ROLE regress_idem_site_app;
SELECT outcome, detail FROM idem.resolve('site', 'moved', 'released', '{"by": "inquiry"}');
SELECT outcome FROM idem.reserve('site', 'moved');
RESET ROLE;
SELECT why FROM idem.open_claims WHERE key = 'moved';
UPDATE idem.reservation SET step = 99, due_at = now() WHERE key = 'moved';
SELECT key, why FROM idem.due('site', 100) WHERE key = 'moved';
SELECT severity, finding FROM idem.doctor() WHERE object = 'scope site' AND finding ~ 'lost';
-- An operator can; those who hold lost tokens are overtaken.
SELECT outcome, token FROM idem.resolve('site', 'moved', 'released', '{"by": "statement"}');
SELECT outcome, token, attempt FROM idem.reserve('site', 'moved');
SELECT outcome, settled FROM idem.complete('site', 'moved', 7, 'failed', '{"code": 9}');
SELECT state, concern FROM idem.reservation WHERE key = 'moved';
-- What an application hears of the end settles it.
CALL idem.dispatch('site', 'paid', 1) \gset
UPDATE idem.reservation SET concern = 'm' WHERE key = 'paid' AND scope = (SELECT id FROM idem.scope WHERE name = 'site');
SET ROLE regress_idem_site_app;
SELECT outcome, settled FROM idem.resolve('site', 'paid', 'succeeded', '{"by": "inquiry"}');
RESET ROLE;
SELECT state, concern, due_at FROM idem.reservation WHERE key = 'paid' AND scope = (SELECT id FROM idem.scope WHERE name = 'site');
-- also if it is of an attempt that nobody has heard of
SELECT FROM idem.reserve('site', 'another');
CALL idem.dispatch('site', 'another', 1) \gset
UPDATE idem.reservation SET concern = 'm' WHERE key = 'another';
SELECT outcome, settled FROM idem.resolve('site', 'another', 'succeeded', '{"by": "notice"}', attempt => 3);
SELECT outcome, settled FROM idem.resolve('site', 'paid', 'succeeded', '{"by": "notice"}', attempt => 3);
-- A fence ends it, once it is known that nothing arrived.
CALL idem.dispatch('site', 'fenced', 1) \gset
UPDATE idem.reservation SET concern = 'm' WHERE key = 'fenced' AND scope = (SELECT id FROM idem.scope WHERE name = 'site');
SELECT outcome FROM idem.fence('site', 'fenced', 'test');
SELECT outcome FROM idem.resolve('site', 'fenced', 'released', '{"by": "statement"}');
SELECT state, concern, due_at FROM idem.reservation WHERE key = 'fenced' AND scope = (SELECT id FROM idem.scope WHERE name = 'site');

REVOKE ALL ON ALL ROUTINES IN SCHEMA idem FROM regress_idem_site_app;
DELETE FROM idem.runtime_role WHERE role = 'regress_idem_site_app';
REVOKE USAGE ON SCHEMA idem FROM regress_idem_site_app;
DROP ROLE regress_idem_site_app;
SELECT FROM idem.open_claims c, idem.fence('site', c.key, 'test') f WHERE c.scope = 'site';
DELETE FROM idem.reservation r USING idem.scope s WHERE s.id = r.scope AND s.name = 'site';
SELECT FROM idem.drop_scope('site', force => 'test');
