--
-- What the doctor says of tables that nobody guards: each finding planted, and
-- beside each what looks alike and is none.
--
CREATE SCHEMA audit_schema;
SET search_path = audit_schema;
CREATE VIEW findings AS
    SELECT severity, object, finding FROM idem.doctor() WHERE object ~ ' audit_schema'
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
SELECT 'defined' AS machine FROM idem.define_machine('audit_schema', $$
stateDiagram-v2
    [*] --> created
    created --> [*]
$$) LIMIT 1;
SELECT idem.guard_states('debit', 'status', 'audit_schema');
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
    fee_msat    bigint,
    subtotal    numeric,
    balance     money_micro,
    -- none of these is an amount
    total_count integer, tax_rate real, amount_id int, paid_at bigint, price_list int, is_paid int, cost_center int,
    fee_ppm int, total_time_lock int);
COMMENT ON COLUMN priced.discount IS 'in cents';
SELECT * FROM findings;
-- A currency beside them says what the integers count, and not that the others
-- count the same.
ALTER TABLE priced ADD currency char(3), DROP price, DROP fee;
SELECT * FROM findings;
-- What has its unit in its name counts in it, with decimals or without.
ALTER TABLE priced DROP total, DROP tax, DROP subtotal, ADD precise_total_cents numeric;
SELECT * FROM findings;
ALTER TABLE priced DROP balance;
SELECT * FROM findings;
DROP TABLE priced;
CREATE TABLE scaled (id int PRIMARY KEY, currency text, amount numeric(20,0), fee numeric(10,2), total money_micro);
SELECT * FROM findings;
ALTER TABLE scaled ALTER amount TYPE numeric(20,4);
SELECT * FROM findings;
DROP TABLE scaled;
-- A name is read as words, however they are written, and a type down to its number.
CREATE DOMAIN price_domain AS real;
CREATE TYPE price_pair AS (currency text, amount double precision);
CREATE TABLE written (
    id int PRIMARY KEY, "unitPrice" real, "FeeAmount" real, netamount real, sellprice real, debits real, taxes real,
    in_domain_fee price_domain, in_pair_fee price_pair, unit_cost bigint,
    -- none of these is an amount
    "taxRate" real, amount_version bigint, fee_terms int, credit_priority int, price_account int, fee_id int, tax int REFERENCES written);
SELECT * FROM findings;
DROP TABLE written;
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
-- A payment has a status also where its amount stands elsewhere; an event that
-- happened has one for good, and so has what a row began with.
CREATE TABLE payment_reversal (id int PRIMARY KEY, status text, initial_status text, previous_state text);
CREATE TABLE payment_event (id int PRIMARY KEY, amount numeric, status text);
CREATE TABLE payment_method (id int PRIMARY KEY, status text);
CREATE TABLE "Orders" (id int PRIMARY KEY, "paymentState" text);
SELECT * FROM findings;
DROP TABLE payment_reversal, payment_event, payment_method, "Orders";

-- ------------------------------- names alone decide only beside amounts
CREATE TABLE payout (id int PRIMARY KEY, amount numeric, external_reference text, psp_payment_id text, provider_id text, bank_id int);
CREATE TABLE person (id int PRIMARY KEY, external_reference text, psp_payment_id text);
SELECT * FROM findings;
CREATE UNIQUE INDEX ON payout (psp_payment_id) WHERE psp_payment_id IS NOT NULL;
CREATE UNIQUE INDEX ON payout (bank_id, external_reference);
-- Two rows without a bank are two, unless the index says that they are not.
SELECT * FROM findings;
ALTER TABLE payout ALTER bank_id SET NOT NULL;
SELECT * FROM findings;
ALTER TABLE payout ALTER bank_id DROP NOT NULL;
CREATE UNIQUE INDEX ON payout (coalesce(bank_id, 0), external_reference);
SELECT * FROM findings;
DROP INDEX payout_coalesce_external_reference_idx, payout_bank_id_external_reference_idx;
CREATE UNIQUE INDEX ON payout (bank_id, external_reference) NULLS NOT DISTINCT;
SELECT * FROM findings;
DROP TABLE payout, person;
-- deleted_at is null in every row that counts: such a constraint keeps nothing
CREATE TABLE gone (id int PRIMARY KEY, "idempotencyKey" text, "deletedAt" timestamptz, UNIQUE ("idempotencyKey", "deletedAt"));
SELECT * FROM findings;
CREATE UNIQUE INDEX ON gone ("idempotencyKey") WHERE "deletedAt" IS NULL;
SELECT * FROM findings;
DROP TABLE gone;
-- The number of a payment, where the database makes the other key; ids of the
-- other side; and what refers to somebody
CREATE TABLE invoice (id bigint PRIMARY KEY, number text, amount numeric);
CREATE TABLE refund (id text PRIMARY KEY, number text, receipt_number text, amount numeric, stripe_refund_id text, remote_id text, customer_external_id text);
CREATE TABLE parcel (id bigint PRIMARY KEY, number text, amount numeric);
-- The serial number of a message, and those of goods
CREATE TABLE sent (id int PRIMARY KEY, serial_no text);
CREATE TABLE invoice_line (id int PRIMARY KEY, serial_no text, qty int, amount numeric);
SELECT * FROM findings;

SET client_min_messages = warning;
DROP SCHEMA audit_schema CASCADE;
