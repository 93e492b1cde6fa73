# A standby that is waited for takes over in the middle of payouts: what was
# answered is there, though the session asked for less than to wait for it.
# Whether it is waited for is seen while it receives nothing.
# (C 84; dumps and a standby that copies later: 341_send_moved.pl)

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->start;
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->append_conf('postgresql.conf', "synchronous_standby_names = '*'");
$node->reload;
$node->poll_query_until('postgres', q{SELECT sync_state = 'sync' FROM pg_stat_replication}) or die 'no standby';

$node->safe_psql('postgres', q{
	CREATE EXTENSION idem;
	SELECT idem.create_scope('payout', 'outside', '{amount}', lease => '1 hour', quiet => '0');
	CREATE FUNCTION reserve(k text) RETURNS idem.send_result LANGUAGE sql
		AS $$ SELECT idem.reserve('payout', k, '{"amount": 88}', nonce => 'n') $$});

# Does a reservation wait for the standby?  Its receiver is stopped meanwhile.
sub waits
{
	my ($key) = @_;
	my $receiver = $standby->safe_psql('postgres', 'SELECT pid FROM pg_stat_wal_receiver');
	my ($in, $out, $waits) = ('', '', 0);

	kill 'STOP', $receiver;
	my $call = IPC::Run::start([ 'psql', '-X', '-qAt', '-d', $node->connstr('postgres'), '-c', "SELECT outcome FROM reserve('$key')" ],
		'<', \$in, '>', \$out);
	foreach (1 .. 200)
	{
		$call->pump_nb;
		$waits = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'});
		last if $waits || $out ne '';
		usleep(50_000);
	}
	kill 'CONT', $receiver;
	$call->finish;
	return $waits ? "waits, then $out" : "does not wait: $out";
}

foreach my $commit ('local', 'off')
{
	# the standby receives, and replays nothing before it is promoted
	$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()') if $commit eq 'local';
	$node->safe_psql('postgres', "ALTER DATABASE postgres SET synchronous_commit = $commit");
	is(waits("waits-$commit"), "waits, then reserved\n", "$commit: nobody is answered before the standby has it");
	$node->safe_psql('postgres', $_) foreach (
		"SELECT reserve('reserved-$commit'), reserve('sent-$commit'), reserve('answered-$commit')",
		"CALL idem.dispatch('payout', 'sent-$commit', 1)",
		"CALL idem.dispatch('payout', 'answered-$commit', 1)",
		"SELECT idem.complete('payout', 'answered-$commit', 1, 'succeeded', '{\"ref\": 17}')",
		"SELECT idem.fence('payout', 'fenced-$commit', 'cancelled')");
}

foreach my $call (q{SELECT reserve('x')}, q{CALL idem.dispatch('payout', 'reserved-off', 1)}, q{SELECT idem.due('payout')})
{
	my ($ret, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY sqlstate\n$call");
	like($err, qr/ERROR:  25006/, "$call is refused on a standby");
}

$node->stop('immediate');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$standby->promote;

foreach my $commit ('local', 'off')
{
	my $ask = sub { $standby->safe_psql('postgres', $_[0]) };

	is($ask->("SELECT outcome, token, reentrant FROM reserve('reserved-$commit')"), 'reserved|1|t',
		"$commit: a reservation is its holder's");
	like($ask->("CALL idem.dispatch('payout', 'reserved-$commit', 1)"), qr/^granted\|t/, "$commit: who goes on with it");
	like($ask->("CALL idem.dispatch('payout', 'sent-$commit', 1)"), qr/^in_progress\|f/, "$commit: what was sent is not sent again");
	is($ask->("SELECT outcome, response FROM reserve('answered-$commit')"), 'replayed|{"ref": 17}', "$commit: an answer is known");
	is($ask->("SELECT outcome FROM reserve('fenced-$commit')"), 'fenced', "$commit: a fence holds");
	is($ask->("SELECT outcome FROM idem.complete('payout', 'sent-$commit', 1, 'failed', '{}')"), 'failed',
		"$commit: the bank's answer to the former server is taken");
}

$standby->stop;
done_testing();
