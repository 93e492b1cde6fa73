# Keys shared out over several databases by PL/Proxy: one effect a key, whichever
# shard is killed meanwhile, and while three shards become six.
#
# Packages: postgresql-MAJOR-plproxy
#
# The steps are those of docs/scale.md, read from the page.  Three shards and a
# router; 5,000 messages are delivered four times each by eight consumers, the
# third shard is killed in the middle and comes back, and what was answered with an
# error, or is in progress, is delivered again until everything is settled.
# IDEM_SCALE_CALLS=100000 makes more of it.  Then the shards are split, with a
# claim under way that the copy has to wait for, and a router with the old map.

use strict;
use warnings;

use FindBin;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my ($share) = run_command([ 'pg_config', '--sharedir' ]);
plan skip_all => 'PL/Proxy is not to be had for this server' if !-e "$share/extension/plproxy.control";

my $calls = $ENV{IDEM_SCALE_CALLS} // 20_000;
my $consumers = 8;
my $page = slurp_file("$FindBin::Bin/../../docs/scale.md");

# The indented block below a line of the page that begins so
sub step
{
	my ($words) = @_;

	$page =~ /^\Q$words\E(?:(?!^    ).*\n)*?\n((?:    .*\n|\n(?=    ))+)/m or die "docs/scale.md has no step: $words";
	return $1 =~ s/^    //mgr;
}

# Shard n is a database; 2 and 5 are on the server that is killed.
my $router = PostgreSQL::Test::Cluster->new('shards');
$router->init(allows_streaming => 1);
$router->append_conf('postgresql.conf', "max_connections = 60");
$router->start;
my @servers = ($router, PostgreSQL::Test::Cluster->new('killed'));

sub server { return $servers[ $_[0] % 3 == 2 ]; }

sub shard
{
	my ($n, $sql) = @_;
	return server($n)->safe_psql("shop$n", $sql);
}

# What the page says of shard n, with its address here
sub addressed
{
	my ($sql) = @_;
	$sql =~ s{host=shard(\d) dbname=shop}{'host=' . server($1)->host . ' port=' . server($1)->port . " dbname=shop$1"}ge;
	return $sql;
}

# SQLSTATE, or what was answered
sub answer
{
	my ($sql) = @_;
	my ($out, $err);
	my $status = $router->psql('router', "\\set VERBOSITY verbose\n$sql", stdout => \$out, stderr => \$err);
	return $status == 0 ? $out : $err =~ /ERROR:  (\w{5}):/ ? $1 : "error $err";
}

sub effects
{
	my ($from, $to) = @_;
	my %seen;
	foreach my $n ($from .. $to)
	{
		$seen{$_}++ foreach split /\n/, shard($n, 'SELECT message FROM debit');
	}
	return \%seen;
}

$router->safe_psql('postgres', $_) foreach ('CREATE ROLE shop SUPERUSER LOGIN', 'CREATE DATABASE router', 'CREATE DATABASE shop0');
shard(0, step('On each shard, whatever its number:'));
shard(0, q{
	SELECT idem.define_machine('pay', E'stateDiagram-v2\n[*] --> made\nmade --> paid\npaid --> [*]');
	CREATE TABLE payment (id text PRIMARY KEY, status text NOT NULL);
	SELECT idem.guard_states('payment', 'status', 'pay');
	SELECT idem.create_scope('payout', effect => 'outside', fields => '{}');
	CREATE FUNCTION move(id text, status text) RETURNS text LANGUAGE plpgsql AS $$BEGIN
		INSERT INTO payment VALUES (id, status) ON CONFLICT ON CONSTRAINT payment_pkey DO UPDATE SET status = EXCLUDED.status;
		RETURN status; END$$;
	CREATE FUNCTION plain(message text) RETURNS text LANGUAGE sql AS $$INSERT INTO debit VALUES (message, 'u', 1) RETURNING user_name$$;
	CREATE FUNCTION reserve(key text) RETURNS idem.send_result LANGUAGE sql AS $$SELECT idem.reserve('payout', key)$$;
	CREATE FUNCTION send(key text) RETURNS idem.send_result LANGUAGE plpgsql AS $$DECLARE a idem.send_result; BEGIN
		CALL idem.dispatch('payout', key, 1, a); RETURN a; END$$});
$router->safe_psql('postgres', "CREATE DATABASE shop$_ TEMPLATE shop0") foreach 1 .. 2;
$router->backup('copy');
$servers[1]->init_from_backup($router, 'copy');
$servers[1]->start;
shard($_, step('On the first of three') =~ s/= 0/= $_/r) foreach 0 .. 2;
$router->safe_psql('router', addressed(step('On the router, which needs no idem:')));
is(answer(step('connects to the router and says:') . step('connects to the router and says:')), "granted\nreplayed", 'granted, and replayed');

#
# What comes through
#
is(answer($_->[0]), $_->[1], "$_->[1]: $_->[2]")
  foreach (
	[ q{SELECT pay('', 'u1', 1.00)}, '22I01', 'no key' ],
	[ q{SELECT pay('msg-20180718-0001', 'u2', 88.00)}, 'mismatch', 'another request' ],
	[ q{SELECT pay('msg-20180718-0002', 'u2', NULL)}, '23502', 'NOT NULL of a column' ]);
$router->safe_psql('router', "CREATE FUNCTION $_ LANGUAGE plproxy AS \$\$CLUSTER 'shards'; RUN ON hashtext(\$1);\$\$")
  foreach ('move(id text, status text) RETURNS text', 'plain(message text) RETURNS text',
	'reserve(key text, OUT outcome text, OUT token bigint)', 'send(key text, OUT outcome text)');
is(answer(q{SELECT move('p1', 'made')}), 'made', 'a row of a state machine');
is(answer(q{SELECT move('p1', 'paid')}), 'paid', 'moves');
is(answer(q{SELECT move('p1', 'made')}), '23I03', 'and is final');
is(answer(q{SELECT plain('unclaimed')}), '23I0A', 'a row without its claim');
my ($out, $err);
$router->psql('router', q{SELECT plain('unclaimed')}, stdout => \$out, stderr => \$err);
like($err, qr/REMOTE ERROR: row of table "debit" has no claim.*\nDETAIL:.*was not granted.*\nHINT:.*idem\.claim\('debit'/s, 'with DETAIL and HINT');
is(answer(q{SELECT outcome, token FROM reserve('po-1')}), 'reserved|1', 'a payout is reserved through the router');
is(answer(q{SELECT * FROM send('po-1')}), '25001', 'and not dispatched through it');
is(answer(q{BEGIN; SELECT pay('taken-back', 'u1', 1.00); ROLLBACK; SELECT pay('taken-back', 'u1', 1.00)}), "granted\nreplayed",
	'a rollback at the router takes nothing back');

#
# The race
#
my $messages = $calls / 4;
my $before = keys %{ effects(0, 2) };
my $round = 0;
my %granted;
my %errors;

# Deliver these messages by all consumers at once; $meanwhile is called as long
# as they run.  What is not settled is returned.
sub deliver
{
	my ($queue, $meanwhile) = @_;
	my (@runs, @left);

	$round++;
	foreach my $c (0 .. $consumers - 1)
	{
		my @mine = @$queue[ grep { $_ % $consumers == $c } 0 .. $#$queue ];
		my $file = "$PostgreSQL::Test::Utils::tmp_check/deliver-$round-$c.sql";
		my ($said, $wrong) = ('', '');

		append_to_file($file, "\\set VERBOSITY sqlstate\n" . join('', map { "SELECT 'm$_ ' || pay('m$_', 'u$_', $_.25);\n" } @mine));
		push @runs, { mine => \@mine, said => \$said, wrong => \$wrong,
			run => IPC::Run::start([ 'psql', '-X', '-q', '-A', '-t', '-d', $router->connstr('router'), '-f', $file ], '>', \$said, '2>', \$wrong) };
	}
	while (grep { $_->{run}->pumpable } @runs)
	{
		foreach my $run (@runs)
		{
			$run->{run}->pump_nb if $run->{run}->pumpable;
		}
		$meanwhile->() if $meanwhile;
		usleep(10_000);
	}
	foreach my $run (@runs)
	{
		my %settled;
		$run->{run}->finish;
		foreach my $line (split /\n/, ${ $run->{said} })
		{
			my ($m, $outcome) = $line =~ /^m(\d+) (\w+)$/ or die "said: $line";
			$granted{$m}++ if $outcome eq 'granted';
			$settled{$m}++ if $outcome =~ /^(granted|replayed)$/;
		}
		$errors{$_}++ foreach ${ $run->{wrong} } =~ /ERROR:  (\w{5})/g;
		push @left, grep { !$settled{$_} } @{ $run->{mine} };
	}
	return @left;
}

my @queue = map { ($_) x 4 } 1 .. $messages;
srand(20180718);
foreach my $i (reverse 1 .. $#queue)
{
	my $j = int(rand($i + 1));
	@queue[ $i, $j ] = @queue[ $j, $i ];
}
my $killed = 0;
my @left = deliver(\@queue, sub {
	return if $killed || shard(2, 'SELECT count(*) FROM debit') < $messages / 8;
	$servers[1]->stop('immediate');
	usleep(200_000);
	$servers[1]->start;
	$killed = 1;
});
ok($killed, 'a shard was killed, and came back');
my $failed = @left;
@left = deliver(\@left) foreach 1 .. 3;
is("@left", '', 'in the end everything is settled');
cmp_ok($failed, '>', 0, "what the shard could not answer was delivered again: $failed");
is(join(' ', grep { !/^(08|57P|XX000)/ } sort keys %errors), '', 'each error tells that the shard is not there: ' . join(' ', sort keys %errors));
my $seen = effects(0, 2);
is(scalar keys %$seen, $messages + $before, 'an effect for each message');
is(join(' ', grep { $seen->{$_} > 1 } sort keys %$seen), '', 'and one only');
is(join(' ', grep { $granted{$_} > 1 } sort keys %granted), '', 'nobody was granted what another had been');
cmp_ok($messages - keys %granted, '<=', $consumers, 'at most one answer of each consumer was lost');

#
# The split
#
my ($in, $said) = ('', '');
my $claimer = IPC::Run::start([ 'psql', '-X', '-qAt', '-d', $router->connstr('shop0') ], '<', \$in, '>', \$said, '2>&1');
my ($slow, $new) = split /\n/, $router->safe_psql('router', q{SELECT m FROM generate_series(1, 100) i, format('new%s', i) m WHERE abs(hashtext(m)) % 6 = 3 LIMIT 2});

$in = "BEGIN; SELECT pay('$slow', 'u', 1.00);\n";
$claimer->pump until $said =~ /granted/;
my $stopped = step('On each old shard, stop what is new.');
shard($_, $stopped) foreach 0 .. 2;
is(answer(q{SELECT pay('new', 'u', 1.00)}), 'paused', 'paused: what is new is left in the queue');
is(answer(q{SELECT pay('m1', 'u1', 1.25)}), 'replayed', 'and what is known is replayed');
my $question = step('What was asked for before may still be granted.');
is(shard(0, $question), 1, 'a claim is under way');
is(answer("SELECT pay('$slow', 'u', 1.00)"), 'in_progress', 'of which nobody knows');
$in = "COMMIT;\n\\q\n";
$claimer->finish;
is(shard($_, $question), 0, "none is left on shard $_") foreach 0 .. 2;
# the first by a dump, the others by a copy of the database
my $dump = "$PostgreSQL::Test::Utils::tmp_check/shard.sql";
$router->safe_psql('postgres', 'CREATE DATABASE shop3');
$router->command_ok([ 'pg_dump', '-d', $router->connstr('shop0'), '-f', $dump ], 'a shard is dumped');
$router->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $router->connstr('shop3'), '-f', $dump ], 'and restored');
server($_)->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'shop$_'") foreach 1 .. 2;
server($_)->safe_psql('postgres', 'CREATE DATABASE shop' . ($_ + 3) . " TEMPLATE shop$_") foreach 1 .. 2;
my $split = step('standby when it has replayed');
shard($_, $split =~ s/(<>|=) 0/$1 $_/gr) foreach 0 .. 5;

# a router that has not heard of it: a map of its own
$router->safe_psql('postgres', 'CREATE DATABASE late');
$router->safe_psql('late', addressed(step('On the router, which needs no idem:')));
$router->safe_psql('router', addressed(step('On the router, in one statement:')));
shard($_, step('On each of the six, go on:')) foreach 0 .. 5;
$router->psql('late', "\\set VERBOSITY sqlstate\nSELECT pay('$new', 'u', 1.00)", stdout => \$out, stderr => \$err);
like($err, qr/23514/, 'a router with the old map: refused by the share');
is($router->safe_psql('late', "SELECT pay('$slow', 'u', 1.00)"), 'replayed', 'and what is known is replayed there, too');
is(answer("SELECT pay('$new', 'u', 1.00)"), 'granted', 'by the new map it is granted');
is(answer("SELECT pay('$slow', 'u', 1.00)"), 'replayed', 'what was under way is known');
%granted = ();
@left = deliver([ 1 .. $messages ]);
is(scalar(keys %granted) . " @left", '0 ', 'nothing of before is granted again');
my %was = %$seen;
$seen = effects(0, 5);
is(join(' ', grep { $seen->{$_} > 1 } sort keys %$seen), '', 'no message has two effects');
is(scalar keys %$seen, 2 + keys %was, 'none is lost');
cmp_ok(shard($_, 'SELECT count(*) FROM debit'), '>', $messages / 12, "shard $_ has its share") foreach 0 .. 5;

$_->stop foreach @servers;
done_testing();
