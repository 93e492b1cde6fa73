# Amounts, and what users build on them, survive dump and restore and
# pg_upgrade.
#
# A trigger condition, a view and a generated column use operators that SQL
# finds by itself (IS DISTINCT FROM, NULLIF, CASE x WHEN): a dump is restored
# with an empty search_path, so they have to be found in pg_catalog.
#
# pg_upgrade makes the members of an extension one by one from the catalog
# instead of running its script; what it would lose shows in a comparison of
# the operator families before and after.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = PostgreSQL::Test::Cluster->new('old');
$old->init;
$old->start;
$old->safe_psql('postgres', q{
	CREATE EXTENSION idem;
	INSERT INTO idem.currency (code, minor_units, name) VALUES ('POINTS', 0, 'loyalty points');
	CREATE TABLE payment (
		id int PRIMARY KEY,
		amount money_micro(2) CHECK (amount > 0),
		fee money_micro GENERATED ALWAYS AS (idem.multiply(amount, 0.029, 2, 'half_even')) STORED,
		tier money_micro_range DEFAULT '[0,100]' CHECK (NOT isempty(tier)),
		note text GENERATED ALWAYS AS (CASE amount WHEN '1' THEN 'one' ELSE amount::numeric::text END) STORED
	);
	CREATE INDEX payment_amount ON payment (amount) WHERE amount IS DISTINCT FROM '5';
	CREATE INDEX payment_tier ON payment USING gist (tier);
	CREATE INDEX payment_blocks ON payment USING brin (amount money_micro_minmax_multi_ops, fee money_micro_bloom_ops);
	CREATE VIEW payment_sums AS
		SELECT idem.sum(amount, 'EUR') AS amount, idem.sum(fee, 'EUR') AS fee,
			idem.allocate(sum(amount), '{1,1,1}', 2) AS parts, range_agg(tier) AS tiers FROM payment WHERE id < 1001;
	CREATE VIEW payment_view AS
		SELECT id, NULLIF(amount, '0') AS amount, idem.to_minor(amount, 'POINTS') AS points FROM payment;
	CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN RAISE EXCEPTION 'amount changed from % to %', OLD.amount, NEW.amount; END$$;
	CREATE TRIGGER tell AFTER UPDATE ON payment FOR EACH ROW
		WHEN (OLD.amount IS DISTINCT FROM NEW.amount) EXECUTE FUNCTION tell();
	INSERT INTO payment SELECT i, idem.from_major(i) FROM generate_series(1, 1000) AS i;
	INSERT INTO payment VALUES (1001, '2305843009213.69');
});

# What has to be the same afterwards.
my %same = (
	'rows' => q{SELECT md5(string_agg(payment::text, ',' ORDER BY id)) FROM payment},
	'columns' => q{SELECT format_type(atttypid, atttypmod) FROM pg_attribute
		WHERE attrelid = 'payment'::regclass AND attname = 'amount'},
	'view' => q{SELECT sum(amount), sum(points) FROM payment_view WHERE id < 1001},
	'sums' => q{SELECT * FROM payment_sums},
	'rounding modes' => q{SELECT enumlabel, enumsortorder FROM pg_enum WHERE enumtypid = 'idem.rounding_mode'::regtype ORDER BY 2},
	'range' => q{SELECT (SELECT opcname FROM pg_opclass WHERE oid = rngsubopc), rngcanonical, rngsubdiff, rngmultitypid::regtype FROM pg_range WHERE rngtypid = 'money_micro_range'::regtype},
	'currencies' => q{SELECT count(*), count(*) FILTER (WHERE NOT builtin), idem.from_minor(5, 'POINTS') FROM idem.currency},
	'operator families' => q{
		SELECT amname, opfname, amoplefttype::regtype, amoprighttype::regtype, amopstrategy, amopopr::regoperator
		FROM pg_amop JOIN pg_opfamily AS f ON f.oid = amopfamily JOIN pg_am AS a ON a.oid = amopmethod
		WHERE opfname LIKE 'money%' OR 'money_micro'::regtype IN (amoplefttype, amoprighttype) ORDER BY 1, 2, 3, 4, 5},
	'support functions' => q{
		SELECT amname, opfname, amproclefttype::regtype, amprocrighttype::regtype, amprocnum, amproc
		FROM pg_amproc JOIN pg_opfamily AS f ON f.oid = amprocfamily JOIN pg_am AS a ON a.oid = opfmethod
		WHERE opfname LIKE 'money%' OR 'money_micro'::regtype IN (amproclefttype, amprocrighttype) ORDER BY 1, 2, 3, 4, 5},
	'functions' => q{
		SELECT p.oid::regprocedure, provolatile, proisstrict, proparallel, proleakproof
		FROM pg_proc AS p WHERE ARRAY['money_micro', 'money_micro_range', 'idem.money_micro_multirange']::regtype[]::oid[] && (prorettype || proargtypes::oid[])
		ORDER BY p.oid::regprocedure::text COLLATE "C"},
	'casts' => q{SELECT castsource::regtype, casttarget::regtype, castcontext, castmethod FROM pg_cast
		WHERE 'money_micro'::regtype IN (castsource, casttarget) ORDER BY 1::text, 2::text COLLATE "C"});
$same{casts} =~ s/ORDER BY .*/ORDER BY castsource::regtype::text, casttarget::regtype::text/;

my %before;
$before{$_} = $old->safe_psql('postgres', $same{$_}) foreach keys %same;
like($before{currencies}, qr/^182\|1\|5\.00$/, 'one currency is the user\'s');

# The guard on the amount: alive, and quiet where the amount is the same.
sub check_database
{
	my ($node, $database, $what) = @_;
	my ($status, $out, $err);

	is($node->safe_psql($database, $same{$_}), $before{$_}, "$_ after $what")
	  foreach sort keys %same;

	($status, $out, $err) =
	  $node->psql($database, q{UPDATE payment SET amount = '1.00' WHERE id = 1});
	is($status, 0, "same amount may be written after $what");
	($status, $out, $err) =
	  $node->psql($database, q{UPDATE payment SET amount = '1.01' WHERE id = 1});
	like($err, qr/amount changed from 1\.00 to 1\.01/, "trigger condition fires after $what");
	like(
		$node->safe_psql($database, q{SET enable_seqscan = off; SET enable_bitmapscan = off;
			EXPLAIN SELECT * FROM payment WHERE amount = 7.0 AND amount IS DISTINCT FROM '5'}),
		qr/Index Scan using payment_amount/,
		"index answers a comparison with numeric after $what");
	return;
}

# Dump and restore.
my $dump = $old->backup_dir . '/money.sql';
$old->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'pg_dump', '-d', $old->connstr('postgres'), '-f', $dump ], 'dump');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $old->connstr('restored'), '-f', $dump ], 'restore');
check_database($old, 'restored', 'restore');

# pg_upgrade, to a server of the same version.
my $bindir = $old->config_data('--bindir');
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
$old->stop;
chdir($PostgreSQL::Test::Utils::tmp_check);
command_ok(
	[
		'pg_upgrade', '--no-sync',
		'-b', $bindir, '-B', $bindir,
		'-d', $old->data_dir, '-D', $new->data_dir,
		'-s', $new->host, '-p', $old->port, '-P', $new->port
	],
	'pg_upgrade');
$new->start;
check_database($new, 'postgres', 'pg_upgrade');
$new->stop;

done_testing();
