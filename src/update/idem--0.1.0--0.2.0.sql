/* idem: from 0.1.0 to 0.2.0 */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION idem UPDATE TO '0.2.0'" to load this file. \quit

-- units of bitcoin, rates in millionths, and receipts of what has a key already
CREATE OR REPLACE VIEW idem.schema_names AS SELECT
    -- tables
    '(^|_)(history|histories|audits?|logs?|versions?|archived?|backup|tmp|staging|snapshots?)$' AS copy_table,
    '(^|_)events?$' AS event_table,
    '(^|_)(payment|refund|reversal|transfer|transaction|payout|withdrawal|deposit|charge|chargeback|capture|order|invoice|settlement|dispute|checkout|debit|credit|adjustment)s?$' AS payment_table,
    -- amounts: what they are, what it is instead when the name ends or begins so
    '(^|_)(amount|amt|price|total|balance|fee|cost|paid|refunded|captured|authorized|charged|'
    'debit|credit|payout|tax|vat|discount|surcharge|tip|fare|principal|proceed|revenue)(e?s)?(_|$)' AS amount,
    '(^|_)(id[0-9]*|at|on|by|type|kind|count|counts|rate|rates|percent|percentage|pct|ppm|bps|code|name|currency|status|state|'
    'number|no|date|time|lock|key|method|category|class|model|items|quantity|qty|usage|units|attempts|requests|records|pages|days|seconds|bytes|'
    'enabled|allowed|included|uuid|reason|mode|index|score|weight|priority|terms?|account|list|center|centre|group|tier|book|set)$'
    '|(^|_)version(_|$)|^(is|has|can|include|includes|max_number|num|nb|number)_' AS no_amount,
    '(^|_)(cents?|minor|micros?|millis?|nanos?|pence|fen|units|points?|satoshis?|m?sats?|wei|subunits?)(_|$)' AS unit,
    '(^|_)(currency|ccy|iso_?code|asset|asset_code)(_|$)' AS currency,
    -- statuses, but for those of an address and of another row or time
    '(^|_)(status|state)$' AS status,
    '(^|_)(address|billing|shipping|ship|country|us|home|province)_state$'
    '|^(initial|source|previous|prev|old|new|next|from|to|target)_' AS no_status,
    '^(city|town|zip|zip_?code|postal_?code|country|country_code|address_?line_?1|address1)$' AS address,
    -- keys, wherever they stand
    '^(.*_)?idem(poten(cy|ce|t))?_?(key|token|id)$|^out_?(trade|refund|request|order)_?no$|^request_?(no|num|number|uuid|key|token)$|^(uuid|guid)$' AS key,
    -- keys, but of a piece of goods where there are quantities
    '^serial_?(no|num|number)$' AS serial,
    '(^|_)(qty|quantity)$' AS quantity,
    -- keys, in a table about money
    '^(merchant_|external_|provider_|psp_|gateway_|processor_|channel_|bank_|client_)?(order|trade|refund|payment|transaction|txn|charge|capture|transfer|payout|invoice|voucher|reference|connector_transaction|inv)_?(no|num|number|sn|uuid|ref|reference|external_key)$'
    '|^(.*_)?(external|remote)_(id|key|ref|reference)$'
    '|^(.*_)?(external|client|merchant|provider|psp|gateway|processor|bank|channel|connector|stripe|paypal|adyen|braintree|alipay|wechat)_(key|ref|reference|(transaction|payment|payment_intent|refund|charge|order|payout|transfer)_?(id|key|ref|reference))$'
    '|^request_id$|^(message|msg|event)_?(id|key|uuid)$|^(.*_)?external_key$' AS money_key,
    '(^|_)(customer|account|user|owner|buyer|seller|store|shop|company|product|item|plan|wallet|subscription)_(external|remote)_' AS no_key,
    -- what the row of a payment table itself is called
    '^(receipt_?)?(number|no|identifier)$' AS own_key;

-- reconcile: one row a key, which the library sums; a row without a key has its side last
CREATE OR REPLACE FUNCTION idem.reconciliation_query(name text, day date, strict boolean DEFAULT false) RETURNS text
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
COMMENT ON FUNCTION idem.reconcile(text, date) IS
    'compares the two records of a day, and keeps what differs in idem.differences: new ones, those that are still there, those that healed. Called again it finds the same.
Out: a row a kind and currency: how many keys, and the sums of both sides; open: how many of them wait for somebody. The sums of all rows are those of the day. kind incomplete: the file of theirs is not there as declared; the day was not judged, detail says why, and nothing was changed.
Errors: 22004 null; 22023 a day that is not of the years 1 to 9999; 42704 unknown; 42501 a side that the owner of the rule may not read, or may not read whole; 25006 on a standby or in a read-only transaction, and for a view that writes; what else the two sides raise.
Locks: the row of the rule: a second run of it waits; ACCESS SHARE on both sides. Both are read with one snapshot, taken when the lock is held.';
-- The doctor's.  A publication and a subscription name tables; what is not named
-- is not there when the other server takes over, and nothing tells then.
CREATE VIEW idem.publication_problems AS
WITH carried (object, name, part, remedy) AS (
    SELECT pg_catalog.format('publication %I', p.pubname), t.tablename,
           NOT (p.pubinsert AND p.pubupdate AND p.pubdelete) OR t.rowfilter IS NOT NULL
           OR EXISTS (SELECT FROM pg_catalog.pg_attribute a
                      WHERE a.attrelid = pg_catalog.format('idem.%I', t.tablename)::regclass AND a.attnum > 0
                            AND NOT a.attisdropped AND a.attname <> ALL (t.attnames)),
           pg_catalog.format('ALTER PUBLICATION %I ADD TABLE ', p.pubname)
    FROM pg_catalog.pg_publication p
    JOIN pg_catalog.pg_publication_tables t ON t.pubname = p.pubname AND t.schemaname = 'idem'
    UNION ALL
    SELECT pg_catalog.format('subscription %I', s.subname), c.relname, false,
           pg_catalog.format('put into its publications, then ALTER SUBSCRIPTION %I REFRESH PUBLICATION: ', s.subname)
    FROM pg_catalog.pg_subscription s
    JOIN pg_catalog.pg_database d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database()
    JOIN pg_catalog.pg_subscription_rel r ON r.srsubid = s.oid
    JOIN pg_catalog.pg_class c ON c.oid = r.srrelid AND c.relnamespace = 'idem'::regnamespace
), claims (name) AS (
    SELECT pg_catalog.unnest('{scope,anchor,reservation,attempt,sighting,suspect,evidence,late_result}'::name[])
), of_claims AS (
    SELECT object, pg_catalog.min(remedy) AS remedy, pg_catalog.array_agg(name) AS names,
           pg_catalog.string_agg('idem.' || name, ', ' ORDER BY name) FILTER (WHERE part) AS parts
    FROM carried JOIN claims USING (name)
    GROUP BY object
)
SELECT 'warning' AS severity, o.object,
       pg_catalog.format('carries tables of claims, and not %s: a server that takes over with them does not know all that was granted and sent', l.lacking) AS finding,
       o.remedy || l.lacking AS remedy
FROM of_claims o,
     LATERAL (SELECT pg_catalog.string_agg('idem.' || c.name, ', ' ORDER BY c.name) FROM claims c WHERE c.name <> ALL (o.names)) l (lacking)
WHERE l.lacking IS NOT NULL
UNION ALL
SELECT 'warning', o.object,
       pg_catalog.format('leaves rows, columns or commands out of %s: a server that takes over with it does not know all that was granted and sent', o.parts),
       'take the filter and the list of columns away, and publish insert, update and delete'
FROM of_claims o
WHERE o.parts IS NOT NULL;
COMMENT ON VIEW idem.publication_problems IS 'publications and subscriptions that carry keys elsewhere, and not all that is known of them, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.publication_problems FROM PUBLIC;

-- The doctor's, of a server that is no standby itself.  waits: for how many
-- standbys a commit waits, read as the server reads the setting.
CREATE VIEW idem.standby_problems AS
WITH server AS (
    SELECT coalesce(pg_catalog.substring(n.names, '(?i)^\s*(?:(?:any|first)\s*)?(\d{1,9})\s*\(')::integer,
                    CASE WHEN n.names ~ '\S' THEN 1 ELSE 0 END) AS waits
    FROM (SELECT pg_catalog.current_setting('synchronous_standby_names')) n (names)
    WHERE NOT pg_catalog.pg_is_in_recovery()
)
SELECT 'error' AS severity, pg_catalog.format('scope %I', s.name) AS object,
       pg_catalog.format('asks for %s synchronous standbys, and the server waits for %s: nothing is reserved or dispatched', s.standbys, w.waits) AS finding,
       pg_catalog.format('set synchronous_standby_names = ''ANY %s (*)'', when so many standbys are there', s.standbys) AS remedy
FROM server w
JOIN idem.scope s ON s.standbys > w.waits
UNION ALL
SELECT 'warning', pg_catalog.format('scope %I', s.name),
       'no commit waits for the standby that follows this server: promoted, it does not know all that was sent',
       pg_catalog.format('set synchronous_standby_names = ''ANY 1 (*)'', then SELECT idem.alter_scope(%L, standbys => 1)', s.name)
FROM server w
JOIN idem.scope s ON s.effect = 'outside' AND s.standbys = 0 AND w.waits = 0
WHERE EXISTS (SELECT FROM pg_catalog.pg_stat_replication r
              WHERE r.state IN ('catchup', 'streaming')
                    AND NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots l
                                    WHERE l.active_pid = r.pid AND l.slot_type = 'logical'));
COMMENT ON VIEW idem.standby_problems IS 'scopes of effects outside that ask for more standbys than the server waits for, or for none where one could be waited for, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.standby_problems FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- guards on distributed tables of Citus
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.citus_part(relid oid) RETURNS text
    AS 'MODULE_PATHNAME', 'idem_citus_part'
    LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION idem.citus_part(oid) IS
    'what a table is to Citus: shard of a distributed table; carried, a distributed table on a worker, whose guards the coordinator declared; NULL: neither, or there is no Citus';

CREATE OR REPLACE VIEW idem.guard_triggers AS
SELECT t.tgrelid::regclass AS relation, k.kind, k.part,
       t.tgname AS name, t.tgparentid <> 0 AS is_clone,
       nullif(t.tgconstrrelid, 0)::regclass AS other,
       a.settings, k.function,
       idem.guard_identity(k.function, a.settings) AS identity,
       idem.settings_problem(k.function, a.settings) AS problem,
       t.tgenabled AS mode
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'idem'::regnamespace
JOIN idem.guard_kinds() k ON k.function = p.proname,
     LATERAL (SELECT idem.trigger_settings(t.tgargs)) a (settings)
WHERE idem.citus_part(t.tgrelid) IS DISTINCT FROM 'shard';

CREATE OR REPLACE VIEW idem.guards_undeclared AS
SELECT g.relation, g.kind, g.name, g.settings, pg_catalog.pg_get_userbyid(c.relowner) AS owner,
       pg_catalog.row_number() OVER (PARTITION BY c.relowner
                                     ORDER BY c.relname, g.relation, g.kind, g.name) AS nth,
       pg_catalog.count(*) OVER (PARTITION BY c.relowner) AS of
FROM idem.guard_parts g
JOIN pg_catalog.pg_class c ON c.oid = g.relation
WHERE g.part = 'row' AND NOT g.declared
      AND idem.citus_part(g.relation) IS NULL;

CREATE OR REPLACE VIEW idem.machine_problems AS
WITH newest AS MATERIALIZED (
    SELECT DISTINCT ON (m.name) m.name, m.diagram
    FROM idem.machine m
    ORDER BY m.name, m.version DESC),
faulty AS MATERIALIZED (
    SELECT n.name, pg_catalog.min(pg_catalog.format('line %s: %s', f.line, f.message)) AS fault
    FROM newest n, LATERAL idem.check_machine(n.diagram) f
    WHERE f.problem = 'syntax'
    GROUP BY n.name),
readable AS MATERIALIZED (
    SELECT n.name FROM newest n WHERE n.name NOT IN (SELECT f.name FROM faulty f))
SELECT 'error' AS severity, pg_catalog.format('state machine %I', f.name) AS object,
       'cannot be read: ' || f.fault AS finding,
       'bring idem.machine back from a dump; until then rows under it cannot be written' AS remedy
FROM faulty f
UNION ALL
SELECT 'warning', pg_catalog.format('state machine %I', r.name),
       pg_catalog.format('role %I is gone: nobody can take %s', e.role,
                         pg_catalog.string_agg(pg_catalog.concat_ws(' ', e.state, '-->', e.next_state, ': ' || e.event),
                                               ', ' ORDER BY e.state COLLATE "C", e.next_state COLLATE "C", e.event COLLATE "C")),
       pg_catalog.format('CREATE ROLE %I, or define the machine anew without it', e.role)
FROM readable r, LATERAL idem.machine_table(r.name) e
WHERE e.role IS NOT NULL
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles p WHERE p.rolname = e.role)
GROUP BY r.name, e.role
UNION ALL
SELECT 'error', pg_catalog.format('table %s', g.relation),
       pg_catalog.format('trigger %I carries another diagram than the newest of state machine %I', g.name, n.name) COLLATE "default",
       'take the guard off with idem.drop_guard and declare it anew'
FROM (SELECT t.tgrelid::regclass AS relation, t.tgname AS name, idem.trigger_settings(t.tgargs) AS settings
      FROM pg_catalog.pg_trigger t
      JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'idem'::regnamespace AND p.proname = 'keep_states'
      WHERE t.tgparentid = 0 AND idem.citus_part(t.tgrelid) IS NULL) g
JOIN newest n ON n.name = idem.setting(g.settings, 'machine')
WHERE idem.setting(g.settings, 'diagram') <> n.diagram
UNION ALL
-- programs look every minute for rows that stand too long
SELECT 'notice', pg_catalog.format('table %s', t.tgrelid::regclass),
       pg_catalog.format('no index finds the rows in the states of "within": each look at idem.stuck reads %s rows', c.reltuples::bigint),
       pg_catalog.format('CREATE INDEX CONCURRENTLY ON %s (%I) WHERE %2$I IN (%s)', t.tgrelid::regclass, w."column",
                         (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(u.word), ', ' ORDER BY u.n)
                          FROM pg_catalog.unnest(w.within::text[]) WITH ORDINALITY u (word, n) WHERE u.n % 2 = 1))
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'idem'::regnamespace AND p.proname = 'keep_states'
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid AND c.reltuples >= 100000,
     LATERAL (SELECT idem.trigger_settings(t.tgargs)) a (settings),
     LATERAL (SELECT CASE WHEN idem.settings_problem('keep_states', a.settings) IS NULL THEN idem.setting(a.settings, 'within') END,
                     idem.setting(a.settings, 'column')) w (within, "column")
WHERE t.tgparentid = 0 AND w.within IS NOT NULL
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute b
                      JOIN pg_catalog.pg_index i ON i.indrelid = b.attrelid AND i.indisvalid
                      WHERE b.attrelid = t.tgrelid AND b.attname = w."column"
                            AND (i.indkey[0] = b.attnum
                                 OR i.indpred IS NOT NULL
                                    AND EXISTS (SELECT FROM pg_catalog.pg_depend d
                                                WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                                                      AND d.refobjid = b.attrelid AND d.refobjsubid = b.attnum)));

CREATE FUNCTION idem.trigger_print(relid oid) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    RETURN (SELECT pg_catalog.count(*) || ' '
                   || coalesce(pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', p.proname, t.tgtype, t.tgenabled, t.tgargs), 0)), 0)
            FROM pg_catalog.pg_trigger t
            JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'idem'::regnamespace
            WHERE t.tgrelid = $1 AND t.tgtype & 1 = 1);
COMMENT ON FUNCTION idem.trigger_print(oid) IS
    'the row triggers of idem on a table, as their number and a hash of their functions, events, modes and arguments: a shard on any node has the same as its distributed table';

CREATE FUNCTION idem.citus_findings()
    RETURNS TABLE (severity text, object text, finding text, remedy text)
    AS 'MODULE_PATHNAME', 'idem_citus_findings'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.citus_findings() IS
    'on the coordinator of a Citus cluster, as findings of idem.doctor(): nodes with another version of idem or that cannot be asked, shards whose triggers are not those of their table, guards from before their table was distributed; elsewhere nothing';
REVOKE ALL ON FUNCTION idem.citus_findings() FROM PUBLIC;

CREATE VIEW idem.node_problems AS
SELECT * FROM idem.citus_findings();
COMMENT ON VIEW idem.node_problems IS 'nodes of a Citus cluster that differ, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.node_problems FROM PUBLIC;

CREATE OR REPLACE VIEW idem.rights (function, audience) AS VALUES
    ('claim', 'runtime'),
    ('complete', 'runtime'),
    ('claim_many', 'runtime'),
    ('lookup', 'runtime'),
    ('reserve', 'runtime'),
    ('dispatch', 'runtime'),
    ('heartbeat', 'runtime'),
    ('release', 'runtime'),
    ('resolve', 'runtime'),
    ('fence', 'runtime'),
    ('due', 'runtime'),
    ('transition', 'runtime'),
    ('history', 'runtime'),
    ('pause', 'operator'),
    ('resume', 'operator'),
    ('approve', 'operator'),
    ('adopt_site', 'operator'),
    ('misplaced', 'operator'),
    ('misplaced', 'admin'),
    ('set_site', 'admin'),
    ('resolve', 'operator'),
    ('fence', 'operator'),
    ('lookup', 'operator'),
    ('confirm_suspects', 'operator'),
    ('presume', 'runtime'),
    ('correct', 'operator'),
    ('reconsider', 'operator'),
    ('business_date', 'runtime'),
    ('business_date', 'operator'),
    ('create_channel', 'admin'),
    ('alter_channel', 'admin'),
    ('drop_channel', 'admin'),
    ('create_calendar', 'admin'),
    ('alter_calendar', 'admin'),
    ('drop_calendar', 'admin'),
    ('add_closure', 'admin'),
    ('drop_closure', 'admin'),
    ('reconcile', 'runtime'),
    ('reconcile', 'operator'),
    ('settle_difference', 'operator'),
    ('create_reconciliation', 'admin'),
    ('alter_reconciliation', 'admin'),
    ('drop_reconciliation', 'admin'),
    ('create_scope', 'admin'),
    ('alter_scope', 'admin'),
    ('drop_scope', 'admin'),
    ('retire', 'admin'),
    ('adopt_keys', 'admin'),
    ('doctor', 'admin'),
    ('declarations', 'admin'),
    ('grant_runtime', 'admin'),
    ('grant_monitor', 'admin'),
    ('require_approval', 'admin'),
    ('overdue_limits', 'operator'),
    ('overdue_limits', 'admin'),
    ('lapsed_holds', 'operator'),
    ('lapsed_holds', 'admin'),
    ('grant_operator', 'extension'),
    ('grant_admin', 'extension'),
    ('count_states', 'monitor'),
    ('count_states', 'admin'),
    ('count_overdue', 'monitor'),
    ('count_overdue', 'admin'),
    ('count_findings', 'monitor'),
    ('count_findings', 'admin'),
    ('count_guards', 'monitor'),
    ('count_guards', 'admin'),
    ('count_excess', 'monitor'),
    ('count_excess', 'admin'),
    ('status', 'monitor'),
    ('status', 'admin'),
    ('status', 'operator'),
    ('limit_excess', 'extension'),
    ('stuck_rows', 'operator'),
    ('stuck_rows', 'admin'),
    ('check_rows', 'extension'),
    ('citus_findings', 'extension'),
    ('findings', 'extension'),
    ('stuck_states', 'extension'),
    ('state_counts', 'extension'),
    ('guard_declaration', 'extension'),
    ('largest_value', 'extension'),
    ('known_key_time', 'extension'),
    ('calendar_at', 'extension'),
    ('business_days', 'extension'),
    ('is_day_off', 'extension'),
    ('business_dates', 'extension'),
    ('closed_until', 'extension'),
    ('opens_at', 'extension'),
    ('channel_flaw', 'extension'),
    ('calendar_flaw', 'extension'),
    ('reconsider_key', 'extension'),
    ('schema_words', 'extension'),
    ('days_to_reconcile', 'operator'),
    ('days_to_reconcile', 'admin'),
    ('days_to_reconcile', 'monitor'),
    ('column_type', 'extension'),
    ('is_unique', 'extension'),
    ('neighbour_days', 'extension'),
    ('end_of_day', 'extension'),
    ('compared', 'extension'),
    ('reconciliation_flaw', 'extension'),
    ('reconciliation_query', 'extension'),
    ('define_machine', 'owner'),
    ('define_return_codes', 'owner'),
    ('guard_states', 'owner'),
    ('guard_limit', 'owner'),
    ('guard_balance', 'owner'),
    ('guard_journal', 'owner'),
    ('guard_parent_state', 'owner'),
    ('apply_balances', 'owner'),
    ('validate_guard', 'owner'),
    ('guard_fixed', 'owner'),
    ('guard_kept', 'owner'),
    ('guard_claimed', 'owner'),
    ('guard_keys', 'owner'),
    ('drop_guard', 'owner'),
    ('rearm', 'owner'),
    ('remaining', 'public'),
    ('available', 'public'),
    ('check_journals', 'public'),
    ('check_machine', 'public'),
    ('machine_diagram', 'public'),
    ('machine_dot', 'public'),
    ('machine_table', 'public'),
    ('check_return_codes', 'public'),
    ('return_codes', 'public'),
    ('listed_codes', 'public'),
    ('meaning_of', 'public'),
    ('key', 'public'),
    ('key_time', 'public'),
    ('key_digest', 'public'),
    ('minor_units', 'public'),
    ('guard_kinds', 'public'),
    ('trigger_settings', 'public'),
    ('setting', 'public'),
    ('settings_problem', 'public'),
    ('guard_identity', 'public'),
    ('setting_columns', 'public'),
    ('made_name', 'public'),
    ('citus_part', 'public'),
    ('trigger_print', 'public'),
    ('problems_of', 'public');
