
-- ---------------------------------------------------------------------------
-- limit: children never add up to more than their parent
-- ---------------------------------------------------------------------------

-- Trigger functions stay executable by PUBLIC, or an ordinary owner could not
-- restore his dump; called in any other way they raise 39P01.
CREATE FUNCTION idem.keep_limit() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_limit'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_limit() IS
    'trigger of a limit on the child: counts what was stored against the parent''s running total; raises 23I05, 23I06, 23I09, 23I07, 23I08, 23502, 23503, 23514, 39P01; locks the parent row FOR NO KEY UPDATE';

CREATE FUNCTION idem.keep_total() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_total'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_total() IS
    'trigger of a limit on the parent: nobody but the guard writes the running total, what the limit was judged by stays, and so does a row of which something is used; raises 23I07, 23I08, 42804, 39P01';

CREATE FUNCTION idem.guard_limit(
        child regclass, fk text,
        amount text, cap text, used text, released text[],
        state text DEFAULT NULL, same jsonb DEFAULT NULL,
        parent_state text DEFAULT NULL, open text[] DEFAULT NULL,
        cap_grows boolean DEFAULT false, children text DEFAULT 'kept')
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_limit'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_limit(regclass, text, text, text, text, text[], text, jsonb, text, text[], boolean, text) IS
    'limits the children of every row a foreign key references. In: child table; its foreign key column, or {a,b}; child column of the amount; parent columns of the cap and of the running total (added if absent); released states that do not count (NULL: all count) of the child''s state column; same: {"child column": "parent column"} that must be equal; parent_state in open: which parents take new children; cap_grows: the cap may grow while it is used; children: kept or editable. Raises 42501, 42P17, 42710, 42703, 42804, 22004, 22023; 23I05, 23I06, 23514 if rows already break the limit. Locks both tables SHARE ROW EXCLUSIVE, the parent ACCESS EXCLUSIVE at the end';

CREATE FUNCTION idem.guard_limit(
        child regclass, fk text[],
        amount text, cap text, used text, released text[],
        state text DEFAULT NULL, same jsonb DEFAULT NULL,
        parent_state text DEFAULT NULL, open text[] DEFAULT NULL,
        cap_grows boolean DEFAULT false, children text DEFAULT 'kept')
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_limit_columns'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_limit(regclass, text[], text, text, text, text[], text, jsonb, text, text[], boolean, text) IS
    'the same, for a foreign key of several columns';

CREATE FUNCTION idem.remaining(child regclass, VARIADIC key text[]) RETURNS numeric
    AS 'MODULE_PATHNAME', 'idem_remaining'
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION idem.remaining(regclass, text[]) IS
    'what could still be taken from a parent: cap minus running total. In: child table, key of the parent, a value for each column of the foreign key. Runs as the caller: NULL if he sees no such parent, 42501 if he may not read it; 42704, 42P08, 22023, 22004. Locks nothing: only the guard decides';
