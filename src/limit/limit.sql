
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
