-- Every journal balances, in each currency, pending and posted, when a
-- transaction commits; and is closed with the transaction that made it.
CREATE EXTENSION IF NOT EXISTS idem;
CREATE SCHEMA ledger_journal;
SET search_path = ledger_journal, public;

CREATE TABLE journal (id int PRIMARY KEY, note text);
CREATE TABLE entry (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, journal_id int NOT NULL REFERENCES journal, direction text NOT NULL,
    amount numeric(12,2) NOT NULL, currency text NOT NULL DEFAULT 'EUR', status text NOT NULL DEFAULT 'posted');
INSERT INTO journal VALUES (1), (2);
INSERT INTO entry (journal_id, direction, amount, currency) VALUES (1, 'D', 10, 'EUR'), (1, 'C', 10, 'USD');
CREATE FUNCTION declare(closed boolean DEFAULT true) RETURNS void LANGUAGE sql AS $$
    SELECT idem.guard_journal('entry', 'journal_id', amount => 'amount', direction => 'direction', debit => 'D', credit => 'C',
        currency => 'currency', state => 'status', pending => '{pending}', released => '{void}', closed => closed);
$$;
SELECT declare();
UPDATE entry SET currency = 'EUR';
UPDATE entry SET status = 'pending' WHERE direction = 'C';
SELECT declare();
UPDATE entry SET status = 'posted';
SELECT declare();
SELECT declare();
SELECT declare(false);
SELECT idem.guard_journal('entry', 'journal_id', amount => 'amount', direction => 'direction');
SELECT idem.guard_journal('entry', 'journal_id', amount => 'amount', debit => 'D');
SELECT idem.guard_journal('entry', 'journal_id', amount => 'amount', pending => '{a}');
SELECT idem.guard_journal('entry', 'journal_id', amount => 'amount', state => 'status');
SELECT idem.guard_journal('entry', 'amount', amount => 'amount');
\d entry

-- ---------- judged at commit ----------
INSERT INTO entry (journal_id, direction, amount) VALUES (2, 'D', 10), (2, 'C', 10);
CREATE FUNCTION leg(journal int, direction text, amount numeric, currency text DEFAULT 'EUR', status text DEFAULT 'posted') RETURNS void LANGUAGE sql AS $$
    INSERT INTO journal VALUES (journal) ON CONFLICT DO NOTHING;
    INSERT INTO entry (journal_id, direction, amount, currency, status) VALUES (journal, direction, amount, currency, status);
$$;
SELECT leg(3, 'D', 10);
BEGIN; SELECT leg(3, 'D', 10); SELECT leg(3, 'C', 4); SELECT leg(3, 'C', 6); COMMIT;
BEGIN; SELECT leg(4, 'D', 10); SELECT leg(4, 'C', 10, 'USD'); COMMIT;
BEGIN; SELECT leg(4, 'D', 10); SELECT leg(4, 'C', 10, 'EUR', 'pending'); COMMIT;
BEGIN; SELECT leg(4, 'D', 10); SELECT leg(4, 'C', 10, 'EUR', 'void'); COMMIT;
BEGIN; SELECT leg(4, 'D', 10, 'EUR', 'pending'); SELECT leg(4, 'C', 10.01, 'EUR', 'pending'); COMMIT;
BEGIN; SELECT leg(4, 'D', 10); SELECT leg(5, 'C', 10); COMMIT;
\echo :LAST_ERROR_SQLSTATE
BEGIN; SELECT leg(4, 'D', 10, 'EUR', 'pending'); SELECT leg(4, 'C', 10, 'EUR', 'pending'); SELECT leg(4, 'D', 3); SELECT leg(4, 'C', 3); COMMIT;
-- before: where one asks
BEGIN; SELECT leg(5, 'D', 10); SELECT idem.check_journals(); ROLLBACK;
BEGIN; SELECT leg(5, 'D', 10); SELECT leg(5, 'C', 10); SELECT idem.check_journals(); COMMIT;
SELECT idem.check_journals();
-- one statement
WITH j AS (INSERT INTO journal VALUES (6) RETURNING id) INSERT INTO entry (journal_id, direction, amount) SELECT id, d, 5 FROM j, unnest('{D,C}'::text[]) d;
COPY journal (id) FROM stdin;
7
\.
COPY entry (journal_id, direction, amount) FROM stdin;
7	D	1
7	C	1
\.
-- deferred work counts: what is judged is what is committed
CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM leg(8, 'C', 10); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON journal DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id = 8) EXECUTE FUNCTION later();
SELECT leg(8, 'D', 10);
DROP TRIGGER later ON journal;

-- ---------- savepoints ----------
BEGIN;
SELECT leg(9, 'D', 10);
SAVEPOINT a; SELECT leg(9, 'C', 10); ROLLBACK TO a;
SAVEPOINT b; SELECT leg(9, 'C', 4); SAVEPOINT c; SELECT leg(9, 'C', 7); ROLLBACK TO c; SELECT leg(9, 'C', 6); RELEASE c; RELEASE b;
SELECT idem.check_journals();
SAVEPOINT d; SELECT leg(9, 'D', 1);
SELECT idem.check_journals();
ROLLBACK TO d;
COMMIT;
BEGIN;
SAVEPOINT a; SELECT leg(10, 'D', 10); RELEASE a;
SAVEPOINT b; SELECT leg(10, 'C', 10); ROLLBACK TO b;
COMMIT;
-- a journal that was rolled back, and made again
BEGIN;
SAVEPOINT a; SELECT leg(10, 'D', 10); ROLLBACK TO a;
SELECT leg(10, 'D', 1); SELECT leg(10, 'C', 1);
COMMIT;

-- ---------- closed ----------
BEGIN; UPDATE journal SET note = 'ours now' WHERE id = 3; INSERT INTO entry (journal_id, direction, amount) VALUES (3, 'D', 1), (3, 'C', 1); COMMIT;
INSERT INTO entry (journal_id, direction, amount, status) VALUES (3, 'D', 1, 'void');
UPDATE entry SET amount = amount + 1 WHERE journal_id = 3;
UPDATE entry SET direction = CASE direction WHEN 'D' THEN 'C' ELSE 'D' END WHERE journal_id = 5;
UPDATE entry SET currency = 'USD' WHERE journal_id = 5;
UPDATE entry SET journal_id = 6 WHERE journal_id = 5;
DELETE FROM entry WHERE journal_id = 5;
TRUNCATE entry;
-- a state is a phase: it changes for all of them
UPDATE entry SET status = 'posted' WHERE journal_id = 4 AND direction = 'D';
UPDATE entry SET status = 'posted' WHERE journal_id = 4;
UPDATE entry SET status = 'void' WHERE journal_id = 5;
UPDATE entry SET status = status, amount = amount WHERE journal_id = 3;
INSERT INTO entry (journal_id, direction, amount) VALUES (4711, 'D', 1);
INSERT INTO entry (journal_id, direction, amount) VALUES (3, 'X', 1);
SELECT leg(11, 'X', 1);
SELECT leg(11, 'D', -1);
SELECT leg(11, 'D', 'NaN');
SELECT journal_id, currency, status, sum(CASE direction WHEN 'C' THEN amount ELSE -amount END) FROM entry GROUP BY 1, 2, 3 HAVING sum(CASE direction WHEN 'C' THEN amount ELSE -amount END) <> 0;
SELECT object, severity, finding FROM idem.doctor() WHERE object LIKE 'journal guard%';
-- past the guard
SET idem.allow_unguarded = 'test';
ALTER TABLE entry DISABLE TRIGGER USER;
UPDATE entry SET amount = amount + 1 WHERE journal_id = 3 AND direction = 'D';
ALTER TABLE entry ENABLE TRIGGER USER;
SELECT * FROM idem.rearm('entry');
RESET idem.allow_unguarded;
SELECT object, severity, finding FROM idem.doctor() WHERE object LIKE 'journal guard%' AND severity = 'error';
SELECT idem.validate_guard('entry');
SELECT idem.drop_guard('entry', 'journal', reason => 'test');
UPDATE entry SET amount = amount - 1 WHERE journal_id = 3 AND direction = 'D';

-- ---------- open journals, signed amounts, other types ----------
CREATE TABLE batch (a int, b text, PRIMARY KEY (a, b)) PARTITION BY LIST (a);
CREATE TABLE batch_1 PARTITION OF batch DEFAULT;
CREATE TABLE line (a int NOT NULL, b text NOT NULL, amount money_micro, FOREIGN KEY (a, b) REFERENCES batch);
SELECT idem.guard_journal('line', '{b,a}', amount => 'amount', closed => false);
INSERT INTO batch VALUES (1, 'x');
INSERT INTO line VALUES (1, 'x', '5'), (1, 'x', '-5');
INSERT INTO line VALUES (1, 'x', '5'), (1, 'x', '-4.999999');
UPDATE line SET amount = amount * 2;
DELETE FROM line WHERE amount > '0'::money_micro;
DELETE FROM line;
INSERT INTO line VALUES (1, 'x', '2000000000000'), (1, 'x', '2000000000000'), (1, 'x', '2000000000000'), (1, 'x', '-2000000000000'), (1, 'x', '-2000000000000'), (1, 'x', '-2000000000000');
SELECT idem.drop_guard('line', 'journal', reason => 'test');
SELECT idem.guard_journal('line', '{b,a}', amount => 'amount');
INSERT INTO line VALUES (1, 'x', '5'), (1, 'x', '-5');
BEGIN; INSERT INTO batch VALUES (2, 'y'); INSERT INTO line VALUES (2, 'y', '5'), (2, 'y', '-5'); COMMIT;
BEGIN; INSERT INTO batch VALUES (3, 'y'); INSERT INTO line VALUES (3, 'y', '5'), (3, 'y', '-6'); COMMIT;
-- a load of many journals, each complete before the next
BEGIN;
INSERT INTO batch SELECT 100 + i, 'z' FROM generate_series(1, 2000) i;
INSERT INTO line SELECT 100 + i, 'z', (side || i)::money_micro FROM generate_series(1, 2000) i, unnest('{"",-}'::text[]) side ORDER BY i;
COMMIT;
-- journals and currencies whose names run together are not one
CREATE TABLE named (id text PRIMARY KEY);
CREATE TABLE named_line (journal text NOT NULL REFERENCES named, currency text, amount bigint NOT NULL);
SELECT idem.guard_journal('named_line', 'journal', amount => 'amount', currency => 'currency');
BEGIN; INSERT INTO named VALUES ('a'), ('a b'); INSERT INTO named_line VALUES ('a', 'b c', 10), ('a b', 'c', -10); COMMIT;
BEGIN; INSERT INTO named VALUES ('a'), ('ab'); INSERT INTO named_line VALUES ('a', 'bc', 10), ('ab', 'c', -10); COMMIT;
BEGIN; INSERT INTO named VALUES ('a'); INSERT INTO named_line VALUES ('a', 'null', 10), ('a', NULL, -10); COMMIT;
-- nor are days that are written alike
CREATE TABLE day (id date PRIMARY KEY);
CREATE TABLE day_line (day date NOT NULL REFERENCES day, amount numeric NOT NULL);
SELECT idem.guard_journal('day_line', 'day', amount => 'amount');
INSERT INTO day VALUES (make_date(2026, 2, 1));
BEGIN; SET LOCAL DateStyle = 'SQL, DMY';
INSERT INTO day VALUES (make_date(2026, 1, 2));
INSERT INTO day_line VALUES (make_date(2026, 1, 2), 10), (make_date(2026, 1, 2), -10);
SET LOCAL DateStyle = 'SQL, MDY';
INSERT INTO day_line VALUES (make_date(2026, 2, 1), 10), (make_date(2026, 2, 1), -10);
COMMIT;
-- what is truncated is not there to balance, unless a savepoint brings it back
SET idem.truncate_reason = 'test';
BEGIN; INSERT INTO day VALUES (make_date(2026, 1, 3)); INSERT INTO day_line VALUES (make_date(2026, 1, 3), 10);
TRUNCATE day_line;
INSERT INTO day_line VALUES (make_date(2026, 1, 3), -10);
COMMIT;
BEGIN; INSERT INTO day VALUES (make_date(2026, 1, 3)); INSERT INTO day_line VALUES (make_date(2026, 1, 3), 10);
SAVEPOINT a; INSERT INTO day_line VALUES (make_date(2026, 1, 3), 5); TRUNCATE day_line; SELECT idem.check_journals(); ROLLBACK TO a;
INSERT INTO day_line VALUES (make_date(2026, 1, 3), -10);
SAVEPOINT b; INSERT INTO day_line VALUES (make_date(2026, 1, 3), 7); TRUNCATE day_line; RELEASE b;
COMMIT;
BEGIN; INSERT INTO named VALUES ('t'); INSERT INTO named_line VALUES ('t', 'EUR', 10);
SAVEPOINT a; TRUNCATE named_line; RELEASE a; SELECT idem.check_journals(); INSERT INTO named_line VALUES ('t', 'EUR', -10);
COMMIT;
RESET idem.truncate_reason;
-- somebody who changes entries and may not read them is not told which journal they are of
CREATE ROLE regress_ledger_journal;
GRANT USAGE ON SCHEMA ledger_journal TO regress_ledger_journal;
GRANT UPDATE, INSERT ON day_line TO regress_ledger_journal;
BEGIN; INSERT INTO day VALUES (make_date(2026, 1, 4)); INSERT INTO day_line VALUES (make_date(2026, 1, 4), 10), (make_date(2026, 1, 4), -10); COMMIT;
SET ROLE regress_ledger_journal;
UPDATE day_line SET amount = 1;
INSERT INTO day_line VALUES (make_date(2026, 1, 4), 10);
RESET ROLE;
SELECT (SELECT count(*) FROM day_line) AS days, (SELECT count(*) FROM named_line) AS named;
DROP SCHEMA ledger_journal CASCADE;
DROP ROLE regress_ledger_journal;
