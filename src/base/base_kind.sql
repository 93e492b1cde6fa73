
-- ---------------------------------------------------------------------------
-- kinds of guards, and the arguments of their triggers
-- ---------------------------------------------------------------------------

-- PUBLIC, all of them, because views run functions as the role that reads
-- them; they show nothing that pg_trigger does not show to everybody.

CREATE FUNCTION idem.guard_kinds(
        OUT kind text, OUT part text, OUT function text,
        OUT trigger_types smallint[], OUT settings text[],
        OUT required text[], OUT identity text[], OUT columns text[],
        OUT keeps_rows boolean, OUT unless text, OUT statement text,
        OUT declares text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'idem_guard_kinds'
    LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 10;
COMMENT ON FUNCTION idem.guard_kinds() IS
    'the kinds of guards of this library, a row for each trigger function: kind (NULL: one that fires once a statement, for any kind that names it); part: row decides, total keeps columns of the parent, truncate refuses TRUNCATE, some of them after every statement; function in schema idem; trigger_types: pg_trigger.tgtype as idem declares it, one of these; the settings it knows, and which of them are required, tell guards of the kind on one table apart (identity), and name columns of the table that bears the trigger; keeps_rows: the guard refuses TRUNCATE, unless it has the setting in unless; statement: by a trigger that calls this function; declares: the function of schema idem that puts such a guard on a table, and whose arguments the settings are (NULL: it comes with another)';

CREATE FUNCTION idem.trigger_settings(tgargs bytea) RETURNS text[]
    AS 'MODULE_PATHNAME', 'idem_trigger_settings'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION idem.trigger_settings(bytea) IS
    'the arguments of a trigger, pg_trigger.tgargs, as an array; 22021 for bytes that are no text';

CREATE FUNCTION idem.setting(settings text[], name text) RETURNS text
    AS 'MODULE_PATHNAME', 'idem_setting_value'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION idem.setting(text[], text) IS
    'the value of one of the settings of a guard, each name=value; NULL if it is not there';

CREATE FUNCTION idem.settings_problem(function text, settings text[]) RETURNS text
    AS 'MODULE_PATHNAME', 'idem_settings_problem_text'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION idem.settings_problem(text, text[]) IS
    'what is wrong with the arguments of a trigger that calls this function of schema idem, as the end of a sentence: no idem=1 at the head, an unknown name, one that is there twice, a value of another form, a missing one; NULL: nothing, or no trigger function of a guard';

CREATE FUNCTION idem.guard_identity(function text, settings text[]) RETURNS text[]
    AS 'MODULE_PATHNAME', 'idem_guard_identity'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION idem.guard_identity(text, text[]) IS
    'the settings that tell guards of one kind on one table apart, each name=value, for a trigger that calls this function of schema idem; both sides of a limit have the same';

CREATE FUNCTION idem.setting_columns(
        function text, settings text[],
        OUT setting text, OUT "column" text, OUT is_kept boolean)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'idem_setting_columns_rows'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 4;
COMMENT ON FUNCTION idem.setting_columns(text, text[]) IS
    'the columns that the arguments of a trigger name, of the table that bears it, for a trigger that calls this function of schema idem; is_kept: idem writes it, under a CHECK';

CREATE FUNCTION idem.made_name(prefix text, VARIADIC parts text[]) RETURNS text
    AS 'MODULE_PATHNAME', 'idem_made_name_text'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION idem.made_name(text, text[]) IS
    'the name of something that a guard makes: prefix_part_part; where that is too long for a name, its beginning and eight digits of a hash of all of it';

-- ---------------------------------------------------------------------------
-- tables that Citus spreads over nodes
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.citus_part(relid oid) RETURNS text
    AS 'MODULE_PATHNAME', 'idem_citus_part'
    LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION idem.citus_part(oid) IS
    'what a table is to Citus: shard of a distributed table; carried, a distributed table on a worker, whose guards the coordinator declared; NULL: neither, or there is no Citus';
