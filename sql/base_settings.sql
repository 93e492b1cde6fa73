--
-- The arguments of a guard's trigger: one grammar, read in one place, the same
-- for the guard that fires and for the doctor that looks on.  What is not
-- understood is refused, not passed over.
--
CREATE SCHEMA base_settings;
SET search_path = base_settings;

-- The kinds that there are.
SELECT kind, part, function, trigger_types, "identity", columns, keeps_rows, unless FROM idem.guard_kinds();
-- Those are all trigger functions of guards; every setting that is marked is one that it knows.
SELECT kind, part FROM idem.guard_kinds()
    WHERE NOT (settings @> required AND settings @> "identity" AND settings @> columns)
       OR NOT EXISTS (SELECT FROM pg_proc WHERE proname = function AND pronamespace = 'idem'::regnamespace AND prorettype = 'trigger'::regtype);

-- What is wrong, for each form of a value.
CREATE VIEW problem AS
SELECT arguments, idem.settings_problem('keep_fixed', arguments::text[]) AS keep_fixed
FROM (VALUES
    -- the grammar comes first
    (1, '{}'), (2, '{columns=\{a\}}'), (3, '{columns=\{a\},idem=1}'), (4, '{idem=2,columns=\{a\}}'), (5, '{idem,columns=\{a\}}'),
    (6, '{IDEM=1,columns=\{a\}}'), (7, '{idem=1}'), (8, '{idem=1,idem=1}'),
    -- names
    (10, '{idem=1,columns=\{a\}}'), (11, '{idem=1,column=\{a\}}'), (12, '{idem=1,columns}'), (13, '{idem=1,""}'), (14, '{idem=1,=x}'),
    (15, '{idem=1,columns=\{a\},once=\{b\},columns=\{c\}}'), (16, '{idem=1,columns=\{a\},columns=\{a\}}'),
    -- a list, in the one form in which it is written
    (20, '{idem=1,columns=a}'), (21, '{idem=1,columns=}'), (22, '{idem=1,columns=\{\}}'), (23, '{idem=1,"columns={a,b}"}'),
    (24, '{idem=1,"columns={a, b}"}'), (25, '{idem=1,"columns={a,}"}'), (26, '{idem=1,"columns={,a}"}'), (27, '{idem=1,"columns={{a}}"}'),
    (28, '{idem=1,"columns={a}x"}'), (29, '{idem=1,"columns=[1:1]={a}"}'), (30, '{idem=1,"columns={a"}'), (31, '{idem=1,"columns={\"a}"}'),
    (32, '{idem=1,"columns={\"a b\"}"}'), (33, '{idem=1,"columns={\"a\"}"}'), (34, '{idem=1,"columns={null}"}'), (35, '{idem=1,"columns={\"null\"}"}'),
    (36, '{idem=1,"columns={\"a\\\"b\",\"c\\\\\"}"}'), (37, '{idem=1,"columns={a\\\\"}'), (38, '{idem=1,"columns={\"\"}"}'), (39, '{idem=1,"columns={a{a}"}')
) v (n, arguments) ORDER BY n;
SELECT * FROM problem;
SELECT arguments, idem.settings_problem('keep_limit', ARRAY['idem=1', 'fk={payment_id}', 'amount=a', 'cap=b', 'used=c'] || arguments) AS keep_limit
FROM (VALUES
    (1, ARRAY['children=kept']), (2, '{}'), (3, ARRAY['children=editable']), (4, ARRAY['children=kep']), (5, ARRAY['children=kept|editable']),
    (6, ARRAY['children=']), (7, ARRAY['children=kept', 'count_cap=50']), (8, ARRAY['children=kept', 'count_cap=-1']),
    (9, ARRAY['children=kept', 'count_cap=1e3']), (10, ARRAY['children=kept', 'count_cap=']), (11, ARRAY['children=kept', 'count_cap=9223372036854775807']),
    (12, ARRAY['children=kept', 'state=']),
    -- a map is a list of pairs, in the order of its keys
    (20, ARRAY['children=kept', 'same={a,b}']), (21, ARRAY['children=kept', 'same={a,b,c,d}']), (22, ARRAY['children=kept', 'same={a}']),
    (23, ARRAY['children=kept', 'same={c,d,a,b}']), (24, ARRAY['children=kept', 'same={a,b,a,c}']), (25, ARRAY['children=kept', 'same={a,"{x,y}"}']),
    (26, ARRAY['children=kept', 'same={"a":"b"}'])
) v (n, arguments) ORDER BY n;
SELECT idem.settings_problem('keep_rows', '{idem=1}'), idem.settings_problem('keep_rows', '{idem=1,x=1}'),
       idem.settings_problem('refuse_truncate', '{idem=1,guard=x}'), idem.settings_problem('refuse_truncate', '{idem=1}'),
       idem.settings_problem('no_such', '{}');

-- Every form that a declaration can write is one that is read.
CREATE TABLE payment (id int PRIMARY KEY, amount int NOT NULL, "Odd ""{,}\ name" text, "null" text, "naïve" text, state text DEFAULT 'paid');
CREATE TABLE refund (id int PRIMARY KEY, payment_id int NOT NULL REFERENCES payment, amount int, "Odd ""{,}\ name" text, z text, state text);
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'used', released => ARRAY['a b', '', 'NULL', 'x=y', '{'],
    state => 'state', same => '{"z":"null", "Odd \"{,}\\ name":"Odd \"{,}\\ name"}', count_cap => 3, count_used => 'n', max_age => NULL);
SELECT idem.guard_fixed('payment', ARRAY['Odd "{,}\ name', 'null'], once => '{naïve}');
SELECT settings FROM idem.guards WHERE relation IN ('payment'::regclass, 'refund'::regclass) ORDER BY kind;
SELECT tgrelid::regclass, tgname, idem.trigger_settings(tgargs) FROM pg_trigger
    WHERE tgrelid IN ('payment'::regclass, 'refund'::regclass) AND NOT tgisinternal AND tgname !~ 'fixed' ORDER BY 1, 2;
SELECT * FROM idem.guard_columns WHERE relation = 'refund'::regclass ORDER BY part, setting, "column";
INSERT INTO payment VALUES (1, 100, 'o', 'n');
INSERT INTO refund VALUES (1, 1, 10, 'o', 'x', 'new');
INSERT INTO refund VALUES (1, 1, 10, 'x', 'n', 'new');
INSERT INTO refund VALUES (1, 1, 10, 'o', 'n', 'new');
UPDATE payment SET "null" = 'x';
UPDATE payment SET "null" = 'n', "Odd ""{,}\ name" = 'x';
SELECT object, finding FROM idem.doctor() WHERE severity = 'error' AND object ~ 'base_settings';

-- What the trigger would not read is not declared.
SELECT idem.drop_guard('refund', 'limit', reason => 'test');
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'used', state => 'state',
                        released => (SELECT array_agg('s' || i) FROM generate_series(1, 4000) i));

-- The guard itself refuses what it does not know, at the first row; the doctor says so before.
CREATE FUNCTION refused(statement text) RETURNS TABLE (code text, told text, at text) LANGUAGE plpgsql AS $$
DECLARE
    c text;
BEGIN
    EXECUTE statement;
    RETURN QUERY SELECT '00000', 'nothing', '';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS c = CONSTRAINT_NAME;
    RETURN QUERY SELECT SQLSTATE, SQLERRM, c;
END $$;
CREATE TABLE hand (id int PRIMARY KEY, status text);
INSERT INTO hand VALUES (1, 'a');
SET idem.allow_unguarded = 'a test';
CREATE FUNCTION try_hand(function text, arguments text) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER t AFTER INSERT OR UPDATE OR DELETE ON hand FOR EACH ROW EXECUTE FUNCTION idem.%I(%s)', function, arguments);
    RETURN QUERY SELECT function || '(' || arguments || ')', r.*, (SELECT string_agg(problem, '; ') FROM idem.guard_triggers WHERE relation = 'hand'::regclass)
        FROM refused('UPDATE hand SET status = status || ''x''') r;
    DROP TRIGGER t ON hand;
END $$;
SELECT t.* FROM (VALUES
    ('keep_fixed', $$'columns={status}'$$), ('keep_fixed', $$'idem=1', 'columns={status}'$$), ('keep_fixed', $$'idem=1', 'columns={status}', 'unless=x'$$),
    ('keep_fixed', $$'idem=1', 'columns={status}', 'columns={id}'$$), ('keep_fixed', $$'idem=1', 'columns=status'$$), ('keep_fixed', $$'idem=2', 'columns={status}'$$),
    ('keep_rows', $$'idem=1'$$), ('keep_rows', ''), ('keep_rows', $$'idem=1', 'unless=x'$$),
    ('keep_states', $$'idem=1', 'column=status', 'machine=m', 'repeat=refuse', 'delete=never', 'history=yes'$$),
    ('keep_states', $$'idem=1', 'column=status', 'machine=m', 'repeat=refuse', 'delete=never', 'history=true', 'within={paying,"2 h"}'$$),
    ('keep_total', $$'idem=1', 'used=id'$$)) v (f, a),
    LATERAL try_hand(f, a) t (trigger text, code text, told text, at text, doctor text);
-- A guard that was declared and says something else now: its rows cannot be looked at.
UPDATE hand SET status = 'a';
SELECT version FROM idem.define_machine('base_settings', E'stateDiagram-v2\n[*] --> a\na --> [*]');
SELECT idem.guard_states('hand', 'status', 'base_settings');
DROP TRIGGER idem_states_status ON hand;
CREATE TRIGGER idem_states_status AFTER INSERT OR UPDATE OR DELETE ON hand FOR EACH ROW EXECUTE FUNCTION idem.keep_states('idem=1', 'column=status');
ALTER TABLE hand ENABLE ALWAYS TRIGGER idem_states_status;
RESET idem.allow_unguarded;
SELECT severity, finding FROM idem.doctor() WHERE object ~ 'base_settings.hand' AND severity = 'error';

SET client_min_messages = warning;
DROP SCHEMA base_settings CASCADE;
