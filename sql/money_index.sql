--
-- Indexes, sorting, joining, grouping and parallel sums of amounts
--
-- The operator classes are complete.
SELECT opcname, amname, opcdefault, amvalidate(c.oid)
  FROM pg_opclass AS c JOIN pg_am AS a ON a.oid = opcmethod
 WHERE opcintype = 'money_micro'::regtype ORDER BY amname, opcname COLLATE "C";

-- The btree has the support functions of bigint: order, sort, frames, images; since 18 also skipping.
SELECT array_agg(amprocnum ORDER BY amprocnum) = CASE WHEN current_setting('server_version_num')::int >= 180000
                                                      THEN '{1,2,3,4,6}' ELSE '{1,2,3,4}' END::int2[] AS complete
  FROM pg_amproc JOIN pg_opfamily AS f ON f.oid = amprocfamily JOIN pg_am AS a ON a.oid = opfmethod
 WHERE opfname = 'money_micro_ops' AND amname = 'btree' AND amproclefttype = 'money_micro'::regtype AND amprocrighttype = amproclefttype;

-- Every comparison is leakproof, everything may run in parallel; without the
-- first, row level security keeps the planner from using an index.
SELECT count(*) AS operators, count(*) FILTER (WHERE NOT proleakproof) AS leaking,
       count(*) FILTER (WHERE oprcom = 0 OR oprnegate = 0) AS alone, count(*) FILTER (WHERE oprrest = 0 OR oprjoin = 0) AS not_estimated
  FROM pg_operator JOIN pg_proc AS p ON p.oid = oprcode
 WHERE 'money_micro'::regtype IN (oprleft, oprright) AND oprresult = 'bool'::regtype;
SELECT p.oid::regprocedure FROM pg_proc AS p
 WHERE (proparallel <> 's' OR provolatile = 'v') AND 'money_micro'::regtype = ANY (proargtypes::oid[] || prorettype);

CREATE TABLE money_indexed (id int, amount money_micro, filler text);
INSERT INTO money_indexed
    SELECT i, idem.from_minor((i * 7919 % 10007) - 5000, 'CNY'), 'x' FROM generate_series(1, 10007) AS i;
INSERT INTO money_indexed VALUES (0, NULL, 'x');
ANALYZE money_indexed;

-- ORDER BY, NULLs last; the same with and without an index.
SELECT amount FROM money_indexed ORDER BY amount LIMIT 3;
SELECT amount FROM money_indexed ORDER BY amount DESC NULLS LAST LIMIT 3;
SELECT count(*) FILTER (WHERE amount < before) AS out_of_order
  FROM (SELECT amount, lag(amount) OVER (ORDER BY amount) AS before FROM money_indexed) AS s;

-- A btree answers comparisons with amounts, numerics and whole numbers.
CREATE INDEX money_indexed_btree ON money_indexed (amount);
ANALYZE money_indexed;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM money_indexed WHERE amount = '0.01';
EXPLAIN (COSTS OFF) SELECT * FROM money_indexed WHERE amount > 49.99;
EXPLAIN (COSTS OFF) SELECT * FROM money_indexed WHERE 50 < amount;
EXPLAIN (COSTS OFF) SELECT amount FROM money_indexed ORDER BY amount DESC LIMIT 1;
SELECT amount FROM money_indexed WHERE amount = '0.01';
SELECT amount FROM money_indexed WHERE amount BETWEEN 49.985 AND 50.02;
SELECT amount FROM money_indexed WHERE amount = 0.005;
SELECT count(*) FROM money_indexed WHERE amount < 'NaN'::numeric;
SELECT count(*) FROM money_indexed WHERE amount > '-Infinity'::numeric AND amount < 0 AND amount > '-1.00' AND amount <= -0.9;
SELECT amount FROM money_indexed WHERE amount = ANY ('{0.01,0.015,0.02,NaN}'::numeric[]);
SELECT count(*) FROM money_indexed WHERE amount < ANY ('{-49.98,-49.985}'::numeric[]);
SELECT min(amount), max(amount) FROM money_indexed;

-- Estimates follow the histogram, for amounts and for numerics: within 2 percent of the rows.
CREATE FUNCTION pg_temp.estimate(condition text) RETURNS int
    LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) SELECT * FROM money_indexed WHERE ' || condition INTO plan;
    RETURN plan #>> '{0,Plan,Plan Rows}';
END $$;
CREATE FUNCTION pg_temp.found(condition text) RETURNS int
    LANGUAGE plpgsql AS $$
DECLARE
    rows int;
BEGIN
    EXECUTE 'SELECT count(*) FROM money_indexed WHERE ' || condition INTO rows;
    RETURN rows;
END $$;
SELECT condition, pg_temp.found(condition), abs(pg_temp.estimate(condition) - pg_temp.found(condition)) <= 200 AS near
  FROM unnest(ARRAY['amount < ''-40''', 'amount > 49', '25.005 >= amount', 'amount BETWEEN ''0'' AND ''1''', 'amount BETWEEN 0 AND 25.5',
                    'amount = ''0.01''', 'amount = 0.005', 'amount <> 0.01', 'amount > 1e300', 'amount < ''NaN''::numeric', 'amount IS NULL']) AS condition;

-- A partial index is used where its condition follows, across the types.
DROP INDEX money_indexed_btree;
CREATE INDEX money_indexed_partial ON money_indexed (id) WHERE amount > 49;
EXPLAIN (COSTS OFF) SELECT id FROM money_indexed WHERE amount > 49.5;
DROP INDEX money_indexed_partial;

-- Unique means equal in value.
CREATE UNIQUE INDEX money_indexed_unique ON money_indexed (amount);
\set VERBOSITY sqlstate
INSERT INTO money_indexed VALUES (1, '0.010000');
\set VERBOSITY default
DROP INDEX money_indexed_unique;

-- Hash.
CREATE INDEX money_indexed_hash ON money_indexed USING hash (amount);
EXPLAIN (COSTS OFF) SELECT * FROM money_indexed WHERE amount = '0.01';
SELECT amount FROM money_indexed WHERE amount = '0.01';
DROP INDEX money_indexed_hash;

-- BRIN, with amounts and numerics.
CREATE TABLE money_blocks (amount money_micro) WITH (fillfactor = 10);
INSERT INTO money_blocks SELECT idem.from_minor(i, 'CNY') FROM generate_series(1, 2000) AS i;
CREATE INDEX money_blocks_brin ON money_blocks USING brin (amount) WITH (pages_per_range = 1);
SET enable_bitmapscan = on;
EXPLAIN (COSTS OFF) SELECT count(*) FROM money_blocks WHERE amount >= '19.90';
SELECT count(*) FROM money_blocks WHERE amount >= '19.90';
SELECT count(*) FROM money_blocks WHERE amount >= 19.895 AND 19.905 > amount;
SELECT count(*) FROM money_blocks WHERE amount = 5;

-- BRIN of several ranges, for blocks with single amounts far from the others: one in each block here.
CREATE TABLE money_outliers (amount money_micro) WITH (fillfactor = 10);
INSERT INTO money_outliers SELECT idem.from_minor(CASE WHEN i % 20 = 0 THEN 100000000 ELSE i END, 'CNY') FROM generate_series(1, 2000) AS i;
CREATE INDEX money_outliers_brin ON money_outliers USING brin (amount money_micro_minmax_multi_ops) WITH (pages_per_range = 1);
CREATE FUNCTION pg_temp.blocks_read(condition text) RETURNS int
    LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, FORMAT json) SELECT * FROM money_outliers WHERE ' || condition INTO plan;
    RETURN plan #>> '{0,Plan,Lossy Heap Blocks}';
END $$;
SELECT count(*) FROM money_outliers WHERE amount BETWEEN 10.00 AND 10.10;
SELECT pg_relation_size('money_outliers') / current_setting('block_size')::int > 50 AS many_blocks,
       pg_temp.blocks_read('amount BETWEEN 10.00 AND 10.10') < 5 AS few_read,
       pg_temp.blocks_read($$amount BETWEEN '10.00' AND '10.10'$$) < 5 AS few_read_too, pg_temp.blocks_read('amount = 10.01') < 5 AS few_for_one;
DROP INDEX money_outliers_brin;
-- With one range a block every block would be read from that amount on.
CREATE INDEX money_outliers_brin ON money_outliers USING brin (amount) WITH (pages_per_range = 1);
SELECT pg_temp.blocks_read('amount BETWEEN 10.00 AND 10.10') > 20 AS many_read;
DROP INDEX money_outliers_brin;

-- BRIN with a bloom filter, for equality where amounts lie anywhere.
TRUNCATE money_outliers;
INSERT INTO money_outliers SELECT idem.from_minor(i * 7919 % 100003, 'CNY') FROM generate_series(1, 2000) AS i;
CREATE INDEX money_outliers_bloom ON money_outliers USING brin (amount money_micro_bloom_ops) WITH (pages_per_range = 1);
SELECT count(*) FROM money_outliers WHERE amount = '79.19';
SELECT pg_temp.blocks_read($$amount = '79.19'$$) < 10 AS few_read;
DROP TABLE money_blocks, money_outliers;
RESET enable_seqscan;
RESET enable_bitmapscan;

-- Joins: hash and merge between amounts, merge between amounts and numerics.
CREATE TABLE money_numbers AS SELECT amount::numeric + (id % 2) * 0.0000001 AS n FROM money_indexed;
ANALYZE money_numbers;
SET enable_nestloop = off;
SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM money_indexed AS a JOIN money_indexed AS b USING (amount);
SELECT count(*) FROM money_indexed AS a JOIN money_indexed AS b USING (amount);
SET enable_mergejoin = on;
SET enable_hashjoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM money_indexed AS a JOIN money_indexed AS b USING (amount);
SELECT count(*) FROM money_indexed AS a JOIN money_indexed AS b USING (amount);
EXPLAIN (COSTS OFF) SELECT count(*) FROM money_indexed JOIN money_numbers ON amount = n;
SELECT count(*) FROM money_indexed JOIN money_numbers ON amount = n;
SELECT count(*) FROM money_indexed FULL JOIN money_numbers ON n = amount;
RESET enable_nestloop;
RESET enable_hashjoin;

-- An index on numerics is found as before.
CREATE INDEX money_numbers_n ON money_numbers (n);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT n FROM money_numbers ORDER BY n;
EXPLAIN (COSTS OFF) SELECT n FROM money_numbers WHERE n < 5;
RESET enable_seqscan;
RESET enable_bitmapscan;
RESET enable_sort;
DROP TABLE money_numbers;

-- Groups and partitions, by hash.
SET enable_sort = off;
SELECT count(*), sum(c) FROM (SELECT amount, count(*) AS c FROM money_indexed GROUP BY amount) AS g;
SELECT count(DISTINCT amount) FROM money_indexed;
RESET enable_sort;
CREATE TABLE money_parted (amount money_micro) PARTITION BY HASH (amount);
CREATE TABLE money_parted_0 PARTITION OF money_parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE money_parted_1 PARTITION OF money_parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO money_parted SELECT amount FROM money_indexed;
SELECT count(*), count(DISTINCT tableoid) FROM money_parted;
DROP TABLE money_parted;
CREATE TABLE money_ranged (amount money_micro) PARTITION BY RANGE (amount);
CREATE TABLE money_ranged_minus PARTITION OF money_ranged FOR VALUES FROM (MINVALUE) TO ('0');
CREATE TABLE money_ranged_plus PARTITION OF money_ranged FOR VALUES FROM ('0') TO (MAXVALUE);
INSERT INTO money_ranged VALUES ('-0.000001'), ('0');
SELECT tableoid::regclass, amount FROM money_ranged ORDER BY amount;
EXPLAIN (COSTS OFF) SELECT * FROM money_ranged WHERE amount < '-5';
DROP TABLE money_ranged;

-- Parallel workers hand over 128-bit sums: here each of them is out of range, the result is not.
CREATE TABLE money_parallel (amount money_micro) WITH (parallel_workers = 2);
INSERT INTO money_parallel
    SELECT CASE WHEN i <= 5000 THEN '2305843009213.693951' ELSE '-2305843009213.693951' END::money_micro FROM generate_series(1, 10000) AS i;
INSERT INTO money_parallel VALUES ('0.05'), (NULL);
ANALYZE money_parallel;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT sum(amount), avg(amount), min(amount), max(amount) FROM money_parallel;
SELECT sum(amount), round(avg(amount), 12) AS avg, min(amount), max(amount) FROM money_parallel;
SELECT sum(amount) FROM money_parallel WHERE amount IS NULL;
SELECT avg(amount) FROM money_parallel WHERE amount > 1;
SELECT avg(amount) FROM money_parallel WHERE amount < -1;
SET parallel_leader_participation = off;
SELECT sum(amount), round(avg(amount), 12) AS avg, min(amount), max(amount) FROM money_parallel;
RESET ALL;
DROP TABLE money_parallel;

-- Row level security does not cost the index.
CREATE ROLE regress_idem_money;
ALTER TABLE money_indexed ENABLE ROW LEVEL SECURITY;
CREATE POLICY money_policy ON money_indexed USING (filler LIKE 'x%');
GRANT SELECT ON money_indexed TO regress_idem_money;
CREATE INDEX money_indexed_btree ON money_indexed (amount);
ANALYZE money_indexed;
SET ROLE regress_idem_money;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM money_indexed WHERE amount = '0.01';
EXPLAIN (COSTS OFF) SELECT * FROM money_indexed WHERE amount > 49.99;
RESET enable_bitmapscan;
RESET ROLE;
DROP TABLE money_indexed;
DROP ROLE regress_idem_money;

-- A trigger condition finds the operators whatever the search path, so a restored one does too.
CREATE TABLE money_watched (amount money_micro);
CREATE FUNCTION money_watch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'amount changed from % to %', OLD.amount, NEW.amount;
    RETURN NEW;
END $$;
BEGIN;
SET LOCAL search_path = '';
CREATE TRIGGER watch AFTER UPDATE ON public.money_watched FOR EACH ROW
    WHEN (OLD.amount IS DISTINCT FROM NEW.amount) EXECUTE FUNCTION public.money_watch();
CREATE VIEW public.money_view AS
    SELECT nullif(amount, '0') AS amount, CASE amount WHEN '1' THEN 'one' END AS is_one FROM public.money_watched;
SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'public.money_watched'::regclass;
COMMIT;
INSERT INTO money_watched VALUES ('1');
UPDATE money_watched SET amount = '1.000000';
UPDATE money_watched SET amount = '1.000001';
DROP VIEW money_view;
DROP TABLE money_watched;
DROP FUNCTION money_watch;
