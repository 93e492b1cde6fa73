-- What the extension is made of, for 550_update.pl: a row for each object and
-- each aspect of it, the same for two databases if and only if the extension
-- is the same there.  Object identifiers, and the room that a dropped column
-- leaves, are no aspects.
SET search_path = pg_catalog;
SET jit = off;

CREATE FUNCTION pg_temp.sorted(acl aclitem[]) RETURNS text LANGUAGE sql AS
    $$SELECT string_agg(a::text, ' ' ORDER BY a::text COLLATE "C") FROM unnest(acl) a$$;
CREATE FUNCTION pg_temp.lines(VARIADIC text[]) RETURNS text LANGUAGE sql AS
    $$SELECT array_to_string($1, E'\n', '-')$$;

CREATE TEMP VIEW member AS
    SELECT d.classid, d.objid, i.type || ' ' || i.identity AS object
    FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) i
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'idem';
-- Tables, views, and the attributes of composite types
CREATE TEMP VIEW relation AS
    SELECT c.*, m.object FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
    UNION ALL
    SELECT c.*, m.object FROM pg_class c JOIN pg_type t ON t.typrelid = c.oid AND c.relkind = 'c'
    JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid;

CREATE TEMP VIEW aspect (object, aspect, value) AS
-- every member
SELECT object, 'comment', obj_description(objid, classid::regclass::name) FROM member
UNION ALL SELECT object, 'rights that are not dumped (pg_init_privs)',
    (SELECT string_agg(pg_temp.lines(p.objsubid::text, p.privtype::text, pg_temp.sorted(p.initprivs)), ' ' ORDER BY p.objsubid)
     FROM pg_init_privs p WHERE p.classoid = classid AND p.objoid = objid)
    FROM member
UNION ALL SELECT object, 'is of a kind that 550_update.sql does not compare', 'add it there' FROM member
    WHERE classid NOT IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_type'::regclass, 'pg_namespace'::regclass,
        'pg_operator'::regclass, 'pg_opclass'::regclass, 'pg_opfamily'::regclass, 'pg_cast'::regclass, 'pg_event_trigger'::regclass)
-- the extension and its schema
UNION ALL SELECT 'extension', 'settings', pg_temp.lines(extversion, extrelocatable::text, extnamespace::regnamespace::text,
    obj_description(oid, 'pg_extension')) FROM pg_extension WHERE extname = 'idem'
UNION ALL SELECT 'extension', 'dump condition of ' || c.oid::regclass, c.condition
    FROM pg_extension e, unnest(e.extconfig, e.extcondition) c (oid, condition) WHERE e.extname = 'idem'
UNION ALL SELECT m.object, 'owner and rights', pg_temp.lines(n.nspowner::regrole::text, pg_temp.sorted(n.nspacl))
    FROM member m JOIN pg_namespace n ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid
-- functions
UNION ALL SELECT m.object, 'owner and rights', pg_temp.lines(p.proowner::regrole::text,
        pg_temp.sorted(coalesce(p.proacl, acldefault('f', p.proowner))))
    FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
UNION ALL SELECT m.object, 'definition', pg_get_functiondef(p.oid)
    FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid WHERE p.prokind <> 'a'
UNION ALL SELECT m.object, 'definition', pg_temp.lines(a.aggfnoid::regprocedure::text, p.provolatile::text, p.proparallel::text,
        a.aggkind::text, a.aggnumdirectargs::text, a.aggtransfn::text, a.aggfinalfn::text, a.aggcombinefn::text,
        a.aggserialfn::text, a.aggdeserialfn::text, a.aggmtransfn::text, a.aggminvtransfn::text, a.aggmfinalfn::text,
        a.aggfinalextra::text, a.aggmfinalextra::text, a.aggfinalmodify::text, a.aggmfinalmodify::text,
        a.aggsortop::regoperator::text, a.aggtranstype::regtype::text, a.aggtransspace::text,
        a.aggmtranstype::regtype::text, a.aggmtransspace::text, a.agginitval, a.aggminitval)
    FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid JOIN pg_aggregate a ON a.aggfnoid = p.oid
-- tables, views, composites
UNION ALL SELECT object, 'owner and rights', pg_temp.lines(relowner::regrole::text, pg_temp.sorted(coalesce(relacl, acldefault('r', relowner))))
    FROM relation
UNION ALL SELECT object, 'settings', pg_temp.lines(relkind::text, relpersistence::text, relreplident::text, relrowsecurity::text,
        relforcerowsecurity::text, reloptions::text, (SELECT a.amname FROM pg_am a WHERE a.oid = relam),
        (SELECT t.reloptions::text FROM pg_class t WHERE t.oid = reltoastrelid), reltablespace::text)
    FROM relation
UNION ALL SELECT object, 'definition', pg_get_viewdef(oid) FROM relation WHERE relkind IN ('v', 'm')
UNION ALL SELECT format('column %s.%I', r.oid::regclass, a.attname), 'definition', pg_temp.lines(
        'place ' || row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
        pg_get_expr(d.adbin, d.adrelid), a.attidentity::text, a.attgenerated::text, a.attcollation::regcollation::text,
        a.attstorage::text, a.attcompression::text, nullif(a.attstattarget, -1)::text,
        (SELECT string_agg(o, ' ') FROM unnest(a.attoptions) o WHERE o !~ '^pg_'), -- some servers note versions of theirs there
        pg_temp.sorted(a.attacl))
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL SELECT format('column %s.%I', r.oid::regclass, a.attname), 'comment', col_description(r.oid, a.attnum)
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT format('constraint %I of %s', k.conname, k.conrelid::regclass), 'definition',
        pg_temp.lines(pg_get_constraintdef(k.oid), k.convalidated::text, obj_description(k.oid, 'pg_constraint'))
    FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid
UNION ALL SELECT 'index ' || i.indexrelid::regclass, 'definition', pg_temp.lines(pg_get_indexdef(i.indexrelid), i.indisvalid::text,
        i.indisclustered::text, i.indisreplident::text, obj_description(i.indexrelid, 'pg_class'))
    FROM relation r JOIN pg_index i ON i.indrelid = r.oid
UNION ALL SELECT format('trigger %I of %s', t.tgname, t.tgrelid::regclass), 'definition',
        pg_temp.lines(pg_get_triggerdef(t.oid), t.tgenabled::text, obj_description(t.oid, 'pg_trigger'))
    FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal
UNION ALL SELECT format('rule %I of %s', w.rulename, w.ev_class::regclass), 'definition', pg_get_ruledef(w.oid)
    FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid WHERE w.rulename <> '_RETURN'
UNION ALL SELECT format('policy %I of %s', p.polname, p.polrelid::regclass), 'definition', pg_temp.lines(p.polcmd::text,
        p.polpermissive::text, p.polroles::regrole[]::text, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
UNION ALL SELECT 'statistics ' || s.stxname, 'definition', pg_get_statisticsobjdef(s.oid)
    FROM relation r JOIN pg_statistic_ext s ON s.stxrelid = r.oid
-- types
UNION ALL SELECT m.object, 'owner and rights', pg_temp.lines(t.typowner::regrole::text, pg_temp.sorted(coalesce(t.typacl, acldefault('T', t.typowner))))
    FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
UNION ALL SELECT m.object, 'definition', pg_temp.lines(t.typlen::text, t.typbyval::text, t.typtype::text, t.typcategory::text,
        t.typispreferred::text, t.typisdefined::text, t.typdelim::text, t.typsubscript::text, t.typelem::regtype::text,
        t.typarray::regtype::text, t.typinput::text, t.typoutput::text, t.typreceive::text, t.typsend::text, t.typmodin::text,
        t.typmodout::text, t.typanalyze::text, t.typalign::text, t.typstorage::text, t.typnotnull::text,
        format_type(t.typbasetype, t.typtypmod), t.typcollation::regcollation::text, t.typdefault,
        (SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
        (SELECT string_agg(k.conname || ' ' || pg_get_constraintdef(k.oid), ',' ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = t.oid),
        (SELECT pg_temp.lines(r.rngsubtype::regtype::text, r.rngmultitypid::regtype::text, r.rngcollation::regcollation::text,
             (SELECT c.opcname FROM pg_opclass c WHERE c.oid = r.rngsubopc), r.rngcanonical::text, r.rngsubdiff::text)
         FROM pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)))
    FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
-- what is said about types
UNION ALL SELECT m.object, 'definition', pg_temp.lines(o.oprowner::regrole::text, o.oprcode::text, o.oprresult::regtype::text,
        o.oprcom::regoperator::text, o.oprnegate::regoperator::text, o.oprcanmerge::text, o.oprcanhash::text, o.oprrest::text, o.oprjoin::text)
    FROM member m JOIN pg_operator o ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid
UNION ALL SELECT m.object, 'definition', pg_temp.lines(c.castfunc::regprocedure::text, c.castcontext::text, c.castmethod::text)
    FROM member m JOIN pg_cast c ON m.classid = 'pg_cast'::regclass AND m.objid = c.oid
UNION ALL SELECT m.object, 'definition', pg_temp.lines(c.opcowner::regrole::text, f.opfname, c.opcintype::regtype::text,
        c.opcdefault::text, c.opckeytype::regtype::text)
    FROM member m JOIN pg_opclass c ON m.classid = 'pg_opclass'::regclass AND m.objid = c.oid JOIN pg_opfamily f ON f.oid = c.opcfamily
UNION ALL SELECT m.object, 'operators and functions', pg_temp.lines(f.opfowner::regrole::text,
        (SELECT string_agg(pg_temp.lines(a.amopstrategy::text, a.amoppurpose::text, a.amopopr::regoperator::text,
             (SELECT s.opfname FROM pg_opfamily s WHERE s.oid = a.amopsortfamily)), '; '
             ORDER BY a.amopstrategy, a.amopopr::regoperator::text COLLATE "C") FROM pg_amop a WHERE a.amopfamily = f.oid),
        (SELECT string_agg(pg_temp.lines(a.amprocnum::text, a.amproclefttype::regtype::text, a.amprocrighttype::regtype::text, a.amproc::text), '; '
             ORDER BY a.amprocnum, a.amproclefttype::regtype::text, a.amprocrighttype::regtype::text) FROM pg_amproc a WHERE a.amprocfamily = f.oid))
    FROM member m JOIN pg_opfamily f ON m.classid = 'pg_opfamily'::regclass AND m.objid = f.oid
UNION ALL SELECT m.object, 'definition', pg_temp.lines(t.evtowner::regrole::text, t.evtevent::text, t.evtfoid::regprocedure::text,
        t.evtenabled::text, t.evttags::text)
    FROM member m JOIN pg_event_trigger t ON m.classid = 'pg_event_trigger'::regclass AND m.objid = t.oid;

-- Two of one name would hide each other
SELECT json_build_object('object', object, 'aspect', aspect, 'value', string_agg(coalesce(value, ''), E'\n' ORDER BY value COLLATE "C"))
FROM aspect GROUP BY object, aspect;
