--
-- Wound 19: a name that had a guard and has none.  Tools that change a large
-- table copy it, give the copy its name and drop the original: the guard goes
-- with the original.
--
CREATE SCHEMA doctor_swap;
SET search_path = doctor_swap;
SET client_min_messages = warning;
CREATE VIEW findings AS
    SELECT severity, object, regexp_replace(finding, 'by .* at .*$', 'by ... at ...') AS finding, remedy
    FROM idem.doctor() WHERE object ~ ' guard .* on doctor_swap';
SELECT 'defined' AS machine FROM idem.define_machine('doctor_swap', $$
stateDiagram-v2
    [*] --> created
    created --> paid
    paid --> [*]
$$) LIMIT 1;
CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL, status text);
SELECT idem.guard_states('payment', 'status', 'doctor_swap');
SELECT idem.guard_fixed('payment', '{amount}');
INSERT INTO payment VALUES (1, 100, 'created');
SELECT * FROM findings;

-- A copy takes the name.
CREATE TABLE payment_new (LIKE payment INCLUDING ALL);
INSERT INTO payment_new SELECT * FROM payment;
ALTER TABLE payment RENAME TO payment_old;
SELECT * FROM findings;
ALTER TABLE payment_new RENAME TO payment;
SELECT * FROM findings;
UPDATE payment SET amount = 1;
DROP TABLE payment_old;
SELECT object, finding FROM findings;
-- It is declared here, too, or written off by the owner with a reason.
SELECT idem.guard_fixed('payment', '{amount}');
SELECT object, finding FROM findings;
CREATE ROLE regress_idem_swap;
GRANT USAGE ON SCHEMA doctor_swap TO regress_idem_swap;
SET ROLE regress_idem_swap;
SELECT idem.drop_guard('payment', 'states', reason => 'not mine');
RESET ROLE;
SELECT idem.drop_guard('payment', 'states', reason => 'the state is kept elsewhere');
SELECT * FROM findings;
SELECT idem.drop_guard('payment', 'states', reason => 'once more');

-- A copy that triggers of the original keep up to date, swapped in one step.
CREATE TABLE _payment_new (LIKE payment INCLUDING ALL);
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO _payment_new SELECT NEW.* ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status;
    RETURN NULL;
END $$;
CREATE TRIGGER follow AFTER INSERT OR UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION follow();
INSERT INTO payment VALUES (2, 5, 'created');
BEGIN;
LOCK TABLE payment IN ACCESS EXCLUSIVE MODE;
DROP TRIGGER follow ON payment;
ALTER TABLE payment RENAME TO _payment_old;
ALTER TABLE _payment_new RENAME TO payment;
DROP TABLE _payment_old;
COMMIT;
SELECT object, finding FROM findings;
SELECT idem.guard_fixed('payment', '{amount}');
SELECT * FROM findings;

-- Declared on the copy before it takes the name, nothing is missing at any time.
CREATE TABLE payment_new (LIKE payment INCLUDING ALL);
SELECT idem.guard_fixed('payment_new', '{amount}');
BEGIN;
ALTER TABLE payment RENAME TO payment_old;
ALTER TABLE payment_new RENAME TO payment;
DROP TABLE payment_old;
COMMIT;
SELECT * FROM findings;
SELECT kind, intact FROM idem.guards WHERE relation = 'payment'::regclass;

-- What was taken off with a reason before is not missed; nor is one that only
-- went away and came back, nor a name that no table has.
SELECT idem.drop_guard('payment', 'fixed', reason => 'amounts change from now on');
ALTER TABLE payment RENAME TO payment_1;
CREATE TABLE payment (id int);
SELECT * FROM findings;
DROP TABLE payment;
ALTER TABLE payment_1 RENAME TO payment;
SELECT idem.guard_fixed('payment', '{amount}');
ALTER TABLE payment RENAME TO payment_1;
ALTER TABLE payment_1 RENAME TO payment;
SELECT * FROM findings;
ALTER TABLE payment RENAME TO payment_1;
CREATE VIEW payment AS SELECT * FROM payment_1;
SELECT * FROM findings;
DROP VIEW payment;
ALTER TABLE payment_1 RENAME TO payment;

-- Dropped and created anew
DROP TABLE payment;
SELECT * FROM findings;
CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL);
SELECT object, finding FROM findings;
SELECT idem.drop_guard('payment', 'fixed', reason => 'a new table');
SELECT * FROM findings;

-- The parent of a limit swapped: its foreign key has to go, and the limit with it.
CREATE TABLE refund (id int PRIMARY KEY, payment int NOT NULL REFERENCES payment, amount int NOT NULL);
SELECT idem.guard_limit('refund', 'payment', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
CREATE TABLE payment_new (LIKE payment INCLUDING ALL);
ALTER TABLE payment RENAME TO payment_before;
ALTER TABLE payment_new RENAME TO payment;
SELECT * FROM findings;
DROP TABLE payment_before CASCADE;
SELECT severity, object, finding FROM findings;
ALTER TABLE refund ADD FOREIGN KEY (payment) REFERENCES payment;
SELECT idem.guard_limit('refund', 'payment', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
SELECT * FROM findings;

-- A schema can give its name away, too.
ALTER SCHEMA doctor_swap RENAME TO doctor_swap_old;
CREATE SCHEMA doctor_swap;
CREATE TABLE doctor_swap.refund (id int PRIMARY KEY);
SELECT severity, object, finding FROM doctor_swap_old.findings;

DROP SCHEMA doctor_swap, doctor_swap_old CASCADE;
DROP ROLE regress_idem_swap;
