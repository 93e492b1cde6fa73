-- Kill Bill's table of states, as machines.  It names no entry and no end:
-- a row begins in ..._INIT, and only ..._INIT and ..._PENDING are under way,
-- so that what leaves another state, the link to the next operation, is late.

CREATE SCHEMA killbill;
CREATE TABLE killbill.state (machine text, state text);
CREATE TABLE killbill.transition (machine text, source text, operation text, result text, target text);
CREATE TABLE killbill.link (machine text, source text, next_machine text, target text);
CREATE TABLE killbill.outcome (source text, target text, verdict text, expected text);
CREATE TABLE killbill.defined (name text, states integer, edges integer);

CREATE FUNCTION killbill.is_open(state text) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN state ~ '_(INIT|PENDING)$';

-- Every edge of all machines: a transition, or a link between two
CREATE VIEW killbill.edge AS
SELECT machine, source, target, operation || '_' || result AS event FROM killbill.transition
UNION ALL
SELECT NULL, source, target, 'OP_' || next_machine FROM killbill.link;

-- One machine, or with NULL the one made of all of them
CREATE FUNCTION killbill.diagram(of text) RETURNS text LANGUAGE sql STABLE
RETURN E'stateDiagram-v2\n' ||
    (SELECT string_agg(line, E'\n') FROM (
        SELECT format('    [*] --> %s', state) FROM killbill.state
        WHERE CASE WHEN of IS NULL THEN state = 'BIG_BANG_INIT' ELSE machine = of AND state ~ '_INIT$' END
        UNION ALL
        SELECT format('    %s --> [*]', state) FROM killbill.state
        WHERE (of IS NULL OR machine = of) AND (NOT killbill.is_open(state) OR of = 'BIG_BANG')
        UNION ALL
        SELECT format('    %s --> %s : %s%s', source, target, event,
                      CASE WHEN NOT killbill.is_open(source) THEN ' [late]' END)
        FROM killbill.edge WHERE of IS NULL OR machine = of) l (line));

CREATE PROCEDURE killbill.define() LANGUAGE plpgsql AS $$
DECLARE
    of text;
BEGIN
    FOR of IN SELECT DISTINCT machine FROM killbill.state UNION ALL SELECT NULL LOOP
        PERFORM idem.define_machine('killbill_' || coalesce(of, 'all'), killbill.diagram(of));
        INSERT INTO killbill.defined
        SELECT coalesce(of, 'all'), count(DISTINCT state), count(next_state)
        FROM idem.machine_table('killbill_' || coalesce(of, 'all'));
    END LOOP;
END;
$$;

-- A row for each pair of states, standing in the first one before the guard
-- was put on; each is changed to the second one.
CREATE PROCEDURE killbill.try_pairs() LANGUAGE plpgsql AS $$
DECLARE
    pair record;
    verdict text;
BEGIN
    CREATE TABLE killbill.payment (id serial PRIMARY KEY, state text, target text);
    INSERT INTO killbill.payment (state, target) SELECT a.state, b.state FROM killbill.state a, killbill.state b;
    PERFORM idem.guard_states('killbill.payment', 'state', 'killbill_all');
    FOR pair IN SELECT * FROM killbill.payment LOOP
        BEGIN
            UPDATE killbill.payment SET state = target WHERE id = pair.id;
            verdict := 'accepted';
        EXCEPTION WHEN OTHERS THEN
            verdict := SQLSTATE;
        END;
        INSERT INTO killbill.outcome
        SELECT pair.state, pair.target, verdict,
               CASE WHEN pair.state = pair.target THEN '23I04'
                    WHEN EXISTS (SELECT FROM killbill.edge e WHERE (e.source, e.target) = (pair.state, pair.target))
                        THEN 'accepted'
                    WHEN killbill.is_open(pair.state) THEN '23I01'
                    ELSE '23I03' END;
    END LOOP;
END;
$$;

CREATE VIEW killbill.result AS
SELECT (SELECT count(*) FROM killbill.defined) AS machines,
       (SELECT states FROM killbill.defined WHERE name = 'all') AS states,
       (SELECT edges FROM killbill.defined WHERE name = 'all') AS edges,
       count(*) AS pairs,
       count(*) FILTER (WHERE verdict = 'accepted') AS accepted,
       count(*) FILTER (WHERE verdict = '23I01') AS "23I01",
       count(*) FILTER (WHERE verdict = '23I03') AS "23I03",
       count(*) FILTER (WHERE verdict = '23I04') AS "23I04",
       count(*) FILTER (WHERE verdict <> expected) AS wrong
FROM killbill.outcome;
