-- rooms_oracle.sql - the same for the tables of rooms.sql
--
-- oracle.rooms is what the tables hold, whatever the fault; oracle.rooms_said what
-- the workers and the administrators were told, where nothing that was
-- acknowledged may be gone.

-- What a bank was sent, and what it made of it.
CREATE VIEW oracle.ordered AS
    SELECT w1 AS key, w2 AS serial, w3 AS channel, w5 AS truth, began, ended_at, round, kind FROM public.said WHERE what = 'wired';

CREATE VIEW oracle.rooms (wrong, what) AS
SELECT 'bound effect twice', key FROM public.bound_effect GROUP BY key HAVING count(*) > 1
UNION ALL
SELECT 'bound effect without its key', key FROM public.bound_effect
    WHERE key NOT IN (SELECT a.key FROM idem.anchor a JOIN idem.scope s ON s.id = a.scope WHERE s.name = 'bound')
UNION ALL
SELECT 'effect of an own key twice', key FROM public.own_effect GROUP BY part, key HAVING count(*) > 1
UNION ALL
SELECT 'effect without its own key', key FROM public.own_effect WHERE (part, key) NOT IN (SELECT part, key FROM public.own_key)
UNION ALL
SELECT 'parcel does not go with its payment', c.id || ' ' || c.status || ', payment ' || p.id || ' ' || p.status
    FROM public.parcel c JOIN public.payment p ON p.id = c.payment_id
    WHERE c.status = 'asked' AND p.status = 'failed' OR c.status = 'sent' AND p.status <> 'succeeded'
UNION ALL
SELECT 'closed day has another sum', d.id || ': ' || d.entries || ' of ' || count(e.id)
    FROM public.day d LEFT JOIN public.day_entry e ON e.day_id = d.id WHERE d.status = 'closed'
    GROUP BY d.id HAVING d.entries IS DISTINCT FROM count(e.id) OR d.total IS DISTINCT FROM COALESCE(sum(e.amount), 0)
UNION ALL
-- held: without a confirmation nobody pays beside another one
SELECT 'the same payment twice', who
    FROM public.suspect_effect e WHERE scope = 'held'
        AND NOT EXISTS (SELECT FROM public.said t WHERE t.what = 'suspect' AND t.w1 = e.key AND t.w6 = 't' AND t.ended <> 'ROLLBACK' AND NOT t.undone)
        AND NOT EXISTS (SELECT FROM public.said t WHERE t.what = 'try' AND t.w1 = 'suspect' AND t.w2 = e.key AND t.ended = 'unknown')
    GROUP BY who HAVING count(*) > 1
UNION ALL
-- listed: of n at least n - 1
SELECT 'the same payment is not listed', e.who || ': ' || count(*) || ', listed ' || count(s.key)
    FROM public.suspect_effect e
    LEFT JOIN (SELECT DISTINCT u.key FROM idem.suspect u JOIN idem.scope c ON c.id = u.scope AND c.name = 'listed'
               UNION SELECT v.key FROM idem.evidence v WHERE v.action = 'confirm') s ON s.key = e.key
    WHERE e.scope = 'listed' GROUP BY e.who HAVING count(s.key) < count(*) - 1
UNION ALL
SELECT 'effect twice, of what may be the same payment', key FROM public.suspect_effect GROUP BY key HAVING count(*) > 1
UNION ALL
-- the banks
SELECT 'paid twice by a bank', key FROM oracle.ordered WHERE truth = 'paid' GROUP BY key HAVING count(*) > 1
UNION ALL
SELECT 'ordered again while the bank may have it', b.key
    FROM oracle.ordered a JOIN oracle.ordered b ON b.key = a.key AND b.began > a.ended_at WHERE a.truth <> 'never'
UNION ALL
SELECT 'a number of bankB twice', serial FROM oracle.ordered WHERE channel = 'bankB' GROUP BY serial HAVING count(*) > 1
UNION ALL
SELECT 'told ' || r.state::text || ' of what was ' || string_agg(DISTINCT o.truth, ', '), r.key
    FROM idem.reservation r JOIN idem.scope s ON s.id = r.scope AND s.name = 'wired'
    LEFT JOIN oracle.ordered o ON o.key = r.key
    GROUP BY r.key, r.state
    HAVING r.state = 's' AND NOT COALESCE(bool_or(o.truth = 'paid'), false)
        OR r.state = 'f' AND NOT COALESCE(bool_or(o.truth = 'refused'), false)
        OR r.state IN ('f', 'l') AND bool_or(o.truth = 'paid')
UNION ALL
-- two records: what was compared last is what a join finds (after a round all days are)
SELECT 'compared otherwise', k.serial || ': ' || k.kind || ', ' || COALESCE(d.kind, 'no difference')
    FROM (SELECT day, serial, CASE WHEN our_n > 1 THEN 'duplicate_ours' WHEN their_n > 1 THEN 'duplicate_theirs'
                WHEN our_n IS NULL THEN 'missing_ours' WHEN their_n IS NULL THEN 'missing_theirs'
                WHEN ours <> theirs THEN 'amount' ELSE 'matched' END AS kind
          FROM (SELECT day, serial, count(*) AS our_n, sum(amount) AS ours FROM public.book_line GROUP BY 1, 2) o
          FULL JOIN (SELECT day, serial, count(*) AS their_n, sum(amount) AS theirs FROM public.bank_line GROUP BY 1, 2) t USING (day, serial)) k
    FULL JOIN (SELECT day, key ->> 'serial' AS serial, min(kind) AS kind FROM idem.difference
               WHERE state IN ('open', 'investigating') OR state = 'explained' AND gone_at IS NULL GROUP BY 1, 2) d USING (day, serial)
    WHERE k.kind IS DISTINCT FROM COALESCE(d.kind, 'matched')
UNION ALL
SELECT 'one difference twice', key::text FROM idem.difference
    WHERE state IN ('open', 'investigating') OR state = 'explained' AND gone_at IS NULL GROUP BY rule, day, key, line HAVING count(*) > 1;

-- A row of one table, with its tag: what was acknowledged, and is what it was.
CREATE VIEW oracle.stored (what, id, tag) AS
    SELECT 'row', key, tag FROM public.bound_effect
    UNION ALL SELECT 'ownrow', key, tag FROM public.own_effect
    UNION ALL SELECT 'parcel', id::text, tag FROM public.parcel
    UNION ALL SELECT 'entry', id::text, tag FROM public.day_entry
    UNION ALL SELECT 'suspect', key, tag FROM public.suspect_effect
    UNION ALL SELECT 'line', 'book', tag FROM public.book_line
    UNION ALL SELECT 'line', 'bank', tag FROM public.bank_line;

-- What the worker heard, under which of the names above.
CREATE VIEW oracle.storing AS
    SELECT s.*, CASE WHEN s.what IN ('parcel', 'entry') THEN s.w2 ELSE s.w1 END AS id
    FROM oracle.answer s
    WHERE s.what IN ('row', 'ownrow', 'parcel', 'entry', 'line') OR s.what = 'suspect' AND s.w3 = 't';

CREATE VIEW oracle.rooms_said (wrong, what) AS
SELECT 'acknowledged ' || s.what || ' is lost', s.tag
    FROM oracle.storing s
    WHERE NOT s.undone AND s.ended = 'COMMIT' AND (s.durable OR s.what IN ('row', 'suspect') AND s.kind <> 'cancel')
        AND NOT EXISTS (SELECT FROM oracle.stored e WHERE (e.what, e.id, e.tag) = (s.what, s.id, s.tag))
UNION ALL
SELECT e.what || ' of what was rolled back', e.tag
    FROM oracle.stored e JOIN public.said t ON t.what = 'try' AND t.w3 = e.tag WHERE t.ended = 'ROLLBACK' OR t.undone
UNION ALL
SELECT 'row without a grant', r.w1
    FROM public.said r
    WHERE r.what IN ('row', 'ownrow') AND NOT EXISTS (SELECT FROM public.said g
        WHERE (g.round, g.worker, g.tx, g.w1, g.w3) = (r.round, r.worker, r.tx, r.w1, 't') AND g.what = CASE r.what WHEN 'row' THEN 'bound' ELSE 'own' END
            AND g.seq < r.seq AND (NOT g.undone OR r.undone))
UNION ALL
SELECT 'key was tried, and tried again, and has no row', t.w2
    FROM (SELECT DISTINCT w1, w2 FROM public.said WHERE what = 'try' AND w1 IN ('bound', 'own')) t
    WHERE NOT EXISTS (SELECT FROM public.bound_effect e WHERE e.key = t.w2) AND NOT EXISTS (SELECT FROM public.own_effect e WHERE e.key = t.w2)
UNION ALL
SELECT 'a snapshot shows parcels that do not go with their payment', w1 FROM public.said WHERE what = 'parcels' AND w2 <> '0'
UNION ALL
SELECT 'a day that was closed is open', s.w1
    FROM oracle.answer s JOIN public.day d ON d.id::text = s.w1
    WHERE s.what = 'closed' AND NOT s.undone AND s.ended = 'COMMIT' AND s.durable AND d.status <> 'closed'
UNION ALL
SELECT 'a parcel is where it never was', s.w2 || ': ' || c.status
    FROM oracle.answer s JOIN public.parcel c ON c.id::text = s.w2
    WHERE s.what = 'parceled' AND NOT s.undone AND s.ended = 'COMMIT' AND s.durable
        AND NOT EXISTS (SELECT FROM public.said o WHERE o.what = 'try' AND o.w1 = 'parcel moved' AND o.w2 = s.w1 AND o.began >= s.began)
        AND c.status <> s.w3
UNION ALL
-- whoever comes after one that was acknowledged is held
SELECT 'granted beside the same payment', g.w1 || ', ' || s.w1
    FROM public.said g JOIN public.said s ON s.what = 'suspect' AND s.w4 = 'held' AND s.w5 = g.w5 AND s.w1 <> g.w1 AND s.began > g.ended_at
    WHERE g.what = 'suspect' AND g.w3 = 't' AND g.w4 = 'held' AND NOT g.undone AND g.ended = 'COMMIT' AND (g.durable OR g.kind <> 'cancel')
        AND s.w2 = 'granted' AND s.w6 = 'f'
        AND NOT EXISTS (SELECT FROM public.said c WHERE c.what = 'suspect' AND c.w1 = s.w1 AND c.w6 = 't' AND c.ended <> 'ROLLBACK' AND NOT c.undone AND c.began < s.ended_at)
        AND NOT EXISTS (SELECT FROM public.said t WHERE t.what = 'try' AND t.w1 = 'suspect' AND t.w2 = s.w1 AND t.ended = 'unknown')
UNION ALL
-- what a bank was said to have done is kept
SELECT 'what a bank said is lost: ' || s.w2, s.w1
    FROM oracle.answer s
    WHERE s.what = 'answered' AND s.w3 = 't' AND s.w2 IN ('succeeded', 'failed', 'returned') AND s.kind <> 'cancel'
        AND NOT EXISTS (SELECT FROM idem.reservation r WHERE r.key = s.w1 AND CASE s.w2 WHEN 'failed' THEN r.state IN ('f', 's')
            WHEN 'returned' THEN r.state = 's' AND r.returned_on IS NOT NULL ELSE r.state = 's' END)
UNION ALL
SELECT 'an order without its attempt', o.key || ' ' || o.serial
    FROM oracle.ordered o
    WHERE NOT EXISTS (SELECT FROM idem.attempt a WHERE (a.key, a.channel) = (o.key, o.channel)
        AND COALESCE(a.serial, (SELECT serial FROM idem.reservation r WHERE r.key = a.key)) = o.serial)
UNION ALL
SELECT 'an explanation is lost', s.w1
    FROM oracle.answer s JOIN idem.difference d ON d.id::text = s.w1
    WHERE s.what = 'explained' AND NOT s.undone AND s.ended = 'COMMIT' AND s.durable AND d.state <> 'explained'
UNION ALL
-- what an administrator has stopped, whatever their snapshot, is stopped for whoever
-- asks after the commit, until somebody resumes it
SELECT 'granted while it was paused', g.w1
    FROM public.said g JOIN public.said p ON p.what = 'pause' AND p.w1 = 'scope' AND p.w2 = 'stop' AND p.ended = 'COMMIT' AND NOT p.undone
        AND p.ended_at < g.w4::timestamptz AND (p.durable OR p.kind = 'stale' OR p.round = g.round)
    WHERE g.what = 'stop' AND g.w3 = 't'
        AND NOT EXISTS (SELECT FROM public.said r WHERE r.what = 'try' AND r.w1 = 'resume' AND r.ended <> 'ROLLBACK'
            AND (r.ended_at IS NULL OR r.ended_at > p.began) AND r.began < g.w5::timestamptz)
UNION ALL
SELECT 'entered a state that was paused', m.w1
    FROM public.said m JOIN public.said p ON p.what = 'pause' AND p.w1 = 'machine' AND p.ended = 'COMMIT' AND NOT p.undone
        AND p.ended_at < m.began AND (p.durable OR p.kind = 'stale' OR p.round = m.round)
    WHERE m.what = 'move' AND m.w3 = 'applied' AND m.w2 = 'checking'
        AND NOT EXISTS (SELECT FROM public.said r WHERE r.what = 'try' AND r.w1 = 'resume' AND r.ended <> 'ROLLBACK'
            AND (r.ended_at IS NULL OR r.ended_at > p.began) AND (m.ended_at IS NULL OR r.began < m.ended_at))
UNION ALL
-- which is on disk whatever synchronous_commit says
SELECT 'a pause, or the end of it, is lost', p.round || '.' || p.worker || '.' || p.tx
    FROM public.said p
    WHERE p.what IN ('pause', 'resume') AND p.worker > 20 AND p.ended = 'COMMIT' AND NOT p.undone
        AND NOT EXISTS (SELECT FROM public.said o WHERE o.what = 'try' AND o.w1 IN ('pause', 'resume') AND o.ended <> 'ROLLBACK' AND o.worker > 20
            AND o.round = p.round AND (o.worker, o.tx) <> (p.worker, p.tx) AND (o.ended_at IS NULL OR o.ended_at > p.began))
        AND (p.what = 'pause') <> EXISTS (SELECT FROM public.said s WHERE s.what = 'standing' AND (s.round, s.w1, s.w2) = (p.round, p.w1, p.w2))
UNION ALL
SELECT 'paused, and nobody has', s.w1
    FROM public.said s
    WHERE s.what = 'stop' AND s.w2 = 'paused'
        AND NOT EXISTS (SELECT FROM public.said p WHERE p.what = 'try' AND p.w1 = 'pause' AND p.ended <> 'ROLLBACK' AND p.began < s.w5::timestamptz)
UNION ALL
-- what was defined holds for whoever asks after the commit, until it is defined anew
SELECT 'went by a machine that was not in force', m.w1
    FROM public.said m JOIN public.said d ON d.what = 'define' AND d.w1 = 'machine' AND d.w2 = 'f' AND d.ended = 'COMMIT' AND NOT d.undone
        AND d.ended_at < m.w4::timestamptz AND (d.durable OR d.round = m.round)
    WHERE m.what = 'toggled' AND m.w2 = 'a' AND m.w3 = 'b'
        AND NOT EXISTS (SELECT FROM public.said r WHERE r.what = 'define' AND r.w1 = 'machine' AND r.w2 = 't' AND r.ended <> 'ROLLBACK'
            AND (r.ended_at IS NULL OR r.ended_at > d.began) AND r.began < m.w5::timestamptz)
UNION ALL
SELECT 'meant what was not in force: ' || m.w2, m.w1
    FROM public.said m JOIN public.said d ON d.what = 'define' AND d.w1 = 'codes' AND d.ended = 'COMMIT' AND NOT d.undone
        AND d.ended_at < m.w4::timestamptz AND (d.durable OR d.round = m.round)
    WHERE m.what = 'mean' AND m.w2 <> CASE d.w2 WHEN 't' THEN 'failed' ELSE 'unknown' END
        AND NOT EXISTS (SELECT FROM public.said r WHERE r.what = 'define' AND r.w1 = 'codes' AND r.w2 <> d.w2 AND r.ended <> 'ROLLBACK'
            AND (r.ended_at IS NULL OR r.ended_at > d.began) AND r.began < m.w5::timestamptz)
UNION ALL
SELECT 'versions are not numbered from 1 on', name
    FROM (SELECT 'machine ' || name AS name, version FROM idem.machine UNION ALL SELECT 'codes ' || name, version FROM idem.return_code_table) v
    GROUP BY name HAVING min(version) <> 1 OR max(version) <> count(*)
UNION ALL
-- two persons: each resumption has an approval of somebody else, since the one before
SELECT 'resumed alone', r.round || '.' || r.worker || '.' || r.tx
    FROM public.said r
    WHERE r.what = 'resume' AND r.kind = 'persons' AND r.ended = 'COMMIT'
        AND NOT EXISTS (SELECT FROM public.said a WHERE a.what = 'try' AND a.w1 = 'approve' AND a.round = r.round AND a.worker <> r.worker AND a.ended <> 'ROLLBACK'
            AND (r.ended_at IS NULL OR a.began < r.ended_at) AND (a.ended_at IS NULL OR a.ended_at > COALESCE((SELECT max(b.began) FROM public.said b
                WHERE b.what = 'resume' AND b.round = r.round AND b.ended = 'COMMIT' AND b.ended_at < r.began), '-infinity')))
UNION ALL
SELECT 'resumed more often than approved', resumed || ' times, approved ' || approved
    FROM (SELECT (SELECT count(*) FROM public.said r WHERE r.what = 'resume' AND r.kind = 'persons' AND r.ended = 'COMMIT') AS resumed,
            (SELECT count(*) FROM idem.approval WHERE used_at IS NOT NULL AND used_by <> person) AS approved) c
    WHERE resumed > approved
UNION ALL
SELECT 'weakened: ' || min(s.w2), s.w1
    FROM public.said s JOIN public.said t ON (t.round, t.worker, t.tx, t.seq) = (s.round, s.worker, s.tx, s.seq - 1) AND t.what = 'try' AND t.w1 = 'weaken'
    WHERE s.what = 'code' AND s.w1 = '00000' GROUP BY s.w1;

-- A backup that was recovered to a moment has what was acknowledged before it.
CREATE VIEW oracle.recovered (wrong, what) AS
SELECT 'was acknowledged before the moment, and is lost: ' || s.what, s.tag
    FROM oracle.storing s JOIN public.moment m ON m.round = s.round
    WHERE NOT s.undone AND s.ended = 'COMMIT' AND s.ended_at < m.at
        AND NOT EXISTS (SELECT FROM oracle.stored e WHERE (e.what, e.id, e.tag) = (s.what, s.id, s.tag))
UNION ALL
SELECT 'was acknowledged before the moment, and is lost: refund', s.tag
    FROM oracle.answer s JOIN public.moment m ON m.round = s.round
    WHERE s.what = 'refund' AND NOT s.undone AND s.ended = 'COMMIT' AND s.ended_at < m.at
        AND NOT EXISTS (SELECT FROM public.refund r WHERE r.tag = s.tag)
UNION ALL
SELECT 'was asked for after the moment, and is there', e.tag
    FROM oracle.stored e JOIN public.said t ON t.what = 'try' AND t.w3 = e.tag JOIN public.moment m ON m.round = t.round
    WHERE t.began > m.at AND t.worker < 9;
