-- Accounts that everybody posts to, whose balances are added up in batches.
CREATE EXTENSION IF NOT EXISTS idem;
CREATE SCHEMA ledger_batch;
SET search_path = ledger_batch, public;
\set SHOW_CONTEXT never
CREATE TABLE account (id int PRIMARY KEY, floor int NOT NULL DEFAULT 0, is_ours boolean NOT NULL DEFAULT false, writes int NOT NULL DEFAULT 0);
CREATE TABLE transfer (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, debit_id int NOT NULL REFERENCES account, credit_id int NOT NULL REFERENCES account, amount int NOT NULL,
    status text NOT NULL DEFAULT 'posted');
INSERT INTO account (id, is_ours) VALUES (0, true), (1, false), (2, false), (9, true);
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (0, 1, 100);
SELECT idem.guard_balance('transfer', 'debit_id', amount => 'amount', balance => 'balance', side => 'debit', normal => 'credit', batched => true);
SELECT idem.guard_balance('transfer', fk, amount => 'amount', balance => 'balance', side => side, normal => 'credit', floor => 'floor', unbounded => 'is_ours',
    state => 'status', pending => '{pending}', released => '{void}', batched => true)
FROM (VALUES ('debit_id', 'debit'), ('credit_id', 'credit')) v (fk, side);
CREATE TABLE refund (account_id int NOT NULL REFERENCES account, amount int NOT NULL);
SELECT idem.guard_balance('refund', 'account_id', amount => 'amount', balance => 'balance', side => 'credit', normal => 'credit', floor => 'floor', unbounded => 'is_ours');
SELECT id, balance, held FROM account ORDER BY id;

-- entries of accounts without bounds leave their row alone; those of others do not
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (1, 2, 10), (1, 9, 1);
INSERT INTO transfer (debit_id, credit_id, amount) SELECT 0, 9, 1 FROM generate_series(1, 100);
INSERT INTO transfer (debit_id, credit_id, amount, status) VALUES (9, 2, 7, 'pending');
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (1, 9, 90);
SELECT id, balance, held, idem.available('transfer', id) FROM account ORDER BY id;
SELECT count(*) FROM idem.doctor() WHERE object LIKE 'balance guard%' AND severity = 'error';
-- until they are added up
SELECT idem.apply_balances('account');
SELECT id, balance, held FROM account ORDER BY id;
SELECT idem.apply_balances('account');
UPDATE transfer SET status = 'void' WHERE status = 'pending';
SELECT idem.apply_balances('account');
SELECT id, balance, held FROM account ORDER BY id;
-- the same through the executor
CREATE FUNCTION count_writes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.writes := OLD.writes + 1; RETURN NEW; END $$;
CREATE TRIGGER count_writes BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION count_writes();
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (0, 9, 5), (0, 1, 5);
SELECT id, balance, writes FROM account ORDER BY id;
SELECT idem.apply_balances('account');
SELECT id, balance, writes FROM account ORDER BY id;
-- a trigger that writes another account meanwhile is refused
CREATE FUNCTION ride() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE ledger_batch.account SET balance = balance + 1 WHERE id = 1; RETURN NEW; END $$;
CREATE TRIGGER ride BEFORE UPDATE ON account FOR EACH ROW WHEN (OLD.id = 9) EXECUTE FUNCTION ride();
INSERT INTO transfer (debit_id, credit_id, amount) VALUES (0, 9, 5);
SELECT idem.apply_balances('account');
DROP TRIGGER ride ON account;
-- and so is one that changes what is added up, before or after
CREATE FUNCTION add() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.balance := NEW.balance + 1; RETURN NEW; END $$;
CREATE TRIGGER add BEFORE UPDATE ON account FOR EACH ROW WHEN (OLD.id = 9) EXECUTE FUNCTION add();
SELECT idem.apply_balances('account');
DROP TRIGGER add ON account;
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE ledger_batch.account SET balance = 77 WHERE id = 9; RETURN NULL; END $$;
CREATE TRIGGER again AFTER UPDATE ON account FOR EACH ROW WHEN (NEW.id = 9 AND NEW.balance <> 77) EXECUTE FUNCTION again();
SELECT idem.apply_balances('account');
DROP TRIGGER again ON account;
-- nobody else writes it, and which accounts they are stays
UPDATE account SET balance = 1 WHERE id = 9;
UPDATE account SET is_ours = false WHERE id = 9;
UPDATE account SET is_ours = true WHERE id = 1;
SELECT idem.apply_balances('transfer');
CREATE ROLE regress_ledger_batch;
GRANT USAGE ON SCHEMA ledger_batch TO regress_ledger_batch;
SET ROLE regress_ledger_batch;
SELECT idem.apply_balances('account');
RESET ROLE;
-- entries that went while they may
CREATE TABLE pot (id int PRIMARY KEY, floor int NOT NULL DEFAULT 0, is_ours boolean NOT NULL);
CREATE TABLE chip (id int PRIMARY KEY, pot_id int NOT NULL REFERENCES pot, amount int NOT NULL);
INSERT INTO pot (id, is_ours) VALUES (1, true);
SELECT idem.guard_balance('chip', 'pot_id', amount => 'amount', balance => 'balance', floor => 'floor', unbounded => 'is_ours', children => 'editable', batched => true);
INSERT INTO chip VALUES (1, 1, 5);
SELECT idem.apply_balances('pot');
DELETE FROM chip;
SELECT balance FROM pot;
SELECT idem.apply_balances('pot');
SELECT balance FROM pot;
DROP SCHEMA ledger_batch CASCADE;
DROP ROLE regress_ledger_batch;
