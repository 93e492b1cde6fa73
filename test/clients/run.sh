#!/bin/sh
# run.sh - what drivers and object mappers really send, recorded
#
#	sh test/clients/run.sh FOLDER [CLIENT]...
#
# Runs the programs of this folder against a server of its own, each on tables
# made anew by schema.sql, and writes FOLDER/CLIENT.txt: what the program did,
# the statements that it sent for it, with the types and values that came with
# them (wire.mjs), and what the server answered.  CLIENT is the name of a
# program without its ending; without one, all are run.
#
# The clients are not installed by this script, and those that are not there
# are skipped and named at the end.  Looked for: packages of npm in the folder
# $CLIENTS_NODE (which has a node_modules); Debian's packages as they are
# installed, or unpacked with "dpkg -x" into the folder $CLIENTS_ROOT.  Node.js
# is needed for the record itself.
#
# The statements are kept as regress tests (sql/clients.sql), which need
# nothing of all this; docs/clients.md says what they mean for an application.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
# shellcheck source=../lib.sh
. "$here/test/lib.sh"
. "$here/test/clients/jars.sh"

records=${1:-}
[ -d "$records" ] || {
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
records=$(cd "$records" && pwd)
shift
skipped=
unpacked=${CLIENTS_ROOT:-}
CLIENTS_NODE=${CLIENTS_NODE:-}
export CLIENTS_NODE

# Words in front of a program of this ending, or nothing.
runner()
{
	case $1 in
		*.mjs)	echo "node $1" ;;
		*.py)	echo "env PYTHONPATH=$unpacked/usr/lib/python3/dist-packages /usr/bin/python3 $1" ;;
		*.rb)	echo "ruby -I$unpacked/usr/lib/ruby/vendor_ruby $1" ;;
		*.pl)	echo "perl -I$(echo "$unpacked"/usr/lib/*/perl5/*) $1" ;;
		*.php)	run_php "$1" ;;
		*.java)	echo "java --add-opens java.base/java.lang=ALL-UNNAMED -cp $(jars "${1##*/}") $1" ;;
		*.rs)	run_rust "$1" ;;
	esac
}

run_php()
{
	for php in "$unpacked/usr/bin/php8.2" php; do
		command -v "$php" >/dev/null || continue
		modules=
		[ "$php" = php ] || for module in pdo pgsql pdo_pgsql; do
			modules="$modules -d extension=$(echo "$unpacked"/usr/lib/php/*/$module.so)"
		done
		echo "$php -n $modules $1"
		return
	done
}

# Built by cargo from Debian's sources, offline
run_rust()
{
	registry=$unpacked/usr/share/cargo/registry
	[ -d "$registry" ] || return 0
	mkdir -p "$tmp/rust/src" "$tmp/rust/.cargo"
	cp "$1" "$tmp/rust/src/main.rs"
	cp "$here/test/clients/Cargo.toml" "$tmp/rust"
	cat >"$tmp/rust/.cargo/config.toml" <<END
[source.crates-io]
replace-with = "debian"
[source.debian]
directory = "$registry"
END
	(cd "$tmp/rust" && cargo build --offline) >"$tmp/rust.log" 2>&1 &&
		echo "$tmp/rust/target/debug/clients"
}

# One client, from empty tables; the sessions of the one before are gone.
record()
{
	program=
	for file in "$here/test/clients/$1".*; do
		[ ! -e "$file" ] || program=$file
	done
	[ -n "$program" ] || die "there is no client $1"
	command=$(runner "$program")
	"$bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$tmp" -p 5432 -U postgres -d postgres \
		-f "$here/test/clients/schema.sql" >"$tmp/schema.log" 2>&1 ||
		die "the tables could not be made: $(cat "$tmp/schema.log")"
	rm -f "$record"
	touch "$record"
	# shellcheck disable=SC2086 # words
	if [ -n "$command" ] && $command >"$tmp/said" 2>&1 && [ -s "$record" ]; then
		cp "$record" "$records/$1.txt"
		say "$1: $(grep -c '^-- [^ ]' "$record") steps, $(grep -vc '^--' "$record") statements"
	else
		skipped="$skipped $1"
		head -n 5 "$tmp/said" | sed 's/^/    /'
	fi
}

idem_begin "$here"
idem_need ""
idem_relocate
idem_build "$tmp/build.log" || die "building failed"
idem_cluster "fsync = off"
record=$tmp/record
port=$((20000 + $$ % 20000))
node "$here/test/clients/wire.mjs" "$port" "$tmp" "$record" >"$tmp/wire.log" &
wire=$!
jobs="$jobs $wire"
for _ in $(seq 50); do
	grep -q ready "$tmp/wire.log" && break
	sleep 0.1
done
export PGHOST=127.0.0.1 PGPORT="$port" PGUSER=postgres PGDATABASE=postgres PGSSLMODE=disable
export CLIENTS_RECORD="$record"

# shellcheck disable=SC2046 # names without blanks
[ $# -gt 0 ] || set -- $(cd "$here/test/clients" &&
	ls ./*.mjs ./*.py ./*.rb ./*.pl ./*.php ./*.java ./*.rs 2>/dev/null |
	sed 's/^\.\///; s/\.[^.]*$//' | grep -v -e '^wire$' -e '^steps$')
for client in "$@"; do
	record "$client"
done
kill "$wire"
[ -z "$skipped" ] || say "skipped:$skipped"
