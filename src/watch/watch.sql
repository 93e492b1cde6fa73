-- ---------------------------------------------------------------------------
-- watch: counts and ages, for those who watch
-- ---------------------------------------------------------------------------

-- Programs that count read views named stat_*: numbers and times, and names of
-- tables, scopes and states; never a key, a request or a response.  Nothing
-- here is C: what looks into tables of users does so in their rooms, as the
-- owner of each table; what only the owner of the extension may read is counted
-- by functions that run as that owner, and take no argument.  Tables are named
-- in full, as text, so that a series has one name whatever the search path.
--
-- Shown by sql/watch.sql and test/isolation/specs/machine_within.spec.
--

CREATE FUNCTION idem.count_states(
        OUT relation text, OUT state_column name, OUT state text,
        OUT rows bigint, OUT oldest timestamptz, OUT overdue bigint,
        OUT unread boolean)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$SELECT s.relation::text, s.state_column, s.state, s.rows, s.oldest, s.overdue, s.unread IS NOT NULL FROM idem.state_counts() s$$;
COMMENT ON FUNCTION idem.count_states() IS 'what idem.stat_states shows';
REVOKE ALL ON FUNCTION idem.count_states() FROM PUBLIC;

CREATE VIEW idem.stat_states AS
SELECT s.relation, s.state_column, s.state, s.rows, s.oldest, s.overdue, s.unread
FROM idem.count_states() s;
COMMENT ON VIEW idem.stat_states IS 'how many rows stand in each state that is not final, of tables under idem.guard_states';
COMMENT ON COLUMN idem.stat_states.relation IS 'the table, with its schema';
COMMENT ON COLUMN idem.stat_states.state_column IS 'the guarded column';
COMMENT ON COLUMN idem.stat_states.state IS 'the state; NULL: the table could not be read';
COMMENT ON COLUMN idem.stat_states.rows IS 'how many rows';
COMMENT ON COLUMN idem.stat_states.oldest IS 'since when the first of them stands there; NULL: none, or the state has no time in within';
COMMENT ON COLUMN idem.stat_states.overdue IS 'how many of them should have gone on by now; NULL: the state has no time in within';
COMMENT ON COLUMN idem.stat_states.unread IS 'true: the table could not be read';
REVOKE ALL ON TABLE idem.stat_states FROM PUBLIC;

CREATE FUNCTION idem.count_overdue(
        OUT what text, OUT relation text, OUT state text,
        OUT rows bigint, OUT oldest timestamptz, OUT unread boolean)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
SELECT s.what, s.relation::text, s.state, count(*) FILTER (WHERE s.unread IS NULL), min(coalesce(s.since, s.due)), s.unread IS NOT NULL
FROM idem.stuck_rows() s
GROUP BY s.what, s.relation::text, s.state, s.unread IS NOT NULL
$$;
COMMENT ON FUNCTION idem.count_overdue() IS 'what idem.stat_overdue shows';
REVOKE ALL ON FUNCTION idem.count_overdue() FROM PUBLIC;

CREATE VIEW idem.stat_overdue AS
SELECT s.what, s.relation, s.state, s.rows, s.oldest, s.unread
FROM idem.count_overdue() s;
COMMENT ON VIEW idem.stat_overdue IS 'how many rows should have gone on by now, a row for each rule, table and state; idem.stuck has the rows';
COMMENT ON COLUMN idem.stat_overdue.what IS 'as in idem.stuck';
COMMENT ON COLUMN idem.stat_overdue.relation IS 'the table, with its schema';
COMMENT ON COLUMN idem.stat_overdue.state IS 'as in idem.stuck';
COMMENT ON COLUMN idem.stat_overdue.rows IS 'how many rows';
COMMENT ON COLUMN idem.stat_overdue.oldest IS 'since when the first of them stands there, or of a hold: when it lapsed';
COMMENT ON COLUMN idem.stat_overdue.unread IS 'true: the table could not be read, and nobody knows';
REVOKE ALL ON TABLE idem.stat_overdue FROM PUBLIC;

-- Reads every guarded table, as the doctor does.
CREATE FUNCTION idem.count_findings(OUT severity text, OUT findings bigint)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
SELECT v.severity, count(d.severity)
FROM (VALUES ('error'), ('warning'), ('notice')) v (severity)
LEFT JOIN idem.doctor() d ON d.severity = v.severity
GROUP BY v.severity
$$;
COMMENT ON FUNCTION idem.count_findings() IS 'what idem.stat_findings shows';
REVOKE ALL ON FUNCTION idem.count_findings() FROM PUBLIC;

CREATE VIEW idem.stat_findings AS
SELECT f.severity, f.findings FROM idem.count_findings() f;
COMMENT ON VIEW idem.stat_findings IS 'how much idem.doctor() finds wrong, a row for each severity; reads every guarded table, and so is for once an hour';
COMMENT ON COLUMN idem.stat_findings.severity IS 'error, warning or notice';
COMMENT ON COLUMN idem.stat_findings.findings IS 'how many findings; 0: none';
REVOKE ALL ON TABLE idem.stat_findings FROM PUBLIC;

-- The catalog and the change log only
CREATE FUNCTION idem.count_guards(OUT kind text, OUT guards bigint, OUT broken bigint)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
SELECT g.kind, count(*), count(*) FILTER (WHERE NOT g.intact)
FROM (SELECT k.kind, k.intact FROM idem.guards k
      UNION ALL
      SELECT m.kind, false FROM idem.guards_missing m) g
GROUP BY g.kind
$$;
COMMENT ON FUNCTION idem.count_guards() IS 'what idem.stat_guards shows';
REVOKE ALL ON FUNCTION idem.count_guards() FROM PUBLIC;

CREATE VIEW idem.stat_guards AS
SELECT g.kind, g.guards, g.broken FROM idem.count_guards() g;
COMMENT ON VIEW idem.stat_guards IS 'how many guards there are of each kind, and how many do not guard';
COMMENT ON COLUMN idem.stat_guards.kind IS 'the kind, as in idem.guards';
COMMENT ON COLUMN idem.stat_guards.guards IS 'how many there are, those that were declared and are gone included';
COMMENT ON COLUMN idem.stat_guards.broken IS 'how many of them are not intact, or gone';
REVOKE ALL ON TABLE idem.stat_guards FROM PUBLIC;

CREATE FUNCTION idem.count_excess(OUT relation text, OUT currency text, OUT rows bigint, OUT amount numeric)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
SELECT e.relation::text, c.code, sum(e.rows)::bigint, sum(e.amount)
FROM (SELECT DISTINCT x.relation, x.excess_column, x.currency, x.rows, x.amount FROM idem.limit_excess() x) e
LEFT JOIN idem.currency c ON c.code = e.currency
GROUP BY e.relation::text, c.code
$$;
COMMENT ON FUNCTION idem.count_excess() IS 'what idem.stat_excess shows';
REVOKE ALL ON FUNCTION idem.count_excess() FROM PUBLIC;

CREATE VIEW idem.stat_excess AS
SELECT e.relation, e.currency, e.rows, e.amount FROM idem.count_excess() e;
COMMENT ON VIEW idem.stat_excess IS 'parents of which more went back than came in, as facts said, a row for each table and currency';
COMMENT ON COLUMN idem.stat_excess.relation IS 'the parent table of the limit, with its schema';
COMMENT ON COLUMN idem.stat_excess.currency IS 'the currency, where the limit holds parent and child to one (same => ''{"currency":"currency"}''); NULL: not known';
COMMENT ON COLUMN idem.stat_excess.rows IS 'how many parents';
COMMENT ON COLUMN idem.stat_excess.amount IS 'how much beyond their caps';
REVOKE ALL ON TABLE idem.stat_excess FROM PUBLIC;
