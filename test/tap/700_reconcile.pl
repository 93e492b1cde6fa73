# A run that is killed leaves nothing half, eight sessions pay and reconcile at
# once, and what was found survives a dump.
#
# The killed run is stopped where it has written differences and not yet its
# sums, by a lock on the table of those, and gets SIGKILL there.  Payments write
# both records in one transaction, some of them only ours: a run that read the
# two sides with two snapshots would find one of a pair missing.  A difference of
# such a pair is never there, at each isolation level; in the end there is one
# for each payment that only ours has, and none besides.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use IPC::Run qw(start finish timeout);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
restart_after_crash = on
max_connections = 40
CONF
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION idem;
CREATE TABLE ours (day date, serial text, amount numeric, currency text);
CREATE TABLE theirs (LIKE ours);
SELECT idem.create_reconciliation('bank', 'ours', 'theirs', '{serial}', agree => '{currency}');
INSERT INTO ours SELECT '2018-11-26', i, i, 'EUR' FROM generate_series(1, 100) i;
INSERT INTO theirs SELECT day, serial, amount + (serial::int <= 10)::int, currency FROM ours WHERE serial::int <= 95;
SQL

my $state = 'SELECT (SELECT count(*) FROM idem.difference), (SELECT count(*) FROM idem.reconciled), (SELECT count(*) FROM idem.reconciled_sum)';
my $run = "SELECT string_agg(format('%s %s %s', kind, keys, open), ', ' ORDER BY kind) FROM idem.reconcile('bank', '2018-11-26')";

# killed in the middle
{
	my $blocker = $node->background_psql('postgres');
	$blocker->query_safe('BEGIN; LOCK TABLE idem.reconciled_sum IN ACCESS EXCLUSIVE MODE');
	my ($out, $err) = ('', '');
	my $victim = start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $run ], '>', \$out, '2>', \$err);
	ok($node->poll_query_until('postgres',
			"SELECT count(*) = 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'reconciled_sum' AND NOT l.granted"),
		'a run has written its differences, and not its sums');
	my $pid = $node->safe_psql('postgres',
		"SELECT l.pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'reconciled_sum' AND NOT l.granted");
	kill 'KILL', $pid;
	$victim->finish;
	eval { $blocker->quit };
	$node->poll_query_until('postgres', 'SELECT true');
	is($node->safe_psql('postgres', $state), '0|0|0', 'killed in the middle, it leaves nothing');
}
is($node->safe_psql('postgres', $run), 'amount 10 10, matched 85 0, missing_theirs 5 5', 'the next run finds all of it');
my $kept = $node->safe_psql('postgres', $state);
is($node->safe_psql('postgres', $run), 'amount 10 10, matched 85 0, missing_theirs 5 5', 'and the one after it the same');
is($node->safe_psql('postgres', $state), $kept, 'without a row more');

# dumped and restored, with what a person has said
$node->safe_psql('postgres', <<'SQL');
SELECT idem.settle_difference(id, 'explained', 'the bank is right') FROM idem.differences WHERE key->>'serial' IN ('1', '2');
SELECT idem.settle_difference(id, 'investigating', 'asked') FROM idem.differences WHERE key->>'serial' = '3';
SQL
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
my $everything = "SELECT md5(string_agg(d::text, ',' ORDER BY d.id)), (SELECT md5(string_agg(l::text, ',' ORDER BY l.difference, l.n)) FROM idem.difference_log l)"
  . " FROM (SELECT id, rule, day, key, n, kind, state, first_seen, role, reason FROM idem.difference) d";
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'dumped');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'restored without an error');
is($node->safe_psql('restored', $everything), $node->safe_psql('postgres', $everything), 'every difference and its history is there');
is($node->safe_psql('restored', $run), 'amount 10 8, matched 85 0, missing_theirs 5 5', 'a run there finds the same');
is($node->safe_psql('restored', $everything), $node->safe_psql('postgres', $everything), 'and makes nothing new');

# pay and reconcile at once
$node->safe_psql('postgres', "TRUNCATE ours, theirs; TABLE ours; $run");
my $scripts = PostgreSQL::Test::Utils::tempdir();
PostgreSQL::Test::Utils::append_to_file("$scripts/pay", <<'SQL');
\set id random(1, 1000000000000000)
\set dice random(1, 50)
BEGIN;
INSERT INTO ours VALUES ('2018-11-27', CASE WHEN :dice = 1 THEN 'only-' ELSE 'pair-' END || :id, 1 + :id % 100, 'EUR');
INSERT INTO theirs SELECT '2018-11-27', 'pair-' || :id, 1 + :id % 100, 'EUR' WHERE :dice > 1;
COMMIT;
SQL
PostgreSQL::Test::Utils::append_to_file("$scripts/run", <<'SQL');
SELECT * FROM idem.reconcile('bank', '2018-11-27');
SQL
my @sessions;
foreach my $level ([ 'read committed', 4 ], [ 'repeatable read', 2 ], [ 'serializable', 2 ])
{
	my ($name, $clients) = @$level;
	my ($out, $err) = ('', '');
	local $ENV{PGOPTIONS} = '-c default_transaction_isolation=' . $name =~ s/ /\\ /r;
	push @sessions,
	  [ $name, \$out, \$err,
		start([ 'pgbench', '-n', '-c', $clients, '-j', 1, '-T', 6, '--max-tries=1000', '-f', "$scripts/pay\@19", '-f', "$scripts/run\@1",
				'-h', $node->host, '-p', $node->port, 'postgres' ], '>', \$out, '2>', \$err) ];
}
foreach my $session (@sessions)
{
	my ($name, $out, $err, $handle) = @$session;
	ok($handle->finish, "sessions at $name pay and reconcile") or diag $$err;
	my ($done) = $$out =~ /transactions actually processed: (\d+)/;
	cmp_ok($done // 0, '>', 20, "$name: $done transactions");
	like($$out, qr/number of failed transactions: 0 /, "$name: none failed");
}
is($node->safe_psql('postgres', "SELECT count(*) FROM idem.difference WHERE day = '2018-11-27' AND key->>'serial' LIKE 'pair-%'"), '0',
	'no run saw half of a payment');
$node->safe_psql('postgres', "SELECT idem.reconcile('bank', '2018-11-27')");
is( $node->safe_psql('postgres', <<'SQL'), '0', 'each payment that only ours has is a difference, once, and nothing else is');
SELECT count(*) FROM (SELECT serial FROM ours WHERE day = '2018-11-27' AND serial LIKE 'only-%') o
FULL JOIN (SELECT key->>'serial' AS serial, count(*) AS n, bool_and(state = 'open' AND kind = 'missing_theirs') AS open
           FROM idem.difference WHERE day = '2018-11-27' GROUP BY 1) d USING (serial)
WHERE o.serial IS NULL OR d.n IS DISTINCT FROM 1 OR NOT d.open
SQL
is( $node->safe_psql('postgres', <<'SQL'), 't|t', 'the sums are those of the day');
SELECT sum(ours) = (SELECT sum(amount) FROM ours WHERE day = '2018-11-27'), sum(theirs) = (SELECT sum(amount) FROM theirs WHERE day = '2018-11-27')
FROM idem.reconcile('bank', '2018-11-27')
SQL
cmp_ok($node->safe_psql('postgres', "SELECT runs FROM idem.reconciled WHERE day = '2018-11-27'"), '>', 5, 'there were runs among them');

$node->stop;
done_testing();
