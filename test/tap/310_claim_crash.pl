# A crash frees what was not committed, and nothing else.
#
# Claims are left open, prepared and committed; then the server is killed, in
# the middle of a load, in two ways: a backend with kill -9, so that the
# postmaster restarts everything, and an immediate stop. Afterwards a key has
# its anchor exactly if it has its effect, and old keys replay. (C 63, C 64, C 65)
#
# All with synchronous_commit = off and a WAL writer that sleeps, so that a commit
# is on disk only if the claim saw to it (wound 9c; 4 and 32 of docs/bypass.md, and
# docs/send.md): what was committed before the stop is there after it.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use IPC::Run qw(start finish timeout);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
max_prepared_transactions = 10
restart_after_crash = on
synchronous_commit = off
wal_writer_delay = 10s
CONF
$node->start;

$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION idem;
SELECT idem.create_scope('crash', 'inside', '{}');
SELECT idem.create_scope('strict', 'inside', '{}', completion => 'required');
CREATE TABLE effect (key text);
CREATE FUNCTION pay(k text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	c idem.claim_result := idem.claim('crash', k);
BEGIN
	IF c.granted THEN
		INSERT INTO effect VALUES (k);
		PERFORM idem.complete('crash', k, to_jsonb(k));
	END IF;
	RETURN c.outcome;
END $$;
SQL

# One effect for each anchor, one anchor for each effect.
my $uneven = q{SELECT count(*) FROM (SELECT key, count(*) AS effects FROM effect GROUP BY key) e
	FULL JOIN (SELECT key FROM idem.anchor) a USING (key) WHERE effects IS DISTINCT FROM 1 OR a.key IS NULL};

sub ask
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# A prepared transaction holds its keys, and says so at once.
ask(q{SELECT pay('done')});
ask(q{BEGIN; SELECT pay('prep1'); SELECT pay('prep2'); SAVEPOINT s; SELECT pay('prep3'); ROLLBACK TO s; PREPARE TRANSACTION 'p1'});
ask(q{BEGIN; SELECT pay('prep4'); PREPARE TRANSACTION 'p2'});
is(ask(q{SELECT outcome, detail FROM idem.claim('crash', 'prep1')}),
	'in_progress|held by a prepared transaction', 'prepared: in progress, not a hang');
is(ask(q{SELECT pay('prep3')}), 'granted', 'prepared: a rolled back savepoint is free');

# Required completion is asked before PREPARE too.
my ($ret, $out, $err) = $node->psql('postgres',
	q{BEGIN; SELECT idem.claim('strict', 'k'); PREPARE TRANSACTION 'p3'});
like($err, qr/was not completed/, 'prepared: not with an open required claim');
is(ask(q{SELECT outcome FROM idem.lookup('strict', 'k')}), 'unseen', 'which is free then');
ask(q{BEGIN; SELECT idem.claim('strict', 'k'); SELECT idem.complete('strict', 'k', '1'); PREPARE TRANSACTION 'p3'; COMMIT PREPARED 'p3'});
is(ask(q{SELECT outcome, response FROM idem.lookup('strict', 'k')}), 'replayed|1', 'a completed one is committed');
ask(q{DELETE FROM idem.anchor WHERE key = 'k'});

# A load in the background, to be cut off.
sub start_load
{
	my ($prefix) = @_;
	my $script = $node->basedir . "/$prefix.sql";

	append_to_file($script, "\\set k random(1, 100000)\nSELECT pay('$prefix' || :k);\n");
	my ($out, $err) = ('', '');
	my $load = start([ 'pgbench', '-n', '-c', '4', '-T', '60', '-f', $script,
			'-h', $node->host, '-p', $node->port, 'postgres' ],
		'>', \$out, '2>', \$err, timeout(120));
	$node->poll_query_until('postgres',
		"SELECT count(*) > 500 FROM effect WHERE key LIKE '$prefix%'") or die "no load";
	return $load;
}

# The backend of an open transaction is killed.
my ($sin, $sout, $serr) = ('', '', '');
my $open = start([ 'psql', '-X', '-qAt', '-d', $node->connstr('postgres') ],
	'<', \$sin, '>', \$sout, '2>', \$serr, timeout(120));
$sin .= q{BEGIN; SELECT pay('open'); SELECT pg_backend_pid();} . "\n";
$open->pump until $sout =~ /granted\s+(\d+)\s/;
my $pid = $1;
is(ask(q{SELECT outcome, detail FROM idem.claim('crash', 'open')}),
	"in_progress|held by an open transaction of process $pid", 'the holder is named');
my $load = start_load('killed');
kill 'KILL', $pid;
eval { $open->finish; };
eval { $load->finish; };
$node->poll_query_until('postgres', q{SELECT true}) or die "no restart";
is(ask(q{SELECT pay('open')}), 'granted', 'kill -9: an open claim is free');
is(ask(q{SELECT pay('done')}), 'replayed', 'kill -9: a committed one is not');
is(ask(q{SELECT outcome FROM idem.claim('crash', 'prep1')}), 'in_progress', 'kill -9: a prepared one is held');
is(ask($uneven), '0', 'kill -9: one effect a key');
ask(q{COMMIT PREPARED 'p1'});

# The whole server stops without a checkpoint.  (That it loses what nobody
# flushed is shown by 340_claim_flush.)
$load = start_load('stopped');
my $acknowledged = ask(q{SELECT count(*) FROM effect});
$node->stop('immediate');
eval { $load->finish; };
$node->start;
ask(q{CREATE FUNCTION pay_fast(k text) RETURNS text LANGUAGE sql SET synchronous_commit = off AS 'SELECT pay(k)'});
ask('CHECKPOINT');
ask(q{SELECT pay_fast('by-a-function')});
$node->stop('immediate');
$node->start;
is(ask(q{SELECT pay('by-a-function')}), 'replayed', 'stop: flushed although a function set synchronous_commit');
is(ask(q{SELECT outcome, response FROM idem.claim('crash', 'prep1')}), 'replayed|"prep1"', 'stop: a prepared and committed one replays');
is(ask(q{SELECT outcome, detail FROM idem.claim('crash', 'prep4')}),
	'in_progress|held by a prepared transaction', 'stop: a prepared one is held');
ask(q{ROLLBACK PREPARED 'p2'});
is(ask(q{SELECT pay('prep4')}), 'granted', 'stop: and free when rolled back');
is(ask($uneven), '0', 'stop: one effect a key');
cmp_ok(ask(q{SELECT count(*) FROM effect}), '>=', $acknowledged, 'stop: nothing committed was lost');

# Every old key, once more.
is(ask(q{SELECT count(*), count(DISTINCT o) FROM (SELECT pay(key) AS o FROM (SELECT DISTINCT key FROM effect) e) x WHERE o <> 'replayed'}),
	'0|0', 'every old key replays');
is(ask($uneven), '0', 'and has no second effect');

$node->stop;
done_testing();
