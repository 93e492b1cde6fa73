
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
COMMENT ON COLUMN idem.machine.owner IS 'role that defined version 1; its members may define the next';
COMMENT ON COLUMN idem.machine.defined_at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.machine.defined_by IS 'session user who defined this version';
COMMENT ON COLUMN idem.machine.loosen IS 'why this version allows what the one before did not';
COMMENT ON COLUMN idem.machine.tighten IS 'why this version takes a way from rows that stand before it';
REVOKE ALL ON TABLE idem.machine FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.machine', '');

CREATE TRIGGER machine_invalidate
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON idem.machine
    FOR EACH STATEMENT EXECUTE FUNCTION idem.invalidate_definitions();
COMMENT ON TRIGGER machine_invalidate ON idem.machine IS 'every session reads a changed machine anew';
ALTER TABLE idem.machine ENABLE ALWAYS TRIGGER machine_invalidate;

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
    'defines a state machine, or its next version, and tells what changed: tightens, loosens or neutral. The same text again changes nothing. Raises 42P17 for a diagram that cannot be kept, for loosening without a reason, for tightening that strands rows without a reason, for rows in a state that is no longer there; 42501 unless the caller is the machine''s owner and owns every table it guards. Waits for transactions that have written guarded rows, and they for it';

CREATE FUNCTION idem.machine_diagram(name text, version integer DEFAULT NULL)
    RETURNS text
    AS 'MODULE_PATHNAME', 'idem_machine_diagram'
    LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION idem.machine_diagram(text, integer) IS
    'the text a state machine was defined with, of the version in force or of an older one; raises 42704 if there is none';

-- ---------------------------------------------------------------------------
-- machine: the guard
-- ---------------------------------------------------------------------------

-- Executable by PUBLIC, or an ordinary owner could not restore his dump;
-- called in any other way it raises 39P01.
CREATE FUNCTION idem.keep_states() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_states'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_states() IS
    'trigger of idem.guard_states: raises 23I01, 23I02, 23I03, 23I04 or 23I08 for a row that does not follow its state machine';

CREATE FUNCTION idem.guard_states(relation regclass, state_column name,
                                  machine text,
                                  repeat text DEFAULT 'refuse',
                                  delete text DEFAULT 'never')
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_states'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_states(regclass, name, text, text, text) IS
    'from now on the column changes only as the state machine says. repeat: refuse, strict or ignore an UPDATE that names the column and leaves it; delete: never, final or any. Needs ownership of table and machine (42501) and a primary key (42P17); raises 42710 if the column is guarded, 42704 without the machine, 23514 if rows stand in undeclared states. Locks the table against writers until commit';
