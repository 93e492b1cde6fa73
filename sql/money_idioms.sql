--
-- money_idioms: what users write, what it gives, and where it is refused, the
-- hint that says what to write
--
CREATE SCHEMA money_idioms;
SET search_path = money_idioms;
SET client_min_messages = warning;
CREATE TABLE payment (id int PRIMARY KEY, amount money_micro NOT NULL, fee money_micro, n numeric, fen int);
INSERT INTO payment VALUES (1, 100.00, 0.60, 100, 10000), (2, 0.000001, NULL, 0.5, 5), (3, 19.99, 0, 19.99, 1999);

-- value and type of an expression over the rows, or SQLSTATE, message and hint
CREATE FUNCTION gives(expression text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v text;
    t text;
    h text;
BEGIN
    EXECUTE format('SELECT string_agg(v::text, '', ''), min(t) FROM (SELECT (%s) AS v, pg_typeof(%1$s)::text AS t FROM (SELECT * FROM payment ORDER BY id) p) s', expression) INTO v, t;
    RETURN format('%s (%s)', coalesce(v, 'NULL'), t);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS h = PG_EXCEPTION_HINT;
    -- what the server says to every operator that is not there is left out
    RETURN concat_ws(' | ', SQLSTATE || ': ' || SQLERRM, CASE WHEN h <> '' AND h !~ 'explicit type casts' THEN h END);
END $$;
\pset format unaligned
\pset fieldsep '  =>  '
\pset footer off

-- ------------------------------------------------------------ sums and zeros
SELECT e, gives(e) FROM (VALUES
    (1, $$sum(amount)$$), (2, $$coalesce(sum(amount), '0')$$), (3, $$coalesce(sum(amount), 0)$$), (4, $$coalesce(sum(amount), 0.00)$$),
    (5, $$coalesce(fee, '0')$$), (6, $$coalesce(fee, 0)$$), (7, $$coalesce(fee, 0::money_micro)$$), (8, $$coalesce(fee, amount)$$),
    (9, $$sum(amount) FILTER (WHERE id < 3)$$), (10, $$sum(coalesce(fee, '0'))$$), (11, $$sum(amount - coalesce(fee, '0'))$$),
    (12, $$sum(amount) / count(*)$$), (13, $$avg(amount)$$), (14, $$idem.divide(sum(amount), count(*)::int, 2, 'half_even')$$),
    (15, $$max(amount)$$), (16, $$min(nullif(amount, '0'))$$), (17, $$count(DISTINCT amount)$$), (18, $$sum(amount::numeric)$$)) v (n, e) ORDER BY n;

-- ---------------------------------------------------------------- arithmetic
SELECT e, gives(e) FROM (VALUES
    (1, $$amount + fee$$), (2, $$amount + 1.50$$), (3, $$amount - 1.50$$), (4, $$amount + '1'$$), (5, $$amount + 1$$), (6, $$amount - 100$$),
    (7, $$amount * 2$$), (8, $$2 * amount$$), (9, $$amount * 0.06$$), (10, $$amount * 0.06::numeric$$), (11, $$amount * 1.0::float8$$),
    (12, $$idem.multiply(amount, 0.06, 2, 'half_up')$$), (13, $$amount / 2$$), (14, $$amount / 3.0$$), (15, $$amount / amount$$),
    (16, $$fee / amount * 100$$), (17, $$amount * fee$$), (18, $$-amount$$), (19, $$abs(-amount)$$), (20, $$sign(amount)$$), (21, $$amount % 1.00$$),
    (22, $$round(amount, 2)$$), (23, $$idem.round(amount, 2, 'half_even')$$), (24, $$trunc(amount)$$), (25, $$amount + 0$$), (26, $$amount + fen$$),
    (27, $$amount + idem.from_minor(fen, 'CNY')$$), (28, $$fen::money_micro$$), (29, $$n::money_micro$$), (30, $$amount::int$$), (31, $$amount::numeric::int$$)) v (n, e) ORDER BY n;

-- ----------------------------------------------------------- conditions
SELECT e, gives(e) FROM (VALUES
    (1, $$amount > 10$$), (2, $$amount > 10.5$$), (3, $$amount > '10'$$), (4, $$amount > 10::float8$$), (5, $$amount = 100$$), (6, $$amount = n$$),
    (7, $$amount BETWEEN 0 AND 50$$), (8, $$amount BETWEEN '0' AND '50'$$), (9, $$amount IN (100, 19.99)$$), (10, $$amount IN ('100', '19.99')$$),
    (11, $$amount = ANY ('{100,19.99}')$$), (12, $$amount = ANY (ARRAY[100, 19.99])$$), (13, $$amount = ANY (ARRAY[100.00::money_micro])$$),
    (14, $$amount <> ALL ('{100}')$$), (15, $$amount = ANY ('{100,19.99}'::numeric[])$$), (16, $$amount = ANY ('{100}'::int[])$$),
    (17, $$amount IS DISTINCT FROM fee$$), (18, $$nullif(amount, fee)$$), (19, $$nullif(amount, 0)$$),
    (20, $$greatest(amount, fee)$$), (21, $$greatest(amount, '50')$$), (22, $$greatest(amount, 50.0)$$), (23, $$greatest(amount, 0)$$), (24, $$least(amount, n)$$),
    (25, $$CASE WHEN id = 1 THEN amount ELSE fee END$$), (26, $$CASE WHEN id = 1 THEN amount ELSE '0' END$$), (27, $$CASE WHEN id = 1 THEN amount ELSE 0 END$$),
    (28, $$CASE WHEN id = 1 THEN amount END$$), (29, $$CASE amount WHEN 100.00 THEN 'round' ELSE 'odd' END$$)) v (n, e) ORDER BY n;

-- ------------------------------------------------------- text, JSON, arrays
SELECT e, gives(e) FROM (VALUES
    (1, $$amount::text$$), (2, $$'EUR ' || amount$$), (3, $$format('%s', amount)$$), (4, $$concat(amount, ' EUR')$$), (5, $$to_char(amount, 'FM999.00')$$),
    (6, $$to_char(amount::numeric, 'FM990.00')$$), (7, $$to_jsonb(amount)$$), (8, $$jsonb_build_object('amount', amount)$$), (9, $$('{"a":19.99}'::jsonb->>'a')::money_micro$$),
    (10, $$('{"a":19.99}'::jsonb->'a')::money_micro$$), (11, $$(jsonb_populate_record(NULL::payment, '{"id":9,"amount":"5.00"}')).amount$$),
    (12, $$(jsonb_populate_record(NULL::payment, '{"id":9,"amount":5}')).amount$$), (13, $$(SELECT r.amount FROM jsonb_to_record('{"amount":1.5}') r (amount money_micro))$$),
    (14, $$ARRAY[amount, fee]$$), (15, $$array_agg(amount ORDER BY amount)$$), (16, $$(array_agg(amount))[1]$$), (17, $$row(amount, fee)::text$$), (18, $$md5(amount::text) IS NOT NULL$$)) v (n, e) ORDER BY n;

-- -------------------------------------------------------- sets and windows
SELECT e, gives(e) FROM (VALUES
    (1, $$(SELECT sum(a) FROM (SELECT amount UNION ALL SELECT fee) u (a))$$), (2, $$(SELECT sum(a) FROM (SELECT amount UNION ALL SELECT '0') u (a))$$),
    (3, $$(SELECT sum(a) FROM (SELECT amount UNION ALL SELECT 0) u (a))$$), (4, $$(SELECT sum(a) FROM (SELECT amount UNION ALL SELECT 0.00) u (a))$$),
    (5, $$(SELECT max(a) FROM (VALUES (amount), ('7')) u (a))$$), (6, $$(SELECT max(a) FROM (VALUES (amount), (7)) u (a))$$),
    (7, $$sum(amount) OVER (ORDER BY id)$$), (8, $$amount - lag(amount, 1, '0') OVER (ORDER BY id)$$), (9, $$amount - lag(amount, 1, 0) OVER (ORDER BY id)$$),
    (10, $$rank() OVER (ORDER BY amount DESC)$$), (11, $$(SELECT count(*) FROM generate_series(1, 3) g WHERE g = id AND amount > '0')$$)) v (n, e) ORDER BY n;

-- ------------------------------------------------------------- statements
\pset format aligned
CREATE TABLE bill (id int PRIMARY KEY, net money_micro NOT NULL DEFAULT 0, tax money_micro NOT NULL DEFAULT '0.00',
                   gross money_micro GENERATED ALWAYS AS (net + tax) STORED, CHECK (net >= '0'), CHECK (tax <= net));
INSERT INTO bill (id, net, tax) SELECT id, amount, idem.multiply(amount, 0.19, 2, 'half_up') FROM payment WHERE id <> 2;
UPDATE bill SET net = net + 10.00, tax = tax * 1 WHERE id = 1;
UPDATE bill SET net = DEFAULT, tax = 0 WHERE id = 3;
COPY (SELECT * FROM bill ORDER BY id) TO stdout (FORMAT csv, HEADER);
COPY bill (id, net, tax) FROM stdin (FORMAT csv);
7,5,0.95
8,1E+2,"19.00"
\.
COPY bill (id, net) FROM stdin (FORMAT csv);
9,1.0000001
\.
SELECT * FROM bill ORDER BY gross DESC;
ALTER TABLE bill ADD wrong money_micro DEFAULT 5;
ALTER TABLE bill ADD rate money_micro DEFAULT 0.19;
-- an index is used by amounts, decimals and text; partitions are pruned
CREATE INDEX bill_gross ON bill (gross);
CREATE TABLE by_size (amount money_micro NOT NULL) PARTITION BY RANGE (amount);
CREATE TABLE small PARTITION OF by_size FOR VALUES FROM ('0') TO ('100');
CREATE TABLE large PARTITION OF by_size FOR VALUES FROM ('100') TO (MAXVALUE);
CREATE TABLE wrong PARTITION OF by_size FOR VALUES FROM (-5) TO (0);
SET enable_seqscan = off;
CREATE FUNCTION plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF line ~ 'Scan|Cond|Filter' THEN
            RETURN NEXT trim(line);
        END IF;
    END LOOP;
END $$;
SELECT plan($$SELECT * FROM bill WHERE gross = '5.95'$$);
SELECT plan($$SELECT * FROM bill WHERE gross = 5.95$$);
SELECT plan($$SELECT * FROM bill WHERE gross > 5$$);
SELECT plan($$SELECT * FROM bill WHERE gross = ANY ('{5.95,1}')$$);
SELECT plan($$SELECT * FROM by_size WHERE amount = '5'$$);
SELECT plan($$SELECT * FROM by_size WHERE amount < 50$$);
SELECT plan($$SELECT * FROM by_size WHERE amount < 50.5$$);
PREPARE by_amount (money_micro) AS SELECT * FROM by_size WHERE amount = $1;
SELECT plan($$EXECUTE by_amount (5.00)$$);

DROP SCHEMA money_idioms CASCADE;
