--
-- Splitting an amount: the parts add up to it, to the last millionth
--
SELECT idem.allocate('100.00', '{1,1,1}', 2) AS thirds, idem.allocate('0.05', '{3,7}', 2) AS three_seven,
       idem.allocate('-100.00', '{1,1,1}', 2) AS refund, idem.allocate('100', ARRAY[0.5, 0.3, 0.2], 2) AS shares,
       idem.allocate('10', '{1,1,1}', 6) AS finest, idem.allocate('10', '{1,1,1}', 0) AS whole, idem.allocate('7.77', '{5}', 2) AS one;

-- What is left over goes to the largest remainders, of equal ones to the first.
SELECT idem.allocate('1.00', '{1,2,3,4,5}', 1) AS largest, idem.allocate('0.02', '{1,1,1}', 2) AS first_first,
       idem.allocate('0.03', '{2,2,1}', 2) AS half_and_small, idem.allocate('0.01', '{1,3,2}', 2) AS to_the_largest;
-- A weight of zero gets nothing, wherever it stands.
SELECT idem.allocate('100.00', '{0,1,1,1,0}', 2) AS zeros, idem.allocate('0.01', '{0,0,1}', 2) AS last, idem.allocate('0', '{1,0}', 2) AS nothing;
-- Shares of a negative amount are those of the positive one.
SELECT idem.allocate('-0.05', '{3,7}', 2) AS negative, idem.allocate('-0.02', '{1,1,1}', 2) AS first_first;

-- Equal parts, the larger ones first.
SELECT idem.split('100.00', 3, 2), idem.split('0.02', 3, 2), idem.split('-0.05', 2, 2), idem.split('1', 1, 0), idem.split('0', 2, 6);
SELECT sum(part), count(*), min(part), max(part) FROM unnest(idem.split('2305843009213.693951', 100000, 6)) AS part;

-- Both ends of the range; weights as long as numeric division makes them.
SELECT idem.allocate('2305843009213.693951', '{1,1}', 6) AS max, idem.allocate('-2305843009213.693951', '{1,2}', 6) AS min;
SELECT idem.allocate('100', ARRAY[1.0/3, 2.0/3], 2) AS thirds, idem.allocate('2305843009213.693951', ARRAY[1.0/7, 6.0/7, 1e-18], 6) AS sevenths,
       idem.allocate('10', ARRAY[1e37, 1e37], 2) AS huge, idem.allocate('10', ARRAY[1e-38, 1e-38], 2) AS tiny,
       idem.allocate('10', ARRAY[85070591730234615865843651857942052863, 85070591730234615865843651857942052864], 6) AS largest_sum;

-- Nobody's share: no amount, no parts.
SELECT idem.allocate(NULL, '{1}', 2), idem.split(NULL, 2, 2);

-- The messages.
SELECT idem.allocate('100.005', '{1,1}', 2);
SELECT idem.allocate('100', '{0,0}', 2);
SELECT idem.allocate('100', '{1,-1}', 2);
SELECT idem.allocate('100', '{1,NULL}', 2);
SELECT idem.split('100', 0, 2);

\set VERBOSITY sqlstate
SELECT idem.allocate('100', '{}', 2);
SELECT idem.allocate('100', NULL, 2);
SELECT idem.allocate('100', '{1,1}', NULL);
SELECT idem.allocate('100', '{1,1}', 7);
SELECT idem.allocate('100', '{1,1}', -1);
SELECT idem.allocate('100', '{{1,1},{1,1}}', 2);
SELECT idem.allocate('100', '{1,NaN}', 2);
SELECT idem.allocate('100', '{1,Infinity}', 2);
SELECT idem.allocate('100', '{1,-Infinity}', 2);
SELECT idem.allocate('100', ARRAY[1e38, 0.1], 2);
SELECT idem.allocate('100', ARRAY[1e38, 1e38], 2);
SELECT idem.allocate('100', ARRAY[1e-39], 2);
SELECT idem.allocate('100', ARRAY[1e39], 2);
SELECT idem.allocate('100', ARRAY[85070591730234615865843651857942052864, 85070591730234615865843651857942052864], 2);
SELECT idem.allocate('100', ARRAY[1, 0.5]::float8[], 2);
SELECT idem.split('100', -1, 2);
SELECT idem.split('100', NULL, 2);
SELECT idem.split('100', 3, NULL);
SELECT idem.split('100', 3, 7);
SELECT idem.split('0.001', 3, 2);
SELECT idem.split('100', 2147483647, 2);
\set VERBOSITY default

-- 5000 amounts with up to six weights, against numeric: the sum is kept, and each part is the exact one
-- cut off or that and one unit more; who got the unit lost at least as much as who did not.
SELECT count(*) AS amounts, count(*) FILTER (WHERE total <> amount) AS lost, count(*) FILTER (WHERE too_far) AS too_far,
       count(*) FILTER (WHERE given < kept) AS unfair, count(*) FILTER (WHERE mirrored IS DISTINCT FROM parts) AS not_mirrored
  FROM (SELECT n, amount, parts, sum(part) AS total, bool_or(abs(part::numeric) - exact >= unit OR exact - abs(part::numeric) >= unit) AS too_far,
               min(rest) FILTER (WHERE abs(part) > exact) AS given, max(rest) FILTER (WHERE abs(part) <= exact) AS kept,
               (SELECT array_agg(- p ORDER BY place) FROM unnest(idem.allocate(- amount, weights, scale)) WITH ORDINALITY AS m (p, place)) AS mirrored
          FROM (SELECT d.*, parts, part, 10.0 ^ - scale AS unit, abs(amount::numeric) * weight / weight_sum AS exact,
                       mod(abs(amount::numeric) * weight, weight_sum * 10.0 ^ - scale) AS rest
                  FROM (SELECT n, scale, idem.round((random() - 0.5)::numeric * (2 ^ (random() * 40))::numeric, scale, 'down') AS amount, weights,
                               (SELECT sum(w) FROM unnest(weights) AS w) AS weight_sum
                          FROM (SELECT setseed(0.44)) AS seed,
                               LATERAL (SELECT n, (random() * 6)::int AS scale,
                                               ARRAY(SELECT round((random() * 10 ^ (random() * 6))::numeric, (random() * 6)::int)
                                                       FROM generate_series(0, n % 6)) || 1.0 AS weights
                                          FROM generate_series(1, 5000) AS n) AS w) AS d,
                       LATERAL idem.allocate(amount, weights, scale) AS parts,
                       LATERAL unnest(parts, weights) AS p (part, weight)) AS s
         GROUP BY n, amount, parts, weights, scale) AS a;
