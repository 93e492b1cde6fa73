-- oracle.sql - is what the tables and the workers' files say possible?
--
-- Calls nothing of idem: it reads tables of the user, and "said", what the
-- workers read from the server, with the times between which it happened; and
-- idem's tables only to see that what somebody was told is kept is there.  Each
-- query names what must not be; all of them together return no row.
--
-- "Durable" rounds are those whose acknowledged commits must be there after the
-- fault.  What idem forces to disk and to the standbys must be there in the
-- others, too, but for "cancel", where the server says COMMIT although it has
-- not waited.

CREATE SCHEMA oracle;

-- Is an acknowledged commit with a claim of the key there after the fault?
CREATE FUNCTION oracle.kept(durable boolean, kind text, k text) RETURNS boolean IMMUTABLE LANGUAGE sql
    RETURN durable OR kind <> 'cancel' AND public.scope_of(k) <> 'loose';

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
SELECT 'purse is not the sum of its entries', p.id || ': ' || p.balance || ', sum ' || COALESCE(e.sum, 0)
    FROM public.purse p
    LEFT JOIN (SELECT purse, sum(CASE direction WHEN 'C' THEN amount ELSE - amount END) FROM public.entry WHERE status = 'posted' GROUP BY purse) e ON e.purse = p.id
    WHERE p.balance <> COALESCE(e.sum, 0)
UNION ALL
SELECT 'held is not what is pending', p.id || ': ' || p.held || ', pending ' || COALESCE(h.sum, 0)
    FROM public.purse p
    LEFT JOIN (SELECT purse, sum(amount) FROM public.entry h WHERE status = 'pending' AND direction = 'D'
               AND NOT EXISTS (SELECT FROM public.entry o WHERE o.hold_id = h.id) GROUP BY purse) h ON h.purse = p.id
    WHERE p.held <> COALESCE(h.sum, 0)
UNION ALL
SELECT 'purse below its floor', id || ': ' || balance || ', held ' || held
    FROM public.purse WHERE balance - held < floor AND NOT house
UNION ALL
SELECT 'journal out of balance', journal_id || ' ' || status || ': ' || sum(CASE direction WHEN 'C' THEN amount ELSE - amount END)
    FROM public.entry WHERE status <> 'void' GROUP BY journal_id, status HAVING sum(CASE direction WHEN 'C' THEN amount ELSE - amount END) <> 0
UNION ALL
SELECT 'purses do not add up to zero', sum(balance)::text FROM public.purse HAVING sum(balance) <> 0
UNION ALL
SELECT 'hold posted twice', hold_id::text FROM public.entry WHERE hold_id IS NOT NULL GROUP BY hold_id HAVING count(*) > 1
UNION ALL
SELECT 'hold posted that is ' || h.status, h.id::text
    FROM public.entry o JOIN public.entry h ON h.id = o.hold_id WHERE h.status <> 'pending'
UNION ALL
SELECT 'more posted than held', h.id || ': ' || o.amount || ' of ' || h.amount
    FROM public.entry o JOIN public.entry h ON h.id = o.hold_id
    WHERE o.amount > h.amount OR (o.purse, o.direction) <> (h.purse, h.direction)
UNION ALL
SELECT 'moved past a final state', payment::text FROM public.moved WHERE before IN ('succeeded', 'failed')
UNION ALL
SELECT 'moved along no edge', payment::text || ': ' || COALESCE(before, '') || ' -> ' || after
    FROM public.moved
    WHERE (COALESCE(before, ''), after) NOT IN (('', 'created'), ('created', 'paying'),
        ('paying', 'succeeded'), ('paying', 'failed'), ('paying', 'checking'),
        ('checking', 'succeeded'), ('checking', 'failed'))
UNION ALL
SELECT 'history is not what happened', COALESCE(m.payment::text, l.key)
    FROM (SELECT payment, array_agg(after ORDER BY n) AS moves FROM public.moved GROUP BY payment) m
    FULL JOIN (SELECT key, array_agg(to_state ORDER BY n) AS moves, max(n) AS last FROM idem.transition_log WHERE relation = 'public.payment'::regclass GROUP BY key) l
        ON l.key = m.payment::text
    WHERE m.moves IS DISTINCT FROM l.moves OR l.last <> cardinality(l.moves)
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
SELECT 'key without its effect', a.key
    FROM idem.anchor a JOIN idem.scope s ON s.id = a.scope
    WHERE s.name IN ('work', 'loose') AND a.key NOT IN (SELECT key FROM public.effect)
UNION ALL
SELECT 'effect without its key', e.key
    FROM public.effect e
    WHERE (e.key, public.scope_of(e.key)) NOT IN (SELECT a.key, s.name FROM idem.anchor a JOIN idem.scope s ON s.id = a.scope)
UNION ALL
SELECT 'effect twice, of a key that carries a day', key FROM public.dated_effect GROUP BY key HAVING count(*) > 1
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
    WHERE s.what = 'claim' AND s.w3 = 't' AND NOT s.undone AND s.ended = 'COMMIT'
        AND oracle.kept(s.durable, s.kind, s.w1)
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
SELECT 'acknowledged booking is lost', s.tag
    FROM oracle.answer s
    WHERE s.what = 'book' AND NOT s.undone AND s.ended = 'COMMIT' AND s.durable
        AND NOT EXISTS (SELECT FROM public.entry e JOIN public.journal j ON j.id = e.journal_id WHERE j.tag = s.tag AND j.id::text = s.w1)
UNION ALL
SELECT 'booking of what was rolled back', j.tag
    FROM public.journal j JOIN public.said t ON t.what = 'try' AND t.w3 = j.tag
    WHERE t.ended = 'ROLLBACK' OR t.undone
UNION ALL
SELECT 'a hold that was given back still holds', s.w1
    FROM oracle.answer s JOIN public.entry e ON e.id::text = s.w1
    WHERE s.what = 'void' AND NOT s.undone AND s.ended = 'COMMIT' AND s.durable AND e.status <> 'void'
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
SELECT 'was looked up as settled, and is lost', s.w1
    FROM oracle.answer s
    WHERE s.what = 'look' AND s.w1 LIKE 'k%' AND s.w3 = 't'
        AND NOT EXISTS (SELECT FROM public.effect e WHERE e.key = s.w1)
UNION ALL
SELECT 'was said to be there already, or past it, and is lost', s.w1 || ' -> ' || s.w4
    FROM oracle.answer s
    WHERE s.what = 'move' AND s.w3 IN ('already', 'passed')
        AND EXISTS (SELECT unnest(ARRAY[s.w2, s.w4]) EXCEPT
            SELECT m.after FROM public.moved m WHERE m.payment::text = s.w1)
        AND NOT EXISTS (SELECT FROM public.said o WHERE o.what = 'move' AND o.w1 = s.w1 AND o.w3 = 'applied'
            AND (o.round, o.worker, o.tx) = (s.round, s.worker, s.tx))
UNION ALL
SELECT 'was refused as a repeat, and is lost', t.w2 || ' -> ' || t.w4
    FROM public.said s JOIN public.said t
        ON (t.round, t.worker, t.tx, t.seq) = (s.round, s.worker, s.tx, s.seq - 1) AND t.what = 'try' AND t.w1 = 'move'
    WHERE s.what = 'code' AND s.w1 = '23I04'
        AND NOT EXISTS (SELECT FROM public.moved m WHERE m.payment::text = t.w2 AND m.after = t.w4)
        AND NOT EXISTS (SELECT FROM public.said o WHERE o.what = 'move' AND o.w1 = t.w2 AND o.w3 = 'applied'
            AND (o.round, o.worker, o.tx) = (s.round, s.worker, s.tx))
UNION ALL
-- a fence is flushed like what is sent; only where the server was made to say
-- COMMIT without its standby may our own be gone; somebody else's may not
SELECT 'sent after it was fenced', f.w1
    FROM oracle.answer f JOIN public.said s ON s.what = 'sent' AND s.w1 = f.w1 AND s.began > f.ended_at
    WHERE f.what = 'fence' AND f.w2 = 'fenced' AND f.w3 = 't' AND f.ended = 'COMMIT'
        AND (f.kind <> 'cancel' OR EXISTS (SELECT FROM public.said w
            WHERE (w.round, w.worker, w.tx, w.seq) = (f.round, f.worker, f.tx, f.seq + 2) AND w.what = 'wrote' AND w.w2 = 'f'))
UNION ALL
SELECT 'sent after a reservation was refused as fenced', f.w1
    FROM public.said f JOIN public.said s ON s.what = 'sent' AND s.w1 = f.w1 AND s.began > f.ended_at
    WHERE f.what = 'reserve' AND f.w2 = 'fenced' AND f.w3 = 't'
UNION ALL
SELECT 'a fence was prepared', w1 FROM public.said WHERE what = 'prepared' AND w2 = 't'
UNION ALL
-- what was said to be kept of a key outside is there, each time it was said
SELECT 'a late result is lost', s.w1
    FROM (SELECT w1, count(*) AS times FROM oracle.answer
          WHERE what IN ('complete', 'resolve') AND w2 = 'late' AND w3 = 't' AND kind <> 'cancel' GROUP BY w1) s
    WHERE s.times > (SELECT count(*) FROM idem.late_result l WHERE l.key = s.w1)
UNION ALL
SELECT 'evidence is lost', s.w1
    FROM (SELECT w1, count(*) AS times FROM oracle.answer
          WHERE what = 'resolve' AND w2 = 'succeeded' AND w3 = 't' AND kind <> 'cancel' GROUP BY w1) s
    WHERE s.times > (SELECT count(*) FROM idem.evidence e WHERE e.key = s.w1 AND e.action = 'resolve')
UNION ALL
SELECT 'evidence is not numbered from 1 on', key
    FROM idem.evidence GROUP BY scope, key HAVING min(n) <> 1 OR max(n) <> count(*)
UNION ALL
SELECT 'late results are not numbered from 1 on', key
    FROM idem.late_result GROUP BY scope, key HAVING min(n) <> 1 OR max(n) <> count(*)
UNION ALL
SELECT 'sent without its attempt', s.w1
    FROM public.said s
    WHERE s.what = 'sent' AND NOT EXISTS (SELECT FROM idem.attempt a WHERE a.key = s.w1)
UNION ALL
-- keys that carry a day, beside who forgets old days
SELECT 'acknowledged effect is lost, of a key that carries a day', s.w1
    FROM oracle.answer s
    WHERE s.what = 'dated' AND s.w3 = 't' AND NOT s.undone AND s.ended = 'COMMIT' AND s.kind <> 'cancel'
        AND NOT EXISTS (SELECT FROM public.dated_effect e WHERE e.key = s.w1 AND e.tag = s.tag)
UNION ALL
SELECT 'effect of what was rolled back, of a key that carries a day', e.key
    FROM public.dated_effect e JOIN public.said t ON t.what = 'try' AND t.w3 = e.tag
    WHERE t.ended = 'ROLLBACK' OR t.undone
UNION ALL
SELECT 'was said to be settled, and is lost, of a key that carries a day', s.w1
    FROM oracle.answer s
    WHERE s.what = 'dated' AND s.w2 = 'replayed' AND s.w4 = 't'
        AND NOT EXISTS (SELECT FROM public.dated_effect e WHERE e.key = s.w1)
UNION ALL
SELECT 'acknowledged effect of mayfly is lost', s.w1
    FROM oracle.answer s
    WHERE s.what = 'mayfly' AND s.w2 = 'granted' AND s.w3 = 't' AND NOT s.undone AND s.ended = 'COMMIT' AND s.durable
        AND NOT EXISTS (SELECT FROM public.mayfly_effect e WHERE e.key = s.w1 AND e.tag = s.tag);

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
    GROUP BY w1, CASE WHEN oracle.kept(durable, kind, w1) THEN 0 ELSE round END HAVING count(*) > 1
UNION ALL
-- every level: who begins after a grant was acknowledged is told so
SELECT 'claimed after it was acknowledged: ' || s.w2, s.w1
    FROM oracle.grant_ g JOIN oracle.answer s ON s.what = 'claim' AND s.w1 = g.w1
    WHERE NOT g.undone AND g.ended = 'COMMIT' AND s.began > g.ended_at
        AND (oracle.kept(g.durable, g.kind, g.w1) OR g.round = s.round AND NOT s.durable)
        AND s.w2 NOT IN ('replayed', 'mismatch', 'unconfirmed')
UNION ALL
SELECT 'unconfirmed without a standby', w1 FROM oracle.answer
    WHERE what = 'claim' AND w2 = 'unconfirmed' AND kind NOT IN ('promote', 'local', 'cancel')
UNION ALL
-- every level: what is older than a horizon that was acknowledged never runs;
-- without one nothing is expired
SELECT 'ran after its day was retired', g.w1
    FROM oracle.answer g JOIN oracle.answer r ON r.what = 'retire' AND r.w1::int > g.w5::int AND g.began > r.ended_at
    WHERE g.what = 'dated' AND g.w3 = 't' AND r.ended = 'COMMIT' AND NOT r.undone
        AND (r.durable OR r.round = g.round AND NOT g.durable)
UNION ALL
SELECT 'expired without a horizon', s.w1
    FROM oracle.answer s
    WHERE s.what = 'dated' AND s.w2 = 'expired'
        AND NOT EXISTS (SELECT FROM public.said t WHERE t.what = 'try' AND t.w1 = 'retire' AND t.w4::int > s.w5::int
            AND (t.ended <> 'ROLLBACK' AND NOT t.undone OR (t.round, t.worker, t.tx) = (s.round, s.worker, s.tx))
            AND t.began < s.w6::timestamptz)
UNION ALL
-- every level, after every fault: what was said to be settled is never granted
-- again.  (That its effect is there would say nothing: the retry brings it back.)
SELECT 'granted after it was said to be settled', g.w1
    FROM oracle.grant_ g JOIN oracle.answer s ON s.what = 'claim' AND s.w4 = 't' AND s.w1 = g.w1
        AND s.w6::timestamptz < g.w5::timestamptz
UNION ALL
SELECT 'granted after it was looked up as settled', g.w1
    FROM oracle.grant_ g JOIN oracle.answer s ON s.what = 'look' AND s.w3 = 't' AND s.w1 = g.w1 AND s.w4::timestamptz < g.w5::timestamptz
UNION ALL
SELECT 'granted after it was said to be settled, of a key that carries a day', g.w1
    FROM oracle.answer g JOIN oracle.answer s ON s.what = 'dated' AND s.w4 = 't' AND s.w1 = g.w1 AND s.w6::timestamptz < g.began
    WHERE g.what = 'dated' AND g.w3 = 't'
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
SELECT 'a snapshot shows a wrong balance', w1 || ': ' || w2 || ' of ' || w4 || ', held ' || w3 || ' of ' || w5
    FROM public.said WHERE what = 'purse' AND (w2 <> w4 OR w3 <> w5 OR w1 <> '0' AND w2::bigint < w3::bigint)
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
-- every level: no move of a row to a state is reported to two callers
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
        ON s.what IN ('complete', 'resolve') AND s.w2 = 'succeeded' AND s.w3 = 't' AND s.w1 = r.w1 AND s.ended_at < r.began
            AND s.kind <> 'cancel'
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
-- and who hears that it is settled is not sent to it any more
SELECT 'reserved after it was said to be settled', r.w1
    FROM public.said r JOIN public.said s
        ON s.what IN ('reserve', 'look') AND s.w3 = 't' AND s.w1 = r.w1 AND s.ended_at < r.began
    WHERE r.what = 'reserve' AND r.w2 = 'reserved'
UNION ALL
-- errors are those that a client must expect
SELECT 'SQLSTATE ' || w1, min(round || '.' || worker || '.' || tx || ': ' || COALESCE(w2, ''))
    FROM public.said s
    WHERE what = 'code' AND w1 NOT IN ('00000', '23I01', '23I02', '23I03', '23I04', '23I05', '23I06', '23I07', '23I08',
        '23503', '40001', '40P01', '25P02', '3B001', '57P01', '57P02', '57014', '53100', '08006', '55P03', '23I0C', '55I03')
        -- a scope that is gone, or has the other effect, at this moment; what
        -- must not be prepared; a dispatch that the standby has not confirmed; a
        -- hold that somebody else has posted or given back; a journal that was
        -- made out of balance; a row without a grant, and another request under
        -- its key; what needs a second person, what is not paused (any more), and a
        -- difference that somebody else has explained; DDL, whatever the server says
        AND NOT EXISTS (SELECT FROM public.said t
            WHERE (t.round, t.worker, t.tx, t.seq) = (s.round, s.worker, s.tx, s.seq - 1) AND t.what = 'try'
                AND (t.w1 = 'mayfly' AND s.w1 IN ('42704', '55I02')
                    OR t.w1 = 'prepare' AND s.w1 = '0A000' OR t.w1 = 'dispatch' AND s.w1 = '40003'
                    OR t.w1 = 'post' AND s.w1 IN ('23505', '23I09') OR t.w1 = 'check' AND s.w1 = '23I0B'
                    OR t.w1 IN ('row', 'own row') AND s.w1 = '23I0A' OR t.w1 = 'own' AND s.w1 = '23I0D'
                    OR s.kind = 'persons' AND (t.w1 IN ('suspect', 'resume') AND s.w1 = '42501' OR t.w1 = 'approve' AND s.w1 = 'P0001')
                    OR t.w1 IN ('resume', 'approve') AND s.w1 = '42704' OR t.w1 = 'explain' AND s.w1 = '55000'
                    OR t.w1 IN ('ddl', 'weaken') AND s.w1 NOT LIKE 'XX%'))
        -- a race of the server, with any foreign key: a rival that is being
        -- rolled back is no conflict any more, and still a member of the lock
        AND NOT (w1 = 'XX000' AND w2 LIKE 'new multixact has more than one updating member%')
    GROUP BY w1;

-- ---------------------------------------------------------------------------
-- Moved: a standby that lagged, or a backup, of a database that has a site
-- ---------------------------------------------------------------------------

-- Worker 10 tried every key before the site was adopted, worker 11 after it,
-- and worker 9 when the bank had said what it has.
CREATE VIEW oracle.moved (wrong, what) AS
SELECT 'sent twice', w1 FROM public.said WHERE what = 'sent' GROUP BY w1 HAVING count(*) > 1
UNION ALL
SELECT 'sent or reserved before the site was adopted', w1
    FROM public.said WHERE worker = 10 AND (what = 'sent' OR what = 'reserve' AND w2 = 'reserved')
UNION ALL
SELECT 'reserved before the bank was asked', w1
    FROM public.said WHERE worker = 11 AND what = 'reserve' AND w2 = 'reserved'
UNION ALL
SELECT 'nothing was misplaced', count(*)::text
    FROM public.said WHERE worker = 10 AND what = 'reserve' AND w2 = 'misplaced'
    HAVING count(*) = 0 AND EXISTS (SELECT FROM public.said WHERE worker = 10 AND what = 'reserve'
        AND w2 NOT IN ('unknown', 'in_progress', 'replayed', 'fenced', 'mismatch'))
UNION ALL
SELECT 'never sent', w2
    FROM (SELECT DISTINCT w2 FROM public.said WHERE what = 'try' AND w1 = 'reserve') t
    WHERE NOT EXISTS (SELECT FROM public.said s WHERE s.what = 'sent' AND s.w1 = t.w2)
        AND NOT EXISTS (SELECT FROM idem.reservation r WHERE r.key = t.w2 AND r.state = 'n');
