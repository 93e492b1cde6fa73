
-- ---------------------------------------------------------------------------
-- reconcile: declarations, and what the doctor finds
-- ---------------------------------------------------------------------------

CREATE VIEW idem.reconciliation_declarations AS
SELECT 90 AS rank, r.name,
       'SELECT idem.create_reconciliation(' || pg_catalog.concat_ws(', ', pg_catalog.quote_literal(r.name),
           'ours => ' || pg_catalog.quote_literal(r.ours),
           'theirs => ' || pg_catalog.quote_literal(r.theirs),
           'key => ' || pg_catalog.quote_literal(r.key),
           'amount => ' || pg_catalog.quote_literal(r.amount),
           'agree => ' || pg_catalog.quote_literal(r.agree),
           'day => ' || pg_catalog.quote_literal(r.day),
           'currency => ' || pg_catalog.quote_literal(r.currency),
           'complete => ' || pg_catalog.quote_literal(r.complete),
           'calendar => ' || pg_catalog.quote_literal(r.calendar),
           'grace => ' || pg_catalog.quote_literal(r.grace),
           'tolerance => ' || r.tolerance,
           'group_by => ' || pg_catalog.quote_literal(r.group_by),
           'signed => ' || r.signed::text,
           'gross => ' || pg_catalog.quote_literal(r.gross),
           'fee => ' || pg_catalog.quote_literal(r.fee),
           'net => ' || pg_catalog.quote_literal(r.net)) || ');' AS statement
FROM idem.reconciliation r;
COMMENT ON VIEW idem.reconciliation_declarations IS 'reconciliations, as idem.declarations() writes them';
COMMENT ON COLUMN idem.reconciliation_declarations.rank IS 'what has to be there first has the lower one';
COMMENT ON COLUMN idem.reconciliation_declarations.name IS 'whose declaration it is';
COMMENT ON COLUMN idem.reconciliation_declarations.statement IS 'the statement';
REVOKE ALL ON TABLE idem.reconciliation_declarations FROM PUBLIC;

-- Business days that ended more than a day ago and were not judged, of the last
-- 60 days and since the rule was declared.
CREATE FUNCTION idem.days_to_reconcile(OUT rule text, OUT day date, OUT problem text, OUT waiting bigint, OUT at timestamptz) RETURNS SETOF record
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 10
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT r.name AS rule, g.day, d.problem, d.waiting, d.at
        FROM idem.reconciliation r
        CROSS JOIN LATERAL (
            SELECT s.day::date
            FROM generate_series(greatest(r.created_at, now() - interval '60 days')::date::timestamp, now()::date::timestamp, '1 day') s (day)
            WHERE NOT EXISTS (SELECT FROM idem.reconciled j WHERE j.rule = r.name AND j.day = s.day::date)
                  AND NOT EXISTS (SELECT FROM idem.calendar_at(r.calendar, now()) c WHERE idem.is_day_off(c.name, c.time_zone, c.weekend, s.day::date))
            UNION
            SELECT u.day FROM idem.reconciled u WHERE u.rule = r.name AND u.problem IS NOT NULL
            UNION
            SELECT w.day FROM idem.reconciled w WHERE w.rule = r.name AND w.again_at < now()) g (day)
        LEFT JOIN idem.reconciled d ON d.rule = r.name AND d.day = g.day
        WHERE idem.end_of_day(r.calendar, g.day) < now() - interval '1 day' OR d.problem IS NULL AND d.again_at < now();
    END;
COMMENT ON FUNCTION idem.days_to_reconcile() IS 'what idem.unreconciled_days shows. For operators, admins and monitors';
REVOKE ALL ON FUNCTION idem.days_to_reconcile() FROM PUBLIC;

CREATE VIEW idem.unreconciled_days AS
SELECT d.rule, d.day, d.problem, d.waiting, d.at FROM idem.days_to_reconcile() d;
COMMENT ON VIEW idem.unreconciled_days IS 'days that no run could judge though they ended more than a day ago, of the last 60 days and since the rule was declared; and those to be run again because grace is over';
COMMENT ON COLUMN idem.unreconciled_days.rule IS 'name of the reconciliation';
COMMENT ON COLUMN idem.unreconciled_days.day IS 'the day';
COMMENT ON COLUMN idem.unreconciled_days.problem IS 'why the newest run could not judge it; NULL: there was none, or grace is over';
COMMENT ON COLUMN idem.unreconciled_days.waiting IS 'pairs on neighbouring days whose grace is over';
COMMENT ON COLUMN idem.unreconciled_days.at IS 'when the newest run was';
REVOKE ALL ON TABLE idem.unreconciled_days FROM PUBLIC;

CREATE VIEW idem.reconciliation_problems AS
-- somebody was paid whom we did not pay
SELECT 'error' AS severity, pg_catalog.format('reconciliation %I', d.rule) AS object,
       pg_catalog.format('%s %s that ours lacks%s: somebody may have been paid whom we did not pay', d.differences,
                         CASE d.differences WHEN 1 THEN 'payment of theirs' ELSE 'payments of theirs' END,
                         coalesce(', ' || d.theirs || coalesce(' ' || d.currency, ''), '')) AS finding,
       pg_catalog.format('SELECT * FROM idem.differences WHERE rule = %L AND kind = %L AND closed_at IS NULL', d.rule, d.kind) AS remedy
FROM (SELECT rule, kind, currency, pg_catalog.sum(differences) AS differences, pg_catalog.sum(theirs) AS theirs
      FROM idem.stat_differences WHERE kind = 'missing_ours' GROUP BY rule, kind, currency) d
UNION ALL
-- nobody looked
SELECT 'warning', pg_catalog.format('reconciliation %I', d.rule),
       pg_catalog.format('%s %s since %s, and nobody looks at %s', d.differences, CASE d.differences WHEN 1 THEN 'difference is open' ELSE 'differences are open' END,
                         d.oldest, CASE d.differences WHEN 1 THEN 'it' ELSE 'them' END),
       pg_catalog.format('SELECT * FROM idem.differences WHERE rule = %L AND state = %L; idem.settle_difference closes them', d.rule, 'open')
FROM (SELECT rule, pg_catalog.sum(differences) AS differences, pg_catalog.min(oldest) AS oldest
      FROM idem.stat_differences WHERE state = 'open' GROUP BY rule) d
WHERE d.oldest < pg_catalog.now() - interval '7 days'
UNION ALL
-- days that are not closed
SELECT 'warning', pg_catalog.format('reconciliation %I', u.rule),
       pg_catalog.format('%s %s not closed, the first is %s%s', pg_catalog.count(*), CASE pg_catalog.count(*) WHEN 1 THEN 'day is' ELSE 'days are' END,
                         pg_catalog.min(u.day), coalesce(': ' || (pg_catalog.array_agg(u.problem ORDER BY u.day))[1], '')),
       pg_catalog.format('SELECT * FROM idem.unreconciled_days WHERE rule = %L; SELECT * FROM idem.reconcile(%1$L, day)', u.rule)
FROM idem.unreconciled_days u
GROUP BY u.rule
UNION ALL
-- rules that cannot run
SELECT 'error', pg_catalog.format('reconciliation %I', r.name), 'cannot run: ' || coalesce(f.flaw, pg_catalog.format('role %I does not exist', r.owner)),
       coalesce(f.hint, pg_catalog.format('SELECT idem.alter_reconciliation(%L, reason => ...), or declare it anew', r.name))
FROM idem.reconciliation r
CROSS JOIN LATERAL idem.reconciliation_flaw(r.name) f
WHERE f.flaw IS NOT NULL
UNION ALL
SELECT 'error', pg_catalog.format('reconciliation %I', r.name), pg_catalog.format('cannot run: role %I does not exist', r.owner),
       pg_catalog.format('SELECT idem.alter_reconciliation(%L, reason => ...) as a role that may read both sides', r.name)
FROM idem.reconciliation r
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles o WHERE o.rolname = r.owner)
UNION ALL
-- functions of others with every right
SELECT 'warning', pg_catalog.format('reconciliation %I', r.name),
       pg_catalog.format('reads %s of role %I as superuser %I: functions in it run with every right', s.relation, pg_catalog.pg_get_userbyid(c.relowner), r.owner),
       'declare it as a role that may read both sides, and nothing else'
FROM idem.reconciliation r
JOIN pg_catalog.pg_roles o ON o.rolname = r.owner AND o.rolsuper
CROSS JOIN LATERAL (SELECT DISTINCT u FROM pg_catalog.unnest(ARRAY[r.ours, r.theirs, r.complete]) u) s (relation)
JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(s.relation) AND c.relkind = 'v'
JOIN pg_catalog.pg_roles v ON v.oid = c.relowner AND NOT v.rolsuper;
COMMENT ON VIEW idem.reconciliation_problems IS 'what is wrong with reconciliations, as findings of idem.doctor()';
COMMENT ON COLUMN idem.reconciliation_problems.severity IS 'error or warning';
COMMENT ON COLUMN idem.reconciliation_problems.object IS 'the reconciliation';
COMMENT ON COLUMN idem.reconciliation_problems.finding IS 'what is wrong';
COMMENT ON COLUMN idem.reconciliation_problems.remedy IS 'what puts it right';
REVOKE ALL ON TABLE idem.reconciliation_problems FROM PUBLIC;

-- Differences at which nobody has looked for a week
CREATE VIEW idem.difference_stuck AS
SELECT pg_catalog.to_regclass(r.ours) AS relation, pg_catalog.format('%s %s %s', d.rule, d.day, d.key) AS key, d.kind AS state,
       d.first_seen AS since, d.first_seen + interval '7 days' AS due,
       '{investigating,explained,adjusted,written_off}'::text[] AS next_states, NULL::text AS unread
FROM idem.difference d
LEFT JOIN idem.reconciliation r ON r.name = d.rule
WHERE d.closed_at IS NULL AND d.state = 'open' AND d.first_seen < pg_catalog.clock_timestamp() - interval '7 days';
COMMENT ON VIEW idem.difference_stuck IS 'what idem.stuck shows of differences';
REVOKE ALL ON TABLE idem.difference_stuck FROM PUBLIC;
