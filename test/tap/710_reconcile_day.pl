# The loop of a day: examples/payout/day.sql, on the bank of the payout example.
#
# The bank loses orders and answers, carries some out late, and answers about
# other orders; the workers of day.py ask nobody afterwards.  So payouts are
# unknown in the evening, and the bank's own book, as the file of the day, says
# what became of them.  Into the book are planted a payment that nobody ordered,
# one of another amount, one that was made twice, and a charge.  The loop finds
# each of them once, settles all that was unknown and leaves nothing else; run
# again it changes nothing; a corrected file heals what it corrects.
#
# Skipped without a python3 that has psycopg2.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run qw(run start);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($python) = grep { system("$_ -c 'import psycopg2' 2>/dev/null") == 0 } ('python3', '/usr/bin/python3');
plan skip_all => 'needs python3 with psycopg2' unless $python;

my $payout = abs_path(dirname(abs_path($0)) . '/../../examples/payout');
my $payouts = $ENV{IDEM_PAYOUTS} || 300;
my $seed = $ENV{IDEM_SEED} || time;
my $dir = PostgreSQL::Test::Utils::tempdir_short();
note("seed $seed");

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nmax_connections = 40\n");
$node->start;
my @psql = ('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'));

my ($made, $said);
run([ @psql, '-f', "$payout/day_tables.sql" ], '>', \$made, '2>', \$said) or die $said;

# The day
my $bank = start([ $python, '-B', "$payout/bank.py", "$dir/bank", "$dir/book", 'wild', $seed ]);
for (1 .. 100) { last if -S "$dir/bank"; select undef, undef, undef, 0.1; }
run([ $python, '-B', "$payout/day.py", $node->connstr('postgres'), "$dir/bank", '2018-11-26', $payouts ], '2>', \$said)
  or die $said;
$bank->signal('KILL');
eval { $bank->finish };

my %unknown = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', "SELECT id FROM payout WHERE status = 'sent'");
my @book = grep { defined } map { eval { decode_json($_) } } split /\n/, slurp_file("$dir/book");
my %line = map { $_->{serial} => $_ } @book;
my @paid = grep { $line{$_}{result} eq 'paid' } sort keys %line;
cmp_ok(scalar(keys %unknown), '>', $payouts / 20, 'of some payouts nobody knows what became of them');

# What is planted, into payouts of which everything is known
my ($another, $twice) = grep { !$unknown{$_} } @paid;
my @planted = map { {%$_} } @book;
$_->{amount} = sprintf('%.2f', $_->{amount} + 0.01) foreach grep { $_->{serial} eq $another } @planted;
push @planted, { %{ $line{$twice} } },
  { serial => 'x1', payee => 'mallory', amount => '99.00', result => 'paid' },
  { serial => undef, payee => 'bank', amount => '1.50', result => 'paid' };

# The loop, with a file: what it said
sub loop
{
	my $file = join('', map { JSON::PP->new->canonical->encode($_) . "\n" } @_);
	my ($out, $err);
	run([ @psql, '-v', 'day=2018-11-26', '-f', "$payout/day.sql" ], '<', \$file, '>', \$out, '2>', \$err) or die $err;
	note($out);
	return $out;
}

sub ask { return $node->safe_psql('postgres', $_[0]); }

my $open = "SELECT string_agg(kind || ' ' || coalesce(key->>'serial', '-'), ', ' ORDER BY kind) FROM idem.differences WHERE state = 'open'";
my $expected = "amount $another, duplicate_theirs $twice, missing_ours x1, unidentified -";

loop(@planted);
is(ask($open), $expected, 'every planted kind is found once, and nothing else is left');
is(ask("SELECT count(*) FROM payout WHERE status = 'sent'"), '0', 'nothing is unknown any more');
is( ask("SELECT count(*) FROM payout WHERE day = '2018-11-26' AND status = 'succeeded'"),
	scalar(@paid), 'what the bank paid has succeeded');
is(ask("SELECT string_agg(id, ' ' ORDER BY id COLLATE \"C\") FROM payout WHERE status = 'succeeded'"), join(' ', sort @paid),
	'and nothing else has');
is( ask("SELECT count(*) FROM payout WHERE status = 'failed'"),
	scalar(grep { $_->{result} eq 'rejected' } values %line), 'what it rejected has failed');
is( ask("SELECT count(*) FROM payout WHERE day = '2018-11-27' AND status = 'open'"),
	$payouts - scalar(keys %line), 'what is not in the file is sent again on the next day');
is(ask("SELECT count(*) FROM idem.open_claims WHERE state <> 'released'"), '0', 'no claim is open but those');
is(ask('SELECT count(*) FROM desk d JOIN idem.differences i ON i.id = d.difference WHERE i.state = \'open\''), '4', 'a person has the rest');
cmp_ok(ask("SELECT count(*) FROM idem.differences WHERE state = 'healed'"), '>', 0, 'what was unknown has healed');

# Again
my $before = ask("SELECT md5(string_agg((id, kind, state)::text, ',' ORDER BY id)) FROM idem.difference");
loop(@planted);
is(ask("SELECT md5(string_agg((id, kind, state)::text, ',' ORDER BY id)) FROM idem.difference"), $before, 'run again, it changes nothing');
is(ask('SELECT count(*) FROM bank_file'), '1', 'and the file is there once');

# The bank sends another file, in which two mistakes of its own are corrected
loop((grep { $_->{serial} // '' ne 'x1' } @book), { serial => 'x1', payee => 'mallory', amount => '99.00', result => 'paid' },
	{ serial => undef, payee => 'bank', amount => '1.50', result => 'paid' });
is(ask($open), 'missing_ours x1, unidentified -', 'a corrected file heals what it corrects');
is(ask("SELECT max(version) FROM idem.reconciled WHERE rule = 'payout day'"), '2', 'it is the second version');
is(ask("SELECT severity FROM idem.doctor() WHERE object = 'reconciliation \"payout day\"'"), 'error',
	'that somebody was paid whom we did not pay is an error');

# Nothing is sent on a closed day
my ($rc, $out, $err) = $node->psql('postgres',
	"INSERT INTO payout VALUES ('late', 'x', '1', 'open', '2018-11-26'); UPDATE payout SET status = 'sent' WHERE id = 'late'",
	on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
like($err, qr/23I0C/, 'the day is closed');

$node->stop;
done_testing();
