# A payout worker and kill -9 of the whole server between each pair of its
# steps: reserve, dispatch, send, complete, each of them before and after its
# commit. With synchronous_commit off and on.
#
# The bank is an array: what was sent is in it, and nothing takes it out again.
# After each kill the world goes on as it would: the message comes again, to a
# worker that looks at granted and settled, and idem.due says who has to be
# looked after. Then everything was sent exactly once, and nothing is open.
# An ordinary row, written after each step, shows that the kill costs what was
# not flushed. (cases 15-17, 47, 64, 71)

use strict;
use warnings;

use IO::Handle;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nwal_writer_delay = 10s\nautovacuum = off");
$node->start;

my %sent;						# the bank: key => how often
my $lost = 0;					# ordinary rows

sub ask
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

ask(q{
	CREATE EXTENSION idem;
	SELECT idem.create_scope('payout', 'outside', '{amount}', lease => '100 ms', quiet => '0', ladder => '{100 ms}');
	CREATE TABLE ordinary (n int);
});

# Everything at once: nobody gets to write anything any more.
sub kill_server
{
	my $pid = $node->{_pid};

	kill 'STOP', $pid;
	my @children = split ' ', `ps -o pid= --ppid $pid`;
	kill 'KILL', @children, $pid;
	$node->kill9;
	foreach (1 .. 500)
	{
		last unless grep { (`ps -o stat= -p $_` || 'Z') !~ /^Z/ } @children, $pid;
		usleep(20_000);
	}
	# a zombie that nobody has buried yet still owns the lock files
	unlink $node->data_dir . '/postmaster.pid',
	  $node->host . '/.s.PGSQL.' . $node->port . '.lock';
	$node->start;
}

# The worker's steps.
my $request = q{'{"amount": 88}'};
my $token;
my %step = (
	reserve => sub { $token = ask("SELECT token FROM idem.reserve('payout', '$_[0]', $request)") },
	dispatch => sub { (ask("CALL idem.dispatch('payout', '$_[0]', $token)") =~ /^t/) or die 'not granted' },
	send => sub { $sent{ $_[0] }++ },
	complete => sub { ask("SELECT idem.complete('payout', '$_[0]', $token, 'succeeded', '{}')") });

# The same in a transaction that is still open when the server is killed.
sub leave_open
{
	my ($sql) = @_;

	open my $session, '|-', 'psql', '-X', '-q', '-o', '/dev/null', '-d', $node->connstr('postgres')
	  or die "no psql: $!";
	$session->autoflush(1);
	print $session "SET client_min_messages = fatal; BEGIN; $sql;\n";
	$node->poll_query_until('postgres',
		q{SELECT count(*) = 1 FROM pg_stat_activity WHERE state = 'idle in transaction'}) or die 'not open';
	return $session;
}

# What the world does until nothing is left to do: the message comes again,
# and somebody looks after what is due.
sub go_on
{
	my ($key) = @_;

	foreach my $turn (1 .. 50)
	{
		work($key);
		foreach my $row (split /\n/, ask(q{SELECT key, why FROM idem.due('payout', 10)}))
		{
			my ($due, $why) = split /\|/, $row;
			if ($why eq 'abandoned reservation') { work($due); next; }
			my $outcome = $sent{$due} ? 'succeeded' : 'released';
			ask("SELECT idem.resolve('payout', '$due', '$outcome', '{\"asked\": \"the bank\"}')");
		}
		return if ask(qq{SELECT settled FROM idem.lookup('payout', '$key')}) eq 't';
		usleep(50_000);
	}
}

sub work
{
	my ($key) = @_;
	my ($settled, $mine) = split /\|/, ask("SELECT settled, token FROM idem.reserve('payout', '$key', $request)");

	return if $settled eq 't' or ($mine // '') eq '';
	return if ask("CALL idem.dispatch('payout', '$key', $mine)") !~ /^t/;
	$sent{$key}++;
	ask("SELECT idem.complete('payout', '$key', $mine, 'succeeded', '{}')");
}

my @life = ('reserve', 'dispatch', 'send', 'complete');

foreach my $commit ('off', 'on')
{
	ask("ALTER SYSTEM SET synchronous_commit = $commit; SELECT pg_reload_conf()");
	foreach my $last (0 .. 3)
	{
		my $key = "$commit-after-$life[$last]";

		$step{$_}->($key) foreach @life[ 0 .. $last ];
		my $state = ask("SELECT state FROM idem.lookup('payout', '$key')");
		ask('INSERT INTO ordinary VALUES (1)');
		my $rows = ask('SELECT count(*) FROM ordinary');
		kill_server();
		$lost += $rows - ask('SELECT count(*) FROM ordinary') if $commit eq 'off';
		is(ask("SELECT state FROM idem.lookup('payout', '$key')"), $state, "$key: still $state");
		go_on($key);
		is($sent{$key}, 1, "$key: sent once");
	}
	foreach my $open ('reserve', 'complete')
	{
		my $key = "$commit-within-$open";
		my $session;

		if ($open eq 'complete')
		{
			$step{$_}->($key) foreach @life[ 0 .. 2 ];
			$session = leave_open("SELECT idem.complete('payout', '$key', $token, 'succeeded', '{}')");
		}
		else
		{
			$session = leave_open("SELECT idem.reserve('payout', '$key', $request)");
		}
		kill_server();
		close $session;
		is(ask("SELECT coalesce(state, outcome) FROM idem.lookup('payout', '$key')"),
			$open eq 'reserve' ? 'unseen' : 'dispatched', "$key: as if it had not been said");
		go_on($key);
		is($sent{$key}, 1, "$key: sent once");
	}
}
is(ask('SELECT count(*) FROM idem.open_claims'), '0', 'nothing is open');
is(ask(q{SELECT count(*) FROM idem.reservation WHERE state = 's'}), scalar(keys %sent), 'all are paid');
is(join(' ', grep { $sent{$_} != 1 } keys %sent), '', 'and once each');
cmp_ok($lost, '>', 0, "the kills cost $lost ordinary rows");

$node->stop;
done_testing();
