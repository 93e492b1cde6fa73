# shellcheck shell=sh
# ledger.sh - batches of transfers, by instructions; read in by run.sh
#
# Instructions of the backend for one INSERT of 1,000 transfers between 20,
# 1,000 and 100,000 accounts, and for one of one: beside the table's two
# foreign keys, and beside a PL/pgSQL trigger for each row.

ledger_script()
{
	printf 'INSERT INTO bench.transfer_%s_%s (debit_id, credit_id, amount)
		SELECT 1 + (i * 7919 + :c * 31) %% %s, 1 + (i * 7919 + :c * 31 + 1 + i %% 17) %% %s, 1
		FROM generate_series(1, %s) i;\n' "$1" "$2" "$2" "$2" "$3" |
		sed '1i \\\\set c random(1, 1000000)' >"$tmp/tmp/ledger_$1_$2_$3.pgbench"
	echo "$tmp/tmp/ledger_$1_$2_$3.pgbench"
}

# The instructions of a batch of that size, in $counted.
ledger_count()
{
	script=$(ledger_script "$1" "$2" "$3")
	short=$(bench_counted_run "$script" "$4")
	long=$(bench_counted_run "$script" "$5")
	counted=$(((long - short) / ($5 - $4)))
	eval "counted_$1=$counted"
}

# ledger_compare WHAT ACCOUNTS SIZE SHORT LONG BAR WAY...
ledger_compare()
{
	ledger_what=$1 ledger_accounts=$2 ledger_size=$3 ledger_short=$4 ledger_long=$5 ledger_bar=$6
	shift 6
	for ledger_way in "$@"; do
		ledger_count "$ledger_way" "$ledger_accounts" "$ledger_size" "$ledger_short" "$ledger_long"
	done
	bench_record "$ledger_what: what the guards add" instructions "what the two foreign keys add" \
		$((counted_idem - counted_fk)) $((counted_fk - counted_bare)) "$ledger_bar"
	case " $* " in
		*" row "*)
			bench_record "$ledger_what: what the guards add" instructions "what a PL/pgSQL trigger adds" \
				$((counted_idem - counted_fk)) $((counted_row - counted_fk))
			bench_record "$ledger_what" instructions "PL/pgSQL trigger for each row" "$counted_idem" "$counted_row" ;;
	esac
}

if bench_counted "fsync = off" "synchronous_commit = off" "jit = off" "autovacuum = off" \
	"max_parallel_workers_per_gather = 0"; then
	ledger_compare "1,000 transfers, 20 accounts" 20 1000 2 6 1.0 bare fk idem row
	ledger_compare "1,000 transfers, 1,000 accounts" 1000 1000 2 6 1.0 bare fk idem row
	ledger_compare "1,000 transfers, 100,000 accounts" 100000 1000 2 6 1.3 bare fk idem
	ledger_compare "one transfer, 1,000 accounts" 1000 1 50 250 NULL bare fk idem row
	bench_uncounted
fi
