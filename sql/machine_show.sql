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

DELETE FROM idem.machine WHERE name IN ('show_m', 'show_role', 'show_gone');
