-- A shop with something of everything that the board shows (proof/monitor.sh).
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION idem;
CREATE SCHEMA shop;
CREATE TABLE shop.payment (id bigint PRIMARY KEY, amount money_micro NOT NULL, currency text NOT NULL, status text NOT NULL);
CREATE TABLE shop.chargeback (id bigint PRIMARY KEY, payment_id bigint NOT NULL REFERENCES shop.payment, amount money_micro NOT NULL, currency text NOT NULL);
CREATE INDEX ON shop.payment (status) WHERE status IN ('created', 'paying');
SELECT count(*) FROM idem.define_machine('payment', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    paying --> succeeded : confirm
    paying --> failed : reject
    succeeded --> [*]
    failed --> [*]
$$);
SELECT idem.guard_states('shop.payment', 'status', 'payment', within => '{"created": "1 h", "paying": "5 s"}');
SELECT idem.guard_limit('shop.chargeback', 'payment_id', amount => 'amount', cap => 'amount', used => 'charged_back', excess => 'over', facts => '{*}', same => '{"currency":"currency"}');
SELECT count(*) FROM idem.define_return_codes('bankA/pay', $$
| code | meaning   |
| ---- | --------- |
| 0000 | succeeded |
| 2001 | failed    |
$$);
SELECT idem.create_channel('bankA', send => 'bankA/pay', serial => '{key}', serial_per => 'key', echo => '{}');
SELECT idem.create_scope('payout', effect => 'outside', fields => '{payee,amount,currency}', channels => '{bankA}', quiet => '0', ladder => '{1h}');
SELECT idem.create_scope('debit', effect => 'inside', fields => '{user,amount}', duplicate_fields => '{user,amount}', duplicate_window => '1 day', on_duplicate => 'report');
SELECT idem.create_scope('machine', effect => 'outside', fields => '{user,amount}', duplicate_fields => '{user,amount}', duplicate_window => '1 day', on_duplicate => 'hold');

-- Two days of a bank's statement, and what differs
CREATE TABLE shop.ours (business_date date, serial text, amount money_micro, currency text);
CREATE TABLE shop.theirs (LIKE shop.ours);
INSERT INTO shop.ours SELECT '2018-07-18', 'po-' || i, i::numeric, 'EUR' FROM generate_series(1, 20) i;
INSERT INTO shop.theirs SELECT * FROM shop.ours WHERE serial <> 'po-3';
UPDATE shop.theirs SET amount = amount + '1' WHERE serial = 'po-5';
SELECT idem.create_reconciliation('bankA', ours => 'shop.ours', theirs => 'shop.theirs', key => '{serial}', day => 'business_date');
SELECT count(*) FROM idem.reconcile('bankA', '2018-07-18');

-- Questions, and what is left for people
SELECT count(*) FROM idem.claim('debit', 'm-1', '{"user":"u1","amount":88.00}');
SELECT count(*) FROM idem.claim('debit', 'm-2', '{"user":"u1","amount":88.00}');
SELECT count(*) FROM idem.reserve('machine', 'w-1', '{"user":"u1","amount":5}');
SELECT count(*) FROM idem.reserve('machine', 'w-2', '{"user":"u1","amount":5}');
SELECT count(*) FROM idem.reserve('payout', 'po-0', '{"payee":"p0","amount":88.00,"currency":"EUR"}');
CALL idem.dispatch('payout', 'po-0', 1, channel => 'bankA') \gset
SELECT count(*) FROM idem.complete('payout', 'po-0', 1, answer => '{"code":"7777"}');
SELECT count(*) FROM idem.reserve('payout', 'po-00', '{"payee":"p0","amount":17,"currency":"EUR"}');
CALL idem.dispatch('payout', 'po-00', 1, channel => 'bankA') \gset
SELECT count(*) FROM idem.complete('payout', 'po-00', 1, answer => '{"code":"0000"}');
SELECT count(*) FROM idem.resolve('payout', 'po-00', via => 'bankA/pay', answer => '{"code":"2001"}');
INSERT INTO shop.payment VALUES (1, '100', 'EUR', 'created');
INSERT INTO shop.chargeback VALUES (1, 1, '120', 'EUR');
SELECT count(*) FROM idem.pause('scope', 'machine', reason => 'a look at what is held');

-- As if the first one had left three hours ago, and the one that contradicts itself two days ago
UPDATE idem.reservation SET first_seen = first_seen - interval '3 hours', due_at = due_at - interval '3 hours' WHERE key = 'po-0';
UPDATE idem.reservation SET first_seen = first_seen - interval '2 days' WHERE key = 'po-00';
CREATE ROLE metrics LOGIN;
ALTER ROLE metrics SET default_transaction_read_only = on;
ALTER ROLE metrics SET statement_timeout = '20s';
DO $$ BEGIN PERFORM idem.grant_monitor('metrics'); END $$;
