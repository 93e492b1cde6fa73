--
-- What programs that count see: views stat_*, and idem.status().
--
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE ROLE regress_watch_monitor;
CREATE ROLE regress_watch_owner;
CREATE SCHEMA watch;
GRANT USAGE, CREATE ON SCHEMA watch TO regress_watch_owner;
DO $$ BEGIN PERFORM idem.grant_monitor('regress_watch_monitor'); END $$;

-- ------------------------------------------------------------ something to count
SELECT FROM idem.define_machine('watch_payment', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    paying --> succeeded : confirm
    paying --> failed : reject
    succeeded --> [*]
    failed --> [*]
$$);
CREATE TABLE watch.payment (id bigint PRIMARY KEY, amount money_micro NOT NULL, currency text NOT NULL, status text NOT NULL);
CREATE TABLE watch.chargeback (id bigint PRIMARY KEY, payment_id bigint NOT NULL REFERENCES watch.payment, amount money_micro NOT NULL, currency text NOT NULL);
CREATE TABLE watch.reversal (LIKE watch.chargeback INCLUDING ALL, FOREIGN KEY (payment_id) REFERENCES watch.payment);
SELECT idem.guard_states('watch.payment', 'status', 'watch_payment', within => '{"paying": "1 ms"}');
SELECT idem.guard_limit('watch.chargeback', 'payment_id', amount => 'amount', cap => 'amount', used => 'used', excess => 'over', facts => '{*}', same => '{"currency":"currency"}');
SELECT idem.guard_limit('watch.reversal', 'payment_id', amount => 'amount', cap => 'amount', used => 'used', excess => 'over', facts => '{*}', same => '{"currency":"currency"}');
INSERT INTO watch.payment VALUES (4711, '100', 'EUR', 'created'), (4712, '100', 'EUR', 'created'), (4713, '50', 'JPY', 'created');
UPDATE watch.payment SET status = 'paying' WHERE id <> 4713;
INSERT INTO watch.chargeback VALUES (1, 4711, '130', 'EUR'), (2, 4712, '101.5', 'EUR');
SELECT idem.create_scope('watch payout', effect => 'outside', fields => '{payee}');
SELECT outcome FROM idem.reserve('watch payout', 'secret-1', '{"payee":"secret","amount":12.5,"currency":"EUR"}');
SELECT outcome FROM idem.reserve('watch payout', 'secret-2', '{"payee":"secret","amount":"7.50","currency":"EUR"}');
SELECT outcome FROM idem.reserve('watch payout', 'secret-3', '{"payee":"secret","amount":"a secret","currency":"a secret"}');
CALL idem.dispatch('watch payout', 'secret-2', 1) \gset
UPDATE idem.reservation SET first_seen = first_seen - interval '2 hours', due_at = due_at - interval '2 hours' WHERE key = 'secret-2';
SELECT FROM idem.pause('scope', 'watch payout', reason => 'to see');
SELECT pg_sleep(0.002);

-- ------------------------------------------------------------ what is seen
\c -
\set VERBOSITY terse
SET SESSION AUTHORIZATION regress_watch_monitor;
SET intervalstyle = 'postgres';
SELECT scope, channel, state, keys, clock_timestamp() - oldest < interval '1 hour' AS new, overdue FROM idem.stat_claims WHERE scope = 'watch payout' ORDER BY state;
SELECT le, keys FROM idem.stat_claim_ages WHERE scope = 'watch payout' ORDER BY le::float;
SELECT state, currency, keys, amount FROM idem.stat_amounts WHERE scope = 'watch payout' ORDER BY state, currency;
SELECT relation, state_column, state, rows, oldest IS NOT NULL AS oldest, overdue, unread FROM idem.stat_states WHERE relation ~ '^watch' ORDER BY state;
SELECT what, relation, state, rows, oldest IS NOT NULL AS oldest, unread FROM idem.stat_overdue WHERE relation ~ '^watch';
-- Two limits share the column: it is counted once.
SELECT * FROM idem.stat_excess WHERE relation ~ '^watch';
SELECT severity, findings >= 0 AS counted FROM idem.stat_findings ORDER BY 1;
SELECT kind, guards > 0 AS some, broken < guards AS intact FROM idem.stat_guards WHERE kind IN ('states', 'limit') ORDER BY 1;
SELECT * FROM idem.stat_codes WHERE interface ~ '^watch';
SELECT kind, name, dispatched, reserved FROM idem.pauses WHERE name ~ '^watch';
SELECT item, well, regexp_replace(said, '\d{4}-\S+ \S+', '...') AS said, see FROM idem.status() WHERE item IN ('pauses', 'stuck', 'excess');
-- with the keys of whoever else is in this database
SELECT item, well, said ~ '^keys open: \d+, overdue: \d+, the oldest since ' AS said, see FROM idem.status() WHERE item = 'claims';

-- ------------------------------------------------------------ and what is not
-- Nothing else of idem is read: no table, and no view that shows a key.
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = 'idem'::regnamespace AND c.relkind = 'v' AND has_table_privilege(c.oid, 'SELECT')
          AND a.attname IN ('key', 'request', 'response', 'evidence', 'code', 'fingerprint');
-- Nothing is written, and nothing is called that is for others.
SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = 'idem'::regnamespace AND c.relkind IN ('r', 'v', 'S')
          AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'USAGE, UPDATE')
                             ELSE has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER, REFERENCES') END;
RESET SESSION AUTHORIZATION;
SELECT DISTINCT p.proname FROM pg_proc p WHERE p.pronamespace = 'idem'::regnamespace
    AND has_function_privilege('regress_watch_monitor', p.oid, 'EXECUTE') AND NOT has_function_privilege('public', p.oid, 'EXECUTE')
    AND p.proname NOT IN (SELECT function FROM idem.rights WHERE audience = 'monitor');
SET SESSION AUTHORIZATION regress_watch_monitor;
SELECT * FROM watch.payment;
SELECT * FROM idem.stuck;
SELECT * FROM idem.open_claims;
SELECT * FROM idem.doctor();
SELECT * FROM idem.state_counts();
SELECT * FROM idem.limit_excess();
CREATE TABLE idem.mine (id int);
INSERT INTO idem.pause VALUES ('scope', 'x', '', now(), 'x', 'x');
RESET SESSION AUTHORIZATION;

-- ------------------------------------------------------------ whoever owns a table
-- What an owner can have run by a look runs as the owner: what is constant is
-- computed when a plan is made.
ALTER TABLE watch.payment OWNER TO regress_watch_owner;
SET ROLE regress_watch_owner;
CREATE FUNCTION watch.trap(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN IF current_user <> 'regress_watch_owner' THEN RAISE EXCEPTION 'runs as %', current_user USING ERRCODE = '42P17'; END IF; RETURN true; END $$;
CREATE INDEX ON watch.payment (id) WHERE watch.trap('');
RESET ROLE;
\c -
\set VERBOSITY terse
SET SESSION AUTHORIZATION regress_watch_monitor;
SELECT state, rows, unread FROM idem.stat_states WHERE relation = 'watch.payment' ORDER BY state;
SELECT state, rows, unread FROM idem.stat_overdue WHERE relation = 'watch.payment';
SELECT currency, rows FROM idem.stat_excess WHERE relation = 'watch.payment';
-- Operators of somebody's making do not come between.
RESET SESSION AUTHORIZATION;
CREATE FUNCTION watch.never(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'runs as %', current_user; END $$;
CREATE OPERATOR watch.= (LEFTARG = text, RIGHTARG = text, FUNCTION = watch.never);
GRANT USAGE ON SCHEMA watch TO regress_watch_monitor;
SET SESSION AUTHORIZATION regress_watch_monitor;
SET search_path = watch, pg_catalog;
SELECT count(*) > 0 AS some FROM idem.stat_claims;
SELECT count(*) > 0 AS some FROM idem.stat_states;
SELECT count(*) FROM idem.status();
SELECT relation FROM idem.stat_excess WHERE relation OPERATOR(pg_catalog.=) 'watch.payment' AND currency OPERATOR(pg_catalog.=) 'EUR';
-- A table that cannot be read is no table without rows.
RESET SESSION AUTHORIZATION;
SET search_path = public;
SET idem.allow_unguarded = 'to see';
ALTER TABLE watch.payment RENAME status TO state;
SET SESSION AUTHORIZATION regress_watch_monitor;
SELECT state, rows, unread FROM idem.stat_states WHERE relation = 'watch.payment';
SELECT what, state, rows, unread FROM idem.stat_overdue WHERE relation = 'watch.payment';
SELECT well, said ~ 'could not be read' AS said FROM idem.status() WHERE item = 'stuck';
SELECT broken > 0 AS broken FROM idem.stat_guards WHERE kind = 'states';
SELECT well FROM idem.status() WHERE item = 'guards';
RESET SESSION AUTHORIZATION;
ALTER TABLE watch.payment RENAME state TO status;
RESET idem.allow_unguarded;

SET client_min_messages = warning;
SELECT FROM idem.resume('scope', 'watch payout', reason => 'the end');
SELECT count(*) FROM idem.rearm('watch.payment');
DROP SCHEMA watch CASCADE;
DELETE FROM idem.reservation WHERE key ~ '^secret-';
DELETE FROM idem.attempt WHERE key ~ '^secret-';
SELECT idem.drop_scope('watch payout', force => 'the end');
DROP OWNED BY regress_watch_monitor, regress_watch_owner;
DROP ROLE regress_watch_monitor, regress_watch_owner;
