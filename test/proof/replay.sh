#!/bin/sh
# replay.sh - real logs and a real billing system's machine, played against idem
#
#	sh test/proof/replay.sh [--often N] [--keep] FOLDER
#
# FOLDER holds event_logs/*.csv.gz, road_fines/events.csv.gz (case_id,
# event_no, activity, ...) and state_machines/killbill_payment_states.*.tsv
# (Kill Bill's table of states); what is missing is left out.
#
# Out of every log two machines are made.  <log>_frequent permits what was seen
# at least N times (10 unless told); what leaves a state in which rows end is
# late.  <log>_final permits all that was seen, but nothing leaves a terminal
# activity.  Then the log is played against each, event after event in the
# order of its numbers, and the same is judged by oracle.awk, which uses
# nothing of idem.  Every verdict has to agree.
#
# Kill Bill's eight machines, and one made of all of them and their links, are
# converted and defined; in the large one every pair of states is tried.
#
# Builds this checkout for a private copy of the server, on a cluster of its
# own.  The exit status is 1 if any verdict differs or a machine is refused.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

often=10
keep_wanted=no
data=

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

while [ $# -gt 0 ]; do
	case $1 in
		--often)	often=${2:?"--often needs a number"}; shift ;;
		--keep)	keep_wanted=yes ;;
		-h | --help)	usage; exit 0 ;;
		-*)	usage >&2; exit 2 ;;
		*)	data=$(cd "$1" && pwd) || exit 1 ;;
	esac
	shift
done
[ -n "$data" ] || { usage >&2; exit 2; }

ask()
{
	"$bin/psql" -X -q -A -t -F "$(printf '\t')" -h "$tmp" -U postgres \
		-d postgres -v ON_ERROR_STOP=1 -c "$1"
}

step()
{
	idem_step "$tmp/replay.log" "$1" "$bin/psql" -X -q -h "$tmp" -U postgres \
		-d postgres -v ON_ERROR_STOP=1 -c "$2"
}

# load CSV LOG...: the events of one file under several names
load()
{
	csv=$1
	shift
	columns=$(gzip -dc "$csv" | head -n 1 | tr -d '\r')
	ask "DROP TABLE replay.csv; CREATE TABLE replay.csv
		($(echo "$columns" | sed 's/,/ text, /g') text);
		ALTER TABLE replay.csv ALTER event_no TYPE integer USING event_no::integer"
	gzip -dc "$csv" | ask "COPY replay.csv FROM stdin (FORMAT csv, HEADER)"
	for log in "$@"; do
		step "reading $log" "CALL replay.take('$log')"
	done
}

# play LOG OFTEN TERMINAL: derive the machine, play, and judge without idem
play()
{
	step "deriving $1" "CALL replay.derive('$1', $2, $3)"
	step "playing $1" "CALL replay.play('$1')"
	ask "COPY (SELECT kind, source, target FROM replay.machine WHERE log = '$1') TO stdout" >"$tmp/machine.tsv"
	ask "COPY (SELECT row_id, number, state FROM replay.event WHERE log = '$1'
		ORDER BY number, row_id) TO stdout" >"$tmp/events.tsv"
	awk -f "$src/test/proof/replay/oracle.awk" "$tmp/machine.tsv" "$tmp/events.tsv" |
		sed "s/^/$1	/" | ask "COPY replay.forbidden FROM stdin"
}

# log FILE NAME TERMINAL...: both machines of one log
log()
{
	file=$1 name=$2
	shift 2
	[ -e "$file" ] || { say "$name: no $file, left out"; return; }
	terminal=
	for activity in "$@"; do
		terminal="$terminal${terminal:+, }replay.state_name('$activity')"
	done
	say "$name"
	load "$file" "${name}_frequent" "${name}_final"
	play "${name}_frequent" "$often" NULL
	play "${name}_final" 1 "ARRAY[$terminal]"
}

killbill()
{
	table=$data/state_machines/killbill_payment_states
	[ -e "$table.transitions.tsv" ] || { say "Kill Bill: no $table.*, left out"; return; }
	say "Kill Bill"
	tail -n +2 "$table.states.tsv" | ask "COPY killbill.state FROM stdin"
	tail -n +2 "$table.transitions.tsv" | ask "COPY killbill.transition FROM stdin"
	tail -n +2 "$table.links.tsv" | ask "COPY killbill.link FROM stdin"
	step "defining Kill Bill's machines" "CALL killbill.define()"
	step "trying every pair of states" "CALL killbill.try_pairs()"
}

idem_begin "$here"
idem_need replay
idem_relocate
say "building idem for PostgreSQL $version"
idem_build "$tmp/build.log" || die "building failed"
idem_cluster "fsync = off" "synchronous_commit = off" "autovacuum = off" "jit = off"
for part in replay killbill; do
	idem_step "$tmp/replay.log" "preparing" "$bin/psql" -X -q -h "$tmp" -U postgres \
		-d postgres -v ON_ERROR_STOP=1 -f "$src/test/proof/replay/$part.sql"
done

log "$data/road_fines/events.csv.gz" road_fines 'Send for Credit Collection'
log "$data/event_logs/bpi2020_domestic_declarations.csv.gz" declarations 'Payment Handled'
log "$data/event_logs/bpi2020_request_for_payment.csv.gz" payment_requests 'Payment Handled'
log "$data/event_logs/hospital_billing_variants.csv.gz" hospital_billing BILLED DELETE
log "$data/event_logs/bpi2019_purchase_variants.csv.gz" purchases 'Clear Invoice' 'Delete Purchase Order Item'
killbill

say ""
say "logs: verdicts of the guard, what oracle.awk forbids, and in how many events they differ"
"$bin/psql" -X -q -h "$tmp" -U postgres -d postgres -P footer=off -c "TABLE replay.result"
say "Kill Bill: machines accepted, pairs of states tried in the one made of all"
"$bin/psql" -X -q -h "$tmp" -U postgres -d postgres -P footer=off -c "TABLE killbill.result"
wrong=$(ask "SELECT (SELECT coalesce(sum(differ + abs(history - accepted)), 0) FROM replay.result)
	+ (SELECT coalesce(sum(wrong), 0) FROM killbill.result)")
say "$wrong verdicts differ"
idem_result replay "$wrong verdicts differ"
keep=$keep_wanted
[ "$keep" = no ] || idem_kept postgres
[ "$wrong" = 0 ]
