# What a guard does where rows arrive from another server.
#
# A logical subscriber with a guarded table: its workers bring rows in any
# declared state and along declared edges, repeats too, and nothing else; a
# session of the subscriber is judged in full.  A streaming standby reads
# history and refuses transitions.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $table = 'CREATE TABLE payment (id int PRIMARY KEY, status text, note text, fee int)';
my $publisher = PostgreSQL::Test::Cluster->new('publisher');
$publisher->init(allows_streaming => 'logical');
$publisher->start;
$publisher->safe_psql('postgres', "$table; CREATE PUBLICATION p FOR TABLE payment;
	INSERT INTO payment VALUES (1, 'b'), (2, 'c')");

my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init(allows_streaming => 'logical');
$subscriber->start;
$subscriber->safe_psql('postgres', "CREATE EXTENSION idem; $table;");
$subscriber->safe_psql('postgres', <<'SQL');
CREATE ROLE nobody_here;
SELECT idem.define_machine('m', E'stateDiagram-v2\n[*] --> a\na --> b : go\nb --> c : go [role nobody_here]\nc --> [*]');
SELECT idem.guard_states('payment', 'status', 'm', repeat => 'strict');
CREATE ROLE applier SUPERUSER LOGIN;
ALTER TABLE payment OWNER TO applier;
SQL
my $connection = $publisher->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION s CONNECTION '$connection' PUBLICATION p WITH (enabled = false)");
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION s OWNER TO applier');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION s SET (password_required = false)')
	if $subscriber->pg_version >= 16;
# a worker without the role of any edge
$subscriber->safe_psql('postgres', 'ALTER ROLE applier NOSUPERUSER');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION s ENABLE');
$subscriber->wait_for_subscription_sync($publisher, 's');
is($subscriber->safe_psql('postgres', 'SELECT id, status FROM payment ORDER BY id'),
	"1|b\n2|c", 'the copy brings rows in declared states');

$publisher->safe_psql('postgres', q{INSERT INTO payment VALUES (3, 'b'); UPDATE payment SET status = 'c' WHERE id = 1;
	UPDATE payment SET status = 'c' WHERE id = 2});
$publisher->wait_for_catchup('s');
is($subscriber->safe_psql('postgres', 'SELECT id, status FROM payment ORDER BY id'),
	"1|c\n2|c\n3|b", 'so does the stream, without roles and repeats');
is($subscriber->safe_psql('postgres', q{SELECT from_state, to_state FROM idem.history('payment', '1')}),
	"|b\nb|c", 'and history is kept here, too');

foreach my $case (
	[ q{INSERT INTO payment VALUES (9, 'b')}, '23I02' ],
	[ q{SET session_replication_role = replica; INSERT INTO payment VALUES (9, 'b')}, '23I02' ],
	[ q{SET session_replication_role = replica; UPDATE payment SET status = 'a' WHERE id = 3}, '23I01' ])
{
	my ($ret, $out, $err) = $subscriber->psql('postgres', "\\set VERBOSITY sqlstate\n$case->[0]");
	like($err, qr/ERROR:  $case->[1]/, "in a session: $case->[0]");
}

my $offset = -s $subscriber->logfile;
$publisher->safe_psql('postgres', q{UPDATE payment SET status = 'a' WHERE id = 1});
$subscriber->wait_for_log(qr/cannot change from final state "c" to state "a"/, $offset);
pass('an undeclared edge stops the stream');
is($subscriber->safe_psql('postgres', 'SELECT status FROM payment WHERE id = 1'),
	'c', 'and the row stays');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION s DISABLE');

$subscriber->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($subscriber, 'copy', has_streaming => 1);
$standby->start;
$subscriber->wait_for_catchup($standby, 'replay', $subscriber->lsn('insert'));
is($standby->safe_psql('postgres', q{SELECT from_state, to_state FROM idem.history('payment', '1')}),
	"|b\nb|c", 'a standby reads history');
foreach my $call (
	q{idem.transition('payment', '3', 'c')},
	q{idem.define_machine('m', 'x')},
	q{idem.guard_states('payment', 'status', 'm')})
{
	my ($ret, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT $call");
	like($err, qr/ERROR:  25006/, "$call is refused on a standby");
}

$standby->stop;
$subscriber->stop;
$publisher->stop;
done_testing();
