# shellcheck shell=sh
# bound.sh - instructions of a claim and one row for it; read in by run.sh

bound_script()
{
	printf '%s\n' '\set k random(1, 1000000000000000)' '\set a random(1, 1000)' 'BEGIN;' \
		"SELECT granted FROM idem.claim('bench bound', 'msg-' || :k);" \
		"INSERT INTO bench.bound_$1 (message, account, amount) VALUES ('msg-' || :k, :a, 1);" \
		'COMMIT;' >"$tmp/tmp/bound_$1.pgbench"
	echo "$tmp/tmp/bound_$1.pgbench"
}

if bench_counted "fsync = off" "synchronous_commit = off" "jit = off" "autovacuum = off" \
	"max_parallel_workers_per_gather = 0"; then
	for bound_way in bare fk idem; do
		eval "bound_$bound_way=\$(bench_instructions \"\$(bound_script $bound_way)\")"
	done
	bench_record "claim and row" instructions "no check, no foreign key" "$bound_idem" "$bound_bare"
	bench_record "claim and row" instructions "foreign key, no guard" "$bound_idem" "$bound_fk"
	bench_record "row: what the guard adds" instructions "what a foreign key adds" \
		$((bound_idem - bound_bare)) $((bound_fk - bound_bare)) 0.2
	bench_uncounted
fi
