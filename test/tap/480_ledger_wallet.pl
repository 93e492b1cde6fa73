# The wallet of examples/wallet, driven by eight clients of pgbench with
# payments, holds, captures, releases and reversals that meet each other, at
# READ COMMITTED and at REPEATABLE READ, where pgbench tries again what is told
# 40001.  Proves: every balance is the sum of its transfers, what is held is
# what is pending and not captured, the total of each currency is zero, nobody
# is below the floor, nothing deadlocked; judged by views that use nothing of
# idem.  The doctor says the same.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $wallet = abs_path(dirname(abs_path($0)) . '/../../examples/wallet');
my $node = PostgreSQL::Test::Cluster->new('wallet');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\nmax_prepared_transactions = 2");
$node->start;

$node->psql('postgres', slurp_file("$wallet/wallet.sql"), on_error_stop => 1, on_error_die => 1);
$node->safe_psql('postgres', q{
	SELECT wallet.open('bank', 'EUR', true), wallet.open('fees', 'EUR', true);
	SELECT wallet.open('user ' || i, 'EUR') FROM generate_series(1, 10) i;
	SELECT wallet.pay(1, i, '100') FROM generate_series(3, 12) i;
	SELECT wallet.hold(3, 4, '1'), wallet.hold(5, 6, '2');
});

# What one does by hand
is($node->safe_psql('postgres', q{SELECT wallet.pay(3, 4, '200')}), 'not enough', 'no more than there is');
is($node->safe_psql('postgres', q{SELECT wallet.pay(3, 4, '98.95', '0.10')}), 'not enough', 'nor with the fee');
is($node->safe_psql('postgres', q{SELECT wallet.capture(11, '3')}), 'more than was held', 'no more than was held');
is($node->safe_psql('postgres', q{SELECT wallet.capture(11), wallet.capture(11)}), 'captured|captured before', 'captured once');
is($node->safe_psql('postgres', q{SELECT wallet.release(11), wallet.release(12), wallet.release(12)}),
	'captured before|released|no hold any more', 'released once');
is($node->safe_psql('postgres', q{SELECT wallet.capture(12)}), 'no hold any more', 'and not captured then');
is($node->safe_psql('postgres', q{SELECT wallet.reverse(1), wallet.reverse(1)}), 'not enough|not enough', 'reversed as far as it is there');
is($node->safe_psql('postgres', q{SELECT wallet.reverse(2), wallet.reverse(2)}), 'reversed|reversed before', 'reversed once');
my ($ret, $out, $err) = $node->psql('postgres', q{INSERT INTO wallet.transfer (debit_id, credit_id, amount, currency, reason, reverses) VALUES (5, 1, '99', 'EUR', 'x', 3)});
like($err, qr/foreign key/, 'a reversal is the mirror of its original');
($ret, $out, $err) = $node->psql('postgres', q{INSERT INTO wallet.transfer (debit_id, credit_id, amount, currency, reason) VALUES (5, 1, '1', 'USD', 'x')});
like($err, qr/is not the "currency" of account/, 'one currency');

# Eight clients
foreach my $level ('read committed', 'repeatable read')
{
	my $tries = $node->safe_psql('postgres', 'SHOW server_version_num') >= 150000 ? '--max-tries=100' : '';

	$ENV{PGOPTIONS} = "-c default_transaction_isolation=" . ($level =~ s/ /\\ /r);
	$node->command_checks_all(
		[ 'pgbench', '-n', '-c', '8', '-j', '2', '-t', '100', '-D', 'top=400', $tries, '-f', "$wallet/wallet.pgbench", $node->connstr('postgres') ],
		0, [qr{actually processed: 800/800}], [qr/^(?!.*deadlock)/s], "8 clients, $level");
	delete $ENV{PGOPTIONS};
	is($node->safe_psql('postgres', 'SELECT id FROM wallet.proof WHERE NOT holds'), '', "$level: every account");
	is($node->safe_psql('postgres', 'SELECT currency, balance, holds FROM wallet.total'), 'EUR|0.00|t', "$level: the total");
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM idem.doctor() WHERE object LIKE 'balance guard%'}), '0', 'the doctor');
cmp_ok($node->safe_psql('postgres', "SELECT count(DISTINCT reason) FROM wallet.transfer"), '==', 5, 'each kind of transfer');
unlike(slurp_file($node->logfile), qr/deadlock detected/, 'no deadlock');

# A journal in a prepared transaction is judged when it prepares
$node->safe_psql('postgres', q{
	CREATE TABLE journal (id int PRIMARY KEY);
	CREATE TABLE line (journal_id int NOT NULL REFERENCES journal, amount int NOT NULL);
	SELECT idem.guard_journal('line', 'journal_id', amount => 'amount');
});
($ret, $out, $err) = $node->psql('postgres', q{
	BEGIN; INSERT INTO journal VALUES (1); INSERT INTO line VALUES (1, 5); PREPARE TRANSACTION 'one'});
like($err, qr/journal 1 is not balanced/, 'PREPARE of a journal that is not balanced');
$node->safe_psql('postgres', q{
	BEGIN; INSERT INTO journal VALUES (1); INSERT INTO line VALUES (1, 5), (1, -5); PREPARE TRANSACTION 'one'});
$node->safe_psql('postgres', q{COMMIT PREPARED 'one'});
is($node->safe_psql('postgres', 'SELECT count(*) FROM line'), '2', 'of one that is');

# A dump and a restore: the same balances, guarded as before
my $dump = $node->basedir . '/wallet.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE again');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('again') ], 'restore');
my $all = 'SELECT id, balance, held FROM wallet.account ORDER BY id';
is($node->safe_psql('again', $all), $node->safe_psql('postgres', $all), 'the same balances');
is($node->safe_psql('again', 'SELECT id FROM wallet.proof WHERE NOT holds'), '', 'that hold');
is($node->safe_psql('again', q{SELECT count(*) FROM idem.guards WHERE kind IN ('balance', 'journal') AND intact}), '3', 'three guards');
is($node->safe_psql('again', q{SELECT wallet.pay(3, 4, '100000')}), 'not enough', 'guarded as before');
is($node->safe_psql('again', q{SELECT wallet.pay(1, 4, '1')}), 'paid', 'and written');

$node->stop;
done_testing();
