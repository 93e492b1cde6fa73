# Eight sessions work at random on a handful of limits, at all isolation
# levels, each a list of transactions prepared beforehand; a ninth reads.
#
# Holds: in every snapshot, during and after, every running total is the sum
# of what counts and never more than the cap; and no transaction is told
# anything but that its limit is reached (23I05), that it should try again
# (40001), or that it met another in a deadlock (40P01: transactions touch two
# parents in any order).

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $sessions = 8;
my $transactions = 300;
my $seed = $ENV{IDEM_SEED} || time;
srand($seed);
note("IDEM_SEED=$seed");

my $node = PostgreSQL::Test::Cluster->new('limit');
$node->init;
$node->append_conf('postgresql.conf', "deadlock_timeout = 20ms\nfsync = off");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION idem;
	-- refunds are kept, filed by state, and move when it changes
	CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL);
	CREATE TABLE refund (id int GENERATED ALWAYS AS IDENTITY, payment_id int NOT NULL REFERENCES payment,
		amount int, status text DEFAULT 'new', PRIMARY KEY (id, status)) PARTITION BY LIST (status);
	CREATE TABLE refund_new PARTITION OF refund FOR VALUES IN ('new');
	CREATE TABLE refund_failed PARTITION OF refund FOR VALUES IN ('failed');
	SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount',
		used => 'refunded', state => 'status', released => '{failed}', cap_grows => true);
	-- uses of a budget are edited
	CREATE TABLE budget (id int PRIMARY KEY, amount numeric NOT NULL);
	CREATE TABLE use (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		budget_id int NOT NULL REFERENCES budget, amount numeric);
	SELECT idem.guard_limit('use', 'budget_id', amount => 'amount', cap => 'amount',
		used => 'used', released => NULL, children => 'editable');
	INSERT INTO payment SELECT i, 100 FROM generate_series(1, 3) i;
	INSERT INTO budget SELECT i, 100 FROM generate_series(1, 3) i;

	CREATE VIEW wrong AS
		SELECT 'payment' AS what, p.id FROM payment p
			LEFT JOIN refund r ON r.payment_id = p.id AND r.status <> 'failed'
			GROUP BY p.id HAVING p.refunded <> COALESCE(sum(r.amount), 0) OR p.refunded > p.amount
		UNION ALL
		SELECT 'budget', b.id FROM budget b LEFT JOIN use u ON u.budget_id = b.id
			GROUP BY b.id HAVING b.used <> COALESCE(sum(u.amount), 0) OR b.used > b.amount;
});

sub some_refund
{
	my ($status) = @_;
	return "(SELECT id FROM refund WHERE status = '$status' ORDER BY random() LIMIT 1)";
}

# One statement at random.
sub statement
{
	my $parent = 1 + int(rand(3));
	my $amount = 1 + int(rand(60));
	my $use = '(SELECT id FROM use ORDER BY random() LIMIT 1)';
	my @choice = (
		"INSERT INTO refund (payment_id, amount) VALUES ($parent, $amount)",
		"INSERT INTO refund (payment_id, amount) VALUES ($parent, $amount)",
		"INSERT INTO refund (payment_id, amount) SELECT i, 7 FROM generate_series(1, 3) i",
		"UPDATE refund SET status = 'failed' WHERE status = 'new' AND id = " . some_refund('new'),
		"UPDATE refund SET status = 'failed' WHERE status = 'new' AND id = " . some_refund('new'),
		"UPDATE refund SET status = 'new' WHERE status = 'failed' AND id = " . some_refund('failed'),
		"UPDATE payment SET amount = amount + 1 WHERE id = $parent AND amount < 150",
		"INSERT INTO use (budget_id, amount) VALUES ($parent, $amount)",
		"INSERT INTO use (budget_id, amount) VALUES ($parent, $amount / 7.0)",
		"UPDATE use SET amount = $amount WHERE id = $use",
		"UPDATE use SET budget_id = $parent WHERE id = $use",
		"DELETE FROM use WHERE id = $use",
		"DELETE FROM use WHERE id = $use",
		"SELECT pg_sleep(0.002)");
	return $choice[ int(rand(@choice)) ] . ";\n";
}

# One transaction at random: up to three statements, with a savepoint in some.
sub transaction
{
	my @level = ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');
	my $sql = "BEGIN ISOLATION LEVEL $level[int(rand(3))];\n" . statement();

	$sql .= "SAVEPOINT a;\n" . statement() . "ROLLBACK TO a;\n" if rand() < 0.2;
	$sql .= statement() for 1 .. int(rand(3));
	return $sql . (rand() < 0.9 ? "COMMIT;\n" : "ROLLBACK;\n");
}

# psql on a file of statements; what it says goes to files, too.
sub start_psql
{
	my ($name, $script) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$name";

	PostgreSQL::Test::Utils::append_to_file("$file.sql", $script);
	my $run = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres'), '-f', "$file.sql" ],
		'>', "$file.out", '2>', "$file.err");
	return { run => $run, file => $file };
}

my @workers = map { start_psql("worker$_", join('', map { transaction() } 1 .. $transactions)) } 1 .. $sessions;
my $reader = start_psql('reader', "SELECT * FROM wrong;\n" x 500);
$_->{run}->finish for @workers, $reader;
my $said = join('', map { slurp_file("$_->{file}.err") } @workers);
my $seen = slurp_file("$reader->{file}.out") . slurp_file("$reader->{file}.err");

my %count;
while ($said =~ /(?:ERROR|FATAL|PANIC):\s+(\w{5}): (.*)/g)
{
	$count{$1}++;
	note("$1: $2") if $1 eq 'XX000';
}
my $accepted = $node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM refund) + (SELECT count(*) FROM use)');
note("rows: $accepted, refused: " . join(', ', map { "$_: $count{$_}" } sort keys %count));

is($seen, '', 'no snapshot during the work shows a wrong total');
is($node->safe_psql('postgres', 'SELECT * FROM wrong'), '', 'every total is the sum in the end');
cmp_ok($accepted, '>', 100, 'children were accepted');
cmp_ok($count{'23I05'} // 0, '>', 0, 'children were refused');
cmp_ok($count{'40001'} // 0, '>', 0, 'transactions were told to try again');
delete @count{qw(23I05 40001 40P01)};
delete @count{qw(25P02 3B001)};    # what follows in a transaction that failed
is(join(', ', sort keys %count), '', 'nothing else was said');

done_testing();
