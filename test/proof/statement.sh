#!/bin/sh
# statement.sh - a bank's statement, booked into balances that idem keeps
#
#	sh test/proof/statement.sh [--expect N] [--keep] [FILE]
#
# FILE is a CSV, plain or .gz, of file_seq, trans_id, account_id, date, type
# (credit or a debit), operation, amount, balance_after (as the bank printed
# it) and three more columns; accounts start at 0.  Without one the rows that
# are shipped in test/proof/statement/ are booked, 4 of whose account-days are
# made not to add up.  --expect N: of so many account-days the printed closing
# does not follow from the day before (of the PKDD'99 data in 189 accounts 390:
# the bank rounds interest, and the file ends within a day).
#
# Builds this checkout for a private copy of the server, on a cluster of its
# own.  The exit status is 1 unless every balance is the sum of its rows and
# exactly so many account-days differ.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

expect=4
keep_wanted=no
file=$here/test/proof/statement/rows.csv

while [ $# -gt 0 ]; do
	case $1 in
		--expect)	expect=${2:?"--expect needs a number"}; shift ;;
		--keep)	keep_wanted=yes ;;
		-h | --help)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
		-*)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
		*)	[ -e "$1" ] || { echo "$1: no such file" >&2; exit 1; }
			file=$(cd "$(dirname "$1")" && pwd)/$(basename "$1") ;;
	esac
	shift
done

ask()
{
	"$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d postgres \
		-v ON_ERROR_STOP=1 -c "$1"
}

idem_begin "$here"
idem_need statement
idem_relocate
say "building idem for PostgreSQL $version"
idem_build "$tmp/build.log" || die "building failed"
idem_cluster "fsync = off" "synchronous_commit = off" "autovacuum = off" "jit = off"
idem_step "$tmp/statement.log" "preparing" "$bin/psql" -X -q -h "$tmp" -U postgres \
	-d postgres -v ON_ERROR_STOP=1 -f "$src/test/proof/statement/statement.sql"
case $file in
	*.gz)	gzip -dc "$file" ;;
	*)	cat "$file" ;;
esac | ask "COPY statement.row FROM stdin (FORMAT csv, HEADER)"
idem_step "$tmp/statement.log" "booking" "$bin/psql" -X -q -h "$tmp" -U postgres \
	-d postgres -v ON_ERROR_STOP=1 -c "CALL statement.book()"

"$bin/psql" -X -q -h "$tmp" -U postgres -d postgres -P footer=off -c \
	"SELECT by, count(*) AS days FROM statement.differs GROUP BY 1 ORDER BY 2 DESC, 1"
differs=$(ask "SELECT count(*) FROM statement.differs")
wrong=$(ask "SELECT count(*) FROM statement.wrong")
said="$(ask "SELECT count(*) FROM statement.row") rows of $(ask "SELECT count(*) FROM statement.account") accounts, $(ask "SELECT count(*) FROM statement.closing") account-days, $differs do not add up, $wrong balances are wrong"
say "$said"
idem_result statement "$said"
keep=$keep_wanted
[ "$keep" = no ] || idem_kept postgres
[ "$differs" = "$expect" ] && [ "$wrong" = 0 ]
