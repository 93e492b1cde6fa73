-- report.sql - the tables at the end
\pset border 2
\pset footer off
SELECT kind AS cancellation, verdict_qty AS "verdict (pieces)",
       verdict_money AS "verdict (money)", count(*) AS idem,
       (SELECT count(*) FROM shop.expected AS e
         WHERE (e.kind, e.verdict_qty, e.verdict_money)
             = (v.kind, v.verdict_qty, v.verdict_money)) AS listed
  FROM shop.verdict AS v
 GROUP BY kind, verdict_qty, verdict_money
 ORDER BY kind, count(*) DESC;

SELECT EXISTS (SELECT FROM shop.differing) AS differing \gset
\if :differing
SELECT * FROM shop.differing ORDER BY cancel_seq LIMIT 20;
\endif

\pset format unaligned
\pset tuples_only on
SELECT format('%-56s %8s %8s %11s', 'let through by', 'old way', 'idem',
              'idem,');
SELECT format('%-56s %8s %8s %11s', '', '', '', 'no claims');
SELECT CASE WHEN old IS NULL AND idem IS NULL THEN E'\n' || what
            ELSE rtrim(format('%-54s %10s %8s %11s', '    ' || what,
                              coalesce(old, ''), idem, careless)) END
  FROM shop.result ORDER BY id;
