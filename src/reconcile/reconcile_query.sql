
-- ---------------------------------------------------------------------------
-- reconcile: the comparison of a day, as one statement
-- ---------------------------------------------------------------------------

-- Domains are what they are made of.
CREATE FUNCTION idem.column_type(relation text, "column" text, OUT type oid, OUT category "char")
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH RECURSIVE b (type) AS (
            SELECT a.atttypid FROM pg_attribute a
            WHERE a.attrelid = to_regclass(column_type.relation) AND a.attname = column_type."column"
                  AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT t.typbasetype FROM b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd')
        SELECT t.oid, t.typcategory FROM b JOIN pg_type t ON t.oid = b.type WHERE t.typtype <> 'd';
    END;
COMMENT ON FUNCTION idem.column_type(text, text) IS 'type of a column, and its category; of a domain, of what it is made of; NULL: no such column';
REVOKE ALL ON FUNCTION idem.column_type(text, text) FROM PUBLIC;

-- So that rows of one key need not be looked for: no NULL is in it, and each
-- row of the table is in the index.
CREATE FUNCTION idem.is_unique(relation text, columns text[]) RETURNS boolean
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    RETURN EXISTS (SELECT FROM pg_index i
                   JOIN pg_class c ON c.oid = i.indrelid
                   WHERE i.indrelid = to_regclass(relation) AND i.indisunique AND i.indisvalid AND i.indimmediate
                         AND i.indpred IS NULL AND i.indexprs IS NULL
                         AND (c.relkind = 'p' OR c.relkind = 'r' AND NOT c.relhassubclass)
                         AND ARRAY(SELECT a.attname::text FROM pg_attribute a
                                   WHERE a.attrelid = i.indrelid
                                         AND a.attnum = ANY ((i.indkey::smallint[])[0:i.indnkeyatts - 1])) <@ columns);
COMMENT ON FUNCTION idem.is_unique(text, text[]) IS 'does a unique index of a table see to it that there is one row of these columns?';
REVOKE ALL ON FUNCTION idem.is_unique(text, text[]) FROM PUBLIC;

-- Two days are neighbours if no business day lies between them: the same for
-- both, also over a weekend on which one side books and the other does not.
CREATE FUNCTION idem.neighbour_days(calendar text, day date, OUT neighbour date, OUT since date, OUT until date) RETURNS SETOF record
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 5
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH b (day) AS MATERIALIZED (
                SELECT g.day FROM generate_series(-60, 60) n, LATERAL (SELECT neighbour_days.day + n) g (day)
                WHERE NOT EXISTS (SELECT FROM idem.calendar_at(neighbour_days.calendar, clock_timestamp()) c
                                  WHERE idem.is_day_off(c.name, c.time_zone, c.weekend, g.day))),
            n (day, since, until) AS MATERIALIZED (
                SELECT g.day, coalesce((SELECT max(b.day) FROM b WHERE b.day < g.day), g.day - 1),
                       coalesce((SELECT min(b.day) FROM b WHERE b.day > g.day), g.day + 1)
                FROM generate_series(-40, 40) n, LATERAL (SELECT neighbour_days.day + n) g (day))
        SELECT n.day, n.since, n.until
        FROM n JOIN n m ON m.day = neighbour_days.day
        WHERE n.day BETWEEN (SELECT s.since FROM n s WHERE s.day = m.since) AND (SELECT u.until FROM n u WHERE u.day = m.until);
    END;
COMMENT ON FUNCTION idem.neighbour_days(text, date) IS
    'a day, its neighbours and theirs, each with the first and the last of its own neighbours; of a calendar, or NULL: of all days';
REVOKE ALL ON FUNCTION idem.neighbour_days(text, date) FROM PUBLIC;

CREATE FUNCTION idem.end_of_day(calendar text, day date) RETURNS timestamptz
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    RETURN coalesce((SELECT (day + c.cut) AT TIME ZONE c.time_zone FROM idem.calendar_at(calendar, clock_timestamp()) c),
                    (day + 1)::timestamp AT TIME ZONE 'UTC');
COMMENT ON FUNCTION idem.end_of_day(text, date) IS 'the cut of a calendar on a day; without a calendar midnight, UTC';
REVOKE ALL ON FUNCTION idem.end_of_day(text, date) FROM PUBLIC;

-- The first thing that is wrong with a rule, in an order in which a reader would
-- look at it.
CREATE FUNCTION idem.reconciliation_flaw(name text, OUT flaw text, OUT hint text)
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT f.flaw, f.hint
        FROM idem.reconciliation r,
             LATERAL (SELECT CASE WHEN r.net IS NOT NULL AND r.fee IS NOT NULL THEN coalesce(r.gross, r.net) ELSE r.amount END AS theirs_amount,
                             '{numeric,bigint,integer,smallint,money_micro}'::regtype[]::oid[] AS amounts) a,
             LATERAL (
                 SELECT min(format('%s has no column "%s"', n.relation, n."column")) AS missing
                 FROM (SELECT s.relation, c."column"
                       FROM unnest(ARRAY[r.ours, r.theirs]) s (relation), unnest(r.key || r.agree || r.day || r.currency) c ("column")
                       UNION ALL VALUES (r.ours, r.amount), (r.theirs, a.theirs_amount), (r.theirs, r.gross), (r.theirs, r.fee), (r.theirs, r.net),
                                        (r.complete, r.day), (r.complete, 'version'), (r.complete, 'count'), (r.complete, 'total')) n
                 WHERE n.relation IS NOT NULL AND n."column" IS NOT NULL AND idem.column_type(n.relation, n."column") IS NULL) m,
             LATERAL (VALUES
                 (1, r.name !~ '^[^[:cntrl:][:space:]]([^[:cntrl:]]*[^[:cntrl:][:space:]])?$' OR octet_length(r.name) > 200,
                  'its name is none', 'A name is 1 to 200 bytes of text without control characters and without a blank at either end.'),
                 (2, array_position(r.key || r.agree, NULL) IS NOT NULL
                     OR (SELECT count(*) <> count(DISTINCT c) FROM unnest(r.key || r.agree || r.day || r.amount) c),
                  'key, agree, day and amount name columns, each once', NULL),
                 (3, to_regclass(r.ours) IS NULL OR to_regclass(r.theirs) IS NULL OR r.complete IS NOT NULL AND to_regclass(r.complete) IS NULL,
                  format('there is no table or view %s', CASE WHEN to_regclass(r.ours) IS NULL THEN r.ours WHEN to_regclass(r.theirs) IS NULL THEN r.theirs ELSE r.complete END),
                  'If it has another name now, say so with idem.alter_reconciliation.'),
                 (4, r.group_by NOT IN ('ours', 'theirs', 'both'), format('invalid group_by "%s"', r.group_by), 'It is ''ours'', ''theirs'' or ''both''.'),
                 (5, r.signed AND r.group_by IS NOT NULL, 'signed and group_by exclude each other', 'Rows that are added up are netted, too; signed nets a payment and its return, and no two payments.'),
                 (6, num_nonnulls(r.gross, r.fee, r.net) > 0 AND (r.fee IS NULL OR r.net IS NULL), 'fee and net are given together, with or without gross', NULL),
                 (7, r.tolerance < 0 OR r.tolerance = 'NaN' OR r.tolerance = 'Infinity', 'tolerance is an amount', NULL),
                 (8, r.grace < '0' OR extract(year FROM r.grace) <> 0 OR extract(month FROM r.grace) <> 0 OR r.grace > '365000 days',
                  'grace must not be negative, and has no months', NULL),
                 (9, r.key = '{}' AND (r.grace IS NOT NULL OR r.signed OR r.group_by IS NOT NULL OR r.agree <> '{}' AND r.agree <> ARRAY['currency'] COLLATE "C"),
                  'totals only, without a key, have neither grace, signed, group_by nor columns that agree', NULL),
                 (10, r.calendar IS NOT NULL AND NOT EXISTS (SELECT FROM idem.calendar k WHERE k.name = r.calendar),
                  format('calendar "%s" does not exist', r.calendar), 'Declare it with idem.create_calendar.'),
                 (11, m.missing IS NOT NULL, m.missing, 'Both sides need the columns of key, agree, amount, day and currency; a view gives them the same names.'),
                 (12, EXISTS (SELECT FROM (VALUES (r.ours, r.amount), (r.theirs, a.theirs_amount), (r.theirs, r.gross), (r.theirs, r.fee), (r.theirs, r.net), (r.complete, 'total')) t (relation, "column")
                              WHERE t.relation IS NOT NULL AND t."column" IS NOT NULL AND ((idem.column_type(t.relation, t."column")).type = ANY (a.amounts)) IS NOT TRUE),
                  'an amount is no number that keeps its decimals', 'It is numeric, money_micro or an integer.'),
                 (13, EXISTS (SELECT FROM unnest(ARRAY[r.ours, r.theirs, r.complete]) t
                              WHERE t IS NOT NULL AND (idem.column_type(t, r.day)).type <> 'date'::regtype),
                  format('column "%s" is no date', r.day), 'A time belongs to a day by a calendar: idem.business_date(calendar, at).'),
                 (14, r.complete IS NOT NULL AND EXISTS (SELECT FROM (VALUES (r.complete, 'version'), (r.complete, 'count'), (r.theirs, 'version')) t (relation, "column")
                                                         WHERE ((idem.column_type(t.relation, t."column")).type = ANY ('{numeric,bigint,integer,smallint}'::regtype[]::oid[])) IS FALSE),
                  'version and count are numbers', NULL)
             ) f (n, wrong, flaw, hint)
        WHERE r.name = reconciliation_flaw.name AND f.wrong
        ORDER BY f.n LIMIT 1;
    END;
COMMENT ON FUNCTION idem.reconciliation_flaw(text) IS 'what is wrong with a rule as it stands in idem.reconciliation, and what to do; NULL: nothing';
REVOKE ALL ON FUNCTION idem.reconciliation_flaw(text) FROM PUBLIC;

-- How a column is compared: text by its bytes, so that no two collations meet;
-- what has no order as text.
CREATE FUNCTION idem.compared(ours text, theirs text, "column" text, is_key boolean) RETURNS text
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT format(CASE WHEN o.category = 'S' AND t.category = 'S'
                           THEN CASE WHEN is_key THEN 'nullif(s.%I::text COLLATE "C", '''')' ELSE 's.%I::text COLLATE "C"' END
                           WHEN is_key THEN CASE 'numeric'::regtype WHEN o.type THEN 'trim_scale(s.%I::numeric)' WHEN t.type THEN 'trim_scale(s.%I::numeric)' ELSE 's.%I' END
                           WHEN (SELECT count(*) FROM pg_proc p WHERE p.proname = 'min' AND p.prokind = 'a' AND p.pronamespace = 'pg_catalog'::regnamespace
                                        AND p.proargtypes[0] IN (o.type, t.type)) < CASE WHEN o.type = t.type THEN 1 ELSE 2 END THEN 's.%I::text COLLATE "C"'
                           ELSE 's.%I' END, compared."column")
        FROM idem.column_type(compared.ours, compared."column") o, idem.column_type(compared.theirs, compared."column") t;
    END;
COMMENT ON FUNCTION idem.compared(text, text, text, boolean) IS 'the expression by which a column s.column of both sides is compared';
REVOKE ALL ON FUNCTION idem.compared(text, text, text, boolean) FROM PUBLIC;

-- A statement whose rows are what a day of a rule has: one a key, of which d is
-- NULL where both sides agree, {"kind":"tolerated"}, and otherwise the kind, the
-- key and what both sides hold, or of kind file what the file of theirs
-- declares.  Rows without a key are one or several, and those that agree may be
-- one: keys says of how many.  idem_reconcile_compare() sums them.
--
--	o, t	a row a key of each side: k1.. its key, c currency, a amount, n rows
--			(of a side that is not grouped: not NULL), m rows of one sign, f1..
--			what has to agree, x, x1.. whether rows that were added up disagree
--			in it, ok whether net and fee make the gross
--	j, f	both together; with grace, one row for all that agree
--	w, e, p	of the keys that one side lacks: what both have on days around, what
--			of that has no counterpart on its own day, and pairs of it
--
-- Numbers that are infinite, or none, are equal to themselves: they are looked
-- for if strict, which is asked for where the sum of what agrees is not finite.
--
-- A key is compared with the first and the last value of a column, so that no
-- row is looked at again; where a unique index says that there is one row a
-- key, it is not grouped.  Shown by sql/reconcile_group.sql and
-- sql/reconcile_day.sql.
CREATE FUNCTION idem.reconciliation_query(name text, day date, strict boolean DEFAULT false) RETURNS text
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO'
    BEGIN ATOMIC
        WITH r AS (
            SELECT r.*, r.key = '{}' AS totals,
                   coalesce(r.currency, CASE WHEN 'currency' = ANY (r.agree) THEN 'currency' END) AS cur,
                   r.complete IS NOT NULL AND idem.column_type(r.theirs, 'version') IS NOT NULL AS versions,
                   r.fee IS NOT NULL AS fees,
                   format('s.%I', r.day) AS s_day
            FROM idem.reconciliation r WHERE r.name = reconciliation_query.name),
        k AS ( -- keys: definition, list, join, is one of them missing, as jsonb
            SELECT string_agg(format('%s AS k%s', idem.compared(r.ours, r.theirs, c, true), n), ', ' ORDER BY n) AS define,
                   -- the same with an empty text as it is, which must not meet another
                   string_agg(format('%s AS k%s', idem.compared(r.ours, r.theirs, c, NOT x.is_text), n), ', ' ORDER BY n) AS plain,
                   coalesce(string_agg(format(' AND o.k%s <> ''''', n), '' ORDER BY n) FILTER (WHERE x.is_text), '') AS filled,
                   string_agg(format('k%s', n), ', ' ORDER BY n) AS list,
                   string_agg(format('o.k%1$s = t.k%1$s', n), ' AND ' ORDER BY n) AS "join",
                   string_agg(format('k%s IS NULL', n), ' OR ' ORDER BY n) AS missing,
                   string_agg(format('%s IS NULL', x.either), ' OR ' ORDER BY n) AS unidentified,
                   string_agg(format('%L, %s', c, x.either), ', ' ORDER BY n) AS both,
                   string_agg(format('%L, k%s', c, n), ', ' ORDER BY n) AS one,
                   string_agg(format('(f.d->''key''->>%L)::%s AS k%s', c,
                                     CASE WHEN x.is_text THEN 'text'
                                          WHEN 'numeric'::regtype IN (o.type, t.type) THEN 'numeric' ELSE format_type(o.type, NULL) END, n), ', ' ORDER BY n) AS again
            FROM r, unnest(r.key) WITH ORDINALITY u (c, n), idem.column_type(r.ours, c) o, idem.column_type(r.theirs, c) t,
                 LATERAL (SELECT o.category = 'S' AND t.category = 'S' AS is_text) i,
                 LATERAL (SELECT i.is_text, format(CASE WHEN i.is_text THEN 'nullif(coalesce(o.k%1$s, t.k%1$s), '''')' ELSE 'coalesce(o.k%1$s, t.k%1$s)' END, n) AS either) x),
        g AS ( -- what has to agree
            SELECT coalesce(string_agg(format(', %s AS f%s', idem.compared(r.ours, r.theirs, c, false), n), '' ORDER BY n), '') AS define,
                   coalesce(string_agg(format(', f%s', n), '' ORDER BY n), '') AS list,
                   coalesce(string_agg(format(', min(f%1$s) AS f%1$s', n), '' ORDER BY n), '') AS one,
                   coalesce(string_agg(format(', min(f%1$s) IS DISTINCT FROM max(f%1$s) OR count(f%1$s) NOT IN (0, count(*)) AS x%1$s', n), '' ORDER BY n), '') AS mixed,
                   coalesce(string_agg(format(' AND o.f%1$s IS NOT DISTINCT FROM t.f%1$s', n), '' ORDER BY n), '') AS same,
                   coalesce(string_agg(format(' AND NOT o.x%s', n), '' ORDER BY n), '') AS ours_same,
                   coalesce(string_agg(format(' AND NOT t.x%s', n), '' ORDER BY n), '') AS theirs_same,
                   coalesce(string_agg(format(', %L, o.f%s', c, n), '' ORDER BY n), '') AS ours,
                   coalesce(string_agg(format(', %L, t.f%s', c, n), '' ORDER BY n), '') AS theirs,
                   coalesce(string_agg(format(', %L, min(f%s)', c, n), '' ORDER BY n), '') AS around
            FROM r, unnest(r.agree) WITH ORDINALITY u (c, n) WHERE c IS DISTINCT FROM r.cur),
        s AS ( -- the two sides
            SELECT i.is_ours, i.side, i.relation, coalesce(i.in_group, false) OR r.totals AS sums,
                   NOT r.totals AND idem.is_unique(i.relation, r.key || r.day || CASE WHEN r.versions AND NOT i.is_ours THEN 'version' END) AS is_raw,
                   format('%s AS c, %s AS a%s%s, %s AS day FROM %s s WHERE ',
                          CASE WHEN r.cur IS NULL THEN 'NULL::text' ELSE format('s.%I::text COLLATE "C"', r.cur) END,
                          CASE WHEN i.is_ours OR NOT r.fees THEN format('s.%I', r.amount)
                               WHEN r.gross IS NOT NULL THEN format('s.%I', r.gross)
                               ELSE format('s.%I + s.%I', r.net, r.fee) END
                          || CASE WHEN o.type <> t.type THEN '::numeric' ELSE '' END,
                          g.define,
                          CASE WHEN i.is_ours OR NOT r.fees THEN ''
                               ELSE format(', s.%I AS fee, %s AS ok', r.fee,
                                           CASE WHEN r.gross IS NULL THEN format('s.%I IS NOT NULL', r.net)
                                                ELSE format('(s.%I = s.%I + s.%I) IS TRUE', r.gross, r.net, r.fee) END) END,
                          r.s_day, i.relation) AS rest,
                   o.type <> t.type OR o.type = 'numeric'::regtype AS decimals
            FROM r, k, g, idem.column_type(r.ours, r.amount) o,
                 idem.column_type(r.theirs, CASE WHEN r.fees THEN coalesce(r.gross, r.net) ELSE r.amount END) t,
                 LATERAL (VALUES (true, 'ours', r.ours, r.group_by IN ('ours', 'both')),
                                 (false, 'theirs', r.theirs, r.group_by IN ('theirs', 'both'))) i (is_ours, side, relation, in_group)),
        q AS ( -- a side as a query of one row a key
            SELECT s.is_ours, s.sums, s.is_raw, e.source, s.decimals,
                   CASE WHEN s.is_raw THEN 'SELECT ' || k.plain || ', ' || s.rest ELSE e.source END || h.here AS rows,
                   format(CASE WHEN s.is_raw THEN 'CASE WHEN %s.n IS NULL THEN 0::bigint ELSE 1::bigint END' ELSE 'coalesce(%s.n, 0)' END, i.alias) AS lines,
                   CASE WHEN s.is_raw THEN '1' ELSE i.alias || '.m' END AS most,
                   NOT s.is_raw AND NOT s.sums AS many, NOT s.is_raw AND (s.sums AND NOT r.totals OR r.signed) AS mixes,
                   CASE WHEN s.is_ours OR NOT r.versions THEN ''
                        ELSE format(' AND (%s, s.version) IN (SELECT v.%I, max(v.version) FROM %s v GROUP BY 1)', r.s_day, r.day, r.complete) END AS newest,
                   CASE WHEN s.is_raw THEN 'SELECT ' || k.list || ', c, a, day AS n' || g.list || x.fee
                        ELSE format('SELECT %smin(c) AS c, sum(a) AS a, count(*) AS n, %s AS m%s%s%s', k.list || ', ',
                                    CASE WHEN s.sums THEN '1' WHEN r.signed THEN 'greatest(count(*) FILTER (WHERE a > 0), count(*) - count(*) FILTER (WHERE a > 0))' ELSE 'count(*)' END,
                                    g.one,
                                    CASE WHEN s.sums AND NOT r.totals OR r.signed THEN ', min(c) IS DISTINCT FROM max(c) OR count(c) NOT IN (0, count(*)) AS x' || g.mixed ELSE '' END,
                                    CASE WHEN x.fee = '' THEN '' ELSE ', sum(fee) AS fee, bool_and(ok) AS ok' END) END AS columns,
                   CASE WHEN r.totals THEN ' GROUP BY c HAVING count(*) > 0'
                        WHEN s.is_raw THEN ''
                        ELSE format(' GROUP BY %s, CASE WHEN %s THEN jsonb_build_array(trim_scale(a::numeric), c%s)::text END', k.list, k.missing, g.list) END AS "group"
            FROM r, k, g, s,
                 LATERAL (SELECT 'SELECT ' || coalesce(k.define || ', ', '') || s.rest) e (source),
                 LATERAL (SELECT format('%s = %L', r.s_day, reconciliation_query.day)
                                 || CASE WHEN s.is_ours OR NOT r.versions THEN ''
                                         ELSE format(' AND s.version = (SELECT max(v.version) FROM %s v WHERE v.%I = %L)', r.complete, r.day, reconciliation_query.day) END) h (here),
                 LATERAL (SELECT CASE WHEN s.is_ours THEN 'o' ELSE 't' END) i (alias),
                 LATERAL (SELECT CASE WHEN s.is_ours OR NOT r.fees THEN '' ELSE ', fee, ok' END) x (fee)),
        m AS ( -- what makes a pair agree
            SELECT CASE WHEN o.many THEN ' AND o.m = 1' ELSE '' END || CASE WHEN t.many THEN ' AND t.m = 1' ELSE '' END
                   || CASE WHEN r.cur IS NULL OR r.totals THEN '' ELSE ' AND o.c IS NOT DISTINCT FROM t.c' END
                   || CASE WHEN o.mixes THEN ' AND NOT o.x' || g.ours_same ELSE '' END || CASE WHEN t.mixes THEN ' AND NOT t.x' || g.theirs_same ELSE '' END
                   || CASE WHEN r.fees THEN ' AND t.ok' ELSE '' END || g.same AS same,
                   'o.a = t.a' || CASE WHEN o.decimals AND strict THEN e.finite ELSE '' END AS agrees,
                   'o.a = t.a' || CASE WHEN o.decimals THEN e.finite ELSE '' END AS exact,
                   CASE WHEN r.tolerance > 0 THEN format('abs(o.a::numeric - t.a::numeric) <= %L::numeric', r.tolerance) END AS near,
                   CASE WHEN r.cur IS NULL OR r.totals THEN 'NULL::text'
                        ELSE format('CASE WHEN o.c IS DISTINCT FROM t.c%s%s THEN %L END', CASE WHEN o.mixes THEN ' OR o.x' ELSE '' END,
                                    CASE WHEN t.mixes THEN ' OR t.x' ELSE '' END, r.cur) END
                   || CASE WHEN r.fees THEN format(', CASE WHEN NOT t.ok THEN %L END', r.net) ELSE '' END
                   || coalesce((SELECT string_agg(format(', CASE WHEN o.f%1$s IS DISTINCT FROM t.f%1$s%2$s%3$s THEN %4$L END', n, CASE WHEN o.mixes THEN format(' OR o.x%s', n) ELSE '' END,
                                                         CASE WHEN t.mixes THEN format(' OR t.x%s', n) ELSE '' END, c), '' ORDER BY n)
                                FROM unnest(r.agree) WITH ORDINALITY u (c, n) WHERE c IS DISTINCT FROM r.cur), '') AS differ
            FROM r, g, q o, q t, (VALUES (' AND o.a < ''Infinity'' AND o.a > ''-Infinity''')) e (finite)
            WHERE o.is_ours AND NOT t.is_ours),
        b AS (
            SELECT format($q$
o AS (%s FROM (%s) s%s),
t AS (%s FROM (%s) s%s),
j AS (
SELECT coalesce(o.c, t.c) AS c,
       CASE WHEN %s%s THEN NULL%s
            ELSE jsonb_build_object('kind', CASE WHEN %s THEN 'unidentified'
                                                 WHEN t.n IS NULL THEN 'missing_theirs'
                                                 WHEN o.n IS NULL THEN 'missing_ours'%s
                                                 WHEN %s THEN 'fields' ELSE 'amount' END,
                     'key', CASE WHEN %s THEN jsonb_strip_nulls(jsonb_build_object(%s)) || CASE WHEN t.n IS NULL THEN %s ELSE %s END
                                                       || jsonb_build_object('side', CASE WHEN t.n IS NULL THEN 'ours' ELSE 'theirs' END,
                                                                             'amount', trim_scale(coalesce(o.a, t.a)::numeric / (%s + %s)))
                                 ELSE jsonb_build_object(%s) END,
                     'ours', CASE WHEN o.n IS NOT NULL THEN %s END, 'theirs', CASE WHEN t.n IS NOT NULL THEN %s END,
                     'fields', CASE WHEN o.n IS NOT NULL AND t.n IS NOT NULL THEN to_jsonb(array_remove(ARRAY[%s], NULL)) ELSE '[]' END,
                     'theirs_currency', t.c) END AS d,
       %s AS ours_lines, %s AS theirs_lines, o.a::numeric AS ours, t.a::numeric AS theirs, %s::numeric AS fee
FROM o FULL JOIN t ON %s),
f AS %s$q$,
                          o.columns, o.rows, o."group",
                          t.columns, t.rows, t."group",
                          m.agrees, m.same, CASE WHEN m.near IS NULL THEN '' ELSE format(' WHEN %s%s THEN ''{"kind":"tolerated"}''', m.near, m.same) END,
                          u.is,
                          CASE WHEN o.many OR t.many THEN format($q$
                                                 WHEN %1$s > 1 AND %1$s >= %2$s THEN 'duplicate_ours'
                                                 WHEN %2$s > 1 THEN 'duplicate_theirs'$q$, o.most, t.most) ELSE '' END,
                          CASE WHEN r.fees THEN 't.ok AND ' ELSE '' END || coalesce(m.near, m.exact),
                          u.is, coalesce(k.both, ''), v.ours, v.theirs, o.lines, t.lines,
                          coalesce(k.both, CASE WHEN r.cur IS NOT NULL THEN format('%L, coalesce(o.c, t.c)', r.cur) END, ''),
                          v.ours, v.theirs, m.differ,
                          o.lines, t.lines, CASE WHEN r.fees THEN 't.fee' ELSE 'NULL' END,
                          coalesce(k."join" || CASE WHEN o.is_raw AND t.is_raw THEN k.filled ELSE '' END, 'coalesce(o.c, '''') = coalesce(t.c, '''')'),
                          CASE WHEN r.grace IS NULL THEN '(SELECT j.*, 1::bigint AS keys FROM j)'
                               ELSE $q$MATERIALIZED (
SELECT c, d, sum(ours_lines)::bigint AS ours_lines, sum(theirs_lines)::bigint AS theirs_lines, sum(ours) AS ours, sum(theirs) AS theirs, sum(fee) AS fee, count(*) AS keys
FROM j GROUP BY c, d)$q$ END) AS compared,
                   v.*, o.source AS ours_source, t.source AS theirs_source, t.newest, o.sums::text AS ours_sums, t.sums::text AS theirs_sums
            FROM r, k, g, m, q o, q t,
                 LATERAL (SELECT coalesce(k.unidentified, 'false')) u ("is"),
                 LATERAL (SELECT format('jsonb_build_object(%s)', substr(CASE WHEN r.cur IS NULL THEN '' ELSE format(', %L, o.c', r.cur) END || g.ours, 3)),
                                 format('jsonb_build_object(%s)', substr(CASE WHEN r.cur IS NULL THEN '' ELSE format(', %L, t.c', r.cur) END || g.theirs, 3)),
                                 format('jsonb_build_object(%s)', substr(CASE WHEN r.cur IS NULL THEN '' ELSE format(', %L, min(c)', r.cur) END || g.around, 3))) v (ours, theirs, around)
            WHERE o.is_ours AND NOT t.is_ours),
        p AS ( -- pairs on neighbouring days
            SELECT format($q$,
l AS MATERIALIZED (
SELECT f.d->>'kind' = 'missing_theirs' AS is_ours, f.d->'key' AS key, f.c, coalesce(f.ours, f.theirs) AS a,
       coalesce(f.ours_lines, 0) + coalesce(f.theirs_lines, 0) AS n,
       CASE f.d->>'kind' WHEN 'missing_theirs' THEN f.d->'ours' ELSE f.d->'theirs' END AS v, %1$s
FROM f WHERE f.d->>'kind' IN ('missing_theirs', 'missing_ours')),
w AS MATERIALIZED (
SELECT true AS is_ours, s.day, jsonb_build_object(%2$s) AS key, min(c) AS c, sum(a)::numeric AS a, CASE WHEN %3$s THEN 1 ELSE count(*) END AS n, %4$s AS v
FROM (%5$s%6$s) s WHERE (%7$s) IN (SELECT %7$s FROM l) GROUP BY s.day, %7$s
UNION ALL
SELECT false, s.day, jsonb_build_object(%2$s), min(c), sum(a)::numeric, CASE WHEN %8$s THEN 1 ELSE count(*) END, %4$s
FROM (%9$s%6$s%10$s) s WHERE (%7$s) IN (SELECT %7$s FROM l) GROUP BY s.day, %7$s),
e AS (
SELECT x.* FROM (SELECT is_ours, %11$L::date AS day, key, c, a, CASE WHEN CASE WHEN is_ours THEN %3$s ELSE %8$s END THEN 1 ELSE n END AS n, v FROM l
                 UNION ALL SELECT * FROM w) x
WHERE x.n = 1 AND NOT EXISTS (SELECT FROM w y WHERE y.key = x.key AND y.day = x.day AND y.is_ours <> x.is_ours)),
p AS (
SELECT o.key, o.day AS ours_day, t.day AS theirs_day, t.a AS theirs, t.c AS theirs_currency, t.v AS theirs_values, z.fields, abs(o.a - t.a) <= %12$L AS near,
       count(*) OVER (PARTITION BY o.key, o.day) AS for_ours, count(*) OVER (PARTITION BY t.key, t.day) AS for_theirs
FROM e o JOIN e t ON t.key = o.key AND o.is_ours AND NOT t.is_ours
JOIN (VALUES %13$s) d (day, since, until) ON d.day = o.day AND t.day BETWEEN d.since AND d.until,
     LATERAL (SELECT coalesce(jsonb_agg(i.key ORDER BY i.key) FILTER (WHERE i.value IS DISTINCT FROM t.v->i.key), '[]') FROM jsonb_each(o.v) i) z (fields))$q$,
                          k.again, k.one, b.ours_sums, b.around,
                          b.ours_source, format('%s BETWEEN %L AND %L AND %1$s <> %4$L', r.s_day, n.since, n.until, reconciliation_query.day),
                          k.list, b.theirs_sums, b.theirs_source, b.newest,
                          reconciliation_query.day, r.tolerance, n.days) AS around
            FROM r, k, b,
                 LATERAL (SELECT min(d.neighbour), max(d.neighbour), coalesce(string_agg(format('(%L::date, %L::date, %L::date)', d.neighbour, d.since, d.until), ', '), '(NULL::date, NULL::date, NULL::date)')
                          FROM idem.neighbour_days(r.calendar, reconciliation_query.day) d) n (since, until, days)
            WHERE r.grace IS NOT NULL)
        SELECT format($q$WITH%s%s
SELECT f.c::text AS currency, %s AS d, f.keys, f.ours_lines, f.theirs_lines, f.ours, f.theirs, f.fee
FROM f%s%s$q$,
                      b.compared, coalesce(p.around, ''),
                      CASE WHEN p.around IS NULL THEN 'f.d'
                           ELSE format($q$CASE WHEN p.key IS NULL THEN f.d
            WHEN p.ours_day <> %1$L THEN f.d || jsonb_build_object('kind', 'other_day', 'other_day', p.ours_day, 'counted', true)
            ELSE f.d || jsonb_build_object('kind', CASE WHEN NOT p.near THEN 'amount' WHEN p.fields <> '[]' THEN 'fields' ELSE 'other_day' END,
                                           'other_day', p.theirs_day, 'fields', p.fields, 'theirs', p.theirs_values,
                                           'theirs_amount', p.theirs, 'theirs_currency', p.theirs_currency) END$q$, reconciliation_query.day) END,
                      CASE WHEN p.around IS NULL THEN ''
                           ELSE format($q$ LEFT JOIN p ON p.key = f.d->'key' AND f.d->>'kind' IN ('missing_theirs', 'missing_ours') AND p.for_ours = 1 AND p.for_theirs = 1
            AND CASE f.d->>'kind' WHEN 'missing_theirs' THEN p.ours_day ELSE p.theirs_day END = %L$q$, reconciliation_query.day) END,
                      CASE WHEN r.complete IS NULL THEN ''
                           ELSE format($q$
UNION ALL
SELECT %1$s, jsonb_build_object('kind', 'file', 'version', v.version), sum(v.count)::bigint, 0, 0, 0, sum(v.total)::numeric, 0
FROM %2$s v WHERE v.%3$I = %4$L AND v.version = (SELECT max(v.version) FROM %2$s v WHERE v.%3$I = %4$L)
GROUP BY 1, v.version$q$, CASE WHEN idem.column_type(r.complete, r.cur) IS NULL THEN 'NULL::text' ELSE format('v.%I::text COLLATE "C"', r.cur) END,
                                       r.complete, r.day, reconciliation_query.day) END)
        FROM r, b LEFT JOIN p ON true;
    END;
COMMENT ON FUNCTION idem.reconciliation_query(text, date, boolean) IS 'the comparison of a day by a rule, as the text of one statement; strict: amounts that are no numbers agree with nothing; for idem.reconcile';
REVOKE ALL ON FUNCTION idem.reconciliation_query(text, date, boolean) FROM PUBLIC;
