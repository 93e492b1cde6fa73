
-- ---------------------------------------------------------------------------
-- reconcile: two records of the same money
-- ---------------------------------------------------------------------------

-- A rule names two tables or views of the user's, ours and theirs, and what is
-- compared.  A run of it judges one day: idem.reconciliation_query() writes the
-- comparison as one statement, which reads with one snapshot and as the owner of
-- the rule; what it finds is kept here.  Nothing here changes a row of the
-- user's.
--
--	idem.reconciliation	a row a rule
--	idem.reconciled		a row a rule and day that was looked at
--	idem.reconciled_sum	its counts and sums, by kind and currency
--	idem.difference		a row a difference, from the first run that saw it on
--	idem.difference_log	what became of it

CREATE TABLE idem.reconciliation (
    name        text COLLATE "C"
                CONSTRAINT reconciliation_pkey PRIMARY KEY,
    ours        text COLLATE "C" NOT NULL,
    theirs      text COLLATE "C" NOT NULL,
    key         text[] COLLATE "C" NOT NULL,
    amount      text COLLATE "C" NOT NULL,
    agree       text[] COLLATE "C" NOT NULL,
    day         text COLLATE "C" NOT NULL,
    currency    text COLLATE "C",
    complete    text COLLATE "C",
    calendar    text COLLATE "C",
    grace       interval,
    tolerance   numeric NOT NULL,
    group_by    text COLLATE "C",
    signed      boolean NOT NULL,
    gross       text COLLATE "C",
    fee         text COLLATE "C",
    net         text COLLATE "C",
    owner       name NOT NULL DEFAULT CURRENT_USER,
    created_by  name NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE idem.reconciliation IS 'declared reconciliations: which two records have to agree, and in what';
COMMENT ON COLUMN idem.reconciliation.name IS 'what idem.reconcile names it by';
COMMENT ON COLUMN idem.reconciliation.ours IS 'table or view of what we know, with its schema';
COMMENT ON COLUMN idem.reconciliation.theirs IS 'table or view of what the other side says';
COMMENT ON COLUMN idem.reconciliation.key IS 'columns that tell payments apart, on both sides; none: totals only';
COMMENT ON COLUMN idem.reconciliation.amount IS 'column of the amount';
COMMENT ON COLUMN idem.reconciliation.agree IS 'further columns that have to agree';
COMMENT ON COLUMN idem.reconciliation.day IS 'column of the day a row belongs to';
COMMENT ON COLUMN idem.reconciliation.currency IS 'column by which sums are parted, which has to agree; NULL: column currency, if agree names it, else there is one currency';
COMMENT ON COLUMN idem.reconciliation.complete IS 'table or view that says of each day and version how many lines of theirs there are, and their total; NULL: theirs is complete whenever it is read';
COMMENT ON COLUMN idem.reconciliation.calendar IS 'calendar whose business days are neighbours; NULL: every day is one';
COMMENT ON COLUMN idem.reconciliation.grace IS 'how long after its day a pair on neighbouring days is no difference; NULL: other days are not looked at';
COMMENT ON COLUMN idem.reconciliation.tolerance IS 'by how much the amounts of a pair may differ; counted and summed apart';
COMMENT ON COLUMN idem.reconciliation.group_by IS 'the side whose rows are added up by key before they are compared: ours, theirs or both; NULL: none';
COMMENT ON COLUMN idem.reconciliation.signed IS 'a payment and its return, of opposite sign under one key, are netted first, on both sides';
COMMENT ON COLUMN idem.reconciliation.gross IS 'column of theirs: the amount before the fee';
COMMENT ON COLUMN idem.reconciliation.fee IS 'column of theirs: what was kept of it';
COMMENT ON COLUMN idem.reconciliation.net IS 'column of theirs: what was left';
COMMENT ON COLUMN idem.reconciliation.owner IS 'role as which both sides are read';
COMMENT ON COLUMN idem.reconciliation.created_by IS 'session user who declared it';
COMMENT ON COLUMN idem.reconciliation.created_at IS 'when, by the clock of the database';
REVOKE ALL ON TABLE idem.reconciliation FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.reconciliation', '');

CREATE TABLE idem.reconciled (
    rule        text COLLATE "C",
    day         date,
    problem     text,
    version     numeric,
    waiting     bigint NOT NULL,
    again_at    timestamptz,
    runs        bigint NOT NULL,
    at          timestamptz NOT NULL,
    role        name NOT NULL,
    CONSTRAINT reconciled_pkey PRIMARY KEY (rule, day)
);
COMMENT ON TABLE idem.reconciled IS 'the days a reconciliation has looked at';
COMMENT ON COLUMN idem.reconciled.rule IS 'name of the reconciliation';
COMMENT ON COLUMN idem.reconciled.day IS 'the day';
COMMENT ON COLUMN idem.reconciled.problem IS 'why the newest run could not judge the day; NULL: it did';
COMMENT ON COLUMN idem.reconciled.version IS 'version of the file it was judged by; NULL: there are no files';
COMMENT ON COLUMN idem.reconciled.waiting IS 'pairs on neighbouring days that become differences when grace is over';
COMMENT ON COLUMN idem.reconciled.again_at IS 'when that is: run it again then; NULL: none waits';
COMMENT ON COLUMN idem.reconciled.runs IS 'how many runs there were';
COMMENT ON COLUMN idem.reconciled.at IS 'when the newest was';
COMMENT ON COLUMN idem.reconciled.role IS 'session user who ran it';
REVOKE ALL ON TABLE idem.reconciled FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.reconciled', '');

CREATE TABLE idem.reconciled_sum (
    rule        text COLLATE "C",
    day         date,
    kind        text COLLATE "C",
    currency    text COLLATE "C",
    keys        bigint NOT NULL,
    ours_lines  bigint NOT NULL,
    theirs_lines bigint NOT NULL,
    ours        numeric NOT NULL,
    theirs      numeric NOT NULL,
    fee         numeric NOT NULL,
    CONSTRAINT reconciled_sum_pkey PRIMARY KEY (rule, day, kind, currency)
);
COMMENT ON TABLE idem.reconciled_sum IS 'counts and sums of the newest run that could judge a day';
COMMENT ON COLUMN idem.reconciled_sum.rule IS 'name of the reconciliation';
COMMENT ON COLUMN idem.reconciled_sum.day IS 'the day';
COMMENT ON COLUMN idem.reconciled_sum.kind IS 'matched, tolerated, other_day or the kind of a difference';
COMMENT ON COLUMN idem.reconciled_sum.currency IS 'currency; empty: none';
COMMENT ON COLUMN idem.reconciled_sum.keys IS 'how many keys; of unidentified, rows';
COMMENT ON COLUMN idem.reconciled_sum.ours_lines IS 'rows of ours that they are made of';
COMMENT ON COLUMN idem.reconciled_sum.theirs_lines IS 'rows of theirs';
COMMENT ON COLUMN idem.reconciled_sum.ours IS 'sum of the amounts of ours';
COMMENT ON COLUMN idem.reconciled_sum.theirs IS 'sum of the amounts of theirs';
COMMENT ON COLUMN idem.reconciled_sum.fee IS 'sum of the fees';
REVOKE ALL ON TABLE idem.reconciled_sum FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.reconciled_sum', '');

-- CHECKs, and no guard: a guard on a table that a dump carries would meet the
-- rows of the dump.
CREATE TABLE idem.difference (
    id          uuid
                CONSTRAINT difference_pkey PRIMARY KEY,
    rule        text COLLATE "C" NOT NULL,
    day         date NOT NULL,
    key         jsonb NOT NULL,
    line        integer NOT NULL,
    n           integer NOT NULL,
    kind        text COLLATE "C" NOT NULL
                CONSTRAINT difference_kind_check CHECK (kind IN ('missing_theirs', 'missing_ours', 'amount', 'fields',
                                                                 'duplicate_ours', 'duplicate_theirs', 'unidentified', 'other_day')),
    currency    text COLLATE "C",
    ours        numeric,
    theirs      numeric,
    ours_lines  bigint NOT NULL,
    theirs_lines bigint NOT NULL,
    fields      text[] COLLATE "C" NOT NULL,
    ours_values jsonb,
    theirs_values jsonb,
    other_day   date,
    state       text COLLATE "C" NOT NULL
                CONSTRAINT difference_state_check CHECK (state IN ('open', 'investigating', 'explained', 'adjusted', 'written_off', 'healed')),
    first_seen  timestamptz NOT NULL,
    last_seen   timestamptz NOT NULL,
    closed_at   timestamptz,
    gone_at     timestamptz,
    role        name,
    reason      text,
    previous    uuid,
    CONSTRAINT difference_closed_check CHECK ((state IN ('open', 'investigating')) = (closed_at IS NULL)),
    CONSTRAINT difference_gone_check CHECK (gone_at IS NULL OR state IN ('explained', 'written_off')),
    CONSTRAINT difference_reason_check CHECK ((state IN ('open', 'healed')) OR (role IS NOT NULL AND reason ~ '\S')),
    CONSTRAINT difference_seen_check CHECK (first_seen <= last_seen),
    CONSTRAINT difference_n_check CHECK (n > 0 AND line >= 0 AND (previous IS NULL) = (n = 1))
);
CREATE INDEX difference_day ON idem.difference (rule, day);
CREATE INDEX difference_open ON idem.difference (rule, kind) WHERE closed_at IS NULL;
COMMENT ON INDEX idem.difference_day IS 'what is known of a day';
COMMENT ON INDEX idem.difference_open IS 'what is not closed';
COMMENT ON TABLE idem.difference IS 'differences that reconciliations found, and what became of them; read it as idem.differences';
COMMENT ON COLUMN idem.difference.id IS 'which difference: of rule, day, key, line and n';
COMMENT ON COLUMN idem.difference.rule IS 'name of the reconciliation';
COMMENT ON COLUMN idem.difference.day IS 'the day that was judged';
COMMENT ON COLUMN idem.difference.key IS 'the key, a member a column; of unidentified: the side and what the row holds of the columns compared';
COMMENT ON COLUMN idem.difference.line IS 'of unidentified: which of several equal rows, from 1; else 0';
COMMENT ON COLUMN idem.difference.n IS 'which difference of this key: it is a new one when it comes back';
COMMENT ON COLUMN idem.difference.kind IS 'missing_theirs, missing_ours, amount, fields, duplicate_ours, duplicate_theirs, unidentified or other_day';
COMMENT ON COLUMN idem.difference.currency IS 'currency of the amounts; of ours, where they differ';
COMMENT ON COLUMN idem.difference.ours IS 'amount of ours; NULL: there is none';
COMMENT ON COLUMN idem.difference.theirs IS 'amount of theirs; NULL: there is none';
COMMENT ON COLUMN idem.difference.ours_lines IS 'rows of ours';
COMMENT ON COLUMN idem.difference.theirs_lines IS 'rows of theirs';
COMMENT ON COLUMN idem.difference.fields IS 'columns that do not agree, where both sides have the key';
COMMENT ON COLUMN idem.difference.ours_values IS 'what ours holds in the columns of agree';
COMMENT ON COLUMN idem.difference.theirs_values IS 'what theirs holds';
COMMENT ON COLUMN idem.difference.other_day IS 'the day on which theirs has the key, if it is not this one';
COMMENT ON COLUMN idem.difference.state IS 'open, investigating; explained, adjusted or written_off by a person; healed: a later run found that the records agree';
COMMENT ON COLUMN idem.difference.first_seen IS 'when a run saw it first';
COMMENT ON COLUMN idem.difference.last_seen IS 'when a run saw it last';
COMMENT ON COLUMN idem.difference.closed_at IS 'when it was closed';
COMMENT ON COLUMN idem.difference.gone_at IS 'of explained and written_off: when a run saw it no more, or saw it otherwise';
COMMENT ON COLUMN idem.difference.role IS 'session user who settled it last; NULL: nobody did';
COMMENT ON COLUMN idem.difference.reason IS 'the reason given';
COMMENT ON COLUMN idem.difference.previous IS 'the difference of this key that was closed before this one came';
REVOKE ALL ON TABLE idem.difference FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.difference', '');

CREATE TABLE idem.difference_log (
    difference  uuid,
    n           integer,
    at          timestamptz NOT NULL,
    role        name NOT NULL,
    state       text COLLATE "C" NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    reason      text,
    CONSTRAINT difference_log_pkey PRIMARY KEY (difference, n)
);
COMMENT ON TABLE idem.difference_log IS 'what became of a difference after it was found, append-only';
COMMENT ON COLUMN idem.difference_log.difference IS 'which difference';
COMMENT ON COLUMN idem.difference_log.n IS 'order of the entries of one, from 1';
COMMENT ON COLUMN idem.difference_log.at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.difference_log.role IS 'session user who settled it, or who ran the reconciliation';
COMMENT ON COLUMN idem.difference_log.state IS 'its state from then on';
COMMENT ON COLUMN idem.difference_log.kind IS 'its kind from then on';
COMMENT ON COLUMN idem.difference_log.reason IS 'the reason given; NULL: a run changed it';
REVOKE ALL ON TABLE idem.difference_log FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.difference_log', '');

-- ---------------------------------------------------------------------------
-- reconcile: declaring and running
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.create_reconciliation(
    name text, ours regclass, theirs regclass, key text[],
    amount text DEFAULT 'amount', agree text[] DEFAULT '{}', day text DEFAULT 'day',
    currency text DEFAULT NULL, complete regclass DEFAULT NULL,
    calendar text DEFAULT NULL, grace interval DEFAULT NULL,
    tolerance numeric DEFAULT 0, group_by text DEFAULT NULL, signed boolean DEFAULT false,
    gross text DEFAULT NULL, fee text DEFAULT NULL, net text DEFAULT NULL
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_create_reconciliation'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.create_reconciliation(text, regclass, regclass, text[], text, text[], text, text, regclass, text, interval, numeric, text, boolean, text, text, text) IS
    'declares which two records have to agree, day by day; for admins. The caller becomes its owner: both sides are read with the rights of that role.
In: ours, theirs: tables or views that have the columns named here; key: columns that tell payments apart, ''{}'' for totals only; amount: numeric, money_micro or an integer; agree: further columns that have to agree; day: a date; currency: column by which sums are parted and which has to agree (NULL: column currency, if agree names it); complete: table or view with the columns day (as named), version, count and total: what the file of a day holds; calendar, grace: a pair on neighbouring business days is no difference until so long after them (NULL: other days are not looked at); tolerance: an amount a pair; group_by: ours, theirs or both: added up by key first; signed: a payment and its return are netted first; gross, fee, net: columns of theirs.
The same again is a no-op with a NOTICE. Kept in idem.change_log.
Errors: 22004 null; 22023 what cannot be kept; 42703, 42883 and the like, as the comparison raises them; 42501 a side that the caller may not read; 42710 another reconciliation of this name.
Locks: SHARE ROW EXCLUSIVE on idem.reconciliation: one declaration at a time, runs go on; ACCESS SHARE on both sides.';
REVOKE ALL ON FUNCTION idem.create_reconciliation(text, regclass, regclass, text[], text, text[], text, text, regclass, text, interval, numeric, text, boolean, text, text, text) FROM PUBLIC;

CREATE FUNCTION idem.alter_reconciliation(
    name text, reason text, ours regclass DEFAULT NULL, theirs regclass DEFAULT NULL,
    agree text[] DEFAULT NULL, complete regclass DEFAULT NULL,
    calendar text DEFAULT NULL, grace interval DEFAULT NULL, tolerance numeric DEFAULT NULL
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_alter_reconciliation'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.alter_reconciliation(text, text, regclass, regclass, text[], regclass, text, interval, numeric) IS
    'changes what a reconciliation was declared with, for a reason; what is NULL stays. Its key, and how rows are added up, stay always. The caller becomes its owner. Waits for a run of it. Kept in idem.change_log.
Errors: 22004 name or reason null; 22023 reason blank or longer than 1,000 characters; 42704 unknown; else as idem.create_reconciliation; 42501 also where a second person is needed (idem.require_approval).
Locks: as idem.create_reconciliation.';
REVOKE ALL ON FUNCTION idem.alter_reconciliation(text, text, regclass, regclass, text[], regclass, text, interval, numeric) FROM PUBLIC;

CREATE FUNCTION idem.drop_reconciliation(name text, reason text) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_drop_reconciliation'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.drop_reconciliation(text, text) IS
    'forgets a reconciliation all of whose differences are closed; they stay. Kept in idem.change_log.
Errors: 22004 null; 22023 reason blank or longer than 1,000 characters; 42704 unknown; 2BP01 a difference is not closed.
Locks: as idem.create_reconciliation.';
REVOKE ALL ON FUNCTION idem.drop_reconciliation(text, text) FROM PUBLIC;

CREATE FUNCTION idem.reconcile(rule text, day date)
    RETURNS TABLE (kind text, currency text, keys bigint, ours numeric, theirs numeric, difference numeric, open bigint, detail text)
    AS 'MODULE_PATHNAME', 'idem_reconcile'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION idem.reconcile(text, date) IS
    'compares the two records of a day, and keeps what differs in idem.differences: new ones, those that are still there, those that healed. Called again it finds the same.
Out: a row a kind and currency: how many keys, and the sums of both sides; open: how many of them wait for somebody. The sums of all rows are those of the day. kind incomplete: the file of theirs is not there as declared; the day was not judged, detail says why, and nothing was changed.
Errors: 22004 null; 22023 a day that is not of the years 1 to 9999; 42704 unknown; 42501 a side that the owner of the rule may not read, or may not read whole; 25006 on a standby or in a read-only transaction, and for a view that writes; what else the two sides raise.
Locks: the row of the rule: a second run of it waits; ACCESS SHARE on both sides. Both are read with one snapshot, taken when the lock is held.';
REVOKE ALL ON FUNCTION idem.reconcile(text, date) FROM PUBLIC;

CREATE FUNCTION idem.settle_difference(id uuid, state text, reason text) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_settle_difference'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.settle_difference(uuid, text, text) IS
    'says what became of a difference; for operators. Kept in idem.difference_log.
In: state investigating, from open or again; explained: the records go on to differ, and may; written_off: so they do, and the money is lost; adjusted: the records were corrected, so that a run that still sees it makes a new one. From these three there is no way back.
Errors: 22004 null; 22023 another state, or reason blank or longer than 1,000 characters; 42704 unknown; 55000 it is closed; 25006 on a standby or in a read-only transaction.
Locks: the row.';
REVOKE ALL ON FUNCTION idem.settle_difference(uuid, text, text) FROM PUBLIC;

-- ---------------------------------------------------------------------------
-- reconcile: what people and programs read
-- ---------------------------------------------------------------------------

CREATE VIEW idem.differences AS
SELECT d.id, d.rule, d.day, d.key, d.kind, d.currency, d.ours, d.theirs,
       coalesce(d.ours, 0) - coalesce(d.theirs, 0) AS difference,
       d.fields, d.ours_lines, d.theirs_lines, d.ours_values, d.theirs_values, d.other_day,
       d.state, d.first_seen, d.last_seen, d.closed_at, d.role, d.reason, d.previous
FROM idem.difference d;
COMMENT ON VIEW idem.differences IS 'differences that reconciliations found, and what became of them';
COMMENT ON COLUMN idem.differences.id IS 'what idem.settle_difference takes';
COMMENT ON COLUMN idem.differences.rule IS 'name of the reconciliation';
COMMENT ON COLUMN idem.differences.day IS 'the day that was judged';
COMMENT ON COLUMN idem.differences.key IS 'the key, a member a column; of unidentified: the side and what the row holds of the columns compared';
COMMENT ON COLUMN idem.differences.kind IS 'missing_theirs, missing_ours, amount, fields, duplicate_ours, duplicate_theirs, unidentified or other_day';
COMMENT ON COLUMN idem.differences.currency IS 'currency of the amounts; of ours, where they differ';
COMMENT ON COLUMN idem.differences.ours IS 'amount of ours; NULL: there is none';
COMMENT ON COLUMN idem.differences.theirs IS 'amount of theirs; NULL: there is none';
COMMENT ON COLUMN idem.differences.difference IS 'ours less theirs, none counted as zero';
COMMENT ON COLUMN idem.differences.fields IS 'columns that do not agree, where both sides have the key';
COMMENT ON COLUMN idem.differences.ours_lines IS 'rows of ours';
COMMENT ON COLUMN idem.differences.theirs_lines IS 'rows of theirs';
COMMENT ON COLUMN idem.differences.ours_values IS 'what ours holds in the columns of agree';
COMMENT ON COLUMN idem.differences.theirs_values IS 'what theirs holds';
COMMENT ON COLUMN idem.differences.other_day IS 'the day on which theirs has the key, if it is not this one';
COMMENT ON COLUMN idem.differences.state IS 'open, investigating; explained, adjusted or written_off by a person; healed: a later run found that the records agree';
COMMENT ON COLUMN idem.differences.first_seen IS 'when a run saw it first';
COMMENT ON COLUMN idem.differences.last_seen IS 'when a run saw it last';
COMMENT ON COLUMN idem.differences.closed_at IS 'when it was closed';
COMMENT ON COLUMN idem.differences.role IS 'session user who settled it last; NULL: nobody did';
COMMENT ON COLUMN idem.differences.reason IS 'the reason given';
COMMENT ON COLUMN idem.differences.previous IS 'the difference of this key that was closed before this one came';
REVOKE ALL ON TABLE idem.differences FROM PUBLIC;

CREATE VIEW idem.stat_differences AS
SELECT d.rule, d.kind, d.state, d.currency, pg_catalog.count(*) AS differences,
       pg_catalog.sum(d.ours) AS ours, pg_catalog.sum(d.theirs) AS theirs, pg_catalog.min(d.first_seen) AS oldest
FROM idem.difference d
WHERE d.closed_at IS NULL
GROUP BY d.rule, d.kind, d.state, d.currency;
COMMENT ON VIEW idem.stat_differences IS 'differences that are not closed, counted and summed';
COMMENT ON COLUMN idem.stat_differences.rule IS 'name of the reconciliation';
COMMENT ON COLUMN idem.stat_differences.kind IS 'kind of the differences';
COMMENT ON COLUMN idem.stat_differences.state IS 'open or investigating';
COMMENT ON COLUMN idem.stat_differences.currency IS 'currency; NULL: none';
COMMENT ON COLUMN idem.stat_differences.differences IS 'how many';
COMMENT ON COLUMN idem.stat_differences.ours IS 'sum of the amounts of ours';
COMMENT ON COLUMN idem.stat_differences.theirs IS 'sum of the amounts of theirs';
COMMENT ON COLUMN idem.stat_differences.oldest IS 'when the first of them was seen first';
REVOKE ALL ON TABLE idem.stat_differences FROM PUBLIC;
