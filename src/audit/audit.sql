-- ---------------------------------------------------------------------------
-- audit: columns that look like money and are not kept as money
-- ---------------------------------------------------------------------------

-- What is wrong with a schema whether or not anything in it is guarded; the
-- doctor shows it among its findings.  The promise: any table, whoever made
-- it, is read by its names, types, indexes and comments alone, never by its
-- rows, and nothing is locked.  Shown by sql/audit_schema.sql.
--
-- Not promised: that every key or amount is recognized, or that everything
-- that looks like one is.

-- A schema says what it means by its names.  They are read as words, so that
-- unitPrice, unit_price and unitprice are one name.
CREATE FUNCTION idem.schema_words(name text) RETURNS text
    LANGUAGE sql IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
RETURN pg_catalog.regexp_replace(
           pg_catalog.lower(pg_catalog.regexp_replace(name, '([a-z0-9])([A-Z])', '\1_\2', 'g')),
           '([a-z])(number|amount|price|total|cost|balance)(?![a-z])', '\1_\2', 'g');
COMMENT ON FUNCTION idem.schema_words(text) IS
    'the words of a name, in lower case with one underscore between two; those that others are often glued to, such as number and amount, stand apart';
REVOKE ALL ON FUNCTION idem.schema_words(text) FROM PUBLIC;

-- The words that payment and shop systems use, as regular expressions.  A
-- wrong guess costs a line to read, so a name that could mean something else
-- counts only in a table that is about money.
CREATE VIEW idem.schema_names AS SELECT
    -- tables
    '(^|_)(history|histories|audits?|logs?|versions?|archived?|backup|tmp|staging|snapshots?)$' AS copy_table,
    '(^|_)events?$' AS event_table,
    '(^|_)(payment|refund|reversal|transfer|transaction|payout|withdrawal|deposit|charge|chargeback|capture|order|invoice|settlement|dispute|checkout|debit|credit|adjustment)s?$' AS payment_table,
    -- amounts: what they are, what it is instead when the name ends or begins so
    '(^|_)(amount|amt|price|total|balance|fee|cost|paid|refunded|captured|authorized|charged|'
    'debit|credit|payout|tax|vat|discount|surcharge|tip|fare|principal|proceed|revenue)(e?s)?(_|$)' AS amount,
    '(^|_)(id[0-9]*|at|on|by|type|kind|count|counts|rate|rates|percent|percentage|pct|ppm|bps|code|name|currency|status|state|'
    'number|no|date|time|lock|key|method|category|class|model|items|quantity|qty|usage|units|attempts|requests|records|pages|days|seconds|bytes|'
    'enabled|allowed|included|uuid|reason|mode|index|score|weight|priority|terms?|account|list|center|centre|group|tier|book|set)$'
    '|(^|_)version(_|$)|^(is|has|can|include|includes|max_number|num|nb|number)_' AS no_amount,
    '(^|_)(cents?|minor|micros?|millis?|nanos?|pence|fen|units|points?|satoshis?|m?sats?|wei|subunits?)(_|$)' AS unit,
    '(^|_)(currency|ccy|iso_?code|asset|asset_code)(_|$)' AS currency,
    -- statuses, but for those of an address and of another row or time
    '(^|_)(status|state)$' AS status,
    '(^|_)(address|billing|shipping|ship|country|us|home|province)_state$'
    '|^(initial|source|previous|prev|old|new|next|from|to|target)_' AS no_status,
    '^(city|town|zip|zip_?code|postal_?code|country|country_code|address_?line_?1|address1)$' AS address,
    -- keys, wherever they stand
    '^(.*_)?idem(poten(cy|ce|t))?_?(key|token|id)$|^out_?(trade|refund|request|order)_?no$|^request_?(no|num|number|uuid|key|token)$|^(uuid|guid)$' AS key,
    -- keys, but of a piece of goods where there are quantities
    '^serial_?(no|num|number)$' AS serial,
    '(^|_)(qty|quantity)$' AS quantity,
    -- keys, in a table about money
    '^(merchant_|external_|provider_|psp_|gateway_|processor_|channel_|bank_|client_)?(order|trade|refund|payment|transaction|txn|charge|capture|transfer|payout|invoice|voucher|reference|connector_transaction|inv)_?(no|num|number|sn|uuid|ref|reference|external_key)$'
    '|^(.*_)?(external|remote)_(id|key|ref|reference)$'
    '|^(.*_)?(external|client|merchant|provider|psp|gateway|processor|bank|channel|connector|stripe|paypal|adyen|braintree|alipay|wechat)_(key|ref|reference|(transaction|payment|payment_intent|refund|charge|order|payout|transfer)_?(id|key|ref|reference))$'
    '|^request_id$|^(message|msg|event)_?(id|key|uuid)$|^(.*_)?external_key$' AS money_key,
    '(^|_)(customer|account|user|owner|buyer|seller|store|shop|company|product|item|plan|wallet|subscription)_(external|remote)_' AS no_key,
    -- what the row of a payment table itself is called
    '^(receipt_?)?(number|no|identifier)$' AS own_key;
COMMENT ON VIEW idem.schema_names IS 'one row: the regular expressions by which names of tables and columns, as idem.schema_words gives them, are read';
COMMENT ON COLUMN idem.schema_names.copy_table IS 'a table whose rows repeat what stands elsewhere';
COMMENT ON COLUMN idem.schema_names.event_table IS 'a table of what happened: a status in it does not change';
COMMENT ON COLUMN idem.schema_names.payment_table IS 'a table of payments or of what becomes one';
COMMENT ON COLUMN idem.schema_names.amount IS 'an amount of money';
COMMENT ON COLUMN idem.schema_names.no_amount IS 'no amount, whatever else the name says';
COMMENT ON COLUMN idem.schema_names.unit IS 'says what an integer counts';
COMMENT ON COLUMN idem.schema_names.currency IS 'a currency';
COMMENT ON COLUMN idem.schema_names.status IS 'a status';
COMMENT ON COLUMN idem.schema_names.no_status IS 'the state of an address, or the status of another row or time';
COMMENT ON COLUMN idem.schema_names.address IS 'a part of an address: beside it a state is one, too';
COMMENT ON COLUMN idem.schema_names.key IS 'says which request it is, in any table';
COMMENT ON COLUMN idem.schema_names.serial IS 'a serial number: of a request, or of a piece of goods';
COMMENT ON COLUMN idem.schema_names.quantity IS 'a quantity: beside it a serial number is that of goods';
COMMENT ON COLUMN idem.schema_names.money_key IS 'says which payment or message it is, in a table about money';
COMMENT ON COLUMN idem.schema_names.no_key IS 'the key of somebody or something else that the row refers to';
COMMENT ON COLUMN idem.schema_names.own_key IS 'in a payment table, the name of the row';

-- Every column of every table of a user, and the type of its value: of a
-- domain the one below, of a composite (amount and currency) its first number.
CREATE VIEW idem.schema_values AS
SELECT c.oid AS relid, c.relname::text AS relname, a.attnum, a.attname::text AS name,
       idem.schema_words(a.attname::text) AS words,
       a.attcollation AS collation_oid,
       coalesce(part.atttypid, nullif(t.typbasetype, 0), t.oid) AS type_oid,
       coalesce(part.atttypmod, CASE WHEN t.typbasetype = 0 THEN a.atttypmod ELSE t.typtypmod END) AS typmod
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN LATERAL (SELECT p.atttypid, p.atttypmod
                   FROM pg_catalog.pg_type b
                   JOIN pg_catalog.pg_attribute p ON p.attrelid = b.typrelid AND p.attnum > 0 AND NOT p.attisdropped
                   WHERE t.typtype IN ('c', 'd') AND b.oid = coalesce(nullif(t.typbasetype, 0), t.oid) AND b.typtype = 'c'
                         AND p.atttypid IN ('pg_catalog.money_micro'::regtype, 'numeric'::regtype, 'int8'::regtype, 'int4'::regtype,
                                            'float4'::regtype, 'float8'::regtype)
                   ORDER BY p.attnum LIMIT 1) part ON true
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'idem') AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');
COMMENT ON VIEW idem.schema_values IS 'every column of every table of a user, its name in words and the type of its value';
COMMENT ON COLUMN idem.schema_values.relid IS 'the table';
COMMENT ON COLUMN idem.schema_values.relname IS 'its name';
COMMENT ON COLUMN idem.schema_values.attnum IS 'number of the column';
COMMENT ON COLUMN idem.schema_values.name IS 'its name';
COMMENT ON COLUMN idem.schema_values.words IS 'its name in words';
COMMENT ON COLUMN idem.schema_values.collation_oid IS 'its collation';
COMMENT ON COLUMN idem.schema_values.type_oid IS 'its type; of a domain the type below, of a composite that of its first number';
COMMENT ON COLUMN idem.schema_values.typmod IS 'modifier of this type';

-- What each column is, first by its own name and type, then by its neighbours.
CREATE VIEW idem.schema_columns AS
WITH -- once for each name, not for each question
values AS MATERIALIZED (SELECT * FROM idem.schema_values),
relations AS MATERIALIZED (
    SELECT relid, words ~ n.payment_table AS payment_table, words ~ n.copy_table AS copy_table, words ~ n.event_table AS event_table
    FROM (SELECT DISTINCT relid, idem.schema_words(relname) AS words FROM values) r, idem.schema_names n),
own AS (
    SELECT v.*, n AS names, r.payment_table, r.copy_table, r.event_table,
           EXISTS (SELECT FROM pg_catalog.pg_constraint f
                   WHERE f.conrelid = v.relid AND f.contype = 'f' AND v.attnum = ANY (f.conkey)) AS is_reference,
           v.words ~ n.amount AND v.words !~ n.no_amount
           AND v.type_oid IN ('pg_catalog.money_micro'::regtype, 'numeric'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype,
                              'float4'::regtype, 'float8'::regtype, 'money'::regtype) AS amount,
           v.words ~ n.status AND v.words !~ n.no_status
           AND (v.type_oid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype)
                OR (SELECT t.typtype = 'e' FROM pg_catalog.pg_type t WHERE t.oid = v.type_oid)) AS status,
           v.type_oid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'uuid'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype) AS key_type
    FROM values v JOIN relations r USING (relid), idem.schema_names n),
near AS (
    SELECT relid, bool_or(amount AND NOT is_reference) AS amounts,
           bool_or(words ~ (names).currency) AS currency,
           bool_or(words ~ (names).quantity) AS quantities,
           bool_or(words ~ (names).address) AS address,
           -- a key of text is given by whoever writes the row, and can be the
           -- one that keeps it from being written twice
           bool_or(type_oid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)
                   AND EXISTS (SELECT FROM pg_catalog.pg_index i
                               WHERE i.indrelid = relid AND i.indisprimary AND attnum = ANY (i.indkey))) AS given_key
    FROM own GROUP BY relid)
SELECT o.relid::regclass AS relation, o.attnum, o.name, o.type_oid::regtype AS type,
       CASE WHEN o.type_oid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN 0
            WHEN o.type_oid = 'pg_catalog.money_micro'::regtype THEN 6
            -- as numeric.c has it: eleven bits, signed
            WHEN o.type_oid = 'numeric'::regtype AND o.typmod >= 4 THEN (((o.typmod - 4) & 2047) # 1024) - 1024
       END AS scale,
       o.collation_oid,
       o.amount AND NOT o.is_reference AS is_amount,
       o.status AND NOT o.copy_table AND NOT o.event_table AND (n.amounts OR o.payment_table)
       AND NOT (o.words = 'state' AND n.address) AS is_status,
       o.key_type AND NOT o.copy_table AND NOT o.is_reference
       AND (o.words ~ (o.names).key
            OR o.words ~ (o.names).serial AND NOT n.quantities
            OR n.amounts AND o.words ~ (o.names).money_key AND o.words !~ (o.names).no_key
            OR n.amounts AND o.payment_table AND o.words ~ (o.names).own_key AND NOT n.given_key) AS is_key,
       o.words ~ (o.names).unit
       OR coalesce(pg_catalog.col_description(o.relid, o.attnum), '') ~* 'cent|minor|micro|pence|fen|unit' AS has_unit,
       n.currency AS has_currency
FROM own o
JOIN near n USING (relid);
COMMENT ON VIEW idem.schema_columns IS 'every column of every table of a user, and what its name, its type and its neighbours say it is';
COMMENT ON COLUMN idem.schema_columns.relation IS 'the table';
COMMENT ON COLUMN idem.schema_columns.attnum IS 'number of the column';
COMMENT ON COLUMN idem.schema_columns.name IS 'its name';
COMMENT ON COLUMN idem.schema_columns.type IS 'the type of its value, below domains and in composites';
COMMENT ON COLUMN idem.schema_columns.scale IS 'digits after the point: 0 for integers, NULL where the type does not say';
COMMENT ON COLUMN idem.schema_columns.collation_oid IS 'its collation';
COMMENT ON COLUMN idem.schema_columns.is_amount IS 'an amount of money';
COMMENT ON COLUMN idem.schema_columns.is_status IS 'the status of a payment, or of a row with amounts';
COMMENT ON COLUMN idem.schema_columns.is_key IS 'says which request, message or payment it is, and refers to no other row';
COMMENT ON COLUMN idem.schema_columns.has_unit IS 'its name or its comment says what an integer counts';
COMMENT ON COLUMN idem.schema_columns.has_currency IS 'the table has a column that names a currency';

-- Unique indexes and the columns they hold.  One that holds the whole primary
-- key and more keeps nothing unique that was not.
CREATE VIEW idem.schema_unique AS
SELECT i.indexrelid::regclass AS index, i.indrelid::regclass AS relation, k.columns, i.indisvalid AS is_valid,
       i.indimmediate AS is_immediate,
       -- columns that make it local: dates and times, and what partitions the table
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = i.indrelid AND a.attnum = ANY (k.columns)
                   AND (a.atttypid IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
                        OR a.attnum = ANY (coalesce(p.partattrs::int2[], '{}')))
             ORDER BY a.attnum) AS local_columns,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = i.indrelid AND a.attnum = ANY (d.columns)
                   AND NOT a.attnotnull AND NOT i.indnullsnotdistinct
             ORDER BY a.attnum) AS nullable_columns
FROM pg_catalog.pg_index i
LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = i.indrelid,
     LATERAL (SELECT ARRAY(SELECT c FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY u (c, n)
                           WHERE u.n <= i.indnkeyatts) AS columns) d,
     -- an expression holds the columns it reads
     LATERAL (SELECT CASE WHEN 0 = ANY (d.columns)
                          THEN d.columns || ARRAY(SELECT r.refobjsubid::int2 FROM pg_catalog.pg_depend r
                                                  WHERE r.classid = 'pg_catalog.pg_class'::regclass AND r.objid = i.indexrelid
                                                        AND r.refclassid = 'pg_catalog.pg_class'::regclass AND r.refobjid = i.indrelid
                                                        AND r.refobjsubid > 0)
                          ELSE d.columns END AS columns) k
WHERE i.indisunique
      AND (i.indisprimary
           OR NOT EXISTS (SELECT FROM pg_catalog.pg_index pk
                          WHERE pk.indrelid = i.indrelid AND pk.indisprimary
                                AND d.columns @> pk.indkey::int2[]));
COMMENT ON VIEW idem.schema_unique IS 'unique indexes, and the columns that make some of them local';
COMMENT ON COLUMN idem.schema_unique.index IS 'the index';
COMMENT ON COLUMN idem.schema_unique.relation IS 'its table';
COMMENT ON COLUMN idem.schema_unique.columns IS 'numbers of its columns and of those its expressions read; 0 is an expression';
COMMENT ON COLUMN idem.schema_unique.is_valid IS 'false after a CREATE INDEX CONCURRENTLY that failed';
COMMENT ON COLUMN idem.schema_unique.is_immediate IS 'false: DEFERRABLE';
COMMENT ON COLUMN idem.schema_unique.local_columns IS 'date, time and partition columns in it';
COMMENT ON COLUMN idem.schema_unique.nullable_columns IS 'columns in it that may be null, and then keep nothing unique';

CREATE VIEW idem.schema_problems AS
WITH columns AS MATERIALIZED (
    SELECT *, pg_catalog.format('column %I of table %s', name, relation) AS object
    FROM idem.schema_columns WHERE is_amount OR is_status OR is_key),
-- each key with each index that holds it
held AS (
    SELECT c.relation, c.name, c.object, u.index, u.is_valid, u.is_immediate,
           ARRAY(SELECT l FROM pg_catalog.unnest(u.local_columns) l WHERE l <> c.name) AS local_columns,
           ARRAY(SELECT l FROM pg_catalog.unnest(u.nullable_columns) l WHERE l <> c.name) AS nullable_columns
    FROM columns c
    LEFT JOIN idem.schema_unique u ON u.relation = c.relation AND c.attnum = ANY (u.columns)
    WHERE c.is_key),
keys AS (
    SELECT relation, name, object,
           coalesce(pg_catalog.bool_or(is_valid), false) AS held,
           pg_catalog.bool_and(local_columns <> '{}') FILTER (WHERE is_valid) AS held_locally,
           pg_catalog.bool_and(nullable_columns <> '{}') FILTER (WHERE is_valid) AS held_if_not_null,
           pg_catalog.string_agg(DISTINCT pg_catalog.array_to_string(local_columns, ', '), '; ') FILTER (WHERE is_valid) AS local_columns,
           pg_catalog.string_agg(DISTINCT pg_catalog.array_to_string(nullable_columns, ', '), '; ') FILTER (WHERE is_valid) AS nullable_columns
    FROM held h
    -- a row for each claim of the key, and no more: what no index could keep
    -- better; and a table of keys, which says of which columns a key is made
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t
                      JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'idem'::regnamespace
                           AND p.proname IN ('keep_claimed', 'keep_keys'),
                           LATERAL (SELECT idem.trigger_settings(t.tgargs)) a (settings),
                           LATERAL idem.setting_columns(p.proname::text, a.settings) k
                      WHERE t.tgrelid = h.relation AND t.tgenabled = 'A'
                            AND idem.settings_problem(p.proname::text, a.settings) IS NULL
                            AND (p.proname = 'keep_keys' OR idem.setting(a.settings, 'rows') = 'one')
                            AND k.setting = 'key' AND k."column" = h.name)
    GROUP BY relation, name, object),
-- the amounts of each table; those with a unit in the name (precise_amount_cents) count in it
mixed AS (
    SELECT relation,
           pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ' ORDER BY attnum) FILTER (WHERE scale = 0) AS integers,
           pg_catalog.bool_and(has_unit) FILTER (WHERE scale = 0) AS all_have_unit,
           pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ' ORDER BY attnum)
               FILTER (WHERE type IN ('pg_catalog.money_micro'::regtype, 'numeric'::regtype)
                             AND scale IS DISTINCT FROM 0 AND NOT has_unit) AS decimals
    FROM columns WHERE is_amount GROUP BY relation)
-- a key that nothing keeps unique: the same request can take effect twice
SELECT 'error' AS severity, object, 'looks like a key and has no unique constraint: the same request can be stored twice' AS finding,
       pg_catalog.format('CREATE UNIQUE INDEX CONCURRENTLY ON %s (%I), or claim the key and bind the rows to their claims with idem.guard_claimed', relation, name) AS remedy
FROM keys WHERE NOT held
UNION ALL
SELECT 'error', object,
       pg_catalog.format('looks like a key and is unique only together with %s: the same request can be stored again under another one', local_columns),
       'keep it unique in a table of its own that is not partitioned, or claim the key and bind the rows to their claims with idem.guard_claimed'
FROM keys WHERE held_locally
UNION ALL
SELECT 'warning', object,
       pg_catalog.format('looks like a key and is unique only where %s is not null: the same request can be stored twice without it', nullable_columns),
       'declare it NOT NULL, or the constraint UNIQUE NULLS NOT DISTINCT'
FROM keys WHERE held_if_not_null AND NOT held_locally
UNION ALL
SELECT 'warning', pg_catalog.format('index %s', index), 'is not valid: CREATE INDEX CONCURRENTLY failed, and nothing is kept unique',
       pg_catalog.format('DROP INDEX %s and create it again', index)
FROM held WHERE NOT is_valid
UNION ALL
SELECT 'notice', pg_catalog.format('index %s', index), 'is deferrable: it is no arbiter for ON CONFLICT, and a repeat is seen only at the end of the transaction',
       'declare it NOT DEFERRABLE'
FROM held WHERE NOT is_immediate
UNION ALL
SELECT 'warning', object, pg_catalog.format('looks like a key and has a nondeterministic collation: keys that differ in bytes can be one'),
       pg_catalog.format('ALTER TABLE %s ALTER %I TYPE text COLLATE "C"', relation, name)
FROM columns
WHERE is_key
      AND EXISTS (SELECT FROM pg_catalog.pg_collation l WHERE l.oid = collation_oid AND NOT l.collisdeterministic)
UNION ALL
-- amounts
SELECT CASE WHEN c.type = 'money'::regtype THEN 'warning' ELSE 'error' END, c.object,
       CASE WHEN c.type = 'money'::regtype
            THEN 'looks like an amount and has type money: what it means depends on lc_monetary'
            ELSE pg_catalog.format('looks like an amount and has type %s: it cannot hold 0.10 exactly', c.type) END,
       pg_catalog.format('ALTER TABLE %s ALTER %I TYPE money_micro, or numeric', c.relation, c.name)
FROM columns c
WHERE c.is_amount AND c.type IN ('float4'::regtype, 'float8'::regtype, 'money'::regtype)
UNION ALL
SELECT 'warning', c.object,
       pg_catalog.format('looks like an amount and has type %s without a unit: neither its name nor its comment nor a currency column says whether it counts cents', c.type),
       pg_catalog.format('name the unit (%s), comment it, or use money_micro',
                         pg_catalog.quote_ident(c.name || '_cents'))
FROM columns c
WHERE c.is_amount AND c.scale = 0 AND NOT c.has_unit AND NOT c.has_currency
UNION ALL
-- what counts cents beside what counts whole ones
SELECT CASE WHEN all_have_unit THEN 'notice' ELSE 'warning' END, pg_catalog.format('table %s', relation),
       pg_catalog.format('holds amounts without decimals (%s) beside amounts with decimals (%s): moved from one to the other as it stands, a value changes a hundredfold', integers, decimals),
       'convert with idem.from_minor, idem.from_major or idem.from_scaled, or keep all as money_micro'
FROM mixed WHERE integers <> '' AND decimals <> ''
UNION ALL
-- a status that nothing holds
SELECT 'notice', c.object,
       'looks like a status and has no guard: any value can follow any other, also a final one',
       CASE WHEN c.type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
            THEN 'keep it as text or an enum, then idem.define_machine and idem.guard_states'
            ELSE pg_catalog.format('idem.define_machine, then SELECT idem.guard_states(%L, %L, ...)', c.relation, c.name) END
FROM columns c
WHERE c.is_status
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t
                      JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'idem'::regnamespace,
                           LATERAL (SELECT idem.trigger_settings(t.tgargs)) a (settings)
                      WHERE t.tgrelid = c.relation
                            AND c.name IN (idem.setting(a.settings, 'column'), idem.setting(a.settings, 'state')))
UNION ALL
-- rows that nobody could name
SELECT DISTINCT 'warning', pg_catalog.format('table %s', c.relation), 'holds amounts and has no primary key: a row that is there twice cannot be told from two',
       pg_catalog.format('ALTER TABLE %s ADD PRIMARY KEY (...)', c.relation)
FROM columns c
WHERE c.is_amount
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.relation AND (i.indisprimary OR i.indisunique AND i.indpred IS NULL))
UNION ALL
SELECT DISTINCT 'warning', pg_catalog.format('table %s', c.relation), 'holds amounts and is unlogged: a crash empties it',
       pg_catalog.format('ALTER TABLE %s SET LOGGED', c.relation)
FROM columns c
JOIN pg_catalog.pg_class t ON t.oid = c.relation AND t.relpersistence = 'u'
WHERE c.is_amount;
COMMENT ON VIEW idem.schema_problems IS 'columns that look like money and are not kept as money, as findings of idem.doctor(); on any database, guarded or not';
