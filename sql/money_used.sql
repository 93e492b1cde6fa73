--
-- Amounts wherever a server takes a type: nothing is rounded, no unit is guessed
--
CREATE FUNCTION pg_temp.answer(command text) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE command INTO result;
    RETURN coalesce(result, 'null');
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
SET client_min_messages = warning;
CREATE TABLE money_used (amount money_micro(2) PRIMARY KEY, n numeric);
INSERT INTO money_used SELECT idem.from_minor(i, 'CNY'), i / 100.0 FROM generate_series(1, 1000) AS i;

-- The name of the type called as a function is a cast of text only, with idem in the search path, too.
SET search_path = public, idem;
SELECT money_micro('123.45');
SELECT pg_temp.answer('SELECT money_micro(12345)') AS int4, pg_temp.answer('SELECT money_micro(12345::int8)') AS int8,
       pg_temp.answer('SELECT money_micro(12345::int2)') AS int2, pg_temp.answer('SELECT money_micro(123.45::float8)') AS float8;
RESET search_path;

-- No expression turns into an amount, or an amount into something else, to fit with its neighbours.
SELECT e AS expression, pg_temp.answer('SELECT ' || replace(e, '@', '''5''::money_micro')) AS answer
  FROM unnest(ARRAY['coalesce(@, 1)', 'coalesce(@, 1.5)', 'coalesce(@, ''1.5'')', 'greatest(@, 7)', 'ARRAY[@, 7.0]', 'CASE WHEN true THEN @ ELSE 0 END',
                    '@ UNION SELECT 7.0', '@::int8', '@::float8', '@::money', '5::int8::money_micro', '5::float8::money_micro', '''5''::money::money_micro',
                    'true::money_micro', '@ % 2', '@ ^ 2', '@ + 1', '1.5 * @', 'round(@)', 'trunc(@)', 'ceil(@)', 'sign(@)', 'stddev(@)', 'to_char(@, ''9.99'')',
                    'generate_series(@, ''7'', ''1'')', 'percentile_cont(0.5) WITHIN GROUP (ORDER BY @)']) AS e;
-- What needs only order or equality works.
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY amount), mode() WITHIN GROUP (ORDER BY amount), rank('5.00'::money_micro) WITHIN GROUP (ORDER BY amount),
       count(DISTINCT amount), width_bucket('5'::money_micro, '{0,5,10}'::money_micro[]), array_position('{1,5}', '5.00'::money_micro)
  FROM money_used;

-- Beside numbers: compared as whole units, exactly; beside text and floats not at all.
SELECT e AS expression, pg_temp.answer('SELECT count(*) FROM money_used WHERE ' || e) AS rows
  FROM unnest(ARRAY['amount IN (1, 2)', 'amount IN (1, 2, 3.5)', 'amount = ANY (''{1,2}'')', 'amount = ANY (ARRAY[1, 2.0])', 'amount BETWEEN 1 AND 2',
                    'amount > 2::int8', 'amount > 1.999999999', 'amount = n', 'amount > 2::float8', 'amount = ''2''::text', 'amount = ''2''::money']) AS e;

-- Parameters: of no type, of text as drivers send it, of numeric; of integers and floats zero only (money_unitless).
PREPARE by_nothing AS SELECT $1 + '1.00'::money_micro;
PREPARE by_array AS SELECT count(*) FROM money_used WHERE amount = ANY ($1);
PREPARE by_text(text) AS INSERT INTO money_used VALUES ($1) RETURNING amount;
PREPARE by_numeric(numeric) AS SELECT count(*) FROM money_used WHERE amount = $1;
EXECUTE by_nothing('5');
EXECUTE by_array('{1,2.00}');
EXECUTE by_text('0.001');
EXECUTE by_text('10.01');
EXECUTE by_numeric(1.500000000);
PREPARE by_int(int8) AS INSERT INTO money_used VALUES ($1);
PREPARE by_float(float8) AS UPDATE money_used SET amount = $1;
EXECUTE by_int(5);
EXECUTE by_float(0.1);
DEALLOCATE ALL;

-- Decimals are counted inside domains, arrays and rows, by every way in.
CREATE DOMAIN money_price AS money_micro(2) CHECK (VALUE > 0);
CREATE TYPE money_pair AS (a money_micro(1), b money_price);
SELECT e AS expression, pg_temp.answer('SELECT ' || e) AS answer
  FROM unnest(ARRAY['''1.01''::money_price', '''1.001''::money_price', '1.001::money_price', '''0''::money_price', '''1.001''::money_micro::money_price',
                    '''{1.1,1.11}''::money_micro(1)[]', 'ARRAY[1.1,1.11]::money_micro(1)[]', 'ARRAY[''1.11''::money_micro]::money_micro(1)[]',
                    '''(1.1,2.22)''::money_pair', '''(1.11,2.22)''::money_pair', '''(1.1,2.222)''::money_pair', 'ROW(''1.11'',''2.22'')::money_pair',
                    '''1.5''::text::money_micro(0)', 'jsonb_populate_record(NULL::money_pair, ''{"a": 1.10000000}'')',
                    'jsonb_populate_record(NULL::money_pair, ''{"a": 1.11}'')', 'jsonb_populate_record(NULL::money_pair, ''{"b": 1e-7}'')']) AS e;
CREATE TABLE money_generated (a money_micro(2), half money_micro(2) GENERATED ALWAYS AS (a / 2) STORED);
INSERT INTO money_generated VALUES ('0.02') RETURNING half;
INSERT INTO money_generated VALUES ('0.01');

-- Binary, out of range inside a range: 2^61 and -2^61; the largest amount is let in.
CREATE TABLE money_wires (a money_micro_range);
\copy money_wires from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\015\022\000\000\000\010\040\000\000\000\000\000\000\000\377\377"' with (format binary)
\copy money_wires from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\015\022\000\000\000\010\340\000\000\000\000\000\000\000\377\377"' with (format binary)
\copy money_wires from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\015\022\000\000\000\010\037\377\377\377\377\377\377\377\377\377"' with (format binary)
TABLE money_wires;

-- Joins with numeric: every way of joining finds the same pairs; NaN, infinities and finer values find none.
CREATE TABLE money_m (a money_micro);
CREATE TABLE money_n (b numeric);
INSERT INTO money_m SELECT idem.from_minor(i % 700, 'CNY') FROM generate_series(-100, 2000) AS i;
INSERT INTO money_m VALUES (NULL), ('2305843009213.693951'), ('-2305843009213.693951');
INSERT INTO money_n SELECT i % 900 / 100.0 FROM generate_series(-50, 2000) AS i;
INSERT INTO money_n VALUES (NULL), ('NaN'), ('Infinity'), ('-Infinity'), (1e300), (-1e300), (2305843009213.693951), (1.0000001);
ANALYZE money_m;
ANALYZE money_n;
SELECT count(*) AS by_text FROM money_m JOIN money_n ON a::numeric::text = trim_scale(b)::numeric(30, 6)::text AND b = round(b, 6) AND b <> 'NaN' AND abs(b) < 1e15;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT count(*) AS nested FROM money_m JOIN money_n ON a = b;
RESET enable_mergejoin;
SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM money_m JOIN money_n ON a = b;
SELECT count(*) AS merged FROM money_m JOIN money_n ON a = b;
SELECT count(*) AS merged, count(a) AS of_money, count(b) AS of_numeric FROM money_n FULL JOIN money_m ON b = a;
RESET ALL;
SET client_min_messages = warning;

-- Partitions by amounts, asked for by numeric.
CREATE TABLE money_by_range (a money_micro) PARTITION BY RANGE (a);
CREATE TABLE money_small PARTITION OF money_by_range FOR VALUES FROM (MINVALUE) TO ('10');
CREATE TABLE money_large PARTITION OF money_by_range FOR VALUES FROM ('10') TO (MAXVALUE);
CREATE TABLE money_hundred PARTITION OF money_by_range FOR VALUES FROM (100) TO (200);
INSERT INTO money_by_range SELECT idem.from_major(i) FROM generate_series(1, 20) AS i;
EXPLAIN (COSTS OFF) SELECT FROM money_by_range WHERE a >= 10.000000;
EXPLAIN (COSTS OFF) SELECT FROM money_by_range WHERE a > 9.9999999;
CREATE TABLE money_by_hash (a money_micro) PARTITION BY HASH (a);
CREATE TABLE money_hash_0 PARTITION OF money_by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE money_hash_1 PARTITION OF money_by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO money_by_hash SELECT a FROM money_by_range;
-- The hash of a numeric is another one, so it chooses no partition.
SELECT count(*) AS found FROM generate_series(1, 20) AS i, LATERAL (SELECT FROM money_by_hash WHERE a = i::numeric) AS p;
SELECT count(*) AS found FROM generate_series(1, 20) AS i, LATERAL (SELECT FROM money_by_hash WHERE a = idem.from_major(i)) AS p;

-- Foreign keys: from numeric, but not from integers.
CREATE TABLE money_child (a money_micro REFERENCES money_used ON UPDATE CASCADE, n numeric REFERENCES money_used ON UPDATE CASCADE);
INSERT INTO money_child VALUES ('1.00', 1.000);
INSERT INTO money_child VALUES (NULL, 1.001);
UPDATE money_used SET amount = '77' WHERE amount = 1;
TABLE money_child;
DELETE FROM money_used WHERE amount = 77;
SELECT pg_temp.answer('CREATE TABLE money_cents_child (a int8 REFERENCES money_used)') AS of_integers;

-- Frames as wide as the range; no negative width, no width of another type.
SELECT a, count(*) OVER (ORDER BY a RANGE BETWEEN '2305843009213.693951' PRECEDING AND '2305843009213.693951' FOLLOWING) AS near,
       count(*) OVER (ORDER BY a DESC RANGE BETWEEN '0.000001' PRECEDING AND '0' FOLLOWING) AS alone
  FROM unnest('{-2305843009213.693951,0,2305843009213.693951}'::money_micro[]) AS a;
SELECT e AS frame, pg_temp.answer(format('SELECT count(*) OVER (ORDER BY amount RANGE BETWEEN %s PRECEDING AND CURRENT ROW) FROM money_used LIMIT 1', e)) AS answer
  FROM unnest(ARRAY['''1''', '''-1''', '1', '1.5']) AS e;

-- Statistics: numeric and amount are estimated alike.
CREATE TABLE money_estimated AS SELECT idem.from_major(i % 10) AS a, idem.from_major(i % 10) AS b FROM generate_series(1, 10000) AS i;
CREATE STATISTICS money_statistics (mcv, ndistinct, dependencies) ON a, b FROM money_estimated;
ANALYZE money_estimated;
CREATE FUNCTION pg_temp.estimate(query text) RETURNS int
    LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END $$;
SELECT e AS condition, pg_temp.estimate('SELECT FROM money_estimated WHERE ' || e) AS rows
  FROM unnest(ARRAY['a = ''3''', 'a = 3.0', 'a > ''6''', 'a > 6.0', '6.0 < a', 'a <> 3', 'a = ''3'' AND b = ''3''']) AS e;

-- What the catalog should say: each comparison has its mirror and its opposite, and an estimator of its kind.
SELECT count(*) AS comparisons, count(*) FILTER (WHERE oprcom = 0 OR oprnegate = 0 OR oprrest = 0 OR oprjoin = 0) AS incomplete,
       count(*) FILTER (WHERE (SELECT (c.oprleft, c.oprright, c.oprcom) IS DISTINCT FROM (o.oprright, o.oprleft, o.oid) FROM pg_operator AS c WHERE c.oid = o.oprcom)) AS bad_mirrors,
       count(*) FILTER (WHERE (SELECT (c.oprleft, c.oprright, c.oprnegate) IS DISTINCT FROM (o.oprleft, o.oprright, o.oid) FROM pg_operator AS c WHERE c.oid = o.oprnegate)) AS bad_opposites,
       count(*) FILTER (WHERE oprrest::text <> CASE oprname WHEN '=' THEN 'eqsel' WHEN '<>' THEN 'neqsel' WHEN '<' THEN 'scalarltsel' WHEN '<=' THEN 'scalarlesel'
                                                            WHEN '>' THEN 'scalargtsel' ELSE 'scalargesel' END) AS bad_estimators
  FROM pg_operator AS o WHERE 'money_micro'::regtype IN (oprleft, oprright) AND oprresult = 'bool'::regtype;
-- None says that it hashes or merges without a family that does.
SELECT count(*) FILTER (WHERE oprcanhash <> EXISTS (SELECT FROM pg_amop JOIN pg_am AS m ON m.oid = amopmethod WHERE amopopr = o.oid AND amname = 'hash')) AS bad_hash,
       count(*) FILTER (WHERE oprcanmerge AND NOT EXISTS (SELECT FROM pg_amop JOIN pg_am AS m ON m.oid = amopmethod WHERE amopopr = o.oid AND amname = 'btree' AND amopstrategy = 3)) AS bad_merge
  FROM pg_operator AS o WHERE 'money_micro'::regtype IN (oprleft, oprright);
DROP TABLE money_used, money_generated, money_wires, money_m, money_n, money_by_range, money_by_hash, money_child, money_estimated;
DROP TYPE money_pair;
DROP DOMAIN money_price;
