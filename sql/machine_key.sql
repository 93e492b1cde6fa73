--
-- machine_key: a key in the form in which a client has it (first day 12)
--
-- text, or any type that has one text: numbers, uuid, enum, boolean; a key of
-- several columns is a JSON object of their names.  A literal or a parameter
-- without a type is text.
--
CREATE SCHEMA machine_key;
SET search_path = machine_key;
SELECT FROM idem.define_machine('key_m', $$
stateDiagram-v2
    [*] --> a
    a --> b : one
    b --> c : two
    c --> c : again
    c --> [*]
$$);

-- what becomes of a key: SQLSTATE and message, or the outcome
CREATE FUNCTION said(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    EXECUTE statement INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || SQLERRM;
END $$;

-- ------------------------------------------------------------------- integers
CREATE TABLE by_bigint (id bigint PRIMARY KEY, status text, note text);
SELECT idem.guard_states('by_bigint', 'status', 'key_m');
INSERT INTO by_bigint SELECT i, 'a' FROM generate_series(1, 3) i;
SELECT key, said(format('SELECT outcome FROM idem.transition(%L, %s, %L)', 'by_bigint', key, 'b')),
       said(format('SELECT count(*) FROM idem.history(%L, %s)', 'by_bigint', key)) AS entries
    FROM (VALUES (1, $$'1'$$), (2, '1'), (3, '1::smallint'), (4, '1::bigint'), (5, '1::numeric'), (6, '1.00'),
                 (7, '1::oid'), (8, $$'1'::varchar$$), (9, $$'1'::name$$), (10, $$(SELECT '1')$$), (11, '9'), (12, '1e20'),
                 (13, '1.5'), (14, 'true'), (15, 'NULL'), (16, 'NULL::int'), (17, '1::float8'), (18, 'now()'), (19, 'current_date'),
                 (20, $$'\x01'::bytea$$), (21, 'ARRAY[1]'), (22, 'ROW(1)'), (23, $$'1 day'::interval$$)) v (n, key) ORDER BY n;
-- as drivers send it: a parameter without a type, and with one
PREPARE untyped AS SELECT outcome FROM idem.transition('by_bigint', $1, 'b');
EXECUTE untyped('2');
PREPARE typed(bigint, text) AS SELECT outcome FROM idem.transition(key => $1, relation => 'by_bigint', to_state => $2, set => '{"note":"n"}');
EXECUTE typed(3, 'b');
SELECT name, parameter_types FROM pg_prepared_statements WHERE name IN ('untyped', 'typed') ORDER BY name;
SELECT from_state, to_state, event FROM idem.history('by_bigint', 3, state_column => 'status');
SELECT outcome, next_states FROM by_bigint t, idem.transition('by_bigint', t.id, 'c', 'two') ORDER BY t.id;

-- --------------------------------------------------------------- other types
CREATE TABLE by_uuid (id uuid PRIMARY KEY, status text);
SELECT idem.guard_states('by_uuid', 'status', 'key_m');
INSERT INTO by_uuid VALUES ('00000000-0000-0000-0000-00000000000a', 'a');
SELECT outcome FROM idem.transition('by_uuid', '00000000-0000-0000-0000-00000000000A'::uuid, 'b');
SELECT outcome FROM idem.transition('by_uuid', '{00000000-0000-0000-0000-00000000000a}', 'b');
SELECT to_state FROM idem.history('by_uuid', '00000000-0000-0000-0000-00000000000a'::uuid);
SELECT said($$SELECT outcome FROM idem.transition('by_uuid', 1, 'b')$$);

CREATE TABLE by_numeric (id numeric PRIMARY KEY, status text);
SELECT idem.guard_states('by_numeric', 'status', 'key_m');
INSERT INTO by_numeric VALUES (1.10, 'a'), (1e30, 'a');
SELECT outcome FROM idem.transition('by_numeric', 1.1, 'b');
SELECT outcome FROM idem.transition('by_numeric', 1.100, 'c');
SELECT outcome FROM idem.transition('by_numeric', 1e30, 'b');
-- first day 6: the row is found however its key is spelled
SELECT count(*) AS by_number, (SELECT count(*) FROM idem.history('by_numeric', '1.1000')) AS by_text FROM idem.history('by_numeric', 1.1);

CREATE TYPE kind AS ENUM ('in', 'out');
CREATE TABLE by_enum (id kind PRIMARY KEY, status text);
SELECT idem.guard_states('by_enum', 'status', 'key_m');
INSERT INTO by_enum VALUES ('in', 'a');
SELECT outcome FROM idem.transition('by_enum', 'in'::kind, 'b');

-- text that looks like a number is text
CREATE TABLE by_text (id text PRIMARY KEY, status text);
SELECT idem.guard_states('by_text', 'status', 'key_m');
INSERT INTO by_text VALUES ('007', 'a'), ('7', 'a');
SELECT outcome, (SELECT string_agg(id || ' ' || status, ', ' ORDER BY id) FROM by_text) FROM idem.transition('by_text', 7, 'b');
SELECT outcome FROM idem.transition('by_text', '{"a": 1}', 'b');
CREATE DOMAIN order_no AS text;
SELECT outcome FROM idem.transition('by_text', '007'::order_no, 'b');

-- -------------------------------------------------------------- several columns
CREATE TABLE by_two (tenant int, id bigint, status text, PRIMARY KEY (tenant, id));
SELECT idem.guard_states('by_two', 'status', 'key_m');
INSERT INTO by_two VALUES (1, 7, 'a'), (2, 7, 'a');
SELECT outcome FROM idem.transition('by_two', '{"id": 7, "tenant": 1}', 'b');
SELECT outcome FROM idem.transition('by_two', '{"tenant": "1", "id": "7"}', 'c');
SELECT outcome FROM idem.transition('by_two', jsonb_build_object('tenant', 2, 'id', 7)::text, 'b');
SELECT outcome FROM idem.transition('by_two', json_build_object('tenant', 2, 'id', 7)::text, 'c');
SELECT to_state FROM idem.history('by_two', jsonb_build_object('tenant', 2, 'id', 7)::text);
SELECT outcome FROM idem.transition('by_two', jsonb_build_object('tenant', 2, 'id', 7), 'b');
SELECT key, said(format('SELECT outcome FROM idem.transition(%L, %s, %L)', 'by_two', key, 'b'))
    FROM (VALUES (1, '7'), (2, $$'{"id": 7}'$$), (3, $$'{"id": 7, "tenant": 1, "status": "a"}'$$), (4, $$'{"id": 7, "tenant": null}'$$),
                 (5, $$'{"id": 7, "tenant": [1]}'$$), (6, $$'[7, 1]'$$), (7, $$'{"id": 7'$$), (8, $$'{"id": 7, "tenant": "x"}'$$)) v (n, key) ORDER BY n;
SELECT tenant, id, status FROM by_two ORDER BY 1;

SET client_min_messages = warning;
DROP SCHEMA machine_key CASCADE;
DELETE FROM idem.machine WHERE name = 'key_m';
