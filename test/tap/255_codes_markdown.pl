# Whatever table of return codes is accepted, GitHub's own Markdown draws as it
# was read: one table and nothing else, as many rows, and in the columns of code
# and meaning what idem lists.
#
# Tables are made at random of what Markdown has a meaning for: stars, backticks,
# backslashes, pipes, brackets, tags, entities, pipes at the edges or none, blanks,
# alignments. Most are refused; each that is not is drawn by cmark-gfm, GitHub's
# fork of the reference implementation.
#
# Skipped without cmark-gfm (Debian: the package of that name). IDEM_MARKDOWN is
# how many tables are made, IDEM_SEED repeats a run.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs cmark-gfm' if system('cmark-gfm --version >/dev/null 2>&1') != 0;

my $seed = $ENV{IDEM_SEED} || time;
my $tables = $ENV{IDEM_MARKDOWN} || 800;
srand($seed);
note("seed $seed");

my @plain = qw(0000 R01 a b_c 17 x.y A/B 10000/OK RJCT/* E:1 中 -1 +1);
my @nasty = ('*', '**', '_', '__', '`', '``', '\\', '\\|', '\\\\', '\\*', '<b>', '&amp;', '&#42;', '~~', '~', '[x]', '[x](y)', '![x](y)',
	'(y)', '!', '#', '##', '-', '--', '+', '.', '/', '//', '/*', ':', '::', ' ', '  ', '$', '"', '>', '1.', '1. ', '- ', '=', 'www.a.b',
	'http://a.b', '<http://a.b>', 'a@b.c', '<!-- -->', '<br>', '\\`', '*a*', '_a_', '`a`', '`a\\|b`', '` a `', '^', '|', "\xC2\xA0", '&nbsp;');

sub one { return $_[ rand @_ ] }

sub some
{
	my $cell = join '', map { rand() < 0.5 ? one(@plain) : one(@nasty) } 1 .. 1 + rand 3;
	return rand() < 0.3 ? "`$cell`" : $cell;
}

sub cell { return rand() < 0.5 ? one(@plain) : some() }

sub meaning
{
	return one('failed', 'failed', 'unknown', 'returned', 'absent', 'failed [all: ' . some() . ']', 'succeeded', 'succeeded [also: ' . some() . ']', some());
}

# The cells of a line, with or without pipes at its edges
sub line
{
	my $line = join one('|', ' | ', '  |'), @_;

	$line = one('|', '| ') . $line if rand() < 0.8;
	$line .= one('|', ' |') if rand() < 0.8;
	return one('', '', ' ', '   ') . $line . one('', '', ' ', "\r") . "\n";
}

sub table
{
	my @headings = rand() < 0.5 ? ('code', 'meaning', 'note') : one([ 'meaning', 'code' ], [ 'note', 'Code', 'meaning' ], [ 'code', 'meaning' ])->@*;
	my $text = line(@headings) . line(map { one('---', '-', ':--', '--:', ':-:', '--') } @headings);

	foreach (1 .. 1 + rand 3)
	{
		$text .= line(map { lc eq 'code' ? cell() : $_ eq 'meaning' ? meaning() : rand() < 0.7 ? 'words' : some() } @headings);
	}
	return $text;
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION idem; CREATE TABLE t (n int, codes text)');

my @texts = map { table() } 1 .. $tables;
$node->safe_psql('postgres', 'INSERT INTO t VALUES ' . join ",\n", map { "($_, \$tab\$$texts[$_]\$tab\$)" } 0 .. $#texts);
$node->safe_psql('postgres',
	q{SELECT count(*) FROM t, LATERAL idem.define_return_codes('t/' || n, codes) WHERE NOT EXISTS (SELECT FROM idem.check_return_codes(codes))});
my %listed;
foreach (split /\n/, $node->safe_psql('postgres', q{SELECT n, c.code, c.meaning FROM t JOIN idem.return_code_table r ON r.name = 't/' || n, idem.listed_codes(r.name) c ORDER BY n, c.line}))
{
	my ($n, $rest) = split /\|/, $_, 2;
	my ($code, $meaning) = $rest =~ /^(.*)\|(\w+)$/;

	push @{ $listed{$n} }, [ $code, $meaning ];
}

# A cell as it is seen: without the tags that change nothing
sub seen
{
	my ($html) = @_;

	$html =~ s{</?(?:code|a)(?: [^>]*)?>}{}g;
	$html =~ s/&(lt|gt|quot|amp);/{ lt => '<', gt => '>', quot => '"', amp => '&' }->{$1}/ge;
	return $html;
}

my $file = PostgreSQL::Test::Utils::tempdir() . '/table.md';

sub drawn
{
	my ($text) = @_;

	open(my $out, '>:raw', $file) or die;
	print $out $text;
	close $out;
	return scalar `cmark-gfm -e table -e strikethrough -e autolink --to html $file`;
}

# What is wrong with how a table is drawn, or nothing
sub wrong
{
	my ($html, @rows) = @_;

	return 'no table, or more than it' unless $html =~ m{^<table>\n.*\n</table>\n$}s && $html !~ m{<table>.*<table>}s;
	my @headings = map { lc } $html =~ m{<th[^>]*>(.*?)</th>}g;
	my ($code) = grep { $headings[$_] eq 'code' } 0 .. $#headings;
	my ($meaning) = grep { $headings[$_] eq 'meaning' } 0 .. $#headings;
	return 'no headings' unless defined $code && defined $meaning;
	my @drawn = (split /<tbody>/, $html)[1] =~ m{<tr>(.*?)</tr>}gs;
	return @drawn . ' rows instead of ' . @rows unless @drawn == @rows;
	foreach my $i (0 .. $#rows)
	{
		my @cells = $drawn[$i] =~ m{<td[^>]*>(.*?)</td>}gs;

		return "code $cells[$code] instead of $rows[$i][0]" unless seen($cells[$code]) eq $rows[$i][0];
		return "meaning $cells[$meaning] instead of $rows[$i][1]" unless $cells[$meaning] =~ /^$rows[$i][1]\b/;
	}
	return '';
}

my @bad;
foreach my $n (sort { $a <=> $b } keys %listed)
{
	my $why = wrong(drawn($texts[$n]), @{ $listed{$n} });

	push @bad, "$why:\n$texts[$n]" if $why;
}
is(join("\n", @bad[ 0 .. ($#bad < 4 ? $#bad : 4) ]), '', scalar(keys %listed) . " accepted tables of $tables are drawn as they are read");
cmp_ok(scalar keys %listed, '>', $tables / 20, 'some are accepted');
done_testing();
