-- Which roles may claim, and what they may touch.
SELECT idem.create_scope('claim priv', 'inside', '{}');
SELECT outcome FROM idem.claim('claim priv', 'k1');
CREATE ROLE regress_idem_claim_app;
CREATE ROLE regress_idem_claim_admin;
GRANT EXECUTE ON FUNCTION idem.claim(text, text, jsonb), idem.complete(text, text, jsonb), idem.lookup(text, text),
    idem.claim_many(text, text[], jsonb[], text) TO regress_idem_claim_app;
GRANT EXECUTE ON FUNCTION idem.create_scope(text, text, text[], text, interval, interval, interval[], interval, text, text, integer, boolean, integer, text[], text, interval, text[], interval, text, text),
    idem.alter_scope(text, text[], text, interval, interval, interval[], interval, text, integer, boolean, integer, text[], text, interval, text[], interval, text, text, text),
    idem.drop_scope(text, text), idem.retire(text, timestamptz, integer) TO regress_idem_claim_admin;

-- The run-time functions need no right on the tables, and lend none.
SET ROLE regress_idem_claim_app;
BEGIN;
SELECT outcome FROM idem.claim('claim priv', 'k2');
SELECT outcome FROM idem.complete('claim priv', 'k2', '{"r": 1}');
COMMIT;
SELECT outcome, response FROM idem.claim('claim priv', 'k2');
SELECT outcome FROM idem.lookup('claim priv', 'k1');
SELECT key, outcome FROM idem.claim_many('claim priv', '{k1,k4}');
SELECT idem.create_scope('claim mine', 'inside', '{}');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM idem.anchor;
INSERT INTO idem.anchor SELECT;
UPDATE idem.anchor SET response = NULL;
DELETE FROM idem.anchor;
TRUNCATE idem.anchor;
SELECT count(*) FROM idem.scope;
DELETE FROM idem.scope;

-- Row security on the table would not blind a claim.
RESET ROLE;
SET idem.allow_unguarded = 'a test';
ALTER TABLE idem.anchor ENABLE ROW LEVEL SECURITY;
ALTER TABLE idem.anchor FORCE ROW LEVEL SECURITY;
RESET idem.allow_unguarded;
SET ROLE regress_idem_claim_app;
SELECT outcome FROM idem.claim('claim priv', 'k1');
RESET ROLE;
ALTER TABLE idem.anchor NO FORCE ROW LEVEL SECURITY;
ALTER TABLE idem.anchor DISABLE ROW LEVEL SECURITY;

-- An administrator declares without a right on the table.
SET ROLE regress_idem_claim_admin;
SELECT idem.create_scope('claim theirs', 'inside', '{}');
SELECT idem.claim('claim theirs', 'k1');
\echo :LAST_ERROR_SQLSTATE
DELETE FROM idem.scope;
-- alters, retires and drops it, too
SELECT idem.alter_scope('claim theirs', keep => '1 day', force => 'room');
SELECT * FROM idem.retire('claim theirs');
SELECT idem.create_scope('claim gone', 'inside', '{}');
SELECT idem.drop_scope('claim gone');
RESET ROLE;
SELECT name, created_by FROM idem.scope WHERE name = 'claim theirs';

-- Nobody else may do anything.
CREATE ROLE regress_idem_claim_nobody;
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
    WHERE nspname = 'idem' AND proname IN ('claim', 'complete', 'lookup', 'claim_many', 'create_scope', 'alter_scope', 'drop_scope', 'retire')
      AND has_function_privilege('regress_idem_claim_nobody', p.oid, 'EXECUTE');
SELECT c.oid::regclass FROM unnest('{idem.scope,idem.anchor}'::regclass[]) c (oid)
    WHERE has_table_privilege('regress_idem_claim_nobody', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER');

-- Nothing that stands earlier in the search path is called.
CREATE SCHEMA claim_evil;
CREATE TABLE claim_evil.scope (id int);
CREATE TABLE claim_evil.anchor (id int);
CREATE FUNCTION claim_evil.eq(uuid, uuid) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION claim_evil.key_time(text, text, int) RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'epoch'::timestamptz $$;
CREATE FUNCTION claim_evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'infinity'::timestamptz $$;
CREATE OPERATOR claim_evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = claim_evil.eq);
SET search_path = claim_evil, pg_catalog;
SELECT outcome FROM idem.claim('claim priv', 'k3');
SELECT idem.create_scope('claim path', 'inside', '{}', keep => '1 day', key_time => 'YYYYMMDD');
SELECT idem.alter_scope('claim path', keep => '2 days');
SELECT removed FROM idem.retire('claim path', '2018-07-18');
SELECT idem.drop_scope('claim path');
SELECT outcome FROM idem.claim('claim priv', 'k3');
RESET search_path;

DROP SCHEMA claim_evil CASCADE;
DROP OWNED BY regress_idem_claim_app, regress_idem_claim_admin;
DROP ROLE regress_idem_claim_app, regress_idem_claim_admin, regress_idem_claim_nobody;
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'claim %';
DELETE FROM idem.scope WHERE name LIKE 'claim %';
