-- ---------------------------------------------------------------------------
-- aggregates
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.money_micro_sum_add(internal, pg_catalog.money_micro) RETURNS internal
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_add';
COMMENT ON FUNCTION idem.money_micro_sum_add(internal, pg_catalog.money_micro) IS
    'aggregate transition: takes an amount in';

CREATE FUNCTION idem.money_micro_sum_remove(internal, pg_catalog.money_micro) RETURNS internal
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_remove';
COMMENT ON FUNCTION idem.money_micro_sum_remove(internal, pg_catalog.money_micro) IS
    'aggregate transition: takes an amount out';

CREATE FUNCTION idem.money_micro_sum_combine(internal, internal) RETURNS internal
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_combine';
COMMENT ON FUNCTION idem.money_micro_sum_combine(internal, internal) IS
    'aggregate: adds the state of a parallel worker';

CREATE FUNCTION idem.money_micro_sum_serialize(internal) RETURNS bytea
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_serialize';
COMMENT ON FUNCTION idem.money_micro_sum_serialize(internal) IS
    'aggregate: state for another process';

CREATE FUNCTION idem.money_micro_sum_deserialize(bytea, internal) RETURNS internal
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_deserialize';
COMMENT ON FUNCTION idem.money_micro_sum_deserialize(bytea, internal) IS
    'aggregate: state from another process';

CREATE FUNCTION idem.money_micro_sum(internal) RETURNS pg_catalog.money_micro
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_final';
COMMENT ON FUNCTION idem.money_micro_sum(internal) IS
    'aggregate final: the sum, 22003 out of range';

CREATE FUNCTION idem.money_micro_avg(internal) RETURNS pg_catalog.numeric
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_avg_final';
COMMENT ON FUNCTION idem.money_micro_avg(internal) IS
    'aggregate final: the average';

CREATE FUNCTION idem.money_micro_larger(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'int8larger';
COMMENT ON FUNCTION idem.money_micro_larger(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'the larger amount';

CREATE FUNCTION idem.money_micro_smaller(pg_catalog.money_micro, pg_catalog.money_micro) RETURNS pg_catalog.money_micro
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE internal AS 'int8smaller';
COMMENT ON FUNCTION idem.money_micro_smaller(pg_catalog.money_micro, pg_catalog.money_micro) IS
    'the smaller amount';

CREATE AGGREGATE pg_catalog.sum(pg_catalog.money_micro) (
    SFUNC = idem.money_micro_sum_add,
    STYPE = internal,
    SSPACE = 32,
    FINALFUNC = idem.money_micro_sum,
    COMBINEFUNC = idem.money_micro_sum_combine,
    SERIALFUNC = idem.money_micro_sum_serialize,
    DESERIALFUNC = idem.money_micro_sum_deserialize,
    MSFUNC = idem.money_micro_sum_add,
    MINVFUNC = idem.money_micro_sum_remove,
    MSTYPE = internal,
    MSSPACE = 32,
    MFINALFUNC = idem.money_micro_sum,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE pg_catalog.sum(pg_catalog.money_micro) IS
    'sum of amounts: independent of their order, 22003 only if the result is out of range';

CREATE AGGREGATE pg_catalog.avg(pg_catalog.money_micro) (
    SFUNC = idem.money_micro_sum_add,
    STYPE = internal,
    SSPACE = 32,
    FINALFUNC = idem.money_micro_avg,
    COMBINEFUNC = idem.money_micro_sum_combine,
    SERIALFUNC = idem.money_micro_sum_serialize,
    DESERIALFUNC = idem.money_micro_sum_deserialize,
    MSFUNC = idem.money_micro_sum_add,
    MINVFUNC = idem.money_micro_sum_remove,
    MSTYPE = internal,
    MSSPACE = 32,
    MFINALFUNC = idem.money_micro_avg,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE pg_catalog.avg(pg_catalog.money_micro) IS
    'average of amounts: exact if its decimals end, else at least 12 of them';

CREATE AGGREGATE pg_catalog.max(pg_catalog.money_micro) (
    SFUNC = idem.money_micro_larger,
    STYPE = pg_catalog.money_micro,
    COMBINEFUNC = idem.money_micro_larger,
    SORTOP = OPERATOR(pg_catalog.>),
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE pg_catalog.max(pg_catalog.money_micro) IS
    'largest amount';

CREATE AGGREGATE pg_catalog.min(pg_catalog.money_micro) (
    SFUNC = idem.money_micro_smaller,
    STYPE = pg_catalog.money_micro,
    COMBINEFUNC = idem.money_micro_smaller,
    SORTOP = OPERATOR(pg_catalog.<),
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE pg_catalog.min(pg_catalog.money_micro) IS
    'smallest amount';

CREATE FUNCTION idem.money_micro_sum_currency_add(internal, pg_catalog.money_micro, pg_catalog.text) RETURNS internal
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_currency_add';
COMMENT ON FUNCTION idem.money_micro_sum_currency_add(internal, pg_catalog.money_micro, pg_catalog.text) IS
    'aggregate transition: takes an amount in; 22023 for a second currency, 22004 for none';

CREATE FUNCTION idem.money_micro_sum_currency_remove(internal, pg_catalog.money_micro, pg_catalog.text) RETURNS internal
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_currency_remove';
COMMENT ON FUNCTION idem.money_micro_sum_currency_remove(internal, pg_catalog.money_micro, pg_catalog.text) IS
    'aggregate transition: takes an amount out';

CREATE FUNCTION idem.money_micro_sum_currency_combine(internal, internal) RETURNS internal
    IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_currency_combine';
COMMENT ON FUNCTION idem.money_micro_sum_currency_combine(internal, internal) IS
    'aggregate: adds the state of a parallel worker; 22023 if its currency is another one';

CREATE FUNCTION idem.money_micro_sum_currency_serialize(internal) RETURNS bytea
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_currency_serialize';
COMMENT ON FUNCTION idem.money_micro_sum_currency_serialize(internal) IS
    'aggregate: state for another process';

CREATE FUNCTION idem.money_micro_sum_currency_deserialize(bytea, internal) RETURNS internal
    IMMUTABLE STRICT PARALLEL SAFE
    LANGUAGE c AS 'MODULE_PATHNAME', 'idem_money_sum_currency_deserialize';
COMMENT ON FUNCTION idem.money_micro_sum_currency_deserialize(bytea, internal) IS
    'aggregate: state from another process';

CREATE AGGREGATE idem.sum(amount pg_catalog.money_micro, currency pg_catalog.text) (
    SFUNC = idem.money_micro_sum_currency_add,
    STYPE = internal,
    SSPACE = 64,
    FINALFUNC = idem.money_micro_sum,
    COMBINEFUNC = idem.money_micro_sum_currency_combine,
    SERIALFUNC = idem.money_micro_sum_currency_serialize,
    DESERIALFUNC = idem.money_micro_sum_currency_deserialize,
    MSFUNC = idem.money_micro_sum_currency_add,
    MINVFUNC = idem.money_micro_sum_currency_remove,
    MSTYPE = internal,
    MSSPACE = 64,
    MFINALFUNC = idem.money_micro_sum,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE idem.sum(pg_catalog.money_micro, pg_catalog.text) IS
    'sum of amounts of one currency: 22023 for amounts of two, 22004 for an amount without one, 22003 only if the result is out of range';
