--
-- The rooms that before.sql leaves empty, for test/proof/upgrade.sh and
-- test/tap/550_update.pl: a row in every table of the extension, a guard of
-- every kind, and findings.
--
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA rooms;
SET search_path = rooms;

INSERT INTO idem.currency (code, minor_units, name, withdrawn, builtin) VALUES ('POINTS', 0, 'points of ours', false, false);
SELECT idem.set_site('test');

-- ledger: an account with a hold, a journal, a batched balance
CREATE TABLE account (id bigint PRIMARY KEY, currency text NOT NULL, floor money_micro NOT NULL DEFAULT '0', is_unbounded boolean NOT NULL DEFAULT false);
CREATE TABLE entry (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES account, direction text NOT NULL, amount money_micro NOT NULL,
    currency text NOT NULL, status text NOT NULL DEFAULT 'posted', hold_id bigint UNIQUE REFERENCES entry, expires_at timestamptz);
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', direction => 'direction', debit => 'D', credit => 'C',
    normal => 'credit', floor => 'floor', unbounded => 'is_unbounded', same => '{"currency":"currency"}', state => 'status',
    pending => '{pending}', released => '{void}', facts => '{returned}', posts => 'hold_id', expires_at => 'expires_at');
INSERT INTO account (id, currency) VALUES (17, 'EUR'), (18, 'EUR');
INSERT INTO entry VALUES (1, 17, 'C', 50.00, 'EUR', 'posted'), (2, 17, 'D', 10.00, 'EUR', 'pending');
CREATE TABLE posting (journal_id bigint NOT NULL, account_id bigint NOT NULL REFERENCES account, direction text NOT NULL, amount money_micro NOT NULL, currency text NOT NULL);
CREATE TABLE journal (id bigint PRIMARY KEY);
ALTER TABLE posting ADD FOREIGN KEY (journal_id) REFERENCES journal;
SELECT idem.guard_journal('posting', 'journal_id', amount => 'amount', direction => 'direction', debit => 'D', credit => 'C', currency => 'currency');
BEGIN;
INSERT INTO journal VALUES (1);
INSERT INTO posting VALUES (1, 17, 'D', 10.00, 'EUR'), (1, 18, 'C', 10.00, 'EUR');
COMMIT;
CREATE TABLE till (id bigint PRIMARY KEY, floor bigint NOT NULL DEFAULT 0, is_ours boolean NOT NULL);
CREATE TABLE sale (till_id bigint NOT NULL REFERENCES till, amount bigint NOT NULL);
SELECT idem.guard_balance('sale', 'till_id', amount => 'amount', balance => 'balance', floor => 'floor', unbounded => 'is_ours', batched => true);
INSERT INTO till (id, is_ours) VALUES (1, true);
INSERT INTO sale SELECT 1, i FROM generate_series(1, 100) i;

-- limit: a batch that is accepted when it is what its header says
CREATE TABLE batch (id bigint PRIMARY KEY, total money_micro NOT NULL, lines integer NOT NULL, status text NOT NULL);
CREATE TABLE batch_line (batch_id bigint NOT NULL REFERENCES batch, line integer, amount money_micro NOT NULL, PRIMARY KEY (batch_id, line));
SELECT idem.guard_limit('batch_line', 'batch_id', amount => 'amount', cap => 'total', used => 'booked', parent_state => 'status',
    open => '{loading}', exact => '{accepted}', count_used => 'booked_lines', exact_count => 'lines');
INSERT INTO batch VALUES (1, 30.00, 2, 'loading'), (2, 30.00, 2, 'loading');
INSERT INTO batch_line VALUES (1, 1, 10.00), (2, 1, 10.00), (2, 2, 20.00);
UPDATE batch SET status = 'accepted' WHERE id = 2;

-- pair: at once, at the entry, deferred
CREATE TABLE "order" (id bigint PRIMARY KEY, status text NOT NULL);
CREATE TABLE refund (id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES "order", status text NOT NULL);
CREATE INDEX ON refund (order_id);
SELECT idem.guard_parent_state('refund', 'order_id', state => 'status', parent_state => 'status', allowed => '{"sent":"{refunding}"}');
INSERT INTO "order" VALUES (1, 'refunding');
INSERT INTO refund VALUES (1, 1, 'sent');
CREATE TABLE day (id date PRIMARY KEY, status text NOT NULL);
CREATE TABLE booking (id bigint PRIMARY KEY, day_id date NOT NULL REFERENCES day);
CREATE INDEX ON booking (day_id);
SELECT idem.guard_parent_state('booking', 'day_id', parent_state => 'status', allowed => '{"*":"{open}"}', judge => 'entry');
INSERT INTO day VALUES ('2026-11-30', 'open');
INSERT INTO booking VALUES (1, '2026-11-30');
UPDATE day SET status = 'closed';
CREATE TABLE debit (id bigint PRIMARY KEY, status text NOT NULL);
CREATE TABLE work_order (id bigint PRIMARY KEY, debit_id bigint NOT NULL REFERENCES debit, status text NOT NULL);
CREATE INDEX ON work_order (debit_id);
SELECT idem.guard_parent_state('work_order', 'debit_id', state => 'status', parent_state => 'status',
    allowed => '{"processing":"{completed}"}', deferred => true);
INSERT INTO debit VALUES (1, 'completed');
INSERT INTO work_order VALUES (1, 1, 'processing');

-- bound: to a scope, and to keys in a table
SELECT idem.create_scope('rooms wire', effect => 'outside', fields => '{}');
CREATE TABLE payout (id text PRIMARY KEY, amount money_micro NOT NULL, status text NOT NULL);
SELECT idem.guard_claimed('payout', key => '{id}', scope => 'rooms wire', state => 'status', claimed => '{"paid":"{succeeded}"}');
INSERT INTO payout VALUES ('po-1', 70.00, 'created');
CREATE TABLE request_key (tenant bigint, key text, request jsonb, response jsonb, PRIMARY KEY (tenant, key));
SELECT idem.guard_keys('request_key', key => '{tenant,key}', request => 'request', fields => '{payer}', response => 'response');
CREATE TABLE tenant_debit (id bigint PRIMARY KEY, tenant bigint NOT NULL, message text NOT NULL);
SELECT idem.guard_claimed('tenant_debit', key => '{tenant,message}', keys => 'request_key');
BEGIN;
INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer":"u1"}');
INSERT INTO tenant_debit VALUES (1, 17, 'msg-1');
COMMIT;

-- machine: rows that stand too long
SELECT idem.define_machine('rooms', E'stateDiagram-v2\n[*] --> created\ncreated --> done\ndone --> [*]\n');
CREATE TABLE task (id bigint PRIMARY KEY, status text NOT NULL);
SELECT idem.guard_states('task', 'status', 'rooms', within => '{"created":"1 ms"}');
INSERT INTO task VALUES (1, 'created');

-- channels: codes, a calendar, a serial of the day, what came late
SELECT idem.define_return_codes('rooms/pay', E'| code | meaning |\n| --- | --- |\n| 00 | succeeded |\n| 05 | failed |\n');
SELECT idem.define_return_codes('rooms/query', E'| code | meaning |\n| --- | --- |\n| 00 | succeeded |\n| 44 | absent |\n');
SELECT idem.create_calendar('rooms', time_zone => 'Asia/Shanghai', cut => '23:00', around_cut => '15 min');
SELECT idem.add_closure('rooms', '[2130-10-01 00:00+08,2130-10-08 00:00+08)', 'national day');
SELECT idem.create_channel('rooms', send => 'rooms/pay', inquire => 'rooms/query', calendar => 'rooms', serial => '{YYYYMMDD}{seq:7 per day}',
    serial_per => 'attempt', echo => '{serial,amount}', absence => 'operator');
SELECT idem.create_scope('rooms pay', effect => 'outside', fields => '{amount}', channels => '{rooms}', quiet => '0');
SELECT idem.reserve('rooms pay', k, '{"amount": 88}') FROM unnest('{a,b}'::text[]) k;
CALL idem.dispatch('rooms pay', 'a', 1);
CALL idem.dispatch('rooms pay', 'b', 1);
SELECT idem.complete('rooms pay', 'a', 1, answer => '{"code": "99", "serial": "other", "amount": 17}');
SELECT idem.resolve('rooms pay', 'b', 'failed', '{"by": "test"}', force => 'the provider has told us');
SELECT idem.pause('scope', 'rooms pay', reason => 'test');

-- suspected duplicates
SELECT idem.create_scope('rooms suspect', effect => 'inside', fields => '{user}', duplicate_fields => '{user}', duplicate_window => '1 day', on_duplicate => 'hold');
SELECT idem.claim('rooms suspect', k, '{"user": "u1"}') FROM unnest('{a,b}'::text[]) k;

-- reconciliation: a sum and differences, one of them settled
CREATE TABLE ours (day date, serial text, amount money_micro, currency text);
CREATE TABLE theirs (day date, serial text, amount numeric(12,2), currency text);
INSERT INTO ours VALUES ('2018-07-18', 'po-1', 10.00, 'EUR'), ('2018-07-18', 'po-2', 20.00, 'EUR');
INSERT INTO theirs VALUES ('2018-07-18', 'po-1', 10.00, 'EUR'), ('2018-07-18', 'po-2', 20.10, 'EUR'), ('2018-07-18', NULL, 0.50, 'EUR');
SELECT idem.create_reconciliation('rooms', ours => 'ours', theirs => 'theirs', key => '{serial}');
SELECT idem.reconcile('rooms', '2018-07-18');
SELECT idem.settle_difference(id, 'explained', 'monthly charge') FROM idem.differences WHERE rule = 'rooms' AND kind = 'unidentified';

-- rights
CREATE ROLE duty;
CREATE ROLE declarer;
CREATE ROLE metrics;
CREATE ROLE one_scope;
SELECT idem.grant_operator('duty');
SELECT idem.grant_admin('declarer');
SELECT idem.grant_monitor('metrics');
SELECT idem.grant_runtime('one_scope', scopes => '{in}');

-- What only an authenticated person writes.  Last: it stops loosening.
INSERT INTO idem.policy VALUES ('approval', now(), 'test');
INSERT INTO idem.approval (id, at, person, role, action, object, digest, reason)
    VALUES ('00000000-0000-0000-0000-000000000001', now(), 'ann', 'ann', 'resume', 'scope "rooms pay"', repeat('0', 64), 'test');
