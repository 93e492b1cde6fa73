# Rows that pglogical brings were judged at their origin, as those are that the
# server's own apply worker brings: both its copy of a table and its stream
# write guarded tables, and with their totals, balances and keys.
#
# Packages: postgresql-MAJOR-pglogical
#
# What tells them is a replication origin of a superuser's session.  A session of
# the subscriber without one is judged in full, and so is one of a role to
# which the right to set up an origin was granted.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($share) = run_command([ 'pg_config', '--sharedir' ]);
plan skip_all => 'pglogical is not to be had for this server' if !-e "$share/extension/pglogical.control";

my $tables = q{
	CREATE EXTENSION idem;
	CREATE EXTENSION pglogical;
	SELECT idem.define_machine('pay', E'stateDiagram-v2\n[*] --> made\nmade --> paid\nmade --> failed\npaid --> [*]\nfailed --> [*]');
	CREATE TABLE payment (id int PRIMARY KEY, amount numeric NOT NULL, status text NOT NULL);
	SELECT idem.guard_states('payment', 'status', 'pay');
	SELECT idem.guard_fixed('payment', '{amount}');
	CREATE TABLE refund (id int PRIMARY KEY, payment_id int NOT NULL REFERENCES payment, amount numeric NOT NULL);
	SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
	CREATE TABLE account (id text PRIMARY KEY);
	CREATE TABLE entry (id int PRIMARY KEY, account text NOT NULL REFERENCES account, amount numeric NOT NULL);
	SELECT idem.guard_balance('entry', 'account', amount => 'amount', balance => 'balance');
	SELECT idem.create_scope('debit', 'inside', '{}');
	CREATE TABLE debit (message text PRIMARY KEY);
	SELECT idem.guard_claimed('debit', '{message}', 'debit');
};
my %node;
foreach my $name ('provider', 'subscriber')
{
	$node{$name} = PostgreSQL::Test::Cluster->new($name);
	$node{$name}->init(allows_streaming => 'logical');
	$node{$name}->append_conf('postgresql.conf', "shared_preload_libraries = 'pglogical'\nmax_worker_processes = 20");
	$node{$name}->start;
	# minor releases of 2026 ask by name for what may decode
	if ($node{$name}->safe_psql('postgres', q{SELECT count(*) FROM pg_settings WHERE name = 'output_plugin_libraries'}))
	{
		$node{$name}->append_conf('postgresql.conf', "output_plugin_libraries = 'pgoutput, pglogical_output'");
		$node{$name}->reload;
	}
	$node{$name}->safe_psql('postgres', $tables);
	$node{$name}->safe_psql('postgres', sprintf(q{SELECT pglogical.create_node('%s', '%s')}, $name, $node{$name}->connstr('postgres') =~ s/'/''/gr));
}
my ($provider, $subscriber) = @node{ 'provider', 'subscriber' };

sub rows
{
	my ($there) = @_;
	return $there->safe_psql('postgres', q{
		SELECT 'payment', id, status, refunded FROM payment ORDER BY id;
		SELECT 'refunds', count(*), sum(amount) FROM refund;
		SELECT 'account', id, balance FROM account ORDER BY id;
		SELECT 'debit', message FROM debit ORDER BY message});
}

sub arrived
{
	my ($what) = @_;
	my $expected = rows($provider);
	foreach (1 .. 100)
	{
		last if rows($subscriber) eq $expected;
		select(undef, undef, undef, 0.1);
	}
	is(rows($subscriber), $expected, $what) or BAIL_OUT('nothing arrives');
}

$provider->safe_psql('postgres', $_) foreach (
	q{INSERT INTO payment SELECT i, 100, 'made' FROM generate_series(1, 3) i; UPDATE payment SET status = 'paid' WHERE id < 3},
	q{INSERT INTO refund VALUES (1, 1, 60), (2, 1, 30)},
	q{INSERT INTO account VALUES ('a'), ('b'); INSERT INTO entry VALUES (1, 'a', 50), (2, 'a', -20), (3, 'b', 5)},
	q{BEGIN; SELECT idem.claim('debit', 'k'); INSERT INTO debit VALUES ('k'); COMMIT},
	q{SELECT pglogical.replication_set_add_all_tables('default', '{public}');
	  SELECT pglogical.replication_set_add_table('default', t) FROM unnest('{idem.anchor,idem.reservation,idem.attempt}'::regclass[]) t});
$subscriber->safe_psql('postgres', sprintf(q{SELECT pglogical.create_subscription('s', '%s')}, $provider->connstr('postgres') =~ s/'/''/gr));
arrived('the copy brings payments past their entry state, refunds with their totals, balances, debits');

$provider->safe_psql('postgres', $_) foreach (
	q{INSERT INTO refund VALUES (3, 1, 5), (4, 2, 10), (5, 2, 10)},
	q{UPDATE payment SET status = 'failed' WHERE id = 3},
	q{INSERT INTO entry VALUES (4, 'b', 7), (5, 'b', -2)},
	q{BEGIN; SELECT idem.claim('debit', 'l'); INSERT INTO debit VALUES ('l'); COMMIT});
arrived('and so does the stream');
is($subscriber->safe_psql('postgres', q{SELECT outcome, settled FROM idem.claim('debit', 'l')}), 'replayed|t', 'a key that arrived is known');
is( $subscriber->safe_psql('postgres', q{
		SELECT object, finding FROM idem.doctor() WHERE severity = 'error' AND object NOT LIKE 'setting %'}),
	'', 'the doctor finds every total right');

my $refused = sub {
	my ($sql) = @_;
	my ($out, $err);
	my $status = $subscriber->psql('postgres', "\\set VERBOSITY sqlstate\n$sql", stdout => \$out, stderr => \$err);
	return $status == 0 ? 'passes' : $err =~ /ERROR:  (\w+)/ ? $1 : $err;
};
my %judged = (
	q{INSERT INTO payment VALUES (9, 1, 'paid')} => '23I02',
	q{UPDATE payment SET status = 'made' WHERE id = 1} => '23I03',
	q{INSERT INTO refund VALUES (9, 1, 50)} => '23I05',
	q{INSERT INTO debit VALUES ('m')} => '23I0A');
foreach my $sql (sort keys %judged)
{
	is($refused->($sql), $judged{$sql}, "a session there is judged: $sql");
	is($refused->("SET session_replication_role = replica; $sql"), $judged{$sql}, 'also as a replica');
}
$subscriber->safe_psql('postgres', q{
	CREATE ROLE stranger LOGIN;
	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_catalog TO stranger;
	GRANT ALL ON ALL TABLES IN SCHEMA public TO stranger;
	SELECT pg_replication_origin_create('mine')});
is($refused->("SET SESSION AUTHORIZATION stranger; SELECT pg_replication_origin_session_setup('mine'); $_"), $judged{$_}, "and whoever brings an origin along: $_")
  foreach sort keys %judged;

# An edge that nobody declared is none, wherever it comes from.
$provider->safe_psql('postgres', q{SELECT idem.drop_guard('payment', 'states', reason => 'to write what no machine allows'); UPDATE payment SET status = 'made' WHERE id = 2});
my $offset = 0;
$subscriber->wait_for_log(qr/cannot change from final state "paid" to state "made"/, $offset);
pass('an undeclared edge stops the stream');

$subscriber->stop('immediate');
$provider->stop('immediate');
done_testing();
