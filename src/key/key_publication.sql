-- ---------------------------------------------------------------------------
-- key: what carries keys elsewhere carries all that is known of them
-- ---------------------------------------------------------------------------

-- The doctor's.  A publication and a subscription name tables; what is not named
-- is not there when the other server takes over, and nothing tells then.
CREATE VIEW idem.publication_problems AS
WITH carried (object, name, part, remedy) AS (
    SELECT pg_catalog.format('publication %I', p.pubname), t.tablename,
           NOT (p.pubinsert AND p.pubupdate AND p.pubdelete) OR t.rowfilter IS NOT NULL
           OR EXISTS (SELECT FROM pg_catalog.pg_attribute a
                      WHERE a.attrelid = pg_catalog.format('idem.%I', t.tablename)::regclass AND a.attnum > 0
                            AND NOT a.attisdropped AND a.attname <> ALL (t.attnames)),
           pg_catalog.format('ALTER PUBLICATION %I ADD TABLE ', p.pubname)
    FROM pg_catalog.pg_publication p
    JOIN pg_catalog.pg_publication_tables t ON t.pubname = p.pubname AND t.schemaname = 'idem'
    UNION ALL
    SELECT pg_catalog.format('subscription %I', s.subname), c.relname, false,
           pg_catalog.format('put into its publications, then ALTER SUBSCRIPTION %I REFRESH PUBLICATION: ', s.subname)
    FROM pg_catalog.pg_subscription s
    JOIN pg_catalog.pg_database d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database()
    JOIN pg_catalog.pg_subscription_rel r ON r.srsubid = s.oid
    JOIN pg_catalog.pg_class c ON c.oid = r.srrelid AND c.relnamespace = 'idem'::regnamespace
), claims (name) AS (
    SELECT pg_catalog.unnest('{scope,anchor,reservation,attempt,sighting,suspect,evidence,late_result}'::name[])
), of_claims AS (
    SELECT object, pg_catalog.min(remedy) AS remedy, pg_catalog.array_agg(name) AS names,
           pg_catalog.string_agg('idem.' || name, ', ' ORDER BY name) FILTER (WHERE part) AS parts
    FROM carried JOIN claims USING (name)
    GROUP BY object
)
SELECT 'warning' AS severity, o.object,
       pg_catalog.format('carries tables of claims, and not %s: a server that takes over with them does not know all that was granted and sent', l.lacking) AS finding,
       o.remedy || l.lacking AS remedy
FROM of_claims o,
     LATERAL (SELECT pg_catalog.string_agg('idem.' || c.name, ', ' ORDER BY c.name) FROM claims c WHERE c.name <> ALL (o.names)) l (lacking)
WHERE l.lacking IS NOT NULL
UNION ALL
SELECT 'warning', o.object,
       pg_catalog.format('leaves rows, columns or commands out of %s: a server that takes over with it does not know all that was granted and sent', o.parts),
       'take the filter and the list of columns away, and publish insert, update and delete'
FROM of_claims o
WHERE o.parts IS NOT NULL;
COMMENT ON VIEW idem.publication_problems IS 'publications and subscriptions that carry keys elsewhere, and not all that is known of them, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.publication_problems FROM PUBLIC;
