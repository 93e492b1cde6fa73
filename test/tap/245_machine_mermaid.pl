# The verdicts that sql/machine_mermaid.sql relies on are those of Mermaid.
#
# test/mermaid/verdicts.mjs makes the list anew, with the Mermaid in the folder
# that $MERMAID_MODULES names: the node_modules of an "npm install" in a copy of
# test/mermaid.  Without it there is nothing to compare.

use strict;
use warnings;

use File::Basename;
use IPC::Run qw(run);
use Test::More;

my $modules = $ENV{MERMAID_MODULES};
plan skip_all => 'MERMAID_MODULES names no folder with Mermaid'
  unless defined $modules && -d "$modules/mermaid";

my $place = dirname(__FILE__) . '/../mermaid';
my ($made, $err);
ok(run([ 'node', "$place/verdicts.mjs", $modules ], '>', \$made, '2>', \$err), 'Mermaid has read them all')
  or diag($err);
open my $file, '<', "$place/verdicts" or die "could not open the list: $!";
my @was = <$file>;
close $file;
my @is = split /^/, $made;
is(scalar @is, scalar @was, 'as many as in the list');
my @differ = grep { $is[$_] ne $was[$_] } 0 .. ($#is < $#was ? $#is : $#was);
is(scalar @differ, 0, 'the verdicts are the same');
diag("line $_: $is[$_]instead of $was[$_]") foreach grep { defined } @differ[ 0 .. 2 ];
done_testing();
