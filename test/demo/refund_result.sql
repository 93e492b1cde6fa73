-- refund_result.sql - what was refunded beyond what was bought
--
-- Counted from the rows that are there, for both ways by the same rule.
CREATE TEMP VIEW beyond AS
SELECT 'old' AS way, customer, stock_code,
       sum(r.amount) - coalesce(p.amount, '0') AS amount
  FROM old.refund AS r LEFT JOIN old.purchase AS p USING (customer, stock_code)
 GROUP BY customer, stock_code, p.amount
HAVING p.amount IS NULL OR sum(r.amount) > p.amount
    OR sum(r.pieces) > max(p.pieces)
UNION ALL
SELECT 'guarded', customer, stock_code,
       sum(r.amount) - coalesce(p.amount, '0')
  FROM guarded.refund AS r
  LEFT JOIN guarded.purchase AS p USING (customer, stock_code)
 GROUP BY customer, stock_code, p.amount
HAVING p.amount IS NULL OR sum(r.amount) > p.amount
UNION ALL
SELECT 'guarded', customer, stock_code, '0'
  FROM guarded.returned AS r
  LEFT JOIN guarded.purchase AS p USING (customer, stock_code)
 GROUP BY customer, stock_code, p.pieces
HAVING p.pieces IS NULL OR sum(r.pieces) > p.pieces;

INSERT INTO shop.result
SELECT 6,
       format('%s cancellations of %s sales, in time order',
              (SELECT count(*) FROM old.refund),
              (SELECT count(*) FROM shop.line
                WHERE kind = 'sale' AND customer IS NOT NULL)),
       format('%s purchases, %s too much', old.n, old.amount),
       CASE new.n WHEN 0 THEN 'none' ELSE new.n || ' purchases' END,
       shop.seconds('old', 'refund'), shop.seconds('guarded', 'refund'),
       new.n > 0
  FROM (SELECT count(*) AS n, coalesce(sum(amount), '0') AS amount
          FROM beyond WHERE way = 'old') AS old,
       (SELECT count(*) AS n FROM beyond WHERE way = 'guarded') AS new;

-- The verdicts, line by line against the list.
CREATE VIEW shop.differing AS
SELECT coalesce(v.cancel_seq, e.cancel_seq) AS cancel_seq,
       v.verdict_qty, v.verdict_money,
       e.verdict_qty AS expected_qty, e.verdict_money AS expected_money
  FROM shop.verdict AS v FULL JOIN shop.expected AS e USING (cancel_seq)
 WHERE v IS DISTINCT FROM e;

INSERT INTO shop.result
SELECT 7, '  verdicts against the list with the data', '',
       format('%s of %s as listed',
              listed.n - count(d.expected_qty), listed.n),
       NULL, NULL, count(d.cancel_seq) > 0
  FROM (SELECT count(*) AS n FROM shop.expected) AS listed
  LEFT JOIN shop.differing AS d ON true
 GROUP BY listed.n;

