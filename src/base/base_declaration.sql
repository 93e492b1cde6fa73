-- ---------------------------------------------------------------------------
-- declarations: what was declared, as a script
-- ---------------------------------------------------------------------------

-- What a room lets declare besides guards it shows by a view of its own, named
-- <what>_declarations (rank, name, statement).  The ranks: 10 currencies, 20
-- machines, 30 return codes, 40 calendars, 50 channels, 60 scopes, 70 and 71
-- guards, the tables that others name first, 80 what counts them in.

CREATE FUNCTION idem.guard_declaration(relation regclass, name text) RETURNS text
    AS 'MODULE_PATHNAME', 'idem_guard_declaration_text'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION idem.guard_declaration(regclass, text) IS
    'the statement that declares the guard of this name on a table again; NULL if there is none, or it comes with another one. Locks the table ACCESS SHARE';
REVOKE ALL ON FUNCTION idem.guard_declaration(regclass, text) FROM PUBLIC;

CREATE FUNCTION idem.declarations() RETURNS SETOF text
    AS 'MODULE_PATHNAME', 'idem_declarations'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 100
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET datestyle = 'ISO' SET intervalstyle = 'iso_8601' SET timezone = 'UTC';
COMMENT ON FUNCTION idem.declarations() IS
    'a script that declares everything again, a row a statement: currencies, machines, return codes, calendars, channels, scopes and guards, each as it is now. What is there already is passed over with a NOTICE. For a database that was made from a dump of the schema, which brings the triggers of guards and not what they name, and for schemas that are kept without triggers. psql -Atc ''SELECT idem.declarations()'' writes it. For admins; locks guarded tables ACCESS SHARE';
REVOKE ALL ON FUNCTION idem.declarations() FROM PUBLIC;
