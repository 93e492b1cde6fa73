-- Money goes back the way it came: what a child must have in common with its
-- parent, and children that may be edited.
\set SHOW_CONTEXT never
CREATE SCHEMA limit_same;
SET search_path = limit_same;

CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL, currency char(3), payer text, payee varchar(20), method int);
CREATE TABLE refund (id int PRIMARY KEY, payment_id int NOT NULL REFERENCES payment, amount int, status text,
                     currency char(3), payer varchar(20), payee text, method int);
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'status', released => '{failed}',
    same => '{"currency":"currency", "payer":"payee", "payee":"payer", "method":"method"}');
INSERT INTO payment VALUES (1, 100, 'CNY', 'alice', 'shop', 1), (2, 100, 'CNY', 'alice', 'shop', NULL);

-- the payer gets it back from the payee, by the same method
INSERT INTO refund VALUES (1, 1, 10, NULL, 'CNY', 'shop', 'alice', 1);
INSERT INTO refund VALUES (2, 1, 10, NULL, 'CNY', 'alice', 'shop', 1);
INSERT INTO refund VALUES (2, 1, 10, NULL, 'CNY', 'shop', 'bob', 1);
INSERT INTO refund VALUES (2, 1, 10, NULL, 'CNY', 'shop', 'Alice', 1);
INSERT INTO refund VALUES (2, 1, 10, NULL, 'CNY', 'shop', 'alice ', 1);
INSERT INTO refund VALUES (2, 1, 10, NULL, 'CNY', 'shop', 'alice', 2);
INSERT INTO refund VALUES (2, 1, 10, NULL, 'cny', 'shop', 'alice', 1);
-- NULL is the same as nothing, NULL included
INSERT INTO refund VALUES (2, 1, 10, NULL, 'CNY', 'shop', NULL, 1);
INSERT INTO refund VALUES (2, 2, 10, NULL, 'CNY', 'shop', 'alice', NULL);
INSERT INTO refund VALUES (2, 2, 10, NULL, 'CNY', 'shop', 'alice', 1);
INSERT INTO refund VALUES (2, 2, 10, NULL, 'CNY', 'shop', 'alice', 0);
-- it is said before the limit is: who asks for the wrong money is not told
-- how much of it there is
INSERT INTO refund VALUES (2, 1, 1000, NULL, 'USD', 'shop', 'alice', 1);
SELECT id, refunded FROM payment ORDER BY id;
-- a failed one may have been anything, but does not come back as it was
INSERT INTO refund VALUES (3, 1, 10, 'failed', 'USD', 'shop', 'alice', 1);
UPDATE refund SET status = 'pending' WHERE id = 3;
-- both sides stay as they were compared
UPDATE refund SET payee = 'bob' WHERE id = 1;
UPDATE payment SET payer = 'bob' WHERE id = 1;
UPDATE payment SET payee = 'bob', method = 2 WHERE id = 1;
UPDATE payment SET method = 2 WHERE id = 2;
INSERT INTO refund VALUES (2, 2, 10, NULL, 'CNY', 'shop', 'alice', 2);
-- a collation that calls two names equal makes them no one person
DROP TABLE refund, payment;
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL, payer text COLLATE any_case);
CREATE TABLE refund (payment_id int NOT NULL REFERENCES payment, amount int, payee text COLLATE any_case);
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    released => NULL, same => '{"payee":"payer"}');
INSERT INTO payment VALUES (1, 100, 'alice');
SELECT payer = 'Alice' AS equal FROM payment;
INSERT INTO refund VALUES (1, 10, 'Alice');
INSERT INTO refund VALUES (1, 10, 'alice');
-- nor do they become one, or two states one, when the limit is declared over
-- rows that are there
DROP TABLE refund, payment;
CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL, payer text COLLATE any_case);
CREATE TABLE refund (payment_id int NOT NULL REFERENCES payment, amount int, payee text COLLATE any_case, state text COLLATE any_case);
INSERT INTO payment VALUES (1, 100, 'alice');
INSERT INTO refund VALUES (1, 10, 'Alice', 'FAILED');
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'state', released => '{failed}', same => '{"payee":"payer"}');
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'state', released => '{failed}');
SELECT refunded FROM payment;
-- a state of fixed length is not its blanks
DROP TABLE refund;
CREATE TABLE refund (payment_id int NOT NULL REFERENCES payment, amount int, state char(10));
INSERT INTO refund VALUES (1, 10, 'failed'), (1, 20, 'paid');
ALTER TABLE payment DROP refunded;
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'state', released => '{failed}');
INSERT INTO refund VALUES (1, 1000, 'failed');
SELECT refunded FROM payment;
UPDATE refund SET state = 'failed' WHERE amount = 20;
SELECT refunded FROM payment;

-- Children that may be edited: every change counts.
DROP TABLE refund, payment;
CREATE TABLE budget (id int PRIMARY KEY, amount int NOT NULL, state text, currency text);
CREATE TABLE use (id int PRIMARY KEY, budget_id int NOT NULL REFERENCES budget, amount int, state text, currency text, note text);
SELECT idem.guard_limit('use', 'budget_id', amount => 'amount', cap => 'amount', used => 'used',
    state => 'state', released => '{void}', parent_state => 'state', open => '{open}',
    same => '{"currency":"currency"}', children => 'editable', cap_grows => true);
INSERT INTO budget VALUES (1, 100, 'open', 'CNY'), (2, 50, 'open', 'CNY'), (3, 50, 'open', 'USD'), (4, 50, 'shut', 'CNY');
INSERT INTO use VALUES (1, 1, 60, NULL, 'CNY'), (2, 1, 30, NULL, 'CNY');
CREATE FUNCTION totals() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s: %s of %s%s', b.id, b.used, b.amount,
               CASE WHEN b.used <> COALESCE((SELECT sum(u.amount) FROM use u WHERE u.budget_id = b.id AND u.state IS DISTINCT FROM 'void'), 0)
                    THEN ' WRONG' END), ', ' ORDER BY b.id) FROM budget b $$;
SELECT totals();
UPDATE use SET amount = 70 WHERE id = 1;
SELECT totals();
UPDATE use SET amount = 71 WHERE id = 1;
UPDATE use SET amount = 0 WHERE id = 1;
UPDATE use SET amount = 5 WHERE id = 1;
UPDATE use SET budget_id = 2 WHERE id = 2;
SELECT totals();
UPDATE use SET budget_id = 2, amount = 20 WHERE id = 1;
UPDATE use SET budget_id = 2, amount = 21 WHERE id = 1;
UPDATE use SET budget_id = 3 WHERE id = 1;
UPDATE use SET budget_id = 4 WHERE id = 1;
UPDATE use SET currency = 'USD' WHERE id = 1;
SELECT totals();
UPDATE use SET state = 'void', amount = 1000 WHERE id = 2;
SELECT totals();
UPDATE use SET state = NULL WHERE id = 2;
DELETE FROM use WHERE id = 2;
SELECT totals();
DELETE FROM use;
SELECT totals();
TRUNCATE use;
-- one statement is judged by what it leaves: two rows that change places fit,
-- whichever of them comes first
INSERT INTO use VALUES (1, 1, 100, NULL, 'CNY'), (2, 2, 50, NULL, 'CNY');
UPDATE use SET amount = amount / 2;
UPDATE use SET budget_id = 3 - budget_id;
SELECT totals();
UPDATE use SET budget_id = 3 - budget_id;
SELECT totals();
-- a budget that has shut takes no more, but what it has may be edited
UPDATE budget SET state = 'shut';
UPDATE use SET amount = 20 WHERE budget_id = 2;
INSERT INTO use VALUES (3, 2, 1, NULL, 'CNY');
UPDATE use SET state = 'void' WHERE id = 1;
UPDATE use SET state = NULL WHERE id = 1;
SELECT totals();

-- A cap that grows, for incremental authorisations: up, and never down while
-- it is used.
UPDATE budget SET amount = 60 WHERE id = 2;
UPDATE budget SET amount = 59 WHERE id = 2;
UPDATE budget SET amount = 10 WHERE id = 2;
-- However many of these a transaction catches, none of them stays in memory.
DO $$
DECLARE
    before bigint;
    after bigint;
BEGIN
    FOR i IN 1 .. 1100 LOOP
        BEGIN
            UPDATE budget SET amount = 10 WHERE id = 2;
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
        IF i = 100 THEN
            SELECT sum(used_bytes) INTO before FROM pg_backend_memory_contexts WHERE name = 'TopTransactionContext';
        END IF;
    END LOOP;
    SELECT sum(used_bytes) INTO after FROM pg_backend_memory_contexts WHERE name = 'TopTransactionContext';
    -- a subtransaction keeps some 200 bytes, the copy of an error 800
    RAISE NOTICE 'errors stay in memory: %', after - before > 400000;
END $$;
UPDATE budget SET currency = 'USD' WHERE id = 1;
UPDATE budget SET amount = 70, used = 0 WHERE id = 2;
SELECT totals();

-- Limits chain: what is captured of an authorisation, refunded of a capture.
DROP TABLE use, budget;
CREATE TABLE authorisation (id int PRIMARY KEY, amount int NOT NULL);
CREATE TABLE capture (id int PRIMARY KEY, authorisation_id int NOT NULL REFERENCES authorisation, amount int NOT NULL, status text);
CREATE TABLE refund (id int PRIMARY KEY, capture_id int NOT NULL REFERENCES capture, amount int, status text);
SELECT idem.guard_limit('capture', 'authorisation_id', amount => 'amount', cap => 'amount', used => 'captured', state => 'status', released => '{failed}');
SELECT idem.guard_limit('refund', 'capture_id', amount => 'amount', cap => 'amount', used => 'refunded', state => 'status', released => '{failed}');
INSERT INTO authorisation VALUES (1, 100);
INSERT INTO capture VALUES (1, 1, 60);
INSERT INTO capture VALUES (2, 1, 60);
INSERT INTO refund VALUES (1, 1, 50);
INSERT INTO refund VALUES (2, 1, 50);
SELECT captured, (SELECT array_agg(refunded) FROM capture) FROM authorisation;
-- two limits of one child, by two foreign keys
ALTER TABLE refund ADD authorisation_id int NOT NULL DEFAULT 1 REFERENCES authorisation;
SELECT idem.guard_limit('refund', 'authorisation_id', amount => 'amount', cap => 'captured', used => 'refunded', state => 'status', released => '{failed}', cap_grows => true);
SELECT * FROM authorisation;
INSERT INTO refund VALUES (3, 1, 10);
INSERT INTO capture VALUES (3, 1, 10);
INSERT INTO refund VALUES (4, 3, 11);
INSERT INTO refund VALUES (4, 3, 10);
SELECT *, idem.remaining('capture', id::text) FROM authorisation;
SELECT idem.remaining('refund', '1');
-- what one limit announces is no leave for another: neither for another
-- column of the row, nor for the same key of another table
CREATE FUNCTION wrong_column() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.captured := NEW.captured - OLD.refunded + NEW.refunded;
    NEW.refunded := OLD.refunded;
    RETURN NEW;
END $$;
UPDATE refund SET status = 'failed' WHERE id = 4;
CREATE TRIGGER wrong BEFORE UPDATE ON authorisation FOR EACH ROW EXECUTE FUNCTION wrong_column();
INSERT INTO refund VALUES (5, 3, 10);
DROP TRIGGER wrong ON authorisation;
CREATE FUNCTION wrong_table() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE authorisation SET refunded = refunded + 1 WHERE id = NEW.id;
    NEW.refunded := OLD.refunded;
    RETURN NEW;
END $$;
UPDATE refund SET status = 'failed' WHERE id = 3;
CREATE TRIGGER wrong BEFORE UPDATE ON capture FOR EACH ROW EXECUTE FUNCTION wrong_table();
INSERT INTO refund VALUES (5, 1, 1);
DROP TRIGGER wrong ON capture;
-- The CHECK of a parent shows no row to a writer of the child who may not read it.
CREATE TABLE hidden (id int PRIMARY KEY, cap numeric NOT NULL, secret text NOT NULL);
CREATE TABLE hidden_part (id int PRIMARY KEY, hidden_id int NOT NULL REFERENCES hidden, amount numeric NOT NULL);
SELECT idem.guard_limit('hidden_part', 'hidden_id', amount => 'amount', cap => 'cap', used => 'used');
INSERT INTO hidden VALUES (1, 100, 'not to be seen');
CREATE FUNCTION lower_cap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.cap := 1; RETURN NEW; END $$;
CREATE TRIGGER lower_cap BEFORE UPDATE ON hidden FOR EACH ROW EXECUTE FUNCTION lower_cap();
CREATE ROLE regress_limit_same;
GRANT USAGE ON SCHEMA limit_same TO regress_limit_same;
GRANT INSERT ON hidden_part TO regress_limit_same;
SET ROLE regress_limit_same;
INSERT INTO hidden_part VALUES (1, 1, 50);
RESET ROLE;
INSERT INTO hidden_part VALUES (1, 1, 50);
DROP OWNED BY regress_limit_same;
DROP ROLE regress_limit_same;
DROP SCHEMA limit_same CASCADE;
