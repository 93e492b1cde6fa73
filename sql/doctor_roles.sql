--
-- Roles that could weaken guards, or keep others waiting: each planted, and
-- quiet when it is put right.
--
CREATE SCHEMA doctor_roles;
SET search_path = doctor_roles;
CREATE VIEW findings AS
    SELECT * FROM idem.doctor() WHERE object ~ 'regress_idem_role|doctor_roles|event trigger' AND finding !~ '^(looks like|holds amounts)'
    ORDER BY object COLLATE "C", finding COLLATE "C";
CREATE ROLE regress_idem_role_app LOGIN;
CREATE ROLE regress_idem_role_group;
CREATE TABLE payment (id int PRIMARY KEY, amount int);
SELECT idem.guard_fixed('payment', '{amount}');
SELECT * FROM findings;

-- An application is who may call the run-time functions and logs in.
SELECT idem.grant_runtime('regress_idem_role_group');
SELECT * FROM findings;
GRANT regress_idem_role_group TO regress_idem_role_app;
SELECT object, finding FROM findings;
SELECT remedy FROM findings \gexec
SELECT * FROM findings;

-- It owns what it writes.
ALTER TABLE payment OWNER TO regress_idem_role_app;
SELECT object, finding FROM findings;
ALTER TABLE payment OWNER TO CURRENT_USER;
ALTER ROLE regress_idem_role_app SUPERUSER;
SELECT object, finding FROM findings WHERE finding ~ 'superuser';
ALTER ROLE regress_idem_role_app NOSUPERUSER;
SELECT * FROM findings;

-- It may put triggers of its own on a guarded table.
GRANT TRIGGER ON payment TO regress_idem_role_app;
SELECT object, finding FROM findings;
SELECT remedy FROM findings \gexec
SELECT * FROM findings;

-- It may set what only a superuser sets.
GRANT SET ON PARAMETER session_replication_role, idem.allow_unguarded TO regress_idem_role_app;
SELECT object, finding FROM findings;
SELECT remedy FROM findings \gexec
SELECT * FROM findings;

-- The event triggers themselves
ALTER EVENT TRIGGER idem_ddl_end DISABLE;
SELECT severity, object, finding, remedy FROM findings;
ALTER EVENT TRIGGER idem_ddl_end ENABLE;
SELECT severity, object, finding FROM findings;
SELECT remedy FROM findings \gexec
SELECT * FROM findings;

SET client_min_messages = warning;
DROP SCHEMA doctor_roles CASCADE;
DROP OWNED BY regress_idem_role_app, regress_idem_role_group;
DROP ROLE regress_idem_role_app, regress_idem_role_group;
