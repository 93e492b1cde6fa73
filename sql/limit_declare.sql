-- What a limit asks of its two tables before it takes its promise.
-- What weakens a guard is refused (doctor_ddl); here it is done on purpose.
SET idem.allow_unguarded = 'a test of what is not refused';
\set SHOW_CONTEXT never
CREATE SCHEMA limit_declare;
SET search_path = limit_declare;

CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL, currency char(3), state text);
CREATE TABLE refund (id int PRIMARY KEY, payment_id int, amount int, currency char(3), state text);

-- One declaration with everything right but what a line changes.
CREATE FUNCTION declare_limit(change jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    a jsonb := '{"child":"limit_declare.refund","fk":"payment_id","amount":"amount","cap":"amount","used":"refunded"}' || change;
    hint text;
    detail text;
BEGIN
    PERFORM idem.guard_limit((a->>'child')::regclass, a->>'fk', a->>'amount', a->>'cap', a->>'used',
        (a->>'released')::text[], a->>'state', a->'same', a->>'parent_state', (a->>'open')::text[],
        COALESCE((a->>'cap_grows')::boolean, false), COALESCE(a->>'children', 'kept'));
    RAISE EXCEPTION 'declared' USING ERRCODE = 'IDEMO';
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' | ', SQLSTATE || ': ' || SQLERRM, NULLIF(detail, ''), NULLIF(hint, ''));
END $$;

-- The parent is found by the foreign key, which must hold at every moment.
SELECT declare_limit();
ALTER TABLE refund ADD CONSTRAINT fk FOREIGN KEY (payment_id) REFERENCES payment;
SELECT declare_limit();
ALTER TABLE refund ALTER payment_id SET NOT NULL;
SELECT declare_limit();
CREATE FUNCTION with_key(definition text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    ALTER TABLE refund DROP CONSTRAINT fk;
    EXECUTE 'ALTER TABLE refund ADD CONSTRAINT fk FOREIGN KEY (payment_id) REFERENCES payment ' || definition;
    RETURN declare_limit();
END $$;
SELECT with_key(k) FROM unnest('{DEFERRABLE,NOT VALID,ON DELETE CASCADE,ON DELETE SET NULL,ON UPDATE CASCADE,ON DELETE RESTRICT ON UPDATE RESTRICT}'::text[]) k;
ALTER TABLE refund ADD CONSTRAINT fk2 FOREIGN KEY (payment_id) REFERENCES payment;
SELECT declare_limit();
ALTER TABLE refund DROP CONSTRAINT fk2;
CREATE TABLE wide (id numeric PRIMARY KEY, amount int NOT NULL);
CREATE TABLE narrow (wide_id int NOT NULL REFERENCES wide, amount int);
SELECT declare_limit('{"child":"narrow","fk":"wide_id"}');
CREATE TABLE tree (id int PRIMARY KEY, up int NOT NULL REFERENCES tree, amount int NOT NULL);
SELECT declare_limit('{"child":"tree","fk":"up"}');

-- Columns and their types.
SELECT declare_limit('{"fk":"amount"}');
SELECT declare_limit('{"fk":"{payment_id,amount}"}');
SELECT declare_limit('{"fk":"{payment_id}"}');
SELECT declare_limit('{"amount":"amuont"}');
SELECT declare_limit('{"cap":"amuont"}');
SELECT declare_limit('{"used":"amount"}');
SELECT declare_limit('{"used":"ctid"}');
SELECT declare_limit('{"used":"state"}');
ALTER TABLE payment ADD total int UNIQUE;
SELECT declare_limit('{"used":"total"}');
ALTER TABLE payment DROP total;
SELECT declare_limit('{"amount":"state"}');
SELECT declare_limit('{"cap":"currency"}');
ALTER TABLE payment ADD line numeric, ADD loose int;
SELECT declare_limit('{"cap":"line"}');
SELECT declare_limit('{"cap":"loose"}');
SELECT declare_limit('{"used":"a_very_long_name_for_the_running_total_of_refunds_of_a_payment"}');

-- States and compared columns.
SELECT declare_limit('{"released":"{failed}"}');
SELECT declare_limit('{"released":"{failed}","state":"status"}');
SELECT declare_limit('{"released":"{failed}","state":"state"}');
SELECT declare_limit('{"released":"{failed,failed}","state":"state"}');
SELECT declare_limit('{"released":"{failed,NULL}","state":"state"}');
SELECT declare_limit('{"released":"{}","state":"state"}');
SELECT declare_limit('{"parent_state":"state"}');
SELECT declare_limit('{"open":"{paid}"}');
SELECT declare_limit('{"parent_state":"state","open":"{paid}"}');
CREATE TYPE state AS ENUM ('pending', 'failed');
ALTER TABLE refund ALTER state TYPE state USING state::state;
SELECT declare_limit('{"released":"{failed}","state":"state"}');
SELECT declare_limit('{"released":"{faild}","state":"state"}');
SELECT declare_limit('{"same":{"currency":"currency"}}');
SELECT declare_limit('{"same":{"currency":"amount"}}');
SELECT declare_limit('{"same":{"currency":"state"}}');
SELECT declare_limit('{"same":{"curency":"currency"}}');
SELECT declare_limit('{"same":{"currency":3}}');
SELECT declare_limit('{"same":["currency"]}');
SELECT declare_limit('{"same":"currency"}');
SELECT declare_limit('{"children":"free"}');

-- Nothing is NULL that decides.
SELECT idem.guard_limit(NULL, 'payment_id', 'amount', 'amount', 'refunded', NULL);
SELECT idem.guard_limit('refund', NULL::text, 'amount', 'amount', 'refunded', NULL);
SELECT idem.guard_limit('refund', 'payment_id', NULL, 'amount', 'refunded', NULL);
SELECT idem.guard_limit('refund', 'payment_id', 'amount', 'amount', 'refunded', NULL, cap_grows => NULL);
SELECT idem.guard_limit('refund', ARRAY['payment_id', NULL], 'amount', 'amount', 'refunded', NULL);
-- and what is released has to be said of a column of states (first day 15)
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', state => 'status');
SELECT declare_limit('{"state":"status"}');
-- without one every child counts, and nothing can be released
SELECT declare_limit('{"released":"{failed}"}');
BEGIN;
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded');
-- which is what '{}' and NULL say, too
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => '{}');
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
ROLLBACK;
-- the same again is a no-op, another one is refused (first day 14)
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => '{}');
SELECT declare_limit();
SELECT declare_limit('{"used":"refunded2"}');
DROP TABLE refund;
ALTER TABLE payment DROP refunded, DROP line, DROP loose;

-- Tables whose rows it could not guard.
CREATE TEMP TABLE temp_refund (payment_id int NOT NULL, amount int);
SELECT declare_limit('{"child":"temp_refund"}');
CREATE VIEW view_refund AS SELECT 1 AS payment_id, 1 AS amount;
SELECT declare_limit('{"child":"view_refund"}');
SELECT declare_limit('{"child":"pg_class"}');
DROP VIEW view_refund;
DROP TABLE temp_refund;

-- Rows that are there already: counted, or the reason why they cannot be.
INSERT INTO payment SELECT i, 100, 'CNY', 'paid' FROM generate_series(1, 9) i;
CREATE TABLE refund (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payment_id int NOT NULL REFERENCES payment,
                     amount int, currency char(3) DEFAULT 'CNY', state text DEFAULT 'pending');
INSERT INTO refund (payment_id, amount) SELECT i, 60 FROM generate_series(1, 8) i;
INSERT INTO refund (payment_id, amount) SELECT i, 60 FROM generate_series(2, 8) i;
SELECT declare_limit('{"state":"state","released":"{failed}"}');
UPDATE refund SET state = 'failed' WHERE payment_id > 1 AND id > 8;
INSERT INTO refund (payment_id, amount) VALUES (9, 0);
SELECT declare_limit('{"state":"state","released":"{failed}"}');
UPDATE refund SET amount = NULL WHERE payment_id = 9;
SELECT declare_limit('{"state":"state","released":"{failed}"}');
DELETE FROM refund WHERE payment_id = 9;
UPDATE refund SET currency = 'GBP' WHERE payment_id = 3;
UPDATE payment SET currency = NULL WHERE id = 4;
SELECT declare_limit('{"state":"state","released":"{failed}","same":{"currency":"currency"}}');
UPDATE refund SET state = 'failed' WHERE payment_id IN (3, 4);
-- a refused declaration leaves nothing
SELECT attname FROM pg_attribute WHERE attrelid = 'payment'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;
SELECT tgname FROM pg_trigger WHERE tgrelid IN ('payment'::regclass, 'refund'::regclass) AND NOT tgisinternal;
-- A running total that is there already is put right, whatever it says.
ALTER TABLE payment ADD refunded int;
UPDATE payment SET refunded = 77 WHERE id IN (5, 9);
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'state', released => '{failed}', same => '{"currency":"currency"}');
SELECT id, amount, refunded FROM payment ORDER BY id;
SELECT attnotnull, pg_get_expr(adbin, adrelid) FROM pg_attribute JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = 'payment'::regclass AND attname = 'refunded';

-- The trigger function by itself decides nothing: it wants the consent of the
-- parent, which only the parent's owner can give.
CREATE TABLE thief (payment_id int NOT NULL REFERENCES payment, amount int);
CREATE TRIGGER "IDEM_limit_payment_id" AFTER INSERT OR UPDATE OR DELETE ON thief FOR EACH ROW
    EXECUTE FUNCTION idem.keep_limit('idem=1', 'fk={payment_id}', 'amount=amount', 'cap=amount', 'used=refunded', 'children=kept');
INSERT INTO thief VALUES (9, 100);
ALTER TABLE thief DROP CONSTRAINT thief_payment_id_fkey;
INSERT INTO thief VALUES (9, 100);
DROP TABLE thief;
SELECT idem.keep_limit();
SELECT idem.keep_total();
CREATE TABLE lonely (id int);
CREATE TRIGGER t BEFORE INSERT ON lonely FOR EACH ROW EXECUTE FUNCTION idem.keep_limit();
INSERT INTO lonely VALUES (1);
DROP TRIGGER t ON lonely;
CREATE TRIGGER t AFTER INSERT ON lonely FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_total();
INSERT INTO lonely VALUES (1);
DROP TRIGGER t ON lonely;
CREATE TRIGGER t AFTER INSERT ON lonely FOR EACH ROW EXECUTE FUNCTION idem.keep_total();
INSERT INTO lonely VALUES (1);
DROP TABLE lonely;
-- without its counterpart, or with one that sleeps, a child is refused
BEGIN;
ALTER TABLE payment DISABLE TRIGGER idem_limit_total_refund_payment_id;
INSERT INTO refund (payment_id, amount) VALUES (9, 10);
ROLLBACK;
BEGIN;
DROP TRIGGER idem_limit_total_refund_payment_id ON payment;
INSERT INTO refund (payment_id, amount) VALUES (9, 10);
ROLLBACK;
BEGIN;
ALTER TABLE refund DROP CONSTRAINT refund_payment_id_fkey;
INSERT INTO refund (payment_id, amount) VALUES (9, 10);
ROLLBACK;
INSERT INTO refund (payment_id, amount) VALUES (9, 10);
-- so is one that names its parent no longer, or one that is not there
BEGIN;
ALTER TABLE refund ALTER payment_id DROP NOT NULL;
INSERT INTO refund (payment_id, amount) VALUES (NULL, 10);
ROLLBACK;
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO refund (payment_id, amount) VALUES (77, 10);
ROLLBACK;
BEGIN;
INSERT INTO refund (payment_id, amount) VALUES (9, 10);
ALTER TABLE payment DISABLE TRIGGER ALL;
DELETE FROM payment WHERE id = 9;
SELECT count(*) FROM idem.rearm('refund');
UPDATE refund SET state = 'failed' WHERE payment_id = 9;
ROLLBACK;
-- What the parent's owner consented to is all that it says: who owns the child
-- cannot put its trigger back with another limit, amount or pair of columns.
CREATE FUNCTION bent(tab regclass, name text, was text, now text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    definition text := (SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = tab AND tgname = name);
BEGIN
    EXECUTE format('DROP TRIGGER %I ON %s', name, tab);
    EXECUTE replace(definition, was, now);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', tab, name);
    INSERT INTO refund (payment_id, amount) VALUES (9, 10);
    RAISE 'accepted';
EXCEPTION WHEN others THEN
    RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
SELECT now, bent('refund', 'IDEM_limit_payment_id', was, now) FROM (VALUES
    ('', ''),
    ('''cap=amount''', '''cap=id'''),
    ('''amount=amount''', '''amount=id'''),
    ('''same={currency,currency}''', '''same={currency,currency,state}'''),
    ('''same={currency,currency}''', '''same={state,currency}'''),
    ('''same={currency,currency}''', '''same={currency,state}''')) bend (was, now);
-- nor does a counterpart fit that was made for another key
SELECT now, bent('payment', 'idem_limit_total_refund_payment_id', was, now) FROM (VALUES
    ('', ''),
    ('''key={id}''', '''key={amount}'''),
    ('''key={id}''', '''key={id,amount}''')) bend (was, now);
-- so is one whose amounts have become another kind of number
BEGIN;
ALTER TABLE refund ALTER amount TYPE text;
INSERT INTO refund (payment_id, amount) VALUES (9, 10);
ROLLBACK;
BEGIN;
ALTER TABLE refund ALTER amount TYPE numeric;
INSERT INTO refund (payment_id, amount) VALUES (9, 10);
ROLLBACK;
BEGIN;
ALTER TABLE payment DROP CONSTRAINT idem_limit_refunded, ALTER refunded TYPE numeric;
INSERT INTO refund (payment_id, amount) VALUES (9, 10);
ROLLBACK;

-- A key of two columns; and more children than may be, from before.
CREATE TABLE pair (a int, b int, amount int NOT NULL, code text UNIQUE, currency text, PRIMARY KEY (a, b));
CREATE TABLE part (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL, amount int, currency text DEFAULT 'CNY', FOREIGN KEY (b, a) REFERENCES pair (b, a));
INSERT INTO pair VALUES (1, 1, 100, 'one', 'CNY'), (1, 2, 100, 'two', 'CNY');
INSERT INTO part SELECT i, 1, 1, 10 FROM generate_series(1, 3) i;
SELECT idem.guard_limit('part', '{b,a}'::text[], amount => 'amount', cap => 'amount', used => 'used', released => NULL, count_cap => 2, count_used => 'parts');
UPDATE part SET currency = 'USD' WHERE id = 1;
SELECT idem.guard_limit('part', '{b,a}'::text[], amount => 'amount', cap => 'amount', used => 'used', released => NULL, same => '{"currency":"currency"}');
UPDATE part SET currency = 'CNY' WHERE id = 1;
-- What the user asks of a total stays asked, and a declaration that
-- fails on it leaves nobody the right to write.
SELECT idem.guard_limit('part', '{b,a}'::text[], amount => 'amount', cap => 'amount', used => 'used', released => NULL, count_cap => 3, count_used => 'parts');
TABLE pair;
CREATE TABLE other_part (LIKE part, FOREIGN KEY (a, b) REFERENCES pair);
ALTER TABLE pair ADD CONSTRAINT few CHECK (used <= 30);
INSERT INTO other_part VALUES (1, 1, 1, 10);
SELECT idem.guard_limit('other_part', '{a,b}'::text[], amount => 'amount', cap => 'amount', used => 'used', released => NULL);
UPDATE pair SET used = 0;
-- who shares a total names the parent by the same columns
CREATE TABLE by_code (code text NOT NULL REFERENCES pair (code), amount int);
SELECT idem.guard_limit('by_code', 'code', amount => 'amount', cap => 'amount', used => 'used', released => NULL);
-- and one that has lost its guard has no share in it, but stands in the way
ALTER TABLE pair DROP CONSTRAINT few;
DROP TRIGGER "IDEM_limit_b_a" ON part;
SELECT idem.guard_limit('other_part', '{a,b}'::text[], amount => 'amount', cap => 'amount', used => 'used', released => NULL);
SELECT a, b, used FROM pair ORDER BY a, b;

-- The room's own functions say what they are.
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
    WHERE nspname = 'idem' AND (proname LIKE '%limit%' OR proname = 'remaining')
      AND obj_description(p.oid, 'pg_proc') IS NULL;

DROP SCHEMA limit_declare CASCADE;
