-- Every operation on amounts against numeric, pair by pair.
--
--	psql -v pairs=1000000 -v seed=0.5 -f money.sql
--
-- Half of the numbers are of random magnitude, half stand at an edge: zero, the
-- ends of the range, whole units, halves.  One row an operation comes out: how
-- many pairs have a result (inside), how many have to be refused with 22003
-- (outside), and how many of both went wrong, which has to be none.  The same
-- seed makes the same pairs.

\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET jit = off;
SET synchronous_commit = off;
CREATE SCHEMA property;
SET search_path = property;

SELECT setseed(:seed) \g /dev/null

-- A count of millionths, within the range, from three numbers between 0 and 1: of what kind, its sign
-- and its magnitude.
CREATE FUNCTION some_micros(kind float8, sign float8, magnitude float8) RETURNS int8
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN kind < 0.5 THEN ((sign - 0.5) * 2 ^ (magnitude * 61))::int8
                WHEN kind < 0.6 THEN ('{0,1,-1,999999,-999999,1000000,-1000000,500000,2305843009213693951,-2305843009213693951,
                     2305843009213693950,-2305843009213693950,1152921504606846976,-1152921504606846975}'::int8[])[1 + floor(magnitude * 14)::int]
                WHEN kind < 0.8 THEN ((sign - 0.5) * 2 ^ (magnitude * 42))::int8 * 1000000
                WHEN kind < 0.9 THEN ((sign - 0.5) * 2 ^ (magnitude * 42))::int8 * 500000
                ELSE ((sign - 0.5) * 2 ^ (magnitude * 20))::int8 END
    $$;

-- a and b amounts, also as numerics (na, nb) and counts of millionths; n a number with more decimals
-- than an amount has; c a count of things; s a scale, m a rounding mode.
CREATE UNLOGGED TABLE pair AS
    SELECT i, x, y, idem.from_micro(x) AS a, idem.from_micro(y) AS b, x * 0.000001 AS na, y * 0.000001 AS nb,
           round(((random() - 0.5) * 2 ^ (random() * 44 - 4))::numeric, (random() * 12)::int) AS n,
           CASE WHEN i % 3 = 0 THEN y ELSE (random() * 2 ^ (random() * 20))::int8 - 5 END AS c,
           (random() * 6)::int AS s, modes[1 + floor(random() * 7)::int] AS m
      FROM (SELECT i, some_micros(xk, xs, xm) AS x, some_micros(yk, ys, ym) AS y
              FROM (SELECT i, random() AS xk, random() AS xs, random() AS xm, random() AS yk, random() AS ys, random() AS ym
                      FROM generate_series(1, :pairs) AS i) AS r) AS p,
           (SELECT enum_range(NULL::idem.rounding_mode) AS modes) AS modes;

CREATE TABLE result (operation text, inside int8, outside int8, wrong int8);

CREATE FUNCTION in_range(n numeric) RETURNS bool
    LANGUAGE sql IMMUTABLE AS 'SELECT abs(n) <= 2305843009213.693951';

-- Compares got with expected where the result is inside; where it is not, got has to be refused.
CREATE PROCEDURE compare(operation text, got text, expected text, inside text DEFAULT 'true', asked text DEFAULT 'true')
    LANGUAGE plpgsql AS $$
DECLARE
    refused_wrongly int8 := 0;
    counts result;
    accepted int8 := 0;
BEGIN
    EXECUTE format('SELECT %L, count(*) FILTER (WHERE inside), count(*) FILTER (WHERE NOT inside),
                           count(*) FILTER (WHERE CASE WHEN inside THEN (%s) IS DISTINCT FROM (%s) END)
                      FROM (SELECT *, (%s) AS inside FROM property.pair WHERE %s OFFSET 0) AS p',
                   operation, got, expected, inside, asked) INTO counts;
    IF counts.outside > 0 THEN
        EXECUTE format('CREATE FUNCTION property.accept_outside() RETURNS int8 LANGUAGE plpgsql AS %L', format('
            DECLARE
                p record;
                unused text;
                accepted int8 := 0;
            BEGIN
                FOR p IN SELECT * FROM property.pair WHERE (%2$s) AND NOT (%3$s) LOOP
                    BEGIN
                        unused := %1$s;
                        accepted := accepted + 1;
                    EXCEPTION WHEN numeric_value_out_of_range THEN
                        NULL;
                    END;
                END LOOP;
                RETURN accepted;
            END',
            regexp_replace(got, '\m(a|b|x|y|na|nb|n|c|s|m)\M(?!\()', 'p.\1', 'g'), asked, inside));
        SELECT property.accept_outside() INTO accepted;
        DROP FUNCTION property.accept_outside();
    END IF;
    counts.wrong := counts.wrong + accepted;
    INSERT INTO property.result SELECT counts.*;
END $$;

-- Text, numeric, JSON and back.
CALL compare('text out', 'a::text::numeric', 'na');
CALL compare('text in', 'na::text::pg_catalog.money_micro', 'a');
CALL compare('text in, more decimals or too large', 'n::text::pg_catalog.money_micro::numeric', 'n', 'n = round(n, 6) AND in_range(n)');
CALL compare('text in, e+', $$((na * ('1e-' || s)::numeric)::text || 'e+' || s)::pg_catalog.money_micro$$, 'a');
CALL compare('text in, E-', $$(x::text || 'E-6')::pg_catalog.money_micro$$, 'a');
CALL compare('text in, e-, more decimals or too large', $$((n * ('1e' || s)::numeric)::text || 'e-' || s)::pg_catalog.money_micro::numeric$$, 'n', 'n = round(n, 6) AND in_range(n)');
CALL compare('text in, e of any size', $$(y::text || 'e' || c % 20)::pg_catalog.money_micro::numeric$$, $$(y::text || 'e' || c % 20)::numeric$$,
             $$in_range((y::text || 'e' || c % 20)::numeric) AND (y::text || 'e' || c % 20)::numeric = round((y::text || 'e' || c % 20)::numeric, 6)$$);
CALL compare('form of text', $$a::text ~ '^-?(0|[1-9][0-9]*)[.][0-9]{2}([0-9]{0,3}[1-9])?$' AND a::text <> '-0.00'$$, 'true');
CALL compare('to numeric', 'a::numeric', 'na');
CALL compare('from numeric', 'n::pg_catalog.money_micro::numeric', 'n', 'n = round(n, 6)');
CALL compare('to json', 'a::jsonb::numeric', 'na');
CALL compare('decimals', 'a::pg_catalog.money_micro(2)::numeric', 'na', 'na = round(na, 2)');
CALL compare('to and from micro', 'idem.to_micro(idem.from_micro(x))', 'x');
CALL compare('from major', 'idem.from_major(y)::numeric', 'y', 'in_range(y)');
CALL compare('from scaled', 'idem.from_scaled(y, s)::numeric', 'y / 10.0 ^ s', 'in_range(y / 10.0 ^ s)');
CALL compare('from minor', $$idem.from_minor(y::text, 'CNY')::numeric$$, 'y * 0.01', 'in_range(y * 0.01)');
CALL compare('to minor', $$idem.to_minor(a, 'KWD')$$, 'na * 1000', 'na = round(na, 3)');

-- Comparison, with amounts and with numbers from either side.
CALL compare('=, <>, <, <=, >=, >', 'ROW(a = b, a <> b, a < b, a <= b, a >= b, a > b)', 'ROW(x = y, x <> y, x < y, x <= y, x >= y, x > y)');
CALL compare('= <> < <= >= > numeric', 'ROW(a = n, a <> n, a < n, a <= n, a >= n, a > n)', 'ROW(na = n, na <> n, na < n, na <= n, na >= n, na > n)');
CALL compare('numeric = <> < <= >= >', 'ROW(n = b, n <> b, n < b, n <= b, n >= b, n > b)', 'ROW(n = nb, n <> nb, n < nb, n <= nb, n >= nb, n > nb)');
CALL compare('order beside a numeric', 'ROW(a < nb, a = nb, nb > a)', 'ROW(x < y, x = y, x < y)');
CALL compare('hash', 'idem.money_micro_hash(a)', 'hashint8(x)');

-- Arithmetic.
CALL compare('+', '(a + b)::numeric', 'na + nb', 'in_range(na + nb)');
CALL compare('-', '(a - b)::numeric', 'na - nb', 'in_range(na - nb)');
CALL compare('+ numeric', '(a + nb)::numeric', 'na + nb', 'in_range(na + nb)');
CALL compare('numeric +', '(na + b)::numeric', 'na + nb', 'in_range(na + nb)');
CALL compare('- numeric', '(a - nb)::numeric', 'na - nb', 'in_range(na - nb)');
CALL compare('numeric -', '(na - b)::numeric', 'na - nb', 'in_range(na - nb)');
CALL compare('+ numeric that may be no amount', '(a + n)::numeric', 'na + n', 'n = round(n, 6) AND in_range(n) AND in_range(na + n)');
CALL compare('numeric that may be no amount -', '(n - b)::numeric', 'n - nb', 'n = round(n, 6) AND in_range(n) AND in_range(n - nb)');
CALL compare('* bigint', '(a * c)::numeric', 'na * c', 'in_range(na * c)');
CALL compare('bigint *', '(c * b)::numeric', 'nb * c', 'in_range(nb * c)');
CALL compare('/ bigint', '(a / c)::numeric', 'na / c', 'x % c = 0', 'c <> 0');
CALL compare('/', 'a / b', 'na / nb', 'true', 'y <> 0');
CALL compare('%', '(a % b)::numeric', 'na % nb', 'true', 'y <> 0');
CALL compare('unary + -, abs, @', 'ROW((+ a)::numeric, (- a)::numeric, abs(a)::numeric, (@ a)::numeric)', 'ROW(na, - na, abs(na), abs(na))');

-- Rounding: the rules, written another way.
CREATE FUNCTION rounded(n numeric, s int, m idem.rounding_mode) RETURNS numeric
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE m
        WHEN 'up' THEN sign(n) * ceil(abs(n) * 10.0 ^ s)
        WHEN 'down' THEN trunc(n * 10.0 ^ s)
        WHEN 'ceiling' THEN ceil(n * 10.0 ^ s)
        WHEN 'floor' THEN floor(n * 10.0 ^ s)
        WHEN 'half_up' THEN sign(n) * floor(abs(n) * 10.0 ^ s + 0.5)
        WHEN 'half_down' THEN sign(n) * ceil(abs(n) * 10.0 ^ s - 0.5)
        WHEN 'half_even' THEN CASE WHEN mod(abs(n) * 10.0 ^ s, 2) = 0.5 THEN trunc(n * 10.0 ^ s) ELSE round(n * 10.0 ^ s) END
        END / 10.0 ^ s
    $$;
-- Whether q is above / below rounded to s decimals, without a division that would have to round.
CREATE FUNCTION is_rounded(q numeric, above numeric, below numeric, s int, m idem.rounding_mode) RETURNS bool
    LANGUAGE sql IMMUTABLE AS $$
    SELECT q = round(q, s) AND abs(far) < abs(below)
           AND CASE m
               WHEN 'up' THEN abs(q * below) >= abs(above)
               WHEN 'down' THEN abs(q * below) <= abs(above)
               WHEN 'ceiling' THEN q * abs(below) >= above * sign(below)
               WHEN 'floor' THEN q * abs(below) <= above * sign(below)
               ELSE abs(far) * 2 < abs(below) OR
                    abs(far) * 2 = abs(below) AND CASE m
                        WHEN 'half_up' THEN abs(q * below) > abs(above)
                        WHEN 'half_down' THEN abs(q * below) < abs(above)
                        ELSE mod(q * 10.0 ^ s, 2) = 0 END
               END
      FROM (SELECT (q * below - above) * 10.0 ^ s AS far) AS f
    $$;
CALL compare('round an amount', 'idem.round(a, s, m)::numeric', 'rounded(na, s, m)', 'in_range(rounded(na, s, m))');
CALL compare('round a number', 'idem.round(n, s, m)::numeric', 'rounded(n, s, m)', 'in_range(rounded(n, s, m))');
CALL compare('multiply', 'idem.multiply(a, n, s, m)::numeric', 'rounded(na * n, s, m)', 'in_range(rounded(na * n, s, m))');
CALL compare('multiply by an amount''s number', 'idem.multiply(a, nb, s, m)::numeric', 'rounded(na * nb, s, m)', 'in_range(rounded(na * nb, s, m))');
-- near the end of the range the quotient may be rounded to either side of it
CALL compare('divide', 'is_rounded(idem.divide(a, n, s, m)::numeric, na, n, s, m)', 'true', 'abs(na) < abs(n) * 2305843009213',
             'n <> 0 AND (abs(na) < abs(n) * 2305843009213 OR abs(na) > abs(n) * 2305843009214)');
CALL compare('divide by an amount''s number', 'is_rounded(idem.divide(a, nb, s, m)::numeric, na, nb, s, m)', 'true', 'abs(na) < abs(nb) * 2305843009213',
             'y <> 0 AND (abs(na) < abs(nb) * 2305843009213 OR abs(na) > abs(nb) * 2305843009214)');
CALL compare('unnecessary', $$idem.round(a, s, 'unnecessary')::numeric$$, 'na', 'na = round(na, s)');

-- Splitting: the parts add up; two parts by weight are the exact ones, cut off or one unit more.
CALL compare('allocate adds up', '(idem.allocate(a, ARRAY[abs(nb), abs(n), 1], 6))[1] + (idem.allocate(a, ARRAY[abs(nb), abs(n), 1], 6))[2] + (idem.allocate(a, ARRAY[abs(nb), abs(n), 1], 6))[3]', 'a');
CALL compare('allocate is near', 'abs((idem.allocate(a, ARRAY[abs(nb), abs(n) + 1], 6))[1]::numeric * (abs(nb) + abs(n) + 1) - na * abs(nb)) < (abs(nb) + abs(n) + 1) * 0.000001', 'true');
CALL compare('allocate mirrors', '(idem.allocate(- a, ARRAY[abs(nb), abs(n), 1], 6))[2]', '- (idem.allocate(a, ARRAY[abs(nb), abs(n), 1], 6))[2]');
CALL compare('split', '(SELECT ROW(sum(p), count(*), (max(p) - min(p))::numeric <= 0.000001) FROM unnest(idem.split(a, 1 + i % 5, 6)) AS p)',
             'ROW(a, 1 + i % 5::int8, true)');

-- Sums: of everything whose sum fits, whatever the order; of frames, also of amounts whose sums do not fit in between.
INSERT INTO result SELECT 'sum in three orders', count(*), 0,
       (sum(a ORDER BY i)::numeric <> sum(na))::int + (sum(a ORDER BY x DESC)::numeric <> sum(na))::int + (sum(a ORDER BY x)::numeric <> sum(na))::int
       + (idem.sum(a, 'EUR' ORDER BY x DESC)::numeric <> sum(na))::int
  FROM (SELECT i, x, a, na FROM pair WHERE abs(x) < 1000000000000 UNION ALL
        SELECT 0, x, idem.from_micro(x), x * 0.000001 FROM unnest('{2305843009213693951,2305843009213693951,2305843009213693951,
            -2305843009213693951,-2305843009213693951,-2305843009213693951}'::int8[]) AS x) AS p;
INSERT INTO result SELECT 'avg', count(*), 0, (abs(avg(a) * count(*) - sum(na)) > count(*) * 1e-12)::int FROM pair;
INSERT INTO result SELECT 'avg of pairs', count(*), 0, count(*) FILTER (WHERE got <> (na + nb) * 0.5)
  FROM pair, LATERAL (SELECT avg(v) AS got FROM (VALUES (a), (b)) AS v (v)) AS s;
INSERT INTO result SELECT 'sum, avg, min, max of groups', count(*), 0,
       count(*) FILTER (WHERE s <> ns OR abs(av * c - ns) > c * 1e-12 OR mi <> nmi OR ma <> nma)
  FROM (SELECT sum(a)::numeric AS s, sum(na) AS ns, avg(a) AS av, count(*) AS c, min(a) AS mi, min(na) AS nmi, max(a) AS ma, max(na) AS nma
          FROM pair WHERE abs(x) < 100000000000000000 GROUP BY i / 5) AS g;
INSERT INTO result SELECT 'moving sum and avg', count(*), 0, count(*) FILTER (WHERE s IS DISTINCT FROM ns OR abs(av * c - ns) > c * 1e-12)
  FROM (SELECT (sum(a) OVER w)::numeric AS s, sum(na) OVER w AS ns, avg(a) OVER w AS av, count(a) OVER w AS c FROM pair
         WHERE abs(x) < 100000000000000000
        WINDOW w AS (ORDER BY i ROWS BETWEEN 10 PRECEDING AND CURRENT ROW)) AS m;
INSERT INTO result SELECT 'order of a sort', count(*), 0, count(*) FILTER (WHERE x < before)
  FROM (SELECT x, lag(x) OVER (ORDER BY a) AS before FROM pair) AS s;
INSERT INTO result SELECT 'ranges', count(*), 0,
       count(*) FILTER (WHERE (money_micro_range(least(a, b), greatest(a, b)) @> idem.from_micro(z)) <> (z >= least(x, y) AND z < greatest(x, y)))
  FROM (SELECT *, (x + y) / 2 AS z FROM pair) AS p;

SELECT operation, inside, outside, wrong FROM result;
DROP SCHEMA property CASCADE;
