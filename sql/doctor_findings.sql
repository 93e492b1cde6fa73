--
-- Findings that no other test plants: each is planted, shown with its severity
-- and remedy, and gone when the remedy was done.  Which test plants which
-- finding is written in test/tap/530_doctor_findings.pl, which compares
-- that list with what the doctor can say.  (An excess of a limit: wound 19b.)
--
SET idem.allow_unguarded = 'a test of what is not refused';
CREATE SCHEMA doctor_findings;
SET search_path = doctor_findings;
SET client_min_messages = warning;
CREATE VIEW findings AS
    SELECT * FROM idem.doctor()
    WHERE object ~ '(doctor_findings|event trigger|extension trigger|^scope doctor)' AND finding !~ 'allow_unguarded|^looks like|^holds amounts';
SELECT 'defined' AS machine FROM idem.define_machine('doctor_findings', $$
stateDiagram-v2
    [*] --> created
    created --> paid
    paid --> [*]
$$) LIMIT 1;
CREATE TABLE payment (id int PRIMARY KEY, amount numeric NOT NULL, currency text, status text, paid_at timestamptz);
CREATE TABLE refund (id int PRIMARY KEY, payment_id int NOT NULL REFERENCES payment, amount numeric NOT NULL, currency text, kind text);
CREATE TABLE journal (id int, part int) PARTITION BY LIST (part);
CREATE TABLE journal_1 PARTITION OF journal FOR VALUES IN (1);
SELECT idem.guard_states('payment', 'status', 'doctor_findings');
SELECT idem.guard_fixed('payment', '{amount}');
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'kind', released => '{void}', same => '{"currency":"currency"}', facts => '{chargeback}', excess => 'beyond',
    parent_state => 'status', open => '{paid}', count_cap => 3, count_used => 'refunds',
    max_age => '1 year', age_from => 'paid_at');
SELECT idem.guard_kept('journal');
SELECT * FROM findings;

-- a clone that is gone: only the catalog itself can lose it
BEGIN;
SET allow_system_table_mods = on;
DELETE FROM pg_trigger WHERE tgrelid = 'journal_1'::regclass AND tgname = 'idem_kept';
SELECT * FROM findings;
ROLLBACK;
\c -
SET idem.allow_unguarded = 'a test of what is not refused';
SET search_path = doctor_findings;
SET client_min_messages = warning;
SELECT * FROM findings;

-- a table that a crash empties
ALTER TABLE journal_1 SET UNLOGGED;
SELECT * FROM findings;
SELECT remedy FROM findings \gexec
SELECT * FROM findings;

-- a rule that takes statements away
CREATE RULE later AS ON DELETE TO refund DO INSTEAD NOTHING;
SELECT * FROM findings;
SELECT remedy FROM findings \gexec
SELECT * FROM findings;

-- a table of idem whose trigger sleeps
ALTER TABLE idem.machine DISABLE TRIGGER machine_invalidate;
SELECT * FROM findings;
SELECT remedy FROM findings \gexec
SELECT * FROM findings;

-- event triggers: disabled, not always, gone
ALTER EVENT TRIGGER idem_ddl_end DISABLE;
ALTER EVENT TRIGGER idem_rewrite ENABLE;
SELECT * FROM findings;
SELECT remedy FROM findings \gexec
SELECT * FROM findings;
BEGIN;
ALTER EVENT TRIGGER idem_ddl_start RENAME TO something_else;
SELECT * FROM findings;
ROLLBACK;
SELECT * FROM findings;

-- every column that a limit names, on both sides: renamed, dropped or of
-- another type it is refused
RESET idem.allow_unguarded;
\set VERBOSITY terse
ALTER TABLE refund RENAME payment_id TO x;
ALTER TABLE refund RENAME amount TO x;
ALTER TABLE refund RENAME kind TO x;
ALTER TABLE refund RENAME currency TO x;
ALTER TABLE payment RENAME id TO x;
ALTER TABLE payment RENAME amount TO x;
ALTER TABLE payment RENAME refunded TO x;
ALTER TABLE payment RENAME beyond TO x;
ALTER TABLE payment RENAME refunds TO x;
ALTER TABLE payment RENAME currency TO x;
ALTER TABLE payment RENAME paid_at TO x;
ALTER TABLE payment DROP beyond;
ALTER TABLE payment DROP refunds;
ALTER TABLE payment DROP paid_at;
ALTER TABLE payment ALTER beyond TYPE int;
ALTER TABLE payment ALTER refunds TYPE bigint;
ALTER TABLE payment ALTER paid_at TYPE timestamp;
ALTER TABLE payment ALTER paid_at TYPE timestamptz USING now();
ALTER TABLE payment ALTER beyond DROP NOT NULL;
ALTER TABLE payment ALTER refunds DROP NOT NULL;
SELECT idem.drop_guard('payment', 'states', reason => 'the limit alone names the state');
ALTER TABLE payment RENAME status TO x;
ALTER TABLE payment DROP status;
ALTER TABLE payment ALTER status TYPE name;
SELECT * FROM findings;
-- and seen, where somebody had a reason
SET idem.allow_unguarded = 'a test of what is not refused';
BEGIN;
ALTER TABLE payment RENAME beyond TO a;
ALTER TABLE payment RENAME refunds TO b;
ALTER TABLE payment RENAME paid_at TO c;
ALTER TABLE payment RENAME status TO d;
ALTER TABLE refund RENAME kind TO e;
ALTER TABLE refund RENAME currency TO f;
SELECT finding FROM findings WHERE finding LIKE 'column%';
ROLLBACK;
SELECT * FROM findings;

-- more went back than came in; a count that is not the number of children
SELECT idem.guard_states('payment', 'status', 'doctor_findings');
INSERT INTO payment VALUES (1, 100, 'EUR', 'created', now());
UPDATE payment SET status = 'paid';
INSERT INTO refund VALUES (1, 1, 60, 'EUR', 'asked'), (2, 1, 50, 'EUR', 'chargeback');
SELECT severity, finding FROM findings;
INSERT INTO refund VALUES (3, 1, 1, 'EUR', 'chargeback');
ALTER TABLE payment DISABLE TRIGGER USER;
UPDATE payment SET refunds = 7;
SELECT finding FROM findings WHERE finding ~ 'row';
UPDATE payment SET refunds = 3, beyond = 0, refunded = 100, amount = 111;
SELECT finding FROM findings WHERE finding ~ 'row';
UPDATE payment SET beyond = 0, refunded = 111, amount = 111;
SELECT count(*) FROM idem.rearm('payment');
SELECT count(*) FROM idem.rearm('refund');
SELECT * FROM findings;

-- a guard that came by CREATE TRIGGER, as in a dump of one table
CREATE TABLE once (id int PRIMARY KEY, amount int);
CREATE TRIGGER idem_fixed AFTER UPDATE ON once FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed('idem=1', 'columns={amount}');
ALTER TABLE once ENABLE ALWAYS TRIGGER idem_fixed;
SELECT * FROM findings;
SELECT * FROM idem.rearm('once');
SELECT * FROM findings;
SELECT action, arguments, reason FROM idem.change_log WHERE relation = 'once'::regclass;
-- from now on it is missed
DROP TRIGGER idem_fixed ON once;
SELECT severity, object, regexp_replace(finding, 'by .* at [^,]+,', 'by ... at ...,') AS finding FROM findings;
-- and one that was taken off is undeclared when it comes back
SELECT idem.drop_guard('once', 'fixed', reason => 'test');
SELECT * FROM findings;
CREATE TRIGGER idem_fixed AFTER UPDATE ON once FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed('idem=1', 'columns={amount}');
ALTER TABLE once ENABLE ALWAYS TRIGGER idem_fixed;
SELECT finding FROM findings;
-- arguments that are no array of names name nothing: an empty element, an open quote
DROP TABLE once;
CREATE TABLE once (id int PRIMARY KEY, amount int, b int, c int);
CREATE TRIGGER idem_fixed AFTER UPDATE ON once FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed('idem=1', 'columns={amount,}');
CREATE TRIGGER idem_fixed_2 AFTER UPDATE ON once FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed('idem=1', 'columns={b,"c}');
CREATE TRIGGER idem_fixed_3 AFTER UPDATE ON once FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed('idem=1', 'columns={,b}');
CREATE TRIGGER idem_fixed_4 AFTER UPDATE ON once FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed('idem=1', 'columns={c}x');
CREATE TRIGGER idem_fixed_5 AFTER UPDATE ON once FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed('idem=1', 'columns={c\');
SELECT problem FROM idem.guards WHERE relation = 'once'::regclass ORDER BY name;
RESET idem.allow_unguarded;
ALTER TABLE once RENAME amount TO x;
ALTER TABLE once RENAME b TO y;
ALTER TABLE once RENAME c TO z;
CREATE TRIGGER idem_fixed_6 AFTER UPDATE ON once FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed('idem=1', 'columns={x,yz}');
ALTER TABLE once RENAME x TO amount;
ALTER TABLE once RENAME y TO b;
DROP TABLE once;
SET idem.allow_unguarded = 'a test of what is not refused';

-- triggers of others that write what a guard keeps
CREATE FUNCTION touches() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    n int;
BEGIN
    -- the state is only read
    IF NEW.status = 'paid' AND NEW.amount = 1 THEN NEW.paid_at := now(); END IF;
    NEW.currency = upper(NEW.currency);
    IF NEW.paid_at IS NULL THEN
        NEW . "status" := 'created';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER touches BEFORE INSERT OR UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION touches();
SELECT * FROM findings;
ALTER TABLE payment DISABLE TRIGGER touches;
SELECT * FROM findings;
DROP TRIGGER touches ON payment;
CREATE TRIGGER touches AFTER INSERT OR UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION touches();
SELECT * FROM findings;
DROP TRIGGER touches ON payment;

-- effects outside that nobody knows the outcome of
SELECT idem.create_scope('doctor_findings', effect => 'outside', fields => '{}');
SELECT outcome FROM idem.reserve('doctor_findings', 'a', '{}', 'one');
SELECT outcome FROM idem.reserve('doctor_findings', 'b', '{}', 'two');
SELECT * FROM findings;
BEGIN;
UPDATE idem.reservation r SET state = 'u', due_at = now(), step = cardinality(s.ladder)
    FROM idem.scope s WHERE s.name = 'doctor_findings' AND r.scope = s.id;
SELECT * FROM findings;
UPDATE idem.reservation r SET step = 0, concern = CASE key WHEN 'a' THEN 'l' ELSE 'r' END, state = 's'
    FROM idem.scope s WHERE s.name = 'doctor_findings' AND r.scope = s.id;
SELECT * FROM findings;
ROLLBACK;
SELECT * FROM findings;

RESET idem.allow_unguarded;
DELETE FROM idem.reservation r USING idem.scope s WHERE s.name = 'doctor_findings' AND r.scope = s.id;
DELETE FROM idem.attempt r USING idem.scope s WHERE s.name = 'doctor_findings' AND r.scope = s.id;
SELECT idem.drop_scope('doctor_findings');
DROP SCHEMA doctor_findings CASCADE;
