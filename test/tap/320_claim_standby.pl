# A standby answers nothing about keys, because its answer could be old; a
# promoted one knows every key. (C 84)

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

$primary->stop;
$standby->promote;
is($standby->safe_psql('postgres', q{SELECT outcome, response FROM idem.claim('debit', 'k')}),
	'replayed|{"id": 1}', 'promoted: an old key replays');
is($standby->safe_psql('postgres', q{SELECT outcome FROM idem.claim('debit', 'k2')}),
	'replayed', 'promoted: also the last one');
is($standby->safe_psql('postgres', q{SELECT outcome FROM idem.claim('debit', 'k3')}),
	'granted', 'promoted: a new key is granted');

$standby->stop;
done_testing();
