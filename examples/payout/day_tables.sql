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
