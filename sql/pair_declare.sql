--
-- pair: what idem.guard_parent_state takes, what it refuses, and how it is
-- taken off again.
--
CREATE SCHEMA pair_declare;
SET search_path = pair_declare;
SET client_min_messages = warning;
CREATE FUNCTION sqlstate_of(statement text) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE message text; detail text; hint text; code text;
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', code || ': ' || message, nullif(detail, ''), nullif(hint, ''));
END $$;
CREATE TYPE status AS ENUM ('open', 'shut');
CREATE TABLE parent (id int PRIMARY KEY, status status NOT NULL, n int, g text GENERATED ALWAYS AS ('x' || n) STORED);
CREATE TABLE child (id int PRIMARY KEY, parent int NOT NULL REFERENCES parent, status text, n int);
CREATE VIEW try AS
SELECT n, sqlstate_of('SELECT idem.guard_parent_state(' || arguments || ')') FROM (VALUES
    -- arguments
    (1, $$NULL, 'parent', 'status', 'status', '{"a":"{open}"}'$$),
    (2, $$'child', NULL, 'status', 'status', '{"a":"{open}"}'$$),
    (3, $$'child', 'parent', 'status', NULL, '{"a":"{open}"}'$$),
    (4, $$'child', 'parent', 'status', 'status', NULL$$),
    (5, $$'child', 'parent', 'status', 'status'$$),
    (6, $$'child', 'parent', 'status', 'status', '{"a":"{open}"}', judge => NULL$$),
    (7, $$'child', 'parent', 'status', 'status', '{"a":"{open}"}', deferred => NULL$$),
    (8, $$'child', 'parent', 'status', 'status', '{"a":"{open}"}', judge => 'rows'$$),
    (9, $$'child', 'parent', 'status', 'status', '{"a":"{*,open}"}'$$),
    (10, $$'child', 'parent', 'status', 'status', '{}'$$),
    (11, $$'child', 'parent', 'status', 'status', '[]'$$),
    (12, $$'child', 'parent', 'status', 'status', '"a"'$$),
    (13, $$'child', 'parent', 'status', 'status', '{"a":["open"]}'$$),
    (14, $$'child', 'parent', 'status', 'status', '{"a":null}'$$),
    (15, $$'child', 'parent', 'status', 'status', '{"a":"open"}'$$),
    (16, $$'child', 'parent', 'status', 'status', '{"a":"{}"}'$$),
    (17, $$'child', 'parent', 'status', 'status', '{"a":"{open,NULL}"}'$$),
    (18, $$'child', 'parent', 'status', 'status', '{"a":"{open,open}"}'$$),
    (19, $$'child', 'parent', parent_state => 'status', allowed => '{"a":"{open}"}'$$),
    (20, $$'child', 'parent', parent_state => 'status', allowed => '{"*":"{open}"}', facts => '{a}'$$),
    (21, $$'child', 'parent', 'status', 'status', '{"a":"{open}"}', facts => '{*}'$$),
    (22, $$'child', 'parent', 'status', 'status', '{"a":"{open}"}', facts => '{a,NULL}'$$),
    (23, $$'child', 'parent', 'status', 'status', '{"a":"{open}"}', facts => '{a,*}'$$),
    -- columns
    (30, $$'child', 'parent', 'no', 'status', '{"a":"{open}"}'$$),
    (31, $$'child', 'parent', 'status', 'no', '{"a":"{open}"}'$$),
    (32, $$'child', 'parent', 'n', 'status', '{"a":"{open}"}'$$),
    (33, $$'child', 'parent', 'status', 'n', '{"a":"{open}"}'$$),
    (34, $$'child', 'parent', 'status', 'status', '{"a":"{opened}"}'$$),
    (35, $$'child', 'parent', 'ctid', 'status', '{"a":"{open}"}'$$),
    -- the foreign key
    (40, $$'child', 'id', 'status', 'status', '{"a":"{open}"}'$$),
    (41, $$'child', 'no', 'status', 'status', '{"a":"{open}"}'$$),
    (42, $$'child', '{parent,id}', 'status', 'status', '{"a":"{open}"}'$$),
    (43, $$'try', 'parent', 'status', 'status', '{"a":"{open}"}'$$)
) v (n, arguments);
SELECT * FROM try ORDER BY n;
-- the index, by which a parent finds its children
SELECT sqlstate_of($$SELECT idem.guard_parent_state('child', 'parent', 'status', 'status', '{"a":"{open}"}')$$);
CREATE INDEX child_other ON child (status, parent);
CREATE INDEX child_some ON child (parent) WHERE id > 0;
SELECT sqlstate_of($$SELECT idem.guard_parent_state('child', 'parent', 'status', 'status', '{"a":"{open}"}')$$);
DROP INDEX child_other, child_some;
CREATE INDEX child_parent ON child (parent, status);
-- a key that changes children, can be null or waits
ALTER TABLE child ALTER parent DROP NOT NULL;
SELECT sqlstate_of($$SELECT idem.guard_parent_state('child', 'parent', 'status', 'status', '{"a":"{open}"}')$$);
ALTER TABLE child ALTER parent SET NOT NULL;
ALTER TABLE child ALTER CONSTRAINT child_parent_fkey DEFERRABLE;
SELECT sqlstate_of($$SELECT idem.guard_parent_state('child', 'parent', 'status', 'status', '{"a":"{open}"}')$$);
ALTER TABLE child ALTER CONSTRAINT child_parent_fkey NOT DEFERRABLE;
ALTER TABLE child DROP CONSTRAINT child_parent_fkey, ADD FOREIGN KEY (parent) REFERENCES parent ON DELETE CASCADE;
SELECT sqlstate_of($$SELECT idem.guard_parent_state('child', 'parent', 'status', 'status', '{"a":"{open}"}')$$);
ALTER TABLE child DROP CONSTRAINT child_parent_fkey, ADD FOREIGN KEY (parent) REFERENCES parent;
-- types of the key that cannot be compared as they are
CREATE TABLE parent_n (id numeric PRIMARY KEY, status text);
CREATE TABLE child_n (id int PRIMARY KEY, parent int NOT NULL REFERENCES parent_n, status text);
CREATE INDEX ON child_n (parent);
SELECT sqlstate_of($$SELECT idem.guard_parent_state('child_n', 'parent', 'status', 'status', '{"a":"{open}"}')$$);
-- tables whose rows do not fire our triggers, or that do not last
CREATE TABLE heir () INHERITS (child);
SELECT sqlstate_of($$SELECT idem.guard_parent_state('child', 'parent', 'status', 'status', '{"a":"{open}"}')$$);
DROP TABLE heir;
CREATE TABLE heir () INHERITS (parent);
SELECT sqlstate_of($$SELECT idem.guard_parent_state('child', 'parent', 'status', 'status', '{"a":"{open}"}')$$);
DROP TABLE heir;
ALTER TABLE child SET UNLOGGED;
SELECT sqlstate_of($$SELECT idem.guard_parent_state('child', 'parent', 'status', 'status', '{"a":"{open}"}')$$);
ALTER TABLE child SET LOGGED;
-- rows that do not agree already
INSERT INTO parent SELECT i, 'shut' FROM generate_series(1, 8) i;
INSERT INTO child SELECT i, i, 'a' FROM generate_series(1, 8) i;
SELECT sqlstate_of($$SELECT idem.guard_parent_state('child', 'parent', 'status', 'status', '{"a":"{open}"}')$$);
DELETE FROM child WHERE id > 1;
SELECT sqlstate_of($$SELECT idem.guard_parent_state('child', 'parent', parent_state => 'status', allowed => '{"*":"{open}"}')$$);
UPDATE parent SET status = 'open' WHERE id = 1;

-- ---------------------------------------------------------- what it is made of
SELECT idem.guard_parent_state('child', 'parent', state => 'status', parent_state => 'status', allowed => '{"b":"{shut,open}","a":"{open}"}', facts => '{z,y}');
SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid IN ('child'::regclass, 'parent'::regclass) AND NOT tgisinternal AND tgenabled = 'A' ORDER BY 1;
SELECT relation, kind, name, mode, intact, problem FROM idem.guards WHERE relation = 'child'::regclass;
SELECT d FROM idem.declarations() d WHERE d ~ 'pair_declare.child';
-- the same again, in another order, is none; another one of these columns is refused
SET client_min_messages = notice;
SELECT idem.guard_parent_state('child', 'parent', state => 'status', parent_state => 'status', allowed => '{"a":"{open}","b":"{open,shut}"}', facts => '{y,z}');
SET client_min_messages = warning;
SELECT sqlstate_of($$SELECT idem.guard_parent_state('child', 'parent', state => 'status', parent_state => 'status', allowed => '{"a":"{open}","b":"{open,shut}"}')$$);
SELECT sqlstate_of($$SELECT idem.guard_parent_state('child', 'parent', state => 'status', parent_state => 'status', allowed => '{"a":"{open}"}', judge => 'entry', deferred => true)$$);
-- one of other columns is a guard of its own
SELECT idem.guard_parent_state('child', 'parent', parent_state => 'status', allowed => '{"*":"{open}"}', judge => 'entry');
SELECT name, settings FROM idem.guards WHERE relation = 'child'::regclass ORDER BY 1;
SELECT sqlstate_of($$INSERT INTO child VALUES (20, 2, 'b')$$);
SELECT sqlstate_of($$SELECT idem.drop_guard('child', 'pair', reason => 'end')$$);
SELECT idem.drop_guard('child', 'pair', name => 'IDEM_pair_parent_2', reason => 'one is enough');
INSERT INTO child VALUES (20, 2, 'b');
SELECT sqlstate_of($$INSERT INTO child VALUES (21, 2, 'a')$$);
SELECT idem.validate_guard('child', 'IDEM_pair_parent');
SELECT idem.drop_guard('child', 'pair', reason => 'end');
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgrelid IN ('child'::regclass, 'parent'::regclass) AND NOT tgisinternal;
INSERT INTO child VALUES (21, 2, 'a');
SELECT action, kind, name, reason FROM idem.change_log WHERE table_schema = 'pair_declare' ORDER BY n;

-- ------------------------------------------------------------------- who may
CREATE ROLE regress_pair_declare;
GRANT USAGE, CREATE ON SCHEMA pair_declare TO regress_pair_declare;
SELECT sqlstate_of($$SET LOCAL ROLE regress_pair_declare; SELECT idem.guard_parent_state('child', 'parent', 'status', 'status', '{"c":"{open}"}')$$);
ALTER TABLE child OWNER TO regress_pair_declare;
SELECT sqlstate_of($$SET LOCAL ROLE regress_pair_declare; SELECT idem.guard_parent_state('child', 'parent', 'status', 'status', '{"c":"{open}"}')$$);
ALTER TABLE parent OWNER TO regress_pair_declare;
SELECT sqlstate_of($$SET LOCAL ROLE regress_pair_declare; SELECT idem.guard_parent_state('child', 'parent', 'status', 'status', '{"c":"{open}"}')$$);

-- ------------------------------------------------- triggers put on by hand
SET client_min_messages = warning;
CREATE TABLE own (id int PRIMARY KEY, status text, parent int NOT NULL REFERENCES parent);
CREATE INDEX ON own (parent);
CREATE TABLE other (LIKE own INCLUDING ALL, FOREIGN KEY (parent) REFERENCES parent);
-- alone, on the child; with arguments that are none; on the parent
CREATE TRIGGER "IDEM_hand" AFTER INSERT OR UPDATE OR DELETE ON own FOR EACH ROW
    EXECUTE FUNCTION idem.keep_pair('idem=1', 'fk={parent}', 'state=status', 'parent_state=status', 'allowed={a,"{open}"}', 'judge=row');
SELECT sqlstate_of($$INSERT INTO own VALUES (1, 'a', 1)$$);
CREATE TRIGGER "IDEM_hand" AFTER INSERT OR UPDATE OR DELETE ON other FOR EACH ROW
    EXECUTE FUNCTION idem.keep_pair('idem=1', 'fk={parent}', 'state=status', 'parent_state=status', 'allowed={a,{open}}', 'judge=row');
SELECT sqlstate_of($$INSERT INTO other VALUES (1, 'a', 1)$$);
CREATE TABLE alone (id int PRIMARY KEY, status text);
INSERT INTO alone VALUES (1, 'open');
CREATE TRIGGER "IDEM_hand" AFTER INSERT OR UPDATE OR DELETE ON alone FOR EACH ROW
    EXECUTE FUNCTION idem.keep_pair_parent('idem=1', 'fk={parent}', 'key={id}', 'state=status', 'parent_state=status', 'allowed={a,"{open}"}', 'judge=row');
SELECT sqlstate_of($$UPDATE alone SET status = 'shut'$$);
-- of a child that references another table
CREATE TABLE alone_too (LIKE alone INCLUDING ALL);
INSERT INTO alone_too VALUES (1, 'open');
CREATE CONSTRAINT TRIGGER "IDEM_hand" AFTER INSERT OR UPDATE OR DELETE ON alone_too FROM own FOR EACH ROW
    EXECUTE FUNCTION idem.keep_pair_parent('idem=1', 'fk={parent}', 'key={id}', 'state=status', 'parent_state=status', 'allowed={a,"{open}"}', 'judge=row');
SELECT sqlstate_of($$UPDATE alone_too SET status = 'shut'$$);
-- a counterpart that says something else
CREATE CONSTRAINT TRIGGER "IDEM_hand" AFTER INSERT OR UPDATE OR DELETE ON parent FROM own FOR EACH ROW
    EXECUTE FUNCTION idem.keep_pair_parent('idem=1', 'fk={parent}', 'key={id}', 'state=status', 'parent_state=status', 'allowed={a,"{shut}"}', 'judge=row');
SELECT sqlstate_of($$INSERT INTO own VALUES (1, 'a', 1)$$);
SELECT sqlstate_of($$UPDATE parent SET status = 'shut' WHERE status = 'open'$$);
SELECT sqlstate_of('SELECT idem.keep_pair()'), sqlstate_of('SELECT idem.keep_pair_parent()');

DROP SCHEMA pair_declare CASCADE;
DROP OWNED BY regress_pair_declare;
DROP ROLE regress_pair_declare;
