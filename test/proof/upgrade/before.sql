--
-- Every room in use, for test/proof/upgrade.sh: run on the old server.  And for
-- test/tap/550_update.pl, which has installed an old version of the extension.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS idem;

-- money: a column under every kind of index, and a range
CREATE TABLE price (id int PRIMARY KEY, amount money_micro NOT NULL, period money_micro_range);
INSERT INTO price SELECT i, (i % 1000 / 100.0 - 3)::numeric::money_micro,
       money_micro_range((i % 1000 / 100.0)::numeric::money_micro, (i % 1000 / 100.0 + 1)::numeric::money_micro)
    FROM generate_series(1, 20000) i;
INSERT INTO price VALUES (0, '999999999999.999999', NULL), (-1, '-999999999999.999999', NULL);
CREATE INDEX price_btree ON price (amount);
CREATE UNIQUE INDEX price_unique ON price (amount, id);
CREATE INDEX price_hash ON price USING hash (amount);
CREATE INDEX price_minmax ON price USING brin (amount);
CREATE INDEX price_multi ON price USING brin (amount money_micro_minmax_multi_ops);
CREATE INDEX price_bloom ON price USING brin (amount money_micro_bloom_ops);
CREATE INDEX price_range ON price USING gist (period);
CREATE MATERIALIZED VIEW price_sum AS SELECT sum(amount) AS total, count(*) AS number FROM price WHERE id > 0;
CREATE DOMAIN positive AS money_micro CHECK (VALUE > '0.00');

-- machines in a second version, states with history, also on partitions
SELECT idem.define_machine('pay', E'stateDiagram-v2\n[*] --> created\ncreated --> paid\npaid --> [*]\n');
SELECT idem.define_machine('pay', E'stateDiagram-v2\n[*] --> created\ncreated --> paid : pay\npaid --> settled\nsettled --> [*]\n', loosen => 'settled');
CREATE TYPE mood AS ENUM ('created', 'paid', 'settled');
CREATE TABLE payment (id int PRIMARY KEY, amount positive NOT NULL, currency text NOT NULL, status text, paid_at timestamptz, bank_no text);
CREATE TABLE refund (id int PRIMARY KEY, payment_id int NOT NULL REFERENCES payment, amount money_micro NOT NULL, currency text, kind text);
CREATE TABLE journal (id int, part int, amount money_micro, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE journal_1 PARTITION OF journal FOR VALUES IN (1);
CREATE TABLE journal_2 PARTITION OF journal FOR VALUES IN (2) PARTITION BY LIST (part);
CREATE TABLE journal_2_2 PARTITION OF journal_2 FOR VALUES IN (2);
CREATE TABLE transfer (id int, status mood, PRIMARY KEY (id, status)) PARTITION BY LIST (status);
CREATE TABLE transfer_live PARTITION OF transfer FOR VALUES IN ('created', 'paid');
CREATE TABLE transfer_done PARTITION OF transfer FOR VALUES IN ('settled');
SELECT idem.guard_states('payment', 'status', 'pay');
SELECT idem.guard_states('transfer', 'status', 'pay', delete => 'final');
SELECT idem.guard_fixed('payment', '{amount,currency}', once => '{bank_no}');
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'kind', released => '{void}', same => '{"currency":"currency"}', facts => '{chargeback}', excess => 'beyond',
    parent_state => 'status', open => '{paid,settled}', count_cap => 3, count_used => 'refunds',
    max_age => '1 year', age_from => 'paid_at');
SELECT idem.guard_kept('journal');
INSERT INTO payment SELECT i, 100.00, 'EUR', 'created', now() FROM generate_series(1, 50) i;
UPDATE payment SET status = 'paid' WHERE id > 1;
UPDATE payment SET status = 'settled' WHERE id > 40;
INSERT INTO refund VALUES (1, 2, 60.00, 'EUR', 'asked'), (2, 2, 30.00, 'EUR', 'void'), (3, 3, 100.00, 'EUR', 'asked');
INSERT INTO journal VALUES (1, 1, 1.00), (2, 2, 2.00);
INSERT INTO transfer VALUES (1, 'created'), (2, 'created');
UPDATE transfer SET status = 'paid' WHERE id = 2;
CREATE TABLE dropped (id int);
SELECT idem.guard_kept('dropped');
SELECT idem.drop_guard('dropped', 'kept', reason => 'not needed');

-- claims: done inside; outside reserved, dispatched, unknown, done
SELECT idem.create_scope('in', effect => 'inside', fields => '{amount}');
SELECT idem.create_scope('out', effect => 'outside', fields => '{amount}');
BEGIN;
SELECT outcome FROM idem.claim('in', 'done', '{"amount": 1}');
SELECT outcome FROM idem.complete('in', 'done', '{"answer": 1}');
COMMIT;
SELECT idem.reserve('out', k, '{"amount": 1}') FROM unnest('{reserved,dispatched,unknown,done}'::text[]) k;
CALL idem.dispatch('out', 'dispatched', 1);
CALL idem.dispatch('out', 'unknown', 1);
SELECT idem.complete('out', 'unknown', 1, 'failed');
CALL idem.dispatch('out', 'done', 1);
SELECT idem.complete('out', 'done', 1, 'succeeded', '{"bank": 7}');
SELECT idem.fence('out', 'fenced', 'a reversal came first');

-- an application
CREATE ROLE app LOGIN;
ALTER ROLE app SET lock_timeout = '5s';
ALTER ROLE app SET statement_timeout = '30s';
ALTER ROLE app SET idle_in_transaction_session_timeout = '60s';
SELECT idem.grant_runtime('app');
GRANT SELECT, INSERT, UPDATE ON payment, refund TO app;

-- what is to be the same afterwards
CREATE SCHEMA kept;
CREATE VIEW kept.now AS
    SELECT 'trigger' AS what, pg_get_triggerdef(oid) || tgenabled::text AS shown FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'event trigger', concat(evtname, evtevent, evtenabled) FROM pg_event_trigger
    UNION ALL SELECT 'change', c::text FROM idem.change c
    UNION ALL SELECT 'transition', t::text FROM idem.transition_log t
    UNION ALL SELECT 'machine', m::text FROM idem.machine m
    UNION ALL SELECT 'scope', s::text FROM idem.scope s
    UNION ALL SELECT 'anchor', a::text FROM idem.anchor a
    UNION ALL SELECT 'reservation', r::text FROM idem.reservation r
    UNION ALL SELECT 'attempt', a::text FROM idem.attempt a
    UNION ALL SELECT 'evidence', e::text FROM idem.evidence e
    UNION ALL SELECT 'payment', p::text FROM payment p
    UNION ALL SELECT 'price', p::text FROM price p;
CREATE TABLE kept.before AS SELECT * FROM kept.now;
-- what the doctor says already
CREATE TABLE kept.finding (severity text, object text, finding text);
-- the rows of every table of the extension that goes into a dump, and of rooms.sql
CREATE FUNCTION kept.rows() RETURNS TABLE (name text, "row" jsonb) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE (
        SELECT string_agg(format('SELECT %L, to_jsonb(t) FROM %s t', c::regclass, c::regclass), ' UNION ALL ')
        FROM (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'idem'
              UNION SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace('rooms') AND relkind = 'r') t (c));
END $$;
