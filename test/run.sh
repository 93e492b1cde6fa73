#!/bin/sh
# run.sh - all tests of idem: regress, then isolation, then TAP
#
#	sh test/run.sh [--keep] [regress | isolation | tap | TEST]...
#
# Builds this checkout once, for a private copy of the highest installed
# PostgreSQL from 15 on (or the one of $PG_CONFIG), and runs every suite on
# clusters of its own; what is missing on a Debian machine is installed first.
# TEST is the name of a file in sql/, test/isolation/specs/ or test/tap/.
#
# A Perl test may name packages of Debian in its head, "# Packages: NAME...",
# where MAJOR stands for the version of the server.  They are unpacked into
# $IDEM_CACHE (see idem_cache in lib.sh) and not installed; extensions among them
# come into the private server, the rest is found below $IDEM_PACKAGES.  Without
# them the test skips.
#
# Every suite runs, whatever the one before it did.  A test counts as passed
# only if its suite said so: a test that never ran has failed, and so has a
# suite without tests.  The last line is "N passed, N failed", the exit status
# is 1 if anything failed.  TAP tests, which have servers of their own and mostly
# wait for them, run two at a time where there are two processors
# (PROVE_FLAGS=-j1: one).
#
# --keep leaves the folder with the cluster and all results.
# IDEM_CFLAGS adds flags for the compiler, IDEM_LDFLAGS for linking,
# PROVE_FLAGS for prove; IDEM_SAVE names a folder into which the copy of the
# checkout is saved at the end, with all that was built and written in it.

set -u
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
. "$here/test/lib.sh"

passed=0
failed=0
skipped=0

usage()
{
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

main()
{
	wanted=
	while [ $# -gt 0 ]; do
		case $1 in
			--keep)	keep_wanted=yes ;;
			-h | --help)	usage; exit 0 ;;
			-*)	usage >&2; exit 2 ;;
			*)	wanted="$wanted $1" ;;
		esac
		shift
	done
	find_tests
	idem_begin "$here"
	idem_need "${tap_tests:+tap}"
	idem_relocate
	bring_packages
	say "idem on PostgreSQL $version, in $tmp"
	if build; then
		idem_cluster "fsync = off"
		suite regress "$regress_tests"
		suite isolation "$isolation_tests"
		suite tap "$tap_tests"
	fi
	[ -z "${IDEM_SAVE:-}" ] || cp -R "$src" "$IDEM_SAVE" || die "nothing saved"
	[ "$skipped" -eq 0 ] || say "$skipped skipped"
	keep=${keep_wanted:-no}
	[ "$keep" = no ] || idem_kept contrib_regression
	say "$passed passed, $failed failed"
	[ -n "$wanted" ] || idem_result suites "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}

# ----------------------------------------------------------------------
# Which tests
# ----------------------------------------------------------------------

# The tests of each suite, by name: all, or those that were asked for.
find_tests()
{
	regress_tests=$(list_tests "$here/sql" .sql)
	isolation_tests=$(list_tests "$here/test/isolation/specs" .spec)
	tap_tests=$(list_tests "$here/test/tap" .pl)
	suites="regress isolation tap"
	[ -n "$wanted" ] || return 0
	suites=
	for name in $wanted; do
		known=no
		for kind in regress isolation tap; do
			pick "$kind" "$name"
		done
		[ "$known" = yes ] || die "no suite or test is called $name"
	done
	regress_tests=${regress_picked:-}
	isolation_tests=${isolation_picked:-}
	tap_tests=${tap_picked:-}
}

# Does the suite $1 go by the name $2, or has it a test of that name?
pick()
{
	eval "all=\$${1}_tests picked=\${${1}_picked:-}"
	name=${2##*/}
	name=${name%.*}
	# shellcheck disable=SC2154 # all and picked are set by the eval above
	if [ "$name" = "$1" ]; then
		picked=$all
	elif has_word "$name" "$all"; then
		has_word "$name" "$picked" || picked="$picked $name"
	else
		return 0
	fi
	known=yes
	has_word "$1" "$suites" || suites="$suites $1"
	eval "${1}_picked=\$picked"
}

has_word()
{
	case " $2 " in
		*" $1 "*) return 0 ;;
	esac
	return 1
}

# The files of a folder without folder and ending, on one line.
list_tests()
{
	for file in "$1"/*"$2"; do
		[ -e "$file" ] || continue
		file=${file##*/}
		printf '%s ' "${file%"$2"}"
	done | sed 's/ $//'
}

# ----------------------------------------------------------------------
# Building
# ----------------------------------------------------------------------

build()
{
	if idem_build "$tmp/build.log"; then
		warnings=$(grep -c 'warning:' "$tmp/build.log")
		[ "$warnings" -eq 0 ] || grep -A 3 'warning:' "$tmp/build.log"
		say "built, $warnings warnings"
		return 0
	fi
	tail -n 40 "$tmp/build.log" | sed 's/^/    /'
	say "building failed, so no test could run"
	failed=$((failed + 1))
	return 1
}

# What the wanted tests name, for a server that is Debian's own, too.
bring_packages()
{
	[ -n "$tap_tests" ] && command -v apt-get >/dev/null || return 0
	case $pg_config in
		/usr/lib/postgresql/*)	;;
		*)	return 0 ;;
	esac
	named=$(for name in $tap_tests; do
		sed -n "s/^# Packages: //p" "$here/test/tap/$name.pl"
	done | sed "s/MAJOR/${version%%[!0-9]*}/g")
	[ -n "$named" ] || return 0
	idem_cache
	# shellcheck disable=SC2086 # a list of packages
	idem_unpack "$cache/debian" $named
	IDEM_PACKAGES=$cache/debian/root
	export IDEM_PACKAGES
	for folder in "$("$pg_config" --pkglibdir)" "$("$pg_config" --sharedir)/extension"; do
		[ ! -d "$IDEM_PACKAGES$folder" ] ||
			idem_step "$tmp/copy.log" "copying extensions" cp -R --remove-destination "$IDEM_PACKAGES$folder/." "$root$folder"
	done
}

# ----------------------------------------------------------------------
# One suite
# ----------------------------------------------------------------------

# Run the tests $2 of the suite $1, showing each as it ends; count; show what
# there is to see about the failures.
suite()
{
	has_word "$1" "$suites" || return 0
	if [ -z "$2" ]; then
		say "$1: there is no test"
		failed=$((failed + 1))
		return
	fi
	idem_server_ensure
	: >"$tmp/$1.log"
	: >"$tmp/$1.verdicts"
	"start_$1" "$2"
	job=$!
	tail -n +1 -f -s 0.2 --pid="$job" "$tmp/$1.log" |
		verdicts "$1" | show "$1" "$tmp/$1.verdicts" &
	follower=$!
	idem_wait "$job"
	wait "$follower"
	count "$1" "$2"
}

# Each suite is one make, started and left to run.
start_regress()
{
	expect_something "$src/expected" "$1"
	start_make regress REGRESS="$1" ISOLATION= TAP_TESTS=
}

start_isolation()
{
	expect_something "$src/test/isolation/expected" "$1"
	start_make isolation REGRESS= ISOLATION="$1" TAP_TESTS=
}

start_tap()
{
	files=
	for name in $1; do
		files="$files test/tap/$name.pl"
	done
	lanes=1
	[ "$(nproc 2>/dev/null || echo 1)" -lt 2 ] || lanes=2
	start_make tap REGRESS= ISOLATION= TAP_TESTS=1 PROVE_TESTS="$files" \
		PROVE_FLAGS="--timer -j$lanes ${PROVE_FLAGS:-}"
}

# A runner gives up at a test that has no expected output; with an empty one
# that test fails and the others still run.
expect_something()
{
	for name in $2; do
		[ -e "$1/$name.out" ] || : >"$1/$name.out"
	done
}

start_make()
{
	log=$tmp/$1.log
	shift
	idem_start env PGHOST="$tmp" PGUSER=postgres \
		make -C "$src" with_llvm=no PG_CONFIG="$bin/pg_config" \
		-k installcheck "$@" >"$log" 2>&1
}

# The words of a runner, as lines "name verdict milliseconds".  pg_regress
# before 16 says "test x ... ok 5 ms", from then on "ok 1 - x 5 ms"; prove says
# "[00:00:00] test/tap/x.pl .. ok 5 ms" and nothing after the dots of a failure.
verdicts()
{
	case $1 in
		tap)	sed -unE '
				s/^(\[[0-9:]+\] )?test\/tap\///
				t file
				d
				:file
				s/^([^ ]+)\.pl \.+ ok *([0-9]*).*/\1 ok \2/p
				t
				s/^([^ ]+)\.pl \.+ skipped: *(.*)/\1 skipped \2/p
				t
				s/^([^ ]+)\.pl \.+ .*/\1 FAILED/p' ;;
		*)	sed -unE '
				s/^test +([^ ]+) +\.\.\. ok *([0-9]*).*/\1 ok \2/p
				s/^test +([^ ]+) +\.\.\. FAILED.*/\1 FAILED/p
				s/^ok +[0-9]+ +[-+] ([^ ]+) +([0-9]*).*/\1 ok \2/p
				s/^not ok +[0-9]+ +[-+] ([^ ]+).*/\1 FAILED/p' ;;
	esac
}

# Say each verdict as it comes and note it in the file $2.
show()
{
	while read -r name verdict time; do
		printf '%s %s\n' "$name" "$verdict" >>"$2"
		case $verdict in
			ok)	time="$time ms" ;;
		esac
		printf '%-10s %-40s %-8s %s\n' "$1" "$name" "$verdict" "$time"
	done
}

# Only what is noted as ok has passed.  What was not heard of is said here.
count()
{
	bad=0
	for name in $2; do
		if grep -qx "$name ok" "$tmp/$1.verdicts"; then
			passed=$((passed + 1))
		elif grep -qx "$name skipped" "$tmp/$1.verdicts"; then
			skipped=$((skipped + 1))
		else
			bad=$((bad + 1))
			grep -q "^$name " "$tmp/$1.verdicts" ||
				printf '%-10s %-40s %s\n' "$1" "$name" "DID NOT RUN"
		fi
	done
	failed=$((failed + bad))
	[ "$bad" -eq 0 ] || "explain_$1"
}

# ----------------------------------------------------------------------
# What there is to see about failures
# ----------------------------------------------------------------------

explain_regress()
{
	explain "$src/regression.diffs" "$tmp/regress.log"
}

explain_isolation()
{
	explain "$src/output_iso/regression.diffs" "$tmp/isolation.log"
}

# Differences if there are some, and otherwise what the runner said last.
explain()
{
	if [ -s "$1" ]; then
		sed 's/^/    /' "$1" | head -n 400
	else
		tail -n 20 "$2" | sed 's/^/    /'
	fi
}

explain_tap()
{
	sed 's/^/    /' "$tmp/tap.log" | tail -n 60
	for name in $tap_tests; do
		log=$src/tmp_check/log/regress_log_$name
		grep -qx "$name ok" "$tmp/tap.verdicts" || [ ! -s "$log" ] || {
			say "    --- the end of the log of $name"
			tail -n 40 "$log" | sed 's/^/    /'
		}
	done
}

main "$@"
