--
-- reconcile: both sides are read as the owner of the rule, and what is in them
-- can do nothing with that
--
CREATE SCHEMA reconcile_security;
SET search_path = reconcile_security;
SET datestyle = 'ISO';
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE ROLE regress_reconcile_rule;
CREATE ROLE regress_reconcile_other;
CREATE ROLE regress_reconcile_job;
GRANT USAGE, CREATE ON SCHEMA reconcile_security TO regress_reconcile_rule, regress_reconcile_other;
SELECT idem.grant_admin('regress_reconcile_rule');
SELECT idem.grant_runtime('regress_reconcile_job');
CREATE TABLE secret (t text);
GRANT ALL ON secret TO regress_reconcile_rule;
SET ROLE regress_reconcile_other;
CREATE TABLE ours (day date, serial text, amount numeric);
CREATE TABLE theirs (LIKE ours);
INSERT INTO ours VALUES ('2018-11-26', 'a', 1);
INSERT INTO theirs TABLE ours;
CREATE FUNCTION what() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN true; END $$;
CREATE VIEW hostile AS SELECT * FROM ours WHERE what();
GRANT SELECT ON ours, theirs, hostile TO regress_reconcile_rule;
RESET ROLE;
SET ROLE regress_reconcile_rule;
SELECT idem.create_reconciliation('security', 'hostile', 'theirs', '{serial}');
RESET ROLE;
CREATE FUNCTION run() RETURNS TABLE (kind text, keys bigint) LANGUAGE sql
    AS $$ SELECT r.kind, r.keys FROM idem.reconcile('security', '2018-11-26') r $$;
GRANT USAGE ON SCHEMA reconcile_security TO regress_reconcile_job;
CREATE PROCEDURE try(body text) LANGUAGE plpgsql SET search_path = reconcile_security AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION what() RETURNS boolean LANGUAGE plpgsql AS %L', 'BEGIN ' || body || '; RETURN true; END');
    SET LOCAL ROLE regress_reconcile_job;
    PERFORM * FROM run();
    RAISE WARNING '% passed', body;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING '%: % %', body, SQLSTATE, SQLERRM;
END $$;

-- who it is that reads
CALL try($$RAISE WARNING 'as %', current_user$$);
-- what a function in a view cannot do
CALL try('INSERT INTO reconcile_security.secret VALUES (1)');
CALL try('DELETE FROM reconcile_security.secret');
CALL try('CREATE TABLE reconcile_security.mine ()');
CALL try('CREATE TEMP TABLE mine ()');
CALL try('GRANT ALL ON reconcile_security.secret TO PUBLIC');
CALL try('SET ROLE regress_reconcile_other');
CALL try('SET SESSION AUTHORIZATION DEFAULT');
CALL try('RESET ROLE');
CALL try('LISTEN reconcile_security');
CALL try('EXECUTE ''DECLARE held CURSOR WITH HOLD FOR SELECT 1''');
CALL try('SET transaction_read_only = off');
CALL try('SET LOCAL row_security = on');
CALL try('PERFORM set_config(''transaction_read_only'', ''off'', false)');
-- even inside of a subtransaction
CALL try('BEGIN INSERT INTO reconcile_security.secret VALUES (1); EXCEPTION WHEN OTHERS THEN NULL; END');
CALL try('PERFORM idem.create_scope(''security'', effect => ''inside'', fields => ''{*}'')');
TABLE secret;
-- the run is over: the session writes again, and is who it was
CREATE OR REPLACE FUNCTION what() RETURNS boolean LANGUAGE sql AS 'SELECT true';
BEGIN;
SELECT * FROM run();
SHOW transaction_read_only;
SELECT current_user = session_user AS me, current_setting('search_path'), current_setting('row_security');
INSERT INTO secret VALUES (2);
-- so it is after an error that was caught
SAVEPOINT s;
ALTER TABLE theirs RENAME amount TO was;
SELECT * FROM run();
ROLLBACK TO s;
SHOW transaction_read_only;
INSERT INTO secret VALUES (3);
COMMIT;
SELECT count(*) FROM secret;

-- Names are looked up in the catalog only, whoever put what into the path
CREATE FUNCTION shadow(numeric, numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR = (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = shadow);
CREATE FUNCTION sum(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT 1.0';
CREATE FUNCTION trim_scale(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT 1.0';
SET search_path = reconcile_security, pg_catalog;
UPDATE theirs SET amount = 2 WHERE serial OPERATOR(pg_catalog.=) 'a';
SELECT * FROM run();
SET search_path = reconcile_security;

-- Rows that row security hides would be differences that are none
ALTER TABLE theirs ENABLE ROW LEVEL SECURITY;
CREATE POLICY hides ON theirs USING (serial > 'b');
SELECT * FROM run();
SELECT count(*) FROM idem.differences WHERE rule = 'security';
ALTER TABLE theirs DISABLE ROW LEVEL SECURITY;

-- A view of others, read with every right, is worth a warning
SELECT idem.alter_reconciliation('security', 'a superuser is quicker');
SELECT severity, finding ~ 'with every right' AS warned FROM idem.doctor() WHERE object = 'reconciliation security';

SET client_min_messages = error;
DROP SCHEMA reconcile_security CASCADE;
DELETE FROM idem.reconciliation WHERE name = 'security';
DELETE FROM idem.reconciled WHERE rule = 'security';
DELETE FROM idem.reconciled_sum WHERE rule = 'security';
DELETE FROM idem.difference WHERE rule = 'security';
DELETE FROM idem.runtime_role WHERE role ~ '^regress_reconcile';
DROP OWNED BY regress_reconcile_rule, regress_reconcile_other, regress_reconcile_job;
DROP ROLE regress_reconcile_rule, regress_reconcile_other, regress_reconcile_job;
