# Eight sessions work at random on limits, at all isolation levels, each a list
# of transactions prepared beforehand; a ninth reads.  Once on three parents
# that everybody meets at, once on a thousand, once at each isolation level
# alone and on one.
#
# There are refunds that are kept, filed by state, and move when it changes;
# chargebacks, which are facts and share the refunds' total; uses of a budget,
# which are edited, under a parent that bears a trigger of its user, so that
# its total is changed by statements.
#
# IDEM_SEED repeats a run; IDEM_STRESS_TRANSACTIONS (60 a session and scene) lets it
# take longer: 2000 are minutes.
#
# Holds: in every snapshot, during and after, running total and excess are the
# sum of what counts, the total is never more than the cap, and there is no
# excess without a fact; and no transaction is told
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
my $transactions = $ENV{IDEM_STRESS_TRANSACTIONS} || 60;
my $seed = $ENV{IDEM_SEED} || time;
srand($seed);
note("IDEM_SEED=$seed");

my $node = PostgreSQL::Test::Cluster->new('limit');
$node->init;
$node->append_conf('postgresql.conf', "deadlock_timeout = 20ms\nfsync = off\nlog_error_verbosity = verbose");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION idem;
	CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL);
	CREATE TABLE refund (id int GENERATED ALWAYS AS IDENTITY, payment_id int NOT NULL REFERENCES payment,
		amount int, status text DEFAULT 'new', PRIMARY KEY (id, status)) PARTITION BY LIST (status);
	CREATE TABLE refund_new PARTITION OF refund FOR VALUES IN ('new');
	CREATE TABLE refund_failed PARTITION OF refund FOR VALUES IN ('failed');
	CREATE TABLE chargeback (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payment_id int NOT NULL REFERENCES payment,
		amount int, status text DEFAULT 'lost');
	SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount',
		used => 'refunded', state => 'status', released => '{failed}', cap_grows => true,
		count_cap => 40, count_used => 'refunds');
	SELECT idem.guard_limit('chargeback', 'payment_id', amount => 'amount', cap => 'amount',
		used => 'refunded', state => 'status', released => '{won}', facts => '{*}', cap_grows => true);
	CREATE TABLE budget (id int PRIMARY KEY, amount numeric NOT NULL);
	CREATE TABLE use (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		budget_id int NOT NULL REFERENCES budget, amount numeric);
	SELECT idem.guard_limit('use', 'budget_id', amount => 'amount', cap => 'amount',
		used => 'used', released => NULL, children => 'editable');
	CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
	CREATE TRIGGER touch BEFORE UPDATE ON budget FOR EACH ROW EXECUTE FUNCTION touch();
	INSERT INTO payment SELECT i, 100 FROM generate_series(1, 1000) i;
	INSERT INTO budget SELECT i, 100 FROM generate_series(1, 1000) i;

	CREATE VIEW wrong AS
		SELECT 'payment' AS what, p.id FROM payment p
			LEFT JOIN (SELECT payment_id, sum(amount) AS amount, count(*) AS count
				FROM refund WHERE status <> 'failed' GROUP BY 1) r ON r.payment_id = p.id
			LEFT JOIN (SELECT payment_id, sum(amount) AS amount
				FROM chargeback WHERE status <> 'won' GROUP BY 1) c ON c.payment_id = p.id
			WHERE p.refunded + p.excess <> coalesce(r.amount, 0) + coalesce(c.amount, 0)
				OR p.refunds <> coalesce(r.count, 0) OR p.refunds > 40
				OR p.refunded > p.amount OR p.excess > coalesce(c.amount, 0)
		UNION ALL
		SELECT 'budget', b.id FROM budget b LEFT JOIN use u ON u.budget_id = b.id
			GROUP BY b.id HAVING b.used <> COALESCE(sum(u.amount), 0) OR b.used > b.amount;
});

# parents to choose from, and levels
my ($parents, @level);

# what was said in all, by SQLSTATE
my %total;

sub some_refund
{
	my ($status) = @_;
	return "(SELECT id FROM refund WHERE status = '$status' ORDER BY random() LIMIT 1)";
}

# One statement at random.
sub statement
{
	my $parent = 1 + int(rand($parents));
	my $amount = 1 + int(rand(60));
	my $use = '(SELECT id FROM use ORDER BY random() LIMIT 1)';
	my @choice = (
		"INSERT INTO refund (payment_id, amount) VALUES ($parent, $amount)",
		"INSERT INTO refund (payment_id, amount) VALUES ($parent, $amount)",
		"INSERT INTO refund (payment_id, amount) SELECT i, 7 FROM generate_series(1, 3) i",
		"INSERT INTO chargeback (payment_id, amount) VALUES ($parent, $amount)",
		"UPDATE chargeback SET status = 'won' WHERE id = (SELECT id FROM chargeback WHERE status = 'lost' ORDER BY random() LIMIT 1)",
		"UPDATE chargeback SET status = 'lost' WHERE id = (SELECT id FROM chargeback WHERE status = 'won' ORDER BY random() LIMIT 1)",
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
	my $sql = "BEGIN ISOLATION LEVEL $level[int(rand(@level))];\n" . statement();

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

# Let them all work, and look at what they say.
sub stress
{
	my ($name, $count, @levels) = @_;
	my %said;

	($parents, @level) = ($count, @levels);
	my @workers = map { start_psql("$name-$_", join('', map { transaction() } 1 .. $transactions)) } 1 .. $sessions;
	my $reader = start_psql("$name-reader", "SELECT * FROM wrong;\n" x 100);
	$_->{run}->finish for @workers, $reader;
	my $text = join('', map { slurp_file("$_->{file}.err") } @workers);
	my $seen = slurp_file("$reader->{file}.out") . slurp_file("$reader->{file}.err");

	while ($text =~ /(?:ERROR|FATAL|PANIC):\s+(\w{5}): (.*(?:\n(?!psql).*)*)/g)
	{
		# a race of the server, with any foreign key: a rival that is being
		# rolled back is no conflict any more, and still a member of the lock
		next if $2 =~ /^new multixact has more than one updating member/;
		$said{$1}++;
		note("$1: $2") if $1 eq 'XX000';
	}
	note("$name: " . join(', ', map { "$_: $said{$_}" } sort keys %said));
	is($seen, '', "$name: no snapshot during the work shows a wrong total");
	is($node->safe_psql('postgres', 'SELECT * FROM wrong'), '', "$name: every total is the sum in the end");
	$total{$_} += $said{$_} for keys %said;
	delete @said{qw(23I05 40001 40P01)};
	delete @said{qw(25P02 3B001)};    # what follows in a transaction that failed
	is(join(', ', sort keys %said), '', "$name: nothing else was said");
}

my @all = ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');
stress('few', 3, @all);
stress('thousand', 1000, @all);
stress("hot, $_", 1, $_) for @all;

my $accepted = $node->safe_psql('postgres',
	'SELECT (SELECT count(*) FROM refund) + (SELECT count(*) FROM use) + (SELECT count(*) FROM chargeback)');
note("rows: $accepted");
cmp_ok($accepted, '>', 100, 'children were accepted');
cmp_ok($total{'23I05'} // 0, '>', 0, 'children were refused');
cmp_ok($total{'40001'} // 0, '>', 0, 'transactions were told to try again');

done_testing();
