-- What replay.sh needs: a machine out of a log of events, and the log played
-- against it.  A machine's states are the activities of the log.

CREATE EXTENSION idem;
CREATE SCHEMA replay;

CREATE TABLE replay.event (log text, row_id text, number integer, state text NOT NULL,
                           PRIMARY KEY (log, row_id, number));
CREATE TABLE replay.machine (log text, kind text, source text, target text, late boolean);
CREATE TABLE replay.verdict (log text, row_id text, number integer, verdict text NOT NULL,
                             PRIMARY KEY (log, row_id, number));
CREATE TABLE replay.forbidden (LIKE replay.verdict INCLUDING ALL);

CREATE TABLE replay.csv ();        -- made anew with the columns of each file

CREATE FUNCTION replay.state_name(activity text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN trim('_' FROM regexp_replace(activity, '[^[:alnum:]]+', '_', 'g'));

-- Events of a CSV that was loaded into replay.csv, of which nothing but the
-- order is used.
CREATE PROCEDURE replay.take(of text) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO replay.event
    SELECT of, case_id, event_no, replay.state_name(activity) FROM replay.csv;
END;
$$;

-- Without the states that no way leads to, or from which none leads to an end
CREATE PROCEDURE replay.prune(of text) LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM replay.machine m USING (
        SELECT state FROM (SELECT source FROM replay.machine WHERE log = of
                           UNION SELECT target FROM replay.machine WHERE log = of AND kind = 'edge') s (state)
        EXCEPT (
            WITH RECURSIVE forth (state) AS (
                SELECT source FROM replay.machine WHERE log = of AND kind = 'entry'
                UNION SELECT target FROM forth JOIN replay.machine ON log = of AND kind = 'edge' AND source = state
            ), back (state) AS (
                SELECT source FROM replay.machine WHERE log = of AND kind = 'final'
                UNION SELECT source FROM back JOIN replay.machine ON log = of AND kind = 'edge' AND target = state
            )
            TABLE forth INTERSECT TABLE back)) lost
    WHERE m.log = of AND state IN (m.source, m.target);
END;
$$;

-- The machine of a log.  Without terminal activities: what was seen at least
-- as often as said is permitted, cases may end where they ended so often, and
-- what leaves such a state is late.  With them: what was seen is permitted,
-- but nothing leaves a terminal activity.
CREATE PROCEDURE replay.derive(of text, often integer, terminal text[]) LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE step ON COMMIT DROP AS
    SELECT lag(state) OVER w AS source, state AS target, lead(state) OVER w IS NULL AS last
    FROM replay.event WHERE log = of WINDOW w AS (PARTITION BY row_id ORDER BY number);
    INSERT INTO replay.machine
    SELECT of, 'entry', target, NULL, false FROM step WHERE source IS NULL
    GROUP BY target HAVING count(*) >= often;
    INSERT INTO replay.machine
    SELECT of, 'final', target, NULL, false FROM step
    WHERE CASE WHEN terminal IS NULL THEN last ELSE target = ANY (terminal) END
    GROUP BY target HAVING count(*) >= often OR terminal IS NOT NULL;
    INSERT INTO replay.machine
    SELECT of, 'edge', source, target, source <> target AND source IN
           (SELECT f.source FROM replay.machine f WHERE f.log = of AND f.kind = 'final')
    FROM step WHERE source IS NOT NULL AND (terminal IS NULL OR source = target OR source <> ALL (terminal))
    GROUP BY source, target HAVING count(*) >= often;
    CALL replay.prune(of);
END;
$$;

-- Events are called like the state they lead to.
CREATE FUNCTION replay.diagram(of text) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT E'stateDiagram-v2\n' || string_agg(
               CASE kind WHEN 'entry' THEN format('    [*] --> %s', source)
                         WHEN 'final' THEN format('    %s --> [*]', source)
                         ELSE format('    %s --> %s : %s%s', source, target, target,
                                     CASE WHEN late THEN ' [late]' END) END,
               E'\n' ORDER BY kind, source, target)
        FROM replay.machine WHERE log = of);

-- One event against the guarded table; the verdict
CREATE FUNCTION replay.try(tab regclass, id text, state text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    present text;
    outcome text;
BEGIN
    EXECUTE format('SELECT state FROM %s WHERE id = $1', tab) INTO present USING id;
    IF present IS NULL THEN
        EXECUTE format('INSERT INTO %s VALUES ($1, $2)', tab) USING id, state;
    ELSIF present = state THEN
        SELECT t.outcome INTO outcome FROM idem.transition(tab, id, state, event => state) t;
        RETURN CASE outcome WHEN 'applied' THEN 'accepted' ELSE outcome END;
    ELSE
        EXECUTE format('UPDATE %s SET state = $2 WHERE id = $1', tab) USING id, state;
    END IF;
    RETURN 'accepted';
EXCEPTION
    WHEN integrity_constraint_violation OR SQLSTATE '23I01' OR SQLSTATE '23I02' OR SQLSTATE '23I03' THEN
        RETURN SQLSTATE;
    -- an event that no state has
    WHEN invalid_parameter_value THEN
        RETURN 'already';
END;
$$;

-- The whole log, event after event, all rows side by side
CREATE PROCEDURE replay.play(of text) LANGUAGE plpgsql AS $$
DECLARE
    tab text := format('replay.%I', of);
BEGIN
    PERFORM idem.define_machine(of, replay.diagram(of));
    EXECUTE format('CREATE TABLE %s (id text PRIMARY KEY, state text)', tab);
    PERFORM idem.guard_states(tab::regclass, 'state', of);
    INSERT INTO replay.verdict
    SELECT log, row_id, number, replay.try(tab::regclass, row_id, state)
    FROM (SELECT * FROM replay.event WHERE log = of ORDER BY number, row_id OFFSET 0) e;
END;
$$;

CREATE VIEW replay.result AS
SELECT log,
       (SELECT count(DISTINCT state) FROM (SELECT source FROM replay.machine m WHERE m.log = v.log
               UNION SELECT target FROM replay.machine m WHERE m.log = v.log AND kind = 'edge') s (state)) AS states,
       (SELECT count(*) FROM replay.machine m WHERE m.log = v.log AND kind = 'edge') AS edges,
       count(DISTINCT row_id) AS rows, count(*) AS events,
       count(*) FILTER (WHERE v.verdict = 'accepted') AS accepted,
       count(*) FILTER (WHERE v.verdict = '23I01') AS "23I01",
       count(*) FILTER (WHERE v.verdict = '23I02') AS "23I02",
       count(*) FILTER (WHERE v.verdict = '23I03') AS "23I03",
       count(*) FILTER (WHERE v.verdict = 'already') AS already,
       count(*) FILTER (WHERE f.verdict <> 'accepted') AS forbidden,
       count(*) FILTER (WHERE f.verdict IS DISTINCT FROM v.verdict) AS differ,
       (SELECT count(*) FROM idem.transition_log l
        WHERE l.relation = format('replay.%I', v.log)::regclass) AS history
FROM replay.verdict v LEFT JOIN replay.forbidden f USING (log, row_id, number)
GROUP BY log ORDER BY log;
