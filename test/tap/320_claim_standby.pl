# A standby answers nothing about keys, because its answer could be old; a
# promoted one knows every key. (C 84)
#
# A claim waits for a standby that is required, whatever synchronous_commit says,
# and so the promoted standby knows it (wound 9c; 5 of docs/bypass.md); in a
# scope with flush => false it does what the session asked for.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->start;
$primary->safe_psql('postgres', <<'SQL');
CREATE EXTENSION idem;
SELECT idem.create_scope('debit', 'inside', '{}');
SELECT idem.create_scope('fast', 'inside', '{}', flush => false);
BEGIN;
SELECT idem.claim('debit', 'k'), idem.complete('debit', 'k', '{"id": 1}');
COMMIT;
SQL

$primary->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->start;
$primary->safe_psql('postgres', q{SELECT idem.claim('debit', 'k2')});
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

foreach my $call (
	q{idem.claim('debit', 'k')},
	q{idem.complete('debit', 'k', '{}')},
	q{idem.lookup('debit', 'k')},
	q{idem.claim_many('debit', '{k}')},
	q{idem.retire('debit')},
	q{idem.alter_scope('debit', keep => '1 day')},
	q{idem.drop_scope('debit')},
	q{idem.create_scope('new', 'inside', '{}')})
{
	my ($ret, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT $call");
	like($err, qr/ERROR:  25006/, "$call is refused on a standby");
	is($out, '', "$call answers nothing");
}

# The standby is required, and away.
$primary->append_conf('postgresql.conf', "synchronous_standby_names = '*'");
$primary->reload;
$standby->stop;
my ($in, $out, $hangs) = ('', '', 0);
$primary->psql('postgres', q{SET synchronous_commit = local; SELECT outcome FROM idem.claim('fast', 'local')},
	stdout => \$out, timeout => 20, timed_out => \$hangs);
is($out, 'granted', 'local: a claim that need not be flushed does not wait');
$out = '';
my $claims = IPC::Run::start([ 'psql', '-X', '-qAt', '-d', $primary->connstr('postgres'),
		'-c', q{SET synchronous_commit = local; SELECT outcome FROM idem.claim('debit', 'local')} ],
	'<', \$in, '>', \$out, IPC::Run::timeout(60));
my $waits = 0;
while (!$waits && $out eq '')
{
	$claims->pump_nb;
	$waits = $primary->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'});
}
is($waits, '1', 'local: another one does');
is($out, '', 'and nobody is told before');
$standby->start;
$claims->finish;
is($out, "granted\n", 'until the standby has it');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$primary->safe_psql('postgres', q{SET synchronous_commit = off; SELECT idem.claim('debit', 'off')});

$primary->stop('immediate');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$standby->promote;
is($standby->safe_psql('postgres', q{SELECT outcome, response FROM idem.claim('debit', 'k')}),
	'replayed|{"id": 1}', 'promoted: an old key replays');
is($standby->safe_psql('postgres', q{SELECT outcome FROM idem.claim('debit', 'k2')}),
	'replayed', 'promoted: also the last one');
is($standby->safe_psql('postgres', qq{SELECT outcome FROM idem.claim('debit', '$_')}),
	'replayed', "promoted: and what was claimed under $_") foreach ('local', 'off');
is($standby->safe_psql('postgres', q{SELECT outcome FROM idem.claim('debit', 'k3')}),
	'granted', 'promoted: a new key is granted');

$standby->stop;
done_testing();
