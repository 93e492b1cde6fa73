-- refund.sql - sales and their cancellations against the refund limit
--
-- guarded.purchase is what a customer bought of an article so far, in pieces
-- and in money; it grows with every sale.  A cancellation is a child of it,
-- once in guarded.returned (pieces) and once in guarded.refund (money), each
-- with a limit of its own.  The guards decide: nothing here compares a
-- cancellation with what is left.
--
-- old.purchase and old.refund are the same without guards, where every
-- cancellation is booked as it comes.

CREATE TABLE guarded.purchase (
    customer    text,
    stock_code  text,
    pieces      bigint NOT NULL,
    amount      money_micro NOT NULL,
    PRIMARY KEY (customer, stock_code)
);
CREATE TABLE old.purchase (LIKE guarded.purchase INCLUDING ALL);

CREATE TABLE guarded.returned (
    seq         bigint PRIMARY KEY,
    customer    text NOT NULL,
    stock_code  text NOT NULL,
    pieces      bigint NOT NULL,
    FOREIGN KEY (customer, stock_code) REFERENCES guarded.purchase
);
CREATE TABLE guarded.refund (
    seq         bigint PRIMARY KEY,
    customer    text NOT NULL,
    stock_code  text NOT NULL,
    amount      money_micro NOT NULL,
    FOREIGN KEY (customer, stock_code) REFERENCES guarded.purchase
);
CREATE TABLE old.refund (
    seq         bigint PRIMARY KEY,
    customer    text NOT NULL,
    stock_code  text NOT NULL,
    pieces      bigint NOT NULL,
    amount      money_micro NOT NULL
);

SELECT idem.guard_limit('guarded.returned', ARRAY['customer', 'stock_code'],
                        amount => 'pieces', cap => 'pieces',
                        used => 'returned', released => NULL,
                        cap_grows => true);
SELECT idem.guard_limit('guarded.refund', ARRAY['customer', 'stock_code'],
                        amount => 'amount', cap => 'amount',
                        used => 'refunded', released => NULL,
                        cap_grows => true);

CREATE TABLE shop.verdict (
    cancel_seq           bigint PRIMARY KEY,
    invoice              text NOT NULL,
    stock_code           text NOT NULL,
    customer             text NOT NULL,
    cancel_qty           bigint NOT NULL,
    unit_price           money_micro NOT NULL,
    cancel_amount_micro  bigint NOT NULL,
    kind                 text NOT NULL,
    verdict_qty          text NOT NULL,
    verdict_money        text NOT NULL
);
CREATE TABLE shop.expected (LIKE shop.verdict INCLUDING ALL);

CREATE PROCEDURE shop.buy(way text, line shop.line)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        $q$INSERT INTO %I.purchase AS p (customer, stock_code, pieces, amount)
           VALUES ($1, $2, $3, $4)
           ON CONFLICT (customer, stock_code) DO UPDATE
           SET pieces = p.pieces + excluded.pieces,
               amount = p.amount + excluded.amount$q$, way)
      USING line.customer, line.stock_code, line.quantity::bigint,
            line.unit_price * line.quantity;
END
$$;

-- In words, what the guard said: a purchase that is not there is refused by
-- the foreign key, one that has not enough left by the limit.
CREATE FUNCTION shop.refusal(state text, something_left boolean) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN state = '23503' THEN 'no_purchase_seen'
            WHEN something_left THEN 'partly_over'
            ELSE 'fully_over' END;

CREATE FUNCTION shop.return_pieces(line shop.line) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO guarded.returned
    VALUES (line.seq, line.customer, line.stock_code, -line.quantity);
    RETURN 'accepted';
EXCEPTION
    WHEN SQLSTATE '23I05' OR foreign_key_violation THEN
        RETURN shop.refusal(SQLSTATE,
            (SELECT pieces > returned FROM guarded.purchase AS p
              WHERE (p.customer, p.stock_code)
                  = (line.customer, line.stock_code)));
END
$$;

CREATE FUNCTION shop.refund_money(line shop.line) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO guarded.refund
    VALUES (line.seq, line.customer, line.stock_code,
            line.unit_price * -line.quantity);
    RETURN 'accepted';
EXCEPTION
    WHEN SQLSTATE '23I05' OR foreign_key_violation THEN
        RETURN shop.refusal(SQLSTATE,
            (SELECT amount > refunded FROM guarded.purchase AS p
              WHERE (p.customer, p.stock_code)
                  = (line.customer, line.stock_code)));
END
$$;

-- One cancellation in both ways of counting, and the verdict as a row.
CREATE PROCEDURE shop.cancel_guarded(line shop.line)
LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO shop.verdict
    SELECT line.seq, line.invoice, line.stock_code, line.customer,
           -line.quantity, line.unit_price,
           ((line.unit_price * -line.quantity)::numeric * 1000000)::bigint,
           CASE WHEN line.stock_code ~ '^[0-9]{5}[A-Za-z]{0,2}$'
                THEN 'product' ELSE 'special' END,
           shop.return_pieces(line), shop.refund_money(line);
END;

CREATE PROCEDURE shop.cancel_old(line shop.line)
LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO old.refund
    SELECT line.seq, line.customer, line.stock_code, -line.quantity,
           line.unit_price * -line.quantity;
END;

-- All lines with a customer, in the order of time, 1000 lines a transaction.
CREATE PROCEDURE shop.settle(way text)
LANGUAGE plpgsql AS $$
DECLARE
    line     shop.line;
    n        bigint := 0;
BEGIN
    INSERT INTO shop.run (way, queue, started)
    VALUES (way, 'refund', clock_timestamp());
    FOR line IN SELECT * FROM shop.line AS l
                 WHERE l.kind IN ('sale', 'cancel') AND l.customer IS NOT NULL
                 ORDER BY seq LOOP
        IF line.kind = 'sale' THEN
            CALL shop.buy(way, line);
        ELSIF way = 'old' THEN
            CALL shop.cancel_old(line);
        ELSE
            CALL shop.cancel_guarded(line);
        END IF;
        n := n + 1;
        IF n % 1000 = 0 THEN
            UPDATE shop.run AS r SET lines = n
             WHERE r.way = settle.way AND r.queue = 'refund';
            COMMIT;
        END IF;
    END LOOP;
    UPDATE shop.run AS r SET lines = n, ended = clock_timestamp()
     WHERE r.way = settle.way AND r.queue = 'refund';
END
$$;

CREATE FUNCTION shop.refund_progress(way text) RETURNS text
LANGUAGE sql STABLE
RETURN (SELECT coalesce(max(lines), 0) FROM shop.run AS r
         WHERE r.way = refund_progress.way AND r.queue = 'refund')
    || ' of '
    || (SELECT count(*) FROM shop.line
         WHERE kind IN ('sale', 'cancel') AND customer IS NOT NULL)
    || ' lines';
