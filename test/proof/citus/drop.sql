-- Guards are taken off with a reason, on each shard, and nothing is set for it.
\set VERBOSITY verbose
SELECT proof.gives('2BP01', $$SET LOCAL citus.enable_unsafe_triggers = on; DROP TRIGGER idem_fixed_amount ON shop.payment$$);
SELECT proof.gives('00000', $$SELECT idem.drop_guard('shop.payment', 'fixed', reason => 'the proof')$$);
SELECT proof.gives('00000', $$UPDATE shop.payment SET note = note$$);
SELECT proof.gives('00000', $$SELECT idem.drop_guard('shop.refund', 'limit', reason => 'the proof')$$);
SELECT proof.gives('00000', $$SELECT idem.drop_guard('shop.payment', 'states', reason => 'the proof')$$);
SELECT proof.gives('2BP01', $$SELECT idem.drop_guard('shop.request_key', 'keys', reason => 'the proof')$$);
SELECT proof.gives('00000', $$SELECT idem.drop_guard('shop.debit', 'claimed', reason => 'the proof')$$);
SELECT proof.gives('00000', $$SELECT idem.drop_guard('shop.request_key', 'keys', reason => 'the proof')$$);
SELECT proof.gives('00000', $$SELECT idem.drop_guard('shop.receipt', 'kept', reason => 'the proof')$$);
SELECT 1 / bool_and(success AND result = '0 0')::int
FROM unnest('{payment,refund,receipt,request_key,debit}'::text[]) t,
     LATERAL run_command_on_placements(('shop.' || t)::regclass, 'SELECT idem.trigger_print(%L::regclass)');
SELECT proof.gives('00000', $$DELETE FROM shop.refund$$);
SELECT proof.gives('00000', $$TRUNCATE shop.payment, shop.refund$$);
SELECT proof.gives('00000', $$TRUNCATE shop.receipt$$);
-- and are declared again as they were
SELECT proof.gives('00000', $$SELECT idem.guard_states('shop.payment', 'status', 'payment', history => false)$$);
SELECT proof.gives('23I02', $$INSERT INTO shop.payment VALUES (1, 9, 100, 'paying')$$);
SELECT 1 / (count(*) = 0)::int FROM idem.doctor() WHERE severity = 'error' AND object <> 'setting fsync';
