--
-- What the doctor says of tables that nobody guards: each finding planted, and
-- beside each what looks alike and is none.
--
CREATE SCHEMA doctor_schema;
SET search_path = doctor_schema;
CREATE VIEW findings AS
    SELECT severity, object, finding FROM idem.doctor() WHERE object ~ ' doctor_schema'
    ORDER BY severity COLLATE "C", object COLLATE "C", finding COLLATE "C";

-- --------------------------------------------- the table of the incident
CREATE TABLE debit (
    id          bigint PRIMARY KEY,
    user_id     bigint NOT NULL,
    uuid        varchar(64) NOT NULL,
    request_no  text,
    amount      double precision,
    status      varchar(16));
SELECT * FROM findings;
-- As it should have been: nothing is left but the status.
ALTER TABLE debit ADD UNIQUE (uuid), ADD UNIQUE (user_id, request_no), ALTER amount TYPE numeric(18,2);
SELECT * FROM findings;
SELECT 'defined' AS machine FROM idem.define_machine('doctor_schema', $$
stateDiagram-v2
    [*] --> created
    created --> [*]
$$) LIMIT 1;
SELECT idem.guard_states('debit', 'status', 'doctor_schema');
SELECT * FROM findings;
DROP TABLE debit;

-- ------------------------------------------------ unique, but not everywhere
CREATE TABLE notice (request_no text, day date, UNIQUE (request_no, day));
CREATE TABLE message (idempotency_key text, part int, UNIQUE (idempotency_key, part)) PARTITION BY LIST (part);
CREATE TABLE hashed (idempotency_key text UNIQUE) PARTITION BY HASH (idempotency_key);
CREATE TABLE padded (id int PRIMARY KEY, request_no text, UNIQUE (id, request_no));
CREATE TABLE late (request_no text UNIQUE DEFERRABLE);
CREATE TABLE late2 (request_no text PRIMARY KEY);
CREATE TABLE refers (id int PRIMARY KEY, request_no text REFERENCES late2);
CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE loosely (request_no text COLLATE loose UNIQUE);
CREATE TABLE broken (request_no text);
INSERT INTO broken VALUES ('a'), ('a');
CREATE UNIQUE INDEX CONCURRENTLY broken_request ON broken (request_no);
SELECT * FROM findings;
DROP TABLE notice, message, hashed, padded, refers, late, late2, loosely, broken;

-- ------------------------------------------------------------------- amounts
CREATE TABLE priced (
    id          int PRIMARY KEY,
    price       real,
    fee         money,
    total       bigint,
    tax         integer,
    paid_cents  bigint,
    discount    integer,
    cost_micro  bigint,
    subtotal    numeric,
    balance     money_micro,
    -- none of these is an amount
    total_count integer, tax_rate real, amount_id int, paid_at bigint, price_list int, is_paid int, cost_center int);
COMMENT ON COLUMN priced.discount IS 'in cents';
SELECT * FROM findings;
-- A currency beside them says what the integers count.
ALTER TABLE priced ADD currency char(3), DROP price, DROP fee;
SELECT * FROM findings;
DROP TABLE priced;
CREATE TABLE nameless (amount numeric);
CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY, amount numeric);
SELECT * FROM findings;
DROP TABLE nameless, fleeting;

-- -------------------------------------------------------------------- status
CREATE TYPE mood AS ENUM ('new', 'done');
CREATE TABLE trade (id int PRIMARY KEY, amount numeric, status mood, payment_state int, shipping_state text, ok_status boolean);
CREATE TABLE person (id int PRIMARY KEY, status text);
CREATE TABLE customer (id int PRIMARY KEY, credit numeric, city text, state text);
CREATE TABLE trade_history (id int PRIMARY KEY, amount numeric, status text, request_no text);
SELECT * FROM findings;
DROP TABLE trade, person, customer, trade_history;

-- ------------------------------- names alone decide only beside amounts
CREATE TABLE payout (id int PRIMARY KEY, amount numeric, external_reference text, psp_payment_id text, provider_id text, bank_id int);
CREATE TABLE person (id int PRIMARY KEY, external_reference text, psp_payment_id text);
SELECT * FROM findings;
CREATE UNIQUE INDEX ON payout (psp_payment_id) WHERE psp_payment_id IS NOT NULL;
CREATE UNIQUE INDEX ON payout (bank_id, external_reference);
SELECT * FROM findings;

SET client_min_messages = warning;
DROP SCHEMA doctor_schema CASCADE;
