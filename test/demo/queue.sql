-- queue.sql - real records, and a queue that delivers too often
--
-- shop.line holds the invoice lines as they were.  shop.delivery is the queue:
-- every row is one delivery of a message to one consumer, due at a moment
-- after the start.  Several rows with the same message are the repeats.
--
-- shop.consume('old', 'debit', 3) is consumer 3 at work: it takes what is due
-- for it, calls old.take_debit(message), and commits.  The answer says
-- whether the message is settled; if not, it is delivered once more, a little
-- later.  Both ways are served by this same procedure, so that nothing differs
-- but the function they put behind it.

CREATE SCHEMA shop;
CREATE SCHEMA old;
CREATE SCHEMA guarded;
CREATE SCHEMA careless;

CREATE TABLE shop.line (
    seq         bigint PRIMARY KEY,
    invoice     text NOT NULL,
    kind        text NOT NULL,
    stock_code  text NOT NULL,
    quantity    integer NOT NULL,
    invoice_ts  timestamp NOT NULL,
    unit_price  money_micro NOT NULL,
    customer    text,
    country     text NOT NULL
);

CREATE TABLE shop.delivery (
    queue     text NOT NULL,
    consumer  integer NOT NULL,
    planned   interval NOT NULL,
    message   jsonb NOT NULL,
    due       interval,  -- planned, or when it comes again
    done      boolean
);
CREATE INDEX delivery_due ON shop.delivery (queue, consumer, due)
    WHERE NOT done;

-- When a way began to work on a queue, so that all its consumers go by one
-- clock, and when its last delivery was settled.
CREATE TABLE shop.run (
    way      text,
    queue    text,
    started  timestamptz NOT NULL,
    ended    timestamptz,
    lines    bigint,  -- done so far, where there is no queue
    PRIMARY KEY (way, queue)
);

-- Every queue in full again, the clock set to a moment in which all consumers
-- will have connected.
CREATE PROCEDURE shop.begin_run(way text, queue text)
LANGUAGE sql
BEGIN ATOMIC
    UPDATE shop.delivery AS d SET due = planned, done = false
     WHERE d.queue = begin_run.queue;
    INSERT INTO shop.run (way, queue, started)
    VALUES (way, queue, clock_timestamp() + '0.5 s');
END;

CREATE PROCEDURE shop.consume(way text, queue text, consumer integer)
LANGUAGE plpgsql AS $$
DECLARE
    start    timestamptz;
    position tid;
    wait     double precision;
    message  jsonb;
    settled  boolean;
BEGIN
    SELECT r.started INTO start FROM shop.run AS r
     WHERE r.way = consume.way AND r.queue = consume.queue;
    LOOP
        SELECT d.ctid, d.message,
               extract(epoch FROM start + d.due - clock_timestamp())
          INTO position, message, wait
          FROM shop.delivery AS d
         WHERE d.queue = consume.queue AND d.consumer = consume.consumer
           AND NOT d.done
         ORDER BY d.due LIMIT 1;
        EXIT WHEN NOT FOUND;
        PERFORM pg_sleep(greatest(wait, 0));
        EXECUTE format('SELECT %I.%I($1)', way, 'take_' || queue)
           INTO settled USING message;
        UPDATE shop.delivery AS d
           SET done = settled,
               due = CASE WHEN settled THEN due
                          ELSE clock_timestamp() - start + '20 ms' END
         WHERE d.ctid = position;
        COMMIT;
    END LOOP;
    UPDATE shop.run AS r SET ended = clock_timestamp()
     WHERE r.way = consume.way AND r.queue = consume.queue;
END
$$;

CREATE FUNCTION shop.seconds(way text, queue text) RETURNS text
LANGUAGE sql STABLE
RETURN (SELECT round(extract(epoch FROM r.ended - r.started), 1)::text
          FROM shop.run AS r
         WHERE r.way = seconds.way AND r.queue = seconds.queue);

-- What can be said while they work: shop.debit_progress(way) and its sisters.
CREATE FUNCTION shop.progress(queue text, way text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    said  text;
BEGIN
    EXECUTE format('SELECT shop.%I($1)', queue || '_progress')
       INTO said USING way;
    RETURN said;
END
$$;

-- The table at the end, in the order of insertion.  Without old and idem a row
-- is a heading; careless: idem, and consumers that do not claim.
CREATE TABLE shop.result (
    id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what    text NOT NULL,
    old     text,
    idem    text,
    careless text,
    failed  boolean NOT NULL DEFAULT false  -- did idem let something through?
);

-- What a consumer does besides: it asks another service, say.  It is the time
-- between looking and writing that the repeats slip through.
CREATE FUNCTION shop.other_work() RETURNS void
LANGUAGE sql VOLATILE
RETURN pg_sleep(0.005);
