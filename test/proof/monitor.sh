#!/bin/sh
# monitor.sh - the files of monitor/, with a real Prometheus
#
#	sh test/proof/monitor.sh [--picture] [--keep]
#
# A shop works (monitor/shop.sql, monitor/round.sql): payments come and go and
# some get stuck, payouts are answered or not, two claims are suspected, a bank
# answers in a code that nobody listed, a statement differs.  Debian's
# prometheus-postgres-exporter and prometheus-sql-exporter scrape it with the
# files of monitor/, as a role that has nothing but idem.grant_monitor and is
# read-only; two Debian Prometheus servers, one for each exporter, scrape them,
# evaluate rules.yml and are asked:
#
#	every metric that the rules name has a series
#	every expression of dashboard.json has one, by both exporters
#	every rule is evaluated, and what the shop gives reason for is active
#	promtool accepts rules.yml and prometheus.yml, and rules_test.yml passes
#	the role can write nothing, on any way that a role has
#
# The programs are taken from the path, else out of Debian's packages, which are
# unpacked and not installed, so that no service of theirs is started.  Ports
# are free ones of 127.0.0.1.  --picture draws monitor/board.svg anew.
#
# The last line is "N metrics, N expressions, N alerts active, N writes refused,
# N wrong"; the exit status is 1 if anything was wrong.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

rounds=40
picture=no
keep_wanted=no
wrong=0
programs="prometheus prometheus-postgres-exporter prometheus-sql-exporter"

while [ $# -gt 0 ]; do
	case $1 in
		--picture)	picture=yes ;;
		--keep)	keep_wanted=yes ;;
		-h | --help)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
		*)	die "unknown option $1" ;;
	esac
	shift
done

fail()
{
	say "not ok: $*"
	wrong=$((wrong + 1))
}

ask()
{
	"$bin/psql" -X -q -A -t -h "$tmp" -U postgres -d monitor "$@"
}

# ----------------------------------------------------------------------
# Programs
# ----------------------------------------------------------------------

# Unpack what is not on the path into the cache; sets $tools, a path.
find_tools()
{
	tools=$PATH
	for program in $programs promtool; do
		PATH=/usr/sbin:$PATH command -v "$program" >/dev/null || missing=yes
	done
	[ -n "${missing:-}" ] || return 0
	idem_cache
	tools=$cache/monitor/root/usr/bin:$PATH
	# shellcheck disable=SC2086 # a list of packages
	idem_unpack "$cache/monitor" $programs
	[ -x "$cache/monitor/root/usr/bin/promtool" ] || die "please install: $programs"
}

free_port()
{
	perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport'
}

# Wait until something answers at this address: answers LOG URL
answers()
{
	for _ in $(seq 300); do
		! perl -MHTTP::Tiny -e 'exit !HTTP::Tiny->new(timeout => 5)->get(shift)->{success}' "$2" || return 0
		sleep 0.1
	done
	tail -n 20 "$1" | sed 's/^/    /'
	die "nothing answers at $2"
}

# ----------------------------------------------------------------------
# The shop
# ----------------------------------------------------------------------

make_shop()
{
	"$bin/createdb" -h "$tmp" -U postgres monitor
	ask -f "$here/test/proof/monitor/shop.sql" >"$tmp/shop.log" 2>&1 ||
		{ grep . "$tmp/shop.log" | tail -n 5 | sed 's/^/    /'; die "the shop could not be made"; }
}

work()
{
	for n in $(seq 1 "$rounds"); do
		ask -v "n=$n" -f "$here/test/proof/monitor/round.sql" >/dev/null 2>>"$tmp/work.log" ||
			fail "round $n: $(tail -n 1 "$tmp/work.log")"
		sleep 0.5
	done
}

# ----------------------------------------------------------------------
# Exporters and servers
# ----------------------------------------------------------------------

start_exporters()
{
	by_postgres=$(free_port)
	DATA_SOURCE_NAME="host=$tmp user=metrics dbname=monitor sslmode=disable" PATH=$tools \
		idem_start prometheus-postgres-exporter --web.listen-address="127.0.0.1:$by_postgres" \
		--extend.query-path="$here/monitor/postgres_exporter.yaml" \
		--disable-default-metrics --disable-settings-metrics >"$tmp/postgres_exporter.log" 2>&1
	answers "$tmp/postgres_exporter.log" "http://127.0.0.1:$by_postgres/metrics"
	by_sql=$(free_port)
	# a second instead of fifteen, and our server instead of localhost
	sed "s#postgres://metrics@localhost/payments?#postgres://metrics@/monitor?host=$tmp\&#; s/interval: 15s/interval: 1s/" \
		"$here/monitor/sql_exporter.yml" >"$tmp/sql_exporter.yml"
	PATH=$tools idem_start prometheus-sql-exporter -web.listen-address="127.0.0.1:$by_sql" \
		-config.file="$tmp/sql_exporter.yml" >"$tmp/sql_exporter.log" 2>&1
	answers "$tmp/sql_exporter.log" "http://127.0.0.1:$by_sql/metrics"
}

# A Prometheus that scrapes one of the exporters: start_prometheus JOB PORT
start_prometheus()
{
	mkdir "$tmp/$1" && chmod 777 "$tmp/$1"
	cp "$here/monitor/rules.yml" "$tmp/$1/"
	# every second, and only this job
	awk -v job="$1" '
		/^- job_name:/ { on = $3 == job }
		/^scrape_configs:/ { print; inside = 1; on = 0; next }
		!inside || on { print }' "$here/monitor/prometheus.yml" |
		sed "s/localhost:[0-9]*/127.0.0.1:$2/; s/_interval: 15s/_interval: 1s/" >"$tmp/$1/prometheus.yml"
	port=$(free_port)
	PATH=$tools idem_start prometheus --config.file="$tmp/$1/prometheus.yml" --storage.tsdb.path="$tmp/$1/data" \
		--web.listen-address="127.0.0.1:$port" >"$tmp/$1.log" 2>&1
	answers "$tmp/$1.log" "http://127.0.0.1:$port/-/ready"
}

# ----------------------------------------------------------------------
# Questions
# ----------------------------------------------------------------------

# promtool is content: tool WORDS...
tool()
{
	if ! PATH=$tools promtool "$@" >"$tmp/promtool.log" 2>&1; then
		sed 's/^/    /' "$tmp/promtool.log"
		fail "promtool $*"
	fi
}

# Every line of a list has at least one series: all_there NAME LIST
all_there()
{
	while read -r series expr; do
		[ "$series" -gt 0 ] || fail "$1: nothing for $expr"
	done <"$2"
	[ -s "$2" ] || fail "$1: nothing was asked"
}

question()
{
	url=http://127.0.0.1:$2
	perl "$here/test/proof/monitor/ask.pl" "$url" rules "$here/monitor/rules.yml" >"$tmp/$1.metrics" ||
		fail "$1: could not be asked"
	all_there "$1" "$tmp/$1.metrics"
	perl "$here/test/proof/monitor/ask.pl" "$url" board "$here/monitor/dashboard.json" >"$tmp/$1.board" ||
		fail "$1: could not be asked"
	all_there "$1" "$tmp/$1.board"
	perl "$here/test/proof/monitor/ask.pl" "$url" alerts >"$tmp/$1.alerts" || fail "$1: could not be asked"
	! grep '^unwell' "$tmp/$1.alerts" || fail "$1: a rule could not be evaluated"
	for alert in IdemKeysOverdue IdemUnknownLong IdemDoctorWarning IdemExcess IdemKeyForPerson IdemRowsOverdue IdemSuspectHeld IdemDifference \
		IdemCodeUnlisted IdemNotWell; do
		grep -q "^\(pending\|firing\) $alert\$" "$tmp/$1.alerts" || fail "$1: $alert is not active"
	done
	for alert in IdemGuardBroken IdemTableUnread IdemPausedLong IdemNotWatched IdemSuspectsMany; do
		grep -q "^inactive $alert\$" "$tmp/$1.alerts" || fail "$1: $alert is active"
	done
}

# ----------------------------------------------------------------------
# What the role may do
# ----------------------------------------------------------------------

# As the role, in a transaction that may write: each statement is refused.
try_to_write()
{
	ask -c "SELECT format('INSERT INTO %s DEFAULT VALUES', c.oid::regclass) FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text IN ('idem', 'shop')
		UNION ALL SELECT format('DELETE FROM %s', c.oid::regclass) FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text IN ('idem', 'shop')
		UNION ALL SELECT format('TRUNCATE %s', c.oid::regclass) FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text IN ('idem', 'shop')
		UNION ALL SELECT s FROM unnest(ARRAY['CREATE TABLE idem.x (i int)', 'CREATE TABLE shop.x (i int)', 'CREATE TABLE public.x (i int)',
			'CREATE SCHEMA x', 'SELECT * FROM shop.payment', 'SELECT * FROM idem.anchor', 'SELECT * FROM idem.reservation',
			'SELECT * FROM idem.stuck', 'SELECT * FROM idem.open_claims', 'SELECT * FROM idem.suspects', 'SELECT * FROM idem.difference',
			'SELECT idem.claim(''debit'', ''x'', ''{}'')', 'SELECT idem.reserve(''payout'', ''x'')', 'SELECT idem.lookup(''payout'', ''po-0'')',
			'SELECT idem.fence(''payout'', ''po-0'', ''x'')', 'SELECT idem.pause(''scope'', ''payout'', reason => ''x'')',
			'SELECT idem.resume(''scope'', ''machine'', reason => ''x'')', 'SELECT idem.doctor()', 'SELECT idem.grant_monitor(''metrics'')',
			'SELECT idem.create_scope(''x'', effect => ''inside'', fields => ''{}'')', 'SELECT idem.drop_guard(''shop.payment'', ''states'', reason => ''x'')',
			'SELECT idem.history(''shop.payment'', ''1'')', 'SELECT idem.transition(''shop.payment'', ''1'', ''paying'')']) s" >"$tmp/writes"
	while read -r statement; do
		said=$("$bin/psql" -X -q -h "$tmp" -U metrics -d monitor -v VERBOSITY=sqlstate \
			-c "SET default_transaction_read_only = off" -c "BEGIN READ WRITE" -c "$statement" 2>&1 </dev/null)
		case $said in
			*42501*)	;;
			*)	fail "$statement: $said" ;;
		esac
	done <"$tmp/writes"
}

# ----------------------------------------------------------------------

idem_begin "$here"
idem_need ""
find_tools
idem_relocate
idem_build "$tmp/build.log" || die "building failed"
idem_cluster
say "idem on PostgreSQL $version"
tool check rules "$here/monitor/rules.yml"
tool check config "$here/monitor/prometheus.yml"
tool test rules "$here/monitor/rules_test.yml"
make_shop
start_exporters
start_prometheus idem_postgres_exporter "$by_postgres"
first=$port
start_prometheus idem_sql_exporter "$by_sql"
second=$port
from=$(date +%s)
work
# what was cached is asked anew, and every rule has been evaluated since
sleep 12
question idem_postgres_exporter "$first"
question idem_sql_exporter "$second"
[ "$picture" = no ] || perl "$here/test/proof/monitor/ask.pl" "http://127.0.0.1:$second" draw "$here/monitor/dashboard.json" "$from" \
	>"$here/monitor/board.svg" || fail "no picture"
try_to_write
! grep -i "error" "$tmp/sql_exporter.log" "$tmp/postgres_exporter.log" || fail "an exporter complains"
active=$(grep -c '^\(pending\|firing\)' "$tmp/idem_sql_exporter.alerts")
line="$(wc -l <"$tmp/idem_sql_exporter.metrics") metrics, $(wc -l <"$tmp/idem_sql_exporter.board") expressions, $active alerts active, $(wc -l <"$tmp/writes") writes refused, $wrong wrong"
idem_result monitor "$line"
idem_stop_jobs
keep=$keep_wanted
[ "$keep" = no ] || idem_kept monitor
say "$line"
[ "$wrong" -eq 0 ]
