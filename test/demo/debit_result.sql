-- debit_result.sql - count who was debited twice, from the tables alone
CREATE TEMP VIEW missed AS
SELECT FROM shop.debit_message AS m
 WHERE NOT EXISTS (SELECT FROM guarded.debit AS d
                    WHERE d.uuid = m.message->>'uuid'
                      AND d.amount = (m.message->>'amount')::money_micro);

INSERT INTO shop.result
SELECT 1,
       format('%s debits, each 3-5 times within a second',
              (SELECT count(*) FROM shop.debit_message)),
       format('%s of %s users debited twice', old.users,
              (SELECT count(DISTINCT message->>'customer')
                 FROM shop.debit_message)),
       CASE new.users WHEN 0 THEN 'none' ELSE new.users || ' users' END,
       shop.seconds('old', 'debit'), shop.seconds('guarded', 'debit'),
       new.users > 0
  FROM shop.debited_twice('old') AS old, shop.debited_twice('guarded') AS new;

INSERT INTO shop.result
SELECT 2,
       format('  %s deliveries to %s consumers', count(*),
              count(DISTINCT consumer)),
       format('%s debits, %s too much', old.times, old.too_much),
       CASE WHEN new.times = 0 AND missed.n = 0 THEN 'none'
            ELSE format('%s debits, %s missing', new.times, missed.n) END,
       NULL, NULL, new.times > 0 OR missed.n > 0
  FROM shop.delivery, shop.debited_twice('old') AS old,
       shop.debited_twice('guarded') AS new,
       (SELECT count(*) AS n FROM missed) AS missed
 WHERE queue = 'debit'
 GROUP BY old.times, old.too_much, new.times, missed.n;
