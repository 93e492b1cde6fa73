#!/bin/sh
# sanitize.sh - undefined behaviour, wrong memory, growing memory
#
#	sh test/proof/sanitize.sh [undefined | assert | valgrind | growth | discard]...
#		[--calls N] [--part K/N] [--test NAME]...
#
#	undefined  all regress and isolation tests with idem under gcc's sanitizer
#	           of undefined behaviour, which ends the backend at a finding
#	assert     the same on a server with assertions
#	valgrind   the regress tests on that server under valgrind, with the
#	           server's own list of what it is to be silent about; a part of
#	           the tests on each core.  IDEM_VALGRIND adds options: with
#	           --track-origins=yes it says where a value came from, and takes
#	           twice as long
#	growth     one backend claims, transitions and refunds N million times
#	           (1, unless told otherwise); its memory must not grow
#	discard    the regress tests on that server with debug_discard_caches = 1:
#	           at every moment at which the server may learn that something
#	           has changed it forgets all that it keeps of the catalogs, and
#	           what is freed is overwritten.  So whoever points into a
#	           relation or a tuple of a cache and looks something up reads
#	           garbage, every time and not once in a thousand.  A test takes
#	           some seconds to half an hour; what takes longer than
#	           IDEM_DISCARD_SECONDS (3600) has failed.  Which tests passed is
#	           kept in $IDEM_CACHE, by a digest of all sources and of the test,
#	           so that a run which was interrupted goes on where it was
#
# The first four, unless told otherwise.  --test names a test; said several
# times, several tests, in this order.  --part K/N takes every Nth test from the
# Kth on; without it valgrind and discard run a part on each core.
#
# A server with assertions is in no package: its source comes by "apt-get
# source", is built once for assert and discard and once, with USE_VALGRIND,
# for valgrind, and is kept in $IDEM_CACHE (see idem_cache in lib.sh).  That
# needs a line for sources among apt's, or IDEM_PG_SOURCE, a folder with an
# unpacked source of PostgreSQL.
#
# A finding counts as ours if one of our files is named in it; others are
# told.  The last line is "N findings, N tests failed"; the exit status is 1
# unless both are 0.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

findings=0
failures=0
calls=1
part=		# K/N: every Nth test, from the Kth on
only=		# names of tests, or empty: all of them
cores=$(nproc 2>/dev/null || echo 1)

main()
{
	wanted=
	while [ $# -gt 0 ]; do
		case $1 in
			--calls)	calls=${2:?"--calls needs a number"}; shift ;;
			--part)	part=${2:?"--part needs K/N"}; shift ;;
			--test)	only="$only ${2:?"--test needs a name"}"; shift ;;
			undefined | assert | valgrind | growth | discard)	wanted="$wanted $1" ;;
			-h | --help)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
			*)	die "unknown: $1" ;;
		esac
		shift
	done
	idem_begin "$here"
	# shellcheck disable=SC2046 # lists of names
	regress_tests=$(of_part $(wanted_of $(names "$here"/sql/*.sql)))
	# shellcheck disable=SC2046
	isolation_tests=$(of_part $(wanted_of $(names "$here"/test/isolation/specs/*.spec)))
	[ -n "$regress_tests$isolation_tests$part" ] || die "no such test:$only"
	for one in ${wanted:-undefined assert valgrind growth}; do
		say "--- $one"
		"run_$one"
		fresh_folder
	done
	say "$findings findings, $failures tests failed"
	wanted=${wanted:- undefined assert valgrind growth}
	idem_result "sanitize-$(printf '%s' "${wanted# }" | tr ' ' -)" \
		"$findings findings, $failures tests failed" "of several builds"
	[ $((findings + failures)) -eq 0 ]
}

names()
{
	for file in "$@"; do
		file=${file##*/}
		printf '%s ' "${file%.*}"
	done
}

# Those of the names that are wanted, as they are wanted.
wanted_of()
{
	[ -n "$only" ] || printf '%s ' "$@"
	for name in $only; do
		case " $* " in
			*" $name "*)	printf '%s ' "$name" ;;
		esac
	done
}

# Those of the names that are of the part.
of_part()
{
	n=0
	for name in "$@"; do
		n=$((n + 1))
		[ -z "$part" ] || [ $(((n - ${part%/*}) % ${part#*/})) -eq 0 ] || continue
		printf '%s ' "$name"
	done
}

# The next one begins with another server and an empty cluster.
fresh_folder()
{
	idem_stop_server
	idem_sweep
	rm -rf "$tmp/root" "$tmp/data" "$tmp"/*.log
	IDEM_CFLAGS=
	IDEM_LDFLAGS=
	under=
}

# ----------------------------------------------------------------------
# Undefined behaviour
# ----------------------------------------------------------------------

# The server's makefiles say -fwrapv; -fno-wrapv makes an overflow of ours
# undefined again, so that it is seen.
run_undefined()
{
	idem_need sanitize
	idem_relocate
	IDEM_CFLAGS="-O1 -g -fsanitize=undefined -fno-wrapv -fno-sanitize-recover=undefined"
	IDEM_LDFLAGS="-fsanitize=undefined -static-libubsan"
	idem_build "$tmp/build.log" || die "building failed"
	idem_cluster "fsync = off"
	say "idem on PostgreSQL $version, gcc's -fsanitize=undefined"
	suite regress "$regress_tests"
	suite isolation "$isolation_tests"
	judge "runtime error|terminated by signal"
}

# ----------------------------------------------------------------------
# A server with assertions
# ----------------------------------------------------------------------

run_assert()
{
	assert_server assert
	idem_cluster "fsync = off"
	say "idem on PostgreSQL $version with assertions"
	suite regress "$regress_tests"
	suite isolation "$isolation_tests"
	judge "TRAP|terminated by signal"
}

# Private copy of the cached server, with idem built for it.  $1 is what it is
# built for: "assert", or "valgrind", which tells valgrind of the server's own
# memory.
assert_server()
{
	idem_cache
	idem_need sanitize
	major=$("$pg_config" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	purpose=$1
	prefix=$cache/$purpose-$major
	if [ ! -e "$prefix/done" ] || ! keeps_to_itself; then
		make_assert_server
	fi
	PG_CONFIG=$prefix/bin/pg_config
	idem_need sanitize
	idem_relocate
	IDEM_CFLAGS="-DUSE_ASSERT_CHECKING -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare"
	idem_build "$tmp/build.log" || die "building failed"
	warned=$(grep -c 'warning:' "$tmp/build.log")
	[ "$warned" -eq 0 ] || {
		grep 'warning:' "$tmp/build.log"
		findings=$((findings + warned))
	}
}

# Are its libraries in its own folder, and not in that of a packaged server?
keeps_to_itself()
{
	case $("$prefix/bin/pg_config" --pkglibdir) in
		"$prefix"/*)	;;
		*)	false ;;
	esac
}

# A source with Debian's patches installs its libraries into the folder of the
# system's server, whatever the prefix says: that line is taken out.
make_assert_server()
{
	case $purpose in
		assert)	set -- CFLAGS='-O2 -g' ;;
		valgrind)
			set -- CPPFLAGS=-DUSE_VALGRIND CFLAGS='-Og -g'
			idem_need_command valgrind valgrind ;;
	esac
	[ -e /usr/include/unicode/ucol.h ] || {
		packages="libicu-dev pkg-config bison flex"
		idem_install
	}
	say "building a server with assertions, once (some minutes)"
	rm -rf "$prefix"
	mkdir -p "$prefix/build"
	source=${IDEM_PG_SOURCE:-}
	if [ -z "$source" ]; then
		(cd "$prefix" && apt-get source -qq --download-only "postgresql-$major" &&
			tar -xf postgresql-*.orig.tar.*) >"$tmp/source.log" 2>&1 || {
			tail -n 5 "$tmp/source.log" | sed 's/^/    /'
			die "apt has no source of postgresql-$major (is there a deb-src line?); set IDEM_PG_SOURCE"
		}
		source=$(echo "$prefix"/postgresql-*/)
	fi
	(
		cd "$prefix/build" &&
			"$source/configure" -q --prefix="$prefix" --enable-cassert --enable-debug \
				--with-icu --without-readline --without-zlib \
				"$@" &&
			sed -i '/^override pkglibdir/d' src/Makefile.global &&
			own_folders &&
			make -s -j "$(nproc)" -C src install && make -s -C contrib install
	) >"$tmp/assert.log" 2>&1 || {
		tail -n 20 "$tmp/assert.log" | sed 's/^/    /'
		die "the server could not be built"
	}
	cp "$source/src/tools/valgrind.supp" "$prefix/"
	rm -rf "$prefix/build"
	: >"$prefix/done"
}

# Will everything be installed below the prefix?  The system's server must not
# be touched, whatever a distribution has patched.
own_folders()
{
	printf 'include src/Makefile.global\nwhere:\n\t@echo $(pkglibdir)\n' >where.mk
	case $(make -s -f where.mk where top_builddir=. subdir=.) in
		"$prefix"/*)	return 0 ;;
	esac
	echo "this source does not install below $prefix: take one without a distribution's patches"
	return 1
}

# ----------------------------------------------------------------------
# Valgrind
# ----------------------------------------------------------------------

run_valgrind()
{
	assert_server valgrind
	in_parts valgrind || valgrind_part
}

# A server can be slower than one core: the tests are parted, and each part is
# run by a script of its own, as who we are, so that it finds what is kept.
# False if there is nothing to part.
in_parts()
{
	mode=$1
	[ -z "$part" ] && [ "$cores" -gt 1 ] &&
		[ "$(echo "$regress_tests" | wc -w)" -gt 1 ] || return 1
	chosen=
	for name in $only; do
		chosen="$chosen --test $name"
	done
	parts=
	shown=
	for k in $(seq "$cores"); do
		log=$tmp/part$k.log
		: >"$log"
		# shellcheck disable=SC2086 # words
		setsid env --default-signal=INT,QUIT IDEM_CACHE="$cache" \
			sh "$src/test/proof/sanitize.sh" "$mode" --part "$k/$cores" $chosen \
			>"$log" 2>&1 &
		jobs="$jobs $!"
		parts="$parts $!"
		tail -n +1 -f --pid=$! "$log" |
			grep --line-buffered -v -E '^(---|[0-9]+ findings, )' &
		shown="$shown $!"
	done
	for job in $parts; do
		idem_wait "$job"
	done
	for job in $shown; do
		wait "$job"
	done
	for k in $(seq "$cores"); do
		# the last line is "N findings, N tests failed"
		# shellcheck disable=SC2046 # two numbers, or none
		set -- $(tail -n 1 "$tmp/part$k.log" | sed -n 's/^\([0-9]*\) findings, \([0-9]*\) tests failed$/\1 \2/p')
		findings=$((findings + ${1:-0}))
		failures=$((failures + ${2:-1}))
	done
}

# The isolation tests would take half an hour under valgrind, and time decides
# in them who waits: they are left to the other checks.
valgrind_part()
{
	# shellcheck disable=SC2086 # $as is several words
	$as mkdir "$tmp/valgrind"
	under="valgrind --quiet --trace-children=yes ${IDEM_VALGRIND:-}
		--leak-check=no --read-var-info=no --gen-suppressions=no
		--suppressions=$prefix/valgrind.supp
		--error-markers=VALGRINDERROR-BEGIN,VALGRINDERROR-END
		--log-file=$tmp/valgrind/%p"
	idem_cluster "fsync = off" "autovacuum = off"
	say "idem on PostgreSQL $version with assertions, under valgrind"
	suite regress "$regress_tests"
	cat "$tmp"/valgrind/* >>"$tmp/server.log"
	judge "VALGRINDERROR-BEGIN|TRAP|terminated by signal"
}

# ----------------------------------------------------------------------
# Growth
# ----------------------------------------------------------------------

# The backend's own memory is asked after a twentieth of the calls and at the
# end.  What may differ is a little, and not as many bytes as calls.
run_growth()
{
	PG_CONFIG=
	idem_need sanitize
	idem_relocate
	idem_build "$tmp/build.log" || die "building failed"
	idem_cluster "fsync = off" "autovacuum = on" "max_wal_size = 4GB"
	say "idem on PostgreSQL $version, $calls million calls of each kind in one backend"
	idem_step "$tmp/growth.log" "the calls" "$bin/psql" -X -q -A -t -h "$tmp" -U postgres \
		-d postgres -v ON_ERROR_STOP=1 -v calls="$((calls * 1000000))" \
		-f "$src/test/proof/growth/calls.sql"
	grep -E '^[a-z]' "$tmp/growth.log" | sed 's/^/    /'
	grew=$(grep -c '^GREW' "$tmp/growth.log")
	grep '^GREW' "$tmp/growth.log"
	findings=$((findings + grew))
}

# ----------------------------------------------------------------------
# Caches that are forgotten at every moment
# ----------------------------------------------------------------------

run_discard()
{
	assert_server assert
	mkdir -p "$cache/discard-$major" || die "cannot keep anything in $cache"
	in_parts discard || discard_part
}

# Only the sessions of the tests run with the setting.
discard_part()
{
	$as tee "$tmp/launch" >/dev/null <<-'END'
		#!/bin/sh
		PGOPTIONS="$PGOPTIONS -c debug_discard_caches=1"
		export PGOPTIONS
		exec timeout "${IDEM_DISCARD_SECONDS:-3600}" "$@"
	END
	$as chmod +x "$tmp/launch"
	idem_cluster "fsync = off" "autovacuum = off"
	say "idem on PostgreSQL $version with assertions, debug_discard_caches = 1"
	passed=0
	# shellcheck disable=SC2086 # a list of names
	set -- $regress_tests
	for name in "$@"; do
		discard_test "$name" && passed=$((passed + 1))
	done
	say "regress: $passed of $# passed"
	failures=$((failures + $# - passed))
	judge "TRAP|terminated by signal"
}

# Run a test, unless it has passed with these sources; keep what it said.
discard_test()
{
	kept=$cache/discard-$major/$1
	digest=$(discard_digest "$1")
	if [ "$(head -n 1 "$kept" 2>/dev/null)" = "$digest" ]; then
		say "  $1 passed before"
		return 0
	fi
	began=$(date +%s)
	idem_server_ensure
	rm -f "$src/regression.diffs"
	discard_database
	idem_run "$tmp/discard.log" env PGHOST="$tmp" PGUSER=postgres \
		make -C "$src" with_llvm=no PG_CONFIG="$bin/pg_config" installcheck \
		TAP_TESTS= ISOLATION= REGRESS="$1" \
		EXTRA_REGRESS_OPTS="--launcher=$tmp/launch --use-existing"
	status=$?
	seconds=$(($(date +%s) - began))
	if [ "$status" -eq 0 ]; then
		printf '%s\n%s\n' "$digest" "$seconds s" >"$kept"
		say "  $1 passed, $seconds s"
		return 0
	fi
	say "  $1 failed, $seconds s"
	tail -n 3 "$tmp/discard.log" | sed 's/^/    /'
	[ ! -s "$src/regression.diffs" ] || {
		cp "$src/regression.diffs" "$kept.diff"
		head -n 60 "$kept.diff" | sed 's/^/    /'
	}
	# what it has left running, when its time was over, keeps its database
	idem_stop_server
	return 1
}

# A database as pg_regress makes it.  The doctor is one query over all that it
# knows, which takes the planner ten minutes under this setting, each time, and
# what that tries is the server.  So the query is planned without the setting,
# and what it calls of our C runs with it.  (ALTER FUNCTION is refused, as it should
# be.)
discard_database()
{
	idem_step "$tmp/database.log" "making a database" \
		"$bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$tmp" -U postgres -d postgres \
		-c "DROP DATABASE IF EXISTS contrib_regression" \
		-c "CREATE DATABASE contrib_regression TEMPLATE template0" \
		-c "ALTER DATABASE contrib_regression SET lc_messages = 'C'" \
		-c "ALTER DATABASE contrib_regression SET lc_monetary = 'C'" \
		-c "ALTER DATABASE contrib_regression SET lc_numeric = 'C'" \
		-c "ALTER DATABASE contrib_regression SET lc_time = 'C'" \
		-c "ALTER DATABASE contrib_regression SET bytea_output = 'hex'" \
		-c "ALTER DATABASE contrib_regression SET timezone_abbreviations = 'Default'" \
		-c "GRANT SET ON PARAMETER debug_discard_caches TO public" \
		-c "\connect contrib_regression" \
		-c "CREATE EXTENSION idem" \
		-c "UPDATE pg_proc SET proconfig = coalesce(proconfig, '{}')
				|| CASE proname WHEN 'doctor' THEN 'debug_discard_caches=0' ELSE 'debug_discard_caches=1' END
			WHERE pronamespace = 'idem'::regnamespace
			  AND proname IN ('doctor', 'check_rows', 'problems_of')"
}

# Of the sources, the test and what it is to say: what its verdict is good for.
discard_digest()
{
	(
		cd "$src" &&
			find src -name '*.[ch]' -o -name '*.sql' | LC_ALL=C sort |
			xargs cat Makefile idem.control "sql/$1.sql" &&
			cat "expected/$1.out" "expected/$1"_[0-9].out 2>/dev/null
	) | sha256sum | cut -d ' ' -f 1
}

# ----------------------------------------------------------------------
# Tests and what was said meanwhile
# ----------------------------------------------------------------------

suite()
{
	kind=$1
	count=$(echo "$2" | wc -w)
	case $kind in
		regress)	set -- REGRESS="$2" ISOLATION= ;;
		isolation)	set -- REGRESS= ISOLATION="$2" ;;
	esac
	idem_run "$tmp/$kind.log" env PGHOST="$tmp" PGUSER=postgres PGISOLATIONTIMEOUT=600 \
		make -C "$src" with_llvm=no PG_CONFIG="$bin/pg_config" \
		-k installcheck TAP_TESTS= "$@"
	passed=$(grep -Ec '^(test +[^ ]+ +\.\.\. ok|ok [0-9]+ +[-+] )' "$tmp/$kind.log")
	say "$kind: $passed of $count passed"
	[ "$passed" -eq "$count" ] && return
	failures=$((failures + count - passed))
	grep -E '(^not ok|\.\.\. FAILED)' "$tmp/$kind.log" | sed 's/^/    /'
	diffs=$src/regression.diffs
	[ "$kind" = regress ] || diffs=$src/output_iso/regression.diffs
	[ ! -s "$diffs" ] || head -n 60 "$diffs" | sed 's/^/    /'
}

# What the server's log has of the pattern $1.
judge()
{
	seen=$(grep -Ec "$1" "$tmp/server.log")
	say "$seen findings"
	[ "$seen" -eq 0 ] && return
	findings=$((findings + seen))
	grep -E -A 12 "$1" "$tmp/server.log" | head -n 80 | sed 's/^/    /'
}

main "$@"
