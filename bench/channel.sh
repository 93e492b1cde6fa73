# shellcheck shell=sh
# channel.sh - instructions of complete with codes and echo; read in by run.sh

channel_answer="jsonb_build_object('code', '0000', 'serial', 'po-' || n, 'amount', '88.0')"

# A completion of the next key of a way: channel_script WAY ARGUMENTS
channel_script()
{
	printf '%s\n' "SELECT c.outcome FROM nextval('bench.$1') n, LATERAL idem.complete('bench $1', 'po-' || n, 1, $2) c;" \
		>"$tmp/tmp/channel_$1.pgbench"
	echo "$tmp/tmp/channel_$1.pgbench"
}

if bench_counted "fsync = off" "synchronous_commit = off" "jit = off" "autovacuum = off" \
	"max_parallel_workers_per_gather = 0"; then
	channel_said=$(bench_instructions "$(channel_script said "'succeeded', $channel_answer")")
	channel_judged=$(bench_instructions "$(channel_script judged "answer => $channel_answer")")
	bench_record "complete with codes and echo" instructions "complete with an outcome" \
		"$channel_judged" "$channel_said" 1.15
	bench_uncounted
fi
