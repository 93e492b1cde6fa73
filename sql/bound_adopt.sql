--
-- Claims for rows from before idem: adopt_keys, and a guard beside old rows.
--
CREATE SCHEMA bound_adopt;
SET search_path = bound_adopt;
SELECT idem.create_scope('old debit', effect => 'inside', fields => '{user,amount}');
SELECT idem.create_scope('old wire', effect => 'outside', fields => '{amount}');
CREATE TABLE debit (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, message text NOT NULL,
                    user_id text NOT NULL, amount numeric NOT NULL, created_at timestamptz NOT NULL);
INSERT INTO debit (message, user_id, amount, created_at)
    SELECT 'old-' || i, 'u' || i, i, '2020-01-01 UTC'::timestamptz + i * interval '1 day' FROM generate_series(1, 25) i;

-- The accident itself is not adopted, and nothing else then.
INSERT INTO debit (message, user_id, amount, created_at) VALUES ('old-7', 'u7', 7, now());
CALL idem.adopt_keys('old debit', 'debit', '{message}', '{"user":"user_id","amount":"amount"}', since => 'created_at');
SELECT outcome FROM idem.lookup('old debit', 'old-1');
DELETE FROM debit WHERE id = 26;

-- What cannot be.
BEGIN;
CALL idem.adopt_keys('old debit', 'debit', '{message}');
ROLLBACK;
CALL idem.adopt_keys('old debit', 'debit', '{message}');
CALL idem.adopt_keys('old wire', 'debit', '{message}');
CALL idem.adopt_keys('nowhere', 'debit', '{message}');
CALL idem.adopt_keys('old debit', 'debit', '{amount}');
CALL idem.adopt_keys('old debit', 'debit', '{message}', '{"user":"missing"}');
CALL idem.adopt_keys('old debit', 'debit', '{message}', '[1]');
CALL idem.adopt_keys('old debit', 'debit', '{message}', batch => 0);

-- The guard holds for new rows at once, the old ones are read later.
SELECT idem.guard_claimed('debit', '{message}', 'old debit');
SELECT finding FROM idem.doctor() WHERE object ~ 'on bound_adopt.debit';
SELECT idem.validate_guard('debit');

-- In batches; called again it passes over what is known.
CALL idem.adopt_keys('old debit', 'debit', '{message}', '{"user":"user_id","amount":"amount"}', since => 'created_at', batch => 10);
CALL idem.adopt_keys('old debit', 'debit', '{message}', '{"user":"user_id","amount":"amount"}', since => 'created_at', batch => 10);
SELECT state, count(*), count(DISTINCT xmin::text) AS transactions, min(first_seen) = '2020-01-02 UTC' AS since
    FROM idem.anchor WHERE key ~ '^old-' GROUP BY state;
SELECT idem.validate_guard('debit'), idem.validate_guard('debit', 'idem_claimed_message');
SELECT finding FROM idem.doctor() WHERE object ~ 'on bound_adopt.debit';

-- The old message that comes again, and one with another amount.
BEGIN;
SELECT outcome, granted, settled, state FROM idem.claim('old debit', 'old-5', '{"user":"u5","amount":"5.00"}');
SELECT outcome, granted, settled, mismatch FROM idem.claim('old debit', 'old-5', '{"user":"u5","amount":6}');
INSERT INTO debit (message, user_id, amount, created_at) VALUES ('old-5', 'u5', 5, now());
ROLLBACK;

-- Effects outside: only rows whose effect is done, and only where it is said which those are.
CREATE TYPE wire_state AS ENUM ('created', 'paying', 'succeeded', 'failed');
CREATE TABLE wire (id int PRIMARY KEY, status wire_state NOT NULL, amount numeric NOT NULL, paid_at timestamptz);
INSERT INTO wire SELECT i, (ARRAY['created', 'paying', 'succeeded', 'failed']::wire_state[])[1 + i % 4], i, '2020-01-01 UTC' FROM generate_series(1, 8) i;
SELECT idem.guard_claimed('wire', key => '{id}', scope => 'old wire', state => 'status',
    claimed => '{"paying":"{reserved,dispatched,unknown}","succeeded":"{succeeded,adopted}","failed":"{failed,adopted}"}');
SELECT idem.validate_guard('wire');
CALL idem.adopt_keys('old wire', 'wire', '{id}', '{"amount":"amount"}', state => 'status');
CALL idem.adopt_keys('old wire', 'wire', '{id}', '{"amount":"amount"}', done => '{succeeded}');
CALL idem.adopt_keys('old wire', 'wire', '{id}', '{"amount":"amount"}', state => 'missing', done => '{succeeded}');
CALL idem.adopt_keys('old wire', 'wire', '{id}', '{"amount":"amount"}', state => 'status', done => '{succeeded,failed}', since => 'paid_at');
CALL idem.adopt_keys('old wire', 'wire', '{id}', '{"amount":"amount"}', state => 'status', done => '{succeeded,failed}', since => 'paid_at');
SELECT idem.validate_guard('wire');
SELECT outcome, granted, settled, state, token, attempt, first_seen = '2020-01-01 UTC' AS since, finished_at = '2020-01-01 UTC' AS done
    FROM idem.reserve('old wire', '2', '{"amount":2}');
SELECT outcome, settled, mismatch FROM idem.reserve('old wire', '2', '{"amount":3}');
SELECT outcome, granted FROM idem.reserve('old wire', '5', '{"amount":5}');
SELECT outcome, state FROM idem.lookup('old wire', '2');
SELECT outcome, state FROM idem.fence('old wire', '2', 'cancelled');
SELECT idem.complete('old wire', '2', 1, 'succeeded', '{}');
CALL idem.dispatch('old wire', '2', 0);
UPDATE wire SET status = 'created' WHERE id = 2;
UPDATE wire SET status = 'succeeded' WHERE id = 2;
SELECT outcome FROM idem.release('old wire', '5', 1);
SELECT key FROM idem.open_claims WHERE scope = 'old wire' AND state <> 'released';

-- An application may not.
CREATE ROLE regress_bound_adopt;
SELECT idem.grant_runtime('regress_bound_adopt');
GRANT ALL ON SCHEMA bound_adopt TO regress_bound_adopt;
SET ROLE regress_bound_adopt;
CALL idem.adopt_keys('old debit', 'debit', '{message}');
RESET ROLE;
SELECT idem.grant_admin('regress_bound_adopt');
SET ROLE regress_bound_adopt;
CALL idem.adopt_keys('old debit', 'debit', '{message}');
RESET ROLE;
DROP OWNED BY regress_bound_adopt;
DROP ROLE regress_bound_adopt;

SET client_min_messages = warning;
DROP SCHEMA bound_adopt CASCADE;
