--
-- What only newer servers can declare, and no guard can be kept on
--
-- Each line needs the PostgreSQL named first.  An older one does not know the
-- declaration (a syntax error); a newer one has to take it, and then idem has
-- to refuse the guard on it.  Both ways the answer here is the SQLSTATE of
-- idem's refusal, so that the lesson reads the same on every server.
CREATE SCHEMA base_newer;
SET search_path = base_newer;
CREATE FUNCTION refusal(since int, declaration text, guard text) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    known bool := current_setting('server_version_num')::int >= since * 10000;
BEGIN
    BEGIN
        EXECUTE declaration;
    EXCEPTION WHEN syntax_error THEN
        IF NOT known THEN
            RETURN '42P17';
        END IF;
        RAISE;
    END;
    IF NOT known THEN
        RETURN 'the server should not know this';
    END IF;
    EXECUTE guard;
    RETURN 'not refused';
EXCEPTION WHEN invalid_object_definition THEN
    RETURN SQLSTATE;
END $$;

-- A virtual generated column has no value in the row that a trigger judges.
CREATE TABLE parent (id int PRIMARY KEY, amount bigint NOT NULL, currency text, state text);
CREATE TABLE child (parent_id int NOT NULL REFERENCES parent, amount bigint NOT NULL, currency text, state text);
SELECT what, refusal(18, format('ALTER TABLE %s ADD v %s GENERATED ALWAYS AS (%s) VIRTUAL NOT NULL', side, type, source), guard)
  FROM (VALUES
    ('amount', 'child', 'bigint', 'amount * 2',
     $$SELECT idem.guard_limit('child', 'parent_id', amount => 'v', cap => 'amount', used => 'used', released => NULL)$$),
    ('cap', 'parent', 'bigint', 'amount * 2',
     $$SELECT idem.guard_limit('child', 'parent_id', amount => 'amount', cap => 'v', used => 'used', released => NULL)$$),
    ('state of a child', 'child', 'text', 'state',
     $$SELECT idem.guard_limit('child', 'parent_id', amount => 'amount', cap => 'amount', used => 'used', state => 'v', released => '{failed}')$$),
    ('state of a parent', 'parent', 'text', 'state',
     $$SELECT idem.guard_limit('child', 'parent_id', amount => 'amount', cap => 'amount', used => 'used', released => NULL, parent_state => 'v', open => '{paid}')$$),
    ('compared in a child', 'child', 'text', 'currency',
     $$SELECT idem.guard_limit('child', 'parent_id', amount => 'amount', cap => 'amount', used => 'used', released => NULL, same => '{"v":"currency"}')$$),
    ('compared in a parent', 'parent', 'text', 'currency',
     $$SELECT idem.guard_limit('child', 'parent_id', amount => 'amount', cap => 'amount', used => 'used', released => NULL, same => '{"currency":"v"}')$$),
    ('running total', 'parent', 'bigint', 'amount * 2',
     $$SELECT idem.guard_limit('child', 'parent_id', amount => 'amount', cap => 'amount', used => 'v', released => NULL)$$),
    ('fixed column', 'parent', 'text', 'currency',
     $$SELECT idem.guard_fixed('parent', '{v}')$$),
    ('guarded state', 'parent', 'text', 'state',
     $$SELECT idem.guard_states('parent', 'v', 'base_newer')$$)) AS t(what, side, type, source, guard);
-- The refused declaration took its column with it.
SELECT count(*) AS columns FROM pg_attribute WHERE attrelid IN ('parent'::regclass, 'child'::regclass) AND attname = 'v';
DROP TABLE child;

-- A limit needs a foreign key that holds for every row.
SELECT what, refusal(18, declaration,
    $$SELECT idem.guard_limit('child', '{parent_id}', amount => 'amount', cap => 'amount', used => 'used', released => NULL)$$)
  FROM (VALUES
    ('not enforced',
     'CREATE TABLE child (parent_id int NOT NULL REFERENCES parent NOT ENFORCED, amount bigint NOT NULL)'),
    ('null in older rows',
     'CREATE TABLE child (parent_id int REFERENCES parent, amount bigint NOT NULL); INSERT INTO child VALUES (NULL, 1);'
     'ALTER TABLE child ADD CONSTRAINT n NOT NULL parent_id NOT VALID')) AS t(what, declaration);

-- And one that names one parent, not whoever it was at a time.
SELECT refusal(18,
    'CREATE TABLE parent_t (id int4range, at daterange, amount bigint NOT NULL, PRIMARY KEY (id, at WITHOUT OVERLAPS));'
    'CREATE TABLE child_t (parent_id int4range NOT NULL, at daterange NOT NULL, amount bigint NOT NULL,'
    ' FOREIGN KEY (parent_id, PERIOD at) REFERENCES parent_t (id, PERIOD at))',
    $$SELECT idem.guard_limit('child_t', '{parent_id,at}', amount => 'amount', cap => 'amount', used => 'used', released => NULL)$$);

-- A foreign key under a limit stays enforced.
CREATE TABLE child (parent_id int NOT NULL REFERENCES parent, amount bigint NOT NULL);
SELECT idem.guard_limit('child', 'parent_id', amount => 'amount', cap => 'amount', used => 'used', released => NULL);
INSERT INTO parent VALUES (1, 100);
INSERT INTO child VALUES (1, 60);
CREATE FUNCTION after_switching_off() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('server_version_num')::int >= 180000 THEN
        EXECUTE 'ALTER TABLE child ALTER CONSTRAINT child_parent_id_fkey NOT ENFORCED';
    ELSE
        RETURN '2BP01';
    END IF;
    INSERT INTO child VALUES (1, 40);
    RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
SELECT after_switching_off();

-- An amount that cannot be read is an answer where the server asks for one.
CREATE FUNCTION reads(input text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    IF current_setting('server_version_num')::int >= 160000 THEN
        EXECUTE 'SELECT sql_error_code FROM pg_input_error_info($1, ''money_micro'')' INTO answer USING input;
    ELSE
        PERFORM input::money_micro;
    END IF;
    RETURN coalesce(answer, 'yes');
EXCEPTION WHEN invalid_text_representation OR numeric_value_out_of_range THEN
    RETURN CASE WHEN current_setting('server_version_num')::int < 160000 THEN SQLSTATE ELSE 'failed' END;
END $$;
SELECT input, reads(input) FROM unnest('{1.5,"",x,1e5,0.0000001,100000000000000000000,NaN}'::text[]) AS input;

RESET search_path;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA base_newer CASCADE;
