-- Tables are distributed first and guarded then; nothing is set for it. What
-- would not hold on several nodes is refused.
\set VERBOSITY verbose
CREATE EXTENSION idem;
CREATE SCHEMA proof;

-- 'ok ...' if the statement ends with this SQLSTATE; 00000: with none.
CREATE FUNCTION proof.gives(state text, statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    found text := '00000';
    said text;
BEGIN
    BEGIN
        EXECUTE statement;
    EXCEPTION WHEN OTHERS THEN
        found := SQLSTATE;
        said := SQLERRM;
    END;
    IF found <> state THEN
        RAISE EXCEPTION '% gives %, not %: %', statement, found, state, said;
    END IF;
    RETURN 'ok ' || state || ' ' || statement;
END
$$;

CREATE SCHEMA shop;
CREATE TABLE shop.payment (tenant bigint, id bigint, amount bigint NOT NULL, status text NOT NULL, note text, PRIMARY KEY (tenant, id));
CREATE TABLE shop.refund (tenant bigint NOT NULL, id bigint, payment_id bigint NOT NULL, amount bigint NOT NULL,
                          status text NOT NULL DEFAULT 'new', PRIMARY KEY (tenant, id));
CREATE TABLE shop.receipt (tenant bigint, id bigint, paper text NOT NULL, PRIMARY KEY (tenant, id));
CREATE TABLE shop.request_key (tenant bigint, key text, request jsonb NOT NULL, response jsonb, PRIMARY KEY (tenant, key));
CREATE TABLE shop.debit (tenant bigint, message text, amount bigint NOT NULL, PRIMARY KEY (tenant, message));
SELECT create_distributed_table('shop.' || t, 'tenant') FROM unnest('{payment,refund,receipt,request_key,debit}'::text[]) t;
ALTER TABLE shop.refund ADD FOREIGN KEY (tenant, payment_id) REFERENCES shop.payment (tenant, id);

SELECT idem.define_machine('payment', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    paying --> succeeded : confirm
    paying --> failed : reject
    paying --> paying : ask
    succeeded --> [*]
    failed --> [*]
$$);

-- what would be kept on one node, or differ between nodes
SELECT proof.gives('0A000', $$SELECT idem.guard_states('shop.payment', 'status', 'payment')$$);
SELECT idem.create_scope('debit', 'inside', '{}');
SELECT proof.gives('0A000', $$SELECT idem.claim('debit', 'message')$$);
SELECT proof.gives('0A000', $$SELECT idem.guard_claimed('shop.debit', '{message}', 'debit')$$);
CREATE TABLE shop.rate (id int PRIMARY KEY, status text NOT NULL);
SELECT create_reference_table('shop.rate');
SELECT proof.gives('0A000', $$SELECT idem.guard_fixed('shop.rate', '{status}')$$);
CREATE TABLE shop.daily (tenant bigint, day date, amount bigint NOT NULL, PRIMARY KEY (tenant, day)) PARTITION BY RANGE (day);
SELECT create_distributed_table('shop.daily', 'tenant');
SELECT proof.gives('0A000', $$SELECT idem.guard_fixed('shop.daily', '{amount}')$$);
CREATE TABLE shop.account (tenant bigint, id bigint, PRIMARY KEY (tenant, id));
CREATE TABLE shop.entry (tenant bigint NOT NULL, id bigint, account bigint NOT NULL, amount bigint NOT NULL, PRIMARY KEY (tenant, id));
SELECT create_distributed_table('shop.account', 'tenant'), create_distributed_table('shop.entry', 'tenant');
ALTER TABLE shop.entry ADD FOREIGN KEY (tenant, account) REFERENCES shop.account (tenant, id);
SELECT proof.gives('0A000', $$SELECT idem.guard_balance('shop.entry', '{tenant,account}', amount => 'amount', balance => 'balance')$$);
DROP TABLE shop.entry, shop.account, shop.daily, shop.rate;

-- guarded first: Citus refuses to distribute what has triggers
CREATE TABLE shop.early (tenant bigint, id bigint, status text NOT NULL, PRIMARY KEY (tenant, id));
SELECT idem.guard_states('shop.early', 'status', 'payment');
SELECT proof.gives('XX000', $$SELECT create_distributed_table('shop.early', 'tenant')$$);
-- and told that it may, it gets shards that let no row in, which the doctor says
SET citus.enable_unsafe_triggers = on;
SELECT create_distributed_table('shop.early', 'tenant');
RESET citus.enable_unsafe_triggers;
SELECT proof.gives('39P01', $$INSERT INTO shop.early VALUES (1, 1, 'created')$$);
SELECT 'ok ' || finding FROM idem.doctor() WHERE object = 'table shop.early' AND finding ~ 'before the table was distributed';
SELECT idem.drop_guard('shop.early', 'states', reason => 'declared before the table was distributed');
SELECT idem.guard_states('shop.early', 'status', 'payment', history => false);
SELECT proof.gives('00000', $$INSERT INTO shop.early VALUES (1, 1, 'created')$$);

SELECT proof.gives('00000', $$SELECT idem.guard_states('shop.payment', 'status', 'payment', history => false)$$);
SELECT proof.gives('00000', $$SELECT idem.guard_fixed('shop.payment', '{amount}')$$);
SELECT proof.gives('00000', $$SELECT idem.guard_kept('shop.receipt')$$);
SELECT proof.gives('00000', $$SELECT idem.guard_limit('shop.refund', '{tenant,payment_id}', amount => 'amount', cap => 'amount',
    used => 'refunded', state => 'status', released => '{failed}')$$);
SELECT proof.gives('00000', $$SELECT idem.guard_keys('shop.request_key', '{tenant,key}', request => 'request', fields => '{payer,amount}',
    response => 'response')$$);
SELECT proof.gives('00000', $$SELECT idem.guard_claimed('shop.debit', '{tenant,message}', keys => 'shop.request_key')$$);
SELECT 1 / (count(*) = 8)::int FROM idem.guards WHERE intact AND relation::text ~ '^shop';
