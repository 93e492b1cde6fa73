-- claim: 20,000 keys a round, one transaction, one call a key.
--
-- Beside it the statement people write by hand (no fingerprint, no replay,
-- waits for an open rival) and the PL/pgSQL function that answers what a
-- repeat was answered.

SELECT idem.create_scope('bench', effect => 'inside', fields => '{}');

CREATE TABLE bench.key (key text PRIMARY KEY, response jsonb);

CREATE FUNCTION bench.claim_plpgsql(k text, OUT granted boolean, OUT response jsonb)
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bench.key VALUES (k) ON CONFLICT DO NOTHING;
    granted := FOUND;
    IF NOT granted THEN
        SELECT b.response INTO response FROM bench.key b WHERE b.key = k;
    END IF;
END;
$$;

CREATE TABLE bench.key2 (LIKE bench.key INCLUDING ALL);

INSERT INTO bench.variant VALUES
('claim, fresh key', 'idem', $$
    SELECT count(*) FROM generate_series(1, 20000) i,
        LATERAL idem.claim('bench', 'key-' || $1 || '-' || i)$$),
('claim, fresh key', 'PL/pgSQL function', $$
    SELECT count(*) FROM generate_series(1, 20000) i,
        LATERAL bench.claim_plpgsql('key-' || $1 || '-' || i)$$),
('claim, fresh key', 'INSERT ON CONFLICT, looped', $$
    DO $do$ BEGIN FOR i IN 1 .. 20000 LOOP
        INSERT INTO bench.key2 VALUES ('key-' || clock_timestamp() || '-' || i)
        ON CONFLICT DO NOTHING;
    END LOOP; END $do$$$),
('claim, repeated key', 'idem', $$
    SELECT count(*) FROM generate_series(1, 20000) i,
        LATERAL idem.claim('bench', 'key-0-' || i)$$),
('claim, repeated key', 'PL/pgSQL function', $$
    SELECT count(*) FROM generate_series(1, 20000) i,
        LATERAL bench.claim_plpgsql('key-0-' || i)$$);
