--
-- What would break claims is refused of the tables of idem, with what to do
-- instead, and so is SET UNLOGGED of a guarded table; the doctor names what
-- got past, and its remedies mend it.  Wounds 11a and 11b.
--
CREATE SCHEMA doctor_tables;
SET search_path = doctor_tables;
-- One of each: granted, replayed and completed; reserved, due and resolved; a transition.
SELECT idem.create_scope('tables', effect => 'inside', fields => '{}');
SELECT idem.create_scope('tables out', effect => 'outside', fields => '{}', ladder => '{1us}', quiet => '0');
SELECT 'defined' AS machine FROM idem.define_machine('doctor_tables', $$
stateDiagram-v2
    [*] --> created
    created --> paid
    paid --> [*]
$$) LIMIT 1;
CREATE TABLE payment (id int PRIMARY KEY, status text NOT NULL);
SELECT idem.guard_states('payment', 'status', 'doctor_tables');
CREATE SEQUENCE round;
CREATE FUNCTION works() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    n text := nextval('doctor_tables.round');
BEGIN
    IF (SELECT outcome FROM idem.claim('tables', n)) <> 'granted'
       OR (SELECT outcome FROM idem.complete('tables', n, '{"done": true}')) <> 'succeeded'
       OR n <> '1' AND (SELECT outcome FROM idem.claim('tables', '1')) <> 'replayed'
       OR (SELECT outcome FROM idem.reserve('tables out', n)) <> 'reserved'
       OR (SELECT outcome FROM idem.fence('tables out', n || '-f', 'a test')) <> 'fenced' THEN
        RETURN 'does not work';
    END IF;
    PERFORM count(*) FROM idem.due('tables out', 10);
    PERFORM idem.release('tables out', n, 1);
    INSERT INTO doctor_tables.payment VALUES (n::int, 'created');
    UPDATE doctor_tables.payment SET status = 'paid' WHERE id = n::int;
    RETURN 'works';
END $$;
SELECT works();
SELECT works();
CREATE VIEW findings AS SELECT object, finding, remedy FROM idem.doctor() WHERE object LIKE 'table idem.%';
SELECT * FROM findings;

-- --------------------------------------------------- refused, and instead
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE ours (digest uuid, key text, part int);
CREATE TABLE heap_of_keys (LIKE idem.anchor);
\set VERBOSITY default
ALTER TABLE idem.anchor SET UNLOGGED;
ALTER TABLE idem.anchor DROP COLUMN response;
ALTER TABLE idem.anchor ADD COLUMN at timestamptz NOT NULL DEFAULT now();
CREATE TRIGGER note BEFORE INSERT ON idem.anchor FOR EACH ROW EXECUTE FUNCTION note();
CREATE RULE note AS ON INSERT TO idem.reservation DO ALSO NOTIFY paid;
CREATE UNIQUE INDEX CONCURRENTLY once ON idem.anchor (key);
ALTER TABLE idem.reservation ADD CONSTRAINT short CHECK (length(key) < 40);
ALTER TABLE ours ADD CONSTRAINT claimed FOREIGN KEY (digest) REFERENCES idem.anchor;
ALTER TABLE idem.anchor ENABLE ROW LEVEL SECURITY;
CREATE TABLE more_keys () INHERITS (idem.anchor);
ALTER TABLE idem.anchor RENAME TO keys;
ALTER TABLE idem.anchor ALTER key TYPE varchar(255);
\set VERBOSITY terse
ALTER TABLE idem.reservation SET UNLOGGED;
ALTER TABLE idem.scope SET UNLOGGED;
ALTER TABLE idem.change SET UNLOGGED;
ALTER TABLE idem.anchor RENAME key TO idempotency_key;
ALTER TABLE idem.anchor ADD COLUMN a int DEFAULT 1;
ALTER TABLE idem.anchor ADD COLUMN a int NOT NULL;
ALTER TABLE idem.anchor ADD COLUMN a int GENERATED ALWAYS AS (length(key)) STORED;
ALTER TABLE idem.anchor ADD COLUMN a int GENERATED ALWAYS AS IDENTITY;
ALTER TABLE idem.anchor ALTER key SET STORAGE EXTENDED;
ALTER TABLE idem.change ALTER at DROP DEFAULT;
ALTER TABLE idem.anchor ALTER response SET NOT NULL;
CREATE UNIQUE INDEX once ON idem.anchor (key);
ALTER TABLE idem.anchor ADD CONSTRAINT once UNIQUE (key);
ALTER TABLE idem.anchor ADD CONSTRAINT once EXCLUDE USING hash (key WITH =);
ALTER TABLE idem.anchor DROP CONSTRAINT anchor_pkey;
ALTER TABLE idem.scope DROP CONSTRAINT scope_name_key;
ALTER TABLE idem.scope RENAME CONSTRAINT scope_name_key TO other;
ALTER INDEX idem.scope_name_key RENAME TO other;
CREATE TABLE more_keys (key uuid REFERENCES idem.anchor);
ALTER TABLE idem.anchor FORCE ROW LEVEL SECURITY;
ALTER TABLE heap_of_keys INHERIT idem.anchor;
ALTER TABLE idem.anchor INHERIT heap_of_keys;
ALTER TABLE idem.anchor SET SCHEMA doctor_tables;
ALTER TABLE idem.scope DISABLE TRIGGER idem_scope_invalidate;
DO $$ BEGIN ALTER TABLE idem.anchor SET UNLOGGED; END $$;
DROP TABLE idem.anchor;
\c -
SET search_path = doctor_tables;
ALTER TABLE idem.anchor SET UNLOGGED;
\c -
SET search_path = doctor_tables;
CREATE TRIGGER note BEFORE INSERT ON idem.anchor FOR EACH ROW EXECUTE FUNCTION note();
-- A guarded table becomes unlogged as little.
ALTER TABLE payment SET UNLOGGED;
\c -
SET search_path = doctor_tables;
ALTER TABLE payment ALTER id SET STATISTICS 10, SET UNLOGGED;
CREATE TABLE parts (id int, part int) PARTITION BY LIST (part);
SELECT idem.guard_kept('parts');
CREATE UNLOGGED TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
ALTER TABLE parts_1 SET UNLOGGED;
-- To somebody else the server says no itself.
CREATE ROLE regress_idem_tables;
GRANT USAGE ON SCHEMA doctor_tables TO regress_idem_tables;
SET ROLE regress_idem_tables;
ALTER TABLE payment SET UNLOGGED;
ALTER TABLE idem.anchor SET UNLOGGED;
ALTER TABLE idem.nothing SET UNLOGGED;
RESET ROLE;
SELECT works();
SELECT * FROM findings;
-- A trigger for TRUNCATE alone, as replication tools make them, harms nothing.
CREATE TRIGGER emptied BEFORE TRUNCATE ON idem.anchor FOR EACH STATEMENT EXECUTE FUNCTION note();
SELECT works();
DROP TRIGGER emptied ON idem.anchor;

-- --------------- what somebody got past: the doctor names it, its remedy mends it
ALTER EVENT TRIGGER idem_ddl_start DISABLE;
ALTER EVENT TRIGGER idem_ddl_end DISABLE;
ALTER EVENT TRIGGER idem_rewrite DISABLE;
CREATE TRIGGER note BEFORE INSERT ON idem.anchor FOR EACH ROW EXECUTE FUNCTION note();
CREATE RULE note AS ON INSERT TO idem.reservation DO ALSO NOTIFY paid;
CREATE UNIQUE INDEX once ON idem.anchor (key);
ALTER TABLE idem.reservation ADD CONSTRAINT short CHECK (length(key) < 40);
ALTER TABLE ours ADD CONSTRAINT claimed FOREIGN KEY (digest) REFERENCES idem.anchor;
ALTER TABLE idem.scope ENABLE ROW LEVEL SECURITY;
CREATE TABLE more_keys () INHERITS (idem.reservation);
ALTER TABLE idem.anchor ADD COLUMN a int DEFAULT 1;
ALTER TABLE idem.reservation SET UNLOGGED;
ALTER TABLE payment SET UNLOGGED;
ALTER EVENT TRIGGER idem_ddl_start ENABLE ALWAYS;
ALTER EVENT TRIGGER idem_ddl_end ENABLE ALWAYS;
ALTER EVENT TRIGGER idem_rewrite ENABLE ALWAYS;
SELECT object, finding FROM findings;
SELECT finding FROM idem.doctor() WHERE object LIKE '%doctor_tables.payment';
SELECT works();
-- What was there before keeps nobody from a change that brings about nothing.
ALTER TABLE idem.anchor SET (fillfactor = 90);
ALTER TABLE idem.anchor ADD COLUMN b int DEFAULT 1;
SELECT remedy FROM findings UNION ALL SELECT remedy FROM idem.doctor() WHERE object LIKE '%doctor_tables.payment' \gexec
SELECT * FROM findings;
SELECT works();
DROP TABLE more_keys, ours;
-- With a reason it passes, and the doctor speaks of it until somebody has looked.
BEGIN;
SET LOCAL idem.allow_unguarded = 'a repair of ours';
CREATE TRIGGER note BEFORE INSERT ON idem.anchor FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE idem.anchor ALTER key SET STORAGE EXTENDED;
ALTER TABLE idem.anchor ALTER key SET STORAGE PLAIN;
SELECT kind, name, arguments, reason FROM idem.change_log WHERE action = 'unguarded' AND reason = 'a repair of ours' ORDER BY n;
SELECT object, finding FROM findings;
ROLLBACK;

SET client_min_messages = warning;
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'tables%';
DELETE FROM idem.reservation USING idem.scope s WHERE scope = s.id AND s.name LIKE 'tables%';
DELETE FROM idem.scope WHERE name LIKE 'tables%';
DROP SCHEMA doctor_tables CASCADE;
DROP ROLE regress_idem_tables;
