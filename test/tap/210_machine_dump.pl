# Machines, guards and history outlive a dump and restore.
#
# A database with a machine in its third version, a guarded table, a guarded
# partitioned table and rows in every kind of state is dumped in two formats;
# in each restored one the same rows must be refused, history must be the same
# and go on, what saves a row must be no repeat, and versions must be counted on.  Only the history of a table that
# is gone stays behind.

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
CREATE ROLE keeper;
GRANT CREATE ON SCHEMA public TO keeper;
SELECT idem.grant_admin('keeper');
SET ROLE keeper;
SELECT idem.define_machine('m', E'stateDiagram-v2\n[*] --> a\na --> c : go\nc --> [*]');
SELECT idem.define_machine('m', E'stateDiagram-v2\n[*] --> a\na --> b : go\nb --> c : go\nc --> [*]', loosen => 'two steps');
SELECT idem.define_machine('m', E'stateDiagram-v2\n[*] --> a\na --> b : go\nb --> c : go\nc --> c : again\nc --> [*]', loosen => 'more');
CREATE TABLE plain (gone int, id int PRIMARY KEY, status text, note text, ref text);
ALTER TABLE plain DROP gone;
SELECT idem.guard_states('plain', 'status', 'm', actor => 'app.user');
INSERT INTO plain SELECT i, 'a' FROM generate_series(1, 3) i;
ALTER TABLE plain ADD later text;
UPDATE plain SET status = 'b' WHERE id > 1;
UPDATE plain SET status = 'c' WHERE id > 2;
CREATE TABLE parts (id int, status text, PRIMARY KEY (id, status)) PARTITION BY LIST (status);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN ('a', 'b');
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN ('c');
SELECT idem.guard_states('parts', 'status', 'm', delete => 'final');
INSERT INTO parts VALUES (1, 'a');
CREATE TABLE gone (id int PRIMARY KEY, status text);
SELECT idem.guard_states('gone', 'status', 'm', delete => 'any');
INSERT INTO gone VALUES (1, 'a');
DELETE FROM gone;
SQL

my $rows = 'SELECT id, status, note FROM plain UNION ALL SELECT id, status, NULL FROM parts ORDER BY 1, 2';
my $log = 'SELECT relation, key, state_column, n, from_state, to_state, event, at, transaction FROM idem.transition_log ORDER BY relation::text, key, state_column, n';
my $triggers = 'SELECT tgrelid::regclass, tgname, tgenabled, tgargs FROM pg_trigger WHERE NOT tgisinternal AND tgname ~ $$^idem_(kept_)?states$$ ORDER BY tgrelid::regclass::text, tgname';
# Of a table that was dropped the log has only an OID left.  In another database
# that may be the OID of another table, whose history must not be mixed with it.
my $stale = q{SELECT count(*) FROM idem.transition_log WHERE relation::text ~ '^[0-9]+$'};
$node->safe_psql('postgres', 'DROP TABLE gone');
is($node->safe_psql('postgres', $stale), '2', 'history of a dropped table stays');
$log =~ s/ORDER BY/WHERE relation::text !~ '^[0-9]+\$' ORDER BY/;
my %was = map { $_ => $node->safe_psql('postgres', $_) } ($rows, $log, $triggers);

my $dir = $node->backup_dir;
mkdir $dir;
my %restore = (
	plain => [ [], [ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-f' ] ],
	custom => [ ['--format=custom'], [ 'pg_restore', '--exit-on-error' ] ]);

foreach my $format (sort keys %restore)
{
	my ($options, $command) = @{ $restore{$format} };
	my $file = "$dir/$format";

	$node->command_ok([ 'pg_dump', @$options, '-f', $file, 'postgres' ],
		"$format: dumped");
	$node->safe_psql('postgres', "CREATE DATABASE $format TEMPLATE template0");
	$node->command_ok([ @$command, $format eq 'custom' ? ('-d', $format, $file) : ($file, $format) ],
		"$format: restored");

	is($node->safe_psql($format, $_), $was{$_}, "$format: $_") foreach ($rows, $log, $triggers);
	is($node->safe_psql($format, $stale), '0', "$format: history of a dropped table is left behind");
	foreach my $case (
		[ q{INSERT INTO plain VALUES (9, 'b')}, '23I02' ],
		[ q{UPDATE plain SET status = 'c' WHERE id = 1}, '23I01' ],
		[ q{UPDATE plain SET status = 'a' WHERE id = 3}, '23I03' ],
		[ q{UPDATE plain SET status = 'b' WHERE id = 2}, '23I04' ],
		[ q{DELETE FROM plain WHERE id = 3}, '23I08' ],
		[ q{TRUNCATE parts_1}, '23I08' ],
		[ q{UPDATE parts SET status = 'c'}, '23I01' ])
	{
		my ($ret, $out, $err) = $node->psql($format, "\\set VERBOSITY sqlstate\n$case->[0]");
		like($err, qr/ERROR:  $case->[1]/, "$format: $case->[0]");
	}
	# first day 2: the numbers of the columns are others here, a save is the same
	foreach my $database ('postgres', $format)
	{
		my ($ret, $out, $err) = $node->psql($database,
			q{BEGIN; UPDATE plain SET status = 'b', note = 'n', ref = 'r' WHERE id = 2 RETURNING id; ROLLBACK});
		is($out . $err, '2', "$format: a row is saved in $database");
		($ret, $out, $err) = $node->psql($database,
			q{BEGIN; UPDATE plain SET status = 'b', ref = 'r', later = 'l' WHERE id = 2});
		like($err, qr/already in state/, "$format: a repeat is refused in $database");
	}
	is($node->safe_psql($format, q{SELECT version FROM idem.define_machine('m',
		E'stateDiagram-v2\n[*] --> a\na --> b : go\nb --> c : go\nc --> [*]', tighten => 'x')}),
		'4', "$format: versions are counted on");
	is($node->safe_psql($format, q{SELECT outcome FROM idem.transition('plain', '2', 'c');
		SELECT outcome FROM idem.transition('plain', '2', 'b');
		SELECT string_agg(to_state, ',') FROM idem.history('plain', '2')}),
		"applied\npassed\na,b,c", "$format: history goes on");
}

$node->stop;
done_testing();
