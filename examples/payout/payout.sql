-- The tables of the payout example: the payouts, and the queue that hands
-- each of them to a worker, at least once.

CREATE EXTENSION idem;

-- Times are short, so that an hour of accidents fits into a minute.
--   lease   a reservation that was not dispatched may be taken over after it
--   quiet   longer than the bank can take to carry out what it was sent: only
--           then does "no such transaction" mean that it never will be
--   ladder  when the bank is asked about a payout of which nothing is known
SELECT idem.create_scope('payout', effect => 'outside', fields => '{payee,amount}',
    lease => '1 s', quiet => '3 s',
    ladder => '{0.5 s,0.5 s,1 s,1 s,2 s,2 s,2 s,2 s,2 s,2 s,2 s,2 s}');

CREATE TABLE payout (
    id      text PRIMARY KEY,
    payee   text NOT NULL,
    amount  money_micro NOT NULL,
    status  text NOT NULL DEFAULT 'open'
);

-- A payout has a result only while its claim has it, whoever writes it.
SELECT idem.guard_claimed('payout', key => '{id}', scope => 'payout', state => 'status',
    claimed => '{"succeeded":"{succeeded}","failed":"{failed}","fenced":"{fenced}"}');

CREATE TABLE queue (
    payout_id text NOT NULL REFERENCES payout
);

-- What a person has to look at.
CREATE TABLE desk (
    payout_id text NOT NULL,
    why       text NOT NULL,
    noted_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (payout_id, why)
);
