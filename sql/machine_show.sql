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

DELETE FROM idem.machine WHERE name IN ('show_m', 'show_role');
