--
-- Triggers made by hand, many of them: what a role puts on its own tables neither
-- floods the doctor nor stops idem.rearm(), and no superuser makes it count in
-- passing (wound 15).
--
CREATE SCHEMA doctor_flooding;
SET search_path = doctor_flooding;
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE ROLE regress_idem_fld_owner;
GRANT USAGE, CREATE ON SCHEMA doctor_flooding TO regress_idem_fld_owner;
SELECT FROM idem.grant_admin('regress_idem_fld_owner');
SET ROLE regress_idem_fld_owner;
DO $$
BEGIN
    CREATE TABLE flood (a int);
    EXECUTE format('CREATE TRIGGER idem_fixed AFTER UPDATE ON flood FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed(%L, %L)', 'idem=1',
                   (SELECT 'columns={' || string_agg('n' || i, ',') || '}' FROM generate_series(1, 300000) i));
    CREATE TABLE flooded (a int);
    EXECUTE format('CREATE TRIGGER idem_fixed AFTER UPDATE ON flooded FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed(%L, %L)', 'idem=1',
                   (SELECT 'columns={' || string_agg('n' || i, ',') || '}' FROM generate_series(1, 1500) i));
    FOR i IN 1..30 LOOP
        EXECUTE format('CREATE TABLE flood_%s (a int)', i);
        EXECUTE format('CREATE TRIGGER idem_kept AFTER DELETE OR UPDATE ON flood_%s FOR EACH ROW EXECUTE FUNCTION idem.keep_rows(''idem=1'')', i);
    END LOOP;
END $$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.a := 1; RETURN NEW; END$$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON flood FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TEMPORARY TABLE passing (a int);
CREATE TRIGGER idem_kept AFTER DELETE OR UPDATE ON passing FOR EACH ROW EXECUTE FUNCTION idem.keep_rows('idem=1');
RESET ROLE;
CREATE VIEW of_them AS SELECT * FROM idem.doctor() WHERE (object || finding || remedy) ~ 'flood|passing|regress_idem_fld_owner';
SELECT count(*) FROM of_them;
SELECT severity, object, finding FROM of_them WHERE object !~ '_[0-9]+$';
SELECT relation, left(problem, 60) AS problem FROM idem.guards WHERE relation IN ('flood'::regclass, 'flooded'::regclass) ORDER BY 1;
SELECT * FROM idem.rearm() r WHERE r ~ 'flood|passing';
SELECT count(*) FROM idem.change_log WHERE table_name ~ '^(flood|passing)';
-- by name it counts from now on, and is held to it
SELECT * FROM idem.rearm('flood_1');
SELECT severity, object, finding FROM of_them WHERE object ~ 'flood_1$';
SELECT idem.drop_guard('flood_1', 'kept', reason => 'end of the test');
-- the owner's own call makes its own count
SET ROLE regress_idem_fld_owner;
SELECT count(*) > 30 AS many FROM idem.rearm();
RESET ROLE;
SELECT count(*) FROM of_them WHERE finding ~ 'declared in this database';
SELECT count(*) FROM of_them WHERE object ~ 'flooded$';
SELECT * FROM of_them WHERE object ~ 'flood(ed)?$' AND finding !~ '^column';
-- what was not done is a comment of one line, whatever a table is called
CREATE TABLE "two
lines" (a int);
SELECT idem.guard_fixed('"two
lines"', '{a}');
SET idem.allow_unguarded = 'a restore';
ALTER TABLE "two
lines" DISABLE TRIGGER USER;
RESET idem.allow_unguarded;
BEGIN;
DECLARE c CURSOR FOR TABLE "two
lines";
SELECT * FROM idem.rearm() r WHERE r ~ 'lines';
COMMIT;
SELECT count(*) FROM idem.rearm() r WHERE r ~ 'lines';

DROP SCHEMA doctor_flooding CASCADE;
DROP OWNED BY regress_idem_fld_owner;
DROP ROLE regress_idem_fld_owner;
