# Every operation on amounts gives what numeric gives, or is refused.
#
# test/property/money.sql makes random and boundary pairs and counts, operation
# by operation, what went wrong: a result that is not the one of numeric, and
# one beyond the range that was not refused with 22003.
#
# With the other tests it is short: 20,000 pairs.  The long run, a few minutes:
#
#	IDEM_PROPERTY_PAIRS=1000000 sh test/run.sh 120_money_property
#
# The seed is another one each time, and is said; IDEM_PROPERTY_SEED repeats a
# run.

use strict;
use warnings;

use FindBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $pairs = $ENV{IDEM_PROPERTY_PAIRS} || 20_000;
my $seed = $ENV{IDEM_PROPERTY_SEED} // int(rand(2_000_000)) / 1_000_000 - 1;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', 'max_wal_size = 4GB');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION idem');

note("$pairs pairs, seed $seed");
my $result = '';
$node->psql(
	'postgres', slurp_file("$FindBin::RealBin/../property/money.sql"),
	stdout => \$result,
	on_error_die => 1,
	extra_params => [ '-v', "pairs=$pairs", '-v', "seed=$seed" ]);

my @lines = grep { /\|/ } split(/\n/, $result);
cmp_ok(scalar @lines, '>=', 40, 'every operation was asked');
foreach my $line (@lines)
{
	my ($operation, $inside, $outside, $wrong) = split(/\|/, $line);

	is($wrong, 0, "$operation: $inside inside, $outside outside, seed $seed");
	cmp_ok($inside, '>', 0, "$operation: something is inside");
}
$node->stop;

done_testing();
