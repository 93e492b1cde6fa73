--
-- What docs/compose.md makes of limits, claims and machines: the ways around each
-- composition that its examples do not show.
--
CREATE SCHEMA compose;
SET search_path = compose;
\set VERBOSITY terse

-- An order under its debit
CREATE TABLE debit (id int PRIMARY KEY, amount numeric NOT NULL, status text NOT NULL);
CREATE TABLE work_order (id int PRIMARY KEY, debit_id int NOT NULL REFERENCES debit, amount numeric NOT NULL, status text NOT NULL);
SELECT idem.guard_limit('work_order', 'debit_id', amount => 'amount', cap => 'amount', used => 'ordered',
                        state => 'status', released => '{failed}', parent_state => 'status', open => '{succeeded}',
                        count_cap => 1, count_used => 'orders');
INSERT INTO debit VALUES (1, 88, 'succeeded'), (2, 88, 'failed');
INSERT INTO work_order VALUES (1, 2, 88, 'created');
INSERT INTO work_order VALUES (1, 1, 88.01, 'created');
INSERT INTO work_order VALUES (1, 1, 88, 'created');
-- moved to another debit, made smaller, deleted
UPDATE work_order SET debit_id = 2;
UPDATE work_order SET amount = 1;
DELETE FROM work_order;
-- one that failed makes room for another, once
UPDATE work_order SET status = 'failed';
INSERT INTO work_order VALUES (2, 1, 44, 'created');
INSERT INTO work_order VALUES (3, 1, 44, 'created');
UPDATE work_order SET status = 'created' WHERE id = 1;
SELECT * FROM debit ORDER BY id;

-- Shipped and refunded, in one statement too
CREATE TABLE line (id int PRIMARY KEY, quantity int NOT NULL);
CREATE TABLE shipment (id int PRIMARY KEY, line_id int NOT NULL REFERENCES line, quantity int NOT NULL, status text NOT NULL);
CREATE TABLE refund (id int PRIMARY KEY, line_id int NOT NULL REFERENCES line, quantity int NOT NULL, status text NOT NULL);
SELECT idem.guard_limit('shipment', 'line_id', amount => 'quantity', cap => 'quantity', used => 'taken', state => 'status', released => '{returned}');
SELECT idem.guard_limit('refund', 'line_id', amount => 'quantity', cap => 'quantity', used => 'taken', state => 'status', released => '{rejected}');
INSERT INTO line VALUES (1, 1);
WITH s AS (INSERT INTO shipment VALUES (1, 1, 1, 'sent')) INSERT INTO refund VALUES (1, 1, 1, 'asked');
SELECT l.*, (SELECT count(*) FROM shipment) AS shipped, (SELECT count(*) FROM refund) AS refunded FROM line l;
INSERT INTO refund VALUES (1, 1, 1, 'rejected');
INSERT INTO shipment VALUES (1, 1, 1, 'sent');
UPDATE refund SET status = 'asked';
UPDATE line SET taken = 0;

-- Shipped or refunded as states: an order that has both an amount and a state
-- for its refunds; the limit locks the order first, the pair judges it
CREATE TABLE goods (id int PRIMARY KEY, amount int NOT NULL, status text NOT NULL);
CREATE TABLE goods_back (id int PRIMARY KEY, goods_id int NOT NULL REFERENCES goods, amount int NOT NULL, status text NOT NULL);
CREATE INDEX ON goods_back (goods_id);
SELECT idem.guard_limit('goods_back', 'goods_id', amount => 'amount', cap => 'amount', used => 'back', state => 'status', released => '{failed}');
SELECT idem.guard_parent_state('goods_back', 'goods_id', state => 'status', parent_state => 'status', allowed => '{"asked":"{paid}","sent":"{paid}"}');
INSERT INTO goods VALUES (1, 100, 'paid'), (2, 100, 'shipped');
INSERT INTO goods_back VALUES (1, 1, 60, 'asked'), (2, 1, 60, 'asked');
INSERT INTO goods_back VALUES (1, 1, 60, 'asked'), (2, 2, 60, 'asked');
INSERT INTO goods_back VALUES (1, 1, 60, 'asked'), (2, 1, 40, 'sent');
UPDATE goods SET status = 'shipped' WHERE id = 1;
UPDATE goods_back SET status = 'failed';
UPDATE goods SET status = 'shipped' WHERE id = 1;
UPDATE goods_back SET status = 'asked' WHERE id = 1;
SELECT DISTINCT regexp_replace(tgname, '_[0-9]+$', '') COLLATE "C" AS in_this_order FROM pg_trigger WHERE tgrelid = 'goods_back'::regclass ORDER BY 1;
SELECT * FROM goods ORDER BY id;

-- A batch is what its header says: no line too few, none too many, none changed
CREATE TABLE batch (id int PRIMARY KEY, total numeric NOT NULL, lines int NOT NULL, status text NOT NULL);
CREATE TABLE batch_line (batch_id int NOT NULL REFERENCES batch, line int, amount numeric NOT NULL, PRIMARY KEY (batch_id, line));
SELECT idem.guard_limit('batch_line', 'batch_id', amount => 'amount', cap => 'total', used => 'booked',
                        parent_state => 'status', open => '{loading}', exact => '{accepted}', count_used => 'booked_lines', exact_count => 'lines');
INSERT INTO batch VALUES (1, 30, 2, 'loading'), (2, 30, 2, 'accepted');
INSERT INTO batch VALUES (1, 30, 2, 'loading');
INSERT INTO batch_line VALUES (1, 1, 30);
UPDATE batch SET status = 'accepted';
INSERT INTO batch_line VALUES (1, 2, 0.01);
DELETE FROM batch_line;
UPDATE batch SET total = 31;
UPDATE batch SET booked = 29;
SELECT * FROM batch;

-- Stock that an old and a new release sell, each in its own table
CREATE TABLE stock (item text PRIMARY KEY, on_hand int NOT NULL);
CREATE TABLE old_sale (item text NOT NULL REFERENCES stock, pieces int NOT NULL);
CREATE TABLE new_sale (item text NOT NULL REFERENCES stock, pieces int NOT NULL, status text NOT NULL);
SELECT idem.guard_limit('old_sale', 'item', amount => 'pieces', cap => 'on_hand', used => 'taken', cap_grows => true);
SELECT idem.guard_limit('new_sale', 'item', amount => 'pieces', cap => 'on_hand', used => 'taken', cap_grows => true, state => 'status', released => '{given back}');
INSERT INTO stock VALUES ('cup', 100);
INSERT INTO old_sale SELECT 'cup', 1 FROM generate_series(1, 60);
INSERT INTO new_sale SELECT 'cup', 1, 'held' FROM generate_series(1, 41);
INSERT INTO new_sale SELECT 'cup', 1, 'held' FROM generate_series(1, 40);
INSERT INTO old_sale VALUES ('cup', 1);
UPDATE stock SET on_hand = 99;
UPDATE stock SET on_hand = 101;
INSERT INTO old_sale VALUES ('cup', 1);
SELECT * FROM stock;

-- Vouchers of a person and day: neither another day's row nor a larger
-- allowance helps
CREATE TABLE voucher_day (person text, day date, allowed int NOT NULL DEFAULT 1000, PRIMARY KEY (person, day));
CREATE TABLE voucher (id int PRIMARY KEY, person text NOT NULL, day date NOT NULL, value int NOT NULL, FOREIGN KEY (person, day) REFERENCES voucher_day);
SELECT idem.guard_limit('voucher', '{person,day}', amount => 'value', cap => 'allowed', used => 'given', count_cap => 2, count_used => 'vouchers');
INSERT INTO voucher VALUES (1, 'u1', '2018-07-18', 900);
INSERT INTO voucher_day (person, day) VALUES ('u1', '2018-07-18'), ('u1', '2018-07-19') ON CONFLICT DO NOTHING;
INSERT INTO voucher VALUES (1, 'u1', '2018-07-18', 900);
INSERT INTO voucher_day (person, day, allowed) VALUES ('u1', '2018-07-18', 9000) ON CONFLICT (person, day) DO UPDATE SET allowed = 9000;
INSERT INTO voucher VALUES (2, 'u1', '2018-07-18', 101);
INSERT INTO voucher VALUES (2, 'u1', '2018-07-18', 100), (3, 'u1', '2018-07-19', 1), (4, 'u1', '2018-07-19', 1);
INSERT INTO voucher VALUES (5, 'u1', '2018-07-19', 1);
UPDATE voucher SET day = '2018-07-20' WHERE id = 1;
DELETE FROM voucher_day;
SELECT * FROM voucher_day ORDER BY day;

-- A file once, whole: what its header says is what its key is claimed with,
-- and what its lines add up to
CREATE TABLE bank_file (name text PRIMARY KEY, md5 text NOT NULL, lines int NOT NULL, total numeric NOT NULL, status text NOT NULL DEFAULT 'loading');
CREATE TABLE bank_line (name text NOT NULL REFERENCES bank_file, line int, amount numeric NOT NULL, PRIMARY KEY (name, line));
SELECT idem.guard_limit('bank_line', 'name', amount => 'amount', cap => 'total', used => 'read', parent_state => 'status', open => '{loading}',
                        exact => '{loaded}', count_used => 'read_lines', exact_count => 'lines');
SELECT idem.guard_fixed('bank_file', '{md5,lines}');
SELECT idem.create_scope('bank_file', effect => 'inside', fields => '{md5,lines,total}');
BEGIN;
SELECT outcome FROM idem.claim('bank_file', 'f1', '{"md5":"900150983cd24fb0d6963f7d28e17f72","lines":2,"total":30.00}');
INSERT INTO bank_file VALUES ('f1', '900150983cd24fb0d6963f7d28e17f72', 2, 30.00);
INSERT INTO bank_line VALUES ('f1', 1, 10), ('f1', 2, 20);
UPDATE bank_file SET status = 'loaded';
COMMIT;
SELECT outcome, mismatch FROM idem.claim('bank_file', 'f1', '{"md5":"900150983cd24fb0d6963f7d28e17f72","lines":2,"total":30.00}');
SELECT outcome, mismatch FROM idem.claim('bank_file', 'f1', '{"md5":"900150983cd24fb0d6963f7d28e17f72","lines":2,"total":31.00}');
UPDATE bank_file SET lines = 3;
-- one that was cut off
BEGIN;
SELECT outcome FROM idem.claim('bank_file', 'f2', '{"md5":"d41d8cd98f00b204e9800998ecf8427e","lines":2,"total":30.00}');
INSERT INTO bank_file VALUES ('f2', 'd41d8cd98f00b204e9800998ecf8427e', 2, 30.00);
INSERT INTO bank_line VALUES ('f2', 1, 10);
UPDATE bank_file SET status = 'loaded' WHERE name = 'f2';
COMMIT;
SELECT name, status, read, read_lines FROM bank_file;
SELECT outcome FROM idem.claim('bank_file', 'f2', '{"md5":"d41d8cd98f00b204e9800998ecf8427e","lines":2,"total":30.00}');

-- A job once a period, whoever starts it
SELECT idem.create_scope('billing', effect => 'inside', fields => '{}', parts => 2);
SELECT m, (idem.claim('billing', idem.key('monthly', m), '{}')).outcome FROM unnest('{2018-07,2018-08,2018-07}'::text[]) m;
SELECT (idem.claim('billing', 'monthly', '{}')).outcome;

-- An account of the house is a row that anybody proposes, and that nobody can
-- post to before a role has opened it
CREATE ROLE compose_finance;
CREATE ROLE compose_clerk;
CREATE TABLE house_account (id text PRIMARY KEY, status text NOT NULL DEFAULT 'proposed', floor numeric NOT NULL DEFAULT 0, ceiling numeric NOT NULL DEFAULT 0,
                            opened boolean NOT NULL GENERATED ALWAYS AS (status = 'open') STORED, CHECK (floor = 0 AND ceiling = 0));
CREATE TABLE house_entry (account_id text NOT NULL REFERENCES house_account, direction text NOT NULL, amount numeric NOT NULL);
SELECT effect FROM idem.define_machine('house_account', $$
stateDiagram-v2
    [*] --> proposed
    proposed --> open : open [role compose_finance]
    proposed --> rejected
    open --> closed : close [role compose_finance]
    rejected --> [*]
    closed --> [*]
$$);
SELECT idem.guard_states('house_account', 'status', 'house_account');
SELECT idem.guard_balance('house_entry', 'account_id', amount => 'amount', balance => 'balance', direction => 'direction', debit => 'D', credit => 'C',
                          normal => 'credit', floor => 'floor', ceiling => 'ceiling', unbounded => 'opened');
GRANT USAGE ON SCHEMA compose TO compose_clerk, compose_finance;
GRANT SELECT, INSERT, UPDATE ON house_account, house_entry TO compose_clerk, compose_finance;
SET ROLE compose_clerk;
INSERT INTO house_account (id, status) VALUES ('fees', 'open');
INSERT INTO house_account (id, opened) VALUES ('fees', true);
INSERT INTO house_account (id, ceiling) VALUES ('fees', 1000000);
INSERT INTO house_account (id) VALUES ('fees');
INSERT INTO house_entry VALUES ('fees', 'C', 1);
INSERT INTO house_entry VALUES ('fees', 'D', 1);
UPDATE house_account SET status = 'open';
SET ROLE compose_finance;
UPDATE house_account SET status = 'open';
SET ROLE compose_clerk;
INSERT INTO house_entry VALUES ('fees', 'C', 1);
RESET ROLE;
SELECT * FROM house_account;
-- it is closed when it is empty
UPDATE house_account SET status = 'closed';
SET ROLE compose_finance;
UPDATE house_account SET status = 'closed';
INSERT INTO house_entry VALUES ('fees', 'D', 1);
UPDATE house_account SET status = 'closed';
INSERT INTO house_entry VALUES ('fees', 'C', 1);
RESET ROLE;

-- Write-offs of a suspense item, one after the other
CREATE TABLE suspense (id int PRIMARY KEY, amount numeric NOT NULL);
CREATE TABLE write_off (id int PRIMARY KEY, suspense_id int NOT NULL REFERENCES suspense, amount numeric NOT NULL);
SELECT idem.guard_limit('write_off', 'suspense_id', amount => 'amount', cap => 'amount', used => 'cleared');
INSERT INTO suspense VALUES (1, 70);
INSERT INTO write_off VALUES (1, 1, 50), (2, 1, 20);
INSERT INTO write_off VALUES (3, 1, 0.01);
DELETE FROM suspense;

SET idem.drop_reason = 'the end of the test';
SET client_min_messages = warning;
DROP SCHEMA compose CASCADE;
DELETE FROM idem.machine WHERE name = 'house_account';
DROP ROLE compose_clerk, compose_finance;
