-- What is left when a guard that shared a balance is gone, and what a trigger
-- of the accounts leaves undone.
\set SHOW_CONTEXT never
CREATE SCHEMA ledger_shared;
SET search_path = ledger_shared;

-- two guards of one balance, of which one is taken off
CREATE TABLE account (id int PRIMARY KEY);
CREATE TABLE transfer (debit_id int NOT NULL REFERENCES account, amount int NOT NULL);
CREATE TABLE deposit (credit_id int NOT NULL REFERENCES account, amount int NOT NULL);
SELECT idem.guard_balance('transfer', 'debit_id', amount => 'amount', balance => 'balance', side => 'debit', normal => 'credit');
SELECT idem.guard_balance('deposit', 'credit_id', amount => 'amount', balance => 'balance', side => 'credit', normal => 'credit');
INSERT INTO account VALUES (1), (2);
INSERT INTO deposit VALUES (1, 100), (2, 10);
INSERT INTO transfer VALUES (1, 30);
SELECT idem.validate_guard('deposit'), idem.validate_guard('transfer');
SELECT idem.drop_guard('transfer', 'balance', reason => 'transfers are entries now');
SELECT * FROM account ORDER BY id;
SELECT idem.validate_guard('deposit');
SELECT finding FROM idem.doctor() WHERE object LIKE '%deposit%' AND finding LIKE '%sum%';
-- the other one goes on from there
INSERT INTO deposit VALUES (1, 1);
SELECT * FROM account ORDER BY id;
-- it is declared anew, from its own entries
SELECT idem.drop_guard('deposit', 'balance', reason => 'to count its own entries');
SELECT idem.guard_balance('deposit', 'credit_id', amount => 'amount', balance => 'balance', side => 'credit', normal => 'credit');
SELECT * FROM account ORDER BY id;
SELECT idem.validate_guard('deposit');

-- the same of a limit
CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL);
CREATE TABLE refund (payment_id int NOT NULL REFERENCES payment, amount int NOT NULL);
CREATE TABLE chargeback (payment_id int NOT NULL REFERENCES payment, amount int NOT NULL);
SELECT idem.guard_limit(t, 'payment_id', amount => 'amount', cap => 'amount', used => 'back') FROM unnest('{refund,chargeback}'::regclass[]) t;
INSERT INTO payment VALUES (1, 100);
INSERT INTO refund VALUES (1, 40);
INSERT INTO chargeback VALUES (1, 50);
SELECT idem.drop_guard('chargeback', 'limit', reason => 'test');
SELECT idem.validate_guard('refund');
INSERT INTO refund VALUES (1, 11);

-- a trigger of the accounts that suppresses what is added up later
CREATE TABLE till (id int PRIMARY KEY, floor int NOT NULL DEFAULT 0, ours boolean NOT NULL);
CREATE TABLE sale (till_id int NOT NULL REFERENCES till, amount int NOT NULL);
SELECT idem.guard_balance('sale', 'till_id', amount => 'amount', balance => 'balance', floor => 'floor', unbounded => 'ours', batched => true);
INSERT INTO till VALUES (1, 0, true), (2, 0, true);
INSERT INTO sale VALUES (1, 5), (2, 7);
SELECT idem.apply_balances('till');
INSERT INTO till VALUES (3, 0, true);
CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF new.id = 2 THEN RETURN NULL; END IF; RETURN new; END';
CREATE TRIGGER no BEFORE UPDATE ON till FOR EACH ROW EXECUTE FUNCTION no();
SELECT idem.apply_balances('till');
INSERT INTO sale VALUES (1, 5);
SELECT idem.apply_balances('till');
INSERT INTO sale VALUES (1, 5), (2, 7);
SELECT idem.apply_balances('till');
SELECT id, balance FROM till ORDER BY id;
DROP TRIGGER no ON till;
SELECT idem.apply_balances('till');
SELECT id, balance FROM till ORDER BY id;

-- accounts in partitions
CREATE TABLE p_till (id int PRIMARY KEY, floor int NOT NULL DEFAULT 0, ours boolean NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE p_till_1 PARTITION OF p_till FOR VALUES FROM (0) TO (10);
CREATE TABLE p_till_2 PARTITION OF p_till FOR VALUES FROM (10) TO (20);
CREATE TABLE p_sale (till_id int NOT NULL REFERENCES p_till, amount int NOT NULL);
SELECT idem.guard_balance('p_sale', 'till_id', amount => 'amount', balance => 'balance', floor => 'floor', unbounded => 'ours', batched => true);
INSERT INTO p_till VALUES (1, 0, true), (2, 0, false), (11, 0, true), (12, 0, true);
INSERT INTO p_sale VALUES (1, 5), (2, 6), (11, 7), (11, -1);
SELECT idem.apply_balances('p_till');
SELECT id, balance FROM p_till ORDER BY id;
SELECT idem.apply_balances('p_till');

-- and one that suppresses, or changes, what a declaration fills
CREATE TABLE cap (id int PRIMARY KEY, amount int NOT NULL);
CREATE TABLE use (cap_id int NOT NULL REFERENCES cap, amount int NOT NULL);
INSERT INTO cap VALUES (1, 10), (2, 10);
INSERT INTO use VALUES (1, 3), (2, 4);
CREATE TRIGGER no BEFORE UPDATE ON cap FOR EACH ROW EXECUTE FUNCTION no();
SELECT idem.guard_limit('use', 'cap_id', amount => 'amount', cap => 'amount', used => 'used');
DROP TRIGGER no ON cap;
CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.used := 10; RETURN new; END';
CREATE TRIGGER more BEFORE UPDATE ON cap FOR EACH ROW EXECUTE FUNCTION more();
SELECT idem.guard_limit('use', 'cap_id', amount => 'amount', cap => 'amount', used => 'used');
DROP TRIGGER more ON cap;
SELECT idem.guard_limit('use', 'cap_id', amount => 'amount', cap => 'amount', used => 'used');
SELECT * FROM cap ORDER BY id;

-- holds that are posted, in a partitioned table: refused, and the way out
CREATE TABLE entry (id int, account_id int NOT NULL REFERENCES account, direction text NOT NULL, amount int NOT NULL,
                    status text NOT NULL DEFAULT 'posted', hold_id int, PRIMARY KEY (id)) PARTITION BY HASH (id);
CREATE TABLE entry_0 PARTITION OF entry FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE entry_1 PARTITION OF entry FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE entry ADD FOREIGN KEY (hold_id) REFERENCES entry;
CREATE UNIQUE INDEX ON entry_0 (hold_id);
CREATE UNIQUE INDEX ON entry_1 (hold_id);
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'money', direction => 'direction', debit => 'D', credit => 'C', normal => 'credit',
                          state => 'status', pending => '{pending}', released => '{void}', posts => 'hold_id');
CREATE TABLE hold (id int PRIMARY KEY, account_id int NOT NULL REFERENCES account, direction text NOT NULL, amount int NOT NULL,
                   status text NOT NULL DEFAULT 'posted', hold_id int UNIQUE REFERENCES hold);
ALTER TABLE account ADD floor int NOT NULL DEFAULT 0;
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'money', direction => 'direction', debit => 'D', credit => 'C', normal => 'credit', floor => 'floor');
SELECT idem.guard_balance('hold', 'account_id', amount => 'amount', balance => 'money', direction => 'direction', debit => 'D', credit => 'C', normal => 'credit', floor => 'floor',
                          state => 'status', pending => '{pending}', released => '{void}', posts => 'hold_id');
INSERT INTO entry VALUES (1, 1, 'C', 100);
INSERT INTO hold VALUES (1, 1, 'D', 60, 'pending');
INSERT INTO entry VALUES (2, 1, 'D', 50);
INSERT INTO hold VALUES (2, 1, 'D', 50, 'posted', 1);
INSERT INTO hold VALUES (3, 1, 'D', 50, 'posted', 1);
SELECT money, held FROM account WHERE id = 1;
SELECT idem.validate_guard('entry'), idem.validate_guard('hold');

SET client_min_messages = warning;
SET idem.drop_reason = 'the end of the test';
DROP SCHEMA ledger_shared CASCADE;
