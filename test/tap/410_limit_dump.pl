# A limit survives dump and restore, and a replica.
#
# Dumped and restored elsewhere, as one script, it stands as before: totals,
# triggers that always fire, the tie between the two tables.  With child and
# parent in one publication the subscriber ends with the publisher's totals,
# counted once; a session there is judged like one here.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('here');
$node->init(allows_streaming => 'logical');
$node->start;
my $there = PostgreSQL::Test::Cluster->new('there');
$there->init;
$there->start;

sub make_tables
{
	my ($server) = @_;
	$server->safe_psql('postgres', q{
		CREATE EXTENSION idem;
		CREATE TABLE payment (id int PRIMARY KEY, amount numeric NOT NULL);
		CREATE TABLE refund (id int PRIMARY KEY, payment_id int NOT NULL REFERENCES payment, amount numeric, status text);
		SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount',
			used => 'refunded', state => 'status', released => '{failed}');
	});
}

# Insert, and what was said.
sub try_refund
{
	my ($server, $database, $values) = @_;
	my ($rc, $out, $err) =
	  $server->psql($database, "INSERT INTO refund VALUES ($values)");
	return $rc == 0 ? 'ok' : $err =~ s/^psql:<stdin>:1: ERROR:\s+(.*?)\n.*/$1/sr;
}

make_tables($node);
$node->safe_psql('postgres', q{
	INSERT INTO payment VALUES (1, 100), (2, 100);
	INSERT INTO refund VALUES (1, 1, 60, 'new'), (2, 1, 30, 'failed');
	ALTER TABLE payment RENAME TO charge;
	ALTER TABLE charge RENAME TO payment;
});

# dump and restore
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'dumped');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ],
	'restored without an error');
is($node->safe_psql('restored', 'SELECT id, refunded FROM payment ORDER BY id'), "1|60\n2|0", 'totals are restored');
is($node->safe_psql('restored', "SELECT DISTINCT tgenabled FROM pg_trigger WHERE tgname ILIKE 'idem_limit%'"), 'A',
	'triggers always fire');
is(try_refund($node, 'restored', '3, 1, 60'), 'refund of 60 exceeds the limit of payment 1', 'the limit stands');
is(try_refund($node, 'restored', '3, 1, 40'), 'ok', 'and takes what fits');
is( $node->safe_psql('restored', q{
		SELECT count(*) FROM idem.change_log WHERE kind = 'limit' AND relation = 'refund'::regclass}),
	1, 'the declaration is remembered');

# a subscriber
make_tables($there);
$node->safe_psql('postgres', 'CREATE PUBLICATION p FOR TABLE payment, refund');
$there->safe_psql('postgres',
	"CREATE SUBSCRIPTION s CONNECTION '" . $node->connstr . " dbname=postgres' PUBLICATION p");
$node->wait_for_catchup('s');
$there->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_subscription_rel WHERE srsubstate <> 'r'");
is(try_refund($node, 'postgres', '3, 1, 40'), 'ok', 'a refund at the origin');
$node->safe_psql('postgres', q{UPDATE refund SET status = 'failed' WHERE id = 1; INSERT INTO refund VALUES (4, 2, 100)});
$node->wait_for_catchup('s');
for my $server ($node, $there)
{
	is($server->safe_psql('postgres', 'SELECT id, refunded FROM payment ORDER BY id'), "1|40\n2|100",
		'counted once: ' . $server->name);
}
is(try_refund($there, 'postgres', '5, 1, 61'), 'refund of 61 exceeds the limit of payment 1',
	'a session at the subscriber is judged');
$there->safe_psql('postgres', 'DROP SUBSCRIPTION s');

# without its triggers a restore changes ALWAYS to ordinary: not the limit's
# word any more where replication roles are at work, so refused
$node->safe_psql('restored', q{
	SET idem.allow_unguarded = 'as a restore does';
	ALTER TABLE payment ENABLE TRIGGER idem_limit_total_refund_payment_id});
like(try_refund($node, 'restored', '6, 1, 1'), qr/bears no counterpart of limit/, 'a weakened counterpart is none');

done_testing();
