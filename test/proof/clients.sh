#!/bin/sh
# clients.sh - a claim, a refusal and a dispatch from every client there is
#
#	sh test/proof/clients.sh [CLIENT]...
#
# Runs each program of test/clients/flow/ against a server of its own: directly,
# and through pgbouncer in transaction mode.  A program claims a key, stores the
# row that belongs to it, is told that it is settled, is refused a second row by
# SQLSTATE, dispatches an effect outside and reads the amount: what it prints is
# test/clients/flow/expected, or it has failed.  Then the mappers and drivers of
# test/clients/, which record what they send (test/clients/run.sh), are run both
# ways, too: whatever they say is the same through the pooler, or they have
# failed.
#
# Clients that this machine lacks are fetched from Debian, and unpacked beside
# everything else into $IDEM_CACHE (see idem_cache in lib.sh), where they are
# kept; packages of npm are fetched into the same place, if npm and its
# registry answer.  What cannot be had is SKIP, never PASS.  The last lines are
# the table of docs/clients.md, and how many passed; the exit status is 1 if one
# failed.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"
. "$here/test/clients/jars.sh"

# What is taken from Debian where it is not installed
debian="pgbouncer libevent-2.1-7 libc-ares2 libpq-dev python3-psycopg2 python3-psycopg python3-typing-extensions
	python3-asyncpg python3-pyodbc libltdl7 libodbc2 libodbcinst2 odbc-postgresql python3-sqlalchemy
	python3-greenlet python3-django python3-asgiref python3-sqlparse python3-tz libpostgresql-jdbc-java ruby-pg ruby-sequel
	ruby-activerecord ruby-activemodel ruby-activesupport libdbd-pg-perl libdbi-perl php8.2-cli php8.2-common php8.2-pgsql
	libhibernate3-java libhibernate-commons-annotations-java libgeronimo-jpa-2.0-spec-java libgeronimo-jta-1.2-spec-java
	libdom4j-java libslf4j-java libjavassist-java libcglib-java libasm-java libcommons-collections3-java libantlr-java
	libeclipselink-java libjpa-2.1-spec-java
	golang-1.19-go golang-1.19-src golang-github-lib-pq-dev golang-github-jackc-pgx-v4-dev golang-github-jackc-pgconn-dev
	golang-github-jackc-pgio-dev golang-github-jackc-pgproto3-v2-dev golang-github-jackc-pgtype-dev golang-github-jackc-chunkreader-v2-dev
	golang-github-jackc-pgpassfile-dev golang-github-jackc-pgservicefile-dev golang-golang-x-crypto-dev golang-golang-x-text-dev"
npm="pg postgres drizzle-orm knex kysely sequelize typeorm reflect-metadata @mikro-orm/core@7 @mikro-orm/postgresql@7
	prisma @prisma/client @prisma/adapter-pg"

passed=0
failed=0
skipped=0

main()
{
	case ${1:-} in
		-h | --help)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
	esac
	only=" $* "
	idem_begin "$here"
	idem_cache
	fetch_debian
	fetch_npm
	idem_need ""
	idem_relocate
	idem_build "$tmp/build.log" || die "building failed"
	idem_cluster "fsync = off"
	start_wire
	start_pooler
	flows=$here/test/clients/flow
	sql -d postgres -f "$flows/flow.sql" || die "no tables"
	for program in "$flows"/*.*; do
		name=$(client_name "$program")
		case ${program##*/} in
			flow.*)	;;
			*)	wanted "$name" && flow "$name" "$program" ;;
		esac
	done
	for program in "$here"/test/clients/*.*; do
		name=$(client_name "$program")
		case ${program##*/} in
			steps.* | wire.* | regress.* | run.sh | schema.sql | *.toml)	;;
			*)	wanted "$name" && compare "$name" "$program" ;;
		esac
	done
	table
	say "$passed passed, $failed failed, $skipped skipped"
	[ "$only" != "  " ] || idem_result clients "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}

# ----------------------------------------------------------------------
# What clients there are
# ----------------------------------------------------------------------

fetch_debian()
{
	# shellcheck disable=SC2086 # a list of packages
	idem_unpack "$cache/clients" $debian
	unpacked=$cache/clients/root
	LD_LIBRARY_PATH=$(echo "$unpacked"/usr/lib/*-linux-gnu)
	export LD_LIBRARY_PATH
	PSQLODBC=
	for file in "$unpacked"/usr/lib/*/odbc/psqlodbcw.so /usr/lib/*/odbc/psqlodbcw.so; do
		[ ! -e "$file" ] || PSQLODBC=$file
	done
	export PSQLODBC
}

fetch_npm()
{
	CLIENTS_NODE=${CLIENTS_NODE:-$cache/clients/node}
	export CLIENTS_NODE
	command -v npm >/dev/null || return 0
	mkdir -p "$CLIENTS_NODE"
	for package in $npm; do
		[ ! -d "$CLIENTS_NODE/node_modules/${package%@[0-9]*}" ] || continue
		# what a package would download when it is installed is not needed
		(cd "$CLIENTS_NODE" && { [ -e package.json ] || echo '{}' >package.json; } &&
			timeout 200 npm install --silent --no-audit --no-fund --ignore-scripts "$package") >>"$tmp/npm.log" 2>&1 ||
			say "not to be had: $package"
	done
}

client_name()
{
	basename "$1" | sed 's/\.[^.]*$//; s/_$//; s/_driver$//; s/_orm$//'
}

wanted()
{
	case $only in
		"  " | *" $1 "*)	return 0 ;;
		*)	return 1 ;;
	esac
}

# Words in front of a program, or nothing; what has to be compiled is.
runner()
{
	built=$tmp/bin_${1##*/}
	folder=$(dirname "$1")
	case $1 in
		*.sh)	echo "sh $1" ;;
		*.c)	cc -o "$built" "$1" -I"$("$pg_config" --includedir)" -lpq >"$built.log" 2>&1 && echo "$built" ;;
		*.mjs)	command -v node >/dev/null && echo "node $1" ;;
		*.py)	echo "env PYTHONPATH=$folder:$unpacked/usr/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 $1" ;;
		*.rb)	command -v ruby >/dev/null && echo "ruby -I$unpacked/usr/lib/ruby/vendor_ruby $1" ;;
		*.pl)	echo "perl -I$(echo "$unpacked"/usr/lib/*/perl5/5.*) $1" ;;
		*.php)	php "$1" ;;
		*.java)	command -v java >/dev/null &&
			echo "java --add-opens java.base/java.lang=ALL-UNNAMED -cp $(jars "${1##*/}") $1" ;;
		*.go)	go_program "$1" ;;
	esac
}

php()
{
	for php in "$unpacked/usr/bin/php8.2" /usr/bin/php; do
		[ -x "$php" ] || continue
		modules=
		for module in pdo pgsql pdo_pgsql; do
			for file in "$unpacked"/usr/lib/php/*/"$module.so"; do
				[ ! -e "$file" ] || modules="$modules -d extension=$file"
			done
		done
		echo "$php -n $modules $1"
		return
	done
}

# Built from Debian's sources, without a network
go_program()
{
	for go in "$unpacked/usr/lib/go-1.19" /usr/lib/go-1.19; do
		[ -x "$go/bin/go" ] && [ -d "$unpacked/usr/share/go-1.19/src" ] || continue
		# an unpacked Go is put together again
		rm -rf "$tmp/go" && cp -rL "$go" "$tmp/go" || return
		env GOROOT="$tmp/go" GOPATH="$unpacked/usr/share/gocode" GO111MODULE=off GOFLAGS= GOCACHE="$tmp/gocache" HOME="$tmp" \
			"$tmp/go/bin/go" build -o "$built" "$1" >"$built.log" 2>&1 && echo "$built"
		return
	done
}

# ----------------------------------------------------------------------
# Two ways to the server
# ----------------------------------------------------------------------

sql()
{
	"$bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$tmp" -p 5432 -U postgres "$@" >>"$tmp/sql.log" 2>&1
}

# A port of this machine in front of the server, which notes what passes
start_wire()
{
	direct=$((20000 + $$ % 20000))
	record=$tmp/record
	node "$here/test/clients/wire.mjs" "$direct" "$tmp" "$record" >"$tmp/wire.log" 2>&1 &
	jobs="$jobs $!"
	for _ in $(seq 50); do
		grep -q ready "$tmp/wire.log" && return
		sleep 0.1
	done
	die "no way to the server: $(cat "$tmp/wire.log")"
}

# pgbouncer with one connection to the server, and a new one for each transaction,
# so that nothing of a session is found again by luck
start_pooler()
{
	pooled=
	for program in "$unpacked/usr/sbin/pgbouncer" /usr/sbin/pgbouncer; do
		[ ! -x "$program" ] || bouncer=$program
	done
	if [ -z "${bouncer:-}" ]; then
		say "no pgbouncer: the second way is skipped"
		return
	fi
	port=$((direct + 1))
	cat >"$tmp/pgbouncer.ini" <<-END
		[databases]
		postgres = host=$tmp port=5432 user=postgres
		[pgbouncer]
		listen_addr = 127.0.0.1
		listen_port = $port
		unix_socket_dir =
		auth_type = any
		pool_mode = transaction
		default_pool_size = 1
		server_lifetime = 0
		ignore_startup_parameters = extra_float_digits,options
	END
	# shellcheck disable=SC2086 # $as is several words
	$as "$bouncer" "$tmp/pgbouncer.ini" >"$tmp/pgbouncer.log" 2>&1 &
	jobs="$jobs $!"
	for _ in $(seq 50); do
		"$bin/psql" -X -q -h 127.0.0.1 -p "$port" -U postgres -d postgres -c '' >/dev/null 2>&1 && pooled=$port && return
		sleep 0.1
	done
	say "pgbouncer does not answer: $(tail -n 2 "$tmp/pgbouncer.log")"
}

# Run a command one way.  POOLED asks a program to do as a pooler wants it.
through()
{
	case $1 in
		pooled)	PGPORT=$pooled POOLED=yes ;;
		direct)	PGPORT=$direct POOLED= ;;
		steps)	PGPORT=$direct POOLED=yes ;;
	esac
	shift
	[ -z "$POOLED" ] && unset POOLED || export POOLED
	PGHOST=127.0.0.1 PGUSER=postgres PGDATABASE=postgres PGSSLMODE=disable
	export PGHOST PGPORT PGUSER PGDATABASE PGSSLMODE
	timeout 120 "$@"
	said=$?
	unset PGHOST PGPORT PGUSER PGDATABASE PGSSLMODE POOLED
	return $said
}

# ----------------------------------------------------------------------
# The programs
# ----------------------------------------------------------------------

note()
{
	case $2 in
		PASS)	passed=$((passed + 1)) ;;
		SKIP)	skipped=$((skipped + 1)) ;;
		*)	failed=$((failed + 1)) ;;
	esac
	echo "$1|$2|$3" >>"$tmp/results"
	say "$(printf '%-24s %-7s %s' "$1" "$3" "$2")"
}

# Is this what a client says that is not there?
is_missing()
{
	grep -qE "ModuleNotFoundError|No module named|cannot load such file|Can't locate|could not find driver|ClassNotFound|Cannot find (module|package)|MODULE_NOT_FOUND|undefined constant PDO|class file for .* not found|package .* does not exist|does not exist.*ruby|No suitable driver" "$1"
}

flow()
{
	words=$(runner "$2")
	for way in direct pooled; do
		[ "$way" = direct ] || [ -n "$pooled" ] || { note "$1" SKIP "$way"; continue; }
		# shellcheck disable=SC2086 # words
		if [ -z "$words" ]; then
			note "$1" SKIP "$way"
		elif (cd "$tmp" && PATH=$bin:$PATH through "$way" $words "$1-$way") >"$tmp/said" 2>"$tmp/complained" &&
			cmp -s "$tmp/said" "$flows/expected"; then
			note "$1" PASS "$way"
		elif is_missing "$tmp/complained"; then
			note "$1" SKIP "$way"
		else
			note "$1" FAILED "$way"
			head -n 12 "$tmp/said" "$tmp/complained" | cut -c1-200 | sed 's/^/    /'
		fi
	done
}

# The steps of a program and what became of each, both ways with the settings
# that the pooler wants
compare()
{
	words=$(runner "$2")
	rm -f "$tmp/direct.said"
	for way in direct pooled; do
		if [ -z "$words" ] || { [ "$way" = pooled ] && { [ -z "$pooled" ] || [ ! -s "$tmp/direct.said" ]; }; }; then
			note "$1 (steps)" SKIP "$way"
			continue
		fi
		sql -d postgres -f "$here/test/clients/schema.sql" || die "the tables could not be made: $(tail -n 3 "$tmp/sql.log")"
		rm -f "$record"
		touch "$record"
		chmod a+w "$record"
		CLIENTS_RECORD=$record
		export CLIENTS_RECORD
		# shellcheck disable=SC2086 # words
		(cd "$tmp" && through "$(echo "$way" | sed 's/direct/steps/')" $words) >"$tmp/said" 2>"$tmp/complained"
		ended=$?
		# lastval() is of a session, not of a transaction
		sed -n '/^-- .*last/,/^--  /d; /^-- /p' "$record" >"$tmp/$way.said"
		if [ $ended -ne 0 ] && [ "$way" = direct ] && { is_missing "$tmp/complained" || [ ! -s "$tmp/direct.said" ]; }; then
			: >"$tmp/direct.said"
			note "$1 (steps)" SKIP "$way"
			head -n 2 "$tmp/complained" | cut -c1-160 | sed 's/^/    /'
		elif [ $ended -eq 0 ] && { [ "$way" = direct ] || cmp -s "$tmp/direct.said" "$tmp/pooled.said"; }; then
			note "$1 (steps)" PASS "$way"
		else
			note "$1 (steps)" FAILED "$way"
			diff "$tmp/direct.said" "$tmp/$way.said" | head -n 6 | cut -c1-160 | sed 's/^/    /'
			head -n 4 "$tmp/complained" | cut -c1-160 | sed 's/^/    /'
		fi
	done
}

# A row a client: what came of each way
table()
{
	echo "| client | direct | through pgbouncer, transaction mode |"
	echo "| --- | --- | --- |"
	awk -F'|' '
		!($1 in seen) { order[++n] = $1; seen[$1] = 1 }
		{ said[$1, $3] = $2 }
		END { for (i = 1; i <= n; i++) printf "| %s | %s | %s |\n", order[i], said[order[i], "direct"], said[order[i], "pooled"] }
	' "$tmp/results"
}

main "$@"
