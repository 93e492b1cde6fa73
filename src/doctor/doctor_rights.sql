-- ---------------------------------------------------------------------------
-- doctor: who may call what
-- ---------------------------------------------------------------------------

-- The one place that says it.  runtime: applications, by grant_runtime.
-- admin: scopes and the doctor, by grant_admin, and the names of machines: who
-- may create scopes may define new ones.  owner: open to PUBLIC, demands
-- ownership of the table or the machine.  public: reads or computes
-- as the caller, harms nobody.  A function that is not here belongs to the owner of the extension;
-- trigger functions are PUBLIC (base.sql).
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
    ('remaining', 'public'),
    ('history', 'runtime'),
    ('create_scope', 'admin'),
    ('alter_scope', 'admin'),
    ('drop_scope', 'admin'),
    ('retire', 'admin'),
    ('adopt_keys', 'admin'),
    ('doctor', 'admin'),
    ('grant_runtime', 'admin'),
    ('define_machine', 'owner'),
    ('define_return_codes', 'owner'),
    ('guard_states', 'owner'),
    ('guard_limit', 'owner'),
    ('validate_guard', 'owner'),
    ('guard_fixed', 'owner'),
    ('guard_kept', 'owner'),
    ('guard_claimed', 'owner'),
    ('guard_keys', 'owner'),
    ('drop_guard', 'owner'),
    ('rearm', 'owner'),
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
    ('minor_units', 'public'),
    ('guard_kinds', 'public'),
    ('trigger_settings', 'public'),
    ('setting', 'public'),
    ('settings_problem', 'public'),
    ('guard_identity', 'public'),
    ('setting_columns', 'public'),
    ('made_name', 'public'),
    ('problems_of', 'public');
COMMENT ON VIEW idem.rights IS 'which functions of idem are for whom; what idem.grant_runtime and idem.grant_admin grant';
COMMENT ON COLUMN idem.rights.function IS 'name of the function in schema idem';
COMMENT ON COLUMN idem.rights.audience IS 'runtime, admin, owner (of the table or machine) or public';

-- Only the owner of a function can grant it: these run as the owner, with a
-- statement that holds nothing of the caller's but the name of a role.
CREATE FUNCTION idem.grant_runtime(role regrole) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_grant_runtime'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION idem.grant_runtime(regrole) IS
    'lets a role call what an application calls (claim, complete, lookup, transition, ...), on no table of idem; kept in idem.change_log. For admins';
REVOKE ALL ON FUNCTION idem.grant_runtime(regrole) FROM PUBLIC;

CREATE FUNCTION idem.grant_admin(role regrole) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_grant_admin'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION idem.grant_admin(regrole) IS
    'lets a role make scopes, define state machines of a new name, call the doctor, read the change log, what is open and every table of idem that pg_dump reads, claims and their responses included, so that the owner of a database can dump it, and name roles with grant_runtime; kept in idem.change_log. For the owner of the extension';
REVOKE ALL ON FUNCTION idem.grant_admin(regrole) FROM PUBLIC;
