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

-- ---------------------------------------------------------------------------
-- base: what one person may not do alone
-- ---------------------------------------------------------------------------

-- What holds in the whole database; written by functions of room control.
CREATE TABLE idem.policy (
    name  text COLLATE "C"
          CONSTRAINT policy_pkey PRIMARY KEY
          CONSTRAINT policy_name_check CHECK (name IN ('approval')),
    since timestamptz NOT NULL,
    role  name NOT NULL
);
COMMENT ON TABLE idem.policy IS 'what holds in the whole database, a row for each policy that is on';
COMMENT ON COLUMN idem.policy.name IS 'approval: what loosens or overrules needs a second person (idem.require_approval)';
COMMENT ON COLUMN idem.policy.since IS 'since when, by the clock of the database';
COMMENT ON COLUMN idem.policy.role IS 'session user who turned it on';
REVOKE ALL ON TABLE idem.policy FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.policy', '');

-- Append-only but for its use and its confirmation.
CREATE TABLE idem.approval (
    id        uuid
              CONSTRAINT approval_pkey PRIMARY KEY,
    at        timestamptz NOT NULL,
    person    text COLLATE "C" NOT NULL,
    role      name NOT NULL,
    action    text COLLATE "C" NOT NULL,
    object    text COLLATE "C" NOT NULL,
    digest    text COLLATE "C" NOT NULL
              CONSTRAINT approval_digest_check CHECK (digest ~ '^[0-9a-f]{64}$'),
    reason    text NOT NULL,
    emergency text,
    used_at   timestamptz,
    used_by   text COLLATE "C",
    confirmed_at timestamptz,
    confirmed_by text COLLATE "C",
    confirmed_reason text
);
COMMENT ON TABLE idem.approval IS 'what was approved, by whom, and what became of it';
COMMENT ON COLUMN idem.approval.id IS 'which approval';
COMMENT ON COLUMN idem.approval.at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.approval.person IS 'who approved: as the server authenticated the login';
COMMENT ON COLUMN idem.approval.role IS 'session user of that person';
COMMENT ON COLUMN idem.approval.action IS 'what was to be done';
COMMENT ON COLUMN idem.approval.object IS 'to what';
COMMENT ON COLUMN idem.approval.digest IS 'SHA-256 of action, object, arguments and the state of the object';
COMMENT ON COLUMN idem.approval.reason IS 'why it was approved';
COMMENT ON COLUMN idem.approval.emergency IS 'why one person did it alone; NULL: nobody did';
COMMENT ON COLUMN idem.approval.used_at IS 'when the call was made; NULL: not yet';
COMMENT ON COLUMN idem.approval.used_by IS 'who made it';
COMMENT ON COLUMN idem.approval.confirmed_at IS 'of an emergency: when another person approved it afterwards';
COMMENT ON COLUMN idem.approval.confirmed_by IS 'of an emergency: who did';
COMMENT ON COLUMN idem.approval.confirmed_reason IS 'of an emergency: why';
REVOKE ALL ON TABLE idem.approval FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.approval', '');
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
-- base: what is paused
-- ---------------------------------------------------------------------------

-- Every room that grants or lets rows in reads it; written by idem.pause and
-- idem.resume (control).  What was paused and resumed stands in idem.change.
CREATE TABLE idem.pause (
    kind   text COLLATE "C" NOT NULL
           CONSTRAINT pause_kind_check CHECK (kind IN ('scope', 'channel', 'machine', 'limit')),
    name   text COLLATE "C" NOT NULL,
    state  text COLLATE "C" NOT NULL,
    at     timestamptz NOT NULL,
    role   name NOT NULL,
    reason text NOT NULL,
    CONSTRAINT pause_pkey PRIMARY KEY (kind, name, state)
);
COMMENT ON TABLE idem.pause IS 'what is paused now; read it as idem.pauses';
COMMENT ON COLUMN idem.pause.kind IS 'scope, channel, machine or limit';
COMMENT ON COLUMN idem.pause.name IS 'name of the scope, channel or machine; of a limit, the number of its guard in idem.change, which follows a table that is renamed';
COMMENT ON COLUMN idem.pause.state IS 'the state of a machine that no row enters; empty for the other kinds';
COMMENT ON COLUMN idem.pause.at IS 'when it was paused, by the clock of the database';
COMMENT ON COLUMN idem.pause.role IS 'session user who paused it';
COMMENT ON COLUMN idem.pause.reason IS 'why';
REVOKE ALL ON TABLE idem.pause FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.pause', '');

CREATE TRIGGER idem_pause_invalidate
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON idem.pause
    FOR EACH STATEMENT EXECUTE FUNCTION idem.invalidate_definitions();
COMMENT ON TRIGGER idem_pause_invalidate ON idem.pause IS 'every session knows of a pause before its next grant';
ALTER TABLE idem.pause ENABLE ALWAYS TRIGGER idem_pause_invalidate;

-- ---------------------------------------------------------------------------
-- base: the place of this database
-- ---------------------------------------------------------------------------

-- One row, or none.  Which server the database was set, or adopted, on last;
-- written by functions of room send.
CREATE TABLE idem.site (
    one        boolean NOT NULL
               CONSTRAINT site_pkey PRIMARY KEY
               CONSTRAINT site_one_check CHECK (one),
    name       text COLLATE "C" NOT NULL,
    on_move    text COLLATE "C"
               CONSTRAINT site_on_move_check CHECK (on_move IN ('halt', 'follow')),
    set_at     timestamptz NOT NULL,
    role       name NOT NULL,
    system_identifier bigint NOT NULL,
    timeline   bigint NOT NULL,
    database   oid NOT NULL,
    relation   oid NOT NULL,
    backup     text COLLATE "C",
    stamped_at timestamptz NOT NULL,
    held_until timestamptz
);
COMMENT ON TABLE idem.site IS 'the place of this database: where effects outside may go from; no row: anywhere';
COMMENT ON COLUMN idem.site.one IS 'true: there is one row at most';
COMMENT ON COLUMN idem.site.name IS 'what idem.site has to say in the configuration of the server';
COMMENT ON COLUMN idem.site.on_move IS 'what happens on a new timeline: halt or follow; NULL: follow if every scope for effects outside asks for standbys, else halt';
COMMENT ON COLUMN idem.site.set_at IS 'when idem.set_site was called last, by the clock of the database';
COMMENT ON COLUMN idem.site.role IS 'session user who called it';
COMMENT ON COLUMN idem.site.system_identifier IS 'the stamp: of which cluster, as pg_control_system() says it';
COMMENT ON COLUMN idem.site.timeline IS 'the stamp: on which timeline';
COMMENT ON COLUMN idem.site.database IS 'the stamp: which database of the cluster';
COMMENT ON COLUMN idem.site.relation IS 'the stamp: which table this is: a dump that is restored into the same database brings another one';
COMMENT ON COLUMN idem.site.backup IS 'the stamp: where the base backup began from which the server was started on the timeline of that backup; NULL: it was not';
COMMENT ON COLUMN idem.site.stamped_at IS 'since when the stamp is this one';
COMMENT ON COLUMN idem.site.held_until IS 'until then no key is reserved that is seen for the first time; NULL: none is held';
REVOKE ALL ON TABLE idem.site FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.site', '');

CREATE TRIGGER idem_site_invalidate
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON idem.site
    FOR EACH STATEMENT EXECUTE FUNCTION idem.invalidate_definitions();
COMMENT ON TRIGGER idem_site_invalidate ON idem.site IS 'every session knows of a place before its next grant';
ALTER TABLE idem.site ENABLE ALWAYS TRIGGER idem_site_invalidate;

CREATE FUNCTION idem.misplaced() RETURNS text
    AS 'MODULE_PATHNAME', 'idem_misplaced'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.misplaced() IS
    'why reserve and dispatch answer misplaced in this session; NULL: they do not. For operators and admins.
Locks: ACCESS SHARE on idem.site.';
REVOKE ALL ON FUNCTION idem.misplaced() FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- stuck: what should have gone on by now
-- ---------------------------------------------------------------------------

-- A room whose rows have a time in which they go on shows those that have not
-- by a view of its own, named <what>_stuck: (relation regclass, key text, state
-- text, since timestamptz, due timestamptz, next_states text[], unread text).
-- Rows that could not be looked at are a row, too, with the reason in unread
-- and neither key nor state: nobody knows that none of them is stuck.

CREATE FUNCTION idem.stuck_rows(
        OUT what text, OUT relation regclass, OUT key text, OUT state text,
        OUT since timestamptz, OUT due timestamptz,
        OUT next_states text[], OUT unread text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'idem_stuck_rows'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 100
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION idem.stuck_rows() IS
    'what idem.stuck shows. For operators and admins.
Locks: ACCESS SHARE on tables with such guards, for which it waits a moment.';
REVOKE ALL ON FUNCTION idem.stuck_rows() FROM PUBLIC;

CREATE VIEW idem.stuck AS
SELECT s.what, s.relation, s.key, s.state, s.since, s.due, s.next_states, s.unread
FROM idem.stuck_rows() s;
COMMENT ON VIEW idem.stuck IS 'rows that should have gone on by now, the longest overdue first; the latest there are, at each isolation level';
COMMENT ON COLUMN idem.stuck.what IS 'by which rule: states (within of idem.guard_states), limit (clear_within of idem.guard_limit: not cleared), hold (a hold of idem.guard_balance that has lapsed), difference (of idem.reconcile, at which nobody has looked for a week)';
COMMENT ON COLUMN idem.stuck.relation IS 'the guarded table';
COMMENT ON COLUMN idem.stuck.key IS 'primary key of the row, of states as idem.history takes it; NULL to someone who may not read the table';
COMMENT ON COLUMN idem.stuck.state IS 'the state it stands in; not cleared of a limit, held of a hold';
COMMENT ON COLUMN idem.stuck.since IS 'since when; of states, where no history tells, since the guard was declared; NULL: not known, or not asked';
COMMENT ON COLUMN idem.stuck.due IS 'when it should have gone on; NULL: not said';
COMMENT ON COLUMN idem.stuck.next_states IS 'which states may follow; NULL of limits and holds';
COMMENT ON COLUMN idem.stuck.unread IS 'why the rows of this table could not be looked at; NULL: they were';
REVOKE ALL ON TABLE idem.stuck FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- money: the type money_micro, exact amounts in millionths
--
-- The type, its operators, casts, operator classes and aggregates live in
-- pg_catalog, where triggers, rules and views find them after a restore;
-- its functions live in idem.  There is no implicit cast, none to integers
-- and floats, and those from them (money_unitless.sql) take zero only: a unit
-- is never guessed.
--
-- Comparison, sort, hash and sign of amounts are those of bigint: the server's
-- own code (LANGUAGE internal).
-- ---------------------------------------------------------------------------

CREATE TYPE pg_catalog.money_micro;

CREATE FUNCTION idem.money_micro_in(cstring, oid, int4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_in';
COMMENT ON FUNCTION idem.money_micro_in(cstring, oid, int4) IS
    'text to amount: exact, with or without an exponent; 22P02 if it is not a number, 22003 if it has more than six decimals or is out of range';

CREATE FUNCTION idem.money_micro_out(pg_catalog.money_micro) RETURNS cstring
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_out';
COMMENT ON FUNCTION idem.money_micro_out(pg_catalog.money_micro) IS
    'amount to text: at least two decimals, no more than needed';

CREATE FUNCTION idem.money_micro_recv(internal, oid, int4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_recv';
COMMENT ON FUNCTION idem.money_micro_recv(internal, oid, int4) IS
    'binary to amount: millionths, 8 bytes, network order; 22003 out of range, 22P03 for text and for another length';

CREATE FUNCTION idem.money_micro_send(pg_catalog.money_micro) RETURNS bytea
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_send';
COMMENT ON FUNCTION idem.money_micro_send(pg_catalog.money_micro) IS
    'amount to binary: millionths, 8 bytes, network order';

CREATE FUNCTION idem.money_micro_typmod_in(cstring[]) RETURNS int4
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_typmod_in';
COMMENT ON FUNCTION idem.money_micro_typmod_in(cstring[]) IS
    'type modifier: the number of decimals, 0 to 6; 22023 otherwise';

CREATE FUNCTION idem.money_micro_typmod_out(int4) RETURNS cstring
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_typmod_out';
COMMENT ON FUNCTION idem.money_micro_typmod_out(int4) IS
    'type modifier to text';

CREATE TYPE pg_catalog.money_micro (
    INPUT = idem.money_micro_in,
    OUTPUT = idem.money_micro_out,
    RECEIVE = idem.money_micro_recv,
    SEND = idem.money_micro_send,
    TYPMOD_IN = idem.money_micro_typmod_in,
    TYPMOD_OUT = idem.money_micro_typmod_out,
    INTERNALLENGTH = 8,
    PASSEDBYVALUE,
    ALIGNMENT = double,
    -- numeric, so that '5' with a unary operator stays a number of the server's
    CATEGORY = 'N',
    PREFERRED = false
);
COMMENT ON TYPE pg_catalog.money_micro IS
    'exact amount of money in millionths of a unit, less than 2^61 of them; money_micro(n): at most n decimals';


-- ---------------------------------------------------------------------------
-- casts
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.money_micro(pg_catalog.money_micro, int4, bool) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_typmod';
COMMENT ON FUNCTION idem.money_micro(pg_catalog.money_micro, int4, bool) IS
    'the amount if it has at most that many decimals, 22003 otherwise';

-- not named as the type is: with idem in search_path, money_micro(amount_fen)
-- would call it and take fen for whole units
CREATE FUNCTION idem.from_numeric(pg_catalog.numeric) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_numeric';
COMMENT ON FUNCTION idem.from_numeric(pg_catalog.numeric) IS
    'numeric to amount: exact, 22003 otherwise (also NaN and infinity)';

CREATE FUNCTION idem.to_numeric(pg_catalog.money_micro) RETURNS pg_catalog.numeric
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_to_numeric';
COMMENT ON FUNCTION idem.to_numeric(pg_catalog.money_micro) IS
    'amount to numeric, with six decimals';

CREATE FUNCTION idem.to_json(pg_catalog.money_micro) RETURNS pg_catalog.json
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_to_json';
COMMENT ON FUNCTION idem.to_json(pg_catalog.money_micro) IS
    'amount to a bare JSON number, all digits kept';

CREATE FUNCTION idem.to_jsonb(pg_catalog.money_micro) RETURNS pg_catalog.jsonb
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_to_jsonb';
COMMENT ON FUNCTION idem.to_jsonb(pg_catalog.money_micro) IS
    'amount to a bare JSON number, all digits kept';

CREATE CAST (pg_catalog.money_micro AS pg_catalog.money_micro) WITH FUNCTION idem.money_micro(pg_catalog.money_micro, int4, bool) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.money_micro AS pg_catalog.money_micro) IS
    'refuses more decimals than money_micro(n) allows';

CREATE CAST (pg_catalog.numeric AS pg_catalog.money_micro) WITH FUNCTION idem.from_numeric(pg_catalog.numeric) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.numeric AS pg_catalog.money_micro) IS
    'exact or 22003';

CREATE CAST (pg_catalog.money_micro AS pg_catalog.numeric) WITH FUNCTION idem.to_numeric(pg_catalog.money_micro) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.money_micro AS pg_catalog.numeric) IS
    'exact, six decimals';

CREATE CAST (pg_catalog.text AS pg_catalog.money_micro) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.text AS pg_catalog.money_micro) IS
    'through the strict input of the type';

CREATE CAST (pg_catalog.varchar AS pg_catalog.money_micro) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.varchar AS pg_catalog.money_micro) IS
    'through the strict input of the type';

CREATE CAST (pg_catalog.bpchar AS pg_catalog.money_micro) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.bpchar AS pg_catalog.money_micro) IS
    'through the strict input of the type';

CREATE CAST (pg_catalog.money_micro AS pg_catalog.json) WITH FUNCTION idem.to_json(pg_catalog.money_micro);
COMMENT ON CAST (pg_catalog.money_micro AS pg_catalog.json) IS
    'a bare number; to_json and row_to_json use it too';

CREATE CAST (pg_catalog.money_micro AS pg_catalog.jsonb) WITH FUNCTION idem.to_jsonb(pg_catalog.money_micro);
COMMENT ON CAST (pg_catalog.money_micro AS pg_catalog.jsonb) IS
    'a bare number';


-- ---------------------------------------------------------------------------
-- comparison, also with numeric
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.money_micro_eq(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE internal AS 'int8eq';
COMMENT ON FUNCTION idem.money_micro_eq(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of = operator';

CREATE FUNCTION idem.money_micro_ne(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE internal AS 'int8ne';
COMMENT ON FUNCTION idem.money_micro_ne(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of <> operator';

CREATE FUNCTION idem.money_micro_lt(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE internal AS 'int8lt';
COMMENT ON FUNCTION idem.money_micro_lt(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of < operator';

CREATE FUNCTION idem.money_micro_le(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE internal AS 'int8le';
COMMENT ON FUNCTION idem.money_micro_le(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of <= operator';

CREATE FUNCTION idem.money_micro_gt(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE internal AS 'int8gt';
COMMENT ON FUNCTION idem.money_micro_gt(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of > operator';

CREATE FUNCTION idem.money_micro_ge(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE internal AS 'int8ge';
COMMENT ON FUNCTION idem.money_micro_ge(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of >= operator';

CREATE FUNCTION idem.money_micro_cmp(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS int4
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE internal AS 'btint8cmp';
COMMENT ON FUNCTION idem.money_micro_cmp(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'less than, equal to or greater than: -1, 0, 1';

CREATE FUNCTION idem.money_micro_eq_numeric(pg_catalog.money_micro, pg_catalog.numeric) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_eq_numeric';
COMMENT ON FUNCTION idem.money_micro_eq_numeric(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of = operator, exact';

CREATE FUNCTION idem.money_micro_ne_numeric(pg_catalog.money_micro, pg_catalog.numeric) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_ne_numeric';
COMMENT ON FUNCTION idem.money_micro_ne_numeric(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of <> operator, exact';

CREATE FUNCTION idem.money_micro_lt_numeric(pg_catalog.money_micro, pg_catalog.numeric) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_lt_numeric';
COMMENT ON FUNCTION idem.money_micro_lt_numeric(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of < operator, exact';

CREATE FUNCTION idem.money_micro_le_numeric(pg_catalog.money_micro, pg_catalog.numeric) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_le_numeric';
COMMENT ON FUNCTION idem.money_micro_le_numeric(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of <= operator, exact';

CREATE FUNCTION idem.money_micro_gt_numeric(pg_catalog.money_micro, pg_catalog.numeric) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_gt_numeric';
COMMENT ON FUNCTION idem.money_micro_gt_numeric(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of > operator, exact';

CREATE FUNCTION idem.money_micro_ge_numeric(pg_catalog.money_micro, pg_catalog.numeric) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_ge_numeric';
COMMENT ON FUNCTION idem.money_micro_ge_numeric(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of >= operator, exact';

CREATE FUNCTION idem.numeric_eq_money_micro(pg_catalog.numeric, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_eq_money';
COMMENT ON FUNCTION idem.numeric_eq_money_micro(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of = operator, exact';

CREATE FUNCTION idem.numeric_ne_money_micro(pg_catalog.numeric, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_ne_money';
COMMENT ON FUNCTION idem.numeric_ne_money_micro(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of <> operator, exact';

CREATE FUNCTION idem.numeric_lt_money_micro(pg_catalog.numeric, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_lt_money';
COMMENT ON FUNCTION idem.numeric_lt_money_micro(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of < operator, exact';

CREATE FUNCTION idem.numeric_le_money_micro(pg_catalog.numeric, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_le_money';
COMMENT ON FUNCTION idem.numeric_le_money_micro(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of <= operator, exact';

CREATE FUNCTION idem.numeric_gt_money_micro(pg_catalog.numeric, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_gt_money';
COMMENT ON FUNCTION idem.numeric_gt_money_micro(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of > operator, exact';

CREATE FUNCTION idem.numeric_ge_money_micro(pg_catalog.numeric, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_ge_money';
COMMENT ON FUNCTION idem.numeric_ge_money_micro(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of >= operator, exact';

CREATE FUNCTION idem.money_micro_cmp_numeric(pg_catalog.money_micro, pg_catalog.numeric) RETURNS int4
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_cmp_numeric';
COMMENT ON FUNCTION idem.money_micro_cmp_numeric(pg_catalog.money_micro, pg_catalog.numeric) IS
    'less than, equal to or greater than: -1, 0, 1';

CREATE FUNCTION idem.numeric_cmp_money_micro(pg_catalog.numeric, pg_catalog.money_micro) RETURNS int4
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_cmp_money';
COMMENT ON FUNCTION idem.numeric_cmp_money_micro(pg_catalog.numeric, pg_catalog.money_micro) IS
    'less than, equal to or greater than: -1, 0, 1';

CREATE OPERATOR pg_catalog.= (
    FUNCTION = idem.money_micro_eq, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, MERGES, HASHES
);
COMMENT ON OPERATOR pg_catalog.= (pg_catalog.money_micro, pg_catalog.money_micro) IS 'equal';

CREATE OPERATOR pg_catalog.<> (
    FUNCTION = idem.money_micro_ne, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (pg_catalog.money_micro, pg_catalog.money_micro) IS 'not equal';

CREATE OPERATOR pg_catalog.< (
    FUNCTION = idem.money_micro_lt, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (pg_catalog.money_micro, pg_catalog.money_micro) IS 'less than';

CREATE OPERATOR pg_catalog.<= (
    FUNCTION = idem.money_micro_le, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (pg_catalog.money_micro, pg_catalog.money_micro) IS 'less than or equal';

CREATE OPERATOR pg_catalog.> (
    FUNCTION = idem.money_micro_gt, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (pg_catalog.money_micro, pg_catalog.money_micro) IS 'greater than';

CREATE OPERATOR pg_catalog.>= (
    FUNCTION = idem.money_micro_ge, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (pg_catalog.money_micro, pg_catalog.money_micro) IS 'greater than or equal';

CREATE OPERATOR pg_catalog.= (
    FUNCTION = idem.money_micro_eq_numeric, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, MERGES
);
COMMENT ON OPERATOR pg_catalog.= (pg_catalog.money_micro, pg_catalog.numeric) IS 'equal';

CREATE OPERATOR pg_catalog.<> (
    FUNCTION = idem.money_micro_ne_numeric, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (pg_catalog.money_micro, pg_catalog.numeric) IS 'not equal';

CREATE OPERATOR pg_catalog.< (
    FUNCTION = idem.money_micro_lt_numeric, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (pg_catalog.money_micro, pg_catalog.numeric) IS 'less than';

CREATE OPERATOR pg_catalog.<= (
    FUNCTION = idem.money_micro_le_numeric, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (pg_catalog.money_micro, pg_catalog.numeric) IS 'less than or equal';

CREATE OPERATOR pg_catalog.> (
    FUNCTION = idem.money_micro_gt_numeric, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (pg_catalog.money_micro, pg_catalog.numeric) IS 'greater than';

CREATE OPERATOR pg_catalog.>= (
    FUNCTION = idem.money_micro_ge_numeric, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (pg_catalog.money_micro, pg_catalog.numeric) IS 'greater than or equal';

CREATE OPERATOR pg_catalog.= (
    FUNCTION = idem.numeric_eq_money_micro, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, MERGES
);
COMMENT ON OPERATOR pg_catalog.= (pg_catalog.numeric, pg_catalog.money_micro) IS 'equal';

CREATE OPERATOR pg_catalog.<> (
    FUNCTION = idem.numeric_ne_money_micro, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (pg_catalog.numeric, pg_catalog.money_micro) IS 'not equal';

CREATE OPERATOR pg_catalog.< (
    FUNCTION = idem.numeric_lt_money_micro, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (pg_catalog.numeric, pg_catalog.money_micro) IS 'less than';

CREATE OPERATOR pg_catalog.<= (
    FUNCTION = idem.numeric_le_money_micro, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (pg_catalog.numeric, pg_catalog.money_micro) IS 'less than or equal';

CREATE OPERATOR pg_catalog.> (
    FUNCTION = idem.numeric_gt_money_micro, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (pg_catalog.numeric, pg_catalog.money_micro) IS 'greater than';

CREATE OPERATOR pg_catalog.>= (
    FUNCTION = idem.numeric_ge_money_micro, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (pg_catalog.numeric, pg_catalog.money_micro) IS 'greater than or equal';


-- ---------------------------------------------------------------------------
-- arithmetic: exact or 22003
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_add';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of + operator';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sub';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of - operator';

CREATE FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.numeric) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_plus_numeric';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of + operator: exact, 22003 if the number is no amount';

CREATE FUNCTION idem.money_micro_add(pg_catalog.numeric, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_plus_money';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of + operator: exact, 22003 if the number is no amount';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.numeric) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_minus_numeric';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of - operator: exact, 22003 if the number is no amount';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.numeric, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_minus_money';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of - operator: exact, 22003 if the number is no amount';

CREATE FUNCTION idem.money_micro_multiply(pg_catalog.money_micro, pg_catalog.int8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_mul';
COMMENT ON FUNCTION idem.money_micro_multiply(pg_catalog.money_micro, pg_catalog.int8) IS
    'implementation of * operator';

CREATE FUNCTION idem.money_micro_multiply(pg_catalog.int8, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_mul_left';
COMMENT ON FUNCTION idem.money_micro_multiply(pg_catalog.int8, pg_catalog.money_micro) IS
    'implementation of * operator';

CREATE FUNCTION idem.money_micro_divide(pg_catalog.money_micro, pg_catalog.int8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_div';
COMMENT ON FUNCTION idem.money_micro_divide(pg_catalog.money_micro, pg_catalog.int8) IS
    'implementation of / operator: 22003 if something would be left over';

CREATE FUNCTION idem.money_micro_ratio(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS pg_catalog.numeric
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_ratio';
COMMENT ON FUNCTION idem.money_micro_ratio(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of / operator: a ratio has no unit';

CREATE FUNCTION idem.money_micro_remainder(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'int8mod';
COMMENT ON FUNCTION idem.money_micro_remainder(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of % operator: sign of the first amount';

CREATE FUNCTION idem.money_micro_plus(pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'int8up';
COMMENT ON FUNCTION idem.money_micro_plus(pg_catalog.money_micro) IS
    'implementation of + operator';

CREATE FUNCTION idem.money_micro_minus(pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'int8um';
COMMENT ON FUNCTION idem.money_micro_minus(pg_catalog.money_micro) IS
    'implementation of - operator';

CREATE FUNCTION pg_catalog.abs(pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'int8abs';
COMMENT ON FUNCTION pg_catalog.abs(pg_catalog.money_micro) IS
    'absolute value';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.money_micro, pg_catalog.money_micro) IS 'add';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.money_micro, pg_catalog.money_micro) IS 'subtract';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.money_micro, pg_catalog.numeric) IS 'add';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.numeric, pg_catalog.money_micro) IS 'add';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.money_micro, pg_catalog.numeric) IS 'subtract';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.numeric, pg_catalog.money_micro) IS 'subtract';

CREATE OPERATOR pg_catalog.* (
    FUNCTION = idem.money_micro_multiply, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int8,
    COMMUTATOR = OPERATOR(pg_catalog.*)
);
COMMENT ON OPERATOR pg_catalog.* (pg_catalog.money_micro, pg_catalog.int8) IS 'multiply';

CREATE OPERATOR pg_catalog.* (
    FUNCTION = idem.money_micro_multiply, LEFTARG = pg_catalog.int8, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.*)
);
COMMENT ON OPERATOR pg_catalog.* (pg_catalog.int8, pg_catalog.money_micro) IS 'multiply';

CREATE OPERATOR pg_catalog./ (
    FUNCTION = idem.money_micro_divide, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int8
);
COMMENT ON OPERATOR pg_catalog./ (pg_catalog.money_micro, pg_catalog.int8) IS 'divide without remainder, or 22003';

CREATE OPERATOR pg_catalog./ (
    FUNCTION = idem.money_micro_ratio, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog./ (pg_catalog.money_micro, pg_catalog.money_micro) IS 'ratio of two amounts';

CREATE OPERATOR pg_catalog.% (
    FUNCTION = idem.money_micro_remainder, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.% (pg_catalog.money_micro, pg_catalog.money_micro) IS 'remainder';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_plus, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.+ (NONE, pg_catalog.money_micro) IS 'unary plus';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_minus, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.- (NONE, pg_catalog.money_micro) IS 'negate';

CREATE OPERATOR pg_catalog.@ (
    FUNCTION = pg_catalog.abs, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.@ (NONE, pg_catalog.money_micro) IS 'absolute value';


-- ---------------------------------------------------------------------------
-- indexes
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.money_micro_in_range(pg_catalog.money_micro, pg_catalog.money_micro, pg_catalog.money_micro, bool, bool) RETURNS bool
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'in_range_int8_int8';
COMMENT ON FUNCTION idem.money_micro_in_range(pg_catalog.money_micro, pg_catalog.money_micro, pg_catalog.money_micro, bool, bool) IS
    'window frames: RANGE BETWEEN amount PRECEDING';

CREATE FUNCTION idem.money_micro_hash(pg_catalog.money_micro) RETURNS int4
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'hashint8';
COMMENT ON FUNCTION idem.money_micro_hash(pg_catalog.money_micro) IS
    'hash';

CREATE FUNCTION idem.money_micro_hash_extended(pg_catalog.money_micro, pg_catalog.int8) RETURNS int8
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'hashint8extended';
COMMENT ON FUNCTION idem.money_micro_hash_extended(pg_catalog.money_micro, pg_catalog.int8) IS
    'hash with seed';

-- A family of our own that orders amounts and numerics alike, so that an
-- index on amounts answers "amount > 100", and the two can be merged.  It is
-- not the server's numeric_ops: members added to a family of the server do not
-- survive pg_upgrade.  A family has to compare numerics among themselves
-- too (amount < ANY (numeric[])).  The server's operators would do that, but
-- numeric < numeric in a second family could make the planner forget indexes
-- on numeric; hence five names that nobody writes.
CREATE OPERATOR idem.#< (
    FUNCTION = pg_catalog.numeric_lt, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(idem.#>), NEGATOR = OPERATOR(idem.#>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR idem.#< (pg_catalog.numeric, pg_catalog.numeric) IS 'less than, for the operator family of money_micro';

CREATE OPERATOR idem.#<= (
    FUNCTION = pg_catalog.numeric_le, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(idem.#>=), NEGATOR = OPERATOR(idem.#>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR idem.#<= (pg_catalog.numeric, pg_catalog.numeric) IS 'less than or equal, for the operator family of money_micro';

CREATE OPERATOR idem.#= (
    FUNCTION = pg_catalog.numeric_eq, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(idem.#=),
    RESTRICT = eqsel, JOIN = eqjoinsel, MERGES
);
COMMENT ON OPERATOR idem.#= (pg_catalog.numeric, pg_catalog.numeric) IS 'equal, for the operator family of money_micro';

CREATE OPERATOR idem.#>= (
    FUNCTION = pg_catalog.numeric_ge, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(idem.#<=), NEGATOR = OPERATOR(idem.#<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR idem.#>= (pg_catalog.numeric, pg_catalog.numeric) IS 'greater than or equal, for the operator family of money_micro';

CREATE OPERATOR idem.#> (
    FUNCTION = pg_catalog.numeric_gt, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(idem.#<), NEGATOR = OPERATOR(idem.#<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR idem.#> (pg_catalog.numeric, pg_catalog.numeric) IS 'greater than, for the operator family of money_micro';

CREATE OPERATOR FAMILY pg_catalog.money_micro_ops USING btree;
COMMENT ON OPERATOR FAMILY pg_catalog.money_micro_ops USING btree IS
    'order of amounts, and of amounts among numerics';

CREATE OPERATOR CLASS pg_catalog.money_micro_ops
    DEFAULT FOR TYPE pg_catalog.money_micro USING btree FAMILY pg_catalog.money_micro_ops AS
        OPERATOR 1 pg_catalog.<,
        OPERATOR 2 pg_catalog.<=,
        OPERATOR 3 pg_catalog.=,
        OPERATOR 4 pg_catalog.>=,
        OPERATOR 5 pg_catalog.>,
        FUNCTION 1 idem.money_micro_cmp(pg_catalog.money_micro, pg_catalog.money_micro),
        FUNCTION 2 pg_catalog.btint8sortsupport(internal),
        FUNCTION 3 idem.money_micro_in_range(pg_catalog.money_micro, pg_catalog.money_micro, pg_catalog.money_micro, bool, bool),
        FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS pg_catalog.money_micro_ops USING btree IS
    'order of amounts, with the sort support of bigint';

ALTER OPERATOR FAMILY pg_catalog.money_micro_ops USING btree ADD
    OPERATOR 1 pg_catalog.< (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 2 pg_catalog.<= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 3 pg_catalog.= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 4 pg_catalog.>= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 5 pg_catalog.> (pg_catalog.money_micro, pg_catalog.numeric),
    FUNCTION 1 (pg_catalog.money_micro, pg_catalog.numeric) idem.money_micro_cmp_numeric(pg_catalog.money_micro, pg_catalog.numeric);

ALTER OPERATOR FAMILY pg_catalog.money_micro_ops USING btree ADD
    OPERATOR 1 pg_catalog.< (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 2 pg_catalog.<= (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 3 pg_catalog.= (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 4 pg_catalog.>= (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 5 pg_catalog.> (pg_catalog.numeric, pg_catalog.money_micro),
    FUNCTION 1 (pg_catalog.numeric, pg_catalog.money_micro) idem.numeric_cmp_money_micro(pg_catalog.numeric, pg_catalog.money_micro);

ALTER OPERATOR FAMILY pg_catalog.money_micro_ops USING btree ADD
    OPERATOR 1 idem.#< (pg_catalog.numeric, pg_catalog.numeric),
    OPERATOR 2 idem.#<= (pg_catalog.numeric, pg_catalog.numeric),
    OPERATOR 3 idem.#= (pg_catalog.numeric, pg_catalog.numeric),
    OPERATOR 4 idem.#>= (pg_catalog.numeric, pg_catalog.numeric),
    OPERATOR 5 idem.#> (pg_catalog.numeric, pg_catalog.numeric),
    FUNCTION 1 (pg_catalog.numeric, pg_catalog.numeric) pg_catalog.numeric_cmp(pg_catalog.numeric, pg_catalog.numeric),
    FUNCTION 2 (pg_catalog.numeric, pg_catalog.numeric) pg_catalog.numeric_sortsupport(internal);

-- Since 18 an index scan skips over the values of a leading column.
DO $$
BEGIN
    IF pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 180000 THEN
        ALTER OPERATOR FAMILY pg_catalog.money_micro_ops USING btree ADD
            FUNCTION 6 (pg_catalog.money_micro, pg_catalog.money_micro) pg_catalog.btint8skipsupport(internal);
    END IF;
END
$$;

CREATE OPERATOR FAMILY pg_catalog.money_micro_ops USING hash;
COMMENT ON OPERATOR FAMILY pg_catalog.money_micro_ops USING hash IS
    'equality of amounts';

CREATE OPERATOR CLASS pg_catalog.money_micro_ops
    DEFAULT FOR TYPE pg_catalog.money_micro USING hash FAMILY pg_catalog.money_micro_ops AS
        OPERATOR 1 pg_catalog.=,
        FUNCTION 1 idem.money_micro_hash(pg_catalog.money_micro),
        FUNCTION 2 idem.money_micro_hash_extended(pg_catalog.money_micro, pg_catalog.int8);
COMMENT ON OPERATOR CLASS pg_catalog.money_micro_ops USING hash IS
    'equality of amounts';

CREATE OPERATOR FAMILY pg_catalog.money_micro_minmax_ops USING brin;
COMMENT ON OPERATOR FAMILY pg_catalog.money_micro_minmax_ops USING brin IS
    'smallest and largest amount of a block range';

CREATE OPERATOR CLASS pg_catalog.money_micro_minmax_ops
    DEFAULT FOR TYPE pg_catalog.money_micro USING brin FAMILY pg_catalog.money_micro_minmax_ops AS
        OPERATOR 1 pg_catalog.<,
        OPERATOR 2 pg_catalog.<=,
        OPERATOR 3 pg_catalog.=,
        OPERATOR 4 pg_catalog.>=,
        OPERATOR 5 pg_catalog.>,
        FUNCTION 1 pg_catalog.brin_minmax_opcinfo(internal),
        FUNCTION 2 pg_catalog.brin_minmax_add_value(internal, internal, internal, internal),
        FUNCTION 3 pg_catalog.brin_minmax_consistent(internal, internal, internal),
        FUNCTION 4 pg_catalog.brin_minmax_union(internal, internal, internal);
COMMENT ON OPERATOR CLASS pg_catalog.money_micro_minmax_ops USING brin IS
    'smallest and largest amount of a block range';

ALTER OPERATOR FAMILY pg_catalog.money_micro_minmax_ops USING brin ADD
    OPERATOR 1 pg_catalog.< (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 2 pg_catalog.<= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 3 pg_catalog.= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 4 pg_catalog.>= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 5 pg_catalog.> (pg_catalog.money_micro, pg_catalog.numeric);

ALTER OPERATOR FAMILY pg_catalog.money_micro_minmax_ops USING brin ADD
    OPERATOR 1 pg_catalog.< (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 2 pg_catalog.<= (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 3 pg_catalog.= (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 4 pg_catalog.>= (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 5 pg_catalog.> (pg_catalog.numeric, pg_catalog.money_micro);

CREATE OPERATOR FAMILY pg_catalog.money_micro_minmax_multi_ops USING brin;
COMMENT ON OPERATOR FAMILY pg_catalog.money_micro_minmax_multi_ops USING brin IS
    'several ranges of the amounts of a block range';

CREATE OPERATOR CLASS pg_catalog.money_micro_minmax_multi_ops
    FOR TYPE pg_catalog.money_micro USING brin FAMILY pg_catalog.money_micro_minmax_multi_ops AS
        OPERATOR 1 pg_catalog.<,
        OPERATOR 2 pg_catalog.<=,
        OPERATOR 3 pg_catalog.=,
        OPERATOR 4 pg_catalog.>=,
        OPERATOR 5 pg_catalog.>,
        FUNCTION 1 pg_catalog.brin_minmax_multi_opcinfo(internal),
        FUNCTION 2 pg_catalog.brin_minmax_multi_add_value(internal, internal, internal, internal),
        FUNCTION 3 pg_catalog.brin_minmax_multi_consistent(internal, internal, internal, int4),
        FUNCTION 4 pg_catalog.brin_minmax_multi_union(internal, internal, internal),
        FUNCTION 5 pg_catalog.brin_minmax_multi_options(internal),
        FUNCTION 11 pg_catalog.brin_minmax_multi_distance_int8(internal, internal);
COMMENT ON OPERATOR CLASS pg_catalog.money_micro_minmax_multi_ops USING brin IS
    'several ranges of the amounts of a block range: where single rows are far from the others';

ALTER OPERATOR FAMILY pg_catalog.money_micro_minmax_multi_ops USING brin ADD
    OPERATOR 1 pg_catalog.< (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 2 pg_catalog.<= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 3 pg_catalog.= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 4 pg_catalog.>= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 5 pg_catalog.> (pg_catalog.money_micro, pg_catalog.numeric);

CREATE OPERATOR FAMILY pg_catalog.money_micro_bloom_ops USING brin;
COMMENT ON OPERATOR FAMILY pg_catalog.money_micro_bloom_ops USING brin IS
    'bloom filter of the amounts of a block range';

CREATE OPERATOR CLASS pg_catalog.money_micro_bloom_ops
    FOR TYPE pg_catalog.money_micro USING brin FAMILY pg_catalog.money_micro_bloom_ops AS
        OPERATOR 1 pg_catalog.=,
        FUNCTION 1 pg_catalog.brin_bloom_opcinfo(internal),
        FUNCTION 2 pg_catalog.brin_bloom_add_value(internal, internal, internal, internal),
        FUNCTION 3 pg_catalog.brin_bloom_consistent(internal, internal, internal, int4),
        FUNCTION 4 pg_catalog.brin_bloom_union(internal, internal, internal),
        FUNCTION 5 pg_catalog.brin_bloom_options(internal),
        FUNCTION 11 idem.money_micro_hash(pg_catalog.money_micro);
COMMENT ON OPERATOR CLASS pg_catalog.money_micro_bloom_ops USING brin IS
    'bloom filter of the amounts of a block range: equality where amounts lie anywhere';


-- ---------------------------------------------------------------------------
-- aggregates
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.money_micro_sum_add(internal, pg_catalog.money_micro) RETURNS internal
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_add';
COMMENT ON FUNCTION idem.money_micro_sum_add(internal, pg_catalog.money_micro) IS
    'aggregate transition: takes an amount in';

CREATE FUNCTION idem.money_micro_sum_remove(internal, pg_catalog.money_micro) RETURNS internal
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_remove';
COMMENT ON FUNCTION idem.money_micro_sum_remove(internal, pg_catalog.money_micro) IS
    'aggregate transition: takes an amount out';

CREATE FUNCTION idem.money_micro_sum_combine(internal, internal) RETURNS internal
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_combine';
COMMENT ON FUNCTION idem.money_micro_sum_combine(internal, internal) IS
    'aggregate: adds the state of a parallel worker';

CREATE FUNCTION idem.money_micro_sum_serialize(internal) RETURNS bytea
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_serialize';
COMMENT ON FUNCTION idem.money_micro_sum_serialize(internal) IS
    'aggregate: state for another process';

CREATE FUNCTION idem.money_micro_sum_deserialize(bytea, internal) RETURNS internal
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_deserialize';
COMMENT ON FUNCTION idem.money_micro_sum_deserialize(bytea, internal) IS
    'aggregate: state from another process';

CREATE FUNCTION idem.money_micro_sum(internal) RETURNS pg_catalog.money_micro
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_final';
COMMENT ON FUNCTION idem.money_micro_sum(internal) IS
    'aggregate final: the sum, 22003 out of range';

CREATE FUNCTION idem.money_micro_avg(internal) RETURNS pg_catalog.numeric
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_avg_final';
COMMENT ON FUNCTION idem.money_micro_avg(internal) IS
    'aggregate final: the average';

CREATE FUNCTION idem.money_micro_larger(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'int8larger';
COMMENT ON FUNCTION idem.money_micro_larger(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'the larger amount';

CREATE FUNCTION idem.money_micro_smaller(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'int8smaller';
COMMENT ON FUNCTION idem.money_micro_smaller(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'the smaller amount';

CREATE AGGREGATE pg_catalog.sum(pg_catalog.money_micro) (
    SFUNC = idem.money_micro_sum_add,
    STYPE = internal,
    SSPACE = 32,
    FINALFUNC = idem.money_micro_sum,
    COMBINEFUNC = idem.money_micro_sum_combine,
    SERIALFUNC = idem.money_micro_sum_serialize,
    DESERIALFUNC = idem.money_micro_sum_deserialize,
    MSFUNC = idem.money_micro_sum_add,
    MINVFUNC = idem.money_micro_sum_remove,
    MSTYPE = internal,
    MSSPACE = 32,
    MFINALFUNC = idem.money_micro_sum,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE pg_catalog.sum(pg_catalog.money_micro) IS
    'sum of amounts: independent of their order, 22003 only if the result is out of range';

CREATE AGGREGATE pg_catalog.avg(pg_catalog.money_micro) (
    SFUNC = idem.money_micro_sum_add,
    STYPE = internal,
    SSPACE = 32,
    FINALFUNC = idem.money_micro_avg,
    COMBINEFUNC = idem.money_micro_sum_combine,
    SERIALFUNC = idem.money_micro_sum_serialize,
    DESERIALFUNC = idem.money_micro_sum_deserialize,
    MSFUNC = idem.money_micro_sum_add,
    MINVFUNC = idem.money_micro_sum_remove,
    MSTYPE = internal,
    MSSPACE = 32,
    MFINALFUNC = idem.money_micro_avg,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE pg_catalog.avg(pg_catalog.money_micro) IS
    'average of amounts: exact if its decimals end, else at least 12 of them';

CREATE AGGREGATE pg_catalog.max(pg_catalog.money_micro) (
    SFUNC = idem.money_micro_larger,
    STYPE = pg_catalog.money_micro,
    COMBINEFUNC = idem.money_micro_larger,
    SORTOP = OPERATOR(pg_catalog.>),
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE pg_catalog.max(pg_catalog.money_micro) IS
    'largest amount';

CREATE AGGREGATE pg_catalog.min(pg_catalog.money_micro) (
    SFUNC = idem.money_micro_smaller,
    STYPE = pg_catalog.money_micro,
    COMBINEFUNC = idem.money_micro_smaller,
    SORTOP = OPERATOR(pg_catalog.<),
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE pg_catalog.min(pg_catalog.money_micro) IS
    'smallest amount';

CREATE FUNCTION idem.money_micro_sum_currency_add(internal, pg_catalog.money_micro, pg_catalog.text) RETURNS internal
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_currency_add';
COMMENT ON FUNCTION idem.money_micro_sum_currency_add(internal, pg_catalog.money_micro, pg_catalog.text) IS
    'aggregate transition: takes an amount in; 22023 for a second currency, 22004 for none';

CREATE FUNCTION idem.money_micro_sum_currency_remove(internal, pg_catalog.money_micro, pg_catalog.text) RETURNS internal
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_currency_remove';
COMMENT ON FUNCTION idem.money_micro_sum_currency_remove(internal, pg_catalog.money_micro, pg_catalog.text) IS
    'aggregate transition: takes an amount out';

CREATE FUNCTION idem.money_micro_sum_currency_combine(internal, internal) RETURNS internal
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_currency_combine';
COMMENT ON FUNCTION idem.money_micro_sum_currency_combine(internal, internal) IS
    'aggregate: adds the state of a parallel worker; 22023 if its currency is another one';

CREATE FUNCTION idem.money_micro_sum_currency_serialize(internal) RETURNS bytea
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_currency_serialize';
COMMENT ON FUNCTION idem.money_micro_sum_currency_serialize(internal) IS
    'aggregate: state for another process';

CREATE FUNCTION idem.money_micro_sum_currency_deserialize(bytea, internal) RETURNS internal
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_currency_deserialize';
COMMENT ON FUNCTION idem.money_micro_sum_currency_deserialize(bytea, internal) IS
    'aggregate: state from another process';

CREATE AGGREGATE idem.sum(amount pg_catalog.money_micro, currency pg_catalog.text) (
    SFUNC = idem.money_micro_sum_currency_add,
    STYPE = internal,
    SSPACE = 64,
    FINALFUNC = idem.money_micro_sum,
    COMBINEFUNC = idem.money_micro_sum_currency_combine,
    SERIALFUNC = idem.money_micro_sum_currency_serialize,
    DESERIALFUNC = idem.money_micro_sum_currency_deserialize,
    MSFUNC = idem.money_micro_sum_currency_add,
    MINVFUNC = idem.money_micro_sum_currency_remove,
    MSTYPE = internal,
    MSSPACE = 64,
    MFINALFUNC = idem.money_micro_sum,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE idem.sum(pg_catalog.money_micro, pg_catalog.text) IS
    'sum of amounts of one currency: 22023 for amounts of two, 22004 for an amount without one, 22003 only if the result is out of range';

-- ---------------------------------------------------------------------------
-- money: currencies, the codes and minor units of ISO 4217
-- ---------------------------------------------------------------------------

-- The code is the key.  The numeric code is not: it may be used again (532).
-- minor_units NULL: ISO names none (gold, drawing rights, test codes).
CREATE TABLE idem.currency (
    code pg_catalog.text COLLATE pg_catalog."C"
        CONSTRAINT currency_pkey PRIMARY KEY
        CONSTRAINT currency_code_check CHECK (code ~ '^[A-Z][A-Z0-9]{2,11}$'),
    numeric_code pg_catalog.text COLLATE pg_catalog."C"
        CONSTRAINT currency_numeric_code_check CHECK (numeric_code ~ '^[0-9]{3}$'),
    minor_units pg_catalog.int2
        CONSTRAINT currency_minor_units_check CHECK (minor_units BETWEEN 0 AND 6),
    name pg_catalog.text NOT NULL,
    withdrawn pg_catalog.bool NOT NULL DEFAULT false,
    builtin pg_catalog.bool NOT NULL DEFAULT false
);
COMMENT ON TABLE idem.currency IS
    'currencies and their minor units: the codes of ISO 4217, and those that the user adds (builtin = false)';
COMMENT ON COLUMN idem.currency.code IS 'three letters of ISO 4217, upper case; own codes 3 to 12 letters and digits';
COMMENT ON COLUMN idem.currency.numeric_code IS 'three digits of ISO 4217, not unique over time';
COMMENT ON COLUMN idem.currency.minor_units IS 'decimals of the minor unit; NULL: there is none';
COMMENT ON COLUMN idem.currency.name IS 'name in ISO 4217';
COMMENT ON COLUMN idem.currency.withdrawn IS 'no longer in ISO 4217; old amounts are still read';
COMMENT ON COLUMN idem.currency.builtin IS 'shipped with idem, not dumped';

REVOKE ALL ON TABLE idem.currency FROM PUBLIC;
GRANT SELECT ON TABLE idem.currency TO PUBLIC;

-- Shipped rows come with CREATE EXTENSION, not with the dump.
SELECT pg_catalog.pg_extension_config_dump('idem.currency', 'WHERE NOT builtin');

-- ISO 4217 list one of 2024-06-25 with the amendments up to 2026-01
INSERT INTO idem.currency (code, numeric_code, minor_units, name, withdrawn, builtin) VALUES
    ('AED', '784', 2, 'UAE Dirham', false, true),
    ('AFN', '971', 2, 'Afghani', false, true),
    ('ALL', '008', 2, 'Lek', false, true),
    ('AMD', '051', 2, 'Armenian Dram', false, true),
    ('ANG', '532', 2, 'Netherlands Antillean Guilder', true, true),
    ('AOA', '973', 2, 'Kwanza', false, true),
    ('ARS', '032', 2, 'Argentine Peso', false, true),
    ('AUD', '036', 2, 'Australian Dollar', false, true),
    ('AWG', '533', 2, 'Aruban Florin', false, true),
    ('AZN', '944', 2, 'Azerbaijan Manat', false, true),
    ('BAM', '977', 2, 'Convertible Mark', false, true),
    ('BBD', '052', 2, 'Barbados Dollar', false, true),
    ('BDT', '050', 2, 'Taka', false, true),
    ('BGN', '975', 2, 'Bulgarian Lev', true, true),
    ('BHD', '048', 3, 'Bahraini Dinar', false, true),
    ('BIF', '108', 0, 'Burundi Franc', false, true),
    ('BMD', '060', 2, 'Bermudian Dollar', false, true),
    ('BND', '096', 2, 'Brunei Dollar', false, true),
    ('BOB', '068', 2, 'Boliviano', false, true),
    ('BOV', '984', 2, 'Mvdol', false, true),
    ('BRL', '986', 2, 'Brazilian Real', false, true),
    ('BSD', '044', 2, 'Bahamian Dollar', false, true),
    ('BTN', '064', 2, 'Ngultrum', false, true),
    ('BWP', '072', 2, 'Pula', false, true),
    ('BYN', '933', 2, 'Belarusian Ruble', false, true),
    ('BZD', '084', 2, 'Belize Dollar', false, true),
    ('CAD', '124', 2, 'Canadian Dollar', false, true),
    ('CDF', '976', 2, 'Congolese Franc', false, true),
    ('CHE', '947', 2, 'WIR Euro', false, true),
    ('CHF', '756', 2, 'Swiss Franc', false, true),
    ('CHW', '948', 2, 'WIR Franc', false, true),
    ('CLF', '990', 4, 'Unidad de Fomento', false, true),
    ('CLP', '152', 0, 'Chilean Peso', false, true),
    ('CNY', '156', 2, 'Yuan Renminbi', false, true),
    ('COP', '170', 2, 'Colombian Peso', false, true),
    ('COU', '970', 2, 'Unidad de Valor Real', false, true),
    ('CRC', '188', 2, 'Costa Rican Colon', false, true),
    ('CUC', '931', 2, 'Peso Convertible', true, true),
    ('CUP', '192', 2, 'Cuban Peso', false, true),
    ('CVE', '132', 2, 'Cabo Verde Escudo', false, true),
    ('CZK', '203', 2, 'Czech Koruna', false, true),
    ('DJF', '262', 0, 'Djibouti Franc', false, true),
    ('DKK', '208', 2, 'Danish Krone', false, true),
    ('DOP', '214', 2, 'Dominican Peso', false, true),
    ('DZD', '012', 2, 'Algerian Dinar', false, true),
    ('EGP', '818', 2, 'Egyptian Pound', false, true),
    ('ERN', '232', 2, 'Nakfa', false, true),
    ('ETB', '230', 2, 'Ethiopian Birr', false, true),
    ('EUR', '978', 2, 'Euro', false, true),
    ('FJD', '242', 2, 'Fiji Dollar', false, true),
    ('FKP', '238', 2, 'Falkland Islands Pound', false, true),
    ('GBP', '826', 2, 'Pound Sterling', false, true),
    ('GEL', '981', 2, 'Lari', false, true),
    ('GHS', '936', 2, 'Ghana Cedi', false, true),
    ('GIP', '292', 2, 'Gibraltar Pound', false, true),
    ('GMD', '270', 2, 'Dalasi', false, true),
    ('GNF', '324', 0, 'Guinean Franc', false, true),
    ('GTQ', '320', 2, 'Quetzal', false, true),
    ('GYD', '328', 2, 'Guyana Dollar', false, true),
    ('HKD', '344', 2, 'Hong Kong Dollar', false, true),
    ('HNL', '340', 2, 'Lempira', false, true),
    ('HTG', '332', 2, 'Gourde', false, true),
    ('HUF', '348', 2, 'Forint', false, true),
    ('IDR', '360', 2, 'Rupiah', false, true),
    ('ILS', '376', 2, 'New Israeli Sheqel', false, true),
    ('INR', '356', 2, 'Indian Rupee', false, true),
    ('IQD', '368', 3, 'Iraqi Dinar', false, true),
    ('IRR', '364', 2, 'Iranian Rial', false, true),
    ('ISK', '352', 0, 'Iceland Krona', false, true),
    ('JMD', '388', 2, 'Jamaican Dollar', false, true),
    ('JOD', '400', 3, 'Jordanian Dinar', false, true),
    ('JPY', '392', 0, 'Yen', false, true),
    ('KES', '404', 2, 'Kenyan Shilling', false, true),
    ('KGS', '417', 2, 'Som', false, true),
    ('KHR', '116', 2, 'Riel', false, true),
    ('KMF', '174', 0, 'Comorian Franc', false, true),
    ('KPW', '408', 2, 'North Korean Won', false, true),
    ('KRW', '410', 0, 'Won', false, true),
    ('KWD', '414', 3, 'Kuwaiti Dinar', false, true),
    ('KYD', '136', 2, 'Cayman Islands Dollar', false, true),
    ('KZT', '398', 2, 'Tenge', false, true),
    ('LAK', '418', 2, 'Lao Kip', false, true),
    ('LBP', '422', 2, 'Lebanese Pound', false, true),
    ('LKR', '144', 2, 'Sri Lanka Rupee', false, true),
    ('LRD', '430', 2, 'Liberian Dollar', false, true),
    ('LSL', '426', 2, 'Loti', false, true),
    ('LYD', '434', 3, 'Libyan Dinar', false, true),
    ('MAD', '504', 2, 'Moroccan Dirham', false, true),
    ('MDL', '498', 2, 'Moldovan Leu', false, true),
    ('MGA', '969', 2, 'Malagasy Ariary', false, true),
    ('MKD', '807', 2, 'Denar', false, true),
    ('MMK', '104', 2, 'Kyat', false, true),
    ('MNT', '496', 2, 'Tugrik', false, true),
    ('MOP', '446', 2, 'Pataca', false, true),
    ('MRU', '929', 2, 'Ouguiya', false, true),
    ('MUR', '480', 2, 'Mauritius Rupee', false, true),
    ('MVR', '462', 2, 'Rufiyaa', false, true),
    ('MWK', '454', 2, 'Malawi Kwacha', false, true),
    ('MXN', '484', 2, 'Mexican Peso', false, true),
    ('MXV', '979', 2, 'Mexican Unidad de Inversion (UDI)', false, true),
    ('MYR', '458', 2, 'Malaysian Ringgit', false, true),
    ('MZN', '943', 2, 'Mozambique Metical', false, true),
    ('NAD', '516', 2, 'Namibia Dollar', false, true),
    ('NGN', '566', 2, 'Naira', false, true),
    ('NIO', '558', 2, 'Cordoba Oro', false, true),
    ('NOK', '578', 2, 'Norwegian Krone', false, true),
    ('NPR', '524', 2, 'Nepalese Rupee', false, true),
    ('NZD', '554', 2, 'New Zealand Dollar', false, true),
    ('OMR', '512', 3, 'Rial Omani', false, true),
    ('PAB', '590', 2, 'Balboa', false, true),
    ('PEN', '604', 2, 'Sol', false, true),
    ('PGK', '598', 2, 'Kina', false, true),
    ('PHP', '608', 2, 'Philippine Peso', false, true),
    ('PKR', '586', 2, 'Pakistan Rupee', false, true),
    ('PLN', '985', 2, 'Zloty', false, true),
    ('PYG', '600', 0, 'Guarani', false, true),
    ('QAR', '634', 2, 'Qatari Rial', false, true),
    ('RON', '946', 2, 'Romanian Leu', false, true),
    ('RSD', '941', 2, 'Serbian Dinar', false, true),
    ('RUB', '643', 2, 'Russian Ruble', false, true),
    ('RWF', '646', 0, 'Rwanda Franc', false, true),
    ('SAR', '682', 2, 'Saudi Riyal', false, true),
    ('SBD', '090', 2, 'Solomon Islands Dollar', false, true),
    ('SCR', '690', 2, 'Seychelles Rupee', false, true),
    ('SDG', '938', 2, 'Sudanese Pound', false, true),
    ('SEK', '752', 2, 'Swedish Krona', false, true),
    ('SGD', '702', 2, 'Singapore Dollar', false, true),
    ('SHP', '654', 2, 'Saint Helena Pound', false, true),
    ('SLE', '925', 2, 'Leone', false, true),
    ('SOS', '706', 2, 'Somali Shilling', false, true),
    ('SRD', '968', 2, 'Surinam Dollar', false, true),
    ('SSP', '728', 2, 'South Sudanese Pound', false, true),
    ('STN', '930', 2, 'Dobra', false, true),
    ('SVC', '222', 2, 'El Salvador Colon', false, true),
    ('SYP', '760', 2, 'Syrian Pound', false, true),
    ('SZL', '748', 2, 'Lilangeni', false, true),
    ('THB', '764', 2, 'Baht', false, true),
    ('TJS', '972', 2, 'Somoni', false, true),
    ('TMT', '934', 2, 'Turkmenistan New Manat', false, true),
    ('TND', '788', 3, 'Tunisian Dinar', false, true),
    ('TOP', '776', 2, 'Pa''anga', false, true),
    ('TRY', '949', 2, 'Turkish Lira', false, true),
    ('TTD', '780', 2, 'Trinidad and Tobago Dollar', false, true),
    ('TWD', '901', 2, 'New Taiwan Dollar', false, true),
    ('TZS', '834', 2, 'Tanzanian Shilling', false, true),
    ('UAH', '980', 2, 'Hryvnia', false, true),
    ('UGX', '800', 0, 'Uganda Shilling', false, true),
    ('USD', '840', 2, 'US Dollar', false, true),
    ('USN', '997', 2, 'US Dollar (Next day)', false, true),
    ('UYI', '940', 0, 'Uruguay Peso en Unidades Indexadas (UI)', false, true),
    ('UYU', '858', 2, 'Peso Uruguayo', false, true),
    ('UYW', '927', 4, 'Unidad Previsional', false, true),
    ('UZS', '860', 2, 'Uzbekistan Sum', false, true),
    ('VED', '926', 2, 'Bolivar Soberano', false, true),
    ('VES', '928', 2, 'Bolivar Soberano', false, true),
    ('VND', '704', 0, 'Dong', false, true),
    ('VUV', '548', 0, 'Vatu', false, true),
    ('WST', '882', 2, 'Tala', false, true),
    ('XAD', '396', 2, 'Arab Accounting Dinar', false, true),
    ('XAF', '950', 0, 'CFA Franc BEAC', false, true),
    ('XAG', '961', NULL, 'Silver', false, true),
    ('XAU', '959', NULL, 'Gold', false, true),
    ('XBA', '955', NULL, 'Bond Markets Unit European Composite Unit (EURCO)', false, true),
    ('XBB', '956', NULL, 'Bond Markets Unit European Monetary Unit (E.M.U.-6)', false, true),
    ('XBC', '957', NULL, 'Bond Markets Unit European Unit of Account 9 (E.U.A.-9)', false, true),
    ('XBD', '958', NULL, 'Bond Markets Unit European Unit of Account 17 (E.U.A.-17)', false, true),
    ('XCD', '951', 2, 'East Caribbean Dollar', false, true),
    ('XCG', '532', 2, 'Caribbean Guilder', false, true),
    ('XDR', '960', NULL, 'SDR (Special Drawing Right)', false, true),
    ('XOF', '952', 0, 'CFA Franc BCEAO', false, true),
    ('XPD', '964', NULL, 'Palladium', false, true),
    ('XPF', '953', 0, 'CFP Franc', false, true),
    ('XPT', '962', NULL, 'Platinum', false, true),
    ('XSU', '994', NULL, 'Sucre', false, true),
    ('XTS', '963', NULL, 'Codes specifically reserved for testing purposes', false, true),
    ('XUA', '965', NULL, 'ADB Unit of Account', false, true),
    ('XXX', '999', NULL, 'The codes assigned for transactions where no currency is involved', false, true),
    ('YER', '886', 2, 'Yemeni Rial', false, true),
    ('ZAR', '710', 2, 'Rand', false, true),
    ('ZMW', '967', 2, 'Zambian Kwacha', false, true),
    ('ZWG', '924', 2, 'Zimbabwe Gold', false, true);

-- After a restore a changed shipped row would have its old values again.
-- An upgrade script that changes one disables these triggers meanwhile.
CREATE FUNCTION idem.keep_currency() RETURNS trigger
    VOLATILE PARALLEL UNSAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_keep_currency';
COMMENT ON FUNCTION idem.keep_currency() IS
    'trigger of idem.currency: refuses a change of a shipped row with 23I08';
REVOKE ALL ON FUNCTION idem.keep_currency() FROM PUBLIC;

CREATE TRIGGER currency_insert AFTER INSERT ON idem.currency FOR EACH ROW
    WHEN (NEW.builtin) EXECUTE FUNCTION idem.keep_currency();
CREATE TRIGGER currency_update AFTER UPDATE ON idem.currency FOR EACH ROW
    WHEN (OLD.builtin OR NEW.builtin) EXECUTE FUNCTION idem.keep_currency();
CREATE TRIGGER currency_delete AFTER DELETE ON idem.currency FOR EACH ROW
    WHEN (OLD.builtin) EXECUTE FUNCTION idem.keep_currency();
CREATE TRIGGER currency_truncate AFTER TRUNCATE ON idem.currency FOR EACH STATEMENT
    EXECUTE FUNCTION idem.keep_currency();
ALTER TABLE idem.currency ENABLE ALWAYS TRIGGER currency_insert;
ALTER TABLE idem.currency ENABLE ALWAYS TRIGGER currency_update;
ALTER TABLE idem.currency ENABLE ALWAYS TRIGGER currency_delete;
ALTER TABLE idem.currency ENABLE ALWAYS TRIGGER currency_truncate;
COMMENT ON TRIGGER currency_insert ON idem.currency IS 'added rows are the user''s';
COMMENT ON TRIGGER currency_update ON idem.currency IS 'shipped rows stay as they are';
COMMENT ON TRIGGER currency_delete ON idem.currency IS 'shipped rows stay';
COMMENT ON TRIGGER currency_truncate ON idem.currency IS 'shipped rows stay';

CREATE VIEW idem.currency_declarations AS
SELECT 10 AS rank, c.code::text COLLATE "C" AS name,
       pg_catalog.format('INSERT INTO idem.currency (code, numeric_code, minor_units, name, withdrawn, builtin) VALUES (%L, %L, %L, %L, %L, false) ON CONFLICT DO NOTHING;',
                         c.code, c.numeric_code, c.minor_units, c.name, c.withdrawn) AS statement
FROM idem.currency c
WHERE NOT c.builtin;
COMMENT ON VIEW idem.currency_declarations IS 'currencies that were added, as idem.declarations() writes them';
REVOKE ALL ON TABLE idem.currency_declarations FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- money: ranges of amounts, discrete
--
-- The server makes the multirange, the constructors and every operator on
-- ranges by itself.  The multirange is not in pg_catalog: pg_upgrade writes
-- its name without a schema then, and stops where it creates it.
-- ---------------------------------------------------------------------------

CREATE TYPE pg_catalog.money_micro_range;

CREATE FUNCTION idem.money_micro_range_canonical(pg_catalog.money_micro_range) RETURNS pg_catalog.money_micro_range
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_range_canonical';
COMMENT ON FUNCTION idem.money_micro_range_canonical(pg_catalog.money_micro_range) IS
    'the range with a lower bound that belongs to it and an upper one that does not; 22003 if the largest amount is to be included';

CREATE FUNCTION idem.money_micro_range_diff(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS pg_catalog.float8
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_range_diff';
COMMENT ON FUNCTION idem.money_micro_range_diff(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'distance of two amounts in millionths, for indexes and estimates only';

CREATE TYPE pg_catalog.money_micro_range AS RANGE (
    SUBTYPE = pg_catalog.money_micro,
    SUBTYPE_OPCLASS = pg_catalog.money_micro_ops,
    SUBTYPE_DIFF = idem.money_micro_range_diff,
    CANONICAL = idem.money_micro_range_canonical,
    MULTIRANGE_TYPE_NAME = idem.money_micro_multirange
);
COMMENT ON TYPE pg_catalog.money_micro_range IS
    'range of amounts, one millionth apart: tiers of fees, limits, brackets';
COMMENT ON TYPE idem.money_micro_multirange IS
    'several ranges of amounts';
COMMENT ON FUNCTION pg_catalog.money_micro_range(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'range [lower,upper)';
COMMENT ON FUNCTION pg_catalog.money_micro_range(pg_catalog.money_micro, pg_catalog.money_micro, pg_catalog.text) IS
    'range with bounds as in ''[)''';
COMMENT ON FUNCTION pg_catalog.money_micro_multirange() IS
    'empty multirange';
COMMENT ON FUNCTION pg_catalog.money_micro_multirange(pg_catalog.money_micro_range) IS
    'multirange of one range';
COMMENT ON FUNCTION pg_catalog.money_micro_multirange(pg_catalog.money_micro_range[]) IS
    'multirange of ranges';
COMMENT ON CAST (pg_catalog.money_micro_range AS idem.money_micro_multirange) IS
    'multirange of one range';

-- ---------------------------------------------------------------------------
-- money: rounding by a named rule, parts that add up
--
-- There is no default rule and no setting for one: every call names its rule.
-- ---------------------------------------------------------------------------

CREATE TYPE idem.rounding_mode AS ENUM
    ('half_even', 'half_up', 'half_down', 'up', 'down', 'ceiling', 'floor', 'unnecessary');
COMMENT ON TYPE idem.rounding_mode IS
    'names and meanings of java.math.RoundingMode: up is away from zero, down towards it, unnecessary refuses what is not exact';

CREATE FUNCTION idem.round(amount pg_catalog.money_micro, scale pg_catalog.int4, mode idem.rounding_mode) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_round';
COMMENT ON FUNCTION idem.round(pg_catalog.money_micro, pg_catalog.int4, idem.rounding_mode) IS
    'the amount with at most that many decimals: (2.345, 2, half_even) is 2.34; 22003 out of range or not exact in mode unnecessary, 22023 for a scale outside 0 to 6';

CREATE FUNCTION idem.round(number pg_catalog.numeric, scale pg_catalog.int4, mode idem.rounding_mode) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_round_numeric';
COMMENT ON FUNCTION idem.round(pg_catalog.numeric, pg_catalog.int4, idem.rounding_mode) IS
    'the number as an amount with at most that many decimals, rounded once from all its digits; 22003 out of range, NaN, infinite, or not exact in mode unnecessary, 22023 for a scale outside 0 to 6';

CREATE FUNCTION idem.multiply(amount pg_catalog.money_micro, factor pg_catalog.numeric, scale pg_catalog.int4, mode idem.rounding_mode) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_multiply_rounded';
COMMENT ON FUNCTION idem.multiply(pg_catalog.money_micro, pg_catalog.numeric, pg_catalog.int4, idem.rounding_mode) IS
    'amount times factor (a rate, a price, a percentage), rounded once from the exact product; 22003 out of range, NaN, infinite, or not exact in mode unnecessary, 22023 for a scale outside 0 to 6';

CREATE FUNCTION idem.divide(amount pg_catalog.money_micro, divisor pg_catalog.numeric, scale pg_catalog.int4, mode idem.rounding_mode) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_divide_rounded';
COMMENT ON FUNCTION idem.divide(pg_catalog.money_micro, pg_catalog.numeric, pg_catalog.int4, idem.rounding_mode) IS
    'amount divided by a number, rounded once from the exact quotient; 22012 by zero, 22003 out of range, NaN, infinite, or not exact in mode unnecessary, 22023 for a scale outside 0 to 6';

CREATE FUNCTION idem.allocate(amount pg_catalog.money_micro, weights pg_catalog._numeric, scale pg_catalog.int4) RETURNS pg_catalog._money_micro
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_allocate';
COMMENT ON FUNCTION idem.allocate(pg_catalog.money_micro, pg_catalog._numeric, pg_catalog.int4) IS
    'the amount in parts by weight that add up to it, each of at most that many decimals; what is left over goes to the largest remainders, of equal ones to the first; no amount: null; 22023 for an amount finer than the scale, a scale outside 0 to 6, weights that are null, negative or all zero, 22003 for weights that are NaN, infinite or too large';

CREATE FUNCTION idem.split(amount pg_catalog.money_micro, parts pg_catalog.int4, scale pg_catalog.int4) RETURNS pg_catalog._money_micro
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_split';
COMMENT ON FUNCTION idem.split(pg_catalog.money_micro, pg_catalog.int4, pg_catalog.int4) IS
    'the amount in so many parts, equal up to one unit of the scale, the larger ones first; they add up to it; no amount: null; 22023 for no parts, an amount finer than the scale or a scale outside 0 to 6';

-- ---------------------------------------------------------------------------
-- money: whole units, minor units and millionths, each by its name
--
-- All of them exact or 22003.  Those that take a currency read idem.currency
-- and are therefore STABLE, not IMMUTABLE.
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.from_major(units pg_catalog.int8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_major';
COMMENT ON FUNCTION idem.from_major(pg_catalog.int8) IS
    'so many whole units as an amount: 5 is 5.00; 22003 out of range';

CREATE FUNCTION idem.from_micro(micros pg_catalog.int8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_micro';
COMMENT ON FUNCTION idem.from_micro(pg_catalog.int8) IS
    'so many millionths of a unit as an amount: 5 is 0.000005; 22003 out of range';

-- an amount is its millionths, so there is nothing to do
CREATE FUNCTION idem.to_micro(amount pg_catalog.money_micro) RETURNS pg_catalog.int8
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'int8up';
COMMENT ON FUNCTION idem.to_micro(pg_catalog.money_micro) IS
    'the amount as a number of millionths of a unit';

CREATE FUNCTION idem.from_scaled(units pg_catalog.int8, scale pg_catalog.int4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_scaled_int8';
COMMENT ON FUNCTION idem.from_scaled(pg_catalog.int8, pg_catalog.int4) IS
    'so many units of 10^-scale as an amount: (1230, 2) is 12.30; 22003 if not exact or out of range, 22023 for a scale outside 0 to 18';

CREATE FUNCTION idem.from_scaled(units pg_catalog.text, scale pg_catalog.int4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_scaled_text';
COMMENT ON FUNCTION idem.from_scaled(pg_catalog.text, pg_catalog.int4) IS
    'text of digits, zero-padded or not, as units of 10^-scale: (''000001230'', 2) is 12.30; 22P02 for anything but digits and a sign, 22003 if not exact or out of range, 22023 for a scale outside 0 to 18';

CREATE FUNCTION idem.minor_units(currency pg_catalog.text) RETURNS pg_catalog.int4
    STABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_minor_units';
COMMENT ON FUNCTION idem.minor_units(pg_catalog.text) IS
    'decimals of the currency''s minor unit; 22023 if idem.currency does not have it or has none for it';

CREATE FUNCTION idem.from_minor(units pg_catalog.int8, currency pg_catalog.text) RETURNS pg_catalog.money_micro
    STABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_minor_int8';
COMMENT ON FUNCTION idem.from_minor(pg_catalog.int8, pg_catalog.text) IS
    'so many minor units of the currency as an amount: (1230, ''CNY'') is 12.30; 22003 out of range, 22023 unknown currency';

CREATE FUNCTION idem.from_minor(units pg_catalog.text, currency pg_catalog.text) RETURNS pg_catalog.money_micro
    STABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_minor_text';
COMMENT ON FUNCTION idem.from_minor(pg_catalog.text, pg_catalog.text) IS
    'text of digits, zero-padded or not, as minor units of the currency; 22P02 for anything but digits and a sign, 22003 out of range, 22023 unknown currency';

CREATE FUNCTION idem.to_minor(amount pg_catalog.money_micro, currency pg_catalog.text) RETURNS pg_catalog.int8
    STABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_to_minor';
COMMENT ON FUNCTION idem.to_minor(pg_catalog.money_micro, pg_catalog.text) IS
    'the amount in minor units of the currency: (12.30, ''CNY'') is 1230; 22003 if not exact, 22023 unknown currency';

CREATE FUNCTION idem.to_minor_text(amount pg_catalog.money_micro, currency pg_catalog.text, width pg_catalog.int4) RETURNS pg_catalog.text
    STABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_to_minor_text';
COMMENT ON FUNCTION idem.to_minor_text(pg_catalog.money_micro, pg_catalog.text, pg_catalog.int4) IS
    'the amount in minor units of the currency as so many digits, zero-padded: (12.30, ''CNY'', 12) is 000000001230; 22003 if not exact, negative or too wide, 22023 unknown currency or a width outside 1 to 64';

CREATE FUNCTION idem.format(amount pg_catalog.money_micro, currency pg_catalog.text) RETURNS pg_catalog.text
    STABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_format_currency';
COMMENT ON FUNCTION idem.format(pg_catalog.money_micro, pg_catalog.text) IS
    'the amount for people: CNY 1,234.50, with the decimals of the currency and more if there are; not to be read back; 22023 unknown currency';

-- ---------------------------------------------------------------------------
-- money: a number of an integer or float type has no unit, except zero
--
-- These casts exist to refuse numbers, in every context: without them PL/pgSQL
-- would convert by way of the text, and 1999 would become 1999.00.
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.zero_only(pg_catalog.int2) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_int2';
COMMENT ON FUNCTION idem.zero_only(pg_catalog.int2) IS
    'zero to amount; any other number has no unit and is refused: 22023';

CREATE FUNCTION idem.zero_only(pg_catalog.int4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_int4';
COMMENT ON FUNCTION idem.zero_only(pg_catalog.int4) IS
    'zero to amount; any other number has no unit and is refused: 22023';

CREATE FUNCTION idem.zero_only(pg_catalog.int8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_int8';
COMMENT ON FUNCTION idem.zero_only(pg_catalog.int8) IS
    'zero to amount; any other number has no unit and is refused: 22023';

CREATE FUNCTION idem.zero_only(pg_catalog.float4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_float4';
COMMENT ON FUNCTION idem.zero_only(pg_catalog.float4) IS
    'zero to amount; any other number has no unit and is refused: 22023';

CREATE FUNCTION idem.zero_only(pg_catalog.float8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_float8';
COMMENT ON FUNCTION idem.zero_only(pg_catalog.float8) IS
    'zero to amount; any other number has no unit and is refused: 22023';

CREATE CAST (pg_catalog.int2 AS pg_catalog.money_micro) WITH FUNCTION idem.zero_only(pg_catalog.int2) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.int2 AS pg_catalog.money_micro) IS
    'zero only: any other number has no unit, 22023';

CREATE CAST (pg_catalog.int4 AS pg_catalog.money_micro) WITH FUNCTION idem.zero_only(pg_catalog.int4) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.int4 AS pg_catalog.money_micro) IS
    'zero only: any other number has no unit, 22023';

CREATE CAST (pg_catalog.int8 AS pg_catalog.money_micro) WITH FUNCTION idem.zero_only(pg_catalog.int8) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.int8 AS pg_catalog.money_micro) IS
    'zero only: any other number has no unit, 22023';

CREATE CAST (pg_catalog.float4 AS pg_catalog.money_micro) WITH FUNCTION idem.zero_only(pg_catalog.float4) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.float4 AS pg_catalog.money_micro) IS
    'zero only: any other number has no unit, 22023';

CREATE CAST (pg_catalog.float8 AS pg_catalog.money_micro) WITH FUNCTION idem.zero_only(pg_catalog.float8) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.float8 AS pg_catalog.money_micro) IS
    'zero only: any other number has no unit, 22023';

-- The operators + and - with integers exist for the same reason: without them
-- an integer would become a numeric, and count whole units.
CREATE FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.int2) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_with_int2';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.int2) IS
    'implementation of + operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_add(pg_catalog.int2, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_int2_plus_money';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.int2, pg_catalog.money_micro) IS
    'implementation of + operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.int2) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_with_int2';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.int2) IS
    'implementation of - operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.int2, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_int2_minus_money';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.int2, pg_catalog.money_micro) IS
    'implementation of - operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.int4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_with_int4';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.int4) IS
    'implementation of + operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_add(pg_catalog.int4, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_int4_plus_money';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.int4, pg_catalog.money_micro) IS
    'implementation of + operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.int4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_with_int4';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.int4) IS
    'implementation of - operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.int4, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_int4_minus_money';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.int4, pg_catalog.money_micro) IS
    'implementation of - operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.int8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_with_int8';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.int8) IS
    'implementation of + operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_add(pg_catalog.int8, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_int8_plus_money';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.int8, pg_catalog.money_micro) IS
    'implementation of + operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.int8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_with_int8';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.int8) IS
    'implementation of - operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.int8, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_int8_minus_money';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.int8, pg_catalog.money_micro) IS
    'implementation of - operator: 22023 unless the number is zero';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int2,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.money_micro, pg_catalog.int2) IS 'add, zero only';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.int2, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.int2, pg_catalog.money_micro) IS 'add, zero only';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int2
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.money_micro, pg_catalog.int2) IS 'subtract, zero only';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.int2, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.int2, pg_catalog.money_micro) IS 'subtract, zero only';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int4,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.money_micro, pg_catalog.int4) IS 'add, zero only';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.int4, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.int4, pg_catalog.money_micro) IS 'add, zero only';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int4
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.money_micro, pg_catalog.int4) IS 'subtract, zero only';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.int4, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.int4, pg_catalog.money_micro) IS 'subtract, zero only';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int8,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.money_micro, pg_catalog.int8) IS 'add, zero only';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.int8, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.int8, pg_catalog.money_micro) IS 'add, zero only';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int8
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.money_micro, pg_catalog.int8) IS 'subtract, zero only';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.int8, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.int8, pg_catalog.money_micro) IS 'subtract, zero only';

-- ---------------------------------------------------------------------------
-- key: scopes of idempotency keys, and the keys of effects inside
-- ---------------------------------------------------------------------------

CREATE TABLE idem.scope (
    id          integer
                CONSTRAINT scope_pkey PRIMARY KEY
                CONSTRAINT scope_id_check CHECK (id > 0),
    name        text COLLATE "C" NOT NULL
                CONSTRAINT scope_name_key UNIQUE,
    effect      text COLLATE "C" NOT NULL
                CONSTRAINT scope_effect_check CHECK (effect IN ('inside', 'outside')),
    fields      text[] COLLATE "C" NOT NULL,
    completion  text COLLATE "C" NOT NULL
                CONSTRAINT scope_completion_check CHECK (completion IN ('optional', 'required')),
    charset     text COLLATE "C" NOT NULL
                CONSTRAINT scope_charset_check CHECK (charset IN ('ascii', 'any')),
    lease       interval NOT NULL,
    quiet       interval NOT NULL,
    ladder      interval[] NOT NULL,
    keep        interval,
    key_time    text COLLATE "C",
    parts       integer,
    horizon     timestamptz,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    created_by  name NOT NULL,
    flush       boolean NOT NULL,
    standbys    integer NOT NULL,
    channels    text[] COLLATE "C" NOT NULL,
    keep_answers text COLLATE "C" NOT NULL
                CONSTRAINT scope_keep_answers_check CHECK (keep_answers IN ('whole', 'fields')),
    repeat_within interval,
    duplicate_fields text[] COLLATE "C" NOT NULL,
    duplicate_window interval
                CONSTRAINT scope_duplicate_window_check CHECK (duplicate_fields = '{}' OR duplicate_window IS NOT NULL),
    on_duplicate text COLLATE "C" NOT NULL
                CONSTRAINT scope_on_duplicate_check CHECK (on_duplicate IN ('report', 'hold')),
    confirm_by  text COLLATE "C" NOT NULL
                CONSTRAINT scope_confirm_by_check CHECK (confirm_by IN ('operator', 'caller'))
);
COMMENT ON TABLE idem.scope IS 'declared scopes: each is a space of idempotency keys of its own';
COMMENT ON COLUMN idem.scope.id IS 'first 31 bits of SHA-256 of the name, big endian: the same on every server; part of the digest of every key of the scope';
COMMENT ON COLUMN idem.scope.name IS 'what calls name it by';
COMMENT ON COLUMN idem.scope.effect IS 'inside: rows of this database; outside: a call to another system';
COMMENT ON COLUMN idem.scope.fields IS 'members of the request that must agree on a repeat; {*} is all';
COMMENT ON COLUMN idem.scope.completion IS 'required: no commit with a claim that was not completed';
COMMENT ON COLUMN idem.scope.charset IS 'ascii: keys of visible ASCII; any: keys of any text';
COMMENT ON COLUMN idem.scope.lease IS 'how long a reservation is held, of effects outside';
COMMENT ON COLUMN idem.scope.quiet IS 'how long after the dispatch nobody may say that it never arrived';
COMMENT ON COLUMN idem.scope.ladder IS 'how long idem.due waits before each inquiry';
COMMENT ON COLUMN idem.scope.keep IS 'how long request and response are kept after a claim is final; NULL: for good';
COMMENT ON COLUMN idem.scope.key_time IS 'where a key carries its own time: uuidv7, YYYYMMDD or YYYY-MM-DD; NULL: nowhere, and keys are kept for good';
COMMENT ON COLUMN idem.scope.parts IS 'of how many parts a key is made, by idem.key; NULL: keys of any form';
COMMENT ON COLUMN idem.scope.horizon IS 'keys whose own time lies before it were forgotten, and never run again; NULL: none were';
COMMENT ON COLUMN idem.scope.created_at IS 'when it was declared; tells it from an earlier scope of the same name in idem.evidence and idem.late_result';
COMMENT ON COLUMN idem.scope.created_by IS 'role that declared it';
COMMENT ON COLUMN idem.scope.flush IS 'the commit of a claim is on disk, and with the standbys that are required, before it returns, whatever synchronous_commit says; effects outside always are';
COMMENT ON COLUMN idem.scope.standbys IS 'how many synchronous standbys must be required for a key to be reserved or dispatched; 0: none have to be';
COMMENT ON COLUMN idem.scope.channels IS 'channels by which its effects go; {}: whatever the caller says became of them is believed';
COMMENT ON COLUMN idem.scope.keep_answers IS 'whole: answers are kept as they came; fields: only code, echo and declared fields';
COMMENT ON COLUMN idem.scope.repeat_within IS 'how long after a key a repeat of it may come: a later one is another request that has the same key; NULL: always';
COMMENT ON COLUMN idem.scope.duplicate_fields IS 'members of the request in which two keys must not agree by accident; {}: requests are not compared; {*} is all';
COMMENT ON COLUMN idem.scope.duplicate_window IS 'for how long after a key another one with the same members is suspected';
COMMENT ON COLUMN idem.scope.on_duplicate IS 'report: a suspected key is granted as ever, and listed in idem.suspects; hold: it is not granted until it is confirmed';
COMMENT ON COLUMN idem.scope.confirm_by IS 'who may confirm a suspected key in the call itself: operator or caller';
REVOKE ALL ON TABLE idem.scope FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.scope', '');

CREATE TRIGGER idem_scope_invalidate
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON idem.scope
    FOR EACH STATEMENT EXECUTE FUNCTION idem.invalidate_definitions();
COMMENT ON TRIGGER idem_scope_invalidate ON idem.scope IS 'every session reads a changed scope anew';
ALTER TABLE idem.scope ENABLE ALWAYS TRIGGER idem_scope_invalidate;

-- Fixed widths first, so that no byte is lost to alignment; eight columns at
-- most, so that the null bitmap costs nothing.  Key and fingerprint are never
-- stored out of line: they are read from rows that have not committed.
CREATE TABLE idem.anchor (
    digest      uuid NOT NULL
                CONSTRAINT anchor_pkey PRIMARY KEY,
    first_seen  timestamptz NOT NULL,
    scope       integer NOT NULL,
    state       "char" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    response    jsonb
) WITH (fillfactor = 90);
ALTER TABLE idem.anchor
    ALTER COLUMN key SET STORAGE PLAIN,
    ALTER COLUMN fingerprint SET STORAGE PLAIN;
COMMENT ON TABLE idem.anchor IS 'one row for every idempotency key ever claimed, for good';
COMMENT ON COLUMN idem.anchor.digest IS 'of scope id (4 bytes, big endian) and key: CRC-32C without the last 3 bytes of the key, then 12 bytes of SHA-256; so keys that are counted up lie beside each other';
COMMENT ON COLUMN idem.anchor.first_seen IS 'when the key was claimed, by the clock of the database';
COMMENT ON COLUMN idem.anchor.scope IS 'id of the scope';
COMMENT ON COLUMN idem.anchor.state IS 'c: claimed, which once committed means succeeded; s: succeeded and completed; d: and the response was dropped after the retention of the scope; a: adopted, done before idem knew of it; n: fenced, will never run';
COMMENT ON COLUMN idem.anchor.key IS 'the idempotency key, byte for byte';
COMMENT ON COLUMN idem.anchor.fingerprint IS 'for every declared field: length and name, 16 bytes of SHA-256 of its canonical value';
COMMENT ON COLUMN idem.anchor.response IS 'what a repeat is answered';
REVOKE ALL ON TABLE idem.anchor FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.anchor', '');

-- Two types of answers, because a row is paid for by the column.  Each longer
-- one begins with the columns of the shorter one, in their order.
CREATE TYPE idem.claim_result AS (
    outcome          text,
    granted          boolean,
    settled          boolean,
    reentrant        boolean,
    key              text,
    state            text,
    response         jsonb,
    response_dropped boolean,
    mismatch         text[],
    first_seen       timestamptz,
    detail           text
);
COMMENT ON TYPE idem.claim_result IS
    'what a call for a key of an effect inside answers; granted: do the effect now; settled: the message may be acknowledged';
COMMENT ON COLUMN idem.claim_result.outcome IS 'granted, replayed, in_progress, mismatch, duplicate, expired, reused, fenced, suspect or paused; of complete: succeeded';
COMMENT ON COLUMN idem.claim_result.granted IS 'true: do the effect now, once; else do not do it';
COMMENT ON COLUMN idem.claim_result.settled IS 'true: the key is done for good, the message may be acknowledged';
COMMENT ON COLUMN idem.claim_result.reentrant IS 'of complete: true if the same response was given before; NULL of a claim, which is never answered as the same call';
COMMENT ON COLUMN idem.claim_result.key IS 'the key';
COMMENT ON COLUMN idem.claim_result.state IS 'claimed: its transaction has not committed; succeeded or adopted: done for good; fenced: never';
COMMENT ON COLUMN idem.claim_result.response IS 'the first response, verbatim; NULL if none was given';
COMMENT ON COLUMN idem.claim_result.response_dropped IS 'true: there was a response, dropped after the retention of the scope';
COMMENT ON COLUMN idem.claim_result.mismatch IS 'members of the request that differ from the first one';
COMMENT ON COLUMN idem.claim_result.first_seen IS 'when the key was claimed, reserved or fenced first';
COMMENT ON COLUMN idem.claim_result.detail IS 'a sentence for people, such as who holds the key';

CREATE TYPE idem.send_result AS (
    outcome          text,
    granted          boolean,
    settled          boolean,
    reentrant        boolean,
    key              text,
    state            text,
    response         jsonb,
    response_dropped boolean,
    mismatch         text[],
    first_seen       timestamptz,
    detail           text,
    token            bigint,
    attempt          integer,
    serial           text,
    channel          text,
    business_date    date,
    other_date       date,
    dispatched_at    timestamptz,
    finished_at      timestamptz,
    lease_until      timestamptz,
    retry_at         timestamptz,
    settled_amount   numeric,
    marks            text[]
);
COMMENT ON TYPE idem.send_result IS
    'what a call for a key of an effect outside answers: the columns of idem.claim_result and those of sending';
COMMENT ON COLUMN idem.send_result.outcome IS 'granted, reserved, replayed, in_progress, unknown, mismatch, duplicate, expired, reused, fenced, suspect, paused, misplaced, closed, stale_attempt, late or reverse_needed; and what a call made of the key: succeeded, failed, returned, released, dispatched, or unseen';
COMMENT ON COLUMN idem.send_result.granted IS 'as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.settled IS 'as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.reentrant IS 'true: this very call was made before, and is answered again';
COMMENT ON COLUMN idem.send_result.key IS 'as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.state IS 'reserved, dispatched, unknown, released, succeeded, failed, adopted or fenced; of effects inside as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.response IS 'the provider''s answer that settled it, verbatim; NULL if none was given';
COMMENT ON COLUMN idem.send_result.response_dropped IS 'as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.mismatch IS 'as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.first_seen IS 'as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.detail IS 'as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.token IS 'the caller''s token; NULL for others';
COMMENT ON COLUMN idem.send_result.attempt IS 'which attempt';
COMMENT ON COLUMN idem.send_result.serial IS 'the number under which the provider knows the attempt; NULL: none was made';
COMMENT ON COLUMN idem.send_result.channel IS 'the channel the attempt went by; NULL: none was named, or it was not dispatched';
COMMENT ON COLUMN idem.send_result.business_date IS 'the provider''s day of the attempt; NULL: no calendar, or it was not dispatched';
COMMENT ON COLUMN idem.send_result.other_date IS 'the day beside it that the provider may have booked it on, of an attempt dispatched close to the cut';
COMMENT ON COLUMN idem.send_result.dispatched_at IS 'when the attempt may have begun to leave; NULL: it was not dispatched';
COMMENT ON COLUMN idem.send_result.finished_at IS 'when the final state was reached';
COMMENT ON COLUMN idem.send_result.lease_until IS 'end of the holder''s lease';
COMMENT ON COLUMN idem.send_result.retry_at IS 'when to come again or to inquire next';
COMMENT ON COLUMN idem.send_result.settled_amount IS 'what was paid, where it is not what was asked for; NULL: it is';
COMMENT ON COLUMN idem.send_result.marks IS 'what is known beside the state: presumed (no news was taken as success), corrected (the state was changed by a person), returned (it came back later)';

CREATE FUNCTION idem.create_scope(
    name text, effect text, fields text[],
    completion text DEFAULT 'optional',
    lease interval DEFAULT '1 min', quiet interval DEFAULT '10 min',
    ladder interval[] DEFAULT '{1s,5s,10s,30s,1m,2m,3m,4m,5m,6m,7m,8m,9m,10m,20m,30m,1h,2h}',
    keep interval DEFAULT NULL, key_time text DEFAULT NULL,
    charset text DEFAULT 'ascii', parts integer DEFAULT NULL,
    flush boolean DEFAULT true, standbys integer DEFAULT 0,
    channels text[] DEFAULT '{}', keep_answers text DEFAULT 'whole', repeat_within interval DEFAULT NULL,
    duplicate_fields text[] DEFAULT '{}', duplicate_window interval DEFAULT NULL,
    on_duplicate text DEFAULT 'report', confirm_by text DEFAULT 'operator'
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_create_scope'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.create_scope(text, text, text[], text, interval, interval, interval[], interval, text, text, integer, boolean, integer, text[], text, interval, text[], interval, text, text) IS
    'declares a scope of idempotency keys.
In: name (1 to 63 bytes); effect ''inside'' (rows of this database) or ''outside'' (a call to another system); fields of the request that must agree on a repeat (''{}'' none, ''{*}'' all); completion ''optional'', or, inside, ''required'': no commit with a claim that was not completed; charset of keys ''ascii'' or ''any''.
For effects outside: lease: how long a reservation is held; quiet: how long after the dispatch a resolve to failed or released is refused; ladder: how long idem.due waits before each inquiry. A day has 24 hours in them, and months are refused.
keep: how long bodies (request, response) are kept after a claim is final; idem.retire drops older ones. key_time: where a key carries its own time (''uuidv7'', ''YYYYMMDD'', ''YYYY-MM-DD'': in front of the key, or of its first part), so that idem.retire may forget old keys; a key without one is 22I01. parts: keys are made by idem.key of so many parts.
flush: the commit of a claim is on disk, and with the standbys of synchronous_standby_names, whatever synchronous_commit says; false, of effects inside only: a claim is as durable as its session asks for. standbys, of effects outside only: reserve and dispatch are refused (55000) while fewer synchronous standbys are required.
channels, of effects outside only: by which they go; what became of an effect is then told by the code of the provider''s answer. keep_answers: ''whole'', or ''fields'': of answers only code, echo and declared fields are kept. repeat_within: a key that is final and older is answered reused, not replayed: its numbers have begun again.
duplicate_fields: members in which a new key is compared with those first seen within duplicate_window (days of 24 hours, no months) that are open or succeeded; on_duplicate ''report'': one that agrees is granted and listed in idem.suspects; ''hold'': it is answered suspect until it is confirmed, by an operator, or with confirm_by ''caller'' by any caller.
Errors: 22004 null; 22023 invalid argument; 42701 field named twice; 42704 unknown channel; 42710 a scope of this name that was declared otherwise, which DETAIL says.
The same again is a no-op with a NOTICE.
Locks: SHARE ROW EXCLUSIVE on idem.scope: one declaration at a time, claims go on.';
REVOKE ALL ON FUNCTION idem.create_scope(text, text, text[], text, interval, interval, interval[], interval, text, text, integer, boolean, integer, text[], text, interval, text[], interval, text, text) FROM PUBLIC;

CREATE FUNCTION idem.key(VARIADIC parts text[]) RETURNS text
    AS 'MODULE_PATHNAME', 'idem_key'
    LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION idem.key(text[]) IS
    'makes one key of several parts, such as merchant, date and serial: before each its length in bytes, as in 4:M001,8:20180718,6:000001, so that no two lists of parts have one key.
Errors: 22I01 no part, or one that is null, empty, holds a control character or begins or ends with a blank, or a key longer than 255 bytes; 2202E array of arrays.';

CREATE FUNCTION idem.key_time(key text, key_time text, parts integer DEFAULT 0) RETURNS timestamptz
    AS 'MODULE_PATHNAME', 'idem_key_time_sql'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION idem.key_time(text, text, integer) IS
    'the time that a key carries, as a scope with this key_time and parts (0: any form) reads it: of a UUID of version 7 its milliseconds, of a date the beginning of the day in UTC.
Errors: 22023 invalid key_time; 22I01 a key that carries none.';

-- ---------------------------------------------------------------------------
-- key: what is only ever added for a key
-- ---------------------------------------------------------------------------

-- The two logs number the rows of a key from 1 on, without a sequence: who
-- writes holds a lock on the key in the log (see key_log.c).  A scope of the
-- same name that is declared anew has the same id and another created_at.
CREATE TABLE idem.late_result (
    scope    integer NOT NULL,
    key      text COLLATE "C" NOT NULL,
    n        integer NOT NULL,
    scope_created_at timestamptz NOT NULL,
    at       timestamptz NOT NULL,
    role     name NOT NULL,
    token    bigint,
    attempt  integer,
    outcome  text COLLATE "C" NOT NULL,
    response jsonb,
    evidence jsonb,
    asked_at timestamptz,
    via      text COLLATE "C",
    codes    text[] COLLATE "C",
    mismatch text[] COLLATE "C",
    state    text COLLATE "C" NOT NULL,
    newest   bigint NOT NULL,
    CONSTRAINT late_result_pkey PRIMARY KEY (scope, key, n)
);
COMMENT ON TABLE idem.late_result IS 'results that came too late or contradict what is known, kept as evidence, append-only';
COMMENT ON COLUMN idem.late_result.scope IS 'id of the scope';
COMMENT ON COLUMN idem.late_result.key IS 'the key';
COMMENT ON COLUMN idem.late_result.n IS 'order of arrival among those of the key, from 1';
COMMENT ON COLUMN idem.late_result.scope_created_at IS 'created_at of the scope: of an earlier scope of the name, if it is not that of idem.scope';
COMMENT ON COLUMN idem.late_result.at IS 'when it came, by the clock of the database';
COMMENT ON COLUMN idem.late_result.role IS 'session user who brought it';
COMMENT ON COLUMN idem.late_result.token IS 'token it came with; NULL: by idem.resolve';
COMMENT ON COLUMN idem.late_result.attempt IS 'attempt it is about; NULL: not known';
COMMENT ON COLUMN idem.late_result.outcome IS 'what it says';
COMMENT ON COLUMN idem.late_result.response IS 'the provider''s answer it brought';
COMMENT ON COLUMN idem.late_result.evidence IS 'the evidence it brought';
COMMENT ON COLUMN idem.late_result.asked_at IS 'of idem.resolve: when the provider was asked, as the caller said, else when the evidence came';
COMMENT ON COLUMN idem.late_result.via IS 'interface of the provider it came by; NULL: not said';
COMMENT ON COLUMN idem.late_result.codes IS 'return code of the provider, a layer an element; NULL: none';
COMMENT ON COLUMN idem.late_result.mismatch IS 'members in which it is not about this request; NULL: none';
COMMENT ON COLUMN idem.late_result.state IS 'state of the key that it met, and did not change';
COMMENT ON COLUMN idem.late_result.newest IS 'newest token of the key at that time';
REVOKE ALL ON TABLE idem.late_result FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.late_result', '');

CREATE TABLE idem.evidence (
    scope    integer NOT NULL,
    key      text COLLATE "C" NOT NULL,
    n        integer NOT NULL,
    scope_created_at timestamptz NOT NULL,
    at       timestamptz NOT NULL,
    role     name NOT NULL,
    action   text COLLATE "C" NOT NULL,
    outcome  text COLLATE "C" NOT NULL,
    attempt  integer,
    evidence jsonb,
    response jsonb,
    reason   text,
    asked_at timestamptz,
    via      text COLLATE "C",
    codes    text[] COLLATE "C",
    settled_amount numeric,
    CONSTRAINT evidence_pkey PRIMARY KEY (scope, key, n)
);
COMMENT ON TABLE idem.evidence IS 'why a key was resolved, fenced or confirmed, and by whom, append-only';
COMMENT ON COLUMN idem.evidence.scope IS 'id of the scope';
COMMENT ON COLUMN idem.evidence.key IS 'the key';
COMMENT ON COLUMN idem.evidence.n IS 'order of arrival among those of the key, from 1';
COMMENT ON COLUMN idem.evidence.scope_created_at IS 'created_at of the scope: of an earlier scope of the name, if it is not that of idem.scope';
COMMENT ON COLUMN idem.evidence.at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.evidence.role IS 'session user who did it';
COMMENT ON COLUMN idem.evidence.action IS 'resolve, complete, correct, presume or fence; confirm: a suspected duplicate is a payment of its own';
COMMENT ON COLUMN idem.evidence.outcome IS 'what the call was answered';
COMMENT ON COLUMN idem.evidence.attempt IS 'attempt it is about; NULL of a fence';
COMMENT ON COLUMN idem.evidence.evidence IS 'the evidence given';
COMMENT ON COLUMN idem.evidence.response IS 'the provider''s answer given';
COMMENT ON COLUMN idem.evidence.reason IS 'the reason given, of a fence, of a confirmation or of force';
COMMENT ON COLUMN idem.evidence.asked_at IS 'when the provider was asked, as the caller said, else when the evidence came; NULL of a fence';
COMMENT ON COLUMN idem.evidence.via IS 'interface of the provider that was asked; NULL: not said';
COMMENT ON COLUMN idem.evidence.codes IS 'return code of the provider, a layer an element; NULL: none';
COMMENT ON COLUMN idem.evidence.settled_amount IS 'the amount that the answer names, where it is not that of the request';
REVOKE ALL ON TABLE idem.evidence FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.evidence', '');

-- ---------------------------------------------------------------------------
-- key: keys of effects outside of the database
-- ---------------------------------------------------------------------------

-- The first seven columns are those of idem.anchor, in its order.  Never
-- stored out of line: what may be read from a row that has not committed.
CREATE TABLE idem.reservation (
    digest        uuid NOT NULL
                  CONSTRAINT reservation_pkey PRIMARY KEY,
    first_seen    timestamptz NOT NULL,
    scope         integer NOT NULL,
    state         "char" NOT NULL,
    key           text COLLATE "C" NOT NULL,
    fingerprint   bytea NOT NULL,
    response      jsonb,
    request       jsonb,
    nonce         text COLLATE "C",
    token         bigint NOT NULL,
    attempt       integer NOT NULL,
    step          integer NOT NULL,
    lease_until   timestamptz,
    dispatched_at timestamptz,
    finished_at   timestamptz,
    due_at        timestamptz,
    fenced_at     timestamptz,
    concern       "char",
    dropped       boolean NOT NULL,
    serial        text COLLATE "C",
    settled_amount numeric,
    presumed_at   timestamptz,
    corrected_at  timestamptz,
    returned_on   date,
    returned_amount numeric
) WITH (fillfactor = 80);
ALTER TABLE idem.reservation
    ALTER COLUMN key SET STORAGE PLAIN,
    ALTER COLUMN fingerprint SET STORAGE PLAIN,
    ALTER COLUMN nonce SET STORAGE PLAIN;
CREATE INDEX reservation_due ON idem.reservation (scope, due_at) WHERE due_at IS NOT NULL;
COMMENT ON TABLE idem.reservation IS 'one row for every key of an effect outside, from its reservation or its fence on, for good';
COMMENT ON COLUMN idem.reservation.digest IS 'of scope id (4 bytes, big endian) and key: CRC-32C without the last 3 bytes of the key, then 12 bytes of SHA-256; so keys that are counted up lie beside each other';
COMMENT ON COLUMN idem.reservation.first_seen IS 'when the key was first reserved or fenced, by the clock of the database';
COMMENT ON COLUMN idem.reservation.scope IS 'id of the scope';
COMMENT ON COLUMN idem.reservation.state IS 'r: reserved; d: dispatched; u: unknown; l: released; s: succeeded; f: failed; a: adopted, done before idem knew of it; n: fenced, will never run';
COMMENT ON COLUMN idem.reservation.key IS 'the idempotency key, byte for byte';
COMMENT ON COLUMN idem.reservation.fingerprint IS 'as in idem.anchor; empty if the key was fenced before it was reserved';
COMMENT ON COLUMN idem.reservation.response IS 'what the provider answered, and what a repeat is answered';
COMMENT ON COLUMN idem.reservation.request IS 'the first request, for whoever has to inquire';
COMMENT ON COLUMN idem.reservation.nonce IS 'the name that the holder gave this reservation, so that a repeated call gets the same token';
COMMENT ON COLUMN idem.reservation.token IS 'newest token given out; it only grows';
COMMENT ON COLUMN idem.reservation.attempt IS 'how often the key was reserved after a release, and once; 0: never reserved';
COMMENT ON COLUMN idem.reservation.step IS 'steps of the scope''s ladder already handed out by idem.due';
COMMENT ON COLUMN idem.reservation.lease_until IS 'end of the holder''s lease';
COMMENT ON COLUMN idem.reservation.dispatched_at IS 'when the effect may have begun to leave, of the last attempt that did';
COMMENT ON COLUMN idem.reservation.finished_at IS 'when the final state was reached';
COMMENT ON COLUMN idem.reservation.due_at IS 'when somebody has to look at it; NULL: nobody has to any more';
COMMENT ON COLUMN idem.reservation.fenced_at IS 'first fence, also one that came too late to block';
COMMENT ON COLUMN idem.reservation.concern IS 'a person has to look: l: a late result; s: one that says it succeeded; r: a reversal is needed; a: the provider may not know the serial of the next attempt again; m: an attempt may be lost';
COMMENT ON COLUMN idem.reservation.dropped IS 'request and response were dropped after the retention of the scope';
COMMENT ON COLUMN idem.reservation.serial IS 'the number that idem.reserve made, which every attempt of the key carries; NULL: idem.dispatch makes it, see idem.attempt, or none is made';
COMMENT ON COLUMN idem.reservation.settled_amount IS 'what was paid, where the provider''s answer names another amount than the request';
COMMENT ON COLUMN idem.reservation.presumed_at IS 'mark beside the state: since when no news was taken as success';
COMMENT ON COLUMN idem.reservation.corrected_at IS 'mark beside the state: when a person last changed a final state that was wrong';
COMMENT ON COLUMN idem.reservation.returned_on IS 'mark beside the state: the day on which a payment that had succeeded came back';
COMMENT ON COLUMN idem.reservation.returned_amount IS 'what came back';
COMMENT ON INDEX idem.reservation_due IS 'what somebody has to look at, in the order it is due';
REVOKE ALL ON TABLE idem.reservation FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.reservation', '');

-- One row an attempt that was dispatched, written in the commit of the
-- dispatch.  It goes with its reservation.
CREATE TABLE idem.attempt (
    scope         integer NOT NULL,
    key           text COLLATE "C" NOT NULL,
    attempt       integer NOT NULL,
    token         bigint NOT NULL,
    dispatched_at timestamptz NOT NULL,
    channel       text COLLATE "C",
    serial        text COLLATE "C",
    business_date date,
    other_date    date,
    CONSTRAINT attempt_pkey PRIMARY KEY (scope, key, attempt)
);
COMMENT ON TABLE idem.attempt IS 'one row for every attempt that was dispatched: under which number, by which channel and when';
COMMENT ON COLUMN idem.attempt.scope IS 'id of the scope';
COMMENT ON COLUMN idem.attempt.key IS 'the key';
COMMENT ON COLUMN idem.attempt.attempt IS 'which attempt of the key, as in idem.reservation';
COMMENT ON COLUMN idem.attempt.token IS 'token it was dispatched with';
COMMENT ON COLUMN idem.attempt.dispatched_at IS 'when the effect may have begun to leave, by the clock of the database';
COMMENT ON COLUMN idem.attempt.channel IS 'the channel it went by; NULL: none was named';
COMMENT ON COLUMN idem.attempt.serial IS 'the number under which the provider knows it; NULL: none was made';
COMMENT ON COLUMN idem.attempt.business_date IS 'the provider''s day; NULL: no calendar';
COMMENT ON COLUMN idem.attempt.other_date IS 'the day beside it, of an attempt dispatched close to the cut';
REVOKE ALL ON TABLE idem.attempt FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.attempt', '');

-- ---------------------------------------------------------------------------
-- key: in which scopes a role uses keys
-- ---------------------------------------------------------------------------

-- Written by idem.grant_runtime (control).  By name, so that a dump can be
-- restored before its roles are there.
CREATE TABLE idem.runtime_role (
    role   name
           CONSTRAINT runtime_role_pkey PRIMARY KEY,
    scopes text[] COLLATE "C"
           CONSTRAINT runtime_role_scopes_check CHECK (scopes <> '{}')
);
COMMENT ON TABLE idem.runtime_role IS 'roles named by idem.grant_runtime; one with scopes limits every role that is not here to none';
COMMENT ON COLUMN idem.runtime_role.role IS 'the role';
COMMENT ON COLUMN idem.runtime_role.scopes IS 'the scopes it uses keys in; NULL: all of them';
REVOKE ALL ON TABLE idem.runtime_role FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.runtime_role', '');

CREATE TRIGGER idem_runtime_role_invalidate
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON idem.runtime_role
    FOR EACH STATEMENT EXECUTE FUNCTION idem.invalidate_definitions();
COMMENT ON TRIGGER idem_runtime_role_invalidate ON idem.runtime_role IS 'every session reads anew which roles use a scope';
ALTER TABLE idem.runtime_role ENABLE ALWAYS TRIGGER idem_runtime_role_invalidate;

-- A role may be missing where the script runs: it is passed over there.
CREATE VIEW idem.right_declarations AS
SELECT 65 AS rank, r.role::text COLLATE "C" AS name,
       pg_catalog.format('SELECT idem.grant_runtime(oid::regrole, scopes => %L) FROM pg_catalog.pg_roles WHERE rolname = %L;', r.scopes, r.role) AS statement
FROM idem.runtime_role r;
COMMENT ON VIEW idem.right_declarations IS 'rights of applications by scope, as idem.declarations() writes them';
REVOKE ALL ON TABLE idem.right_declarations FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- key: altering and dropping scopes, forgetting what is old
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.alter_scope(
    name text, fields text[] DEFAULT NULL, completion text DEFAULT NULL,
    lease interval DEFAULT NULL, quiet interval DEFAULT NULL, ladder interval[] DEFAULT NULL,
    keep interval DEFAULT NULL, charset text DEFAULT NULL, parts integer DEFAULT NULL,
    flush boolean DEFAULT NULL, standbys integer DEFAULT NULL,
    channels text[] DEFAULT NULL, keep_answers text DEFAULT NULL, repeat_within interval DEFAULT NULL,
    duplicate_fields text[] DEFAULT NULL, duplicate_window interval DEFAULT NULL,
    on_duplicate text DEFAULT NULL, confirm_by text DEFAULT NULL,
    force text DEFAULT NULL
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_alter_scope'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.alter_scope(text, text[], text, interval, interval, interval[], interval, text, integer, boolean, integer, text[], text, interval, text[], interval, text, text, text) IS
    'changes what a scope was declared with; what is NULL stays. Effect and key_time stay always.
Looser (42P17 without force, which is the reason): fewer fields, completion optional, a shorter quiet or keep, charset any, other parts, flush false, fewer standbys, no channels where there were some, another channel, keep_answers whole, a longer repeat_within, other duplicate_fields, a shorter duplicate_window, on_duplicate report, confirm_by caller. Stricter or neither: the rest. fields become {*} never.
Known keys are served as before, whatever their form: what is asked of keys and requests (charset, parts, fields) is for new ones. They keep the fingerprint of the fields they were claimed under: a repeat has to agree in the fields declared both then and now. A new key is compared with those that came since duplicate_fields are what they are.
Every session obeys from its next statement on. Kept in idem.change_log.
Errors: 22004 name null; 22023 invalid argument, or force blank or longer than 1,000 characters; 42701 field named twice; 42704 unknown scope; 42P17 looser.
Locks: SHARE ROW EXCLUSIVE on idem.scope; claims go on.';
REVOKE ALL ON FUNCTION idem.alter_scope(text, text[], text, interval, interval, interval[], interval, text, integer, boolean, integer, text[], text, interval, text[], interval, text, text, text) FROM PUBLIC;

CREATE FUNCTION idem.drop_scope(name text, force text DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_drop_scope'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.drop_scope(text, text) IS
    'forgets a scope and all its keys; late results and evidence stay. A scope declared later under the same name has keys of its own: what is repeated there runs again.
In: force, the reason, needed if the scope has keys, or a guard names it: that then lets no row in. Kept in idem.change_log.
Errors: 22004 name null; 22023 force blank or longer than 1,000 characters; 42704 unknown scope; 42P17 keys and no reason; 2BP01 a guard and no reason; 55I02 a claim that is not final, or of a transaction that has not ended.
Locks: SHARE ROW EXCLUSIVE on idem.scope, idem.anchor and idem.reservation: waits for open claims of other scopes, and claims wait for it.';
REVOKE ALL ON FUNCTION idem.drop_scope(text, text) FROM PUBLIC;

CREATE FUNCTION idem.known_key_time(key text, key_time text, parts integer) RETURNS timestamptz
    AS 'MODULE_PATHNAME', 'idem_known_key_time'
    LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION idem.known_key_time(text, text, integer) IS
    'what idem.key_time says of a key, or NULL for one of another form; for idem.retire: a key may have been claimed before its scope asked for this form.
Errors: 22023 invalid key_time.';
REVOKE ALL ON FUNCTION idem.known_key_time(text, text, integer) FROM PUBLIC;

CREATE FUNCTION idem.retire(scope text, before timestamptz DEFAULT NULL, batch integer DEFAULT 100000,
                            OUT dropped bigint, OUT removed bigint, OUT horizon timestamptz)
    AS 'MODULE_PATHNAME', 'idem_retire'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.retire(text, timestamptz, integer) IS
    'drops request and response of claims that have been final for the keep of the scope; a repeat is then answered with response_dropped. With before, in a scope with key_time, also: moves the horizon to before, never back, and removes final claims whose key''s own time lies before it; from then on such a key is expired if it is not known. In a scope with duplicate_fields, also: forgets which members were seen longer ago than duplicate_window.
Never removed: what is reserved, dispatched, unknown, released, fenced, has a late result or needs a reversal; what a key that waits to be confirmed was compared with; keys from which no time can be read, claimed before the scope asked for keys of this form.
Out: bodies dropped and keys removed, at most batch of each (call again until both are 0), and the horizon.
Errors: 22004 scope or batch null; 22023 batch below 1, before in the future, within keep or duplicate_window or without key_time, a scope that keeps everything; 42704 unknown scope; 25006 on a standby or in a read-only transaction.
Locks: SHARE ROW EXCLUSIVE on idem.scope; ROW EXCLUSIVE on idem.anchor or idem.reservation; the rows. Claims go on.';
REVOKE ALL ON FUNCTION idem.retire(text, timestamptz, integer) FROM PUBLIC;

-- Settings that are for effects of the other kind are at their default.
CREATE VIEW idem.scope_declarations AS
SELECT 60 AS rank, s.name,
       'SELECT idem.create_scope(' || pg_catalog.concat_ws(', ', pg_catalog.format('%L, effect => %L, fields => %L', s.name, s.effect, s.fields),
           'completion => ' || pg_catalog.quote_literal(s.completion), 'lease => ' || pg_catalog.quote_literal(s.lease),
           'quiet => ' || pg_catalog.quote_literal(s.quiet), 'ladder => ' || pg_catalog.quote_literal(s.ladder),
           'keep => ' || pg_catalog.quote_literal(s.keep), 'key_time => ' || pg_catalog.quote_literal(s.key_time),
           'charset => ' || pg_catalog.quote_literal(s.charset), 'parts => ' || s.parts,
           'flush => ' || s.flush::text, 'standbys => ' || s.standbys,
           'channels => ' || pg_catalog.quote_literal(nullif(s.channels, '{}')),
           'keep_answers => ' || pg_catalog.quote_literal(s.keep_answers),
           'repeat_within => ' || pg_catalog.quote_literal(s.repeat_within),
           CASE WHEN s.duplicate_fields <> '{}'
                THEN pg_catalog.format('duplicate_fields => %L, on_duplicate => %L, confirm_by => %L', s.duplicate_fields, s.on_duplicate, s.confirm_by) END,
           'duplicate_window => ' || pg_catalog.quote_literal(s.duplicate_window)) || ');' AS statement
FROM idem.scope s;
COMMENT ON VIEW idem.scope_declarations IS 'scopes, as idem.declarations() writes them';
REVOKE ALL ON TABLE idem.scope_declarations FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- key: suspected duplicates
-- ---------------------------------------------------------------------------

-- One row a key that was granted, written before it is (key_sighting.c), and one
-- of a key that is held, at infinity, where it finds it whatever the time.  Not
-- unique: equal payments are lawful; a subscriber finds the row that is deleted
-- by all of it.  The key is never stored out of line: it is read from rows that
-- have not committed.
CREATE TABLE idem.sighting (
    digest      uuid NOT NULL,
    first_seen  timestamptz NOT NULL,
    scope       integer NOT NULL,
    key         text COLLATE "C" NOT NULL
);
ALTER TABLE idem.sighting ALTER COLUMN key SET STORAGE PLAIN;
ALTER TABLE idem.sighting REPLICA IDENTITY FULL;
CREATE INDEX sighting_digest ON idem.sighting (digest, first_seen);
COMMENT ON TABLE idem.sighting IS 'which keys came with which members, in scopes with duplicate_fields; idem.retire forgets what is older than duplicate_window';
COMMENT ON COLUMN idem.sighting.digest IS '16 bytes of SHA-256 of scope id (4 bytes, big endian) and the fingerprint of the duplicate_fields';
COMMENT ON COLUMN idem.sighting.first_seen IS 'when the key was granted or reserved, by the clock of the database; infinity: it is held';
COMMENT ON COLUMN idem.sighting.scope IS 'id of the scope';
COMMENT ON COLUMN idem.sighting.key IS 'the idempotency key, byte for byte';
COMMENT ON INDEX idem.sighting_digest IS 'other keys with the same members, by time';
REVOKE ALL ON TABLE idem.sighting FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.sighting', '');

-- Scope and key come first, as in a log of keys, so that it is written as one.
CREATE TABLE idem.suspect (
    scope       integer NOT NULL,
    key         text COLLATE "C" NOT NULL,
    id          uuid NOT NULL,
    members     uuid NOT NULL,
    first_seen  timestamptz NOT NULL,
    held        boolean NOT NULL
);
ALTER TABLE idem.suspect REPLICA IDENTITY FULL;
CREATE INDEX suspect_id ON idem.suspect (id);
COMMENT ON TABLE idem.suspect IS 'keys that came while another one had the same members; idem.suspects shows those that still ask a question';
COMMENT ON COLUMN idem.suspect.scope IS 'id of the scope';
COMMENT ON COLUMN idem.suspect.key IS 'the key that came later';
COMMENT ON COLUMN idem.suspect.id IS 'digest of the key, as in idem.anchor and idem.reservation';
COMMENT ON COLUMN idem.suspect.members IS 'digest of the members, as in idem.sighting';
COMMENT ON COLUMN idem.suspect.first_seen IS 'when it came first: what was seen within the window before that speaks against it';
COMMENT ON COLUMN idem.suspect.held IS 'it was answered suspect, and not granted';
COMMENT ON INDEX idem.suspect_id IS 'one row a key, or a few that came at the same moment';
REVOKE ALL ON TABLE idem.suspect FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.suspect', '');

CREATE FUNCTION idem.key_digest(scope integer, key text) RETURNS uuid
    AS 'MODULE_PATHNAME', 'idem_key_digest_sql'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION idem.key_digest(integer, text) IS
    'the digest under which idem keeps a key: of the id of its scope and the key; for the views of suspected duplicates. NULL for what is too long to be a key.';

-- The same judgement as that of a claim (key_sighting.c), of the rows that are
-- committed: which other key with the same members is open or succeeded.  Each
-- question is asked by itself, of an index: as cheap as there are few suspects,
-- however many keys there are.
CREATE VIEW idem.suspects AS
SELECT DISTINCT ON (p.id, p.members) p.id, s.name AS scope, p.key,
       CASE WHEN k.counts THEN 'granted' ELSE 'held' END AS state,
       p.first_seen, o.key AS other, o.first_seen AS other_seen, p.members
FROM idem.suspect p
JOIN idem.scope s ON s.id = p.scope
LEFT JOIN LATERAL (
    SELECT a.state <> 'n' AS counts, false AS released FROM idem.anchor a WHERE a.digest = p.id
    UNION ALL
    SELECT r.state NOT IN ('f', 'l', 'n'), r.state = 'l' FROM idem.reservation r WHERE r.digest = p.id) k ON true
LEFT JOIN LATERAL (
    SELECT true AS seen FROM idem.sighting w
    WHERE w.digest = p.members AND w.key = p.key AND w.first_seen < 'infinity' LIMIT 1) w ON true
CROSS JOIN LATERAL (
    SELECT pg_catalog.max(e.at) AS at FROM idem.evidence e
    WHERE e.scope = p.scope AND e.key = p.key AND e.action = 'confirm' AND e.scope_created_at = s.created_at
          AND e.evidence ->> 'members' = p.members::text) confirmed
CROSS JOIN LATERAL (
    SELECT greatest(confirmed.at, pg_catalog.max(w.first_seen)) AS until FROM idem.sighting w
    WHERE w.digest = p.members AND w.key = p.key AND w.first_seen < 'infinity') accepted
CROSS JOIN LATERAL (SELECT pg_catalog.make_interval(secs => pg_catalog.date_part('epoch', s.duplicate_window)) AS time) within
CROSS JOIN LATERAL (
    SELECT o.key, o.first_seen
    FROM idem.sighting o
    WHERE o.digest = p.members AND o.key <> p.key
          AND o.first_seen >= p.first_seen - within.time
          AND o.first_seen < CASE WHEN k.counts THEN p.first_seen + within.time ELSE 'infinity' END
          AND CASE s.effect WHEN 'inside'
                   THEN (SELECT a.state <> 'n' FROM idem.anchor a WHERE a.digest = idem.key_digest(o.scope, o.key))
                   ELSE (SELECT r.state NOT IN ('f', 'l', 'n') AND (confirmed.at IS NULL OR r.first_seen > accepted.until)
                         FROM idem.reservation r WHERE r.digest = idem.key_digest(o.scope, o.key)) END
    ORDER BY o.first_seen LIMIT 1) o
WHERE (k.counts AND w.seen OR p.held AND (k.released OR k.counts IS NULL))
      AND (confirmed.at IS NULL OR k.released)
ORDER BY p.id, p.members, p.first_seen;
COMMENT ON VIEW idem.suspects IS 'keys that may be a second request for a payment that another key has: a row a key, until it is confirmed';
COMMENT ON COLUMN idem.suspects.id IS 'what idem.confirm_suspects is given';
COMMENT ON COLUMN idem.suspects.scope IS 'scope of the keys';
COMMENT ON COLUMN idem.suspects.key IS 'the key that is suspected';
COMMENT ON COLUMN idem.suspects.state IS 'held: it is answered suspect until it is confirmed or fenced; granted: it was granted, as on_duplicate report says';
COMMENT ON COLUMN idem.suspects.first_seen IS 'when it came first';
COMMENT ON COLUMN idem.suspects.other IS 'the first other key that has the same members within the window, and is open or succeeded';
COMMENT ON COLUMN idem.suspects.other_seen IS 'when that came';
COMMENT ON COLUMN idem.suspects.members IS 'digest of the members: keys that agree in them have the same one';
REVOKE ALL ON TABLE idem.suspects FROM PUBLIC;

CREATE VIEW idem.stat_suspects AS
SELECT scope, state, pg_catalog.count(*) AS keys, pg_catalog.min(first_seen) AS oldest
FROM idem.suspects
GROUP BY scope, state;
COMMENT ON VIEW idem.stat_suspects IS 'how many keys are suspected duplicates and not confirmed, a row for each scope and state';
COMMENT ON COLUMN idem.stat_suspects.scope IS 'the scope';
COMMENT ON COLUMN idem.stat_suspects.state IS 'held or granted, as in idem.suspects';
COMMENT ON COLUMN idem.stat_suspects.keys IS 'how many';
COMMENT ON COLUMN idem.stat_suspects.oldest IS 'when the first of them came';
REVOKE ALL ON TABLE idem.stat_suspects FROM PUBLIC;

-- The doctor's.
CREATE VIEW idem.suspect_problems AS
SELECT CASE state WHEN 'held' THEN 'warning' ELSE 'notice' END AS severity,
       pg_catalog.format('scope %I', scope) AS object,
       pg_catalog.format(CASE state WHEN 'held' THEN 'keys that are held as suspected duplicates: %s, the oldest since %s'
                                    ELSE 'keys that were granted although another one has the same members: %s, the oldest since %s' END,
                         keys, oldest) AS finding,
       CASE state WHEN 'held' THEN pg_catalog.format('SELECT * FROM idem.suspects WHERE scope = %L; idem.confirm_suspects lets them go on, idem.fence ends them', scope)
                  ELSE pg_catalog.format('SELECT * FROM idem.suspects WHERE scope = %L; pay back what was a duplicate, and confirm the others with idem.confirm_suspects', scope) END AS remedy
FROM idem.stat_suspects
WHERE state <> 'held' OR oldest < pg_catalog.clock_timestamp() - interval '1 day';
COMMENT ON VIEW idem.suspect_problems IS 'suspected duplicates that nobody has judged, held ones after a day, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.suspect_problems FROM PUBLIC;

CREATE FUNCTION idem.confirm_suspects(ids uuid[], reason text) RETURNS bigint
    AS 'MODULE_PATHNAME', 'idem_confirm_suspects'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.confirm_suspects(uuid[], text) IS
    'says of suspected duplicates that each is a payment of its own: one that is held is granted the next time it comes, and none is in idem.suspects any more. For operators; kept in idem.evidence. What is a duplicate is ended with idem.fence instead.
In: ids of idem.suspects; the reason.
Out: how many were confirmed: those that were in idem.suspects.
Errors: 22004 ids or reason null; 22023 reason blank or longer than 1,000 characters; 42501 not an operator, or the approval of another person is missing; 25006 on a standby or in a read-only transaction.
Locks: the keys in idem.evidence, until the transaction ends.';
REVOKE ALL ON FUNCTION idem.confirm_suspects(uuid[], text) FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- codes: what the return codes of a provider mean
-- ---------------------------------------------------------------------------

-- Every version of every table, for good.  The newest one is in force.  The
-- owner is kept by name, as that of a machine is.
CREATE TABLE idem.return_code_table (
    name        text COLLATE "C" NOT NULL,
    version     integer NOT NULL,
    codes       text NOT NULL,
    owner       name NOT NULL,
    defined_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    defined_by  name NOT NULL DEFAULT SESSION_USER,
    loosen      text,
    tighten     text,
    CONSTRAINT return_code_table_pkey PRIMARY KEY (name, version)
);
COMMENT ON TABLE idem.return_code_table IS 'every version of every table of return codes; the highest version of a name is in force';
COMMENT ON COLUMN idem.return_code_table.name IS 'whose answers, and on which interface: bankA/pay';
COMMENT ON COLUMN idem.return_code_table.version IS 'from 1';
COMMENT ON COLUMN idem.return_code_table.codes IS 'the definition: a Markdown pipe table';
COMMENT ON COLUMN idem.return_code_table.owner IS 'role that defined version 1; its members may define the next';
COMMENT ON COLUMN idem.return_code_table.defined_at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.return_code_table.defined_by IS 'session user who defined this version';
COMMENT ON COLUMN idem.return_code_table.loosen IS 'why this version settles what the one before did not';
COMMENT ON COLUMN idem.return_code_table.tighten IS 'why this version leaves open what the one before settled, if a reason was given';
REVOKE ALL ON TABLE idem.return_code_table FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.return_code_table', '');

CREATE TRIGGER return_code_table_invalidate
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON idem.return_code_table
    FOR EACH STATEMENT EXECUTE FUNCTION idem.invalidate_definitions();
COMMENT ON TRIGGER return_code_table_invalidate ON idem.return_code_table IS 'every session reads a changed table anew';
ALTER TABLE idem.return_code_table ENABLE ALWAYS TRIGGER return_code_table_invalidate;

CREATE FUNCTION idem.check_return_codes(codes text)
    RETURNS TABLE (line integer, column_number integer, problem text, message text)
    AS 'MODULE_PATHNAME', 'idem_check_return_codes'
    LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION idem.check_return_codes(text) IS
    'what is wrong with a table of return codes, a row each with its line and, where one is meant, the column in characters; no row: it can be defined. Defines and locks nothing';

CREATE FUNCTION idem.define_return_codes(name text, codes text,
                                         loosen text DEFAULT NULL,
                                         tighten text DEFAULT NULL)
    RETURNS TABLE (version integer, effect text, change text)
    AS 'MODULE_PATHNAME', 'idem_define_return_codes'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.define_return_codes(text, text, text, text) IS
    'defines what the codes of an interface mean, or the next version of it, and tells what changed: tightens (to unknown), loosens (any other change of a meaning) or neutral. The same text again changes nothing, with a NOTICE. Raises 42P17 for a table that cannot be kept and for loosening without a reason; 22004 for a name or text that is null; 42602 for a name that does not fit; 22023 for a reason that is blank or longer than 1,000 characters; 42501 for a new name unless the caller is an admin (idem.grant_admin), for the next version unless it is a member of the role that defined the first; 42710 for a new name whose hash is that of another table. A next version waits for another one of its name; answers are judged meanwhile by the version in force. A first version, the same text again and a call by somebody else lock nothing';

CREATE FUNCTION idem.return_codes(name text, version integer DEFAULT NULL)
    RETURNS text
    AS 'MODULE_PATHNAME', 'idem_return_codes'
    LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION idem.return_codes(text, integer) IS
    'the text a table of return codes was defined with, of the version in force or of an older one; raises 42704 if there is none';

CREATE FUNCTION idem.listed_codes(name text, version integer DEFAULT NULL)
    RETURNS TABLE (line integer, code text, meaning text, reason text)
    AS 'MODULE_PATHNAME', 'idem_listed_codes'
    LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION idem.listed_codes(text, integer) IS
    'the codes that a table lists, of the version in force or of an older one, in its order; code: the layers parted by slashes, the last a star for any one; reason: what [also: ...] or [all: ...] says. Raises 42704 if there is no such table';

CREATE FUNCTION idem.meaning_of(interface text, code text[],
                                OUT meaning text, OUT listed boolean)
    AS 'MODULE_PATHNAME', 'idem_meaning_of'
    LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION idem.meaning_of(text, text[]) IS
    'what a code means on an interface, by the version that is in force when the call begins: succeeded, failed, absent, returned or unknown. code: its layers. listed: the table lists it, and be it as unknown; what is not listed is unknown, and so is no code, an empty layer, and one that holds a slash or a star. Raises 22004 for a null or empty name, 42704 if there is no such table';

CREATE VIEW idem.return_code_declarations AS
SELECT 30 AS rank, c.name, pg_catalog.format('SELECT version, effect, change FROM idem.define_return_codes(%L, %L);', c.name, c.codes) AS statement
FROM (SELECT DISTINCT ON (name) name, codes FROM idem.return_code_table ORDER BY name, version DESC) c;
COMMENT ON VIEW idem.return_code_declarations IS 'tables of return codes, as idem.declarations() writes them';
REVOKE ALL ON TABLE idem.return_code_declarations FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- codes: what the doctor finds wrong with definitions
-- ---------------------------------------------------------------------------

CREATE VIEW idem.return_code_problems AS
SELECT 'error' AS severity, pg_catalog.format('return code table %I', n.name) AS object,
       'cannot be read: ' || (SELECT pg_catalog.min(pg_catalog.format('line %s: %s', f.line, f.message))
                              FROM idem.check_return_codes(n.codes) f) AS finding,
       'bring idem.return_code_table back from a dump; until then no answer of this interface can be judged' AS remedy
FROM (SELECT DISTINCT ON (t.name) t.name, t.codes
      FROM idem.return_code_table t
      ORDER BY t.name, t.version DESC) n
WHERE EXISTS (SELECT FROM idem.check_return_codes(n.codes));
COMMENT ON VIEW idem.return_code_problems IS 'what is wrong with tables of return codes in force, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.return_code_problems FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- claim: at most one effect per key
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.claim(scope text, key text, request jsonb DEFAULT NULL)
    RETURNS idem.claim_result
    AS 'MODULE_PATHNAME', 'idem_claim'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.claim(text, text, jsonb) IS
    'claims a key for an effect inside this transaction; call it as SELECT * FROM idem.claim(...).
Out: outcome granted (first: do the effect now), replayed (done before: response is the first one), in_progress (another transaction that has not ended holds it, or under hold another key with the same members; never waited for), mismatch (the request differs from the first one in the members named), fenced (a reversal came first), duplicate (claimed before in this transaction), expired (the key''s own time lies before the horizon of the scope: never run again), reused (the key was used longer ago than the scope''s repeat_within: another request, which needs another key), suspect (another key has the same duplicate_fields, and on_duplicate is hold), paused (it would be granted, but for idem.pause: try again later).
The key is used up when this transaction commits, and free again when it, or the savepoint, is rolled back.
Errors: 22004 scope null; 42704 unknown scope; 42501 a scope in which the role uses no keys; 55I02 scope for effects outside; 22I01 a key that is null, empty or longer than 255 bytes, or is not there and does not have the form that the scope asks for; 22023 request lacks a declared field, or holds a number of more than 1,000 digits; 0A000 on a Citus cluster of several nodes; 25006 on a standby or in a read-only transaction; 40001 under REPEATABLE READ or SERIALIZABLE if the key, or under hold another one with the same members, was committed after the snapshot.
Locks: ROW EXCLUSIVE on idem.anchor, with duplicate_fields also on idem.sighting, and where a key is suspected on idem.suspect.';
REVOKE ALL ON FUNCTION idem.claim(text, text, jsonb) FROM PUBLIC;

-- By itself, and not with a default: an argument is paid for in every call.
CREATE FUNCTION idem.claim(scope text, key text, request jsonb, confirmed text)
    RETURNS idem.claim_result
    AS 'MODULE_PATHNAME', 'idem_claim'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.claim(text, text, jsonb, text) IS
    'the same, saying that a key which would be suspect is a payment of its own.
In: confirmed: the reason, from an operator, or, with confirm_by caller, from any caller; kept in idem.evidence if the key is granted. NULL says nothing.
Errors: as claim; 22023 confirmed blank, longer than 1,000 characters or in a scope without duplicate_fields; 42501 confirmed by a caller who may not, or the approval of another person is missing.
Locks: as claim; the key in idem.evidence, until the transaction ends.';
REVOKE ALL ON FUNCTION idem.claim(text, text, jsonb, text) FROM PUBLIC;

CREATE FUNCTION idem.claim_many(scope text, keys text[], requests jsonb[] DEFAULT NULL,
                                confirmed text DEFAULT NULL)
    RETURNS SETOF idem.claim_result
    AS 'MODULE_PATHNAME', 'idem_claim_many'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 1000;
COMMENT ON FUNCTION idem.claim_many(text, text[], jsonb[], text) IS
    'claims many keys for effects inside this transaction, each as idem.claim does; confirmed is said of all of them.
Out: one row a position of keys, in their order. Of equal keys the first position is the first, the others are answered after it (duplicate, if it was granted: detail names it).
Keys are taken in an order of their own, so two calls cannot wait for each other. Nothing is claimed if one key or request is an error.
Errors: as claim; 22004 scope or keys null; 22023 requests of another length than keys; 2202E arrays of arrays.
Locks: ROW EXCLUSIVE on idem.anchor.';
REVOKE ALL ON FUNCTION idem.claim_many(text, text[], jsonb[], text) FROM PUBLIC;

CREATE FUNCTION idem.complete(scope text, key text, response jsonb)
    RETURNS idem.claim_result
    AS 'MODULE_PATHNAME', 'idem_complete'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.complete(text, text, jsonb) IS
    'stores what a repeat will be answered, in the transaction that claimed the key.
Out: outcome succeeded; reentrant if the same response was given before.
Errors: as claim; 55I02 if the key was not claimed in this transaction, or is completed with another response.
Locks: ROW EXCLUSIVE on idem.anchor.';
REVOKE ALL ON FUNCTION idem.complete(text, text, jsonb) FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- channel: providers, and what goes to them and comes from them
-- ---------------------------------------------------------------------------

-- A channel is a provider as one contract sees it: the interfaces it answers
-- on, each with return codes of its own (room codes), the number under which
-- it knows an attempt, what of a request its answers repeat, and its days.
-- Scopes of effects outside name their channels (idem.scope.channels); room
-- send asks this room three things: which number an attempt goes by, which
-- day it is there, and what an answer means.  Nothing here changes a key.
--
--	idem.channel	a row a provider
--	idem.calendar	a row a version of its days; the newest counts from then on
--	idem.closure	a row a time in which it does not work
--	idem.serial_day	where the numbers of a day begin
--
-- Sequences of {seq:n} are called idem.serial_<channel>.  They are made when a
-- channel is declared and are no members of the extension, or pg_dump would
-- leave them out.

CREATE TABLE idem.channel (
    name        text COLLATE "C"
                CONSTRAINT channel_pkey PRIMARY KEY,
    send        text COLLATE "C",
    inquire     text COLLATE "C",
    notice      text COLLATE "C",
    statement   text COLLATE "C",
    serial      text COLLATE "C",
    serial_per  text COLLATE "C",
    serial_max  integer,
    serial_charset text COLLATE "C",
    first_serial bigint,
    echo        text[] COLLATE "C" NOT NULL,
    amount      text COLLATE "C" NOT NULL,
    absence     text COLLATE "C" NOT NULL,
    quiet       interval NOT NULL,
    partial     text COLLATE "C" NOT NULL,
    presume_days integer,
    idempotency_window interval,
    calendar    text COLLATE "C",
    created_by  name NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE idem.channel IS 'declared channels: a provider as one contract sees it';
COMMENT ON COLUMN idem.channel.name IS 'what scopes and idem.dispatch name it by';
COMMENT ON COLUMN idem.channel.send IS 'interface by which effects are sent: what its return codes are declared under; NULL: none';
COMMENT ON COLUMN idem.channel.inquire IS 'interface by which the provider is asked; NULL: none';
COMMENT ON COLUMN idem.channel.notice IS 'interface by which the provider calls; NULL: none';
COMMENT ON COLUMN idem.channel.statement IS 'interface of its statements; NULL: none';
COMMENT ON COLUMN idem.channel.serial IS 'form of the number under which the provider knows an attempt; NULL: the caller makes it';
COMMENT ON COLUMN idem.channel.serial_per IS 'key: all attempts of a key carry one number; attempt: each has one of its own';
COMMENT ON COLUMN idem.channel.serial_max IS 'how many characters the provider takes; NULL: any number';
COMMENT ON COLUMN idem.channel.serial_charset IS 'which characters the provider takes, as in [...] of a regular expression; NULL: all';
COMMENT ON COLUMN idem.channel.first_serial IS 'where {seq:n} was declared to begin; NULL: at 1, or where an earlier channel of the name ended';
COMMENT ON COLUMN idem.channel.echo IS 'members of an answer that repeat what was sent: they have to agree';
COMMENT ON COLUMN idem.channel.amount IS 'the member of request and answer that is the amount';
COMMENT ON COLUMN idem.channel.absence IS 'who may believe that the provider knows no such transaction: operator, inquiry or statement';
COMMENT ON COLUMN idem.channel.quiet IS 'how long after the dispatch that is not believed';
COMMENT ON COLUMN idem.channel.partial IS 'what another amount under the right number is: record: success with settled_amount; unknown';
COMMENT ON COLUMN idem.channel.presume_days IS 'business days after which no news is taken as success; NULL: never';
COMMENT ON COLUMN idem.channel.idempotency_window IS 'how long the provider knows a number again; NULL: for good';
COMMENT ON COLUMN idem.channel.calendar IS 'its days and hours; NULL: all are open';
COMMENT ON COLUMN idem.channel.created_by IS 'role that declared it';
COMMENT ON COLUMN idem.channel.created_at IS 'when';
REVOKE ALL ON TABLE idem.channel FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.channel', '');

CREATE TRIGGER idem_channel_invalidate
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON idem.channel
    FOR EACH STATEMENT EXECUTE FUNCTION idem.invalidate_definitions();
COMMENT ON TRIGGER idem_channel_invalidate ON idem.channel IS 'every session reads a changed channel anew';
ALTER TABLE idem.channel ENABLE ALWAYS TRIGGER idem_channel_invalidate;

-- A change is a row more, so that what was a day stays one.
CREATE TABLE idem.calendar (
    name        text COLLATE "C",
    valid_from  timestamptz,
    time_zone   text COLLATE "C" NOT NULL,
    cut         time NOT NULL,
    closed      text[] COLLATE "C" NOT NULL,
    around_cut  interval NOT NULL,
    weekend     integer[] NOT NULL,
    created_by  name NOT NULL,
    CONSTRAINT calendar_pkey PRIMARY KEY (name, valid_from)
);
COMMENT ON TABLE idem.calendar IS 'declared calendars, a row for each change';
COMMENT ON COLUMN idem.calendar.name IS 'what channels name it by';
COMMENT ON COLUMN idem.calendar.valid_from IS 'since when it is so, until the next row';
COMMENT ON COLUMN idem.calendar.time_zone IS 'name of a time zone, whose rules for summer time it follows';
COMMENT ON COLUMN idem.calendar.cut IS 'from this time of the day on it is the next business day; 24:00: from midnight on';
COMMENT ON COLUMN idem.calendar.closed IS 'times of the day in which nothing is sent, each from-to; over midnight where to is not later';
COMMENT ON COLUMN idem.calendar.around_cut IS 'how far from the cut the provider may book on either day';
COMMENT ON COLUMN idem.calendar.weekend IS 'days of the week that are no business days, 1 is Monday';
COMMENT ON COLUMN idem.calendar.created_by IS 'role that declared it';
REVOKE ALL ON TABLE idem.calendar FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.calendar', '');

CREATE TABLE idem.closure (
    calendar    text COLLATE "C",
    during      tstzrange,
    reason      text NOT NULL,
    added_by    name NOT NULL,
    CONSTRAINT closure_pkey PRIMARY KEY (calendar, during)
);
COMMENT ON TABLE idem.closure IS 'times in which a provider does not work: holidays, maintenance';
COMMENT ON COLUMN idem.closure.calendar IS 'which calendar';
COMMENT ON COLUMN idem.closure.during IS 'from when until when';
COMMENT ON COLUMN idem.closure.reason IS 'why';
COMMENT ON COLUMN idem.closure.added_by IS 'role that added it';
REVOKE ALL ON TABLE idem.closure FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.closure', '');

CREATE TABLE idem.serial_day (
    channel     text COLLATE "C",
    day         date,
    base        bigint NOT NULL,
    CONSTRAINT serial_day_pkey PRIMARY KEY (channel, day)
);
COMMENT ON TABLE idem.serial_day IS 'for {seq:n per day}: where the numbers of a day begin';
COMMENT ON COLUMN idem.serial_day.channel IS 'which channel';
COMMENT ON COLUMN idem.serial_day.day IS 'which day, in the zone of the channel''s calendar';
COMMENT ON COLUMN idem.serial_day.base IS 'the number of the sequence before the first one of the day';
REVOKE ALL ON TABLE idem.serial_day FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.serial_day', '');

-- ---------------------------------------------------------------------------
-- channel: the days and hours of a provider
-- ---------------------------------------------------------------------------

-- As it is at a time: the newest row that is not of later.
CREATE FUNCTION idem.calendar_at(calendar text, at timestamptz) RETURNS SETOF idem.calendar
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 1
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT * FROM idem.calendar c
        WHERE c.name = calendar_at.calendar AND c.valid_from <= calendar_at.at
        ORDER BY c.valid_from DESC LIMIT 1;
    END;
COMMENT ON FUNCTION idem.calendar_at(text, timestamptz) IS
    'a calendar as it is at a time, no row if there is none of this name';
REVOKE ALL ON FUNCTION idem.calendar_at(text, timestamptz) FROM PUBLIC;

-- A day on which nothing is booked: at the weekend, or closed from midnight to
-- midnight.
CREATE FUNCTION idem.is_day_off(calendar text, time_zone text, weekend integer[], day date) RETURNS boolean
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    RETURN extract(isodow FROM day)::integer = ANY (weekend)
           OR coalesce((SELECT range_agg(c.during) FROM idem.closure c
                        WHERE c.calendar = is_day_off.calendar
                              AND c.during && tstzrange(day::timestamp AT TIME ZONE time_zone, (day + 1)::timestamp AT TIME ZONE time_zone))
                       @> tstzrange(day::timestamp AT TIME ZONE time_zone, (day + 1)::timestamp AT TIME ZONE time_zone), false);
COMMENT ON FUNCTION idem.is_day_off(text, text, integer[], date) IS 'is a day at the weekend, or closed as a whole?';
REVOKE ALL ON FUNCTION idem.is_day_off(text, text, integer[], date) FROM PUBLIC;

CREATE FUNCTION idem.business_date(calendar text, at timestamptz DEFAULT pg_catalog.clock_timestamp()) RETURNS date
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    RETURN (WITH RECURSIVE c AS MATERIALIZED (
                SELECT * FROM idem.calendar_at(calendar, at)),
            d (day) AS (
                SELECT l.day + (at >= (l.day + c.cut) AT TIME ZONE c.time_zone)::integer
                FROM c, LATERAL (SELECT (at AT TIME ZONE c.time_zone)::date) l (day)
                UNION ALL
                SELECT d.day + 1 FROM d, c WHERE idem.is_day_off(c.name, c.time_zone, c.weekend, d.day))
            SELECT max(day) FROM d);
COMMENT ON FUNCTION idem.business_date(text, timestamptz) IS
    'the day on which a provider books what is sent at a time: from the cut on the next one, and the next that is no day off.
Out: NULL for a calendar that does not exist, or at a time before it did.';
REVOKE ALL ON FUNCTION idem.business_date(text, timestamptz) FROM PUBLIC;

CREATE FUNCTION idem.business_dates(calendar text, at timestamptz, OUT business_date date, OUT other_date date)
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT d.day, nullif(CASE d.day WHEN idem.business_date(calendar, at - c.around_cut) THEN idem.business_date(calendar, at + c.around_cut)
                                        ELSE idem.business_date(calendar, at - c.around_cut) END, d.day)
        FROM idem.calendar_at(calendar, at) c, LATERAL (SELECT idem.business_date(calendar, at)) d (day);
    END;
COMMENT ON FUNCTION idem.business_dates(text, timestamptz) IS
    'the business date of a time, and the one beside it if the time is close to the cut';
REVOKE ALL ON FUNCTION idem.business_dates(text, timestamptz) FROM PUBLIC;

-- How many business days come after a day, until another one.
CREATE FUNCTION idem.business_days(calendar text, since date, until date) RETURNS integer
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    RETURN (SELECT count(*)::integer
            FROM idem.calendar_at(calendar, clock_timestamp()) c,
                 generate_series(since + 1, until, interval '1 day') d (day)
            WHERE NOT idem.is_day_off(c.name, c.time_zone, c.weekend, d.day::date));
COMMENT ON FUNCTION idem.business_days(text, date, date) IS 'how many business days come after one day, until and with another one';
REVOKE ALL ON FUNCTION idem.business_days(text, date, date) FROM PUBLIC;

-- The end of each time that is closed at a moment.
CREATE FUNCTION idem.closed_until(calendar text, at timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    RETURN (SELECT max(u.until)
            FROM idem.calendar_at(calendar, at) c,
                 LATERAL (SELECT at AT TIME ZONE c.time_zone) l (here),
                 LATERAL (
                     SELECT upper(x.during) FROM idem.closure x WHERE x.calendar = c.name AND x.during @> at
                     UNION ALL
                     SELECT (l.here::date + 1)::timestamp AT TIME ZONE c.time_zone
                     WHERE extract(isodow FROM l.here)::integer = ANY (c.weekend)
                     UNION ALL
                     SELECT (l.here::date + (w.till <= w.since AND l.here::time >= w.since)::integer + w.till) AT TIME ZONE c.time_zone
                     FROM unnest(c.closed) p, LATERAL (SELECT split_part(p, '-', 1)::time, split_part(p, '-', 2)::time) w (since, till)
                     WHERE CASE WHEN w.since < w.till THEN l.here::time >= w.since AND l.here::time < w.till
                                ELSE l.here::time >= w.since OR l.here::time < w.till END) u (until)
            WHERE u.until > at);
COMMENT ON FUNCTION idem.closed_until(text, timestamptz) IS 'the latest end of what is closed at a time; NULL: it is open';
REVOKE ALL ON FUNCTION idem.closed_until(text, timestamptz) FROM PUBLIC;

CREATE FUNCTION idem.opens_at(calendar text, at timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    RETURN (WITH RECURSIVE o (moment, n) AS (
                SELECT at, 0
                UNION ALL
                SELECT idem.closed_until(calendar, o.moment), o.n + 1 FROM o
                WHERE o.n < 1000 AND idem.closed_until(calendar, o.moment) IS NOT NULL)
            SELECT max(moment) FROM o);
COMMENT ON FUNCTION idem.opens_at(text, timestamptz) IS 'the first time, from this one on, at which a calendar is open';
REVOKE ALL ON FUNCTION idem.opens_at(text, timestamptz) FROM PUBLIC;
-- ---------------------------------------------------------------------------
-- channel: what was declared, as a script
-- ---------------------------------------------------------------------------

-- What was a day before stays behind: a calendar as it is now, and what is
-- closed from now on.
CREATE VIEW idem.calendar_declarations AS
SELECT 40 AS rank, c.name,
       'SELECT idem.create_calendar(' || pg_catalog.concat_ws(', ', pg_catalog.quote_literal(c.name),
           'time_zone => ' || pg_catalog.quote_literal(c.time_zone),
           'cut => ' || pg_catalog.quote_literal(c.cut),
           'closed => ' || pg_catalog.quote_literal(c.closed),
           'around_cut => ' || pg_catalog.quote_literal(c.around_cut),
           'weekend => ' || pg_catalog.quote_literal(c.weekend)) || ');' AS statement
FROM (SELECT DISTINCT ON (name) * FROM idem.calendar ORDER BY name, valid_from DESC) c
UNION ALL
SELECT 41, c.calendar, pg_catalog.format('SELECT idem.add_closure(%L, during => %L, reason => %L);', c.calendar, c.during, c.reason)
FROM idem.closure c
WHERE pg_catalog.lower(c.during) > pg_catalog.now();
COMMENT ON VIEW idem.calendar_declarations IS 'calendars, as idem.declarations() writes them';
REVOKE ALL ON TABLE idem.calendar_declarations FROM PUBLIC;

CREATE VIEW idem.channel_declarations AS
SELECT 50 AS rank, c.name,
       'SELECT idem.create_channel(' || pg_catalog.concat_ws(', ', pg_catalog.quote_literal(c.name),
           'send => ' || pg_catalog.quote_literal(c.send),
           'inquire => ' || pg_catalog.quote_literal(c.inquire),
           'notice => ' || pg_catalog.quote_literal(c.notice),
           'statement => ' || pg_catalog.quote_literal(c.statement),
           'serial => ' || pg_catalog.quote_literal(c.serial),
           'serial_per => ' || pg_catalog.quote_literal(c.serial_per),
           'serial_max => ' || c.serial_max,
           'serial_charset => ' || pg_catalog.quote_literal(c.serial_charset),
           'first_serial => ' || c.first_serial,
           'echo => ' || pg_catalog.quote_literal(c.echo),
           'amount => ' || pg_catalog.quote_literal(c.amount),
           'absence => ' || pg_catalog.quote_literal(c.absence),
           'quiet => ' || pg_catalog.quote_literal(c.quiet),
           'partial => ' || pg_catalog.quote_literal(c.partial),
           'presume_days => ' || c.presume_days,
           'idempotency_window => ' || pg_catalog.quote_literal(c.idempotency_window),
           'calendar => ' || pg_catalog.quote_literal(c.calendar)) || ');' AS statement
FROM idem.channel c;
COMMENT ON VIEW idem.channel_declarations IS 'channels, as idem.declarations() writes them';
REVOKE ALL ON TABLE idem.channel_declarations FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- channel: declaring, altering and dropping
-- ---------------------------------------------------------------------------

-- The first thing that is wrong with a declaration, in an order in which a
-- reader would look at it.
CREATE FUNCTION idem.channel_flaw(name text, OUT flaw text, OUT hint text)
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT f.flaw, f.hint
        FROM idem.channel c, LATERAL (VALUES
            (1, c.name !~ '^[^[:cntrl:][:space:]]([^[:cntrl:]]*[^[:cntrl:][:space:]])?$' OR octet_length(c.name) > 55,
             'its name is none', 'A name is 1 to 55 bytes of text without control characters and without a blank at either end.'),
            (2, num_nonnulls(c.send, c.inquire, c.notice, c.statement) = 0,
             'it has no interface', 'Name the return codes of at least one: send, inquire, notice or statement.'),
            (3, (SELECT count(*) <> count(DISTINCT i) FROM unnest(ARRAY[c.send, c.inquire, c.notice, c.statement]) i WHERE i IS NOT NULL),
             'two interfaces are one', 'The same code means different things on different interfaces: give each a name of its own.'),
            (4, (c.serial IS NULL) <> (c.serial_per IS NULL),
             'serial and serial_per are given together', 'serial_per is ''key'' (all attempts carry one number) or ''attempt'' (each has its own).'),
            (5, c.serial_per NOT IN ('key', 'attempt'),
             format('invalid serial_per "%s"', c.serial_per), 'It is ''key'' or ''attempt''.'),
            (6, c.serial IS NULL AND num_nonnulls(c.serial_max, c.serial_charset, c.first_serial) > 0,
             'serial_max, serial_charset and first_serial are for a serial', NULL),
            (7, c.serial_max < 1 OR c.serial_charset = '',
             'serial_max and serial_charset must take something', NULL),
            (8, array_position(c.echo, NULL) IS NOT NULL OR '' = ANY (c.echo) OR 'code' = ANY (c.echo)
                OR (SELECT count(*) <> count(DISTINCT e) FROM unnest(c.echo) e) OR c.amount = '',
             'echo names members of an answer, each once', 'The members that repeat what was sent, such as ''{serial,amount}''; not the code.'),
            (9, c.absence NOT IN ('operator', 'inquiry', 'statement'),
             format('invalid absence "%s"', c.absence), 'It is ''operator'', ''inquiry'' or ''statement''.'),
            (10, c.absence = 'inquiry' AND c.inquire IS NULL OR c.absence = 'statement' AND c.statement IS NULL,
             format('absence "%s" needs that interface', c.absence), NULL),
            (11, c.quiet < '0' OR extract(year FROM c.quiet) <> 0 OR extract(month FROM c.quiet) <> 0 OR c.quiet > '36500 days',
             'quiet must not be negative, and has no months', NULL),
            (12, c.partial NOT IN ('record', 'unknown'),
             format('invalid partial "%s"', c.partial), 'It is ''record'' or ''unknown''.'),
            (13, c.partial = 'record' AND NOT c.echo @> ARRAY['serial', c.amount] COLLATE "C",
             'partial "record" needs the serial and the amount in echo', NULL),
            (14, c.presume_days < 1 OR c.presume_days IS NOT NULL AND c.calendar IS NULL,
             'presume_days are business days, at least 1, and need a calendar', NULL),
            (15, c.idempotency_window <= '0' OR extract(year FROM c.idempotency_window) <> 0
                 OR extract(month FROM c.idempotency_window) <> 0 OR c.idempotency_window > '36500 days',
             'idempotency_window must be longer than zero, and has no months', NULL),
            (16, c.calendar IS NOT NULL AND NOT EXISTS (SELECT FROM idem.calendar k WHERE k.name = c.calendar),
             format('calendar "%s" does not exist', c.calendar), 'Declare it with idem.create_calendar.')
        ) f (n, wrong, flaw, hint)
        WHERE c.name = channel_flaw.name AND f.wrong
        ORDER BY f.n LIMIT 1;
    END;
COMMENT ON FUNCTION idem.channel_flaw(text) IS 'what is wrong with a channel as it stands in idem.channel, and what to do; NULL: nothing';
REVOKE ALL ON FUNCTION idem.channel_flaw(text) FROM PUBLIC;

CREATE FUNCTION idem.calendar_flaw(name text, OUT flaw text, OUT hint text)
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT f.flaw, f.hint
        FROM idem.calendar_at(name, 'infinity') c, LATERAL (VALUES
            (1, c.name = '' OR octet_length(c.name) > 63, 'its name is none', 'A name is 1 to 63 bytes.'),
            (2, c.time_zone <> 'UTC' AND NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = c.time_zone),
             format('"%s" is no name of a time zone', c.time_zone), 'Name a zone, such as ''Asia/Shanghai'', whose rules for summer time it follows; see pg_timezone_names.'),
            (3, EXISTS (SELECT FROM unnest(c.closed) w
                        WHERE w !~ '^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$' OR w IS NULL
                              OR split_part(w, '-', 1) = split_part(w, '-', 2)),
             'closed is a list of times of the day, each from-to', 'As ''{23:30-00:30}''; over midnight where the end is not later.'),
            (4, c.around_cut < '0' OR c.around_cut > '12 hours',
             'around_cut must be 0 to 12 hours', NULL),
            (5, NOT '{1,2,3,4,5,6,7}' @> c.weekend OR array_position(c.weekend, NULL) IS NOT NULL
                OR c.weekend @> '{1,2,3,4,5,6,7}',
             'weekend names days of the week, not all of them', '1 is Monday, 7 is Sunday.')
        ) f (n, wrong, flaw, hint)
        WHERE f.wrong
        ORDER BY f.n LIMIT 1;
    END;
COMMENT ON FUNCTION idem.calendar_flaw(text) IS 'what is wrong with a calendar as it stands in idem.calendar, and what to do; NULL: nothing';
REVOKE ALL ON FUNCTION idem.calendar_flaw(text) FROM PUBLIC;

CREATE FUNCTION idem.create_channel(
    name text, send text DEFAULT NULL, inquire text DEFAULT NULL,
    notice text DEFAULT NULL, statement text DEFAULT NULL,
    serial text DEFAULT NULL, serial_per text DEFAULT NULL,
    serial_max integer DEFAULT NULL, serial_charset text DEFAULT NULL,
    first_serial bigint DEFAULT NULL,
    echo text[] DEFAULT '{}', amount text DEFAULT 'amount',
    absence text DEFAULT 'operator', quiet interval DEFAULT '10 min',
    partial text DEFAULT 'unknown', presume_days integer DEFAULT NULL,
    idempotency_window interval DEFAULT NULL, calendar text DEFAULT NULL
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_create_channel'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.create_channel(text, text, text, text, text, text, text, integer, text, bigint, text[], text, text, interval, text, integer, interval, text) IS
    'declares a channel: a provider as one contract sees it.
In: name (1 to 55 bytes); send, inquire, notice, statement: interfaces, each with return codes of its own; serial: form of the number under which the provider knows an attempt, of text and {key}, {hash:n}, {attempt}, {seq:n}, {seq:n per day}, {YYYYMMDD}, {YYMMDD}, {HHMMSS}, the last three also with Z; serial_per, with serial: ''key'' (all attempts carry one number) or ''attempt''; serial_max, serial_charset: how many characters the provider takes, and which, as in [...] of a regular expression; first_serial: where {seq:n} begins; an earlier channel of the name has counted on, and where it ended this one goes on (a NOTICE names the number), or at first_serial if that is further ahead.
echo: members of an answer that repeat what was sent and have to agree; amount: the one that is the amount; absence: who may believe that there is no such transaction: ''operator'', ''inquiry'' (two, quiet apart) or ''statement''; quiet: how long after the dispatch that is not believed; partial: what another amount under the right serial is: ''unknown'' or ''record''; presume_days: business days after which no news is success; idempotency_window: how long the provider knows a number again; calendar.
The same again is a no-op with a NOTICE. Kept in idem.change_log.
Errors: 22004 null; 22023 what cannot be kept, a first_serial that was passed, or per day where an earlier channel of the name did not count so; 42710 another channel of this name.
Locks: SHARE ROW EXCLUSIVE on idem.channel: one declaration at a time, calls go on.';
REVOKE ALL ON FUNCTION idem.create_channel(text, text, text, text, text, text, text, integer, text, bigint, text[], text, text, interval, text, integer, interval, text) FROM PUBLIC;

CREATE FUNCTION idem.alter_channel(
    name text, send text DEFAULT NULL, inquire text DEFAULT NULL,
    notice text DEFAULT NULL, statement text DEFAULT NULL,
    echo text[] DEFAULT NULL, absence text DEFAULT NULL, quiet interval DEFAULT NULL,
    partial text DEFAULT NULL, presume_days integer DEFAULT NULL,
    idempotency_window interval DEFAULT NULL, calendar text DEFAULT NULL,
    force text DEFAULT NULL
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_alter_channel'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.alter_channel(text, text, text, text, text, text[], text, interval, text, integer, interval, text, text) IS
    'changes what a channel was declared with; what is NULL stays. Serials stay always.
Looser (42P17 without force, which is the reason): another interface or calendar in place of one; fewer echo; absence inquiry, or anything but operator; a shorter quiet; partial record; presume_days, or fewer; a longer idempotency_window. Kept in idem.change_log; every session obeys from its next statement on.
Errors: 22004 name null; 22023 what cannot be kept, or force blank or longer than 1,000 characters; 42704 unknown channel; 42P17 looser; 42501 looser and no approval where one is needed.
Locks: SHARE ROW EXCLUSIVE on idem.channel; calls go on.';
REVOKE ALL ON FUNCTION idem.alter_channel(text, text, text, text, text, text[], text, interval, text, integer, interval, text, text) FROM PUBLIC;

CREATE FUNCTION idem.drop_channel(name text) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_drop_channel'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.drop_channel(text) IS
    'forgets a channel that no scope names and by which nothing is under way. Its sequence stays, so that one of the same name gives no number twice. Kept in idem.change_log.
Errors: 22004 name null; 42704 unknown channel; 2BP01 a scope names it, or a key that went by it is not settled.
Locks: SHARE ROW EXCLUSIVE on idem.channel and idem.reservation: it waits for calls under way for effects outside, and those that come wait for it.';
REVOKE ALL ON FUNCTION idem.drop_channel(text) FROM PUBLIC;

CREATE FUNCTION idem.create_calendar(
    name text, time_zone text, cut time DEFAULT '24:00', closed text[] DEFAULT '{}',
    around_cut interval DEFAULT '0', weekend integer[] DEFAULT '{}'
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_create_calendar'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.create_calendar(text, text, time, text[], interval, integer[]) IS
    'declares the days and hours of a provider.
In: time_zone: its name; cut: from this time of the day on it is the next business day; closed: times of the day in which nothing is sent, each from-to, over midnight too; around_cut: how far from the cut it may book on either day; weekend: days of the week that are no business days, and closed, 1 is Monday.
The same again is a no-op with a NOTICE. Kept in idem.change_log.
Errors: 22004 null; 22023 what cannot be kept; 42710 another calendar of this name.
Locks: as idem.create_channel.';
REVOKE ALL ON FUNCTION idem.create_calendar(text, text, time, text[], interval, integer[]) FROM PUBLIC;

CREATE FUNCTION idem.alter_calendar(
    name text, time_zone text DEFAULT NULL, cut time DEFAULT NULL, closed text[] DEFAULT NULL,
    around_cut interval DEFAULT NULL, weekend integer[] DEFAULT NULL
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_alter_calendar'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.alter_calendar(text, text, time, text[], interval, integer[]) IS
    'changes a calendar from now on; what is NULL stays, and so does what was a day before. Kept in idem.change_log.
Errors: 22004 name null; 22023 what cannot be kept; 42704 unknown calendar.
Locks: as idem.create_channel.';
REVOKE ALL ON FUNCTION idem.alter_calendar(text, text, time, text[], interval, integer[]) FROM PUBLIC;

CREATE FUNCTION idem.drop_calendar(name text) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_drop_calendar'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.drop_calendar(text) IS
    'forgets a calendar that no channel has. Kept in idem.change_log.
Errors: 22004 name null; 42704 unknown calendar; 2BP01 a channel has it, or closures are still to come.
Locks: as idem.create_channel.';
REVOKE ALL ON FUNCTION idem.drop_calendar(text) FROM PUBLIC;

CREATE FUNCTION idem.add_closure(calendar text, during tstzrange, reason text) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_add_closure'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.add_closure(text, tstzrange, text) IS
    'says that a provider does not work then: a holiday, maintenance. A day that is closed from midnight to midnight is no business day. Kept in idem.change_log.
Errors: 22004 null; 22023 a closure that has begun, or no reason; 42704 unknown calendar.
Locks: as idem.create_channel.';
REVOKE ALL ON FUNCTION idem.add_closure(text, tstzrange, text) FROM PUBLIC;

CREATE FUNCTION idem.drop_closure(calendar text, during tstzrange, reason text) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_drop_closure'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.drop_closure(text, tstzrange, text) IS
    'takes a closure back; one that is under way ends now. Kept in idem.change_log.
Errors: 22004 null; 22023 no reason; 42704 no such closure, or one that is over.
Locks: as idem.create_channel.';
REVOKE ALL ON FUNCTION idem.drop_closure(text, tstzrange, text) FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- send: effects outside of the database, sent at most once
-- ---------------------------------------------------------------------------

-- One place that says which words the letters are.
CREATE VIEW idem.open_claims AS
    SELECT s.name AS scope, r.key,
           CASE r.state WHEN 'r' THEN 'reserved' WHEN 'd' THEN 'dispatched' WHEN 'u' THEN 'unknown'
                        WHEN 'l' THEN 'released' WHEN 's' THEN 'succeeded' WHEN 'f' THEN 'failed'
                        WHEN 'a' THEN 'adopted' WHEN 'n' THEN 'fenced' END AS state,
           r.token, r.attempt, r.request, r.first_seen, r.lease_until, r.dispatched_at, r.due_at, r.step,
           CASE WHEN r.state IN ('d', 'u') AND r.step < pg_catalog.cardinality(s.ladder) THEN 'inquire'
                WHEN r.concern IN ('l', 's') THEN 'late result' WHEN r.concern = 'r' THEN 'reverse needed'
                WHEN r.concern = 'a' THEN 'stale attempt' WHEN r.concern = 'm' THEN 'lost attempt'
                WHEN r.step >= pg_catalog.cardinality(s.ladder) THEN 'manual'
                ELSE 'abandoned reservation' END AS why,
           a.channel, coalesce(a.serial, r.serial) AS serial, a.business_date, a.other_date
    FROM idem.reservation r JOIN idem.scope s ON s.id = r.scope
         LEFT JOIN idem.attempt a ON a.scope = r.scope AND a.key = r.key AND a.attempt = r.attempt
    WHERE r.due_at IS NOT NULL;
COMMENT ON VIEW idem.open_claims IS 'every key of an effect outside that is not final, or that a person has to look at';
COMMENT ON COLUMN idem.open_claims.scope IS 'scope of the key';
COMMENT ON COLUMN idem.open_claims.key IS 'the key';
COMMENT ON COLUMN idem.open_claims.state IS 'reserved, dispatched, unknown or released; a final state only with a late result or a reversal needed';
COMMENT ON COLUMN idem.open_claims.token IS 'newest token';
COMMENT ON COLUMN idem.open_claims.attempt IS 'which attempt';
COMMENT ON COLUMN idem.open_claims.request IS 'the first request';
COMMENT ON COLUMN idem.open_claims.first_seen IS 'when the key was first reserved';
COMMENT ON COLUMN idem.open_claims.lease_until IS 'end of the holder''s lease';
COMMENT ON COLUMN idem.open_claims.dispatched_at IS 'when it may have begun to leave';
COMMENT ON COLUMN idem.open_claims.due_at IS 'when idem.due hands it out next';
COMMENT ON COLUMN idem.open_claims.step IS 'how often idem.due has handed it out since it was last dispatched, answered or put before a person';
COMMENT ON COLUMN idem.open_claims.why IS 'what idem.due says about it';
COMMENT ON COLUMN idem.open_claims.channel IS 'the channel the attempt went by; NULL: none, or it was not dispatched';
COMMENT ON COLUMN idem.open_claims.serial IS 'the number under which the provider knows it; NULL: none was made';
COMMENT ON COLUMN idem.open_claims.business_date IS 'the provider''s day of the attempt; NULL: no calendar';
COMMENT ON COLUMN idem.open_claims.other_date IS 'the day beside it, of an attempt dispatched close to the cut';
REVOKE ALL ON TABLE idem.open_claims FROM PUBLIC;

-- The doctor's.  idem.due skips what somebody has locked, without a word: a
-- transaction that was prepared and forgotten would hide a key for good.
CREATE VIEW idem.claim_problems AS
    SELECT 'warning'::text AS severity, pg_catalog.format('scope %I', s.name) AS object,
           pg_catalog.format('%s claims are overdue, the oldest since %s: %s', pg_catalog.count(*), pg_catalog.min(r.due_at),
                             coalesce('held by prepared transaction ' || pg_catalog.string_agg(DISTINCT pg_catalog.quote_literal(p.gid), ', '),
                                      'nobody calls idem.due, or an open transaction holds them')) AS finding,
           coalesce(pg_catalog.format('COMMIT PREPARED %L or ROLLBACK PREPARED %1$L', pg_catalog.min(p.gid)),
                    pg_catalog.format('call idem.due(%L) all the time, and look for old transactions in pg_stat_activity', s.name)) AS remedy
    FROM idem.reservation r JOIN idem.scope s ON s.id = r.scope
         LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = r.xmax AND p.database = pg_catalog.current_database()
    WHERE r.due_at < pg_catalog.clock_timestamp() - interval '1 hour'
          -- nobody can do anything about a key that is reserved and could not be dispatched now
          AND NOT (r.state = 'r'
                   AND (EXISTS (SELECT FROM idem.pause p WHERE (p.kind, p.name) = ('scope', s.name))
                        OR s.channels <> '{}'
                           AND NOT EXISTS (SELECT FROM idem.channel c
                                           WHERE c.name = ANY (s.channels)
                                                 AND NOT EXISTS (SELECT FROM idem.pause p WHERE (p.kind, p.name) = ('channel', c.name))
                                                 AND (c.calendar IS NULL
                                                      OR idem.closed_until(c.calendar, pg_catalog.clock_timestamp()) IS NULL))))
    GROUP BY s.id
    UNION ALL
    SELECT 'error', pg_catalog.format('scope %I', s.name),
           CASE WHEN r.state = 'r'
                THEN pg_catalog.format('keys that are reserved for an attempt that was dispatched before: %s; idem.reservation is older than idem.attempt', pg_catalog.count(*))
                ELSE pg_catalog.format('keys that were dispatched, and have no row in idem.attempt: %s', pg_catalog.count(*)) END,
           'carry the tables of claims together, from one moment; look at the keys in idem.open_claims, and ask the provider about each'
    FROM idem.reservation r JOIN idem.scope s ON s.id = r.scope
    WHERE r.due_at IS NOT NULL
          AND CASE WHEN r.state = 'r' THEN true WHEN r.state IN ('d', 'u') AND r.dispatched_at IS NOT NULL THEN false END
              = EXISTS (SELECT FROM idem.attempt a WHERE (a.scope, a.key, a.attempt) = (r.scope, r.key, r.attempt))
    GROUP BY s.id, r.state
    UNION ALL
    SELECT 'notice', pg_catalog.format('scope %I', s.name),
           'asks for no standby: when synchronous_standby_names is emptied, as a manager of standbys does that has lost one, effects go on without',
           pg_catalog.format('SELECT idem.alter_scope(%L, standbys => 1)', s.name)
    FROM idem.scope s
    WHERE s.effect = 'outside' AND s.standbys = 0
          AND pg_catalog.current_setting('synchronous_standby_names') <> '';
COMMENT ON VIEW idem.claim_problems IS 'scopes of effects outside in which a key was due an hour ago and nobody has looked at it, those whose rows of keys and of attempts are not of one moment, and those that ask for no standby where the server has one that is waited for';
REVOKE ALL ON TABLE idem.claim_problems FROM PUBLIC;

CREATE TYPE idem.due_result AS (
    outcome          text,
    granted          boolean,
    settled          boolean,
    reentrant        boolean,
    key              text,
    state            text,
    response         jsonb,
    response_dropped boolean,
    mismatch         text[],
    first_seen       timestamptz,
    detail           text,
    token            bigint,
    attempt          integer,
    serial           text,
    channel          text,
    business_date    date,
    other_date       date,
    dispatched_at    timestamptz,
    finished_at      timestamptz,
    lease_until      timestamptz,
    retry_at         timestamptz,
    settled_amount   numeric,
    marks            text[],
    request          jsonb,
    step             integer,
    why              text
);
COMMENT ON TYPE idem.due_result IS
    'a key that somebody has to look at now: the columns of idem.send_result and three more';
COMMENT ON COLUMN idem.due_result.outcome IS 'in_progress, unknown, released, replayed or fenced';
COMMENT ON COLUMN idem.due_result.granted IS 'false: to look is not to send';
COMMENT ON COLUMN idem.due_result.settled IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.reentrant IS 'false';
COMMENT ON COLUMN idem.due_result.key IS 'the key';
COMMENT ON COLUMN idem.due_result.state IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.response IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.response_dropped IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.mismatch IS 'NULL';
COMMENT ON COLUMN idem.due_result.first_seen IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.detail IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.token IS 'newest token, for completing instead of resolving';
COMMENT ON COLUMN idem.due_result.attempt IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.serial IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.channel IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.business_date IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.other_date IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.dispatched_at IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.finished_at IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.lease_until IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.retry_at IS 'when it is handed out again';
COMMENT ON COLUMN idem.due_result.settled_amount IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.marks IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.request IS 'the first request: what to ask the provider about';
COMMENT ON COLUMN idem.due_result.step IS 'how often it has been handed out, this time included';
COMMENT ON COLUMN idem.due_result.why IS 'inquire, abandoned reservation, late result, reverse needed, stale attempt, lost attempt or manual';

CREATE FUNCTION idem.reserve(scope text, key text, request jsonb DEFAULT NULL,
                             nonce text DEFAULT NULL, lease interval DEFAULT NULL, confirmed text DEFAULT NULL)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_reserve'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.reserve(text, text, jsonb, text, interval, text) IS
    'takes a key for an effect outside, for a lease; nothing may be sent before idem.dispatch. Call it as SELECT * FROM idem.reserve(...).
In: request with the members the scope declares; nonce: what the caller calls this very call, so that it gets its token again; lease: NULL is the scope''s; confirmed: as of idem.claim.
Out: outcome reserved with a token (first; next attempt after a release; an expired reservation taken over; reentrant: the same nonce again), replayed, in_progress, unknown, mismatch, fenced, expired, reused (the key was used longer ago than the scope''s repeat_within), duplicate (reserved before in this transaction), suspect (another key has the same duplicate_fields, and on_duplicate is hold; also of a key that was released, when it is reserved again), paused (it would be reserved, but for idem.pause), misplaced (but for the place: idem.set_site; with retry_at: a new key while those are held). granted is always false.
serial: that of every attempt of the key, if all channels of the scope would make the same of it; idem.dispatch makes the others, and all that count ({seq:n}).
The commit is flushed whatever synchronous_commit says; PREPARE TRANSACTION is refused (0A000).
Errors: 22004 scope null; 42704 unknown scope; 42501 a scope in which the role uses no keys; 55I02 scope for effects inside; 22I01 a key that is null, empty or longer than 255 bytes, or is not there and does not have the form that the scope asks for, or of which a channel takes no serial; 22023 request lacks a declared field or holds a number of more than 1,000 digits, invalid nonce, lease or confirmed; 42501 confirmed by a caller who may not, or the approval of another person is missing; 55000 fewer synchronous standbys than the scope asks for; 0A000 on a Citus cluster of several nodes; 25006 on a standby or in a read-only transaction; 40001 under REPEATABLE READ or SERIALIZABLE if the key changed, or under hold another one with the same members was committed, after the snapshot.
Locks: ROW EXCLUSIVE on idem.reservation, with duplicate_fields also on idem.sighting and idem.suspect; the row, if it is taken over or taken again. Never waits for a rival.';
REVOKE ALL ON FUNCTION idem.reserve(text, text, jsonb, text, interval, text) FROM PUBLIC;

-- The answer is idem.send_result without what the caller gave (key, token), as
-- columns of its own, so that CALL returns an ordinary row.
CREATE PROCEDURE idem.dispatch(
    scope text, key text, token bigint,
    INOUT outcome text DEFAULT NULL, INOUT granted boolean DEFAULT NULL,
    INOUT settled boolean DEFAULT NULL, INOUT reentrant boolean DEFAULT NULL,
    INOUT state text DEFAULT NULL, INOUT response jsonb DEFAULT NULL,
    INOUT response_dropped boolean DEFAULT NULL, INOUT mismatch text[] DEFAULT NULL,
    INOUT first_seen timestamptz DEFAULT NULL, INOUT detail text DEFAULT NULL,
    INOUT attempt integer DEFAULT NULL, INOUT serial text DEFAULT NULL,
    INOUT channel text DEFAULT NULL, INOUT business_date date DEFAULT NULL,
    INOUT other_date date DEFAULT NULL, INOUT dispatched_at timestamptz DEFAULT NULL,
    INOUT finished_at timestamptz DEFAULT NULL, INOUT lease_until timestamptz DEFAULT NULL,
    INOUT retry_at timestamptz DEFAULT NULL, INOUT settled_amount numeric DEFAULT NULL,
    INOUT marks text[] DEFAULT NULL)
    AS 'MODULE_PATHNAME', 'idem_dispatch'
    LANGUAGE C;
COMMENT ON PROCEDURE idem.dispatch(text, text, bigint, text, boolean, boolean, boolean, text, jsonb, boolean, text[], timestamptz, text, integer, text, text, date, date, timestamptz, timestamptz, timestamptz, timestamptz, numeric, text[]) IS
    'marks a reserved key as sent, commits, and only then answers: CALL idem.dispatch(scope, key, token), and channel => ... where the scope names several.
Out: a row, the columns of idem.send_result without key and token. granted true, outcome granted: the first dispatch of the newest token; send now, once. granted false: do not send; outcome in_progress or unknown (sent before), replayed, fenced, late, paused (idem.pause: the key stays reserved), misplaced (idem.set_site: not from here; the key stays reserved).
closed: the channel is closed until retry_at, and stale_attempt: the provider may not know the serial again; the key stays reserved.
serial: the number under which the provider knows the attempt, made before the commit and kept with it.
Errors: 25001 in a transaction block or function; 40003 the standbys that are required have not confirmed it: do not send, the key stays dispatched; 55I01 token never issued; 55I02 key never reserved; 22004 no channel, where the scope names several; 22023 a channel that is not the scope''s, or a request without a member that it echoes; 22I01 a key of which the channel takes no serial; 2200H no number left for {seq:n}; others as reserve.
Locks: ROW EXCLUSIVE on idem.reservation and idem.attempt; the row, for which it waits. Waits for the standbys, whatever synchronous_commit says.';
REVOKE ALL ON PROCEDURE idem.dispatch(text, text, bigint, text, boolean, boolean, boolean, text, jsonb, boolean, text[], timestamptz, text, integer, text, text, date, date, timestamptz, timestamptz, timestamptz, timestamptz, numeric, text[]) FROM PUBLIC;

-- The same for PL/pgSQL, whose CALL wants a variable for every column of an
-- answer: here it is one.
CREATE PROCEDURE idem.dispatch(scope text, key text, token bigint, INOUT answer idem.send_result)
    AS 'MODULE_PATHNAME', 'idem_dispatch_answer'
    LANGUAGE C;
COMMENT ON PROCEDURE idem.dispatch(text, text, bigint, idem.send_result) IS
    'idem.dispatch with its answer as one value, for PL/pgSQL: DECLARE answer idem.send_result; BEGIN CALL idem.dispatch(scope, key, token, answer); IF answer.granted THEN ...
In: of the variable only its channel is read, so clear it before the next key: answer := NULL.
Out, errors and locks: as idem.dispatch with columns. A DO block or a procedure that calls it must not be in a transaction block itself.';
REVOKE ALL ON PROCEDURE idem.dispatch(text, text, bigint, idem.send_result) FROM PUBLIC;

CREATE FUNCTION idem.heartbeat(scope text, key text, token bigint, lease interval DEFAULT NULL)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_heartbeat'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.heartbeat(text, text, bigint, interval) IS
    'gives the holder of the newest token a new lease, from now.
Out: outcome reserved or dispatched with the new lease_until; any other outcome: the key is not yours any more, and nothing was changed.
Errors: as complete.
Locks: ROW EXCLUSIVE on idem.reservation; the row, for which it waits.';
REVOKE ALL ON FUNCTION idem.heartbeat(text, text, bigint, interval) FROM PUBLIC;

CREATE FUNCTION idem.release(scope text, key text, token bigint)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_release'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.release(text, text, bigint) IS
    'gives a reservation back that was never dispatched: the key may be reserved again.
Out: outcome released; any other outcome: nothing was released. Whoever was given the message again reserves it; if nobody has by the end of a lease of the scope, idem.due says abandoned reservation, and idem.open_claims says so at once.
Errors: as complete; 55I02 if it was dispatched: what may have been sent is completed or resolved.
Locks: ROW EXCLUSIVE on idem.reservation; the row, for which it waits.';
REVOKE ALL ON FUNCTION idem.release(text, text, bigint) FROM PUBLIC;

CREATE FUNCTION idem.complete(scope text, key text, token bigint, outcome text, response jsonb DEFAULT NULL)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_complete_outside'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.complete(text, text, bigint, text, jsonb) IS
    'stores what became of an effect outside.
In: outcome succeeded, failed (with the provider''s answer as response; without one it is stored as unknown; before dispatch it means never sent) or unknown.
Out: outcome succeeded, failed or unknown; reentrant if it was stored before; late: contradicts what is known, or comes from an overtaken token, and is kept in idem.late_result for a person.
Errors: 22004 argument null; 22023 invalid outcome; 55I01 token never issued; 55I02 key never reserved, or never dispatched; 25006 on a standby or in a read-only transaction; 40001 under REPEATABLE READ or SERIALIZABLE if the key changed after the snapshot.
Locks: ROW EXCLUSIVE on idem.reservation; the row, for which it waits; ROW EXCLUSIVE on idem.late_result where something is kept there, in which calls for one key take turns.';
REVOKE ALL ON FUNCTION idem.complete(text, text, bigint, text, jsonb) FROM PUBLIC;

CREATE FUNCTION idem.complete(scope text, key text, token bigint, answer jsonb)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_complete_answer'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.complete(text, text, bigint, jsonb) IS
    'stores what the provider answered to an effect outside, in a scope with channels: its code tells what became of it. Call it as idem.complete(scope, key, token, answer => ...).
In: answer: an object with a member code (a text, layers parted by slashes, or an array of layers) and what the channel echoes; NULL: there was none.
Out: outcome succeeded, failed or unknown (also with mismatch: the answer is not about this request, kept in idem.late_result), returned; late and reentrant as with an outcome.
Errors: 22023 a scope without channels; others as complete with an outcome.
Locks: as complete with an outcome, and ROW EXCLUSIVE on idem.evidence where the answer leaves it unknown.';
REVOKE ALL ON FUNCTION idem.complete(text, text, bigint, jsonb) FROM PUBLIC;

CREATE FUNCTION idem.resolve(scope text, key text, outcome text DEFAULT NULL, evidence jsonb DEFAULT NULL,
                             response jsonb DEFAULT NULL, force text DEFAULT NULL,
                             attempt integer DEFAULT NULL, asked_at timestamptz DEFAULT NULL,
                             via text DEFAULT NULL, answer jsonb DEFAULT NULL)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_resolve'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.resolve(text, text, text, jsonb, jsonb, text, integer, timestamptz, text, jsonb) IS
    'settles a dispatched or unknown key with evidence: an inquiry, a notice of the provider, a person. Who, when and what are kept in idem.evidence.
In: outcome succeeded, failed or released (it never arrived; may be tried again); evidence, not empty; force, for operators: a reason to do it within the quiet interval, or to close a late result or a reversal needed; attempt: which one it is about, NULL is the last one: name it wherever the provider knows attempts by serial numbers of their own; asked_at: when the provider was asked, by the clock of the database, NULL is now: what was asked within the quiet interval is not believed after it either. A time to come counts as now.
In a scope with channels: answer (or response): what the provider said, which is its own evidence; via: the interface by which it came, whose codes tell what it means. An outcome given as well is a second opinion: where they differ, it stays unknown. Without an answer only force settles.
Out: outcome succeeded, failed, released, fenced (released, but a fence came meanwhile), reverse_needed (succeeded, but a fence came meanwhile); in_progress or unknown with retry_at if it was asked within the quiet interval of the scope, nothing changed; returned (it succeeded, and came back); unknown with mismatch: the answer is not about this request, kept in idem.late_result; late: contradicts what is known, or an earlier attempt succeeded after all, or the key waits for a person and the caller is no operator, kept in idem.late_result; reentrant: was so before.
Errors: 22004 argument null, or an answer and no via; 42501 force by a role that is no operator; 22023 invalid outcome, empty evidence, no such attempt, an interface of no channel, or force blank or longer than 1,000 characters; 55I02 key never reserved, or never dispatched; others as complete.
Locks: ROW EXCLUSIVE on idem.reservation; the row, for which it waits; ROW EXCLUSIVE on idem.evidence or idem.late_result where something is kept there, in which calls for one key take turns.';
REVOKE ALL ON FUNCTION idem.resolve(text, text, text, jsonb, jsonb, text, integer, timestamptz, text, jsonb) FROM PUBLIC;

CREATE FUNCTION idem.fence(scope text, key text, reason text)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_fence'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.fence(text, text, text) IS
    'makes sure that a key which has not run will never run, in scopes of both kinds; for reversals and cancellations that overtake their original.
Out: outcome fenced: it never ran and never will; replayed: it is final, and how; in_progress or unknown: it may have been sent, nothing can be blocked, the fence is remembered; or, in_progress, somebody is about to change it: ask again.
Errors: 22004 argument null; 22023 reason blank or longer than 1,000 characters; others as reserve.
Locks: ROW EXCLUSIVE on idem.reservation or idem.anchor; the row; ROW EXCLUSIVE on idem.evidence, in which calls for one key take turns. Never waits for a rival.';
REVOKE ALL ON FUNCTION idem.fence(text, text, text) FROM PUBLIC;

CREATE FUNCTION idem.due(scope text, batch integer DEFAULT 100)
    RETURNS SETOF idem.due_result
    AS 'MODULE_PATHNAME', 'idem_due'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.due(text, integer) IS
    'hands out what somebody must look at now, oldest first, each one step further along the ladder of the scope; at its end why is manual, and it keeps coming.
Out: at most batch rows. why: inquire (ask the provider, then resolve), abandoned reservation (nothing was sent: reserve it again, or fence it), late result, reverse needed, stale attempt, manual.
Two sessions are not handed the same row (SKIP LOCKED). Never a leave to send.
Errors: 22004 argument null; 22023 batch below 1; 42704 unknown scope; 55I02 scope for effects inside; 25006 on a standby or in a read-only transaction.
Locks: ROW EXCLUSIVE on idem.reservation; the rows handed out, until the transaction ends.';
REVOKE ALL ON FUNCTION idem.due(text, integer) FROM PUBLIC;

CREATE FUNCTION idem.lookup(scope text, key text)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_lookup'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.lookup(text, text) IS
    'reads what is known of a key and changes nothing.
Out: outcome unseen, replayed (done: the response), in_progress (held by another transaction that has not ended, or under a lease), duplicate (claimed in this transaction), fenced, suspect (it was held as a duplicate of another key, and nobody has confirmed it); of effects outside also unknown, released; granted is always false.
Errors: 22004 scope null; 42704 unknown scope; 22I01 a key that is null, empty or longer than 255 bytes, or is not there and does not have the form that the scope asks for; 25006 on a standby, whose answer could be old; 40001 as claim.
Locks: ACCESS SHARE on idem.anchor, or on idem.reservation and idem.attempt; of a key that is not there, in a scope that holds duplicates, on idem.suspect and idem.evidence.';
REVOKE ALL ON FUNCTION idem.lookup(text, text) FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- send: what was heard of providers, and what it means by now
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.correct(scope text, key text, outcome text, reason text, evidence jsonb)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_correct'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.correct(text, text, text, text, jsonb) IS
    'puts a final state right that turned out to be wrong; closes what waited for a person. For operators. Kept in idem.evidence, and marked as corrected in every answer; guards see the corrected state.
In: outcome succeeded or failed; reason and evidence: why, and what shows it.
Out: the state; reentrant: it was so before, and nothing was changed. The response stays what the provider said.
Errors: 42501 no operator, or no approval where one is needed; 22004 argument null; 22023 another outcome, or a reason that is blank or longer than 1,000 characters; 55I02 a key that is not final, or of which nothing is known; others as complete.
Locks: ROW EXCLUSIVE on idem.reservation and idem.evidence; the row, for which it waits.';
REVOKE ALL ON FUNCTION idem.correct(text, text, text, text, jsonb) FROM PUBLIC;

CREATE FUNCTION idem.presume(scope text, batch integer DEFAULT 100)
    RETURNS SETOF idem.send_result
    AS 'MODULE_PATHNAME', 'idem_presume'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.presume(text, integer) IS
    'takes for success what a channel with presume_days has been silent about for that many of its business days. The keys are succeeded and marked as presumed; a return still comes. To be called as often as idem.due is.
Out: at most batch rows, one for each key that was presumed; outcome succeeded, or reverse_needed if a fence came meanwhile.
Errors: as idem.due.
Locks: ROW EXCLUSIVE on idem.reservation; the rows, for which it does not wait.';
REVOKE ALL ON FUNCTION idem.presume(text, integer) FROM PUBLIC;

-- Every answer that was kept with its interface: in the logs those that left a
-- key open, were late or came by another way than complete; else the response.
CREATE VIEW idem.heard AS
SELECT e.scope, e.key, e.attempt, e.at, e.via, e.codes
FROM idem.evidence e
WHERE e.via IS NOT NULL AND e.response IS NOT NULL
UNION ALL
SELECT l.scope, l.key, l.attempt, l.at, l.via, l.codes
FROM idem.late_result l
WHERE l.via IS NOT NULL
UNION ALL
SELECT r.scope, r.key, r.attempt, r.finished_at, c.send,
       CASE pg_catalog.jsonb_typeof(r.response -> 'code')
            WHEN 'array' THEN ARRAY(SELECT pg_catalog.jsonb_array_elements_text(r.response -> 'code'))
            ELSE pg_catalog.string_to_array(r.response ->> 'code', '/') END
FROM idem.reservation r
JOIN idem.attempt a ON a.scope = r.scope AND a.key = r.key AND a.attempt = r.attempt
JOIN idem.channel c ON c.name = a.channel
WHERE r.state IN ('s', 'f') AND r.response ? 'code' AND c.send IS NOT NULL
      AND NOT EXISTS (SELECT FROM idem.evidence e
                      WHERE e.scope = r.scope AND e.key = r.key AND e.attempt = r.attempt AND e.response = r.response);
COMMENT ON VIEW idem.heard IS 'every answer of a provider that was kept with the interface it came by';
COMMENT ON COLUMN idem.heard.scope IS 'id of the scope';
COMMENT ON COLUMN idem.heard.key IS 'the key';
COMMENT ON COLUMN idem.heard.attempt IS 'the attempt it is about';
COMMENT ON COLUMN idem.heard.at IS 'when it came';
COMMENT ON COLUMN idem.heard.via IS 'the interface';
COMMENT ON COLUMN idem.heard.codes IS 'its code, a layer an element; NULL: it had none';
REVOKE ALL ON TABLE idem.heard FROM PUBLIC;

-- A view and no counter: a row that every complete would have to change would
-- hold them all up in the very outage that it is to report.
CREATE VIEW idem.unlisted_codes AS
SELECT u.interface, u.code, u.first_seen, u.last_seen, u.seen, u.scope, u.key
FROM (SELECT h.via AS interface, h.codes, pg_catalog.array_to_string(h.codes, '/') AS code, pg_catalog.min(h.at) AS first_seen,
             pg_catalog.max(h.at) AS last_seen, pg_catalog.count(*) AS seen,
             pg_catalog.min(s.name) AS scope, pg_catalog.max(h.key) AS key
      FROM idem.heard h JOIN idem.scope s ON s.id = h.scope
      GROUP BY h.via, h.codes) u
WHERE EXISTS (SELECT FROM idem.return_code_table t WHERE t.name = u.interface)
      AND NOT CASE WHEN u.codes IS NULL THEN false
                   WHEN EXISTS (SELECT FROM idem.return_code_table t WHERE t.name = u.interface)
                   THEN (idem.meaning_of(u.interface, u.codes)).listed END;
COMMENT ON VIEW idem.unlisted_codes IS 'codes that providers answered and that no table lists: unknown until somebody lists them';
COMMENT ON COLUMN idem.unlisted_codes.interface IS 'the interface by which it came';
COMMENT ON COLUMN idem.unlisted_codes.code IS 'the code, its layers parted by slashes; NULL: answers without one';
COMMENT ON COLUMN idem.unlisted_codes.first_seen IS 'when it came first';
COMMENT ON COLUMN idem.unlisted_codes.last_seen IS 'when it came last';
COMMENT ON COLUMN idem.unlisted_codes.seen IS 'how often';
COMMENT ON COLUMN idem.unlisted_codes.scope IS 'a scope in which it came';
COMMENT ON COLUMN idem.unlisted_codes.key IS 'a key about which it came';
REVOKE ALL ON TABLE idem.unlisted_codes FROM PUBLIC;

CREATE VIEW idem.channel_coverage AS
WITH heard AS (
    SELECT h.via, h.meaning, pg_catalog.sum(h.seen) AS seen, pg_catalog.max(h.last_seen) AS last_seen
    FROM (SELECT g.via, g.seen, g.last_seen, (idem.meaning_of(g.via, g.codes)).meaning
          FROM (SELECT h.via, h.codes, pg_catalog.count(*) AS seen, pg_catalog.max(h.at) AS last_seen
                FROM idem.heard h
                WHERE h.via IN (SELECT t.name FROM idem.return_code_table t)
                GROUP BY h.via, h.codes
                OFFSET 0) g) h
    GROUP BY h.via, h.meaning)
SELECT c.name AS channel, i.side, i.interface, m.meaning,
       (SELECT pg_catalog.count(*) FROM idem.listed_codes(i.interface) l WHERE l.meaning = m.meaning) AS listed,
       coalesce(h.seen, 0) AS seen, h.last_seen
FROM idem.channel c
CROSS JOIN LATERAL (VALUES ('send', c.send), ('inquire', c.inquire), ('notice', c.notice), ('statement', c.statement)) i (side, interface)
CROSS JOIN (VALUES ('succeeded'), ('failed'), ('absent'), ('returned'), ('unknown')) m (meaning)
LEFT JOIN heard h ON h.via = i.interface AND h.meaning = m.meaning
WHERE i.interface IS NOT NULL;
COMMENT ON VIEW idem.channel_coverage IS 'for the check before going live: of each interface and meaning, how many codes are listed and how many answers have been seen';
COMMENT ON COLUMN idem.channel_coverage.channel IS 'the channel';
COMMENT ON COLUMN idem.channel_coverage.side IS 'send, inquire, notice or statement';
COMMENT ON COLUMN idem.channel_coverage.interface IS 'its interface there';
COMMENT ON COLUMN idem.channel_coverage.meaning IS 'succeeded, failed, absent, returned or unknown, which is also all that is not listed';
COMMENT ON COLUMN idem.channel_coverage.listed IS 'how many codes of this meaning the table in force lists';
COMMENT ON COLUMN idem.channel_coverage.seen IS 'how many answers with such a code have been kept';
COMMENT ON COLUMN idem.channel_coverage.last_seen IS 'when the last one came';
REVOKE ALL ON TABLE idem.channel_coverage FROM PUBLIC;

-- What was said last of one key that is unknown, by the tables of now.  To
-- release is not among it: that has to be asked anew.  Of a key that is to be
-- settled the row is locked first, by a statement of its own: the next one has
-- a newer snapshot, and sees what was said while this one waited.
CREATE FUNCTION idem.reconsider_key(scope text, key text, settle boolean)
    RETURNS TABLE (attempt integer, interface text, code text, at timestamptz, meaning text, outcome text)
    LANGUAGE sql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT FROM idem.reservation r
        WHERE settle AND r.scope = (SELECT s.id FROM idem.scope s WHERE s.name = reconsider_key.scope)
              AND r.key = reconsider_key.key AND r.due_at IS NOT NULL
        FOR NO KEY UPDATE OF r;
        SELECT l.attempt, l.via, array_to_string(l.codes, '/'), l.at, m.meaning,
               CASE WHEN settle
                    THEN (SELECT a.outcome FROM idem.resolve(reconsider_key.scope, l.key, via => l.via, answer => l.response,
                                                             attempt => l.attempt, asked_at => l.asked_at) a) END
        FROM idem.scope s
        JOIN idem.reservation r ON r.scope = s.id AND r.key = reconsider_key.key AND r.due_at IS NOT NULL AND r.state = 'u'
        CROSS JOIN LATERAL (SELECT e.key, e.attempt, e.via, e.codes, e.at, e.response, e.asked_at
                            FROM idem.evidence e
                            WHERE e.scope = r.scope AND e.key = r.key AND e.scope_created_at = s.created_at
                                  AND e.attempt = r.attempt AND e.via IS NOT NULL AND e.response IS NOT NULL
                            ORDER BY e.n DESC LIMIT 1) l
        CROSS JOIN LATERAL (SELECT CASE WHEN l.via IN (SELECT t.name FROM idem.return_code_table t) AND l.codes IS NOT NULL
                                        THEN (idem.meaning_of(l.via, l.codes)).meaning ELSE 'unknown' END) m (meaning)
        WHERE s.name = reconsider_key.scope AND m.meaning IN ('succeeded', 'failed', 'returned');
    END;
COMMENT ON FUNCTION idem.reconsider_key(text, text, boolean) IS
    'idem.reconsider of one key: a row if what was last said would settle it.
Locks: if it is to be settled, the row of idem.reservation, for which it waits.';
REVOKE ALL ON FUNCTION idem.reconsider_key(text, text, boolean) FROM PUBLIC;

CREATE FUNCTION idem.reconsider(scope text, dry_run boolean DEFAULT true)
    RETURNS TABLE (key text, attempt integer, interface text, code text, at timestamptz, meaning text, outcome text)
    LANGUAGE sql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT r.key, k.attempt, k.interface, k.code, k.at, k.meaning, k.outcome
        FROM (SELECT u.key
              FROM idem.reservation u
              WHERE u.scope = (SELECT s.id FROM idem.scope s WHERE s.name = reconsider.scope)
                    AND u.due_at IS NOT NULL AND u.state = 'u'
              ORDER BY u.key OFFSET 0) r
        CROSS JOIN LATERAL idem.reconsider_key(reconsider.scope, r.key, NOT dry_run) k;
    END;
COMMENT ON FUNCTION idem.reconsider(text, boolean) IS
    'judges what was last said of every unknown key of a scope by the return codes of now, after codes were added to a table. Never releases a key. For operators.
In: dry_run: only show. False: settle them, as idem.resolve with the same answer.
Out: a row for each key that the last answer would settle: its meaning now, and the outcome of settling.
Locks: unless dry_run as idem.resolve, and the rows of unknown keys, in the order of the keys, for which it waits.';
REVOKE ALL ON FUNCTION idem.reconsider(text, boolean) FROM PUBLIC;

-- The doctor's: what a channel in use lacks.
CREATE VIEW idem.channel_problems AS
WITH used AS (SELECT c.* FROM idem.channel c WHERE EXISTS (SELECT FROM idem.scope s WHERE c.name = ANY (s.channels)))
SELECT 'warning' AS severity, pg_catalog.format('channel %I', u.name) AS object, p.finding, p.remedy
FROM used u, LATERAL (
    SELECT 'nobody can be asked what became of a payment: it has no inquiry and no statement',
           pg_catalog.format('SELECT idem.alter_channel(%L, inquire => ...)', u.name)
    WHERE u.inquire IS NULL AND u.statement IS NULL AND u.presume_days IS NULL
    UNION ALL
    SELECT 'its answers repeat nothing of what was sent: one about another payment would be believed',
           pg_catalog.format('SELECT idem.alter_channel(%L, echo => ''{serial,amount}'')', u.name)
    WHERE u.echo = '{}'
    UNION ALL
    SELECT pg_catalog.format('scopes %s go by it, and its serials are made of the key alone: a key that two of them have is one payment to the provider',
                             pg_catalog.string_agg(pg_catalog.quote_ident(s.name), ', ' ORDER BY s.name)),
           'begin the keys of each scope with letters of its own, or have a channel with {hash:n}, which is of scope and key'
    FROM idem.scope s
    WHERE u.name = ANY (s.channels) AND pg_catalog.strpos(u.serial, '{key}') > 0 AND u.serial !~ '[{](hash|seq):'
    HAVING pg_catalog.count(*) > 1
    UNION ALL
    SELECT pg_catalog.format('its serials are used up to %s percent', (l.last * 100 / l.greatest)::integer),
           'declare a channel whose serial has more digits, in time'
    FROM (SELECT pg_catalog.pg_sequence_last_value(pg_catalog.to_regclass(pg_catalog.format('idem.%I', 'serial_' || u.name)))::numeric AS last,
                 10 ^ pg_catalog.substring(u.serial, '[{]seq:(\d+)[}]')::numeric - 1 AS greatest) l
    WHERE l.last / l.greatest > 0.8
    UNION ALL
    SELECT 'no code of it means failed: what the provider refuses stays unknown',
           'list the codes of certain failures: SELECT * FROM idem.channel_coverage'
    WHERE NOT EXISTS (SELECT FROM pg_catalog.unnest(ARRAY[u.send, u.inquire, u.notice, u.statement]) i
                      CROSS JOIN LATERAL idem.listed_codes(i) l WHERE i IS NOT NULL AND l.meaning = 'failed')
) p (finding, remedy)
UNION ALL
SELECT 'warning', pg_catalog.format('interface %I', c.interface),
       pg_catalog.format('%s that no table lists, seen %s times until %s: %s',
                         CASE pg_catalog.count(*) WHEN 1 THEN 'a code' ELSE pg_catalog.count(*) || ' codes' END,
                         pg_catalog.sum(c.seen), pg_catalog.max(c.last_seen),
                         pg_catalog.string_agg(coalesce(c.code, 'none'), ', ' ORDER BY c.code COLLATE "C")),
       pg_catalog.format('ask the provider, and SELECT * FROM idem.define_return_codes(%L, ...); SELECT * FROM idem.unlisted_codes', c.interface)
FROM idem.unlisted_codes c
WHERE c.last_seen > pg_catalog.clock_timestamp() - interval '7 days'
GROUP BY c.interface;
COMMENT ON VIEW idem.channel_problems IS 'what channels in use lack, and codes of the last week that no table lists, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.channel_problems FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- send: effects leave from one place only
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.set_site(name text, on_move text DEFAULT NULL, reason text DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_set_site'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.set_site(text, text, text) IS
    'sets the place of this database: from then on reserve and dispatch answer misplaced on a server whose configuration does not set idem.site to this name, in a file outside of the data directory, and wherever the database is another one than the one it was set in, by cluster, timeline or number. For admins. Kept in idem.change_log.
In: name, 1 to 63 bytes; on_move: what happens on a new timeline. halt: misplaced, until an operator says idem.adopt_site. follow: goes on by itself where this server was a standby that was promoted, and every scope for effects outside asks for standbys; any other move halts. NULL: follow where that is so, else halt. reason: required to change what is set. The stamp stays as it is then.
Errors: 22004 name null; 22023 invalid name or on_move, reason blank or longer than 1,000 characters; 42501 an approval is missing; 42P17 a change without a reason; 55000 the configuration of this server says otherwise, or follow, where a scope asks for no standbys; 25006 on a standby or in a read-only transaction.
The same again is a no-op with a NOTICE.
Locks: SHARE ROW EXCLUSIVE on idem.site.';
REVOKE ALL ON FUNCTION idem.set_site(text, text, text) FROM PUBLIC;

CREATE FUNCTION idem.adopt_site(reason text, lost interval, hold interval DEFAULT '1 hour',
                                OUT unknown bigint, OUT held_until timestamptz)
    AS 'MODULE_PATHNAME', 'idem_adopt_site'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.adopt_site(text, interval, interval) IS
    'says that a database which was restored, copied or promoted is now at its place, and that nothing else sends from it. For operators. Kept in idem.change_log.
In: lost: how much time is missing at most, from what the database has to what was done elsewhere; zero: nothing is missing. hold: how long keys are held after that which are seen for the first time: reserve answers misplaced and retry_at; NULL or zero: none is.
Where something is missing, every key that is reserved or released becomes unknown, since it may have been sent: inquire. What is heard of its end settles it; that nothing arrived, of these and of those dispatched before, only an operator can say. The numbers of channels that count go on behind those that may have been given out.
Out: how many keys became unknown; until when new keys are held.
Errors: 22004 reason or lost null; 22023 reason blank or longer than 1,000 characters, lost or hold negative or with months; 42501 for operators only, or an approval is missing; 42704 the database has no site; 55000 the configuration of this server says otherwise; 25006 on a standby or in a read-only transaction.
Locks: SHARE ROW EXCLUSIVE on idem.reservation and idem.site: calls for keys of effects outside wait, and it waits for them.';
REVOKE ALL ON FUNCTION idem.adopt_site(text, interval, interval) FROM PUBLIC;

-- The doctor's.
CREATE VIEW idem.site_problems AS
SELECT 'error' AS severity, pg_catalog.format('site %I', s.name) AS object,
       pg_catalog.format('nothing is sent from here: %s', m.why) AS finding,
       'see that nothing else sends from this database, then idem.adopt_site; where it is to be another site, idem.set_site first' AS remedy
FROM idem.site s, LATERAL (SELECT idem.misplaced() AS why) m
WHERE m.why IS NOT NULL
UNION ALL
SELECT 'notice', 'this database',
       'has scopes for effects outside and no site: a copy of it that is restored elsewhere sends what this one sends',
       'set idem.site in a configuration file outside of the data directory, then SELECT idem.set_site(...)'
WHERE NOT EXISTS (SELECT FROM idem.site)
      AND EXISTS (SELECT FROM idem.scope s WHERE s.effect = 'outside')
UNION ALL
SELECT 'warning', pg_catalog.format('site %I', s.name),
       pg_catalog.format('is to follow to a new timeline, and does not, as long as scope %I asks for no standbys', c.name),
       pg_catalog.format('SELECT idem.alter_scope(%L, standbys => 1)', c.name)
FROM idem.site s, idem.scope c
WHERE s.on_move = 'follow' AND c.effect = 'outside' AND c.standbys = 0
UNION ALL
SELECT 'notice', pg_catalog.format('site %I', s.name),
       pg_catalog.format('keys that are seen for the first time are held until %s', s.held_until),
       'adopt what the providers have paid in the time that was lost: idem.adopt_keys'
FROM idem.site s
WHERE s.held_until > pg_catalog.clock_timestamp();
COMMENT ON VIEW idem.site_problems IS 'what is wrong with the place of this database, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.site_problems FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- machine: only declared transitions, final is final
-- ---------------------------------------------------------------------------

-- Every version of every machine, for good.  The newest one is in force.
-- The owner is kept by name: a dump has to be restorable where the roles of
-- another cluster have other OIDs, or do not exist yet.
CREATE TABLE idem.machine (
    name        text COLLATE "C" NOT NULL,
    version     integer NOT NULL,
    diagram     text NOT NULL,
    owner       name NOT NULL,
    defined_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    defined_by  name NOT NULL DEFAULT SESSION_USER,
    loosen      text,
    tighten     text,
    CONSTRAINT machine_pkey PRIMARY KEY (name, version)
);
COMMENT ON TABLE idem.machine IS 'every version of every state machine; the highest version of a name is in force';
COMMENT ON COLUMN idem.machine.name IS 'what guards call it';
COMMENT ON COLUMN idem.machine.version IS 'from 1';
COMMENT ON COLUMN idem.machine.diagram IS 'the definition: Mermaid stateDiagram-v2';
COMMENT ON COLUMN idem.machine.owner IS 'role that defined version 1; its members may define the next version';
COMMENT ON COLUMN idem.machine.defined_at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.machine.defined_by IS 'session user who defined this version';
COMMENT ON COLUMN idem.machine.loosen IS 'why this version allows what the one before did not';
COMMENT ON COLUMN idem.machine.tighten IS 'why this version takes a way out of a state from rows';
REVOKE ALL ON TABLE idem.machine FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.machine', '');

CREATE TRIGGER machine_invalidate
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON idem.machine
    FOR EACH STATEMENT EXECUTE FUNCTION idem.invalidate_definitions();
COMMENT ON TRIGGER machine_invalidate ON idem.machine IS 'every session reads a changed machine anew';
ALTER TABLE idem.machine ENABLE ALWAYS TRIGGER machine_invalidate;

-- One row a transition, written by the guards.  An entry does not belong to a
-- version of the machine or to a partition, but to the row, for good.  Names are text,
-- not name: a name always takes 64 bytes.  The transitions of each row are
-- numbered while the row is locked, without a sequence: its last value is the application's.
CREATE TABLE idem.transition_log (
    relation        regclass NOT NULL,
    n               integer NOT NULL,
    command         cid NOT NULL,
    state_column    text COLLATE "C" NOT NULL,
    key             text COLLATE "C" NOT NULL,
    from_state      text COLLATE "C",
    to_state        text COLLATE "C",
    event           text COLLATE "C",
    at              timestamptz NOT NULL,
    transaction     xid8 NOT NULL,
    session_role    text COLLATE "C" NOT NULL,
    role            text COLLATE "C" NOT NULL,
    actor           text,
    application     text NOT NULL,
    CONSTRAINT transition_log_pkey PRIMARY KEY (relation, key, state_column, n)
);
COMMENT ON TABLE idem.transition_log IS 'every transition of every guarded row, append-only';
COMMENT ON COLUMN idem.transition_log.relation IS 'the guarded table; of a partition the table at the top';
COMMENT ON COLUMN idem.transition_log.n IS 'number of the transition among those of its row and column, from 1';
COMMENT ON COLUMN idem.transition_log.command IS 'which command of its transaction: the order of two transitions of one row in one transaction';
COMMENT ON COLUMN idem.transition_log.state_column IS 'the guarded column';
COMMENT ON COLUMN idem.transition_log.key IS 'primary key of the row; of several columns a JSON object';
COMMENT ON COLUMN idem.transition_log.from_state IS 'state before; NULL: the row was inserted';
COMMENT ON COLUMN idem.transition_log.to_state IS 'state after; NULL: the row was deleted';
COMMENT ON COLUMN idem.transition_log.event IS 'event of the edge, as far as it is known';
COMMENT ON COLUMN idem.transition_log.at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.transition_log.transaction IS 'by which transaction';
COMMENT ON COLUMN idem.transition_log.session_role IS 'who was logged in';
COMMENT ON COLUMN idem.transition_log.role IS 'whose rights were used';
COMMENT ON COLUMN idem.transition_log.actor IS 'who acted, as the application said';
COMMENT ON COLUMN idem.transition_log.application IS 'application_name of the session';
REVOKE ALL ON TABLE idem.transition_log FROM PUBLIC;
-- Of a table that was dropped only the OID is left, which may belong to another
-- table where the dump is restored: so its history is not dumped.
SELECT pg_catalog.pg_extension_config_dump('idem.transition_log',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) relation)');

-- ---------------------------------------------------------------------------
-- machine: definitions
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.check_machine(diagram text)
    RETURNS TABLE (line integer, problem text, message text)
    AS 'MODULE_PATHNAME', 'idem_check_machine'
    LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION idem.check_machine(text) IS
    'what is wrong with a diagram, a row each with its line; no row: it can be defined. Defines and locks nothing';

CREATE FUNCTION idem.define_machine(name text, diagram text,
                                    loosen text DEFAULT NULL,
                                    tighten text DEFAULT NULL)
    RETURNS TABLE (version integer, effect text, change text)
    AS 'MODULE_PATHNAME', 'idem_define_machine'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.define_machine(text, text, text, text) IS
    'defines a state machine, or its next version, and tells what changed: tightens, loosens or neutral. The same text again changes nothing. Raises 42P17 for a diagram that cannot be kept, for loosening without a reason, for tightening that strands rows without a reason, for rows in a state that is no longer there; 22023 for a reason that is blank or longer than 1,000 characters; 42501 for a new name unless the caller is an admin (idem.grant_admin), for the next version unless it is the machine''s owner and owns every table it guards; 42710 for a new name whose hash is that of another machine. A next version waits for transactions that have written guarded rows, and they for it; a first version, the same text again and a call by somebody else lock nothing';

CREATE FUNCTION idem.machine_diagram(name text, version integer DEFAULT NULL,
                                     counts boolean DEFAULT false)
    RETURNS text
    AS 'MODULE_PATHNAME', 'idem_machine_diagram'
    LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.machine_diagram(text, integer, boolean) IS
    'the text a state machine was defined with, of the version in force or of an older one; counts: with the number of rows in each state, of all tables under it, as Mermaid draws it. Raises 42704 if there is none, 42501 for counts of a table that the caller may not read. Counting locks the tables ACCESS SHARE and reads them whole';

CREATE FUNCTION idem.machine_table(name text, version integer DEFAULT NULL)
    RETURNS TABLE (state text, event text, next_state text, late boolean, role text, other boolean)
    AS 'MODULE_PATHNAME', 'idem_machine_table_rows'
    LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION idem.machine_table(text, integer) IS
    'a row for every state and every event of a machine; next_state is null where nothing is declared. Raises 42704 if there is none';

CREATE FUNCTION idem.machine_dot(name text, version integer DEFAULT NULL)
    RETURNS text
    AS 'MODULE_PATHNAME', 'idem_machine_dot'
    LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION idem.machine_dot(text, integer) IS
    'a machine as a directed graph for Graphviz. Raises 42704 if there is none';

-- ---------------------------------------------------------------------------
-- machine: the guard
-- ---------------------------------------------------------------------------

-- Executable by PUBLIC, or an ordinary owner could not restore a dump;
-- called in any other way it raises 39P01.
CREATE FUNCTION idem.keep_states() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_states'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_states() IS
    'trigger of idem.guard_states: raises 23I01, 23I02, 23I03, 23I04 or 23I08 for a row that does not follow its state machine';

CREATE FUNCTION idem.guard_states(relation regclass, state_column name,
                                  machine text,
                                  repeat text DEFAULT 'refuse',
                                  delete text DEFAULT 'never',
                                  history boolean DEFAULT true,
                                  actor text DEFAULT NULL,
                                  within jsonb DEFAULT NULL)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_states'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_states(regclass, name, text, text, text, boolean, text, jsonb) IS
    'from now on the column changes only as the state machine says. repeat: what to do with an UPDATE that names the column and leaves it: refuse it unless it saves the row, which names every column there is at the declaration, at least two, the key, identity and generated columns and those that guards keep aside; strict: refuse it; ignore it; delete: never, final or any. history: keep each transition; actor: setting of the application that says who acts; within: {"state": "2 h"}, how long a row may stand in a state before idem.stuck lists it; refuses nothing, and needs history. Needs ownership of table and machine (42501) and a primary key, without the state unless the table is partitioned by it (42P17); raises 42710 if the column is guarded in another way, 42704 without the machine or a state of within, 22023 for an argument of another form or a state of within that is final, 22007 for a time that is none, 23514 if rows stand in undeclared states. The same again is a no-op with a NOTICE, and then locks nothing. Locks the table against writers until commit';

-- ---------------------------------------------------------------------------
-- machine: for consumers of messages
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.transition(relation regclass, key text, to_state text,
                                event text DEFAULT NULL,
                                from_states text[] DEFAULT NULL,
                                set jsonb DEFAULT NULL,
                                state_column name DEFAULT NULL,
                                OUT outcome text, OUT state text,
                                OUT next_states text[])
    AS 'MODULE_PATHNAME', 'idem_transition'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION idem.transition(regclass, text, text, text, text[], jsonb, name) FROM PUBLIC;
COMMENT ON FUNCTION idem.transition(regclass, text, text, text, text[], jsonb, name) IS
    'locks the row, checks and changes it, with the rights of the caller. key: of the row, as text; of several columns a JSON object of their names. outcome: applied; already (in that state, set agrees); conflict (in that state, set disagrees); passed (it was there and moved on); refused (it never was and cannot get there from state); missing. Raises 22023 for misuse, 42501 without the rights or the role of the edge, and what the table''s own rules raise';

CREATE FUNCTION idem.transition(relation regclass, key anyelement, to_state text,
                                event text DEFAULT NULL,
                                from_states text[] DEFAULT NULL,
                                set jsonb DEFAULT NULL,
                                state_column name DEFAULT NULL,
                                OUT outcome text, OUT state text,
                                OUT next_states text[])
    AS 'MODULE_PATHNAME', 'idem_transition'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION idem.transition(regclass, anyelement, text, text, text[], jsonb, name) FROM PUBLIC;
COMMENT ON FUNCTION idem.transition(regclass, anyelement, text, text, text[], jsonb, name) IS
    'the same with the key as a number, a uuid, an enum or a boolean; 42804 for another type';

CREATE FUNCTION idem.history(relation regclass, key text,
                             state_column name DEFAULT NULL)
    RETURNS TABLE (at timestamptz, from_state text, to_state text, event text,
                   transaction xid8, session_role text, role text, actor text,
                   application text)
    AS 'MODULE_PATHNAME', 'idem_history'
    LANGUAGE C STABLE PARALLEL SAFE;
REVOKE ALL ON FUNCTION idem.history(regclass, text, name) FROM PUBLIC;
COMMENT ON FUNCTION idem.history(regclass, text, name) IS
    'the transitions of one row, oldest first. key: as for idem.transition. Raises 42501 unless the caller may read every row of the table';

CREATE FUNCTION idem.history(relation regclass, key anyelement,
                             state_column name DEFAULT NULL)
    RETURNS TABLE (at timestamptz, from_state text, to_state text, event text,
                   transaction xid8, session_role text, role text, actor text,
                   application text)
    AS 'MODULE_PATHNAME', 'idem_history'
    LANGUAGE C STABLE PARALLEL SAFE;
REVOKE ALL ON FUNCTION idem.history(regclass, anyelement, name) FROM PUBLIC;
COMMENT ON FUNCTION idem.history(regclass, anyelement, name) IS
    'the same with the key as a number, a uuid, an enum or a boolean; 42804 for another type';

-- The version in force; the text of a diagram is kept to the letter.
CREATE VIEW idem.machine_declarations AS
SELECT 20 AS rank, m.name, pg_catalog.format(E'SELECT version, effect, change FROM idem.define_machine(%L, %L);', m.name, m.diagram) AS statement
FROM (SELECT DISTINCT ON (name) name, diagram FROM idem.machine ORDER BY name, version DESC) m;
COMMENT ON VIEW idem.machine_declarations IS 'state machines, as idem.declarations() writes them';
REVOKE ALL ON TABLE idem.machine_declarations FROM PUBLIC;
-- ---------------------------------------------------------------------------
-- machine: what the doctor finds wrong with definitions
-- ---------------------------------------------------------------------------

-- The versions in force, those first that can be read: asking for the edges of
-- another raises an error.
CREATE VIEW idem.machine_problems AS
WITH newest AS MATERIALIZED (
    SELECT DISTINCT ON (m.name) m.name, m.diagram
    FROM idem.machine m
    ORDER BY m.name, m.version DESC),
faulty AS MATERIALIZED (
    SELECT n.name, pg_catalog.min(pg_catalog.format('line %s: %s', f.line, f.message)) AS fault
    FROM newest n, LATERAL idem.check_machine(n.diagram) f
    WHERE f.problem = 'syntax'
    GROUP BY n.name),
readable AS MATERIALIZED (
    SELECT n.name FROM newest n WHERE n.name NOT IN (SELECT f.name FROM faulty f))
SELECT 'error' AS severity, pg_catalog.format('state machine %I', f.name) AS object,
       'cannot be read: ' || f.fault AS finding,
       'bring idem.machine back from a dump; until then rows under it cannot be written' AS remedy
FROM faulty f
UNION ALL
SELECT 'warning', pg_catalog.format('state machine %I', r.name),
       pg_catalog.format('role %I is gone: nobody can take %s', e.role,
                         pg_catalog.string_agg(pg_catalog.concat_ws(' ', e.state, '-->', e.next_state, ': ' || e.event),
                                               ', ' ORDER BY e.state COLLATE "C", e.next_state COLLATE "C", e.event COLLATE "C")),
       pg_catalog.format('CREATE ROLE %I, or define the machine anew without it', e.role)
FROM readable r, LATERAL idem.machine_table(r.name) e
WHERE e.role IS NOT NULL
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles p WHERE p.rolname = e.role)
GROUP BY r.name, e.role
UNION ALL
-- programs look every minute for rows that stand too long
SELECT 'notice', pg_catalog.format('table %s', t.tgrelid::regclass),
       pg_catalog.format('no index finds the rows in the states of "within": each look at idem.stuck reads %s rows', c.reltuples::bigint),
       pg_catalog.format('CREATE INDEX CONCURRENTLY ON %s (%I) WHERE %2$I IN (%s)', t.tgrelid::regclass, w."column",
                         (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(u.word), ', ' ORDER BY u.n)
                          FROM pg_catalog.unnest(w.within::text[]) WITH ORDINALITY u (word, n) WHERE u.n % 2 = 1))
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'idem'::regnamespace AND p.proname = 'keep_states'
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid AND c.reltuples >= 100000,
     LATERAL (SELECT idem.trigger_settings(t.tgargs)) a (settings),
     LATERAL (SELECT CASE WHEN idem.settings_problem('keep_states', a.settings) IS NULL THEN idem.setting(a.settings, 'within') END,
                     idem.setting(a.settings, 'column')) w (within, "column")
WHERE t.tgparentid = 0 AND w.within IS NOT NULL
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute b
                      JOIN pg_catalog.pg_index i ON i.indrelid = b.attrelid AND i.indisvalid
                      WHERE b.attrelid = t.tgrelid AND b.attname = w."column"
                            AND (i.indkey[0] = b.attnum
                                 OR i.indpred IS NOT NULL
                                    AND EXISTS (SELECT FROM pg_catalog.pg_depend d
                                                WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                                                      AND d.refobjid = b.attrelid AND d.refobjsubid = b.attnum)));
COMMENT ON VIEW idem.machine_problems IS 'what is wrong with state machines in force, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.machine_problems FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- machine: rows under way
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.stuck_states(
        OUT relation regclass, OUT key text, OUT state text,
        OUT since timestamptz, OUT due timestamptz,
        OUT next_states text[], OUT unread text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'idem_stuck_states'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION idem.stuck_states() IS
    'rows that stand in a state for longer than within of idem.guard_states says; of guards that count for their machine.
Locks: ACCESS SHARE on their tables, for which it waits two seconds, and on idem.transition_log.';
REVOKE ALL ON FUNCTION idem.stuck_states() FROM PUBLIC;

CREATE VIEW idem.states_stuck AS
SELECT s.relation, s.key, s.state, s.since, s.due, s.next_states, s.unread
FROM idem.stuck_states() s;
COMMENT ON VIEW idem.states_stuck IS 'what idem.stuck shows of states';
REVOKE ALL ON TABLE idem.states_stuck FROM PUBLIC;

CREATE FUNCTION idem.state_counts(
        OUT relation regclass, OUT state_column name, OUT state text,
        OUT rows bigint, OUT oldest timestamptz, OUT overdue bigint,
        OUT unread text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'idem_state_counts'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION idem.state_counts() IS
    'how many rows stand in each state that is not final, of guards that count for their machine; of states in within of idem.guard_states also since when the first of them stands there, and how many do for too long. unread: why the rows of a table could not be counted.
Locks: ACCESS SHARE on their tables, for which it waits two seconds, and on idem.transition_log.';
REVOKE ALL ON FUNCTION idem.state_counts() FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- total: what rows add up to, in a row of their parent
-- ---------------------------------------------------------------------------

-- Trigger functions stay executable by PUBLIC, or an ordinary owner could not
-- restore a dump; called in any other way they raise 39P01.
CREATE FUNCTION idem.keep_total() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_total'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_total() IS
    'trigger of a limit on the parent: nobody but the guard writes the running total, what the limit was judged by stays, and so does a row of which something is used; raises 23I07, 23I08, 42804, 39P01';

CREATE FUNCTION idem.apply_totals() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_apply_totals'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.apply_totals() IS
    'trigger of a limit or a balance on the child, after every statement: changes the totals of the parents for all rows that the statement stored, each parent once, in the order of their keys; TRUNCATE is 23I08; raises what the trigger of the rows raises, and 39P01; locks the parent rows FOR NO KEY UPDATE';

CREATE FUNCTION idem.validate_guard(relation regclass, name text DEFAULT NULL)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_validate_guard'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.validate_guard(regclass, text) IS
    'of a table whose rows are bound to claims: reads all of them, while others write; 23514 says how many have no claim. Of a child table: validates the CHECKs that its limits and balances brought to their parents, which are NOT VALID where the parent had rows, and compares the totals with the sums of the children. name: of the guard, NULL: all of the table. Owner of the parent only (42501); 42704 without such a limit, 23514 if a row breaks the CHECK or a total is another; reads the parent under SHARE UPDATE EXCLUSIVE, and the child under ACCESS SHARE, while others write';

-- ---------------------------------------------------------------------------
-- limit: children never add up to more than their parent
-- ---------------------------------------------------------------------------

-- Trigger functions stay executable by PUBLIC, or an ordinary owner could not
-- restore a dump; called in any other way they raise 39P01.
CREATE FUNCTION idem.keep_limit() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_limit'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_limit() IS
    'trigger of a limit on the child: counts what was stored against the parent''s running total, at once if it is the only row of its statement, else by idem.apply_totals() at its end; raises 23I05, 23I06, 23I09, 23I07, 23I08, 23502, 23503, 23514, 39P01; locks the parent row FOR NO KEY UPDATE';

CREATE FUNCTION idem.guard_limit(
        child regclass, fk text,
        amount text, cap text, used text, released text[] DEFAULT NULL,
        state text DEFAULT NULL, same jsonb DEFAULT NULL,
        parent_state text DEFAULT NULL, open text[] DEFAULT NULL,
        cap_grows boolean DEFAULT false, children text DEFAULT 'kept',
        facts text[] DEFAULT NULL, excess text DEFAULT 'excess',
        count_cap integer DEFAULT NULL, count_used text DEFAULT NULL,
        max_age interval DEFAULT NULL, age_from text DEFAULT NULL,
        exact text[] DEFAULT NULL, exact_count text DEFAULT NULL,
        clear_within interval DEFAULT NULL)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_limit'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_limit(regclass, text, text, text, text, text[], text, jsonb, text, text[], boolean, text, text[], text, integer, text, interval, text, text[], text, interval) IS
    'limits the children of every row a foreign key references. In: child table; its foreign key column, or {a,b}; child column of the amount; parent columns of the cap and of the running total (added if absent); released: the states of the child''s state column that do not count, ''{}'' for none: needed with a state column, left out without one, as all count then; same: {"child column": "parent column"} that must be equal; parent_state in open: which parents take new children; cap_grows: the cap may grow while it is used; children: kept or editable; facts: states of children that record what already happened, {*} all, which are stored above the cap, too, the rest in the parent column excess (added if absent); count_cap with the parent column count_used: how many children; max_age with the parent column age_from: how long a parent takes children; exact: states of the parent in which the sum of its children is exactly its cap, and their number, counted in count_used, the parent column exact_count; clear_within with age_from: how long a parent may have something remaining (idem.overdue_limits). Several child tables may name one running total. The same again is a no-op with a NOTICE, and then stops no writer; another limit on the same foreign key is 42710, which says what differs. Raises 42501, 42P17, 42710, 42703, 42804, 22004, 22023; 23I05, 23I06, 23514 if rows already break the limit, also for a parent that does not have what exact asks for; 40001 if a row of the parent that is to be filled changed after the transaction''s snapshot. Locks both tables SHARE ROW EXCLUSIVE, the parent ACCESS EXCLUSIVE when a column is added, else for the last step, ADD CHECK, NOT VALID if the parent has rows';

CREATE FUNCTION idem.guard_limit(
        child regclass, fk text[],
        amount text, cap text, used text, released text[] DEFAULT NULL,
        state text DEFAULT NULL, same jsonb DEFAULT NULL,
        parent_state text DEFAULT NULL, open text[] DEFAULT NULL,
        cap_grows boolean DEFAULT false, children text DEFAULT 'kept',
        facts text[] DEFAULT NULL, excess text DEFAULT 'excess',
        count_cap integer DEFAULT NULL, count_used text DEFAULT NULL,
        max_age interval DEFAULT NULL, age_from text DEFAULT NULL,
        exact text[] DEFAULT NULL, exact_count text DEFAULT NULL,
        clear_within interval DEFAULT NULL)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_limit_columns'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_limit(regclass, text[], text, text, text, text[], text, jsonb, text, text[], boolean, text, text[], text, integer, text, interval, text, text[], text, interval) IS
    'the same, for a foreign key of several columns';

CREATE FUNCTION idem.remaining(child regclass, key text) RETURNS numeric
    AS 'MODULE_PATHNAME', 'idem_remaining'
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION idem.remaining(regclass, text) IS
    'what could still be taken from a parent: cap minus running total and excess, below 0 where facts went beyond the cap. In: child table, key of the parent that its foreign key references, as text; of several columns a JSON object of their names in the parent. Runs as the caller: NULL if the caller sees no such parent, 42501 if it may not read it; 42704, 42P08, 22023. Locks nothing: only the guard decides';

CREATE FUNCTION idem.remaining(child regclass, key anyelement) RETURNS numeric
    AS 'MODULE_PATHNAME', 'idem_remaining'
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION idem.remaining(regclass, anyelement) IS
    'the same with the key as a number, a uuid, an enum or a boolean; 42804 for another type';

-- Runs as the owner of the extension, who knows which guards were declared;
-- each table is read as its owner.
CREATE FUNCTION idem.overdue_limits()
    RETURNS TABLE (relation regclass, key text, since timestamptz, remaining numeric)
    AS 'MODULE_PATHNAME', 'idem_overdue_limits'
    LANGUAGE C STABLE STRICT PARALLEL UNSAFE ROWS 100
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION idem.overdue_limits() IS
    'what the view idem.overdue_limits shows. For operators and admins. A limit that cannot be asked, for want of its foreign key or of a lock within five seconds, is a WARNING (55000). Locks the tables ACCESS SHARE';
REVOKE ALL ON FUNCTION idem.overdue_limits() FROM PUBLIC;

CREATE VIEW idem.overdue_limits AS SELECT * FROM idem.overdue_limits();
COMMENT ON VIEW idem.overdue_limits IS 'parents of which something remains longer than the clear_within of their limit';
COMMENT ON COLUMN idem.overdue_limits.relation IS 'table of the parent';
COMMENT ON COLUMN idem.overdue_limits.key IS 'the key that its children reference, of several columns with commas between them; NULL to someone who may not read the table';
COMMENT ON COLUMN idem.overdue_limits.since IS 'its column age_from: clear_within after it, nothing should remain';
COMMENT ON COLUMN idem.overdue_limits.remaining IS 'cap minus running total; NULL to someone who may not read the table';
-- Runs as the owner of the extension, who knows which guards were declared;
-- each table is read as its owner.
CREATE FUNCTION idem.limit_excess()
    RETURNS TABLE (relation regclass, excess_column name, currency text, rows bigint, amount numeric)
    AS 'MODULE_PATHNAME', 'idem_limit_excess'
    LANGUAGE C STABLE STRICT PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION idem.limit_excess() IS
    'how many parents of each limit took more than there was, and how much, as facts said; the same twice, where two limits share a column. A limit that cannot be asked, for want of a foreign key or of a lock within five seconds, is a WARNING (55000). Locks the tables ACCESS SHARE';
REVOKE ALL ON FUNCTION idem.limit_excess() FROM PUBLIC;
-- A limit's part of idem.stuck: parents that are not cleared in time
CREATE VIEW idem.limit_stuck AS
SELECT l.relation, l.key, 'not cleared'::text AS state, l.since, NULL::timestamptz AS due,
       NULL::text[] AS next_states, NULL::text AS unread
FROM idem.overdue_limits() l;
COMMENT ON VIEW idem.limit_stuck IS 'what idem.stuck shows of limits';
REVOKE ALL ON TABLE idem.limit_stuck FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- ledger: balances of accounts, in tables of the user's
-- ---------------------------------------------------------------------------

-- Trigger functions stay executable by PUBLIC, or an ordinary owner could not
-- restore a dump; called in any other way they raise 39P01.
CREATE FUNCTION idem.keep_balance() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_balance'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_balance() IS
    'trigger of a balance on the entries: counts what was stored, at once if it is the only row of its statement, else by idem.apply_totals() at its end; raises 23I05, 23I06, 23I07, 23I08, 23I09, 23502, 23503, 23514, 39P01; locks the account row FOR NO KEY UPDATE, the row of a hold that is posted FOR SHARE';

CREATE FUNCTION idem.keep_account() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_account'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_account() IS
    'trigger of a balance on the accounts: nobody but the guard writes balance, held and shortfall; key, normal column and compared columns stay, and so does an account whose balance is not zero; raises 23I07, 23I08, 42804, 39P01';

CREATE FUNCTION idem.guard_balance(
        child regclass, fk text,
        amount text, balance text,
        direction text DEFAULT NULL, debit text DEFAULT NULL, credit text DEFAULT NULL,
        side text DEFAULT NULL, normal text DEFAULT NULL, normal_column text DEFAULT NULL,
        floor text DEFAULT NULL, ceiling text DEFAULT NULL, unbounded text DEFAULT NULL,
        same jsonb DEFAULT NULL, children text DEFAULT 'kept',
        state text DEFAULT NULL, pending text[] DEFAULT NULL, released text[] DEFAULT NULL,
        facts text[] DEFAULT NULL, held text DEFAULT 'held', shortfall text DEFAULT 'shortfall',
        posts text DEFAULT NULL, over boolean DEFAULT false, expires_at text DEFAULT NULL,
        batched boolean DEFAULT false)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_balance'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_balance(regclass, text, text, text, text, text, text, text, text, text, text, text, text, jsonb, text, text, text[], text[], text[], text, text, text, boolean, text, boolean) IS
    'keeps the balance of every account that a foreign key references: the sum of its entries. In: table of the entries; its foreign key column, or {a,b}; their column of the amount; column of the account for the balance (added if absent); direction, a column of the entries, with its words for debit and credit, or side for all of them (debit, credit), or neither: signed amounts; normal, the side that makes every balance grow, or normal_column, a column of the account with such a word; floor, ceiling: columns of the account, NOT NULL; unbounded: boolean column of accounts without bounds; same: {"column of the entry": "column of the account"} that must be equal; children: kept or editable; state, a column of the entries: those pending are held (column held, added), those released do not count (required with state), facts are stored whatever the floor, what is missing goes to the column shortfall (added); posts: column of entries that names, by a foreign key, the hold that they post, with at most its amount unless over; expires_at: column of the time a hold lapses; batched: the balances of accounts without bounds are added up by idem.apply_balances(). Several tables, or foreign keys of one table, may name one balance. The same again is a no-op with a NOTICE; another one on the same foreign key is 42710. Raises 42501, 42P17, 42710, 42703, 42804, 22004, 22023; 23I05, 23I06, 23514 if rows already break it. Locks as idem.guard_limit does';

CREATE FUNCTION idem.guard_balance(
        child regclass, fk text[],
        amount text, balance text,
        direction text DEFAULT NULL, debit text DEFAULT NULL, credit text DEFAULT NULL,
        side text DEFAULT NULL, normal text DEFAULT NULL, normal_column text DEFAULT NULL,
        floor text DEFAULT NULL, ceiling text DEFAULT NULL, unbounded text DEFAULT NULL,
        same jsonb DEFAULT NULL, children text DEFAULT 'kept',
        state text DEFAULT NULL, pending text[] DEFAULT NULL, released text[] DEFAULT NULL,
        facts text[] DEFAULT NULL, held text DEFAULT 'held', shortfall text DEFAULT 'shortfall',
        posts text DEFAULT NULL, over boolean DEFAULT false, expires_at text DEFAULT NULL,
        batched boolean DEFAULT false)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_balance_columns'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_balance(regclass, text[], text, text, text, text, text, text, text, text, text, text, text, jsonb, text, text, text[], text[], text[], text, text, text, boolean, text, boolean) IS
    'the same, for a foreign key of several columns';

CREATE FUNCTION idem.available(child regclass, key text) RETURNS numeric
    AS 'MODULE_PATHNAME', 'idem_available'
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION idem.available(regclass, text) IS
    'what an account could still give: balance minus what is held minus floor, below 0 where facts went beyond it, Infinity without a floor. In: table of the entries, key of the account that its foreign key references, as text; of several columns a JSON object of their names in the account. Runs as the caller: NULL if the caller sees no such account, 42501 if it may not read it; 42704, 42P08, 22023. Locks nothing: only the guard decides';

CREATE FUNCTION idem.available(child regclass, key anyelement) RETURNS numeric
    AS 'MODULE_PATHNAME', 'idem_available'
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION idem.available(regclass, anyelement) IS
    'the same with the key as a number, a uuid, an enum or a boolean; 42804 for another type';

CREATE FUNCTION idem.apply_balances(accounts regclass) RETURNS bigint
    AS 'MODULE_PATHNAME', 'idem_apply_balances'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.apply_balances(regclass) IS
    'adds up the entries of the accounts without bounds, of balances that are declared as batched, and returns how many balances changed. In: the table of the accounts. Owner of that table only (42501); 42704 if none of its balances is batched; locks these accounts FOR NO KEY UPDATE, which their entries do not wait for';

-- Runs as the owner of the extension, who knows which guards were declared;
-- each table is read as its owner.
CREATE FUNCTION idem.lapsed_holds()
    RETURNS TABLE (relation regclass, key text, account text, expires_at timestamptz, amount numeric)
    AS 'MODULE_PATHNAME', 'idem_lapsed_holds'
    LANGUAGE C STABLE STRICT PARALLEL UNSAFE ROWS 100
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION idem.lapsed_holds() IS
    'what the view idem.lapsed_holds shows. For operators and admins. A balance that cannot be asked, for want of a foreign key or of a lock within five seconds, is a WARNING (55000). Locks the tables ACCESS SHARE';
REVOKE ALL ON FUNCTION idem.lapsed_holds() FROM PUBLIC;

CREATE VIEW idem.lapsed_holds AS SELECT * FROM idem.lapsed_holds();
COMMENT ON VIEW idem.lapsed_holds IS 'holds that are pending, not posted, and past their expires_at: release them, or post them';
COMMENT ON COLUMN idem.lapsed_holds.relation IS 'table of the entries';
COMMENT ON COLUMN idem.lapsed_holds.key IS 'primary key of the hold, of several columns with commas between them; NULL to someone who may not read the table';
COMMENT ON COLUMN idem.lapsed_holds.account IS 'key of the account, as the entry has it; NULL to someone who may not read the table';
COMMENT ON COLUMN idem.lapsed_holds.expires_at IS 'when it lapsed';
COMMENT ON COLUMN idem.lapsed_holds.amount IS 'amount of the hold, signed where amounts are; NULL to someone who may not read the table';

-- ---------------------------------------------------------------------------
-- ledger: journals
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.keep_journal() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_journal'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_journal() IS
    'trigger of journals on the entries: adds what was stored to what the transaction changes of its journal, which has to be zero when it commits or prepares; raises 23I0B, 23514, 39P01; locks nothing';

CREATE FUNCTION idem.guard_journal(
        child regclass, fk text, amount text,
        direction text DEFAULT NULL, debit text DEFAULT NULL, credit text DEFAULT NULL,
        currency text DEFAULT NULL, state text DEFAULT NULL,
        released text[] DEFAULT NULL, pending text[] DEFAULT NULL,
        closed boolean DEFAULT true)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_journal'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_journal(regclass, text, text, text, text, text, text, text, text[], text[], boolean) IS
    'the entries of every journal that a foreign key references add up to zero, in each currency, those that are pending and those that are posted each for themselves: 23I0B when a transaction commits or prepares. In: table of the entries; its foreign key column, or {a,b}; their column of the amount; direction, a column with its words for debit and credit, or signed amounts; currency, a column of the entries; state, a column of the entries: those released do not count (required with state), those pending are a phase of their own; closed: entries join, leave or change a journal only in the transaction that inserted its row. The same again is a no-op with a NOTICE; another one on the same foreign key is 42710. Raises 42501, 42P17, 42710, 42703, 42804, 22004, 22023; 23I0B if journals are not balanced already. Locks the entries SHARE ROW EXCLUSIVE';

CREATE FUNCTION idem.check_journals() RETURNS void
    AS 'MODULE_PATHNAME', 'idem_check_journals'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.check_journals() IS
    'judges now what is judged at commit: 23I0B unless what this transaction has changed of its journals so far is balanced';
-- A balance's part of idem.stuck: holds that have lapsed
CREATE VIEW idem.hold_stuck AS
SELECT h.relation, h.key, 'held'::text AS state, NULL::timestamptz AS since, h.expires_at AS due,
       NULL::text[] AS next_states, NULL::text AS unread
FROM idem.lapsed_holds() h;
COMMENT ON VIEW idem.hold_stuck IS 'what idem.stuck shows of holds';
REVOKE ALL ON TABLE idem.hold_stuck FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- pair: the states of two rows agree
-- ---------------------------------------------------------------------------

-- Trigger functions stay executable by PUBLIC, or an ordinary owner could not
-- restore a dump; called in any other way they raise 39P01.
CREATE FUNCTION idem.keep_pair() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_pair'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_pair() IS
    'trigger of a pair on the child: a row that is inserted, or changes its state or its parent, has to go with the state of its parent; raises 23I0C, 23502, 23503, 39P01, 40001; locks the parent row FOR NO KEY UPDATE, with judge => ''entry'' a lock of its key instead';

CREATE FUNCTION idem.keep_pair_parent() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_pair_parent'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_pair_parent() IS
    'trigger of a pair on the parent: a row that changes its state has to go with the states of its children; raises 23I0C, 39P01; locks nothing, with judge => ''entry'' a lock of its key when it closes';

-- Open to PUBLIC: it demands ownership of both tables.
CREATE FUNCTION idem.guard_parent_state(
        child regclass, fk text,
        state text DEFAULT NULL, parent_state text DEFAULT NULL,
        allowed jsonb DEFAULT NULL, facts text[] DEFAULT NULL,
        judge text DEFAULT 'row', deferred boolean DEFAULT false)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_parent_state'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_parent_state(regclass, text, text, text, jsonb, text[], text, boolean) IS
    'a child is in a state only while its parent is in one that goes with it.
In: child table; its foreign key column, or {a,b}; state: its column of the state, left out for children without one; parent_state: that of the parent; both of type text, varchar, an enum or a domain of these; allowed: {"state of the child": "{states of the parent}", ...}, where "*" stands for every other state of the child and {*} for every state of the parent; a state that is not listed is free; facts: states of the child that record what has happened: they are stored whatever the parent is, and idem.doctor() shows those that do not go with it: with the states listed for them, or, where none are, with all that are listed; judge: ''row'': both sides are judged, whichever changes; ''entry'': the child alone, when it comes into its state, for parents that close while their children stay; deferred: both are judged when the transaction commits or is prepared.
A row that does not agree is 23I0C. A child locks its parent row FOR NO KEY UPDATE; with judge => ''entry'' a lock of the parent''s key, SHARE, against which a parent that closes takes it EXCLUSIVE. 40001 where the parent changed after the snapshot of the transaction.
The same again is a no-op with a NOTICE; another one of the same columns is 42710, which says what differs. Errors: 42501 not the owner of both tables; 42P17 a foreign key that is deferrable, not validated, can be null or changes children, no index that begins with its columns, or a column that cannot hold a state; 42703, 42804, 22004, 22023, 22P02; 23I0C if rows disagree already.
Locks: SHARE ROW EXCLUSIVE on both tables.';
-- ---------------------------------------------------------------------------
-- fixed: what was recorded stays recorded
-- ---------------------------------------------------------------------------

-- Open to PUBLIC as every trigger function of a guard is (base.sql).
CREATE FUNCTION idem.keep_fixed() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_fixed'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_fixed() IS
    'trigger idem_fixed: an UPDATE that changes a fixed column raises 23I07';

CREATE FUNCTION idem.keep_rows() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_rows'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_rows() IS
    'trigger idem_kept: UPDATE or DELETE of a kept row raises 23I08';

-- Open to PUBLIC: they demand ownership of the table and do nothing that its
-- owner could not do by CREATE TRIGGER.
CREATE FUNCTION idem.guard_fixed(relation regclass, columns text[],
                                 once text[] DEFAULT '{}')
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_fixed'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_fixed(regclass, text[], text[]) IS
    'fixes columns of a table: those in "columns" keep the value of their INSERT, those in "once" may go from NULL to one value; an UPDATE that changes one raises 23I07, also 1.0 to 1.00; DELETE passes. The same again is a no-op with a NOTICE, and then stops no writer; 42710 if another such guard has one of the columns. Owner only (42501); locks SHARE ROW EXCLUSIVE';

CREATE FUNCTION idem.guard_kept(relation regclass) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_kept'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_kept(regclass) IS
    'makes a table append-only: UPDATE, DELETE and TRUNCATE raise 23I08, dropping or renaming a column 2BP01. The same again is a no-op with a NOTICE, and then stops no writer. Owner only (42501); locks SHARE ROW EXCLUSIVE';
-- ---------------------------------------------------------------------------
-- bound: the effect cannot happen without its claim
-- ---------------------------------------------------------------------------

-- Open to PUBLIC as every trigger function of a guard is (base.sql).
CREATE FUNCTION idem.keep_claimed() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_claimed'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_claimed() IS
    'trigger idem_claimed: a row whose key this transaction was not granted raises 23I0A, an UPDATE that changes the key 23I07';

-- Open to PUBLIC: it demands ownership of the table, and does nothing that its
-- owner could not do by CREATE TRIGGER.
CREATE FUNCTION idem.guard_claimed(relation regclass, key text[], scope text DEFAULT NULL,
                                   rows text DEFAULT 'one', state text DEFAULT NULL,
                                   claimed jsonb DEFAULT NULL, keys regclass DEFAULT NULL)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_claimed'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_claimed(regclass, text[], text, text, text, jsonb, regclass) IS
    'binds the rows of a table to claims: a row may be inserted only by the transaction that was granted its key.
In: relation; key: the column that holds the idempotency key, or several that make it as idem.key does of their texts, of type text, varchar, uuid, smallint, integer or bigint and NOT NULL; scope, or instead keys: a table guarded by idem.guard_keys, whose key has as many columns, in this order; rows, of effects inside: ''one'': a claim pays for one row of the table, or ''many''.
Of a scope with effect ''outside'': state: the column of the row''s state, of type text, varchar or an enum and NOT NULL; claimed: {"state of the row": "{states of the claim}", ...}. A row comes into a listed state only while its claim is in one of those, and while that is dispatched or unknown into no state that is not listed; else 23I0A. The claim''s row is locked until the end of the transaction; 40001 where the snapshot is older.
Of one with effect ''inside'': a row without its claim, or a second one of the same claim, is 23I0A. A column of the key is fixed from then on (23I07). Rows that are there are not looked at: idem.validate_guard and idem.doctor do that.
The same again is a no-op with a NOTICE, and then stops no writer. Errors: 42501 not the owner, of keys, too; 42704 unknown scope; 42P01 raised for a row where the table of keys was renamed or dropped, and 42501 where another owner has a table of that name; 42P17 a scope for the other kind of effect, a table that is none of keys, or a column that can be null, or be no key or state; 42703, 42710 (another such guard of the scope, which says what differs), 22004, 22023.
Locks: SHARE ROW EXCLUSIVE.';

CREATE PROCEDURE idem.adopt_keys(
    scope text, relation regclass, key text[],
    request jsonb DEFAULT NULL, since text DEFAULT NULL, batch integer DEFAULT 10000,
    state text DEFAULT NULL, done text[] DEFAULT NULL,
    INOUT adopted bigint DEFAULT NULL, INOUT known bigint DEFAULT NULL, INOUT busy bigint DEFAULT NULL)
    AS 'MODULE_PATHNAME', 'idem_adopt_keys'
    LANGUAGE C;
COMMENT ON PROCEDURE idem.adopt_keys(text, regclass, text[], jsonb, text, integer, text, text[], bigint, bigint, bigint) IS
    'claims the keys of rows that are there from before idem, so that their messages are answered replayed when they come again, and mismatch with another request. Commits a batch of rows at a time; called again, it goes on.
In: scope; relation; key: as in idem.guard_claimed; request: {"member of the request": "column", ...} for the declared fields of the scope; since: the column that says when the row was written, for first_seen; batch: rows a transaction; state and done, needed where the effect is outside: the column of a row''s state, and the states in which the effect is done and will not be tried again: only those rows are adopted.
Out: adopted: keys; known: keys that were known before, or that the scope may have forgotten; busy: keys that a transaction that has not ended is claiming: call it again.
Errors: 25001 in a transaction block or function; 42501 not the owner of the table; 42704 unknown scope; 23505 keys that have several rows, with a sample; 23502 a key that is null; 22I01 a key that could not be claimed; 22023 a request that lacks a declared field; a scope for effects outside, without state and done.
Locks: ACCESS SHARE on the table, ROW EXCLUSIVE on idem.anchor or idem.reservation, a batch at a time. For admins who own the table.';
REVOKE ALL ON PROCEDURE idem.adopt_keys(text, regclass, text[], jsonb, text, integer, text, text[], bigint, bigint, bigint) FROM PUBLIC;
-- ---------------------------------------------------------------------------
-- bound: idempotency keys in a table of the user's
-- ---------------------------------------------------------------------------

-- Open to PUBLIC as every trigger function of a guard is (base.sql).
CREATE FUNCTION idem.keep_keys() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_keys'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_keys() IS
    'trigger idem_keys: a row whose key no claim would take raises 22I01, a request without a declared field 22023, an UPDATE of key, request or a response that is there 23I07, a DELETE 23I08';

CREATE FUNCTION idem.keep_repeats() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_repeats'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_repeats() IS
    'trigger idem_repeats: an INSERT of a key that is there, with another request, raises 23I0D';

-- Open to PUBLIC: it demands ownership of the table, and does nothing that its
-- owner could not do by CREATE TRIGGER.
CREATE FUNCTION idem.guard_keys(relation regclass, key text[],
                                request text DEFAULT NULL, fields text[] DEFAULT NULL,
                                response text DEFAULT NULL,
                                completion text DEFAULT 'optional', charset text DEFAULT 'ascii')
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_keys'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_keys(regclass, text[], text, text[], text, text, text) IS
    'guards a table of idempotency keys: INSERT INTO it with ON CONFLICT DO NOTHING RETURNING true grants a key, and idem.guard_claimed(..., keys => the table) lets the row of the effect in only by the transaction that was granted it.
In: relation; key: the columns that make the key, NOT NULL, of type text, varchar, uuid, smallint, integer or bigint, with a unique constraint on exactly these that is valid and not deferrable; request: a column of type jsonb, and fields: its members in which a repeat must not differ, ''{*}'' for all; response: a column that takes one value, once; completion: ''required'': no commit with a key without response; charset of keys: ''ascii'' (visible ASCII) or ''any''.
From then on: a row whose key a claim would not take is 22I01, a request that lacks a field 22023, an INSERT of a known key with another request 23I0D (request_mismatch), a change of key, request or a response that is there 23I07, DELETE and TRUNCATE 23I08, a commit without a response that is required 55I02. 23I0D is found by a look before the INSERT: where a rival that has not ended was waited for, the row is skipped without it.
Rows that are there are not looked at: idem.validate_guard and idem.doctor do that. The same again is a no-op with a NOTICE, and then stops no writer. Makes two guards, of kind keys and, with request, of kind repeats; idem.drop_guard of the first takes both off.
Errors: 42501 not the owner; 42P17 a column that can be null or be no key or request, or no such constraint; 42703, 42710 (another such guard), 42701, 22004, 22023.
Locks: SHARE ROW EXCLUSIVE.';

-- ---------------------------------------------------------------------------
-- reconcile: two records of the same money
-- ---------------------------------------------------------------------------

-- A rule names two tables or views of the user's, ours and theirs, and what is
-- compared.  A run of it judges one day: idem.reconciliation_query() writes the
-- comparison as one statement, which reads with one snapshot and as the owner of
-- the rule; what it finds is kept here.  Nothing here changes a row of the
-- user's.
--
--	idem.reconciliation	a row a rule
--	idem.reconciled		a row a rule and day that was looked at
--	idem.reconciled_sum	its counts and sums, by kind and currency
--	idem.difference		a row a difference, from the first run that saw it on
--	idem.difference_log	what became of it

CREATE TABLE idem.reconciliation (
    name        text COLLATE "C"
                CONSTRAINT reconciliation_pkey PRIMARY KEY,
    ours        text COLLATE "C" NOT NULL,
    theirs      text COLLATE "C" NOT NULL,
    key         text[] COLLATE "C" NOT NULL,
    amount      text COLLATE "C" NOT NULL,
    agree       text[] COLLATE "C" NOT NULL,
    day         text COLLATE "C" NOT NULL,
    currency    text COLLATE "C",
    complete    text COLLATE "C",
    calendar    text COLLATE "C",
    grace       interval,
    tolerance   numeric NOT NULL,
    group_by    text COLLATE "C",
    signed      boolean NOT NULL,
    gross       text COLLATE "C",
    fee         text COLLATE "C",
    net         text COLLATE "C",
    owner       name NOT NULL DEFAULT CURRENT_USER,
    created_by  name NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE idem.reconciliation IS 'declared reconciliations: which two records have to agree, and in what';
COMMENT ON COLUMN idem.reconciliation.name IS 'what idem.reconcile names it by';
COMMENT ON COLUMN idem.reconciliation.ours IS 'table or view of what we know, with its schema';
COMMENT ON COLUMN idem.reconciliation.theirs IS 'table or view of what the other side says';
COMMENT ON COLUMN idem.reconciliation.key IS 'columns that tell payments apart, on both sides; none: totals only';
COMMENT ON COLUMN idem.reconciliation.amount IS 'column of the amount';
COMMENT ON COLUMN idem.reconciliation.agree IS 'further columns that have to agree';
COMMENT ON COLUMN idem.reconciliation.day IS 'column of the day a row belongs to';
COMMENT ON COLUMN idem.reconciliation.currency IS 'column by which sums are parted, which has to agree; NULL: column currency, if agree names it, else there is one currency';
COMMENT ON COLUMN idem.reconciliation.complete IS 'table or view that says of each day and version how many lines of theirs there are, and their total; NULL: theirs is complete whenever it is read';
COMMENT ON COLUMN idem.reconciliation.calendar IS 'calendar whose business days are neighbours; NULL: every day is one';
COMMENT ON COLUMN idem.reconciliation.grace IS 'how long after its day a pair on neighbouring days is no difference; NULL: other days are not looked at';
COMMENT ON COLUMN idem.reconciliation.tolerance IS 'by how much the amounts of a pair may differ; counted and summed apart';
COMMENT ON COLUMN idem.reconciliation.group_by IS 'the side whose rows are added up by key before they are compared: ours, theirs or both; NULL: none';
COMMENT ON COLUMN idem.reconciliation.signed IS 'a payment and its return, of opposite sign under one key, are netted first, on both sides';
COMMENT ON COLUMN idem.reconciliation.gross IS 'column of theirs: the amount before the fee';
COMMENT ON COLUMN idem.reconciliation.fee IS 'column of theirs: what was kept of it';
COMMENT ON COLUMN idem.reconciliation.net IS 'column of theirs: what was left';
COMMENT ON COLUMN idem.reconciliation.owner IS 'role as which both sides are read';
COMMENT ON COLUMN idem.reconciliation.created_by IS 'session user who declared it';
COMMENT ON COLUMN idem.reconciliation.created_at IS 'when, by the clock of the database';
REVOKE ALL ON TABLE idem.reconciliation FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.reconciliation', '');

CREATE TABLE idem.reconciled (
    rule        text COLLATE "C",
    day         date,
    problem     text,
    version     numeric,
    waiting     bigint NOT NULL,
    again_at    timestamptz,
    runs        bigint NOT NULL,
    at          timestamptz NOT NULL,
    role        name NOT NULL,
    CONSTRAINT reconciled_pkey PRIMARY KEY (rule, day)
);
COMMENT ON TABLE idem.reconciled IS 'the days a reconciliation has looked at';
COMMENT ON COLUMN idem.reconciled.rule IS 'name of the reconciliation';
COMMENT ON COLUMN idem.reconciled.day IS 'the day';
COMMENT ON COLUMN idem.reconciled.problem IS 'why the newest run could not judge the day; NULL: it did';
COMMENT ON COLUMN idem.reconciled.version IS 'version of the file it was judged by; NULL: there are no files';
COMMENT ON COLUMN idem.reconciled.waiting IS 'pairs on neighbouring days that become differences when grace is over';
COMMENT ON COLUMN idem.reconciled.again_at IS 'when that is: run it again then; NULL: none waits';
COMMENT ON COLUMN idem.reconciled.runs IS 'how many runs there were';
COMMENT ON COLUMN idem.reconciled.at IS 'when the newest was';
COMMENT ON COLUMN idem.reconciled.role IS 'session user who ran it';
REVOKE ALL ON TABLE idem.reconciled FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.reconciled', '');

CREATE TABLE idem.reconciled_sum (
    rule        text COLLATE "C",
    day         date,
    kind        text COLLATE "C",
    currency    text COLLATE "C",
    keys        bigint NOT NULL,
    ours_lines  bigint NOT NULL,
    theirs_lines bigint NOT NULL,
    ours        numeric NOT NULL,
    theirs      numeric NOT NULL,
    fee         numeric NOT NULL,
    CONSTRAINT reconciled_sum_pkey PRIMARY KEY (rule, day, kind, currency)
);
COMMENT ON TABLE idem.reconciled_sum IS 'counts and sums of the newest run that could judge a day';
COMMENT ON COLUMN idem.reconciled_sum.rule IS 'name of the reconciliation';
COMMENT ON COLUMN idem.reconciled_sum.day IS 'the day';
COMMENT ON COLUMN idem.reconciled_sum.kind IS 'matched, tolerated, other_day or the kind of a difference';
COMMENT ON COLUMN idem.reconciled_sum.currency IS 'currency; empty: none';
COMMENT ON COLUMN idem.reconciled_sum.keys IS 'how many keys; of unidentified, rows';
COMMENT ON COLUMN idem.reconciled_sum.ours_lines IS 'rows of ours that they are made of';
COMMENT ON COLUMN idem.reconciled_sum.theirs_lines IS 'rows of theirs';
COMMENT ON COLUMN idem.reconciled_sum.ours IS 'sum of the amounts of ours';
COMMENT ON COLUMN idem.reconciled_sum.theirs IS 'sum of the amounts of theirs';
COMMENT ON COLUMN idem.reconciled_sum.fee IS 'sum of the fees';
REVOKE ALL ON TABLE idem.reconciled_sum FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.reconciled_sum', '');

-- CHECKs, and no guard: a guard on a table that a dump carries would meet the
-- rows of the dump.
CREATE TABLE idem.difference (
    id          uuid
                CONSTRAINT difference_pkey PRIMARY KEY,
    rule        text COLLATE "C" NOT NULL,
    day         date NOT NULL,
    key         jsonb NOT NULL,
    line        integer NOT NULL,
    n           integer NOT NULL,
    kind        text COLLATE "C" NOT NULL
                CONSTRAINT difference_kind_check CHECK (kind IN ('missing_theirs', 'missing_ours', 'amount', 'fields',
                                                                 'duplicate_ours', 'duplicate_theirs', 'unidentified', 'other_day')),
    currency    text COLLATE "C",
    ours        numeric,
    theirs      numeric,
    ours_lines  bigint NOT NULL,
    theirs_lines bigint NOT NULL,
    fields      text[] COLLATE "C" NOT NULL,
    ours_values jsonb,
    theirs_values jsonb,
    other_day   date,
    state       text COLLATE "C" NOT NULL
                CONSTRAINT difference_state_check CHECK (state IN ('open', 'investigating', 'explained', 'adjusted', 'written_off', 'healed')),
    first_seen  timestamptz NOT NULL,
    last_seen   timestamptz NOT NULL,
    closed_at   timestamptz,
    gone_at     timestamptz,
    role        name,
    reason      text,
    previous    uuid,
    CONSTRAINT difference_closed_check CHECK ((state IN ('open', 'investigating')) = (closed_at IS NULL)),
    CONSTRAINT difference_gone_check CHECK (gone_at IS NULL OR state IN ('explained', 'written_off')),
    CONSTRAINT difference_reason_check CHECK ((state IN ('open', 'healed')) OR (role IS NOT NULL AND reason ~ '\S')),
    CONSTRAINT difference_seen_check CHECK (first_seen <= last_seen),
    CONSTRAINT difference_n_check CHECK (n > 0 AND line >= 0 AND (previous IS NULL) = (n = 1))
);
CREATE INDEX difference_day ON idem.difference (rule, day);
CREATE INDEX difference_open ON idem.difference (rule, kind) WHERE closed_at IS NULL;
COMMENT ON INDEX idem.difference_day IS 'what is known of a day';
COMMENT ON INDEX idem.difference_open IS 'what is not closed';
COMMENT ON TABLE idem.difference IS 'differences that reconciliations found, and what became of them; read it as idem.differences';
COMMENT ON COLUMN idem.difference.id IS 'which difference: of rule, day, key, line and n';
COMMENT ON COLUMN idem.difference.rule IS 'name of the reconciliation';
COMMENT ON COLUMN idem.difference.day IS 'the day that was judged';
COMMENT ON COLUMN idem.difference.key IS 'the key, a member a column; of unidentified: the side and what the row holds of the columns compared';
COMMENT ON COLUMN idem.difference.line IS 'of unidentified: which of several equal rows, from 1; else 0';
COMMENT ON COLUMN idem.difference.n IS 'which difference of this key: it is a new one when it comes back';
COMMENT ON COLUMN idem.difference.kind IS 'missing_theirs, missing_ours, amount, fields, duplicate_ours, duplicate_theirs, unidentified or other_day';
COMMENT ON COLUMN idem.difference.currency IS 'currency of the amounts; of ours, where they differ';
COMMENT ON COLUMN idem.difference.ours IS 'amount of ours; NULL: there is none';
COMMENT ON COLUMN idem.difference.theirs IS 'amount of theirs; NULL: there is none';
COMMENT ON COLUMN idem.difference.ours_lines IS 'rows of ours';
COMMENT ON COLUMN idem.difference.theirs_lines IS 'rows of theirs';
COMMENT ON COLUMN idem.difference.fields IS 'columns that do not agree, where both sides have the key';
COMMENT ON COLUMN idem.difference.ours_values IS 'what ours holds in the columns of agree';
COMMENT ON COLUMN idem.difference.theirs_values IS 'what theirs holds';
COMMENT ON COLUMN idem.difference.other_day IS 'the day on which theirs has the key, if it is not this one';
COMMENT ON COLUMN idem.difference.state IS 'open, investigating; explained, adjusted or written_off by a person; healed: a later run found that the records agree';
COMMENT ON COLUMN idem.difference.first_seen IS 'when a run saw it first';
COMMENT ON COLUMN idem.difference.last_seen IS 'when a run saw it last';
COMMENT ON COLUMN idem.difference.closed_at IS 'when it was closed';
COMMENT ON COLUMN idem.difference.gone_at IS 'of explained and written_off: when a run saw it no more, or saw it otherwise';
COMMENT ON COLUMN idem.difference.role IS 'session user who settled it last; NULL: nobody did';
COMMENT ON COLUMN idem.difference.reason IS 'the reason given';
COMMENT ON COLUMN idem.difference.previous IS 'the difference of this key that was closed before this one came';
REVOKE ALL ON TABLE idem.difference FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.difference', '');

CREATE TABLE idem.difference_log (
    difference  uuid,
    n           integer,
    at          timestamptz NOT NULL,
    role        name NOT NULL,
    state       text COLLATE "C" NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    reason      text,
    CONSTRAINT difference_log_pkey PRIMARY KEY (difference, n)
);
COMMENT ON TABLE idem.difference_log IS 'what became of a difference after it was found, append-only';
COMMENT ON COLUMN idem.difference_log.difference IS 'which difference';
COMMENT ON COLUMN idem.difference_log.n IS 'order of the entries of one, from 1';
COMMENT ON COLUMN idem.difference_log.at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.difference_log.role IS 'session user who settled it, or who ran the reconciliation';
COMMENT ON COLUMN idem.difference_log.state IS 'its state from then on';
COMMENT ON COLUMN idem.difference_log.kind IS 'its kind from then on';
COMMENT ON COLUMN idem.difference_log.reason IS 'the reason given; NULL: a run changed it';
REVOKE ALL ON TABLE idem.difference_log FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.difference_log', '');

-- ---------------------------------------------------------------------------
-- reconcile: declaring and running
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.create_reconciliation(
    name text, ours regclass, theirs regclass, key text[],
    amount text DEFAULT 'amount', agree text[] DEFAULT '{}', day text DEFAULT 'day',
    currency text DEFAULT NULL, complete regclass DEFAULT NULL,
    calendar text DEFAULT NULL, grace interval DEFAULT NULL,
    tolerance numeric DEFAULT 0, group_by text DEFAULT NULL, signed boolean DEFAULT false,
    gross text DEFAULT NULL, fee text DEFAULT NULL, net text DEFAULT NULL
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_create_reconciliation'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.create_reconciliation(text, regclass, regclass, text[], text, text[], text, text, regclass, text, interval, numeric, text, boolean, text, text, text) IS
    'declares which two records have to agree, day by day; for admins. The caller becomes its owner: both sides are read with the rights of that role.
In: ours, theirs: tables or views that have the columns named here; key: columns that tell payments apart, ''{}'' for totals only; amount: numeric, money_micro or an integer; agree: further columns that have to agree; day: a date; currency: column by which sums are parted and which has to agree (NULL: column currency, if agree names it); complete: table or view with the columns day (as named), version, count and total: what the file of a day holds; calendar, grace: a pair on neighbouring business days is no difference until so long after them (NULL: other days are not looked at); tolerance: an amount a pair; group_by: ours, theirs or both: added up by key first; signed: a payment and its return are netted first; gross, fee, net: columns of theirs.
The same again is a no-op with a NOTICE. Kept in idem.change_log.
Errors: 22004 null; 22023 what cannot be kept; 42703, 42883 and the like, as the comparison raises them; 42501 a side that the caller may not read; 42710 another reconciliation of this name.
Locks: SHARE ROW EXCLUSIVE on idem.reconciliation: one declaration at a time, runs go on; ACCESS SHARE on both sides.';
REVOKE ALL ON FUNCTION idem.create_reconciliation(text, regclass, regclass, text[], text, text[], text, text, regclass, text, interval, numeric, text, boolean, text, text, text) FROM PUBLIC;

CREATE FUNCTION idem.alter_reconciliation(
    name text, reason text, ours regclass DEFAULT NULL, theirs regclass DEFAULT NULL,
    agree text[] DEFAULT NULL, complete regclass DEFAULT NULL,
    calendar text DEFAULT NULL, grace interval DEFAULT NULL, tolerance numeric DEFAULT NULL
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_alter_reconciliation'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.alter_reconciliation(text, text, regclass, regclass, text[], regclass, text, interval, numeric) IS
    'changes what a reconciliation was declared with, for a reason; what is NULL stays. Its key, and how rows are added up, stay always. The caller becomes its owner. Waits for a run of it. Kept in idem.change_log.
Errors: 22004 name or reason null; 22023 reason blank or longer than 1,000 characters; 42704 unknown; else as idem.create_reconciliation; 42501 also where a second person is needed (idem.require_approval).
Locks: as idem.create_reconciliation.';
REVOKE ALL ON FUNCTION idem.alter_reconciliation(text, text, regclass, regclass, text[], regclass, text, interval, numeric) FROM PUBLIC;

CREATE FUNCTION idem.drop_reconciliation(name text, reason text) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_drop_reconciliation'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.drop_reconciliation(text, text) IS
    'forgets a reconciliation all of whose differences are closed; they stay. Kept in idem.change_log.
Errors: 22004 null; 22023 reason blank or longer than 1,000 characters; 42704 unknown; 2BP01 a difference is not closed.
Locks: as idem.create_reconciliation.';
REVOKE ALL ON FUNCTION idem.drop_reconciliation(text, text) FROM PUBLIC;

CREATE FUNCTION idem.reconcile(rule text, day date)
    RETURNS TABLE (kind text, currency text, keys bigint, ours numeric, theirs numeric, difference numeric, open bigint, detail text)
    AS 'MODULE_PATHNAME', 'idem_reconcile'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION idem.reconcile(text, date) IS
    'compares the two records of a day, and keeps what differs in idem.differences: new ones, those that are still there, those that healed. Called again it finds the same.
Out: a row a kind and currency: how many keys, and the sums of both sides; open: how many of them wait for somebody. The sums of all rows are those of the day. kind incomplete: the file of theirs is not there as declared; the day was not judged, detail says why, and nothing was changed.
Errors: 22004 null; 42704 unknown; 42501 a side that the owner of the rule may not read, or may not read whole; 25006 on a standby or in a read-only transaction, and for a view that writes; what else the two sides raise.
Locks: the row of the rule: a second run of it waits; ACCESS SHARE on both sides. Both are read with one snapshot, taken when the lock is held.';
REVOKE ALL ON FUNCTION idem.reconcile(text, date) FROM PUBLIC;

CREATE FUNCTION idem.settle_difference(id uuid, state text, reason text) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_settle_difference'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.settle_difference(uuid, text, text) IS
    'says what became of a difference; for operators. Kept in idem.difference_log.
In: state investigating, from open or again; explained: the records go on to differ, and may; written_off: so they do, and the money is lost; adjusted: the records were corrected, so that a run that still sees it makes a new one. From these three there is no way back.
Errors: 22004 null; 22023 another state, or reason blank or longer than 1,000 characters; 42704 unknown; 55000 it is closed; 25006 on a standby or in a read-only transaction.
Locks: the row.';
REVOKE ALL ON FUNCTION idem.settle_difference(uuid, text, text) FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- reconcile: what people and programs read
-- ---------------------------------------------------------------------------

CREATE VIEW idem.differences AS
SELECT d.id, d.rule, d.day, d.key, d.kind, d.currency, d.ours, d.theirs,
       coalesce(d.ours, 0) - coalesce(d.theirs, 0) AS difference,
       d.fields, d.ours_lines, d.theirs_lines, d.ours_values, d.theirs_values, d.other_day,
       d.state, d.first_seen, d.last_seen, d.closed_at, d.role, d.reason, d.previous
FROM idem.difference d;
COMMENT ON VIEW idem.differences IS 'differences that reconciliations found, and what became of them';
COMMENT ON COLUMN idem.differences.id IS 'what idem.settle_difference takes';
COMMENT ON COLUMN idem.differences.rule IS 'name of the reconciliation';
COMMENT ON COLUMN idem.differences.day IS 'the day that was judged';
COMMENT ON COLUMN idem.differences.key IS 'the key, a member a column; of unidentified: the side and what the row holds of the columns compared';
COMMENT ON COLUMN idem.differences.kind IS 'missing_theirs, missing_ours, amount, fields, duplicate_ours, duplicate_theirs, unidentified or other_day';
COMMENT ON COLUMN idem.differences.currency IS 'currency of the amounts; of ours, where they differ';
COMMENT ON COLUMN idem.differences.ours IS 'amount of ours; NULL: there is none';
COMMENT ON COLUMN idem.differences.theirs IS 'amount of theirs; NULL: there is none';
COMMENT ON COLUMN idem.differences.difference IS 'ours less theirs, none counted as zero';
COMMENT ON COLUMN idem.differences.fields IS 'columns that do not agree, where both sides have the key';
COMMENT ON COLUMN idem.differences.ours_lines IS 'rows of ours';
COMMENT ON COLUMN idem.differences.theirs_lines IS 'rows of theirs';
COMMENT ON COLUMN idem.differences.ours_values IS 'what ours holds in the columns of agree';
COMMENT ON COLUMN idem.differences.theirs_values IS 'what theirs holds';
COMMENT ON COLUMN idem.differences.other_day IS 'the day on which theirs has the key, if it is not this one';
COMMENT ON COLUMN idem.differences.state IS 'open, investigating; explained, adjusted or written_off by a person; healed: a later run found that the records agree';
COMMENT ON COLUMN idem.differences.first_seen IS 'when a run saw it first';
COMMENT ON COLUMN idem.differences.last_seen IS 'when a run saw it last';
COMMENT ON COLUMN idem.differences.closed_at IS 'when it was closed';
COMMENT ON COLUMN idem.differences.role IS 'session user who settled it last; NULL: nobody did';
COMMENT ON COLUMN idem.differences.reason IS 'the reason given';
COMMENT ON COLUMN idem.differences.previous IS 'the difference of this key that was closed before this one came';
REVOKE ALL ON TABLE idem.differences FROM PUBLIC;

CREATE VIEW idem.stat_differences AS
SELECT d.rule, d.kind, d.state, d.currency, pg_catalog.count(*) AS differences,
       pg_catalog.sum(d.ours) AS ours, pg_catalog.sum(d.theirs) AS theirs, pg_catalog.min(d.first_seen) AS oldest
FROM idem.difference d
WHERE d.closed_at IS NULL
GROUP BY d.rule, d.kind, d.state, d.currency;
COMMENT ON VIEW idem.stat_differences IS 'differences that are not closed, counted and summed';
COMMENT ON COLUMN idem.stat_differences.rule IS 'name of the reconciliation';
COMMENT ON COLUMN idem.stat_differences.kind IS 'kind of the differences';
COMMENT ON COLUMN idem.stat_differences.state IS 'open or investigating';
COMMENT ON COLUMN idem.stat_differences.currency IS 'currency; NULL: none';
COMMENT ON COLUMN idem.stat_differences.differences IS 'how many';
COMMENT ON COLUMN idem.stat_differences.ours IS 'sum of the amounts of ours';
COMMENT ON COLUMN idem.stat_differences.theirs IS 'sum of the amounts of theirs';
COMMENT ON COLUMN idem.stat_differences.oldest IS 'when the first of them was seen first';
REVOKE ALL ON TABLE idem.stat_differences FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- reconcile: the comparison of a day, as one statement
-- ---------------------------------------------------------------------------

-- Domains are what they are made of.
CREATE FUNCTION idem.column_type(relation text, "column" text, OUT type oid, OUT category "char")
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH RECURSIVE b (type) AS (
            SELECT a.atttypid FROM pg_attribute a
            WHERE a.attrelid = to_regclass(column_type.relation) AND a.attname = column_type."column"
                  AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT t.typbasetype FROM b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd')
        SELECT t.oid, t.typcategory FROM b JOIN pg_type t ON t.oid = b.type WHERE t.typtype <> 'd';
    END;
COMMENT ON FUNCTION idem.column_type(text, text) IS 'type of a column, and its category; of a domain, of what it is made of; NULL: no such column';
REVOKE ALL ON FUNCTION idem.column_type(text, text) FROM PUBLIC;

-- So that rows of one key need not be looked for: no NULL is in it, and each
-- row of the table is in the index.
CREATE FUNCTION idem.is_unique(relation text, columns text[]) RETURNS boolean
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    RETURN EXISTS (SELECT FROM pg_index i
                   JOIN pg_class c ON c.oid = i.indrelid
                   WHERE i.indrelid = to_regclass(relation) AND i.indisunique AND i.indisvalid AND i.indimmediate
                         AND i.indpred IS NULL AND i.indexprs IS NULL
                         AND (c.relkind = 'p' OR c.relkind = 'r' AND NOT c.relhassubclass)
                         AND ARRAY(SELECT a.attname::text FROM pg_attribute a
                                   WHERE a.attrelid = i.indrelid
                                         AND a.attnum = ANY ((i.indkey::smallint[])[0:i.indnkeyatts - 1])) <@ columns);
COMMENT ON FUNCTION idem.is_unique(text, text[]) IS 'does a unique index of a table see to it that there is one row of these columns?';
REVOKE ALL ON FUNCTION idem.is_unique(text, text[]) FROM PUBLIC;

-- Two days are neighbours if no business day lies between them: the same for
-- both, also over a weekend on which one side books and the other does not.
CREATE FUNCTION idem.neighbour_days(calendar text, day date, OUT neighbour date, OUT since date, OUT until date) RETURNS SETOF record
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 5
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH b (day) AS MATERIALIZED (
                SELECT g.day FROM generate_series(-60, 60) n, LATERAL (SELECT neighbour_days.day + n) g (day)
                WHERE NOT EXISTS (SELECT FROM idem.calendar_at(neighbour_days.calendar, clock_timestamp()) c
                                  WHERE idem.is_day_off(c.name, c.time_zone, c.weekend, g.day))),
            n (day, since, until) AS MATERIALIZED (
                SELECT g.day, coalesce((SELECT max(b.day) FROM b WHERE b.day < g.day), g.day - 1),
                       coalesce((SELECT min(b.day) FROM b WHERE b.day > g.day), g.day + 1)
                FROM generate_series(-40, 40) n, LATERAL (SELECT neighbour_days.day + n) g (day))
        SELECT n.day, n.since, n.until
        FROM n JOIN n m ON m.day = neighbour_days.day
        WHERE n.day BETWEEN (SELECT s.since FROM n s WHERE s.day = m.since) AND (SELECT u.until FROM n u WHERE u.day = m.until);
    END;
COMMENT ON FUNCTION idem.neighbour_days(text, date) IS
    'a day, its neighbours and theirs, each with the first and the last of its own neighbours; of a calendar, or NULL: of all days';
REVOKE ALL ON FUNCTION idem.neighbour_days(text, date) FROM PUBLIC;

CREATE FUNCTION idem.end_of_day(calendar text, day date) RETURNS timestamptz
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    RETURN coalesce((SELECT (day + c.cut) AT TIME ZONE c.time_zone FROM idem.calendar_at(calendar, clock_timestamp()) c),
                    (day + 1)::timestamp AT TIME ZONE 'UTC');
COMMENT ON FUNCTION idem.end_of_day(text, date) IS 'the cut of a calendar on a day; without a calendar midnight, UTC';
REVOKE ALL ON FUNCTION idem.end_of_day(text, date) FROM PUBLIC;

-- The first thing that is wrong with a rule, in an order in which a reader would
-- look at it.
CREATE FUNCTION idem.reconciliation_flaw(name text, OUT flaw text, OUT hint text)
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT f.flaw, f.hint
        FROM idem.reconciliation r,
             LATERAL (SELECT CASE WHEN r.net IS NOT NULL AND r.fee IS NOT NULL THEN coalesce(r.gross, r.net) ELSE r.amount END AS theirs_amount,
                             '{numeric,bigint,integer,smallint,money_micro}'::regtype[]::oid[] AS amounts) a,
             LATERAL (
                 SELECT min(format('%s has no column "%s"', n.relation, n."column")) AS missing
                 FROM (SELECT s.relation, c."column"
                       FROM unnest(ARRAY[r.ours, r.theirs]) s (relation), unnest(r.key || r.agree || r.day || r.currency) c ("column")
                       UNION ALL VALUES (r.ours, r.amount), (r.theirs, a.theirs_amount), (r.theirs, r.gross), (r.theirs, r.fee), (r.theirs, r.net),
                                        (r.complete, r.day), (r.complete, 'version'), (r.complete, 'count'), (r.complete, 'total')) n
                 WHERE n.relation IS NOT NULL AND n."column" IS NOT NULL AND idem.column_type(n.relation, n."column") IS NULL) m,
             LATERAL (VALUES
                 (1, r.name !~ '^[^[:cntrl:][:space:]]([^[:cntrl:]]*[^[:cntrl:][:space:]])?$' OR octet_length(r.name) > 200,
                  'its name is none', 'A name is 1 to 200 bytes of text without control characters and without a blank at either end.'),
                 (2, array_position(r.key || r.agree, NULL) IS NOT NULL
                     OR (SELECT count(*) <> count(DISTINCT c) FROM unnest(r.key || r.agree || r.day || r.amount) c),
                  'key, agree, day and amount name columns, each once', NULL),
                 (3, to_regclass(r.ours) IS NULL OR to_regclass(r.theirs) IS NULL OR r.complete IS NOT NULL AND to_regclass(r.complete) IS NULL,
                  format('there is no table or view %s', CASE WHEN to_regclass(r.ours) IS NULL THEN r.ours WHEN to_regclass(r.theirs) IS NULL THEN r.theirs ELSE r.complete END),
                  'If it has another name now, say so with idem.alter_reconciliation.'),
                 (4, r.group_by NOT IN ('ours', 'theirs', 'both'), format('invalid group_by "%s"', r.group_by), 'It is ''ours'', ''theirs'' or ''both''.'),
                 (5, r.signed AND r.group_by IS NOT NULL, 'signed and group_by exclude each other', 'Rows that are added up are netted, too; signed nets a payment and its return, and no two payments.'),
                 (6, num_nonnulls(r.gross, r.fee, r.net) > 0 AND (r.fee IS NULL OR r.net IS NULL), 'fee and net are given together, with or without gross', NULL),
                 (7, r.tolerance < 0 OR r.tolerance = 'NaN' OR r.tolerance = 'Infinity', 'tolerance is an amount', NULL),
                 (8, r.grace < '0' OR extract(year FROM r.grace) <> 0 OR extract(month FROM r.grace) <> 0 OR r.grace > '365000 days',
                  'grace must not be negative, and has no months', NULL),
                 (9, r.key = '{}' AND (r.grace IS NOT NULL OR r.signed OR r.group_by IS NOT NULL OR r.agree <> '{}' AND r.agree <> ARRAY['currency'] COLLATE "C"),
                  'totals only, without a key, have neither grace, signed, group_by nor columns that agree', NULL),
                 (10, r.calendar IS NOT NULL AND NOT EXISTS (SELECT FROM idem.calendar k WHERE k.name = r.calendar),
                  format('calendar "%s" does not exist', r.calendar), 'Declare it with idem.create_calendar.'),
                 (11, m.missing IS NOT NULL, m.missing, 'Both sides need the columns of key, agree, amount, day and currency; a view gives them the same names.'),
                 (12, EXISTS (SELECT FROM (VALUES (r.ours, r.amount), (r.theirs, a.theirs_amount), (r.theirs, r.gross), (r.theirs, r.fee), (r.theirs, r.net), (r.complete, 'total')) t (relation, "column")
                              WHERE t.relation IS NOT NULL AND t."column" IS NOT NULL AND ((idem.column_type(t.relation, t."column")).type = ANY (a.amounts)) IS NOT TRUE),
                  'an amount is no number that keeps its decimals', 'It is numeric, money_micro or an integer.'),
                 (13, EXISTS (SELECT FROM unnest(ARRAY[r.ours, r.theirs, r.complete]) t
                              WHERE t IS NOT NULL AND (idem.column_type(t, r.day)).type <> 'date'::regtype),
                  format('column "%s" is no date', r.day), 'A time belongs to a day by a calendar: idem.business_date(calendar, at).'),
                 (14, r.complete IS NOT NULL AND EXISTS (SELECT FROM (VALUES (r.complete, 'version'), (r.complete, 'count'), (r.theirs, 'version')) t (relation, "column")
                                                         WHERE ((idem.column_type(t.relation, t."column")).type = ANY ('{numeric,bigint,integer,smallint}'::regtype[]::oid[])) IS FALSE),
                  'version and count are numbers', NULL)
             ) f (n, wrong, flaw, hint)
        WHERE r.name = reconciliation_flaw.name AND f.wrong
        ORDER BY f.n LIMIT 1;
    END;
COMMENT ON FUNCTION idem.reconciliation_flaw(text) IS 'what is wrong with a rule as it stands in idem.reconciliation, and what to do; NULL: nothing';
REVOKE ALL ON FUNCTION idem.reconciliation_flaw(text) FROM PUBLIC;

-- How a column is compared: text by its bytes, so that no two collations meet;
-- what has no order as text.
CREATE FUNCTION idem.compared(ours text, theirs text, "column" text, is_key boolean) RETURNS text
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT format(CASE WHEN o.category = 'S' AND t.category = 'S'
                           THEN CASE WHEN is_key THEN 'nullif(s.%I::text COLLATE "C", '''')' ELSE 's.%I::text COLLATE "C"' END
                           WHEN is_key THEN CASE 'numeric'::regtype WHEN o.type THEN 'trim_scale(s.%I::numeric)' WHEN t.type THEN 'trim_scale(s.%I::numeric)' ELSE 's.%I' END
                           WHEN (SELECT count(*) FROM pg_proc p WHERE p.proname = 'min' AND p.prokind = 'a' AND p.pronamespace = 'pg_catalog'::regnamespace
                                        AND p.proargtypes[0] IN (o.type, t.type)) < CASE WHEN o.type = t.type THEN 1 ELSE 2 END THEN 's.%I::text COLLATE "C"'
                           ELSE 's.%I' END, compared."column")
        FROM idem.column_type(compared.ours, compared."column") o, idem.column_type(compared.theirs, compared."column") t;
    END;
COMMENT ON FUNCTION idem.compared(text, text, text, boolean) IS 'the expression by which a column s.column of both sides is compared';
REVOKE ALL ON FUNCTION idem.compared(text, text, text, boolean) FROM PUBLIC;

-- A statement whose rows are what a day of a rule has: one for each currency
-- and d, which is NULL where both sides agree, {"kind":"tolerated"}, and
-- otherwise the kind, the key and what both sides hold, or of kind file what
-- the file of theirs declares.
--
--	o, t	a row a key of each side: k1.. its key, c currency, a amount, n rows,
--			m rows of one sign, f1.. what has to agree, x, x1.. whether rows that
--			were added up disagree in it, ok whether net and fee make the gross
--	f		both together; where they agree, what is counted and summed of ours
--			is that of theirs
--	w, e, p	of the keys that one side lacks: what both have on days around, what
--			of that has no counterpart on its own day, and pairs of it
--
-- Numbers that are infinite, or none, are equal to themselves: they are looked
-- for if strict, which is asked for where the sum of what agrees is not finite.
--
-- A key is compared with the first and the last value of a column, so that no
-- row is looked at again; where a unique index says that there is one row a
-- key, it is not grouped, and rows without a key are looked up beside.  Shown by sql/reconcile_group.sql and
-- sql/reconcile_day.sql.
CREATE FUNCTION idem.reconciliation_query(name text, day date, strict boolean DEFAULT false) RETURNS text
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO'
    BEGIN ATOMIC
        WITH r AS (
            SELECT r.*, r.key = '{}' AS totals,
                   coalesce(r.currency, CASE WHEN 'currency' = ANY (r.agree) THEN 'currency' END) AS cur,
                   r.complete IS NOT NULL AND idem.column_type(r.theirs, 'version') IS NOT NULL AS versions,
                   r.fee IS NOT NULL AS fees,
                   format('s.%I', r.day) AS s_day
            FROM idem.reconciliation r WHERE r.name = reconciliation_query.name),
        k AS ( -- keys: definition, list, join, is one of them missing, as jsonb
            SELECT string_agg(format('%s AS k%s', idem.compared(r.ours, r.theirs, c, true), n), ', ' ORDER BY n) AS define,
                   -- the same where none is missing, and what that is
                   string_agg(format('%s AS k%s', regexp_replace(idem.compared(r.ours, r.theirs, c, true), '^nullif\((.*), ''''\)$', '\1'), n), ', ' ORDER BY n) AS plain,
                   string_agg(format(CASE WHEN o.category = 'S' AND t.category = 'S' THEN 's.%1$I IS NULL OR s.%1$I = ''''' ELSE 's.%1$I IS NULL' END, c), ' OR ' ORDER BY n) AS lacking,
                   string_agg(format(CASE WHEN o.category = 'S' AND t.category = 'S' THEN 's.%I <> ''''' ELSE 's.%I IS NOT NULL' END, c), ' AND ' ORDER BY n) AS there,
                   string_agg(format('k%s', n), ', ' ORDER BY n) AS list,
                   string_agg(format('o.k%1$s = t.k%1$s', n), ' AND ' ORDER BY n) AS "join",
                   string_agg(format('k%s IS NULL', n), ' OR ' ORDER BY n) AS missing,
                   string_agg(format('coalesce(o.k%1$s, t.k%1$s) IS NULL', n), ' OR ' ORDER BY n) AS unidentified,
                   string_agg(format('%L, coalesce(o.k%2$s, t.k%2$s)', c, n), ', ' ORDER BY n) AS both,
                   string_agg(format('%L, k%s', c, n), ', ' ORDER BY n) AS one,
                   string_agg(format('(f.d->''key''->>%L)::%s AS k%s', c,
                                     CASE WHEN o.category = 'S' AND t.category = 'S' THEN 'text'
                                          WHEN 'numeric'::regtype IN (o.type, t.type) THEN 'numeric' ELSE format_type(o.type, NULL) END, n), ', ' ORDER BY n) AS again
            FROM r, unnest(r.key) WITH ORDINALITY u (c, n), idem.column_type(r.ours, c) o, idem.column_type(r.theirs, c) t),
        g AS ( -- what has to agree
            SELECT coalesce(string_agg(format(', %s AS f%s', idem.compared(r.ours, r.theirs, c, false), n), '' ORDER BY n), '') AS define,
                   coalesce(string_agg(format(', f%s', n), '' ORDER BY n), '') AS list,
                   coalesce(string_agg(format(', min(f%1$s) AS f%1$s', n), '' ORDER BY n), '') AS one,
                   coalesce(string_agg(format(', min(f%1$s) IS DISTINCT FROM max(f%1$s) OR count(f%1$s) NOT IN (0, count(*)) AS x%1$s', n), '' ORDER BY n), '') AS mixed,
                   coalesce(string_agg(format(' AND o.f%1$s IS NOT DISTINCT FROM t.f%1$s', n), '' ORDER BY n), '') AS same,
                   coalesce(string_agg(format(' AND NOT o.x%s', n), '' ORDER BY n), '') AS ours_same,
                   coalesce(string_agg(format(' AND NOT t.x%s', n), '' ORDER BY n), '') AS theirs_same,
                   coalesce(string_agg(format(', %L, o.f%s', c, n), '' ORDER BY n), '') AS ours,
                   coalesce(string_agg(format(', %L, t.f%s', c, n), '' ORDER BY n), '') AS theirs,
                   coalesce(string_agg(format(', %L, min(f%s)', c, n), '' ORDER BY n), '') AS around
            FROM r, unnest(r.agree) WITH ORDINALITY u (c, n) WHERE c IS DISTINCT FROM r.cur),
        s AS ( -- the two sides
            SELECT i.is_ours, i.side, i.relation, coalesce(i.in_group, false) OR r.totals AS sums,
                   NOT r.totals AND idem.is_unique(i.relation, r.key || r.day || CASE WHEN r.versions AND NOT i.is_ours THEN 'version' END) AS is_raw,
                   format('%s AS c, %s AS a%s%s, %s AS day FROM %s s WHERE ',
                          CASE WHEN r.cur IS NULL THEN 'NULL::text' ELSE format('s.%I::text COLLATE "C"', r.cur) END,
                          CASE WHEN i.is_ours OR NOT r.fees THEN format('s.%I', r.amount)
                               WHEN r.gross IS NOT NULL THEN format('s.%I', r.gross)
                               ELSE format('s.%I + s.%I', r.net, r.fee) END
                          || CASE WHEN o.type <> t.type THEN '::numeric' ELSE '' END,
                          g.define,
                          CASE WHEN i.is_ours OR NOT r.fees THEN ''
                               ELSE format(', s.%I AS fee, %s AS ok', r.fee,
                                           CASE WHEN r.gross IS NULL THEN format('s.%I IS NOT NULL', r.net)
                                                ELSE format('(s.%I = s.%I + s.%I) IS TRUE', r.gross, r.net, r.fee) END) END,
                          r.s_day, i.relation) AS rest,
                   o.type <> t.type OR o.type = 'numeric'::regtype AS decimals
            FROM r, k, g, idem.column_type(r.ours, r.amount) o,
                 idem.column_type(r.theirs, CASE WHEN r.fees THEN coalesce(r.gross, r.net) ELSE r.amount END) t,
                 LATERAL (VALUES (true, 'ours', r.ours, r.group_by IN ('ours', 'both')),
                                 (false, 'theirs', r.theirs, r.group_by IN ('theirs', 'both'))) i (is_ours, side, relation, in_group)),
        q AS ( -- a side as a query of one row a key
            SELECT s.is_ours, s.sums, s.is_raw, e.source, s.decimals,
                   CASE WHEN s.is_raw THEN 'SELECT ' || k.plain || ', ' || s.rest || h.here || ' AND ' || k.there || ' UNION ALL ' || e.source || h.here || ' AND (' || k.lacking || ')'
                        ELSE e.source || h.here END AS rows,
                   NOT s.is_raw AND NOT s.sums AS many, NOT s.is_raw AND (s.sums AND NOT r.totals OR r.signed) AS mixes,
                   CASE WHEN s.is_ours OR NOT r.versions THEN ''
                        ELSE format(' AND (%s, s.version) IN (SELECT v.%I, max(v.version) FROM %s v GROUP BY 1)', r.s_day, r.day, r.complete) END AS newest,
                   CASE WHEN s.is_raw THEN 'SELECT ' || k.list || ', c, a, 1 AS n, 1 AS m' || g.list || x.fee
                        ELSE format('SELECT %smin(c) AS c, sum(a) AS a, count(*) AS n, %s AS m%s%s%s', k.list || ', ',
                                    CASE WHEN s.sums THEN '1' WHEN r.signed THEN 'greatest(count(*) FILTER (WHERE a > 0), count(*) - count(*) FILTER (WHERE a > 0))' ELSE 'count(*)' END,
                                    g.one,
                                    CASE WHEN s.sums AND NOT r.totals OR r.signed THEN ', min(c) IS DISTINCT FROM max(c) OR count(c) NOT IN (0, count(*)) AS x' || g.mixed ELSE '' END,
                                    CASE WHEN x.fee = '' THEN '' ELSE ', sum(fee) AS fee, bool_and(ok) AS ok' END) END AS columns,
                   CASE WHEN r.totals THEN ' GROUP BY c HAVING count(*) > 0'
                        WHEN s.is_raw THEN ''
                        ELSE format(' GROUP BY %s, CASE WHEN %s THEN jsonb_build_array(trim_scale(a::numeric), c%s)::text END', k.list, k.missing, g.list) END AS "group"
            FROM r, k, g, s,
                 LATERAL (SELECT 'SELECT ' || coalesce(k.define || ', ', '') || s.rest) e (source),
                 LATERAL (SELECT format('%s = %L', r.s_day, reconciliation_query.day)
                                 || CASE WHEN s.is_ours OR NOT r.versions THEN ''
                                         ELSE format(' AND s.version = (SELECT max(v.version) FROM %s v WHERE v.%I = %L)', r.complete, r.day, reconciliation_query.day) END) h (here),
                 LATERAL (SELECT CASE WHEN s.is_ours OR NOT r.fees THEN '' ELSE ', fee, ok' END) x (fee)),
        m AS ( -- what makes a pair agree
            SELECT CASE WHEN o.many THEN ' AND o.m = 1' ELSE '' END || CASE WHEN t.many THEN ' AND t.m = 1' ELSE '' END
                   || CASE WHEN r.cur IS NULL OR r.totals THEN '' ELSE ' AND o.c IS NOT DISTINCT FROM t.c' END
                   || CASE WHEN o.mixes THEN ' AND NOT o.x' || g.ours_same ELSE '' END || CASE WHEN t.mixes THEN ' AND NOT t.x' || g.theirs_same ELSE '' END
                   || CASE WHEN r.fees THEN ' AND t.ok' ELSE '' END || g.same AS same,
                   'o.a = t.a' || CASE WHEN o.decimals AND strict THEN e.finite ELSE '' END AS agrees,
                   'o.a = t.a' || CASE WHEN o.decimals THEN e.finite ELSE '' END AS exact,
                   CASE WHEN r.tolerance > 0 THEN format('abs(o.a::numeric - t.a::numeric) <= %L::numeric', r.tolerance) END AS near,
                   CASE WHEN r.cur IS NULL OR r.totals THEN 'NULL::text'
                        ELSE format('CASE WHEN o.c IS DISTINCT FROM t.c%s%s THEN %L END', CASE WHEN o.mixes THEN ' OR o.x' ELSE '' END,
                                    CASE WHEN t.mixes THEN ' OR t.x' ELSE '' END, r.cur) END
                   || CASE WHEN r.fees THEN format(', CASE WHEN NOT t.ok THEN %L END', r.net) ELSE '' END
                   || coalesce((SELECT string_agg(format(', CASE WHEN o.f%1$s IS DISTINCT FROM t.f%1$s%2$s%3$s THEN %4$L END', n, CASE WHEN o.mixes THEN format(' OR o.x%s', n) ELSE '' END,
                                                         CASE WHEN t.mixes THEN format(' OR t.x%s', n) ELSE '' END, c), '' ORDER BY n)
                                FROM unnest(r.agree) WITH ORDINALITY u (c, n) WHERE c IS DISTINCT FROM r.cur), '') AS differ
            FROM r, g, q o, q t, (VALUES (' AND o.a < ''Infinity'' AND o.a > ''-Infinity''')) e (finite)
            WHERE o.is_ours AND NOT t.is_ours),
        b AS (
            SELECT format($q$
o AS (%s FROM (%s) s%s),
t AS (%s FROM (%s) s%s),
f AS MATERIALIZED (
SELECT j.c, j.d, count(*) AS keys, %s AS ours_lines, %s AS theirs_lines, sum(j.o)::numeric AS ours,
       CASE WHEN j.d IS NULL THEN sum(j.o) ELSE sum(j.t) FILTER (WHERE j.d IS NOT NULL) END::numeric AS theirs, %s AS fee
FROM (
SELECT coalesce(o.c, t.c) AS c, o.a AS o, t.a AS t, o.n AS ours_lines, t.n AS theirs_lines%s,
       CASE WHEN %s%s THEN NULL%s
            ELSE jsonb_build_object('kind', CASE WHEN %s THEN 'unidentified'
                                                 WHEN t.n IS NULL THEN 'missing_theirs'
                                                 WHEN o.n IS NULL THEN 'missing_ours'
                                                 WHEN o.m > 1 AND o.m >= t.m THEN 'duplicate_ours'
                                                 WHEN t.m > 1 THEN 'duplicate_theirs'
                                                 WHEN %s THEN 'fields' ELSE 'amount' END,
                     'key', CASE WHEN %s THEN jsonb_strip_nulls(jsonb_build_object(%s)) || jsonb_build_object('side', CASE WHEN t.n IS NULL THEN 'ours' ELSE 'theirs' END,
                                                                 'amount', trim_scale(coalesce(o.a, t.a)::numeric / coalesce(o.n, t.n)))
                                                       || CASE WHEN t.n IS NULL THEN %s ELSE %s END
                                 ELSE jsonb_build_object(%s) END,
                     'ours', CASE WHEN o.n IS NOT NULL THEN %s END, 'theirs', CASE WHEN t.n IS NOT NULL THEN %s END,
                     'fields', CASE WHEN o.n IS NOT NULL AND t.n IS NOT NULL THEN to_jsonb(array_remove(ARRAY[%s], NULL)) ELSE '[]' END,
                     'theirs_currency', t.c) END AS d
FROM o FULL JOIN t ON %s OFFSET 0) j
GROUP BY j.c, j.d)$q$,
                          o.columns, o.rows, o."group",
                          t.columns, t.rows, t."group",
                          n.ours, n.theirs, CASE WHEN r.fees THEN 'sum(j.fee)::numeric' ELSE '0' END, CASE WHEN r.fees THEN ', t.fee' ELSE '' END,
                          m.agrees, m.same, CASE WHEN m.near IS NULL THEN '' ELSE format(' WHEN %s%s THEN ''{"kind":"tolerated"}''', m.near, m.same) END,
                          u.is, CASE WHEN r.fees THEN 't.ok AND ' ELSE '' END || coalesce(m.near, m.exact),
                          u.is, coalesce(k.both, ''), v.ours, v.theirs, coalesce(k.both, CASE WHEN r.cur IS NOT NULL THEN format('%L, coalesce(o.c, t.c)', r.cur) END, ''),
                          v.ours, v.theirs,
                          m.differ,
                          coalesce(k."join", 'coalesce(o.c, '''') = coalesce(t.c, '''')')) AS compared,
                   v.*, o.source AS ours_source, t.source AS theirs_source, t.newest, o.sums::text AS ours_sums, t.sums::text AS theirs_sums
            FROM r, k, g, m, q o, q t,
                 LATERAL (SELECT CASE WHEN o.sums AND NOT o.is_raw THEN 'sum(j.ours_lines)' ELSE format(l.lines, 'ours') END,
                                 CASE WHEN t.sums AND NOT t.is_raw THEN 'sum(j.theirs_lines)' ELSE format(l.lines, 'theirs') END
                          FROM (VALUES ('CASE WHEN j.d IS NULL THEN count(*) ELSE coalesce(sum(j.%s_lines) FILTER (WHERE j.d IS NOT NULL), 0) END')) l (lines)) n (ours, theirs),
                 LATERAL (SELECT coalesce(k.unidentified, 'false')) u ("is"),
                 LATERAL (SELECT format('jsonb_build_object(%s)', substr(CASE WHEN r.cur IS NULL THEN '' ELSE format(', %L, o.c', r.cur) END || g.ours, 3)),
                                 format('jsonb_build_object(%s)', substr(CASE WHEN r.cur IS NULL THEN '' ELSE format(', %L, t.c', r.cur) END || g.theirs, 3)),
                                 format('jsonb_build_object(%s)', substr(CASE WHEN r.cur IS NULL THEN '' ELSE format(', %L, min(c)', r.cur) END || g.around, 3))) v (ours, theirs, around)
            WHERE o.is_ours AND NOT t.is_ours),
        p AS ( -- pairs on neighbouring days
            SELECT format($q$,
l AS MATERIALIZED (
SELECT f.d->>'kind' = 'missing_theirs' AS is_ours, f.d->'key' AS key, f.c, coalesce(f.ours, f.theirs) AS a,
       coalesce(f.ours_lines, 0) + coalesce(f.theirs_lines, 0) AS n,
       CASE f.d->>'kind' WHEN 'missing_theirs' THEN f.d->'ours' ELSE f.d->'theirs' END AS v, %1$s
FROM f WHERE f.d->>'kind' IN ('missing_theirs', 'missing_ours')),
w AS MATERIALIZED (
SELECT true AS is_ours, s.day, jsonb_build_object(%2$s) AS key, min(c) AS c, sum(a)::numeric AS a, CASE WHEN %3$s THEN 1 ELSE count(*) END AS n, %4$s AS v
FROM (%5$s%6$s) s WHERE (%7$s) IN (SELECT %7$s FROM l) GROUP BY s.day, %7$s
UNION ALL
SELECT false, s.day, jsonb_build_object(%2$s), min(c), sum(a)::numeric, CASE WHEN %8$s THEN 1 ELSE count(*) END, %4$s
FROM (%9$s%6$s%10$s) s WHERE (%7$s) IN (SELECT %7$s FROM l) GROUP BY s.day, %7$s),
e AS (
SELECT x.* FROM (SELECT is_ours, %11$L::date AS day, key, c, a, CASE WHEN CASE WHEN is_ours THEN %3$s ELSE %8$s END THEN 1 ELSE n END AS n, v FROM l
                 UNION ALL SELECT * FROM w) x
WHERE x.n = 1 AND NOT EXISTS (SELECT FROM w y WHERE y.key = x.key AND y.day = x.day AND y.is_ours <> x.is_ours)),
p AS (
SELECT o.key, o.day AS ours_day, t.day AS theirs_day, t.a AS theirs, t.c AS theirs_currency, t.v AS theirs_values, z.fields, abs(o.a - t.a) <= %12$L AS near,
       count(*) OVER (PARTITION BY o.key, o.day) AS for_ours, count(*) OVER (PARTITION BY t.key, t.day) AS for_theirs
FROM e o JOIN e t ON t.key = o.key AND o.is_ours AND NOT t.is_ours
JOIN (VALUES %13$s) d (day, since, until) ON d.day = o.day AND t.day BETWEEN d.since AND d.until,
     LATERAL (SELECT coalesce(jsonb_agg(i.key ORDER BY i.key) FILTER (WHERE i.value IS DISTINCT FROM t.v->i.key), '[]') FROM jsonb_each(o.v) i) z (fields))$q$,
                          k.again, k.one, b.ours_sums, b.around,
                          b.ours_source, format('%s BETWEEN %L AND %L AND %1$s <> %4$L', r.s_day, n.since, n.until, reconciliation_query.day),
                          k.list, b.theirs_sums, b.theirs_source, b.newest,
                          reconciliation_query.day, r.tolerance, n.days) AS around
            FROM r, k, b,
                 LATERAL (SELECT min(d.neighbour), max(d.neighbour), coalesce(string_agg(format('(%L::date, %L::date, %L::date)', d.neighbour, d.since, d.until), ', '), '(NULL::date, NULL::date, NULL::date)')
                          FROM idem.neighbour_days(r.calendar, reconciliation_query.day) d) n (since, until, days)
            WHERE r.grace IS NOT NULL)
        SELECT format($q$WITH%s%s
SELECT f.c::text AS currency, %s AS d, f.keys::bigint AS keys, coalesce(f.ours_lines, 0)::bigint AS ours_lines, coalesce(f.theirs_lines, 0)::bigint AS theirs_lines,
       f.ours, f.theirs, f.fee::numeric AS fee
FROM f%s%s$q$,
                      b.compared, coalesce(p.around, ''),
                      CASE WHEN p.around IS NULL THEN 'f.d'
                           ELSE format($q$CASE WHEN p.key IS NULL THEN f.d
            WHEN p.ours_day <> %1$L THEN f.d || jsonb_build_object('kind', 'other_day', 'other_day', p.ours_day, 'counted', true)
            ELSE f.d || jsonb_build_object('kind', CASE WHEN NOT p.near THEN 'amount' WHEN p.fields <> '[]' THEN 'fields' ELSE 'other_day' END,
                                           'other_day', p.theirs_day, 'fields', p.fields, 'theirs', p.theirs_values,
                                           'theirs_amount', p.theirs, 'theirs_currency', p.theirs_currency) END$q$, reconciliation_query.day) END,
                      CASE WHEN p.around IS NULL THEN ''
                           ELSE format($q$ LEFT JOIN p ON p.key = f.d->'key' AND f.d->>'kind' IN ('missing_theirs', 'missing_ours') AND p.for_ours = 1 AND p.for_theirs = 1
            AND CASE f.d->>'kind' WHEN 'missing_theirs' THEN p.ours_day ELSE p.theirs_day END = %L$q$, reconciliation_query.day) END,
                      CASE WHEN r.complete IS NULL THEN ''
                           ELSE format($q$
UNION ALL
SELECT %1$s, jsonb_build_object('kind', 'file', 'version', v.version), sum(v.count)::bigint, 0, 0, 0, sum(v.total)::numeric, 0
FROM %2$s v WHERE v.%3$I = %4$L AND v.version = (SELECT max(v.version) FROM %2$s v WHERE v.%3$I = %4$L)
GROUP BY 1, v.version$q$, CASE WHEN idem.column_type(r.complete, r.cur) IS NULL THEN 'NULL::text' ELSE format('v.%I::text COLLATE "C"', r.cur) END,
                                       r.complete, r.day, reconciliation_query.day) END)
        FROM r, b LEFT JOIN p ON true;
    END;
COMMENT ON FUNCTION idem.reconciliation_query(text, date, boolean) IS 'the comparison of a day by a rule, as the text of one statement; strict: amounts that are no numbers agree with nothing; for idem.reconcile';
REVOKE ALL ON FUNCTION idem.reconciliation_query(text, date, boolean) FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- reconcile: declarations, and what the doctor finds
-- ---------------------------------------------------------------------------

CREATE VIEW idem.reconciliation_declarations AS
SELECT 90 AS rank, r.name,
       'SELECT idem.create_reconciliation(' || pg_catalog.concat_ws(', ', pg_catalog.quote_literal(r.name),
           'ours => ' || pg_catalog.quote_literal(r.ours),
           'theirs => ' || pg_catalog.quote_literal(r.theirs),
           'key => ' || pg_catalog.quote_literal(r.key),
           'amount => ' || pg_catalog.quote_literal(r.amount),
           'agree => ' || pg_catalog.quote_literal(r.agree),
           'day => ' || pg_catalog.quote_literal(r.day),
           'currency => ' || pg_catalog.quote_literal(r.currency),
           'complete => ' || pg_catalog.quote_literal(r.complete),
           'calendar => ' || pg_catalog.quote_literal(r.calendar),
           'grace => ' || pg_catalog.quote_literal(r.grace),
           'tolerance => ' || r.tolerance,
           'group_by => ' || pg_catalog.quote_literal(r.group_by),
           'signed => ' || r.signed::text,
           'gross => ' || pg_catalog.quote_literal(r.gross),
           'fee => ' || pg_catalog.quote_literal(r.fee),
           'net => ' || pg_catalog.quote_literal(r.net)) || ');' AS statement
FROM idem.reconciliation r;
COMMENT ON VIEW idem.reconciliation_declarations IS 'reconciliations, as idem.declarations() writes them';
COMMENT ON COLUMN idem.reconciliation_declarations.rank IS 'what has to be there first has the lower one';
COMMENT ON COLUMN idem.reconciliation_declarations.name IS 'whose declaration it is';
COMMENT ON COLUMN idem.reconciliation_declarations.statement IS 'the statement';
REVOKE ALL ON TABLE idem.reconciliation_declarations FROM PUBLIC;

-- Business days that ended more than a day ago and were not judged, of the last
-- 60 days and since the rule was declared.
CREATE FUNCTION idem.days_to_reconcile(OUT rule text, OUT day date, OUT problem text, OUT waiting bigint, OUT at timestamptz) RETURNS SETOF record
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 10
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT r.name AS rule, g.day, d.problem, d.waiting, d.at
        FROM idem.reconciliation r
        CROSS JOIN LATERAL (
            SELECT s.day::date
            FROM generate_series(greatest(r.created_at, now() - interval '60 days')::date::timestamp, now()::date::timestamp, '1 day') s (day)
            WHERE NOT EXISTS (SELECT FROM idem.reconciled j WHERE j.rule = r.name AND j.day = s.day::date)
                  AND NOT EXISTS (SELECT FROM idem.calendar_at(r.calendar, now()) c WHERE idem.is_day_off(c.name, c.time_zone, c.weekend, s.day::date))
            UNION
            SELECT u.day FROM idem.reconciled u WHERE u.rule = r.name AND u.problem IS NOT NULL
            UNION
            SELECT w.day FROM idem.reconciled w WHERE w.rule = r.name AND w.again_at < now()) g (day)
        LEFT JOIN idem.reconciled d ON d.rule = r.name AND d.day = g.day
        WHERE idem.end_of_day(r.calendar, g.day) < now() - interval '1 day' OR d.problem IS NULL AND d.again_at < now();
    END;
COMMENT ON FUNCTION idem.days_to_reconcile() IS 'what idem.unreconciled_days shows. For operators, admins and monitors';
REVOKE ALL ON FUNCTION idem.days_to_reconcile() FROM PUBLIC;

CREATE VIEW idem.unreconciled_days AS
SELECT d.rule, d.day, d.problem, d.waiting, d.at FROM idem.days_to_reconcile() d;
COMMENT ON VIEW idem.unreconciled_days IS 'days that no run could judge though they ended more than a day ago, of the last 60 days and since the rule was declared; and those to be run again because grace is over';
COMMENT ON COLUMN idem.unreconciled_days.rule IS 'name of the reconciliation';
COMMENT ON COLUMN idem.unreconciled_days.day IS 'the day';
COMMENT ON COLUMN idem.unreconciled_days.problem IS 'why the newest run could not judge it; NULL: there was none, or grace is over';
COMMENT ON COLUMN idem.unreconciled_days.waiting IS 'pairs on neighbouring days whose grace is over';
COMMENT ON COLUMN idem.unreconciled_days.at IS 'when the newest run was';
REVOKE ALL ON TABLE idem.unreconciled_days FROM PUBLIC;

CREATE VIEW idem.reconciliation_problems AS
-- somebody was paid whom we did not pay
SELECT 'error' AS severity, pg_catalog.format('reconciliation %I', d.rule) AS object,
       pg_catalog.format('%s %s that ours lacks%s: somebody may have been paid whom we did not pay', d.differences,
                         CASE d.differences WHEN 1 THEN 'payment of theirs' ELSE 'payments of theirs' END,
                         coalesce(', ' || d.theirs || coalesce(' ' || d.currency, ''), '')) AS finding,
       pg_catalog.format('SELECT * FROM idem.differences WHERE rule = %L AND kind = %L AND closed_at IS NULL', d.rule, d.kind) AS remedy
FROM (SELECT rule, kind, currency, pg_catalog.sum(differences) AS differences, pg_catalog.sum(theirs) AS theirs
      FROM idem.stat_differences WHERE kind = 'missing_ours' GROUP BY rule, kind, currency) d
UNION ALL
-- nobody looked
SELECT 'warning', pg_catalog.format('reconciliation %I', d.rule),
       pg_catalog.format('%s %s since %s, and nobody looks at %s', d.differences, CASE d.differences WHEN 1 THEN 'difference is open' ELSE 'differences are open' END,
                         d.oldest, CASE d.differences WHEN 1 THEN 'it' ELSE 'them' END),
       pg_catalog.format('SELECT * FROM idem.differences WHERE rule = %L AND state = %L; idem.settle_difference closes them', d.rule, 'open')
FROM (SELECT rule, pg_catalog.sum(differences) AS differences, pg_catalog.min(oldest) AS oldest
      FROM idem.stat_differences WHERE state = 'open' GROUP BY rule) d
WHERE d.oldest < pg_catalog.now() - interval '7 days'
UNION ALL
-- days that are not closed
SELECT 'warning', pg_catalog.format('reconciliation %I', u.rule),
       pg_catalog.format('%s %s not closed, the first is %s%s', pg_catalog.count(*), CASE pg_catalog.count(*) WHEN 1 THEN 'day is' ELSE 'days are' END,
                         pg_catalog.min(u.day), coalesce(': ' || (pg_catalog.array_agg(u.problem ORDER BY u.day))[1], '')),
       pg_catalog.format('SELECT * FROM idem.unreconciled_days WHERE rule = %L; SELECT * FROM idem.reconcile(%1$L, day)', u.rule)
FROM idem.unreconciled_days u
GROUP BY u.rule
UNION ALL
-- rules that cannot run
SELECT 'error', pg_catalog.format('reconciliation %I', r.name), 'cannot run: ' || coalesce(f.flaw, pg_catalog.format('role %I does not exist', r.owner)),
       coalesce(f.hint, pg_catalog.format('SELECT idem.alter_reconciliation(%L, reason => ...), or declare it anew', r.name))
FROM idem.reconciliation r
CROSS JOIN LATERAL idem.reconciliation_flaw(r.name) f
WHERE f.flaw IS NOT NULL
UNION ALL
SELECT 'error', pg_catalog.format('reconciliation %I', r.name), pg_catalog.format('cannot run: role %I does not exist', r.owner),
       pg_catalog.format('SELECT idem.alter_reconciliation(%L, reason => ...) as a role that may read both sides', r.name)
FROM idem.reconciliation r
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles o WHERE o.rolname = r.owner)
UNION ALL
-- functions of others with every right
SELECT 'warning', pg_catalog.format('reconciliation %I', r.name),
       pg_catalog.format('reads %s of role %I as superuser %I: functions in it run with every right', s.relation, pg_catalog.pg_get_userbyid(c.relowner), r.owner),
       'declare it as a role that may read both sides, and nothing else'
FROM idem.reconciliation r
JOIN pg_catalog.pg_roles o ON o.rolname = r.owner AND o.rolsuper
CROSS JOIN LATERAL (SELECT DISTINCT u FROM pg_catalog.unnest(ARRAY[r.ours, r.theirs, r.complete]) u) s (relation)
JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(s.relation) AND c.relkind = 'v'
JOIN pg_catalog.pg_roles v ON v.oid = c.relowner AND NOT v.rolsuper;
COMMENT ON VIEW idem.reconciliation_problems IS 'what is wrong with reconciliations, as findings of idem.doctor()';
COMMENT ON COLUMN idem.reconciliation_problems.severity IS 'error or warning';
COMMENT ON COLUMN idem.reconciliation_problems.object IS 'the reconciliation';
COMMENT ON COLUMN idem.reconciliation_problems.finding IS 'what is wrong';
COMMENT ON COLUMN idem.reconciliation_problems.remedy IS 'what puts it right';
REVOKE ALL ON TABLE idem.reconciliation_problems FROM PUBLIC;

-- Differences at which nobody has looked for a week
CREATE VIEW idem.difference_stuck AS
SELECT pg_catalog.to_regclass(r.ours) AS relation, pg_catalog.format('%s %s %s', d.rule, d.day, d.key) AS key, d.kind AS state,
       d.first_seen AS since, d.first_seen + interval '7 days' AS due,
       '{investigating,explained,adjusted,written_off}'::text[] AS next_states, NULL::text AS unread
FROM idem.difference d
LEFT JOIN idem.reconciliation r ON r.name = d.rule
WHERE d.closed_at IS NULL AND d.state = 'open' AND d.first_seen < pg_catalog.clock_timestamp() - interval '7 days';
COMMENT ON VIEW idem.difference_stuck IS 'what idem.stuck shows of differences';
REVOKE ALL ON TABLE idem.difference_stuck FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- control: who may call what
-- ---------------------------------------------------------------------------

-- The one place that says it, a row for every function of schema idem that is
-- no trigger function and does not belong to money: sql/control_rights.sql
-- fails for one that is not here.
--
-- runtime: applications.  operator: people who overrule.  admin: people who
-- declare.  monitor: programs that count.  owner: open to PUBLIC, demands
-- ownership of the table or the machine.  public: reads or computes as the
-- caller, harms nobody.  extension: nobody but the owner of the objects of the
-- extension; grant_operator and grant_admin also for its own owner, whom
-- grant_admin lets call them (the end of the script, src/idem.sql).
-- A function may be for several of the first four.  Trigger functions are
-- PUBLIC (base.sql).
CREATE VIEW idem.rights (function, audience) AS VALUES
    ('claim', 'runtime'),
    ('complete', 'runtime'),
    ('claim_many', 'runtime'),
    ('lookup', 'runtime'),
    ('reserve', 'runtime'),
    ('dispatch', 'runtime'),
    ('heartbeat', 'runtime'),
    ('release', 'runtime'),
    ('resolve', 'runtime'),
    ('fence', 'runtime'),
    ('due', 'runtime'),
    ('transition', 'runtime'),
    ('history', 'runtime'),
    ('pause', 'operator'),
    ('resume', 'operator'),
    ('approve', 'operator'),
    ('adopt_site', 'operator'),
    ('misplaced', 'operator'),
    ('misplaced', 'admin'),
    ('set_site', 'admin'),
    ('resolve', 'operator'),
    ('fence', 'operator'),
    ('lookup', 'operator'),
    ('confirm_suspects', 'operator'),
    ('presume', 'runtime'),
    ('correct', 'operator'),
    ('reconsider', 'operator'),
    ('business_date', 'runtime'),
    ('business_date', 'operator'),
    ('create_channel', 'admin'),
    ('alter_channel', 'admin'),
    ('drop_channel', 'admin'),
    ('create_calendar', 'admin'),
    ('alter_calendar', 'admin'),
    ('drop_calendar', 'admin'),
    ('add_closure', 'admin'),
    ('drop_closure', 'admin'),
    ('reconcile', 'runtime'),
    ('reconcile', 'operator'),
    ('settle_difference', 'operator'),
    ('create_reconciliation', 'admin'),
    ('alter_reconciliation', 'admin'),
    ('drop_reconciliation', 'admin'),
    ('create_scope', 'admin'),
    ('alter_scope', 'admin'),
    ('drop_scope', 'admin'),
    ('retire', 'admin'),
    ('adopt_keys', 'admin'),
    ('doctor', 'admin'),
    ('declarations', 'admin'),
    ('grant_runtime', 'admin'),
    ('grant_monitor', 'admin'),
    ('require_approval', 'admin'),
    ('overdue_limits', 'operator'),
    ('overdue_limits', 'admin'),
    ('lapsed_holds', 'operator'),
    ('lapsed_holds', 'admin'),
    ('grant_operator', 'extension'),
    ('grant_admin', 'extension'),
    ('count_states', 'monitor'),
    ('count_states', 'admin'),
    ('count_overdue', 'monitor'),
    ('count_overdue', 'admin'),
    ('count_findings', 'monitor'),
    ('count_findings', 'admin'),
    ('count_guards', 'monitor'),
    ('count_guards', 'admin'),
    ('count_excess', 'monitor'),
    ('count_excess', 'admin'),
    ('status', 'monitor'),
    ('status', 'admin'),
    ('status', 'operator'),
    ('limit_excess', 'extension'),
    ('stuck_rows', 'operator'),
    ('stuck_rows', 'admin'),
    ('check_rows', 'extension'),
    ('findings', 'extension'),
    ('stuck_states', 'extension'),
    ('state_counts', 'extension'),
    ('guard_declaration', 'extension'),
    ('largest_value', 'extension'),
    ('known_key_time', 'extension'),
    ('calendar_at', 'extension'),
    ('business_days', 'extension'),
    ('is_day_off', 'extension'),
    ('business_dates', 'extension'),
    ('closed_until', 'extension'),
    ('opens_at', 'extension'),
    ('channel_flaw', 'extension'),
    ('calendar_flaw', 'extension'),
    ('reconsider_key', 'extension'),
    ('schema_words', 'extension'),
    ('days_to_reconcile', 'operator'),
    ('days_to_reconcile', 'admin'),
    ('days_to_reconcile', 'monitor'),
    ('column_type', 'extension'),
    ('is_unique', 'extension'),
    ('neighbour_days', 'extension'),
    ('end_of_day', 'extension'),
    ('compared', 'extension'),
    ('reconciliation_flaw', 'extension'),
    ('reconciliation_query', 'extension'),
    ('define_machine', 'owner'),
    ('define_return_codes', 'owner'),
    ('guard_states', 'owner'),
    ('guard_limit', 'owner'),
    ('guard_balance', 'owner'),
    ('guard_journal', 'owner'),
    ('guard_parent_state', 'owner'),
    ('apply_balances', 'owner'),
    ('validate_guard', 'owner'),
    ('guard_fixed', 'owner'),
    ('guard_kept', 'owner'),
    ('guard_claimed', 'owner'),
    ('guard_keys', 'owner'),
    ('drop_guard', 'owner'),
    ('rearm', 'owner'),
    ('remaining', 'public'),
    ('available', 'public'),
    ('check_journals', 'public'),
    ('check_machine', 'public'),
    ('machine_diagram', 'public'),
    ('machine_dot', 'public'),
    ('machine_table', 'public'),
    ('check_return_codes', 'public'),
    ('return_codes', 'public'),
    ('listed_codes', 'public'),
    ('meaning_of', 'public'),
    ('key', 'public'),
    ('key_time', 'public'),
    ('key_digest', 'public'),
    ('minor_units', 'public'),
    ('guard_kinds', 'public'),
    ('trigger_settings', 'public'),
    ('setting', 'public'),
    ('settings_problem', 'public'),
    ('guard_identity', 'public'),
    ('setting_columns', 'public'),
    ('made_name', 'public'),
    ('problems_of', 'public');
COMMENT ON VIEW idem.rights IS 'which functions of idem are for whom; what idem.grant_runtime, grant_operator, grant_admin and grant_monitor grant';
COMMENT ON COLUMN idem.rights.function IS 'name of the function in schema idem';
COMMENT ON COLUMN idem.rights.audience IS 'runtime, operator, admin, monitor, owner (of the table or machine), public, or extension: its owner only';

-- The same for reading tables and views; whoever may write one is the owner of
-- the extension.  An admin also reads every table that goes into a dump, so
-- that the owner of a database can dump it.
CREATE VIEW idem.rights_to_read (relation, audience) AS VALUES
    ('open_claims', 'operator'),
    ('late_result', 'operator'),
    ('evidence', 'operator'),
    ('scope', 'operator'),
    ('pauses', 'operator'),
    ('approval', 'operator'),
    ('stuck', 'operator'),
    ('stuck', 'admin'),
    ('suspects', 'operator'),
    ('suspects', 'admin'),
    ('stat_suspects', 'admin'),
    ('stat_suspects', 'monitor'),
    ('site', 'operator'),
    ('open_claims', 'admin'),
    ('change_log', 'admin'),
    ('pauses', 'admin'),
    ('stat_claims', 'admin'),
    ('channel', 'operator'),
    ('unlisted_codes', 'operator'),
    ('channel_coverage', 'operator'),
    ('unlisted_codes', 'admin'),
    ('channel_coverage', 'admin'),
    ('channel_coverage', 'monitor'),
    ('differences', 'operator'),
    ('difference_log', 'operator'),
    ('reconciliation', 'operator'),
    ('reconciled', 'operator'),
    ('reconciled_sum', 'operator'),
    ('unreconciled_days', 'operator'),
    ('stat_differences', 'operator'),
    ('differences', 'admin'),
    ('unreconciled_days', 'admin'),
    ('stat_differences', 'admin'),
    ('reconciled', 'monitor'),
    ('reconciled_sum', 'monitor'),
    ('unreconciled_days', 'monitor'),
    ('stat_differences', 'monitor'),
    ('stat_claims', 'monitor'),
    ('stat_states', 'monitor'),
    ('stat_states', 'admin'),
    ('stat_overdue', 'monitor'),
    ('stat_overdue', 'admin'),
    ('stat_findings', 'monitor'),
    ('stat_findings', 'admin'),
    ('stat_guards', 'monitor'),
    ('stat_guards', 'admin'),
    ('stat_excess', 'monitor'),
    ('stat_excess', 'admin'),
    ('stat_claim_ages', 'monitor'),
    ('stat_claim_ages', 'admin'),
    ('stat_amounts', 'monitor'),
    ('stat_amounts', 'admin'),
    ('stat_codes', 'monitor'),
    ('stat_codes', 'admin'),
    ('pauses', 'monitor'),
    ('overdue_limits', 'operator'),
    ('overdue_limits', 'admin'),
    ('lapsed_holds', 'operator'),
    ('lapsed_holds', 'admin'),
    ('guards', 'public'),
    ('currency', 'public');
COMMENT ON VIEW idem.rights_to_read IS 'which tables and views of idem are for whom to read';
COMMENT ON COLUMN idem.rights_to_read.relation IS 'name of the table or view in schema idem';
COMMENT ON COLUMN idem.rights_to_read.audience IS 'operator, admin, monitor or public';

-- Only the owner of a function can grant it: these run as the owner, with a
-- statement that holds nothing of the caller's but the name of a role.
CREATE FUNCTION idem.grant_runtime(role regrole, scopes text[] DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_grant_runtime'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION idem.grant_runtime(regrole, text[]) IS
    'lets a role call what an application calls (claim, complete, lookup, transition, ...), on no table of idem; kept in idem.change_log. For admins.
In: scopes, in which it may use keys; NULL: in all of them. The last call for a role counts. From the first call that names scopes on, a role that no call of grant_runtime has named uses keys in none.
Errors: 22004 role null; 22023 no scopes; 42704 unknown role or scope.
Locks: ROW EXCLUSIVE on idem.runtime_role.';
REVOKE ALL ON FUNCTION idem.grant_runtime(regrole, text[]) FROM PUBLIC;

CREATE FUNCTION idem.grant_operator(role regrole) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_grant_operator'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION idem.grant_operator(regrole) IS
    'lets a role overrule: resolve with force, and keys that wait for a person; confirm suspected duplicates; pause and resume; read what is open, late results and evidence. For people, never for an application: idem.doctor() names a login that has both rights. Kept in idem.change_log. For the owner of the extension.
Errors: 22004 role null; 42704 unknown role.';
REVOKE ALL ON FUNCTION idem.grant_operator(regrole) FROM PUBLIC;

CREATE FUNCTION idem.grant_admin(role regrole) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_grant_admin'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION idem.grant_admin(regrole) IS
    'lets a role make scopes, define state machines and return codes of a new name, call the doctor, read the change log, what is open and every table of idem that pg_dump reads, claims and their responses included, so that the owner of a database can dump it, and name roles with grant_runtime and grant_monitor; the owner of the extension also with grant_operator and grant_admin; kept in idem.change_log. For the owner of the extension.
Errors: 22004 role null; 42704 unknown role.';
REVOKE ALL ON FUNCTION idem.grant_admin(regrole) FROM PUBLIC;

CREATE FUNCTION idem.grant_monitor(role regrole) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_grant_monitor'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION idem.grant_monitor(regrole) IS
    'lets a role read counts, ages and sums (idem.status() and the views idem.stat_*, idem.pauses, idem.channel_coverage), never a key, a request or a response; it needs no right on any table, and can write nothing. Kept in idem.change_log. For admins.
Errors: 22004 role null; 42704 unknown role.';
REVOKE ALL ON FUNCTION idem.grant_monitor(regrole) FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- control: two persons
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.require_approval(required boolean) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_require_approval'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.require_approval(boolean) IS
    'true: from the commit on, what loosens or overrules needs the approval of another person: loosen of definitions, alter_scope, alter_channel and drop_scope with force, drop_guard, correct, confirm_suspects, confirmed by an operator, resume, adopt_site, set_site where one is set, and require_approval(false). Off in a new database. Kept in idem.change_log. For admins.
Errors: 22004 required null; 42501 the server has not authenticated the session, or an approval is missing; 25006 on a standby or in a read-only transaction.
Locks: ROW EXCLUSIVE on idem.policy.';
REVOKE ALL ON FUNCTION idem.require_approval(boolean) FROM PUBLIC;

CREATE FUNCTION idem.approve(action text, object text, digest text, reason text, emergency text DEFAULT NULL)
    RETURNS text
    AS 'MODULE_PATHNAME', 'idem_approve'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.approve(text, text, text, text, text) IS
    'approves a call that was refused for want of a second person; for operators. The call then passes once, within a day, if another person makes it and everything is as it was.
In: action, object and digest as the HINT of the refused call has them; whoever makes the same call is shown the same digest. emergency: the reason to do it alone: then it passes for the same person, too, and is an error of idem.doctor() until another person has approved it by the same call without emergency.
Out: approved, or confirmed: an emergency of somebody else.
Errors: 22004 argument null; 22023 a digest that is none, a reason blank or longer than 1,000 characters; 42501 the server has not authenticated the session; 25006 on a standby or in a read-only transaction.
Locks: ROW EXCLUSIVE on idem.approval.';
REVOKE ALL ON FUNCTION idem.approve(text, text, text, text, text) FROM PUBLIC;

-- The doctor's.
CREATE VIEW idem.approval_problems AS
SELECT 'error' AS severity, pg_catalog.format('approval of %s', a.object) AS object,
       pg_catalog.format('%s by %s alone since %s, in an emergency: %s', a.action, a.person, a.at, a.emergency) AS finding,
       pg_catalog.format('another operator looks at it, then SELECT idem.approve(%L, %L, %L, reason => ...)',
                         a.action, a.object, a.digest) AS remedy
FROM idem.approval a
WHERE a.emergency IS NOT NULL AND a.confirmed_at IS NULL
      AND (a.used_at IS NOT NULL OR a.at > pg_catalog.clock_timestamp() - interval '1 day');
COMMENT ON VIEW idem.approval_problems IS 'what one person has approved alone and no other has confirmed, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.approval_problems FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- control: stop, and go on
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.pause(
        kind text, name text, state text DEFAULT NULL, fk text[] DEFAULT NULL,
        reason text DEFAULT NULL,
        OUT dispatched bigint, OUT reserved bigint)
    AS 'MODULE_PATHNAME', 'idem_pause'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.pause(text, text, text, text[], text) IS
    'stops what is new; results go on: complete, resolve, fence, final states, facts, releases. In force for the next statement of every session and transaction when the commit returns; what was asked for before may still be granted. Kept in idem.change_log. For operators.
In: kind scope: claim, claim_many, reserve and dispatch answer paused where they would have been granted. kind machine, with state: no row enters that state (55I03), rows in it leave. kind channel: dispatch by it answers paused. kind limit, name the child table, fk its foreign key where it has several limits: no new request (55I03). reason: required.
Out: of a scope for effects outside, or a channel, how many keys are dispatched or unknown, and may still take effect; of a scope also how many are reserved; idem.pauses counts again. What is paused already stays as it was, with a NOTICE.
Errors: 22004 kind, name, reason, or state of a machine null; 22023 unknown kind, an argument that is not for it, a final state, or reason blank or longer than 1,000 characters; 42704 no such scope, channel, machine, state or limit; 42P01 no such table; 42725 several limits and no fk; 25006 on a standby or in a read-only transaction.
Locks: ROW EXCLUSIVE on idem.pause. Waits for nobody who claims, sends or writes.';
REVOKE ALL ON FUNCTION idem.pause(text, text, text, text[], text) FROM PUBLIC;

CREATE FUNCTION idem.resume(
        kind text, name text, state text DEFAULT NULL, fk text[] DEFAULT NULL,
        reason text DEFAULT NULL)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_resume'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.resume(text, text, text, text[], text) IS
    'lets go on what idem.pause stopped; for operators. Kept in idem.change_log.
In: as idem.pause.
Errors: as idem.pause; 42704 if it is not paused. A scope, machine or state that is gone can be named.
Locks: ROW EXCLUSIVE on idem.pause.';
REVOKE ALL ON FUNCTION idem.resume(text, text, text, text[], text) FROM PUBLIC;

CREATE VIEW idem.pauses AS
SELECT p.kind,
       CASE p.kind WHEN 'limit' THEN coalesce(g.relation::text, p.name) ELSE p.name END AS name,
       nullif(p.state, '') AS state, g.fk, p.at, p.role, p.reason, c.dispatched, c.reserved
FROM idem.pause p
LEFT JOIN LATERAL (
    SELECT l.relation, idem.setting(d.arguments, 'fk')::text[] AS fk
    FROM idem.guard_places l
    LEFT JOIN LATERAL (SELECT e.arguments FROM idem.change e
                       WHERE e.guard = l.guard AND e.action = 'declared'
                       ORDER BY e.n DESC LIMIT 1) d ON true
    WHERE l.guard::text = p.name) g ON p.kind = 'limit'
LEFT JOIN idem.scope s ON p.kind = 'scope' AND s.name = p.name AND s.effect = 'outside'
LEFT JOIN LATERAL (
    SELECT pg_catalog.count(*) FILTER (WHERE r.state IN ('d', 'u')) AS dispatched,
           pg_catalog.count(*) FILTER (WHERE r.state = 'r') AS reserved
    FROM idem.reservation r
    WHERE s.id IS NOT NULL AND r.scope = s.id AND r.due_at IS NOT NULL
    HAVING s.id IS NOT NULL
    UNION ALL
    SELECT pg_catalog.count(*), NULL
    FROM idem.reservation r
    JOIN idem.attempt a ON (a.scope, a.key, a.attempt) = (r.scope, r.key, r.attempt)
    WHERE p.kind = 'channel' AND a.channel = p.name AND r.due_at IS NOT NULL AND r.state IN ('d', 'u')
    HAVING p.kind = 'channel') c ON true;
COMMENT ON VIEW idem.pauses IS 'what is paused now, and what was sent before and may still take effect; what was paused and resumed stands in idem.change_log';
COMMENT ON COLUMN idem.pauses.kind IS 'scope, channel, machine or limit';
COMMENT ON COLUMN idem.pauses.name IS 'the scope, the channel, the machine, or the child table of the limit as it is called now; a limit that was dropped has a number';
COMMENT ON COLUMN idem.pauses.state IS 'of a machine: the state that no row enters';
COMMENT ON COLUMN idem.pauses.fk IS 'of a limit: its foreign key';
COMMENT ON COLUMN idem.pauses.at IS 'since when, by the clock of the database';
COMMENT ON COLUMN idem.pauses.role IS 'session user who paused it';
COMMENT ON COLUMN idem.pauses.reason IS 'why';
COMMENT ON COLUMN idem.pauses.dispatched IS 'of a scope for effects outside, or a channel: keys that are dispatched or unknown, and may still take effect';
COMMENT ON COLUMN idem.pauses.reserved IS 'of such a scope: keys that are reserved, and cannot be dispatched';
REVOKE ALL ON TABLE idem.pauses FROM PUBLIC;

-- The doctor's.
CREATE VIEW idem.pause_problems AS
SELECT 'warning' AS severity,
       pg_catalog.format('%s %I', p.kind, p.name)
       || CASE WHEN p.state IS NULL THEN '' ELSE pg_catalog.format(' state %I', p.state) END AS object,
       pg_catalog.format('paused by %s since %s, for more than a day: %s', p.role, p.at, p.reason) AS finding,
       pg_catalog.format('SELECT idem.resume(%L, %L%s%s, reason => ...)', p.kind, p.name,
                         CASE WHEN p.state IS NOT NULL THEN pg_catalog.format(', state => %L', p.state) END,
                         CASE WHEN p.fk IS NOT NULL THEN pg_catalog.format(', fk => %L', p.fk) END) AS remedy
FROM idem.pauses p
WHERE p.at < pg_catalog.clock_timestamp() - interval '1 day';
COMMENT ON VIEW idem.pause_problems IS 'what was paused more than a day ago and not resumed, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.pause_problems FROM PUBLIC;
-- ---------------------------------------------------------------------------
-- audit: columns that look like money and are not kept as money
-- ---------------------------------------------------------------------------

-- What is wrong with a schema whether or not anything in it is guarded; the
-- doctor shows it among its findings.  The promise: any table, whoever made
-- it, is read by its names, types, indexes and comments alone, never by its
-- rows, and nothing is locked.  Shown by sql/audit_schema.sql.
--
-- Not promised: that every key or amount is recognized, or that everything
-- that looks like one is.

-- A schema says what it means by its names.  They are read as words, so that
-- unitPrice, unit_price and unitprice are one name.
CREATE FUNCTION idem.schema_words(name text) RETURNS text
    LANGUAGE sql IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
RETURN pg_catalog.regexp_replace(
           pg_catalog.lower(pg_catalog.regexp_replace(name, '([a-z0-9])([A-Z])', '\1_\2', 'g')),
           '([a-z])(number|amount|price|total|cost|balance)(?![a-z])', '\1_\2', 'g');
COMMENT ON FUNCTION idem.schema_words(text) IS
    'the words of a name, in lower case with one underscore between two; those that others are often glued to, such as number and amount, stand apart';
REVOKE ALL ON FUNCTION idem.schema_words(text) FROM PUBLIC;

-- The words that payment and shop systems use, as regular expressions.  A
-- wrong guess costs a line to read, so a name that could mean something else
-- counts only in a table that is about money.
CREATE VIEW idem.schema_names AS SELECT
    -- tables
    '(^|_)(history|histories|audits?|logs?|versions?|archived?|backup|tmp|staging|snapshots?)$' AS copy_table,
    '(^|_)events?$' AS event_table,
    '(^|_)(payment|refund|reversal|transfer|transaction|payout|withdrawal|deposit|charge|chargeback|capture|order|invoice|settlement|dispute|checkout|debit|credit|adjustment)s?$' AS payment_table,
    -- amounts: what they are, what it is instead when the name ends or begins so
    '(^|_)(amount|amt|price|total|balance|fee|cost|paid|refunded|captured|authorized|charged|'
    'debit|credit|payout|tax|vat|discount|surcharge|tip|fare|principal|proceed|revenue)(e?s)?(_|$)' AS amount,
    '(^|_)(id[0-9]*|at|on|by|type|kind|count|counts|rate|rates|percent|percentage|pct|code|name|currency|status|state|'
    'number|no|date|time|key|method|category|class|model|items|quantity|qty|usage|units|attempts|requests|records|pages|days|seconds|bytes|'
    'enabled|allowed|included|uuid|reason|mode|index|score|weight|priority|terms?|account|list|center|centre|group|tier|book|set)$'
    '|(^|_)version(_|$)|^(is|has|can|include|includes|max_number|num|nb|number)_' AS no_amount,
    '(^|_)(cents?|minor|micros?|millis?|nanos?|pence|fen|units|points?|satoshis?|wei|subunits?)(_|$)' AS unit,
    '(^|_)(currency|ccy|iso_?code|asset|asset_code)(_|$)' AS currency,
    -- statuses, but for those of an address and of another row or time
    '(^|_)(status|state)$' AS status,
    '(^|_)(address|billing|shipping|ship|country|us|home|province)_state$'
    '|^(initial|source|previous|prev|old|new|next|from|to|target)_' AS no_status,
    '^(city|town|zip|zip_?code|postal_?code|country|country_code|address_?line_?1|address1)$' AS address,
    -- keys, wherever they stand
    '^(.*_)?idem(poten(cy|ce|t))?_?(key|token|id)$|^out_?(trade|refund|request|order)_?no$|^request_?(no|num|number|uuid|key|token)$|^(uuid|guid)$' AS key,
    -- keys, but of a piece of goods where there are quantities
    '^serial_?(no|num|number)$' AS serial,
    '(^|_)(qty|quantity)$' AS quantity,
    -- keys, in a table about money
    '^(merchant_|external_|provider_|psp_|gateway_|processor_|channel_|bank_|client_)?(order|trade|refund|payment|transaction|txn|charge|capture|transfer|payout|invoice|voucher|reference|receipt|connector_transaction|inv)_?(no|num|number|sn|uuid|ref|reference|external_key)$'
    '|^(.*_)?(external|remote)_(id|key|ref|reference)$'
    '|^(.*_)?(external|client|merchant|provider|psp|gateway|processor|bank|channel|connector|stripe|paypal|adyen|braintree|alipay|wechat)_(key|ref|reference|(transaction|payment|payment_intent|refund|charge|order|payout|transfer)_?(id|key|ref|reference))$'
    '|^request_id$|^(message|msg|event)_?(id|key|uuid)$|^(.*_)?external_key$' AS money_key,
    '(^|_)(customer|account|user|owner|buyer|seller|store|shop|company|product|item|plan|wallet|subscription)_(external|remote)_' AS no_key,
    -- what the row of a payment table itself is called
    '^(number|no|identifier)$' AS own_key;
COMMENT ON VIEW idem.schema_names IS 'one row: the regular expressions by which names of tables and columns, as idem.schema_words gives them, are read';
COMMENT ON COLUMN idem.schema_names.copy_table IS 'a table whose rows repeat what stands elsewhere';
COMMENT ON COLUMN idem.schema_names.event_table IS 'a table of what happened: a status in it does not change';
COMMENT ON COLUMN idem.schema_names.payment_table IS 'a table of payments or of what becomes one';
COMMENT ON COLUMN idem.schema_names.amount IS 'an amount of money';
COMMENT ON COLUMN idem.schema_names.no_amount IS 'no amount, whatever else the name says';
COMMENT ON COLUMN idem.schema_names.unit IS 'says what an integer counts';
COMMENT ON COLUMN idem.schema_names.currency IS 'a currency';
COMMENT ON COLUMN idem.schema_names.status IS 'a status';
COMMENT ON COLUMN idem.schema_names.no_status IS 'the state of an address, or the status of another row or time';
COMMENT ON COLUMN idem.schema_names.address IS 'a part of an address: beside it a state is one, too';
COMMENT ON COLUMN idem.schema_names.key IS 'says which request it is, in any table';
COMMENT ON COLUMN idem.schema_names.serial IS 'a serial number: of a request, or of a piece of goods';
COMMENT ON COLUMN idem.schema_names.quantity IS 'a quantity: beside it a serial number is that of goods';
COMMENT ON COLUMN idem.schema_names.money_key IS 'says which payment or message it is, in a table about money';
COMMENT ON COLUMN idem.schema_names.no_key IS 'the key of somebody or something else that the row refers to';
COMMENT ON COLUMN idem.schema_names.own_key IS 'in a payment table, the name of the row';

-- Every column of every table of a user, and the type of its value: of a
-- domain the one below, of a composite (amount and currency) its first number.
CREATE VIEW idem.schema_values AS
SELECT c.oid AS relid, c.relname::text AS relname, a.attnum, a.attname::text AS name,
       idem.schema_words(a.attname::text) AS words,
       a.attcollation AS collation_oid,
       coalesce(part.atttypid, nullif(t.typbasetype, 0), t.oid) AS type_oid,
       coalesce(part.atttypmod, CASE WHEN t.typbasetype = 0 THEN a.atttypmod ELSE t.typtypmod END) AS typmod
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN LATERAL (SELECT p.atttypid, p.atttypmod
                   FROM pg_catalog.pg_type b
                   JOIN pg_catalog.pg_attribute p ON p.attrelid = b.typrelid AND p.attnum > 0 AND NOT p.attisdropped
                   WHERE t.typtype IN ('c', 'd') AND b.oid = coalesce(nullif(t.typbasetype, 0), t.oid) AND b.typtype = 'c'
                         AND p.atttypid IN ('pg_catalog.money_micro'::regtype, 'numeric'::regtype, 'int8'::regtype, 'int4'::regtype,
                                            'float4'::regtype, 'float8'::regtype)
                   ORDER BY p.attnum LIMIT 1) part ON true
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'idem') AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');
COMMENT ON VIEW idem.schema_values IS 'every column of every table of a user, its name in words and the type of its value';
COMMENT ON COLUMN idem.schema_values.relid IS 'the table';
COMMENT ON COLUMN idem.schema_values.relname IS 'its name';
COMMENT ON COLUMN idem.schema_values.attnum IS 'number of the column';
COMMENT ON COLUMN idem.schema_values.name IS 'its name';
COMMENT ON COLUMN idem.schema_values.words IS 'its name in words';
COMMENT ON COLUMN idem.schema_values.collation_oid IS 'its collation';
COMMENT ON COLUMN idem.schema_values.type_oid IS 'its type; of a domain the type below, of a composite that of its first number';
COMMENT ON COLUMN idem.schema_values.typmod IS 'modifier of this type';

-- What each column is, first by its own name and type, then by its neighbours.
CREATE VIEW idem.schema_columns AS
WITH -- once for each name, not for each question
values AS MATERIALIZED (SELECT * FROM idem.schema_values),
relations AS MATERIALIZED (
    SELECT relid, words ~ n.payment_table AS payment_table, words ~ n.copy_table AS copy_table, words ~ n.event_table AS event_table
    FROM (SELECT DISTINCT relid, idem.schema_words(relname) AS words FROM values) r, idem.schema_names n),
own AS (
    SELECT v.*, n AS names, r.payment_table, r.copy_table, r.event_table,
           EXISTS (SELECT FROM pg_catalog.pg_constraint f
                   WHERE f.conrelid = v.relid AND f.contype = 'f' AND v.attnum = ANY (f.conkey)) AS is_reference,
           v.words ~ n.amount AND v.words !~ n.no_amount
           AND v.type_oid IN ('pg_catalog.money_micro'::regtype, 'numeric'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype,
                              'float4'::regtype, 'float8'::regtype, 'money'::regtype) AS amount,
           v.words ~ n.status AND v.words !~ n.no_status
           AND (v.type_oid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype)
                OR (SELECT t.typtype = 'e' FROM pg_catalog.pg_type t WHERE t.oid = v.type_oid)) AS status,
           v.type_oid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'uuid'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype) AS key_type
    FROM values v JOIN relations r USING (relid), idem.schema_names n),
near AS (
    SELECT relid, bool_or(amount AND NOT is_reference) AS amounts,
           bool_or(words ~ (names).currency) AS currency,
           bool_or(words ~ (names).quantity) AS quantities,
           bool_or(words ~ (names).address) AS address,
           -- a key of text is given by whoever writes the row, and can be the
           -- one that keeps it from being written twice
           bool_or(type_oid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)
                   AND EXISTS (SELECT FROM pg_catalog.pg_index i
                               WHERE i.indrelid = relid AND i.indisprimary AND attnum = ANY (i.indkey))) AS given_key
    FROM own GROUP BY relid)
SELECT o.relid::regclass AS relation, o.attnum, o.name, o.type_oid::regtype AS type,
       CASE WHEN o.type_oid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN 0
            WHEN o.type_oid = 'pg_catalog.money_micro'::regtype THEN 6
            -- as numeric.c has it: eleven bits, signed
            WHEN o.type_oid = 'numeric'::regtype AND o.typmod >= 4 THEN (((o.typmod - 4) & 2047) # 1024) - 1024
       END AS scale,
       o.collation_oid,
       o.amount AND NOT o.is_reference AS is_amount,
       o.status AND NOT o.copy_table AND NOT o.event_table AND (n.amounts OR o.payment_table)
       AND NOT (o.words = 'state' AND n.address) AS is_status,
       o.key_type AND NOT o.copy_table AND NOT o.is_reference
       AND (o.words ~ (o.names).key
            OR o.words ~ (o.names).serial AND NOT n.quantities
            OR n.amounts AND o.words ~ (o.names).money_key AND o.words !~ (o.names).no_key
            OR n.amounts AND o.payment_table AND o.words ~ (o.names).own_key AND NOT n.given_key) AS is_key,
       o.words ~ (o.names).unit
       OR coalesce(pg_catalog.col_description(o.relid, o.attnum), '') ~* 'cent|minor|micro|pence|fen|unit' AS has_unit,
       n.currency AS has_currency
FROM own o
JOIN near n USING (relid);
COMMENT ON VIEW idem.schema_columns IS 'every column of every table of a user, and what its name, its type and its neighbours say it is';
COMMENT ON COLUMN idem.schema_columns.relation IS 'the table';
COMMENT ON COLUMN idem.schema_columns.attnum IS 'number of the column';
COMMENT ON COLUMN idem.schema_columns.name IS 'its name';
COMMENT ON COLUMN idem.schema_columns.type IS 'the type of its value, below domains and in composites';
COMMENT ON COLUMN idem.schema_columns.scale IS 'digits after the point: 0 for integers, NULL where the type does not say';
COMMENT ON COLUMN idem.schema_columns.collation_oid IS 'its collation';
COMMENT ON COLUMN idem.schema_columns.is_amount IS 'an amount of money';
COMMENT ON COLUMN idem.schema_columns.is_status IS 'the status of a payment, or of a row with amounts';
COMMENT ON COLUMN idem.schema_columns.is_key IS 'says which request, message or payment it is, and refers to no other row';
COMMENT ON COLUMN idem.schema_columns.has_unit IS 'its name or its comment says what an integer counts';
COMMENT ON COLUMN idem.schema_columns.has_currency IS 'the table has a column that names a currency';

-- Unique indexes and the columns they hold.  One that holds the whole primary
-- key and more keeps nothing unique that was not.
CREATE VIEW idem.schema_unique AS
SELECT i.indexrelid::regclass AS index, i.indrelid::regclass AS relation, k.columns, i.indisvalid AS is_valid,
       i.indimmediate AS is_immediate,
       -- columns that make it local: dates and times, and what partitions the table
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = i.indrelid AND a.attnum = ANY (k.columns)
                   AND (a.atttypid IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
                        OR a.attnum = ANY (coalesce(p.partattrs::int2[], '{}')))
             ORDER BY a.attnum) AS local_columns,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = i.indrelid AND a.attnum = ANY (d.columns)
                   AND NOT a.attnotnull AND NOT i.indnullsnotdistinct
             ORDER BY a.attnum) AS nullable_columns
FROM pg_catalog.pg_index i
LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = i.indrelid,
     LATERAL (SELECT ARRAY(SELECT c FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY u (c, n)
                           WHERE u.n <= i.indnkeyatts) AS columns) d,
     -- an expression holds the columns it reads
     LATERAL (SELECT CASE WHEN 0 = ANY (d.columns)
                          THEN d.columns || ARRAY(SELECT r.refobjsubid::int2 FROM pg_catalog.pg_depend r
                                                  WHERE r.classid = 'pg_catalog.pg_class'::regclass AND r.objid = i.indexrelid
                                                        AND r.refclassid = 'pg_catalog.pg_class'::regclass AND r.refobjid = i.indrelid
                                                        AND r.refobjsubid > 0)
                          ELSE d.columns END AS columns) k
WHERE i.indisunique
      AND (i.indisprimary
           OR NOT EXISTS (SELECT FROM pg_catalog.pg_index pk
                          WHERE pk.indrelid = i.indrelid AND pk.indisprimary
                                AND d.columns @> pk.indkey::int2[]));
COMMENT ON VIEW idem.schema_unique IS 'unique indexes, and the columns that make some of them local';
COMMENT ON COLUMN idem.schema_unique.index IS 'the index';
COMMENT ON COLUMN idem.schema_unique.relation IS 'its table';
COMMENT ON COLUMN idem.schema_unique.columns IS 'numbers of its columns and of those its expressions read; 0 is an expression';
COMMENT ON COLUMN idem.schema_unique.is_valid IS 'false after a CREATE INDEX CONCURRENTLY that failed';
COMMENT ON COLUMN idem.schema_unique.is_immediate IS 'false: DEFERRABLE';
COMMENT ON COLUMN idem.schema_unique.local_columns IS 'date, time and partition columns in it';
COMMENT ON COLUMN idem.schema_unique.nullable_columns IS 'columns in it that may be null, and then keep nothing unique';

CREATE VIEW idem.schema_problems AS
WITH columns AS MATERIALIZED (
    SELECT *, pg_catalog.format('column %I of table %s', name, relation) AS object
    FROM idem.schema_columns WHERE is_amount OR is_status OR is_key),
-- each key with each index that holds it
held AS (
    SELECT c.relation, c.name, c.object, u.index, u.is_valid, u.is_immediate,
           ARRAY(SELECT l FROM pg_catalog.unnest(u.local_columns) l WHERE l <> c.name) AS local_columns,
           ARRAY(SELECT l FROM pg_catalog.unnest(u.nullable_columns) l WHERE l <> c.name) AS nullable_columns
    FROM columns c
    LEFT JOIN idem.schema_unique u ON u.relation = c.relation AND c.attnum = ANY (u.columns)
    WHERE c.is_key),
keys AS (
    SELECT relation, name, object,
           coalesce(pg_catalog.bool_or(is_valid), false) AS held,
           pg_catalog.bool_and(local_columns <> '{}') FILTER (WHERE is_valid) AS held_locally,
           pg_catalog.bool_and(nullable_columns <> '{}') FILTER (WHERE is_valid) AS held_if_not_null,
           pg_catalog.string_agg(DISTINCT pg_catalog.array_to_string(local_columns, ', '), '; ') FILTER (WHERE is_valid) AS local_columns,
           pg_catalog.string_agg(DISTINCT pg_catalog.array_to_string(nullable_columns, ', '), '; ') FILTER (WHERE is_valid) AS nullable_columns
    FROM held h
    -- a row for each claim of the key, and no more: what no index could keep
    -- better; and a table of keys, which says of which columns a key is made
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t
                      JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'idem'::regnamespace
                           AND p.proname IN ('keep_claimed', 'keep_keys'),
                           LATERAL (SELECT idem.trigger_settings(t.tgargs)) a (settings),
                           LATERAL idem.setting_columns(p.proname::text, a.settings) k
                      WHERE t.tgrelid = h.relation AND t.tgenabled = 'A'
                            AND idem.settings_problem(p.proname::text, a.settings) IS NULL
                            AND (p.proname = 'keep_keys' OR idem.setting(a.settings, 'rows') = 'one')
                            AND k.setting = 'key' AND k."column" = h.name)
    GROUP BY relation, name, object),
-- the amounts of each table; those with a unit in the name (precise_amount_cents) count in it
mixed AS (
    SELECT relation,
           pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ' ORDER BY attnum) FILTER (WHERE scale = 0) AS integers,
           pg_catalog.bool_and(has_unit) FILTER (WHERE scale = 0) AS all_have_unit,
           pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ' ORDER BY attnum)
               FILTER (WHERE type IN ('pg_catalog.money_micro'::regtype, 'numeric'::regtype)
                             AND scale IS DISTINCT FROM 0 AND NOT has_unit) AS decimals
    FROM columns WHERE is_amount GROUP BY relation)
-- a key that nothing keeps unique: the same request can take effect twice
SELECT 'error' AS severity, object, 'looks like a key and has no unique constraint: the same request can be stored twice' AS finding,
       pg_catalog.format('CREATE UNIQUE INDEX CONCURRENTLY ON %s (%I), or claim the key and bind the rows to their claims with idem.guard_claimed', relation, name) AS remedy
FROM keys WHERE NOT held
UNION ALL
SELECT 'error', object,
       pg_catalog.format('looks like a key and is unique only together with %s: the same request can be stored again under another one', local_columns),
       'keep it unique in a table of its own that is not partitioned, or claim the key and bind the rows to their claims with idem.guard_claimed'
FROM keys WHERE held_locally
UNION ALL
SELECT 'warning', object,
       pg_catalog.format('looks like a key and is unique only where %s is not null: the same request can be stored twice without it', nullable_columns),
       'declare it NOT NULL, or the constraint UNIQUE NULLS NOT DISTINCT'
FROM keys WHERE held_if_not_null AND NOT held_locally
UNION ALL
SELECT 'warning', pg_catalog.format('index %s', index), 'is not valid: CREATE INDEX CONCURRENTLY failed, and nothing is kept unique',
       pg_catalog.format('DROP INDEX %s and create it again', index)
FROM held WHERE NOT is_valid
UNION ALL
SELECT 'notice', pg_catalog.format('index %s', index), 'is deferrable: it is no arbiter for ON CONFLICT, and a repeat is seen only at the end of the transaction',
       'declare it NOT DEFERRABLE'
FROM held WHERE NOT is_immediate
UNION ALL
SELECT 'warning', object, pg_catalog.format('looks like a key and has a nondeterministic collation: keys that differ in bytes can be one'),
       pg_catalog.format('ALTER TABLE %s ALTER %I TYPE text COLLATE "C"', relation, name)
FROM columns
WHERE is_key
      AND EXISTS (SELECT FROM pg_catalog.pg_collation l WHERE l.oid = collation_oid AND NOT l.collisdeterministic)
UNION ALL
-- amounts
SELECT CASE WHEN c.type = 'money'::regtype THEN 'warning' ELSE 'error' END, c.object,
       CASE WHEN c.type = 'money'::regtype
            THEN 'looks like an amount and has type money: what it means depends on lc_monetary'
            ELSE pg_catalog.format('looks like an amount and has type %s: it cannot hold 0.10 exactly', c.type) END,
       pg_catalog.format('ALTER TABLE %s ALTER %I TYPE money_micro, or numeric', c.relation, c.name)
FROM columns c
WHERE c.is_amount AND c.type IN ('float4'::regtype, 'float8'::regtype, 'money'::regtype)
UNION ALL
SELECT 'warning', c.object,
       pg_catalog.format('looks like an amount and has type %s without a unit: neither its name nor its comment nor a currency column says whether it counts cents', c.type),
       pg_catalog.format('name the unit (%s), comment it, or use money_micro',
                         pg_catalog.quote_ident(c.name || '_cents'))
FROM columns c
WHERE c.is_amount AND c.scale = 0 AND NOT c.has_unit AND NOT c.has_currency
UNION ALL
-- what counts cents beside what counts whole ones
SELECT CASE WHEN all_have_unit THEN 'notice' ELSE 'warning' END, pg_catalog.format('table %s', relation),
       pg_catalog.format('holds amounts without decimals (%s) beside amounts with decimals (%s): moved from one to the other as it stands, a value changes a hundredfold', integers, decimals),
       'convert with idem.from_minor, idem.from_major or idem.from_scaled, or keep all as money_micro'
FROM mixed WHERE integers <> '' AND decimals <> ''
UNION ALL
-- a status that nothing holds
SELECT 'notice', c.object,
       'looks like a status and has no guard: any value can follow any other, also a final one',
       CASE WHEN c.type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
            THEN 'keep it as text or an enum, then idem.define_machine and idem.guard_states'
            ELSE pg_catalog.format('idem.define_machine, then SELECT idem.guard_states(%L, %L, ...)', c.relation, c.name) END
FROM columns c
WHERE c.is_status
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t
                      JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'idem'::regnamespace,
                           LATERAL (SELECT idem.trigger_settings(t.tgargs)) a (settings)
                      WHERE t.tgrelid = c.relation
                            AND c.name IN (idem.setting(a.settings, 'column'), idem.setting(a.settings, 'state')))
UNION ALL
-- rows that nobody could name
SELECT DISTINCT 'warning', pg_catalog.format('table %s', c.relation), 'holds amounts and has no primary key: a row that is there twice cannot be told from two',
       pg_catalog.format('ALTER TABLE %s ADD PRIMARY KEY (...)', c.relation)
FROM columns c
WHERE c.is_amount
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.relation AND (i.indisprimary OR i.indisunique AND i.indpred IS NULL))
UNION ALL
SELECT DISTINCT 'warning', pg_catalog.format('table %s', c.relation), 'holds amounts and is unlogged: a crash empties it',
       pg_catalog.format('ALTER TABLE %s SET LOGGED', c.relation)
FROM columns c
JOIN pg_catalog.pg_class t ON t.oid = c.relation AND t.relpersistence = 'u'
WHERE c.is_amount;
COMMENT ON VIEW idem.schema_problems IS 'columns that look like money and are not kept as money, as findings of idem.doctor(); on any database, guarded or not';

-- ---------------------------------------------------------------------------
-- audit: sequences whose numbers come twice, or come to an end
-- ---------------------------------------------------------------------------

-- Which sequence feeds which column: by ownership or identity, or by a default.
CREATE VIEW idem.fed_columns AS
SELECT f.relation, f.attnum, f.sequence, a.attname, a.atttypid,
       EXISTS (SELECT FROM pg_catalog.pg_index i
               WHERE i.indrelid = f.relation AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indkey[0] = f.attnum) AS is_unique
FROM (SELECT d.refobjid AS relation, d.refobjsubid::smallint AS attnum, d.objid AS sequence
      FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
            AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
      UNION
      SELECT t.adrelid, t.adnum, d.refobjid
      FROM pg_catalog.pg_attrdef t
      JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = t.oid
                                  AND d.refclassid = 'pg_catalog.pg_class'::regclass) f
JOIN pg_catalog.pg_class s ON s.oid = f.sequence AND s.relkind = 'S'
JOIN pg_catalog.pg_class c ON c.oid = f.relation AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema')
JOIN pg_catalog.pg_attribute a ON a.attrelid = f.relation AND a.attnum = f.attnum
WHERE a.atttypid IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype);
COMMENT ON VIEW idem.fed_columns IS 'columns of integers that a sequence feeds';
COMMENT ON COLUMN idem.fed_columns.relation IS 'the table';
COMMENT ON COLUMN idem.fed_columns.attnum IS 'number of the column';
COMMENT ON COLUMN idem.fed_columns.sequence IS 'the sequence';
COMMENT ON COLUMN idem.fed_columns.attname IS 'name of the column';
COMMENT ON COLUMN idem.fed_columns.atttypid IS 'its type';
COMMENT ON COLUMN idem.fed_columns.is_unique IS 'it has a unique index of its own';
REVOKE ALL ON TABLE idem.fed_columns FROM PUBLIC;

-- The largest value of a unique column is a look into its index.
CREATE FUNCTION idem.largest_value(relation regclass, name text) RETURNS bigint
    AS 'MODULE_PATHNAME', 'idem_largest_value'
    LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION idem.largest_value(regclass, text) IS
    'the largest value of a column of integers, as the caller sees the rows; for idem.sequence_problems. In: table, column. NULL for none. 42501 without SELECT on the table';
REVOKE ALL ON FUNCTION idem.largest_value(regclass, text) FROM PUBLIC;

CREATE VIEW idem.sequence_problems AS
WITH fed AS (
    SELECT f.relation::regclass AS relation, f.attname, f.is_unique, f.sequence::regclass AS sequence, q.seqcycle, q.seqincrement,
           pg_catalog.pg_sequence_last_value(f.sequence) AS last,
           least(q.seqmax, CASE f.atttypid WHEN 'smallint'::regtype THEN 32767 WHEN 'integer'::regtype THEN 2147483647
                                           ELSE 9223372036854775807 END) AS greatest,
           CASE WHEN f.is_unique AND pg_catalog.has_table_privilege(f.relation, 'SELECT')
                THEN idem.largest_value(f.relation, f.attname::text) END AS largest
    FROM idem.fed_columns f
    JOIN pg_catalog.pg_sequence q ON q.seqrelid = f.sequence
    WHERE q.seqincrement > 0)
SELECT 'error' AS severity, pg_catalog.format('sequence %s', f.sequence) AS object,
       pg_catalog.format('is at %s, behind the largest value of %s.%I, which is %s: the next rows meet numbers that are taken',
                         coalesce(f.last::text, 'its beginning'), f.relation, f.attname, f.largest) AS finding,
       pg_catalog.format('SELECT setval(%L, %s)', f.sequence, f.largest) AS remedy
FROM fed f
WHERE f.largest > coalesce(f.last, 0)
UNION ALL
SELECT 'warning', pg_catalog.format('sequence %s', f.sequence),
       pg_catalog.format('begins again when it is used up (CYCLE), and feeds %s.%I: its numbers come twice', f.relation, f.attname),
       pg_catalog.format('ALTER SEQUENCE %s NO CYCLE', f.sequence)
FROM fed f
WHERE f.seqcycle
UNION ALL
SELECT 'warning', pg_catalog.format('sequence %s', f.sequence),
       pg_catalog.format('is used up to %s percent: %s.%I takes no more than %s', (f.last::numeric * 100 / f.greatest)::integer, f.relation, f.attname, f.greatest),
       pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I TYPE bigint, in time', f.relation, f.attname)
FROM fed f
WHERE f.last::numeric / f.greatest > 0.8
UNION ALL
-- the column of a partition has a default of its own
SELECT 'warning', pg_catalog.format('table %s', t.root),
       pg_catalog.format('column %I is unique and fed by several sequences, whose numbers meet: %s', t.attname, t.sequences),
       'have one sequence for all partitions'
FROM (SELECT coalesce(pg_catalog.pg_partition_root(f.relation), f.relation) AS root, f.attname,
             pg_catalog.string_agg(DISTINCT f.sequence::text, ', ') AS sequences
      FROM fed f
      GROUP BY 1, 2
      HAVING pg_catalog.count(DISTINCT f.sequence) > 1 AND pg_catalog.bool_or(f.is_unique)) t;
COMMENT ON VIEW idem.sequence_problems IS 'sequences behind their column, that begin again, are nearly used up, or feed one unique column with another one, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.sequence_problems FROM PUBLIC;
-- ---------------------------------------------------------------------------
-- doctor: the guards as a whole
-- ---------------------------------------------------------------------------

-- These views are the extension's own; what others read is idem.guards.

-- Every trigger of ours on any table.  part: row decides, total keeps a total
-- in the parent, truncate refuses TRUNCATE; is_clone: made by the server for a
-- partition; other: the table it is bound to, of a total the child; identity:
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
     LATERAL (SELECT idem.trigger_settings(t.tgargs)) a (settings);
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
-- a trigger is dropped, nothing tells that it was there.
CREATE VIEW idem.guards_undeclared AS
SELECT g.relation, g.kind, g.name, g.settings, pg_catalog.pg_get_userbyid(c.relowner) AS owner,
       pg_catalog.row_number() OVER (PARTITION BY c.relowner
                                     ORDER BY c.relname, g.relation, g.kind, g.name) AS nth,
       pg_catalog.count(*) OVER (PARTITION BY c.relowner) AS of
FROM idem.guard_parts g
JOIN pg_catalog.pg_class c ON c.oid = g.relation
WHERE g.part = 'row' AND NOT g.declared;
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
-- ---------------------------------------------------------------------------
-- doctor: DDL that would weaken a guard is refused
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.watch_ddl() RETURNS event_trigger
    AS 'MODULE_PATHNAME', 'idem_watch_ddl'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.watch_ddl() IS
    'event trigger: refuses DDL that would weaken a guard with 2BP01, rows of an attached partition that break a rule with 23514; gives new partitions the triggers that refuse TRUNCATE; keeps in idem.change_log what fell with its table or was let pass by idem.allow_unguarded';

REVOKE ALL ON FUNCTION idem.watch_ddl() FROM PUBLIC;

-- Fired for every command: the first of a session loads the library, which
-- then sees what the server does to the catalog.
CREATE EVENT TRIGGER idem_ddl_start ON ddl_command_start EXECUTE FUNCTION idem.watch_ddl();
CREATE EVENT TRIGGER idem_ddl_end ON ddl_command_end EXECUTE FUNCTION idem.watch_ddl();
CREATE EVENT TRIGGER idem_rewrite ON table_rewrite EXECUTE FUNCTION idem.watch_ddl();
COMMENT ON EVENT TRIGGER idem_ddl_start IS 'idem watches DDL: before';
COMMENT ON EVENT TRIGGER idem_ddl_end IS 'idem watches DDL: judges what was done';
COMMENT ON EVENT TRIGGER idem_rewrite IS 'idem watches DDL: columns written anew';
ALTER EVENT TRIGGER idem_ddl_start ENABLE ALWAYS;
ALTER EVENT TRIGGER idem_ddl_end ENABLE ALWAYS;
ALTER EVENT TRIGGER idem_rewrite ENABLE ALWAYS;
-- ---------------------------------------------------------------------------
-- doctor: roles that could weaken guards
-- ---------------------------------------------------------------------------

-- logins: who logs in with which right, that is a role that may call what is for
-- this audience and for no other, and its members.  Each of the three is planned
-- once: otherwise the planner would plan all of its joins in each part, which
-- took most of the time of idem.doctor().
CREATE VIEW idem.role_problems AS
WITH logins AS MATERIALIZED (
         SELECT DISTINCT i.audience, r.oid AS role, r.rolname AS name, r.rolsuper AS is_superuser
         FROM pg_catalog.pg_proc p
         JOIN (SELECT function, pg_catalog.min(audience) AS audience FROM idem.rights
               GROUP BY function HAVING pg_catalog.count(*) = 1) i
              ON i.function = p.proname AND i.audience IN ('runtime', 'operator', 'admin')
         CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) a
         JOIN pg_catalog.pg_roles g ON g.oid = a.grantee AND g.oid <> p.proowner
         JOIN pg_catalog.pg_roles r ON r.oid = g.oid
              OR NOT r.rolsuper AND pg_catalog.pg_has_role(r.oid, g.oid, 'USAGE')
              -- a superuser has every role: what is meant is a role it was made a member of
              OR EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.roleid = g.oid AND m.member = r.oid)
         WHERE p.pronamespace = 'idem'::regnamespace AND a.privilege_type = 'EXECUTE'
               AND r.rolcanlogin
     ),
     applications AS MATERIALIZED (
         SELECT l.role, l.name, l.is_superuser FROM logins l WHERE l.audience = 'runtime'
     ),
     guarded AS MATERIALIZED (
         SELECT t.relation, t.kind, t.member, c.relowner, c.relacl
         FROM idem.guard_tables t JOIN pg_catalog.pg_class c ON c.oid = t.member
     )
SELECT DISTINCT 'warning' AS severity, pg_catalog.format('role %I', r.name) AS object,
       pg_catalog.format('is an application and owns %s %s: it can take the guard off', m.kind, m.relation) AS finding,
       pg_catalog.format('ALTER TABLE %s OWNER TO a role that no application has', m.member) AS remedy
FROM applications r
CROSS JOIN guarded m
WHERE NOT r.is_superuser AND pg_catalog.pg_has_role(r.role, m.relowner, 'USAGE')
UNION ALL
SELECT 'warning', pg_catalog.format('role %I', r.name),
       'is an application and a superuser: nothing holds it', pg_catalog.format('ALTER ROLE %I NOSUPERUSER', r.name)
FROM applications r
WHERE r.is_superuser
UNION ALL
SELECT 'warning', pg_catalog.format('role %I', r.name),
       'is an application and an operator: it can overrule the guard that watches it',
       pg_catalog.format('REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA idem FROM %I, or whatever membership it has one of the rights by, then grant it one of them', r.name)
FROM applications r
JOIN logins o ON o.role = r.role AND o.audience = 'operator'
WHERE NOT r.is_superuser
UNION ALL
-- one that waits for ever, or sleeps in a transaction, keeps the rows of others
SELECT 'warning', pg_catalog.format('role %I', r.name),
       pg_catalog.format('is an application and has no %s: %s', s.name, s.risk),
       pg_catalog.format('ALTER ROLE %I SET %s = %L', r.name, s.name, s.example)
FROM applications r,
     (VALUES ('lock_timeout', 'it waits for a row as long as another holds it', '5s'),
             ('statement_timeout', 'a statement may run for ever', '30s'),
             ('idle_in_transaction_session_timeout', 'a session that hangs keeps its rows and keys', '60s')) s (name, risk, example)
WHERE (SELECT p.reset_val FROM pg_catalog.pg_settings p WHERE p.name = s.name) = '0'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting d, pg_catalog.unnest(d.setconfig) c
                      WHERE d.setrole IN (r.role, 0)
                            AND d.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
                            AND c LIKE s.name || '=%' AND c <> s.name || '=0')
UNION ALL
-- a trigger of somebody else runs with every row, and may write to it before it is stored
SELECT DISTINCT 'warning', pg_catalog.format('table %s', m.member),
       pg_catalog.format('%s may create triggers on it, which run as whoever writes',
                         CASE a.grantee WHEN 0 THEN 'everybody' ELSE 'role ' || pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END),
       pg_catalog.format('REVOKE TRIGGER ON %s FROM %s', m.member,
                         CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END)
FROM guarded m,
     LATERAL pg_catalog.aclexplode(m.relacl) a
WHERE a.privilege_type = 'TRIGGER' AND a.grantee <> m.relowner
UNION ALL
-- settings that only a superuser sets, unless it was granted
SELECT 'warning', pg_catalog.format('role %I', pg_catalog.pg_get_userbyid(a.grantee)),
       pg_catalog.format('may set %s: %s', p.parname, s.risk),
       pg_catalog.format('REVOKE SET ON PARAMETER %s FROM %I', p.parname, pg_catalog.pg_get_userbyid(a.grantee))
FROM pg_catalog.pg_parameter_acl p
JOIN (VALUES ('session_replication_role', 'foreign keys and the triggers of others sleep then, the guards do not'),
             ('idem.allow_unguarded', 'DDL can weaken guards')) s (name, risk) ON s.name = p.parname,
     LATERAL pg_catalog.aclexplode(p.paracl) a
WHERE a.grantee <> 10;
COMMENT ON VIEW idem.role_problems IS 'roles that could weaken guards, or keep others waiting, as findings of idem.doctor()';
-- ---------------------------------------------------------------------------
-- doctor: settings that guards rely on
-- ---------------------------------------------------------------------------

-- What is set for a role, for this database, or for a role in it.
CREATE VIEW idem.standing_settings AS
SELECT pg_catalog.split_part(c, '=', 1) AS name, pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) AS value,
       pg_catalog.concat_ws(' in ', 'role ' || pg_catalog.quote_ident(r.rolname),
                            'database ' || pg_catalog.quote_ident(d.datname)) AS holder,
       pg_catalog.concat_ws(' IN ', 'ROLE ' || pg_catalog.quote_ident(r.rolname),
                            'DATABASE ' || pg_catalog.quote_ident(d.datname)) AS altered
FROM pg_catalog.pg_db_role_setting s
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase,
     LATERAL pg_catalog.unnest(s.setconfig) c
WHERE s.setdatabase = 0 OR d.datname = pg_catalog.current_database();
COMMENT ON VIEW idem.standing_settings IS 'settings with which sessions of this database begin, by ALTER ROLE or ALTER DATABASE';

CREATE VIEW idem.setting_problems AS
-- what is told to the outside must be on disk first
SELECT CASE s.name WHEN 'fsync' THEN 'error' ELSE 'warning' END AS severity,
       pg_catalog.format('setting %s', s.name) AS object, 'is off: ' || s.risk AS finding,
       pg_catalog.format('set %s = on', s.name) AS remedy
FROM (VALUES ('fsync', 'a crash of the machine can take back what was committed'),
             ('full_page_writes', 'a crash of the machine can leave torn pages'),
             ('event_triggers', 'DDL can weaken guards'),
             ('synchronous_commit', 'a crash can take back what was told to the client')) s (name, risk)
WHERE pg_catalog.current_setting(s.name, true) = 'off'
UNION ALL
SELECT CASE WHEN r.severity = 'notice' AND EXISTS (SELECT FROM idem.site) THEN 'warning' ELSE r.severity END,
       pg_catalog.format('setting %s of %s', s.name, s.holder),
       pg_catalog.format(r.finding, s.value), pg_catalog.format('ALTER %s RESET %s', s.altered, s.name) || r.unless
FROM idem.standing_settings s
JOIN (VALUES ('synchronous_commit', 'warning', 'is off: a crash can take back what was told to the client', ''),
             ('idem.allow_unguarded', 'warning', 'is set for good: DDL can weaken guards (%s)', ''),
             ('idem.site', 'error', 'hides the setting of the server from its sessions: nothing is sent from them (%s)', ''),
             -- as it has to be in a database for tests, so it is no more than a
             -- notice where no site is set
             ('idem.drop_reason', 'notice', 'is set for good: owners can drop tables with guarded rows and are not asked why (%s)',
              ', unless the database is one for tests'),
             ('idem.truncate_reason', 'notice', 'is set for good: the owner of the database can empty guarded tables and is not asked why (%s)',
              ', unless the database is one for tests')) r (name, severity, finding, unless)
     ON r.name = s.name
WHERE s.value <> '' AND (s.name <> 'synchronous_commit' OR s.value = 'off');
COMMENT ON VIEW idem.setting_problems IS 'settings that let a crash take back what was told, or DDL weaken guards, as findings of idem.doctor()';
-- ---------------------------------------------------------------------------
-- doctor: what should have gone on by now
-- ---------------------------------------------------------------------------

-- Counted, so that a night in which everything stands is a line and not a
-- million.  Rows that could not be looked at are a finding of their guard.
CREATE VIEW idem.stuck_problems AS
SELECT 'warning' AS severity, pg_catalog.format('table %s', s.relation) AS object,
       pg_catalog.format('%s in state "%s" for too long%s', CASE pg_catalog.count(*) WHEN 1 THEN '1 row is' ELSE pg_catalog.count(*) || ' rows are' END,
                         s.state, ', the first since ' || pg_catalog.min(s.since)) AS finding,
       pg_catalog.format('SELECT * FROM idem.stuck WHERE relation = %L::regclass AND state = %L', s.relation, s.state) AS remedy
FROM idem.stuck s
WHERE s.unread IS NULL
GROUP BY s.what, s.relation, s.state;
COMMENT ON VIEW idem.stuck_problems IS 'how many rows of each table and state should have gone on by now, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.stuck_problems FROM PUBLIC;
-- ---------------------------------------------------------------------------
-- doctor: the tables of idem itself
-- ---------------------------------------------------------------------------

-- What the extension made; any other column or constraint was added by somebody
-- else.  Columns are known by their position, so ours come first.
CREATE VIEW idem.own_tables (name, columns, constraints) AS VALUES
    ('change'::name,
     '{n,at,role,action,kind,guard,table_schema,table_name,name,arguments,reason}'::name[], '{}'::name[]),
    ('currency',
     '{code,numeric_code,minor_units,name,withdrawn,builtin}',
     '{currency_pkey,currency_code_check,currency_numeric_code_check,currency_minor_units_check}'),
    ('pause',
     '{kind,name,state,at,role,reason}', '{pause_pkey,pause_kind_check}'),
    ('site',
     '{one,name,on_move,set_at,role,system_identifier,timeline,database,relation,backup,stamped_at,held_until}',
     '{site_pkey,site_one_check,site_on_move_check}'),
    ('policy',
     '{name,since,role}', '{policy_pkey,policy_name_check}'),
    ('approval',
     '{id,at,person,role,action,object,digest,reason,emergency,used_at,used_by,confirmed_at,confirmed_by,confirmed_reason}',
     '{approval_pkey,approval_digest_check}'),
    ('runtime_role',
     '{role,scopes}', '{runtime_role_pkey,runtime_role_scopes_check}'),
    ('scope',
     '{id,name,effect,fields,completion,charset,lease,quiet,ladder,keep,key_time,parts,horizon,created_at,created_by,flush,standbys,channels,keep_answers,repeat_within,duplicate_fields,duplicate_window,on_duplicate,confirm_by}',
     '{scope_pkey,scope_id_check,scope_name_key,scope_effect_check,scope_completion_check,scope_charset_check,scope_keep_answers_check,scope_duplicate_window_check,scope_on_duplicate_check,scope_confirm_by_check}'),
    ('anchor',
     '{digest,first_seen,scope,state,key,fingerprint,response}', '{anchor_pkey}'),
    ('reservation',
     '{digest,first_seen,scope,state,key,fingerprint,response,request,nonce,token,attempt,step,lease_until,dispatched_at,finished_at,due_at,fenced_at,concern,dropped,serial,settled_amount,presumed_at,corrected_at,returned_on,returned_amount}',
     '{reservation_pkey}'),
    ('attempt',
     '{scope,key,attempt,token,dispatched_at,channel,serial,business_date,other_date}', '{attempt_pkey}'),
    ('sighting',
     '{digest,first_seen,scope,key}', '{}'),
    ('suspect',
     '{scope,key,id,members,first_seen,held}', '{}'),
    ('late_result',
     '{scope,key,n,scope_created_at,at,role,token,attempt,outcome,response,evidence,asked_at,via,codes,mismatch,state,newest}',
     '{late_result_pkey}'),
    ('evidence',
     '{scope,key,n,scope_created_at,at,role,action,outcome,attempt,evidence,response,reason,asked_at,via,codes,settled_amount}',
     '{evidence_pkey}'),
    ('channel',
     '{name,send,inquire,notice,statement,serial,serial_per,serial_max,serial_charset,first_serial,echo,amount,absence,quiet,partial,presume_days,idempotency_window,calendar,created_by,created_at}',
     '{channel_pkey}'),
    ('calendar',
     '{name,valid_from,time_zone,cut,closed,around_cut,weekend,created_by}', '{calendar_pkey}'),
    ('closure',
     '{calendar,during,reason,added_by}', '{closure_pkey}'),
    ('serial_day',
     '{channel,day,base}', '{serial_day_pkey}'),
    ('reconciliation',
     '{name,ours,theirs,key,amount,agree,day,currency,complete,calendar,grace,tolerance,group_by,signed,gross,fee,net,owner,created_by,created_at}',
     '{reconciliation_pkey}'),
    ('reconciled',
     '{rule,day,problem,version,waiting,again_at,runs,at,role}', '{reconciled_pkey}'),
    ('reconciled_sum',
     '{rule,day,kind,currency,keys,ours_lines,theirs_lines,ours,theirs,fee}', '{reconciled_sum_pkey}'),
    ('difference',
     '{id,rule,day,key,line,n,kind,currency,ours,theirs,ours_lines,theirs_lines,fields,ours_values,theirs_values,other_day,state,first_seen,last_seen,closed_at,gone_at,role,reason,previous}',
     '{difference_pkey,difference_kind_check,difference_state_check,difference_closed_check,difference_gone_check,difference_reason_check,difference_seen_check,difference_n_check}'),
    ('difference_log',
     '{difference,n,at,role,state,kind,reason}', '{difference_log_pkey}'),
    ('machine',
     '{name,version,diagram,owner,defined_at,defined_by,loosen,tighten}', '{machine_pkey}'),
    ('return_code_table',
     '{name,version,codes,owner,defined_at,defined_by,loosen,tighten}', '{return_code_table_pkey}'),
    ('transition_log',
     '{relation,n,command,state_column,key,from_state,to_state,event,at,transaction,session_role,role,actor,application}',
     '{transition_log_pkey}');
COMMENT ON VIEW idem.own_tables IS 'the tables of idem as the extension made them';
REVOKE ALL ON TABLE idem.own_tables FROM PUBLIC;

-- TRUNCATE of what happened needs a reason, of what was decided there is none;
-- what else takes rows from a log is told.  The owner of a database for tests
-- need not be a superuser.
CREATE TRIGGER change_truncate BEFORE TRUNCATE ON idem.change
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1', 'for_good=true');
CREATE TRIGGER anchor_truncate BEFORE TRUNCATE ON idem.anchor
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER reservation_truncate BEFORE TRUNCATE ON idem.reservation
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER attempt_truncate BEFORE TRUNCATE ON idem.attempt
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER sighting_truncate BEFORE TRUNCATE ON idem.sighting
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER suspect_truncate BEFORE TRUNCATE ON idem.suspect
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER late_result_truncate BEFORE TRUNCATE ON idem.late_result
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER evidence_truncate BEFORE TRUNCATE ON idem.evidence
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER transition_log_truncate BEFORE TRUNCATE ON idem.transition_log
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER site_truncate BEFORE TRUNCATE ON idem.site
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1', 'for_good=true');
CREATE TRIGGER site_delete AFTER DELETE ON idem.site
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER change_delete AFTER DELETE ON idem.change
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER change_update AFTER UPDATE ON idem.change
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER transition_log_delete AFTER DELETE ON idem.transition_log
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER transition_log_update AFTER UPDATE ON idem.transition_log
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
ALTER TABLE idem.change ENABLE ALWAYS TRIGGER change_truncate;
ALTER TABLE idem.anchor ENABLE ALWAYS TRIGGER anchor_truncate;
ALTER TABLE idem.reservation ENABLE ALWAYS TRIGGER reservation_truncate;
ALTER TABLE idem.attempt ENABLE ALWAYS TRIGGER attempt_truncate;
ALTER TABLE idem.sighting ENABLE ALWAYS TRIGGER sighting_truncate;
ALTER TABLE idem.suspect ENABLE ALWAYS TRIGGER suspect_truncate;
ALTER TABLE idem.late_result ENABLE ALWAYS TRIGGER late_result_truncate;
ALTER TABLE idem.evidence ENABLE ALWAYS TRIGGER evidence_truncate;
ALTER TABLE idem.transition_log ENABLE ALWAYS TRIGGER transition_log_truncate;
ALTER TABLE idem.site ENABLE ALWAYS TRIGGER site_truncate, ENABLE ALWAYS TRIGGER site_delete;
ALTER TABLE idem.change ENABLE ALWAYS TRIGGER change_delete, ENABLE ALWAYS TRIGGER change_update;
ALTER TABLE idem.transition_log ENABLE ALWAYS TRIGGER transition_log_delete, ENABLE ALWAYS TRIGGER transition_log_update;
COMMENT ON TRIGGER change_truncate ON idem.change IS 'never';
COMMENT ON TRIGGER anchor_truncate ON idem.anchor IS 'only for a reason, which is kept';
COMMENT ON TRIGGER reservation_truncate ON idem.reservation IS 'only for a reason, which is kept';
COMMENT ON TRIGGER attempt_truncate ON idem.attempt IS 'only for a reason, which is kept';
COMMENT ON TRIGGER sighting_truncate ON idem.sighting IS 'only for a reason, which is kept';
COMMENT ON TRIGGER suspect_truncate ON idem.suspect IS 'only for a reason, which is kept';
COMMENT ON TRIGGER late_result_truncate ON idem.late_result IS 'only for a reason, which is kept';
COMMENT ON TRIGGER evidence_truncate ON idem.evidence IS 'only for a reason, which is kept';
COMMENT ON TRIGGER transition_log_truncate ON idem.transition_log IS 'only for a reason, which is kept';
COMMENT ON TRIGGER site_truncate ON idem.site IS 'never';
COMMENT ON TRIGGER site_delete ON idem.site IS 'tells of a site that was deleted';
COMMENT ON TRIGGER change_delete ON idem.change IS 'tells of rows that were deleted';
COMMENT ON TRIGGER change_update ON idem.change IS 'tells of rows that were written over';
COMMENT ON TRIGGER transition_log_delete ON idem.transition_log IS 'tells of rows that were deleted';
COMMENT ON TRIGGER transition_log_update ON idem.transition_log IS 'tells of rows that were written over';
GRANT TRUNCATE ON idem.anchor, idem.reservation, idem.attempt, idem.sighting, idem.suspect, idem.late_result, idem.evidence, idem.transition_log
    TO pg_database_owner;

-- idem writes its tables without the executor, so what only the executor does
-- (triggers, defaults, NOT NULL, CHECKs, rules) has no effect there.  Plain
-- indexes of any kind are maintained.
CREATE VIEW idem.table_problems AS
SELECT c.oid::regclass AS relation, pg_catalog.format('table idem.%I', o.name) AS object, p.problem, p.remedy, p.instead
FROM idem.own_tables o
LEFT JOIN pg_catalog.pg_class c ON c.relname = o.name AND c.relnamespace = 'idem'::regnamespace AND c.relkind = 'r',
     LATERAL (
         SELECT 'is missing from schema idem', 'give it its name back, or drop the extension and create it anew',
                'The tables of idem keep their names and their schema.'
         WHERE c.oid IS NULL
         UNION ALL
         SELECT 'is unlogged: a crash empties it', pg_catalog.format('ALTER TABLE idem.%I SET LOGGED', o.name),
                'A crash would empty it, and what was paid would be paid again.'
         WHERE c.relpersistence <> 'p'
         UNION ALL
         SELECT 'is not stored as a heap', pg_catalog.format('ALTER TABLE idem.%I SET ACCESS METHOD heap', o.name),
                'idem reads and writes it as a heap.'
         WHERE c.relam <> (SELECT a.oid FROM pg_catalog.pg_am a WHERE a.amname = 'heap')
         UNION ALL
         SELECT pg_catalog.format('has not got column %I in its place', k.name),
                'give the column its name back; if it was dropped, restore the table from a backup',
                'idem relies on its columns.'
         FROM pg_catalog.unnest(o.columns) WITH ORDINALITY k (name, n)
         WHERE c.oid IS NOT NULL
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                               WHERE a.attrelid = c.oid AND a.attnum = k.n AND a.attname = k.name AND NOT a.attisdropped)
         UNION ALL
         SELECT pg_catalog.format('has column %I, which is not null or has a default, and idem writes null into it', a.attname),
                pg_catalog.format('ALTER TABLE idem.%I DROP COLUMN %I', o.name, a.attname),
                'Add a column that may be null and has no default: it is null in the rows that idem writes, until you set it.'
         FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > pg_catalog.cardinality(o.columns) AND NOT a.attisdropped
               AND CASE WHEN o.name <> 'transition_log' THEN a.attnotnull OR a.atthasdef OR a.attidentity <> ''
                        -- there defaults are computed
                        ELSE a.attgenerated <> '' OR a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' END
         UNION ALL
         SELECT pg_catalog.format('bears trigger %I, which does not fire for what idem writes', t.tgname),
                pg_catalog.format('DROP TRIGGER %I ON idem.%I', t.tgname, o.name),
                'To follow what idem writes, decode it logically, or read its views.'
         FROM pg_catalog.pg_trigger t
         JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
         WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND f.pronamespace <> 'idem'::regnamespace
               AND t.tgtype & 28 <> 0 -- INSERT, DELETE or UPDATE
         UNION ALL
         SELECT pg_catalog.format('has rule %I, which does nothing to what idem writes', r.rulename),
                pg_catalog.format('DROP RULE %I ON idem.%I', r.rulename, o.name),
                'To follow what idem writes, decode it logically, or read its views.'
         FROM pg_catalog.pg_rewrite r
         WHERE r.ev_class = c.oid AND r.ev_type <> '1'
         UNION ALL
         SELECT pg_catalog.format('has not got constraint %I', k.name),
                'add the constraint again, as the extension made it',
                'idem relies on its constraints.'
         FROM pg_catalog.unnest(o.constraints) k (name)
         WHERE c.oid IS NOT NULL
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint n
                               LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = n.conindid
                               WHERE n.conrelid = c.oid AND n.conname = k.name AND n.contype IN ('p', 'u', 'c')
                                     AND n.convalidated AND (n.contype = 'c' OR i.indisvalid))
         UNION ALL
         SELECT pg_catalog.format('has constraint %I, which is not checked for what idem writes', n.conname),
                pg_catalog.format('ALTER TABLE idem.%I DROP CONSTRAINT %I', o.name, n.conname),
                'Judge the rows when they are read; what an application may write is judged before it calls idem.'
         FROM pg_catalog.pg_constraint n
         WHERE n.conrelid = c.oid AND n.contype IN ('c', 'f', 'x') AND n.conname <> ALL (o.constraints)
         UNION ALL
         SELECT pg_catalog.format('is referenced by foreign key %I of table %s, which keeps keys from being retired', n.conname, n.conrelid::regclass),
                pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', n.conrelid::regclass, n.conname),
                'Keep the key itself in a column, and ask idem.lookup for what is known of it.'
         FROM pg_catalog.pg_constraint n
         WHERE n.confrelid = c.oid AND n.contype = 'f' AND n.conparentid = 0
         UNION ALL
         SELECT pg_catalog.format('has unique index %I', x.relname),
                pg_catalog.format('DROP INDEX idem.%I', x.relname),
                'An index that is not unique is kept; idem itself decides which keys there are once.'
         FROM pg_catalog.pg_index i
         JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
         WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint n
                               JOIN pg_catalog.pg_index k ON k.indexrelid = n.conindid
                               WHERE n.conrelid = c.oid AND n.conname = ANY (o.constraints)
                                     AND k.indkey = i.indkey AND i.indpred IS NULL)
         UNION ALL
         SELECT 'has row security, which hides rows from the views of idem',
                pg_catalog.format('ALTER TABLE idem.%I NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', o.name),
                'The tables of idem are closed to everybody but its owner; grant what is to be read on a view.'
         WHERE c.relrowsecurity OR c.relforcerowsecurity
         UNION ALL
         SELECT pg_catalog.format('inherits from table %s', h.inhparent::regclass),
                pg_catalog.format('ALTER TABLE idem.%I NO INHERIT %s', o.name, h.inhparent::regclass),
                'Make a view of both tables.'
         FROM pg_catalog.pg_inherits h
         WHERE h.inhrelid = c.oid
         UNION ALL
         SELECT pg_catalog.format('is inherited by table %s', h.inhrelid::regclass),
                pg_catalog.format('ALTER TABLE %s NO INHERIT idem.%I', h.inhrelid::regclass, o.name),
                'CREATE TABLE ... (LIKE ...) copies the columns.'
         FROM pg_catalog.pg_inherits h
         WHERE h.inhparent = c.oid
     ) p (problem, remedy, instead);
COMMENT ON VIEW idem.table_problems IS 'what keeps the tables of idem from doing their work, a row each; DDL that would bring one about is refused';
REVOKE ALL ON TABLE idem.table_problems FROM PUBLIC;
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
-- ---------------------------------------------------------------------------
-- watch: counts and ages, for those who watch
-- ---------------------------------------------------------------------------

-- Programs that count read views named stat_*: numbers and times, and names of
-- tables, scopes and states; never a key, a request or a response.  Nothing
-- here is C: what looks into tables of users does so in their rooms, as the
-- owner of each table; what only the owner of the extension may read is counted
-- by functions that run as that owner, and take no argument.  Tables are named
-- in full, as text, so that a series has one name whatever the search path.
--
-- Shown by sql/watch.sql and test/isolation/specs/machine_within.spec.
--

CREATE FUNCTION idem.count_states(
        OUT relation text, OUT state_column name, OUT state text,
        OUT rows bigint, OUT oldest timestamptz, OUT overdue bigint,
        OUT unread boolean)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$SELECT s.relation::text, s.state_column, s.state, s.rows, s.oldest, s.overdue, s.unread IS NOT NULL FROM idem.state_counts() s$$;
COMMENT ON FUNCTION idem.count_states() IS 'what idem.stat_states shows';
REVOKE ALL ON FUNCTION idem.count_states() FROM PUBLIC;

CREATE VIEW idem.stat_states AS
SELECT s.relation, s.state_column, s.state, s.rows, s.oldest, s.overdue, s.unread
FROM idem.count_states() s;
COMMENT ON VIEW idem.stat_states IS 'how many rows stand in each state that is not final, of tables under idem.guard_states';
COMMENT ON COLUMN idem.stat_states.relation IS 'the table, with its schema';
COMMENT ON COLUMN idem.stat_states.state_column IS 'the guarded column';
COMMENT ON COLUMN idem.stat_states.state IS 'the state; NULL: the table could not be read';
COMMENT ON COLUMN idem.stat_states.rows IS 'how many rows';
COMMENT ON COLUMN idem.stat_states.oldest IS 'since when the first of them stands there; NULL: none, or the state has no time in within';
COMMENT ON COLUMN idem.stat_states.overdue IS 'how many of them should have gone on by now; NULL: the state has no time in within';
COMMENT ON COLUMN idem.stat_states.unread IS 'true: the table could not be read';
REVOKE ALL ON TABLE idem.stat_states FROM PUBLIC;

CREATE FUNCTION idem.count_overdue(
        OUT what text, OUT relation text, OUT state text,
        OUT rows bigint, OUT oldest timestamptz, OUT unread boolean)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
SELECT s.what, s.relation::text, s.state, count(*) FILTER (WHERE s.unread IS NULL), min(coalesce(s.since, s.due)), s.unread IS NOT NULL
FROM idem.stuck_rows() s
GROUP BY s.what, s.relation::text, s.state, s.unread IS NOT NULL
$$;
COMMENT ON FUNCTION idem.count_overdue() IS 'what idem.stat_overdue shows';
REVOKE ALL ON FUNCTION idem.count_overdue() FROM PUBLIC;

CREATE VIEW idem.stat_overdue AS
SELECT s.what, s.relation, s.state, s.rows, s.oldest, s.unread
FROM idem.count_overdue() s;
COMMENT ON VIEW idem.stat_overdue IS 'how many rows should have gone on by now, a row for each rule, table and state; idem.stuck has the rows';
COMMENT ON COLUMN idem.stat_overdue.what IS 'as in idem.stuck';
COMMENT ON COLUMN idem.stat_overdue.relation IS 'the table, with its schema';
COMMENT ON COLUMN idem.stat_overdue.state IS 'as in idem.stuck';
COMMENT ON COLUMN idem.stat_overdue.rows IS 'how many rows';
COMMENT ON COLUMN idem.stat_overdue.oldest IS 'since when the first of them stands there, or of a hold: when it lapsed';
COMMENT ON COLUMN idem.stat_overdue.unread IS 'true: the table could not be read, and nobody knows';
REVOKE ALL ON TABLE idem.stat_overdue FROM PUBLIC;

-- Reads every guarded table, as the doctor does.
CREATE FUNCTION idem.count_findings(OUT severity text, OUT findings bigint)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
SELECT v.severity, count(d.severity)
FROM (VALUES ('error'), ('warning'), ('notice')) v (severity)
LEFT JOIN idem.doctor() d ON d.severity = v.severity
GROUP BY v.severity
$$;
COMMENT ON FUNCTION idem.count_findings() IS 'what idem.stat_findings shows';
REVOKE ALL ON FUNCTION idem.count_findings() FROM PUBLIC;

CREATE VIEW idem.stat_findings AS
SELECT f.severity, f.findings FROM idem.count_findings() f;
COMMENT ON VIEW idem.stat_findings IS 'how much idem.doctor() finds wrong, a row for each severity; reads every guarded table, and so is for once an hour';
COMMENT ON COLUMN idem.stat_findings.severity IS 'error, warning or notice';
COMMENT ON COLUMN idem.stat_findings.findings IS 'how many findings; 0: none';
REVOKE ALL ON TABLE idem.stat_findings FROM PUBLIC;

-- The catalog and the change log only
CREATE FUNCTION idem.count_guards(OUT kind text, OUT guards bigint, OUT broken bigint)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
SELECT g.kind, count(*), count(*) FILTER (WHERE NOT g.intact)
FROM (SELECT k.kind, k.intact FROM idem.guards k
      UNION ALL
      SELECT m.kind, false FROM idem.guards_missing m) g
GROUP BY g.kind
$$;
COMMENT ON FUNCTION idem.count_guards() IS 'what idem.stat_guards shows';
REVOKE ALL ON FUNCTION idem.count_guards() FROM PUBLIC;

CREATE VIEW idem.stat_guards AS
SELECT g.kind, g.guards, g.broken FROM idem.count_guards() g;
COMMENT ON VIEW idem.stat_guards IS 'how many guards there are of each kind, and how many do not guard';
COMMENT ON COLUMN idem.stat_guards.kind IS 'the kind, as in idem.guards';
COMMENT ON COLUMN idem.stat_guards.guards IS 'how many there are, those that were declared and are gone included';
COMMENT ON COLUMN idem.stat_guards.broken IS 'how many of them are not intact, or gone';
REVOKE ALL ON TABLE idem.stat_guards FROM PUBLIC;

CREATE FUNCTION idem.count_excess(OUT relation text, OUT currency text, OUT rows bigint, OUT amount numeric)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
SELECT e.relation::text, c.code, sum(e.rows)::bigint, sum(e.amount)
FROM (SELECT DISTINCT x.relation, x.excess_column, x.currency, x.rows, x.amount FROM idem.limit_excess() x) e
LEFT JOIN idem.currency c ON c.code = e.currency
GROUP BY e.relation::text, c.code
$$;
COMMENT ON FUNCTION idem.count_excess() IS 'what idem.stat_excess shows';
REVOKE ALL ON FUNCTION idem.count_excess() FROM PUBLIC;

CREATE VIEW idem.stat_excess AS
SELECT e.relation, e.currency, e.rows, e.amount FROM idem.count_excess() e;
COMMENT ON VIEW idem.stat_excess IS 'parents of which more went back than came in, as facts said, a row for each table and currency';
COMMENT ON COLUMN idem.stat_excess.relation IS 'the parent table of the limit, with its schema';
COMMENT ON COLUMN idem.stat_excess.currency IS 'the currency, where the limit holds parent and child to one (same => ''{"currency":"currency"}''); NULL: not known';
COMMENT ON COLUMN idem.stat_excess.rows IS 'how many parents';
COMMENT ON COLUMN idem.stat_excess.amount IS 'how much beyond their caps';
REVOKE ALL ON TABLE idem.stat_excess FROM PUBLIC;
-- ---------------------------------------------------------------------------
-- watch: keys that are open
-- ---------------------------------------------------------------------------

-- By the index of what is due: as cheap as there are few keys open.  The
-- channel of a key that was not dispatched yet is known where its scope has
-- only one.
CREATE VIEW idem.watched_claims AS
SELECT s.name AS scope,
       coalesce(a.channel, CASE pg_catalog.cardinality(s.channels) WHEN 1 THEN s.channels[1] END) AS channel,
       CASE r.state WHEN 'r' THEN 'reserved' WHEN 'd' THEN 'dispatched' WHEN 'u' THEN 'unknown'
                    WHEN 'l' THEN 'released' ELSE 'for a person' END AS state,
       r.first_seen, r.due_at, r.request
FROM idem.reservation r
JOIN idem.scope s ON s.id = r.scope
LEFT JOIN idem.attempt a ON a.scope = r.scope AND a.key = r.key AND a.attempt = r.attempt
WHERE r.due_at IS NOT NULL;
COMMENT ON VIEW idem.watched_claims IS 'every key of an effect outside that is open, as the views that count see it';
REVOKE ALL ON TABLE idem.watched_claims FROM PUBLIC;

CREATE VIEW idem.stat_claims AS
SELECT w.scope, w.channel, w.state, pg_catalog.count(*) AS keys, pg_catalog.min(w.first_seen) AS oldest,
       pg_catalog.count(*) FILTER (WHERE w.due_at < pg_catalog.clock_timestamp()) AS overdue
FROM idem.watched_claims w
GROUP BY w.scope, w.channel, w.state;
COMMENT ON VIEW idem.stat_claims IS 'how many keys of effects outside are open, a row for each scope, channel and state';
COMMENT ON COLUMN idem.stat_claims.scope IS 'the scope';
COMMENT ON COLUMN idem.stat_claims.channel IS 'the channel; NULL: none, or not known before the dispatch';
COMMENT ON COLUMN idem.stat_claims.state IS 'reserved, dispatched, unknown or released; for a person: final, with a late result or a reversal needed';
COMMENT ON COLUMN idem.stat_claims.keys IS 'how many';
COMMENT ON COLUMN idem.stat_claims.oldest IS 'when the first of them was reserved first';
COMMENT ON COLUMN idem.stat_claims.overdue IS 'how many of them somebody should have looked at by now';
REVOKE ALL ON TABLE idem.stat_claims FROM PUBLIC;

-- Cumulative, as histograms of Prometheus are.
CREATE VIEW idem.stat_claim_ages AS
SELECT w.scope, b.le, pg_catalog.count(*) FILTER (WHERE w.first_seen > pg_catalog.clock_timestamp() - b.age OR b.age IS NULL) AS keys
FROM idem.watched_claims w
CROSS JOIN (VALUES ('60', interval '1 minute'), ('600', interval '10 minutes'), ('3600', interval '1 hour'),
                   ('86400', interval '24 hours'), ('604800', interval '168 hours'), ('+Inf', NULL)) b (le, age)
GROUP BY w.scope, b.le;
COMMENT ON VIEW idem.stat_claim_ages IS 'how many open keys are not older than so many seconds, a row for each scope and age';
COMMENT ON COLUMN idem.stat_claim_ages.scope IS 'the scope';
COMMENT ON COLUMN idem.stat_claim_ages.le IS 'age in seconds since they were first reserved; +Inf: all of them';
COMMENT ON COLUMN idem.stat_claim_ages.keys IS 'how many keys have this age or less';
REVOKE ALL ON TABLE idem.stat_claim_ages FROM PUBLIC;

-- The amount is the member that the channel declares, else "amount"; the
-- currency is the member "currency", where its value is one.  What else the
-- request holds goes nowhere.
CREATE VIEW idem.stat_amounts AS
SELECT w.scope, w.channel, w.state, c.code AS currency, pg_catalog.count(*) AS keys,
       pg_catalog.sum(CASE WHEN v.amount ~ '^-?\d{1,30}([.]\d{1,30})?$' THEN v.amount::numeric END) AS amount
FROM (SELECT w.scope, w.channel, w.state, w.request,
             coalesce((SELECT c.amount FROM idem.channel c WHERE c.name = w.channel), 'amount') AS member
      FROM idem.watched_claims w) w
CROSS JOIN LATERAL (SELECT w.request ->> w.member) v (amount)
LEFT JOIN idem.currency c ON c.code = w.request ->> 'currency'
GROUP BY w.scope, w.channel, w.state, c.code;
COMMENT ON VIEW idem.stat_amounts IS 'what open keys are about, a row for each scope, channel, state and currency';
COMMENT ON COLUMN idem.stat_amounts.scope IS 'the scope';
COMMENT ON COLUMN idem.stat_amounts.channel IS 'as in idem.stat_claims';
COMMENT ON COLUMN idem.stat_amounts.state IS 'as in idem.stat_claims';
COMMENT ON COLUMN idem.stat_amounts.currency IS 'member currency of the request, where idem.currency has it; NULL: not known';
COMMENT ON COLUMN idem.stat_amounts.keys IS 'how many keys';
COMMENT ON COLUMN idem.stat_amounts.amount IS 'sum of the member that the channel names (amount of idem.create_channel), else of "amount"; NULL: no request has one';
REVOKE ALL ON TABLE idem.stat_amounts FROM PUBLIC;

-- Reads every answer that was kept.
CREATE VIEW idem.stat_codes AS
SELECT u.interface, pg_catalog.count(*) AS codes, pg_catalog.sum(u.seen)::bigint AS seen, pg_catalog.max(u.last_seen) AS last_seen
FROM idem.unlisted_codes u
GROUP BY u.interface;
COMMENT ON VIEW idem.stat_codes IS 'how many return codes came that no table lists, a row for each interface; idem.unlisted_codes has the codes';
COMMENT ON COLUMN idem.stat_codes.interface IS 'the interface by which they came';
COMMENT ON COLUMN idem.stat_codes.codes IS 'how many different ones';
COMMENT ON COLUMN idem.stat_codes.seen IS 'how often they came';
COMMENT ON COLUMN idem.stat_codes.last_seen IS 'when the last one came';
REVOKE ALL ON TABLE idem.stat_codes FROM PUBLIC;
-- ---------------------------------------------------------------------------
-- watch: what a person reads first
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.status(OUT item text, OUT well boolean, OUT said text, OUT see text)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET datestyle = 'ISO'
    AS $status$
SELECT s.item, s.well, s.said, CASE WHEN NOT s.well THEN s.see END
FROM (
SELECT 1 AS n, 'guards' AS item, coalesce(sum(g.broken), 0) = 0 AS well,
       format('guards: %s, not intact: %s', coalesce(sum(g.guards), 0), coalesce(sum(g.broken), 0)) AS said,
       'SELECT * FROM idem.doctor() WHERE severity = ''error''' AS see
FROM idem.count_guards() g
UNION ALL
SELECT 2, 'pauses', count(*) = 0,
       format('paused: %s', count(*)) || coalesce(', the first since ' || date_trunc('second', min(p.at)), ''),
       'SELECT * FROM idem.pauses'
FROM idem.pause p
UNION ALL
SELECT 3, 'claims', coalesce(sum(c.overdue) FILTER (WHERE c.state <> 'for a person'), 0) = 0,
       format('keys open: %s, overdue: %s', coalesce(sum(c.keys), 0), coalesce(sum(c.overdue) FILTER (WHERE c.state <> 'for a person'), 0))
       || coalesce(', the oldest since ' || date_trunc('second', min(c.oldest)), ''),
       'SELECT * FROM idem.stat_claims'
FROM idem.stat_claims c
UNION ALL
SELECT 4, 'persons', count(*) = 0, format('keys that wait for a person: %s', count(*)),
       'SELECT * FROM idem.open_claims WHERE why <> ''inquire'''
FROM idem.open_claims o
WHERE o.why IN ('manual', 'late result', 'reverse needed', 'stale attempt')
UNION ALL
SELECT 5, 'suspects', count(*) = 0,
       format('keys suspected to be duplicates: %s, held: %s', coalesce(sum(u.keys), 0), coalesce(sum(u.keys) FILTER (WHERE u.state = 'held'), 0))
       || coalesce(', the oldest since ' || date_trunc('second', min(u.oldest)), ''),
       'SELECT * FROM idem.suspects'
FROM idem.stat_suspects u
UNION ALL
SELECT 6, 'stuck', NOT coalesce(sum(s.rows) > 0 OR bool_or(s.unread), false),
       format('rows overdue: %s', coalesce(sum(s.rows), 0)) || coalesce(', the first since ' || date_trunc('second', min(s.oldest)), '')
       || CASE WHEN bool_or(s.unread) THEN '; some tables could not be read' ELSE '' END,
       'SELECT * FROM idem.stuck'
FROM idem.count_overdue() s
UNION ALL
SELECT 7, 'excess', count(*) = 0, format('rows beyond their limit, as facts said: %s', coalesce(sum(e.rows), 0)),
       'SELECT * FROM idem.stat_excess'
FROM idem.count_excess() e
UNION ALL
SELECT 8, 'approvals', count(*) = 0, format('done alone in an emergency, not confirmed: %s', count(*)),
       'SELECT * FROM idem.approval WHERE emergency IS NOT NULL AND confirmed_at IS NULL'
FROM idem.approval_problems a
UNION ALL
SELECT 9, 'prepared', count(*) = 0, format('prepared transactions older than ten minutes: %s', count(*)),
       'SELECT * FROM pg_prepared_xacts'
FROM pg_prepared_xacts x
WHERE x.database = current_database() AND x.prepared < clock_timestamp() - interval '10 minutes'
) s
ORDER BY s.n
$status$;
COMMENT ON FUNCTION idem.status() IS
    'the few lines that a person reads first: item, whether it is well, what is said of it in counts and ages, and, where it is not well, what to look at. idem.doctor() finds more, and reads every guarded table. For operators, admins and programs that count.
Locks: as idem.stuck.';
REVOKE ALL ON FUNCTION idem.status() FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- at the end: the owner of the extension
-- ---------------------------------------------------------------------------

-- The owner of a database installs the extension without being a superuser
-- (trusted in idem.control).  Its objects then belong to the superuser as whom
-- the server runs this script, and their owner is an admin.  The name of the
-- role is never part of a statement here: it is anybody's choice.
SELECT idem.grant_admin(e.extowner::pg_catalog.regrole)
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_roles r ON r.oid = e.extowner AND NOT r.rolsuper
WHERE e.extname = 'idem';
