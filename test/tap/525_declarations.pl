# A database that was made from a dump of the schema, and the script of
# idem.declarations() (first day 16).
#
# pg_dump --schema-only brings tables and the triggers of guards, and no rows:
# neither machines nor scopes, so that the first INSERT into a guarded table
# fails.  After the script everything is as where the dump came from.  Other
# tools that keep a schema (schema.rb, migrations made from a model) leave
# triggers out: there the script declares the guards anew.  Each is tried by
# the owner of the database, whom idem.grant_admin lets dump and run it.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

# What psql says to a script, as a role, or as who made the cluster
sub run_script
{
	my ($database, $role, $script) = @_;
	my ($out, $err);

	my $ok = IPC::Run::run(
		[
			'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d',
			$node->connstr($database) . ($role ? " user=$role" : '')
		],
		'<', \$script, '>', \$out, '2>', \$err);
	return ($ok, $err);
}

# The script, as a user writes it
sub declarations
{
	my ($database) = @_;
	my ($out, $err);

	IPC::Run::run(
		[
			'psql', '-X', '-Atc', 'SELECT idem.declarations()', '-d',
			$node->connstr($database) . ' user=shop'
		],
		'>', \$out, '2>', \$err)
	  or die $err;
	return $out;
}

sub schema_of
{
	my ($database) = @_;
	my ($out, $err);

	IPC::Run::run(
		[ 'pg_dump', '--schema-only', '-d', $node->connstr($database) . ' user=shop' ],
		'>', \$out, '2>', \$err)
	  or die $err;
	return $out;
}

# An empty database of the shop's, with idem, whose admin it is
sub create_database
{
	my ($database, $extension) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database OWNER shop");
	$node->safe_psql($database, 'CREATE EXTENSION idem') if $extension;
	$node->safe_psql($database, "SELECT idem.grant_admin('shop')") if $extension;
	return;
}

# SQLSTATE of a statement, as the owner
sub said
{
	my ($database, $sql) = @_;
	my ($ok, $err) = run_script($database, 'shop', "\\set VERBOSITY sqlstate\n$sql;");

	return $ok ? '00000' : $err =~ /ERROR:  (\w+)/ ? $1 : $err;
}

my $insert = q{INSERT INTO payment (id, amount, status, message) VALUES (1, 100.00, 'created', 'm')};
my $claimed = qq{BEGIN; SELECT FROM idem.claim('debit', 'm', '{}'); $insert; COMMIT};

# What a database has to do that was declared whole
sub check_guards
{
	my ($database, $what) = @_;

	is(said($database, $insert), '23I0A', "$what: no row without its claim");
	is(said($database, $claimed), '00000', "$what: a row with it");
	is(said($database, q{UPDATE payment SET status = 'paid'}), '23I01', "$what: states are kept");
	is(said($database, q{INSERT INTO refund VALUES (1, 1, 60.00, 'asked')}), '00000', "$what: a refund");
	is(said($database, q{INSERT INTO refund VALUES (2, 1, 60.00, 'asked')}), '23I05', "$what: the limit is kept");
	is(said($database, q{UPDATE payment SET amount = 200.00}), '23I07', "$what: amounts are fixed");
	is(said($database, q{INSERT INTO event VALUES ('2018-07-18'); DELETE FROM event}), '23I08', "$what: rows are kept");
	is($node->safe_psql($database, 'SELECT kind, relation, problem FROM idem.guards WHERE NOT intact'),
		'', "$what: each guard is whole");
	is($node->safe_psql($database,
			q{SELECT object, finding FROM idem.doctor() WHERE object !~ '^(setting|role) |^this database$'}),
		'', "$what: the doctor finds nothing");
	is(declarations($database), declarations('source'), "$what: says the same of itself");
	return;
}

# ------------------------------------------------------------ where it comes from

$node->safe_psql('postgres', 'CREATE ROLE shop LOGIN; CREATE ROLE app LOGIN');
create_database('source', 1);
my ($made, $why) = run_script('source', 'shop', q{
CREATE TABLE payment (id bigint PRIMARY KEY, amount money_micro NOT NULL, status text NOT NULL, message text NOT NULL);
CREATE TABLE refund (id bigint PRIMARY KEY, payment_id bigint NOT NULL REFERENCES payment, amount money_micro NOT NULL, status text NOT NULL);
CREATE TABLE event (day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE event_2018 PARTITION OF event FOR VALUES FROM ('2018-01-01') TO ('2019-01-01');
SELECT FROM idem.define_machine('payment', E'stateDiagram-v2\n[*] --> created\n%% it\\'s the owner who pays\ncreated --> paying\npaying --> paid\npaid --> [*]');
SELECT FROM idem.define_return_codes('bank/pay', E'| code | meaning |\n| --- | --- |\n| 0000 | succeeded |\n| 0001 | failed |');
SELECT FROM idem.define_return_codes('bank/ask', E'| code | meaning |\n| --- | --- |\n| 0000 | succeeded |\n| 0004 | absent |');
SELECT idem.create_calendar('bank', 'Asia/Shanghai', cut => '22:00', weekend => '{6,7}');
SELECT idem.add_closure('bank', '[2100-01-01 00:00+08,2100-01-02 00:00+08)', 'new year');
SELECT idem.create_channel('bank', send => 'bank/pay', inquire => 'bank/ask', echo => '{amount}', serial => 'S{seq:8}', serial_per => 'attempt', calendar => 'bank');
SELECT idem.create_scope('debit', effect => 'inside', fields => '{}');
SELECT idem.create_scope('payout', effect => 'outside', fields => '{amount}', channels => '{bank}', lease => '90 s', ladder => '{1s,1h}');
SELECT idem.guard_states('payment', 'status', 'payment');
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', state => 'status', released => '{failed}');
SELECT idem.guard_fixed('payment', '{amount}');
SELECT idem.guard_kept('event');
SELECT idem.guard_claimed('payment', key => '{message}', scope => 'debit');
SELECT idem.grant_runtime('app', '{debit}');
SELECT idem.grant_runtime('shop');
});
ok($made, 'the schema is declared') or diag($why);
# a version that was loosened is declared as it is now
$node->safe_psql('source', q{SELECT FROM idem.define_machine('payment',
	E'stateDiagram-v2\n[*] --> created\n%% it\\'s the owner who pays\ncreated --> paying\npaying --> paid\npaying --> failed\npaid --> [*]\nfailed --> [*]', loosen => 'a bank says no')});
my $schema = schema_of('source');
my $script = declarations('source');
like($script, qr/failed/, 'the script has the version in force');

# ------------------------------------------------- a dump of the schema, restored

create_database('restored', 0);
my ($ok, $err) = run_script('restored', undef, $schema);
ok($ok, 'the dump is restored') or diag($err);
$node->safe_psql('restored', "SELECT idem.grant_admin('shop')");
isnt(said('restored', $insert), '00000', 'without the script nothing can be written');
($ok, $err) = run_script('restored', 'shop', $script);
ok($ok, 'the owner runs the script') or diag($err);
like($err, qr/NOTICE:  guard "idem_states_status" already exists/, 'the guards are there already');
check_guards('restored', 'restored');
($ok, $err) = run_script('restored', 'shop', $script);
ok($ok, 'once more is no error') or diag($err);

# ------------------------------------------------------- a schema without triggers

create_database('bare', 1);
(my $bare = $schema) =~ s/^CREATE (CONSTRAINT )?TRIGGER .*?;\n|^ALTER TABLE [^;]* ENABLE ALWAYS TRIGGER [^;]*;\n//gms;
$bare =~ s/^CREATE EXTENSION [^;]*;|^COMMENT ON EXTENSION [^;]*;|^(GRANT|REVOKE|ALTER DEFAULT) [^;]* (idem|SCHEMA idem)\b[^;]*;//gm;
($ok, $err) = run_script('bare', undef, $bare);
ok($ok, 'the schema is loaded without triggers') or diag($err);
is($node->safe_psql('bare', 'SELECT count(*) FROM idem.guards'), '0', 'no guard came with it');
($ok, $err) = run_script('bare', 'shop', $script);
ok($ok, 'the owner runs the script') or diag($err);
check_guards('bare', 'bare');

$node->stop;
done_testing();
