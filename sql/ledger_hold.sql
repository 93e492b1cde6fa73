-- Facts, holds and postings: what is pending is held, what is posted gives back
-- what it held, once, and what has happened is always recorded.
CREATE EXTENSION IF NOT EXISTS idem;
CREATE SCHEMA ledger_hold;
SET search_path = ledger_hold, public;

CREATE TABLE account (id int PRIMARY KEY, floor bigint NOT NULL DEFAULT 0, ceiling bigint NOT NULL DEFAULT 1000);
CREATE TABLE entry (id int PRIMARY KEY, account_id int NOT NULL REFERENCES account, direction text NOT NULL, amount bigint NOT NULL,
    status text NOT NULL DEFAULT 'posted', hold_id int REFERENCES entry, expires_at timestamptz);
INSERT INTO account VALUES (1), (2), (3);
INSERT INTO entry VALUES (1, 1, 'C', 100, 'posted');
INSERT INTO entry VALUES (2, 1, 'D', 30, 'pending', NULL), (3, 1, 'D', 20, 'void', NULL), (4, 1, 'C', 500, 'pending', NULL);

-- ---------- what a declaration needs ----------
CREATE FUNCTION declare(posts text DEFAULT 'hold_id', over boolean DEFAULT false) RETURNS void LANGUAGE sql AS $$
    SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', direction => 'direction', debit => 'D', credit => 'C',
        normal => 'credit', floor => 'floor', ceiling => 'ceiling', state => 'status', pending => '{pending}', released => '{void}',
        facts => '{bounced}', posts => posts, over => over, expires_at => 'expires_at');
$$;
SELECT declare();
CREATE INDEX not_unique ON entry (hold_id);
SELECT declare();
DROP INDEX not_unique;
ALTER TABLE entry ADD UNIQUE (hold_id);
SELECT declare('amount');
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', direction => 'direction');
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', side => 'left');
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', side => 'debit');
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', normal => 'debit');
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', side => 'debit', normal => 'debit', direction => 'direction');
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', side => 'debit', normal => 'debit', state => 'status');
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', side => 'debit', normal => 'debit', pending => '{pending}');
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', side => 'debit', normal => 'debit', posts => 'hold_id');
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', side => 'debit', normal => 'debit', state => 'status', released => '{void}', pending => '{void}');
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', side => 'debit', normal => 'debit', state => 'status', released => '{void}', pending => '{pending}', posts => 'hold_id', children => 'editable');
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', side => 'debit', normal => 'debit', unbounded => 'floor');
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'floor', side => 'debit', normal => 'debit', floor => 'floor');
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', side => 'debit', normal => 'debit', floor => 'floor', unbounded => 'ceiling');
SELECT idem.guard_balance('entry', 'account_id', amount => 'status', balance => 'balance', side => 'debit', normal => 'debit');
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', side => 'debit', normal => 'debit', state => 'status', released => '{void}', pending => '{pending}', expires_at => 'status');
SELECT declare();
SELECT * FROM account ORDER BY id;
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'account'::regclass AND contype = 'c' ORDER BY 1;

-- ---------- holds ----------
SELECT idem.available('entry', 1);
INSERT INTO entry VALUES (10, 1, 'D', 71, 'pending');
INSERT INTO entry VALUES (10, 1, 'D', 71);
INSERT INTO entry VALUES (10, 1, 'D', 40, 'pending');
-- a pending credit is nothing yet
INSERT INTO entry VALUES (11, 2, 'C', 40, 'pending', NULL), (12, 2, 'D', 40, 'pending', NULL);
-- released: given back, once
UPDATE entry SET status = 'void' WHERE id = 10;
UPDATE entry SET status = 'void' WHERE id = 10;
UPDATE entry SET status = 'pending' WHERE id = 10;
UPDATE entry SET status = 'void' WHERE id = 10;
SELECT * FROM account WHERE id = 1;

-- ---------- postings ----------
INSERT INTO entry VALUES (20, 1, 'D', 31, 'posted', 2);
INSERT INTO entry VALUES (20, 1, 'C', 30, 'posted', 2);
INSERT INTO entry VALUES (20, 2, 'D', 30, 'posted', 2);
INSERT INTO entry VALUES (20, 1, 'D', 30, 'pending', 2);
INSERT INTO entry VALUES (20, 1, 'D', 30, 'void', 2);
INSERT INTO entry VALUES (20, 1, 'D', 30, 'posted', 10);
INSERT INTO entry VALUES (20, 1, 'D', 30, 'posted', 1);
INSERT INTO entry VALUES (20, 1, 'D', 30, 'posted', 4711);
-- in part: the rest is given back
INSERT INTO entry VALUES (20, 1, 'D', 25, 'posted', 2);
SELECT * FROM account WHERE id = 1;
INSERT INTO entry VALUES (21, 1, 'D', 5, 'posted', 2);
UPDATE entry SET status = 'void' WHERE id = 2;
UPDATE entry SET status = 'posted' WHERE id = 2;
UPDATE entry SET status = 'void' WHERE id = 20;
UPDATE entry SET hold_id = NULL WHERE id = 20;
UPDATE entry SET hold_id = 2 WHERE id = 1;
-- a hold and its posting in one statement, and a release beside a posting
INSERT INTO entry VALUES (22, 1, 'D', 75, 'pending', NULL), (23, 1, 'D', 10, 'posted', 22);
INSERT INTO entry VALUES (24, 1, 'D', 65, 'pending');
WITH u AS (UPDATE entry SET status = 'void' WHERE id = 24 RETURNING id) INSERT INTO entry SELECT 25, 1, 'D', 1, 'posted', id FROM u;
BEGIN;
UPDATE entry SET status = 'void' WHERE id = 24;
INSERT INTO entry VALUES (25, 1, 'D', 1, 'posted', 24);
ROLLBACK;
BEGIN;
INSERT INTO entry VALUES (25, 1, 'D', 1, 'posted', 24);
UPDATE entry SET status = 'void' WHERE id = 24;
ROLLBACK;
-- nobody takes the room between what is given back and what is posted
INSERT INTO entry VALUES (26, 1, 'D', 65, 'posted', NULL), (27, 1, 'D', 65, 'posted', 24);
INSERT INTO entry VALUES (27, 1, 'D', 65, 'posted', 24);
-- by its own state
INSERT INTO entry VALUES (28, 3, 'C', 50, 'posted', NULL), (29, 3, 'D', 50, 'pending', NULL), (30, 3, 'C', 2000, 'pending', NULL);
UPDATE entry SET status = 'posted' WHERE id IN (29, 30);
SELECT * FROM account ORDER BY id;
-- a posting of a credit is never refused, a credit is
INSERT INTO entry VALUES (31, 3, 'C', 1);
INSERT INTO entry VALUES (32, 3, 'D', 2000, 'pending');
UPDATE entry SET status = 'pending' WHERE id = 28;
SELECT * FROM account ORDER BY id;

-- ---------- facts ----------
INSERT INTO entry VALUES (40, 2, 'C', 10);
INSERT INTO entry VALUES (41, 2, 'D', 25, 'bounced');
SELECT *, idem.available('entry', id) FROM account WHERE id = 2;
INSERT INTO entry VALUES (42, 2, 'D', 1);
INSERT INTO entry VALUES (42, 2, 'D', 1, 'pending');
INSERT INTO entry VALUES (42, 2, 'C', 10);
SELECT * FROM account WHERE id = 2;
-- in the order of the rows: before the fact there was enough
INSERT INTO entry VALUES (43, 2, 'C', 15, 'posted', NULL), (44, 2, 'D', 10, 'posted', NULL), (45, 2, 'D', 10, 'bounced', NULL);
SELECT * FROM account WHERE id = 2;
INSERT INTO entry VALUES (46, 2, 'C', 15, 'posted', NULL), (47, 2, 'D', 10, 'bounced', NULL), (48, 2, 'D', 1, 'posted', NULL);
INSERT INTO entry VALUES (46, 2, 'C', 15, 'posted', NULL), (47, 2, 'D', 10, 'bounced', NULL), (48, 2, 'D', 5, 'bounced', NULL);
SELECT * FROM account WHERE id = 2;
-- a floor that is lowered makes room
UPDATE account SET floor = -100 WHERE id = 2;
INSERT INTO entry VALUES (49, 2, 'D', 1);
SELECT * FROM account WHERE id = 2;
UPDATE account SET shortfall = 1 WHERE id = 2;
UPDATE account SET held = 1 WHERE id = 2;
INSERT INTO account (id, held) VALUES (9, 1);
SELECT object, severity, finding FROM idem.doctor() WHERE object LIKE 'balance guard%';

-- what the postings rely on stays
ALTER TABLE entry DROP CONSTRAINT entry_hold_id_key;
ALTER TABLE entry DROP CONSTRAINT entry_hold_id_fkey;
ALTER TABLE entry RENAME hold_id TO posts;
CREATE UNIQUE INDEX partial ON entry (hold_id) WHERE hold_id IS NOT NULL;
CREATE UNIQUE INDEX narrow ON entry (hold_id) WHERE amount > 0;
DROP INDEX narrow;
ALTER TABLE entry DROP CONSTRAINT entry_hold_id_key;
-- an index is not dropped by itself; one that is gone is missed by the guard and
-- by the doctor
DROP INDEX partial;
SET idem.allow_unguarded = 'test';
DROP INDEX partial;
RESET idem.allow_unguarded;
INSERT INTO entry VALUES (50, 2, 'C', 1);
SELECT problem FROM idem.guard_problems WHERE relation = 'entry'::regclass;
ALTER TABLE entry ADD UNIQUE (hold_id);
INSERT INTO entry VALUES (50, 2, 'C', 1);
-- what came past the guard: the doctor adds up what is held, and what is missing
BEGIN;
SET LOCAL idem.allow_unguarded = 'test';
ALTER TABLE account DISABLE TRIGGER USER;
UPDATE account SET held = held - 7 WHERE id = 3;
ALTER TABLE account ENABLE ALWAYS TRIGGER idem_balance_total_entry_account_id;
SELECT finding FROM idem.doctor() WHERE object LIKE 'balance guard%' AND finding ~ 'sum of the entries';
ROLLBACK;
BEGIN;
SET LOCAL idem.allow_unguarded = 'test';
ALTER TABLE account DROP CONSTRAINT idem_balance_balance;
UPDATE account SET floor = 5 WHERE id = 2;
SELECT finding FROM idem.doctor() WHERE object LIKE 'balance guard%' AND finding ~ 'sum of the entries';
ROLLBACK;

-- ---------- one statement, many rows: the sums are those of SQL ----------
INSERT INTO account SELECT i, -1000000 FROM generate_series(100, 119) i;
INSERT INTO entry SELECT 1000 + i, 100 + i % 20, CASE WHEN i % 3 = 0 THEN 'C' ELSE 'D' END, 1 + i % 7, (ARRAY['posted', 'pending', 'void', 'bounced'])[1 + i % 4] FROM generate_series(0, 999) i;
INSERT INTO entry SELECT 3000 + e.id, e.account_id, e.direction, 1, 'posted', e.id FROM entry e WHERE e.id BETWEEN 1000 AND 1999 AND status = 'pending' AND id % 5 = 0;
UPDATE entry SET status = 'void' WHERE id BETWEEN 1000 AND 1999 AND status = 'pending' AND id % 5 = 1;
UPDATE entry SET status = 'posted' WHERE id BETWEEN 1000 AND 1999 AND status = 'pending' AND id % 5 = 2;
CREATE VIEW proof AS
    SELECT a.id, a.balance, a.held,
        coalesce(sum(CASE e.direction WHEN 'C' THEN e.amount ELSE -e.amount END) FILTER (WHERE e.status NOT IN ('pending', 'void')), 0) AS sum,
        coalesce(sum(e.amount) FILTER (WHERE e.status = 'pending' AND e.direction = 'D' AND NOT EXISTS (SELECT FROM entry p WHERE p.hold_id = e.id)), 0) AS pending
    FROM account a LEFT JOIN entry e ON e.account_id = a.id GROUP BY a.id;
SELECT * FROM proof WHERE balance <> sum OR held <> pending;
SELECT count(*), sum(balance), sum(held) FROM proof WHERE id >= 100;

-- ---------- another table with facts, or holds, on the same balance ----------
CREATE TABLE wallet (id int PRIMARY KEY, floor bigint NOT NULL DEFAULT 0);
CREATE TABLE paid (wallet_id int NOT NULL REFERENCES wallet, amount bigint NOT NULL);
CREATE TABLE taken (wallet_id int NOT NULL REFERENCES wallet, amount bigint NOT NULL, status text NOT NULL);
INSERT INTO wallet VALUES (1);
SELECT idem.guard_balance('paid', 'wallet_id', amount => 'amount', balance => 'balance', side => 'credit', normal => 'credit', floor => 'floor');
INSERT INTO paid VALUES (1, 10);
SELECT idem.guard_balance('taken', 'wallet_id', amount => 'amount', balance => 'balance', side => 'debit', normal => 'credit', floor => 'floor', state => 'status', pending => '{held}', released => '{}', facts => '{lost}');
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'idem_balance_balance' AND conrelid = 'wallet'::regclass;
INSERT INTO taken VALUES (1, 4, 'held'), (1, 7, 'done');
INSERT INTO taken VALUES (1, 4, 'held'), (1, 7, 'lost');
SELECT * FROM wallet;
INSERT INTO paid VALUES (1, 1);
SELECT * FROM wallet;
SELECT idem.validate_guard('taken');
SELECT severity, finding FROM idem.doctor() WHERE object LIKE 'balance guard%.taken';

-- ---------- more than the hold: tips and fuel ----------
CREATE TABLE fuel (id int PRIMARY KEY, wallet_id int NOT NULL REFERENCES wallet, amount bigint NOT NULL, status text NOT NULL, hold_id int UNIQUE REFERENCES fuel);
SELECT idem.guard_balance('fuel', 'wallet_id', amount => 'amount', balance => 'balance', side => 'debit', normal => 'credit', floor => 'floor', state => 'status', pending => '{held}', released => '{}', posts => 'hold_id', over => true);
INSERT INTO paid VALUES (1, 100);
INSERT INTO fuel VALUES (1, 1, 50, 'held'), (2, 1, 49, 'held');
INSERT INTO fuel VALUES (3, 1, 60, 'done', 1);
SELECT * FROM wallet;

-- ---------- a pending credit goes, whatever is missing ----------
CREATE TABLE debtor (id int PRIMARY KEY, floor bigint NOT NULL DEFAULT 0);
CREATE TABLE claim (id int PRIMARY KEY, debtor_id int NOT NULL REFERENCES debtor, amount bigint NOT NULL, status text NOT NULL);
SELECT idem.guard_balance('claim', 'debtor_id', amount => 'amount', balance => 'balance', floor => 'floor', state => 'status', pending => '{pending}', released => '{void}', facts => '{fact}');
INSERT INTO debtor VALUES (1);
INSERT INTO claim VALUES (1, 1, 5, 'pending'), (2, 1, -7, 'fact');
UPDATE claim SET status = 'void' WHERE id = 1;
UPDATE claim SET status = 'pending' WHERE id = 1;
SELECT * FROM debtor;

-- ---------- who may not read the entries is told nothing of a hold ----------
CREATE TABLE deposit (id int PRIMARY KEY, debtor_id int NOT NULL REFERENCES debtor, amount bigint NOT NULL, status text NOT NULL, hold_id int UNIQUE REFERENCES deposit);
SELECT idem.guard_balance('deposit', 'debtor_id', amount => 'amount', balance => 'deposited', floor => 'floor', held => 'kept', state => 'status', pending => '{pending}', released => '{void}', posts => 'hold_id');
INSERT INTO deposit VALUES (1, 1, 50, 'posted'), (2, 1, -30, 'pending'), (3, 1, -10, 'pending');
CREATE ROLE regress_ledger_hold;
GRANT USAGE ON SCHEMA ledger_hold TO regress_ledger_hold;
GRANT INSERT, UPDATE ON deposit TO regress_ledger_hold;
SET ROLE regress_ledger_hold;
INSERT INTO deposit VALUES (4, 1, -31, 'posted', 2);
INSERT INTO deposit VALUES (4, 1, -30, 'posted', 2);
UPDATE deposit SET status = 'void';
RESET ROLE;
DROP SCHEMA ledger_hold CASCADE;
DROP ROLE regress_ledger_hold;
