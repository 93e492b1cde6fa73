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
