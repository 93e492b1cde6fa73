-- pair: an INSERT of a child whose state has to go with that of its parent,
-- and an UPDATE of the parent's state, beside what one would write by hand.
--
-- Every way has orders and refunds of its own: no check at all; the foreign key
-- alone; the guard, at once and at the entry; and the PL/pgSQL triggers that
-- lock the order and look at its state, and at the refunds of an order.  All
-- but the first have the foreign key.

CREATE FUNCTION bench.make_pair(way text, orders int, earlier int, kind text) RETURNS void
LANGUAGE plpgsql AS $make$
DECLARE
    "order" text := format('bench.order_%s_%s', way, kind);
    refund  text := format('bench.refund_%s_%s_pair', way, kind);
BEGIN
    EXECUTE format('CREATE TABLE %s (id int PRIMARY KEY, serial_no text NOT NULL, payer text NOT NULL, status text NOT NULL,
                    created timestamptz NOT NULL, note text) WITH (fillfactor = 50)', "order");
    EXECUTE format('INSERT INTO %s SELECT i, md5(i::text), ''user '' || i, ''refunding'', now(), repeat(''x'', 60) FROM generate_series(1, %s) i', "order", orders);
    EXECUTE format('CREATE TABLE %s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id int NOT NULL, status text NOT NULL, amount bigint NOT NULL)', refund);
    EXECUTE format('INSERT INTO %s (order_id, status, amount) SELECT i, ''failed'', 1 FROM generate_series(1, %s) i, generate_series(1, %s)', refund, orders, earlier);
    EXECUTE format('CREATE INDEX ON %s (order_id)', refund);
    IF way <> 'bare' THEN
        EXECUTE format('ALTER TABLE %s ADD FOREIGN KEY (order_id) REFERENCES %s', refund, "order");
    END IF;
    CASE
        WHEN way IN ('idem', 'entry') THEN
            PERFORM idem.guard_parent_state(refund::regclass, 'order_id', state => 'status', parent_state => 'status',
                                            allowed => '{"requested":"{paid,refunding}","sent":"{refunding}"}',
                                            judge => CASE way WHEN 'idem' THEN 'row' ELSE 'entry' END);
        WHEN way IN ('hand', 'share') THEN
            EXECUTE format($sql$
                CREATE FUNCTION %2$s_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
                DECLARE
                    now_is text;
                BEGIN
                    SELECT status INTO now_is FROM %1$s WHERE id = NEW.order_id FOR %3$s;
                    IF NEW.status = 'requested' AND now_is NOT IN ('paid', 'refunding') OR NEW.status = 'sent' AND now_is <> 'refunding' THEN
                        RAISE EXCEPTION 'states disagree';
                    END IF;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER pair BEFORE INSERT OR UPDATE ON %2$s FOR EACH ROW EXECUTE FUNCTION %2$s_trigger();
                CREATE FUNCTION %1$s_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF EXISTS (SELECT FROM %2$s WHERE order_id = NEW.id AND (status = 'requested' AND NEW.status NOT IN ('paid', 'refunding')
                               OR status = 'sent' AND NEW.status <> 'refunding')) THEN
                        RAISE EXCEPTION 'states disagree';
                    END IF;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER pair AFTER UPDATE OF status ON %1$s FOR EACH ROW EXECUTE FUNCTION %1$s_trigger()$sql$,
                "order", refund, CASE way WHEN 'hand' THEN 'NO KEY UPDATE' ELSE 'SHARE' END);
        ELSE NULL;
    END CASE;
END $make$;

SELECT bench.make_pair(way, 500, 5, 'spread') FROM unnest('{bare,fk,idem,entry,hand}'::text[]) way;
SELECT bench.make_pair(way, 1, 1, 'day') FROM unnest('{fk,idem,entry,hand,share}'::text[]) way;
