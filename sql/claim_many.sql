-- Many keys in one call: each answered as if it were claimed alone, in the
-- order they were given in.
SELECT idem.create_scope('claim many', 'inside', '{amount}');
SELECT idem.create_scope('claim none', 'inside', '{}');
CREATE FUNCTION claim_request(amount numeric) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('amount', amount) $$;
SELECT outcome FROM idem.claim('claim many', 'done', claim_request(1));
BEGIN;
SELECT outcome FROM idem.claim('claim many', 'answered', claim_request(1));
SELECT outcome FROM idem.complete('claim many', 'answered', '{"id": 7}');
COMMIT;

-- Every outcome in one batch; a key that comes again is named. (C 78)
SELECT n, outcome, granted, settled, key, state, response, mismatch, detail
    FROM idem.claim_many('claim many', '{new,done,answered,new,done,new,answered}',
        ARRAY[claim_request(1), claim_request(1.0), claim_request(1), claim_request(1), claim_request(2), claim_request(3), claim_request(1)])
        WITH ORDINALITY AS c (outcome, granted, settled, reentrant, key, state, response, response_dropped, mismatch, first_seen, detail, n) ORDER BY n;

-- The same answers as one by one, whatever the keys: random batches against
-- single claims, the one in a scope of its own. (C 54, C 81)
SELECT idem.create_scope('claim single', 'inside', '{amount}');
CREATE TABLE claim_batch AS
    SELECT batch, n, 'key-' || (hashint4(batch * 100 + n) & 63) AS key, claim_request((hashint4(batch * 7 + n) & 3) / 2) AS request
    FROM generate_series(1, 8) batch, generate_series(1, 40) n;
CREATE FUNCTION claim_compare(b int) RETURNS TABLE (rows bigint, granted bigint, duplicate bigint, replayed bigint, mismatch bigint, differ bigint) LANGUAGE sql AS $$
    WITH many AS (
        SELECT m.* FROM idem.claim_many('claim many',
            (SELECT array_agg(key ORDER BY n) FROM claim_batch WHERE batch = b),
            (SELECT array_agg(request ORDER BY n) FROM claim_batch WHERE batch = b))
            WITH ORDINALITY AS m (outcome, granted, settled, reentrant, key, state, response, response_dropped, mismatch, first_seen, detail, n)),
    single AS MATERIALIZED (
        SELECT i.n AS n, s.* FROM (SELECT * FROM claim_batch WHERE batch = b ORDER BY n) i,
            LATERAL idem.claim('claim single', i.key, i.request) s)
    SELECT count(*), count(*) FILTER (WHERE m.granted), count(*) FILTER (WHERE m.outcome = 'duplicate'),
           count(*) FILTER (WHERE m.outcome = 'replayed'), count(*) FILTER (WHERE m.outcome = 'mismatch'),
           count(*) FILTER (WHERE (m.outcome, m.granted, m.settled, m.key, m.state, m.mismatch) IS DISTINCT FROM
                                  (s.outcome, s.granted, s.settled, s.key, s.state, s.mismatch))
    FROM many m FULL JOIN single s USING (n)
$$;
SELECT c.* FROM claim_compare(1) c;
SELECT sum(rows) AS rows, sum(granted) AS granted, sum(duplicate) AS duplicate, sum(replayed) AS replayed,
       sum(mismatch) AS mismatch, sum(differ) AS differ FROM generate_series(2, 8) b, claim_compare(b);
-- again, when all are there
SELECT sum(rows) AS rows, sum(granted) AS granted, sum(duplicate) AS duplicate, sum(replayed) > 0 AS replayed,
       sum(differ) AS differ FROM generate_series(1, 8) b, claim_compare(b);

-- All or nothing is the caller's transaction: a batch that is rolled back
-- leaves nothing; a savepoint, what was before it.
BEGIN;
SELECT count(*) FILTER (WHERE granted) FROM idem.claim_many('claim none', '{a,b,c}');
SAVEPOINT s;
SELECT outcome FROM idem.claim_many('claim none', '{b,d,e}');
ROLLBACK TO s;
SELECT outcome FROM idem.claim_many('claim none', '{c,d}');
COMMIT;
SELECT key, outcome FROM unnest('{a,b,c,d,e}'::text[]) k, idem.lookup('claim none', k);
-- completion is asked of each
SELECT idem.create_scope('claim strict', 'inside', '{}', completion => 'required');
BEGIN;
SELECT outcome FROM idem.claim_many('claim strict', '{a,b}');
SELECT outcome FROM idem.complete('claim strict', 'a', '1');
COMMIT;
\echo :LAST_ERROR_SQLSTATE
SELECT outcome FROM idem.lookup('claim strict', 'a');

-- A thousand keys, in any order, and again.
SELECT outcome, count(*) FROM idem.claim_many('claim none', ARRAY(SELECT 'k' || (i * 7919) % 1000 FROM generate_series(1, 1000) i)) GROUP BY 1;
SELECT outcome, count(*) FROM idem.claim_many('claim none', ARRAY(SELECT 'k' || i FROM generate_series(1000, 1, -1) i)) GROUP BY 1 ORDER BY 1;
-- where the index still has rows that are gone
DELETE FROM idem.anchor WHERE key ~ '^k\d+$';
SELECT outcome, count(*) FROM idem.claim_many('claim none', ARRAY(SELECT 'k' || i FROM generate_series(1, 999) i)) GROUP BY 1;
DELETE FROM idem.anchor WHERE key ~ '^k\d+$';
SELECT outcome, count(*) FROM idem.claim_many('claim none', ARRAY(SELECT 'k' || i FROM generate_series(1, 1000) i)) GROUP BY 1;
-- positions are those of the call
SELECT bool_and(key = 'k' || 1001 - n) FROM idem.claim_many('claim none', ARRAY(SELECT 'k' || 1000 - i FROM generate_series(0, 999) i))
    WITH ORDINALITY AS c (outcome, granted, settled, reentrant, key, state, response, response_dropped, mismatch, first_seen, detail, n);

-- Nothing, and one.
SELECT outcome FROM idem.claim_many('claim none', '{}');
SELECT outcome FROM idem.claim_many('claim none', '{}', '{}');
SELECT outcome, key FROM idem.claim_many('claim none', '{one}', '{NULL}');

-- What is refused is refused before the first key is touched.
SELECT * FROM idem.claim_many('claim none', '{x1,NULL,x2}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM idem.claim_many('claim none', ARRAY['x1', ' x2']);
SELECT * FROM idem.claim_many('claim many', '{x1,x2}', ARRAY[claim_request(1), '{}']);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM idem.claim_many('claim many', '{x1,x2}', ARRAY[claim_request(1)]);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM idem.claim_many('claim many', '{x1}');
SELECT * FROM idem.claim_many('claim none', '{{x1,x2},{x3,x4}}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM idem.claim_many('claim none', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM idem.claim_many(NULL, '{x1}');
SELECT * FROM idem.claim_many('claim nosuch', '{x1}');
SELECT count(*) FROM idem.anchor WHERE key LIKE 'x%';
BEGIN READ ONLY;
SELECT * FROM idem.claim_many('claim none', '{x1}');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
SELECT idem.create_scope('claim out', 'outside', '{}');
SELECT * FROM idem.claim_many('claim out', '{x1}');
\echo :LAST_ERROR_SQLSTATE

DROP FUNCTION claim_compare, claim_request;
DROP TABLE claim_batch;
DELETE FROM idem.anchor USING idem.scope s WHERE scope = s.id AND s.name LIKE 'claim %';
DELETE FROM idem.scope WHERE name LIKE 'claim %';
