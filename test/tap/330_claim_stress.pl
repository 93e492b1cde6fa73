# Eight sessions, the same keys, no effect twice and none lost.
#
# The effect of a key is a row of a table without any unique index: only the
# claim stands between a key and a second effect. Sessions claim shuffled keys
# from few, and always new ones from a range that moves with the clock, so
# that rivals meet while they insert; at each isolation level; three of ten
# transactions roll back, and some claims in a savepoint. Meanwhile committed
# anchors are updated to other sizes and the index is rebuilt, both of which a
# probe could stumble over. Then every key is claimed until it replays.
# (cases 1, 7, 9, 11, 12)

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use IPC::Run qw(start timeout);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
max_connections = 30
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
my @background;
foreach my $load ([ $updates, 2 ], [ $rebuild, 1 ])
{
	my ($file, $clients) = @$load;
	my ($out, $err) = ('', '');
	push @background,
	  [ $file, \$err, start([ 'pgbench', '-n', '-c', $clients, '-T', '600', '-f', $file,
				'-h', $node->host, '-p', $node->port, 'postgres' ],
			'>', \$out, '2>', \$err, timeout(600)) ];
}

my %files = map {
	my $level = $_;
	(lc($level) =~ s/ /_/r => script($level))
} ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');
$node->pgbench(
	'-n -c 8 -j 2 -t 1200 --max-tries=1000',
	0,
	[qr{processed: 9600/9600}],
	[qr{^$}],
	'eight sessions claim the same keys, 40001 is the only error',
	\%files);

foreach my $load (@background)
{
	my ($file, $err, $run) = @$load;
	ok($run->pumpable, "$file went on meanwhile") or diag($$err);
	$run->signal('INT');
	eval { $run->finish; };
}

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
cmp_ok(ask(q{SELECT count(*) FROM effect WHERE key LIKE 'new-%'}), '>', 500, 'many new keys');

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
