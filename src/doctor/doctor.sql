-- ---------------------------------------------------------------------------
-- doctor: the guards as a whole
-- ---------------------------------------------------------------------------

-- Every trigger of ours on any table.  part: row decides, total keeps the
-- running total of a limit in the parent, truncate refuses TRUNCATE.
CREATE VIEW idem.guard_triggers AS
SELECT t.oid, t.tgrelid::regclass AS relation, k.kind, k.part,
       t.tgname AS name, t.tgparentid <> 0 AS is_clone,
       nullif(t.tgconstrrelid, 0)::regclass AS other,
       a.settings, k.function,
       idem.guard_identity(k.function, a.settings) AS identity,
       idem.settings_problem(k.function, a.settings) AS problem,
       t.tgenabled AS mode,
       t.tgqual IS NULL AND t.tgattr = '' AND NOT t.tgdeferrable
       AND t.tgtype = ANY (k.trigger_types) AS as_declared,
       p.prolang = (SELECT l.oid FROM pg_catalog.pg_language l WHERE l.lanname = 'c')
       AND p.prosrc = 'idem_' || p.proname AND p.probin = '$libdir/idem' AS is_ours
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'idem'::regnamespace
JOIN idem.guard_kinds() k ON k.function = p.proname,
     LATERAL (SELECT idem.trigger_settings(t.tgargs)) a (settings);
COMMENT ON VIEW idem.guard_triggers IS 'every trigger of idem on every table; idem.guards shows what they make up';
COMMENT ON COLUMN idem.guard_triggers.oid IS 'the trigger';
COMMENT ON COLUMN idem.guard_triggers.relation IS 'the table that bears it';
COMMENT ON COLUMN idem.guard_triggers.kind IS 'the kind of the guard, one of idem.guard_kinds(); NULL for a truncate trigger';
COMMENT ON COLUMN idem.guard_triggers.part IS 'row: decides; total: keeps the running total of a limit; truncate: refuses TRUNCATE';
COMMENT ON COLUMN idem.guard_triggers.name IS 'name of the trigger';
COMMENT ON COLUMN idem.guard_triggers.is_clone IS 'made by the server for a partition';
COMMENT ON COLUMN idem.guard_triggers.other IS 'the table it is bound to: of a running total, the child';
COMMENT ON COLUMN idem.guard_triggers.settings IS 'its arguments, each name=value';
COMMENT ON COLUMN idem.guard_triggers.function IS 'the function it calls, of schema idem';
COMMENT ON COLUMN idem.guard_triggers.identity IS 'those of its arguments that tell guards of its kind on one table apart; the counterpart of a limit has the same';
COMMENT ON COLUMN idem.guard_triggers.problem IS 'what is wrong with its arguments; NULL: nothing';
COMMENT ON COLUMN idem.guard_triggers.mode IS 'as in pg_trigger.tgenabled: A always, O origin, R replica, D disabled';
COMMENT ON COLUMN idem.guard_triggers.as_declared IS 'fires at the events, the time and without the conditions that idem gave it';
COMMENT ON COLUMN idem.guard_triggers.is_ours IS 'its function is still the one in the library of idem';

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
COMMENT ON COLUMN idem.guards_logged.relation IS 'the table';
COMMENT ON COLUMN idem.guards_logged.kind IS 'the kind of the guard, one of idem.guard_kinds()';
COMMENT ON COLUMN idem.guards_logged.name IS 'name of the guard''s trigger';
COMMENT ON COLUMN idem.guards_logged.arguments IS 'its settings, each name=value';
COMMENT ON COLUMN idem.guards_logged.role IS 'session user who declared it';
COMMENT ON COLUMN idem.guards_logged.at IS 'when, by the clock of the database';

-- The triggers a guard is made of: the one that decides, and its counterpart
-- on the parent, if it has one, which is bound to this table and has the same
-- identity.  Of a temporary table no guard is made: nobody else could mend it.
CREATE VIEW idem.guard_parts AS
SELECT p.relation, p.kind, p.name, p.settings, p.part, p.bearer, p.trigger,
       p.function, p.arguments, p.problem,
       (p.relation, p.kind, p.name::text) IN (SELECT l.relation, l.kind, l.name FROM idem.guards_logged l) AS declared
FROM (SELECT relation, kind, name, settings, part, relation AS bearer,
             name AS trigger, function, settings AS arguments, problem
      FROM idem.guard_triggers
      WHERE part = 'row' AND NOT is_clone
      UNION ALL
      SELECT g.relation, g.kind, g.name, g.settings, t.part, t.relation,
             t.name, t.function, t.settings, t.problem
      FROM idem.guard_triggers g
      JOIN idem.guard_triggers t ON t.other = g.relation AND t.kind = g.kind AND t.identity = g.identity
      WHERE g.part = 'row' AND NOT g.is_clone
            AND t.part = 'total' AND NOT t.is_clone) p
JOIN pg_catalog.pg_class c ON c.oid = p.relation AND c.relpersistence <> 't';
COMMENT ON VIEW idem.guard_parts IS 'the triggers each guard is made of, but for those that refuse TRUNCATE';
COMMENT ON COLUMN idem.guard_parts.relation IS 'the guarded table';
COMMENT ON COLUMN idem.guard_parts.kind IS 'the kind of the guard, one of idem.guard_kinds()';
COMMENT ON COLUMN idem.guard_parts.name IS 'name of the guard: of the trigger that decides';
COMMENT ON COLUMN idem.guard_parts.settings IS 'the guard''s settings, each name=value';
COMMENT ON COLUMN idem.guard_parts.part IS 'row: decides; total: keeps the running total of a limit';
COMMENT ON COLUMN idem.guard_parts.bearer IS 'the table that bears the trigger: the guarded one, or the parent of a limit';
COMMENT ON COLUMN idem.guard_parts.trigger IS 'name of the trigger';
COMMENT ON COLUMN idem.guard_parts.function IS 'the function it calls, of schema idem';
COMMENT ON COLUMN idem.guard_parts.arguments IS 'its own arguments; settings are those of the trigger that decides';
COMMENT ON COLUMN idem.guard_parts.problem IS 'what is wrong with its arguments; NULL: nothing';
COMMENT ON COLUMN idem.guard_parts.declared IS 'whether a declaration, or idem.rearm(), made the guard count; not one that somebody put there with CREATE TRIGGER';

-- Every table that holds rows such a trigger has to see: the bearer, its
-- partitions, and what inherits from it.  Read from the catalog without a lock
-- on any of them, unlike pg_partition_tree: whoever owns a table could hold
-- one for ever.
CREATE VIEW idem.guard_tables AS
WITH RECURSIVE tree AS (
    SELECT p.relation, p.kind, p.name, p.part, p.bearer, p.trigger, p.declared,
           k.keeps_rows AND (k.unless = ANY (p.settings)) IS NOT TRUE AS keeps_rows,
           p.bearer AS member
    FROM idem.guard_parts p
    JOIN idem.guard_kinds() k ON k.kind = p.kind AND k.part = p.part
    UNION
    SELECT t.relation, t.kind, t.name, t.part, t.bearer, t.trigger, t.declared, t.keeps_rows, i.inhrelid::regclass
    FROM tree t
    JOIN pg_catalog.pg_inherits i ON i.inhparent = t.member AND NOT i.inhdetachpending
)
SELECT * FROM tree;
COMMENT ON VIEW idem.guard_tables IS 'every table that holds rows a guard has to see';
COMMENT ON COLUMN idem.guard_tables.relation IS 'the guarded table';
COMMENT ON COLUMN idem.guard_tables.kind IS 'the kind of the guard, one of idem.guard_kinds()';
COMMENT ON COLUMN idem.guard_tables.name IS 'name of the guard';
COMMENT ON COLUMN idem.guard_tables.part IS 'row: decides; total: keeps the running total of a limit';
COMMENT ON COLUMN idem.guard_tables.bearer IS 'the table that bears the trigger';
COMMENT ON COLUMN idem.guard_tables.trigger IS 'name of the trigger';
COMMENT ON COLUMN idem.guard_tables.declared IS 'whether a declaration, or idem.rearm(), made the guard count';
COMMENT ON COLUMN idem.guard_tables.keeps_rows IS 'whether rows must not go: TRUNCATE is refused, too';
COMMENT ON COLUMN idem.guard_tables.member IS 'the bearer itself, or a partition of it or a table that inherits from it, at any level';

-- By these columns DDL is refused.  Whoever may create a trigger writes its
-- arguments: those that are no settings of a guard name nothing.
CREATE VIEW idem.guard_columns AS
WITH parts AS MATERIALIZED (SELECT * FROM idem.guard_parts)
SELECT g.relation, g.kind, g.name, g.part, g.bearer, g.trigger, c.setting, c."column", c.is_kept, g.declared
FROM parts g,
     LATERAL idem.setting_columns(g.function, g.arguments) c
WHERE g.problem IS NULL;
COMMENT ON VIEW idem.guard_columns IS 'the columns each guard names';
COMMENT ON COLUMN idem.guard_columns.relation IS 'the guarded table';
COMMENT ON COLUMN idem.guard_columns.kind IS 'the kind of the guard; kept names none, it keeps all';
COMMENT ON COLUMN idem.guard_columns.name IS 'name of the guard';
COMMENT ON COLUMN idem.guard_columns.part IS 'row: of the guarded table; total: of the parent of a limit';
COMMENT ON COLUMN idem.guard_columns.bearer IS 'the table that has, or had, the column';
COMMENT ON COLUMN idem.guard_columns.trigger IS 'name of the trigger that names it';
COMMENT ON COLUMN idem.guard_columns.setting IS 'the setting that names it';
COMMENT ON COLUMN idem.guard_columns."column" IS 'the column';
COMMENT ON COLUMN idem.guard_columns.is_kept IS 'idem writes it, under a CHECK of its name';
COMMENT ON COLUMN idem.guard_columns.declared IS 'whether a declaration, or idem.rearm(), made the guard count';

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

-- What keeps a guard from guarding, a row each.
CREATE VIEW idem.guard_problems AS
SELECT p.relation, p.kind, p.name, p.problem, p.remedy, p.member,
       p.kind = 'extension' OR (p.relation, p.kind, p.name) IN (SELECT l.relation, l.kind, l.name FROM idem.guards_logged l) AS declared
FROM idem.problems_of(NULL) p;
COMMENT ON VIEW idem.guard_problems IS 'what keeps a guard from guarding, a row each';
COMMENT ON COLUMN idem.guard_problems.relation IS 'the guarded table';
COMMENT ON COLUMN idem.guard_problems.kind IS 'the kind of the guard, one of idem.guard_kinds(); extension for a trigger of a table of idem';
COMMENT ON COLUMN idem.guard_problems.name IS 'name of the guard''s trigger';
COMMENT ON COLUMN idem.guard_problems.problem IS 'what is wrong';
COMMENT ON COLUMN idem.guard_problems.remedy IS 'what puts it right';
COMMENT ON COLUMN idem.guard_problems.declared IS 'whether a declaration, or idem.rearm(), made the guard count: of others idem.doctor() says only that they are there';
COMMENT ON COLUMN idem.guard_problems.member IS 'the table that has the problem: the guarded one, a partition, or the parent of a limit';

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

-- A guard whose trigger is gone leaves nothing else to find.
CREATE VIEW idem.guards_missing AS
SELECT last.relation, last.kind, last.name, last.arguments AS settings,
       last.role AS declared_by, last.at AS declared_at
FROM idem.guards_logged last
WHERE NOT EXISTS (SELECT FROM idem.guard_triggers g
                  WHERE g.relation = last.relation AND g.part = 'row'
                        AND g.kind = last.kind AND g.name = last.name);
COMMENT ON VIEW idem.guards_missing IS 'guards that were declared and not dropped, and whose trigger is gone';
COMMENT ON COLUMN idem.guards_missing.relation IS 'the table that was guarded';
COMMENT ON COLUMN idem.guards_missing.kind IS 'the kind of the guard, one of idem.guard_kinds()';
COMMENT ON COLUMN idem.guards_missing.name IS 'name of the guard''s trigger';
COMMENT ON COLUMN idem.guards_missing.settings IS 'what was declared, each name=value';
COMMENT ON COLUMN idem.guards_missing.declared_by IS 'session user who declared it';
COMMENT ON COLUMN idem.guards_missing.declared_at IS 'when, by the clock of the database';

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
COMMENT ON VIEW idem.guards_lost IS 'tables that have the name of one that was guarded, and not its guard';
COMMENT ON COLUMN idem.guards_lost.relation IS 'the table that has the name now';
COMMENT ON COLUMN idem.guards_lost.kind IS 'the kind of the guard, one of idem.guard_kinds()';
COMMENT ON COLUMN idem.guards_lost.name IS 'name of the guard''s trigger';
COMMENT ON COLUMN idem.guards_lost.settings IS 'what was declared, each name=value';
COMMENT ON COLUMN idem.guards_lost.how IS 'how the name lost it';
COMMENT ON COLUMN idem.guards_lost.role IS 'session user who did it';
COMMENT ON COLUMN idem.guards_lost.at IS 'when, by the clock of the database';

-- A guard that came by CREATE TRIGGER, as from a dump of a single table: if
-- its trigger goes, nothing tells that there was one.
CREATE VIEW idem.guards_undeclared AS
SELECT g.relation, g.kind, g.name, g.settings, pg_catalog.pg_get_userbyid(c.relowner) AS owner,
       pg_catalog.row_number() OVER (PARTITION BY c.relowner
                                     ORDER BY c.relname, g.relation, g.kind, g.name) AS nth,
       pg_catalog.count(*) OVER (PARTITION BY c.relowner) AS of
FROM idem.guard_parts g
JOIN pg_catalog.pg_class c ON c.oid = g.relation
WHERE g.part = 'row' AND NOT g.declared;
COMMENT ON VIEW idem.guards_undeclared IS 'guards whose trigger is there and that were not declared in this database, until idem.rearm()';
COMMENT ON COLUMN idem.guards_undeclared.relation IS 'the guarded table';
COMMENT ON COLUMN idem.guards_undeclared.kind IS 'the kind of the guard, one of idem.guard_kinds()';
COMMENT ON COLUMN idem.guards_undeclared.name IS 'name of the guard''s trigger';
COMMENT ON COLUMN idem.guards_undeclared.settings IS 'what the trigger says, each name=value';
COMMENT ON COLUMN idem.guards_undeclared.owner IS 'owner of the table';
COMMENT ON COLUMN idem.guards_undeclared.nth IS 'its number among those of that owner';
COMMENT ON COLUMN idem.guards_undeclared.of IS 'how many those are';

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
COMMENT ON COLUMN idem.guards_weakened.relation IS 'the guarded table';
COMMENT ON COLUMN idem.guards_weakened.kind IS 'the kind of the guard, one of idem.guard_kinds(); extension for a function or table of idem';
COMMENT ON COLUMN idem.guards_weakened.name IS 'name of the guard''s trigger';
COMMENT ON COLUMN idem.guards_weakened.what IS 'what was done, the last of it';
COMMENT ON COLUMN idem.guards_weakened.role IS 'session user who did it';
COMMENT ON COLUMN idem.guards_weakened.at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.guards_weakened.reason IS 'the reason that was given';
COMMENT ON COLUMN idem.guards_weakened.allowed_by IS 'the setting that gave it; NULL: none had to';

-- By the text of their functions: what assigns a column of NEW, and what the
-- statement did not write, is judged all the same.
CREATE VIEW idem.trigger_problems AS
SELECT DISTINCT 'notice' AS severity, pg_catalog.format('trigger %I on %s', t.tgname, c.bearer) AS object,
       pg_catalog.format('writes column %I, which %s guard %I keeps: it is judged as if the statement had written it',
                         c."column", c.kind, c.name) AS finding,
       pg_catalog.format('take it out of function %s', t.tgfoid::regprocedure) AS remedy
FROM (SELECT DISTINCT bearer, kind, name, "column" FROM idem.guard_columns WHERE declared) c
JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.bearer AND NOT t.tgisinternal AND t.tgenabled <> 'D'
     AND t.tgtype & 3 = 3 -- BEFORE, FOR EACH ROW
     AND t.tgtype & 20 <> 0 -- INSERT or UPDATE
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace <> 'idem'::regnamespace,
     LATERAL pg_catalog.regexp_matches(p.prosrc, '(?in)(?:^|;|\mbegin|\mthen|\melse|\mloop)\s*new\s*\.\s*(?:"([^"]+)"|(\w+))\s*:?=(?!=)', 'g') w
WHERE coalesce(w[1], pg_catalog.lower(w[2])) = c."column";
COMMENT ON VIEW idem.trigger_problems IS 'triggers of others that write columns a guard names, as findings of idem.doctor()';
COMMENT ON COLUMN idem.trigger_problems.severity IS 'notice';
COMMENT ON COLUMN idem.trigger_problems.object IS 'the trigger';
COMMENT ON COLUMN idem.trigger_problems.finding IS 'what it writes';
COMMENT ON COLUMN idem.trigger_problems.remedy IS 'what puts it right';

CREATE FUNCTION idem.rearm(relation regclass DEFAULT NULL) RETURNS SETOF text
    AS 'MODULE_PATHNAME', 'idem_rearm'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.rearm(regclass) IS
    'makes every trigger of the guards of a table fire always again, and creates the TRUNCATE triggers that lack, on partitions and on the parent of a limit, too. Without a table: of all tables the caller owns, a superuser of all tables; a guard that nobody declared counts only on tables of the caller and of roles it was made a member of. Returns the statements it ran; as a comment, with the cause, those that it could not run, which stops only a call for one table. Kept in idem.change_log, as the declaration of guards that came without one, too. After a restore with --disable-triggers, or of a single table. Looks at no rows: idem.doctor() does. 42501 for a table of somebody else; locks SHARE ROW EXCLUSIVE; without a table it waits two seconds for all locks together';

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
    'rows that do not follow their rule, as findings of idem.doctor(): running totals that differ from the sums of their children, rows in undeclared states; as a warning, parents in excess. Reads the tables of each guard that was declared, as their owner, under a snapshot that is newer than its locks, at each isolation level; locks ACCESS SHARE, and waits five seconds for one: then that is a finding, and the others are not waited for';
REVOKE ALL ON FUNCTION idem.check_rows() FROM PUBLIC;

