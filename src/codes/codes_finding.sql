
-- ---------------------------------------------------------------------------
-- codes: what the doctor finds wrong with definitions
-- ---------------------------------------------------------------------------

CREATE VIEW idem.return_code_problems AS
SELECT 'error' AS severity, pg_catalog.format('return code table %I', n.name) AS object,
       'cannot be read: ' || (SELECT pg_catalog.min(pg_catalog.format('line %s: %s', f.line, f.message))
                              FROM idem.check_return_codes(n.codes) f) AS finding,
       'bring idem.return_code_table back from a dump; until then no answer of this interface can be judged' AS remedy
FROM (SELECT DISTINCT ON (t.name) t.name, t.codes
      FROM idem.return_code_table t
      ORDER BY t.name, t.version DESC) n
WHERE EXISTS (SELECT FROM idem.check_return_codes(n.codes));
COMMENT ON VIEW idem.return_code_problems IS 'what is wrong with tables of return codes in force, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.return_code_problems FROM PUBLIC;
