-- A limit on partitioned tables: children, parents, and both.
-- What weakens a guard is refused (doctor_ddl); here it is done on purpose.
SET idem.allow_unguarded = 'a test of what is not refused';
\set SHOW_CONTEXT never
CREATE SCHEMA limit_partition;
SET search_path = limit_partition;

CREATE TABLE payment (id int, day int, amount int NOT NULL, status text, PRIMARY KEY (id, day)) PARTITION BY LIST (day);
CREATE TABLE payment_1 PARTITION OF payment FOR VALUES IN (1);
CREATE TABLE payment_2 (status text, gone int, amount int NOT NULL, id int NOT NULL, day int NOT NULL);
ALTER TABLE payment_2 DROP gone;
ALTER TABLE payment ATTACH PARTITION payment_2 FOR VALUES IN (2);
CREATE TABLE refund (id int, payment_id int NOT NULL, payment_day int NOT NULL, amount int, status text DEFAULT 'new', month int DEFAULT 1,
                     PRIMARY KEY (id, status, month), FOREIGN KEY (payment_id, payment_day) REFERENCES payment) PARTITION BY LIST (month);
CREATE TABLE refund_1 PARTITION OF refund FOR VALUES IN (1) PARTITION BY LIST (status);
CREATE TABLE refund_1_open PARTITION OF refund_1 FOR VALUES IN ('new', 'sent');
CREATE TABLE refund_1_done PARTITION OF refund_1 FOR VALUES IN ('failed', 'paid');
CREATE TABLE refund_2 (amount int, gone int, month int NOT NULL, status text NOT NULL, payment_day int NOT NULL, payment_id int NOT NULL, id int NOT NULL);
ALTER TABLE refund_2 DROP gone;
ALTER TABLE refund ATTACH PARTITION refund_2 FOR VALUES IN (2);
INSERT INTO payment VALUES (1, 1, 100, 'paid'), (1, 2, 100, 'paid'), (2, 2, 100, 'paid');
INSERT INTO refund VALUES (1, 1, 1, 30, 'new', 1), (2, 1, 2, 40, 'new', 2), (3, 1, 2, 50, 'failed', 1);

-- the guard stands on the tables at the top
SELECT idem.guard_limit('refund_1', '{payment_id,payment_day}', amount => 'amount', cap => 'amount', used => 'refunded', released => '{failed}', state => 'status');
SELECT idem.guard_limit('refund', '{payment_id,payment_day}', amount => 'amount', cap => 'amount', used => 'refunded',
    released => '{failed}', state => 'status', parent_state => 'status', open => '{paid}');
CREATE FUNCTION totals() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('(%s, %s): %s%s', p.id, p.day, p.refunded,
               CASE WHEN p.refunded <> COALESCE((SELECT sum(r.amount) FROM refund r WHERE (r.payment_id, r.payment_day) = (p.id, p.day)
                                                 AND r.status <> 'failed'), 0) THEN ' WRONG' END), ' ' ORDER BY p.day, p.id) FROM payment p $$;
SELECT totals();
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgname ILIKE 'idem_limit%' ORDER BY tgrelid::regclass::text COLLATE "C", tgname;

-- rows through the top, through the middle and straight into a partition
INSERT INTO refund VALUES (4, 1, 1, 70);
SELECT totals();
INSERT INTO refund VALUES (5, 1, 1, 1);
INSERT INTO refund_1 VALUES (5, 1, 1, 1);
INSERT INTO refund_1_open VALUES (5, 1, 1, 1);
INSERT INTO refund_2 (id, payment_id, payment_day, amount, status, month) VALUES (5, 1, 1, 1, 'new', 2);
INSERT INTO refund_2 (id, payment_id, payment_day, amount, status, month) VALUES (5, 1, 2, 60, 'new', 2);
COPY refund (id, payment_id, payment_day, amount) FROM stdin;
6	2	2	50
7	2	2	51
\.
INSERT INTO refund VALUES (6, 2, 2, 50), (7, 2, 2, 50);
SELECT totals();

-- A row that moves by its state counts once ...
UPDATE refund SET status = 'sent' WHERE id = 1;
UPDATE refund SET status = 'paid' WHERE id = 1;
SELECT totals();
-- ... and is given back once when the move is its failure
UPDATE refund SET status = 'failed' WHERE id = 4;
SELECT totals();
-- Whatever else stands in its primary key says which row it is, and stays.
UPDATE refund SET month = 2 WHERE id = 1;
UPDATE refund SET month = 2, status = 'failed' WHERE id = 1;
SELECT totals();
-- Without a primary key it may be filed anywhere, and is counted as before.
ALTER TABLE refund DROP CONSTRAINT refund_pkey;
UPDATE refund SET month = 2 WHERE id = 1;
SELECT totals();
UPDATE refund SET status = 'failed', month = 2 WHERE id = 4;
UPDATE refund SET status = 'failed', month = 1;
SELECT totals();
UPDATE refund SET status = 'new' WHERE id IN (2, 3, 5);
UPDATE refund SET status = 'new' WHERE id IN (2, 5);
SELECT totals();
ALTER TABLE refund ADD PRIMARY KEY (id, status, month);
-- what is fixed does not change on the way
UPDATE refund SET status = 'paid', amount = 1 WHERE id = 2;
UPDATE refund SET status = 'paid', payment_day = 1 WHERE id = 2;
UPDATE refund SET status = 'paid', id = 22 WHERE id = 2;
DELETE FROM refund WHERE id = 2;
TRUNCATE refund_1_open;
TRUNCATE refund_1;

-- A parent that moves takes its total along; nobody sets it on the way.
INSERT INTO payment VALUES (3, 1, 100, 'paid');
INSERT INTO refund VALUES (8, 2, 2, 10);
SELECT totals();
ALTER TABLE payment ADD region int NOT NULL DEFAULT 0;
UPDATE payment SET day = 1, refunded = 5 WHERE id = 3;
UPDATE payment SET day = 2, refunded = 5 WHERE id = 3;
UPDATE payment SET day = 2 WHERE id = 3;
UPDATE payment_2 SET refunded = 0 WHERE id = 2;
INSERT INTO payment_2 (id, day, amount, refunded) VALUES (4, 2, 100, 1);
UPDATE payment SET amount = 200 WHERE id = 2;
UPDATE payment SET day = 1 WHERE id = 2;
SELECT tableoid::regclass, * FROM payment ORDER BY id, day;

-- A parent moves as long as nothing references it; the foreign key holds it
-- from then on.
DROP TABLE refund;
DROP TABLE payment;
CREATE TABLE archive (id int, closed boolean, amount int NOT NULL, UNIQUE (id, closed)) PARTITION BY LIST (closed);
CREATE TABLE archive_open PARTITION OF archive FOR VALUES IN (false);
CREATE TABLE archive_closed PARTITION OF archive FOR VALUES IN (true);
CREATE TABLE part (id int, closed boolean NOT NULL, amount int, FOREIGN KEY (id, closed) REFERENCES archive (id, closed));
ALTER TABLE part ALTER id SET NOT NULL;
SELECT idem.guard_limit('part', '{id,closed}', amount => 'amount', cap => 'amount', used => 'used', released => NULL, children => 'editable');
INSERT INTO archive VALUES (1, false, 100);
INSERT INTO part VALUES (1, false, 60);
UPDATE archive SET closed = true;
DELETE FROM part;
UPDATE archive SET closed = true;
INSERT INTO part VALUES (1, true, 101);
INSERT INTO part VALUES (1, true, 100);
SELECT tableoid::regclass, * FROM archive;

-- New partitions and attached ones are guarded from the start.
DROP TABLE part, archive;
CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL);
CREATE TABLE refund (payment_id int NOT NULL REFERENCES payment, amount int, month int NOT NULL) PARTITION BY LIST (month);
CREATE TABLE refund_1 PARTITION OF refund FOR VALUES IN (1);
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
CREATE TABLE refund_2 PARTITION OF refund FOR VALUES IN (2);
CREATE TABLE refund_3 (month int NOT NULL, amount int, payment_id int NOT NULL);
ALTER TABLE refund ATTACH PARTITION refund_3 FOR VALUES IN (3);
INSERT INTO payment VALUES (1, 100);
INSERT INTO refund VALUES (1, 30, 1), (1, 30, 2), (1, 30, 3);
INSERT INTO refund_3 VALUES (3, 11, 1);
UPDATE refund SET month = month % 3 + 1;
SELECT tableoid::regclass, * FROM refund ORDER BY month;
SELECT * FROM payment;
-- a partition that is taken out is another table: it counts no more
ALTER TABLE refund DETACH PARTITION refund_3;
INSERT INTO refund_3 VALUES (3, 1000, 1);
DELETE FROM refund_3 WHERE amount = 1000;
SELECT * FROM payment;

-- Taken out of a parent, a partition keeps its counterpart (the server leaves
-- triggers that are bound to another table where they are), so its totals
-- stay as they are; to put it back, the one of the whole table has to go.
DROP TABLE refund, refund_3, payment;
CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE payment_1 PARTITION OF payment FOR VALUES FROM (0) TO (100);
CREATE TABLE payment_2 PARTITION OF payment FOR VALUES FROM (100) TO (200);
CREATE TABLE refund (payment_id int NOT NULL REFERENCES payment, amount int);
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
INSERT INTO payment VALUES (1, 100), (101, 100);
INSERT INTO refund VALUES (1, 10);
-- The name of the key of one partition is the server's choice.
\set VERBOSITY sqlstate
ALTER TABLE payment DETACH PARTITION payment_1;
\set VERBOSITY default
ALTER TABLE payment DETACH PARTITION payment_2;
UPDATE payment_2 SET refunded = 1;
ALTER TABLE payment ATTACH PARTITION payment_2 FOR VALUES FROM (100) TO (200);
INSERT INTO refund VALUES (1, 90);
INSERT INTO refund VALUES (1, 1);
DROP TABLE payment_2;
DROP SCHEMA limit_partition CASCADE;
