--
-- reconcile: sums before they are compared: many payments on one line, returns,
-- fees, totals; tolerance; columns of all kinds
--
CREATE SCHEMA reconcile_group;
SET search_path = reconcile_group;
SET datestyle = 'ISO';
CREATE TABLE ours (day date DEFAULT '2018-11-26', batch text, amount money_micro, currency text DEFAULT 'EUR', payee text);
CREATE TABLE theirs (day date DEFAULT '2018-11-26', batch text, amount numeric, currency text DEFAULT 'EUR', payee text);
CREATE FUNCTION run(rule text) RETURNS TABLE (kind text, currency text, keys bigint, ours numeric, theirs numeric, open bigint) LANGUAGE sql
    AS $$ SELECT r.kind, r.currency, r.keys, r.ours::numeric(9,2), r.theirs::numeric(9,2), r.open FROM idem.reconcile('group ' || rule, '2018-11-26') r $$;
CREATE FUNCTION diff(rule text) RETURNS TABLE (key jsonb, kind text, ours numeric, theirs numeric, ours_lines bigint, theirs_lines bigint, fields text[]) LANGUAGE sql
    AS $$ SELECT d.key, d.kind, d.ours::numeric(9,2), d.theirs::numeric(9,2), d.ours_lines, d.theirs_lines, d.fields FROM idem.differences d
          WHERE d.rule = 'group ' || diff.rule AND d.state = 'open' ORDER BY d.key::text $$;

-- ------------------------------------------------ one line for many payments
SELECT idem.create_reconciliation('group ours', 'ours', 'theirs', '{batch}', agree => '{currency}', group_by => 'ours');
SELECT idem.create_reconciliation('group theirs', 'ours', 'theirs', '{batch}', agree => '{currency}', group_by => 'theirs');
SELECT idem.create_reconciliation('group both', 'ours', 'theirs', '{batch}', agree => '{currency,payee}', group_by => 'both');
INSERT INTO ours (batch, amount) VALUES ('b1', '1'), ('b1', '2'), ('b1', '3'), ('b2', '5'), ('b2', '5'), ('b3', '7');
INSERT INTO theirs (batch, amount) VALUES ('b1', 6), ('b2', 9.99), ('b3', 3), ('b3', 4);
SELECT * FROM run('ours');
SELECT * FROM diff('ours');
SELECT * FROM run('theirs');
SELECT * FROM diff('theirs');
SELECT * FROM run('both');
-- what is added up has to agree among itself
UPDATE ours SET currency = 'USD' WHERE batch = 'b1' AND amount = '3'::money_micro;
UPDATE theirs SET payee = 'p' WHERE batch = 'b3' AND amount = 3;
SELECT * FROM run('both');
SELECT * FROM diff('both');

-- ------------------------------------------------ a return carries the number of the original
TRUNCATE ours, theirs;
SELECT idem.create_reconciliation('group signed', 'ours', 'theirs', '{batch}', agree => '{currency}', signed => true);
-- paid and returned on both sides; returned there only; returned twice; paid twice, returned once
INSERT INTO ours (batch, amount) VALUES ('r1', '10'), ('r1', '-10'), ('r2', '10'), ('r3', '10'), ('r3', '-10'), ('r4', '10'), ('r5', '-3');
INSERT INTO theirs (batch, amount) VALUES ('r1', 10), ('r1', -10), ('r2', 10), ('r2', -10), ('r3', 10), ('r3', -10), ('r3', -10),
    ('r4', 10), ('r4', 10), ('r4', -10), ('r5', -3);
SELECT * FROM run('signed');
SELECT * FROM diff('signed');
-- or the kind is a part of the key: then each is a payment of its own
SELECT idem.create_reconciliation('group kind', 'signs', 'signs', '{batch,sign}', agree => '{currency}');
CREATE VIEW signs AS SELECT *, sign(amount) AS sign FROM theirs;
SELECT idem.create_reconciliation('group kind', 'signs', 'signs', '{batch,sign}', agree => '{currency}');
SELECT * FROM run('kind');

-- ------------------------------------------------ fees
CREATE TABLE card (day date DEFAULT '2018-11-26', batch text, gross numeric, fee numeric, net numeric, currency text DEFAULT 'EUR');
SELECT idem.create_reconciliation('group fee', 'ours', 'card', '{batch}', agree => '{currency}', gross => 'gross', fee => 'fee', net => 'net');
SELECT idem.create_reconciliation('group net', 'ours', 'card', '{batch}', agree => '{currency}', fee => 'fee', net => 'net');
TRUNCATE ours;
INSERT INTO ours (batch, amount) VALUES ('f1', '100'), ('f2', '100'), ('f3', '100'), ('f4', '100');
-- right; net is less than it should be; gross is another one; no fee is told
INSERT INTO card (batch, gross, fee, net) VALUES ('f1', 100, 1.50, 98.50), ('f2', 100, 1.50, 98.00), ('f3', 99, 1, 98), ('f4', 100, NULL, 100);
SELECT * FROM run('fee');
SELECT * FROM diff('fee');
SELECT kind, keys, fee FROM idem.reconciled_sum WHERE rule = 'group fee' ORDER BY kind COLLATE "C";
SELECT * FROM run('net');
SELECT * FROM diff('net');

-- ------------------------------------------------ totals only
SELECT idem.create_reconciliation('group total', 'ours', 'theirs', '{}', currency => 'currency');
SELECT idem.create_reconciliation('group one', 'ours', 'theirs', '{}');
TRUNCATE ours, theirs;
INSERT INTO ours (batch, amount, currency) VALUES ('x', '1', 'EUR'), ('y', '2', 'EUR'), ('z', '5', 'USD'), ('q', '5', 'CHF'), ('n', '1', NULL);
INSERT INTO theirs (batch, amount, currency) VALUES (NULL, 3, 'EUR'), ('z', 4, 'USD'), ('z', 4, 'JPY'), ('n', 1, NULL);
SELECT * FROM run('total');
SELECT * FROM diff('total');
SELECT * FROM run('one');
SELECT * FROM diff('one');
TRUNCATE theirs;
SELECT * FROM run('one');
SELECT * FROM diff('one');

-- ------------------------------------------------ tolerance: counted and summed apart
SELECT idem.create_reconciliation('group tolerance', 'ours', 'theirs', '{batch}', agree => '{currency}', tolerance => 0.10);
TRUNCATE ours, theirs;
INSERT INTO ours (batch, amount) SELECT 't' || i, i::numeric FROM generate_series(1, 6) i;
INSERT INTO theirs (batch, amount) VALUES ('t1', 1), ('t2', 2.10), ('t3', 2.90), ('t4', 4.100001), ('t5', 5.1), ('t6', NULL);
UPDATE theirs SET currency = 'USD' WHERE batch = 't5';
SELECT kind, keys, ours, theirs, difference, open FROM idem.reconcile('group tolerance', '2018-11-26');
SELECT key, kind, fields FROM idem.differences WHERE rule = 'group tolerance' ORDER BY 1;

-- ------------------------------------------------ columns of all kinds
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE DOMAIN cents AS bigint;
CREATE TABLE a (day date, u uuid, n numeric, i int, b bool, j jsonb, c char(5), e colour, at timestamptz, amount cents);
CREATE TABLE z (day date, u uuid, n int, i bigint, b bool, j jsonb, c varchar, e colour, at timestamptz, amount bigint);
SELECT idem.create_reconciliation('group types', 'a', 'z', '{u,n}', agree => '{i,b,j,c,e,at}', grace => '1 day');
INSERT INTO a VALUES ('2018-11-26', '00000000-0000-0000-0000-000000000001', 1.0, 1, true, '{"x":1}', 'ab', 'red', '2018-11-26 00:00+00', 100),
    ('2018-11-26', '00000000-0000-0000-0000-000000000002', 2.00, 1, true, '{"x":1}', 'ab', 'red', '2018-11-26 00:00+00', 100),
    ('2018-11-26', '00000000-0000-0000-0000-000000000003', 3.10, NULL, NULL, NULL, NULL, NULL, NULL, 100),
    ('2018-11-26', '00000000-0000-0000-0000-000000000004', 4.0, NULL, NULL, NULL, NULL, NULL, NULL, 100),
    ('2018-11-26', '00000000-0000-0000-0000-000000000005', 5.0, 1, true, '{"x":1}', 'ab', 'red', '2018-11-26 00:00+00', 100);
INSERT INTO z VALUES ('2018-11-26', '00000000-0000-0000-0000-000000000001', 1, 1, true, '{"x":1}', 'ab', 'red', '2018-11-25 19:00-05', 100),
    ('2018-11-26', '00000000-0000-0000-0000-000000000002', 2, 2, false, '{"x":2}', 'ab ', 'green', '2018-11-26 00:00:01+00', 100),
    ('2018-11-26', '00000000-0000-0000-0000-000000000004', 4, NULL, NULL, NULL, NULL, NULL, NULL, 100),
    ('2018-11-27', '00000000-0000-0000-0000-000000000005', 5, 1, false, '{"x":1}', 'ab', 'red', '2018-11-26 00:00+00', 100);
SELECT * FROM run('types');
SELECT key, kind, fields, other_day FROM idem.differences WHERE rule = 'group types' ORDER BY key::text;
-- A unique index makes no difference to what is found
SELECT idem.reconciliation_query('group types', '2018-11-26') ~ 'GROUP BY k1' AS grouped;
CREATE UNIQUE INDEX ON a (u, n);
CREATE UNIQUE INDEX ON z (day, n);
CREATE TEMP TABLE before AS SELECT id, kind, ours, theirs, ours_lines, theirs_lines, fields, first_seen FROM idem.differences WHERE rule = 'group types';
SELECT idem.reconciliation_query('group types', '2018-11-26') ~ 'GROUP BY k1' AS grouped;
SELECT * FROM run('types');
SELECT * FROM before EXCEPT SELECT id, kind, ours, theirs, ours_lines, theirs_lines, fields, first_seen FROM idem.differences WHERE rule = 'group types';
-- rows without a key are not lost
CREATE TABLE p (day date, k text, x text, amount numeric, UNIQUE (k, x, day));
CREATE TABLE q (LIKE p INCLUDING ALL);
SELECT idem.create_reconciliation('group unique', 'p', 'q', '{k,x}');
INSERT INTO p VALUES ('2018-11-26', 'a', 'b', 1), ('2018-11-26', '', 'b', 2), ('2018-11-26', NULL, 'b', 3), ('2018-11-26', NULL, 'b', 3), ('2018-11-26', 'a', NULL, 4);
INSERT INTO q TABLE p;
SELECT * FROM run('unique');
SELECT key, line, ours, theirs FROM idem.difference WHERE rule = 'group unique' ORDER BY key::text, line;
-- one that does not see to all rows is none
CREATE TABLE child () INHERITS (a);
SELECT idem.is_unique('reconcile_group.a', '{day,u,n}'), idem.is_unique('reconcile_group.z', '{day,u,n}'), idem.is_unique('reconcile_group.z', '{u,n}');
CREATE UNIQUE INDEX ON theirs (batch) WHERE amount > 0;
CREATE UNIQUE INDEX ON theirs (lower(batch), batch);
SELECT idem.is_unique('reconcile_group.theirs', '{day,batch}'), idem.is_unique('reconcile_group.signs', '{day,batch}');

SET client_min_messages = error;
DROP SCHEMA reconcile_group CASCADE;
DELETE FROM idem.reconciliation WHERE name ~ '^group';
DELETE FROM idem.reconciled WHERE rule ~ '^group';
DELETE FROM idem.reconciled_sum WHERE rule ~ '^group';
DELETE FROM idem.difference_log WHERE difference IN (SELECT id FROM idem.difference WHERE rule ~ '^group');
DELETE FROM idem.difference WHERE rule ~ '^group';
