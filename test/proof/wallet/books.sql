-- Journals of two to six entries beside the wallet: each books some accounts
-- against others, one in five is out of balance in the end, one in five in a
-- savepoint that is rolled back; corrections name the journal they reverse.
CREATE SCHEMA books;
CREATE TABLE books.account (id int PRIMARY KEY, normal text NOT NULL, floor int NOT NULL DEFAULT -100000);
CREATE TABLE books.journal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, reverses bigint UNIQUE REFERENCES books.journal);
CREATE TABLE books.entry (journal_id bigint NOT NULL REFERENCES books.journal, account_id int NOT NULL REFERENCES books.account,
    direction text NOT NULL, amount int NOT NULL, currency text NOT NULL, status text NOT NULL);
CREATE INDEX ON books.entry (journal_id);
INSERT INTO books.account SELECT i, CASE WHEN i % 2 = 0 THEN 'D' ELSE 'C' END FROM generate_series(1, 20) i;
SELECT idem.guard_balance('books.entry', 'account_id', amount => 'amount', balance => 'balance', direction => 'direction', debit => 'D', credit => 'C',
    normal_column => 'normal', floor => 'floor', state => 'status', pending => '{pending}', released => '{void}');
SELECT idem.guard_journal('books.entry', 'journal_id', amount => 'amount', direction => 'direction', debit => 'D', credit => 'C',
    currency => 'currency', state => 'status', pending => '{pending}', released => '{void}');

CREATE FUNCTION books.legs(journal bigint, n int, off int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO books.entry
        SELECT journal, 1 + (random() * 19)::int, d, CASE d WHEN 'D' THEN n * 2 ELSE CASE i WHEN 1 THEN n * 2 + off ELSE n * 2 END END,
            CASE i WHEN 3 THEN 'USD' ELSE 'EUR' END, CASE i WHEN 2 THEN 'pending' ELSE 'posted' END
        FROM generate_series(1, 1 + n % 3) i, unnest('{D,C}'::text[]) d;
$$;

-- What became of it; what is told 40001 pgbench tries again.
CREATE FUNCTION books.post(n int, dice int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    INSERT INTO books.journal DEFAULT VALUES RETURNING id INTO made;
    IF dice = 1 THEN
        BEGIN
            PERFORM books.legs(made, n, 0);
            RAISE EXCEPTION 'undone';
        EXCEPTION WHEN raise_exception THEN
        END;
    END IF;
    PERFORM books.legs(made, n, CASE dice WHEN 2 THEN 1 ELSE 0 END);
    PERFORM idem.check_journals();
    RETURN 'posted';
EXCEPTION
    WHEN SQLSTATE '23I0B' THEN RETURN 'not balanced';
    WHEN SQLSTATE '23I05' THEN RETURN 'not enough';
END $$;

-- What is pending of a journal is posted, or void, all of it; or the journal
-- is reversed by another one.
CREATE FUNCTION books.settle(n bigint, dice int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    IF dice <= 3 THEN
        UPDATE books.entry SET status = CASE dice WHEN 1 THEN 'void' ELSE 'posted' END WHERE journal_id = n AND status = 'pending';
        RETURN 'settled';
    END IF;
    INSERT INTO books.journal (reverses) SELECT id FROM books.journal WHERE id = n AND reverses IS NULL RETURNING id INTO made;
    INSERT INTO books.entry SELECT made, account_id, CASE direction WHEN 'D' THEN 'C' ELSE 'D' END, amount, currency, 'posted'
        FROM books.entry WHERE journal_id = n AND status = 'posted' AND made IS NOT NULL;
    RETURN 'reversed';
EXCEPTION
    WHEN unique_violation THEN RETURN 'reversed before';
    WHEN SQLSTATE '23I05' THEN RETURN 'not enough';
END $$;

-- Balances and journals that are wrong, by SQL that uses nothing of idem.
CREATE VIEW books.wrong AS
SELECT format('account %s: %s where the sum is %s, %s held where %s is pending', a.id, a.balance, s.sum, a.held, s.pending) AS what
FROM books.account a,
     LATERAL (SELECT coalesce(sum(CASE direction WHEN a.normal THEN amount ELSE -amount END) FILTER (WHERE status = 'posted'), 0) AS sum,
                     coalesce(sum(amount) FILTER (WHERE status = 'pending' AND direction <> a.normal), 0) AS pending
              FROM books.entry WHERE account_id = a.id) s
WHERE a.balance <> s.sum OR a.held <> s.pending OR a.balance - a.held < a.floor
UNION ALL
SELECT format('journal %s: %s %s %s', journal_id, sum(CASE direction WHEN 'C' THEN amount ELSE -amount END), currency, status)
FROM books.entry WHERE status <> 'void'
GROUP BY journal_id, currency, status HAVING sum(CASE direction WHEN 'C' THEN amount ELSE -amount END) <> 0;
