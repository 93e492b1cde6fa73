--
-- machine_declare: which column of which table a machine can guard
--
-- What weakens a guard is refused (doctor_ddl); here it is done on purpose.
SET idem.allow_unguarded = 'a test of what is not refused';
CREATE ROLE regress_idem_owner;
CREATE ROLE regress_idem_other;
SELECT FROM idem.grant_admin('regress_idem_owner');
CREATE SCHEMA machine_declare;
GRANT ALL ON SCHEMA machine_declare TO regress_idem_owner, regress_idem_other;
SET search_path = machine_declare;
SET ROLE regress_idem_owner;
SELECT FROM idem.define_machine('declare_m', $$stateDiagram-v2
    [*] --> open
    open --> Done : finish
    Done --> [*]
$$);

-- -------------------------------------------------------- types of the column
CREATE TYPE mood AS ENUM ('open', 'Done', 'lost');
CREATE DOMAIN short AS varchar(10) NOT NULL;
CREATE DOMAIN mood_domain AS mood CHECK (VALUE <> 'lost');
CREATE TABLE kinds (id int PRIMARY KEY, a text, b varchar(10), c mood, d short, e mood_domain,
    "Odd Name" text COLLATE "C", g int, h char(4), i text GENERATED ALWAYS AS (a) STORED);
SELECT idem.guard_states('kinds', c, 'declare_m') FROM unnest(ARRAY['a', 'b', 'c', 'd', 'e', 'Odd Name']) c;
SELECT idem.guard_states('kinds', 'g', 'declare_m');
SELECT idem.guard_states('kinds', 'h', 'declare_m');
SELECT idem.guard_states('kinds', 'i', 'declare_m');
SELECT idem.guard_states('kinds', 'nix', 'declare_m');
SELECT idem.guard_states('kinds', 'ctid', 'declare_m');
INSERT INTO kinds VALUES (1, 'open', 'open', 'open', 'open', 'open', 'open');
UPDATE kinds SET a = 'Done';
UPDATE kinds SET b = 'Done';
UPDATE kinds SET c = 'Done';
UPDATE kinds SET d = 'Done';
UPDATE kinds SET e = 'Done';
UPDATE kinds SET "Odd Name" = 'Done';
UPDATE kinds SET a = 'open';
UPDATE kinds SET b = 'open';
UPDATE kinds SET c = 'open';
UPDATE kinds SET d = 'open';
UPDATE kinds SET e = 'open';
UPDATE kinds SET "Odd Name" = 'open';
UPDATE kinds SET c = 'lost';
TABLE kinds;
-- a renamed label is another state, and the guard knows at once
ALTER TYPE mood RENAME VALUE 'Done' TO 'over';
INSERT INTO kinds VALUES (2, 'open', 'open', 'open', 'open', 'open', 'open');
UPDATE kinds SET c = 'over' WHERE id = 2;
ALTER TYPE mood RENAME VALUE 'over' TO 'Done';
UPDATE kinds SET c = 'Done' WHERE id = 2;
-- nine labels of which two are states: what is remembered of the first, in a
-- table of sixteen places, is not taken for the ninth
CREATE TYPE nine AS ENUM ('open', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'Done');
CREATE TABLE ninth (id int PRIMARY KEY, c nine);
SELECT idem.guard_states('ninth', 'c', 'declare_m');
INSERT INTO ninth VALUES (1, 'open'), (2, 'open');
UPDATE ninth SET c = 'Done' WHERE id = 1;
UPDATE ninth SET c = 'Done' WHERE id = 2;
UPDATE ninth SET c = 'open' WHERE id = 1;
UPDATE ninth SET c = 'b' WHERE id = 1;
-- and a machine of more states than sixteen places hold
CREATE TYPE digit AS ENUM ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9');
SELECT FROM idem.define_machine('declare_digits', (SELECT E'stateDiagram-v2\n[*] --> 0\n9 --> [*]\n' ||
    string_agg(format('%s --> %s', d, d + 1), E'\n') FROM generate_series(0, 8) d));
CREATE TABLE digits (id int PRIMARY KEY, d digit);
SELECT idem.guard_states('digits', 'd', 'declare_digits');
INSERT INTO digits VALUES (1, '0');
DO $$BEGIN
    FOR n IN 1..9 LOOP UPDATE machine_declare.digits SET d = n::text::machine_declare.digit; END LOOP;
END$$;
TABLE digits;
UPDATE digits SET d = '8';
-- long values, stored out of line, are only undeclared states
ALTER TABLE kinds ALTER a SET STORAGE EXTERNAL;
\set VERBOSITY sqlstate
UPDATE kinds SET a = repeat('x', 100000) WHERE id = 2;
\set VERBOSITY default

-- ------------------------------------------------------- one machine a column
SELECT idem.guard_states('kinds', 'a', 'declare_m');
SELECT FROM idem.define_machine('declare_n', E'stateDiagram-v2\n[*] --> open\nopen --> [*]');
SELECT idem.guard_states('kinds', 'a', 'declare_n');

-- two states of which one is part of the primary key: it could never change,
-- because the guard of the other keeps the key
CREATE TABLE two (id int, a text, b text, c text, PRIMARY KEY (id, a)) PARTITION BY LIST (a);
SELECT idem.guard_states('two', 'a', 'declare_m');
SELECT idem.guard_states('two', 'b', 'declare_m');
CREATE TABLE two_b (id int, a text, b text, c text, PRIMARY KEY (id, a)) PARTITION BY LIST (a);
SELECT idem.guard_states('two_b', 'b', 'declare_m');
SELECT idem.guard_states('two_b', 'a', 'declare_m');
SELECT idem.guard_states('two_b', 'c', 'declare_m');

-- a primary key with the state in it lets several rows of one key stand, each in
-- a state of its own (first day 20); the server wants it there only where the
-- table is partitioned by the state, on any level
CREATE TABLE in_key (id int, a text, b text, PRIMARY KEY (id, a));
SELECT idem.guard_states('in_key', 'a', 'declare_m');
SELECT idem.guard_states('in_key', 'b', 'declare_m');
CREATE TABLE by_id (id int, a text, PRIMARY KEY (a, id)) PARTITION BY HASH (id);
CREATE TABLE by_id_0 PARTITION OF by_id FOR VALUES WITH (MODULUS 1, REMAINDER 0);
SELECT idem.guard_states('by_id', 'a', 'declare_m');
CREATE TABLE below (id int, a text, PRIMARY KEY (a, id)) PARTITION BY HASH (id);
CREATE TABLE below_0 PARTITION OF below FOR VALUES WITH (MODULUS 1, REMAINDER 0) PARTITION BY LIST (a);
SELECT idem.guard_states('below', 'a', 'declare_m');
CREATE TABLE alone (a text PRIMARY KEY) PARTITION BY LIST (a);
SELECT idem.guard_states('alone', 'a', 'declare_m');

-- ------------------------------------------------------------------- arguments
CREATE TABLE plain (id int PRIMARY KEY, status text);
SELECT idem.guard_states(NULL, 'status', 'declare_m');
SELECT idem.guard_states('plain', NULL, 'declare_m');
SELECT idem.guard_states('plain', 'status', NULL);
SELECT idem.guard_states('plain', 'status', 'declare_x');
SELECT idem.guard_states('plain', 'status', 'declare_m', repeat => 'never');
SELECT idem.guard_states('plain', 'status', 'declare_m', repeat => NULL);
SELECT idem.guard_states('plain', 'status', 'declare_m', delete => 'always');

-- ----------------------------------------- rows that are there are in a state
INSERT INTO plain VALUES (1, 'open'), (2, 'OPEN'), (3, 'done'), (4, NULL);
SELECT idem.guard_states('plain', 'status', 'declare_m');
DELETE FROM plain WHERE id IN (2, 3);
SELECT idem.guard_states('plain', 'status', 'declare_m');
SELECT tgname FROM pg_trigger WHERE tgrelid = 'plain'::regclass;
DELETE FROM plain WHERE id = 4;
ALTER TABLE plain ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
INSERT INTO kinds VALUES (3, 'open', 'open', 'open', 'open', 'open', 'open');
RESET ROLE;
INSERT INTO plain VALUES (5, 'hidden');
SET ROLE regress_idem_owner;
SELECT idem.guard_states('plain', 'status', 'declare_m');
RESET ROLE;
DELETE FROM plain WHERE id = 5;
SET ROLE regress_idem_owner;
SELECT idem.guard_states('plain', 'status', 'declare_m');

-- ------------------------------------------------ declared again (first day 14)
-- the same is a no-op, also when the table has got other columns since
SELECT idem.guard_states('plain', 'status', 'declare_m');
ALTER TABLE plain ADD COLUMN note text;
SELECT idem.guard_states('plain', 'status', 'declare_m', actor => NULL);
-- another one is refused, and says what differs
SELECT idem.guard_states('plain', 'status', 'declare_m', repeat => 'strict', delete => 'final');
SELECT idem.guard_states('plain', 'status', 'declare_m', history => false, actor => 'app.user');
RESET ROLE;
SELECT count(*) FROM idem.change_log WHERE relation = 'plain'::regclass;
SET ROLE regress_idem_owner;
ALTER TABLE plain DROP COLUMN note;

-- ----------------------------------------------------------- kinds of tables
CREATE TABLE nokey (id int, status text);
SELECT idem.guard_states('nokey', 'status', 'declare_m');
CREATE TABLE mother (id int PRIMARY KEY, status text);
CREATE TABLE child () INHERITS (mother);
SELECT idem.guard_states('mother', 'status', 'declare_m');
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY, status text);
SELECT idem.guard_states('unlogged', 'status', 'declare_m');
CREATE TEMP TABLE temporary (id int PRIMARY KEY, status text);
SELECT idem.guard_states('temporary', 'status', 'declare_m');
DROP TABLE temporary;
CREATE VIEW seen AS SELECT * FROM plain;
SELECT idem.guard_states('seen', 'status', 'declare_m');
CREATE TABLE parts (id int PRIMARY KEY, status text) PARTITION BY HASH (id);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 1, REMAINDER 0);
SELECT idem.guard_states('parts_0', 'status', 'declare_m');

-- ------------------------------------------------------------------ ownership
SET ROLE regress_idem_other;
SELECT idem.guard_states('nokey', 'status', 'declare_m');
CREATE TABLE mine (id int PRIMARY KEY, status text);
SELECT idem.guard_states('mine', 'status', 'declare_m');
RESET ROLE;
GRANT regress_idem_owner TO regress_idem_other;
SET ROLE regress_idem_other;
SELECT idem.guard_states('mine', 'status', 'declare_m');
RESET ROLE;

-- --------------------------------------------- a declaration is kept, or is not
SELECT action, kind, relation, name, arguments FROM idem.change_log
    WHERE relation IN ('kinds'::regclass, 'plain'::regclass, 'mine'::regclass)
    ORDER BY relation::text, name COLLATE "C", n;

-- renamed tables and schemas stay guarded
ALTER TABLE mine RENAME TO ours;
ALTER SCHEMA machine_declare RENAME TO machine_declared;
INSERT INTO machine_declared.ours VALUES (1, 'Done');

DROP SCHEMA machine_declared CASCADE;
DELETE FROM idem.machine WHERE name LIKE 'declare\_%';
DROP OWNED BY regress_idem_owner;
DROP ROLE regress_idem_owner, regress_idem_other;
