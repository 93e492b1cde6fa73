
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
