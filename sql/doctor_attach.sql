--
-- Partitions that come and go: rows that are attached follow the guards, rows
-- that are guarded history do not leave, and every partition refuses TRUNCATE.
--
CREATE SCHEMA doctor_attach;
SET search_path = doctor_attach;
CREATE VIEW findings AS
    SELECT object, finding FROM idem.doctor() WHERE object ~ ' guard .* on doctor_attach';
CREATE VIEW triggers AS
    SELECT tgrelid::regclass AS relation, tgname AS name, tgenabled AS mode FROM pg_trigger WHERE tgname ~* '^idem';
SELECT 'defined' AS machine FROM idem.define_machine('doctor_attach', $$
stateDiagram-v2
    [*] --> created
    created --> paid
    paid --> [*]
$$) LIMIT 1;

-- ------------------------------------------------------------------- states
CREATE TABLE payment (id int, part int, amount bigint NOT NULL, status text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE payment_1 PARTITION OF payment FOR VALUES IN (1);
SELECT idem.guard_states('payment', 'status', 'doctor_attach');
INSERT INTO payment VALUES (1, 1, 100, 'created');
CREATE TABLE payment_2 (id int NOT NULL, part int NOT NULL, amount bigint NOT NULL, status text);
INSERT INTO payment_2 VALUES (2, 2, 100, 'lost'), (3, 2, 100, NULL);
\set VERBOSITY default
ALTER TABLE payment ATTACH PARTITION payment_2 FOR VALUES IN (2);
\set VERBOSITY terse
UPDATE payment_2 SET status = 'paid';
ALTER TABLE payment ATTACH PARTITION payment_2 FOR VALUES IN (2);
SELECT * FROM triggers WHERE relation = 'payment_2'::regclass ORDER BY name;
TRUNCATE payment_2;
CREATE TABLE payment_3 PARTITION OF payment FOR VALUES IN (3) PARTITION BY LIST (id);
CREATE TABLE payment_3_1 PARTITION OF payment_3 FOR VALUES IN (1);
TRUNCATE payment_3_1;
SELECT * FROM findings;

-- Rows in a final state may be filed away; others are still guarded.
\set VERBOSITY default
ALTER TABLE payment DETACH PARTITION payment_1;
ALTER TABLE payment DETACH PARTITION payment_1 CONCURRENTLY;
\set VERBOSITY terse
UPDATE payment SET status = 'paid' WHERE id = 1;
ALTER TABLE payment DETACH PARTITION payment_1 CONCURRENTLY;
ALTER TABLE payment DETACH PARTITION payment_2;
-- What is filed is a table like any other.
SELECT * FROM triggers WHERE relation::text IN ('payment_1', 'payment_2');
TRUNCATE payment_2;
SELECT * FROM findings;
-- It comes back with its triggers.
ALTER TABLE payment ATTACH PARTITION payment_1 FOR VALUES IN (1);
SELECT * FROM triggers WHERE relation = 'payment_1'::regclass ORDER BY name;
-- Dropping one is allowed, and kept.
DROP TABLE payment_3;
SELECT action, kind, table_name, name, reason FROM idem.change_log
    WHERE action = 'dropped' AND table_schema = 'doctor_attach' ORDER BY table_name COLLATE "C";
SELECT * FROM findings;

-- -------------------------------------------------------------------- limits
CREATE TABLE refund (id int, part int NOT NULL, payment int NOT NULL, amount bigint NOT NULL, status text,
    PRIMARY KEY (id, part), FOREIGN KEY (payment, part) REFERENCES payment) PARTITION BY LIST (part);
CREATE TABLE refund_1 PARTITION OF refund FOR VALUES IN (1);
SELECT idem.guard_limit('refund', '{payment,part}', amount => 'amount', cap => 'amount', used => 'refunded',
                        state => 'status', released => '{failed}');
SELECT idem.validate_guard('refund');
INSERT INTO refund VALUES (1, 1, 1, 60, 'done');
CREATE TABLE refund_2 (id int NOT NULL, part int NOT NULL, payment int NOT NULL, amount bigint NOT NULL, status text);
DROP TABLE payment_2;
CREATE TABLE payment_2 (LIKE payment INCLUDING CONSTRAINTS INCLUDING DEFAULTS);
ALTER TABLE payment ATTACH PARTITION payment_2 FOR VALUES IN (2);
INSERT INTO payment VALUES (2, 2, 100, 'created');
-- Children that nobody counted are not let in,
INSERT INTO refund_2 VALUES (2, 2, 2, 100, 'done');
\set VERBOSITY default
ALTER TABLE refund ATTACH PARTITION refund_2 FOR VALUES IN (2);
-- those that count do not leave,
ALTER TABLE refund DETACH PARTITION refund_1;
\set VERBOSITY terse
-- an empty table does both, and one whose children do not count.
TRUNCATE refund_2;
ALTER TABLE refund ATTACH PARTITION refund_2 FOR VALUES IN (2);
INSERT INTO refund VALUES (3, 2, 2, 101, 'asked');
INSERT INTO refund VALUES (3, 2, 2, 100, 'asked');
UPDATE refund SET status = 'failed' WHERE id = 3;
ALTER TABLE refund DETACH PARTITION refund_2;
ALTER TABLE refund ATTACH PARTITION refund_2 FOR VALUES IN (2);
SELECT * FROM findings;
-- A parent does not bring a running total along.
ALTER TABLE refund DETACH PARTITION refund_2;
CREATE TABLE payment_4 (LIKE payment INCLUDING CONSTRAINTS INCLUDING DEFAULTS);
INSERT INTO payment_4 (id, part, amount, status, refunded) VALUES (4, 4, 100, 'paid', 50);
ALTER TABLE payment ATTACH PARTITION payment_4 FOR VALUES IN (4);
UPDATE payment_4 SET refunded = 0;
ALTER TABLE payment ATTACH PARTITION payment_4 FOR VALUES IN (4);

-- ---------------------------------------------------------------------- kept
CREATE TABLE journal (id int, part int, note text) PARTITION BY LIST (part);
CREATE TABLE journal_1 PARTITION OF journal FOR VALUES IN (1);
SELECT idem.guard_kept('journal');
ALTER TABLE journal DETACH PARTITION journal_1;
ALTER TABLE journal ATTACH PARTITION journal_1 FOR VALUES IN (1);
INSERT INTO journal VALUES (1, 1, 'first');
ALTER TABLE journal DETACH PARTITION journal_1;
-- A partition at another server is written there, unseen.
CREATE FOREIGN DATA WRAPPER doctor_attach_far;
CREATE SERVER doctor_attach_far FOREIGN DATA WRAPPER doctor_attach_far;
CREATE FOREIGN TABLE journal_2 PARTITION OF journal FOR VALUES IN (2) SERVER doctor_attach_far;
-- With a reason all of it passes, and is kept.
SET idem.allow_unguarded = 'ten years are over';
ALTER TABLE journal DETACH PARTITION journal_1;
RESET idem.allow_unguarded;
SELECT arguments, reason FROM idem.change_log WHERE action = 'unguarded' AND table_schema = 'doctor_attach';

SET client_min_messages = warning;
DROP SCHEMA doctor_attach CASCADE;
DROP FOREIGN DATA WRAPPER doctor_attach_far CASCADE;
