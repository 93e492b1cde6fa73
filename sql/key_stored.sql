--
-- What is kept of scopes and keys, and in which form: a server of another day
-- has to read it. (wound 8)
--
SET client_min_messages = warning;

-- The id of a scope is made of its name: the first 31 bits of SHA-256, big
-- endian.  So it is the same on every server, in whatever order scopes are
-- declared.
SELECT idem.create_scope('stored pay', 'outside', '{amount}', quiet => '0');
SELECT idem.create_scope('stored in', 'inside', '{}');
SELECT name, id = ('x' || left(encode(sha256(convert_to(name, 'UTF8')), 'hex'), 8))::bit(32)::bigint >> 1 AS of_the_name
    FROM idem.scope WHERE name LIKE 'stored %' ORDER BY name;
-- Two names with one id are not both declared; the other way round, either.
SELECT idem.create_scope('scope-13974', 'inside', '{}');
SELECT idem.create_scope('scope-19998', 'inside', '{}');
\echo :LAST_ERROR_SQLSTATE
SELECT idem.drop_scope('scope-13974');
SELECT idem.create_scope('scope-19998', 'outside', '{}');
SELECT idem.create_scope('scope-13974', 'inside', '{}');
SELECT idem.drop_scope('scope-19998');
-- An id of 0 is none; one name in two thousand million has it.
SELECT idem.create_scope('scope-1792085565', 'inside', '{}');
\echo :LAST_ERROR_SQLSTATE

-- No sequence: what a call of idem writes leaves lastval() to the caller.
CREATE TEMP TABLE stored_numbered (n int GENERATED ALWAYS AS IDENTITY (START 42));
INSERT INTO stored_numbered DEFAULT VALUES;
SELECT outcome, token FROM idem.reserve('stored pay', 'k', '{"amount": 88}');
CALL idem.dispatch('stored pay', 'k', 1) \gset
SELECT outcome FROM idem.resolve('stored pay', 'k', 'released', '{"inquiry": 1}');
SELECT outcome, token, attempt, dispatched_at FROM idem.reserve('stored pay', 'k', '{"amount": 88}');
CALL idem.dispatch('stored pay', 'k', 2) \gset
SELECT outcome FROM idem.complete('stored pay', 'k', 1, 'succeeded', '{"bank": 1}');
SELECT outcome FROM idem.resolve('stored pay', 'k', 'succeeded', '{"notice": 1}', asked_at => '2018-07-18');
SELECT outcome FROM idem.complete('stored pay', 'k', 2, 'failed', '{"bank": 2}');
SELECT outcome FROM idem.fence('stored in', 'f', 'cancelled');
SELECT lastval();
SELECT c.relname FROM pg_class c JOIN pg_depend d ON d.refobjid = c.oid AND d.deptype IN ('a', 'i')
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    WHERE c.relnamespace = 'idem'::regnamespace AND c.relname IN ('scope', 'anchor', 'reservation', 'attempt', 'evidence', 'late_result');

-- A row an attempt that was dispatched; evidence and late results are numbered by key.
SELECT a.key, a.attempt, a.token, a.dispatched_at = r.dispatched_at AS last, a.channel, a.serial, a.business_date, a.other_date
    FROM idem.attempt a JOIN idem.reservation r USING (scope, key) JOIN idem.scope s ON s.id = a.scope
    WHERE s.name = 'stored pay' ORDER BY 1, 2;
SELECT s.name, e.key, e.n, e.action, e.outcome, e.attempt, e.evidence, e.reason, e.asked_at < e.at AS asked_before
    FROM idem.evidence e JOIN idem.scope s ON (s.id, s.created_at) = (e.scope, e.scope_created_at) WHERE s.name LIKE 'stored %' ORDER BY 1, 2, 3;
SELECT e.key, e.n, e.token, e.attempt, e.outcome, e.response, e.state, e.newest
    FROM idem.late_result e JOIN idem.scope s ON (s.id, s.created_at) = (e.scope, e.scope_created_at) WHERE s.name LIKE 'stored %' ORDER BY 1, 2;
-- An attempt that is recorded as dispatched is never dispatched again, not
-- even if its reservation was brought back from an older time.
UPDATE idem.reservation r SET state = 'r', token = 2, attempt = 2, dispatched_at = NULL, finished_at = NULL, concern = NULL, due_at = now()
    FROM idem.scope s WHERE r.scope = s.id AND s.name = 'stored pay' AND key = 'k';
CALL idem.dispatch('stored pay', 'k', 2);
SELECT severity, object, finding FROM idem.claim_problems WHERE object LIKE '%stored%';
UPDATE idem.reservation r SET state = 'u', dispatched_at = now(), attempt = 3 FROM idem.scope s WHERE r.scope = s.id AND s.name = 'stored pay' AND key = 'k';
SELECT severity, object, finding FROM idem.claim_problems WHERE object LIKE '%stored%';

-- A scope of the same name that is declared anew has the same id, and knows
-- neither the old keys nor what was kept of them; the numbers go on.
UPDATE idem.reservation r SET state = 's', attempt = 2, due_at = NULL, finished_at = now() FROM idem.scope s WHERE r.scope = s.id AND s.name = 'stored pay';
SELECT idem.drop_scope('stored pay', 'test');
SELECT count(*) FROM idem.attempt WHERE scope = ('x' || left(encode(sha256('stored pay'), 'hex'), 8))::bit(32)::bigint >> 1;
SELECT idem.create_scope('stored pay', 'outside', '{amount}');
SELECT outcome FROM idem.lookup('stored pay', 'k');
SELECT outcome FROM idem.fence('stored pay', 'k', 'anew');
SELECT e.key, e.n, e.reason, (s.id, s.created_at) = (e.scope, e.scope_created_at) AS of_this_scope
    FROM idem.evidence e JOIN idem.scope s ON s.id = e.scope WHERE s.name = 'stored pay' ORDER BY 1, 2;

-- Numbers follow what is committed, whatever the transaction's snapshot says,
-- also where a savepoint was rolled back.
SELECT outcome FROM idem.reserve('stored pay', 'n', '{"amount": 1}');
CALL idem.dispatch('stored pay', 'n', 1) \gset
SELECT outcome FROM idem.complete('stored pay', 'n', 1, 'succeeded', '{}');
BEGIN;
SELECT outcome, reentrant FROM idem.resolve('stored pay', 'n', 'succeeded', '{"look": 1}');
SAVEPOINT s;
SELECT outcome FROM idem.resolve('stored pay', 'n', 'succeeded', '{"look": 2}');
ROLLBACK TO s;
SELECT outcome FROM idem.resolve('stored pay', 'n', 'succeeded', '{"look": 3}');
COMMIT;
SELECT n, evidence FROM idem.evidence WHERE key = 'n' ORDER BY n;

-- What later features store is read already: adopted keys were done before
-- idem knew of them; marks stand beside the state.
UPDATE idem.anchor a SET state = 'a' FROM idem.scope s WHERE a.scope = s.id AND s.name = 'stored in';
SELECT outcome, granted, settled, state FROM idem.claim('stored in', 'f');
UPDATE idem.reservation r SET presumed_at = now(), returned_on = '2018-07-18', returned_amount = 1, settled_amount = 0.50, serial = 'S-1'
    FROM idem.scope s WHERE r.scope = s.id AND s.name = 'stored pay' AND key = 'n';
UPDATE idem.attempt a SET channel = 'bankA', business_date = '2018-07-18', other_date = '2018-07-19'
    FROM idem.scope s WHERE a.scope = s.id AND s.name = 'stored pay' AND key = 'n';
SELECT outcome, state, marks, settled_amount, serial, channel, business_date, other_date FROM idem.lookup('stored pay', 'n');
UPDATE idem.reservation r SET state = 'a', presumed_at = NULL, corrected_at = now(), returned_on = NULL
    FROM idem.scope s WHERE r.scope = s.id AND s.name = 'stored pay' AND key = 'n';
SELECT outcome, settled, state, marks FROM idem.reserve('stored pay', 'n', '{"amount": 1}');

-- Each longer answer begins with the columns of the shorter one; dispatch
-- answers those of send_result that its caller does not have.
CREATE TEMP VIEW stored_columns AS
    SELECT attrelid::regclass::text AS type, array_agg(format('%s %s', attname, atttypid::regtype) ORDER BY attnum) AS columns
    FROM pg_attribute WHERE attrelid IN ('idem.claim_result'::regclass, 'idem.send_result'::regclass, 'idem.due_result'::regclass) GROUP BY 1;
SELECT unnest(columns) AS claim_result FROM stored_columns WHERE type = 'idem.claim_result';
SELECT unnest(s.columns[cardinality(c.columns) + 1:]) AS send_result FROM stored_columns s, stored_columns c
    WHERE s.type = 'idem.send_result' AND c.type = 'idem.claim_result' AND s.columns[:cardinality(c.columns)] = c.columns;
SELECT unnest(d.columns[cardinality(s.columns) + 1:]) AS due_result FROM stored_columns d, stored_columns s
    WHERE d.type = 'idem.due_result' AND s.type = 'idem.send_result' AND d.columns[:cardinality(s.columns)] = s.columns;
SELECT (SELECT array_agg(format('%s %s', a.name, t.type::regtype) ORDER BY a.n) FROM unnest(p.proargnames) WITH ORDINALITY a (name, n)
        JOIN unnest(p.proallargtypes) WITH ORDINALITY t (type, n) USING (n) WHERE n > 3)
       = (SELECT array_agg(c ORDER BY n) FROM unnest(s.columns) WITH ORDINALITY u (c, n) WHERE c NOT IN ('key text', 'token bigint')) AS dispatch_in_its_order
    FROM pg_proc p, stored_columns s WHERE p.proname = 'dispatch' AND pronargs > 4 AND s.type = 'idem.send_result';
-- The row of a claim as an item of FROM, wherever it stands there.
SELECT outcome, ordinality FROM idem.claim('stored in', 'from-1') WITH ORDINALITY;
SELECT outcome, generate_series FROM ROWS FROM (idem.claim('stored in', 'from-2'), generate_series(1, 2));
BEGIN;
DECLARE stored_cursor SCROLL CURSOR FOR SELECT k, outcome FROM unnest('{from-2,from-3}'::text[]) k, idem.claim('stored in', k);
FETCH FORWARD 2 FROM stored_cursor;
FETCH BACKWARD 1 FROM stored_cursor;
COMMIT;
SELECT (idem.claim('stored in', 'from-3')).outcome, (SELECT c IS NULL FROM idem.claim('stored in', 'from-3') c) AS no_row;
-- No scope has channels, so none is taken.
CALL idem.dispatch('stored pay', 'n', 1, channel => 'bankA');
\echo :LAST_ERROR_SQLSTATE
DO $$ DECLARE a idem.send_result; BEGIN a.channel := 'bankA'; CALL idem.dispatch('stored pay', 'n', 1, a); END $$;

SELECT idem.drop_scope(name, 'test') FROM idem.scope WHERE name LIKE 'stored %';
DELETE FROM idem.evidence WHERE key IN ('k', 'n', 'f');
DELETE FROM idem.late_result WHERE key = 'k';
