-- debit_result.sql - count who was debited twice, from the tables alone
CREATE TEMP VIEW missed AS
SELECT FROM shop.debit_message AS m
 WHERE NOT EXISTS (SELECT FROM guarded.debit AS d
                    WHERE d.uuid = m.message->>'uuid'
                      AND d.amount = (m.message->>'amount')::money_micro);

INSERT INTO shop.result (what)
SELECT format('%s debits of %s users, each message %s times within a second',
              (SELECT count(*) FROM shop.debit_message),
              count(DISTINCT message->>'customer'), '3-5')
  FROM shop.delivery WHERE queue = 'debit';

INSERT INTO shop.result (what, old, idem, failed)
SELECT 'users debited twice', old.users, new.users, new.users > 0
  FROM shop.debited_twice('old') AS old, shop.debited_twice('guarded') AS new
UNION ALL
SELECT 'debits too many', old.times, new.times, new.times > 0
  FROM shop.debited_twice('old') AS old, shop.debited_twice('guarded') AS new;

-- Consumers that do not claim at all: the code of the incident, once more for
-- every message and for as many new ones, on the table that idem guards.
CREATE FUNCTION pg_temp.debits_without_claim() RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    stored  bigint := 0;
    m       record;
BEGIN
    FOR m IN SELECT message, message->>'uuid' || again AS uuid
               FROM shop.debit_message, unnest('{"",-new}'::text[]) AS again
    LOOP
        BEGIN
            INSERT INTO guarded.debit (uuid, customer, amount)
            VALUES (m.uuid, m.message->>'customer',
                    (m.message->>'amount')::money_micro);
            stored := stored + 1;
        EXCEPTION WHEN SQLSTATE '23I0A' THEN NULL;
        END;
    END LOOP;
    RETURN stored;
END
$$;

INSERT INTO shop.result (what, old, idem, failed)
SELECT 'debits by consumers that do not claim', old.debits, new.debits,
       new.debits > 0
  FROM (SELECT count(*) AS debits FROM old.debit) AS old,
       (SELECT pg_temp.debits_without_claim() AS debits) AS new;

INSERT INTO shop.result (what, old, idem, failed)
SELECT 'money taken too much', old.too_much::text, new.too_much::text,
       new.too_much <> '0'
  FROM shop.debited_twice('old') AS old, shop.debited_twice('guarded') AS new;

INSERT INTO shop.result (what, old, idem, failed)
SELECT 'debits missing', count(*) - count(old.uuid), count(*) - count(new.uuid),
       count(*) > count(new.uuid)
  FROM shop.debit_message AS m
  LEFT JOIN (SELECT DISTINCT uuid, amount FROM old.debit) AS old
    ON (old.uuid, old.amount)
     = (m.message->>'uuid', (m.message->>'amount')::money_micro)
  LEFT JOIN guarded.debit AS new
    ON (new.uuid, new.amount)
     = (m.message->>'uuid', (m.message->>'amount')::money_micro);

INSERT INTO shop.result (what, old, idem)
SELECT format('seconds for %s deliveries to %s consumers', count(*),
              count(DISTINCT consumer)),
       shop.seconds('old', 'debit'), shop.seconds('guarded', 'debit')
  FROM shop.delivery WHERE queue = 'debit';
