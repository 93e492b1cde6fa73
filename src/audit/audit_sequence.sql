
-- ---------------------------------------------------------------------------
-- audit: sequences whose numbers come twice, or come to an end
-- ---------------------------------------------------------------------------

-- Which sequence feeds which column: by ownership or identity, or by a default.
CREATE VIEW idem.fed_columns AS
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
COMMENT ON VIEW idem.fed_columns IS 'columns of integers that a sequence feeds';
COMMENT ON COLUMN idem.fed_columns.relation IS 'the table';
COMMENT ON COLUMN idem.fed_columns.attnum IS 'number of the column';
COMMENT ON COLUMN idem.fed_columns.sequence IS 'the sequence';
COMMENT ON COLUMN idem.fed_columns.attname IS 'name of the column';
COMMENT ON COLUMN idem.fed_columns.atttypid IS 'its type';
COMMENT ON COLUMN idem.fed_columns.is_unique IS 'it has a unique index of its own';
REVOKE ALL ON TABLE idem.fed_columns FROM PUBLIC;

-- The largest value of a unique column is a look into its index.
CREATE FUNCTION idem.largest_value(relation regclass, name text) RETURNS bigint
    AS 'MODULE_PATHNAME', 'idem_largest_value'
    LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION idem.largest_value(regclass, text) IS
    'the largest value of a column of integers, as the caller sees the rows; for idem.sequence_problems. In: table, column. NULL for none. 42501 without SELECT on the table';
REVOKE ALL ON FUNCTION idem.largest_value(regclass, text) FROM PUBLIC;

CREATE VIEW idem.sequence_problems AS
WITH fed AS (
    SELECT f.relation::regclass AS relation, f.attname, f.is_unique, f.sequence::regclass AS sequence, q.seqcycle, q.seqincrement,
           pg_catalog.pg_sequence_last_value(f.sequence) AS last,
           least(q.seqmax, CASE f.atttypid WHEN 'smallint'::regtype THEN 32767 WHEN 'integer'::regtype THEN 2147483647
                                           ELSE 9223372036854775807 END) AS greatest,
           CASE WHEN f.is_unique AND pg_catalog.has_table_privilege(f.relation, 'SELECT')
                THEN idem.largest_value(f.relation, f.attname::text) END AS largest
    FROM idem.fed_columns f
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
COMMENT ON VIEW idem.sequence_problems IS 'sequences behind their column, that begin again, are nearly used up, or feed one unique column with another one, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.sequence_problems FROM PUBLIC;
