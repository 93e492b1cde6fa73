# Every example in README.md, README.zh.md and docs/*.md runs, in the order of
# its page, and gives what the page says.
#
# A ```sql block is sent to psql as it stands.  If a ```text block follows
# it, psql must print exactly that, errors included; if none follows, the
# block must run without an error and what it prints does not matter.  Each
# page has a database of its own: README.md an empty one, a page of docs/ one
# with the extension in it, or, if it links to ../README.md#first-use, one in
# which the examples of README.md have run.  The roles that a page makes are
# dropped after it.

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
	my ($node, $database, $sql) = @_;
	my $printed;

	IPC::Run::run(
		[
			'psql', '-X', '-q', '-d', $node->connstr($database),
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
$node->start;

# The doctor complains of what test clusters do to be fast.
sub set_fsync
{
	my ($node, $value) = @_;

	return if $node->safe_psql('postgres', 'SHOW fsync') eq $value;
	$node->safe_psql('postgres', "ALTER SYSTEM SET fsync = $value");
	$node->reload;
	$node->poll_query_until('postgres', 'SHOW fsync', $value)
	  or die "fsync is not $value";
	return;
}

# Runs the examples of a page in a database; how many there are.
sub check_page
{
	my ($node, $page, $database) = @_;
	my @blocks = blocks($page);
	my $examples = 0;

	set_fsync($node, 'on') if grep { $_->[2] =~ /idem\.doctor\(\)/ } @blocks;

	while (my $block = shift @blocks)
	{
		my ($line, $language, $sql) = @$block;
		next unless $language eq 'sql';

		my $printed = psql_prints($node, $database, $sql);
		$examples++;
		if (@blocks && $blocks[0][1] eq 'text')
		{
			my $expected = shift @blocks;
			is($printed, tidy($expected->[2]), "$page: example in line $line");
		}
		else
		{
			unlike($printed, qr/^(ERROR|FATAL|WARNING):/m,
				"$page: example in line $line runs");
		}
	}
	set_fsync($node, 'off');
	return $examples;
}

# The database of a page, and whatever roles it has made, go with it.
sub forget_page
{
	my ($node, $database) = @_;

	$node->safe_psql('postgres', "DROP DATABASE $database");
	$node->safe_psql('postgres', $_) foreach split /\n/, $node->safe_psql('postgres',
		"SELECT format('DROP ROLE %I', rolname) FROM pg_roles
		 WHERE oid >= 16384 ORDER BY 1");
	return;
}

# What a page of docs/ finds in its database
sub prepare_page
{
	my ($node, $page, $database) = @_;

	my $first_use = slurp_file($page) =~ m{\.\./README\.md#first-use};
	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE "
		  . ($first_use ? 'readme' : 'installed'));
	return;
}

# Every link from one page to another leads to a page, and to a head in it.
sub check_links
{
	my ($page) = @_;
	my ($folder) = $page =~ m{^(.*/)};
	my @dead;

	foreach my $link (slurp_file($page) =~ /\]\(([^)\s]+)\)/g)
	{
		next if $link =~ /^https?:/;
		my ($file, $head) = $link =~ /^([^#]*)(?:#(.*))?$/;
		$file = $file eq '' ? $page : ($folder // '') . $file;
		my $there = -e $file;
		if ($there && defined $head)
		{
			my @heads = map { lc s/[^\w\s-]//gr =~ s/\s/-/gr } slurp_file($file) =~ /^#+ (.*)$/mg;
			$there = grep { $_ eq $head } @heads;
		}
		push @dead, $link if !$there;
	}
	is("@dead", '', "$page: links lead somewhere");
	return;
}

$node->safe_psql('postgres', 'CREATE DATABASE readme');
$node->safe_psql('postgres', 'CREATE DATABASE installed');
$node->safe_psql('installed', 'CREATE EXTENSION idem');
cmp_ok(check_page($node, 'README.md', 'readme'),
	'>=', 4, 'the first page has examples');

check_links($_) foreach 'README.md', 'README.zh.md', 'CONTRIBUTING.md', glob('docs/*.md'), 'test/README.md';
$node->safe_psql('postgres', 'CREATE DATABASE zh');
check_page($node, 'README.zh.md', 'zh');
forget_page($node, 'zh');
foreach my $page (sort(glob('docs/*.md')))
{
	my ($name) = $page =~ m{(\w+)\.md$};
	prepare_page($node, $page, "page_$name");
	check_page($node, $page, "page_$name");
	forget_page($node, "page_$name");
}

$node->stop;
done_testing();
