
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
