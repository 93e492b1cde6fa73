-- A machine is redefined on each node, or on none.
\set VERBOSITY verbose
SELECT proof.gives('42P17', $$SELECT idem.define_machine('payment', E'stateDiagram-v2\n[*] --> created\ncreated --> succeeded\nsucceeded --> [*]\n', loosen => 'r', tighten => 'r')$$);
SELECT idem.define_machine('payment', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    paying --> succeeded : confirm
    paying --> failed : reject
    paying --> paying : ask
    paying --> unknown : lose
    unknown --> failed : reject
    succeeded --> [*]
    failed --> [*]
$$, loosen => 'answers get lost');
SELECT proof.gives('00000', $$UPDATE shop.payment SET status = 'unknown' WHERE id = 4$$);
-- not while rows stand there, wherever they are
SELECT proof.gives('42P17', format('SELECT idem.define_machine(''payment'', %L, tighten => ''r'')', idem.machine_diagram('payment', 1)));
SELECT proof.gives('00000', $$UPDATE shop.payment SET status = 'failed' WHERE id = 4$$);
SELECT proof.gives('00000', format('SELECT idem.define_machine(''payment'', %L, tighten => ''r'')', idem.machine_diagram('payment', 1)));
SELECT proof.gives('23I01', format($$UPDATE shop.payment SET status = 'unknown' WHERE tenant = %s AND id = 2$$, t)) FROM generate_series(21, 40) t;
-- each shard has the newest text
SELECT 1 / bool_and(success AND result = (SELECT idem.trigger_print('shop.payment'::regclass)))::int
FROM run_command_on_placements('shop.payment', 'SELECT idem.trigger_print(%L::regclass)');
