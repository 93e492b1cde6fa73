--
-- reconcile: the day, its neighbours in the calendar, and grace
--
-- Days of 2018 are long over; those of 2099 are still to come, so grace is
-- over for the first and not for the second.
--
CREATE SCHEMA reconcile_day;
SET search_path = reconcile_day;
SET datestyle = 'ISO';
CREATE TABLE ours (day date, serial text, amount numeric);
CREATE TABLE theirs (LIKE ours);
SELECT idem.create_calendar('day bank', time_zone => 'Asia/Shanghai', cut => '23:00', weekend => '{6,7}');
SELECT idem.add_closure('day bank', '[2099-10-01 00:00+08,2099-10-08 00:00+08)', 'national day');
SELECT * FROM idem.neighbour_days(NULL, '2099-07-01');
-- a Wednesday, a Friday, a Saturday on which one side may book all the same, and a holiday of a week
SELECT * FROM idem.neighbour_days('day bank', '2099-07-01');
SELECT * FROM idem.neighbour_days('day bank', '2099-07-03');
SELECT * FROM idem.neighbour_days('day bank', '2099-07-04');
SELECT min(neighbour), max(neighbour) FROM idem.neighbour_days('day bank', '2099-09-30');
-- to be a neighbour is mutual
WITH n AS MATERIALIZED (SELECT d, n.* FROM unnest('{2099-07-04,2099-09-30,2099-10-08}'::date[]) d, idem.neighbour_days('day bank', d) n)
SELECT count(*) > 100 AS pairs, count(*) FILTER (WHERE (b.neighbour BETWEEN a.since AND a.until) <> (a.neighbour BETWEEN b.since AND b.until)) AS one_sided
    FROM n a JOIN n b ON b.d = a.d AND b.neighbour <> a.neighbour;
SELECT idem.end_of_day('day bank', '2099-07-01') = '2099-07-01 23:00+08' AS at_the_cut, idem.end_of_day(NULL, '2099-07-01') = '2099-07-02 00:00+00' AS at_midnight;

SELECT idem.create_reconciliation('day strict', 'ours', 'theirs', '{serial}');
SELECT idem.create_reconciliation('day grace', 'ours', 'theirs', '{serial}', calendar => 'day bank', grace => '2 days');
SELECT idem.create_reconciliation('day plain', 'ours', 'theirs', '{serial}', grace => '0');
CREATE FUNCTION run(rule text, day date) RETURNS TABLE (kind text, keys bigint, ours numeric, theirs numeric, open bigint) LANGUAGE sql
    AS $$ SELECT r.kind, r.keys, r.ours, r.theirs, r.open FROM idem.reconcile('day ' || run.rule, run.day) r $$;
CREATE FUNCTION diff(rule text) RETURNS TABLE (day date, serial text, kind text, ours numeric, theirs numeric, other_day date, state text) LANGUAGE sql
    AS $$ SELECT d.day, d.key->>'serial', d.kind, d.ours, d.theirs, d.other_day, d.state FROM idem.differences d
          WHERE d.rule = 'day ' || diff.rule ORDER BY d.day, 2, d.first_seen $$;

-- Friday here, Monday there; Sunday here; the other way round; Thursday there is too far
INSERT INTO ours VALUES ('2099-07-03', 'fri', 1), ('2099-07-05', 'sun', 2), ('2099-07-06', 'mon', 4), ('2099-07-07', 'tue', 8);
INSERT INTO theirs VALUES ('2099-07-06', 'fri', 1), ('2099-07-06', 'sun', 2), ('2099-07-03', 'mon', 4), ('2099-07-09', 'tue', 8);
SELECT * FROM run('grace', '2099-07-03');
SELECT * FROM run('grace', '2099-07-05');
SELECT * FROM run('grace', '2099-07-06');
SELECT * FROM run('grace', '2099-07-07');
-- no difference before grace is over; the days wait
SELECT * FROM diff('grace');
SELECT day, waiting, again_at AT TIME ZONE 'Asia/Shanghai' AS again_at FROM idem.reconciled WHERE rule = 'day grace' ORDER BY day;
-- without a calendar Friday and Monday are no neighbours; without grace no days are
SELECT * FROM run('plain', '2099-07-03');
SELECT * FROM run('plain', '2099-07-05');
SELECT * FROM run('strict', '2099-07-05');
SELECT * FROM diff('strict');

-- Grace is over: it is a difference, once, on the day of ours; until it is booked on one day
UPDATE ours SET day = day - (date '2099-07-03' - date '2018-07-06');
UPDATE theirs SET day = day - (date '2099-07-03' - date '2018-07-06');
SELECT serial, day, extract(isodow FROM day) FROM ours ORDER BY day;
SELECT * FROM run('grace', '2018-07-06');
SELECT * FROM run('grace', '2018-07-09');
SELECT * FROM diff('grace') WHERE day < '2099-01-01';
UPDATE ours SET day = '2018-07-09' WHERE serial = 'fri';
SELECT * FROM run('grace', '2018-07-06');
SELECT * FROM run('grace', '2018-07-09');
SELECT * FROM diff('grace') WHERE day < '2099-01-01';
-- what was missing until the other day's file came has healed
TRUNCATE ours, theirs;
INSERT INTO ours VALUES ('2099-07-08', 'late', 1);
SELECT * FROM run('grace', '2099-07-08');
INSERT INTO theirs VALUES ('2099-07-09', 'late', 1);
SELECT * FROM run('grace', '2099-07-08');
SELECT * FROM run('grace', '2099-07-09');
SELECT * FROM diff('grace') WHERE day = '2099-07-08';

-- Each key is used once on each side: what has a counterpart on its own day is
-- nobody else's, and of two that could be meant none is taken
TRUNCATE ours, theirs;
INSERT INTO ours VALUES ('2099-07-01', 'used', 1), ('2099-07-02', 'used', 1), ('2099-07-01', 'two', 1), ('2099-07-03', 'two', 1),
    ('2099-07-01', 'chain', 1), ('2099-07-03', 'chain', 1), ('2099-07-02', 'twice', 1),
    ('2099-07-02', 'spare', 1), ('2099-07-03', 'spare', 1);
INSERT INTO theirs VALUES ('2099-07-01', 'spare', 1), ('2099-07-03', 'spare', 1), ('2099-07-02', 'used', 1), ('2099-07-02', 'two', 1),
    ('2099-07-02', 'chain', 1), ('2099-07-06', 'chain', 1), ('2099-07-03', 'twice', 1), ('2099-07-03', 'twice', 1);
SELECT d.day::date, r.* FROM generate_series(timestamp '2099-07-01', '2099-07-06', '1 day') d (day), LATERAL run('grace', d.day::date) r ORDER BY 1, 2;
SELECT day, serial, kind, other_day FROM diff('grace') WHERE state = 'open' AND day BETWEEN '2099-07-01' AND '2099-07-06';

SET client_min_messages = error;
DROP SCHEMA reconcile_day CASCADE;
DELETE FROM idem.reconciliation WHERE name ~ '^day';
DELETE FROM idem.reconciled WHERE rule ~ '^day';
DELETE FROM idem.reconciled_sum WHERE rule ~ '^day';
DELETE FROM idem.difference_log WHERE difference IN (SELECT id FROM idem.difference WHERE rule ~ '^day');
DELETE FROM idem.difference WHERE rule ~ '^day';
DELETE FROM idem.closure WHERE calendar = 'day bank';
SELECT idem.drop_calendar('day bank');
