# A short storm of deliveries to consumers of every kind, with kills.
#
# Method: test/proof/storm.sh, whose head says what it does, on a server of its
# own with the idem under test; as long as it takes a few seconds.
use strict;
use warnings;

use File::Temp qw(tempdir);
use PostgreSQL::Test::Utils;
use Test::More;

# Short, because the path of a socket has to be.
local $ENV{TMPDIR} = tempdir('XXXX', DIR => $ENV{TMPDIR} // '/tmp', CLEANUP => 1);
my $said = qx(sh test/proof/storm.sh --installed --deliveries 4000 --keys 1200 --kills 2 2>&1);
is($? >> 8, 0, 'one effect each, none without a claim');
note($said);
like($said, qr/^4000 deliveries of 1200 keys, 2 kills, .* 0 wrong$/m, 'every delivery and every kill came');
like($said, qr/^naive: \d+ deliveries, 0 granted, [1-9]\d* effects refused$/m, 'those who do not claim were refused');
like($said, qr/^careless: \d+ deliveries, [1-9]\d* granted, [1-9]\d* effects refused$/m, 'and those who do not look');

done_testing();
