--
-- No state of a row without that of its claim: guard_claimed for effects outside.
--
-- The accident: a payment can be set to succeeded while its claim is unseen,
-- and cancelled while the money is on its way.
--
CREATE SCHEMA bound_state;
SET search_path = bound_state;
SELECT idem.create_scope('wire', effect => 'outside', fields => '{}', quiet => '0');
SELECT idem.create_scope('inside', effect => 'inside', fields => '{}');
CREATE TABLE payout (id text PRIMARY KEY, status text NOT NULL, note text);
SELECT idem.guard_claimed('payout', key => '{id}', scope => 'wire', state => 'status',
    claimed => '{"paying":"{reserved,dispatched,unknown}","succeeded":"{succeeded}","failed":"{failed}","cancelled":"{fenced,released}"}');
SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'payout'::regclass;

-- Every state of a claim, and what a row may become then: by SQL of another hand.
CREATE FUNCTION may_become(key text, OUT created bool, OUT paying bool, OUT succeeded bool, OUT failed bool, OUT cancelled bool, OUT held bool)
LANGUAGE plpgsql AS $$
DECLARE
    s text;
    passed text[] := '{}';
BEGIN
    FOREACH s IN ARRAY '{created,paying,succeeded,failed,cancelled,held}'::text[] LOOP
        BEGIN
            INSERT INTO payout VALUES (key, s) ON CONFLICT (id) DO UPDATE SET status = s WHERE payout.status <> s;
            passed := passed || s;
            RAISE EXCEPTION 'undo' USING ERRCODE = 'P0001';
        EXCEPTION WHEN SQLSTATE '23I0A' OR SQLSTATE 'P0001' THEN NULL;
        END;
    END LOOP;
    created := 'created' = ANY (passed); paying := 'paying' = ANY (passed); succeeded := 'succeeded' = ANY (passed);
    failed := 'failed' = ANY (passed); cancelled := 'cancelled' = ANY (passed); held := 'held' = ANY (passed);
END $$;
SELECT outcome, token FROM idem.reserve('wire', 'reserved');
SELECT outcome FROM idem.reserve('wire', 'sent');
CALL idem.dispatch('wire', 'sent', 1) \g /dev/null
SELECT outcome FROM idem.reserve('wire', 'lost');
CALL idem.dispatch('wire', 'lost', 1) \g /dev/null
SELECT outcome FROM idem.complete('wire', 'lost', 1, 'unknown');
SELECT outcome FROM idem.reserve('wire', 'paid');
CALL idem.dispatch('wire', 'paid', 1) \g /dev/null
SELECT outcome FROM idem.complete('wire', 'paid', 1, 'succeeded', '{}');
SELECT outcome FROM idem.reserve('wire', 'refused');
CALL idem.dispatch('wire', 'refused', 1) \g /dev/null
SELECT outcome FROM idem.complete('wire', 'refused', 1, 'failed', '{"code":"51"}');
SELECT outcome FROM idem.reserve('wire', 'given-back');
SELECT outcome FROM idem.release('wire', 'given-back', 1);
SELECT outcome FROM idem.fence('wire', 'fenced', 'cancelled');
SELECT k AS key, m.* FROM unnest('{unseen,reserved,sent,lost,paid,refused,given-back,fenced}'::text[]) WITH ORDINALITY u (k, n), may_become(k) m ORDER BY n;

-- The accidents.
INSERT INTO payout VALUES ('never', 'created');
UPDATE payout SET status = 'succeeded' WHERE id = 'never';
INSERT INTO payout VALUES ('never-2', 'succeeded');
UPDATE payout SET status = 'held' WHERE id = 'never';
INSERT INTO payout VALUES ('sent', 'paying');
UPDATE payout SET status = 'cancelled' WHERE id = 'sent';
UPDATE payout SET status = 'held' WHERE id = 'sent';
UPDATE payout SET note = 'other columns are free' WHERE id = 'sent';
UPDATE payout SET id = 'paid' WHERE id = 'sent';
COPY payout FROM stdin;
lost	succeeded	
\.
-- The result, then the row: in one transaction.
BEGIN;
SELECT outcome FROM idem.complete('wire', 'sent', 1, 'succeeded', '{}');
UPDATE payout SET status = 'succeeded' WHERE id = 'sent';
COMMIT;
-- A row that shares the commit of its reservation is paying from then on,
BEGIN;
SELECT outcome FROM idem.reserve('wire', 'together');
INSERT INTO payout VALUES ('together', 'paying');
-- and not where the reservation was rolled back.
SAVEPOINT s;
SELECT outcome FROM idem.reserve('wire', 'apart');
ROLLBACK TO s;
INSERT INTO payout VALUES ('apart', 'paying');
ROLLBACK TO s;
COMMIT;
TABLE payout ORDER BY id COLLATE "C";

-- Declarations that cannot be.
CREATE TYPE status AS ENUM ('created', 'paying');
CREATE TABLE other (k text NOT NULL, status status NOT NULL, maybe text, n int NOT NULL);
SELECT idem.guard_claimed('other', '{k}', 'wire');
SELECT idem.guard_claimed('other', '{k}', 'inside', state => 'status', claimed => '{"paying":"{reserved}"}');
SELECT idem.guard_claimed('other', '{k}', 'wire', state => 'status');
SELECT idem.guard_claimed('other', '{k}', 'wire', claimed => '{"paying":"{reserved}"}');
SELECT idem.guard_claimed('other', '{k}', 'wire', 'many', state => 'status', claimed => '{"paying":"{reserved}"}');
SELECT idem.guard_claimed('other', '{k}', 'wire', state => 'status', claimed => '{"paying":"{paid}"}');
SELECT idem.guard_claimed('other', '{k}', 'wire', state => 'status', claimed => '{"paying":1}');
SELECT idem.guard_claimed('other', '{k}', 'wire', state => 'status', claimed => '[]');
SELECT idem.guard_claimed('other', '{k}', 'wire', state => 'status', claimed => '{}');
SELECT idem.guard_claimed('other', '{k}', 'wire', state => 'maybe', claimed => '{"paying":"{reserved}"}');
SELECT idem.guard_claimed('other', '{k}', 'wire', state => 'n', claimed => '{"paying":"{reserved}"}');
SELECT idem.guard_claimed('other', '{k}', 'wire', state => 'status', claimed => '{"paying":"{reserved,dispatched}"}');
INSERT INTO other VALUES ('o-1', 'created', NULL, 1);
UPDATE other SET status = 'paying';

-- What got past it is found.
SELECT finding FROM idem.doctor() WHERE object ~ 'claimed guard';
SET idem.allow_unguarded = 'a test';
ALTER TABLE payout DISABLE TRIGGER idem_claimed_id;
UPDATE payout SET status = 'failed' WHERE id = 'sent';
ALTER TABLE payout ENABLE ALWAYS TRIGGER idem_claimed_id;
SELECT finding FROM idem.doctor() WHERE object ~ 'claimed guard' AND finding !~ 'allowed by';

-- How a claim is, is nothing to an owner of a table who may not look at claims; to one who may in another scope, neither.
CREATE ROLE regress_bound_state;
GRANT ALL ON SCHEMA bound_state TO regress_bound_state;
SET ROLE regress_bound_state;
CREATE TABLE probe (id text NOT NULL, status text NOT NULL);
SELECT idem.guard_claimed('probe', key => '{id}', scope => 'wire', state => 'status', claimed => '{"a":"{succeeded}"}');
INSERT INTO probe VALUES ('lost', 'a');
INSERT INTO probe VALUES ('lost', 'b');
RESET ROLE;
SELECT idem.grant_runtime('regress_bound_state', scopes => '{inside}');
SET ROLE regress_bound_state;
INSERT INTO probe VALUES ('lost', 'b');
RESET ROLE;
SELECT idem.grant_runtime('regress_bound_state', scopes => '{wire}');
SET ROLE regress_bound_state;
INSERT INTO probe VALUES ('lost', 'b');
RESET ROLE;
DELETE FROM idem.runtime_role WHERE role = 'regress_bound_state';
DROP OWNED BY regress_bound_state;
DROP ROLE regress_bound_state;

-- A scope that a guard names stays.
SELECT idem.create_scope('named', effect => 'inside', fields => '{}');
CREATE TABLE by_name (k text NOT NULL);
SELECT idem.guard_claimed('by_name', '{k}', 'named');
SELECT idem.drop_scope('named');
SELECT idem.drop_guard('by_name', 'claimed', reason => 'a test');
SELECT idem.drop_scope('named');

SET client_min_messages = warning;
DROP SCHEMA bound_state CASCADE;
