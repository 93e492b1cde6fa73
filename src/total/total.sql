
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
    'trigger of a limit on the child, after every statement: changes the totals of the parents for all rows that the statement stored, each parent once, in the order of their keys; TRUNCATE is 23I08; raises what the trigger of the rows raises, and 39P01; locks the parent rows FOR NO KEY UPDATE';
