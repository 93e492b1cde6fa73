--
-- Intact has one definition: what idem.guards shows is what DDL is refused for.
-- Each rule is broken twice: refused, and with a reason shown as not intact.
-- Wounds 18 (columns of a kept table), 19a (a guarded table under another one),
-- 20 (what only DDL was refused for).
--
CREATE SCHEMA doctor_intact;
SET search_path = doctor_intact;
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE VIEW broken AS
    SELECT relation, kind, problem FROM idem.guards WHERE NOT intact AND relation::text !~ '\.';
SELECT 'defined' AS machine FROM idem.define_machine('doctor_intact', $$
stateDiagram-v2
    [*] --> created
    created --> paid
    paid --> [*]
$$) LIMIT 1;
CREATE TABLE payment (id int CONSTRAINT payment_pkey PRIMARY KEY, no int NOT NULL CONSTRAINT payment_no UNIQUE,
                      amount numeric(12,2) NOT NULL, status varchar(20));
CREATE TABLE refund (id int PRIMARY KEY, payment int NOT NULL CONSTRAINT refund_payment REFERENCES payment (no),
                     amount numeric(12,2) NOT NULL, state text);
CREATE TYPE place AS (street text, town text);
CREATE DOMAIN home AS place;
CREATE TABLE journal (id int, note text, "Where" home, at timestamptz);
SELECT idem.guard_states('payment', 'status', 'doctor_intact');
SELECT idem.guard_limit('refund', 'payment', amount => 'amount', cap => 'amount', used => 'refunded',
                        state => 'state', released => '{void}');
SELECT idem.guard_kept('journal');
SELECT settings FROM idem.guards WHERE relation = 'journal'::regclass;
SELECT * FROM broken;
INSERT INTO payment (id, no, amount, status) VALUES (1, 1, 100, 'created');
INSERT INTO refund VALUES (1, 1, 10, 'asked');

-- wound 20: NOT NULL, the foreign key and whether it is deferrable, the primary
-- key, a type, the function
ALTER TABLE refund ALTER payment DROP NOT NULL;
ALTER TABLE payment ALTER refunded DROP NOT NULL;
ALTER TABLE payment ALTER amount DROP NOT NULL;
ALTER TABLE refund DROP CONSTRAINT refund_payment;
ALTER TABLE refund ALTER CONSTRAINT refund_payment DEFERRABLE;
ALTER TABLE payment DROP CONSTRAINT payment_no CASCADE;
ALTER TABLE refund DROP CONSTRAINT refund_payment,
    ADD CONSTRAINT refund_payment FOREIGN KEY (payment) REFERENCES payment (no) ON DELETE CASCADE;
ALTER TABLE payment DROP CONSTRAINT payment_pkey;
ALTER TABLE payment DROP CONSTRAINT payment_pkey, ADD PRIMARY KEY (id) DEFERRABLE;
ALTER TABLE payment DROP status, ADD status varchar(20);
ALTER TABLE refund ALTER amount TYPE text;
ALTER FUNCTION idem.keep_rows() SECURITY DEFINER;
SELECT * FROM broken;
SET idem.allow_unguarded = 'a test of what is seen';
BEGIN;
ALTER TABLE refund ALTER payment DROP NOT NULL, DROP CONSTRAINT refund_payment;
ALTER TABLE payment ALTER refunded DROP NOT NULL;
SELECT * FROM broken ORDER BY 1, 2;
ROLLBACK;
BEGIN;
ALTER TABLE refund ALTER CONSTRAINT refund_payment DEFERRABLE;
ALTER TABLE payment DROP CONSTRAINT payment_pkey;
SELECT * FROM broken ORDER BY 1, 2;
-- the log says what was done, and by which command
SELECT kind, name, arguments FROM idem.change_log WHERE action = 'unguarded' AND reason = 'a test of what is seen' ORDER BY n;
ROLLBACK;
BEGIN;
ALTER TABLE refund ALTER amount TYPE text;
ALTER FUNCTION idem.keep_rows() SECURITY DEFINER;
SELECT * FROM broken ORDER BY 1, 2;
ROLLBACK;
BEGIN;
ALTER FUNCTION idem.keep_rows() SET work_mem = '1MB';
SELECT * FROM broken;
ROLLBACK;
RESET idem.allow_unguarded;
SELECT * FROM broken;

-- wound 18: a kept table keeps its columns, also those that came later, and
-- their names; what widens without another meaning passes
ALTER TABLE journal DROP note;
ALTER TABLE journal RENAME note TO words;
ALTER TABLE journal RENAME note TO words \; ALTER TABLE journal DROP words;
ALTER TABLE journal DROP note, ADD note text;
ALTER TABLE journal ALTER at TYPE timestamp;
-- (nothing is rewritten for this one: -1 would read 4294967295)
ALTER TABLE journal ALTER id TYPE oid;
ALTER TABLE journal ADD later varchar(3);
ALTER TABLE journal ALTER later TYPE varchar(6);
ALTER TABLE journal DROP later;
SELECT * FROM broken;
-- and the doctor sees one that is gone
SET idem.allow_unguarded = 'a test of what is seen';
BEGIN;
ALTER TABLE journal DROP note;
SELECT * FROM broken;
SELECT severity, finding FROM idem.doctor() WHERE object LIKE 'kept guard % on doctor_intact.journal' AND finding !~ 'allow_unguarded';
ROLLBACK;
RESET idem.allow_unguarded;

-- wound 19a: a guarded table is put under no other one
CREATE TABLE refund_old (LIKE refund);
ALTER TABLE refund INHERIT refund_old;
SET idem.allow_unguarded = 'a test of what is seen';
BEGIN;
ALTER TABLE refund INHERIT refund_old;
SELECT * FROM broken;
SELECT severity, finding, remedy FROM idem.doctor() WHERE object LIKE 'limit guard % on doctor_intact.refund' AND finding !~ 'allow_unguarded';
ROLLBACK;
RESET idem.allow_unguarded;
DROP TABLE refund_old;

-- what was wrong before keeps nobody from a command that makes nothing worse
SET idem.allow_unguarded = 'a test of what is seen';
ALTER TABLE payment DISABLE TRIGGER USER;
RESET idem.allow_unguarded;
ALTER TABLE payment ENABLE ALWAYS TRIGGER idem_states_status;
ALTER TABLE payment ADD CONSTRAINT positive CHECK (amount > 0);
ALTER TABLE payment DROP CONSTRAINT positive;
SELECT * FROM broken;
ALTER TABLE payment DISABLE TRIGGER idem_states_status;
SELECT * FROM idem.rearm('payment') ORDER BY 1;
SELECT idem.rearm('refund');
SELECT * FROM broken;

-- problems of some tables: of the guards on them and above them
SELECT count(*) FROM idem.problems_of('{payment,refund}');
SET idem.allow_unguarded = 'a test of what is seen';
ALTER TABLE payment DISABLE TRIGGER idem_states_status;
SELECT relation, kind, problem, member FROM idem.problems_of('{payment}');
SELECT count(*) FROM idem.problems_of('{journal,refund}');
SELECT count(*) FROM idem.problems_of('{}');
ALTER TABLE payment ENABLE ALWAYS TRIGGER idem_states_status;
RESET idem.allow_unguarded;

-- wound 18: a composite type under a guard keeps its attributes, also in a
-- domain or an array, and where the attribute falls with its own type
CREATE TYPE colour AS ENUM ('red');
CREATE TYPE paint AS (name text, hue colour);
CREATE TABLE wall (id int PRIMARY KEY, paints paint[], other paint);
CREATE TABLE free (id int PRIMARY KEY, other paint);
SELECT idem.guard_fixed('wall', '{paints}');
ALTER TYPE place DROP ATTRIBUTE town;
ALTER TYPE place DROP ATTRIBUTE town CASCADE;
ALTER TYPE paint DROP ATTRIBUTE name;
DROP TYPE colour CASCADE;
ALTER TYPE colour RENAME VALUE 'red' TO 'blue';
ALTER TYPE paint ADD ATTRIBUTE more int;
ALTER TABLE wall DROP paints;
SELECT idem.drop_guard('wall', 'fixed', reason => 'paint fades');
ALTER TYPE paint DROP ATTRIBUTE name;
DROP TYPE colour CASCADE;

-- a guarded table with rows is dropped for a reason, an empty one for none
SET idem.drop_reason = '';
CREATE TABLE empty (id int);
SELECT idem.guard_kept('empty');
DROP TABLE empty;
CREATE TABLE parts (id int, part int) PARTITION BY LIST (part);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
SELECT idem.guard_kept('parts');
INSERT INTO parts VALUES (1, 1);
INSERT INTO journal VALUES (1, 'first');
DROP TABLE parts_2;
\set VERBOSITY default
DROP TABLE parts_1;
\set VERBOSITY terse
DROP TABLE parts;
DROP TABLE journal;
DROP TABLE refund;
DROP TABLE payment CASCADE;
DROP SCHEMA doctor_intact CASCADE;
CREATE ROLE regress_idem_intact;
CREATE ROLE regress_idem_intact_owner;
GRANT ALL ON SCHEMA doctor_intact TO regress_idem_intact_owner, regress_idem_intact;
ALTER TABLE journal OWNER TO regress_idem_intact_owner;
ALTER SCHEMA doctor_intact OWNER TO regress_idem_intact;
-- the owner of the schema gives no reason for the owner of the table
SET ROLE regress_idem_intact;
SET idem.drop_reason = ' ';
SET idem.drop_reason = 'a new start';
DROP TABLE journal;
RESET ROLE;
SET idem.drop_reason = 'a new start';
DROP TABLE parts_1;
DROP TABLE parts;
SET ROLE regress_idem_intact_owner;
DROP TABLE journal;
RESET ROLE;
SELECT kind, table_name, name, reason FROM idem.change_log
    WHERE action = 'dropped' AND table_schema = 'doctor_intact' AND reason ~ 'was dropped' ORDER BY n, table_name;
-- what the log says of a name that lost its guard counts with the reason, too
CREATE TABLE journal (id int);
SELECT severity, object, regexp_replace(finding, ', by .*', ', by ...') AS finding FROM idem.doctor() WHERE object LIKE 'kept guard % on doctor_intact.journal';

-- wound 20: in a database without the extension the library refuses nothing,
-- also where somebody else has a schema of that name
\set with :DBNAME
CREATE DATABASE regress_idem_without TEMPLATE template0;
\c regress_idem_without
LOAD '$libdir/idem';
CREATE SCHEMA idem;
CREATE TABLE idem.anchor (id int PRIMARY KEY);
INSERT INTO idem.anchor VALUES (1);
CREATE TABLE free (id int REFERENCES idem.anchor);
ALTER TABLE free RENAME TO freed;
ALTER TABLE freed DROP id;
DROP TABLE freed;
DROP TABLE idem.anchor;
CREATE FUNCTION idem.free() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION idem.free() SECURITY DEFINER;
DROP SCHEMA idem CASCADE;
CREATE TABLE free (id int);
DROP TABLE free;
\c :with
DROP DATABASE regress_idem_without;

SET client_min_messages = warning;
DROP SCHEMA doctor_intact CASCADE;
DROP ROLE regress_idem_intact;
DROP ROLE regress_idem_intact_owner;
