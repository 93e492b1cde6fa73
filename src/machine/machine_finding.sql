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
GROUP BY r.name, e.role
UNION ALL
SELECT 'error', pg_catalog.format('table %s', g.relation),
       pg_catalog.format('trigger %I carries another diagram than the newest of state machine %I', g.name, n.name) COLLATE "default",
       'take the guard off with idem.drop_guard and declare it anew'
FROM (SELECT t.tgrelid::regclass AS relation, t.tgname AS name, idem.trigger_settings(t.tgargs) AS settings
      FROM pg_catalog.pg_trigger t
      JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'idem'::regnamespace AND p.proname = 'keep_states'
      WHERE t.tgparentid = 0 AND idem.citus_part(t.tgrelid) IS NULL) g
JOIN newest n ON n.name = idem.setting(g.settings, 'machine')
WHERE idem.setting(g.settings, 'diagram') <> n.diagram
UNION ALL
-- programs look every minute for rows that stand too long
SELECT 'notice', pg_catalog.format('table %s', t.tgrelid::regclass),
       pg_catalog.format('no index finds the rows in the states of "within": each look at idem.stuck reads %s rows', c.reltuples::bigint),
       pg_catalog.format('CREATE INDEX CONCURRENTLY ON %s (%I) WHERE %2$I IN (%s)', t.tgrelid::regclass, w."column",
                         (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(u.word), ', ' ORDER BY u.n)
                          FROM pg_catalog.unnest(w.within::text[]) WITH ORDINALITY u (word, n) WHERE u.n % 2 = 1))
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'idem'::regnamespace AND p.proname = 'keep_states'
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid AND c.reltuples >= 100000,
     LATERAL (SELECT idem.trigger_settings(t.tgargs)) a (settings),
     LATERAL (SELECT CASE WHEN idem.settings_problem('keep_states', a.settings) IS NULL THEN idem.setting(a.settings, 'within') END,
                     idem.setting(a.settings, 'column')) w (within, "column")
WHERE t.tgparentid = 0 AND w.within IS NOT NULL
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute b
                      JOIN pg_catalog.pg_index i ON i.indrelid = b.attrelid AND i.indisvalid
                      WHERE b.attrelid = t.tgrelid AND b.attname = w."column"
                            AND (i.indkey[0] = b.attnum
                                 OR i.indpred IS NOT NULL
                                    AND EXISTS (SELECT FROM pg_catalog.pg_depend d
                                                WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                                                      AND d.refobjid = b.attrelid AND d.refobjsubid = b.attnum)));
COMMENT ON VIEW idem.machine_problems IS 'what is wrong with state machines in force, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.machine_problems FROM PUBLIC;
