-- Public test vectors and a second list of currencies, read from :data.
--
-- One row a question comes out: how many cases it was asked of, and how many
-- are wrong, which has to be none; then the wrong cases themselves, and last
-- how the two lists of currencies differ.  vectors.sh says where the files
-- come from.

\set ON_ERROR_STOP on
\pset footer off
SET client_min_messages = warning;
CREATE SCHEMA vectors;
SET search_path = vectors;

CREATE TABLE parse (id text, op text, input text, kind text, micro text);
CREATE TABLE exact_ops (id text, op text, a text, b text, expected text, a_micro text, b_micro text, expected_micro text);
CREATE TABLE quantize (id text, value text, quantum text, rounding text, precision text, expected text, flags text);
CREATE TABLE iso (entity text, currency text, code text, numeric_code text, minor_unit text, withdrawn text);
COPY parse FROM :'parse' (FORMAT csv, DELIMITER E'\t', HEADER, NULL '-none-');
COPY exact_ops FROM :'exact_ops' (FORMAT csv, DELIMITER E'\t', HEADER, NULL '-none-');
COPY quantize FROM :'quantize' (FORMAT csv, DELIMITER E'\t', HEADER, NULL '-none-');
COPY iso FROM :'iso' (FORMAT csv, HEADER, NULL '-none-');

-- What an expression gives: its text, or the SQLSTATE of its refusal.
CREATE FUNCTION answer(expression text, VARIADIC arguments text[]) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE 'SELECT (' || expression || ')::text' INTO result USING arguments[1], arguments[2], arguments[3];
    RETURN result;
EXCEPTION WHEN data_exception THEN
    RETURN SQLSTATE;
END $$;

-- The answer that is right for so many millionths.
CREATE FUNCTION amount(micros numeric) RETURNS text
    LANGUAGE sql AS $$
    SELECT CASE WHEN abs(micros) > 2305843009213693951 THEN '22003' ELSE idem.from_micro(micros::int8)::text END
    $$;

CREATE TABLE result (question text, id text, got text, expected text);

-- Text: decimals with and without an exponent are amounts, or out of range; what needs rounding, is special or
-- not a number is refused.
INSERT INTO result
    SELECT 'text: plain decimals', id, answer('$1::pg_catalog.money_micro', t), amount(micro::numeric)
      FROM (SELECT *, input::json #>> '{}' AS t FROM parse) AS p WHERE kind = 'fits_micro' AND t !~* 'e';
INSERT INTO result
    SELECT 'text: exponents', id, answer('$1::pg_catalog.money_micro', t), amount(micro::numeric)
      FROM (SELECT *, input::json #>> '{}' AS t FROM parse) AS p WHERE kind = 'fits_micro' AND t ~* 'e';
INSERT INTO result
    SELECT 'numeric: with and without exponent', id, answer('$1::numeric::pg_catalog.money_micro', t), amount(micro::numeric)
      FROM (SELECT *, input::json #>> '{}' AS t FROM parse) AS p WHERE kind = 'fits_micro';
INSERT INTO result
    SELECT 'text: too fine or too large', id, answer('$1::pg_catalog.money_micro', t), '22003'
      FROM (SELECT *, input::json #>> '{}' AS t FROM parse) AS p WHERE kind = 'needs_rounding_or_too_big';
INSERT INTO result
    SELECT 'numeric: too fine or too large', id, answer('$1::numeric::pg_catalog.money_micro', t), 'refused'
      FROM (SELECT *, input::json #>> '{}' AS t FROM parse) AS p WHERE kind = 'needs_rounding_or_too_big';
INSERT INTO result
    SELECT 'text: special and invalid', id, answer('$1::pg_catalog.money_micro', t), '22P02'
      FROM (SELECT *, input::json #>> '{}' AS t FROM parse) AS p WHERE kind IN ('special', 'invalid');

-- Sums, differences, order, products.
INSERT INTO result
    SELECT 'exact: ' || op, id,
           answer(CASE op WHEN 'add' THEN 'idem.from_micro($1::int8) + idem.from_micro($2::int8)'
                          WHEN 'subtract' THEN 'idem.from_micro($1::int8) - idem.from_micro($2::int8)'
                          WHEN 'compare' THEN 'idem.money_micro_cmp(idem.from_micro($1::int8), idem.from_micro($2::int8))'
                          ELSE $q$idem.multiply(idem.from_micro($1::int8), $3::numeric, 6, 'unnecessary')$q$ END,
                  a_micro, b_micro, b),
           CASE WHEN op = 'compare' THEN expected
                WHEN expected_micro = '' THEN '22003'
                ELSE amount(expected_micro::numeric) END
      FROM exact_ops WHERE abs(a_micro::numeric) <= 2305843009213693951 AND abs(b_micro::numeric) <= 2305843009213693951;
INSERT INTO result
    SELECT 'exact: operands out of range', id, answer('idem.from_micro($1::int8) + idem.from_micro($2::int8)', a_micro, b_micro), '22003'
      FROM exact_ops WHERE abs(a_micro::numeric) > 2305843009213693951 OR abs(b_micro::numeric) > 2305843009213693951;

-- Rounding: the exponent of the quantum is the scale.  Results that some precision of the vectors could not
-- hold, and scales that amounts do not have, are other questions.
CREATE VIEW rounding AS
    SELECT *, length(coalesce(substring(quantum FROM '[.]([0-9]*)'), '')) - coalesce(substring(quantum FROM '[eE]([-+]?[0-9]+)$'), '0')::numeric AS scale
      FROM quantize WHERE quantum ~* '^[-+]?[0-9]*[.]?[0-9]*(e[-+]?[0-9]+)?$' AND value ~* '^[-+]?[0-9]*[.]?[0-9]*(e[-+]?[0-9]{1,3})?$';
INSERT INTO result
    SELECT 'rounding: ' || rounding, id, answer('idem.round($1::numeric, $2::int, $3::idem.rounding_mode)', value, scale::text, rounding),
           CASE WHEN abs(expected::numeric) > 2305843009213.693951 THEN '22003' ELSE expected::numeric::pg_catalog.money_micro::text END
      FROM rounding WHERE scale BETWEEN 0 AND 6 AND flags !~ 'Invalid';
INSERT INTO result
    SELECT 'rounding: other scales', id, answer('idem.round($1::numeric, $2::int, $3::idem.rounding_mode)', value, scale::text, rounding), '22023'
      FROM rounding WHERE scale NOT BETWEEN 0 AND 6 AND abs(scale) < 1000000;

-- Currencies: every code that is in force in both lists has the same number and the same minor units.
CREATE VIEW second AS
    SELECT code, min(numeric_code) AS numeric_code, min(nullif(minor_unit, '-')) FILTER (WHERE withdrawn = '') AS minor_units, bool_and(withdrawn <> '') AS withdrawn
      FROM (SELECT code, lpad(numeric_code, 3, '0') AS numeric_code, minor_unit, withdrawn FROM iso WHERE code <> '') AS i
     GROUP BY code;
INSERT INTO result
    SELECT 'ISO 4217: number and minor units', code,
           format('%s %s', c.numeric_code, coalesce(c.minor_units::text, 'none')), format('%s %s', s.numeric_code, coalesce(s.minor_units, 'none'))
      FROM idem.currency AS c JOIN second AS s USING (code) WHERE builtin AND NOT c.withdrawn AND NOT s.withdrawn;

SELECT question, count(*) AS cases,
       count(*) FILTER (WHERE CASE WHEN expected = 'refused' THEN got IN ('22P02', '22003') ELSE got = expected END IS NOT TRUE) AS wrong
  FROM result GROUP BY question ORDER BY min(ctid);
SELECT * FROM result
 WHERE CASE WHEN expected = 'refused' THEN got IN ('22P02', '22003') ELSE got = expected END IS NOT TRUE;

-- In one list only: amendments between the dates of the two.
\echo
\echo Codes that are in force in one of the lists only:
SELECT code, c.name, CASE WHEN s.code IS NULL THEN 'not in the second list' WHEN c.withdrawn THEN 'withdrawn here, in force there'
                          ELSE 'withdrawn there, in force here' END AS difference
  FROM idem.currency AS c LEFT JOIN second AS s USING (code)
 WHERE builtin AND (s.code IS NULL AND NOT c.withdrawn OR c.withdrawn <> s.withdrawn)
UNION ALL
SELECT code, NULL, 'not here' FROM second WHERE NOT withdrawn AND code NOT IN (SELECT code FROM idem.currency WHERE builtin)
 ORDER BY 1;
DROP SCHEMA vectors CASCADE;
