-- oracle.sql - is what the tables and the workers' files say possible?
--
-- Uses nothing of idem: tables of the user, and "said", what the workers read
-- from the server, with the times between which it happened.  Each query names
-- what must not be; all of them together return no row.  "Durable" rounds are
-- those whose acknowledged commits must be there after the fault.

CREATE SCHEMA oracle;

-- ---------------------------------------------------------------------------
-- State: what the tables hold after the fault
-- ---------------------------------------------------------------------------

CREATE VIEW oracle.state (wrong, what) AS
SELECT 'effect twice', key FROM public.effect GROUP BY key HAVING count(*) > 1
UNION ALL
SELECT 'account and effects differ', a.id::text
    FROM public.account a
    LEFT JOIN (SELECT account, sum(amount) AS spent FROM public.effect GROUP BY account) e ON e.account = a.id
    WHERE a.balance <> 1000000000 - COALESCE(e.spent, 0)
UNION ALL
SELECT 'refunded more than paid', p.id::text
    FROM public.payment p
    JOIN (SELECT payment_id, sum(amount) AS back FROM public.refund WHERE status <> 'failed' GROUP BY payment_id) r
        ON r.payment_id = p.id
    WHERE r.back > p.amount
UNION ALL
SELECT 'running total is not the sum', p.id::text
    FROM public.payment p
    LEFT JOIN (SELECT payment_id, sum(amount) AS back FROM public.refund WHERE status <> 'failed' GROUP BY payment_id) r
        ON r.payment_id = p.id
    WHERE p.refunded <> COALESCE(r.back, 0)
UNION ALL
SELECT 'refund in another currency', r.id::text
    FROM public.refund r JOIN public.payment p ON p.id = r.payment_id WHERE r.currency <> p.currency
UNION ALL
SELECT 'moved past a final state', payment::text FROM public.moved WHERE before IN ('succeeded', 'failed')
UNION ALL
SELECT 'moved along no edge', payment::text || ': ' || COALESCE(before, '') || ' -> ' || after
    FROM public.moved
    WHERE (COALESCE(before, ''), after) NOT IN (('', 'created'), ('created', 'paying'),
        ('paying', 'succeeded'), ('paying', 'failed'), ('paying', 'checking'),
        ('checking', 'succeeded'), ('checking', 'failed'))
UNION ALL
SELECT 'moves are no chain', payment::text
    FROM (SELECT payment, before, lag(after) OVER (PARTITION BY payment ORDER BY n) AS stood FROM public.moved) m
    WHERE before IS DISTINCT FROM stood
UNION ALL
SELECT 'state is not the last move', p.id::text
    FROM public.payment p
    WHERE p.status IS DISTINCT FROM (SELECT after FROM public.moved WHERE payment = p.id ORDER BY n DESC LIMIT 1)
UNION ALL
SELECT 'a fixed column changed', id::text FROM public.payment
    WHERE amount <> 80 + id % 50 OR currency <> 'EUR'
UNION ALL
SELECT 'effect twice in one life of its scope', key FROM public.mayfly_effect GROUP BY key, generation HAVING count(*) > 1
UNION ALL
SELECT 'no value where one has to be', a.attrelid::regclass || '.' || a.attname
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND a.attnotnull AND NOT a.attisdropped,
        LATERAL query_to_xml(format('SELECT count(*) AS n FROM %s WHERE num_nulls(%I) > 0', a.attrelid::regclass, a.attname), false, true, '') x
    WHERE c.relnamespace = 'idem'::regnamespace AND c.relkind = 'r' AND (xpath('//*[local-name() = "n"]/text()', x))[1]::text <> '0'
UNION ALL
SELECT 'a payment is gone', payment::text FROM public.moved WHERE payment NOT IN (SELECT id FROM public.payment);

-- ---------------------------------------------------------------------------
-- Acknowledged: what a worker was told is there, what was rolled back is not
-- ---------------------------------------------------------------------------

CREATE VIEW oracle.answer AS
    SELECT a.*, t.w3 AS tag
    FROM public.said a JOIN public.said t
        ON (t.round, t.worker, t.tx, t.seq) = (a.round, a.worker, a.tx, a.seq - 1) AND t.what = 'try'
    WHERE a.what NOT IN ('try', 'code');

CREATE VIEW oracle.acknowledged (wrong, what) AS
SELECT 'acknowledged effect is lost', s.w1
    FROM oracle.answer s
    WHERE s.what = 'claim' AND s.w3 = 't' AND NOT s.undone AND s.ended = 'COMMIT' AND s.durable
        AND NOT EXISTS (SELECT FROM public.effect e WHERE e.key = s.w1 AND e.tag = s.tag)
UNION ALL
SELECT 'effect of what was rolled back', e.key
    FROM public.effect e JOIN public.said t ON t.what = 'try' AND t.w3 = e.tag
    WHERE t.ended = 'ROLLBACK' OR t.undone
UNION ALL
SELECT 'effect without a grant', e.key
    FROM public.effect e JOIN oracle.answer s ON s.tag = e.tag
    WHERE s.what = 'claim' AND s.w3 <> 't'
UNION ALL
SELECT 'key was tried, and tried again, and has no effect', t.w2
    FROM (SELECT DISTINCT w2 FROM public.said WHERE what = 'try' AND w1 = 'claim') t
    WHERE NOT EXISTS (SELECT FROM public.effect e WHERE e.key = t.w2)
UNION ALL
SELECT 'acknowledged refund is lost', s.tag
    FROM oracle.answer s
    WHERE s.what = 'refund' AND NOT s.undone AND s.ended = 'COMMIT' AND s.durable
        AND NOT EXISTS (SELECT FROM public.refund r WHERE r.tag = s.tag AND r.id::text = s.w2 AND r.amount::text = s.w4)
UNION ALL
SELECT 'refund of what was rolled back', r.tag
    FROM public.refund r JOIN public.said t ON t.what = 'try' AND t.w3 = r.tag
    WHERE t.ended = 'ROLLBACK' OR t.undone
UNION ALL
SELECT 'acknowledged move is lost', s.w1 || ' -> ' || s.w2
    FROM oracle.answer s
    WHERE s.what = 'move' AND s.w3 = 'applied' AND NOT s.undone AND s.ended = 'COMMIT' AND s.durable
        AND NOT EXISTS (SELECT FROM public.moved m WHERE m.payment::text = s.w1 AND m.after = s.w2)
UNION ALL
-- whatever synchronous_commit says: who hears that a key is settled, or that a
-- row is in that state already, forgets its message
SELECT 'was said to be settled, and is lost', s.w1
    FROM oracle.answer s
    WHERE s.what = 'claim' AND s.w2 = 'replayed' AND s.w4 = 't'
        AND NOT EXISTS (SELECT FROM public.effect e WHERE e.key = s.w1)
UNION ALL
SELECT 'was said to be there already, and is lost', s.w1 || ' -> ' || s.w2
    FROM oracle.answer s
    WHERE s.what = 'move' AND s.w3 = 'already'
        AND NOT EXISTS (SELECT FROM public.moved m WHERE m.payment::text = s.w1 AND m.after = s.w2)
        AND NOT EXISTS (SELECT FROM public.said o WHERE o.what = 'move' AND o.w1 = s.w1 AND o.w3 = 'applied'
            AND (o.round, o.worker, o.tx) = (s.round, s.worker, s.tx))
UNION ALL
-- a fence is flushed like what is sent; only where the server was made to say
-- COMMIT without its standby may it be gone
SELECT 'sent after it was fenced', f.w1
    FROM oracle.answer f JOIN public.said s ON s.what = 'sent' AND s.w1 = f.w1 AND s.began > f.ended_at
    WHERE f.what = 'fence' AND f.w2 = 'fenced' AND f.ended = 'COMMIT' AND f.kind <> 'cancel'
UNION ALL
SELECT 'a fence was prepared', w1 FROM public.said WHERE what = 'prepared';

-- ---------------------------------------------------------------------------
-- History: what the isolation levels allow
-- ---------------------------------------------------------------------------

-- What was granted, and between which moments the key was held.  What a later
-- round says of it counts only if it was durable.
CREATE VIEW oracle.grant_ AS
    SELECT * FROM oracle.answer WHERE what = 'claim' AND w3 = 't';

CREATE VIEW oracle.history (wrong, what) AS
-- every level: one committed grant a key
SELECT 'granted and committed twice', min(w1)
    FROM oracle.grant_ WHERE NOT undone AND ended = 'COMMIT'
    GROUP BY w1, CASE WHEN durable THEN 0 ELSE round END HAVING count(*) > 1
UNION ALL
-- every level: who begins after a grant was acknowledged is told so
SELECT 'claimed after it was acknowledged: ' || s.w2, s.w1
    FROM oracle.grant_ g JOIN oracle.answer s ON s.what = 'claim' AND s.w1 = g.w1
    WHERE NOT g.undone AND g.ended = 'COMMIT' AND s.began > g.ended_at
        AND (g.durable OR g.round = s.round AND NOT s.durable)
        AND s.w2 NOT IN ('replayed', 'mismatch')
UNION ALL
-- every level: settled only if a grant has committed, or may have
SELECT 'settled without a grant', s.w1
    FROM oracle.answer s
    WHERE s.what = 'claim' AND s.w4 = 't'
        AND NOT EXISTS (SELECT FROM oracle.grant_ g WHERE g.w1 = s.w1 AND NOT g.undone AND g.ended <> 'ROLLBACK'
            AND g.w5::timestamptz < s.w6::timestamptz)
        -- a grant whose answer a fault kept from its worker
        AND NOT EXISTS (SELECT FROM public.said t WHERE t.what = 'try' AND t.w1 = 'claim' AND t.w2 = s.w1
            AND t.ended = 'unknown' AND t.began < s.w6::timestamptz)
UNION ALL
-- every level: granted and settled exclude each other
SELECT 'granted and settled', w1 FROM oracle.answer WHERE what = 'claim' AND w3 = 't' AND w4 = 't'
UNION ALL
-- every level: in progress needs a rival whose transaction overlaps
SELECT 'in progress without a rival', s.w1
    FROM oracle.answer s
    WHERE s.what = 'claim' AND s.w2 = 'in_progress'
        AND NOT EXISTS (SELECT FROM public.said t
            WHERE t.what = 'try' AND t.w1 = 'claim' AND t.w2 = s.w1
                AND (t.round, t.worker, t.tx) <> (s.round, s.worker, s.tx)
                AND t.began < s.w6::timestamptz
                AND (t.ended_at IS NULL OR t.ended_at > s.w5::timestamptz))
UNION ALL
-- every level: no statement sees a total that is not the sum, or above the cap
SELECT 'a snapshot shows a wrong total', w1 || ': ' || w4 || ' of ' || w3 || ', sum ' || w5
    FROM public.said WHERE what = 'see' AND (w4::numeric <> w5::numeric OR w4::numeric > w3::numeric)
UNION ALL
-- every level: a final state that somebody saw committed is what all see later
SELECT 'a final state was left', a.w1 || ': ' || a.w2 || ', then ' || b.w2
    FROM public.said a JOIN public.said b ON b.what = 'see' AND b.w1 = a.w1 AND b.began > a.w6::timestamptz
    WHERE a.what = 'see' AND a.w2 IN ('succeeded', 'failed') AND b.w2 <> a.w2
        AND (a.durable OR a.round = b.round AND NOT b.durable)
        AND NOT EXISTS (SELECT FROM public.said o WHERE o.what = 'move' AND o.w1 = a.w1
            AND (o.round, o.worker, o.tx) = (a.round, a.worker, a.tx))
UNION ALL
-- REPEATABLE READ and SERIALIZABLE: what is read twice is the same
SELECT 'not repeatable', a.w1
    FROM public.said a JOIN public.said b
        ON (b.round, b.worker, b.tx, b.what, b.w1) = (a.round, a.worker, a.tx, 'see', a.w1) AND b.seq > a.seq
    WHERE a.what = 'see' AND a.level <> 'READ COMMITTED' AND (a.w2, a.w3, a.w4) IS DISTINCT FROM (b.w2, b.w3, b.w4)
        AND NOT EXISTS (SELECT FROM public.said o
            WHERE (o.round, o.worker, o.tx) = (a.round, a.worker, a.tx)
                AND o.what = 'try' AND o.w1 NOT IN ('see', 'claim'))
UNION ALL
-- every level: nobody is told twice that he moved a row to a state
SELECT 'moved twice', w1 || ' -> ' || w2
    FROM public.said
    WHERE what = 'move' AND w3 = 'applied' AND NOT undone AND ended = 'COMMIT'
    GROUP BY w1, w2, CASE WHEN durable THEN 0 ELSE round END HAVING count(*) > 1
UNION ALL
-- an effect outside: sent once, whatever synchronous_commit says
SELECT 'sent twice', w1 FROM public.said WHERE what = 'sent' GROUP BY w1 HAVING count(*) > 1
UNION ALL
SELECT 'reserved after it was sent', r.w1
    FROM public.said r JOIN public.said s ON s.what = 'sent' AND s.w1 = r.w1 AND s.ended_at < r.began
    WHERE r.what = 'reserve' AND r.w2 = 'reserved'
UNION ALL
-- its end is final: a repeat replays
SELECT 'not replayed after its end: ' || r.w2, r.w1
    FROM public.said r JOIN public.said s
        ON s.what = 'complete' AND s.w2 = 'succeeded' AND s.w1 = r.w1 AND s.ended_at < r.began AND s.durable
    WHERE r.what = 'reserve' AND r.w2 NOT IN ('replayed', 'mismatch')
        AND EXISTS (SELECT FROM public.said c
            WHERE (c.round, c.worker, c.tx, c.seq) = (r.round, r.worker, r.tx, r.seq - 1)
                AND c.what = 'code' AND c.w1 = '00000')
UNION ALL
-- after the last try every key was sent, or somebody has to look at it
SELECT 'never sent', w2
    FROM (SELECT DISTINCT w2 FROM public.said WHERE what = 'try' AND w1 = 'reserve') t
    WHERE NOT EXISTS (SELECT FROM public.said s WHERE s.what = 'sent' AND s.w1 = t.w2)
        AND NOT EXISTS (SELECT FROM public.said s WHERE s.what IN ('reserve', 'unsent') AND s.w1 = t.w2
            AND s.w2 IN ('unknown', 'in_progress', 'replayed', 'fenced'))
UNION ALL
-- errors are those that a client must expect
SELECT 'SQLSTATE ' || w1, count(*)::text
    FROM public.said s
    WHERE what = 'code' AND w1 NOT IN ('00000', '23I01', '23I02', '23I03', '23I04', '23I05', '23I06', '23I07', '23I08',
        '23503', '40001', '40P01', '25P02', '3B001', '57P01', '57P02', '57014', '53100', '08006', '55P03')
        -- a scope that is gone, or has the other effect, at this moment; what
        -- must not be prepared; a dispatch that the standby has not confirmed
        AND NOT EXISTS (SELECT FROM public.said t
            WHERE (t.round, t.worker, t.tx, t.seq) = (s.round, s.worker, s.tx, s.seq - 1) AND t.what = 'try'
                AND (t.w1 = 'mayfly' AND s.w1 IN ('42704', '55I02')
                    OR t.w1 = 'prepare' AND s.w1 = '0A000' OR t.w1 = 'dispatch' AND s.w1 = '40003'))
        -- a race of the server, with any foreign key: a rival that is being
        -- rolled back is no conflict any more, and still a member of the lock
        AND NOT (w1 = 'XX000' AND w2 LIKE 'new multixact has more than one updating member%')
    GROUP BY w1;
