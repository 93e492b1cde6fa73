--
-- machine_define: a definition is kept for good, and never strands a row; who
-- may give one (wound 13)
--
CREATE ROLE regress_idem_maker;
CREATE ROLE regress_idem_other;
CREATE ROLE regress_idem_ops;
CREATE SCHEMA machine_define AUTHORIZATION regress_idem_maker;
SET search_path = machine_define;
SET ROLE regress_idem_maker;

-- ------------------------------------------------------------ first version
-- names are given by admins, so that nobody takes the one that others need
-- (first day 3); what is wrong with a diagram is told to everybody
SELECT idem.define_machine('define_payment', E'stateDiagram-v2\n[*] --> a\na --> [*]');
RESET ROLE;
SELECT FROM idem.grant_admin('regress_idem_maker');
REVOKE SELECT ON ALL TABLES IN SCHEMA idem FROM regress_idem_maker;
SET ROLE regress_idem_maker;
SELECT * FROM idem.define_machine('define_payment', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    paying --> succeeded : confirm
    paying --> failed : reject
    succeeded --> [*]
    failed --> [*]
$$);

-- the same text again is no new version: a migration may run twice
SELECT * FROM idem.define_machine('define_payment', idem.machine_diagram('define_payment'));

SELECT idem.machine_diagram('define_payment', 1);
SELECT idem.machine_diagram('define_payment', 2);
SELECT idem.machine_diagram('no_such');

-- what cannot be kept is refused with everything that is wrong with it
\set VERBOSITY sqlstate
SELECT idem.define_machine('define_bad', E'stateDiagram-v2\n[*] --> a');
\set VERBOSITY default
SELECT idem.define_machine('define_bad', E'stateDiagram-v2\n[*] --> a\na -> b');
SELECT idem.define_machine('define_bad', E'stateDiagram-v2\n[*] --> a\na --> b : go\na --> c : go\nb --> [*]');
SELECT idem.define_machine('define_bad', E'stateDiagram-v2\n[*] --> a\na --> b : go [role regress_idem_nobody]\nb --> [*]');
-- ... or, where that is very much, with the first of it
SELECT idem.define_machine('define_bad', (SELECT E'stateDiagram-v2\n[*] --> a\na --> [*]\n' ||
    string_agg(format('s%s --> a', s), E'\n') FROM generate_series(1, 22) s));
SELECT idem.define_machine('no blanks', E'stateDiagram-v2\n[*] --> a\na --> [*]');
SELECT idem.define_machine('', 'x');
SELECT idem.define_machine(NULL, 'x');
SELECT idem.define_machine('define_bad', NULL);
SELECT idem.machine_diagram('define_bad');

-- ------------------------------------------------------------ next versions
-- Loosening needs a reason, and a blank is none.
\set loosened 'stateDiagram-v2\n[*] --> created\n[*] --> paying\ncreated --> paying : submit\ncreated --> failed : cancel\npaying --> succeeded : confirm\npaying --> failed : reject\nsucceeded --> failed : bank_return [late]\nsucceeded --> [*]\nfailed --> [*]'
SELECT idem.define_machine('define_payment', E:'loosened');
SELECT idem.define_machine('define_payment', E:'loosened', loosen => ' ');
SELECT * FROM idem.define_machine('define_payment', E:'loosened', loosen => 'banks return money');

-- Words only, and every other kind of change
SELECT * FROM idem.define_machine('define_payment', E:'loosened' || E'\n%% reviewed');
SELECT * FROM idem.define_machine('define_payment', $$
stateDiagram-v2
    [*] --> created
    created --> paying:::sent : send
    created --> failed : cancel [role regress_idem_ops]
    paying --> succeeded : confirm
    paying --> lost:::unknown : timeout
    lost --> succeeded : query_ok [role regress_idem_ops]
    lost --> failed : query_failed
    succeeded --> done : reconcile
    succeeded --> failed : bank_return
    done --> [*]
    failed --> [*]
$$, loosen => 'outcomes may be unknown', tighten => 'nothing is live');
SELECT * FROM idem.define_machine('define_payment', $$
stateDiagram-v2
    [*] --> created
    created --> paying : send
    created --> failed : cancel
    paying --> succeeded : confirm
    paying --> lost:::unknown : timeout
    lost --> succeeded : query_ok [role regress_idem_maker]
    lost --> failed : query_failed
    succeeded --> done : reconcile
    done --> [*]
    failed --> [*]
$$, loosen => 'other people');
-- an edge that stays whose it was is no change
SELECT * FROM idem.define_machine('define_payment', $$
stateDiagram-v2
    [*] --> created
    created --> paying : send
    created --> failed : cancel
    paying --> succeeded : confirm
    paying --> lost:::unknown : timeout
    lost --> succeeded : query_ok [role regress_idem_maker]
    lost --> failed : query_failed
    succeeded --> done : reconcile
    done --> filed : file [late]
    done --> [*]
    filed --> [*]
    failed --> [*]
$$, loosen => 'done is not the end');
SELECT version, owner, defined_by = session_user AS by_me, loosen, tighten FROM idem.machine WHERE name = 'define_payment';
RESET ROLE;
SELECT version, owner, defined_by = session_user AS by_me, loosen, tighten FROM idem.machine WHERE name = 'define_payment' ORDER BY version;
SELECT action, kind, name, arguments, reason FROM idem.change_log WHERE name = 'define_payment' ORDER BY n;

-- ------------------------------------------------------------- rows in flight
SET ROLE regress_idem_maker;
SELECT idem.define_machine('define_order', $$
stateDiagram-v2
    [*] --> open
    open --> packed : pack
    packed --> sent : send
    packed --> open : unpack
    sent --> [*]
$$);
-- from here on without the right: next versions are the owner's
RESET ROLE;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA idem FROM regress_idem_maker;
SET ROLE regress_idem_maker;
SELECT idem.define_machine('define_squatted', E'stateDiagram-v2\n[*] --> a\na --> [*]');
CREATE TYPE order_state AS ENUM ('open', 'packed', 'sent', 'returned');
CREATE TABLE orders (id int PRIMARY KEY, state text);
CREATE TABLE "Old Orders" (id int PRIMARY KEY, "St ate" order_state);
SELECT idem.guard_states('orders', 'state', 'define_order');
SELECT idem.guard_states('"Old Orders"', 'St ate', 'define_order');
INSERT INTO orders VALUES (1, 'open'), (2, 'open'), (3, 'open');
INSERT INTO "Old Orders" VALUES (1, 'open');
UPDATE "Old Orders" SET "St ate" = 'packed';

-- a way that rows in flight could take goes only for a reason
\set no_unpack 'stateDiagram-v2\n[*] --> open\nopen --> packed : pack\npacked --> sent : send\nsent --> [*]'
SELECT idem.define_machine('define_order', E:'no_unpack');
SELECT * FROM idem.define_machine('define_order', E:'no_unpack', tighten => 'unpacking loses parts');

-- ... but a way that no row stands before goes at once
UPDATE "Old Orders" SET "St ate" = 'sent';
SELECT * FROM idem.define_machine('define_order', E'stateDiagram-v2\n[*] --> open\nopen --> packed : pack\npacked --> sent : send [role regress_idem_ops]\nsent --> [*]');

-- a state in which rows stand never goes, whatever the reason
SELECT idem.define_machine('define_order', E'stateDiagram-v2\n[*] --> begun\nbegun --> packed : pack\npacked --> sent : send\nsent --> [*]',
    loosen => 'a better word', tighten => 'a better word');
SELECT idem.machine_diagram('define_order');

-- row security does not hide rows from the count
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE orders FORCE ROW LEVEL SECURITY;
SELECT count(*) FROM orders;
SELECT idem.define_machine('define_order', E'stateDiagram-v2\n[*] --> begun\nbegun --> packed : pack\npacked --> sent : send\nsent --> [*]',
    loosen => 'a better word', tighten => 'a better word');
RESET ROLE;

-- an older snapshot does not hide them either: see the isolation specs

-- ------------------------------------------------------------ whose machine
SET ROLE regress_idem_other;
SELECT idem.define_machine('define_order', E'stateDiagram-v2\n[*] --> a\na --> [*]', loosen => 'mine');
INSERT INTO idem.machine VALUES ('forged', 1, 'x', 'postgres');
UPDATE idem.machine SET diagram = 'x';
SELECT * FROM idem.machine;
RESET ROLE;

-- Its owner must own every table it guards.
ALTER TABLE orders OWNER TO regress_idem_other;
SET ROLE regress_idem_maker;
SELECT idem.define_machine('define_order', E'stateDiagram-v2\n[*] --> open\nopen --> packed : pack2\npacked --> sent : send\nsent --> [*]', loosen => 'x', tighten => 'x');
RESET ROLE;
ALTER TABLE orders OWNER TO regress_idem_maker;

-- wound 13: a trigger that somebody made by hand gives no say in the machine, also
-- where another machine guards the table in good order.
GRANT CREATE, USAGE ON SCHEMA machine_define TO regress_idem_other;
SELECT FROM idem.grant_admin('regress_idem_other');
SET ROLE regress_idem_other;
CREATE TABLE own (id int PRIMARY KEY, state text, kind text);
SELECT FROM idem.define_machine('define_own', E'stateDiagram-v2\n[*] --> open\nopen --> [*]');
SELECT idem.guard_states('own', 'state', 'define_own');
CREATE TRIGGER mine AFTER INSERT OR UPDATE OR DELETE ON own FOR EACH ROW EXECUTE FUNCTION
    idem.keep_states('idem=1', 'column=kind', 'machine=define_order', 'repeat=refuse', 'delete=never', 'history=false');
ALTER TABLE own ENABLE ALWAYS TRIGGER mine;
INSERT INTO own VALUES (1, 'open', 'open');
UPDATE own SET kind = 'packed';
INSERT INTO own VALUES (2, 'open', 'sent');
SET ROLE regress_idem_maker;
SELECT * FROM idem.define_machine('define_order', E'stateDiagram-v2\n[*] --> open\nopen --> packed : pack3\npacked --> sent : send [role regress_idem_ops]\nsent --> [*]', loosen => 'x', tighten => 'x');
RESET ROLE;
-- A name that would share its lock with another machine is none.
SET ROLE regress_idem_other;
SELECT FROM idem.define_machine('define_a0odzoa', E'stateDiagram-v2\n[*] --> open\nopen --> [*]');
RESET ROLE;

-- A role that is gone owns nothing any more: only a superuser can go on.
UPDATE idem.machine SET owner = 'regress_idem_gone' WHERE name = 'define_order';
SET ROLE regress_idem_maker;
SELECT idem.define_machine('define_order', E'stateDiagram-v2\n[*] --> open\nopen --> [*]', loosen => 'x', tighten => 'x');
RESET ROLE;

-- A diagram that somebody damaged, past all rights, is not guessed at.
UPDATE idem.machine SET diagram = 'x' WHERE (name, version) = ('define_order', 4);
SELECT idem.machine_dot('define_order');
UPDATE orders SET state = 'packed';
SELECT idem.define_machine('define_order', E'stateDiagram-v2\n[*] --> open\nopen --> [*]', loosen => 'x', tighten => 'x');

-- ----------------------------------------------------------- many states
-- 200 states, 2,000 edges: well below a second, and so is the next version;
-- valgrind needs thirty times that
CREATE FUNCTION pg_temp.large(mark text) RETURNS text LANGUAGE sql RETURN (
    SELECT E'stateDiagram-v2\n[*] --> s0\ns199 --> [*]\n' ||
        string_agg(format('s%s --> s%s : e%s', s, (s + e) % 200, e), E'\n') || mark
    FROM generate_series(0, 199) s, generate_series(1, 10) e WHERE s < 199);
SET statement_timeout = '30s';
SELECT * FROM idem.define_machine('define_large', pg_temp.large(''));
SELECT effect, count(*) FROM idem.define_machine('define_large',
    replace(pg_temp.large(''), ': e7', ': f7'), loosen => 'x') GROUP BY 1 ORDER BY 1;
RESET statement_timeout;

DROP SCHEMA machine_define CASCADE;
DELETE FROM idem.machine WHERE name LIKE 'define\_%';
DROP OWNED BY regress_idem_maker, regress_idem_other;
DROP ROLE regress_idem_maker, regress_idem_other, regress_idem_ops;
