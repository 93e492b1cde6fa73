--
-- reconcile: as many differences as rows; what is known of each is found without
-- a loop over all, which would take minutes here and days of a large day
--
CREATE SCHEMA reconcile_many;
SET search_path = reconcile_many;
CREATE TABLE ours (day date, k text, amount numeric);
CREATE TABLE theirs (LIKE ours);
SELECT idem.create_reconciliation('many', 'ours', 'theirs', '{k}');
SELECT idem.create_reconciliation('many days', 'ours', 'theirs', '{k}', grace => '1 day');
-- the file has not come; then it is the one of the next day; then it is there
INSERT INTO ours SELECT '2018-11-26', 'k' || i, i FROM generate_series(1, 5000) i;
SET statement_timeout = '8s';
SELECT kind, keys, open FROM idem.reconcile('many', '2018-11-26');
SELECT kind, keys, open FROM idem.reconcile('many', '2018-11-26');
INSERT INTO theirs SELECT day + 1, k, amount FROM ours WHERE amount <= 2500;
SELECT kind, keys, open FROM idem.reconcile('many days', '2018-11-26') ORDER BY kind COLLATE "C";
UPDATE theirs SET day = '2018-11-26';
SELECT kind, keys, open FROM idem.reconcile('many', '2018-11-26') ORDER BY kind COLLATE "C";
SELECT rule, kind, state, count(*) FROM idem.difference WHERE rule ~ '^many' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
RESET statement_timeout;

SET client_min_messages = error;
DROP SCHEMA reconcile_many CASCADE;
DELETE FROM idem.reconciliation WHERE name ~ '^many';
DELETE FROM idem.reconciled WHERE rule ~ '^many';
DELETE FROM idem.reconciled_sum WHERE rule ~ '^many';
DELETE FROM idem.difference_log WHERE difference IN (SELECT id FROM idem.difference WHERE rule ~ '^many');
DELETE FROM idem.difference WHERE rule ~ '^many';
