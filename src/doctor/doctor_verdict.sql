-- ---------------------------------------------------------------------------
-- doctor: what is wrong with this database
-- ---------------------------------------------------------------------------

CREATE VIEW idem.guard_verdicts AS
SELECT object, problem, remedy,
       pg_catalog.row_number() OVER (PARTITION BY object ORDER BY problem COLLATE "C", remedy COLLATE "C") AS nth,
       pg_catalog.count(*) OVER (PARTITION BY object) AS of
FROM (SELECT DISTINCT pg_catalog.format(CASE kind WHEN 'extension' THEN '%s trigger %I on %s' ELSE '%s guard %I on %s' END,
                                        kind, name, relation) AS object, problem, remedy
      FROM idem.guard_problems
      WHERE declared) p;
COMMENT ON VIEW idem.guard_verdicts IS 'what keeps a declared guard from guarding, as findings of idem.doctor()';

-- Runs as the owner of the extension, who may read the change log; what looks
-- into tables does so as their owners.
CREATE FUNCTION idem.doctor()
    RETURNS TABLE (severity text, object text, finding text, remedy text)
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $doctor$
SELECT * FROM (
-- guards that are not intact; some problems of each, since a table can have any
-- number of partitions
SELECT 'error', object,
       CASE WHEN nth <= 20 THEN problem ELSE format('has more problems, %s in all', of) END,
       CASE WHEN nth <= 20 THEN remedy ELSE 'put right what is listed, then look again' END
FROM idem.guard_verdicts
WHERE nth <= 21
UNION ALL
-- tables of idem that were changed
SELECT 'error', object, problem, remedy FROM idem.table_problems
UNION ALL
-- guards that were declared and are gone
SELECT 'error', format('%s guard %I on %s', kind, name, relation),
       format('declared by %s at %s, but the table bears no such trigger', declared_by, declared_at),
       format('declare it anew, or write it off with idem.drop_guard(%L, %L, name => %L, reason => ...)',
              relation, kind, name)
FROM idem.guards_missing
UNION ALL
-- names that had a guard and have none
SELECT 'error', format('%s guard %I on %s', kind, name, relation),
       format('is not on this table: %s, by %s at %s', how, role, at),
       format('declare it here, too, or write it off with idem.drop_guard(%L, %L, name => %L, reason => ...)',
              relation, kind, name)
FROM idem.guards_lost
UNION ALL
-- guards that were not declared; some of each owner, since an owner can put any
-- number of them on a table
SELECT 'warning',
       CASE WHEN nth <= 20 THEN format('%s guard %I on %s', kind, name, relation) ELSE format('role %I', owner) END,
       CASE WHEN nth <= 20 THEN 'was not declared in this database: nobody looked at the rows from before it, and nobody would miss its trigger'
            ELSE format('owns tables with more guards that were not declared in this database, %s in all', of) END,
       CASE WHEN nth <= 20 THEN format('look at the rows, then SELECT idem.rearm(%L)', relation)
            ELSE format('SELECT * FROM idem.guards_undeclared WHERE owner = %L', owner) END
FROM idem.guards_undeclared
WHERE nth <= 21
UNION ALL
-- triggers of others that write what a guard keeps
SELECT * FROM idem.trigger_problems
UNION ALL
-- rows that do not follow their rule
SELECT * FROM idem.check_rows()
UNION ALL
-- CHECKs of a limit that were added to a parent with rows, and not read yet
SELECT DISTINCT 'warning', format('%s guard %I on %s', g.kind, g.name, g.relation),
       format('CHECK %I of table %s is not validated: it was not tried on the rows from before it', c.conname, c.conrelid::regclass),
       format('SELECT idem.validate_guard(%L, %L)', g.relation, g.name)
FROM idem.guard_columns g
JOIN pg_constraint c ON c.conrelid = g.bearer AND c.contype = 'c' AND NOT c.convalidated
     AND c.conname = idem.made_name('idem', g.kind, g."column")
WHERE g.is_kept AND g.declared
UNION ALL
-- what was let pass
SELECT 'warning', format('%s guard %I on %s', kind, name, coalesce(relation::text, 'extension idem')),
       format('%s by %s at %s', what, role, at) || coalesce(', allowed by ' || allowed_by || ': ' || reason, ''),
       'look at the rows, then SELECT idem.rearm()'
FROM idem.guards_weakened
UNION ALL
-- the event triggers that keep DDL from weakening guards
SELECT 'error', format('event trigger %I', n.name),
       CASE WHEN e.oid IS NULL THEN 'is missing: DDL can weaken guards'
            WHEN e.evtenabled = 'D' THEN 'is disabled: DDL can weaken guards'
            ELSE 'does not fire always: DDL can weaken guards under session_replication_role' END,
       CASE WHEN e.oid IS NULL THEN 'DROP EXTENSION idem CASCADE, create it and declare every guard anew'
            ELSE format('ALTER EVENT TRIGGER %I ENABLE ALWAYS', n.name) END
FROM (VALUES ('idem_ddl_start'), ('idem_ddl_end'), ('idem_rewrite')) n (name)
LEFT JOIN pg_event_trigger e ON e.evtname = n.name
          AND e.evtfoid = (SELECT p.oid FROM pg_proc p WHERE p.proname = 'watch_ddl'
                           AND p.pronamespace = 'idem'::regnamespace)
WHERE e.evtenabled IS DISTINCT FROM 'A'
UNION ALL
-- machines in force that cannot be read, and edges that nobody can take
SELECT * FROM idem.machine_problems
UNION ALL
-- tables of return codes in force that cannot be read
SELECT * FROM idem.return_code_problems
UNION ALL
-- roles that could weaken guards, or do it in passing
SELECT * FROM idem.role_problems
UNION ALL
-- what holds locks and claims although its session is gone
SELECT 'warning', format('prepared transaction %L', gid),
       format('of %s is open since %s: others wait for its rows and keys', owner, prepared),
       format('COMMIT PREPARED %L or ROLLBACK PREPARED %1$L', gid)
FROM pg_prepared_xacts
WHERE database = current_database() AND prepared < clock_timestamp() - interval '10 minutes'
UNION ALL
-- effects outside whose outcome nobody knows, and about which no program will ask again
SELECT 'warning', format('scope %I', scope),
       format('%s %s: %s', count(*),
              CASE why WHEN 'manual' THEN CASE count(*) WHEN 1 THEN 'claim is' ELSE 'claims are' END || ' unknown past the ladder'
                       WHEN 'late result' THEN CASE count(*) WHEN 1 THEN 'claim has' ELSE 'claims have' END || ' a late result'
                       WHEN 'stale attempt' THEN CASE count(*) WHEN 1 THEN 'claim has' ELSE 'claims have' END || ' an attempt that the provider may pay twice'
                       ELSE CASE count(*) WHEN 1 THEN 'claim needs' ELSE 'claims need' END || ' a reversal' END,
              'a person has to look'),
       format('SELECT * FROM idem.open_claims WHERE scope = %L AND why = %L; idem.resolve settles them', scope, why)
FROM idem.open_claims
WHERE why IN ('manual', 'late result', 'reverse needed', 'stale attempt')
GROUP BY scope, why
UNION ALL
-- or at which nobody looks
SELECT * FROM idem.claim_problems
UNION ALL
-- providers that cannot be asked, or whose answers nobody has written down
SELECT * FROM idem.channel_problems
UNION ALL
-- what was stopped and forgotten
SELECT * FROM idem.pause_problems
UNION ALL
-- what one person did alone
SELECT * FROM idem.approval_problems
UNION ALL
-- columns that look like money and are not kept as money
SELECT * FROM idem.schema_problems
UNION ALL
-- sequences whose numbers come twice, or come to an end
SELECT * FROM idem.sequence_problems
UNION ALL
-- settings that let a crash take back what was told, or DDL weaken guards
SELECT * FROM idem.setting_problems
) f (severity, object, finding, remedy)
ORDER BY severity COLLATE "C", object COLLATE "C", finding COLLATE "C"
$doctor$;
COMMENT ON FUNCTION idem.doctor() IS
    'what is wrong with the guards of this database and with settings they rely on, a row each: severity (error, warning, notice), object, finding, remedy; no row: nothing. Reads every guarded table; locks nothing that writers need. Guards that nobody declared are listed and not judged; of those, for each owner, and of the problems of one guard it shows 20';
REVOKE ALL ON FUNCTION idem.doctor() FROM PUBLIC;
