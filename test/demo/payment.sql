-- payment.sql - payments and their notices: late, repeated, out of order
--
-- Every payment is a real invoice.  A notice says that a payment is being
-- paid, has succeeded or has failed; it comes once to three times.  Some
-- outcomes overtake the notice before them, some notices come when all is
-- over, and some contradict what was said before.
--
-- old.take_notice writes down what it is told, as the old code did.
-- guarded.take_notice runs the same UPDATE on a table that a state machine
-- guards, and reads the SQLSTATE.  After the UPDATE that made a payment
-- succeed both push the business (ship the goods), which must happen once.

CREATE TABLE old.payment (
    id        text PRIMARY KEY,
    customer  text NOT NULL,
    amount    money_micro NOT NULL,
    status    text NOT NULL
);
CREATE TABLE guarded.payment (LIKE old.payment INCLUDING ALL);
CREATE TABLE old.shipment (payment text NOT NULL);
CREATE TABLE guarded.shipment (payment text NOT NULL);

SELECT idem.define_machine('payment', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    paying --> succeeded : confirm
    paying --> failed : reject
    succeeded --> [*]
    failed --> [*]
$$);
SELECT idem.guard_states('guarded.payment', 'status', 'payment');

CREATE FUNCTION old.take_notice(notice jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE old.payment SET status = notice->>'status'
     WHERE id = notice->>'payment';
    IF FOUND AND notice->>'status' = 'succeeded' THEN
        INSERT INTO old.shipment VALUES (notice->>'payment');
    END IF;
    RETURN true;
END
$$;

CREATE FUNCTION guarded.take_notice(notice jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE guarded.payment SET status = notice->>'status'
     WHERE id = notice->>'payment';
    IF FOUND AND notice->>'status' = 'succeeded' THEN
        INSERT INTO guarded.shipment VALUES (notice->>'payment');
    END IF;
    RETURN true;
EXCEPTION
    WHEN SQLSTATE '23I03' OR SQLSTATE '23I04' THEN
        RETURN true;    -- final, or that state already: nothing left to do
    WHEN SQLSTATE '23I01' THEN
        RETURN false;   -- no way there from here, yet: once more, later
END
$$;

-- What really happened to the rows, written down by a plain trigger and judged
-- by a plain list, so that idem is not its own witness.
CREATE TABLE shop.move (
    way      text NOT NULL,
    payment  text NOT NULL,
    before   text NOT NULL,
    after    text NOT NULL
);
CREATE FUNCTION shop.write_move() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO shop.move
    VALUES (TG_TABLE_SCHEMA, NEW.id, OLD.status, NEW.status);
    RETURN NULL;
END
$$;
CREATE TRIGGER write_move AFTER UPDATE ON old.payment
    FOR EACH ROW EXECUTE FUNCTION shop.write_move();
CREATE TRIGGER write_move AFTER UPDATE ON guarded.payment
    FOR EACH ROW EXECUTE FUNCTION shop.write_move();
CREATE VIEW shop.wrong_move AS
SELECT * FROM shop.move
 WHERE (before, after) NOT IN (('created', 'paying'), ('paying', 'succeeded'),
                               ('paying', 'failed'));

-- The payments: at most 300 invoices, 100 a second.
INSERT INTO old.payment
SELECT invoice, customer, sum(unit_price * quantity), 'created'
  FROM shop.line
 WHERE kind = 'sale' AND customer IS NOT NULL AND unit_price > 0
 GROUP BY invoice, customer ORDER BY invoice LIMIT 300;
INSERT INTO guarded.payment SELECT * FROM old.payment;

CREATE TABLE shop.notice AS
WITH p AS (
    SELECT id, n, n / 100.0 AS at,
           CASE n % 5 WHEN 0 THEN 'failed' ELSE 'succeeded' END AS outcome
      FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n
              FROM old.payment) AS numbered)
SELECT id, 'paying' AS status, at, 'in time' AS manner FROM p
UNION ALL
SELECT id, outcome, at + 0.15, 'in time' FROM p WHERE n % 4 <> 1
UNION ALL
SELECT id, outcome, at - 0.03, 'out of order' FROM p WHERE n % 4 = 1
UNION ALL
SELECT id, 'paying', at + 0.7, 'late' FROM p WHERE n % 3 = 0
UNION ALL
SELECT id, CASE outcome WHEN 'failed' THEN 'succeeded' ELSE 'failed' END,
       at + 0.6, 'contradicting' FROM p WHERE n % 7 = 0;

SELECT setseed(0.20);
INSERT INTO shop.delivery (queue, consumer, planned, message)
SELECT 'notice', (n + copy)::integer % :consumers,
       (at + CASE copy WHEN 1 THEN 0 ELSE random() ^ 4 * 0.9 END) * '1 s'::interval,
       jsonb_build_object('payment', id, 'status', status)
  FROM (SELECT *, row_number() OVER (ORDER BY at, id) AS n,
               1 + floor(random() * 3)::integer AS copies
          FROM shop.notice) AS m,
       generate_series(1, copies) AS copy;

CREATE FUNCTION shop.notice_progress(way text) RETURNS text
LANGUAGE sql STABLE
RETURN (SELECT count(*) FILTER (WHERE done) || ' of ' || count(*)
          FROM shop.delivery WHERE queue = 'notice')
    || ' notices, '
    || (SELECT count(*) FROM shop.wrong_move AS m
         WHERE m.way = notice_progress.way) || ' wrong moves';

CREATE FUNCTION shop.shipped_twice(way text) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    n bigint;
BEGIN
    EXECUTE format(
        $q$SELECT count(*) FROM (SELECT FROM %I.shipment GROUP BY payment
                                 HAVING count(*) > 1) AS s$q$, way) INTO n;
    RETURN n;
END
$$;
