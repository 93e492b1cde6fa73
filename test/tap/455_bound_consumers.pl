# A careless, a naive and a malicious consumer leave exactly one effect a key.
#
# Method: each way to write an effect without its claim, or twice, is tried for
# a key of its own, before and after the one delivery that is as it should be;
# by keys claimed in a scope and by keys in a table.  The claims of others are
# open, prepared, rolled back or retired meanwhile.  Then the same ways are tried
# for the same keys at a subscriber and in a dump that was restored.  What is
# left is judged by SQL that uses nothing of idem: one effect for each key.
#
# The ways of the careless consumer, who claims and does not look:
#	 1 INSERT	 2 INSERT of two rows for one claim	 3 COPY	 4 upsert, MERGE
# of the naive one, who does not claim:
#	 5 INSERT	 6 INSERT unless it is there	 7 COPY	 8 upsert	 9 MERGE
#	10 by a view	11 in a function that swallows the error
# of the malicious one, who owns the table:
#	12 a trigger that puts the key of another row into a row that is paid for
#	13 a trigger that writes a second row	14 a claim rolled back to a savepoint
#	15 the claim of another transaction, open, prepared or committed
#	16 retired keys	17 the key changed afterwards, by UPDATE or upsert
#	18 the row moved to another partition, with another key or written again
#	19 the row deleted and written again	20 the replica role
#	21 a partition written while it was detached

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('here');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', "max_prepared_transactions = 10");
$node->start;

# Effects of messages 20180718-... in two tables: claimed in scope m, or with a
# row in table known.
my $effects = q{
	CREATE TABLE by_claim (part int NOT NULL DEFAULT 1, message text NOT NULL, note text) PARTITION BY LIST (part);
	CREATE TABLE by_claim_1 PARTITION OF by_claim FOR VALUES IN (1);
	CREATE TABLE by_claim_2 PARTITION OF by_claim FOR VALUES IN (2);
	CREATE TABLE by_key (part int NOT NULL DEFAULT 1, message text NOT NULL, note text) PARTITION BY LIST (part);
	CREATE TABLE by_key_1 PARTITION OF by_key FOR VALUES IN (1);
	CREATE TABLE by_key_2 PARTITION OF by_key FOR VALUES IN (2);
	CREATE VIEW by_claim_view AS SELECT * FROM by_claim;
	CREATE VIEW by_key_view AS SELECT * FROM by_key;
	CREATE TABLE known (key text PRIMARY KEY, request jsonb);
	CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN NEW.message := replace(NEW.message, 'mine-', ''); RETURN NEW; END $$;
	CREATE FUNCTION second() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF pg_trigger_depth() < 2 THEN
			EXECUTE format('INSERT INTO %I (message) VALUES (%L)', TG_ARGV[0], NEW.message);
		END IF;
		RETURN NULL;
	END $$;
};
my $guards = q{
	SELECT idem.guard_claimed('by_claim', '{message}', 'm');
	SELECT idem.guard_keys('known', '{key}', 'request', '{a}');
	SELECT idem.guard_claimed('by_key', '{message}', keys => 'known');
};
$node->safe_psql('postgres', "CREATE EXTENSION idem;
	SELECT idem.create_scope('m', 'inside', '{a}', key_time => 'YYYYMMDD', keep => '1 microsecond'); $effects $guards");

my %grant = (
	by_claim => sub { "SELECT outcome FROM idem.claim('m', '$_[0]', '{\"a\":1}')" },
	by_key => sub { "INSERT INTO known VALUES ('$_[0]', '{\"a\":1}') ON CONFLICT DO NOTHING RETURNING true" });

# The ways, each for a table, a key and the statement that grants it.
sub ways
{
	my ($t, $k, $grant) = @_;
	my $row = "INSERT INTO $t (message) VALUES ('$k')";
	my $copy = "COPY $t (message) FROM stdin;\n$k\n\\.\n";
	my $upsert = "INSERT INTO ${t}_1 (message) VALUES ('$k') ON CONFLICT DO NOTHING";
	my $merge = "MERGE INTO $t e USING (VALUES ('$k')) v (m) ON false WHEN NOT MATCHED THEN INSERT (message) VALUES (v.m)";
	my $detached = "BEGIN; ALTER TABLE $t DETACH PARTITION ${t}_2; INSERT INTO ${t}_2 (part, message) VALUES (2, '$k');
		ALTER TABLE $t ATTACH PARTITION ${t}_2 FOR VALUES IN (2); COMMIT";
	return (
		"$grant; $row", "BEGIN; $grant; $row, ('$k'); COMMIT", "BEGIN; $grant;\n$copy COMMIT", "BEGIN; $grant; $upsert; $merge; COMMIT",
		$row, "INSERT INTO $t (message) SELECT '$k' WHERE NOT EXISTS (SELECT FROM $t WHERE message = '$k')", $copy, $upsert, $merge,
		"INSERT INTO ${t}_view (message) VALUES ('$k')",
		"DO \$\$BEGIN BEGIN $row; EXCEPTION WHEN OTHERS THEN NULL; END; $row; END\$\$",
		"BEGIN; CREATE TRIGGER a BEFORE INSERT ON $t FOR EACH ROW EXECUTE FUNCTION other(); "
		  . join('; ', map { s/20180718-/20180718-mine-/r } $grant, $row) . "; COMMIT",
		"BEGIN; CREATE TRIGGER z AFTER INSERT ON $t FOR EACH ROW EXECUTE FUNCTION second('$t'); $grant; $row; COMMIT",
		"BEGIN; SAVEPOINT s; $grant; ROLLBACK TO s; $row; COMMIT",
		"BEGIN; $grant; PREPARE TRANSACTION '$k'; $row; ROLLBACK PREPARED '$k'",
		"BEGIN; SELECT * FROM idem.retire('m'); $row; COMMIT",
		"UPDATE $t SET message = '$k' WHERE message LIKE '%-base'",
		"UPDATE $t SET part = 3 - part, message = '$k' WHERE message LIKE '%-base'",
		"BEGIN; DELETE FROM $t WHERE message = '$k'; $row; COMMIT",
		"SET session_replication_role = replica; $row; UPDATE $t SET message = '$k' WHERE message LIKE '%-base'; RESET session_replication_role",
		$detached);
}

# Statements in one session, whatever they answer; none of them ends it.
sub try_all
{
	my ($server, $database, @statements) = @_;
	my $script = join("\n", map { /\n\z/ ? "${_}ROLLBACK;" : "$_;\nROLLBACK;" } @statements);
	my ($out, $err);

	IPC::Run::run([ 'psql', '-XqAt', '-d', $server->connstr($database) ], '<', \$script, '>', \$out, '2>', \$err);
	unlike($err, qr/server closed|syntax error|does not exist/, 'every statement could be judged') or diag($err);
	return $err;
}

sub deliver
{
	my ($t, $k) = @_;
	return "BEGIN; " . $grant{$t}->($k) . "; INSERT INTO $t (message) VALUES ('$k'); COMMIT";
}

# One effect for each key, and no other: judged without idem.
sub judge
{
	my ($server, $database, $what, $n) = @_;
	foreach my $t ('by_claim', 'by_key')
	{
		is( $server->safe_psql($database, "SELECT count(*), count(DISTINCT message),
			(SELECT string_agg(message, ' ') FROM (SELECT message FROM $t GROUP BY message HAVING count(*) > 1) d),
			(SELECT string_agg(message, ' ') FROM $t WHERE message NOT LIKE '20180718-key-%') FROM $t"),
			"$n|$n||", "$what: $n effects of $n keys, $t");
	}
}

my %keys;
foreach my $t ('by_claim', 'by_key')
{
	my $n = () = ways($t, 'k', '');
	$keys{$t} = [ map { "20180718-key-$_" } 1 .. $n ];
	is($n, 21, "21 ways, $t");
	# somebody else's claims: open all the time, and committed without an effect
	$node->safe_psql('postgres', deliver($t, '20180718-key-base'));
}
my $rival = $node->background_psql('postgres');
$rival->query_safe("BEGIN; " . $grant{by_claim}->('20180718-rival') . "; " . $grant{by_key}->('20180718-rival') . ";");
$node->safe_psql('postgres', "SET lock_timeout = '1s'; BEGIN; " . $grant{by_claim}->('20180718-prepared') . "; "
	  . $grant{by_key}->('20180718-prepared') . "; PREPARE TRANSACTION 'rival'");

# The way of each key as it is written for that key; those that claim for
# themselves would be that key's good delivery, so before it they go without.
foreach my $t ('by_claim', 'by_key')
{
	my @before = map { (ways($t, $keys{$t}[$_], 'SELECT 1'))[$_] } 0 .. 20;
	my $err = try_all($node, 'postgres', @before, map { "INSERT INTO $t (message) VALUES ('$_')" } '20180718-rival', '20180718-prepared');
	my $refused = () = $err =~ /ERROR:  /g;
	cmp_ok($refused, '>=', 21, "each way is refused before the key is claimed, $t");
}
judge($node, 'postgres', 'before', 1);
$rival->query_safe('ROLLBACK;');
$rival->quit;
$node->safe_psql('postgres', "ROLLBACK PREPARED 'rival'");
foreach my $t ('by_claim', 'by_key')
{
	my @after = map { (ways($t, $keys{$t}[$_], $grant{$t}->($keys{$t}[$_])))[$_] } 0 .. 20;
	$node->safe_psql('postgres', join(';', map { deliver($t, $_) } @{ $keys{$t} }));
	try_all($node, 'postgres', @after);
	try_all($node, 'postgres', map { ways($t, $_, $grant{$t}->($_)) } @{ $keys{$t} }[ 0, 20 ]);
}
judge($node, 'postgres', 'after', 22);

# a dump, restored as one script
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'dumped');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'restored');
foreach my $t ('by_claim', 'by_key')
{
	try_all($node, 'restored', map { (ways($t, $keys{$t}[$_], $grant{$t}->($keys{$t}[$_])))[$_] } 0 .. 20);
}
judge($node, 'restored', 'restored', 22);

# a subscriber, to which scopes, claims and keys are published with the effects
my $there = PostgreSQL::Test::Cluster->new('there');
$there->init;
$there->append_conf('postgresql.conf', "max_prepared_transactions = 10");
$there->start;
$there->safe_psql('postgres', "CREATE EXTENSION idem; $effects");
$node->safe_psql('postgres', 'CREATE PUBLICATION p FOR TABLE by_claim, by_key, known, idem.scope, idem.anchor');
my $from = $node->connstr . ' dbname=postgres';
$there->safe_psql('postgres', "CREATE SUBSCRIPTION s CONNECTION '$from' PUBLICATION p");
$there->wait_for_subscription_sync($node, 's');
$there->safe_psql('postgres', $guards);
foreach my $t ('by_claim', 'by_key')
{
	$node->safe_psql('postgres', deliver($t, '20180718-key-applied'));
}
$node->wait_for_catchup('s');
foreach my $t ('by_claim', 'by_key')
{
	try_all($there, 'postgres', map { (ways($t, $keys{$t}[$_], $grant{$t}->($keys{$t}[$_])))[$_] } 0 .. 20);
	try_all($there, 'postgres', deliver($t, '20180718-key-applied'), ways($t, '20180718-key-applied', $grant{$t}->('20180718-key-applied')));
}
judge($there, 'postgres', 'applied', 23);

$node->stop;
$there->stop;
done_testing();
