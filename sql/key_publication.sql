-- A publication that carries keys elsewhere carries all that is known of them;
-- what it leaves out, a server that takes over with it does not know.  (A
-- subscription that lacks a table: test/tap/820_scale_move.pl)
SET client_min_messages = error;
CREATE PUBLICATION whole FOR TABLE idem.scope, idem.anchor, idem.reservation, idem.attempt, idem.sighting, idem.suspect, idem.evidence, idem.late_result;
CREATE PUBLICATION history FOR TABLE idem.transition_log;
CREATE PUBLICATION everything FOR ALL TABLES;
SELECT object, finding, remedy FROM idem.doctor() WHERE object LIKE 'publication %';

-- tables that are missing
CREATE PUBLICATION keys FOR TABLE idem.anchor, idem.scope;
SELECT severity, object, finding, remedy FROM idem.doctor() WHERE object LIKE 'publication %';
ALTER PUBLICATION keys ADD TABLE idem.attempt, idem.evidence, idem.late_result, idem.reservation, idem.sighting, idem.suspect;
SELECT object FROM idem.doctor() WHERE object LIKE 'publication %';
DROP PUBLICATION keys;

-- rows, columns and commands that are
ALTER PUBLICATION whole SET (publish = 'insert, delete');
SELECT severity, object, finding, remedy FROM idem.doctor() WHERE object LIKE 'publication %';
ALTER PUBLICATION whole SET (publish = 'insert, update, delete');
ALTER PUBLICATION whole DROP TABLE idem.evidence, idem.attempt, idem.reservation;
ALTER PUBLICATION whole ADD TABLE idem.reservation, idem.attempt WHERE (attempt > 1), idem.evidence (scope, key, n);
SELECT severity, object, finding, remedy FROM idem.doctor() WHERE object LIKE 'publication %';
DROP PUBLICATION whole, history, everything;
