# Eight workers, few keys, no fixed order: nothing is sent twice. (C 7, C 8, C 17, C 19, C 20, C 29)
#
# What a worker would send is a row of a table without any unique index: only
# dispatch stands between an attempt and a second sending. Leases are so short
# that reservations are taken over all the time; workers stop after any step,
# go on with tokens that were overtaken, and answer late; an inspector resolves
# what hangs, also so that the next attempt may run; a fence falls now and
# then. Meanwhile nobody who looks a key up is told that it was never seen.
#
#	IDEM_SENT=100000 sh test/run.sh 342_send_stress
#
# goes on with new keys until so much was sent, and meanwhile kills sessions and
# the server.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use IPC::Run qw(start timeout);

my $wanted = $ENV{IDEM_SENT} || 0;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
max_connections = 30
restart_after_crash = on
max_wal_size = 4GB
CONF
$node->start;

sub ask
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

ask(q{
	CREATE EXTENSION idem;
	SELECT idem.create_scope('pay', 'outside', '{amount}', lease => '2 ms', quiet => '0', ladder => '{1 ms,2 ms,5 ms}');
	CREATE TABLE sent (key text, attempt int, token bigint);
	CREATE TABLE paid (key text, attempt int);
	CREATE TABLE told (key text, outcome text);
	SELECT idem.reserve('pay', 'k' || i, '{"amount": 1}', lease => '1 us') FROM generate_series(1, 300) i;
});

# (No \if within another: in a part that is skipped, the pgbench of 16.4 takes it
# for an \elif.)
my $worker = <<'SQL';
\set k random(1, 400)
\set dice random(1, 10)
SELECT coalesce(token, 0) AS token FROM idem.reserve('pay', 'k' || :k, '{"amount": "1.0"}') \gset
\set mine :token > 0
\if :mine and :dice = 1
SELECT outcome FROM idem.release('pay', 'k' || :k, :token);
\elif :mine and :dice = 2
\sleep 3 ms
SELECT outcome FROM idem.heartbeat('pay', 'k' || :k, :token);
\endif
\if :mine and :dice > 1 and :dice < 4
\sleep 5 ms
\endif
\set granted false
\if :mine and :dice > 1
CALL idem.dispatch('pay', 'k' || :k, :token) \gset
\endif
\if :granted
INSERT INTO sent VALUES ('k' || :k, :attempt, :token);
\endif
\set done 0
\if :granted and :dice < 6
SELECT outcome FROM idem.complete('pay', 'k' || :k, :token, 'unknown');
\elif :granted and :dice < 10
\sleep 4 ms
SELECT (outcome = 'succeeded')::int AS done FROM idem.complete('pay', 'k' || :k, :token, 'succeeded', '{"bank": 1}') \gset
\endif
\if :done
INSERT INTO paid VALUES ('k' || :k, :attempt);
\endif
SQL
my $inspector = <<'SQL';
\set k random(1, 300)
\set dice random(1, 40)
SELECT key, why FROM idem.due('pay', 3);
SELECT outcome FROM (SELECT key FROM idem.open_claims WHERE state IN ('dispatched', 'unknown') ORDER BY random() LIMIT 1) o,
	idem.resolve('pay', key, 'released', '{"by": "inspector"}', force => 'looked');
\if :dice = 1
SELECT outcome FROM idem.fence('pay', 'k' || :k, 'test');
\endif
SQL
my $reader = <<'SQL';
\set k random(1, 300)
INSERT INTO told SELECT key, outcome FROM generate_series(:k, :k + MANY) i, idem.lookup('pay', 'k' || 1 + i % 300);
INSERT INTO told SELECT key, outcome FROM idem.reserve('pay', 'k' || :k, '{"amount": 2}');
SQL

# First as most do, then with one snapshot a transaction: 40001 is tried again.
foreach my $level ([ 'read committed', 400, 150 ], [ 'repeatable read', 200, 10 ], [ 'serializable', 100, 1 ])
{
	my ($isolation, $n, $many) = @$level;
	my $all = 8 * $n;

	local $ENV{PGOPTIONS} = "-c default_transaction_isolation=" . ($isolation =~ s/ /\\ /r);
	$node->pgbench("-n -c 8 -j 2 -t $n --max-tries=1000",
		0, [qr{processed: $all/$all}], [qr{^$}], "workers, inspectors and readers, $isolation",
		{ "worker$n\@6" => $worker, "inspector$n\@1" => $inspector, "reader$n\@1" => $reader =~ s/MANY/$many/r });
}

# Few keys that change all the time, and whoever looks them up: a probe that
# passes the place of the new version before it is there finds neither.
ask(q{SELECT idem.create_scope('hot', 'outside', '{}', lease => '1 hour');
	SELECT idem.reserve('hot', 'hot-' || i) FROM generate_series(1, 200) i});
$node->pgbench('-n -c 8 -j 2 -t 400', 0, [qr{processed: 3200/3200}], [qr{^$}], 'four keys change, and are looked up',
	{ 'beat@9' => <<'SQL1', 'look@1' => <<'SQL2' });
\set k random(1, 4)
SELECT outcome FROM idem.heartbeat('hot', 'hot-' || :k, 1);
SQL1
INSERT INTO told SELECT l.key, l.outcome FROM generate_series(1, 400) i, idem.lookup('hot', 'hot-' || 1 + i % 4) l WHERE l.outcome <> 'in_progress';
SQL2

# The long form: the same with new keys, cut off again and again.
my $rounds = 0;
while (ask('SELECT count(*) FROM sent') < $wanted)
{
	my $level = ('read committed', 'repeatable read', 'serializable')[ $rounds++ % 3 ];
	my $prefix = "r$rounds-";
	my ($out, $err) = ('', '');
	my @scripts;

	ask("SELECT count(idem.reserve('pay', '$prefix' || i, '{\"amount\": 1}', lease => '1 us')) FROM generate_series(1, 300) i");
	foreach my $script ([ $worker, 6 ], [ $inspector, 1 ], [ $reader =~ s/MANY/20/r, 1 ])
	{
		my $file = $node->basedir . "/long_$rounds-" . @scripts . '.sql';
		append_to_file($file, $script->[0] =~ s/'k'/'$prefix'/gr);
		push @scripts, '-f', "$file\@$script->[1]";
	}
	local $ENV{PGOPTIONS} = "-c default_transaction_isolation=" . ($level =~ s/ /\\ /r);
	my $storm = start([ 'pgbench', '-n', '-c', 8, '-j', 2, '-T', 12, '--max-tries=1000', @scripts,
			'-h', $node->host, '-p', $node->port, 'postgres' ], '>', \$out, '2>', \$err, timeout(600));
	my $until = time + 2 + int(rand(9));
	while (time < $until && $storm->pumpable) { $storm->pump_nb; select(undef, undef, undef, 0.2); }
	if ($rounds % 2)
	{
		my $pid = ask(q{SELECT pid FROM pg_stat_activity WHERE query ~ 'pay' AND pid <> pg_backend_pid() LIMIT 1});
		kill 'KILL', $pid if $pid;
		$node->poll_query_until('postgres', 'SELECT true') or die 'no recovery';
	}
	else
	{
		$node->stop('immediate');
		$node->start;
	}
	eval { $storm->finish; };
	note("round $rounds, $level: " . ask('SELECT count(*) FROM sent') . ' sent');
	my $twice = ask(q{SELECT count(*) FROM (SELECT FROM sent GROUP BY key, attempt HAVING count(*) > 1) d});
	if ($twice ne '0')
	{
		fail("round $rounds: $twice attempts were sent twice");
		last;
	}
}

is(ask(q{SELECT key, attempt FROM sent GROUP BY 1, 2 HAVING count(*) > 1}), '', 'no attempt was sent twice');
is(ask(q{SELECT a.key FROM sent a JOIN sent b ON a.key = b.key AND a.attempt < b.attempt AND a.token >= b.token}), '',
	'tokens grow with the attempts');
is(ask(q{SELECT key FROM paid GROUP BY 1 HAVING count(*) > 1}), '', 'no key succeeded twice');
is(ask(q{SELECT key FROM paid p JOIN sent s USING (key) WHERE s.attempt > p.attempt}), '', 'nor was it sent again after that');
is(ask(q{SELECT string_agg(DISTINCT outcome, ' ' ORDER BY outcome) FROM told
	WHERE outcome NOT IN ('in_progress', 'unknown', 'released', 'replayed', 'fenced', 'mismatch')}), '', 'no key was ever told unseen');
is(ask(q{SELECT key FROM idem.reservation WHERE (due_at IS NULL) <> (state IN ('s', 'f', 'n') AND concern IS NULL)}), '',
	'everything that is open comes up again');
is(ask(q{SELECT key FROM idem.reservation GROUP BY 1 HAVING count(*) > 1}), '', 'one row a key');
cmp_ok(ask(q{SELECT count(*) FROM idem.reservation}), '>', 350, 'also of those that began here');
note(ask(q{SELECT format('%s sent, %s paid, %s late, %s attempts at most', (SELECT count(*) FROM sent), (SELECT count(*) FROM paid),
	(SELECT count(*) FROM idem.late_result), max(attempt)) FROM idem.reservation}));
cmp_ok(ask(q{SELECT count(*) FROM sent}), '>', 100, 'much was sent');

# And the indexes agree with the table.
SKIP:
{
	skip 'amcheck is not installed', 1
	  if ask(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'}) eq '0';
	ask(q{CREATE EXTENSION amcheck});
	is(ask(q{SELECT bt_index_check('idem.reservation_pkey', true), bt_index_check('idem.reservation_due', true)}), '|',
		'the indexes are whole');
}

$node->stop;
done_testing();
