
-- ---------------------------------------------------------------------------
-- send: counts and ages, for those who watch
-- ---------------------------------------------------------------------------

-- By the index of what is due: as cheap as there are few keys open.
CREATE VIEW idem.stat_claims AS
SELECT s.name AS scope,
       CASE r.state WHEN 'r' THEN 'reserved' WHEN 'd' THEN 'dispatched' WHEN 'u' THEN 'unknown'
                    WHEN 'l' THEN 'released' ELSE 'for a person' END AS state,
       pg_catalog.count(*) AS keys, pg_catalog.min(r.first_seen) AS oldest,
       pg_catalog.count(*) FILTER (WHERE r.due_at < pg_catalog.clock_timestamp()) AS overdue
FROM idem.reservation r JOIN idem.scope s ON s.id = r.scope
WHERE r.due_at IS NOT NULL
GROUP BY 1, 2;
COMMENT ON VIEW idem.stat_claims IS 'how many keys of effects outside are open, a row for each scope and state';
COMMENT ON COLUMN idem.stat_claims.scope IS 'the scope';
COMMENT ON COLUMN idem.stat_claims.state IS 'reserved, dispatched, unknown or released; for a person: final, with a late result or a reversal needed';
COMMENT ON COLUMN idem.stat_claims.keys IS 'how many';
COMMENT ON COLUMN idem.stat_claims.oldest IS 'when the first of them was reserved first';
COMMENT ON COLUMN idem.stat_claims.overdue IS 'how many of them somebody should have looked at by now';
REVOKE ALL ON TABLE idem.stat_claims FROM PUBLIC;
