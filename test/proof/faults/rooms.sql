-- rooms.sql - the other tables that the workers of faults.sh work on
--
-- Effects that are bound to their claims, and written by whoever does not look
-- at the answer; orders to two banks that answer in codes; parcels that go with
-- the state of their payment, and entries of days that close; payments that may
-- be the same one; what is paused, and defined anew, meanwhile; and two records
-- of the same money.

-- An effect for each claim, also where the worker does not look, and the same
-- with keys in a table of the user's.
SELECT idem.create_scope('bound', effect => 'inside', fields => '{}');
CREATE TABLE bound_effect (key text NOT NULL, tag text NOT NULL);
CREATE INDEX ON bound_effect (key);
SELECT idem.guard_claimed('bound_effect', key => '{key}', scope => 'bound');
CREATE TABLE own_key (part int NOT NULL, key text NOT NULL, request jsonb NOT NULL, response jsonb, PRIMARY KEY (part, key));
SELECT idem.guard_keys('own_key', key => '{part,key}', request => 'request', fields => '{amount}', response => 'response');
CREATE TABLE own_effect (part int NOT NULL, key text NOT NULL, tag text NOT NULL);
CREATE INDEX ON own_effect (key);
SELECT idem.guard_claimed('own_effect', key => '{part,key}', keys => 'own_key');

-- Two banks. The first one knows a payment by its key, the other one by a number
-- that is counted.
SELECT idem.define_return_codes(bank || '/pay', E'| code | meaning |\n| --- | --- |\n| 0000 | succeeded |\n| 2001 | failed |\n| 9999 | unknown |'),
       idem.define_return_codes(bank || '/query', E'| code | meaning |\n| --- | --- |\n| 0000 | succeeded |\n| 2001 | failed |\n| 4004 | absent |'),
       idem.define_return_codes(bank || '/notice', E'| code | meaning |\n| --- | --- |\n| SUCCESS | succeeded |\n| RETURNED | returned |')
    FROM (VALUES ('bankA'), ('bankB')) v (bank);
SELECT idem.create_channel('bankA', send => 'bankA/pay', inquire => 'bankA/query', notice => 'bankA/notice', serial => '{key}', serial_per => 'key',
                           echo => '{serial,amount}', absence => 'inquiry', quiet => '20 ms');
SELECT idem.create_channel('bankB', send => 'bankB/pay', inquire => 'bankB/query', notice => 'bankB/notice', serial => '{seq:9}', serial_per => 'attempt',
                           echo => '{serial,amount}', absence => 'inquiry', quiet => '20 ms');
SELECT idem.create_scope('wired', effect => 'outside', fields => '{amount}', quiet => '20 ms', channels => '{bankA,bankB}');

-- A parcel is asked for while its payment has not failed, and sent when that has
-- succeeded.
CREATE TABLE parcel (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id  int NOT NULL REFERENCES payment,
    status      text NOT NULL,
    tag         text NOT NULL
);
CREATE INDEX ON parcel (payment_id);
CREATE INDEX ON parcel (tag);
SELECT idem.guard_parent_state('parcel', 'payment_id', state => 'status', parent_state => 'status',
    allowed => '{"asked":"{created,paying,checking,succeeded}","sent":"{succeeded}"}');

-- How many parcels of a payment a snapshot shows that do not go with it.
CREATE FUNCTION see_parcels(p int) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT concat_ws('|', 'parcels', p, count(*)) FROM parcel c JOIN payment o ON o.id = c.payment_id
    WHERE o.id = p AND (c.status = 'asked' AND o.status = 'failed' OR c.status = 'sent' AND o.status <> 'succeeded')
$$;

-- Days whose entries are added up when they close.
CREATE TABLE day (id int PRIMARY KEY, status text NOT NULL, entries bigint, total bigint);
CREATE TABLE day_entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, day_id int NOT NULL REFERENCES day, amount bigint NOT NULL, tag text NOT NULL);
CREATE INDEX ON day_entry (day_id);
CREATE INDEX ON day_entry (tag);
INSERT INTO day SELECT i, 'open' FROM generate_series(0, 250) i;
SELECT idem.guard_parent_state('day_entry', 'day_id', parent_state => 'status', allowed => '{"*":"{open}"}', judge => 'entry');
CREATE FUNCTION close_day(d int) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE day SET status = 'closed' WHERE id = d AND status = 'open';
    IF FOUND THEN
        UPDATE day SET (entries, total) = (SELECT count(*), COALESCE(sum(amount), 0) FROM day_entry WHERE day_id = d) WHERE id = d;
        RETURN NEXT concat_ws('|', 'closed', d);
    END IF;
END $$;

-- Payments of the same user and amount may be the same one: held in one scope,
-- listed in the other.
SELECT idem.create_scope('held', effect => 'inside', fields => '{}', duplicate_fields => '{user}', duplicate_window => '1 day', on_duplicate => 'hold');
SELECT idem.create_scope('listed', effect => 'inside', fields => '{}', duplicate_fields => '{user}', duplicate_window => '1 day');
CREATE TABLE suspect_effect (scope text NOT NULL, who text NOT NULL, key text NOT NULL, tag text NOT NULL);
CREATE INDEX ON suspect_effect (scope, who);
CREATE FUNCTION pay_suspect(s text, k text, u text, why text, tag text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    c idem.claim_result := idem.claim(s, k, jsonb_build_object('user', u), why);
BEGIN
    IF c.granted THEN
        INSERT INTO suspect_effect VALUES (s, u, k, tag);
    END IF;
    RETURN concat_ws('|', 'suspect', k, c.outcome, c.granted, s, u, why IS NOT NULL);
END $$;

-- What administrators stop and define anew (admin.awk). The caller says when it
-- asked.
SELECT idem.create_scope('stop', effect => 'inside', fields => '{}');
CREATE FUNCTION pay_stop(k text, asked text) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT concat_ws('|', 'stop', k, outcome, granted, asked, clock_timestamp()) FROM idem.claim('stop', k)
$$;
CREATE TABLE toggle (id int PRIMARY KEY, status text NOT NULL);
INSERT INTO toggle SELECT i, 'a' FROM generate_series(0, 39) i;
CREATE FUNCTION define_toggle(back boolean) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT concat_ws('|', 'define', 'machine', back, count(*)) FROM idem.define_machine('toggle',
        E'stateDiagram-v2\n [*] --> a\n a --> b\n b --> c\n c --> a\n c --> d\n d --> [*]\n' || CASE WHEN back THEN E' b --> a\n' ELSE '' END, loosen => 'there and back', tighten => 'there and back')
$$;
CREATE FUNCTION define_codes(certain boolean) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT concat_ws('|', 'define', 'codes', certain, count(*)) FROM idem.define_return_codes('toggle',
        E'| code | meaning |\n| --- | --- |\n| 0000 | succeeded |\n| 2002 | ' || CASE WHEN certain THEN 'failed' ELSE 'unknown' END || ' |', loosen => 'there and back')
$$;
SELECT define_toggle(true), define_codes(true);
SELECT idem.guard_states('toggle', 'status', 'toggle');

-- Two records of the same money.
CREATE TABLE book_line (day date NOT NULL, serial text NOT NULL, amount bigint NOT NULL, tag text NOT NULL);
CREATE TABLE bank_line (day date NOT NULL, serial text NOT NULL, amount bigint NOT NULL, tag text NOT NULL);
CREATE INDEX ON book_line (day);
CREATE INDEX ON bank_line (day);
SELECT idem.create_reconciliation('both', ours => 'book_line', theirs => 'bank_line', key => '{serial}', currency => NULL);
-- One difference that nobody has explained, as this session sees it.
CREATE FUNCTION explain_one(why text) RETURNS SETOF text LANGUAGE sql VOLATILE AS $$
    WITH d AS MATERIALIZED (SELECT id FROM idem.differences WHERE state = 'open' ORDER BY random() LIMIT 1)
    SELECT concat_ws('|', 'explained', d.id) FROM d, LATERAL (SELECT idem.settle_difference(d.id, 'explained', why)) s
$$;

-- Persons, for rounds in which nobody overrules alone.
CREATE FUNCTION approve_call(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    BEGIN
        EXECUTE call;
        RAISE EXCEPTION USING ERRCODE = 'P0001', MESSAGE = 'it passed';
    EXCEPTION WHEN insufficient_privilege THEN
        GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    END;
    EXECUTE replace(substring(hint FROM 'SELECT idem\.approve\(.*, reason => ''\.\.\.''\)'), '''...''', '''I looked''');
    RETURN concat_ws('|', 'approve', 'scope', 'stop');
END $$;
-- The moment to which a backup was recovered, of such rounds.
CREATE TABLE moment (round int PRIMARY KEY, at timestamptz NOT NULL);
