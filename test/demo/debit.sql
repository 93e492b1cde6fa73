-- debit.sql - the incident: a message 3 to 5 times within one second
--
-- Every debit is a real invoice line.  Its message is published once, and
-- delivered 3 to 5 times within a second to different consumers, most copies
-- within a few hundredths of a second.
--
-- old.take_debit is the code of the incident: look the uuid up, and insert if
-- it is not there, without a unique constraint.  guarded.take_debit claims the
-- uuid first, and its table takes no debit without that: careless.take_debit
-- is the code of the incident on a table that idem guards, and is refused.

CREATE TABLE old.account (
    customer  text PRIMARY KEY,
    balance   money_micro NOT NULL
);
CREATE TABLE old.debit (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid      text NOT NULL,
    customer  text NOT NULL REFERENCES old.account,
    amount    money_micro NOT NULL
);
CREATE INDEX ON old.debit (uuid);

CREATE TABLE guarded.account (LIKE old.account INCLUDING ALL);
CREATE TABLE guarded.debit (LIKE old.debit INCLUDING ALL,
    FOREIGN KEY (customer) REFERENCES guarded.account);

CREATE TABLE careless.account (LIKE old.account INCLUDING ALL);
CREATE TABLE careless.debit (LIKE old.debit INCLUDING ALL,
    FOREIGN KEY (customer) REFERENCES careless.account);

SELECT idem.create_scope('debit', effect => 'inside',
                         fields => '{customer,amount}');
SELECT idem.guard_claimed('guarded.debit', key => '{uuid}', scope => 'debit');
SELECT idem.create_scope('careless', effect => 'inside', fields => '{}');
SELECT idem.guard_claimed('careless.debit', key => '{uuid}',
                          scope => 'careless');

CREATE FUNCTION old.take_debit(message jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM old.debit WHERE uuid = message->>'uuid') THEN
        PERFORM shop.other_work();
        INSERT INTO old.debit (uuid, customer, amount)
        VALUES (message->>'uuid', message->>'customer',
                (message->>'amount')::money_micro);
        UPDATE old.account
           SET balance = balance - (message->>'amount')::money_micro
         WHERE customer = message->>'customer';
    END IF;
    RETURN true;
END
$$;

-- What is refused is put aside, as consumers do with a message that fails.
CREATE TABLE careless.refused (uuid text NOT NULL, code text NOT NULL);
CREATE FUNCTION careless.take_debit(message jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM careless.debit
                    WHERE uuid = message->>'uuid') THEN
        PERFORM shop.other_work();
        INSERT INTO careless.debit (uuid, customer, amount)
        VALUES (message->>'uuid', message->>'customer',
                (message->>'amount')::money_micro);
        UPDATE careless.account
           SET balance = balance - (message->>'amount')::money_micro
         WHERE customer = message->>'customer';
    END IF;
    RETURN true;
EXCEPTION WHEN OTHERS THEN
    INSERT INTO careless.refused VALUES (message->>'uuid', SQLSTATE);
    RETURN true;
END
$$;

CREATE FUNCTION guarded.take_debit(message jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    claim  idem.claim_result;
    debit  bigint;
BEGIN
    SELECT * INTO claim
      FROM idem.claim('debit', message->>'uuid', message);
    IF claim.granted THEN
        PERFORM shop.other_work();
        INSERT INTO guarded.debit (uuid, customer, amount)
        VALUES (message->>'uuid', message->>'customer',
                (message->>'amount')::money_micro)
        RETURNING id INTO debit;
        UPDATE guarded.account
           SET balance = balance - (message->>'amount')::money_micro
         WHERE customer = message->>'customer';
        PERFORM idem.complete('debit', message->>'uuid',
                              jsonb_build_object('debit_id', debit));
    END IF;
    RETURN claim.granted OR claim.settled;
END
$$;

-- The messages: at most 400 lines, spread over the whole file, 80 a second.
CREATE TABLE shop.debit_message AS
SELECT (row_number() OVER (ORDER BY seq) - 1) / 80.0 AS at,
       jsonb_build_object('uuid', 'line-' || seq, 'customer', customer,
                          'amount', (unit_price * quantity)::text) AS message
  FROM (SELECT *, row_number() OVER (ORDER BY seq) AS n,
               count(*) OVER () AS total
          FROM shop.line
         WHERE kind = 'sale' AND customer IS NOT NULL AND unit_price > 0) AS l
 WHERE total <= 400 OR n % (total / 400) = 0
 ORDER BY seq LIMIT 400;

SELECT setseed(0.18);
INSERT INTO shop.delivery (queue, consumer, planned, message)
SELECT 'debit', (at * 80 + copy)::integer % :consumers,
       (at + CASE copy WHEN 1 THEN 0 ELSE random() ^ 4 * 0.9 END) * '1 s'::interval,
       message
  FROM (SELECT *, 3 + floor(random() * 3)::integer AS copies
          FROM shop.debit_message) AS m,
       generate_series(1, copies) AS copy;

INSERT INTO old.account
SELECT DISTINCT customer, '0'::money_micro FROM shop.line
 WHERE customer IS NOT NULL;
INSERT INTO guarded.account SELECT * FROM old.account;
INSERT INTO careless.account SELECT * FROM old.account;

-- What can be seen while they work.
CREATE FUNCTION shop.debit_progress(way text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    said text;
BEGIN
    EXECUTE format(
        $q$SELECT (SELECT count(*) FILTER (WHERE done) || ' of ' || count(*)
                     FROM shop.delivery WHERE queue = 'debit')
               || ' deliveries, ' || count(*) || ' debits for '
               || count(DISTINCT uuid) || ' messages' FROM %I.debit$q$, way)
       INTO said;
    RETURN said;
END
$$;

-- Users who were debited more than once for one message, and for how much.
CREATE FUNCTION shop.debited_twice(way text, OUT users bigint, OUT times bigint,
                                   OUT too_much money_micro)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    EXECUTE format(
        $q$SELECT count(DISTINCT customer), coalesce(sum(again), 0),
                  coalesce(sum(amount * again), '0'::money_micro)
             FROM (SELECT customer, amount, count(*) - 1 AS again
                     FROM %I.debit GROUP BY uuid, customer, amount) AS d
            WHERE again > 0$q$, way)
       INTO users, times, too_much;
END
$$;
