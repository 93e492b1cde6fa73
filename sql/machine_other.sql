--
-- Four eyes: an edge for another login than the one that made the row.
--
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE ROLE regress_other_alice LOGIN;
CREATE ROLE regress_other_bob LOGIN;
CREATE ROLE regress_other_app LOGIN;
CREATE ROLE regress_other_approver ROLE regress_other_alice, regress_other_bob;
CREATE SCHEMA other;
GRANT USAGE ON SCHEMA other TO PUBLIC;
SELECT version, effect, change FROM idem.define_machine('other', $$
stateDiagram-v2
    [*] --> proposed
    proposed --> approved : approve [role regress_other_approver] [other]
    proposed --> approved : automatic [role regress_other_app]
    proposed --> dropped : withdraw
    approved --> active : activate [other]
    active --> [*]
    dropped --> [*]
$$);
CREATE TABLE other.parameter (id int PRIMARY KEY, value text NOT NULL, status text NOT NULL DEFAULT 'proposed');
GRANT SELECT, INSERT, UPDATE, DELETE ON other.parameter TO PUBLIC;
-- Without history nobody could tell who made a row.
SELECT idem.guard_states('other.parameter', 'status', 'other', history => false);
\echo :LAST_ERROR_SQLSTATE
SELECT idem.guard_states('other.parameter', 'status', 'other', delete => 'any');

SET SESSION AUTHORIZATION regress_other_alice;
INSERT INTO other.parameter (id, value) VALUES (1, 'a'), (2, 'b'), (3, 'c');
UPDATE other.parameter SET status = 'approved' WHERE id = 1;
\echo :LAST_ERROR_SQLSTATE
-- not by another name for the same login
SET ROLE regress_other_approver;
UPDATE other.parameter SET status = 'approved' WHERE id = 1;
RESET ROLE;
-- What is for everybody is for the maker, too.
UPDATE other.parameter SET status = 'dropped' WHERE id = 3 RETURNING status;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_other_bob;
UPDATE other.parameter SET status = 'approved' WHERE id = 1 RETURNING status;
-- It is the one that made the row who counts, not the one before.
UPDATE other.parameter SET status = 'active' WHERE id = 1 RETURNING status;
INSERT INTO other.parameter (id, value) VALUES (4, 'd');
UPDATE other.parameter SET status = 'approved' WHERE id = 4;
-- A row that is deleted and made again is another row.
DELETE FROM other.parameter WHERE id = 2;
INSERT INTO other.parameter (id, value) VALUES (2, 'b');
UPDATE other.parameter SET status = 'approved' WHERE id = 2;
RESET SESSION AUTHORIZATION;
-- The edge with the other role between the same states is open to whom it is for.
SET SESSION AUTHORIZATION regress_other_app;
INSERT INTO other.parameter (id, value) VALUES (5, 'e');
UPDATE other.parameter SET status = 'approved' WHERE id = 5 RETURNING status;
UPDATE other.parameter SET status = 'active' WHERE id = 5;
\echo :LAST_ERROR_SQLSTATE
UPDATE other.parameter SET status = 'approved' WHERE id = 2 RETURNING status;
RESET SESSION AUTHORIZATION;
-- In the transaction that made it, too
SET SESSION AUTHORIZATION regress_other_alice;
BEGIN;
INSERT INTO other.parameter (id, value) VALUES (6, 'f');
UPDATE other.parameter SET status = 'approved' WHERE id = 6;
ROLLBACK;
SELECT state, event, next_state, role, other FROM idem.machine_table('other') WHERE next_state IS NOT NULL;
RESET SESSION AUTHORIZATION;
-- transition() asks the same.
SELECT FROM idem.grant_runtime('regress_other_bob');
SELECT FROM idem.grant_runtime('regress_other_alice');
SET SESSION AUTHORIZATION regress_other_bob;
SELECT idem.transition('other.parameter', 4, 'approved', event => 'approve');
\echo :LAST_ERROR_SQLSTATE
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_other_alice;
SELECT FROM idem.transition('other.parameter', 4, 'approved', event => 'approve');
RESET SESSION AUTHORIZATION;

-- To let the maker take it loosens; to keep it from it tightens.
SELECT * FROM idem.define_machine('other', replace(idem.machine_diagram('other'), ' [other]', ''));
SELECT * FROM idem.define_machine('other', replace(idem.machine_diagram('other'), ' [other]', ''), loosen => 'test');
SELECT * FROM idem.define_machine('other', replace(idem.machine_diagram('other'), 'activate', 'activate [other]'), tighten => 'test');
SELECT * FROM idem.check_machine(E'stateDiagram-v2\n[*] --> a\na --> b : x [others]\nb --> [*]');
SELECT idem.machine_dot('other') ~ 'label="activate \[other\]"' AS drawn;

-- A row from before the guard has no history, and nobody is another.
CREATE TABLE other.old (id int PRIMARY KEY, status text NOT NULL);
INSERT INTO other.old VALUES (1, 'approved');
SELECT idem.guard_states('other.old', 'status', 'other');
UPDATE other.old SET status = 'active';

DROP SCHEMA other CASCADE;
DELETE FROM idem.transition_log WHERE role LIKE 'regress\_other\_%' OR session_role LIKE 'regress\_other\_%';
DELETE FROM idem.machine WHERE name = 'other';
DELETE FROM idem.runtime_role WHERE role LIKE 'regress\_other\_%';
DROP OWNED BY regress_other_alice, regress_other_bob, regress_other_app, regress_other_approver;
DROP ROLE regress_other_alice, regress_other_bob, regress_other_app, regress_other_approver;
