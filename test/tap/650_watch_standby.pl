# What is stuck and what is counted is seen on a standby, too, and after it was
# promoted: a monitor asks there what it would ask the primary, read-only, and
# hears of what has arrived.  A guard that was declared with a time in which rows
# go on is restored by a dump, and since when a row stands where it stands with it.
#
# Refusals are counted from the server's log as docs/watch.md says: its statements
# are read from there and run.

use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', qq{
logging_collector = on
log_destination = 'stderr,csvlog'
log_filename = 'postgresql.log'
});
$primary->start;
$primary->safe_psql('postgres', q{
	CREATE EXTENSION idem;
	CREATE ROLE metrics LOGIN;
	SELECT idem.grant_monitor('metrics');
	SELECT idem.define_machine('pay', '
stateDiagram-v2
    [*] --> created
    created --> paying
    paying --> done
    done --> [*]
');
	CREATE TABLE payment (id int PRIMARY KEY, status text NOT NULL);
	SELECT idem.guard_states('payment', 'status', 'pay', within => '{"paying": "1 ms"}');
	SELECT idem.create_scope('payout', effect => 'outside', fields => '{}');
	SELECT idem.reserve('payout', 'po-1', '{"amount":12.5,"currency":"EUR"}');
	INSERT INTO payment VALUES (1, 'created'), (2, 'created'), (3, 'created');
	UPDATE payment SET status = 'paying' WHERE id < 3;
	SELECT pg_sleep(0.002);
});
$primary->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->start;

my $seen = q{
	SELECT 'stuck', relation, state, rows FROM idem.stat_overdue ORDER BY state;
	SELECT state, rows, overdue, unread FROM idem.stat_states ORDER BY state;
	SELECT scope, state, keys FROM idem.stat_claims;
	SELECT scope, currency, amount FROM idem.stat_amounts;
	SELECT le, keys FROM idem.stat_claim_ages WHERE le = '+Inf';
	SELECT kind, guards, broken FROM idem.stat_guards;
	SELECT count(*) FROM idem.stat_findings;
	SELECT count(*) FROM idem.stat_excess;
	SELECT count(*) FROM idem.stat_codes;
	SELECT count(*) FROM idem.stat_suspects;
	SELECT item, well FROM idem.status() WHERE NOT well};

sub seen_by
{
	my ($node) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $seen, extra_params => [ '-U', 'metrics', '-v', 'ON_ERROR_STOP=1' ]);
	is($err, '', 'nothing is wrong with the questions on the ' . $node->name);
	return $out;
}

my $said = seen_by($primary);
like($said, qr/^stuck\|public\.payment\|paying\|2$/m, 'two rows are stuck');
like($said, qr/^paying\|2\|2\|f$/m, 'and are counted');
like($said, qr/^payout\|EUR\|12\.5$/m, 'and what is open');
$primary->wait_for_catchup($standby);
is(seen_by($standby), $said, 'the standby says the same');

$primary->safe_psql('postgres', q{UPDATE payment SET status = 'done' WHERE id = 1; UPDATE payment SET status = 'paying' WHERE id = 3; SELECT pg_sleep(0.002)});
$primary->wait_for_catchup($standby);
is(seen_by($standby), seen_by($primary), 'and follows');
# ------------------------------------------------------------ refusals in the log

my ($statements) = slurp_file(dirname(__FILE__) . '/../../docs/watch.md') =~ /^(    CREATE EXTENSION file_fdw;\n(?:    .*\n)+)/m;
$statements =~ s{log/postgresql-[\d-]+\.csv}{log/postgresql.csv};
$primary->psql('postgres', $_) foreach ('UPDATE payment SET status = \'created\' WHERE id = 2') x 2;
$primary->psql('postgres', q{INSERT INTO payment VALUES (9, 'done')});
like($primary->safe_psql('postgres', $statements), qr/^23I01\|.*\|2\|.*\n23I02\|.*\|1\|/m, 'refusals are counted as the page says');

my $since = $primary->safe_psql('postgres', 'SELECT key, since FROM idem.stuck ORDER BY key');
$primary->stop('immediate');
$standby->promote;
is($standby->safe_psql('postgres', 'SELECT key, since FROM idem.stuck ORDER BY key'), $since, 'since when is known after a promotion');

# by name, whatever OID the table has there
my $dump = "$PostgreSQL::Test::Utils::tmp_check/dump.sql";
command_ok([ 'pg_dump', '-d', $standby->connstr('postgres'), '-f', $dump ], 'dumped');
$standby->safe_psql('postgres', 'CREATE DATABASE other');
$standby->safe_psql('other', 'SELECT lo_create(0)');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $standby->connstr('other'), '-f', $dump ], 'restored');
is($standby->safe_psql('other', 'SELECT key, since FROM idem.stuck ORDER BY key'), $since, 'and after a restore');
$standby->stop;
done_testing();
