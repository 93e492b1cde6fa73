# A payout worker and kill -9 of the whole server between each pair of its
# steps, each of them before and after its commit: reserve, dispatch, send,
# complete; not known, due, released and tried again; given back; cancelled.
# With synchronous_commit off and on.
#
# The bank is an array: what was sent is in it, and nothing takes it out again.
# After each kill the world goes on as it would: the message comes again, to a
# worker that looks at granted and settled, and idem.due says who has to be
# looked after. Then everything was sent exactly once, and nothing is open.
# An ordinary row, written after each step, shows that the kill costs what was
# not flushed. (C 15, C 16, C 17, C 47, C 64, C 71)
#
#	IDEM_KILLS=all sh test/run.sh 345_send_payout_kill
#
# kills in every life, and within every step; without it in the first life, in
# the second one with synchronous_commit off, and within reserve and complete.

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

my $all = ($ENV{IDEM_KILLS} || '') eq 'all';
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
	dispatch => sub { (ask("CALL idem.dispatch('payout', '$_[0]', $token)") =~ /^granted\|t/) or die 'not granted' },
	send => sub { $sent{ $_[0] }++ },
	unknown => sub { ask("SELECT idem.complete('payout', '$_[0]', $token, 'unknown')") },
	due => sub { usleep(150_000); ask("SELECT idem.due('payout')") },
	released => sub { ask("SELECT idem.resolve('payout', '$_[0]', 'released', '{\"asked\": 1}')") },
	heartbeat => sub { ask("SELECT idem.heartbeat('payout', '$_[0]', $token)") },
	release => sub { ask("SELECT idem.release('payout', '$_[0]', $token)") },
	fence => sub { ask("SELECT idem.fence('payout', '$_[0]', 'cancelled')") },
	complete => sub { ask("SELECT idem.complete('payout', '$_[0]', $token, 'succeeded', '{}')") });

# A session that says something, and is still there when the server is killed.
sub begin
{
	my ($sql) = @_;

	open my $session, '|-', 'psql', '-X', '-q', '-o', '/dev/null', '-d', $node->connstr('postgres')
	  or die "no psql: $!";
	$session->autoflush(1);
	print $session "SET client_min_messages = fatal;\n$sql;\n";
	return $session;
}

# The same in a transaction that is not over.
sub leave_open
{
	my ($sql) = @_;
	my $session = begin("BEGIN; $sql");

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
	return if ask("CALL idem.dispatch('payout', '$key', $mine)") !~ /^granted\|t/;
	$sent{$key}++;
	ask("SELECT idem.complete('payout', '$key', $mine, 'succeeded', '{}')");
}

# Lives of a key.  In the second one the first order never left, nobody knew,
# and the bank has said so; the third is given back; in the fourth the customer
# cancels an order that may have left, in the last one nothing was begun.
my @lives = (
	[ 'paid', qw(reserve dispatch send complete) ],
	[ 'tried again', qw(reserve dispatch unknown due released reserve dispatch send complete) ],
	[ 'given back', qw(reserve heartbeat release reserve dispatch send complete) ],
	[ 'cancelled late', qw(reserve dispatch fence released) ],
	[ 'cancelled', qw(reserve fence) ]);

# A step that two lives begin with is cut once.
my %cut;

# Live up to a step, be killed after it, and go on.
sub killed_after
{
	my ($commit, $name, @steps) = @_;
	my $key = join '-', $commit, $name =~ s/ /_/gr, scalar(@steps), $steps[-1];

	$step{$_}->($key) foreach @steps;
	my $state = ask("SELECT state, attempt FROM idem.lookup('payout', '$key')");
	ask('INSERT INTO ordinary VALUES (1)');
	my $rows = ask('SELECT count(*) FROM ordinary');
	kill_server();
	$lost += $rows - ask('SELECT count(*) FROM ordinary') if $commit eq 'off';
	is(ask("SELECT state, attempt FROM idem.lookup('payout', '$key')"), $state, "$key: still $state");
	go_on($key);
	is($sent{$key} // 0, (grep { $_ eq 'fence' } @steps) ? 0 : 1, "$key: sent once, or never if it was cancelled");
}

foreach my $commit ('off', 'on')
{
	ask("ALTER SYSTEM SET synchronous_commit = $commit; SELECT pg_reload_conf()");
	foreach my $life (@lives)
	{
		last if !$all && $life == $lives[ $commit eq 'off' ? 2 : 1 ];
		my ($name, @steps) = @$life;

		foreach my $last (0 .. $#steps)
		{
			killed_after($commit, $name, @steps[ 0 .. $last ])
			  unless $cut{"$commit @steps[ 0 .. $last ]"}++;
		}
	}
	foreach my $open (
		[ [], "SELECT idem.reserve('payout', 'KEY', $request)", 'unseen' ],
		[ [qw(reserve)], "SELECT idem.release('payout', 'KEY', TOKEN)", 'reserved' ],
		[ [qw(reserve dispatch send)], "SELECT idem.complete('payout', 'KEY', TOKEN, 'succeeded', '{}')", 'dispatched' ],
		[ [qw(reserve dispatch)], "SELECT idem.resolve('payout', 'KEY', 'released', '{\"asked\": 1}')", 'dispatched' ],
		[ [qw(reserve)], "SELECT idem.fence('payout', 'KEY', 'cancelled')", 'reserved' ])
	{
		my ($before, $sql, $state) = @$open;
		next unless $all || $sql =~ /reserve|complete/;
		my $key = join '-', $commit, 'within', scalar(@$before), $sql =~ /idem\.(\w+)/;

		$step{$_}->($key) foreach @$before;
		my $session = leave_open($sql =~ s/KEY/$key/r =~ s/TOKEN/$token/r);
		kill_server();
		close $session;
		is(ask("SELECT coalesce(state, outcome) FROM idem.lookup('payout', '$key')"), $state, "$key: as if it had not been said");
		go_on($key);
		is($sent{$key}, 1, "$key: sent once");
	}
	next unless $all;
	# dispatch cannot be left open: it is killed as it waits for its row
	my $key = "$commit-within-dispatch";
	$step{reserve}->($key);
	my $holder = leave_open("SELECT FROM idem.reservation WHERE key = '$key' FOR UPDATE");
	my $waiter = begin("CALL idem.dispatch('payout', '$key', $token)");
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'}) or die 'no wait';
	kill_server();
	close $_ foreach $holder, $waiter;
	is(ask("SELECT state FROM idem.lookup('payout', '$key')"), 'reserved', "$key: as if it had not been said");
	go_on($key);
	is($sent{$key}, 1, "$key: sent once");
}
is(ask('SELECT count(*) FROM idem.open_claims'), '0', 'nothing is open');
is(ask(q{SELECT count(*) FROM idem.reservation WHERE state = 's'}), scalar(keys %sent), 'all are paid that were sent');
is(ask(q{SELECT count(*) FROM idem.reservation WHERE state NOT IN ('s', 'n')}), '0', 'and the others will never be');
is(join(' ', grep { $sent{$_} != 1 } keys %sent), '', 'and once each');
cmp_ok($lost, '>', 0, "the kills cost $lost ordinary rows");

$node->stop;
done_testing();
