# What has begun goes with the database: a dump that is restored, a standby
# that is promoted. The old keys and the old tokens mean there what they meant
# before. (cases 45, 46, 84)
#
# One claim is left in each state. Neither of the two copies sends anything
# again; what was reserved and not sent goes on with its own token; everything
# that is open comes up in idem.due.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "autovacuum = off");
$node->start;

$node->safe_psql('postgres', q{
	CREATE EXTENSION idem;
	SELECT idem.create_scope('payout', 'outside', '{amount}', lease => '1 hour', ladder => '{1 us}', quiet => '0')});
sub reserve
{
	my ($key) = @_;
	return "SELECT token FROM idem.reserve('payout', '$key', '{\"amount\": 88}', nonce => 'n-$key')";
}
sub run
{
	$node->safe_psql('postgres', $_) foreach @_;
}
foreach my $key ('reserved', 'dispatched', 'unknown', 'released', 'succeeded', 'failed', 'late')
{
	run(reserve($key));
	run("CALL idem.dispatch('payout', '$key', 1)") unless $key eq 'reserved';
}
run(q{SELECT idem.complete('payout', 'unknown', 1, 'unknown')},
	q{SELECT idem.resolve('payout', 'released', 'released', '{"asked": "the bank"}')},
	q{SELECT idem.complete('payout', 'succeeded', 1, 'succeeded', '{"ref": 17}')},
	q{SELECT idem.complete('payout', 'failed', 1, 'failed', '{"no": "closed"}')},
	q{SELECT idem.complete('payout', 'late', 1, 'failed', '{"no": "closed"}')},
	q{SELECT idem.complete('payout', 'late', 1, 'succeeded', '{"ref": 18}')},
	q{SELECT idem.fence('payout', 'fenced', 'cancelled')});

my $rows = q{SELECT count(*), md5(string_agg(r::text, ',' ORDER BY key)) FROM idem.reservation r};
my $records = q{SELECT (SELECT string_agg(l::text, ',' ORDER BY id) FROM idem.late_result l),
	(SELECT string_agg(e::text, ',' ORDER BY id) FROM idem.evidence e)};
my ($was, $were) = map { $node->safe_psql('postgres', $_) } ($rows, $records);

# Ask a copy everything.
sub judge
{
	my ($there, $name, $database) = @_;
	my $ask = sub { $there->safe_psql($database, $_[0]) };

	is($ask->($rows), $was, "$name: every row");
	is($ask->($records), $were, "$name: every word that was kept");
	my $answers = $ask->(q{SELECT key, outcome, granted, settled, response FROM
		unnest('{dispatched,unknown,succeeded,failed,fenced}'::text[]) k, idem.reserve('payout', k, '{"amount": "88.0"}')});
	is($answers, <<'OUT' =~ s/\n$//r, "$name: old keys");
dispatched|in_progress|f|f|
unknown|unknown|f|f|
succeeded|replayed|f|t|{"ref": 17}
failed|replayed|f|t|{"no": "closed"}
fenced|fenced|f|t|
OUT
	is($ask->(q{SELECT outcome, mismatch FROM idem.reserve('payout', 'unknown', '{"amount": 99}')}),
		'mismatch|{amount}', "$name: another request");
	like($ask->(q{CALL idem.dispatch('payout', 'dispatched', 1)}), qr/^f\|in_progress/, "$name: an old token sends nothing again");
	is($ask->(q{SELECT string_agg(key || ': ' || why, ', ' ORDER BY key) FROM idem.due('payout', 100)}),
		'late: late result, released: abandoned reservation, unknown: inquire', "$name: what is open is due, but for live leases");
	is($ask->(q{SELECT outcome, token, reentrant FROM idem.reserve('payout', 'reserved', '{"amount": 88}', nonce => 'n-reserved')}),
		'reserved|1|t', "$name: a reservation is its holder's");
	like($ask->(q{CALL idem.dispatch('payout', 'reserved', 1)}), qr/^t\|granted/, "$name: who goes on with it");
	like($ask->(q{CALL idem.dispatch('payout', 'reserved', 1)}), qr/^f\|in_progress/, "$name: once");
	is($ask->(q{SELECT outcome FROM idem.complete('payout', 'dispatched', 1, 'succeeded', '{"ref": 19}')}),
		'succeeded', "$name: an answer to what was sent before");
	is($ask->(q{SELECT outcome, token, attempt FROM idem.reserve('payout', 'released', '{"amount": 88}')}),
		'reserved|2|2', "$name: tokens and attempts go on");
	is($ask->(q{SELECT outcome FROM idem.complete('payout', 'failed', 1, 'succeeded', '{"ref": 20}')}),
		'late', "$name: a late result");
	is($ask->(q{SELECT count(*) = count(DISTINCT id) AND count(*) = 2 FROM idem.late_result}), 't', "$name: is added to those there");
}

# A dump.
my $file = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $file, 'postgres' ], 'dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', 'restored', $file ], 'restored');
judge($node, 'restored', 'restored');

# A standby that is waited for: what was answered is there when it takes over,
# though the session asked for less.
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->append_conf('postgresql.conf', "synchronous_standby_names = '*'");
$node->reload;
$node->poll_query_until('postgres', q{SELECT sync_state = 'sync' FROM pg_stat_replication}) or die 'no standby';
run(q{SET synchronous_commit = local; } . reserve('last-reserved'),
	q{SET synchronous_commit = off; } . reserve('last-sent'),
	q{ALTER DATABASE postgres SET synchronous_commit = off},
	q{CALL idem.dispatch('payout', 'last-sent', 1)},
	q{SELECT idem.fence('payout', 'last-fenced', 'cancelled')});
my ($ret, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT idem.reserve('payout', 'x', '{\"amount\": 1}')");
like($err, qr/ERROR:  25006/, 'a standby reserves nothing');
($ret, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY sqlstate\nCALL idem.dispatch('payout', 'last-reserved', 1)");
like($err, qr/ERROR:  25006/, 'dispatches nothing');
($ret, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT * FROM idem.due('payout', 1)");
like($err, qr/ERROR:  25006/, 'and hands nothing out');

$node->stop('immediate');
$standby->promote;
is($standby->safe_psql('postgres', q{SELECT outcome FROM idem.reserve('payout', 'last-reserved', '{"amount": 88}')}),
	'in_progress', 'promoted: a reservation, acknowledged at local, is held');
like($standby->safe_psql('postgres', q{CALL idem.dispatch('payout', 'last-sent', 1)}), qr/^f\|in_progress/,
	'promoted: what was dispatched, acknowledged at off, is not sent again');
is($standby->safe_psql('postgres', q{SELECT outcome FROM idem.reserve('payout', 'last-fenced', '{"amount": 88}')}),
	'fenced', 'promoted: a fence, acknowledged at off, holds');
$standby->safe_psql('postgres', q{DELETE FROM idem.reservation WHERE key LIKE 'last-%'; DELETE FROM idem.evidence WHERE key LIKE 'last-%'});
judge($standby, 'promoted', 'postgres');

$standby->stop;
done_testing();
