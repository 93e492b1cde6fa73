-- limit: 5,000 refunds a round, one INSERT each, over 5,000 payments.
--
-- Beside the guard: the foreign key alone (which refuses nothing), and the
-- PL/pgSQL trigger that keeps a running total on the payment.

CREATE TABLE bench.payment_fk (id integer PRIMARY KEY, amount bigint NOT NULL,
                               refunded bigint NOT NULL DEFAULT 0);
CREATE TABLE bench.payment_idem (id integer PRIMARY KEY, amount bigint NOT NULL);
CREATE TABLE bench.payment_plpgsql (LIKE bench.payment_fk INCLUDING ALL);
INSERT INTO bench.payment_fk SELECT i, 1000000 FROM generate_series(1, 5000) i;
INSERT INTO bench.payment_idem SELECT i, 1000000 FROM generate_series(1, 5000) i;
INSERT INTO bench.payment_plpgsql SELECT i, 1000000 FROM generate_series(1, 5000) i;

CREATE TABLE bench.refund_fk (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id integer NOT NULL REFERENCES bench.payment_fk, amount bigint NOT NULL);
CREATE TABLE bench.refund_idem (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id integer NOT NULL REFERENCES bench.payment_idem, amount bigint NOT NULL);
CREATE TABLE bench.refund_plpgsql (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id integer NOT NULL REFERENCES bench.payment_plpgsql, amount bigint NOT NULL);

SELECT idem.guard_limit('bench.refund_idem', 'payment_id', amount => 'amount',
                        cap => 'amount', used => 'refunded', released => NULL);

CREATE FUNCTION bench.running_total() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE bench.payment_plpgsql SET refunded = refunded + NEW.amount
    WHERE id = NEW.payment_id AND refunded + NEW.amount <= amount;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'refund exceeds payment';
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER running_total BEFORE INSERT ON bench.refund_plpgsql
    FOR EACH ROW EXECUTE FUNCTION bench.running_total();

INSERT INTO bench.variant (what, variant, statement)
SELECT 'refund', variant, format(
    'DO $do$ BEGIN FOR i IN 1 .. 5000 LOOP
        INSERT INTO bench.%I (payment_id, amount) VALUES (i, 1);
     END LOOP; END $do$', tab)
FROM (VALUES ('idem', 'refund_idem'), ('foreign key only', 'refund_fk'),
             ('PL/pgSQL running total', 'refund_plpgsql')) AS v (variant, tab);
