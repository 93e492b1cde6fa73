
-- ---------------------------------------------------------------------------
-- money: the type money_micro, exact amounts in millionths
--
-- The type, its operators, casts, operator classes and aggregates live in
-- pg_catalog, where triggers, rules and views find them after a restore;
-- its functions live in idem.  There is no implicit cast, none to integers
-- and floats, and those from them (money_unitless.sql) take zero only: a unit
-- is never guessed.
--
-- Comparison, sort, hash and sign of amounts are those of bigint: the server's
-- own code (LANGUAGE internal).
-- ---------------------------------------------------------------------------

CREATE TYPE pg_catalog.money_micro;

CREATE FUNCTION idem.money_micro_in(cstring, oid, int4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_in';
COMMENT ON FUNCTION idem.money_micro_in(cstring, oid, int4) IS
    'text to amount: exact, with or without an exponent; 22P02 if it is not a number, 22003 if it has more than six decimals or is out of range';

CREATE FUNCTION idem.money_micro_out(pg_catalog.money_micro) RETURNS cstring
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_out';
COMMENT ON FUNCTION idem.money_micro_out(pg_catalog.money_micro) IS
    'amount to text: at least two decimals, no more than needed';

CREATE FUNCTION idem.money_micro_recv(internal, oid, int4) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_recv';
COMMENT ON FUNCTION idem.money_micro_recv(internal, oid, int4) IS
    'binary to amount: millionths, 8 bytes, network order; 22003 out of range, 22P03 for text and for another length';

CREATE FUNCTION idem.money_micro_send(pg_catalog.money_micro) RETURNS bytea
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_send';
COMMENT ON FUNCTION idem.money_micro_send(pg_catalog.money_micro) IS
    'amount to binary: millionths, 8 bytes, network order';

CREATE FUNCTION idem.money_micro_typmod_in(cstring[]) RETURNS int4
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_typmod_in';
COMMENT ON FUNCTION idem.money_micro_typmod_in(cstring[]) IS
    'type modifier: the number of decimals, 0 to 6; 22023 otherwise';

CREATE FUNCTION idem.money_micro_typmod_out(int4) RETURNS cstring
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_typmod_out';
COMMENT ON FUNCTION idem.money_micro_typmod_out(int4) IS
    'type modifier to text';

CREATE TYPE pg_catalog.money_micro (
    INPUT = idem.money_micro_in,
    OUTPUT = idem.money_micro_out,
    RECEIVE = idem.money_micro_recv,
    SEND = idem.money_micro_send,
    TYPMOD_IN = idem.money_micro_typmod_in,
    TYPMOD_OUT = idem.money_micro_typmod_out,
    INTERNALLENGTH = 8,
    PASSEDBYVALUE,
    ALIGNMENT = double,
    -- numeric, so that '5' with a unary operator stays a number of the server's
    CATEGORY = 'N',
    PREFERRED = false
);
COMMENT ON TYPE pg_catalog.money_micro IS
    'exact amount of money in millionths of a unit, less than 2^61 of them; money_micro(n): at most n decimals';


-- ---------------------------------------------------------------------------
-- casts
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.money_micro(pg_catalog.money_micro, int4, bool) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_typmod';
COMMENT ON FUNCTION idem.money_micro(pg_catalog.money_micro, int4, bool) IS
    'the amount if it has at most that many decimals, 22003 otherwise';

-- not named as the type is: with idem in search_path, money_micro(amount_fen)
-- would call it and take fen for whole units
CREATE FUNCTION idem.from_numeric(pg_catalog.numeric) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_from_numeric';
COMMENT ON FUNCTION idem.from_numeric(pg_catalog.numeric) IS
    'numeric to amount: exact, 22003 otherwise (also NaN and infinity)';

CREATE FUNCTION idem.to_numeric(pg_catalog.money_micro) RETURNS pg_catalog.numeric
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_to_numeric';
COMMENT ON FUNCTION idem.to_numeric(pg_catalog.money_micro) IS
    'amount to numeric, with six decimals';

CREATE FUNCTION idem.to_json(pg_catalog.money_micro) RETURNS pg_catalog.json
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_to_json';
COMMENT ON FUNCTION idem.to_json(pg_catalog.money_micro) IS
    'amount to a bare JSON number, all digits kept';

CREATE FUNCTION idem.to_jsonb(pg_catalog.money_micro) RETURNS pg_catalog.jsonb
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_to_jsonb';
COMMENT ON FUNCTION idem.to_jsonb(pg_catalog.money_micro) IS
    'amount to a bare JSON number, all digits kept';

CREATE CAST (pg_catalog.money_micro AS pg_catalog.money_micro) WITH FUNCTION idem.money_micro(pg_catalog.money_micro, int4, bool) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.money_micro AS pg_catalog.money_micro) IS
    'refuses more decimals than money_micro(n) allows';

CREATE CAST (pg_catalog.numeric AS pg_catalog.money_micro) WITH FUNCTION idem.from_numeric(pg_catalog.numeric) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.numeric AS pg_catalog.money_micro) IS
    'exact or 22003';

CREATE CAST (pg_catalog.money_micro AS pg_catalog.numeric) WITH FUNCTION idem.to_numeric(pg_catalog.money_micro) AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.money_micro AS pg_catalog.numeric) IS
    'exact, six decimals';

CREATE CAST (pg_catalog.text AS pg_catalog.money_micro) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.text AS pg_catalog.money_micro) IS
    'through the strict input of the type';

CREATE CAST (pg_catalog.varchar AS pg_catalog.money_micro) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.varchar AS pg_catalog.money_micro) IS
    'through the strict input of the type';

CREATE CAST (pg_catalog.bpchar AS pg_catalog.money_micro) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (pg_catalog.bpchar AS pg_catalog.money_micro) IS
    'through the strict input of the type';

CREATE CAST (pg_catalog.money_micro AS pg_catalog.json) WITH FUNCTION idem.to_json(pg_catalog.money_micro);
COMMENT ON CAST (pg_catalog.money_micro AS pg_catalog.json) IS
    'a bare number; to_json and row_to_json use it too';

CREATE CAST (pg_catalog.money_micro AS pg_catalog.jsonb) WITH FUNCTION idem.to_jsonb(pg_catalog.money_micro);
COMMENT ON CAST (pg_catalog.money_micro AS pg_catalog.jsonb) IS
    'a bare number';


-- ---------------------------------------------------------------------------
-- comparison, also with numeric
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.money_micro_eq(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE internal AS 'int8eq';
COMMENT ON FUNCTION idem.money_micro_eq(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of = operator';

CREATE FUNCTION idem.money_micro_ne(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE internal AS 'int8ne';
COMMENT ON FUNCTION idem.money_micro_ne(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of <> operator';

CREATE FUNCTION idem.money_micro_lt(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE internal AS 'int8lt';
COMMENT ON FUNCTION idem.money_micro_lt(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of < operator';

CREATE FUNCTION idem.money_micro_le(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE internal AS 'int8le';
COMMENT ON FUNCTION idem.money_micro_le(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of <= operator';

CREATE FUNCTION idem.money_micro_gt(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE internal AS 'int8gt';
COMMENT ON FUNCTION idem.money_micro_gt(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of > operator';

CREATE FUNCTION idem.money_micro_ge(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE internal AS 'int8ge';
COMMENT ON FUNCTION idem.money_micro_ge(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of >= operator';

CREATE FUNCTION idem.money_micro_cmp(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS int4
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE internal AS 'btint8cmp';
COMMENT ON FUNCTION idem.money_micro_cmp(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'less than, equal to or greater than: -1, 0, 1';

CREATE FUNCTION idem.money_micro_eq_numeric(pg_catalog.money_micro, pg_catalog.numeric) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_eq_numeric';
COMMENT ON FUNCTION idem.money_micro_eq_numeric(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of = operator, exact';

CREATE FUNCTION idem.money_micro_ne_numeric(pg_catalog.money_micro, pg_catalog.numeric) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_ne_numeric';
COMMENT ON FUNCTION idem.money_micro_ne_numeric(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of <> operator, exact';

CREATE FUNCTION idem.money_micro_lt_numeric(pg_catalog.money_micro, pg_catalog.numeric) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_lt_numeric';
COMMENT ON FUNCTION idem.money_micro_lt_numeric(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of < operator, exact';

CREATE FUNCTION idem.money_micro_le_numeric(pg_catalog.money_micro, pg_catalog.numeric) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_le_numeric';
COMMENT ON FUNCTION idem.money_micro_le_numeric(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of <= operator, exact';

CREATE FUNCTION idem.money_micro_gt_numeric(pg_catalog.money_micro, pg_catalog.numeric) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_gt_numeric';
COMMENT ON FUNCTION idem.money_micro_gt_numeric(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of > operator, exact';

CREATE FUNCTION idem.money_micro_ge_numeric(pg_catalog.money_micro, pg_catalog.numeric) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_ge_numeric';
COMMENT ON FUNCTION idem.money_micro_ge_numeric(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of >= operator, exact';

CREATE FUNCTION idem.numeric_eq_money_micro(pg_catalog.numeric, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_eq_money';
COMMENT ON FUNCTION idem.numeric_eq_money_micro(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of = operator, exact';

CREATE FUNCTION idem.numeric_ne_money_micro(pg_catalog.numeric, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_ne_money';
COMMENT ON FUNCTION idem.numeric_ne_money_micro(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of <> operator, exact';

CREATE FUNCTION idem.numeric_lt_money_micro(pg_catalog.numeric, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_lt_money';
COMMENT ON FUNCTION idem.numeric_lt_money_micro(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of < operator, exact';

CREATE FUNCTION idem.numeric_le_money_micro(pg_catalog.numeric, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_le_money';
COMMENT ON FUNCTION idem.numeric_le_money_micro(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of <= operator, exact';

CREATE FUNCTION idem.numeric_gt_money_micro(pg_catalog.numeric, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_gt_money';
COMMENT ON FUNCTION idem.numeric_gt_money_micro(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of > operator, exact';

CREATE FUNCTION idem.numeric_ge_money_micro(pg_catalog.numeric, pg_catalog.money_micro) RETURNS bool
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_ge_money';
COMMENT ON FUNCTION idem.numeric_ge_money_micro(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of >= operator, exact';

CREATE FUNCTION idem.money_micro_cmp_numeric(pg_catalog.money_micro, pg_catalog.numeric) RETURNS int4
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_cmp_numeric';
COMMENT ON FUNCTION idem.money_micro_cmp_numeric(pg_catalog.money_micro, pg_catalog.numeric) IS
    'less than, equal to or greater than: -1, 0, 1';

CREATE FUNCTION idem.numeric_cmp_money_micro(pg_catalog.numeric, pg_catalog.money_micro) RETURNS int4
    IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_cmp_money';
COMMENT ON FUNCTION idem.numeric_cmp_money_micro(pg_catalog.numeric, pg_catalog.money_micro) IS
    'less than, equal to or greater than: -1, 0, 1';

CREATE OPERATOR pg_catalog.= (
    FUNCTION = idem.money_micro_eq, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, MERGES, HASHES
);
COMMENT ON OPERATOR pg_catalog.= (pg_catalog.money_micro, pg_catalog.money_micro) IS 'equal';

CREATE OPERATOR pg_catalog.<> (
    FUNCTION = idem.money_micro_ne, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (pg_catalog.money_micro, pg_catalog.money_micro) IS 'not equal';

CREATE OPERATOR pg_catalog.< (
    FUNCTION = idem.money_micro_lt, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (pg_catalog.money_micro, pg_catalog.money_micro) IS 'less than';

CREATE OPERATOR pg_catalog.<= (
    FUNCTION = idem.money_micro_le, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (pg_catalog.money_micro, pg_catalog.money_micro) IS 'less than or equal';

CREATE OPERATOR pg_catalog.> (
    FUNCTION = idem.money_micro_gt, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (pg_catalog.money_micro, pg_catalog.money_micro) IS 'greater than';

CREATE OPERATOR pg_catalog.>= (
    FUNCTION = idem.money_micro_ge, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (pg_catalog.money_micro, pg_catalog.money_micro) IS 'greater than or equal';

CREATE OPERATOR pg_catalog.= (
    FUNCTION = idem.money_micro_eq_numeric, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, MERGES
);
COMMENT ON OPERATOR pg_catalog.= (pg_catalog.money_micro, pg_catalog.numeric) IS 'equal';

CREATE OPERATOR pg_catalog.<> (
    FUNCTION = idem.money_micro_ne_numeric, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (pg_catalog.money_micro, pg_catalog.numeric) IS 'not equal';

CREATE OPERATOR pg_catalog.< (
    FUNCTION = idem.money_micro_lt_numeric, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (pg_catalog.money_micro, pg_catalog.numeric) IS 'less than';

CREATE OPERATOR pg_catalog.<= (
    FUNCTION = idem.money_micro_le_numeric, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (pg_catalog.money_micro, pg_catalog.numeric) IS 'less than or equal';

CREATE OPERATOR pg_catalog.> (
    FUNCTION = idem.money_micro_gt_numeric, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (pg_catalog.money_micro, pg_catalog.numeric) IS 'greater than';

CREATE OPERATOR pg_catalog.>= (
    FUNCTION = idem.money_micro_ge_numeric, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (pg_catalog.money_micro, pg_catalog.numeric) IS 'greater than or equal';

CREATE OPERATOR pg_catalog.= (
    FUNCTION = idem.numeric_eq_money_micro, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, MERGES
);
COMMENT ON OPERATOR pg_catalog.= (pg_catalog.numeric, pg_catalog.money_micro) IS 'equal';

CREATE OPERATOR pg_catalog.<> (
    FUNCTION = idem.numeric_ne_money_micro, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (pg_catalog.numeric, pg_catalog.money_micro) IS 'not equal';

CREATE OPERATOR pg_catalog.< (
    FUNCTION = idem.numeric_lt_money_micro, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (pg_catalog.numeric, pg_catalog.money_micro) IS 'less than';

CREATE OPERATOR pg_catalog.<= (
    FUNCTION = idem.numeric_le_money_micro, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (pg_catalog.numeric, pg_catalog.money_micro) IS 'less than or equal';

CREATE OPERATOR pg_catalog.> (
    FUNCTION = idem.numeric_gt_money_micro, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (pg_catalog.numeric, pg_catalog.money_micro) IS 'greater than';

CREATE OPERATOR pg_catalog.>= (
    FUNCTION = idem.numeric_ge_money_micro, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (pg_catalog.numeric, pg_catalog.money_micro) IS 'greater than or equal';


-- ---------------------------------------------------------------------------
-- arithmetic: exact or 22003
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_add';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of + operator';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sub';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of - operator';

CREATE FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.numeric) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_plus_numeric';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of + operator: exact, 22003 if the number is no amount';

CREATE FUNCTION idem.money_micro_add(pg_catalog.numeric, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_plus_money';
COMMENT ON FUNCTION idem.money_micro_add(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of + operator: exact, 22003 if the number is no amount';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.numeric) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_minus_numeric';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.money_micro, pg_catalog.numeric) IS
    'implementation of - operator: exact, 22003 if the number is no amount';

CREATE FUNCTION idem.money_micro_subtract(pg_catalog.numeric, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_numeric_minus_money';
COMMENT ON FUNCTION idem.money_micro_subtract(pg_catalog.numeric, pg_catalog.money_micro) IS
    'implementation of - operator: exact, 22003 if the number is no amount';

CREATE FUNCTION idem.money_micro_multiply(pg_catalog.money_micro, pg_catalog.int8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_mul';
COMMENT ON FUNCTION idem.money_micro_multiply(pg_catalog.money_micro, pg_catalog.int8) IS
    'implementation of * operator';

CREATE FUNCTION idem.money_micro_multiply(pg_catalog.int8, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_mul_left';
COMMENT ON FUNCTION idem.money_micro_multiply(pg_catalog.int8, pg_catalog.money_micro) IS
    'implementation of * operator';

CREATE FUNCTION idem.money_micro_divide(pg_catalog.money_micro, pg_catalog.int8) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_div';
COMMENT ON FUNCTION idem.money_micro_divide(pg_catalog.money_micro, pg_catalog.int8) IS
    'implementation of / operator: 22003 if something would be left over';

CREATE FUNCTION idem.money_micro_ratio(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS pg_catalog.numeric
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_ratio';
COMMENT ON FUNCTION idem.money_micro_ratio(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of / operator: a ratio has no unit';

CREATE FUNCTION idem.money_micro_remainder(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'int8mod';
COMMENT ON FUNCTION idem.money_micro_remainder(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'implementation of % operator: sign of the first amount';

CREATE FUNCTION idem.money_micro_plus(pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'int8up';
COMMENT ON FUNCTION idem.money_micro_plus(pg_catalog.money_micro) IS
    'implementation of + operator';

CREATE FUNCTION idem.money_micro_minus(pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'int8um';
COMMENT ON FUNCTION idem.money_micro_minus(pg_catalog.money_micro) IS
    'implementation of - operator';

CREATE FUNCTION pg_catalog.abs(pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'int8abs';
COMMENT ON FUNCTION pg_catalog.abs(pg_catalog.money_micro) IS
    'absolute value';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.money_micro, pg_catalog.money_micro) IS 'add';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.money_micro, pg_catalog.money_micro) IS 'subtract';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.money_micro, pg_catalog.numeric) IS 'add';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_add, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.+)
);
COMMENT ON OPERATOR pg_catalog.+ (pg_catalog.numeric, pg_catalog.money_micro) IS 'add';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.numeric
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.money_micro, pg_catalog.numeric) IS 'subtract';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_subtract, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.- (pg_catalog.numeric, pg_catalog.money_micro) IS 'subtract';

CREATE OPERATOR pg_catalog.* (
    FUNCTION = idem.money_micro_multiply, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int8,
    COMMUTATOR = OPERATOR(pg_catalog.*)
);
COMMENT ON OPERATOR pg_catalog.* (pg_catalog.money_micro, pg_catalog.int8) IS 'multiply';

CREATE OPERATOR pg_catalog.* (
    FUNCTION = idem.money_micro_multiply, LEFTARG = pg_catalog.int8, RIGHTARG = pg_catalog.money_micro,
    COMMUTATOR = OPERATOR(pg_catalog.*)
);
COMMENT ON OPERATOR pg_catalog.* (pg_catalog.int8, pg_catalog.money_micro) IS 'multiply';

CREATE OPERATOR pg_catalog./ (
    FUNCTION = idem.money_micro_divide, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.int8
);
COMMENT ON OPERATOR pg_catalog./ (pg_catalog.money_micro, pg_catalog.int8) IS 'divide without remainder, or 22003';

CREATE OPERATOR pg_catalog./ (
    FUNCTION = idem.money_micro_ratio, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog./ (pg_catalog.money_micro, pg_catalog.money_micro) IS 'ratio of two amounts';

CREATE OPERATOR pg_catalog.% (
    FUNCTION = idem.money_micro_remainder, LEFTARG = pg_catalog.money_micro, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.% (pg_catalog.money_micro, pg_catalog.money_micro) IS 'remainder';

CREATE OPERATOR pg_catalog.+ (
    FUNCTION = idem.money_micro_plus, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.+ (NONE, pg_catalog.money_micro) IS 'unary plus';

CREATE OPERATOR pg_catalog.- (
    FUNCTION = idem.money_micro_minus, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.- (NONE, pg_catalog.money_micro) IS 'negate';

CREATE OPERATOR pg_catalog.@ (
    FUNCTION = pg_catalog.abs, RIGHTARG = pg_catalog.money_micro
);
COMMENT ON OPERATOR pg_catalog.@ (NONE, pg_catalog.money_micro) IS 'absolute value';


-- ---------------------------------------------------------------------------
-- indexes
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.money_micro_in_range(pg_catalog.money_micro, pg_catalog.money_micro, pg_catalog.money_micro, bool, bool) RETURNS bool
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'in_range_int8_int8';
COMMENT ON FUNCTION idem.money_micro_in_range(pg_catalog.money_micro, pg_catalog.money_micro, pg_catalog.money_micro, bool, bool) IS
    'window frames: RANGE BETWEEN amount PRECEDING';

CREATE FUNCTION idem.money_micro_hash(pg_catalog.money_micro) RETURNS int4
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'hashint8';
COMMENT ON FUNCTION idem.money_micro_hash(pg_catalog.money_micro) IS
    'hash';

CREATE FUNCTION idem.money_micro_hash_extended(pg_catalog.money_micro, pg_catalog.int8) RETURNS int8
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'hashint8extended';
COMMENT ON FUNCTION idem.money_micro_hash_extended(pg_catalog.money_micro, pg_catalog.int8) IS
    'hash with seed';

-- A family of our own that orders amounts and numerics alike, so that an
-- index on amounts answers "amount > 100", and the two can be merged.  It is
-- not the server's numeric_ops: members added to a family of the server do not
-- survive pg_upgrade.  A family has to compare numerics among themselves
-- too (amount < ANY (numeric[])).  The server's operators would do that, but
-- numeric < numeric in a second family could make the planner forget indexes
-- on numeric; hence five names that nobody writes.
CREATE OPERATOR idem.#< (
    FUNCTION = pg_catalog.numeric_lt, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(idem.#>), NEGATOR = OPERATOR(idem.#>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR idem.#< (pg_catalog.numeric, pg_catalog.numeric) IS 'less than, for the operator family of money_micro';

CREATE OPERATOR idem.#<= (
    FUNCTION = pg_catalog.numeric_le, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(idem.#>=), NEGATOR = OPERATOR(idem.#>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR idem.#<= (pg_catalog.numeric, pg_catalog.numeric) IS 'less than or equal, for the operator family of money_micro';

CREATE OPERATOR idem.#= (
    FUNCTION = pg_catalog.numeric_eq, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(idem.#=),
    RESTRICT = eqsel, JOIN = eqjoinsel, MERGES
);
COMMENT ON OPERATOR idem.#= (pg_catalog.numeric, pg_catalog.numeric) IS 'equal, for the operator family of money_micro';

CREATE OPERATOR idem.#>= (
    FUNCTION = pg_catalog.numeric_ge, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(idem.#<=), NEGATOR = OPERATOR(idem.#<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR idem.#>= (pg_catalog.numeric, pg_catalog.numeric) IS 'greater than or equal, for the operator family of money_micro';

CREATE OPERATOR idem.#> (
    FUNCTION = pg_catalog.numeric_gt, LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.numeric,
    COMMUTATOR = OPERATOR(idem.#<), NEGATOR = OPERATOR(idem.#<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR idem.#> (pg_catalog.numeric, pg_catalog.numeric) IS 'greater than, for the operator family of money_micro';

CREATE OPERATOR FAMILY pg_catalog.money_micro_ops USING btree;
COMMENT ON OPERATOR FAMILY pg_catalog.money_micro_ops USING btree IS
    'order of amounts, and of amounts among numerics';

CREATE OPERATOR CLASS pg_catalog.money_micro_ops
    DEFAULT FOR TYPE pg_catalog.money_micro USING btree FAMILY pg_catalog.money_micro_ops AS
        OPERATOR 1 pg_catalog.<,
        OPERATOR 2 pg_catalog.<=,
        OPERATOR 3 pg_catalog.=,
        OPERATOR 4 pg_catalog.>=,
        OPERATOR 5 pg_catalog.>,
        FUNCTION 1 idem.money_micro_cmp(pg_catalog.money_micro, pg_catalog.money_micro),
        FUNCTION 2 pg_catalog.btint8sortsupport(internal),
        FUNCTION 3 idem.money_micro_in_range(pg_catalog.money_micro, pg_catalog.money_micro, pg_catalog.money_micro, bool, bool),
        FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS pg_catalog.money_micro_ops USING btree IS
    'order of amounts, with the sort support of bigint';

ALTER OPERATOR FAMILY pg_catalog.money_micro_ops USING btree ADD
    OPERATOR 1 pg_catalog.< (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 2 pg_catalog.<= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 3 pg_catalog.= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 4 pg_catalog.>= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 5 pg_catalog.> (pg_catalog.money_micro, pg_catalog.numeric),
    FUNCTION 1 (pg_catalog.money_micro, pg_catalog.numeric) idem.money_micro_cmp_numeric(pg_catalog.money_micro, pg_catalog.numeric);

ALTER OPERATOR FAMILY pg_catalog.money_micro_ops USING btree ADD
    OPERATOR 1 pg_catalog.< (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 2 pg_catalog.<= (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 3 pg_catalog.= (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 4 pg_catalog.>= (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 5 pg_catalog.> (pg_catalog.numeric, pg_catalog.money_micro),
    FUNCTION 1 (pg_catalog.numeric, pg_catalog.money_micro) idem.numeric_cmp_money_micro(pg_catalog.numeric, pg_catalog.money_micro);

ALTER OPERATOR FAMILY pg_catalog.money_micro_ops USING btree ADD
    OPERATOR 1 idem.#< (pg_catalog.numeric, pg_catalog.numeric),
    OPERATOR 2 idem.#<= (pg_catalog.numeric, pg_catalog.numeric),
    OPERATOR 3 idem.#= (pg_catalog.numeric, pg_catalog.numeric),
    OPERATOR 4 idem.#>= (pg_catalog.numeric, pg_catalog.numeric),
    OPERATOR 5 idem.#> (pg_catalog.numeric, pg_catalog.numeric),
    FUNCTION 1 (pg_catalog.numeric, pg_catalog.numeric) pg_catalog.numeric_cmp(pg_catalog.numeric, pg_catalog.numeric),
    FUNCTION 2 (pg_catalog.numeric, pg_catalog.numeric) pg_catalog.numeric_sortsupport(internal);

-- Since 18 an index scan skips over the values of a leading column.
DO $$
BEGIN
    IF pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 180000 THEN
        ALTER OPERATOR FAMILY pg_catalog.money_micro_ops USING btree ADD
            FUNCTION 6 (pg_catalog.money_micro, pg_catalog.money_micro) pg_catalog.btint8skipsupport(internal);
    END IF;
END
$$;

CREATE OPERATOR FAMILY pg_catalog.money_micro_ops USING hash;
COMMENT ON OPERATOR FAMILY pg_catalog.money_micro_ops USING hash IS
    'equality of amounts';

CREATE OPERATOR CLASS pg_catalog.money_micro_ops
    DEFAULT FOR TYPE pg_catalog.money_micro USING hash FAMILY pg_catalog.money_micro_ops AS
        OPERATOR 1 pg_catalog.=,
        FUNCTION 1 idem.money_micro_hash(pg_catalog.money_micro),
        FUNCTION 2 idem.money_micro_hash_extended(pg_catalog.money_micro, pg_catalog.int8);
COMMENT ON OPERATOR CLASS pg_catalog.money_micro_ops USING hash IS
    'equality of amounts';

CREATE OPERATOR FAMILY pg_catalog.money_micro_minmax_ops USING brin;
COMMENT ON OPERATOR FAMILY pg_catalog.money_micro_minmax_ops USING brin IS
    'smallest and largest amount of a block range';

CREATE OPERATOR CLASS pg_catalog.money_micro_minmax_ops
    DEFAULT FOR TYPE pg_catalog.money_micro USING brin FAMILY pg_catalog.money_micro_minmax_ops AS
        OPERATOR 1 pg_catalog.<,
        OPERATOR 2 pg_catalog.<=,
        OPERATOR 3 pg_catalog.=,
        OPERATOR 4 pg_catalog.>=,
        OPERATOR 5 pg_catalog.>,
        FUNCTION 1 pg_catalog.brin_minmax_opcinfo(internal),
        FUNCTION 2 pg_catalog.brin_minmax_add_value(internal, internal, internal, internal),
        FUNCTION 3 pg_catalog.brin_minmax_consistent(internal, internal, internal),
        FUNCTION 4 pg_catalog.brin_minmax_union(internal, internal, internal);
COMMENT ON OPERATOR CLASS pg_catalog.money_micro_minmax_ops USING brin IS
    'smallest and largest amount of a block range';

ALTER OPERATOR FAMILY pg_catalog.money_micro_minmax_ops USING brin ADD
    OPERATOR 1 pg_catalog.< (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 2 pg_catalog.<= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 3 pg_catalog.= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 4 pg_catalog.>= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 5 pg_catalog.> (pg_catalog.money_micro, pg_catalog.numeric);

ALTER OPERATOR FAMILY pg_catalog.money_micro_minmax_ops USING brin ADD
    OPERATOR 1 pg_catalog.< (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 2 pg_catalog.<= (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 3 pg_catalog.= (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 4 pg_catalog.>= (pg_catalog.numeric, pg_catalog.money_micro),
    OPERATOR 5 pg_catalog.> (pg_catalog.numeric, pg_catalog.money_micro);

CREATE OPERATOR FAMILY pg_catalog.money_micro_minmax_multi_ops USING brin;
COMMENT ON OPERATOR FAMILY pg_catalog.money_micro_minmax_multi_ops USING brin IS
    'several ranges of the amounts of a block range';

CREATE OPERATOR CLASS pg_catalog.money_micro_minmax_multi_ops
    FOR TYPE pg_catalog.money_micro USING brin FAMILY pg_catalog.money_micro_minmax_multi_ops AS
        OPERATOR 1 pg_catalog.<,
        OPERATOR 2 pg_catalog.<=,
        OPERATOR 3 pg_catalog.=,
        OPERATOR 4 pg_catalog.>=,
        OPERATOR 5 pg_catalog.>,
        FUNCTION 1 pg_catalog.brin_minmax_multi_opcinfo(internal),
        FUNCTION 2 pg_catalog.brin_minmax_multi_add_value(internal, internal, internal, internal),
        FUNCTION 3 pg_catalog.brin_minmax_multi_consistent(internal, internal, internal, int4),
        FUNCTION 4 pg_catalog.brin_minmax_multi_union(internal, internal, internal),
        FUNCTION 5 pg_catalog.brin_minmax_multi_options(internal),
        FUNCTION 11 pg_catalog.brin_minmax_multi_distance_int8(internal, internal);
COMMENT ON OPERATOR CLASS pg_catalog.money_micro_minmax_multi_ops USING brin IS
    'several ranges of the amounts of a block range: where single rows are far from the others';

ALTER OPERATOR FAMILY pg_catalog.money_micro_minmax_multi_ops USING brin ADD
    OPERATOR 1 pg_catalog.< (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 2 pg_catalog.<= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 3 pg_catalog.= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 4 pg_catalog.>= (pg_catalog.money_micro, pg_catalog.numeric),
    OPERATOR 5 pg_catalog.> (pg_catalog.money_micro, pg_catalog.numeric);

CREATE OPERATOR FAMILY pg_catalog.money_micro_bloom_ops USING brin;
COMMENT ON OPERATOR FAMILY pg_catalog.money_micro_bloom_ops USING brin IS
    'bloom filter of the amounts of a block range';

CREATE OPERATOR CLASS pg_catalog.money_micro_bloom_ops
    FOR TYPE pg_catalog.money_micro USING brin FAMILY pg_catalog.money_micro_bloom_ops AS
        OPERATOR 1 pg_catalog.=,
        FUNCTION 1 pg_catalog.brin_bloom_opcinfo(internal),
        FUNCTION 2 pg_catalog.brin_bloom_add_value(internal, internal, internal, internal),
        FUNCTION 3 pg_catalog.brin_bloom_consistent(internal, internal, internal, int4),
        FUNCTION 4 pg_catalog.brin_bloom_union(internal, internal, internal),
        FUNCTION 5 pg_catalog.brin_bloom_options(internal),
        FUNCTION 11 idem.money_micro_hash(pg_catalog.money_micro);
COMMENT ON OPERATOR CLASS pg_catalog.money_micro_bloom_ops USING brin IS
    'bloom filter of the amounts of a block range: equality where amounts lie anywhere';


