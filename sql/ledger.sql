-- Balances of accounts are the sums of their entries, within the bounds of each.
CREATE EXTENSION IF NOT EXISTS idem;
CREATE SCHEMA ledger;
SET search_path = ledger, public;

CREATE TABLE account (id int PRIMARY KEY, currency text NOT NULL, normal_side text NOT NULL DEFAULT 'C',
    floor numeric(12,2) NOT NULL DEFAULT 0, ceiling numeric(12,2) NOT NULL DEFAULT 1000, is_unbounded boolean NOT NULL DEFAULT false);
CREATE TABLE entry (id int PRIMARY KEY, account_id int NOT NULL REFERENCES account, direction text, amount numeric(12,2), currency text DEFAULT 'EUR');
INSERT INTO account (id, currency) VALUES (17, 'EUR'), (18, 'EUR'), (19, 'USD');
INSERT INTO account (id, currency, normal_side) VALUES (20, 'EUR', 'D');
INSERT INTO account (id, currency, is_unbounded) VALUES (90, 'EUR', true);
INSERT INTO entry VALUES (1, 17, 'C', 50.00), (2, 17, 'D', 10.00), (3, 20, 'D', 7.00);

-- rows that are there already break it: said at the declaration
INSERT INTO entry VALUES (4, 18, 'D', 1.00), (5, 18, 'X', 1.00), (6, 19, 'C', 1.00), (7, 17, 'C', 0);
CREATE FUNCTION declare() RETURNS void LANGUAGE sql AS $$
    SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance',
        direction => 'direction', debit => 'D', credit => 'C', normal_column => 'normal_side',
        floor => 'floor', ceiling => 'ceiling', unbounded => 'is_unbounded', same => '{"currency":"currency"}');
$$;
SELECT declare();
DELETE FROM entry WHERE id = 7;
SELECT declare();
DELETE FROM entry WHERE id = 5;
UPDATE account SET normal_side = 'K' WHERE id = 90;
SELECT declare();
UPDATE account SET normal_side = 'C' WHERE id = 90;
SELECT declare();
DELETE FROM entry WHERE id = 6;
SELECT declare();
DELETE FROM entry WHERE id = 4;
SELECT declare();
-- again: nothing to do; another one on the same foreign key
SELECT declare();
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance',
    direction => 'direction', debit => 'D', credit => 'C', normal => 'debit', floor => 'floor');
SELECT id, balance, normal_side FROM account ORDER BY id;
\d account
\d entry

-- ---------- debits and credits, by what makes an account grow ----------
INSERT INTO entry VALUES (10, 17, 'D', 60.00);
INSERT INTO entry VALUES (10, 17, 'D', 40.01);
DO $$
DECLARE
    code text; "table" text; "column" text; "constraint" text;
BEGIN
    INSERT INTO entry VALUES (10, 17, 'D', 40.01);
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, "table" = TABLE_NAME,
        "column" = COLUMN_NAME, "constraint" = CONSTRAINT_NAME;
    RAISE NOTICE '% of %.%, %', code, "table", "column", "constraint";
END $$;
INSERT INTO entry VALUES (10, 17, 'D', 40.00);
INSERT INTO entry VALUES (11, 17, 'C', 1000.01);
INSERT INTO entry VALUES (11, 17, 'C', 1000.00);
INSERT INTO entry VALUES (12, 20, 'C', 7.01);
INSERT INTO entry VALUES (12, 20, 'C', 7.00);
-- no bound, no refusal
INSERT INTO entry VALUES (13, 90, 'D', 5000), (14, 90, 'D', 5000);
-- judged by what the statement leaves, whatever the order of the rows
INSERT INTO entry VALUES (15, 18, 'D', 30), (16, 18, 'C', 30), (17, 18, 'D', 30), (18, 18, 'C', 31);
INSERT INTO entry VALUES (19, 18, 'C', 2000), (20, 18, 'D', 1500);
INSERT INTO entry VALUES (21, 18, 'D', 300), (22, 18, 'D', 300), (23, 17, 'D', 1);
SELECT id, balance FROM account ORDER BY id;
SELECT idem.available('entry', '17'), idem.available('entry', 90), idem.available('entry', 20), idem.available('entry', '4711');

-- ---------- what an entry has to be ----------
INSERT INTO entry VALUES (30, 17, 'D', NULL);
INSERT INTO entry VALUES (30, 17, 'D', 0);
INSERT INTO entry VALUES (30, 17, 'C', -1);
INSERT INTO entry VALUES (30, 17, 'C', 'NaN');
INSERT INTO entry VALUES (30, 17, 'd', 1);
INSERT INTO entry VALUES (30, 17, NULL, 1);
INSERT INTO entry VALUES (30, NULL, 'C', 1);
INSERT INTO entry VALUES (30, 4711, 'C', 1);
INSERT INTO entry VALUES (30, 19, 'C', 1, 'EUR');
INSERT INTO entry VALUES (30, 19, 'C', 1, NULL);

-- ---------- records stay ----------
UPDATE entry SET amount = 1 WHERE id = 1;
UPDATE entry SET amount = 50 WHERE id = 1;
UPDATE entry SET direction = 'D' WHERE id = 1;
UPDATE entry SET account_id = 18 WHERE id = 1;
UPDATE entry SET id = 100 WHERE id = 1;
DELETE FROM entry WHERE id = 1;
TRUNCATE entry;
TRUNCATE account CASCADE;

-- ---------- nobody but the guard writes the balance ----------
UPDATE account SET balance = 1 WHERE id = 17;
UPDATE account SET balance = balance, currency = currency WHERE id = 17;
INSERT INTO account (id, currency, balance) VALUES (21, 'EUR', 1);
UPDATE account SET normal_side = 'D' WHERE id = 17;
UPDATE account SET currency = 'USD' WHERE id = 17;
UPDATE account SET id = 22 WHERE id = 19;
DELETE FROM account WHERE id = 17;
UPDATE account SET floor = 1001 WHERE id = 17;
UPDATE account SET floor = 1000 WHERE id = 17;
UPDATE account SET ceiling = 999 WHERE id = 17;
UPDATE account SET floor = NULL WHERE id = 17;
UPDATE account SET is_unbounded = false WHERE id = 90;
INSERT INTO entry VALUES (40, 17, 'D', 1);
UPDATE account SET floor = 0 WHERE id = 17;
-- a new account, and one that nothing uses
INSERT INTO account (id, currency) VALUES (21, 'EUR');
DELETE FROM account WHERE id = 21;

-- ---------- COPY, upsert, MERGE, savepoints ----------
COPY entry (id, account_id, direction, amount) FROM stdin;
50	18	C	2
51	18	D	3
\.
INSERT INTO entry VALUES (50, 18, 'C', 2) ON CONFLICT DO NOTHING;
BEGIN;
SAVEPOINT a;
INSERT INTO entry VALUES (52, 18, 'C', 5), (53, 18, 'C', 5);
ROLLBACK TO a;
INSERT INTO entry VALUES (52, 18, 'C', 1), (53, 18, 'C', 1);
COMMIT;
SELECT idem.available('entry', 18);
SELECT * FROM idem.doctor() WHERE object LIKE 'balance guard%';

-- ---------- transfers: both sides in one row, two guards ----------
CREATE TABLE wallet (id int PRIMARY KEY, balance bigint NOT NULL DEFAULT 0, floor bigint NOT NULL DEFAULT 0, is_ours boolean NOT NULL DEFAULT false);
CREATE TABLE transfer (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, debit_id int NOT NULL REFERENCES wallet, credit_id int NOT NULL REFERENCES wallet, amount bigint NOT NULL);
INSERT INTO wallet VALUES (0, 0, 0, true);
INSERT INTO wallet SELECT i FROM generate_series(1, 5) i;
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (0, 1, 100);
SELECT idem.guard_balance('transfer', 'debit_id', amount => 'amount', balance => 'balance', side => 'debit', normal => 'credit', floor => 'floor', unbounded => 'is_ours');
SELECT idem.guard_balance('transfer', 'credit_id', amount => 'amount', balance => 'balance', side => 'credit', normal => 'debit', floor => 'floor', unbounded => 'is_ours');
SELECT idem.guard_balance('transfer', 'credit_id', amount => 'amount', balance => 'balance', side => 'credit', normal => 'credit', floor => 'floor', unbounded => 'is_ours');
SELECT * FROM wallet ORDER BY id;
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (1, 2, 101);
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (1, 2, 60);
-- through: what comes in and goes out in one statement, in either order
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (3, 4, 60), (2, 3, 60);
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (5, 4, 1), (4, 5, 61);
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (4, 4, 60);
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (4, 4, 61);
SELECT id, balance, idem.available('transfer', id) FROM wallet ORDER BY id;
UPDATE wallet SET balance = 1 WHERE id = 5;
-- what both guards do to one account is judged together, whichever fires first
CREATE TABLE chain (from_id int NOT NULL REFERENCES wallet, to_id int NOT NULL REFERENCES wallet, amount bigint NOT NULL);
SELECT idem.guard_balance('chain', 'from_id', amount => 'amount', balance => 'balance', side => 'debit', normal => 'credit', floor => 'floor', unbounded => 'is_ours');
SELECT idem.guard_balance('chain', 'to_id', amount => 'amount', balance => 'balance', side => 'credit', normal => 'credit', floor => 'floor', unbounded => 'is_ours');
INSERT INTO chain VALUES (2, 3, 60), (5, 2, 60);
INSERT INTO chain VALUES (3, 5, 60);
SELECT * FROM wallet ORDER BY id;
-- the same through the executor: the wallets bear a trigger of their user
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON wallet FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (3, 5, 60), (4, 3, 60);
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (3, 5, 1), (4, 3, 1);
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (5, 5, 3);
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (5, 4, 61);
UPDATE wallet SET balance = 1 WHERE id = 5;
SELECT * FROM wallet ORDER BY id;
SELECT count(*) FROM idem.doctor() WHERE object LIKE 'balance guard%';
-- written past the guard: the doctor finds it
ALTER TABLE wallet DISABLE TRIGGER USER;
SET idem.allow_unguarded = 'test';
ALTER TABLE wallet DISABLE TRIGGER USER;
UPDATE wallet SET balance = 7 WHERE id = 2;
SELECT idem.rearm('wallet');
RESET idem.allow_unguarded;
SELECT object, finding, remedy FROM idem.doctor() WHERE object LIKE 'balance guard%' AND finding LIKE '%sum%' ORDER BY 1;
DROP TABLE chain;
SELECT idem.drop_guard('transfer', 'balance', name => 'IDEM_balance_credit_id', reason => 'test');
SELECT idem.drop_guard('transfer', 'balance', reason => 'test');
\d wallet

-- ---------- signed amounts, entries that can be edited ----------
CREATE TABLE purse (id int PRIMARY KEY, least int NOT NULL DEFAULT -10, most int NOT NULL DEFAULT 100);
CREATE TABLE movement (id int PRIMARY KEY, purse_id int NOT NULL REFERENCES purse, amount int);
INSERT INTO purse VALUES (1), (2);
SELECT idem.guard_balance('movement', 'purse_id', amount => 'amount', balance => 'total', floor => 'least', ceiling => 'most', children => 'editable');
INSERT INTO movement VALUES (1, 1, 50), (2, 1, -60), (3, 2, 100);
INSERT INTO movement VALUES (4, 1, 0);
INSERT INTO movement VALUES (4, 1, -1);
UPDATE movement SET amount = -61 WHERE id = 2;
UPDATE movement SET amount = amount + CASE id WHEN 1 THEN -5 ELSE 5 END WHERE purse_id = 1;
UPDATE movement SET amount = -amount WHERE purse_id = 1;
UPDATE movement SET purse_id = 2 WHERE id = 2;
UPDATE movement SET purse_id = 1 WHERE id = 3;
DELETE FROM movement WHERE id = 1;
DELETE FROM movement WHERE id = 3;
SELECT p.*, (SELECT coalesce(sum(amount), 0) FROM movement WHERE purse_id = p.id) AS sum FROM purse p ORDER BY id;

-- ---------- each type to its ends ----------
CREATE FUNCTION ends(type text, most text) RETURNS TABLE (balance text, said text) LANGUAGE plpgsql AS $$
BEGIN
    DROP TABLE IF EXISTS step, state;
    EXECUTE format('CREATE TABLE state (id int PRIMARY KEY, floor %1$s NOT NULL DEFAULT ''-%2$s'', balance %1$s NOT NULL DEFAULT 0);
                    CREATE TABLE step (state_id int NOT NULL REFERENCES state, amount %1$s)', type, most);
    PERFORM idem.guard_balance('step', 'state_id', amount => 'amount', balance => 'balance', floor => 'floor');
    INSERT INTO state VALUES (1);
    FOREACH said IN ARRAY ARRAY[most, '1', '-' || most, '-' || most, '-2'] LOOP
        BEGIN
            EXECUTE format('INSERT INTO step VALUES (1, %L)', said);
        EXCEPTION WHEN OTHERS THEN
            said := format('%s: %s %s', said, SQLSTATE, SQLERRM);
        END;
        balance := (SELECT s.balance FROM state s);
        RETURN NEXT;
    END LOOP;
END $$;
SET client_min_messages = warning;
SELECT * FROM ends('integer', '2147483647');
SELECT * FROM ends('bigint', '9223372036854775807');
SELECT * FROM ends('money_micro', '2305843009213.693951');
SELECT * FROM ends('numeric(12,2)', '9999999999.99');
SELECT * FROM ends('numeric', '1e40');
RESET client_min_messages;
DROP SCHEMA ledger CASCADE;
