-- What the consumers of storm.sh work on.  :keys messages in :deliveries.
--
-- One half of the messages is claimed in a scope, the other half inserted into
-- a table of keys.  What each delivery did, it writes to "said" in the same
-- transaction; the oracle reads that and the effects, and nothing of idem.
CREATE EXTENSION idem;
CREATE SCHEMA storm;
SELECT idem.create_scope('storm', effect => 'inside', fields => '{amount}');
CREATE TABLE storm.request_key (key text PRIMARY KEY, request jsonb NOT NULL);
SELECT idem.guard_keys('storm.request_key', '{key}', request => 'request', fields => '{amount}');

-- No unique constraint: only the guard keeps these apart.
CREATE TABLE storm.debit (message text NOT NULL, amount int NOT NULL);
CREATE TABLE storm.transfer (LIKE storm.debit);
CREATE INDEX ON storm.debit (message);
CREATE INDEX ON storm.transfer (message);
SELECT idem.guard_claimed('storm.debit', '{message}', 'storm');
SELECT idem.guard_claimed('storm.transfer', '{message}', keys => 'storm.request_key');

CREATE TABLE storm.said (message text NOT NULL, how text NOT NULL, granted bool NOT NULL, refused bool NOT NULL);
CREATE SEQUENCE storm.delivery;
CREATE TABLE storm.setting AS SELECT :keys::int AS keys, :deliveries::int AS deliveries;

CREATE FUNCTION storm.grant_key(n int) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
    is_granted bool := false;
BEGIN
    IF n % 2 = 0 THEN
        SELECT granted INTO is_granted FROM idem.claim('storm', 'msg-' || n, jsonb_build_object('amount', n));
    ELSE
        INSERT INTO storm.request_key VALUES ('msg-' || n, jsonb_build_object('amount', n))
            ON CONFLICT DO NOTHING RETURNING true INTO is_granted;
    END IF;
    RETURN coalesce(is_granted, false);
END $$;

-- True if the effect was refused.
CREATE FUNCTION storm.effect(n int) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    IF n % 2 = 0 THEN
        INSERT INTO storm.debit VALUES ('msg-' || n, n);
    ELSE
        INSERT INTO storm.transfer VALUES ('msg-' || n, n);
    END IF;
    RETURN false;
EXCEPTION WHEN SQLSTATE '23I0A' THEN
    RETURN true;
END $$;

-- A consumer that looks at the answer, and one that does not.
CREATE FUNCTION storm.good(n int, OUT granted bool, OUT refused bool) LANGUAGE plpgsql AS $$
BEGIN
    granted := storm.grant_key(n);
    refused := granted AND storm.effect(n);
END $$;
CREATE FUNCTION storm.careless(n int, OUT granted bool, OUT refused bool) LANGUAGE plpgsql AS $$
BEGIN
    granted := storm.grant_key(n);
    refused := storm.effect(n);
END $$;

-- One that looks for the effect and, finding none, writes it.
CREATE FUNCTION storm.naive(n int, OUT granted bool, OUT refused bool) LANGUAGE plpgsql AS $$
BEGIN
    granted := false;
    refused := NOT EXISTS (SELECT FROM storm.debit WHERE message = 'msg-' || n)
        AND NOT EXISTS (SELECT FROM storm.transfer WHERE message = 'msg-' || n)
        AND storm.effect(n);
END $$;

-- One that takes a key, gives it back and writes all the same; and if it keeps
-- one, writes twice, and makes the effect of another message its own.
CREATE FUNCTION storm.malicious(n int, OUT granted bool, OUT refused bool) LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        PERFORM storm.grant_key(n);
        RAISE EXCEPTION 'given back';
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
    refused := storm.effect(n);
    granted := storm.grant_key(n);
    IF granted THEN
        PERFORM storm.effect(n), storm.effect(n);
    END IF;
    BEGIN
        UPDATE storm.debit SET message = 'msg-' || n + 2 WHERE message = 'msg-' || n;
    EXCEPTION WHEN SQLSTATE '23I07' THEN NULL;
    END;
END $$;

-- A message comes several times within moments, to whoever is free.
CREATE FUNCTION storm.deliver() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    n int;
    dice float := random();
    d record;
BEGIN
    SELECT 1 + (nextval('storm.delivery') * s.keys / s.deliveries + (random() * 3)::int) % s.keys INTO n FROM storm.setting s;
    CASE WHEN dice < 0.6 THEN SELECT 'good' AS how, * INTO d FROM storm.good(n);
         WHEN dice < 0.75 THEN SELECT 'careless' AS how, * INTO d FROM storm.careless(n);
         WHEN dice < 0.9 THEN SELECT 'naive' AS how, * INTO d FROM storm.naive(n);
         ELSE SELECT 'malicious' AS how, * INTO d FROM storm.malicious(n);
    END CASE;
    INSERT INTO storm.said VALUES ('msg-' || n, d.how, d.granted, d.refused);
END $$;

-- Every message once more, to a consumer as it should be.
CREATE FUNCTION storm.last_delivery() RETURNS bigint LANGUAGE sql AS $$
    WITH d AS (SELECT n, (storm.good(n)).* FROM generate_series(1, (SELECT keys FROM storm.setting)) n),
         s AS (INSERT INTO storm.said SELECT 'msg-' || n, 'good', granted, refused FROM d RETURNING granted)
    SELECT count(*) FILTER (WHERE granted) FROM s
$$;

-- What is wrong, and how often.
CREATE VIEW storm.wrong AS
WITH effect AS (SELECT message, amount FROM storm.debit UNION ALL SELECT message, amount FROM storm.transfer),
     granted AS (SELECT message, count(*) AS n FROM storm.said WHERE granted GROUP BY message)
SELECT 'messages with several effects' AS what, count(*)
    FROM (SELECT message FROM effect GROUP BY message HAVING count(*) > 1) e
UNION ALL
SELECT 'messages without an effect', count(*)
    FROM generate_series(1, (SELECT keys FROM storm.setting)) n WHERE NOT EXISTS (SELECT FROM effect WHERE message = 'msg-' || n)
UNION ALL
SELECT 'effects of nobody who was granted the key', count(*)
    FROM effect e WHERE NOT EXISTS (SELECT FROM granted g WHERE g.message = e.message)
UNION ALL
SELECT 'keys granted more than once', count(*) FROM granted WHERE n > 1
UNION ALL
SELECT 'effects with the amount of another message', count(*) FROM effect WHERE message <> 'msg-' || amount;
