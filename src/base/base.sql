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
-- restore his dump; called in any other way they raise 39P01.
CREATE FUNCTION idem.refuse_truncate() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_refuse_truncate'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.refuse_truncate() IS
    'trigger of a guard: TRUNCATE of a table with guarded rows raises 23I08';

-- ---------------------------------------------------------------------------
-- change log: every declaration, for good
-- ---------------------------------------------------------------------------

-- A table is kept by name, so that a dump of the log can be restored before
-- the table is, or without it; the doctor's event triggers follow a rename.
-- No key: the data of a dump is restored into a log that already tells of
-- the restore itself, with numbers of its own.
CREATE TABLE idem.change (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    at          timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    role        name NOT NULL DEFAULT SESSION_USER,
    action      text COLLATE "C" NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    table_schema name,
    table_name  name,
    name        text COLLATE "C" NOT NULL,
    arguments   text[] NOT NULL,
    reason      text
);
CREATE INDEX change_table ON idem.change (table_name, table_schema) WHERE table_name IS NOT NULL;
COMMENT ON INDEX idem.change_table IS 'the changes of one table, which is looked for when it is renamed';
COMMENT ON TABLE idem.change IS 'every declaration of a rule and every rule taken off, append-only; read it as idem.change_log';
COMMENT ON COLUMN idem.change.id IS 'order of the changes of one instant';
COMMENT ON COLUMN idem.change.at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.change.role IS 'session user who did it';
COMMENT ON COLUMN idem.change.action IS 'declared, dropped, granted, unguarded (a change passed by idem.allow_unguarded) or rearmed';
COMMENT ON COLUMN idem.change.kind IS 'machine, scope, states, limit, fixed, kept; runtime or admin for what was granted';
COMMENT ON COLUMN idem.change.table_schema IS 'schema of the guarded table; NULL for what is no guard';
COMMENT ON COLUMN idem.change.table_name IS 'name of the guarded table; NULL for what is no guard';
COMMENT ON COLUMN idem.change.name IS 'name of the guard''s trigger, of the machine, of the scope or of the role';
COMMENT ON COLUMN idem.change.arguments IS 'the settings, each name=value; the functions granted; what was done to the guard';
COMMENT ON COLUMN idem.change.reason IS 'why, where a reason is asked for';
REVOKE ALL ON TABLE idem.change FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.change', '');
SELECT pg_catalog.pg_extension_config_dump('idem.change_id_seq', '');

CREATE VIEW idem.change_log AS
SELECT l.id, l.at, l.role, l.action, l.kind, c.oid::regclass AS relation,
       l.name, l.arguments, l.reason, l.table_schema, l.table_name
FROM idem.change l
LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = l.table_schema
LEFT JOIN pg_catalog.pg_class c ON c.relname = l.table_name AND c.relnamespace = n.oid;
COMMENT ON VIEW idem.change_log IS 'every declaration of a rule and every rule taken off';
COMMENT ON COLUMN idem.change_log.id IS 'order of the changes of one instant';
COMMENT ON COLUMN idem.change_log.at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.change_log.role IS 'session user who did it';
COMMENT ON COLUMN idem.change_log.action IS 'declared, dropped, granted, unguarded (a change passed by idem.allow_unguarded) or rearmed';
COMMENT ON COLUMN idem.change_log.kind IS 'machine, scope, states, limit, fixed, kept; runtime or admin for what was granted';
COMMENT ON COLUMN idem.change_log.relation IS 'the guarded table; NULL for what is no guard, or where the table is gone';
COMMENT ON COLUMN idem.change_log.name IS 'name of the guard''s trigger, of the machine, of the scope or of the role';
COMMENT ON COLUMN idem.change_log.arguments IS 'the settings, each name=value; the functions granted; what was done to the guard';
COMMENT ON COLUMN idem.change_log.reason IS 'why, where a reason is asked for';
COMMENT ON COLUMN idem.change_log.table_schema IS 'schema of the guarded table, also where it is gone';
COMMENT ON COLUMN idem.change_log.table_name IS 'name of the guarded table, also where it is gone';
REVOKE ALL ON TABLE idem.change_log FROM PUBLIC;
