-- Every SQLSTATE that is idem's own, with the fields a client can branch on.
CREATE SCHEMA errors;

-- What a client gets to know of an error: code, table, column, constraint.
CREATE FUNCTION errors.of(statement text,
    OUT code text, OUT "table" text, OUT "column" text, OUT "constraint" text, OUT hint boolean)
LANGUAGE plpgsql AS $$
DECLARE
    h text;
BEGIN
    EXECUTE statement;
    code := '00000';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, "table" = TABLE_NAME,
        "column" = COLUMN_NAME, "constraint" = CONSTRAINT_NAME, h = PG_EXCEPTION_HINT;
    hint := h <> '';
END;
$$;

CREATE TABLE errors.payment (
    id        integer PRIMARY KEY,
    amount    money_micro NOT NULL,
    currency  text NOT NULL,
    status    text NOT NULL
);
CREATE TABLE errors.refund (
    id          integer PRIMARY KEY,
    payment_id  integer NOT NULL REFERENCES errors.payment,
    amount      money_micro NOT NULL,
    currency    text NOT NULL
);
SELECT * FROM idem.define_machine('errors', $$
stateDiagram-v2
    [*] --> created
    created --> succeeded : confirm
    created --> failed : reject
    succeeded --> refunded : refund
    refunded --> [*]
    failed --> [*]
$$);
SELECT idem.guard_states('errors.payment', 'status', 'errors');
SELECT idem.guard_limit('errors.refund', 'payment_id', amount => 'amount', cap => 'amount',
                        used => 'refunded', released => NULL, same => '{"currency":"currency"}',
                        parent_state => 'status', open => '{succeeded}');
SELECT idem.guard_fixed('errors.payment', '{currency}');
CREATE TABLE errors.debit (message text NOT NULL);
SELECT idem.create_scope('errors', effect => 'inside', fields => '{}');
SELECT idem.create_scope('errors outside', effect => 'outside', fields => '{}');
SELECT token FROM idem.reserve('errors outside', 'k');
SELECT idem.guard_claimed('errors.debit', '{message}', 'errors');
CREATE TABLE errors.known (key text PRIMARY KEY, request jsonb);
SELECT idem.guard_keys('errors.known', '{key}', request => 'request', fields => '{amount}');
INSERT INTO errors.known VALUES ('msg-1', '{"amount":1}');

CREATE TABLE errors.line (payment_id integer NOT NULL REFERENCES errors.payment, amount money_micro NOT NULL);
SELECT idem.guard_journal('errors.line', 'payment_id', amount => 'amount');

CREATE TABLE errors.shipment (id integer PRIMARY KEY, payment_id integer NOT NULL REFERENCES errors.payment, status text);
CREATE INDEX ON errors.shipment (payment_id);
SELECT idem.guard_parent_state('errors.shipment', 'payment_id', state => 'status', parent_state => 'status', allowed => '{"sent":"{succeeded}"}');

INSERT INTO errors.payment VALUES (1, 100.00, 'EUR', 'created'), (2, 100.00, 'EUR', 'created'), (3, 100.00, 'EUR', 'created');
UPDATE errors.payment SET status = 'succeeded' WHERE id = 2;
UPDATE errors.payment SET status = 'failed' WHERE id = 3;
SELECT * FROM idem.pause('machine', 'errors', state => 'created', reason => 'test');

\pset null -
SELECT c.condition, e.*
FROM (VALUES
    (1, 'illegal_state_transition', $$UPDATE errors.payment SET status = 'refunded' WHERE id = 1$$),
    (2, 'illegal_initial_state', $$INSERT INTO errors.payment VALUES (9, 100.00, 'EUR', 'succeeded')$$),
    (3, 'final_state', $$UPDATE errors.payment SET status = 'created' WHERE id = 3$$),
    (4, 'repeated_transition', $$UPDATE errors.payment SET status = 'succeeded' WHERE id = 2$$),
    (5, 'limit_exceeded', $$INSERT INTO errors.refund VALUES (1, 2, 100.01, 'EUR')$$),
    (6, 'reverse_mismatch', $$INSERT INTO errors.refund VALUES (1, 2, 1.00, 'USD')$$),
    (7, 'fixed_column', $$UPDATE errors.payment SET currency = 'USD' WHERE id = 1$$),
    (8, 'fixed_column: running total', $$UPDATE errors.payment SET refunded = 1.00 WHERE id = 1$$),
    (9, 'kept_row: delete', $$DELETE FROM errors.payment WHERE id = 1$$),
    (10, 'kept_row: truncate', $$TRUNCATE errors.refund$$),
    (11, 'kept_row: key', $$UPDATE errors.payment SET id = 8 WHERE id = 1$$),
    (12, 'kept_row: shipped currency', $$DELETE FROM idem.currency WHERE code = 'EUR'$$),
    (13, 'parent_not_open', $$INSERT INTO errors.refund VALUES (1, 1, 1.00, 'EUR')$$),
    (14, 'claim_not_open', $$SELECT idem.complete('errors', 'k', '{}')$$),
    (15, 'invalid_key', $$SELECT idem.claim('errors', ' k')$$),
    (16, 'unknown scope', $$SELECT idem.claim('no such', 'k')$$),
    (17, 'unknown machine', $$SELECT idem.guard_states('errors.refund', 'currency', 'no such')$$),
    (18, 'guard that is there', $$SELECT idem.guard_states('errors.payment', 'status', 'errors', repeat => 'strict')$$),
    (19, 'bad definition', $$SELECT idem.define_machine('errors2', 'stateDiagram-v2')$$),
    (20, 'malformed amount', $$SELECT '12,50'::money_micro$$),
    (21, 'amount out of range', $$SELECT '2305843009213.693951'::money_micro + '0.000001'::money_micro$$),
    (22, 'division by zero', $$SELECT '1'::money_micro / 0::bigint$$),
    (23, 'unknown currency', $$SELECT idem.from_minor(1, 'cny')$$),
    (24, 'stale_token', $$SELECT idem.complete('errors outside', 'k', 2, 'failed')$$),
    (25, 'unclaimed_effect', $$INSERT INTO errors.debit VALUES ('msg-1')$$),
    (26, 'request_mismatch', $$INSERT INTO errors.known VALUES ('msg-1', '{"amount":2}') ON CONFLICT DO NOTHING$$),
    (27, 'paused', $$INSERT INTO errors.payment VALUES (9, 100.00, 'EUR', 'created')$$),
    (28, 'unbalanced_journal', $$INSERT INTO errors.line VALUES (1, '1')$$),
    (29, 'states_disagree', $$INSERT INTO errors.shipment VALUES (1, 1, 'sent')$$)
) c (n, condition, statement), LATERAL errors.of(c.statement) e
ORDER BY c.n;
\pset null ''
SELECT idem.resume('machine', 'errors', state => 'created', reason => 'test');

SET client_min_messages = warning;
DROP SCHEMA errors CASCADE;
