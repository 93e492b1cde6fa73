#!/bin/sh
# run.sh - fuzz the amounts: text, arithmetic, rounding, sharing
#
#	sh test/fuzz/run.sh [EXECUTIONS]
#
# Builds money.c of this folder with src/money/money_text.c and
# src/money/money_share.c for libFuzzer, with the undefined-behaviour
# sanitizer, and runs it on every core until EXECUTIONS inputs (100000000) were
# tried altogether.  The last line says how many, and "no finding"; a finding
# is left in the file it names, and the exit status is 1.  Needs clang with its
# runtime library (Debian: clang and libclang-rt-dev of the same version).
# $IDEM_FUZZ_DIR keeps the corpus from run to run.

set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
wanted=${1:-100000000}
cores=$(nproc)
tmp=$(mktemp -d)
corpus=${IDEM_FUZZ_DIR:-$tmp/corpus}
trap 'rm -rf "$tmp"' EXIT

mkdir -p "$corpus"
"${CLANG:-clang}" -std=c99 -O2 -g -Wall -Wextra -Werror -I"$here/src" \
	-fsanitize=fuzzer,undefined -fno-sanitize-recover=all \
	-o "$tmp/money" "$here/test/fuzz/money.c" \
	"$here/src/money/money_text.c" "$here/src/money/money_share.c"

# Some inputs of each kind to begin with; the first byte is the kind.
i=0
for text in 0 -0.000001 ' +12.30 ' 2305843009213.693951 2305843009213.693952 \
	18446744073709551616 .5 5. -. 1e3 0.0000010 99999999999999999999999999999999999999
do
	for kind in 000 001 006; do
		printf "\\$kind%s" "$text" >"$corpus/seed-$i"
		i=$((i + 1))
	done
done
for kind in 002 003 004 005; do
	printf "\\$kind\\006\\377\\001\\002\\003\\004\\005\\006\\007\\010\\200\\001\\002\\003\\300\\377\\377\\377" \
		>"$corpus/seed-$i"
	i=$((i + 1))
done

status=0
job=0
jobs=
while [ $job -lt "$cores" ]; do
	"$tmp/money" -runs=$((wanted / cores + 1)) -max_len=80 -print_final_stats=1 \
		-artifact_prefix="$PWD/money-finding-" "$corpus" >"$tmp/log.$job" 2>&1 &
	jobs="$jobs $!"
	job=$((job + 1))
done
for pid in $jobs; do
	wait "$pid" || status=1
done
if [ $status -ne 0 ]; then
	for log in "$tmp"/log.*; do
		tail -n 40 "$log"
	done
	exit 1
fi
cat "$tmp"/log.* | awk '/stat::number_of_executed_units/ { n += $2 }
	END { printf "%d executions, no finding\n", n }'
