-- Runs as the owner of the extension, who knows which guards were declared;
-- each table is read as its owner.
CREATE FUNCTION idem.limit_excess()
    RETURNS TABLE (relation regclass, excess_column name, currency text, rows bigint, amount numeric)
    AS 'MODULE_PATHNAME', 'idem_limit_excess'
    LANGUAGE C STABLE STRICT PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION idem.limit_excess() IS
    'how many parents of each limit took more than there was, and how much, as facts said; the same twice, where two limits share a column. A limit that cannot be asked, for want of a foreign key or of a lock within five seconds, is a WARNING (55000). Locks the tables ACCESS SHARE';
REVOKE ALL ON FUNCTION idem.limit_excess() FROM PUBLIC;
