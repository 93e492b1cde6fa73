-- The same from a worker, which has the tables, and none of idem's definitions.
\set VERBOSITY verbose
SELECT proof.gives('23I02', format($$INSERT INTO shop.payment VALUES (%s, 9, 100, 'paying')$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('23I03', format($$UPDATE shop.payment SET status = 'failed' WHERE tenant = %s AND id = 1$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('23I07', format($$UPDATE shop.payment SET amount = 1000 WHERE tenant = %s$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('23I05', format($$INSERT INTO shop.refund VALUES (%s, 20, 3, 2)$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('00000', $$INSERT INTO shop.payment SELECT t, 4, 100, 'created' FROM generate_series(1, 40) t$$);
SELECT proof.gives('00000', format($$INSERT INTO shop.refund VALUES (%s, 21, 4, 50), (%1$s, 22, 4, 50)$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('23I05', format($$INSERT INTO shop.refund VALUES (%s, 23, 4, 1)$$, t)) FROM generate_series(1, 40) t;
SELECT proof.gives('23I0A', $$INSERT INTO shop.debit VALUES (17, 'none', 5)$$);
SELECT proof.gives('23I0D', $$INSERT INTO shop.request_key (tenant, key, request) VALUES (17, 'msg-1', '{"payer": "u2", "amount": 5}') ON CONFLICT DO NOTHING$$);
SELECT 1 / bool_and((SELECT outcome = 'applied' FROM idem.transition('shop.payment', format('{"tenant": %s, "id": 4}', t), 'paying')))::int
FROM generate_series(1, 40) t;
SELECT proof.gives('0A000', $$SELECT idem.define_machine('payment', 'stateDiagram-v2')$$);
SELECT proof.gives('0A000', $$SELECT idem.claim('debit', 'message')$$)
WHERE EXISTS (SELECT FROM idem.scope);
-- the guards of the tables, none of a shard, and nobody is told to rearm them
SELECT 1 / (count(*) = 8 AND bool_and(intact) AND bool_and(relation::text !~ '[0-9]$'))::int FROM idem.guards;
SELECT 1 / (count(*) = 0)::int FROM idem.doctor() WHERE severity = 'error' AND object <> 'setting fsync' OR finding ~ 'declared';
