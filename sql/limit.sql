-- A limit: the refunds of a payment never add up to more than the payment.
-- Numbers in brackets are the cases of the failure list it answers: what
-- happened to others.
-- What weakens a guard is refused (doctor_ddl); here it is done on purpose.
SET idem.allow_unguarded = 'a test of what is not refused';
\set SHOW_CONTEXT never

CREATE SCHEMA limits;
SET search_path = limits;

CREATE TABLE payment (
    id       bigint PRIMARY KEY,
    amount   numeric(12,2) NOT NULL,
    currency text NOT NULL,
    status   text NOT NULL
);
CREATE TABLE refund (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id bigint NOT NULL REFERENCES payment,
    amount     numeric(12,2),
    currency   text,
    status     text NOT NULL DEFAULT 'pending',
    note       text
);
INSERT INTO payment VALUES (4711, 100, 'CNY', 'succeeded'),
                           (4712, 100, 'CNY', 'succeeded'),
                           (4713, 100, 'CNY', 'created');

SELECT idem.guard_limit('refund', 'payment_id',
    amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'status', released => '{failed,canceled}',
    same => '{"currency":"currency"}',
    parent_state => 'status', open => '{succeeded}');

-- what it is made of: ordinary triggers and a CHECK
\d payment
SELECT tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger
    WHERE tgrelid = 'refund'::regclass AND NOT tgisinternal ORDER BY tgname;
SELECT action, kind, relation, name, arguments FROM idem.change_log
    WHERE relation = 'refund'::regclass;

-- the good case: part of it, and another part
INSERT INTO refund (payment_id, amount, currency) VALUES (4711, 60, 'CNY');
INSERT INTO refund (payment_id, amount, currency) VALUES (4711, 20, 'CNY');
SELECT id, amount, refunded FROM payment ORDER BY id;

-- what could still be refunded
SELECT idem.remaining('refund', '4711'), idem.remaining('refund', 4711), idem.remaining('refund', 4711.0), idem.remaining('refund', 4711::smallint);

-- one cent too much is refused, the rest to the cent is not [5, 9]
INSERT INTO refund (payment_id, amount, currency) VALUES (4711, 60, 'CNY');
INSERT INTO refund (payment_id, amount, currency) VALUES (4711, 20.01, 'CNY');
INSERT INTO refund (payment_id, amount, currency) VALUES (4711, 20, 'CNY');
INSERT INTO refund (payment_id, amount, currency) VALUES (4711, 0.01, 'CNY');

-- an amount is a positive number, counted or not [4]
INSERT INTO refund (payment_id, amount, currency) VALUES (4712, 0, 'CNY');
INSERT INTO refund (payment_id, amount, currency) VALUES (4712, -50, 'CNY');
INSERT INTO refund (payment_id, amount, currency) VALUES (4712, NULL, 'CNY');
INSERT INTO refund (payment_id, amount, currency) VALUES (4712, 'NaN', 'CNY');
INSERT INTO refund (payment_id, amount, currency, status) VALUES (4712, -1, 'CNY', 'failed');

-- another currency is another money, and unknown is not the same [18]
INSERT INTO refund (payment_id, amount, currency) VALUES (4712, 1, 'GBP');
INSERT INTO refund (payment_id, amount, currency) VALUES (4712, 1, NULL);

-- a payment that was never paid has nothing to give back
INSERT INTO refund (payment_id, amount, currency) VALUES (4713, 1, 'CNY');
-- no payment, no refund: the foreign key says so first
INSERT INTO refund (payment_id, amount, currency) VALUES (4799, 1, 'CNY');
-- and where the foreign key sleeps, the limit does not
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO refund (payment_id, amount, currency) VALUES (4799, 1, 'CNY');
ROLLBACK;
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO refund (payment_id, amount, currency) VALUES (4712, 101, 'CNY');
ROLLBACK;

-- pending and unknown count [23]
UPDATE refund SET status = 'unknown' WHERE payment_id = 4711 AND amount = 60;
SELECT refunded FROM payment WHERE id = 4711;
-- a certain failure gives back, exactly once [11, 12]
UPDATE refund SET status = 'failed' WHERE payment_id = 4711 AND amount = 60;
SELECT refunded FROM payment WHERE id = 4711;
UPDATE refund SET status = 'failed' WHERE payment_id = 4711 AND amount = 60;
UPDATE refund SET status = 'canceled' WHERE payment_id = 4711 AND amount = 60;
SELECT refunded FROM payment WHERE id = 4711;
-- one that comes back counts again, if it still fits
UPDATE refund SET status = 'pending' WHERE payment_id = 4711 AND amount = 60;
SELECT refunded FROM payment WHERE id = 4711;
UPDATE refund SET status = 'failed' WHERE payment_id = 4711 AND amount = 60;
INSERT INTO refund (payment_id, amount, currency) VALUES (4711, 50, 'CNY');
UPDATE refund SET status = 'pending' WHERE payment_id = 4711 AND amount = 60;
-- stored as failed from the start: never counted
INSERT INTO refund (payment_id, amount, currency, status) VALUES (4711, 1000, 'CNY', 'failed');
SELECT refunded FROM payment WHERE id = 4711;
-- what does not matter to the limit is free
UPDATE refund SET note = 'called the customer', amount = amount WHERE payment_id = 4711;
SELECT refunded FROM payment WHERE id = 4711;

-- many rows in one statement: all or nothing
INSERT INTO refund (payment_id, amount, currency)
    SELECT 4712, 30, 'CNY' FROM generate_series(1, 3);
SELECT refunded FROM payment WHERE id = 4712;
INSERT INTO refund (payment_id, amount, currency)
    SELECT 4712, 6, 'CNY' FROM generate_series(1, 2);
SELECT refunded FROM payment WHERE id = 4712;
UPDATE refund SET status = 'failed' WHERE payment_id = 4712;
SELECT refunded FROM payment WHERE id = 4712;
-- COPY is a way in like any other
COPY refund (payment_id, amount, currency) FROM stdin;
4712	60	CNY
4712	60	CNY
\.
COPY refund (payment_id, amount, currency) FROM stdin;
4712	1	CNY
4712	2	CNY
\.
SELECT refunded FROM payment WHERE id = 4712;
-- so is upsert: a row that is not inserted does not count ...
INSERT INTO refund (id, payment_id, amount, currency) OVERRIDING SYSTEM VALUE
    SELECT id, payment_id, 97, currency FROM refund WHERE payment_id = 4712 AND amount = 2
    ON CONFLICT DO NOTHING;
SELECT refunded FROM payment WHERE id = 4712;
INSERT INTO refund (id, payment_id, amount, currency) OVERRIDING SYSTEM VALUE
    SELECT id, payment_id, 97, currency FROM refund WHERE payment_id = 4712 AND amount = 2
    ON CONFLICT (id) DO UPDATE SET status = 'failed';
SELECT refunded FROM payment WHERE id = 4712;
-- ... and MERGE
MERGE INTO refund r USING (VALUES (4712, 1), (4712, 99)) v (payment_id, amount)
    ON r.payment_id = v.payment_id AND r.amount = v.amount
    WHEN MATCHED THEN UPDATE SET status = 'failed'
    WHEN NOT MATCHED THEN INSERT (payment_id, amount, currency)
        VALUES (v.payment_id, v.amount, 'CNY');
SELECT refunded FROM payment WHERE id = 4712;
-- payment and refund in one statement
WITH p AS (INSERT INTO payment VALUES (4714, 10, 'CNY', 'succeeded') RETURNING id)
    INSERT INTO refund (payment_id, amount, currency) SELECT id, 10, 'CNY' FROM p;
SELECT refunded FROM payment WHERE id = 4714;

-- savepoints: what is rolled back never was
INSERT INTO payment VALUES (4715, 100, 'CNY', 'succeeded');
BEGIN;
INSERT INTO refund (payment_id, amount, currency) VALUES (4715, 60, 'CNY');
SAVEPOINT a;
INSERT INTO refund (payment_id, amount, currency) VALUES (4715, 60, 'CNY');
ROLLBACK TO a;
INSERT INTO refund (payment_id, amount, currency) VALUES (4715, 40, 'CNY');
ROLLBACK TO a;
SELECT refunded FROM payment WHERE id = 4715;
INSERT INTO refund (payment_id, amount, currency) VALUES (4715, 30, 'CNY');
COMMIT;
SELECT refunded FROM payment WHERE id = 4715;

-- a transaction sees what it has counted itself, at every level
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO refund (payment_id, amount, currency) VALUES (4715, 4, 'CNY');
INSERT INTO refund (payment_id, amount, currency) VALUES (4715, 6, 'CNY');
UPDATE refund SET status = 'failed' WHERE payment_id = 4715 AND amount IN (4, 6);
INSERT INTO refund (payment_id, amount, currency) VALUES (4715, 4, 'CNY'), (4715, 6, 'CNY');
INSERT INTO refund (payment_id, amount, currency) VALUES (4715, 1, 'CNY');
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO refund (payment_id, amount, currency) VALUES (4715, 4, 'CNY'), (4715, 6, 'CNY');
INSERT INTO refund (payment_id, amount, currency) VALUES (4715, 1, 'CNY');
ROLLBACK;
SELECT refunded FROM payment WHERE id = 4715;

-- a child is a record of money: it stays as it was recorded
UPDATE refund SET amount = 1 WHERE payment_id = 4715;
UPDATE refund SET amount = NULL WHERE payment_id = 4715;
UPDATE refund SET payment_id = 4712 WHERE payment_id = 4715;
UPDATE refund SET currency = 'USD' WHERE payment_id = 4715;
UPDATE refund SET amount = 1 WHERE status = 'failed';
UPDATE refund SET id = DEFAULT WHERE payment_id = 4714;
DELETE FROM refund WHERE payment_id = 4714;
TRUNCATE refund;
TRUNCATE payment CASCADE;

-- nobody but the guard writes the running total [8]
UPDATE payment SET refunded = 0 WHERE id = 4715;
UPDATE payment SET refunded = refunded + 1 WHERE id = 4714;
UPDATE payment SET refunded = NULL WHERE id = 4715;
INSERT INTO payment VALUES (4716, 100, 'CNY', 'succeeded', 1);
INSERT INTO payment VALUES (4716, 100, 'CNY', 'succeeded', 0);
-- a mapper that writes back every column passes
UPDATE payment SET amount = amount, currency = currency, refunded = refunded, status = 'refunding'
    WHERE id = 4715;
-- the cap and what children are compared with stay from the first child on
UPDATE payment SET amount = 200 WHERE id = 4715;
UPDATE payment SET amount = 95 WHERE id = 4715;
UPDATE payment SET currency = 'USD' WHERE id = 4715;
UPDATE payment SET amount = 200, currency = 'USD' WHERE id = 4716;
-- children that are there already are not judged by a new state of the parent
UPDATE refund SET status = 'succeeded' WHERE payment_id = 4715;
INSERT INTO refund (payment_id, amount, currency) VALUES (4715, 1, 'CNY');

-- What a client can branch on: SQLSTATE, table, column, constraint.
CREATE FUNCTION answer(statement text, OUT code text, OUT "table" text,
                       OUT "column" text, OUT "constraint" text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, "table" = TABLE_NAME,
        "column" = COLUMN_NAME, "constraint" = CONSTRAINT_NAME;
END $$;
SELECT a.*, s FROM unnest(ARRAY[
    $$INSERT INTO refund (payment_id, amount, currency) VALUES (4712, 2, 'CNY')$$,
    $$INSERT INTO refund (payment_id, amount, currency) VALUES (4712, 1, 'GBP')$$,
    $$INSERT INTO refund (payment_id, amount, currency) VALUES (4713, 1, 'CNY')$$,
    $$INSERT INTO refund (payment_id, amount, currency) VALUES (4712, 0, 'CNY')$$,
    $$INSERT INTO refund (payment_id, amount, currency) VALUES (4712, NULL, 'CNY')$$,
    $$UPDATE refund SET amount = 1 WHERE payment_id = 4715$$,
    $$DELETE FROM refund$$,
    $$TRUNCATE refund$$,
    $$UPDATE payment SET refunded = 0$$,
    $$UPDATE payment SET amount = amount + 1$$]) s, answer(s) a;

-- A BEFORE trigger of the parent does not ride along with the guard's UPDATE:
-- not with another total, nor with another cap, nor with another row.
CREATE FUNCTION ride_along() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    CASE current_setting('limits.ride')
        WHEN 'total' THEN NEW.refunded := 0;
        WHEN 'less'  THEN NEW.refunded := OLD.refunded;
        WHEN 'more'  THEN NEW.refunded := NEW.refunded + 1;
        WHEN 'cap'   THEN NEW.amount := NEW.amount + 1000;
        WHEN 'skip'  THEN RETURN NULL;
        WHEN 'other' THEN
            IF NEW.id = 4716 THEN
                UPDATE limits.payment SET refunded = refunded + 1 WHERE id = 4715;
            END IF;
        WHEN 'instead' THEN
            IF NEW.id = 4716 THEN
                UPDATE limits.payment SET refunded = refunded + 1 WHERE id = 4715;
                NEW.refunded := OLD.refunded;
            END IF;
        ELSE NULL;
    END CASE;
    RETURN NEW;
END $$;
CREATE TRIGGER ride BEFORE UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION ride_along();
SET limits.ride = 'nothing';
INSERT INTO refund (payment_id, amount, currency) VALUES (4716, 1, 'USD');
SET limits.ride = 'total';
INSERT INTO refund (payment_id, amount, currency) VALUES (4716, 1, 'USD');
SET limits.ride = 'less';
INSERT INTO refund (payment_id, amount, currency) VALUES (4716, 1, 'USD');
SET limits.ride = 'more';
INSERT INTO refund (payment_id, amount, currency) VALUES (4716, 1, 'USD');
SET limits.ride = 'cap';
INSERT INTO refund (payment_id, amount, currency) VALUES (4716, 1, 'USD');
UPDATE refund SET status = 'failed' WHERE payment_id = 4716;
SET limits.ride = 'skip';
INSERT INTO refund (payment_id, amount, currency) VALUES (4716, 1, 'USD');
SET limits.ride = 'other';
INSERT INTO refund (payment_id, amount, currency) VALUES (4716, 1, 'USD');
SET limits.ride = 'instead';
INSERT INTO refund (payment_id, amount, currency) VALUES (4716, 1, 'USD');
DROP TRIGGER ride ON payment;
-- nor does an AFTER trigger that comes first and does it again
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() = 2 THEN
        UPDATE limits.payment SET refunded = refunded + 1 WHERE id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER again AFTER UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION again();
INSERT INTO refund (payment_id, amount, currency) VALUES (4716, 1, 'USD');
DROP TRIGGER again ON payment;
-- nor does a rule make the UPDATE vanish
CREATE RULE quiet AS ON UPDATE TO payment DO INSTEAD NOTHING;
INSERT INTO refund (payment_id, amount, currency) VALUES (4716, 1, 'USD');
DROP RULE quiet ON payment;
-- a BEFORE trigger of the child has the last word before the row is stored,
-- so the row is judged after it is stored
CREATE FUNCTION last_word() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.amount := 1000; RETURN NEW; END $$;
CREATE TRIGGER zz_last_word BEFORE INSERT ON refund FOR EACH ROW EXECUTE FUNCTION last_word();
INSERT INTO refund (payment_id, amount, currency) VALUES (4716, 1, 'USD');
DROP TRIGGER zz_last_word ON refund;

-- an announcement does not outlive an error
BEGIN;
SAVEPOINT a;
INSERT INTO refund (payment_id, amount, currency) VALUES (4716, 10, 'CNY');
ROLLBACK TO a;
UPDATE payment SET refunded = refunded + 10 WHERE id = 4716;
ROLLBACK;

-- renamed tables and schemas keep their limit
ALTER TABLE payment RENAME TO charge;
ALTER TABLE refund RENAME TO giveback;
INSERT INTO giveback (payment_id, amount, currency) VALUES (4716, 200, 'USD');
INSERT INTO giveback (payment_id, amount, currency) VALUES (4716, 100, 'USD');
ALTER SCHEMA limits RENAME TO limits_renamed;
SET search_path = limits_renamed;
INSERT INTO giveback (payment_id, amount, currency) VALUES (4716, 200, 'USD');
INSERT INTO giveback (payment_id, amount, currency) VALUES (4716, 99, 'USD');

-- in the end every total is the sum of what counts
SELECT c.id, c.amount, c.refunded,
       c.refunded = COALESCE(sum(g.amount) FILTER (WHERE g.status NOT IN ('failed', 'canceled')), 0) AS right
    FROM charge c LEFT JOIN giveback g ON g.payment_id = c.id GROUP BY c.id ORDER BY c.id;

-- a dropped child takes its consent along; the parent keeps column and CHECK
DROP TABLE giveback;
\d charge
\set VERBOSITY terse
DROP SCHEMA limits_renamed CASCADE;
