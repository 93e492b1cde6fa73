--
-- pair: child and parent are partitioned, either or both.  Rows that are
-- written to a partition, move to another one or come with a table that is
-- attached are judged as all others.
--
CREATE SCHEMA pair_partition;
SET search_path = pair_partition;
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE TABLE "order" (id int, status text NOT NULL, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE order_1 PARTITION OF "order" FOR VALUES FROM (1) TO (100);
CREATE TABLE order_2 (status text NOT NULL, junk int, id int NOT NULL);
ALTER TABLE order_2 DROP COLUMN junk;
ALTER TABLE "order" ATTACH PARTITION order_2 FOR VALUES FROM (100) TO (200);
CREATE TABLE refund (id int, order_id int NOT NULL REFERENCES "order", status text, year int, PRIMARY KEY (id, year)) PARTITION BY LIST (year);
CREATE TABLE refund_25 PARTITION OF refund FOR VALUES IN (2025);
CREATE TABLE refund_26 (junk int, year int NOT NULL, status text, junk_too int, id int NOT NULL, order_id int NOT NULL);
ALTER TABLE refund_26 DROP COLUMN junk, DROP COLUMN junk_too;
ALTER TABLE refund ATTACH PARTITION refund_26 FOR VALUES IN (2026);
CREATE INDEX refund_order ON refund (order_id);
SELECT idem.guard_parent_state('refund', 'order_id', state => 'status', parent_state => 'status', allowed => '{"sent":"{paid}"}');
-- not on a partition
SELECT idem.guard_parent_state('refund_25', 'order_id', state => 'status', parent_state => 'status', allowed => '{"sent":"{paid}"}');
INSERT INTO "order" VALUES (1, 'paid'), (2, 'new'), (100, 'paid'), (101, 'new');

-- the child, by the table and by its partitions
INSERT INTO refund VALUES (1, 1, 'sent', 2025), (2, 100, 'sent', 2026);
INSERT INTO refund VALUES (3, 101, 'sent', 2025);
INSERT INTO refund_25 (id, order_id, status, year) VALUES (3, 2, 'sent', 2025);
INSERT INTO refund_26 (id, order_id, status, year) VALUES (3, 101, 'sent', 2026);
INSERT INTO refund_26 (id, order_id, status, year) VALUES (3, 2, 'draft', 2026);
UPDATE refund_26 SET status = 'sent' WHERE id = 3;
-- a row that moves to another partition: as it is, and with another state or parent
UPDATE refund SET year = 2026 WHERE id = 1;
UPDATE refund SET year = 2025, status = 'sent' WHERE id = 3;
UPDATE refund SET year = 2025, order_id = 101 WHERE id = 1;
UPDATE refund SET year = 2025 WHERE id = 3;
MERGE INTO refund r USING (VALUES (3)) v (id) ON r.id = v.id WHEN MATCHED THEN UPDATE SET status = 'sent', year = 2026;

-- the parent
UPDATE "order" SET status = 'shipped' WHERE id = 1;
UPDATE order_2 SET status = 'shipped' WHERE id = 100;
UPDATE "order" SET status = 'shipped' WHERE id = 2;
UPDATE "order" SET status = 'paid' WHERE id = 2;
-- one that moves to another partition: its children are those of its key
UPDATE "order" SET id = 102, status = 'shipped' WHERE id = 2;
DELETE FROM refund WHERE id = 3;
UPDATE "order" SET id = 102, status = 'shipped' WHERE id = 2;
WITH d AS (DELETE FROM "order" WHERE id = 1 RETURNING id) INSERT INTO "order" SELECT id, 'shipped' FROM d;
SELECT tableoid::regclass, * FROM refund ORDER BY id;
SELECT tableoid::regclass, * FROM "order" ORDER BY id;

-- a table that is attached
CREATE TABLE refund_27 (LIKE refund INCLUDING ALL);
INSERT INTO refund_27 VALUES (5, 101, 'sent', 2027), (6, 1, 'sent', 2027), (7, 102, 'sent', 2027);
ALTER TABLE refund ATTACH PARTITION refund_27 FOR VALUES IN (2027);
DELETE FROM refund_27 WHERE id <> 6;
ALTER TABLE refund ATTACH PARTITION refund_27 FOR VALUES IN (2027);
UPDATE "order" SET status = 'shipped' WHERE id = 1;
CREATE TABLE order_3 (LIKE "order" INCLUDING ALL);
INSERT INTO order_3 VALUES (200, 'shipped');
ALTER TABLE "order" ATTACH PARTITION order_3 FOR VALUES FROM (200) TO (300);
INSERT INTO refund VALUES (8, 200, 'sent', 2025);
UPDATE "order" SET status = 'paid' WHERE id = 200;
INSERT INTO refund VALUES (8, 200, 'sent', 2025);
UPDATE order_3 SET status = 'shipped';
-- a partition that leaves is guarded no longer
ALTER TABLE refund DETACH PARTITION refund_27;
UPDATE refund_27 SET status = 'anything';
TRUNCATE refund_26;
UPDATE "order" SET status = 'shipped' WHERE id = 100;
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgfoid IN ('idem.keep_pair'::regproc, 'idem.keep_pair_parent'::regproc)
    AND tgrelid::regclass::text !~ '\.' ORDER BY 1, 2;
SELECT relation, intact, problem FROM idem.guards WHERE relation = 'refund'::regclass;
SELECT object, finding FROM idem.doctor() WHERE object ~ 'pair_partition' AND severity <> 'notice';

-- the same, judged at its end
SELECT idem.drop_guard('refund', 'pair', reason => 'another');
SELECT idem.guard_parent_state('refund', 'order_id', state => 'status', parent_state => 'status', allowed => '{"sent":"{paid}"}', deferred => true);
BEGIN;
INSERT INTO refund VALUES (9, 101, 'sent', 2025);
UPDATE refund SET year = 2026 WHERE id = 9;
UPDATE "order" SET status = 'paid' WHERE id = 101;
COMMIT;
BEGIN;
UPDATE refund SET year = 2025 WHERE id = 9;
UPDATE "order" SET status = 'shipped' WHERE id = 101;
COMMIT;
BEGIN;
INSERT INTO refund VALUES (10, 2, 'sent', 2025);
INSERT INTO "order" VALUES (2, 'new');
COMMIT;
BEGIN;
INSERT INTO "order" VALUES (2, 'new');
INSERT INTO refund VALUES (10, 2, 'sent', 2025);
UPDATE refund SET year = 2026 WHERE id = 10;
COMMIT;
BEGIN;
WITH d AS (DELETE FROM "order" WHERE id = 101 RETURNING id) INSERT INTO "order" SELECT id, 'shipped' FROM d;
COMMIT;
SELECT relation, intact, problem FROM idem.guards WHERE relation = 'refund'::regclass;
-- and at the entry
SELECT idem.drop_guard('refund', 'pair', reason => 'another');
SELECT idem.guard_parent_state('refund', 'order_id', state => 'status', parent_state => 'status', allowed => '{"sent":"{paid}"}', judge => 'entry');
INSERT INTO refund VALUES (11, 101, 'sent', 2025);
UPDATE "order" SET status = 'shipped' WHERE id = 101;
INSERT INTO refund VALUES (12, 101, 'sent', 2025);
UPDATE refund SET year = 2026 WHERE id = 11;
UPDATE refund_26 SET status = 'x' WHERE id = 11;
UPDATE refund SET status = 'sent', year = 2025 WHERE id = 11;
SELECT object, finding FROM idem.doctor() WHERE object ~ 'pair_partition' AND severity <> 'notice';
-- Children are found by a statement, with the same rules as of a table that is
-- not partitioned (pair): "*", {*} and facts.
CREATE TABLE trade (id int PRIMARY KEY, status text);
CREATE TABLE payment (id int PRIMARY KEY, trade_id int NOT NULL REFERENCES trade, status text) PARTITION BY HASH (id);
CREATE TABLE payment_1 PARTITION OF payment FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE payment_2 PARTITION OF payment FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE INDEX ON payment (trade_id);
SELECT idem.guard_parent_state('payment', 'trade_id', state => 'status', parent_state => 'status',
    allowed => '{"*":"{open}","failed":"{*}","succeeded":"{open,done}","known":"{done}"}', facts => '{known}');
INSERT INTO trade VALUES (1, 'open'), (2, 'open'), (3, 'open');
INSERT INTO payment VALUES (1, 1, 'created'), (2, 2, NULL), (3, 3, 'succeeded'), (4, 3, 'failed'), (5, 3, 'known');
UPDATE trade SET status = 'done' WHERE id = 1;
UPDATE trade SET status = 'done' WHERE id = 2;
UPDATE trade SET status = 'done' WHERE id = 3;
UPDATE trade SET status = 'gone' WHERE id = 3;
DELETE FROM payment WHERE id IN (2, 3);
UPDATE trade SET status = 'gone' WHERE id IN (2, 3);
SELECT * FROM trade ORDER BY id;
-- a foreign table as a partition is none
CREATE FOREIGN DATA WRAPPER pair_partition;
CREATE SERVER pair_partition FOREIGN DATA WRAPPER pair_partition;
CREATE FOREIGN TABLE far (id int NOT NULL, order_id int NOT NULL, status text, year int NOT NULL) SERVER pair_partition;
ALTER TABLE refund ATTACH PARTITION far FOR VALUES IN (2030);
DROP FOREIGN DATA WRAPPER pair_partition CASCADE;

DROP SCHEMA pair_partition CASCADE;
