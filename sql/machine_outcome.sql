--
-- machine_outcome: the six answers to a message, and "set" of every type
--
CREATE SCHEMA machine_outcome;
SET search_path = machine_outcome;
SET client_min_messages = warning;
SELECT FROM idem.define_machine('outcome_m', $$
stateDiagram-v2
    [*] --> created
    created --> paid : pay
    created --> failed : cancel
    paid --> refunded : refund
    failed --> [*]
    refunded --> [*]
$$);
CREATE TABLE payment (id int PRIMARY KEY, status text, channel text);
SELECT idem.guard_states('payment', 'status', 'outcome_m');
INSERT INTO payment VALUES (1, 'created');

-- ------------------------------------- one message after the other, one answer
SELECT * FROM idem.transition('payment', '2', 'paid');
SELECT * FROM idem.transition('payment', '1', 'refunded');
SELECT * FROM idem.transition('payment', '1', 'paid', set => '{"channel": "C1"}');
SELECT * FROM idem.transition('payment', '1', 'paid', set => '{"channel": "C1"}');
SELECT * FROM idem.transition('payment', '1', 'paid');
SELECT * FROM idem.transition('payment', '1', 'paid', set => '{"channel": "C2"}');
SELECT * FROM idem.transition('payment', '1', 'refunded');
SELECT * FROM idem.transition('payment', '1', 'paid', set => '{"channel": "C1"}');
-- where it began it was, too; where it never was it has not passed
SELECT * FROM idem.transition('payment', '1', 'created');
SELECT * FROM idem.transition('payment', '1', 'failed');
INSERT INTO payment VALUES (3, 'created');
SELECT * FROM idem.transition('payment', '3', 'refunded', from_states => '{paid}');
-- from_states does not turn a repeat into a refusal
SELECT * FROM idem.transition('payment', '1', 'refunded', from_states => '{paid}');

-- --------------------------------- what "set" gives, what repeats and what not
CREATE TYPE color AS ENUM ('red', 'green');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE FUNCTION try(type text, value jsonb, spelled jsonb, other jsonb,
    OUT given text, OUT stored text, OUT again text, OUT spelling text, OUT differs text, OUT to_null text)
LANGUAGE plpgsql AS $$
DECLARE
    one text := 'SELECT outcome FROM idem.transition(''it'', ''1'', ''paid'', set => jsonb_build_object(''v'', $1))';
BEGIN
    EXECUTE format('CREATE TABLE it (id int PRIMARY KEY, status text, v %s)', type);
    PERFORM idem.guard_states('it', 'status', 'outcome_m');
    INSERT INTO it VALUES (1, 'created');
    EXECUTE one INTO given USING value;
    SELECT v::text INTO stored FROM it;
    EXECUTE one INTO again USING value;
    EXECUTE one INTO spelling USING spelled;
    EXECUTE one INTO differs USING other;
    EXECUTE one INTO to_null USING 'null'::jsonb;
    DROP TABLE it;
END $$;
SELECT type, t.* FROM (VALUES
    (1, 'smallint', '7', '"7"', '8'),
    (2, 'bigint', '9223372036854775807', '"9223372036854775807"', '9223372036854775806'),
    (3, 'numeric(12,2)', '0.5', '"0.50"', '0.51'),
    (4, 'double precision', '0.1', '"1e-1"', '"NaN"'),
    (5, 'money_micro', '"88.10"', '88.1', '"88.100001"'),
    (6, 'boolean', 'true', '"yes"', 'false'),
    (7, 'text', '"C1"', '"C1"', '"c1"'),
    (8, 'varchar(3)', '"abc"', '"abc"', '"abd"'),
    (9, 'char(5)', '"ab"', '"ab   "', '"ba"'),
    (10, 'date', '"2026-11-22"', '"20261122"', '"2026-11-23"'),
    (11, 'timestamptz', '"2026-11-22 08:00+08"', '"2026-11-22 00:00Z"', '"2026-11-22 08:00Z"'),
    (12, 'interval', '"1 hour"', '"60 min"', '"61 min"'),
    (13, 'uuid', '"00000000-0000-0000-0000-00000000000a"', '"0000000000000000000000000000000A"', '"00000000-0000-0000-0000-00000000000b"'),
    (14, 'bytea', '"\\x6964"', '"id"', '"\\x69"'),
    (15, 'json', '{"a": 1}', '{"a": 1}', '{"a": 2}'),
    (16, 'jsonb', '{"a": 1, "b": [1, null]}', '{"b": [1, null], "a": 1.0}', '{"a": 1, "b": [null, 1]}'),
    (17, 'int[]', '[1, 2]', '"{1,2}"', '[2, 1]'),
    (18, 'text[]', '["a b", null]', '"{\"a b\",NULL}"', '["a b", "NULL"]'),
    (19, 'pair', '{"a": 1, "b": "x"}', '"(1,x)"', '{"a": 2}'),
    (20, 'color', '"red"', '"red"', '"green"'),
    (21, 'positive', '1', '"1"', '2'),
    (22, 'int4range', '"[1,3)"', '"[1,2]"', '"[1,4)"'),
    (23, 'inet', '"10.0.0.1"', '"10.0.0.1/32"', '"10.0.0.2"'),
    (24, 'point', '"(1,2)"', '"1,2"', '"(2,1)"'),
    (25, 'bit(3)', '"101"', '"B101"', '"100"'),
    (26, 'xid8', '"5"', '5', '6')
) v (n, type, value, spelled, other), try(type, value::jsonb, spelled::jsonb, other::jsonb) t ORDER BY n;

-- ---------------------------------------- what a column does not take is an error
CREATE TABLE strict (id int PRIMARY KEY, status text, n int NOT NULL DEFAULT 0, d positive DEFAULT 1,
    g int GENERATED ALWAYS AS (n * 2) STORED, i int GENERATED ALWAYS AS IDENTITY, c text CHECK (c <> 'no'));
SELECT idem.guard_states('strict', 'status', 'outcome_m');
INSERT INTO strict (id, status) VALUES (1, 'created');
\set VERBOSITY sqlstate
SELECT idem.transition('strict', '1', 'paid', set => '{"n": null}');
SELECT idem.transition('strict', '1', 'paid', set => '{"n": "x"}');
SELECT idem.transition('strict', '1', 'paid', set => '{"n": 1.5}');
SELECT idem.transition('strict', '1', 'paid', set => '{"n": 99999999999}');
SELECT idem.transition('strict', '1', 'paid', set => '{"d": -1}');
SELECT idem.transition('strict', '1', 'paid', set => '{"g": 1}');
SELECT idem.transition('strict', '1', 'paid', set => '{"i": 1}');
SELECT idem.transition('strict', '1', 'paid', set => '{"c": "no"}');
SELECT idem.transition('strict', '1', 'paid', set => '{"N": 1}');
SELECT idem.transition('strict', '1', 'paid', set => '{"ctid": 1}');
SELECT idem.transition('strict', '1', 'paid', set => '"n"');
\set VERBOSITY default
SELECT * FROM strict;
-- an empty object sets nothing; what is not named keeps its value
SELECT outcome FROM idem.transition('strict', '1', 'paid', set => '{}');
SELECT outcome FROM idem.transition('strict', '1', 'refunded', set => '{"n": 5}');
SELECT * FROM strict;

DROP SCHEMA machine_outcome CASCADE;
DELETE FROM idem.machine WHERE name LIKE 'outcome\_%';
