
-- ---------------------------------------------------------------------------
-- send: effects leave from one place only
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.set_site(name text, on_move text DEFAULT NULL, reason text DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_set_site'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.set_site(text, text, text) IS
    'sets the place of this database: from then on reserve and dispatch answer misplaced on a server whose configuration does not set idem.site to this name, in a file outside of the data directory, and wherever the database is another one than the one it was set in, by cluster, timeline or number. For admins. Kept in idem.change_log.
In: name, 1 to 63 bytes; on_move: what happens on a new timeline. halt: misplaced, until an operator says idem.adopt_site. follow: goes on by itself where this server was a standby that was promoted, and every scope for effects outside asks for standbys; any other move halts. NULL: follow where that is so, else halt. reason: required to change what is set. The stamp stays as it is then.
Errors: 22004 name null; 22023 invalid name or on_move, reason blank or longer than 1,000 characters; 42501 an approval is missing; 42P17 a change without a reason; 55000 the configuration of this server says otherwise, or follow, where a scope asks for no standbys; 25006 on a standby or in a read-only transaction.
The same again is a no-op with a NOTICE.
Locks: SHARE ROW EXCLUSIVE on idem.site.';
REVOKE ALL ON FUNCTION idem.set_site(text, text, text) FROM PUBLIC;

CREATE FUNCTION idem.adopt_site(reason text, lost interval, hold interval DEFAULT '1 hour',
                                OUT unknown bigint, OUT held_until timestamptz)
    AS 'MODULE_PATHNAME', 'idem_adopt_site'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.adopt_site(text, interval, interval) IS
    'says that a database which was restored, copied or promoted is now at its place, and that nothing else sends from it. For operators. Kept in idem.change_log.
In: lost: how much time is missing at most, from what the database has to what was done elsewhere; zero: nothing is missing. hold: how long keys are held after that which are seen for the first time: reserve answers misplaced and retry_at; NULL or zero: none is.
Where something is missing, every key that is reserved or released becomes unknown, since it may have been sent: inquire. What is heard of its end settles it; that nothing arrived, of these and of those dispatched before, only an operator can say. The numbers of channels that count go on behind those that may have been given out.
Out: how many keys became unknown; until when new keys are held.
Errors: 22004 reason or lost null; 22023 reason blank or longer than 1,000 characters, lost or hold negative or with months; 42501 for operators only, or an approval is missing; 42704 the database has no site; 55000 the configuration of this server says otherwise; 25006 on a standby or in a read-only transaction.
Locks: SHARE ROW EXCLUSIVE on idem.reservation and idem.site: calls for keys of effects outside wait, and it waits for them.';
REVOKE ALL ON FUNCTION idem.adopt_site(text, interval, interval) FROM PUBLIC;

-- The doctor's.
CREATE VIEW idem.site_problems AS
SELECT 'error' AS severity, pg_catalog.format('site %I', s.name) AS object,
       pg_catalog.format('nothing is sent from here: %s', m.why) AS finding,
       'see that nothing else sends from this database, then idem.adopt_site; where it is to be another site, idem.set_site first' AS remedy
FROM idem.site s, LATERAL (SELECT idem.misplaced() AS why) m
WHERE m.why IS NOT NULL
UNION ALL
SELECT 'notice', 'this database',
       'has scopes for effects outside and no site: a copy of it that is restored elsewhere sends what this one sends',
       'set idem.site in a configuration file outside of the data directory, then SELECT idem.set_site(...)'
WHERE NOT EXISTS (SELECT FROM idem.site)
      AND EXISTS (SELECT FROM idem.scope s WHERE s.effect = 'outside')
UNION ALL
SELECT 'warning', pg_catalog.format('site %I', s.name),
       pg_catalog.format('is to follow to a new timeline, and does not, as long as scope %I asks for no standbys', c.name),
       pg_catalog.format('SELECT idem.alter_scope(%L, standbys => 1)', c.name)
FROM idem.site s, idem.scope c
WHERE s.on_move = 'follow' AND c.effect = 'outside' AND c.standbys = 0
UNION ALL
SELECT 'notice', pg_catalog.format('site %I', s.name),
       pg_catalog.format('keys that are seen for the first time are held until %s', s.held_until),
       'adopt what the providers have paid in the time that was lost: idem.adopt_keys'
FROM idem.site s
WHERE s.held_until > pg_catalog.clock_timestamp();
COMMENT ON VIEW idem.site_problems IS 'what is wrong with the place of this database, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.site_problems FROM PUBLIC;
