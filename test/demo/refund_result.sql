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

INSERT INTO shop.result (what)
SELECT format('%s cancellations of %s sales, in the order of time',
              (SELECT count(*) FROM old.refund),
              (SELECT count(*) FROM shop.line
                WHERE kind = 'sale' AND customer IS NOT NULL));

INSERT INTO shop.result (what, old, idem, failed)
SELECT 'purchases with more given back than bought', count(*) FILTER (WHERE way = 'old'),
       count(*) FILTER (WHERE way = 'guarded'),
       count(*) FILTER (WHERE way = 'guarded') > 0
  FROM beyond;

INSERT INTO shop.result (what, old, idem)
SELECT 'money given back too much',
       coalesce(sum(amount) FILTER (WHERE way = 'old'), '0'),
       coalesce(sum(amount) FILTER (WHERE way = 'guarded'), '0')
  FROM beyond;

-- The verdicts, line by line against the list.
CREATE VIEW shop.differing AS
SELECT coalesce(v.cancel_seq, e.cancel_seq) AS cancel_seq,
       v.verdict_qty, v.verdict_money,
       e.verdict_qty AS expected_qty, e.verdict_money AS expected_money
  FROM shop.verdict AS v FULL JOIN shop.expected AS e USING (cancel_seq)
 WHERE v IS DISTINCT FROM e;

INSERT INTO shop.result (what, old, idem, failed)
SELECT format('verdicts unlike the list of %s', listed.n), NULL,
       count(d.cancel_seq)::text, count(d.cancel_seq) > 0
  FROM (SELECT count(*) AS n FROM shop.expected) AS listed
  LEFT JOIN shop.differing AS d ON true
 GROUP BY listed.n;

INSERT INTO shop.result (what, old, idem)
SELECT format('seconds for %s lines', max(lines)),
       shop.seconds('old', 'refund'), shop.seconds('guarded', 'refund')
  FROM shop.run WHERE queue = 'refund';
