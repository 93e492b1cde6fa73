--
-- reconcile: two records of the same money
--
-- Every kind of difference is planted, and found once.
--
CREATE SCHEMA reconcile;
SET search_path = reconcile;
SET datestyle = 'ISO';
SET client_min_messages = warning;
CREATE TABLE ours (business_date date, serial text, kind text, amount money_micro, currency text, payee text);
CREATE TABLE theirs (business_date date, serial text, kind text, amount numeric(18,2), currency char(3), payee varchar(20));
CREATE VIEW open AS SELECT day, key, kind, currency, ours, theirs, difference, fields, other_day, state
    FROM idem.differences WHERE rule ~ '^reconcile' AND closed_at IS NULL ORDER BY kind, key::text;

INSERT INTO ours SELECT '2018-11-26', 'po-' || i, 'pay', i::numeric, 'EUR', 'p' || i FROM generate_series(1, 20) i;
INSERT INTO theirs SELECT business_date, serial, kind, amount::numeric, currency, payee FROM ours;
SELECT idem.create_reconciliation('reconcile bank', ours => 'ours', theirs => 'theirs', key => '{serial,kind}', agree => '{currency,payee}',
                                  day => 'business_date', grace => '1 day');
SELECT * FROM idem.reconcile('reconcile bank', '2018-11-26');
TABLE open;

-- a payment that the bank does not know, and one that we do not know
DELETE FROM theirs WHERE serial = 'po-1';
DELETE FROM ours WHERE serial = 'po-2';
-- another amount, another payee, another currency
UPDATE theirs SET amount = 3.01 WHERE serial = 'po-3';
UPDATE theirs SET payee = 'x' WHERE serial = 'po-4';
UPDATE theirs SET currency = 'USD' WHERE serial = 'po-5';
-- twice there, twice here
INSERT INTO theirs SELECT * FROM theirs WHERE serial = 'po-6';
INSERT INTO ours SELECT * FROM ours WHERE serial = 'po-7';
-- lines without a key: two charges of one amount, an unreferenced credit; one that we forgot to number
INSERT INTO theirs VALUES ('2018-11-26', NULL, 'charge', 0.50, 'EUR', NULL), ('2018-11-26', '', 'charge', 0.50, 'EUR', NULL),
    ('2018-11-26', NULL, NULL, -9, 'EUR', 'who?');
INSERT INTO ours VALUES ('2018-11-26', NULL, 'pay', '4', 'EUR', 'p21');
-- booked by the bank on the next day
UPDATE theirs SET business_date = '2018-11-27' WHERE serial IN ('po-8', 'po-9');
UPDATE theirs SET amount = 9.99 WHERE serial = 'po-9';
-- an amount that is none
UPDATE theirs SET amount = NULL WHERE serial = 'po-10';

SELECT * FROM idem.reconcile('reconcile bank', '2018-11-26');
TABLE open;
-- nothing is filtered away: the sums are those of the day
SELECT currency, sum(ours) AS ours, sum(theirs) AS theirs FROM idem.reconcile('reconcile bank', '2018-11-26') GROUP BY 1 ORDER BY 1;
SELECT currency, sum(amount) FROM ours WHERE business_date = '2018-11-26' GROUP BY 1 ORDER BY 1;
SELECT currency, sum(amount) FROM theirs WHERE business_date = '2018-11-26' GROUP BY 1 ORDER BY 1;
-- the same again: the same, and no difference more
SELECT kind, currency, keys, open FROM idem.reconcile('reconcile bank', '2018-11-26');
SELECT count(*) FROM idem.differences WHERE rule = 'reconcile bank';
-- what the bank booked on the other day belongs to the day of ours
SELECT * FROM idem.reconcile('reconcile bank', '2018-11-27');
SELECT rule, kind, currency, differences, ours, theirs FROM idem.stat_differences WHERE rule ~ '^reconcile' ORDER BY kind COLLATE "C", currency;

-- A key in which a part is missing is none, and neither is one on both sides
TRUNCATE ours, theirs;
INSERT INTO ours VALUES ('2018-11-25', 'po-1', NULL, '1', 'EUR', 'p1'), ('2018-11-25', NULL, NULL, '2', 'EUR', 'p2');
INSERT INTO theirs VALUES ('2018-11-25', 'po-1', NULL, 1, 'EUR', 'p1'), ('2018-11-25', NULL, NULL, 2, 'EUR', 'p2');
SELECT * FROM idem.reconcile('reconcile bank', '2018-11-25');
SELECT key, ours_lines, theirs_lines FROM idem.differences WHERE rule = 'reconcile bank' AND day = '2018-11-25' ORDER BY key::text;
-- Twice on both sides, three times, and twice where the other side has nothing
TRUNCATE ours, theirs;
INSERT INTO ours SELECT '2018-11-24', k, 'pay', '1', 'EUR', NULL FROM unnest('{a,a,b,b,c,c,c,d,d}'::text[]) k;
INSERT INTO theirs SELECT '2018-11-24', k, 'pay', '1', 'EUR', NULL FROM unnest('{a,a,b,b,b,c,c,e,e}'::text[]) k;
-- and in two parts
INSERT INTO ours VALUES ('2018-11-24', 'f', 'pay', '0.4', 'EUR', NULL), ('2018-11-24', 'f', 'pay', '0.6', 'EUR', NULL);
INSERT INTO theirs VALUES ('2018-11-24', 'f', 'pay', 1, 'EUR', NULL);
SELECT kind, keys, ours, theirs, open FROM idem.reconcile('reconcile bank', '2018-11-24');
SELECT key->>'serial' AS serial, kind, ours_lines, theirs_lines FROM idem.differences WHERE rule = 'reconcile bank' AND day = '2018-11-24' ORDER BY 1;
-- Amounts that are no numbers agree with nothing
CREATE TABLE odd (business_date date, serial text, amount numeric);
CREATE TABLE odds (LIKE odd);
INSERT INTO odd SELECT '2018-11-24', n, n::numeric FROM unnest('{NaN,Infinity,-Infinity,1}'::text[]) n;
INSERT INTO odds TABLE odd;
INSERT INTO odd VALUES ('2018-11-24', 'null', NULL);
INSERT INTO odds VALUES ('2018-11-24', 'null', NULL);
SELECT idem.create_reconciliation('reconcile odd', 'odd', 'odds', '{serial}', day => 'business_date');
SELECT kind, keys, open FROM idem.reconcile('reconcile odd', '2018-11-24');
SELECT key, kind FROM open WHERE kind = 'amount' AND day = '2018-11-24' ORDER BY 1;
-- A day of which both sides have nothing
SELECT * FROM idem.reconcile('reconcile odd', '2018-11-23');
SELECT day, problem, runs FROM idem.reconciled WHERE rule = 'reconcile odd' ORDER BY 1;

-- What cannot be
SELECT idem.reconcile('no such rule', '2018-11-24');
SELECT idem.reconcile(NULL, '2018-11-24');
SELECT idem.reconcile('reconcile odd', NULL);
SELECT idem.reconcile('reconcile odd', 'infinity');
BEGIN READ ONLY;
SELECT idem.reconcile('reconcile odd', '2018-11-24');
ROLLBACK;
-- a side that was changed since
ALTER TABLE odd RENAME amount TO value;
SELECT idem.reconcile('reconcile odd', '2018-11-24');
SELECT severity, finding FROM idem.doctor() WHERE object = 'reconciliation "reconcile odd"' AND severity = 'error' ORDER BY 2;
ALTER TABLE odd RENAME value TO amount;
ALTER TABLE odd RENAME TO strange;
SELECT idem.reconcile('reconcile odd', '2018-11-24');

SET client_min_messages = error;
DROP SCHEMA reconcile CASCADE;
DELETE FROM idem.reconciliation WHERE name ~ '^reconcile';
DELETE FROM idem.reconciled WHERE rule ~ '^reconcile';
DELETE FROM idem.reconciled_sum WHERE rule ~ '^reconcile';
DELETE FROM idem.difference WHERE rule ~ '^reconcile';
