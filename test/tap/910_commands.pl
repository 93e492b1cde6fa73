# The demo as a user types it: what it says, and that nothing stays behind; and
# the table of results, which a script makes.
#
# Method: sh test/demo.sh runs from this checkout, beside everything else, with
# the server and the idem under test, twice at the same time.  (It builds one as
# test/run.sh has done, which is not done again.)  Its own temporary folder is
# looked for in TMPDIR, which is set to an empty folder for each.  One run gets an
# INT while its consumers are at work, sent to the script alone, as kill does it.
use strict;
use warnings;

use File::Temp qw(tempdir);
use PostgreSQL::Test::Utils;
use Test::More;

# Processes whose program lies in a folder.
sub still_running
{
	my ($place) = @_;
	return grep {
		my $exe = readlink("$_/exe") // '';
		index($exe, $place) == 0
	} glob('/proc/[0-9]*');
}

# Start the demo; gives its folder, its process id and a handle on what it says.
sub start_demo
{
	my @arguments = @_;
	# short, because the path of a socket has to be
	my $place = tempdir('XXXX', DIR => $ENV{TMPDIR} // '/tmp', CLEANUP => 1);
	local $ENV{TMPDIR} = $place;
	my $pid = open(my $said, '-|') // die "could not fork: $!";
	if ($pid == 0)
	{
		$SIG{INT} = 'DEFAULT';
		open(STDERR, '>&', \*STDOUT) or die;
		exec('sh', 'test/demo.sh', @arguments) or die "could not run sh: $!";
	}
	return ($place, $pid, $said);
}

my ($place, undef, $said) = start_demo('--installed');

subtest 'interrupted' => sub {
	my ($place, $pid, $said) = start_demo('--installed');
	my $text = '';
	while (my $line = <$said>)
	{
		$text .= $line;
		kill('INT', $pid) if $line =~ /^    [1-9][0-9]* of [0-9]+ deliveries/;
	}
	close($said);
	is($? >> 8, 130, 'it ends as an interrupted script does') or diag($text);
	like($text, qr/interrupted, cleaning up/, 'and says so');
	is(join(' ', glob("$place/*")), '', 'no folder stays behind');
	is(join(' ', still_running($place)), '', 'no process stays behind');
};

subtest 'to the end' => sub {
	my $text = join('', <$said>);
	close($said);
	is($? >> 8, 0, 'idem let nothing through') or diag($text);
	my %old = $text =~ /^    (\D+?) +([0-9.]+) +0(?:\.00)?(?: +0(?:\.00)?)?$/mg;
	foreach my $what ('users debited twice', 'debits without a claim',
		'payments that left a final state',
		'payments shipped more than once',
		'payouts paid twice', 'payouts paid, and told failed',
		'payouts not paid, and told succeeded',
		'paid out of the hot account beyond its balance',
		"paid out of the batch's account beyond its balance",
		'payouts that the banks made more than once',
		'purchases with more given back than bought')
	{
		cmp_ok($old{$what} // 0, '>', 0, "the old way: $what");
	}
	like($text, qr/^    debits without a claim +[1-9]\d* +0 +0$/m,
		'consumers that do not claim debit nobody');
	like($text, qr/^    payouts that both sides have, once +\d+ +[1-9]\d*$/m,
		'the day of the payouts is reconciled');
	like($text, qr/verdicts unlike the list of 94 +0$/m,
		'all 94 cancellations are judged as listed');
	like($text, qr/psql: sh test\/demo\.sh --keep/, 'it says how to look in');
	is(join(' ', glob("$place/*")), '', 'no folder stays behind');
	is(join(' ', still_running($place)), '', 'no process stays behind');
};

subtest 'results of the proofs' => sub {
	system('sh', 'test/proof/result.sh', '--check');
	is($? >> 8, 0, 'test/RESULTS.md is made of the rows in test/proof/results/');
};

done_testing();
