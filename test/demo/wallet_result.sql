-- wallet_result.sql - what the accounts have, from the transfers alone
CREATE TEMP VIEW paid AS
SELECT 'old' AS way, * FROM old.transfer
UNION ALL
SELECT 'guarded', * FROM guarded.transfer;

CREATE TEMP VIEW wallet_judged AS
SELECT w.way, w.id, w.balance,
       coalesce((SELECT sum(amount) FROM paid AS p
                  WHERE (p.way, p.credit_id) = (w.way, w.id)), '0')
       - coalesce((SELECT sum(amount) FROM paid AS p
                  WHERE (p.way, p.debit_id) = (w.way, w.id)), '0') AS has
  FROM (SELECT 'old' AS way, * FROM old.wallet
        UNION ALL SELECT 'guarded', * FROM guarded.wallet) AS w;

INSERT INTO shop.result (what)
SELECT format('%s payouts out of one account, then %s in one statement, enough for half',
              (SELECT count(*) FROM shop.delivery WHERE queue = 'wallet'),
              (SELECT count(*) FROM shop.batch));

INSERT INTO shop.result (what, old, idem, failed)
SELECT v.what, v.old, v.new, v.bad
  FROM wallet_judged AS old
  JOIN wallet_judged AS new ON new.id = old.id AND new.way = 'guarded',
       LATERAL (SELECT greatest(- old.has, '0'), greatest(- new.has, '0')) AS b (old, new),
       LATERAL (VALUES ('paid out of ' || CASE old.id WHEN 'shop' THEN 'the hot account' ELSE 'the batch''s account' END || ' beyond its balance',
                        b.old::text, b.new::text, b.new <> '0')) AS v(what, old, new, bad)
 WHERE old.way = 'old' AND old.id IN ('shop', 'batch')
 ORDER BY old.id DESC;

INSERT INTO shop.result (what, old, idem, failed)
SELECT 'accounts that have another balance than their transfers',
       count(*) FILTER (WHERE way = 'old'),
       count(*) FILTER (WHERE way = 'guarded'),
       count(*) FILTER (WHERE way = 'guarded') > 0
  FROM wallet_judged WHERE has <> balance;

INSERT INTO shop.result (what, old, idem)
SELECT 'seconds for the hot account',
       shop.seconds('old', 'wallet'), shop.seconds('guarded', 'wallet');
