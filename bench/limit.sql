-- limit: an INSERT of a refund, beside what one would write by hand.
--
-- Every way has payments and refunds of its own: no check at all; the foreign
-- key alone, which refuses nothing; the guard; the PL/pgSQL trigger that keeps
-- a running total on the payment; and the one that locks the payment and adds
-- up its refunds, which is the usual advice and refunds too much under
-- REPEATABLE READ.  All but the first have the foreign key.

-- The tables of one way, with so many refunds for each of so many payments:
-- bench.payment_idem_10, bench.refund_idem_10.
CREATE FUNCTION bench.make_limit(way text, payments int, earlier int, kind text) RETURNS void
LANGUAGE plpgsql AS $make$
DECLARE
    payment text := format('bench.payment_%s_%s', way, kind);
    refund  text := format('bench.refund_%s_%s', way, kind);
BEGIN
    EXECUTE format('CREATE TABLE %s (id int PRIMARY KEY, serial_no text NOT NULL, payer text NOT NULL, currency text NOT NULL,
                    status text NOT NULL, created timestamptz NOT NULL, note text, amount bigint NOT NULL, refunded bigint NOT NULL DEFAULT 0)', payment);
    EXECUTE format('INSERT INTO %s SELECT i, md5(i::text), ''user '' || i, ''EUR'', ''succeeded'', now(), repeat(''x'', 60), 1000000000000
                    FROM generate_series(1, %s) i', payment, payments);
    EXECUTE format('CREATE TABLE %s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payment_id int NOT NULL, amount bigint NOT NULL)', refund);
    EXECUTE format('INSERT INTO %s (payment_id, amount) SELECT i, 1 FROM generate_series(1, %s) i, generate_series(1, %s)', refund, payments, earlier);
    EXECUTE format('CREATE INDEX ON %s (payment_id)', refund);
    IF way <> 'bare' THEN
        EXECUTE format('ALTER TABLE %s ADD FOREIGN KEY (payment_id) REFERENCES %s', refund, payment);
    END IF;
    CASE way
        WHEN 'idem' THEN
            PERFORM idem.guard_limit(refund::regclass, 'payment_id', amount => 'amount', cap => 'amount',
                                     used => 'refunded', released => NULL);
        WHEN 'total' THEN
            EXECUTE format('UPDATE %s SET refunded = %s', payment, earlier);
            EXECUTE format($sql$
                CREATE FUNCTION %2$s_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    UPDATE %1$s SET refunded = refunded + NEW.amount
                    WHERE id = NEW.payment_id AND refunded + NEW.amount <= amount;
                    IF NOT FOUND THEN
                        RAISE EXCEPTION 'refund exceeds payment';
                    END IF;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER total BEFORE INSERT ON %2$s FOR EACH ROW EXECUTE FUNCTION %2$s_trigger()$sql$,
                payment, refund);
        WHEN 'sum' THEN
            EXECUTE format($sql$
                CREATE FUNCTION %2$s_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
                DECLARE
                    allowed bigint;
                    refunded bigint;
                BEGIN
                    SELECT amount INTO allowed FROM %1$s WHERE id = NEW.payment_id FOR UPDATE;
                    SELECT sum(amount) INTO refunded FROM %2$s WHERE payment_id = NEW.payment_id;
                    IF coalesce(refunded, 0) + NEW.amount > allowed THEN
                        RAISE EXCEPTION 'refund exceeds payment';
                    END IF;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER total BEFORE INSERT ON %2$s FOR EACH ROW EXECUTE FUNCTION %2$s_trigger()$sql$,
                payment, refund);
        ELSE NULL;
    END CASE;
END $make$;

SELECT bench.make_limit(way, payments, earlier, earlier::text)
FROM unnest('{bare,fk,idem,total,sum}'::text[]) way,
     (VALUES (500, 1), (500, 10), (500, 1000)) v (payments, earlier);
-- one payment that everybody refunds, and many
SELECT bench.make_limit(way, 1, 0, 'hot'), bench.make_limit(way, 100000, 0, 'spread')
FROM unnest('{fk,idem,total,sum}'::text[]) way;
-- a million in one COPY
SELECT bench.make_limit(way, 100000, 0, 'copy') FROM unnest('{fk,idem,total}'::text[]) way;

-- 5,000 refunds a round, one statement each
SELECT bench.make_limit(way, 5000, 1, 'loop') FROM unnest('{fk,idem,total}'::text[]) way;
INSERT INTO bench.variant (what, variant, statement)
SELECT 'refund of a payment, one INSERT each', variant, format(
    'DO $do$ BEGIN FOR i IN 1 .. 5000 LOOP
        INSERT INTO bench.refund_%s_loop (payment_id, amount) VALUES (i, 1);
     END LOOP; END $do$', way)
FROM (VALUES ('idem', 'idem'), ('foreign key only', 'fk'),
             ('PL/pgSQL running total', 'total')) v (variant, way);

-- 50,000 refunds a round, one statement
INSERT INTO bench.variant (what, variant, statement)
SELECT 'refunds of 5,000 payments, ten each, one INSERT', variant, format(
    'INSERT INTO bench.refund_%s_loop (payment_id, amount)
        SELECT i, 1 FROM generate_series(1, 10), generate_series(1, 5000) i', way)
FROM (VALUES ('idem', 'idem'), ('foreign key only', 'fk'),
             ('PL/pgSQL running total', 'total')) v (variant, way);
-- 20,000 refunds of one payment in one statement, whose payment is written once
SELECT bench.make_limit(way, 1, 0, 'one') FROM unnest('{fk,idem}'::text[]) way;
INSERT INTO bench.variant (what, variant, statement)
SELECT '20,000 refunds of one payment, one INSERT', variant, format(
    'INSERT INTO bench.refund_%s_one (payment_id, amount)
        SELECT 1, 1 FROM generate_series(1, 20000)', way)
FROM (VALUES ('idem', 'idem'), ('foreign key only', 'fk')) v (variant, way);
INSERT INTO bench.bar (what, alternative, bar)
VALUES ('refund of a payment, one INSERT each', 'PL/pgSQL running total', 0.85),
       ('20,000 refunds of one payment, one INSERT', 'foreign key only', 2);
