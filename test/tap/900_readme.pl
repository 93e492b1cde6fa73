# Every example in the README runs, in the order of the page, and gives what
# the page says.
#
# A ```sql block is sent to psql as it stands.  If a ```text block follows
# it, psql must print exactly that, errors included; if none follows, the
# block must run without an error and what it prints does not matter.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# The fenced blocks of a page: [first line, language, text].
sub blocks
{
	my ($file) = @_;
	my (@found, $open);

	open(my $page, '<', $file) or die "could not open $file: $!";
	while (my $line = <$page>)
	{
		if ($open && $line =~ /^```$/)
		{
			push @found, $open;
			undef $open;
		}
		elsif ($open)
		{
			$open->[2] .= $line;
		}
		elsif ($line =~ /^```(\w*)$/)
		{
			$open = [ $., $1, '' ];
		}
	}
	close($page);
	die "$file: block in line $open->[0] does not end" if $open;
	return @found;
}

# What psql prints for some SQL, errors among the rest, blank ends cut off.
sub psql_prints
{
	my ($node, $sql) = @_;
	my ($printed, $status);

	IPC::Run::run(
		[
			'psql', '-X', '-q', '-d', $node->connstr('postgres'),
			'-v', 'ON_ERROR_STOP=0'
		],
		'<', \$sql, '>', \$printed, '2>&1');
	return tidy($printed);
}

sub tidy
{
	my ($text) = @_;

	$text =~ s/[ \t]+$//mg;
	$text =~ s/\n+\z/\n/;
	return $text;
}

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init;
# the doctor would complain of what test clusters do to be fast
$node->append_conf('postgresql.conf', 'fsync = on');
$node->start;

my @blocks = blocks('README.md');
my $examples = 0;

while (my $block = shift @blocks)
{
	my ($line, $language, $sql) = @$block;
	next unless $language eq 'sql';

	my $printed = psql_prints($node, $sql);
	$examples++;
	if (@blocks && $blocks[0][1] eq 'text')
	{
		my $expected = shift @blocks;
		is($printed, tidy($expected->[2]), "example in line $line");
	}
	else
	{
		unlike($printed, qr/^(ERROR|FATAL|WARNING):/m,
			"example in line $line runs");
	}
}

cmp_ok($examples, '>=', 8, 'the page has examples');
$node->stop;
done_testing();
