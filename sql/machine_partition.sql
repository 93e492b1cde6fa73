--
-- machine_partition: a row is one row, whichever partition holds it
--
-- What weakens a guard is refused (doctor_ddl); here it is done on purpose.
SET idem.allow_unguarded = 'a test of what is not refused';
CREATE SCHEMA machine_partition;
SET search_path = machine_partition;
SELECT FROM idem.define_machine('partition_m', $$stateDiagram-v2
    [*] --> created
    created --> paying : submit
    paying --> succeeded : confirm
    paying --> failed : reject
    succeeded --> failed : bank_return [late]
    succeeded --> [*]
    failed --> [*]
$$);

-- Partitioned by the state itself: rows in flight here, finished ones there.
-- The partitions differ in the order of their columns and in dropped ones.
CREATE TABLE payment (gone int, id int, status text, note text, amount int,
    PRIMARY KEY (id, status)) PARTITION BY LIST (status);
CREATE TABLE live PARTITION OF payment FOR VALUES IN ('created', 'paying');
CREATE TABLE done (amount int, note text, status text NOT NULL, gone int, id int NOT NULL);
ALTER TABLE payment ATTACH PARTITION done FOR VALUES IN ('succeeded', 'failed');
ALTER TABLE payment DROP gone;
SELECT idem.guard_states('payment', 'status', 'partition_m');
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger
    WHERE tgrelid IN (SELECT relid FROM pg_partition_tree('payment')) ORDER BY 1, 2;

INSERT INTO payment (id, status) VALUES (1, 'created'), (2, 'created'), (3, 'created');
-- A move is an update: legal
UPDATE payment SET status = 'paying' WHERE id < 3;
UPDATE payment SET status = 'succeeded', note = 'moved' WHERE id = 1;
SELECT tableoid::regclass, id, status, note FROM payment ORDER BY id;
-- ... several rows at once, some moving, and back
UPDATE payment SET status = CASE id WHEN 1 THEN 'failed' WHEN 2 THEN 'succeeded' ELSE 'paying' END;
SELECT tableoid::regclass, id, status, note FROM payment ORDER BY id;
-- ... or not
UPDATE payment SET status = 'paying' WHERE id = 1;
UPDATE payment SET status = 'created' WHERE id = 2;
UPDATE payment SET status = 'failed', id = 9 WHERE id = 3;
-- an insertion into the same partition is still one
INSERT INTO payment (id, status) VALUES (4, 'succeeded');
INSERT INTO done (id, status) VALUES (4, 'succeeded');
-- so is the pair of a deletion and an insertion
WITH gone AS (DELETE FROM payment WHERE id = 3 RETURNING id)
    INSERT INTO payment (id, status) SELECT id, 'succeeded' FROM gone;
-- and other triggers do not bend the row on its way
CREATE FUNCTION bend() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.status := 'failed'; RETURN NEW; END $$;
CREATE TRIGGER zzz BEFORE INSERT ON done FOR EACH ROW EXECUTE FUNCTION bend();
UPDATE payment SET status = 'succeeded' WHERE id = 3;
UPDATE payment SET status = 'created' WHERE id = 3;
SELECT id, status FROM payment ORDER BY id;
DROP TRIGGER zzz ON done;
-- a row that does not arrive was not moved but lost
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RETURN NULL; END $$;
UPDATE done SET note = 'x';
INSERT INTO payment (id, status) VALUES (5, 'created');
UPDATE payment SET status = 'paying' WHERE id = 5;
CREATE TRIGGER zzz BEFORE INSERT ON done FOR EACH ROW EXECUTE FUNCTION swallow();
UPDATE payment SET status = 'succeeded' WHERE id = 5;
DROP TRIGGER zzz ON done;
SELECT id, status FROM payment ORDER BY id;

-- The repeat is seen in every partition, also in one with other numbers.
UPDATE payment SET status = 'failed' WHERE id = 1;
UPDATE done SET status = 'failed' WHERE id = 1;
UPDATE payment SET note = 'y' WHERE id = 1;
UPDATE payment SET id = 8 WHERE id = 1;
DELETE FROM done WHERE id = 1;
TRUNCATE payment;
TRUNCATE done;
TRUNCATE live;

-- A partition made later is guarded, too (its TRUNCATE, and one that leaves
-- or joins with rows, is the doctor's).
CREATE TABLE later PARTITION OF payment DEFAULT;
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'later'::regclass;
INSERT INTO payment (id, status) VALUES (6, 'other');
INSERT INTO later (id, status) VALUES (6, 'other');

-- Partitioned twice, by something else: the day and the region are part of the
-- primary key, so of what says which row it is, and stay as they are.
CREATE TABLE deep (id int, day date, region text, status text, PRIMARY KEY (id, day, region)) PARTITION BY RANGE (day);
CREATE TABLE deep_1 PARTITION OF deep FOR VALUES FROM ('2026-01-01') TO ('2026-02-01') PARTITION BY LIST (region);
CREATE TABLE deep_1_cn PARTITION OF deep_1 FOR VALUES IN ('cn');
CREATE TABLE deep_1_us PARTITION OF deep_1 FOR VALUES IN ('us');
SELECT idem.guard_states('deep', 'status', 'partition_m');
INSERT INTO deep VALUES (1, '2026-01-02', 'cn', 'created');
UPDATE deep SET status = 'paying';
UPDATE deep SET region = 'us';
UPDATE deep SET region = 'us', status = 'failed';
UPDATE deep SET day = '2026-01-03';
UPDATE deep SET region = 'cn', status = 'failed';
UPDATE deep SET status = 'paying';
DELETE FROM deep;
SELECT * FROM deep;

-- The server wants the state in the primary key of a table that is partitioned
-- by it: so one id can stand twice, each row with a lawful life of its own.  The
-- doctor names them (first day 20).
SELECT count(*) FROM idem.doctor() WHERE finding ~ 'primary key contains the state';
SELECT id, status FROM payment ORDER BY id, status;
INSERT INTO payment (id, status) VALUES (1, 'created');
SELECT severity, object, finding, remedy FROM idem.doctor() WHERE finding ~ 'primary key contains the state';

DROP SCHEMA machine_partition CASCADE;
DELETE FROM idem.machine WHERE name LIKE 'partition\_%';
