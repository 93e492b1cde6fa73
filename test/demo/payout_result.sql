-- payout_result.sql - what the banks did, and what was told of it
CREATE TEMP VIEW told AS
SELECT 'old' AS way, id, status FROM old.payout
UNION ALL
SELECT 'guarded', p.id, l.state
  FROM shop.payout AS p, idem.lookup('payout', p.id) AS l;

CREATE TEMP VIEW payout_judged AS
SELECT t.way,
       count(*) FILTER (WHERE b.paid > 1) AS twice,
       count(*) FILTER (WHERE t.status = 'failed' AND b.paid > 0) AS failed,
       count(*) FILTER (WHERE t.status = 'succeeded' AND b.paid = 0) AS succeeded,
       count(*) FILTER (WHERE t.status NOT IN ('succeeded', 'failed')) AS open
  FROM told AS t,
       LATERAL (SELECT count(*) FILTER (WHERE o.paid) AS paid
                  FROM shop.book AS o
                 WHERE o.way = t.way AND o.payout = t.id) AS b
 GROUP BY t.way;

INSERT INTO shop.result (what)
SELECT format('%s payouts by two banks that answer in codes', count(*))
  FROM shop.payout;

INSERT INTO shop.result (what, old, idem, failed)
SELECT v.what, v.old, v.new, v.new > 0
  FROM payout_judged AS old, payout_judged AS new,
       LATERAL (VALUES
           (1, 'payouts paid twice', old.twice, new.twice),
           (2, 'payouts paid, and told failed', old.failed, new.failed),
           (3, 'payouts not paid, and told succeeded', old.succeeded, new.succeeded),
           (4, 'payouts without an end', old.open, new.open)
       ) AS v(n, what, old, new)
 WHERE old.way = 'old' AND new.way = 'guarded'
 ORDER BY v.n;
