#!/bin/sh
# storm.sh - payouts under accidents, and who was paid twice or forgotten
#
#	sh examples/payout/storm.sh [--seconds N] [--seed N] [--clients KINDS] ...
#
# Builds idem, and runs storm.py with a private copy of the installed
# PostgreSQL in a temporary folder: workers, server and bank are killed at
# random while payouts are paid, and the bank's own book is compared with what
# was ordered.  storm.py says more, and storm.sh --help what can be chosen;
# worker.py is the worker that a system of your own would have.
#
# Needs a Debian 12 machine and root, or a user with sudo.  Installs what is
# missing (compiler, make, PostgreSQL and its headers, python3 and psycopg2).
# The exit status is 1 if anybody was paid twice or forgotten.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

case " $* " in
	*" --help "* | *" -h "*)
		idem_python && exec "$python" "$here/examples/payout/storm.py" --help
		sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
		exit ;;
esac
idem_begin "$here"
idem_need python
idem_relocate
say "building idem for PostgreSQL $version"
idem_build "$tmp/build.log" || {
	tail -n 40 "$tmp/build.log" | sed 's/^/    /'
	die "building failed, see above"
}
mkdir "$tmp/storm"
[ -z "$as" ] || chown nobody "$tmp/storm"
idem_start "$python" -B "$src/examples/payout/storm.py" \
	--bin "$bin" --dir "$tmp/storm" "$@"
idem_wait $!
