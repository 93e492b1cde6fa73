--
-- machine_transition: what becomes of a message, and what is remembered of it
--
CREATE ROLE regress_idem_owner;
CREATE ROLE regress_idem_app;
CREATE ROLE regress_idem_risk;
SELECT FROM idem.grant_admin('regress_idem_owner');
REVOKE SELECT ON ALL TABLES IN SCHEMA idem FROM regress_idem_owner;
CREATE SCHEMA machine_transition AUTHORIZATION regress_idem_owner;
GRANT USAGE ON SCHEMA machine_transition TO regress_idem_app, regress_idem_risk;
GRANT EXECUTE ON FUNCTION idem.transition(regclass, text, text, text, text[], jsonb, name), idem.history(regclass, text, name) TO regress_idem_app, regress_idem_risk;
SET search_path = machine_transition;
SET SESSION AUTHORIZATION regress_idem_owner;

SELECT FROM idem.define_machine('transition_m', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    created --> failed : cancel
    created --> failed : expire
    paying --> succeeded : confirm
    paying --> failed : reject
    succeeded --> succeeded : partial_refund
    succeeded --> refunded : refund [late]
    succeeded --> failed : bank_return [late] [role regress_idem_risk]
    succeeded --> [*]
    failed --> [*]
    refunded --> [*]
$$);
CREATE TABLE payment (id int PRIMARY KEY, status text, channel_no varchar(10), fee numeric(10,2), note jsonb);
SELECT idem.guard_states('payment', 'status', 'transition_m', actor => 'app.worker');
GRANT SELECT, INSERT, UPDATE ON payment TO regress_idem_app, regress_idem_risk;

SET SESSION AUTHORIZATION regress_idem_app;
SET application_name = 'consumer';
SET app.worker = 'number 7';
INSERT INTO payment VALUES (1, 'created'), (2, 'created'), (3, 'created');

-- --------------------------------------------------------------- the outcomes
SELECT * FROM idem.transition('payment', '1', 'paying');
SELECT * FROM idem.transition('payment', '1', 'succeeded', set => '{"channel_no": "C1", "fee": 0.5, "note": {"a": 1}}');
-- the message comes again: do not push the business again
SELECT * FROM idem.transition('payment', '1', 'succeeded', set => '{"channel_no": "C1", "fee": "0.50"}');
SELECT * FROM idem.transition('payment', '1', 'succeeded', event => 'confirm');
-- ... with something else in it: somebody has to look
SELECT * FROM idem.transition('payment', '1', 'succeeded', set => '{"channel_no": "C2"}');
SELECT * FROM idem.transition('payment', '1', 'succeeded', set => '{"note": {"a": 2}}');
SELECT * FROM idem.transition('payment', '1', 'succeeded', set => '{"fee": null}');
-- a late one: the row was there and moved on
SELECT * FROM idem.transition('payment', '1', 'paying');
-- one that cannot be: it never was there
SELECT * FROM idem.transition('payment', '2', 'refunded');
-- from_states: only from where the sender thinks it is
SELECT * FROM idem.transition('payment', '2', 'paying', from_states => '{succeeded,failed}');
SELECT * FROM idem.transition('payment', '2', 'paying', from_states => '{created}');
SELECT * FROM idem.transition('payment', '99', 'paying');
-- an event decides which of two edges it is
SELECT * FROM idem.transition('payment', '3', 'failed');
SELECT * FROM idem.transition('payment', '3', 'failed', event => 'confirm');
SELECT * FROM idem.transition('payment', '3', 'failed', event => 'expire');
-- a self-loop is an event, as often as it comes
SELECT * FROM idem.transition('payment', '1', 'succeeded', event => 'partial_refund', set => '{"fee": 1}');
SELECT * FROM idem.transition('payment', '1', 'succeeded', event => 'partial_refund', set => '{"fee": 2}');
-- an edge of a role
SELECT * FROM idem.transition('payment', '1', 'failed');
SET SESSION AUTHORIZATION regress_idem_risk;
SELECT * FROM idem.transition('payment', '1', 'failed');
SELECT * FROM payment ORDER BY id;
-- a batch of messages in one query
SELECT key, t.* FROM (VALUES ('1', 'paying'), ('3', 'failed'), ('99', 'failed')) message (key, state),
    LATERAL idem.transition('payment', key, state) t;
SELECT key, (idem.transition('payment', key, state)).outcome
    FROM (VALUES ('1', 'paying'), ('3', 'failed'), ('99', 'failed')) message (key, state);

-- ------------------------------------------------------------------- history
SELECT from_state, to_state, event, session_role, role, actor, application,
    at <= clock_timestamp() AS past, transaction < pg_current_xact_id() AS before
    FROM idem.history('payment', '1');
SELECT from_state, to_state, event FROM idem.history('payment', ' 03 ');
SELECT from_state, to_state, event FROM idem.history('payment', '99');
-- what is refused or rolled back leaves nothing
RESET SESSION AUTHORIZATION;
BEGIN;
SELECT outcome FROM idem.transition('payment', '2', 'succeeded');
SELECT count(*) FROM idem.history('payment', '2');
ROLLBACK;
SELECT from_state, to_state FROM idem.history('payment', '2');
-- each transition has its number in the history of its row; one that was rolled
-- back leaves no gap
BEGIN;
SAVEPOINT a;
UPDATE payment SET status = 'succeeded' WHERE id = 2;
ROLLBACK TO a;
SELECT outcome FROM idem.transition('payment', '2', 'failed');
SELECT key, n, from_state, to_state FROM idem.transition_log WHERE relation = 'payment'::regclass ORDER BY key, n;
ROLLBACK;
-- nobody but the guards writes it
SET SESSION AUTHORIZATION regress_idem_owner;
INSERT INTO idem.transition_log DEFAULT VALUES;
DELETE FROM idem.transition_log;
SELECT * FROM idem.transition_log;

-- They do not come from a sequence: lastval() is the application's, which
-- has no rights on tables of idem.
RESET SESSION AUTHORIZATION;
CREATE TABLE numbered (id bigint GENERATED ALWAYS AS IDENTITY (START WITH 500) PRIMARY KEY, status text);
SELECT idem.guard_states('numbered', 'status', 'transition_m');
GRANT SELECT, INSERT, UPDATE ON numbered TO regress_idem_app;
GRANT USAGE ON SEQUENCE numbered_id_seq TO regress_idem_app;
SET SESSION AUTHORIZATION regress_idem_app;
INSERT INTO numbered (status) VALUES ('created'), ('created') RETURNING id;
SELECT lastval();
UPDATE numbered SET status = 'paying';
SELECT outcome FROM idem.transition('numbered', '500', 'succeeded');
SELECT lastval();
RESET SESSION AUTHORIZATION;
SELECT to_state FROM idem.history('numbered', '500');
-- What an administrator hangs on the log is kept as well: a column, an index on
-- an expression, one on some of the rows.
BEGIN;
ALTER TABLE idem.transition_log ADD COLUMN note text DEFAULT current_setting('application_name'), ADD COLUMN free int;
CREATE INDEX transition_log_upper ON idem.transition_log (upper(key));
CREATE INDEX transition_log_failed ON idem.transition_log (at) WHERE to_state = 'failed';
INSERT INTO numbered (status) VALUES ('created');
SELECT outcome FROM idem.transition('numbered', '502', 'failed', event => 'cancel');
SET LOCAL enable_seqscan = off;
SELECT n, to_state, note, free FROM idem.transition_log WHERE upper(key) = '502' ORDER BY n;
SELECT key, n FROM idem.transition_log WHERE to_state = 'failed' AND relation = 'numbered'::regclass AND at > '-infinity';
ROLLBACK;
-- without its primary key it takes nothing
BEGIN;
SET LOCAL idem.allow_unguarded = 'a test';
ALTER TABLE idem.transition_log DROP CONSTRAINT transition_log_pkey;
INSERT INTO numbered (status) VALUES ('created');
ROLLBACK;

-- -------------------------------------------------------------------- misuse
RESET SESSION AUTHORIZATION;
SELECT idem.transition('payment', '2', 'paid');
SELECT idem.transition('payment', '2', 'failed', event => 'nothing');
SELECT idem.transition('payment', '2', 'failed', from_states => '{paid}');
SELECT idem.transition('payment', 'two', 'failed');
SELECT idem.transition('payment', NULL, 'failed');
SELECT idem.transition('payment', '2', NULL);
SELECT idem.transition(NULL, '2', 'failed');
SELECT idem.transition('payment', '2', 'failed', set => '[]');
SELECT idem.transition('payment', '2', 'failed', set => '{"status": "paying"}');
SELECT idem.transition('payment', '2', 'failed', set => '{"id": 3}');
SELECT idem.transition('payment', '2', 'failed', set => '{"nix": 3}');
SELECT idem.transition('payment', '2', 'failed', set => '{"channel_no": "longer than ten"}');
SELECT idem.transition('payment', '2', 'failed', state_column => 'note');
SELECT idem.transition('pg_class', '2', 'failed');
SELECT status FROM payment WHERE id = 2;

-- ------------------------------------------------- the rights are the caller's
CREATE TABLE private (id int PRIMARY KEY, status text, note text);
ALTER TABLE private OWNER TO regress_idem_owner;
SELECT idem.guard_states('private', 'status', 'transition_m');
INSERT INTO private VALUES (1, 'created'), (2, 'created');
SET SESSION AUTHORIZATION regress_idem_app;
SELECT idem.transition('private', '1', 'paying');
SELECT idem.history('private', '1');
RESET SESSION AUTHORIZATION;
GRANT SELECT ON private TO regress_idem_app;
SET SESSION AUTHORIZATION regress_idem_app;
SELECT idem.transition('private', '1', 'paying');
RESET SESSION AUTHORIZATION;
GRANT UPDATE (status) ON private TO regress_idem_app;
SET SESSION AUTHORIZATION regress_idem_app;
SELECT idem.transition('private', '1', 'paying');
SELECT idem.transition('private', '1', 'succeeded', set => '{"note": "x"}');
RESET SESSION AUTHORIZATION;
ALTER TABLE private ENABLE ROW LEVEL SECURITY;
CREATE POLICY only_one ON private TO regress_idem_app USING (id = 1);
SET SESSION AUTHORIZATION regress_idem_app;
SELECT idem.transition('private', '1', 'succeeded');
SELECT idem.transition('private', '2', 'paying');
SELECT idem.history('private', '2');
RESET SESSION AUTHORIZATION;

-- ------------------------------------------------ other triggers of the table
-- One that answers with a transition of another row: each takes its own edge.
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM idem.transition('machine_transition.private', '2', 'paying');
    RETURN NULL;
END $$;
ALTER TABLE private DISABLE ROW LEVEL SECURITY;
CREATE TRIGGER aaa AFTER UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION follow();
SELECT idem.transition('payment', '2', 'succeeded');
SELECT id, payment.status, private.status FROM payment JOIN private USING (id) ORDER BY id;
DROP TRIGGER aaa ON payment;
-- One that writes another row on the way cannot pass for the announced one.
UPDATE private SET status = 'succeeded' WHERE id = 2;
CREATE FUNCTION ride_along() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 1 THEN
        UPDATE machine_transition.private SET status = 'succeeded' WHERE id = 2;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER aaa BEFORE UPDATE ON private FOR EACH ROW EXECUTE FUNCTION ride_along();
SELECT idem.transition('private', '1', 'succeeded', event => 'partial_refund');
DROP TRIGGER aaa ON private;
SELECT id, status FROM private ORDER BY id;
-- One that takes the edge out of the machine on the way: it is gone.
CREATE TABLE shrinking (id int PRIMARY KEY, status text);
SELECT FROM idem.define_machine('transition_shrinking', E'stateDiagram-v2\n[*] --> a\na --> b\na --> c\nb --> [*]\nc --> [*]');
SELECT idem.guard_states('shrinking', 'status', 'transition_shrinking');
INSERT INTO shrinking VALUES (1, 'a');
CREATE FUNCTION shrink() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM idem.define_machine('transition_shrinking', E'stateDiagram-v2\n[*] --> a\n[*] --> b\na --> c\nb --> [*]\nc --> [*]',
        loosen => 'test', tighten => 'test');
    RETURN NEW;
END $$;
CREATE TRIGGER aaa BEFORE UPDATE ON shrinking FOR EACH ROW EXECUTE FUNCTION shrink();
SELECT idem.transition('shrinking', '1', 'b');
-- One that bends or skips the change is not covered up.
CREATE FUNCTION bend() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.note = '"skip"' THEN RETURN NULL; END IF;
    NEW.status := 'failed';
    RETURN NEW;
END $$;
SET SESSION AUTHORIZATION regress_idem_risk;
INSERT INTO payment VALUES (4, 'created');
RESET SESSION AUTHORIZATION;
CREATE TRIGGER zzz BEFORE UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION bend();
SELECT idem.transition('payment', '4', 'paying');
SELECT idem.transition('payment', '4', 'paying', set => '{"note": "skip"}');
DROP TRIGGER zzz ON payment;
SELECT status FROM payment WHERE id = 4;
-- One that goes on at once fires before the guard does: history keeps the
-- order of the row, not that of the triggers.
CREATE TABLE hasty (id int PRIMARY KEY, status text);
SELECT idem.guard_states('hasty', 'status', 'transition_m', delete => 'any');
CREATE FUNCTION go_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO machine_transition.hasty VALUES (OLD.id, 'created');
    ELSIF NEW.status = 'created' THEN
        UPDATE machine_transition.hasty SET status = 'paying' WHERE id = NEW.id;
    ELSIF NEW.status = 'paying' THEN
        UPDATE machine_transition.hasty SET status = 'succeeded' WHERE id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER aaa AFTER INSERT OR UPDATE ON hasty FOR EACH ROW EXECUTE FUNCTION go_on();
INSERT INTO hasty VALUES (1, 'created');
SELECT from_state, to_state FROM idem.transition_log WHERE relation = 'hasty'::regclass ORDER BY n;
SELECT from_state, to_state FROM idem.history('hasty', '1');
DROP TRIGGER aaa ON hasty;
-- ... and what was before a deletion is not taken for what came after it
CREATE TRIGGER aaa AFTER DELETE ON hasty FOR EACH ROW EXECUTE FUNCTION go_on();
BEGIN;
DELETE FROM hasty;
SAVEPOINT a;
UPDATE hasty SET status = 'paying';
SELECT from_state, to_state FROM idem.history('hasty', '1');
SELECT outcome FROM idem.transition('hasty', '1', 'created');
SELECT outcome FROM idem.transition('hasty', '1', 'refunded');
COMMIT;
-- The search path is not trusted: an operator of somebody else is not used.
CREATE FUNCTION always(int, int) RETURNS boolean LANGUAGE sql RETURN true;
CREATE OPERATOR = (LEFTARG = int, RIGHTARG = int, FUNCTION = always);
SET search_path = machine_transition, pg_catalog;
SELECT outcome FROM idem.transition('payment', '4', 'paying');
SELECT id FROM payment WHERE status OPERATOR(pg_catalog.=) 'paying';
SET search_path = machine_transition;
DROP OPERATOR machine_transition.= (int, int);

-- --------------------------------------- a role, and a foreign key that writes
-- A foreign key may write the state.  Who changes the row it points to is who
-- takes the edge, not the owner of the table, as whom the server does it.
CREATE TABLE phase (name text PRIMARY KEY);
INSERT INTO phase VALUES ('created'), ('paying'), ('succeeded');
CREATE TABLE bound (id int PRIMARY KEY, status text REFERENCES phase ON UPDATE CASCADE);
ALTER TABLE bound OWNER TO regress_idem_risk;
ALTER TABLE phase OWNER TO regress_idem_risk;
SELECT idem.guard_states('bound', 'status', 'transition_m');
INSERT INTO bound VALUES (1, 'created'), (2, 'created');
UPDATE bound SET status = 'paying';
UPDATE bound SET status = 'succeeded';
GRANT SELECT, UPDATE ON phase, bound TO regress_idem_app;
GRANT CREATE ON SCHEMA machine_transition TO regress_idem_risk;
SET SESSION AUTHORIZATION regress_idem_risk;
CREATE FUNCTION bank_return(payment int) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = machine_transition, pg_temp
    AS $$UPDATE bound SET status = 'failed' WHERE id = payment$$;
SET SESSION AUTHORIZATION regress_idem_app;
UPDATE phase SET name = 'failed' WHERE name = 'succeeded';
-- nor does a function of the risk role lend the edge here, as it does elsewhere
RESET SESSION AUTHORIZATION;
INSERT INTO phase VALUES ('failed');
SET SESSION AUTHORIZATION regress_idem_app;
SELECT bank_return(1);
RESET SESSION AUTHORIZATION;
DELETE FROM phase WHERE name = 'failed';
SET SESSION AUTHORIZATION regress_idem_risk;
UPDATE phase SET name = 'failed' WHERE name = 'succeeded';
RESET SESSION AUTHORIZATION;
ALTER TABLE bound DROP CONSTRAINT bound_status_fkey;
INSERT INTO bound VALUES (3, 'created');
UPDATE bound SET status = 'paying' WHERE id = 3;
UPDATE bound SET status = 'succeeded' WHERE id = 3;
SET SESSION AUTHORIZATION regress_idem_app;
SELECT bank_return(3);
RESET SESSION AUTHORIZATION;
SELECT * FROM bound ORDER BY id;
SELECT from_state, to_state, event FROM idem.history('bound', '2');
-- one that only points, at a list of all states, writes nothing
INSERT INTO phase VALUES ('succeeded');
ALTER TABLE bound ADD FOREIGN KEY (status) REFERENCES phase;
INSERT INTO bound VALUES (4, 'created');
UPDATE bound SET status = 'paying' WHERE id = 4;
UPDATE bound SET status = 'succeeded' WHERE id = 4;
SET SESSION AUTHORIZATION regress_idem_app;
SELECT bank_return(4);
RESET SESSION AUTHORIZATION;
SELECT status FROM bound WHERE id = 4;

-- ------------------------------------------------------------- every kind of key
CREATE TYPE size AS ENUM ('small', 'large');
CREATE TABLE keys (day date, "No" int, size size, at timestamptz, name varchar(20),
    status size, other size, PRIMARY KEY ("No", day, size, at, name));
SELECT FROM idem.define_machine('transition_size', E'stateDiagram-v2\n[*] --> small\nsmall --> large : grow\nlarge --> [*]');
SELECT idem.guard_states('keys', 'status', 'transition_size');
SET datestyle = 'German';
SET timezone = 'Asia/Shanghai';
INSERT INTO keys VALUES ('22.11.2026', 1, 'large', '2026-11-22 08:00+08', 'a "b"', 'small', 'small');
SELECT key, to_state FROM idem.transition_log WHERE relation = 'keys'::regclass;
SELECT idem.transition('keys', '{"No": 1, "day": "2026-11-22", "size": "large", "at": "2026-11-22 00:00:00+00", "name": "a \"b\""}', 'large');
RESET datestyle;
RESET timezone;
SELECT from_state, to_state, event FROM idem.history('keys', '{"name": "a \"b\"", "at": "2026-11-22 01:00+01", "day": "2026-11-22", "size": "large", "No": "1"}');
SELECT idem.transition('keys', '1', 'large');
SELECT idem.transition('keys', '{"No": 1}', 'large');
SELECT idem.transition('keys', '{"No": 1, "day": "2026-11-22", "size": "large", "at": "2026-11-22 00:00:00+00", "x": "y"}', 'large');
SELECT idem.transition('keys', '{"No": 1, "day": "2026-11-22", "size": "large", "at": "2026-11-22 00:00:00+00", "name": null}', 'large');
-- A key is asked for in any spelling that is equal to the one of the row; where
-- the row is gone, as it was spelled.
CREATE TABLE decimals (no numeric PRIMARY KEY, status size);
SELECT idem.guard_states('decimals', 'status', 'transition_size', delete => 'any');
INSERT INTO decimals VALUES (1.0, 'small'), (2.50, 'small');
SELECT outcome FROM idem.transition('decimals', '1', 'large');
SELECT from_state, to_state FROM idem.history('decimals', '1');
SELECT from_state, to_state FROM idem.history('decimals', '1.000');
DELETE FROM decimals;
SELECT count(*) FROM idem.history('decimals', '1');
SELECT count(*) FROM idem.history('decimals', '1.0');
CREATE TABLE tested (id int, test boolean, status text, PRIMARY KEY (id, test));
SELECT idem.guard_states('tested', 'status', 'transition_size');
INSERT INTO tested VALUES (1, true, 'small'), (1, false, 'small');
SELECT outcome FROM idem.transition('tested', '{"id": 1, "test": true}', 'large');
SELECT outcome FROM idem.transition('tested', '{"id": 1, "test": false}', 'small');
TABLE tested;
-- two guarded columns: say which
SELECT idem.guard_states('keys', 'other', 'transition_size');
SELECT idem.transition('keys', '{}', 'large');
SELECT outcome FROM idem.transition('keys', '{"No": 1, "day": "2026-11-22", "size": "large", "at": "2026-11-22 00:00:00+00", "name": "a \"b\""}', 'large', state_column => 'other');

-- ---------------------------------------------------------------- partitions
CREATE TABLE parts (id int, status text, note text, PRIMARY KEY (id, status)) PARTITION BY LIST (status);
CREATE TABLE parts_live PARTITION OF parts FOR VALUES IN ('created', 'paying');
CREATE TABLE parts_done (note text, status text NOT NULL, id int NOT NULL);
ALTER TABLE parts ATTACH PARTITION parts_done DEFAULT;
SELECT idem.guard_states('parts', 'status', 'transition_m', delete => 'final');
INSERT INTO parts VALUES (1, 'created');
SELECT * FROM idem.transition('parts', '1', 'failed', event => 'cancel', set => '{"note": "moved"}');
SELECT tableoid::regclass, * FROM parts;
-- a row that was archived left its history
DELETE FROM parts;
SELECT from_state, to_state, event FROM idem.history('parts', '1');
SELECT DISTINCT relation FROM idem.transition_log WHERE relation::text LIKE 'parts%';

-- --------------------------------------------------------------- no history
CREATE TABLE quick (id int PRIMARY KEY, status text);
SELECT idem.guard_states('quick', 'status', 'transition_m', history => false);
INSERT INTO quick VALUES (1, 'created');
SELECT * FROM idem.transition('quick', '1', 'paying');
SELECT * FROM idem.transition('quick', '1', 'created');
SELECT * FROM idem.history('quick', '1');
SELECT idem.guard_states('quick', 'status', 'transition_m', history => NULL);
SELECT idem.guard_states('quick', 'status', 'transition_m', actor => 'user');

DROP SCHEMA machine_transition CASCADE;
DELETE FROM idem.machine WHERE name LIKE 'transition\_%';
DROP OWNED BY regress_idem_owner, regress_idem_app, regress_idem_risk;
DROP ROLE regress_idem_owner, regress_idem_app, regress_idem_risk;
