-- ---------------------------------------------------------------------------
-- doctor: the guards as a whole
-- ---------------------------------------------------------------------------

-- These views are the extension's own; what others read is idem.guards.

-- Every trigger of ours on any table.  part: row decides, total keeps a total
-- in the parent, truncate refuses TRUNCATE; is_clone: made by the server for a
-- partition; those of a shard are the business of its distributed table; other: the table it is bound to, of a total the child; identity:
-- the settings that tell guards of one kind on one table apart, the same on
-- both sides of a limit; problem: of its arguments.
CREATE VIEW idem.guard_triggers AS
SELECT t.tgrelid::regclass AS relation, k.kind, k.part,
       t.tgname AS name, t.tgparentid <> 0 AS is_clone,
       nullif(t.tgconstrrelid, 0)::regclass AS other,
       a.settings, k.function,
       idem.guard_identity(k.function, a.settings) AS identity,
       idem.settings_problem(k.function, a.settings) AS problem,
       t.tgenabled AS mode
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'idem'::regnamespace
JOIN idem.guard_kinds() k ON k.function = p.proname,
     LATERAL (SELECT idem.trigger_settings(t.tgargs)) a (settings)
WHERE idem.citus_part(t.tgrelid) IS DISTINCT FROM 'shard';
COMMENT ON VIEW idem.guard_triggers IS 'every trigger of idem on every table; idem.guards shows what they make up';

-- What the log says of each guard that was declared and not dropped.  The
-- order is that of the entries, not that of a clock that may have been set.
CREATE VIEW idem.guards_logged AS
SELECT DISTINCT ON (p.relation, p.kind, p.name)
       p.relation, p.kind, p.name, d.arguments, d.role, d.at
FROM idem.guard_places p
JOIN (SELECT DISTINCT ON (guard) guard, arguments, role, at
      FROM idem.change
      WHERE guard IS NOT NULL AND action = 'declared'
      ORDER BY guard, n DESC) d ON d.guard = p.guard
ORDER BY p.relation, p.kind, p.name, p.n DESC;
COMMENT ON VIEW idem.guards_logged IS 'what the change log says of each guard that was declared and not dropped, of a table that is there';

-- The triggers a guard is made of: the one that decides, and its counterpart
-- on the parent, if it has one, which is bound to this table and has the same
-- identity.  bearer: the table that bears the trigger, whose arguments those are;
-- declared: a declaration, or idem.rearm(), made the guard count, and not
-- somebody's CREATE TRIGGER.  Of a temporary table no guard is made: nobody else
-- could mend it.
CREATE VIEW idem.guard_parts AS
SELECT p.relation, p.kind, p.name, p.settings, p.part, p.bearer, p.function,
       p.arguments, p.problem,
       (p.relation, p.kind, p.name::text) IN (SELECT l.relation, l.kind, l.name FROM idem.guards_logged l) AS declared
FROM (SELECT relation, kind, name, settings, part, relation AS bearer, function, settings AS arguments, problem
      FROM idem.guard_triggers
      WHERE part = 'row' AND NOT is_clone
      UNION ALL
      SELECT g.relation, g.kind, g.name, g.settings, t.part, t.relation, t.function, t.settings, t.problem
      FROM idem.guard_triggers g
      JOIN idem.guard_triggers t ON t.other = g.relation AND t.kind = g.kind AND t.identity = g.identity
      WHERE g.part = 'row' AND NOT g.is_clone
            AND t.part = 'total' AND NOT t.is_clone) p
JOIN pg_catalog.pg_class c ON c.oid = p.relation AND c.relpersistence <> 't';
COMMENT ON VIEW idem.guard_parts IS 'the triggers each guard is made of, but for those that refuse TRUNCATE';

-- Every table that holds rows which a declared guard has to see: the bearer, its
-- partitions, and what inherits from it.  Read from the catalog without a lock
-- on any of them, unlike pg_partition_tree: whoever owns a table could hold
-- one for ever.
CREATE VIEW idem.guard_tables AS
WITH RECURSIVE tree (relation, kind, member) AS (
    SELECT relation, kind, bearer FROM idem.guard_parts WHERE declared
    UNION
    SELECT t.relation, t.kind, i.inhrelid::regclass
    FROM tree t
    JOIN pg_catalog.pg_inherits i ON i.inhparent = t.member AND NOT i.inhdetachpending
)
SELECT * FROM tree;
COMMENT ON VIEW idem.guard_tables IS 'every table that holds rows a declared guard has to see';

-- The columns that a declared guard names, of the table that bears the trigger;
-- is_kept: idem writes it, under a CHECK of its name.  Whoever may create a
-- trigger writes its arguments: those that are no settings of a guard name
-- nothing.
CREATE VIEW idem.guard_columns AS
WITH parts AS MATERIALIZED (SELECT * FROM idem.guard_parts WHERE declared)
SELECT g.relation, g.kind, g.name, g.part, g.bearer, c.setting, c."column", c.is_kept
FROM parts g,
     LATERAL idem.setting_columns(g.function, g.arguments) c
WHERE g.problem IS NULL;
COMMENT ON VIEW idem.guard_columns IS 'the columns each declared guard names';

-- The one definition of intact: doctor_intact.c.  The event triggers ask it of
-- the tables that a command touched.
CREATE FUNCTION idem.problems_of(
        relations regclass[],
        OUT relation regclass, OUT kind text, OUT name text,
        OUT problem text, OUT remedy text, OUT member regclass)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'idem_problems_of'
    LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 100;
COMMENT ON FUNCTION idem.problems_of(regclass[]) IS
    'what keeps a guard from guarding, a row each: of the guards on these tables and on those they are part of, on these tables and on those below them; NULL: of all guards. Reads the catalog only; locks nothing';

-- What keeps a guard from guarding, a row each; member: the table that has the
-- problem; kind: extension for a trigger of a table of idem.
CREATE VIEW idem.guard_problems AS
SELECT p.relation, p.kind, p.name, p.problem, p.remedy, p.member,
       p.kind = 'extension' OR (p.relation, p.kind, p.name) IN (SELECT l.relation, l.kind, l.name FROM idem.guards_logged l) AS declared
FROM idem.problems_of(NULL) p;
COMMENT ON VIEW idem.guard_problems IS 'what keeps a guard from guarding, a row each';

CREATE VIEW idem.guards AS
SELECT g.relation, g.kind, g.name, g.settings,
       CASE g.mode WHEN 'A' THEN 'always' WHEN 'O' THEN 'origin'
                   WHEN 'R' THEN 'replica' ELSE 'disabled' END AS mode,
       p.problems IS NULL AS intact, p.problems AS problem,
       c.role AS declared_by, c.at AS declared_at
FROM idem.guard_triggers g
LEFT JOIN (SELECT relation, kind, name,
                  pg_catalog.string_agg(DISTINCT problem COLLATE "C", '; ' ORDER BY problem COLLATE "C") AS problems
           FROM idem.guard_problems GROUP BY relation, kind, name) p
     ON p.relation = g.relation AND p.kind = g.kind AND p.name = g.name
LEFT JOIN idem.guards_logged c
     ON c.relation = g.relation AND c.kind = g.kind AND c.name = g.name
WHERE g.part = 'row' AND NOT g.is_clone;
GRANT SELECT ON idem.guards TO PUBLIC;
COMMENT ON VIEW idem.guards IS 'every guard of this database, from the triggers themselves, and whether it is intact';
COMMENT ON COLUMN idem.guards.relation IS 'the guarded table; of a limit, the child';
COMMENT ON COLUMN idem.guards.kind IS 'the kind of the guard, one of idem.guard_kinds()';
COMMENT ON COLUMN idem.guards.name IS 'name of its trigger, and the constraint that errors name';
COMMENT ON COLUMN idem.guards.settings IS 'what was declared, each name=value';
COMMENT ON COLUMN idem.guards.mode IS 'when the trigger fires: always, as it must, or origin, replica, disabled';
COMMENT ON COLUMN idem.guards.intact IS 'whether it guards every table that holds its rows';
COMMENT ON COLUMN idem.guards.problem IS 'why not';
COMMENT ON COLUMN idem.guards.declared_by IS 'session user who declared it';
COMMENT ON COLUMN idem.guards.declared_at IS 'when, by the clock of the database';

-- Where the trigger of a guard is gone, only the log tells of the guard.
CREATE VIEW idem.guards_missing AS
SELECT last.relation, last.kind, last.name, last.arguments AS settings,
       last.role AS declared_by, last.at AS declared_at
FROM idem.guards_logged last
WHERE NOT EXISTS (SELECT FROM idem.guard_triggers g
                  WHERE g.relation = last.relation AND g.part = 'row'
                        AND g.kind = last.kind AND g.name = last.name);
COMMENT ON VIEW idem.guards_missing IS 'guards that were declared and not dropped, and whose trigger is gone';

-- A name that had a guard and has none: its table was renamed or dropped and
-- another one took the name, as schema changes do that copy a table, or the
-- guard went with the parent of a limit.  What the log says of that name and
-- guard later, declared or dropped for a reason, is the last word.
CREATE VIEW idem.guards_lost AS
SELECT c.oid::regclass AS relation, e.kind, e.name, coalesce(e.settings, '{}') AS settings,
       CASE e.action WHEN 'renamed' THEN pg_catalog.format('the table of that name, which had it, was renamed to %s',
                                                           pg_catalog.quote_ident(e.table_schema) || '.' || pg_catalog.quote_ident(e.table_name))
                     ELSE e.reason END AS how,
       e.role, e.at
FROM (SELECT DISTINCT ON (schema_before, table_before, kind, name) *
      FROM (SELECT guard, n, at, role, action, kind, name, reason, table_schema, table_name,
                   CASE action WHEN 'renamed' THEN pg_catalog.lag(table_schema) OVER w ELSE table_schema END AS schema_before,
                   CASE action WHEN 'renamed' THEN pg_catalog.lag(table_name) OVER w ELSE table_name END AS table_before,
                   (SELECT d.arguments FROM idem.change d WHERE d.guard = l.guard AND d.action = 'declared'
                    ORDER BY d.n DESC LIMIT 1) AS settings
            FROM idem.change l
            WHERE guard IS NOT NULL
            WINDOW w AS (PARTITION BY guard ORDER BY n)) l
      WHERE action = 'renamed' OR action = 'dropped' AND (reason = 'the parent table was dropped' OR reason ~ '^the table was dropped(:|$)')
      ORDER BY schema_before, table_before, kind, name, n DESC) e
JOIN pg_catalog.pg_namespace s ON s.nspname = e.schema_before
JOIN pg_catalog.pg_class c ON c.relname = e.table_before AND c.relnamespace = s.oid AND c.relkind IN ('r', 'p')
WHERE NOT EXISTS (SELECT FROM idem.change l
                  WHERE l.table_schema = e.schema_before AND l.table_name = e.table_before
                        AND l.kind = e.kind AND l.name = e.name AND l.n > e.n)
      AND NOT EXISTS (SELECT FROM idem.guard_triggers g
                      WHERE g.relation = c.oid AND g.part = 'row' AND g.kind = e.kind AND g.name = e.name);
COMMENT ON VIEW idem.guards_lost IS 'tables that have the name of a table that was guarded, but not its guard';

-- Guards that came by CREATE TRIGGER, as from a dump of a single table.  If such
-- a trigger is dropped, nothing tells that it was there.  Of what Citus carries
-- to a worker the coordinator has the log.
CREATE VIEW idem.guards_undeclared AS
SELECT g.relation, g.kind, g.name, g.settings, pg_catalog.pg_get_userbyid(c.relowner) AS owner,
       pg_catalog.row_number() OVER (PARTITION BY c.relowner
                                     ORDER BY c.relname, g.relation, g.kind, g.name) AS nth,
       pg_catalog.count(*) OVER (PARTITION BY c.relowner) AS of
FROM idem.guard_parts g
JOIN pg_catalog.pg_class c ON c.oid = g.relation
WHERE g.part = 'row' AND NOT g.declared
      AND idem.citus_part(g.relation) IS NULL;
COMMENT ON VIEW idem.guards_undeclared IS 'guards whose trigger is there and that were not declared in this database, until idem.rearm()';

-- What a setting let pass, or nothing could refuse, and nobody has looked at
-- since.
CREATE VIEW idem.guards_weakened AS
SELECT DISTINCT ON (l.guard, l.kind, l.name)
       l.relation, l.kind, l.name, l.arguments[1] AS what, l.role, l.at, l.reason,
       CASE WHEN l.reason IS NULL THEN NULL
            WHEN l.action = 'emptied' THEN 'idem.truncate_reason' ELSE 'idem.allow_unguarded' END AS allowed_by
FROM idem.change_log l
WHERE l.action IN ('unguarded', 'emptied')
      AND NOT EXISTS (SELECT FROM idem.change r
                      WHERE r.action IN ('rearmed', 'declared', 'dropped') AND r.n > l.n
                            AND r.guard = l.guard)
      AND NOT EXISTS (SELECT FROM idem.change r -- what is not on a table
                      WHERE r.action IN ('rearmed', 'declared', 'dropped') AND r.n > l.n
                            AND r.guard IS NULL AND l.guard IS NULL
                            AND r.kind = l.kind AND r.name = l.name)
ORDER BY l.guard, l.kind, l.name, l.n DESC;
COMMENT ON VIEW idem.guards_weakened IS 'guards that a change passed by idem.allow_unguarded touched, tables that were truncated, and logs of idem of which rows are gone, until idem.rearm()';

-- Found by the text of their functions, which assigns a column of NEW.  What such
-- a trigger writes is judged like what the statement writes.
CREATE VIEW idem.trigger_problems AS
SELECT DISTINCT 'notice' AS severity, pg_catalog.format('trigger %I on %s', t.tgname, c.bearer) AS object,
       pg_catalog.format('writes column %I, which %s guard %I keeps: it is judged as if the statement had written it',
                         c."column", c.kind, c.name) AS finding,
       pg_catalog.format('take it out of function %s', t.tgfoid::regprocedure) AS remedy
FROM (SELECT DISTINCT bearer, kind, name, "column" FROM idem.guard_columns) c
JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.bearer AND NOT t.tgisinternal AND t.tgenabled <> 'D'
     AND t.tgtype & 3 = 3 -- BEFORE, FOR EACH ROW
     AND t.tgtype & 20 <> 0 -- INSERT or UPDATE
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace <> 'idem'::regnamespace,
     LATERAL pg_catalog.regexp_matches(p.prosrc, '(?in)(?:^|;|\mbegin|\mthen|\melse|\mloop)\s*new\s*\.\s*(?:"([^"]+)"|(\w+))\s*:?=(?!=)', 'g') w
WHERE coalesce(w[1], pg_catalog.lower(w[2])) = c."column";
COMMENT ON VIEW idem.trigger_problems IS 'triggers of others that write columns a guard names, as findings of idem.doctor()';

CREATE FUNCTION idem.rearm(relation regclass DEFAULT NULL) RETURNS SETOF text
    AS 'MODULE_PATHNAME', 'idem_rearm'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.rearm(regclass) IS
    'makes every trigger of the guards of a table fire always again and creates missing TRUNCATE triggers, also on partitions and on the parent of a limit. Without a table: for all tables that the caller owns, or for a superuser all tables; undeclared guards count only on tables of the caller and of roles it was made a member of. Returns the statements it ran, and as comments, with the cause, those that it could not run; only a call for one table fails then. Everything is kept in idem.change_log, including that undeclared guards count as declared from now on. For use after a restore with --disable-triggers or of a single table. Looks at no rows: idem.doctor() does. 42501 for a table of somebody else; locks SHARE ROW EXCLUSIVE; without a table it waits two seconds for all locks together';

CREATE FUNCTION idem.drop_guard(relation regclass, kind text,
                                name text DEFAULT NULL, reason text DEFAULT NULL)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_drop_guard'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.drop_guard(regclass, text, text, text) IS
    'takes a guard off a table, with its triggers on all partitions, and keeps the reason in idem.change_log. Of a limit the parent''s trigger and CHECK go, too; the column of the running total stays, as a column like any other. kind: one of idem.guard_kinds(); one that was declared with it (repeats with keys) goes with it; name: which, where a table has several (42725); reason: required (22004, 22023 if blank or longer than 1,000 characters). A guard whose trigger is gone, or whose table gave its name to this one, is only written off. Owner only, of a limit also of the parent (42501); 42704 without such a guard; 2BP01 while another guard names the table, as idem.guard_claimed names a table of keys; locks ACCESS EXCLUSIVE';

-- ---------------------------------------------------------------------------
-- doctor: findings
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.check_rows()
    RETURNS TABLE (severity text, object text, finding text, remedy text)
    AS 'MODULE_PATHNAME', 'idem_check_rows'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.check_rows() IS
    'rows that do not follow their rule, as findings of idem.doctor(): running totals that differ from the sums of their children, rows in undeclared states; as a warning, parents in excess. Reads the tables of each guard that was declared, as their owner, under a snapshot that is newer than its locks, at each isolation level; locks ACCESS SHARE; a lock that does not come within five seconds is a finding, and after it no other is waited for';
REVOKE ALL ON FUNCTION idem.check_rows() FROM PUBLIC;

-- Guards that were declared.  A trigger that came from a dump of the schema is
-- counted in by rearm(): as declared here, as all of the others are.
CREATE VIEW idem.guard_declarations AS
SELECT k.n + 70 AS rank, pg_catalog.format('%s %s', g.relation, g.name) AS name, idem.guard_declaration(g.relation, g.name) AS statement
FROM idem.guard_parts g
JOIN ROWS FROM (idem.guard_kinds()) WITH ORDINALITY AS k (kind, part, function, trigger_types, settings, required, "identity", columns, keeps_rows, unless, statement, declares, n)
     ON k.function = g.function
WHERE g.part = 'row' AND g.declared
UNION ALL
SELECT 1000, pg_catalog.format('%I.%I', s.nspname, c.relname), pg_catalog.format('SELECT idem.rearm(%L);', pg_catalog.format('%I.%I', s.nspname, c.relname))
FROM (SELECT DISTINCT g.relation FROM idem.guard_parts g WHERE g.part = 'row' AND g.declared) g
JOIN pg_catalog.pg_class c ON c.oid = g.relation
JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace;
COMMENT ON VIEW idem.guard_declarations IS 'guards, as idem.declarations() writes them';
REVOKE ALL ON TABLE idem.guard_declarations FROM PUBLIC;
