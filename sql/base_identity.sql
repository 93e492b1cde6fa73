--
-- A guard is its kind, its table, and the foreign key or the columns that it
-- is about.  The names of what it makes say that, fit into 63 bytes in every
-- encoding, and stay apart where only their ends differ (wound 22).
--
CREATE SCHEMA base_identity;
SET search_path = base_identity;

-- Names.
SELECT idem.made_name('idem', 'limit', 'used'), idem.made_name('idem_kept', VARIADIC '{}'), idem.made_name('a', 'b', '');
SELECT octet_length(n) AS bytes, n FROM (VALUES
    (idem.made_name('idem_states', repeat('x', 51))), (idem.made_name('idem_states', repeat('x', 52))),
    (idem.made_name('idem_states', repeat('x', 51) || 'y')), (idem.made_name('idem_states', repeat('é', 30))),
    (idem.made_name('idem_states', 'a' || repeat('é', 30))), (idem.made_name('idem_states', repeat('状', 20))),
    (idem.made_name(idem.made_name('idem_states', repeat('状', 20)), 'truncate'))) v (n);

-- Two foreign keys of one child to one parent: a transfer has two sides.
CREATE TABLE account (id int PRIMARY KEY, day_cap int NOT NULL);
CREATE TABLE transfer (id int PRIMARY KEY, payer_id int NOT NULL REFERENCES account, payee_id int NOT NULL REFERENCES account,
                       amount int, state text DEFAULT 'new');
INSERT INTO account VALUES (1, 100), (2, 100), (3, 100);
INSERT INTO transfer VALUES (1, 1, 2, 10);
-- each its own total
SELECT idem.guard_limit('transfer', 'payer_id', amount => 'amount', cap => 'day_cap', used => 'sent', released => '{void}', state => 'state');
SELECT idem.guard_limit('transfer', 'payee_id', amount => 'amount', cap => 'day_cap', used => 'received', released => '{void}', state => 'state');
SELECT idem.guard_limit('transfer', 'payee_id', amount => 'amount', cap => 'day_cap', used => 'other', released => NULL);
INSERT INTO transfer VALUES (2, 1, 2, 80);
INSERT INTO transfer VALUES (3, 1, 3, 11);
INSERT INTO transfer VALUES (3, 3, 2, 11);
INSERT INTO transfer VALUES (3, 3, 2, 10);
UPDATE transfer SET state = 'void' WHERE id = 1;
SELECT * FROM account ORDER BY id;
SELECT relation, name, intact, problem FROM idem.guards WHERE relation = 'transfer'::regclass ORDER BY name;
SELECT finding FROM idem.doctor() WHERE severity = 'error' AND object ~ 'base_identity';
-- one goes, the other stays, with all that is its own
SELECT idem.drop_guard('transfer', 'limit', reason => 'which?');
SELECT idem.drop_guard('transfer', 'limit', name => 'IDEM_limit_payer_id', reason => 'test');
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgrelid IN ('account'::regclass, 'transfer'::regclass) AND NOT tgisinternal ORDER BY 1, 2;
SELECT conname FROM pg_constraint WHERE conrelid = 'account'::regclass AND contype = 'c';
INSERT INTO transfer VALUES (4, 1, 2, 21);
SELECT idem.drop_guard('transfer', 'limit', reason => 'test');
-- both the same total: what moves at all
SELECT idem.guard_limit('transfer', fk, amount => 'amount', cap => 'day_cap', used => 'moved', released => '{void}', state => 'state',
                        count_cap => 3, count_used => 'moves_' || fk)
FROM unnest('{payer_id,payee_id}'::text[]) fk;
SELECT id, moved, moves_payer_id, moves_payee_id FROM account ORDER BY id;
INSERT INTO transfer VALUES (5, 1, 1, 10);
INSERT INTO transfer VALUES (6, 1, 1, 1);
INSERT INTO transfer VALUES (6, 3, 2, 11);
INSERT INTO transfer VALUES (6, 3, 2, 10);
SELECT id, moved, moves_payer_id, moves_payee_id FROM account ORDER BY id;
UPDATE transfer SET state = 'void' WHERE id = 5;
SELECT id, moved, moves_payer_id, moves_payee_id FROM account ORDER BY id;
-- also by the executor, which the counterparts judge
CREATE FUNCTION user_code() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER user_code BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION user_code();
INSERT INTO transfer VALUES (7, 1, 1, 5);
INSERT INTO transfer VALUES (8, 1, 3, 1);
UPDATE account SET moved = 0 WHERE id = 1;
SELECT id, moved, moves_payer_id, moves_payee_id FROM account ORDER BY id;
SELECT finding FROM idem.doctor() WHERE severity = 'error' AND object ~ 'base_identity';
-- the CHECK of the shared total goes with the last that keeps it
SELECT idem.drop_guard('transfer', 'limit', name => 'IDEM_limit_payee_id', reason => 'test');
SELECT conname FROM pg_constraint WHERE conrelid = 'account'::regclass AND contype = 'c' ORDER BY 1;
SELECT idem.drop_guard('transfer', 'limit', reason => 'test');
SELECT conname FROM pg_constraint WHERE conrelid = 'account'::regclass AND contype = 'c' ORDER BY 1;

-- Two fixed guards on different columns.
SELECT idem.guard_fixed('transfer', '{amount}');
SELECT idem.guard_fixed('transfer', '{id}', once => '{payer_id}');
SELECT idem.guard_fixed('transfer', '{state}', once => '{amount}');
UPDATE transfer SET amount = 0 WHERE id = 1;
UPDATE transfer SET id = 0 WHERE id = 1;
SELECT name, intact FROM idem.guards WHERE relation = 'transfer'::regclass ORDER BY name;
SELECT idem.drop_guard('transfer', 'fixed', name => 'idem_fixed_id_payer_id', reason => 'test');
UPDATE transfer SET id = 0 WHERE id = 1;
UPDATE transfer SET amount = 0 WHERE id = 0;
-- a name that reads the same is another guard all the same
CREATE TABLE odd (id int PRIMARY KEY, a_b text, c text, a text, b_c text);
SELECT idem.guard_fixed('odd', '{a_b,c}');
SELECT idem.guard_fixed('odd', '{a,b_c}');
SELECT name, settings FROM idem.guards WHERE relation = 'odd'::regclass ORDER BY name;
-- and a name that is taken already stays with its owner
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER idem_kept_truncate AFTER INSERT ON odd FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT idem.guard_kept('odd');
TRUNCATE odd;
SELECT tgname, idem.trigger_settings(tgargs) FROM pg_trigger WHERE tgrelid = 'odd'::regclass ORDER BY 1;
SET idem.allow_unguarded = 'a test';
DROP TRIGGER idem_kept_truncate_2 ON odd;
RESET idem.allow_unguarded;
SELECT * FROM idem.rearm('odd');
SELECT idem.drop_guard('odd', 'kept', reason => 'test');
SELECT tgname FROM pg_trigger WHERE tgrelid = 'odd'::regclass ORDER BY 1;
TRUNCATE odd;

-- A renamed child leaves its name to another.
CREATE TABLE refund (account_id int NOT NULL REFERENCES account, amount int);
SELECT idem.guard_limit('refund', 'account_id', amount => 'amount', cap => 'day_cap', used => 'given', released => NULL);
ALTER TABLE refund RENAME TO refund_old;
CREATE TABLE refund (account_id int NOT NULL REFERENCES account, amount int);
SELECT idem.guard_limit('refund', 'account_id', amount => 'amount', cap => 'day_cap', used => 'given', released => NULL);
INSERT INTO refund_old VALUES (3, 60);
INSERT INTO refund VALUES (3, 60);
SELECT relation, name, intact FROM idem.guards WHERE kind = 'limit' ORDER BY relation::text COLLATE "C";
SELECT idem.drop_guard('refund_old', 'limit', reason => 'test');
SELECT tgname FROM pg_trigger WHERE tgrelid = 'account'::regclass AND tgname ~ 'idem' ORDER BY 1;
INSERT INTO refund VALUES (3, 41);
SELECT idem.drop_guard('refund', 'limit', reason => 'test');

-- Long names of many bytes (wound 22): the name of what refuses TRUNCATE is
-- found again, and idem.rearm() makes it where it is missing.
CREATE TABLE lang (id int PRIMARY KEY, "每一个状态列都有一个很长很长的名字为了测试" text, "每一个状态列都有一个很长很长的名字为了试验" text,
                   long_name_of_a_status_column_that_differs_only_at_its_end_a text, long_name_of_a_status_column_that_differs_only_at_its_end_b text);
SELECT version FROM idem.define_machine('base_identity', E'stateDiagram-v2\n[*] --> a\na --> [*]');
SELECT idem.guard_states('lang', attname, 'base_identity') FROM pg_attribute WHERE attrelid = 'lang'::regclass AND attnum > 1 ORDER BY attnum;
SELECT idem.guard_kept('lang');
SELECT octet_length(tgname::text), tgname FROM pg_trigger WHERE tgrelid = 'lang'::regclass ORDER BY tgname COLLATE "C";
SELECT name, intact, problem FROM idem.guards WHERE relation = 'lang'::regclass ORDER BY name COLLATE "C";
SELECT * FROM idem.rearm('lang');
SET idem.allow_unguarded = 'a test';
DO $$
DECLARE
    t name;
BEGIN
    FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'lang'::regclass AND tgfoid = 'idem.refuse_truncate'::regproc LOOP
        EXECUTE format('DROP TRIGGER %I ON lang', t);
    END LOOP;
END $$;
RESET idem.allow_unguarded;
SELECT count(*) FROM idem.guards WHERE relation = 'lang'::regclass AND NOT intact;
SELECT count(*) FROM idem.rearm('lang');
SELECT name, intact, problem FROM idem.guards WHERE relation = 'lang'::regclass ORDER BY name COLLATE "C";
SELECT * FROM idem.rearm('lang');
TRUNCATE lang;
-- as after pg_restore --disable-triggers
CREATE TABLE one (id int PRIMARY KEY, "每一个状态列都有一个很长很长的名字为了测试" text);
SELECT idem.guard_states('one', '每一个状态列都有一个很长很长的名字为了测试', 'base_identity');
SET idem.allow_unguarded = 'a test';
ALTER TABLE one DISABLE TRIGGER USER;
ALTER TABLE one ENABLE TRIGGER USER;
RESET idem.allow_unguarded;
SELECT * FROM idem.rearm('one');
SELECT name, intact FROM idem.guards WHERE relation = 'one'::regclass;
-- the CHECK of a total with a long name, too
CREATE TABLE day (id int PRIMARY KEY, cap int NOT NULL);
CREATE TABLE part (day_id int NOT NULL REFERENCES day, amount int);
INSERT INTO day VALUES (1, 10);
SELECT idem.guard_limit('part', 'day_id', amount => 'amount', cap => 'cap', used => repeat('总', 20) || 'a', released => NULL,
                        count_cap => 2, count_used => repeat('总', 20) || 'b');
SELECT conname, octet_length(conname::text) FROM pg_constraint WHERE conrelid = 'day'::regclass AND contype = 'c' ORDER BY conname COLLATE "C";
INSERT INTO part VALUES (1, 10);
SELECT idem.validate_guard('part');
SELECT name, intact, problem FROM idem.guards WHERE relation = 'part'::regclass;
ALTER TABLE day DROP CONSTRAINT "idem_limit_总总总总总总总总总总总总总总_fe1d8f6f";
SELECT idem.drop_guard('part', 'limit', reason => 'test');
SELECT conname FROM pg_constraint WHERE conrelid = 'day'::regclass AND contype = 'c';

SET client_min_messages = warning;
DROP SCHEMA base_identity CASCADE;
