# A database moves to another server by logical replication, in use, with its keys
# and what is known of them: nothing that was granted or sent is granted again.
#
# The steps are those of docs/operations.md, read from the page.  Keys of both kinds
# of effects are claimed before, while and after the tables are copied, and one day
# is retired; after the change every one of them is what it was.  A
# subscription that lacks a table is a finding.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $page = slurp_file("$FindBin::Bin/../../docs/operations.md");

# The indented block below a line of the page that begins so
sub step
{
	my ($words) = @_;

	$page =~ /^\Q$words\E(?:(?!^    ).*\n)*?\n((?:    .*\n|\n(?=    ))+)/m or die "docs/operations.md has no step: $words";
	return $1 =~ s/^    //mgr;
}

my ($old, $new) = map {
	my $node = PostgreSQL::Test::Cluster->new($_);
	$node->init(allows_streaming => 'logical');
	$node->start;
	$node->safe_psql('postgres', 'CREATE DATABASE shop');
	$node
} ('old', 'new');

sub at
{
	my ($node, $sql) = @_;
	return $node->safe_psql('shop', $sql);
}

at($old, q{
	CREATE EXTENSION idem;
	SELECT idem.define_machine('pay', E'stateDiagram-v2\n[*] --> made\nmade --> paid\npaid --> [*]');
	CREATE TABLE payment (id int PRIMARY KEY, status text NOT NULL);
	SELECT idem.guard_states('payment', 'status', 'pay');
	CREATE TABLE debit (message text PRIMARY KEY);
	SELECT idem.create_scope('debit', 'inside', '{}');
	SELECT idem.guard_claimed('debit', '{message}', 'debit');
	SELECT idem.create_scope('daily', 'inside', '{}', key_time => 'YYYYMMDD');
	SELECT idem.create_scope('payout', 'outside', '{}', quiet => '0');
	SELECT idem.claim('daily', '20180717-1');
	SELECT idem.retire('daily', '2018-07-18');
	INSERT INTO payment VALUES (1, 'made'), (2, 'made');
	UPDATE payment SET status = 'paid' WHERE id = 1});

# A debit and a payout under a name of their own
sub work
{
	my ($when) = @_;
	at($old, "BEGIN; SELECT idem.claim('debit', '$when'); INSERT INTO debit VALUES ('$when'); COMMIT");
	at($old, "SELECT idem.reserve('payout', '$when-' || k) FROM unnest('{reserved,sent,paid}'::text[]) k");
	at($old, "CALL idem.dispatch('payout', '$when-$_', 1)") foreach ('sent', 'paid');
	at($old, "SELECT idem.complete('payout', '$when-paid', 1, 'succeeded', '{\"ref\": 17}')");
}

sub in_sync
{
	my ($tables) = @_;
	$new->poll_query_until('shop', "SELECT count(*) = $tables FROM pg_subscription_rel WHERE srsubstate IN ('r', 's')") or die 'not in sync';
}

work('before');
at($old, step('On the old server'));
my $file = "$PostgreSQL::Test::Utils::tmp_check/move.sql";
$old->command_ok([ 'pg_dump', '--schema-only', '--no-publications', '--no-subscriptions', '-d', $old->connstr('shop'), '-f', $file ], 'the schema is dumped');
$new->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $new->connstr('shop'), '-f', $file ], 'and restored');
my $connection = $old->connstr('shop') =~ s/'/''/gr;
at($new, step('On the new one') =~ s/host=old dbname=shop/$connection/r);
in_sync(8);
work('between');
append_to_file("$file.again", at($old, 'SELECT idem.declarations()'));
$new->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $new->connstr('shop'), '-f', "$file.again" ], 'declared again');
at($new, step('The scopes come as rows'));
in_sync(10);
at($old, q{UPDATE payment SET status = 'paid' WHERE id = 2; INSERT INTO payment VALUES (3, 'made')});
work('after');

# the change
at($old, step('Rows that arrive are not judged again'));
is(at($old, q{SELECT outcome FROM idem.claim('debit', 'late')}), 'paused', 'the old server grants nothing more');
my $behind = step('Stop the applications;');
$old->poll_query_until('shop', $behind, '0') or die 'behind';
my $known = q{
	SELECT k, (idem.lookup('debit', k)).state FROM unnest('{before,between,after,late}'::text[]) k;
	SELECT k || r, l.state, l.token, l.response FROM unnest('{before,between,after}'::text[]) k, unnest('{-reserved,-sent,-paid}'::text[]) r,
		idem.lookup('payout', k || r) l;
	SELECT (idem.lookup('daily', k)).outcome FROM unnest('{20180717-1,20180717-2,20180718-1}'::text[]) k;
	SELECT * FROM payment ORDER BY 1; SELECT * FROM debit ORDER BY 1;
	SELECT count(*) FROM idem.attempt};
my $was = at($old, $known);
my ($drop, $doctor) = split /\n/, step('On the new server:');
at($new, $drop);
is(at($new, $known), $was, 'every key is what it was, and every row');
is(at($new, q{SELECT severity, object, finding FROM idem.doctor() WHERE severity <> 'notice' AND object NOT LIKE 'setting %'}), '', 'the doctor has nothing to say');
foreach my $when (qw(before between after))
{
	is(at($new, "SELECT outcome FROM idem.claim('debit', '$when')"), 'replayed', "$when: a message that comes again is replayed");
	is(at($new, "SELECT outcome, granted FROM idem.reserve('payout', '$when-sent')"), 'in_progress|f', "$when: what was sent is not sent again");
	is(at($new, "SELECT outcome, settled FROM idem.complete('payout', '$when-sent', 1, 'succeeded', '{}')"), 'succeeded|t', "$when: and its answer is taken");
	at($new, "CALL idem.dispatch('payout', '$when-reserved', 1)");
	is(at($new, "SELECT state FROM idem.lookup('payout', '$when-reserved')"), 'dispatched', "$when: what was reserved goes on");
}
is(at($new, q{SELECT outcome FROM idem.claim('daily', '20180717-2')}), 'expired', 'a day that was retired stays retired');
is(at($new, q{SELECT outcome FROM idem.claim('debit', 'late')}), 'granted', 'and what is new is granted');
my ($status, $out, $err) = $new->psql('shop', "\\set VERBOSITY sqlstate\nINSERT INTO payment VALUES (9, 'paid'); INSERT INTO debit VALUES ('x')", on_error_stop => 0);
is(join(' ', $err =~ /ERROR:  (\w+)/g), '23I02 23I0A', 'guards judge what is written there');

# A subscription without some of the tables
at($old, q{CREATE PUBLICATION half FOR TABLE idem.scope, idem.anchor});
at($new, "CREATE SUBSCRIPTION half CONNECTION '$connection' PUBLICATION half WITH (copy_data = false)");
is( at($new, q{SELECT object, split_part(finding, ',', 2) FROM idem.doctor() WHERE object LIKE 'subscription %'}),
	'subscription half| and not idem.attempt', 'a subscription that lacks tables is a finding');
at($new, 'DROP SUBSCRIPTION half');

$_->stop foreach ($old, $new);
done_testing();
