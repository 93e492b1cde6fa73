--
-- The guards as a whole: what there is, whether it guards, what is wrong.
--
-- What weakens a guard is refused (doctor_ddl); here it is done on purpose.
SET idem.allow_unguarded = 'a test of what is not refused';
CREATE SCHEMA doctor;
SET search_path = doctor;

-- What the settings of this server say is another test's matter (test/tap).
CREATE VIEW findings AS
    SELECT * FROM idem.doctor() WHERE object ~ ' guard .* on ' AND finding !~ 'allow_unguarded';
-- Nothing to find.
SELECT * FROM findings;

CREATE TABLE payment (id int PRIMARY KEY, amount int, bank_no text);
CREATE TABLE journal (id int, part int, amount int) PARTITION BY LIST (part);
CREATE TABLE journal_1 PARTITION OF journal FOR VALUES IN (1);
CREATE TABLE journal_2 PARTITION OF journal FOR VALUES IN (2) PARTITION BY RANGE (id);
CREATE TABLE journal_2_1 PARTITION OF journal_2 FOR VALUES FROM (0) TO (100);
SELECT idem.guard_fixed('payment', '{amount}', once => '{bank_no}');
SELECT idem.guard_fixed('journal', '{amount}');
SELECT idem.guard_kept('journal');

-- One row a guard, whatever number of partitions it covers.
CREATE VIEW mine AS
    SELECT relation, kind, name, settings, mode, intact, problem FROM idem.guards
    WHERE relation::text ~ '^(payment|journal|old)';
SELECT * FROM mine ORDER BY relation::text, kind;
SELECT declared_by = session_user AS by_us, declared_at <= clock_timestamp() AS earlier
    FROM idem.guards WHERE relation = 'payment'::regclass;
SELECT * FROM findings;
-- Everybody may see them, as everybody may see pg_trigger.
CREATE ROLE regress_idem_doctor_nobody;
SET ROLE regress_idem_doctor_nobody;
SELECT relation::regclass::text LIKE '%payment', kind, intact FROM idem.guards
    WHERE relation::text ~ 'payment';
SELECT count(*) FROM idem.doctor();
RESET ROLE;

-- A trigger that is disabled, or enabled without ALWAYS, does not guard.
ALTER TABLE payment DISABLE TRIGGER idem_fixed_amount_bank_no;
SELECT * FROM mine WHERE NOT intact;
SELECT * FROM findings;
ALTER TABLE payment ENABLE TRIGGER idem_fixed_amount_bank_no;
SELECT * FROM findings;
ALTER TABLE payment ENABLE REPLICA TRIGGER idem_fixed_amount_bank_no;
SELECT mode, problem FROM mine WHERE NOT intact;
ALTER TABLE payment ENABLE ALWAYS TRIGGER idem_fixed_amount_bank_no;
SELECT * FROM findings;

-- On one partition as well; each remedy is a statement that mends it.
ALTER TABLE journal_2_1 DISABLE TRIGGER idem_kept;
ALTER TABLE journal_1 DISABLE TRIGGER idem_kept_truncate;
ALTER TABLE journal DISABLE TRIGGER idem_fixed_amount;
SELECT * FROM findings;
SELECT * FROM mine ORDER BY relation::text, kind;
ALTER TABLE journal_2_1 ENABLE ALWAYS TRIGGER idem_kept;
ALTER TABLE journal_1 ENABLE ALWAYS TRIGGER idem_kept_truncate;
ALTER TABLE journal ENABLE ALWAYS TRIGGER idem_fixed_amount;
SELECT * FROM findings;

-- A partition made later is guarded as the others, against TRUNCATE, too.
CREATE TABLE journal_3 PARTITION OF journal FOR VALUES IN (3);
SELECT * FROM findings;
SELECT remedy FROM findings \gexec
SELECT * FROM findings;
TRUNCATE journal_3;

-- A partition elsewhere, and a table that inherits, escape.
CREATE FOREIGN DATA WRAPPER doctor_far;
CREATE SERVER doctor_elsewhere FOREIGN DATA WRAPPER doctor_far;
CREATE FOREIGN TABLE journal_4 PARTITION OF journal FOR VALUES IN (4) SERVER doctor_elsewhere;
CREATE TABLE payment_heir () INHERITS (payment);
SELECT * FROM findings;
ALTER TABLE journal DETACH PARTITION journal_4;
ALTER TABLE payment_heir NO INHERIT payment;
SELECT * FROM findings;

-- A guarded table that becomes a partition of another stops half of a move.
CREATE TABLE year (id int PRIMARY KEY, amount int, bank_no text) PARTITION BY RANGE (id);
ALTER TABLE year ATTACH PARTITION payment FOR VALUES FROM (0) TO (1000);
SELECT * FROM findings;
ALTER TABLE year DETACH PARTITION payment;

-- A guard whose trigger was dropped leaves nothing but its declaration.
DROP TRIGGER idem_fixed_amount_bank_no ON payment;
SELECT severity, object, regexp_replace(finding, 'by .* at [^,]+,', 'by ... at ...,') AS finding, remedy FROM findings;
SELECT idem.guard_fixed('payment', '{amount}', once => '{bank_no}');
SELECT * FROM findings;
-- Renaming the trigger is dropping one guard and making another that nobody declared.
ALTER TRIGGER idem_fixed_amount_bank_no ON payment RENAME TO renamed;
SELECT object FROM findings;
SELECT name, intact, declared_by FROM idem.guards WHERE relation = 'payment'::regclass;
ALTER TRIGGER renamed ON payment RENAME TO idem_fixed_amount_bank_no;
-- A dropped table takes its guards along.
CREATE TABLE old (id int);
SELECT idem.guard_kept('old');
DROP TABLE old;
SELECT * FROM findings;

-- A trigger made by hand that fires less often than idem's would is no guard.
CREATE TABLE old (id int, a int);
SELECT idem.drop_guard('old', 'kept', reason => 'another table of that name');
CREATE TRIGGER idem_fixed AFTER UPDATE OF a ON old FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed('idem=1', 'columns={a}');
ALTER TABLE old ENABLE ALWAYS TRIGGER idem_fixed;
SELECT problem FROM mine WHERE NOT intact;
SELECT * FROM findings;
DROP TRIGGER idem_fixed ON old;
CREATE TRIGGER idem_fixed AFTER UPDATE ON old FOR EACH ROW WHEN (OLD.a > 0) EXECUTE FUNCTION idem.keep_fixed('idem=1', 'columns={a}');
ALTER TABLE old ENABLE ALWAYS TRIGGER idem_fixed;
SELECT problem FROM mine WHERE NOT intact;
DROP TRIGGER idem_fixed ON old;
CREATE CONSTRAINT TRIGGER idem_kept AFTER DELETE OR UPDATE ON old DEFERRABLE FOR EACH ROW EXECUTE FUNCTION idem.keep_rows('idem=1');
ALTER TABLE old ENABLE ALWAYS TRIGGER idem_kept;
SELECT problem FROM mine WHERE NOT intact;
DROP TABLE old;

-- So is one whose function somebody put something else in place of.
BEGIN;
CREATE OR REPLACE FUNCTION idem.keep_rows() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
SELECT * FROM findings;
ROLLBACK;
SELECT * FROM findings;

-- Settings that let a crash take back what was told.
SET synchronous_commit = off;
SELECT * FROM idem.doctor() WHERE object = 'setting synchronous_commit';
SET synchronous_commit = local;
SELECT * FROM idem.doctor() WHERE object = 'setting synchronous_commit';
RESET synchronous_commit;
ALTER ROLE regress_idem_doctor_nobody SET synchronous_commit = off;
SELECT * FROM idem.doctor() WHERE object LIKE 'setting synchronous_commit of%';
ALTER ROLE regress_idem_doctor_nobody RESET synchronous_commit;
-- Reasons that are given once for all that comes; a blank one is none.
ALTER ROLE regress_idem_doctor_nobody SET idem.drop_reason = 'a database for tests = yes';
ALTER ROLE regress_idem_doctor_nobody SET idem.truncate_reason = 'a database for tests';
ALTER ROLE regress_idem_doctor_nobody SET idem.allow_unguarded = 'we know what we do';
SELECT * FROM idem.doctor() WHERE object LIKE 'setting idem.%';
ALTER ROLE regress_idem_doctor_nobody SET idem.drop_reason = '';
ALTER ROLE regress_idem_doctor_nobody RESET idem.truncate_reason;
ALTER ROLE regress_idem_doctor_nobody RESET idem.allow_unguarded;
SELECT * FROM idem.doctor() WHERE object LIKE 'setting idem.%';
ALTER ROLE regress_idem_doctor_nobody RESET ALL;

-- Whatever names a caller has made, the doctor looks at the catalog.
CREATE TEMPORARY TABLE pg_trigger AS SELECT * FROM pg_catalog.pg_trigger WHERE false;
CREATE TEMPORARY TABLE guard_problems (relation regclass, kind text, name name, problem text, remedy text);
ALTER TABLE payment DISABLE TRIGGER idem_fixed_amount_bank_no;
SET search_path = pg_temp, doctor, pg_catalog;
SELECT * FROM findings;
SET search_path = doctor;
ALTER TABLE payment ENABLE ALWAYS TRIGGER idem_fixed_amount_bank_no;

-- The arguments of a trigger, taken apart
SELECT idem.trigger_settings(''), idem.trigger_settings('a=1\000b={}\000\000'::bytea);
SELECT idem.trigger_settings('\xff00');

SET client_min_messages = warning;
DROP SCHEMA doctor CASCADE;
DROP FOREIGN DATA WRAPPER doctor_far CASCADE;
DROP ROLE regress_idem_doctor_nobody;
