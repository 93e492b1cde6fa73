--
-- machine_bypass: the fifteen ways past a status trigger, each by its number
--
-- A trigger that compares the old state with the new one is quickly written,
-- and walked around in these ways.  Each is tried here against a row that
-- stands in "created", or in the final "refunded"; shown are the SQLSTATE and
-- where the rows are afterwards.  3, 4, 7, 11, 13 and 15 between two sessions:
-- test/isolation/specs/machine_bypass_race.spec.
--
CREATE SCHEMA machine_bypass;
SET search_path = machine_bypass;
SELECT FROM idem.define_machine('bypass_m', $$
stateDiagram-v2
    [*] --> created
    created --> paid : pay
    paid --> refunded : refund
    refunded --> [*]
$$);
CREATE TABLE payment (id int PRIMARY KEY, status text, note text, pushed int DEFAULT 0);
SELECT idem.guard_states('payment', 'status', 'bypass_m');
INSERT INTO payment VALUES (1, 'created'), (2, 'created');
UPDATE payment SET status = 'paid' WHERE id = 2;
UPDATE payment SET status = 'refunded' WHERE id = 2;

CREATE FUNCTION attempt(number int, statement text, tab regclass DEFAULT 'payment', OUT way int, OUT outcome text, OUT rows text)
LANGUAGE plpgsql AS $$
BEGIN
    way := number;
    BEGIN
        EXECUTE statement;
        outcome := 'accepted';
    EXCEPTION WHEN OTHERS THEN
        outcome := SQLSTATE;
    END;
    EXECUTE format('SELECT string_agg(concat_ws('' '', id, status), '', '' ORDER BY id) FROM %s', tab) INTO rows;
END $$;
CREATE FUNCTION to_refunded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.status := 'refunded'; RETURN NEW; END $$;

-- 1: the statement does not name the state, another trigger sets it: a guard
-- that is declared UPDATE OF status does not fire
CREATE TRIGGER aaa BEFORE UPDATE OF note ON payment FOR EACH ROW EXECUTE FUNCTION to_refunded();
SELECT * FROM attempt(1, $$UPDATE payment SET note = 'x' WHERE id = 1$$);
DROP TRIGGER aaa ON payment;

-- 2: another BEFORE trigger changes the row after the guard saw it
CREATE TRIGGER zzz BEFORE INSERT OR UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION to_refunded();
SELECT * FROM attempt(2, $$UPDATE payment SET status = 'paid' WHERE id = 1$$);
SELECT * FROM attempt(2, $$INSERT INTO payment VALUES (3, 'created')$$);
DROP TRIGGER zzz ON payment;

-- 3: an upsert that updates is no insertion: the legal one passes although
-- "paid" is no entry, and the other is judged as the update that it is
BEGIN;
SELECT * FROM attempt(3, $$INSERT INTO payment VALUES (1, 'paid') ON CONFLICT (id) DO UPDATE SET status = excluded.status$$);
ROLLBACK;
SELECT * FROM attempt(3, $$INSERT INTO payment VALUES (1, 'refunded') ON CONFLICT (id) DO UPDATE SET status = excluded.status$$);
SELECT * FROM attempt(3, $$INSERT INTO payment VALUES (3, 'paid') ON CONFLICT (id) DO UPDATE SET status = excluded.status$$);

-- 4: the row moves to another partition; no UPDATE trigger fires for that
CREATE TABLE parts (id int, status text, PRIMARY KEY (id, status)) PARTITION BY LIST (status);
CREATE TABLE parts_live PARTITION OF parts FOR VALUES IN ('created', 'paid');
CREATE TABLE parts_done PARTITION OF parts FOR VALUES IN ('refunded');
SELECT idem.guard_states('parts', 'status', 'bypass_m');
INSERT INTO parts VALUES (1, 'created');
SELECT * FROM attempt(4, $$UPDATE parts SET status = 'refunded'$$, 'parts');
UPDATE parts SET status = 'paid';
SELECT * FROM attempt(4, $$UPDATE parts SET status = 'refunded'$$, 'parts');
SELECT * FROM attempt(4, $$UPDATE parts SET status = 'created'$$, 'parts');

-- 5: ALTER ... TYPE ... USING writes every row anew and fires no row trigger
SELECT * FROM attempt(5, $$ALTER TABLE payment ALTER status TYPE varchar(20) USING 'refunded'$$);
SELECT * FROM attempt(5, $$ALTER TABLE payment ALTER status TYPE varchar(20) USING CASE status WHEN 'refunded' THEN 'created' ELSE status END$$);

-- 6: session_replication_role = replica, as restore tools set it
SET session_replication_role = replica;
SELECT * FROM attempt(6, $$UPDATE payment SET status = 'refunded' WHERE id = 1$$);
SELECT * FROM attempt(6, $$INSERT INTO payment VALUES (3, 'refunded')$$);
SELECT * FROM attempt(6, $$DELETE FROM payment WHERE id = 2$$);
SELECT * FROM attempt(6, $$TRUNCATE payment$$);
RESET session_replication_role;

-- 7: the finished row is deleted and made again, at once or by and by
SELECT * FROM attempt(7, $$DELETE FROM payment WHERE id = 2$$);
SELECT * FROM attempt(7, $$WITH gone AS (DELETE FROM payment WHERE id = 2 RETURNING id)
    INSERT INTO payment SELECT id, 'created' FROM gone$$);

-- 8: TRUNCATE fires no row trigger; neither does that of a table above
SELECT * FROM attempt(8, $$TRUNCATE payment$$);
SELECT * FROM attempt(8, $$TRUNCATE parts_done$$, 'parts');
CREATE TABLE above (id int PRIMARY KEY);
ALTER TABLE payment ADD CONSTRAINT fk FOREIGN KEY (pushed) REFERENCES above NOT VALID;
SELECT * FROM attempt(8, $$TRUNCATE above CASCADE$$);
ALTER TABLE payment DROP CONSTRAINT fk;

-- 9: the primary key changes: the finished row is no longer this one
SELECT * FROM attempt(9, $$UPDATE payment SET id = 9 WHERE id = 2$$);
SELECT * FROM attempt(9, $$UPDATE payment SET id = id + 10, note = 'shifted'$$);

-- 10: rows of an inheritance child are seen through the parent, and fire no
-- trigger of it
CREATE TABLE mother (id int PRIMARY KEY, status text);
CREATE TABLE child () INHERITS (mother);
SELECT * FROM attempt(10, $$SELECT idem.guard_states('mother', 'status', 'bypass_m')$$, 'mother');
SELECT * FROM attempt(10, $$CREATE TABLE heir () INHERITS (payment)$$);
CREATE TABLE heir (LIKE payment INCLUDING ALL);
INSERT INTO heir VALUES (3, 'paid');
SELECT * FROM attempt(10, $$ALTER TABLE heir INHERIT payment$$);

-- 11: ATTACH brings rows that nobody judged; the guard is cloned all the same
CREATE TABLE loose (id int NOT NULL, status text NOT NULL);
INSERT INTO loose VALUES (7, 'lost');
SELECT * FROM attempt(11, $$ALTER TABLE parts ATTACH PARTITION loose FOR VALUES IN ('lost')$$, 'parts');
-- without them it comes in, and is guarded
DELETE FROM loose;
SELECT * FROM attempt(11, $$ALTER TABLE parts ATTACH PARTITION loose FOR VALUES IN ('lost')$$, 'parts');
SELECT * FROM attempt(11, $$INSERT INTO loose VALUES (7, 'lost')$$, 'parts');
SELECT * FROM attempt(11, $$TRUNCATE loose$$, 'parts');

-- 12: a null compares with nothing
SELECT * FROM attempt(12, $$UPDATE payment SET status = NULL WHERE id = 1$$);
SELECT * FROM attempt(12, $$INSERT INTO payment VALUES (3, NULL)$$);

-- 13: the same state once more: told UPDATE 1, the writer would push again
SELECT * FROM attempt(13, $$UPDATE payment SET status = 'refunded', pushed = pushed + 1 WHERE id = 2$$);
SELECT * FROM attempt(13, $$UPDATE payment SET status = 'created' WHERE id = 1$$);

-- 14: a rule that looks at INSERT and UPDATE only; deletions are its hole,
-- also where finished rows may be archived
CREATE TABLE archived (id int PRIMARY KEY, status text);
SELECT idem.guard_states('archived', 'status', 'bypass_m', delete => 'final');
INSERT INTO archived VALUES (1, 'created');
SELECT * FROM attempt(14, $$DELETE FROM payment WHERE id = 1$$);
SELECT * FROM attempt(14, $$DELETE FROM archived WHERE id = 1$$, 'archived');
SELECT * FROM attempt(14, $$MERGE INTO payment p USING (VALUES (1)) n(id) ON p.id = n.id WHEN MATCHED THEN DELETE$$);

-- 15: an object mapper writes back the row it loaded before it was refunded
SELECT * FROM attempt(15, $$UPDATE payment SET status = 'paid', note = 'stale', pushed = 0 WHERE id = 2$$);

SELECT id, status, note, pushed FROM payment ORDER BY id;
DROP SCHEMA machine_bypass CASCADE;
DELETE FROM idem.machine WHERE name = 'bypass_m';
