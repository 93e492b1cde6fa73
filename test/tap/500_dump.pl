# Guards survive a dump, and leave with the extension.
#
# A whole dump, in plain text and in the custom format, is restored into a new
# database of the same cluster: every guard is there, fires always and
# refuses, and the change log tells who declared it.  A restore with
# --disable-triggers turns ALWAYS into ENABLE without a word: the doctor finds
# it, and its remedies mend it.  DROP EXTENSION is refused while a table has a
# guard; with CASCADE no trigger of ours is left behind.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# What psql prints for a query: rows only, unaligned.
sub rows
{
	my ($node, $database, $query) = @_;

	return $node->safe_psql($database, $query);
}

# The SQLSTATE that a statement is refused with, or 'passes'.
sub refusal
{
	my ($node, $database, $statement) = @_;
	my ($status, $out, $err) = $node->psql($database, $statement,
		extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);

	return 'passes' if $status == 0;
	return $err =~ /ERROR:\s+(\w{5})/ ? $1 : $err;
}

# Every trigger of ours, with everything that makes it guard.
my $triggers = q{
	SELECT t.relation, t.name, t.mode, t.is_clone, t.settings, g.intact
	FROM idem.guard_triggers t LEFT JOIN idem.guards g USING (relation, kind, name)
	ORDER BY t.relation::text COLLATE "C", t.name};
my $log = q{
	SELECT n, at, role, action, kind, relation, name, arguments, reason, guard
	FROM idem.change_log WHERE table_schema = 'shop' ORDER BY n, name};
my $findings = q{
	SELECT * FROM idem.doctor()
	WHERE object NOT LIKE 'setting %' AND finding NOT LIKE 'looks like %' AND finding NOT LIKE 'holds amounts %'};

# Each must be refused, in the first database and in every copy of it.
my %refused = (
	'23I01' => [q{UPDATE shop.trade SET status = 'created'}],
	'23I02' => [q{INSERT INTO shop.trade VALUES (2, 1, 'paid')}],
	'23I05' => [q{INSERT INTO shop.refund VALUES (2, 1, 41)}],
	'23I07' => [
		q{UPDATE shop.trade SET refunded = 0},
		q{UPDATE shop.payment SET amount = 100.00},
		q{UPDATE shop."Odd, ""Payment""" SET "Odd, ""name""" = 2},
		q{UPDATE shop.split SET amount = 0, part = 2},
	],
	'23I08' => [
		q{DELETE FROM shop.refund},
		q{TRUNCATE shop.refund},
		q{TRUNCATE shop.trade CASCADE},
		q{UPDATE shop.journal SET amount = 0},
		q{DELETE FROM shop.journal_1},
		q{TRUNCATE shop.journal_1},
		q{TRUNCATE shop.journal},
	]);

sub refuses_all
{
	my ($node, $database, $when) = @_;

	foreach my $code (sort keys %refused)
	{
		foreach my $statement (@{ $refused{$code} })
		{
			foreach my $role ('origin', 'replica')
			{
				is( refusal($node, $database,
						"SET session_replication_role = $role; $statement"),
					$code, "$when, $role: $statement");
			}
		}
	}
	return;
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE shop_owner');
$node->safe_psql('postgres', 'CREATE DATABASE origin');
$node->safe_psql('origin', q{
	CREATE EXTENSION idem;
	SELECT idem.grant_admin('shop_owner');
	CREATE SCHEMA shop AUTHORIZATION shop_owner;
	SET ROLE shop_owner;
	CREATE TABLE shop.payment (id int PRIMARY KEY, amount numeric, bank_no text);
	CREATE TABLE shop."Odd, ""Payment""" (id int PRIMARY KEY, "Odd, ""name""" int);
	CREATE TABLE shop.split (id int, part int, amount int) PARTITION BY LIST (part);
	CREATE TABLE shop.split_1 PARTITION OF shop.split FOR VALUES IN (1);
	CREATE TABLE shop.split_2 PARTITION OF shop.split FOR VALUES IN (2);
	CREATE TABLE shop.journal (id int, part int, amount int) PARTITION BY LIST (part);
	CREATE TABLE shop.journal_1 PARTITION OF shop.journal FOR VALUES IN (1);
	SELECT idem.guard_fixed('shop.payment', '{amount}', once => '{bank_no}');
	SELECT idem.guard_fixed('shop."Odd, ""Payment"""', ARRAY['Odd, "name"']);
	SELECT idem.guard_fixed('shop.split', '{amount}');
	SELECT idem.guard_kept('shop.journal');
	SELECT idem.guard_kept('shop.payment');
	SELECT idem.drop_guard('shop.payment', 'kept', reason => 'payments change');
	SELECT idem.define_machine('trade', '
stateDiagram-v2
    [*] --> created
    created --> paid
    paid --> settled
    settled --> [*]
');
	CREATE TABLE shop.trade (id int PRIMARY KEY, amount int NOT NULL, status text);
	CREATE TABLE shop.refund (id int PRIMARY KEY, trade int NOT NULL REFERENCES shop.trade, amount int NOT NULL);
	SELECT idem.guard_states('shop.trade', 'status', 'trade');
	SELECT idem.guard_limit('shop.refund', 'trade', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
	INSERT INTO shop.trade VALUES (1, 100, 'created');
	UPDATE shop.trade SET status = 'paid';
	INSERT INTO shop.refund VALUES (1, 1, 60);
	CREATE TABLE shop.gone (id int);
	SELECT idem.guard_kept('shop.gone');
	DROP TABLE shop.gone;
	INSERT INTO shop.payment VALUES (1, 100.0, NULL);
	INSERT INTO shop."Odd, ""Payment""" VALUES (1, 1);
	INSERT INTO shop.split VALUES (1, 1, 10);
	INSERT INTO shop.journal VALUES (1, 1, 10);
});
is(rows($node, 'origin', $findings), '', 'nothing to find at the origin');
refuses_all($node, 'origin', 'at the origin');

#
# Whole dumps
#
my $dump = $node->backup_dir . '/idem';
mkdir $node->backup_dir;
command_ok([ 'pg_dump', '-f', "$dump.sql", '-d', $node->connstr('origin') ],
	'plain dump');
command_ok(
	[ 'pg_dump', '-Fc', '-f', "$dump.custom", '-d', $node->connstr('origin') ],
	'custom dump');

$node->safe_psql('postgres', 'CREATE DATABASE plain');
command_ok(
	[
		'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dump.sql",
		'-d', $node->connstr('plain')
	],
	'plain restore');
$node->safe_psql('postgres', 'CREATE DATABASE custom');
command_ok(
	[ 'pg_restore', '-e', '-d', $node->connstr('custom'), "$dump.custom" ],
	'custom restore');

foreach my $copy ('plain', 'custom')
{
	is(rows($node, $copy, $triggers), rows($node, 'origin', $triggers),
		"$copy: the triggers are the same");
	is(rows($node, $copy, $log), rows($node, 'origin', $log),
		"$copy: the change log of what is there is the same");
	is( rows(
			$node, $copy,
			q{SELECT count(*) FROM idem.change_log
			  WHERE name = 'idem_kept' AND action = 'declared' AND relation IS NOT NULL}),
		1,
		"$copy: no word about a guard that is gone meets a table");
	is(rows($node, $copy, $findings), '', "$copy: nothing to find");
	refuses_all($node, $copy, $copy);
	is( refusal($node, $copy,
			q{SELECT idem.guard_fixed('shop.journal', '{amount}')}),
		'passes', "$copy: the change log goes on after its last number");
}

#
# A restore that switches triggers off for the data
#
$node->safe_psql('postgres', 'CREATE DATABASE data');
command_ok(
	[
		'pg_restore', '-e', '--section=pre-data', '--section=post-data',
		'-d', $node->connstr('data'), "$dump.custom"
	],
	'restore of the definitions');
my @restore_data = (
	'pg_restore', '-e', '--section=data', '--disable-triggers',
	'-d', $node->connstr('data'), "$dump.custom");
command_fails_like(\@restore_data,
	qr/cannot run ALTER TABLE: (it would weaken|table ".*" belongs to) /,
	'a restore of the data with --disable-triggers is refused');
$node->safe_psql('postgres', 'DROP DATABASE data');
$node->safe_psql('postgres', 'CREATE DATABASE data');
command_ok(
	[
		'pg_restore', '-e', '--section=pre-data', '--section=post-data',
		'-d', $node->connstr('data'), "$dump.custom"
	],
	'restore of the definitions once more');
{
	local $ENV{PGOPTIONS} = q{-c idem.allow_unguarded=restore\ of\ 2026-11-22};
	command_ok(\@restore_data, 'and passes with a reason');
}
isnt(rows($node, 'data', $findings), '', 'the doctor sees what it did');
is( rows(
		$node, 'data',
		q{SELECT DISTINCT problem FROM idem.guard_problems
		  WHERE problem NOT LIKE 'trigger does not fire always on %'
		    AND problem NOT LIKE '% can be truncated%'}),
	'', 'ALWAYS was lost, nothing else');
like(rows($node, 'data', $findings),
	qr/allowed by idem.allow_unguarded: restore of 2026-11-22/,
	'the doctor says why');
$node->safe_psql('data', 'SELECT idem.rearm()');
is(rows($node, 'data', 'SELECT * FROM idem.rearm()'), '', 'once is enough');
is(rows($node, 'data', $findings), '', 'idem.rearm() mends it');
refuses_all($node, 'data', 'after the remedies');

#
# DROP EXTENSION
#
is(refusal($node, 'origin', 'DROP EXTENSION idem'),
	'2BP01', 'DROP EXTENSION is refused while there are guards');
is(refusal($node, 'origin', 'DROP SCHEMA idem CASCADE'),
	'2BP01', 'and so is DROP SCHEMA');
refuses_all($node, 'origin', 'after the refusal');
is(refusal($node, 'origin', 'DROP EXTENSION idem CASCADE'),
	'2BP01', 'and CASCADE while there is history');
$node->safe_psql('origin', q{
	SET idem.allow_unguarded = 'end of the test';
	DROP EXTENSION idem CASCADE});
is( rows(
		$node, 'origin',
		q{SELECT tgrelid::regclass, tgname FROM pg_trigger
		  WHERE NOT tgisinternal}),
	'', 'CASCADE leaves no trigger behind');
is( rows(
		$node, 'origin',
		q{SELECT tgname FROM pg_trigger t
		  WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = t.tgfoid)}),
	'', 'and none that points nowhere');
is( refusal($node, 'origin',
		'UPDATE shop.payment SET amount = 1; TRUNCATE shop.journal, shop.refund'),
	'passes', 'the tables are ordinary ones again');
is(refusal($node, 'origin', 'CREATE EXTENSION idem'),
	'passes', 'and idem can come back');

$node->stop;
done_testing();
