# The ways in which a dump is restored in parts, and what becomes of guards.
#
# A single table, with idem in the new database and without; its parent left
# behind, and both together; definitions first and the data later, with and
# without --disable-triggers; in parallel; in place of what is there, with
# --clean; by an owner who is no superuser.  After each one either every guard
# refuses what it has to and idem.doctor() has nothing to say, or the doctor
# says what is not there, and what it says to do makes it so.  Whole dumps
# are in 500_dump.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $machine = q{
	SELECT idem.define_machine('pay', '
stateDiagram-v2
    [*] --> created
    created --> paid
    paid --> settled
    settled --> [*]
')};

# What must be refused wherever the guards are, by SQLSTATE.
my %refused = (
	q{UPDATE payment SET status = 'created'} => '23I01',
	q{INSERT INTO payment VALUES (2, 1, 'paid')} => '23I02',
	q{UPDATE payment SET amount = 200} => '23I07',
	q{DELETE FROM payment} => '23503',
	q{TRUNCATE payment CASCADE} => '23I08',
	q{INSERT INTO refund VALUES (2, 1, 41)} => '23I05',
	q{UPDATE payment SET refunded = 0} => '23I07',
	q{DELETE FROM refund} => '23I08');

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

sub refusal
{
	my ($database, $statement) = @_;
	my ($status, $out, $err) = $node->psql($database, $statement,
		extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);

	return 'passes' if $status == 0;
	return $err =~ /ERROR:\s+(\w{5})/ ? $1 : $err;
}

sub refuses_all
{
	my ($database, $when) = @_;
	my %got = map { $_ => refusal($database, $_) } keys %refused;

	is_deeply(\%got, \%refused, "$when: everything is refused");
	return;
}

# What the doctor says of the guards, a line each: object, finding, remedy.
sub findings
{
	my ($database) = @_;

	return $node->safe_psql($database, q{
		SELECT object, finding, remedy FROM idem.doctor()
		WHERE object LIKE '% guard %' OR object LIKE 'event trigger %'});
}

sub quiet
{
	my ($database, $when) = @_;

	is(findings($database), '', "$when: the doctor is quiet");
	refuses_all($database, $when);
	return;
}

sub new_database
{
	my ($name, $statements) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, $statements) if defined $statements;
	return;
}

my $place = $node->backup_dir;
mkdir $place;

sub dump_to
{
	my ($file, @options) = @_;

	$node->command_ok([ 'pg_dump', '-f', "$place/$file", @options, 'origin' ],
		"dumped: $file");
	return;
}

# psql goes on after errors, as it does by default; returns what it said.
sub run_script
{
	my ($database, $file) = @_;
	my ($out, $err);

	IPC::Run::run [ 'psql', '-Xq', '-f', "$place/$file", '-d', $node->connstr($database) ],
	  '>', \$out, '2>', \$err;
	return $err;
}

new_database('origin', "CREATE EXTENSION idem; $machine; " . q{
	CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL, status text);
	CREATE TABLE refund (id int PRIMARY KEY, payment_id int NOT NULL REFERENCES payment, amount int NOT NULL);
	SELECT idem.guard_states('payment', 'status', 'pay');
	SELECT idem.guard_fixed('payment', '{amount}');
	SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
	INSERT INTO payment VALUES (1, 100, 'created');
	UPDATE payment SET status = 'paid';
	INSERT INTO refund VALUES (1, 1, 60)});
quiet('origin', 'at the origin');

#
# A single table
#
dump_to('payment.sql', '-t', 'payment');
dump_to('refund.sql', '-t', 'refund');
dump_to('both.sql', '-t', 'payment', '-t', 'refund');

new_database('alone', 'CREATE EXTENSION idem');
unlike(run_script('alone', 'payment.sql'), qr/(schema|function|type) "?idem/,
	'a table alone finds the functions of its guards');
is( $node->safe_psql('alone', 'SELECT relation, kind, intact FROM idem.guards ORDER BY 2'),
	"payment|fixed|t\npayment|states|t",
	'a parent without its children has its own guards and no limit');
is(refusal('alone', q{UPDATE payment SET status = 'settled'}), '42704', 'without it no state changes');
foreach my $kind ('states guard idem_states_status', 'fixed guard idem_fixed_amount')
{
	like(findings('alone'), qr/^$kind on public\.payment\|was not declared in this database: /m,
		"the doctor says that nobody declared the $kind");
}
$node->safe_psql('alone', q{SELECT idem.rearm('payment')});
like(findings('alone'), qr/^states guard idem_states_status on public\.payment\|rows could not be looked at: state machine "pay" does not exist\|put right what it names/m,
	'the guards written down: the doctor misses the machine');
$node->safe_psql('alone', $machine);
is(findings('alone'), '', 'the machine defined: quiet');
is(refusal('alone', q{UPDATE payment SET status = 'created'}), '23I01', 'states are judged');
is(refusal('alone', q{UPDATE payment SET amount = 150}), '23I07', 'amounts are fixed');
$node->safe_psql('alone', q{
	SET idem.allow_unguarded = 'to see that it would be missed';
	DROP TRIGGER idem_fixed_amount ON payment});
like(findings('alone'), qr/^fixed guard idem_fixed_amount .* the table bears no such trigger\|/m, 'and would be missed');

# a child that comes to a parent of which nobody counted
run_script('alone', 'refund.sql');
$node->safe_psql('alone', q{SELECT idem.rearm('refund')});
like(findings('alone'), qr/^limit guard "IDEM_limit_payment_id" on public\.refund\|the parent bears no trigger of this limit\|take the guard off/m,
	'a child alone: the doctor misses the other side of its limit');
isnt(refusal('alone', 'INSERT INTO refund VALUES (2, 1, 1)'), 'passes', 'and nothing is taken meanwhile');
$node->safe_psql('alone', q{
	SELECT idem.drop_guard('refund', 'limit', name => 'IDEM_limit_payment_id', reason => 'its other side was not restored');
	SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
	SELECT idem.validate_guard('refund');
	SELECT idem.drop_guard('payment', 'fixed', name => 'idem_fixed_amount', reason => 'to declare it anew');
	SELECT idem.guard_fixed('payment', '{amount}');
	SELECT idem.rearm()});
quiet('alone', 'declared anew, as the doctor says');

new_database('pair', 'CREATE EXTENSION idem');
is(run_script('pair', 'both.sql'), '', 'both tables together come without an error');
$node->safe_psql('pair', $machine);
like(findings('pair'), qr/^limit guard .*\|was not declared in this database/m, 'both together: nobody declared them');
refuses_all('pair', 'both together, before anybody looked');
is(refusal('pair', 'SELECT idem.rearm()'), 'passes', 'written down');
quiet('pair', 'both together');

new_database('bare');
like(run_script('bare', 'both.sql'), qr/schema "idem" does not exist/, 'without idem the script says that something is missing');
is($node->safe_psql('bare', 'SELECT p.id, p.refunded, r.amount FROM payment p JOIN refund r ON true'), '1|60|60', 'the rows come');
is(refusal('bare', q{UPDATE payment SET amount = 200}), 'passes', 'without guards');
$node->safe_psql('bare', 'CREATE EXTENSION idem');
like($node->safe_psql('bare', 'SELECT * FROM idem.doctor()'), qr/column status of table public\.payment\|looks like a status and has no guard/,
	'the doctor says that nobody guards the state');

#
# Definitions first, the data later
#
dump_to('definitions.custom', '-Fc', '--schema-only');
dump_to('data.custom', '-Fc', '--data-only');
dump_to('data_untriggered.sql', '--data-only', '--disable-triggers');
new_database('later');
$node->command_ok([ 'pg_restore', '-e', '-d', 'later', "$place/definitions.custom" ], 'definitions restored');
like(findings('later'), qr/was not declared in this database/, 'definitions alone: the doctor misses the declarations');
$node->safe_psql('later', 'SELECT idem.rearm()');
like(findings('later'), qr/state machine "pay" does not exist/, 'and, once they are written down, the machine');
$node->command_fails_like([ 'pg_restore', '-e', '-d', 'later', "$place/data.custom" ],
	qr/column "refunded" of table "payment" is kept by a limit and cannot be written/,
	'data alone: each row is judged as a new one');
{
	# what it restored before that is there
	local $ENV{PGOPTIONS} = q{-c idem.allow_unguarded=a\ restore};
	new_database('later2');
	$node->command_ok([ 'pg_restore', '-e', '-d', 'later2', "$place/definitions.custom" ], 'definitions restored once more');
	is(run_script('later2', 'data_untriggered.sql'), '', 'the data with --disable-triggers and a reason');
}
like(findings('later2'), qr/trigger does not fire always on public\.refund/, 'the doctor sees that ALWAYS is lost');
like(findings('later2'), qr/allowed by idem\.allow_unguarded: a restore/, 'and why');
$node->safe_psql('later2', 'SELECT idem.rearm()');
quiet('later2', 'definitions, then data, then idem.rearm()');
is($node->safe_psql('later2', q{SELECT count(*) FROM idem.change_log WHERE action = 'declared' AND relation = 'refund'::regclass}),
	1, 'the declarations came with the data');

#
# In parallel; in place of what is there
#
dump_to('folder', '-Fd', '-j', '2');
new_database('parallel');
$node->command_ok([ 'pg_restore', '-e', '-j', '3', '-d', 'parallel', "$place/folder" ], 'restored by three at once');
quiet('parallel', 'in parallel');

my @clean = ('pg_restore', '-e', '--clean', '--if-exists', '-d', 'parallel', "$place/folder");
$node->safe_psql('parallel', q{SELECT idem.create_scope('s', effect => 'inside', fields => '{}');
	BEGIN; SELECT idem.claim('s', 'k', '{}'); SELECT idem.complete('s', 'k', '{}'); COMMIT});
$node->command_fails_like(\@clean, qr/cannot drop |it would weaken|it belongs to/, '--clean without a reason is refused');
is($node->safe_psql('parallel', 'SELECT count(*) FROM idem.anchor'), 1, 'the claim is there');
{
	local $ENV{PGOPTIONS} = q{-c idem.allow_unguarded=a\ restore};
	$node->command_ok(\@clean, 'with a reason it passes');
}
quiet('parallel', 'with --clean');

#
# By an owner who is no superuser: idem is there, its tables belong to somebody else
#
dump_to('whole.custom', '-Fc');
$node->safe_psql('postgres', 'CREATE ROLE shop LOGIN; CREATE DATABASE owned OWNER shop');
$node->safe_psql('owned', 'CREATE EXTENSION idem; GRANT ALL ON SCHEMA public TO shop');
my ($out, $err);
IPC::Run::run [ 'pg_restore', '--no-owner', '-U', 'shop', '-d', 'owned', '-h', $node->host, '-p', $node->port, "$place/whole.custom" ],
  '>', \$out, '2>', \$err;
like($err, qr/permission denied for table machine/, 'the owner cannot write what belongs to idem');
unlike($err, qr/relation "?(public\.)?(payment|refund)/, 'but all tables of their own');
is($node->safe_psql('owned', q{SELECT DISTINCT tableowner FROM pg_tables WHERE tablename IN ('payment', 'refund')}), 'shop', 'they belong to the owner');
like(findings('owned'), qr/was not declared in this database/, 'the doctor says what could not be written');
$node->safe_psql('owned', "SELECT idem.grant_admin('shop'); SET ROLE shop; $machine; SELECT idem.rearm()");
quiet('owned', 'restored by the owner, who defined and wrote down');

$node->stop;
done_testing();
