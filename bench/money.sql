-- money: 5,000,000 rows of two amounts in four types, in tables that fit into
-- the server's buffers and are as large as each other.
--
-- a is from 0.01 to 1,000,000 with six decimals, evenly over the magnitudes, r
-- one of 100,000 of whole cents.  Where the type is a 64-bit number, it is the
-- same number in all: millionths in money_micro and bigint, which money takes
-- for cents.  Cut down to real cents, money would have far fewer values than
-- the others, of which sorts and indexes make use.
--
-- What is compared is the whole statement, except against numeric in sum and
-- filter.  There half of what numeric takes goes into reading the rows, which
-- no type can change: the ratio of whole sums cannot come below 0.47, and that
-- of bigint is 0.64 (instructions).  So the bars there are for what is added to
-- the scan, count(*) of the same rows; the ratios of the whole are shown, too,
-- as are those of bigint in idem's place.
--
-- The filter lets one row in a hundred through.  One that half of the rows
-- pass measures how the processor guesses wrong.

CREATE TABLE bench.kind (variant text, suffix text, type text, unit numeric);
INSERT INTO bench.kind VALUES
    ('idem', 'm', 'money_micro', 0.000001), ('bigint', 'b', 'bigint', 1),
    ('numeric(20,6)', 'n', 'numeric(20,6)', 0.000001), ('money', 'c', 'money', 0.01);

CREATE TABLE bench.micros AS
SELECT floor(exp(random() * ln(1e8)) * 10000)::bigint AS a, floor(random() * 100000)::bigint * 10000 AS r FROM generate_series(1, 5000000);

DO $$
DECLARE
    k bench.kind;
BEGIN
    FOR k IN SELECT * FROM bench.kind LOOP
        EXECUTE format('CREATE TABLE bench.amount_%1$s AS SELECT (a * %3$s)::%2$s AS a, (r * %3$s)::%2$s AS r FROM bench.micros', k.suffix, k.type, k.unit);
        EXECUTE format('CREATE TABLE bench.key_%1$s AS SELECT DISTINCT r FROM bench.amount_%1$s', k.suffix);
        EXECUTE format('CREATE UNLOGGED TABLE bench.copy_%1$s (a %2$s)', k.suffix, k.type);
        EXECUTE format('COPY bench.amount_%1$s (a) TO %2$L', k.suffix, current_setting('data_directory') || '/bench_text_' || k.suffix);
        EXECUTE format('COPY bench.amount_%1$s (a) TO %2$L (FORMAT binary)', k.suffix, current_setting('data_directory') || '/bench_binary_' || k.suffix);
    END LOOP;
END $$;
DROP TABLE bench.micros;
VACUUM FREEZE ANALYZE;

INSERT INTO bench.variant (what, variant, statement, before)
SELECT what, variant, format(statement, suffix, current_setting('data_directory')), format(before, suffix)
FROM bench.kind,
     (VALUES ('sum', 'SELECT sum(a) FROM bench.amount_%1$s', NULL),
             ('avg', 'SELECT avg(a) FROM bench.amount_%1$s', NULL),
             ('order by', 'SELECT a FROM bench.amount_%1$s ORDER BY a OFFSET 4999999', NULL),
             ('equi-join', 'SELECT count(*) FROM bench.amount_%1$s JOIN bench.key_%1$s USING (r)', NULL),
             ('group by', 'SELECT count(*) FROM (SELECT r FROM bench.amount_%1$s GROUP BY r) g', NULL),
             ('moving sum', 'SELECT count(s) FROM (SELECT sum(a) OVER (ROWS 99 PRECEDING) AS s FROM bench.amount_%1$s) w', NULL),
             ('index build, distinct', 'CREATE INDEX amount_%1$s_a ON bench.amount_%1$s (a)', 'DROP INDEX IF EXISTS bench.amount_%1$s_a'),
             ('index build, repeated', 'CREATE INDEX amount_%1$s_r ON bench.amount_%1$s (r)', 'DROP INDEX IF EXISTS bench.amount_%1$s_r'),
             ('copy out, text', 'COPY bench.amount_%1$s (a) TO ''/dev/null''', NULL),
             ('copy out, binary', 'COPY bench.amount_%1$s (a) TO ''/dev/null'' (FORMAT binary)', NULL),
             ('copy in, text', 'COPY bench.copy_%1$s FROM ''%2$s/bench_text_%1$s''', 'TRUNCATE bench.copy_%1$s'),
             ('copy in, binary', 'COPY bench.copy_%1$s FROM ''%2$s/bench_binary_%1$s'' (FORMAT binary)', 'TRUNCATE bench.copy_%1$s'))
     AS w (what, statement, before)
WHERE what <> 'avg' OR variant <> 'money';      -- which has none

-- Index scans are not the question here.
ALTER DATABASE postgres SET enable_indexscan = off;
ALTER DATABASE postgres SET enable_indexonlyscan = off;
ALTER DATABASE postgres SET enable_bitmapscan = off;

INSERT INTO bench.variant (what, variant, statement)
SELECT 'filter', variant, format('SELECT count(*) FROM bench.amount_%s WHERE a > %s', suffix,
       CASE suffix WHEN 'b' THEN '800000000000' WHEN 'n' THEN '800000.00' WHEN 'c' THEN '''8000000000''' ELSE '''800000''' END)
FROM bench.kind;
INSERT INTO bench.variant (what, variant, statement) VALUES
    ('sum', 'the scan', 'SELECT count(*) FROM bench.amount_m'),
    ('filter', 'the scan', 'SELECT count(*) FROM bench.amount_m'),
    ('filter by a numeric', 'idem', 'SELECT count(*) FROM bench.amount_m WHERE a > 800000.00'),
    ('filter by a numeric', 'bigint', 'SELECT count(*) FROM bench.amount_b WHERE a > 800000000000'),
    ('filter by a numeric', 'numeric(20,6)', 'SELECT count(*) FROM bench.amount_n WHERE a > 800000.00'),
    ('cast from numeric', 'idem', 'SELECT count(a::money_micro) FROM bench.amount_n'),
    ('cast from numeric', 'bigint', 'SELECT count(a::bigint) FROM bench.amount_n'),
    ('cast from numeric', 'money', 'SELECT count(a::money) FROM bench.amount_n'),
    ('cast from numeric', 'the scan', 'SELECT count(a) FROM bench.amount_n'),
    ('cast to numeric', 'idem', 'SELECT count(a::numeric) FROM bench.amount_m'),
    ('cast to numeric', 'bigint', 'SELECT count(a::numeric) FROM bench.amount_b'),
    ('cast to numeric', 'money', 'SELECT count(a::numeric) FROM bench.amount_c'),
    ('cast to numeric', 'the scan', 'SELECT count(a) FROM bench.amount_b');

-- Against bigint and money, which lie in memory as money_micro does, the bars
-- are for instructions (money.sh).
INSERT INTO bench.bar (what, alternative, bar, base) VALUES
    ('sum', 'numeric(20,6)', 0.45, 'the scan'),
    ('filter', 'numeric(20,6)', 0.40, 'the scan'),
    ('order by', 'numeric(20,6)', 0.45, NULL),
    ('cast from numeric', 'bigint', 0.60, 'the scan'),
    ('cast to numeric', 'bigint', 1.10, 'the scan');
