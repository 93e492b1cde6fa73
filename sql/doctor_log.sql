--
-- The change log is append-only, follows renames, and keeps its order whatever
-- the clock does.  Wounds 11 and 29, and of wound 26 the rows written for each
-- partition.
--
CREATE SCHEMA doctor_log;
SET search_path = doctor_log;
CREATE VIEW log AS
    SELECT action, kind, relation::text, table_schema, table_name, name, arguments, reason
    FROM idem.change_log WHERE table_schema LIKE 'doctor_log%' ORDER BY n, name COLLATE "C";
CREATE VIEW findings AS
    SELECT object, finding FROM idem.doctor() WHERE object ~ ' guard .* on .*doctor_log' AND finding !~ 'allow_unguarded';

-- -------------------------------------- publications of all tables (wound 11)
SET client_min_messages = error;	-- wal_level is not logical here
CREATE PUBLICATION doctor_log_all FOR ALL TABLES;
RESET client_min_messages;
CREATE TABLE plain (id int PRIMARY KEY);
ALTER TABLE plain RENAME TO plainer;
CREATE TABLE payment (id int PRIMARY KEY, amount int);
SELECT idem.guard_kept('payment');
SELECT idem.guard_fixed('payment', '{amount}');
ALTER TABLE payment RENAME TO trade;
ALTER SCHEMA doctor_log RENAME TO doctor_log_2;
ALTER SCHEMA doctor_log_2 RENAME TO doctor_log;
CREATE SCHEMA doctor_log_3;
ALTER TABLE trade SET SCHEMA doctor_log_3;
ALTER TABLE doctor_log_3.trade SET SCHEMA doctor_log;
DROP PUBLICATION doctor_log_all;
SELECT * FROM log;
-- Every table that is updated or deleted from has a replica identity.
SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = 'idem'::regnamespace AND c.relkind = 'r'
          AND c.relreplident <> 'f' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary);
-- The guard is still known by who declared it.
SELECT relation, kind, intact, declared_by = session_user AS by_us FROM idem.guards
    WHERE relation = 'trade'::regclass ORDER BY kind;
SELECT * FROM findings;

-- A guard whose trigger is gone is followed, too: the table has no trigger any more.
CREATE TABLE lone (id int);
SELECT idem.guard_kept('lone');
SET idem.allow_unguarded = 'a test';
DROP TRIGGER idem_kept ON lone;
DROP TRIGGER idem_kept_truncate ON lone;
RESET idem.allow_unguarded;
VACUUM lone;
ALTER TABLE lone RENAME TO alone;
SELECT object, regexp_replace(finding, 'by .* at .*,', 'by ... at ...,') AS finding FROM findings;
DROP TABLE alone;
SELECT * FROM findings;

-- ------------- a table that takes a name takes over nothing from the log (11)
CREATE ROLE regress_idem_log_stranger;
GRANT CREATE, USAGE ON SCHEMA doctor_log TO regress_idem_log_stranger;
CREATE TABLE victim (id int);
SELECT idem.guard_kept('victim');
DROP TABLE victim;
SET ROLE regress_idem_log_stranger;
CREATE TABLE doctor_log.victim (id int);
CREATE TRIGGER idem_kept AFTER UPDATE OR DELETE ON doctor_log.victim FOR EACH ROW EXECUTE FUNCTION idem.keep_rows();
ALTER TABLE doctor_log.victim RENAME TO mine;
RESET ROLE;
SELECT * FROM log WHERE table_name IN ('victim', 'mine');
-- nor one that comes while the first lives on under another name
CREATE TABLE victim (id int);
SELECT idem.guard_kept('victim');
ALTER TABLE victim RENAME TO moved;
SET ROLE regress_idem_log_stranger;
CREATE TABLE doctor_log.victim (id int);
CREATE TRIGGER idem_kept AFTER UPDATE OR DELETE ON doctor_log.victim FOR EACH ROW EXECUTE FUNCTION idem.keep_rows();
ALTER TABLE doctor_log.victim RENAME TO mine_2;
DROP TABLE doctor_log.mine, doctor_log.mine_2;
RESET ROLE;
SELECT * FROM log WHERE table_name IN ('victim', 'mine', 'mine_2', 'moved');
SELECT relation, kind, intact FROM idem.guards WHERE relation = 'moved'::regclass;

-- ------------------------------------------- a clock that is set (wound 29)
-- Entries as a clock would have written them that was a day ahead at the time.
UPDATE idem.change SET at = at + interval '1 day' WHERE table_name = 'moved' OR table_name = 'trade';
SELECT idem.drop_guard('moved', 'kept', reason => 'a test');
SELECT * FROM findings;
SELECT idem.guard_kept('moved');
SELECT action, relation FROM idem.change_log WHERE table_schema = 'doctor_log' AND table_name = 'moved' ORDER BY n;
BEGIN;
UPDATE idem.change SET n = n + 86400000000 WHERE table_name = 'moved' AND action = 'declared';
SELECT idem.drop_guard('moved', 'kept', reason => 'another test');
SELECT action FROM idem.change_log WHERE table_schema = 'doctor_log' AND table_name = 'moved' ORDER BY n;
SELECT count(*) = count(DISTINCT n) AS in_order FROM idem.change WHERE table_schema = 'doctor_log';
ROLLBACK;
-- A declaration moves no sequence of the session.
CREATE SEQUENCE counter;
SELECT nextval('counter');
CREATE TABLE counted (id int);
SELECT idem.guard_kept('counted');
ALTER TABLE counted RENAME TO recounted;
DROP TABLE recounted;
SELECT lastval();

-- -------------------- one row a guard, whatever number of partitions (wound 26)
CREATE TABLE parts (id int, part int) PARTITION BY LIST (part);
SELECT format('CREATE TABLE parts_%s PARTITION OF parts FOR VALUES IN (%s) PARTITION BY LIST (id)', i, i),
       format('CREATE TABLE parts_%s_0 PARTITION OF parts_%s FOR VALUES IN (0)', i, i)
    FROM generate_series(1, 9) i \gexec
SELECT idem.guard_kept('parts');
SELECT idem.guard_fixed('parts', '{id}');
DROP TABLE parts_9;
DROP TABLE parts_8_0;
DROP TABLE parts;
SELECT * FROM log WHERE table_name LIKE 'parts%';

SET client_min_messages = warning;
DROP SCHEMA doctor_log, doctor_log_3 CASCADE;
DROP ROLE regress_idem_log_stranger;
SELECT relation, action FROM idem.change_log WHERE table_schema LIKE 'doctor_log%' AND relation IS NOT NULL;
-- the log was written over above, of which the doctor would go on to speak
DO $$ BEGIN PERFORM idem.rearm(); END $$;
