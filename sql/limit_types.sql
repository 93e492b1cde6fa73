-- A limit in each of its types, up to both ends of the type.
\set SHOW_CONTEXT never
CREATE SCHEMA limit_types;
SET search_path = limit_types;
CREATE FUNCTION make(type text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DROP TABLE IF EXISTS refund, payment;
    EXECUTE format('CREATE TABLE payment (id int PRIMARY KEY, cap %1$s NOT NULL);
                    CREATE TABLE refund (payment_id int NOT NULL REFERENCES payment, amount %1$s, status text)', type);
    PERFORM idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'cap', used => 'used',
                             state => 'status', released => '{failed}');
END $$;
SET client_min_messages = warning;

-- bigint: the sum of two large amounts does not overflow, it exceeds
SELECT make('bigint');
INSERT INTO payment VALUES (1, 9223372036854775807);
INSERT INTO refund VALUES (1, 9223372036854775807);
INSERT INTO refund VALUES (1, 9223372036854775807);
INSERT INTO refund VALUES (1, 1);
INSERT INTO refund VALUES (1, -9223372036854775808);
UPDATE refund SET status = 'failed';
INSERT INTO refund VALUES (1, 1);
SELECT *, idem.remaining('refund', id::text) FROM payment;
INSERT INTO payment VALUES (2, -1);
INSERT INTO payment VALUES (3, NULL);

-- integer
SELECT make('integer');
INSERT INTO payment VALUES (1, 2147483647);
INSERT INTO refund VALUES (1, 2147483647);
INSERT INTO refund VALUES (1, 2147483647);
SELECT *, idem.remaining('refund', id::text) FROM payment;

-- numeric: with the scale of the cap
SELECT make('numeric(10,2)');
INSERT INTO payment VALUES (1, 100);
INSERT INTO refund VALUES (1, 33.333), (1, 33.333), (1, 33.333);
INSERT INTO refund VALUES (1, 0.004);
INSERT INTO refund VALUES (1, 0.02);
INSERT INTO refund VALUES (1, 0.01);
SELECT *, idem.remaining('refund', id::text) FROM payment;

-- numeric without end: no NaN and no Infinity on either side of the limit
SELECT make('numeric');
INSERT INTO payment VALUES (1, 100), (4, 0);
INSERT INTO payment VALUES (2, 'NaN');
INSERT INTO payment VALUES (2, 'Infinity');
INSERT INTO refund VALUES (1, 'NaN');
INSERT INTO refund VALUES (1, 'Infinity');
INSERT INTO refund VALUES (1, '-Infinity');
INSERT INTO refund VALUES (1, 99.99999999999999999999999999999);
INSERT INTO refund VALUES (1, 0.00000000000000000000000000002);
INSERT INTO refund VALUES (1, 0.00000000000000000000000000001);
INSERT INTO refund VALUES (1, 1e-40);
INSERT INTO refund VALUES (4, 1e-40);
SELECT *, idem.remaining('refund', id::text) FROM payment;

-- money_micro
SELECT make('money_micro');
INSERT INTO payment VALUES (1, '2305843009213.693951'), (2, '100');
INSERT INTO refund VALUES (1, '2305843009213.693951');
INSERT INTO refund VALUES (1, '2305843009213.693951');
INSERT INTO refund VALUES (2, '60'), (2, '39.999999');
INSERT INTO refund VALUES (2, '0.000002');
INSERT INTO refund VALUES (2, '0');
INSERT INTO refund VALUES (2, '-0.000001');
INSERT INTO refund VALUES (2, '0.000001');
UPDATE refund SET status = 'failed' WHERE amount = 60::numeric;
SELECT *, idem.remaining('refund', id::text) FROM payment ORDER BY id;
\d payment
-- with rows that are there already
DROP TABLE refund, payment;
CREATE TABLE payment (id int PRIMARY KEY, cap money_micro(2) NOT NULL);
CREATE TABLE refund (payment_id int NOT NULL REFERENCES payment, amount money_micro);
INSERT INTO payment VALUES (1, '100'), (2, '100');
INSERT INTO refund VALUES (1, 60.001), (1, 39.999);
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'cap', used => 'used', released => NULL);
SELECT * FROM payment ORDER BY id;
INSERT INTO refund VALUES (1, 0.01);

-- a domain is the type below it
CREATE DOMAIN yuan AS numeric(12,2) CHECK (VALUE >= 0);
SELECT make('yuan');
INSERT INTO payment VALUES (1, 100);
INSERT INTO refund VALUES (1, 60);
INSERT INTO refund VALUES (1, 60);
SELECT * FROM payment;
-- an amount finer than the running total would be rounded into it, so the
-- total is made as fine as the finer of both
DROP TABLE refund, payment;
CREATE TABLE payment (id int PRIMARY KEY, cap numeric(10,2) NOT NULL);
CREATE TABLE refund (payment_id int NOT NULL REFERENCES payment, amount numeric(10,4));
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'cap', used => 'used', released => NULL);
INSERT INTO payment VALUES (1, 1);
INSERT INTO refund VALUES (1, 0.0051), (1, 0.0051);
SELECT * FROM payment;
DROP TABLE refund, payment;
CREATE TABLE payment (id int PRIMARY KEY, cap numeric(10,2) NOT NULL, used numeric(10,2));
CREATE TABLE refund (payment_id int NOT NULL REFERENCES payment, amount numeric(10,4));
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'cap', used => 'used', released => NULL);

-- types that round, or hold too little, are no money
CREATE FUNCTION sqlstate_of_make(type text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN PERFORM make(type); RETURN 'made'; EXCEPTION WHEN others THEN RETURN SQLSTATE || ': ' || SQLERRM; END $$;
SELECT sqlstate_of_make(t) FROM unnest('{float8,real,money,smallint,text,interval}'::text[]) t;

-- Keys of several columns, of text and of a domain.
CREATE TABLE account (tenant int, no text, line numeric NOT NULL, PRIMARY KEY (tenant, no));
CREATE TABLE use (tenant int NOT NULL, no varchar(10) NOT NULL, amount numeric,
                  FOREIGN KEY (no, tenant) REFERENCES account (no, tenant));
SELECT idem.guard_limit('use', '{tenant,no}', amount => 'amount', cap => 'line', used => 'taken', released => NULL);
INSERT INTO account VALUES (1, 'a', 10), (2, 'a', 20), (1, 'b', 30);
INSERT INTO use VALUES (1, 'a', 10), (2, 'a', 15), (1, 'b', 25);
INSERT INTO use VALUES (1, 'a', 1);
INSERT INTO use VALUES (2, 'a', 6);
INSERT INTO use VALUES (2, 'a', 5);
SELECT * FROM account ORDER BY 1, 2;
-- the key is that of the parent, by its own names (first day 12)
SELECT idem.remaining('use', '{"no": "b", "tenant": 1}'), idem.remaining('use', jsonb_build_object('tenant', 1, 'no', 'x')::text);
SELECT idem.remaining('use', 'b');
SELECT idem.remaining('use', '{"no": "b"}');
SELECT idem.remaining('use', '{"no": "b", "line": 1}');
SELECT idem.remaining('use', '{"no": "b", "tenant": "x"}');
SELECT idem.remaining('use', '{"no": "b", "tenant": null}');
SELECT idem.remaining('use', NULL) IS NULL AS unknown;
SELECT idem.remaining('account', 'b');
DROP TABLE use;
CREATE TABLE use (tenant int NOT NULL, no varchar(10) NOT NULL, amount numeric,
                  FOREIGN KEY (tenant, no) REFERENCES account);
SELECT idem.guard_limit('use', ARRAY['no', 'tenant'], amount => 'amount', cap => 'line', used => 'used', released => NULL);
INSERT INTO use VALUES (2, 'a', 21);
DROP TABLE use;
CREATE TABLE voucher (code char(8) PRIMARY KEY, amount int NOT NULL);
CREATE TABLE use (code char(8) NOT NULL REFERENCES voucher, amount int);
SELECT idem.guard_limit('use', 'code', amount => 'amount', cap => 'amount', used => 'used', released => NULL);
INSERT INTO voucher VALUES ('abc', 10);
INSERT INTO use VALUES ('abc', 7);
INSERT INTO use VALUES ('abc  ', 4);
SELECT idem.remaining('use', 'abc'), idem.remaining('use', 'abc'::char(8));

DROP SCHEMA limit_types CASCADE;
