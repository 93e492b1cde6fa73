--
-- Fixed columns and kept rows of partitioned tables: a row that moves from one
-- partition to another is an update, and every partition is guarded.
--
CREATE SCHEMA fixed_partition;
SET search_path = fixed_partition;

CREATE TABLE payment (
    id      int,
    day     date,
    amount  numeric,
    bank_no text,
    status  text DEFAULT 'created',
    PRIMARY KEY (id, day)
) PARTITION BY RANGE (day);
CREATE TABLE payment_1 PARTITION OF payment FOR VALUES FROM ('2018-01-01') TO ('2018-02-01');
-- columns in another order, with a hole
CREATE TABLE payment_2 (extra int, status text, bank_no text, amount numeric, day date NOT NULL, id int NOT NULL);
ALTER TABLE payment_2 DROP COLUMN extra;
ALTER TABLE payment ATTACH PARTITION payment_2 FOR VALUES FROM ('2018-02-01') TO ('2018-03-01');
-- a partition that is partitioned itself
CREATE TABLE payment_3 PARTITION OF payment FOR VALUES FROM ('2018-03-01') TO ('2018-04-01') PARTITION BY LIST (id);
CREATE TABLE payment_3_one PARTITION OF payment_3 FOR VALUES IN (1);
CREATE TABLE payment_3_rest PARTITION OF payment_3 DEFAULT;

SELECT idem.guard_fixed('payment', '{amount}', once => '{bank_no}');
SELECT tgrelid::regclass AS relation, tgname, tgenabled FROM pg_trigger WHERE tgname ~ '^idem'
    AND tgrelid::regclass::text ~ '^payment'
    ORDER BY tgrelid::regclass::text COLLATE "C";
INSERT INTO payment VALUES (1, '2018-01-10', 100.0, NULL), (2, '2018-01-10', 50, NULL), (3, '2018-02-10', 7, 'B3');

-- A change is refused in every partition, by the table above or by its own name.
UPDATE payment SET amount = 0 WHERE id = 1;
UPDATE payment SET amount = 0 WHERE id = 3;
UPDATE payment_2 SET amount = 0 WHERE id = 3;
UPDATE payment_2 SET bank_no = NULL WHERE id = 3;

-- A row that moves keeps its fixed columns, although its key changes with the partition.
UPDATE payment SET day = '2018-02-11' WHERE id = 1;
UPDATE payment SET day = '2018-01-11', amount = 100.00 WHERE id = 1;
UPDATE payment SET day = '2018-01-11', bank_no = 'B1' WHERE id = 1;
UPDATE payment SET day = '2018-02-11', bank_no = 'B2' WHERE id = 1;
-- several rows at once, in both directions and across levels
UPDATE payment SET day = CASE WHEN day < '2018-02-01' THEN date '2018-02-20' ELSE date '2018-01-20' END;
UPDATE payment SET day = '2018-03-05';
SELECT tableoid::regclass AS partition, * FROM payment ORDER BY id;
UPDATE payment SET day = '2018-03-06', status = 'paid';
UPDATE payment SET day = '2018-01-05', amount = CASE id WHEN 3 THEN 8 ELSE amount END;
-- with another key, which nobody has fixed
UPDATE payment SET id = id + 10, day = '2018-01-05';
UPDATE payment SET id = id - 10;
MERGE INTO payment p USING (VALUES (1, 999)) v(id, amount) ON p.id = v.id
    WHEN MATCHED THEN UPDATE SET day = '2018-02-05', amount = v.amount;
MERGE INTO payment p USING (VALUES (1), (4)) v(id) ON p.id = v.id
    WHEN MATCHED THEN UPDATE SET day = '2018-02-05'
    WHEN NOT MATCHED THEN INSERT VALUES (v.id, '2018-02-05', 4, 'B4');
SELECT tableoid::regclass AS partition, * FROM payment ORDER BY id;

-- An INSERT that follows a move in the same transaction is a new row.
BEGIN;
UPDATE payment SET day = '2018-01-06' WHERE id = 1;
INSERT INTO payment VALUES (5, '2018-02-05', 5);
DELETE FROM payment WHERE id = 1;
INSERT INTO payment VALUES (1, '2018-01-06', 1000);
ROLLBACK;

-- Two triggers of different names between the two halves of a move do not confuse it,
-- not even if one of them moves another row.
CREATE FUNCTION moves_another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE payment SET day = '2018-02-07' WHERE id = 2 AND OLD.id = 3;
    RETURN NULL;
END $$;
CREATE TRIGGER jdem AFTER DELETE ON payment FOR EACH ROW EXECUTE FUNCTION moves_another();
UPDATE payment SET day = '2018-02-08' WHERE id = 3;
UPDATE payment SET day = '2018-01-08', amount = 1 WHERE id = 3;
DROP TRIGGER jdem ON payment;
SELECT tableoid::regclass AS partition, * FROM payment WHERE id IN (2, 3) ORDER BY id;

-- A row that a trigger skips on arrival would be lost without a DELETE: refused at commit.
CREATE FUNCTION skips() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER skips BEFORE INSERT ON payment_1 FOR EACH ROW EXECUTE FUNCTION skips();
UPDATE payment SET day = '2018-01-09' WHERE id = 3;
BEGIN;
SAVEPOINT s;
UPDATE payment SET day = '2018-01-09' WHERE id = 3;
ROLLBACK TO s;
COMMIT;
BEGIN;
SAVEPOINT s;
UPDATE payment SET day = '2018-01-09' WHERE id = 3;
RELEASE s;
-- and the next row to arrive is not taken for it
INSERT INTO payment VALUES (6, '2018-02-05', 6);
COMMIT;
DROP TRIGGER skips ON payment_1;

-- What a column added later holds in old rows is the value their partition supplies.
CREATE TABLE wide (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE wide_1 PARTITION OF wide FOR VALUES IN (1);
CREATE TABLE wide_2 PARTITION OF wide FOR VALUES IN (2);
INSERT INTO wide VALUES (1, 1);
ALTER TABLE wide ADD COLUMN currency text DEFAULT 'EUR';
SELECT idem.guard_fixed('wide', '{}', once => '{currency}');
UPDATE wide SET part = 2, currency = 'USD';
UPDATE wide SET part = 2;
SELECT tableoid::regclass AS partition, * FROM wide;

-- Partitions made or attached later are guarded from then on.
CREATE TABLE payment_4 PARTITION OF payment FOR VALUES FROM ('2018-04-01') TO ('2018-05-01');
CREATE TABLE payment_5 (LIKE payment);
ALTER TABLE payment ATTACH PARTITION payment_5 FOR VALUES FROM ('2018-05-01') TO ('2018-06-01');
SELECT tgrelid::regclass AS relation, tgname, tgenabled FROM pg_trigger WHERE tgname ~ '^idem'
    AND tgrelid::regclass::text ~ '^payment_[45]'
    ORDER BY tgrelid::regclass::text COLLATE "C";
UPDATE payment SET day = '2018-05-02', amount = 0 WHERE id = 1;
UPDATE payment SET day = '2018-05-02' WHERE id = 1;
UPDATE payment SET amount = 0 WHERE id = 1;
SET session_replication_role = replica;
UPDATE payment SET amount = 0 WHERE id = 1;
UPDATE payment SET day = '2018-04-02', amount = 0 WHERE id = 1;
RESET session_replication_role;

-- A role that may read the table above may read the message of its partition.
CREATE ROLE regress_idem_fixed_part;
GRANT USAGE ON SCHEMA fixed_partition TO regress_idem_fixed_part;
GRANT UPDATE, SELECT ON payment TO regress_idem_fixed_part;
SET ROLE regress_idem_fixed_part;
UPDATE payment SET amount = 0 WHERE id = 1;
RESET ROLE;
-- One who may read neither of them is told no value.
REVOKE SELECT ON payment FROM regress_idem_fixed_part;
GRANT SELECT (id) ON payment TO regress_idem_fixed_part;
SET ROLE regress_idem_fixed_part;
UPDATE payment SET amount = 0 WHERE id = 1;
RESET ROLE;

-- The guard stands on the table at the top.
SELECT idem.guard_fixed('payment_1', '{status}');
CREATE FOREIGN DATA WRAPPER fixed_partition_far;
CREATE SERVER fixed_partition_elsewhere FOREIGN DATA WRAPPER fixed_partition_far;
CREATE TABLE spread (id int, part int, amount int) PARTITION BY LIST (part);
CREATE FOREIGN TABLE spread_1 PARTITION OF spread FOR VALUES IN (1) SERVER fixed_partition_elsewhere;
SELECT idem.guard_fixed('spread', '{amount}');
SELECT idem.guard_kept('spread');

-- A guard on a plain table that becomes a partition lets no row out.
CREATE TABLE late (id int, part int NOT NULL, amount int);
SELECT idem.guard_fixed('late', '{amount}');
INSERT INTO late VALUES (1, 1, 10);
CREATE TABLE top (id int, part int NOT NULL, amount int) PARTITION BY LIST (part);
CREATE TABLE top_2 PARTITION OF top FOR VALUES IN (2);
ALTER TABLE top ATTACH PARTITION late FOR VALUES IN (1);
SET idem.allow_unguarded = 'a test of what is not refused';
ALTER TABLE top ATTACH PARTITION late FOR VALUES IN (1);
RESET idem.allow_unguarded;
UPDATE top SET amount = 0;
UPDATE top SET part = 2, amount = 0;
UPDATE top SET part = 2;
DELETE FROM top;

--
-- Kept rows
--
CREATE TABLE journal (id int, part int, amount int) PARTITION BY LIST (part);
CREATE TABLE journal_1 PARTITION OF journal FOR VALUES IN (1);
CREATE TABLE journal_2 PARTITION OF journal FOR VALUES IN (2) PARTITION BY RANGE (id);
CREATE TABLE journal_2_1 PARTITION OF journal_2 FOR VALUES FROM (0) TO (100);
SELECT idem.guard_kept('journal');
INSERT INTO journal VALUES (1, 1, 10), (2, 2, 20);
SELECT tgrelid::regclass AS relation, tgname, tgenabled FROM pg_trigger WHERE tgname ~ '^idem'
    AND tgrelid::regclass::text ~ '^journal'
    ORDER BY tgrelid::regclass::text COLLATE "C", tgname;
UPDATE journal SET amount = 0 WHERE id = 1;
UPDATE journal SET part = 2 WHERE id = 1;
DELETE FROM journal WHERE id = 2;
DELETE FROM journal_1;
TRUNCATE journal;
TRUNCATE journal_1;
TRUNCATE journal_2;
TRUNCATE journal_2_1;
SELECT tableoid::regclass AS partition, * FROM journal ORDER BY id;
-- who may read none of the tables learns nothing of their rows
GRANT UPDATE, DELETE ON journal TO regress_idem_fixed_part;
GRANT USAGE ON SCHEMA fixed_partition TO regress_idem_fixed_part;
SET ROLE regress_idem_fixed_part;
UPDATE journal SET amount = 0;
DELETE FROM journal;
RESET ROLE;
-- a partition that has its trigger against TRUNCATE from a dump keeps it
CREATE TABLE restored (id int) PARTITION BY LIST (id);
CREATE TABLE restored_1 PARTITION OF restored FOR VALUES IN (1);
CREATE TRIGGER idem_kept_truncate BEFORE TRUNCATE ON restored_1 FOR EACH STATEMENT EXECUTE FUNCTION idem.refuse_truncate('idem=1', 'guard=idem_kept');
SELECT idem.guard_kept('restored');
TRUNCATE restored;
TRUNCATE restored_1;

SET client_min_messages = warning;
DROP SCHEMA fixed_partition CASCADE;
DROP FOREIGN DATA WRAPPER fixed_partition_far CASCADE;
DROP ROLE regress_idem_fixed_part;
