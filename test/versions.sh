#!/bin/sh
# versions.sh - every suite on every PostgreSQL that can be had
#
#	sh test/versions.sh [VERSION | PG_CONFIG]...
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
# PROVE_FLAGS and tests' names are not passed on: this is the whole.

set -u
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
. "$here/test/lib.sh"

all_warnings="-Wall -Wextra -Wno-unused-parameter -Wno-sign-compare"

# Where a version is found: a release, and those that it has to be fetched
# from and that give nothing else.
release_of()
{
	case $1 in
		15)	echo "bookworm" ;;
		17)	echo "trixie" ;;
		18)	echo "forky" ;;
		19)	echo "forky sid experimental" ;;
		*)	return 1 ;;
	esac
}

main()
{
	case ${1:-} in
		-h | --help)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
	esac
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
		sh "$here/test/run.sh" >"$log" 2>&1
	conclude $? "this machine"
}

# Make the root if it is not there, run the suites in it, say how it ended.
one_version()
{
	# shellcheck disable=SC2046 # one word or some
	set -- "$1" $(release_of "$1")
	place=$cache/postgresql-$1
	log=$cache/postgresql-$1.log
	idem_need_command debootstrap debootstrap
	if [ ! -e "$place.done" ]; then
		make_root "$@" >"$log" 2>&1 || {
			tail -n 20 "$log" | sed 's/^/    /'
			say "PostgreSQL $1: no root could be made from $2"
			return 1
		}
	fi
	run_suites >"$log" 2>&1
	conclude $? "$2"
}

# conclude STATUS WHERE: say how the run ended that wrote $log.
conclude()
{
	found=$(sed -n 's/^idem on PostgreSQL \([^,]*\),.*/\1/p' "$log")
	warnings=$(sed -n 's/^built, \([0-9]*\) warnings/\1/p' "$log")
	say "PostgreSQL ${found:-?} ($2): $(tail -n 1 "$log"), ${warnings:-no build,} warnings"
	[ "$1" -eq 0 ] && [ "$warnings" = 0 ] && return
	grep -E 'FAILED|DID NOT RUN|warning:' "$log" | sed 's/^/    /'
	say "    all it said: $log"
	return 1
}

# The mirror from which this machine installs Debian's own packages.
mirror()
{
	# shellcheck disable=SC2016 # the words are for apt
	apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Identifier: Packages' |
		sed -n 's/^Debian //p' | sed -n 1p
}

# make_root VERSION RELEASE [SOURCE]...
make_root()
{
	site=$(mirror)
	[ -n "$site" ] || { echo "apt names no mirror of Debian"; return 1; }
	rm -rf "$place"
	recipe=/usr/share/debootstrap/scripts/$2
	[ -e "$recipe" ] || recipe=/usr/share/debootstrap/scripts/sid
	debootstrap --variant=minbase --include=ca-certificates "$2" "$place" "$site" "$recipe" || return 1
	server="postgresql-$1 postgresql-server-dev-$1"
	shift 2
	for source in "$@"; do
		echo "deb $site $source main" >"$place/etc/apt/sources.list.d/$source.list"
		prefer "Package: *" "$source" 100
		prefer "Package: ${server%% *} ${server##* } postgresql-client-* libpq*" \
			"$source" 995
	done >"$place/etc/apt/preferences.d/idem-test"
	in_root apt-get update || return 1
	mkdir -p "$place/etc/postgresql-common/createcluster.d"
	echo 'create_main_cluster = false' \
		>"$place/etc/postgresql-common/createcluster.d/idem-test.conf"
	# shellcheck disable=SC2086 # two words
	in_root apt-get install -y --no-install-recommends $server || return 1
	in_root apt-get install -y --no-install-recommends \
		make gcc libc6-dev perl libipc-run-perl python3 python3-psycopg2 || return 1
	in_root apt-get clean
	: >"$place.done"
}

prefer()
{
	printf '%s\nPin: release n=%s\nPin-Priority: %s\n\n' "$1" \
		"$([ "$2" = experimental ] && echo rc-buggy || echo "$2")" "$3"
}

# Run a command in the root, with /proc and the machine's name servers.  A
# mirror may stand still for longer than a release in the making is valid.
in_root()
{
	cp /etc/resolv.conf "$place/etc/"
	echo 'Acquire::Check-Valid-Until "false";' \
		>"$place/etc/apt/apt.conf.d/idem-test"
	mount -t proc proc "$place/proc"
	mounted=$place/proc
	idem_foreground chroot "$place" env DEBIAN_FRONTEND=noninteractive "$@"
	inside=$?
	umount "$mounted"
	mounted=
	return $inside
}

run_suites()
{
	rm -rf "$place/root/idem"
	mkdir -p "$place/root/idem"
	tar -C "$src" -cf - . | tar -C "$place/root/idem" -xf - || return 1
	# shellcheck disable=SC2016 # for the shell in the root
	in_root env -u TMPDIR HOME=/root \
		IDEM_CFLAGS="$all_warnings" \
		sh /root/idem/test/run.sh
}

main "$@"
