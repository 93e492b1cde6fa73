--
-- Partitions that come and go: rows that are attached follow the guards, rows
-- that are guarded history do not leave, and every partition refuses TRUNCATE.
-- As whom the rows are read: wound 17.
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

-- -------------------------------------------------------------------- rights
-- wound 17: rows are looked at as the owner of the table that has them, whom the
-- owner of the table above need not be able to act as.
CREATE ROLE regress_idem_attach_above;
CREATE ROLE regress_idem_attach_below;
CREATE ROLE regress_idem_attach_both IN ROLE regress_idem_attach_above, regress_idem_attach_below;
GRANT ALL ON SCHEMA doctor_attach TO regress_idem_attach_above, regress_idem_attach_below;
CREATE TABLE deal (id int, part int NOT NULL, amount int NOT NULL, status text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE part (id int, part int NOT NULL, deal int NOT NULL, amount int NOT NULL, PRIMARY KEY (id, part),
    FOREIGN KEY (deal, part) REFERENCES deal) PARTITION BY LIST (part);
SELECT idem.guard_states('deal', 'status', 'doctor_attach');
SELECT idem.guard_limit('part', '{deal,part}', amount => 'amount', cap => 'amount', used => 'used', released => NULL);
ALTER TABLE deal OWNER TO regress_idem_attach_above;
ALTER TABLE part OWNER TO regress_idem_attach_above;
CREATE TABLE deal_1 (LIKE deal INCLUDING CONSTRAINTS INCLUDING DEFAULTS);
CREATE TABLE part_1 (LIKE part);
ALTER TABLE deal_1 OWNER TO regress_idem_attach_below;
ALTER TABLE part_1 OWNER TO regress_idem_attach_below;
SET ROLE regress_idem_attach_below;
ALTER TABLE deal_1 ENABLE ROW LEVEL SECURITY;
INSERT INTO deal_1 VALUES (1, 1, 10, 'lost', 0);
INSERT INTO part_1 VALUES (1, 1, 1, 4);
\set VERBOSITY default
SET ROLE regress_idem_attach_both;
ALTER TABLE deal ATTACH PARTITION deal_1 FOR VALUES IN (1);
UPDATE deal_1 SET status = 'created', used = 4;
ALTER TABLE deal ATTACH PARTITION deal_1 FOR VALUES IN (1);
UPDATE deal_1 SET used = 0;
ALTER TABLE deal ATTACH PARTITION deal_1 FOR VALUES IN (1);
ALTER TABLE part ATTACH PARTITION part_1 FOR VALUES IN (1);
DELETE FROM part_1;
ALTER TABLE part ATTACH PARTITION part_1 FOR VALUES IN (1);
INSERT INTO part VALUES (2, 1, 1, 10);
-- who owns only the table above can detach, and is told of what would leave
SET ROLE regress_idem_attach_above;
ALTER TABLE part DETACH PARTITION part_1;
RESET ROLE;
\set VERBOSITY terse

SET client_min_messages = warning;
DROP TABLE part, deal;
DROP OWNED BY regress_idem_attach_above, regress_idem_attach_below, regress_idem_attach_both;
DROP ROLE regress_idem_attach_both, regress_idem_attach_above, regress_idem_attach_below;
DROP SCHEMA doctor_attach CASCADE;
DROP FOREIGN DATA WRAPPER doctor_attach_far CASCADE;
