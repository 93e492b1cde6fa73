# The source is laid out as CONTRIBUTING.md says: no folder of src/ includes
# another but where it may, no two files of a folder need each other, and what a
# head names as the tests of its promise is there.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Test::More;

my $top = abs_path(dirname(abs_path($0)) . '/../..');

# What a folder may include besides itself and base/.
my %keys = map { $_ => 1 } qw(claim send channel bound);
my %totals = map { $_ => 1 } qw(limit ledger pair);

sub may_include
{
	my ($room, $header) = @_;
	return
		 $header =~ m{^(?:base|$room)/}
	  || $header eq 'money/money.h'
	  || ($header =~ m{^key/key(?!_inner)\w*\.h$} && $keys{$room})
	  || ($header eq 'codes/codes.h' && $room eq 'channel')
	  || ($header eq 'channel/channel.h' && $room eq 'send')
	  || ($header =~ m{^total/total\w*\.h$} && $totals{$room});
}

my (%text, %code, %defined_in);
foreach my $path (glob("$top/src/*/*.[ch]"))
{
	my $file = substr($path, length("$top/src/"));
	my $code = $text{$file} = slurp_file($path);

	$code =~ s{/\*.*?\*/}{}gs;
	$code{$file} = $code;
	next unless $file =~ /\.c$/;
	$code =~ s/^(?:static|PG_FUNCTION_INFO_V1)\b.*\n.*$//gm;
	$defined_in{$1} = $file while $code =~ /^(idem_\w+)\(/gm;
}

# Includes
foreach my $file (sort keys %code)
{
	my ($room) = $file =~ m{^(\w+)/};
	my @wrong = grep { -e "$top/src/$_" && !may_include($room, $_) } $code{$file} =~ /^#include "([^"]+)"/gm;

	is("@wrong", '', "$file includes nothing of another folder") if @wrong;
}

# Which files of its own folder a file needs, and what comes back to it
my %needs;
foreach my $file (grep { /\.c$/ } keys %code)
{
	my %other = map { $defined_in{$_} // $file => 1 } $code{$file} =~ /\b(idem_\w+)/g;
	my ($room) = $file =~ m{^(\w+/)};

	$needs{$file} = [ grep { $_ ne $file && index($_, $room) == 0 } sort keys %other ];
}

sub comes_back
{
	my ($start) = @_;
	my (%seen, @next);

	@next = @{ $needs{$start} };
	while (defined(my $file = shift @next))
	{
		return 1 if $file eq $start;
		push @next, @{ $needs{$file} } unless $seen{$file}++;
	}
	return 0;
}

my %of_room;
push @{ $of_room{ (split m{/})[0] } }, $_ foreach sort keys %needs;
foreach my $room (sort keys %of_room)
{
	my @circle = grep { comes_back($_) } @{ $of_room{$room} };

	is("@circle", '', "no two files of src/$room/ need each other");
}

# The tests that heads name: in each folder one head names a regress test, and
# one the spec of a race, but where nothing races
my %single = map { $_ => 1 } qw(money audit);
my %shown_by;
foreach my $path (grep { !m{/update/} } glob("$top/src/*/*.sql"))
{
	$text{ substr($path, length("$top/src/")) } = slurp_file($path);
}
foreach my $file (sort keys %text)
{
	my ($room) = $file =~ m{^(\w+)/};
	my ($shown) = $text{$file} =~ m{Shown by (.*?)\.\n(?: \*/|--)}s or next;

	$shown =~ s/\s*\n \* / /g;
	foreach my $test ($shown =~ m{([\w/]+\.(?:sql|spec|pl))}g)
	{
		ok(-e "$top/$test", "$file: there is $test");
		$shown_by{$room} .= " $test";
	}
}
my %rooms = map { (split m{/})[0] => 1 } keys %text;
foreach my $room (sort keys %rooms)
{
	like($shown_by{$room} // '', qr{\bsql/\w+\.sql\b}, "src/$room/: a head names the lesson of its promise");
	like($shown_by{$room} // '', qr{\bspecs/\w+\.spec\b}, "src/$room/: a head names the race of its promise")
	  unless $single{$room};
}
done_testing();
