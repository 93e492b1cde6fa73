--
-- Each right is the least it needs: a role that has only one of them tries
-- every function, table and view of the extension, as the catalog lists them.
-- A function that idem.rights does not name, or a table that somebody reads and
-- idem.rights_to_read does not name, has been forgotten, and is shown.
--
SET client_min_messages = warning;
CREATE ROLE regress_idem_nobody;
CREATE ROLE regress_idem_runtime;
CREATE ROLE regress_idem_operator;
CREATE ROLE regress_idem_admin;
CREATE ROLE regress_idem_monitor;
SELECT idem.grant_runtime('regress_idem_runtime');
SELECT idem.grant_operator('regress_idem_operator');
SELECT idem.grant_admin('regress_idem_admin');
SELECT idem.grant_monitor('regress_idem_monitor');

CREATE VIEW pg_temp.function AS
    SELECT p.oid, p.proname::text AS name, p.oid::regprocedure::text AS signature, p.prokind,
           ARRAY(SELECT r.audience FROM idem.rights r WHERE r.function = p.proname) AS audiences,
           -- so that a call fails for its arguments, if it is made at all; not constants, or the
           -- planner would answer for a strict function without asking who calls
           CASE p.prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT' END
           || format(' idem.%I(', p.proname)
           || CASE WHEN p.provariadic <> 0 THEN 'VARIADIC ' ELSE '' END
           || coalesce((SELECT string_agg(format(CASE p.prokind WHEN 'p' THEN 'NULL::%s' ELSE '(SELECT NULL::%s)' END,
                                                 format_type(CASE a.type WHEN 'anyelement'::regtype THEN 'text'::regtype ELSE a.type END, NULL)), ', ' ORDER BY a.n)
                        FROM unnest(p.proargtypes) WITH ORDINALITY a (type, n)), '') || ')' AS call
    FROM pg_proc p
    JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'idem'
    WHERE p.pronamespace = 'idem'::regnamespace AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
          AND p.prokind IN ('f', 'p') AND p.proname !~ 'money_micro'
          AND to_regtype('pg_catalog.money_micro') = ANY (p.proargtypes::oid[] || p.prorettype) IS NOT TRUE;

-- A function without a decision, and a decision about none
SELECT signature FROM pg_temp.function WHERE audiences = '{}' ORDER BY 1;
SELECT function, audience FROM idem.rights
    WHERE audience NOT IN ('runtime', 'operator', 'admin', 'monitor', 'owner', 'public', 'extension');
-- What is open, or closed to all, is for nobody in particular.
SELECT function FROM idem.rights GROUP BY function
    HAVING count(*) > 1 AND bool_or(audience IN ('owner', 'public', 'extension'));

-- Who is let in: not who succeeds.
CREATE FUNCTION pg_temp.is_let_in(role text, statement text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE statement;
    RESET ROLE;
    RETURN true;
EXCEPTION
    WHEN insufficient_privilege THEN
        RESET ROLE;
        RETURN SQLERRM !~ '^permission denied for (function|procedure|table|view) ';
    WHEN OTHERS THEN
        RESET ROLE;
        RETURN true;
END
$$;
CREATE TEMP TABLE role (name text, audience text);
INSERT INTO role VALUES ('regress_idem_nobody', NULL), ('regress_idem_runtime', 'runtime'),
    ('regress_idem_operator', 'operator'), ('regress_idem_admin', 'admin'), ('regress_idem_monitor', 'monitor');
CREATE TEMP TABLE tried AS
    SELECT r.name AS role, f.name, f.call,
           audiences && ARRAY[r.audience, 'owner', 'public'] AS expected,
           pg_temp.is_let_in(r.name, f.call) AS let_in
    FROM pg_temp.function f, role r;
SELECT role, call, expected, let_in FROM tried WHERE expected <> let_in ORDER BY 1, 2;
-- It was asked of something; who is let in where not everybody is
SELECT role, count(*) > 40 AS tried, count(DISTINCT name) FILTER (WHERE let_in AND NOT open) > 0 AS functions
    FROM tried JOIN (SELECT name, bool_and(let_in) AS open FROM tried GROUP BY name) o USING (name)
    GROUP BY role ORDER BY 1;

-- Tables and views: nobody writes one, and who reads is said.
CREATE TEMP TABLE read AS
    SELECT r.name AS role, c.relname,
           EXISTS (SELECT FROM idem.rights_to_read t WHERE t.relation = c.relname AND t.audience IN (r.audience, 'public'))
           OR r.audience IS NOT DISTINCT FROM 'admin'
              AND EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'idem' AND c.oid = ANY (e.extconfig)) AS expected,
           pg_temp.is_let_in(r.name, format('SELECT FROM idem.%I LIMIT 1', c.relname)) AS let_in,
           has_any_column_privilege(r.name, c.oid, 'SELECT') AS may,
           c.relkind <> 'v' AND pg_temp.is_let_in(r.name, format('DELETE FROM idem.%I WHERE false', c.relname))
           OR has_any_column_privilege(r.name, c.oid, 'INSERT, UPDATE, REFERENCES')
           OR has_table_privilege(r.name, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') AS writes
    FROM pg_class c, role r
    WHERE c.relnamespace = 'idem'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f');
SELECT role, relname, expected, let_in, may FROM read WHERE expected <> let_in OR expected <> may ORDER BY 1, 2;
SELECT role, relname FROM read WHERE writes;
SELECT role, count(*) > 20 AS tried, count(*) FILTER (WHERE let_in) > 0 AS reads FROM read GROUP BY role ORDER BY 1;
SELECT relation, audience FROM idem.rights_to_read
    WHERE relation NOT IN (SELECT relname FROM read) OR audience NOT IN ('operator', 'admin', 'monitor', 'public');
-- A monitor sees no key, request, response or evidence.
SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN read r ON r.relname = c.table_name
    WHERE c.table_schema = 'idem' AND r.role = 'regress_idem_monitor' AND r.let_in
          AND c.column_name IN ('key', 'request', 'response', 'evidence', 'fingerprint', 'nonce', 'token', 'serial');

-- An admin names applications and monitors, and no admin or operator: it could name itself.
SET ROLE regress_idem_admin;
SELECT count(*) >= 0 AS sees_findings FROM idem.doctor();
SELECT idem.grant_runtime('regress_idem_nobody');
SELECT idem.grant_monitor('regress_idem_nobody');
SELECT idem.grant_admin('regress_idem_admin');
SELECT idem.grant_operator('regress_idem_admin');
RESET ROLE;
SET ROLE regress_idem_operator;
SELECT idem.grant_operator('regress_idem_nobody');
SELECT idem.grant_runtime('regress_idem_nobody');
RESET ROLE;

-- Who was granted what is kept.
SELECT DISTINCT action, kind, relation, name, cardinality(arguments) > 0 AS names FROM idem.change_log
    WHERE name IN ('regress_idem_admin', 'regress_idem_monitor', 'regress_idem_nobody', 'regress_idem_operator', 'regress_idem_runtime')
    AND action = 'granted' AND at > clock_timestamp() - interval '1 min'
    ORDER BY kind, name;

-- Only roles can be named.
SELECT idem.grant_runtime(NULL);
SELECT idem.grant_operator(NULL);
SELECT idem.grant_admin(NULL);
SELECT idem.grant_monitor(NULL);
SELECT idem.grant_runtime('-');
SELECT idem.grant_runtime(4294967295::regrole);
SELECT idem.grant_runtime('no_such_role');
SELECT idem.grant_runtime('public');

-- A name that wants to be more than a name
CREATE ROLE "regress_idem_x; DROP SCHEMA idem CASCADE";
SELECT idem.grant_runtime('"regress_idem_x; DROP SCHEMA idem CASCADE"');

DELETE FROM idem.runtime_role WHERE role LIKE 'regress\_idem\_%';
DROP OWNED BY regress_idem_nobody, regress_idem_runtime, regress_idem_operator, regress_idem_admin, regress_idem_monitor,
    "regress_idem_x; DROP SCHEMA idem CASCADE";
DROP ROLE regress_idem_nobody, regress_idem_runtime, regress_idem_operator, regress_idem_admin, regress_idem_monitor,
    "regress_idem_x; DROP SCHEMA idem CASCADE";
