--
-- money_micro: what goes in, what comes out, what is refused
--
-- Out: at least two decimals, no more than needed, no minus zero.
SELECT t AS text, t::money_micro AS amount
  FROM unnest('{0,-0,+0,-0.000000,1,-1,+1,.5,-.5,5.,12.3,12.30,12.345,0.000001,-0.000001,1200,00012.3400000000,100.10}'::text[]) AS t;

-- Spaces around are all right, inside they are not.
SELECT E' \t\n\x0b\f\r12.30 \t\n\x0b\f\r'::money_micro;

-- Both ends of the range: 2^61 - 1 millionths.
SELECT '2305843009213.693951'::money_micro AS largest,
       '-2305843009213.693951'::money_micro AS smallest,
       '0000000000000000000002305843009213.6939510000000'::money_micro AS padded;

-- The messages.
SELECT '12,50'::money_micro;
SELECT '1.0000001'::money_micro;
SELECT '2305843009213.693952'::money_micro;
SELECT '12.345'::money_micro(2);

-- From here on only what a client branches on.
\set VERBOSITY sqlstate

-- One past either end, far past, and values that would wrap around 64 bits.
SELECT '2305843009213.693952'::money_micro;
SELECT '-2305843009213.693952'::money_micro;
SELECT '2305843009214'::money_micro;
SELECT '-2305843009214'::money_micro;
SELECT '18446744073709.551616'::money_micro;
SELECT '18446744073709551617'::money_micro;
SELECT '-184467440737095516160000000000000000000001'::money_micro;

-- Not an amount: 22P02, each of them.
CREATE FUNCTION pg_temp.sqlstate_of(command text) RETURNS text
    LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;

SELECT pg_temp.sqlstate_of(format('SELECT %L::money_micro', t)) AS sqlstate, t AS text
  FROM unnest(ARRAY['', ' ', '-', '+', '.', '-.', '--5', '+-5', '5-', '(5)', '- 5', '5 5', '5.5.5', '..5',
                    '1e3', '1E0', '0x10', '1_000', '1,000', '1,000.00', '12,50', '$5', '5 USD', E'\xc2\xa55', '5%',
                    E'\xd9\xa5', E'\xef\xbc\x95', E'5\xc2\xa0', E'\xe2\x88\x925', 'NaN', 'Infinity', '-Infinity', 'inf', 'null', 'abc',
                    '5x', 'x5', '99999999999999999999x', '0.0000001', '1.2345678', '-0.0000001']) AS t;

-- money_micro(n) takes at most n decimals and never rounds.
SELECT '12.3'::money_micro(1), '12'::money_micro(0), '12.30'::money_micro(2), '0.000001'::money_micro(6);
SELECT '12.3'::money_micro(0);
SELECT '12.345'::money_micro(2);
SELECT '-0.000001'::money_micro(5);
SELECT '1'::money_micro(7);
SELECT '1'::money_micro(-1);
SELECT '1'::money_micro(2, 3);

CREATE TABLE money_cents (amount money_micro(2), amounts money_micro(2)[]);
SELECT format_type(atttypid, atttypmod) FROM pg_attribute
 WHERE attrelid = 'money_cents'::regclass AND attnum > 0 ORDER BY attnum;
INSERT INTO money_cents VALUES ('0.01', '{1.10,2.20}');
INSERT INTO money_cents VALUES ('0.001', NULL);
INSERT INTO money_cents VALUES (NULL, '{1.10,2.201}');
INSERT INTO money_cents VALUES (0.001, NULL);
INSERT INTO money_cents SELECT amount * 1 + '0.005' FROM money_cents;
COPY money_cents FROM stdin;
0.001	{}
\.
ALTER TABLE money_cents ALTER amount TYPE money_micro(1);
ALTER TABLE money_cents ALTER amount TYPE money_micro(6);
COPY money_cents FROM stdin;
0.012345	{}
\.
COPY money_cents FROM stdin;
0.0123456	{}
\.
TABLE money_cents;
DROP TABLE money_cents;

-- Binary: the millionths as an 8-byte integer in network order.
SELECT idem.money_micro_send('1.5'), idem.money_micro_send('-0.000001'), idem.money_micro_send('2305843009213.693951');

-- Read back: both ends of the range.
CREATE TABLE money_wire (amount money_micro);
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\000\000\000\000\000\026\343\140\377\377"' with (format binary)
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\037\377\377\377\377\377\377\377\377\377"' with (format binary)
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\340\000\000\000\000\000\000\001\377\377"' with (format binary)
TABLE money_wire;
-- Refused: one past either end, the smallest int64, and eight characters of text.
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\040\000\000\000\000\000\000\000\377\377"' with (format binary)
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\340\000\000\000\000\000\000\000\377\377"' with (format binary)
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\200\000\000\000\000\000\000\000\377\377"' with (format binary)
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\01012345.67\377\377"' with (format binary)
-- Text of any other length: the protocol refuses it.
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\00512.30\377\377"' with (format binary)
-- The decimals of a column count here too.
ALTER TABLE money_wire ALTER amount TYPE money_micro(1) USING NULL;
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\000\000\000\000\000\000\047\020\377\377"' with (format binary)
DROP TABLE money_wire;

-- The type itself: a number by category, but nobody's preferred one, 8 bytes by value.
SELECT typnamespace::regnamespace, typlen, typbyval, typalign, typcategory, typispreferred
  FROM pg_type WHERE oid = 'money_micro'::regtype;
