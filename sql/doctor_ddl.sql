--
-- DDL that would weaken a guard is refused, with the guard and the way to do it
-- properly; what leaves the guard as it is passes.
--
CREATE SCHEMA doctor_ddl;
SET search_path = doctor_ddl;
CREATE VIEW findings AS
    SELECT object, finding FROM idem.doctor() WHERE object ~ 'doctor_ddl' AND object ~ ' guard .* on ';
SELECT 'defined' AS machine FROM idem.define_machine('doctor_ddl', $$
stateDiagram-v2
    [*] --> created
    created --> paid
    paid --> [*]
$$) LIMIT 1;
CREATE TYPE mood AS ENUM ('created', 'paid');
CREATE TABLE payment (id int CONSTRAINT payment_pkey PRIMARY KEY, amount numeric(12,2) NOT NULL, currency varchar(8),
    status mood, note text);
CREATE TABLE refund (id int PRIMARY KEY, payment int NOT NULL CONSTRAINT refund_payment REFERENCES payment,
    amount numeric(12,2) NOT NULL, currency varchar(8), status text);
CREATE TABLE journal (id int, note text);
SELECT idem.guard_states('payment', 'status', 'doctor_ddl');
SELECT idem.guard_limit('refund', 'payment', amount => 'amount', cap => 'amount', used => 'refunded',
                        state => 'status', released => '{failed}', same => '{"currency":"currency"}');
SELECT idem.guard_fixed('payment', '{currency}');
SELECT idem.guard_kept('journal');
INSERT INTO payment VALUES (1, 100, 'EUR', 'created');
INSERT INTO refund VALUES (1, 1, 10, 'EUR', 'asked');
INSERT INTO journal VALUES (1, 'first');

-- ------------------------------------------------------------------ triggers
\set VERBOSITY default
ALTER TABLE payment DISABLE TRIGGER idem_fixed_currency;
\set VERBOSITY terse
ALTER TABLE payment DISABLE TRIGGER USER;
ALTER TABLE payment DISABLE TRIGGER ALL;
ALTER TABLE payment ENABLE TRIGGER idem_fixed_currency;
ALTER TABLE payment ENABLE REPLICA TRIGGER idem_fixed_currency;
DROP TRIGGER idem_fixed_currency ON payment;
DROP TRIGGER idem_kept_truncate ON journal;
DROP TRIGGER idem_limit_total_refund_payment ON payment;
ALTER TRIGGER idem_fixed_currency ON payment RENAME TO something;
CREATE OR REPLACE TRIGGER idem_fixed_currency AFTER INSERT ON payment FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed('idem=1', 'columns={note}');
-- whatever session_replication_role says
SET session_replication_role = replica;
ALTER TABLE payment DISABLE TRIGGER idem_fixed_currency;
RESET session_replication_role;
-- in a block, a function and a failed subtransaction, too
DO $$ BEGIN ALTER TABLE payment DISABLE TRIGGER idem_fixed_currency; END $$;
BEGIN;
SAVEPOINT s;
DROP TRIGGER idem_fixed_currency ON payment;
ROLLBACK TO s;
ALTER TABLE payment ADD COLUMN other int;
-- what a command did before it failed is no matter of the next one
SAVEPOINT t;
ALTER TABLE payment DROP currency, ADD CONSTRAINT never CHECK (false);
ROLLBACK TO t;
ALTER TABLE payment ADD COLUMN another int;
ROLLBACK;

-- ------------------------------------------------------------------- columns
ALTER TABLE payment RENAME status TO state;
ALTER TABLE payment DROP status;
ALTER TABLE payment DROP refunded;
ALTER TABLE refund DROP amount;
ALTER TABLE payment ALTER status TYPE text;
ALTER TABLE payment ALTER status TYPE mood USING 'paid';
ALTER TABLE payment ALTER amount TYPE numeric(12,2) USING amount * 2;
ALTER TABLE payment ALTER currency TYPE varchar(8) USING 'USD';
ALTER TABLE journal ALTER note TYPE text USING upper(note);
ALTER TABLE payment ALTER refunded DROP NOT NULL;
ALTER TABLE refund ALTER payment DROP NOT NULL;
ALTER TYPE mood RENAME VALUE 'paid' TO 'done';
DROP TYPE mood CASCADE;

-- --------------------------------------------------------------- constraints
ALTER TABLE refund DROP CONSTRAINT refund_payment;
ALTER TABLE refund ALTER CONSTRAINT refund_payment DEFERRABLE;
ALTER TABLE payment DROP CONSTRAINT idem_limit_refunded;
ALTER TABLE payment RENAME CONSTRAINT idem_limit_refunded TO something;
ALTER TABLE payment DROP CONSTRAINT payment_pkey CASCADE;
-- a key that transitions name their rows by may be replaced, and not taken away
BEGIN;
CREATE TABLE keyed (id int CONSTRAINT keyed_pkey PRIMARY KEY, status text);
SELECT idem.guard_states('keyed', 'status', 'doctor_ddl');
ALTER TABLE keyed DROP CONSTRAINT keyed_pkey, ADD CONSTRAINT keyed_key PRIMARY KEY (id);
ALTER TABLE keyed DROP CONSTRAINT keyed_key;
ROLLBACK;

-- -------------------------------------------------- tables, rules, functions
ALTER TABLE journal SET UNLOGGED;
CREATE TABLE heir () INHERITS (payment);
CREATE TABLE heir (LIKE journal);
ALTER TABLE heir INHERIT journal;
CREATE RULE instead AS ON UPDATE TO payment DO INSTEAD NOTHING;
CREATE TABLE years (id int, note text) PARTITION BY LIST (id);
ALTER TABLE years ATTACH PARTITION journal FOR VALUES IN (1);
CREATE OR REPLACE FUNCTION idem.keep_rows() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
ALTER FUNCTION idem.keep_rows() RENAME TO something;
ALTER FUNCTION idem.keep_rows() SECURITY DEFINER;
ALTER TABLE idem.machine DISABLE TRIGGER machine_invalidate;
SET client_min_messages = warning;
DROP EXTENSION idem CASCADE;
RESET client_min_messages;
-- After all of this nothing has changed.
SELECT * FROM findings;
UPDATE payment SET currency = 'USD';

-- ------------------------------------------------------------- what may pass
ALTER TYPE mood ADD VALUE 'more';
ALTER TABLE payment ADD COLUMN extra int DEFAULT random();
ALTER TABLE payment ALTER extra TYPE bigint USING extra * 2;
ALTER TABLE payment DROP extra;
ALTER TABLE payment RENAME note TO remark;
ALTER TABLE payment ALTER currency TYPE varchar(16);
ALTER TABLE payment ALTER currency TYPE text;
ALTER TABLE payment ALTER amount TYPE numeric(14,2);
ALTER TABLE payment ADD CONSTRAINT positive CHECK (amount > 0);
ALTER TABLE payment DROP CONSTRAINT positive;
CREATE TRIGGER of_ours BEFORE UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TABLE payment DISABLE TRIGGER of_ours;
DROP TRIGGER of_ours ON payment;
-- a foreign key in place of another, in one command
ALTER TABLE refund DROP CONSTRAINT refund_payment, ADD CONSTRAINT refund_of FOREIGN KEY (payment) REFERENCES payment;
ALTER TABLE journal ADD PRIMARY KEY (id);
ALTER TABLE journal DROP CONSTRAINT journal_pkey;
-- a rename is followed by the log
ALTER TABLE payment RENAME TO trade;
ALTER SCHEMA doctor_ddl RENAME TO doctor_ddl2;
SET search_path = doctor_ddl2;
CREATE SCHEMA doctor_ddl;
ALTER TABLE journal SET SCHEMA doctor_ddl;
SELECT kind, relation::text, table_schema, table_name FROM idem.change_log
    WHERE action = 'declared' AND table_schema LIKE 'doctor_ddl%' ORDER BY n;
SELECT object, finding FROM idem.doctor() WHERE object ~ 'doctor_ddl' AND object ~ ' guard .* on ';

-- ------------------------------------- with a reason, by whoever may give one
CREATE ROLE regress_idem_ddl;
GRANT USAGE ON SCHEMA doctor_ddl2 TO regress_idem_ddl;
SET ROLE regress_idem_ddl;
SET idem.allow_unguarded = 'I want to';
RESET ROLE;
SET idem.allow_unguarded = '  ';
ALTER TABLE trade DISABLE TRIGGER idem_fixed_currency;
SET idem.allow_unguarded = 'a repair';
ALTER TABLE trade DISABLE TRIGGER idem_fixed_currency;
RESET idem.allow_unguarded;
SELECT action, kind, relation::text, name, arguments, reason FROM idem.change_log WHERE action = 'unguarded' AND reason = 'a repair';
SELECT severity, object, regexp_replace(finding, 'by .* at .*, allowed', 'by ... at ..., allowed') AS finding, remedy
    FROM idem.doctor() WHERE object LIKE '% guard % on doctor_ddl2%';
-- The doctor speaks of it until somebody has looked.
ALTER TABLE trade ENABLE ALWAYS TRIGGER idem_fixed_currency;
SELECT count(*) FROM idem.doctor() WHERE object LIKE '% guard % on doctor_ddl2%';
SELECT idem.rearm('trade');
SELECT count(*) FROM idem.doctor() WHERE object LIKE '% guard % on doctor_ddl2%';
-- rearm() puts right what a restore leaves.
SET idem.allow_unguarded = 'a restore';
ALTER TABLE refund DISABLE TRIGGER ALL;
ALTER TABLE refund ENABLE TRIGGER ALL;
ALTER TABLE trade DISABLE TRIGGER ALL;
ALTER TABLE trade ENABLE TRIGGER ALL;
DROP TRIGGER idem_kept_truncate ON doctor_ddl.journal;
RESET idem.allow_unguarded;
SET ROLE regress_idem_ddl;
SELECT idem.rearm('doctor_ddl2.refund');
SELECT * FROM idem.rearm();
RESET ROLE;
SELECT s FROM idem.rearm() s ORDER BY s COLLATE "C";
SELECT * FROM idem.rearm();
SELECT object, finding FROM idem.doctor() WHERE object ~ 'doctor_ddl' AND object ~ ' guard .* on ';
SELECT action, kind, name FROM idem.change_log WHERE action = 'rearmed' AND table_schema LIKE 'doctor_ddl%' ORDER BY n;

-- ------------------------------ a table may be dropped, and takes its guards
DROP TABLE trade CASCADE;
-- with the parent the foreign key of the child went, and with that its limit
SELECT tgname FROM pg_trigger WHERE tgrelid = 'refund'::regclass AND NOT tgisinternal;
DROP TABLE doctor_ddl.journal;
SELECT action, kind, table_name, name, reason FROM idem.change_log
    WHERE action = 'dropped' AND table_schema LIKE 'doctor_ddl%' ORDER BY n;
SELECT object, regexp_replace(finding, ' by .*', ' by ...') AS finding FROM idem.doctor() WHERE object ~ 'doctor_ddl' AND object ~ ' guard .* on ';

-- Called in any other way the function raises.
SELECT idem.watch_ddl();
CREATE FUNCTION evil() RETURNS trigger LANGUAGE c AS '$libdir/idem', 'idem_watch_ddl';
CREATE TRIGGER evil BEFORE INSERT ON refund FOR EACH ROW EXECUTE FUNCTION evil();
INSERT INTO refund VALUES (9, 9, 9, 'EUR', 'asked');

SET client_min_messages = warning;
DROP SCHEMA doctor_ddl2 CASCADE;
DROP SCHEMA doctor_ddl CASCADE;
DROP ROLE regress_idem_ddl;
