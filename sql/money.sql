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
                    '1e', '1E+', 'e3', '.e3', '1e3.0', '1e--3', '1ee3', '1 e3', '1e 3', '1e3 0', '1e3e3', '1e0x1', 'Infinitye1', '0x10', '1_000', '1,000', '1,000.00', '12,50', '$5', '5 USD', E'\xc2\xa55', '5%',
                    E'\xd9\xa5', E'\xef\xbc\x95', E'5\xc2\xa0', E'\xe2\x88\x925', 'NaN', 'Infinity', '-Infinity', 'inf', 'null', 'abc',
                    '5x', 'x5', '99999999999999999999x', '99999999999999999999e']) AS t;

-- A number, but no amount: 22003.
SELECT pg_temp.sqlstate_of(format('SELECT %L::money_micro', t)) AS sqlstate, t AS text
  FROM unnest('{0.0000001,1.2345678,-0.0000001,2305843009213.6939510000001,2305843009213.693952}'::text[]) AS t;

-- Exponents (first day 11): the number that they say, as numeric reads it, or refused like any other.
SELECT t AS text, t::money_micro AS amount, t::money_micro = t::numeric AS same
  FROM unnest('{1e3,1E+3,1e-6,0.1234e2,-12.5E-1,+1e0,1e00000000000000000003,.5e1,5.e1,0e5,-0e-5,0.000e999,12300000000e-10,
                0.00000000000012e12,2305843009213693951e-6,-0.2305843009213693951e+13,1.0000000e0,100000001e-8,0.000001e0,
                1e12,0001e-0006," 1e1 "}'::text[]) AS t
 WHERE pg_temp.sqlstate_of(format('SELECT %L::money_micro', t)) = 'accepted';
SELECT t AS text, pg_temp.sqlstate_of(format('SELECT %L::money_micro', t)) AS sqlstate
  FROM unnest('{100000001e-8,1e-7,-1e-7,12345678e-7,0.1e-6,1e13,-1e13,2305843009213693952e-6,2305843009214e0,1e12345678901234567890,
                1e-12345678901234567890,1e2147483648,1e-2147483649,1e4294967297,1e9223372036854775808,1e18446744073709551617}'::text[]) AS t;
-- However long the text and whatever its exponent, nothing is lost and the work is that of its characters.
SELECT ('0.' || repeat('0', 100000) || '12e100002')::money_micro AS small, ('12' || repeat('0', 100000) || 'e-100000')::money_micro AS large,
       (repeat('0', 100000) || '.' || repeat('0', 100000) || 'e-' || repeat('9', 100000))::money_micro AS zero;
SELECT ('0.' || repeat('0', 100000) || '12e99995')::money_micro;
SELECT ('12' || repeat('0', 100000) || '1e-100000')::money_micro;
SELECT ('1e' || repeat('0', 100000) || '13')::money_micro;

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
COPY money_cents FROM stdin;
123e-4	{1e2,1E-2}
\.
COPY money_cents FROM stdin;
123e-7	{}
\.
COPY money_cents FROM stdin;
0.01	{1e-3}
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
-- Refused: one past either end and the smallest int64.
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\040\000\000\000\000\000\000\000\377\377"' with (format binary)
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\340\000\000\000\000\000\000\000\377\377"' with (format binary)
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\200\000\000\000\000\000\000\000\377\377"' with (format binary)
-- Text sent as binary (first day 18) is called so whatever its length; other bytes are of a wrong number.
\set VERBOSITY default
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\01012345.67\377\377"' with (format binary)
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\00512.30\377\377"' with (format binary)
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\0110000012.3\377\377"' with (format binary)
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\001%%\377\377"' with (format binary)
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\170%0120d\377\377" 12' with (format binary)
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\004\000\000\000\005\377\377"' with (format binary)
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\000\377\377"' with (format binary)
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\040\000\000\000\000\000\000\000\377\377"' with (format binary)
\set VERBOSITY sqlstate
-- The decimals of a column count here too.
ALTER TABLE money_wire ALTER amount TYPE money_micro(1) USING NULL;
\copy money_wire from program 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\000\000\000\000\000\000\047\020\377\377"' with (format binary)
DROP TABLE money_wire;

-- The type itself: a number by category, but nobody's preferred one, 8 bytes by value.
SELECT typnamespace::regnamespace, typlen, typbyval, typalign, typcategory, typispreferred
  FROM pg_type WHERE oid = 'money_micro'::regtype;
