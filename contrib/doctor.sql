-- doctor.sql - what is wrong with a schema that keeps money, without installing
-- anything
--
--	psql -X -f doctor.sql DATABASE
--
-- For PostgreSQL 13 and later, managed ones too.  Any role may run it that may
-- make temporary views; it reads names, types, indexes and comments of tables,
-- of their rows only the largest value of a unique column that a sequence
-- feeds, locks nothing, and leaves nothing behind.  It finds columns that look
-- like keys and have no unique constraint, or one that holds only for a day or
-- a partition; amounts in float, or in integers without a unit; status columns
-- that nothing holds; sequences behind their column, or nearly used up.  A
-- finding is a line to read: a name can mean something else.  The remedies that
-- name idem are those of the extension.
--
-- Made from src/audit/ by contrib/doctor.pl.

\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;

-- A schema says what it means by its names.  They are read as words, so that
-- unitPrice, unit_price and unitprice are one name.
CREATE FUNCTION pg_temp.schema_words(name text) RETURNS text
    LANGUAGE sql IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE AS $$
SELECT pg_catalog.regexp_replace(
           pg_catalog.lower(pg_catalog.regexp_replace(name, '([a-z0-9])([A-Z])', '\1_\2', 'g')),
           '([a-z])(number|amount|price|total|cost|balance)(?![a-z])', '\1_\2', 'g')
$$;

-- The words that payment and shop systems use, as regular expressions.  A
-- wrong guess costs a line to read, so a name that could mean something else
-- counts only in a table that is about money.
CREATE TEMPORARY VIEW schema_names AS SELECT
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

-- Every column of every table of a user, and the type of its value: of a
-- domain the one below, of a composite (amount and currency) its first number.
CREATE TEMPORARY VIEW schema_values AS
SELECT c.oid AS relid, c.relname::text AS relname, a.attnum, a.attname::text AS name,
       pg_temp.schema_words(a.attname::text) AS words,
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
                         AND p.atttypid IN ('-'::regtype, 'numeric'::regtype, 'int8'::regtype, 'int4'::regtype,
                                            'float4'::regtype, 'float8'::regtype)
                   ORDER BY p.attnum LIMIT 1) part ON true
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'idem') AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');

-- What each column is, first by its own name and type, then by its neighbours.
CREATE TEMPORARY VIEW schema_columns AS
WITH -- once for each name, not for each question
values AS MATERIALIZED (SELECT * FROM pg_temp.schema_values),
relations AS MATERIALIZED (
    SELECT relid, words ~ n.payment_table AS payment_table, words ~ n.copy_table AS copy_table, words ~ n.event_table AS event_table
    FROM (SELECT DISTINCT relid, pg_temp.schema_words(relname) AS words FROM values) r, pg_temp.schema_names n),
own AS (
    SELECT v.*, n AS names, r.payment_table, r.copy_table, r.event_table,
           EXISTS (SELECT FROM pg_catalog.pg_constraint f
                   WHERE f.conrelid = v.relid AND f.contype = 'f' AND v.attnum = ANY (f.conkey)) AS is_reference,
           v.words ~ n.amount AND v.words !~ n.no_amount
           AND v.type_oid IN ('-'::regtype, 'numeric'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype,
                              'float4'::regtype, 'float8'::regtype, 'money'::regtype) AS amount,
           v.words ~ n.status AND v.words !~ n.no_status
           AND (v.type_oid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype)
                OR (SELECT t.typtype = 'e' FROM pg_catalog.pg_type t WHERE t.oid = v.type_oid)) AS status,
           v.type_oid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'uuid'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype) AS key_type
    FROM values v JOIN relations r USING (relid), pg_temp.schema_names n),
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
            WHEN o.type_oid = '-'::regtype THEN 6
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

-- Unique indexes and the columns they hold.  One that holds the whole primary
-- key and more keeps nothing unique that was not.
CREATE TEMPORARY VIEW schema_unique AS
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
                   AND NOT a.attnotnull AND NOT coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false)
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

CREATE TEMPORARY VIEW schema_problems AS
WITH columns AS MATERIALIZED (
    SELECT *, pg_catalog.format('column %I of table %s', name, relation) AS object
    FROM pg_temp.schema_columns WHERE is_amount OR is_status OR is_key),
-- each key with each index that holds it
held AS (
    SELECT c.relation, c.name, c.object, u.index, u.is_valid, u.is_immediate,
           ARRAY(SELECT l FROM pg_catalog.unnest(u.local_columns) l WHERE l <> c.name) AS local_columns,
           ARRAY(SELECT l FROM pg_catalog.unnest(u.nullable_columns) l WHERE l <> c.name) AS nullable_columns
    FROM columns c
    LEFT JOIN pg_temp.schema_unique u ON u.relation = c.relation AND c.attnum = ANY (u.columns)
    WHERE c.is_key),
keys AS (
    SELECT relation, name, object,
           coalesce(pg_catalog.bool_or(is_valid), false) AS held,
           pg_catalog.bool_and(local_columns <> '{}') FILTER (WHERE is_valid) AS held_locally,
           pg_catalog.bool_and(nullable_columns <> '{}') FILTER (WHERE is_valid) AS held_if_not_null,
           pg_catalog.string_agg(DISTINCT pg_catalog.array_to_string(local_columns, ', '), '; ') FILTER (WHERE is_valid) AS local_columns,
           pg_catalog.string_agg(DISTINCT pg_catalog.array_to_string(nullable_columns, ', '), '; ') FILTER (WHERE is_valid) AS nullable_columns
    FROM held h
    -- better; and a table of keys, which says of which columns a key is made
    WHERE true
    GROUP BY relation, name, object),
-- the amounts of each table; those with a unit in the name (precise_amount_cents) count in it
mixed AS (
    SELECT relation,
           pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ' ORDER BY attnum) FILTER (WHERE scale = 0) AS integers,
           pg_catalog.bool_and(has_unit) FILTER (WHERE scale = 0) AS all_have_unit,
           pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ' ORDER BY attnum)
               FILTER (WHERE type IN ('-'::regtype, 'numeric'::regtype)
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
      AND true
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
-- Which sequence feeds which column: by ownership or identity, or by a default.
CREATE TEMPORARY VIEW fed_columns AS
SELECT f.relation, f.attnum, f.sequence, a.attname, a.atttypid,
       EXISTS (SELECT FROM pg_catalog.pg_index i
               WHERE i.indrelid = f.relation AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indkey[0] = f.attnum) AS is_unique
FROM (SELECT d.refobjid AS relation, d.refobjsubid::smallint AS attnum, d.objid AS sequence
      FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
            AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
      UNION
      SELECT t.adrelid, t.adnum, d.refobjid
      FROM pg_catalog.pg_attrdef t
      JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = t.oid
                                  AND d.refclassid = 'pg_catalog.pg_class'::regclass) f
JOIN pg_catalog.pg_class s ON s.oid = f.sequence AND s.relkind = 'S'
JOIN pg_catalog.pg_class c ON c.oid = f.relation AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema')
JOIN pg_catalog.pg_attribute a ON a.attrelid = f.relation AND a.attnum = f.attnum
WHERE a.atttypid IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype);

-- The largest value of a unique column is a look into its index.

CREATE TEMPORARY VIEW sequence_problems AS
WITH fed AS (
    SELECT f.relation::regclass AS relation, f.attname, f.is_unique, f.sequence::regclass AS sequence, q.seqcycle, q.seqincrement,
           pg_catalog.pg_sequence_last_value(f.sequence) AS last,
           least(q.seqmax, CASE f.atttypid WHEN 'smallint'::regtype THEN 32767 WHEN 'integer'::regtype THEN 2147483647
                                           ELSE 9223372036854775807 END) AS greatest,
           CASE WHEN f.is_unique AND pg_catalog.has_table_privilege(f.relation, 'SELECT')
                THEN pg_catalog.substring(pg_catalog.query_to_xml(
                         pg_catalog.format('SELECT max(%I) AS largest FROM %s', f.attname, f.relation::regclass), false, true, '')::text,
                         '<largest>(-?\d+)</largest>')::bigint END AS largest
    FROM pg_temp.fed_columns f
    JOIN pg_catalog.pg_sequence q ON q.seqrelid = f.sequence
    WHERE q.seqincrement > 0)
SELECT 'error' AS severity, pg_catalog.format('sequence %s', f.sequence) AS object,
       pg_catalog.format('is at %s, behind the largest value of %s.%I, which is %s: the next rows meet numbers that are taken',
                         coalesce(f.last::text, 'its beginning'), f.relation, f.attname, f.largest) AS finding,
       pg_catalog.format('SELECT setval(%L, %s)', f.sequence, f.largest) AS remedy
FROM fed f
WHERE f.largest > coalesce(f.last, 0)
UNION ALL
SELECT 'warning', pg_catalog.format('sequence %s', f.sequence),
       pg_catalog.format('begins again when it is used up (CYCLE), and feeds %s.%I: its numbers come twice', f.relation, f.attname),
       pg_catalog.format('ALTER SEQUENCE %s NO CYCLE', f.sequence)
FROM fed f
WHERE f.seqcycle
UNION ALL
SELECT 'warning', pg_catalog.format('sequence %s', f.sequence),
       pg_catalog.format('is used up to %s percent: %s.%I takes no more than %s', (f.last::numeric * 100 / f.greatest)::integer, f.relation, f.attname, f.greatest),
       pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I TYPE bigint, in time', f.relation, f.attname)
FROM fed f
WHERE f.last::numeric / f.greatest > 0.8
UNION ALL
-- the column of a partition has a default of its own
SELECT 'warning', pg_catalog.format('table %s', t.root),
       pg_catalog.format('column %I is unique and fed by several sequences, whose numbers meet: %s', t.attname, t.sequences),
       'have one sequence for all partitions'
FROM (SELECT coalesce(pg_catalog.pg_partition_root(f.relation), f.relation) AS root, f.attname,
             pg_catalog.string_agg(DISTINCT f.sequence::text, ', ') AS sequences
      FROM fed f
      GROUP BY 1, 2
      HAVING pg_catalog.count(DISTINCT f.sequence) > 1 AND pg_catalog.bool_or(f.is_unique)) t;

SELECT severity, object, finding, remedy
FROM (SELECT * FROM pg_temp.schema_problems
      UNION ALL SELECT * FROM pg_temp.sequence_problems) problems
ORDER BY pg_catalog.array_position('{error,warning,notice}', severity), object, finding;
