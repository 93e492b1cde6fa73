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

CREATE TABLE idem.change_log (
    id          bigint GENERATED ALWAYS AS IDENTITY
                CONSTRAINT change_log_pkey PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    role        name NOT NULL DEFAULT SESSION_USER,
    action      text COLLATE "C" NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    relation    regclass,
    name        text COLLATE "C" NOT NULL,
    arguments   text[] NOT NULL,
    reason      text
);
COMMENT ON TABLE idem.change_log IS 'every declaration of a rule and every rule taken off, append-only';
COMMENT ON COLUMN idem.change_log.id IS 'order of the changes';
COMMENT ON COLUMN idem.change_log.at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.change_log.role IS 'session user who did it';
COMMENT ON COLUMN idem.change_log.action IS 'declared, dropped or granted';
COMMENT ON COLUMN idem.change_log.kind IS 'machine, scope, states, limit, fixed, kept; runtime or admin for what was granted';
COMMENT ON COLUMN idem.change_log.relation IS 'the guarded table; NULL for what is no guard';
COMMENT ON COLUMN idem.change_log.name IS 'name of the guard''s trigger, of the machine, of the scope or of the role';
COMMENT ON COLUMN idem.change_log.arguments IS 'the settings, each name=value; the functions granted';
COMMENT ON COLUMN idem.change_log.reason IS 'why, where a reason is asked for';
REVOKE ALL ON TABLE idem.change_log FROM PUBLIC;
-- A table that is gone would be dumped as a number, which is another table
-- where the dump is restored: its rows stay behind.
SELECT pg_catalog.pg_extension_config_dump('idem.change_log',
    'WHERE relation IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = relation)');
SELECT pg_catalog.pg_extension_config_dump('idem.change_log_id_seq', '');
