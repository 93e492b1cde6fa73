--
-- Casts: numeric and text by assignment, exact; of integers and floats zero only (money_unitless)
--
-- Every cast there is: c = only written out, a = also by assignment.  None is implicit (i).
SELECT castsource::regtype, casttarget::regtype, castcontext, castmethod
  FROM pg_cast WHERE 'money_micro'::regtype IN (castsource, casttarget)
 ORDER BY castsource::regtype::text COLLATE "C", casttarget::regtype::text COLLATE "C";

-- numeric and back, both ends.
SELECT n, n::money_micro, n::money_micro::numeric
  FROM unnest('{0,1,-1,12.30,12.300000000,0.000001,-0.000001,0.0100,10000,100000000,1234567890123.456789,
                2305843009213.693951,-2305843009213.693951,2305843009213.6939510000000000000000}'::numeric[]) AS n;

-- Refused: finer, too large, not a number.
CREATE FUNCTION pg_temp.attempt(command text) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE command INTO result;
    RETURN result;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
SELECT n, pg_temp.attempt(format('SELECT %L::numeric::money_micro', n)) AS sqlstate
  FROM unnest('{0.0000001,-0.0000001,1.2345678,0.00000000000000000000001,1e-100,99999999.99999999,
                2305843009213.693952,-2305843009213.693952,2305843009213.6939511,2305843009214,10000000000000,1e16,1e19,-1e20,
                1e30,NaN,Infinity,-Infinity}'::numeric[]) AS n;
SELECT result, count(*)
  FROM generate_series(-30, 400, 5) AS n, unnest('{"",-}'::text[]) AS sign,
       pg_temp.attempt(format('SELECT %L::numeric::money_micro', format('%s1e%s', sign, n))) AS result GROUP BY result ORDER BY length(result), result;
SELECT 1.2345678::money_micro;
SELECT 'NaN'::numeric::money_micro;

-- A column takes numeric, text and varchar, as drivers send them, through the same strict input.
CREATE TABLE money_casts (amount money_micro(2));
PREPARE by_text(text) AS INSERT INTO money_casts VALUES ($1) RETURNING amount;
PREPARE by_varchar(varchar) AS INSERT INTO money_casts VALUES ($1) RETURNING amount;
PREPARE by_numeric(numeric) AS INSERT INTO money_casts VALUES ($1) RETURNING amount;
EXECUTE by_text('12.30');
EXECUTE by_varchar('12.30');
EXECUTE by_numeric(12.30);
INSERT INTO money_casts VALUES ('12.30'::char(10)) RETURNING amount;

\set VERBOSITY sqlstate
EXECUTE by_text('12.345');
EXECUTE by_text('1e1');
EXECUTE by_text('1e-3');
EXECUTE by_varchar('12,30');
EXECUTE by_numeric(12.345);
EXECUTE by_numeric('NaN');

-- An integer has no unit: cents and yuan look the same.  Named functions say which.
INSERT INTO money_casts VALUES (5);
INSERT INTO money_casts VALUES (5::int2);
INSERT INTO money_casts VALUES (5::int8);
INSERT INTO money_casts SELECT count(*) FROM money_casts;
SELECT 5::money_micro;
SELECT 5::int8::money_micro;
SELECT '5'::money_micro::int;
SELECT '5'::money_micro::int8;
SELECT coalesce('5'::money_micro, 0);
SELECT idem.from_major(5), idem.from_minor(5, 'CNY');

-- A float is not exact.
INSERT INTO money_casts VALUES (5::float8);
SELECT 0.1::float4::money_micro;
SELECT '5'::money_micro::float8;
SELECT '5'::money_micro::money;
DROP TABLE money_casts;

-- Comparison with numeric and whole numbers means the value, and is exact.
SELECT '100'::money_micro = 100 AS eq, '100'::money_micro > 99 AS gt, 100 >= '100'::money_micro AS ge,
       '100'::money_micro < 100.0000000000000000001 AS lt, '-100'::money_micro > -100.0000000000000000001 AS gt_minus,
       '100'::money_micro = '100'::int8 AS int8, 1e300 > '100'::money_micro AS huge, '100'::money_micro <> 'NaN'::numeric AS nan;
SELECT '100'::money_micro = 100::float8;

-- Every operator against numeric's own, at every pair of edges, either side; NaN is above all.
SELECT count(*) AS pairs,
       count(*) FILTER (WHERE (m < n) <> (m::numeric < n) OR (n < m) <> (n < m::numeric)) AS lt,
       count(*) FILTER (WHERE (m <= n) <> (m::numeric <= n) OR (n <= m) <> (n <= m::numeric)) AS le,
       count(*) FILTER (WHERE (m = n) <> (m::numeric = n) OR (n = m) <> (n = m::numeric)) AS eq,
       count(*) FILTER (WHERE (m <> n) <> (m::numeric <> n) OR (n <> m) <> (n <> m::numeric)) AS ne,
       count(*) FILTER (WHERE (m >= n) <> (m::numeric >= n) OR (n >= m) <> (n >= m::numeric)) AS ge,
       count(*) FILTER (WHERE (m > n) <> (m::numeric > n) OR (n > m) <> (n > m::numeric)) AS gt,
       count(*) FILTER (WHERE idem.money_micro_cmp_numeric(m, n) <> numeric_cmp(m::numeric, n)
                           OR idem.numeric_cmp_money_micro(n, m) <> numeric_cmp(n, m::numeric)) AS cmp
  FROM unnest('{0,0.000001,-0.000001,0.01,-0.01,1,-1,9999.9999,10000,-10000,99999999,2305843009213.69,
                2305843009213.693951,-2305843009213.693951}'::money_micro[]) AS m,
       LATERAL (SELECT m::numeric + d AS n
                  FROM unnest('{0,0.00000001,-0.00000001,0.000001,-0.000001,0.0000999,1e-30,-1e-30,0.0001,1,-1,1e8,-1e8,2e12,-2e12,
                                1e13,-1e13,1e16,-1e16,1e40,-1e40,NaN,Infinity,-Infinity}'::numeric[]) AS d) AS n;
SELECT count(*) AS pairs, count(*) FILTER (WHERE (m < n) <> (m::numeric < n)) AS lt,
       count(*) FILTER (WHERE (m = n) <> (m::numeric = n)) AS eq, count(*) FILTER (WHERE (n > m) <> (n > m::numeric)) AS gt
  FROM (SELECT setseed(0.42)) AS seed,
       LATERAL (SELECT idem.from_micro(((random() - 0.5) * 2 ^ (random() * 61))::int8) AS m,
                       round(((random() - 0.5) * 2 ^ (random() * 50))::numeric, (random() * 12)::int) AS n
                  FROM generate_series(1, 20000)) AS pair;

-- Stored numerics are packed; they are compared and converted where they lie.
CREATE TABLE money_packed (n numeric, wide numeric);
INSERT INTO money_packed SELECT i / 100.0, ('0.' || repeat('0', 5000) || '1')::numeric + i FROM generate_series(1, 200) AS i;
SELECT count(*) FILTER (WHERE n::money_micro = n), count(*) FILTER (WHERE wide > trunc(wide)::money_micro),
       count(*) FILTER (WHERE wide = trunc(wide)::money_micro), sum(n::money_micro)
  FROM money_packed;
DROP TABLE money_packed;

-- JSON: a bare number with all its digits, also inside rows and arrays; read back as text.
SELECT to_json('12.30'::money_micro), to_jsonb('-0.000001'::money_micro), json_build_object('amount', '2305843009213.693951'::money_micro),
       row_to_json(r), jsonb_agg(amount), '12.30'::money_micro::json AS json, '12.30'::money_micro::jsonb AS jsonb
  FROM (SELECT '12.30'::money_micro AS amount) AS r GROUP BY r, amount;
SELECT amount FROM json_to_record('{"amount": 2305843009213.693951}') AS r (amount money_micro);
SELECT (to_jsonb(r) ->> 'amount')::money_micro = r.amount AS same
  FROM (SELECT '2305843009213.693951'::money_micro AS amount) AS r;
SELECT amount FROM json_to_record('{"amount": 1.2345678}') AS r (amount money_micro);
SELECT amount FROM json_to_record('{"amount": 1.2E+3}') AS r (amount money_micro);
SELECT amount FROM jsonb_to_record('{"amount": 1e3}') AS r (amount money_micro);
