# contrib/doctor.sql finds, on a database without idem, what the extension finds
# on the same tables, and is what contrib/doctor.pl makes of src/audit/audit.sql.
#
# A role that owns nothing but its tables runs it; the same tables are made in a
# database with the extension, whose idem.schema_problems is the judge.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# A hole of every kind, and tables that are as they should be
my $tables = <<'SQL';
CREATE TABLE debit (id bigint PRIMARY KEY, message_id text, amount numeric(12,2), status text);
CREATE TABLE payment (id bigint PRIMARY KEY, out_trade_no text NOT NULL UNIQUE, amount double precision, state text);
CREATE TABLE refund (id bigint PRIMARY KEY, request_no text, day date, amount int, UNIQUE (request_no, day));
CREATE TABLE payout (id bigint PRIMARY KEY, client_reference text, tenant int, amount money, UNIQUE (client_reference, tenant));
CREATE TABLE transfer (amount_cents bigint, fee numeric(10,2), currency text);
CREATE TABLE capture (id bigint PRIMARY KEY, idempotency_key text UNIQUE DEFERRABLE, amount numeric);
CREATE UNLOGGED TABLE deposit (id bigint PRIMARY KEY, amount numeric);
CREATE TABLE invoice (id bigint PRIMARY KEY, invoice_no text, amount numeric, created_on date NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE settled (id bigint PRIMARY KEY, idempotency_key text NOT NULL UNIQUE, amount numeric(12,2) NOT NULL, currency text);
CREATE TABLE town (id int PRIMARY KEY, city text, state text, price_list text);
SQL

my $node = PostgreSQL::Test::Cluster->new('alone');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE plain LOGIN');
foreach my $database ('without', 'beside')
{
	$node->safe_psql('postgres', "CREATE DATABASE $database OWNER plain");
}
$node->safe_psql('beside', 'CREATE EXTENSION idem');
$node->safe_psql($_, "SET ROLE plain; SET search_path = public; $tables") foreach 'without', 'beside';

my $order = 'ORDER BY severity, object, finding, remedy';
my $expected = $node->safe_psql('beside', "SELECT * FROM idem.schema_problems $order");
my $found = '';
IPC::Run::run(
	[ 'psql', '-XAtq', '-f', 'contrib/doctor.sql', '-d', $node->connstr('without'), '-U', 'plain' ],
	'>', \$found, '2>&1');
is(join("\n", sort split /\n/, $found),
	join("\n", sort split /\n/, $expected),
	'the same findings as the extension');
cmp_ok(scalar(split /\n/, $found), '>=', 10, 'each hole is found');

is($node->safe_psql('without', "SELECT count(*) FROM pg_class WHERE relname LIKE 'schema\\_%'"),
	0, 'nothing is left behind');

my $made = `perl contrib/doctor.pl src/audit/audit.sql`;
ok($made eq slurp_file('contrib/doctor.sql'), 'the file is what the room says')
  or diag('=> perl contrib/doctor.pl src/audit/audit.sql >contrib/doctor.sql');

$node->stop;
done_testing();
