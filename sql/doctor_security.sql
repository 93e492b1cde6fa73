--
-- What a hostile role can do with the objects of the extension: nothing that it
-- could not do without them (wound 14).
--
CREATE SCHEMA doctor_security;
SET search_path = doctor_security;
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE ROLE regress_idem_sec;
GRANT USAGE, CREATE ON SCHEMA doctor_security TO regress_idem_sec;
SELECT idem.grant_runtime('regress_idem_sec');

-- ------------------------------------------------ every table, every function
-- What an application can read or write of the extension's tables and views
CREATE FUNCTION try_all(verb text, kinds "char"[] DEFAULT '{r}') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE rel regclass;
BEGIN
    FOR rel IN SELECT oid FROM pg_class WHERE relnamespace = 'idem'::regnamespace AND relkind = ANY (kinds) ORDER BY relname COLLATE "C" LOOP
        BEGIN
            EXECUTE format(verb, rel);
            RETURN NEXT rel;
        EXCEPTION WHEN insufficient_privilege THEN NULL;
        END;
    END LOOP;
END $$;
SET ROLE regress_idem_sec;
SELECT * FROM try_all('SELECT FROM %s LIMIT 0', '{r,v}');
SELECT * FROM try_all('INSERT INTO %s DEFAULT VALUES');
SELECT * FROM try_all('DELETE FROM %s WHERE false');
SELECT * FROM try_all('TRUNCATE %s');
SELECT * FROM try_all('LOCK %s');
SELECT * FROM try_all('SELECT nextval(''%s'')', '{S}');
SELECT * FROM try_all('SELECT last_value FROM %s', '{S}');
SELECT * FROM try_all('CREATE TRIGGER t BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION idem.refuse_truncate()');
-- Every function that is not for it, called with nulls that the planner does
-- not see: a strict function of constant nulls is never called
RESET ROLE;
CREATE VIEW not_for_it AS
    SELECT p.oid, p.proname, p.oid::regprocedure AS name FROM pg_proc p
    WHERE p.pronamespace = 'idem'::regnamespace AND p.prokind = 'f'
          AND NOT EXISTS (SELECT FROM idem.rights r
                          WHERE r.function = p.proname AND r.audience IN ('runtime', 'public', 'owner'))
          AND p.proname !~ 'money_micro' AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
          AND to_regtype('pg_catalog.money_micro') = ANY (p.proargtypes::oid[] || p.prorettype) IS NOT TRUE;
SELECT count(*) > 3 AS some FROM not_for_it;
GRANT SELECT ON not_for_it TO regress_idem_sec;
SET ROLE regress_idem_sec;
CREATE FUNCTION call_all() RETURNS TABLE (function text, code text) LANGUAGE plpgsql AS $$
DECLARE f record;
BEGIN
    FOR f IN SELECT * FROM not_for_it ORDER BY proname COLLATE "C" LOOP
        BEGIN
            EXECUTE format('SELECT * FROM idem.%I(%s)', f.proname,
                           (SELECT string_agg(format('(SELECT NULL::%s)', format_type(t, NULL)), ', ') FROM unnest((SELECT proargtypes::oid[] FROM pg_proc WHERE oid = f.oid)) t));
            function := f.name; code := 'passes'; RETURN NEXT;
        EXCEPTION WHEN insufficient_privilege THEN NULL;
                  WHEN OTHERS THEN function := f.name; code := SQLSTATE; RETURN NEXT;
        END;
    END LOOP;
END $$;
SELECT * FROM call_all();
-- A guard is put on, taken off and mended by the owner of the table.
RESET ROLE;
CREATE TABLE theirs (id int PRIMARY KEY, amount numeric, status text);
GRANT ALL ON theirs TO regress_idem_sec;
SELECT idem.guard_fixed('theirs', '{amount}');
SET ROLE regress_idem_sec;
SELECT idem.guard_kept('theirs');
SELECT idem.guard_fixed('theirs', '{status}');
SELECT idem.guard_states('theirs', 'status', 'no_such');
SELECT idem.guard_limit('theirs', 'id', amount => 'amount', cap => 'amount', used => 'used', released => NULL);
SELECT idem.validate_guard('theirs', 'idem_fixed_amount');
SELECT idem.drop_guard('theirs', 'fixed', reason => 'I want to');
SELECT idem.rearm('theirs');
SELECT idem.rearm();
ALTER TABLE theirs DISABLE TRIGGER idem_fixed_amount;
CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION idem.watch_ddl();
-- wound 14: a command that it may not run tells it nothing of the rows, nor of
-- the guards, that the command would touch.
RESET ROLE;
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE TABLE journal (id int, part int, colour colour) PARTITION BY LIST (part);
CREATE TABLE journal_1 PARTITION OF journal FOR VALUES IN (1);
SELECT idem.guard_kept('journal');
SELECT idem.guard_fixed('journal', '{colour}');
INSERT INTO journal VALUES (1, 1, 'red'), (2, 1, 'red');
SET ROLE regress_idem_sec;
CREATE TABLE my_journal (id int, part int) PARTITION BY LIST (part);
ALTER TABLE journal DETACH PARTITION journal_1;
ALTER TABLE journal DETACH PARTITION journal_1 CONCURRENTLY;
ALTER TABLE nosuch DETACH PARTITION journal_1 CONCURRENTLY;
ALTER TABLE my_journal DETACH PARTITION journal_1 CONCURRENTLY;
ALTER TYPE colour RENAME VALUE 'red' TO 'blue';
-- the owner is told
RESET ROLE;
ALTER TABLE journal DETACH PARTITION journal_1 CONCURRENTLY;
ALTER TYPE colour RENAME VALUE 'red' TO 'blue';
SET ROLE regress_idem_sec;

-- ------------------------------------------------- trigger functions by hand
-- on tables of one's own, with arguments that mean harm: an error, and no more
CREATE TABLE mine (a int, b text);
CREATE VIEW mine_view AS SELECT * FROM mine;
CREATE FUNCTION hang(what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'CREATE TRIGGER t ' || what;
    INSERT INTO doctor_security.mine VALUES (1, 'x');
    UPDATE doctor_security.mine SET a = 2, b = 'y';
    INSERT INTO doctor_security.mine_view VALUES (1, 'x');
    DELETE FROM doctor_security.mine;
    RAISE EXCEPTION 'passes' USING ERRCODE = 'P0999';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
SELECT f, hang(format('%s ON mine FOR EACH ROW EXECUTE FUNCTION idem.%s', e, f))
    FROM unnest(ARRAY['AFTER INSERT OR UPDATE OR DELETE', 'BEFORE INSERT OR UPDATE OR DELETE']) e,
         unnest(ARRAY[
    'keep_fixed()', 'keep_fixed(''idem=2'', ''columns={a}'')', 'keep_fixed(''columns={a}'')', 'keep_fixed(''idem=1'')',
    'keep_fixed(''idem=1'', ''columns'')', 'keep_fixed(''idem=1'', ''columns={no_such}'')', 'keep_fixed(''idem=1'', ''columns={NULL}'')',
    'keep_fixed(''idem=1'', ''columns={{a},{b}}'')', 'keep_fixed(''idem=1'', ''columns=a'')', 'keep_fixed(''idem=1'', ''columns={"'')',
    'keep_fixed(''idem=1'', ''columns={tableoid}'')', 'keep_fixed(''idem=1'', ''once={'')',
    'keep_rows(''idem=1'', ''anything'')',
    'keep_states()', 'keep_states(''idem=1'', ''column=b'')', 'keep_states(''idem=1'', ''column=b'', ''machine=no_such'')',
    'keep_states(''idem=1'', ''column=a'', ''machine=no_such'', ''repeat=x'', ''delete=x'', ''history=x'')',
    'keep_states(''idem=1'', ''column=b'', ''machine=no_such'', ''repeat=refuse'', ''delete=any'', ''history=true'')',
    'keep_states(''idem=1'', ''column=no_such'', ''machine=no_such'', ''repeat=refuse'', ''delete=any'', ''history=true'')',
    'keep_limit(''idem=1'', ''fk={a}'', ''amount=a'', ''cap=a'', ''used=a'', ''children=kept'')',
    'keep_limit(''idem=1'', ''fk={}'', ''amount=a'', ''cap=a'', ''used=a'', ''children=kept'')',
    'keep_total(''idem=1'', ''fk={a}'', ''amount=a'', ''key={a}'', ''cap=a'', ''used=a'', ''cap_grows=true'')',
    'keep_total(''idem=1'', ''fk={}'', ''amount=b'', ''key={}'', ''cap=no_such'', ''used=no_such'', ''cap_grows=true'')',
    'keep_limit()', 'keep_limit(''idem=1'', ''fk={a}'')', 'keep_limit(''idem=1'', ''fk={a}'', ''amount=a'', ''cap=a'', ''used=a'')',
    'keep_limit(''idem=1'', ''fk={no_such}'', ''amount=no_such'', ''cap='', ''used='', ''children='')',
    'keep_total()', 'keep_total(''idem=1'', ''used=a'')', 'keep_total(''idem=1'', ''fk={a}'', ''key={a}'', ''cap=a'', ''used=a'', ''amount=a'', ''cap_grows=x'')',
    'keep_pair()', 'keep_pair(''idem=1'', ''fk={a}'', ''parent_state=b'', ''allowed={x,"{y}"}'', ''judge=row'')',
    'keep_pair(''idem=1'', ''fk={}'', ''parent_state='', ''allowed={x}'', ''judge=x'')',
    'keep_pair_parent()', 'keep_pair_parent(''idem=1'', ''fk={a}'', ''key={a}'', ''parent_state=b'', ''allowed={x,"{y}"}'', ''judge=row'')',
    'refuse_truncate()', 'invalidate_definitions()']) f
    ORDER BY e COLLATE "C", f COLLATE "C";
SELECT hang('AFTER INSERT ON mine FOR EACH STATEMENT EXECUTE FUNCTION idem.' || f || '()')
    FROM unnest('{keep_fixed,keep_rows,keep_states,keep_limit,keep_total,keep_pair,keep_pair_parent,refuse_truncate}'::text[]) f;
SELECT hang('INSTEAD OF INSERT ON mine_view FOR EACH ROW EXECUTE FUNCTION idem.' || f || '()')
    FROM unnest('{keep_fixed,keep_rows,keep_states,keep_limit,keep_total,keep_pair,keep_pair_parent,refuse_truncate}'::text[]) f;
SELECT hang(format('AFTER UPDATE ON mine FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed(%L)', 'columns={' || repeat('x', 100000) || '}')) ~ '^(42|22|39|54)';
-- The doctor looks at such a table without harm, and says that it is no guard.
CREATE TRIGGER t AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION idem.keep_limit('idem=1', 'fk={"', 'used={');
CREATE TRIGGER u AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION idem.keep_states('idem=1', 'column={"');
CREATE TRIGGER v AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION idem.keep_fixed('idem=1', 'columns={"');
RESET ROLE;
SELECT count(*) > 0 AS findings FROM idem.doctor();
SELECT name, intact FROM idem.guards WHERE relation = 'mine'::regclass ORDER BY name COLLATE "C";
SET ROLE regress_idem_sec;
ALTER TABLE mine RENAME b TO c;
ALTER TABLE mine DROP c;
DROP TABLE mine CASCADE;

-- ------------------------------------ values are for those who may read them
RESET ROLE;
SELECT 'defined' AS machine FROM idem.define_machine('doctor_security', $$
stateDiagram-v2
    [*] --> created
    created --> paid
    paid --> [*]
$$) LIMIT 1;
CREATE TABLE secret (id text PRIMARY KEY, amount numeric NOT NULL, status text);
CREATE TABLE taken (id int PRIMARY KEY, secret text NOT NULL REFERENCES secret, amount numeric);
SELECT idem.guard_states('secret', 'status', 'doctor_security');
SELECT idem.guard_fixed('secret', '{amount}');
SELECT idem.guard_limit('taken', 'secret', amount => 'amount', cap => 'amount', used => 'used', released => NULL);
INSERT INTO secret VALUES ('account 4711', 12345, 'created');
GRANT INSERT, UPDATE, DELETE ON secret, taken TO regress_idem_sec;
CREATE FUNCTION say(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'passes';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''));
END $$;
CREATE VIEW said AS SELECT s AS statement, say(s) FROM unnest(ARRAY[
    'UPDATE secret SET status = ''lost''', 'UPDATE secret SET status = ''created''', 'UPDATE secret SET amount = 1',
    'UPDATE secret SET id = ''x''', 'DELETE FROM secret', 'UPDATE secret SET used = 1',
    'INSERT INTO taken VALUES (1, ''account 4711'', 99999)']) s;
GRANT SELECT ON said TO regress_idem_sec;
SELECT * FROM said;
SET ROLE regress_idem_sec;
SELECT * FROM said;
RESET ROLE;
-- The same where the server refuses what a guard writes to the parent as its
-- owner: by a CHECK, and by a unique index with an expression.
ALTER TABLE secret ADD CONSTRAINT half CHECK (used < 5000);
CREATE UNIQUE INDEX secret_used ON secret ((used + 0)) WHERE used > 0;
INSERT INTO secret VALUES ('account 4712', 12345, 'created');
CREATE FUNCTION take(id int, parent text, amount numeric) RETURNS text LANGUAGE sql AS $$
    SELECT doctor_security.say(format('INSERT INTO doctor_security.taken VALUES (%s, %L, %s)', id, parent, amount)) $$;
SET ROLE regress_idem_sec;
SELECT take(1, 'account 4711', 7000);
SELECT take(2, 'account 4711', 200);
SELECT take(3, 'account 4712', 200);
RESET ROLE;
SELECT take(1, 'account 4711', 7000);
SELECT take(3, 'account 4712', 200);
-- A view of ours shows what a role may read by itself, no more.
GRANT SELECT (id) ON secret TO regress_idem_sec;
SET ROLE regress_idem_sec;
SELECT take(1, 'account 4711', 7000);
SELECT say('SELECT * FROM idem.remaining(''taken'', ''account 4711'')');
SELECT say('SELECT * FROM idem.history(''secret'', ''account 4711'')');
RESET ROLE;

-- ------------------------------ a machine obeys its owner, not who names it
-- in a trigger of its own: that neither takes part in its next version nor
-- stops it, until somebody with a say declares it.
CREATE ROLE regress_idem_sec_owner;
GRANT USAGE, CREATE ON SCHEMA doctor_security TO regress_idem_sec_owner;
SELECT FROM idem.grant_admin('regress_idem_sec_owner');
SET ROLE regress_idem_sec_owner;
CREATE FUNCTION next_version(states text) RETURNS text LANGUAGE sql AS $$
    SELECT doctor_security.say(format('SELECT idem.define_machine(''doctor_security_own'', %L, loosen => ''more'')',
        E'stateDiagram-v2\n[*] --> a\n' || (SELECT string_agg(format(E'a --> %1$s\n%1$s --> [*]\n', s), '') FROM string_to_table(states, ' ') s))) $$;
SELECT next_version('b');
SET ROLE regress_idem_sec;
CREATE TABLE mine (id int PRIMARY KEY, status text);
SELECT idem.guard_states('mine', 'status', 'doctor_security_own');
CREATE TRIGGER t AFTER INSERT OR DELETE OR UPDATE ON mine FOR EACH ROW EXECUTE FUNCTION
    idem.keep_states('idem=1', 'column=status', 'machine=doctor_security_own', 'repeat=refuse', 'delete=never', 'history=false');
ALTER TABLE mine ENABLE ALWAYS TRIGGER t;
INSERT INTO mine VALUES (1, 'a');
SET ROLE regress_idem_sec_owner;
SELECT next_version('b c');
RESET ROLE;
CREATE TABLE ours (id int PRIMARY KEY, status text);
SELECT idem.guard_states('ours', 'status', 'doctor_security_own');
SET ROLE regress_idem_sec_owner;
SELECT next_version('b c d');
RESET ROLE;
SELECT next_version('b c d');
DROP TABLE mine, ours;

-- --------------------------------------- names that want to be more than names
CREATE TABLE "it's %s" (id int PRIMARY KEY, "the 'cap' %" numeric NOT NULL, "cur,{}""" text NOT NULL, status text);
CREATE TABLE "they're %L" (id int PRIMARY KEY, "of\its" int NOT NULL REFERENCES "it's %s", amount numeric NOT NULL, currency text NOT NULL, "state=" text NOT NULL);
CREATE FUNCTION declare_limit() RETURNS text LANGUAGE sql AS $$
    SELECT doctor_security.say($declare$SELECT idem.guard_limit('doctor_security."they''re %L"', 'of\its', amount => 'amount', cap => 'the ''cap'' %',
        used => 'us''e"d', state => 'state=', released => '{"fai''l\"ed,}"}', same => '{"currency":"cur,{}\""}', count_cap => 1, count_used => 'num''b"er')$declare$) $$;
INSERT INTO "it's %s" VALUES (1, 100, 'EUR', 'created');
INSERT INTO "they're %L" VALUES (1, 1, -5, 'EUR', 'new');
SELECT declare_limit();
UPDATE "they're %L" SET amount = 60, currency = 'USD';
SELECT declare_limit();
UPDATE "they're %L" SET currency = 'EUR';
INSERT INTO "they're %L" VALUES (2, 1, 60, 'EUR', 'new');
SELECT declare_limit();
UPDATE "they're %L" SET amount = 10;
SELECT declare_limit();
DELETE FROM "they're %L" WHERE id = 2;
SELECT declare_limit();
SELECT idem.guard_states('"it''s %s"', 'status', 'doctor_security');
SELECT idem.guard_fixed('"it''s %s"', '{"the ''cap'' %","cur,{}\""}');
SELECT name, intact, problem FROM idem.guards WHERE relation IN ('"it''s %s"'::regclass, '"they''re %L"'::regclass) ORDER BY name COLLATE "C";
SELECT finding FROM idem.doctor() WHERE object ~ '(it.s %s|they.re %L)';
SELECT say('INSERT INTO "they''re %L" VALUES (3, 1, 10, ''USD'', ''new'')');
UPDATE "they're %L" SET "state=" = 'fai''l"ed,}';
SELECT idem.remaining('"they''re %L"', '1');
SELECT outcome FROM idem.transition('"it''s %s"', '1', 'paid');
SELECT idem.drop_guard('"they''re %L"', 'limit', reason => 'it''s \ over');

DROP SCHEMA doctor_security CASCADE;
DROP OWNED BY regress_idem_sec, regress_idem_sec_owner;
DROP ROLE regress_idem_sec, regress_idem_sec_owner;
