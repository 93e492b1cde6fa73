# Eight sessions, the same keys, no effect twice and none lost.
#
# The effect of a key is a row of a table without any unique index: only the
# claim stands between a key and a second effect. Sessions claim shuffled keys
# from few, and always new ones from a range that moves with the clock, so
# that rivals meet while they insert; at each isolation level; three of ten
# transactions roll back, and some claims in a savepoint. Meanwhile committed
# anchors are updated to other sizes and the index is rebuilt, both of which a
# probe could stumble over. Others claim many keys a call, in any order, which
# must never end in a deadlock. Then every key is claimed until it replays.
# (C 1, C 7, C 9, C 11, C 12, C 77, C 80)
#
#	IDEM_CLAIMS=1000000 sh test/run.sh 330_claim_stress
#
# goes on until so many claims were made, and meanwhile kills sessions and the
# server, stops it at once and in good order, and starts it again.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use IPC::Run qw(start timeout);

my $claims_wanted = $ENV{IDEM_CLAIMS} || 0;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
max_connections = 80
restart_after_crash = on
max_wal_size = 4GB
CONF
$node->start;

$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION idem;
SELECT idem.create_scope('stress', 'inside', '{amount}');
CREATE TABLE effect (key text);
CREATE TABLE answer (outcome text, n bigint);
CREATE FUNCTION pay(k text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	c idem.claim_result := idem.claim('stress', k, '{"amount": 88}');
BEGIN
	IF c.granted THEN
		INSERT INTO effect VALUES (k);
		IF random() < 0.5 THEN
			PERFORM idem.complete('stress', k, to_jsonb(repeat('x', (random() * 300)::int)));
		END IF;
	ELSIF c.outcome NOT IN ('replayed', 'in_progress', 'duplicate') THEN
		RAISE 'unexpected outcome %', c.outcome;
	END IF;
	RETURN c.outcome;
END $$;
-- The same for some of the keys 1 to 300, in any order and some of them twice.
CREATE FUNCTION pay_many(first int, prefix text DEFAULT 'old-', range int DEFAULT 301) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	keys text[] := ARRAY(SELECT prefix || 1 + (first + i * i) % range FROM generate_series(1, 12) i ORDER BY random());
	done bigint;
BEGIN
	INSERT INTO effect SELECT c.key FROM idem.claim_many('stress', keys, array_fill('{"amount": "88.0"}'::jsonb, ARRAY[12])) c WHERE c.granted;
	GET DIAGNOSTICS done = ROW_COUNT;
	RETURN done;
END $$;
SQL

sub script
{
	my ($level) = @_;
	return <<"SQL";
\\set old random(1, 300)
\\set dice random(1, 10)
\\set nested random(1, 10)
BEGIN ISOLATION LEVEL $level;
SELECT pay('old-' || :old);
\\if :nested <= 4
SAVEPOINT s;
\\endif
SELECT pay('new-' || (extract(epoch FROM clock_timestamp()) * 250)::bigint);
SELECT pay('new-' || (extract(epoch FROM clock_timestamp()) * 250)::bigint);
\\if :nested <= 2
ROLLBACK TO s;
SELECT pay('old-' || :old + 1);
\\endif
\\if :dice <= 3
ROLLBACK;
\\else
COMMIT;
\\endif
SQL
}

# What the eight sessions do, and how many claims one of it makes at least.
my %files = map {
	my $level = $_;
	(lc($level) =~ s/ /_/r => script($level))
} ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');
my $claims_each = 3;
$files{many} = <<'SQL';
\set first random(1, 301)
SELECT pay_many(:first);
SQL

# In the background: another size for a committed row, and a new index.
my $updates = $node->basedir . '/updates.sql';
append_to_file($updates, <<'SQL');
\set old random(1, 300)
\set size random(1, 400)
UPDATE idem.anchor SET response = to_jsonb(repeat('y', :size)) WHERE key = 'old-' || :old;
SQL
my $rebuild = $node->basedir . '/rebuild.sql';
append_to_file($rebuild, <<'SQL');
REINDEX INDEX CONCURRENTLY idem.anchor_pkey;
SQL

sub start_pgbench
{
	my ($out, $err, @options) = @_;
	return start([ 'pgbench', '-n', @options, '-h', $node->host, '-p', $node->port, 'postgres' ],
		'>', $out, '2>', $err, timeout(600));
}

sub start_background
{
	my @background;

	foreach my $load ([ $updates, 2 ], [ $rebuild, 1 ])
	{
		my ($file, $clients) = @$load;
		my ($out, $err) = ('', '');
		push @background, [ $file, \$err, start_pgbench(\$out, \$err, '-c', $clients, '-T', '600', '-f', $file) ];
	}
	return @background;
}

sub stop_background
{
	foreach my $load (@_)
	{
		eval { $load->[2]->signal('TERM') if $load->[2]->pumpable; $load->[2]->finish; };
	}
}

my @background = start_background();
$node->pgbench(
	'-n -c 8 -j 2 -t 1200 --max-tries=1000',
	0,
	[qr{processed: 9600/9600}],
	[qr{^$}],
	'eight sessions claim the same keys, 40001 is the only error',
	\%files);

# C 77: fifty sessions, each with batches that overlap the others', in any
# order, two in a transaction: nobody waits, so there is no deadlock.
$node->pgbench(
	'-n -c 50 -j 2 -t 12',
	0,
	[qr{processed: 600/600}],
	[qr{^$}],
	'fifty sessions claim many keys a call in any order',
	{ fifty => <<'SQL' });
\set first random(1, 2000)
\set second random(1, 2000)
\set dice random(1, 10)
BEGIN;
SELECT pay_many(:first, 'fifty-', 2000);
SELECT pay_many(:second, 'fifty-', 2000);
\if :dice <= 3
ROLLBACK;
\else
COMMIT;
\endif
SQL
is($node->safe_psql('postgres', q{SELECT count(*) > 1000, count(*) = count(DISTINCT key) FROM effect WHERE key LIKE 'fifty-%'}),
	't|t', 'and their effects are one a key');
is($node->safe_psql('postgres', q{SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'}), '0', 'and nobody died of it');

foreach my $load (@background)
{
	my ($file, $err, $run) = @$load;
	ok($run->pumpable, "$file went on meanwhile") or diag($$err);
}
stop_background(@background);

# The long form: the same storm, cut off again and again.
my @scripts = map {
	my $file = $node->basedir . "/long_$_.sql";
	append_to_file($file, $files{$_});
	('-f', $file)
} sort keys %files;

# One of the server's processes, kill -9: all of them end, and it recovers.
sub kill_backend
{
	my $pid = $node->safe_psql('postgres',
		q{SELECT pid FROM pg_stat_activity WHERE query ~ 'pay' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1});
	kill 'KILL', $pid if $pid;
	$node->poll_query_until('postgres', 'SELECT true') or die 'no recovery';
}

# Three sessions, each where it is.
sub end_sessions
{
	$node->safe_psql('postgres',
		q{SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE query ~ 'pay'
			AND pid <> pg_backend_pid() ORDER BY random() LIMIT 3) s});
}

my %cuts = (
	'backend killed' => \&kill_backend,
	'sessions ended' => \&end_sessions,
	'server stopped at once' => sub { $node->stop('immediate'); $node->start; },
	'server stopped in good order' => sub { $node->stop('fast'); $node->start; });
my ($claims_made, $rounds, %cut_count) = (9600 * $claims_each, 0);

while ($claims_made < $claims_wanted)
{
	my ($out, $err) = ('', '');
	my $cut = (sort keys %cuts)[ $rounds++ % keys %cuts ];

	@background = start_background();
	my $storm = start_pgbench(\$out, \$err, '-c', 8, '-j', 2, '-T', 20, '--max-tries=1000', @scripts);
	my $until = time + 2 + int(rand(12));
	while (time < $until && $storm->pumpable) { $storm->pump_nb; select(undef, undef, undef, 0.2); }
	$cuts{$cut}->();
	$cut_count{$cut}++;
	eval { $storm->finish; };
	stop_background(@background);
	$claims_made += $claims_each * $1 if $out =~ /actually processed: (\d+)/;
	note("round $rounds, $cut: $claims_made claims made, "
		  . $node->safe_psql('postgres', 'SELECT count(*) FROM effect') . ' effects');
	if ((my $twice = ask(q{SELECT count(*) FROM (SELECT FROM effect GROUP BY key HAVING count(*) > 1) d})) ne '0')
	{
		fail("round $rounds, $cut: $twice keys have two effects");
		last;
	}
}
note(join(', ', map { "$_: $cut_count{$_}" } sort keys %cut_count)) if $rounds;

sub ask
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

is(ask(q{SELECT count(*) FROM (SELECT FROM effect GROUP BY key HAVING count(*) > 1) d}),
	'0', 'no key has two effects');
is(ask(q{SELECT count(*) FROM (SELECT DISTINCT key FROM effect) e FULL JOIN idem.anchor a USING (key)
	WHERE e.key IS NULL OR a.key IS NULL}), '0', 'effects and anchors are the same keys');
is(ask(q{SELECT count(*) FROM idem.anchor WHERE key LIKE 'old-%' AND state NOT IN ('c', 's')}), '0', 'all final');
# 250 a second, as long as the machine needs
cmp_ok(ask(q{SELECT count(*) FROM effect WHERE key LIKE 'new-%'}), '>', 100, 'many new keys');

# Whoever was refused or rolled back comes again: then everybody has one.
ask(q{SELECT pay('old-' || i) FROM generate_series(1, 301) i});
is(ask(q{SELECT count(*), count(DISTINCT key) FROM effect WHERE key LIKE 'old-%'}),
	'301|301', 'every key has its effect, once');
is(ask(q{SELECT count(*) FROM generate_series(1, 301) i, idem.claim('stress', 'old-' || i, '{"amount": "88.0"}') c
	WHERE outcome = 'replayed'}), '301', 'and replays');

# How often rivals met in the middle of an insert; taken back rows count as
# deleted.
note('rows taken back: ' . ask(q{SELECT n_tup_del FROM pg_stat_user_tables WHERE relid = 'idem.anchor'::regclass}));

# The index that was rebuilt under load agrees with the table.
SKIP:
{
	skip 'amcheck is not installed', 1
	  if ask(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'}) eq '0';
	ask(q{CREATE EXTENSION amcheck});
	is(ask(q{SELECT bt_index_check('idem.anchor_pkey', true)}), '', 'the index is whole');
}

$node->stop;
done_testing();
