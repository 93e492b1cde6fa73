--
-- How long a row may stand in a state: guard_states(..., within => ...).
--
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE ROLE regress_within_owner;
CREATE ROLE regress_within_app;
CREATE ROLE regress_within_operator;
CREATE ROLE regress_within_stranger;
CREATE SCHEMA within;
GRANT CREATE, USAGE ON SCHEMA within TO PUBLIC;
SET search_path = within;
DO $$ BEGIN PERFORM idem.grant_operator('regress_within_operator'); END $$;
SELECT version, effect, change FROM idem.define_machine('within', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    paying --> paying : retry
    paying --> succeeded : confirm
    paying --> failed : reject
    paying --> sure : ask [role regress_within_operator]
    sure --> failed
    succeeded --> [*]
    failed --> [*]
    succeeded --> sure : doubt [late]
$$);
CREATE TABLE payment (id bigint PRIMARY KEY, status text NOT NULL, note text);

-- ------------------------------------------------------------ the declaration
SELECT idem.guard_states('payment', 'status', 'within', within => '["paying"]');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.guard_states('payment', 'status', 'within', within => '{"paying": 7200}');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.guard_states('payment', 'status', 'within', within => '{"paying": {"h": "2"}}');
SELECT idem.guard_states('payment', 'status', 'within', within => '{"paying": "soon"}');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.guard_states('payment', 'status', 'within', within => '{"paying": "0 h"}');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.guard_states('payment', 'status', 'within', within => '{"paying": "-1 h"}');
SELECT idem.guard_states('payment', 'status', 'within', within => '{"paying": "1 day -25 hours"}');
SELECT idem.guard_states('payment', 'status', 'within', within => '{"paying": "1 month 1 day"}');
SELECT idem.guard_states('payment', 'status', 'within', within => '{"paying": "36501 days"}');
SELECT idem.guard_states('payment', 'status', 'within', within => '{"payed": "2 h"}');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.guard_states('payment', 'status', 'within', within => '{"succeeded": "2 h"}');
\echo :LAST_ERROR_SQLSTATE
-- Since when a row stands where it stands, its history tells.
SELECT idem.guard_states('payment', 'status', 'within', within => '{"paying": "2 h"}', history => false);
\echo :LAST_ERROR_SQLSTATE
-- A row from before the guard
INSERT INTO payment VALUES (1, 'paying');
SELECT idem.guard_states('payment', 'status', 'within', within => '{"sure": "1.5 days", "paying": "7200000000 us"}');
SELECT tgname, idem.setting(idem.trigger_settings(tgargs), 'within') FROM pg_trigger
    WHERE tgrelid = 'payment'::regclass AND tgname ~ 'states' ORDER BY tgname COLLATE "C";
-- The same again, in another spelling; another one
SET client_min_messages = notice;
SELECT idem.guard_states('payment', 'status', 'within', within => '{"paying": "120 min", "sure": "36 h"}');
SET client_min_messages = warning;
\set VERBOSITY default
SELECT idem.guard_states('payment', 'status', 'within', within => '{"paying": "3 h"}');
\set VERBOSITY terse
SELECT d FROM idem.declarations() d WHERE d ~ 'guard_states' AND d ~ 'within.payment';
SELECT idem.drop_guard('payment', 'states', reason => 'the next part');
-- No time at all is no setting.
SELECT idem.guard_states('payment', 'status', 'within', within => '{}', history => false);
SELECT idem.setting(idem.trigger_settings(tgargs), 'within') IS NULL AS none FROM pg_trigger
    WHERE tgrelid = 'payment'::regclass AND tgname ~ 'states_status';
SELECT idem.drop_guard('payment', 'states', reason => 'the next part');

-- ------------------------------------------------------------ what is stuck
CREATE VIEW shown AS SELECT what, relation, key, state, next_states, unread, since <= clock_timestamp() AS since, due - since AS within
    FROM idem.stuck WHERE relation::text ~ '^(within\.)?(payment|part|shard|label|mood|stranger|locked)';
SELECT idem.guard_states('payment', 'status', 'within', within => '{"paying": "3 ms", "sure": "2 h"}', repeat => 'ignore');
INSERT INTO payment VALUES (2, 'created'), (3, 'created'), (4, 'created'), (5, 'created');
UPDATE payment SET status = 'paying' WHERE id IN (2, 3, 4);
SELECT pg_sleep(0.01);
SELECT * FROM shown;
-- Without a history: since the guard was declared; with one: since it says so
SELECT s.key, s.since = CASE s.key WHEN '1' THEN g.declared_at ELSE l.at END AS as_known
    FROM idem.stuck s JOIN idem.guards g ON g.relation = s.relation AND g.kind = 'states'
    LEFT JOIN idem.transition_log l ON l.relation = s.relation AND l.key = s.key AND l.to_state = 'paying'
    WHERE s.relation = 'payment'::regclass ORDER BY s.key;
-- An event that leads from the state into itself does not begin it anew.
SELECT outcome FROM idem.transition('payment', 2, 'paying', event => 'retry');
SELECT outcome FROM idem.transition('payment', 2, 'paying', event => 'retry');
SELECT s.since = (SELECT min(l.at) FROM idem.transition_log l WHERE l.relation = 'payment'::regclass AND l.key = '2' AND l.to_state = 'paying') AS first
    FROM idem.stuck s WHERE s.relation = 'payment'::regclass AND s.key = '2';
-- Who leaves is not stuck, nor is a row whose time has not come; what comes back is there since then.
UPDATE payment SET status = 'succeeded' WHERE id IN (1, 2);
UPDATE payment SET status = 'sure' WHERE id = 2;
SELECT key, state FROM shown;
-- It is now that counts, at each isolation level.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM idem.scope WHERE name = 'within';
UPDATE payment SET note = 'x' WHERE id = 3;
SELECT key, state FROM shown;
ROLLBACK;
-- A row that was changed past the guard has stood there no longer than since its last transition.
SELECT name FROM idem.guards WHERE relation = 'payment'::regclass AND kind = 'states';
SET idem.allow_unguarded = 'to see';
ALTER TABLE payment DISABLE TRIGGER idem_states_status;
UPDATE payment SET status = 'paying' WHERE id = 5;
ALTER TABLE payment ENABLE ALWAYS TRIGGER idem_states_status;
RESET idem.allow_unguarded;
SELECT s.since = l.at AS last FROM idem.stuck s JOIN idem.transition_log l ON l.relation = s.relation AND l.key = s.key
    WHERE s.relation = 'payment'::regclass AND s.key = '5';
-- A version in which the state is final: rows are not meant to leave it.
BEGIN;
UPDATE idem.transition_log SET at = at - interval '3 hours' WHERE relation = 'payment'::regclass AND key = '2';
SELECT state, clock_timestamp() - since > interval '3 hours' AS long FROM idem.stuck WHERE relation = 'payment'::regclass AND key = '2';
SELECT effect, change FROM idem.define_machine('within', replace(replace(idem.machine_diagram('within'), 'sure --> failed', E'sure --> [*]'), 'paying --> [*]', ''), loosen => 'to see', tighten => 'to see');
SELECT state FROM idem.stuck WHERE relation = 'payment'::regclass AND key = '2';

-- ------------------------------------------------------------ how many
SELECT relation, state_column, state, rows, oldest IS NOT NULL AS oldest, overdue, unread FROM idem.state_counts()
    WHERE relation = 'payment'::regclass ORDER BY state;
ROLLBACK;

-- ------------------------------------------------------------ kinds of tables
SELECT FROM idem.define_machine('within_label', $$
stateDiagram-v2
    [*] --> new
    new --> Zahlung_läuft
    new --> gone
    Zahlung_läuft --> done
    gone --> done
    done --> [*]
$$);
-- Partitioned, with a key of two columns, one of them a time
CREATE TABLE part (day timestamptz NOT NULL, "Id" int NOT NULL, status varchar(20) NOT NULL, PRIMARY KEY (day, "Id")) PARTITION BY RANGE (day);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2026-11-01') TO ('2026-12-01');
CREATE TABLE part_2 PARTITION OF part DEFAULT;
SELECT idem.guard_states('part', 'status', 'within_label', within => '{"Zahlung_läuft": "1 ms", "gone": "1 h"}');
INSERT INTO part VALUES ('2026-11-03 12:00+00', 1, 'new'), ('2027-01-01 00:00+00', 2, 'new');
UPDATE part SET status = 'Zahlung_läuft';
-- An enum that lacks a state, and a domain over one
CREATE TYPE label AS ENUM ('new', 'Zahlung_läuft', 'done');
CREATE FUNCTION spy(value text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'spy runs as %', CASE current_user WHEN session_user THEN 'whoever writes' ELSE current_user END; RETURN true; END $$;
CREATE DOMAIN mood AS label CHECK (spy(VALUE::text));
CREATE TABLE labelled (id int PRIMARY KEY, status label NOT NULL);
CREATE TABLE moody (id int PRIMARY KEY, status mood NOT NULL);
SELECT idem.guard_states('labelled', 'status', 'within_label', within => '{"gone": "1 ms", "Zahlung_läuft": "1 ms"}');
SELECT idem.guard_states('moody', 'status', 'within_label', within => '{"gone": "1 ms", "Zahlung_läuft": "1 ms"}');
INSERT INTO labelled VALUES (1, 'new');
INSERT INTO moody VALUES (1, 'new');
UPDATE labelled SET status = 'Zahlung_läuft';
UPDATE moody SET status = 'Zahlung_läuft';
SELECT pg_sleep(0.002);
SELECT * FROM shown WHERE relation <> 'payment'::regclass;
-- The key is as idem.history takes it.
SELECT h.to_state FROM idem.stuck s, idem.history(s.relation, s.key) h WHERE s.relation = 'part'::regclass AND s.key ~ '2027';
SELECT relation, state, rows, overdue FROM idem.state_counts() WHERE relation IN ('part'::regclass, 'labelled'::regclass) ORDER BY relation::text, state COLLATE "C";

-- ------------------------------------------------------------ the doctor
SELECT severity, object, regexp_replace(finding, 'since .*', 'since ...') AS finding, remedy FROM idem.doctor() WHERE remedy ~ 'idem.stuck';
-- A large table without an index that finds rows under way
CREATE TABLE large (id bigint PRIMARY KEY, status text NOT NULL);
SELECT idem.guard_states('large', 'status', 'within_label', within => '{"new": "2 h", "gone": "2 h"}');
UPDATE pg_class SET reltuples = 1000000 WHERE oid = 'large'::regclass;
SELECT severity, object, finding, remedy FROM idem.machine_problems WHERE object ~ 'large';
CREATE INDEX ON large (id) WHERE status = 'new';
SELECT severity, object, finding, remedy FROM idem.machine_problems WHERE object ~ 'large';
DROP TABLE large;

-- ------------------------------------------------------------ who may look
-- The table is read as its owner, whatever row security says; nobody lends rights.
ALTER TABLE payment OWNER TO regress_within_owner;
ALTER TABLE payment ENABLE ROW LEVEL SECURITY;
ALTER TABLE payment FORCE ROW LEVEL SECURITY;
CREATE POLICY nothing ON payment USING (spy(status) AND false);
GRANT SELECT ON shown TO PUBLIC;
SET ROLE regress_within_operator;
SELECT * FROM payment;
SELECT key, state FROM idem.stuck WHERE relation = 'within.payment'::regclass ORDER BY key;
RESET ROLE;
GRANT SELECT ON payment TO regress_within_operator;
SET ROLE regress_within_operator;
SELECT key, state FROM idem.stuck WHERE relation = 'within.payment'::regclass;
RESET ROLE;
ALTER TABLE payment DISABLE ROW LEVEL SECURITY;
-- What an owner can have run by a look runs as the owner: what is constant is computed when a plan is made.
SET ROLE regress_within_owner;
CREATE FUNCTION trap(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN IF current_user <> 'regress_within_owner' THEN RAISE EXCEPTION 'runs as %', current_user USING ERRCODE = '42P17'; END IF; RETURN true; END $$;
CREATE INDEX ON payment (id) WHERE trap('');
RESET ROLE;
\c -
SET search_path = within;
SET client_min_messages = warning;
\set VERBOSITY terse
SET ROLE regress_within_operator;
SELECT key, state FROM idem.stuck WHERE relation = 'within.payment'::regclass ORDER BY key;
SELECT * FROM idem.stuck_states();
SELECT * FROM idem.states_stuck;
RESET ROLE;
SET ROLE regress_within_app;
SELECT * FROM idem.stuck;
SELECT * FROM idem.stuck_rows();
RESET ROLE;
-- A trigger that a stranger makes by hand, and that names the machine, has nobody read anything.
SET ROLE regress_within_stranger;
CREATE TABLE stranger (id int PRIMARY KEY, status text NOT NULL);
CREATE TRIGGER idem_states_status AFTER INSERT OR UPDATE OR DELETE ON stranger FOR EACH ROW
    EXECUTE FUNCTION idem.keep_states('idem=1', 'column=status', 'machine=within', 'repeat=refuse', 'delete=never', 'history=true', 'within={created,00:00:00.000001}');
INSERT INTO stranger VALUES (1, 'created');
RESET ROLE;
SELECT count(*) FROM idem.stuck WHERE relation = 'stranger'::regclass;
SELECT count(*) FROM idem.state_counts() WHERE relation = 'stranger'::regclass;
-- What cannot be looked at is said, and hides nothing else.
SET idem.allow_unguarded = 'to see';
ALTER TABLE labelled RENAME status TO state;
RESET idem.allow_unguarded;
SELECT relation, key, state, unread FROM idem.stuck WHERE relation IN ('labelled'::regclass, 'moody'::regclass);

SET search_path = public;
DROP SCHEMA within CASCADE;
DO $$ BEGIN EXECUTE (SELECT string_agg(format('DROP OWNED BY %I', r), ';') FROM unnest('{regress_within_owner,regress_within_app,regress_within_operator,regress_within_stranger}'::text[]) r); END $$;
DROP ROLE regress_within_owner, regress_within_app, regress_within_operator, regress_within_stranger;
DELETE FROM idem.machine WHERE name IN ('within', 'within_label');
