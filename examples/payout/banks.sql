-- The payout example with two banks that answer in codes: what they mean is
-- written down here, and nowhere else.

CREATE EXTENSION idem;

SELECT FROM idem.define_return_codes('bankA/pay', $$
| code | meaning                    | note                                      |
| ---- | -------------------------- | ----------------------------------------- |
| 0000 | succeeded                  |                                           |
| 0010 | succeeded [also: a part]   | less was paid than ordered                |
| 2001 | failed                     | refused before anything moved             |
| 3001 | unknown                    | the serial was used: by whom?             |
| 9999 | unknown                    | system error                              |
$$);
SELECT FROM idem.define_return_codes('bankA/query', $$
| code         | meaning                  | note                       |
| ------------ | ------------------------ | -------------------------- |
| 0000/PAID    | succeeded                | 0000: the query was answered |
| 0000/PART    | succeeded [also: a part] |                            |
| 0000/REFUSED | failed                   |                            |
| 0000/BACK    | returned                 |                            |
| 4004         | absent                   |                            |
$$);
SELECT FROM idem.define_return_codes('bankA/notice', $$
| code     | meaning                  |
| -------- | ------------------------ |
| SUCCESS  | succeeded                |
| PART     | succeeded [also: a part] |
| FAIL     | failed                   |
| RETURNED | returned                 |
$$);

-- Bank B takes orders, and knows of nothing until its file says it.
SELECT FROM idem.define_return_codes('bankB/pay', $$
| code | meaning | note                          |
| ---- | ------- | ----------------------------- |
| ACK  | unknown | accepted: the file says more  |
| NAK  | failed  | refused before anything moved |
| DUP  | unknown |                               |
$$);
SELECT FROM idem.define_return_codes('bankB/query', $$
| code | meaning | note                                |
| ---- | ------- | ----------------------------------- |
| NONE | unknown | it says so of everything, for a day |
$$);
SELECT FROM idem.define_return_codes('bankB/file', $$
| code    | meaning   | note                          |
| ------- | --------- | ----------------------------- |
| PAID    | succeeded |                               |
| REFUSED | failed    |                               |
| BACK    | returned  |                               |
| MISSING | absent    | our word for: not in the file |
$$);

-- quiet is longer than a bank can take to carry out what it was sent.
SELECT idem.create_channel('bankA', send => 'bankA/pay', inquire => 'bankA/query', notice => 'bankA/notice',
    serial => '{key}-{attempt}', serial_per => 'attempt', echo => '{serial,payee,amount}',
    absence => 'inquiry', quiet => '3 s', partial => 'record');
SELECT idem.create_channel('bankB', send => 'bankB/pay', inquire => 'bankB/query', statement => 'bankB/file',
    serial => '{key}-{attempt}', serial_per => 'attempt', echo => '{serial,amount}',
    absence => 'statement', quiet => '3 s');
SELECT idem.create_scope('payout', effect => 'outside', fields => '{payee,amount}', channels => '{bankA,bankB}',
    lease => '1 s', quiet => '3 s',
    ladder => '{0.5 s,0.5 s,1 s,1 s,1 s,1 s,1 s,1 s,1 s,1 s,1 s,1 s}');

CREATE TABLE payout (
    id      text PRIMARY KEY,
    payee   text NOT NULL,
    amount  money_micro NOT NULL,
    status  text NOT NULL DEFAULT 'open'
);
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
