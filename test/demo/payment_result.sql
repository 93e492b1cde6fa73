-- payment_result.sql - which payments moved as they must not
CREATE TEMP VIEW judged AS
SELECT way,
       count(DISTINCT m.payment)
           FILTER (WHERE before IN ('succeeded', 'failed')) AS left_final,
       count(m.payment) AS wrong,
       shop.shipped_twice(way) AS shipped
  FROM (VALUES ('old'), ('guarded')) AS w(way)
  LEFT JOIN shop.wrong_move AS m USING (way)
 GROUP BY way;

INSERT INTO shop.result (what)
SELECT format('%s payments, notices repeated, late, early, contradicting',
              count(*))
  FROM old.payment;

INSERT INTO shop.result (what, old, idem, failed)
SELECT v.what, v.old, v.new, v.new > 0
  FROM judged AS old, judged AS new,
       LATERAL (VALUES
           (1, 'payments that left a final state', old.left_final, new.left_final),
           (2, 'moves against the rules', old.wrong, new.wrong),
           (3, 'payments shipped more than once', old.shipped, new.shipped)
       ) AS v(n, what, old, new)
 WHERE old.way = 'old' AND new.way = 'guarded'
 ORDER BY v.n;

-- Refusing everything would pass the lines above.
INSERT INTO shop.result (what, old, idem, failed)
SELECT 'payments without an end', old.n, new.n, new.n > 0
  FROM (SELECT count(*) AS n FROM old.payment
         WHERE status NOT IN ('succeeded', 'failed')) AS old,
       (SELECT count(*) AS n FROM guarded.payment
         WHERE status NOT IN ('succeeded', 'failed')) AS new
UNION ALL
SELECT 'payments that succeeded and were not shipped', old.n, new.n, new.n > 0
  FROM (SELECT count(*) AS n FROM old.payment AS p
         WHERE status = 'succeeded'
           AND id NOT IN (SELECT payment FROM old.shipment)) AS old,
       (SELECT count(*) AS n FROM guarded.payment AS p
         WHERE status = 'succeeded'
           AND id NOT IN (SELECT payment FROM guarded.shipment)) AS new;

INSERT INTO shop.result (what, old, idem)
SELECT format('seconds for %s notices to %s consumers', count(*),
              count(DISTINCT consumer)),
       shop.seconds('old', 'notice'), shop.seconds('guarded', 'notice')
  FROM shop.delivery WHERE queue = 'notice';
