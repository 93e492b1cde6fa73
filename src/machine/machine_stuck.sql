
-- ---------------------------------------------------------------------------
-- machine: rows under way
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.stuck_states(
        OUT relation regclass, OUT key text, OUT state text,
        OUT since timestamptz, OUT due timestamptz,
        OUT next_states text[], OUT unread text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'idem_stuck_states'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION idem.stuck_states() IS
    'rows that stand in a state for longer than within of idem.guard_states says; of guards that count for their machine.
Locks: ACCESS SHARE on their tables, for which it waits two seconds, and on idem.transition_log.';
REVOKE ALL ON FUNCTION idem.stuck_states() FROM PUBLIC;

CREATE VIEW idem.states_stuck AS
SELECT s.relation, s.key, s.state, s.since, s.due, s.next_states, s.unread
FROM idem.stuck_states() s;
COMMENT ON VIEW idem.states_stuck IS 'what idem.stuck shows of states';
REVOKE ALL ON TABLE idem.states_stuck FROM PUBLIC;

CREATE FUNCTION idem.state_counts(
        OUT relation regclass, OUT state_column name, OUT state text,
        OUT rows bigint, OUT oldest timestamptz, OUT overdue bigint,
        OUT unread text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'idem_state_counts'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION idem.state_counts() IS
    'how many rows stand in each state that is not final, of guards that count for their machine; of states in within of idem.guard_states also since when the first of them stands there, and how many do for too long. unread: why the rows of a table could not be counted.
Locks: ACCESS SHARE on their tables, for which it waits two seconds, and on idem.transition_log.';
REVOKE ALL ON FUNCTION idem.state_counts() FROM PUBLIC;
