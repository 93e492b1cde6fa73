
-- ---------------------------------------------------------------------------
-- ledger: balances of accounts, in tables of the user's
-- ---------------------------------------------------------------------------

-- Trigger functions stay executable by PUBLIC, or an ordinary owner could not
-- restore a dump; called in any other way they raise 39P01.
CREATE FUNCTION idem.keep_balance() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_balance'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_balance() IS
    'trigger of a balance on the entries: counts what was stored, at once if it is the only row of its statement, else by idem.apply_totals() at its end; raises 23I05, 23I06, 23I07, 23I08, 23I09, 23502, 23503, 23514, 39P01; locks the account row FOR NO KEY UPDATE, the row of a hold that is posted FOR SHARE';

CREATE FUNCTION idem.keep_account() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_account'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_account() IS
    'trigger of a balance on the accounts: nobody but the guard writes balance, held and shortfall; key, normal column and compared columns stay, and so does an account whose balance is not zero; raises 23I07, 23I08, 42804, 39P01';

CREATE FUNCTION idem.guard_balance(
        child regclass, fk text,
        amount text, balance text,
        direction text DEFAULT NULL, debit text DEFAULT NULL, credit text DEFAULT NULL,
        side text DEFAULT NULL, normal text DEFAULT NULL, normal_column text DEFAULT NULL,
        floor text DEFAULT NULL, ceiling text DEFAULT NULL, unbounded text DEFAULT NULL,
        same jsonb DEFAULT NULL, children text DEFAULT 'kept',
        state text DEFAULT NULL, pending text[] DEFAULT NULL, released text[] DEFAULT NULL,
        facts text[] DEFAULT NULL, held text DEFAULT 'held', shortfall text DEFAULT 'shortfall',
        posts text DEFAULT NULL, over boolean DEFAULT false, expires_at text DEFAULT NULL,
        batched boolean DEFAULT false)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_balance'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_balance(regclass, text, text, text, text, text, text, text, text, text, text, text, text, jsonb, text, text, text[], text[], text[], text, text, text, boolean, text, boolean) IS
    'keeps the balance of every account that a foreign key references: the sum of its entries. In: table of the entries; its foreign key column, or {a,b}; their column of the amount; column of the account for the balance (added if absent); direction, a column of the entries, with its words for debit and credit, or side for all of them (debit, credit), or neither: signed amounts; normal, the side that makes every balance grow, or normal_column, a column of the account with such a word; floor, ceiling: columns of the account, NOT NULL; unbounded: boolean column of accounts without bounds; same: {"column of the entry": "column of the account"} that must be equal; children: kept or editable; state, a column of the entries: those pending are held (column held, added), those released do not count (required with state), facts are stored whatever the floor, what is missing goes to the column shortfall (added); posts: column of entries that names, by a foreign key, the hold that they post, with at most its amount unless over; expires_at: column of the time a hold lapses; batched: the balances of accounts without bounds are added up by idem.apply_balances(). Several tables, or foreign keys of one table, may name one balance. The same again is a no-op with a NOTICE; another one on the same foreign key is 42710. Raises 42501, 42P17, 42710, 42703, 42804, 22004, 22023; 23I05, 23I06, 23514 if rows already break it. Locks as idem.guard_limit does';

CREATE FUNCTION idem.guard_balance(
        child regclass, fk text[],
        amount text, balance text,
        direction text DEFAULT NULL, debit text DEFAULT NULL, credit text DEFAULT NULL,
        side text DEFAULT NULL, normal text DEFAULT NULL, normal_column text DEFAULT NULL,
        floor text DEFAULT NULL, ceiling text DEFAULT NULL, unbounded text DEFAULT NULL,
        same jsonb DEFAULT NULL, children text DEFAULT 'kept',
        state text DEFAULT NULL, pending text[] DEFAULT NULL, released text[] DEFAULT NULL,
        facts text[] DEFAULT NULL, held text DEFAULT 'held', shortfall text DEFAULT 'shortfall',
        posts text DEFAULT NULL, over boolean DEFAULT false, expires_at text DEFAULT NULL,
        batched boolean DEFAULT false)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_balance_columns'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_balance(regclass, text[], text, text, text, text, text, text, text, text, text, text, text, jsonb, text, text, text[], text[], text[], text, text, text, boolean, text, boolean) IS
    'the same, for a foreign key of several columns';

CREATE FUNCTION idem.available(child regclass, key text) RETURNS numeric
    AS 'MODULE_PATHNAME', 'idem_available'
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION idem.available(regclass, text) IS
    'what an account could still give: balance minus what is held minus floor, below 0 where facts went beyond it, Infinity without a floor. In: table of the entries, key of the account that its foreign key references, as text; of several columns a JSON object of their names in the account. Runs as the caller: NULL if the caller sees no such account, 42501 if it may not read it; 42704, 42P08, 22023. Locks nothing: only the guard decides';

CREATE FUNCTION idem.available(child regclass, key anyelement) RETURNS numeric
    AS 'MODULE_PATHNAME', 'idem_available'
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION idem.available(regclass, anyelement) IS
    'the same with the key as a number, a uuid, an enum or a boolean; 42804 for another type';

CREATE FUNCTION idem.apply_balances(accounts regclass) RETURNS bigint
    AS 'MODULE_PATHNAME', 'idem_apply_balances'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.apply_balances(regclass) IS
    'adds up the entries of the accounts without bounds, of balances that are declared as batched, and returns how many balances changed. In: the table of the accounts. Owner of that table only (42501); 42704 if none of its balances is batched; locks these accounts FOR NO KEY UPDATE, which their entries do not wait for';

-- Runs as the owner of the extension, who knows which guards were declared;
-- each table is read as its owner.
CREATE FUNCTION idem.lapsed_holds()
    RETURNS TABLE (relation regclass, key text, account text, expires_at timestamptz, amount numeric)
    AS 'MODULE_PATHNAME', 'idem_lapsed_holds'
    LANGUAGE C STABLE STRICT PARALLEL UNSAFE ROWS 100
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION idem.lapsed_holds() IS
    'what the view idem.lapsed_holds shows. For operators and admins. A balance that cannot be asked, for want of a foreign key or of a lock within five seconds, is a WARNING (55000). Locks the tables ACCESS SHARE';
REVOKE ALL ON FUNCTION idem.lapsed_holds() FROM PUBLIC;

CREATE VIEW idem.lapsed_holds AS SELECT * FROM idem.lapsed_holds();
COMMENT ON VIEW idem.lapsed_holds IS 'holds that are pending, not posted, and past their expires_at: release them, or post them';
COMMENT ON COLUMN idem.lapsed_holds.relation IS 'table of the entries';
COMMENT ON COLUMN idem.lapsed_holds.key IS 'primary key of the hold, of several columns with commas between them; NULL to someone who may not read the table';
COMMENT ON COLUMN idem.lapsed_holds.account IS 'key of the account, as the entry has it; NULL to someone who may not read the table';
COMMENT ON COLUMN idem.lapsed_holds.expires_at IS 'when it lapsed';
COMMENT ON COLUMN idem.lapsed_holds.amount IS 'amount of the hold, signed where amounts are; NULL to someone who may not read the table';
