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
