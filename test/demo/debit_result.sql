-- debit_result.sql - count who was debited twice, from the tables alone
INSERT INTO shop.result (what)
SELECT format('%s debits of %s users, each message %s times within a second',
              (SELECT count(*) FROM shop.debit_message),
              count(DISTINCT message->>'customer'), '3-5')
  FROM shop.delivery WHERE queue = 'debit';

INSERT INTO shop.result (what, old, idem, careless, failed)
SELECT 'users debited twice', old.users, new.users, none.users,
       new.users > 0 OR none.users > 0
  FROM shop.debited_twice('old') AS old, shop.debited_twice('guarded') AS new,
       shop.debited_twice('careless') AS none
UNION ALL
SELECT 'debits too many', old.times, new.times, none.times,
       new.times > 0 OR none.times > 0
  FROM shop.debited_twice('old') AS old, shop.debited_twice('guarded') AS new,
       shop.debited_twice('careless') AS none;

-- The old way has no claims.  With idem each debit has one, and consumers that
-- make none have no debit.
INSERT INTO shop.result (what, old, idem, careless, failed)
SELECT 'debits without a claim', old.debits, new.debits, none.debits,
       new.debits > 0 OR none.debits > 0
  FROM (SELECT count(*) AS debits FROM old.debit) AS old,
       (SELECT count(*) AS debits FROM guarded.debit AS d
         WHERE (idem.lookup('debit', d.uuid)).outcome <> 'replayed') AS new,
       (SELECT count(*) AS debits FROM careless.debit) AS none;

INSERT INTO shop.result (what, old, idem, careless, failed)
SELECT 'money taken too much', old.too_much::text, new.too_much::text,
       none.too_much::text, new.too_much <> '0' OR none.too_much <> '0'
  FROM shop.debited_twice('old') AS old, shop.debited_twice('guarded') AS new,
       shop.debited_twice('careless') AS none;

INSERT INTO shop.result (what, old, idem, careless, failed)
SELECT 'debits missing', count(*) - count(old.uuid), count(*) - count(new.uuid),
       'all', count(*) > count(new.uuid)
  FROM shop.debit_message AS m
  LEFT JOIN (SELECT DISTINCT uuid, amount FROM old.debit) AS old
    ON (old.uuid, old.amount)
     = (m.message->>'uuid', (m.message->>'amount')::money_micro)
  LEFT JOIN guarded.debit AS new
    ON (new.uuid, new.amount)
     = (m.message->>'uuid', (m.message->>'amount')::money_micro);

-- Whatever they insert is refused, with one code, and nobody overlooks it.
INSERT INTO shop.result (what, old, idem, careless, failed)
SELECT 'deliveries refused with 23I0A', 0, 0,
       count(*) FILTER (WHERE code = '23I0A'),
       count(*) FILTER (WHERE code = '23I0A')
       <> (SELECT count(*) FROM shop.delivery WHERE queue = 'debit')
  FROM careless.refused;

INSERT INTO shop.result (what, old, idem, careless)
SELECT format('seconds for %s deliveries to %s consumers', count(*),
              count(DISTINCT consumer)),
       shop.seconds('old', 'debit'), shop.seconds('guarded', 'debit'),
       shop.seconds('careless', 'debit')
  FROM shop.delivery WHERE queue = 'debit';
