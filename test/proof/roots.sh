# roots.sh - small Debians that carry other versions; read with ".", never run
#
# What test/proof/versions.sh and test/proof/upgrade.sh share, after lib.sh: roots made
# with debootstrap, kept in $cache, entered with chroot.  $place is the root
# that is meant.  Needs root.
# shellcheck shell=sh

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

# The mirror from which this machine installs Debian's own packages.
mirror()
{
	# shellcheck disable=SC2016 # the words are for apt
	apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Identifier: Packages' |
		sed -n 's/^Debian //p' | sed -n 1p
}

# Make the root $place if it is not there; $log takes what is said meanwhile.
# need_root VERSION RELEASE [SOURCE]...
need_root()
{
	[ ! -e "$place.done" ] || return 0
	idem_need_command debootstrap debootstrap
	make_root "$@" >"$log" 2>&1 && return
	tail -n 20 "$log" | sed 's/^/    /'
	say "PostgreSQL $1: no root could be made from $2"
	return 1
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
