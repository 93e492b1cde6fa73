-- A bank's own statement beside balances that idem keeps: every day of every
-- account is booked by one statement, and what the bank printed is compared
-- with what the guard's balance has become.
CREATE EXTENSION IF NOT EXISTS idem;
CREATE SCHEMA statement;
CREATE TABLE statement.row (file_seq int, trans_id int, account_id int, date date, type text, operation text,
    amount numeric(14,2), balance_after numeric(14,2), purpose text, partner_bank text, partner_account text);
CREATE TABLE statement.account (id int PRIMARY KEY, balance numeric(14,2) NOT NULL DEFAULT 0);
CREATE TABLE statement.entry (trans_id int PRIMARY KEY, account_id int NOT NULL REFERENCES statement.account, kind text NOT NULL, amount numeric(14,2) NOT NULL);
CREATE TABLE statement.closing (account_id int, date date, balance numeric(14,2), printed numeric(14,2), PRIMARY KEY (account_id, date));
SELECT idem.guard_balance('statement.entry', 'account_id', amount => 'amount', balance => 'balance',
    direction => 'kind', debit => 'debit', credit => 'credit', normal => 'credit');

-- Book day after day.  Within a day the order of the rows is not given: the
-- printed closing is that of its rows which is nearest to the closing of the
-- day before and the day's net.
CREATE PROCEDURE statement.book() LANGUAGE plpgsql AS $$
DECLARE
    today date;
BEGIN
    INSERT INTO statement.account SELECT DISTINCT account_id FROM statement.row;
    FOR today IN SELECT DISTINCT date FROM statement.row ORDER BY 1 LOOP
        INSERT INTO statement.entry SELECT trans_id, account_id, CASE WHEN type = 'credit' THEN 'credit' ELSE 'debit' END, amount
            FROM statement.row WHERE date = today ORDER BY file_seq;
        INSERT INTO statement.closing
            SELECT a.id, today, a.balance,
                (SELECT r.balance_after FROM statement.row r WHERE r.account_id = a.id AND r.date = today
                 ORDER BY abs(r.balance_after - (coalesce(c.printed, 0) + a.balance - coalesce(c.balance, 0))), r.file_seq LIMIT 1)
            FROM statement.account a
            LEFT JOIN LATERAL (SELECT * FROM statement.closing c WHERE c.account_id = a.id ORDER BY date DESC LIMIT 1) c ON true
            WHERE EXISTS (SELECT FROM statement.row r WHERE r.account_id = a.id AND r.date = today);
    END LOOP;
END $$;

-- The days on which what was printed does not follow from the day before.
CREATE VIEW statement.differs AS
SELECT * FROM (SELECT account_id, date,
                      printed - lag(printed, 1, 0.00) OVER w - (balance - lag(balance, 1, 0.00) OVER w) AS by
               FROM statement.closing WINDOW w AS (PARTITION BY account_id ORDER BY date)) d
WHERE by <> 0;
CREATE VIEW statement.wrong AS
SELECT a.id, a.balance, s.sum FROM statement.account a,
    LATERAL (SELECT coalesce(sum(CASE type WHEN 'credit' THEN amount ELSE -amount END), 0) AS sum FROM statement.row WHERE account_id = a.id) s
WHERE a.balance <> s.sum;
