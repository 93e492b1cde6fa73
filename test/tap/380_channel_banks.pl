# Payouts by two banks that answer in codes: examples/payout/storm.py with
# --banks two, in its short form.
#
# Besides what kills everybody in 350_send_payout, the banks answer with codes
# that nobody has listed, "serial used" of orders that they have just carried
# out, about other orders, with a part of the amount, and give money back later;
# one of them knows of nothing until its file says it. The worker knows no code:
# it hands on what it gets, sends again what was not answered, and if that
# settles nothing it tries the other bank at once. The banks' own books say
# that nobody was paid twice, idem.due that nobody was forgotten. The second
# run is the worker that maps codes by hand: it has to be found out.
#
# IDEM_SEED repeats the choices of a run, IDEM_STORM is its length in seconds.
# Skipped without a python3 that has psycopg2.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my ($python) = grep { system("$_ -c 'import psycopg2' 2>/dev/null") == 0 }
  ('python3', '/usr/bin/python3');
plan skip_all => 'needs python3 with psycopg2' unless $python;

my $storm = dirname(abs_path($0)) . '/../../examples/payout/storm.py';
my $seed = $ENV{IDEM_SEED} || time;
chomp(my $bin = `$ENV{PG_CONFIG} --bindir`) if $ENV{PG_CONFIG};
$bin ||= do { chomp(my $found = `pg_config --bindir`); $found };

# Both at the same time, since most of it is waiting.
sub start
{
	my ($clients, $length, @more) = @_;
	my $out = '';
	my $run = IPC::Run::start(
		[ $python, '-B', $storm, '--bin', $bin,
			'--dir', PostgreSQL::Test::Utils::tempdir_short(),
			'--seed', $seed, '--seconds', $length,
			'--banks', 'two', '--clients', $clients, @more ],
		'>', \$out, '2>&1');
	return sub
	{
		$run->finish;
		note($out);
		return ($run->result(0), $out);
	};
}

my $router = start('router', $ENV{IDEM_STORM} || 3, '--orders', 20);
my $byhand = start('byhand', 2, '--watch', 0, '--patience', 1, '--orders', 40);

my ($status, $out) = $router->();
is($status, 0, 'a worker that knows no code: no fault') or diag($out);
like($out, qr/nobody was paid twice, nobody was forgotten/, 'and that is said');
my ($paid) = $out =~ /^ +paid +(\d+)/m;
cmp_ok($paid // 0, '>', 5, 'and payouts were paid');

($status, $out) = $byhand->();
is($status, 1, 'a worker that maps codes by hand is found out');
like($out, qr/^(?:paid twice|told wrongly)/m, 'because it pays twice, or tells wrongly');

done_testing();
