
-- ---------------------------------------------------------------------------
-- pair: the states of two rows agree
-- ---------------------------------------------------------------------------

-- Trigger functions stay executable by PUBLIC, or an ordinary owner could not
-- restore a dump; called in any other way they raise 39P01.
CREATE FUNCTION idem.keep_pair() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_pair'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_pair() IS
    'trigger of a pair on the child: a row that is inserted, or changes its state or its parent, has to go with the state of its parent; raises 23I0C, 23502, 23503, 39P01, 40001; locks the parent row FOR NO KEY UPDATE, with judge => ''entry'' a lock of its key instead';

CREATE FUNCTION idem.keep_pair_parent() RETURNS trigger
    AS 'MODULE_PATHNAME', 'idem_keep_pair_parent'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.keep_pair_parent() IS
    'trigger of a pair on the parent: a row that changes its state has to go with the states of its children; raises 23I0C, 39P01; locks nothing, with judge => ''entry'' a lock of its key when it closes';

-- Open to PUBLIC: it demands ownership of both tables.
CREATE FUNCTION idem.guard_parent_state(
        child regclass, fk text,
        state text DEFAULT NULL, parent_state text DEFAULT NULL,
        allowed jsonb DEFAULT NULL, facts text[] DEFAULT NULL,
        judge text DEFAULT 'row', deferred boolean DEFAULT false)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_guard_parent_state'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.guard_parent_state(regclass, text, text, text, jsonb, text[], text, boolean) IS
    'a child is in a state only while its parent is in one that goes with it.
In: child table; its foreign key column, or {a,b}; state: its column of the state, left out for children without one; parent_state: that of the parent; both of type text, varchar, an enum or a domain of these; allowed: {"state of the child": "{states of the parent}", ...}, where "*" stands for every other state of the child and {*} for every state of the parent; a state that is not listed is free; facts: states of the child that record what has happened: they are stored whatever the parent is, and idem.doctor() shows those that do not go with it: with the states listed for them, or, where none are, with all that are listed; judge: ''row'': both sides are judged, whichever changes; ''entry'': the child alone, when it comes into its state, for parents that close while their children stay; deferred: both are judged when the transaction commits or is prepared.
A row that does not agree is 23I0C. A child locks its parent row FOR NO KEY UPDATE; with judge => ''entry'' a lock of the parent''s key, SHARE, against which a parent that closes takes it EXCLUSIVE. 40001 where the parent changed after the snapshot of the transaction.
The same again is a no-op with a NOTICE; another one of the same columns is 42710, which says what differs. Errors: 42501 not the owner of both tables; 42P17 a foreign key that is deferrable, not validated, can be null or changes children, no index that begins with its columns, or a column that cannot hold a state; 42703, 42804, 22004, 22023, 22P02; 23I0C if rows disagree already.
Locks: SHARE ROW EXCLUSIVE on both tables.';
