-- The doctor knows shards, and finds the one that was touched.
\set VERBOSITY verbose
SELECT 1 / (count(*) = 0)::int FROM idem.doctor() WHERE severity = 'error' AND object <> 'setting fsync' OR object ~ '_[0-9]{6}';
SELECT 1 / bool_and(intact)::int FROM idem.guards;
-- an owner at a worker, by the name of the shard: refused there
SELECT 1 / bool_and(result ~ 'would weaken')::int
FROM run_command_on_placements('shop.receipt', 'ALTER TABLE %s DISABLE TRIGGER ALL');
-- a superuser who says why, and what the doctor says then
SELECT nodename, nodeport, shardid FROM pg_dist_shard_placement JOIN pg_dist_shard USING (shardid)
WHERE logicalrelid = 'shop.receipt'::regclass ORDER BY shardid LIMIT 1 \gset
SELECT 1 / success::int, result FROM master_run_on_worker(ARRAY[:'nodename'], ARRAY[:nodeport],
    ARRAY[format('SET idem.allow_unguarded = %L; ALTER TABLE shop.receipt_%s DISABLE TRIGGER ALL', 'the proof', :shardid)], true);
SELECT 1 / (count(*) = 1 AND min(object) ~ :'shardid')::int FROM idem.node_problems;
SELECT idem.drop_guard('shop.receipt', 'kept', reason => 'the doctor says so');
SELECT idem.guard_kept('shop.receipt');
SELECT 1 / (count(*) = 0)::int FROM idem.node_problems;
-- a diagram that somebody put into the trigger by hand
BEGIN;
SET LOCAL idem.allow_unguarded = 'the proof';
SET LOCAL citus.enable_unsafe_triggers = on;
CREATE OR REPLACE TRIGGER idem_states_status AFTER INSERT OR UPDATE OR DELETE ON shop.early FOR EACH ROW
    EXECUTE FUNCTION idem.keep_states('idem=1', 'column=status', 'machine=payment', 'repeat=refuse', 'delete=never', 'history=false',
                                      E'diagram=stateDiagram-v2\n[*] --> a\na --> [*]\n');
ALTER TABLE shop.early ENABLE ALWAYS TRIGGER idem_states_status;
SELECT 1 / (count(*) = 1)::int FROM idem.machine_problems WHERE finding ~ 'carries another diagram';
ROLLBACK;
