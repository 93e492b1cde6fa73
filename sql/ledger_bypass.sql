-- The ways around a naive guard, by number (docs/bypass.md), tried on a table
-- of transfers whose accounts have balances and whose journals balance: each
-- ends with balances that are the sums, within bounds.  What needs two
-- sessions, another server or a crash has a test of its own, named here.
CREATE EXTENSION IF NOT EXISTS idem;
CREATE SCHEMA ledger_bypass;
SET search_path = ledger_bypass;
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE ROLE regress_ledger_bypass;
GRANT USAGE, CREATE ON SCHEMA ledger_bypass TO regress_ledger_bypass;

CREATE TABLE account (id int PRIMARY KEY, owner name NOT NULL DEFAULT 'somebody', floor int NOT NULL DEFAULT 0);
CREATE TABLE journal (id int PRIMARY KEY);
CREATE TABLE entry (id int, account_id int NOT NULL REFERENCES account, journal_id int NOT NULL REFERENCES journal, amount int, status text NOT NULL DEFAULT 'posted',
    shard int NOT NULL DEFAULT 1, PRIMARY KEY (id, shard)) PARTITION BY LIST (shard);
CREATE TABLE entry_1 PARTITION OF entry FOR VALUES IN (1);
CREATE TABLE entry_2 PARTITION OF entry FOR VALUES IN (2);
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', floor => 'floor', state => 'status', pending => '{pending}', released => '{void}');
SELECT idem.guard_journal('entry', 'journal_id', amount => 'amount', state => 'status', pending => '{pending}', released => '{void}');
INSERT INTO account VALUES (0, 'bank', -1000), (1, 'one', 0), (2, 'two', 0);
-- a transfer: its journal and both entries, by one statement
CREATE FUNCTION move(journal int, debit int, credit int, sum int, shard int DEFAULT 1, status text DEFAULT 'posted') RETURNS void LANGUAGE sql AS $$
    INSERT INTO journal VALUES (journal);
    INSERT INTO entry SELECT journal * 10 + n, a, journal, s, status, shard FROM (VALUES (1, debit, -sum), (2, credit, sum)) v (n, a, s);
$$;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON entry, journal, account TO regress_ledger_bypass;
SELECT move(1, 0, 1, 100), move(2, 0, 2, 50, 2);
CREATE VIEW wrong AS SELECT a.id, a.balance, a.held, s.* FROM account a, LATERAL (SELECT coalesce(sum(amount) FILTER (WHERE status = 'posted'), 0) AS sum,
    coalesce(-sum(amount) FILTER (WHERE status = 'pending' AND amount < 0), 0) AS pending FROM entry WHERE account_id = a.id) s
    WHERE balance <> sum OR held <> pending OR balance - held < floor
    UNION ALL SELECT NULL, NULL, NULL, sum(amount), journal_id FROM entry WHERE status <> 'void' GROUP BY journal_id, status HAVING sum(amount) <> 0;

-- 1, 2: stale snapshots, lock and sum: ledger_pairs (isolation)
-- 7: DELETE and INSERT again;  8: TRUNCATE, of a partition, CASCADE
DELETE FROM entry WHERE id = 11;
TRUNCATE entry_2;
TRUNCATE entry;
TRUNCATE account CASCADE;
-- 9: UPDATE of amount, account or journal, also by an upsert and by MERGE
UPDATE entry SET amount = 1000 WHERE id = 12;
UPDATE entry SET account_id = 2 WHERE id = 12;
UPDATE entry SET journal_id = 2 WHERE id = 12;
INSERT INTO entry VALUES (12, 1, 1, 1000) ON CONFLICT (id, shard) DO UPDATE SET amount = excluded.amount;
MERGE INTO entry e USING (VALUES (12)) v (id) ON e.id = v.id WHEN MATCHED THEN UPDATE SET amount = 1000;
MERGE INTO entry e USING (VALUES (12)) v (id) ON e.id = v.id WHEN MATCHED THEN DELETE;
UPDATE account SET balance = 1000 WHERE id = 1;
UPDATE account SET held = -1000 WHERE id = 1;
-- 10: amounts that are none
BEGIN; INSERT INTO journal VALUES (9); INSERT INTO entry VALUES (91, 1, 9, 0), (92, 2, 9, NULL); ROLLBACK;
-- 11, 12: operators and tables of the caller's
SET ROLE regress_ledger_bypass;
CREATE FUNCTION never(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR < (LEFTARG = int, RIGHTARG = int, FUNCTION = never);
CREATE TEMPORARY TABLE account (id int PRIMARY KEY, floor int DEFAULT -1000000, balance int DEFAULT 1000000, held int DEFAULT 0);
SET search_path = pg_temp, ledger_bypass, pg_catalog;
SELECT ledger_bypass.move(3, 1, 2, 101);
SET search_path = ledger_bypass;
DROP TABLE pg_temp.account;
DROP OPERATOR ledger_bypass.< (int, int);
RESET ROLE;
-- 13: row security that hides account and siblings
ALTER TABLE account ENABLE ROW LEVEL SECURITY;
ALTER TABLE entry ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON entry USING (amount > 0) WITH CHECK (true);
SET ROLE regress_ledger_bypass;
SELECT move(3, 1, 2, 101);
SELECT move(3, 1, 2, 10);
RESET ROLE;
ALTER TABLE account DISABLE ROW LEVEL SECURITY;
ALTER TABLE entry DISABLE ROW LEVEL SECURITY;
SELECT * FROM wrong;
-- 19, 20, 44: a trigger of somebody else's that writes the row, or skips it
CREATE FUNCTION bend() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.amount = 7 THEN NEW.amount := 70; ELSIF NEW.amount = 8 THEN RETURN NULL; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER zz_bend BEFORE INSERT ON entry FOR EACH ROW EXECUTE FUNCTION bend();
SELECT move(4, 1, 2, 7);
SELECT move(4, 1, 2, 8);
DROP TRIGGER zz_bend ON entry;
CREATE FUNCTION ride() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.balance := NEW.balance + 1; RETURN NEW; END $$;
CREATE TRIGGER zz_ride BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION ride();
SELECT move(4, 1, 2, 5);
DROP TRIGGER zz_ride ON account;
SELECT * FROM wrong;
-- 21: an UPDATE that moves the row to another partition
UPDATE entry SET shard = 2, amount = 1000 WHERE id = 12;
UPDATE entry SET shard = 2 WHERE id = 12;
UPDATE entry SET shard = 2, status = 'void' WHERE journal_id = 3;
-- 22: the apply worker; 23, 24: dumps: 480_ledger_wallet, 485_ledger_apply (TAP)
-- 29: actions of foreign keys
ALTER TABLE entry ADD COLUMN batch int;
CREATE TABLE batch (id int PRIMARY KEY);
INSERT INTO batch VALUES (1);
ALTER TABLE entry ADD CONSTRAINT batch FOREIGN KEY (batch) REFERENCES batch ON DELETE CASCADE;
UPDATE entry SET batch = 1 WHERE id = 12;
DELETE FROM batch;
UPDATE entry SET batch = NULL;
-- 30: a row that ON CONFLICT skips is not counted
INSERT INTO entry VALUES (12, 1, 1, 100) ON CONFLICT DO NOTHING;
-- 31: what was rolled back did not happen
BEGIN;
SAVEPOINT a; SELECT move(5, 1, 2, 30); ROLLBACK TO a;
SELECT move(5, 1, 2, 10);
COMMIT;
SELECT * FROM wrong;
-- 33: the CHECK reads its own row only
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'account'::regclass AND contype = 'c' ORDER BY 1;
-- 39: replica
SET session_replication_role = replica;
SELECT move(6, 1, 2, 1000);
UPDATE account SET balance = 1000 WHERE id = 1;
RESET session_replication_role;
-- 40, 41: the triggers taken off, the columns changed
ALTER TABLE entry DISABLE TRIGGER "IDEM_balance_account_id";
ALTER TABLE entry_1 DISABLE TRIGGER ALL;
DROP TRIGGER "IDEM_balance_account_id_statement" ON entry_2;
DROP TRIGGER idem_journal_journal_id ON entry;
DROP TRIGGER idem_balance_total_entry_account_id ON account;
ALTER TABLE account DROP CONSTRAINT idem_balance_balance;
ALTER TABLE account ALTER floor DROP NOT NULL;
ALTER TABLE account DROP floor;
ALTER TABLE account RENAME balance TO saldo;
ALTER TABLE entry ALTER amount TYPE numeric USING 0;
ALTER TABLE entry DROP CONSTRAINT entry_account_id_fkey;
ALTER TABLE entry DETACH PARTITION entry_1;
CREATE RULE quiet AS ON UPDATE TO account DO INSTEAD NOTHING;
CREATE TABLE heir () INHERITS (account);
-- a partition that is attached with entries nobody counted, and a new one
CREATE TABLE entry_3 (LIKE entry INCLUDING ALL);
INSERT INTO entry_3 VALUES (1001, 1, 1, 1000, 'posted', 3), (1002, 2, 1, -1000, 'posted', 3);
ALTER TABLE entry ATTACH PARTITION entry_3 FOR VALUES IN (3);
TRUNCATE entry_3;
ALTER TABLE entry ATTACH PARTITION entry_3 FOR VALUES IN (3);
SELECT move(7, 1, 2, 1000, 3);
SELECT move(7, 1, 2, 1, 3);
SELECT * FROM wrong;
-- 42: only the doctor sees what a superuser does to the catalog
UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'entry'::regclass AND tgname = 'IDEM_balance_account_id';
SELECT count(*) > 0 AS seen FROM idem.doctor() WHERE object LIKE 'balance guard%' AND severity = 'error';
UPDATE pg_trigger SET tgenabled = 'A' WHERE tgrelid = 'entry'::regclass AND tgname = 'IDEM_balance_account_id';
-- 46: a prepared transaction: 480_ledger_wallet (TAP)
-- 47: the functions called, or attached by hand
SELECT idem.keep_balance();
SELECT idem.keep_account();
SELECT idem.keep_journal();
CREATE TABLE lonely (account_id int NOT NULL REFERENCES account, amount int);
CREATE TRIGGER t AFTER INSERT OR UPDATE OR DELETE ON lonely FOR EACH ROW EXECUTE FUNCTION idem.keep_balance('idem=1', 'fk={account_id}', 'amount=amount', 'balance=balance', 'children=kept');
INSERT INTO lonely VALUES (1, 1000000);
CREATE TRIGGER a BEFORE INSERT ON lonely FOR EACH ROW EXECUTE FUNCTION idem.keep_journal('idem=1');
INSERT INTO lonely VALUES (1, 1);
-- 51: the rows with their table
RESET idem.drop_reason;
SET idem.drop_reason = '';
DROP TABLE entry;
DROP TABLE entry_1;
RESET idem.drop_reason;
SELECT * FROM wrong;
SELECT object, severity, finding FROM idem.doctor() WHERE object ~ 'ledger_bypass.entry$' AND severity = 'error';
DROP SCHEMA ledger_bypass CASCADE;
DROP ROLE regress_ledger_bypass;
