--
-- Taking a guard off: by the owner, with a reason that is kept.
--
-- What weakens a guard is refused (doctor_ddl); here it is done on purpose.
SET idem.allow_unguarded = 'a test of what is not refused';
CREATE SCHEMA doctor_drop;
SET search_path = doctor_drop;

CREATE TABLE payment (id int PRIMARY KEY, amount int);
CREATE TABLE journal (id int, part int) PARTITION BY LIST (part);
CREATE TABLE journal_1 PARTITION OF journal FOR VALUES IN (1);
INSERT INTO payment VALUES (1, 100);
INSERT INTO journal VALUES (1, 1);
SELECT idem.guard_fixed('payment', '{amount}');
SELECT idem.guard_kept('journal');

-- Without a reason nothing happens.
SELECT idem.drop_guard('payment', 'fixed');
SELECT idem.drop_guard('payment', 'fixed', reason => '');
SELECT idem.drop_guard('payment', 'fixed', reason => E' \n\t');
UPDATE payment SET amount = 1;

-- Nor for a guard that is not there, or of which the partition has only the copy.
SELECT idem.drop_guard('payment', 'kept', reason => 'test');
SELECT idem.drop_guard('payment', 'fixed', name => 'other', reason => 'test');
SELECT idem.drop_guard('journal_1', 'kept', reason => 'test');
SELECT idem.drop_guard('payment', 'truncate', reason => 'test');
SELECT idem.drop_guard(NULL, 'fixed', reason => 'test');
SELECT idem.drop_guard('payment', NULL, reason => 'test');
SELECT idem.drop_guard(4294967295, 'fixed', reason => 'test');

-- Nor for anybody but the owner.
CREATE ROLE regress_idem_doctor_other;
GRANT ALL ON SCHEMA doctor_drop TO regress_idem_doctor_other;
GRANT ALL ON payment TO regress_idem_doctor_other;
SET ROLE regress_idem_doctor_other;
SELECT idem.drop_guard('payment', 'fixed', reason => 'test');
RESET ROLE;

-- The triggers go from the table and from every partition, the words stay.
SELECT idem.drop_guard('payment', 'fixed', reason => 'amounts were imported in the wrong unit');
UPDATE payment SET amount = 1;
SELECT idem.drop_guard('journal', 'kept', reason => 'end of the test');
DELETE FROM journal;
TRUNCATE journal, journal_1;
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgrelid::regclass::text IN ('payment', 'journal', 'journal_1');
SELECT action, kind, relation, name, arguments, reason FROM idem.change_log
    WHERE table_schema = current_schema AND table_name IN ('payment', 'journal') ORDER BY n;
SELECT object FROM idem.doctor() WHERE object ~ ' guard .* on ' AND finding !~ 'allow_unguarded';

-- It may be declared anew, and is undone with its transaction.
SELECT idem.guard_fixed('payment', '{amount}');
BEGIN;
SELECT idem.drop_guard('payment', 'fixed', reason => 'thought better of it');
UPDATE payment SET amount = 2;
ROLLBACK;
UPDATE payment SET amount = 2;
-- A guard whose trigger was dropped without a word is written off.
DROP TRIGGER idem_fixed_amount ON payment;
SELECT object, remedy FROM idem.doctor() WHERE object ~ ' guard .* on ' AND finding !~ 'allow_unguarded';
SELECT idem.drop_guard('doctor_drop.payment', 'fixed', name => 'idem_fixed_amount', reason => 'dropped by mistake');
SELECT object FROM idem.doctor() WHERE object ~ ' guard .* on ' AND finding !~ 'allow_unguarded';
SELECT idem.drop_guard('payment', 'fixed', reason => 'twice');

-- An owner who is no superuser, and whose guard was made by hand in part.
SET ROLE regress_idem_doctor_other;
CREATE TABLE own (id int, a int);
SELECT idem.guard_kept('own');
DROP TRIGGER idem_kept_truncate ON own;
CREATE TRIGGER by_hand AFTER UPDATE ON own FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed('idem=1', 'columns={a}', 'columns={a}');
CREATE TRIGGER by_hand_too AFTER UPDATE ON own FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed('idem=1', 'columns={a}');
SELECT idem.drop_guard('own', 'kept', reason => 'test');
SELECT idem.drop_guard('own', 'fixed', reason => 'test');
SELECT idem.drop_guard('own', 'fixed', name => 'by_hand', reason => 'test');
SELECT idem.drop_guard('own', 'fixed', reason => 'test');
RESET ROLE;
SELECT action, kind, role = session_user AS by_session_user, name, arguments, reason FROM idem.change_log
    WHERE table_schema = current_schema AND table_name = 'own' ORDER BY n;

-- Somebody else's event trigger may say no; idem watches on.
CREATE TABLE still (a int);
SELECT idem.guard_kept('still');
CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no %', tg_tag; END$$;
CREATE EVENT TRIGGER doctor_no ON ddl_command_start WHEN TAG IN ('DROP TRIGGER') EXECUTE FUNCTION no();
SELECT idem.drop_guard('still', 'kept', reason => 'test');
DROP EVENT TRIGGER doctor_no;
RESET idem.allow_unguarded;
DROP TRIGGER idem_kept ON still;

SET client_min_messages = warning;
DROP SCHEMA doctor_drop CASCADE;
DROP ROLE regress_idem_doctor_other;
