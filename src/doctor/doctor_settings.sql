-- ---------------------------------------------------------------------------
-- doctor: settings that guards rely on
-- ---------------------------------------------------------------------------

-- What is set for a role, for this database, or for a role in it.
CREATE VIEW idem.standing_settings AS
SELECT pg_catalog.split_part(c, '=', 1) AS name, pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) AS value,
       pg_catalog.concat_ws(' in ', 'role ' || pg_catalog.quote_ident(r.rolname),
                            'database ' || pg_catalog.quote_ident(d.datname)) AS holder,
       pg_catalog.concat_ws(' IN ', 'ROLE ' || pg_catalog.quote_ident(r.rolname),
                            'DATABASE ' || pg_catalog.quote_ident(d.datname)) AS altered
FROM pg_catalog.pg_db_role_setting s
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase,
     LATERAL pg_catalog.unnest(s.setconfig) c
WHERE s.setdatabase = 0 OR d.datname = pg_catalog.current_database();
COMMENT ON VIEW idem.standing_settings IS 'settings with which sessions of this database begin, by ALTER ROLE or ALTER DATABASE';

CREATE VIEW idem.setting_problems AS
-- what is told to the outside must be on disk first
SELECT CASE s.name WHEN 'fsync' THEN 'error' ELSE 'warning' END AS severity,
       pg_catalog.format('setting %s', s.name) AS object, 'is off: ' || s.risk AS finding,
       pg_catalog.format('set %s = on', s.name) AS remedy
FROM (VALUES ('fsync', 'a crash of the machine can take back what was committed'),
             ('full_page_writes', 'a crash of the machine can leave torn pages'),
             ('event_triggers', 'DDL can weaken guards'),
             ('synchronous_commit', 'a crash can take back what was told to the client')) s (name, risk)
WHERE pg_catalog.current_setting(s.name, true) = 'off'
UNION ALL
SELECT CASE WHEN r.severity = 'notice' AND EXISTS (SELECT FROM idem.site) THEN 'warning' ELSE r.severity END,
       pg_catalog.format('setting %s of %s', s.name, s.holder),
       pg_catalog.format(r.finding, s.value), pg_catalog.format('ALTER %s RESET %s', s.altered, s.name) || r.unless
FROM idem.standing_settings s
JOIN (VALUES ('synchronous_commit', 'warning', 'is off: a crash can take back what was told to the client', ''),
             ('idem.allow_unguarded', 'warning', 'is set for good: DDL can weaken guards (%s)', ''),
             ('idem.site', 'error', 'hides the setting of the server from its sessions: nothing is sent from them (%s)', ''),
             -- as it has to be in a database for tests, so it is no more than a
             -- notice where no site is set
             ('idem.drop_reason', 'notice', 'is set for good: owners can drop tables with guarded rows and are not asked why (%s)',
              ', unless the database is one for tests'),
             ('idem.truncate_reason', 'notice', 'is set for good: the owner of the database can empty guarded tables and is not asked why (%s)',
              ', unless the database is one for tests')) r (name, severity, finding, unless)
     ON r.name = s.name
WHERE s.value <> '' AND (s.name <> 'synchronous_commit' OR s.value = 'off');
COMMENT ON VIEW idem.setting_problems IS 'settings that let a crash take back what was told, or DDL weaken guards, as findings of idem.doctor()';
