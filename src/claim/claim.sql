
-- ---------------------------------------------------------------------------
-- claim: at most one effect per key
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.claim(scope text, key text, request jsonb DEFAULT NULL)
    RETURNS idem.claim_result
    AS 'MODULE_PATHNAME', 'idem_claim'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.claim(text, text, jsonb) IS
    'claims a key for an effect inside this transaction; call it as SELECT * FROM idem.claim(...).
Out: outcome granted (first: do the effect now), replayed (done before: response is the first one), in_progress (another transaction that has not ended holds it, or under hold another key with the same members; never waited for), mismatch (the request differs from the first one in the members named), fenced (a reversal came first), duplicate (claimed before in this transaction), expired (the key''s own time lies before the horizon of the scope: never run again), reused (the key was used longer ago than the scope''s repeat_within: another request, which needs another key), suspect (another key has the same duplicate_fields, and on_duplicate is hold), paused (it would be granted, but for idem.pause: try again later).
The key is used up when this transaction commits, and free again when it, or the savepoint, is rolled back.
Errors: 22004 scope null; 42704 unknown scope; 42501 a scope in which the role uses no keys; 55I02 scope for effects outside; 22I01 a key that is null, empty or longer than 255 bytes, or is not there and does not have the form that the scope asks for; 22023 request lacks a declared field, or holds a number of more than 1,000 digits; 0A000 on a Citus cluster of several nodes; 25006 on a standby or in a read-only transaction; 40001 under REPEATABLE READ or SERIALIZABLE if the key, or under hold another one with the same members, was committed after the snapshot.
Locks: ROW EXCLUSIVE on idem.anchor, with duplicate_fields also on idem.sighting, and where a key is suspected on idem.suspect.';
REVOKE ALL ON FUNCTION idem.claim(text, text, jsonb) FROM PUBLIC;

-- By itself, and not with a default: an argument is paid for in every call.
CREATE FUNCTION idem.claim(scope text, key text, request jsonb, confirmed text)
    RETURNS idem.claim_result
    AS 'MODULE_PATHNAME', 'idem_claim'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.claim(text, text, jsonb, text) IS
    'the same, saying that a key which would be suspect is a payment of its own.
In: confirmed: the reason, from an operator, or, with confirm_by caller, from any caller; kept in idem.evidence if the key is granted. NULL says nothing.
Errors: as claim; 22023 confirmed blank, longer than 1,000 characters or in a scope without duplicate_fields; 42501 confirmed by a caller who may not, or the approval of another person is missing.
Locks: as claim; the key in idem.evidence, until the transaction ends.';
REVOKE ALL ON FUNCTION idem.claim(text, text, jsonb, text) FROM PUBLIC;

CREATE FUNCTION idem.claim_many(scope text, keys text[], requests jsonb[] DEFAULT NULL,
                                confirmed text DEFAULT NULL)
    RETURNS SETOF idem.claim_result
    AS 'MODULE_PATHNAME', 'idem_claim_many'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 1000;
COMMENT ON FUNCTION idem.claim_many(text, text[], jsonb[], text) IS
    'claims many keys for effects inside this transaction, each as idem.claim does; confirmed is said of all of them.
Out: one row a position of keys, in their order. Of equal keys the first position is the first, the others are answered after it (duplicate, if it was granted: detail names it).
Keys are taken in an order of their own, so two calls cannot wait for each other. Nothing is claimed if one key or request is an error.
Errors: as claim; 22004 scope or keys null; 22023 requests of another length than keys; 2202E arrays of arrays.
Locks: ROW EXCLUSIVE on idem.anchor.';
REVOKE ALL ON FUNCTION idem.claim_many(text, text[], jsonb[], text) FROM PUBLIC;

CREATE FUNCTION idem.complete(scope text, key text, response jsonb)
    RETURNS idem.claim_result
    AS 'MODULE_PATHNAME', 'idem_complete'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.complete(text, text, jsonb) IS
    'stores what a repeat will be answered, in the transaction that claimed the key.
Out: outcome succeeded; reentrant if the same response was given before.
Errors: as claim; 55I02 if the key was not claimed in this transaction, or is completed with another response.
Locks: ROW EXCLUSIVE on idem.anchor.';
REVOKE ALL ON FUNCTION idem.complete(text, text, jsonb) FROM PUBLIC;
