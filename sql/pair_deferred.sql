--
-- pair, deferred => true: what is judged is what the transaction leaves, when
-- it commits or is prepared.
--
CREATE SCHEMA pair_deferred;
SET search_path = pair_deferred;
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE TABLE "order" (id int PRIMARY KEY, status text NOT NULL, note text);
CREATE TABLE debit (id int PRIMARY KEY, order_id int NOT NULL REFERENCES "order", status text, note text);
CREATE INDEX ON debit (order_id);
INSERT INTO "order" VALUES (1, 'new'), (2, 'new');
INSERT INTO debit VALUES (1, 1, 'asked');
SELECT idem.guard_parent_state('debit', 'order_id', state => 'status', parent_state => 'status', allowed => '{"asked":"{new}","done":"{processed}"}', deferred => true);
SELECT tgrelid::regclass, tgdeferrable, tginitdeferred, tgenabled FROM pg_trigger WHERE tgfoid IN ('idem.keep_pair'::regproc, 'idem.keep_pair_parent'::regproc)
    AND tgrelid IN ('debit'::regclass, '"order"'::regclass) ORDER BY 1;
SELECT intact, problem FROM idem.guards WHERE relation = 'debit'::regclass;
SELECT d FROM idem.declarations() d WHERE d ~ 'pair_deferred.debit' AND d !~ 'rearm';
-- each alone is refused, at the end; both together pass, in either order
UPDATE debit SET status = 'done';
UPDATE "order" SET status = 'processed' WHERE id = 1;
BEGIN; UPDATE debit SET status = 'done'; UPDATE "order" SET status = 'processed' WHERE id = 1; COMMIT;
BEGIN; UPDATE "order" SET status = 'new' WHERE id = 1; UPDATE debit SET status = 'asked'; COMMIT;
-- what was in between is nobody's business
BEGIN; UPDATE debit SET status = 'done'; UPDATE debit SET status = 'asked'; COMMIT;
BEGIN; UPDATE "order" SET status = 'processed' WHERE id = 1; UPDATE "order" SET status = 'new' WHERE id = 1; COMMIT;
BEGIN; INSERT INTO debit VALUES (2, 1, 'done'); DELETE FROM debit WHERE id = 2; COMMIT;
-- the last version of a row is judged, also where it did not change the state
BEGIN; UPDATE debit SET status = 'done'; UPDATE debit SET note = 'x'; COMMIT;
BEGIN; UPDATE "order" SET status = 'processed' WHERE id = 1; UPDATE "order" SET note = 'x' WHERE id = 1; COMMIT;
BEGIN; INSERT INTO debit VALUES (2, 1, 'done'); UPDATE debit SET note = 'x' WHERE id = 2; COMMIT;
BEGIN; UPDATE debit SET order_id = 2, status = 'done'; UPDATE debit SET order_id = 1; COMMIT;
-- nor where it hides who wrote the version before
BEGIN; TRUNCATE debit;
COPY debit FROM stdin (FORMAT csv, FREEZE);
1,1,done,
\.
UPDATE debit SET note = 'x'; COMMIT;
-- of a row that the transaction did not touch nothing is asked
UPDATE debit SET note = 'y';
UPDATE "order" SET note = 'y';
-- savepoints
BEGIN; SAVEPOINT a; UPDATE debit SET status = 'done'; ROLLBACK TO a; COMMIT;
BEGIN; SAVEPOINT a; UPDATE debit SET status = 'done'; RELEASE a; COMMIT;
BEGIN; UPDATE debit SET status = 'done'; SAVEPOINT a; UPDATE "order" SET status = 'processed' WHERE id = 1; ROLLBACK TO a; COMMIT;
BEGIN; UPDATE debit SET status = 'done'; SAVEPOINT a; UPDATE debit SET note = 'z'; RELEASE a; COMMIT;
-- another row in the parent's place
BEGIN; WITH d AS (DELETE FROM "order" WHERE id = 1 RETURNING id) INSERT INTO "order" SELECT id, 'processed' FROM d; COMMIT;
BEGIN; WITH d AS (DELETE FROM "order" WHERE id = 1 RETURNING id) INSERT INTO "order" SELECT id, 'processed' FROM d; UPDATE debit SET status = 'done'; COMMIT;
-- also where the row that gave up the key is written once more, or goes
INSERT INTO "order" VALUES (7, 'new'), (8, 'processed');
INSERT INTO debit VALUES (7, 7, 'asked');
BEGIN; UPDATE "order" SET id = CASE id WHEN 7 THEN 9 ELSE 7 END WHERE id IN (7, 8); UPDATE "order" SET note = 'x' WHERE id = 9; COMMIT;
BEGIN; UPDATE "order" SET id = CASE id WHEN 7 THEN 9 ELSE 7 END WHERE id IN (7, 8); DELETE FROM "order" WHERE id = 9; COMMIT;
BEGIN; UPDATE "order" SET id = CASE id WHEN 7 THEN 9 ELSE 7 END WHERE id IN (7, 8); UPDATE "order" SET status = 'new' WHERE id = 7; DELETE FROM "order" WHERE id = 9; COMMIT;
DELETE FROM debit WHERE id = 7;
DELETE FROM "order" WHERE id = 7;
-- a parent that is deleted and comes back before its first child
BEGIN; DELETE FROM "order" WHERE id = 2; INSERT INTO "order" VALUES (2, 'processed'); INSERT INTO debit VALUES (3, 2, 'done'); COMMIT;
BEGIN; DELETE FROM debit WHERE id = 3; UPDATE "order" SET status = 'new' WHERE id = 2; COMMIT;
-- asked for earlier
BEGIN; UPDATE debit SET status = 'asked'; SET CONSTRAINTS ALL IMMEDIATE; COMMIT;
-- a transaction that is to be prepared; one that is: 490_pair (TAP)
BEGIN; UPDATE debit SET status = 'asked'; PREPARE TRANSACTION 'pair_deferred';
SELECT o.id, o.status, d.id, d.status FROM "order" o LEFT JOIN debit d ON d.order_id = o.id ORDER BY 1, 3;
-- at the end of a procedure that commits
CREATE PROCEDURE settle() LANGUAGE plpgsql AS $$
BEGIN
    UPDATE debit SET status = 'done'; UPDATE "order" SET status = 'processed' WHERE id = 1; COMMIT;
    UPDATE debit SET status = 'asked'; COMMIT;
END $$;
CALL settle();
SELECT o.id, o.status, d.id, d.status FROM "order" o LEFT JOIN debit d ON d.order_id = o.id ORDER BY 1, 3;

-- A trigger that does not wait where it should, or that could be put off, is
-- not the one that was declared.
CREATE TABLE hand (id int PRIMARY KEY, order_id int NOT NULL REFERENCES "order", status text);
CREATE INDEX ON hand (order_id);
CREATE TRIGGER "IDEM_pair_order_id" AFTER INSERT OR UPDATE OR DELETE ON hand FOR EACH ROW
    EXECUTE FUNCTION idem.keep_pair('idem=1', 'fk={order_id}', 'state=status', 'parent_state=status', 'allowed={done,"{processed}"}', 'judge=row', 'deferred=true');
CREATE TABLE hand_too (LIKE hand INCLUDING ALL, FOREIGN KEY (order_id) REFERENCES "order");
CREATE CONSTRAINT TRIGGER "IDEM_pair_order_id" AFTER INSERT OR UPDATE OR DELETE ON hand_too DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW
    EXECUTE FUNCTION idem.keep_pair('idem=1', 'fk={order_id}', 'state=status', 'parent_state=status', 'allowed={done,"{processed}"}', 'judge=row');
ALTER TABLE hand ENABLE ALWAYS TRIGGER "IDEM_pair_order_id";
ALTER TABLE hand_too ENABLE ALWAYS TRIGGER "IDEM_pair_order_id";
SELECT relation, problem FROM idem.problems_of('{hand,hand_too}') ORDER BY 1, 2;

-- with judge => 'entry': the parent of a new child is open in the end
SELECT idem.drop_guard('debit', 'pair', reason => 'another');
SELECT idem.guard_parent_state('debit', 'order_id', parent_state => 'status', allowed => '{"*":"{new}"}', judge => 'entry', deferred => true);
BEGIN; INSERT INTO debit VALUES (5, 1, 'x'); UPDATE "order" SET status = 'new' WHERE id = 1; COMMIT;
BEGIN; INSERT INTO debit VALUES (6, 1, 'x'); UPDATE "order" SET status = 'shut' WHERE id = 1; COMMIT;
UPDATE "order" SET status = 'shut' WHERE id = 1;
INSERT INTO debit VALUES (6, 1, 'x');

DROP SCHEMA pair_deferred CASCADE;
