--
-- Who may reserve and send, and in which time zone.
--
SET client_min_messages = warning;
SELECT idem.create_scope('rights pay', 'outside', '{}', quiet => '0', ladder => '{1 us}');
CREATE ROLE regress_idem_worker;
CREATE ROLE regress_idem_nobody;
SELECT idem.grant_runtime('regress_idem_worker');

-- An application calls, and touches no table.
SET ROLE regress_idem_worker;
SELECT token FROM idem.reserve('rights pay', 'k');
CALL idem.dispatch('rights pay', 'k', 1) \gset
\echo :outcome :granted
SELECT outcome FROM idem.heartbeat('rights pay', 'k', 1);
SELECT outcome FROM idem.complete('rights pay', 'k', 1, 'unknown');
SELECT pg_sleep(0.01);
SELECT key, why FROM idem.due('rights pay');
SELECT outcome FROM idem.resolve('rights pay', 'k', 'succeeded', '{"by": "me"}');
SELECT outcome FROM idem.complete('rights pay', 'k', 1, 'failed', '{"bank": 1}');
SELECT outcome FROM idem.fence('rights pay', 'f', 'test');
SELECT outcome FROM idem.lookup('rights pay', 'f');
SELECT count(*) FROM idem.reservation;
SELECT count(*) FROM idem.late_result;
SELECT count(*) FROM idem.evidence;
SELECT count(*) FROM idem.open_claims;
INSERT INTO idem.reservation SELECT;
UPDATE idem.reservation SET state = 'l';
DELETE FROM idem.reservation;
DELETE FROM idem.attempt;
TRUNCATE idem.reservation;
DELETE FROM idem.late_result;
DELETE FROM idem.evidence;
SELECT idem.create_scope('rights mine', 'outside', '{}');
RESET ROLE;
-- The evidence names that role, not the owner.
SELECT DISTINCT role = session_user AS session_user FROM idem.evidence;

-- Whoever was given nothing can call nothing.
SELECT p.oid::regprocedure FROM pg_proc p JOIN idem.rights r ON r.function = p.proname
    WHERE pronamespace = 'idem'::regnamespace AND r.audience IN ('runtime', 'admin')
          AND has_function_privilege('regress_idem_nobody', p.oid, 'EXECUTE');

-- An administrator reads what is open, and why, and what pg_dump of an owner reads.
CREATE ROLE regress_idem_looks;
SELECT idem.grant_admin('regress_idem_looks');
SET ROLE regress_idem_looks;
SELECT count(*) FROM idem.open_claims WHERE scope = 'rights pay';
SELECT count(*) FROM idem.late_result WHERE scope = (SELECT id FROM idem.scope WHERE name = 'rights pay');
SELECT count(*) FROM idem.evidence WHERE scope = (SELECT id FROM idem.scope WHERE name = 'rights pay');
SELECT count(*) FROM idem.reservation WHERE scope = (SELECT id FROM idem.scope WHERE name = 'rights pay');
RESET ROLE;

-- Row security and the search path blind nobody.
CREATE SCHEMA rights_evil;
CREATE TABLE rights_evil.reservation (id int);
CREATE FUNCTION rights_evil.evil(timestamptz, interval) RETURNS timestamptz LANGUAGE sql AS $$ SELECT '-infinity'::timestamptz $$;
CREATE OPERATOR rights_evil.+ (leftarg = timestamptz, rightarg = interval, function = rights_evil.evil);
GRANT USAGE ON SCHEMA rights_evil TO PUBLIC;
SET idem.allow_unguarded = 'a test';
ALTER TABLE idem.reservation ENABLE ROW LEVEL SECURITY;
ALTER TABLE idem.reservation FORCE ROW LEVEL SECURITY;
RESET idem.allow_unguarded;
SET ROLE regress_idem_worker;
SET search_path = rights_evil, pg_catalog;
SELECT token FROM idem.reserve('rights pay', 'k2', lease => '1 us');
SELECT pg_sleep(0.01);
SELECT key, retry_at > clock_timestamp() - interval '1 min' AS later FROM idem.due('rights pay');
SELECT outcome, token FROM idem.reserve('rights pay', 'k2');
RESET search_path;
RESET ROLE;
ALTER TABLE idem.reservation NO FORCE ROW LEVEL SECURITY;
ALTER TABLE idem.reservation DISABLE ROW LEVEL SECURITY;
DROP SCHEMA rights_evil CASCADE;

-- A lease is as long in every time zone, also over the night in which the clocks are changed, and
-- is over at the same moment for everybody. (C 26)
SELECT idem.create_scope('rights zone', 'outside', '{}', lease => '1 day', quiet => '1 day');
SET TimeZone = 'America/New_York';
SELECT lease_until - first_seen AS lease FROM idem.reserve('rights zone', 'ny', nonce => 'n');
SET TimeZone = 'Asia/Shanghai';
SELECT outcome, token FROM idem.reserve('rights zone', 'ny');
SELECT lease_until - first_seen AS lease FROM idem.reserve('rights zone', 'sh', lease => '200 days');
SELECT outcome FROM idem.reserve('rights zone', 'short', lease => '1 h');
CALL idem.dispatch('rights zone', 'short', 1) \gset
SET TimeZone = 'America/New_York';
SELECT outcome, token FROM idem.reserve('rights zone', 'sh');
SELECT outcome, retry_at - clock_timestamp() BETWEEN interval '23:59' AND interval '24:00' AS quiet
    FROM idem.resolve('rights zone', 'short', 'released', '{"by": "me"}');
SELECT outcome FROM idem.reserve('rights zone', 'short');
RESET TimeZone;
-- It begins now, not when the transaction did, or when somebody began to wait. (C 25)
BEGIN;
SELECT pg_sleep(0.3);
SELECT outcome, lease_until > clock_timestamp() AS held FROM idem.reserve('rights zone', 'now', lease => '0.25 s');
COMMIT;

DELETE FROM idem.evidence e USING idem.scope s WHERE e.scope = s.id AND s.name LIKE 'rights %';
DELETE FROM idem.late_result e USING idem.scope s WHERE e.scope = s.id AND s.name LIKE 'rights %';
DELETE FROM idem.reservation USING idem.scope s WHERE scope = s.id AND s.name LIKE 'rights %';
DELETE FROM idem.attempt USING idem.scope s WHERE scope = s.id AND s.name LIKE 'rights %';
DELETE FROM idem.scope WHERE name LIKE 'rights %';
DROP OWNED BY regress_idem_worker, regress_idem_looks;
DROP ROLE regress_idem_worker, regress_idem_looks, regress_idem_nobody;
