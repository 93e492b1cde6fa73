#!/bin/sh
# indent.sh - lay out the C as the server's own is laid out
#
#	sh test/indent.sh [--check]
#
# Runs the server's pgindent over src/, with the names of types that are in the
# server's headers and in ours; typedefs.list, which has ours, is written anew.
# --check changes nothing, shows what would change, and fails if anything would.
#
# pgindent and pg_bsd_indent come with postgresql-server-dev-17 or later, or
# with a root that test/proof/versions.sh has made.  The headers are those of
# $PG_CONFIG, or of the highest server there is.

set -u
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
. "$here/test/lib.sh"

check=no
case ${1:-} in
	'')	;;
	--check)	check=yes ;;
	-h | --help)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
	*)	die "unknown option $1" ;;
esac

# Sets $indent, a command, and $pgindent, a script; false if there are none.
find_tools()
{
	for folder in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -t / -k 5,5nr); do
		[ -x "$folder/pg_bsd_indent" ] && [ -e "$folder/pgindent" ] || continue
		indent=$folder/pg_bsd_indent
		pgindent=$folder/pgindent
		return 0
	done
	idem_cache
	for root in "$cache"/postgresql-*/; do
		for folder in "$root"usr/lib/postgresql/*/bin; do
			[ -x "$folder/pg_bsd_indent" ] && [ -e "$folder/pgindent" ] || continue
			indent=$place/pg_bsd_indent
			pgindent=$folder/pgindent
			# of another release: by the loader and with the libraries of its root
			set -- "$root"lib64/ld-linux-*.so.* "$root"lib/ld-linux-*.so.*
			for loader in "$@"; do
				[ -e "$loader" ] && break
			done
			libraries=$(printf '%s:' "$root"lib/*-linux-gnu* "$root"usr/lib/*-linux-gnu*)
			printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n' \
				"$loader" "$libraries" "$folder/pg_bsd_indent" >"$indent"
			chmod +x "$indent"
			return 0
		done
	done
	return 1
}

# The names of types that the C on standard input declares.
types()
{
	perl -0777 -ne 's{/\*.*?\*/}{}gs; s{__attribute__\s*\(\(.*?\)\)}{}gs;
		while (/\btypedef\b(?:[^;{]|\{(?:[^{}]|\{[^{}]*\})*\})*?\b(\w+)\s*(?:\[[^\]]*\]\s*)?;/gs) { print "$1\n" }
		while (/\btypedef\b[^;{}]*\(\s*\*\s*(\w+)\s*\)/g) { print "$1\n" }' | sort -u
}

place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
find_tools || die "please install postgresql-server-dev-17 or later: it has pg_bsd_indent and pgindent"
idem_find_server || die "no PostgreSQL 15 or later with headers"
cp -R "$here/src" "$place/src"
find "$place/src" -name '*.[ch]' -exec cat {} + | types >"$place/ours"
find "$("$pg_config" --includedir-server)" -name '*.h' -exec cat {} + | types >"$place/server"
# and those of the C library, which money_text.c does with alone
printf '%s\n' int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t size_t >"$place/c"
sort -u "$place/ours" "$place/server" "$place/c" >"$place/all"
perl "$pgindent" --indent="$indent" --typedefs="$place/all" "$place/src" || die "pgindent failed"
if [ "$check" = yes ]; then
	(cd "$place" && diff -ru "$here/src" src) && cmp -s "$place/ours" "$here/typedefs.list"
	exit
fi
for file in $(cd "$place" && find src -name '*.[ch]'); do
	cmp -s "$place/$file" "$here/$file" || {
		cat "$place/$file" >"$here/$file"
		say "$file"
	}
done
cat "$place/ours" >"$here/typedefs.list"
