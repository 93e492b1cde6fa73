# What the outside world acts on is on disk, and with the standbys, whatever
# synchronous_commit says; a prepared transaction that would go around this is
# refused. (C 47, C 65; wounds 2, 9a, 9b, 9c)
#
# The server is cut off (immediate stop) after each step, with the WAL writer
# put to sleep, so that a commit that was not flushed is gone: an ordinary row
# shows that it would be. For standbys, one is waited for that never comes:
# who waits, waits in SyncRep.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
max_prepared_transactions = 10
max_wal_senders = 5
wal_level = replica
wal_writer_delay = 10s
autovacuum = off
synchronous_commit = off
CONF
$node->start;

sub ask
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

ask(q{
	CREATE EXTENSION idem;
	SELECT idem.create_scope('pay', 'outside', '{}', quiet => '0');
	SELECT idem.create_scope('in', 'inside', '{}');
	SELECT idem.create_scope('fast', 'inside', '{}', flush => false);
	CREATE TABLE other (n int);
});

# Run one statement, cut the server off at once, and ask.
sub survives
{
	my ($sql, $question, $answer, $name) = @_;

	ask('CHECKPOINT');
	ask($sql);
	$node->stop('immediate');
	$node->start;
	is(ask($question), $answer, $name);
}

my $state = q{SELECT state FROM idem.lookup('pay', 'k')};
survives('INSERT INTO other VALUES (1)', 'SELECT count(*) FROM other', '0', 'an ordinary row is lost');
survives(q{SELECT idem.reserve('pay', 'k')}, $state, 'reserved', 'a reservation is not');
survives(q{CALL idem.dispatch('pay', 'k', 1)}, $state, 'dispatched', 'nor a dispatch');
survives(q{SELECT idem.complete('pay', 'k', 1, 'unknown')}, $state, 'unknown', 'nor an unknown result');
survives(q{SELECT idem.resolve('pay', 'k', 'released', '{"by": "me"}')}, $state, 'released', 'nor a released key');
survives(q{SELECT idem.reserve('pay', 'k')}, $state, 'reserved', 'nor the next attempt');
survives(q{CALL idem.dispatch('pay', 'k', 2)}, $state, 'dispatched', 'nor its dispatch');
survives(q{SELECT idem.complete('pay', 'k', 1, 'succeeded', '{"bank": 1}')},
	q{SELECT count(*), (SELECT concern FROM idem.reservation) FROM idem.late_result}, '1|s', 'nor a late result');
survives(q{SELECT idem.complete('pay', 'k', 2, 'succeeded', '{"bank": 2}')}, $state, 'succeeded', 'nor a result');
survives(q{SELECT idem.fence('pay', 'f', 'test')}, q{SELECT state FROM idem.lookup('pay', 'f')}, 'fenced', 'nor a fence');
survives(q{SELECT idem.fence('in', 'f', 'test')}, q{SELECT state FROM idem.lookup('in', 'f')}, 'fenced', 'nor one inside');
survives(q{SELECT idem.reserve('pay', 'o', lease => '1 us'); SELECT idem.reserve('pay', 'o')},
	q{SELECT token FROM idem.reservation WHERE key = 'o'}, '2', 'nor a take-over');
survives(q{SELECT idem.release('pay', 'o', 2)}, q{SELECT state FROM idem.lookup('pay', 'o')}, 'released', 'nor a release');
# What a crash may forget without harm is not made to wait.
survives(q{SELECT idem.reserve('pay', 'h', lease => '1 h'); SELECT idem.heartbeat('pay', 'h', 1, '2 h')},
	q{SELECT lease_until - first_seen < '90 min' FROM idem.reservation WHERE key = 'h'}, 't', 'a heartbeat may be lost');

# The commit of a claim inside is flushed with its effect (wound 9c), whatever the
# setting is, in a function or at any time before the commit. In a scope with
# flush => false a claim is as durable as its session asks for.
survives(q{SELECT idem.claim('in', 'c')}, q{SELECT outcome FROM idem.lookup('in', 'c')}, 'replayed', 'nor a claim');
survives(q{BEGIN; INSERT INTO other VALUES (7); SELECT idem.claim('in', 'e'); SET LOCAL synchronous_commit = off; COMMIT},
	q{SELECT count(*) FROM other WHERE n = 7}, '1', 'nor its effect');
survives(q{SELECT idem.claim_many('in', '{m1,m2}')}, q{SELECT outcome FROM idem.lookup('in', 'm2')}, 'replayed', 'nor one of many');
survives(q{SELECT idem.claim('fast', 'c')}, q{SELECT outcome FROM idem.lookup('fast', 'c')}, 'unseen', 'unless the scope says that it may be');

# Who is told by a repeat that a key is settled forgets the message. So whatever
# settled it is on disk then, whoever committed it, and whatever a hint says
# (wounds 2, 9b): of each way to learn of an unflushed commit, is it flushed by
# the answer?  DONE marks where the commit is made that counts, if something comes
# after it.  If the WAL writer flushed it meanwhile, once more: # is the number of
# the try.
sub told
{
	my ($name, $write, $question, $answer) = @_;
	my ($out, $err) = ('f', '');
	my $done = "SELECT pg_current_wal_insert_lsn() AS done \\gset\n";

	$write =~ s/DONE/$done/ or $write .= "\n$done";
	for (my $try = 1; $try < 10 && $out =~ /^f/; $try++)
	{
		$node->psql('postgres', qq{
SET synchronous_commit = off;
SELECT pg_switch_wal() \\g /dev/null
$write
SELECT pg_current_wal_flush_lsn() < :'done';
SELECT answer FROM ($question) q(answer);
SELECT pg_current_wal_flush_lsn() >= :'done';
} =~ s/#/$try/gr, stdout => \$out, stderr => \$err);
	}
	is($out, "t\n$answer\nt", "told: $name") or diag $err;
}

my $page = join(' ', ('SELECT txid_current() \g /dev/null') x 33);
ask(q{SELECT idem.create_scope('dated', 'inside', '{}', flush => false, key_time => 'YYYYMMDD')});
ask(q{SELECT idem.create_scope('kept', 'inside', '{}', flush => false, keep => '1 us')});
told('just committed', q{SELECT idem.claim('fast', 'W#') \g /dev/null},
	q{SELECT outcome || settled FROM idem.claim('fast', 'W#')}, 'replayedtrue');
told('hinted, because the page was changed since (wound 2)',
	qq{SELECT idem.claim('fast', 'M-0#') \\g /dev/null\nDONE$page\nSELECT idem.claim('fast', 'M-1#') \\g /dev/null\nSELECT count(*) FROM idem.anchor \\g /dev/null},
	q{SELECT outcome || settled FROM idem.claim('fast', 'M-0#')}, 'replayedtrue');
told('by a savepoint', q{BEGIN; SAVEPOINT s; SELECT idem.claim('fast', 'S#') \g /dev/null
	RELEASE s; COMMIT;}, q{SELECT outcome || settled FROM idem.claim_many('fast', '{S#}')}, 'replayedtrue');
told('frozen', q{SELECT idem.claim('fast', 'F#') \g /dev/null
	DONE VACUUM (FREEZE) idem.anchor;}, q{SELECT outcome || settled FROM idem.lookup('fast', 'F#')}, 'replayedtrue');
told('its response dropped', q{BEGIN; SELECT idem.claim('kept', 'R#'), idem.complete('kept', 'R#', '1') \g /dev/null
	COMMIT; SELECT pg_sleep(0.01), idem.retire('kept') \g /dev/null},
	q{SELECT outcome || settled || response_dropped FROM idem.claim('kept', 'R#')}, 'replayedtruetrue');
told('expired', q{SELECT idem.claim('dated', '200#0101') \g /dev/null
	SELECT idem.retire('dated', '200#-07-01') \g /dev/null},
	q{SELECT outcome || settled FROM idem.claim('dated', '200#0101')}, 'expiredtrue');
told('expired, before the retirement commits', q{BEGIN; SELECT idem.claim('dated', '201#0101') \g /dev/null
	COMMIT; BEGIN; SELECT idem.retire('dated', '201#-07-01') \g /dev/null},
	q{SELECT outcome || settled FROM idem.claim('dated', '201#0101')}, 'expiredtrue');

# The same seen from the other side of a crash.
ask(q{SELECT pg_switch_wal()});
ask(qq{SELECT idem.claim('fast', 'N-0');
	$page
	SELECT idem.claim('fast', 'N-1')});
is(ask(q{SELECT outcome, settled FROM idem.claim('fast', 'N-0')}), 'replayed|t', 'a repeat is told that it is settled');
ask(q{SELECT idem.claim('fast', 'untold')});
$node->stop('immediate');
$node->start;
is(ask(q{SELECT outcome FROM idem.claim('fast', 'N-0')}), 'replayed', 'so it is');
is(ask(q{SELECT outcome FROM idem.claim('fast', 'untold')}), 'granted', 'of another claim nobody was told');

# A result for a key that is retired is settled, and kept as evidence (wound 9b).
ask(q{SELECT idem.create_scope('old', 'outside', '{}', key_time => 'YYYYMMDD')});
ask(q{SELECT idem.reserve('old', '20180101')});
ask(q{CALL idem.dispatch('old', '20180101', 1)});
ask(q{SELECT idem.complete('old', '20180101', 1, 'succeeded', '1')});
ask(q{SELECT idem.retire('old', '2018-07-01')});
survives(q{SELECT idem.complete('old', '20180101', 1, 'failed', '{"bank": 1}')},
	q{SELECT count(*) FROM idem.late_result WHERE key = '20180101'}, '1', 'a result for a retired key is not lost');
survives(q{SELECT idem.resolve('pay', 'k', 'succeeded', '{"seen": "again"}')},
	q{SELECT count(*) FROM idem.evidence WHERE evidence = '{"seen": "again"}'}, '1', 'nor what says again what is known');

# A standby that does not answer.
$node->append_conf('postgresql.conf', q{synchronous_standby_names = 'nobody'});
$node->reload;

$node->poll_query_until('postgres', q{SELECT current_setting('synchronous_standby_names') = 'nobody'}) or die 'no reload';
is(ask(q{SELECT string_agg(replace(object, '"', '') || ' ' || severity, ', ' ORDER BY object) FROM idem.doctor() WHERE finding ~ 'asks for no standby'}),
	'scope old notice, scope pay notice', 'the doctor names scopes that would go on without it');

# Whoever has to wait for the standby does, until it is cancelled; nobody else.
sub waits
{
	my ($sql, $expected, $name) = @_;
	my ($in, $out, $err) = ('', '', '');
	my $run = IPC::Run::start([ 'psql', '-X', '-qAt', '-d', $node->connstr('postgres') ],
		'<', \$in, '>', \$out, '2>', \$err);

	$in .= "SELECT 'pid ' || pg_backend_pid();\n";
	$run->pump until $out =~ /pid (\d+)\n/;
	my $pid = $1;
	$in .= "$sql;\n\\echo done\n";
	my $waits = 0;
	while (!$waits && $out !~ /done\n/)
	{
		$run->pump_nb;
		$waits = ask("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND wait_event = 'SyncRep'");
	}
	is($waits, $expected, $name);
	ask("SELECT pg_cancel_backend($pid)") if $waits;
	$run->pump until $out =~ /done\n/;
	$in .= "\\q\n";
	$run->finish;
	return;
}

waits('SET synchronous_commit = local; INSERT INTO other VALUES (2)', 0, 'local: an ordinary row does not wait for a standby');
waits(q{SET synchronous_commit = local; SELECT idem.reserve('pay', 's1')}, 1, 'local: a reservation does');
waits(q{SET synchronous_commit = off; SELECT idem.reserve('pay', 's2')}, 1, 'off: it does');
waits(q{SET synchronous_commit = remote_write; SELECT idem.reserve('pay', 's3')}, 1, 'remote_write: it does');
waits(q{BEGIN; SELECT idem.reserve('pay', 's4'); SET LOCAL synchronous_commit = off; COMMIT}, 1, 'whatever is set after it');
waits(q{SET synchronous_commit = local; CALL idem.dispatch('pay', 's1', 1)}, 1, 'local: a dispatch does');
waits(q{SET synchronous_commit = local; SELECT idem.fence('in', 's1', 'test')}, 1, 'local: a fence does');
waits(q{SET synchronous_commit = local; SELECT idem.claim('in', 's1x')}, 1, 'local: a claim does');
waits(q{SET synchronous_commit = off; SELECT idem.claim('in', 's2x')}, 1, 'off: it does');
waits(q{SET synchronous_commit = local; SELECT idem.claim('fast', 's1x')}, 0, 'unless its scope says that it need not');
# (an answer that rests on another session's commit waits by itself, for a second)
is(ask(q{SELECT outcome, settled, detail FROM idem.reserve('pay', 'k')}),
	'in_progress|f|the standbys that are required have not confirmed it', 'a repeat of what no standby has is not settled');
is(ask(q{SELECT outcome, settled FROM idem.claim_many('in', '{c,m1,m2}')}), "in_progress|f\nin_progress|f\nin_progress|f", 'nor of many');
is(ask(q{SELECT outcome, settled FROM idem.lookup('in', 'c')}), 'in_progress|f', 'nor is what is looked up');
waits(q{SET synchronous_commit = local; BEGIN; SELECT idem.reserve('pay', 's5'); ROLLBACK; INSERT INTO other VALUES (3)},
	0, 'nor does what comes after a rollback');
waits(q{SET synchronous_commit = local; SELECT idem.heartbeat('pay', 'h', 1, '3 h')}, 0, 'nor does a heartbeat');
is(ask(q{SHOW synchronous_commit}), 'off', 'the setting is the session\'s again');
$node->append_conf('postgresql.conf', q{synchronous_standby_names = ''});
$node->reload;

# PREPARE TRANSACTION.
sub prepare
{
	my ($sql) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', "BEGIN; $sql; PREPARE TRANSACTION 'p'");
	return $err =~ /cannot PREPARE/ ? 'refused' : $err eq '' ? 'prepared' : $err;
}

is(prepare(q{SELECT idem.reserve('pay', 'p1')}), 'refused', 'prepare: not with a reservation');
is(prepare(q{SELECT idem.reserve('pay', 'o')}), 'refused', 'nor with the next attempt');
is(prepare(q{SAVEPOINT s; SELECT idem.reserve('pay', 'p1'); RELEASE s}), 'refused', 'nor with one in a savepoint');
is(prepare(q{SELECT idem.reserve('pay', 'p1'); SAVEPOINT s; SELECT idem.reserve('pay', 'p2'); ROLLBACK TO s}), 'refused',
	'nor with one outside of a savepoint that was rolled back');
is(prepare(q{SAVEPOINT s; SAVEPOINT t; SELECT idem.reserve('pay', 'p1'); RELEASE t; ROLLBACK TO s; INSERT INTO other VALUES (4)}),
	'prepared', 'but with one that was rolled back');
ask(q{ROLLBACK PREPARED 'p'});
is(ask(q{SELECT outcome FROM idem.lookup('pay', 'p1')}), 'unseen', 'a refused one leaves nothing');
is(prepare(q{SELECT idem.reserve('pay', 'k')}), 'prepared', 'and with a repeat');
ask(q{COMMIT PREPARED 'p'});
ask(q{UPDATE idem.reservation SET due_at = now() - interval '61 min' WHERE key IN ('s1', 's3')});
is(ask(q{SELECT object, finding ~ '2 claims are overdue.*nobody calls idem.due' FROM idem.doctor() WHERE finding ~ 'overdue'}), 'scope pay|t',
	'a key that nobody looks after is found');
# Wound 9a: nor with anything else that has to be with the standbys, since who
# commits it may not wait for them.
is(prepare($_), 'refused', "prepare: not with $_") foreach (
	q{SELECT idem.fence('pay', 'p5', 'test')},
	q{SELECT idem.fence('pay', 's1', 'test')},
	q{SELECT idem.fence('in', 'p5', 'test')},
	q{SELECT idem.complete('pay', 's1', 1, 'succeeded')},
	q{SELECT idem.complete('pay', 's1', 1, 'unknown')},
	q{SELECT idem.complete('pay', 'k', 1, 'succeeded')},
	q{SELECT idem.resolve('pay', 's1', 'succeeded', '{"by": "me"}')},
	q{SELECT idem.resolve('pay', 'k', 'succeeded', '{"by": "me"}')},
	q{SELECT idem.release('pay', 's3', 1)});
is(ask(q{SELECT string_agg(state, ' ' ORDER BY key) FROM idem.reservation WHERE key IN ('s1', 's3', 'p5')}), 'd r',
	'which leaves nothing');
is(prepare(q{SAVEPOINT s; SELECT idem.fence('pay', 'p5', 'test'); ROLLBACK TO s; INSERT INTO other VALUES (5)}), 'prepared',
	'but with a fence that was rolled back');
ask(q{ROLLBACK PREPARED 'p'});

# What tells nobody anything may be prepared.  It hides the key from idem.due;
# that is not for good.
is(prepare(q{SELECT idem.heartbeat('pay', 's1', 1, '1 s')}), 'prepared', 'and with a heartbeat');
is(ask(q{SELECT outcome, settled FROM idem.reserve('pay', 's1')}), 'in_progress|f',
	'which nobody hears of');
is(ask(q{SELECT outcome FROM idem.fence('pay', 's1', 'test')}), 'in_progress', 'nor waits for');
is(ask(q{SELECT key FROM idem.due('pay') WHERE key IN ('s1', 's3')}), 's3', 'due skips what it holds');
is(ask(q{SELECT key FROM idem.open_claims WHERE due_at < now() - interval '1 hour'}), 's1', 'it is still among what is open');
is(ask(q{SELECT substr(finding, 1, 45), substring(finding FROM 'held.*'), remedy FROM idem.doctor() WHERE finding ~ 'overdue'}) =~ s/ since [^|]*//r,
	q{1 claims are overdue, the oldest|held by prepared transaction 'p'|COMMIT PREPARED 'p' or ROLLBACK PREPARED 'p'}, 'and the doctor says who holds it');
ask(q{COMMIT PREPARED 'p'});
is(ask(q{SELECT count(*) FROM idem.doctor() WHERE finding ~ 'overdue'}), '0', 'who has nothing to say then');

$node->stop;
done_testing();
