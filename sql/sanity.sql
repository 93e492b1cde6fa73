--
-- Rules of the house, asked of the catalog.  Every query names what breaks its
-- rule, whatever room it belongs to: none may return a row.
--
SET client_min_messages = warning;
CREATE VIEW pg_temp.member AS
    SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS object
    FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'idem';
CREATE VIEW pg_temp.member_function AS
    SELECT p.* FROM pg_proc p JOIN pg_temp.member m
        ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid;
CREATE VIEW pg_temp.member_relation AS
    SELECT c.* FROM pg_class c JOIN pg_temp.member m
        ON m.classid = 'pg_class'::regclass AND m.objid = c.oid;

CREATE VIEW pg_temp.guard_function AS
    SELECT * FROM pg_temp.member_function
    WHERE prorettype = 'trigger'::regtype AND proname IN (SELECT function FROM idem.guard_kinds());

-- The questions are asked of something.
SELECT count(*) > 10 AS functions FROM pg_temp.member_function;
SELECT count(*) > 2 AS relations FROM pg_temp.member_relation;
SELECT count(*) > 2 AS guards FROM pg_temp.guard_function;

-- Every object has a comment, but for what a type, a view or a column of identity makes by itself.
SELECT object FROM pg_temp.member m
    WHERE obj_description(objid, classid::regclass::text::name) IS NULL
          AND NOT (classid = 'pg_class'::regclass AND objid IN (SELECT oid FROM pg_class WHERE relkind = 'S'))
          AND NOT (classid = 'pg_type'::regclass AND objid IN
                   (SELECT t.oid FROM pg_type t WHERE t.typrelid <> 0 OR t.typelem <> 0 AND t.typlen = -1))
    ORDER BY object COLLATE "C";
-- So has every column of a table, and of a view that others read than the extension,
SELECT c.oid::regclass, a.attname FROM pg_temp.member_relation c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE (c.relkind IN ('r', 'p') OR c.relname IN (SELECT relation FROM idem.rights_to_read))
          AND a.attnum > 0 AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL
    ORDER BY c.oid::regclass::text COLLATE "C", a.attnum;
-- and every trigger of a table of ours.
SELECT c.oid::regclass, t.tgname FROM pg_temp.member_relation c JOIN pg_trigger t ON t.tgrelid = c.oid
    WHERE NOT t.tgisinternal AND obj_description(t.oid, 'pg_trigger') IS NULL;
-- The doctor reads every view of problems; it knows them by their columns.
SELECT c.oid::regclass FROM pg_temp.member_relation c
    WHERE c.relkind = 'v' AND c.relname ~ '_problems$' AND c.relname NOT IN ('guard_problems', 'table_problems')
          AND (SELECT string_agg(a.attname, ',' ORDER BY a.attnum) FROM pg_attribute a
               WHERE a.attrelid = c.oid) IS DISTINCT FROM 'severity,object,finding,remedy';

-- Every table is in idem.own_tables as it is.
SELECT c.relname, array_agg(a.attname ORDER BY a.attnum) AS columns,
       ARRAY(SELECT n.conname FROM pg_constraint n WHERE n.conrelid = c.oid AND n.contype IN ('p', 'u', 'c') ORDER BY n.conname) AS constraints
    FROM pg_temp.member_relation c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind = 'r' GROUP BY c.oid, c.relname
    EXCEPT SELECT name, columns, ARRAY(SELECT n FROM unnest(constraints) n ORDER BY n) FROM idem.own_tables;
SELECT object, problem FROM idem.table_problems;

-- A function that runs as its owner looks names up nowhere but in the catalog.
SELECT oid::regprocedure FROM pg_temp.member_function
    WHERE prosecdef AND proconfig @> '{"search_path=pg_catalog, pg_temp"}' IS NOT TRUE;
-- So does every function written in SQL or a procedural language.
SELECT f.oid::regprocedure FROM pg_temp.member_function f JOIN pg_language l ON l.oid = f.prolang
    WHERE l.lanname NOT IN ('c', 'internal') AND f.prosqlbody IS NULL
          AND proconfig @> '{"search_path=pg_catalog, pg_temp"}' IS NOT TRUE;
-- A function in C is in our library.
SELECT f.oid::regprocedure, f.probin FROM pg_temp.member_function f JOIN pg_language l ON l.oid = f.prolang
    WHERE l.lanname NOT IN ('c', 'sql', 'internal') OR l.lanname = 'c' AND f.probin <> '$libdir/idem';

-- Only what idem.rights says is PUBLIC is PUBLIC: what is for runtime or admin, and what it does not
-- name, is closed.  The trigger functions of guards are open, or an owner could not restore a
-- dump; money belongs to everybody.
SELECT f.oid::regprocedure, r.audience FROM pg_temp.member_function f
    LEFT JOIN idem.rights r ON r.function = f.proname
    WHERE f.prorettype <> 'trigger'::regtype
          AND f.proname !~ 'money_micro'
          AND to_regtype('pg_catalog.money_micro') = ANY (f.proargtypes::oid[] || f.prorettype) IS NOT TRUE
          AND has_function_privilege('public', f.oid, 'EXECUTE')
          AND r.audience IN ('public', 'owner') IS NOT TRUE
    ORDER BY f.oid::regprocedure::text COLLATE "C";
-- And what is for everybody is open.
SELECT f.oid::regprocedure, r.audience FROM pg_temp.member_function f
    LEFT JOIN idem.rights r ON r.function = f.proname
    WHERE NOT has_function_privilege('public', f.oid, 'EXECUTE')
          AND (r.audience IN ('public', 'owner') OR f.pronamespace <> 'idem'::regnamespace
               OR f.oid IN (SELECT oid FROM pg_temp.guard_function))
    ORDER BY f.oid::regprocedure::text COLLATE "C";
SELECT function, audience FROM idem.rights GROUP BY function, audience HAVING count(*) > 1;
SELECT function FROM idem.rights WHERE function NOT IN (SELECT proname FROM pg_temp.member_function);

-- No table or view of ours is written by anybody but its owner; PUBLIC reads what holds no secrets.
SELECT c.oid::regclass, p.privilege FROM pg_temp.member_relation c,
         (VALUES ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('TRIGGER'), ('REFERENCES')) p (privilege)
    WHERE c.relkind IN ('r', 'p', 'v', 'm') AND has_table_privilege('public', c.oid, p.privilege);
SELECT c.oid::regclass FROM pg_temp.member_relation c
    WHERE CASE WHEN c.relkind = 'S' THEN has_sequence_privilege('public', c.oid, 'USAGE, UPDATE') END;

-- There is no sequence: what moves one changes the lastval() of the application.
SELECT c.oid::regclass FROM pg_temp.member_relation c WHERE c.relkind = 'S';
-- Every table of ours is dumped.
SELECT c.oid::regclass FROM pg_temp.member_relation c
    WHERE c.relkind IN ('r', 'p')
          AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'idem' AND c.oid = ANY (e.extconfig));
-- None is lost in a crash, and none is partitioned: a dump could not restore it.
SELECT c.oid::regclass FROM pg_temp.member_relation c
    WHERE c.relkind = 'p' OR c.relkind = 'r' AND c.relpersistence <> 'p';

-- Constraints have names that say something to the client whom an error shows them.
SELECT c.oid::regclass, k.conname FROM pg_temp.member_relation c JOIN pg_constraint k ON k.conrelid = c.oid
    WHERE k.contype <> 'n'
          AND (k.conname ~ '(_check|_key|_fkey|_excl)\d+$' OR k.conname = c.relname || '_check')
    ORDER BY c.oid::regclass::text COLLATE "C", k.conname;

-- Nothing of ours is in pg_catalog but money_micro and what works on it; nothing anywhere but there and in idem.
SELECT object FROM pg_temp.member m
    LEFT JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
    LEFT JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
    LEFT JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
    LEFT JOIN pg_operator o ON m.classid = 'pg_operator'::regclass AND o.oid = m.objid
    LEFT JOIN pg_opclass oc ON m.classid = 'pg_opclass'::regclass AND oc.oid = m.objid
    LEFT JOIN pg_opfamily f ON m.classid = 'pg_opfamily'::regclass AND f.oid = m.objid
    WHERE coalesce(p.pronamespace, t.typnamespace, c.relnamespace, o.oprnamespace,
                   oc.opcnamespace, f.opfnamespace) <> 'idem'::regnamespace
          AND NOT (coalesce(p.pronamespace, t.typnamespace, o.oprnamespace, oc.opcnamespace, f.opfnamespace)
                       = 'pg_catalog'::regnamespace
                   AND (object ~ 'money_micro' OR t.typname ~ 'money_micro'
                        OR oc.opcname ~ 'money_micro' OR f.opfname ~ 'money_micro'
                        OR p.proname ~ 'money_micro'
                        OR to_regtype('pg_catalog.money_micro') = ANY (p.proargtypes::oid[] || p.prorettype)
                        OR to_regtype('pg_catalog.money_micro') IN (o.oprleft, o.oprright)))
    ORDER BY object COLLATE "C";

-- Each guard of ours is known to the doctor: a trigger function that is neither a part of a guard
-- nor for our own tables guards without being seen.
SELECT f.oid::regprocedure FROM pg_temp.member_function f
    WHERE f.prorettype = 'trigger'::regtype
          AND f.proname NOT IN (SELECT function FROM idem.guard_kinds())
          AND NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_temp.member_relation c ON c.oid = t.tgrelid
                          WHERE t.tgfoid = f.oid);
