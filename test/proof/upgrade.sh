#!/bin/sh
# upgrade.sh - pg_upgrade of a database full of guards
#
#	sh test/proof/upgrade.sh [FROM] [TO]...
#
# FROM is 15, TO are 17, 18 and 19, unless told otherwise.  A cluster of the
# old version gets every room in use (before.sql and rooms.sql of
# test/proof/upgrade/): columns of money under every kind of index, claims settled,
# open and suspected, machines with history, a guard of every kind, partitions,
# channels, a reconciled day, a site, roles with rights.
# pg_upgrade brings it to the new version, once by copying and once with
# --link, and test/proof/upgrade/checks.sql asks the same of the new cluster as it
# did of the old one: every row is there, the doctor says nothing new, each guard
# refuses, old keys are known, indexes find what a scan finds and pass amcheck.
# Nothing is sent before an operator has adopted the site (moved.sql).
#
# Both versions run in the root of the new one (see roots.sh): the old one is
# copied there from its own, with the libraries that the new release lacks.
# Needs root.  A line for each upgrade; the exit status is 1 if one failed.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"
. "$here/test/proof/roots.sh"

main()
{
	case ${1:-} in
		-h | --help)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
		--inside)	inside "$2" ;;
	esac
	[ $# -gt 0 ] || set -- 15
	from=$1
	shift
	[ $# -gt 0 ] || set -- 17 18 19
	for version in "$from" "$@"; do
		release_of "$version" >/dev/null || die "no release is known for $version"
	done
	[ "$(id -u)" -eq 0 ] || die "debootstrap and chroot need root"
	idem_begin "$here"
	idem_cache
	bad=0
	pack_old || exit 1
	for version in "$@"; do
		upgrade_to "$version" || bad=1
	done
	exit $bad
}

# $place and $log for a version, made if it is not there.
enter()
{
	place=$cache/postgresql-$1
	log=$cache/upgrade-$1.log
	# shellcheck disable=SC2046 # one word or some
	need_root "$1" $(release_of "$1")
}

copy_source()
{
	rm -rf "$place/root/idem"
	mkdir -p "$place/root/idem"
	tar -C "$src" -cf - . | tar -C "$place/root/idem" -xf -
}

# ----------------------------------------------------------------------
# The old version, as a folder that can be carried elsewhere: $tmp/old
# ----------------------------------------------------------------------

pack_old()
{
	enter "$from" || return 1
	rm -rf "$place/root/old"
	# shellcheck disable=SC2016 # for the shell in the root
	copy_source && in_root sh -c '
		cd /root/idem && p=/usr/lib/postgresql/$0/bin/pg_config &&
		make -s with_llvm=no PG_CONFIG=$p clean &&
		make -s with_llvm=no PG_CONFIG=$p all &&
		make -s with_llvm=no PG_CONFIG=$p DESTDIR=/root/old install &&
		cp -a --parents "$($p --bindir)" "$($p --pkglibdir)" "$($p --sharedir)" /root/old &&
		mkdir /root/old/libraries &&
		ldd "$($p --bindir)"/* | sed -n "s/.* => \(\/[^ ]*\) .*/\1/p" | sort -u |
			xargs cp -L -t /root/old/libraries' "$from" >"$log" 2>&1 || {
		tail -n 20 "$log" | sed 's/^/    /'
		say "PostgreSQL $from: could not be packed"
		return 1
	}
	mv "$place/root/old" "$tmp/old"
	rm -rf "$place/root/idem"
}

# ----------------------------------------------------------------------
# In the root of the new one
# ----------------------------------------------------------------------

upgrade_to()
{
	enter "$1" || return 1
	rm -rf "$place/root/old"
	copy_source && cp -a "$tmp/old" "$place/root/old" || return 1
	drop_known_libraries
	in_root env -u TMPDIR HOME=/root \
		sh /root/idem/test/proof/upgrade.sh --inside "$from" >"$log" 2>&1
	status=$?
	rm -rf "$place/root/old" "$place/root/idem"
	sed -n 's/^=== //p' "$log"
	idem_result "upgrade-$from-$1" \
		"$(sed -n 's/^=== PostgreSQL [^,]*, //p' "$log" | paste -s -d ';')" \
		"$(sed -n '/^=== /{s/^=== PostgreSQL \([^,]*\),.*/\1/p;q}' "$log")"
	[ "$status" -ne 0 ] || return 0
	tail -n 30 "$log" | sed 's/^/    /'
	say "    all it said: $log"
	return 1
}

# What the new release has under the same name is newer, and serves both.
drop_known_libraries()
{
	chroot "$place" /sbin/ldconfig -p | awk '{ print $1 }' |
		while read -r library; do
			rm -f "$place/root/old/libraries/$library"
		done
}

# Everything below runs in the root.
inside()
{
	idem_begin "$here"
	idem_find_server || die "no server in this root"
	idem_relocate
	idem_build "$tmp/build.log" || { cat "$tmp/build.log"; die "building failed"; }
	# shellcheck disable=SC2086 # $as is several words
	tar -C /root -cf - old | $as tar -C "$tmp" -xf - || die "could not copy the old server"
	LD_LIBRARY_PATH=$tmp/old/libraries
	export LD_LIBRARY_PATH
	new_bin=$bin
	new_version=$version
	old_bin=$tmp/old/usr/lib/postgresql/$1/bin
	old_version=$("$old_bin/postgres" --version | sed 's/[^0-9]*\([^ ]*\).*/\1/')
	failed=0
	for how in copy link; do
		one_upgrade "$how" || failed=1
	done
	exit $failed
}

# A cluster in $tmp/data of the server in $bin; the same settings for both.
make_cluster()
{
	as_postgres "$bin/initdb" -D "$tmp/data" -A trust -U postgres \
		--locale=C.UTF-8 --encoding=UTF8 -N ${checksums:+"$checksums"} >>"$tmp/initdb.log" 2>&1 ||
		{ cat "$tmp/initdb.log"; die "initdb failed"; }
	for setting in "listen_addresses = ''" "fsync = off" \
		"unix_socket_directories = '$tmp'" "include '$tmp/site.conf'"; do
		echo "$setting"
	done | as_postgres tee -a "$tmp/data/postgresql.conf" >/dev/null
	echo "idem.site = 'test'" | as_postgres tee "$tmp/site.conf" >/dev/null
}

as_postgres()
{
	# shellcheck disable=SC2086 # $as is several words
	$as "$@"
}

# A clean stop, which pg_upgrade asks for.
stop()
{
	kill -INT "$server"
	wait "$server" 2>/dev/null
	server=
}

script()
{
	as_postgres "$bin/psql" -XqAt -h "$tmp" -U postgres -d shop \
		-v ON_ERROR_STOP=1 -f "$src/test/proof/upgrade/$1" 2>&1
}

# What is wrong, by checks.sql, or by another script; its count of checks in $asked.
check()
{
	script "${1:-checks.sql}" >"$tmp/checks.out" || { tail -n 20 "$tmp/checks.out"; return 1; }
	asked=$(grep -c '^\(ok\|WRONG\)|' "$tmp/checks.out")
	! grep -v '^ok|' "$tmp/checks.out" && [ "$asked" -gt 0 ]
}

one_upgrade()
{
	rm -rf "$tmp/data" "$tmp/data_old"
	checksums=
	bin=$old_bin
	make_cluster
	idem_server_start
	as_postgres "$bin/createdb" -h "$tmp" -U postgres shop
	if ! script before.sql >"$tmp/before.out" || ! check ||
		! script rooms.sql >"$tmp/before.out" || ! script kept.sql >"$tmp/before.out" || ! check; then
		cat "$tmp/before.out"
		say "=== $old_version: the old cluster is not as it should be"
		stop
		return 1
	fi
	stop
	mv "$tmp/data" "$tmp/data_old"
	bin=$new_bin
	# from 18 on a cluster has checksums unless told otherwise; both must agree
	! "$bin/initdb" --help | grep -q -e --no-data-checksums ||
		checksums=--no-data-checksums
	make_cluster
	if ! (cd "$tmp/tmp" && as_postgres "$bin/pg_upgrade" "--$1" -b "$old_bin" -B "$bin" \
		-d "$tmp/data_old" -D "$tmp/data" -U postgres -s "$tmp") >"$tmp/upgrade.out" 2>&1; then
		cat "$tmp/upgrade.out"
		find "$tmp/data/pg_upgrade_output.d" -name '*.log' -exec tail -n 20 {} +
		say "=== $old_version to $new_version, --$1: pg_upgrade failed"
		return 1
	fi
	idem_server_start
	if ! check || ! both=$asked || ! check moved.sql; then
		say "=== $old_version to $new_version, --$1: upgraded, and wrong"
		stop
		return 1
	fi
	stop
	say "=== PostgreSQL $old_version to $new_version, --$1: $both checks before and after, $asked of the site, 0 wrong"
}

main "$@"
