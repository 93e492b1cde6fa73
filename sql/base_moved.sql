-- A row that an UPDATE moves between partitions is judged as one update.
-- The guard of this test refuses nothing but a change of key and tells what
-- it saw; the order of its notices is the order of its judgements.
CREATE FUNCTION base_moved_guard() RETURNS trigger
    AS '$libdir/idem', 'idem_test_guard' LANGUAGE C;

CREATE TABLE base_moved (
    gone int, id int, status text, note text,
    PRIMARY KEY (id, status)
) PARTITION BY LIST (status);
ALTER TABLE base_moved DROP COLUMN gone;
CREATE TABLE base_moved_live PARTITION OF base_moved
    FOR VALUES IN ('created', 'paying');
-- columns in another order, a dropped one, and partitions of its own
CREATE TABLE base_moved_done (note text, away int, status text NOT NULL, id int NOT NULL)
    PARTITION BY LIST (status);
ALTER TABLE base_moved_done DROP COLUMN away;
CREATE TABLE base_moved_paid (status text NOT NULL, id int NOT NULL, note text);
ALTER TABLE base_moved_done ATTACH PARTITION base_moved_paid FOR VALUES IN ('paid');
CREATE TABLE base_moved_failed PARTITION OF base_moved_done FOR VALUES IN ('failed');
ALTER TABLE base_moved ATTACH PARTITION base_moved_done FOR VALUES IN ('paid', 'failed');
CREATE TRIGGER guard AFTER INSERT OR UPDATE OR DELETE ON base_moved
    FOR EACH ROW EXECUTE FUNCTION base_moved_guard();

INSERT INTO base_moved VALUES (1, 'created', 'a'), (2, 'created', 'b'), (3, 'created', 'c');

-- in place; to another partition; down a level; back
UPDATE base_moved SET status = 'paying' WHERE id = 1;
UPDATE base_moved SET status = 'paid' WHERE id = 1;
UPDATE base_moved_done SET status = 'failed' WHERE id = 1;
UPDATE base_moved SET status = 'created' WHERE id = 1;

-- many rows in one statement, and twice in one transaction
BEGIN;
UPDATE base_moved SET status = 'paid';
UPDATE base_moved SET status = 'failed', note = note || '2';
UPDATE base_moved SET status = 'created';
COMMIT;

-- the key without the partition column stays
UPDATE base_moved SET id = 9 WHERE id = 1;
UPDATE base_moved SET id = 9, status = 'paid' WHERE id = 1;

-- moved, then really deleted
BEGIN;
UPDATE base_moved SET status = 'paid' WHERE id = 3;
DELETE FROM base_moved WHERE id = 3;
ROLLBACK;

-- MERGE that moves one row and inserts another
BEGIN;
MERGE INTO base_moved m USING (VALUES (1), (4)) s(id) ON m.id = s.id
    WHEN MATCHED THEN UPDATE SET status = 'paid'
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'created', 'merged');
ROLLBACK;

-- a row that comes out of the moved one in the same command is an insert
BEGIN;
WITH moved AS (UPDATE base_moved SET status = 'paid' RETURNING id, note)
INSERT INTO base_moved SELECT id + 100, 'created', note FROM moved;
ROLLBACK;

-- a column added after the row was written
ALTER TABLE base_moved ADD COLUMN fee int NOT NULL DEFAULT 5;
BEGIN;
UPDATE base_moved SET status = 'paid' WHERE id = 2;
ROLLBACK;
ALTER TABLE base_moved DROP COLUMN fee;

-- a move undone by a savepoint, and one inside a block that catches
BEGIN;
SAVEPOINT s;
UPDATE base_moved SET status = 'paid' WHERE id = 2;
ROLLBACK TO s;
UPDATE base_moved SET status = 'failed' WHERE id = 2;
DO $$
BEGIN
    UPDATE base_moved SET status = 'paid', id = 77 WHERE id = 3;
EXCEPTION WHEN SQLSTATE '23I08' THEN
    RAISE NOTICE 'caught %', SQLSTATE;
END $$;
UPDATE base_moved SET status = 'paid' WHERE id = 3;
ROLLBACK;

-- a trigger of another that fires between the two events of a move: it
-- inserts a row and moves another one
CREATE FUNCTION base_moved_other() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.id = 1 THEN
        INSERT INTO base_moved VALUES (50, 'created', 'by trigger');
        UPDATE base_moved SET status = 'failed' WHERE id = 2;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER other AFTER DELETE ON base_moved
    FOR EACH ROW EXECUTE FUNCTION base_moved_other();
BEGIN;
UPDATE base_moved SET status = 'paid' WHERE id IN (1, 3);
ROLLBACK;
DROP TRIGGER other ON base_moved;

-- a trigger of another that moves the row on before the guard saw it arrive
CREATE FUNCTION base_moved_onward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE base_moved SET status = 'failed' WHERE id = NEW.id AND NEW.status = 'paid';
    RETURN NULL;
END $$;
CREATE TRIGGER a_onward AFTER INSERT ON base_moved
    FOR EACH ROW EXECUTE FUNCTION base_moved_onward();
BEGIN;
UPDATE base_moved SET status = 'paid' WHERE id = 1;
ROLLBACK;
DROP TRIGGER a_onward ON base_moved;

-- a BEFORE trigger of the old partition that keeps the row there
CREATE FUNCTION base_moved_skip() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RETURN NULL; END';
CREATE TRIGGER skip BEFORE DELETE ON base_moved_live
    FOR EACH ROW EXECUTE FUNCTION base_moved_skip();
UPDATE base_moved SET status = 'paid' WHERE id = 1;
DROP TRIGGER skip ON base_moved_live;

-- a BEFORE trigger of the new partition that changes the row on its way
CREATE FUNCTION base_moved_change() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.id := NEW.id + 1000; RETURN NEW; END';
CREATE TRIGGER change BEFORE INSERT ON base_moved_paid
    FOR EACH ROW EXECUTE FUNCTION base_moved_change();
UPDATE base_moved SET status = 'paid' WHERE id = 1;
DROP TRIGGER change ON base_moved_paid;

-- a BEFORE trigger of the new partition that loses the row: seen at the next
-- row of the command, or at the commit; a row inserted later does not pass
-- for the lost one
CREATE TRIGGER skip BEFORE INSERT ON base_moved_paid
    FOR EACH ROW EXECUTE FUNCTION base_moved_skip();
\set SHOW_CONTEXT never
UPDATE base_moved SET status = 'paid';
BEGIN;
UPDATE base_moved SET status = 'paid' WHERE id = 1;
INSERT INTO base_moved VALUES (1, 'created', 'new');
COMMIT;
\echo :LAST_ERROR_SQLSTATE
BEGIN;
SAVEPOINT s;
UPDATE base_moved SET status = 'paid' WHERE id = 1;
ROLLBACK TO s;
COMMIT;
SELECT * FROM base_moved ORDER BY id;
DROP TRIGGER skip ON base_moved_paid;

-- a guard that does not fire for INSERT is told at once that a row leaves
CREATE TRIGGER kept AFTER UPDATE OR DELETE ON base_moved
    FOR EACH ROW EXECUTE FUNCTION base_moved_guard();
BEGIN;
UPDATE base_moved SET status = 'paid' WHERE id = 1;
ROLLBACK;
DROP TRIGGER kept ON base_moved;

-- a partitioned table that is referenced by a foreign key
CREATE TABLE base_moved_child (id int, status text,
    FOREIGN KEY (id, status) REFERENCES base_moved ON UPDATE CASCADE);
INSERT INTO base_moved_child VALUES (1, 'created');
UPDATE base_moved SET status = 'paid' WHERE id = 1;
TABLE base_moved_child;
DROP TABLE base_moved_child;

-- where the partition key is the whole key, or rows are filed by hash, it stays
CREATE TABLE base_moved_range (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE base_moved_range0 PARTITION OF base_moved_range FOR VALUES FROM (0) TO (10);
CREATE TABLE base_moved_range1 PARTITION OF base_moved_range FOR VALUES FROM (10) TO (20);
CREATE TRIGGER guard AFTER INSERT OR UPDATE OR DELETE ON base_moved_range
    FOR EACH ROW EXECUTE FUNCTION base_moved_guard('quiet=');
INSERT INTO base_moved_range VALUES (1);
UPDATE base_moved_range SET id = 2;
UPDATE base_moved_range SET id = 11;
CREATE TABLE base_moved_hash (tenant int, id int, PRIMARY KEY (tenant, id)) PARTITION BY HASH (tenant);
CREATE TABLE base_moved_hash0 PARTITION OF base_moved_hash FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE base_moved_hash1 PARTITION OF base_moved_hash FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TRIGGER guard AFTER INSERT OR UPDATE OR DELETE ON base_moved_hash
    FOR EACH ROW EXECUTE FUNCTION base_moved_guard('quiet=');
INSERT INTO base_moved_hash SELECT i, 1 FROM generate_series(1, 9) i;
UPDATE base_moved_hash SET tenant = tenant + 10;

DROP TABLE base_moved, base_moved_range, base_moved_hash;
DROP FUNCTION base_moved_guard, base_moved_other, base_moved_onward,
    base_moved_skip, base_moved_change;
