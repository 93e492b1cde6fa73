--
-- With idem in the database, the server's own expressions mean what they meant
--
-- Each of these became ambiguous or changed its type under some extension
-- that added a number type.  The types are those of a database without idem.
CREATE FUNCTION pg_temp.evaluate(expression text, OUT value text, OUT type text)
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT (%s)::text, pg_typeof(%s)::text', expression, expression) INTO value, type;
EXCEPTION WHEN OTHERS THEN
    value := NULL;
    type := SQLSTATE;
END $$;

SELECT expression, value, type
  FROM unnest(ARRAY[
    -- numeric beside integers
    '1.5 = 1', '1 = 1.5', '1.5::numeric < 2::smallint', '2::bigint >= 1.5', 'NULLIF(1, 1.0)', '1.5 BETWEEN 1 AND 2',
    '1 IN (1.0, 2)', '1.5 > ANY (ARRAY[1, 2])', 'CASE 1 WHEN 1.0 THEN 1 END', 'greatest(1, 1.5)', 'coalesce(1, 1.5)',
    '1.5 IS DISTINCT FROM 1',
    -- numbers beside floats
    '1.5 = 1.5::float8', '1 < 1.5::float4', '1.5::float8 * 2', '2 * 1.5',
    -- untyped literals
    '@ ''-5''', '+ ''5''', 'abs(''-5'')', '- ''5''', '''5'' + 1', '1.5 + ''5''', '1::bigint * ''5''', '''10'' / 4', '''10'' % 4',
    '1.0 = ''1''', '''1'' < 2::bigint', '1::bigint / ''2''', '''1'' + ''2''', '''1'' * ''2''', '''5'' % ''2''', '''1'' < ''2''', '''a'' = ''a''',
    'round(''1.5'')', 'sign(''-1.5'')', 'mod(''5'', 2)', 'sqrt(''4'')',
    -- the server's own money, intervals and dates
    '''1''::money + ''2''', '''1''::money * 2', '2 * ''1''::money', '''4''::money / ''2''', '''4''::money / 2', '''1''::money = ''1''',
    'interval ''1 h'' * 2', '''2'' * interval ''1 h''', 'interval ''1 h'' * ''2''', 'date ''2020-01-01'' + 1', '- interval ''1 h''',
    -- arithmetic of one kind
    '1 + 1', '1::bigint + 1', '1 + 1.0', '5 / 2', '5 / 2.0', '5 % 3', '5.5 % 3', '-5', '+5', '@ -5', '@ -5.5', 'abs(-5)', 'abs(-5.5)',
    '1::smallint * 2::bigint', '2 ^ 3',
    -- rows, arrays, ranges
    'ROW(1, 1.0) = ROW(1.0, 1)', 'ARRAY[1, 1.5]', '1 = ANY (''{1,2}'')', 'numrange(1, 2) @> 1.5', '5 <@ int4range(1, 10)',
    'int8range(1, 5) - ''[3,9)''', '''[1,2)''::numrange && ''[1.5,3)''', 'nummultirange(numrange(1, 2))', 'upper(''[1,2)''::int8range)',
    -- functions whose names idem has, too
    'round(1.5, 0)', 'round(''1.555'', 2)', 'format(''%s'', ''1'')', 'format(''%s and %s'', 1, 2)', 'upper(''a'')', 'sum(1)']) AS expression,
       pg_temp.evaluate(expression);

-- With idem's functions in the search path, where they need not be: nothing changes its meaning, but
-- format() of untyped literals only is refused, since idem has a function of that name and shape.
CREATE TABLE money_expressions AS
    SELECT expression, (pg_temp.evaluate(expression)).*
      FROM unnest(ARRAY['round(1.5, 0)', 'round(''1.555'', 2)', 'format(''%s'', ''1'')', 'format(''%s'', NULL)', 'format(''%s and %s'', 1, 2)',
                        'sum(1)', 'sum(''1''::money)', 'abs(''-5'')', 'round(1.555::float8)', 'upper(''a'')', 'lower(''[1,2)''::numrange)']) AS expression;
SET search_path = idem, public;
SELECT expression, changed.*
  FROM money_expressions AS e, LATERAL (SELECT * FROM pg_temp.evaluate(e.expression) EXCEPT SELECT e.value, e.type) AS changed;
RESET search_path;
DROP TABLE money_expressions;

-- Aggregates, also over untyped values.
SELECT sum(1), pg_typeof(sum(1)), avg(1), max('a'), min('a'), sum(1.5), avg(1.5::float8), sum('1 h'::interval), sum('1'::money);
\set VERBOSITY sqlstate
SELECT sum('1');
SELECT avg('1');
\set VERBOSITY default

-- Nothing converts to an amount, or from one, unasked.
SELECT count(*) AS implicit FROM pg_cast WHERE castcontext = 'i' AND 'money_micro'::regtype IN (castsource, casttarget);

-- The server's operator families have no member of ours: pg_upgrade would lose it.
SELECT count(*) AS strangers
  FROM pg_amop AS o JOIN pg_opfamily AS f ON f.oid = amopfamily
 WHERE 'money_micro'::regtype IN (amoplefttype, amoprighttype) AND f.oid < 16384;
SELECT count(*) AS strangers
  FROM pg_amop AS o JOIN pg_opfamily AS f ON f.oid = amopfamily
 WHERE f.opfname LIKE 'money_micro%' AND amopopr < 16384;

-- Every object says what it is.
SELECT classid::regclass, pg_describe_object(classid, objid, objsubid)
  FROM pg_depend AS d
 WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'idem')
   AND pg_describe_object(classid, objid, objsubid) LIKE '%money%'
   AND obj_description(objid, classid::regclass::name) IS NULL
   AND NOT (classid = 'pg_type'::regclass AND pg_describe_object(classid, objid, objsubid) LIKE '%[]')
 ORDER BY 1, 2;
