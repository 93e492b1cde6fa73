--
-- Currencies are never mixed in one sum
--
CREATE TABLE money_paid (n int, amount money_micro, currency text);
INSERT INTO money_paid VALUES (1, '10.00', 'EUR'), (2, '20.00', 'EUR'), (3, NULL, 'USD'), (4, NULL, NULL), (5, '3000', 'JPY'), (6, '5', 'JPY');

SELECT currency, idem.sum(amount, currency), count(*) FROM money_paid GROUP BY currency ORDER BY currency;
SELECT idem.sum(amount, currency) FROM money_paid WHERE n < 5;
SELECT idem.sum(amount, currency) AS of_none FROM money_paid WHERE amount IS NULL;
SELECT idem.sum(amount, currency) AS of_no_row FROM money_paid WHERE false;
SELECT idem.sum(amount, currency) FILTER (WHERE currency = 'JPY') AS jpy, idem.sum(DISTINCT amount, currency) FILTER (WHERE currency = 'EUR') AS eur
  FROM money_paid;

-- The message.
SELECT idem.sum(amount, currency) FROM money_paid;

\set VERBOSITY sqlstate
-- A second currency is refused wherever it comes, and whatever its amount.
SELECT idem.sum(amount, currency ORDER BY n DESC) FROM money_paid;
SELECT idem.sum('0'::money_micro, currency) FROM money_paid WHERE currency IS NOT NULL;
-- Names differ in every byte.
SELECT idem.sum('1'::money_micro, c) FROM unnest('{EUR,eur}'::text[]) AS c;
SELECT idem.sum('1'::money_micro, c) FROM unnest('{EUR,"EUR "}'::text[]) AS c;
SELECT idem.sum('1'::money_micro, c) FROM unnest('{EUR,EURO}'::text[]) AS c;
SELECT idem.sum('1'::money_micro, c) FROM unnest('{EUR,""}'::text[]) AS c;
-- An amount without a currency is not added.
SELECT idem.sum(amount, NULL) FROM money_paid WHERE n = 1;
SELECT idem.sum(amount, currency) FROM (VALUES ('1'::money_micro, 'EUR'), ('1', NULL)) AS v (amount, currency);
-- Only the result has to fit.
SELECT idem.sum('2305843009213.693951'::money_micro, 'EUR') FROM generate_series(1, 2);
\set VERBOSITY default
SELECT idem.sum(amount, 'EUR') FROM unnest('{2305843009213.693951,2305843009213.693951,-2305843009213.693951}'::money_micro[]) AS amount;

-- Window frames: a frame has one currency, the next one may have another.
SELECT n, amount, currency, idem.sum(amount, currency) OVER (PARTITION BY currency ORDER BY n) AS running,
       idem.sum(amount, currency) OVER (ORDER BY n ROWS BETWEEN CURRENT ROW AND CURRENT ROW) AS moving
  FROM money_paid ORDER BY n;
SELECT n, amount, currency, idem.sum(amount, currency) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS two FROM money_paid;
SELECT n, idem.sum(amount, currency) OVER (ORDER BY n ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS four FROM money_paid;
-- Every frame of 3 against the sum computed anew.
SELECT count(*) AS rows, count(*) FILTER (WHERE moving IS DISTINCT FROM anew) AS wrong
  FROM (SELECT idem.sum(a, 'EUR') OVER w AS moving, sum(a::numeric) OVER w AS anew
          FROM (SELECT i, CASE WHEN i % 5 > 1 THEN idem.from_micro(i * 7919 % 1000003 - 500000) END AS a FROM generate_series(1, 1000) AS i) AS s
        WINDOW w AS (ORDER BY i ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)) AS w;

-- Parallel workers: each adds one currency, and what they saw is compared when they meet.
CREATE TABLE money_workers (amount money_micro, currency text) WITH (parallel_workers = 2);
INSERT INTO money_workers SELECT idem.from_minor(i, 'EUR'), 'EUR' FROM generate_series(1, 10000) AS i;
ANALYZE money_workers;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT idem.sum(amount, currency) FROM money_workers;
SELECT idem.sum(amount, currency) FROM money_workers;
SELECT idem.sum(amount, currency) FROM money_workers WHERE amount > '99.98';
SELECT idem.sum(amount, currency) FROM money_workers WHERE amount IS NULL;
-- Minor units are found in a worker, too.
SELECT sum(idem.to_minor(amount, currency)) FROM money_workers;
-- ... those that saw no row aside: here one page for two workers.
CREATE TABLE money_page (LIKE money_workers) WITH (parallel_workers = 2);
INSERT INTO money_page VALUES ('1.50', 'EUR'), ('2.50', 'EUR');
SET parallel_leader_participation = off;
EXPLAIN (COSTS OFF) SELECT idem.sum(amount, currency) FROM money_page;
SELECT idem.sum(amount, currency) FROM money_page;
SET parallel_leader_participation = on;
DROP TABLE money_page;
INSERT INTO money_workers VALUES ('0.01', 'USD');
\set VERBOSITY sqlstate
SELECT idem.sum(amount, currency) FROM money_workers;
RESET ALL;

-- States are not made or read by hand: no such call (42883), or, on older
-- minor releases, no such value (0A000).
DO $$
BEGIN
	PERFORM idem.money_micro_sum_currency_deserialize('\x00', NULL);
	RAISE 'a state was made by hand';
EXCEPTION WHEN undefined_function OR feature_not_supported THEN
	NULL;
END $$;
\set VERBOSITY default

-- Partition by partition the same.
CREATE TABLE money_parts (amount money_micro, currency text) PARTITION BY LIST (currency);
CREATE TABLE money_parts_eur PARTITION OF money_parts FOR VALUES IN ('EUR');
CREATE TABLE money_parts_usd PARTITION OF money_parts FOR VALUES IN ('USD');
INSERT INTO money_parts SELECT * FROM money_workers;
SET enable_partitionwise_aggregate = on;
SELECT currency, idem.sum(amount, currency), sum(amount), avg(amount) FROM money_parts GROUP BY currency ORDER BY currency;
\set VERBOSITY sqlstate
SELECT idem.sum(amount, currency) FROM money_parts;
\set VERBOSITY default
RESET enable_partitionwise_aggregate;
DROP TABLE money_paid, money_workers, money_parts;
