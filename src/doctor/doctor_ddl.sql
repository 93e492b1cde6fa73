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
