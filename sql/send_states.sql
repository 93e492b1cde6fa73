--
-- Every call for a key of an effect outside, in every state it can meet.
--
-- A cell is the outcome, and after an arrow the state if the call changed it; G is granted, S is
-- settled, R is reentrant.  dispatch commits by itself and cannot be called in a loop: the state
-- after it is written as it leaves it, and its answers are asked for one by one at the end.
SET client_min_messages = warning;
SELECT idem.create_scope('states pay', 'outside', '{amount}', quiet => '0', ladder => '{1h,2h}');
CREATE TABLE states_met (call int, name text, state int, met text, outcome text, granted bool, settled bool, cell text);

-- Brings a new key into a state.
CREATE FUNCTION states_make(k text, met text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	r CONSTANT jsonb := '{"amount": 88}';
	t bigint;
BEGIN
	IF met = 'unseen' THEN RETURN; END IF;
	IF met = 'fenced unseen' THEN PERFORM idem.fence('states pay', k, 'test'); RETURN; END IF;
	t := (idem.reserve('states pay', k, r, nonce => 'n')).token;
	IF met = 'expired' THEN UPDATE idem.reservation SET lease_until = now() - interval '1 s' WHERE key = k; END IF;
	IF met = 'fenced' THEN PERFORM idem.fence('states pay', k, 'test'); END IF;
	IF met IN ('reserved', 'expired', 'fenced') THEN RETURN; END IF;
	UPDATE idem.reservation SET state = 'd', dispatched_at = clock_timestamp() WHERE key = k;
	IF met = 'sent, expired' THEN UPDATE idem.reservation SET lease_until = now() - interval '1 s' WHERE key = k; END IF;
	IF met = 'unknown' THEN PERFORM idem.complete('states pay', k, t, 'unknown'); END IF;
	IF met = 'sent, fenced' THEN PERFORM idem.fence('states pay', k, 'test'); END IF;
	IF met = 'succeeded' THEN PERFORM idem.complete('states pay', k, t, 'succeeded', '{"ok": 1}'); END IF;
	IF met = 'failed' THEN PERFORM idem.complete('states pay', k, t, 'failed', '{"no": 1}'); END IF;
	IF met IN ('released', 'released, late', 'again') THEN
		PERFORM idem.resolve('states pay', k, 'released', '{"by": "test"}');
	END IF;
	IF met = 'released, late' THEN PERFORM idem.complete('states pay', k, t, 'succeeded', '{"ok": 1}'); END IF;
	IF met = 'again' THEN PERFORM idem.reserve('states pay', k, r, nonce => 'n'); END IF;
END $$;

-- One call for a key of which $1 is the newest token.
CREATE FUNCTION states_call(k text, call text, newest bigint) RETURNS idem.send_result LANGUAGE plpgsql AS $$
DECLARE
	a idem.send_result;
	s CONSTANT text := 'states pay';
BEGIN
	CASE call
		WHEN 'reserve' THEN a := idem.reserve(s, k, '{"amount": "88.0"}');
		WHEN 'reserve, nonce' THEN a := idem.reserve(s, k, '{"amount": 88}', nonce => 'n');
		WHEN 'reserve, differs' THEN a := idem.reserve(s, k, '{"amount": 1}', nonce => 'n');
		WHEN 'lookup' THEN a := idem.lookup(s, k);
		WHEN 'heartbeat' THEN a := idem.heartbeat(s, k, newest);
		WHEN 'release' THEN a := idem.release(s, k, newest);
		WHEN 'succeeded' THEN a := idem.complete(s, k, newest, 'succeeded', '{"ok": 1}');
		WHEN 'succeeded, otherwise' THEN a := idem.complete(s, k, newest, 'succeeded', '{"ok": 2}');
		WHEN 'failed' THEN a := idem.complete(s, k, newest, 'failed', '{"no": 1}');
		WHEN 'failed, no answer' THEN a := idem.complete(s, k, newest, 'failed');
		WHEN 'unknown' THEN a := idem.complete(s, k, newest, 'unknown');
		WHEN 'resolve succeeded' THEN a := idem.resolve(s, k, 'succeeded', '{"by": "test"}', '{"ok": 1}');
		WHEN 'resolve failed' THEN a := idem.resolve(s, k, 'failed', '{"by": "test"}', '{"no": 1}');
		WHEN 'resolve released' THEN a := idem.resolve(s, k, 'released', '{"by": "test"}');
		WHEN 'forced succeeded' THEN a := idem.resolve(s, k, 'succeeded', '{"by": "test"}', '{"ok": 1}', 'looked');
		WHEN 'forced released' THEN a := idem.resolve(s, k, 'released', '{"by": "test"}', NULL, 'looked');
		WHEN 'old token' THEN a := idem.complete(s, k, newest - 1, 'succeeded', '{"ok": 1}');
		WHEN 'old token failed' THEN a := idem.complete(s, k, newest - 1, 'failed', '{"no": 1}');
		WHEN 'fence' THEN a := idem.fence(s, k, 'test');
	END CASE;
	RETURN a;
END $$;

-- One cell.
CREATE FUNCTION states_cell(k text, call text) RETURNS states_met LANGUAGE plpgsql AS $$
DECLARE
	a idem.send_result;
	m states_met;
	before text;
	newest bigint;
BEGIN
	SELECT token INTO newest FROM idem.reservation WHERE key = k;
	SELECT state INTO before FROM idem.lookup('states pay', k);
	BEGIN
		a := states_call(k, call, coalesce(newest, 1));
		m.outcome := a.outcome;
		m.granted := a.granted;
		m.settled := a.settled;
		m.cell := concat_ws(' ', a.outcome, CASE WHEN a.granted THEN 'G' END, CASE WHEN a.settled THEN 'S' END,
		                    CASE WHEN a.reentrant THEN 'R' END,
		                    (SELECT '-> ' || l.state FROM idem.lookup('states pay', k) l WHERE l.state IS DISTINCT FROM before));
	EXCEPTION WHEN OTHERS THEN
		m.cell := SQLSTATE;
	END;
	RETURN m;
END $$;

-- Each in a transaction of its own.
CREATE PROCEDURE states_fill() LANGUAGE plpgsql AS $$
DECLARE
	calls CONSTANT text[] := '{reserve,"reserve, nonce","reserve, differs",lookup,heartbeat,release,succeeded,"succeeded, otherwise",failed,"failed, no answer",unknown,resolve succeeded,resolve failed,resolve released,forced succeeded,forced released,old token,old token failed,fence}';
	states CONSTANT text[] := '{unseen,reserved,expired,dispatched,"sent, expired",unknown,"sent, fenced",released,again,"released, late",succeeded,failed,fenced,"fenced unseen"}';
	m states_met;
	k text;
BEGIN
	FOR c IN 1 .. cardinality(calls) LOOP
		FOR s IN 1 .. cardinality(states) LOOP
			k := format('k-%s-%s', c, s);
			PERFORM states_make(k, states[s]);
			COMMIT;
			m := states_cell(k, calls[c]);
			INSERT INTO states_met VALUES (c, calls[c], s, states[s], m.outcome, m.granted, m.settled, m.cell);
			COMMIT;
		END LOOP;
	END LOOP;
END $$;
CALL states_fill();

SELECT name, met, cell FROM states_met WHERE state <= 5 ORDER BY call, state \crosstabview
SELECT name, met, cell FROM states_met WHERE state BETWEEN 6 AND 10 ORDER BY call, state \crosstabview
SELECT name, met, cell FROM states_met WHERE state > 10 ORDER BY call, state \crosstabview

-- dispatch, with the newest token, in each state.
CREATE PROCEDURE states_dispatch(met text) LANGUAGE plpgsql AS $$
DECLARE
	k text := 'd-' || translate(met, ' ,', '-');
	n bigint;
	a idem.send_result;
BEGIN
	PERFORM states_make(k, met);
	COMMIT;
	SELECT token INTO n FROM idem.reservation WHERE key = k;
	CALL idem.dispatch('states pay', k, n, a);
	INSERT INTO states_met VALUES (99, 'dispatch', 0, met, a.outcome, a.granted, a.settled, concat_ws(' ', a.outcome, CASE WHEN a.granted THEN 'G' END, CASE WHEN a.settled THEN 'S' END, a.state, a.response));
END $$;
CALL states_dispatch('reserved');
CALL states_dispatch('expired');
CALL states_dispatch('dispatched');
CALL states_dispatch('sent, expired');
CALL states_dispatch('unknown');
CALL states_dispatch('released');
CALL states_dispatch('again');
CALL states_dispatch('released, late');
CALL states_dispatch('succeeded');
CALL states_dispatch('failed');
CALL states_dispatch('fenced');
CALL states_dispatch('fenced unseen');
SELECT met, cell FROM states_met WHERE call = 99;

-- What a careless client may look at: granted only says go at a first dispatch, and whatever is
-- settled is final, or kept for a person.
SELECT outcome, granted, settled, count(*) > 0 AS met FROM states_met WHERE outcome IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

-- No key that is not final, or that a person has to look at, is without a time to look at it, and
-- no other has one.
SELECT key, state FROM idem.reservation
    WHERE (due_at IS NULL) <> (state IN ('s', 'f', 'n', 'a') AND concern IS NULL);
-- A final state has a time, and is never left: asked of every state again after everything above.
SELECT state, count(*) FILTER (WHERE finished_at IS NULL) AS without FROM idem.reservation
    WHERE state IN ('s', 'f', 'n') GROUP BY 1 ORDER BY 1;

DROP PROCEDURE states_fill, states_dispatch;
DROP FUNCTION states_cell, states_call, states_make;
DROP TABLE states_met;
DELETE FROM idem.evidence e USING idem.scope s WHERE e.scope = s.id AND s.name LIKE 'states %';
DELETE FROM idem.late_result e USING idem.scope s WHERE e.scope = s.id AND s.name LIKE 'states %';
DELETE FROM idem.reservation USING idem.scope s WHERE scope = s.id AND s.name LIKE 'states %';
DELETE FROM idem.attempt USING idem.scope s WHERE scope = s.id AND s.name LIKE 'states %';
DELETE FROM idem.scope WHERE name LIKE 'states %';
