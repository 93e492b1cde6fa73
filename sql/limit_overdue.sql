-- Suspense items that hang longer than they may: idem.overdue_limits.
\set SHOW_CONTEXT never
CREATE SCHEMA overdue;
SET search_path = overdue;
CREATE TABLE suspense (id bigint PRIMARY KEY, amount money_micro NOT NULL, since timestamptz DEFAULT now());
CREATE TABLE write_off (id bigint PRIMARY KEY, suspense_id bigint NOT NULL REFERENCES suspense, amount money_micro NOT NULL, status text NOT NULL DEFAULT 'done');
ALTER TABLE suspense ADD cleared money_micro NOT NULL DEFAULT '0';
CREATE INDEX suspense_hangs ON suspense (since) WHERE cleared < amount;
SELECT idem.guard_limit('write_off', 'suspense_id', amount => 'amount', cap => 'amount', used => 'cleared', state => 'status', released => '{void}',
                        age_from => 'since', clear_within => '30 days');
SELECT d FROM idem.declarations() d WHERE d LIKE '%write_off%';
INSERT INTO suspense VALUES (1, '70', '2018-07-18 12:00+00'), (2, '70', now()), (3, '70', '2018-07-18 13:00+00'), (4, '70', NULL), (5, '70', now() - interval '29 days');
INSERT INTO write_off VALUES (1, 1, '50'), (2, 3, '70');
SELECT relation, key, since AT TIME ZONE 'UTC' AS since, remaining FROM idem.overdue_limits;
-- released, it hangs again
UPDATE write_off SET status = 'void' WHERE id = 2;
SELECT key, remaining FROM idem.overdue_limits;
INSERT INTO write_off VALUES (3, 3, '70'), (4, 1, '20');
SELECT key, remaining FROM idem.overdue_limits;

-- what has been cleared costs nothing: the index has only what hangs
INSERT INTO suspense SELECT i, '1', '2018-07-18' FROM generate_series(100, 5000) i;
INSERT INTO write_off SELECT i, i, '1' FROM generate_series(100, 4999) i;
VACUUM ANALYZE suspense;
SELECT key, remaining FROM idem.overdue_limits;
SELECT pg_stat_force_next_flush();
SELECT idx_scan > 0 AS by_the_index, idx_tup_read < 1000 AS few FROM pg_stat_user_indexes WHERE indexrelname = 'suspense_hangs';

-- limits that share what has been used share what remains: it is listed once
CREATE TABLE void_off (LIKE write_off INCLUDING ALL, FOREIGN KEY (suspense_id) REFERENCES suspense);
SELECT idem.guard_limit('void_off', 'suspense_id', amount => 'amount', cap => 'amount', used => 'cleared', state => 'status', released => '{void}',
                        age_from => 'since', clear_within => '28 days');
SELECT key, remaining FROM idem.overdue_limits ORDER BY 1;
SELECT key, state FROM idem.stuck WHERE what = 'limit' ORDER BY 1;
-- also where the one that came first cannot be asked
SET idem.allow_unguarded = 'a test of what is not refused';
BEGIN;
ALTER TABLE void_off DROP CONSTRAINT void_off_suspense_id_fkey;
SELECT key FROM idem.overdue_limits ORDER BY 1;
ROLLBACK;
RESET idem.allow_unguarded;
SELECT idem.drop_guard('void_off', 'limit', reason => 'one is enough');
DROP TABLE void_off;

-- a parent with a key of two columns; facts beyond the cap hang no longer
CREATE TABLE day (person text, day date, allowed int NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (person, day));
CREATE TABLE use (person text NOT NULL, day date NOT NULL, n int NOT NULL, FOREIGN KEY (person, day) REFERENCES day);
SELECT idem.guard_limit('use', '{person,day}', amount => 'n', cap => 'allowed', used => 'given', facts => '{*}', age_from => 'at', clear_within => '1 month 00:00:01');
INSERT INTO day VALUES ('u,1', '2018-07-18', 5, '2018-07-18'), ('u2', '2018-07-18', 5, '2018-07-18');
INSERT INTO use VALUES ('u2', '2018-07-18', 9);
SELECT relation, key, remaining FROM idem.overdue_limits ORDER BY 1::text COLLATE "C";

-- who may not read the table sees that something hangs, and since when
CREATE ROLE overdue_operator;
CREATE ROLE overdue_nobody;
SELECT idem.grant_operator('overdue_operator');
GRANT USAGE ON SCHEMA overdue TO overdue_operator;
SET ROLE overdue_operator;
SELECT relation, key, since AT TIME ZONE 'UTC' AS since, remaining FROM idem.overdue_limits WHERE relation = 'day'::regclass;
RESET ROLE;
GRANT SELECT ON day TO overdue_operator;
SET ROLE overdue_operator;
SELECT relation, key, remaining FROM idem.overdue_limits WHERE relation = 'day'::regclass;
SET ROLE overdue_nobody;
SELECT * FROM idem.overdue_limits;
RESET ROLE;

-- a limit that has lost its foreign key hides no other
SET idem.allow_unguarded = 'a test of what is not refused';
ALTER TABLE use DROP CONSTRAINT use_person_day_fkey;
SELECT relation, key FROM idem.overdue_limits;
-- and one that nobody declared is nobody's
ALTER TABLE use ADD FOREIGN KEY (person, day) REFERENCES day;
SELECT idem.drop_guard('use', 'limit', name => NULL, reason => 'the end');
SELECT relation, key FROM idem.overdue_limits;

SET client_min_messages = warning;
SET idem.drop_reason = 'the end of the test';
DROP SCHEMA overdue CASCADE;
DROP OWNED BY overdue_operator;
DROP ROLE overdue_operator, overdue_nobody;
