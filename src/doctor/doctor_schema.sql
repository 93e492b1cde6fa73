-- ---------------------------------------------------------------------------
-- doctor: columns that look like money
-- ---------------------------------------------------------------------------

-- By the names that payment and shop systems give them.  A wrong guess costs
-- a line to read, so what is ambiguous counts only in a table with amounts.
CREATE VIEW idem.schema_columns AS
WITH named AS (
    SELECT c.oid AS relid, a.attnum, a.attname::text AS name, a.atttypid, a.attcollation,
           coalesce(nullif(t.typbasetype, 0), t.oid) AS base_type,
           -- rows of such tables repeat what stands elsewhere
           c.relname ~* '(^|_)(history|histories|audit|audits|log|logs|version|versions|archive|archived|backup|tmp|staging|snapshot|snapshots)$' AS is_copy,
           a.attname ~* ('(^|_)(amount|amt|price|total|subtotal|balance|fees?|cost|paid|refunded|captured|authorized|charged|'
                         'debit|credit|payout|tax|vat|discount|surcharge|tip|fare|principal|proceeds|revenue)(_|$)')
           AND a.attname !~* ('(^|_)(id|at|on|by|type|kind|count|counts|rate|rates|percent|percentage|pct|code|name|currency|status|state|'
                              'number|no|date|time|key|method|category|class|model|items|quantity|qty|usage|units|attempts|requests|records|pages|days|seconds|bytes|'
                              'enabled|allowed|included|id[0-9]*|uuid|reason|version|mode|index|score|weight|list|center|centre|group|tier|book|set)$')
           AND a.attname !~* '^(is|has|can|include|includes|max_number|num|nb|number)_' AS amount_name,
           a.attname ~* '(^|_)(status|state)$'
           AND a.attname !~* '(address|billing|shipping|ship|country|us|home|province)_state$' AS status_name,
           a.attname ~* ('^(.*_)?idempoten(cy|t)_?(key|token|id)$|^out_(trade|refund|request|order)_no$|^request_?(no|num|number|uuid|key|token)$|'
                         '^serial_?(no|num|number)$|^(uuid|guid)$') AS key_name,
           a.attname ~* ('^(merchant_|external_|provider_|psp_|gateway_|processor_|channel_|bank_)?(order|trade|refund|payment|transaction|txn|charge|capture|transfer|payout|invoice|voucher|reference|receipt|connector_transaction)_?(no|num|number|sn|uuid|ref|reference|external_key)$|'
                         '^(.*_)?external_(id|key|ref|reference)$|^(.*_)?(provider|psp|gateway|processor|bank|channel|connector)_(key|ref|reference|(transaction|payment|refund|charge|order|payout|transfer)_?(id|key|ref|reference))$|'
                         '^request_id$|^(message|msg|event)_?(id|key|uuid)$|^(.*_)?external_key$') AS money_key_name
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
          AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'idem') AND n.nspname !~ '^pg_'
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                          WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
SELECT relid::regclass AS relation, attnum, name, base_type::regtype AS type, attcollation AS collation_oid,
       amount_name AND base_type IN ('pg_catalog.money_micro'::regtype, 'numeric'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype,
                                     'float4'::regtype, 'float8'::regtype, 'money'::regtype) AS is_amount,
       status_name AND NOT is_copy
       -- the state of an address
       AND NOT (name = 'state' AND bool_or(name ~* '^(city|town|zip|zip_?code|zipcode|postal_?code|country|country_code|address_?line_?1|address1)$') OVER (PARTITION BY relid))
       AND (base_type IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype)
                        OR (SELECT t.typtype = 'e' FROM pg_catalog.pg_type t WHERE t.oid = base_type)) AS is_status,
       NOT is_copy
       AND (key_name OR money_key_name AND bool_or(amount_name AND base_type IN ('pg_catalog.money_micro'::regtype, 'numeric'::regtype, 'int8'::regtype, 'int4'::regtype,
                                                                             'float4'::regtype, 'float8'::regtype, 'money'::regtype)) OVER (PARTITION BY relid))
       AND base_type IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'uuid'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype) AS is_key,
       bool_or(name ~* '(^|_)(currency|ccy|iso_?code)(_|$)') OVER (PARTITION BY relid) AS has_currency
FROM named;
COMMENT ON VIEW idem.schema_columns IS 'every column of every table of a user, and what its name and type say it is';
COMMENT ON COLUMN idem.schema_columns.relation IS 'the table';
COMMENT ON COLUMN idem.schema_columns.attnum IS 'number of the column';
COMMENT ON COLUMN idem.schema_columns.name IS 'its name';
COMMENT ON COLUMN idem.schema_columns.type IS 'its type; of a domain the type below';
COMMENT ON COLUMN idem.schema_columns.collation_oid IS 'its collation';
COMMENT ON COLUMN idem.schema_columns.is_amount IS 'an amount of money';
COMMENT ON COLUMN idem.schema_columns.is_status IS 'a status';
COMMENT ON COLUMN idem.schema_columns.is_key IS 'says which request, message or payment it is';
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
             ORDER BY a.attnum) AS local_columns
FROM pg_catalog.pg_index i
LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = i.indrelid,
     LATERAL (SELECT ARRAY(SELECT c FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY u (c, n)
                           WHERE u.n <= i.indnkeyatts) AS columns) k
WHERE i.indisunique
      AND (i.indisprimary
           OR NOT EXISTS (SELECT FROM pg_catalog.pg_index pk
                          WHERE pk.indrelid = i.indrelid AND pk.indisprimary
                                AND k.columns @> pk.indkey::int2[]));
COMMENT ON VIEW idem.schema_unique IS 'unique indexes, and the columns that make some of them local';
COMMENT ON COLUMN idem.schema_unique.index IS 'the index';
COMMENT ON COLUMN idem.schema_unique.relation IS 'its table';
COMMENT ON COLUMN idem.schema_unique.columns IS 'numbers of its columns; 0 is an expression';
COMMENT ON COLUMN idem.schema_unique.is_valid IS 'false after a CREATE INDEX CONCURRENTLY that failed';
COMMENT ON COLUMN idem.schema_unique.is_immediate IS 'false: DEFERRABLE';
COMMENT ON COLUMN idem.schema_unique.local_columns IS 'date, time and partition columns in it';

CREATE VIEW idem.schema_problems AS
WITH columns AS MATERIALIZED (
    SELECT * FROM idem.schema_columns WHERE is_amount OR is_status OR is_key),
keys AS (
    SELECT c.relation, c.attnum, c.name, c.collation_oid,
           pg_catalog.format('column %I of table %s', c.name, c.relation) AS object
    FROM columns c
    WHERE c.is_key
          -- it refers to the row that has the key
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint f
                          WHERE f.conrelid = c.relation AND f.contype = 'f' AND c.attnum = ANY (f.conkey))),
found AS (
    SELECT k.*, u.index, u.is_valid, u.is_immediate,
           ARRAY(SELECT l FROM pg_catalog.unnest(u.local_columns) l WHERE l <> k.name) AS local_columns
    FROM keys k
    LEFT JOIN idem.schema_unique u ON u.relation = k.relation AND k.attnum = ANY (u.columns))
-- a key that nothing keeps unique: the same request can take effect twice
SELECT 'error' AS severity, object, 'looks like a key and has no unique constraint: the same request can be stored twice' AS finding,
       pg_catalog.format('CREATE UNIQUE INDEX CONCURRENTLY ON %s (%I), or claim the key with idem.claim', relation, name) AS remedy
FROM found
GROUP BY relation, attnum, name, object
HAVING NOT pg_catalog.bool_or(index IS NOT NULL AND is_valid)
UNION ALL
SELECT 'error', object,
       pg_catalog.format('looks like a key and is unique only together with %s: the same request can be stored again under another one',
                         pg_catalog.string_agg(DISTINCT pg_catalog.array_to_string(local_columns, ', '), '; ')),
       pg_catalog.format('keep it unique in a table of its own that is not partitioned, or claim the key with idem.claim', relation, name)
FROM found
WHERE is_valid
GROUP BY relation, attnum, name, object
HAVING pg_catalog.bool_and(pg_catalog.cardinality(local_columns) > 0)
UNION ALL
SELECT 'warning', pg_catalog.format('index %s', index), 'is not valid: CREATE INDEX CONCURRENTLY failed, and nothing is kept unique',
       pg_catalog.format('DROP INDEX %s and create it again', index)
FROM found WHERE NOT is_valid
UNION ALL
SELECT 'notice', pg_catalog.format('index %s', index), 'is deferrable: it is no arbiter for ON CONFLICT, and a repeat is seen only at the end of the transaction',
       'declare it NOT DEFERRABLE'
FROM found WHERE NOT is_immediate
UNION ALL
SELECT 'warning', object, pg_catalog.format('looks like a key and has a nondeterministic collation: keys that differ in bytes can be one'),
       pg_catalog.format('ALTER TABLE %s ALTER %I TYPE text COLLATE "C"', relation, name)
FROM keys
WHERE EXISTS (SELECT FROM pg_catalog.pg_collation l WHERE l.oid = collation_oid AND NOT l.collisdeterministic)
UNION ALL
-- amounts
SELECT CASE WHEN c.type = 'money'::regtype THEN 'warning' ELSE 'error' END,
       pg_catalog.format('column %I of table %s', c.name, c.relation),
       CASE WHEN c.type = 'money'::regtype
            THEN 'looks like an amount and has type money: what it means depends on lc_monetary'
            ELSE pg_catalog.format('looks like an amount and has type %s: it cannot hold 0.10 exactly', c.type) END,
       pg_catalog.format('ALTER TABLE %s ALTER %I TYPE money_micro, or numeric', c.relation, c.name)
FROM columns c
WHERE c.is_amount AND c.type IN ('float4'::regtype, 'float8'::regtype, 'money'::regtype)
UNION ALL
SELECT 'warning', pg_catalog.format('column %I of table %s', c.name, c.relation),
       pg_catalog.format('looks like an amount and has type %s without a unit: neither its name nor its comment nor a currency column says whether it counts cents', c.type),
       pg_catalog.format('name the unit (%s), comment it, or use money_micro',
                         pg_catalog.quote_ident(c.name || '_cents'))
FROM columns c
WHERE c.is_amount AND c.type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) AND NOT c.has_currency
      AND c.name !~* '(^|_)(cents?|minor|micros?|millis?|nanos?|pence|fen|units?|points?|satoshis?|wei|subunits?)(_|$)'
      AND coalesce(pg_catalog.col_description(c.relation, c.attnum), '') !~* 'cent|minor|micro|pence|fen|unit'
UNION ALL
-- status columns of tables with amounts
SELECT 'notice', pg_catalog.format('column %I of table %s', c.name, c.relation),
       'looks like a status and has no guard: any value can follow any other, also a final one',
       CASE WHEN c.type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
            THEN 'keep it as text or an enum, then idem.define_machine and idem.guard_states'
            ELSE pg_catalog.format('idem.define_machine, then SELECT idem.guard_states(%L, %L, ...)', c.relation, c.name) END
FROM columns c
WHERE c.is_status
      AND EXISTS (SELECT FROM columns a WHERE a.relation = c.relation AND a.is_amount)
      AND NOT EXISTS (SELECT FROM idem.guard_triggers g, pg_catalog.unnest(g.settings) s
                      WHERE g.relation = c.relation AND s IN ('column=' || c.name, 'state=' || c.name))
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
COMMENT ON COLUMN idem.schema_problems.severity IS 'error, warning or notice';
COMMENT ON COLUMN idem.schema_problems.object IS 'the column, table or index';
COMMENT ON COLUMN idem.schema_problems.finding IS 'what is wrong';
COMMENT ON COLUMN idem.schema_problems.remedy IS 'what puts it right';
