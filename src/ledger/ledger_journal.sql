
-- ---------------------------------------------------------------------------
-- ledger: journals
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.keep_journal() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_journal'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_journal() IS
    'trigger of journals on the entries: adds what was stored to what the transaction changes of its journal, which has to be zero when it commits or prepares; raises 23I0B, 23514, 39P01; locks nothing';

CREATE FUNCTION idem.guard_journal(
        child regclass, fk text, amount text,
        direction text DEFAULT NULL, debit text DEFAULT NULL, credit text DEFAULT NULL,
        currency text DEFAULT NULL, state text DEFAULT NULL,
        released text[] DEFAULT NULL, pending text[] DEFAULT NULL,
        closed boolean DEFAULT true)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_journal'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_journal(regclass, text, text, text, text, text, text, text, text[], text[], boolean) IS
    'the entries of every journal that a foreign key references add up to zero, in each currency, those that are pending and those that are posted each for themselves: 23I0B when a transaction commits or prepares. In: table of the entries; its foreign key column, or {a,b}; their column of the amount; direction, a column with its words for debit and credit, or signed amounts; currency, a column of the entries; state, a column of the entries: those released do not count (required with state), those pending are a phase of their own; closed: entries join, leave or change a journal only in the transaction that inserted its row. The same again is a no-op with a NOTICE; another one on the same foreign key is 42710. Raises 42501, 42P17, 42710, 42703, 42804, 22004, 22023; 23I0B if journals are not balanced already. Locks the entries SHARE ROW EXCLUSIVE';

CREATE FUNCTION idem.check_journals() RETURNS void
    AS 'MODULE_PATHNAME', 'idem_check_journals'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.check_journals() IS
    'judges now what is judged at commit: 23I0B unless what this transaction has changed of its journals so far is balanced';
