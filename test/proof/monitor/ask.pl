# ask.pl - ask a Prometheus, for proof/monitor.sh
#
#	perl ask.pl URL rules RULES.yml		every metric that the rules name
#	perl ask.pl URL board BOARD.json	every expression of the board
#	perl ask.pl URL alerts			the alerts that are active
#	perl ask.pl URL draw BOARD.json FROM	the board as it is now, as SVG
#
# The first two write a line for each: its number of series, 0 where there is
# none, and what was asked.

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP;
use Time::HiRes qw(time);

my ($url, $what, $file, $from) = @ARGV;

sub api
{
	my ($path, %args) = @_;
	my $http = HTTP::Tiny->new(timeout => 30);
	my $query = $http->www_form_urlencode(\%args);
	my $answer = $http->get("$url/api/v1/$path?$query");
	die "$path: $answer->{content}\n" unless $answer->{success};
	return decode_json($answer->{content})->{data};
}

sub slurp
{
	my ($name) = @_;
	open my $in, '<', $name or die "could not open $name: $!\n";
	local $/;
	return <$in>;
}

sub count_series
{
	my ($expr) = @_;
	return scalar @{ api('query', query => $expr)->{result} };
}

my $board = $what eq 'board' || $what eq 'draw' ? decode_json(slurp($file)) : undef;
if ($what eq 'rules')
{
	my %metrics;
	foreach my $line (split /\n/, slurp($file))
	{
		next unless $line =~ /^\s*(?:- )?(?:expr|record):(.*)/;
		$metrics{$_} = 1 foreach $1 =~ /\b(idem[_:]\w+)/g;
	}
	printf "%d %s\n", count_series($_), $_ foreach sort keys %metrics;
}
elsif ($what eq 'board')
{
	foreach my $panel (@{ $board->{panels} })
	{
		printf "%d %s\n", count_series($_->{expr}), $_->{expr} foreach @{ $panel->{targets} };
	}
}
elsif ($what eq 'alerts')
{
	my %state;
	foreach my $group (@{ api('rules')->{groups} })
	{
		foreach my $rule (@{ $group->{rules} })
		{
			print "unwell $rule->{name}: $rule->{lastError}\n" if $rule->{health} ne 'ok';
			print "$rule->{state} $rule->{name}\n" if $rule->{type} eq 'alerting';
		}
	}
}
elsif ($what eq 'draw')
{
	draw();
}
else
{
	die "what?\n";
}

# ---------------------------------------------------------------- the picture

# One picture of the panels, in the places that the board gives them.
my ($unit_x, $unit_y, @colours);

sub escape
{
	my ($text) = @_;
	$text =~ s/&/&amp;/g;
	$text =~ s/</&lt;/g;
	$text =~ s/>/&gt;/g;
	return $text;
}

sub legend
{
	my ($format, $labels) = @_;
	$format =~ s/\{\{(\w+)\}\}/$labels->{$1} \/\/ ''/ge;
	$format =~ s/\s+/ /g;
	return $format;
}

sub number
{
	my ($value, $unit) = @_;
	if (($unit // '') eq 's')
	{
		return sprintf '%.0f s', $value if $value < 120;
		return sprintf '%.0f min', $value / 60 if $value < 7200;
		return sprintf '%.1f h', $value / 3600;
	}
	return $value == int $value ? sprintf '%d', $value : sprintf '%.2f', $value;
}

sub words
{
	my ($x, $y, $text, %more) = @_;
	my $style = join ' ', map { qq($_="$more{$_}") } sort keys %more;
	printf qq(<text x="%.1f" y="%.1f" %s>%s</text>\n), $x, $y, $style, escape($text);
}

# What a panel shows now: [legend, value], by legend
sub now_of
{
	my ($panel) = @_;
	my @shown;
	foreach my $target (@{ $panel->{targets} })
	{
		foreach my $series (@{ api('query', query => $target->{expr})->{result} })
		{
			push @shown, [ legend($target->{legendFormat}, $series->{metric}), $series->{value}[1], $series->{metric} ];
		}
	}
	return sort { $a->[0] cmp $b->[0] } @shown;
}

sub draw_stat
{
	my ($panel, $x, $y, $w, $h) = @_;
	my @shown = now_of($panel);
	my $each = $w / (@shown || 1);
	foreach my $i (0 .. $#shown)
	{
		my ($name, $value) = @{ $shown[$i] };
		my $is_well = $panel->{title} eq 'Well';
		my $text = $is_well ? ($value == 1 ? 'well' : 'look') : number($value);
		my $good = $is_well ? $value == 1 : $value == 0;
		printf qq(<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="3" fill="%s"/>\n),
		  $x + $i * $each + 2, $y, $each - 4, $h, $good ? '#2f6b3a' : '#8f2d2d';
		words($x + ($i + 0.5) * $each, $y + $h / 2 - 2, $text, 'text-anchor' => 'middle', 'font-size' => 16, fill => '#fff');
		words($x + ($i + 0.5) * $each, $y + $h / 2 + 14, $name, 'text-anchor' => 'middle', 'font-size' => 9, fill => '#ddd');
	}
}

sub draw_bars
{
	my ($panel, $x, $y, $w, $h) = @_;
	my @shown = now_of($panel);
	@shown = sort { bound_of($a) <=> bound_of($b) } @shown if grep { exists $_->[2]{le} } @shown;
	my ($most) = sort { $b <=> $a } map { $_->[1] } @shown;
	my $each = $h / (@shown || 1);
	$each = 24 if $each > 24;
	foreach my $i (0 .. $#shown)
	{
		my ($name, $value) = @{ $shown[$i] };
		my $at = $y + $i * $each;
		printf qq(<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="#3b6ea5"/>\n),
		  $x + $w * 0.5, $at + 2, ($w * 0.5 - 44) * ($most ? $value / $most : 0), $each - 4;
		words($x, $at + $each * 0.68, $name, 'font-size' => 10, fill => '#ccc');
		words($x + $w, $at + $each * 0.68, number($value), 'text-anchor' => 'end', 'font-size' => 10, fill => '#fff');
	}
}

sub bound_of
{
	my ($shown) = @_;
	my $le = $shown->[2]{le} // 0;
	return $le eq '+Inf' ? 1e99 : $le;
}

sub draw_table
{
	my ($panel, $x, $y, $w, $h) = @_;
	my @shown = now_of($panel);
	my $columns = @shown > 8 ? 2 : 1;
	my $rows = int((@shown + $columns - 1) / $columns) || 1;
	my $each = $h / $rows > 14 ? 14 : $h / $rows;
	foreach my $i (0 .. $#shown)
	{
		my ($name, $value) = @{ $shown[$i] };
		my $unit = $panel->{fieldConfig}{defaults}{unit};
		my ($left, $base) = ($x + int($i / $rows) * $w / $columns, $y + ($i % $rows + 0.8) * $each);
		words($left, $base, $name, 'font-size' => $columns > 1 ? 5.8 : 10, fill => '#ccc');
		words($left + $w / $columns, $base, number($value, $unit), 'text-anchor' => 'end', 'font-size' => 10, fill => '#fff')
		  if defined $unit;
	}
}

sub draw_lines
{
	my ($panel, $x, $y, $w, $h) = @_;
	my $to = time;
	my $unit = $panel->{fieldConfig}{defaults}{unit};
	my @lines;
	foreach my $target (@{ $panel->{targets} })
	{
		my $data = api('query_range', query => $target->{expr}, start => $from, end => $to, step => 1);
		push @lines, [ legend($target->{legendFormat}, $_->{metric}), $_->{values} ] foreach @{ $data->{result} };
	}
	@lines = sort { $a->[0] cmp $b->[0] } @lines;
	my $rows = int((@lines + 1) / 2);
	my $plot = $h - 12 * $rows - 4;
	my ($most) = sort { $b <=> $a } map { $_->[1] } map { @{ $_->[1] } } @lines;
	$most ||= 1;
	foreach my $part (0, 0.5, 1)
	{
		printf qq(<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#444" stroke-width="0.5"/>\n),
		  $x + 34, $y + $plot * (1 - $part), $x + $w, $y + $plot * (1 - $part);
		words($x + 30, $y + $plot * (1 - $part) + 3, number($most * $part, $unit), 'text-anchor' => 'end', 'font-size' => 8, fill => '#999');
	}
	foreach my $i (0 .. $#lines)
	{
		my ($name, $values) = @{ $lines[$i] };
		my $colour = $colours[ $i % @colours ];
		my $points = join ' ', map {
			sprintf '%.1f,%.1f', $x + 34 + ($w - 34) * ($_->[0] - $from) / ($to - $from), $y + $plot * (1 - $_->[1] / $most)
		} @$values;
		print qq(<polyline points="$points" fill="none" stroke="$colour" stroke-width="1.5"/>\n);
		my ($lx, $ly) = ($x + ($i % 2) * $w / 2, $y + $plot + 14 + 12 * int($i / 2));
		printf qq(<rect x="%.1f" y="%.1f" width="8" height="3" fill="%s"/>\n), $lx, $ly - 4, $colour;
		words($lx + 11, $ly, $name, 'font-size' => 8.5, fill => '#ccc');
	}
}

sub draw
{
	my %how = (stat => \&draw_stat, bargauge => \&draw_bars, table => \&draw_table, timeseries => \&draw_lines);
	my ($lowest) = sort { $b <=> $a } map { $_->{gridPos}{y} + $_->{gridPos}{h} } @{ $board->{panels} };

	($unit_x, $unit_y) = (40, 20);
	@colours = map { '#' . $_ } qw(7eb26d eab839 6ed0e0 ef843c e24d42 8ab8ff ba43a9 b3b3b3);
	printf qq(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif">\n), 24 * $unit_x, $lowest * $unit_y;
	print qq(<rect width="100%" height="100%" fill="#111217"/>\n);
	foreach my $panel (@{ $board->{panels} })
	{
		my ($x, $y, $w, $h) = map { $panel->{gridPos}{$_} } qw(x y w h);
		$_ *= $unit_x foreach $x, $w;
		$_ *= $unit_y foreach $y, $h;
		printf qq(<rect x="%d" y="%d" width="%d" height="%d" rx="3" fill="#181b1f" stroke="#2c3235"/>\n), $x + 2, $y + 2, $w - 4, $h - 4;
		words($x + 10, $y + 17, $panel->{title}, 'font-size' => 11, 'font-weight' => 'bold', fill => '#ddd');
		$how{ $panel->{type} }->($panel, $x + 10, $y + 26, $w - 20, $h - 36);
	}
	print "</svg>\n";
}
