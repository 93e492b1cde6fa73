-- ---------------------------------------------------------------------------
-- watch: what a person reads first
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.status(OUT item text, OUT well boolean, OUT said text, OUT see text)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET datestyle = 'ISO'
    AS $status$
SELECT s.item, s.well, s.said, CASE WHEN NOT s.well THEN s.see END
FROM (
SELECT 1 AS n, 'guards' AS item, coalesce(sum(g.broken), 0) = 0 AS well,
       format('guards: %s, not intact: %s', coalesce(sum(g.guards), 0), coalesce(sum(g.broken), 0)) AS said,
       'SELECT * FROM idem.doctor() WHERE severity = ''error''' AS see
FROM idem.count_guards() g
UNION ALL
SELECT 2, 'pauses', count(*) = 0,
       format('paused: %s', count(*)) || coalesce(', the first since ' || date_trunc('second', min(p.at)), ''),
       'SELECT * FROM idem.pauses'
FROM idem.pause p
UNION ALL
SELECT 3, 'claims', coalesce(sum(c.overdue) FILTER (WHERE c.state <> 'for a person'), 0) = 0,
       format('keys open: %s, overdue: %s', coalesce(sum(c.keys), 0), coalesce(sum(c.overdue) FILTER (WHERE c.state <> 'for a person'), 0))
       || coalesce(', the oldest since ' || date_trunc('second', min(c.oldest)), ''),
       'SELECT * FROM idem.stat_claims'
FROM idem.stat_claims c
UNION ALL
SELECT 4, 'persons', count(*) = 0, format('keys that wait for a person: %s', count(*)),
       'SELECT * FROM idem.open_claims WHERE why <> ''inquire'''
FROM idem.open_claims o
WHERE o.why IN ('manual', 'late result', 'reverse needed', 'stale attempt')
UNION ALL
SELECT 5, 'suspects', count(*) = 0,
       format('keys suspected to be duplicates: %s, held: %s', coalesce(sum(u.keys), 0), coalesce(sum(u.keys) FILTER (WHERE u.state = 'held'), 0))
       || coalesce(', the oldest since ' || date_trunc('second', min(u.oldest)), ''),
       'SELECT * FROM idem.suspects'
FROM idem.stat_suspects u
UNION ALL
SELECT 6, 'stuck', NOT coalesce(sum(s.rows) > 0 OR bool_or(s.unread), false),
       format('rows overdue: %s', coalesce(sum(s.rows), 0)) || coalesce(', the first since ' || date_trunc('second', min(s.oldest)), '')
       || CASE WHEN bool_or(s.unread) THEN '; some tables could not be read' ELSE '' END,
       'SELECT * FROM idem.stuck'
FROM idem.count_overdue() s
UNION ALL
SELECT 7, 'excess', count(*) = 0, format('rows beyond their limit, as facts said: %s', coalesce(sum(e.rows), 0)),
       'SELECT * FROM idem.stat_excess'
FROM idem.count_excess() e
UNION ALL
SELECT 8, 'approvals', count(*) = 0, format('done alone in an emergency, not confirmed: %s', count(*)),
       'SELECT * FROM idem.approval WHERE emergency IS NOT NULL AND confirmed_at IS NULL'
FROM idem.approval_problems a
UNION ALL
SELECT 9, 'prepared', count(*) = 0, format('prepared transactions older than ten minutes: %s', count(*)),
       'SELECT * FROM pg_prepared_xacts'
FROM pg_prepared_xacts x
WHERE x.database = current_database() AND x.prepared < clock_timestamp() - interval '10 minutes'
) s
ORDER BY s.n
$status$;
COMMENT ON FUNCTION idem.status() IS
    'the few lines that a person reads first: item, whether it is well, what is said of it in counts and ages, and, where it is not well, what to look at. idem.doctor() finds more, and reads every guarded table. For operators, admins and programs that count.
Locks: as idem.stuck.';
REVOKE ALL ON FUNCTION idem.status() FROM PUBLIC;
