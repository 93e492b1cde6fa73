-- The tables of the race, what the clients do, and what is counted at its end.
\set VERBOSITY verbose
SET client_min_messages = warning;
-- another run: away with the tables of the one before
DROP SCHEMA IF EXISTS race_before CASCADE;
SELECT set_config('idem.drop_reason', 'the run before', false);
DROP SCHEMA IF EXISTS race CASCADE;
CREATE SCHEMA race;

CREATE TABLE race.request_key (tenant bigint, key text, request jsonb NOT NULL, PRIMARY KEY (tenant, key));
CREATE TABLE race.debit (tenant bigint, id uuid, message text NOT NULL, payer text NOT NULL, amount bigint NOT NULL, PRIMARY KEY (tenant, id));
CREATE TABLE race.payment (tenant bigint, id bigint, amount bigint NOT NULL, status text NOT NULL, steps int NOT NULL DEFAULT 0, PRIMARY KEY (tenant, id));
CREATE TABLE race.refund (tenant bigint NOT NULL, id uuid, payment_id bigint NOT NULL, amount bigint NOT NULL, status text NOT NULL, PRIMARY KEY (tenant, id));
CREATE TABLE race.receipt (tenant bigint, id bigint, paper text NOT NULL, PRIMARY KEY (tenant, id));
SELECT create_distributed_table('race.' || t, 'tenant') FROM unnest('{request_key,debit,payment,refund,receipt}'::text[]) t;
ALTER TABLE race.refund ADD FOREIGN KEY (tenant, payment_id) REFERENCES race.payment (tenant, id);

SELECT idem.define_machine('race', E'stateDiagram-v2\n[*] --> created\ncreated --> paying\npaying --> succeeded\npaying --> failed\nsucceeded --> [*]\nfailed --> [*]\n',
                           loosen => 'the race begins', tighten => 'the race begins');
SELECT idem.guard_states('race.payment', 'status', 'race', history => false);
SELECT idem.guard_fixed('race.payment', '{amount}');
SELECT idem.guard_kept('race.receipt');
SELECT idem.guard_limit('race.refund', '{tenant,payment_id}', amount => 'amount', cap => 'amount', used => 'refunded',
                        state => 'status', released => '{failed}');
SELECT idem.guard_keys('race.request_key', '{tenant,key}', request => 'request', fields => '{payer,amount}');
SELECT idem.guard_claimed('race.debit', '{tenant,message}', keys => 'race.request_key');

INSERT INTO race.payment SELECT t, i, 100, 'created' FROM generate_series(0, 63) t, generate_series(1, 10) i;
INSERT INTO race.receipt SELECT t, 1, 'paper' FROM generate_series(0, 63) t;

-- One delivery of message n: a key and, if it is granted, the debit.
CREATE PROCEDURE race.take(n bigint, payer text) LANGUAGE plpgsql AS $$
DECLARE
    mine boolean;
BEGIN
    INSERT INTO race.request_key (tenant, key, request)
    VALUES (n % 64, 'msg-' || n, jsonb_build_object('payer', payer, 'amount', 1 + n % 9))
    ON CONFLICT DO NOTHING RETURNING true INTO mine;
    IF mine THEN
        INSERT INTO race.debit VALUES (n % 64, gen_random_uuid(), 'msg-' || n, payer, 1 + n % 9);
    END IF;
EXCEPTION WHEN SQLSTATE '23I0D' THEN
    NULL; -- another payer
END
$$;

-- What one must not do, or not twice: it ends with an error of idem or is right
CREATE PROCEDURE race.meddle(seed bigint) LANGUAGE plpgsql AS $$
DECLARE
    t bigint := seed % 64;
    i bigint := 1 + (seed / 64) % 10;
    next text := (ARRAY['paying', 'succeeded', 'failed', 'created', 'unknown'])[1 + (seed / 7) % 5];
BEGIN
    IF seed % 6 < 2 THEN
        INSERT INTO race.refund VALUES (t, gen_random_uuid(), i, 7, 'new');
    ELSIF seed % 6 = 2 THEN -- two rows of one payment and one of another, in one statement
        INSERT INTO race.refund VALUES (t, gen_random_uuid(), i, 7, 'new'), (t, gen_random_uuid(), i, 3, 'new'),
                                       (t, gen_random_uuid(), 1 + i % 10, 1, 'new');
    ELSIF seed % 6 = 3 THEN
        UPDATE race.refund SET status = 'failed' WHERE tenant = t AND payment_id = i AND amount = 3 AND status = 'new';
    ELSIF seed % 60 = 4 THEN
        DELETE FROM race.receipt WHERE tenant = t;
    ELSIF seed % 60 = 10 THEN
        UPDATE race.payment SET amount = amount + 1 WHERE tenant = t AND id = i;
    ELSE
        UPDATE race.payment SET status = next, steps = steps + 1 WHERE tenant = t AND id = i;
    END IF;
EXCEPTION WHEN SQLSTATE '23I01' OR SQLSTATE '23I03' OR SQLSTATE '23I04' OR SQLSTATE '23I05' OR SQLSTATE '23I07' OR SQLSTATE '23I08' THEN
    NULL;
END
$$;

-- A client's deliveries first .. first + n - 1, a transaction each
CREATE PROCEDURE race.deliver(client int, first int, n int, keys int) LANGUAGE plpgsql AS $$
DECLARE
    i bigint;
BEGIN
    FOR i IN first .. first + n - 1 LOOP
        CALL race.take((i * 3 + client * 1009 + (i / 7) * 37) % keys, CASE WHEN i % 11 = 0 THEN 'u2' ELSE 'u1' END);
        COMMIT;
        IF i % 3 = 0 THEN
            CALL race.meddle(i * 7919 + client * 104729);
            COMMIT;
        END IF;
    END LOOP;
END
$$;

-- A third of all messages once more, and of those that never came the first time
CREATE PROCEDURE race.once_more(part int, keys int) LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 0 .. keys - 1 LOOP
        IF n % 3 = part THEN
            CALL race.take(n, 'u1');
            COMMIT;
        END IF;
    END LOOP;
END
$$;

-- The machine with another state, and without it again; false: rows stand there.
CREATE FUNCTION race.redefine(n int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM idem.define_machine('race', E'stateDiagram-v2\n[*] --> created\ncreated --> paying\npaying --> succeeded\npaying --> failed\n'
                                || CASE WHEN n % 2 = 1 THEN E'paying --> unknown\nunknown --> failed\n' ELSE '' END
                                || E'succeeded --> [*]\nfailed --> [*]\n', loosen => 'race', tighten => 'race');
    RETURN true;
EXCEPTION WHEN invalid_object_definition THEN
    RETURN false;
END
$$;

CREATE VIEW race.debited AS
SELECT tenant, message, count(*) AS n, min(payer) AS payer, min(amount) AS amount FROM race.debit GROUP BY 1, 2;
CREATE VIEW race.verdict AS
SELECT 'debited twice' AS what, count(*) AS found FROM race.debited WHERE n > 1
UNION ALL
SELECT 'lost', :keys - count(*) FROM race.debited
UNION ALL
SELECT 'without key, or not what it was granted for', count(*) FROM race.debited d LEFT JOIN race.request_key k ON k.tenant = d.tenant AND k.key = d.message
WHERE k.key IS NULL OR k.request ->> 'payer' <> d.payer OR (k.request ->> 'amount')::bigint <> d.amount
UNION ALL
SELECT 'key without debit', count(*) FROM race.request_key k LEFT JOIN race.debited d ON d.tenant = k.tenant AND d.message = k.key
WHERE d.message IS NULL
UNION ALL
SELECT 'refunded above the payment, or another sum', count(*) FROM race.payment p
LEFT JOIN (SELECT tenant, payment_id, sum(amount) AS n FROM race.refund WHERE status <> 'failed' GROUP BY 1, 2) r
     ON r.tenant = p.tenant AND r.payment_id = p.id
WHERE p.refunded <> coalesce(r.n, 0) OR coalesce(r.n, 0) > p.amount OR p.amount <> 100
UNION ALL
SELECT 'in a state that it cannot be in', count(*) FROM race.payment
WHERE (status, steps) NOT IN (('created', 0), ('paying', 1), ('succeeded', 2), ('failed', 2), ('failed', 3), ('unknown', 2))
UNION ALL
SELECT 'receipts gone', 64 - count(*) FROM race.receipt;
CREATE VIEW race.figures AS
SELECT (SELECT count(*) FROM race.request_key) || ' keys, ' || (SELECT count(*) FROM race.refund) || ' refunds, '
       || (SELECT count(*) FROM race.payment WHERE refunded >= 94) || ' payments refunded up to the limit, '
       || (SELECT count(*) FROM race.payment WHERE status IN ('succeeded', 'failed')) || ' at an end';
