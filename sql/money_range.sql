--
-- Ranges of amounts: discrete, one millionth apart
--
SELECT r::money_micro_range AS range, lower(r::money_micro_range), upper(r::money_micro_range), isempty(r::money_micro_range)
  FROM unnest('{"[0,100]","[0,100)","(0,100]","(0,100)","(,0]","(0,)","[5,5]","(5,5.000001)","empty","(,)"}'::text[]) AS r;

-- The same amounts are the same range, however they are written.
SELECT '[0.01,100]'::money_micro_range = '(0.009999,100.000001)'::money_micro_range AS same,
       money_micro_range('0', '100') = money_micro_range('0', '99.999999', '[]') AS constructed;

-- Containment, overlap, difference, also in several pieces.
SELECT '[0,100)'::money_micro_range @> '99.999999'::money_micro AS inside, '[0,100)'::money_micro_range @> '100'::money_micro AS outside,
       '[0,100)'::money_micro_range && '[100,200)' AS overlap, '[0,100)'::money_micro_range -|- '[100,200)' AS adjacent,
       '[0,100]'::money_micro_range -|- '[100.000001,200)' AS adjacent_too, '[0,100)'::money_micro_range - '[60,100)' AS difference;
SELECT '{[0,100),[200,300]}'::idem.money_micro_multirange - '{[50,60)}' AS pieces, range_agg(r) AS together
  FROM unnest('{"[0,10)","[10,20)","[30,40]"}'::money_micro_range[]) AS r;

-- Both ends: the largest amount has no successor, so it is in ranges without an upper bound.
SELECT '[-2305843009213.693951,2305843009213.693951)'::money_micro_range AS all_but_max,
       '[2305843009213.693951,)'::money_micro_range @> '2305843009213.693951'::money_micro AS max;
SELECT '[0,2305843009213.693951]'::money_micro_range;
\set VERBOSITY sqlstate
SELECT '(2305843009213.693951,)'::money_micro_range;
SELECT money_micro_range('0', '2305843009213.693951', '[]');
SELECT '[0,2305843009213.693952)'::money_micro_range;
SELECT '[0,0.0000001)'::money_micro_range;
SELECT '[2,1]'::money_micro_range;
\set VERBOSITY default

-- Tiers of a fee that may not overlap, found by the amount.
CREATE TABLE money_tier (
    amounts money_micro_range NOT NULL, rate numeric NOT NULL,
    CONSTRAINT money_tier_overlap EXCLUDE USING gist (amounts WITH &&)
);
INSERT INTO money_tier VALUES ('[0,100)', 0.03), ('[100,1000)', 0.02), ('[1000,)', 0.01);
SELECT amount, idem.multiply(amount, rate, 2, 'half_up') AS fee
  FROM unnest('{99.999999,100,1000,2305843009213.69}'::money_micro[]) AS amount JOIN money_tier ON amounts @> amount;
INSERT INTO money_tier VALUES ('[99.999999,99.999999]', 0.5);

-- GiST and SP-GiST find what a scan finds.
CREATE TABLE money_ranges AS
    SELECT i, money_micro_range(idem.from_minor(i, 'CNY'), idem.from_minor(i + i % 50, 'CNY')) AS r FROM generate_series(1, 5000) AS i;
SELECT count(*) AS scanned FROM money_ranges WHERE r @> '25.00'::money_micro;
CREATE INDEX money_ranges_gist ON money_ranges USING gist (r);
-- (A bitmap or the index alone is a matter of cost, which 19 counts anew.)
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM money_ranges WHERE r @> '25.00'::money_micro;
SELECT count(*) AS by_gist FROM money_ranges WHERE r @> '25.00'::money_micro;
DROP INDEX money_ranges_gist;
CREATE INDEX money_ranges_spgist ON money_ranges USING spgist (r);
SELECT count(*) AS by_spgist FROM money_ranges WHERE r @> '25.00'::money_micro;
RESET enable_seqscan;
RESET enable_bitmapscan;
-- Distances steer the indexes and estimates: millionths.
SELECT idem.money_micro_range_diff('2305843009213.693951', '-2305843009213.693951'), idem.money_micro_range_diff('1', '3');
-- The empty range is canonical as it is.
SELECT idem.money_micro_range_canonical('empty');
DROP TABLE money_tier, money_ranges;
