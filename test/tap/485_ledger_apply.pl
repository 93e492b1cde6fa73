# Balances and journals under logical replication.
#
# Method: two servers, a publication of the accounts, the journals and the
# entries, and the same guards on both sides.  Proves: what was judged at its
# origin is stored as it is, the balances arrive by themselves and are counted
# once, entries of many rows come without the trigger at the end of a
# statement, and the subscriber refuses to its own sessions what the origin
# refuses.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $schema = q{
	CREATE EXTENSION idem;
	CREATE TABLE account (id int PRIMARY KEY, floor int NOT NULL DEFAULT 0, balance int NOT NULL DEFAULT 0, held int NOT NULL DEFAULT 0);
	CREATE TABLE journal (id int PRIMARY KEY);
	CREATE TABLE entry (id int PRIMARY KEY, journal_id int NOT NULL REFERENCES journal, account_id int NOT NULL REFERENCES account,
		amount int NOT NULL, status text NOT NULL DEFAULT 'posted', hold_id int UNIQUE REFERENCES entry);
	SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', floor => 'floor',
		state => 'status', pending => '{pending}', released => '{void}', posts => 'hold_id');
	SELECT idem.guard_journal('entry', 'journal_id', amount => 'amount', state => 'status', pending => '{pending}', released => '{void}');
};
my $sums = q{SELECT a.id, a.balance, a.held,
	(SELECT coalesce(sum(amount), 0) FROM entry e WHERE account_id = a.id AND status = 'posted'),
	(SELECT coalesce(-sum(amount), 0) FROM entry e WHERE account_id = a.id AND status = 'pending' AND amount < 0
		AND NOT EXISTS (SELECT FROM entry p WHERE p.hold_id = e.id)) FROM account a ORDER BY 1};

my $origin = PostgreSQL::Test::Cluster->new('origin');
$origin->init(allows_streaming => 'logical');
$origin->start;
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init;
$copy->start;
$_->safe_psql('postgres', $schema) foreach $origin, $copy;

$origin->safe_psql('postgres', q{
	INSERT INTO account (id, floor) VALUES (0, -1000000), (1, 0), (2, 0);
	BEGIN; INSERT INTO journal VALUES (1); INSERT INTO entry VALUES (1, 1, 0, -100), (2, 1, 1, 100); COMMIT;
	CREATE PUBLICATION books FOR TABLE account, journal, entry;
});
$copy->safe_psql('postgres', "CREATE SUBSCRIPTION books CONNECTION '" . $origin->connstr . " dbname=postgres' PUBLICATION books");
$copy->wait_for_subscription_sync($origin, 'books') if $copy->can('wait_for_subscription_sync');
$copy->poll_query_until('postgres', q{SELECT count(*) = 2 FROM entry}) or die 'no first copy';
is($copy->safe_psql('postgres', $sums), "0|-100|0|-100|0\n1|100|0|100|0\n2|0|0|0|0", 'the first copy');

$origin->safe_psql('postgres', q{
	BEGIN; INSERT INTO journal VALUES (2); INSERT INTO entry VALUES (3, 2, 1, -30, 'pending'), (4, 2, 2, 30, 'pending'); COMMIT;
	BEGIN; INSERT INTO journal VALUES (3); INSERT INTO entry VALUES (5, 3, 1, -20, 'posted', 3), (6, 3, 2, 20, 'posted', 4); COMMIT;
	BEGIN; INSERT INTO journal VALUES (4); INSERT INTO entry VALUES (7, 4, 1, -5, 'pending'), (8, 4, 2, 5, 'pending'); COMMIT;
	UPDATE entry SET status = 'void' WHERE journal_id = 4;
	BEGIN; INSERT INTO journal SELECT 100 + i FROM generate_series(1, 50) i;
	INSERT INTO entry SELECT 1000 + 2 * i + s, 100 + i, s, CASE s WHEN 0 THEN -i ELSE i END FROM generate_series(1, 50) i, generate_series(0, 1) s; COMMIT;
});
$origin->wait_for_catchup('books');
is($copy->safe_psql('postgres', $sums), $origin->safe_psql('postgres', $sums), 'the same balances, holds and sums');
is($origin->safe_psql('postgres', $sums), "0|-1375|0|-1375|0\n1|1355|0|1355|0\n2|20|0|20|0", 'which are these');
is($copy->safe_psql('postgres', q{SELECT count(*) FROM idem.doctor() WHERE object ~ 'guard.*entry' AND severity = 'error'}), '0', 'the doctor of the copy');

my ($ret, $out, $err) = $copy->psql('postgres', q{
	BEGIN; INSERT INTO journal VALUES (900); INSERT INTO entry VALUES (901, 900, 1, -10000), (902, 900, 2, 10000); COMMIT});
like($err, qr/entry of -10000 exceeds the balance of account 1/, 'the copy refuses, too');
($ret, $out, $err) = $copy->psql('postgres', q{BEGIN; INSERT INTO journal VALUES (900); INSERT INTO entry VALUES (901, 900, 1, -1); COMMIT});
like($err, qr/journal 900 is not balanced/, 'and balances');

$copy->safe_psql('postgres', 'DROP SUBSCRIPTION books');
$_->stop foreach $copy, $origin;
done_testing();
