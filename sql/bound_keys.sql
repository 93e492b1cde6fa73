--
-- Idempotency keys in a table of the user's: guard_keys, and guard_claimed on them.
--
CREATE SCHEMA bound_keys;
SET search_path = bound_keys;
CREATE TABLE request_key (tenant bigint, key text, request jsonb, response jsonb, PRIMARY KEY (tenant, key));
CREATE TABLE debit (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant int NOT NULL, message text NOT NULL, amount numeric NOT NULL);

-- what a client can branch on, where a statement was refused
CREATE FUNCTION refusal(statement text,
    OUT code text, OUT "table" text, OUT "column" text, OUT "constraint" text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    code := '00000';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, "table" = TABLE_NAME,
        "column" = COLUMN_NAME, "constraint" = CONSTRAINT_NAME;
END $$;

-- Two guards, of triggers that everybody can see.
SELECT idem.guard_keys('request_key', key => '{tenant,key}', request => 'request', fields => '{payer,amount}', response => 'response');
SELECT tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'request_key'::regclass ORDER BY tgname COLLATE "C";
SELECT kind, name, settings, intact FROM idem.guards WHERE relation = 'request_key'::regclass ORDER BY kind;
SELECT idem.guard_claimed('debit', key => '{tenant,message}', keys => 'request_key');
SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'debit'::regclass;

-- The good case: the key, then the row, in one transaction; the response once.
BEGIN;
INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer":"u1","amount":"88.00"}') ON CONFLICT DO NOTHING RETURNING true AS granted;
INSERT INTO debit (tenant, message, amount) VALUES (17, 'msg-1', 88.00);
UPDATE request_key SET response = '{"debit":1}' WHERE (tenant, key) = (17, 'msg-1');
COMMIT;
-- The repeat is not granted, and whoever does not look writes nothing.
BEGIN;
INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer":"u1","amount":88}') ON CONFLICT DO NOTHING RETURNING true AS granted;
INSERT INTO debit (tenant, message, amount) VALUES (17, 'msg-1', 88.00);
ROLLBACK;
SELECT * FROM refusal($$INSERT INTO debit (tenant, message, amount) VALUES (17, 'msg-1', 88.00)$$);
-- Nor does an upsert that says true for a repeat.
BEGIN;
INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer":"u1","amount":88}') ON CONFLICT (tenant, key) DO UPDATE SET key = excluded.key RETURNING true AS granted;
INSERT INTO debit (tenant, message, amount) VALUES (17, 'msg-1', 88.00);
ROLLBACK;
-- The same key of another tenant is another key; nothing of it is the others'.
BEGIN;
INSERT INTO request_key (tenant, key, request) VALUES (18, 'msg-1', '{"payer":"u1","amount":88}') ON CONFLICT DO NOTHING RETURNING true AS granted;
SAVEPOINT s;
INSERT INTO debit (tenant, message, amount) VALUES (17, 'msg-1', 88.00);
ROLLBACK TO s;
INSERT INTO debit (tenant, message, amount) VALUES (18, 'msg-1', 88.00), (18, 'msg-1', 88.00);
ROLLBACK TO s;
INSERT INTO debit (tenant, message, amount) VALUES (18, 'msg-1', 88.00);
COMMIT;
-- A key that was rolled back to a savepoint grants nothing; one in a savepoint that was released does.
BEGIN;
SAVEPOINT s;
INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-2', '{"payer":"u1","amount":1}') ON CONFLICT DO NOTHING RETURNING true AS granted;
ROLLBACK TO s;
INSERT INTO debit (tenant, message, amount) VALUES (17, 'msg-2', 1);
ROLLBACK TO s;
INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-2', '{"payer":"u1","amount":1}') ON CONFLICT DO NOTHING RETURNING true AS granted;
RELEASE s;
INSERT INTO debit (tenant, message, amount) VALUES (17, 'msg-2', 1);
COMMIT;
-- A key of one table is none of another.
CREATE TABLE third_key (tenant int, key text, PRIMARY KEY (tenant, key));
SELECT idem.guard_keys('third_key', '{tenant,key}');
BEGIN;
INSERT INTO third_key VALUES (17, 'msg-3');
INSERT INTO debit (tenant, message, amount) VALUES (17, 'msg-3', 1);
ROLLBACK;
-- A claim of a scope is no key of the table, nor the other way round.
SELECT idem.create_scope('bound keys', effect => 'inside', fields => '{}');
CREATE TABLE voucher (tenant bigint NOT NULL, message text NOT NULL);
SELECT idem.guard_claimed('voucher', key => '{tenant,message}', scope => 'bound keys');
BEGIN;
SELECT granted FROM idem.claim('bound keys', idem.key('17', 'msg-3'));
SAVEPOINT s;
INSERT INTO debit (tenant, message, amount) VALUES (17, 'msg-3', 1);
ROLLBACK TO s;
INSERT INTO voucher VALUES (17, 'msg-3');
ROLLBACK;
BEGIN;
INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-3', '{"payer":"u1","amount":1}');
INSERT INTO voucher VALUES (17, 'msg-3');
ROLLBACK;

-- A repeat with another request: by any form of INSERT, before anything is skipped.
INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer":"u2","amount":89}') ON CONFLICT DO NOTHING RETURNING true AS granted;
SELECT * FROM refusal($$INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer":"u1","amount":89}') ON CONFLICT DO NOTHING$$);
INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer":"u1","amount":89}');
INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer":"u1","amount":89}') ON CONFLICT (tenant, key) DO UPDATE SET request = excluded.request;
COPY request_key (tenant, key, request) FROM stdin;
17	msg-1	{"payer":"u1","amount":89}
\.
-- The same by value, and in what is not declared: a repeat.
INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer":"u1","amount":"88.000","note":"again"}') ON CONFLICT DO NOTHING RETURNING true AS granted;
INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer":"u1"}') ON CONFLICT DO NOTHING RETURNING true AS granted;

-- Also when the index has been built anew, in the same session.
REINDEX TABLE CONCURRENTLY request_key;
INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer":"u1","amount":89}') ON CONFLICT DO NOTHING RETURNING true AS granted;

-- Keys are judged as claims judge them, requests, too.
INSERT INTO request_key (tenant, key, request) VALUES (17, '', '{"payer":"u1","amount":1}');
INSERT INTO request_key (tenant, key, request) VALUES (17, ' msg-1', '{"payer":"u1","amount":1}');
INSERT INTO request_key (tenant, key, request) VALUES (17, E'msg\t1', '{"payer":"u1","amount":1}');
INSERT INTO request_key (tenant, key, request) VALUES (17, repeat('k', 256), '{"payer":"u1","amount":1}');
INSERT INTO request_key (tenant, key, request) VALUES (17, repeat('k', 250), '{"payer":"u1","amount":1}');
INSERT INTO request_key (tenant, key, request) VALUES (17, 'zahlung-ü', '{"payer":"u1","amount":1}');
INSERT INTO request_key (tenant, key, request) VALUES (17, NULL, '{"payer":"u1","amount":1}');
INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-4', '{"payer":"u1"}');
INSERT INTO request_key (tenant, key, request) VALUES (17, 'msg-4', '[1]');
INSERT INTO request_key (tenant, key) VALUES (17, 'msg-4');

-- What was recorded stays: key, request, the response that is there, and the row.
UPDATE request_key SET key = 'msg-9' WHERE (tenant, key) = (17, 'msg-1');
UPDATE request_key SET tenant = 19 WHERE (tenant, key) = (17, 'msg-1');
UPDATE request_key SET request = request || '{"amount":1}' WHERE (tenant, key) = (17, 'msg-1');
UPDATE request_key SET response = '{"debit":2}' WHERE (tenant, key) = (17, 'msg-1');
UPDATE request_key SET response = NULL WHERE (tenant, key) = (17, 'msg-1');
SELECT * FROM refusal($$UPDATE request_key SET response = '{}' WHERE (tenant, key) = (17, 'msg-1')$$);
UPDATE request_key SET response = response WHERE (tenant, key) = (17, 'msg-1');
DELETE FROM request_key WHERE (tenant, key) = (17, 'msg-1');
SELECT * FROM refusal($$DELETE FROM request_key$$);
TRUNCATE request_key;
SET session_replication_role = replica;
DELETE FROM request_key WHERE (tenant, key) = (17, 'msg-1');
INSERT INTO debit (tenant, message, amount) VALUES (17, 'msg-1', 88.00);
RESET session_replication_role;

-- Every way into the table of effects, without a key of this transaction.
CREATE TABLE incoming (tenant int, message text, amount numeric);
INSERT INTO incoming VALUES (17, 'msg-1', 88), (17, 'msg-2', 1), (17, 'new', 1);
INSERT INTO debit (tenant, message, amount) TABLE incoming;
COPY debit (tenant, message, amount) FROM stdin;
17	msg-1	88
\.
MERGE INTO debit d USING incoming i ON false WHEN NOT MATCHED THEN INSERT (tenant, message, amount) VALUES (i.tenant, i.message, i.amount);
-- In bulk: what was granted is what RETURNING says.
WITH granted AS (
    INSERT INTO request_key (tenant, key, request)
    SELECT tenant, message, jsonb_build_object('payer', 'u1', 'amount', amount) FROM incoming
    ON CONFLICT DO NOTHING RETURNING tenant, key)
INSERT INTO debit (tenant, message, amount) SELECT tenant, message, amount FROM incoming JOIN granted USING (tenant) WHERE key = message;
BEGIN;
INSERT INTO request_key (tenant, key, request) SELECT 20, 'b-' || i, jsonb_build_object('payer', 'u1', 'amount', i) FROM generate_series(1, 3) i;
COPY debit (tenant, message, amount) FROM stdin;
20	b-1	1
20	b-2	2
\.
MERGE INTO debit d USING (VALUES (20, 'b-3', 3)) i (tenant, message, amount) ON d.tenant = i.tenant AND d.message = i.message
    WHEN NOT MATCHED THEN INSERT (tenant, message, amount) VALUES (i.tenant, i.message, i.amount);
COMMIT;
-- By SQL that uses nothing of idem: one debit a key, none without.
SELECT count(*), count(DISTINCT (d.tenant, d.message)), count(*) FILTER (WHERE k.key IS NULL) AS without
    FROM debit d LEFT JOIN request_key k ON k.tenant = d.tenant AND k.key = d.message;

-- completion => 'required': no commit with a key whose response is not there.
CREATE TABLE done_key (key uuid PRIMARY KEY, response text);
SELECT idem.guard_keys('done_key', '{key}', response => 'response', completion => 'required');
INSERT INTO done_key VALUES ('0190163d-8694-739b-aea5-966c26f8ad91');
INSERT INTO done_key VALUES ('0190163d-8694-739b-aea5-966c26f8ad91', 'at once');
BEGIN;
INSERT INTO done_key VALUES ('0190163d-8694-739b-aea5-966c26f8ad92');
SAVEPOINT s;
UPDATE done_key SET response = 'lost' WHERE response IS NULL;
ROLLBACK TO s;
COMMIT;
BEGIN;
SAVEPOINT s;
INSERT INTO done_key VALUES ('0190163d-8694-739b-aea5-966c26f8ad93');
ROLLBACK TO s;
INSERT INTO done_key VALUES ('0190163d-8694-739b-aea5-966c26f8ad94');
SAVEPOINT s;
UPDATE done_key SET response = 'kept' WHERE response IS NULL;
RELEASE s;
COMMIT;
SELECT * FROM done_key ORDER BY key;

-- Partitions: the key is the whole table's, and nothing leaves it.
CREATE TABLE spread_key (tenant int, key varchar(40), request jsonb, PRIMARY KEY (key, tenant)) PARTITION BY LIST (tenant);
CREATE TABLE spread_key_1 PARTITION OF spread_key FOR VALUES IN (1);
CREATE TABLE spread_key_2 (request jsonb, key varchar(40) NOT NULL, tenant int NOT NULL);
ALTER TABLE spread_key ATTACH PARTITION spread_key_2 FOR VALUES IN (2);
SELECT idem.guard_keys('spread_key', '{tenant,key}', request => 'request', fields => '{*}', charset => 'any');
CREATE TABLE spread_debit (tenant int NOT NULL, key text NOT NULL) PARTITION BY LIST (tenant);
CREATE TABLE spread_debit_1 PARTITION OF spread_debit FOR VALUES IN (1);
CREATE TABLE spread_debit_2 PARTITION OF spread_debit FOR VALUES IN (2);
SELECT idem.guard_claimed('spread_debit', '{tenant,key}', keys => 'spread_key');
BEGIN;
INSERT INTO spread_key_2 (tenant, key, request) VALUES (2, 'zahlung-ü', '{"a":1}');
INSERT INTO spread_debit_2 VALUES (2, 'zahlung-ü');
SAVEPOINT s;
INSERT INTO spread_debit VALUES (1, 'zahlung-ü');
ROLLBACK TO s;
INSERT INTO spread_debit VALUES (2, 'zahlung-ü');
ROLLBACK TO s;
COMMIT;
INSERT INTO spread_key VALUES (2, 'zahlung-ü', '{"a":1,"b":2}') ON CONFLICT DO NOTHING RETURNING true AS granted;
INSERT INTO spread_key VALUES (2, 'zahlung-ü', '{"a":1.0}') ON CONFLICT DO NOTHING RETURNING true AS granted;
UPDATE spread_key SET tenant = 1;
DELETE FROM spread_key_2;
TRUNCATE spread_key_2;
ALTER TABLE spread_key DETACH PARTITION spread_key_2;
CREATE TABLE spread_key_3 (tenant int NOT NULL, key varchar(40) NOT NULL, request jsonb);
INSERT INTO spread_key_3 VALUES (3, ' k', '{}');
ALTER TABLE spread_key ATTACH PARTITION spread_key_3 FOR VALUES IN (3);
-- without such a row it is, and its rows are judged; so are those of a partition made later
DELETE FROM spread_key_3;
ALTER TABLE spread_key ATTACH PARTITION spread_key_3 FOR VALUES IN (3);
CREATE TABLE spread_key_4 PARTITION OF spread_key FOR VALUES IN (4);
INSERT INTO spread_key VALUES (3, 'k', '{"a":1}'), (4, 'k', '{"a":1}') RETURNING tableoid::regclass, true AS granted;
INSERT INTO spread_key VALUES (3, 'k', '{"a":1}'), (4, 'k', '{"a":1}') ON CONFLICT DO NOTHING RETURNING true AS granted;
INSERT INTO spread_key VALUES (3, 'k', '{"a":2}') ON CONFLICT DO NOTHING;
INSERT INTO spread_key VALUES (4, ' k', '{"a":2}');
TRUNCATE spread_key_4;
SELECT kind, intact, problem FROM idem.guards WHERE relation = 'spread_key'::regclass ORDER BY kind;
-- a primary key of each partition alone would not do
CREATE TABLE apart (day date NOT NULL, key text NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE apart_1 PARTITION OF apart (PRIMARY KEY (key)) FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
SELECT idem.guard_keys('apart', '{key}');

-- Declarations that cannot be.
CREATE TABLE other (k text NOT NULL, d text UNIQUE DEFERRABLE, p text NOT NULL, x text NOT NULL, n text UNIQUE, t text NOT NULL, r text, num numeric PRIMARY KEY);
ALTER TABLE other ALTER d SET NOT NULL;
CREATE UNIQUE INDEX ON other (p) WHERE p <> 'x';
CREATE UNIQUE INDEX ON other (lower(x));
CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE UNIQUE INDEX ON other (t COLLATE folded);
SELECT idem.guard_keys('other', '{k}');
SELECT idem.guard_keys('other', '{d}');
SELECT idem.guard_keys('other', '{p}');
SELECT idem.guard_keys('other', '{x}');
SELECT idem.guard_keys('other', '{n}');
SELECT idem.guard_keys('other', '{t}');
SELECT idem.guard_keys('other', '{num}');
SELECT idem.guard_keys('other', '{}');
SELECT idem.guard_keys('other', '{missing}');
CREATE UNIQUE INDEX ON other (k);
SELECT idem.guard_keys('other', '{k}', request => 'r', fields => '{a}');
SELECT idem.guard_keys('other', '{k}', request => 'r');
SELECT idem.guard_keys('other', '{k}', fields => '{a}');
SELECT idem.guard_keys('other', '{k}', completion => 'required');
SELECT idem.guard_keys('other', '{k}', response => 'r', completion => 'sometimes');
SELECT idem.guard_keys('other', '{k}', charset => NULL);
SELECT idem.guard_claimed('debit', '{tenant,message}');
SELECT idem.guard_claimed('debit', '{tenant,message}', scope => 'bound keys', keys => 'request_key');
SELECT idem.guard_claimed('debit', '{message}', keys => 'request_key');
SELECT idem.guard_claimed('debit', '{tenant,message}', keys => 'incoming');
SELECT idem.guard_claimed('other', '{k}', keys => 'done_key', state => 'r', claimed => '{"a":"{reserved}"}');
-- The same again, and another.
SELECT idem.guard_keys('done_key', '{key}', response => 'response', completion => 'required');
SELECT idem.guard_keys('request_key', key => '{tenant,key}', request => 'request', fields => '{payer,amount}', response => 'response');
SELECT idem.guard_keys('done_key', '{key}', response => 'response');
SELECT idem.guard_claimed('debit', key => '{tenant,message}', keys => 'request_key');

-- Rows from before: found by doctor and validate_guard, also what an effect has no key for.
CREATE TABLE old_key (key text PRIMARY KEY, request jsonb, response text);
INSERT INTO old_key VALUES ('o-1', '{"a":1}', 'r'), (' o-2', '{"a":1}', 'r'), ('o-3', '{"b":1}', 'r'), ('o-4', NULL, 'r'), ('o-5', '{"a":1}', NULL);
CREATE TABLE old_effect (key text NOT NULL);
INSERT INTO old_effect VALUES ('o-1'), ('o-1'), ('o-9');
SELECT idem.guard_keys('old_key', '{key}', 'request', '{a}', 'response', 'required');
SELECT idem.guard_claimed('old_effect', '{key}', keys => 'old_key');
SELECT object, finding, remedy FROM idem.doctor() WHERE object ~ 'bound_keys.old_';
SELECT idem.validate_guard('old_key', 'idem_keys_key');
SELECT idem.validate_guard('old_effect');
DELETE FROM old_effect WHERE key = 'o-9';
SELECT idem.validate_guard('old_effect');
-- A recorded request that lacks a field is compared in those it has.
INSERT INTO old_key VALUES ('o-3', '{"a":7,"b":1}', 'r') ON CONFLICT DO NOTHING RETURNING true AS granted;
INSERT INTO old_key VALUES ('o-4', '{"a":7}', 'r') ON CONFLICT DO NOTHING RETURNING true AS granted;

-- A key that such a guard keeps is nobody's finding, nor is one that pays for a row.
CREATE TABLE shop_key (shop int, request_id text, amount numeric NOT NULL, PRIMARY KEY (shop, request_id)) PARTITION BY LIST (shop);
CREATE TABLE sale (id int PRIMARY KEY, shop int NOT NULL, request_id text NOT NULL, amount numeric NOT NULL);
SELECT object, finding FROM idem.doctor() WHERE object ~ 'request_id' AND finding ~ 'looks like a key' ORDER BY object COLLATE "C";
SELECT idem.guard_keys('shop_key', '{shop,request_id}');
SELECT idem.guard_claimed('sale', '{shop,request_id}', keys => 'shop_key');
SELECT object, finding FROM idem.doctor() WHERE object ~ 'request_id' AND finding ~ 'looks like a key';

-- What it stands on stays, and is missed where it went all the same.
ALTER TABLE request_key DROP CONSTRAINT request_key_pkey;
ALTER TABLE request_key ALTER key TYPE varchar(10);
ALTER TABLE request_key ALTER request TYPE text;
ALTER TABLE request_key DISABLE TRIGGER idem_repeats_tenant_key;
DROP TRIGGER idem_keys_tenant_key ON request_key;
SELECT idem.drop_guard('request_key', 'keys', reason => 'a test');
SET idem.allow_unguarded = 'a test';
ALTER TABLE request_key DROP CONSTRAINT request_key_pkey;
ALTER TABLE done_key DROP CONSTRAINT done_key_pkey;
RESET idem.allow_unguarded;
INSERT INTO done_key VALUES ('0190163d-8694-739b-aea5-966c26f8ad95', 'at once');
INSERT INTO request_key (tenant, key, request) VALUES (17, 'twice', '{"payer":"u1","amount":1}');
SELECT kind, intact, problem FROM idem.guards WHERE relation = 'request_key'::regclass ORDER BY kind;
ALTER TABLE request_key ADD PRIMARY KEY (tenant, key);
-- Renamed: nothing is let in until it is declared anew.
ALTER TABLE request_key RENAME TO renamed_key;
BEGIN;
INSERT INTO renamed_key (tenant, key, request) VALUES (17, 'msg-5', '{"payer":"u1","amount":1}');
INSERT INTO debit (tenant, message, amount) VALUES (17, 'msg-5', 1);
ROLLBACK;
SELECT kind, intact, problem FROM idem.guards WHERE relation = 'debit'::regclass;
SELECT finding FROM idem.doctor() WHERE object ~ 'claimed guard .* on bound_keys.debit';
-- A table of that name that somebody else made lets no row in.
CREATE ROLE regress_bound_keys_other;
GRANT USAGE, CREATE ON SCHEMA bound_keys TO regress_bound_keys_other;
GRANT INSERT ON debit TO regress_bound_keys_other;
SET ROLE regress_bound_keys_other;
CREATE TABLE request_key (tenant bigint, key text, PRIMARY KEY (tenant, key));
SELECT idem.guard_keys('request_key', key => '{tenant,key}');
BEGIN;
INSERT INTO request_key VALUES (17, 'msg-5');
INSERT INTO debit (tenant, message, amount) VALUES (17, 'msg-5', 1);
ROLLBACK;
RESET ROLE;
SELECT finding FROM idem.doctor() WHERE object ~ 'claimed guard .* on bound_keys.debit';
SET idem.allow_unguarded = 'a test';
DROP OWNED BY regress_bound_keys_other;
RESET idem.allow_unguarded;
DROP ROLE regress_bound_keys_other;
ALTER TABLE renamed_key RENAME TO request_key;
SELECT kind, intact, problem FROM idem.guards WHERE relation = 'debit'::regclass;

-- Somebody else: who may write both writes; may not name another's table of keys; sees no values.
CREATE ROLE regress_bound_keys;
CREATE ROLE regress_bound_keys_owner;
GRANT USAGE, CREATE ON SCHEMA bound_keys TO regress_bound_keys, regress_bound_keys_owner;
GRANT INSERT ON request_key, debit TO regress_bound_keys;
SET ROLE regress_bound_keys;
BEGIN;
INSERT INTO request_key (tenant, key, request) VALUES (21, 'msg-1', '{"payer":"u1","amount":1}');
INSERT INTO debit (tenant, message, amount) VALUES (21, 'msg-1', 1);
COMMIT;
INSERT INTO debit (tenant, message, amount) VALUES (21, 'msg-1', 1);
INSERT INTO request_key (tenant, key, request) VALUES (21, 'msg-1', '{"payer":"u1","amount":2}') ON CONFLICT DO NOTHING;
SELECT idem.guard_keys('done_key', '{key}');
SET ROLE regress_bound_keys_owner;
CREATE TABLE mine (tenant int NOT NULL, key text NOT NULL);
SELECT idem.guard_claimed('mine', '{tenant,key}', keys => 'request_key');
-- a trigger put there by hand, with what it cannot read
CREATE TABLE hand_1 (k text); CREATE TABLE hand_2 (k text); CREATE TABLE hand_3 (k text); CREATE TABLE hand_4 (k text); CREATE TABLE hand_5 (k text); CREATE TABLE hand_6 (k text, r jsonb);
CREATE TRIGGER by_hand BEFORE INSERT ON hand_1 FOR EACH ROW EXECUTE FUNCTION idem.keep_repeats('idem=1', 'key={k}', 'request=k', 'fields={a}');
CREATE TRIGGER by_hand AFTER INSERT ON hand_2 FOR EACH ROW EXECUTE FUNCTION idem.keep_repeats('idem=1', 'key={k}', 'request=k', 'fields={a}');
CREATE TRIGGER by_hand AFTER INSERT ON hand_3 FOR EACH ROW EXECUTE FUNCTION idem.keep_keys('idem=1', 'key={k}');
CREATE TRIGGER by_hand AFTER INSERT ON hand_4 FOR EACH ROW EXECUTE FUNCTION idem.keep_claimed('idem=1', 'key={k}', 'keys=nothing');
CREATE TRIGGER by_hand AFTER INSERT ON hand_5 FOR EACH ROW EXECUTE FUNCTION idem.keep_claimed('idem=1', 'key={k}', 'scope=s', 'keys=nothing');
CREATE TRIGGER by_hand BEFORE INSERT ON hand_6 FOR EACH ROW EXECUTE FUNCTION idem.keep_repeats('idem=1', 'key={k}', 'request=r', 'fields={a}');
INSERT INTO hand_1 VALUES ('k');
INSERT INTO hand_2 VALUES ('k');
INSERT INTO hand_3 VALUES ('k');
INSERT INTO hand_4 VALUES ('k');
INSERT INTO hand_5 VALUES ('k');
INSERT INTO hand_6 VALUES ('k');
RESET ROLE;
SELECT idem.keep_keys();
SELECT idem.keep_repeats();
DROP OWNED BY regress_bound_keys, regress_bound_keys_owner;
DROP ROLE regress_bound_keys, regress_bound_keys_owner;

-- Taken off, both of them, once nobody needs it.
SELECT idem.drop_guard('debit', 'claimed', reason => 'moved');
SELECT idem.drop_guard('request_key', 'keys', reason => 'moved');
SELECT kind, action, reason FROM idem.change_log WHERE table_schema = 'bound_keys' AND table_name = 'request_key' AND action = 'dropped' ORDER BY kind;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'request_key'::regclass;
DELETE FROM request_key WHERE tenant = 21;

SET client_min_messages = warning;
DROP SCHEMA bound_keys CASCADE;
