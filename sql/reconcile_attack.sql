--
-- reconcile: what would make a difference appear, vanish or double that is none
--
CREATE SCHEMA reconcile_attack;
SET search_path = reconcile_attack;
SET datestyle = 'ISO';
SET timezone = 'UTC';
CREATE FUNCTION run(rule text, day date DEFAULT '2018-11-26') RETURNS TABLE (kind text, currency text, keys bigint, ours numeric, theirs numeric, open bigint) LANGUAGE sql
    AS $$ SELECT r.kind, r.currency, r.keys, trim_scale(r.ours), trim_scale(r.theirs), r.open FROM idem.reconcile('attack ' || rule, day) r $$;

-- ------------------------------------------------ settings of whoever runs it
-- A key is the same key in each time zone, and a value the same value: what a
-- person has explained stays so
CREATE TABLE ours (day date DEFAULT '2018-11-26', at timestamptz, rate float8, mark bytea, "for" interval, amount numeric);
CREATE TABLE theirs (LIKE ours INCLUDING ALL);
SELECT idem.create_reconciliation('attack settings', 'ours', 'theirs', '{at,rate}', agree => '{mark,for}');
INSERT INTO ours VALUES (DEFAULT, '2018-11-26 12:00+00', 0.1::float8 + 0.2::float8, '\xff00', '1 day 02:00', 1);
INSERT INTO ours VALUES (DEFAULT, '2018-11-26 13:00+00', 0.5, '\xff00', '1 day 02:00', 1);
INSERT INTO theirs VALUES (DEFAULT, '2018-11-26 13:00+00', 0.5, '\xff01', '1 day 02:00', 1);
SELECT * FROM run('settings');
SELECT key, kind, fields, ours_values FROM idem.differences WHERE rule = 'attack settings' ORDER BY kind;
SELECT idem.settle_difference(id, 'explained', 'test') FROM idem.differences WHERE rule = 'attack settings' AND kind = 'fields';
SET timezone = 'Asia/Shanghai';
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'iso_8601';
SET bytea_output = 'escape';
SET extra_float_digits = 0;
SELECT * FROM run('settings');
SELECT count(*), count(*) FILTER (WHERE state = 'open') AS open FROM idem.differences WHERE rule = 'attack settings';
SHOW timezone;
-- a view that makes a day of a time makes the same one for everybody
CREATE VIEW times AS SELECT (at - interval '12 hours')::date AS day, rate, amount FROM ours;
SELECT idem.create_reconciliation('attack times', 'times', 'times', '{rate}');
SELECT keys FROM run('times', '2018-11-26');
SET timezone = 'America/Los_Angeles';
SELECT keys FROM run('times', '2018-11-26');
RESET timezone;
RESET datestyle;
RESET intervalstyle;
RESET bytea_output;
RESET extra_float_digits;
SET datestyle = 'ISO';

-- ------------------------------------------------ names that the key of a row without one has, too
CREATE TABLE n1 (day date DEFAULT '2018-11-26', k text, side text, amount text, "%s %1$I" text, paid numeric);
CREATE TABLE n2 (LIKE n1 INCLUDING ALL);
SELECT idem.create_reconciliation('attack names', 'n1', 'n2', '{k}', amount => 'paid', agree => '{side,amount,"%s %1$I"}');
INSERT INTO n1 (k, side, amount, paid) VALUES (NULL, 'x', '1', 1), (NULL, 'y', '2', 1), (NULL, 'x', '1', 1), ('', 'x', '1', 1);
INSERT INTO n2 (k, side, amount, paid) VALUES (NULL, 'x', '1', 1), ('a', 'x', '1', 1);
SELECT * FROM run('names');
SELECT key, line, ours, theirs, ours_values->>'side' AS ours_side FROM idem.difference WHERE rule = 'attack names' ORDER BY key::text, line;
SELECT * FROM run('names');
SELECT count(*) FROM idem.difference WHERE rule = 'attack names';

-- ------------------------------------------------ the borders of the calendar
SELECT idem.create_calendar('attack bank', time_zone => 'UTC', cut => '24:00', weekend => '{6,7}');
SELECT idem.create_reconciliation('attack border', 'n1', 'n2', '{k}', amount => 'paid', calendar => 'attack bank', grace => '1 day');
CREATE TABLE file (day date, version int, count int, total numeric);
SELECT idem.create_reconciliation('attack border file', 'n1', 'n2', '{k}', amount => 'paid', complete => 'file');
\set VERBOSITY terse
SELECT * FROM run('border file', '5874897-12-31');
SELECT * FROM run('border file', '294276-12-31');
SELECT * FROM run('border', '4713-01-01 BC');
SELECT * FROM run('border', '0001-01-01');
SELECT * FROM run('border', '9999-12-31');
SELECT kind FROM run('border file', '9999-12-31');
SELECT kind FROM run('border file', '0001-01-01');
\set VERBOSITY default
-- the views that everybody reads are still there
SELECT rule, day FROM idem.unreconciled_days WHERE rule ~ '^attack' ORDER BY 1, 2;
SELECT object, left(finding, 50) FROM idem.doctor() WHERE object ~ 'attack border' ORDER BY 1, 2;

-- ------------------------------------------------ empty keys on both sides, of which each is unique
CREATE TABLE u1 (day date, k text, n int, amount numeric, currency text, PRIMARY KEY (day, k), UNIQUE (n, day));
CREATE TABLE u2 (LIKE u1 INCLUDING ALL);
INSERT INTO u1 VALUES ('2018-11-26', '', 1, 1, 'EUR'), ('2018-11-26', 'a', NULL, 2, 'EUR'), ('2018-11-26', 'b', 3, 'NaN', 'EUR'), ('2018-11-26', 'c', 4, 5, NULL);
INSERT INTO u2 TABLE u1;
SELECT idem.create_reconciliation('attack empty', 'u1', 'u2', '{k}', agree => '{currency}');
SELECT idem.create_reconciliation('attack null', 'u1', 'u2', '{n}', agree => '{currency,k}');
SELECT * FROM run('empty');
SELECT * FROM run('null');
-- amounts that cancel are not nothing
TRUNCATE u1, u2;
INSERT INTO u1 VALUES ('2018-11-26', 'a', 1, 5, 'EUR'), ('2018-11-26', 'b', 2, -5, 'EUR'), ('2018-11-26', 'z', 5, 0, 'EUR');
INSERT INTO u2 VALUES ('2018-11-26', 'c', 3, 5, 'EUR'), ('2018-11-26', 'd', 4, -5, 'EUR');
SELECT * FROM run('empty');

-- ------------------------------------------------ many currencies, and amounts of all scales
TRUNCATE u1, u2;
INSERT INTO u1 SELECT '2018-11-26', i, i, 1.000 + i, 'C' || i % 100 FROM generate_series(1, 1000) i;
INSERT INTO u1 VALUES ('2018-11-26', 'long', 0, 1, repeat('long ', 10000)), ('2018-11-26', 'none', -1, 1, ''), ('2018-11-26', 'null', -2, 1, NULL);
UPDATE u1 SET amount = CASE n WHEN 21 THEN 0.000000001 WHEN 22 THEN '-0.12345678' ELSE '9000000000000' END WHERE n IN (21, 22) OR n % 100 = 23;
INSERT INTO u2 TABLE u1;
UPDATE u2 SET amount = trim_scale(amount) WHERE n > 10;
UPDATE u2 SET amount = amount + 0.001 WHERE n = 7;
SELECT kind, count(*), sum(keys) AS keys, sum(ours) AS ours, sum(theirs) AS theirs FROM run('empty') GROUP BY 1 ORDER BY 1;
SELECT currency, keys, ours, theirs FROM run('empty') WHERE currency IN ('C21', 'C22', 'C23') ORDER BY 1;
SELECT count(*), sum(keys) AS keys, sum(ours_lines) AS ours_lines, sum(theirs_lines) AS theirs_lines, count(*) FILTER (WHERE ours <> theirs) AS unequal FROM idem.reconciled_sum WHERE rule = 'attack empty' AND kind = 'matched';
SELECT idem.alter_reconciliation('attack empty', 'test', tolerance => 0.01);
SELECT kind, count(*), sum(keys) AS keys, sum(ours) AS ours, sum(theirs) AS theirs FROM run('empty') GROUP BY 1 ORDER BY 1;

-- ------------------------------------------------ very long keys
TRUNCATE u1, u2;
INSERT INTO n1 (k, paid) SELECT string_agg(md5(i::text), ''), 1 FROM generate_series(1, 10000) i;
SELECT kind, keys FROM run('names');
SELECT count(*) FILTER (WHERE octet_length(key->>'k') = 320000) AS long FROM idem.differences WHERE rule = 'attack names';
SELECT kind, keys FROM run('names');
SELECT count(*) FROM idem.difference WHERE rule = 'attack names' AND kind = 'missing_theirs';

SET client_min_messages = error;
DROP SCHEMA reconcile_attack CASCADE;
DELETE FROM idem.reconciliation WHERE name ~ '^attack';
DELETE FROM idem.reconciled WHERE rule ~ '^attack';
DELETE FROM idem.reconciled_sum WHERE rule ~ '^attack';
DELETE FROM idem.difference_log WHERE difference IN (SELECT id FROM idem.difference WHERE rule ~ '^attack');
DELETE FROM idem.difference WHERE rule ~ '^attack';
SELECT idem.drop_calendar('attack bank');
