-- A row that an UPDATE moves between partitions is judged as one update.
--
-- Two guards watch.  The mark of a row is fixed and each row has its own: a
-- row that is judged by the image of another one is refused, and a refusal
-- shows both images.  The states refuse what is taken for a new row, because
-- none begins outside "created", and what is taken for a deletion.
\set SHOW_CONTEXT never
CREATE SCHEMA base_moved;
SET search_path = base_moved;
SELECT FROM idem.define_machine('moved_m', $$stateDiagram-v2
    [*] --> created
    created --> paying
    created --> paid
    created --> failed
    paying --> paid
    paid --> failed
    failed --> created
    failed --> closed
    closed --> [*]
$$);
CREATE TABLE payment (
    gone int, id int, status text, mark text, note text,
    PRIMARY KEY (id, status)
) PARTITION BY LIST (status);
ALTER TABLE payment DROP COLUMN gone;
CREATE TABLE live PARTITION OF payment FOR VALUES IN ('created', 'paying');
-- columns in another order, dropped ones, and partitions of its own
CREATE TABLE done (note text, away int, status text NOT NULL, mark text, id int NOT NULL)
    PARTITION BY LIST (status);
ALTER TABLE done DROP COLUMN away;
CREATE TABLE paid (mark text, status text NOT NULL, id int NOT NULL, away int, note text);
ALTER TABLE paid DROP COLUMN away;
ALTER TABLE done ATTACH PARTITION paid FOR VALUES IN ('paid');
CREATE TABLE failed PARTITION OF done FOR VALUES IN ('failed');
ALTER TABLE payment ATTACH PARTITION done FOR VALUES IN ('paid', 'failed');
SELECT idem.guard_states('payment', 'status', 'moved_m');
SELECT idem.guard_fixed('payment', '{mark}');
CREATE VIEW rows AS
    SELECT tableoid::regclass AS partition, id, status, mark, note FROM payment ORDER BY id;

INSERT INTO payment VALUES (1, 'created', 'a'), (2, 'created', 'b'), (3, 'created', 'c');

-- in place; to another partition; between the lower ones; back
UPDATE payment SET status = 'paying', mark = 'x' WHERE id = 1;
UPDATE payment SET status = 'paying' WHERE id = 1;
UPDATE payment SET status = 'paid', mark = 'x' WHERE id = 1;
UPDATE payment SET status = 'paid' WHERE id = 1;
UPDATE done SET status = 'failed', mark = 'x' WHERE id = 1;
UPDATE done SET status = 'failed' WHERE id = 1;
UPDATE payment SET status = 'created', mark = 'x' WHERE id = 1;
UPDATE payment SET status = 'created' WHERE id = 1;
-- by a way that the states do not have
UPDATE payment SET status = 'closed' WHERE id = 1;
UPDATE payment SET status = 'failed' WHERE id = 1;
UPDATE payment SET status = 'paying' WHERE id = 1;
UPDATE payment SET status = 'created' WHERE id = 1;
TABLE rows;

-- by a table whose triggers catch an error on the way, or nearly one
CREATE FUNCTION catch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        PERFORM 1;
    EXCEPTION WHEN others THEN
    END;
    BEGIN
        PERFORM 1 / 0;
    EXCEPTION WHEN division_by_zero THEN
        RAISE NOTICE 'caught';
    END;
    RETURN NULL;
END $$;
CREATE TRIGGER zzz AFTER DELETE ON live FOR EACH ROW EXECUTE FUNCTION catch();
UPDATE payment SET status = 'failed', mark = 'x' WHERE id = 3;
UPDATE payment SET status = 'failed' WHERE id = 3;
UPDATE payment SET status = 'created' WHERE id = 3;
DROP TRIGGER zzz ON live;
TABLE rows;

-- many rows in one statement, and twice in one transaction
BEGIN;
UPDATE payment SET status = 'paid';
UPDATE payment SET status = 'failed', note = mark || '2';
UPDATE payment SET status = 'created';
COMMIT;
TABLE rows;
UPDATE payment SET status = 'paid', mark = CASE id WHEN 3 THEN 'x' ELSE mark END;
BEGIN;
UPDATE payment SET status = 'paid';
UPDATE payment SET status = 'failed', mark = CASE id WHEN 2 THEN 'x' ELSE mark END;
ROLLBACK;
-- rows that move and rows that stay, in one statement
UPDATE payment SET status = CASE id WHEN 2 THEN 'paying' ELSE 'paid' END;
UPDATE payment SET status = CASE id WHEN 2 THEN 'paid' ELSE 'failed' END;
UPDATE payment SET status = 'failed' WHERE id = 2;
UPDATE payment SET status = 'created';
TABLE rows;

-- the key beside the state stays
UPDATE payment SET id = 9 WHERE id = 1;
UPDATE payment SET id = 9, status = 'paid' WHERE id = 1;

-- moved, then really deleted
BEGIN;
UPDATE payment SET status = 'paid' WHERE id = 3;
DELETE FROM payment WHERE id = 3;
ROLLBACK;
-- a new row that follows a move in the same transaction
BEGIN;
UPDATE payment SET status = 'paid' WHERE id = 3;
INSERT INTO payment VALUES (4, 'created', 'd');
INSERT INTO payment VALUES (5, 'paid', 'e');
ROLLBACK;

-- MERGE that moves one row and inserts another
BEGIN;
MERGE INTO payment p USING (VALUES (1), (4)) s(id) ON p.id = s.id
    WHEN MATCHED THEN UPDATE SET status = 'paid'
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'created', 'd', 'merged');
TABLE rows;
ROLLBACK;
MERGE INTO payment p USING (VALUES (1), (4)) s(id) ON p.id = s.id
    WHEN MATCHED THEN UPDATE SET status = 'paid', mark = 'x'
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'created', 'd');
MERGE INTO payment p USING (VALUES (1), (4)) s(id) ON p.id = s.id
    WHEN MATCHED THEN UPDATE SET status = 'paid'
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'paid', 'd');

-- a row that comes out of the moved one in the same command is an insert
BEGIN;
WITH moved AS (UPDATE payment SET status = 'paid' RETURNING id, mark)
    INSERT INTO payment SELECT id + 100, 'created', mark || '2' FROM moved;
TABLE rows;
ROLLBACK;
WITH moved AS (UPDATE payment SET status = 'paid', mark = 'x' WHERE id = 2 RETURNING id)
    INSERT INTO payment SELECT id + 100, 'created', 'b' FROM moved;
WITH moved AS (UPDATE payment SET status = 'paid' WHERE id = 2 RETURNING id, mark)
    INSERT INTO payment SELECT id + 100, 'paid', mark FROM moved;

-- a move undone by a savepoint, and one inside a block that catches
BEGIN;
SAVEPOINT s;
UPDATE payment SET status = 'paid' WHERE id = 2;
ROLLBACK TO s;
UPDATE payment SET status = 'failed' WHERE id = 2;
DO $$
BEGIN
    UPDATE payment SET status = 'paid', id = 77 WHERE id = 3;
EXCEPTION WHEN SQLSTATE '23I08' THEN
    RAISE NOTICE 'caught %', SQLSTATE;
END $$;
DO $$
BEGIN
    UPDATE payment SET status = 'paid', mark = 'x' WHERE id = 3;
EXCEPTION WHEN SQLSTATE '23I07' THEN
    RAISE NOTICE 'caught %', SQLSTATE;
END $$;
SAVEPOINT t;
UPDATE payment SET status = 'paid' WHERE id = 3;
RELEASE t;
TABLE rows;
UPDATE payment SET status = 'failed', mark = 'x' WHERE id = 3;
ROLLBACK;

-- a trigger of another that fires between the two events of a move: it
-- inserts a row and moves another one; it may also fire before the guards
CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.id = 1 THEN
        INSERT INTO payment VALUES (50, 'created', 'by trigger');
        UPDATE payment SET status = 'failed' WHERE id = 2;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER zzz AFTER DELETE ON payment FOR EACH ROW EXECUTE FUNCTION other();
BEGIN;
UPDATE payment SET status = 'paid' WHERE id IN (1, 3);
TABLE rows;
ROLLBACK;
UPDATE payment SET status = 'paid', mark = 'x' WHERE id = 1;
UPDATE payment SET status = 'paid', mark = CASE id WHEN 3 THEN 'x' ELSE mark END WHERE id IN (1, 3);
ALTER TRIGGER zzz ON payment RENAME TO aaa;
BEGIN;
UPDATE payment SET status = 'paid' WHERE id IN (1, 3);
TABLE rows;
ROLLBACK;
UPDATE payment SET status = 'paid', mark = 'x' WHERE id = 1;
ALTER TRIGGER aaa ON payment RENAME TO zzz;
-- what it does is judged as well
CREATE OR REPLACE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payment VALUES (OLD.id, 'paying', OLD.mark);
    RETURN NULL;
END $$;
UPDATE payment SET status = 'paid' WHERE id = 1;
CREATE OR REPLACE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE payment SET status = 'failed', mark = 'y' WHERE id = 2 AND OLD.id = 1;
    RETURN NULL;
END $$;
UPDATE payment SET status = 'paid' WHERE id = 1;
DROP TRIGGER zzz ON payment;

-- a trigger of another that moves the row on before the guards saw it arrive
CREATE FUNCTION onward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE payment SET status = 'failed', mark = COALESCE(NEW.note, mark)
        WHERE id = NEW.id AND NEW.status = 'paid';
    RETURN NULL;
END $$;
CREATE TRIGGER aaa AFTER INSERT ON payment FOR EACH ROW EXECUTE FUNCTION onward();
BEGIN;
UPDATE payment SET status = 'paid', note = NULL WHERE id = 1;
TABLE rows;
ROLLBACK;
UPDATE payment SET status = 'paid', note = NULL, mark = 'x' WHERE id = 1;
UPDATE payment SET status = 'paid', note = 'y' WHERE id = 1;
DROP TRIGGER aaa ON payment;

-- a BEFORE trigger of the old partition that keeps the row there
CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RETURN NULL; END';
CREATE TRIGGER skip BEFORE DELETE ON live FOR EACH ROW EXECUTE FUNCTION skip();
UPDATE payment SET status = 'paid', mark = 'x' WHERE id = 1;
SELECT * FROM rows WHERE id = 1;
DROP TRIGGER skip ON live;
-- ... that changes another row, which is not the one that moves
CREATE FUNCTION change_other() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN UPDATE payment SET status = ''failed'' WHERE id = OLD.id + 1; RETURN OLD; END';
CREATE TRIGGER change_other BEFORE DELETE ON live FOR EACH ROW
    WHEN (OLD.id = 1) EXECUTE FUNCTION change_other();
BEGIN;
UPDATE payment SET status = 'paid' WHERE id = 1;
TABLE rows;
ROLLBACK;
UPDATE payment SET status = 'paid', mark = 'x' WHERE id = 1;
DROP TRIGGER change_other ON live;

-- a BEFORE trigger of the new partition that changes the row on its way
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.id := NEW.id + CASE NEW.note WHEN 'id' THEN 1000 ELSE 0 END;
    NEW.mark := NEW.mark || CASE NEW.note WHEN 'mark' THEN '!' ELSE '' END;
    RETURN NEW;
END $$;
CREATE TRIGGER change BEFORE INSERT ON paid FOR EACH ROW EXECUTE FUNCTION change();
UPDATE payment SET status = 'paid', note = 'id' WHERE id = 1;
UPDATE payment SET status = 'paid', note = 'mark' WHERE id = 1;
DROP TRIGGER change ON paid;

-- a BEFORE trigger of the new partition that loses the row: seen at the next
-- row of the command, or at the commit; a row inserted later does not pass
-- for the lost one
CREATE TRIGGER skip BEFORE INSERT ON paid FOR EACH ROW EXECUTE FUNCTION skip();
BEGIN;
UPDATE payment SET status = 'paid';
ROLLBACK;
UPDATE payment SET status = 'paid' WHERE id = 1;
BEGIN;
UPDATE payment SET status = 'paid' WHERE id = 1;
INSERT INTO payment VALUES (1, 'created', 'new');
COMMIT;
\echo :LAST_ERROR_SQLSTATE
BEGIN;
SAVEPOINT s;
UPDATE payment SET status = 'paid' WHERE id = 1;
RELEASE s;
COMMIT;
BEGIN;
SAVEPOINT s;
UPDATE payment SET status = 'paid' WHERE id = 1;
ROLLBACK TO s;
COMMIT;
TABLE rows;
DROP TRIGGER skip ON paid;

-- A column added after the row was written has the value of its DEFAULT.
ALTER TABLE payment ADD COLUMN fee int NOT NULL DEFAULT 5;
SELECT idem.drop_guard('payment', 'fixed', reason => 'the fee is fixed, too');
SELECT idem.guard_fixed('payment', '{mark,fee}');
BEGIN;
UPDATE payment SET status = 'paid' WHERE id = 2;
ROLLBACK;
UPDATE payment SET status = 'paid', fee = 6 WHERE id = 2;
-- between partitions whose columns have the same numbers
CREATE TABLE same (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE same_1 PARTITION OF same FOR VALUES IN (1);
CREATE TABLE same_2 PARTITION OF same FOR VALUES IN (2);
INSERT INTO same VALUES (1, 1);
ALTER TABLE same ADD COLUMN fee int NOT NULL DEFAULT 5;
SELECT idem.guard_fixed('same', '{fee}');
UPDATE same SET part = 2, fee = 6;
UPDATE same SET part = 2;
SELECT tableoid::regclass AS partition, * FROM same;

-- a guard that does not fire for INSERT is told at once that a row leaves
SELECT idem.guard_kept('payment');
UPDATE payment SET status = 'failed' WHERE id = 2;
SELECT * FROM rows WHERE id = 2;
SELECT idem.drop_guard('payment', 'kept', reason => 'tried');

-- a partitioned table that is referenced by a foreign key
CREATE TABLE child (id int, status text,
    FOREIGN KEY (id, status) REFERENCES payment ON UPDATE CASCADE);
INSERT INTO child VALUES (1, 'created');
UPDATE payment SET status = 'paid', mark = 'x' WHERE id = 1;
UPDATE payment SET status = 'paid' WHERE id = 1;
TABLE child;

-- Fixed columns ask for nothing but what is fixed: a row may go to another
-- tenant or day, although both are part of its primary key.
CREATE TABLE filed (tenant int, id int, day date, status text, amount int,
    PRIMARY KEY (tenant, id, day)) PARTITION BY LIST (tenant);
CREATE TABLE filed_1 PARTITION OF filed FOR VALUES IN (1) PARTITION BY RANGE (day);
CREATE TABLE filed_1_01 PARTITION OF filed_1 FOR VALUES FROM ('2018-01-01') TO ('2018-02-01');
CREATE TABLE filed_1_02 PARTITION OF filed_1 FOR VALUES FROM ('2018-02-01') TO ('2018-03-01');
-- the key has one order in all partitions, whatever the order of their columns
CREATE TABLE filed_2 (day date NOT NULL, status text, id int NOT NULL, amount int, tenant int NOT NULL);
ALTER TABLE filed ATTACH PARTITION filed_2 FOR VALUES IN (2);
SELECT idem.guard_fixed('filed', '{amount}');
INSERT INTO filed VALUES (1, 7, '2018-01-10', 'created', 100), (1, 8, '2018-01-10', 'created', 100);
UPDATE filed SET day = '2018-02-10' WHERE id = 7;
UPDATE filed SET tenant = 2 WHERE id = 7;
UPDATE filed SET tenant = 1, amount = 1 WHERE id = 7;
SELECT tableoid::regclass AS partition, * FROM filed ORDER BY id;
-- States keep the row, so its whole primary key: a tenant or a day in it stays,
-- in the partition or out of it, with a legal change of the state or without.
SELECT idem.guard_states('filed', 'status', 'moved_m');
UPDATE filed SET day = '2018-02-10' WHERE id = 8;
UPDATE filed SET day = '2018-02-10', status = 'paying' WHERE id = 8;
UPDATE filed SET day = '2018-01-11' WHERE id = 8;
UPDATE filed SET tenant = 2 WHERE id = 8;
UPDATE filed SET tenant = 1 WHERE id = 7;
UPDATE filed_2 SET day = '2018-02-11' WHERE id = 7;
UPDATE filed SET status = 'paying';
SELECT tableoid::regclass AS partition, * FROM filed ORDER BY id;
-- so does a key that is all partition key, and one that rows are hashed by
CREATE TABLE ranged (id int PRIMARY KEY, status text) PARTITION BY RANGE (id);
CREATE TABLE ranged_0 PARTITION OF ranged FOR VALUES FROM (0) TO (10);
CREATE TABLE ranged_1 PARTITION OF ranged FOR VALUES FROM (10) TO (20);
SELECT idem.guard_states('ranged', 'status', 'moved_m');
INSERT INTO ranged VALUES (1, 'created');
UPDATE ranged SET id = 2;
UPDATE ranged SET id = 11;
CREATE TABLE hashed (tenant int, id int, status text, PRIMARY KEY (tenant, id)) PARTITION BY HASH (tenant);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT idem.guard_states('hashed', 'status', 'moved_m');
INSERT INTO hashed SELECT i, 1, 'created' FROM generate_series(1, 9) i;
UPDATE hashed SET tenant = tenant + 10 WHERE tenant = 1;
UPDATE hashed SET tenant = tenant + 10 WHERE tenant = 2;
UPDATE hashed SET tenant = tenant + 10 WHERE tenant = 3;

SET client_min_messages = warning;
DROP SCHEMA base_moved CASCADE;
DELETE FROM idem.machine WHERE name = 'moved_m';
