--
-- reconcile: records shaped as those of real banks, with known answers
--
-- As in Berka's accounts (PKDD'99): the printed balance is rounded to 0.10, so
-- that many account-days differ by that, and where rows are missing by more.  As
-- in MT940 and CAMT statements: opening and closing balance, entries some of
-- which are reversals, statements without balances and without entries.  The
-- records themselves: test/proof/reconcile.sh.
--
CREATE SCHEMA reconcile_data;
SET search_path = reconcile_data;
SET datestyle = 'ISO';
SET client_min_messages = warning;

CREATE TABLE trans (account int, day date, n int, type text, amount numeric(12,2), balance numeric(12,2));
-- ten accounts, eight days: interest in hundredths, booked in tenths; twelve
-- times the balance moved by 0.10 more or less; of account 9 a row is missing
INSERT INTO trans
    SELECT a, date '1994-03-24' + d, 1, 'credit', 100 * a + d, 0 FROM generate_series(1, 10) a, generate_series(0, 7) d;
INSERT INTO trans SELECT account, day, 2, 'debit', 7.50, 0 FROM trans WHERE account % 2 = 0;
UPDATE trans t SET balance = s.sum + CASE WHEN t.account <= 3 AND extract(day FROM t.day) IN (25, 26, 29, 30) THEN 0.10 ELSE 0 END
    FROM (SELECT account, day, n, sum(CASE type WHEN 'credit' THEN amount ELSE -amount END) OVER (PARTITION BY account ORDER BY day, n) FROM trans) s
    WHERE (s.account, s.day, s.n) = (t.account, t.day, t.n);
UPDATE trans SET balance = balance + 95 WHERE account = 9 AND day = '1994-03-31';
CREATE VIEW booked AS SELECT day, account, sum(CASE type WHEN 'credit' THEN amount ELSE -amount END) AS amount FROM trans GROUP BY 1, 2;
CREATE VIEW printed AS
    SELECT day, account, closing - lag(closing, 1, 0::numeric) OVER (PARTITION BY account ORDER BY day) AS amount
    FROM (SELECT DISTINCT ON (account, day) account, day, balance AS closing FROM trans ORDER BY account, day, n DESC) c;
SELECT idem.create_reconciliation('data berka', 'booked', 'printed', '{account}', tolerance => 0.10);
SELECT kind, sum(keys) AS keys, sum(difference) AS difference, sum(open) AS open
    FROM generate_series(timestamp '1994-03-24', '1994-03-31', '1 day') d (day), LATERAL idem.reconcile('data berka', d.day::date) GROUP BY kind ORDER BY kind;
SELECT day, key, kind, difference FROM idem.differences WHERE rule = 'data berka';
-- without the tolerance each of them is a difference
SELECT idem.alter_reconciliation('data berka', 'how often does it round?', tolerance => 0);
SELECT kind, sum(keys) AS keys, sum(difference) AS difference, sum(open) AS open
    FROM generate_series(timestamp '1994-03-24', '1994-03-31', '1 day') d (day), LATERAL idem.reconcile('data berka', d.day::date) GROUP BY kind ORDER BY kind;

CREATE TABLE statement (day date DEFAULT '2018-11-26', no int, currency text, opening numeric, closing numeric);
CREATE TABLE entry (no int, mark text, amount numeric);
INSERT INTO statement (no, currency, opening, closing) VALUES
    (1, 'EUR', 444.29, 379.29), (2, 'EUR', 379.29, 379.29), (3, 'CHF', 229.2, 159.6), (4, 'EUR', NULL, 42570.04), (5, 'EUR', 10, 10), (6, 'JPY', 18.15, -27.00);
INSERT INTO entry VALUES (1, 'D', 65.00), (3, 'D', 80.00), (3, 'C', 10.2), (4, 'C', 1.62), (5, 'C', 5), (5, 'RC', 5), (6, 'C', 885), (6, 'RC', 876.15);
CREATE VIEW entries AS
    SELECT s.day, s.no, s.currency, coalesce(sum(CASE WHEN e.mark IN ('C', 'RD') THEN e.amount ELSE -e.amount END), 0) AS amount
    FROM statement s LEFT JOIN entry e USING (no) GROUP BY 1, 2, 3;
CREATE VIEW movement AS SELECT day, no, currency, closing - opening AS amount FROM statement WHERE opening IS NOT NULL;
SELECT idem.create_reconciliation('data statements', 'entries', 'movement', '{no}', agree => '{currency}');
SELECT kind, currency, keys, ours, theirs, open FROM idem.reconcile('data statements', '2018-11-26');
-- by how much a statement differs
SELECT key, kind, -difference AS differs_by FROM idem.differences WHERE rule = 'data statements' AND kind = 'amount' ORDER BY key;

DROP SCHEMA reconcile_data CASCADE;
DELETE FROM idem.reconciliation WHERE name ~ '^data ';
DELETE FROM idem.reconciled WHERE rule ~ '^data ';
DELETE FROM idem.reconciled_sum WHERE rule ~ '^data ';
DELETE FROM idem.difference_log WHERE difference IN (SELECT id FROM idem.difference WHERE rule ~ '^data ');
DELETE FROM idem.difference WHERE rule ~ '^data ';
