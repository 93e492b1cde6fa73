--
-- The accidents that bound tables are for, and the ways around a naive guard,
-- both by number: each way ends with no row that its claim did not pay for.
-- docs/bypass.md has the table.  What needs two sessions, another server or a
-- crash has a test of its own, named here.
--
CREATE SCHEMA bound_bypass;
SET search_path = bound_bypass;
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE ROLE regress_bound_bypass;
GRANT USAGE, CREATE ON SCHEMA bound_bypass TO regress_bound_bypass;
SELECT idem.grant_runtime('regress_bound_bypass');
SELECT idem.create_scope('bypass debit', effect => 'inside', fields => '{}', key_time => 'YYYYMMDD', keep => '1 microsecond');
SELECT idem.create_scope('bypass wire', effect => 'outside', fields => '{}', quiet => '0');
CREATE TABLE debit (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, message text NOT NULL, amount numeric, note text);
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON debit TO regress_bound_bypass;
CREATE TABLE payout (id text PRIMARY KEY, status text NOT NULL);
GRANT SELECT, INSERT, UPDATE, DELETE ON payout TO regress_bound_bypass;
-- messages with more than one effect, and those that came in without their claim
CREATE VIEW wrong AS
    SELECT message, count(*) FROM debit GROUP BY message HAVING count(*) > 1 OR bool_or(message !~ '^20180718-paid');

-- ---------------------------------------------------------------------------
-- Accidents
-- ---------------------------------------------------------------------------

-- Accident 1: any client with INSERT writes the debit, three times for one message.
INSERT INTO debit (message) VALUES ('20180718-a1'), ('20180718-a1');
INSERT INTO debit (message) VALUES ('20180718-a1');
SELECT * FROM wrong;
-- Accident 2: the doctor says to claim the key, and claiming it does not silence it.
ALTER TABLE debit RENAME message TO message_id;
SELECT finding, remedy FROM idem.doctor() WHERE object ~ 'message_id';
ALTER TABLE debit RENAME message_id TO message;
DELETE FROM debit;
-- The cure for both.
SELECT idem.guard_claimed('debit', key => '{message}', scope => 'bypass debit');
INSERT INTO debit (message) VALUES ('20180718-a1');
SELECT finding FROM idem.doctor() WHERE object ~ 'bound_bypass.debit';
BEGIN;
SELECT outcome FROM idem.claim('bypass debit', '20180718-paid-1');
INSERT INTO debit (message, amount) VALUES ('20180718-paid-1', 1);
SELECT outcome FROM idem.complete('bypass debit', '20180718-paid-1', '{"debit":1}');
COMMIT;
-- Accident 3: a payment is succeeded while its claim is unseen.
INSERT INTO payout VALUES ('po-1', 'created');
UPDATE payout SET status = 'succeeded' WHERE id = 'po-1';
-- Accident 4: a payment is cancelled while the money is on its way.
INSERT INTO payout VALUES ('po-2', 'paying');
SELECT outcome, token FROM idem.reserve('bypass wire', 'po-2');
CALL idem.dispatch('bypass wire', 'po-2', 1) \g /dev/null
UPDATE payout SET status = 'cancelled' WHERE id = 'po-2';
TABLE payout ORDER BY id;
-- The cure for both.
TRUNCATE payout;
SELECT idem.guard_claimed('payout', key => '{id}', scope => 'bypass wire', state => 'status',
    claimed => '{"paying":"{reserved,dispatched,unknown}","succeeded":"{succeeded}","failed":"{failed}","cancelled":"{fenced,released}"}');
INSERT INTO payout VALUES ('po-1', 'created');
UPDATE payout SET status = 'succeeded' WHERE id = 'po-1';
INSERT INTO payout VALUES ('po-2', 'paying');
UPDATE payout SET status = 'cancelled' WHERE id = 'po-2';
-- Accident 5: retire() in a transaction makes old claims its own, and they pay again.
BEGIN;
SELECT dropped > 0 AS dropped FROM idem.retire('bypass debit');
INSERT INTO debit (message) VALUES ('20180718-paid-1');
ROLLBACK;
BEGIN;
SELECT removed > 0 AS removed FROM idem.retire('bypass debit', before => '2018-07-19 UTC');
SELECT outcome, granted FROM idem.claim('bypass debit', '20180718-paid-1');
INSERT INTO debit (message) VALUES ('20180718-paid-1');
ROLLBACK;
-- Accident 6: the application alone sends one payment twice: it overrules what it was not told.
SET ROLE regress_bound_bypass;
SELECT outcome FROM idem.resolve('bypass wire', 'po-2', 'released', '{"by":"app"}', force => 'retry');
SELECT outcome FROM idem.reserve('bypass wire', 'po-2');
-- Accident 7: and puts aside the late result that would have told.
SELECT outcome FROM idem.complete('bypass wire', 'po-2', 1, 'succeeded', '{}');
UPDATE payout SET status = 'succeeded' WHERE id = 'po-2';
SELECT outcome FROM idem.complete('bypass wire', 'po-2', 1, 'failed', '{}');
SELECT outcome FROM idem.resolve('bypass wire', 'po-2', 'succeeded', '{"by":"app"}', force => 'nothing to see');
DELETE FROM idem.late_result;
RESET ROLE;
-- Accident 8: a stop that open transactions do not see: control_pause.

-- ---------------------------------------------------------------------------
-- Ways around, by the numbers of docs/bypass.md
-- ---------------------------------------------------------------------------

SET ROLE regress_bound_bypass;
-- 1: a stale snapshot;  2: lock, then look: there is nothing to look at (bound_race, bound_state_race)
-- 3: look for the effect, and write it
INSERT INTO debit (message) SELECT '20180718-w3' WHERE NOT EXISTS (SELECT FROM debit WHERE message = '20180718-w3');
-- 4, 5: a claim that is answered and lost in a crash or a promotion: it takes its row with it (450_bound, claim_crash, claim_standby)
-- 6: one row in each partition: bound
-- 7: delete the effect, and write it again
BEGIN;
DELETE FROM debit WHERE message = '20180718-paid-1';
INSERT INTO debit (message) VALUES ('20180718-paid-1');
ROLLBACK;
-- 8: truncate, and write again
BEGIN;
TRUNCATE debit;
INSERT INTO debit (message) VALUES ('20180718-paid-1');
ROLLBACK;
-- 9: another key, an upsert
UPDATE debit SET message = '20180718-w9';
INSERT INTO debit (id, message) OVERRIDING SYSTEM VALUE SELECT id, message FROM debit ON CONFLICT (id) DO UPDATE SET message = '20180718-w9';
-- 10: amounts that are none: not this guard's
-- 11: operators and functions that look like the catalog's
RESET ROLE;
CREATE SCHEMA regress_bound_evil AUTHORIZATION regress_bound_bypass;
SET ROLE regress_bound_bypass;
CREATE FUNCTION regress_bound_evil.yes(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR regress_bound_evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_bound_evil.yes);
CREATE FUNCTION regress_bound_evil.claim(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
SET search_path = regress_bound_evil, bound_bypass, pg_catalog;
INSERT INTO debit (message) VALUES ('20180718-w11');
SET search_path = bound_bypass;
-- 12: temporary tables named like those of the guard
CREATE TEMPORARY TABLE anchor (digest uuid, first_seen timestamptz, scope int, state "char", key text, fingerprint bytea, response jsonb);
CREATE TEMPORARY TABLE scope (id int, name text, effect text);
INSERT INTO debit (message) VALUES ('20180718-w12');
DROP TABLE anchor, scope;
-- 13: row security that hides what is there
RESET ROLE;
ALTER TABLE debit ENABLE ROW LEVEL SECURITY;
CREATE POLICY hidden ON debit FOR SELECT USING (false);
CREATE POLICY any_row ON debit FOR INSERT WITH CHECK (true);
SET ROLE regress_bound_bypass;
INSERT INTO debit (message) VALUES ('20180718-paid-1');
RESET ROLE;
ALTER TABLE debit DISABLE ROW LEVEL SECURITY;
DROP POLICY hidden ON debit;
DROP POLICY any_row ON debit;
SET ROLE regress_bound_bypass;
-- 14: no key, an empty one, blanks
INSERT INTO debit (message) VALUES (NULL);
INSERT INTO debit (message) VALUES ('');
INSERT INTO debit (message) VALUES ('   ');
-- 15: a key that is too long
INSERT INTO debit (message) VALUES (repeat('20180718', 40));
-- 16: keys of one hash: of 12 bytes of SHA-256, and the scope's id (claim)
-- 17: keys that look alike
BEGIN;
SELECT outcome FROM idem.claim('bypass debit', '20180718-paid-17');
SAVEPOINT s;
INSERT INTO debit (message) VALUES ('20180718-PAID-17');
ROLLBACK TO s;
INSERT INTO debit (message) VALUES ('20180718-paid-17 ');
ROLLBACK TO s;
INSERT INTO debit (message) VALUES (U&'20180718-p\0430id-17');
ROLLBACK TO s;
INSERT INTO debit (message) VALUES ('20180718-paid-17');
COMMIT;
RESET ROLE;
-- 18: what a dump leaves out: nothing (450_bound)
-- 19: another trigger that fires later and writes the key;  44: by the TRIGGER privilege
GRANT TRIGGER ON debit TO regress_bound_bypass;
SET ROLE regress_bound_bypass;
CREATE FUNCTION other_key() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.message := '20180718-w19'; RETURN NEW; END$$;
CREATE TRIGGER zzz BEFORE INSERT ON debit FOR EACH ROW EXECUTE FUNCTION other_key();
BEGIN;
SELECT outcome FROM idem.claim('bypass debit', '20180718-w19-mine');
INSERT INTO debit (message) VALUES ('20180718-w19-mine');
ROLLBACK;
RESET ROLE;
DROP TRIGGER zzz ON debit;
-- 20: a trigger that writes it while another column is updated
CREATE TRIGGER zzz BEFORE UPDATE ON debit FOR EACH ROW EXECUTE FUNCTION other_key();
UPDATE debit SET note = 'only a note';
DROP TRIGGER zzz ON debit;
-- and one that writes a second row for each
CREATE FUNCTION second_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 THEN INSERT INTO debit (message, note) VALUES (NEW.message, 'second'); END IF;
    RETURN NULL;
END$$;
CREATE TRIGGER zzz AFTER INSERT ON debit FOR EACH ROW EXECUTE FUNCTION second_row();
BEGIN;
SELECT outcome FROM idem.claim('bypass debit', '20180718-w20');
INSERT INTO debit (message) VALUES ('20180718-w20');
ROLLBACK;
DROP TRIGGER zzz ON debit;
-- 21: an UPDATE that moves the row to another partition
CREATE TABLE part (day date NOT NULL, message text NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2018-07-01') TO ('2018-08-01');
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2018-08-01') TO ('2018-09-01');
SELECT idem.guard_claimed('part', key => '{message}', scope => 'bypass debit');
BEGIN;
SELECT outcome FROM idem.claim('bypass debit', '20180718-paid-21');
INSERT INTO part VALUES ('2018-07-18', '20180718-paid-21');
COMMIT;
UPDATE part SET day = '2018-08-18', message = '20180718-w21';
UPDATE part_1 SET day = '2018-08-18';
UPDATE part SET day = '2018-08-18';
INSERT INTO part_1 VALUES ('2018-07-18', '20180718-paid-21');
SELECT tableoid::regclass, * FROM part;
-- 22: the apply worker: judged at the origin;  23, 24: restores: 450_bound, dump_ways; rows without a claim are seen (bound)
-- 25: partitions of the extension's tables: none;  26: DROP EXTENSION: doctor_bypass
-- 27: a generated key: judged as stored
CREATE TABLE made (a text, b text NOT NULL GENERATED ALWAYS AS ('20180718-' || a) STORED);
SELECT idem.guard_claimed('made', key => '{b}', scope => 'bypass debit');
INSERT INTO made (a) VALUES ('paid-27');
BEGIN;
SELECT outcome FROM idem.claim('bypass debit', '20180718-paid-27');
INSERT INTO made (a) VALUES ('paid-27');
COMMIT;
UPDATE made SET a = 'w27';
-- 28: a guard that skips instead of raising: it raises
-- 29: actions of foreign keys
CREATE TABLE message (id text PRIMARY KEY);
INSERT INTO message VALUES ('20180718-paid-29');
CREATE TABLE child (message text NOT NULL REFERENCES message ON UPDATE CASCADE ON DELETE CASCADE);
SELECT idem.guard_claimed('child', key => '{message}', scope => 'bypass debit');
BEGIN;
SELECT outcome FROM idem.claim('bypass debit', '20180718-paid-29');
INSERT INTO child VALUES ('20180718-paid-29');
COMMIT;
UPDATE message SET id = '20180718-w29';
BEGIN;
DELETE FROM message;
INSERT INTO message VALUES ('20180718-paid-29');
INSERT INTO child VALUES ('20180718-paid-29');
ROLLBACK;
-- 30: a row that ON CONFLICT skips uses no payment up: bound
-- 31: ROLLBACK TO after the claim
BEGIN;
SAVEPOINT s;
SELECT outcome FROM idem.claim('bypass debit', '20180718-w31');
ROLLBACK TO s;
INSERT INTO debit (message) VALUES ('20180718-w31');
ROLLBACK;
-- 32: synchronous_commit set in a function: claim_crash, claim_flush
-- 33, 34: CHECKs over other rows, unique indexes that do not hold: none is needed; of a table of keys: bound_keys
-- 35: age by now(): none is asked for;  36: numbers given outside: not this guard's;  37: doctor_replica
-- 38: a partition that is a foreign table: doctor_attach
-- 39: the replica role
SET session_replication_role = replica;
INSERT INTO debit (message) VALUES ('20180718-paid-1');
UPDATE debit SET message = '20180718-w39';
RESET session_replication_role;
DROP VIEW wrong;
-- 40: the trigger disabled, dropped, renamed, of one partition, too
ALTER TABLE debit DISABLE TRIGGER idem_claimed_message;
ALTER TABLE debit ENABLE TRIGGER idem_claimed_message;
DROP TRIGGER idem_claimed_message ON debit;
ALTER TRIGGER idem_claimed_message ON debit RENAME TO other;
ALTER TABLE part_1 DISABLE TRIGGER ALL;
-- 41: another type, another column of the name, a child that inherits, DETACH, a rule
ALTER TABLE debit ALTER message TYPE varchar(8) USING left(message, 8);
ALTER TABLE debit RENAME message TO old_message;
ALTER TABLE debit DROP message;
ALTER TABLE debit ALTER message DROP NOT NULL;
CREATE TABLE inherits () INHERITS (debit);
CREATE RULE elsewhere AS ON UPDATE TO debit DO INSTEAD NOTHING;
ALTER TABLE part DETACH PARTITION part_1;
INSERT INTO part_1 VALUES ('2018-07-18', '20180718-w41');
ALTER TABLE part ATTACH PARTITION part_1 FOR VALUES FROM ('2018-07-01') TO ('2018-08-01');
-- 42: a superuser who writes pg_trigger: seen
BEGIN;
UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'debit'::regclass;
SELECT intact, problem FROM idem.guards WHERE relation = 'debit'::regclass;
ROLLBACK;
-- 43: event triggers under replica: doctor_ddl
-- 45: deadlocks: inside nothing is locked; outside: bound_state_race
-- 46: a claim in a prepared transaction: 450_bound
-- 47: the trigger's function called, and attached elsewhere
SELECT idem.keep_claimed();
CREATE TABLE elsewhere (k int);
CREATE TRIGGER a BEFORE INSERT ON elsewhere FOR EACH ROW EXECUTE FUNCTION idem.keep_claimed('idem=1', 'scope=bypass debit', 'key={k}');
INSERT INTO elsewhere VALUES (1);
-- 48, 49: not this guard's
-- 50: an old backup: outside
-- 51: the table dropped, with the rows
SET idem.drop_reason = '';
DROP TABLE debit;
RESET idem.drop_reason;

-- By SQL that uses nothing of idem.
SELECT message, count(*) FROM debit GROUP BY message ORDER BY message;

SELECT outcome FROM idem.resolve('bypass wire', 'po-2', 'succeeded', '{"by":"bank"}', force => 'they say so');
DROP OWNED BY regress_bound_bypass CASCADE;
DROP ROLE regress_bound_bypass;
DROP SCHEMA bound_bypass CASCADE;
