--
-- Who may call what: run-time functions for applications, definitions for
-- admins, nothing for anybody else, and no table of idem for anyone.
--
CREATE ROLE regress_idem_app;
CREATE ROLE regress_idem_admin;
CREATE VIEW pg_temp.callable AS
    SELECT r.audience, p.oid::regprocedure AS function
    FROM pg_proc p JOIN idem.rights r ON r.function = p.proname
    WHERE p.pronamespace = 'idem'::regnamespace;

-- At first both can call only what is for everybody.
SELECT audience, bool_and(has_function_privilege('regress_idem_app', function, 'EXECUTE')) AS every,
       bool_or(has_function_privilege('regress_idem_app', function, 'EXECUTE')) AS any
    FROM pg_temp.callable GROUP BY audience ORDER BY audience COLLATE "C";

SELECT idem.grant_runtime('regress_idem_app');
SELECT idem.grant_admin('regress_idem_admin');
SELECT audience, role, bool_and(has_function_privilege(role, function, 'EXECUTE')) AS every,
       bool_or(has_function_privilege(role, function, 'EXECUTE')) AS any
    FROM pg_temp.callable, (VALUES ('regress_idem_app'), ('regress_idem_admin')) r (role)
    GROUP BY audience, role ORDER BY audience COLLATE "C", role COLLATE "C";

-- An admin names applications, and no other admin.
SET ROLE regress_idem_admin;
SELECT count(*) >= 0 AS sees_findings FROM idem.doctor();
SELECT count(*) > 0 AS sees_the_log FROM idem.change_log;
SELECT idem.grant_runtime('regress_idem_app');
SELECT idem.grant_admin('regress_idem_app');
RESET ROLE;
SET ROLE regress_idem_app;
SELECT idem.grant_runtime('regress_idem_app');
SELECT * FROM idem.doctor();
SELECT * FROM idem.change_log;
RESET ROLE;

-- Neither writes a table of idem, whatever the room.
SELECT c.oid::regclass, r.role, p.privilege
    FROM pg_class c, (VALUES ('regress_idem_app'), ('regress_idem_admin')) r (role),
         (VALUES ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('TRIGGER'), ('REFERENCES')) p (privilege)
    WHERE c.relnamespace = 'idem'::regnamespace AND c.relkind IN ('r', 'p', 'v')
          AND has_table_privilege(r.role, c.oid, p.privilege);

-- Who was granted what is kept.
SELECT action, kind, relation, name, cardinality(arguments) > 0 AS functions FROM idem.change_log
    WHERE name LIKE 'regress_idem_a%' ORDER BY n;

-- Only roles can be named.
SELECT idem.grant_runtime(NULL);
SELECT idem.grant_admin(NULL);
SELECT idem.grant_runtime('-');
SELECT idem.grant_runtime(4294967295::regrole);
SELECT idem.grant_runtime('no_such_role');
SELECT idem.grant_runtime('public');

-- A name that wants to be more than a name
CREATE ROLE "regress_idem_x; DROP SCHEMA idem CASCADE";
SELECT idem.grant_runtime('"regress_idem_x; DROP SCHEMA idem CASCADE"');

SELECT idem.grant_runtime('regress_idem_admin');
DROP OWNED BY regress_idem_app, regress_idem_admin, "regress_idem_x; DROP SCHEMA idem CASCADE";
DROP ROLE regress_idem_app, regress_idem_admin, "regress_idem_x; DROP SCHEMA idem CASCADE";
