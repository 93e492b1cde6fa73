-- ---------------------------------------------------------------------------
-- machine: what the doctor finds wrong with definitions
-- ---------------------------------------------------------------------------

-- The versions in force, those first that can be read: asking for the edges of
-- another raises an error.
CREATE VIEW idem.machine_problems AS
WITH newest AS MATERIALIZED (
    SELECT DISTINCT ON (m.name) m.name, m.diagram
    FROM idem.machine m
    ORDER BY m.name, m.version DESC),
faulty AS MATERIALIZED (
    SELECT n.name, pg_catalog.min(pg_catalog.format('line %s: %s', f.line, f.message)) AS fault
    FROM newest n, LATERAL idem.check_machine(n.diagram) f
    WHERE f.problem = 'syntax'
    GROUP BY n.name),
readable AS MATERIALIZED (
    SELECT n.name FROM newest n WHERE n.name NOT IN (SELECT f.name FROM faulty f))
SELECT 'error' AS severity, pg_catalog.format('state machine %I', f.name) AS object,
       'cannot be read: ' || f.fault AS finding,
       'bring idem.machine back from a dump; until then rows under it cannot be written' AS remedy
FROM faulty f
UNION ALL
SELECT 'warning', pg_catalog.format('state machine %I', r.name),
       pg_catalog.format('role %I is gone: nobody can take %s', e.role,
                         pg_catalog.string_agg(pg_catalog.concat_ws(' ', e.state, '-->', e.next_state, ': ' || e.event),
                                               ', ' ORDER BY e.state COLLATE "C", e.next_state COLLATE "C", e.event COLLATE "C")),
       pg_catalog.format('CREATE ROLE %I, or define the machine anew without it', e.role)
FROM readable r, LATERAL idem.machine_table(r.name) e
WHERE e.role IS NOT NULL
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles p WHERE p.rolname = e.role)
GROUP BY r.name, e.role;
COMMENT ON VIEW idem.machine_problems IS 'what is wrong with state machines in force, as findings of idem.doctor()';
COMMENT ON COLUMN idem.machine_problems.severity IS 'error or warning';
COMMENT ON COLUMN idem.machine_problems.object IS 'the machine';
COMMENT ON COLUMN idem.machine_problems.finding IS 'what is wrong';
COMMENT ON COLUMN idem.machine_problems.remedy IS 'what puts it right';
REVOKE ALL ON TABLE idem.machine_problems FROM PUBLIC;
