# The rules of CONTRIBUTING.md that a program can judge.
#
# Method: the sources are read as text, the library by nm. Each check names its
# offenders and says what to do. Tabs count as four columns.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

my @c_files = sort(glob('src/*.c src/*/*.c'));
my @headers = sort(glob('src/*/*.h'));
my @sql = grep { !m{^src/update/} } sort(glob('src/*/*.sql'));    # frozen
my @scripts = sort(glob('test/*.sh test/*/*.sh test/*/*/*.sh bench/*.sh'));

sub lines_of
{
	my ($file) = @_;
	open(my $in, '<:encoding(UTF-8)', $file) or die "$file: $!";
	my @lines = <$in>;
	close($in);
	chomp(@lines);
	return @lines;
}

sub width
{
	my ($line) = @_;
	my $width = 0;
	foreach my $c (split(//, $line))
	{
		$width = $c eq "\t" ? ($width | 3) + 1 : $width + 1;
	}
	return $width;
}

sub none
{
	my ($offenders, $name, $remedy) = @_;
	is(join("\n", @$offenders), '', $name) or diag("=> $remedy");
	return;
}

# A string is not broken, or it could not be searched for; a macro of one line
# is no text to read; and the indenter puts arguments under their parenthesis,
# however far to the right that is.
sub may_be_wide
{
	my ($line) = @_;
	my ($indent) = $line =~ /^(\s*)/;
	return $line =~ /"/ || $line =~ /^#define/ || width($indent) >= 24;
}

my @wide;
foreach my $file (@c_files, @headers)
{
	my $n = 0;
	foreach my $line (lines_of($file))
	{
		$n++;
		push @wide, "$file:$n: " . width($line)
		  if width($line) > 80 && !may_be_wide($line);
	}
}
none(\@wide, 'C is at most 80 columns wide',
	'break the line');

my @blank;
foreach my $file (@c_files, @headers, @sql, @scripts)
{
	my $n = 0;
	foreach my $line (lines_of($file))
	{
		$n++;
		push @blank, "$file:$n" if $line =~ /[ \t]$/;
	}
}
none(\@blank, 'no line ends with a blank', 'remove it');

# An error without a code is XX000 to a client, which can do nothing with it;
# elog is for what cannot happen.
my @codeless;
foreach my $file (@c_files)
{
	my $text = join("\n", lines_of($file));
	while ($text =~ /\bereport\((?:ERROR|FATAL|elevel)\b(.*?)\);/gs)
	{
		my $body = $1;
		my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
		push @codeless, "$file:$line" if $body !~ /errcode/;
	}
}
none(\@codeless, 'every error has an SQLSTATE', 'add errcode(...)');

# Over each exported function: what it gives and what its caller has seen to.
my @uncommented;
my @long;
foreach my $file (@c_files)
{
	my @lines = lines_of($file);
	my $head;
	foreach my $n (0 .. $#lines)
	{
		if ($lines[$n] =~ /^(idem_\w+)\(/ && $lines[ $n - 1 ] !~ /^(static|extern|#|PG_)/)
		{
			my $name = $1;
			my $above = $n - 2;
			$above-- while $above > 0 && $lines[$above] =~ /^(PG_FUNCTION_INFO|pg_|$)/;
			push @uncommented, "$file:" . ($n + 1) . ": $name" if $lines[$above] !~ m{\*/\s*$};
		}
		if ($lines[$n] eq '{')
		{
			$head = $n;
		}
		elsif ($lines[$n] eq '}' && defined $head)
		{
			push @long, "$file:" . ($head + 1) . ': ' . ($n - $head + 1) . ' lines'
			  if $n - $head + 1 > 50;
			undef $head;
		}
	}
}
none(\@uncommented, 'every exported function has a comment over it',
	'say what it returns and what the caller has ensured');
none(\@long, 'no function is longer than 50 lines', 'name its parts');

my @large = grep { scalar(my @lines = lines_of($_)) > 800 } @c_files, @headers, @sql;
none(\@large, 'no file of src/ is longer than 800 lines', 'give an aspect of it a file of its own');

# The server has ten places in all for those who want to hear of changed tables,
# and ends the session that asks for one more.
my @callbacks = grep { $_ ne 'src/base/forget.c' && grep { /CacheRegisterRelcacheCallback/ } lines_of($_) } @c_files;
none(\@callbacks, 'one place of the relcache is enough', 'call idem_forget_with instead');

# A library shares its names with the server and all other libraries.
my $library = (grep { -e } 'idem.so', `pg_config --pkglibdir` =~ s/\n//r . '/idem.so')[0];
SKIP:
{
	skip 'no library or no nm', 1
	  if !$library || system('nm --version >/dev/null 2>&1') != 0;
	my @foreign = grep { !/^(idem_|pg_finfo_idem_|_PG_init$|_PG_fini$|Pg_magic_func$)/ }
	  map { (split(' '))[-1] } grep { / [TDBR] / } `nm -D --defined-only $library`;
	none(\@foreign, 'the library exports no name but its own', 'make it static, or call it idem_...');
}

# What a file is about stands at its top, under its own name.
my @headless = grep {
	my @lines = lines_of($_);
	my ($name) = m{([^/]+)$};
	!($lines[0] eq '/*' && $lines[1] eq " * $name");
} (@c_files, @headers);
none(\@headless, 'every file begins with its name and what it is about',
	'write the contract of the file');

done_testing();
