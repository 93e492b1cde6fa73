--
-- pair, judge => 'entry': a child is judged when it comes into its state, and
-- stays whatever becomes of its parent: entries into a day that closes.  The
-- races are in test/isolation/specs/pair_entry.spec.
--
CREATE SCHEMA pair_entry;
SET search_path = pair_entry;
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE TABLE day (id date PRIMARY KEY, status text NOT NULL DEFAULT 'open');
CREATE TABLE entry (id int PRIMARY KEY, day_id date NOT NULL REFERENCES day, amount int, status text NOT NULL DEFAULT 'posted');
CREATE INDEX ON entry (day_id);
SELECT idem.guard_parent_state('entry', 'day_id', parent_state => 'status', allowed => '{"*":"{open}"}', judge => 'entry');
INSERT INTO day SELECT '2026-11-01'::date + i FROM generate_series(0, 199) i;
INSERT INTO entry VALUES (1, '2026-11-30', 10), (2, '2026-11-29', 10);
UPDATE day SET status = 'closed' WHERE id = '2026-11-30';
INSERT INTO entry VALUES (3, '2026-11-30', 10);
UPDATE entry SET day_id = '2026-11-30' WHERE id = 2;
-- one that is in stays, changes, and goes
UPDATE entry SET amount = 20, status = 'void' WHERE id = 1;
UPDATE entry SET day_id = '2026-11-29' WHERE id = 1;
UPDATE entry SET day_id = '2026-11-30' WHERE id = 1;
DELETE FROM entry WHERE id = 2;
UPDATE day SET status = 'open' WHERE id = '2026-11-30';
INSERT INTO entry VALUES (3, '2026-11-30', 10);
-- there is nothing to find afterwards
UPDATE day SET status = 'closed';
SELECT severity, finding FROM idem.doctor() WHERE object ~ 'on pair_entry';
SELECT idem.validate_guard('entry', 'IDEM_pair_day_id');
UPDATE day SET status = 'open';

-- with a state: what is judged is the change of it
SELECT idem.drop_guard('entry', 'pair', reason => 'another');
SELECT idem.guard_parent_state('entry', 'day_id', state => 'status', parent_state => 'status', allowed => '{"posted":"{open,closing}","*":"{open}"}', facts => '{late}', judge => 'entry');
UPDATE day SET status = 'closing' WHERE id = '2026-11-30';
INSERT INTO entry VALUES (4, '2026-11-30', 10, 'draft');
INSERT INTO entry VALUES (4, '2026-11-30', 10, 'posted'), (5, '2026-11-30', 10, 'late');
UPDATE entry SET status = 'draft' WHERE id = 4;
UPDATE day SET status = 'closed' WHERE id = '2026-11-30';
UPDATE entry SET status = 'posted' WHERE id = 5;
UPDATE entry SET status = 'late' WHERE id = 4;

-- ------------------------------------------------------------------ the locks
-- One of the key, SHARE, by an entry; EXCLUSIVE by whoever closes.
CREATE VIEW locks AS
SELECT mode, count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'object' AND classid = 'entry'::regclass GROUP BY 1;
BEGIN;
INSERT INTO entry VALUES (10, '2026-11-29', 1, 'posted'), (11, '2026-11-29', 1, 'posted'), (12, '2026-11-28', 1, 'posted');
SELECT * FROM locks;
SAVEPOINT a;
INSERT INTO entry VALUES (13, '2026-11-27', 1, 'posted');
SELECT * FROM locks;
ROLLBACK TO a;
SELECT * FROM locks;
ROLLBACK;
-- opening takes none, and closing for some of them takes it
BEGIN;
UPDATE day SET status = 'open' WHERE id = '2026-11-30';
SELECT * FROM locks;
UPDATE day SET status = 'closing' WHERE id = '2026-11-30';
SELECT * FROM locks;
ROLLBACK;
-- of many parents half of a transaction's share; then the rows are locked, and
-- of many that close the table
BEGIN;
INSERT INTO entry SELECT 100 + i, '2026-12-01'::date + i, 1, 'posted' FROM generate_series(1, 100) i;
SELECT mode, count = current_setting('max_locks_per_transaction')::int / 2 AS half FROM locks;
ROLLBACK;
BEGIN;
UPDATE day SET status = 'closed' WHERE id > '2026-12-01';
SELECT mode, count = current_setting('max_locks_per_transaction')::int / 2 AS half FROM locks;
SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'entry'::regclass ORDER BY 1;
ROLLBACK;
-- the lock of a key is the same by both columns, whatever their types, where
-- these hash alike; where they do not, rows are locked
CREATE TABLE wide (id bigint PRIMARY KEY, status text);
CREATE TABLE narrow (id int PRIMARY KEY, wide smallint NOT NULL REFERENCES wide);
CREATE INDEX ON narrow (wide);
SELECT idem.guard_parent_state('narrow', 'wide', parent_state => 'status', allowed => '{"*":"{open}"}', judge => 'entry');
INSERT INTO wide VALUES (1, 'open'), (2, 'open');
BEGIN;
INSERT INTO narrow VALUES (1, 1);
UPDATE wide SET status = 'shut' WHERE id = 1;
SELECT count(DISTINCT (objid, objsubid)) AS keys, count(*) FROM pg_locks WHERE classid = 'narrow'::regclass;
UPDATE wide SET status = 'shut' WHERE id = 2;
SELECT count(DISTINCT (objid, objsubid)) AS keys, count(*) FROM pg_locks WHERE classid = 'narrow'::regclass;
ROLLBACK;
CREATE TABLE moment (id timestamp PRIMARY KEY, status text);
CREATE TABLE event (id int PRIMARY KEY, moment date NOT NULL REFERENCES moment);
CREATE INDEX ON event (moment);
SELECT idem.guard_parent_state('event', 'moment', parent_state => 'status', allowed => '{"*":"{open}"}', judge => 'entry');
INSERT INTO moment VALUES ('2026-11-30', 'open');
BEGIN;
INSERT INTO event VALUES (1, '2026-11-30');
SELECT count(*) FROM pg_locks WHERE classid = 'event'::regclass;
SELECT xmax <> 0 AS locked FROM moment;
UPDATE moment SET status = 'shut';
SELECT count(*) FROM pg_locks WHERE classid = 'event'::regclass;
INSERT INTO event VALUES (2, '2026-11-30');
ROLLBACK;

DROP SCHEMA pair_entry CASCADE;
