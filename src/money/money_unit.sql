
-- ---------------------------------------------------------------------------
-- money: whole units, minor units and millionths, each by its name
--
-- All of them exact or 22003.  Those that take a currency read idem.currency
-- and are therefore STABLE, not IMMUTABLE.
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.from_major(units pg_catalog.int8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_major';
COMMENT ON FUNCTION idem.from_major(pg_catalog.int8) IS
    'so many whole units as an amount: 5 is 5.00; 22003 out of range';

CREATE FUNCTION idem.from_micro(micros pg_catalog.int8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_micro';
COMMENT ON FUNCTION idem.from_micro(pg_catalog.int8) IS
    'so many millionths of a unit as an amount: 5 is 0.000005; 22003 out of range';

-- an amount is its millionths, so there is nothing to do
CREATE FUNCTION idem.to_micro(amount pg_catalog.money_micro) RETURNS pg_catalog.int8
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'int8up';
COMMENT ON FUNCTION idem.to_micro(pg_catalog.money_micro) IS
    'the amount as a number of millionths of a unit';

CREATE FUNCTION idem.from_scaled(units pg_catalog.int8, scale pg_catalog.int4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_scaled_int8';
COMMENT ON FUNCTION idem.from_scaled(pg_catalog.int8, pg_catalog.int4) IS
    'so many units of 10^-scale as an amount: (1230, 2) is 12.30; 22003 if not exact or out of range, 22023 for a scale outside 0 to 18';

CREATE FUNCTION idem.from_scaled(units pg_catalog.text, scale pg_catalog.int4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_scaled_text';
COMMENT ON FUNCTION idem.from_scaled(pg_catalog.text, pg_catalog.int4) IS
    'text of digits, zero-padded or not, as units of 10^-scale: (''000001230'', 2) is 12.30; 22P02 for anything but digits and a sign, 22003 if not exact or out of range, 22023 for a scale outside 0 to 18';

CREATE FUNCTION idem.minor_units(currency pg_catalog.text) RETURNS pg_catalog.int4
    STABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_minor_units';
COMMENT ON FUNCTION idem.minor_units(pg_catalog.text) IS
    'decimals of the currency''s minor unit; 22023 if idem.currency does not have it or has none for it';

CREATE FUNCTION idem.from_minor(units pg_catalog.int8, currency pg_catalog.text) RETURNS pg_catalog.money_micro
    STABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_minor_int8';
COMMENT ON FUNCTION idem.from_minor(pg_catalog.int8, pg_catalog.text) IS
    'so many minor units of the currency as an amount: (1230, ''CNY'') is 12.30; 22003 out of range, 22023 unknown currency';

CREATE FUNCTION idem.from_minor(units pg_catalog.text, currency pg_catalog.text) RETURNS pg_catalog.money_micro
    STABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_minor_text';
COMMENT ON FUNCTION idem.from_minor(pg_catalog.text, pg_catalog.text) IS
    'text of digits, zero-padded or not, as minor units of the currency; 22P02 for anything but digits and a sign, 22003 out of range, 22023 unknown currency';

CREATE FUNCTION idem.to_minor(amount pg_catalog.money_micro, currency pg_catalog.text) RETURNS pg_catalog.int8
    STABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_to_minor';
COMMENT ON FUNCTION idem.to_minor(pg_catalog.money_micro, pg_catalog.text) IS
    'the amount in minor units of the currency: (12.30, ''CNY'') is 1230; 22003 if not exact, 22023 unknown currency';

CREATE FUNCTION idem.to_minor_text(amount pg_catalog.money_micro, currency pg_catalog.text, width pg_catalog.int4) RETURNS pg_catalog.text
    STABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_to_minor_text';
COMMENT ON FUNCTION idem.to_minor_text(pg_catalog.money_micro, pg_catalog.text, pg_catalog.int4) IS
    'the amount in minor units of the currency as so many digits, zero-padded: (12.30, ''CNY'', 12) is 000000001230; 22003 if not exact, negative or too wide, 22023 unknown currency or a width outside 1 to 64';

CREATE FUNCTION idem.format(amount pg_catalog.money_micro, currency pg_catalog.text) RETURNS pg_catalog.text
    STABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_format_currency';
COMMENT ON FUNCTION idem.format(pg_catalog.money_micro, pg_catalog.text) IS
    'the amount for people: CNY 1,234.50, with the decimals of the currency and more if there are; not to be read back; 22023 unknown currency';
