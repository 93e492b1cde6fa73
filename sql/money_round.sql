--
-- Rounding: never unasked, always by a rule that has a name
--
SELECT enum_range(NULL::idem.rounding_mode);

-- What each rule makes of what lies between two whole numbers, either side of zero.
SELECT n,
       idem.round(n, 0, 'half_even') AS half_even, idem.round(n, 0, 'half_up') AS half_up, idem.round(n, 0, 'half_down') AS half_down,
       idem.round(n, 0, 'up') AS up, idem.round(n, 0, 'down') AS down,
       idem.round(n, 0, 'ceiling') AS ceiling, idem.round(n, 0, 'floor') AS floor
  FROM unnest('{2,0.5,1.5,2.5,1.499999,1.500001,0.000001,-0.5,-1.5,-2.5,-1.499999,-1.500001,-0.000001}'::money_micro[]) AS n;

-- All digits of a number count: this is not a half.
SELECT idem.round(n, 2, 'half_even') AS half_even, idem.round(n, 2, 'half_up') AS half_up, idem.round(n, 2, 'half_down') AS half_down,
       idem.round(n, 2, 'up') AS up, idem.round(n, 2, 'ceiling') AS ceiling, idem.round(n, 2, 'floor') AS floor, n
  FROM unnest(ARRAY[0.005, 0.0050000000000000000000000000000000000001, 0.0049999999999999999999999999999999999999,
                    1e-40, -0.005, -0.0050000000000000000000000000000000000001, -0.0049999999999999999999999999999999999999]) AS n;

-- Every scale there is.
SELECT scale, idem.round('1.2345675'::numeric, scale, 'half_up') AS of_number, idem.round('-1.234567'::money_micro, scale, 'floor') AS of_amount
  FROM generate_series(0, 6) AS scale;

-- Percentages, prices, rates: the exact product is rounded once.
SELECT idem.multiply('19.99', 0.029, 2, 'half_up') AS fee, idem.multiply('0.01', 0.5, 2, 'half_even') AS half_a_cent,
       idem.multiply('100', 7.123456789, 6, 'half_even') AS exchanged, idem.multiply('-19.99', 0.029, 2, 'up') AS refund,
       idem.multiply('0.000001', 0.5, 6, 'half_up') AS smallest, idem.multiply('10', '1e-1000', 6, 'ceiling') AS tiny;
SELECT idem.divide('100', 3, 2, 'half_up') AS third, idem.divide('-100', 3, 2, 'half_up') AS minus, idem.divide('100', -3, 2, 'floor') AS by_minus,
       idem.divide('1', 7.123456789, 6, 'half_even') AS exchanged, idem.divide('0.000001', 2, 6, 'half_up') AS smallest,
       idem.divide('1', '1e1000', 6, 'up') AS tiny, idem.divide('0', 3, 2, 'up') AS zero;

-- The product may be far out of range where the result is not: nothing overflows too early.
SELECT idem.multiply('2305843009213.693951', 1, 6, 'unnecessary') AS one, idem.multiply('2305843009213.693951', 0.999999999999999999, 6, 'down') AS below_one,
       idem.multiply('0.000001', 2305843009213693951, 6, 'unnecessary') AS by_largest,
       idem.divide('2305843009213.693951', 2305843009213.693951, 6, 'unnecessary') AS by_itself,
       idem.divide('2305843009213.693951', 1e300, 6, 'up') AS by_huge, idem.divide('0.000001', '1e-12', 0, 'unnecessary') AS by_tiny;

-- The ends of the range: cut off towards zero is inside, away from zero is not.
SELECT idem.round('2305843009213.693951'::money_micro, 2, 'down') AS max, idem.round('-2305843009213.693951'::money_micro, 2, 'half_even') AS min,
       idem.round(2305843009213.6939514, 6, 'half_up') AS max_number, idem.round(-2305843009213.6939519, 6, 'down') AS min_number;

-- The messages.
SELECT idem.round('2.345'::money_micro, 2, 'unnecessary');
SELECT idem.round('2.345'::money_micro, 7, 'half_up');
SELECT idem.round('2.345'::money_micro, 2, 'half-up');
SELECT idem.multiply('1', 'NaN', 2, 'half_up');
SELECT idem.round(2305843009213.699, 2, 'half_up');

\set VERBOSITY sqlstate
SELECT idem.round('2305843009213.693951'::money_micro, 2, 'up');
SELECT idem.round('-2305843009213.693951'::money_micro, 0, 'floor');
SELECT idem.round(2305843009213.6939515, 6, 'half_even');
SELECT idem.round(-2305843009213.6939515, 6, 'half_up');
SELECT idem.round(1e131071, 6, 'down');
SELECT idem.round('Infinity'::numeric, 2, 'down');
SELECT idem.round('NaN'::numeric, 2, 'down');
SELECT idem.multiply('2305843009213.693951', 1.000001, 2, 'down');
SELECT idem.multiply('2305843009213.693951', 1e100, 2, 'down');
SELECT idem.multiply('-1', 'Infinity', 2, 'down');
SELECT idem.divide('2305843009213.693951', 0.999999, 2, 'down');
SELECT idem.divide('2305843009213.693951', 1e-100, 2, 'down');
SELECT idem.divide('1', 'Infinity', 2, 'down');
SELECT idem.divide('1', 'NaN', 2, 'down');
SELECT idem.divide('1', 0, 2, 'half_up');
SELECT idem.divide('0', 0.00000000000, 2, 'half_up');
SELECT idem.divide('100', 3, 6, 'unnecessary');
SELECT idem.multiply('0.000001', 0.1, 6, 'unnecessary');
SELECT idem.round('1'::money_micro, -1, 'down');
SELECT idem.multiply('1', 1, 7, 'down');
SELECT idem.divide('1', 1, -1, 'down');

-- There is no default: neither for the rule nor for the scale, and no float gets in.
SELECT idem.round('2.345'::money_micro, 2);
SELECT idem.round('2.345'::money_micro);
SELECT idem.multiply('2.345', 0.1, 2);
SELECT idem.multiply('2.345', 0.1::float8, 2, 'half_up');
SELECT idem.round(2.345::float8, 2, 'half_up');
\set VERBOSITY default

-- NULL in, NULL out.
SELECT idem.round(NULL::money_micro, 2, 'up'), idem.round('1'::money_micro, NULL, 'up'), idem.round('1'::money_micro, 2, NULL),
       idem.multiply('1', NULL, 2, 'up'), idem.divide(NULL, 0, 2, 'up');

-- A rule may come from a column; in a generated column it stands for good.
CREATE TABLE money_rounded (
    amount money_micro, mode idem.rounding_mode,
    fee money_micro(2) GENERATED ALWAYS AS (idem.multiply(amount, 0.006, 2, 'half_up')) STORED
);
INSERT INTO money_rounded VALUES ('2.50', 'half_even'), ('2.50', 'half_up'), ('2.50', 'floor'), ('2.50', 'half_even'), ('99.99', NULL);
SELECT *, idem.round(amount, 0, mode) FROM money_rounded;

-- Against numeric, with every rule written out another way: 5000 numbers, 5000 products, 5000 quotients.
CREATE FUNCTION pg_temp.rounded(n numeric, scale int, mode text) RETURNS numeric
    LANGUAGE sql AS $$
    SELECT CASE mode
        WHEN 'up' THEN sign(n) * ceil(abs(n) * 10.0 ^ scale)
        WHEN 'down' THEN trunc(n * 10.0 ^ scale)
        WHEN 'ceiling' THEN ceil(n * 10.0 ^ scale)
        WHEN 'floor' THEN floor(n * 10.0 ^ scale)
        WHEN 'half_up' THEN sign(n) * floor(abs(n) * 10.0 ^ scale + 0.5)
        WHEN 'half_down' THEN sign(n) * ceil(abs(n) * 10.0 ^ scale - 0.5)
        WHEN 'half_even' THEN CASE WHEN mod(abs(n) * 10.0 ^ scale, 2) = 0.5 THEN trunc(n * 10.0 ^ scale) ELSE round(n * 10.0 ^ scale) END
        END / 10.0 ^ scale
    $$;
CREATE TABLE money_numbers (a numeric, b numeric, scale int, mode text);
INSERT INTO money_numbers
    SELECT round(((random() - 0.5) * 2 ^ (random() * 38))::numeric, least((random() * 9)::int, 6)),
           round(((random() - 0.5) * 2 ^ (random() * 20))::numeric, (random() * 10)::int),
           (random() * 6)::int, modes[1 + (random() * 6)::int]
      FROM (SELECT setseed(0.43)) AS seed, (SELECT '{half_even,half_up,half_down,up,down,ceiling,floor}'::text[] AS modes) AS m,
           generate_series(1, 5000);
SELECT count(*), count(DISTINCT mode) AS modes,
       count(*) FILTER (WHERE idem.round(b, scale, mode::idem.rounding_mode) <> pg_temp.rounded(b, scale, mode)) AS number,
       count(*) FILTER (WHERE idem.round(a::money_micro, scale, mode::idem.rounding_mode) <> pg_temp.rounded(a, scale, mode)) AS amount,
       count(*) FILTER (WHERE idem.multiply(a::money_micro, b, scale, mode::idem.rounding_mode) <> pg_temp.rounded(a * b, scale, mode)) AS product
  FROM money_numbers WHERE abs(a * b) < 2e12;
-- A quotient q of a and b is right if no other number of that scale obeys the rule: it is compared multiplied out.
SELECT count(*),
       count(*) FILTER (WHERE abs(q * b - a) >= abs(b) * unit) AS too_far,
       count(*) FILTER (WHERE mode LIKE 'half%' AND abs(q * b - a) * 2 > abs(b) * unit) AS not_nearest,
       count(*) FILTER (WHERE mode = 'floor' AND q > a / b AND q * abs(b) > a * sign(b)) AS above_floor,
       count(*) FILTER (WHERE mode = 'ceiling' AND q * abs(b) < a * sign(b)) AS below_ceiling,
       count(*) FILTER (WHERE mode = 'up' AND abs(q * b) < abs(a)) AS not_up,
       count(*) FILTER (WHERE mode = 'down' AND abs(q * b) > abs(a)) AS not_down
  FROM (SELECT *, idem.divide(a::money_micro, b, scale, mode::idem.rounding_mode)::numeric AS q, 10.0 ^ -scale AS unit
          FROM money_numbers WHERE b <> 0 AND abs(a / nullif(b, 0)) < 2e12) AS s;
DROP TABLE money_rounded, money_numbers;

-- A mode is known by its name, and one that somebody renamed is none.
BEGIN;
ALTER TYPE idem.rounding_mode RENAME VALUE 'half_even' TO 'bankers';
SELECT idem.round('0.125'::money_micro, 2, 'bankers');
ROLLBACK;
