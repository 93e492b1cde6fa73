# The incident with a new key for every delivery: the same user and amount,
# within a second, eight consumers, and no key that comes twice.
#
# Under "report" of n deliveries at least n - 1 are suspects once all of them
# have committed, whatever met whatever while it was looking; each is granted.
# Under "hold" one effect a payment lets itself happen, at each isolation level,
# claimed or reserved, also while keys are released and reserved again and
# transactions roll back; nobody waits for a deadlock. Then everything comes
# once more, so that every payment has its one effect.
#
#	IDEM_SUSPECTS=60 sh test/run.sh 335_claim_suspects
#
# goes on for so many seconds.
#
# What is suspected, held and confirmed survives a dump. And real sales block
# nothing under "report": the lines of four invoices that repeat each other, or
# those of the file in IDEM_RETAIL (lines.csv or lines.csv.gz).

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{IDEM_SUSPECTS} || 2;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
max_prepared_transactions = 5
log_statement = none
jit = off
CONF
$node->start;

sub ask { return $node->safe_psql('postgres', $_[0]); }

ask(<<'SQL');
CREATE EXTENSION idem;
SELECT idem.create_scope('report', 'inside', '{user,amount}', flush => false, duplicate_fields => '{user,amount}', duplicate_window => '1 day');
SELECT idem.create_scope('hold', 'inside', '{user,amount}', flush => false, duplicate_fields => '{user,amount}', duplicate_window => '1 day', on_duplicate => 'hold');
SELECT idem.create_scope('out', 'outside', '{user,amount}', duplicate_fields => '{user,amount}', duplicate_window => '1 day', on_duplicate => 'hold');
CREATE TABLE effect (scope text, payment bigint, key text);
-- Which payment it is: a new one every 40 ms, so that rivals meet on each.
CREATE FUNCTION payment_now() RETURNS bigint LANGUAGE sql AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 25)::bigint $$;
CREATE FUNCTION request(payment bigint) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('user', 'u' || payment, 'amount', 88.00) $$;
CREATE FUNCTION deliver(s text, payment bigint, k text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	c idem.claim_result := idem.claim(s, k, request(payment));
BEGIN
	IF c.granted THEN
		INSERT INTO effect VALUES (s, payment, k);
	ELSIF c.outcome NOT IN ('in_progress', 'suspect') THEN
		RAISE 'unexpected outcome %', c.outcome;
	END IF;
	RETURN c.outcome;
END $$;
CREATE FUNCTION order_out(payment bigint, k text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	c idem.send_result := idem.reserve('out', k, request(payment));
BEGIN
	IF c.outcome NOT IN ('reserved', 'in_progress', 'suspect') THEN
		RAISE 'unexpected outcome %', c.outcome;
	END IF;
	RETURN c.outcome;
END $$;
-- One of the keys that are reserved is given back, or one that was is taken again.
CREATE FUNCTION waver() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	SELECT o.key, o.state, o.token, o.request INTO r FROM idem.open_claims o WHERE o.first_seen > clock_timestamp() - interval '200 ms' ORDER BY random() LIMIT 1;
	IF r.state = 'reserved' THEN
		PERFORM idem.release('out', r.key, r.token);
	ELSIF r.state = 'released' THEN
		PERFORM idem.reserve('out', r.key, r.request);
	END IF;
END $$;
SQL

sub script
{
	my ($name, $text) = @_;
	my $path = $node->basedir . "/$name.sql";
	append_to_file($path, $text);
	return $path;
}

my @hold;
foreach my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	push @hold, script(lc($level) =~ s/ /_/r, <<"SQL");
\\set dice random(1, 10)
BEGIN ISOLATION LEVEL $level;
SELECT deliver('hold', payment_now(), gen_random_uuid()::text);
SELECT order_out(payment_now(), gen_random_uuid()::text);
\\if :dice <= 2
ROLLBACK;
\\else
COMMIT;
\\endif
SQL
}
my $report = script('report', <<'SQL');
\set dice random(1, 10)
BEGIN;
SELECT deliver('report', payment_now(), gen_random_uuid()::text);
\if :dice <= 1
ROLLBACK;
\else
COMMIT;
\endif
SQL
my $waver = script('waver', "SELECT waver();\n");

$node->command_ok([ 'pgbench', '-n', '-c', 8, '-j', 2, '-T', $seconds, '--max-tries', 20,
	map({ ('-f', "$_\@4") } @hold), '-f', "$report\@6", '-f', "$waver\@4", 'postgres' ],
	'eight consumers, a new key for every delivery');
unlike(slurp_file($node->logfile), qr/deadlock detected/, 'nobody waited for a deadlock');
unlike(slurp_file($node->logfile), qr/ERROR:  unexpected outcome/, 'nothing else was answered');

# Report
is(ask(q{SELECT count(*) > 20, count(*) FILTER (WHERE n > 1) > 10, max(n) > 3 FROM
	(SELECT count(*) AS n FROM effect WHERE scope = 'report' GROUP BY payment) p}), 't|t|t',
	'report: deliveries of one payment met');
is(ask(q{SELECT count(*) FROM (SELECT payment, count(*) AS n, count(s.key) AS suspected
		FROM effect e LEFT JOIN idem.suspects s ON s.scope = 'report' AND s.key = e.key AND s.state = 'granted'
		WHERE e.scope = 'report' GROUP BY payment) p WHERE suspected < n - 1}), '0',
	'report: of n deliveries at least n - 1 are suspects');
is(ask(q{SELECT count(*) FROM idem.suspects s WHERE scope = 'report'
	AND NOT EXISTS (SELECT FROM effect e JOIN effect o ON (o.scope, o.payment) = (e.scope, e.payment) AND o.key <> e.key WHERE e.key = s.key)}), '0',
	'report: and nothing else is one');

# Hold
is(ask(q{SELECT count(*) FROM (SELECT payment FROM effect WHERE scope = 'hold' GROUP BY payment HAVING count(*) > 1) p}), '0',
	'hold: no payment has two effects');
is(ask(q{SELECT count(*) > 20 FROM effect WHERE scope = 'hold'}), 't', 'hold: payments had theirs');
is(ask(q{SELECT count(*) FROM (SELECT request->>'user' FROM idem.open_claims WHERE scope = 'out' AND state <> 'released' GROUP BY 1 HAVING count(*) > 1) p}), '0',
	'hold: no payment is reserved twice');
is(ask(q{SELECT count(*) > 20, count(*) FILTER (WHERE state = 'released') > 0 FROM idem.open_claims WHERE scope = 'out'}), 't|t',
	'hold: payments were reserved, and some released');
is(ask(q{SELECT count(*) > 0 FROM idem.suspects WHERE scope = 'hold' AND state = 'held'}), 't', 'hold: the others are listed');
# Everything comes once more: a payment that has its effect gets no other, one that has none does.
is(ask(q{CREATE TABLE again AS SELECT DISTINCT substr(request(p)->>'user', 2)::bigint AS payment FROM generate_series(
			(SELECT min(payment) FROM effect), (SELECT max(payment) FROM effect)) p;
	SELECT deliver('hold', payment, 'again-' || payment), order_out(payment, 'again-' || payment) FROM again \\g /dev/null
	SELECT count(*) - (SELECT count(*) FROM effect e WHERE scope = 'hold' AND payment IN (SELECT payment FROM again)),
		count(*) - (SELECT count(DISTINCT request->>'user') FROM idem.open_claims WHERE scope = 'out' AND state <> 'released'
			AND substr(request->>'user', 2)::bigint IN (SELECT payment FROM again)) FROM again}), '0|0',
	'hold: every payment has one effect in the end');
is(ask(q{SELECT count(*) FROM (SELECT payment FROM effect WHERE scope = 'hold' GROUP BY payment HAVING count(*) > 1) p}), '0',
	'hold: and no second one');

# A transaction that is prepared has not ended.
ask(q{BEGIN; SELECT deliver('hold', 1, 'prepared'); SELECT deliver('report', 1, 'prepared'); PREPARE TRANSACTION 'p'});
is(ask(q{SELECT outcome, detail FROM idem.claim('hold', 'other', request(1))}),
	'in_progress|key "prepared" has the same user, amount, and is held by a prepared transaction', 'prepared: in progress');
is(ask(q{SELECT outcome FROM idem.claim('report', 'other', request(1))}), 'granted', 'prepared: reported, not waited for');
ask(q{COMMIT PREPARED 'p'});
is(ask(q{SELECT outcome FROM idem.claim('hold', 'other', request(1))}), 'suspect', 'prepared: committed');
is(ask(q{SELECT string_agg(key, ',') FROM idem.suspects WHERE scope = 'report' AND key IN ('prepared', 'other')}), 'other', 'prepared: and listed');
ask(q{BEGIN; SELECT idem.claim('hold', 'other', request(1), 'yes'); PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'});
is(ask(q{SELECT outcome FROM idem.claim('hold', 'other', request(1))}), 'replayed', 'prepared: a confirmed claim, too');

# Dumped and restored
is(ask(q{SELECT outcome FROM idem.claim('hold', 'third', request(1))}), 'suspect', 'dump: a key is held');
is(ask(q{SELECT outcome FROM idem.claim('hold', 'fourth', request(1))}), 'suspect', 'dump: another one');
is(ask(q{SELECT idem.confirm_suspects(ARRAY(SELECT id FROM idem.suspects WHERE key = 'fourth'), 'yes')}), '1', 'dump: confirmed');
my $listed = q{SELECT md5(string_agg(s::text, ',' ORDER BY s.id, s.members)), count(*) > 100 FROM idem.suspects s};
my $was = ask($listed);
my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-f', $dump, 'postgres' ], 'dump: written');
ask('CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', $dump, 'restored' ], 'dump: restored');
is($node->safe_psql('restored', $listed), $was, 'dump: the same suspects');
is($node->safe_psql('restored', q{SELECT string_agg(outcome, ',' ORDER BY k)
		FROM unnest('{fifth,fourth,third}'::text[]) k, idem.claim('hold', k, request(1))}), 'suspect,granted,suspect',
	'dump: a new key is suspected, a held one held, a confirmed one granted');

# Real sales
my $lines = $ENV{IDEM_RETAIL} || 'test/demo/online_retail/repeats.csv';
my $csv = $node->basedir . '/lines.csv';
system($lines =~ /\.gz$/ ? "gzip -dc '$lines' >'$csv'" : "cp '$lines' '$csv'") == 0 or die "cannot read $lines";
ask(qq{CREATE TABLE line (seq int, invoice text, kind text, stock_code text, quantity int, invoice_ts timestamp, unit_price numeric, customer_id text, country text);
	COPY line FROM '$csv' (FORMAT csv, HEADER);
	SELECT idem.create_scope('sale', 'inside', '{*}', flush => false, duplicate_fields => '{*}', duplicate_window => '1 day')});
is(ask(q{SELECT count(*) - count(*) FILTER (WHERE c.granted) FROM line l, idem.claim('sale', l.seq::text, to_jsonb(l) - 'seq') c}), '0',
	'sales: none is blocked');
my $repeats = ask(q{SELECT sum(n - 1) FROM (SELECT count(*) AS n FROM line l GROUP BY to_jsonb(l) - 'seq') g});
is(ask(q{SELECT count(*) FROM idem.suspects WHERE scope = 'sale'}), $repeats, "sales: the $repeats exact repeats are listed");
cmp_ok($repeats, '>', 20, 'sales: there are some');

$node->stop;
done_testing();
