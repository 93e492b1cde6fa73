--
-- What has to be true before and after pg_upgrade: a line each, "ok|what" or
-- "WRONG|what|got".  Whatever passes is rolled back.
--
SET client_min_messages = error;
BEGIN;
CREATE FUNCTION pg_temp.say(what text, got text, wanted text) RETURNS text LANGUAGE sql AS
    $$SELECT CASE WHEN got IS NOT DISTINCT FROM wanted THEN 'ok|' || what ELSE concat_ws('|', 'WRONG', what, got) END$$;
-- The SQLSTATE of a statement, or "passes"; either way nothing of it stays.
CREATE FUNCTION pg_temp.outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        EXECUTE statement;
        RAISE EXCEPTION USING ERRCODE = 'ZZ999';
    EXCEPTION WHEN OTHERS THEN
        RETURN CASE SQLSTATE WHEN 'ZZ999' THEN 'passes' ELSE SQLSTATE END;
    END;
END $$;
-- The rows of a statement, read by an index and by a scan.
CREATE FUNCTION pg_temp.found(index text, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan text; line text; by_index text; by_scan text;
    query text := format('SELECT md5(string_agg(id::text, '','' ORDER BY id)) FROM price WHERE %s', condition);
    other text;
BEGIN
    BEGIN
        FOR other IN SELECT indexrelid::regclass::text FROM pg_index
            WHERE indrelid = 'price'::regclass AND NOT indisprimary AND indexrelid <> index::regclass
        LOOP
            EXECUTE format('DROP INDEX %s', other);
        END LOOP;
        PERFORM set_config('enable_seqscan', 'off', true);
        FOR line IN EXECUTE 'EXPLAIN ' || query LOOP plan := concat(plan, line); END LOOP;
        EXECUTE query INTO by_index;
        PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_indexscan', 'off', true),
                set_config('enable_bitmapscan', 'off', true), set_config('enable_indexonlyscan', 'off', true);
        EXECUTE query INTO by_scan;
        RAISE EXCEPTION USING ERRCODE = 'ZZ999';
    EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
    END;
    RETURN CASE WHEN plan NOT LIKE '%' || index || '%' THEN 'not used: ' || plan
                WHEN by_scan IS NULL THEN 'nothing to find'
                WHEN by_index IS DISTINCT FROM by_scan THEN 'other rows' END;
END $$;

-- the doctor, and the guards as they were declared
SELECT pg_temp.say('doctor: quiet', string_agg(concat_ws(': ', object, finding), '; '), NULL)
    FROM idem.doctor() d WHERE object !~ '^setting (fsync|full_page_writes|synchronous_commit)$' AND finding NOT LIKE 'looks like %'
          AND finding NOT LIKE '% no site: %' AND finding NOT LIKE 'nothing is sent from here: %'
          AND NOT EXISTS (SELECT FROM kept.finding k
                          WHERE k.object = d.object AND k.finding = regexp_replace(d.finding, '(since|until|for) .*', ''));
SELECT pg_temp.say('guards: intact', string_agg(relation || ' ' || kind || ' ' || intact, ', ' ORDER BY relation::text, kind),
    'journal kept true, payment fixed true, payment states true, refund limit true, transfer states true')
    FROM idem.guards WHERE relation::text NOT LIKE 'rooms.%';
SELECT pg_temp.say('as it was: ' || what, (count(*) FILTER (WHERE b.shown IS NULL OR n.shown IS NULL))::text, '0')
    FROM kept.before b FULL JOIN kept.now n USING (what, shown) GROUP BY what ORDER BY what;

-- the rows as kept.row has them, where rooms.sql has run; that two persons have to
-- agree is in the way below
SELECT to_regnamespace('rooms') IS NOT NULL AS rooms, to_regclass('kept.row') IS NOT NULL AS rows \gset
\if :rows
SELECT pg_temp.say('rows as they were: ' || name, (count(*) FILTER (WHERE b.row IS NULL OR n.row IS NULL))::text, '0')
    FROM kept.row b FULL JOIN kept.rows() n USING (name, row) GROUP BY name ORDER BY name;
\endif
\if :rooms
SELECT pg_temp.say('two persons', pg_temp.outcome($$SELECT idem.drop_guard('payment', 'fixed', reason => 'test')$$), '42501');
DELETE FROM idem.policy;
\endif

-- each guard, tried
SELECT pg_temp.say(s, pg_temp.outcome(s), wanted) FROM (VALUES
    (1, $$UPDATE payment SET status = 'settled' WHERE id = 1$$, '23I01'),
    (2, $$INSERT INTO payment VALUES (99, 1.00, 'EUR', 'paid')$$, '23I02'),
    (3, $$UPDATE payment SET status = 'paid' WHERE id = 50$$, '23I03'),
    (4, $$UPDATE payment SET status = 'paid' WHERE id = 2$$, '23I04'),
    (5, $$UPDATE transfer SET status = 'settled' WHERE id = 1$$, '23I01'),
    (6, $$UPDATE transfer SET status = 'settled' WHERE id = 2$$, 'passes'),
    (7, $$DELETE FROM transfer$$, '23I08'),
    (8, $$TRUNCATE transfer_done$$, '23I08'),
    (9, $$INSERT INTO refund VALUES (9, 2, 40.01, 'EUR', 'asked')$$, '23I05'),
    (10, $$INSERT INTO refund VALUES (9, 2, 40.00, 'EUR', 'asked')$$, 'passes'),
    (11, $$INSERT INTO refund VALUES (9, 2, 50.00, 'EUR', 'chargeback')$$, 'passes'),
    (12, $$INSERT INTO refund SELECT 90 + i, 2, 1.00, 'EUR', 'asked' FROM generate_series(1, 3) i$$, '23I05'),
    (13, $$INSERT INTO refund VALUES (9, 2, 1.00, 'USD', 'asked')$$, '23I06'),
    (14, $$INSERT INTO refund VALUES (9, 1, 1.00, 'EUR', 'asked')$$, '23I09'),
    (15, $$UPDATE payment SET refunded = '0.00' WHERE id = 2$$, '23I07'),
    (16, $$UPDATE payment SET amount = '1000.00' WHERE id = 2$$, '23I07'),
    (17, $$DELETE FROM refund$$, '23I08'),
    (18, $$TRUNCATE payment CASCADE$$, '23I08'),
    (19, $$UPDATE journal SET amount = '0.00'$$, '23I08'),
    (20, $$DELETE FROM journal_2_2$$, '23I08'),
    (21, $$TRUNCATE journal_2$$, '23I08'),
    (22, $$UPDATE payment SET status = 'paid' WHERE id = 1$$, 'passes'),
    (23, $$SET LOCAL session_replication_role = replica; DELETE FROM refund$$, '23I08'),
    (24, $$SET LOCAL session_replication_role = replica; UPDATE payment SET status = 'settled' WHERE id = 1$$, '23I01'),
    -- DDL
    (30, $$ALTER TABLE payment DISABLE TRIGGER idem_fixed_amount_currency_bank_no$$, '2BP01'),
    (31, $$ALTER TABLE payment RENAME paid_at TO x$$, '2BP01'),
    (32, $$ALTER TABLE payment DROP refunded$$, '2BP01'),
    (33, $$ALTER TABLE journal_1 DISABLE TRIGGER idem_kept$$, '2BP01'),
    (34, $$ALTER TABLE journal DETACH PARTITION journal_1$$, '2BP01'),
    (35, $$ALTER TABLE payment ALTER currency TYPE text USING 'USD'$$, '2BP01'),
    (36, $$ALTER TYPE mood RENAME VALUE 'paid' TO 'x'$$, '2BP01'),
    (37, $$DROP EXTENSION idem CASCADE$$, '2BP01'),
    (38, $$CREATE OR REPLACE FUNCTION idem.keep_rows() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'$$, '2BP01'),
    (39, $$ALTER EXTENSION idem UPDATE$$, 'passes'),
    (40, $$ALTER TABLE payment ADD note text$$, 'passes'),
    (41, $$CREATE TABLE journal_3 PARTITION OF journal FOR VALUES IN (3)$$, 'passes'),
    (42, $$SELECT idem.guard_fixed('journal', '{amount}')$$, 'passes'),
    (43, $$SELECT idem.drop_guard('payment', 'fixed', reason => 'test')$$, 'passes'),
    (44, $$SELECT idem.define_machine('pay', E'stateDiagram-v2\n[*] --> created\ncreated --> paid : pay\npaid --> settled\npaid --> lost\nsettled --> [*]\nlost --> [*]\n', loosen => 'lost')$$, 'passes'),
    -- rights
    (50, $$SET LOCAL ROLE app; SELECT idem.claim('in', 'by-app', '{"amount": 1}')$$, 'passes'),
    (51, $$SET LOCAL ROLE app; UPDATE payment SET status = 'paid' WHERE id = 1$$, 'passes'),
    (52, $$SET LOCAL ROLE app; SELECT * FROM idem.anchor$$, '42501'),
    (53, $$SET LOCAL ROLE app; SELECT idem.drop_guard('payment', 'fixed', reason => 'test')$$, '42501'),
    (54, $$SET LOCAL ROLE app; SELECT * FROM idem.doctor()$$, '42501')
    ) t (n, s, wanted) ORDER BY n;

-- the guards of rooms.sql
\if :rooms
SELECT pg_temp.say(s, pg_temp.outcome(s), wanted) FROM (VALUES
    (1, $$INSERT INTO rooms.entry VALUES (3, 17, 'D', 40.01, 'EUR')$$, '23I05'),
    (2, $$INSERT INTO rooms.entry VALUES (3, 17, 'D', 40.00, 'EUR')$$, 'passes'),
    (3, $$INSERT INTO rooms.entry VALUES (3, 17, 'D', 9.00, 'EUR', 'posted', 2)$$, 'passes'),
    (4, $$UPDATE rooms.account SET balance = '1000'$$, '23I07'),
    (5, $$INSERT INTO rooms.posting VALUES (1, 17, 'D', 1.00, 'EUR')$$, '23I0B'),
    (6, $$SELECT idem.apply_balances('rooms.till')$$, 'passes'),
    (7, $$UPDATE rooms.batch SET status = 'accepted' WHERE id = 1$$, '23I05'),
    (8, $$INSERT INTO rooms.batch_line VALUES (1, 2, 20.00); UPDATE rooms.batch SET status = 'accepted' WHERE id = 1$$, 'passes'),
    (9, $$INSERT INTO rooms.batch_line VALUES (2, 3, 1.00)$$, '23I09'),
    (10, $$UPDATE rooms."order" SET status = 'shipped'$$, '23I0C'),
    (11, $$INSERT INTO rooms.booking VALUES (2, '2026-11-30')$$, '23I0C'),
    (12, $$UPDATE rooms.debit SET status = 'asked'; SET CONSTRAINTS ALL IMMEDIATE$$, '23I0C'),
    (13, $$UPDATE rooms.payout SET status = 'paid'$$, '23I0A'),
    (14, $$INSERT INTO rooms.tenant_debit VALUES (2, 17, 'msg-1')$$, '23I0A'),
    (15, $$DELETE FROM rooms.request_key$$, '23I08'),
    (16, $$INSERT INTO rooms.request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer":"u2"}') ON CONFLICT DO NOTHING$$, '23I0D'),
    (17, $$UPDATE rooms.task SET status = 'done'$$, 'passes'),
    (18, $$SET LOCAL ROLE one_scope; SELECT idem.claim('rooms suspect', 'c', '{"user": "u2"}')$$, '42501'),
    (19, $$SELECT idem.resume('scope', 'rooms pay', reason => 'test')$$, 'passes')
    ) t (n, s, wanted) ORDER BY n;
SELECT pg_temp.say('suspected: ' || k, (idem.claim('rooms suspect', k, '{"user": "u1"}')).outcome, wanted)
    FROM (VALUES ('a', 'replayed'), ('b', 'suspect'), ('c', 'suspect')) t (k, wanted);
SELECT pg_temp.say('paused', (idem.reserve('rooms pay', 'c', '{"amount": 1}')).outcome,
    CASE WHEN idem.misplaced() IS NULL THEN 'paused' ELSE 'misplaced' END);
SELECT pg_temp.say('late', (SELECT string_agg(outcome, ' ') FROM idem.late_result), 'unknown');
SELECT pg_temp.say('reconciled again', (SELECT string_agg(concat_ws(' ', kind, keys, open), ', ' ORDER BY kind)
                                        FROM idem.reconcile('rooms', '2018-07-18')),
    'amount 1 1, matched 1 0, unidentified 1 0');
SELECT pg_temp.say('differences', (SELECT string_agg(kind || ' ' || state, ', ' ORDER BY kind) FROM idem.differences WHERE rule = 'rooms'),
    'amount open, unidentified explained');
SELECT pg_temp.say('stuck', (SELECT string_agg(concat_ws(' ', relation, key, state), ', ') FROM idem.stuck WHERE what = 'states'), 'rooms.task 1 created');
\endif

-- old claims are known
SELECT pg_temp.say('claim: ' || k, concat_ws(' ', c.outcome, c.state, c.response), wanted)
    FROM (VALUES ('done', 'replayed succeeded {"answer": 1}'), ('new', 'granted claimed')) t (k, wanted),
         idem.claim('in', k, '{"amount": 1}') c;
SELECT pg_temp.say('claim: another request', (idem.claim('in', 'done', '{"amount": 2}')).outcome, 'mismatch');
SELECT pg_temp.say('reservation: ' || k, (idem.lookup('out', k)).state, k_state)
    FROM (VALUES ('reserved', 'reserved'), ('dispatched', 'dispatched'), ('unknown', 'unknown'), ('done', 'succeeded'), ('fenced', 'fenced')) t (k, k_state);
SELECT pg_temp.say('history', (SELECT string_agg(to_state, ' ') FROM idem.history('payment', '50')), 'created paid settled');
SELECT pg_temp.say('remaining', idem.remaining('refund', '2')::text, '40.000000');

-- amounts, and the indexes over them
SELECT pg_temp.say('money: total', (sum(amount) = (SELECT total FROM price_sum) AND count(*) = (SELECT number FROM price_sum))::text, 'true')
    FROM price WHERE id > 0;
SELECT pg_temp.say('money: ends', string_agg(amount::text, ' ' ORDER BY amount), '-999999999999.999999 999999999999.999999') FROM price WHERE id < 1;
SELECT pg_temp.say('index: ' || i, pg_temp.found(i, c), NULL) FROM (VALUES
    ('price_btree', $$amount BETWEEN '1.00' AND '1.50'$$),
    ('price_unique', $$amount = '-2.99'$$),
    ('price_hash', $$amount = '4.20'$$),
    ('price_minmax', $$amount > '6.90'$$),
    ('price_multi', $$amount > '6.90'$$),
    ('price_bloom', $$amount = '4.20'$$),
    ('price_range', $$period @> '3.33'::money_micro$$)) t (i, c);
ROLLBACK;

-- the server's own proof of every tree, where it is at hand
SELECT count(*) > 0 AS amcheck FROM pg_available_extensions WHERE name = 'amcheck' \gset
\if :amcheck
BEGIN;
CREATE EXTENSION amcheck SCHEMA public;
SELECT 'ok|amcheck: ' || count(bt_index_check(i.indexrelid, true)) || ' indexes'
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam AND a.amname = 'btree'
    WHERE c.relkind = 'i' AND c.relpersistence = 'p';
ROLLBACK;
\endif
