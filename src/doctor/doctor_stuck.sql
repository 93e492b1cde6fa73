-- ---------------------------------------------------------------------------
-- doctor: what should have gone on by now
-- ---------------------------------------------------------------------------

-- Counted, so that a night in which everything stands is a line and not a
-- million.  Rows that could not be looked at are a finding of their guard.
CREATE VIEW idem.stuck_problems AS
SELECT 'warning' AS severity, pg_catalog.format('table %s', s.relation) AS object,
       pg_catalog.format('%s in state "%s" for too long%s', CASE pg_catalog.count(*) WHEN 1 THEN '1 row is' ELSE pg_catalog.count(*) || ' rows are' END,
                         s.state, ', the first since ' || pg_catalog.min(s.since)) AS finding,
       pg_catalog.format('SELECT * FROM idem.stuck WHERE relation = %L::regclass AND state = %L', s.relation, s.state) AS remedy
FROM idem.stuck s
WHERE s.unread IS NULL
GROUP BY s.what, s.relation, s.state;
COMMENT ON VIEW idem.stuck_problems IS 'how many rows of each table and state should have gone on by now, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.stuck_problems FROM PUBLIC;
