# Effects outside after a dump and restore, and on a standby. (C 45, C 46, C 84)
#
# Keys in every state are dumped in two formats and restored, where each has to
# be what it was: old keys replay, what was sent is not sent again, tokens go
# on, and new ids do not meet old ones. A standby answers nothing; promoted, it
# knows every key.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->start;

$node->safe_psql('postgres', $_) foreach (
	q{CREATE EXTENSION idem},
	q{SELECT idem.create_scope('pay', 'outside', '{amount}', lease => '2 h', quiet => '0', ladder => '{3 days,1 h}')},
	q{SELECT idem.reserve('pay', k, '{"amount": 88}', nonce => 'n') FROM unnest('{reserved,sent,done,no,late,again}'::text[]) k},
	q{SELECT idem.fence('pay', 'fenced', 'test')},
	(map { "CALL idem.dispatch('pay', '$_', 1)" } qw(sent done no late again)),
	q{SELECT idem.complete('pay', 'done', 1, 'succeeded', (SELECT jsonb_object_agg(i, md5(i::text)) FROM generate_series(1, 5000) i))},
	q{SELECT idem.complete('pay', 'no', 1, 'failed', '{"code": 1.50}')},
	q{SELECT idem.complete('pay', 'late', 1, 'succeeded', '{"bank": 1}'), idem.complete('pay', 'late', 1, 'failed', '{"bank": 2}')},
	q{SELECT idem.resolve('pay', 'again', 'released', '{"by": "me"}'), idem.reserve('pay', 'again', '{"amount": 88}')});

# What a copy of the database has to know.
sub knows
{
	my ($there, $database, $name) = @_;
	my $ask = sub { return $there->safe_psql($database, $_[0]); };

	is($ask->(q{SELECT string_agg(format('%s %s %s', key, outcome, settled), ', ' ORDER BY key COLLATE "C") FROM
		unnest('{reserved,sent,done,no,late,again,fenced,new}'::text[]) k, idem.lookup('pay', k)}),
		'again in_progress f, done replayed t, fenced fenced t, late replayed t, new unseen f, no replayed t, reserved in_progress f, sent in_progress f',
		"$name: every key is what it was");
	is($ask->(q{SELECT response = (SELECT jsonb_object_agg(i, md5(i::text)) FROM generate_series(1, 5000) i)
		FROM idem.reserve('pay', 'done', '{"amount": "88.0"}')}), 't', "$name: the response too");
	is($ask->(q{SELECT outcome, mismatch FROM idem.reserve('pay', 'done', '{"amount": 1}')}),
		'mismatch|{amount}', "$name: and the request");
	like($ask->(q{CALL idem.dispatch('pay', 'sent', 1)}), qr/^in_progress\|f/, "$name: what was sent is not sent again");
	is($ask->(q{SELECT token, reentrant FROM idem.reserve('pay', 'reserved', '{"amount": 88}', nonce => 'n')}),
		'1|t', "$name: a holder gets the same token again");
	like($ask->(q{CALL idem.dispatch('pay', 'again', 2)}), qr/^granted\|t/, "$name: and may go on");
	is($ask->(q{SELECT key, why FROM idem.due('pay')}), 'late|late result', "$name: a person hears of what is late");
	is($ask->(q{SELECT key, why FROM idem.open_claims WHERE due_at > now() ORDER BY key COLLATE "C"}),
		"again|inquire\nlate|late result\nreserved|abandoned reservation\nsent|inquire", "$name: and nothing is forgotten");
	is($ask->(q{SELECT outcome FROM idem.complete('pay', 'no', 1, 'succeeded', '{}')}), 'late', "$name: final is final");
	is($ask->(q{SELECT key, n FROM idem.late_result ORDER BY at}), "late|1\nno|1", "$name: late results follow old ones");
	is($ask->(q{SELECT outcome FROM idem.resolve('pay', 'sent', 'succeeded', '{"by": "me"}')}), 'succeeded', "$name: results are taken");
	is($ask->(q{SELECT key, n, action FROM idem.evidence ORDER BY at}), "fenced|1|fence\nagain|1|resolve\nsent|1|resolve", "$name: with evidence");
	is($ask->(q{SELECT lease, quiet, ladder FROM idem.scope}), '02:00:00|00:00:00|{"3 days",01:00:00}', "$name: the scope is what it was");
	return;
}

my $dir = $node->backup_dir;
mkdir $dir;
foreach my $format (qw(plain custom))
{
	my $file = "$dir/$format";

	$node->command_ok([ 'pg_dump', "--format=$format", '-f', $file, 'postgres' ], "$format: dumped");
	$node->safe_psql('postgres', "CREATE DATABASE $format TEMPLATE template0");
	$node->command_ok($format eq 'plain' ? [ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-f', $file, $format ] :
		[ 'pg_restore', '--exit-on-error', '-d', $format, $file ], "$format: restored");
	knows($node, $format, $format);
}

$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));

foreach my $call (
	q{SELECT idem.reserve('pay', 'k', '{"amount": 88}')},
	q{SELECT idem.reserve('pay', 'done', '{"amount": 88}')},
	q{CALL idem.dispatch('pay', 'reserved', 1)},
	q{SELECT idem.heartbeat('pay', 'reserved', 1)},
	q{SELECT idem.release('pay', 'reserved', 1)},
	q{SELECT idem.complete('pay', 'sent', 1, 'succeeded', '{}')},
	q{SELECT idem.resolve('pay', 'sent', 'succeeded', '{"by": "me"}')},
	q{SELECT idem.fence('pay', 'k', 'test')},
	q{SELECT idem.lookup('pay', 'done')},
	q{SELECT * FROM idem.due('pay')})
{
	my ($ret, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY sqlstate\n$call");
	is($err =~ s/^psql:[^:]*:\d+: //r, 'ERROR:  25006', "$call is refused on a standby");
	is($out, '', 'and answers nothing');
}
is($standby->safe_psql('postgres', q{SELECT count(*) FROM idem.open_claims}), '4', 'a person may look there');

$node->stop;
$standby->promote;
knows($standby, 'postgres', 'promoted');
$standby->stop;
done_testing();
