
-- ---------------------------------------------------------------------------
-- send: what was heard of providers, and what it means by now
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.correct(scope text, key text, outcome text, reason text, evidence jsonb)
    RETURNS idem.send_result
    AS 'MODULE_PATHNAME', 'idem_correct'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.correct(text, text, text, text, jsonb) IS
    'puts a final state right that turned out to be wrong; closes what waited for a person. For operators. Kept in idem.evidence, and marked as corrected in every answer; guards see the corrected state.
In: outcome succeeded or failed; reason and evidence: why, and what shows it.
Out: the state; reentrant: it was so before, and nothing was changed. The response stays what the provider said.
Errors: 42501 no operator, or no approval where one is needed; 22004 argument null; 22023 another outcome, or a reason that is blank or longer than 1,000 characters; 55I02 a key that is not final, or of which nothing is known; others as complete.
Locks: ROW EXCLUSIVE on idem.reservation and idem.evidence; the row, for which it waits.';
REVOKE ALL ON FUNCTION idem.correct(text, text, text, text, jsonb) FROM PUBLIC;

CREATE FUNCTION idem.presume(scope text, batch integer DEFAULT 100)
    RETURNS SETOF idem.send_result
    AS 'MODULE_PATHNAME', 'idem_presume'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.presume(text, integer) IS
    'takes for success what a channel with presume_days has been silent about for that many of its business days. The keys are succeeded and marked as presumed; a return still comes. To be called as often as idem.due is.
Out: at most batch rows, one for each key that was presumed; outcome succeeded, or reverse_needed if a fence came meanwhile.
Errors: as idem.due.
Locks: ROW EXCLUSIVE on idem.reservation; the rows, for which it does not wait.';
REVOKE ALL ON FUNCTION idem.presume(text, integer) FROM PUBLIC;

-- Every answer that was kept with its interface: in the logs those that left a
-- key open, were late or came by another way than complete; else the response.
CREATE VIEW idem.heard AS
SELECT e.scope, e.key, e.attempt, e.at, e.via, e.codes
FROM idem.evidence e
WHERE e.via IS NOT NULL AND e.response IS NOT NULL
UNION ALL
SELECT l.scope, l.key, l.attempt, l.at, l.via, l.codes
FROM idem.late_result l
WHERE l.via IS NOT NULL
UNION ALL
SELECT r.scope, r.key, r.attempt, r.finished_at, c.send,
       CASE pg_catalog.jsonb_typeof(r.response -> 'code')
            WHEN 'array' THEN ARRAY(SELECT pg_catalog.jsonb_array_elements_text(r.response -> 'code'))
            ELSE pg_catalog.string_to_array(r.response ->> 'code', '/') END
FROM idem.reservation r
JOIN idem.attempt a ON a.scope = r.scope AND a.key = r.key AND a.attempt = r.attempt
JOIN idem.channel c ON c.name = a.channel
WHERE r.state IN ('s', 'f') AND r.response ? 'code' AND c.send IS NOT NULL
      AND NOT EXISTS (SELECT FROM idem.evidence e
                      WHERE e.scope = r.scope AND e.key = r.key AND e.attempt = r.attempt AND e.response = r.response);
COMMENT ON VIEW idem.heard IS 'every answer of a provider that was kept with the interface it came by';
COMMENT ON COLUMN idem.heard.scope IS 'id of the scope';
COMMENT ON COLUMN idem.heard.key IS 'the key';
COMMENT ON COLUMN idem.heard.attempt IS 'the attempt it is about';
COMMENT ON COLUMN idem.heard.at IS 'when it came';
COMMENT ON COLUMN idem.heard.via IS 'the interface';
COMMENT ON COLUMN idem.heard.codes IS 'its code, a layer an element; NULL: it had none';
REVOKE ALL ON TABLE idem.heard FROM PUBLIC;

-- A view and no counter: a row that every complete would have to change would
-- hold them all up in the very outage that it is to report.
CREATE VIEW idem.unlisted_codes AS
SELECT u.interface, u.code, u.first_seen, u.last_seen, u.seen, u.scope, u.key
FROM (SELECT h.via AS interface, h.codes, pg_catalog.array_to_string(h.codes, '/') AS code, pg_catalog.min(h.at) AS first_seen,
             pg_catalog.max(h.at) AS last_seen, pg_catalog.count(*) AS seen,
             pg_catalog.min(s.name) AS scope, pg_catalog.max(h.key) AS key
      FROM idem.heard h JOIN idem.scope s ON s.id = h.scope
      GROUP BY h.via, h.codes) u
WHERE EXISTS (SELECT FROM idem.return_code_table t WHERE t.name = u.interface)
      AND NOT CASE WHEN u.codes IS NULL THEN false
                   WHEN EXISTS (SELECT FROM idem.return_code_table t WHERE t.name = u.interface)
                   THEN (idem.meaning_of(u.interface, u.codes)).listed END;
COMMENT ON VIEW idem.unlisted_codes IS 'codes that providers answered and that no table lists: unknown until somebody lists them';
COMMENT ON COLUMN idem.unlisted_codes.interface IS 'the interface by which it came';
COMMENT ON COLUMN idem.unlisted_codes.code IS 'the code, its layers parted by slashes; NULL: answers without one';
COMMENT ON COLUMN idem.unlisted_codes.first_seen IS 'when it came first';
COMMENT ON COLUMN idem.unlisted_codes.last_seen IS 'when it came last';
COMMENT ON COLUMN idem.unlisted_codes.seen IS 'how often';
COMMENT ON COLUMN idem.unlisted_codes.scope IS 'a scope in which it came';
COMMENT ON COLUMN idem.unlisted_codes.key IS 'a key about which it came';
REVOKE ALL ON TABLE idem.unlisted_codes FROM PUBLIC;

CREATE VIEW idem.channel_coverage AS
WITH heard AS (
    SELECT h.via, h.meaning, pg_catalog.sum(h.seen) AS seen, pg_catalog.max(h.last_seen) AS last_seen
    FROM (SELECT g.via, g.seen, g.last_seen, (idem.meaning_of(g.via, g.codes)).meaning
          FROM (SELECT h.via, h.codes, pg_catalog.count(*) AS seen, pg_catalog.max(h.at) AS last_seen
                FROM idem.heard h
                WHERE h.via IN (SELECT t.name FROM idem.return_code_table t)
                GROUP BY h.via, h.codes
                OFFSET 0) g) h
    GROUP BY h.via, h.meaning)
SELECT c.name AS channel, i.side, i.interface, m.meaning,
       (SELECT pg_catalog.count(*) FROM idem.listed_codes(i.interface) l WHERE l.meaning = m.meaning) AS listed,
       coalesce(h.seen, 0) AS seen, h.last_seen
FROM idem.channel c
CROSS JOIN LATERAL (VALUES ('send', c.send), ('inquire', c.inquire), ('notice', c.notice), ('statement', c.statement)) i (side, interface)
CROSS JOIN (VALUES ('succeeded'), ('failed'), ('absent'), ('returned'), ('unknown')) m (meaning)
LEFT JOIN heard h ON h.via = i.interface AND h.meaning = m.meaning
WHERE i.interface IS NOT NULL;
COMMENT ON VIEW idem.channel_coverage IS 'for the check before going live: of each interface and meaning, how many codes are listed and how many answers have been seen';
COMMENT ON COLUMN idem.channel_coverage.channel IS 'the channel';
COMMENT ON COLUMN idem.channel_coverage.side IS 'send, inquire, notice or statement';
COMMENT ON COLUMN idem.channel_coverage.interface IS 'its interface there';
COMMENT ON COLUMN idem.channel_coverage.meaning IS 'succeeded, failed, absent, returned or unknown, which is also all that is not listed';
COMMENT ON COLUMN idem.channel_coverage.listed IS 'how many codes of this meaning the table in force lists';
COMMENT ON COLUMN idem.channel_coverage.seen IS 'how many answers with such a code have been kept';
COMMENT ON COLUMN idem.channel_coverage.last_seen IS 'when the last one came';
REVOKE ALL ON TABLE idem.channel_coverage FROM PUBLIC;

-- What was said last of one key that is unknown, by the tables of now.  To
-- release is not among it: that has to be asked anew.  Of a key that is to be
-- settled the row is locked first, by a statement of its own: the next one has
-- a newer snapshot, and sees what was said while this one waited.
CREATE FUNCTION idem.reconsider_key(scope text, key text, settle boolean)
    RETURNS TABLE (attempt integer, interface text, code text, at timestamptz, meaning text, outcome text)
    LANGUAGE sql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT FROM idem.reservation r
        WHERE settle AND r.scope = (SELECT s.id FROM idem.scope s WHERE s.name = reconsider_key.scope)
              AND r.key = reconsider_key.key AND r.due_at IS NOT NULL
        FOR NO KEY UPDATE OF r;
        SELECT l.attempt, l.via, array_to_string(l.codes, '/'), l.at, m.meaning,
               CASE WHEN settle
                    THEN (SELECT a.outcome FROM idem.resolve(reconsider_key.scope, l.key, via => l.via, answer => l.response,
                                                             attempt => l.attempt, asked_at => l.asked_at) a) END
        FROM idem.scope s
        JOIN idem.reservation r ON r.scope = s.id AND r.key = reconsider_key.key AND r.due_at IS NOT NULL AND r.state = 'u'
        CROSS JOIN LATERAL (SELECT e.key, e.attempt, e.via, e.codes, e.at, e.response, e.asked_at
                            FROM idem.evidence e
                            WHERE e.scope = r.scope AND e.key = r.key AND e.scope_created_at = s.created_at
                                  AND e.attempt = r.attempt AND e.via IS NOT NULL AND e.response IS NOT NULL
                            ORDER BY e.n DESC LIMIT 1) l
        CROSS JOIN LATERAL (SELECT CASE WHEN l.via IN (SELECT t.name FROM idem.return_code_table t) AND l.codes IS NOT NULL
                                        THEN (idem.meaning_of(l.via, l.codes)).meaning ELSE 'unknown' END) m (meaning)
        WHERE s.name = reconsider_key.scope AND m.meaning IN ('succeeded', 'failed', 'returned');
    END;
COMMENT ON FUNCTION idem.reconsider_key(text, text, boolean) IS
    'idem.reconsider of one key: a row if what was last said would settle it.
Locks: if it is to be settled, the row of idem.reservation, for which it waits.';
REVOKE ALL ON FUNCTION idem.reconsider_key(text, text, boolean) FROM PUBLIC;

CREATE FUNCTION idem.reconsider(scope text, dry_run boolean DEFAULT true)
    RETURNS TABLE (key text, attempt integer, interface text, code text, at timestamptz, meaning text, outcome text)
    LANGUAGE sql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT r.key, k.attempt, k.interface, k.code, k.at, k.meaning, k.outcome
        FROM (SELECT u.key
              FROM idem.reservation u
              WHERE u.scope = (SELECT s.id FROM idem.scope s WHERE s.name = reconsider.scope)
                    AND u.due_at IS NOT NULL AND u.state = 'u'
              ORDER BY u.key OFFSET 0) r
        CROSS JOIN LATERAL idem.reconsider_key(reconsider.scope, r.key, NOT dry_run) k;
    END;
COMMENT ON FUNCTION idem.reconsider(text, boolean) IS
    'judges what was last said of every unknown key of a scope by the return codes of now, after codes were added to a table. Never releases a key. For operators.
In: dry_run: only show. False: settle them, as idem.resolve with the same answer.
Out: a row for each key that the last answer would settle: its meaning now, and the outcome of settling.
Locks: unless dry_run as idem.resolve, and the rows of unknown keys, in the order of the keys, for which it waits.';
REVOKE ALL ON FUNCTION idem.reconsider(text, boolean) FROM PUBLIC;

-- The doctor's: what a channel in use lacks.
CREATE VIEW idem.channel_problems AS
WITH used AS (SELECT c.* FROM idem.channel c WHERE EXISTS (SELECT FROM idem.scope s WHERE c.name = ANY (s.channels)))
SELECT 'warning' AS severity, pg_catalog.format('channel %I', u.name) AS object, p.finding, p.remedy
FROM used u, LATERAL (
    SELECT 'nobody can be asked what became of a payment: it has no inquiry and no statement',
           pg_catalog.format('SELECT idem.alter_channel(%L, inquire => ...)', u.name)
    WHERE u.inquire IS NULL AND u.statement IS NULL AND u.presume_days IS NULL
    UNION ALL
    SELECT 'its answers repeat nothing of what was sent: one about another payment would be believed',
           pg_catalog.format('SELECT idem.alter_channel(%L, echo => ''{serial,amount}'')', u.name)
    WHERE u.echo = '{}'
    UNION ALL
    SELECT pg_catalog.format('scopes %s go by it, and its serials are made of the key alone: a key that two of them have is one payment to the provider',
                             pg_catalog.string_agg(pg_catalog.quote_ident(s.name), ', ' ORDER BY s.name)),
           'begin the keys of each scope with letters of its own, or have a channel with {hash:n}, which is of scope and key'
    FROM idem.scope s
    WHERE u.name = ANY (s.channels) AND pg_catalog.strpos(u.serial, '{key}') > 0 AND u.serial !~ '[{](hash|seq):'
    HAVING pg_catalog.count(*) > 1
    UNION ALL
    SELECT pg_catalog.format('its serials are used up to %s percent', (l.last * 100 / l.greatest)::integer),
           'declare a channel whose serial has more digits, in time'
    FROM (SELECT pg_catalog.pg_sequence_last_value(pg_catalog.to_regclass(pg_catalog.format('idem.%I', 'serial_' || u.name)))::numeric AS last,
                 10 ^ pg_catalog.substring(u.serial, '[{]seq:(\d+)[}]')::numeric - 1 AS greatest) l
    WHERE l.last / l.greatest > 0.8
    UNION ALL
    SELECT 'no code of it means failed: what the provider refuses stays unknown',
           'list the codes of certain failures: SELECT * FROM idem.channel_coverage'
    WHERE NOT EXISTS (SELECT FROM pg_catalog.unnest(ARRAY[u.send, u.inquire, u.notice, u.statement]) i
                      CROSS JOIN LATERAL idem.listed_codes(i) l WHERE i IS NOT NULL AND l.meaning = 'failed')
) p (finding, remedy)
UNION ALL
SELECT 'warning', pg_catalog.format('interface %I', c.interface),
       pg_catalog.format('%s that no table lists, seen %s times until %s: %s',
                         CASE pg_catalog.count(*) WHEN 1 THEN 'a code' ELSE pg_catalog.count(*) || ' codes' END,
                         pg_catalog.sum(c.seen), pg_catalog.max(c.last_seen),
                         pg_catalog.string_agg(coalesce(c.code, 'none'), ', ' ORDER BY c.code COLLATE "C")),
       pg_catalog.format('ask the provider, and SELECT * FROM idem.define_return_codes(%L, ...); SELECT * FROM idem.unlisted_codes', c.interface)
FROM idem.unlisted_codes c
WHERE c.last_seen > pg_catalog.clock_timestamp() - interval '7 days'
GROUP BY c.interface;
COMMENT ON VIEW idem.channel_problems IS 'what channels in use lack, and codes of the last week that no table lists, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.channel_problems FROM PUBLIC;
