# Pairs survive dump and restore, prepared transactions, a crash, a subscriber,
# and a crowd.
#
# Method: a server with an order and its refunds (judge => 'row'), a day and its
# entries ('entry'), and a debit that moves together with its order (deferred).
# Dumped and restored, the guards stand as they were, the deferred one deferred;
# loaded as data alone, entries of a closed day are refused unless triggers are
# off, after which rearm() puts them back.  A prepared transaction was judged
# when it was prepared, and holds the lock of its day after a restart in
# immediate mode.  Rows that a subscription brings are stored as they are, a
# session there is judged.  Then eight clients change orders and refunds at
# random; in the end every row agrees, as SQL says that uses nothing of idem.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $schema = q{
	CREATE EXTENSION idem;
	CREATE TABLE orders (id int PRIMARY KEY, status text NOT NULL);
	CREATE TABLE refund (id int PRIMARY KEY, order_id int NOT NULL REFERENCES orders, status text);
	CREATE INDEX ON refund (order_id);
	SELECT idem.guard_parent_state('refund', 'order_id', state => 'status', parent_state => 'status',
		allowed => '{"sent":"{paid}"}', facts => '{returned}');
	CREATE TABLE day (id int PRIMARY KEY, status text NOT NULL);
	CREATE TABLE entry (id int PRIMARY KEY, day_id int NOT NULL REFERENCES day);
	CREATE INDEX ON entry (day_id);
	SELECT idem.guard_parent_state('entry', 'day_id', parent_state => 'status', allowed => '{"*":"{open}"}', judge => 'entry');
	CREATE TABLE debit (id int PRIMARY KEY, order_id int NOT NULL REFERENCES orders, status text);
	CREATE INDEX ON debit (order_id);
	SELECT idem.guard_parent_state('debit', 'order_id', state => 'status', parent_state => 'status',
		allowed => '{"done":"{processed}","asked":"{new}"}', deferred => true);
};
my $wrong = q{SELECT count(*) FROM refund r JOIN orders o ON o.id = r.order_id WHERE r.status = 'sent' AND o.status <> 'paid'};
my $guards = q{SELECT g.relation, g.mode, g.intact, g.problem, bool_and(t.tgdeferrable AND t.tginitdeferred) FROM idem.guards g
	JOIN pg_trigger t ON t.tgname = g.name AND t.tgrelid = g.relation WHERE g.kind = 'pair' GROUP BY 1, 2, 3, 4 ORDER BY 1::text};
my $stand = "debit|always|t||t\nentry|always|t||f\nrefund|always|t||f";

my $node = PostgreSQL::Test::Cluster->new('here');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', 'max_prepared_transactions = 4');
$node->start;
$node->safe_psql('postgres', $schema);
$node->safe_psql('postgres', q{
	INSERT INTO orders VALUES (1, 'paid'), (2, 'shipped'), (3, 'new');
	INSERT INTO refund VALUES (1, 1, 'sent'), (2, 2, 'returned');
	INSERT INTO day VALUES (1, 'open'), (2, 'open');
	INSERT INTO entry VALUES (1, 1);
	UPDATE day SET status = 'closed' WHERE id = 1;
	INSERT INTO debit VALUES (1, 3, 'asked');
});

# What a statement says: ok, or its error.
sub says
{
	my ($server, $database, $sql) = @_;
	my ($rc, $out, $err) = $server->psql($database, $sql);

	return $rc == 0 ? 'ok' : $err =~ s/^psql:<stdin>:\d+: ERROR:\s+(.*?)(?:\n.*)?$/$1/sr;
}

# Each side of each guard, by one session
sub judges
{
	my ($server, $database, $where) = @_;
	my ($rc, $out, $err) = $server->psql($database, q{
		INSERT INTO refund VALUES (9, 2, 'sent');
		UPDATE orders SET status = 'shipped' WHERE id = 1;
		INSERT INTO entry VALUES (9, 1);
		UPDATE debit SET status = 'done'}, on_error_stop => 0);

	is(join("\n", $err =~ /ERROR:\s+(.*)/g), 'refund 9 cannot be "sent" while its orders 2 is "shipped"
orders 1 cannot be "shipped" while its refund 1 is "sent"
entry 9 cannot be stored while its day 1 is "closed"
debit 1 cannot be "done" while its orders 3 is "new"', "$where: judged");
}
judges($node, 'postgres', 'here');

# Dump and restore, as one script and as an archive
my $dir = PostgreSQL::Test::Utils::tempdir();
my @to = (-d => $node->connstr('postgres'));
$node->command_ok([ 'pg_dump', '-f', "$dir/dump.sql", @to ], 'dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/dump.sql", '-d', $node->connstr('restored') ], 'restored without an error');
is($node->safe_psql('restored', $guards), $stand, 'the guards stand');
judges($node, 'restored', 'restored');

# Data alone: the rows agree as they are, but for entries of a closed day
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump", @to ], 'dumped as an archive');
$node->safe_psql('postgres', 'CREATE DATABASE loaded');
$node->command_ok([ 'pg_restore', '--schema-only', '-d', $node->connstr('loaded'), "$dir/dump" ], 'the schema');
$node->command_ok([ 'pg_restore', '--data-only', '-t', 'orders', '-t', 'day', '-d', $node->connstr('loaded'), "$dir/dump" ], 'the parents');
$node->command_ok([ 'pg_restore', '--data-only', '-t', 'refund', '-t', 'debit', '-d', $node->connstr('loaded'), "$dir/dump" ], 'their children');
$node->command_fails_like([ 'pg_restore', '--data-only', '-t', 'entry', '-d', $node->connstr('loaded'), "$dir/dump" ],
	qr/entry 1 cannot be stored while its day 1 is "closed"/, 'entries of a closed day are judged');
$node->safe_psql('loaded', q{ALTER DATABASE loaded SET idem.allow_unguarded = 'restore'});
$node->command_ok([ 'pg_restore', '--data-only', '--disable-triggers', '-t', 'entry', '-d', $node->connstr('loaded'), "$dir/dump" ], 'unless triggers are off');
$node->safe_psql('loaded', q{ALTER DATABASE loaded RESET idem.allow_unguarded});
$node->safe_psql('loaded', q{SELECT idem.rearm('entry')});
is($node->safe_psql('loaded', $guards), $stand, 'rearm puts them back');
judges($node, 'loaded', 'loaded');

# Prepared transactions, and a crash
is(says($node, 'postgres', "BEGIN; UPDATE debit SET status = 'done'; PREPARE TRANSACTION 'wrong'"),
	'debit 1 cannot be "done" while its orders 3 is "new"', 'judged when it is prepared');
$node->safe_psql('postgres', q{
	BEGIN; UPDATE debit SET status = 'done'; UPDATE orders SET status = 'processed' WHERE id = 3; PREPARE TRANSACTION 'moved';
	BEGIN; INSERT INTO entry VALUES (2, 2); PREPARE TRANSACTION 'entered';
	BEGIN; INSERT INTO refund VALUES (3, 1, 'sent'); PREPARE TRANSACTION 'sent'});
$node->stop('immediate');
$node->start;
my ($ret, $out, $err) = $node->psql('postgres', q{
	SET lock_timeout = '100ms';
	UPDATE day SET status = 'closed' WHERE id = 2;
	UPDATE orders SET status = 'shipped' WHERE id = 1;
	INSERT INTO debit VALUES (2, 3, 'asked')}, on_error_stop => 0);
is(scalar(() = $err =~ /canceling statement due to lock timeout/g), 3, 'after a crash all wait: the day, the order, a debit');
$node->psql('postgres', q{COMMIT PREPARED 'moved'; COMMIT PREPARED 'entered'; COMMIT PREPARED 'sent'});
is(says($node, 'postgres', "INSERT INTO debit VALUES (2, 3, 'asked')"), 'debit 2 cannot be "asked" while its orders 3 is "processed"', 'moved together');
is(says($node, 'postgres', "UPDATE day SET status = 'closed' WHERE id = 2"), 'ok', 'the day closes when its entry is in');
is(says($node, 'postgres', "DELETE FROM refund WHERE id = 1; UPDATE orders SET status = 'shipped' WHERE id = 1"),
	'orders 1 cannot be "shipped" while its refund 3 is "sent"', 'the refund holds its order');

# A subscriber, another database of the same server
$node->safe_psql('postgres', q{
	CREATE PUBLICATION pairs FOR TABLE orders, refund, day, entry, debit;
	SELECT pg_create_logical_replication_slot('pairs', 'pgoutput')});
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->safe_psql('copy', $schema);
$node->safe_psql('copy', "CREATE SUBSCRIPTION pairs CONNECTION '" . $node->connstr . " dbname=postgres' PUBLICATION pairs WITH (create_slot = false)");
$node->poll_query_until('copy', q{SELECT (SELECT count(*) FROM debit) = 1 AND (SELECT count(*) FROM entry) = 2 AND (SELECT count(*) FROM refund) = 2 AND (SELECT count(*) FROM orders) = 3}) or die 'no first copy';
is($node->safe_psql('copy', 'SELECT count(*) FROM entry'), '2', 'entries of days that are closed have come');
$node->safe_psql('postgres', q{
	UPDATE refund SET status = 'failed' WHERE id = 3; UPDATE orders SET status = 'shipped' WHERE id = 1;
	INSERT INTO day VALUES (3, 'open'); INSERT INTO entry VALUES (3, 3); UPDATE day SET status = 'closed';
	INSERT INTO orders VALUES (4, 'paid'); INSERT INTO refund VALUES (4, 4, 'sent')});
$node->wait_for_catchup('pairs');
is($node->safe_psql('copy', $wrong), '0', 'the copy agrees');
is($node->safe_psql('copy', q{SELECT count(*) FROM idem.doctor() WHERE object ~ 'pair guard' AND severity = 'error'}), '0', 'as its doctor says');
is(says($node, 'copy', "UPDATE orders SET status = 'shipped' WHERE id = 4"), 'orders 4 cannot be "shipped" while its refund 4 is "sent"', 'a session there is judged');
$node->safe_psql('copy', 'DROP SUBSCRIPTION pairs');

# A crowd
$node->safe_psql('postgres', q{
	INSERT INTO orders SELECT 100 + i, 'paid' FROM generate_series(1, 20) i;
	INSERT INTO refund SELECT 100 + i, 101 + i % 20, 'draft' FROM generate_series(1, 60) i});
my @levels = ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');
my @crowd;
foreach my $client (1 .. 8)
{
	my $level = $levels[ $client % 3 ];
	my $sql = '';

	srand($client);
	foreach (1 .. 100)
	{
		my ($o, $r, $s) = (101 + int rand 20, 101 + int rand 60, 1 + int rand 6);
		my $statement = $s == 1 ? "UPDATE orders SET status = 'shipped' WHERE id = $o"
		  : $s == 2 ? "UPDATE orders SET status = 'paid' WHERE id = $o"
		  : $s == 3 ? "UPDATE refund SET status = 'failed' WHERE id = $r"
		  : $s == 4 ? "UPDATE refund SET order_id = $o WHERE id = $r"
		  : "UPDATE refund SET status = 'sent' WHERE id = $r";

		$sql .= "BEGIN ISOLATION LEVEL $level;\n$statement;\nCOMMIT;\n";
	}
	my ($in, $out, $err) = ($sql, '', '');
	push @crowd, [ IPC::Run::start([ 'psql', '-Xq', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, '2>', \$err), \$err ];
}
my %said;
foreach my $client (@crowd)
{
	my ($run, $err) = @$client;
	IPC::Run::finish($run);
	$said{ s/^.*?ERROR:\s+//r =~ /cannot be/ ? 'refused' : /serialize/ ? 'again' : /deadlock/ ? 'deadlock' : $_ }++
	  foreach grep { /ERROR/ && !/aborted/ } split /\n/, $$err;
}
is($node->safe_psql('postgres', $wrong), '0', 'every refund goes with its order');
cmp_ok($said{refused} // 0, '>', 50, 'some were refused');
is(join(' ', grep { !/^(refused|again)$/ } sort keys %said), '', 'and nothing else went wrong');
is($node->safe_psql('postgres', q{SELECT count(*) FROM idem.doctor() WHERE object ~ 'pair guard' AND severity = 'error'}), '0', 'the doctor agrees');
$node->stop;
done_testing();
