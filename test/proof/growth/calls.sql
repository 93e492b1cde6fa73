-- calls.sql - claims, transitions and refunds in one backend, :calls of each
--
-- Memory is what the server counts in its own contexts, and where the kernel
-- tells it what the process has for itself; measured after a twentieth of the
-- calls, when every cache is filled, and at the end.  Every
-- thousand calls are a transaction: what lives as long as one may grow.

CREATE EXTENSION idem;
SELECT idem.create_scope('grow', effect => 'inside', fields => '{amount}');
CREATE TABLE payment (id int PRIMARY KEY, amount bigint NOT NULL, status text NOT NULL);
CREATE TABLE refund (id bigserial PRIMARY KEY, payment_id int NOT NULL REFERENCES payment, amount bigint, status text);
SELECT * FROM idem.define_machine('turn', $$
stateDiagram-v2
    [*] --> up
    up --> down : lower
    down --> up : lift
    up --> gone : end
    gone --> [*]
$$) \g /dev/null
SELECT idem.guard_states('payment', 'status', 'turn', history => false);
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
                        state => 'status', released => '{failed}');
SELECT idem.guard_fixed('payment', '{amount}');
INSERT INTO payment SELECT i, 1000000000, 'up' FROM generate_series(1, 1000) i;

CREATE TABLE memory (what text, n bigint, bytes bigint);
CREATE FUNCTION private_bytes() RETURNS bigint LANGUAGE sql VOLATILE
RETURN 1024 * substring(pg_read_file('/proc/self/status', 0, 4000, true) FROM 'RssAnon:\s*(\d+)')::bigint;

CREATE PROCEDURE turn(what text, calls bigint, statement text) LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1 .. calls / 1000 LOOP
        EXECUTE statement USING n;
        COMMIT;
        IF n = greatest(calls / 20000, 1) OR n = calls / 1000 THEN
            INSERT INTO memory SELECT what || ', contexts', n * 1000, sum(total_bytes) FROM pg_backend_memory_contexts;
            INSERT INTO memory SELECT what || ', process', n * 1000, b FROM private_bytes() b WHERE b IS NOT NULL;
            COMMIT;
        END IF;
    END LOOP;
END $$;

-- fresh keys and, as many, repeated ones; one refused claim a thousand
CALL turn('claim', :calls, $$
    SELECT count(*) FILTER (WHERE c.granted) FROM generate_series(1, 500) i,
        generate_series(1, 2) again, LATERAL idem.claim('grow', 'k' || $1 || '-' || i, '{"amount": 1}') c$$);
CALL turn('transition', :calls, $$
    SELECT count(*) FROM generate_series(1, 1000) i,
        LATERAL idem.transition('payment', i::text, CASE WHEN $1 % 2 = 1 THEN 'down' ELSE 'up' END)$$);
CALL turn('update of a state', :calls, $$
    UPDATE payment SET status = CASE WHEN $1 % 2 = 1 THEN CASE status WHEN 'up' THEN 'down' ELSE 'up' END
                                     ELSE CASE status WHEN 'up' THEN 'down' ELSE 'up' END END$$);
CALL turn('refund', :calls, $$
    INSERT INTO refund (payment_id, amount, status) SELECT i, 1, 'new' FROM generate_series(1, 1000) i$$);

-- errors, each in a block of its own
CREATE FUNCTION refused(n bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    met bigint := 0;
BEGIN
    FOR i IN 1 .. 1000 LOOP
        BEGIN
            IF i % 3 = 0 THEN
                UPDATE payment SET amount = amount + 1 WHERE id = i;
            ELSIF i % 3 = 1 THEN
                UPDATE payment SET status = 'nowhere' WHERE id = i;
            ELSE
                INSERT INTO refund (payment_id, amount, status) VALUES (i, 2000000000, 'new');
            END IF;
        EXCEPTION WHEN integrity_constraint_violation OR SQLSTATE '23I01' OR SQLSTATE '23I05' OR SQLSTATE '23I07' THEN
            met := met + 1;
        END;
    END LOOP;
    RETURN met;
END $$;
CALL turn('refused', :calls / 10, 'SELECT refused($1)');

SELECT what || ': ' || min(n) || ' calls ' || min(bytes) FILTER (WHERE n = first) || ' bytes, '
       || max(n) || ' calls ' || max(bytes) FILTER (WHERE n = last) || ' bytes'
FROM (SELECT *, min(n) OVER w AS first, max(n) OVER w AS last FROM memory WINDOW w AS (PARTITION BY what)) m
GROUP BY what ORDER BY what;

-- more than 256 kB, or a byte for each twenty calls
SELECT 'GREW: ' || what
FROM (SELECT *, min(n) OVER w AS first, max(n) OVER w AS last FROM memory WINDOW w AS (PARTITION BY what)) m
GROUP BY what
HAVING max(bytes) FILTER (WHERE n = last) - min(bytes) FILTER (WHERE n = first) > greatest(262144, max(n) / 20);
