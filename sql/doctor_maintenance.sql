--
-- The tables of idem are looked after as any others: VACUUM FULL, CLUSTER,
-- REINDEX, an index or a column of an administrator.  Wounds 11 and 11a; what
-- is refused is another test's matter (doctor_tables).
--
CREATE SCHEMA doctor_maintenance;
SET search_path = doctor_maintenance;
\set SHOW_CONTEXT never
-- One of each: granted, replayed and completed; reserved, due and resolved; a transition.
SELECT idem.create_scope('maintenance', effect => 'inside', fields => '{}');
SELECT idem.create_scope('maintenance out', effect => 'outside', fields => '{}', ladder => '{1us}', quiet => '0');
SELECT 'defined' AS machine FROM idem.define_machine('doctor_maintenance', $$
stateDiagram-v2
    [*] --> created
    created --> paid
    paid --> [*]
$$) LIMIT 1;
CREATE TABLE payment (id int PRIMARY KEY, status text NOT NULL);
SELECT idem.guard_states('payment', 'status', 'doctor_maintenance');
CREATE SEQUENCE round;
SET client_min_messages = error;	-- wal_level is not logical here
CREATE PUBLICATION doctor_maintenance_all FOR ALL TABLES;
RESET client_min_messages;
CREATE FUNCTION works() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    n text := nextval('doctor_maintenance.round');
BEGIN
    IF (SELECT outcome FROM idem.claim('maintenance', n)) <> 'granted'
       OR (SELECT outcome FROM idem.complete('maintenance', n, '{"done": true}')) <> 'succeeded'
       OR n <> '1' AND (SELECT outcome FROM idem.claim('maintenance', '1')) <> 'replayed'
       OR (SELECT outcome FROM idem.reserve('maintenance out', n)) <> 'reserved'
       OR (SELECT outcome FROM idem.fence('maintenance out', n || '-f', 'a test')) <> 'fenced' THEN
        RETURN 'does not work';
    END IF;
    PERFORM count(*) FROM idem.due('maintenance out', 10);
    PERFORM idem.release('maintenance out', n, 1);
    INSERT INTO doctor_maintenance.payment VALUES (n::int, 'created');
    UPDATE doctor_maintenance.payment SET status = 'paid' WHERE id = n::int;
    RETURN 'works';
END $$;
SELECT works();
SELECT works();
CREATE VIEW findings AS SELECT object, finding, remedy FROM idem.doctor() WHERE object LIKE 'table idem.%';
SELECT * FROM findings;

-- ------------------------------------- maintenance, with the library loaded
VACUUM FULL idem.anchor;
VACUUM FULL;
CLUSTER idem.anchor USING anchor_pkey;
CLUSTER idem.reservation USING reservation_pkey;
REINDEX TABLE idem.transition_log;
REINDEX TABLE CONCURRENTLY idem.anchor;
REINDEX INDEX CONCURRENTLY idem.scope_name_key;
REINDEX SCHEMA CONCURRENTLY idem;
VACUUM (ANALYZE, FREEZE) idem.anchor, idem.scope;
ALTER TABLE idem.anchor SET LOGGED;
ALTER TABLE idem.anchor SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE idem.anchor RESET (autovacuum_vacuum_scale_factor), SET (fillfactor = 90);
ALTER TABLE idem.anchor ALTER key SET STATISTICS 500;
ALTER TABLE idem.anchor ALTER key SET STATISTICS -1;
ALTER TABLE idem.anchor REPLICA IDENTITY FULL;
SELECT works();
ALTER TABLE idem.anchor REPLICA IDENTITY DEFAULT;
ALTER TABLE idem.anchor CLUSTER ON anchor_pkey;
ALTER TABLE idem.anchor SET WITHOUT CLUSTER;
SELECT works();
-- and in a session that has not loaded it
\c -
SET search_path = doctor_maintenance;
VACUUM FULL idem.reservation;
\c -
SET search_path = doctor_maintenance;
CLUSTER idem.anchor USING anchor_pkey;
\c -
SET search_path = doctor_maintenance;
ALTER TABLE idem.reservation SET LOGGED;
\c -
SET search_path = doctor_maintenance;
SELECT works();

-- --------------------------------------------- indexes of an administrator
CREATE INDEX mine_first_seen ON idem.anchor (first_seen);
CREATE INDEX CONCURRENTLY mine_key ON idem.anchor (lower(key)) WHERE response IS NOT NULL;
CREATE INDEX mine_hash ON idem.anchor USING hash (key);
CREATE INDEX mine_brin ON idem.anchor USING brin (first_seen);
CREATE INDEX mine_gin ON idem.anchor USING gin (response);
CREATE INDEX mine_state ON idem.reservation (state, key) INCLUDE (attempt);
CREATE INDEX mine_due ON idem.reservation (due_at);
CREATE INDEX mine_open ON idem.reservation (key) WHERE state = 'r';
CREATE INDEX mine_log ON idem.transition_log (upper(to_state)) WHERE from_state IS NOT NULL;
CREATE INDEX mine_evidence ON idem.evidence (at);
CREATE INDEX mine_change ON idem.change (lower(name));
SELECT works() FROM generate_series(1, 3);
-- A key that is taken back leaves nothing behind, and another may take it.
BEGIN; SELECT granted FROM idem.claim('maintenance', 'back'); ROLLBACK;
SELECT granted FROM idem.claim('maintenance', 'back');
-- Each holds what a reading of the whole table finds.
CREATE EXTENSION amcheck;
SELECT i.indexrelid::regclass, bt_index_check(i.indexrelid, true)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
    WHERE a.amname = 'btree' AND i.indrelid IN ('idem.anchor'::regclass, 'idem.reservation'::regclass, 'idem.transition_log'::regclass, 'idem.evidence'::regclass)
    ORDER BY c.relname COLLATE "C";
DROP EXTENSION amcheck;
CREATE VIEW counts AS SELECT
    (SELECT count(*) FROM idem.anchor WHERE key = '1') AS hash,
    (SELECT count(*) FROM idem.anchor WHERE first_seen > '2000-01-01') AS brin,
    (SELECT count(*) FROM idem.anchor WHERE response @> '{"done": true}') AS gin,
    (SELECT count(*) FROM idem.anchor WHERE lower(key) > '' AND response IS NOT NULL) AS expression,
    (SELECT count(*) FROM idem.reservation WHERE key > '' AND state = 'r') AS partial,
    (SELECT count(*) FROM idem.transition_log WHERE upper(to_state) > '' AND from_state IS NOT NULL) AS log;
CREATE TABLE counted AS SELECT * FROM counts;
SET enable_seqscan = off;
SELECT counts IS NOT DISTINCT FROM counted AS same, counts.gin > 5 AND counts.log > 5 AS many FROM counts, counted;
RESET enable_seqscan;
DROP VIEW counts;
SELECT * FROM findings;
-- An index whose function fails lets no half of a claim stand.
CREATE FUNCTION fails(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN IF $1 = 'bad' THEN RAISE 'bad key'; END IF; RETURN $1; END $$;
CREATE INDEX mine_fails ON idem.anchor (fails(key));
SELECT granted FROM idem.claim('maintenance', 'bad');
DROP INDEX idem.mine_fails;
SELECT granted FROM idem.claim('maintenance', 'bad');

-- --------------------------------------------- columns of an administrator
ALTER TABLE idem.anchor ADD COLUMN who text;
ALTER TABLE idem.anchor ADD COLUMN batch int, ADD COLUMN gone int;
ALTER TABLE idem.reservation ADD COLUMN who text;
ALTER TABLE idem.transition_log ADD COLUMN who text;
ALTER TABLE idem.scope ADD COLUMN who text;
ALTER TABLE idem.change ADD COLUMN who text;
ALTER TABLE idem.evidence ADD COLUMN who text;
CREATE INDEX mine_who ON idem.anchor (who);
SELECT works();
-- Claims write null there, and keep what is there.
BEGIN;
SELECT outcome FROM idem.claim('maintenance', 'who');
UPDATE idem.anchor SET who = repeat('me', 2000), batch = 7 WHERE key = 'who';
SELECT outcome FROM idem.complete('maintenance', 'who', '{"done": true}');
COMMIT;
SELECT outcome FROM idem.reserve('maintenance out', 'who');
UPDATE idem.reservation SET who = 'me' WHERE key = 'who';
SELECT outcome FROM idem.release('maintenance out', 'who', 1);
SELECT who = repeat('me', 2000) AS kept, batch, gone, state FROM idem.anchor WHERE key = 'who';
SELECT who, state FROM idem.reservation WHERE key = 'who';
SELECT count(*) AS filled FROM idem.anchor WHERE who IS NOT NULL;
SELECT idem.create_scope('maintenance 2', effect => 'inside', fields => '{}');
SELECT idem.alter_scope('maintenance 2', charset => 'any', force => 'a test');
SELECT idem.drop_scope('maintenance 2');
ALTER TABLE idem.anchor ALTER who TYPE varchar(8000), ALTER batch SET STATISTICS 10;
ALTER TABLE idem.anchor DROP COLUMN gone;
SELECT works();
SELECT * FROM findings;
ALTER TABLE idem.anchor RENAME batch TO lot;
ALTER TABLE idem.anchor DROP COLUMN who, DROP COLUMN lot;
ALTER TABLE idem.reservation DROP COLUMN who;
ALTER TABLE idem.transition_log DROP COLUMN who;
ALTER TABLE idem.scope DROP COLUMN who;
ALTER TABLE idem.change DROP COLUMN who;
ALTER TABLE idem.evidence DROP COLUMN who;
SELECT works();
DROP INDEX idem.mine_first_seen, idem.mine_key, idem.mine_hash, idem.mine_brin, idem.mine_gin, idem.mine_state,
    idem.mine_due, idem.mine_open, idem.mine_log, idem.mine_evidence, idem.mine_change;
VACUUM FULL idem.anchor;
SELECT works();

DROP PUBLICATION doctor_maintenance_all;
SET client_min_messages = warning;
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'maintenance%';
DELETE FROM idem.reservation USING idem.scope s WHERE scope = s.id AND s.name LIKE 'maintenance%';
DELETE FROM idem.scope WHERE name LIKE 'maintenance%';
DROP SCHEMA doctor_maintenance CASCADE;
