-- sqlsmith.sql - a database with every room in use, for sqlsmith.sh
--
-- Run as a superuser; the role smith owns the tables and may call everything.

CREATE EXTENSION idem;
CREATE ROLE smith LOGIN;
GRANT CREATE ON SCHEMA public TO smith;
SELECT idem.grant_runtime('smith'), idem.grant_admin('smith');
SET SESSION AUTHORIZATION smith;

CREATE TABLE payment (
    id        int PRIMARY KEY,
    amount    money_micro NOT NULL,
    currency  text NOT NULL,
    status    text NOT NULL,
    result    text
);
CREATE TABLE refund (
    id          bigint PRIMARY KEY,
    payment_id  int NOT NULL REFERENCES payment,
    amount      money_micro NOT NULL,
    currency    text NOT NULL,
    status      text NOT NULL
);
CREATE TABLE capture (
    id          bigint NOT NULL,
    payment_id  int NOT NULL REFERENCES payment,
    amount      numeric NOT NULL,
    status      text NOT NULL,
    PRIMARY KEY (id, status)
) PARTITION BY LIST (status);
CREATE TABLE capture_open PARTITION OF capture FOR VALUES IN ('created', 'paying');
CREATE TABLE capture_rest PARTITION OF capture DEFAULT;
CREATE TABLE receipt (id int PRIMARY KEY, amount money_micro, at timestamptz DEFAULT now());

SELECT * FROM idem.define_machine('payment', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    paying --> succeeded : confirm
    paying --> failed : reject
    succeeded --> [*]
    failed --> [*]
$$);
SELECT idem.guard_states('payment', 'status', 'payment');
SELECT idem.guard_states('capture', 'status', 'payment');
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
                        state => 'status', released => '{failed}', same => '{"currency":"currency"}');
SELECT idem.guard_fixed('payment', '{amount,currency}', once => '{result}');
SELECT idem.guard_kept('receipt');
SELECT idem.create_scope('inside', effect => 'inside', fields => '{amount}');

INSERT INTO payment SELECT i, idem.from_major(100 + i), 'EUR', 'created' FROM generate_series(1, 50) i;
INSERT INTO refund SELECT i, i, 10.00, 'EUR', 'requested' FROM generate_series(1, 40) i;
INSERT INTO capture SELECT i, i, 5, 'created' FROM generate_series(1, 40) i;
INSERT INTO receipt SELECT i, 1.00 FROM generate_series(1, 20) i;
UPDATE payment SET status = 'paying' WHERE id % 2 = 0;
UPDATE payment SET status = 'succeeded' WHERE id % 4 = 0;
UPDATE capture SET status = 'paying' WHERE id % 2 = 0;
UPDATE capture SET status = 'succeeded' WHERE id % 4 = 0;
SELECT count(*) FROM generate_series(1, 50) i, idem.claim('inside', 'k' || i, '{"amount": 1}');
RESET SESSION AUTHORIZATION;
ANALYZE;
