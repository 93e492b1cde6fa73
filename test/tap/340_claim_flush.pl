# What the outside world acts on is on disk, and with the standbys, whatever
# synchronous_commit says; a prepared transaction that would go around this is
# refused. (C 47, C 65)
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

# A claim inside is as durable as its session asked for; but who is told by a
# repeat that it is settled forgets his message.
ask('CHECKPOINT');
ask(q{SELECT idem.claim('in', 'told')});
is(ask(q{SELECT outcome, settled FROM idem.claim('in', 'told')}), 'replayed|t', 'a repeat is told that it is settled');
ask(q{SELECT idem.claim('in', 'untold')});
$node->stop('immediate');
$node->start;
is(ask(q{SELECT outcome FROM idem.claim('in', 'told')}), 'replayed', 'so it is');
is(ask(q{SELECT outcome FROM idem.claim('in', 'untold')}), 'granted', 'of another claim nobody was told');

# A standby that does not answer.
$node->append_conf('postgresql.conf', q{synchronous_standby_names = 'nobody'});
$node->reload;

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
	if ($expected)
	{
		$run->pump_nb;
		ok($node->poll_query_until('postgres',
				"SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = $pid"), $name);
		ask("SELECT pg_cancel_backend($pid)");
	}
	$run->pump until $out =~ /done\n/;
	$expected or unlike($err, qr/standby/, $name);
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
waits(q{SET synchronous_commit = local; SELECT idem.reserve('pay', 'k')}, 0, 'a repeat does not');
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
