# A serial that was told to anybody is never told again: not after a crash, and
# not where a dump was restored.
#
# The server is cut off (immediate stop) right after a reservation and after a
# dispatch, with synchronous_commit off and the WAL writer put to sleep: an
# ordinary row of that time is gone, the serial is there and the sequence is
# past it. Then the database is dumped, and restored into another one, with its
# channels, calendars and codes: a key that was done is replayed with its
# serial, an answer means there what it meant here, and new serials go on after
# the old ones, those of the day too.
#
# Last, declarations that are prepared: nobody obeys them before they are
# committed, a channel that is being dropped is waited for, and no number is
# given twice. What an answer does cannot be prepared.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
wal_writer_delay = 10s
autovacuum = off
synchronous_commit = off
max_prepared_transactions = 5
CONF
$node->start;

sub ask
{
	my ($sql, $database) = @_;
	return $node->safe_psql($database || 'postgres', $sql);
}

ask(<<'SQL');
CREATE EXTENSION idem;
SELECT idem.define_return_codes('n/pay', E'| code | meaning |\n| --- | --- |\n| 00 | succeeded |\n| 51 | failed |');
SELECT idem.create_calendar('n', 'Asia/Shanghai', cut => '24:00');
SELECT idem.add_closure('n', '[2090-01-01, 2090-01-02)', 'holiday');
SELECT idem.create_channel('key', send => 'n/pay', serial => 'P{seq:6}', serial_per => 'key', first_serial => 41, echo => '{serial}');
SELECT idem.create_channel('attempt', send => 'n/pay', serial => '{YYYYMMDD}{seq:4 per day}', serial_per => 'attempt', calendar => 'n');
SELECT idem.create_scope('key', 'outside', '{}', channels => '{key}');
SELECT idem.create_scope('attempt', 'outside', '{}', channels => '{attempt}');
CREATE TABLE other (n int);
SQL

sub crash
{
	$node->stop('immediate');
	$node->start;
	return;
}

# One of a key
my $take = sub {
	my ($key, $database) = @_;
	ask("SELECT idem.reserve('key', '$key')", $database);
	ask("CALL idem.dispatch('key', '$key', 1)", $database);
	return ask("SELECT serial FROM idem.lookup('key', '$key')", $database);
};
is($take->('k1'), 'P000041', 'the first serial');
ask('INSERT INTO other VALUES (1)');
crash();
is(ask('SELECT count(*) FROM other'), '0', 'what was not flushed is gone');
is(ask(q{SELECT serial FROM idem.lookup('key', 'k1')}), 'P000041', 'the serial is not');
like($take->('k2'), qr/^P0000(4[2-9]|[5-9]\d)$/, 'the next one is another');

# One of an attempt
my $day = ask(q{SELECT to_char(clock_timestamp() AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD')});
my $get = sub {
	my ($key, $database) = @_;
	ask("SELECT idem.reserve('attempt', '$key')", $database);
	ask("CALL idem.dispatch('attempt', '$key', 1)", $database);
	return ask("SELECT serial FROM idem.lookup('attempt', '$key')", $database);
};
my $first = $get->('a1');
SKIP:
{
	skip 'midnight', 1 if ask(q{SELECT to_char(clock_timestamp() AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD')}) ne $day;
	is($first, "${day}0001", 'the first serial of the day');
}
crash();
is(ask(q{SELECT serial FROM idem.lookup('attempt', 'a1')}), $first, 'it is there after a crash');
my $second = $get->('a2');
cmp_ok($second, 'gt', $first, 'the next one is another');
ask(q{SELECT idem.complete('attempt', 'a1', 1, answer => '{"code": "00"}')});

# Dumped and restored
my $file = $node->backup_dir . '.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $file ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy'), '-f', $file ], 'restore');
foreach my $table ('channel', 'calendar', 'closure', 'serial_day', 'attempt')
{
	my $rows = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)), count(*) FROM idem.$table t";
	is(ask($rows, 'copy'), ask($rows), "idem.$table is the same");
}
is(ask(q{SELECT outcome, settled, serial FROM idem.reserve('attempt', 'a1')}, 'copy'), "replayed|t|$first", 'a key that was done');
cmp_ok($get->('a3', 'copy'), 'gt', $second, 'serials of the day go on');
my $last = ask(q{SELECT serial FROM idem.lookup('key', 'k2')});
cmp_ok($take->('k3', 'copy'), 'gt', $last, 'and those of a key');
is(ask(q{SELECT outcome, state FROM idem.complete('attempt', 'a2', 1, answer => '{"code": "51"}')}, 'copy'), 'failed|failed', 'codes mean the same');
is(ask(q{SELECT idem.business_date('n', '2090-01-01 12:00')}, 'copy'), ask(q{SELECT idem.business_date('n', '2090-01-01 12:00')}), 'days are the same');

# Prepared transactions
my $fails = sub {
	my ($sql) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\n$sql");
	return $err =~ /ERROR:\s+(\w+)/ ? $1 : 'done';
};
my $answer = sub {
	my ($key) = @_;
	return ask(qq{SELECT c.outcome FROM idem.lookup('key', '$key') l, idem.complete('key', '$key', 1, answer => jsonb_build_object('code', '00', 'serial', l.serial)) c});
};
$take->($_) foreach ('p1', 'p2', 'p3');
ask(q{BEGIN; SELECT idem.define_return_codes('n/pay', E'| code | meaning |\n| --- | --- |\n| 00 | succeeded |\n| 51 | unknown |'); PREPARE TRANSACTION 'codes'});
is(ask(q{SELECT meaning FROM idem.meaning_of('n/pay', '{51}')}), 'failed', 'prepared codes are not in force');
ask(q{BEGIN; SELECT idem.alter_channel('key', echo => '{serial,amount}'); PREPARE TRANSACTION 'echo'});
is($answer->('p1'), 'succeeded', 'nor is a prepared change of a channel');
ask(q{COMMIT PREPARED 'codes'});
ask(q{COMMIT PREPARED 'echo'});
is(ask(q{SELECT meaning FROM idem.meaning_of('n/pay', '{51}')}), 'unknown', 'they are when they are committed');
is($answer->('p2'), 'unknown', 'and so is that');
is($fails->(q{BEGIN; SELECT idem.complete('key', 'p3', 1, answer => '{"code": "51"}'); PREPARE TRANSACTION 'answer'}), '0A000', 'an answer cannot be prepared');
is($fails->(q{BEGIN; SELECT idem.complete('key', 'p2', 1, answer => '{"code": "51"}'); PREPARE TRANSACTION 'answer'}), '0A000', 'nor one that says no more');
is($fails->(q{BEGIN; SELECT idem.correct('key', 'p1', 'failed', 'test', '1'); PREPARE TRANSACTION 'answer'}), '0A000', 'nor a correction');
is(ask(q{SELECT string_agg(state, ' ' ORDER BY key) FROM idem.reservation WHERE key IN ('p1', 'p2', 'p3')}), 's u d', 'and nothing is left of them');
ask(q{SELECT idem.create_channel('spare', send => 'n/pay', serial => 'S{seq:6}', serial_per => 'key')});
ask(q{SELECT idem.create_scope('spare', 'outside', '{}', channels => '{spare}')});
ask(q{SELECT idem.reserve('spare', 'd1'), idem.reserve('spare', 'd2')});
ask(q{CALL idem.dispatch('spare', 'd1', 1)});
ask(q{SELECT idem.complete('spare', 'd1', 1, answer => '{"code": "00"}')});
ask(q{BEGIN; SELECT idem.alter_scope('spare', channels => '{key}', force => 'test'); SELECT idem.drop_channel('spare'); PREPARE TRANSACTION 'drop'});
is($fails->(q{SET lock_timeout = '100ms'; CALL idem.dispatch('spare', 'd2', 1)}), '55P03', 'a channel that is being dropped is waited for');
ask(q{ROLLBACK PREPARED 'drop'});
ask(q{CALL idem.dispatch('spare', 'd2', 1)});
is(ask(q{SELECT channel, serial FROM idem.lookup('spare', 'd2')}), 'spare|S000002', 'its numbers go on');

$node->stop;
done_testing();
