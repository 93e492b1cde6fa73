
-- ---------------------------------------------------------------------------
-- money: a number of an integer or float type has no unit, except zero
--
-- These casts exist to refuse numbers, in every context: without them PL/pgSQL
-- would convert by way of the text, and 1999 would become 1999.00.
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.zero_only(pg_catalog.int2) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_int2';
COMMENT ON FUNCTION idem.zero_only(pg_catalog.int2) IS
    'zero to amount; any other number has no unit and is refused: 22023';

CREATE FUNCTION idem.zero_only(pg_catalog.int4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_int4';
COMMENT ON FUNCTION idem.zero_only(pg_catalog.int4) IS
    'zero to amount; any other number has no unit and is refused: 22023';

CREATE FUNCTION idem.zero_only(pg_catalog.int8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_int8';
COMMENT ON FUNCTION idem.zero_only(pg_catalog.int8) IS
    'zero to amount; any other number has no unit and is refused: 22023';

CREATE FUNCTION idem.zero_only(pg_catalog.float4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_float4';
COMMENT ON FUNCTION idem.zero_only(pg_catalog.float4) IS
    'zero to amount; any other number has no unit and is refused: 22023';

CREATE FUNCTION idem.zero_only(pg_catalog.float8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_float8';
COMMENT ON FUNCTION idem.zero_only(pg_catalog.float8) IS
    'zero to amount; any other number has no unit and is refused: 22023';

CREATE CAST (pg_catalog.int2 AS pg_catalog.money_micro) WITH FUNCTION idem.zero_only(pg_catalog.int2) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.int2 AS pg_catalog.money_micro) IS
    'zero only: any other number has no unit, 22023';

CREATE CAST (pg_catalog.int4 AS pg_catalog.money_micro) WITH FUNCTION idem.zero_only(pg_catalog.int4) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.int4 AS pg_catalog.money_micro) IS
    'zero only: any other number has no unit, 22023';

CREATE CAST (pg_catalog.int8 AS pg_catalog.money_micro) WITH FUNCTION idem.zero_only(pg_catalog.int8) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.int8 AS pg_catalog.money_micro) IS
    'zero only: any other number has no unit, 22023';

CREATE CAST (pg_catalog.float4 AS pg_catalog.money_micro) WITH FUNCTION idem.zero_only(pg_catalog.float4) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.float4 AS pg_catalog.money_micro) IS
    'zero only: any other number has no unit, 22023';

CREATE CAST (pg_catalog.float8 AS pg_catalog.money_micro) WITH FUNCTION idem.zero_only(pg_catalog.float8) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.float8 AS pg_catalog.money_micro) IS
    'zero only: any other number has no unit, 22023';

-- The operators + and - with integers exist for the same reason: without them
-- an integer would become a numeric, and count whole units.
CREATE FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.int2) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_with_int2';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.int2) IS
    'implementation of + operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_add(pg_catalog.int2, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_int2_plus_money';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.int2, pg_catalog.money_micro) IS
    'implementation of + operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.int2) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_with_int2';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.int2) IS
    'implementation of - operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.int2, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_int2_minus_money';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.int2, pg_catalog.money_micro) IS
    'implementation of - operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.int4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_with_int4';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.int4) IS
    'implementation of + operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_add(pg_catalog.int4, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_int4_plus_money';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.int4, pg_catalog.money_micro) IS
    'implementation of + operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.int4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_with_int4';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.int4) IS
    'implementation of - operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.int4, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_int4_minus_money';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.int4, pg_catalog.money_micro) IS
    'implementation of - operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.int8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_with_int8';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.int8) IS
    'implementation of + operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_add(pg_catalog.int8, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_int8_plus_money';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.int8, pg_catalog.money_micro) IS
    'implementation of + operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.int8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_with_int8';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.int8) IS
    'implementation of - operator: 22023 unless the number is zero';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.int8, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_int8_minus_money';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.int8, pg_catalog.money_micro) IS
    'implementation of - operator: 22023 unless the number is zero';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int2,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.money_micro, pg_catalog.int2) IS 'add, zero only';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.int2, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.int2, pg_catalog.money_micro) IS 'add, zero only';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int2
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.money_micro, pg_catalog.int2) IS 'subtract, zero only';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.int2, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.int2, pg_catalog.money_micro) IS 'subtract, zero only';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int4,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.money_micro, pg_catalog.int4) IS 'add, zero only';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.int4, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.int4, pg_catalog.money_micro) IS 'add, zero only';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int4
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.money_micro, pg_catalog.int4) IS 'subtract, zero only';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.int4, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.int4, pg_catalog.money_micro) IS 'subtract, zero only';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int8,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.money_micro, pg_catalog.int8) IS 'add, zero only';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.int8, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.int8, pg_catalog.money_micro) IS 'add, zero only';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int8
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.money_micro, pg_catalog.int8) IS 'subtract, zero only';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.int8, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.int8, pg_catalog.money_micro) IS 'subtract, zero only';
