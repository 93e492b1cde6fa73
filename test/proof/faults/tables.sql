-- tables.sql - what the workers of faults.sh work on
--
-- An effect is a row of a table without any unique index, an account is
-- debited with it, every move of a payment is noted by a trigger of the user's
-- own, and purses have their entries, in journals; amounts are plain numbers: so
-- the oracle needs nothing of idem to see what happened.

CREATE EXTENSION idem;
SELECT idem.create_scope('work', effect => 'inside', fields => '{amount}');
SELECT idem.create_scope('loose', effect => 'inside', fields => '{amount}', flush => false);
SELECT idem.create_scope('dated', effect => 'inside', fields => '{}', key_time => 'YYYYMMDD');
SELECT idem.create_scope('sent', effect => 'outside', fields => '{amount}');

CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL);
INSERT INTO account SELECT i, 1000000000 FROM generate_series(0, 9) i;
CREATE TABLE effect (key text NOT NULL, account int NOT NULL, amount int NOT NULL, tag text NOT NULL);
CREATE INDEX ON effect (key);

CREATE TABLE payment (
    id        int PRIMARY KEY,
    amount    bigint NOT NULL,
    currency  text NOT NULL,
    status    text NOT NULL,
    note      int NOT NULL DEFAULT 0
);
CREATE TABLE refund (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id  int NOT NULL REFERENCES payment,
    amount      bigint NOT NULL,
    currency    text NOT NULL,
    status      text NOT NULL,
    tag         text NOT NULL
);
CREATE INDEX ON refund (payment_id);
CREATE INDEX ON refund (tag);

SELECT * FROM idem.define_machine('payment', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    paying --> succeeded : confirm
    paying --> failed : reject
    paying --> checking : doubt
    checking --> succeeded : confirm
    checking --> failed : reject
    succeeded --> [*]
    failed --> [*]
$$);
SELECT idem.guard_states('payment', 'status', 'payment');
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
                        state => 'status', released => '{failed}', same => '{"currency":"currency"}');
SELECT idem.guard_fixed('payment', '{amount,currency}');

-- Every move, in the order in which the row was locked.
CREATE TABLE moved (n bigserial PRIMARY KEY, payment int NOT NULL, before text, after text NOT NULL);
CREATE INDEX ON moved (payment);
CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO moved (payment, after) VALUES (NEW.id, NEW.status);
    ELSIF OLD.status IS DISTINCT FROM NEW.status THEN
        INSERT INTO moved (payment, before, after) VALUES (NEW.id, OLD.status, NEW.status);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER zz_note_move AFTER INSERT OR UPDATE ON payment
    FOR EACH ROW EXECUTE FUNCTION note_move();
ALTER TABLE payment ENABLE ALWAYS TRIGGER zz_note_move;

-- Purses and their entries: what is booked is in a journal, with both sides of
-- it; a hold is pending until it is posted by entries that name it, or void.
-- Purse 0 is the house's and has no floor.
CREATE TABLE purse (id int PRIMARY KEY, house boolean NOT NULL DEFAULT false, floor bigint NOT NULL DEFAULT 0);
CREATE TABLE journal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tag text NOT NULL);
CREATE TABLE entry (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    journal_id  bigint NOT NULL REFERENCES journal,
    purse       int NOT NULL REFERENCES purse,
    direction   text NOT NULL,
    amount      bigint NOT NULL,
    status      text NOT NULL,
    hold_id     bigint UNIQUE REFERENCES entry
);
CREATE INDEX ON journal (tag);
CREATE INDEX ON entry (journal_id);
CREATE INDEX ON entry (purse);
INSERT INTO purse SELECT i, i = 0 FROM generate_series(0, 8) i;
SELECT idem.guard_balance('entry', 'purse', amount => 'amount', balance => 'balance', direction => 'direction', debit => 'D', credit => 'C',
                          normal => 'credit', floor => 'floor', unbounded => 'house', state => 'status', pending => '{pending}', released => '{void}', posts => 'hold_id');
SELECT idem.guard_journal('entry', 'journal_id', amount => 'amount', direction => 'direction', debit => 'D', credit => 'C',
                          state => 'status', pending => '{pending}', released => '{void}');

-- From one purse to another, at once or held; off: the sides differ.
CREATE FUNCTION book(a int, b int, n int, phase text, off int, tag text) RETURNS text LANGUAGE sql AS $$
    WITH j AS (INSERT INTO journal (tag) VALUES (tag) RETURNING id),
        e AS (INSERT INTO entry (journal_id, purse, direction, amount, status)
            SELECT id, p, d, m, phase FROM j, (VALUES (a, 'D', n), (b, 'C', n + off)) v (p, d, m) RETURNING journal_id)
    SELECT concat_ws('|', 'book', min(journal_id), tag, phase) FROM e
$$;
DO $$ BEGIN PERFORM book(0, i, 500, 'posted', 0, 'funds') FROM generate_series(1, 8) i; END $$;

-- A journal that is pending and not posted, as this session sees it.
CREATE FUNCTION any_hold() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT h.journal_id FROM entry h WHERE h.status = 'pending' AND NOT EXISTS (SELECT FROM entry p WHERE p.hold_id = h.id)
    ORDER BY h.journal_id DESC OFFSET floor(random() * 5) LIMIT 1
$$;

-- Both sides of a hold are posted, all of it or a part.
CREATE FUNCTION post_hold(hold bigint, part int, tag text) RETURNS text LANGUAGE sql AS $$
    WITH j AS (INSERT INTO journal (tag) SELECT tag WHERE hold IS NOT NULL RETURNING id),
        e AS (INSERT INTO entry (journal_id, purse, direction, amount, status, hold_id)
            SELECT j.id, h.purse, h.direction, 1 + h.amount * part / 100, 'posted', h.id FROM j, entry h
            WHERE h.journal_id = hold AND h.status = 'pending' ORDER BY h.id RETURNING journal_id)
    SELECT concat_ws('|', 'book', min(journal_id), tag, 'posting') FROM e HAVING count(*) > 0
$$;

-- What a snapshot shows of a purse: balance, held, and the sums of its entries.
CREATE FUNCTION see_purse(p int) RETURNS SETOF text LANGUAGE sql VOLATILE AS $$
    SELECT concat_ws('|', 'purse', id, balance, held,
        (SELECT COALESCE(sum(CASE direction WHEN 'C' THEN amount ELSE - amount END), 0) FROM entry e WHERE e.purse = p AND status = 'posted'),
        (SELECT COALESCE(sum(amount), 0) FROM entry h WHERE h.purse = p AND direction = 'D' AND status = 'pending'
            AND NOT EXISTS (SELECT FROM entry o WHERE o.hold_id = h.id)))
    FROM purse WHERE id = p
$$;

-- A scope that is dropped and declared anew all the time ("mayfly"): what was
-- granted in which of its lives.  Whoever holds a key of it holds off the drop,
-- so the number that is read after the claim is the one of the claim.
CREATE TABLE mayfly_generation (n int NOT NULL);
INSERT INTO mayfly_generation VALUES (0);
CREATE TABLE mayfly_effect (key text NOT NULL, generation int NOT NULL, tag text NOT NULL);
CREATE INDEX ON mayfly_effect (key);
CREATE FUNCTION pay_mayfly(k text, tag text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    c record;
BEGIN
    SELECT * INTO c FROM idem.claim('mayfly', k);
    IF c.granted THEN
        INSERT INTO mayfly_effect SELECT k, n, tag FROM mayfly_generation;
    END IF;
    RETURN concat_ws('|', 'mayfly', k, c.outcome, c.granted);
END $$;

-- A reservation that is given up at once, or the scope could not be dropped.
CREATE FUNCTION hold_mayfly(k text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    SELECT * INTO r FROM idem.reserve('mayfly', k);
    IF r.outcome = 'reserved' THEN
        PERFORM FROM idem.complete('mayfly', k, r.token, 'failed', '{"sent":false}');
    END IF;
    RETURN concat_ws('|', 'mayfly', k, r.outcome, r.granted);
END $$;

-- The n-th day that keys may carry.
CREATE FUNCTION day_of(n int) RETURNS timestamptz IMMUTABLE LANGUAGE sql
    RETURN timestamptz '2001-01-01 00:00:00+00' + n * interval '24 hours';
CREATE TABLE dated_effect (day int NOT NULL, key text NOT NULL, tag text NOT NULL);
CREATE INDEX ON dated_effect (key);
CREATE FUNCTION pay_dated(n int, m int, tag text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    k text := to_char(day_of(n) AT TIME ZONE 'UTC', 'YYYYMMDD') || '-' || m;
    c record;
BEGIN
    SELECT * INTO c FROM idem.claim('dated', k);
    IF c.granted THEN
        INSERT INTO dated_effect VALUES (n, k, tag);
    END IF;
    RETURN concat_ws('|', 'dated', k, c.outcome, c.granted, c.settled, n, clock_timestamp());
END $$;

-- One key in five may be lost together with its effect, as synchronous_commit
-- has it; the commit of all others is forced.
CREATE FUNCTION scope_of(k text) RETURNS text IMMUTABLE LANGUAGE sql
    RETURN CASE WHEN substr(k, 2)::int % 5 = 0 THEN 'loose' ELSE 'work' END;

-- A consumer that looks at "granted" and at nothing else.
CREATE FUNCTION pay(k text, a int, tag text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    called timestamptz := clock_timestamp();
    r jsonb := jsonb_build_object('amount', a);
    c idem.claim_result;
BEGIN
    IF a % 4 = 0 THEN
        SELECT * INTO c FROM idem.claim_many(scope_of(k), ARRAY[k], ARRAY[r]);
    ELSE
        c := idem.claim(scope_of(k), k, r);
    END IF;
    IF c.granted THEN
        INSERT INTO effect VALUES (k, a % 10, a, tag);
        UPDATE account SET balance = balance - a WHERE id = a % 10;
    END IF;
    RETURN concat_ws('|', 'claim', k, CASE WHEN c.detail LIKE '%standbys%' THEN 'unconfirmed' ELSE c.outcome END, c.granted, c.settled, called, clock_timestamp());
END $$;

CREATE FUNCTION see(p int) RETURNS SETOF text LANGUAGE sql VOLATILE AS $$
    SELECT concat_ws('|', 'see', id, status, amount, refunded,
        (SELECT COALESCE(sum(r.amount), 0) FROM refund r WHERE r.payment_id = p AND r.status <> 'failed'),
        clock_timestamp())
    FROM payment WHERE id = p
$$;

-- ---------------------------------------------------------------------------
-- What the workers said, read from their files after each round
-- ---------------------------------------------------------------------------

CREATE TABLE said (
    round    int NOT NULL,
    kind     text NOT NULL,         -- of the round's fault
    durable  boolean NOT NULL,      -- an acknowledged commit of the round outlives it
    worker   int NOT NULL,
    tx       int NOT NULL,
    level    text NOT NULL,
    began    timestamptz,           -- a moment before its first snapshot
    ended    text NOT NULL,         -- COMMIT, ROLLBACK, unknown
    ended_at timestamptz,           -- a moment after its end
    seq      int NOT NULL,
    undone   boolean NOT NULL,      -- in a savepoint that was rolled back
    what     text NOT NULL,
    w1 text, w2 text, w3 text, w4 text, w5 text, w6 text
);
CREATE INDEX ON said (what, w1);
CREATE INDEX ON said (round, worker, tx, seq);
CREATE INDEX ON said (w3) WHERE what = 'try';
