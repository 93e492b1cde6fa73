# Every two calls for one key, at once; of effects outside, and inside.
#
# One session calls A and leaves its transaction open; another calls B; then
# the first one commits, or rolls back. Or: B's snapshot is taken, A is called
# and committed, and then B. For every state of the key, every A, every B, at
# each pair of isolation levels.
#
# What must come out is not written down here line by line: it is what the
# same calls give one after the other, which sql/send_states.sql shows. A
# scene is right if B was answered, and the key was left,
#
#	after	as if A had come first and B after it (or, when A rolled back,
#			as if there had been no A); not over what B's snapshot does not see
#	before	as if B had come first, and A is answered the same after it
#	busy	that somebody is at it, neither granted nor settled, and B has
#			changed nothing
#	40001	under REPEATABLE READ and SERIALIZABLE, if A changed the key, and B
#			has changed nothing
#
# and wrong if anything else. (A retirement is administration and acts on what
# is committed now, at every level; it may leave a key that somebody works on to
# the next one.) At the end is who waits, who is told at once, and at which level
# 40001 comes. (C 4, C 8, C 14, C 17, C 19, C 20, C 22, C 29,
# C 43, C 69, C 73)
#
#	IDEM_PAIRS=all sh test/run.sh 343_claim_pairs
#
# takes every pair of levels and every end of A for every two calls, and seven
# states outside: 30,000 scenes, three minutes. Without it there are four, and
# levels and ends take turns.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $all = ($ENV{IDEM_PAIRS} || '') eq 'all' ? 'true' : 'false';

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nsynchronous_commit = off\nautovacuum = off");
$node->start;

sub ask
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

plan skip_all => 'needs dblink'
  if ask(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'dblink'}) eq '0';

ask(<<'SQL');
CREATE EXTENSION idem;
CREATE EXTENSION dblink;
SELECT idem.create_scope('inside', 'inside', '{}', key_time => 'YYYYMMDD');
SELECT idem.create_scope('pairs', 'outside', '{}', lease => '1 hour', quiet => '0', ladder => '{1 hour}', key_time => 'YYYYMMDD');

-- idem.dispatch, answered like the others.
CREATE PROCEDURE send(k text, INOUT answer text DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE
	a idem.send_result;
BEGIN
	CALL idem.dispatch('pairs', k, 1, a);
	answer := concat_ws(' ', a.outcome, CASE WHEN a.granted THEN 'GRANTED' END, CASE WHEN a.settled THEN 'SETTLED' END, a.state, a.attempt, a.response);
END $$;
CREATE FUNCTION short(c idem.claim_result) RETURNS text LANGUAGE sql IMMUTABLE
	RETURN concat_ws(' ', c.outcome, CASE WHEN c.granted THEN 'GRANTED' END, CASE WHEN c.settled THEN 'SETTLED' END,
		CASE WHEN c.reentrant THEN 'REENTRANT' END, c.state, c.response);
CREATE FUNCTION short(c idem.send_result) RETURNS text LANGUAGE sql IMMUTABLE
	RETURN concat_ws(' ', c.outcome, CASE WHEN c.granted THEN 'GRANTED' END, CASE WHEN c.settled THEN 'SETTLED' END,
		CASE WHEN c.reentrant THEN 'REENTRANT' END, c.state, 'token ' || c.token, c.attempt, c.response);

-- What each caller says; %L is the key. All hold the first token, or none.
CREATE TABLE call (name text, n int GENERATED ALWAYS AS IDENTITY, sql text, inside bool DEFAULT false);
INSERT INTO call (name, sql) VALUES
	('reserve', $$SELECT short(idem.reserve('pairs', %L))$$),
	('nonce', $$SELECT short(idem.reserve('pairs', %L, nonce => 'n'))$$),
	('dispatch', $$CALL send(%L)$$),
	('heartbeat', $$SELECT short(idem.heartbeat('pairs', %L, 1))$$),
	('release', $$SELECT short(idem.release('pairs', %L, 1))$$),
	('succeeded', $$SELECT short(idem.complete('pairs', %L, 1, 'succeeded', '{"ok": 1}'))$$),
	('failed', $$SELECT short(idem.complete('pairs', %L, 1, 'failed', '{"no": 1}'))$$),
	('unknown', $$SELECT short(idem.complete('pairs', %L, 1, 'unknown'))$$),
	('paid', $$SELECT short(idem.resolve('pairs', %L, 'succeeded', '{"by": "me"}', '{"ok": 1}'))$$),
	('unpaid', $$SELECT short(idem.resolve('pairs', %L, 'released', '{"by": "me"}'))$$),
	('fence', $$SELECT short(idem.fence('pairs', %L, 'test'))$$),
	('due', $$SELECT coalesce((SELECT concat_ws(' ', state, step, why) FROM idem.due('pairs') WHERE key = %1$L), 'nothing')$$),
	('retire', $$SELECT 'removed ' || removed FROM idem.retire('pairs', left(%L, 8)::timestamp AT TIME ZONE 'UTC' + '1 day')$$),
	('lookup', $$SELECT short(idem.lookup('pairs', %L))$$);
INSERT INTO call (name, inside, sql) VALUES
	('claim', true, $$SELECT short(idem.claim('inside', %L))$$),
	('claim, complete', true, $$SELECT short(c) || CASE WHEN c.granted THEN ' ' || short(idem.complete('inside', c.key, '{"ok": 1}')) ELSE '' END
		FROM idem.claim('inside', %L) c$$),
	('claim many', true, $$SELECT short(c) FROM idem.claim_many('inside', ARRAY[%L]) c$$),
	('fence inside', true, $$SELECT short(idem.fence('inside', %L, 'test'))$$),
	('retire inside', true, $$SELECT 'removed ' || removed FROM idem.retire('inside', left(%L, 8)::timestamp AT TIME ZONE 'UTC' + '1 day')$$),
	('lookup inside', true, $$SELECT short(idem.lookup('inside', %L))$$);

-- A key in each state.
SELECT idem.reserve('pairs', '18991231-' || s, nonce => 'n') FROM unnest('{reserved,expired,dispatched,unknown,released,succeeded}'::text[]) s;
CALL send('18991231-dispatched');
CALL send('18991231-unknown');
CALL send('18991231-released');
CALL send('18991231-succeeded');
SELECT idem.complete('pairs', '18991231-unknown', 1, 'unknown'), idem.resolve('pairs', '18991231-released', 'released', '1'),
	idem.complete('pairs', '18991231-succeeded', 1, 'succeeded', '{"ok": 1}');
CREATE TABLE template AS SELECT substr(key, 10) AS met, r.* FROM idem.reservation r;
UPDATE template SET lease_until = now() - interval '1 s' WHERE met = 'expired';
SELECT idem.claim('inside', '18991231-claimed');
SELECT idem.claim('inside', '18991231-completed'), idem.complete('inside', '18991231-completed', '{"ok": 1}');
SELECT idem.fence('inside', '18991231-fenced', 'test');
CREATE TABLE template_inside AS SELECT substr(key, 10) AS met, a.* FROM idem.anchor a;
DELETE FROM idem.anchor;
DELETE FROM idem.reservation;
DELETE FROM idem.attempt;
DELETE FROM idem.evidence;
CREATE TABLE state (name text, n int GENERATED ALWAYS AS IDENTITY, inside bool DEFAULT false);
INSERT INTO state (name) SELECT unnest('{unseen,expired,dispatched,released}'::text[]);
INSERT INTO state (name, inside) SELECT unnest('{"unseen, inside",claimed,completed,fenced}'::text[]), true;

-- The key of the next scene, a day after the last one, in a state.
CREATE SEQUENCE day;
CREATE FUNCTION key_in(state text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	k text := to_char(date '1900-01-01' + nextval('day')::int, 'YYYYMMDD-') || 'x';
BEGIN
	DELETE FROM idem.reservation;
	DELETE FROM idem.attempt;
	DELETE FROM idem.anchor;
	DELETE FROM idem.late_result;
	DELETE FROM idem.evidence;
	PERFORM idem.reserve('pairs', k) FROM template t WHERE t.met = $1;
	UPDATE idem.reservation r SET (first_seen, state, fingerprint, response, request, nonce, token, attempt, step, lease_until,
			dispatched_at, finished_at, due_at, fenced_at, concern, dropped) =
			(t.first_seen, t.state, t.fingerprint, t.response, t.request, t.nonce, t.token, t.attempt, t.step, t.lease_until,
			t.dispatched_at, t.finished_at, CASE WHEN t.due_at IS NOT NULL THEN clock_timestamp() - interval '1 s' END,
			t.fenced_at, t.concern, t.dropped)
		FROM template t WHERE t.met = $1;
	PERFORM idem.claim('inside', k) FROM template_inside t WHERE t.met = $1;
	UPDATE idem.anchor a SET (first_seen, state, fingerprint, response) = (t.first_seen, t.state, t.fingerprint, t.response)
		FROM template_inside t WHERE t.met = $1;
	RETURN k;
END $$;
CREATE FUNCTION left_as(k text) RETURNS text LANGUAGE sql RETURN (
	SELECT concat_ws(' ', (SELECT concat_ws(' ', state, token, attempt, step, nonce, response, CASE WHEN fenced_at IS NOT NULL THEN 'fence' END, concern,
			CASE WHEN due_at <= clock_timestamp() THEN 'due' WHEN due_at IS NOT NULL THEN 'later' END, CASE WHEN lease_until > clock_timestamp() THEN 'held' END)
		FROM idem.reservation WHERE key = k), (SELECT concat_ws(' ', state, response) FROM idem.anchor WHERE key = k),
		(SELECT 'late ' || count(*) || ' evidence ' FROM idem.late_result WHERE key = k) || (SELECT count(*) FROM idem.evidence WHERE key = k)));

-- A word to a session, and its answer or SQLSTATE.
CREATE FUNCTION answer(session text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	SELECT s INTO said FROM dblink_get_result(session) AS t (s text);
	PERFORM FROM dblink_get_result(session) AS t (s text);
	RETURN said;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
CREATE FUNCTION tell(session text, sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	PERFORM dblink_send_query(session, sql);
	said := answer(session);
	IF said ~ '^[0-9A-Z]{5}$' THEN PERFORM FROM dblink_get_result(session, false) AS t (s text); END IF;
	RETURN said;
END $$;
-- True when it has answered, false when it waits for somebody.
CREATE FUNCTION answers(session text, pid int) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
	LOOP
		IF dblink_is_busy(session) = 0 THEN RETURN true; END IF;
		IF EXISTS (SELECT FROM pg_locks l WHERE l.pid = $2 AND NOT granted) THEN RETURN false; END IF;
	END LOOP;
END $$;

-- One after the other: what two calls are answered, and leave.
CREATE TABLE serial (state text, a text, b text, answer text, left_as text, PRIMARY KEY (state, a, b));
CREATE PROCEDURE one_by_one() LANGUAGE plpgsql AS $$
DECLARE
	s text; i bool; a call; b call; k text; said text;
BEGIN
	FOR s, i IN SELECT name, inside FROM state ORDER BY n LOOP
		k := key_in(s);
		INSERT INTO serial VALUES (s, '', '', NULL, left_as(k));
		FOR b IN SELECT * FROM call WHERE inside = i LOOP
			k := key_in(s);
			COMMIT;
			said := tell('b', format(b.sql, k));
			INSERT INTO serial VALUES (s, '', b.name, said, left_as(k));
			FOR a IN SELECT * FROM call WHERE inside = i LOOP
				k := key_in(s);
				COMMIT;
				PERFORM tell('a', format(a.sql, k));
				said := tell('b', format(b.sql, k));
				INSERT INTO serial VALUES (s, a.name, b.name, said, left_as(k));
			END LOOP;
		END LOOP;
	END LOOP;
END $$;

-- At once.
CREATE TABLE scene (state text, a text, b text, fate text, level_a text, level_b text,
	answer_a text, answer text, left_as text, waited bool, verdict text);
CREATE PROCEDURE play(INOUT c scene, call_a text, call_b text, pid int) LANGUAGE plpgsql AS $$
DECLARE
	k text := key_in(c.state);
	by_itself bool := c.b = 'dispatch';
	said text;
BEGIN
	COMMIT;
	IF by_itself THEN
		PERFORM tell('b', 'SET default_transaction_isolation = ' || quote_literal(c.level_b));
	ELSE
		PERFORM tell('b', 'BEGIN ISOLATION LEVEL ' || c.level_b);
		IF c.fate = 'earlier' THEN PERFORM tell('b', 'SELECT 1'); END IF;
	END IF;
	IF c.a = 'dispatch' THEN
		PERFORM tell('a', 'SET default_transaction_isolation = ' || quote_literal(c.level_a));
		c.answer_a := tell('a', format(call_a, k));
		PERFORM tell('a', 'RESET default_transaction_isolation');
	ELSE
		PERFORM tell('a', 'BEGIN ISOLATION LEVEL ' || c.level_a);
		c.answer_a := tell('a', format(call_a, k));
		IF c.fate = 'earlier' THEN PERFORM tell('a', 'COMMIT'); END IF;
	END IF;
	PERFORM dblink_send_query('b', format(call_b, k));
	c.waited := NOT answers('b', pid);
	IF c.fate = 'rolled back' THEN
		PERFORM tell('a', 'ROLLBACK');
	ELSIF c.fate = 'committed' THEN
		said := tell('a', 'COMMIT');
		IF said = '40001' THEN c.answer_a := said; END IF;
	END IF;
	c.answer := answer('b');
	IF c.answer ~ '^[0-9A-Z]{5}$' THEN PERFORM FROM dblink_get_result('b', false) AS t (s text); END IF;
	IF by_itself THEN
		PERFORM tell('b', 'RESET default_transaction_isolation');
	ELSE
		said := tell('b', 'COMMIT');
		IF said = '40001' THEN c.answer := said; END IF;
	END IF;
	c.left_as := left_as(k);
END $$;

-- Which of the verdicts it is; NULL: none.
CREATE FUNCTION judge(c scene) RETURNS text LANGUAGE sql RETURN (
	SELECT CASE
		WHEN c.fate = 'rolled back' AND (c.answer, c.left_as) = (alone.answer, alone.left_as) THEN 'after'
		WHEN c.fate <> 'rolled back' AND (c.answer, c.left_as) = (ab.answer, ab.left_as) THEN
			-- (what is past the horizon is told as it is committed now, whatever the
			-- snapshot, and a retirement acts on what is committed now)
			CASE WHEN c.level_b <> 'read committed' AND c.answer !~ '^expired' AND c.b !~ 'retire' AND (c.waited OR c.fate = 'earlier') AND
					split_part(only_a.left_as, 'late', 1) <> split_part(nothing.left_as, 'late', 1) AND
					c.left_as <> only_a.left_as THEN NULL
				ELSE 'after' END
		WHEN c.fate <> 'rolled back' AND (c.answer, c.left_as, c.answer_a) = (alone.answer, ba.left_as, ba.answer) THEN 'before'
		-- a retirement leaves what it does not see for the next one
		WHEN c.a ~ 'retire' AND c.answer_a = 'removed 0' AND (c.answer, c.left_as) = (alone.answer, alone.left_as) THEN 'before'
		WHEN c.b ~ 'retire' AND c.answer = 'removed 0' AND c.left_as = only_a.left_as AND c.fate <> 'rolled back' THEN 'busy'
		WHEN c.left_as = CASE WHEN c.fate = 'rolled back' THEN nothing.left_as ELSE only_a.left_as END THEN
			CASE WHEN c.answer ~ '^(in_progress|nothing|removed 0)' AND c.answer !~ 'GRANTED|SETTLED' AND c.fate <> 'earlier' THEN 'busy'
				WHEN c.answer = '40001' AND c.level_b <> 'read committed' AND
					(only_a.left_as <> nothing.left_as OR c.a || c.b ~ 'retire') THEN '40001' END
		END
	FROM serial alone, serial ab, serial ba, serial only_a, serial nothing
	WHERE (alone.state, alone.a, alone.b) = (c.state, '', c.b) AND (ab.state, ab.a, ab.b) = (c.state, c.a, c.b)
		AND (ba.state, ba.a, ba.b) = (c.state, c.b, c.a) AND (only_a.state, only_a.a, only_a.b) = (c.state, '', c.a)
		AND (nothing.state, nothing.a, nothing.b) = (c.state, '', ''));

CREATE PROCEDURE play_all(everything bool) LANGUAGE plpgsql AS $$
DECLARE
	levels text[] := '{read committed,repeatable read,serializable}';
	fates text[] := '{committed,rolled back,earlier}';
	pid int := tell('b', 'SELECT pg_backend_pid()::text');
	s text; i bool; a call; b call; f int; l int; turn int := 0; c scene;
BEGIN
	FOR s, i IN SELECT name, inside FROM state ORDER BY n LOOP
		FOR a IN SELECT * FROM call WHERE inside = i AND name !~ 'lookup' ORDER BY n LOOP
			FOR b IN SELECT * FROM call WHERE inside = i ORDER BY n LOOP
				FOR f IN 1 .. 3 LOOP
					-- dispatch is never left open, and has no snapshot but its own
					CONTINUE WHEN f < 3 AND a.name = 'dispatch' OR f = 3 AND b.name = 'dispatch';
					CONTINUE WHEN NOT everything AND NOT i AND a.name <> 'dispatch' AND
						f <> CASE WHEN b.name = 'dispatch' THEN 1 + turn % 2 ELSE 1 + turn % 3 END;
					FOR l IN 0 .. 8 LOOP
						-- the first level of B has no snapshot that lasts
						CONTINUE WHEN f = 3 AND l % 3 = 0;
						CONTINUE WHEN NOT everything AND
							l <> CASE WHEN f = 3 THEN ('{1,2,4,5,7,8}'::int[])[1 + turn / 3 % 6] ELSE (turn / 3 + f) % 9 END;
						c := ROW (s, a.name, b.name, fates[f], levels[1 + l / 3], levels[1 + l % 3]);
						CALL play(c, a.sql, b.sql, pid);
						c.verdict := judge(c);
						INSERT INTO scene SELECT c.*;
					END LOOP;
				END LOOP;
				turn := turn + 1;
			END LOOP;
		END LOOP;
	END LOOP;
END $$;
SQL

ask(q{INSERT INTO state (name) SELECT unnest('{reserved,unknown,succeeded}'::text[])}) if $all eq 'true';

my $sessions = "SELECT dblink_connect(s, 'dbname=postgres host=" . $node->host . ' port=' . $node->port . "') FROM unnest('{a,b}'::text[]) s";
ask("SET client_min_messages = error; SET TimeZone = 'UTC'; $sessions; CALL one_by_one()");
ask('VACUUM ANALYZE');
ask("SET client_min_messages = error; SET TimeZone = 'UTC'; $sessions; CALL play_all($all)");

note(ask(q{SELECT count(*) || ' scenes of ' || count(DISTINCT (state, a, b)) || ' pairs; ' || count(DISTINCT (level_a, level_b)) || ' pairs of levels'
	FROM scene}));
note(ask(q{SELECT string_agg(verdict || ' ' || n, ', ' ORDER BY verdict) FROM (SELECT coalesce(verdict, 'WRONG') AS verdict, count(*) AS n FROM scene GROUP BY 1) v}));
is(ask(q{SELECT state, a, b, fate, level_a, level_b, answer_a, answer, left_as FROM scene WHERE verdict IS NULL LIMIT 30}), '',
	'no scene ends in another way than the same calls one after the other');
is(ask(q{SELECT string_agg(DISTINCT b, ' ' ORDER BY b) FROM scene WHERE waited AND NOT (a ~ 'retire' AND b ~ 'retire')}),
	'dispatch failed heartbeat paid release succeeded unknown unpaid', 'who has something to say of a key waits; nobody else does');
is(ask(q{SELECT string_agg(DISTINCT b, ', ' ORDER BY b) FROM scene WHERE answer ~ 'GRANTED'}), 'claim, claim many, claim, complete, dispatch', 'who grants');
is(ask(q{SELECT count(*) FROM scene WHERE answer ~ 'GRANTED' AND answer_a ~ 'GRANTED' AND fate <> 'rolled back'}), '0', 'never both');
is(ask(q{SELECT count(DISTINCT (level_a, level_b)) FROM scene}), '9', 'at each pair of levels');
is(ask(q{SELECT bool_and(n > 20) FROM (SELECT count(*) AS n FROM scene GROUP BY verdict) v}), 't', 'each verdict was given');
is(ask(q{SELECT count(*) > 50, count(*) FILTER (WHERE verdict = '40001') > 10 FROM scene WHERE waited}), 't|t', 'also after waiting');

$node->stop;
done_testing();
