-- Real records against what their README says of them: each answer is a row of
-- data.answer.

-- ---------------------------------------------------------------- statements
-- Ours are the entries of a statement, theirs is how its balance moved.
CREATE VIEW data.entries_of AS
    SELECT date '2018-01-01' AS day, s.file, s.statement_no, s.currency, coalesce(e.net, 0) AS amount
    FROM data.statement s LEFT JOIN LATERAL (SELECT sum(signed_amount) AS net FROM data.entry e WHERE (e.file, e.statement_no) = (s.file, s.statement_no)) e ON true;
CREATE VIEW data.movement_of AS
    SELECT date '2018-01-01' AS day, file, statement_no, currency, closing - opening AS amount
    FROM data.statement WHERE opening IS NOT NULL AND closing IS NOT NULL AND currency IS NOT NULL;
SELECT idem.create_reconciliation('statements', 'data.entries_of', 'data.movement_of', '{file,statement_no}', agree => '{currency}');
CREATE TABLE data.statements_run AS SELECT * FROM idem.reconcile('statements', '2018-01-01');
INSERT INTO data.answer
    SELECT 'statements', '46 balanced, 14 differ, 32 without balances',
           format('%s balanced, %s differ, %s without balances', coalesce(sum(keys) FILTER (WHERE kind = 'matched'), 0),
                  coalesce(sum(keys) FILTER (WHERE kind = 'amount'), 0), coalesce(sum(keys) FILTER (WHERE kind = 'missing_theirs'), 0))
    FROM data.statements_run;
INSERT INTO data.answer
    SELECT 'statements, by how much', string_agg(file || ' ' || statement_no || ' ' || (split_part("check", ':', 2))::numeric::text, ', ' ORDER BY file COLLATE "C", statement_no),
           (SELECT string_agg((key->>'file') || ' ' || (key->>'statement_no') || ' ' || (-difference)::numeric::text, ', ' ORDER BY key->>'file' COLLATE "C", (key->>'statement_no')::int)
            FROM (SELECT key, trim_scale(difference) AS difference FROM idem.differences WHERE rule = 'statements' AND kind = 'amount') d)
    FROM (SELECT file, statement_no, 'differs_by:' || trim_scale(split_part("check", ':', 2)::numeric) AS "check" FROM data.statement WHERE "check" ~ '^differs') s;

-- --------------------------------------------------------------------- berka
-- Ours is what a day's transactions of an account add up to, theirs is how the
-- printed balance moved.  The order within a day is not given: the closing one
-- is the printed balance that is nearest to where the day should have ended.
CREATE TABLE data.berka_day AS
    SELECT account_id, date AS day, row_number() OVER (PARTITION BY account_id ORDER BY date) AS n,
           sum(CASE type WHEN 'credit' THEN amount ELSE -amount END) AS amount, array_agg(balance_after ORDER BY file_seq) AS printed
    FROM data.berka GROUP BY 1, 2;
CREATE INDEX ON data.berka_day (account_id, n);
CREATE TABLE data.berka_printed AS
    WITH RECURSIVE c AS (
        SELECT account_id, 0::bigint AS n, NULL::date AS day, 0::numeric AS opening, 0::numeric AS closing FROM (SELECT DISTINCT account_id FROM data.berka) a
        UNION ALL
        SELECT d.account_id, d.n, d.day, c.closing, (SELECT b FROM unnest(d.printed) b ORDER BY abs(b - c.closing - d.amount), b LIMIT 1)
        FROM c JOIN data.berka_day d ON d.account_id = c.account_id AND d.n = c.n + 1)
    SELECT account_id, day, closing - opening AS amount FROM c WHERE n > 0;
CREATE UNIQUE INDEX ON data.berka_day (day, account_id);
CREATE UNIQUE INDEX ON data.berka_printed (day, account_id);
SELECT idem.create_reconciliation('berka', 'data.berka_day', 'data.berka_printed', '{account_id}', tolerance => 0.10);
CREATE TABLE data.berka_run AS
    SELECT d.day, r.kind, r.keys, r.difference FROM (SELECT DISTINCT day FROM data.berka_day) d, LATERAL idem.reconcile('berka', d.day) r;
INSERT INTO data.answer
    SELECT 'berka, account-days', '6023 agree, 384 by 0.10, 6 are breaks',
           format('%s agree, %s by 0.10, %s are breaks', sum(keys) FILTER (WHERE kind = 'matched'), sum(keys) FILTER (WHERE kind = 'tolerated'),
                  sum(keys) FILTER (WHERE kind NOT IN ('matched', 'tolerated')))
    FROM data.berka_run;
INSERT INTO data.answer
    SELECT 'berka, the breaks', '6 amount on 1994-03-31, more than 0.20', string_agg(format('%s %s on %s, %s', n, kind, day, CASE WHEN least > 0.20 THEN 'more than 0.20' ELSE 'less' END), ', ')
    FROM (SELECT count(*) AS n, kind, day, min(abs(difference)) AS least FROM idem.differences WHERE rule = 'berka' GROUP BY kind, day) d;
-- 231 by -0.10 and 153 by +0.10: theirs less ours
INSERT INTO data.answer
    SELECT 'berka, what was tolerated', '-7.80', (-sum(difference))::text FROM data.berka_run WHERE kind = 'tolerated';

-- ----------------------------------------------------------------------- ach
-- Entries (6), and the control record of their file (9); of the files that are
-- laid out as usual.
CREATE VIEW data.ach_entry AS
    SELECT date '2018-01-01' AS day, r.file, substr(r.line, 80, 15) AS trace, CASE WHEN substr(r.line, 3, 1) >= '5' THEN 'debit' ELSE 'credit' END AS side,
           nullif(substr(r.line, 30, 10), '')::bigint AS amount
    FROM data.raw r JOIN data.ach_file f ON f.file = r.file AND f.file_control_matches IN ('yes', 'no')
    WHERE r.line ~ '^6' AND substr(r.line, 30, 10) ~ '^\d{10}$';
CREATE VIEW data.ach_control AS
    SELECT date '2018-01-01' AS day, r.file, s.side, s.amount::bigint AS amount
    FROM data.raw r JOIN data.ach_file f ON f.file = r.file AND f.file_control_matches IN ('yes', 'no'),
         LATERAL (VALUES ('debit', substr(r.line, 32, 12)), ('credit', substr(r.line, 44, 12))) s (side, amount)
    WHERE r.line ~ '^9\d' AND r.line !~ '^9{94}' AND s.amount::bigint > 0;
CREATE VIEW data.ach_moved AS SELECT * FROM data.ach_entry WHERE amount > 0;
SELECT idem.create_reconciliation('ach control', 'data.ach_moved', 'data.ach_control', '{file,side}', group_by => 'ours');
CREATE TABLE data.ach_run AS SELECT * FROM idem.reconcile('ach control', '2018-01-01');
-- (a control also counts and hashes; that is not looked at here)
INSERT INTO data.answer
    SELECT 'ach, files whose control is right, and whose sums differ', '0', count(*)::text
    FROM idem.differences d JOIN data.ach_file f ON f.file = d.key->>'file' WHERE d.rule = 'ach control' AND f.file_control_matches = 'yes';
INSERT INTO data.answer
    SELECT 'ach, cents in files whose control is right', (SELECT sum(sum_debit_cents + sum_credit_cents)::text FROM data.ach_file WHERE file_control_matches = 'yes'),
           (SELECT sum(e.amount)::text FROM data.ach_entry e JOIN data.ach_file f ON f.file = e.file AND f.file_control_matches = 'yes');
CREATE VIEW data.ach_trace AS SELECT DISTINCT day, file, trace, 0 AS amount FROM data.ach_entry;
CREATE VIEW data.ach_traces AS SELECT day, file, trace, 0 AS amount FROM data.ach_entry;
SELECT idem.create_reconciliation('ach traces', 'data.ach_trace', 'data.ach_traces', '{file,trace}');
CREATE TABLE data.ach_traces_run AS SELECT * FROM idem.reconcile('ach traces', '2018-01-01');
INSERT INTO data.answer
    SELECT 'ach, duplicate trace numbers', (SELECT string_agg(file || ' ' || duplicate_trace_numbers, ', ' ORDER BY file COLLATE "C") FROM data.ach_file
                                            WHERE file_control_matches IN ('yes', 'no') AND duplicate_trace_numbers > 0),
           (SELECT string_agg(file || ' ' || n, ', ' ORDER BY file COLLATE "C")
            FROM (SELECT key->>'file' AS file, sum(theirs_lines - 1) AS n FROM idem.differences WHERE rule = 'ach traces' AND kind = 'duplicate_theirs' GROUP BY 1) d);

-- --------------------------------------------------------------------- fines
-- Ours is what was paid, payment by payment; theirs is what was to be paid.
CREATE VIEW data.fine_paid AS SELECT date '2018-01-01' AS day, case_id, payment_amount AS amount FROM data.fine WHERE activity = 'Payment';
CREATE VIEW data.fine_due AS SELECT date '2018-01-01' AS day, case_id, (last_amount_cents + expense_cents)::numeric / 100 AS amount FROM data.fine_case;
SELECT idem.create_reconciliation('fines', 'data.fine_paid', 'data.fine_due', '{case_id}', group_by => 'ours');
CREATE TABLE data.fines_run AS SELECT * FROM idem.reconcile('fines', '2018-01-01');
INSERT INTO data.answer
    SELECT 'fines', '4844 none, 616 under, 3549 exact, 77 over',
           format('%s none, %s under, %s exact, %s over', (SELECT keys FROM data.fines_run WHERE kind = 'missing_ours'),
                  count(*) FILTER (WHERE difference < 0), (SELECT keys FROM data.fines_run WHERE kind = 'matched'), count(*) FILTER (WHERE difference > 0))
    FROM idem.differences WHERE rule = 'fines' AND kind = 'amount';
INSERT INTO data.answer
    SELECT 'fines, payments', '4705', sum(ours_lines)::text FROM idem.reconciled_sum WHERE rule = 'fines';

-- Every rule once more: the same
CREATE TABLE data.before AS SELECT id, kind, state FROM idem.difference;
SELECT count(*) FROM (VALUES ('statements'), ('ach control'), ('ach traces'), ('fines')) v (rule), LATERAL idem.reconcile(v.rule, '2018-01-01') r;
SELECT count(*) FROM (SELECT DISTINCT day FROM data.berka_day) d, LATERAL idem.reconcile('berka', d.day) r;
INSERT INTO data.answer
    SELECT 'run again', '0 rows are new, gone or another',
           format('%s rows are new, gone or another', (SELECT count(*) FROM ((SELECT id, kind, state FROM idem.difference EXCEPT TABLE data.before)
                                                                             UNION ALL (TABLE data.before EXCEPT SELECT id, kind, state FROM idem.difference)) d));
