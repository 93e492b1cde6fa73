#!/bin/sh
# mutate.sh - break the lines that decide, and see a test fail for each
#
#	sh test/proof/mutate.sh [--list | --check] [WORD]...
#
# test/proof/mutations/ lists the lines, a file for each folder of src/, as
# entries with an empty line between them:
#
#	name:    what is broken
#	file:    where
#	in:      function, if the pattern alone is not enough
#	line:    pattern (sed, basic) that one line of the function or file matches
#	change:  what sed does to that line
#	tests:   tests of which at least one has to fail
#
# First those tests run on the code as it is and have to pass.
# Then each line is broken alone, in a copy; idem is built and installed for a
# private server and the tests named are run: a mutation that they all pass
# has survived.  With WORDs, only mutations whose name or file has one of them.
#
# --list shows the entries, --check only looks whether each line is found.
# Lines are found by a pattern.  One that does not match exactly once, or whose
# change changes nothing, is an error, so that the list cannot go stale.  The
# last line is "N killed, N survived, N stale"; the exit status is 1 unless all
# were killed.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

lists=$here/test/proof/mutations
parted=$(printf '\001')
killed=0
survived=0
stale=0

main()
{
	only=
	listing=no
	checking=no
	while [ $# -gt 0 ]; do
		case $1 in
			--list)	listing=yes ;;
			--check)	checking=yes ;;
			-h | --help)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
			-*)	die "unknown option $1" ;;
			*)	only="$only $1" ;;
		esac
		shift
	done
	idem_begin "$here"
	read_list >"$tmp/list"
	if [ "$listing" = yes ]; then
		show_list <"$tmp/list"
		exit 0
	fi
	if [ "$checking" = yes ]; then
		while IFS=$parted read -r name file inside line change tests; do
			break_line
		done <"$tmp/list"
		say "$(wc -l <"$tmp/list") mutations, $stale stale"
		[ "$stale" -eq 0 ]
		exit
	fi
	idem_need tap
	idem_relocate
	idem_build "$tmp/build.log" || die "building failed"
	idem_cluster "fsync = off"
	say "idem on PostgreSQL $version, $(wc -l <"$tmp/list") mutations"
	as_it_is
	while IFS=$parted read -r name file inside line change tests; do
		one_mutation </dev/null
	done <"$tmp/list"
	say "$killed killed, $survived survived, $stale stale"
	idem_result "mutate${only:+-${only# }}" "$killed killed, $survived survived, $stale stale"
	[ $((survived + stale)) -eq 0 ] && [ -z "$useless" ]
}

# ----------------------------------------------------------------------
# The list
# ----------------------------------------------------------------------

# The entries of the list, one a line: name, file, function or "-", pattern,
# change, tests; parted by a character that stands in none of them.
read_list()
{
	awk -v only="$only" -v OFS="$parted" '
		function wanted(	w, i, n)
		{
			n = split(only, w, " ")
			for (i = 1; i <= n; i++)
				if (index(of["name"] " " of["file"], w[i]))
					return 1
			return n == 0
		}
		function flush()
		{
			if (of["name"] != "" && wanted())
				print of["name"], of["file"], (of["in"] == "" ? "-" : of["in"]),
					of["line"], of["change"], of["tests"]
			delete of
		}
		/^#/ { next }
		/^[ \t]*$/ { flush(); next }
		{
			word = $1
			sub(/:$/, "", word)
			if (word == "name")
				flush()
			sub(/^[^:]*:[ \t]*/, "")
			of[word] = $0
		}
		FNR == 1 { flush() }
		END { flush() }' "$lists"/*
}

show_list()
{
	awk -F "$parted" '{ printf "%-44s %-32s %s\n", $1, $2, $6 }'
}

# ----------------------------------------------------------------------
# One mutation
# ----------------------------------------------------------------------

# The tests have to pass where nothing is broken; those that do not prove
# nothing, and are left out from here on.
as_it_is()
{
	useless=
	all=$(cut -d "$parted" -f 6 "$tmp/list" | tr ' ' '\n' | sort -u | tr '\n' ' ')
	run_tests "$all" && return
	useless=$failing
	say "these fail without any mutation, and prove nothing:$useless"
}

# Write the broken file as $tmp/after.c; false if its line is not found.
break_line()
{
	cp "$here/$file" "$tmp/before.c" 2>/dev/null || {
		not_there "there is no file $file"
		return 1
	}
	range="1,\$"
	[ "$inside" = - ] || range="/^$inside(/,/^}/"
	times=$(sed -n "$range{/$line/p;}" "$tmp/before.c" | wc -l)
	[ "$times" -eq 1 ] || {
		not_there "the pattern matches $times lines, not one: $line"
		return 1
	}
	sed "$range{/$line/{$change;};}" "$tmp/before.c" >"$tmp/after.c"
	! cmp -s "$tmp/before.c" "$tmp/after.c" || {
		not_there "the change changes nothing: $change"
		return 1
	}
}

one_mutation()
{
	break_line || return
	put_file "$tmp/after.c"
	if build_again; then
		judge
	else
		not_there "the broken code does not compile"
		tail -n 5 "$tmp/mutate.log" | sed 's/^/    /'
	fi
	put_file "$tmp/before.c"
}

# The copy is newer than what was made of it, whatever the clock's grain.
put_file()
{
	# shellcheck disable=SC2086 # $as is several words
	$as tee "$src/$file" <"$1" >/dev/null
	$as touch -d '+2 seconds' "$src/$file"
}

build_again()
{
	: >"$tmp/mutate.log"
	$as rm -f "$src/${file%.c}.o" "$src"/idem.so "$src"/idem--*.sql
	idem_make "$tmp/mutate.log" -s all && idem_make "$tmp/mutate.log" -s install
}

judge()
{
	useful=
	for test in $tests; do
		case " $useless " in
			*" $test "*) ;;
			*)	useful="$useful $test" ;;
		esac
	done
	if run_tests "$useful"; then
		survived=$((survived + 1))
		say "SURVIVED  $name ($file): passes $tests"
	else
		killed=$((killed + 1))
		say "killed    $name:$failing"
	fi
}

not_there()
{
	stale=$((stale + 1))
	say "STALE     $name: $1"
}

# Run tests by name; $failing are those that did not pass.
run_tests()
{
	failing=
	regress=
	isolation=
	tap=
	for test in $1; do
		known=no
		# one name may stand for a regress test and a spec: both are meant
		[ ! -e "$here/sql/$test.sql" ] || {
			regress="$regress $test"
			known=yes
		}
		[ ! -e "$here/test/isolation/specs/$test.spec" ] || {
			isolation="$isolation $test"
			known=yes
		}
		[ ! -e "$here/test/tap/$test.pl" ] || {
			tap="$tap $test"
			known=yes
		}
		[ "$known" = yes ] || {
			say "STALE     no test is called $test"
			stale=$((stale + 1))
			failing="$failing $test"
		}
	done
	[ -z "$regress" ] || run_suite regress "$regress" REGRESS="$regress" ISOLATION= TAP_TESTS=
	[ -z "$isolation" ] || run_suite isolation "$isolation" REGRESS= ISOLATION="$isolation" TAP_TESTS=
	for test in $tap; do
		run_suite tap "$test" REGRESS= ISOLATION= TAP_TESTS=1 PROVE_TESTS="test/tap/$test.pl"
	done
	[ -z "$failing" ]
}

# A test that the runner does not call ok has failed, also if all it says is
# that the server went away.
run_suite()
{
	kind=$1
	names=$2
	shift 2
	idem_server_ensure
	: >"$tmp/suite.log"
	idem_run "$tmp/suite.log" env PGHOST="$tmp" PGUSER=postgres \
		timeout 300 make -C "$src" with_llvm=no PG_CONFIG="$bin/pg_config" \
		-k installcheck "$@"
	status=$?
	# a backend that does not come to an end would hold up all that follow
	[ "$status" -ne 124 ] || {
		idem_stop_server
		idem_server_start
	}
	for test in $names; do
		case $kind in
			tap)	[ "$status" -eq 0 ] ;;
			*)	grep -Eq "^(test +$test +\.\.\. ok|ok [0-9]+ +[-+] $test )" "$tmp/suite.log" ;;
		esac || failing="$failing $test"
	done
}

main "$@"
