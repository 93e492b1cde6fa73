--
-- machine_show: a machine as a table and as a picture
--
SELECT FROM idem.define_machine('show_m', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    created --> dropped
    paying --> succeeded : confirm
    succeeded --> succeeded : partial_refund
    succeeded --> paying : reopen [late] [role pg_monitor]
    succeeded --> [*]
    dropped --> [*]
$$);

-- every state with every event: what nobody thought of is a null
SELECT * FROM idem.machine_table('show_m');
SELECT idem.machine_dot('show_m');

-- older versions, and none
SELECT FROM idem.define_machine('show_m', E'stateDiagram-v2\n[*] --> x\nx --> [*]', loosen => 'shorter');
SELECT * FROM idem.machine_table('show_m');
SELECT count(*) FROM idem.machine_table('show_m', 1);
SELECT idem.machine_dot('show_m', 2);
SELECT idem.machine_dot('show_m', 3);
SELECT idem.machine_table('show_n');
SELECT idem.machine_dot(NULL);

-- the name of a role ends before the blank, and is quoted in the picture
CREATE ROLE "regress_idem_""odd\";
SELECT FROM idem.define_machine('show_role', E'stateDiagram-v2\n[*] --> a\na --> b : go [role regress_idem_"odd\\ ]\nb --> [*]');
SELECT idem.machine_dot('show_role');
DROP ROLE "regress_idem_""odd\";

-- the doctor names a role of an edge that is gone (first day 9), and a machine
-- that somebody damaged past all rights, which does not keep it from the others
CREATE ROLE regress_idem_gone;
SELECT FROM idem.define_machine('show_gone', E'stateDiagram-v2\n[*] --> a\na --> b : go [role regress_idem_gone]\na --> b : push [role pg_monitor]\nb --> a : back [role regress_idem_gone]\nb --> c : [role regress_idem_gone]\nc --> [*]\nnote left of a : [role regress_idem_never]');
SELECT FROM idem.define_machine('show_gone', idem.machine_diagram('show_gone') || E'\n');
SELECT * FROM idem.machine_problems;
DROP ROLE regress_idem_gone;
UPDATE idem.machine SET diagram = E'stateDiagram-v2\nx' WHERE name = 'show_m' AND version = 2;
SELECT severity, object, finding, remedy FROM idem.doctor() WHERE object ~ 'machine';
DELETE FROM idem.machine WHERE name IN ('show_role', 'show_m');
SELECT severity, object, finding, remedy FROM idem.doctor() WHERE object ~ 'machine';

-- with the rows that stand in each state, of all tables under the machine
CREATE ROLE regress_show_reader;
CREATE ROLE regress_show_stranger;
CREATE SCHEMA show;
GRANT USAGE, CREATE ON SCHEMA show TO regress_show_reader, regress_show_stranger;
SELECT FROM idem.define_machine('show_counts', E'stateDiagram-v2\n    [*] --> a\n    state "the second" as b\n    a --> b\n    b --> [*]');
CREATE TABLE show.one (id int PRIMARY KEY, status text NOT NULL);
CREATE TABLE show.two (id int NOT NULL, status text NOT NULL, PRIMARY KEY (id, status)) PARTITION BY LIST (status);
CREATE TABLE show.two_a PARTITION OF show.two FOR VALUES IN ('a');
CREATE TABLE show.two_b PARTITION OF show.two FOR VALUES IN ('b');
SELECT idem.guard_states('show.one', 'status', 'show_counts');
SELECT idem.guard_states('show.two', 'status', 'show_counts', history => false);
INSERT INTO show.one VALUES (1, 'a'), (2, 'a');
INSERT INTO show.two VALUES (1, 'a'), (2, 'a');
UPDATE show.two SET status = 'b' WHERE id = 2;
SELECT idem.machine_diagram('show_counts', counts => true);
SELECT idem.machine_diagram('show_counts', counts => false) = idem.machine_diagram('show_counts') AS same;
-- it can be defined, and changes nothing but words
SELECT * FROM idem.check_machine(idem.machine_diagram('show_counts', counts => true));
SELECT effect, change FROM idem.define_machine('show_counts', idem.machine_diagram('show_counts', counts => true));
SELECT idem.machine_diagram('show_nothing', counts => true);
-- Rows are counted for those who may read them all; a stranger's table is not among them.
GRANT SELECT ON show.one TO regress_show_reader;
SET ROLE regress_show_stranger;
CREATE TABLE show.other (id int PRIMARY KEY, status text NOT NULL);
CREATE TRIGGER idem_states_status AFTER INSERT OR UPDATE OR DELETE ON show.other FOR EACH ROW
    EXECUTE FUNCTION idem.keep_states('idem=1', 'column=status', 'machine=show_counts', 'repeat=refuse', 'delete=any', 'history=false');
INSERT INTO show.other VALUES (1, 'a');
RESET ROLE;
SET ROLE regress_show_reader;
SELECT idem.machine_diagram('show_counts', counts => true);
RESET ROLE;
GRANT SELECT ON show.two TO regress_show_reader;
SET ROLE regress_show_reader;
SELECT idem.machine_diagram('show_counts', version => 1, counts => true) ~ 'state "3 rows" as a' AS counted;
RESET ROLE;
ALTER TABLE show.one ENABLE ROW LEVEL SECURITY;
SET ROLE regress_show_reader;
SELECT idem.machine_diagram('show_counts', counts => true);
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA show CASCADE;
DROP OWNED BY regress_show_reader, regress_show_stranger;
DROP ROLE regress_show_reader, regress_show_stranger;

DELETE FROM idem.machine WHERE name IN ('show_m', 'show_role', 'show_gone', 'show_counts');
