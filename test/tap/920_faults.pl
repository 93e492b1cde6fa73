# Every kind of fault once, and what an oracle finds afterwards.
#
# Method: test/proof/faults.sh runs on a server of its own with the idem under test;
# its head says what it does. A full disk needs a small file system, which only
# root can mount: that round is skipped here, loudly.
use strict;
use warnings;

use File::Temp qw(tempdir);
use PostgreSQL::Test::Utils;
use Test::More;

# Short, because the path of a socket has to be.
local $ENV{TMPDIR} = tempdir('XXXX', DIR => $ENV{TMPDIR} // '/tmp', CLEANUP => 1);
my $seed = $ENV{IDEM_SEED} || time;
my $said = qx(sh test/proof/faults.sh --installed --rounds 16 --jobs 2 --seed $seed 2>&1);
is($? >> 8, 0, 'nothing is wrong after any fault');
note($said);
like($said, qr/^16 rounds, 1[56] faults, .*, 0 wrong; seed $seed$/m, 'every fault came');
my ($grants) = $said =~ /^16 rounds.* (\d+) effects granted/m;
cmp_ok($grants // 0, '>', 100, 'effects were granted');
my ($sent) = $said =~ /^16 rounds.* (\d+) sent/m;
cmp_ok($sent // 0, '>', 30, 'and sent');

done_testing();
