
-- ---------------------------------------------------------------------------
-- money: rounding by a named rule, parts that add up
--
-- There is no default rule and no setting for one: every call names its rule.
-- ---------------------------------------------------------------------------

CREATE TYPE idem.rounding_mode AS ENUM
    ('half_even', 'half_up', 'half_down', 'up', 'down', 'ceiling', 'floor', 'unnecessary');
COMMENT ON TYPE idem.rounding_mode IS
    'names and meanings of java.math.RoundingMode: up is away from zero, down towards it, unnecessary refuses what is not exact';

CREATE FUNCTION idem.round(amount pg_catalog.money_micro, scale pg_catalog.int4, mode idem.rounding_mode) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_round';
COMMENT ON FUNCTION idem.round(pg_catalog.money_micro, pg_catalog.int4, idem.rounding_mode) IS
    'the amount with at most that many decimals: (2.345, 2, half_even) is 2.34; 22003 out of range or not exact in mode unnecessary, 22023 for a scale outside 0 to 6';

CREATE FUNCTION idem.round(number pg_catalog.numeric, scale pg_catalog.int4, mode idem.rounding_mode) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_round_numeric';
COMMENT ON FUNCTION idem.round(pg_catalog.numeric, pg_catalog.int4, idem.rounding_mode) IS
    'the number as an amount with at most that many decimals, rounded once from all its digits; 22003 out of range, NaN, infinite, or not exact in mode unnecessary, 22023 for a scale outside 0 to 6';

CREATE FUNCTION idem.multiply(amount pg_catalog.money_micro, factor pg_catalog.numeric, scale pg_catalog.int4, mode idem.rounding_mode) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_multiply_rounded';
COMMENT ON FUNCTION idem.multiply(pg_catalog.money_micro, pg_catalog.numeric, pg_catalog.int4, idem.rounding_mode) IS
    'amount times factor (a rate, a price, a percentage), rounded once from the exact product; 22003 out of range, NaN, infinite, or not exact in mode unnecessary, 22023 for a scale outside 0 to 6';

CREATE FUNCTION idem.divide(amount pg_catalog.money_micro, divisor pg_catalog.numeric, scale pg_catalog.int4, mode idem.rounding_mode) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_divide_rounded';
COMMENT ON FUNCTION idem.divide(pg_catalog.money_micro, pg_catalog.numeric, pg_catalog.int4, idem.rounding_mode) IS
    'amount divided by a number, rounded once from the exact quotient; 22012 by zero, 22003 out of range, NaN, infinite, or not exact in mode unnecessary, 22023 for a scale outside 0 to 6';

CREATE FUNCTION idem.allocate(amount pg_catalog.money_micro, weights pg_catalog._numeric, scale pg_catalog.int4) RETURNS pg_catalog._money_micro
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_allocate';
COMMENT ON FUNCTION idem.allocate(pg_catalog.money_micro, pg_catalog._numeric, pg_catalog.int4) IS
    'the amount in parts by weight that add up to it, each of at most that many decimals; what is left over goes to the largest remainders, of equal ones to the first; no amount: null; 22023 for an amount finer than the scale, a scale outside 0 to 6, weights that are null, negative or all zero, 22003 for weights that are NaN, infinite or too large';

CREATE FUNCTION idem.split(amount pg_catalog.money_micro, parts pg_catalog.int4, scale pg_catalog.int4) RETURNS pg_catalog._money_micro
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_split';
COMMENT ON FUNCTION idem.split(pg_catalog.money_micro, pg_catalog.int4, pg_catalog.int4) IS
    'the amount in so many parts, equal up to one unit of the scale, the larger ones first; they add up to it; no amount: null; 22023 for no parts, an amount finer than the scale or a scale outside 0 to 6';
