--
-- What went wrong in other libraries and extensions for money, one by one
--
-- Each line names a mistake that users of some other type of money met.  The
-- answer is true, or the SQLSTATE of a refusal.
CREATE FUNCTION pg_temp.answer(expression text) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE 'SELECT ' || expression INTO result;
    RETURN result;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
CREATE TABLE money_pitfall (pitfall text, expression text);

--
-- A. What an extension for decimals let through
--
INSERT INTO money_pitfall VALUES
    ('A1 text without a digit is zero', $$''::money_micro$$), ('A1 text without a digit is zero', $$'   '::money_micro$$),
    ('A1 text without a digit is zero', $$'-'::money_micro$$), ('A1 text without a digit is zero', $$'.'::money_micro$$),
    ('A1 text without a digit is zero', $$'-.'::money_micro$$),
    ('A2 digits wrap around', $$'184467440737095517'::money_micro$$), ('A2 digits wrap around', $$'400000000000000000'::money_micro$$),
    ('A2 digits wrap around', $$400000000000000000::numeric::money_micro$$),
    ('A3 excess decimals are cut off', $$'1.2345678'::money_micro$$), ('A3 excess decimals are cut off', $$1.2345678::numeric::money_micro$$),
    ('A3 excess decimals are cut off', $$'1.239'::money_micro(2)$$), ('A3 excess decimals are cut off', $$1.005::money_micro(2)$$),
    ('A4 malformed text is reported as out of range', $$'99999999999999999999e'::money_micro$$), ('A4 malformed text is reported as out of range', $$'--5'::money_micro$$),
    ('A5 arithmetic turns into a float', $$pg_typeof('90000000000.01'::money_micro * 1::bigint) = 'money_micro'::regtype$$),
    ('A5 arithmetic turns into a float', $$pg_typeof('90000000000.01'::money_micro / 1::bigint) = 'money_micro'::regtype$$),
    ('A6 coalesce turns into a float', $$coalesce('90000000000.01'::money_micro, 0::float8)$$),
    ('A7 a small integer divided by an amount is a wrong number', $$7::int2 / '2.00'::money_micro$$),
    ('A8 a small integer multiplies twice', $$3::int2 * '2.00'::money_micro = '6.00'$$),
    ('A9 a sum depends on the order of its rows', $$(SELECT sum(a ORDER BY n) = sum(a ORDER BY n DESC) AND sum(a ORDER BY n) = '2305843009213.693951'
        FROM unnest('{2305843009213.693951,2305843009213.693951,-2305843009213.693951}'::money_micro[]) WITH ORDINALITY AS r (a, n))$$),
    ('A10 an average is cut off', $$(SELECT avg(a) = 0.015 FROM unnest('{0.01,0.02}'::money_micro[]) AS a)$$),
    ('A11 a merge join with numeric fails', $$'1'::money_micro = 1.000000 AND (SELECT count(*) = 0 FROM pg_amop AS o JOIN pg_amop AS p USING (amopfamily, amopmethod)
        JOIN pg_am AS m ON m.oid = amopmethod
        WHERE amname = 'btree' AND o.amopopr = '=(money_micro,numeric)'::regoperator AND NOT EXISTS (SELECT FROM pg_amop AS q
        WHERE q.amopfamily = o.amopfamily AND q.amoplefttype = 'numeric'::regtype AND q.amoprighttype = 'numeric'::regtype))$$),
    ('A12 equality does not hash', $$(SELECT oprcanhash AND oprcanmerge FROM pg_operator WHERE oid = '=(money_micro,money_micro)'::regoperator)$$),
    ('A13 installing it breaks numeric = integer', $$1.5::numeric = 1::integer IS FALSE AND 1.5::numeric < 2::smallint AND NULLIF(1, 1.0) IS NULL AND 1.5 BETWEEN 1 AND 2$$),
    ('A14 the binary form depends on how it was built', $$idem.money_micro_send('1.5') = '\x000000000016e360'$$);

--
-- B. What the server's own money and numeric let through
--
INSERT INTO money_pitfall VALUES
    ('B1 separators anywhere', $$'1,2,3,4.5'::money_micro$$), ('B2 text is rounded', $$'1.2345675'::money_micro$$),
    ('B3 brackets and a sign behind', $$'(5)'::money_micro$$), ('B3 brackets and a sign behind', $$'5-'::money_micro$$),
    ('B4 no unary minus, abs, avg, round', $$- '5'::money_micro = '-5' AND abs('-5'::money_micro) = '5' AND (SELECT avg(a) = 5 FROM (VALUES ('5'::money_micro)) AS v (a))
        AND idem.round('5.5'::money_micro, 0, 'half_up') = '6'$$),
    ('B5 no comparison with numeric', $$'5'::money_micro < 5.000001$$),
    ('B6 no hash: no hash join, no partition by hash', $$(SELECT count(*) = 1 FROM pg_opclass AS c JOIN pg_am AS a ON a.oid = opcmethod
        WHERE opcintype = 'money_micro'::regtype AND opcdefault AND amname = 'hash')$$),
    ('B7 no BRIN', $$(SELECT count(*) = 3 FROM pg_opclass AS c JOIN pg_am AS a ON a.oid = opcmethod WHERE opcintype = 'money_micro'::regtype AND amname = 'brin')$$),
    ('B8 multiplied by a float it loses cents', $$'90000000000.01'::money_micro * 1.0::float8$$),
    ('B9 division by an integer cuts off', $$'0.000001'::money_micro / 2$$),
    ('B10 casts are not immutable, so a filter evaluates them row by row', $$(SELECT bool_and(provolatile = 'i') FROM pg_cast JOIN pg_proc AS p ON p.oid = castfunc
        WHERE 'money_micro'::regtype IN (castsource, casttarget))$$),
    ('B11 text depends on the locale', $$'1234.5'::money_micro::text = '1234.50'$$),
    ('B12 NaN is an amount', $$'NaN'::money_micro$$), ('B12 NaN is an amount', $$'NaN'::numeric::money_micro$$),
    ('B13 round() has one rule, and another for floats', $$idem.round(2.5, 0, 'half_up') = '3' AND idem.round(2.5, 0, 'half_even') = '2'$$),
    ('B14 equality leaks, so row level security does without the index', $$(SELECT bool_and(proleakproof) FROM pg_operator JOIN pg_proc AS p ON p.oid = oprcode
        WHERE 'money_micro'::regtype IN (oprleft, oprright) AND oprname IN ('=', '<>', '<', '<=', '>', '>='))$$);

--
-- C. Mistakes of libraries for money, by class
--
INSERT INTO money_pitfall VALUES
    ('C1 allocation loses a unit: ratios as floats', $$(SELECT sum(p) = '7002.73' FROM unnest(idem.allocate('7002.73', '{0.1,0.2,0.3,0.15,0.25}', 2)) AS p)$$),
    ('C1 allocation loses a unit: negative amount', $$(SELECT sum(p) = '-0.19' AND count(*) = 10 FROM unnest(idem.split('-0.19', 10, 2)) AS p)$$),
    ('C1 allocation loses a unit: the product is too large', $$idem.allocate('2305843009213.69', '{9007199254740993,4503599627370496}', 2)
        = '{1537228672809.13,768614336404.56}'$$),
    ('C1 allocation loses a unit: endless loop above 2^53', $$(SELECT sum(p) = '2305843009213.693951' FROM unnest(idem.allocate('2305843009213.693951', '{1,1,1}', 6)) AS p)$$),
    ('C1 allocation loses a unit: below the minor unit', $$idem.allocate('0.005', '{1,1}', 2)$$),
    ('C1 allocation loses a unit: the remainder goes to a share of zero', $$idem.allocate('0.01', '{0,1,1}', 2) = '{0,0.01,0}'$$),
    ('C2 allocation is not symmetric for negatives', $$idem.allocate('-100', '{3,7,1}', 2) = (SELECT array_agg(- p ORDER BY n) FROM unnest(idem.allocate('100', '{3,7,1}', 2)) WITH ORDINALITY AS a (p, n))$$),
    ('C3 who gets the cent is not said', $$idem.allocate('0.02', '{1,1,1}', 2) = '{0.01,0.01,0}' AND idem.allocate('0.01', '{1,3,2}', 2) = '{0,0.01,0}'$$),
    ('C4 negatives are rounded by another digit', $$idem.round('-1.005'::money_micro, 2, 'half_up') = '-1.01' AND idem.round('-1.005'::money_micro, 2, 'half_even') = '-1.00'
        AND idem.round('-1.005'::money_micro, 2, 'ceiling') = '-1.00' AND idem.round('-1.005'::money_micro, 2, 'floor') = '-1.01'$$),
    ('C5 a float entry point cuts off', $$147.23::float8::money_micro$$), ('C5 a float entry point cuts off', $$idem.round(555.55::float8, 2, 'half_up')$$),
    ('C6 silent overflow', $$'2305843009213.693951'::money_micro + '0.000001'$$), ('C6 silent overflow', $$'1152921504606.846976'::money_micro * 2$$),
    ('C6 silent overflow', $$(SELECT sum(a) FROM unnest('{2305843009213.693951,0.000001}'::money_micro[]) AS a)$$),
    ('C6 silent overflow', $$idem.from_minor(9223372036854775807, 'JPY')$$), ('C6 silent overflow', $$idem.multiply('2305843009213', 2, 2, 'down')$$),
    ('C7 overflow too early', $$idem.multiply('2305843009213.693951', 0.5, 6, 'down') = '1152921504606.846975'$$),
    ('C7 overflow too early', $$idem.divide('2305843009213.693951', 2305843009213.693951, 6, 'unnecessary') = '1'$$),
    ('C7 overflow too early', $$(SELECT avg(a) = 2305843009213.693951 FROM unnest('{2305843009213.693951,2305843009213.693951}'::money_micro[]) AS a)$$),
    ('C8 rounding hidden inside the type', $$'100'::money_micro * 1.75$$), ('C8 rounding hidden inside the type', $$'100'::money_micro / 3$$),
    ('C8 rounding hidden inside the type', $$idem.multiply('1', 175.0, 2, 'unnecessary') = '175'$$),
    ('C9 the smallest number has no text', $$'-2305843009213.693951'::money_micro::text::money_micro = idem.from_micro(-2305843009213693951)$$),
    ('C9 the smallest number has no text', $$idem.from_micro(-9223372036854775808)$$),
    ('C10 wrap while reading digits', $$'18446744073709551616'::money_micro$$), ('C10 wrap while reading digits', $$'18446744073709.551617'::money_micro$$),
    ('C10 wrap while reading digits', $$idem.from_minor('18446744073709551616', 'CNY')$$),
    ('C11 negative zero', $$'-0'::money_micro::text = '0.00' AND (- '0'::money_micro)::text = '0.00' AND ('0'::money_micro * -1)::text = '0.00'
        AND idem.round('-0.4'::money_micro, 0, 'down')::text = '0.00' AND idem.format('-0.00', 'CNY') = 'CNY 0.00'$$),
    ('C12 thousands separators', $$'1,234.50'::money_micro$$), ('C12 thousands separators', $$'1.234,50'::money_micro$$),
    ('C12 thousands separators', $$'1 234.50'::money_micro$$), ('C12 thousands separators', $$'1''234.50'::money_micro$$),
    ('C13 text that is not read back', $$(SELECT bool_and(idem.from_micro(m)::text::money_micro = idem.from_micro(m))
        FROM unnest('{1,-1,10,100000,1000000,12345678901234,2305843009213693951}'::int8[]) AS m)$$),
    ('C14 equal, but another hash', $$idem.money_micro_hash('1.5') = idem.money_micro_hash('1.50') AND '1.5'::money_micro = '1.50' AND '1.5'::money_micro::text = '1.50'::money_micro::text$$),
    ('C15 the scale comes from the driver', $$idem.money_micro_send('1.50') = idem.money_micro_send(1.500000::money_micro)$$),
    ('C16 wrong minor units', $$idem.minor_units('JPY') = 0 AND idem.minor_units('LBP') = 2 AND idem.minor_units('KWD') = 3 AND idem.minor_units('CLF') = 4
        AND idem.minor_units('HUF') = 2 AND idem.minor_units('MGA') = 2 AND idem.minor_units('MRU') = 2 AND idem.minor_units('IQD') = 3$$),
    ('C16 wrong minor units', $$idem.minor_units('XAU')$$),
    ('C17 the stage of rounding is the library''s', $$(SELECT idem.multiply(sum(a), 0.19, 2, 'half_up') <> sum(idem.multiply(a, 0.19, 2, 'half_up')) FROM unnest('{0.03,0.03,0.03}'::money_micro[]) AS a)$$),
    ('C18 zero is neutral on one side only', $$'0'::money_micro + '5' = '5' AND '5'::money_micro + '0' = '5'$$),
    ('C18 zero is neutral on one side only', $$0 + '5'::money_micro = '5' AND 0 - '5'::money_micro = '-5'$$), ('C18 zero is neutral on one side only', $$'5'::money_micro + 0 = '5' AND '5'::money_micro - 0 = '5'$$),
    ('C19 division by zero, also as text', $$'5'::money_micro / 0$$), ('C19 division by zero, also as text', $$'5'::money_micro / '0'$$),
    ('C19 division by zero, also as text', $$idem.divide('5', '0', 2, 'up')$$), ('C19 division by zero, also as text', $$'5'::money_micro % '0'$$),
    ('C20 divided by infinity is zero', $$idem.divide('5', 'Infinity', 2, 'down')$$),
    ('C21 currencies are mixed in a sum', $$(SELECT idem.sum(a, c) FROM (VALUES ('1'::money_micro, 'EUR'), ('1', 'USD')) AS v (a, c))$$),
    ('C22 fen read as yuan', $$12345::bigint::money_micro$$), ('C22 fen read as yuan', $$idem.from_minor(12345, 'CNY') = '123.45' AND idem.from_major(12345) = '12345'$$);

--
-- D. What the design of such a type gets wrong
--
INSERT INTO money_pitfall VALUES
    ('D1 operators are found only with the schema in search_path', $$(SELECT bool_and(oprnamespace = 'pg_catalog'::regnamespace OR oprname LIKE '#%') FROM pg_operator
        WHERE oprcode IN (SELECT oid FROM pg_proc WHERE pronamespace = 'idem'::regnamespace) OR 'money_micro'::regtype IN (oprleft, oprright))$$),
    ('D2 implicit casts from or to integers, numeric, floats', $$(SELECT count(*) = 0 FROM pg_cast WHERE castcontext = 'i' AND 'money_micro'::regtype IN (castsource, casttarget))$$),
    ('D3 a cast from bigint that means millionths', $$1::int8::money_micro$$), ('D3 a cast from bigint that means millionths', $$1::int4::money_micro$$),
    ('D3 a cast from bigint that means millionths', $$1::int2::money_micro$$),
    ('D4 functions not marked as what they are', $$(SELECT count(*) = 0 FROM pg_proc WHERE 'money_micro'::regtype = ANY (proargtypes::oid[] || prorettype)
        AND (proparallel <> 's' OR provolatile = 'v'))$$),
    ('D5 made by who may not: leakproof needs a superuser', $$(SELECT rolsuper FROM pg_extension JOIN pg_roles r ON r.oid = extowner WHERE extname = 'idem')$$),
    ('D6 messages of bigint', $$'1152921504606.846976'::money_micro * 4$$),
    ('D7 no deduplication, a threefold index', $$(SELECT count(*) = 1 FROM pg_amproc AS p JOIN pg_opfamily AS f ON f.oid = amprocfamily
        WHERE opfname = 'money_micro_ops' AND amproc = 'btequalimage'::regproc)$$),
    ('D8 digits of a numeric read in place', $$(SELECT bool_and(n::money_micro::numeric = n) FROM unnest('{0,1,-1,0.000001,9999,10000,99990000,100000000.0001,
        2305843009213.693951,-2305843009213.693951,0.0100,1e12}'::numeric[]) AS n)$$),
    ('D9 a binary-coercible cast: 5 becomes 0.000005', $$(SELECT count(*) = 0 FROM pg_cast WHERE castmethod = 'b' AND 'money_micro'::regtype IN (castsource, casttarget))$$),
    ('D11 JSON gets a string', $$to_jsonb('12.30'::money_micro) = '12.30'::jsonb AND jsonb_typeof(to_jsonb('12.30'::money_micro)) = 'number'$$),
    ('D12 NULL is zero', $$('5'::money_micro + NULL) IS NULL AND (SELECT sum(a) FROM (VALUES (NULL::money_micro)) AS v (a)) IS NULL$$);

-- All of them.  A refusal is what is wanted where the mistake was to accept.
CREATE TABLE money_answer AS
    SELECT n, pitfall, expression, pg_temp.answer(expression) AS answer
      FROM (SELECT row_number() OVER (ORDER BY ctid) AS n, * FROM money_pitfall) AS p;
SELECT pitfall, string_agg(answer, ' ' ORDER BY n) AS answers FROM money_answer GROUP BY pitfall ORDER BY min(n);
SELECT * FROM money_answer WHERE answer IS NULL OR answer NOT IN ('true', '22P02', '22003', '22012', '22023', '42846', '42883');
DROP TABLE money_pitfall, money_answer;

-- D6: the message speaks of amounts.
SELECT '1152921504606.846976'::money_micro * 4;
-- D10 text sent where the binary form is spoken: eight characters are no amount.
CREATE TABLE money_wire (amount money_micro);
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\01012345.67\377\377"' with (format binary)
DROP TABLE money_wire;
-- A12, B6, B14: hash joins, partitions by hash, indexes under row level security are in money_index.
