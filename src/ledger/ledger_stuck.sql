-- A balance's part of idem.stuck: holds that have lapsed
CREATE VIEW idem.hold_stuck AS
SELECT h.relation, h.key, 'held'::text AS state, NULL::timestamptz AS since, h.expires_at AS due,
       NULL::text[] AS next_states, NULL::text AS unread
FROM idem.lapsed_holds() h;
COMMENT ON VIEW idem.hold_stuck IS 'what idem.stuck shows of holds';
REVOKE ALL ON TABLE idem.hold_stuck FROM PUBLIC;
