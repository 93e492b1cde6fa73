-- The total of a plain parent is changed below the executor.  Whatever its
-- user has put on the table works as if it were an ordinary UPDATE.
\set SHOW_CONTEXT never
CREATE SCHEMA limit_plain;
SET search_path = limit_plain;
CREATE TABLE customer (id int PRIMARY KEY);
INSERT INTO customer VALUES (1);
CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL, status text NOT NULL DEFAULT 'paid', note text);
CREATE TABLE refund (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payment_id int NOT NULL REFERENCES payment, amount int);
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
INSERT INTO payment SELECT i, 100 FROM generate_series(1, 9) i;
CREATE VIEW totals AS SELECT string_agg(refunded::text, ' ' ORDER BY id) AS refunded FROM payment;

-- Triggers: before, after, for each statement, with transition tables, named
-- columns; one of other columns stays quiet.
CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '% % %: % to %', TG_NAME, TG_WHEN, TG_LEVEL, OLD.refunded, NEW.refunded;
    RETURN NEW;
END $$;
CREATE TRIGGER a_before BEFORE UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION seen();
INSERT INTO refund (payment_id, amount) VALUES (1, 10);
DROP TRIGGER a_before ON payment;
CREATE TRIGGER a_after AFTER UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION seen();
INSERT INTO refund (payment_id, amount) VALUES (1, 10);
DROP TRIGGER a_after ON payment;
CREATE TRIGGER of_refunded AFTER UPDATE OF refunded ON payment FOR EACH ROW EXECUTE FUNCTION seen();
CREATE TRIGGER of_status AFTER UPDATE OF status ON payment FOR EACH ROW EXECUTE FUNCTION seen();
INSERT INTO refund (payment_id, amount) VALUES (1, 10);
DROP TRIGGER of_refunded ON payment;
INSERT INTO refund (payment_id, amount) VALUES (1, 10);
DROP TRIGGER of_status ON payment;
CREATE FUNCTION changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '%: %', TG_NAME, (SELECT string_agg(refunded::text, ' ') FROM new_rows);
    RETURN NULL;
END $$;
CREATE TRIGGER a_statement AFTER UPDATE ON payment REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION changed();
INSERT INTO refund (payment_id, amount) VALUES (1, 10);
ALTER TABLE payment DISABLE TRIGGER a_statement;
INSERT INTO refund (payment_id, amount) VALUES (1, 10);
DROP TRIGGER a_statement ON payment;
SELECT * FROM totals;

-- A generated column is computed anew.
ALTER TABLE payment ADD rest int GENERATED ALWAYS AS (amount - refunded) STORED;
INSERT INTO refund (payment_id, amount) VALUES (2, 60);
SELECT refunded, rest FROM payment WHERE id = 2;
ALTER TABLE payment DROP rest;

-- Indexes on the total, over an expression, and partial ones are right,
-- whether the new version needs entries or not.
CREATE FUNCTION twice(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN
    RAISE NOTICE 'twice % as %', $1, current_user = 'regress_idem_plain_owner'; RETURN 2 * $1; END$$;
CREATE INDEX payment_refunded ON payment (refunded);
CREATE INDEX payment_open ON payment (id) WHERE refunded < 50;
SET client_min_messages = warning;
CREATE INDEX payment_twice ON payment (twice(refunded));
RESET client_min_messages;
INSERT INTO refund (payment_id, amount) VALUES (3, 20);
INSERT INTO refund (payment_id, amount) VALUES (3, 20), (3, 20);
SET enable_seqscan = off;
SELECT id, refunded FROM payment WHERE refunded = 60 ORDER BY id;
SELECT id FROM payment WHERE refunded < 50 AND id < 5 ORDER BY id;
SET client_min_messages = warning;
SELECT id FROM payment WHERE twice(refunded) = 120 ORDER BY id;
RESET client_min_messages;
RESET enable_seqscan;
-- ... and their code runs as the owner of the table
CREATE ROLE regress_idem_plain_owner;
CREATE ROLE regress_idem_plain_app;
GRANT ALL ON SCHEMA limit_plain TO regress_idem_plain_owner, regress_idem_plain_app;
ALTER TABLE payment OWNER TO regress_idem_plain_owner;
ALTER TABLE refund OWNER TO regress_idem_plain_owner;
GRANT INSERT ON refund TO regress_idem_plain_app;
SET ROLE regress_idem_plain_app;
INSERT INTO refund (payment_id, amount) VALUES (3, 20);
RESET ROLE;
DROP INDEX payment_refunded, payment_open, payment_twice;
-- a non-key column of a unique index makes a version that needs entries
CREATE UNIQUE INDEX payment_covering ON payment (id) INCLUDE (refunded);
INSERT INTO refund (payment_id, amount) VALUES (3, 10);
SET enable_seqscan = off;
SELECT id, refunded FROM payment WHERE id = 3;
RESET enable_seqscan;
DROP INDEX payment_covering;

-- CHECKs of the user: on the total, on other columns, by a function of the user,
-- not valid for rows there are.
ALTER TABLE payment ADD CONSTRAINT half CHECK (refunded <= amount / 2 OR status = 'vip') NOT VALID;
INSERT INTO refund (payment_id, amount) VALUES (4, 51);
INSERT INTO refund (payment_id, amount) VALUES (4, 50);
ALTER TABLE payment DROP CONSTRAINT half;
ALTER TABLE payment ADD CONSTRAINT most CHECK (refunded <= 70 OR id < 4);
INSERT INTO refund (payment_id, amount) VALUES (4, 21);
ALTER TABLE payment DROP CONSTRAINT most;
CREATE FUNCTION allowed(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 < 60';
ALTER TABLE payment ADD CONSTRAINT by_function CHECK (allowed(refunded)) NOT VALID;
INSERT INTO refund (payment_id, amount) VALUES (4, 10);
ALTER TABLE payment DROP CONSTRAINT by_function;
ALTER TABLE payment ADD CONSTRAINT by_status CHECK (CASE WHEN status = 'vip' THEN true ELSE refunded <= 70 END) NOT VALID;
INSERT INTO refund (payment_id, amount) VALUES (4, 21);
ALTER TABLE payment DROP CONSTRAINT by_status;
CREATE FUNCTION weekday() RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT false';
ALTER TABLE payment ADD CONSTRAINT today CHECK (note IS NULL OR weekday()) NOT VALID;
UPDATE payment SET note = 'x' WHERE id = 4;
INSERT INTO refund (payment_id, amount) VALUES (4, 10);
ALTER TABLE payment DROP CONSTRAINT today;
ALTER TABLE payment ADD CONSTRAINT old CHECK (id <> 4) NOT VALID;
INSERT INTO refund (payment_id, amount) VALUES (4, 10);
INSERT INTO refund (payment_id, amount) VALUES (5, 10);
ALTER TABLE payment DROP CONSTRAINT old;
SELECT * FROM totals;

-- A parent that is itself a child: its own foreign key is checked, also where
-- payment and refund come in one statement.
ALTER TABLE payment ADD customer_id int REFERENCES customer;
WITH p AS (INSERT INTO payment (id, amount, customer_id) VALUES (10, 100, 2) RETURNING id)
    INSERT INTO refund (payment_id, amount) SELECT id, 10 FROM p;
WITH p AS (INSERT INTO payment (id, amount, customer_id) VALUES (10, 100, 1) RETURNING id)
    INSERT INTO refund (payment_id, amount) SELECT id, 10 FROM p;
ALTER TABLE payment ALTER CONSTRAINT payment_customer_id_fkey DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO payment (id, amount, customer_id) VALUES (11, 100, 2);
INSERT INTO refund (payment_id, amount) VALUES (11, 10), (11, 10);
COMMIT;
BEGIN;
INSERT INTO payment (id, amount, customer_id) VALUES (11, 100, 2);
INSERT INTO refund (payment_id, amount) VALUES (11, 10), (11, 10);
INSERT INTO customer VALUES (2);
COMMIT;
SELECT refunded FROM payment WHERE id = 11;
-- and a total that is itself a foreign key points to what there is
CREATE TABLE step (total int PRIMARY KEY);
INSERT INTO step SELECT * FROM generate_series(0, 100, 10);
ALTER TABLE payment ADD FOREIGN KEY (refunded) REFERENCES step;
INSERT INTO refund (payment_id, amount) VALUES (8, 20);
INSERT INTO refund (payment_id, amount) VALUES (8, 5);
ALTER TABLE payment DROP CONSTRAINT payment_refunded_fkey;
-- chained: capture under authorisation, refund under capture
CREATE TABLE authorisation (id int PRIMARY KEY, amount int NOT NULL);
CREATE TABLE capture (id int PRIMARY KEY, authorisation_id int NOT NULL REFERENCES authorisation, amount int NOT NULL);
CREATE TABLE giveback (id int PRIMARY KEY, capture_id int NOT NULL REFERENCES capture, amount int);
SELECT idem.guard_limit('capture', 'authorisation_id', amount => 'amount', cap => 'amount', used => 'captured', released => NULL);
SELECT idem.guard_limit('giveback', 'capture_id', amount => 'amount', cap => 'amount', used => 'given', released => NULL);
INSERT INTO authorisation VALUES (1, 100);
INSERT INTO capture VALUES (1, 1, 60);
INSERT INTO capture VALUES (2, 1, 60);
INSERT INTO giveback VALUES (1, 1, 61);
INSERT INTO giveback VALUES (1, 1, 60);
WITH c AS (INSERT INTO capture VALUES (2, 1, 40) RETURNING id) INSERT INTO giveback SELECT 2, id, 41 FROM c;
WITH c AS (INSERT INTO capture VALUES (2, 1, 40) RETURNING id) INSERT INTO giveback SELECT 2, id, 40 FROM c;
SELECT captured, (SELECT string_agg(given::text, ' ' ORDER BY id) FROM capture) FROM authorisation;
-- the limit of the one is the total of the other: a limit of what was captured
CREATE TABLE back (id int PRIMARY KEY, authorisation_id int NOT NULL REFERENCES authorisation, amount int);
SELECT idem.guard_limit('back', 'authorisation_id', amount => 'amount', cap => 'captured', used => 'back', released => NULL, cap_grows => true);
INSERT INTO authorisation VALUES (2, 100);
INSERT INTO capture VALUES (3, 2, 30);
INSERT INTO back VALUES (1, 2, 31);
INSERT INTO back VALUES (1, 2, 30);
INSERT INTO capture VALUES (4, 2, 30);
INSERT INTO back VALUES (2, 2, 30);
-- one that may not grow stands still once something is used
CREATE TABLE fee (id int PRIMARY KEY, authorisation_id int NOT NULL REFERENCES authorisation, amount int);
SELECT idem.guard_limit('fee', 'authorisation_id', amount => 'amount', cap => 'captured', used => 'fees', released => NULL);
INSERT INTO capture VALUES (5, 2, 10);
INSERT INTO fee VALUES (1, 2, 1);
INSERT INTO capture VALUES (6, 2, 10);
SELECT * FROM authorisation ORDER BY id;

-- Amounts that an assignment would round or refuse.
CREATE DOMAIN small AS int CHECK (VALUE < 50);
CREATE TABLE pot (id int PRIMARY KEY, amount int NOT NULL, used small NOT NULL DEFAULT 0);
CREATE TABLE spoon (pot_id int NOT NULL REFERENCES pot, amount int);
INSERT INTO pot VALUES (1, 100);
SELECT idem.guard_limit('spoon', 'pot_id', amount => 'amount', cap => 'amount', used => 'used', released => NULL);
INSERT INTO spoon VALUES (1, 49);
INSERT INTO spoon VALUES (1, 1);
CREATE TABLE jar (id int PRIMARY KEY, amount numeric(6,2) NOT NULL);
CREATE TABLE cup (jar_id int NOT NULL REFERENCES jar, amount numeric(6,2));
INSERT INTO jar VALUES (1, 9999);
SELECT idem.guard_limit('cup', 'jar_id', amount => 'amount', cap => 'amount', used => 'used', released => NULL);
INSERT INTO cup VALUES (1, 0.10), (1, 1);
SELECT * FROM jar;

-- A publication of updates needs to know which row it was.
SET client_min_messages = error;
CREATE PUBLICATION limit_plain FOR TABLE payment;
RESET client_min_messages;
INSERT INTO refund (payment_id, amount) VALUES (7, 10);
ALTER TABLE payment REPLICA IDENTITY NOTHING;
INSERT INTO refund (payment_id, amount) VALUES (7, 10);
DROP PUBLICATION limit_plain;
INSERT INTO refund (payment_id, amount) VALUES (7, 10);
SELECT * FROM totals;

-- Rows that are kept, rules, children that inherit, a table that has become a
-- partition.
SET idem.allow_unguarded = 'a test of what is not refused';
SELECT idem.guard_kept('payment');
INSERT INTO refund (payment_id, amount) VALUES (6, 10);
SELECT idem.drop_guard('payment', 'kept', reason => 'a limit keeps its total in it');
CREATE RULE quiet AS ON UPDATE TO payment DO INSTEAD NOTHING;
INSERT INTO refund (payment_id, amount) VALUES (6, 10);
DROP RULE quiet ON payment;
CREATE TABLE heir () INHERITS (payment);
INSERT INTO refund (payment_id, amount) VALUES (6, 10);
INSERT INTO refund (payment_id, amount) VALUES (6, 91);
DROP TABLE heir;
CREATE TABLE top (LIKE pot INCLUDING ALL) PARTITION BY LIST (id);
SELECT idem.validate_guard('spoon');
ALTER TABLE top ATTACH PARTITION pot FOR VALUES IN (1);
UPDATE top SET used = used;
INSERT INTO spoon VALUES (1, 1);
RESET idem.allow_unguarded;

\set VERBOSITY terse
DROP SCHEMA limit_plain CASCADE;
DROP ROLE regress_idem_plain_owner, regress_idem_plain_app;
