# Guards where rows come from elsewhere, and where the extension itself does.
#
# Logical replication of guarded tables in both directions, each with its own
# publication and subscription: what a session writes on either side is judged
# there, what the apply worker brings was judged at its origin, DDL is refused
# on both sides.  A physical standby has every guard, and keeps it when it is
# promoted.  The install script does not take over what somebody made before
# it ran, and ALTER EXTENSION UPDATE keeps every guard and every claim.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tables = q{
	CREATE EXTENSION idem;
	CREATE TABLE payment (id int PRIMARY KEY, amount money_micro NOT NULL, currency text, status text);
	CREATE TABLE refund (id int PRIMARY KEY, payment_id int NOT NULL REFERENCES payment, amount money_micro NOT NULL);
	SELECT idem.define_machine('pay', '
stateDiagram-v2
    [*] --> created
    created --> paid
    paid --> [*]
');
	SELECT idem.guard_states('payment', 'status', 'pay');
	SELECT idem.guard_fixed('payment', '{amount}');
	SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
};
my $findings = q{
	SELECT object, finding FROM idem.doctor()
	WHERE object NOT LIKE 'setting %' AND finding NOT LIKE 'looks like %'
	  AND finding NOT LIKE '%and no site: %'};

# The SQLSTATE with which a statement is refused, or "passes".
sub refusal
{
	my ($server, $database, $statement) = @_;
	my ($status, $out, $err) = $server->psql($database, $statement,
		extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);

	return 'passes' if $status == 0;
	return $err =~ /ERROR:\s+(\w{5})/ ? $1 : $err;
}

sub guarded
{
	my ($server, $where) = @_;
	my %refused = (
		q{UPDATE payment SET status = 'created' WHERE id = 1} => '23I03',
		q{UPDATE payment SET amount = 200.00 WHERE id = 1} => '23I07',
		q{INSERT INTO refund VALUES (99, 1, 41.00)} => '23I05',
		q{DELETE FROM payment WHERE id = 1} => '23503',
		q{TRUNCATE payment, refund} => '23I08',
		q{ALTER TABLE payment DISABLE TRIGGER idem_fixed_amount} => '2BP01',
		q{SET session_replication_role = replica; ALTER TABLE payment DISABLE TRIGGER idem_fixed_amount} => '2BP01',
		q{SET session_replication_role = replica; INSERT INTO refund VALUES (99, 1, 41.00)} => '23I05');

	foreach my $statement (sort keys %refused)
	{
		is(refusal($server, 'postgres', $statement),
			$refused{$statement}, "$where: $statement");
	}
	is($server->safe_psql('postgres', $findings), '', "$where: nothing to find");
}

my @server = map {
	my $node = PostgreSQL::Test::Cluster->new($_);
	$node->init(allows_streaming => 'logical');
	$node->start;
	$node->safe_psql('postgres', $tables);
	$node
} ('east', 'west');

#
# Both directions: each publishes what it wrote itself, by its own range of
# keys, for before 16 a subscription cannot leave out what came from elsewhere.
#
foreach my $i (0, 1)
{
	$server[$i]->safe_psql('postgres', "
		CREATE PUBLICATION mine FOR TABLE payment WHERE (id % 2 = $i), refund WHERE (id % 2 = $i)");
}
foreach my $i (0, 1)
{
	$server[$i]->safe_psql('postgres',
		"CREATE SUBSCRIPTION s$i CONNECTION '"
		  . $server[ 1 - $i ]->connstr
		  . " dbname=postgres' PUBLICATION mine WITH (copy_data = false)");
}
$server[1]->safe_psql('postgres', q{
	INSERT INTO payment VALUES (1, 100.00, 'EUR', 'created');
	UPDATE payment SET status = 'paid' WHERE id = 1;
	INSERT INTO refund VALUES (1, 1, 60.00)});
$server[0]->safe_psql('postgres', q{
	INSERT INTO payment VALUES (2, 100.00, 'EUR', 'created');
	UPDATE payment SET status = 'paid' WHERE id = 2;
	INSERT INTO refund VALUES (2, 2, 30.00)});
$server[$_]->wait_for_catchup('s' . (1 - $_)) foreach (0, 1);
foreach my $node (@server)
{
	is( $node->safe_psql('postgres', 'SELECT id, status, refunded FROM payment ORDER BY id'),
		"1|paid|60.00\n2|paid|30.00",
		$node->name . ': rows and totals of both sides');
	guarded($node, $node->name);
}
$server[$_]->safe_psql('postgres', "DROP SUBSCRIPTION s$_") foreach (0, 1);

#
# A standby, and its promotion
#
my $primary = $server[0];
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $findings), '', 'the doctor works on a standby');
$primary->stop('immediate');
$standby->promote;
guarded($standby, 'promoted');

#
# The script takes over nothing that was there before it.
#
my $node = $server[1];
my $version = $node->safe_psql('postgres', q{SELECT extversion FROM pg_extension WHERE extname = 'idem'});
my %before = (
	'a schema' => 'CREATE SCHEMA idem',
	'a schema with a function that wins' =>
	  q{CREATE SCHEMA idem; CREATE FUNCTION idem.claim(varchar, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT true'},
	'an event trigger' =>
	  q{CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER idem_ddl_end ON ddl_command_end EXECUTE FUNCTION f()});
foreach my $what (sort keys %before)
{
	$node->safe_psql('postgres', 'CREATE DATABASE prepared');
	$node->safe_psql('prepared', $before{$what});
	isnt(refusal($node, 'prepared', 'CREATE EXTENSION idem'), 'passes', "$what made before: refused");
	$node->safe_psql('postgres', 'DROP DATABASE prepared');
}
# Operators, functions and tables in the path of the one who installs are not
# what the script means.
$node->safe_psql('postgres', 'CREATE DATABASE evil');
$node->safe_psql('evil', q{
	CREATE FUNCTION public.yes(text, text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'evil'; END$$;
	CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.yes);
	CREATE OPERATOR public.~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = public.yes);
	CREATE FUNCTION public.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'evil'; END$$;
	CREATE TABLE public.pg_class (oid oid);
	CREATE TABLE public.pg_trigger (oid oid);
	CREATE TYPE public.money_micro AS (a int);
	ALTER DATABASE evil SET search_path = public, pg_catalog});
is(refusal($node, 'evil', 'CREATE EXTENSION idem'), 'passes', 'installed past look-alikes');
is( $node->safe_psql('evil', q{
		SELECT count(*) FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e
			ON e.oid OPERATOR(pg_catalog.=) d.objid AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
		WHERE d.refobjid OPERATOR(pg_catalog.=) 'public'::pg_catalog.regnamespace}),
	0, 'nothing of it depends on them');
is(refusal($node, 'evil', q{SELECT * FROM idem.doctor()}), 'passes', 'and the doctor reads the catalog');

#
# ALTER EXTENSION UPDATE to a version that is not there yet: a script changes a
# function and adds one.  It may change what is refused to everybody else.  The
# ways there are, from each version to the next, are walked by 550_update.
#
my $share = `pg_config --sharedir`;
chomp $share;
SKIP:
{
	my $folder = "$share/extension";

	skip 'the folder of extension scripts is not ours to write', 14 unless -w $folder;
	my $script = "$folder/idem--$version--9.9.sql";
	append_to_file($script, q{
CREATE OR REPLACE FUNCTION idem.keep_rows() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_rows'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
CREATE FUNCTION idem.added() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
});
	my $kept = q{
		SELECT relation, name, mode, settings FROM idem.guard_triggers ORDER BY 1::text, 2;
		SELECT n, action, name FROM idem.change ORDER BY n;
		SELECT * FROM idem.anchor;
		SELECT * FROM idem.reservation};
	$node->safe_psql('postgres', q{
		SELECT idem.create_scope('in', effect => 'inside', fields => '{}');
		SELECT idem.create_scope('out', effect => 'outside', fields => '{}');
		BEGIN; SELECT idem.claim('in', 'done', '{}'); SELECT idem.complete('in', 'done', '{"n": 1}'); COMMIT;
		SELECT idem.reserve('out', 'sent', '{}');
		CALL idem.dispatch('out', 'sent', 1)});
	my $before = $node->safe_psql('postgres', $kept);
	is(refusal($node, 'postgres', q{ALTER EXTENSION idem UPDATE TO '9.9'}), 'passes', 'the extension is updated');
	unlink $script;
	is($node->safe_psql('postgres', $kept), $before, 'triggers, log and claims are as before');
	is($node->safe_psql('postgres', q{SELECT extversion, idem.added() FROM pg_extension WHERE extname = 'idem'}), '9.9|1', 'and the script has run');
	is( $node->safe_psql('postgres', q{
			SELECT outcome, response FROM idem.claim('in', 'done', '{}');
			SELECT outcome, state FROM idem.reserve('out', 'sent', '{}')}),
		qq{replayed|{"n": 1}\nin_progress|dispatched}, 'old claims are known');
	guarded($node, 'updated');
}

done_testing();
