-- payment_result.sql - which payments moved as they must not
CREATE TEMP VIEW judged AS
SELECT way,
       count(DISTINCT m.payment)
           FILTER (WHERE before IN ('succeeded', 'failed')) AS left_final,
       count(m.payment) AS wrong
  FROM (VALUES ('old'), ('guarded')) AS w(way)
  LEFT JOIN shop.wrong_move AS m USING (way)
 GROUP BY way;

INSERT INTO shop.result
SELECT 3,
       format('%s payments, %s notices', (SELECT count(*) FROM old.payment),
              (SELECT count(*) FROM shop.delivery WHERE queue = 'notice')),
       format('%s payments left a final state', old.left_final),
       CASE new.left_final WHEN 0 THEN 'none'
            ELSE new.left_final || ' payments' END,
       shop.seconds('old', 'notice'), shop.seconds('guarded', 'notice'),
       new.left_final > 0
  FROM judged AS old, judged AS new
 WHERE old.way = 'old' AND new.way = 'guarded';

INSERT INTO shop.result
SELECT 4, '  repeated, late, contradicting, out of order',
       format('%s moves against the rules', old.wrong),
       CASE WHEN new.wrong = 0 AND open.n = 0 THEN 'none'
            ELSE format('%s moves, %s not finished', new.wrong, open.n) END,
       NULL, NULL, new.wrong > 0 OR open.n > 0
  FROM judged AS old, judged AS new,
       (SELECT count(*) AS n FROM guarded.payment
         WHERE status NOT IN ('succeeded', 'failed')) AS open
 WHERE old.way = 'old' AND new.way = 'guarded';

INSERT INTO shop.result
SELECT 5, '  goods are shipped when one has succeeded',
       format('%s shipped more than once', shop.shipped_twice('old')),
       CASE WHEN shop.shipped_twice('guarded') = 0 AND missed.n = 0 THEN 'none'
            ELSE format('%s more than once, %s not at all',
                        shop.shipped_twice('guarded'), missed.n) END,
       NULL, NULL,
       shop.shipped_twice('guarded') > 0 OR missed.n > 0
  FROM (SELECT count(*) AS n FROM guarded.payment AS p
         WHERE status = 'succeeded'
           AND NOT EXISTS (SELECT FROM guarded.shipment AS s
                            WHERE s.payment = p.id)) AS missed;
