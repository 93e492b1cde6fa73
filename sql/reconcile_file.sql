--
-- reconcile: a file is judged when it is complete, and corrected by a higher version
--
CREATE SCHEMA reconcile_file;
SET search_path = reconcile_file;
SET datestyle = 'ISO';
CREATE TABLE ours (day date, serial text, amount numeric, currency text);
CREATE TABLE line (day date, version int, serial text, amount numeric, currency text);
CREATE TABLE file (day date, version int, count int, total numeric);
SELECT idem.create_reconciliation('file', 'ours', 'line', '{serial}', agree => '{currency}', complete => 'file', grace => '1 day');
CREATE FUNCTION run(day date DEFAULT '2018-11-26') RETURNS TABLE (kind text, keys bigint, ours numeric, theirs numeric, open bigint, detail text) LANGUAGE sql
    AS $$ SELECT r.kind, r.keys, r.ours, r.theirs, r.open, r.detail FROM idem.reconcile('file', run.day) r $$;
CREATE VIEW open AS SELECT day, key, kind, ours, theirs, state FROM idem.differences WHERE rule = 'file' ORDER BY day, key::text, first_seen;
INSERT INTO ours SELECT '2018-11-26', 'po-' || i, i, 'EUR' FROM generate_series(1, 4) i;

-- No file: nothing is judged, nothing is missing
SELECT * FROM run();
-- announced, and not all there: a line too few, a total that is another
INSERT INTO file VALUES ('2018-11-26', 1, 4, 10);
INSERT INTO line SELECT day, 1, serial, amount, currency FROM ours WHERE serial < 'po-4';
SELECT * FROM run();
INSERT INTO line VALUES ('2018-11-26', 1, 'po-4', 5, 'EUR');
SELECT * FROM run();
-- the total, but a line too many
UPDATE line SET amount = 4 WHERE serial = 'po-4';
INSERT INTO line VALUES ('2018-11-26', 1, 'po-5', 0, 'EUR');
SELECT * FROM run();
TABLE open;
SELECT day, problem, version, runs FROM idem.reconciled WHERE rule = 'file';
-- there
DELETE FROM line WHERE serial = 'po-5';
SELECT * FROM run();
SELECT day, problem, version, runs FROM idem.reconciled WHERE rule = 'file';
-- loaded twice: the same lines once more are no new file
INSERT INTO line TABLE line;
SELECT * FROM run();
-- what was judged before stands
SELECT kind, keys FROM idem.reconciled_sum WHERE rule = 'file';
DELETE FROM line WHERE ctid IN (SELECT max(ctid) FROM line GROUP BY serial);
SELECT * FROM run();

-- A corrected file: announced, then there.  Its lines alone count.
INSERT INTO file VALUES ('2018-11-26', 2, 4, 109);
SELECT * FROM run();
INSERT INTO line VALUES ('2018-11-26', 2, 'po-1', 1, 'EUR'), ('2018-11-26', 2, 'po-2', 3, 'EUR'), ('2018-11-26', 2, 'po-3', 3, 'EUR'), ('2018-11-26', 2, 'po-9', 102, 'EUR');
SELECT * FROM run();
TABLE open;
-- corrected again: what is right now heals, what moved is one of another kind
INSERT INTO file VALUES ('2018-11-26', 3, 4, 11);
INSERT INTO line VALUES ('2018-11-26', 3, 'po-1', 1, 'EUR'), ('2018-11-26', 3, 'po-2', 2, 'EUR'), ('2018-11-26', 3, 'po-3', 3, 'EUR'), ('2018-11-26', 3, 'po-4', 5, 'EUR');
SELECT * FROM run();
TABLE open;
SELECT day, problem, version FROM idem.reconciled WHERE rule = 'file';
-- the first one, once more and late: of no concern
INSERT INTO line SELECT * FROM line WHERE version = 1;
SELECT kind, keys, open, detail FROM run();

-- The other day is read by its own newest version
INSERT INTO ours VALUES ('2018-11-26', 'po-5', 5, 'EUR'), ('2018-11-26', 'po-6', 6, 'EUR');
INSERT INTO file VALUES ('2018-11-27', 1, 1, 5), ('2018-11-27', 2, 1, 6);
INSERT INTO line VALUES ('2018-11-27', 1, 'po-5', 5, 'EUR'), ('2018-11-27', 2, 'po-6', 6, 'EUR');
SELECT * FROM run();

-- A file that declares currencies is held to each of them
CREATE TABLE parts (day date, version int, count int, total numeric, currency text);
SELECT idem.create_reconciliation('file parts', 'ours', 'line', '{serial}', currency => 'currency', complete => 'parts');
TRUNCATE ours, line;
INSERT INTO ours VALUES ('2018-11-26', 'a', 1, 'EUR'), ('2018-11-26', 'b', 2, 'USD');
INSERT INTO line SELECT day, 1, serial, amount, currency FROM ours;
INSERT INTO parts VALUES ('2018-11-26', 1, 1, 1, 'EUR'), ('2018-11-26', 1, 1, 2, 'USD');
SELECT kind, currency, keys, detail FROM idem.reconcile('file parts', '2018-11-26');
UPDATE parts SET total = 2 - total + 1;
SELECT kind, currency, keys, detail FROM idem.reconcile('file parts', '2018-11-26');
DELETE FROM parts WHERE currency = 'USD';
SELECT kind, currency, keys, detail FROM idem.reconcile('file parts', '2018-11-26');

-- An empty file is one, too
INSERT INTO file VALUES ('2018-11-28', 1, 0, 0);
SELECT * FROM run('2018-11-28');
INSERT INTO ours VALUES ('2018-11-28', 'x', 1, 'EUR');
SELECT * FROM run('2018-11-28');

-- Days without an end
SELECT rule, day, problem FROM idem.unreconciled_days WHERE rule ~ '^file' ORDER BY 1, 2;
SELECT severity, object, finding FROM idem.doctor() WHERE object ~ 'reconciliation "?file' ORDER BY 2, 3;

SET client_min_messages = error;
DROP SCHEMA reconcile_file CASCADE;
DELETE FROM idem.reconciliation WHERE name ~ '^file';
DELETE FROM idem.reconciled WHERE rule ~ '^file';
DELETE FROM idem.reconciled_sum WHERE rule ~ '^file';
DELETE FROM idem.difference_log WHERE difference IN (SELECT id FROM idem.difference WHERE rule ~ '^file');
DELETE FROM idem.difference WHERE rule ~ '^file';
