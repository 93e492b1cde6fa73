-- report.sql - the table at the end
\pset border 2
\pset footer off
\pset null ''
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

SELECT tried AS "what was tried", old AS "the old way let through",
       idem AS "idem let through", old_time AS "time: old",
       idem_time AS "idem"
  FROM shop.result ORDER BY part;
