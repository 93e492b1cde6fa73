-- claim: 20,000 keys a round, one transaction, one call a key.
--
-- Beside it the PL/pgSQL function that answers what a repeat was answered, and
-- a single statement for all keys (no fingerprint, no answer a key, waits for
-- an open rival).

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

INSERT INTO bench.variant (what, variant, statement) VALUES
('claim, fresh key', 'idem', $q$
    SELECT count(*) FROM generate_series(1, 20000) i,
        LATERAL idem.claim('bench', 'key-{round}-' || i) c WHERE c.granted$q$),
('claim, fresh key', 'PL/pgSQL function', $q$
    SELECT count(*) FROM generate_series(1, 20000) i,
        LATERAL bench.claim_plpgsql('key-{round}-' || i) c WHERE c.granted$q$),
('claim, fresh key', 'one INSERT ON CONFLICT for all keys', $q$
    INSERT INTO bench.key2 SELECT 'key-{round}-' || i FROM generate_series(1, 20000) i
    ON CONFLICT DO NOTHING$q$),
('claim, repeated key', 'idem', $q$
    SELECT count(*) FROM generate_series(1, 20000) i,
        LATERAL idem.claim('bench', 'key-0-' || i) c WHERE NOT c.granted$q$),
('claim, repeated key', 'PL/pgSQL function', $q$
    SELECT count(*) FROM generate_series(1, 20000) i,
        LATERAL bench.claim_plpgsql('key-0-' || i) c WHERE NOT c.granted$q$),
('claim, repeated key', 'one INSERT ON CONFLICT for all keys', $q$
    INSERT INTO bench.key2 SELECT 'key-0-' || i FROM generate_series(1, 20000) i
    ON CONFLICT DO NOTHING$q$);
