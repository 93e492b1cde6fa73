#!/bin/sh
# vectors.sh - public test vectors for money_micro, and a second ISO 4217 list
#
#	sh test/proof/vectors.sh FOLDER
#
# FOLDER holds, in whatever way they were got:
#
#	parse.tsv           id, op, input as a JSON string, kind (fits_micro,
#	                    needs_rounding_or_too_big, special, invalid), micro
#	exact_ops.tsv       id, op (add, subtract, multiply, compare), a, b,
#	                    expected, and the same three in millionths; without
#	                    the last one the exact result does not fit
#	quantize.tsv        id, value, quantum, rounding, precision, expected,
#	                    flags
#	currency_codes.csv  the list of github.com/datasets/currency-codes
#
# The first three are cut from the General Decimal Arithmetic testcases
# (github.com/cockroachdb/apd has them in testdata): base, add, subtract,
# multiply, compare, quantize.  Each case is asked of the type; a wrong one is
# shown, and the exit status is 1.  The list of currencies is not the one
# idem's was made from; codes that are in force in both have to agree in number
# and minor units, and amendments between their dates are shown.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

data=${1:-}
[ -e "$data/parse.tsv" ] || {
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
data=$(cd "$data" && pwd)

idem_begin "$here"
idem_need vectors
idem_relocate
say "idem on PostgreSQL $version, vectors of $data"
idem_build "$tmp/build.log" || die "building failed"
idem_cluster "fsync = off"
# shellcheck disable=SC2086 # $as is several words
$as mkdir "$tmp/vectors"
set --
for file in parse.tsv exact_ops.tsv quantize.tsv currency_codes.csv; do
	cp "$data/$file" "$tmp/vectors/$file" && chmod 644 "$tmp/vectors/$file" ||
		die "there is no $file"
	name=${file%.*}
	[ "$name" != currency_codes ] || name=iso
	set -- "$@" -v "$name=$tmp/vectors/$file"
done
idem_step "$tmp/vectors.log" "creating the extension" \
	"$bin/psql" -X -q -h "$tmp" -U postgres -d postgres -c "CREATE EXTENSION idem"
idem_step "$tmp/vectors.log" "asking" \
	"$bin/psql" -X -q -h "$tmp" -U postgres -d postgres "$@" -f "$src/test/proof/vectors/money.sql"
cat "$tmp/vectors.log"
# the third column of the first table
awk -F '|' 'NF == 3 && $3 ~ /^ *[0-9]+$/ { cases += $2; wrong += $3 }
	END { printf "%d cases, %d wrong\n", cases, wrong; exit wrong > 0 || cases == 0 }' "$tmp/vectors.log" >"$tmp/said"
status=$?
cat "$tmp/said"
idem_result vectors "$(cat "$tmp/said")"
exit $status
