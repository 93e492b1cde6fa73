-- ---------------------------------------------------------------------------
-- bound: the effect cannot happen without its claim
-- ---------------------------------------------------------------------------

-- Open to PUBLIC as every trigger function of a guard is (base.sql).
CREATE FUNCTION idem.keep_claimed() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_claimed'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_claimed() IS
    'trigger idem_claimed: a row whose key this transaction was not granted raises 23I0A, an UPDATE that changes the key 23I07';

-- Open to PUBLIC: it demands ownership of the table, and does nothing that its
-- owner could not do by CREATE TRIGGER.
CREATE FUNCTION idem.guard_claimed(relation regclass, key text[], scope text DEFAULT NULL,
                                   rows text DEFAULT 'one', state text DEFAULT NULL,
                                   claimed jsonb DEFAULT NULL, keys regclass DEFAULT NULL)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_claimed'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_claimed(regclass, text[], text, text, text, jsonb, regclass) IS
    'binds the rows of a table to claims: a row may be inserted only by the transaction that was granted its key.
In: relation; key: the column that holds the idempotency key, or several that make it as idem.key does of their texts, of type text, varchar, uuid, smallint, integer or bigint and NOT NULL; scope, or instead keys: a table guarded by idem.guard_keys, whose key has as many columns, in this order; rows, of effects inside: ''one'': a claim pays for one row of the table, or ''many''.
Of a scope with effect ''outside'': state: the column of the row''s state, of type text, varchar or an enum and NOT NULL; claimed: {"state of the row": "{states of the claim}", ...}. A row comes into a listed state only while its claim is in one of those, and while that is dispatched or unknown into no state that is not listed; else 23I0A. The claim''s row is locked until the end of the transaction; 40001 where the snapshot is older.
Of one with effect ''inside'': a row without its claim, or a second one of the same claim, is 23I0A. A column of the key is fixed from then on (23I07). Rows that are there are not looked at: idem.validate_guard and idem.doctor do that.
The same again is a no-op with a NOTICE, and then stops no writer. Errors: 42501 not the owner, of keys, too; 42704 unknown scope; 42P01 raised for a row where the table of keys was renamed or dropped, and 42501 where another owner has a table of that name; 42P17 a scope for the other kind of effect, a table that is none of keys, or a column that can be null, or be no key or state; 42703, 42710 (another such guard of the scope, which says what differs), 22004, 22023.
Locks: SHARE ROW EXCLUSIVE.';

CREATE PROCEDURE idem.adopt_keys(
    scope text, relation regclass, key text[],
    request jsonb DEFAULT NULL, since text DEFAULT NULL, batch integer DEFAULT 10000,
    state text DEFAULT NULL, done text[] DEFAULT NULL,
    INOUT adopted bigint DEFAULT NULL, INOUT known bigint DEFAULT NULL, INOUT busy bigint DEFAULT NULL)
    AS 'MODULE_PATHNAME', 'idem_adopt_keys'
    LANGUAGE C;
COMMENT ON PROCEDURE idem.adopt_keys(text, regclass, text[], jsonb, text, integer, text, text[], bigint, bigint, bigint) IS
    'claims the keys of rows that are there from before idem, so that their messages are answered replayed when they come again, and mismatch with another request. Commits a batch of rows at a time; called again, it goes on.
In: scope; relation; key: as in idem.guard_claimed; request: {"member of the request": "column", ...} for the declared fields of the scope; since: the column that says when the row was written, for first_seen; batch: rows a transaction; state and done, needed where the effect is outside: the column of a row''s state, and the states in which the effect is done and will not be tried again: only those rows are adopted.
Out: adopted: keys; known: keys that were known before, or that the scope may have forgotten; busy: keys that a transaction that has not ended is claiming: call it again.
Errors: 25001 in a transaction block or function; 42501 not the owner of the table; 42704 unknown scope; 23505 keys that have several rows, with a sample; 23502 a key that is null; 22I01 a key that could not be claimed; 22023 a request that lacks a declared field; a scope for effects outside, without state and done.
Locks: ACCESS SHARE on the table, ROW EXCLUSIVE on idem.anchor or idem.reservation, a batch at a time. For admins who own the table.';
REVOKE ALL ON PROCEDURE idem.adopt_keys(text, regclass, text[], jsonb, text, integer, text, text[], bigint, bigint, bigint) FROM PUBLIC;
