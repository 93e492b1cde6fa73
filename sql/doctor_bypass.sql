--
-- The ways around a naive guard, by number: each is refused, or the doctor sees
-- it, or docs/bypass.md says that it is outside.  Those that need two sessions,
-- another server or a crash have a test of their own, named here.
--
CREATE SCHEMA doctor_bypass;
SET search_path = doctor_bypass;
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE VIEW findings AS
    SELECT object, finding FROM idem.doctor()
    WHERE object ~ 'doctor_bypass' AND finding !~ '^(looks like|holds amounts)|allow_unguarded';
CREATE ROLE regress_idem_bypass;
GRANT USAGE, CREATE ON SCHEMA doctor_bypass TO regress_idem_bypass;
SELECT idem.grant_runtime('regress_idem_bypass');
SELECT 'defined' AS machine FROM idem.define_machine('doctor_bypass', $$
stateDiagram-v2
    [*] --> created
    created --> paid
    paid --> refunded
    refunded --> [*]
$$) LIMIT 1;
SELECT idem.create_scope('doctor_bypass', effect => 'inside', fields => '{}');
CREATE TABLE payment (id int PRIMARY KEY, amount numeric NOT NULL, currency text, status text);
CREATE TABLE refund (id int PRIMARY KEY, payment_id int REFERENCES payment NOT NULL, amount numeric, note text);
SELECT idem.guard_states('payment', 'status', 'doctor_bypass');
SELECT idem.guard_fixed('payment', '{amount,currency}');
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON payment, refund TO regress_idem_bypass;
INSERT INTO payment VALUES (1, 100, 'EUR', 'created'), (2, 100, 'EUR', 'created');
UPDATE payment SET status = 'paid' WHERE id = 1;
UPDATE payment SET status = 'refunded' WHERE id = 1;
INSERT INTO refund VALUES (1, 1, 60);

-- 1: stale snapshots;  2: lock and sum: limit_race, limit_parent (isolation)
-- 3: select then insert: claim_race (isolation)
-- 4: a claim that is answered and lost in a crash;  5: in a promotion: claim_crash, claim_standby (TAP)

-- 6: uniqueness of a key is one index of one table that is not partitioned
SELECT c.relkind, i.indisunique, i.indisvalid, i.indimmediate, c.relpersistence FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE i.indexrelid = 'idem.anchor_pkey'::regclass;

-- 7: delete and insert again
DELETE FROM payment WHERE id = 1;
DELETE FROM refund;
-- 8: truncate
TRUNCATE refund;
TRUNCATE payment CASCADE;
-- 9: the amount, the parent, the cap, an upsert
UPDATE refund SET amount = 1;
UPDATE refund SET payment_id = 2;
UPDATE payment SET amount = 1000 WHERE id = 1;
INSERT INTO payment VALUES (1, 1, 'EUR', 'created') ON CONFLICT (id) DO UPDATE SET status = 'created', amount = 1000;
-- 10: amounts that are none
INSERT INTO refund VALUES (2, 1, -1);
INSERT INTO refund VALUES (2, 1, 0);
INSERT INTO refund VALUES (2, 1, 'NaN');
INSERT INTO refund VALUES (2, 1, '-Infinity');
INSERT INTO refund VALUES (2, 1, 'Infinity');
INSERT INTO refund VALUES (2, 1, NULL);

-- 11: operators and functions that look like the catalog's
CREATE SCHEMA regress_idem_evil AUTHORIZATION regress_idem_bypass;
SET ROLE regress_idem_bypass;
CREATE FUNCTION regress_idem_evil.yes(numeric, numeric) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR regress_idem_evil.<= (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = regress_idem_evil.yes);
CREATE OPERATOR regress_idem_evil.= (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = regress_idem_evil.yes);
CREATE FUNCTION regress_idem_evil.yes(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR regress_idem_evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_idem_evil.yes);
CREATE FUNCTION regress_idem_evil.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS $$SELECT ''$$;
CREATE FUNCTION regress_idem_evil.sum(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT 0::numeric';
SET search_path = regress_idem_evil, doctor_bypass, pg_catalog;
INSERT INTO refund VALUES (2, 1, 60);
UPDATE payment SET status = 'created' WHERE id = 1;
UPDATE payment SET amount = 1;
SELECT outcome FROM idem.transition('payment', '1', 'created');
-- 12: temporary tables named like the guard's
SET search_path = doctor_bypass;
CREATE TEMPORARY TABLE payment (id int PRIMARY KEY, amount numeric, status text, refunded numeric);
CREATE TEMPORARY TABLE machine (name text, version int, diagram text, owner name);
CREATE TEMPORARY TABLE anchor (digest uuid);
INSERT INTO pg_temp.payment VALUES (1, 1000000, 'created', 0);
SET search_path = pg_temp, doctor_bypass, idem;
INSERT INTO doctor_bypass.refund VALUES (2, 1, 60);
UPDATE doctor_bypass.payment SET status = 'created' WHERE id = 1;
DROP TABLE pg_temp.payment, pg_temp.machine, pg_temp.anchor;
SET search_path = doctor_bypass;
RESET ROLE;
DROP SCHEMA regress_idem_evil CASCADE;

-- 13: row security that hides the siblings
ALTER TABLE refund ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON refund USING (note = current_user) WITH CHECK (true);
ALTER TABLE payment ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY none ON payment USING (false);
SET ROLE regress_idem_bypass;
INSERT INTO refund VALUES (2, 1, 60, 'regress_idem_bypass');
RESET ROLE;
DROP POLICY own ON refund;
DROP POLICY none ON payment;
ALTER TABLE refund DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE payment DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;

-- 14: no key;  15: one too long;  17: ones that look alike
SELECT outcome FROM idem.claim('doctor_bypass', NULL, '{}');
SELECT outcome FROM idem.claim('doctor_bypass', '', '{}');
SELECT outcome FROM idem.claim('doctor_bypass', '  ', '{}');
SELECT outcome FROM idem.claim('doctor_bypass', repeat('x', 256), '{}');
SELECT outcome FROM idem.claim('doctor_bypass', repeat('x', 255), '{}');
SELECT outcome FROM idem.claim('doctor_bypass', U&'pay\2011a', '{}');
SELECT outcome FROM idem.claim('doctor_bypass', U&'pay-\0430', '{}');
SELECT outcome FROM idem.claim('doctor_bypass', 'pay-a ', '{}');
SELECT k, c.outcome FROM unnest('{pay-a,PAY-a,pay-a0,pay-a}'::text[]) k, idem.claim('doctor_bypass', k, '{}') c;
-- 16: a key is found by 16 bytes of SHA-256, and compared whole
SELECT count(DISTINCT digest) = count(*) AS distinct FROM idem.anchor;

-- 18: tables that a dump leaves out: sanity; money_dump, claim_dump, machine_dump, dump (TAP)

-- 19: a trigger of the table that fires later and writes
CREATE FUNCTION rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.status = 'refunded'; RETURN NEW; END $$;
CREATE TRIGGER zzz_rewrite BEFORE UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION rewrite();
UPDATE payment SET status = 'paid' WHERE id = 2;
-- 20: or another column is updated, and the trigger writes the state
UPDATE payment SET currency = 'EUR' WHERE id = 2;
DROP TRIGGER zzz_rewrite ON payment;
CREATE FUNCTION double() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.amount = 41; RETURN NEW; END $$;
CREATE TRIGGER zzz_double BEFORE INSERT ON refund FOR EACH ROW EXECUTE FUNCTION double();
INSERT INTO refund VALUES (2, 1, 1);
DROP TRIGGER zzz_double ON refund;

-- 21: an update that moves the row to another partition
CREATE TABLE parted (id int, status text, note text, PRIMARY KEY (id, status)) PARTITION BY LIST (status);
CREATE TABLE parted_created PARTITION OF parted FOR VALUES IN ('created');
CREATE TABLE parted_other PARTITION OF parted DEFAULT;
SELECT idem.guard_states('parted', 'status', 'doctor_bypass');
INSERT INTO parted VALUES (1, 'created');
UPDATE parted SET status = 'refunded';
INSERT INTO parted_other VALUES (2, 'refunded');

-- 22: the apply worker of logical replication: machine_replica, limit_dump, doctor_replica (TAP)
-- 23: --disable-triggers: dump (TAP), doctor_ddl

-- 24: a dump of a broken database restores without a word; the doctor looks at the rows
SET idem.allow_unguarded = 'to plant what the doctor finds';
ALTER TABLE refund DISABLE TRIGGER USER;
INSERT INTO refund VALUES (9, 1, 6000);
ALTER TABLE payment DISABLE TRIGGER USER;
UPDATE payment SET status = 'broken' WHERE id = 2;
SELECT count(*) FROM idem.rearm();
SELECT * FROM findings;
ALTER TABLE refund DISABLE TRIGGER USER;
DELETE FROM refund WHERE id = 9;
ALTER TABLE payment DISABLE TRIGGER USER;
UPDATE payment SET status = 'created' WHERE id = 2;
SELECT count(*) FROM idem.rearm();
RESET idem.allow_unguarded;
SELECT * FROM findings;

-- 25: no table of the extension is partitioned
SELECT count(*) FROM pg_class WHERE relnamespace = 'idem'::regnamespace AND relkind = 'p';
-- 26: DROP EXTENSION while there are claims
DROP EXTENSION idem;
DROP EXTENSION idem CASCADE;
DROP SCHEMA idem CASCADE;
\set VERBOSITY sqlstate
DROP OWNED BY CURRENT_USER CASCADE;
\set VERBOSITY terse

-- 27: a generated state: the column it comes from is to be guarded
CREATE TABLE generated (id int PRIMARY KEY, code text, status text GENERATED ALWAYS AS (code) STORED);
SELECT idem.guard_states('generated', 'status', 'doctor_bypass');
-- 28: a guard raises, it never skips a row: no foreign key is left with orphans
CREATE TABLE holder (id int PRIMARY KEY);
CREATE TABLE held (id int PRIMARY KEY, holder int DEFAULT 0 REFERENCES holder ON DELETE CASCADE ON UPDATE SET DEFAULT, status text);
SELECT idem.guard_states('held', 'status', 'doctor_bypass');
SELECT idem.guard_fixed('held', '{holder}');
INSERT INTO holder VALUES (0), (1);
INSERT INTO held VALUES (1, 1, 'created');
DELETE FROM holder WHERE id = 1;
-- 29: actions of foreign keys are judged as any other statement
UPDATE holder SET id = 2 WHERE id = 1;
SELECT h.id, d.id AS held FROM holder h LEFT JOIN held d ON d.holder = h.id ORDER BY 1;

-- 30: a row that is skipped is not counted
INSERT INTO refund VALUES (1, 1, 40) ON CONFLICT DO NOTHING;
SELECT refunded FROM payment WHERE id = 1;
-- 31: what is rolled back was neither claimed nor counted
BEGIN;
SAVEPOINT s;
SELECT outcome FROM idem.claim('doctor_bypass', 'back', '{}');
INSERT INTO refund VALUES (2, 1, 40);
ROLLBACK TO s;
SELECT outcome FROM idem.claim('doctor_bypass', 'back', '{}');
INSERT INTO refund VALUES (3, 1, 40);
COMMIT;
SELECT refunded FROM payment WHERE id = 1;
-- 32: synchronous_commit set by a function is undone before the commit: claim_crash (TAP)
-- 33: the CHECK of a limit reads its own row only, so it is true of what is stored
SELECT pg_get_constraintdef(oid) !~ 'SELECT|doctor_bypass' AS of_its_row FROM pg_constraint WHERE conname = 'idem_limit_refunded' AND conrelid = 'payment'::regclass;
-- 34: unique indexes that keep nothing unique: audit_schema
-- 35: when a key was claimed is the time of the claim, not of its transaction
BEGIN;
SELECT pg_sleep(0.02);
SELECT first_seen > now() AS after_it_began FROM idem.claim('doctor_bypass', 'age', '{}');
ROLLBACK;
-- 36: nothing of idem hands a number of a sequence to the outside
-- 37: a schema that somebody made before: doctor_replica (TAP)
-- 38: a partition elsewhere
CREATE FOREIGN DATA WRAPPER doctor_bypass_far;
CREATE SERVER doctor_bypass_far FOREIGN DATA WRAPPER doctor_bypass_far;
CREATE FOREIGN TABLE parted_far PARTITION OF parted FOR VALUES IN ('far') SERVER doctor_bypass_far;
DROP FOREIGN DATA WRAPPER doctor_bypass_far CASCADE;

-- 39: session_replication_role
SET session_replication_role = replica;
UPDATE payment SET status = 'refunded' WHERE id = 2;
INSERT INTO refund VALUES (4, 1, 60);
UPDATE payment SET amount = 200 WHERE id = 2;
DELETE FROM refund;
TRUNCATE refund;
RESET session_replication_role;
-- 40: DISABLE, DROP, on one partition only, and armed again: refused
ALTER TABLE parted_other DISABLE TRIGGER idem_states_status;
DROP TRIGGER idem_states_status ON parted_other;
-- 41: rewrites, renames, inheritance, detach, rules
ALTER TABLE payment ALTER status TYPE text USING 'created';
ALTER TABLE payment RENAME status TO old_status;
CREATE TABLE heir () INHERITS (payment);
CREATE RULE r AS ON UPDATE TO payment DO INSTEAD NOTHING;
ALTER TABLE parted DETACH PARTITION parted_created;
ALTER TABLE payment RENAME TO trade;
UPDATE trade SET status = 'refunded' WHERE id = 2;
ALTER TABLE trade RENAME TO payment;
-- 42: a superuser who writes the catalog is seen by the doctor
BEGIN;
SET allow_system_table_mods = on;
UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'payment'::regclass AND tgname = 'idem_fixed_amount_currency';
DELETE FROM pg_trigger WHERE tgrelid = 'payment'::regclass AND tgname = 'idem_states_status';
SELECT object, regexp_replace(finding, 'by .* at [^,]+,', 'by ... at ...,') AS finding FROM findings;
ROLLBACK;
-- (this session has seen the table without its trigger and was not told that it is back)
\c -
SET search_path = doctor_bypass;
SET client_min_messages = warning;
\set VERBOSITY terse
-- 43: under replica role DDL is watched, too
SET session_replication_role = replica;
ALTER TABLE payment DISABLE TRIGGER idem_fixed_amount_currency;
RESET session_replication_role;
-- 44: the right to make triggers: what they write is judged (19), who has it doctor_roles tells
-- 45: what a limit locks does not deadlock with foreign keys: limit_lock (isolation), limit_stress (TAP)
-- 46: a claim in a prepared transaction: claim_crash (TAP)

-- 47: trigger functions called directly, or hung where they do not belong
SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'idem'::regnamespace AND p.prorettype = 'trigger'::regtype ORDER BY 1;
SELECT idem.keep_states();
SELECT idem.keep_limit();
SELECT idem.keep_total();
SELECT idem.keep_fixed();
SELECT idem.keep_rows();
SELECT idem.refuse_truncate();
SELECT idem.invalidate_definitions();
-- 48: a receive function believes no length;  49: the smallest number
SELECT '-999999999999.999999'::money_micro / -1;
SELECT '-9223372036854.775808'::money_micro;
-- 50: a standby that is promoted, or a backup, without the last commits is outside
-- 51: the table is dropped with its rows
SET idem.drop_reason = '';
DROP TABLE payment CASCADE;
DROP SCHEMA doctor_bypass CASCADE;
RESET idem.drop_reason;

-- the second list, where it says more --------------------------------------
-- 3: the entry state of an upsert that updates is not asked for
INSERT INTO payment VALUES (2, 100, 'EUR', 'paid') ON CONFLICT (id) DO UPDATE SET status = 'paid';
-- 9: the key of a row
UPDATE payment SET id = 7 WHERE id = 1;
-- 12: NULL
UPDATE payment SET status = NULL WHERE id = 2;
INSERT INTO payment VALUES (8, 1, 'EUR', NULL);
-- 13: the same state again
UPDATE payment SET status = 'paid' WHERE id = 2;
-- 15: an object that was read before and saves the whole row
UPDATE payment SET id = 1, amount = 100, currency = 'EUR', status = 'paid', refunded = 100 WHERE id = 1;

SELECT * FROM findings;
SELECT id, status, amount, refunded FROM payment ORDER BY id;
DROP SCHEMA doctor_bypass CASCADE;
DROP OWNED BY regress_idem_bypass;
DROP ROLE regress_idem_bypass;
