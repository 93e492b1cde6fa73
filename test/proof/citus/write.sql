-- Every way to write, on the shards of both workers.
\set VERBOSITY verbose
INSERT INTO shop.payment SELECT t, i, 100, 'created' FROM generate_series(1, 40) t, generate_series(1, 3) i;
INSERT INTO shop.receipt SELECT t, 1, 'paper' FROM generate_series(1, 40) t;

-- states, of every tenant, so on every shard
SELECT proof.gives('23I02', format($$INSERT INTO shop.payment VALUES (%s, 9, 100, 'paying')$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('23I01', format($$UPDATE shop.payment SET status = 'succeeded' WHERE tenant = %s$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('00000', $$UPDATE shop.payment SET status = 'paying' WHERE id = 2$$);
SELECT proof.gives('23I04', $$UPDATE shop.payment SET status = 'paying' WHERE id = 2 AND tenant = 7$$);
SELECT proof.gives('00000', $$UPDATE shop.payment SET status = 'succeeded' WHERE id = 2 AND tenant <= 20$$);
SELECT proof.gives('23I03', $$UPDATE shop.payment SET status = 'failed' WHERE id = 2 AND tenant = 20$$);
SELECT proof.gives('23I01', $$INSERT INTO shop.payment VALUES (3, 1, 100, 'created') ON CONFLICT (tenant, id) DO UPDATE SET status = 'failed'$$);
SELECT proof.gives('23I08', $$DELETE FROM shop.payment WHERE tenant = 5$$);
SELECT proof.gives('23I08', $$DELETE FROM shop.payment$$);
SELECT proof.gives('23I08', $$TRUNCATE shop.payment, shop.refund$$);
-- of many rows by COPY between nodes the text is what Citus leaves
SELECT proof.gives('XX000', $$INSERT INTO shop.payment SELECT t, 9, 100, 'paying' FROM generate_series(1, 40) t$$);
SELECT proof.gives('XX000', $$INSERT INTO shop.payment SELECT tenant, id + 10, amount, 'paying' FROM shop.payment LIMIT 5$$);

-- fixed and kept
SELECT proof.gives('23I07', format($$UPDATE shop.payment SET amount = 1000 WHERE tenant = %s$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('23I07', $$UPDATE shop.payment SET amount = 1000$$);
SELECT proof.gives('23I08', $$DELETE FROM shop.receipt WHERE tenant = 11$$);
SELECT proof.gives('23I08', $$UPDATE shop.receipt SET paper = 'another'$$);
SELECT proof.gives('23I08', $$TRUNCATE shop.receipt$$);

-- limits: of one row, of several, of several payments, by COPY between nodes
SELECT proof.gives('00000', format($$INSERT INTO shop.refund VALUES (%s, 1, 1, 60)$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('23I05', format($$INSERT INTO shop.refund VALUES (%s, 2, 1, 41)$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('23I05', $$INSERT INTO shop.refund VALUES (4, 2, 1, 20), (4, 3, 1, 20), (4, 4, 1, 1)$$);
SELECT proof.gives('00000', $$INSERT INTO shop.refund VALUES (4, 2, 1, 20), (4, 3, 1, 20), (5, 2, 1, 40), (6, 2, 2, 100)$$);
SELECT proof.gives('23I05', $$INSERT INTO shop.refund VALUES (4, 5, 1, 1)$$);
SELECT proof.gives('00000', $$INSERT INTO shop.refund SELECT t, 7, 3, 99 FROM generate_series(1, 40) t$$);
SELECT proof.gives('XX000', $$INSERT INTO shop.refund SELECT t, 8, 3, 2 FROM generate_series(1, 40) t$$);
SELECT proof.gives('00000', $$UPDATE shop.refund SET status = 'failed' WHERE tenant = 4 AND id = 3$$);
SELECT proof.gives('00000', $$INSERT INTO shop.refund VALUES (4, 5, 1, 20)$$);
SELECT proof.gives('23I05', $$UPDATE shop.refund SET status = 'new' WHERE tenant = 4 AND id = 3$$);
SELECT proof.gives('23I07', $$UPDATE shop.refund SET amount = 1 WHERE tenant = 4 AND id = 1$$);
SELECT proof.gives('23I08', $$DELETE FROM shop.refund$$);
SELECT proof.gives('23I07', $$UPDATE shop.payment SET refunded = 0$$);
SELECT proof.gives('23502', $$INSERT INTO shop.refund VALUES (4, 9, 1, NULL)$$);
SELECT 1 / (count(*) = 0)::int FROM shop.payment p
LEFT JOIN (SELECT tenant, payment_id, sum(amount) AS n FROM shop.refund WHERE status <> 'failed' GROUP BY 1, 2) r
     ON r.tenant = p.tenant AND r.payment_id = p.id
WHERE p.refunded <> coalesce(r.n, 0) OR p.refunded > p.amount;
SELECT 1 / (idem.remaining('shop.refund', '{"tenant": 4, "id": 1}') = 0)::int;

-- transition(), with the row on either worker
SELECT 1 / bool_and((SELECT outcome = 'applied' FROM idem.transition('shop.payment', format('{"tenant": %s, "id": 1}', t), 'paying', 'submit')))::int
FROM generate_series(1, 40) t;
SELECT 1 / bool_and((SELECT outcome = 'already' FROM idem.transition('shop.payment', format('{"tenant": %s, "id": 1}', t), 'paying')))::int
FROM generate_series(1, 40) t;
SELECT 1 / bool_and((SELECT outcome = 'applied' FROM idem.transition('shop.payment', format('{"tenant": %s, "id": 1}', t), 'succeeded', 'confirm', set => '{"note": "it''s \"paid\""}')))::int
FROM generate_series(1, 40) t;
SELECT 1 / (count(*) = 40)::int FROM shop.payment WHERE id = 1 AND status = 'succeeded' AND note = 'it''s "paid"';
SELECT 1 / (outcome = 'conflict')::int FROM idem.transition('shop.payment', '{"tenant": 9, "id": 1}', 'succeeded', set => '{"note": "other"}');
SELECT 1 / (outcome = 'refused')::int FROM idem.transition('shop.payment', '{"tenant": 9, "id": 1}', 'failed');
SELECT 1 / (outcome = 'missing')::int FROM idem.transition('shop.payment', '{"tenant": 9, "id": 99}', 'failed');
SELECT proof.gives('0A000', $$SELECT idem.transition('shop.payment', '{"tenant": 30, "id": 2}', 'paying', 'ask')$$);

-- keys, and the effect that needs one of this transaction
SELECT proof.gives('23I0A', $$INSERT INTO shop.debit VALUES (17, 'none', 5)$$);
BEGIN;
INSERT INTO shop.request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer": "u1", "amount": 5}') ON CONFLICT DO NOTHING RETURNING 1 / (key = 'msg-1')::int AS granted;
INSERT INTO shop.debit VALUES (17, 'msg-1', 5);
COMMIT;
WITH again AS (INSERT INTO shop.request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer": "u1", "amount": 5.0}') ON CONFLICT DO NOTHING RETURNING 1)
SELECT 1 / (count(*) = 0)::int FROM again;
SELECT proof.gives('23I0D', $$INSERT INTO shop.request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer": "u2", "amount": 5}') ON CONFLICT DO NOTHING$$);
SELECT proof.gives('23I0A', $$INSERT INTO shop.debit VALUES (17, 'msg-2', 5)$$);
SELECT proof.gives('23I07', $$UPDATE shop.request_key SET request = '{}' WHERE tenant = 17 AND key = 'msg-1'$$);
SELECT proof.gives('00000', $$UPDATE shop.request_key SET response = '{"id": 1}' WHERE tenant = 17 AND key = 'msg-1'$$);
SELECT proof.gives('23I07', $$UPDATE shop.request_key SET response = '{"id": 2}' WHERE tenant = 17 AND key = 'msg-1'$$);
SELECT proof.gives('23I08', $$DELETE FROM shop.request_key WHERE tenant = 17$$);
SELECT proof.gives('22I01', $$INSERT INTO shop.request_key (tenant, key, request) VALUES (17, ' m', '{"payer": "u1", "amount": 5}')$$);
