
-- ---------------------------------------------------------------------------
-- send: effects outside of the database, sent at most once
-- ---------------------------------------------------------------------------

-- One place that says which words the letters are.
CREATE VIEW idem.open_claims AS
    SELECT s.name AS scope, r.key,
           CASE r.state WHEN 'r' THEN 'reserved' WHEN 'd' THEN 'dispatched' WHEN 'u' THEN 'unknown'
                        WHEN 'l' THEN 'released' WHEN 's' THEN 'succeeded' WHEN 'f' THEN 'failed'
                        WHEN 'a' THEN 'adopted' WHEN 'n' THEN 'fenced' END AS state,
           r.token, r.attempt, r.request, r.first_seen, r.lease_until, r.dispatched_at, r.due_at, r.step,
           CASE WHEN r.state IN ('d', 'u') AND r.step < pg_catalog.cardinality(s.ladder) THEN 'inquire'
                WHEN r.concern IN ('l', 's') THEN 'late result' WHEN r.concern = 'r' THEN 'reverse needed'
                WHEN r.concern = 'a' THEN 'stale attempt' WHEN r.concern = 'm' THEN 'lost attempt'
                WHEN r.step >= pg_catalog.cardinality(s.ladder) THEN 'manual'
                ELSE 'abandoned reservation' END AS why,
           a.channel, coalesce(a.serial, r.serial) AS serial, a.business_date, a.other_date
    FROM idem.reservation r JOIN idem.scope s ON s.id = r.scope
         LEFT JOIN idem.attempt a ON a.scope = r.scope AND a.key = r.key AND a.attempt = r.attempt
    WHERE r.due_at IS NOT NULL;
COMMENT ON VIEW idem.open_claims IS 'every key of an effect outside that is not final, or that a person has to look at';
COMMENT ON COLUMN idem.open_claims.scope IS 'scope of the key';
COMMENT ON COLUMN idem.open_claims.key IS 'the key';
COMMENT ON COLUMN idem.open_claims.state IS 'reserved, dispatched, unknown or released; a final state only with a late result or a reversal needed';
COMMENT ON COLUMN idem.open_claims.token IS 'newest token';
COMMENT ON COLUMN idem.open_claims.attempt IS 'which attempt';
COMMENT ON COLUMN idem.open_claims.request IS 'the first request';
COMMENT ON COLUMN idem.open_claims.first_seen IS 'when the key was first reserved';
COMMENT ON COLUMN idem.open_claims.lease_until IS 'end of the holder''s lease';
COMMENT ON COLUMN idem.open_claims.dispatched_at IS 'when it may have begun to leave';
COMMENT ON COLUMN idem.open_claims.due_at IS 'when idem.due hands it out next';
COMMENT ON COLUMN idem.open_claims.step IS 'how often idem.due has handed it out since it was last dispatched, answered or put before a person';
COMMENT ON COLUMN idem.open_claims.why IS 'what idem.due says about it';
COMMENT ON COLUMN idem.open_claims.channel IS 'the channel the attempt went by; NULL: none, or it was not dispatched';
COMMENT ON COLUMN idem.open_claims.serial IS 'the number under which the provider knows it; NULL: none was made';
COMMENT ON COLUMN idem.open_claims.business_date IS 'the provider''s day of the attempt; NULL: no calendar';
COMMENT ON COLUMN idem.open_claims.other_date IS 'the day beside it, of an attempt dispatched close to the cut';
REVOKE ALL ON TABLE idem.open_claims FROM PUBLIC;

-- The doctor's.  idem.due skips what somebody has locked, without a word: a
-- transaction that was prepared and forgotten would hide a key for good.
CREATE VIEW idem.claim_problems AS
    SELECT 'warning'::text AS severity, pg_catalog.format('scope %I', s.name) AS object,
           pg_catalog.format('%s claims are overdue, the oldest since %s: %s', pg_catalog.count(*), pg_catalog.min(r.due_at),
                             coalesce('held by prepared transaction ' || pg_catalog.string_agg(DISTINCT pg_catalog.quote_literal(p.gid), ', '),
                                      'nobody calls idem.due, or an open transaction holds them')) AS finding,
           coalesce(pg_catalog.format('COMMIT PREPARED %L or ROLLBACK PREPARED %1$L', pg_catalog.min(p.gid)),
                    pg_catalog.format('call idem.due(%L) all the time, and look for old transactions in pg_stat_activity', s.name)) AS remedy
    FROM idem.reservation r JOIN idem.scope s ON s.id = r.scope
         LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = r.xmax AND p.database = pg_catalog.current_database()
    WHERE r.due_at < pg_catalog.clock_timestamp() - interval '1 hour'
          -- nobody can do anything about a key that is reserved and could not be dispatched now
          AND NOT (r.state = 'r'
                   AND (EXISTS (SELECT FROM idem.pause p WHERE (p.kind, p.name) = ('scope', s.name))
                        OR s.channels <> '{}'
                           AND NOT EXISTS (SELECT FROM idem.channel c
                                           WHERE c.name = ANY (s.channels)
                                                 AND NOT EXISTS (SELECT FROM idem.pause p WHERE (p.kind, p.name) = ('channel', c.name))
                                                 AND (c.calendar IS NULL
                                                      OR idem.closed_until(c.calendar, pg_catalog.clock_timestamp()) IS NULL))))
    GROUP BY s.id
    UNION ALL
    SELECT 'error', pg_catalog.format('scope %I', s.name),
           CASE WHEN r.state = 'r'
                THEN pg_catalog.format('keys that are reserved for an attempt that was dispatched before: %s; idem.reservation is older than idem.attempt', pg_catalog.count(*))
                ELSE pg_catalog.format('keys that were dispatched, and have no row in idem.attempt: %s', pg_catalog.count(*)) END,
           'carry the tables of claims together, from one moment; look at the keys in idem.open_claims, and ask the provider about each'
    FROM idem.reservation r JOIN idem.scope s ON s.id = r.scope
    WHERE r.due_at IS NOT NULL
          AND CASE WHEN r.state = 'r' THEN true WHEN r.state IN ('d', 'u') AND r.dispatched_at IS NOT NULL THEN false END
              = EXISTS (SELECT FROM idem.attempt a WHERE (a.scope, a.key, a.attempt) = (r.scope, r.key, r.attempt))
    GROUP BY s.id, r.state
    UNION ALL
    SELECT 'notice', pg_catalog.format('scope %I', s.name),
           'asks for no standby: when synchronous_standby_names is emptied, as a manager of standbys does that has lost one, effects go on without',
           pg_catalog.format('SELECT idem.alter_scope(%L, standbys => 1)', s.name)
    FROM idem.scope s
    WHERE s.effect = 'outside' AND s.standbys = 0
          AND pg_catalog.current_setting('synchronous_standby_names') <> '';
COMMENT ON VIEW idem.claim_problems IS 'scopes of effects outside in which a key was due an hour ago and nobody has looked at it, those whose rows of keys and of attempts are not of one moment, and those that ask for no standby where the server has one that is waited for';
REVOKE ALL ON TABLE idem.claim_problems FROM PUBLIC;

-- The doctor's, of a server that is no standby itself.  waits: for how many
-- standbys a commit waits, read as the server reads the setting.
CREATE VIEW idem.standby_problems AS
WITH server AS (
    SELECT coalesce(pg_catalog.substring(n.names, '(?i)^\s*(?:(?:any|first)\s*)?(\d{1,9})\s*\(')::integer,
                    CASE WHEN n.names ~ '\S' THEN 1 ELSE 0 END) AS waits
    FROM (SELECT pg_catalog.current_setting('synchronous_standby_names')) n (names)
    WHERE NOT pg_catalog.pg_is_in_recovery()
)
SELECT 'error' AS severity, pg_catalog.format('scope %I', s.name) AS object,
       pg_catalog.format('asks for %s synchronous standbys, and the server waits for %s: nothing is reserved or dispatched', s.standbys, w.waits) AS finding,
       pg_catalog.format('set synchronous_standby_names = ''ANY %s (*)'', when so many standbys are there', s.standbys) AS remedy
FROM server w
JOIN idem.scope s ON s.standbys > w.waits
UNION ALL
SELECT 'warning', pg_catalog.format('scope %I', s.name),
       'no commit waits for the standby that follows this server: promoted, it does not know all that was sent',
       pg_catalog.format('set synchronous_standby_names = ''ANY 1 (*)'', then SELECT idem.alter_scope(%L, standbys => 1)', s.name)
FROM server w
JOIN idem.scope s ON s.effect = 'outside' AND s.standbys = 0 AND w.waits = 0
WHERE EXISTS (SELECT FROM pg_catalog.pg_stat_replication r
              WHERE r.state IN ('catchup', 'streaming')
                    AND NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots l
                                    WHERE l.active_pid = r.pid AND l.slot_type = 'logical'));
COMMENT ON VIEW idem.standby_problems IS 'scopes of effects outside that ask for more standbys than the server waits for, or for none where one could be waited for, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.standby_problems FROM PUBLIC;

CREATE TYPE idem.due_result AS (
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
    marks            text[],
    request          jsonb,
    step             integer,
    why              text
);
COMMENT ON TYPE idem.due_result IS
    'a key that somebody has to look at now: the columns of idem.send_result and three more';
COMMENT ON COLUMN idem.due_result.outcome IS 'in_progress, unknown, released, replayed or fenced';
COMMENT ON COLUMN idem.due_result.granted IS 'false: to look is not to send';
COMMENT ON COLUMN idem.due_result.settled IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.reentrant IS 'false';
COMMENT ON COLUMN idem.due_result.key IS 'the key';
COMMENT ON COLUMN idem.due_result.state IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.response IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.response_dropped IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.mismatch IS 'NULL';
COMMENT ON COLUMN idem.due_result.first_seen IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.detail IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.token IS 'newest token, for completing instead of resolving';
COMMENT ON COLUMN idem.due_result.attempt IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.serial IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.channel IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.business_date IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.other_date IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.dispatched_at IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.finished_at IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.lease_until IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.retry_at IS 'when it is handed out again';
COMMENT ON COLUMN idem.due_result.settled_amount IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.marks IS 'as in idem.send_result';
COMMENT ON COLUMN idem.due_result.request IS 'the first request: what to ask the provider about';
COMMENT ON COLUMN idem.due_result.step IS 'how often it has been handed out, this time included';
COMMENT ON COLUMN idem.due_result.why IS 'inquire, abandoned reservation, late result, reverse needed, stale attempt, lost attempt or manual';

CREATE FUNCTION idem.reserve(scope text, key text, request jsonb DEFAULT NULL,
                             nonce text DEFAULT NULL, lease interval DEFAULT NULL, confirmed text DEFAULT NULL)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_reserve'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.reserve(text, text, jsonb, text, interval, text) IS
    'takes a key for an effect outside, for a lease; nothing may be sent before idem.dispatch. Call it as SELECT * FROM idem.reserve(...).
In: request with the members the scope declares; nonce: what the caller calls this very call, so that it gets its token again; lease: NULL is the scope''s; confirmed: as of idem.claim.
Out: outcome reserved with a token (first; next attempt after a release; an expired reservation taken over; reentrant: the same nonce again), replayed, in_progress, unknown, mismatch, fenced, expired, reused (the key was used longer ago than the scope''s repeat_within), duplicate (reserved before in this transaction), suspect (another key has the same duplicate_fields, and on_duplicate is hold; also of a key that was released, when it is reserved again), paused (it would be reserved, but for idem.pause), misplaced (but for the place: idem.set_site; with retry_at: a new key while those are held). granted is always false.
serial: that of every attempt of the key, if all channels of the scope would make the same of it; idem.dispatch makes the others, and all that count ({seq:n}).
The commit is flushed whatever synchronous_commit says; PREPARE TRANSACTION is refused (0A000).
Errors: 22004 scope null; 42704 unknown scope; 42501 a scope in which the role uses no keys; 55I02 scope for effects inside; 22I01 a key that is null, empty or longer than 255 bytes, or is not there and does not have the form that the scope asks for, or of which a channel takes no serial; 22023 request lacks a declared field or holds a number of more than 1,000 digits, invalid nonce, lease or confirmed; 42501 confirmed by a caller who may not, or the approval of another person is missing; 55000 fewer synchronous standbys than the scope asks for; 0A000 on a Citus cluster of several nodes; 25006 on a standby or in a read-only transaction; 40001 under REPEATABLE READ or SERIALIZABLE if the key changed, or under hold another one with the same members was committed, after the snapshot.
Locks: ROW EXCLUSIVE on idem.reservation, with duplicate_fields also on idem.sighting and idem.suspect; the row, if it is taken over or taken again. Never waits for a rival.';
REVOKE ALL ON FUNCTION idem.reserve(text, text, jsonb, text, interval, text) FROM PUBLIC;

-- The answer is idem.send_result without what the caller gave (key, token), as
-- columns of its own, so that CALL returns an ordinary row.
CREATE PROCEDURE idem.dispatch(
    scope text, key text, token bigint,
    INOUT outcome text DEFAULT NULL, INOUT granted boolean DEFAULT NULL,
    INOUT settled boolean DEFAULT NULL, INOUT reentrant boolean DEFAULT NULL,
    INOUT state text DEFAULT NULL, INOUT response jsonb DEFAULT NULL,
    INOUT response_dropped boolean DEFAULT NULL, INOUT mismatch text[] DEFAULT NULL,
    INOUT first_seen timestamptz DEFAULT NULL, INOUT detail text DEFAULT NULL,
    INOUT attempt integer DEFAULT NULL, INOUT serial text DEFAULT NULL,
    INOUT channel text DEFAULT NULL, INOUT business_date date DEFAULT NULL,
    INOUT other_date date DEFAULT NULL, INOUT dispatched_at timestamptz DEFAULT NULL,
    INOUT finished_at timestamptz DEFAULT NULL, INOUT lease_until timestamptz DEFAULT NULL,
    INOUT retry_at timestamptz DEFAULT NULL, INOUT settled_amount numeric DEFAULT NULL,
    INOUT marks text[] DEFAULT NULL)
    AS 'MODULE_PATHNAME', 'idem_dispatch'
    LANGUAGE C;
COMMENT ON PROCEDURE idem.dispatch(text, text, bigint, text, boolean, boolean, boolean, text, jsonb, boolean, text[], timestamptz, text, integer, text, text, date, date, timestamptz, timestamptz, timestamptz, timestamptz, numeric, text[]) IS
    'marks a reserved key as sent, commits, and only then answers: CALL idem.dispatch(scope, key, token), and channel => ... where the scope names several.
Out: a row, the columns of idem.send_result without key and token. granted true, outcome granted: the first dispatch of the newest token; send now, once. granted false: do not send; outcome in_progress or unknown (sent before), replayed, fenced, late, paused (idem.pause: the key stays reserved), misplaced (idem.set_site: not from here; the key stays reserved).
closed: the channel is closed until retry_at, and stale_attempt: the provider may not know the serial again; the key stays reserved.
serial: the number under which the provider knows the attempt, made before the commit and kept with it.
Errors: 25001 in a transaction block or function; 40003 the standbys that are required have not confirmed it: do not send, the key stays dispatched; 55I01 token never issued; 55I02 key never reserved; 22004 no channel, where the scope names several; 22023 a channel that is not the scope''s, or a request without a member that it echoes; 22I01 a key of which the channel takes no serial; 2200H no number left for {seq:n}; others as reserve.
Locks: ROW EXCLUSIVE on idem.reservation and idem.attempt; the row, for which it waits. Waits for the standbys, whatever synchronous_commit says.';
REVOKE ALL ON PROCEDURE idem.dispatch(text, text, bigint, text, boolean, boolean, boolean, text, jsonb, boolean, text[], timestamptz, text, integer, text, text, date, date, timestamptz, timestamptz, timestamptz, timestamptz, numeric, text[]) FROM PUBLIC;

-- The same for PL/pgSQL, whose CALL wants a variable for every column of an
-- answer: here it is one.
CREATE PROCEDURE idem.dispatch(scope text, key text, token bigint, INOUT answer idem.send_result)
    AS 'MODULE_PATHNAME', 'idem_dispatch_answer'
    LANGUAGE C;
COMMENT ON PROCEDURE idem.dispatch(text, text, bigint, idem.send_result) IS
    'idem.dispatch with its answer as one value, for PL/pgSQL: DECLARE answer idem.send_result; BEGIN CALL idem.dispatch(scope, key, token, answer); IF answer.granted THEN ...
In: of the variable only its channel is read, so clear it before the next key: answer := NULL.
Out, errors and locks: as idem.dispatch with columns. A DO block or a procedure that calls it must not be in a transaction block itself.';
REVOKE ALL ON PROCEDURE idem.dispatch(text, text, bigint, idem.send_result) FROM PUBLIC;

CREATE FUNCTION idem.heartbeat(scope text, key text, token bigint, lease interval DEFAULT NULL)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_heartbeat'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.heartbeat(text, text, bigint, interval) IS
    'gives the holder of the newest token a new lease, from now.
Out: outcome reserved or dispatched with the new lease_until; any other outcome: the key is not yours any more, and nothing was changed.
Errors: as complete.
Locks: ROW EXCLUSIVE on idem.reservation; the row, for which it waits.';
REVOKE ALL ON FUNCTION idem.heartbeat(text, text, bigint, interval) FROM PUBLIC;

CREATE FUNCTION idem.release(scope text, key text, token bigint)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_release'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.release(text, text, bigint) IS
    'gives a reservation back that was never dispatched: the key may be reserved again.
Out: outcome released; any other outcome: nothing was released. Whoever was given the message again reserves it; if nobody has by the end of a lease of the scope, idem.due says abandoned reservation, and idem.open_claims says so at once.
Errors: as complete; 55I02 if it was dispatched: what may have been sent is completed or resolved.
Locks: ROW EXCLUSIVE on idem.reservation; the row, for which it waits.';
REVOKE ALL ON FUNCTION idem.release(text, text, bigint) FROM PUBLIC;

CREATE FUNCTION idem.complete(scope text, key text, token bigint, outcome text, response jsonb DEFAULT NULL)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_complete_outside'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.complete(text, text, bigint, text, jsonb) IS
    'stores what became of an effect outside.
In: outcome succeeded, failed (with the provider''s answer as response; without one it is stored as unknown; before dispatch it means never sent) or unknown.
Out: outcome succeeded, failed or unknown; reentrant if it was stored before; late: contradicts what is known, or comes from an overtaken token, and is kept in idem.late_result for a person.
Errors: 22004 argument null; 22023 invalid outcome; 55I01 token never issued; 55I02 key never reserved, or never dispatched; 25006 on a standby or in a read-only transaction; 40001 under REPEATABLE READ or SERIALIZABLE if the key changed after the snapshot.
Locks: ROW EXCLUSIVE on idem.reservation; the row, for which it waits; ROW EXCLUSIVE on idem.late_result where something is kept there, in which calls for one key take turns.';
REVOKE ALL ON FUNCTION idem.complete(text, text, bigint, text, jsonb) FROM PUBLIC;

CREATE FUNCTION idem.complete(scope text, key text, token bigint, answer jsonb)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_complete_answer'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.complete(text, text, bigint, jsonb) IS
    'stores what the provider answered to an effect outside, in a scope with channels: its code tells what became of it. Call it as idem.complete(scope, key, token, answer => ...).
In: answer: an object with a member code (a text, layers parted by slashes, or an array of layers) and what the channel echoes; NULL: there was none.
Out: outcome succeeded, failed or unknown (also with mismatch: the answer is not about this request, kept in idem.late_result), returned; late and reentrant as with an outcome.
Errors: 22023 a scope without channels; others as complete with an outcome.
Locks: as complete with an outcome, and ROW EXCLUSIVE on idem.evidence where the answer leaves it unknown.';
REVOKE ALL ON FUNCTION idem.complete(text, text, bigint, jsonb) FROM PUBLIC;

CREATE FUNCTION idem.resolve(scope text, key text, outcome text DEFAULT NULL, evidence jsonb DEFAULT NULL,
                             response jsonb DEFAULT NULL, force text DEFAULT NULL,
                             attempt integer DEFAULT NULL, asked_at timestamptz DEFAULT NULL,
                             via text DEFAULT NULL, answer jsonb DEFAULT NULL)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_resolve'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.resolve(text, text, text, jsonb, jsonb, text, integer, timestamptz, text, jsonb) IS
    'settles a dispatched or unknown key with evidence: an inquiry, a notice of the provider, a person. Who, when and what are kept in idem.evidence.
In: outcome succeeded, failed or released (it never arrived; may be tried again); evidence, not empty; force, for operators: a reason to do it within the quiet interval, or to close a late result or a reversal needed; attempt: which one it is about, NULL is the last one: name it wherever the provider knows attempts by serial numbers of their own; asked_at: when the provider was asked, by the clock of the database, NULL is now: what was asked within the quiet interval is not believed after it either. A time to come counts as now.
In a scope with channels: answer (or response): what the provider said, which is its own evidence; via: the interface by which it came, whose codes tell what it means. An outcome given as well is a second opinion: where they differ, it stays unknown. Without an answer only force settles.
Out: outcome succeeded, failed, released, fenced (released, but a fence came meanwhile), reverse_needed (succeeded, but a fence came meanwhile); in_progress or unknown with retry_at if it was asked within the quiet interval of the scope, nothing changed; returned (it succeeded, and came back); unknown with mismatch: the answer is not about this request, kept in idem.late_result; late: contradicts what is known, or an earlier attempt succeeded after all, or the key waits for a person and the caller is no operator, kept in idem.late_result; reentrant: was so before.
Errors: 22004 argument null, or an answer and no via; 42501 force by a role that is no operator; 22023 invalid outcome, empty evidence, no such attempt, an interface of no channel, or force blank or longer than 1,000 characters; 55I02 key never reserved, or never dispatched; others as complete.
Locks: ROW EXCLUSIVE on idem.reservation; the row, for which it waits; ROW EXCLUSIVE on idem.evidence or idem.late_result where something is kept there, in which calls for one key take turns.';
REVOKE ALL ON FUNCTION idem.resolve(text, text, text, jsonb, jsonb, text, integer, timestamptz, text, jsonb) FROM PUBLIC;

CREATE FUNCTION idem.fence(scope text, key text, reason text)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_fence'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.fence(text, text, text) IS
    'makes sure that a key which has not run will never run, in scopes of both kinds; for reversals and cancellations that overtake their original.
Out: outcome fenced: it never ran and never will; replayed: it is final, and how; in_progress or unknown: it may have been sent, nothing can be blocked, the fence is remembered; or, in_progress, somebody is about to change it: ask again.
Errors: 22004 argument null; 22023 reason blank or longer than 1,000 characters; others as reserve.
Locks: ROW EXCLUSIVE on idem.reservation or idem.anchor; the row; ROW EXCLUSIVE on idem.evidence, in which calls for one key take turns. Never waits for a rival.';
REVOKE ALL ON FUNCTION idem.fence(text, text, text) FROM PUBLIC;

CREATE FUNCTION idem.due(scope text, batch integer DEFAULT 100)
    RETURNS SETOF idem.due_result
    AS 'MODULE_PATHNAME', 'idem_due'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.due(text, integer) IS
    'hands out what somebody must look at now, oldest first, each one step further along the ladder of the scope; at its end why is manual, and it keeps coming.
Out: at most batch rows. why: inquire (ask the provider, then resolve), abandoned reservation (nothing was sent: reserve it again, or fence it), late result, reverse needed, stale attempt, manual.
Two sessions are not handed the same row (SKIP LOCKED). Never a leave to send.
Errors: 22004 argument null; 22023 batch below 1; 42704 unknown scope; 55I02 scope for effects inside; 25006 on a standby or in a read-only transaction.
Locks: ROW EXCLUSIVE on idem.reservation; the rows handed out, until the transaction ends.';
REVOKE ALL ON FUNCTION idem.due(text, integer) FROM PUBLIC;

CREATE FUNCTION idem.lookup(scope text, key text)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_lookup'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.lookup(text, text) IS
    'reads what is known of a key and changes nothing.
Out: outcome unseen, replayed (done: the response), in_progress (held by another transaction that has not ended, or under a lease), duplicate (claimed in this transaction), fenced, suspect (it was held as a duplicate of another key, and nobody has confirmed it); of effects outside also unknown, released; granted is always false.
Errors: 22004 scope null; 42704 unknown scope; 22I01 a key that is null, empty or longer than 255 bytes, or is not there and does not have the form that the scope asks for; 25006 on a standby, whose answer could be old; 40001 as claim.
Locks: ACCESS SHARE on idem.anchor, or on idem.reservation and idem.attempt; of a key that is not there, in a scope that holds duplicates, on idem.suspect and idem.evidence.';
REVOKE ALL ON FUNCTION idem.lookup(text, text) FROM PUBLIC;
