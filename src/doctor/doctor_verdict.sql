-- ---------------------------------------------------------------------------
-- doctor: what is wrong with this database
-- ---------------------------------------------------------------------------

-- idem.doctor() reads every view of the extension with the columns severity,
-- object, finding, remedy, of whatever room.  Those of the doctor itself:

-- What is wrong with guards.
CREATE VIEW idem.guard_verdicts AS
-- guards that are not intact; some problems of each, since a table can have any
-- number of partitions
SELECT 'error' AS severity, object,
       CASE WHEN nth <= 20 THEN problem ELSE pg_catalog.format('has more problems, %s in all', of) END AS finding,
       CASE WHEN nth <= 20 THEN remedy ELSE 'put right what is listed, then look again' END AS remedy
FROM (SELECT object, problem, remedy,
             pg_catalog.row_number() OVER (PARTITION BY object ORDER BY problem COLLATE "C", remedy COLLATE "C") AS nth,
             pg_catalog.count(*) OVER (PARTITION BY object) AS of
      FROM (SELECT DISTINCT pg_catalog.format(CASE kind WHEN 'extension' THEN '%s trigger %I on %s' ELSE '%s guard %I on %s' END,
                                              kind, name, relation) AS object, problem, remedy
            FROM idem.guard_problems
            WHERE declared) p) v
WHERE nth <= 21
UNION ALL
-- guards that were declared and are gone
SELECT 'error', pg_catalog.format('%s guard %I on %s', kind, name, relation),
       pg_catalog.format('declared by %s at %s, but the table bears no such trigger', declared_by, declared_at),
       pg_catalog.format('declare it anew, or write it off with idem.drop_guard(%L, %L, name => %L, reason => ...)',
              relation, kind, name)
FROM idem.guards_missing
UNION ALL
-- names that had a guard and have none
SELECT 'error', pg_catalog.format('%s guard %I on %s', kind, name, relation),
       pg_catalog.format('is not on this table: %s, by %s at %s', how, role, at),
       pg_catalog.format('declare it here, too, or write it off with idem.drop_guard(%L, %L, name => %L, reason => ...)',
              relation, kind, name)
FROM idem.guards_lost
UNION ALL
-- guards that were not declared; some of each owner, since an owner can put any
-- number of them on a table
SELECT 'warning',
       CASE WHEN nth <= 20 THEN pg_catalog.format('%s guard %I on %s', kind, name, relation) ELSE pg_catalog.format('role %I', owner) END,
       CASE WHEN nth <= 20 THEN 'was not declared in this database: nobody looked at the rows from before it, and nobody would miss its trigger'
            ELSE pg_catalog.format('owns tables with more guards that were not declared in this database, %s in all', of) END,
       CASE WHEN nth <= 20 THEN pg_catalog.format('look at the rows, then SELECT idem.rearm(%L)', relation)
            ELSE pg_catalog.format('SELECT * FROM idem.guards_undeclared WHERE owner = %L', owner) END
FROM idem.guards_undeclared
WHERE nth <= 21
UNION ALL
-- CHECKs of a limit that were added to a parent with rows, and not read yet
SELECT DISTINCT 'warning', pg_catalog.format('%s guard %I on %s', g.kind, g.name, g.relation),
       pg_catalog.format('CHECK %I of table %s is not validated: it was not tried on the rows from before it', c.conname, c.conrelid::regclass),
       pg_catalog.format('SELECT idem.validate_guard(%L, %L)', g.relation, g.name)
FROM idem.guard_columns g
JOIN pg_catalog.pg_constraint c ON c.conrelid = g.bearer AND c.contype = 'c' AND NOT c.convalidated
     AND c.conname = idem.made_name('idem', g.kind, g."column")
WHERE g.is_kept
UNION ALL
-- what was let pass
SELECT 'warning', pg_catalog.format('%s guard %I on %s', kind, name, coalesce(relation::text, 'extension idem')),
       pg_catalog.format('%s by %s at %s', what, role, at) || coalesce(', allowed by ' || allowed_by || ': ' || reason, ''),
       'look at the rows, then SELECT idem.rearm()'
FROM idem.guards_weakened;
COMMENT ON VIEW idem.guard_verdicts IS 'guards that are not intact, gone, undeclared or let pass, as findings of idem.doctor()';

CREATE VIEW idem.row_problems AS
SELECT * FROM idem.check_rows();
COMMENT ON VIEW idem.row_problems IS 'rows that do not follow their rule, as findings of idem.doctor()';

-- What the nodes of a Citus cluster are asked: the row triggers of idem that a
-- table bears, whatever their names.
CREATE FUNCTION idem.trigger_print(relid oid) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    RETURN (SELECT pg_catalog.count(*) || ' '
                   || coalesce(pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', p.proname, t.tgtype, t.tgenabled, t.tgargs), 0)), 0)
            FROM pg_catalog.pg_trigger t
            JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'idem'::regnamespace
            WHERE t.tgrelid = $1 AND t.tgtype & 1 = 1);
COMMENT ON FUNCTION idem.trigger_print(oid) IS
    'the row triggers of idem on a table, as their number and a hash of their functions, events, modes and arguments: a shard on any node has the same as its distributed table';

CREATE FUNCTION idem.citus_findings()
    RETURNS TABLE (severity text, object text, finding text, remedy text)
    AS 'MODULE_PATHNAME', 'idem_citus_findings'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.citus_findings() IS
    'on the coordinator of a Citus cluster, as findings of idem.doctor(): nodes with another version of idem or that cannot be asked, shards whose triggers are not those of their table, guards from before their table was distributed; elsewhere nothing';
REVOKE ALL ON FUNCTION idem.citus_findings() FROM PUBLIC;

CREATE VIEW idem.node_problems AS
SELECT * FROM idem.citus_findings();
COMMENT ON VIEW idem.node_problems IS 'nodes of a Citus cluster that differ, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.node_problems FROM PUBLIC;

CREATE VIEW idem.extension_problems AS
-- tables of idem that were changed
SELECT 'error' AS severity, object, problem AS finding, remedy FROM idem.table_problems
UNION ALL
-- the event triggers that keep DDL from weakening guards
SELECT 'error', pg_catalog.format('event trigger %I', n.name),
       CASE WHEN e.oid IS NULL THEN 'is missing: DDL can weaken guards'
            WHEN e.evtenabled = 'D' THEN 'is disabled: DDL can weaken guards'
            ELSE 'does not fire always: DDL can weaken guards under session_replication_role' END,
       CASE WHEN e.oid IS NULL THEN 'DROP EXTENSION idem CASCADE, create it and declare every guard anew'
            ELSE pg_catalog.format('ALTER EVENT TRIGGER %I ENABLE ALWAYS', n.name) END
FROM (VALUES ('idem_ddl_start'), ('idem_ddl_end'), ('idem_rewrite')) n (name)
LEFT JOIN pg_catalog.pg_event_trigger e ON e.evtname = n.name
          AND e.evtfoid = (SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.proname = 'watch_ddl'
                           AND p.pronamespace = 'idem'::regnamespace)
WHERE e.evtenabled IS DISTINCT FROM 'A';
COMMENT ON VIEW idem.extension_problems IS 'tables and event triggers of idem that were changed, as findings of idem.doctor()';

-- what holds locks and claims although its session is gone
CREATE VIEW idem.prepared_problems AS
SELECT 'warning' AS severity, pg_catalog.format('prepared transaction %L', gid) AS object,
       pg_catalog.format('of %s is open since %s: others wait for its rows and keys', owner, prepared) AS finding,
       pg_catalog.format('COMMIT PREPARED %L or ROLLBACK PREPARED %1$L', gid) AS remedy
FROM pg_catalog.pg_prepared_xacts
WHERE database = pg_catalog.current_database() AND prepared < pg_catalog.clock_timestamp() - interval '10 minutes';
COMMENT ON VIEW idem.prepared_problems IS 'prepared transactions that were left open, as findings of idem.doctor()';

-- effects outside whose outcome nobody knows, and about which no program will ask again
CREATE VIEW idem.outcome_problems AS
SELECT 'warning' AS severity, pg_catalog.format('scope %I', scope) AS object,
       pg_catalog.format('%s %s: %s', pg_catalog.count(*),
              CASE why WHEN 'manual' THEN CASE pg_catalog.count(*) WHEN 1 THEN 'claim is' ELSE 'claims are' END || ' unknown past the ladder'
                       WHEN 'late result' THEN CASE pg_catalog.count(*) WHEN 1 THEN 'claim has' ELSE 'claims have' END || ' a late result'
                       WHEN 'stale attempt' THEN CASE pg_catalog.count(*) WHEN 1 THEN 'claim has' ELSE 'claims have' END || ' an attempt that the provider may pay twice'
                       WHEN 'lost attempt' THEN CASE pg_catalog.count(*) WHEN 1 THEN 'claim has' ELSE 'claims have' END || ' an attempt that may be lost'
                       ELSE CASE pg_catalog.count(*) WHEN 1 THEN 'claim needs' ELSE 'claims need' END || ' a reversal' END,
              'a person has to look') AS finding,
       pg_catalog.format('SELECT * FROM idem.open_claims WHERE scope = %L AND why = %L; idem.resolve settles them', scope, why) AS remedy
FROM idem.open_claims
WHERE why IN ('manual', 'late result', 'reverse needed', 'stale attempt', 'lost attempt')
GROUP BY scope, why;
COMMENT ON VIEW idem.outcome_problems IS 'claims that wait for a person, as findings of idem.doctor()';

CREATE FUNCTION idem.findings()
    RETURNS TABLE (severity text, object text, finding text, remedy text)
    AS 'MODULE_PATHNAME', 'idem_findings'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.findings() IS 'the rows of every view of idem with the columns severity, object, finding, remedy, in no order: what idem.doctor() shows';
REVOKE ALL ON FUNCTION idem.findings() FROM PUBLIC;

-- Runs as the owner of the extension, who may read the change log; what looks
-- into tables does so as their owners.
CREATE FUNCTION idem.doctor()
    RETURNS TABLE (severity text, object text, finding text, remedy text)
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $doctor$
SELECT f.severity, f.object, f.finding, f.remedy FROM idem.findings() f
ORDER BY f.severity COLLATE "C", f.object COLLATE "C", f.finding COLLATE "C"
$doctor$;
COMMENT ON FUNCTION idem.doctor() IS
    'what is wrong with the guards of this database and with settings they rely on, a row each: severity (error, warning, notice), object, finding, remedy; no row: nothing. Reads every guarded table; locks nothing that writers need. Guards that nobody declared are listed and not judged; of those, for each owner, and of the problems of one guard it shows 20';
REVOKE ALL ON FUNCTION idem.doctor() FROM PUBLIC;
