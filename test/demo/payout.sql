-- payout.sql - payouts by two banks that answer in codes
--
-- Every payout is one of the invoices, and every order is carried out or
-- refused by the bank at once: shop.book says which.  What the bank answers is
-- another matter: it pays and says "system error", says nothing, says that the
-- serial was used or a code that is in nobody's list; it refuses and answers
-- about somebody else's payout.  The same stream of answers meets both ways.
--
-- old.pay_out maps codes as applications do, and where a second bank takes the
-- payout it goes there at once if the first one has "failed".
-- guarded.pay_out hands the answer to idem and tries the second bank if the
-- payout is not settled then; it knows no code.  Each message comes twice.

CREATE TABLE shop.payout AS
SELECT id, customer AS payee, amount,
       (row_number() OVER (ORDER BY id) - 1)::integer AS n
  FROM old.payment;
CREATE TABLE shop.book (
    way     text NOT NULL,
    bank    text NOT NULL,
    serial  text NOT NULL,
    payout  text NOT NULL,
    paid    boolean NOT NULL
);

-- An answer about this payout, or, with another serial and amount, not.
CREATE FUNCTION shop.answer(code text, serial text, amount text) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('code', code, 'serial', serial, 'amount', amount);

-- Order a payout.  Only the first order of a payout meets a bad day.
CREATE FUNCTION shop.order_at(way text, bank text, serial text, o shop.payout)
    RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    day   integer := CASE WHEN EXISTS (SELECT FROM shop.book AS b
                                        WHERE b.way = order_at.way AND b.payout = o.id)
                          THEN 0 ELSE o.n % 10 END;
    paid  boolean := NOT (day IN (8, 9) OR day = 6 AND o.n % 20 = 16);
BEGIN
    INSERT INTO shop.book VALUES (way, bank, serial, o.id, paid);
    RETURN CASE day
        WHEN 4 THEN shop.answer('9999', serial, o.amount::text)
        WHEN 5 THEN NULL
        WHEN 6 THEN shop.answer('3001', serial, o.amount::text)
        WHEN 7 THEN shop.answer('7742', serial, o.amount::text)
        WHEN 8 THEN shop.answer('0000', 'another-1', '17.00')
        WHEN 9 THEN shop.answer('2001', serial, o.amount::text)
        ELSE shop.answer('0000', serial, o.amount::text)
    END;
END
$$;

-- ------------------------------------------------------------ the old way

CREATE TABLE old.payout (id text PRIMARY KEY, status text NOT NULL);
INSERT INTO old.payout SELECT id, 'open' FROM shop.payout;

CREATE FUNCTION old.meaning(answer jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN answer->>'code' LIKE '0%' THEN 'succeeded'
            WHEN answer->>'code' = '3001' THEN 'succeeded'  -- ours, surely
            ELSE 'failed' END;

CREATE PROCEDURE old.pay_out(o shop.payout)
LANGUAGE plpgsql AS $$
DECLARE
    said  text;
BEGIN
    PERFORM FROM old.payout AS p
      WHERE p.id = o.id AND p.status = 'open' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    said := old.meaning(shop.order_at('old', 'bankA', o.id || '-1', o));
    IF said = 'failed' AND o.n % 2 = 1 THEN
        said := old.meaning(shop.order_at('old', 'bankB', o.id || '-2', o));
    END IF;
    UPDATE old.payout AS p SET status = said WHERE p.id = o.id;
    COMMIT;
END
$$;

-- -------------------------------------------------------------- with idem

SELECT idem.define_return_codes(bank || '/pay', $$
| code | meaning   | note                          |
| ---- | --------- | ----------------------------- |
| 0000 | succeeded |                               |
| 2001 | failed    | refused before anything moved |
| 3001 | unknown   | the serial was used: by whom? |
| 9999 | unknown   | system error                  |
$$), idem.define_return_codes(bank || '/query', $$
| code    | meaning   |
| ------- | --------- |
| PAID    | succeeded |
| REFUSED | failed    |
$$)
  FROM unnest('{bankA,bankB}'::text[]) AS bank;
SELECT idem.create_channel(bank, send => bank || '/pay', inquire => bank || '/query',
                           serial => '{key}-{attempt}', serial_per => 'attempt',
                           echo => '{serial,amount}', quiet => '0 s')
  FROM unnest('{bankA,bankB}'::text[]) AS bank;
SELECT idem.create_scope('payout', effect => 'outside', fields => '{payee,amount}',
                         channels => '{bankA,bankB}', quiet => '0 s',
                         ladder => '{10 ms,10 ms,10 ms,10 ms}');

CREATE PROCEDURE guarded.pay_out(o shop.payout)
LANGUAGE plpgsql AS $$
DECLARE
    claim   idem.send_result;
    token   bigint;
    bank    text;
    answer  jsonb;
BEGIN
    SELECT * INTO claim
      FROM idem.reserve('payout', o.id, jsonb_build_object(
               'payee', o.payee, 'amount', o.amount::text));
    COMMIT;
    token := claim.token;
    FOREACH bank IN ARRAY '{bankA,bankB}'::text[] LOOP
        EXIT WHEN claim.settled;
        claim := NULL;
        claim.channel := bank;
        CALL idem.dispatch('payout', o.id, token, claim);
        CONTINUE WHEN NOT claim.granted;
        answer := shop.order_at('guarded', bank, claim.serial, o);
        COMMIT;     -- it has happened, whatever becomes of us
        SELECT * INTO claim
          FROM idem.complete('payout', o.id, token, answer => answer);
        COMMIT;
    END LOOP;
END
$$;

-- Ask the banks about what is due, until nothing is unknown any more.
CREATE PROCEDURE guarded.look_after()
LANGUAGE plpgsql AS $$
DECLARE
    claim  record;
    until  timestamptz := clock_timestamp() + '10 s';
BEGIN
    WHILE clock_timestamp() < until
      AND EXISTS (SELECT FROM idem.open_claims WHERE scope = 'payout'
                     AND state IN ('dispatched', 'unknown')) LOOP
        FOR claim IN SELECT * FROM idem.due('payout')
                      WHERE why = 'inquire' LOOP
            PERFORM idem.resolve('payout', claim.key,
                        via => claim.channel || '/query',
                        answer => (SELECT shop.answer(CASE WHEN b.paid THEN 'PAID' ELSE 'REFUSED' END,
                                                      b.serial, claim.request->>'amount')
                                     FROM shop.book AS b
                                    WHERE b.way = 'guarded' AND b.serial = claim.serial));
        END LOOP;
        COMMIT;
        PERFORM pg_sleep(0.02);
    END LOOP;
END
$$;

-- ------------------------------------------------------------- both ways

-- All messages, each twice, by one session.
CREATE PROCEDURE shop.pay(way text)
LANGUAGE plpgsql AS $$
DECLARE
    o  shop.payout;
BEGIN
    INSERT INTO shop.run (way, queue, started)
    VALUES (way, 'payout', clock_timestamp());
    COMMIT;
    FOR o IN SELECT p.* FROM shop.payout AS p, generate_series(1, 2) AS time
              ORDER BY time, n LOOP
        IF way = 'old' THEN
            CALL old.pay_out(o);
        ELSE
            CALL guarded.pay_out(o);
        END IF;
    END LOOP;
    IF way = 'guarded' THEN
        CALL guarded.look_after();
    END IF;
    UPDATE shop.run AS r SET ended = clock_timestamp()
     WHERE r.way = pay.way AND r.queue = 'payout';
END
$$;

CREATE FUNCTION shop.payout_progress(way text) RETURNS text
LANGUAGE sql STABLE
RETURN (SELECT count(*) || ' orders, ' || count(*) FILTER (WHERE paid) || ' paid for '
               || count(DISTINCT payout) || ' payouts'
          FROM shop.book AS b WHERE b.way = payout_progress.way);
