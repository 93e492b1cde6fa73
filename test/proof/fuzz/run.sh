#!/bin/sh
# run.sh - fuzz what reads text and counts, outside of any server
#
#	sh test/proof/fuzz/run.sh [money|machine_text|codes_text [EXECUTIONS]]
#
# money: amounts (text, arithmetic, rounding, sharing), 100,000,000 inputs
# unless told.  machine_text: the reader and the checks of state machines,
# 5,000,000.  codes_text: those of tables of return codes, 5,000,000.  Without
# a name: all of them.
#
# Builds the file of that name in this folder with the sources it fuzzes for
# libFuzzer, with the undefined-behaviour sanitizer (the readers with the
# address sanitizer, too), and runs it on every core until so many inputs were
# tried altogether.  The last line says how many, and "no finding"; a finding
# is left in the file it names, and the exit status is 1.  Needs clang with its
# runtime library (Debian: clang and libclang-rt-dev of the same version).
# $IDEM_FUZZ_DIR/NAME keeps the corpus from run to run.

set -eu
here=$(cd "$(dirname "$0")/../../.." && pwd)
. "$here/test/lib.sh"
idem_expect_result "$here"
cores=$(nproc)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# compile OPTION...: with what all have in common
compile()
{
	"${CLANG:-clang}" -std=c99 -O2 -g -Wall -Wextra -Werror -I"$here/src" \
		-fno-sanitize-recover=all "$@"
}

# Some amounts to begin with; the first byte is the kind.
prepare_money()
{
	compile -fsanitize=fuzzer,undefined -o "$tmp/money" \
		"$here/test/proof/fuzz/money.c" \
		"$here/src/money/money_text.c" "$here/src/money/money_share.c"
	i=0
	for text in 0 -0.000001 ' +12.30 ' 2305843009213.693951 2305843009213.693952 \
		18446744073709551616 .5 5. -. 1e3 0.0000010 99999999999999999999999999999999999999 \
		0.1234e2 -12300000000E-10 1E+13 1e-7 2305843009213693951e-6 1e99999999999999999999 \
		0.00000000000000012e21 1e 0e-99
	do
		for kind in 000 001 006; do
			printf "\\$kind%s" "$text" >"$1/seed-$i"
			i=$((i + 1))
		done
	done
	for kind in 002 003 004 005; do
		printf "\\$kind\\006\\377\\001\\002\\003\\004\\005\\006\\007\\010\\200\\001\\002\\003\\300\\377\\377\\377" \
			>"$1/seed-$i"
		i=$((i + 1))
	done
}

# compile_reader HARNESS SOURCE...: they take their memory from the harness,
# which gives it back
compile_reader()
{
	harness=$1
	shift
	objects=
	for source in "$@"; do
		object=$tmp/${source##*/}.o
		compile -DIDEM_STANDALONE -Dcalloc=fuzz_alloc0 \
			-fsanitize=fuzzer-no-link,undefined,address -c \
			-o "$object" "$here/src/$source.c"
		objects="$objects $object"
	done
	# shellcheck disable=SC2086 # objects is several words
	compile -DIDEM_STANDALONE -fsanitize=fuzzer,undefined,address \
		-o "$tmp/$harness" "$here/test/proof/fuzz/$harness.c" $objects
}

# The machines of test/machines to begin with.
prepare_machine_text()
{
	compile_reader machine_text base/reading machine/machine_text \
		machine/machine_mermaid machine/machine_check
	cp "$here"/test/machines/*.mmd "$here"/test/machines/invalid/*.mmd "$1"
}

# Some tables to begin with: what they have that is hard to come by.
prepare_codes_text()
{
	compile_reader codes_text base/reading codes/codes_pipe codes/codes_cell \
		codes/codes_text codes/codes_check
	printf '| code | meaning | note |\n|---|---|---|\n| 0000 | succeeded | |\n| R/* | failed [all: x] | a \\| b |\n| `R/1` | unknown | |\n' >"$1/seed-0"
	printf 'Meaning|Code\r\n:-:|--\r\nsucceeded [also: y]|a/b_c\r\nreturned|`x\\|y`\r\nabsent|E:1\r\n\r\n' >"$1/seed-1"
	printf '\357\273\277  |code|meaning|\n  |:--|--:|\n\t|\344\275\231|maybe|\n' >"$1/seed-2"
}

# fuzz NAME EXECUTIONS LONGEST-INPUT
fuzz()
{
	name=$1 wanted=$2
	corpus=${IDEM_FUZZ_DIR:-$tmp/corpus}/$name
	mkdir -p "$corpus"
	rm -f "$tmp"/log.*
	"prepare_$name" "$corpus"
	status=0
	job=0
	jobs=
	while [ $job -lt "$cores" ]; do
		"$tmp/$name" -runs=$((wanted / cores + 1)) -max_len="$3" -print_final_stats=1 \
			-artifact_prefix="$PWD/$name-finding-" "$corpus" >"$tmp/log.$job" 2>&1 &
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
	cat "$tmp"/log.* | awk -v name="$name" '/stat::number_of_executed_units/ { n += $2 }
		END { printf "%s: %d executions, no finding\n", name, n }' | tee "$tmp/said"
	idem_result "fuzz-$name" "$(sed 's/^[^:]*: //' "$tmp/said")" none
}

case ${1:-} in
	'')	fuzz money 100000000 80
		fuzz machine_text 5000000 3000
		fuzz codes_text 5000000 1500 ;;
	money)	fuzz money "${2:-100000000}" 80 ;;
	machine_text)	fuzz machine_text "${2:-5000000}" 3000 ;;
	codes_text)	fuzz codes_text "${2:-5000000}" 1500 ;;
	*)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
		exit 2 ;;
esac
