--
-- Arithmetic with amounts: exact, or refused
--
SELECT '0.1'::money_micro + '0.2' AS sum, '0.3'::money_micro - '0.1' AS difference, - '0.3'::money_micro AS minus,
       + '0.3'::money_micro AS plus, @ '-0.3'::money_micro AS at, abs('-0.3'::money_micro) AS abs;

-- Times and divided by whole numbers of any size of integer.
SELECT '19.99'::money_micro * 3 AS int4, '19.99'::money_micro * 3::int2 AS int2, 3::int8 * '19.99'::money_micro AS int8,
       3 * '19.99'::money_micro AS left, '19.99'::money_micro * '3' AS untyped, -1 * '19.99'::money_micro AS minus;
SELECT '10'::money_micro / 4 AS quarter, '10'::money_micro / -4 AS minus, '0.000002'::money_micro / 2 AS smallest,
       '-10'::money_micro / 8::int2 AS int2;

-- An amount by an amount is a ratio without unit, and an untyped literal is an amount.
SELECT '10'::money_micro / '4'::money_micro AS ratio, pg_typeof('10'::money_micro / '4'::money_micro),
       pg_typeof('10'::money_micro / '4') AS untyped, '2305843009213.693951'::money_micro / '0.000001'::money_micro AS largest;
-- As many decimals as numeric gives, however large the ratio (first day 5).
SELECT a / b AS ratio, a / b = a::numeric / b::numeric AS same
  FROM (VALUES ('2305843009213.693951'::money_micro, '0.000003'::money_micro), ('1234567890123.456789', '-0.000007'), ('100000', '0.000003'), ('1', '3'),
               ('0.000001', '2305843009213.693951'), ('0', '7')) AS v (a, b);
SELECT '10'::money_micro % '3' AS rest, '-10'::money_micro % '3' AS minus, '10'::money_micro % '-3' AS by_minus,
       '-2305843009213.693951'::money_micro % '-0.000001' AS smallest;

-- A numeric is an amount in whole units, as drivers bind a decimal: added and subtracted exactly (first day 10).
SELECT '10'::money_micro + 1.5 AS plus, '10'::money_micro - 0.000001 AS minus, 1.5 + '10'::money_micro AS left, 1.5 - '10'::money_micro AS left_minus,
       '10'::money_micro + 1.5000000000 AS padded, pg_typeof('10'::money_micro + 1.5), '2305843009213'::money_micro + 0.693951 AS largest,
       -0.693951 - '2305843009213'::money_micro AS smallest, '10'::money_micro - NULL::numeric AS nothing;
SELECT '10'::money_micro + 0.0000001;
-- What has no type is an amount as before, a parameter, too; whole numbers multiply and divide.
SELECT '10'::money_micro + '1' AS untyped, '1' - '10'::money_micro AS left, '10'::money_micro + NULL AS nothing, '10'::money_micro * 2 AS twice,
       '10'::money_micro / 4 AS quarter, + '10'::money_micro - '1' AS unary;
PREPARE plus AS SELECT '10'::money_micro + $1, $2 - '10'::money_micro;
SELECT parameter_types FROM pg_prepared_statements WHERE name = 'plus';
EXECUTE plus('1', '1');
DEALLOCATE plus;
SELECT coalesce(sum(amount), '0') AS none, sum(amount) + 1.5 AS no_sum, sum(amount) / count(*) AS average
  FROM (SELECT '10'::money_micro WHERE false) AS v (amount);
SELECT coalesce(sum(amount), '0') AS some, sum(amount) + 1.5 AS and_numeric, sum(amount) / count(*) AS average, sum(amount) FILTER (WHERE amount > 15) AS compared,
       sum(amount) FILTER (WHERE amount BETWEEN 10 AND 10.5) AS between, max(amount) - min(amount) AS spread
  FROM (VALUES ('10'::money_micro), ('20')) AS v (amount);
-- The amounts of a domain, and integers of one.
CREATE DOMAIN money_price AS money_micro;
CREATE DOMAIN money_decimal AS numeric;
CREATE DOMAIN money_fen AS int8;
SELECT '10'::money_price + 1.5 AS domain, '10'::money_price - '1' AS untyped, '10'::money_micro + 1.5::money_decimal AS decimal, '10'::money_price * 2 AS twice;
SELECT '10'::money_price + 100;
SELECT '10'::money_micro - 100::money_fen;
DROP DOMAIN money_price, money_decimal, money_fen;

-- The end of the range is reached from both sides.
SELECT '2305843009213.693950'::money_micro + '0.000001' AS max, '-2305843009213.693950'::money_micro - '0.000001' AS min,
       - '-2305843009213.693951'::money_micro AS minus_min, abs('-2305843009213.693951'::money_micro) AS abs_min,
       '-2305843009213.693951'::money_micro / -1 AS min_by_minus, '-2305843009213.693951'::money_micro * -1 AS min_times_minus,
       '0.000001'::money_micro * 2305843009213693951 AS largest_factor;

-- The messages.
SELECT '2305843009213.693951'::money_micro + '0.000001';
SELECT '10'::money_micro / 3;
SELECT '10'::money_micro / 0;

\set VERBOSITY sqlstate

SELECT '2305843009213.693951'::money_micro + '2305843009213.693951';
SELECT '-2305843009213.693951'::money_micro + '-0.000001';
SELECT '-2305843009213.693951'::money_micro + '-2305843009213.693951';
SELECT '2305843009213.693951'::money_micro - '-0.000001';
SELECT '-2305843009213.693951'::money_micro - '0.000001';
SELECT '-2305843009213.693951'::money_micro - '2305843009213.693951';
SELECT '2305843009213.693951'::money_micro + 0.000001;
SELECT -0.000001 - '2305843009213.693951'::money_micro;
SELECT '-1'::money_micro + 2305843009213.693952;
SELECT 'NaN'::numeric + '1'::money_micro;
SELECT '1'::money_micro - 'Infinity'::numeric;
SELECT '1'::money_micro - 1.0000001;
SELECT 1e30 - '1'::money_micro;
SELECT '1152921504606.846976'::money_micro * 2;
SELECT '-1152921504606.846976'::money_micro * 2;
SELECT 2 * '-1152921504606.846976'::money_micro;
SELECT '0.000001'::money_micro * 9223372036854775807;
SELECT '-0.000001'::money_micro * (-9223372036854775808);
SELECT '2305843009213.693951'::money_micro * 9223372036854775807;
SELECT (-9223372036854775808) * '2305843009213.693951'::money_micro;
SELECT '0.000001'::money_micro / 2;
SELECT '10'::money_micro / 9223372036854775807;
SELECT '10'::money_micro / (-9223372036854775808);
SELECT '0'::money_micro / 0;
SELECT '10'::money_micro / '0'::money_micro;
SELECT '10'::money_micro % '0'::money_micro;

-- No operator takes a fraction: rounding would be needed.
SELECT '10'::money_micro * 1.5;
SELECT '10'::money_micro * 1.5::float8;
SELECT '10'::money_micro / 1.5;
SELECT '10'::money_micro + 1;
SELECT '10'::money_micro + 1.5::float8;
SELECT '10'::money_micro * '2'::money_micro;
SELECT 10 / '2'::money_micro;

--
-- sum: only the result has to fit, in whatever order the rows come
--
CREATE TABLE money_rows (n int, amount money_micro);
INSERT INTO money_rows VALUES
    (1, '2305843009213.693951'), (2, '2305843009213.693951'), (3, '-2305843009213.693951'), (4, NULL);
SELECT sum(amount), sum(amount ORDER BY n DESC) AS backwards, count(amount), min(amount), max(amount) FROM money_rows;
SELECT sum(amount) FROM money_rows WHERE n < 3;
SELECT sum(-amount) FROM money_rows WHERE n < 3;
SELECT sum(amount), min(amount), max(amount), avg(amount) FROM money_rows WHERE n > 3;
SELECT sum(amount), avg(amount) FROM money_rows WHERE false;
SELECT avg(amount) AS of_max FROM money_rows WHERE n < 3;

-- avg: exact where the decimals end, at least two of them; otherwise 12 or more, rounded
SELECT t AS amounts, avg(a::money_micro), pg_typeof(avg(a::money_micro))
  FROM unnest('{10 20,0.01 0.02,0.000001 0.000002,1 0 0,-1 0 0,2 0 0,1 2 4,2305843009213.693951 0 0,0.000001 0 0 0 0 0 0 0}'::text[]) AS t,
       string_to_table(t, ' ') AS a
 GROUP BY t ORDER BY t COLLATE "C";
SELECT avg(CASE n WHEN 1 THEN '0.000001' ELSE '0' END::money_micro) AS one_of_65536 FROM generate_series(1, 65536) AS n;
SELECT avg(CASE n WHEN 1 THEN '9.000001' ELSE '0' END::money_micro) AS all_of_22_decimals FROM generate_series(1, 65536) AS n;
SELECT avg(CASE n WHEN 1 THEN '1' ELSE '0' END::money_micro) AS one_of_70000 FROM generate_series(1, 70000) AS n;

-- Window frames: rows leave the sum again, and leave nothing behind.
TRUNCATE money_rows;
INSERT INTO money_rows VALUES
    (1, '2305843009213.693951'), (2, '-2305843009213.693951'), (3, '0.10'), (4, NULL), (5, NULL), (6, '0.20'), (7, '0.40');
SELECT n, amount, sum(amount) OVER w, avg(amount) OVER w, min(amount) OVER w, max(amount) OVER w
  FROM money_rows WINDOW w AS (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW);
SELECT n, amount, sum(amount) OVER (ORDER BY amount RANGE BETWEEN '0.10' PRECEDING AND '0.20' FOLLOWING) AS near
  FROM money_rows WHERE n BETWEEN 3 AND 7;
DROP TABLE money_rows;

--
-- Against numeric: 20000 pairs, the same each time, of all magnitudes
--
CREATE TABLE money_pairs AS
    SELECT a, b, a * 0.000001 AS na, b * 0.000001 AS nb
      FROM (SELECT setseed(0.42)) AS seed,
           LATERAL (SELECT ((random() - 0.5) * 2 ^ (random() * 61))::int8 AS a,
                           ((random() - 0.5) * 2 ^ (random() * 61))::int8 AS b
                      FROM generate_series(1, 20000)) AS pair
    UNION ALL
    SELECT a, b, a * 0.000001, b * 0.000001
      FROM unnest('{0,1,-1,999999,1000000,-1000000,2305843009213693950,2305843009213693951,-2305843009213693951}'::int8[]) AS a,
           unnest('{0,1,-1,999999,1000000,-1000000,2305843009213693950,2305843009213693951,-2305843009213693951}'::int8[]) AS b;
ALTER TABLE money_pairs ADD ma money_micro, ADD mb money_micro;
UPDATE money_pairs SET ma = na, mb = nb;

CREATE FUNCTION pg_temp.attempt(command text) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE command INTO result;
    RETURN result;
EXCEPTION WHEN numeric_value_out_of_range THEN
    RETURN SQLSTATE;
END $$;

-- Text and numeric say the same; every column counts disagreements.
SELECT count(*) AS pairs,
       count(*) FILTER (WHERE ma::text::numeric <> na) AS text,
       count(*) FILTER (WHERE ma::numeric <> na) AS "numeric",
       count(*) FILTER (WHERE idem.to_micro(ma) <> a) AS micro,
       count(*) FILTER (WHERE ma::text::money_micro <> ma) AS round_trip,
       count(*) FILTER (WHERE ma::text !~ '^-?(0|[1-9][0-9]*)\.[0-9]{2}([0-9]{0,3}[1-9])?$') AS form
  FROM money_pairs;
SELECT count(*) FILTER (WHERE (ma < mb) <> (a < b)) AS lt, count(*) FILTER (WHERE (ma <= mb) <> (a <= b)) AS le,
       count(*) FILTER (WHERE (ma = mb) <> (a = b)) AS eq, count(*) FILTER (WHERE (ma <> mb) <> (a <> b)) AS ne,
       count(*) FILTER (WHERE (ma >= mb) <> (a >= b)) AS ge, count(*) FILTER (WHERE (ma > mb) <> (a > b)) AS gt,
       count(*) FILTER (WHERE abs(ma)::numeric <> abs(na)) AS abs, count(*) FILTER (WHERE (- ma)::numeric <> - na) AS minus,
       count(*) FILTER (WHERE b <> 0 AND (ma % CASE WHEN b <> 0 THEN mb ELSE '1' END)::numeric <> na % nullif(nb, 0)) AS rest,
       count(*) FILTER (WHERE b <> 0 AND ma / CASE WHEN b <> 0 THEN mb ELSE '1' END <> na / nullif(nb, 0)) AS ratio
  FROM money_pairs;

-- Sums and products: the same number, or 22003 exactly where it is out of range.
SELECT count(*) FILTER (WHERE abs(exact) <= 2305843009213.693951) AS inside,
       count(*) FILTER (WHERE abs(exact) > 2305843009213.693951) AS outside,
       count(*) FILTER (WHERE result IS DISTINCT FROM
           CASE WHEN abs(exact) > 2305843009213.693951 THEN '22003' ELSE exact::numeric(20, 6)::text END) AS wrong
  FROM (SELECT na + nb AS exact, pg_temp.attempt(format('SELECT (%L::money_micro + %L)::numeric', ma, mb)) AS result
          FROM money_pairs WHERE a % 5 = 0 OR abs(a) > 2e18) AS s;
SELECT count(*) FILTER (WHERE abs(exact) <= 2305843009213.693951) AS inside,
       count(*) FILTER (WHERE abs(exact) > 2305843009213.693951) AS outside,
       count(*) FILTER (WHERE result IS DISTINCT FROM
           CASE WHEN abs(exact) > 2305843009213.693951 THEN '22003' ELSE exact::numeric(20, 6)::text END) AS wrong
  FROM (SELECT na * b AS exact, pg_temp.attempt(format('SELECT (%L::money_micro * %L::int8)::numeric', ma, b)) AS result
          FROM money_pairs WHERE a % 5 = 0 OR abs(a) > 2e18) AS s;
SELECT sum(ma)::numeric - sum(na) AS sum, avg(ma) - avg(na) AS avg FROM money_pairs WHERE abs(a) < 1e14;
SELECT count(*) FILTER (WHERE sums IS DISTINCT FROM sum_of_numeric) AS wrong
  FROM (SELECT sum(ma) OVER w AS sums, sum(na) OVER w AS sum_of_numeric
          FROM money_pairs WHERE abs(a) < 1e14 WINDOW w AS (ORDER BY a, b ROWS BETWEEN 20 PRECEDING AND CURRENT ROW)) AS w;
DROP TABLE money_pairs;
