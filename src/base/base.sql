/* idem: keeps the invariants of payments inside the database */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION idem" to load this file. \quit

-- ---------------------------------------------------------------------------
-- base: what every room needs and no room owns
-- ---------------------------------------------------------------------------

-- No IF NOT EXISTS: a schema that somebody made before us could hold
-- functions that win over ours.
CREATE SCHEMA idem;
COMMENT ON SCHEMA idem IS 'the invariants of payments: guards, claims, machines and their functions';
GRANT USAGE ON SCHEMA idem TO PUBLIC;

-- Statement trigger on every table of definitions: what backends compiled
-- from them is forgotten everywhere when the change commits.
CREATE FUNCTION idem.invalidate_definitions() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_invalidate_definitions'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.invalidate_definitions() IS
    'trigger on tables of definitions: makes every session read them anew';

-- Trigger functions stay executable by PUBLIC, or an ordinary owner could not
-- restore a dump; called in any other way they raise 39P01.
CREATE FUNCTION idem.refuse_truncate() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_refuse_truncate'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.refuse_truncate() IS
    'trigger of a guard: TRUNCATE of a table with guarded rows raises 23I08';

-- Private: of tables of idem only.
CREATE FUNCTION idem.keep_own_rows() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_own_rows'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_own_rows() IS
    'trigger of a table of idem: TRUNCATE raises 23I08, unless idem.truncate_reason says why and the trigger does not say for_good=true; what was deleted or written over is noted in idem.change_log';
REVOKE ALL ON FUNCTION idem.keep_own_rows() FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- change log: every declaration, for good
-- ---------------------------------------------------------------------------

-- Append-only, so that a publication of all tables needs no replica identity
-- here and nobody can change what was written.  A table is kept by name, so
-- that a dump of the log can be restored before the table is, or without it.
-- A rename appends an entry for each guard that stands on the table, and what
-- ties the entries of one guard together is the number of the guard, not the
-- name: a table that takes the name of another one takes over nothing.
-- No key: the data of a dump is restored into a log that already tells of the
-- restore itself.
CREATE TABLE idem.change (
    n           bigint NOT NULL,
    at          timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    role        name NOT NULL DEFAULT SESSION_USER,
    action      text COLLATE "C" NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    guard       uuid,
    table_schema name,
    table_name  name,
    name        text COLLATE "C" NOT NULL,
    arguments   text[] NOT NULL,
    reason      text
);
CREATE INDEX change_n ON idem.change (n);
CREATE INDEX change_guard ON idem.change (guard, n) WHERE guard IS NOT NULL;
CREATE INDEX change_table ON idem.change (table_name, table_schema) WHERE table_name IS NOT NULL;
COMMENT ON INDEX idem.change_n IS 'the newest entry, after which the next one is numbered';
COMMENT ON INDEX idem.change_guard IS 'the entries of one guard, in order';
COMMENT ON INDEX idem.change_table IS 'the guards of one table, which are looked up when it is renamed or dropped';
COMMENT ON TABLE idem.change IS 'every declaration of a rule and every rule taken off, append-only; read it as idem.change_log';
COMMENT ON COLUMN idem.change.n IS 'order of the entries: microseconds since 2000 by the clock of the database, or one more than the newest entry where the clock is not past it; entries of transactions that ran beside each other may share a number, those of one guard never do';
COMMENT ON COLUMN idem.change.at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.change.role IS 'session user who did it';
COMMENT ON COLUMN idem.change.action IS 'declared, renamed (a guarded table, whose new name this is), dropped, altered, retired, granted, unguarded (a change passed by idem.allow_unguarded), emptied (rows that went at once, or were taken from a log of idem) or rearmed';
COMMENT ON COLUMN idem.change.kind IS 'machine, codes, scope or the kind of a guard, one of idem.guard_kinds(); extension for a table or function of idem; runtime or admin for what was granted';
COMMENT ON COLUMN idem.change.guard IS 'which guard: the same in all its entries from its declaration until it is dropped; NULL for what is not on a table';
COMMENT ON COLUMN idem.change.table_schema IS 'schema of the guarded table at that time; NULL for what is no guard';
COMMENT ON COLUMN idem.change.table_name IS 'name of the guarded table at that time; NULL for what is no guard';
COMMENT ON COLUMN idem.change.name IS 'name of the guard''s trigger, of the machine, of the return code table, of the scope or of the role';
COMMENT ON COLUMN idem.change.arguments IS 'the settings, each name=value; the functions granted; what was done to the guard; from=, the name of a table before it was renamed';
COMMENT ON COLUMN idem.change.reason IS 'why, where a reason is asked for';
REVOKE ALL ON TABLE idem.change FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.change', '');

-- A guard is on the table that its last entry names.
CREATE VIEW idem.guard_places AS
SELECT e.guard, e.kind, e.name, e.n, c.oid::regclass AS relation
FROM (SELECT DISTINCT ON (guard) guard, kind, name, n, action, table_schema, table_name
      FROM idem.change
      WHERE guard IS NOT NULL
      ORDER BY guard, n DESC) e
JOIN pg_catalog.pg_namespace s ON s.nspname = e.table_schema
JOIN pg_catalog.pg_class c ON c.relname = e.table_name AND c.relnamespace = s.oid AND c.relkind IN ('r', 'p')
WHERE e.action <> 'dropped';
COMMENT ON VIEW idem.guard_places IS 'where each guard of the change log that was not dropped stands now';
COMMENT ON COLUMN idem.guard_places.guard IS 'which guard';
COMMENT ON COLUMN idem.guard_places.kind IS 'the kind of the guard, one of idem.guard_kinds(); extension for a trigger of a table of idem';
COMMENT ON COLUMN idem.guard_places.name IS 'name of the guard''s trigger';
COMMENT ON COLUMN idem.guard_places.n IS 'its last entry';
COMMENT ON COLUMN idem.guard_places.relation IS 'the guarded table';
REVOKE ALL ON TABLE idem.guard_places FROM PUBLIC;

CREATE VIEW idem.change_log AS
SELECT l.n, l.at, l.role, l.action, l.kind, p.relation,
       l.name, l.arguments, l.reason, l.table_schema, l.table_name, l.guard
FROM idem.change l
LEFT JOIN idem.guard_places p ON p.guard = l.guard;
COMMENT ON VIEW idem.change_log IS 'every declaration of a rule and every rule taken off';
COMMENT ON COLUMN idem.change_log.n IS 'order of the entries: microseconds since 2000 by the clock of the database, or one more than the newest entry where the clock is not past it; entries of transactions that ran beside each other may share a number, those of one guard never do';
COMMENT ON COLUMN idem.change_log.at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.change_log.role IS 'session user who did it';
COMMENT ON COLUMN idem.change_log.action IS 'declared, renamed (a guarded table, whose new name this is), dropped, altered, retired, granted, unguarded (a change passed by idem.allow_unguarded), emptied (rows that went at once, or were taken from a log of idem) or rearmed';
COMMENT ON COLUMN idem.change_log.kind IS 'machine, codes, scope or the kind of a guard, one of idem.guard_kinds(); extension for a table or function of idem; runtime or admin for what was granted';
COMMENT ON COLUMN idem.change_log.relation IS 'the guarded table as it is called now; NULL for what is no guard, and once the guard was dropped or its table is gone';
COMMENT ON COLUMN idem.change_log.name IS 'name of the guard''s trigger, of the machine, of the return code table, of the scope or of the role';
COMMENT ON COLUMN idem.change_log.arguments IS 'the settings, each name=value; the functions granted; what was done to the guard; from=, the name of a table before it was renamed';
COMMENT ON COLUMN idem.change_log.reason IS 'why, where a reason is asked for';
COMMENT ON COLUMN idem.change_log.table_schema IS 'schema of the guarded table at that time';
COMMENT ON COLUMN idem.change_log.table_name IS 'name of the guarded table at that time';
COMMENT ON COLUMN idem.change_log.guard IS 'which guard: the same in all its entries from its declaration until it is dropped; NULL for what is not on a table';
REVOKE ALL ON TABLE idem.change_log FROM PUBLIC;
