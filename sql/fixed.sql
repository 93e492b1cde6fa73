--
-- Fixed columns: what was recorded stays recorded.
--
-- What weakens a guard is refused (doctor_ddl); here it is done on purpose.
SET idem.allow_unguarded = 'a test of what is not refused';
CREATE SCHEMA fixed;
SET search_path = fixed;

CREATE TABLE payment (
    id          int PRIMARY KEY,
    amount      numeric NOT NULL,
    currency    text NOT NULL,
    channel_no  text,
    paid_at     timestamptz,
    status      text NOT NULL DEFAULT 'created'
);

-- what a client can branch on, where a statement was refused
CREATE FUNCTION refusal(statement text,
    OUT code text, OUT "table" text, OUT "column" text, OUT "constraint" text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, "table" = TABLE_NAME,
        "column" = COLUMN_NAME, "constraint" = CONSTRAINT_NAME;
END $$;

-- The guard is a trigger that everybody can see.
SELECT idem.guard_fixed('payment', '{amount,currency}', once => '{channel_no,paid_at}');
SELECT tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'payment'::regclass;

INSERT INTO payment (id, amount, currency) VALUES (1, 100.0, 'EUR'), (2, 50, 'EUR');

-- Other columns change freely, and a mapper that writes back what it read passes.
UPDATE payment SET status = 'paying' WHERE id = 1;
UPDATE payment SET amount = 100.0, currency = 'EUR', channel_no = NULL, status = 'paid' WHERE id = 1;

-- A fixed column does not change: not its value, not its format, not to NULL.
UPDATE payment SET amount = 200 WHERE id = 1;
UPDATE payment SET amount = 100.00 WHERE id = 1;
UPDATE payment SET currency = 'eur' WHERE id = 1;
SELECT * FROM refusal('UPDATE payment SET amount = 200 WHERE id = 1');
-- The first statement of several that is refused takes the others with it.
UPDATE payment SET amount = amount + 1 - 1;
UPDATE payment SET amount = amount * 2;

-- Once: NULL takes one value, then it is fixed, also against NULL.
UPDATE payment SET channel_no = 'C1' WHERE id = 1;
UPDATE payment SET channel_no = 'C1', paid_at = '2018-07-18 12:00+00' WHERE id = 1;
UPDATE payment SET channel_no = 'C2' WHERE id = 1;
UPDATE payment SET channel_no = NULL WHERE id = 1;
SELECT * FROM refusal('UPDATE payment SET paid_at = paid_at + interval ''1 us'' WHERE id = 1');
-- A value given at INSERT is the one value.
INSERT INTO payment (id, amount, currency, channel_no) VALUES (3, 1, 'EUR', 'C9');
UPDATE payment SET channel_no = 'C10' WHERE id = 3;
-- The empty string is a value.
UPDATE payment SET channel_no = '' WHERE id = 2;
UPDATE payment SET channel_no = 'C3' WHERE id = 2;

-- A fixed column that was not given is fixed at NULL.
CREATE TABLE serial (id int PRIMARY KEY, serial_no text);
SELECT idem.guard_fixed('serial', '{serial_no}');
INSERT INTO serial VALUES (1, NULL), (2, 'S2');
UPDATE serial SET serial_no = 'S1' WHERE id = 1;
UPDATE serial SET serial_no = NULL WHERE id = 2;
UPDATE serial SET serial_no = serial_no;

-- Upsert, MERGE and UPDATE ... FROM are updates.
INSERT INTO payment VALUES (1, 999, 'EUR') ON CONFLICT (id) DO UPDATE SET amount = excluded.amount;
INSERT INTO payment VALUES (1, 999, 'EUR') ON CONFLICT (id) DO UPDATE SET status = 'again';
MERGE INTO payment p USING (VALUES (1, 999)) v(id, amount) ON p.id = v.id
    WHEN MATCHED THEN UPDATE SET amount = v.amount;
MERGE INTO payment p USING (VALUES (1, 'merged'), (4, 'new')) v(id, status) ON p.id = v.id
    WHEN MATCHED THEN UPDATE SET status = v.status
    WHEN NOT MATCHED THEN INSERT (id, amount, currency, status) VALUES (v.id, 4, 'EUR', v.status);
UPDATE payment p SET amount = v.amount FROM (VALUES (1, 999)) v(id, amount) WHERE p.id = v.id;
-- COPY only inserts.
COPY payment (id, amount, currency) FROM stdin;
5	5.50	EUR
\.
UPDATE payment SET amount = 5.5 WHERE id = 5;

-- A refused statement ends with its savepoint; the rest of the transaction stands.
BEGIN;
UPDATE payment SET status = 'kept' WHERE id = 2;
SAVEPOINT s;
UPDATE payment SET amount = 0 WHERE id = 2;
ROLLBACK TO s;
COMMIT;
SELECT id, amount, status FROM payment ORDER BY id;

-- What counts is the stored row: a BEFORE trigger that changes the column is refused
-- although the statement did not name it, and one that puts it back passes.
CREATE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.amount := CASE NEW.status WHEN 'tamper' THEN 0 ELSE OLD.amount END;
    RETURN NEW;
END $$;
CREATE TRIGGER zz_last BEFORE UPDATE OF status ON payment FOR EACH ROW EXECUTE FUNCTION tamper();
UPDATE payment SET status = 'tamper' WHERE id = 1;
UPDATE payment SET status = 'honest', amount = 7 WHERE id = 1;
DROP TRIGGER zz_last ON payment;

-- Neither session_replication_role nor a view goes around it.
SET session_replication_role = replica;
UPDATE payment SET amount = 0 WHERE id = 1;
RESET session_replication_role;
CREATE VIEW payment_view AS SELECT id, amount FROM payment;
UPDATE payment_view SET amount = 0 WHERE id = 1;

-- DELETE passes: guard_kept and guard_states keep rows.
DELETE FROM payment WHERE id = 5;

-- A cascade of a foreign key is an update like any other.
CREATE TABLE currency (code text PRIMARY KEY);
INSERT INTO currency VALUES ('EUR');
ALTER TABLE payment ADD CONSTRAINT payment_currency FOREIGN KEY (currency) REFERENCES currency ON UPDATE CASCADE;
UPDATE currency SET code = 'XXX';
SELECT * FROM refusal('UPDATE currency SET code = ''XXX''');

-- Renaming the table leaves the guard as it is; renaming a fixed column stops every update.
ALTER TABLE payment RENAME TO pay;
UPDATE pay SET amount = 0 WHERE id = 1;
ALTER TABLE pay RENAME TO payment;
ALTER TABLE payment RENAME amount TO total;
UPDATE payment SET total = 0 WHERE id = 1;
ALTER TABLE payment RENAME total TO amount;
UPDATE payment SET amount = 0 WHERE id = 1;

--
-- How values are compared
--
CREATE TYPE pair AS (x int, y text);
CREATE TABLE kind (
    id int PRIMARY KEY, f float8, j json, jb jsonb, a int[], i interval,
    c char(5), t timestamptz, p pair, big text
);
SELECT idem.guard_fixed('kind', '{f,j,jb,a,i,c,t,p,big}');
INSERT INTO kind VALUES (1, 0.1, '{"a": 1}', '{"b": 1, "a": 2}', '{1,2}', '1 day', 'ab',
    '2018-07-18 02:30+02', '(1,x)', repeat('0123456789', 20000));
-- the same value written again, whatever its type: no type needs an equality
UPDATE kind SET f = 0.1, j = '{"a": 1}', jb = '{"a": 2, "b": 1}', i = '1 day', c = 'ab',
    t = '2018-07-18 00:30+00', p = '(1,x)', big = repeat('0123456789', 20000);
-- an array that has kept a bitmap of nulls is stored differently and is the same value
UPDATE kind SET a = (ARRAY[1, NULL, 2])[1:1] || 2;
UPDATE kind SET a = array_remove(ARRAY[1, NULL, 2], NULL);
-- differences that an equality would not see
UPDATE kind SET j = '{"a":1}';
UPDATE kind SET i = '24 hours';
UPDATE kind SET p = '(1,"x ")';
-- a long value is cut in the message
UPDATE kind SET big = big || 'x';
-- the caller's settings do not make two values look alike
SET extra_float_digits = -15;
SET datestyle = 'SQL';
UPDATE kind SET f = 0.10000000000000002;
RESET extra_float_digits;
RESET datestyle;

-- A generated column is fixed by what it is computed from.
CREATE TABLE net (id int PRIMARY KEY, gross int, fee int, net int GENERATED ALWAYS AS (gross - fee) STORED);
SELECT idem.guard_fixed('net', '{net}');
INSERT INTO net VALUES (1, 10, 1);
UPDATE net SET gross = 11, fee = 2;
UPDATE net SET fee = 3;

--
-- Who may read the row sees its values; nobody else does
--
CREATE ROLE regress_idem_fixed_app;
GRANT USAGE ON SCHEMA fixed TO regress_idem_fixed_app;
GRANT UPDATE ON payment, currency TO regress_idem_fixed_app;
GRANT SELECT (id), SELECT (amount) ON payment TO regress_idem_fixed_app;
SET ROLE regress_idem_fixed_app;
UPDATE payment SET amount = 0 WHERE id = 1;
RESET ROLE;
GRANT SELECT ON payment TO regress_idem_fixed_app;
SET ROLE regress_idem_fixed_app;
UPDATE payment SET amount = 0 WHERE id = 1;
RESET ROLE;
-- also behind a cascade
REVOKE SELECT ON payment FROM regress_idem_fixed_app;
SET ROLE regress_idem_fixed_app;
UPDATE currency SET code = 'XXX';
RESET ROLE;
-- behind a function that writes with the rights of another
CREATE FUNCTION set_amount(numeric) RETURNS void LANGUAGE sql SECURITY DEFINER
    AS 'UPDATE fixed.payment SET amount = $1 WHERE id = 1';
SET ROLE regress_idem_fixed_app;
SELECT fixed.set_amount(0);
RESET ROLE;
SELECT fixed.set_amount(0);
-- and under row security
GRANT SELECT ON payment TO regress_idem_fixed_app;
ALTER TABLE payment ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON payment USING (true);
SET ROLE regress_idem_fixed_app;
UPDATE payment SET amount = 0 WHERE id = 1;
RESET ROLE;

--
-- The same declaration again (first day 14); those that are refused
--
SELECT idem.guard_fixed('payment', '{currency,amount}', once => '{paid_at,channel_no}');
SELECT idem.guard_fixed('payment', '{status,amount}');
SELECT idem.guard_fixed('net', '{net}', NULL);
SELECT idem.guard_fixed('net', NULL);
SELECT idem.guard_fixed(NULL, '{net}');
CREATE TABLE other (id int PRIMARY KEY, a int, b int, dropped int);
ALTER TABLE other DROP COLUMN dropped;
SELECT idem.guard_fixed('other', '{}');
SELECT idem.guard_fixed('other', '{a,NULL}');
SELECT idem.guard_fixed('other', '{a,a}');
SELECT idem.guard_fixed('other', '{{a},{b}}');
SELECT idem.guard_fixed('other', '{a}', once => '{b,a}');
SELECT idem.guard_fixed('other', '{c}');
SELECT idem.guard_fixed('other', '{dropped}');
SELECT idem.guard_fixed('other', '{xmin}');
SELECT idem.guard_fixed('payment_view', '{amount}');
SELECT idem.guard_fixed('pg_catalog.pg_class', '{relname}');
SELECT idem.guard_fixed(4294967295, '{a}');
CREATE TEMPORARY TABLE short (a int);
SELECT idem.guard_fixed('pg_temp.short', '{a}');
CREATE UNLOGGED TABLE unlogged (a int);
SELECT idem.guard_fixed('unlogged', '{a}');
CREATE TABLE heir () INHERITS (other);
SELECT idem.guard_fixed('other', '{a}');
DROP TABLE heir;
SET ROLE regress_idem_fixed_app;
SELECT idem.guard_fixed('fixed.other', '{a}');
RESET ROLE;
-- A declaration belongs to its transaction.
BEGIN;
SELECT idem.guard_fixed('other', '{a}');
ROLLBACK;
SELECT idem.guard_fixed('other', '{}', once => '{a}');
SELECT action, kind, relation, name, arguments FROM idem.change_log
    WHERE relation = 'other'::regclass ORDER BY n;
-- An owner that is no superuser may declare it, and so may a superuser.
GRANT CREATE ON SCHEMA fixed TO regress_idem_fixed_app;
SET ROLE regress_idem_fixed_app;
CREATE TABLE own (id int PRIMARY KEY, "Odd, ""name""'" int);
INSERT INTO own VALUES (1, 1);
SELECT idem.guard_fixed('own', ARRAY['Odd, "name"''']);
UPDATE own SET "Odd, ""name""'" = 2;
CREATE TABLE own2 (id int PRIMARY KEY);
RESET ROLE;
SELECT idem.guard_fixed('own2', '{id}');

-- The trigger function does nothing in any other way.
SELECT idem.keep_fixed();
CREATE TRIGGER by_hand BEFORE UPDATE ON own2 FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed();
INSERT INTO own2 VALUES (1);
UPDATE own2 SET id = 1;
DROP TRIGGER by_hand ON own2;
CREATE TRIGGER by_hand AFTER UPDATE ON own2 FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed();
UPDATE own2 SET id = 1;
DROP TRIGGER by_hand ON own2;
CREATE TRIGGER by_hand AFTER UPDATE ON own2 FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed('idem=1', 'columns=amount');
UPDATE own2 SET id = 1;

SET client_min_messages = warning;
DROP SCHEMA fixed CASCADE;
DROP ROLE regress_idem_fixed_app;
