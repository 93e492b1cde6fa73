#!/bin/sh
# reconcile.sh - real records with known answers, and a large day of payouts
#
#	sh test/proof/reconcile.sh [--payouts N] [--keep] [FOLDER]
#
# FOLDER holds statements/*.csv (the entries and balances of MT940, CAMT and OFX
# files), berka/trans.csv.gz (a bank's transactions with the printed balances),
# ach/files.csv with ach/raw/, and road_fines/*.csv.gz.  They are read into tables
# and reconciled; what is found has to be what is known of them
# (reconcile/data.sql), to the last row, and the same when it is run again.
#
# Then N payouts (100000 unless told; 0: none) are sent in one day by eight
# sessions, one in ten of which ends without an answer; a book, which is the
# bank's, says what became of each, and into it differences of every kind are
# planted.  The loop of examples/payout/day.sql finds each of them once, settles
# all others, and does not change anything when it is run again.
#
# Builds this checkout for a private copy of the server, on a cluster of its own.
# The last line is "N answers, N wrong"; the exit status is 1 if any was.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

payouts=100000
keep_wanted=no
data=
while [ $# -gt 0 ]; do
	case $1 in
		--payouts)	payouts=${2:?"--payouts needs a number"}; shift ;;
		--keep)	keep_wanted=yes ;;
		-h | --help)	usage; exit 0 ;;
		-*)	usage >&2; exit 2 ;;
		*)	data=$(cd "$1" && pwd) || exit 1 ;;
	esac
	shift
done

# What the last step said, and the end
failed()
{
	tail -n 10 "$tmp/reconcile.log" | sed 's/^/    /'
	die "$1 failed"
}

psql()
{
	"$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d postgres -v ON_ERROR_STOP=1 "$@"
}

# copy TABLE [OPTIONS]: from standard input
copy()
{
	psql -c "COPY data.$1 FROM stdin (FORMAT csv${2:-, HEADER})" || die "could not read data.$1"
}

read_data()
{
	gzip -dc "$data/berka/trans.csv.gz" | copy berka
	copy statement <"$data/statements/statements.csv"
	copy entry <"$data/statements/entries.csv"
	copy ach_file <"$data/ach/files.csv"
	gzip -dc "$data/road_fines/events.csv.gz" | sed 's/,NIL,/,,/' | copy fine
	gzip -dc "$data/road_fines/expected_cases.csv.gz" | copy fine_case
	for file in "$data"/ach/raw/*; do
		name=$(basename "$file")
		tr -d '\r' <"$file" | sed "s|^|$name$(printf '\002')|" |
			copy "raw (file, line)" ", DELIMITER E'\\x02', QUOTE E'\\x03', ENCODING 'LATIN1'"
	done
}

# The day: eight sessions send, and note in the bank's book what it did
send()
{
	psql -f "$src/examples/payout/day_tables.sql" -f "$src/test/proof/reconcile/day.sql" \
		-v payouts="$payouts" >>"$tmp/reconcile.log" 2>&1 || failed "making the day"
	cat >"$tmp/send.pgbench" <<-'SQL'
		SELECT nextval('day.turn') AS n \gset
		UPDATE payout SET status = 'sent' WHERE id = 'p' || :n;
		SELECT FROM payout p, idem.reserve('payout', p.id, jsonb_build_object('payee', p.payee, 'amount', p.amount::numeric)) r WHERE p.id = 'p' || :n;
		CALL idem.dispatch('payout', 'p' || :n, 1);
		SELECT day.pay(:n);
	SQL
	idem_run "$tmp/pgbench.log" "$bin/pgbench" -h "$tmp" -U postgres -n -c 8 -j 2 -t $((payouts / 8)) \
		-f "$tmp/send.pgbench" postgres
}

# The loop with the book as it is, noted in a log
loop()
{
	psql -c "SELECT line FROM day.file" >"$tmp/book"
	psql -v day=2018-11-26 -f "$src/examples/payout/day.sql" <"$tmp/book" >>"$tmp/reconcile.log" 2>&1 ||
		failed "the loop"
}

idem_begin "$here"
idem_need tap
idem_relocate
idem_build "$tmp/build.log" || die "building failed"
say "idem on PostgreSQL $version"
idem_cluster "fsync = off" "max_connections = 40"
psql -f "$src/test/proof/reconcile/tables.sql" >>"$tmp/reconcile.log" 2>&1 || die "no tables"
if [ -n "$data" ]; then
	read_data
	psql -f "$src/test/proof/reconcile/data.sql" >>"$tmp/reconcile.log" 2>&1 || failed "reading"
fi
if [ "$payouts" -gt 0 ]; then
	send
	psql -c "SELECT day.plant()" >/dev/null || die "nothing planted"
	loop
	psql -c "SELECT day.judge('first')" >/dev/null
	loop
	psql -c "SELECT day.judge('second')" >/dev/null
	psql -c "SELECT day.mend()" >/dev/null
	loop
	psql -c "SELECT day.judge('mended')" >/dev/null
fi
psql -F ': ' -c "SELECT CASE WHEN expected IS NOT DISTINCT FROM found THEN 'right' ELSE 'WRONG' END, what, left(found, 100),
	CASE WHEN expected IS DISTINCT FROM found THEN 'expected ' || expected END FROM data.answer"
wrong=$(psql -c "SELECT count(*) FILTER (WHERE expected IS DISTINCT FROM found) FROM data.answer")
answers=$(psql -c "SELECT count(*) FROM data.answer")
keep=$keep_wanted
[ "$keep" = no ] || idem_kept postgres
idem_result reconcile "$answers answers, $wrong wrong"
say "$answers answers, $wrong wrong"
[ "$wrong" -eq 0 ]
