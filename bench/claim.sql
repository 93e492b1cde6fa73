-- claim: 20,000 keys a round, one transaction; one call a key, and 1000 keys in
-- a call.
--
-- Beside it what one would write by hand: an INSERT that tells a new key from a
-- known one (no fingerprint, no answer, waits for an open rival), and the
-- PL/pgSQL function that also answers what was answered first.  Clients,
-- instructions, sizes and ten million keys are in claim.sh.

-- Commits as what is written by hand does: as synchronous_commit says.
SELECT idem.create_scope('bench', effect => 'inside', fields => '{}', flush => false);
SELECT idem.create_scope('bench fields', effect => 'inside', fields => '{payer,amount}', flush => false);
SELECT idem.create_scope('bench single', effect => 'inside', fields => '{payer,amount}', flush => false);
SELECT idem.create_scope('bench report', effect => 'inside', fields => '{payer,amount}', flush => false,
                         duplicate_fields => '{payer,amount}', duplicate_window => '1 day');
SELECT idem.create_scope('bench hold', effect => 'inside', fields => '{payer,amount}', flush => false,
                         duplicate_fields => '{payer,amount}', duplicate_window => '1 day', on_duplicate => 'hold');

CREATE TABLE bench.hand (
    scope        text COLLATE "C",
    key          text COLLATE "C",
    fingerprint  jsonb,
    status       text,
    response     jsonb,
    created      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
);
CREATE TABLE bench.function (LIKE bench.hand INCLUDING ALL);
CREATE TABLE bench.batch (LIKE bench.hand INCLUDING ALL);

CREATE FUNCTION bench.claim_plpgsql(s text, k text, f jsonb, OUT granted boolean, OUT settled boolean, OUT answered jsonb)
LANGUAGE plpgsql AS $$
DECLARE
    known  bench.function;
BEGIN
    INSERT INTO bench.function (scope, key, fingerprint, status) VALUES (s, k, f, 'done') ON CONFLICT DO NOTHING;
    granted := FOUND;
    settled := false;
    IF NOT granted THEN
        SELECT * INTO known FROM bench.function h WHERE h.scope = s AND h.key = k;
        IF known.fingerprint IS DISTINCT FROM f THEN
            RAISE EXCEPTION 'key % came with another request', k;
        END IF;
        settled := true;
        answered := known.response;
    END IF;
END;
$$;

INSERT INTO bench.variant (what, variant, statement) VALUES
('claim, fresh key', 'idem', $q$
    SELECT count(*) FROM generate_series(1, 20000) i,
        LATERAL idem.claim('bench', 'key-{round}-' || i) c WHERE c.granted$q$),
('claim, fresh key', 'PL/pgSQL function', $q$
    SELECT count(*) FROM generate_series(1, 20000) i,
        LATERAL bench.claim_plpgsql('bench', 'key-{round}-' || i, NULL) c WHERE c.granted$q$),
('claim, repeated key', 'idem', $q$
    SELECT count(*) FROM generate_series(1, 20000) i,
        LATERAL idem.claim('bench', 'key-0-' || i) c WHERE NOT c.granted$q$),
('claim, repeated key', 'PL/pgSQL function', $q$
    SELECT count(*) FROM generate_series(1, 20000) i,
        LATERAL bench.claim_plpgsql('bench', 'key-0-' || i, NULL) c WHERE NOT c.granted$q$);

-- Twenty calls; the keys are made before the clock runs.  Ascending keys suit
-- an index on their text, and ours, too: see idem_key_digest.
CREATE TABLE bench.keys (keys text[]);
INSERT INTO bench.variant (what, variant, statement, before)
SELECT format('1000 %s keys a call, %s', age, sort), variant, statement,
       format($q$TRUNCATE bench.keys; INSERT INTO bench.keys
           SELECT ARRAY(SELECT %s FROM generate_series(1, 1000) i) FROM generate_series(1, 20) j$q$,
              format(CASE sort WHEN 'random' THEN $q$md5('%1$s/' || j || '/' || i)$q$ ELSE $q$'%1$s-' || 100000 + 1000 * j + i$q$ END,
                     CASE age WHEN 'fresh' THEN 'many-{round}' ELSE 'many-0' END))
FROM (VALUES ('fresh'), ('repeated')) a (age), (VALUES ('random'), ('ascending')) s (sort), (VALUES
('idem', $q$
    SELECT count(*) FROM bench.keys b, LATERAL idem.claim_many('bench', b.keys) c$q$),
('one INSERT ON CONFLICT of the same keys', $q$
    DO $d$ DECLARE b bench.keys; BEGIN FOR b IN SELECT * FROM bench.keys LOOP
        INSERT INTO bench.batch (scope, key, status) SELECT 'bench', k, 'done' FROM unnest(b.keys) k ON CONFLICT DO NOTHING;
    END LOOP; END $d$$q$)) v (variant, statement);

INSERT INTO bench.bar (what, alternative, bar) VALUES
('1000 fresh keys a call, random', 'one INSERT ON CONFLICT of the same keys', 1.0),
('1000 repeated keys a call, random', 'one INSERT ON CONFLICT of the same keys', 0.9),
('1000 fresh keys a call, ascending', 'one INSERT ON CONFLICT of the same keys', 1.0),
('1000 repeated keys a call, ascending', 'one INSERT ON CONFLICT of the same keys', 0.9);
