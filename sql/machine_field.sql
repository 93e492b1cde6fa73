--
-- machine_field: twenty machines of real payment objects, and seven bad ones
--
-- They are drawn in test/machines, one file each; the head of a file says from
-- where it is known, which states are its entries and which are final.  Each is
-- defined, printed and defined again; then every state is tried from every
-- other one, and compared with the arrows of the file, which are read here by
-- a regular expression and not by idem.
--
CREATE SCHEMA machine_field;
SET search_path = machine_field;
SET client_min_messages = warning;
\set drawn `cat "$PG_ABS_SRCDIR"/test/machines/*.mmd`
\set bad `cat "$PG_ABS_SRCDIR"/test/machines/invalid/*.mmd`

CREATE FUNCTION split(files text) RETURNS TABLE (name text, diagram text) LANGUAGE sql AS $$
    SELECT (regexp_match(file, '%% machine: (\w+)'))[1], file
    FROM regexp_split_to_table(files, '(?=stateDiagram-v2)') file WHERE file <> ''
$$;
-- a list in the head of a file
CREATE FUNCTION head(diagram text, what text) RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(state ORDER BY state COLLATE "C")
    FROM regexp_split_to_table((regexp_match(diagram, '%% ' || what || ': ([^\n]*)'))[1], ', *') state
$$;
CREATE TABLE machine AS SELECT * FROM split(:'drawn');
CREATE TABLE edge AS
    SELECT name, e[1] AS source, e[2] AS target
    FROM machine, regexp_matches(diagram, '^ *(\w+)(?::::\w+)? --> (\w+)', 'gn') e;

-- ------------------------------------------------------------- all are kept
SELECT count(*) FROM machine;
SELECT name, problem.* FROM machine, idem.check_machine(diagram) problem;
SELECT name, version, change FROM machine, idem.define_machine('field_' || name, diagram) ORDER BY name COLLATE "C";
-- and are what their files say
SELECT name, head(diagram, 'initial') AS said, entries, head(diagram, 'terminal') AS said, finals
FROM machine,
    LATERAL (SELECT idem.machine_dot('field_' || name)) d (dot),
    LATERAL (SELECT array_agg(m[1] ORDER BY m[1] COLLATE "C") FROM regexp_matches(dot, '"\[\*\]" -> "(\w+)"', 'g') m) i (entries),
    LATERAL (SELECT array_agg(m[1] ORDER BY m[1] COLLATE "C") FROM regexp_matches(dot, '"(\w+)" \[peripheries', 'g') m) t (finals)
WHERE head(diagram, 'initial') <> entries OR head(diagram, 'terminal') <> finals OR entries IS NULL OR finals IS NULL;

-- ------------------------------------------- what is printed is the machine
-- The same text is no new version; under another name it is the same machine.
SELECT change, count(*) FROM machine, idem.define_machine('field_' || name, idem.machine_diagram('field_' || name)) GROUP BY change;
SELECT count(*) FROM machine, idem.define_machine('field_again_' || name, idem.machine_diagram('field_' || name));
SELECT name FROM machine WHERE
    (SELECT array_agg(t::text) FROM idem.machine_table('field_' || name) t) IS DISTINCT FROM
    (SELECT array_agg(t::text) FROM idem.machine_table('field_again_' || name) t)
    OR replace(idem.machine_dot('field_' || name), 'field_', 'field_again_') <> idem.machine_dot('field_again_' || name);

-- ------------------------------------------- each state from every other one
CREATE FUNCTION verdict(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;

CREATE FUNCTION try(machine text, entries text[], finals text[], OUT states bigint, OUT edges bigint, OUT pairs bigint,
    OUT accepted bigint, OUT "23I01" bigint, OUT "23I03" bigint, OUT "23I04" bigint, OUT wrong bigint, OUT wrong_entries bigint)
LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE tried (id serial PRIMARY KEY, state text, target text);
    INSERT INTO tried (state, target) SELECT a, b
        FROM (SELECT DISTINCT t.state FROM idem.machine_table('field_' || machine) t) s (a),
             (SELECT DISTINCT t.state FROM idem.machine_table('field_' || machine) t) t (b);
    CREATE TABLE pair AS SELECT t.*, CASE
            WHEN t.state = t.target THEN '23I04'
            WHEN EXISTS (SELECT FROM edge e WHERE (e.name, e.source, e.target) = (machine, t.state, t.target)) THEN 'accepted'
            WHEN t.state = ANY (finals) THEN '23I03' ELSE '23I01' END AS expected FROM tried t;
    PERFORM idem.guard_states('tried', 'state', 'field_' || machine);
    ALTER TABLE pair ADD got text;
    UPDATE pair SET got = verdict(format('UPDATE tried SET state = %L WHERE id = %s', target, id));
    SELECT count(DISTINCT state), count(*), count(*) FILTER (WHERE got = 'accepted'),
           count(*) FILTER (WHERE got = '23I01'), count(*) FILTER (WHERE got = '23I03'),
           count(*) FILTER (WHERE got = '23I04'), count(*) FILTER (WHERE got IS DISTINCT FROM expected)
    INTO states, pairs, accepted, "23I01", "23I03", "23I04", wrong FROM pair;
    SELECT count(*) INTO edges FROM edge e WHERE e.name = machine;
    SELECT count(*) INTO wrong_entries FROM (SELECT DISTINCT state FROM pair) s
    WHERE verdict(format('INSERT INTO tried (state) VALUES (%L)', state)) <>
          CASE WHEN state = ANY (entries) THEN 'accepted' ELSE '23I02' END;
    DROP TABLE tried, pair;
END $$;
SELECT name, t.* FROM machine, try(name, head(diagram, 'initial'), head(diagram, 'terminal')) t ORDER BY name COLLATE "C";

-- ---------------------------------------------------- and these are refused
CREATE TABLE refused AS SELECT * FROM split(:'bad');
SELECT count(*) FROM refused;
SELECT name, problem.* FROM refused, idem.check_machine(diagram) problem ORDER BY name COLLATE "C", line;
SELECT name, verdict(format('SELECT idem.define_machine(%L, %L)', name, diagram)) FROM refused ORDER BY name COLLATE "C";

DROP SCHEMA machine_field CASCADE;
DELETE FROM idem.machine WHERE name LIKE 'field\_%';
