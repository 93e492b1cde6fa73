# lib.sh - what test/run.sh and test/demo.sh share; read with ".", never run
#
# idem_begin makes one temporary folder and promises that, however the
# script ends (done, failed, interrupted), every process started here is
# stopped and the folder is removed, unless $keep is "yes" and the script came
# to its own end.  Nothing outside the folder is changed, except that packages
# which are missing are installed (idem_need).
#
# The folder holds a private copy of an installed PostgreSQL, a copy of this
# checkout, and the clusters.  A server finds its own files relative to its
# executable, so a copied bin/ beside links to the rest is a whole server, and
# its pg_config sends "make install" there too.  The user's own server is
# neither asked nor touched.
#
# root hands everything that runs to the user nobody, because a server refuses
# to run as root; any other user stays the same.  The folder is closed to all
# others, since its servers ask nobody for a password.
#
# Not promised: kill -9 of the script leaves the folder and its server behind.
# Interrupted while packages are being installed, it waits for that to end.
#
# Set here for the scripts: $tmp the folder, $src the copy of the checkout,
# $bin the private server's programs, $version what it calls itself.  IDEM_RESULTS=yes
# keeps what a proof says at its end in test/RESULTS.md (idem_result).
# shellcheck shell=sh

tmp=		# the temporary folder; empty while there is none
jobs=		# process groups started and not yet waited for
server=		# the process id of the running server, or empty
under=		# words in front of the server's own command, such as valgrind
as=		# words in front of a command that has to run unprivileged
keep=no		# yes: leave folder and server when done
quiet_file=	# a setting of the package of the server, there while installing
sudo=		# empty, or what makes a command run as root
mounted=	# a file system mounted here, to be unmounted at the end
cache=		# a folder that outlives the run, see idem_cache
keeps_result=no	# yes: what the proof says is kept, see idem_result

say()
{
	printf '%s\n' "$*"
}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# ----------------------------------------------------------------------
# Beginning and end
# ----------------------------------------------------------------------

# One folder, the traps that remove it, an environment without surprises.
# $1 is the folder of the checkout.
idem_begin()
{
	idem_environment
	# a signal between making the folder and knowing its name has to wait
	early=
	trap 'early=130' HUP INT PIPE TERM
	idem_make_folder
	trap 'idem_end' EXIT
	trap 'idem_interrupted 129' HUP
	trap 'idem_interrupted 130' INT
	trap 'idem_interrupted 141' PIPE
	trap 'idem_interrupted 143' TERM
	[ -z "$early" ] || idem_interrupted "$early"
	src=$tmp/src
	# shellcheck disable=SC2086 # $as is several words
	$as mkdir "$src" "$tmp/tmp"
	# shellcheck disable=SC2086
	tar -C "$1" --exclude=./.git -cf - . | $as tar -C "$src" -xf - ||
		die "could not copy $1"
	idem_expect_result "$1"
	cd "$tmp" || exit 1
}

# What a result is said of: the commit that is checked out in $1, the command,
# and when it began.  Looked at before the proof, since others may commit
# meanwhile.  What the proof itself calls keeps none.
idem_expect_result()
{
	[ "${IDEM_RESULTS:-}" = yes ] || return 0
	unset IDEM_RESULTS
	idem_commit=$(git -C "$1" rev-parse --short=7 HEAD) ||
		die "IDEM_RESULTS=yes names a commit, and $1 is no checkout of git"
	[ -z "$(git -C "$1" status --porcelain -- . ':!test/RESULTS.md' ':!test/proof/results')" ] ||
		die "IDEM_RESULTS=yes names a commit, and there are changes: commit them first"
	idem_command=$(tr '\0' ' ' <"/proc/$$/cmdline" | sed "s#$1/##g; s# /[^ ]*# FOLDER#g; s# *\$##")
	idem_began=$(date +%s)
	keeps_result=yes
}

# Keep what a proof says at its end (proof/result.sh), if that is wanted:
# idem_result NAME RESULT [VERSION]
idem_result()
{
	[ "$keeps_result" = yes ] || return 0
	# shellcheck disable=SC2154 # here is the script's
	sh "$here/test/proof/result.sh" "$1" "$idem_commit" "${3:-$version}" \
		"$(($(date +%s) - idem_began))" "$idem_command" "$2"
}

# Settings of the caller's server, shell or make must not reach ours.
idem_environment()
{
	for name in $(env | sed -n 's/^\(PG[A-Z][A-Z0-9]*\)=.*/\1/p'); do
		unset "$name"
	done
	unset MAKEFLAGS MFLAGS MAKELEVEL MAKEFILES VPATH DESTDIR CDPATH
	unset LANGUAGE ENV BASH_ENV
	unset LC_COLLATE LC_CTYPE LC_MESSAGES LC_MONETARY LC_NUMERIC LC_TIME
	# the clusters of Perl's tests forget the first, and begin with the second
	LC_ALL=C.UTF-8
	LANG=C.UTF-8
	export LC_ALL LANG
	umask 022
}

# The name stays short, because the path of a unix socket has to fit into 107
# bytes; a TMPDIR that nobody cannot enter is no use to root.
idem_make_folder()
{
	case $(id -u) in
		0)	owner=nobody:$(id -gn nobody)
			as="setpriv --reuid=nobody --regid=${owner#*:} --clear-groups" ;;
	esac
	for place in "${TMPDIR:-/tmp}" /tmp; do
		[ ${#place} -le 40 ] || continue
		tmp=$(mktemp -d "$place/idem.XXXXXX" 2>/dev/null) || continue
		[ -z "$as" ] || chown "$owner" "$tmp"
		# shellcheck disable=SC2086 # $as is several words
		$as test -w "$tmp/." && break
		rmdir "$tmp"
		tmp=
	done
	[ -n "$tmp" ] || die "no folder for temporary files, set TMPDIR"
	as="$as env HOME=$tmp TMPDIR=$tmp/tmp"
}

idem_interrupted()
{
	trap '' HUP INT PIPE TERM
	echo "interrupted, cleaning up" >&2
	keep=no
	exit "$1"
}

# The way out of everything: first the jobs, then the servers, then the files.
idem_end()
{
	status=$?
	trap '' HUP INT PIPE TERM
	trap - EXIT
	if [ "$keep" = yes ]; then
		exit "$status"
	fi
	cd / || exit "$status"
	[ -z "$quiet_file" ] || $sudo rm -f "$quiet_file"
	idem_stop_jobs
	idem_stop_server
	idem_sweep
	idem_unmount
	rm -rf "$tmp" 2>/dev/null || { sleep 1; rm -rf "$tmp"; }
	exit "$status"
}

# A job is a process group of its own, or about to become one: all get TERM,
# and KILL who has not come to an end some seconds later.
idem_stop_jobs()
{
	idem_signal_jobs TERM
	for _ in $(seq 30); do
		idem_signal_jobs 0 || break
		sleep 0.2
	done
	idem_signal_jobs KILL
	for job in $jobs; do
		wait "$job" 2>/dev/null
	done
	jobs=
}

# True if anyone was there to get the signal.
idem_signal_jobs()
{
	signalled=1
	for job in $jobs; do
		idem_signal "$1" "$job" && signalled=0
	done
	return $signalled
}

idem_signal()
{
	kill -s "$1" -- "-$2" 2>/dev/null || kill -s "$1" "$2" 2>/dev/null
}

idem_stop_server()
{
	[ -n "$server" ] || return 0
	kill -QUIT "$server" 2>/dev/null
	wait "$server" 2>/dev/null
	server=
}

# Servers that tests started and, being interrupted, did not stop: they lead
# sessions of their own, but they run a program or keep a pid file of our
# folder.  QUIT is the stop that also gives shared memory back.
idem_sweep()
{
	[ -n "$tmp" ] || return 0
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		left=$(idem_strays)
		[ -n "$left" ] || return 0
		# shellcheck disable=SC2086 # a list of process ids
		kill -QUIT $left 2>/dev/null
		sleep 0.3
	done
	# shellcheck disable=SC2086
	kill -KILL $left 2>/dev/null
}

# What could not be unmounted now is when its last user ends.
idem_unmount()
{
	[ -z "$mounted" ] || umount "$mounted" 2>/dev/null ||
		umount -l "$mounted"
	mounted=
}

# The process ids of what still runs from our folder.
idem_strays()
{
	for link in /proc/[0-9]*/exe; do
		case $(readlink "$link") in
			"$tmp"/*)	link=${link#/proc/}
						echo "${link%/exe}" ;;
		esac
	done 2>/dev/null
	[ -e /proc/self ] && return
	find "$tmp" -name postmaster.pid -exec sed -n 1p {} + 2>/dev/null |
		while read -r pid; do
			kill -0 "$pid" 2>/dev/null && echo "$pid"
		done
}

# ----------------------------------------------------------------------
# Running things
# ----------------------------------------------------------------------

# Start a command unprivileged, in the background, in a process group of its
# own; its number is $!.  A shell leaves a background job deaf to INT, so that
# is undone.
idem_start()
{
	# shellcheck disable=SC2086 # $as is several words
	setsid env --default-signal=INT,QUIT $as "$@" &
	jobs="$jobs $!"
}

# Run a command as who we are, so that a signal to the script ends it too.
idem_foreground()
{
	setsid env --default-signal=INT,QUIT "$@" &
	jobs="$jobs $!"
	idem_wait $!
}

# Wait for a job, in a way that a signal can end at once.
idem_wait()
{
	wait "$1"
	result=$?
	rest=
	for job in $jobs; do
		[ "$job" = "$1" ] || rest="$rest $job"
	done
	jobs=$rest
	return $result
}

# Run a command unprivileged to its end: idem_run LOG COMMAND ARGUMENT...
idem_run()
{
	idem_log=$1
	shift
	idem_start "$@" >>"$idem_log" 2>&1
	idem_wait $!
}

# The same for a step that has to work: idem_step LOG "what it does" COMMAND...
idem_step()
{
	step_log=$1
	what=$2
	shift 2
	idem_run "$step_log" "$@" && return
	sed 's/^/    /' "$step_log" | tail -n 40
	die "$what failed, see above"
}

# ----------------------------------------------------------------------
# What has to be installed
# ----------------------------------------------------------------------

# A server of version 15 or later that can be built for: sets $pg_config.
# The user's PG_CONFIG goes first, then the highest packaged version, then
# whatever pg_config is on the PATH.
idem_find_server()
{
	pg_config=
	for candidate in "${PG_CONFIG:-}" \
		$(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config |
			sort -t / -k 5,5nr) \
		"$(command -v pg_config)"; do
		idem_usable_server "$candidate" || continue
		pg_config=$candidate
		return 0
	done
	return 1
}

# Has this pg_config a server of 15 or later, its headers and its makefiles?
idem_usable_server()
{
	[ -n "$1" ] && [ -x "$1" ] || return 1
	major=$("$1" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	[ "${major:-0}" -ge 15 ] &&
		[ -x "$("$1" --bindir)/postgres" ] &&
		[ -x "$("$1" --bindir)/initdb" ] &&
		[ -e "$("$1" --includedir-server)/postgres.h" ] &&
		[ -e "$("$1" --pgxs)" ]
}

# Can C be compiled and linked here, by the compiler that built the server?
idem_compiler()
{
	compiler=gcc
	[ -z "$pg_config" ] || compiler=$("$pg_config" --cc)
	echo 'int main(void) { return 0; }' >"$tmp/try.c"
	# shellcheck disable=SC2086 # may be "ccache gcc"
	$compiler -include stdio.h -o "$tmp/try" "$tmp/try.c" 2>/dev/null
}

idem_perl_tests()
{
	command -v prove >/dev/null &&
		perl -MIPC::Run -MTest::More -e 1 2>/dev/null
}

# A Python that can talk to PostgreSQL: sets $python.
idem_python()
{
	for python in python3 /usr/bin/python3; do
		$python -c 'import psycopg2' 2>/dev/null && return
	done
	return 1
}

# Install what is missing.  $1 says what for: "tap" adds what Perl tests need
# and the example that they run, "python" only the latter.
idem_need()
{
	packages=
	idem_find_server || packages=server
	command -v make >/dev/null || packages="$packages make"
	idem_compiler || packages="$packages gcc libc6-dev"
	[ "$1" != tap ] || idem_perl_tests ||
		packages="$packages perl libipc-run-perl"
	case $1 in
		tap | python)	idem_python ||
							packages="$packages python3 python3-psycopg2" ;;
	esac
	[ -z "$packages" ] || idem_install
	idem_find_server || die "no PostgreSQL 15 or later with headers"
	[ "$pg_config" = "${PG_CONFIG:-$pg_config}" ] ||
		say "PG_CONFIG=$PG_CONFIG has no server and headers of 15 or later," \
			"using $pg_config"
}

# The same for a single program: idem_need_command PROGRAM PACKAGE...
idem_need_command()
{
	command -v "$1" >/dev/null && return
	shift
	packages=$*
	idem_install
}

# Set $cache to the folder in which long work is kept between runs: servers
# built from source, roots of other releases.  It may be removed at any time.
idem_cache()
{
	cache=${IDEM_CACHE:-}
	if [ -z "$cache" ]; then
		case $(id -u) in
			0)	cache=/var/cache/idem ;;
			*)	cache=${XDG_CACHE_HOME:-$HOME/.cache}/idem ;;
		esac
	fi
	mkdir -p "$cache" || die "cannot keep anything in $cache, set IDEM_CACHE"
}

# Take packages of Debian apart into $1/root, and install none of them, so that
# nothing of this machine is changed; what is there already stays.  Says which
# are not to be had: idem_unpack FOLDER PACKAGE...
idem_unpack()
{
	place=$1
	shift
	mkdir -p "$place/root" "$place/debs"
	for package; do
		[ ! -e "$place/debs/$package.done" ] || continue
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' && continue
		{ idem_download "$package" || { idem_refresh && idem_download "$package"; }; } &&
			dpkg-deb -x "$place/debs/${package}"_*.deb "$place/root" 2>>"$tmp/debian.log" &&
			: >"$place/debs/$package.done" ||
			say "not to be had: $package"
	done
}

idem_download()
{
	(cd "$place/debs" && rm -f "${1}"_*.deb &&
		apt-get download -qq -o Acquire::Retries=0 -o Acquire::http::Timeout=20 "$1") >>"$tmp/debian.log" 2>&1
}

# The lists of packages may be old, or none: false if that was mended before.
idem_refresh()
{
	[ -z "${refreshed:-}" ] || return 1
	refreshed=yes
	apt-get update -qq -o Acquire::Retries=0 -o Acquire::http::Timeout=20 >>"$tmp/debian.log" 2>&1
	return 0
}

# Install $packages, where "server" stands for a server and its headers in
# the highest version that this machine's package sources have.
idem_install()
{
	command -v apt-get >/dev/null ||
		die "please install: $packages" \
			"(server: PostgreSQL >= 15 with headers)"
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null ||
			die "please install, as root: $packages" \
				"(server: PostgreSQL >= 15 with headers)"
		sudo=sudo
	fi
	say "looking for packages"
	idem_apt update
	case $packages in
		server*) idem_name_server ;;
	esac
	# shellcheck disable=SC2086 # joins the words by one blank each
	say installing $packages "(once; this can take some minutes)"
	# shellcheck disable=SC2086 # a list of packages
	idem_apt install --yes --no-install-recommends $packages
	[ -z "$quiet_file" ] || $sudo rm -f "$quiet_file"
	quiet_file=
}

# A version whose server is installed already is preferred: only its headers
# are missing then.
idem_name_server()
{
	known=$(apt-cache search --names-only '^postgresql-server-dev-[0-9]+$' |
		sed 's/.*-dev-\([0-9]*\).*/\1/' | sort -n)
	version=
	version_here=
	for candidate in $known; do
		[ "$candidate" -ge 15 ] || continue
		if [ -x "/usr/lib/postgresql/$candidate/bin/postgres" ]; then
			version_here=$candidate
		fi
		version=$candidate
	done
	version=${version_here:-$version}
	[ -n "$version" ] || die "no package of PostgreSQL 15 or later to install"
	packages="postgresql-$version postgresql-server-dev-$version${packages#server}"
	idem_without_main_cluster
}

# The package of a server would start a cluster for everyone.  We need none,
# so for the time of this installation it is told not to.
idem_without_main_cluster()
{
	quiet_file=/etc/postgresql-common/createcluster.d/idem-test.conf
	$sudo mkdir -p "${quiet_file%/*}"
	echo 'create_main_cluster = false' | $sudo tee "$quiet_file" >/dev/null
}

idem_apt()
{
	$sudo env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
		apt-get -qq -o Dpkg::Use-Pty=0 "$@" \
		>>"$tmp/apt.log" 2>&1 </dev/null && return
	tail -n 20 "$tmp/apt.log" | sed 's/^/    /'
	die "apt-get $1 failed, see above"
}

# ----------------------------------------------------------------------
# The private server
# ----------------------------------------------------------------------

# Copy the programs and link the rest, each at its own place under $tmp/root.
# A server resolves links of its own executable, so links would lead back.
idem_relocate()
{
	root=$tmp/root
	bin=$root$("$pg_config" --bindir)
	idem_copy -RL "$("$pg_config" --bindir)"
	for folder in pkglibdir sharedir pkgincludedir includedir-server; do
		idem_copy -Rs "$("$pg_config" "--$folder")"
	done
	"$bin/postgres" --version >/dev/null 2>&1 ||
		die "cannot run programs in $tmp, set TMPDIR to a folder that allows it"
	version=$("$bin/postgres" --version | sed 's/[^0-9]*\([^ ]*\).*/\1/')
}

# Copy a folder into the private root: idem_copy HOW FOLDER
idem_copy()
{
	[ ! -d "$root$2" ] || return 0
	idem_step "$tmp/copy.log" "copying $2" mkdir -p "$root$2"
	idem_step "$tmp/copy.log" "copying $2" cp "$1" "$2/." "$root$2"
}

# make in the copied checkout, for the private server: idem_make LOG TARGET...
idem_make()
{
	make_log=$1
	shift
	idem_run "$make_log" make -C "$src" with_llvm=no \
		PG_CONFIG="$bin/pg_config" PG_CFLAGS="${IDEM_CFLAGS:-}" \
		SHLIB_LINK="${IDEM_LDFLAGS:-}" "$@"
}

# Build from nothing and install into the private server.  What was built from
# the same sources for the same server is taken from the cache instead, unless
# flags are given or the objects are wanted (IDEM_SAVE).
idem_build()
{
	idem_forget "$root$("$pg_config" --pkglibdir)" \
		"$root$("$pg_config" --sharedir)/extension"
	idem_built_before "$1" && return
	idem_make "$1" -s clean
	idem_make "$1" -s -j "$(nproc 2>/dev/null || echo 1)" all &&
		idem_make "$1" -s install || return 1
	idem_keep_built "$1"
}

# The folder in the cache for these sources and this server, or none.
idem_place_of_build()
{
	[ -z "${IDEM_CFLAGS:-}${IDEM_LDFLAGS:-}${IDEM_SAVE:-}" ] || return 1
	command -v sha256sum >/dev/null || return 1
	idem_cache
	built=$cache/built/$(cd "$src" && {
		"$pg_config"
		"$compiler" --version
		find src Makefile idem.control ! -name '*.o' ! -name '*.d' -type f -exec sha256sum {} + | sort -k 2
	} 2>/dev/null | sha256sum | cut -c 1-32)
}

# Install what is in the cache: false if there is nothing.  $1 takes what the
# compiler said then.
idem_built_before()
{
	idem_place_of_build && [ -e "$built/done" ] || return 1
	idem_step "$1" "installing what was built before" cp "$built/idem.so" \
		"$root$("$pg_config" --pkglibdir)/"
	idem_step "$1" "installing what was built before" cp "$built/idem.control" \
		"$built"/idem--*.sql "$root$("$pg_config" --sharedir)/extension/"
	cat "$built/log" >>"$1"
	touch "$built"
}

# Keep what was built, of the last five builds.  A folder is there whole or not
# at all, since another run may look.
idem_keep_built()
{
	idem_place_of_build || return 0
	(
		mkdir -p "$cache/built" && kept=$(mktemp -d "$cache/built/new.XXXXXX") &&
			chmod 755 "$kept" &&
			cp "$src/idem.so" "$src/idem.control" "$src"/idem--*.sql \
				"$src"/src/update/*.sql "$kept/" &&
			cp "$1" "$kept/log" && : >"$kept/done" &&
			mv -T "$kept" "$built" || rm -rf "$kept"
		# shellcheck disable=SC2012 # names of our own making
		ls -dt "$cache"/built/* | tail -n +6 | xargs -r rm -rf
	) 2>/dev/null
	return 0
}

# An idem that the user has installed must not be seen.
idem_forget()
{
	rm -rf "$1/idem.so" "$1"/bitcode/idem "$1"/bitcode/idem.index.bc \
		"$2/idem.control" "$2"/idem--*.sql
}

# A new cluster in $tmp/data; its socket lies in $tmp.  Arguments: settings.
idem_cluster()
{
	idem_step "$tmp/initdb.log" "making a cluster" "$bin/initdb" \
		-D "$tmp/data" -A trust -U postgres --locale=C.UTF-8 --encoding=UTF8 -N
	for setting in "listen_addresses = ''" \
		"unix_socket_directories = '$tmp'" "$@"; do
		echo "$setting"
	done | $as tee -a "$tmp/data/postgresql.conf" >/dev/null
	idem_server_start
}

# Start the server of $tmp/data as a child of ours, which pg_ctl would not
# make it: so its process id is known from the first moment on.
idem_server_start()
{
	# shellcheck disable=SC2086 # $as is several words
	setsid env --default-signal=INT,QUIT $as $under "$bin/postgres" -D "$tmp/data" \
		>>"$tmp/server.log" 2>&1 &
	server=$!
	for _ in $(seq 300); do
		! "$bin/pg_isready" -q -h "$tmp" -U postgres || return 0
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	tail -n 20 "$tmp/server.log" | sed 's/^/    /'
	die "the server did not start, see above"
}

# Start it if it is not there (any more).
idem_server_ensure()
{
	"$bin/pg_isready" -q -h "$tmp" -U postgres && return
	idem_stop_server
	idem_server_start
}

# How to look into what was kept.
idem_kept()
{
	say ""
	say "kept: $tmp"
	if [ -n "$server" ]; then
		say "connect:  $bin/psql -h $tmp -U postgres ${1:-}"
		say "stop:     kill $server"
	fi
	say "remove:   rm -r $tmp"
}
