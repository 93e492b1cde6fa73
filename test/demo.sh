#!/bin/sh
# demo.sh - the incident that idem was made for, replayed
#
#	sh test/demo.sh [--data FOLDER] [--consumers N] [--keep] [--installed]
#
# A queue delivered every debit 3 to 5 times within one second; the consumers
# looked the message up, found nothing, and inserted.  This is done again with
# real records and real concurrency, first the old way, then with idem.  After
# that payments get late, repeated and contradicting notices, banks answer
# payouts in codes and not always about the payout, and their book is compared
# with what we know; one account pays everybody, and sales meet their
# cancellations.  A table at the end says what each way let through.
#
# Needs a Debian 12 machine and root, or a user with sudo.  Installs what is
# missing (compiler, make, PostgreSQL and its headers), builds, and works in a
# temporary folder with a server of its own; when it is done, or interrupted,
# that is gone.  The exit status is 1 if idem let anything through.
#
# --data FOLDER   other records than the excerpt in test/demo/online_retail:
#                 lines.csv or lines.csv.gz, and expected_refund_limit.csv
#                 (without it, test/demo/expected.awk says what to expect)
# --consumers N   8 unless told
# --keep          leave the server running and say how to connect with psql
# --installed     take the idem that is installed with the server, build none

set -u
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
. "$here/test/lib.sh"

data=$here/test/demo/online_retail
consumers=8
keep_wanted=no
installed=no
calls=		# sessions at work

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

main()
{
	while [ $# -gt 0 ]; do
		case $1 in
			--data)	[ $# -gt 1 ] || die "--data needs a folder"
					shift; data=$1 ;;
			--consumers)	[ $# -gt 1 ] || die "--consumers needs a number"
					shift; consumers=$1 ;;
			--keep)	keep_wanted=yes ;;
			--installed)	installed=yes ;;
			-h | --help)	usage; exit 0 ;;
			*)	usage >&2; exit 2 ;;
		esac
		shift
	done
	case $consumers in
		'' | *[!0-9]* | 0 | ????*)
			die "the number of consumers must be from 1 to 999" ;;
	esac
	data=$(cd "$data" && pwd) || exit 1
	[ -f "$data/lines.csv" ] || [ -f "$data/lines.csv.gz" ] ||
		die "no lines.csv or lines.csv.gz in $data"
	idem_begin "$here"
	prepare
	step "Debits: every message comes 3 to 5 times within a second"
	race debit old
	race debit guarded
	race debit careless
	script debit_result
	step "Payments: notices come late, repeated, out of order"
	race notice old
	race notice guarded
	script payment_result
	step "Payouts: banks answer in codes, and not always about the payout"
	pay old
	pay guarded
	script payout_result
	step "The day of these payouts, beside the banks' own book"
	script reconcile
	sql demo -P footer=off -c "SELECT rule, kind, keys, ours, theirs FROM idem.reconciled_sum ORDER BY rule DESC, kind"
	step "A hot account: everybody is paid out of it, then a batch in one statement"
	race wallet old
	batch old
	race wallet guarded
	batch guarded
	script wallet_result
	step "Cancellations: in time order, against what was bought"
	settle old
	settle guarded
	script refund_result
	report
}

# ----------------------------------------------------------------------
# Steps
# ----------------------------------------------------------------------

prepare()
{
	step "Preparing"
	idem_need demo
	idem_relocate
	[ "$installed" = yes ] || build
	say "  starting a server of its own in $tmp"
	idem_cluster "max_connections = $((consumers + 20))"
	sql postgres -c "CREATE DATABASE demo"
	sql demo -c "CREATE EXTENSION idem"
	script queue
	load
	for part in debit payment payout wallet refund; do
		script "$part" -v consumers="$consumers"
	done
	sql demo -c "\\copy shop.expected FROM '$tmp/expected.csv' (FORMAT csv, HEADER)"
	sql demo -c "ANALYZE shop.line, shop.delivery, shop.expected"
}

build()
{
	say "  building idem for PostgreSQL $version"
	idem_build "$tmp/build.log" && return
	tail -n 40 "$tmp/build.log" | sed 's/^/    /'
	die "building failed, see above"
}

# The records, read by whoever may read them, and what is to be expected.
load()
{
	if [ -f "$data/lines.csv" ]; then
		cat "$data/lines.csv"
	else
		gzip -dc "$data/lines.csv.gz"
	fi >"$tmp/lines.csv" || die "could not read $data"
	if [ -f "$data/expected_refund_limit.csv" ]; then
		cat "$data/expected_refund_limit.csv"
	else
		awk -f "$here/test/demo/expected.awk" "$tmp/lines.csv"
	fi >"$tmp/expected.csv" || die "could not read $data"
	say "  $(($(wc -l <"$tmp/lines.csv") - 1)) lines of $data"
	sql demo -c "\\copy shop.line FROM '$tmp/lines.csv' (FORMAT csv, HEADER)"
}

# All consumers at once on one queue.
race()
{
	sql demo -c "CALL shop.begin_run('$2', '$1')"
	set -- "$1" "$2" 0
	while [ "$3" -lt "$consumers" ]; do
		call "CALL shop.consume('$2', '$1', $3)"
		set -- "$1" "$2" $(($3 + 1))
	done
	follow "$1" "$2"
}

# All lines in the order of time, by one session.
settle()
{
	call "CALL shop.settle('$1')"
	follow refund "$1"
}

# A batch of payouts in one statement.
batch()
{
	sql demo -c "CALL shop.pay_batch('$1')"
	sql demo -At -c "SELECT '    ' || shop.progress('batch', '$1')"
}

# All payouts, by one session.
pay()
{
	call "CALL shop.pay('$1')"
	follow payout "$1"
}

# Start a session of its own for a statement.
call()
{
	idem_start "$bin/psql" -Xq -h "$tmp" -U postgres -c "$1" demo \
		2>>"$tmp/calls.log"
	calls="$calls $!"
}

# Say every second how far they are, until all have come to their end.
follow()
{
	case $2 in
		old)	say "  the old way" ;;
		careless)	say "  with idem, and consumers that do not claim" ;;
		*)	say "  with idem" ;;
	esac
	idem_start "$bin/psql" -XqAt -h "$tmp" -U postgres -v queue="$1" \
		-v way="$2" -f "$src/test/demo/watch.sql" demo 2>/dev/null
	watcher=$!
	for job in $calls; do
		idem_wait "$job" && continue
		tail -n 20 "$tmp/calls.log" | sed 's/^/    /'
		die "a session failed, see above"
	done
	calls=
	kill "$watcher"
	idem_wait "$watcher" 2>/dev/null
	sql demo -At -c "SELECT '    ' || shop.progress('$1', '$2')"
}

report()
{
	step "What each way let through"
	sql demo -f "$here/test/demo/report.sql"
	say ""
	say "The records: $data"
	[ ! -f "$data/README.md" ] || say "Where they come from: $data/README.md"
	keep=$keep_wanted
	if [ "$keep" = yes ]; then
		idem_kept demo
	else
		say "To look into the tables with psql: sh test/demo.sh --keep"
	fi
	[ "$(sql demo -At -c 'SELECT bool_or(failed) FROM shop.result')" = f ] ||
		die "idem let something through"
}

# ----------------------------------------------------------------------
# Small things
# ----------------------------------------------------------------------

step()
{
	say ""
	say "$*"
}

# A statement or a file on a database of our server; it has to work.
sql()
{
	database=$1
	shift
	"$bin/psql" -Xq -v ON_ERROR_STOP=1 -h "$tmp" -U postgres "$@" "$database" ||
		die "the last step failed, see above"
}

# A part of the demo, by name.
script()
{
	part=$1
	shift
	sql demo -o /dev/null -f "$here/test/demo/$part.sql" "$@"
}

main "$@"
