
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
