# idem.dispatch vouches for the standbys (wound 1), and so does every answer that
# lets a caller act on the commit of another session. (C 84)
#
# The server ends the wait for a synchronous standby with a warning when the
# statement is cancelled, its time is over, or the standby's name is dropped by a
# reload, and then goes on. Here the standby is stopped, each of these is done in
# the middle of a dispatch, and the dispatch must not be granted: for the standby,
# promoted, has the payment reserved and lets another worker send it. The mirror
# is a dispatch while all is well, which is not granted again.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', 'max_prepared_transactions = 5');
$node->start;
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;

sub ask
{
	return $node->safe_psql('postgres', $_[0]);
}

# The names of the standbys that are required, known to every later session.
sub require_standbys
{
	my ($names) = @_;

	$node->append_conf('postgresql.conf', "synchronous_standby_names = '$names'");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('synchronous_standby_names') = '$names'") or die 'no reload';
}

# One statement in a session of its own: its row, its SQLSTATE, or nothing.
# $meanwhile is called with the backend's process id as soon as it waits.
sub answered
{
	my ($settings, $sql, $meanwhile) = @_;
	my ($in, $out, $err) = ("\\set VERBOSITY sqlstate\n$settings;\nSELECT 'pid ' || pg_backend_pid();\n$sql;\n\\echo end\n", '', '');
	my $run = IPC::Run::start([ 'psql', '-X', '-qAt', '-d', $node->connstr('postgres') ],
		'<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(60));

	if ($meanwhile)
	{
		$run->pump until $out =~ /^pid (\d+)$/m;
		$node->poll_query_until('postgres',
			"SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = $1") or die 'does not wait';
		$meanwhile->($1);
	}
	eval { $run->finish; };
	$out =~ s/^pid .*\n//m;
	$out =~ s/^end\n//m;
	return $1 if $err =~ /ERROR:  (\w+)/;
	return $out =~ /^(\w+\|\w+)/ ? $1 : "nothing$out";
}

require_standbys('*');
$node->poll_query_until('postgres', q{SELECT sync_state = 'sync' FROM pg_stat_replication}) or die 'no standby';
ask(q{
	CREATE EXTENSION idem;
	SELECT idem.create_scope('payout', 'outside', '{}', lease => '1 hour', quiet => '0');
	SELECT idem.create_scope('strict', 'outside', '{}', standbys => 1);
	SELECT idem.create_scope('fast', 'inside', '{}', flush => false);
	SELECT idem.reserve('payout', k) FROM unnest('{well,apply,timeout,cancelled,killed,dropped,off,stays}'::text[]) k});

# All is well.
is(answered('', q{CALL idem.dispatch('payout', 'well', 1)}), 'granted|t', 'the standby has it: granted');
is(answered(q{SET synchronous_commit = remote_apply}, q{CALL idem.dispatch('payout', 'apply', 1)}), 'granted|t', 'or has applied it');

# What another session committed without waiting is told when the standby has it.
ask(q{SET synchronous_commit = local; SELECT idem.claim('fast', 'local')});
is(ask(q{SELECT outcome, settled FROM idem.claim('fast', 'local')}), 'replayed|t', 'local: settled when the standby has it');
ask(q{SET synchronous_commit = off; SELECT idem.claim('fast', 'off')});
is(ask(q{SET synchronous_commit = remote_apply; SELECT outcome, settled FROM idem.claim('fast', 'off')}), 'replayed|t', 'off: and when it has applied it');
my ($in, $out, $err) = ('', '', '');
my $session = IPC::Run::start([ 'psql', '-X', '-qAt', '-d', $node->connstr('postgres') ],
	'<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(60));
sub in_session
{
	$in .= "$_[0];\n\\echo end\n";
	$session->pump until $out =~ s/^(.*)\nend\n//;
	return $1;
}
is(in_session(q{SELECT outcome, settled FROM idem.claim('fast', 'local')}), 'replayed|t', 'a session that stays');

# What the doctor says of standbys.
my $doctor = q{SELECT object, split_part(finding, ': ', 1) FROM idem.doctor() WHERE object ~ '^scope ' ORDER BY 1};
is(ask($doctor), 'scope payout|asks for no standby', 'one scope asks for no standby');
require_standbys('');
is(ask($doctor), "scope payout|no commit waits for the standby that follows this server\nscope strict|asks for 1 synchronous standbys, and the server waits for 0",
	'none is waited for: both scopes are named');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM idem.doctor() WHERE object ~ '^scope '}), '0', 'of a standby nothing of it is said');
require_standbys('*');
$node->poll_query_until('postgres', q{SELECT sync_state = 'sync' FROM pg_stat_replication}) or die 'no standby';

# So many standbys as the scope asks for.
is(answered('', q{SELECT outcome, token FROM idem.reserve('strict', 'one')}), 'reserved|1', 'one is asked for: reserved');
is(answered('', q{CALL idem.dispatch('strict', 'one', 1)}), 'granted|t', 'and dispatched');
is(answered('', q{SELECT outcome, token FROM idem.reserve('strict', 'two')}), 'reserved|1', 'another one');
require_standbys('');
is(answered('', q{SELECT idem.reserve('strict', 'three')}), '55000', 'the name is dropped: nothing is reserved');
is(answered('', q{CALL idem.dispatch('strict', 'two', 1)}), '55000', 'nor sent');
is(ask(q{SELECT outcome, settled FROM idem.complete('strict', 'one', 1, 'succeeded', '1')}), 'succeeded|f', 'a result is kept, and not settled');
is(ask(q{SELECT outcome, settled FROM idem.reserve('strict', 'one')}), 'in_progress|f', 'nor by a repeat');
require_standbys('*');
$node->poll_query_until('postgres', q{SELECT sync_state = 'sync' FROM pg_stat_replication}) or die 'no standby';
# The server learns what the standby has from its next reply, which a commit brings.
$node->safe_psql('postgres', q{SET synchronous_commit = on; SELECT pg_logical_emit_message(true, 'test', 'next')});
is(ask(q{SELECT outcome, settled FROM idem.reserve('strict', 'one')}), 'replayed|t', 'until it is required again, and has it');
is(answered('', q{CALL idem.dispatch('strict', 'two', 1)}), 'granted|t', 'and sent');

# The wait is given up.
$standby->stop('immediate');
is(answered(q{SET statement_timeout = '300ms'}, q{CALL idem.dispatch('payout', 'timeout', 1)}),
	'40003', 'statement_timeout in the wait: not confirmed');
is(answered('', q{CALL idem.dispatch('payout', 'cancelled', 1)}, sub { ask("SELECT pg_cancel_backend($_[0])") }),
	'40003', 'cancelled in the wait: not confirmed');
is(answered('', q{CALL idem.dispatch('payout', 'killed', 1)}, sub { ask("SELECT pg_terminate_backend($_[0])") }),
	'nothing', 'terminated in the wait: no answer');
is(answered(q{SET synchronous_commit = off; SET statement_timeout = '300ms'}, q{CALL idem.dispatch('payout', 'off', 1)}),
	'40003', 'whatever synchronous_commit says');
is(answered('', q{CALL idem.dispatch('payout', 'dropped', 1)}, sub { require_standbys('') }),
	'40003', 'the standby was dropped in the wait: not confirmed');
require_standbys('*');

# A token that is given again rests on a commit, too.
my $reserve = q{SELECT outcome, coalesce(token, 0) FROM idem.reserve('payout', 'again', nonce => 'n')};
is(answered('', $reserve, sub { ask("SELECT pg_cancel_backend($_[0])") }), 'reserved|1', 'a reservation cannot know how its commit ends');
is(answered('', $reserve), 'in_progress|0', 'its token is not given again before the standby has it');

# Of what a session knows that the standby has it, it goes on to say so.
is(in_session(q{SELECT outcome, settled FROM idem.claim('fast', 'local')}), 'replayed|t', 'what was confirmed stays confirmed');
ask(q{SET synchronous_commit = local; SELECT idem.claim('fast', 'later')});
is(in_session(q{SELECT outcome, settled FROM idem.claim('fast', 'later')}), 'in_progress|f', 'what is not is not said');
$in .= "\\q\n";
$session->finish;

# Nobody is given leave later, and everybody may see where the key is.
my $soon = q{SET statement_timeout = '200ms'};
foreach my $key (qw(timeout killed dropped))
{
	is(answered($soon, "CALL idem.dispatch('payout', '$key', 1)"), 'in_progress|f', "$key: a second dispatch is not granted");
	is(ask("SELECT state, settled FROM idem.lookup('payout', '$key')"), 'dispatched|f', "$key: it stays dispatched");
}

# The primary is lost, and the standby takes over with what it has.
$node->stop('immediate');
$standby->start;
$standby->promote;
$node = $standby;
is(answered('', q{CALL idem.dispatch('payout', 'well', 1)}), 'in_progress|f', 'promoted: what was granted is not granted again');
is(answered('', q{CALL idem.dispatch('payout', 'apply', 1)}), 'in_progress|f', 'promoted: nor what was applied');
is(answered('', $reserve), 'reserved|1', 'promoted: the reservation that nobody was told of again is made');
is(answered('', q{CALL idem.dispatch('payout', 'again', 1)}), 'granted|t', 'promoted: and sent once');
foreach my $key (qw(timeout cancelled killed dropped off))
{
	is(ask("SELECT state FROM idem.lookup('payout', '$key')"), 'reserved', "promoted: $key is still reserved");
	is(answered('', "CALL idem.dispatch('payout', '$key', 1)"), 'granted|t', "promoted: $key is sent for the first time");
}

$standby->stop;
done_testing();
