--
-- What checks.sql compares with, taken after rooms.sql.
--
SET client_min_messages = warning;
TRUNCATE kept.before;
INSERT INTO kept.before SELECT * FROM kept.now;
INSERT INTO kept.finding SELECT severity, object, regexp_replace(finding, '(since|until|for) .*', '') FROM idem.doctor();
CREATE TABLE kept.row AS SELECT * FROM kept.rows();
