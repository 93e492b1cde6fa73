# Payouts under accidents: examples/payout/storm.py in its short form.
#
# Workers, server and bank are killed at random, the bank loses answers,
# answers late, twice and for another request; who looks only at granted and
# settled works beside who looks at everything. The bank's own book says that
# nobody was paid twice, idem.due that nobody was forgotten. In the second run the
# server is replaced by a backup or by a standby that lags, as the seed has it,
# and the database has a site. The third run is the worker that one writes without idem: it has to be found out.
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
my $seconds = $ENV{IDEM_STORM} || 4;
chomp(my $bin = `$ENV{PG_CONFIG} --bindir`) if $ENV{PG_CONFIG};
$bin ||= do { chomp(my $found = `pg_config --bindir`); $found };

# All three at the same time, since most of it is waiting.
sub start
{
	my ($clients, $length, @more) = @_;
	my $out = '';
	my $run = IPC::Run::start(
		[ $python, '-B', $storm, '--bin', $bin,
			'--dir', PostgreSQL::Test::Utils::tempdir_short(),
			'--seed', $seed, '--seconds', $length, '--clients', $clients, @more ],
		'>', \$out, '2>&1');
	return sub
	{
		$run->finish;
		note($out);
		return ($run->result(0), $out);
	};
}

my $storms = start('careful,careless', $seconds, '--orders', 30);
my $moves = start('careful,careless', 2, '--moves', 1, '--orders', 10);
my $naive = start('naive', 2, '--watch', 0, '--patience', 3, '--orders', 40);

my ($status, $out) = $storms->();
is($status, 0, 'careful and careless: no fault') or diag($out);
like($out, qr/nobody was paid twice, nobody was forgotten/, 'and that is said');
cmp_ok(($out =~ /worker killed +(\d+)/)[0] // 0, '>', 0, 'workers were killed');
cmp_ok(($out =~ /server killed/), '>', 0, 'so was the server');
my ($paid) = $out =~ /^ +paid +(\d+)/m;
cmp_ok($paid // 0, '>', 5, 'and payouts were paid');

($status, $out) = $moves->();
is($status, 0, 'the server is replaced: no fault') or diag($out);
like($out, qr/server replaced: [a-z ]+ 1$/m, 'by something older');

($status, $out) = $naive->();
is($status, 1, 'a worker without idem is found out');
like($out, qr/^paid twice/m, 'because it pays twice');

done_testing();
