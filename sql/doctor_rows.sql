--
-- Rows that came in while a guard was off: totals and states that no longer
-- say what they should.  What is told of their values: wound 17.
--
-- What weakens a guard is refused (doctor_ddl); here it is done on purpose.
SET idem.allow_unguarded = 'a test of what is not refused';
CREATE SCHEMA doctor_rows;
SET search_path = doctor_rows;
CREATE VIEW findings AS
    SELECT * FROM idem.doctor() WHERE object ~ ' guard .* on ' AND finding !~ 'allow_unguarded';

SELECT 'created' FROM idem.define_machine('doctor_rows', $$
stateDiagram-v2
    [*] --> created
    created --> paid
    paid --> [*]
$$) LIMIT 1;
CREATE TABLE payment (shop int, id int, amount numeric NOT NULL, status text, PRIMARY KEY (shop, id));
CREATE TABLE refund (id int PRIMARY KEY, shop int NOT NULL, payment int NOT NULL, amount numeric NOT NULL,
    status text NOT NULL DEFAULT 'requested',
    FOREIGN KEY (payment, shop) REFERENCES payment (id, shop));
INSERT INTO payment VALUES (1, 1, 100, 'created'), (1, 2, 50, 'created'), (2, 1, 10, 'created');
SELECT idem.guard_states('payment', 'status', 'doctor_rows');
SELECT idem.guard_limit('refund', ARRAY['payment', 'shop'], amount => 'amount', cap => 'amount', used => 'refunded',
                        state => 'status', released => '{failed}');
INSERT INTO refund VALUES (1, 1, 1, 60), (2, 1, 1, 40), (3, 2, 1, 5);
UPDATE refund SET status = 'failed' WHERE id = 2;
UPDATE payment SET status = 'paid' WHERE id = 1;
SELECT shop, id, refunded, status FROM payment ORDER BY shop, id;
-- a CHECK that came to rows there were is read later, while others write
SELECT severity, remedy FROM findings;
SELECT idem.validate_guard('refund');
SELECT * FROM findings;

-- The rows are looked at as they are, whatever let them in.
ALTER TABLE refund DISABLE TRIGGER USER;
UPDATE refund SET amount = 61 WHERE id = 1;
DELETE FROM refund WHERE id = 3;
ALTER TABLE refund ENABLE ALWAYS TRIGGER "IDEM_limit_payment_shop";
ALTER TABLE refund ENABLE ALWAYS TRIGGER "IDEM_limit_payment_shop_statement";
ALTER TABLE payment DISABLE TRIGGER idem_states_status;
UPDATE payment SET status = 'lost' WHERE id = 2;
UPDATE payment SET status = NULL WHERE shop = 2;
ALTER TABLE payment ENABLE ALWAYS TRIGGER idem_states_status;
SELECT * FROM findings;

-- An example is for those who may read the table.
CREATE ROLE regress_idem_doctor_admin;
SELECT idem.grant_admin('regress_idem_doctor_admin');
SET ROLE regress_idem_doctor_admin;
SELECT object, finding FROM idem.doctor() WHERE object ~ ' guard .* on ' AND finding !~ 'allow_unguarded';
RESET ROLE;

-- Both sides of a limit are followed.
ALTER TABLE payment DISABLE TRIGGER idem_limit_total_refund_payment_shop;
SELECT relation, problem FROM idem.guards WHERE relation = 'refund'::regclass;
SELECT finding, remedy FROM findings WHERE finding LIKE 'trigger%';
ALTER TABLE payment ENABLE ALWAYS TRIGGER idem_limit_total_refund_payment_shop;
BEGIN;
ALTER TABLE payment DROP CONSTRAINT idem_limit_refunded;
SELECT problem FROM idem.guards WHERE relation = 'refund'::regclass;
DROP TRIGGER idem_limit_total_refund_payment_shop ON payment;
SELECT problem FROM idem.guards WHERE relation = 'refund'::regclass;
ROLLBACK;

-- What cannot be looked at is a finding, and hides no other.
BEGIN;
ALTER TABLE payment RENAME refunded TO given_back;
ALTER TABLE payment RENAME status TO state;
SELECT finding FROM findings;
ROLLBACK;
BEGIN;
CREATE ROLE regress_idem_doctor_parent;
GRANT ALL ON SCHEMA doctor_rows TO regress_idem_doctor_parent;
ALTER TABLE payment OWNER TO regress_idem_doctor_parent;
SELECT finding FROM findings;
GRANT SELECT ON refund TO regress_idem_doctor_parent;
SELECT finding FROM findings;
ALTER TABLE refund ENABLE ROW LEVEL SECURITY;
CREATE POLICY none ON refund USING (false);
SELECT finding FROM findings;
-- no code of the child's owner runs as the owner of the parent
ALTER TABLE refund DISABLE ROW LEVEL SECURITY;
CREATE TYPE state AS ENUM ('requested', 'failed');
CREATE FUNCTION evil(state) RETURNS text LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'evil runs as %', current_user; END$$;
CREATE CAST (state AS text) WITH FUNCTION evil(state);
ALTER TABLE refund DISABLE TRIGGER USER, ALTER status DROP DEFAULT, ALTER status TYPE state USING status::state;
SELECT finding FROM findings WHERE object LIKE 'limit%' AND finding NOT LIKE 'trigger is disabled%';
CREATE TYPE sum AS (amount numeric);
CREATE FUNCTION evil(sum) RETURNS numeric LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'evil runs as %', current_user; END$$;
CREATE CAST (sum AS numeric) WITH FUNCTION evil(sum) AS IMPLICIT;
ALTER TABLE refund ALTER amount TYPE sum USING ROW(amount)::sum;
SELECT finding FROM findings WHERE object LIKE 'limit%' AND finding NOT LIKE 'trigger is disabled%';
-- who owns only the child cannot take the limit off the parent
ALTER TABLE refund OWNER TO regress_idem_doctor_admin;
GRANT ALL ON SCHEMA doctor_rows TO regress_idem_doctor_admin;
SET ROLE regress_idem_doctor_admin;
SELECT idem.drop_guard('refund', 'limit', reason => 'test');
ROLLBACK;

-- Taking a limit off takes both sides off; the column stays, with what was written.
SELECT idem.drop_guard('refund', 'limit', reason => 'totals were wrong');
SELECT tgrelid::regclass, tgname FROM pg_trigger
    WHERE tgrelid IN ('payment'::regclass, 'refund'::regclass) AND tgname ~* 'idem' ORDER BY 1, 2;
SELECT conname FROM pg_constraint WHERE conrelid = 'payment'::regclass AND contype = 'c';
SELECT shop, id, refunded FROM payment ORDER BY shop, id;
UPDATE payment SET refunded = 0;
TRUNCATE refund;
-- Declared anew it counts again; taken off by half, the other half goes with the words.
INSERT INTO refund VALUES (1, 1, 1, 60);
SELECT idem.guard_limit('refund', '{payment,shop}', amount => 'amount', cap => 'amount', used => 'refunded',
                        state => 'status', released => '{failed}');
SELECT idem.validate_guard('refund');
SELECT shop, id, refunded FROM payment ORDER BY shop, id;
SELECT finding FROM findings WHERE object LIKE 'limit%';
DROP TRIGGER "IDEM_limit_payment_shop" ON refund;
SELECT object FROM findings WHERE object LIKE 'limit%';
SELECT idem.drop_guard('refund', 'limit', reason => 'half of it was gone');
SELECT tgrelid::regclass, tgname FROM pg_trigger
    WHERE tgrelid IN ('payment'::regclass, 'refund'::regclass) AND tgname ~* 'idem' ORDER BY 1, 2;

-- The same for states.
SELECT idem.drop_guard('payment', 'states', reason => 'rows were lost');
SELECT tgrelid::regclass, tgname FROM pg_trigger
    WHERE tgrelid IN ('payment'::regclass, 'refund'::regclass) AND tgname ~* 'idem' ORDER BY 1, 2;
UPDATE payment SET status = 'created';
SELECT idem.guard_states('payment', 'status', 'doctor_rows');
SELECT * FROM findings;

-- wound 17: what the server says of a value is not passed on, by its code it is
-- told: here two amounts whose sum is too large for any number.
CREATE TABLE budget (id int PRIMARY KEY, amount numeric NOT NULL);
CREATE TABLE spend (id int PRIMARY KEY, budget int NOT NULL REFERENCES budget, amount numeric NOT NULL);
INSERT INTO budget VALUES (1, 100);
SELECT idem.guard_limit('spend', 'budget', amount => 'amount', cap => 'amount', used => 'used', released => NULL);
SELECT idem.validate_guard('spend');
ALTER TABLE spend DISABLE TRIGGER "IDEM_limit_budget";
INSERT INTO spend VALUES (1, 1, '9e131071'), (2, 1, '9e131071');
ALTER TABLE spend ENABLE ALWAYS TRIGGER "IDEM_limit_budget";
SELECT severity, finding, remedy FROM findings;

SET client_min_messages = warning;
DROP SCHEMA doctor_rows CASCADE;
DROP OWNED BY regress_idem_doctor_admin;
DROP ROLE regress_idem_doctor_admin;
