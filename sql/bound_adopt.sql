--
-- Claims for rows from before idem: adopt_keys, and a guard beside old rows.
--
CREATE SCHEMA bound_adopt;
SET search_path = bound_adopt;
SELECT idem.create_scope('old debit', effect => 'inside', fields => '{user,amount}');
SELECT idem.create_scope('old wire', effect => 'outside', fields => '{}');
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
