# A database that moved: standbys that are promoted, backups that are recovered.
# What was sent since is not sent again before an operator has said how much is
# missing; where nothing can be missing, none is needed. And what no server can
# know by itself: an old primary that nobody has fenced, which standbys fence.
#
# Method: all servers include one file, in a folder beside theirs, that says
# that they are the site: nothing but the stamp tells them apart. A standby is
# cut off from its primary, effects leave there, the primary is killed and the
# standby promoted; a bank keeps who sent what. Where a synchronous standby is
# only to confirm, pg_receivewal is it.

use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
append_to_file("$dir/site.conf", "idem.site = 'production'\n");
mkdir "$dir/$_" foreach qw(archive received);

sub ask { my ($node, $sql) = @_; return $node->safe_psql('postgres', $sql); }
sub here { return ask(shift, "SELECT coalesce(idem.misplaced(), 'here')"); }
sub reserve { my ($node, $key, $scope) = @_; $scope //= 'payout'; return ask($node, "SELECT outcome FROM idem.reserve('$scope', '$key')"); }

# Dispatch with the first token, or another one; what was granted the bank has.
my %bank;
sub send_it
{
	my ($node, $key, $token, $scope) = @_;
	my $said = ask($node, sprintf("CALL idem.dispatch('%s', '%s', %d)", $scope // 'payout', $key, $token // 1)) =~ s/\|.*//sr;

	push @{ $bank{$key} }, $node->name if $said eq 'granted';
	return $said;
}

# A copy of a node that is started as it says.
sub copy_of
{
	my ($from, $backup, $name, %how) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init_from_backup($from, $backup, has_streaming => $how{streaming} // 0);
	$node->append_conf('postgresql.conf', $how{conf} // '');
	$node->set_recovery_mode if $how{recover};
	$node->set_standby_mode if $how{standby};
	$node->start;
	return $node;
}

# The standby hears nothing from now on.
sub cut_off
{
	my ($node) = @_;

	$node->append_conf('postgresql.conf', "primary_conninfo = ''");
	$node->reload;
	$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_stat_wal_receiver') or die 'still connected';
}

my $old = PostgreSQL::Test::Cluster->new('old');
$old->init(allows_streaming => 1);
$old->append_conf('postgresql.conf', "include '$dir/site.conf'\nstatement_timeout = '1min'\nwal_keep_size = 128MB");
$old->start;
$old->backup('early');
my $new = copy_of($old, 'early', 'new', streaming => 1,
	conf => "archive_mode = always\narchive_command = 'test -f $dir/archive/%f || cp %p $dir/archive/%f'");

ask($old, q{
	CREATE EXTENSION idem;
	SELECT idem.define_return_codes('bank/' || i, E'| code | meaning |\n| --- | --- |\n| 00 | succeeded |\n| 05 | failed |') FROM unnest('{pay,daily/pay}'::text[]) i;
	SELECT idem.define_return_codes('bank/' || i, E'| code | meaning |\n| --- | --- |\n| 00 | succeeded |\n| 44 | absent |') FROM unnest('{query,daily/query}'::text[]) i;
	SELECT idem.create_calendar('bank', time_zone => 'UTC', cut => '24:00', weekend => '{}');
	SELECT idem.create_channel('bank', send => 'bank/pay', inquire => 'bank/query', serial => 'P{seq:9}', serial_per => 'attempt', absence => 'inquiry', quiet => '0');
	SELECT idem.create_channel('daily', send => 'bank/daily/pay', inquire => 'bank/daily/query', serial => '{YYYYMMDD}{seq:9 per day}', serial_per => 'attempt', calendar => 'bank', quiet => '0');
	SELECT idem.create_scope('payout', 'outside', '{}', quiet => '0', lease => '1 hour', ladder => '{1 hour}', channels => '{bank}');
	SELECT idem.create_scope('daily', 'outside', '{}', quiet => '0', channels => '{daily}');
	SELECT idem.set_site('production');
	CREATE ROLE app;
	CREATE ROLE duty;
	SELECT idem.grant_runtime('app'), idem.grant_operator('duty');
	SELECT idem.reserve('payout', k) FROM unnest('{reserved,released,late,unsure,sent,fenced,unsent}'::text[]) k;
	SELECT idem.reserve('daily', k) FROM unnest('{daily-old,daily-new}'::text[]) k});
is(here($old), 'here', 'the first server is the place');
is(send_it($old, $_), 'granted', "$_ is sent") foreach qw(released late unsure);
ask($old, q{SELECT idem.resolve('payout', 'released', 'released', '{"by": "bank"}', force => 'the line was down')});
$bank{released} = [];
ok(!-e $old->data_dir . '/backup_label.old', 'a server that was never a backup');
$old->wait_for_catchup($new);

# ---------------------------------------------------------------------------
# A standby that nobody waits for is promoted, and lacks what was sent last
# ---------------------------------------------------------------------------

cut_off($new);
is(send_it($old, $_), 'granted', "$_ is sent, and the standby does not hear of it") foreach qw(reserved sent);
is(send_it($old, 'daily-old', 1, 'daily'), 'granted', 'and one with the first number of the day');
is(ask($old, "SELECT token FROM idem.reserve('payout', 'released')"), 2, 'what was released is reserved again');
is(send_it($old, 'released', 2), 'granted', 'and sent');
is(reserve($old, 'seen-there'), 'reserved', 'a key is seen there for the first time');
is(send_it($old, 'seen-there'), 'granted', 'and sent');
my $lost = ask($old, "SELECT max(serial) FROM idem.attempt WHERE channel = 'bank'");
my $lost_of_day = ask($old, "SELECT max(serial) FROM idem.attempt WHERE channel = 'daily'");
$old->stop('immediate');
$new->promote;

like(here($new), qr/the server is on timeline 2 and the site on timeline 1/, 'the standby that was promoted halts');
is(send_it($new, $_), 'misplaced', "$_ is not sent again") foreach qw(reserved sent fenced);
is(reserve($new, $_), 'misplaced', "nor is $_ reserved") foreach qw(released seen-there);
is(ask($new, q{SELECT outcome FROM idem.complete('payout', 'late', 1, answer => '{"code": "00"}')}), 'succeeded', 'results go on');
is(ask($new, q{SELECT outcome, settled FROM idem.fence('payout', 'fenced', 'cancelled')}), 'in_progress|f', 'a fence is remembered, since it may have been sent');
is(ask($new, q{SELECT outcome, settled FROM idem.fence('payout', 'never-there', 'cancelled')}), 'fenced|f', 'also of a key that nobody has seen here');

is(ask($new, "SELECT unknown, held_until > now() + interval '59 min' FROM idem.adopt_site('the old one is off', lost => '5 min')"), '7|t',
	'adopted: what may have been sent is unknown');
is(here($new), 'here', 'and it goes on');
like(ask($new, "SELECT finding FROM idem.doctor() WHERE object = 'site production'"), qr/^keys that are seen for the first time are held until [^\n]*$/,
	'the doctor says no more than that new keys are held');
is(send_it($new, $_), 'unknown', "$_ is inquired about first") foreach qw(reserved sent released unsent);
is(reserve($new, $_), 'unknown', "and $_ is not reserved") foreach qw(reserved sent released unsent);
like(ask($new, "SELECT outcome, retry_at > now() + interval '59 min' FROM idem.reserve('payout', 'seen-there')"), qr/^misplaced\|t$/,
	'a key that is seen for the first time is held');

# What is heard of the end settles it; that nothing arrived, only an operator says.
sub inquire
{
	my ($role, $key, $code) = @_;

	return ask($new, qq{SET ROLE $role; SELECT outcome FROM idem.resolve('payout', '$key', via => 'bank/query', answer => '{"code": "$code"}')});
}
is(inquire('app', $_, '00'), 'succeeded', "the bank says that $_ was paid") foreach qw(reserved sent released);
is(ask($new, q{SELECT outcome FROM idem.complete('payout', 'unsure', 9, answer => '{"code": "05"}')}), 'late', 'a token that was given out elsewhere is no error');
is(inquire('app', $_, '44'), 'late', "an application does not free $_") foreach qw(unsent unsure unsent unsure);
is(ask($new, q{SET ROLE duty; SELECT outcome FROM idem.resolve('payout', 'unsent', 'released', '{"by": "bank"}', force => 'not in the statement')}), 'released',
	'an operator does');
is(ask($new, "SELECT outcome, token > 1000 FROM idem.reserve('payout', 'unsent')"), 'reserved|t', 'then it is reserved');
is(send_it($new, 'unsent', 1002), 'granted', 'and sent');
cmp_ok(ask($new, "SELECT serial FROM idem.attempt WHERE key = 'unsent' AND attempt = 2"), 'gt', $lost, 'under a number that was not given out there');
ask($new, q{SELECT idem.resolve('daily', 'daily-new', 'released', '{"by": "bank"}', force => 'not in the statement'), idem.reserve('daily', 'daily-new')});
is(send_it($new, 'daily-new', 1002, 'daily'), 'granted', 'so is one with numbers of the day');
cmp_ok(ask($new, "SELECT serial FROM idem.attempt WHERE key = 'daily-new' AND attempt = 2"), 'gt', $lost_of_day, 'also under a new one');
# The hold ends when the operator has seen the bank's statement.
ask($new, q{CREATE TABLE statement (number text PRIMARY KEY, status text); INSERT INTO statement VALUES ('seen-there', 'paid')});
is(ask($new, q{CALL idem.adopt_keys('payout', 'statement', key => '{number}', state => 'status', done => '{paid}')}), '1|0|0', 'what the bank has paid is adopted');
is(ask($new, q{SELECT outcome FROM idem.resolve('payout', 'fenced', 'released', '{"by": "bank"}', force => 'not in the statement')}), 'fenced',
	'and what was to be fenced, and has not arrived');
is(ask($new, "SELECT unknown, held_until FROM idem.adopt_site('the statement was read', lost => '0')"), '0|', 'no more is missing');
is(ask($new, q{SELECT outcome, settled FROM idem.fence('payout', 'never-there', 'cancelled')}), 'fenced|t', 'then a fence is one');
is(reserve($new, 'first'), 'reserved', 'and new keys are reserved');
is(reserve($new, 'seen-there'), 'replayed', 'and what was paid is known');

# Nobody has fenced the old primary: on its own timeline it knows nothing.
$old->start;
is(here($old), 'here', 'an old primary does not know that it is one');
is(ask($old, "CALL idem.dispatch('payout', 'unsent', 1)") =~ s/\|.*//sr, 'granted', 'and sends, where nobody asks for standbys');
$old->stop('immediate');

# ---------------------------------------------------------------------------
# A standby that is waited for is promoted, and lacks nothing
# ---------------------------------------------------------------------------

is(reserve($new, $_), 'reserved', "$_ is reserved") foreach qw(confirmed next);
$new->append_conf('postgresql.conf', "synchronous_standby_names = '*'\nprimary_conninfo = ''");
$new->backup('late');
my $third = copy_of($new, 'late', 'third', streaming => 1);
$new->reload;
$new->poll_query_until('postgres', q{SELECT sync_state = 'sync' FROM pg_stat_replication}) or die 'no standby';
ask($new, "SELECT idem.alter_scope(s, standbys => 1) FROM unnest('{payout,daily}'::text[]) s");
ask($new, "SELECT pg_create_restore_point('before')");
is(send_it($new, 'confirmed'), 'granted', 'sent, and confirmed by a standby');
my $segment = ask($new, 'SELECT pg_walfile_name(pg_switch_wal())');
$new->poll_query_until('postgres', "SELECT last_archived_wal >= '$segment' FROM pg_stat_archiver") or die 'not archived';
$new->stop('immediate');
$third->promote;
is(here($third), 'here', 'no operator is needed');

like(ask($third, "BEGIN; SELECT idem.set_site('production', on_move => 'halt', reason => 'test'); SELECT idem.misplaced(); ROLLBACK"),
	qr/the server is on timeline 3 and the site on timeline 2/, 'but where the site is to halt');

# Another standby, so that effects can leave.
my ($in, $out, $err) = ('', '', '');
my $receiver = IPC::Run::start([ 'pg_receivewal', '--synchronous', '--no-loop', '-D', "$dir/received", '-d', $third->connstr ], '<', \$in, '>', \$out, '2>', \$err);
is(send_it($third, 'confirmed'), 'in_progress', 'what was sent is not sent again');
is(reserve($third, 'confirmed'), 'in_progress', 'nor reserved');
is(send_it($third, 'next'), 'granted', 'what was not is');
is(ask($third, q{SELECT l.arguments, s.timeline FROM idem.change_log l, idem.site s WHERE l.action = 'followed'}), '{timeline=3}|3', 'which is kept');
is(here($third), 'here', 'the same by a session that begins later');

# The old primary waits for a standby that does not come.
$new->start;
is(here($new), 'here', 'the old primary does not know that it is one');
my ($ret, $said, $why) = $new->psql('postgres', "\\set VERBOSITY sqlstate\nSET statement_timeout = '500ms';\nCALL idem.dispatch('payout', 'next', 1)");
like($why, qr/ERROR:  40003/, 'and nothing leaves, where standbys are asked for');
$new->stop('immediate');
$receiver->kill_kill;

# Each payment once, but for the one that the old primary was let send.
is(join(' ', grep { @{ $bank{$_} } != 1 } sort keys %bank), '', 'nobody was paid twice');

# ---------------------------------------------------------------------------
# Backups
# ---------------------------------------------------------------------------

my $alone = 'synchronous_commit = local';    # an answer waits for no standby
my $restore = "restore_command = 'cp $dir/archive/%f %p'\n$alone";
my $target = "recovery_target_name = 'before'\nrecovery_target_action = 'promote'";
my $server;

# Every scope asks for standbys, so that a promotion would be followed.
sub halts
{
	my ($server, $why, $name, @keys) = @_;

	$server->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
	like(here($server), $why, "$name halts");
	is(reserve($server, 'new'), 'misplaced', 'it reserves nothing');
	is(send_it($server, $_), 'misplaced', "$_ is not sent again") foreach @keys;
	$server->stop('immediate');
}

halts(copy_of($new, 'late', 'target', recover => 1, conf => "$restore\n$target"),
	qr/the server is on timeline \d and the site on timeline 2/, 'a backup recovered to a point before', qw(confirmed next));
halts(copy_of($new, 'late', 'archive', recover => 1, conf => "$restore\nrecovery_target_timeline = 2"),
	qr/the server is on timeline \d and the site on timeline 2/, 'a backup recovered as far as its archive goes', 'next');
halts(copy_of($new, 'late', 'delayed', standby => 1, conf => "primary_conninfo = '" . $third->connstr . "'\n$target\n$alone"),
	qr/the server is on timeline \d and the site on timeline 2/, 'a standby promoted at a recovery target', qw(confirmed next));
halts(copy_of($new, 'late', 'started', conf => $alone),
	qr/the server was started from a base backup/, 'a backup that was just started', qw(confirmed next));

$third->stop('immediate');
done_testing();
