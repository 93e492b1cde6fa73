#!/bin/sh
# core.sh - the server's own regression suite, with and without idem
#
#	sh test/proof/core.sh SOURCE [TEST]...
#
# SOURCE is the unpacked source of a PostgreSQL of the same major version as
# the installed server; nothing in it is changed.  The suite runs twice, on a
# new cluster each time: in a database made from template1 as it is, and in
# one made from a template1 with idem.  What is compared is the output of the
# two runs, test by test, so that a server and a source that are some minor
# versions apart do not matter.
#
# Two tests list what the catalog holds, and so would list what is idem's:
# opr_sanity its operators, event_trigger its event triggers.  In both runs
# they see the objects that came with the server or were made by the suite.
#
# TEST is one of the suite's, for looking at it alone (those before it that it
# needs have to be named too).  The last line is "N tests, N differ"; the exit
# status is 1 if one does.  It takes two to four minutes.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

source=${1:-}
[ $# -eq 0 ] || shift
tests_wanted=${*:---schedule=parallel_schedule}
[ -e "$source/src/test/regress/parallel_schedule" ] || {
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
source=$(cd "$source" && pwd)

# The suite, with its library, in a folder of ours.
prepare()
{
	suite=$tmp/suite
	idem_step "$tmp/suite.log" "copying the suite" \
		cp -R "$source/src/test/regress" "$suite"
	# shellcheck disable=SC2046 # words
	idem_step "$tmp/suite.log" "building regress.so" \
		$("$pg_config" --cc) -shared -fPIC -O1 \
		-I"$("$pg_config" --includedir-server)" -I"$("$pg_config" --includedir)" \
		-o "$suite/regress.so" "$suite/regress.c"
	only_builtin pg_proc pg_operator pg_type pg_cast pg_amop pg_amproc pg_opclass pg_opfamily
	without_event_triggers
	for library in autoinc refint; do
		idem_step "$tmp/suite.log" "finding $library" \
			cp "$("$pg_config" --pkglibdir)/$library.so" "$suite"
	done
}

# Put views in front of opr_sanity that hide what was created later.  The
# temporary schema is searched before pg_catalog.
only_builtin()
{
	for catalog in "$@"; do
		echo "CREATE TEMP VIEW $catalog AS SELECT * FROM pg_catalog.$catalog WHERE oid < 16384;"
	done >"$tmp/views"
	echo "CREATE TEMP VIEW pg_aggregate AS SELECT * FROM pg_catalog.pg_aggregate WHERE aggfnoid::oid < 16384;" >>"$tmp/views"
	# shellcheck disable=SC2086 # $as is several words
	cat "$tmp/views" "$source/src/test/regress/sql/opr_sanity.sql" |
		$as tee "$suite/sql/opr_sanity.sql" >/dev/null
}

# The same for the one list of event triggers.
without_event_triggers()
{
	# shellcheck disable=SC2086 # $as is several words
	sed "s/^\( *FROM\) pg_event_trigger as e,/\1 (SELECT * FROM pg_event_trigger WHERE evtname !~ '^idem_') AS e,/" \
		"$source/src/test/regress/sql/event_trigger.sql" |
		$as tee "$suite/sql/event_trigger.sql" >/dev/null
}

# Run the suite into the folder $1, after the SQL $2 in template1.
run_suite()
{
	idem_cluster "fsync = off"
	[ -z "$2" ] ||
		idem_step "$tmp/suite.log" "$2" \
			"$bin/psql" -X -h "$tmp" -U postgres -d template1 -c "$2"
	for sql in "CREATE DATABASE regression TEMPLATE template1" \
		"ALTER DATABASE regression SET lc_messages TO 'C'" \
		"ALTER DATABASE regression SET lc_monetary TO 'C'" \
		"ALTER DATABASE regression SET lc_numeric TO 'C'" \
		"ALTER DATABASE regression SET lc_time TO 'C'" \
		"ALTER DATABASE regression SET bytea_output TO 'hex'" \
		"ALTER DATABASE regression SET timezone_abbreviations TO 'Default'"
	do
		idem_step "$tmp/suite.log" "$sql" \
			"$bin/psql" -X -h "$tmp" -U postgres -d postgres -c "$sql"
	done
	# shellcheck disable=SC2086 # $as is several words
	$as mkdir -p "$1/testtablespace" "$1/results"
	cd "$suite" || exit 1
	# a test that differs from what the source expects is not our concern
	# shellcheck disable=SC2086 # $tests_wanted is several words
	idem_run "$1/log" "${pg_config_pgxs%/makefiles/*}/test/regress/pg_regress" \
		--bindir="$bin" --dlpath="$suite" --inputdir="$suite" --outputdir="$1" \
		--host="$tmp" --user=postgres --use-existing --dbname=regression \
		--max-concurrent-tests=20 $tests_wanted
	cd "$tmp" || exit 1
	idem_stop_server
	rm -rf "$tmp/data"
	[ -n "$(ls "$1/results")" ] || {
		sed 's/^/    /' "$1/log"
		die "the suite did not run"
	}
}

idem_begin "$here"
idem_need core
idem_relocate
say "idem on PostgreSQL $version, suite of $source"
idem_build "$tmp/build.log" || die "building failed"
pg_config_pgxs=$("$pg_config" --pgxs)
prepare
say "without idem"
# shellcheck disable=SC2086 # $as is several words
$as mkdir "$tmp/without" "$tmp/with"
run_suite "$tmp/without" ""
say "with idem"
run_suite "$tmp/with" "CREATE EXTENSION idem"

tests=0
differ=0
for file in "$tmp"/without/results/*.out; do
	tests=$((tests + 1))
	test=$(basename "$file" .out)
	diff -u "$file" "$tmp/with/results/$test.out" >"$tmp/diff" 2>&1 && continue
	differ=$((differ + 1))
	say "--- $test"
	sed 's/^/    /' "$tmp/diff"
done
say "$tests tests, $differ differ"
idem_result core "$tests tests, $differ differ"
[ "$differ" -eq 0 ]
