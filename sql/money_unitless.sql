--
-- A number of an integer or float type has no unit and is no amount, wherever
-- it comes from; zero aside, which is the same in every unit (first day 4, 10)
--
CREATE TABLE money_sale (n int, amount money_micro(2));

-- The messages: how to say the unit.
INSERT INTO money_sale VALUES (1, 1999);
INSERT INTO money_sale VALUES (1, 19.99::float8);
SELECT amount + 100 FROM (VALUES ('1.00'::money_micro)) AS v (amount);
INSERT INTO money_sale VALUES (1, '1999'), (2, 19.99), (3, idem.from_minor(1999, 'EUR')), (4, idem.from_major(19)) RETURNING amount;
TRUNCATE money_sale;

-- From here on only what a client branches on.
\set VERBOSITY sqlstate

-- Every type, by assignment, written out, and as a parameter like those of setInt, setLong, setDouble.
CREATE FUNCTION pg_temp.answer(command text) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE command INTO result;
    RETURN coalesce(result, 'null');
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
CREATE FUNCTION pg_temp.parameter(type text, value text) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('PREPARE money_parameter (%s) AS INSERT INTO money_sale VALUES (1, $1) RETURNING amount', type);
    result := pg_temp.answer(format('EXECUTE money_parameter (%L)', value));
    DEALLOCATE money_parameter;
    RETURN result;
END $$;
SELECT type, value, pg_temp.answer(format('INSERT INTO money_sale VALUES (1, %L::%s) RETURNING amount', value, type)) AS assigned,
       pg_temp.answer(format('UPDATE money_sale SET amount = %L::%s RETURNING amount', value, type)) AS updated,
       pg_temp.answer(format('SELECT %L::%s::money_micro', value, type)) AS written, pg_temp.parameter(type, value)
  FROM unnest('{int2,int4,int8,float4,float8}'::text[]) AS type, unnest('{0,5,-1}'::text[]) AS value;
SELECT value, pg_temp.answer(format('SELECT %L::%s::money_micro', value, type)) AS answer
  FROM (VALUES ('float8', '-0'), ('float8', 'NaN'), ('float8', 'Infinity'), ('float4', '1e-45'), ('float8', '5e-324'),
               ('int8', '-9223372036854775808'), ('int2', NULL), ('float4', NULL)) AS v (type, value);
-- Constants are not known from values: a plan made for a value and one made for any value say the same.
PREPARE by_int(int) AS INSERT INTO money_sale VALUES (2, $1);
SET plan_cache_mode = force_custom_plan;
EXECUTE by_int(0);
EXECUTE by_int(5);
SET plan_cache_mode = force_generic_plan;
EXECUTE by_int(0);
EXECUTE by_int(5);
RESET plan_cache_mode;
DEALLOCATE by_int;
SELECT n, amount, count(*) FROM money_sale WHERE n = 2 GROUP BY n, amount;
TRUNCATE money_sale;

-- Rows of their own type each, arrays, and what is computed.
INSERT INTO money_sale VALUES (1, 0), (2, '5.00'), (3, 7.5);
INSERT INTO money_sale VALUES (1, 0), (2, 5);
INSERT INTO money_sale SELECT n, n FROM money_sale;
INSERT INTO money_sale SELECT 4, count(*) FROM money_sale WHERE false;
UPDATE money_sale SET amount = n;
UPDATE money_sale SET amount = 0 WHERE n = 3;
UPDATE money_sale SET amount = CASE WHEN n = 2 THEN 1 ELSE 0 END;
SELECT * FROM money_sale ORDER BY n;
SELECT ARRAY[0,0]::money_micro[], '{0}'::int8[]::money_micro(2)[], NULL::int[]::money_micro[];
SELECT ARRAY[0,1]::money_micro[];
SELECT ARRAY[0,0.5::float8]::money_micro[];
MERGE INTO money_sale AS s USING (VALUES (1, 5)) AS v (n, fen) ON s.n = v.n WHEN MATCHED THEN UPDATE SET amount = fen;
INSERT INTO money_sale VALUES (9, 0) ON CONFLICT DO NOTHING;
-- What is not a number of its own is no integer: implicit there is nothing.
SELECT coalesce(sum(amount), 0) FROM money_sale;
SELECT coalesce(sum(amount), '0') FROM money_sale WHERE false;
SELECT idem.split(100, 2, 2);

-- PL/pgSQL: assignment, DECLARE, INTO, RETURN, a field of a record, an element of an array, NEW; zero passes everywhere.
CREATE DOMAIN money_fen AS int8;
CREATE DOMAIN money_price AS money_micro(2);
CREATE TYPE money_pair AS (n int, amount money_micro);
CREATE FUNCTION money_assigned(fen int8) RETURNS text LANGUAGE plpgsql AS
    $$ DECLARE a money_micro; BEGIN a := fen; RETURN a; END $$;
CREATE FUNCTION money_declared(fen int8) RETURNS text LANGUAGE plpgsql AS
    $$ DECLARE a money_micro NOT NULL := fen::int2; BEGIN RETURN a; END $$;
CREATE FUNCTION money_domain(fen int8) RETURNS text LANGUAGE plpgsql AS
    $$ DECLARE a money_price := fen::money_fen; BEGIN RETURN a; END $$;
CREATE FUNCTION money_into(fen int8) RETURNS text LANGUAGE plpgsql AS
    $$ DECLARE a money_micro; BEGIN SELECT fen::float8 INTO a; RETURN a; END $$;
CREATE FUNCTION money_into_row(fen int8) RETURNS text LANGUAGE plpgsql AS
    $$ DECLARE p money_pair; BEGIN SELECT 1, fen INTO p; RETURN p.amount; END $$;
CREATE FUNCTION money_executed(fen int8) RETURNS text LANGUAGE plpgsql AS
    $$ DECLARE a money_micro; BEGIN EXECUTE 'SELECT $1' INTO a USING fen::float4; RETURN a; END $$;
CREATE FUNCTION money_returned(fen int8) RETURNS money_micro LANGUAGE plpgsql AS
    $$ BEGIN RETURN fen; END $$;
CREATE FUNCTION money_returned_row(fen int8) RETURNS money_pair LANGUAGE plpgsql AS
    $$ DECLARE p money_pair; BEGIN p.n := 1; p.amount := fen; RETURN p; END $$;
CREATE FUNCTION money_returned_next(fen int8) RETURNS SETOF money_micro LANGUAGE plpgsql AS
    $$ BEGIN RETURN NEXT fen::int4; END $$;
CREATE FUNCTION money_element(fen int8) RETURNS text LANGUAGE plpgsql AS
    $$ DECLARE a money_micro[]; BEGIN a[1] := fen; RETURN a; END $$;
CREATE FUNCTION money_array(fen int8) RETURNS text LANGUAGE plpgsql AS
    $$ DECLARE a money_micro[]; BEGIN a := ARRAY[0, fen]; RETURN a; END $$;
CREATE FUNCTION money_looped(fen int8) RETURNS text LANGUAGE plpgsql AS
    $$ DECLARE a money_micro; BEGIN FOR a IN SELECT fen LOOP NULL; END LOOP; RETURN a; END $$;
CREATE FUNCTION money_out(fen int8, OUT amount money_micro) LANGUAGE plpgsql AS
    $$ BEGIN amount := fen; END $$;
CREATE FUNCTION money_sql(fen int8) RETURNS money_micro LANGUAGE sql AS
    $$ SELECT fen $$;
SELECT f AS function, pg_temp.answer(format('SELECT %I(0)', f)) AS zero, array_agg(DISTINCT pg_temp.answer(format('SELECT %I(1999)', f))) AS ten_values
  FROM generate_series(1, 10),
       unnest('{money_assigned,money_declared,money_domain,money_into,money_into_row,money_executed,money_returned,money_returned_row,
                money_returned_next,money_element,money_array,money_looped,money_out,money_sql}'::text[]) WITH ORDINALITY AS u (f, n)
 GROUP BY n, f ORDER BY n;
-- one plan, many calls: the sixth says what the first one said
DO $$
DECLARE
    a money_micro;
    refused int := 0;
BEGIN
    FOR fen IN 0 .. 20 LOOP
        BEGIN
            a := fen;
        EXCEPTION WHEN invalid_parameter_value THEN
            refused := refused + 1;
        END;
    END LOOP;
    ASSERT refused = 20 AND a = '0';
END $$;
-- text and numeric are amounts there, too
DO $$
DECLARE
    a money_micro := '19.99';
    b money_micro := 19.99;
BEGIN
    a := a + b - 0.98;
    ASSERT a = '39';
END $$;
CREATE TABLE money_order (fen int8, amount money_micro);
CREATE FUNCTION money_fill() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.amount := NEW.fen; RETURN NEW; END $$;
CREATE TRIGGER fill BEFORE INSERT ON money_order FOR EACH ROW EXECUTE FUNCTION money_fill();
INSERT INTO money_order VALUES (0) RETURNING amount;
INSERT INTO money_order VALUES (1999);
DROP TABLE money_order;

-- + and - with integers, on both sides; zero is neutral.
SELECT e AS expression, pg_temp.answer('SELECT ' || replace(e, '@', '''5''::money_micro')) AS answer
  FROM unnest(ARRAY['@ + 100', '@ + 1::int2', '@ + 1::int8', '100 + @', '1::int2 + @', '1::int8 + @', '@ - 100', '@ - 1::int2', '@ - 1::int8',
                    '100 - @', '1::int2 - @', '1::int8 - @', '@ + 0', '@ + 0::int2', '@ + 0::int8', '0 + @', '0::int2 + @', '0::int8 + @',
                    '@ - 0', '@ - 0::int2', '@ - 0::int8', '0 - @', '0::int2 - @', '0::int8 - @', '@ + NULL::int', 'NULL::int8 - @',
                    '@ + 1.0', '@ + 1::float8', '@ + 0::float8', '@ + count(*)', '@ * 2', '2 * @', '@ * 0.06', '@ * 1::float8']) AS e;
UPDATE money_sale SET amount = amount + 5;
UPDATE money_sale SET amount = amount - 0.01;
PREPARE decrement(int) AS UPDATE money_sale SET amount = amount - $1;
EXECUTE decrement(5);
EXECUTE decrement(0);
DEALLOCATE decrement;
SELECT * FROM money_sale ORDER BY n;

-- Column defaults are judged when they are declared: zero, what is in quotes and what names its unit.
\set VERBOSITY default
CREATE TABLE money_default (n int, a money_micro DEFAULT 0, b money_micro(2) DEFAULT 0::int8, c money_micro DEFAULT '5', d money_micro DEFAULT 5.00,
    e money_micro DEFAULT idem.from_major(5), f money_micro DEFAULT NULL::int, g money_price DEFAULT 0, h money_micro[] DEFAULT ARRAY[0,0], i int DEFAULT 5);
INSERT INTO money_default VALUES (1) RETURNING *;
CREATE TABLE money_default_like (LIKE money_default INCLUDING ALL);
CREATE TABLE money_default_of (amount money_micro DEFAULT 5);
CREATE TABLE money_default_of (amount money_price DEFAULT 5);
CREATE TABLE money_default_of (amount money_micro[] DEFAULT ARRAY[0,5]);
CREATE TABLE money_default_of (amount money_micro DEFAULT (random() * 100)::int);
CREATE TABLE money_default_of (amount money_micro DEFAULT CASE WHEN random() < 2 THEN '5' ELSE 1.5 END + 0, fen int8 DEFAULT 5);
DROP TABLE money_default_of;
CREATE TABLE money_default_of (fen int8, amount money_micro GENERATED ALWAYS AS (fen) STORED);
CREATE TABLE money_default_of (fen int8, amount money_micro GENERATED ALWAYS AS (idem.from_scaled(fen, 2)) STORED);
ALTER TABLE money_default ADD COLUMN j money_micro DEFAULT 5;
ALTER TABLE money_default ADD COLUMN j money_micro DEFAULT 0;
ALTER TABLE money_default ALTER a SET DEFAULT 5::float8;
ALTER TABLE money_default ALTER a SET DEFAULT '5';
ALTER TABLE money_default ALTER i TYPE money_micro USING NULL;
SELECT attname, pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
 WHERE adrelid = 'money_default'::regclass ORDER BY attnum;
DROP TABLE money_default, money_default_like, money_default_of;
-- Nothing that a user wrote is called by the way.
CREATE FUNCTION money_called() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'called'; RETURN 0; END $$;
CREATE TABLE money_default_of (amount money_micro DEFAULT money_called());
CREATE TABLE money_default_of (amount money_micro DEFAULT CASE WHEN money_called() = 1 THEN '5' ELSE 0::money_micro END);
INSERT INTO money_default_of DEFAULT VALUES RETURNING amount;
DROP TABLE money_default_of;
DROP FUNCTION money_called;
-- The default of a domain, or of an argument, raises where it is used.
CREATE DOMAIN money_five AS money_micro DEFAULT 5;
CREATE TABLE money_fives (amount money_five);
INSERT INTO money_fives DEFAULT VALUES;
CREATE FUNCTION money_argument(amount money_micro DEFAULT 5) RETURNS money_micro LANGUAGE sql AS 'SELECT amount';
SELECT money_argument();
DROP FUNCTION money_argument;
DROP TABLE money_fives;
DROP DOMAIN money_five;

-- A column of fen does not become one of amounts by the way; USING says the unit.
CREATE TABLE money_column (fen int8);
INSERT INTO money_column VALUES (0), (1999);
ALTER TABLE money_column ALTER fen TYPE money_micro;
ALTER TABLE money_column ALTER fen TYPE money_micro USING idem.from_scaled(fen, 2);
TABLE money_column;
DROP TABLE money_column;

DROP FUNCTION money_assigned, money_declared, money_domain, money_into, money_into_row, money_executed, money_returned, money_returned_row,
    money_returned_next, money_element, money_array, money_looped, money_out, money_sql, money_fill;
DROP TYPE money_pair;
DROP DOMAIN money_fen, money_price;
DROP TABLE money_sale;
