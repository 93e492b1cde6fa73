-- A limit's part of idem.stuck: parents that are not cleared in time
CREATE VIEW idem.limit_stuck AS
SELECT l.relation, l.key, 'not cleared'::text AS state, l.since, NULL::timestamptz AS due,
       NULL::text[] AS next_states, NULL::text AS unread
FROM idem.overdue_limits() l;
COMMENT ON VIEW idem.limit_stuck IS 'what idem.stuck shows of limits';
REVOKE ALL ON TABLE idem.limit_stuck FROM PUBLIC;
