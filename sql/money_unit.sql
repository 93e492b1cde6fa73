--
-- Units of money: each by its name, exact or refused
--
-- Whole units and millionths.
SELECT idem.from_major(5), idem.from_major(-5), idem.from_micro(5), idem.to_micro('0.000005');
SELECT idem.from_major(2305843009213) AS largest, idem.from_major(-2305843009213) AS smallest;
SELECT idem.from_micro(2305843009213693951) AS largest, idem.from_micro(-2305843009213693951) AS smallest;

-- Minor units of the currency: 2, 0, 3 and 4 decimals.
SELECT code, idem.minor_units(code), idem.from_minor(1230, code), idem.to_minor(idem.from_minor(1230, code), code)
  FROM unnest('{CNY,JPY,KWD,CLF}'::text[]) AS code;

-- Text as banks send it, padded with zeros; and back.
SELECT idem.from_minor('000000001230', 'CNY'), idem.from_minor('-0000001230', 'JPY'), idem.from_minor(' 5 ', 'USD'),
       idem.from_minor('0', 'CNY'), idem.from_minor('000000000000000000000000000000000000000000000001', 'CNY');
SELECT idem.to_minor_text('12.30', 'CNY', 12), idem.to_minor_text('1230', 'JPY', 4), idem.to_minor_text('0', 'KWD', 1),
       idem.to_minor_text('2305843009213.69', 'CNY', 64);

-- Scales that are not ISO's, for channels and shares.
SELECT idem.from_scaled(1230, 0), idem.from_scaled(1230, 3), idem.from_scaled('0001230', 3), idem.from_scaled('1230', 6),
       idem.from_scaled(12345600, 8), idem.from_scaled('12345600', 8), idem.from_scaled(1000000000000, 18), idem.from_scaled('7', 5);

-- ISO 4217 as it is: funds, a withdrawn code, a number given out twice.
SELECT count(*), count(*) FILTER (WHERE withdrawn) AS withdrawn, count(*) FILTER (WHERE minor_units IS NULL) AS without,
       bool_and(builtin) AS builtin
  FROM idem.currency;
SELECT minor_units, count(*), CASE WHEN count(*) < 10 THEN string_agg(code, ' ' ORDER BY code) END AS codes
  FROM idem.currency GROUP BY minor_units ORDER BY minor_units;
SELECT code, name, withdrawn FROM idem.currency WHERE numeric_code = '532' ORDER BY code;

-- NULL in, NULL out.
SELECT idem.from_major(NULL), idem.from_minor(NULL::int8, 'CNY'), idem.from_minor(1, NULL), idem.to_minor(NULL, 'CNY'),
       idem.to_minor_text('1', 'CNY', NULL);

-- The messages.
SELECT idem.to_minor('12.345', 'CNY');
SELECT idem.from_minor(1, 'cny');
SELECT idem.from_minor(1, 'XAU');
SELECT idem.from_minor('12.30', 'CNY');
SELECT idem.from_scaled(12345678, 8);
SELECT idem.to_minor_text('-1', 'CNY', 12);
SELECT idem.to_minor_text('12345.67', 'CNY', 6);

\set VERBOSITY sqlstate

-- One past either end, and wherever 64 bits would wrap.
SELECT idem.from_major(2305843009214);
SELECT idem.from_major(-2305843009214);
SELECT idem.from_major(9223372036854775807);
SELECT idem.from_major(-9223372036854775808);
SELECT idem.from_micro(2305843009213693952);
SELECT idem.from_micro(-2305843009213693952);
SELECT idem.from_micro(-9223372036854775808);
SELECT idem.from_minor(230584300921370, 'CNY');
SELECT idem.from_minor('230584300921370', 'CNY');
SELECT idem.from_minor(-9223372036854775808, 'JPY');
SELECT idem.from_scaled('2305843009213693952', 6);
SELECT idem.from_scaled('2305843009213693951000000000000', 18);
SELECT idem.from_scaled('2305843009213693952000000000000', 18);
SELECT idem.from_scaled('99999999999999999999999999999999999999', 18);

-- Not exact.
SELECT idem.to_minor('0.5', 'JPY');
SELECT idem.to_minor('0.0001', 'KWD');
SELECT idem.from_scaled('1', 7);
SELECT idem.from_scaled(1, 18);

-- Not a number of units.
SELECT idem.from_minor('', 'CNY');
SELECT idem.from_minor('-', 'CNY');
SELECT idem.from_minor('1.', 'CNY');
SELECT idem.from_minor('1e3', 'CNY');
SELECT idem.from_minor('0x1', 'CNY');
SELECT idem.from_minor('1 2', 'CNY');

-- Not a currency, scale or width.
SELECT idem.minor_units('');
SELECT idem.minor_units('CNY ');
SELECT idem.minor_units('156');
SELECT idem.to_minor('1', 'XXX');
SELECT idem.from_scaled(1, -1);
SELECT idem.from_scaled('1', 19);
SELECT idem.to_minor_text('1', 'JPY', 0);
SELECT idem.to_minor_text('1', 'JPY', 65);

-- Fractions are not a number of units, and no unit is the default one.
SELECT idem.from_major(1.5);
SELECT idem.from_minor(1.5, 'CNY');
SELECT idem.from_minor(150);

-- Own currencies are added; a wrong code or exponent is not.
INSERT INTO idem.currency (code, minor_units, name) VALUES ('POINTS', 0, 'loyalty points');
SELECT idem.from_minor(15, 'POINTS'), builtin FROM idem.currency WHERE code = 'POINTS';
INSERT INTO idem.currency (code, minor_units, name) VALUES ('points', 0, 'lower case');
INSERT INTO idem.currency (code, minor_units, name) VALUES ('FINE', 7, 'finer than a millionth');
INSERT INTO idem.currency (code, minor_units, name) VALUES ('CNY', 0, 'a second one');
UPDATE idem.currency SET minor_units = 2 WHERE code = 'POINTS';
SELECT idem.from_minor(15, 'POINTS');
DELETE FROM idem.currency WHERE code = 'POINTS';
SELECT idem.from_minor(15, 'POINTS');

-- What is shipped stays: a dump leaves it out, so a change would be undone by the restore.
\set VERBOSITY default
UPDATE idem.currency SET minor_units = 0 WHERE code = 'CNY';
\set VERBOSITY sqlstate
DELETE FROM idem.currency WHERE code = 'CNY';
INSERT INTO idem.currency (code, minor_units, name, builtin) VALUES ('MINE', 0, 'not shipped', true);
TRUNCATE idem.currency;
SET session_replication_role = replica;
DELETE FROM idem.currency WHERE code = 'CNY';
RESET session_replication_role;
BEGIN;
INSERT INTO idem.currency (code, minor_units, name) VALUES ('MINE', 0, 'mine');
UPDATE idem.currency SET builtin = true WHERE code = 'MINE';
ROLLBACK;

-- Everybody may convert, nobody but the owner may change the exponents.
CREATE ROLE regress_idem_money;
SET ROLE regress_idem_money;
SELECT idem.from_minor(1230, 'CNY'), (SELECT minor_units FROM idem.currency WHERE code = 'CNY');
UPDATE idem.currency SET minor_units = 0 WHERE code = 'CNY';
INSERT INTO idem.currency (code, minor_units, name) VALUES ('MINE', 0, 'mine');
RESET ROLE;
DROP ROLE regress_idem_money;

-- For people: the code, groups of three, the decimals of the currency, and more rather than a rounded amount.
\set VERBOSITY default
SELECT amount, idem.format(amount, 'CNY') AS cny, idem.format(amount, 'JPY') AS jpy, idem.format(amount, 'KWD') AS kwd, idem.format(amount, 'CLF') AS clf
  FROM unnest('{0,0.01,-0.01,1,12.3,999,999.99,1000,-1000,1234.5,1234567.891,-1234567.891234,
                2305843009213.693951,-2305843009213.693951}'::money_micro[]) AS amount;
SELECT idem.format(NULL, 'CNY'), idem.format('1', NULL);
SELECT idem.format('1', 'cny');
SELECT idem.format('1', 'XAU');

-- A backend remembers the shipped currencies and none of the user's: a new exponent counts at once, and a
-- rolled-back one never did, in whatever kind of statement.
CREATE FUNCTION pg_temp.minor(code text) RETURNS text
    LANGUAGE plpgsql AS $$
BEGIN
    RETURN idem.from_minor(1500, code);
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN 'unknown';
END $$;
PREPARE minor AS SELECT pg_temp.minor('MILES') AS own, idem.from_minor(1500, 'CNY') AS shipped;
EXECUTE minor;
BEGIN;
INSERT INTO idem.currency (code, minor_units, name) VALUES ('MILES', 0, 'miles');
EXECUTE minor;
SAVEPOINT before;
UPDATE idem.currency SET minor_units = 3 WHERE code = 'MILES';
EXECUTE minor;
ROLLBACK TO before;
EXECUTE minor;
ROLLBACK;
EXECUTE minor;
-- Three letters may be the user's, too.
INSERT INTO idem.currency (code, minor_units, name) VALUES ('MLS', 0, 'miles');
SELECT idem.from_minor(1500, 'MLS');
UPDATE idem.currency SET minor_units = 2 WHERE code = 'MLS';
SELECT idem.from_minor(1500, 'MLS');
DELETE FROM idem.currency WHERE code = 'MLS';
SELECT pg_temp.minor('MLS');
-- Only an upgrade of the extension changes a shipped one: between two statements that invalidate the table,
-- as here, since nobody else may switch its triggers off.
BEGIN;
UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 'idem.currency'::regclass AND tgname = 'currency_update';
GRANT SELECT ON idem.currency TO PUBLIC;
SELECT idem.from_minor(1500, 'CNY');
UPDATE idem.currency SET minor_units = 3 WHERE code = 'CNY';
GRANT SELECT ON idem.currency TO PUBLIC;
SELECT idem.from_minor(1500, 'CNY');
ROLLBACK;
SELECT idem.from_minor(1500, 'CNY');

-- The trigger that keeps them does so in no other way.
SELECT idem.keep_currency();
