# Stopping in the middle of a storm, and what a pause outlives.
#
# Sessions claim (each key in a transaction of its own, and many in one under
# REPEATABLE READ), reserve, dispatch, move rows along a machine and refund, all
# the time; each writes down by the clock of the database when it asked, what it
# was answered, and when. Meanwhile a session pauses and resumes; it reads the
# clock when the commit of a pause has returned, and before it asks to resume.
# Nobody who asked and was answered between the two was granted anything, and no
# result was refused.
#
# Then: a pause outlives a crash and a dump, and a resume the crash, also where the
# commits of their sessions are not flushed; and a pause that is prepared is in
# force when it is committed.
#
#	IDEM_PAUSES=100 sh test/run.sh 600_control_pause
#
# pauses so often, each of the four kinds of work.

use strict;
use warnings;

use IPC::Run qw(start);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $pauses = $ENV{IDEM_PAUSES} || 10;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 10\nmax_connections = 40\nwal_writer_delay = 10s");
$node->start;

sub ask
{
	my ($sql, $database) = @_;
	return $node->safe_psql($database || 'postgres', $sql);
}

ask(q{
	CREATE EXTENSION idem;
	SELECT idem.create_scope('debit', effect => 'inside', fields => '{}');
	SELECT idem.create_scope('payout', effect => 'outside', fields => '{}');
	SELECT FROM idem.define_machine('payment', 'stateDiagram-v2
		[*] --> created
		created --> paying
		paying --> paid
		paid --> [*]');
	CREATE TABLE payment (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount bigint NOT NULL, status text NOT NULL);
	CREATE TABLE refund (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payment bigint NOT NULL REFERENCES payment,
		amount bigint NOT NULL, status text NOT NULL);
	SELECT idem.guard_states('payment', 'status', 'payment');
	SELECT idem.guard_limit('refund', 'payment', amount => 'amount', cap => 'amount', used => 'refunded',
		released => '{failed}', facts => '{returned}', state => 'status');
	INSERT INTO payment (amount, status) SELECT 1000000000, 'created' FROM generate_series(1, 8);

	CREATE UNLOGGED TABLE asked (what text, at timestamptz, outcome text, answered timestamptz DEFAULT clock_timestamp());
	CREATE UNLOGGED TABLE refused (what text, said text);
	CREATE TABLE stopped (what text, since timestamptz, until timestamptz);
	CREATE TABLE over (at timestamptz);
	CREATE FUNCTION is_over() RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM over)';
});

# Claims, each in its own transaction.
ask(q{
	CREATE PROCEDURE claims(me text) LANGUAGE plpgsql AS $$
	DECLARE n bigint := 0; at timestamptz; said text;
	BEGIN
		WHILE NOT is_over() LOOP
			n := n + 1;
			at := clock_timestamp();
			SELECT outcome INTO said FROM idem.claim('debit', me || n);
			IF said = 'granted' AND (SELECT outcome FROM idem.complete('debit', me || n, '1')) <> 'succeeded' THEN
				INSERT INTO refused VALUES ('debit', 'complete');
			END IF;
			INSERT INTO asked VALUES ('debit', at, said);
			COMMIT;
		END LOOP;
	END
	$$;
	-- many in a transaction that stays open, with one snapshot
	CREATE PROCEDURE many_claims(me text) LANGUAGE plpgsql AS $$
	DECLARE n bigint := 0; at timestamptz; said text;
	BEGIN
		WHILE NOT is_over() LOOP
			COMMIT;
			SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
			FOR i IN 1 .. 30 LOOP
				n := n + 1;
				at := clock_timestamp();
				SELECT outcome INTO said FROM idem.claim('debit', me || n);
				INSERT INTO asked VALUES ('debit', at, said);
				PERFORM pg_sleep(0.001);
			END LOOP;
			COMMIT;
		END LOOP;
	END
	$$;
	CREATE PROCEDURE sends(me text) LANGUAGE plpgsql AS $$
	DECLARE n bigint := 0; at timestamptz; mine idem.send_result; sent idem.send_result; said text;
	BEGIN
		WHILE NOT is_over() LOOP
			n := n + 1;
			at := clock_timestamp();
			SELECT * INTO mine FROM idem.reserve('payout', me || n);
			INSERT INTO asked VALUES ('payout', at, mine.outcome);
			COMMIT;
			CONTINUE WHEN mine.token IS NULL;
			LOOP
				at := clock_timestamp();
				sent := NULL;
				CALL idem.dispatch('payout', me || n, mine.token, sent);
				INSERT INTO asked VALUES ('payout', at, sent.outcome);
				COMMIT;
				EXIT WHEN sent.granted OR is_over();
			END LOOP;
			CONTINUE WHEN NOT sent.granted;
			SELECT outcome INTO said FROM idem.complete('payout', me || n, mine.token, 'succeeded', '{"bank":"ok"}');
			IF said <> 'succeeded' THEN
				INSERT INTO refused VALUES ('payout', said);
			END IF;
			COMMIT;
		END LOOP;
	END
	$$;
	CREATE PROCEDURE moves(me text) LANGUAGE plpgsql AS $$
	DECLARE row bigint; at timestamptz; said text;
	BEGIN
		WHILE NOT is_over() LOOP
			INSERT INTO payment (amount, status) VALUES (1, 'created') RETURNING id INTO row;
			COMMIT;
			LOOP
				at := clock_timestamp();
				BEGIN
					UPDATE payment SET status = 'paying' WHERE id = row;
					said := 'granted';
				EXCEPTION WHEN SQLSTATE '55I03' THEN said := 'paused';
				END;
				INSERT INTO asked VALUES ('payment', at, said);
				COMMIT;
				EXIT WHEN said = 'granted' OR is_over();
			END LOOP;
			CONTINUE WHEN said <> 'granted';
			BEGIN
				UPDATE payment SET status = 'paid' WHERE id = row;
			EXCEPTION WHEN OTHERS THEN INSERT INTO refused VALUES ('payment', SQLERRM);
			END;
			COMMIT;
		END LOOP;
	END
	$$;
	CREATE PROCEDURE refunds(me int) LANGUAGE plpgsql AS $$
	DECLARE row bigint; at timestamptz; said text;
	BEGIN
		WHILE NOT is_over() LOOP
			at := clock_timestamp();
			BEGIN
				INSERT INTO refund (payment, amount, status) VALUES (me, 2, 'asked') RETURNING id INTO row;
				said := 'granted';
			EXCEPTION WHEN SQLSTATE '55I03' THEN said := 'paused';
			END;
			INSERT INTO asked VALUES ('refund', at, said);
			COMMIT;
			BEGIN
				INSERT INTO refund (payment, amount, status) VALUES (me, 1, 'returned');
				IF said = 'granted' THEN
					UPDATE refund SET status = 'failed' WHERE id = row;
				END IF;
			EXCEPTION WHEN OTHERS THEN INSERT INTO refused VALUES ('refund', SQLERRM);
			END;
			COMMIT;
		END LOOP;
	END
	$$;
	CREATE PROCEDURE stops(times int) LANGUAGE plpgsql AS $$
	DECLARE w record; since timestamptz; until timestamptz;
	BEGIN
		FOR i IN 1 .. times LOOP
			FOR w IN VALUES ('debit', 'scope', NULL::text), ('payout', 'scope', NULL), ('payment', 'machine', 'paying'), ('refund', 'limit', NULL) LOOP
				PERFORM idem.pause(w.column2, w.column1, state => w.column3, reason => 'test');
				COMMIT;
				since := clock_timestamp();
				PERFORM pg_sleep(0.004 + random() * 0.006);
				until := clock_timestamp();
				PERFORM idem.resume(w.column2, w.column1, state => w.column3, reason => 'test');
				COMMIT;
				INSERT INTO stopped VALUES (w.column1, since, until);
				COMMIT;
				PERFORM pg_sleep(random() * 0.005);
			END LOOP;
		END LOOP;
		INSERT INTO over VALUES (clock_timestamp());
		COMMIT;
	END
	$$;
});

my @sessions;
my $said = '';
sub begin
{
	my ($sql) = @_;
	push @sessions, start([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', $sql ], '>&', \$said);
}
begin("CALL $_") foreach ("claims('a')", "claims('b')", "many_claims('c')", "sends('a')", "sends('b')", "moves('a')", "moves('b')", 'refunds(1)', 'refunds(2)');
ask("CALL stops($pauses)");
is(scalar(grep { !$_->finish } @sessions), 0, 'every session came to its end');
is($said, '', 'and none met an error');

is(ask('SELECT count(*) FROM stopped'), 4 * $pauses, "stopped and resumed $pauses times each");
is(ask(q{SELECT count(*) FROM asked a JOIN stopped s ON s.what = a.what AND a.at > s.since AND a.answered < s.until
	WHERE a.outcome <> 'paused'}), '0', 'nothing was granted to anybody who asked after a pause had returned');
is(ask('SELECT count(*) FROM refused'), '0', 'no result was refused');
is(ask(q{SELECT string_agg(what, ',' ORDER BY what) FROM (SELECT what FROM asked GROUP BY what
	HAVING count(*) FILTER (WHERE outcome = 'paused') > 0 AND count(*) FILTER (WHERE outcome IN ('granted', 'reserved')) > 0) a}),
	'debit,payment,payout,refund', 'each was stopped, and each went on');
is(ask('SELECT count(*) FROM idem.pauses'), '0', 'all is resumed');
note ask(q{SELECT string_agg(format('%s: %s granted, %s paused', what, g, p), '; ' ORDER BY what) FROM (SELECT what,
	count(*) FILTER (WHERE outcome <> 'paused') AS g, count(*) FILTER (WHERE outcome = 'paused') AS p FROM asked GROUP BY what) a});

# What a pause outlives
ask(q{
	SET synchronous_commit = off;
	SELECT idem.pause('scope', 'debit', reason => 'test');
	SELECT idem.pause('machine', 'payment', state => 'paying', reason => 'test');
	SELECT idem.pause('limit', 'refund', reason => 'test');
});
$node->stop('immediate');
$node->start;
my $judge = q{
	SELECT outcome FROM idem.claim('debit', 'judged');
	DO $$ BEGIN UPDATE payment SET status = 'paying' WHERE id = 1; EXCEPTION WHEN SQLSTATE '55I03' THEN RAISE NOTICE 'paused'; END $$;
	DO $$ BEGIN INSERT INTO refund (payment, amount, status) VALUES (3, 1, 'asked'); EXCEPTION WHEN SQLSTATE '55I03' THEN RAISE NOTICE 'paused'; END $$;
};
sub judged
{
	my ($database) = @_;
	my ($rc, $out, $err) = $node->psql($database, $judge);
	return "$out " . (() = $err =~ /NOTICE:  paused/g);
}
is(judged('postgres'), 'paused 2', 'a pause outlives a crash');

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'dumped');
ask('CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'restored without an error');
is(judged('restored'), 'paused 2', 'and a dump');
ask(q{SELECT idem.resume(kind, name, state => state, fk => fk, reason => 'test') FROM idem.pauses}, 'restored');
is(judged('restored'), 'granted 0', 'there it is resumed');
is(judged('postgres'), 'paused 2', 'and not here');
ask(q{SET synchronous_commit = off; SELECT idem.resume(kind, name, state => state, fk => fk, reason => 'test') FROM idem.pauses});
$node->stop('immediate');
$node->start;
is(ask('SELECT count(*) FROM idem.pauses'), '0', 'a resume outlives a crash');

# Two-phase commit: in force when it is committed.
my $open = $node->background_psql('postgres');
$open->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT outcome FROM idem.claim('debit', 'p-1')");
ask(q{BEGIN; SELECT idem.pause('scope', 'debit', reason => 'test'); PREPARE TRANSACTION 'stop'});
like($open->query_safe("SELECT outcome FROM idem.claim('debit', 'p-2')"), qr/granted/, 'a pause that is prepared is not in force');
ask(q{COMMIT PREPARED 'stop'});
like($open->query_safe("SELECT outcome FROM idem.claim('debit', 'p-3')"), qr/paused/, 'one that is committed is');
$open->query_safe('COMMIT');
$open->quit;

$node->stop;
done_testing();
