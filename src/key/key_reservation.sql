
-- ---------------------------------------------------------------------------
-- key: keys of effects outside of the database
-- ---------------------------------------------------------------------------

-- The first seven columns are those of idem.anchor, in its order.  Never
-- stored out of line: what may be read from a row that has not committed.
CREATE TABLE idem.reservation (
    digest        uuid NOT NULL
                  CONSTRAINT reservation_pkey PRIMARY KEY,
    first_seen    timestamptz NOT NULL,
    scope         integer NOT NULL,
    state         "char" NOT NULL,
    key           text COLLATE "C" NOT NULL,
    fingerprint   bytea NOT NULL,
    response      jsonb,
    request       jsonb,
    nonce         text COLLATE "C",
    token         bigint NOT NULL,
    attempt       integer NOT NULL,
    step          integer NOT NULL,
    lease_until   timestamptz,
    dispatched_at timestamptz,
    finished_at   timestamptz,
    due_at        timestamptz,
    fenced_at     timestamptz,
    concern       "char",
    dropped       boolean NOT NULL,
    serial        text COLLATE "C",
    settled_amount numeric,
    presumed_at   timestamptz,
    corrected_at  timestamptz,
    returned_on   date,
    returned_amount numeric
) WITH (fillfactor = 80);
ALTER TABLE idem.reservation
    ALTER COLUMN key SET STORAGE PLAIN,
    ALTER COLUMN fingerprint SET STORAGE PLAIN,
    ALTER COLUMN nonce SET STORAGE PLAIN;
CREATE INDEX reservation_due ON idem.reservation (scope, due_at) WHERE due_at IS NOT NULL;
COMMENT ON TABLE idem.reservation IS 'one row for every key of an effect outside, from its reservation or its fence on, for good';
COMMENT ON COLUMN idem.reservation.digest IS 'of scope id (4 bytes, big endian) and key: CRC-32C without the last 3 bytes of the key, then 12 bytes of SHA-256; so keys that are counted up lie beside each other';
COMMENT ON COLUMN idem.reservation.first_seen IS 'when the key was first reserved or fenced, by the clock of the database';
COMMENT ON COLUMN idem.reservation.scope IS 'id of the scope';
COMMENT ON COLUMN idem.reservation.state IS 'r: reserved; d: dispatched; u: unknown; l: released; s: succeeded; f: failed; a: adopted, done before idem knew of it; n: fenced, will never run';
COMMENT ON COLUMN idem.reservation.key IS 'the idempotency key, byte for byte';
COMMENT ON COLUMN idem.reservation.fingerprint IS 'as in idem.anchor; empty if the key was fenced before it was reserved';
COMMENT ON COLUMN idem.reservation.response IS 'what the provider answered, and what a repeat is answered';
COMMENT ON COLUMN idem.reservation.request IS 'the first request, for whoever has to inquire';
COMMENT ON COLUMN idem.reservation.nonce IS 'the name that the holder gave this reservation, so that a repeated call gets the same token';
COMMENT ON COLUMN idem.reservation.token IS 'newest token given out; it only grows';
COMMENT ON COLUMN idem.reservation.attempt IS 'how often the key was reserved after a release, and once; 0: never reserved';
COMMENT ON COLUMN idem.reservation.step IS 'steps of the scope''s ladder already handed out by idem.due';
COMMENT ON COLUMN idem.reservation.lease_until IS 'end of the holder''s lease';
COMMENT ON COLUMN idem.reservation.dispatched_at IS 'when the effect may have begun to leave, of the last attempt that did';
COMMENT ON COLUMN idem.reservation.finished_at IS 'when the final state was reached';
COMMENT ON COLUMN idem.reservation.due_at IS 'when somebody has to look at it; NULL: nobody has to any more';
COMMENT ON COLUMN idem.reservation.fenced_at IS 'first fence, also one that came too late to block';
COMMENT ON COLUMN idem.reservation.concern IS 'a person has to look: l: a late result; s: one that says it succeeded; r: a reversal is needed; a: the provider may not know the serial of the next attempt again; m: an attempt may be lost';
COMMENT ON COLUMN idem.reservation.dropped IS 'request and response were dropped after the retention of the scope';
COMMENT ON COLUMN idem.reservation.serial IS 'the number that idem.reserve made, which every attempt of the key carries; NULL: idem.dispatch makes it, see idem.attempt, or none is made';
COMMENT ON COLUMN idem.reservation.settled_amount IS 'what was paid, where the provider''s answer names another amount than the request';
COMMENT ON COLUMN idem.reservation.presumed_at IS 'mark beside the state: since when no news was taken as success';
COMMENT ON COLUMN idem.reservation.corrected_at IS 'mark beside the state: when a person last changed a final state that was wrong';
COMMENT ON COLUMN idem.reservation.returned_on IS 'mark beside the state: the day on which a payment that had succeeded came back';
COMMENT ON COLUMN idem.reservation.returned_amount IS 'what came back';
COMMENT ON INDEX idem.reservation_due IS 'what somebody has to look at, in the order it is due';
REVOKE ALL ON TABLE idem.reservation FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.reservation', '');

-- One row an attempt that was dispatched, written in the commit of the
-- dispatch.  It goes with its reservation.
CREATE TABLE idem.attempt (
    scope         integer NOT NULL,
    key           text COLLATE "C" NOT NULL,
    attempt       integer NOT NULL,
    token         bigint NOT NULL,
    dispatched_at timestamptz NOT NULL,
    channel       text COLLATE "C",
    serial        text COLLATE "C",
    business_date date,
    other_date    date,
    CONSTRAINT attempt_pkey PRIMARY KEY (scope, key, attempt)
);
COMMENT ON TABLE idem.attempt IS 'one row for every attempt that was dispatched: under which number, by which channel and when';
COMMENT ON COLUMN idem.attempt.scope IS 'id of the scope';
COMMENT ON COLUMN idem.attempt.key IS 'the key';
COMMENT ON COLUMN idem.attempt.attempt IS 'which attempt of the key, as in idem.reservation';
COMMENT ON COLUMN idem.attempt.token IS 'token it was dispatched with';
COMMENT ON COLUMN idem.attempt.dispatched_at IS 'when the effect may have begun to leave, by the clock of the database';
COMMENT ON COLUMN idem.attempt.channel IS 'the channel it went by; NULL: none was named';
COMMENT ON COLUMN idem.attempt.serial IS 'the number under which the provider knows it; NULL: none was made';
COMMENT ON COLUMN idem.attempt.business_date IS 'the provider''s day; NULL: no calendar';
COMMENT ON COLUMN idem.attempt.other_date IS 'the day beside it, of an attempt dispatched close to the cut';
REVOKE ALL ON TABLE idem.attempt FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.attempt', '');
