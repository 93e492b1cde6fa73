
-- ---------------------------------------------------------------------------
-- control: stop, and go on
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.pause(
        kind text, name text, state text DEFAULT NULL, fk text[] DEFAULT NULL,
        reason text DEFAULT NULL,
        OUT dispatched bigint, OUT reserved bigint)
    AS 'MODULE_PATHNAME', 'idem_pause'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.pause(text, text, text, text[], text) IS
    'stops what is new; results go on: complete, resolve, fence, final states, facts, releases. In force for the next statement of every session and transaction when the commit returns; what was asked for before may still be granted. Kept in idem.change_log. For operators.
In: kind scope: claim, claim_many, reserve and dispatch answer paused where they would have been granted. kind machine, with state: no row enters that state (55I03), rows in it leave. kind channel: dispatch by it answers paused. kind limit, name the child table, fk its foreign key where it has several limits: no new request (55I03). reason: required.
Out: of a scope for effects outside, or a channel, how many keys are dispatched or unknown, and may still take effect; of a scope also how many are reserved; idem.pauses counts again. What is paused already stays as it was, with a NOTICE.
Errors: 22004 kind, name, reason, or state of a machine null; 22023 unknown kind, an argument that is not for it, a final state, or reason blank or longer than 1,000 characters; 42704 no such scope, channel, machine, state or limit; 42P01 no such table; 42725 several limits and no fk; 25006 on a standby or in a read-only transaction.
Locks: ROW EXCLUSIVE on idem.pause. Waits for nobody who claims, sends or writes.';
REVOKE ALL ON FUNCTION idem.pause(text, text, text, text[], text) FROM PUBLIC;

CREATE FUNCTION idem.resume(
        kind text, name text, state text DEFAULT NULL, fk text[] DEFAULT NULL,
        reason text DEFAULT NULL)
    RETURNS void
    AS 'MODULE_PATHNAME', 'idem_resume'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.resume(text, text, text, text[], text) IS
    'lets go on what idem.pause stopped; for operators. Kept in idem.change_log.
In: as idem.pause.
Errors: as idem.pause; 42704 if it is not paused. A scope, machine or state that is gone can be named.
Locks: ROW EXCLUSIVE on idem.pause.';
REVOKE ALL ON FUNCTION idem.resume(text, text, text, text[], text) FROM PUBLIC;

CREATE VIEW idem.pauses AS
SELECT p.kind,
       CASE p.kind WHEN 'limit' THEN coalesce(g.relation::text, p.name) ELSE p.name END AS name,
       nullif(p.state, '') AS state, g.fk, p.at, p.role, p.reason, c.dispatched, c.reserved
FROM idem.pause p
LEFT JOIN LATERAL (
    SELECT l.relation, idem.setting(d.arguments, 'fk')::text[] AS fk
    FROM idem.guard_places l
    LEFT JOIN LATERAL (SELECT e.arguments FROM idem.change e
                       WHERE e.guard = l.guard AND e.action = 'declared'
                       ORDER BY e.n DESC LIMIT 1) d ON true
    WHERE l.guard::text = p.name) g ON p.kind = 'limit'
LEFT JOIN idem.scope s ON p.kind = 'scope' AND s.name = p.name AND s.effect = 'outside'
LEFT JOIN LATERAL (
    SELECT pg_catalog.count(*) FILTER (WHERE r.state IN ('d', 'u')) AS dispatched,
           pg_catalog.count(*) FILTER (WHERE r.state = 'r') AS reserved
    FROM idem.reservation r
    WHERE s.id IS NOT NULL AND r.scope = s.id AND r.due_at IS NOT NULL
    HAVING s.id IS NOT NULL
    UNION ALL
    SELECT pg_catalog.count(*), NULL
    FROM idem.reservation r
    JOIN idem.attempt a ON (a.scope, a.key, a.attempt) = (r.scope, r.key, r.attempt)
    WHERE p.kind = 'channel' AND a.channel = p.name AND r.due_at IS NOT NULL AND r.state IN ('d', 'u')
    HAVING p.kind = 'channel') c ON true;
COMMENT ON VIEW idem.pauses IS 'what is paused now, and what was sent before and may still take effect; what was paused and resumed stands in idem.change_log';
COMMENT ON COLUMN idem.pauses.kind IS 'scope, channel, machine or limit';
COMMENT ON COLUMN idem.pauses.name IS 'the scope, the channel, the machine, or the child table of the limit as it is called now; a limit that was dropped has a number';
COMMENT ON COLUMN idem.pauses.state IS 'of a machine: the state that no row enters';
COMMENT ON COLUMN idem.pauses.fk IS 'of a limit: its foreign key';
COMMENT ON COLUMN idem.pauses.at IS 'since when, by the clock of the database';
COMMENT ON COLUMN idem.pauses.role IS 'session user who paused it';
COMMENT ON COLUMN idem.pauses.reason IS 'why';
COMMENT ON COLUMN idem.pauses.dispatched IS 'of a scope for effects outside, or a channel: keys that are dispatched or unknown, and may still take effect';
COMMENT ON COLUMN idem.pauses.reserved IS 'of such a scope: keys that are reserved, and cannot be dispatched';
REVOKE ALL ON TABLE idem.pauses FROM PUBLIC;

-- The doctor's.
CREATE VIEW idem.pause_problems AS
SELECT 'warning' AS severity,
       pg_catalog.format('%s %I', p.kind, p.name)
       || CASE WHEN p.state IS NULL THEN '' ELSE pg_catalog.format(' state %I', p.state) END AS object,
       pg_catalog.format('paused by %s since %s, for more than a day: %s', p.role, p.at, p.reason) AS finding,
       pg_catalog.format('SELECT idem.resume(%L, %L%s%s, reason => ...)', p.kind, p.name,
                         CASE WHEN p.state IS NOT NULL THEN pg_catalog.format(', state => %L', p.state) END,
                         CASE WHEN p.fk IS NOT NULL THEN pg_catalog.format(', fk => %L', p.fk) END) AS remedy
FROM idem.pauses p
WHERE p.at < pg_catalog.clock_timestamp() - interval '1 day';
COMMENT ON VIEW idem.pause_problems IS 'what was paused more than a day ago and not resumed, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.pause_problems FROM PUBLIC;
