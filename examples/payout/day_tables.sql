-- The payout example with a bank that says what became of an order in its
-- statement of the day: what day.sql needs.

CREATE EXTENSION IF NOT EXISTS idem;

SELECT FROM idem.define_return_codes('bank/pay', $$
| code         | meaning   | note                               |
| ------------ | --------- | ---------------------------------- |
| paid         | succeeded |                                    |
| rejected     | failed    | refused before anything moved      |
| system error | unknown   |                                    |
$$);
SELECT FROM idem.define_return_codes('bank/file', $$
| code         | meaning   | note                               |
| ------------ | --------- | ---------------------------------- |
| paid         | succeeded |                                    |
| rejected     | failed    |                                    |
| absent       | absent    | our word for: not in the statement |
$$);
SELECT idem.create_channel('bank', send => 'bank/pay', statement => 'bank/file', serial => '{key}', serial_per => 'key',
    echo => '{serial,payee,amount}', absence => 'statement', quiet => '0');
SELECT idem.create_scope('payout', effect => 'outside', fields => '{payee,amount}', channels => '{bank}', quiet => '1 ms');
SELECT idem.create_scope('bank file', effect => 'inside', fields => '{day,lines,total}');

-- Our record.  Nothing is sent on a day that is closed.
CREATE TABLE payout_day (
    day     date PRIMARY KEY,
    status  text NOT NULL DEFAULT 'open'
);
CREATE TABLE payout (
    id      text PRIMARY KEY,
    payee   text NOT NULL,
    amount  money_micro NOT NULL,
    status  text NOT NULL DEFAULT 'open',
    day     date NOT NULL REFERENCES payout_day
);
CREATE INDEX ON payout (day);
SELECT idem.guard_claimed('payout', key => '{id}', scope => 'payout', state => 'status',
    claimed => '{"succeeded":"{succeeded}","failed":"{failed}"}');
SELECT idem.guard_parent_state('payout', 'day', state => 'status', parent_state => 'status',
    allowed => '{"sent":"{open}"}', judge => 'entry');
CREATE VIEW payout_of_day AS
    SELECT day, id AS serial, payee, amount FROM payout WHERE status IN ('sent', 'succeeded');

-- The bank's record: files, and their lines.  A file is complete when its lines
-- are exactly what it declares.
CREATE TABLE bank_file (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    day     date NOT NULL,
    version integer NOT NULL,
    count   integer NOT NULL,
    total   money_micro NOT NULL,
    status  text NOT NULL DEFAULT 'loading',
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (day, version)
);
CREATE TABLE bank_line (
    file    bigint NOT NULL REFERENCES bank_file,
    line    integer,
    serial  text,
    payee   text,
    amount  money_micro NOT NULL,
    code    text NOT NULL,
    PRIMARY KEY (file, line)
);
CREATE INDEX ON bank_line (file, serial);
SELECT idem.guard_limit('bank_line', 'file', amount => 'amount', cap => 'total', used => 'booked', parent_state => 'status', open => '{loading}',
    exact => '{complete}', count_used => 'lines', exact_count => 'count');
CREATE VIEW bank_file_of_day AS
    SELECT f.day, f.version, p.count, p.total
    FROM bank_file f, LATERAL (SELECT count(*) AS count, coalesce(sum(amount), '0') AS total FROM bank_line WHERE file = f.id AND code = 'paid') p
    WHERE f.status = 'complete';
CREATE VIEW bank_line_of_day AS
    SELECT f.day, f.version, l.serial, l.payee, l.amount FROM bank_line l JOIN bank_file f ON f.id = l.file WHERE l.code = 'paid';

SELECT idem.create_reconciliation('payout day', ours => 'payout_of_day', theirs => 'bank_line_of_day', key => '{serial}', agree => '{payee}',
    complete => 'bank_file_of_day');

-- What a person has to look at.
CREATE TABLE desk (
    difference uuid PRIMARY KEY,
    day        date NOT NULL,
    what       text NOT NULL
);

-- What the newest complete file of a day says of payouts of which nobody knows.
-- Some hundred a transaction: each of them holds a lock of its own.
CREATE PROCEDURE settle_by_file(of_day date) LANGUAGE plpgsql AS $$
DECLARE
    file  bank_file;
    batch text[] := '{""}';
BEGIN
    SELECT * INTO file FROM bank_file WHERE day = of_day AND status = 'complete' ORDER BY version DESC LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    INSERT INTO payout_day (day) VALUES (of_day + 1) ON CONFLICT DO NOTHING;
    LOOP
        batch := ARRAY(SELECT id FROM payout WHERE day = of_day AND status = 'sent' AND id > batch[cardinality(batch)] ORDER BY id LIMIT 500);
        EXIT WHEN batch = '{}';
        WITH line AS (
            SELECT DISTINCT ON (serial) serial, payee, amount, code FROM bank_line WHERE bank_line.file = file.id AND serial = ANY (batch) ORDER BY serial, line),
        told AS (
            SELECT p.id, r.state
            FROM payout p LEFT JOIN line l ON l.serial = p.id,
                 LATERAL idem.resolve('payout', p.id, via => 'bank/file', asked_at => file.loaded_at,
                     answer => CASE WHEN l.serial IS NULL THEN jsonb_build_object('code', 'absent', 'asked', jsonb_build_object('serial', p.id))
                                    ELSE jsonb_build_object('code', l.code, 'serial', l.serial, 'payee', l.payee, 'amount', l.amount::numeric) END) r
            WHERE p.id = ANY (batch))
        UPDATE payout p SET status = CASE t.state WHEN 'released' THEN 'open' ELSE t.state END,
                            day = CASE t.state WHEN 'released' THEN p.day + 1 ELSE p.day END
        FROM told t WHERE t.id = p.id AND t.state IN ('succeeded', 'failed', 'released');
        COMMIT;
    END LOOP;
END $$;
