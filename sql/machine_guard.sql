--
-- machine_guard: a row follows its machine, whatever writes it
--
-- The numbers are those of the fifteen ways past a naive status trigger:
--  1 trigger UPDATE OF, state set by another trigger    9 primary key changed
--  2 another trigger fires later                       10 inheritance child
--  3 upsert that updates                               11 ATTACH of illegal rows
--  4 row moves to another partition                    12 NULL
--  5 ALTER TYPE ... USING                              13 the same state again
--  6 session_replication_role = replica                14 only INSERT and UPDATE
--  7 DELETE and INSERT again                           15 stale row written back
--  8 TRUNCATE
-- All of them, one after the other, are in machine_bypass; 4 is in
-- machine_partition, too.
--
-- What weakens a guard is refused (doctor_ddl); here it is done on purpose.
SET idem.allow_unguarded = 'a test of what is not refused';
CREATE ROLE regress_idem_owner;
CREATE ROLE regress_idem_app;
CREATE ROLE regress_idem_risk;
SELECT FROM idem.grant_admin('regress_idem_owner');
CREATE SCHEMA machine_guard AUTHORIZATION regress_idem_owner;
GRANT USAGE ON SCHEMA machine_guard TO regress_idem_app, regress_idem_risk;
SET search_path = machine_guard;
SET SESSION AUTHORIZATION regress_idem_owner;

SELECT FROM idem.define_machine('guard_payment', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    created --> failed : cancel
    paying --> succeeded : confirm
    paying --> failed : reject
    succeeded --> succeeded : partial_refund
    succeeded --> refunded : refund [late]
    succeeded --> failed : bank_return [late] [role regress_idem_risk]
    succeeded --> [*]
    failed --> [*]
    refunded --> [*]
$$);
CREATE TABLE payment (id int PRIMARY KEY, status text, amount int, note text);
SELECT idem.guard_states('payment', 'status', 'guard_payment');
\d payment
GRANT SELECT, INSERT, UPDATE, DELETE ON payment TO regress_idem_app, regress_idem_risk;

-- What a client can branch on
CREATE FUNCTION refused(statement text, OUT state text, OUT at text, OUT message text)
LANGUAGE plpgsql AS $$
DECLARE tab text; col text; con text; det text;
BEGIN
    EXECUTE statement;
    state := 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        tab = TABLE_NAME, col = COLUMN_NAME, con = CONSTRAINT_NAME;
    at := concat_ws(' ', nullif(tab, ''), nullif(col, ''), nullif(con, ''));
END $$;
GRANT EXECUTE ON FUNCTION refused TO PUBLIC;

-- ------------------------------------------------------------ the good case
-- Everything below is written by an application that owns nothing and has no
-- right on any table of idem.
SET SESSION AUTHORIZATION regress_idem_app;
INSERT INTO payment VALUES (1, 'created', 100), (2, 'created', 200);
UPDATE payment SET status = 'paying' WHERE id = 1;
UPDATE payment SET status = 'succeeded', note = 'ok' WHERE id = 1;
UPDATE payment SET note = 'thanks' WHERE id = 1;
UPDATE payment SET status = 'refunded' WHERE id = 1;

-- ------------------------------------------------------------- the refusals
INSERT INTO payment VALUES (3, 'succeeded', 1);
UPDATE payment SET status = 'succeeded' WHERE id = 2;
UPDATE payment SET status = 'paying' WHERE id = 1;
SELECT * FROM refused($$INSERT INTO payment VALUES (3, 'succeeded', 1)$$);
SELECT * FROM refused($$UPDATE payment SET status = 'succeeded' WHERE id = 2$$);
SELECT * FROM refused($$UPDATE payment SET status = 'created' WHERE id = 1$$);
-- undeclared, and another spelling
SELECT * FROM refused($$INSERT INTO payment VALUES (3, 'paid', 1)$$);
SELECT * FROM refused($$UPDATE payment SET status = 'Paying' WHERE id = 2$$);
SELECT * FROM refused($$UPDATE payment SET status = 'paying ' WHERE id = 2$$);
SELECT * FROM refused($$UPDATE payment SET status = '' WHERE id = 2$$);
-- 12: NULL is no state
SELECT * FROM refused($$INSERT INTO payment VALUES (3, NULL, 1)$$);
SELECT * FROM refused($$UPDATE payment SET status = NULL WHERE id = 2$$);
-- 7: a finished row is not made again
SELECT * FROM refused($$DELETE FROM payment WHERE id = 1$$);
SELECT * FROM refused($$WITH gone AS (DELETE FROM payment WHERE id = 1 RETURNING *)
    INSERT INTO payment SELECT id, 'created', amount FROM gone$$);
-- 9: nor does another row become it
SELECT * FROM refused($$UPDATE payment SET id = 7 WHERE id = 2$$);
-- 8: nor are all of them forgotten
RESET SESSION AUTHORIZATION;
SELECT * FROM refused($$TRUNCATE payment$$);
CREATE TABLE parent_of_payment (id int PRIMARY KEY);
ALTER TABLE payment ADD CONSTRAINT fk FOREIGN KEY (amount) REFERENCES parent_of_payment NOT VALID;
SELECT * FROM refused($$TRUNCATE parent_of_payment CASCADE$$);
ALTER TABLE payment DROP CONSTRAINT fk;
-- one illegal row of many: none is changed
SELECT * FROM refused($$UPDATE payment SET status = 'paying'$$);
SELECT id, status FROM payment ORDER BY id;

-- ------------------------------------------- 13: the same state once more
SET SESSION AUTHORIZATION regress_idem_app;
UPDATE payment SET status = 'paying' WHERE id = 2;
UPDATE payment SET status = 'paying' WHERE id = 2;
SELECT * FROM refused($$UPDATE payment SET status = 'paying', note = 'again' WHERE id = 2$$);
-- an update that does not speak of the state is none
SELECT * FROM refused($$UPDATE payment SET note = 'other' WHERE id = 2$$);
-- an object mapper that saves the whole row is none
SELECT * FROM refused($$UPDATE payment SET status = 'paying', amount = 200, note = 'saved' WHERE id = 2$$);
SELECT * FROM refused($$UPDATE payment SET id = 2, status = 'paying', amount = 200, note = 'saved' WHERE id = 2$$);
-- a self-loop is an event, which a plain update does not tell
UPDATE payment SET status = 'succeeded' WHERE id = 2;
SELECT * FROM refused($$UPDATE payment SET status = 'succeeded', note = 'refund 1' WHERE id = 2$$);
-- 15: ... but a stale row written back is a change, and not one of ours
SELECT * FROM refused($$UPDATE payment SET status = 'paying', amount = 200, note = 'stale' WHERE id = 2$$);

-- ------------------------------------------------------ edges of one role
SELECT * FROM refused($$UPDATE payment SET status = 'failed' WHERE id = 2$$);
SET SESSION AUTHORIZATION regress_idem_risk;
SELECT * FROM refused($$UPDATE payment SET status = 'failed' WHERE id = 2$$);

-- ------------------------------------------------ every statement is judged
SET SESSION AUTHORIZATION regress_idem_app;
-- 3: an upsert is judged as what it does
INSERT INTO payment VALUES (4, 'created', 1) ON CONFLICT (id) DO UPDATE SET status = 'paying';
SELECT * FROM refused($$INSERT INTO payment VALUES (4, 'paying', 1) ON CONFLICT (id) DO UPDATE SET status = excluded.status$$);
SELECT * FROM refused($$INSERT INTO payment VALUES (4, 'paying', 1) ON CONFLICT (id) DO UPDATE SET status = excluded.status$$);
SELECT * FROM refused($$INSERT INTO payment VALUES (4, 'refunded', 1) ON CONFLICT (id) DO UPDATE SET status = excluded.status$$);
SELECT * FROM refused($$INSERT INTO payment VALUES (5, 'paying', 1) ON CONFLICT (id) DO UPDATE SET status = excluded.status$$);
SELECT * FROM refused($$INSERT INTO payment VALUES (4, 'refunded', 1) ON CONFLICT DO NOTHING$$);
-- MERGE
SELECT * FROM refused($$MERGE INTO payment p USING (VALUES (4, 'succeeded'), (6, 'created')) n(id, status) ON p.id = n.id
    WHEN MATCHED THEN UPDATE SET status = n.status WHEN NOT MATCHED THEN INSERT VALUES (n.id, n.status)$$);
SELECT * FROM refused($$MERGE INTO payment p USING (VALUES (4, 'succeeded'), (7, 'paying')) n(id, status) ON p.id = n.id
    WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT VALUES (n.id, n.status)$$);
SELECT * FROM refused($$MERGE INTO payment p USING (VALUES (6)) n(id) ON p.id = n.id WHEN MATCHED THEN DELETE$$);
-- COPY
COPY payment (id, status) FROM stdin;
8	created
9	created
\.
COPY payment (id, status) FROM stdin;
10	created
11	failed
\.
RESET SESSION AUTHORIZATION;
-- rows that are frozen as they come are judged, and have their history
BEGIN;
CREATE TABLE frozen (id int PRIMARY KEY, status text);
SELECT idem.guard_states('frozen', 'status', 'guard_payment');
COPY frozen FROM stdin (FREEZE);
1	created
\.
UPDATE frozen SET status = 'paying';
SELECT from_state, to_state FROM idem.history('frozen', '1');
COPY frozen FROM stdin (FREEZE);
2	failed
\.
ROLLBACK;
-- a view, a join, a statement with data-modifying CTE
CREATE VIEW open_payment AS SELECT id, status FROM payment;
SELECT * FROM refused($$UPDATE open_payment SET status = 'refunded' WHERE id = 8$$);
SELECT * FROM refused($$WITH x AS (UPDATE payment SET status = 'paying' WHERE id = 8 RETURNING id)
    UPDATE payment SET status = 'refunded' FROM x WHERE payment.id = 9$$);
-- 6: replica role, as restore tools and bulk loaders set it
SET session_replication_role = replica;
SELECT * FROM refused($$UPDATE payment SET status = 'refunded' WHERE id = 8$$);
SELECT * FROM refused($$DELETE FROM payment WHERE id = 8$$);
SELECT * FROM refused($$TRUNCATE payment$$);
RESET session_replication_role;
SELECT id, status FROM payment ORDER BY id;

-- ------------------------------------------- 1, 2: other triggers of the table
CREATE FUNCTION finish() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.status := 'refunded'; RETURN NEW; END $$;
CREATE TRIGGER aaa BEFORE UPDATE OF note ON payment FOR EACH ROW EXECUTE FUNCTION finish();
SELECT * FROM refused($$UPDATE payment SET note = 'x' WHERE id = 8$$);
DROP TRIGGER aaa ON payment;
CREATE TRIGGER zzz BEFORE INSERT OR UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION finish();
SELECT * FROM refused($$UPDATE payment SET status = 'paying' WHERE id = 8$$);
SELECT * FROM refused($$INSERT INTO payment VALUES (12, 'created')$$);
DROP TRIGGER zzz ON payment;
-- a trigger that takes the change back leaves a statement that named the
-- column and changed nothing: the writer is told
CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.status := OLD.status; RETURN NEW; END $$;
CREATE TRIGGER zzz BEFORE UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION undo();
SELECT * FROM refused($$UPDATE payment SET status = 'paying' WHERE id = 8$$);
DROP TRIGGER zzz ON payment;

-- ----------------------------------------------------------- savepoints
-- What was rolled back never was, the judgement goes on with what is.
BEGIN;
SAVEPOINT a;
UPDATE payment SET status = 'paying' WHERE id = 8;
ROLLBACK TO a;
UPDATE payment SET status = 'succeeded' WHERE id = 8;
ROLLBACK TO a;
UPDATE payment SET status = 'paying' WHERE id = 8;
SAVEPOINT b;
UPDATE payment SET status = 'paying' WHERE id = 8;
ROLLBACK TO b;
UPDATE payment SET status = 'failed' WHERE id = 8;
COMMIT;
SELECT status FROM payment WHERE id = 8;
-- the machine is locked again after the savepoint that locked it is gone
BEGIN;
SAVEPOINT a;
UPDATE payment SET note = 'x' WHERE id = 8;
SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'idem.machine'::regclass AND pid = pg_backend_pid();
ROLLBACK TO a;
SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'idem.machine'::regclass AND pid = pg_backend_pid();
UPDATE payment SET note = 'y' WHERE id = 8;
SELECT count(*), min(mode) FROM pg_locks WHERE locktype = 'object' AND classid = 'idem.machine'::regclass AND pid = pg_backend_pid();
COMMIT;

-- ---------------------------------------- who may not read learns nothing
CREATE TABLE secret (id int PRIMARY KEY, status text, note text, other text);
SELECT idem.guard_states('secret', 'status', 'guard_payment', repeat => 'strict');
INSERT INTO secret VALUES (1, 'created'), (2, 'created');
UPDATE secret SET status = 'failed' WHERE id = 2;
GRANT UPDATE (status), INSERT, DELETE ON secret TO regress_idem_app;
GRANT SELECT (id) ON secret TO regress_idem_app;
SET SESSION AUTHORIZATION regress_idem_app;
UPDATE secret SET status = 'refunded' WHERE id = 1;
UPDATE secret SET status = 'refunded' WHERE id = 2;
UPDATE secret SET status = 'created' WHERE id = 1;
DELETE FROM secret WHERE id = 1;
-- ... of other rows: what a role writes itself it knows
INSERT INTO secret VALUES (3, 'paid');
RESET SESSION AUTHORIZATION;

-- -------------------------------------------------------- repeat and delete
-- strict: a whole row saved again is a repeat, too
SELECT * FROM refused($$UPDATE secret SET status = 'created', note = 'n', other = 'o' WHERE id = 1$$);
-- One column beside the state: to name it, too, says nothing.
CREATE TABLE narrow (id int PRIMARY KEY, status text, note text);
SELECT idem.guard_states('narrow', 'status', 'guard_payment', delete => 'final');
INSERT INTO narrow VALUES (1, 'created'), (2, 'created');
SELECT * FROM refused($$UPDATE narrow SET status = 'created', note = 'n'$$);
-- final: finished rows may be archived, others not, and TRUNCATE not
SELECT * FROM refused($$DELETE FROM narrow WHERE id = 1$$);
UPDATE narrow SET status = 'failed' WHERE id = 1;
SELECT * FROM refused($$DELETE FROM narrow WHERE id = 1$$);
SELECT * FROM refused($$TRUNCATE narrow$$);
CREATE TABLE loose (id int PRIMARY KEY, status text);
SELECT idem.guard_states('loose', 'status', 'guard_payment', repeat => 'ignore', delete => 'any');
INSERT INTO loose VALUES (1, 'created'), (2, 'created');
SELECT * FROM refused($$UPDATE loose SET status = 'created'$$);
SELECT * FROM refused($$UPDATE loose SET status = 'refunded'$$);
SELECT * FROM refused($$DELETE FROM loose WHERE id = 1$$);
SELECT * FROM refused($$TRUNCATE loose$$);

-- --------------------------------------------------------- what can follow
-- Of many states only the first are told.
SELECT FROM idem.define_machine('guard_many', (SELECT E'stateDiagram-v2\n[*] --> a\na --> b\nb --> [*]\n' ||
    string_agg(format(E'a --> s%s\ns%s --> [*]', s, s), E'\n') FROM generate_series(1, 12) s));
CREATE TABLE many (id int PRIMARY KEY, status text);
SELECT idem.guard_states('many', 'status', 'guard_many');
INSERT INTO many VALUES (1, 'a');
UPDATE many SET status = 'x';
-- A row that came past the guard into a state of no machine stays there until
-- somebody looks: nothing follows what is not known.
ALTER TABLE many DISABLE TRIGGER USER;
UPDATE many SET status = 'x';
ALTER TABLE many ENABLE TRIGGER USER;
UPDATE many SET status = 'b';

-- ------------------------------------------------- the next version is obeyed
BEGIN;
SELECT effect, change FROM idem.define_machine('guard_payment', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    created --> refunded : skip
    paying --> succeeded : confirm
    paying --> failed : reject
    succeeded --> refunded : refund [late]
    succeeded --> [*]
    failed --> [*]
    refunded --> [*]
$$, loosen => 'test', tighten => 'test');
SELECT * FROM refused($$UPDATE payment SET status = 'refunded' WHERE id = 9$$);
ROLLBACK;
SELECT * FROM refused($$UPDATE payment SET status = 'refunded' WHERE id = 9$$);

-- ------------------------------------------------------------ by hand
-- The trigger function trusts nobody.
SELECT idem.keep_states();
CREATE TABLE byhand (id int PRIMARY KEY, status int);
CREATE TRIGGER t BEFORE INSERT ON byhand FOR EACH ROW EXECUTE FUNCTION idem.keep_states();
SELECT * FROM refused($$INSERT INTO byhand VALUES (1, 1)$$);
DROP TRIGGER t ON byhand;
CREATE TRIGGER t AFTER INSERT ON byhand EXECUTE FUNCTION idem.keep_states('idem=1', 'column=status');
SELECT * FROM refused($$INSERT INTO byhand VALUES (1, 1)$$);
DROP TRIGGER t ON byhand;
CREATE TRIGGER t AFTER INSERT ON byhand FOR EACH ROW EXECUTE FUNCTION idem.keep_states('idem=1', 'column=status');
SELECT * FROM refused($$INSERT INTO byhand VALUES (1, 1)$$);
DROP TRIGGER t ON byhand;
CREATE TRIGGER t AFTER INSERT ON byhand FOR EACH ROW EXECUTE FUNCTION idem.keep_states('idem=1', 'column=status', 'machine=no_such', 'repeat=refuse', 'delete=never', 'history=true');
SELECT * FROM refused($$INSERT INTO byhand VALUES (1, 1)$$);
DROP TRIGGER t ON byhand;
CREATE TRIGGER t AFTER INSERT ON byhand FOR EACH ROW EXECUTE FUNCTION idem.keep_states('idem=1', 'column=status', 'machine=guard_payment', 'repeat=refuse', 'delete=never', 'history=true');
SELECT * FROM refused($$INSERT INTO byhand VALUES (1, 1)$$);
DROP TRIGGER t ON byhand;
-- nor is it asked for rows where it says no column or no machine
CREATE TRIGGER t AFTER INSERT ON byhand FOR EACH ROW EXECUTE FUNCTION idem.keep_states('idem=1', 'machine=guard_many');
CREATE TRIGGER u AFTER INSERT ON byhand FOR EACH ROW EXECUTE FUNCTION idem.keep_states('idem=1', 'column=status');
SELECT DISTINCT version FROM idem.define_machine('guard_many', E'stateDiagram-v2\n[*] --> x\nx --> [*]', loosen => 'test', tighten => 'test');
DROP TABLE byhand;

DROP SCHEMA machine_guard CASCADE;
DELETE FROM idem.machine WHERE name LIKE 'guard\_%';
DROP OWNED BY regress_idem_owner;
DROP ROLE regress_idem_owner, regress_idem_app, regress_idem_risk;
