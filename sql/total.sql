-- What the rows of a statement do to the totals of their parents is applied at
-- its end: each parent once, judged by what the statement leaves.  Whatever
-- fires in between, and however the statement ends, the total is the sum.
CREATE EXTENSION IF NOT EXISTS idem;
CREATE SCHEMA total;
SET search_path = total, public;

CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL, refunded int NOT NULL DEFAULT 0, writes int NOT NULL DEFAULT 0);
CREATE TABLE orders (id int PRIMARY KEY);
CREATE TABLE refund (id int, payment_id int NOT NULL REFERENCES payment, amount int, status text DEFAULT 'new',
    order_id int REFERENCES orders ON DELETE CASCADE, note text, PRIMARY KEY (id, payment_id)) PARTITION BY LIST (payment_id);
CREATE TABLE refund_1 PARTITION OF refund FOR VALUES IN (1);
CREATE TABLE refund_rest PARTITION OF refund DEFAULT PARTITION BY HASH (payment_id);
CREATE TABLE refund_rest_0 PARTITION OF refund_rest FOR VALUES WITH (modulus 2, remainder 0);
CREATE TABLE refund_rest_1 PARTITION OF refund_rest FOR VALUES WITH (modulus 2, remainder 1);
INSERT INTO payment SELECT i, 100 FROM generate_series(1, 5) i;
INSERT INTO orders VALUES (1), (2);
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'status', released => '{failed}', facts => '{returned}', children => 'editable');

-- how often a statement of the guard writes a parent
CREATE FUNCTION count_writes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.writes := OLD.writes + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER count_writes BEFORE UPDATE OF refunded ON payment FOR EACH ROW EXECUTE FUNCTION count_writes();
CREATE FUNCTION totals(OUT id int, OUT refunded int, OUT sum bigint, OUT excess int, OUT writes int) RETURNS SETOF record LANGUAGE sql AS $$
    SELECT p.id, p.refunded, coalesce((SELECT sum(amount) FROM refund WHERE payment_id = p.id AND status <> 'failed'), 0), p.excess, p.writes
    FROM payment p ORDER BY 1;
$$;
CREATE FUNCTION wrong() RETURNS SETOF record LANGUAGE sql AS $$
    SELECT t FROM totals() t WHERE t.refunded + t.excess <> t.sum;
$$;

-- ---------- one row, several rows, each way in ----------
INSERT INTO refund VALUES (1, 1, 10);
INSERT INTO refund VALUES (2, 1, 10), (3, 1, 10), (4, 2, 10), (5, 3, 10), (6, 1, 10), (7, 3, 10);
SELECT * FROM totals();
-- through the middle, straight into a partition
INSERT INTO refund_rest VALUES (8, 2, 1), (9, 3, 1);
INSERT INTO refund_rest_0 SELECT 10, i, 1 FROM generate_series(2, 5) i WHERE satisfies_hash_partition('refund_rest'::regclass, 2, 0, i);
INSERT INTO refund_1 VALUES (11, 1, 1), (12, 1, 1);
COPY refund (id, payment_id, amount) FROM stdin;
13	1	1
14	4	1
15	1	1
\.
COPY refund_1 (id, payment_id, amount) FROM stdin;
16	1	1
\.
INSERT INTO refund VALUES (16, 1, 5), (17, 1, 5) ON CONFLICT (id, payment_id) DO UPDATE SET amount = excluded.amount;
INSERT INTO refund VALUES (16, 1, 5), (18, 1, 5) ON CONFLICT DO NOTHING;
MERGE INTO refund r USING (VALUES (17, 1), (18, 2), (19, 3), (8, 9)) v (id, n) ON r.id = v.id
    WHEN MATCHED AND v.id = 18 THEN DELETE
    WHEN MATCHED THEN UPDATE SET amount = v.n
    WHEN NOT MATCHED THEN INSERT VALUES (v.id, 4, v.n);
UPDATE refund SET status = 'failed' WHERE id IN (2, 4, 5);
UPDATE refund SET status = 'new' WHERE id IN (2, 4);
DELETE FROM refund WHERE id IN (6, 7);
-- rows that move to another partition are one update each
UPDATE refund SET payment_id = payment_id % 5 + 1 WHERE id < 12;
SELECT * FROM totals();
-- TRUNCATE, of whichever table of the tree
TRUNCATE refund_1;
TRUNCATE refund;
DELETE FROM refund;
SELECT id, refunded, sum, excess FROM totals();

-- ---------- judged by what the statement leaves ----------
INSERT INTO refund VALUES (1, 1, 60), (2, 1, 40), (3, 2, 100), (4, 3, 100);
-- the one that grows comes first
UPDATE refund SET amount = 100 - amount WHERE payment_id = 1;
UPDATE refund SET payment_id = 5 - payment_id WHERE payment_id IN (2, 3);
UPDATE refund SET amount = amount + 1 WHERE id = 1 OR id = 2;
UPDATE refund SET amount = amount + CASE id WHEN 1 THEN 1 ELSE -1 END WHERE payment_id = 1;
SELECT id, refunded, sum, excess FROM totals();
-- facts and requests in the order of the rows
DELETE FROM refund;
INSERT INTO refund VALUES (1, 1, 40, 'new'), (2, 1, 90, 'returned');
INSERT INTO refund VALUES (3, 2, 90, 'returned'), (4, 2, 40, 'new');
INSERT INTO refund VALUES (3, 2, 90, 'returned'), (4, 2, 10, 'new'), (5, 2, 10, 'returned');
SELECT id, refunded, sum, excess FROM totals();
-- the third of three does not fit, and nothing of the statement stands
INSERT INTO refund VALUES (6, 3, 50), (7, 4, 10), (8, 3, 40), (9, 3, 20);
-- the first that does not fit in the order of parents is the one that is told
INSERT INTO refund VALUES (6, 5, 101), (7, 4, 101);
INSERT INTO refund VALUES (6, 9, 1), (7, 3, 1);
SELECT * FROM wrong() x (t record);
DELETE FROM refund;

-- ---------- statements in statements ----------
-- A trigger of the user's writes rows of the table before the outer statement
-- has counted its own; in an exception block, which may be undone.
CREATE FUNCTION fee() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.note = 'plain' THEN
        INSERT INTO refund VALUES (NEW.id + 100, NEW.payment_id, 1), (NEW.id + 200, NEW.payment_id, 1);
    ELSIF NEW.note IN ('kept', 'undone') THEN
        BEGIN
            INSERT INTO refund VALUES (NEW.id + 100, NEW.payment_id, 1), (NEW.id + 200, NEW.payment_id, 1);
            IF NEW.note = 'undone' THEN
                RAISE EXCEPTION 'undone';
            END IF;
        EXCEPTION WHEN raise_exception THEN
        END;
    ELSIF NEW.note = 'failed' THEN
        UPDATE refund SET status = 'failed', note = NULL WHERE id = NEW.id;
    ELSIF NEW.note = 'refused' THEN
        BEGIN
            INSERT INTO refund VALUES (NEW.id + 100, NEW.payment_id, 1000), (NEW.id + 200, NEW.payment_id, 1);
        EXCEPTION WHEN SQLSTATE '23I05' THEN
            RAISE NOTICE '%', SQLERRM;
        END;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER fee AFTER INSERT ON refund FOR EACH ROW EXECUTE FUNCTION fee();
INSERT INTO refund (id, payment_id, amount, note) SELECT i, 1 + i % 3, 2, 'plain' FROM generate_series(1, 6) i;
INSERT INTO refund (id, payment_id, amount, note) SELECT i, 1 + i % 3, 2, 'kept' FROM generate_series(11, 16) i;
INSERT INTO refund (id, payment_id, amount, note) SELECT i, 1 + i % 3, 2, 'undone' FROM generate_series(21, 26) i;
INSERT INTO refund (id, payment_id, amount, note) SELECT i, 1 + i % 3, 2, (ARRAY['plain', 'undone', 'kept', NULL, 'failed'])[i % 5 + 1] FROM generate_series(31, 42) i;
INSERT INTO refund (id, payment_id, amount, note) VALUES (51, 4, 1, 'refused'), (52, 4, 1, NULL), (53, 4, 1, 'failed');
INSERT INTO refund (id, payment_id, amount, note) VALUES (61, 5, 1, 'failed');
SELECT id, refunded, sum, excess FROM totals();
SELECT * FROM wrong() x (t record);
DROP TRIGGER fee ON refund;
DELETE FROM refund;
-- functions that write while the outer statement runs
CREATE FUNCTION one_more(id int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO refund VALUES (id + 100, 1, 1), (id + 200, 1, 1);
    RETURN 1;
END $$;
INSERT INTO refund SELECT i, one_more(i), 1 FROM generate_series(1, 3) i;
-- writable CTEs: of one table, of two, of the parent itself
WITH a AS (INSERT INTO refund VALUES (11, 2, 10), (12, 2, 10) RETURNING id), b AS (UPDATE refund SET amount = 2 WHERE id IN (1, 2) RETURNING id)
    INSERT INTO refund SELECT a.id + 10, 2, 5 FROM a;
WITH p AS (INSERT INTO payment VALUES (6, 100), (7, 100) RETURNING id)
    INSERT INTO refund SELECT p.id, p.id, 30 FROM p, generate_series(1, 1);
SELECT id, refunded, sum, excess FROM totals();
-- an action of a foreign key deletes children: their statement ends behind it
UPDATE refund SET order_id = 1 + id % 2;
DELETE FROM orders WHERE id = 1;
SELECT * FROM wrong() x (t record);
DELETE FROM orders;
SELECT id, refunded, sum, excess FROM totals();
-- a deferred trigger writes when the transaction wants to commit
CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO refund VALUES (NEW.id + 100, NEW.payment_id, 1), (NEW.id + 200, NEW.payment_id, 1);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON refund DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.note = 'later') EXECUTE FUNCTION later();
BEGIN;
INSERT INTO refund (id, payment_id, amount, note) VALUES (1, 1, 1, 'later'), (2, 2, 1, 'later');
INSERT INTO refund (id, payment_id, amount, note) VALUES (3, 3, 1, 'later');
COMMIT;
-- savepoints
BEGIN;
INSERT INTO refund VALUES (11, 1, 1), (12, 1, 1);
SAVEPOINT a;
INSERT INTO refund VALUES (13, 1, 10), (14, 1, 10);
ROLLBACK TO a;
INSERT INTO refund VALUES (13, 1, 100), (14, 1, 100);
ROLLBACK TO a;
INSERT INTO refund VALUES (15, 1, 1), (16, 1, 1);
RELEASE a;
COMMIT;
SELECT id, refunded, sum, excess FROM totals();
SELECT * FROM wrong() x (t record);

-- ---------- who sees what ----------
-- One row is counted at once; of several an AFTER ROW trigger sees nothing yet,
-- nor does an AFTER STATEMENT trigger that sorts before the guard's.
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '% % %: %', TG_NAME, TG_LEVEL, TG_OP, (SELECT refunded FROM payment WHERE id = 4);
    RETURN NULL;
END $$;
CREATE TRIGGER "A" AFTER INSERT ON refund FOR EACH STATEMENT EXECUTE FUNCTION look();
CREATE TRIGGER b AFTER INSERT ON refund FOR EACH STATEMENT EXECUTE FUNCTION look();
CREATE TRIGGER c AFTER INSERT ON refund FOR EACH ROW EXECUTE FUNCTION look();
INSERT INTO refund VALUES (21, 4, 1);
INSERT INTO refund VALUES (22, 4, 1), (23, 4, 1);
DROP TRIGGER "A" ON refund;
DROP TRIGGER b ON refund;
DROP TRIGGER c ON refund;

-- ---------- two guards on one table ----------
CREATE TABLE account (id int PRIMARY KEY, most int NOT NULL);
CREATE TABLE transfer (id int PRIMARY KEY, payer int NOT NULL REFERENCES account, payee int NOT NULL REFERENCES account, amount int);
INSERT INTO account VALUES (1, 100), (2, 100), (3, 100);
SELECT idem.guard_limit('transfer', 'payer', amount => 'amount', cap => 'most', used => 'paid', released => NULL);
SELECT idem.guard_limit('transfer', 'payee', amount => 'amount', cap => 'most', used => 'received', released => NULL);
INSERT INTO transfer VALUES (1, 1, 2, 10), (2, 2, 1, 20), (3, 3, 1, 30), (4, 1, 3, 5);
INSERT INTO transfer VALUES (5, 1, 2, 10);
INSERT INTO transfer VALUES (6, 1, 2, 10), (7, 2, 1, 80);
INSERT INTO transfer VALUES (6, 1, 2, 10), (7, 2, 1, 50);
SELECT * FROM account ORDER BY id;

-- ---------- no pass ----------
-- Rows that were noted and never counted stop the commit.
SET idem.allow_unguarded = 'a test of the end of statements';
ALTER TABLE transfer DISABLE TRIGGER "IDEM_limit_payer_statement";
ALTER TABLE transfer DISABLE TRIGGER "IDEM_limit_payee_statement";
BEGIN;
INSERT INTO transfer VALUES (8, 3, 2, 1), (9, 3, 2, 1);
COMMIT;
BEGIN;
INSERT INTO transfer VALUES (8, 3, 2, 1), (9, 3, 2, 1);
SAVEPOINT a;
INSERT INTO transfer VALUES (10, 3, 2, 1), (11, 3, 2, 1);
RELEASE a;
PREPARE TRANSACTION 'total';
BEGIN;
INSERT INTO transfer VALUES (8, 3, 2, 1);
SAVEPOINT a;
INSERT INTO transfer VALUES (9, 3, 2, 1), (10, 3, 2, 1);
ROLLBACK TO a;
COMMIT;
SELECT problem FROM idem.guards WHERE relation = 'transfer'::regclass;
SELECT count(*) FROM idem.rearm('transfer');
SELECT problem FROM idem.guards WHERE relation = 'transfer'::regclass;
RESET idem.allow_unguarded;
SELECT * FROM account ORDER BY id;
SELECT idem.apply_totals();
CREATE TABLE plain (id int);
CREATE TRIGGER hand AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION idem.apply_totals();
INSERT INTO plain VALUES (1);
DROP TRIGGER hand ON plain;
CREATE TRIGGER hand AFTER INSERT OR TRUNCATE ON plain FOR EACH STATEMENT EXECUTE FUNCTION idem.apply_totals();
INSERT INTO plain VALUES (1);
TRUNCATE plain;

SET client_min_messages = warning;
DROP SCHEMA total CASCADE;
