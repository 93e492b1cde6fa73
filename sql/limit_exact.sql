-- A parent that declares what its children add up to: a batch is accepted
-- only with exactly the lines that its header says.
\set SHOW_CONTEXT never
CREATE SCHEMA exact;
SET search_path = exact;

CREATE TABLE batch (
    id         bigint PRIMARY KEY,
    total      numeric(12,2) NOT NULL,
    line_count integer,
    status     text
);
CREATE TABLE line (
    batch_id bigint NOT NULL REFERENCES batch,
    line     integer,
    amount   numeric(12,2) NOT NULL,
    status   text NOT NULL DEFAULT 'booked',
    PRIMARY KEY (batch_id, line)
);
SELECT idem.guard_limit('line', 'batch_id', amount => 'amount', cap => 'total', used => 'booked',
                        state => 'status', released => '{void}', children => 'editable',
                        parent_state => 'status', open => '{loading}', exact => '{accepted,paid}',
                        count_used => 'booked_lines', exact_count => 'line_count');

-- neither sum nor number, then one of them, then both
INSERT INTO batch VALUES (1, 30, 2, 'loading');
INSERT INTO line VALUES (1, 1, 10);
UPDATE batch SET status = 'accepted' WHERE id = 1;
INSERT INTO line VALUES (1, 2, 10), (1, 3, 10);
\echo the sum, not the number; and what a client can branch on
DO $$ DECLARE state text; tab text; con text; col text; BEGIN
    UPDATE batch SET status = 'accepted' WHERE id = 1;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, tab = TABLE_NAME, con = CONSTRAINT_NAME, col = COLUMN_NAME;
    RAISE NOTICE '% % % %: %', state, tab, col, con, SQLERRM;
END $$;
DELETE FROM line WHERE line = 3;
\echo the number, not the sum
UPDATE batch SET status = 'accepted' WHERE id = 1;
UPDATE line SET amount = 20 WHERE line = 2;
UPDATE batch SET status = 'accepted' WHERE id = 1;
SELECT status, booked, booked_lines FROM batch;

-- what it stands by: no line is added, taken away or changed; places may change
INSERT INTO line VALUES (1, 3, 1);
UPDATE line SET status = 'void' WHERE line = 2;
DELETE FROM line WHERE line = 1;
UPDATE line SET amount = 19 WHERE line = 2;
-- the same sum of one line less: one statement of a MERGE
MERGE INTO line USING (VALUES (1, 30), (2, 0)) v (n, a) ON line = n
    WHEN MATCHED AND a = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET amount = a;
UPDATE line SET amount = 30 - amount;
SELECT line, amount FROM line ORDER BY line;
UPDATE batch SET line_count = 3 WHERE id = 1;
UPDATE batch SET line_count = NULL WHERE id = 1;
UPDATE batch SET status = 'paid' WHERE id = 1;

-- one statement is judged by what it leaves
BEGIN;
UPDATE batch SET status = 'loading' WHERE id = 1;
UPDATE line SET status = 'void' WHERE line = 2;
INSERT INTO line VALUES (1, 4, 10);
UPDATE batch SET status = 'accepted' WHERE id = 1;
COMMIT;
SELECT status, booked, booked_lines FROM batch;

-- a new row that needs nothing may stand there at once; one that does may not
INSERT INTO batch VALUES (2, 0, 0, 'accepted'), (3, 0, NULL, 'loading');
INSERT INTO batch VALUES (4, 1, 1, 'accepted');
INSERT INTO batch VALUES (4, 0, 1, 'accepted');
INSERT INTO batch VALUES (4, 0, NULL, 'accepted');
-- a declared number is needed: NULL is none
UPDATE batch SET status = 'accepted' WHERE id = 3;

-- somebody who may not read the parent is told nothing of it
CREATE ROLE exact_clerk;
GRANT USAGE ON SCHEMA exact TO exact_clerk;
GRANT SELECT, UPDATE, DELETE ON line TO exact_clerk;
GRANT UPDATE (status), SELECT (id) ON batch TO exact_clerk;
SET ROLE exact_clerk;
DELETE FROM line WHERE line = 4;
UPDATE batch SET status = 'accepted' WHERE id = 3;
RESET ROLE;

-- the parent through the executor: a trigger of its own
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER nothing BEFORE UPDATE ON batch FOR EACH ROW EXECUTE FUNCTION nothing();
DELETE FROM line WHERE line = 4;
UPDATE line SET amount = 30 - amount WHERE line IN (1, 4);
DROP TRIGGER nothing ON batch;

-- one statement that stores lines and accepts their header counts them behind
-- it: refused
INSERT INTO batch VALUES (5, 5, 1, 'loading');
WITH l AS (INSERT INTO line VALUES (5, 1, 5) RETURNING batch_id)
    UPDATE batch SET status = 'accepted' FROM l WHERE id = batch_id;

-- ways around: COPY, upsert, MERGE, a trigger of the parent, a replica's role,
-- a savepoint, a cursor; all of them end with the same refusal
\set VERBOSITY terse
CREATE TABLE head (id int PRIMARY KEY, total int NOT NULL, lines int NOT NULL, status text NOT NULL, note text);
CREATE TABLE tail (head_id int NOT NULL REFERENCES head, amount int NOT NULL);
SELECT idem.guard_limit('tail', 'head_id', amount => 'amount', cap => 'total', used => 'booked', cap_grows => true,
                        parent_state => 'status', open => '{loading}', exact => '{accepted}', count_used => 'n', exact_count => 'lines');
INSERT INTO head VALUES (1, 10, 1, 'loading'), (2, 10, 1, 'loading');
INSERT INTO tail VALUES (2, 10);
COPY head (id, total, lines, status) FROM stdin;
3	10	1	accepted
\.
INSERT INTO head VALUES (1, 10, 1, 'accepted') ON CONFLICT (id) DO UPDATE SET status = excluded.status;
MERGE INTO head USING (VALUES (1)) v (i) ON id = i WHEN MATCHED THEN UPDATE SET status = 'accepted';
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE head SET status = 'accepted' WHERE id = 1;
ROLLBACK;
CREATE FUNCTION accept() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.status := ''accepted''; RETURN new; END';
CREATE TRIGGER accept BEFORE UPDATE OF note ON head FOR EACH ROW EXECUTE FUNCTION accept();
UPDATE head SET note = 'x' WHERE id = 1;
DROP TRIGGER accept ON head;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM head WHERE id = 1 FOR UPDATE;
FETCH c;
UPDATE head SET status = 'accepted' WHERE CURRENT OF c;
ROLLBACK;
CREATE VIEW open_head AS SELECT id, status FROM head;
UPDATE open_head SET status = 'accepted' WHERE id = 1;
-- the line that completed it goes with its savepoint
BEGIN;
SAVEPOINT s;
INSERT INTO tail VALUES (1, 10);
ROLLBACK TO s;
UPDATE head SET status = 'accepted' WHERE id = 1;
ROLLBACK;
-- neither does the cap grow under it, nor its number
UPDATE head SET status = 'accepted' WHERE id = 2;
UPDATE head SET total = 11 WHERE id = 2;
UPDATE head SET lines = 2 WHERE id = 2;
UPDATE head SET total = 11, lines = 2, status = 'loading' WHERE id = 2;
INSERT INTO tail VALUES (2, 1);
UPDATE head SET status = 'accepted' WHERE id = 2;
UPDATE head SET id = 5 WHERE id = 2;
-- what may be truncated may not be so under it, but together with it
SET idem.truncate_reason = 'test';
TRUNCATE tail;
BEGIN;
TRUNCATE tail, head;
ROLLBACK;
RESET idem.truncate_reason;
SELECT id, total, lines, status, booked, n FROM head ORDER BY id;
DROP VIEW open_head;
\set VERBOSITY default

-- a parent with partitions
CREATE TABLE p_batch (id bigint PRIMARY KEY, total bigint NOT NULL, status text) PARTITION BY RANGE (id);
CREATE TABLE p_batch_1 PARTITION OF p_batch FOR VALUES FROM (0) TO (10);
CREATE TABLE p_line (batch_id bigint NOT NULL REFERENCES p_batch, amount bigint NOT NULL);
SELECT idem.guard_limit('p_line', 'batch_id', amount => 'amount', cap => 'total', used => 'booked',
                        parent_state => 'status', exact => '{accepted}');
INSERT INTO p_batch VALUES (1, 5, 'loading');
UPDATE p_batch SET status = 'accepted';
INSERT INTO p_line VALUES (1, 5);
UPDATE p_batch SET status = 'accepted';
INSERT INTO p_line VALUES (1, 1);
-- one that is attached has no lines yet
CREATE TABLE p_batch_2 (LIKE p_batch INCLUDING ALL);
INSERT INTO p_batch_2 VALUES (11, 5, 'accepted');
ALTER TABLE p_batch ATTACH PARTITION p_batch_2 FOR VALUES FROM (10) TO (20);
UPDATE p_batch_2 SET status = 'loading';
ALTER TABLE p_batch ATTACH PARTITION p_batch_2 FOR VALUES FROM (10) TO (20);
UPDATE p_batch SET status = 'accepted' WHERE id = 11;

-- two tables that share a total declare the same
CREATE TABLE fee_line (batch_id bigint NOT NULL REFERENCES batch, amount numeric(12,2) NOT NULL);
SELECT idem.guard_limit('fee_line', 'batch_id', amount => 'amount', cap => 'total', used => 'booked');
SELECT idem.guard_limit('fee_line', 'batch_id', amount => 'amount', cap => 'total', used => 'booked',
                        parent_state => 'status', exact => '{accepted}');
SELECT idem.guard_limit('fee_line', 'batch_id', amount => 'amount', cap => 'total', used => 'booked', children => 'editable',
                        parent_state => 'status', exact => '{paid,accepted}');
SELECT idem.guard_limit('fee_line', 'batch_id', amount => 'amount', cap => 'total', used => 'booked', children => 'editable',
                        parent_state => 'status', exact => '{accepted,paid}');
INSERT INTO batch VALUES (6, 7, 1, 'loading');
INSERT INTO fee_line VALUES (6, 2);
INSERT INTO line VALUES (6, 1, 5);
UPDATE batch SET status = 'accepted' WHERE id = 6;
DELETE FROM fee_line WHERE batch_id = 6;

-- rows that are there: refused, then declared; the same again is a no-op
CREATE TABLE old_batch (id bigint PRIMARY KEY, total money_micro NOT NULL, lines bigint, status text);
CREATE TABLE old_line (batch_id bigint NOT NULL REFERENCES old_batch, amount money_micro NOT NULL);
INSERT INTO old_batch VALUES (1, '10', 1, 'accepted'), (2, '10', 2, 'accepted'), (3, '10', 1, 'accepted'), (4, '10', 1, NULL);
INSERT INTO old_line VALUES (1, '10'), (2, '10');
\set declare 'SELECT idem.guard_limit(''old_line'', ''batch_id'', amount => ''amount'', cap => ''total'', used => ''booked'', parent_state => ''status'', open => ''{loading}'', exact => ''{accepted}'', count_used => ''n'', exact_count => ''lines'');'
:declare
UPDATE old_batch SET status = 'loading' WHERE id IN (2, 3);
:declare
:declare
SELECT idem.validate_guard('old_line');
SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'old_batch'::regclass AND tgname ~ '^idem';
SELECT d FROM idem.declarations() d WHERE d LIKE '%old_line%';
-- and what came in past the guard is found
SET idem.allow_unguarded = 'a test of what is not refused';
ALTER TABLE old_batch DISABLE TRIGGER USER;
UPDATE old_batch SET status = 'accepted' WHERE id = 2;
ALTER TABLE old_batch ENABLE TRIGGER USER;
SELECT finding FROM idem.doctor() WHERE object LIKE '%old_line%' AND finding LIKE '%exactly%';

-- arguments
CREATE TABLE some_line (batch_id bigint NOT NULL REFERENCES batch, amount numeric(12,2) NOT NULL);
SELECT idem.guard_limit('some_line', 'batch_id', amount => 'amount', cap => 'total', used => 'x', exact => '{accepted}');
SELECT idem.guard_limit('some_line', 'batch_id', amount => 'amount', cap => 'total', used => 'x', parent_state => 'status', open => '{accepted}', exact => '{accepted}');
SELECT idem.guard_limit('some_line', 'batch_id', amount => 'amount', cap => 'total', used => 'x', parent_state => 'status', exact => '{accepted}', facts => '{*}');
SELECT idem.guard_limit('some_line', 'batch_id', amount => 'amount', cap => 'total', used => 'x', parent_state => 'status', exact => '{accepted}', exact_count => 'line_count');
SELECT idem.guard_limit('some_line', 'batch_id', amount => 'amount', cap => 'total', used => 'x', parent_state => 'status', open => '{loading}', count_used => 'n', exact_count => 'line_count');
SELECT idem.guard_limit('some_line', 'batch_id', amount => 'amount', cap => 'total', used => 'x', parent_state => 'status', exact => '{accepted}', count_used => 'n', exact_count => 'status');
SELECT idem.guard_limit('some_line', 'batch_id', amount => 'amount', cap => 'total', used => 'x', parent_state => 'status', exact => '{accepted}', count_used => 'n', exact_count => 'nothing');
SELECT idem.guard_limit('some_line', 'batch_id', amount => 'amount', cap => 'total', used => 'x', parent_state => 'status', exact => '{accepted}', count_used => 'n', exact_count => 'n');
SELECT idem.guard_limit('some_line', 'batch_id', amount => 'amount', cap => 'total', used => 'x', clear_within => '30 days');
SELECT idem.guard_limit('some_line', 'batch_id', amount => 'amount', cap => 'total', used => 'x', age_from => 'status');

SET client_min_messages = warning;
DROP SCHEMA exact CASCADE;
DROP ROLE exact_clerk;
