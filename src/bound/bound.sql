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
CREATE FUNCTION idem.guard_claimed(relation regclass, key text[], scope text,
                                   rows text DEFAULT 'one', state text DEFAULT NULL,
                                   claimed jsonb DEFAULT NULL)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_claimed'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_claimed(regclass, text[], text, text, text, jsonb) IS
    'binds the rows of a table to claims: a row may be inserted only by the transaction that was granted its key.
In: relation; key: the column that holds the idempotency key, or several that make it as idem.key does of their texts, of type text, varchar, uuid, smallint, integer or bigint and NOT NULL; scope; rows, of effects inside: ''one'': a claim pays for one row of the table, or ''many''.
Of a scope with effect ''outside'': state: the column of the row''s state, of type text, varchar or an enum and NOT NULL; claimed: {"state of the row": "{states of the claim}", ...}. A row comes into a listed state only while its claim is in one of those, and while that is dispatched or unknown into no state that is not listed; else 23I0A. The claim''s row is locked until the end of the transaction unless it is final; 40001 where the snapshot is older.
Of one with effect ''inside'': a row without its claim, or a second one of the same claim, is 23I0A. A column of the key is fixed from then on (23I07). Rows that are there are not looked at: idem.validate_guard and idem.doctor do that.
The same again is a no-op with a NOTICE, and then stops no writer. Errors: 42501 not the owner; 42704 unknown scope; 42P17 a scope for the other kind of effect, or a column that can be null, or be no key or state; 42703, 42710 (another such guard of the scope, which says what differs), 22004, 22023.
Locks: SHARE ROW EXCLUSIVE.';
