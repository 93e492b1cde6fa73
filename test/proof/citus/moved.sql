-- Four groups of shards went to the other worker, and one was split.
\set VERBOSITY verbose
SELECT 1 / (count(*) = 9)::int FROM pg_dist_shard WHERE logicalrelid = 'shop.payment'::regclass;
SELECT proof.gives('23I02', format($$INSERT INTO shop.payment VALUES (%s, 9, 100, 'paying')$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('23I03', format($$UPDATE shop.payment SET status = 'failed' WHERE tenant = %s AND id = 1$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('23I07', format($$UPDATE shop.payment SET amount = 1000 WHERE tenant = %s$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('23I08', $$DELETE FROM shop.receipt WHERE tenant = 11$$);
SELECT proof.gives('23I05', format($$INSERT INTO shop.refund VALUES (%s, 20, 3, 2)$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('00000', format($$INSERT INTO shop.refund VALUES (%s, 24, 3, 1)$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('23I05', format($$INSERT INTO shop.refund VALUES (%s, 25, 3, 1)$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('23I0D', $$INSERT INTO shop.request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer": "u2", "amount": 5}') ON CONFLICT DO NOTHING$$);
SELECT 1 / (count(*) = 0)::int FROM shop.payment p
LEFT JOIN (SELECT tenant, payment_id, sum(amount) AS n FROM shop.refund WHERE status <> 'failed' GROUP BY 1, 2) r
     ON r.tenant = p.tenant AND r.payment_id = p.id
WHERE p.refunded <> coalesce(r.n, 0) OR p.refunded > p.amount;
-- what the move left behind goes, guards or not
CALL citus_cleanup_orphaned_resources();
SELECT 1 / (count(*) = 0)::int FROM pg_dist_cleanup;
-- TRUNCATE is refused, and with a reason it empties moved shards, too
SELECT proof.gives('23I08', $$TRUNCATE shop.receipt$$);
BEGIN;
SET LOCAL idem.truncate_reason = 'the proof';
TRUNCATE shop.receipt;
SELECT 1 / (count(*) = 0)::int FROM shop.receipt;
ROLLBACK;
SELECT proof.gives('23I08', $$SET LOCAL idem.truncate_reason = 'the proof'; TRUNCATE shop.refund$$);
