-- wallet.sql - one hot account, and a batch
--
-- All consumers pay customers out of one account, which has enough for half of
-- them.  After that one statement pays a batch out of another account that
-- has enough for half.
--
-- old.take_wallet is what is usually written: read the balance, compare, do the
-- work, write.  The batch compares each payout with the balance that it sees.
-- guarded.take_wallet stores the transfer and is told what does not fit; so is
-- the batch, which stores nothing then, and pays what fits.

CREATE TABLE old.wallet (
    id        text PRIMARY KEY,
    floor     money_micro NOT NULL DEFAULT '0',
    unbounded boolean NOT NULL DEFAULT false,
    balance   money_micro NOT NULL DEFAULT '0'
);
CREATE TABLE old.transfer (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    debit_id  text NOT NULL REFERENCES old.wallet,
    credit_id text NOT NULL REFERENCES old.wallet,
    amount    money_micro NOT NULL
);
CREATE TABLE guarded.wallet (LIKE old.wallet INCLUDING ALL);
CREATE TABLE guarded.transfer (LIKE old.transfer INCLUDING ALL,
    FOREIGN KEY (debit_id) REFERENCES guarded.wallet,
    FOREIGN KEY (credit_id) REFERENCES guarded.wallet);
SELECT idem.guard_balance('guarded.transfer', side || '_id',
                          amount => 'amount', balance => 'balance',
                          side => side, normal => 'credit',
                          floor => 'floor', unbounded => 'unbounded')
  FROM unnest('{debit,credit}'::text[]) AS side;

CREATE FUNCTION old.take_wallet(message jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    paid  money_micro = (message->>'amount')::money_micro;
BEGIN
    IF (SELECT balance >= paid FROM old.wallet WHERE id = 'shop') THEN
        PERFORM shop.other_work();
        INSERT INTO old.transfer (debit_id, credit_id, amount)
        VALUES ('shop', message->>'customer', paid);
        UPDATE old.wallet SET balance = balance - paid WHERE id = 'shop';
        UPDATE old.wallet SET balance = balance + paid
         WHERE id = message->>'customer';
    END IF;
    RETURN true;
END
$$;

CREATE FUNCTION guarded.take_wallet(message jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM shop.other_work();
    INSERT INTO guarded.transfer (debit_id, credit_id, amount)
    VALUES ('shop', message->>'customer', (message->>'amount')::money_micro);
    RETURN true;
EXCEPTION WHEN SQLSTATE '23I05' THEN
    RETURN true;  -- there is not enough left
END
$$;

-- The payouts: at most 400 sales, within a second; the batch: at most 1,000.
CREATE TABLE shop.batch AS
SELECT row_number() OVER (ORDER BY seq) AS n, customer,
       unit_price * quantity AS amount
  FROM shop.line
 WHERE kind = 'sale' AND customer IS NOT NULL AND unit_price > 0
   AND unit_price * quantity < '1000'
 ORDER BY seq LIMIT 1000;

INSERT INTO shop.delivery (queue, consumer, planned, message)
SELECT 'wallet', n % :consumers, n / 400.0 * '1 s'::interval,
       jsonb_build_object('customer', customer, 'amount', amount::text)
  FROM shop.batch WHERE n <= 400;

-- The house funds both accounts with half of what is asked of them.
INSERT INTO old.wallet (id, unbounded)
SELECT DISTINCT customer, false FROM shop.batch
UNION ALL VALUES ('house', true), ('shop', false), ('batch', false);
INSERT INTO guarded.wallet SELECT * FROM old.wallet;
CREATE TABLE shop.funds AS
SELECT 'shop' AS account, idem.from_minor(idem.to_minor(sum(amount), 'GBP') / 2, 'GBP') AS amount
  FROM shop.batch WHERE n <= 400
UNION ALL
SELECT 'batch', idem.from_minor(idem.to_minor(sum(amount), 'GBP') / 2, 'GBP')
  FROM shop.batch;
INSERT INTO guarded.transfer (debit_id, credit_id, amount)
SELECT 'house', account, amount FROM shop.funds;
INSERT INTO old.transfer (debit_id, credit_id, amount)
SELECT 'house', account, amount FROM shop.funds;
UPDATE old.wallet SET balance = balance + amount
  FROM shop.funds WHERE id = account;
UPDATE old.wallet SET balance = balance - (SELECT sum(amount) FROM shop.funds)
 WHERE id = 'house';

CREATE FUNCTION shop.wallet_progress(way text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    said text;
BEGIN
    EXECUTE format(
        $q$SELECT (SELECT count(*) FILTER (WHERE done) || ' of ' || count(*)
                     FROM shop.delivery WHERE queue = 'wallet')
               || ' asked, the account has ' || balance
             FROM %I.wallet WHERE id = 'shop'$q$, way)
       INTO said;
    RETURN said;
END
$$;

-- One statement.  The old way pays what fits into the balance that it sees.
CREATE PROCEDURE shop.pay_batch(way text)
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO shop.run (way, queue, started)
    VALUES (way, 'batch', clock_timestamp());
    IF way = 'old' THEN
        INSERT INTO old.transfer (debit_id, credit_id, amount)
        SELECT 'batch', customer, amount FROM shop.batch
         WHERE amount <= (SELECT balance FROM old.wallet WHERE id = 'batch');
        UPDATE old.wallet AS w SET balance = balance + t.sum
          FROM (SELECT credit_id, sum(amount) FROM old.transfer
                 WHERE debit_id = 'batch' GROUP BY 1) AS t
         WHERE w.id = t.credit_id;
        UPDATE old.wallet SET balance = balance
               - (SELECT sum(amount) FROM old.transfer WHERE debit_id = 'batch')
         WHERE id = 'batch';
    ELSE
        BEGIN
            INSERT INTO guarded.transfer (debit_id, credit_id, amount)
            SELECT 'batch', customer, amount FROM shop.batch;
        EXCEPTION WHEN SQLSTATE '23I05' THEN
            INSERT INTO guarded.transfer (debit_id, credit_id, amount)
            SELECT 'batch', customer, b.amount
              FROM (SELECT *, sum(amount) OVER (ORDER BY n) AS all_so_far
                      FROM shop.batch) AS b
              JOIN shop.funds AS f ON f.account = 'batch'
             WHERE b.all_so_far <= f.amount;
        END;
    END IF;
    UPDATE shop.run AS r SET ended = clock_timestamp()
     WHERE r.way = pay_batch.way AND r.queue = 'batch';
END
$$;
CREATE FUNCTION shop.batch_progress(way text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    said text;
BEGIN
    EXECUTE format(
        $q$SELECT count(*) || ' paid, the account has '
               || (SELECT balance FROM %1$I.wallet WHERE id = 'batch')
             FROM %1$I.transfer WHERE debit_id = 'batch'$q$, way)
       INTO said;
    RETURN said;
END
$$;
