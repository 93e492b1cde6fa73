-- A parent of which something is used stays: neither it nor its key goes, for
-- the foreign key is content with another row that has the key at the end of
-- the statement, and that row would begin at 0.
-- What weakens a guard is refused (doctor_ddl); here it is done on purpose.
SET idem.allow_unguarded = 'a test of what is not refused';
\set SHOW_CONTEXT never
CREATE SCHEMA limit_stays;
SET search_path = limit_stays;

CREATE TABLE payment (id int PRIMARY KEY, amount numeric NOT NULL, note text);
CREATE TABLE refund (payment_id int NOT NULL REFERENCES payment, amount numeric);
INSERT INTO payment VALUES (1, 100), (2, 100), (3, 100);
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL,
    children => 'editable');
INSERT INTO refund VALUES (1, 100);

-- the payment put back in the statement that deletes it
WITH gone AS (DELETE FROM payment WHERE id = 1 RETURNING *)
    INSERT INTO payment (id, amount) SELECT id, amount FROM gone;
-- the payment makes room for another
WITH one AS (UPDATE payment SET id = 1001 WHERE id = 1 RETURNING id)
    UPDATE payment SET id = 1 FROM one WHERE payment.id = 2;
-- refunded in the statement that lets the payment go
WITH refunded AS (INSERT INTO refund VALUES (2, 60) RETURNING payment_id)
    DELETE FROM payment USING refunded WHERE id = payment_id;
INSERT INTO refund VALUES (1, 0.01);
SELECT id, amount, refunded, (SELECT sum(amount) FROM refund WHERE payment_id = id) FROM payment ORDER BY id;
-- also where no foreign key is looked at
SET session_replication_role = replica;
DELETE FROM payment WHERE id = 1;
UPDATE payment SET id = 1001 WHERE id = 1;
RESET session_replication_role;

-- what has not been used may go and be renamed, also once it is free again
UPDATE payment SET id = 2002 WHERE id = 2;
DELETE FROM payment WHERE id = 2002;
DELETE FROM refund;
WITH gone AS (DELETE FROM payment WHERE id = 1 RETURNING *)
    INSERT INTO payment (id, amount) SELECT id, amount FROM gone;
SELECT id, amount, refunded FROM payment ORDER BY id;

-- The cap takes another type than the running total: refused, not misread.
INSERT INTO refund VALUES (3, 60);
ALTER TABLE payment ALTER amount TYPE bigint;
UPDATE payment SET amount = 200 WHERE id = 3;
UPDATE payment SET note = 'x' WHERE id = 3;
INSERT INTO refund VALUES (3, 1);
ALTER TABLE payment ALTER amount TYPE numeric;
INSERT INTO refund VALUES (3, 40);
SELECT id, amount, refunded FROM payment ORDER BY id;

-- Triggers that somebody made by hand, with columns of other types: what is
-- announced to the guard is nothing to them.
CREATE TABLE own (id int PRIMARY KEY, used numeric, cap bigint, doc json);
INSERT INTO own VALUES (1, 5, 7, '5');
CREATE TRIGGER hand AFTER INSERT OR UPDATE OR DELETE ON own FOR EACH ROW
    EXECUTE FUNCTION idem.keep_total('idem=1', 'fk={id}', 'amount=used', 'used=used', 'cap=cap', 'key={id}', 'cap_grows=false');
UPDATE own SET cap = 8;
DELETE FROM own;
DROP TRIGGER hand ON own;
CREATE TRIGGER hand AFTER UPDATE ON own FOR EACH ROW
    EXECUTE FUNCTION idem.keep_total('idem=1', 'fk={id}', 'amount=used', 'used=doc', 'cap=doc', 'key={id}', 'cap_grows=false');
UPDATE own SET cap = 8;
DROP TRIGGER hand ON own;
SELECT format('CREATE TRIGGER hand AFTER UPDATE ON own FOR EACH ROW EXECUTE FUNCTION idem.keep_total(''idem=1'', ''fk={id}'', ''amount=used'', ''used=used'', ''cap=used'', ''key={%s}'', ''cap_grows=false'')',
              string_agg('id', ',')) FROM generate_series(1, 33)
\gexec
UPDATE own SET cap = 8;
CREATE TABLE voucher (id numeric PRIMARY KEY, n int, amount numeric NOT NULL);
CREATE TABLE use (voucher_id numeric NOT NULL REFERENCES voucher, amount numeric);
INSERT INTO voucher VALUES (1, 1, 100);
SELECT idem.guard_limit('use', 'voucher_id', amount => 'amount', cap => 'amount', used => 'used', released => NULL);
CREATE TRIGGER hand AFTER UPDATE ON voucher FOR EACH ROW
    EXECUTE FUNCTION idem.keep_total('idem=1', 'fk={voucher_id}', 'amount=amount', 'used=used', 'cap=amount', 'key={n}', 'cap_grows=false');
INSERT INTO use VALUES (1, 60);
DROP TRIGGER hand ON voucher;
INSERT INTO use VALUES (1, 60);

-- what is no relation, or no longer one
SELECT idem.remaining(0::oid::regclass, '1');

DROP SCHEMA limit_stays CASCADE;
