
-- ---------------------------------------------------------------------------
-- total: what rows add up to, in a row of their parent
-- ---------------------------------------------------------------------------

-- Trigger functions stay executable by PUBLIC, or an ordinary owner could not
-- restore a dump; called in any other way they raise 39P01.
CREATE FUNCTION idem.keep_total() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_total'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_total() IS
    'trigger of a limit on the parent: nobody but the guard writes the running total, what the limit was judged by stays, and so does a row of which something is used; raises 23I07, 23I08, 42804, 39P01';

CREATE FUNCTION idem.apply_totals() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_apply_totals'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.apply_totals() IS
    'trigger of a limit or a balance on the child, after every statement: changes the totals of the parents for all rows that the statement stored, each parent once, in the order of their keys; TRUNCATE is 23I08; raises what the trigger of the rows raises, and 39P01; locks the parent rows FOR NO KEY UPDATE';

CREATE FUNCTION idem.validate_guard(relation regclass, name text DEFAULT NULL)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_validate_guard'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.validate_guard(regclass, text) IS
    'of a table whose rows are bound to claims: reads all of them, while others write; 23514 says how many have no claim. Of a child table: validates the CHECKs that its limits and balances brought to their parents, which are NOT VALID where the parent had rows, and compares the totals with the sums of the children. name: of the guard, NULL: all of the table. Owner of the parent only (42501); 42704 without such a limit, 23514 if a row breaks the CHECK or a total is another; reads the parent under SHARE UPDATE EXCLUSIVE, and the child under ACCESS SHARE, while others write';
