--
-- reconcile: declaring, altering and dropping a rule, and who may
--
CREATE SCHEMA reconcile_declare;
SET search_path = reconcile_declare;
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
\set SHOW_CONTEXT never
CREATE TABLE ours (day date, serial text, amount numeric, currency text, n int, at timestamptz, f float8, "odd ""one" text);
CREATE TABLE theirs (LIKE ours, fee numeric, net numeric);
CREATE TABLE file (day date, version int, count int, total numeric);
CREATE VIEW rule AS SELECT name, ours, theirs, key, agree, tolerance, grace, owner = current_user AS mine FROM idem.reconciliation WHERE name ~ '^declare';

SELECT idem.create_reconciliation('declare a', 'ours', 'theirs', '{serial}', agree => '{currency}');
-- the same again, and another one
SELECT idem.create_reconciliation('declare a', 'ours', 'theirs', '{serial}', agree => '{currency}');
SELECT idem.create_reconciliation('declare a', 'ours', 'theirs', '{serial}', agree => '{currency}', tolerance => 0.1);
SELECT idem.create_reconciliation('declare b', 'ours', 'theirs', '{serial,"odd \"one"}', complete => 'file', grace => '1 day', fee => 'fee', net => 'net');
SELECT d FROM idem.declarations() d WHERE d ~ 'create_reconciliation';
SELECT action, kind, name, arguments FROM idem.change_log WHERE kind = 'reconciliation' AND name ~ '^declare' ORDER BY n;

-- What cannot be kept
SELECT idem.create_reconciliation(NULL, 'ours', 'theirs', '{serial}');
SELECT idem.create_reconciliation('declare x', NULL, 'theirs', '{serial}');
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', NULL);
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{serial}', tolerance => NULL);
SELECT idem.create_reconciliation(' x', 'ours', 'theirs', '{serial}');
SELECT idem.create_reconciliation('declare x', 'ours', 'no_such_table', '{serial}');
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{serial,serial}');
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{serial,NULL}');
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{nosuch}');
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{serial}', amount => 'fee');
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{serial}', amount => 'f');
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{serial}', day => 'at');
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{serial}', group_by => 'all');
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{serial}', group_by => 'both', signed => true);
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{serial}', fee => 'fee');
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{serial}', tolerance => -1);
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{serial}', tolerance => 'NaN');
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{serial}', grace => '-1 day');
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{serial}', grace => '1 month');
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{}', grace => '1 day');
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{serial}', calendar => 'no such calendar');
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{serial}', complete => 'theirs');
-- types that cannot be compared: as the comparison says it
\set VERBOSITY terse
ALTER TABLE theirs ALTER n TYPE text;
SELECT idem.create_reconciliation('declare x', 'ours', 'theirs', '{n}');
ALTER TABLE theirs ALTER n TYPE int USING n::int;
\set VERBOSITY default
TABLE rule ORDER BY 1;

-- Altering wants a reason, and what is NULL stays
SELECT idem.alter_reconciliation('declare a', NULL, tolerance => 0.05);
SELECT idem.alter_reconciliation('declare a', '  ', tolerance => 0.05);
SELECT idem.alter_reconciliation('no such', 'why', tolerance => 0.05);
SELECT idem.alter_reconciliation('declare a', 'the bank rounds', tolerance => 0.05, grace => '2 days');
SELECT idem.alter_reconciliation('declare a', 'nothing', tolerance => 0.050);
SELECT idem.alter_reconciliation('declare a', 'nothing it may', tolerance => -1);
TABLE rule ORDER BY 1;
SELECT action, name, arguments, reason FROM idem.change_log WHERE kind = 'reconciliation' AND name ~ '^declare' AND action = 'altered' ORDER BY n;
-- where two persons are needed, one is not enough
INSERT INTO idem.policy VALUES ('approval', now(), session_user);
\set VERBOSITY sqlstate
SELECT idem.alter_reconciliation('declare a', 'alone', tolerance => 5);
\set VERBOSITY default
DELETE FROM idem.policy;

-- Dropping wants a reason, and an end of every difference
INSERT INTO ours VALUES ('2018-11-26', 'po-1', 1, 'EUR');
SELECT kind, keys, open FROM idem.reconcile('declare a', '2018-11-26');
SELECT idem.drop_reconciliation('declare a', NULL);
SELECT idem.drop_reconciliation('no such', 'why');
SELECT idem.drop_reconciliation('declare a', 'another bank');
SELECT idem.settle_difference(id, 'explained', 'a test') FROM idem.differences WHERE rule = 'declare a';
SELECT idem.drop_reconciliation('declare a', 'another bank');
SELECT idem.drop_reconciliation('declare b', 'another bank');
TABLE rule;
SELECT rule, kind, state FROM idem.differences WHERE rule ~ '^declare';

-- Who may: an admin declares and cannot run, an application runs, an operator
-- settles; the rule reads as its owner.
CREATE ROLE regress_reconcile_admin;
CREATE ROLE regress_reconcile_app;
CREATE ROLE regress_reconcile_person;
SELECT idem.grant_admin('regress_reconcile_admin');
SELECT idem.grant_runtime('regress_reconcile_app');
SELECT idem.grant_operator('regress_reconcile_person');
GRANT USAGE ON SCHEMA reconcile_declare TO regress_reconcile_admin;
SET ROLE regress_reconcile_admin;
SELECT idem.create_reconciliation('declare c', 'ours', 'theirs', '{serial}');
RESET ROLE;
GRANT SELECT ON ours, theirs TO regress_reconcile_admin;
SET ROLE regress_reconcile_admin;
SELECT idem.create_reconciliation('declare c', 'ours', 'theirs', '{serial}');
SELECT idem.reconcile('declare c', '2018-11-26');
SELECT name, owner FROM idem.reconciliation WHERE name ~ '^declare';
RESET ROLE;
SET ROLE regress_reconcile_app;
SELECT count(*) FROM reconcile_declare.ours;
SELECT kind, keys, open FROM idem.reconcile('declare c', '2018-11-26');
SELECT idem.settle_difference(gen_random_uuid(), 'explained', 'no');
SELECT idem.create_reconciliation('declare d', 'pg_class', 'pg_class', '{relname}');
SELECT count(*) FROM idem.differences;
RESET ROLE;
SET ROLE regress_reconcile_person;
SELECT idem.settle_difference(id, 'written_off', 'too small') FROM idem.differences WHERE rule = 'declare c';
RESET ROLE;
SELECT state, role = session_user AS me, reason FROM idem.differences WHERE rule = 'declare c';
-- the right of the owner is asked for at each run
REVOKE SELECT ON theirs FROM regress_reconcile_admin;
SET ROLE regress_reconcile_app;
SELECT kind, keys FROM idem.reconcile('declare c', '2018-11-26');
RESET ROLE;
-- and there has to be an owner
UPDATE idem.reconciliation SET owner = 'no_such_role' WHERE name = 'declare c';
SELECT idem.reconcile('declare c', '2018-11-26');
SELECT severity, finding FROM idem.doctor() WHERE object = 'reconciliation "declare c"' ORDER BY 2;
-- whoever alters a rule answers for it
GRANT SELECT ON theirs TO regress_reconcile_admin;
SELECT idem.alter_reconciliation('declare c', 'the owner has left');
SELECT kind, keys, open FROM idem.reconcile('declare c', '2018-11-26');

SET client_min_messages = error;
DROP SCHEMA reconcile_declare CASCADE;
DELETE FROM idem.reconciliation WHERE name ~ '^declare';
DELETE FROM idem.reconciled WHERE rule ~ '^declare';
DELETE FROM idem.reconciled_sum WHERE rule ~ '^declare';
DELETE FROM idem.difference_log WHERE difference IN (SELECT id FROM idem.difference WHERE rule ~ '^declare');
DELETE FROM idem.difference WHERE rule ~ '^declare';
DELETE FROM idem.runtime_role WHERE role ~ '^regress_reconcile';
DROP OWNED BY regress_reconcile_admin, regress_reconcile_app, regress_reconcile_person;
DROP ROLE regress_reconcile_admin, regress_reconcile_app, regress_reconcile_person;
