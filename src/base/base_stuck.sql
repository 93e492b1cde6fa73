
-- ---------------------------------------------------------------------------
-- stuck: what should have gone on by now
-- ---------------------------------------------------------------------------

-- A room whose rows have a time in which they go on shows those that have not
-- by a view of its own, named <what>_stuck: (relation regclass, key text, state
-- text, since timestamptz, due timestamptz, next_states text[], unread text).
-- Rows that could not be looked at are a row, too, with the reason in unread
-- and neither key nor state: nobody knows that none of them is stuck.

CREATE FUNCTION idem.stuck_rows(
        OUT what text, OUT relation regclass, OUT key text, OUT state text,
        OUT since timestamptz, OUT due timestamptz,
        OUT next_states text[], OUT unread text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'idem_stuck_rows'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 100
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION idem.stuck_rows() IS
    'what idem.stuck shows. For operators and admins.
Locks: ACCESS SHARE on tables with such guards, for which it waits a moment.';
REVOKE ALL ON FUNCTION idem.stuck_rows() FROM PUBLIC;

CREATE VIEW idem.stuck AS
SELECT s.what, s.relation, s.key, s.state, s.since, s.due, s.next_states, s.unread
FROM idem.stuck_rows() s;
COMMENT ON VIEW idem.stuck IS 'rows that should have gone on by now, the longest overdue first; the latest there are, at each isolation level';
COMMENT ON COLUMN idem.stuck.what IS 'by which rule: states (within of idem.guard_states), limit (clear_within of idem.guard_limit: not cleared), hold (a hold of idem.guard_balance that has lapsed), difference (of idem.reconcile, at which nobody has looked for a week)';
COMMENT ON COLUMN idem.stuck.relation IS 'the guarded table';
COMMENT ON COLUMN idem.stuck.key IS 'primary key of the row, of states as idem.history takes it; NULL to someone who may not read the table';
COMMENT ON COLUMN idem.stuck.state IS 'the state it stands in; not cleared of a limit, held of a hold';
COMMENT ON COLUMN idem.stuck.since IS 'since when; of states, where no history tells, since the guard was declared; NULL: not known, or not asked';
COMMENT ON COLUMN idem.stuck.due IS 'when it should have gone on; NULL: not said';
COMMENT ON COLUMN idem.stuck.next_states IS 'which states may follow; NULL of limits and holds';
COMMENT ON COLUMN idem.stuck.unread IS 'why the rows of this table could not be looked at; NULL: they were';
REVOKE ALL ON TABLE idem.stuck FROM PUBLIC;
