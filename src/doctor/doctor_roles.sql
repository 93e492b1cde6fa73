-- ---------------------------------------------------------------------------
-- doctor: roles that could weaken guards
-- ---------------------------------------------------------------------------

-- logins: who logs in with which right, that is a role that may call what is for
-- this audience and for no other, and its members.  Each of the three is planned
-- once: otherwise the planner would plan all of its joins in each part, which
-- took most of the time of idem.doctor().
CREATE VIEW idem.role_problems AS
WITH logins AS MATERIALIZED (
         SELECT DISTINCT i.audience, r.oid AS role, r.rolname AS name, r.rolsuper AS is_superuser
         FROM pg_catalog.pg_proc p
         JOIN (SELECT function, pg_catalog.min(audience) AS audience FROM idem.rights
               GROUP BY function HAVING pg_catalog.count(*) = 1) i
              ON i.function = p.proname AND i.audience IN ('runtime', 'operator', 'admin')
         CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) a
         JOIN pg_catalog.pg_roles g ON g.oid = a.grantee AND g.oid <> p.proowner
         JOIN pg_catalog.pg_roles r ON r.oid = g.oid
              OR NOT r.rolsuper AND pg_catalog.pg_has_role(r.oid, g.oid, 'USAGE')
              -- a superuser has every role: what is meant is a role it was made a member of
              OR EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.roleid = g.oid AND m.member = r.oid)
         WHERE p.pronamespace = 'idem'::regnamespace AND a.privilege_type = 'EXECUTE'
               AND r.rolcanlogin
     ),
     applications AS MATERIALIZED (
         SELECT l.role, l.name, l.is_superuser FROM logins l WHERE l.audience = 'runtime'
     ),
     guarded AS MATERIALIZED (
         SELECT t.relation, t.kind, t.member, c.relowner, c.relacl
         FROM idem.guard_tables t JOIN pg_catalog.pg_class c ON c.oid = t.member
     )
SELECT DISTINCT 'warning' AS severity, pg_catalog.format('role %I', r.name) AS object,
       pg_catalog.format('is an application and owns %s %s: it can take the guard off', m.kind, m.relation) AS finding,
       pg_catalog.format('ALTER TABLE %s OWNER TO a role that no application has', m.member) AS remedy
FROM applications r
CROSS JOIN guarded m
WHERE NOT r.is_superuser AND pg_catalog.pg_has_role(r.role, m.relowner, 'USAGE')
UNION ALL
SELECT 'warning', pg_catalog.format('role %I', r.name),
       'is an application and a superuser: nothing holds it', pg_catalog.format('ALTER ROLE %I NOSUPERUSER', r.name)
FROM applications r
WHERE r.is_superuser
UNION ALL
SELECT 'warning', pg_catalog.format('role %I', r.name),
       'is an application and an operator: it can overrule the guard that watches it',
       pg_catalog.format('REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA idem FROM %I, or whatever membership it has one of the rights by, then grant it one of them', r.name)
FROM applications r
JOIN logins o ON o.role = r.role AND o.audience = 'operator'
WHERE NOT r.is_superuser
UNION ALL
-- one that waits for ever, or sleeps in a transaction, keeps the rows of others
SELECT 'warning', pg_catalog.format('role %I', r.name),
       pg_catalog.format('is an application and has no %s: %s', s.name, s.risk),
       pg_catalog.format('ALTER ROLE %I SET %s = %L', r.name, s.name, s.example)
FROM applications r,
     (VALUES ('lock_timeout', 'it waits for a row as long as another holds it', '5s'),
             ('statement_timeout', 'a statement may run for ever', '30s'),
             ('idle_in_transaction_session_timeout', 'a session that hangs keeps its rows and keys', '60s')) s (name, risk, example)
WHERE (SELECT p.reset_val FROM pg_catalog.pg_settings p WHERE p.name = s.name) = '0'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting d, pg_catalog.unnest(d.setconfig) c
                      WHERE d.setrole IN (r.role, 0)
                            AND d.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
                            AND c LIKE s.name || '=%' AND c <> s.name || '=0')
UNION ALL
-- a trigger of somebody else runs with every row, and may write to it before it is stored
SELECT DISTINCT 'warning', pg_catalog.format('table %s', m.member),
       pg_catalog.format('%s may create triggers on it, which run as whoever writes',
                         CASE a.grantee WHEN 0 THEN 'everybody' ELSE 'role ' || pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END),
       pg_catalog.format('REVOKE TRIGGER ON %s FROM %s', m.member,
                         CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END)
FROM guarded m,
     LATERAL pg_catalog.aclexplode(m.relacl) a
WHERE a.privilege_type = 'TRIGGER' AND a.grantee <> m.relowner
UNION ALL
-- settings that only a superuser sets, unless it was granted
SELECT 'warning', pg_catalog.format('role %I', pg_catalog.pg_get_userbyid(a.grantee)),
       pg_catalog.format('may set %s: %s', p.parname, s.risk),
       pg_catalog.format('REVOKE SET ON PARAMETER %s FROM %I', p.parname, pg_catalog.pg_get_userbyid(a.grantee))
FROM pg_catalog.pg_parameter_acl p
JOIN (VALUES ('session_replication_role', 'foreign keys and the triggers of others sleep then, the guards do not'),
             ('idem.allow_unguarded', 'DDL can weaken guards')) s (name, risk) ON s.name = p.parname,
     LATERAL pg_catalog.aclexplode(p.paracl) a
WHERE a.grantee <> 10;
COMMENT ON VIEW idem.role_problems IS 'roles that could weaken guards, or keep others waiting, as findings of idem.doctor()';
