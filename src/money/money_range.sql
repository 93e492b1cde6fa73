
-- ---------------------------------------------------------------------------
-- money: ranges of amounts, discrete
--
-- The server makes the multirange, the constructors and every operator on
-- ranges by itself.  The multirange is not in pg_catalog: pg_upgrade writes
-- its name without a schema then, and stops where it creates it.
-- ---------------------------------------------------------------------------

CREATE TYPE pg_catalog.money_micro_range;

CREATE FUNCTION idem.money_micro_range_canonical(pg_catalog.money_micro_range) RETURNS pg_catalog.money_micro_range
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_range_canonical';
COMMENT ON FUNCTION idem.money_micro_range_canonical(pg_catalog.money_micro_range) IS
    'the range with a lower bound that belongs to it and an upper one that does not; 22003 if the largest amount is to be included';

CREATE FUNCTION idem.money_micro_range_diff(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS pg_catalog.float8
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_range_diff';
COMMENT ON FUNCTION idem.money_micro_range_diff(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'distance of two amounts in millionths, for indexes and estimates only';

CREATE TYPE pg_catalog.money_micro_range AS RANGE (
    SUBTYPE = pg_catalog.money_micro,
    SUBTYPE_OPCLASS = pg_catalog.money_micro_ops,
    SUBTYPE_DIFF = idem.money_micro_range_diff,
    CANONICAL = idem.money_micro_range_canonical,
    MULTIRANGE_TYPE_NAME = idem.money_micro_multirange
);
COMMENT ON TYPE pg_catalog.money_micro_range IS
    'range of amounts, one millionth apart: tiers of fees, limits, brackets';
COMMENT ON TYPE idem.money_micro_multirange IS
    'several ranges of amounts';
COMMENT ON FUNCTION pg_catalog.money_micro_range(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'range [lower,upper)';
COMMENT ON FUNCTION pg_catalog.money_micro_range(pg_catalog.money_micro, pg_catalog.money_micro, pg_catalog.text) IS
    'range with bounds as in ''[)''';
COMMENT ON FUNCTION pg_catalog.money_micro_multirange() IS
    'empty multirange';
COMMENT ON FUNCTION pg_catalog.money_micro_multirange(pg_catalog.money_micro_range) IS
    'multirange of one range';
COMMENT ON FUNCTION pg_catalog.money_micro_multirange(pg_catalog.money_micro_range[]) IS
    'multirange of ranges';
COMMENT ON CAST (pg_catalog.money_micro_range AS idem.money_micro_multirange) IS
    'multirange of one range';
