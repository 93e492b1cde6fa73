# What was claimed stays claimed after a dump and restore. (C 45, C 46)
#
# A database with scopes (one dropped) and claims is dumped in three formats;
# each is restored into a database of its own, where old keys must replay, and
# new scopes and keys must not meet old ones.
#
# Wound 8: then only the rows of keys are carried to a database in which scopes
# of the same names were declared in another order, as a subscription does. They
# must be found there: before, the id of a scope was a local number and part of
# the digest of every key, and each key was granted again.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION idem;
SELECT idem.create_scope('first', 'inside', '{}');
SELECT idem.create_scope('debit', 'inside', '{amount}', completion => 'required');
SELECT idem.create_scope('any', 'inside', '{*}', charset => 'any');
DELETE FROM idem.scope WHERE name = 'first';
BEGIN;
SELECT idem.claim('debit', 'k' || i, jsonb_build_object('amount', i)),
       idem.complete('debit', 'k' || i, jsonb_build_object('id', i, 'fee', 1.50))
    FROM generate_series(1, 100) i;
COMMIT;
SELECT idem.create_scope('dated', 'inside', '{}', keep => '1 hour', key_time => 'YYYYMMDD', parts => 2);
BEGIN;
SELECT idem.claim('dated', idem.key(d, '1')), idem.complete('dated', idem.key(d, '1'), '1') FROM unnest('{20180717,20180718,20180719}'::text[]) d;
COMMIT;
UPDATE idem.anchor SET first_seen = first_seen - interval '2 hours' WHERE scope = (SELECT id FROM idem.scope WHERE name = 'dated');
SELECT idem.retire('dated', '2018-07-18 00:00+00');
SELECT idem.claim('any', E'cl\u00e9 \\ "quoted"', '{"a": null}');
BEGIN;
SELECT idem.claim('debit', 'big', '{"amount": 0}'),
       idem.complete('debit', 'big', (SELECT jsonb_object_agg(i, md5(i::text)) FROM generate_series(1, 5000) i));
COMMIT;
SQL

my $rows = 'SELECT md5(string_agg(a::text, $$,$$ ORDER BY digest)), count(*) FROM idem.anchor a';
my $scopes = 'SELECT string_agg(s::text, $$,$$ ORDER BY id) FROM idem.scope s';
my $was = $node->safe_psql('postgres', $rows);
my $were = $node->safe_psql('postgres', $scopes);
like($was, qr/\|104$/, 'anchors to dump');

my $dir = $node->backup_dir;
mkdir $dir;
my %restore = (
	plain => [ [], [ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-f' ] ],
	custom => [ ['--format=custom'], [ 'pg_restore', '--exit-on-error' ] ],
	inserts => [ ['--inserts'], [ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-f' ] ]);

foreach my $format (sort keys %restore)
{
	my ($options, $command) = @{ $restore{$format} };
	my ($ret, $out, $err);
	my $file = "$dir/$format";

	$node->command_ok([ 'pg_dump', @$options, '-f', $file, 'postgres' ],
		"$format: dumped");
	$node->safe_psql('postgres', "CREATE DATABASE $format TEMPLATE template0");
	$node->command_ok([ @$command, $format eq 'custom' ? ('-d', $format, $file) : ($file, $format) ],
		"$format: restored");

	is($node->safe_psql($format, $rows), $was, "$format: every anchor is there");
	is($node->safe_psql($format, $scopes), $were, "$format: scopes keep their ids");

	is($node->safe_psql($format, q{SELECT count(*), count(*) FILTER (WHERE outcome = 'replayed' AND settled
		AND response = jsonb_build_object('id', i, 'fee', 1.50))
		FROM generate_series(1, 100) i, idem.claim('debit', 'k' || i, jsonb_build_object('amount', i || '.0'))}),
		'100|100', "$format: old keys replay");
	is($node->safe_psql($format, q{SELECT outcome, mismatch FROM idem.claim('debit', 'k1', '{"amount": 2}')}),
		'mismatch|{amount}', "$format: another request does not");
	is($node->safe_psql($format, q{SELECT outcome FROM idem.claim('any', E'cl\u00e9 \\\\ "quoted"', '{"a": null}')}),
		'replayed', "$format: a key of any text");
	is($node->safe_psql($format, q{SELECT outcome, response = (SELECT jsonb_object_agg(i, md5(i::text)) FROM generate_series(1, 5000) i)
		FROM idem.claim('debit', 'big', '{"amount": 0}')}),
		'replayed|t', "$format: a response out of line");

	is($node->safe_psql($format, q{SELECT string_agg(concat_ws(' ', outcome, response_dropped), ', ' ORDER BY d)
		FROM unnest('{20180716,20180717,20180718,20180719}'::text[]) d, idem.claim('dated', idem.key(d, '1'))}),
		'expired, expired, replayed t, replayed t', "$format: what was forgotten stays too old, dropped responses are known to be");
	($ret, $out, $err) = $node->psql($format, q{SELECT idem.claim('dated', '20180718')});
	like($err, qr/is not made of 2 parts/, "$format: keys have parts");
	is($node->safe_psql($format, q{SELECT idem.create_scope('new', 'inside', '{}');
		SELECT id = head FROM idem.scope, LATERAL (SELECT ('x' || left(encode(sha256('new'), 'hex'), 8))::bit(32)::bigint / 2) h (head)
		WHERE name = 'new'}), "\nt", "$format: a new scope has the id of its name");
	is($node->safe_psql($format, q{SELECT outcome FROM idem.claim('new', 'k1')}),
		'granted', "$format: and its keys are its own");
	($ret, $out, $err) = $node->psql($format, q{SELECT idem.claim('debit', 'k0', '{"amount": 0}')});
	like($err, qr/was not completed/, "$format: required completion still is");
}

# Wound 8.  The rows of keys, without those of scopes.
$node->safe_psql('postgres', q{SELECT idem.create_scope('pay', 'outside', '{amount}');
	SELECT idem.reserve('pay', k, '{"amount": 88}') FROM unnest('{sent,reserved}'::text[]) k});
$node->safe_psql('postgres', q{CALL idem.dispatch('pay', 'sent', 1)});
$node->safe_psql('postgres', 'CREATE DATABASE other TEMPLATE template0');
$node->safe_psql('other', <<'SQL');
CREATE EXTENSION idem;
SELECT idem.create_scope('another', 'inside', '{}');
SELECT idem.create_scope('pay', 'outside', '{amount}');
SELECT idem.create_scope('any', 'inside', '{*}', charset => 'any');
SELECT idem.create_scope('debit', 'inside', '{amount}');
SQL
foreach my $table (qw(anchor reservation))
{
	$node->safe_psql('postgres', "COPY idem.$table TO '$dir/$table'");
	$node->safe_psql('other', "COPY idem.$table FROM '$dir/$table'");
}
is($node->safe_psql('other', q{SELECT count(*) FILTER (WHERE granted), count(*) FILTER (WHERE outcome = 'replayed')
	FROM generate_series(1, 100) i, idem.claim('debit', 'k' || i, jsonb_build_object('amount', i))}),
	'0|100', 'carried: no key is granted again');
is($node->safe_psql('other', q{SELECT string_agg(outcome, ',') FROM unnest('{sent,reserved}'::text[]) k, idem.reserve('pay', k, '{"amount": 88}')}),
	'in_progress,in_progress', 'carried: nor reserved again');

$node->stop;
done_testing();
