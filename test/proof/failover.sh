#!/bin/sh
# failover.sh - what "standbys => 1" prevents, by a manager that drops a standby
#
#	sh test/proof/failover.sh [--keep]
#
# pg_auto_failover keeps two servers, of which one is the standby that commits
# wait for.  A payout is reserved in two scopes: one asks for no standbys, the
# other for one.  Then the standby is lost, and the manager, as it is made to,
# empties synchronous_standby_names, so that the primary goes on alone; both
# payouts are dispatched; the primary is lost for good, the standby comes back,
# and somebody tells the manager to go on with it.  Both payouts are dispatched
# again.  The first is sent twice, the second once.
#
# The manager and its extension are unpacked from Debian's packages into
# $IDEM_CACHE (see idem_cache in lib.sh) and not installed.  Its servers ask nobody for a
# password, and listen in a network of their own, which takes root, "unshare"
# and "ip".  What is not to be had is SKIP.  The last line is "N sent twice that
# asked for no standby, N that asked for one"; the exit status is 1 unless these
# are 1 and 0.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"

skip()
{
	say "SKIP: $*"
	exit 0
}

main()
{
	keep_wanted=no
	case ${1:-} in
		--keep)	keep_wanted=yes ;;
		'')	;;
		*)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
	esac
	[ "$(id -u)" -eq 0 ] && command -v ip >/dev/null || skip "a network of its own takes root, and ip of iproute2"
	idem_begin "$here"
	idem_need ""
	idem_relocate
	bring_manager
	idem_build "$tmp/build.log" || die "building failed"
	begin_network
	start_manager
	start_node one 6001
	start_node two 6002
	until_is one "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')" 1 "no standby is waited for"
	prepare
	lose_standby
	send one alone
	send one careful
	lose_primary
	send two alone
	careful_goes_on
	send two careful
	tell
	keep=$keep_wanted
	[ "$keep" = no ] || idem_kept
	idem_result failover "$said"
	[ "$twice_alone $twice_careful" = "1 0" ]
}

bring_manager()
{
	idem_cache
	major=${version%%[!0-9]*}
	idem_unpack "$cache/debian" pg-auto-failover-cli "postgresql-$major-auto-failover"
	manager=$cache/debian/root/usr/bin/pg_autoctl
	[ -x "$manager" ] || manager=$(command -v pg_autoctl) || skip "no pg_auto_failover"
	for folder in "$("$pg_config" --pkglibdir)" "$("$pg_config" --sharedir)/extension"; do
		[ ! -d "$cache/debian/root$folder" ] ||
			idem_step "$tmp/copy.log" "copying extensions" cp -R --remove-destination "$cache/debian/root$folder/." "$root$folder"
	done
	[ -e "$root$("$pg_config" --sharedir)/extension/pgautofailover.control" ] || skip "no pg_auto_failover for this server"
}

# From here on everything unprivileged runs in a network with nothing but lo.
begin_network()
{
	unshare -n sh -c 'ip link set lo up && echo up >"$1" && exec sleep 86400' sh "$tmp/network" &
	network=$!
	jobs="$jobs $network"
	for _ in $(seq 50); do
		[ ! -s "$tmp/network" ] || break
		sleep 0.1
	done
	[ -s "$tmp/network" ] || skip "no network of its own to be had here"
	as="nsenter --net=/proc/$network/ns/net $as PATH=$bin:$PATH PG_REGRESS_SOCK_DIR=$tmp XDG_CONFIG_HOME=$tmp/config XDG_DATA_HOME=$tmp/share XDG_RUNTIME_DIR=$tmp/tmp"
}

# ask NODE SQL: rows, or the SQLSTATE of what failed
ask()
{
	case $1 in
		monitor)	port=6000 database=pg_auto_failover ;;
		one)	port=6001 database=postgres ;;
		*)	port=6002 database=postgres ;;
	esac
	printf '%s\n' '\set VERBOSITY sqlstate' "$2" |
		"$bin/psql" -X -q -A -t -h "$tmp" -p $port -U nobody -d $database 2>&1 | sed 's/.*ERROR:  //'
}

# until_is NODE SQL ANSWER WHAT
until_is()
{
	for _ in $(seq 300); do
		[ "$(ask "$1" "$2")" != "$3" ] || return 0
		sleep 0.5
	done
	tail -n 20 "$tmp"/*.autoctl.log | sed 's/^/    /'
	die "$4: $(ask "$1" "$2")"
}

start_manager()
{
	idem_start "$manager" create monitor --pgdata "$tmp/monitor" --pgport 6000 --pgctl "$bin/pg_ctl" \
		--hostname 127.0.0.1 --auth trust --no-ssl --run >"$tmp/monitor.autoctl.log" 2>&1
	until_is monitor "SELECT count(*) FROM pg_extension WHERE extname = 'pgautofailover'" 1 "the monitor does not come up"
	for setting in health_check_period=1000 health_check_timeout=1000 node_considered_unhealthy_timeout=3000 startup_grace_period=1000; do
		ask monitor "ALTER SYSTEM SET pgautofailover.${setting%=*} = ${setting#*=}"
	done
	ask monitor "SELECT pg_reload_conf()" >/dev/null
}

start_node()
{
	idem_start "$manager" create postgres --pgdata "$tmp/$1" --pghost "$tmp" --pgport "$2" --pgctl "$bin/pg_ctl" \
		--hostname 127.0.0.1 --name "$1" --auth trust --no-ssl \
		--monitor "postgres://autoctl_node@127.0.0.1:6000/pg_auto_failover" --run >"$tmp/$1.autoctl.log" 2>&1
	eval "manager_$1=\$!"
	until_is "$1" "SELECT 1" 1 "server $1 does not come up"
}

# The machine of a server is gone: manager and server, at once.
lose()
{
	eval "idem_signal KILL \$manager_$1"
	postmaster=$(sed -n 1p "$tmp/$1/postmaster.pid")
	kill -KILL "$postmaster" 2>/dev/null
	for _ in $(seq 100); do
		kill -0 "$postmaster" 2>/dev/null || return 0
		sleep 0.1
	done
}

prepare()
{
	ask one "CREATE EXTENSION idem;
		SELECT idem.create_scope('alone', 'outside', '{}'), idem.create_scope('careful', 'outside', '{}', standbys => 1);
		SELECT idem.reserve('alone', 'po'), idem.reserve('careful', 'po')" >/dev/null
	: >"$tmp/sent"
}

# The worker: sends where it is granted.
send()
{
	answer=$(ask "$1" "CALL idem.dispatch('$2', 'po', 1) \\gset
		\\echo :outcome" | head -n 1)
	[ "$answer" != granted ] || echo "$2" >>"$tmp/sent"
	say "server $1, scope $2: $answer"
}

lose_standby()
{
	lose two
	say "the standby is lost"
	until_is one "SELECT current_setting('synchronous_standby_names') = ''" t "the manager does not drop it"
	say "the manager has emptied synchronous_standby_names"
}

lose_primary()
{
	lose one
	say "the primary is lost, for good; the standby comes back, and somebody goes on with it"
	idem_start "$manager" run --pgdata "$tmp/two" >>"$tmp/two.autoctl.log" 2>&1
	manager_two=$!
	idem_run "$tmp/drop.autoctl.log" "$manager" drop node --force --name one \
		--monitor "postgres://autoctl_node@127.0.0.1:6000/pg_auto_failover"
	until_is two "SELECT pg_is_in_recovery()" f "the standby is not promoted"
}

# What a person says who knows that there is no other server
careful_goes_on()
{
	send two careful
	ask two "SELECT idem.alter_scope('careful', standbys => 0, force => 'there is one server left')" >/dev/null
}

tell()
{
	twice_alone=$(($(grep -c alone "$tmp/sent") - 1))
	twice_careful=$(($(grep -c careful "$tmp/sent") - 1))
	said="$twice_alone sent twice that asked for no standby, $twice_careful that asked for one"
	say "$said"
}

main "$@"
