-- ---------------------------------------------------------------------------
-- bound: idempotency keys in a table of the user's
-- ---------------------------------------------------------------------------

-- Open to PUBLIC as every trigger function of a guard is (base.sql).
CREATE FUNCTION idem.keep_keys() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_keys'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_keys() IS
    'trigger idem_keys: a row whose key no claim would take raises 22I01, a request without a declared field 22023, an UPDATE of key, request or a response that is there 23I07, a DELETE 23I08';

CREATE FUNCTION idem.keep_repeats() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_repeats'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_repeats() IS
    'trigger idem_repeats: an INSERT of a key that is there, with another request, raises 23I0D';

-- Open to PUBLIC: it demands ownership of the table, and does nothing that its
-- owner could not do by CREATE TRIGGER.
CREATE FUNCTION idem.guard_keys(relation regclass, key text[],
                                request text DEFAULT NULL, fields text[] DEFAULT NULL,
                                response text DEFAULT NULL,
                                completion text DEFAULT 'optional', charset text DEFAULT 'ascii')
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_keys'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_keys(regclass, text[], text, text[], text, text, text) IS
    'guards a table of idempotency keys: INSERT INTO it with ON CONFLICT DO NOTHING RETURNING true grants a key, and idem.guard_claimed(..., keys => the table) lets the row of the effect in only by the transaction that was granted it.
In: relation; key: the columns that make the key, NOT NULL, of type text, varchar, uuid, smallint, integer or bigint, with a unique constraint on exactly these that is valid and not deferrable; request: a column of type jsonb, and fields: its members in which a repeat must not differ, ''{*}'' for all; response: a column that takes one value, once; completion: ''required'': no commit with a key without response; charset of keys: ''ascii'' (visible ASCII) or ''any''.
From then on: a row whose key a claim would not take is 22I01, a request that lacks a field 22023, an INSERT of a known key with another request 23I0D (request_mismatch), a change of key, request or a response that is there 23I07, DELETE and TRUNCATE 23I08, a commit without a response that is required 55I02. 23I0D is found by a look before the INSERT: where a rival that has not ended was waited for, the row is skipped without it.
Rows that are there are not looked at: idem.validate_guard and idem.doctor do that. The same again is a no-op with a NOTICE, and then stops no writer. Makes two guards, of kind keys and, with request, of kind repeats; idem.drop_guard of the first takes both off.
Errors: 42501 not the owner; 42P17 a column that can be null or be no key or request, or no such constraint; 42703, 42710 (another such guard), 42701, 22004, 22023.
Locks: SHARE ROW EXCLUSIVE.';
