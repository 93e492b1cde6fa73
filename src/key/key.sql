
-- ---------------------------------------------------------------------------
-- key: scopes of idempotency keys, and the keys of effects inside
-- ---------------------------------------------------------------------------

CREATE TABLE idem.scope (
    id          integer
                CONSTRAINT scope_pkey PRIMARY KEY
                CONSTRAINT scope_id_check CHECK (id > 0),
    name        text COLLATE "C" NOT NULL
                CONSTRAINT scope_name_key UNIQUE,
    effect      text COLLATE "C" NOT NULL
                CONSTRAINT scope_effect_check CHECK (effect IN ('inside', 'outside')),
    fields      text[] COLLATE "C" NOT NULL,
    completion  text COLLATE "C" NOT NULL
                CONSTRAINT scope_completion_check CHECK (completion IN ('optional', 'required')),
    charset     text COLLATE "C" NOT NULL
                CONSTRAINT scope_charset_check CHECK (charset IN ('ascii', 'any')),
    lease       interval NOT NULL,
    quiet       interval NOT NULL,
    ladder      interval[] NOT NULL,
    keep        interval,
    key_time    text COLLATE "C",
    parts       integer,
    horizon     timestamptz,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    created_by  name NOT NULL,
    flush       boolean NOT NULL,
    standbys    integer NOT NULL,
    channels    text[] COLLATE "C" NOT NULL,
    keep_answers text COLLATE "C" NOT NULL
                CONSTRAINT scope_keep_answers_check CHECK (keep_answers IN ('whole', 'fields')),
    repeat_within interval,
    duplicate_fields text[] COLLATE "C" NOT NULL,
    duplicate_window interval
                CONSTRAINT scope_duplicate_window_check CHECK (duplicate_fields = '{}' OR duplicate_window IS NOT NULL),
    on_duplicate text COLLATE "C" NOT NULL
                CONSTRAINT scope_on_duplicate_check CHECK (on_duplicate IN ('report', 'hold')),
    confirm_by  text COLLATE "C" NOT NULL
                CONSTRAINT scope_confirm_by_check CHECK (confirm_by IN ('operator', 'caller'))
);
COMMENT ON TABLE idem.scope IS 'declared scopes: each is a space of idempotency keys of its own';
COMMENT ON COLUMN idem.scope.id IS 'first 31 bits of SHA-256 of the name, big endian: the same on every server; part of the digest of every key of the scope';
COMMENT ON COLUMN idem.scope.name IS 'what calls name it by';
COMMENT ON COLUMN idem.scope.effect IS 'inside: rows of this database; outside: a call to another system';
COMMENT ON COLUMN idem.scope.fields IS 'members of the request that must agree on a repeat; {*} is all';
COMMENT ON COLUMN idem.scope.completion IS 'required: no commit with a claim that was not completed';
COMMENT ON COLUMN idem.scope.charset IS 'ascii: keys of visible ASCII; any: keys of any text';
COMMENT ON COLUMN idem.scope.lease IS 'how long a reservation is held, of effects outside';
COMMENT ON COLUMN idem.scope.quiet IS 'how long after the dispatch nobody may say that it never arrived';
COMMENT ON COLUMN idem.scope.ladder IS 'how long idem.due waits before each inquiry';
COMMENT ON COLUMN idem.scope.keep IS 'how long request and response are kept after a claim is final; NULL: for good';
COMMENT ON COLUMN idem.scope.key_time IS 'where a key carries its own time: uuidv7, YYYYMMDD or YYYY-MM-DD; NULL: nowhere, and keys are kept for good';
COMMENT ON COLUMN idem.scope.parts IS 'of how many parts a key is made, by idem.key; NULL: keys of any form';
COMMENT ON COLUMN idem.scope.horizon IS 'keys whose own time lies before it were forgotten, and never run again; NULL: none were';
COMMENT ON COLUMN idem.scope.created_at IS 'when it was declared; tells it from an earlier scope of the same name in idem.evidence and idem.late_result';
COMMENT ON COLUMN idem.scope.created_by IS 'role that declared it';
COMMENT ON COLUMN idem.scope.flush IS 'the commit of a claim is on disk, and with the standbys that are required, before it returns, whatever synchronous_commit says; effects outside always are';
COMMENT ON COLUMN idem.scope.standbys IS 'how many synchronous standbys must be required for a key to be reserved or dispatched; 0: none have to be';
COMMENT ON COLUMN idem.scope.channels IS 'channels by which its effects go; {}: whatever the caller says became of them is believed';
COMMENT ON COLUMN idem.scope.keep_answers IS 'whole: answers are kept as they came; fields: only code, echo and declared fields';
COMMENT ON COLUMN idem.scope.repeat_within IS 'how long after a key a repeat of it may come: a later one is another request that has the same key; NULL: always';
COMMENT ON COLUMN idem.scope.duplicate_fields IS 'members of the request in which two keys must not agree by accident; {}: requests are not compared; {*} is all';
COMMENT ON COLUMN idem.scope.duplicate_window IS 'for how long after a key another one with the same members is suspected';
COMMENT ON COLUMN idem.scope.on_duplicate IS 'report: a suspected key is granted as ever, and listed in idem.suspects; hold: it is not granted until it is confirmed';
COMMENT ON COLUMN idem.scope.confirm_by IS 'who may confirm a suspected key in the call itself: operator or caller';
REVOKE ALL ON TABLE idem.scope FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.scope', '');

CREATE TRIGGER idem_scope_invalidate
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON idem.scope
    FOR EACH STATEMENT EXECUTE FUNCTION idem.invalidate_definitions();
COMMENT ON TRIGGER idem_scope_invalidate ON idem.scope IS 'every session reads a changed scope anew';
ALTER TABLE idem.scope ENABLE ALWAYS TRIGGER idem_scope_invalidate;

-- Fixed widths first, so that no byte is lost to alignment; eight columns at
-- most, so that the null bitmap costs nothing.  Key and fingerprint are never
-- stored out of line: they are read from rows that have not committed.
CREATE TABLE idem.anchor (
    digest      uuid NOT NULL
                CONSTRAINT anchor_pkey PRIMARY KEY,
    first_seen  timestamptz NOT NULL,
    scope       integer NOT NULL,
    state       "char" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    response    jsonb
) WITH (fillfactor = 90);
ALTER TABLE idem.anchor
    ALTER COLUMN key SET STORAGE PLAIN,
    ALTER COLUMN fingerprint SET STORAGE PLAIN;
COMMENT ON TABLE idem.anchor IS 'one row for every idempotency key ever claimed, for good';
COMMENT ON COLUMN idem.anchor.digest IS 'of scope id (4 bytes, big endian) and key: CRC-32C without the last 3 bytes of the key, then 12 bytes of SHA-256; so keys that are counted up lie beside each other';
COMMENT ON COLUMN idem.anchor.first_seen IS 'when the key was claimed, by the clock of the database';
COMMENT ON COLUMN idem.anchor.scope IS 'id of the scope';
COMMENT ON COLUMN idem.anchor.state IS 'c: claimed, which once committed means succeeded; s: succeeded and completed; d: and the response was dropped after the retention of the scope; a: adopted, done before idem knew of it; n: fenced, will never run';
COMMENT ON COLUMN idem.anchor.key IS 'the idempotency key, byte for byte';
COMMENT ON COLUMN idem.anchor.fingerprint IS 'for every declared field: length and name, 16 bytes of SHA-256 of its canonical value';
COMMENT ON COLUMN idem.anchor.response IS 'what a repeat is answered';
REVOKE ALL ON TABLE idem.anchor FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.anchor', '');

-- Two types of answers, because a row is paid for by the column.  Each longer
-- one begins with the columns of the shorter one, in their order.
CREATE TYPE idem.claim_result AS (
    outcome          text,
    granted          boolean,
    settled          boolean,
    reentrant        boolean,
    key              text,
    state            text,
    response         jsonb,
    response_dropped boolean,
    mismatch         text[],
    first_seen       timestamptz,
    detail           text
);
COMMENT ON TYPE idem.claim_result IS
    'what a call for a key of an effect inside answers; granted: do the effect now; settled: the message may be acknowledged';
COMMENT ON COLUMN idem.claim_result.outcome IS 'granted, replayed, in_progress, mismatch, duplicate, expired, reused, fenced, suspect or paused; of complete: succeeded';
COMMENT ON COLUMN idem.claim_result.granted IS 'true: do the effect now, once; else do not do it';
COMMENT ON COLUMN idem.claim_result.settled IS 'true: the key is done for good, the message may be acknowledged';
COMMENT ON COLUMN idem.claim_result.reentrant IS 'of complete: true if the same response was given before; NULL of a claim, which is never answered as the same call';
COMMENT ON COLUMN idem.claim_result.key IS 'the key';
COMMENT ON COLUMN idem.claim_result.state IS 'claimed: its transaction has not committed; succeeded or adopted: done for good; fenced: never';
COMMENT ON COLUMN idem.claim_result.response IS 'the first response, verbatim; NULL if none was given';
COMMENT ON COLUMN idem.claim_result.response_dropped IS 'true: there was a response, dropped after the retention of the scope';
COMMENT ON COLUMN idem.claim_result.mismatch IS 'members of the request that differ from the first one';
COMMENT ON COLUMN idem.claim_result.first_seen IS 'when the key was claimed, reserved or fenced first';
COMMENT ON COLUMN idem.claim_result.detail IS 'a sentence for people, such as who holds the key';

CREATE TYPE idem.send_result AS (
    outcome          text,
    granted          boolean,
    settled          boolean,
    reentrant        boolean,
    key              text,
    state            text,
    response         jsonb,
    response_dropped boolean,
    mismatch         text[],
    first_seen       timestamptz,
    detail           text,
    token            bigint,
    attempt          integer,
    serial           text,
    channel          text,
    business_date    date,
    other_date       date,
    dispatched_at    timestamptz,
    finished_at      timestamptz,
    lease_until      timestamptz,
    retry_at         timestamptz,
    settled_amount   numeric,
    marks            text[]
);
COMMENT ON TYPE idem.send_result IS
    'what a call for a key of an effect outside answers: the columns of idem.claim_result and those of sending';
COMMENT ON COLUMN idem.send_result.outcome IS 'granted, reserved, replayed, in_progress, unknown, mismatch, duplicate, expired, reused, fenced, suspect, paused, misplaced, closed, stale_attempt, late or reverse_needed; and what a call made of the key: succeeded, failed, returned, released, dispatched, or unseen';
COMMENT ON COLUMN idem.send_result.granted IS 'as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.settled IS 'as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.reentrant IS 'true: this very call was made before, and is answered again';
COMMENT ON COLUMN idem.send_result.key IS 'as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.state IS 'reserved, dispatched, unknown, released, succeeded, failed, adopted or fenced; of effects inside as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.response IS 'the provider''s answer that settled it, verbatim; NULL if none was given';
COMMENT ON COLUMN idem.send_result.response_dropped IS 'as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.mismatch IS 'as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.first_seen IS 'as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.detail IS 'as in idem.claim_result';
COMMENT ON COLUMN idem.send_result.token IS 'the caller''s token; NULL for others';
COMMENT ON COLUMN idem.send_result.attempt IS 'which attempt';
COMMENT ON COLUMN idem.send_result.serial IS 'the number under which the provider knows the attempt; NULL: none was made';
COMMENT ON COLUMN idem.send_result.channel IS 'the channel the attempt went by; NULL: none was named, or it was not dispatched';
COMMENT ON COLUMN idem.send_result.business_date IS 'the provider''s day of the attempt; NULL: no calendar, or it was not dispatched';
COMMENT ON COLUMN idem.send_result.other_date IS 'the day beside it that the provider may have booked it on, of an attempt dispatched close to the cut';
COMMENT ON COLUMN idem.send_result.dispatched_at IS 'when the attempt may have begun to leave; NULL: it was not dispatched';
COMMENT ON COLUMN idem.send_result.finished_at IS 'when the final state was reached';
COMMENT ON COLUMN idem.send_result.lease_until IS 'end of the holder''s lease';
COMMENT ON COLUMN idem.send_result.retry_at IS 'when to come again or to inquire next';
COMMENT ON COLUMN idem.send_result.settled_amount IS 'what was paid, where it is not what was asked for; NULL: it is';
COMMENT ON COLUMN idem.send_result.marks IS 'what is known beside the state: presumed (no news was taken as success), corrected (the state was changed by a person), returned (it came back later)';

CREATE FUNCTION idem.create_scope(
    name text, effect text, fields text[],
    completion text DEFAULT 'optional',
    lease interval DEFAULT '1 min', quiet interval DEFAULT '10 min',
    ladder interval[] DEFAULT '{1s,5s,10s,30s,1m,2m,3m,4m,5m,6m,7m,8m,9m,10m,20m,30m,1h,2h}',
    keep interval DEFAULT NULL, key_time text DEFAULT NULL,
    charset text DEFAULT 'ascii', parts integer DEFAULT NULL,
    flush boolean DEFAULT true, standbys integer DEFAULT 0,
    channels text[] DEFAULT '{}', keep_answers text DEFAULT 'whole', repeat_within interval DEFAULT NULL,
    duplicate_fields text[] DEFAULT '{}', duplicate_window interval DEFAULT NULL,
    on_duplicate text DEFAULT 'report', confirm_by text DEFAULT 'operator'
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_create_scope'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.create_scope(text, text, text[], text, interval, interval, interval[], interval, text, text, integer, boolean, integer, text[], text, interval, text[], interval, text, text) IS
    'declares a scope of idempotency keys.
In: name (1 to 63 bytes); effect ''inside'' (rows of this database) or ''outside'' (a call to another system); fields of the request that must agree on a repeat (''{}'' none, ''{*}'' all); completion ''optional'', or, inside, ''required'': no commit with a claim that was not completed; charset of keys ''ascii'' or ''any''.
For effects outside: lease: how long a reservation is held; quiet: how long after the dispatch a resolve to failed or released is refused; ladder: how long idem.due waits before each inquiry. A day has 24 hours in them, and months are refused.
keep: how long bodies (request, response) are kept after a claim is final; idem.retire drops older ones. key_time: where a key carries its own time (''uuidv7'', ''YYYYMMDD'', ''YYYY-MM-DD'': in front of the key, or of its first part), so that idem.retire may forget old keys; a key without one is 22I01. parts: keys are made by idem.key of so many parts.
flush: the commit of a claim is on disk, and with the standbys of synchronous_standby_names, whatever synchronous_commit says; false, of effects inside only: a claim is as durable as its session asks for. standbys, of effects outside only: reserve and dispatch are refused (55000) while fewer synchronous standbys are required.
channels, of effects outside only: by which they go; what became of an effect is then told by the code of the provider''s answer. keep_answers: ''whole'', or ''fields'': of answers only code, echo and declared fields are kept. repeat_within: a key that is final and older is answered reused, not replayed: its numbers have begun again.
duplicate_fields: members in which a new key is compared with those first seen within duplicate_window (days of 24 hours, no months) that are open or succeeded; on_duplicate ''report'': one that agrees is granted and listed in idem.suspects; ''hold'': it is answered suspect until it is confirmed, by an operator, or with confirm_by ''caller'' by any caller.
Errors: 22004 null; 22023 invalid argument; 42701 field named twice; 42704 unknown channel; 42710 a scope of this name that was declared otherwise, which DETAIL says.
The same again is a no-op with a NOTICE.
Locks: SHARE ROW EXCLUSIVE on idem.scope: one declaration at a time, claims go on.';
REVOKE ALL ON FUNCTION idem.create_scope(text, text, text[], text, interval, interval, interval[], interval, text, text, integer, boolean, integer, text[], text, interval, text[], interval, text, text) FROM PUBLIC;

CREATE FUNCTION idem.key(VARIADIC parts text[]) RETURNS text
    AS 'MODULE_PATHNAME', 'idem_key'
    LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION idem.key(text[]) IS
    'makes one key of several parts, such as merchant, date and serial: before each its length in bytes, as in 4:M001,8:20180718,6:000001, so that no two lists of parts have one key.
Errors: 22I01 no part, or one that is null, empty, holds a control character or begins or ends with a blank, or a key longer than 255 bytes; 2202E array of arrays.';

CREATE FUNCTION idem.key_time(key text, key_time text, parts integer DEFAULT 0) RETURNS timestamptz
    AS 'MODULE_PATHNAME', 'idem_key_time_sql'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION idem.key_time(text, text, integer) IS
    'the time that a key carries, as a scope with this key_time and parts (0: any form) reads it: of a UUID of version 7 its milliseconds, of a date the beginning of the day in UTC.
Errors: 22023 invalid key_time; 22I01 a key that carries none.';
