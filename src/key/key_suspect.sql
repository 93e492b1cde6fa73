
-- ---------------------------------------------------------------------------
-- key: suspected duplicates
-- ---------------------------------------------------------------------------

-- One row a key that was granted, written before it is (key_sighting.c), and one
-- of a key that is held, at infinity, where it finds it whatever the time.  Not
-- unique: equal payments are lawful; a subscriber finds the row that is deleted
-- by all of it.  The key is never stored out of line: it is read from rows that
-- have not committed.
CREATE TABLE idem.sighting (
    digest      uuid NOT NULL,
    first_seen  timestamptz NOT NULL,
    scope       integer NOT NULL,
    key         text COLLATE "C" NOT NULL
);
ALTER TABLE idem.sighting ALTER COLUMN key SET STORAGE PLAIN;
ALTER TABLE idem.sighting REPLICA IDENTITY FULL;
CREATE INDEX sighting_digest ON idem.sighting (digest, first_seen);
COMMENT ON TABLE idem.sighting IS 'which keys came with which members, in scopes with duplicate_fields; idem.retire forgets what is older than duplicate_window';
COMMENT ON COLUMN idem.sighting.digest IS '16 bytes of SHA-256 of scope id (4 bytes, big endian) and the fingerprint of the duplicate_fields';
COMMENT ON COLUMN idem.sighting.first_seen IS 'when the key was granted or reserved, by the clock of the database; infinity: it is held';
COMMENT ON COLUMN idem.sighting.scope IS 'id of the scope';
COMMENT ON COLUMN idem.sighting.key IS 'the idempotency key, byte for byte';
COMMENT ON INDEX idem.sighting_digest IS 'other keys with the same members, by time';
REVOKE ALL ON TABLE idem.sighting FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.sighting', '');

-- Scope and key come first, as in a log of keys, so that it is written as one.
CREATE TABLE idem.suspect (
    scope       integer NOT NULL,
    key         text COLLATE "C" NOT NULL,
    id          uuid NOT NULL,
    members     uuid NOT NULL,
    first_seen  timestamptz NOT NULL,
    held        boolean NOT NULL
);
ALTER TABLE idem.suspect REPLICA IDENTITY FULL;
CREATE INDEX suspect_id ON idem.suspect (id);
COMMENT ON TABLE idem.suspect IS 'keys that came while another one had the same members; idem.suspects shows those that still ask a question';
COMMENT ON COLUMN idem.suspect.scope IS 'id of the scope';
COMMENT ON COLUMN idem.suspect.key IS 'the key that came later';
COMMENT ON COLUMN idem.suspect.id IS 'digest of the key, as in idem.anchor and idem.reservation';
COMMENT ON COLUMN idem.suspect.members IS 'digest of the members, as in idem.sighting';
COMMENT ON COLUMN idem.suspect.first_seen IS 'when it came first: what was seen within the window before that speaks against it';
COMMENT ON COLUMN idem.suspect.held IS 'it was answered suspect, and not granted';
COMMENT ON INDEX idem.suspect_id IS 'one row a key, or a few that came at the same moment';
REVOKE ALL ON TABLE idem.suspect FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.suspect', '');

CREATE FUNCTION idem.key_digest(scope integer, key text) RETURNS uuid
    AS 'MODULE_PATHNAME', 'idem_key_digest_sql'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION idem.key_digest(integer, text) IS
    'the digest under which idem keeps a key: of the id of its scope and the key; for the views of suspected duplicates. NULL for what is too long to be a key.';

-- The same judgement as that of a claim (key_sighting.c), of the rows that are
-- committed: which other key with the same members is open or succeeded.  Each
-- question is asked by itself, of an index: as cheap as there are few suspects,
-- however many keys there are.
CREATE VIEW idem.suspects AS
SELECT DISTINCT ON (p.id, p.members) p.id, s.name AS scope, p.key,
       CASE WHEN k.counts THEN 'granted' ELSE 'held' END AS state,
       p.first_seen, o.key AS other, o.first_seen AS other_seen, p.members
FROM idem.suspect p
JOIN idem.scope s ON s.id = p.scope
LEFT JOIN LATERAL (
    SELECT a.state <> 'n' AS counts, false AS released FROM idem.anchor a WHERE a.digest = p.id
    UNION ALL
    SELECT r.state NOT IN ('f', 'l', 'n'), r.state = 'l' FROM idem.reservation r WHERE r.digest = p.id) k ON true
LEFT JOIN LATERAL (
    SELECT true AS seen FROM idem.sighting w
    WHERE w.digest = p.members AND w.key = p.key AND w.first_seen < 'infinity' LIMIT 1) w ON true
CROSS JOIN LATERAL (
    SELECT pg_catalog.max(e.at) AS at FROM idem.evidence e
    WHERE e.scope = p.scope AND e.key = p.key AND e.action = 'confirm' AND e.scope_created_at = s.created_at
          AND e.evidence ->> 'members' = p.members::text) confirmed
CROSS JOIN LATERAL (
    SELECT greatest(confirmed.at, pg_catalog.max(w.first_seen)) AS until FROM idem.sighting w
    WHERE w.digest = p.members AND w.key = p.key AND w.first_seen < 'infinity') accepted
CROSS JOIN LATERAL (SELECT pg_catalog.make_interval(secs => pg_catalog.date_part('epoch', s.duplicate_window)) AS time) within
CROSS JOIN LATERAL (
    SELECT o.key, o.first_seen
    FROM idem.sighting o
    WHERE o.digest = p.members AND o.key <> p.key
          AND o.first_seen >= p.first_seen - within.time
          AND o.first_seen < CASE WHEN k.counts THEN p.first_seen + within.time ELSE 'infinity' END
          AND CASE s.effect WHEN 'inside'
                   THEN (SELECT a.state <> 'n' FROM idem.anchor a WHERE a.digest = idem.key_digest(o.scope, o.key))
                   ELSE (SELECT r.state NOT IN ('f', 'l', 'n') AND (confirmed.at IS NULL OR r.first_seen > accepted.until)
                         FROM idem.reservation r WHERE r.digest = idem.key_digest(o.scope, o.key)) END
    ORDER BY o.first_seen LIMIT 1) o
WHERE (k.counts AND w.seen OR p.held AND (k.released OR k.counts IS NULL))
      AND (confirmed.at IS NULL OR k.released)
ORDER BY p.id, p.members, p.first_seen;
COMMENT ON VIEW idem.suspects IS 'keys that may be a second request for a payment that another key has: a row a key, until it is confirmed';
COMMENT ON COLUMN idem.suspects.id IS 'what idem.confirm_suspects is given';
COMMENT ON COLUMN idem.suspects.scope IS 'scope of the keys';
COMMENT ON COLUMN idem.suspects.key IS 'the key that is suspected';
COMMENT ON COLUMN idem.suspects.state IS 'held: it is answered suspect until it is confirmed or fenced; granted: it was granted, as on_duplicate report says';
COMMENT ON COLUMN idem.suspects.first_seen IS 'when it came first';
COMMENT ON COLUMN idem.suspects.other IS 'the first other key that has the same members within the window, and is open or succeeded';
COMMENT ON COLUMN idem.suspects.other_seen IS 'when that came';
COMMENT ON COLUMN idem.suspects.members IS 'digest of the members: keys that agree in them have the same one';
REVOKE ALL ON TABLE idem.suspects FROM PUBLIC;

CREATE VIEW idem.stat_suspects AS
SELECT scope, state, pg_catalog.count(*) AS keys, pg_catalog.min(first_seen) AS oldest
FROM idem.suspects
GROUP BY scope, state;
COMMENT ON VIEW idem.stat_suspects IS 'how many keys are suspected duplicates and not confirmed, a row for each scope and state';
COMMENT ON COLUMN idem.stat_suspects.scope IS 'the scope';
COMMENT ON COLUMN idem.stat_suspects.state IS 'held or granted, as in idem.suspects';
COMMENT ON COLUMN idem.stat_suspects.keys IS 'how many';
COMMENT ON COLUMN idem.stat_suspects.oldest IS 'when the first of them came';
REVOKE ALL ON TABLE idem.stat_suspects FROM PUBLIC;

-- The doctor's.
CREATE VIEW idem.suspect_problems AS
SELECT CASE state WHEN 'held' THEN 'warning' ELSE 'notice' END AS severity,
       pg_catalog.format('scope %I', scope) AS object,
       pg_catalog.format(CASE state WHEN 'held' THEN 'keys that are held as suspected duplicates: %s, the oldest since %s'
                                    ELSE 'keys that were granted although another one has the same members: %s, the oldest since %s' END,
                         keys, oldest) AS finding,
       CASE state WHEN 'held' THEN pg_catalog.format('SELECT * FROM idem.suspects WHERE scope = %L; idem.confirm_suspects lets them go on, idem.fence ends them', scope)
                  ELSE pg_catalog.format('SELECT * FROM idem.suspects WHERE scope = %L; pay back what was a duplicate, and confirm the others with idem.confirm_suspects', scope) END AS remedy
FROM idem.stat_suspects
WHERE state <> 'held' OR oldest < pg_catalog.clock_timestamp() - interval '1 day';
COMMENT ON VIEW idem.suspect_problems IS 'suspected duplicates that nobody has judged, held ones after a day, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.suspect_problems FROM PUBLIC;

CREATE FUNCTION idem.confirm_suspects(ids uuid[], reason text) RETURNS bigint
    AS 'MODULE_PATHNAME', 'idem_confirm_suspects'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.confirm_suspects(uuid[], text) IS
    'says of suspected duplicates that each is a payment of its own: one that is held is granted the next time it comes, and none is in idem.suspects any more. For operators; kept in idem.evidence. What is a duplicate is ended with idem.fence instead.
In: ids of idem.suspects; the reason.
Out: how many were confirmed: those that were in idem.suspects.
Errors: 22004 ids or reason null; 22023 reason blank or longer than 1,000 characters; 42501 not an operator, or the approval of another person is missing; 25006 on a standby or in a read-only transaction.
Locks: the keys in idem.evidence, until the transaction ends.';
REVOKE ALL ON FUNCTION idem.confirm_suspects(uuid[], text) FROM PUBLIC;
