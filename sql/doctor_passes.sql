--
-- What the watch over definitions lets pass: statements that failed, that name
-- nothing, that are none of its business, or for which a reason was given.
--
CREATE ROLE regress_idem_doctor_passes;
CREATE SCHEMA doctor_passes;
GRANT ALL ON SCHEMA doctor_passes TO regress_idem_doctor_passes;
SET search_path = doctor_passes;
SELECT FROM idem.define_machine('doctor_passes', E'stateDiagram-v2\n[*] --> created\ncreated --> paid\npaid --> [*]');
CREATE TABLE payment (id int PRIMARY KEY, amount int, note text);
INSERT INTO payment VALUES (1, 100, '1');
SELECT idem.guard_fixed('payment', '{amount}');

-- What was seen in a statement that failed is forgotten with it, alone or in a
-- savepoint; what was not rolled back is not.
CREATE FUNCTION as_number(text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        RETURN $1::int;
    EXCEPTION WHEN invalid_text_representation THEN
        RETURN 0;
    END;
END $$;
BEGIN;
SAVEPOINT a;
ALTER TABLE payment DROP amount, ALTER note TYPE int USING 1 / (id - 1);
ROLLBACK TO a;
CREATE TABLE unrelated (id int);
COMMIT;
DO $$BEGIN
    ALTER TABLE payment DROP amount, ALTER note TYPE int USING 1 / (id - 1);
EXCEPTION WHEN division_by_zero THEN
    CREATE TABLE unrelated_too (id int);
END$$;
ALTER TABLE payment DROP amount, ALTER note TYPE int USING as_number(note);
UPDATE payment SET note = 'x';
ALTER TABLE payment DROP amount, ALTER note TYPE int USING as_number(note);
ALTER TABLE payment ALTER note TYPE int USING as_number(note);
\d payment
-- So a guard that goes on purpose afterwards is not missed by the next command,
-- and a table that was to be dropped is not written off.
CREATE TABLE empty (id int PRIMARY KEY);
SELECT idem.guard_fixed('empty', '{id}');
SET idem.drop_reason = '';
BEGIN;
SAVEPOINT a;
ALTER TABLE payment DROP amount, ALTER note TYPE text USING 1 / (id - 1);
ROLLBACK TO a;
DROP TABLE empty, payment;
ROLLBACK TO a;
SELECT idem.drop_guard('payment', 'fixed', reason => 'a test');
CREATE TABLE unrelated_as_well (id int);
SELECT action, table_name FROM idem.change_log WHERE table_schema = 'doctor_passes' AND action <> 'declared' ORDER BY n;
ROLLBACK;

-- What the server drops on its own behalf, as temporary tables at their end, is
-- no command's doing, whatever triggers and rows there are.
BEGIN;
CREATE TEMPORARY TABLE moment (id int) ON COMMIT DROP;
CREATE TRIGGER idem_kept AFTER DELETE OR UPDATE ON moment FOR EACH ROW EXECUTE FUNCTION idem.keep_rows('idem=1');
INSERT INTO moment VALUES (1);
COMMIT;
CREATE TEMPORARY TABLE moment (id int);
CREATE TRIGGER idem_kept AFTER DELETE OR UPDATE ON moment FOR EACH ROW EXECUTE FUNCTION idem.keep_rows('idem=1');
INSERT INTO moment VALUES (1);
DROP TABLE moment;
DISCARD TEMPORARY;
RESET idem.drop_reason;

-- What does not exist is the server's to refuse.
ALTER TYPE no_such RENAME VALUE 'a' TO 'b';
CREATE TABLE parts (id int, part int, status text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
SELECT idem.guard_states('parts', 'status', 'doctor_passes');
ALTER TABLE parts DETACH PARTITION no_such CONCURRENTLY;
-- A guarded row keeps its key.
ALTER TABLE parts DROP CONSTRAINT parts_pkey;

-- With a reason rows come in that do not follow, and the doctor says so.
CREATE TABLE parts_1 (id int NOT NULL, part int NOT NULL, status text);
INSERT INTO parts_1 VALUES (1, 1, 'lost');
ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES IN (1);
SET idem.allow_unguarded = 'lost is looked into';
ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES IN (1);
RESET idem.allow_unguarded;
SELECT regexp_replace(finding, ' by .*, allowed', ' ..., allowed') AS finding
    FROM idem.doctor() WHERE object LIKE '%doctor_passes.parts%' ORDER BY doctor.finding COLLATE "C";
SELECT action, kind, name, reason FROM idem.change_log WHERE relation = 'parts'::regclass AND action <> 'declared' ORDER BY n;

-- With a reason a guarded table becomes a partition; its guard is still looked
-- at when a command on the table above reaches down to it.
CREATE TABLE above (id int PRIMARY KEY, a int, b int) PARTITION BY LIST (id);
CREATE TABLE below (id int PRIMARY KEY, a int, b int);
SELECT idem.guard_fixed('above', '{a}'), idem.guard_fixed('below', '{b}');
ALTER TABLE above ATTACH PARTITION below DEFAULT;
SET idem.allow_unguarded = 'it was guarded before';
ALTER TABLE above ATTACH PARTITION below DEFAULT;
RESET idem.allow_unguarded;
ALTER TABLE above DROP b;
ALTER TABLE above DROP a;

-- With a reason a guarded column goes, and nothing is written until the guard goes, too.
SET idem.allow_unguarded = 'amounts are kept elsewhere';
ALTER TABLE payment DROP amount;
RESET idem.allow_unguarded;
SELECT action, kind, name, reason FROM idem.change_log WHERE relation = 'payment'::regclass AND action <> 'declared' ORDER BY n;
SELECT regexp_replace(finding, ' by .*, allowed', ' ..., allowed') AS finding
    FROM idem.doctor() WHERE object LIKE '%doctor_passes.payment%' ORDER BY doctor.finding COLLATE "C";
UPDATE payment SET note = DEFAULT;

-- Of tables that were not named, a partition of somebody else is left alone.
ALTER TABLE parts OWNER TO regress_idem_doctor_passes;
SET idem.allow_unguarded = 'test';
ALTER TABLE parts_1 DISABLE TRIGGER USER;
RESET idem.allow_unguarded;
SET ROLE regress_idem_doctor_passes;
SELECT idem.rearm('parts');
SELECT * FROM idem.rearm() rearm WHERE rearm ~ 'doctor_passes';
RESET ROLE;
SELECT * FROM idem.rearm('parts');

SET client_min_messages = warning;
DROP SCHEMA doctor_passes CASCADE;
DELETE FROM idem.machine WHERE name = 'doctor_passes';
DROP ROLE regress_idem_doctor_passes;
