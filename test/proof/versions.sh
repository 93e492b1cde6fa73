#!/bin/sh
# versions.sh - every suite on every PostgreSQL that can be had
#
#	sh test/proof/versions.sh [--only TEST]... [VERSION | PG_CONFIG]...
#
# VERSION is 15, 17, 18 or 19, all unless told otherwise.  For each one a small
# Debian of the release that carries it is made with debootstrap, from the
# mirror that this machine's apt uses; in it runs test/run.sh with all warnings
# on.  A version that Debian does not carry, such as 16, is named by the path of
# its pg_config, wherever the server came from: there the suites run on this
# machine.  (Built by hand, it is configured with --enable-tap-tests and
# --with-icu, and installed with its contrib.)  The last line for each version
# is the last line of its run, and the number of warnings; the exit status is 1
# if anything failed or was warned of.
#
# A VERSION needs root, and about 1 GB and two minutes the first time: the
# roots are kept in $IDEM_CACHE (see idem_cache in lib.sh) and used again.
# --only names a suite or a test, to look at one thing on other versions.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"
. "$here/test/proof/roots.sh"

all_warnings="-Wall -Wextra -Wno-unused-parameter -Wno-sign-compare"

main()
{
	only=
	while [ $# -gt 0 ]; do
		case $1 in
			--only)	only="$only ${2:?"--only needs a name"}"; shift ;;
			-h | --help)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
			*)	break ;;
		esac
		shift
	done
	[ $# -gt 0 ] || set -- 15 17 18 19
	for version in "$@"; do
		may_run "$version"
	done
	idem_begin "$here"
	idem_cache
	bad=0
	for version in "$@"; do
		case $version in
			*/*)	one_server "$version" || bad=1 ;;
			*)	one_version "$version" || bad=1 ;;
		esac
	done
	exit $bad
}

may_run()
{
	case $1 in
		*/*)	idem_usable_server "$1" || die "$1 has no server and headers of 15 or later" ;;
		*)	release_of "$1" >/dev/null || die "no release is known for $1"
			[ "$(id -u)" -eq 0 ] || die "debootstrap and chroot need root" ;;
	esac
}

# The suites on a server of this machine.
one_server()
{
	log=$cache/$("$1" --version | sed 's/[^0-9]*\([^ ]*\).*/server-\1/').log
	idem_foreground env PG_CONFIG="$1" IDEM_CFLAGS="$all_warnings" \
		sh "$here/test/run.sh" $only >"$log" 2>&1
	conclude $? "this machine"
}

# Make the root if it is not there, run the suites in it, say how it ended.
one_version()
{
	# shellcheck disable=SC2046 # one word or some
	set -- "$1" $(release_of "$1")
	place=$cache/postgresql-$1
	log=$cache/postgresql-$1.log
	need_root "$@" || return 1
	run_suites >"$log" 2>&1
	conclude $? "$2"
}

# conclude STATUS WHERE: say how the run ended that wrote $log.
conclude()
{
	found=$(sed -n 's/^idem on PostgreSQL \([^,]*\),.*/\1/p' "$log")
	warnings=$(sed -n 's/^built, \([0-9]*\) warnings/\1/p' "$log")
	said="$(tail -n 1 "$log"), ${warnings:-no build,} warnings"
	say "PostgreSQL ${found:-?} ($2): $said"
	idem_result "versions-${found%%[!0-9]*}" "$said" "$found"
	[ "$1" -eq 0 ] && [ "$warnings" = 0 ] && return
	grep -E 'FAILED|DID NOT RUN|warning:' "$log" | sed 's/^/    /'
	say "    all it said: $log"
	return 1
}

run_suites()
{
	rm -rf "$place/root/idem"
	mkdir -p "$place/root/idem"
	tar -C "$src" -cf - . | tar -C "$place/root/idem" -xf - || return 1
	# shellcheck disable=SC2016 # for the shell in the root
	in_root env -u TMPDIR HOME=/root \
		IDEM_CFLAGS="$all_warnings" \
		sh /root/idem/test/run.sh $only
}

main "$@"
