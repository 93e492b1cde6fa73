# Every accident of test/claim_cases.md has its tests, and each of these says
# so: the list cannot go stale.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Test::More;

my $top = dirname(abs_path($0)) . '/../..';
my ($next, %cases) = (1);

sub text_of
{
	my ($test) = @_;
	my @files = grep { -f } "$top/sql/$test.sql", "$top/test/isolation/specs/$test.spec", "$top/test/tap/$test.pl";

	return join '', map { slurp_file($_) } @files;
}

foreach (split /\n/, slurp_file("$top/test/claim_cases.md"))
{
	my ($number, $tests) = /^\| (\d+) \|.*\| ([\w ]+) \|$/ or next;

	is($number, $next++, "C $number comes in its order");
	foreach my $test (split / /, $tests)
	{
		ok(text_of($test) =~ /\bC $number(?:[ab])?(?!\d)/, "C $number: $test shows it");
		push @{ $cases{$test} }, $number;
	}
}
is($next - 1, 84, 'all are there');

# And the other way round: no test shows what is not listed.
foreach my $file (glob("$top/{sql,test/isolation/specs}/{claim,key,send}*.{sql,spec} $top/test/tap/3*.pl"))
{
	my ($test) = $file =~ m{([^/]+)\.\w+$};
	my %listed = map { $_ => 1 } @{ $cases{$test} || [] };
	my @more = $test eq '360_claim_cases' ? () : grep { !$listed{$_} } slurp_file($file) =~ /\bC (\d+)/g;

	is("@more", '', "$test shows nothing else") if @more;
}
done_testing();
