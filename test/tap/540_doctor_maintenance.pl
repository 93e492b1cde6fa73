# A database owner's dump, a crash after a refused SET UNLOGGED, and a
# publication of all tables.  Wounds 11, 11b and 25.
#
# An owner who is no superuser dumps a database with guards, scopes and
# claims: with idem.grant_admin, and not without.  The dump is restored and
# knows its keys.  SET UNLOGGED of a guarded table and of one of idem's is
# refused before anything is written anew, so that a crash right after it
# leaves a server that starts (a rolled-back SET UNLOGGED does not).  The crash
# is an immediate shutdown, after which the server recovers as after kill -9.  With a
# publication FOR ALL TABLES everything of idem works, and what it writes
# arrives at a subscriber that has the extension.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 'logical');
$node->start;
$node->safe_psql('postgres', q{
	CREATE ROLE shop_owner LOGIN;
	CREATE DATABASE shop OWNER shop_owner;
	CREATE DATABASE restored;
	CREATE DATABASE copy});
$node->safe_psql('shop', q{
	CREATE EXTENSION idem;
	SELECT idem.create_scope('pay', effect => 'inside', fields => '{}');
	SELECT idem.create_scope('out', effect => 'outside', fields => '{}');
	CREATE SCHEMA app AUTHORIZATION shop_owner;
	SET ROLE shop_owner;
	CREATE TABLE app.payment (id int PRIMARY KEY, status text, amount int);
	RESET ROLE;
	SELECT idem.define_machine('m', E'stateDiagram-v2\n[*] --> a\na --> b\nb --> [*]');
	SELECT idem.guard_states('app.payment', 'status', 'm');
	SET ROLE shop_owner;
	SELECT idem.guard_fixed('app.payment', '{amount}');
	INSERT INTO app.payment VALUES (1, 'a', 10);
	UPDATE app.payment SET status = 'b';
	RESET ROLE;
	SELECT idem.claim('pay', 'k1');
	SELECT idem.reserve('out', 'k1')});

#
# pg_dump by the owner
#
my $dump = $node->backup_dir . '/owner.sql';
mkdir $node->backup_dir;
my @dump = ('pg_dump', '-U', 'shop_owner', '-f', $dump, '-d', $node->connstr('shop'));
command_fails_like(\@dump, qr/permission denied for table/,
	'an owner without grant_admin cannot read the tables of idem');
$node->safe_psql('shop', q{SELECT idem.grant_admin('shop_owner')});
command_ok(\@dump, 'with grant_admin an owner dumps the database');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ],
	'and the dump is restored');
is( $node->safe_psql('restored', q{SELECT outcome FROM idem.claim('pay', 'k1')}),
	'replayed', 'with its keys');
my $log = q{SELECT n, action, kind, name, relation FROM idem.change_log ORDER BY n};
is($node->safe_psql('restored', $log), $node->safe_psql('shop', $log),
	'and its change log');
is( $node->safe_psql('restored', q{SELECT object, finding FROM idem.doctor() WHERE object ~ ' guard | idem\.'}),
	'', 'and nothing to find');
is( $node->safe_psql('shop', q{
		SET ROLE shop_owner;
		SELECT count(*) FROM pg_sequences WHERE schemaname = 'idem'}),
	0, 'idem has no sequence whose last value would have to be dumped');

#
# SET UNLOGGED and a crash
#
foreach my $table ('app.payment', 'idem.anchor', 'idem.reservation')
{
	my ($status, $out, $err) = $node->psql('shop', "ALTER TABLE $table SET UNLOGGED");
	like($err, qr/cannot (change|make) table .*/, "SET UNLOGGED of $table is refused");
}
$node->stop('immediate');
is($node->start(fail_ok => 1), 1, 'the server starts after a crash');
is( $node->safe_psql('shop', q{SELECT outcome FROM idem.claim('pay', 'k1')}),
	'replayed', 'the key is not granted again');

#
# A publication of all tables, and a subscriber
#
$node->safe_psql('shop', q{
	CREATE PUBLICATION everything FOR ALL TABLES;
	SELECT pg_create_logical_replication_slot('everything', 'pgoutput')});
command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('shop') ], 'a dump for the subscriber');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('copy') ],
	'the subscriber begins with it');
$node->safe_psql('copy', "CREATE SUBSCRIPTION everything CONNECTION '" . $node->connstr . ' dbname=shop'
	  . "' PUBLICATION everything WITH (create_slot = false, copy_data = false)");
$node->safe_psql('shop', q{
	SELECT idem.claim('pay', 'k2');
	SELECT idem.fence('out', 'k1', 'a test');
	SELECT idem.alter_scope('pay', keep => '1 year', force => 'a test');
	INSERT INTO app.payment VALUES (2, 'a', 20);
	UPDATE app.payment SET status = 'b' WHERE id = 2;
	ALTER SCHEMA app RENAME TO app2;
	ALTER SCHEMA app2 RENAME TO app;
	SELECT idem.drop_guard('app.payment', 'fixed', reason => 'a test')});
$node->wait_for_catchup('everything');
is( $node->safe_psql('copy', q{
		SELECT outcome FROM idem.claim('pay', 'k2') UNION ALL
		SELECT outcome FROM idem.lookup('out', 'k1')}),
	"replayed\nfenced", 'keys are known at the subscriber');
foreach my $query (
	q{SELECT n, action, kind, name FROM idem.change WHERE table_name = 'payment' ORDER BY n},
	q{SELECT key, n, to_state FROM idem.transition_log ORDER BY key, n},
	q{SELECT name, keep FROM idem.scope ORDER BY name})
{
	is($node->safe_psql('copy', $query), $node->safe_psql('shop', $query),
		"arrived: $query");
}
$node->safe_psql('copy', 'ALTER SUBSCRIPTION everything DISABLE; ALTER SUBSCRIPTION everything SET (slot_name = NONE); DROP SUBSCRIPTION everything');

$node->stop;
done_testing();
